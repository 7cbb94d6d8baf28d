// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_GATEWAY_STATE_REPORT_HPP
#define SERIN_SRC_GATEWAY_STATE_REPORT_HPP

#include "traffic.hpp"

#include <serin/client_params.hpp>
#include <serin/policy/cache.hpp>
#include <serin/policy/cost_report.hpp>
#include <serin/policy/health.hpp>
#include <serin/policy/keys.hpp>
#include <serin/policy/rollout.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <string>
#include <vector>

namespace serin::gateway {

// Everything that a gateway tells about itself.
class gateway_state
{
public:
    std::chrono::system_clock::time_point at{};
    std::chrono::seconds uptime{};
    bool draining = false;
    std::size_t connections = 0;
    std::size_t connection_limit = 0;
    std::string reload_failure; // Why the configuration file on disk is not in use; empty: it is.
    client_params params;
    std::vector<upstream_status> upstreams;
    std::vector<upstream_keys> keys;
    std::vector<rollout_report> rollouts;
    cost_report costs;
    cache_counts cache;
    std::vector<traffic_figures> figures;
    std::deque<traffic_failure> failures;

    gateway_state() {}
};

// The same as JSON, on one line. docs/gateway.md says what is in it.
std::string state_json(gateway_state const& s);

// A change of a rollout as JSON.
std::string rollout_event_json(std::string const& model, rollout_event const& e);

} // namespace serin::gateway

#endif
