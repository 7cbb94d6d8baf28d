// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/client/call_fsm.hpp"

#include <boost/asio/error.hpp>

#include "budgets.hpp"
#include "catch.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using serin::call_failure;
using serin::call_fsm;
using serin::errc;
using serin::give_up;
using serin::retry_params;
using serin::steady_time;

namespace {

using duration = steady_time::duration;
using weights = std::vector<unsigned>;
using retries = std::vector<int>; // What the budgets have: of each upstream, then of the client.

steady_time const now = steady_time(1000s);
steady_time const never = steady_time::max();

// A random value that makes the longest delay, if that is `limit`.
std::uint64_t longest(duration limit)
{
    return static_cast<std::uint64_t>(limit.count());
}

call_failure failure(serin::error_code ec, std::optional<std::chrono::milliseconds> retry_after = {})
{
    call_failure f;
    f.ec = ec;
    f.retry_after = retry_after;
    return f;
}

call_failure with_key(errc cause)
{
    call_failure f;
    f.ec = cause;
    f.another_key = true;
    return f;
}

call_failure told(errc cause, bool should_retry)
{
    call_failure f;
    f.ec = cause;
    f.should_retry = should_retry;
    return f;
}

call_failure configured(errc cause)
{
    call_failure f;
    f.ec = cause;
    f.model_configured = true;
    return f;
}

// Budgets with that many retries and no more to come.
owned_budgets with(retries const& available, steady_time at = now)
{
    retry_params params;
    params.budget_ratio = 1;
    params.budget_per_second = 0;
    owned_budgets budgets(params, available.size() - 1);
    for (std::size_t i = 0; i + 1 < available.size(); ++i)
        for (int n = 0; n < available[i]; ++n)
            budgets.targets[i].deposit(at);
    for (int n = 0; n < available.back(); ++n)
        budgets.client.deposit(at);
    return budgets;
}

retries left(owned_budgets& budgets, steady_time at = now)
{
    retries r;
    for (auto& b : budgets.targets)
        r.push_back(static_cast<int>(b.balance(at)));
    r.push_back(static_cast<int>(budgets.client.balance(at)));
    return r;
}

owned_budgets plenty(std::size_t upstreams)
{
    retry_params params;
    params.budget_per_second = 1'000'000;
    return owned_budgets(params, upstreams);
}

std::string ask(std::size_t upstream, duration delay = {})
{
    return "ask " + std::to_string(upstream) + " after " +
           std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(delay).count()) + " ms";
}

std::string end(give_up why)
{
    return "end: " + std::string(serin::give_up_name(why));
}

std::string text_of(call_fsm::step const& s)
{
    if (s.what == call_fsm::action::finish)
        return end(s.why);
    return s.why == give_up::none ? ask(s.target, s.delay) : "attempt with a reason to give up";
}

} // namespace

// --- The beginning ---

TEST_CASE("call_fsm: the table of routes says who is asked first")
{
    retry_params const params;
    auto const routes = routes_by_weight({3, 2, 0, 1});
    std::mt19937_64 random(1);
    std::set<std::size_t> seen;
    for (int i = 0; i < 100; ++i)
    {
        call_fsm fsm(params, routes);
        CHECK(fsm.attempts() == 0);
        auto budgets = plenty(4);
        auto const r = random();
        auto const expected = routes.pick({}, {}, r);
        CHECK(text_of(fsm.start(budgets, now, r)) == ask(*expected));
        CHECK(fsm.attempts() == 1);
        seen.insert(*expected);
    }
    CHECK(seen == std::set<std::size_t>{0, 1, 3});
}

