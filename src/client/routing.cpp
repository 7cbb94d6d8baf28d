// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "routing.hpp"

#include "../chat/wire_write.hpp"
#include "../http/url.hpp"

#include <serin/core/with_diagnostics.hpp>

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <utility>

namespace serin {
namespace {

[[noreturn]] void refuse(errc why, std::string message)
{
    diagnostics diag;
    diag.message = std::move(message);
    throw api_error(why, std::move(diag));
}

bool is_token(std::string_view name) noexcept
{
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
}

bool is_field_value(std::string_view value) noexcept
{
    return std::none_of(value.begin(), value.end(), [](char c) {
        auto const byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && byte != '\t') || byte == 0x7f;
    });
}

// Fields that the library writes itself: a second one would change what the request means.
bool is_ours(std::string_view name) noexcept
{
    constexpr std::string_view ours[] = {"host", "content-length", "content-type", "transfer-encoding", "connection",
        "accept", "accept-encoding", "expect", "upgrade", "te", "trailer"};
    return std::any_of(std::begin(ours), std::end(ours), [name](auto o) { return header_names_equal(o, name); });
}

void check_numbers(client_params const& p)
{
    if (p.upstreams.empty())
        refuse(errc::invalid_argument, "client_params::upstreams is empty");
    if (p.timeouts.total <= duration::zero())
        refuse(errc::invalid_argument, "client_params::timeouts.total must be positive");
    auto const positive_or_zero = [](duration d) { return d >= duration::zero(); };
    if (p.retry.max_attempts < 1)
        refuse(errc::invalid_argument, "client_params::retry.max_attempts must be at least 1");
    if (!positive_or_zero(p.retry.base_delay) || !positive_or_zero(p.retry.max_delay) ||
        !positive_or_zero(p.retry.max_retry_after))
        refuse(errc::invalid_argument, "client_params::retry has a negative delay");
    if (!(p.retry.budget_ratio >= 0) || p.retry.budget_per_second < 0)
        refuse(errc::invalid_argument, "client_params::retry has a negative budget");
    if (!positive_or_zero(p.hedge.delay))
        refuse(errc::invalid_argument, "client_params::hedge.delay is negative");
    for (upstream const& u : p.upstreams)
        if (!(u.limits.requests_per_minute >= 0) || !(u.limits.tokens_per_minute >= 0) ||
            !(u.key_limits.requests_per_minute >= 0) || !(u.key_limits.tokens_per_minute >= 0))
            refuse(errc::invalid_argument, "upstream \"" + u.name + "\": a limit is negative or not a number");
}

std::string make_common_head(upstream const& u, headers const& fields, origin const& where)
{
    std::string head = " HTTP/1.1\r\nHost: " + where.host_header;
    if (fields.find("user-agent").empty())
        head += "\r\nUser-Agent: serin/" SERIN_VERSION;
    head += "\r\nAccept-Encoding: identity";
    if (!u.organization.empty())
        head += "\r\n" + u.dialect.organization_header + ": " + u.organization;
    if (!u.project.empty())
        head += "\r\n" + u.dialect.project_header + ": " + u.project;
    for (header const& h : fields)
        head += "\r\n" + h.name + ": " + h.value;
    return head;
}

// Whether a text can stand in a request's target.
bool is_target_part(std::string_view text) noexcept
{
    return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
}

bool is_same_params(rate_limit_params const& a, rate_limit_params const& b) noexcept
{
    return a.requests_per_minute == b.requests_per_minute && a.tokens_per_minute == b.tokens_per_minute &&
           a.max_concurrent == b.max_concurrent && a.on_limit == b.on_limit;
}

bool is_same_params(health_params const& a, health_params const& b) noexcept
{
    return a.consecutive_failures == b.consecutive_failures && a.failure_rate == b.failure_rate &&
           a.window == b.window && a.min_requests == b.min_requests && a.ejection == b.ejection &&
           a.max_ejection == b.max_ejection && a.jitter == b.jitter;
}

bool is_same_params(mirror_params const& a, mirror_params const& b)
{
    return a.candidate == b.candidate && a.share == b.share && a.max_in_flight == b.max_in_flight &&
           a.gates.error_rate == b.gates.error_rate && a.gates.success_rate == b.gates.success_rate &&
           a.gates.p99 == b.gates.p99 && a.gates.p99_of == b.gates.p99_of &&
           a.gates.times_others == b.gates.times_others && a.gates.min_requests == b.gates.min_requests &&
           a.gates.min_requests_to_fail == b.gates.min_requests_to_fail && a.gates.window == b.gates.window &&
           a.gates.false_alarm == b.gates.false_alarm;
}

// A mirror is judged like a rollout of one stage without an end.
rollout_params mirror_judge(mirror_params const& m)
{
    rollout_params p;
    p.model = m.model;
    p.candidate = m.candidate;
    p.stages = {1};
    p.hold = duration::max();
    p.gates = m.gates;
    return p;
}

// Makes a configuration out of parameters, with what can be kept of the one before.
void check_budgets_and_alerts(client_params const& p)
{
    std::set<std::string> names;
    for (budget_params const& b : p.budgets)
    {
        std::string const which = "budget \"" + b.name + "\": ";
        if (!names.insert(b.name).second)
            refuse(errc::invalid_argument, which + "the name is given twice");
        if (b.daily <= 0)
            refuse(errc::invalid_argument, which + "the amount is not more than 0");
        if (!(b.warn_at >= 0 && b.warn_at <= 1))
            refuse(errc::invalid_argument, which + "warn_at is not from 0 to 1");
    }
    names.clear();
    for (alert_rule const& rule : p.alerts)
    {
        std::string const which = "alert \"" + alert_name(rule) + "\": ";
        if (auto const why = alert_problem(rule); !why.empty())
            refuse(errc::invalid_argument, which + "it " + why);
        if (!names.insert(alert_name(rule)).second)
            refuse(errc::invalid_argument, which + "the name is given twice");
    }
}

class routing_builder
{
public:
    routing_builder(client_params&& params, routing_context const& context, routing const* before)
        : context_(context),
          before_(before),
          now_(context.clock->now()),
          made_(std::make_shared<routing>())
    {
        made_->params = std::move(params);
        keeps_health_ = before && is_same_params(before->params.health, made_->params.health);
        keeps_budgets_ = before && before->params.retry.budget_ratio == made_->params.retry.budget_ratio &&
                         before->params.retry.budget_per_second == made_->params.retry.budget_per_second;
    }

