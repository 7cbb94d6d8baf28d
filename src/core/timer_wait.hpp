// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CORE_TIMER_WAIT_HPP
#define SERIN_SRC_CORE_TIMER_WAIT_HPP

#include "fiber.hpp"

#include <boost/asio/steady_timer.hpp>

#include <coroutine>

namespace serin {

// Waits on a timer, so that the context owns the fiber meanwhile: what the fiber queues for must not, it may be owned
// by the fiber.
class timer_wait final : public suspension
{
    fiber& fiber_;
    asio::steady_timer& timer_;
    error_code ec_;

public:
    timer_wait(fiber& f, asio::steady_timer& timer) noexcept : fiber_(f), timer_(timer) {}

    bool await_ready() const noexcept { return static_cast<bool>(fiber_.interrupted()); }

    void await_suspend(std::coroutine_handle<> h)
    {
        fiber_.suspend(h, *this);
        timer_.async_wait(resume_handler{fiber_ref(fiber_), &ec_});
    }

    // Whether the time is over; otherwise somebody has ended the wait.
    bool await_resume() const noexcept { return !ec_ && !fiber_.interrupted(); }
    void cancel() noexcept override { timer_.cancel(); }
};

} // namespace serin

#endif
