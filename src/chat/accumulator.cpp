// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "accumulator.hpp"

#include "../core/utf8.hpp"
#include "json_writer.hpp"

#include <algorithm>
#include <limits>

namespace serin {
namespace {

constexpr std::size_t max_kept_members = 128;
constexpr std::size_t longest_kept_head = 1024;

std::string_view trimmed_data(std::string_view data) noexcept
{
    auto const first = data.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos)
        return {};
    return data.substr(first, data.find_last_not_of(" \t\r\n") - first + 1);
}

bool is_sign_of_life(std::string_view event_type) noexcept
{
    return event_type == "ping" || event_type == "heartbeat" || event_type == "keepalive" || event_type == "keep-alive";
}

// The name of a call comes whole, again and again with some servers, or in pieces.
void add_name(tool_call& call, std::string_view name)
{
    if (name.empty() || name == call.name || (!call.name.empty() && !call.arguments.empty()))
        return;
    call.name += name;
}

} // namespace

std::size_t member_store::put(std::string_view key, json_value value, bool join)
{
    if (value.is_null())
        return 0;
    auto found = std::find_if(members_.begin(), members_.end(), [key](member const& m) { return m.key == key; });
    if (found == members_.end())
    {
        if (members_.size() == max_kept_members)
            return 0;
        members_.emplace_back().key = key;
        found = members_.end() - 1;
    }
    std::size_t const before = found->value.size();
    if (join && before > 2 && found->value.front() == '[' && value.is_array())
    {
        if (!value.has_content())
            return 0;
        found->value.pop_back();
        std::size_t const seam = found->value.size();
        value.append_json(found->value);
        found->value[seam] = ','; // instead of the bracket
    }
    else
    {
        found->value.clear();
        value.append_json(found->value);
    }
    return found->value.size() > before ? found->value.size() - before + key.size() : 0;
}

std::string member_store::text() const
{
    std::string object;
    if (members_.empty())
        return object;
    json_writer out(object, 64);
    char separator = '{';
    for (member const& m : members_)
    {
        out.raw(separator);
        out.string(m.key);
        out.raw(':');
        out.raw(m.value);
        separator = ',';
    }
    out.raw('}');
    out.finish();
    return object;
}

error_code accumulator::malformed() noexcept
{
    if (!skip_malformed_)
        return fail(errc::stream_error);
    ++skipped_;
    return {};
}

error_code accumulator::put(std::string_view event_type, std::string_view data)
{
    pending_.clear();
    pending_calls_.clear();
    pieces_.clear();
    next_ = 0;
    only_usage_ = false;
    if (failure_)
        return failure_;
    if (done_ || is_sign_of_life(event_type))
        return {};

    std::string_view const text = trimmed_data(data);
    if (text.empty())
        return {};
    if (text.starts_with("[DONE]"))
    {
        done_ = true;
        return {};
    }
    ++event_;

    error_code const ec = read_text(text, event_type == "error");
    if (ec)
        return ec;
    return kept_bytes_ > max_bytes_ ? fail(errc::response_too_large) : error_code();
}

error_code accumulator::read_text(std::string_view text, bool is_error)
{
    json_value root;
    // Nearly half of a chunk is the same in each.
    if (!is_error && !head_.empty() && text.starts_with(head_) && reader_.parse_members_from(text, head_.size(), root))
    {
        error_code const ec = read_chunk(root, false);
        return ec ? fail(ec) : ec;
    }
    if (!reader_.parse(text, root))
    {
        if (is_error)
        {
            read_error_body(reader_, text, error_);
            return fail(classify(200, error_));
        }
        return malformed();
    }
    if (root.is_null())
        return {};
    if (!root.is_object())
    {
        read_error_object(root, error_);
        return error_.empty() ? malformed() : fail(classify(200, error_));
    }
    error_code const ec = read_chunk(root, is_error);
    remember_head(text);
    return ec ? fail(ec) : ec;
}

