// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_OBSERVE_METRIC_REPORT_HPP
#define SERIN_SRC_OBSERVE_METRIC_REPORT_HPP

#include "metric_series.hpp"

#include <serin/observe/client_state.hpp>
#include <serin/observe/metrics.hpp>

#include <map>
#include <string>
#include <vector>

namespace serin {

// Makes metrics with names and labels out of what was counted.
class metric_report
{
public:
    metric_report(metric_naming naming, metrics_params const& params);

    void add(upstream_series& u, std::chrono::steady_clock::time_point now);

    // What belongs to no upstream.
    void add(metric_series const& all);

    // Of all clients. Upstreams of the same name are added up.
    void add(std::vector<upstream_state_report> const& states, metric_series& all);

    std::vector<metric_family> take();

private:
    enum class metric : std::size_t;

    void add_model(upstream_series const& u, model_series& m, std::chrono::steady_clock::time_point now);
    void add_token_usage(model_series const& m, std::vector<metric_label> const& labels);
    metric_point& point(metric which, std::vector<metric_label> labels);
    void value(metric which, std::vector<metric_label> labels, double v);
    void counter(metric which, std::vector<metric_label> labels, std::uint64_t n);
    void histogram(metric which, std::vector<metric_label> labels, bucket_counts const& counts);
    void summary(
        metric which, std::vector<metric_label> labels, duration_counts const& latest, bucket_counts const& all);

    std::vector<metric_label> labels_of(upstream_series const& u, model_series const& m) const;

    metric_naming naming_;
    metrics_params const& params_;
    std::vector<metric_family> families_;
};

} // namespace serin

#endif
