// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "relay_wire.hpp"

#include "json_writer.hpp"
#include "wire_read.hpp"

#include <algorithm>
#include <utility>

namespace serin {
namespace {

error_code refuse_relayed(server_error& why, std::string message, std::string param = {})
{
    why.type = "invalid_request_error";
    why.message = std::move(message);
    why.param = std::move(param);
    return errc::invalid_argument;
}

// The members of a JSON object whose values are copied.
class relay_object
{
    std::string& out_;
    char separator_;

public:
    explicit relay_object(std::string& out, char separator = '{') : out_(out), separator_(separator) {}

    void key(std::string_view name)
    {
        if (separator_ != 0)
            out_ += separator_;
        separator_ = ',';
        json_writer writer(out_, name.size() + 8);
        writer.string(name);
        writer.raw(':');
        writer.finish();
    }

    void copy(json_member const& m)
    {
        key(m.key);
        m.value.append_json(out_);
    }

    void close()
    {
        if (separator_ == '{')
            out_ += '{';
        out_ += '}';
    }
};

void append_stream_options(std::string& out, json_value options)
{
    relay_object o(out);
    for (json_member const m : options.members())
        if (!key_is(m.key, "include_usage"))
            o.copy(m);
    o.key("include_usage");
    out += "true";
    o.close();
}

// The message of a choice as a delta: its tool calls are numbered.
void append_delta(std::string& out, json_value message)
{
    relay_object o(out);
    for (json_member const m : message.members())
    {
        if (!key_is(m.key, "tool_calls") || !m.value.is_array())
        {
            o.copy(m);
            continue;
        }
        o.key(m.key);
        std::size_t index = 0;
        out += '[';
        for (json_value const call : m.value.items())
        {
            if (index != 0)
                out += ',';
            out += "{\"index\":" + std::to_string(index++);
            relay_object c(out, ',');
            for (json_member const part : call.members())
                if (!key_is(part.key, "index"))
                    c.copy(part);
            c.close();
        }
        out += ']';
    }
    o.close();
}

void append_choice(std::string& out, json_value choice)
{
    relay_object o(out);
    for (json_member const m : choice.members())
    {
        if (!key_is(m.key, "message"))
        {
            o.copy(m);
            continue;
        }
        o.key("delta");
        append_delta(out, m.value);
    }
    o.close();
}

// A chunk with everything of a completion but its choices and its usage, which are `choices`, and `usage` if it is one.
void append_chunk(std::string& out, json_value completion, json_value choice, json_value usage)
{
    std::string chunk;
    relay_object o(chunk);
    o.key("object");
    chunk += R"("chat.completion.chunk")";
    for (json_member const m : completion.members())
        if (!key_is(m.key, "object") && !key_is(m.key, "choices") && !key_is(m.key, "usage"))
            o.copy(m);
    o.key("choices");
    chunk += '[';
    if (choice.is_object())
        append_choice(chunk, choice);
    chunk += ']';
    if (usage.is_object())
    {
        o.key("usage");
        usage.append_json(chunk);
    }
    o.close();
    append_event(out, chunk);
}

} // namespace

error_code read_relayed_body(
    json_reader& reader, std::string_view body, bool chat, relayed_body& out, server_error& why)
{
    json_value root;
    if (!reader.parse_exact(body, root) || !root.is_object())
        return refuse_relayed(why, "We could not parse the JSON body of your request.");

    json_value model;
    json_value stream;
    json_value options;
    json_value input;
    json_value prompt_cache_key;
    json_value user;
    std::int64_t max_completion_tokens = 0;
    std::int64_t max_tokens = 0;
    std::int64_t choices = 1;
    bool has_content = false;
    for (json_member const m : root.members())
    {
        if (key_is(m.key, "model"))
            model = m.value;
        else if (key_is(m.key, "stream"))
            stream = m.value;
        else if (key_is(m.key, "stream_options"))
            options = m.value;
        else if (key_is(m.key, "messages"))
            has_content = has_content || chat;
        else if (key_is(m.key, "input"))
            input = m.value;
        else if (key_is(m.key, "max_completion_tokens"))
            max_completion_tokens = m.value.integer();
        else if (key_is(m.key, "max_tokens"))
            max_tokens = m.value.integer();
        else if (key_is(m.key, "n"))
            choices = m.value.integer(1);
        else if (key_is(m.key, "prompt_cache_key"))
            prompt_cache_key = m.value;
        else if (key_is(m.key, "safety_identifier") || (key_is(m.key, "user") && !user.is_string()))
            user = m.value;
    }
    if (!model.is_string() || model.string().empty())
        return refuse_relayed(why, "you must provide a model parameter", "model");
    if (!stream.is_null() && stream.kind() != json_kind::boolean)
        return refuse_relayed(why, "'stream' must be true or false.", "stream");
    if (!options.is_null() && !options.is_object())
        return refuse_relayed(why, "'stream_options' must be an object.", "stream_options");
    has_content = has_content || (!chat && !input.is_null());
    if (!has_content)
    {
        std::string const name = chat ? "messages" : "input";
        return refuse_relayed(why, "Missing required parameter: '" + name + "'.", name);
    }

    out.model = model.string();
    out.stream = chat && stream.is_true();
    for (json_member const m : options.members())
        out.asks_for_usage = out.asks_for_usage || (key_is(m.key, "include_usage") && m.value.is_true());
    json_value const sticky = prompt_cache_key.is_string() ? prompt_cache_key : user;
    out.sticky_key = sticky.string();
    out.max_answer = static_cast<std::uint64_t>(
        std::clamp<std::int64_t>(max_completion_tokens > 0 ? max_completion_tokens : max_tokens, 0, 1 << 30) *
        std::clamp<std::int64_t>(choices, 1, 128));
    // An array of numbers is one text, as tokens.
    if (input.is_string())
        out.inputs = 1;
    for (json_value const item : input.items())
        out.inputs = item.is_number() ? 1 : out.inputs + 1;

    out.tail.reserve(body.size() + 64);
    relay_object o(out.tail, 0);
    for (json_member const m : root.members())
        if (!key_is(m.key, "model") && !(out.stream && key_is(m.key, "stream_options")))
            o.copy(m);
    if (out.stream)
    {
        o.key("stream_options");
        append_stream_options(out.tail, options);
    }
    o.close();
    return {};
}

void append_as_stream(json_value completion, bool with_usage, std::string& out)
{
    json_value usage;
    for (json_member const m : completion.members())
    {
        if (key_is(m.key, "choices"))
            for (json_value const choice : m.value.items())
                append_chunk(out, completion, choice, {});
        else if (key_is(m.key, "usage"))
            usage = m.value;
    }
    if (with_usage && usage.is_object())
        append_chunk(out, completion, {}, usage);
}

void append_event(std::string& out, std::string_view data)
{
    for (;;)
    {
        std::size_t const end = data.find('\n');
        out += "data: ";
        out += data.substr(0, end);
        out += '\n';
        if (end == std::string_view::npos)
            break;
        data.remove_prefix(end + 1);
    }
    out += '\n';
}

} // namespace serin
