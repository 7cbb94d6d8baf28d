// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// What an observer is told of real calls, what they cost, budgets that refuse, and an alert on its way.

#include <serin/mock/provider.hpp>
#include <serin/observe/metrics.hpp>

#include "answers.hpp"
#include "catch.hpp"
#include "tries.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using serin::errc;
using serin::one_dollar;
using serin::mock::behavior;

namespace {

// Writes down what it is told, a line an event.
class recorder final : public serin::observer
{
public:
    bool content = false;
    bool chunks = false;
    bool times = false;
    bool throws = false;
    std::vector<std::string> lines;
    std::vector<serin::token_counts> tokens;
    std::vector<std::int64_t> costs;
    std::string request;
    std::string answer;
    std::string chunk_text;
    std::size_t timed = 0; // Tokens
    std::string key;
    std::string tag;
    std::weak_ptr<serin::client_state_source const> source;

    bool wants_content() const noexcept override { return content; }
    bool wants_chunks() const noexcept override { return chunks; }
    bool wants_token_times() const noexcept override { return times; }

    void on_client(std::weak_ptr<serin::client_state_source const> const& s) override { source = s; }

    void on_call_started(serin::call_started const& e) override
    {
        request += e.content;
        tag = e.call.tag;
        note("call " + std::string(operation_name(e.call.operation)) + (e.call.stream ? " stream " : " ") +
             std::string(e.call.model));
    }

    void on_attempt_started(serin::attempt_started const& e) override
    {
        note("attempt " + std::to_string(e.number) + " " + std::string(e.upstream) + " " + std::string(e.model) +
             (e.hedge ? " hedge" : ""));
    }

    void on_attempt_ended(serin::attempt_ended const& e) override
    {
        if (e.tokens)
            tokens.push_back(*e.tokens);
        costs.push_back(e.cost);
        key = e.key;
        CHECK(e.took >= e.took.zero());
        note("attempt " + std::to_string(e.number) + " " + std::string(e.upstream) + " ended " +
             std::to_string(e.status) + " " + std::string(serin::kind_name(e.error)));
    }

    void on_first_token_received(serin::first_token_received const& e) override
    {
        CHECK(e.after_call >= e.after_attempt);
        CHECK(e.after_attempt > e.after_attempt.zero());
        note("first token " + std::string(e.upstream));
    }

    void on_chunk_received(serin::chunk_received const& e) override
    {
        chunk_text += e.content;
        note("chunk");
    }

    void on_tokens_timed(serin::tokens_timed const& e) override
    {
        CHECK_FALSE(e.between.empty());
        CHECK(std::ranges::min(e.between) >= 0s);
        timed += e.between.size();
        note("times " + std::string(e.upstream));
    }

    void on_retry_planned(serin::retry_planned const& e) override
    {
        note("retry " + std::string(e.upstream) + " " + std::string(serin::kind_name(e.error)));
    }

    void on_failover_planned(serin::failover_planned const& e) override
    {
        note(
            "failover " + std::string(e.from) + " " + std::string(e.to) + " " + std::string(serin::kind_name(e.error)));
    }

    void on_key_rotated(serin::key_rotated const& e) override
    {
        note("key " + std::string(key_change_name(e.what)) + " " + std::string(e.key));
    }

    void on_circuit_changed(serin::circuit_changed const& e) override
    {
        note("circuit " + std::string(e.upstream) + " " + std::string(circuit_state_name(e.to)));
    }

    void on_rollout_changed(serin::rollout_changed const& e) override { note("rollout " + std::string(e.what)); }

    void on_budget_reached(serin::budget_reached const& e) override
    {
        note("budget " + std::string(e.budget) + (e.refuses ? " refuses" : " warns"));
    }

    void on_call_ended(serin::call_ended const& e) override
    {
        answer += e.content;
        note("call ended " + std::string(e.upstream) + " " + std::to_string(e.attempts) + " " +
             std::string(serin::kind_name(e.error)) + " cost " + std::to_string(e.cost));
    }

    int count(std::string const& line) const { return static_cast<int>(std::ranges::count(lines, line)); }

private:
    void note(std::string line)
    {
        lines.push_back(std::move(line));
        if (throws)
            throw std::runtime_error("an observer that fails");
    }
};

using lines = std::vector<std::string>;

// An answer that has used 1000 tokens of the prompt, 400 of them cached, and 500 in the answer, 100 of them reasoning.
std::string answer_with_usage(std::string const& choices)
{
    return R"({"id":"c","object":"chat.completion","created":1,"model":"m",)" + choices +
           R"("usage":{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500,)"
           R"("prompt_tokens_details":{"cached_tokens":400},"completion_tokens_details":{"reasoning_tokens":100}}})";
}

behavior used_tokens()
{
    behavior b;
    b.body = answer_with_usage(
        R"("choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],)");
    return b;
}