void accumulator::remember_head(std::string_view text)
{
    head_.clear();
    std::string_view const head = text.substr(0, std::min(head_size_, text.size()));
    // Not where a byte order mark or invalid UTF-8 has moved what the reader holds.
    if (!head.empty() && head.size() <= longest_kept_head && text.substr(head.size()).starts_with("\"choices\"") &&
        head.front() == '{' && is_valid_utf8(head))
        head_ = head;
}

error_code accumulator::put_last(std::string_view event_type, std::string_view data)
{
    std::string_view const text = trimmed_data(data);
    json_value root;
    bool const whole = text == "[DONE]" || reader_.parse(text, root);
    return put(event_type, whole ? text : std::string_view());
}

error_code accumulator::fail(error_code ec) noexcept
{
    failure_ = ec;
    return ec;
}

std::optional<chat_delta> accumulator::next() noexcept
{
    if (next_ == pending_.size())
        return std::nullopt;
    pending_delta& p = pending_[next_++];
    p.delta.tool_calls = std::span<tool_call_delta const>(pending_calls_.data() + p.first_call, p.call_count);
    if (p.call_count > 0)
    {
        auto const choice = std::find_if(response_.choices.begin(), response_.choices.end(),
            [&p](chat_choice const& c) { return c.index == p.delta.index; });
        if (choice != response_.choices.end())
            for (std::size_t i = p.first_call; i < p.first_call + p.call_count; ++i)
                pending_calls_[i].id = choice->message.tool_calls[pending_calls_[i].index].id;
    }
    return p.delta;
}

bool accumulator::finished() const noexcept
{
    return !states_.empty() &&
           std::all_of(states_.begin(), states_.end(), [](choice_state const& s) { return s.finished; });
}

void accumulator::set_source(std::string upstream, std::string request_id)
{
    response_.upstream = std::move(upstream);
    response_.request_id = std::move(request_id);
}

chat_response const& accumulator::response()
{
    if (dirty_)
    {
        dirty_ = false;
        response_.extra = extra_.text();
        for (std::size_t i = 0; i < states_.size(); ++i)
        {
            chat_choice& choice = response_.choices[i];
            choice.extra = states_[i].extra.text();
            choice.message_extra = states_[i].message_extra.text();
            for (std::size_t j = 0; j < states_[i].calls.size(); ++j)
                choice.message.tool_calls[j].extra = states_[i].calls[j].extra.text();
        }
    }
    return response_;
}

chat_response accumulator::take()
{
    response();
    pending_.clear();
    pending_calls_.clear();
    next_ = 0;
    states_.clear();
    head_.clear();
    return std::move(response_);
}

void accumulator::keep(member_store& store, std::string_view key, json_value value, bool join)
{
    kept_bytes_ += store.put(key, value, join);
    dirty_ = true;
}

std::string_view accumulator::append(std::string& to, std::string_view piece)
{
    to += piece;
    kept_bytes_ += piece.size();
    return piece;
}

error_code accumulator::read_chunk(json_value root, bool is_error)
{
    bool may_hold_error = false;
    bool again_the_same = true; // All so far is what does not change a second time.
    head_size_ = 0;
    bool has_usage = false;
    bool no_choices = false;
    error_code choices_error;
    for (json_member const field : root.members())
    {
        if (key_is(field.key, "id"))
        {
            if (response_.id.empty())
                append(response_.id, field.value.string());
        }
        else if (key_is(field.key, "object"))
            may_hold_error = may_hold_error || field.value.string() == "error";
        else if (key_is(field.key, "created"))
        {
            if (response_.created == 0)
                response_.created = field.value.integer();
        }
        else if (key_is(field.key, "model"))
        {
            if (response_.model.empty())
                append(response_.model, field.value.string());
        }
        else if (key_is(field.key, "choices"))
        {
            if (again_the_same && !may_hold_error)
                head_size_ = reader_.position_of_key(field.key);
            again_the_same = false;
            no_choices = field.value.is_array() && !field.value.has_content();
            choices_error = read_choices(field.value);
        }
        else if (key_is(field.key, "usage"))
        {
            again_the_same = false;
            has_usage = take_usage(field.value) || has_usage;
        }
        else if (key_is(field.key, "system_fingerprint"))
        {
            if (response_.system_fingerprint.empty())
                append(response_.system_fingerprint, field.value.string());
        }
        else if (key_is(field.key, "service_tier"))
        {
            std::string_view const tier = field.value.string();
            if (!tier.empty())
                response_.service_tier = tier;
        }
        else if (key_is(field.key, "error"))
            may_hold_error = true;
        else if (key_is(field.key, "x_groq"))
        {
            again_the_same = false;
            read_groq(field.value, has_usage);
            keep(extra_, field.key, field.value);
        }
        else if (!key_is(field.key, "obfuscation"))
        {
            again_the_same = false;
            keep(extra_, field.key, field.value);
        }
    }
    if (response_.object.empty())
        response_.object = "chat.completion";

    if (is_error || (may_hold_error && holds_error(root)))
    {
        read_error_object(root, error_);
        return classify(200, error_);
    }
    if (choices_error)
        return choices_error;
    only_usage_ = no_choices && has_usage;
    return error_.empty() ? error_code() : make_error_code(classify(200, error_));
}

