// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/observe/metrics.hpp>

#include "catch.hpp"
#include "observed_calls.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using serin::errc;
using serin::metric_naming;
using serin::metrics;
using serin::metrics_params;
using serin::test::observed_calls;

namespace {

serin::metric_family const* find(std::vector<serin::metric_family> const& all, std::string const& name)
{
    auto const at = std::ranges::find(all, name, &serin::metric_family::name);
    return at == all.end() ? nullptr : &*at;
}

// The point of a metric whose labels hold all of these texts.
serin::metric_point const* find(
    std::vector<serin::metric_family> const& all, std::string const& name, std::vector<std::string> const& values)
{
    serin::metric_family const* const family = find(all, name);
    if (!family)
        return nullptr;
    for (auto const& p : family->points)
        if (std::ranges::all_of(values, [&](std::string const& v) {
                return std::ranges::any_of(p.labels, [&](auto const& l) { return l.value == v; });
            }))
            return &p;
    return nullptr;
}

class two_upstreams final : public serin::client_state_source
{
public:
    std::vector<serin::upstream_state_report> state() const override
    {
        serin::upstream_state_report a;
        a.upstream = "a";
        a.connections_open = 3;
        a.connections_idle = 1;
        a.waiting_for_connection = 2;
        a.retry_budget = 99.5;
        a.circuit = serin::circuit_state::open;
        a.keys_good = 1;
        a.keys_quarantined = 2;
        auto b = a;
        b.upstream = "b";
        b.circuit = serin::circuit_state::half_open;
        return {a, b};
    }
};

} // namespace

TEST_CASE("metrics: a call is measured by upstream, model, operation and outcome")
{
    metrics m;
    observed_calls calls(m);
    calls.whole("a", "m", 100ms);
    calls.whole("a", "m", 300ms);
    calls.whole("a", "m", 1s, errc::overloaded);
    calls.whole("b", "m", 100ms);
    calls.whole("a", "n", 100ms);

    auto const all = m.snapshot(metric_naming::serin, calls.now);
    auto const* ok = find(all, "serin.call.duration", {"a", "m", "chat", "ok"});
    REQUIRE(ok);
    CHECK(ok->count == 2);
    CHECK_THAT(ok->sum, Catch::Matchers::WithinRel(0.4, 1e-6));
    CHECK(ok->bounds.size() + 1 == ok->buckets.size());
    CHECK(ok->buckets[4] == 1);
    CHECK(ok->buckets[5] == 1);
    CHECK(find(all, "serin.call.duration", {"a", "m", "overloaded"})->count == 1);
    CHECK(find(all, "serin.call.duration", {"b", "m", "ok"})->count == 1);
    CHECK(find(all, "serin.call.duration", {"a", "n", "ok"})->count == 1);
    CHECK(find(all, "serin.attempt.duration", {"a", "m", "ok"})->count == 2);
    CHECK(find(all, "serin.calls.active", {})->value == 0);
}

TEST_CASE("metrics: a bucket holds its upper end, as Prometheus has it")
{
    metrics m;
    observed_calls calls(m);
    calls.whole("a", "m", 10ms);
    auto const all = m.snapshot(metric_naming::serin, calls.now);
    CHECK(find(all, "serin.call.duration", {"a"})->buckets[0] == 1);
}

TEST_CASE("metrics: quantiles are about the latest answered calls")
{
    metrics m;
    observed_calls calls(m);
    for (int i = 0; i < 90; ++i)
        calls.whole("a", "m", 100ms);
    for (int i = 0; i < 10; ++i)
        calls.whole("a", "m", 2s);
    calls.whole("a", "m", 50s, errc::deadline_exceeded);

    auto all = m.snapshot(metric_naming::serin, calls.now);
    auto const* latest = find(all, "serin.call.duration.latest", {"a", "m"});
    REQUIRE(latest);
    REQUIRE(latest->quantiles.size() == 3);
    CHECK_THAT(latest->quantiles[0].value, Catch::Matchers::WithinRel(0.1, 0.018));
    CHECK_THAT(latest->quantiles[1].value, Catch::Matchers::WithinRel(0.1, 0.018));
    CHECK_THAT(latest->quantiles[2].value, Catch::Matchers::WithinRel(2, 0.018));

    all = m.snapshot(metric_naming::serin, calls.now + 10min);
    latest = find(all, "serin.call.duration.latest", {"a", "m"});
    CHECK(latest->quantiles.empty());
    CHECK(latest->count == 100);
}