// 2 dollars for a million tokens of the prompt, half a dollar if cached, 8 for the answer, 10 for reasoning.
serin::price some_price()
{
    serin::price p;
    p.input = 2 * one_dollar;
    p.cached_input = one_dollar / 2;
    p.output = 8 * one_dollar;
    p.reasoning = 10 * one_dollar;
    return p;
}

constexpr std::int64_t cost_of_answer = 600 * 2000 + 400 * 500 + 400 * 8000 + 100 * 10000;

struct fixture
{
    fixture() { params.observer = seen; }

    std::shared_ptr<recorder> seen = std::make_shared<recorder>();
    serin::mock::provider server;
    serin::mock::provider other;
    serin::client_params params = upstreams_at({server.base_url(), other.base_url()});
};

} // namespace

TEST_CASE_METHOD(fixture, "observe: a whole answer is a call with one attempt")
{
    params.upstreams.resize(1);
    params.upstreams[0].model = "mock";
    session s(params);
    CHECK_FALSE(s.chat(ask("fast")).ec);
    CHECK(
        seen->lines == lines{"call chat fast", "attempt 1 a mock", "attempt 1 a ended 200 ", "call ended a 1  cost 0"});
    REQUIRE(seen->tokens.size() == 1);
    CHECK(seen->tokens[0].prompt > 0);
    CHECK(seen->request.empty());
    CHECK(seen->answer.empty());
}

TEST_CASE_METHOD(fixture, "observe: a stream has a first token, and chunks for those who want them")
{
    seen->chunks = GENERATE(false, true);
    server.set_default(behavior().with_text("one two three four"));
    params.upstreams.resize(1);
    quick_session s(params);
    CHECK_FALSE(s.stream().ec);
    CHECK(seen->lines.front() == "call chat stream mock");
    CHECK(seen->count("first token a") == 1);
    CHECK(seen->count("chunk") == (seen->chunks ? 3 : 0));
    CHECK(seen->lines.back() == "call ended a 1  cost 0");
    CHECK(seen->chunk_text.empty());
    CHECK(seen->tokens.size() == 1);
}

TEST_CASE_METHOD(fixture, "observe: how far apart tokens are is told of many at once, and of all")
{
    seen->times = true;
    server.set_default(behavior().with_tokens(200));
    params.upstreams.resize(1);
    quick_session s(params);
    CHECK_FALSE(s.stream().ec);
    CHECK(seen->timed == 199);
    CHECK(seen->count("times a") == 4);
    CHECK(seen->count("chunk") == 0);
    REQUIRE(seen->lines.size() > 3);
    CHECK(seen->lines[seen->lines.size() - 3] == "times a"); // Before the attempt has ended
}

TEST_CASE_METHOD(fixture, "observe: conversations are told to those who ask for them")
{
    seen->content = seen->chunks = true;
    server.set_default(behavior().with_text("one two"));
    params.upstreams.resize(1);
    quick_session s(params);
    SECTION("whole")
    {
        s.call(false);
        CHECK(seen->answer == "one two");
    }
    SECTION("streamed")
    {
        s.call(true);
        CHECK(seen->answer == "one two");
        CHECK(std::string("one two").ends_with(seen->chunk_text));
        CHECK_FALSE(seen->chunk_text.empty());
    }
    CHECK(seen->request.find("Say hi") != std::string::npos);
}

TEST_CASE_METHOD(fixture, "observe: retries and failovers are told with their reasons")
{
    params.retry.max_attempts = 3;
    SECTION("the same upstream")
    {
        params.upstreams.resize(1);
        server.on_next(behavior().with_status(503));
        quick_session s(params);
        CHECK_FALSE(s.call(GENERATE(false, true)).ec);
        CHECK(seen->count("attempt 1 a ended 503 overloaded") == 1);
        CHECK(seen->count("retry a overloaded") == 1);
        CHECK(seen->count("attempt 2 a mock") == 1);
        CHECK(seen->lines.back() == "call ended a 2  cost 0");
    }
    SECTION("another upstream")
    {
        server.on_next(behavior().with_status(500));
        quick_session s(params);
        CHECK_FALSE(s.call(GENERATE(false, true)).ec);
        CHECK(seen->count("failover a b server_error") == 1);
        CHECK(seen->lines.back() == "call ended b 2  cost 0");
    }
}

