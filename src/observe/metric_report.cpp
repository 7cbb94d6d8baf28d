// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "metric_report.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

namespace serin {
namespace {

constexpr double dollar_in_nanos = 1e9;

struct metric_description
{
    std::string_view name;
    std::string_view unit;
    metric_kind kind;
    std::string_view help;
};

// In the order of metric_report::metric.
constexpr metric_description metric_descriptions[] = {
    {"serin.call.duration", "s", metric_kind::histogram, "Time from the start of a call to its end."},
    {"serin.call.duration.latest", "s", metric_kind::summary, "Quantiles of the latest calls that were answered."},
    {"serin.calls.active", "", metric_kind::gauge, "Calls under way."},
    {"serin.time_to_first_token", "s", metric_kind::histogram,
        "Time from the start of a streamed call to its first token."},
    {"serin.time_to_first_token.latest", "s", metric_kind::summary,
        "Quantiles of the time to the first token of the latest streamed calls."},
    {"serin.time_between_tokens", "s", metric_kind::histogram, "Time from a token of a stream to the next one."},
    {"serin.attempt.duration", "s", metric_kind::histogram, "Time from the start of an attempt to its end."},
    {"serin.tokens", "{token}", metric_kind::counter, "Tokens, as far as servers have counted them."},
    {"serin.cost", "USD", metric_kind::counter, "What the tokens cost."},
    {"serin.retries", "", metric_kind::counter, "Failures after which the same upstream was asked again."},
    {"serin.failovers", "", metric_kind::counter, "Failures after which another upstream was asked."},
    {"serin.hedges", "", metric_kind::counter, "Attempts that were made because another one was slow."},
    {"serin.limit.wait", "s", metric_kind::histogram, "Time that attempts waited for the configured limits."},
    {"serin.connection.wait", "s", metric_kind::histogram, "Time that attempts waited for a connection."},
    {"serin.connection.uses", "", metric_kind::counter, "Attempts by the connection they were given."},
    {"serin.connections", "", metric_kind::gauge, "Connections: open are all, idle those that no attempt uses."},
    {"serin.connection.waiters", "", metric_kind::gauge, "Attempts that wait for a connection."},
    {"serin.retry.budget", "", metric_kind::gauge, "Further attempts that the retry budget allows now."},
    {"serin.circuit.state", "", metric_kind::gauge, "Whether the upstream is asked: 0 closed, 1 half open, 2 open."},
    {"serin.circuit.changes", "", metric_kind::counter, "Changes of the circuit, by the new state."},
    {"serin.keys", "", metric_kind::gauge, "Keys, by how they are."},
    {"serin.key.changes", "", metric_kind::counter, "What has become of keys."},
    {"serin.cache.lookups", "", metric_kind::counter, "Requests by what the cache of answers had for them."},
    {"serin.rollout.share", "", metric_kind::gauge, "The share of the requests that a rollout's candidate gets."},
    {"serin.rollout.changes", "", metric_kind::counter, "What has become of rollouts."},
    {"serin.budget.reports", "", metric_kind::counter, "How often a budget had come to where it is reported."},
    {"gen_ai.client.token.usage", "{token}", metric_kind::histogram, "Tokens of an attempt."},
    {"gen_ai.client.inference.usage.input_tokens", "{token}", metric_kind::counter, "Tokens read."},
    {"gen_ai.client.inference.usage.output_tokens", "{token}", metric_kind::counter, "Tokens written."},
    {"gen_ai.client.inference.usage.cache_read.input_tokens", "{token}", metric_kind::counter,
        "Tokens read that came from the provider's cache."},
    {"gen_ai.client.inference.usage.reasoning.output_tokens", "{token}", metric_kind::counter,
        "Tokens written that were reasoning."},
    {"gen_ai.client.inference.operation.input_tokens", "{token}", metric_kind::histogram,
        "Tokens that an attempt read."},
    {"gen_ai.client.inference.operation.output_tokens", "{token}", metric_kind::histogram,
        "Tokens that an attempt wrote."},
    {"gen_ai.client.operation.duration", "s", metric_kind::histogram, "Time from the start of a call to its end."},
};

// The names that conventions have for ours.
struct metric_alias
{
    std::string_view ours;
    std::string_view gen_ai;
    std::string_view gen_ai_latest;
};

constexpr metric_alias metric_aliases[] = {
    {"serin.call.duration", "gen_ai.client.operation.duration", "gen_ai.client.inference.duration"},
    {"serin.time_to_first_token", "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.client.inference.time_to_first_chunk"},
    {"serin.time_between_tokens", "gen_ai.client.operation.time_per_output_chunk",
        "gen_ai.client.inference.time_per_output_chunk"},
};

// Ours and those of the conventions that do not say "ok" but leave out the error.
void add_outcome(std::vector<metric_label>& labels, metric_naming naming, std::string_view outcome)
{
    if (naming == metric_naming::serin)
        labels.push_back({"outcome", std::string(outcome)});
    else if (outcome != "ok")
        labels.push_back({"error.type", std::string(outcome)});
}

std::vector<metric_label> with_label(std::vector<metric_label> labels, std::string_view name, std::string_view value)
{
    labels.push_back({std::string(name), std::string(value)});
    return labels;
}

std::vector<metric_label> upstream_label(std::string_view upstream)
{
    return {{"upstream", std::string(upstream)}};
}

} // namespace

enum class metric_report::metric : std::size_t
{
    call_duration,
    call_latest,
    calls_active,
    first_token,
    first_token_latest,
    between_tokens,
    attempt_duration,
    tokens,
    cost,
    retries,
    failovers,
    hedges,
    limit_wait,
    connection_wait,
    connection_uses,
    connections,
    connection_waiters,
    retry_budget,
    circuit_state,
    circuit_changes,
    keys,
    key_changes,
    cache_lookups,
    rollout_share,
    rollout_changes,
    budget_reports,
    gen_ai_token_usage,
    gen_ai_input,
    gen_ai_output,
    gen_ai_cache_read,
    gen_ai_reasoning,
    gen_ai_input_sizes,
    gen_ai_output_sizes,
    gen_ai_other_duration,
};

metric_report::metric_report(metric_naming naming, metrics_params const& params) : naming_(naming), params_(params)
{
    families_.reserve(std::size(metric_descriptions));
    for (metric_description const& d : metric_descriptions)
    {
        metric_family f;
        f.name = d.name;
        f.unit = d.unit;
        f.help = d.help;
        f.kind = d.kind;
        for (metric_alias const& a : metric_aliases)
            if (a.ours == d.name && naming != metric_naming::serin)
                f.name = naming == metric_naming::gen_ai ? a.gen_ai : a.gen_ai_latest;
        families_.push_back(std::move(f));
    }
}

metric_point& metric_report::point(metric which, std::vector<metric_label> labels)
{
    auto& points = families_[static_cast<std::size_t>(which)].points;
    points.emplace_back();
    points.back().labels = std::move(labels);
    return points.back();
}

void metric_report::value(metric which, std::vector<metric_label> labels, double v)
{
    point(which, std::move(labels)).value = v;
}

void metric_report::counter(metric which, std::vector<metric_label> labels, std::uint64_t n)
{
    value(which, std::move(labels), static_cast<double>(n));
}

void metric_report::histogram(metric which, std::vector<metric_label> labels, bucket_counts const& counts)
{
    counts.put_into(point(which, std::move(labels)));
}

// The count and the sum are of all, since whoever reads them expects that they only grow.
void metric_report::summary(
    metric which, std::vector<metric_label> labels, duration_counts const& latest, bucket_counts const& all)
{
    metric_point& p = point(which, std::move(labels));
    p.count = all.count();
    p.sum = all.sum();
    for (double const q : {0.5, 0.9, 0.99})
        if (auto const d = latest.quantile(q))
            p.quantiles.push_back({q, std::chrono::duration<double>(*d).count()});
}

std::vector<metric_label> metric_report::labels_of(upstream_series const& u, model_series const& m) const
{
    std::string operation(operation_name(m.operation));
    if (naming_ == metric_naming::serin)
        return {{"upstream", u.name}, {"model", m.model}, {"operation", std::move(operation)}};
    auto const provider = params_.providers.find(u.name);
    return {{"gen_ai.operation.name", std::move(operation)},
        {"gen_ai.provider.name", provider == params_.providers.end() ? "openai" : provider->second},
        {"gen_ai.request.model", m.model}, {"serin.upstream", u.name}};
}

void metric_report::add_model(upstream_series const& u, model_series& m, std::chrono::steady_clock::time_point now)
{
    auto const labels = labels_of(u, m);
    bool const other_operation = naming_ == metric_naming::gen_ai_latest && m.operation != call_operation::chat;
    for (auto const* all : {&m.calls, &m.attempts})
        for (outcome_counts const& o : *all)
        {
            auto with_outcome = labels;
            add_outcome(with_outcome, naming_, o.outcome);
            metric const which = all == &m.attempts ? metric::attempt_duration
                                 : other_operation  ? metric::gen_ai_other_duration
                                                    : metric::call_duration;
            histogram(which, std::move(with_outcome), o.took);
        }
    for (outcome_counts const& o : m.calls)
        if (o.outcome == "ok")
            summary(metric::call_latest, labels, m.latest_calls.sum(now), o.took);
    if (m.first_token)
    {
        histogram(metric::first_token, labels, *m.first_token);
        summary(metric::first_token_latest, labels, m.latest_first_tokens.sum(now), *m.first_token);
    }
    if (m.between_tokens)
        histogram(metric::between_tokens, labels, *m.between_tokens);
    if (m.cost != 0)
        value(metric::cost, labels, static_cast<double>(m.cost) / dollar_in_nanos);
    if (m.input_tokens && m.output_tokens)
        add_token_usage(m, labels);
}

// The kinds of serin.tokens do not overlap, so that their sum is what was used. Those of the conventions do.
void metric_report::add_token_usage(model_series const& m, std::vector<metric_label> const& labels)
{
    token_counts const& t = m.tokens;
    counter(metric::tokens, with_label(labels, "kind", "input"), t.prompt - t.cached);
    counter(metric::tokens, with_label(labels, "kind", "cached_input"), t.cached);
    counter(metric::tokens, with_label(labels, "kind", "output"), t.completion - t.reasoning);
    counter(metric::tokens, with_label(labels, "kind", "reasoning"), t.reasoning);
    if (naming_ == metric_naming::gen_ai)
    {
        histogram(metric::gen_ai_token_usage, with_label(labels, "gen_ai.token.type", "input"), *m.input_tokens);
        histogram(metric::gen_ai_token_usage, with_label(labels, "gen_ai.token.type", "output"), *m.output_tokens);
    }
    if (naming_ == metric_naming::gen_ai_latest && m.operation == call_operation::chat)
    {
        auto const unknown = with_label(labels, "gen_ai.token.modality", "unknown");
        counter(metric::gen_ai_input, unknown, t.prompt);
        counter(metric::gen_ai_output, unknown, t.completion);
        counter(metric::gen_ai_cache_read, unknown, t.cached);
        counter(metric::gen_ai_reasoning, unknown, t.reasoning);
        histogram(metric::gen_ai_input_sizes, labels, *m.input_tokens);
        histogram(metric::gen_ai_output_sizes, labels, *m.output_tokens);
    }
}

void metric_report::add(upstream_series& u, std::chrono::steady_clock::time_point now)
{
    for (auto const& m : u.models)
        add_model(u, *m, now);
    auto const labels = upstream_label(u.name);
    if (u.waited_for_connection)
        histogram(metric::connection_wait, labels, *u.waited_for_connection);
    if (u.waited_for_limit)
        histogram(metric::limit_wait, labels, *u.waited_for_limit);
    counter(metric::connection_uses, with_label(labels, "connection", "new"), u.connections_made);
    counter(metric::connection_uses, with_label(labels, "connection", "reused"), u.connections_reused);
    counter(metric::retries, labels, u.retries);
    counter(metric::failovers, labels, u.failovers);
    counter(metric::hedges, labels, u.hedges);
    for (auto const s : {circuit_state::closed, circuit_state::open, circuit_state::half_open})
        counter(metric::circuit_changes, with_label(labels, "to", circuit_state_name(s)),
            u.circuit_changes[static_cast<std::size_t>(s)]);
    for (auto const c : {key_change::rests, key_change::quarantined, key_change::replaced})
        counter(metric::key_changes, with_label(labels, "change", key_change_name(c)),
            u.key_changes[static_cast<std::size_t>(c)]);
}

void metric_report::add(metric_series const& all)
{
    value(metric::calls_active, {}, static_cast<double>(all.active_calls));
    for (auto const l : {cache_lookup::miss, cache_lookup::hit, cache_lookup::joined})
        counter(metric::cache_lookups, with_label({}, "result", cache_lookup_name(l)),
            all.cache_lookups[static_cast<std::size_t>(l)]);
    for (auto const& [model, r] : all.rollouts())
    {
        value(metric::rollout_share, {{"model", model}, {"candidate", r.candidate}}, r.share);
        for (auto const& [what, n] : r.changes)
            counter(metric::rollout_changes, {{"model", model}, {"change", what}}, n);
    }
    for (auto const& [name, n] : all.budgets())
        counter(metric::budget_reports, {{"budget", name}}, n);
}

void metric_report::add(std::vector<upstream_state_report> const& states, metric_series& all)
{
    std::map<std::string, upstream_state_report, std::less<>> sums;
    for (upstream_state_report const& s : states)
    {
        auto& sum = sums[all.upstream(s.upstream).name];
        sum.connections_open += s.connections_open;
        sum.connections_idle += s.connections_idle;
        sum.waiting_for_connection += s.waiting_for_connection;
        sum.retry_budget += s.retry_budget;
        sum.keys_good += s.keys_good;
        sum.keys_resting += s.keys_resting;
        sum.keys_quarantined += s.keys_quarantined;
        if (s.circuit != circuit_state::closed && sum.circuit != circuit_state::open)
            sum.circuit = s.circuit;
    }
    for (auto const& [upstream, s] : sums)
    {
        auto const labels = upstream_label(upstream);
        counter(metric::connections, with_label(labels, "state", "open"), s.connections_open);
        counter(metric::connections, with_label(labels, "state", "idle"), s.connections_idle);
        counter(metric::connection_waiters, labels, s.waiting_for_connection);
        value(metric::retry_budget, labels, s.retry_budget);
        value(metric::circuit_state, labels,
            s.circuit == circuit_state::open        ? 2
            : s.circuit == circuit_state::half_open ? 1
                                                    : 0);
        counter(metric::keys, with_label(labels, "state", "good"), s.keys_good);
        counter(metric::keys, with_label(labels, "state", "resting"), s.keys_resting);
        counter(metric::keys, with_label(labels, "state", "quarantined"), s.keys_quarantined);
    }
}

std::vector<metric_family> metric_report::take()
{
    std::erase_if(families_, [](metric_family const& f) { return f.points.empty(); });
    return std::move(families_);
}

} // namespace serin