TEST_CASE("metrics: the time to the first token and between tokens")
{
    metrics m;
    observed_calls calls(m);
    CHECK(m.wants_token_times());
    CHECK_FALSE(m.wants_chunks()); // They cost more
    calls.stream("a", "m", 300ms, {20ms, 30ms, 50ms});
    auto const all = m.snapshot(metric_naming::serin, calls.now);
    CHECK_THAT(find(all, "serin.time_to_first_token", {"a", "m"})->sum, Catch::Matchers::WithinRel(0.3, 1e-6));
    CHECK(find(all, "serin.time_between_tokens", {"a", "m"})->count == 3);
    CHECK_THAT(find(all, "serin.time_between_tokens", {"a", "m"})->sum, Catch::Matchers::WithinRel(0.1, 1e-6));
    CHECK(find(all, "serin.time_to_first_token.latest", {"a"})->quantiles.size() == 3);

    metrics_params params;
    params.time_between_tokens = false;
    CHECK_FALSE(metrics(params).wants_token_times());
}

TEST_CASE("metrics: the kinds of tokens add up to what was used, and money is counted in whole nano-dollars")
{
    metrics m;
    observed_calls calls(m);
    calls.tokens = serin::token_counts{100, 60, 50, 20};
    calls.cost = 123'456'789;
    calls.whole("a", "m", 100ms);
    calls.whole("a", "m", 100ms);
    auto const all = m.snapshot(metric_naming::serin, calls.now);
    CHECK(find(all, "serin.tokens", {"a", "m", "input"})->value == 80);
    CHECK(find(all, "serin.tokens", {"a", "m", "cached_input"})->value == 120);
    CHECK(find(all, "serin.tokens", {"a", "m", "output"})->value == 60);
    CHECK(find(all, "serin.tokens", {"a", "m", "reasoning"})->value == 40);
    CHECK_THAT(find(all, "serin.cost", {"a", "m"})->value, Catch::Matchers::WithinRel(0.246913578, 1e-6));
}

TEST_CASE("metrics: waits, connections, retries, failovers and hedges")
{
    metrics m;
    observed_calls calls(m);
    calls.waited_for_limit = 200ms;
    calls.waited_for_connection = 5ms;
    calls.connection = serin::connection_kind::made;
    calls.whole("a", "m", 1s);
    calls.connection = serin::connection_kind::reused;
    calls.hedge = true;
    calls.whole("a", "m", 1s);
    calls.waited_for_limit = 0ms;
    calls.connection = serin::connection_kind::none;
    calls.whole("a", "m", 1s, errc::connect_failed);
    calls.retry("a");
    calls.failover("a", "b");
    calls.failover("a", "b");

    auto const all = m.snapshot(metric_naming::serin, calls.now);
    CHECK(find(all, "serin.limit.wait", {"a"})->count == 2);
    CHECK(find(all, "serin.connection.wait", {"a"})->count == 2);
    CHECK(find(all, "serin.connection.uses", {"a", "new"})->value == 1);
    CHECK(find(all, "serin.connection.uses", {"a", "reused"})->value == 1);
    CHECK(find(all, "serin.hedges", {"a"})->value == 2);
    CHECK(find(all, "serin.retries", {"a"})->value == 1);
    CHECK(find(all, "serin.failovers", {"a"})->value == 2);
}

TEST_CASE("metrics: circuits, keys, rollouts, budgets and the cache")
{
    metrics m;
    observed_calls calls(m);
    m.on_circuit_changed({"a", "", serin::circuit_state::closed, serin::circuit_state::open});
    m.on_key_rotated({"a", serin::key_change::quarantined, "0123abcd"});
    m.on_rollout_changed({"fast", "b", "promoted", 1, 0.3, "why"});
    m.on_rollout_changed({"fast", "b", "rolled_back", 0, 0, "why"});
    m.on_budget_reached({"daily", 1, 1, true});
    m.on_cache_looked_up({serin::cache_lookup::hit});

    auto const all = m.snapshot(metric_naming::serin, calls.now);
    CHECK(find(all, "serin.circuit.changes", {"a", "open"})->value == 1);
    CHECK(find(all, "serin.key.changes", {"a", "quarantined"})->value == 1);
    CHECK(find(all, "serin.rollout.share", {"fast", "b"})->value == 0);
    CHECK(find(all, "serin.rollout.changes", {"fast", "rolled_back"})->value == 1);
    CHECK(find(all, "serin.budget.reports", {"daily"})->value == 1);
    CHECK(find(all, "serin.cache.lookups", {"hit"})->value == 1);
}

