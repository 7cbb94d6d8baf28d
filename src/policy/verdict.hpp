// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_VERDICT_HPP
#define SERIN_SRC_POLICY_VERDICT_HPP

#include <serin/core/error.hpp>

#include <optional>

namespace serin {

// What becomes of the key that was sent.
enum class key_fate
{
    keep,
    rest,       // For Retry-After.
    rest_long,  // Its account is empty.
    quarantine, // The server does not accept it.
};

// What a failed attempt means.
struct verdict
{
    bool same = false;   // Asking the same upstream again may help.
    bool other = false;  // Asking another upstream may help.
    bool counts = false; // It is a failure of the upstream.
    bool cools = false;  // The upstream is left alone for Retry-After.
    key_fate key = key_fate::keep;

    friend bool operator==(verdict const&, verdict const&) = default;
};

// `should_retry` is what the answer says in x-should-retry: it overrides whether to ask again, for causes that a status
// can name. `model_configured`: the model is the upstream's own and not the caller's, so that not knowing it is a fault
// of the upstream. Codes that are no errc, a cancellation above all: nothing helps.
verdict judge(error_code const& ec, std::optional<bool> should_retry, bool model_configured) noexcept;

} // namespace serin

#endif