TEST_CASE("call_fsm: one who cannot answer is not asked, unless nobody can")
{
    retry_params const params;
    auto const routes = routes_in_order({1, 1});
    auto budgets = plenty(2);
    std::vector<serin::route_facts> facts(2);
    facts[0].available = false;
    call_fsm fsm(params, routes);
    SECTION("at first")
    {
        CHECK(text_of(fsm.start(budgets, now, 0, facts)) == ask(1));
    }
    SECTION("when none of them can")
    {
        facts[1].available = false;
        CHECK(text_of(fsm.start(budgets, now, 0, facts)) == ask(0));
    }
    SECTION("after a failure: the same one is asked again instead")
    {
        fsm.start(budgets, now, 0, facts);
        auto const next =
            fsm.attempt_failed(1, failure(errc::server_error), budgets, now, never, longest(500ms), facts);
        CHECK(text_of(next) == ask(1, 500ms));
    }
    SECTION("after a failure that asking again does not help")
    {
        fsm.start(budgets, now, 0, facts);
        auto const next = fsm.attempt_failed(1, failure(errc::authentication), budgets, now, never, 0, facts);
        // The server may not take another key, but the key may be gone for this upstream only.
        CHECK(text_of(next) == ask(0));
    }
    SECTION("as a hedge")
    {
        fsm.start(budgets, now, 0, facts);
        CHECK_FALSE(fsm.hedge(budgets, now, 0, facts));
    }
    SECTION("of those that were asked, the one that can answer is asked again")
    {
        facts[0].available = true;
        fsm.start(budgets, now, 0, facts);
        CHECK(text_of(fsm.attempt_failed(0, failure(errc::server_error), budgets, now, never, 0, facts)) == ask(1));
        facts[0].available = false;
        auto const next =
            fsm.attempt_failed(1, failure(errc::server_error), budgets, now, never, longest(500ms), facts);
        CHECK(text_of(next) == ask(1, 500ms));
    }
}

TEST_CASE("call_fsm: a new call is paid into the budgets of its upstream and the client")
{
    retry_params const params;
    weights const w = {0, 1};
    auto const routes = routes_in_order(w);
    call_fsm fsm(params, routes);
    auto budgets = with({0, 0, 0});
    fsm.start(budgets, now, 1);
    CHECK(left(budgets) == retries{0, 1, 1});
}

// --- After a failure: what every cause leads to ---

TEST_CASE("call_fsm: every cause, with one upstream, with another key, with another upstream")
{
    std::string const no = end(give_up::not_retryable);
    std::string const again = ask(0, 500ms);
    std::string const key = ask(0);
    std::string const other = ask(1);

    struct row
    {
        call_failure failure;
        std::string alone;
        std::string another_key;
        std::string another_upstream;
    };
    row const rows[] = {
        {failure(errc::request_timeout), again, again, other},
        {failure(errc::conflict), again, again, other},
        {failure(errc::rate_limited), again, key, other},
        {failure(errc::overloaded), again, again, other},
        {failure(errc::server_error), again, again, other},

        {failure(errc::resolve_failed), again, again, other},
        {failure(errc::connect_failed), again, again, other},
        {failure(errc::tls_failed), again, again, other},
        {failure(errc::connection_lost), again, again, other},
        {failure(errc::pool_timeout), again, again, other},
        {failure(errc::connect_timeout), again, again, other},
        {failure(errc::tls_timeout), again, again, other},
        {failure(errc::write_timeout), again, again, other},
        {failure(errc::first_byte_timeout), again, again, other},
        {failure(errc::first_token_timeout), again, again, other},
        {failure(errc::idle_timeout), again, again, other},
        {failure(errc::stream_truncated), again, again, other},
        {failure(errc::stream_error), again, again, other},
        {failure(errc::malformed_response), again, again, other},

        {failure(errc::authentication), no, key, other},
        {failure(errc::quota_exhausted), no, key, other},
        {failure(errc::permission), no, no, no},
        {failure(errc::budget_exceeded), no, no, other},
        {failure(errc::invalid_key), no, no, other},
        {failure(errc::redirected), no, no, other},
        {failure(errc::not_found), no, no, no},
        {configured(errc::not_found), no, no, other},

        {failure(errc::invalid_request), no, no, no},
        {failure(errc::context_length_exceeded), no, no, no},
        {failure(errc::content_filtered), no, no, no},
        {failure(errc::refused), no, no, no},
        {failure(errc::length_limited), no, no, no},
        {failure(errc::too_many_rounds), no, no, no},
        {failure(errc::response_too_large), no, no, no},
        {failure(errc::memory_limit), no, no, no},
        {failure(errc::invalid_argument), no, no, no},
        {failure(errc::invalid_url), no, no, no},
        {failure(errc::insecure_transport), no, no, no},
        {failure(errc::token_idle_timeout), no, no, no},
        {failure(errc::deadline_exceeded), no, no, no},
        {failure(boost::asio::error::operation_aborted), no, no, no},
        {failure(boost::asio::error::connection_reset), no, no, no},

        {told(errc::server_error, true), again, again, other},
        {told(errc::server_error, false), no, no, other},
        {told(errc::rate_limited, false), no, key, other},
        {told(errc::invalid_request, true), again, again, other},
        {told(errc::invalid_request, false), no, no, no},
        {told(errc::not_found, true), again, again, other},
        {told(errc::length_limited, true), no, no, no},
    };

    retry_params const params;
    auto const after = [&](weights const& w, call_failure const& f) {
        auto const routes = routes_in_order(w);
        call_fsm fsm(params, routes);
        auto budgets = plenty(w.size());
        REQUIRE(text_of(fsm.start(budgets, now, 0)) == ask(0));
        return text_of(fsm.attempt_failed(0, f, budgets, now, never, longest(500ms)));
    };
    for (row const& r : rows)
    {
        CAPTURE(serin::kind_name(r.failure.ec), r.failure.model_configured, r.failure.should_retry.has_value());
        CHECK(after({1}, r.failure) == r.alone);
        call_failure with_another = r.failure;
        with_another.another_key = true;
        CHECK(after({1}, with_another) == r.another_key);
        CHECK(after({1, 1}, r.failure) == r.another_upstream);
    }
}

