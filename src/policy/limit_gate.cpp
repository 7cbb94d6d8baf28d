// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "limit_gate.hpp"

#include "../core/timer_wait.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace serin {

struct limit_gate::waiter
{
    waiter(fiber::executor_type const& ex, steady_time at) : executor(ex), deadline(at), timer(ex) {}

    fiber::executor_type const executor;
    steady_time const deadline;
    asio::steady_timer timer; // Touched on the fiber's executor only

    // Under the gate's mutex.
    std::optional<rate_limiter::reservation> granted;
    steady_time looks_again = steady_time::max();
};

// Takes a waiter out of the queue, and gives back what he got and does not take, however his fiber ends.
class limit_gate::waiter_guard
{
public:
    waiter_guard(limit_gate& g, rate_limiter::waiter_id id, waiter& w) noexcept : gate_(g), id_(id), waiter_(w) {}
    waiter_guard(waiter_guard const&) = delete;
    waiter_guard& operator=(waiter_guard const&) = delete;

    ~waiter_guard()
    {
        std::lock_guard const lock(gate_.mutex_);
        if (taken_)
            return;
        auto const now = gate_.clock_();
        if (waiter_.granted)
        {
            gate_.limiter_.give_back(*waiter_.granted, now);
            gate_.limiter_.release(*waiter_.granted);
        }
        gate_.limiter_.abandon(id_);
        gate_.waiters_.erase(id_);
        gate_.pump(now, nullptr);
    }

    rate_limiter::reservation const& take() noexcept
    {
        taken_ = true;
        return *waiter_.granted;
    }

private:
    limit_gate& gate_;
    rate_limiter::waiter_id id_;
    waiter& waiter_;
    bool taken_ = false;
};

// ---------------------------------------------------------------------------------------------------------

permit::permit(std::shared_ptr<limit_gate> gate, rate_limiter::reservation const& r) noexcept
    : gate_(std::move(gate)),
      reservation_(r)
{}

permit& permit::operator=(permit&& other) noexcept
{
    if (this != &other)
    {
        reset();
        gate_ = std::move(other.gate_);
        reservation_ = other.reservation_;
        sent_ = std::exchange(other.sent_, false);
    }
    return *this;
}

void permit::used(std::uint64_t tokens) noexcept
{
    sent_ = true;
    if (!gate_)
        return;
    std::lock_guard const lock(gate_->mutex_);
    auto const now = gate_->clock_();
    gate_->limiter_.reconcile(reservation_, static_cast<double>(tokens), now);
    gate_->pump(now, nullptr);
}

void permit::learn(server_limits const& said) noexcept
{
    sent_ = true;
    if (!gate_)
        return;
    std::lock_guard const lock(gate_->mutex_);
    auto const now = gate_->clock_();
    auto const before = gate_->limiter_.cool_until();
    gate_->limiter_.learn(said, reservation_, now);
    gate_->wake_hopeless(before);
    gate_->pump(now, nullptr);
}

void permit::reset() noexcept
{
    auto const gate = std::move(gate_);
    bool const sent = std::exchange(sent_, false);
    if (!gate)
        return;
    std::lock_guard const lock(gate->mutex_);
    auto const now = gate->clock_();
    if (!sent)
        gate->limiter_.give_back(reservation_, now);
    gate->limiter_.release(reservation_);
    gate->pump(now, nullptr);
}

// ---------------------------------------------------------------------------------------------------------

limit_gate::limit_gate(rate_limit_params const& params, asio::any_io_executor ex, clock now)
    : on_limit_(params.on_limit),
      executor_(std::move(ex)),
      clock_(std::move(now)),
      limiter_(params, clock_())
{}

limit_gate::~limit_gate() = default;

task<error_code> limit_gate::enter(
    fiber& f, std::uint64_t estimate_tokens, steady_time deadline, permit& out, steady_time::duration& retry_after)
{
    out.reset();
    retry_after = retry_after.zero();
    if (f.interrupted())
        co_return f.interrupted();

    auto const gate = shared_from_this();
    auto const tokens = static_cast<double>(estimate_tokens);
    std::shared_ptr<waiter> self;
    rate_limiter::waiter_id id{};
    {
        std::lock_guard const lock(mutex_);
        auto const now = clock_();
        if (auto const r = limiter_.reserve(tokens, now))
        {
            out = permit(gate, *r);
            co_return error_code();
        }
        if (on_limit_ == when_limited::fail || limiter_.earliest(tokens, now) > deadline)
        {
            retry_after = limiter_.expected(tokens, now) - now;
            co_return errc::rate_limited;
        }
        self = std::make_shared<waiter>(f.get_executor(), deadline);
        id = limiter_.enqueue(tokens);
        waiters_.emplace(id, self);
    }
    waiter_guard guard(*this, id, *self);
    for (;;)
    {
        {
            std::lock_guard const lock(mutex_);
            auto const now = clock_();
            pump(now, self.get());
            if (self->granted)
                break;
            if (now >= deadline || limiter_.earliest_of(id, now) > deadline)
            {
                retry_after = limiter_.expected(tokens, now) - now;
                co_return errc::rate_limited;
            }
            bool const first = waiters_.begin()->second == self;
            self->looks_again = std::min(deadline, first ? limiter_.next(now) : steady_time::max());
            // The timer's clock need not be ours.
            self->timer.expires_at(add_saturated(std::chrono::steady_clock::now(), self->looks_again - now));
        }
        co_await timer_wait(f, self->timer);
        if (f.interrupted())
            co_return f.interrupted();
    }
    out = permit(gate, guard.take());
    co_return error_code();
}

bool limit_gate::has_room(std::uint64_t estimate_tokens)
{
    std::lock_guard const lock(mutex_);
    return limiter_.would_admit(static_cast<double>(estimate_tokens), clock_());
}

void limit_gate::cool(steady_time until)
{
    std::lock_guard const lock(mutex_);
    auto const before = limiter_.cool_until();
    limiter_.cool(until, clock_());
    wake_hopeless(before);
}

limit_gate::numbers limit_gate::count() const
{
    numbers n;
    std::lock_guard const lock(mutex_);
    n.running = limiter_.running();
    n.waiting = limiter_.waiting();
    return n;
}

// After every change: lets pass who can, and sees to it that the first who cannot looks again in time.
void limit_gate::pump(steady_time now, waiter const* caller)
{
    while (auto const g = limiter_.serve(now))
    {
        auto const at = waiters_.find(g->waiter);
        at->second->granted = g->what;
        if (at->second.get() != caller)
            wake(at->second);
        waiters_.erase(at);
    }
    if (waiters_.empty())
        return;
    auto const& first = waiters_.begin()->second;
    if (auto const when = limiter_.next(now); first.get() != caller && when < first->looks_again)
    {
        first->looks_again = when; // Woken once only
        wake(first);
    }
}

// Those whose deadlines now come before the end of the pause fail, instead of finding it out when it is too late to ask
// somebody else.
void limit_gate::wake_hopeless(steady_time cooled_before)
{
    auto const until = limiter_.cool_until();
    if (until <= cooled_before)
        return;
    for (auto const& [id, w] : waiters_)
        if (w->deadline < until && w->deadline >= cooled_before)
            wake(w);
}

// Through the plain executor: what is posted to a strand while the context is being destroyed would own the strand that
// owns it.
void limit_gate::wake(std::shared_ptr<waiter> const& w)
{
    asio::post(executor_, [w] { asio::dispatch(w->executor, [w] { w->timer.cancel(); }); });
}

} // namespace serin
