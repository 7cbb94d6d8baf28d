// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CORE_FIBER_HPP
#define SERIN_SRC_CORE_FIBER_HPP

#include "task.hpp"

#include <serin/core/error.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <exception>
#include <memory>

namespace serin {

class fiber_group;

using steady_time = std::chrono::steady_clock::time_point;

// `d` after `from`; the end of time if the clock's range ends before.
inline steady_time add_saturated(steady_time from, steady_time::duration d) noexcept
{
    return d < steady_time::max() - from ? from + d : steady_time::max();
}

// When a configured time that begins now is over. Zero turns it off: never.
inline steady_time deadline_after(steady_time::duration d) noexcept
{
    return d == d.zero() ? steady_time::max() : add_saturated(std::chrono::steady_clock::now(), d);
}

// What a fiber waits for, seen from whoever must end the wait.
class suspension
{
public:
    virtual void cancel() noexcept = 0;

protected:
    ~suspension() = default;
};

// One thread of execution made of coroutines: a call, or a connection attempt. All of it runs on one
// executor (a strand when several threads run the context), and only there is the state below touched.
//
// Ownership: whoever will resume a fiber owns it. While an Asio operation is pending that is its handler, so
// destroying the context destroys the fiber, its frames and the sockets in them. A fiber that nothing will
// resume is owned by the user's handle (a stream between two reads). Nothing else holds one strongly.
class fiber : public std::enable_shared_from_this<fiber>
{
public:
    using executor_type = asio::any_io_executor;

    fiber(executor_type ex, std::shared_ptr<fiber_group> group);
    fiber(fiber const&) = delete;
    fiber& operator=(fiber const&) = delete;
    virtual ~fiber();

    executor_type const& get_executor() const noexcept { return executor_; }

    // Starts the coroutine that makes up the fiber. Once, from any thread.
    void start(task<void> root);

    // Makes the current wait, and all later ones, end with `why`. The first reason stays, but for a deadline of
    // set_deadline, which gives way. From any thread.
    void interrupt(error_code why);

    // Whether interrupt() has been called, even if it has had no effect yet. From any thread.
    bool interrupt_asked() const noexcept { return interrupt_asked_.load(std::memory_order_relaxed); }

    // --- On the fiber's executor ---

    // Why waits end at once, if they do.
    error_code const& interrupted() const noexcept { return interrupted_; }

    // The fiber is interrupted with `why` at `at`, unless another deadline is set before. steady_time::max(): never.
    void set_deadline(steady_time at, error_code why) noexcept;

    // What set_deadline brought about is over: there is no such deadline any more, and if one has interrupted the
    // fiber it may wait again.
    void clear_deadline() noexcept;

    // The fiber is interrupted with errc::deadline_exceeded at `at`, whatever set_deadline says, and for good.
    void set_total_deadline(steady_time at) noexcept;

    // True until the fiber has waited for the first time: what ends before must not complete inline.
    bool never_waited() const noexcept { return !waited_; }

    // Called by awaiters: `h` is suspended, waiting for `what`, which outlives the wait.
    void suspend(std::coroutine_handle<> h, suspension& what) noexcept;

    // Ends the wait.
    void resume();

    // Nothing will resume the fiber: its context is being destroyed. Destroys the coroutine where it waits, and
    // overrides destroy the user's handler, which may own what owns the fiber.
    virtual void abandoned() noexcept { destroy_coroutine(); }

    // Whether the fiber waits for `what`.
    bool waits_for(suspension const& what) const noexcept { return waiting_ == &what; }

protected:
    fiber_group& group() const noexcept { return *group_; }

    // The coroutine has ended, by an exception if there is one, and its frame is gone. May destroy *this.
    virtual void on_finished(std::exception_ptr error) = 0;

    // Destroys the coroutine where it waits. To be called first in the destructor of a class whose members it uses.
    void destroy_coroutine() noexcept { root_.reset(); }

    // From now on fiber_group::interrupt_all(why, false) passes this fiber over.
    void outlive_group_owner() noexcept { outlives_owner_ = true; }

    bool outlives_group_owner() const noexcept { return outlives_owner_; }

    // The coroutine has begun to wait. The place to call users' handlers: they may throw, and destroy the fiber's
    // owner.
    virtual void on_suspended() {}

private:
    friend class fiber_group;

    void run();
    void interrupt_here(error_code why, bool for_good);
    void check_deadline();
    void schedule() noexcept;

    executor_type executor_;
    std::shared_ptr<fiber_group> group_;
    task<void> root_;
    std::coroutine_handle<> suspended_;
    suspension* waiting_ = nullptr;
    error_code interrupted_;
    bool for_good_ = false; // interrupted_ stays.
    error_code deadline_reason_;
    steady_time deadline_ = steady_time::max();
    steady_time total_deadline_ = steady_time::max();
    bool waited_ = false;

    // Read by the group's tick from any thread.
    std::atomic<steady_time> wake_at_{steady_time::max()};
    std::atomic<bool> outlives_owner_{false};
    std::atomic<bool> interrupt_asked_{false};

    // Links of the group's list, under its mutex.
    fiber* next_ = nullptr;
    fiber* previous_ = nullptr;
    bool joined_ = false;
    bool running_ = false;
};

// Waits until somebody calls fiber::resume(). The somebody must own the fiber.
class bare_wait final : public suspension
{
    fiber& fiber_;

public:
    explicit bare_wait(fiber& f) noexcept : fiber_(f) {}

    bool await_ready() const noexcept { return static_cast<bool>(fiber_.interrupted()); }
    void await_suspend(std::coroutine_handle<> h) noexcept { fiber_.suspend(h, *this); }
    error_code await_resume() const noexcept { return fiber_.interrupted(); }
    void cancel() noexcept override { fiber_.resume(); }
};

// The fiber in the handler of an operation that will resume it. A handler that is destroyed and not called means the
// end of the context.
class fiber_ref
{
public:
    explicit fiber_ref(fiber& f) : fiber_(f.shared_from_this()), executor_(&f.get_executor()) {}
    fiber_ref(fiber_ref&&) noexcept = default;
    fiber_ref& operator=(fiber_ref&&) = delete;

    ~fiber_ref()
    {
        if (fiber_)
            fiber_->abandoned();
    }

    fiber::executor_type const& get_executor() const noexcept { return *executor_; }

    // The handler is being called.
    std::shared_ptr<fiber> take() noexcept { return std::move(fiber_); }

private:
    std::shared_ptr<fiber> fiber_;
    fiber::executor_type const* executor_;
};

// Handler of an Asio operation that a fiber waits for.
struct resume_handler
{
    fiber_ref owner;
    error_code* result;

    using executor_type = fiber::executor_type;
    executor_type const& get_executor() const noexcept { return owner.get_executor(); }

    void operator()(error_code ec)
    {
        auto const f = owner.take();
        *result = ec;
        f->resume();
    }
};

} // namespace serin

#endif
