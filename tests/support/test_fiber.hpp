// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TESTS_SUPPORT_TEST_FIBER_HPP
#define SERIN_TESTS_SUPPORT_TEST_FIBER_HPP

#include "../../src/core/fiber.hpp"
#include "../../src/core/fiber_group.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <exception>
#include <memory>
#include <utility>

// A fiber that remembers how it ended.
class test_fiber final : public serin::fiber
{
public:
    test_fiber(boost::asio::any_io_executor ex, std::shared_ptr<serin::fiber_group> g)
        : fiber(std::move(ex), std::move(g))
    {}

    ~test_fiber() override { destroy_coroutine(); }

    bool finished = false;
    std::exception_ptr error;

private:
    void on_finished(std::exception_ptr e) override
    {
        finished = true;
        error = e;
    }
};

template <class Context>
std::shared_ptr<test_fiber> make_test_fiber(Context& context, std::shared_ptr<serin::fiber_group> const& group)
{
    return std::make_shared<test_fiber>(boost::asio::make_strand(context.get_executor()), group);
}

// Waits on a timer of the fiber's own, as the transport waits for sockets.
class timer_suspension final : public serin::suspension
{
public:
    timer_suspension(serin::fiber& f, boost::asio::steady_timer& timer) noexcept : fiber_(f), timer_(timer) {}

    bool await_ready() const noexcept { return static_cast<bool>(fiber_.interrupted()); }

    void await_suspend(std::coroutine_handle<> h)
    {
        fiber_.suspend(h, *this);
        timer_.async_wait(serin::resume_handler{serin::fiber_ref(fiber_), &ec_});
    }

    serin::error_code await_resume() const noexcept { return fiber_.interrupted() ? fiber_.interrupted() : ec_; }
    void cancel() noexcept override { timer_.cancel(); }

private:
    serin::fiber& fiber_;
    boost::asio::steady_timer& timer_;
    serin::error_code ec_;
};

#endif
