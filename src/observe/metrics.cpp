// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/observe/metrics.hpp>

#include "metric_report.hpp"
#include "metric_series.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

namespace serin {
namespace {

std::string_view metric_outcome(error_code const& ec) noexcept
{
    return ec ? kind_name(ec) : "ok";
}

} // namespace

class metrics::registry
{
public:
    explicit registry(metrics_params p) : params(std::move(p)), series(params) {}

    metrics_params const params;
    std::mutex mutex;
    metric_series series;
    std::vector<std::weak_ptr<client_state_source const>> clients;
};

metrics::metrics(metrics_params params) : registry_(std::make_unique<registry>(std::move(params))) {}

metrics::~metrics() = default;

bool metrics::wants_token_times() const noexcept
{
    return registry_->params.time_between_tokens;
}

void metrics::on_client(std::weak_ptr<client_state_source const> const& source)
{
    std::lock_guard const lock(registry_->mutex);
    std::erase_if(registry_->clients, [](auto const& c) { return c.expired(); });
    registry_->clients.push_back(source);
}

void metrics::on_call_started(call_started const&)
{
    registry_->series.active_calls.fetch_add(1, std::memory_order_relaxed);
}

void metrics::on_attempt_ended(attempt_ended const& event)
{
    std::lock_guard const lock(registry_->mutex);
    upstream_series& u = registry_->series.upstream(event.upstream);
    if (event.connection != connection_kind::none)
    {
        if (!u.waited_for_connection)
            u.waited_for_connection.emplace(duration_buckets());
        u.waited_for_connection->add(event.waited_for_connection);
        ++(event.connection == connection_kind::made ? u.connections_made : u.connections_reused);
    }
    if (event.waited_for_limit != event.waited_for_limit.zero())
    {
        if (!u.waited_for_limit)
            u.waited_for_limit.emplace(duration_buckets());
        u.waited_for_limit->add(event.waited_for_limit);
    }
    if (event.hedge)
        ++u.hedges;
    model_series& m = registry_->series.model(u, event.model, event.call.operation);
    find_outcome(m.attempts, metric_outcome(event.error)).add(event.took);
    if (event.tokens)
        m.add_tokens(*event.tokens);
    m.cost += event.cost;
}

void metrics::on_first_token_received(first_token_received const& event)
{
    std::lock_guard const lock(registry_->mutex);
    metric_series& s = registry_->series;
    model_series& m = s.model(s.upstream(event.upstream), event.model, event.call.operation);
    if (!m.first_token)
        m.first_token.emplace(duration_buckets());
    m.first_token->add(event.after_call);
    m.latest_first_tokens.add(
        event.at, [step = duration_counts::step_of(event.after_call)](duration_counts& c) { c.add_step(step); });
}

void metrics::on_tokens_timed(tokens_timed const& event)
{
    std::lock_guard const lock(registry_->mutex);
    metric_series& s = registry_->series;
    model_series& m = s.model(s.upstream(event.upstream), event.model, event.call.operation);
    if (!m.between_tokens)
        m.between_tokens.emplace(duration_buckets());
    // Those that arrived together are equally far apart: not at all.
    for (auto at = event.between.begin(); at != event.between.end();)
    {
        auto const next = std::find_if(at, event.between.end(), [at](auto const& d) { return d != *at; });
        m.between_tokens->add(*at, static_cast<std::uint64_t>(next - at));
        at = next;
    }
}

void metrics::on_retry_planned(retry_planned const& event)
{
    std::lock_guard const lock(registry_->mutex);
    ++registry_->series.upstream(event.upstream).retries;
}

void metrics::on_failover_planned(failover_planned const& event)
{
    std::lock_guard const lock(registry_->mutex);
    ++registry_->series.upstream(event.from).failovers;
}

void metrics::on_key_rotated(key_rotated const& event)
{
    std::lock_guard const lock(registry_->mutex);
    ++registry_->series.upstream(event.upstream).key_changes[static_cast<std::size_t>(event.what)];
}

void metrics::on_circuit_changed(circuit_changed const& event)
{
    std::lock_guard const lock(registry_->mutex);
    ++registry_->series.upstream(event.upstream).circuit_changes[static_cast<std::size_t>(event.to)];
}

void metrics::on_rollout_changed(rollout_changed const& event)
{
    std::lock_guard const lock(registry_->mutex);
    if (rollout_series* const r = registry_->series.rollout(event.model))
    {
        r->candidate = metric_series::bounded(event.candidate);
        r->share = event.share;
        ++r->changes[std::string(event.what)];
    }
}

void metrics::on_budget_reached(budget_reached const& event)
{
    std::lock_guard const lock(registry_->mutex);
    if (std::uint64_t* const n = registry_->series.budget(event.budget))
        ++*n;
}

void metrics::on_cache_looked_up(cache_looked_up const& event)
{
    std::lock_guard const lock(registry_->mutex);
    ++registry_->series.cache_lookups[static_cast<std::size_t>(event.found)];
}

void metrics::on_call_ended(call_ended const& event)
{
    metric_series& s = registry_->series;
    s.active_calls.fetch_sub(1, std::memory_order_relaxed);
    std::lock_guard const lock(registry_->mutex);
    std::string_view const model = event.model.empty() ? event.call.model : event.model;
    model_series& m = s.model(s.upstream(event.upstream), model, event.call.operation);
    find_outcome(m.calls, metric_outcome(event.error)).add(event.took);
    if (!event.error)
        m.latest_calls.add(
            event.at, [step = duration_counts::step_of(event.took)](duration_counts& c) { c.add_step(step); });
}

std::vector<metric_family> metrics::snapshot(metric_naming naming, std::chrono::steady_clock::time_point now) const
{
    registry& r = *registry_;
    std::vector<std::weak_ptr<client_state_source const>> clients;
    std::vector<upstream_series*> upstreams;
    metric_report report(naming, r.params);
    // Clients lock their own state, and may be calling this observer meanwhile.
    {
        std::lock_guard const lock(r.mutex);
        clients = r.clients;
    }
    std::vector<upstream_state_report> states;
    for (auto const& weak : clients)
        if (auto const client = weak.lock())
            for (upstream_state_report& s : client->state())
                states.push_back(std::move(s));
    {
        std::lock_guard const lock(r.mutex);
        report.add(states, r.series);
        report.add(r.series);
        upstreams = r.series.upstreams();
    }
    // One at a time: calls wait for the lock.
    for (upstream_series* const u : upstreams)
    {
        std::lock_guard const lock(r.mutex);
        report.add(*u, now);
    }
    return report.take();
}

std::string metrics::to_prometheus_text(metric_naming naming) const
{
    return serin::to_prometheus_text(snapshot(naming));
}

} // namespace serin
