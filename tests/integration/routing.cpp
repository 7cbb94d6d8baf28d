// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Who is asked: policies, ejections, fallbacks and new parameters, with providers over real sockets.

#include "answers.hpp"
#include "catch.hpp"
#include "load.hpp"

#include <serin/client.hpp>
#include <serin/mock/provider.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using serin::errc;
using serin::route_policy;
using serin::mock::behavior;

namespace {

// Providers "a", "b" and "c", and a model "m" that they answer for.
class three
{
public:
    three() : a("a"), b("b"), c("c") {}

    serin::client_params params(route_policy policy = route_policy::weighted) const
    {
        serin::client_params p;
        p.upstreams = {a.upstream(), b.upstream(), c.upstream()};
        p.models = {model_of("m", {"a", "b", "c"})};
        p.models[0].policy = policy;
        p.seed = 1;
        return p;
    }

    named_provider a;
    named_provider b;
    named_provider c;
};

serin::chat_request ask_with_key(std::string key)
{
    auto r = ask("m");
    r.sticky_key = std::move(key);
    return r;
}

} // namespace

TEST_CASE("routing: traffic of an upstream that begins to fail is gone within 2 s and back after it recovers")
{
    bool const refuses = GENERATE(false, true);
    named_provider stable("stable");
    named_provider canary("canary");
    serin::client_params p;
    p.upstreams = {stable.upstream(80), canary.upstream(20)};
    p.health.ejection = 1s;
    p.health.max_ejection = 2s;
    p.seed = 1;
    load l(p);
    l.start("mock");
    l.run_calls(1000);
    CHECK(std::abs(l.share_of("canary") - 0.20) < 0.05);

    auto const failed_at = l.now();
    if (refuses)
        canary.server.set_default(behavior().reset_before_head());
    else
        canary.fail();
    l.run_for(2s);
    CHECK(l.share_of("canary", failed_at) == 0);
    CHECK(l.has_logged("canary: ejected"));
    auto const status = l.client.upstreams();
    REQUIRE(status.size() == 2);
    CHECK(status[0].circuit == serin::circuit_state::closed);
    CHECK(status[1].circuit != serin::circuit_state::closed);

    // Only a probe now and then.
    auto const requests = canary.server.request_count();
    auto const calls = l.calls.size();
    l.run_for(1s);
    CHECK(l.calls.size() > calls + 20);
    CHECK(canary.server.request_count() <= requests + 3);

    canary.recover();
    auto const recovered_at = l.now();
    CHECK(l.until([&] { return l.share_of("canary", recovered_at) > 0; }, 3s));
    auto const back_at = l.now();
    l.run_calls(1000);
    CHECK(std::abs(l.share_of("canary", back_at) - 0.20) < 0.05);
    CHECK(l.client.upstreams()[1].circuit == serin::circuit_state::closed);

    l.stop();
    CHECK(l.failure().empty()); // Not one of all these calls
}

TEST_CASE("routing: all upstreams are bad, and still half of them are asked")
{
    three servers;
    for (auto* const s : {&servers.a, &servers.b, &servers.c})
        s->fail();
    auto p = servers.params();
    p.retry.max_attempts = 3;
    p.retry.base_delay = 1ms;
    p.health.ejection = 30s;
    session s(p);
    for (int i = 0; i < 30; ++i)
        CHECK(s.chat(ask("m")).ec == errc::server_error);
    for (auto* const one : {&servers.a, &servers.b, &servers.c})
        one->recover();
    for (int i = 0; i < 10; ++i)
        CHECK_FALSE(s.chat(ask("m")).ec);
}

TEST_CASE("routing: priority asks the next ones only when the first cannot answer")
{
    three servers;
    auto p = servers.params(route_policy::priority);
    p.upstreams[0].priority = 2;
    p.upstreams[1].priority = 1;
    p.upstreams[2].priority = 5;
    p.retry.max_attempts = 2;
    p.health.consecutive_failures = 3;
    p.health.ejection = 30s;
    session s(p);
    for (int i = 0; i < 10; ++i)
        CHECK(s.chat(ask("m")).response.upstream == "b");
    servers.b.fail();
    for (int i = 0; i < 10; ++i)
        CHECK(s.chat(ask("m")).response.upstream == "a");
    CHECK(servers.b.server.request_count() == 10 + 3);
    CHECK(servers.c.server.request_count() == 0);
}

