// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_OBSERVE_EVENT_LOG_HPP
#define SERIN_OBSERVE_EVENT_LOG_HPP

#include <serin/core/logger.hpp>
#include <serin/observe/observer.hpp>

namespace serin {

/// The form of a line.
enum class log_format
{
    logfmt, ///< `event=retry_planned call=17 upstream=stable error=overloaded status=503 delay_ms=812`
    json,   ///< The same as one JSON object.
};

/// Turns events into structured lines. Levels: a call that failed is an error; failures that were absorbed, upstreams
/// that are ejected, keys that are quarantined, rollouts that are rolled back and budgets are warnings; their opposites
/// are infos; calls and attempts one by one are for debugging. Neither prompts and answers nor keys are in them.
///
/// Thread safety: as @ref observer. The logger is called from any thread, and must take care of itself.
class event_log final : public observer
{
public:
    /// Lines go to `to`: those as important as `most` and more important ones.
    explicit event_log(logger to, log_level most = log_level::info, log_format format = log_format::logfmt);

    void on_call_started(call_started const& event) override;
    void on_attempt_started(attempt_started const& event) override;
    void on_attempt_ended(attempt_ended const& event) override;
    void on_first_token_received(first_token_received const& event) override;
    void on_retry_planned(retry_planned const& event) override;
    void on_failover_planned(failover_planned const& event) override;
    void on_key_rotated(key_rotated const& event) override;
    void on_circuit_changed(circuit_changed const& event) override;
    void on_rollout_changed(rollout_changed const& event) override;
    void on_budget_reached(budget_reached const& event) override;
    void on_call_ended(call_ended const& event) override;

private:
    bool wants(log_level level) const noexcept { return to_ && level <= most_; }

    logger to_;
    log_level most_;
    log_format format_;
};

} // namespace serin

#endif
