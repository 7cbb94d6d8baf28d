// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_CIRCUIT_HPP
#define SERIN_SRC_POLICY_CIRCUIT_HPP

#include "../core/fiber.hpp"
#include "outcome.hpp"

#include <serin/policy/health.hpp>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace serin {

// Decides whether an upstream may be asked. A `now` before the latest one counts as the latest.
class circuit
{
public:
    using state = circuit_state;

    // Who began when: what an attempt says about an earlier state is not held against the present one.
    struct ticket
    {
        std::uint64_t generation = 0;
        std::uint64_t probe = 0; // Its number. 0: it is none.
    };

    // How bad an upstream is compared with others that are ejected, the worst being greatest.
    struct badness
    {
        double failing = 0; // The share of its latest requests that failed, the last ones counting most
        int ejections = 0;  // One after another
        steady_time until{};

        friend auto operator<=>(badness const&, badness const&) = default;
    };

    explicit circuit(health_params const& params) noexcept;

    // Whether it would let an attempt through.
    bool allows(steady_time now) const noexcept;

    // An attempt begins, allowed or not: of a group in which all are bad the least bad one is asked.
    ticket begin(steady_time now) noexcept;

    // It has ended; exactly once for each begin(). `random` is uniform over all values. True: now the upstream is
    // ejected, and was not before.
    bool end(ticket const& t, outcome what, steady_time now, std::uint64_t random) noexcept;

    state at(steady_time now) const noexcept;

    // The end of the ejection.
    steady_time until() const noexcept { return until_; }

    badness how_bad() const noexcept { return {failing_, ejections_, until_}; }

private:
    struct slice
    {
        std::uint64_t successes = 0;
        std::uint64_t failures = 0;
    };

    void book(bool success, steady_time now) noexcept;
    bool is_bad() const noexcept;
    void open(steady_time now, std::uint64_t random) noexcept;
    void close(steady_time now) noexcept;
    double failure_rate() const noexcept;
    void forget() noexcept;

    static constexpr std::int64_t slices_ = 10;

    health_params params_;
    steady_time::duration slice_length_;
    std::int64_t latest_ = std::numeric_limits<std::int64_t>::min();
    std::array<slice, slices_> booked_{};
    slice sum_;
    int in_a_row_ = 0;
    double failing_ = 0;

    bool is_open_ = false;
    std::uint64_t generation_ = 0; // Of closed and open times
    int ejections_ = 0;            // One after another
    steady_time until_{};
    steady_time closed_at_ = steady_time::min();
    steady_time::duration ejection_{};
    std::uint64_t probes_ = 0;
    std::uint64_t probing_ = 0; // The probe under way. 0: none.
    steady_time probe_until_{}; // Then a probe that has not ended yet does not hold up the next one.
};

// What a group knows of a member.
struct group_entry
{
    bool out = false; // Its circuit does not allow an attempt.
    circuit::badness bad{};
};

// Takes members back in, the least bad ones first, until no more than half of the group is out.
void group_guard(std::span<group_entry> group) noexcept;

} // namespace serin

#endif
