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

// Asked once, answered from any thread, and maybe when the one who asked is gone and his context with him.
struct shared_gate::question
{
    question(fiber::executor_type const& ex, asio::any_io_executor const& plain_executor)
        : plain(plain_executor),
          executor(ex),
          timer(std::in_place, ex)
    {}

    asio::any_io_executor const plain;

    std::mutex mutex;
    bool answered = false;
    std::optional<shared_limits::verdict> answer;
    // Nothing once nobody waits for the answer any more: they must not outlive the context.
    std::optional<fiber::executor_type> executor;
    std::optional<asio::steady_timer> timer; // Touched on the fiber's executor only
};

// Takes a question back, however the fiber that asked it ends.
class shared_gate::question_guard
{
public:
    explicit question_guard(question& q) noexcept : question_(q) {}
    question_guard(question_guard const&) = delete;
    question_guard& operator=(question_guard const&) = delete;

    ~question_guard() { take_back(); }

    // What is answered later is given back.
    std::optional<shared_limits::verdict> take_back() noexcept
    {
        std::lock_guard const lock(question_.mutex);
        question_.timer.reset();
        question_.executor.reset();
        return question_.answer;
    }

private:
    question& question_;
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
    question_guard guard(*q);
    // Does not own the gate, which owns the limits, which may keep this for ever.
    auto const answered = [q, weak = weak_from_this(), tokens](std::optional<shared_limits::verdict> v) {
        std::optional<fiber::executor_type> waits;
        {
            std::lock_guard const lock(q->mutex);
            waits = q->executor;
            q->answered = true;
            q->answer = v;
        }
        if (!waits)
        {
            if (auto const self = weak.lock(); self && v && v->admitted)
                self->give_back(1, tokens);
            return;
        }
        // Through the plain executor, as limit_gate does it.
        asio::post(q->plain, [q, executor = *waits] {
            asio::dispatch(executor, [q] {
                std::lock_guard const lock(q->mutex);
                if (q->timer)
                    q->timer->cancel();
            });
        });
    };
    try
    {
        limits_->take(name_, params_, tokens, max_wait, answered);
    }
    catch (...)
    {
        co_return std::nullopt; // As if the others could not be reached
    }
    bool wait = false;
    {
        std::lock_guard const lock(q->mutex);
        wait = !q->answered;
        if (wait)
            q->timer->expires_at(add_saturated(std::chrono::steady_clock::now(), shared_limits_patience));
    }
    if (wait)
        co_await timer_wait(f, *q->timer);
    co_return guard.take_back();
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
