// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "endpoints.hpp"

#include "../chat/embedding_wire.hpp"
#include "../chat/model_list_wire.hpp"
#include "../chat/moderation_wire.hpp"
#include "../chat/wire_read.hpp"
#include "../chat/wire_write.hpp"
#include "../core/recycler.hpp"

#include <algorithm>
#include <utility>

namespace serin {
namespace {

bool is_request_target(std::string_view path) noexcept
{
    return !path.empty() && path.front() == '/' &&
           std::all_of(path.begin(), path.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
}

bool is_method(std::string_view method) noexcept
{
    return !method.empty() && std::all_of(method.begin(), method.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

} // namespace

error_code write_chat(routing const& config, chat_request&& asked, bool stream, call_request& out, std::string& why)
{
    if (stream && config.obfuscation_off && !asked.include_obfuscation)
        asked.include_obfuscation = false;
    out.body = take_recycled_text();
    if (error_code const ec = write_request_tail(out.body, asked, stream, why))
        return ec;
    out.path = &dialect::chat_path;
    out.streams = stream;
    out.accept = stream ? "text/event-stream" : "application/json";
    out.model = std::move(asked.model);
    out.sticky_key = std::move(asked.sticky_key);
    out.tag = std::move(asked.tag);
    out.max_answer = static_cast<std::uint64_t>(
        std::max<std::int64_t>(0, asked.max_completion_tokens.value_or(asked.max_tokens.value_or(0))) *
        asked.n.value_or(1));
    out.timeout = asked.timeout;
    return {};
}

error_code chat_endpoint::write(routing const& config, request&& asked, call_request& out, std::string& why)
{
    return write_chat(config, std::move(asked), false, out, why);
}

error_code chat_endpoint::read(json_reader& reader, exchange const& from, std::size_t, response& out, server_error& err)
{
    return read_response(reader, from.body(), out, err);
}

error_code embedding_endpoint::write(routing const&, request&& asked, call_request& out, std::string& why)
{
    if (error_code const ec = write_embedding_tail(out.body, asked, why))
        return ec;
    out.path = &dialect::embeddings_path;
    out.model = std::move(asked.model);
    out.sticky_key = std::move(asked.sticky_key);
    out.tag = std::move(asked.tag);
    out.inputs = asked.input.size();
    out.timeout = asked.timeout;
    return {};
}

error_code embedding_endpoint::read(
    json_reader& reader, exchange const& from, std::size_t inputs, response& out, server_error& err)
{
    return read_embedding_response(reader, from.body(), inputs, out, err);
}

error_code moderation_endpoint::write(routing const&, request&& asked, call_request& out, std::string& why)
{
    if (error_code const ec = write_moderation_tail(out.body, asked, why))
        return ec;
    out.path = &dialect::moderations_path;
    out.model = std::move(asked.model);
    out.inputs = asked.input.size();
    out.timeout = asked.timeout;
    return {};
}

error_code moderation_endpoint::read(
    json_reader& reader, exchange const& from, std::size_t inputs, response& out, server_error& err)
{
    return read_moderation_response(reader, from.body(), inputs, out, err);
}

error_code models_endpoint::write(routing const&, request&& asked, call_request& out, std::string&)
{
    out.timeout = asked.timeout;
    out.method = "GET";
    out.path = &dialect::models_path;
    out.model_in_body = false;
    return {};
}

error_code models_endpoint::read(
    json_reader& reader, exchange const& from, std::size_t, response& out, server_error& err)
{
    return read_model_list(reader, from.body(), out, err);
}

error_code raw_endpoint::write(routing const&, request&& asked, call_request& out, std::string& why)
{
    if (!is_method(asked.method) || !is_request_target(asked.path))
    {
        why = "a method is upper-case letters, and a path begins with a slash and is percent-encoded";
        return errc::invalid_argument;
    }
    out.method = std::move(asked.method);
    out.model_in_body = false;
    out.other_path = std::move(asked.path);
    out.body = std::move(asked.body);
    out.timeout = asked.timeout;
    return {};
}

error_code raw_endpoint::read(json_reader&, exchange const& from, std::size_t, response& out, server_error&)
{
    out.status = from.status();
    out.headers = from.fields().to_headers();
    out.body = std::string(from.body());
    return {};
}

} // namespace serin
