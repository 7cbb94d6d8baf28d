// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "delta_record.hpp"

#include "json_object_writer.hpp"
#include "wire_read.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace serin {
namespace {

chat_choice& choice_of(chat_response& sum, int index)
{
    auto const at = std::lower_bound(
        sum.choices.begin(), sum.choices.end(), index, [](chat_choice const& c, int i) { return c.index < i; });
    if (at != sum.choices.end() && at->index == index)
        return *at;
    chat_choice& added = *sum.choices.emplace(at);
    added.index = index;
    added.message.role = "assistant";
    return added;
}

} // namespace

delta_record::delta_record(chat_delta const& d)
    : index_(d.index),
      restarted_(d.restarted),
      text_(d.text),
      finish_reason_(d.finish_reason)
{
    bool const has_function = !d.function_call.name.empty() || !d.function_call.arguments.empty();
    if (d.reasoning.empty() && d.refusal.empty() && d.audio_data.empty() && d.audio_transcript.empty() &&
        d.tool_calls.empty() && !has_function)
        return;
    rest& r = with_rest();
    r.reasoning = d.reasoning;
    r.refusal = d.refusal;
    r.audio_data = d.audio_data;
    r.audio_transcript = d.audio_transcript;
    r.function_call.name = d.function_call.name;
    r.function_call.arguments = d.function_call.arguments;
    std::vector<std::size_t> indices;
    for (tool_call_delta const& c : d.tool_calls)
    {
        r.calls.push_back({std::string(c.id), std::string(c.name), std::string(c.arguments)});
        indices.push_back(c.index);
    }
    look_at_calls(indices);
}

delta_record::delta_record(chat_choice const& choice)
    : index_(choice.index),
      text_(choice.message.content),
      finish_reason_(choice.finish_reason)
{
    message const& m = choice.message;
    if (m.reasoning.empty() && m.refusal.empty() && m.tool_calls.empty() && !m.function_call && !m.audio)
        return;
    rest& r = with_rest();
    r.reasoning = m.reasoning;
    r.refusal = m.refusal;
    if (m.audio)
    {
        r.audio_data = m.audio->data;
        r.audio_transcript = m.audio->transcript;
    }
    if (m.function_call)
    {
        r.function_call.name = m.function_call->name;
        r.function_call.arguments = m.function_call->arguments;
    }
    std::vector<std::size_t> indices;
    for (tool_call const& c : m.tool_calls)
    {
        indices.push_back(r.calls.size());
        r.calls.push_back({c.id, c.name, c.arguments});
    }
    look_at_calls(indices);
}

delta_record::rest& delta_record::with_rest()
{
    if (!rest_)
        rest_ = std::make_unique<rest>();
    return *rest_;
}

void delta_record::look_at_calls(std::vector<std::size_t> const& indices)
{
    for (std::size_t i = 0; i < indices.size(); ++i)
    {
        tool_call_delta view;
        view.index = indices[i];
        view.id = rest_->calls[i].id;
        view.name = rest_->calls[i].name;
        view.arguments = rest_->calls[i].arguments;
        rest_->views.push_back(view);
    }
}

chat_delta delta_record::view() const noexcept
{
    chat_delta d;
    d.index = index_;
    d.restarted = restarted_;
    d.text = text_;
    d.finish_reason = finish_reason_;
    if (!rest_)
        return d;
    d.reasoning = rest_->reasoning;
    d.refusal = rest_->refusal;
    d.audio_data = rest_->audio_data;
    d.audio_transcript = rest_->audio_transcript;
    d.function_call.name = rest_->function_call.name;
    d.function_call.arguments = rest_->function_call.arguments;
    d.tool_calls = rest_->views;
    return d;
}

