// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/observe/alert.hpp>

#include "observe/alert_text.hpp"
#include "observe/webhook_target.hpp"

#include "catch.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <string>

using namespace std::chrono_literals;
using serin::alert_problem;
using serin::alert_rule;
using serin::alert_state;
using serin::secret;

namespace {

alert_rule good_rule()
{
    alert_rule r;
    r.p99 = 500ms;
    return r;
}

std::string problem_with_webhook(char const* url)
{
    auto r = good_rule();
    r.webhook = secret(url);
    return alert_problem(r);
}

} // namespace

TEST_CASE("alert_problem: a rule has exactly one condition")
{
    CHECK(alert_problem(good_rule()).empty());
    CHECK(alert_problem(alert_rule()).find("exactly one") != std::string::npos);
    auto r = good_rule();
    r.no_traffic = true;
    CHECK(alert_problem(r).find("exactly one") != std::string::npos);
}

TEST_CASE("alert_problem: figures that make no sense are named")
{
    auto r = good_rule();
    r.p99 = 0s;
    CHECK_FALSE(alert_problem(r).empty());
    r = good_rule();
    r.window = 999ms;
    CHECK_FALSE(alert_problem(r).empty());
    r = good_rule();
    r.hold = -1s;
    CHECK_FALSE(alert_problem(r).empty());
    r = alert_rule();
    r.error_rate = 1;
    CHECK_FALSE(alert_problem(r).empty());
    r = alert_rule();
    r.cost_per_hour = 0;
    CHECK_FALSE(alert_problem(r).empty());
}

TEST_CASE("alert_problem: a webhook is https or on this machine, and is quoted nowhere")
{
    CHECK(problem_with_webhook("https://hooks.slack.com/services/T0/B0/verysecret").empty());
    CHECK(problem_with_webhook("http://127.0.0.1:8080/x").empty());
    for (char const* const bad : {"http://hooks.example.com/verysecret", "verysecret", "ftp://verysecret/x",
             "https://hooks.example.com/very secret", "https://user:verysecret@example.com/"})
    {
        auto const problem = problem_with_webhook(bad);
        CHECK_FALSE(problem.empty());
        CHECK(problem.find("secret") == std::string::npos);
    }
}

TEST_CASE("webhook_target: path and query are sent as they were written")
{
    serin::webhook_target t;
    CHECK(read_webhook(secret("https://h.example:444/a/b/?c=d"), t).empty());
    CHECK(t.where.host == "h.example");
    CHECK(t.where.port == 444);
    CHECK(t.where.tls);
    CHECK(t.path_and_query == "/a/b/?c=d");
    CHECK(read_webhook(secret("https://h.example"), t).empty());
    CHECK(t.path_and_query == "/");
    CHECK(read_webhook(secret("https://h.example?x"), t).empty());
    CHECK(t.path_and_query == "/?x");
}

TEST_CASE("alert: the webhook takes a JSON object with a text")
{
    serin::alert a;
    a.name = "p99 > 500 ms";
    a.text = "p99 is 612 ms at \"a\" & <b>";
    auto const text = [&] { return nlohmann::json::parse(to_webhook_body(a))["text"].get<std::string>(); };
    CHECK(text() == "*p99 &gt; 500 ms*: p99 is 612 ms at \"a\" &amp; &lt;b&gt;");
    a.state = alert_state::repeated;
    a.since = 4h;
    CHECK(text().find("*p99 &gt; 500 ms* for 4 h: ") == 0);
    a.state = alert_state::recovered;
    CHECK(text().find("*p99 &gt; 500 ms* has recovered: ") == 0);
    CHECK(nlohmann::json::parse(to_webhook_body(a)).size() == 1);
}

TEST_CASE("alert: times and shares are told to three digits")
{
    CHECK(serin::to_short_text(500ms) == "500 ms");
    CHECK(serin::to_short_text(1500us) == "1.5 ms");
    CHECK(serin::to_short_text(999'900us) == "1 s");
    CHECK(serin::to_short_text(1234ms) == "1.23 s");
    CHECK(serin::to_short_text(5min) == "5 min");
    CHECK(serin::to_short_text(48h) == "48 h");
    CHECK(serin::to_short_text(0ms) == "0 ms");
    CHECK(serin::to_percent_text(0.025) == "2.5 %");
    CHECK(serin::to_percent_text(1) == "100 %");
    CHECK(serin::to_dollar_text(12.5e9) == "$12.50");
}