// --- After a failure: the circumstances ---

TEST_CASE("call_fsm: whom to ask when, and who pays")
{
    call_failure const broken = failure(errc::server_error);
    call_failure const slow_down = failure(errc::rate_limited, 20s);
    call_failure const go_away = failure(errc::overloaded, 61s);
    call_failure const bad_request = failure(errc::invalid_request);
    call_failure const bad_key = failure(errc::authentication);
    call_failure limited_key = with_key(errc::rate_limited);
    limited_key.retry_after = 1h;

    struct row
    {
        char const* what;
        weights w;
        std::vector<call_failure> before; // Of the attempts before the last, all at `now`, with random value 0.
        call_failure last;
        retries budget;
        std::optional<duration> deadline; // From `now`
        std::uint64_t random;
        std::string expected;
        retries budget_after;
    };
    auto const s500 = longest(500ms);
    auto const s1000 = longest(1s);
    row const rows[] = {
        // One upstream
        {"full jitter: no delay", {1}, {}, broken, {1, 0}, {}, 0, ask(0), {0, 0}},
        {"full jitter: the longest", {1}, {}, broken, {1, 0}, {}, s500, ask(0, 500ms), {0, 0}},
        {"second round", {1}, {broken}, broken, {1, 0}, {}, s1000, ask(0, 1s), {0, 0}},
        {"third round", {1}, {broken, broken}, broken, {1, 0}, {}, longest(2s), ask(0, 2s), {0, 0}},
        {"fourth round", {1}, {broken, broken, broken}, broken, {1, 0}, {}, longest(4s), ask(0, 4s), {0, 0}},
        {"enough", {1}, {broken, broken, broken, broken}, broken, {9, 9}, {}, 0, end(give_up::attempts), {9, 9}},
        {"enough, and it could not help", {1}, {broken, broken, broken, broken}, bad_request, {9, 9}, {}, 0,
            end(give_up::not_retryable), {9, 9}},
        {"enough, and there is no other key", {1}, {broken, broken, broken, broken}, bad_key, {9, 9}, {}, 0,
            end(give_up::not_retryable), {9, 9}},
        {"no budget", {1}, {}, broken, {0, 9}, {}, 0, end(give_up::budget), {0, 9}},
        {"weight 0 is as good as any if there is no other", {0}, {}, broken, {1, 0}, {}, s500, ask(0, 500ms), {0, 0}},

        // Retry-After
        {"Retry-After, jitter on top", {1}, {}, slow_down, {1, 0}, {}, s500, ask(0, 20s + 500ms), {0, 0}},
        {"Retry-After, never less", {1}, {}, slow_down, {1, 0}, {}, 0, ask(0, 20s), {0, 0}},
        {"Retry-After, the longest", {1}, {}, failure(errc::overloaded, 60s), {1, 0}, {}, 0, ask(0, 60s), {0, 0}},
        {"Retry-After, too long", {1}, {}, failure(errc::overloaded, 60001ms), {1, 0}, {}, 0, end(give_up::retry_after),
            {1, 0}},
        {"Retry-After, absurd", {1}, {}, failure(errc::overloaded, std::chrono::milliseconds::max()), {1, 0}, {}, 0,
            end(give_up::retry_after), {1, 0}},
        {"Retry-After, negative", {1}, {}, failure(errc::overloaded, std::chrono::milliseconds::min()), {1, 0}, {},
            s500, ask(0, 500ms), {0, 0}},
        {"Retry-After, too long, but it is not asked again anyway", {1}, {}, failure(errc::redirected, 61s), {1, 0}, {},
            0, end(give_up::not_retryable), {1, 0}},
        {"Retry-After of the failure before is over", {1}, {slow_down}, broken, {1, 0}, {}, s1000, ask(0, 1s), {0, 0}},
        {"Retry-After speaks for the key", {1}, {}, limited_key, {1, 0}, {}, 0, ask(0), {0, 0}},

        // Deadline
        {"just in time", {1}, {}, broken, {1, 0}, 501ms, s500, ask(0, 500ms), {0, 0}},
        {"too late", {1}, {}, broken, {1, 0}, 500ms, s500, end(give_up::deadline), {1, 0}},
        {"Retry-After ends too late", {1}, {}, slow_down, {1, 0}, 20s, 0, end(give_up::deadline), {1, 0}},
        {"already over", {1}, {}, broken, {1, 0}, -1s, 0, end(give_up::deadline), {1, 0}},
        {"over right now", {1}, {}, broken, {1, 0}, 0ns, 0, end(give_up::deadline), {1, 0}},
        {"over: another upstream", {1, 1}, {}, broken, {1, 1, 1}, 0ns, 0, end(give_up::deadline), {1, 1, 1}},
        {"over: another key", {1}, {}, with_key(errc::authentication), {1, 1}, 0ns, 0, end(give_up::deadline), {1, 1}},
        {"over, and it could not help", {1}, {}, bad_request, {1, 1}, 0ns, 0, end(give_up::not_retryable), {1, 1}},
        {"a whole budget is not asked for what is too late", {1}, {}, broken, {0, 0}, 500ms, s500, end(give_up::budget),
            {0, 0}},

        // Another key
        {"another key is paid", {1}, {}, with_key(errc::authentication), {1, 1}, {}, s500, ask(0), {0, 1}},
        {"another key without a budget", {1}, {}, with_key(errc::authentication), {0, 1}, {}, 0, end(give_up::budget),
            {0, 1}},
        {"another key without a budget, rate limited", {1}, {}, with_key(errc::rate_limited), {0, 1}, {}, 0,
            end(give_up::budget), {0, 1}},
        {"another key does not make the next delay longer", {1}, {with_key(errc::authentication)}, broken, {1, 0}, {},
            s500, ask(0, 500ms), {0, 0}},
        {"another key after all tries", {1}, {broken, broken, broken, broken}, with_key(errc::authentication), {9, 9},
            {}, 0, end(give_up::attempts), {9, 9}},

        // Another upstream
        {"the first change is free", {1, 1}, {}, broken, {0, 0, 0}, {}, s500, ask(1), {0, 0, 0}},
        {"even from a rate limit", {1, 1}, {}, go_away, {0, 0, 0}, {}, 0, ask(1), {0, 0, 0}},
        {"after another key", {1, 1}, {}, with_key(errc::authentication), {1, 1, 1}, {}, 0, ask(0), {0, 1, 1}},
        {"when that is not paid", {1, 1}, {}, with_key(errc::authentication), {0, 1, 1}, {}, 0, ask(1), {0, 1, 1}},
        {"not one without a weight", {1, 0}, {}, broken, {1, 9, 9}, {}, s500, ask(0, 500ms), {0, 9, 9}},
        {"not if all have none", {0, 0}, {}, broken, {1, 9, 9}, {}, s500, ask(0, 500ms), {0, 9, 9}},
        {"one without a weight between", {1, 0, 1}, {}, broken, {0, 0, 0, 0}, {}, 0, ask(2), {0, 0, 0, 0}},
        {"the second change is paid by the client", {1, 1, 1}, {broken}, broken, {9, 9, 9, 1}, {}, 0, ask(2),
            {9, 9, 9, 0}},
        {"the second change without a budget", {1, 1, 1}, {broken}, broken, {9, 9, 9, 0}, {}, s500, ask(0, 500ms),
            {8, 9, 9, 0}},
        {"no budget at all", {1, 1, 1}, {broken}, broken, {0, 0, 9, 0}, {}, 0, end(give_up::budget), {0, 0, 9, 0}},
        {"no budget, and nobody else", {1, 1, 1}, {bad_key}, bad_key, {9, 9, 9, 0}, {}, 0, end(give_up::budget),
            {9, 9, 9, 0}},
        {"after all tries", {1, 1, 1, 1, 1, 1}, {broken, broken, broken, broken}, broken, {9, 9, 9, 9, 9, 9, 9}, {}, 0,
            end(give_up::attempts), {9, 9, 9, 9, 9, 9, 9}},
        {"the request is to blame, wherever", {1, 1, 1}, {broken}, bad_request, {9, 9, 9, 9}, {}, 0,
            end(give_up::not_retryable), {9, 9, 9, 9}},

        // Back to those that were asked
        {"the first one again", {1, 1}, {broken}, broken, {1, 1, 0}, {}, s500, ask(0, 500ms), {0, 1, 0}},
        {"the one with fewer attempts", {1, 1}, {broken, broken}, broken, {1, 1, 0}, {}, s1000, ask(1, 1s), {1, 0, 0}},
        {"the heavier one", {1, 2}, {broken}, broken, {1, 1, 0}, {}, s500, ask(1, 500ms), {1, 0, 0}},
        {"the one with a budget", {1, 1}, {broken}, broken, {0, 1, 0}, {}, s500, ask(1, 500ms), {0, 0, 0}},
        {"the one that is not to rest", {1, 1}, {slow_down}, broken, {1, 1, 0}, {}, s500, ask(1, 500ms), {1, 0, 0}},
        {"the one that rests less", {1, 1}, {slow_down}, failure(errc::overloaded, 19s), {1, 1, 0}, {}, s500,
            ask(1, 19s + 500ms), {1, 0, 0}},
        {"the one that rests, as the other has no budget", {1, 1}, {slow_down}, broken, {1, 0, 0}, {}, s500,
            ask(0, 20s + 500ms), {0, 0, 0}},
        {"the one that is not to be left alone", {1, 1}, {go_away}, broken, {1, 1, 0}, {}, s500, ask(1, 500ms),
            {1, 0, 0}},
        {"both want to be left alone", {1, 1}, {go_away}, go_away, {1, 1, 0}, {}, 0, end(give_up::retry_after),
            {1, 1, 0}},
        {"one wants to be left alone, the other has no budget", {1, 1}, {go_away}, broken, {1, 0, 0}, {}, 0,
            end(give_up::budget), {1, 0, 0}},
        {"not the one whose key was refused", {1, 1}, {bad_key}, broken, {1, 1, 0}, {}, s500, ask(1, 500ms), {1, 0, 0}},
        {"the first one, as the second refuses the key", {1, 1}, {broken}, bad_key, {1, 1, 0}, {}, s500, ask(0, 500ms),
            {0, 1, 0}},
        {"both refuse the key", {1, 1}, {bad_key}, bad_key, {1, 1, 1}, {}, 0, end(give_up::not_retryable), {1, 1, 1}},
        {"both refuse the key, and one has another", {1, 1}, {bad_key}, with_key(errc::authentication), {1, 1, 1}, {},
            0, ask(1), {1, 0, 1}},
        {"another key without a budget, but there is the first", {1, 1}, {broken}, with_key(errc::authentication),
            {1, 0, 1}, {}, s500, ask(0, 500ms), {0, 0, 1}},
        {"not the one that has refused the key since", {1, 1}, {broken, broken, bad_key}, broken, {1, 1, 0}, {},
            longest(2s), ask(1, 2s), {1, 0, 0}},
    };

    retry_params const params;
    for (row const& r : rows)
    {
        CAPTURE(r.what);
        auto const routes = routes_in_order(r.w);
        call_fsm fsm(params, routes);
        auto rich = plenty(r.w.size());
        auto at = fsm.start(rich, now, 0);
        for (auto const& f : r.before)
        {
            REQUIRE(at.what == call_fsm::action::attempt);
            at = fsm.attempt_failed(at.target, f, rich, now, never, 0);
        }
        REQUIRE(at.what == call_fsm::action::attempt);
        CHECK(fsm.attempts() == r.before.size() + 1);

        auto budgets = with(r.budget);
        steady_time const deadline = r.deadline ? now + *r.deadline : never;
        auto const next = fsm.attempt_failed(at.target, r.last, budgets, now, deadline, r.random);
        CHECK(text_of(next) == r.expected);
        CHECK(left(budgets) == r.budget_after);
        CHECK(fsm.attempts() == r.before.size() + (next.what == call_fsm::action::attempt ? 2 : 1));
    }
}

