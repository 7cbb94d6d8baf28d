// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "wire_read.hpp"

#include "json_writer.hpp"

#include <algorithm>
#include <limits>

namespace serin {
namespace {

// A part of a content: see read_content.
bool read_content_part(json_value from, std::string& text, std::string& reasoning, std::string& refusal)
{
    if (!from.is_object())
    {
        text += from.string();
        return from.is_string();
    }
    std::string_view type;
    std::string_view body;
    json_value thinking;
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "type"))
            type = field.value.string();
        else if (key_is(field.key, "text"))
            body = field.value.string();
        else if (key_is(field.key, "refusal"))
            refusal += field.value.string();
        else if (key_is(field.key, "thinking"))
            thinking = field.value;
    }
    if (!thinking.is_null())
    {
        std::string ignored;
        return read_content(thinking, reasoning, reasoning, ignored);
    }
    if (type == "reasoning" || type == "thinking")
        reasoning += body;
    else
        text += body;
    return type.empty() || type == "text" || type == "output_text" || type == "reasoning" || type == "thinking" ||
           type == "refusal";
}

void read_call(json_value from, tool_call& out)
{
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "id"))
            out.id = field.value.string();
        else if (key_is(field.key, "type"))
        {
            std::string_view const type = field.value.string();
            if (!type.empty())
                out.type = type;
        }
        else if (key_is(field.key, "function") || key_is(field.key, "custom"))
        {
            for (json_member const member : field.value.members())
            {
                if (key_is(member.key, "name"))
                    out.name = member.value.string();
                else if (key_is(member.key, "arguments") || key_is(member.key, "input"))
                {
                    std::string scratch;
                    out.arguments = arguments_in(member.value, scratch);
                }
            }
        }
        else if (!key_is(field.key, "index"))
            add_member(out.extra, field.key, field.value);
    }
}

error_code read_calls(json_value from, std::vector<tool_call>& out)
{
    for (json_value const call : from.items())
    {
        if (out.size() == max_tool_calls)
            return errc::response_too_large;
        read_call(call, out.emplace_back());
    }
    return {};
}

void read_function_call(json_value from, std::optional<tool_call>& out)
{
    tool_call found;
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "name"))
            found.name = field.value.string();
        else if (key_is(field.key, "arguments"))
        {
            std::string scratch;
            found.arguments = arguments_in(field.value, scratch);
        }
    }
    // Some servers send every member of the schema, empty.
    if (!found.name.empty() || !found.arguments.empty())
        out = std::move(found);
}

void read_audio(json_value from, std::optional<audio_reply>& out)
{
    audio_reply found;
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "id"))
            found.id = field.value.string();
        else if (key_is(field.key, "data"))
            found.data = field.value.string();
        else if (key_is(field.key, "transcript"))
            found.transcript = field.value.string();
        else if (key_is(field.key, "expires_at"))
            found.expires_at = field.value.integer();
    }
    if (!found.id.empty() || !found.data.empty() || !found.transcript.empty())
        out = std::move(found);
}

error_code read_chat_message(json_value from, message& out, std::string& extra)
{
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "role"))
            out.role = field.value.string();
        else if (key_is(field.key, "content"))
        {
            if (!read_content(field.value, out.content, out.reasoning, out.refusal))
                add_member(extra, field.key, field.value);
        }
        else if (key_is(field.key, "refusal"))
            out.refusal += field.value.string();
        else if (key_is(field.key, "reasoning_content") || key_is(field.key, "reasoning"))
        {
            // Servers that send both send the same.
            if (out.reasoning.empty())
                out.reasoning = field.value.string();
            if (!field.value.is_string())
                add_member(extra, field.key, field.value);
        }
        else if (key_is(field.key, "tool_calls"))
        {
            error_code const ec = read_calls(field.value, out.tool_calls);
            if (ec)
                return ec;
        }
        else if (key_is(field.key, "function_call"))
            read_function_call(field.value, out.function_call);
        else if (key_is(field.key, "annotations"))
        {
            if (!read_annotations(field.value, out.annotations))
                add_member(extra, field.key, field.value);
        }
        else if (key_is(field.key, "audio"))
            read_audio(field.value, out.audio);
        else
            add_member(extra, field.key, field.value);
    }
    return {};
}

