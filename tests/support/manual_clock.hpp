// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TESTS_SUPPORT_MANUAL_CLOCK_HPP
#define SERIN_TESTS_SUPPORT_MANUAL_CLOCK_HPP

#include "core/clock_source.hpp"
#include "core/timer_wait.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

// A clock that stands still until a test moves it.
class manual_clock final : public serin::clock_source
{
    struct sleeper
    {
        serin::steady_time until;
        boost::asio::any_io_executor executor;
        std::weak_ptr<boost::asio::steady_timer> timer;
    };

    mutable std::mutex mutex_;
    std::condition_variable slept_;
    serin::steady_time now_{std::chrono::hours(1000)};
    std::vector<sleeper> sleepers_;

public:
    serin::steady_time now() const noexcept override
    {
        std::lock_guard const lock(mutex_);
        return now_;
    }

    std::chrono::system_clock::time_point date() const noexcept override
    {
        return std::chrono::system_clock::time_point(
            std::chrono::duration_cast<std::chrono::system_clock::duration>(now().time_since_epoch()));
    }

    serin::task<void> wait_until(serin::fiber& f, serin::steady_time at) override
    {
        auto const timer = std::make_shared<boost::asio::steady_timer>(f.get_executor());
        while (!f.interrupted())
        {
            timer->expires_at(serin::steady_time::max());
            {
                std::lock_guard const lock(mutex_);
                if (now_ >= at)
                    timer->expires_at(std::chrono::steady_clock::now()); // Suspends, as the real one does
                else
                    sleepers_.push_back({at, f.get_executor(), timer});
            }
            slept_.notify_all();
            bool const due = co_await serin::timer_wait(f, *timer);
            if (due)
                break;
        }
    }

    // Wakes whoever has waited for so long.
    void advance(serin::steady_time::duration d)
    {
        std::vector<sleeper> due;
        {
            std::lock_guard const lock(mutex_);
            now_ += d;
            auto const woken = std::ranges::partition(sleepers_, [&](sleeper const& s) { return s.until > now_; });
            due.assign(woken.begin(), woken.end());
            sleepers_.erase(woken.begin(), woken.end());
        }
        for (sleeper const& s : due)
            boost::asio::post(s.executor, [weak = s.timer] {
                if (auto const timer = weak.lock())
                    timer->cancel();
            });
    }

    // Blocks until `n` wait for `d` from now or longer, and nobody for less.
    void wait_for_sleeper(serin::steady_time::duration d, std::size_t n = 1)
    {
        std::unique_lock lock(mutex_);
        slept_.wait(lock, [&] {
            std::erase_if(sleepers_, [](sleeper const& s) { return s.timer.expired(); });
            return sleepers_.size() >= n &&
                   std::ranges::all_of(sleepers_, [&](sleeper const& s) { return s.until >= now_ + d; });
        });
    }
};

#endif