TEST_CASE("call_fsm: without a deadline the clock's range is the end")
{
    retry_params params;
    params.max_retry_after = duration::max();
    weights const w = {1};
    auto const routes = routes_in_order(w);
    call_fsm fsm(params, routes);
    auto budgets = with({1, 1});
    fsm.start(budgets, now, 0);
    auto const forever = failure(errc::overloaded, std::chrono::milliseconds::max());
    CHECK(text_of(fsm.attempt_failed(0, forever, budgets, now, never, 0)) == end(give_up::deadline));
}

TEST_CASE("call_fsm: max_attempts")
{
    weights const w = {1};
    for (int const max : {-1, 0, 1, 2, 7})
    {
        CAPTURE(max);
        retry_params params;
        params.max_attempts = max;
        auto const routes = routes_in_order(w);
        call_fsm fsm(params, routes);
        auto budgets = plenty(1);
        auto s = fsm.start(budgets, now, 0);
        while (s.what == call_fsm::action::attempt && fsm.attempts() < 100)
            s = fsm.attempt_failed(0, failure(errc::server_error), budgets, now, never, 0);
        CHECK(text_of(s) == end(give_up::attempts));
        CHECK(fsm.attempts() == static_cast<std::size_t>(std::max(max, 1)));
    }
}

TEST_CASE("call_fsm: time that went by is taken off Retry-After")
{
    retry_params const params;
    weights const w = {2, 1};
    auto const routes = routes_in_order(w);
    call_fsm fsm(params, routes);
    auto budgets = plenty(2);
    fsm.start(budgets, now, 0);
    REQUIRE(text_of(fsm.attempt_failed(0, failure(errc::rate_limited, 20s), budgets, now, never, 0)) == ask(1));
    SECTION("a part of it")
    {
        auto const s = fsm.attempt_failed(1, failure(errc::rate_limited, 30s), budgets, now + 12s, never, 0);
        CHECK(text_of(s) == ask(0, 8s));
    }
    SECTION("all of it: then it is as good as the others")
    {
        auto const s = fsm.attempt_failed(1, failure(errc::server_error), budgets, now + 21s, never, longest(500ms));
        CHECK(text_of(s) == ask(0, 500ms));
    }
}

