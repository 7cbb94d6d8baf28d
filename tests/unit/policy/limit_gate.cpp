// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/policy/limit_gate.hpp"

#include "../../../src/core/fiber_group.hpp"
#include "../../../src/core/timer_wait.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "test_fiber.hpp"

namespace asio = boost::asio;
using namespace std::chrono_literals;
using serin::errc;
using serin::error_code;
using serin::fiber;
using serin::fiber_group;
using serin::limit_gate;
using serin::permit;
using serin::rate_limit_params;
using serin::steady_time;
using serin::task;
using serin::when_limited;

namespace {

// What one fiber came to.
struct attempt
{
    std::shared_ptr<test_fiber> f;
    permit pass;
    steady_time::duration retry_after{};
    std::optional<error_code> result;
    bool waited = false;
};

struct world
{
    asio::io_context context;
    std::shared_ptr<fiber_group> group = std::make_shared<fiber_group>(context.get_executor());
    std::vector<std::size_t> order; // Who passed, in that order

    std::shared_ptr<limit_gate> make_gate(rate_limit_params const& p)
    {
        return std::make_shared<limit_gate>(p, context.get_executor());
    }

    // False if something is left to do after a long time.
    bool run()
    {
        context.restart();
        context.run_for(20s);
        return context.stopped();
    }

    void poll()
    {
        context.restart();
        context.poll();
    }

    // Begins to wait before the gate, and keeps the permit.
    void enter(limit_gate& gate, attempt& a, std::uint64_t tokens = 0, steady_time deadline = steady_time::max())
    {
        a.f = make_test_fiber(context, group);
        a.f->start(enter_and_keep(gate, a, tokens, deadline));
    }

    static task<void> enter_and_keep(limit_gate& gate, attempt& a, std::uint64_t tokens, steady_time deadline)
    {
        error_code const ec = co_await gate.enter(*a.f, tokens, deadline, a.pass, a.retry_after);
        a.result = ec;
        a.waited = !a.f->never_waited();
    }

    // The same, but at once over: it has sent something if it passed.
    void pass(limit_gate& gate, attempt& a, std::size_t number)
    {
        a.f = make_test_fiber(context, group);
        a.f->start(enter_and_leave(gate, a, number));
    }

    task<void> enter_and_leave(limit_gate& gate, attempt& a, std::size_t number)
    {
        error_code const ec = co_await gate.enter(*a.f, 0, steady_time::max(), a.pass, a.retry_after);
        a.result = ec;
        if (!ec)
        {
            order.push_back(number);
            a.pass.sent();
        }
        a.pass.reset();
    }

    // An attempt that has passed without waiting.
    void must_enter(limit_gate& gate, attempt& a, std::uint64_t tokens = 0)
    {
        enter(gate, a, tokens);
        poll();
        REQUIRE(a.result);
        REQUIRE_FALSE(*a.result);
        REQUIRE(a.pass);
        CHECK_FALSE(a.waited);
    }

    // Nothing is left now.
    void drain(limit_gate& gate)
    {
        attempt a;
        must_enter(gate, a);
        serin::server_limits said;
        said.requests.remaining = 0;
        a.pass.learn(said);
    }
};

rate_limit_params concurrent(std::size_t n)
{
    rate_limit_params p;
    p.max_concurrent = n;
    return p;
}

rate_limit_params per_minute(double requests, double tokens = 0)
{
    rate_limit_params p;
    p.requests_per_minute = requests;
    p.tokens_per_minute = tokens;
    return p;
}

std::vector<std::size_t> numbers_below(std::size_t n)
{
    std::vector<std::size_t> v(n);
    std::iota(v.begin(), v.end(), std::size_t{0});
    return v;
}

// Counts its copies that are alive.
class tracked
{
public:
    explicit tracked(std::atomic<int>& count) : count_(&count) { ++count; }
    tracked(tracked const& other) : count_(other.count_) { ++*count_; }
    tracked& operator=(tracked const&) = delete;
    ~tracked() { --*count_; }

private:
    std::atomic<int>* count_;
};

} // namespace

