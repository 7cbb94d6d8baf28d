// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "json_reader.hpp"
#include "request_check.hpp"
#include "wire_read.hpp"

#include <serin/chat/request.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

namespace serin {
namespace {

constexpr std::size_t max_stops = 4;
constexpr std::size_t max_metadata_pairs = 16;
constexpr std::size_t max_metadata_key = 64;
constexpr std::size_t max_metadata_value = 512;
constexpr std::size_t max_safety_identifier = 64;

// Code points, for the limits count characters. Stray continuation bytes do not count.
std::size_t characters_in(std::string_view text) noexcept
{
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// The name of a member of an array's element, for messages.
std::string element_name(std::string_view array, std::size_t index, std::string_view member)
{
    std::string name(array);
    name += '[';
    name += std::to_string(index);
    name += "].";
    name += member;
    return name;
}

void check_message(request_check& check, message const& m, std::size_t index)
{
    if (m.role.empty())
        check.require(false, element_name("messages", index, "role"), "is empty");
    if (!m.extra.empty())
        check.json(m.extra, element_name("messages", index, "extra"));
    for (content_part const& part : m.parts)
    {
        if (part.type.empty() && part.extra.empty())
            check.require(false, element_name("messages", index, "parts"), "has a part without type");
        if (!part.extra.empty())
            check.json(part.extra, element_name("messages", index, "parts"));
    }
    for (tool_call const& call : m.tool_calls)
        if (!call.extra.empty())
            check.json(call.extra, element_name("messages", index, "tool_calls"));
}

void check_tool(request_check& check, tool const& t, std::size_t index)
{
    bool const known = t.type == "function" || t.type == "custom";
    if (!known)
        check.require(false, element_name("tools", index, "type"), "must be function or custom");
    if (t.name.empty())
        check.require(false, element_name("tools", index, "name"), "is empty");
    if (!t.parameters.empty())
        check.json(t.parameters, element_name("tools", index, "parameters"));
    if (!t.format.empty())
        check.json(t.format, element_name("tools", index, "format"));
    if (!t.extra.empty())
        check.json(t.extra, element_name("tools", index, "extra"));
}

void check_choice(request_check& check, tool_choice const& choice)
{
    constexpr std::string_view modes[] = {"none", "auto", "required", "function", "custom", "allowed_tools"};
    check.require(std::find(std::begin(modes), std::end(modes), choice.mode) != std::end(modes), "tool_choice",
        "must be none, auto, required, function, custom or allowed_tools");
    if (choice.mode == "function" || choice.mode == "custom")
        check.require(!choice.name.empty(), "tool_choice", "names no tool");
    if (choice.mode == "allowed_tools")
        check.require(!choice.allowed.empty(), "tool_choice", "allows no tool");
}

void check_format(request_check& check, response_format const& format)
{
    bool const is_schema = format.type == "json_schema";
    check.require(is_schema || format.type == "text" || format.type == "json_object", "response_format",
        "must be text, json_object or json_schema");
    if (is_schema)
    {
        check.require(!format.name.empty(), "response_format.name", "is empty");
        check.require(!format.schema.empty(), "response_format.schema", "is empty");
        check.json(format.schema, "response_format.schema");
    }
}

void check_metadata(request_check& check, std::map<std::string, std::string> const& metadata)
{
    check.require(metadata.size() <= max_metadata_pairs, "metadata", "may have at most 16 pairs");
    for (auto const& [key, value] : metadata)
    {
        check.require(characters_in(key) <= max_metadata_key, "metadata", "may have keys of at most 64 characters");
        check.require(
            characters_in(value) <= max_metadata_value, "metadata", "may have values of at most 512 characters");
    }
}

} // namespace

chat_request::chat_request(chat_request const&) = default;
chat_request::chat_request(chat_request&&) noexcept = default;
chat_request& chat_request::operator=(chat_request const&) = default;
chat_request& chat_request::operator=(chat_request&&) noexcept = default;
chat_request::~chat_request() = default;

error_code chat_request::validate(std::string& why) const
{
    request_check check(why);

    bool messages_replaced = false;
    if (!extra.empty())
    {
        json_value object;
        check.json(extra, "extra", &object);
        for (json_member const field : object.members())
        {
            messages_replaced = messages_replaced || field.key == "messages";
            check.require(field.key != "model" && field.key != "stream", "extra", "must not hold model or stream");
        }
    }

    check.require(!messages.empty() || messages_replaced, "messages", "is empty");
    for (std::size_t i = 0; i < messages.size() && !check.failed(); ++i)
        check_message(check, messages[i], i);
    for (std::size_t i = 0; i < tools.size() && !check.failed(); ++i)
        check_tool(check, tools[i], i);
    if (tool_choice)
        check_choice(check, *tool_choice);
    if (response_format)
        check_format(check, *response_format);
    check_metadata(check, metadata);

    constexpr std::int64_t any = std::numeric_limits<std::int64_t>::max();
    check.range(temperature, 0, 2, "temperature", "must be between 0 and 2");
    check.range(top_p, 0, 1, "top_p", "must be between 0 and 1");
    check.range(presence_penalty, -2, 2, "presence_penalty", "must be between -2 and 2");
    check.range(frequency_penalty, -2, 2, "frequency_penalty", "must be between -2 and 2");
    check.range(max_tokens, 1, any, "max_tokens", "must be at least 1");
    check.range(max_completion_tokens, 1, any, "max_completion_tokens", "must be at least 1");
    check.range(n, 1, std::int64_t(max_choices), "n", "must be between 1 and 128");
    check.range(top_logprobs, 0, 20, "top_logprobs", "must be between 0 and 20");
    check.require(stop.size() <= max_stops, "stop", "may have at most 4 texts");
    for (auto const& [token, bias] : logit_bias)
        check.require(std::isfinite(bias), "logit_bias", "must be finite");
    check.require(!safety_identifier || characters_in(*safety_identifier) <= max_safety_identifier, "safety_identifier",
        "may have at most 64 characters");
    check.require(!timeout || timeout->count() > 0, "timeout", "must be positive");

    return check.error();
}

} // namespace serin
