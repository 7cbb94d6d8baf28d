// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/policy/shared_gate.hpp"

#include "../../../src/core/fiber_group.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "test_fiber.hpp"

namespace asio = boost::asio;
using namespace std::chrono_literals;
using serin::error_code;
using serin::shared_limits;
using serin::steady_time;
using serin::task;

namespace {

// Limits that answer when the test says so.
class slow_limits final : public shared_limits
{
public:
    struct question
    {
        std::string name;
        double tokens;
        std::chrono::microseconds max_wait;
        std::function<void(std::optional<verdict>)> done;
    };

    void take(std::string_view name, serin::rate_limit_params const&, double tokens, std::chrono::microseconds max_wait,
        std::function<void(std::optional<verdict>)> done) override
    {
        if (throws)
            throw std::runtime_error("broken");
        if (at_once)
            done(*at_once);
        else
            asked.push_back({std::string(name), tokens, max_wait, std::move(done)});
    }

    void give_back(std::string_view, serin::rate_limit_params const&, double requests, double tokens) override
    {
        back.emplace_back(requests, tokens);
    }

    bool throws = false;
    std::optional<std::optional<verdict>> at_once;
    std::vector<question> asked;
    std::vector<std::pair<double, double>> back;
};

shared_limits::verdict admitted(std::chrono::microseconds wait = 0us)
{
    shared_limits::verdict v;
    v.admitted = true;
    v.wait = wait;
    return v;
}

class world
{
public:
    asio::io_context context;
    std::shared_ptr<serin::fiber_group> group = std::make_shared<serin::fiber_group>(context.get_executor());
    std::shared_ptr<slow_limits> limits = std::make_shared<slow_limits>();
    serin::rate_limit_params params;
    std::shared_ptr<serin::shared_gate> gate;
    std::shared_ptr<test_fiber> f;
    serin::shared_permit permit;
    steady_time::duration retry_after{};
    std::optional<error_code> result;

    explicit world(serin::when_limited on_limit = serin::when_limited::wait)
    {
        params.requests_per_minute = 600;
        params.tokens_per_minute = 6000;
        params.on_limit = on_limit;
        gate = std::make_shared<serin::shared_gate>(
            limits, "name", params, std::make_shared<serin::clock_source>(), context.get_executor());
    }

    void enter(std::uint64_t tokens, steady_time deadline = std::chrono::steady_clock::now() + 1h)
    {
        f = make_test_fiber(context, group);
        f->start(go(*this, tokens, deadline));
        poll();
    }

    void poll()
    {
        context.restart();
        context.poll();
    }

    void run()
    {
        context.restart();
        context.run_for(20s);
        REQUIRE(context.stopped());
    }

private:
    static task<void> go(world& w, std::uint64_t tokens, steady_time deadline)
    {
        error_code const ec = co_await w.gate->enter(*w.f, tokens, deadline, w.permit, w.retry_after);
        w.result = ec;
    }
};

} // namespace

TEST_CASE("shared gate: who is admitted passes when it is his turn")
{
    world w;
    w.enter(100);
    REQUIRE(w.limits->asked.size() == 1);
    CHECK(w.limits->asked[0].name == "name");
    CHECK(w.limits->asked[0].tokens == 100);
    CHECK(w.limits->asked[0].max_wait > 59min);
    CHECK_FALSE(w.result);
    w.limits->asked[0].done(admitted(20ms));
    w.poll();
    CHECK_FALSE(w.result);
    w.run();
    REQUIRE(w.result);
    CHECK_FALSE(*w.result);
    CHECK(w.permit);
}

TEST_CASE("shared gate: limits that answer at once")
{
    world w;
    w.limits->at_once = admitted();
    w.enter(1);
    REQUIRE(w.result);
    CHECK_FALSE(*w.result);
    w.run(); // Nothing is left behind
}

TEST_CASE("shared gate: who is refused is told for how long")
{
    world w;
    w.enter(1);
    shared_limits::verdict v;
    v.wait = 3s;
    w.limits->asked.at(0).done(v);
    w.run();
    REQUIRE(w.result);
    CHECK(*w.result == serin::errc::rate_limited);
    CHECK(w.retry_after == 3s);
    CHECK_FALSE(w.permit);
    CHECK(w.limits->back.empty());
}

TEST_CASE("shared gate: limits that are not to be waited for are asked for now only")
{
    world w(serin::when_limited::fail);
    w.enter(1);
    CHECK(w.limits->asked.at(0).max_wait == 0us);
    world late;
    late.enter(1, std::chrono::steady_clock::now() - 1s);
    CHECK(late.limits->asked.at(0).max_wait == 0us);
}

TEST_CASE("shared gate: where the others cannot be asked an attempt passes, and owes nothing")
{
    world w;
    w.limits->at_once = std::optional<shared_limits::verdict>();
    w.enter(1);
    REQUIRE(w.result);
    CHECK_FALSE(*w.result);
    w.permit.used(100);
    w.permit.reset();
    CHECK(w.limits->back.empty());

    world broken;
    broken.limits->throws = true;
    broken.enter(1);
    REQUIRE(broken.result);
    CHECK_FALSE(*broken.result);
}

TEST_CASE("shared gate: limits that do not answer are not waited for any longer than a second, and get back what they "
          "say later")
{
    world w;
    w.enter(7);
    w.run();
    REQUIRE(w.result);
    CHECK_FALSE(*w.result);
    CHECK_FALSE(w.permit);
    w.limits->asked.at(0).done(admitted());
    CHECK(w.limits->back == std::vector<std::pair<double, double>>{{1, 7}});
}

TEST_CASE("shared gate: who is interrupted gives back what he got, before and after the answer")
{
    world before;
    before.enter(7);
    before.f->interrupt(asio::error::operation_aborted);
    before.run();
    REQUIRE(before.result);
    CHECK(*before.result == asio::error::operation_aborted);
    before.limits->asked.at(0).done(admitted());
    CHECK(before.limits->back.size() == 1);

    world after;
    after.enter(7);
    after.limits->asked.at(0).done(admitted(1h));
    after.poll();
    after.f->interrupt(asio::error::operation_aborted);
    after.run();
    REQUIRE(after.result);
    CHECK(*after.result == asio::error::operation_aborted);
    CHECK_FALSE(after.permit);
    CHECK(after.limits->back.size() == 1);
}

TEST_CASE("shared gate: what was not sent comes back, and tokens are settled")
{
    world w;
    w.limits->at_once = admitted();
    w.enter(100);
    w.permit.reset();
    CHECK(w.limits->back == std::vector<std::pair<double, double>>{{1, 100}});

    w.limits->back.clear();
    w.enter(100);
    w.permit.sent();
    w.permit.used(30);
    w.permit.used(30);
    w.permit.used(150);
    serin::shared_permit moved = std::move(w.permit);
    moved.reset();
    CHECK(w.limits->back == std::vector<std::pair<double, double>>{{0, 70}, {0, -120}});
}

TEST_CASE("shared gate: destroying the context frees who waits")
{
    auto const tracked = std::make_shared<slow_limits>();
    {
        world w;
        w.limits = tracked;
        w.gate = std::make_shared<serin::shared_gate>(
            tracked, "name", w.params, std::make_shared<serin::clock_source>(), w.context.get_executor());
        w.enter(1);
        REQUIRE(tracked->asked.size() == 1);
    }
    tracked->asked.clear();
    CHECK(tracked.use_count() == 1);
}