TEST_CASE("limit_gate: who finds room passes without waiting")
{
    world w;
    auto const gate = w.make_gate(per_minute(60'000, 60'000));
    attempt a;
    attempt b;
    w.must_enter(*gate, a, 10);
    w.must_enter(*gate, b, 10);
    CHECK(gate->count().running == 2);
    a.pass.reset();
    b.pass = permit();
    CHECK(gate->count().running == 0);
    CHECK(w.context.poll() == 0);
}

TEST_CASE("limit_gate: a hundred wait for requests to come in and pass in their order")
{
    world w;
    auto const gate = w.make_gate(per_minute(60'000)); // One per millisecond
    auto const began = std::chrono::steady_clock::now();
    w.drain(*gate);
    std::vector<attempt> all(100);
    for (std::size_t i = 0; i < all.size(); ++i)
        w.pass(*gate, all[i], i);
    CHECK(w.run());
    CHECK(std::chrono::steady_clock::now() - began >= 99ms);
    CHECK(w.order == numbers_below(100));
    for (auto const& a : all)
        CHECK(a.result == error_code());
    CHECK(gate->count().running == 0);
    CHECK(gate->count().waiting == 0);
}

TEST_CASE("limit_gate: a hundred wait for one another and pass in their order")
{
    world w;
    auto const gate = w.make_gate(concurrent(1));
    attempt holder;
    w.must_enter(*gate, holder);
    std::vector<attempt> all(100);
    for (std::size_t i = 0; i < all.size(); ++i)
        w.pass(*gate, all[i], i);
    w.poll();
    CHECK(w.order.empty());
    CHECK(gate->count().waiting == 100);
    holder.pass.reset();
    CHECK(w.run());
    CHECK(w.order == numbers_below(100));
    CHECK(gate->count().running == 0);
}

TEST_CASE("limit_gate: who comes later never overtakes")
{
    world w;
    steady_time now{1000s};
    auto const gate = std::make_shared<limit_gate>(
        per_minute(60, 60'000), w.context.get_executor(), [&now] { return now; }); // One and a thousand a second
    attempt holder;
    w.must_enter(*gate, holder, 2000);
    holder.pass.sent();
    std::vector<attempt> all(3);
    w.enter(*gate, all[0], 1000);
    w.enter(*gate, all[1], 1);
    w.poll();
    CHECK(gate->count().waiting == 2);

    // There is room for the small ones, but a large one is first.
    now += 1s;
    w.enter(*gate, all[2], 1);
    w.poll();
    CHECK(gate->count().waiting == 3);

    // Whoever looks serves the first, even if nobody has woken him yet.
    now += 1s;
    attempt late;
    w.enter(*gate, late, 1);
    w.poll();
    REQUIRE(all[0].result == error_code());
    CHECK_FALSE(all[1].result);
    for (auto* const a : {&all[1], &all[2], &late})
    {
        all[0].pass.sent();
        all[0].pass.reset();
        now += 1s;
        attempt other;
        w.enter(*gate, other, 1);
        other.f->interrupt(asio::error::operation_aborted);
        w.poll();
        CHECK(a->result == error_code());
        CHECK(other.result == asio::error::operation_aborted);
    }
    CHECK(gate->count().waiting == 0);
    CHECK(gate->count().running == 4);
}

TEST_CASE("limit_gate: whoever gives up in the queue leaves the order of the others")
{
    for (bool const timed : {false, true})
        for (std::size_t const count : {1u, 2u, 3u, 10u})
            for (std::size_t leaves = 0; leaves < count; ++leaves)
            {
                CAPTURE(timed, count, leaves);
                world w;
                auto const gate = w.make_gate(timed ? per_minute(60'000) : concurrent(1));
                attempt holder;
                if (timed)
                    w.drain(*gate);
                else
                    w.must_enter(*gate, holder);
                if (timed)
                    gate->cool(std::chrono::steady_clock::now() + 10ms);
                std::vector<attempt> all(count);
                for (std::size_t i = 0; i < count; ++i)
                    w.pass(*gate, all[i], i);
                w.poll();
                all[leaves].f->interrupt(asio::error::operation_aborted);
                if (!timed)
                {
                    w.poll();
                    CHECK(all[leaves].result == asio::error::operation_aborted);
                    CHECK(gate->count().waiting == count - 1);
                    CHECK(gate->count().running == 1);
                }
                holder.pass.reset();
                CHECK(w.run());
                auto expected = numbers_below(count);
                std::erase(expected, leaves);
                // A busy machine may be past the pause before the interruption comes.
                if (!timed || all[leaves].result == asio::error::operation_aborted)
                    CHECK(w.order == expected);
                CHECK(gate->count().waiting == 0);
                CHECK(gate->count().running == 0);
            }
}

TEST_CASE("limit_gate: all give up at once")
{
    world w;
    auto const gate = w.make_gate(concurrent(1));
    attempt holder;
    w.must_enter(*gate, holder);
    std::vector<attempt> all(50);
    for (auto& a : all)
        w.enter(*gate, a);
    w.poll();
    w.group->interrupt_all(asio::error::operation_aborted, true);
    CHECK(w.run());
    for (auto const& a : all)
        CHECK(a.result == asio::error::operation_aborted);
    CHECK(gate->count().waiting == 0);
    CHECK(gate->count().running == 1);
}

TEST_CASE("limit_gate: who is interrupted just when he may pass gives back what he got")
{
    world w;
    auto const gate = w.make_gate(concurrent(1));
    attempt holder;
    w.must_enter(*gate, holder);
    attempt first;
    attempt second;
    w.enter(*gate, first);
    w.enter(*gate, second);
    w.poll();
    first.f->interrupt(errc::deadline_exceeded);
    holder.pass.reset(); // First has it now
    CHECK(gate->count().running == 1);
    CHECK(w.run());
    CHECK(first.result == errc::deadline_exceeded);
    CHECK_FALSE(first.pass);
    CHECK(second.result == error_code());
    CHECK(gate->count().running == 1);
    CHECK(gate->count().waiting == 0);
}

TEST_CASE("limit_gate: an interrupted fiber does not pass, even if there is room")
{
    world w;
    auto const gate = w.make_gate(concurrent(1));
    attempt a;
    auto body = [](limit_gate& g, attempt& self) -> task<void> {
        asio::steady_timer timer(self.f->get_executor(), 1h);
        co_await serin::timer_wait(*self.f, timer);
        co_await world::enter_and_keep(g, self, 0, steady_time::max());
    };
    a.f = make_test_fiber(w.context, w.group);
    a.f->start(body(*gate, a));
    a.f->interrupt(asio::error::operation_aborted);
    CHECK(w.run());
    CHECK(a.result == asio::error::operation_aborted);
    CHECK_FALSE(a.pass);
    CHECK(gate->count().running == 0);
}

TEST_CASE("limit_gate: never more at a time than allowed")
{
    for (std::size_t const cap : {1u, 3u, 7u})
    {
        CAPTURE(cap);
        world w;
        auto const gate = w.make_gate(concurrent(cap));
        std::size_t inside = 0;
        std::size_t most = 0;
        auto body = [&](attempt& a) -> task<void> {
            for (int i = 0; i < 5; ++i)
            {
                error_code const ec = co_await gate->enter(*a.f, 0, steady_time::max(), a.pass, a.retry_after);
                if (ec)
                    co_return;
                most = std::max(most, ++inside);
                asio::steady_timer timer(a.f->get_executor(), 100us);
                co_await serin::timer_wait(*a.f, timer);
                --inside;
                a.pass.reset();
            }
            a.result = error_code();
        };
        std::vector<attempt> all(50);
        for (auto& a : all)
        {
            a.f = make_test_fiber(w.context, w.group);
            a.f->start(body(a));
        }
        CHECK(w.run());
        for (auto const& a : all)
            CHECK(a.result == error_code());
        CHECK(most == cap);
        CHECK(gate->count().running == 0);
    }
}

TEST_CASE("limit_gate: a deadline that the wait would pass fails at once and says when")
{
    world w;
    auto const gate = w.make_gate(per_minute(1));
    w.drain(*gate);
    attempt hopeless;
    w.enter(*gate, hopeless, 0, std::chrono::steady_clock::now() + 10s);
    w.poll();
    CHECK(hopeless.result == errc::rate_limited);
    CHECK_FALSE(hopeless.waited);
    CHECK_FALSE(hopeless.pass);
    CHECK(hopeless.retry_after > 10s);
    CHECK(hopeless.retry_after <= 60s);
    CHECK(gate->count().waiting == 0);

    // Who has the time waits.
    auto const quick = w.make_gate(per_minute(600));
    w.drain(*quick);
    attempt patient;
    w.enter(*quick, patient, 0, std::chrono::steady_clock::now() + 20s);
    CHECK(w.run());
    CHECK(patient.result == error_code());
    CHECK(patient.waited);
    CHECK(patient.retry_after == 0s);
}

TEST_CASE("limit_gate: where nobody knows how long it takes, the wait ends at the deadline")
{
    world w;
    auto const gate = w.make_gate(concurrent(1));
    attempt holder;
    w.must_enter(*gate, holder);
    attempt first;
    attempt second;
    attempt third;
    auto const now = std::chrono::steady_clock::now();
    w.enter(*gate, first, 0, now + 40ms);
    w.enter(*gate, second, 0, now + 20ms); // Not the first in the queue
    w.enter(*gate, third);
    w.context.restart();
    while (!first.result)
        REQUIRE(w.context.run_one_for(20s) == 1);
    CHECK(std::chrono::steady_clock::now() >= now + 40ms);
    CHECK(first.result == errc::rate_limited);
    CHECK(first.retry_after == 0s);
    CHECK(second.result == errc::rate_limited);
    CHECK(gate->count().waiting == 1);
    holder.pass.reset();
    CHECK(w.run());
    CHECK(third.result == error_code());
}

TEST_CASE("limit_gate: if the limits are not to be waited for, it fails at once")
{
    world w;
    auto p = per_minute(1);
    p.max_concurrent = 1;
    p.on_limit = when_limited::fail;
    auto const gate = w.make_gate(p);
    attempt first;
    w.must_enter(*gate, first);
    first.pass.sent();
    attempt second;
    w.enter(*gate, second);
    w.poll();
    CHECK(second.result == errc::rate_limited);
    CHECK_FALSE(second.waited);
    CHECK(second.retry_after > 10s);
    CHECK(second.retry_after <= 60s);
    CHECK(gate->count().waiting == 0);

    auto const busy = w.make_gate([&] {
        auto q = concurrent(1);
        q.on_limit = when_limited::fail;
        return q;
    }());
    w.must_enter(*busy, first); // Its first permit is over
    CHECK(gate->count().running == 0);
    attempt third;
    w.enter(*busy, third);
    w.poll();
    CHECK(third.result == errc::rate_limited);
    CHECK(third.retry_after == 0s);
}

TEST_CASE("limit_gate: a pause lets those go at once whose deadlines come first")
{
    world w;
    auto const gate = w.make_gate(concurrent(1));
    attempt holder;
    w.must_enter(*gate, holder);
    std::vector<attempt> all(10);
    auto const now = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < all.size(); ++i)
        w.enter(*gate, all[i], 0, i % 2 == 0 ? now + 1min : now + 1h);
    w.poll();
    SECTION("after a 429")
    {
        gate->cool(now + 5min);
    }
    SECTION("because the server says that nothing is left")
    {
        holder.pass.learn(serin::read_server_limits([](std::string_view name) -> std::string_view {
            return name == "x-ratelimit-remaining-requests" ? "0" : name == "x-ratelimit-reset-requests" ? "5m0s" : "";
        }));
    }
    w.poll();
    for (std::size_t i = 0; i < all.size(); ++i)
    {
        if (i % 2 == 0)
        {
            CHECK(all[i].result == errc::rate_limited);
            CHECK(all[i].retry_after > 4min);
            CHECK(all[i].retry_after <= 6min);
        }
        else
            CHECK_FALSE(all[i].result);
    }
    CHECK(gate->count().waiting == 5);
}

TEST_CASE("limit_gate: what was not sent comes back, what was sent stays charged")
{
    world w;
    steady_time now{1000s};
    auto const gate =
        std::make_shared<limit_gate>(per_minute(60, 60'000), w.context.get_executor(), [&now] { return now; });
    attempt a;
    attempt b;
    w.must_enter(*gate, a, 1000);
    a.pass.reset(); // Not sent
    w.must_enter(*gate, a, 1000);
    a.pass.sent();
    a.pass.reset();
    w.enter(*gate, b, 1000, now);
    w.poll();
    CHECK(b.result == errc::rate_limited);
    CHECK(b.retry_after == 1s);

    // What it really used
    now += 1s;
    w.must_enter(*gate, a, 1000);
    a.pass.used(3500);
    a.pass.reset();
    w.enter(*gate, b, 1000, now);
    w.poll();
    CHECK(b.result == errc::rate_limited);
    CHECK(b.retry_after == 3500ms);

    now += 3500ms;
    w.must_enter(*gate, a, 1000);
    a.pass.used(200);
    a.pass.used(400);
    a.pass.reset();
    now += 600ms;
    w.enter(*gate, b, 1000, now);
    w.poll();
    CHECK(b.result == errc::rate_limited);
    CHECK(b.retry_after == 400ms); // For the request
}

TEST_CASE("limit_gate: tokens that come back let the next one pass")
{
    world w;
    auto const gate = w.make_gate(per_minute(0, 1));
    attempt holder;
    w.must_enter(*gate, holder, 500);
    std::vector<attempt> all(3);
    for (auto& a : all)
        w.enter(*gate, a, 1, std::chrono::steady_clock::now() + 1h);
    w.poll();
    CHECK(gate->count().waiting == 3);
    SECTION("not sent")
    {
        holder.pass.reset();
    }
    SECTION("not used")
    {
        holder.pass.used(0);
    }
    w.poll();
    w.poll();
    CHECK(all[0].result == error_code());
    CHECK_FALSE(all[1].result);
}

TEST_CASE("limit_gate: a permit is moved and outlives who made the gate")
{
    world w;
    auto gate = w.make_gate(concurrent(2));
    std::weak_ptr<limit_gate> const alive = gate;
    attempt a;
    attempt b;
    w.must_enter(*gate, a);
    w.must_enter(*gate, b);
    permit moved = std::move(a.pass);
    CHECK_FALSE(a.pass);
    CHECK(gate->count().running == 2);
    moved = std::move(b.pass); // What it held is over
    CHECK(gate->count().running == 1);
    auto& same = moved;
    moved = std::move(same);
    CHECK(moved);
    gate.reset();
    CHECK_FALSE(alive.expired());
    moved.used(5);
    moved.reset();
    CHECK(alive.expired());

    permit none;
    none.sent();
    none.used(1);
    none.learn({});
    none.reset();
    CHECK_FALSE(none);
}

TEST_CASE("limit_gate: destroying the context frees those who wait and those who have passed")
{
    for (bool const gate_lives_on : {false, true})
        for (bool const timed : {false, true})
        {
            CAPTURE(gate_lives_on, timed);
            std::atomic<int> alive{0};
            std::weak_ptr<limit_gate> gone;
            std::shared_ptr<limit_gate> kept;
            int passed = 0;
            {
                world w;
                auto p = concurrent(3);
                p.requests_per_minute = timed ? 1 : 0;
                auto gate = w.make_gate(p);
                gone = gate;
                if (gate_lives_on)
                    kept = gate;
                // It owns itself through its frame as a call does through its user's handler.
                auto body = [&passed](
                                std::shared_ptr<test_fiber> f, std::shared_ptr<limit_gate> g, tracked t) -> task<void> {
                    permit mine;
                    steady_time::duration retry_after{};
                    error_code const ec = co_await g->enter(*f, 0, steady_time::max(), mine, retry_after);
                    static_cast<void>(ec);
                    static_cast<void>(t);
                    ++passed;
                    asio::steady_timer timer(f->get_executor(), 1h);
                    co_await serin::timer_wait(*f, timer);
                    ++passed;
                };
                for (int i = 0; i < 20; ++i)
                {
                    auto const f = make_test_fiber(w.context, w.group);
                    f->start(body(f, gate, tracked(alive)));
                }
                w.poll();
                CHECK(alive > 0);
                CHECK(gate->count().waiting == (timed ? 19 : 17));
                CHECK(passed == (timed ? 1 : 3));
            }
            CHECK(alive == 0);
            CHECK(passed == (timed ? 1 : 3));
            if (kept)
            {
                CHECK(kept->count().waiting == 0);
                CHECK(kept->count().running == 0);
            }
            kept.reset();
            CHECK(gone.expired());
        }
}

TEST_CASE("limit_gate: destroying the context while a wake-up is under way")
{
    std::atomic<int> alive{0};
    std::weak_ptr<limit_gate> gone;
    {
        world w;
        auto gate = w.make_gate(concurrent(1));
        gone = gate;
        attempt holder;
        w.must_enter(*gate, holder);
        auto body = [](std::shared_ptr<test_fiber> f, std::shared_ptr<limit_gate> g, tracked t) -> task<void> {
            permit mine;
            steady_time::duration retry_after{};
            error_code const ec = co_await g->enter(*f, 0, steady_time::max(), mine, retry_after);
            static_cast<void>(ec);
            static_cast<void>(t);
        };
        for (int i = 0; i < 20; ++i)
        {
            auto const f = make_test_fiber(w.context, w.group);
            f->start(body(f, gate, tracked(alive)));
        }
        w.poll();
        CHECK(gate->count().waiting == 20);
        holder.pass.reset();
        CHECK(gate->count().running == 1);
    }
    CHECK(alive == 0);
    CHECK(gone.expired());
}

TEST_CASE("limit_gate: used from two threads")
{
    world w;
    auto p = per_minute(600'000, 6'000'000);
    p.max_concurrent = 4;
    auto const gate = w.make_gate(p);
    std::atomic<int> inside{0};
    std::atomic<int> most{0};
    std::atomic<int> passed{0};
    std::atomic<int> interrupted{0};
    auto body = [&](fiber& f, unsigned number) -> task<void> {
        for (unsigned i = 0; i < 20; ++i)
        {
            permit mine;
            steady_time::duration retry_after{};
            error_code const ec = co_await gate->enter(f, number % 50, steady_time::max(), mine, retry_after);
            if (ec)
            {
                ++interrupted;
                co_return;
            }
            int const now_inside = ++inside;
            for (int seen = most; seen < now_inside && !most.compare_exchange_weak(seen, now_inside);)
                ;
            if (number % 3 == 0)
            {
                asio::steady_timer timer(f.get_executor(), 10us);
                co_await serin::timer_wait(f, timer);
            }
            if (number % 4 != 0)
                mine.sent();
            if (number % 5 == 0)
                mine.used(number % 70);
            --inside;
            ++passed;
        }
    };
    auto guard = asio::make_work_guard(w.context);
    std::vector<std::thread> runners;
    for (int i = 0; i < 2; ++i)
        runners.emplace_back([&] { w.context.run(); });
    std::vector<std::shared_ptr<test_fiber>> fibers;
    for (unsigned i = 0; i < 200; ++i)
    {
        fibers.push_back(make_test_fiber(w.context, w.group));
        fibers.back()->start(body(*fibers.back(), i));
        if (i % 2 == 1)
            fibers[i / 2]->interrupt(asio::error::operation_aborted);
    }
    guard.reset();
    for (auto& t : runners)
        t.join();
    CHECK(most <= 4);
    CHECK(passed >= 100 * 20);
    CHECK(gate->count().running == 0);
    CHECK(gate->count().waiting == 0);
    for (auto const& f : fibers)
        CHECK((f->finished && !f->error));
}
