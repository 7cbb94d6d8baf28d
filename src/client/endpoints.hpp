// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_ENDPOINTS_HPP
#define SERIN_SRC_CLIENT_ENDPOINTS_HPP

#include "../chat/errors.hpp"
#include "../chat/json_reader.hpp"
#include "request_attempt.hpp"

#include <serin/chat/embedding.hpp>
#include <serin/chat/model_list.hpp>
#include <serin/chat/moderation.hpp>
#include <serin/chat/request.hpp>
#include <serin/chat/response.hpp>
#include <serin/raw.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace serin {

// What a chat sends, whole or streamed.
error_code write_chat(routing const& config, chat_request&& asked, bool stream, call_request& out, std::string& why);

struct chat_endpoint
{
    using request = chat_request;
    using response = chat_response;

    static error_code write(routing const& config, request&& asked, call_request& out, std::string& why);
    static error_code read(
        json_reader& reader, exchange const& from, std::size_t inputs, response& out, server_error& err);
    static token_usage const* usage(response const& r) noexcept { return r.usage ? &*r.usage : nullptr; }
    static std::string_view text(response const& r) noexcept { return r.text(); }
};

struct embedding_endpoint
{
    using request = embedding_request;
    using response = embedding_response;

    static error_code write(routing const& config, request&& asked, call_request& out, std::string& why);
    static error_code read(
        json_reader& reader, exchange const& from, std::size_t inputs, response& out, server_error& err);
    static token_usage const* usage(response const& r) noexcept { return r.usage ? &*r.usage : nullptr; }
    static std::string_view text(response const&) noexcept { return {}; }
};

struct moderation_endpoint
{
    using request = moderation_request;
    using response = moderation_response;

    static error_code write(routing const& config, request&& asked, call_request& out, std::string& why);
    static error_code read(
        json_reader& reader, exchange const& from, std::size_t inputs, response& out, server_error& err);
    static token_usage const* usage(response const&) noexcept { return nullptr; }
    static std::string_view text(response const&) noexcept { return {}; }
};

struct models_endpoint
{
    using request = model_list_request;
    using response = model_list;

    static error_code write(routing const& config, request&& asked, call_request& out, std::string& why);
    static error_code read(
        json_reader& reader, exchange const& from, std::size_t inputs, response& out, server_error& err);
    static token_usage const* usage(response const&) noexcept { return nullptr; }
    static std::string_view text(response const&) noexcept { return {}; }
};

struct raw_endpoint
{
    using request = raw_request;
    using response = raw_response;

    static error_code write(routing const& config, request&& asked, call_request& out, std::string& why);
    static error_code read(
        json_reader& reader, exchange const& from, std::size_t inputs, response& out, server_error& err);
    static token_usage const* usage(response const&) noexcept { return nullptr; }
    static std::string_view text(response const&) noexcept { return {}; }
};

} // namespace serin

#endif