bool accumulator::take_usage(json_value from)
{
    token_usage found;
    if (!read_usage(from, found))
        return false;
    response_.usage = std::move(found);
    return true;
}

void accumulator::read_groq(json_value from, bool& has_usage)
{
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "usage") && !has_usage)
            has_usage = take_usage(field.value);
        else if (key_is(field.key, "error") && error_.empty())
            error_.message = field.value.string(); // Why the stream ends early.
    }
}

error_code accumulator::read_choices(json_value from)
{
    int position = 0;
    for (json_value const choice : from.items())
    {
        if (!choice.is_object())
        {
            if (error_code const ec = malformed())
                return ec;
            continue;
        }
        error_code const ec = read_choice(choice, position++);
        if (ec)
            return ec;
    }
    return {};
}

std::optional<std::size_t> accumulator::place_of_choice(int index)
{
    auto& choices = response_.choices;
    if (!choices.empty() && choices.front().index == index)
        return 0;
    auto const at = std::lower_bound(
        choices.begin(), choices.end(), index, [](chat_choice const& c, int i) { return c.index < i; });
    auto const place = static_cast<std::size_t>(at - choices.begin());
    if (at != choices.end() && at->index == index)
        return place;
    if (choices.size() == max_choices)
        return std::nullopt;
    auto const added = choices.emplace(at);
    added->index = index;
    added->message.role = "assistant";
    states_.emplace(states_.begin() + (added - choices.begin()));
    return place;
}

error_code accumulator::read_choice(json_value from, int position)
{
    // The index comes first, wherever it stands.
    json_value delta;
    json_value whole;
    std::int64_t index = position;
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "index"))
            index = field.value.integer(position);
        else if (key_is(field.key, "delta"))
            delta = field.value;
        else if (key_is(field.key, "message"))
            whole = field.value;
    }
    auto const found =
        place_of_choice(static_cast<int>(std::clamp<std::int64_t>(index, 0, std::numeric_limits<int>::max())));
    if (!found)
        return errc::response_too_large;
    std::size_t const place = *found;

    pending_.emplace_back();
    pending_.back().delta.index = response_.choices[place].index;
    pending_.back().first_call = pending_calls_.size();

    // Some servers end with the whole message, of which only what has not come yet is news.
    bool const takes_whole =
        !delta.is_object() && states_[place].calls.empty() && response_.choices[place].message.content.empty();
    error_code const ec = read_delta(takes_whole ? whole : delta, place, pending_.back());
    if (ec)
        return ec;

    chat_choice& choice = response_.choices[place];
    choice_state& state = states_[place];
    bool failed = false;
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "index") || key_is(field.key, "delta") || key_is(field.key, "message"))
            continue;
        if (key_is(field.key, "finish_reason"))
        {
            std::string_view const reason = field.value.string();
            if (reason.empty())
                continue;
            choice.finish_reason = reason;
            pending_.back().delta.finish_reason = reason;
            state.finished = true;
            failed = failed || reason == "error";
        }
        else if (key_is(field.key, "logprobs"))
        {
            if (field.value.is_null())
                continue;
            choice_logprobs& into = choice.logprobs ? *choice.logprobs : choice.logprobs.emplace();
            if (!read_logprobs(field.value, into, logprobs_left_))
                keep(state.extra, field.key, field.value);
            if (into.content.empty() && into.refusal.empty())
                choice.logprobs.reset();
        }
        else if (key_is(field.key, "error") && field.value.is_object())
        {
            read_error_object(field.value, error_);
            failed = true;
        }
        else if (key_is(field.key, "usage"))
            take_usage(field.value);
        else
            keep(state.extra, field.key, field.value);
    }
    return failed ? make_error_code(classify(200, error_)) : error_code();
}

