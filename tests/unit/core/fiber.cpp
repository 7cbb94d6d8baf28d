// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/core/fiber.hpp"

#include "../../../src/core/fiber_group.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "test_fiber.hpp"

namespace asio = boost::asio;
using namespace std::chrono_literals;
using serin::bare_wait;
using serin::errc;
using serin::error_code;
using serin::fiber;
using serin::fiber_group;
using serin::steady_time;
using serin::task;

namespace {

struct world
{
    asio::io_context context;
    std::shared_ptr<fiber_group> group = std::make_shared<fiber_group>(context.get_executor());

    std::shared_ptr<test_fiber> make() { return make_test_fiber(context, group); }

    // False if something is left to do after a long time.
    bool run()
    {
        context.restart();
        context.run_for(20s);
        return context.stopped();
    }
};

steady_time in(steady_time::duration d)
{
    return std::chrono::steady_clock::now() + d;
}

// What a timer of an hour came to.
task<void> wait_long(fiber& f, error_code& result)
{
    asio::steady_timer timer(f.get_executor(), 1h);
    result = co_await timer_suspension(f, timer);
}

task<int> square(int n)
{
    co_return n* n;
}

task<int> sum_of_squares(int n)
{
    int sum = 0;
    for (int i = 1; i <= n; ++i)
    {
        int const one = co_await square(i);
        sum += one;
    }
    co_return sum;
}

// Counts its copies that are alive.
class tracked
{
public:
    explicit tracked(int& count) : count_(&count) { ++count; }
    tracked(tracked const& other) : count_(other.count_) { ++*count_; }
    tracked& operator=(tracked const&) = delete;
    ~tracked() { --*count_; }

private:
    int* count_;
};

} // namespace

TEST_CASE("fiber: tasks nest and a fiber ends with its coroutine")
{
    world w;
    auto const f = w.make();
    int sum = 0;
    auto body = [](int& out) -> task<void> { out = co_await sum_of_squares(1000); };
    f->start(body(sum));
    CHECK(w.run());
    CHECK(f->finished);
    CHECK_FALSE(f->error);
    CHECK(f->never_waited());
    CHECK(sum == 333833500);
}

TEST_CASE("fiber: an exception ends it and is told")
{
    world w;
    auto const f = w.make();
    auto inner = []() -> task<int> {
        throw std::runtime_error("broken");
        co_return 1;
    };
    auto body = [](task<int> t) -> task<void> {
        int const n = co_await t;
        static_cast<void>(n);
    };
    f->start(body(inner()));
    CHECK(w.run());
    CHECK(f->finished);
    CHECK_THROWS_WITH(std::rethrow_exception(f->error), "broken");
}

TEST_CASE("fiber: a deadline ends the wait with its reason")
{
    world w;
    auto const f = w.make();
    error_code result;
    f->set_deadline(in(20ms), errc::idle_timeout);
    f->start(wait_long(*f, result));
    auto const began = std::chrono::steady_clock::now();
    CHECK(w.run());
    CHECK(result == errc::idle_timeout);
    CHECK(std::chrono::steady_clock::now() - began < 5s);
    CHECK(f->interrupted() == errc::idle_timeout);
}

TEST_CASE("fiber: of two deadlines the earlier wins")
{
    world w;
    auto const f = w.make();
    error_code result;
    SECTION("the phase's")
    {
        f->set_total_deadline(in(1h));
        f->set_deadline(in(20ms), errc::first_byte_timeout);
        f->start(wait_long(*f, result));
        CHECK(w.run());
        CHECK(result == errc::first_byte_timeout);
    }
    SECTION("the total")
    {
        f->set_total_deadline(in(20ms));
        f->set_deadline(in(1h), errc::first_byte_timeout);
        f->start(wait_long(*f, result));
        CHECK(w.run());
        CHECK(result == errc::deadline_exceeded);
    }
    SECTION("the total, when both have passed")
    {
        f->set_total_deadline(in(-1ms));
        f->set_deadline(in(-2ms), errc::first_byte_timeout);
        f->start(wait_long(*f, result));
        CHECK(w.run());
        CHECK(result == errc::deadline_exceeded);
    }
}

