// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/observe/event_log.hpp>
#include <serin/observe/spdlog.hpp>
#include <serin/observe/stderr_logger.hpp>

#include <boost/asio/error.hpp>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "observed_calls.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using serin::errc;
using serin::event_log;
using serin::log_format;
using serin::log_level;
using serin::test::observed_calls;

namespace {

using lines = std::vector<std::pair<log_level, std::string>>;

serin::logger into(lines& all)
{
    return [&all](log_level level, std::string_view line) { all.emplace_back(level, line); };
}

// Has what the adapter uses of a spdlog::logger.
struct like_spdlog
{
    std::vector<std::string> got;

    void error(std::string_view line) { got.push_back("E " + std::string(line)); }
    void warn(std::string_view line) { got.push_back("W " + std::string(line)); }
    void info(std::string_view line) { got.push_back("I " + std::string(line)); }
    void debug(std::string_view line) { got.push_back("D " + std::string(line)); }
};

} // namespace

TEST_CASE("event_log: a call that failed is an error, one that was answered is for debugging")
{
    lines all;
    event_log log(into(all));
    observed_calls calls(log);
    calls.tag = "shop 1";
    calls.whole("a", "m", 100ms);
    CHECK(all.empty());
    calls.whole("a", "m", 1500us, errc::overloaded);
    REQUIRE(all.size() == 1);
    CHECK(all[0].first == log_level::error);
    CHECK(all[0].second == "event=call_ended call=2 operation=chat asked_model=m tag=\"shop 1\" upstream=a model=m "
                           "error=overloaded status=500 attempts=1 took_ms=1.500 cost=0.000000000");
    calls.whole("a", "m", 1ms, boost::asio::error::operation_aborted);
    CHECK(all.size() == 1);
}

TEST_CASE("event_log: with debugging every event but chunks is a line")
{
    lines all;
    event_log log(into(all), log_level::debug);
    observed_calls calls(log);
    calls.tokens = serin::token_counts{10, 0, 5, 0};
    calls.cost = 42;
    calls.stream("a", "m", 300ms, {20ms});
    REQUIRE(all.size() == 4);
    CHECK(all[0].second == "event=call_started call=1 operation=chat asked_model=m stream=true");
    CHECK(all[1].second == "event=first_token call=1 operation=chat asked_model=m upstream=a model=m after_ms=300.000");
    CHECK(all[2].second.find("key=0123abcd") != std::string::npos);
    CHECK(all[2].second.find("prompt_tokens=10 completion_tokens=5 cost=0.000000042") != std::string::npos);
    CHECK(all[3].second.find("first_token_ms=300.000") != std::string::npos);
}

TEST_CASE("event_log: what was absorbed is a warning, what gets better an info")
{
    lines all;
    event_log log(into(all));
    observed_calls calls(log);
    using serin::circuit_state;
    calls.retry("a");
    calls.failover("a", "b");
    log.on_circuit_changed({"a", "", circuit_state::closed, circuit_state::open});
    log.on_circuit_changed({"a", "", circuit_state::half_open, circuit_state::closed});
    log.on_key_rotated({"a", serin::key_change::quarantined, "0123abcd"});
    log.on_key_rotated({"a", serin::key_change::replaced, ""});
    log.on_rollout_changed({"fast", "b", "rolled_back", 1, 0, "p99 of 400 ms"});
    log.on_rollout_changed({"fast", "b", "promoted", 1, 0.3, ""});
    log.on_budget_reached({"daily", 1'000'000'000, 2'000'000'000, false});

    std::vector<log_level> levels;
    for (auto const& line : all)
        levels.push_back(line.first);
    using enum log_level;
    CHECK(levels == std::vector{warning, warning, warning, info, warning, info, warning, info, warning});
    CHECK(all[1].second == "event=failover_planned call=2 operation=chat from=a to=b error=overloaded status=503 "
                           "delay_ms=0.000");
    CHECK(all[6].second == "event=rollout_changed model=fast candidate=b change=rolled_back stage=1 share=0.0000 "
                           "why=\"p99 of 400 ms\"");
    CHECK(all[8].second == "event=budget_reached budget=daily spent=1.000000000 limit=2.000000000 refuses=false");
}

TEST_CASE("event_log: only lines as important as was asked for are made")
{
    lines all;
    event_log log(into(all), log_level::error);
    observed_calls calls(log);
    calls.retry("a");
    calls.whole("a", "m", 1ms, errc::overloaded);
    CHECK(all.size() == 1);
    event_log silent(nullptr, log_level::debug);
    observed_calls(silent).whole("a", "m", 1ms, errc::overloaded);
}

TEST_CASE("event_log: texts of others break out of no line")
{
    for (auto const format : {log_format::logfmt, log_format::json})
    {
        lines all;
        event_log log(into(all), log_level::info, format);
        observed_calls calls(log);
        calls.tag = "x\nevent=call_ended \"y\" \xff \\";
        calls.whole("a", "m=1", 1ms, errc::overloaded);
        REQUIRE(all.size() == 1);
        CHECK(all[0].second.find('\n') == std::string::npos);
        if (format == log_format::json)
        {
            auto const line = nlohmann::json::parse(all[0].second);
            CHECK(line["event"] == "call_ended");
            CHECK(line["tag"] == "x\nevent=call_ended \"y\" \xef\xbf\xbd \\");
            CHECK(line["status"] == 500);
            CHECK(line["took_ms"] == 1.0);
        }
        else
        {
            CHECK(all[0].second.find(R"(tag="x\nevent=call_ended \"y\" \ufffd \\")") != std::string::npos);
            CHECK(all[0].second.find("model=\"m=1\"") != std::string::npos);
        }
    }
}

TEST_CASE("spdlog_logger: each level goes to that of spdlog")
{
    auto const to = std::make_shared<like_spdlog>();
    serin::logger const log = serin::spdlog_logger(to);
    log(log_level::error, "1");
    log(log_level::warning, "2");
    log(log_level::info, "3");
    log(log_level::debug, "4 {}");
    CHECK(to->got == std::vector<std::string>{"E 1", "W 2", "I 3", "D 4 {}"});
}
