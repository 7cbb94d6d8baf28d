// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/config.hpp>

#include "catch.hpp"
#include "source_file.hpp"

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

using namespace std::chrono_literals;
using serin::client_params;
using serin::errc;
using serin::error_code;
using serin::load_config;
using serin::load_config_file;

namespace {

// A folder that is gone at the end of the test, with variables that are set during it.
class config_fixture
{
public:
    std::filesystem::path folder;
    client_params params;
    std::string why;

    config_fixture()
    {
        static int count = 0;
        folder = std::filesystem::temp_directory_path() /
                 ("serin-config-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
        std::filesystem::create_directories(folder);
        ::setenv("SERIN_TEST_CONFIG_A", "sk-config-a", 1);
        ::setenv("SERIN_TEST_CONFIG_B", "sk-config-b", 1);
        ::unsetenv("SERIN_TEST_CONFIG_NONE");
        ::setenv("SERIN_TEST_CONFIG_BAD", "sk-bad\nkey", 1);
    }
    ~config_fixture() { std::filesystem::remove_all(folder); }

    void write(std::string const& name, std::string_view text) const
    {
        std::ofstream(folder / name, std::ios::binary) << text;
    }

    error_code load(std::string_view text)
    {
        why.clear();
        return load_config(text, folder.string(), params, why);
    }

    // A configuration of one upstream with these further members.
    static std::string one(std::string const& members)
    {
        return R"({"upstreams": [{"base_url": "https://a.example/v1")" + (members.empty() ? "" : ", " + members) +
               "}]}";
    }

    // One with these further members beside the upstreams.
    static std::string with(std::string const& members)
    {
        return R"({"upstreams": [{"base_url": "https://a.example/v1"}], )" + members + "}";
    }

    std::string key_of(std::size_t upstream)
    {
        auto const set = params.upstreams.at(upstream).keys->snapshot();
        return set->keys.empty() ? "" : std::string(set->keys.front()->reveal());
    }

    // What "everything that it can say" says about who answers.
    void check_routes()
    {
        REQUIRE(params.models.size() == 3);
        auto const& fast = params.models[0];
        CHECK(fast.name == "fast");
        REQUIRE(fast.upstreams.size() == 3);
        CHECK(fast.upstreams[0].upstream == "stable");
        CHECK(fast.upstreams[0].model.empty());
        CHECK_FALSE(fast.upstreams[0].weight);
        CHECK(fast.upstreams[1].upstream == "canary");
        CHECK(fast.upstreams[1].model == "small");
        CHECK(fast.upstreams[1].weight == 0u);
        CHECK(fast.upstreams[2].upstream == "local");
        CHECK(fast.policy == serin::route_policy::sticky);
        CHECK(fast.recovery == serin::stream_recovery::buffer);
        CHECK(fast.fallbacks.on_failure == std::vector<std::string>{"large", "plain"});
        CHECK(fast.fallbacks.on_context_length == std::vector<std::string>{"large"});
        CHECK(fast.fallbacks.on_content_filter == std::vector<std::string>{"plain"});
        CHECK(params.models[1].policy == serin::route_policy::least_busy);
        CHECK(params.models[2].policy == serin::route_policy::weighted);
        CHECK_FALSE(params.models[2].recovery);
        CHECK(params.models[2].fallbacks.on_failure.empty());

        REQUIRE(params.rollouts.size() == 2);
        serin::rollout_params const defaults;
        auto const& plain = params.rollouts[0];
        CHECK(plain.model == "fast");
        CHECK(plain.candidate == "canary");
        CHECK(plain.stages == defaults.stages);
        CHECK(plain.hold == defaults.hold);
        CHECK_FALSE(plain.sticky);
        CHECK(plain.gates.error_rate == 0.01);
        auto const& full = params.rollouts[1];
        CHECK(full.stages == std::vector<double>{0.05, 1});
        CHECK(full.hold == 1s);
        CHECK(full.sticky);
        CHECK_FALSE(full.gates.error_rate);
        CHECK(full.gates.success_rate == 0.9);
        CHECK(full.gates.p99 == std::optional<serin::duration>(300ms));
        CHECK(full.gates.p99_of == serin::rollout_latency::first_token);
        CHECK(full.gates.times_others == 2);
        CHECK(full.gates.min_requests == 10);
        CHECK(full.gates.min_requests_to_fail == 5);
        CHECK(full.gates.window == 1min);
        CHECK(full.gates.false_alarm == 0.05);

        REQUIRE(params.mirrors.size() == 1);
        auto const& mirror = params.mirrors[0];
        CHECK(mirror.model == "large");
        CHECK(mirror.candidate == "stable");
        CHECK(mirror.share == 0.25);
        CHECK(mirror.max_in_flight == 3);
        CHECK(mirror.gates.error_rate == 0.01);
        CHECK_FALSE(mirror.gates.success_rate);
        CHECK_FALSE(mirror.gates.p99);
        CHECK(std::isinf(mirror.gates.times_others));
    }

    // Two upstreams, a model of both, and these further members.
    static std::string routed(std::string const& members)
    {
        return R"({"upstreams": [{"name": "a"}, {"name": "b", "weight": 0}, {"name": "c"}],
                   "models": {"m": {"upstreams": ["a", "b"]}, "n": {"upstreams": ["a"]}})" +
               (members.empty() ? "" : ", " + members) + "}";
    }

    // That it is refused, with this cause and this message.
    void refuse(std::string const& text, std::string const& message, errc cause = errc::invalid_argument)
    {
        CAPTURE(text);
        params = client_params();
        params.seed = 7;
        error_code const ec = load(text);
        CHECK(ec == cause);
        CHECK(why == message);
        // A refused configuration changes nothing.
        CHECK(params.upstreams.empty());
        CHECK(params.retry.max_attempts == client_params().retry.max_attempts);
        CHECK(params.timeouts.total == client_params().timeouts.total);
        CHECK(params.seed == 7);
    }
};

constexpr char duration_text[] = "must be a duration such as \"1.5s\", in ms, s, m or h";

} // namespace