TEST_CASE("call_fsm: among those that may be asked now it does not matter who failed first")
{
    retry_params const params;
    weights const w = {1, 2};
    auto const routes = routes_in_order(w);
    call_fsm fsm(params, routes);
    auto budgets = plenty(2);
    fsm.start(budgets, now, 0);
    REQUIRE(text_of(fsm.attempt_failed(0, failure(errc::server_error), budgets, now, never, 0)) == ask(1));
    CHECK(text_of(fsm.attempt_failed(1, failure(errc::server_error), budgets, now + 5s, never, 0)) == ask(1));
}

// --- Hedges ---

TEST_CASE("call_fsm: a hedge goes to an upstream that was not asked yet, if the client can pay")
{
    retry_params const params;
    weights const w = {1, 0, 1, 3};
    auto const routes = routes_in_order(w);
    call_fsm fsm(params, routes);
    auto rich = plenty(4);
    fsm.start(rich, now, 0);
    SECTION("as the table says")
    {
        auto budgets = with({0, 0, 0, 0, 2});
        CHECK(fsm.hedge(budgets, now, 1) == 2u);
        CHECK(fsm.attempts() == 2);
        CHECK(fsm.hedge(budgets, now, 1) == 3u);
        CHECK(fsm.attempts() == 3);
        CHECK(left(budgets) == retries{0, 0, 0, 0, 0});
    }
    SECTION("not without a budget")
    {
        auto budgets = with({9, 9, 9, 9, 0});
        CHECK_FALSE(fsm.hedge(budgets, now, 0));
        CHECK(fsm.attempts() == 1);
        CHECK(left(budgets) == retries{9, 9, 9, 9, 0});
    }
    SECTION("not when all were asked")
    {
        auto budgets = with({0, 0, 0, 0, 9});
        CHECK(fsm.hedge(budgets, now, 0) == 2u);
        CHECK(fsm.hedge(budgets, now, 0) == 3u);
        CHECK_FALSE(fsm.hedge(budgets, now, 0));
        CHECK(left(budgets) == retries{0, 0, 0, 0, 7});
    }
}

