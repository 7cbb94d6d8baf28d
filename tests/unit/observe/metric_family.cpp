// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/observe/metric_family.hpp>

#include "catch.hpp"

#include <limits>
#include <string>
#include <vector>

using serin::metric_family;
using serin::metric_kind;

namespace {

metric_family family(std::string name, std::string unit, metric_kind kind)
{
    metric_family f;
    f.name = std::move(name);
    f.unit = std::move(unit);
    f.help = "What it is.";
    f.kind = kind;
    return f;
}

std::string text_of(metric_family const& f)
{
    return to_prometheus_text(std::vector{f});
}

} // namespace

TEST_CASE("metric_family: counters and gauges")
{
    auto f = family("serin.tokens", "{token}", metric_kind::counter);
    f.points.resize(2);
    f.points[0].labels = {{"upstream", "a"}, {"gen_ai.token.type", "input"}};
    f.points[0].value = 12;
    f.points[1].value = 0.1;
    CHECK(text_of(f) == "# HELP serin_tokens_total What it is.\n"
                        "# TYPE serin_tokens_total counter\n"
                        "serin_tokens_total{upstream=\"a\",gen_ai_token_type=\"input\"} 12\n"
                        "serin_tokens_total 0.1\n");
    f = family("serin.cost", "USD", metric_kind::counter);
    f.points.resize(1);
    CHECK(text_of(f).find("\nserin_cost_dollars_total 0\n") != std::string::npos);
    f = family("serin.retry.budget", "", metric_kind::gauge);
    f.points.resize(1);
    f.points[0].value = std::numeric_limits<double>::infinity();
    CHECK(text_of(f).find("\nserin_retry_budget +Inf\n") != std::string::npos);
}

TEST_CASE("metric_family: the buckets of a histogram are added up")
{
    auto f = family("serin.call.duration", "s", metric_kind::histogram);
    f.points.resize(1);
    f.points[0].labels = {{"m", "x"}};
    f.points[0].bounds = {0.01, 0.02};
    f.points[0].buckets = {1, 2, 3};
    f.points[0].count = 6;
    f.points[0].sum = 7.5;
    CHECK(text_of(f) == "# HELP serin_call_duration_seconds What it is.\n"
                        "# TYPE serin_call_duration_seconds histogram\n"
                        "serin_call_duration_seconds_bucket{m=\"x\",le=\"0.01\"} 1\n"
                        "serin_call_duration_seconds_bucket{m=\"x\",le=\"0.02\"} 3\n"
                        "serin_call_duration_seconds_bucket{m=\"x\",le=\"+Inf\"} 6\n"
                        "serin_call_duration_seconds_sum{m=\"x\"} 7.5\n"
                        "serin_call_duration_seconds_count{m=\"x\"} 6\n");
}

TEST_CASE("metric_family: the quantiles of a summary")
{
    auto f = family("t", "s", metric_kind::summary);
    f.points.resize(1);
    f.points[0].quantiles = {{0.5, 1}, {0.99, 2.5}};
    f.points[0].count = 3;
    f.points[0].sum = 4;
    CHECK(text_of(f) == "# HELP t_seconds What it is.\n"
                        "# TYPE t_seconds summary\n"
                        "t_seconds{quantile=\"0.5\"} 1\n"
                        "t_seconds{quantile=\"0.99\"} 2.5\n"
                        "t_seconds_sum 4\n"
                        "t_seconds_count 3\n");
}

TEST_CASE("metric_family: a label's value may be any text")
{
    auto f = family("c", "", metric_kind::gauge);
    f.points.resize(1);
    f.points[0].labels = {{"1st.l", "a\"b\\c\nd\xff"}};
    CHECK(text_of(f).find("c{_st_l=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\"} 0\n") != std::string::npos);
}

TEST_CASE("metric_family: nothing is said of a metric without values")
{
    CHECK(text_of(family("c", "", metric_kind::gauge)).empty());
}
