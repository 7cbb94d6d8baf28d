// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_MIRROR_HPP
#define SERIN_SRC_POLICY_MIRROR_HPP

#include "stable_hash.hpp"

#include <serin/policy/rollout.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace serin {

// Decides which requests are copied to a candidate.
class mirror
{
public:
    explicit mirror(mirror_params params) : params_(std::move(params)) {}

    mirror_params const& params() const noexcept { return params_; }

    // A request begins. True: it is to be copied, and end() follows when the copy is done with. `random` is uniform
    // over all values; another use of the same number makes no difference.
    bool begin(std::uint64_t random) noexcept
    {
        constexpr std::uint64_t salt = 4;
        if (!(unit_interval(stable_hash(random, salt)) < params_.share))
            return false;
        if (in_flight_ >= params_.max_in_flight)
        {
            ++left_out_;
            return false;
        }
        ++in_flight_;
        return true;
    }

    void end() noexcept { --in_flight_; }

    std::size_t in_flight() const noexcept { return in_flight_; }

    // Requests that were not copied because too many copies were under way.
    std::uint64_t left_out() const noexcept { return left_out_; }

private:
    mirror_params params_;
    std::size_t in_flight_ = 0;
    std::uint64_t left_out_ = 0;
};

} // namespace serin

#endif
