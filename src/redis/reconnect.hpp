// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_REDIS_RECONNECT_HPP
#define SERIN_SRC_REDIS_RECONNECT_HPP

#include "../core/fiber.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace serin {

// When a connection may be made again. No clock, no lock.
class reconnect
{
public:
    reconnect(steady_time::duration delay, steady_time::duration max_delay) noexcept : delay_(delay), max_(max_delay) {}

    bool may_connect(steady_time now) const noexcept { return now >= not_before_; }

    // The server has answered: if the connection is lost now, it is made again at once.
    void works() noexcept { failures_ = 0; }

    // The connection could not be made, or was lost. `random` is uniform over all values. Returns the pause.
    steady_time::duration failed(steady_time now, std::uint64_t random) noexcept
    {
        steady_time::duration pause{};
        if (failures_ != 0)
        {
            pause = delay_;
            for (unsigned i = 1; i < failures_ && pause < max_; ++i)
                pause *= 2;
            pause = std::min(pause, max_);
            pause += steady_time::duration(
                static_cast<steady_time::rep>(random % (static_cast<std::uint64_t>(pause.count()) / 2 + 1)));
        }
        ++failures_;
        not_before_ = add_saturated(now, pause);
        return pause;
    }

private:
    steady_time::duration const delay_;
    steady_time::duration const max_;
    unsigned failures_ = 0; // In a row
    steady_time not_before_ = steady_time::min();
};

} // namespace serin

#endif