TEST_CASE_METHOD(config_fixture, "config: everything that it can say")
{
    write("canary.key", "sk-canary\n");
    write("ca.pem", "x");
    write("cert.pem", "x");
    write("key.pem", "x");
    auto const ec = load(R"({
        "upstreams": [
            {"name": "stable", "base_url": "https://api.example.com/v1", "model": "big",
             "keys": {"env": ["SERIN_TEST_CONFIG_A", "SERIN_TEST_CONFIG_B"]}, "weight": 80, "priority": 3,
             "price": {"input": 0.42, "output": 1}, "headers": {"X-Team": "canaries"}},
            {"name": "canary", "base_url": "https://api.example.com/v1", "keys": {"file": "canary.key"}, "weight": 20,
             "tls": {"ca_file": "ca.pem", "certificate_file": "cert.pem", "private_key_file": "key.pem"}},
            {"name": "local", "base_url": "http://localhost:8080/v1", "keys": {"env": "SERIN_TEST_CONFIG_A"},
             "choose_key": "least_loaded", "key_limits": {"max_concurrent": 2},
             "limits": {"requests_per_minute": 600, "tokens_per_minute": 0.5, "max_concurrent": 8, "on_limit": "fail"}},
            {"name": "lan", "base_url": "http://10.0.0.1/v1", "keys": {"env": "SERIN_TEST_CONFIG_A"},
             "allow_insecure_key": true, "weight": 0}
        ],
        "retry": {"max_attempts": 3, "base_delay": "100ms", "max_delay": "2s", "max_retry_after": "10s",
                  "budget_ratio": 0.1, "budget_per_second": 5},
        "hedge": {"delay": "200ms", "at_p95": true},
        "stream": {"recovery": "restart", "skip_malformed_chunks": true},
        "timeouts": {"pool": "1s", "connect": "5s", "tls": "2.5s", "write": "300ms", "first_byte": "40s",
                     "first_token": "15s", "idle": "2m", "token_idle": "0s", "total": "48h"},
        "pool": {"max_per_host": 10, "max_idle_per_host": 0, "max_idle": 5, "trim_delay": "1s", "idle_timeout": "30s",
                 "max_lifetime": "1h"},
        "cache": {"ttl": "90s", "max_entries": 5, "max_bytes": 6, "max_entry_bytes": 0, "any_temperature": true,
                  "store_timeout": "7ms"},
        "limits": {"head": 1000, "body": 2000, "event": 3000, "buffered": 4000},
        "health": {"consecutive_failures": 0, "failure_rate": 1.5, "window": "10ms", "min_requests": 7,
                   "ejection": "2s", "max_ejection": "1m", "jitter": 0},
        "models": {
            "fast": {"upstreams": ["stable", {"name": "canary", "model": "small", "weight": 0}, {"name": "local"}],
                     "policy": "sticky", "stream_recovery": "buffer",
                     "fallbacks": {"on_failure": ["large", "plain"], "on_context_length": ["large"],
                                   "on_content_filter": ["plain"]}},
            "large": {"upstreams": ["local"], "policy": "least_busy", "fallbacks": {"on_failure": ["fast"]}},
            "plain": {"upstreams": ["stable", "canary"]}
        },
        "rollout": [
            {"model": "fast", "candidate": "canary"},
            {"model": "plain", "candidate": "canary", "stages": [0.05, 1], "hold": "1s", "sticky": true,
             "gates": {"error_rate": null, "success_rate": 0.9, "p99": "300ms", "p99_of": "first_token",
                       "times_others": 2, "min_requests": 10, "min_requests_to_fail": 5, "window": "1m",
                       "false_alarm": 0.05}}
        ],
        "mirror": {"model": "large", "candidate": "stable", "share": 0.25, "max_in_flight": 3,
                   "gates": {"success_rate": null, "p99": null, "times_others": null}},
        "tls": {"ca_file": "ca.pem"}
    })");
    INFO(why);
    REQUIRE_FALSE(ec);

    CHECK(params.limits.head == 1000);
    CHECK(params.limits.body == 2000);
    CHECK(params.limits.event == 3000);
    CHECK(params.limits.buffered == 4000);
    CHECK(params.health.consecutive_failures == 0);
    CHECK(params.health.failure_rate == 1.5);
    CHECK(params.health.window == 10ms);
    CHECK(params.health.min_requests == 7);
    CHECK(params.health.ejection == 2s);
    CHECK(params.health.max_ejection == 1min);
    CHECK(params.health.jitter == 0);
    check_routes();

    REQUIRE(params.upstreams.size() == 4);
    auto const& stable = params.upstreams[0];
    CHECK(stable.name == "stable");
    CHECK(stable.base_url == "https://api.example.com/v1");
    CHECK(stable.model == "big");
    CHECK(stable.weight == 80);
    CHECK(stable.priority == 3);
    CHECK(stable.price == serin::price{420'000'000, serin::one_dollar, {}, {}});
    CHECK(params.upstreams[1].priority == 0);
    CHECK(stable.headers.find("x-team") == "canaries");
    CHECK_FALSE(stable.tls);
    CHECK(stable.keys->snapshot()->keys.size() == 2);

    CHECK_FALSE(has_limits(stable.limits));
    auto const& limits = params.upstreams[2].limits;
    CHECK(limits.requests_per_minute == 600);
    CHECK(limits.tokens_per_minute == 0.5);
    CHECK(limits.max_concurrent == 8);
    CHECK(limits.on_limit == serin::when_limited::fail);
    CHECK(params.upstreams[2].key_limits.max_concurrent == 2);
    CHECK(params.upstreams[2].choose_key == serin::key_choice::least_loaded);
    CHECK(stable.choose_key == serin::key_choice::round_robin);

    CHECK(params.retry.base_delay == 100ms);
    CHECK(params.retry.max_delay == 2s);
    CHECK(params.retry.max_retry_after == 10s);
    CHECK(params.retry.budget_ratio == 0.1);
    CHECK(params.retry.budget_per_second == 5);
    CHECK(params.hedge.delay == 200ms);
    CHECK(params.hedge.at_p95);
    CHECK(params.stream.recovery == serin::stream_recovery::restart);
    CHECK(params.stream.skip_malformed_chunks);

    auto const& canary = params.upstreams[1];
    CHECK(canary.model.empty());
    CHECK(key_of(1) == "sk-canary");
    REQUIRE(canary.tls);
    CHECK(canary.tls->ca_file == (folder / "ca.pem").string());
    CHECK(canary.tls->certificate_file == (folder / "cert.pem").string());
    CHECK(canary.tls->private_key_file == (folder / "key.pem").string());

    CHECK(params.upstreams[2].weight == 1);
    CHECK(key_of(2) == "sk-config-a");
    CHECK(params.upstreams[3].allow_insecure_key);
    CHECK(params.upstreams[3].weight == 0);

    CHECK(params.retry.max_attempts == 3);
    CHECK(params.timeouts.pool == 1s);
    CHECK(params.timeouts.connect == 5s);
    REQUIRE(params.cache);
    CHECK(params.cache->ttl == 90s);
    CHECK(params.cache->max_entries == 5);
    CHECK(params.cache->max_bytes == 6);
    CHECK(params.cache->max_entry_bytes == 0);
    CHECK(params.cache->any_temperature);
    CHECK(params.cache->store_timeout == 7ms);
    CHECK(params.timeouts.tls == 2500ms);
    CHECK(params.timeouts.write == 300ms);
    CHECK(params.timeouts.first_byte == 40s);
    CHECK(params.timeouts.first_byte_failover == 40s);
    CHECK(params.timeouts.first_token == 15s);
    CHECK(params.timeouts.idle == 2min);
    CHECK(params.timeouts.token_idle == 0s);
    CHECK(params.timeouts.total == 48h);
    CHECK(params.pool.max_per_host == 10);
    CHECK(params.pool.max_idle_per_host == 0);
    CHECK(params.pool.max_idle == 5);
    CHECK(params.pool.trim_delay == 1s);
    CHECK(params.pool.idle_timeout == 30s);
    CHECK(params.pool.max_lifetime == 1h);
    CHECK(params.tls.ca_file == (folder / "ca.pem").string());
}

