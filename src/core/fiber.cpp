// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "fiber.hpp"

#include "fiber_group.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace serin {

fiber::fiber(executor_type ex, std::shared_ptr<fiber_group> group) : executor_(std::move(ex)), group_(std::move(group))
{}

fiber::~fiber()
{
    if (joined_) // Nobody else can look at it any more
        group_->leave(*this);
}

void fiber::start(task<void> root)
{
    root_ = std::move(root);
    suspended_ = root_.handle();
    group_->join(*this);
    asio::dispatch(executor_, [self = shared_from_this()] { self->run(); });
}

void fiber::interrupt(error_code why)
{
    interrupt_asked_.store(true, std::memory_order_relaxed);
    asio::post(executor_, [weak = weak_from_this(), why] {
        if (auto self = weak.lock())
            self->interrupt_here(why, true);
    });
}

void fiber::interrupt_here(error_code why, bool for_good)
{
    if (for_good_ || (interrupted_ && !for_good))
        return;
    interrupted_ = why;
    for_good_ = for_good;
    if (waiting_)
        waiting_->cancel();
}

void fiber::set_deadline(steady_time at, error_code why) noexcept
{
    deadline_ = at;
    deadline_reason_ = why;
    schedule();
}

void fiber::clear_deadline() noexcept
{
    deadline_ = steady_time::max();
    if (!for_good_)
        interrupted_ = {};
}

void fiber::set_total_deadline(steady_time at) noexcept
{
    total_deadline_ = at;
    schedule();
}

void fiber::schedule() noexcept
{
    auto const at = std::min(deadline_, total_deadline_);
    wake_at_.store(at);
    if (at != steady_time::max())
        group_->wake_by(at);
}

void fiber::check_deadline()
{
    // The tick may be older than the deadline set since: look again.
    auto const now = std::chrono::steady_clock::now();
    if (now >= total_deadline_)
        interrupt_here(errc::deadline_exceeded, true);
    else if (now >= deadline_)
        interrupt_here(deadline_reason_, false);
}

void fiber::suspend(std::coroutine_handle<> h, suspension& what) noexcept
{
    suspended_ = h;
    waiting_ = &what;
}

void fiber::resume()
{
    waited_ = true;
    run();
}

void fiber::run()
{
    auto const self = shared_from_this();
    waiting_ = nullptr;
    std::exchange(suspended_, nullptr).resume();
    if (root_.handle() && root_.handle().done())
    {
        // The frames go first: what they hold, a connection above all, is free when the user learns of the end.
        std::exception_ptr const error = root_.handle().promise().exception;
        root_.reset();
        struct leaver
        {
            fiber& f;
            ~leaver() { f.group_->leave(f); }
        } const leave_after_handler{*this}; // A handler that starts the next call keeps the tick armed
        on_finished(error);
        return;
    }
    on_suspended();
}

// ---------------------------------------------------------------------------------------------------------

fiber_group::fiber_group(asio::any_io_executor ex) : timer_(ex) {}

void fiber_group::join(fiber& f) noexcept
{
    {
        std::lock_guard const lock(mutex_);
        f.joined_ = true;
        f.next_ = first_;
        if (first_)
            first_->previous_ = &f;
        first_ = &f;
        ++running_;
        f.running_ = true;
    }
    if (auto const at = f.wake_at_.load(); at != steady_time::max())
        wake_by(at);
}

void fiber_group::leave(fiber& f) noexcept
{
    std::lock_guard const lock(mutex_);
    if (!f.joined_)
        return;
    f.joined_ = false;
    (f.previous_ ? f.previous_->next_ : first_) = f.next_;
    if (f.next_)
        f.next_->previous_ = f.previous_;
    stop_running(f);
}

void fiber_group::rest(fiber& f) noexcept
{
    std::lock_guard const lock(mutex_);
    stop_running(f);
}

void fiber_group::wake(fiber& f) noexcept
{
    {
        std::lock_guard const lock(mutex_);
        running_ += f.running_ ? 0 : 1;
        f.running_ = true;
    }
    if (auto const at = f.wake_at_.load(); at != steady_time::max())
        wake_by(at);
}

void fiber_group::stop_running(fiber& f) noexcept
{
    if (!f.running_)
        return;
    f.running_ = false;
    if (--running_ == 0 && armed_for_.load() != steady_time::max())
    {
        armed_for_.store(steady_time::max());
        timer_.cancel();
    }
}

void fiber_group::wake_by(steady_time at) noexcept
{
    if (at >= armed_for_.load())
        return;
    std::lock_guard const lock(mutex_);
    if (running_ != 0 && at < armed_for_.load())
        arm(at);
}

void fiber_group::arm(steady_time at)
{
    armed_for_.store(at);
    timer_.expires_at(at);
    timer_.async_wait([self = shared_from_this()](error_code ec) {
        if (!ec)
            self->on_tick();
    });
}

void fiber_group::on_tick()
{
    constexpr auto pause = std::chrono::milliseconds(5); // Bounds the cost of scanning when deadlines lie close

    std::lock_guard const lock(mutex_);
    auto const now = std::chrono::steady_clock::now();
    if (now < armed_for_.load() && armed_for_.load() != steady_time::max())
        return; // An old wait: another one is armed

    // From here on a fiber that sets a deadline waits for the mutex, so that none is missed.
    armed_for_.store(steady_time::max());
    auto next = steady_time::max();
    for (fiber* f = first_; f; f = f->next_)
    {
        auto const at = f->wake_at_.load();
        if (!f->running_ || at == steady_time::max())
            continue;
        if (at <= now)
        {
            asio::post(f->executor_, [weak = f->weak_from_this()] {
                if (auto const self = weak.lock())
                    self->check_deadline();
            });
        }
        next = std::min(next, std::max(at, now + pause));
    }
    if (next != steady_time::max())
        arm(next);
}

void fiber_group::interrupt_all(error_code why, bool also_outliving)
{
    std::lock_guard const lock(mutex_);
    for (fiber* f = first_; f; f = f->next_)
        if (also_outliving || !f->outlives_owner_)
            f->interrupt(why);
}

} // namespace serin
