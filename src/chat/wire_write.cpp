// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "wire_write.hpp"

#include "json_object_writer.hpp"
#include "json_writer.hpp"

#include <cstddef>

namespace serin {
namespace {

void write_part(json_writer& out, content_part const& part)
{
    json_object_writer o(out, part.extra);
    o.string_unless_empty("type", part.type);
    if (part.type == "text")
        o.string("text", part.text);
    else if (part.type == "refusal")
        o.string("refusal", part.text);
    else if (part.type == "image_url")
    {
        if (o.key("image_url"))
        {
            json_object_writer image(out, {});
            image.string("url", part.url);
            image.string_unless_empty("detail", part.detail);
            image.close();
        }
    }
    else if (part.type == "input_audio")
    {
        if (o.key("input_audio"))
        {
            json_object_writer audio(out, {});
            audio.string("data", part.data);
            audio.string("format", part.format);
            audio.close();
        }
    }
    else if (part.type == "file")
    {
        if (o.key("file"))
        {
            json_object_writer file(out, {});
            file.string_unless_empty("file_id", part.file_id);
            file.string_unless_empty("filename", part.file_name);
            file.string_unless_empty("file_data", part.data);
            file.close();
        }
    }
    o.close();
}

void write_content(json_writer& out, message const& m)
{
    if (!m.parts.empty())
    {
        out.raw('[');
        if (!m.content.empty())
        {
            write_part(out, content_part::from_text(m.content));
            out.raw(',');
        }
        for (std::size_t i = 0; i < m.parts.size(); ++i)
        {
            if (i)
                out.raw(',');
            write_part(out, m.parts[i]);
        }
        out.raw(']');
        return;
    }
    bool const has_other = !m.tool_calls.empty() || m.function_call || m.audio || !m.refusal.empty();
    if (m.content.empty() && has_other)
        out.raw(std::string_view("null"));
    else
        out.string(m.content);
}

void write_call(json_writer& out, tool_call const& call)
{
    json_object_writer o(out, call.extra);
    o.string("id", call.id);
    o.string("type", call.type);
    if (call.type == "custom")
    {
        if (o.key("custom"))
        {
            json_object_writer custom(out, {});
            custom.string("name", call.name);
            custom.string("input", call.arguments);
            custom.close();
        }
    }
    else if (o.key("function"))
    {
        json_object_writer function(out, {});
        function.string("name", call.name);
        function.string("arguments", call.arguments);
        function.close();
    }
    o.close();
}

void write_chat_message(json_writer& out, message const& m)
{
    json_object_writer o(out, m.extra);
    o.string("role", m.role);
    if (o.key("content"))
        write_content(out, m);
    o.string_unless_empty("name", m.name);
    o.string_unless_empty("refusal", m.refusal);
    o.string_unless_empty("tool_call_id", m.tool_call_id);
    if (!m.tool_calls.empty() && o.key("tool_calls"))
    {
        out.raw('[');
        for (std::size_t i = 0; i < m.tool_calls.size(); ++i)
        {
            if (i)
                out.raw(',');
            write_call(out, m.tool_calls[i]);
        }
        out.raw(']');
    }
    if (m.function_call && o.key("function_call"))
    {
        json_object_writer function(out, {});
        function.string("name", m.function_call->name);
        function.string("arguments", m.function_call->arguments);
        function.close();
    }
    if (m.audio && o.key("audio"))
    {
        json_object_writer audio(out, {});
        audio.string("id", m.audio->id);
        audio.close();
    }
    o.close();
}

void write_tool(json_writer& out, tool const& t)
{
    bool const is_custom = t.type == "custom";
    out.raw(is_custom ? std::string_view(R"({"type":"custom","custom":)")
                      : std::string_view(R"({"type":"function","function":)"));
    json_object_writer o(out, t.extra);
    o.string("name", t.name);
    o.string_unless_empty("description", t.description);
    if (is_custom)
        o.json_unless_empty("format", t.format);
    else
    {
        o.json_unless_empty("parameters", t.parameters);
        o.optional("strict", t.strict);
    }
    o.close();
    out.raw('}');
}

void write_named_tool(json_writer& out, std::string_view type, std::string_view name)
{
    out.raw(std::string_view(R"({"type":)"));
    out.string(type);
    out.raw(',');
    out.string(type);
    out.raw(std::string_view(R"(:{"name":)"));
    out.string(name);
    out.raw(std::string_view("}}"));
}

void write_tool_choice(json_writer& out, tool_choice const& choice)
{
    if (choice.mode == "function" || choice.mode == "custom")
        write_named_tool(out, choice.mode, choice.name);
    else if (choice.mode == "allowed_tools")
    {
        out.raw(std::string_view(R"({"type":"allowed_tools","allowed_tools":{"mode":)"));
        out.string(choice.allowed_mode);
        out.raw(std::string_view(R"(,"tools":[)"));
        for (std::size_t i = 0; i < choice.allowed.size(); ++i)
        {
            if (i)
                out.raw(',');
            write_named_tool(out, "function", choice.allowed[i]);
        }
        out.raw(std::string_view("]}}"));
    }
    else
        out.string(choice.mode);
}

void write_response_format(json_writer& out, response_format const& format)
{
    json_object_writer o(out, {});
    o.string("type", format.type);
    if (format.type == "json_schema" && o.key("json_schema"))
    {
        json_object_writer schema(out, {});
        schema.string("name", format.name);
        schema.string_unless_empty("description", format.description);
        schema.json_unless_empty("schema", format.schema);
        schema.optional("strict", format.strict);
        schema.close();
    }
    o.close();
}

void write_web_search(json_writer& out, web_search_params const& search)
{
    json_object_writer o(out, {});
    o.string_unless_empty("search_context_size", search.search_context_size);
    bool const somewhere =
        !search.city.empty() || !search.country.empty() || !search.region.empty() || !search.timezone.empty();
    if (somewhere && o.key("user_location"))
    {
        out.raw(std::string_view(R"({"type":"approximate","approximate":)"));
        json_object_writer place(out, {});
        place.string_unless_empty("city", search.city);
        place.string_unless_empty("country", search.country);
        place.string_unless_empty("region", search.region);
        place.string_unless_empty("timezone", search.timezone);
        place.close();
        out.raw('}');
    }
    o.close();
}

void write_tools(json_writer& out, json_object_writer& o, chat_request const& request)
{
    if (!request.tools.empty() && o.key("tools"))
    {
        out.raw('[');
        for (std::size_t i = 0; i < request.tools.size(); ++i)
        {
            if (i)
                out.raw(',');
            write_tool(out, request.tools[i]);
        }
        out.raw(']');
    }
    if (request.tool_choice && o.key("tool_choice"))
        write_tool_choice(out, *request.tool_choice);
    o.optional("parallel_tool_calls", request.parallel_tool_calls);
}

void write_stream_members(json_writer& out, json_object_writer& o, chat_request const& request)
{
    o.optional("stream", std::optional<bool>(true));

    // Usage is asked for, since without it nobody knows what the call cost. The padding of chunks is left to the
    // server: others than OpenAI's refuse a member that they do not know.
    bool const usage = request.include_usage.value_or(true);
    if ((usage || request.include_obfuscation) && o.key("stream_options"))
    {
        json_object_writer options(out, {});
        options.optional("include_usage", std::optional<bool>(usage));
        options.optional("include_obfuscation", request.include_obfuscation);
        options.close();
    }
}

// The members that are seldom set.
void write_rare_members(json_writer& out, json_object_writer& o, chat_request const& request)
{
    if (!request.logit_bias.empty() && o.key("logit_bias"))
    {
        char separator = '{';
        for (auto const& [token, bias] : request.logit_bias)
        {
            out.raw(separator);
            out.string(token);
            out.raw(':');
            out.number(bias);
            separator = ',';
        }
        out.raw('}');
    }
    if (!request.metadata.empty() && o.key("metadata"))
    {
        char separator = '{';
        for (auto const& [name, value] : request.metadata)
        {
            out.raw(separator);
            out.string(name);
            out.raw(':');
            out.string(value);
            separator = ',';
        }
        out.raw('}');
    }
    if (request.prediction && o.key("prediction"))
    {
        out.raw(std::string_view(R"({"type":"content","content":)"));
        out.string(*request.prediction);
        out.raw('}');
    }
    o.strings_unless_empty("modalities", request.modalities);
    if (request.audio && o.key("audio"))
    {
        json_object_writer audio(out, {});
        audio.string("voice", request.audio->voice);
        audio.string("format", request.audio->format);
        audio.close();
    }
    if (request.web_search && o.key("web_search_options"))
        write_web_search(out, *request.web_search);
}

// A guess at the size, so that the buffer grows once.
std::size_t expected_request_size(chat_request const& request) noexcept
{
    std::size_t size = 512 + request.extra.size();
    for (message const& m : request.messages)
    {
        size += 64 + m.content.size() + m.content.size() / 16;
        for (content_part const& part : m.parts)
            size += 96 + part.text.size() + part.url.size() + part.data.size();
        for (tool_call const& call : m.tool_calls)
            size += 128 + call.arguments.size() + call.arguments.size() / 8;
    }
    for (tool const& t : request.tools)
        size += 128 + t.description.size() + t.parameters.size();
    return size;
}

} // namespace

error_code write_request_tail(std::string& tail, chat_request const& request, bool stream, std::string& why)
{
    error_code const ec = request.validate(why);
    if (ec)
        return ec;

    json_writer out(tail, expected_request_size(request));
    json_object_writer o(out, request.extra, json_object_writer::opened());

    if (!request.messages.empty() && o.key("messages"))
    {
        out.raw('[');
        for (std::size_t i = 0; i < request.messages.size(); ++i)
        {
            if (i)
                out.raw(',');
            write_chat_message(out, request.messages[i]);
        }
        out.raw(']');
    }
    if (stream)
        write_stream_members(out, o, request);

    o.optional("temperature", request.temperature);
    o.optional("top_p", request.top_p);
    o.optional("max_tokens", request.max_tokens);
    o.optional("max_completion_tokens", request.max_completion_tokens);
    o.strings_unless_empty("stop", request.stop);
    o.optional("seed", request.seed);
    o.optional("n", request.n);
    o.optional("presence_penalty", request.presence_penalty);
    o.optional("frequency_penalty", request.frequency_penalty);
    o.optional("logprobs", request.logprobs);
    o.optional("top_logprobs", request.top_logprobs);

    write_tools(out, o, request);
    if (request.response_format && o.key("response_format"))
        write_response_format(out, *request.response_format);

    o.optional("reasoning_effort", request.reasoning_effort);
    o.optional("verbosity", request.verbosity);
    o.optional("service_tier", request.service_tier);
    o.optional("user", request.end_user);
    o.optional("safety_identifier", request.safety_identifier);
    o.optional("prompt_cache_key", request.prompt_cache_key);
    o.optional("prompt_cache_retention", request.prompt_cache_retention);
    o.optional("store", request.store);
    write_rare_members(out, o, request);

    o.close();
    out.finish();
    return {};
}

void append_request(std::string& request, std::string_view model, std::string_view tail)
{
    json_writer out(request, tail.size() + model.size() + 16);
    out.raw('{');
    if (!model.empty())
    {
        out.raw(std::string_view(R"("model":)"));
        out.string(model);
        out.raw(',');
    }
    out.raw(tail);
    out.finish();
}

} // namespace serin