TEST_CASE("call_fsm: a hedge is an attempt")
{
    retry_params params;
    params.max_attempts = 2;
    weights const w = {1, 1, 1};
    auto const routes = routes_in_order(w);
    call_fsm fsm(params, routes);
    auto budgets = with({9, 9, 9, 9});
    fsm.start(budgets, now, 0);
    auto const before = left(budgets);
    CHECK(fsm.hedge(budgets, now, 0) == 1u);
    CHECK_FALSE(fsm.hedge(budgets, now, 0));
    auto const s = fsm.attempt_failed(0, failure(errc::server_error), budgets, now, never, 0);
    CHECK(text_of(s) == end(give_up::attempts));
    auto expected = before;
    --expected.back();
    CHECK(left(budgets) == expected);
}

TEST_CASE("call_fsm: an upstream that is being asked is not asked a second time")
{
    retry_params const params;
    weights const w = {1, 1};
    auto const routes = routes_in_order(w);
    call_fsm fsm(params, routes);
    auto budgets = plenty(2);
    fsm.start(budgets, now, 0);
    REQUIRE(fsm.hedge(budgets, now, 0) == 1u);
    SECTION("it has not failed yet")
    {
        auto const s = fsm.attempt_failed(0, failure(errc::authentication), budgets, now, never, 0);
        CHECK(text_of(s) == end(give_up::not_retryable));
    }
    SECTION("it failed before")
    {
        auto s = fsm.attempt_failed(1, failure(errc::server_error), budgets, now, never, 0);
        REQUIRE(text_of(s) == ask(1));
        s = fsm.attempt_failed(0, failure(errc::authentication), budgets, now, never, 0);
        CHECK(text_of(s) == end(give_up::not_retryable));
        s = fsm.attempt_failed(1, failure(errc::server_error), budgets, now, never, 0);
        CHECK(text_of(s) == ask(1));
    }
}