TEST_CASE_METHOD(config_fixture, "config: the example in the documentation")
{
    std::ifstream file(source_file("docs/configuration.md"));
    std::stringstream page;
    page << file.rdbuf();
    std::string text = page.str();
    std::string const opening = "```json\n";
    auto const start = text.find(opening);
    REQUIRE(start != std::string::npos);
    text = text.substr(start + opening.size());
    text = text.substr(0, text.find("```"));

    write("azure.key", "sk-azure");
    write("ca.pem", "x");
    for (char const* const name : {"OPENAI_API_KEY_2", "OPENAI_API_KEY", "OPENROUTER_API_KEY"})
        for (auto at = text.find(name); at != std::string::npos; at = text.find(name))
            text.replace(at, std::string(name).size(), "SERIN_TEST_CONFIG_A");
    auto const ec = load(text);
    INFO(why);
    REQUIRE_FALSE(ec);
    CHECK(params.upstreams.size() == 4);
}

TEST_CASE_METHOD(config_fixture, "config: what it does not mention stays as it is")
{
    params.seed = 9;
    params.timeouts.connect = 7s;
    params.upstreams.resize(3);
    REQUIRE_FALSE(load(with(R"("timeouts": {"total": "1s"})")));
    CHECK(params.seed == 9);
    CHECK(params.timeouts.connect == 7s);
    CHECK(params.timeouts.total == 1s);
    CHECK(params.timeouts.first_byte_failover == client_params().timeouts.first_byte_failover);
    REQUIRE(params.upstreams.size() == 1);
    CHECK(params.upstreams[0].name == "default");
    CHECK_FALSE(params.upstreams[0].keys);
}

TEST_CASE_METHOD(config_fixture, "config: text that is not JSON is refused with the place")
{
    refuse("", "not JSON: line 1, column 1");
    refuse("{\n  \"upstreams\": [,]\n}", "not JSON: line 2, column 17");
    refuse("{} {}", "not JSON: line 1, column 4");
    refuse("{\"upstreams\": 1e999}", "not JSON: a number is too large");
    refuse("[]", "the configuration must be a JSON object");
    refuse("{\"a\": \"\xff\"}", "not JSON: line 1, column 8");
    refuse(R"({"retry": {"max_attempts": 1, "max_attempts": 2}})", "max_attempts: is given twice in the same object");

    // What it quotes is no secret.
    CHECK(load("{\"keys\": \"sk-secret") == errc::invalid_argument);
    CHECK(why.find("sk-secret") == std::string::npos);

    CHECK(load(std::string(1'000'000, '[')) == errc::invalid_argument);
}

