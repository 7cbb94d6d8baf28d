// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CORE_FIBER_GROUP_HPP
#define SERIN_SRC_CORE_FIBER_GROUP_HPP

#include "fiber.hpp"

#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>

namespace serin {

// The fibers of a client that run now, with one timer for the deadlines of all: a timer for each call
// costs a quarter of the call. The timer is armed only while a fiber with a deadline is in the group, so an
// idle client holds no work. All functions may be called from any thread.
class fiber_group : public std::enable_shared_from_this<fiber_group>
{
public:
    explicit fiber_group(asio::any_io_executor ex);

    // A fiber joins when it starts and leaves when it ends. In between it rests while only its user can make it
    // go on (a stream between two reads): its deadlines do not run then.
    void join(fiber& f) noexcept;
    void leave(fiber& f) noexcept;
    void rest(fiber& f) noexcept;
    void wake(fiber& f) noexcept;

    // Sees to it that the timer fires at `at` at the latest.
    void wake_by(steady_time at) noexcept;

    // Interrupts every fiber, those that may outlive the group's owner too or not.
    void interrupt_all(error_code why, bool also_outliving);

private:
    void stop_running(fiber& f) noexcept;
    void arm(steady_time at);
    void on_tick();

    std::mutex mutex_;
    fiber* first_ = nullptr;
    std::size_t running_ = 0;
    asio::steady_timer timer_;
    std::atomic<steady_time> armed_for_{steady_time::max()};
};

} // namespace serin

#endif
