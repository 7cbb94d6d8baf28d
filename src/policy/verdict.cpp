// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "verdict.hpp"

namespace serin {
namespace {

struct verdict_row
{
    errc cause;
    bool status; // A status can say so, and then x-should-retry has the last word.
    bool same;
    bool other;
    bool counts;
    bool cools;
    key_fate key;
};

// clang-format off
constexpr verdict_row verdict_table[] = {
    //                               status same   other  counts cools  key
    // The server cannot answer now.
    {errc::request_timeout,          true,  true,  true,  true,  false, key_fate::keep},
    {errc::conflict,                 true,  true,  true,  true,  false, key_fate::keep},
    {errc::overloaded,               true,  true,  true,  true,  false, key_fate::keep},
    {errc::server_error,             true,  true,  true,  true,  false, key_fate::keep},
    {errc::rate_limited,             true,  true,  true,  false, true,  key_fate::rest},

    // The network, deadlines and broken answers.
    {errc::resolve_failed,           false, true,  true,  true,  false, key_fate::keep},
    {errc::connect_failed,           false, true,  true,  true,  false, key_fate::keep},
    {errc::tls_failed,               false, true,  true,  true,  false, key_fate::keep},
    {errc::connection_lost,          false, true,  true,  true,  false, key_fate::keep},
    {errc::connect_timeout,          false, true,  true,  true,  false, key_fate::keep},
    {errc::tls_timeout,              false, true,  true,  true,  false, key_fate::keep},
    {errc::write_timeout,            false, true,  true,  true,  false, key_fate::keep},
    {errc::first_byte_timeout,       false, true,  true,  true,  false, key_fate::keep},
    {errc::first_token_timeout,      false, true,  true,  true,  false, key_fate::keep},
    {errc::idle_timeout,             false, true,  true,  true,  false, key_fate::keep},
    {errc::stream_truncated,         false, true,  true,  true,  false, key_fate::keep},
    {errc::stream_error,             false, true,  true,  true,  false, key_fate::keep},
    {errc::malformed_response,       false, true,  true,  true,  false, key_fate::keep},

    // Our own pool is full: no fault of the upstream.
    {errc::pool_timeout,             false, true,  true,  false, false, key_fate::keep},

    // It refuses the key. Another key is the business of whoever knows the keys.
    {errc::authentication,           true,  false, true,  true,  false, key_fate::quarantine},
    {errc::quota_exhausted,          true,  false, true,  true,  false, key_fate::rest_long},
    {errc::permission,               true,  false, false, false, false, key_fate::keep},
    {errc::invalid_key,              false, false, true,  false, false, key_fate::keep},

    // It is not what it should be. not_found: only if the model is its own.
    {errc::redirected,               true,  false, true,  true,  false, key_fate::keep},
    {errc::not_found,                true,  false, true,  true,  false, key_fate::keep},

    // The request, the answer to it, or the caller's time and limits.
    {errc::invalid_request,          true,  false, false, false, false, key_fate::keep},
    {errc::context_length_exceeded,  true,  false, false, false, false, key_fate::keep},
    {errc::content_filtered,         true,  false, false, false, false, key_fate::keep},
    {errc::budget_exceeded,          false, false, true,  false, false, key_fate::keep},
    {errc::refused,                  false, false, false, false, false, key_fate::keep},
    {errc::length_limited,           false, false, false, false, false, key_fate::keep},
    {errc::too_many_rounds,          false, false, false, false, false, key_fate::keep},
    {errc::response_too_large,       false, false, false, false, false, key_fate::keep},
    {errc::memory_limit,             false, false, false, false, false, key_fate::keep},
    {errc::invalid_argument,         false, false, false, false, false, key_fate::keep},
    {errc::invalid_url,              false, false, false, false, false, key_fate::keep},
    {errc::insecure_transport,       false, false, false, false, false, key_fate::keep},
    {errc::token_idle_timeout,       false, false, false, false, false, key_fate::keep},
    {errc::deadline_exceeded,        false, false, false, false, false, key_fate::keep},
};
// clang-format on

} // namespace

verdict judge(error_code const& ec, std::optional<bool> should_retry, bool model_configured) noexcept
{
    verdict v;
    if (ec.category() != serin_category())
        return v;
    for (verdict_row const& row : verdict_table)
    {
        if (ec != row.cause)
            continue;
        if (row.cause != errc::not_found || model_configured)
        {
            v.same = row.same;
            v.other = row.other;
            v.counts = row.counts;
            v.cools = row.cools;
            v.key = row.key;
        }
        // "false" speaks for the upstream that says it, not for others.
        if (should_retry == false)
            v.same = false;
        else if (should_retry && row.status)
            v.same = v.other = true;
        break;
    }
    return v;
}

} // namespace serin
