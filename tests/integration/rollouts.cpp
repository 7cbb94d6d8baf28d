// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Rollouts, canaries by key and mirrors, with providers over real sockets.

#include "answers.hpp"
#include "catch.hpp"
#include "load.hpp"

#include <serin/client.hpp>
#include <serin/mock/provider.hpp>

#include <chrono>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using serin::rollout_change;
using serin::rollout_status;
using serin::mock::behavior;
using serin::mock::forever;

namespace {

// Providers "stable" and "canary" and a model "m" that they answer for, of which the latter takes over in seconds.
class rollout_fixture
{
public:
    rollout_fixture() : stable("stable"), canary("canary")
    {
        params.upstreams = {stable.upstream(), canary.upstream()};
        params.models = {model_of("m", {"stable", "canary"})};
        serin::rollout_params r;
        r.model = "m";
        r.candidate = "canary";
        r.stages = {0.25, 0.5, 1.0};
        r.hold = 300ms;
        r.gates.min_requests = 50;
        r.gates.window = 3s; // The figures are looked at 60 times in it.
        params.rollouts = {r};
        params.seed = 1;
    }

    serin::rollout_params& rollout() { return params.rollouts[0]; }

    static serin::rollout_report report(load const& l) { return l.client.rollouts().at(0); }

    static bool reaches(load& l, rollout_status status)
    {
        return l.until([&] { return report(l).status == status; });
    }

    named_provider stable;
    named_provider canary;
    serin::client_params params;
};

// A share of the answers is another one.
void answer_some(named_provider& p, unsigned one_in, behavior const& other)
{
    p.server.set_function([one_in, other, n = std::make_shared<unsigned>()](
                              serin::mock::request_view const&) { return ++*n % one_in == 0 ? other : behavior(); });
}

class mirror_fixture
{
public:
    mirror_fixture() : stable("stable"), canary("canary")
    {
        params.upstreams = {stable.upstream(), canary.upstream()};
        params.models = {model_of("m", {"stable"})};
        serin::mirror_params m;
        m.model = "m";
        m.candidate = "canary";
        m.share = 1;
        m.gates.min_requests = 50;
        m.gates.window = 3s;
        params.mirrors = {m};
        params.seed = 1;
    }

    static serin::mirror_report report(load const& l) { return l.client.mirrors().at(0); }

    named_provider stable;
    named_provider canary;
    serin::client_params params;
};

} // namespace

TEST_CASE_METHOD(rollout_fixture, "rollouts: a good candidate takes over, stage by stage")
{
    load l(params);
    l.start("m");
    l.run_calls(300);
    if (report(l).stage == 0)
        CHECK(std::abs(l.share_of("canary") - 0.25) < 0.1);
    CHECK(reaches(l, rollout_status::completed));
    auto const r = report(l);
    CHECK(r.model == "m");
    CHECK(r.candidate == "canary");
    CHECK(r.stage == 2);
    CHECK(r.stages == 3);
    CHECK(r.share == 1);
    auto const since = l.now();
    l.run_calls(200);
    CHECK(l.share_of("canary", since) == 1);
    l.stop();
    CHECK(l.failure().empty());
    CHECK(l.has_logged("rollout of m: promoted"));
    CHECK(l.has_logged("rollout of m: completed"));
}

TEST_CASE_METHOD(rollout_fixture, "rollouts: a candidate that breaks a gate loses its share, and no call fails")
{
    rollout().hold = 1h;
    auto& gates = rollout().gates;
    std::string gate;
    SECTION("the share of errors")
    {
        gates.success_rate.reset();
        gates.times_others = std::numeric_limits<double>::infinity();
        answer_some(canary, 3, behavior().with_status(500));
        gate = "error";
    }
    SECTION("the share of successes, where it has too many requests")
    {
        gates.error_rate.reset();
        gates.times_others = std::numeric_limits<double>::infinity();
        answer_some(canary, 2, behavior().with_status(429));
        gate = "success";
    }
    SECTION("the time of answers")
    {
        gates.p99 = 20ms;
        canary.server.set_default(behavior().delayed(60ms));
        gate = "p99";
    }
    SECTION("the errors of the others")
    {
        gates.error_rate = 1;
        gates.success_rate.reset();
        answer_some(canary, 3, behavior().with_status(500));
        gate = "others";
    }
    SECTION("the time of the others")
    {
        gates.p99 = 10s;    // What is compared is what has a gate.
        gates.window = 20s; // A p99 takes many answers.
        canary.server.set_default(behavior().delayed(60ms));
        gate = "others";
    }
    // The circuit is another matter.
    params.health.consecutive_failures = 0;
    params.health.failure_rate = 2;
    load l(params);
    l.start("m");
    CHECK(reaches(l, rollout_status::rolled_back));
    CAPTURE(report(l).why);
    CHECK_THAT(report(l).why, ContainsSubstring(gate));
    CHECK(report(l).share == 0);
    auto const since = l.now();
    l.run_calls(200);
    CHECK(l.share_of("canary", since) == 0);
    l.stop();
    CHECK(l.failure().empty());
    CHECK(l.has_logged("rollout of m: rolled_back, share 0"));
}