void delta_record::add_to(chat_response& sum) const
{
    if (restarted_)
        sum.choices.clear();
    chat_choice& choice = choice_of(sum, index_);
    message& m = choice.message;
    m.content += text_;
    if (!finish_reason_.empty())
        choice.finish_reason = finish_reason_;
    if (!rest_)
        return;
    m.reasoning += rest_->reasoning;
    m.refusal += rest_->refusal;
    if (!rest_->audio_data.empty() || !rest_->audio_transcript.empty())
    {
        if (!m.audio)
            m.audio.emplace();
        m.audio->data += rest_->audio_data;
        m.audio->transcript += rest_->audio_transcript;
    }
    if (!rest_->function_call.name.empty() || !rest_->function_call.arguments.empty())
    {
        if (!m.function_call)
            m.function_call.emplace();
        m.function_call->name += rest_->function_call.name;
        m.function_call->arguments += rest_->function_call.arguments;
    }
    for (tool_call_delta const& piece : rest_->views)
    {
        if (piece.index >= m.tool_calls.size())
            m.tool_calls.resize(piece.index + 1);
        tool_call& call = m.tool_calls[piece.index];
        call.id = piece.id;
        // A server may send the name whole with every piece.
        if (call.arguments.empty() && piece.name != call.name)
            call.name += piece.name;
        call.arguments += piece.arguments;
    }
}

void delta_record::write(json_writer& out) const
{
    json_object_writer o(out, {});
    if (index_ != 0 && o.key("index"))
        out.number(std::int64_t{index_});
    o.string_unless_empty("text", text_);
    o.string_unless_empty("finish", finish_reason_);
    o.string_unless_empty("events", events_);
    if (rest_)
    {
        o.string_unless_empty("reasoning", rest_->reasoning);
        o.string_unless_empty("refusal", rest_->refusal);
        o.string_unless_empty("sound", rest_->audio_data);
        o.string_unless_empty("said", rest_->audio_transcript);
        o.string_unless_empty("function", rest_->function_call.name);
        o.string_unless_empty("arguments", rest_->function_call.arguments);
        if (!rest_->views.empty() && o.key("calls"))
        {
            char separator = '[';
            for (tool_call_delta const& c : rest_->views)
            {
                out.raw(separator);
                separator = ',';
                json_object_writer made(out, {});
                if (made.key("index"))
                    out.number(static_cast<std::int64_t>(c.index));
                made.string_unless_empty("id", c.id);
                made.string_unless_empty("name", c.name);
                made.string_unless_empty("arguments", c.arguments);
                made.close();
            }
            out.raw(']');
        }
    }
    o.close();
}

bool delta_record::read(json_value from, std::deque<delta_record>& out)
{
    if (!from.is_object())
        return false;
    delta_record made(0);
    std::vector<std::size_t> indices;
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "index"))
            made.index_ =
                static_cast<int>(std::clamp<std::int64_t>(field.value.integer(), 0, std::numeric_limits<int>::max()));
        else if (key_is(field.key, "text"))
            made.text_ = field.value.string();
        else if (key_is(field.key, "finish"))
            made.finish_reason_ = field.value.string();
        else if (key_is(field.key, "events"))
            made.events_ = field.value.string();
        else if (key_is(field.key, "reasoning"))
            made.with_rest().reasoning = field.value.string();
        else if (key_is(field.key, "refusal"))
            made.with_rest().refusal = field.value.string();
        else if (key_is(field.key, "sound"))
            made.with_rest().audio_data = field.value.string();
        else if (key_is(field.key, "said"))
            made.with_rest().audio_transcript = field.value.string();
        else if (key_is(field.key, "function"))
            made.with_rest().function_call.name = field.value.string();
        else if (key_is(field.key, "arguments"))
            made.with_rest().function_call.arguments = field.value.string();
        else if (key_is(field.key, "calls"))
        {
            for (json_value const item : field.value.items())
            {
                call_text c;
                std::uint64_t index = 0;
                for (json_member const member : item.members())
                {
                    if (key_is(member.key, "index"))
                        index = member.value.count();
                    else if (key_is(member.key, "id"))
                        c.id = member.value.string();
                    else if (key_is(member.key, "name"))
                        c.name = member.value.string();
                    else if (key_is(member.key, "arguments"))
                        c.arguments = member.value.string();
                }
                if (index >= max_tool_calls || indices.size() == max_tool_calls)
                    return false;
                made.with_rest().calls.push_back(std::move(c));
                indices.push_back(static_cast<std::size_t>(index));
            }
        }
        else
            return false;
    }
    made.look_at_calls(indices);
    out.push_back(std::move(made));
    return true;
}

} // namespace serin