TEST_CASE_METHOD(fixture, "observe: a call that fails, and one that is cancelled, end too")
{
    params.upstreams.resize(1);
    params.retry.max_attempts = 1;
    SECTION("failed")
    {
        server.set_default(behavior().with_status(400));
        quick_session s(params);
        CHECK(s.call(GENERATE(false, true)).ec == errc::invalid_request);
        CHECK(seen->lines.back() == "call ended a 1 invalid_request cost 0");
    }
    SECTION("cancelled")
    {
        behavior silent;
        silent.first_byte_delay = serin::mock::forever;
        server.set_default(silent);
        session s(params);
        serin::error_code ec;
        s.client.async_chat(ask(), [&](serin::error_code e, serin::chat_response) { ec = e; });
        s.context.poll();
        REQUIRE(server.wait_until([&] { return !server.requests().empty(); }));
        s.client.cancel();
        s.run();
        CHECK(ec == boost::asio::error::operation_aborted);
        CHECK(seen->lines.back() == "call ended a 1 cancelled cost 0");
    }
    SECTION("the client is gone")
    {
        behavior silent;
        silent.first_byte_delay = serin::mock::forever;
        server.set_default(silent);
        {
            boost::asio::io_context context;
            serin::client client(context.get_executor(), params);
            client.async_chat(ask(), [&](serin::error_code, serin::chat_response) {});
            context.poll();
        }
        CHECK(seen->lines.back() == "call ended  1 cancelled cost 0");
    }
    CHECK(seen->count("call chat mock") + seen->count("call chat stream mock") == 1);
}

TEST_CASE_METHOD(fixture, "observe: a stream that its user leaves has ended")
{
    params.upstreams.resize(1);
    server.set_default(behavior().with_tokens(1000));
    boost::asio::io_context context;
    serin::client client(context.get_executor(), params);
    {
        serin::chat_stream stream;
        client.async_stream(ask(), [&](serin::error_code, serin::chat_stream opened) { stream = std::move(opened); });
        context.run_for(60s);
        CHECK(seen->count("first token a") == 1);
    }
    context.restart();
    context.run_for(60s);
    CHECK(seen->count("attempt 1 a ended 200 cancelled") == 1);
    CHECK(seen->lines.back().find("cancelled") != std::string::npos);
}

TEST_CASE_METHOD(fixture, "observe: an observer that throws harms no call")
{
    seen->throws = true;
    std::vector<std::string> log;
    params.log = [&](serin::log_level, std::string_view line) { log.emplace_back(line); };
    quick_session s(params);
    CHECK_FALSE(s.call(GENERATE(false, true)).ec);
    CHECK(std::ranges::count(log, "the observer has thrown") >= 4);
}

TEST_CASE_METHOD(fixture, "observe: circuits, keys and hand-made rollout changes are told")
{
    SECTION("circuit")
    {
        params.upstreams.resize(1);
        params.health.consecutive_failures = 2;
        params.retry.max_attempts = 1;
        server.set_default(behavior().with_status(500));
        quick_session s(params);
        s.call(false);
        CHECK(seen->count("circuit a open") == 0);
        s.call(false);
        CHECK(seen->count("circuit a open") >= 1);
    }
    SECTION("key")
    {
        params.upstreams.resize(1);
        params.upstreams[0].keys = serin::fixed_keys({serin::secret("sk-first"), serin::secret("sk-second")});
        server.set_keys({"sk-second"});
        quick_session s(params);
        CHECK_FALSE(s.call(false).ec);
        CHECK(seen->count("key quarantined " + serin::secret("sk-first").fingerprint()) == 1);
        CHECK(seen->key == serin::secret("sk-second").fingerprint());
        for (auto const& line : seen->lines)
            CHECK(line.find("sk-") == std::string::npos);
    }
    SECTION("rollout")
    {
        serin::model_route r;
        r.name = "fast";
        r.upstreams = {{.upstream = "a"}, {.upstream = "b"}};
        params.models = {r};
        serin::rollout_params rollout;
        rollout.model = "fast";
        rollout.candidate = "b";
        params.rollouts = {rollout};
        quick_session s(params);
        s.client.promote_rollout("fast");
        CHECK(seen->lines == lines{"rollout promoted"});
    }
}