TEST_CASE_METHOD(rollout_fixture, "rollouts: a candidate that is down is ejected and rolled back all the same")
{
    rollout().hold = 1h;
    params.health.ejection = 50ms;
    params.health.max_ejection = 100ms;
    canary.server.set_default(behavior().reset_before_head());
    load l(params);
    l.start("m");
    CHECK(reaches(l, rollout_status::rolled_back));
    l.stop();
    CHECK(l.failure().empty());
}

TEST_CASE_METHOD(rollout_fixture, "rollouts: streams count by their first token")
{
    rollout().hold = 1h;
    rollout().gates.p99_of = serin::rollout_latency::first_token;
    rollout().gates.p99 = 20ms;
    rollout().stages = {0.5};
    canary.server.set_default(behavior().paced(0ms, 60ms));
    boost::asio::io_context context;
    serin::client client(context.get_executor(), params);
    int calls = 0;
    while (client.rollouts().at(0).status == rollout_status::running && calls < 2000)
    {
        stream_outcome out;
        run(context, read_stream(client, ask("m"), out));
        CHECK_FALSE(out.ec);
        ++calls;
    }
    CHECK(client.rollouts().at(0).status == rollout_status::rolled_back);
    CHECK_THAT(client.rollouts().at(0).why, ContainsSubstring("p99"));
}

TEST_CASE_METHOD(rollout_fixture, "rollouts: by hand")
{
    rollout().hold = 1h;
    load l(params);
    l.start("m");
    l.run_calls(20);
    CHECK(l.client.pause_rollout("m").what == rollout_change::paused);
    CHECK(report(l).status == rollout_status::paused);
    CHECK(l.client.resume_rollout("m").what == rollout_change::resumed);
    auto const promoted = l.client.promote_rollout("m");
    CHECK(promoted.what == rollout_change::promoted);
    CHECK(promoted.stage == 1);
    CHECK(promoted.share == 0.5);
    auto since = l.now();
    l.run_calls(300);
    CHECK(std::abs(l.share_of("canary", since) - 0.5) < 0.12);
    CHECK(l.client.abort_rollout("m").what == rollout_change::aborted);
    since = l.now();
    l.run_calls(100);
    CHECK(l.share_of("canary", since) == 0);
    CHECK(l.client.restart_rollout("m").what == rollout_change::restarted);
    since = l.now();
    l.run_calls(300);
    CHECK(std::abs(l.share_of("canary", since) - 0.25) < 0.12);
    l.stop();
    CHECK(l.failure().empty());

    CHECK(l.client.promote_rollout("n").what == rollout_change::none);
    CHECK(l.client.resume_rollout("m").what == rollout_change::none);
    CHECK_FALSE(l.client.save_rollout("n"));
}

TEST_CASE_METHOD(rollout_fixture, "rollouts: new parameters keep the stage")
{
    rollout().hold = 1h;
    load l(params);
    l.start("m");
    CHECK(l.client.promote_rollout("m").stage == 1);
    rollout().stages = {0.25, 0.75, 1.0};
    rollout().gates.error_rate = 0.5;
    params.upstreams[0].weight = 7;
    serin::diagnostics diag;
    REQUIRE_FALSE(l.client.reconfigure(params, diag));
    CHECK(report(l).stage == 1);
    CHECK(report(l).share == 0.75);
    auto const since = l.now();
    l.run_calls(300);
    CHECK(std::abs(l.share_of("canary", since) - 0.75) < 0.12);

    // Without it the weights count, and another candidate begins at the beginning.
    auto without = params;
    without.rollouts.clear();
    REQUIRE_FALSE(l.client.reconfigure(without, diag));
    CHECK(l.client.rollouts().empty());
    rollout().candidate = "stable";
    REQUIRE_FALSE(l.client.reconfigure(params, diag));
    CHECK(report(l).stage == 0);
    l.run_calls(20);
    l.stop();
    CHECK(l.failure().empty());
}

TEST_CASE_METHOD(rollout_fixture, "rollouts: another process goes on where one has ended")
{
    rollout().hold = 1h;
    std::string kept;
    {
        load l(params);
        l.client.promote_rollout("m");
        l.start("m");
        l.run_calls(20);
        l.stop();
        auto const state = l.client.save_rollout("m");
        REQUIRE(state);
        kept = to_text(*state);
    }
    {
        load l(params);
        auto const state = serin::rollout_state_from_text(kept);
        REQUIRE(state);
        CHECK(report(l).stage == 0);
        CHECK(l.client.restore_rollout("m", *state));
        CHECK(report(l).stage == 1);
        CHECK(report(l).share == 0.5);
        l.start("m");
        l.run_calls(300);
        CHECK(std::abs(l.share_of("canary") - 0.5) < 0.12);
        l.stop();
        l.client.abort_rollout("m");
        kept = to_text(l.client.save_rollout("m").value());
    }
    {
        load l(params);
        CHECK(l.client.restore_rollout("m", serin::rollout_state_from_text(kept).value()));
        CHECK(report(l).status == rollout_status::rolled_back);
        l.start("m");
        l.run_calls(50);
        CHECK(l.share_of("canary") == 0);
        l.stop();
        CHECK_FALSE(l.client.restore_rollout("n", serin::rollout_state_from_text(kept).value()));
    }
    rollout().candidate = "stable";
    load l(params);
    CHECK_FALSE(l.client.restore_rollout("m", serin::rollout_state_from_text(kept).value()));
}