TEST_CASE("call_fsm: an attempt that fails beside another one counts for what comes later")
{
    retry_params const params;
    weights const w = {1, 1};
    auto const routes = routes_in_order(w);
    call_fsm fsm(params, routes);
    auto budgets = plenty(2);
    fsm.start(budgets, now, 0);
    REQUIRE(fsm.hedge(budgets, now, 0) == 1u);
    auto const before = left(budgets);
    SECTION("its upstream can be asked again")
    {
        fsm.failed_beside(1, failure(errc::rate_limited, 20s), now);
        CHECK(fsm.attempts() == 2);
        CHECK(left(budgets) == before);
        CHECK(
            text_of(fsm.attempt_failed(0, failure(errc::authentication), budgets, now + 5s, never, 0)) == ask(1, 15s));
    }
    SECTION("its upstream cannot")
    {
        fsm.failed_beside(1, failure(errc::redirected), now);
        CHECK(text_of(fsm.attempt_failed(0, failure(errc::authentication), budgets, now, never, 0)) ==
              end(give_up::not_retryable));
    }
    SECTION("its upstream wants to be left alone for too long")
    {
        fsm.failed_beside(1, failure(errc::overloaded, 61s), now);
        CHECK(text_of(fsm.attempt_failed(0, failure(errc::authentication), budgets, now, never, 0)) ==
              end(give_up::retry_after));
    }
}