TEST_CASE_METHOD(fixture, "cost: an answer is booked on who served it, its model, its key and its tag")
{
    bool const by_table = GENERATE(false, true);
    params.upstreams.resize(1);
    params.upstreams[0].model = "m1";
    params.upstreams[0].keys = serin::fixed_keys({serin::secret("sk-first")});
    if (by_table)
        params.prices.set("m1", some_price());
    else
        params.upstreams[0].price = some_price();
    server.set_default(used_tokens());
    session s(params);
    auto request = ask("fast");
    request.tag = "shop 1";
    CHECK_FALSE(s.chat(request).ec);
    CHECK_FALSE(s.chat(request).ec);

    auto const report = s.client.costs();
    REQUIRE(report.lines.size() == 1);
    CHECK(report.lines[0].upstream == "a");
    CHECK(report.lines[0].model == "m1");
    CHECK(report.lines[0].key == serin::secret("sk-first").fingerprint());
    CHECK(report.lines[0].tag == "shop 1");
    CHECK(report.lines[0].attempts == 2);
    CHECK(report.lines[0].prompt_tokens == 2000);
    CHECK(report.lines[0].cached_tokens == 800);
    CHECK(report.lines[0].cost == 2 * cost_of_answer);
    CHECK(seen->costs == std::vector<std::int64_t>{cost_of_answer, cost_of_answer});
    CHECK(seen->tag == "shop 1");
    CHECK(seen->lines.back() == "call ended a 1  cost " + std::to_string(cost_of_answer));
}

TEST_CASE_METHOD(fixture, "cost: a stream is booked by the usage at its end, once")
{
    params.upstreams.resize(1);
    params.upstreams[0].price = some_price();
    server.set_default(behavior().with_text("one two three"));
    quick_session s(params);
    auto const r = s.stream();
    REQUIRE(r.response.usage);
    auto const lines = s.client.costs().lines;
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].attempts == 1);
    CHECK(lines[0].cost == cost_of(*r.response.usage, some_price()));
    CHECK(lines[0].cost > 0);
}

TEST_CASE_METHOD(fixture, "cost: a failed attempt is booked if its answer says what it has used")
{
    params.retry.max_attempts = 2;
    params.upstreams[0].price = params.upstreams[1].price = some_price();
    // No choices: not a chat completion, but paid for.
    behavior broken;
    broken.body = answer_with_usage("");
    server.set_default(broken);
    other.set_default(used_tokens());
    quick_session s(params);
    auto const r = s.call(false);
    INFO(trail(r.diag));
    CHECK_FALSE(r.ec);
    auto const lines = s.client.costs().lines;
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].cost == cost_of_answer);
    CHECK(lines[1].cost == cost_of_answer);
    CHECK(seen->lines.back() == "call ended b 2  cost " + std::to_string(2 * cost_of_answer));
}

TEST_CASE_METHOD(fixture, "cost: without an observer costs are booked as well")
{
    params.observer.reset();
    params.upstreams.resize(1);
    params.upstreams[0].price = some_price();
    server.set_default(used_tokens());
    session s(params);
    s.chat();
    CHECK(s.client.costs().lines.size() == 1);
}

TEST_CASE_METHOD(fixture, "budget: calls are refused when it is used up, until the next day")
{
    params.upstreams.resize(1);
    params.upstreams[0].price = some_price();
    serin::budget_params b;
    b.daily = 2 * cost_of_answer;
    params.budgets = {b};
    server.set_default(used_tokens());
    quick_session s(params);
    bool const streamed = GENERATE(false, true);
    CHECK_FALSE(s.call(false).ec);
    CHECK_FALSE(s.call(false).ec);
    CHECK(seen->count("budget daily refuses") == 1);
    auto const r = s.call(streamed);
    CHECK(r.ec == errc::budget_exceeded);
    CHECK(r.diag.message == "the budget \"daily\" of $0.0112 a day is used up");
    CHECK(r.diag.attempts.empty());
    CHECK(server.requests().size() == 2);
    CHECK(s.client.costs().budgets[0].refuses);
    CHECK(seen->lines.back() == "call ended  0 budget_exceeded cost 0");
    s.clock->jump(24h);
    CHECK_FALSE(s.call(streamed).ec);
}