TEST_CASE("fiber: a deadline that is replaced in time does not strike")
{
    world w;
    auto const f = w.make();
    std::vector<error_code> results;
    auto body = [](fiber& self, std::vector<error_code>& out) -> task<void> {
        for (int i = 0; i < 20; ++i)
        {
            self.set_deadline(std::chrono::steady_clock::now() + 10s, errc::idle_timeout);
            asio::steady_timer timer(self.get_executor(), 1ms);
            error_code const ec = co_await timer_suspension(self, timer);
            out.push_back(ec);
        }
        self.set_deadline(steady_time::max(), error_code());
        self.set_deadline(std::chrono::steady_clock::now() + 1ms, errc::write_timeout);
        asio::steady_timer timer(self.get_executor(), 1h);
        error_code const ec = co_await timer_suspension(self, timer);
        out.push_back(ec);
    };
    f->start(body(*f, results));
    CHECK(w.run());
    REQUIRE(results.size() == 21);
    for (int i = 0; i < 20; ++i)
        CHECK_FALSE(results[static_cast<std::size_t>(i)]);
    CHECK(results.back() == errc::write_timeout);
}

TEST_CASE("fiber: the first reason stays and all later waits end with it")
{
    world w;
    auto const f = w.make();
    std::vector<error_code> results;
    auto body = [](fiber& self, std::vector<error_code>& out) -> task<void> {
        for (int i = 0; i < 3; ++i)
        {
            asio::steady_timer timer(self.get_executor(), 1h);
            error_code const ec = co_await timer_suspension(self, timer);
            out.push_back(ec);
            error_code const bare = co_await bare_wait(self);
            out.push_back(bare);
        }
    };
    f->start(body(*f, results));
    f->interrupt(asio::error::operation_aborted);
    f->interrupt(errc::idle_timeout);
    CHECK(w.run());
    REQUIRE(results.size() == 6);
    for (error_code const& ec : results)
        CHECK(ec == asio::error::operation_aborted);
}

TEST_CASE("fiber: many deadlines strike in their order, each its own")
{
    world w;
    struct one
    {
        std::shared_ptr<test_fiber> f;
        error_code result;
        steady_time ended{};
    };
    std::vector<one> all(50);
    auto body = [](fiber& self, one& o) -> task<void> {
        asio::steady_timer timer(self.get_executor(), 1h);
        o.result = co_await timer_suspension(self, timer);
        o.ended = std::chrono::steady_clock::now();
    };
    auto const began = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < all.size(); ++i)
    {
        all[i].f = w.make();
        all[i].f->set_deadline(began + std::chrono::milliseconds(2 * (all.size() - i)), errc::idle_timeout);
        all[i].f->start(body(*all[i].f, all[i]));
    }
    CHECK(w.run());
    for (std::size_t i = 0; i < all.size(); ++i)
    {
        CHECK(all[i].result == errc::idle_timeout);
        CHECK(all[i].ended - began >= std::chrono::milliseconds(2 * (all.size() - i)));
    }
}

TEST_CASE("fiber: interrupted from other threads while two run the context")
{
    world w;
    std::vector<std::shared_ptr<test_fiber>> fibers;
    std::vector<error_code> results(200);
    auto guard = asio::make_work_guard(w.context);
    std::vector<std::thread> runners;
    for (int i = 0; i < 2; ++i)
        runners.emplace_back([&] { w.context.run(); });
    for (std::size_t i = 0; i < results.size(); ++i)
    {
        fibers.push_back(w.make());
        fibers.back()->set_deadline(in(std::chrono::milliseconds(i % 5)), errc::idle_timeout);
        fibers.back()->start(wait_long(*fibers.back(), results[i]));
    }
    for (auto const& f : fibers)
        f->interrupt(asio::error::operation_aborted);
    w.group->interrupt_all(asio::error::operation_aborted, true);
    guard.reset();
    for (auto& t : runners)
        t.join();
    for (error_code const& ec : results)
        CHECK((ec == asio::error::operation_aborted || ec == errc::idle_timeout));
}

