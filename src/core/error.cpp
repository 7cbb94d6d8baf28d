// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/core/error.hpp>

#include <boost/asio/error.hpp>

#include <string>

namespace serin {
namespace {

struct errc_text
{
    std::string_view name;
    std::string_view message;
};

errc_text text_of(errc e) noexcept
{
    switch (e)
    {
    case errc::invalid_argument: return {"invalid_argument", "a parameter is out of range or missing"};
    case errc::invalid_url: return {"invalid_url", "the base URL cannot be used"};
    case errc::invalid_key: return {"invalid_key", "the key is missing or cannot stand in a header"};
    case errc::insecure_transport:
        return {"insecure_transport", "refused to send a key over plain http to another machine"};
    case errc::invalid_request: return {"invalid_request", "the server cannot accept the request"};
    case errc::authentication: return {"authentication", "the server does not accept the key"};
    case errc::permission: return {"permission", "the key is not allowed to do this"};
    case errc::not_found: return {"not_found", "no such model or path on the server"};
    case errc::context_length_exceeded:
        return {"context_length_exceeded", "the prompt does not fit the model's context window"};
    case errc::content_filtered: return {"content_filtered", "a content filter refused the prompt or the answer"};
    case errc::refused: return {"refused", "the model refused to answer"};
    case errc::quota_exhausted: return {"quota_exhausted", "the account is out of money or quota"};
    case errc::budget_exceeded: return {"budget_exceeded", "a budget of the client is used up for today"};
    case errc::redirected: return {"redirected", "the server answered with a redirect, which is never followed"};
    case errc::rate_limited: return {"rate_limited", "too many requests or tokens for now"};
    case errc::overloaded: return {"overloaded", "the server has no capacity for now"};
    case errc::server_error: return {"server_error", "the server failed"};
    case errc::conflict: return {"conflict", "the request conflicts with another one"};
    case errc::request_timeout: return {"request_timeout", "the server gave up waiting for the request"};
    case errc::resolve_failed: return {"resolve_failed", "the host name has no address"};
    case errc::connect_failed: return {"connect_failed", "no address of the host accepted a connection"};
    case errc::tls_failed: return {"tls_failed", "the TLS handshake failed"};
    case errc::connection_lost: return {"connection_lost", "the connection broke before the first byte of the answer"};
    case errc::pool_timeout: return {"pool_timeout", "no connection became free in time"};
    case errc::connect_timeout: return {"connect_timeout", "resolving and connecting took too long"};
    case errc::tls_timeout: return {"tls_timeout", "the TLS handshake took too long"};
    case errc::write_timeout: return {"write_timeout", "the server stopped taking the request"};
    case errc::first_byte_timeout: return {"first_byte_timeout", "no byte of an answer in time"};
    case errc::first_token_timeout: return {"first_token_timeout", "the stream brought no token in time"};
    case errc::idle_timeout: return {"idle_timeout", "no bytes for too long within an answer"};
    case errc::token_idle_timeout: return {"token_idle_timeout", "no token for too long within a stream"};
    case errc::deadline_exceeded: return {"deadline_exceeded", "the call as a whole took too long"};
    case errc::stream_truncated: return {"stream_truncated", "the stream ended before the model had finished"};
    case errc::stream_error: return {"stream_error", "the stream holds an error or something that is not a chunk"};
    case errc::malformed_response: return {"malformed_response", "the answer is not a valid chat completion"};
    case errc::length_limited: return {"length_limited", "the model came to its limit before it had finished"};
    case errc::too_many_rounds: return {"too_many_rounds", "the model called tools for too many rounds"};
    case errc::response_too_large: return {"response_too_large", "the answer is larger than the limits allow"};
    case errc::memory_limit: return {"memory_limit", "too many bytes are buffered by this client already"};
    }
    return {"unknown", "unknown error"};
}

class category final : public boost::system::error_category
{
public:
    char const* name() const noexcept override { return "serin"; }
    std::string message(int value) const override { return std::string(text_of(static_cast<errc>(value)).message); }
};

} // namespace

std::string_view errc_name(errc e) noexcept
{
    return text_of(e).name;
}

std::string_view kind_name(error_code const& ec) noexcept
{
    if (!ec)
        return "";
    if (ec.category() == serin_category())
        return errc_name(static_cast<errc>(ec.value()));
    return ec == asio::error::operation_aborted ? "cancelled" : "system";
}

boost::system::error_category const& serin_category() noexcept
{
    static category const instance;
    return instance;
}

} // namespace serin