TEST_CASE_METHOD(fixture, "budget: one of an upstream sends calls to another one")
{
    params.upstreams[0].price = some_price();
    serin::budget_params b;
    b.upstream = "a";
    b.daily = cost_of_answer;
    params.budgets = {b};
    server.set_default(used_tokens());
    quick_session s(params);
    CHECK(asked(s.call(false).diag) == "a");
    auto const r = s.call(GENERATE(false, true));
    CHECK_FALSE(r.ec);
    CHECK(asked(r.diag) == "ab");
    CHECK(r.diag.attempts[0].error == errc::budget_exceeded);
    CHECK(server.requests().size() == 1);
}

TEST_CASE_METHOD(fixture, "budget: one of a tag refuses that tag only")
{
    params.upstreams.resize(1);
    params.upstreams[0].price = some_price();
    serin::budget_params b;
    b.tag = "shop 1";
    b.daily = 1;
    params.budgets = {b};
    server.set_default(used_tokens());
    session s(params);
    auto request = ask();
    request.tag = "shop 1";
    CHECK_FALSE(s.chat(request).ec);
    CHECK(s.chat(request).ec == errc::budget_exceeded);
    request.tag = "shop 2";
    CHECK_FALSE(s.chat(request).ec);
}

TEST_CASE("budget: parameters that make no sense are refused")
{
    auto params = params_for("http://127.0.0.1:1/v1");
    serin::budget_params b;
    boost::asio::io_context context;
    auto const make = [&] { serin::client(context.get_executor(), params); };
    params.budgets = {b};
    CHECK_THROWS_AS(make(), serin::api_error);
    b.daily = 1;
    params.budgets = {b, b};
    CHECK_THROWS_AS(make(), serin::api_error);
    params.budgets = {b};
    CHECK_NOTHROW(make());
    params.alerts.emplace_back();
    CHECK_THROWS_AS(make(), serin::api_error);
    params.alerts[0].no_traffic = true;
    CHECK_NOTHROW(make());
}

TEST_CASE_METHOD(fixture, "metrics: calls, pool, keys and circuits of a client")
{
    auto const metrics = std::make_shared<serin::metrics>();
    params.observer = metrics;
    params.upstreams.resize(1);
    params.upstreams[0].keys = serin::fixed_keys({serin::secret("sk-first")});
    quick_session s(params);
    s.call(false);
    s.call(false);
    s.call(true);
    auto const text = metrics->to_prometheus_text();
    for (auto const* line :
        {"serin_call_duration_seconds_count{upstream=\"a\",model=\"mock\",operation=\"chat\",outcome=\"ok\"} 3\n",
            "serin_time_to_first_token_seconds_count{upstream=\"a\",model=\"mock\",operation=\"chat\"} 1\n",
            "serin_connection_uses_total{upstream=\"a\",connection=\"new\"} 1\n",
            "serin_connection_uses_total{upstream=\"a\",connection=\"reused\"} 2\n",
            "serin_connections{upstream=\"a\",state=\"open\"} 1\n",
            "serin_connections{upstream=\"a\",state=\"idle\"} 1\n", "serin_keys{upstream=\"a\",state=\"good\"} 1\n",
            "serin_circuit_state{upstream=\"a\"} 0\n", "serin_calls_active 0\n"})
    {
        INFO(text);
        CHECK(text.find(line) != std::string::npos);
    }
}

TEST_CASE_METHOD(fixture, "alerts: a client that is started tells of calls that fail")
{
    params.upstreams.resize(1);
    params.retry.max_attempts = 1;
    params.observer = GENERATE(false, true) ? seen : nullptr;
    server.set_default(behavior().with_status(500));
    std::vector<serin::alert> alerts;
    serin::alert_rule rule;
    rule.error_rate = 0.5;
    rule.min_calls = 1;
    rule.window = 6s; // Looked at each 100 ms
    rule.on_alert = [&](serin::alert const& a) { alerts.push_back(a); };
    params.alerts = {rule};

    boost::asio::io_context context;
    serin::client client(context.get_executor(), params);
    client.start();
    client.async_chat(ask(), [&](serin::error_code, serin::chat_response) {});
    auto const until = std::chrono::steady_clock::now() + 30s;
    while (alerts.empty() && std::chrono::steady_clock::now() < until)
        context.run_one_for(1s);
    REQUIRE(alerts.size() == 1);
    CHECK(alerts[0].name == "error rate > 50 %");
    client.stop();
    context.run_for(60s);
    CHECK(context.stopped());
}
