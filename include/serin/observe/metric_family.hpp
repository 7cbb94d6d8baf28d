// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_OBSERVE_METRIC_FAMILY_HPP
#define SERIN_OBSERVE_METRIC_FAMILY_HPP

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace serin {

/// What a metric is.
enum class metric_kind
{
    counter,   ///< A sum that only grows.
    gauge,     ///< How something is now.
    histogram, ///< How often which values came up.
    summary,   ///< Quantiles of the latest values.
};

/// A name and its value.
struct metric_label
{
    std::string name;  ///< As OpenTelemetry writes it, with dots.
    std::string value; ///< Any text.
};

/// A quantile.
struct metric_quantile
{
    double q = 0;     ///< From 0 to 1.
    double value = 0; ///< What that share of the values does not exceed.
};

/// One of the values of a metric.
struct metric_point
{
    std::vector<metric_label> labels;       ///< What it is about.
    double value = 0;                       ///< Of a counter or a gauge.
    std::uint64_t count = 0;                ///< Of a histogram or a summary: how many values.
    double sum = 0;                         ///< Of a histogram or a summary: their sum.
    std::vector<double> bounds;             ///< Of a histogram: the upper ends of its buckets, ascending.
    std::vector<std::uint64_t> buckets;     ///< Of a histogram: how many values fell into each; one more than bounds.
    std::vector<metric_quantile> quantiles; ///< Of a summary.
};

/// A metric with all its values.
struct metric_family
{
    std::string name;                        ///< As OpenTelemetry writes it: `serin.call.duration`.
    std::string unit;                        ///< As OpenTelemetry writes it: `s`, `{token}`; empty if there is none.
    std::string help;                        ///< One sentence.
    metric_kind kind = metric_kind::counter; ///< What it is.
    std::vector<metric_point> points;        ///< Its values.
};

/// Metrics in the text format of Prometheus, version 0.0.4 (`text/plain; version=0.0.4`). Dots in names become
/// underscores, units and `_total` are appended as is the custom there: `serin_call_duration_seconds`.
std::string to_prometheus_text(std::span<metric_family const> families);

} // namespace serin

#endif
