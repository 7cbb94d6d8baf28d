// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "state_report.hpp"

#include <serin/core/config.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace serin::gateway {
namespace {

using state_value = nlohmann::json;

double state_milliseconds(std::chrono::steady_clock::duration d)
{
    return std::round(std::chrono::duration<double, std::milli>(d).count() * 100) / 100;
}

state_value state_milliseconds(std::optional<std::chrono::steady_clock::duration> const& d)
{
    return d ? state_value(state_milliseconds(*d)) : state_value(nullptr);
}

std::int64_t state_date(std::chrono::system_clock::time_point t)
{
    return std::chrono::duration_cast<std::chrono::milliseconds>(t.time_since_epoch()).count();
}

char const* state_key(key_state s)
{
    switch (s)
    {
    case key_state::usable: return "usable";
    case key_state::resting: return "resting";
    case key_state::quarantined: return "quarantined";
    }
    return "";
}

template <class List>
auto const* state_find(List const& list, std::string const& name)
{
    auto const found = std::find_if(list.begin(), list.end(), [&](auto const& entry) {
        if constexpr (requires { entry.upstream; })
            return entry.upstream == name;
        else
            return entry.name == name;
    });
    return found == list.end() ? nullptr : &*found;
}

state_value state_keys(gateway_state const& s, std::string const& upstream)
{
    state_value keys = state_value::array();
    if (auto const* const of = state_find(s.keys, upstream))
        for (key_health const& k : of->keys)
            keys.push_back({{"fingerprint", k.fingerprint}, {"state", state_key(k.state)},
                {"usable_in_ms", k.usable_in.count()}, {"in_flight", k.in_flight}, {"failures", k.failures}});
    return keys;
}

state_value state_upstream(gateway_state const& s, upstream const& u)
{
    state_value out = {{"name", u.name}, {"model", u.model}, {"weight", u.weight}};
    if (auto const* const status = state_find(s.upstreams, u.name))
    {
        out["circuit"] = std::string(circuit_state_name(status->circuit));
        out["ejected_for_ms"] = state_milliseconds(status->ejected_for);
        out["resting_for_ms"] = state_milliseconds(status->resting_for);
        out["in_flight"] = status->in_flight;
    }
    out["keys"] = state_keys(s, u.name);
    traffic_figures const none;
    auto const* const known = state_find(s.figures, u.name);
    traffic_figures const& f = known ? *known : none;
    std::uint64_t const attempts = f.answered + f.failed;
    out["last_minute"] = {{"answered", f.answered}, {"failed", f.failed}, {"tokens", f.tokens}, {"share", f.share},
        {"error_rate", attempts == 0 ? 0 : static_cast<double>(f.failed) / static_cast<double>(attempts)},
        {"p50_ms", state_milliseconds(f.p50)}, {"p95_ms", state_milliseconds(f.p95)},
        {"p99_ms", state_milliseconds(f.p99)}, {"first_token_p50_ms", state_milliseconds(f.first_token_p50)},
        {"first_token_p99_ms", state_milliseconds(f.first_token_p99)}};
    return out;
}

state_value state_route(model_route const& r)
{
    state_value targets = state_value::array();
    for (route_target const& t : r.upstreams)
    {
        state_value target = {{"upstream", t.upstream}, {"model", t.model}, {"weight", nullptr}};
        if (t.weight)
            target["weight"] = *t.weight;
        targets.push_back(std::move(target));
    }
    return {{"name", r.name}, {"policy", std::string(route_policy_name(r.policy))}, {"upstreams", std::move(targets)}};
}

state_value state_rollout(rollout_report const& r)
{
    return {{"model", r.model}, {"candidate", r.candidate}, {"status", std::string(rollout_status_name(r.status))},
        {"stage", r.stage}, {"stages", r.stages}, {"share", r.share}, {"held_ms", state_milliseconds(r.held)},
        {"hold_ms", state_milliseconds(r.hold)}, {"why", r.why}};
}

// In dollars, for people to look at: not for accounts.
double state_dollars(nano_dollars amount)
{
    return static_cast<double>(amount) / static_cast<double>(one_dollar);
}

// What was spent since the start, and today's budgets. Null if there are neither prices nor budgets.
state_value state_cost(cost_report const& costs)
{
    nano_dollars total = 0;
    std::map<std::string, nano_dollars> of_upstreams;
    for (cost_line const& l : costs.lines)
    {
        total = add_costs(total, l.cost);
        nano_dollars& of = of_upstreams[l.upstream];
        of = add_costs(of, l.cost);
    }
    if (total == 0 && costs.budgets.empty())
        return nullptr;
    state_value upstreams = state_value::object();
    for (auto const& [name, amount] : of_upstreams)
        upstreams[name] = state_dollars(amount);
    state_value budgets = state_value::array();
    for (budget_line const& b : costs.budgets)
        budgets.push_back({{"name", b.budget}, {"daily_usd", state_dollars(b.daily)},
            {"spent_usd", state_dollars(b.spent)}, {"refuses", b.refuses}});
    return {
        {"total_usd", state_dollars(total)}, {"upstreams_usd", std::move(upstreams)}, {"budgets", std::move(budgets)}};
}

// Null: there is no cache.
state_value state_cache(gateway_state const& s)
{
    if (!s.params.cache)
        return nullptr;
    return {{"hits", s.cache.hits}, {"misses", s.cache.misses}, {"shared", s.cache.shared},
        {"bypassed", s.cache.bypassed}, {"hit_rate", s.cache.hit_rate()}};
}

std::string state_text(state_value const& value)
{
    return value.dump(-1, ' ', false, state_value::error_handler_t::replace);
}

} // namespace

std::string state_json(gateway_state const& s)
{
    state_value out = {{"at_ms", state_date(s.at)}, {"version", SERIN_VERSION}, {"uptime_s", s.uptime.count()},
        {"draining", s.draining}, {"connections", s.connections}, {"connection_limit", s.connection_limit},
        {"reload_failure", nullptr}};
    if (!s.reload_failure.empty())
        out["reload_failure"] = s.reload_failure;
    out["upstreams"] = state_value::array();
    for (upstream const& u : s.params.upstreams)
        out["upstreams"].push_back(state_upstream(s, u));
    out["models"] = state_value::array();
    for (model_route const& r : s.params.models)
        out["models"].push_back(state_route(r));
    out["rollouts"] = state_value::array();
    for (rollout_report const& r : s.rollouts)
        out["rollouts"].push_back(state_rollout(r));
    out["cost"] = state_cost(s.costs);
    out["cache"] = state_cache(s);
    out["failures"] = state_value::array();
    for (traffic_failure const& f : s.failures)
        out["failures"].push_back({{"at_ms", state_date(f.at)}, {"model", f.alias}, {"upstream", f.upstream},
            {"kind", f.kind}, {"status", f.status}, {"answered", f.answered}});
    return state_text(out);
}

std::string rollout_event_json(std::string const& model, rollout_event const& e)
{
    return state_text({{"model", model}, {"changed", e.what != rollout_change::none}, {"stage", e.stage},
        {"share", e.share}, {"why", e.why}});
}

} // namespace serin::gateway