TEST_CASE("metrics: how a client is doing is asked when it is to be shown, while the client lives")
{
    metrics m;
    auto client = std::make_shared<two_upstreams>();
    m.on_client(client);
    auto const other = std::make_shared<two_upstreams>();
    m.on_client(other);
    auto all = m.snapshot();
    CHECK(find(all, "serin.connections", {"a", "open"})->value == 6);
    CHECK(find(all, "serin.connections", {"a", "idle"})->value == 2);
    CHECK(find(all, "serin.connection.waiters", {"a"})->value == 4);
    CHECK(find(all, "serin.retry.budget", {"a"})->value == 199);
    CHECK(find(all, "serin.circuit.state", {"a"})->value == 2);
    CHECK(find(all, "serin.circuit.state", {"b"})->value == 1);
    CHECK(find(all, "serin.keys", {"a", "quarantined"})->value == 4);
    client.reset();
    all = m.snapshot();
    CHECK(find(all, "serin.connections", {"a", "open"})->value == 3);
}

TEST_CASE("metrics: names that callers make up do not take memory without bound")
{
    metrics_params params;
    params.max_upstreams = 3;
    params.max_models = 4;
    metrics m(params);
    observed_calls calls(m);
    for (int u = 0; u < 10; ++u)
        for (int i = 0; i < 50; ++i)
            calls.whole("u" + std::to_string(u), "m" + std::to_string(i), 1ms);
    calls.whole(std::string(1000, 'x'), std::string(1000, 'y'), 1ms);

    auto const all = m.snapshot(metric_naming::serin, calls.now);
    auto const& points = find(all, "serin.call.duration")->points;
    CHECK(points.size() == 4 * 5);
    std::uint64_t sum = 0;
    for (auto const& p : points)
        sum += p.count;
    CHECK(sum == 501);
    CHECK(find(all, "serin.call.duration", {"other", "m0"})->count == 7);
    CHECK(find(all, "serin.call.duration", {"u0", "other"})->count == 46);
}

TEST_CASE("metrics: names of the conventions for GenAI clients, as they are deployed")
{
    metrics_params params;
    params.providers["a"] = "deepseek";
    metrics m(params);
    observed_calls calls(m);
    calls.tokens = serin::token_counts{100, 60, 50, 20};
    calls.whole("a", "m", 100ms);
    calls.whole("b", "m", 100ms, errc::rate_limited);
    calls.stream("a", "m", 300ms, {20ms});
    auto const all = m.snapshot(metric_naming::gen_ai, calls.now);
    CHECK_FALSE(find(all, "serin.call.duration"));
    auto const* took = find(all, "gen_ai.client.operation.duration", {"a"});
    REQUIRE(took);
    REQUIRE(took->labels.size() == 4);
    CHECK(took->labels[0].name == "gen_ai.operation.name");
    CHECK(took->labels[0].value == "chat");
    CHECK(took->labels[1].name == "gen_ai.provider.name");
    CHECK(took->labels[1].value == "deepseek");
    CHECK(took->labels[2].name == "gen_ai.request.model");
    CHECK(took->labels[2].value == "m");
    auto const* refused = find(all, "gen_ai.client.operation.duration", {"b", "openai"});
    REQUIRE(refused);
    CHECK(refused->labels.back().name == "error.type");
    CHECK(refused->labels.back().value == "rate_limited");
    CHECK(find(all, "gen_ai.client.token.usage", {"a", "input"})->sum == 200);
    CHECK(find(all, "gen_ai.client.token.usage", {"a", "output"})->sum == 100);
    CHECK(find(all, "gen_ai.client.operation.time_to_first_chunk", {"a"})->count == 1);
    CHECK(find(all, "gen_ai.client.operation.time_per_output_chunk", {"a"})->count == 1);
}

TEST_CASE("metrics: names of the conventions for GenAI clients, as they are now")
{
    metrics m;
    observed_calls calls(m);
    calls.tokens = serin::token_counts{100, 60, 50, 20};
    calls.whole("a", "m", 100ms);
    calls.operation = serin::call_operation::embeddings;
    calls.whole("a", "e", 100ms);
    auto const all = m.snapshot(metric_naming::gen_ai_latest, calls.now);
    CHECK(find(all, "gen_ai.client.inference.duration", {"m", "chat"})->count == 1);
    CHECK(find(all, "gen_ai.client.operation.duration", {"e", "embeddings"})->count == 1);
    CHECK_FALSE(find(all, "gen_ai.client.inference.duration", {"embeddings"}));
    CHECK(find(all, "gen_ai.client.inference.usage.input_tokens", {"m", "unknown"})->value == 100);
    CHECK(find(all, "gen_ai.client.inference.usage.output_tokens", {"m"})->value == 50);
    CHECK(find(all, "gen_ai.client.inference.usage.cache_read.input_tokens", {"m"})->value == 60);
    CHECK(find(all, "gen_ai.client.inference.usage.reasoning.output_tokens", {"m"})->value == 20);
    CHECK(find(all, "gen_ai.client.inference.operation.input_tokens", {"m"})->sum == 100);
    CHECK(find(all, "gen_ai.client.inference.operation.output_tokens", {"m"})->sum == 50);
}