TEST_CASE("routing: cheapest asks whose tokens cost least, for a request of this length")
{
    three servers;
    auto p = servers.params(route_policy::cheapest);
    p.upstreams[0].price.input = 1 * serin::one_dollar;
    p.upstreams[0].price.output = 100 * serin::one_dollar;
    p.upstreams[1].price.input = 20 * serin::one_dollar;
    p.upstreams[1].price.output = 20 * serin::one_dollar;
    p.upstreams[2].price.input = 300 * serin::one_dollar;
    p.upstreams[2].price.output = 300 * serin::one_dollar;
    session s(p);
    auto long_prompt = ask("m");
    long_prompt.user(std::string(40'000, 'x'));
    long_prompt.max_tokens = 10;
    auto long_answer = ask("m");
    long_answer.max_tokens = 10'000;
    for (int i = 0; i < 5; ++i)
    {
        CHECK(s.chat(long_prompt).response.upstream == "a");
        CHECK(s.chat(long_answer).response.upstream == "b");
    }
    servers.b.fail();
    CHECK(s.chat(long_answer).response.upstream == "a");
}

TEST_CASE("routing: least_busy asks who has nothing to do")
{
    three servers;
    auto p = servers.params(route_policy::least_busy);
    p.upstreams[0].weight = 1'000'000;
    p.upstreams[1].weight = 1'000;
    p.upstreams[2].weight = 1;
    load l(p);
    servers.a.server.set_default(behavior().delayed(500ms));
    servers.b.server.set_default(behavior().delayed(400ms));
    l.start("m", 3);
    // One each, before any of the slow ones has answered; the third has time for more.
    CHECK(l.until([&] { return l.calls.size() == 3; }));
    for (load_call const& call : l.calls)
        CHECK(call.upstream == "c");
    CHECK(servers.a.server.request_count() == 1);
    CHECK(servers.b.server.request_count() == 1);
    l.stop();
    CHECK(l.failure().empty());
}

TEST_CASE("routing: latency asks who has answered quickly")
{
    three servers;
    auto p = servers.params(route_policy::latency);
    p.upstreams[2].weight = 0;
    servers.a.server.set_default(behavior().delayed(40ms));
    load l(p);
    l.start("m", 1);
    l.run_calls(20);
    auto const learnt = l.now();
    l.run_calls(50);
    CHECK(l.share_of("b", learnt) > 0.9);
    servers.a.recover();
    servers.b.server.set_default(behavior().delayed(80ms));
    l.run_calls(20);
    auto const learnt_anew = l.now();
    l.run_calls(20);
    CHECK(l.share_of("a", learnt_anew) > 0.7);
    l.stop();
    CHECK(servers.c.server.request_count() == 0);
}

TEST_CASE("routing: sticky asks the same upstream for the same key, and another one while it is out")
{
    three servers;
    session s(servers.params(route_policy::sticky));
    std::map<std::string, std::string> upstream_of;
    std::map<std::string, int> keys_of;
    for (int i = 0; i < 60; ++i)
    {
        auto const key = "user " + std::to_string(i);
        auto const upstream = s.chat(ask_with_key(key)).response.upstream;
        upstream_of[key] = upstream;
        ++keys_of[upstream];
    }
    for (char const* const name : {"a", "b", "c"})
        CHECK(keys_of[name] > 8);
    for (auto const& [key, upstream] : upstream_of)
        CHECK(s.chat(ask_with_key(key)).response.upstream == upstream);

    servers.a.fail();
    for (auto const& [key, upstream] : upstream_of)
    {
        auto const now = s.chat(ask_with_key(key));
        CHECK_FALSE(now.ec);
        CHECK((upstream == "a" ? now.response.upstream != "a" : now.response.upstream == upstream));
    }
}

TEST_CASE("routing: a target has its own model and weight")
{
    three servers;
    auto p = servers.params();
    p.models[0].upstreams = {{"a", "large-1", 0u}, {"b", "large-2", 5u}, {"c", {}, 0u}};
    p.models.push_back(model_of("n", {"c"}));
    p.models.push_back(model_of("o", {"a"}));
    p.upstreams[0].model = "of a";
    session s(p);
    for (int i = 0; i < 5; ++i)
        CHECK(s.chat(ask("m")).response.upstream == "b");
    CHECK(servers.b.server.requests().back().model == "large-2");
    CHECK_FALSE(s.chat(ask("n")).ec);
    CHECK(servers.c.server.requests().back().model == "n"); // The name that the caller gave
    CHECK_FALSE(s.chat(ask("o")).ec);
    CHECK(servers.a.server.requests().back().model == "of a");
}

TEST_CASE("routing: when the attempts are used up the call goes on to the fallbacks, one after another")
{
    bool const streamed = GENERATE(false, true);
    three servers;
    auto p = servers.params();
    p.models = {model_of("m", {"a"}), model_of("n", {"b"}), model_of("o", {"c"})};
    p.models[0].fallbacks.on_failure = {"n", "o"};
    p.models[1].fallbacks.on_failure = {"m"}; // It is the first model's list that counts.
    p.retry.max_attempts = 2;
    servers.a.fail(503);
    quick_session s(p);
    auto r = s.call(streamed, ask("m"));
    CAPTURE(trail(r.diag));
    CHECK_FALSE(r.ec);
    CHECK(r.response.upstream == "b");
    CHECK(asked(r.diag) == "aab");

    servers.b.fail();
    r = s.call(streamed, ask("m"));
    CHECK_FALSE(r.ec);
    CHECK(r.response.upstream == "c");
    CHECK(asked(r.diag) == "aabbc");

    servers.c.fail();
    r = s.call(streamed, ask("m"));
    CHECK(r.ec == errc::server_error);
    CHECK(asked(r.diag) == "aabbcc");

    // What is the caller's own mistake would be one anywhere.
    servers.a.fail(400);
    r = s.call(streamed, ask("m"));
    CHECK(r.ec == errc::invalid_request);
    CHECK(asked(r.diag) == "a");
}

TEST_CASE("routing: a conversation that is too long goes to a model that reads more")
{
    bool const streamed = GENERATE(false, true);
    three servers;
    auto p = servers.params();
    p.models = {model_of("m", {"a"}), model_of("large", {"b"}), model_of("larger", {"c"})};
    servers.a.server.set_default(
        behavior().with_status(400).with_error("too long", "invalid_request_error", "context_length_exceeded"));
    SECTION("if one is named")
    {
        p.models[0].fallbacks.on_context_length = {"large", "larger"};
        quick_session s(p);
        auto r = s.call(streamed, ask("m"));
        CHECK_FALSE(r.ec);
        CHECK(asked(r.diag) == "ab");
        CHECK(r.response.upstream == "b");

        servers.b.server.set_default(
            behavior().with_status(400).with_error("too long", "invalid_request_error", "context_length_exceeded"));
        r = s.call(streamed, ask("m"));
        CHECK(r.response.upstream == "c");
        CHECK(asked(r.diag) == "abc");
    }
    SECTION("and nowhere by default")
    {
        p.models[0].fallbacks.on_failure = {"large"};
        quick_session s(p);
        auto const r = s.call(streamed, ask("m"));
        CHECK(r.ec == errc::context_length_exceeded);
        CHECK(asked(r.diag) == "a");
    }
}

TEST_CASE("routing: filtered content goes to another model only if one is named")
{
    bool const streamed = GENERATE(false, true);
    three servers;
    auto p = servers.params();
    p.models = {model_of("m", {"a"}), model_of("n", {"b"})};
    p.models[0].fallbacks.on_failure = {"n"};
    p.models[0].fallbacks.on_context_length = {"n"};
    servers.a.server.set_default(
        behavior().with_status(400).with_error("filtered", "invalid_request_error", "content_filter"));
    SECTION("not by default")
    {
        quick_session s(p);
        auto const r = s.call(streamed, ask("m"));
        CHECK(r.ec == errc::content_filtered);
        CHECK(asked(r.diag) == "a");
        CHECK(servers.b.server.request_count() == 0);
    }
    SECTION("on request")
    {
        p.models[0].fallbacks.on_content_filter = {"n"};
        quick_session s(p);
        auto const r = s.call(streamed, ask("m"));
        CHECK_FALSE(r.ec);
        CHECK(asked(r.diag) == "ab");
    }
}

TEST_CASE("routing: new parameters under load, without a failed call")
{
    three servers;
    auto p = servers.params();
    p.upstreams.pop_back();
    p.models = {model_of("m", {"a", "b"})};
    load l(p);
    auto const reconfigure = [&](serin::client_params const& next) {
        serin::diagnostics diag;
        CHECK_FALSE(l.client.reconfigure(next, diag));
        CHECK(diag.message.empty());
        return l.now();
    };
    l.start("m");
    l.run_calls(500);
    CHECK(std::abs(l.share_of("a") - 0.5) < 0.1);

    p.upstreams[0].weight = 9;
    auto since = reconfigure(p);
    l.run_calls(500);
    CHECK(std::abs(l.share_of("a", since) - 0.9) < 0.1);

    p.upstreams.push_back(servers.c.upstream());
    p.models = {model_of("m", {"a", "c"})};
    since = reconfigure(p);
    l.run_calls(500);
    CHECK(l.share_of("b", since) == 0);
    CHECK(std::abs(l.share_of("c", since) - 0.1) < 0.1);

    p.upstreams = {servers.b.upstream(), servers.c.upstream()};
    p.models = {model_of("m", {"b", "c"})};
    p.models[0].policy = route_policy::cheapest;
    p.upstreams[0].price.input = p.upstreams[0].price.output = 5 * serin::one_dollar;
    since = reconfigure(p);
    l.run_calls(200);
    CHECK(l.share_of("c", since) == 1);
    p.upstreams[1].price.input = p.upstreams[1].price.output = 6 * serin::one_dollar;
    since = reconfigure(p);
    l.run_calls(200);
    CHECK(l.share_of("b", since) == 1);

    // Again and again, in the middle of things.
    for (int i = 0; i < 100; ++i)
    {
        if (i % 2 == 0)
            p.upstreams.push_back(servers.a.upstream(static_cast<unsigned>(i + 1)));
        else
            p.upstreams.pop_back();
        p.models[0].policy = i % 3 == 0 ? route_policy::weighted : route_policy::least_busy;
        reconfigure(p);
        l.run_calls(10);
    }
    l.stop();
    CHECK(l.failure().empty());
    CHECK(l.client.params().upstreams.size() == 2);
    CHECK(l.client.upstreams().size() == 2);
}

TEST_CASE("routing: a call keeps the parameters that it began with")
{
    three servers;
    auto p = servers.params();
    p.models = {model_of("m", {"a", "b"})};
    p.models[0].policy = route_policy::priority;
    p.upstreams[1].priority = 1;
    servers.a.server.set_default(behavior().delayed(200ms).with_status(500));
    load l(p);
    l.start("m", 1);
    REQUIRE(l.until([&] { return servers.a.server.request_count() == 1; }));
    p.upstreams = {servers.c.upstream()};
    p.models = {model_of("m", {"c"})};
    serin::diagnostics diag;
    REQUIRE_FALSE(l.client.reconfigure(p, diag));
    l.run_calls(2);
    CHECK(l.calls[0].upstream == "b"); // Which is gone for new ones
    CHECK(l.calls[1].upstream == "c");
    l.stop();
    CHECK(l.failure().empty());
}

TEST_CASE("routing: parameters that cannot be used change nothing")
{
    three servers;
    auto const p = servers.params();
    session s(p);
    auto const refused = [&](serin::client_params const& bad, errc cause) {
        serin::diagnostics diag;
        CHECK(s.client.reconfigure(bad, diag) == cause);
        CHECK_FALSE(diag.message.empty());
        CHECK(s.client.params().upstreams.size() == 3);
        CHECK_FALSE(s.chat(ask("m")).ec);
    };
    auto bad = p;
    bad.upstreams.clear();
    refused(bad, errc::invalid_argument);
    bad = p;
    bad.upstreams[1].base_url = "ftp://a.example";
    refused(bad, errc::invalid_url);
    bad = p;
    bad.models[0].upstreams.push_back({"nobody", {}, {}});
    refused(bad, errc::invalid_argument);
    bad = p;
    bad.models[0].fallbacks.on_failure = {"nobody"};
    refused(bad, errc::invalid_argument);
    bad = p;
    bad.rollouts.emplace_back();
    bad.rollouts[0].model = "m";
    bad.rollouts[0].candidate = "nobody";
    refused(bad, errc::invalid_argument);
    bad.rollouts[0].candidate = "a"; // The only one with a weight
    for (serin::route_target& t : bad.models[0].upstreams)
        t.weight = t.upstream == "a" ? 1 : 0;
    refused(bad, errc::invalid_argument);
    bad = p;
    bad.mirrors.emplace_back();
    bad.mirrors[0].model = "nothing";
    bad.mirrors[0].candidate = "a";
    refused(bad, errc::invalid_argument);
}

TEST_CASE("routing: an upstream that stays keeps its ejection when the parameters change")
{
    three servers;
    auto p = servers.params();
    p.retry.max_attempts = 2;
    p.health.consecutive_failures = 2;
    p.health.ejection = 60s;
    p.health.max_ejection = 60s;
    servers.a.fail();
    session s(p);
    for (int i = 0; i < 30; ++i)
        CHECK_FALSE(s.chat(ask("m")).ec);
    CHECK(s.client.upstreams()[0].circuit == serin::circuit_state::open);
    auto const requests = servers.a.server.request_count();
    p.upstreams[0].weight = 50;
    serin::diagnostics diag;
    REQUIRE_FALSE(s.client.reconfigure(p, diag));
    CHECK(s.client.upstreams()[0].circuit == serin::circuit_state::open);
    CHECK(s.client.upstreams()[0].ejected_for > 30s);
    for (int i = 0; i < 10; ++i)
        CHECK_FALSE(s.chat(ask("m")).ec);
    CHECK(servers.a.server.request_count() == requests);
}
