// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/observe/observer.hpp>

#include <algorithm>
#include <utility>

namespace serin {

void observer::on_client(std::weak_ptr<client_state_source const> const&) {}
void observer::on_call_started(call_started const&) {}
void observer::on_attempt_started(attempt_started const&) {}
void observer::on_attempt_ended(attempt_ended const&) {}
void observer::on_first_token_received(first_token_received const&) {}
void observer::on_chunk_received(chunk_received const&) {}
void observer::on_tokens_timed(tokens_timed const&) {}
void observer::on_retry_planned(retry_planned const&) {}
void observer::on_failover_planned(failover_planned const&) {}
void observer::on_key_rotated(key_rotated const&) {}
void observer::on_circuit_changed(circuit_changed const&) {}
void observer::on_rollout_changed(rollout_changed const&) {}
void observer::on_budget_reached(budget_reached const&) {}
void observer::on_cache_looked_up(cache_looked_up const&) {}
void observer::on_call_ended(call_ended const&) {}

observer_list::observer_list(std::vector<std::shared_ptr<observer>> observers) : observers_(std::move(observers))
{
    std::erase(observers_, nullptr);
}

bool observer_list::wants_content() const noexcept
{
    return std::ranges::any_of(observers_, [](auto const& o) { return o->wants_content(); });
}

bool observer_list::wants_chunks() const noexcept
{
    return std::ranges::any_of(observers_, [](auto const& o) { return o->wants_chunks(); });
}

bool observer_list::wants_token_times() const noexcept
{
    return std::ranges::any_of(observers_, [](auto const& o) { return o->wants_token_times(); });
}

template <class Event>
void observer_list::tell(void (observer::*what)(Event const&), Event const& event) const noexcept
{
    for (auto const& o : observers_)
    {
        try
        {
            ((*o).*what)(event);
        }
        catch (...)
        {
            // The others, and the call, have nothing to do with it.
        }
    }
}

void observer_list::on_client(std::weak_ptr<client_state_source const> const& source)
{
    tell(&observer::on_client, source);
}

void observer_list::on_call_started(call_started const& event)
{
    tell(&observer::on_call_started, event);
}

void observer_list::on_attempt_started(attempt_started const& event)
{
    tell(&observer::on_attempt_started, event);
}

void observer_list::on_attempt_ended(attempt_ended const& event)
{
    tell(&observer::on_attempt_ended, event);
}

void observer_list::on_first_token_received(first_token_received const& event)
{
    tell(&observer::on_first_token_received, event);
}

void observer_list::on_chunk_received(chunk_received const& event)
{
    tell(&observer::on_chunk_received, event);
}

void observer_list::on_tokens_timed(tokens_timed const& event)
{
    tell(&observer::on_tokens_timed, event);
}

void observer_list::on_retry_planned(retry_planned const& event)
{
    tell(&observer::on_retry_planned, event);
}

void observer_list::on_failover_planned(failover_planned const& event)
{
    tell(&observer::on_failover_planned, event);
}

void observer_list::on_key_rotated(key_rotated const& event)
{
    tell(&observer::on_key_rotated, event);
}

void observer_list::on_circuit_changed(circuit_changed const& event)
{
    tell(&observer::on_circuit_changed, event);
}

void observer_list::on_rollout_changed(rollout_changed const& event)
{
    tell(&observer::on_rollout_changed, event);
}

void observer_list::on_budget_reached(budget_reached const& event)
{
    tell(&observer::on_budget_reached, event);
}

void observer_list::on_cache_looked_up(cache_looked_up const& event)
{
    tell(&observer::on_cache_looked_up, event);
}

void observer_list::on_call_ended(call_ended const& event)
{
    tell(&observer::on_call_ended, event);
}

} // namespace serin
