// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/observe/event_log.hpp>

#include "log_line.hpp"

#include <utility>

namespace serin {
namespace {

log_line call_line(log_format format, std::string_view event, call_info const& call)
{
    log_line line(format, event);
    line.number("call", call.id).text("operation", operation_name(call.operation)).text("asked_model", call.model);
    line.text("tag", call.tag);
    return line;
}

} // namespace

event_log::event_log(logger to, log_level most, log_format format) : to_(std::move(to)), most_(most), format_(format) {}

void event_log::on_call_started(call_started const& event)
{
    if (!wants(log_level::debug))
        return;
    auto line = call_line(format_, "call_started", event.call);
    line.flag("stream", event.call.stream);
    to_(log_level::debug, line.take());
}

void event_log::on_attempt_started(attempt_started const& event)
{
    if (!wants(log_level::debug))
        return;
    auto line = call_line(format_, "attempt_started", event.call);
    line.number("attempt", event.number).text("upstream", event.upstream).text("model", event.model);
    line.flag("hedge", event.hedge).time("waited_ms", event.waited_before);
    to_(log_level::debug, line.take());
}

void event_log::on_attempt_ended(attempt_ended const& event)
{
    if (!wants(log_level::debug))
        return;
    auto line = call_line(format_, "attempt_ended", event.call);
    line.number("attempt", event.number).text("upstream", event.upstream).text("model", event.model);
    line.text("key", event.key).flag("hedge", event.hedge).text("error", kind_name(event.error));
    line.number("status", event.status).text("phase", phase_name(event.phase)).time("took_ms", event.took);
    line.time("waited_for_limit_ms", event.waited_for_limit);
    line.time("waited_for_connection_ms", event.waited_for_connection);
    if (event.tokens)
        line.number("prompt_tokens", event.tokens->prompt).number("completion_tokens", event.tokens->completion);
    line.dollars("cost", event.cost);
    to_(log_level::debug, line.take());
}

void event_log::on_first_token_received(first_token_received const& event)
{
    if (!wants(log_level::debug))
        return;
    auto line = call_line(format_, "first_token", event.call);
    line.text("upstream", event.upstream).text("model", event.model).time("after_ms", event.after_call);
    to_(log_level::debug, line.take());
}

void event_log::on_retry_planned(retry_planned const& event)
{
    if (!wants(log_level::warning))
        return;
    auto line = call_line(format_, "retry_planned", event.call);
    line.text("upstream", event.upstream).text("error", kind_name(event.error)).number("status", event.status);
    line.time("delay_ms", event.delay);
    to_(log_level::warning, line.take());
}

void event_log::on_failover_planned(failover_planned const& event)
{
    if (!wants(log_level::warning))
        return;
    auto line = call_line(format_, "failover_planned", event.call);
    line.text("from", event.from).text("to", event.to).text("error", kind_name(event.error));
    line.number("status", event.status).time("delay_ms", event.delay);
    to_(log_level::warning, line.take());
}

void event_log::on_key_rotated(key_rotated const& event)
{
    log_level const level = event.what == key_change::quarantined ? log_level::warning : log_level::info;
    if (!wants(level))
        return;
    log_line line(format_, "key_rotated");
    line.text("upstream", event.upstream).text("change", key_change_name(event.what)).text("key", event.key);
    to_(level, line.take());
}

void event_log::on_circuit_changed(circuit_changed const& event)
{
    log_level const level = event.to == circuit_state::open ? log_level::warning : log_level::info;
    if (!wants(level))
        return;
    log_line line(format_, "circuit_changed");
    line.text("upstream", event.upstream).text("model", event.model).text("from", circuit_state_name(event.from));
    line.text("to", circuit_state_name(event.to));
    to_(level, line.take());
}

void event_log::on_rollout_changed(rollout_changed const& event)
{
    log_level const level = event.what == "rolled_back" ? log_level::warning : log_level::info;
    if (!wants(level))
        return;
    log_line line(format_, "rollout_changed");
    line.text("model", event.model).text("candidate", event.candidate).text("change", event.what);
    line.number("stage", event.stage).share("share", event.share).text("why", event.why);
    to_(level, line.take());
}

void event_log::on_budget_reached(budget_reached const& event)
{
    if (!wants(log_level::warning))
        return;
    log_line line(format_, "budget_reached");
    line.text("budget", event.budget).dollars("spent", event.spent).dollars("limit", event.limit);
    line.flag("refuses", event.refuses);
    to_(log_level::warning, line.take());
}

void event_log::on_call_ended(call_ended const& event)
{
    bool const failed = event.error && kind_name(event.error) != "cancelled";
    log_level const level = failed ? log_level::error : log_level::debug;
    if (!wants(level))
        return;
    auto line = call_line(format_, "call_ended", event.call);
    line.text("upstream", event.upstream).text("model", event.model).text("error", kind_name(event.error));
    line.number("status", event.status);
    if (event.gave_up != give_up::none)
        line.text("gave_up", give_up_name(event.gave_up));
    line.number("attempts", event.attempts).time("took_ms", event.took);
    if (event.first_token)
        line.time("first_token_ms", *event.first_token);
    if (event.tokens)
        line.number("prompt_tokens", event.tokens->prompt).number("completion_tokens", event.tokens->completion);
    line.dollars("cost", event.cost);
    to_(level, line.take());
}

} // namespace serin
