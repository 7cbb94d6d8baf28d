// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_LIMIT_GATE_HPP
#define SERIN_SRC_POLICY_LIMIT_GATE_HPP

#include "../core/fiber.hpp"
#include "../core/task.hpp"
#include "rate_limiter.hpp"

#include <serin/policy/rate_limit.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

namespace serin {

class limit_gate;

// One attempt that has passed the gate. Destroyed, it makes room for the next; unless sent() was called, the request
// and its tokens come back. May outlive the client. One thread at a time.
class permit
{
public:
    permit() noexcept = default;
    permit(std::shared_ptr<limit_gate> gate, rate_limiter::reservation const& r) noexcept;
    permit(permit&& other) noexcept = default;
    permit& operator=(permit&& other) noexcept;
    ~permit() { reset(); }

    explicit operator bool() const noexcept { return gate_ != nullptr; }

    // The server may have seen something of the request.
    void sent() noexcept { sent_ = true; }

    // It has used so many tokens, prompt and answer together. The last word counts.
    void used(std::uint64_t tokens) noexcept;

    // What the header fields of its answer say.
    void learn(server_limits const& said) noexcept;

    // The attempt is over.
    void reset() noexcept;

private:
    std::shared_ptr<limit_gate> gate_;
    rate_limiter::reservation reservation_;
    bool sent_ = false;
};

// Lets attempts begin no faster than the limits of an upstream allow. Safe from any thread: one mutex, never held
// across a wait.
class limit_gate : public std::enable_shared_from_this<limit_gate>
{
public:
    using clock = std::function<steady_time()>;

    // Fibers that pass run on strands of `ex`, or on `ex` itself if the context has one thread.
    limit_gate(rate_limit_params const& params, asio::any_io_executor ex, clock now = &std::chrono::steady_clock::now);
    ~limit_gate();

    // Passes without waiting if there is room and nobody queues, in order otherwise. Fails with errc::rate_limited when
    // there is no room before `deadline`, or none now if the limits are not to be waited for; `retry_after` says how
    // long it would have taken then, and is zero if that is not known. Fails with f.interrupted() once that is set.
    // What `out` held before is over first.
    task<error_code> enter(
        fiber& f, std::uint64_t estimate_tokens, steady_time deadline, permit& out, steady_time::duration& retry_after);

    // Whether enter() would not have to wait.
    bool has_room(std::uint64_t estimate_tokens);

    // Nobody passes before `until`, or for ten minutes if that is sooner.
    void cool(steady_time until);

    struct numbers
    {
        std::size_t running = 0;
        std::size_t waiting = 0;
    };
    numbers count() const;

private:
    friend class permit;

    struct waiter;
    class waiter_guard;

    void pump(steady_time now, waiter const* caller);
    void wake_hopeless(steady_time cooled_before);
    void wake(std::shared_ptr<waiter> const& w);

    when_limited const on_limit_;
    asio::any_io_executor const executor_;
    clock const clock_;
    mutable std::mutex mutex_;
    rate_limiter limiter_;
    std::map<rate_limiter::waiter_id, std::shared_ptr<waiter>> waiters_; // Those who queue in limiter_, no others
};

} // namespace serin

#endif
