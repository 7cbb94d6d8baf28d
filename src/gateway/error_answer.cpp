// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "error_answer.hpp"

#include <boost/asio/error.hpp>

#include <nlohmann/json.hpp>

#include <charconv>
#include <cstdint>
#include <utility>

namespace serin::gateway {
namespace {

// As the upstream described it, or else in our words.
void describe_failure(error_answer& out, diagnostics const& diag, int status, std::string type, std::string code)
{
    out.status = status;
    if (diag.type.empty() && diag.code.empty())
    {
        out.type = std::move(type);
        out.code = std::move(code);
        return;
    }
    out.type = diag.type;
    out.code = diag.code;
    out.code_is_number = diag.code_is_number;
    out.param = diag.param;
}

// The upstream's status if it is of this class; else `otherwise`.
int status_from(diagnostics const& diag, int hundreds, int otherwise)
{
    return diag.status / 100 == hundreds ? diag.status : otherwise;
}

} // namespace

std::string error_answer::body() const
{
    nlohmann::json error = {{"message", message}, {"type", nullptr}, {"param", nullptr}, {"code", nullptr}};
    if (!type.empty())
        error["type"] = type;
    if (!param.empty())
        error["param"] = param;
    if (!code.empty())
        error["code"] = code;
    if (code_is_number)
    {
        std::int64_t number = 0;
        auto const parsed = std::from_chars(code.data(), code.data() + code.size(), number);
        if (parsed.ec == std::errc() && parsed.ptr == code.data() + code.size())
            error["code"] = number;
    }
    return nlohmann::json{{"error", std::move(error)}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

error_answer answer_to_failure(error_code ec, diagnostics const& diag)
{
    error_answer out;
    // What no server said tells about the gateway's own network.
    out.message = diag.status == 0 || diag.message.empty() ? ec.message() : diag.message;
    std::string const kind(kind_name(ec));
    if (ec.category() != serin_category())
    {
        describe_failure(out, diag, ec == asio::error::operation_aborted ? 503 : 502, "api_error", kind);
        return out;
    }
    switch (static_cast<errc>(ec.value()))
    {
    case errc::invalid_argument:
    case errc::invalid_request:
    case errc::context_length_exceeded:
    case errc::content_filtered:
    case errc::refused:
    case errc::conflict: describe_failure(out, diag, status_from(diag, 4, 400), "invalid_request_error", {}); break;
    case errc::not_found: describe_failure(out, diag, 404, "invalid_request_error", {}); break;
    case errc::rate_limited:
        describe_failure(out, diag, 429, "rate_limit_error", "rate_limit_exceeded");
        out.retry_after = diag.retry_after;
        break;
    case errc::quota_exhausted:
    case errc::budget_exceeded:
        describe_failure(out, diag, 429, "insufficient_quota", "insufficient_quota");
        out.retry_is_useless = true;
        break;
    case errc::authentication:
    case errc::permission:
    case errc::invalid_key:
    case errc::redirected:
        // The upstream's text is about the gateway's account: nothing that callers must see.
        out.status = 502;
        out.code = "upstream_" + kind;
        out.message = "The upstream did not accept the gateway's request.";
        out.retry_is_useless = true;
        break;
    case errc::server_error: describe_failure(out, diag, status_from(diag, 5, 502), "api_error", kind); break;
    case errc::overloaded:
        describe_failure(out, diag, status_from(diag, 5, 503), "api_error", kind);
        out.retry_after = diag.retry_after;
        break;
    case errc::pool_timeout:
    case errc::memory_limit: describe_failure(out, diag, 503, "api_error", kind); break;
    case errc::request_timeout:
    case errc::connect_timeout:
    case errc::tls_timeout:
    case errc::write_timeout:
    case errc::first_byte_timeout:
    case errc::first_token_timeout:
    case errc::idle_timeout:
    case errc::token_idle_timeout:
    case errc::deadline_exceeded: describe_failure(out, diag, 504, "api_error", kind); break;
    default: describe_failure(out, diag, 502, "api_error", kind); break;
    }
    return out;
}

} // namespace serin::gateway
