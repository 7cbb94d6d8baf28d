// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_OBSERVE_METRICS_HPP
#define SERIN_OBSERVE_METRICS_HPP

#include <serin/observe/metric_family.hpp>
#include <serin/observe/observer.hpp>

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace serin {

/// How metrics are named that OpenTelemetry has names for. All others are called `serin.` something.
enum class metric_naming
{
    serin,  ///< `serin.call.duration` and so on: nothing is renamed.
    gen_ai, ///< The conventions for GenAI clients as they are widely deployed: `gen_ai.client.operation.duration`.
    gen_ai_latest, ///< As they are since September 2026: `gen_ai.client.inference.duration`.
};

/// How metrics are gathered.
struct metrics_params
{
    /// What quantiles are about: the latest time, this long.
    std::chrono::steady_clock::duration window = std::chrono::minutes(5);

    /// Whether the time between the tokens of streams is measured. It costs a stream some 2 per cent.
    bool time_between_tokens = true;

    /// How many upstreams are told apart; further ones are "other". Names come from the configuration, which changes.
    std::size_t max_upstreams = 100;

    /// How many models of an upstream are told apart; further ones are "other". Names may come from callers.
    std::size_t max_models = 50;

    /// What `gen_ai.provider.name` is for an upstream, by its name. For others it is "openai".
    std::map<std::string, std::string> providers = {};
};

/// Counts and measures what a client does. See docs/metrics.md for what each metric means.
///
/// Thread safety: every function may be called from any thread.
class metrics final : public observer
{
public:
    /// Nothing is known yet.
    explicit metrics(metrics_params params = metrics_params());
    ~metrics() override;

    /// What is known now. `now` is what quantiles are about the latest time before.
    std::vector<metric_family> snapshot(metric_naming naming = metric_naming::serin,
        std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now()) const;

    /// The same in the text format of Prometheus.
    std::string to_prometheus_text(metric_naming naming = metric_naming::serin) const;

    bool wants_token_times() const noexcept override;
    void on_client(std::weak_ptr<client_state_source const> const& source) override;
    void on_call_started(call_started const& event) override;
    void on_attempt_ended(attempt_ended const& event) override;
    void on_first_token_received(first_token_received const& event) override;
    void on_tokens_timed(tokens_timed const& event) override;
    void on_retry_planned(retry_planned const& event) override;
    void on_failover_planned(failover_planned const& event) override;
    void on_key_rotated(key_rotated const& event) override;
    void on_circuit_changed(circuit_changed const& event) override;
    void on_rollout_changed(rollout_changed const& event) override;
    void on_budget_reached(budget_reached const& event) override;
    void on_cache_looked_up(cache_looked_up const& event) override;
    void on_call_ended(call_ended const& event) override;

private:
    class registry;

    std::unique_ptr<registry> registry_;
};

} // namespace serin

#endif
