// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "shared_gate.hpp"

#include "../core/timer_wait.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

namespace serin {
namespace {

// Who is asked has a time limit of his own, which is shorter. This one is for those that have none.
constexpr auto shared_limits_patience = std::chrono::seconds(1);

} // namespace

shared_permit& shared_permit::operator=(shared_permit&& other) noexcept
{
    if (this != &other)
    {
        reset();
        gate_ = std::move(other.gate_);
        tokens_ = other.tokens_;
        sent_ = std::exchange(other.sent_, false);
    }
    return *this;
}

void shared_permit::used(std::uint64_t tokens)
{
    sent_ = true;
    auto const actual = static_cast<double>(tokens);
    if (gate_ && gate_->params_.tokens_per_minute > 0 && actual != tokens_)
        gate_->give_back(0, tokens_ - actual);
    tokens_ = actual;
}

void shared_permit::reset() noexcept
{
    auto const gate = std::move(gate_);
    bool const sent = std::exchange(sent_, false);
    if (gate && !sent)
        gate->give_back(1, tokens_);
}

// ---------------------------------------------------------------------------------------------------------

// Asked once, answered from any thread.
struct shared_gate::question
{
    question(fiber::executor_type const& ex, asio::any_io_executor const& plain_executor)
        : executor(ex),
          plain(plain_executor),
          timer(ex)
    {}

    fiber::executor_type const executor;
    asio::any_io_executor const plain;
    asio::steady_timer timer; // Touched on the fiber's executor only

    std::mutex mutex;
    bool answered = false;
    bool dropped = false; // Nobody waits for the answer any more
    std::optional<shared_limits::verdict> answer;
};

shared_gate::shared_gate(std::shared_ptr<shared_limits> limits, std::string name, rate_limit_params const& params,
    std::shared_ptr<clock_source> clock, asio::any_io_executor ex)
    : limits_(std::move(limits)),
      name_(std::move(name)),
      params_(params),
      clock_(std::move(clock)),
      executor_(std::move(ex))
{}

void shared_gate::give_back(double requests, double tokens) noexcept
{
    try
    {
        limits_->give_back(name_, params_, requests, tokens);
    }
    catch (...)
    {
        // As if the others could not be reached.
    }
}

task<std::optional<shared_limits::verdict>> shared_gate::ask(
    fiber& f, double tokens, std::chrono::microseconds max_wait)
{
    auto const q = std::make_shared<question>(f.get_executor(), executor_);
    auto const answered = [q, self = shared_from_this(), tokens](std::optional<shared_limits::verdict> v) {
        bool late = false;
        {
            std::lock_guard const lock(q->mutex);
            late = q->dropped;
            q->answered = true;
            q->answer = v;
        }
        if (late && v && v->admitted)
            self->give_back(1, tokens);
        // Through the plain executor, as limit_gate does it.
        if (!late)
            asio::post(q->plain, [q] { asio::dispatch(q->executor, [q] { q->timer.cancel(); }); });
    };
    try
    {
        limits_->take(name_, params_, tokens, max_wait, answered);
    }
    catch (...)
    {
        co_return std::nullopt; // As if the others could not be reached
    }
    struct dropper
    {
        question& q;
        ~dropper()
        {
            std::lock_guard const lock(q.mutex);
            q.dropped = true;
        }
    } const drop{*q};
    bool wait = false;
    {
        std::lock_guard const lock(q->mutex);
        wait = !q->answered;
        if (wait)
            q->timer.expires_at(add_saturated(std::chrono::steady_clock::now(), shared_limits_patience));
    }
    if (wait)
        co_await timer_wait(f, q->timer);
    std::lock_guard const lock(q->mutex);
    co_return q->answer;
}

task<error_code> shared_gate::enter(fiber& f, std::uint64_t estimate_tokens, steady_time deadline, shared_permit& out,
    steady_time::duration& retry_after)
{
    out.reset();
    retry_after = retry_after.zero();
    if (f.interrupted())
        co_return f.interrupted();
    auto const self = shared_from_this();
    auto const tokens = static_cast<double>(estimate_tokens);
    steady_time::duration patience{};
    if (params_.on_limit == when_limited::wait)
    {
        steady_time const now = clock_->now();
        patience = deadline > now ? deadline - now : patience;
    }
    auto const max_wait = std::chrono::duration_cast<std::chrono::microseconds>(patience);
    auto const said = co_await ask(f, tokens, max_wait);
    if (said && said->admitted)
    {
        out.gate_ = self;
        out.tokens_ = tokens;
    }
    if (f.interrupted())
    {
        out.reset();
        co_return f.interrupted();
    }
    if (!said)
        co_return error_code();
    if (!said->admitted)
    {
        retry_after = said->wait;
        co_return errc::rate_limited;
    }
    if (said->wait > said->wait.zero())
        co_await clock_->wait_until(f, add_saturated(clock_->now(), said->wait));
    if (f.interrupted())
    {
        out.reset();
        co_return f.interrupted();
    }
    co_return error_code();
}

} // namespace serin