TEST_CASE("fiber: the group's tick holds no work once no fiber runs")
{
    world w;
    auto const quick = w.make();
    auto body = [](fiber& self) -> task<void> {
        self.set_total_deadline(std::chrono::steady_clock::now() + 1h);
        asio::steady_timer timer(self.get_executor(), 1ms);
        error_code const ec = co_await timer_suspension(self, timer);
        static_cast<void>(ec);
    };
    quick->start(body(*quick));
    CHECK(w.run());
    CHECK(quick->finished);
    CHECK(w.context.poll() == 0);
}

TEST_CASE("fiber: a resting fiber holds no work and its deadline does not run")
{
    world w;
    auto const f = w.make();
    error_code result = errc::server_error;
    auto body = [](fiber& self, error_code& out) -> task<void> { out = co_await bare_wait(self); };
    f->start(body(*f, result));
    w.context.poll();
    f->set_deadline(in(1ms), errc::idle_timeout);
    w.group->rest(*f);
    CHECK(w.run()); // Nothing to wait for
    CHECK(result == errc::server_error);

    // Awake, the deadline that has passed strikes.
    w.group->wake(*f);
    CHECK(w.run());
    CHECK(result == errc::idle_timeout);
}

TEST_CASE("fiber: destroying the context at a suspension frees all that the coroutines hold")
{
    int alive = 0;
    std::weak_ptr<test_fiber> gone;
    error_code result = errc::server_error;
    bool went_on = false;
    {
        world w;
        auto inner = [](fiber& self, tracked, error_code& out) -> task<void> {
            asio::steady_timer timer(self.get_executor(), 1h);
            out = co_await timer_suspension(self, timer);
        };
        auto body = [&](fiber& self, tracked t, error_code& out) -> task<void> {
            co_await inner(self, t, out);
            went_on = true;
        };
        auto f = w.make();
        gone = f;
        // It owns itself through its frame as a call does through its user's handler.
        auto outer = [](std::shared_ptr<test_fiber> self, task<void> t) -> task<void> {
            co_await t;
            static_cast<void>(self);
        };
        f->set_total_deadline(in(1h));
        f->start(outer(f, body(*f, tracked(alive), result)));
        f.reset();
        w.context.poll();
        CHECK(alive > 0);
        CHECK_FALSE(gone.expired());
    }
    CHECK(alive == 0);
    CHECK(gone.expired());
    CHECK_FALSE(went_on);
    CHECK(result == errc::server_error);
}

TEST_CASE("fiber: a fiber that never began is freed too")
{
    int alive = 0;
    {
        world w;
        auto body = [](tracked) -> task<void> { co_return; };
        w.make()->start(body(tracked(alive)));
        CHECK(alive > 0);
    }
    CHECK(alive == 0);
}

TEST_CASE("fiber: interrupt_all passes those over that outlive the owner")
{
    class outliving final : public fiber
    {
    public:
        outliving(asio::any_io_executor ex, std::shared_ptr<fiber_group> g) : fiber(std::move(ex), std::move(g))
        {
            outlive_group_owner();
        }
        ~outliving() override { destroy_coroutine(); }
        void on_finished(std::exception_ptr) override {}
    };
    world w;
    auto const usual = w.make();
    auto const other = std::make_shared<outliving>(asio::make_strand(w.context), w.group);
    error_code usual_result;
    error_code other_result;
    usual->start(wait_long(*usual, usual_result));
    other->start(wait_long(*other, other_result));
    w.context.poll();
    w.group->interrupt_all(asio::error::operation_aborted, false);
    w.context.poll();
    w.context.restart();
    w.context.poll();
    CHECK(usual_result == asio::error::operation_aborted);
    CHECK_FALSE(other->interrupted());
    w.group->interrupt_all(asio::error::operation_aborted, true);
    CHECK(w.run());
    CHECK(other_result == asio::error::operation_aborted);
}

TEST_CASE("fiber: times are added without overflow")
{
    auto const now = std::chrono::steady_clock::now();
    CHECK(serin::add_saturated(now, 1s) == now + 1s);
    CHECK(serin::add_saturated(now, steady_time::duration::max()) == steady_time::max());
    CHECK(serin::deadline_after(0s) == steady_time::max());
    CHECK(serin::deadline_after(steady_time::duration::max()) == steady_time::max());
    CHECK(serin::deadline_after(1s) >= now + 1s);
}