// Of members that an object has twice the first counts: what a delta says must add up to the answer.
error_code accumulator::read_delta(json_value from, std::size_t place, pending_delta& out)
{
    message& to = response_.choices[place].message;
    choice_state& state = states_[place];
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "content"))
        {
            if (field.value.is_string() && out.delta.text.empty())
                out.delta.text = append(to.content, field.value.string());
            else if (field.value.is_array())
                read_content_parts(field.value, place, out);
        }
        else if (key_is(field.key, "role"))
        {
            std::string_view const role = field.value.string();
            if (!role.empty())
                to.role = role;
        }
        else if (key_is(field.key, "reasoning_content") || key_is(field.key, "reasoning"))
        {
            // Servers that send both send the same.
            std::string_view const text = field.value.string();
            if (out.delta.reasoning.empty())
                out.delta.reasoning = append(to.reasoning, text);
            if (!field.value.is_string())
                keep(state.message_extra, field.key, field.value);
        }
        else if (key_is(field.key, "refusal"))
        {
            if (out.delta.refusal.empty())
                out.delta.refusal = append(to.refusal, field.value.string());
        }
        else if (key_is(field.key, "tool_calls"))
        {
            for (json_value const call : field.value.items())
            {
                error_code const ec = read_call(call, place, out);
                if (ec)
                    return ec;
            }
        }
        else if (key_is(field.key, "function_call"))
            read_function_call(field.value, to, out);
        else if (key_is(field.key, "annotations"))
        {
            std::size_t const before = to.annotations.size();
            if (!read_annotations(field.value, to.annotations))
                keep(state.message_extra, field.key, field.value, true);
            for (std::size_t i = before; i < to.annotations.size(); ++i)
                kept_bytes_ += sizeof(url_citation) + to.annotations[i].title.size() + to.annotations[i].url.size();
        }
        else if (key_is(field.key, "audio"))
            read_audio(field.value, to, out);
        else
            keep(state.message_extra, field.key, field.value, true);
    }
    return {};
}

void accumulator::read_content_parts(json_value from, std::size_t place, pending_delta& out)
{
    message& to = response_.choices[place].message;
    std::string& text = pieces_.emplace_front();
    std::string& reasoning = pieces_.emplace_front();
    std::string& refusal = pieces_.emplace_front();
    if (!read_content(from, text, reasoning, refusal))
        keep(states_[place].message_extra, "content", from, true);
    if (!text.empty() && out.delta.text.empty())
        out.delta.text = append(to.content, text);
    if (!reasoning.empty() && out.delta.reasoning.empty())
        out.delta.reasoning = append(to.reasoning, reasoning);
    if (!refusal.empty() && out.delta.refusal.empty())
        out.delta.refusal = append(to.refusal, refusal);
}

