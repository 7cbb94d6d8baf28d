// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/observe/metrics.hpp>

#include "catch.hpp"
#include "observed_calls.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

using namespace std::chrono_literals;
using serin::metric_naming;

TEST_CASE("metrics: promtool has nothing to say against them")
{
    char const* const promtool = std::getenv("PROMTOOL");
    if (!promtool || !*promtool)
    {
        std::cout << "skipped: promtool is not installed (scripts/setup prometheus)\n";
        return;
    }
    serin::metrics m;
    serin::test::observed_calls calls(m);
    calls.tokens = serin::token_counts{100, 60, 50, 20};
    calls.cost = 1;
    calls.waited_for_limit = 1ms;
    calls.connection = serin::connection_kind::made;
    calls.whole("a", "m", 100ms);
    calls.whole("a \"quoted\"\n\xff", "m\\", 100ms, serin::errc::overloaded);
    calls.stream("a", "m", 300ms, {20ms, 30ms});
    calls.operation = serin::call_operation::embeddings;
    calls.whole("a", "e", 1ms);
    m.on_rollout_changed({"fast", "b", "promoted", 1, 0.3, "why"});
    m.on_budget_reached({"daily", 1, 1, true});

    for (auto const naming : {metric_naming::serin, metric_naming::gen_ai, metric_naming::gen_ai_latest})
    {
        std::FILE* const check = ::popen((std::string(promtool) + " check metrics 2>&1").c_str(), "w");
        REQUIRE(check);
        auto const text = to_prometheus_text(m.snapshot(naming, calls.now));
        CHECK(std::fwrite(text.data(), 1, text.size(), check) == text.size());
        CHECK(::pclose(check) == 0);
    }
}