TEST_CASE("call_fsm: a hedge leaves the free change of upstream alone")
{
    retry_params const params;
    weights const w = {1, 1, 1};
    auto const routes = routes_in_order(w);
    call_fsm fsm(params, routes);
    auto budgets = with({0, 0, 0, 1});
    auto rich = plenty(3);
    fsm.start(rich, now, 0);
    REQUIRE(fsm.hedge(budgets, now, 0) == 1u);
    CHECK(text_of(fsm.attempt_failed(0, failure(errc::server_error), budgets, now, never, 0)) == ask(2));
}

// --- Over many random lives ---

TEST_CASE("call_fsm: whatever happens, the rules hold")
{
    std::mt19937_64 random(GENERATE(1u, 2u, 3u, 4u));
    auto const below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    errc const causes[] = {errc::server_error, errc::rate_limited, errc::overloaded, errc::authentication,
        errc::quota_exhausted, errc::connect_failed, errc::redirected, errc::pool_timeout, errc::invalid_request};
    std::map<give_up, int> ends;

    for (int life = 0; life < 5000; ++life)
    {
        retry_params params;
        params.max_attempts = 1 + static_cast<int>(below(8));
        weights w(1 + below(10));
        for (auto& x : w)
            x = static_cast<unsigned>(below(4));
        bool const all_zero = std::ranges::count(w, 0u) == static_cast<std::ptrdiff_t>(w.size());
        retries available(w.size() + 1);
        for (auto& x : available)
            x = static_cast<int>(below(4));
        auto budgets = with(available);
        auto const routes = routes_in_order(w);
        call_fsm fsm(params, routes);
        steady_time t = now;
        steady_time const deadline = t + std::chrono::seconds(1 + below(100));
        std::map<std::size_t, steady_time> not_before;

        auto step = fsm.start(budgets, t, random());
        std::size_t attempts = 1;
        while (step.what == call_fsm::action::attempt)
        {
            REQUIRE(step.target < w.size());
            REQUIRE((w[step.target] > 0 || all_zero));
            REQUIRE(step.delay >= 0s);
            t += step.delay;
            REQUIRE(t < deadline);
            REQUIRE(attempts <= static_cast<std::size_t>(params.max_attempts));
            REQUIRE(fsm.attempts() == attempts);
            REQUIRE(t >= not_before[step.target]);

            call_failure f = failure(causes[below(std::size(causes))]);
            if (below(3) == 0)
                f.retry_after = std::chrono::milliseconds(below(80'000));
            f.another_key = below(4) == 0;
            t += std::chrono::milliseconds(below(900));
            // Another key may be used at once.
            if (f.retry_after && !f.another_key)
                not_before[step.target] = t + *f.retry_after;

            auto const before = left(budgets, t);
            step = fsm.attempt_failed(step.target, f, budgets, t, deadline, random());
            auto const after = left(budgets, t);
            int paid = 0;
            for (std::size_t i = 0; i < before.size(); ++i)
            {
                REQUIRE(after[i] <= before[i]);
                paid += before[i] - after[i];
            }
            REQUIRE(paid <= (step.what == call_fsm::action::attempt ? 1 : 0));
            if (step.what == call_fsm::action::attempt)
                ++attempts;
        }
        REQUIRE(step.why != give_up::none);
        ++ends[step.why];
    }
    for (give_up const why :
        {give_up::not_retryable, give_up::attempts, give_up::budget, give_up::retry_after, give_up::deadline})
    {
        CAPTURE(serin::give_up_name(why));
        CHECK(ends[why] > 10);
    }
}

TEST_CASE("give_up_name: every reason")
{
    std::array const names = {"none", "not_retryable", "attempts", "budget", "retry_after", "deadline", "token_seen"};
    for (std::size_t i = 0; i < names.size(); ++i)
        CHECK(serin::give_up_name(static_cast<give_up>(i)) == names[i]);
    CHECK(serin::give_up_name(static_cast<give_up>(names.size())) == "unknown");
}