std::optional<std::size_t> accumulator::place_of_call(
    std::size_t choice, std::int64_t wire_index, std::string_view id, std::string_view name)
{
    std::vector<tool_call>& calls = response_.choices[choice].message.tool_calls;
    std::vector<call_state>& states = states_[choice].calls;

    for (std::size_t i = calls.size(); i-- > 0;)
    {
        tool_call const& call = calls[i];
        bool const is_last = i + 1 == calls.size();
        bool const starts_anew = !name.empty() && !call.name.empty();
        if (wire_index >= 0)
        {
            // Some servers give every call the same index: another id with another name is another call.
            if (states[i].wire_index != wire_index)
                continue;
            if (!id.empty() && !call.id.empty() && id != call.id && starts_anew)
                break;
            return i;
        }
        // Without an index the id tells calls apart, if there is one, and else the name, with which a call begins.
        // Two in one chunk are never the same.
        if (!id.empty() && id == call.id && states[i].event != event_)
            return i;
        if (is_last && !starts_anew && (id.empty() || call.id.empty()) && states[i].event != event_)
            return i;
    }

    if (calls.size() == max_tool_calls)
        return std::nullopt;
    calls.emplace_back();
    states.emplace_back().wire_index = wire_index;
    kept_bytes_ += sizeof(tool_call) + sizeof(call_state);
    return calls.size() - 1;
}

error_code accumulator::read_call(json_value from, std::size_t place, pending_delta& out)
{
    std::int64_t wire_index = -1;
    std::string_view id;
    std::string_view type;
    tool_call_delta delta;
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "index"))
            wire_index = field.value.integer(-1);
        else if (key_is(field.key, "id"))
            id = field.value.string();
        else if (key_is(field.key, "type"))
            type = field.value.string();
        else if (key_is(field.key, "function") || key_is(field.key, "custom"))
        {
            for (json_member const member : field.value.members())
            {
                if (key_is(member.key, "name"))
                    delta.name = member.value.string();
                else if (key_is(member.key, "arguments") || key_is(member.key, "input"))
                {
                    bool const quoted = member.value.is_string() || member.value.is_null();
                    std::string none;
                    delta.arguments = arguments_in(member.value, quoted ? none : pieces_.emplace_front());
                }
            }
        }
    }

    auto const found = place_of_call(place, wire_index, id, delta.name);
    if (!found)
        return errc::response_too_large;
    tool_call& call = response_.choices[place].message.tool_calls[*found];
    call_state& state = states_[place].calls[*found];
    state.event = event_;
    if (call.id.empty())
        append(call.id, id);
    if (!type.empty())
        call.type = type;
    add_name(call, delta.name);
    append(call.arguments, delta.arguments);
    kept_bytes_ += delta.name.size();

    for (json_member const field : from.members())
    {
        bool const known = key_is(field.key, "index") || key_is(field.key, "id") || key_is(field.key, "type") ||
                           key_is(field.key, "function") || key_is(field.key, "custom");
        if (!known)
            keep(state.extra, field.key, field.value);
    }

    delta.index = *found;
    pending_calls_.push_back(delta);
    ++out.call_count;
    return {};
}

void accumulator::read_function_call(json_value from, message& to, pending_delta& out)
{
    tool_call_delta& delta = out.delta.function_call;
    if (!delta.name.empty() || !delta.arguments.empty())
        return;
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "name"))
            delta.name = field.value.string();
        else if (key_is(field.key, "arguments"))
        {
            bool const quoted = field.value.is_string() || field.value.is_null();
            std::string none;
            delta.arguments = arguments_in(field.value, quoted ? none : pieces_.emplace_front());
        }
    }
    if (delta.name.empty() && delta.arguments.empty())
        return;
    tool_call& call = to.function_call ? *to.function_call : to.function_call.emplace();
    add_name(call, delta.name);
    append(call.arguments, delta.arguments);
}

void accumulator::read_audio(json_value from, message& to, pending_delta& out)
{
    if (!from.is_object())
        return;
    audio_reply& audio = to.audio ? *to.audio : to.audio.emplace();
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "id"))
        {
            if (audio.id.empty())
                append(audio.id, field.value.string());
        }
        else if (key_is(field.key, "data"))
        {
            if (out.delta.audio_data.empty())
                out.delta.audio_data = append(audio.data, field.value.string());
        }
        else if (key_is(field.key, "transcript"))
        {
            if (out.delta.audio_transcript.empty())
                out.delta.audio_transcript = append(audio.transcript, field.value.string());
        }
        else if (key_is(field.key, "expires_at"))
            audio.expires_at = field.value.integer();
    }
    if (audio.id.empty() && audio.data.empty() && audio.transcript.empty())
        to.audio.reset();
}

} // namespace serin
