// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TESTS_SUPPORT_JUMPING_CLOCK_HPP
#define SERIN_TESTS_SUPPORT_JUMPING_CLOCK_HPP

#include "core/clock_source.hpp"

#include <chrono>
#include <mutex>
#include <vector>

// A clock for a client: whoever waits for a time between attempts makes it that time, and need not wait.
class jumping_clock final : public serin::clock_source
{
    mutable std::mutex mutex_;
    serin::steady_time::duration jumped_{};
    std::vector<serin::steady_time::duration> waits_;

public:
    serin::steady_time now() const noexcept override
    {
        std::lock_guard const lock(mutex_);
        return std::chrono::steady_clock::now() + jumped_;
    }

    std::chrono::system_clock::time_point date() const noexcept override
    {
        std::lock_guard const lock(mutex_);
        return std::chrono::system_clock::now() +
               std::chrono::duration_cast<std::chrono::system_clock::duration>(jumped_);
    }

    serin::task<void> wait_until(serin::fiber& f, serin::steady_time at) override
    {
        {
            std::lock_guard const lock(mutex_);
            auto const wait = at - std::chrono::steady_clock::now() - jumped_;
            waits_.push_back(wait);
            if (wait > wait.zero())
                jumped_ += wait;
        }
        // Suspends, as the real one does.
        co_await clock_source::wait_until(f, std::chrono::steady_clock::now());
    }

    // Time that passes without anybody waiting for it.
    void jump(serin::steady_time::duration d)
    {
        std::lock_guard const lock(mutex_);
        jumped_ += d;
    }

    // All waits so far, in the order in which they began.
    std::vector<serin::steady_time::duration> waits() const
    {
        std::lock_guard const lock(mutex_);
        return waits_;
    }
};

#endif
