// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CORE_TASK_HPP
#define SERIN_SRC_CORE_TASK_HPP

#include "recycler.hpp"

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace serin {

// A coroutine that runs when it is awaited and resumes its awaiter when it ends. Owns its frame: destroying
// a task destroys what the coroutine holds. It is not asio::awaitable because a call needs to own its whole
// chain of frames, to be interruptible at every wait, and to nest without allocations besides the frames.
template <class T>
class task;

struct task_promise_base : recycled
{
    std::coroutine_handle<> continuation = std::noop_coroutine();
    std::exception_ptr exception;

    struct final_awaiter
    {
        bool await_ready() const noexcept { return false; }

        template <class Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> h) const noexcept
        {
            return h.promise().continuation;
        }

        void await_resume() const noexcept {}
    };

    std::suspend_always initial_suspend() const noexcept { return {}; }
    final_awaiter final_suspend() const noexcept { return {}; }
    void unhandled_exception() noexcept { exception = std::current_exception(); }
};

template <class T>
struct task_promise : task_promise_base
{
    std::optional<T> value;

    task<T> get_return_object() noexcept;

    template <class U>
    void return_value(U&& v)
    {
        value.emplace(std::forward<U>(v));
    }

    T result()
    {
        if (exception)
            std::rethrow_exception(exception);
        return std::move(*value);
    }
};

template <>
struct task_promise<void> : task_promise_base
{
    task<void> get_return_object() noexcept;
    void return_void() const noexcept {}

    void result() const
    {
        if (exception)
            std::rethrow_exception(exception);
    }
};

template <class T>
class [[nodiscard]] task
{
public:
    using promise_type = task_promise<T>;
    using handle_type = std::coroutine_handle<promise_type>;

    task() noexcept = default;
    explicit task(handle_type h) noexcept : handle_(h) {}
    task(task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}

    task& operator=(task&& other) noexcept
    {
        if (this != &other)
        {
            reset();
            handle_ = std::exchange(other.handle_, nullptr);
        }
        return *this;
    }

    ~task() { reset(); }

    void reset() noexcept
    {
        if (handle_)
            std::exchange(handle_, nullptr).destroy();
    }

    handle_type handle() const noexcept { return handle_; }

    bool await_ready() const noexcept { return false; }

    std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiter) const noexcept
    {
        handle_.promise().continuation = awaiter;
        return handle_;
    }

    T await_resume() const { return handle_.promise().result(); }

private:
    handle_type handle_ = nullptr;
};

template <class T>
task<T> task_promise<T>::get_return_object() noexcept
{
    return task<T>(std::coroutine_handle<task_promise<T>>::from_promise(*this));
}

inline task<void> task_promise<void>::get_return_object() noexcept
{
    return task<void>(std::coroutine_handle<task_promise<void>>::from_promise(*this));
}

} // namespace serin

#endif
