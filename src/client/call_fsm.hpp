// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_CALL_FSM_HPP
#define SERIN_SRC_CLIENT_CALL_FSM_HPP

#include <serin/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace serin {

// Decides what a call does next: which upstream to ask, and after a failure whether to ask again. Every call is
// tried once for now; what comes after a failure is decided here and nowhere else.
class call_fsm
{
public:
    enum class action
    {
        attempt, // Ask upstream().
        finish,  // Complete with the last attempt's outcome.
    };

    // `weights` of the upstreams; not empty, and must live as long as this.
    explicit call_fsm(std::span<unsigned const> weights) noexcept : weights_(weights) {}

    // The call begins. `random` is uniform over all values.
    action start(std::uint64_t random) noexcept
    {
        upstream_ = pick(random);
        return action::attempt;
    }

    // An attempt has ended.
    action attempt_ended(error_code const&) noexcept { return action::finish; }

    std::size_t upstream() const noexcept { return upstream_; }

private:
    std::size_t pick(std::uint64_t random) const noexcept
    {
        std::uint64_t total = 0;
        for (unsigned const w : weights_)
            total += w;
        if (total == 0)
            return 0;
        std::uint64_t at = random % total;
        for (std::size_t i = 0; i < weights_.size(); ++i)
        {
            if (at < weights_[i])
                return i;
            at -= weights_[i];
        }
        return 0;
    }

    std::span<unsigned const> weights_;
    std::size_t upstream_ = 0;
};

} // namespace serin

#endif