TEST_CASE_METHOD(rollout_fixture, "rollouts: a key stays on its side, and with the candidate when the share grows")
{
    rollout().hold = 1h;
    rollout().sticky = true;
    session s(params);
    auto const sides = [&] {
        std::map<int, std::string> upstream_of;
        for (int i = 0; i < 200; ++i)
        {
            auto r = ask("m");
            r.sticky_key = "user " + std::to_string(i);
            upstream_of[i] = s.chat(std::move(r)).response.upstream;
        }
        return upstream_of;
    };
    auto const of_canary = [](std::map<int, std::string> const& upstream_of) {
        int n = 0;
        for (auto const& [key, upstream] : upstream_of)
            n += upstream == "canary";
        return n;
    };
    auto const first = sides();
    CHECK(std::abs(of_canary(first) - 50) < 20);
    CHECK(sides() == first);
    s.client.promote_rollout("m");
    auto const second = sides();
    CHECK(std::abs(of_canary(second) - 100) < 22);
    for (auto const& [key, upstream] : first)
        if (upstream == "canary")
            CHECK(second.at(key) == "canary");
}

TEST_CASE_METHOD(mirror_fixture, "rollouts: a mirror gets copies, and callers do not notice")
{
    bool with_figures = false;
    SECTION("of one that answers")
    {
        with_figures = true;
    }
    SECTION("of one that never answers")
    {
        canary.server.set_default(behavior().delayed(forever));
    }
    SECTION("of one that fails")
    {
        canary.fail();
        with_figures = true;
    }
    SECTION("of one that breaks off")
    {
        canary.server.set_default(behavior().reset_after(2));
        with_figures = true;
    }
    SECTION("of one that is not there")
    {
        refusing_port const nobody;
        params.upstreams[1].base_url = nobody.base_url();
    }
    load l(params);
    l.start("m");
    l.run_calls(500);
    l.stop();
    CHECK(l.failure().empty());
    CHECK(l.share_of("stable") == 1);
    CHECK(stable.server.request_count() == l.calls.size());
    for (load_call const& c : l.calls)
        if (c.ended - c.began > 2s)
            FAIL("a caller has waited");
    auto const r = report(l);
    CAPTURE(canary.server.request_count(), r.left_out, r.in_flight, r.why);
    CHECK(r.model == "m");
    CHECK(r.candidate == "canary");
    CHECK(r.in_flight <= params.mirrors[0].max_in_flight);
    if (with_figures)
    {
        CHECK(r.failed == (r.of_candidate.successes == 0));
        CHECK(r.of_candidate.requests >= 100);
        CHECK(r.of_others.requests > 0);
    }
}

TEST_CASE_METHOD(mirror_fixture, "rollouts: copies of a mirror are so many at most")
{
    canary.server.set_default(behavior().delayed(forever));
    params.mirrors[0].max_in_flight = 3;
    load l(params);
    l.start("m");
    l.run_calls(100);
    l.stop();
    CHECK(report(l).in_flight == 3);
    CHECK(report(l).left_out == l.calls.size() - 3);
    CHECK(canary.server.wait_until([&] { return canary.server.request_count() == 3; }));
    // They end with the client's calls.
    l.client.cancel();
    CHECK(l.until([&] { return report(l).in_flight == 0; }));
    l.context.restart();
    l.context.run_for(20s);
    CHECK(l.context.stopped());
}

TEST_CASE_METHOD(mirror_fixture, "rollouts: a copy is what was asked, for a share of the calls")
{
    params.mirrors[0].share = 0.5;
    params.upstreams[1].model = "other";
    load l(params);
    l.start("m", 1);
    l.run_calls(100);
    l.stop();
    CHECK(l.until([&] { return report(l).in_flight == 0; }));
    auto const copies = canary.server.requests();
    CHECK(copies.size() > 20);
    CHECK(copies.size() < 80);
    for (auto const& copy : copies)
    {
        CHECK(copy.model == "other");
        CHECK_THAT(copy.body, ContainsSubstring("Say hi"));
    }
}

TEST_CASE_METHOD(mirror_fixture, "rollouts: a mirror that is worse is reported")
{
    answer_some(canary, 3, behavior().with_status(500));
    load l(params);
    l.start("m");
    CHECK(l.until([&] { return report(l).failed; }));
    CHECK_THAT(report(l).why, ContainsSubstring("error"));
    l.run_calls(50);
    l.stop();
    CHECK(l.failure().empty());
    CHECK(l.share_of("stable") == 1);
}