error_code read_choice(json_value from, chat_choice& out, std::size_t& logprobs_left, server_error& err)
{
    bool has_message = false;
    bool has_error = false;
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "index"))
            out.index = static_cast<int>(
                std::clamp<std::int64_t>(field.value.integer(out.index), 0, std::numeric_limits<int>::max()));
        else if (key_is(field.key, "finish_reason"))
            out.finish_reason = field.value.string();
        else if (key_is(field.key, "message"))
        {
            has_message = has_message || field.value.is_object();
            error_code const ec = read_chat_message(field.value, out.message, out.message_extra);
            if (ec)
                return ec;
        }
        else if (key_is(field.key, "logprobs"))
        {
            choice_logprobs found;
            if (!read_logprobs(field.value, found, logprobs_left))
                add_member(out.extra, field.key, field.value);
            else if (!found.content.empty() || !found.refusal.empty())
                out.logprobs = std::move(found);
        }
        else if (key_is(field.key, "error") && field.value.is_object())
        {
            read_error_object(field.value, err);
            has_error = true;
        }
        else
            add_member(out.extra, field.key, field.value);
    }
    if (has_error || out.finish_reason == "error")
        return classify(200, err);
    return has_message ? error_code() : make_error_code(errc::malformed_response);
}

error_code read_choices(json_value from, std::vector<chat_choice>& out, server_error& err)
{
    std::size_t logprobs_left = max_logprobs;
    for (json_value const choice : from.items())
    {
        if (out.size() == max_choices)
            return errc::response_too_large;
        int const position = static_cast<int>(out.size());
        out.emplace_back().index = position;
        error_code const ec = read_choice(choice, out.back(), logprobs_left, err);
        if (ec)
            return ec;
    }
    auto const by_index = [](chat_choice const& a, chat_choice const& b) { return a.index < b.index; };
    if (!std::is_sorted(out.begin(), out.end(), by_index))
        std::stable_sort(out.begin(), out.end(), by_index);
    return {};
}

bool read_token(json_value from, token_logprob& out, std::size_t& left, bool with_top)
{
    if (left == 0 || !from.is_object())
        return false;
    --left;
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "token"))
            out.token = field.value.string();
        else if (key_is(field.key, "logprob"))
            out.logprob = field.value.number();
        else if (key_is(field.key, "bytes"))
        {
            for (json_value const byte : field.value.items())
                out.bytes += static_cast<char>(static_cast<unsigned char>(byte.count() & 0xff));
        }
        else if (with_top && key_is(field.key, "top_logprobs"))
        {
            for (json_value const item : field.value.items())
            {
                token_logprob other;
                if (read_token(item, other, left, false))
                    out.top.push_back(std::move(other));
            }
        }
    }
    return true;
}

// The members of one of the details objects of a usage.
void read_prompt_details(json_value from, token_usage& out, std::string& unknown)
{
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "cached_tokens"))
            out.cached_tokens = field.value.count();
        else if (key_is(field.key, "cache_write_tokens"))
            out.cache_write_tokens = field.value.count();
        else if (key_is(field.key, "audio_tokens"))
            out.prompt_audio_tokens = field.value.count();
        else if (key_is(field.key, "image_tokens"))
            out.prompt_image_tokens = field.value.count();
        else
            add_member(unknown, field.key, field.value);
    }
}

void read_completion_details(json_value from, token_usage& out, std::string& unknown)
{
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "reasoning_tokens"))
            out.reasoning_tokens = field.value.count();
        else if (key_is(field.key, "audio_tokens"))
            out.completion_audio_tokens = field.value.count();
        else if (key_is(field.key, "accepted_prediction_tokens"))
            out.accepted_prediction_tokens = field.value.count();
        else if (key_is(field.key, "rejected_prediction_tokens"))
            out.rejected_prediction_tokens = field.value.count();
        else
            add_member(unknown, field.key, field.value);
    }
}

// Adds a member whose value is the text of an object, if there is one.
void add_object(std::string& object, std::string_view key, std::string_view members)
{
    if (members.empty())
        return;
    if (object.empty())
        object = "{";
    else
        object.back() = ',';
    json_writer out(object, key.size() + members.size() + 8);
    out.string(key);
    out.raw(':');
    out.raw(members);
    out.raw('}');
    out.finish();
}

} // namespace

void add_member(std::string& object, std::string_view key, json_value value)
{
    if (value.is_null())
        return;
    if (object.empty())
        object = "{";
    else
        object.back() = ',';
    json_writer out(object, key.size() + 8);
    out.string(key);
    out.raw(':');
    out.finish();
    value.append_json(object);
    object += '}';
}

error_code error_in_answer(json_value root, server_error& err)
{
    if (root.is_object() && !holds_error(root))
        return {};
    read_error_object(root, err);
    if (root.is_object() || !err.empty())
        return classify(200, err);
    return errc::malformed_response;
}

std::string_view arguments_in(json_value from, std::string& scratch)
{
    if (from.is_string() || from.is_null())
        return from.string();
    scratch.clear();
    from.append_json(scratch);
    return scratch;
}

bool read_content(json_value from, std::string& text, std::string& reasoning, std::string& refusal)
{
    text += from.string();
    bool understood = from.is_string() || from.is_array() || from.is_null();
    for (json_value const part : from.items())
        understood = read_content_part(part, text, reasoning, refusal) && understood;
    return understood;
}