TEST_CASE_METHOD(config_fixture, "config: at least one upstream, and one that is asked")
{
    std::string const missing = "upstreams: must be an array of at least one upstream";
    refuse("{}", missing);
    refuse(R"({"upstreams": []})", missing);
    refuse(R"({"upstreams": {}})", missing);
    refuse(R"({"upstreams": ["https://a.example"]})", "upstreams[0]: must be an object");
    refuse(one(R"("weight": 0)"), "upstreams: every weight is 0: no upstream would be asked");
}

TEST_CASE_METHOD(config_fixture, "config: unknown members are named")
{
    refuse(with(R"("upstraems": [])"), "upstraems: there is no such setting");
    refuse(one(R"("colour": "red")"), "upstreams[0].colour: there is no such setting");
    refuse(one(R"("tls": {"verify": false})"), "upstreams[0].tls.verify: there is no such setting");
    refuse(one(R"("price": {"inptu": 1})"), "upstreams[0].price.inptu: there is no such setting");
    refuse(one(R"("keys": {"env": "SERIN_TEST_CONFIG_A", "x": 1})"), "upstreams[0].keys.x: there is no such setting");
    refuse(with(R"("retry": {"attempts": 5})"), "retry.attempts: there is no such setting");
    refuse(with(R"("timeouts": {"connct": "5s"})"), "timeouts.connct: there is no such setting");
    refuse(with(R"("pool": {"size": 5})"), "pool.size: there is no such setting");
    refuse(with(R"("a\nb": 1)"), "a b: there is no such setting");
}

TEST_CASE_METHOD(config_fixture, "config: what this version cannot do is refused rather than ignored")
{
    refuse(with(R"("cache": {"ttl": "0s"})"), "cache.ttl: must be at least 1 ms");
    refuse(with(R"("cache": {"entries": 5})"), "cache.entries: there is no such setting");
    refuse(with(R"("stream": {"recovery": "no"})"), "stream.recovery: must be \"fail\", \"restart\" or \"buffer\"");
    refuse(with(R"("retry": {"budget_ratio": "much"})"), "retry.budget_ratio: must be a number from 0");
    refuse(with(R"("hedge": {"after": "1s"})"), "hedge.after: there is no such setting");
    refuse(one(R"("limits": {"requests_per_minute": -1})"),
        "upstreams[0].limits.requests_per_minute: must be a number from 0");
    refuse(one(R"("choose_key": "best")"), "upstreams[0].choose_key: must be \"round_robin\" or \"least_loaded\"");
    refuse(one(R"("limits": {"on_limit": "drop"})"), "upstreams[0].limits.on_limit: must be \"wait\" or \"fail\"");
    refuse(one(R"("limits": {"per_second": 1})"), "upstreams[0].limits.per_second: there is no such setting");
}

TEST_CASE_METHOD(config_fixture, "config: values of the wrong type or range")
{
    std::string const first = R"({"upstreams": [{"name": "a"}, )";
    for (std::string const bad : {"-1", "1.5", "\"80\"", "null", "true", "4294967296", "99999999999999999999999"})
        refuse(
            first + R"({"name": "b", "weight": )" + bad + "}]}", "upstreams[1].weight: must be a whole number from 0");
    for (std::string const bad : {"0", "-1", "2.0", "\"5\"", "2147483648"})
        refuse(with(R"("retry": {"max_attempts": )" + bad + "}"), "retry.max_attempts: must be a whole number from 1");
    refuse(with(R"("limits": {"body": 0})"), "limits.body: must be a whole number from 1");
    refuse(with(R"("health": {"window": "1ms"})"), "health.window: must be at least 10 ms");
    refuse(with(R"("health": {"jitter": 2})"), "health.jitter: must be a number from 0 to 1");
    refuse(one(R"("priority": -1)"), "upstreams[0].priority: must be a whole number from 0");
    refuse(with(R"("pool": {"max_per_host": 0})"), "pool.max_per_host: must be a whole number from 1");
    for (std::string const bad : {"5", "\"\"", "\"5\"", "\"s\"", "\"5 s\"", "\" 5s\"", "\"5s \"", "\"-5s\"", "\"+5s\"",
             "\"5d\"", "\"5S\"", "\"1e3s\"", "\"nans\"", "\"infs\"", "\".5s\"", "\"99999999h\"", "null", "[\"5s\"]"})
        refuse(with(R"("timeouts": {"connect": )" + bad + "}"), std::string("timeouts.connect: ") + duration_text);
    refuse(with(R"("timeouts": {"total": "0s"})"), "timeouts.total: must not be zero");
    refuse(with(R"("timeouts": [])"), "timeouts: must be an object");
    refuse(with(R"("retry": 5)"), "retry: must be an object");
    refuse(one(R"("model": 5)"), "upstreams[0].model: must be a string");
    refuse(one(R"("model": "a\u0000b")"), "upstreams[0].model: must not hold control characters");
    refuse(one(R"("allow_insecure_key": "yes")"), "upstreams[0].allow_insecure_key: must be true or false");
    refuse(one(R"("price": {"input": -1})"),
        "upstreams[0].price.input: must be a number of dollars from 0, with at most 9 decimals");
    refuse(one(R"("price": 1)"), "upstreams[0].price: must be an object");
}

TEST_CASE_METHOD(config_fixture, "config: prices are taken to the last decimal")
{
    std::pair<char const*, serin::nano_dollars> const amounts[] = {{"0", 0}, {"0.1", 100'000'000}, {"0.07", 70'000'000},
        {"1e-9", 1}, {"0.000000001", 1}, {"1.10", 1'100'000'000}, {"2.675", 2'675'000'000}, {"15", 15'000'000'000},
        {"123456.789012345", 123'456'789'012'345}, {"9000000000", 9'000'000'000'000'000'000}, {"-0.0", 0}};
    for (auto const& [text, amount] : amounts)
    {
        CAPTURE(text);
        REQUIRE_FALSE(load(one(R"("price": {"output": )" + std::string(text) + R"(, "reasoning": 0})")));
        CHECK(params.upstreams[0].price == serin::price{0, amount, {}, 0});
    }
    REQUIRE_FALSE(load(one(R"("price": {"input": 2.5, "cached_input": 0.625})")));
    CHECK(params.upstreams[0].price == serin::price{2'500'000'000, 0, 625'000'000, {}});
    for (std::string const bad : {"-0.1", "1e-10", "0.1234567891", "1e10", "9000000001", "1e300", "\"1\"", "null"})
        refuse(one("\"price\": {\"reasoning\": " + bad + "}"),
            "upstreams[0].price.reasoning: must be a number of dollars from 0, with at most 9 decimals");
}

TEST_CASE_METHOD(config_fixture, "config: alerts")
{
    REQUIRE_FALSE(load(with(R"("alerts": [{"p99": "500ms", "window": "5m", "webhook_env": "SLACK_WEBHOOK_URL"}])")));
    REQUIRE(params.alerts.size() == 1);
    CHECK(params.alerts[0].p99 == 500ms);
    CHECK(params.alerts[0].window == 5min);
    CHECK(params.alerts[0].webhook_env == "SLACK_WEBHOOK_URL");

    REQUIRE_FALSE(load(with(R"("alerts": [
        {"name": "slow", "p50": "1s", "upstream": "default", "model": "fast", "of": "first_token", "min_calls": 5,
         "hold": "1m", "recovery": "2m", "repeat": "1h"},
        {"p90": "2s"}, {"error_rate": 0.05}, {"cost_per_hour": 12.5}, {"no_traffic": true}])")));
    REQUIRE(params.alerts.size() == 5);
    serin::alert_rule const& first = params.alerts[0];
    CHECK(first.name == "slow");
    CHECK(first.p50 == 1s);
    CHECK(first.upstream == "default");
    CHECK(first.model == "fast");
    CHECK(first.latency == serin::alert_latency::first_token);
    CHECK(first.min_calls == 5);
    CHECK(first.hold == 1min);
    CHECK(first.recovery == 2min);
    CHECK(first.repeat == 1h);
    CHECK(params.alerts[1].p90 == 2s);
    CHECK(params.alerts[2].error_rate == 0.05);
    CHECK(params.alerts[3].cost_per_hour == 12'500'000'000);
    CHECK(params.alerts[4].no_traffic);
}

TEST_CASE_METHOD(config_fixture, "config: alerts that make no sense")
{
    refuse(with(R"("alerts": {})"), "alerts: must be an array of objects");
    refuse(with(R"("alerts": [{}])"),
        "alerts[0]: must have exactly one of p50, p90, p99, error_rate, cost_per_hour and no_traffic");
    refuse(with(R"("alerts": [{"p99": "1s", "p50": "1s"}])"),
        "alerts[0]: must have exactly one of p50, p90, p99, error_rate, cost_per_hour and no_traffic");
    refuse(with(R"("alerts": [{"p99": "1s", "window": "100ms"}])"), "alerts[0]: has a window shorter than a second");
    refuse(with(R"("alerts": [{"no_traffic": true}, {"no_traffic": true}])"),
        "alerts[1]: the name \"no traffic\" is given twice");
    refuse(
        with(R"("alerts": [{"no_traffic": true, "upstream": "x"}])"), "alerts[0].upstream: there is no upstream \"x\"");
    refuse(with(R"("alerts": [{"no_traffic": true, "webhook": "x"}])"), "alerts[0].webhook: there is no such setting");
    refuse(with(R"("alerts": [{"error_rate": 2}])"), "alerts[0].error_rate: must be a number from 0 to 1");
}

TEST_CASE_METHOD(config_fixture, "config: budgets and a table of prices")
{
    REQUIRE_FALSE(load(with(R"("prices": {"gpt-4.1": {"input": 8, "output": 8}},
        "budgets": [{"daily": 20}, {"name": "shop", "daily": 1.5, "when_over": "warn", "warn_at": 0.5,
                     "upstream": "default", "model": "fast", "tag": "shop 1"}])")));
    REQUIRE(params.prices.find("gpt-4.1"));
    CHECK(params.prices.find("gpt-4.1")->input == 8'000'000'000);
    REQUIRE(params.budgets.size() == 2);
    CHECK(params.budgets[0].name == "daily");
    CHECK(params.budgets[0].daily == 20'000'000'000);
    CHECK(params.budgets[0].when_over == serin::over_budget::refuse);
    CHECK(params.budgets[1].name == "shop");
    CHECK(params.budgets[1].daily == 1'500'000'000);
    CHECK(params.budgets[1].when_over == serin::over_budget::warn);
    CHECK(params.budgets[1].warn_at == 0.5);
    CHECK(params.budgets[1].upstream == "default");
    CHECK(params.budgets[1].model == "fast");
    CHECK(params.budgets[1].tag == "shop 1");

    refuse(with(R"("budgets": [{}])"), "budgets[0].daily: must be a number of dollars above 0");
    refuse(with(R"("budgets": [{"daily": 1}, {"daily": 2}])"), "budgets[1].name: \"daily\" is given twice");
    refuse(with(R"("budgets": [{"daily": 1, "upstream": "x"}])"), "budgets[0].upstream: there is no upstream \"x\"");
    refuse(with(R"("prices": [])"), "prices: must be an object of models");
    refuse(with(R"("prices": {"m": {"input": -1}})"),
        "prices.m.input: must be a number of dollars from 0, with at most 9 decimals");
}

TEST_CASE_METHOD(config_fixture, "config: a model names its upstreams")
{
    auto const model = [](std::string const& members) {
        return R"({"upstreams": [{"name": "a"}, {"name": "b", "weight": 0}], "models": {"m": {)" + members + "}}}";
    };
    std::string const start = "models.m.";
    CHECK_FALSE(load(model(R"("upstreams": ["b", "a"])")));
    CHECK_FALSE(load(model(R"("upstreams": [{"name": "b", "weight": 1}])")));
    refuse(with(R"("models": [])"), "models: must be an object");
    refuse(with(R"("models": {"": {"upstreams": ["default"]}})"), "models: a model has no name");
    refuse(with(R"("models": {"m": "default"})"), "models.m: must be an object");
    for (std::string const bad : {R"("policy": "weighted")", R"("upstreams": [])", R"("upstreams": "a")"})
        refuse(model(bad), start + "upstreams: must be an array of at least one upstream");
    refuse(model(R"("upstreams": ["a", 1])"), start + "upstreams[1]: must be the name of an upstream or an object");
    refuse(model(R"("upstreams": ["a", "x"])"), start + "upstreams[1]: there is no upstream \"x\"");
    refuse(model(R"("upstreams": ["a", {"name": "a"}])"), start + "upstreams[1]: \"a\" is given twice");
    refuse(model(R"("upstreams": [{"model": "x"}])"), start + "upstreams[0].name: must be the name of an upstream");
    refuse(
        model(R"("upstreams": [{"name": "a", "wieght": 1}])"), start + "upstreams[0].wieght: there is no such setting");
    refuse(model(R"("upstreams": [{"name": "a", "weight": -1}])"),
        start + "upstreams[0].weight: must be a whole number from 0");
    std::string const nobody = start + "upstreams: every weight is 0: no upstream would be asked";
    refuse(model(R"("upstreams": ["b"])"), nobody);
    refuse(model(R"("upstreams": ["b", {"name": "a", "weight": 0}])"), nobody);
    refuse(model(R"("upstreams": ["a"], "policy": "best")"),
        start + "policy: must be \"weighted\", \"priority\", \"cheapest\", \"latency\", \"least_busy\" or \"sticky\"");
    refuse(model(R"("upstreams": ["a"], "stream_recovery": "no")"),
        start + "stream_recovery: must be \"fail\", \"restart\" or \"buffer\"");
    refuse(model(R"("upstreams": ["a"], "weight": 1)"), start + "weight: there is no such setting");
}

TEST_CASE_METHOD(config_fixture, "config: fallbacks are other models, and may lead back")
{
    auto const fallbacks = [](std::string const& members) {
        return R"({"upstreams": [{}], "models": {
            "m": {"upstreams": ["default"], "fallbacks": {)" +
               members + R"(}},
            "n": {"upstreams": ["default"], "fallbacks": {"on_failure": ["m"]}}}})";
    };
    std::string const start = "models.m.fallbacks.";
    CHECK_FALSE(load(fallbacks(R"("on_failure": ["n"], "on_context_length": [], "on_content_filter": ["n"])")));
    refuse(fallbacks(R"("on_failure": "n")"), start + "on_failure: must be an array of names of models");
    refuse(fallbacks(R"("on_failure": ["n", 1])"), start + "on_failure[1]: must be the name of a model");
    refuse(fallbacks(R"("on_context_length": ["x"])"), start + "on_context_length[0]: there is no model \"x\"");
    refuse(fallbacks(R"("on_content_filter": ["m"])"), start + "on_content_filter[0]: is the model itself");
    refuse(fallbacks(R"("on_failure": ["n", "n"])"), start + "on_failure[1]: \"n\" is given twice");
    refuse(fallbacks(R"("on_timeout": ["n"])"), start + "on_timeout: there is no such setting");
}

TEST_CASE_METHOD(config_fixture, "config: a rollout is about an upstream of its model")
{
    auto const rollout = [](std::string const& members) {
        return routed(R"("rollout": {"model": "m", "candidate": "b")" + (members.empty() ? "" : ", " + members) + "}");
    };
    CHECK_FALSE(load(rollout("")));
    CHECK_FALSE(load(routed(R"("rollout": [])")));
    refuse(routed(R"("rollout": 1)"), "rollout: must be an object");
    refuse(routed(R"("rollout": [1])"), "rollout[0]: must be an object");
    refuse(routed(R"("rollout": {"candidate": "b"})"), "rollout.model: must be the name of a model in \"models\"");
    refuse(routed(R"("rollout": {"model": "x", "candidate": "b"})"), "rollout.model: there is no model \"x\"");
    refuse(routed(R"("rollout": {"model": "m"})"), "rollout.candidate: must be the name of an upstream");
    refuse(routed(R"("rollout": {"model": "m", "candidate": "x"})"), "rollout.candidate: there is no upstream \"x\"");
    refuse(routed(R"("rollout": {"model": "m", "candidate": "c"})"),
        "rollout.candidate: \"c\" is not an upstream of the model \"m\"");
    for (std::string const lonely : {R"("model": "n", "candidate": "a")", R"("model": "m", "candidate": "a")"})
        refuse(routed("\"rollout\": {" + lonely + "}"),
            "rollout.candidate: the model \"" + lonely.substr(10, 1) + "\" has no other upstream with a weight");
    refuse(routed(R"("rollout": [{"model": "m", "candidate": "b"}, {"model": "m", "candidate": "b"}])"),
        "rollout[1]: there is another one for the model \"m\"");
    refuse(rollout(R"("stages": [])"), "rollout.stages: must be an array of at least one share");
    refuse(rollout(R"("stages": 0.5)"), "rollout.stages: must be an array of at least one share");
    for (std::string const bad : {"0", "1.01", "-1", "\"10%\"", "null"})
        refuse(rollout("\"stages\": [0.1, " + bad + "]"), "rollout.stages[1]: must be a number above 0 and at most 1");
    refuse(rollout(R"("stages": [0.1, 0.1])"), "rollout.stages[1]: must be more than the stage before");
    refuse(rollout(R"("hold": 48)"), std::string("rollout.hold: ") + duration_text);
    refuse(rollout(R"("gates": {"error_rate": 1.5})"), "rollout.gates.error_rate: must be a number from 0 to 1");
    refuse(rollout(R"("gates": {"p99": "0s"})"), "rollout.gates.p99: must not be zero");
    refuse(rollout(R"("gates": {"p99_of": "all"})"), "rollout.gates.p99_of: must be \"call\" or \"first_token\"");
    refuse(rollout(R"("gates": {"times_others": 0.5})"), "rollout.gates.times_others: must be a number from 1");
    refuse(rollout(R"("gates": {"window": "9ms"})"), "rollout.gates.window: must be at least 10 ms");
    refuse(rollout(R"("gates": {"false_alarm": -1})"), "rollout.gates.false_alarm: must be a number from 0 to 1");
    refuse(rollout(R"("gates": {"min_requests": 0.5})"), "rollout.gates.min_requests: must be a whole number from 0");
    refuse(rollout(R"("gates": {"p95": "1s"})"), "rollout.gates.p95: there is no such setting");
    refuse(rollout(R"("stage": 1)"), "rollout.stage: there is no such setting");
}

TEST_CASE_METHOD(config_fixture, "config: a mirror is about a model and any upstream")
{
    auto const mirror = [](std::string const& members) { return routed("\"mirror\": {" + members + "}"); };
    CHECK_FALSE(load(mirror(R"("model": "m", "candidate": "c", "share": 1)")));
    refuse(mirror(R"("model": "x", "candidate": "c", "share": 1)"), "mirror.model: there is no model \"x\"");
    refuse(mirror(R"("model": "m", "candidate": "x", "share": 1)"), "mirror.candidate: there is no upstream \"x\"");
    refuse(mirror(R"("model": "m", "candidate": "c")"), "mirror.share: must be a number from 0 to 1");
    refuse(mirror(R"("model": "m", "candidate": "c", "share": 2)"), "mirror.share: must be a number from 0 to 1");
    refuse(mirror(R"("model": "m", "candidate": "c", "share": 1, "max_in_flight": 0)"),
        "mirror.max_in_flight: must be a whole number from 1");
    refuse(mirror(R"("model": "m", "candidate": "c", "share": 1, "stages": [1])"),
        "mirror.stages: there is no such setting");
}

TEST_CASE_METHOD(config_fixture, "config: models, rollouts and mirrors go when they are not mentioned any more")
{
    REQUIRE_FALSE(load(routed(R"("rollout": {"model": "m", "candidate": "b"},
                                 "mirror": {"model": "m", "candidate": "c", "share": 1})")));
    CHECK(params.models.size() == 2);
    REQUIRE_FALSE(load(one("")));
    CHECK(params.models.empty());
    CHECK(params.rollouts.empty());
    CHECK(params.mirrors.empty());
}

TEST_CASE_METHOD(config_fixture, "config: dialects by their names")
{
    REQUIRE_FALSE(load(R"({"upstreams": [
        {"name": "a", "dialect": "openai", "organization": "org-1", "project": "proj-1"},
        {"name": "b", "dialect": "azure", "api_version": "2024-10-21",
         "base_url": "https://b.openai.azure.com/openai", "headers": {"X-Team": "canaries"}},
        {"name": "c", "dialect": "openrouter", "application": "Serin", "site": "https://serin.example"},
        {"name": "d", "dialect": "openrouter"},
        {"name": "e", "dialect": "generic"},
        {"name": "f"}
    ]})"));
    REQUIRE(params.upstreams.size() == 6);
    auto const& u = params.upstreams;
    CHECK(u[0].dialect.name == "openai");
    CHECK(u[0].dialect.obfuscation_off);
    CHECK(u[0].organization == "org-1");
    CHECK(u[0].project == "proj-1");
    CHECK(u[1].dialect.name == "azure");
    CHECK(u[1].dialect.key_header == "api-key");
    CHECK(u[1].dialect.query == "api-version=2024-10-21");
    CHECK(u[1].headers.find("x-team") == "canaries");
    CHECK(u[1].organization.empty());
    CHECK(u[2].dialect.name == "openrouter");
    CHECK(u[2].dialect.headers.find("x-title") == "Serin");
    CHECK(u[2].dialect.headers.find("http-referer") == "https://serin.example");
    CHECK(u[3].dialect.name == "openrouter");
    CHECK(u[3].dialect.headers.empty());
    CHECK(u[4].dialect.name == "generic");
    CHECK(u[5].dialect.name == "generic");
}

TEST_CASE_METHOD(config_fixture, "config: dialects that cannot be spoken")
{
    std::string const start = "upstreams[0].";
    for (std::string const bad : {"\"\"", "\"OpenAI\"", "\"azur\", \"api_version\": \"1\""})
        refuse(one("\"dialect\": " + bad),
            start + "dialect: must be \"openai\", \"azure\", \"openrouter\" or \"generic\"");
    refuse(one(R"("dialect": {"name": "azure"})"), start + "dialect: must be a string");
    refuse(one(R"("dialect": "azure")"), start + "api_version: the dialect azure needs it");
    refuse(one(R"("dialect": "azure", "api_version": "")"), start + "api_version: the dialect azure needs it");
    refuse(one(R"("dialect": "azure", "api_version": 20241021)"), start + "api_version: must be a string");
    for (std::string const bad : {"2024-10-21&x=1", "2024 10", "a#b", "%20", "\u00fc"})
        refuse(one(R"("dialect": "azure", "api_version": ")" + bad + "\""),
            start + "api_version: must be of letters, digits, dots and hyphens");
    refuse(one(R"("api_version": "2024-10-21")"), start + "api_version: belongs to the dialect azure");
    refuse(one(R"("dialect": "openai", "application": "Serin")"),
        start + "application: belongs to the dialect openrouter");
    refuse(one(R"("dialect": "azure", "api_version": "1", "site": "x")"),
        start + "site: belongs to the dialect openrouter");
    refuse(one(R"("dialect": "openrouter", "application": "a\r\nb")"),
        start + "application: must not hold control characters");
    refuse(one(R"("organization": 1)"), start + "organization: must be a string");
    refuse(one(R"("project": "a\nb")"), start + "project: must not hold control characters");
}

TEST_CASE_METHOD(config_fixture, "config: header fields that cannot be sent")
{
    refuse(one(R"("headers": {"X Team": "a"})"), "upstreams[0].headers.X Team: is not the name of a header field");
    refuse(one(R"("headers": {"": "a"})"), "upstreams[0].headers.: is not the name of a header field");
    refuse(one(R"("headers": {"X-Team": 1})"), "upstreams[0].headers.X-Team: must be a string");
    refuse(one(R"("headers": {"X-Team": "a\r\nEvil: 1"})"),
        "upstreams[0].headers.X-Team: must not hold control characters");
    refuse(one(R"("headers": ["X-Team"])"), "upstreams[0].headers: must be an object");
}

TEST_CASE_METHOD(config_fixture, "config: names of upstreams are given once")
{
    refuse(R"({"upstreams": [{"name": "a"}, {"name": "b"}, {"name": "a"}]})",
        "upstreams[2].name: another upstream is called \"a\" too");
    refuse(R"({"upstreams": [{}, {}]})", "upstreams[1].name: another upstream is called \"default\" too");
    refuse(one(R"("name": "")"), "upstreams[0].name: must not be empty");
}

TEST_CASE_METHOD(config_fixture, "config: a bad URL names the upstream")
{
    CHECK(load(R"({"upstreams": [{"name": "x", "base_url": "ftp://a.example"}]})") == errc::invalid_url);
    CHECK_THAT(why, ContainsSubstring("upstreams[0].base_url: upstream \"x\": "));
    CHECK(load(R"({"upstreams": [{"name": "x", "base_url": "https://u:sk-secret@a.example"}]})") == errc::invalid_url);
    CHECK(why.find("sk-secret") == std::string::npos);
}

TEST_CASE_METHOD(config_fixture, "config: a key does not go over plain http to another machine")
{
    std::string const url = R"({"upstreams": [{"name": "x", "base_url": "http://a.example/v1")";
    refuse(url + R"(, "keys": {"env": "SERIN_TEST_CONFIG_A"}}]})",
        "upstreams[0].base_url: upstream \"x\": refused to send a key over plain http to a.example",
        errc::insecure_transport);
    CHECK_FALSE(load(url + "}]}"));
    CHECK_FALSE(load(url + R"(, "keys": {"env": "SERIN_TEST_CONFIG_A"}, "allow_insecure_key": true}]})"));
}

TEST_CASE_METHOD(config_fixture, "config: keys that are wrong name where they should come from, and are not shown")
{
    std::string const start = "upstreams[0].keys: upstream \"default\": environment variable ";
    refuse(one(R"("keys": {"env": "SERIN_TEST_CONFIG_NONE"})"), start + "SERIN_TEST_CONFIG_NONE is not set",
        errc::invalid_key);
    CHECK(load(one(R"("keys": {"env": "SERIN_TEST_CONFIG_BAD"})")) == errc::invalid_key);
    CHECK_THAT(why, ContainsSubstring(start + "SERIN_TEST_CONFIG_BAD"));
    CHECK(why.find("sk-bad") == std::string::npos);

    write("empty.key", " \n");
    CHECK(load(one(R"("keys": {"file": "empty.key"})")) == errc::invalid_key);
    CHECK_THAT(why, ContainsSubstring((folder / "empty.key").string() + " is empty"));
    CHECK(load(one(R"("keys": {"file": "missing.key"})")) == errc::invalid_key);
    CHECK_THAT(why, ContainsSubstring((folder / "missing.key").string() + " cannot be read"));

    // One key of several is enough.
    CHECK_FALSE(load(one(R"("keys": {"env": ["SERIN_TEST_CONFIG_NONE", "SERIN_TEST_CONFIG_A"]})")));
    CHECK(key_of(0) == "sk-config-a");
}

TEST_CASE_METHOD(config_fixture, "config: a key in the place of its source is refused and not shown")
{
    std::string const name = "must be the name of an environment variable";
    refuse(one(R"("keys": "sk-secret")"), "upstreams[0].keys: must be an object");
    refuse(one(R"("keys": {"env": "sk-secret"})"), "upstreams[0].keys.env: " + name);
    refuse(one(R"("keys": {"env": ["SERIN_TEST_CONFIG_A", "1A"]})"), "upstreams[0].keys.env[1]: " + name);
    refuse(one(R"("keys": {"env": 5})"), "upstreams[0].keys.env: " + name);
    refuse(one(R"("keys": {"env": []})"), "upstreams[0].keys.env: must name at least one environment variable");
    refuse(one(R"("keys": {})"), "upstreams[0].keys: must have either \"env\" or \"file\"");
    refuse(one(R"("keys": {"env": "A", "file": "b"})"), "upstreams[0].keys: must have either \"env\" or \"file\"");
    refuse(one(R"("keys": {"file": ""})"), "upstreams[0].keys.file: must not be empty");
    refuse(one(R"("keys": {"file": 5})"), "upstreams[0].keys.file: must be a string");
}

TEST_CASE_METHOD(config_fixture, "config: files of TLS must be readable, and come in pairs")
{
    write("cert.pem", "x");
    refuse(one(R"("tls": {"ca_file": "none.pem"})"),
        "upstreams[0].tls.ca_file: cannot read " + (folder / "none.pem").string());
    refuse(with(R"("tls": {"certificate_file": "cert.pem"})"),
        "tls.certificate_file: certificate_file and private_key_file need each other");
    refuse(with(R"("tls": {"ca_file": ""})"), "tls.ca_file: must not be empty");
    // Absolute paths stay as they are.
    CHECK_FALSE(load_config(
        with("\"tls\": {\"ca_file\": \"" + (folder / "cert.pem").string() + "\"}"), "/elsewhere", params, why));
    CHECK(params.tls.ca_file == (folder / "cert.pem").string());
}

TEST_CASE_METHOD(config_fixture, "config: a file, its own folder, and its name in messages")
{
    auto const path = (folder / "serin.json").string();
    CHECK(load_config_file(path, params, why) == errc::invalid_argument);
    CHECK(why == path + ": cannot read the file");
    CHECK(load_config_file(folder.string(), params, why) == errc::invalid_argument);
    CHECK(why == folder.string() + ": cannot read the file");

    write("serin.json", one(R"("weight": -1)"));
    CHECK(load_config_file(path, params, why) == errc::invalid_argument);
    CHECK(why == path + ": upstreams[0].weight: must be a whole number from 0");

    write("a.key", "sk-file");
    write("serin.json", one(R"("keys": {"file": "a.key"})"));
    CHECK_FALSE(load_config_file(path, params, why));
    CHECK(key_of(0) == "sk-file");
}