    std::shared_ptr<routing> make()
    {
        check_numbers(made_->params);
        check_budgets_and_alerts(made_->params);
        for (upstream const& u : made_->params.upstreams)
            add_upstream(u);
        add_default_route();
        for (model_route const& m : made_->params.models)
            add_route(m);
        for (model_route const& m : made_->params.models)
            check_fallbacks(m);
        for (rollout_params const& p : made_->params.rollouts)
            add_rollout(p);
        for (mirror_params const& p : made_->params.mirrors)
            add_mirror(p);
        return std::move(made_);
    }

private:
    void add_upstream(upstream const& u);
    std::shared_ptr<upstream_record> record_of(upstream const& u) const;
    void add_default_route();
    void add_route(model_route const& m);
    void check_fallbacks(model_route const& m) const;
    void add_rollout(rollout_params const& p);
    void add_mirror(mirror_params const& p);

    route_member member_of(std::shared_ptr<upstream_state const> u, std::string const& model) const;
    void finish(route& r) const;
    route& route_of(std::string_view model, std::string const& whose);

    routing_context const& context_;
    routing const* before_;
    steady_time now_;
    bool keeps_health_ = false;
    bool keeps_budgets_ = false;
    std::shared_ptr<routing> made_;
};

void routing_builder::add_upstream(upstream const& u)
{
    std::string const which = "upstream \"" + u.name + "\": ";
    endpoint to;
    std::string why;
    if (error_code const ec = parse_base_url(u.base_url, to.where, why))
        refuse(static_cast<errc>(ec.value()), which + why);
    if (u.keys && !to.where.tls && !u.allow_insecure_key && !to.where.is_loopback())
        refuse(errc::insecure_transport, which + "refused to send a key over plain http to " + to.where.host);
    headers fields = u.dialect.headers;
    fields.insert(fields.end(), u.headers.begin(), u.headers.end());
    for (header const& h : fields)
    {
        if (!is_token(h.name) || !is_field_value(h.value))
            refuse(errc::invalid_argument, which + "a header field has a name or a value that cannot be sent");
        if (is_ours(h.name) || (u.keys && header_names_equal(h.name, u.dialect.key_header)))
            refuse(errc::invalid_argument, which + "the header field " + h.name + " is set by the library");
    }
    dialect const& d = u.dialect;
    if (!is_token(d.key_header) || !is_field_value(d.key_prefix) || !is_token(d.organization_header) ||
        !is_token(d.project_header) || !is_field_value(u.organization) || !is_field_value(u.project))
        refuse(errc::invalid_argument, which + "the dialect, the organization or the project cannot stand in a header");
    for (std::string const* part : {&d.chat_path, &d.embeddings_path, &d.moderations_path, &d.models_path, &d.query})
        if (!is_target_part(*part))
            refuse(errc::invalid_argument, which + "the dialect has a path or a query that cannot be sent");
    for (auto const& other : made_->upstreams)
        if (other->params.name == u.name)
            refuse(errc::invalid_argument, which + "the name is given twice");

    if (to.where.tls)
        to.tls = std::make_shared<tls_context>(u.tls ? *u.tls : made_->params.tls);
    to.sessions = std::make_shared<tls_sessions>();
    to.resolver = context_.resolver;
    to.executor = context_.executor;
    to.timeouts = made_->params.timeouts;

    auto const state = std::make_shared<upstream_state>();
    auto const old = before_ ? before_->upstream_named(u.name) : nullptr;
    auto const now = [time = context_.clock] { return time->now(); };
    state->params = u;
    state->record = record_of(u);
    state->base_path = to.where.path;
    state->common_head = make_common_head(u, fields, to.where);
    made_->obfuscation_off = made_->obfuscation_off && d.obfuscation_off;
    state->host = &context_.connections->add_host(std::move(to));
    if (old && old->gate && is_same_params(old->params.limits, u.limits))
        state->gate = old->gate;
    else if (has_limits(u.limits))
        state->gate = std::make_shared<limit_gate>(u.limits, context_.executor, now);
    if (made_->params.shared_limits && (u.limits.requests_per_minute > 0 || u.limits.tokens_per_minute > 0))
        state->shared = std::make_shared<shared_gate>(
            made_->params.shared_limits, u.name, u.limits, context_.clock, context_.executor);
    if (old && old->keys && old->params.keys == u.keys && old->params.choose_key == u.choose_key &&
        is_same_params(old->params.key_limits, u.key_limits))
        state->keys = old->keys;
    else if (u.keys)
        state->keys = std::make_shared<key_keeper>(u.keys, u.choose_key, u.key_limits, context_.executor, now);
    made_->upstreams.push_back(state);
}

std::shared_ptr<upstream_record> routing_builder::record_of(upstream const& u) const
{
    auto const old = before_ ? before_->upstream_named(u.name) : nullptr;
    // Somewhere else it is somebody else.
    if (old && keeps_health_ && keeps_budgets_ && old->params.base_url == u.base_url)
        return old->record;
    return std::make_shared<upstream_record>(made_->params, now_);
}

// What is known of a model's health is found again by the names of both.
route_member routing_builder::member_of(std::shared_ptr<upstream_state const> u, std::string const& model) const
{
    route_member m;
    m.model = model.empty() ? u->params.model : model;
    append_request(m.model_member, m.model, {});
    m.weight = u->params.weight;
    auto const look_in = [&](routing const& where) {
        for (route const& r : where.routes)
            for (route_member const& other : r.members)
                if (!m.health && other.model == m.model && other.upstream->record == u->record)
                    m.health = other.health;
    };
    look_in(*made_);
    if (before_)
        look_in(*before_);
    if (!m.health)
        m.health = std::make_shared<circuit>(made_->params.health);
    m.upstream = std::move(u);
    return m;
}

void routing_builder::finish(route& r) const
{
    r.budgets.client = context_.client_budget;
    for (route_member const& m : r.members)
    {
        r.budgets.targets.push_back(&m.upstream->record->budget);
        r.needs_facts = r.needs_facts || m.upstream->gate;
    }
    switch (r.policy)
    {
    case route_policy::weighted:
    case route_policy::priority:
    case route_policy::sticky: break;
    case route_policy::cheapest:
    case route_policy::latency:
    case route_policy::least_busy: r.needs_facts = true; break;
    }
}

void routing_builder::add_default_route()
{
    route r;
    r.recovery = made_->params.stream.recovery;
    for (auto const& u : made_->upstreams)
        r.members.push_back(member_of(u, {}));
    finish(r);
    made_->routes.push_back(std::move(r));
}

void routing_builder::add_route(model_route const& m)
{
    std::string const which = "model \"" + m.name + "\": ";
    if (m.name.empty())
        refuse(errc::invalid_argument, "client_params::models has one without a name");
    if (made_->find(m.name))
        refuse(errc::invalid_argument, which + "the name is given twice");
    if (m.upstreams.empty())
        refuse(errc::invalid_argument, which + "no upstreams");
    route r;
    r.name = m.name;
    r.policy = m.policy;
    r.fallbacks = m.fallbacks;
    r.recovery = m.recovery.value_or(made_->params.stream.recovery);
    for (route_target const& t : m.upstreams)
    {
        auto u = made_->upstream_named(t.upstream);
        if (!u)
            refuse(errc::invalid_argument, which + "there is no upstream \"" + t.upstream + "\"");
        route_member member = member_of(std::move(u), t.model);
        member.weight = t.weight.value_or(member.weight);
        r.members.push_back(std::move(member));
    }
    finish(r);
    made_->routes.push_back(std::move(r));
}

void routing_builder::check_fallbacks(model_route const& m) const
{
    for (auto const* list : {&m.fallbacks.on_failure, &m.fallbacks.on_context_length, &m.fallbacks.on_content_filter})
        for (std::string const& name : *list)
            if (!made_->find(name) || name == m.name)
                refuse(errc::invalid_argument,
                    "model \"" + m.name + "\": it cannot fall back on \"" + name +
                        (name == m.name ? "\", which is itself" : "\", which is none of client_params::models"));
}

route& routing_builder::route_of(std::string_view model, std::string const& whose)
{
    for (route& r : made_->routes)
        if (!r.name.empty() && r.name == model)
            return r;
    refuse(errc::invalid_argument, whose + "there is no model \"" + std::string(model) + "\"");
}

void routing_builder::add_rollout(rollout_params const& p)
{
    std::string const which = "rollout of \"" + p.model + "\": ";
    route& r = route_of(p.model, which);
    if (auto const why = rollout_problem(p); !why.empty())
        refuse(errc::invalid_argument, which + why);
    if (r.rollout)
        refuse(errc::invalid_argument, which + "there are two");
    auto const at =
        std::ranges::find(r.members, p.candidate, [](route_member const& m) { return m.upstream->params.name; });
    if (at == r.members.end())
        refuse(
            errc::invalid_argument, which + "the candidate \"" + p.candidate + "\" is none of the model's upstreams");
    if (std::ranges::none_of(r.members, [&](route_member const& m) { return &m != &*at && m.weight != 0; }))
        refuse(errc::invalid_argument, which + "the model has no other upstream with a weight");
    r.candidate = static_cast<std::size_t>(at - r.members.begin());
    route const* const old = before_ ? before_->find(p.model) : nullptr;
    if (old && old->rollout && old->members[old->candidate].upstream->params.name == p.candidate)
        r.rollout = old->rollout;
    else
        r.rollout = std::make_shared<rollout>(p, now_);
}

void routing_builder::add_mirror(mirror_params const& p)
{
    std::string const which = "mirror of \"" + p.model + "\": ";
    route& r = route_of(p.model, which);
    if (!(p.share >= 0 && p.share <= 1))
        refuse(errc::invalid_argument, which + "the share is not from 0 to 1");
    if (r.mirror)
        refuse(errc::invalid_argument, which + "there are two");
    auto u = made_->upstream_named(p.candidate);
    if (!u)
        refuse(errc::invalid_argument, which + "there is no upstream \"" + p.candidate + "\"");
    if (auto const why = rollout_problem(mirror_judge(p)); !why.empty())
        refuse(errc::invalid_argument, which + why);

    route const* const old = before_ ? before_->find(p.model) : nullptr;
    bool const same = old && old->mirror && is_same_params(old->mirror->copies.params(), p);
    r.mirror = same ? old->mirror : std::make_shared<mirror_record>(p, now_);
    auto const to = std::make_shared<route>();
    to->name = r.name;
    to->members.push_back(member_of(std::move(u), {}));
    to->mirror = r.mirror;
    to->is_mirror = true;
    finish(*to);
    to->make_table();
    r.mirror_to = to;
}

} // namespace

mirror_record::mirror_record(mirror_params const& p, steady_time now)
    : copies(p),
      judge(mirror_judge(p), now, rollout_counting::for_ever)
{}

void route::make_table()
{
    std::vector<route_table::target> targets;
    for (route_member const& m : members)
        targets.push_back({m.upstream->params.name, m.weight, m.upstream->params.priority});
    std::optional<route_table::split> split;
    if (rollout)
        split = route_table::split{candidate, rollout->share(), rollout->params().sticky};
    table.emplace(policy, std::move(targets), split);
}

route const* routing::find(std::string_view alias) const
{
    for (route const& r : routes)
        if (!r.name.empty() && r.name == alias)
            return &r;
    return nullptr;
}

route const& routing::of(std::string_view model) const
{
    route const* const found = routes.size() == 1 ? nullptr : find(model);
    return found ? *found : routes.front();
}

std::shared_ptr<upstream_state const> routing::upstream_named(std::string_view name) const
{
    for (auto const& u : upstreams)
        if (u->params.name == name)
            return u;
    return nullptr;
}

std::shared_ptr<routing> make_routing(client_params params, routing_context const& context, routing const* before)
{
    return routing_builder(std::move(params), context, before).make();
}

} // namespace serin