bool read_annotations(json_value from, std::vector<url_citation>& out)
{
    bool understood = from.is_array() || from.is_null();
    for (json_value const item : from.items())
    {
        json_value body;
        for (json_member const field : item.members())
            if (key_is(field.key, "url_citation"))
                body = field.value;
        understood = understood && body.is_object();
        if (!body.is_object())
            continue;
        url_citation& citation = out.emplace_back();
        for (json_member const field : body.members())
        {
            if (key_is(field.key, "start_index"))
                citation.start_index = field.value.integer();
            else if (key_is(field.key, "end_index"))
                citation.end_index = field.value.integer();
            else if (key_is(field.key, "title"))
                citation.title = field.value.string();
            else if (key_is(field.key, "url"))
                citation.url = field.value.string();
            else
                understood = false;
        }
    }
    return understood;
}

bool read_logprobs(json_value from, choice_logprobs& out, std::size_t& left)
{
    bool known = false;
    for (json_member const field : from.members())
    {
        bool const content = key_is(field.key, "content");
        if (!content && !key_is(field.key, "refusal"))
            continue;
        known = true;
        for (json_value const item : field.value.items())
        {
            token_logprob token;
            if (read_token(item, token, left, true))
                (content ? out.content : out.refusal).push_back(std::move(token));
        }
    }
    return known;
}

bool read_usage(json_value from, token_usage& out)
{
    token_usage found;
    bool any = false;
    bool has_total = false;
    std::uint64_t flat_cached = 0;
    std::uint64_t flat_reasoning = 0;
    std::string prompt_extra;
    std::string completion_extra;
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "prompt_tokens"))
        {
            any = true;
            found.prompt_tokens = field.value.count();
        }
        else if (key_is(field.key, "completion_tokens"))
        {
            any = true;
            found.completion_tokens = field.value.count();
        }
        else if (key_is(field.key, "total_tokens"))
        {
            any = true;
            has_total = field.value.is_number();
            found.total_tokens = field.value.count();
        }
        else if (key_is(field.key, "prompt_tokens_details"))
            read_prompt_details(field.value, found, prompt_extra);
        else if (key_is(field.key, "completion_tokens_details"))
            read_completion_details(field.value, found, completion_extra);
        else
        {
            // The older names of two of the details.
            if (key_is(field.key, "prompt_cache_hit_tokens"))
                flat_cached = field.value.count();
            else if (key_is(field.key, "reasoning_tokens"))
                flat_reasoning = field.value.count();
            add_member(found.extra, field.key, field.value);
        }
    }
    if (!any)
        return false;
    if (!has_total)
        found.total_tokens = found.prompt_tokens + found.completion_tokens;
    if (found.cached_tokens == 0)
        found.cached_tokens = flat_cached;
    if (found.reasoning_tokens == 0)
        found.reasoning_tokens = flat_reasoning;
    add_object(found.extra, "prompt_tokens_details", prompt_extra);
    add_object(found.extra, "completion_tokens_details", completion_extra);
    out = std::move(found);
    return true;
}

error_code read_response(json_reader& reader, std::string_view body, chat_response& out, server_error& err)
{
    json_value root;
    if (!reader.parse(body, root))
        return errc::malformed_response;
    if (!root.is_object())
        return error_in_answer(root, err);

    bool may_hold_error = false;
    error_code choices_error;
    for (json_member const field : root.members())
    {
        if (key_is(field.key, "id"))
            out.id = field.value.string();
        else if (key_is(field.key, "object"))
        {
            out.object = field.value.string();
            may_hold_error = may_hold_error || out.object == "error";
        }
        else if (key_is(field.key, "created"))
            out.created = field.value.integer();
        else if (key_is(field.key, "model"))
            out.model = field.value.string();
        else if (key_is(field.key, "choices"))
        {
            out.choices.clear();
            choices_error = read_choices(field.value, out.choices, err);
        }
        else if (key_is(field.key, "usage"))
        {
            token_usage found;
            if (read_usage(field.value, found))
                out.usage = std::move(found);
        }
        else if (key_is(field.key, "system_fingerprint"))
            out.system_fingerprint = field.value.string();
        else if (key_is(field.key, "service_tier"))
            out.service_tier = field.value.string();
        else if (key_is(field.key, "error"))
            may_hold_error = true;
        else
            add_member(out.extra, field.key, field.value);
    }

    if (may_hold_error)
    {
        error_code const ec = error_in_answer(root, err);
        if (ec)
            return ec;
    }
    if (choices_error)
        return choices_error;
    return out.choices.empty() ? make_error_code(errc::malformed_response) : error_code();
}

} // namespace serin
