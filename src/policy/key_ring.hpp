// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_KEY_RING_HPP
#define SERIN_SRC_POLICY_KEY_RING_HPP

#include "../core/fiber.hpp"
#include "key_store.hpp"
#include "verdict.hpp"

#include <serin/policy/keys.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace serin {

// The keys of one upstream, and which of them the next attempt takes. A key that the server turned away is left alone
// for a time; when no other is left, what we only guessed is tried out: a key that rests without a Retry-After at once,
// one with an empty account or in quarantine by one attempt at a time, and ever less often. Keys are the same if their
// bytes are. No clock, no lock: `now` is the caller's.
class key_ring
{
public:
    // An attempt's part of a key. Ends with checkin(), once.
    struct ticket
    {
        std::uint64_t id = 0;
        std::uint64_t epoch = 0; // What was known of the key then
        bool probes = false;
    };

    struct choice
    {
        key_pointer key;
        ticket t;
    };

    // Why no key can be had, and when one can be, at the latest. steady_time::max(): nobody knows.
    struct shortage
    {
        error_code ec;
        steady_time until;
    };

    explicit key_ring(key_choice how) noexcept : how_(how) {}

    // The keys of the source are these now. What is known of those that stay is kept.
    void update(key_span keys);

    // Takes a key that is not among `refused`, `wanted` if that can be had.
    std::optional<choice> checkout(key_span refused, steady_time now, secret const* wanted = nullptr);

    // Whether checkout() would succeed.
    bool has_key(key_span refused, steady_time now) const noexcept { return find(refused, now, nullptr) != none_; }

    // The keys that checkout() may give, the next one first.
    std::vector<key_pointer> candidates(key_span refused, steady_time now) const;

    // Of the time when checkout() fails.
    shortage missing(key_span refused) const noexcept;

    // The same in words: "key 1a2b3c4d was not accepted by the server and is tried again in 3 s".
    std::string explain(key_span refused, steady_time now) const;

    // The attempt is over.
    void checkin(ticket const& t) noexcept;

    // The server accepted the key.
    void accepted(ticket const& t) noexcept;

    // The server turned it away.
    void turned_away(ticket const& t, key_fate fate, std::optional<steady_time::duration> retry_after, steady_time now);

    // Forgets that keys were not accepted or their accounts empty: somebody has seen to it.
    void pardon() noexcept;

    // Appends the keys in use and those that still are in flight.
    void append_live(std::vector<key_pointer>& out) const;

    std::vector<key_health> states(steady_time now) const;

private:
    enum class condition
    {
        good,
        rests,       // For a time that we guess
        told_to,     // For the time that the server named
        exhausted,   // Its account is empty
        quarantined, // The server does not accept it
    };

    struct entry
    {
        key_pointer key;
        std::uint64_t id = 0;
        std::uint64_t epoch = 0; // Changes with `state`: news of attempts that began before is old
        condition state = condition::good;
        steady_time until{};    // Until then it is left alone,
        steady_time probe_at{}; // but for the last resort from here on.
        std::size_t in_flight = 0;
        unsigned failures = 0; // In a row, of the same kind
        bool probed = false;   // By an attempt that is under way
        bool gone = false;     // The source has it no more; it is in flight still
    };

    static constexpr std::size_t none_ = static_cast<std::size_t>(-1);

    static bool is_free(entry const& e, steady_time now) noexcept;
    static bool may_be_probed(entry const& e, steady_time now) noexcept;
    std::size_t find(key_span refused, steady_time now, secret const* wanted) const noexcept;
    entry* find(ticket const& t) noexcept;

    key_choice how_;
    std::vector<entry> entries_; // In the order of the source, then those that are gone
    std::size_t next_ = 0;       // Whose turn it is
    std::uint64_t last_id_ = 0;
};

} // namespace serin

#endif
