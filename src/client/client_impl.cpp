// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "client_impl.hpp"

#include "../policy/gate_check.hpp"

#include <serin/core/with_diagnostics.hpp>

#include <boost/asio/error.hpp>

#include <algorithm>
#include <random>
#include <utility>

namespace serin {
namespace {

constexpr auto keep_addresses = std::chrono::seconds(10);
constexpr std::size_t max_spare_readers = 64;

std::uint64_t seed_from(client_params const& p)
{
    if (p.seed)
        return *p.seed;
    std::random_device source;
    return (std::uint64_t{source()} << 32) ^ source();
}

rollout_figures public_figures(outcome_figures const& f)
{
    rollout_figures out;
    out.requests = f.counted();
    out.successes = f.successes;
    out.failures = f.failures;
    out.p99 = f.took.quantile(0.99);
    return out;
}

// An answer of unknown length is taken to be as long as the question.
double estimated_price(price const& p, token_estimate const& tokens)
{
    token_usage usage;
    usage.prompt_tokens = tokens.prompt;
    usage.completion_tokens = tokens.answer != 0 ? tokens.answer : tokens.prompt;
    return static_cast<double>(cost_of(usage, p));
}

void log_safely(logger const& to, log_level level, std::string_view line) noexcept
{
    try
    {
        if (to)
            to(level, line);
    }
    catch (...)
    {
        // A logger that fails must not take the call with it.
    }
}

std::string percents(double share)
{
    return fixed_point(share * 100, share < 0.1 ? 1 : 0) + " %";
}

} // namespace

client_impl::client_impl(asio::any_io_executor ex, client_params p, std::shared_ptr<clock_source> time)
    : executor(std::move(ex)),
      completion_executor(executor),
      params(std::move(p)),
      clock(std::move(time)),
      group(std::make_shared<fiber_group>(executor)),
      memory(std::make_shared<memory_budget>(params.limits.buffered)),
      cache(std::make_shared<response_cache>(clock)),
      random_(seed_from(params)),
      budget_(params.retry),
      wants_content_(params.observer && params.observer->wants_content()),
      wants_chunks_(params.observer && params.observer->wants_chunks()),
      wants_token_times_(params.observer && params.observer->wants_token_times()),
      alerts_(std::make_shared<alert_monitor>(executor, params.thread_safe, params.tls, clock,
          [log = params.log](log_level level, std::string_view line) { log_safely(log, level, line); }))
{
    connections = std::make_shared<pool>(params.pool, executor, params.thread_safe, group, random_locked());
    context_.executor = executor;
    context_.clock = clock;
    context_.connections = connections;
    context_.resolver = std::make_shared<resolve_cache>(make_system_resolver(executor), keep_addresses);
    context_.client_budget = &budget_;
    cache->configure(params.cache);
    install(make_routing(params, context_, nullptr), clock->now());
}

std::shared_ptr<routing const> client_impl::current() const
{
    std::lock_guard const lock(mutex_);
    return routing_;
}

error_code client_impl::reconfigure(client_params p, diagnostics& diag)
{
    auto const before = current();
    try
    {
        auto made = make_routing(std::move(p), context_, before.get());
        cache->configure(made->params.cache);
        std::lock_guard const lock(mutex_);
        if (retry_params const& retry = made->params.retry;
            retry.budget_ratio != routing_->params.retry.budget_ratio ||
            retry.budget_per_second != routing_->params.retry.budget_per_second)
            budget_ = retry_budget(retry);
        install(std::move(made), clock->now());
    }
    catch (api_error const& e)
    {
        diag = e.diag();
        return e.code();
    }
    auto const after = current();
    for (auto const& old : before->upstreams)
        if (std::ranges::none_of(after->upstreams, [&](auto const& u) { return u->host == old->host; }))
            connections->close_idle(*old->host);
    renew_watches();
    return {};
}

void client_impl::install(std::shared_ptr<routing> next, steady_time now)
{
    for (rollout_params const& p : next->params.rollouts)
        for (route& r : next->routes)
            if (!r.name.empty() && r.name == p.model && routing_)
                r.rollout->reconfigure(p, now);
    for (route& r : next->routes)
        r.make_table();
    trouble_ = true;
    observe(*next);
    routing_ = std::move(next);
}

// Who is told of what happens under this configuration.
void client_impl::observe(routing& config)
{
    bool const priced = std::ranges::any_of(config.upstreams, [](auto const& u) { return !is_free(u->params.price); });
    config.books = priced || !config.params.prices.empty() || !config.params.budgets.empty();
    alerts_->set_rules(config.params.alerts);
    config.told = params.observer;
    if (!config.params.alerts.empty() && params.observer)
        config.told = std::make_shared<observer_list>(std::vector<std::shared_ptr<observer>>{params.observer, alerts_});
    else if (!config.params.alerts.empty())
        config.told = alerts_;
    config.wants_content = wants_content_;
    config.wants_chunks = wants_chunks_;
    config.wants_token_times = wants_token_times_;
    std::lock_guard const lock(ledger_mutex_);
    ledger_.set_budgets(config.params.budgets);
}

void client_impl::introduce()
{
    tell(*current(), &observer::on_client, std::weak_ptr<client_state_source const>(shared_from_this()));
}

void client_impl::tell_cache(cache_lookup found) const noexcept
{
    tell(*current(), &observer::on_cache_looked_up, cache_looked_up{found});
}

void client_impl::book(cost_account const& to, token_usage const& used, nano_dollars cost, routing const& config)
{
    std::vector<budget_notice> notices;
    {
        std::lock_guard const lock(ledger_mutex_);
        notices = ledger_.book(to, used, cost, clock->date());
    }
    for (budget_notice const& n : notices)
    {
        log(log_level::warning, "budget " + n.budget + ": $" + to_dollars(n.spent) + " of $" + to_dollars(n.limit) +
                                    " are spent today" + (n.refuses ? ", calls are refused" : ""));
        tell(config, &observer::on_budget_reached, budget_reached{n.budget, n.spent, n.limit, n.refuses});
    }
}

std::optional<budget_params> client_impl::forbids(cost_account const& to)
{
    std::lock_guard const lock(ledger_mutex_);
    if (budget_params const* const b = ledger_.forbids(to, clock->date()))
        return *b;
    return std::nullopt;
}

cost_report client_impl::costs()
{
    std::lock_guard const lock(ledger_mutex_);
    return ledger_.report(clock->date());
}

std::vector<upstream_state_report> client_impl::state() const
{
    steady_time const now = clock->now();
    auto const config = current();
    std::vector<upstream_state_report> all;
    for (auto const& u : config->upstreams)
    {
        upstream_state_report r;
        r.upstream = u->params.name;
        auto const connected = connections->count(*u->host);
        r.connections_open = connected.live;
        r.connections_idle = connected.idle;
        r.waiting_for_connection = connected.waiting;
        if (u->keys)
            for (key_health const& k : u->keys->states())
                ++(k.state == key_state::usable     ? r.keys_good
                    : k.state == key_state::resting ? r.keys_resting
                                                    : r.keys_quarantined);
        all.push_back(std::move(r));
    }
    std::lock_guard const lock(mutex_);
    for (std::size_t i = 0; i < all.size(); ++i)
    {
        upstream_record& record = *config->upstreams[i]->record;
        all[i].retry_budget = static_cast<double>(record.budget.balance(now));
        all[i].circuit = record.health.at(now);
    }
    return all;
}

// A new share is a new configuration, as any other change.
void client_impl::rollout_moved()
{
    auto const next = std::make_shared<routing>(*routing_);
    for (route& r : next->routes)
        if (r.rollout)
            r.make_table();
    routing_ = next;
}

void client_impl::log(log_level level, std::string_view line) const noexcept
{
    log_safely(params.log, level, line);
}

bool client_impl::all_well(steady_time now)
{
    if (!trouble_)
        return true;
    auto const is_well = [now](circuit const& c) { return c.at(now) == circuit_state::closed; };
    trouble_ = std::ranges::any_of(routing_->upstreams, [&](auto const& u) {
        return !is_well(u->record->health) || now < u->record->rests_until;
    }) || std::ranges::any_of(routing_->routes, [&](route const& r) {
        return std::ranges::any_of(r.members, [&](route_member const& m) { return !is_well(*m.health); });
    });
    return !trouble_;
}

// Of each member of the route. Empty: all can answer, and the policy needs to know nothing else.
std::span<route_facts const> client_impl::facts_locked(route const& r, token_estimate const& tokens, steady_time now)
{
    if (r.members.size() == 1 || (all_well(now) && !r.needs_facts))
        return {};

    group_entries_.clear();
    if (trouble_)
    {
        for (std::size_t i = 0; i < r.members.size(); ++i)
        {
            route_member const& m = r.members[i];
            circuit const& u = m.upstream->record->health;
            if (r.table->may_be_picked(i))
                group_entries_.push_back(
                    {!u.allows(now) || !m.health->allows(now), std::max(u.how_bad(), m.health->how_bad())});
        }
        group_guard(group_entries_);
    }

    facts_.clear();
    auto entry = group_entries_.begin();
    for (std::size_t i = 0; i < r.members.size(); ++i)
    {
        upstream_state const& u = *r.members[i].upstream;
        bool const is_out = entry != group_entries_.end() && r.table->may_be_picked(i) && (entry++)->out;
        route_facts f;
        f.available = !is_out && now >= u.record->rests_until && (!u.gate || u.gate->has_room(tokens.total()));
        if (r.policy == route_policy::cheapest)
            f.price = estimated_price(u.params.price, tokens);
        f.in_flight = u.record->in_flight;
        f.latency = r.policy == route_policy::latency ? u.record->latency.value(now) : 0;
        facts_.push_back(f);
    }
    return facts_;
}

call_fsm::step client_impl::start_call(call_fsm& fsm, route const& r, token_estimate const& tokens)
{
    steady_time const now = clock->now();
    std::lock_guard const lock(mutex_);
    return fsm.start(r.budgets, now, random_locked(), facts_locked(r, tokens, now));
}

call_fsm::step client_impl::after_failure(call_fsm& fsm, route const& r, token_estimate const& tokens,
    std::size_t member, call_failure const& failure, steady_time deadline)
{
    steady_time const now = clock->now();
    std::lock_guard const lock(mutex_);
    return fsm.attempt_failed(member, failure, r.budgets, now, deadline, random_locked(), facts_locked(r, tokens, now));
}

void client_impl::failed_beside(call_fsm& fsm, std::size_t member, call_failure const& failure)
{
    fsm.failed_beside(member, failure, clock->now());
}

std::optional<std::size_t> client_impl::hedge(call_fsm& fsm, route const& r, token_estimate const& tokens)
{
    steady_time const now = clock->now();
    std::lock_guard const lock(mutex_);
    return fsm.hedge(r.budgets, now, random_locked(), facts_locked(r, tokens, now));
}

bool client_impl::pay_for_fallback()
{
    std::lock_guard const lock(mutex_);
    return budget_.withdraw(clock->now());
}

duration client_impl::hedge_after(routing const& config, route const& r, std::size_t member) const
{
    if (r.members.size() < 2)
        return duration::zero();
    if (config.params.hedge.at_p95)
    {
        std::lock_guard const lock(mutex_);
        if (auto const p95 = r.members[member].upstream->record->answers.quantile(0.95))
            return *p95;
    }
    return config.params.hedge.delay;
}

void client_impl::answered(routing const& config, route const& r, std::size_t member, duration took)
{
    if (!config.params.hedge.at_p95 && r.policy != route_policy::latency)
        return;
    std::lock_guard const lock(mutex_);
    upstream_record& u = *r.members[member].upstream->record;
    u.answers.add(took);
    u.latency.answered(took, clock->now());
}

void client_impl::rest(route const& r, std::size_t member, duration for_so_long)
{
    constexpr duration longest = std::chrono::minutes(10); // Then the server is asked again

    std::lock_guard const lock(mutex_);
    auto const until = add_saturated(clock->now(), std::clamp(for_so_long, duration::zero(), longest));
    upstream_record& u = *r.members[member].upstream->record;
    u.rests_until = std::max(u.rests_until, until);
    trouble_ = true;
}

void client_impl::begin_use(upstream_use& use)
{
    steady_time const now = clock->now();
    std::lock_guard const lock(mutex_);
    route_member const& m = use.route_.members[use.member_];
    ++m.upstream->record->in_flight;
    use.upstream_ticket_ = m.upstream->record->health.begin(now);
    use.model_ticket_ = m.health->begin(now);
}

// Whether the upstream is ejected now, and was not before.
bool client_impl::end_circuit(
    circuit& c, circuit::ticket const& t, outcome what, steady_time now, std::optional<circuit_changed>& change)
{
    circuit_state const before = c.at(now);
    bool const ejected = c.end(t, what, now, random_locked());
    circuit_state const after = c.at(now);
    if (before != after)
        change = circuit_changed{{}, {}, before, after};
    trouble_ = trouble_ || after != circuit_state::closed;
    return ejected;
}

void client_impl::end_use(
    upstream_use& use, outcome what, duration took, std::optional<duration> first_token, error_code const& why)
{
    steady_time const now = clock->now();
    route const& r = use.route_;
    route_member const& m = r.members[use.member_];
    bool ejected = false;
    rollout_event event;
    std::optional<circuit_changed> of_all, of_this; // Models
    {
        std::lock_guard const lock(mutex_);
        upstream_record& u = *m.upstream->record;
        --u.in_flight;
        // That the upstream does not know a model says nothing about others.
        bool const of_model = why == errc::not_found;
        ejected = end_circuit(u.health, use.upstream_ticket_, of_model ? outcome::neutral : what, now, of_all);
        bool const says = what == outcome::success || of_model;
        ejected = end_circuit(*m.health, use.model_ticket_, says ? what : outcome::neutral, now, of_this) || ejected;
        if (what == outcome::failure && r.policy == route_policy::latency)
            u.latency.failed(took, now);
        if (r.rollout)
        {
            r.rollout->add(use.member_ == r.candidate ? rollout_side::candidate : rollout_side::others, what, took,
                first_token, now);
            if (now >= r.rollout->next())
                event = r.rollout->advance(now);
            if (event.what != rollout_change::none)
                rollout_moved();
        }
        if (r.mirror)
        {
            r.mirror->judge.add(
                r.is_mirror ? rollout_side::candidate : rollout_side::others, what, took, first_token, now);
            if (now >= r.mirror->judge.next())
                r.mirror->judge.advance(now);
        }
    }
    if (ejected && logs())
        log(log_level::warning, m.upstream->params.name + ": ejected after " + std::string(kind_name(why)));
    if (of_all || of_this)
    {
        auto const config = current();
        for (auto* const change : {&of_all, &of_this})
        {
            if (!*change)
                continue;
            (*change)->upstream = m.upstream->params.name;
            if (change == &of_this)
                (*change)->model = m.model;
            tell(*config, &observer::on_circuit_changed, **change);
        }
    }
    if (event.what != rollout_change::none)
        moved(event, r.name);
}

void client_impl::moved(rollout_event const& event, std::string const& model) const
{
    auto const config = current();
    if (route const* const r = config->find(model))
        tell(*config, &observer::on_rollout_changed,
            rollout_changed{model, r->members[r->candidate].upstream->params.name, rollout_change_name(event.what),
                event.stage, event.share, event.why});
    if (logs())
        log(event.what == rollout_change::rolled_back ? log_level::warning : log_level::info,
            "rollout of " + model + ": " + std::string(rollout_change_name(event.what)) + ", share " +
                percents(event.share) + ": " + event.why);
}

bool client_impl::begin_copy(route const& r)
{
    std::lock_guard const lock(mutex_);
    return r.mirror->copies.begin(random_locked());
}

void client_impl::copy_ended(route const& r)
{
    std::lock_guard const lock(mutex_);
    r.mirror->copies.end();
}

rollout_event client_impl::change_rollout(std::string_view model, rollout_event (rollout::*change)(steady_time))
{
    rollout_event event;
    {
        std::lock_guard const lock(mutex_);
        route const* const r = routing_->find(model);
        if (!r || !r->rollout)
            return event;
        event = (r->rollout.get()->*change)(clock->now());
        if (event.what != rollout_change::none)
            rollout_moved();
    }
    if (event.what != rollout_change::none)
        moved(event, std::string(model));
    return event;
}

std::optional<rollout_state> client_impl::save_rollout(std::string_view model) const
{
    std::lock_guard const lock(mutex_);
    route const* const r = routing_->find(model);
    if (!r || !r->rollout)
        return std::nullopt;
    return r->rollout->save(clock->now(), clock->date());
}

bool client_impl::restore_rollout(std::string_view model, rollout_state const& saved)
{
    std::lock_guard const lock(mutex_);
    route const* const r = routing_->find(model);
    if (!r || !r->rollout || !r->rollout->restore(saved, clock->now(), clock->date()))
        return false;
    rollout_moved();
    return true;
}

std::vector<upstream_status> client_impl::upstream_states() const
{
    steady_time const now = clock->now();
    std::lock_guard const lock(mutex_);
    std::vector<upstream_status> all;
    for (auto const& u : routing_->upstreams)
    {
        upstream_status s;
        s.name = u->params.name;
        s.circuit = u->record->health.at(now);
        if (s.circuit == circuit_state::open)
            s.ejected_for = u->record->health.until() - now;
        if (u->record->rests_until > now)
            s.resting_for = u->record->rests_until - now;
        s.in_flight = u->record->in_flight;
        all.push_back(std::move(s));
    }
    return all;
}

std::vector<rollout_report> client_impl::rollout_reports() const
{
    steady_time const now = clock->now();
    std::lock_guard const lock(mutex_);
    std::vector<rollout_report> all;
    for (route const& r : routing_->routes)
    {
        if (!r.rollout)
            continue;
        rollout_report report;
        report.model = r.name;
        report.candidate = r.rollout->params().candidate;
        report.status = r.rollout->status();
        report.stage = r.rollout->stage();
        report.stages = r.rollout->params().stages.size();
        report.share = r.rollout->share();
        report.held = r.rollout->held(now);
        report.hold = r.rollout->params().hold;
        report.why = r.rollout->why();
        report.of_candidate = public_figures(r.rollout->figures(rollout_side::candidate, now));
        report.of_others = public_figures(r.rollout->figures(rollout_side::others, now));
        all.push_back(std::move(report));
    }
    return all;
}

std::vector<mirror_report> client_impl::mirror_reports() const
{
    steady_time const now = clock->now();
    std::lock_guard const lock(mutex_);
    std::vector<mirror_report> all;
    for (route const& r : routing_->routes)
    {
        if (!r.mirror)
            continue;
        mirror_report report;
        report.model = r.name;
        report.candidate = r.mirror->copies.params().candidate;
        report.in_flight = r.mirror->copies.in_flight();
        report.left_out = r.mirror->copies.left_out();
        report.failed = r.mirror->judge.status() == rollout_status::rolled_back;
        report.why = r.mirror->judge.why();
        report.of_candidate = public_figures(r.mirror->judge.figures(rollout_side::candidate, now));
        report.of_others = public_figures(r.mirror->judge.figures(rollout_side::others, now));
        all.push_back(std::move(report));
    }
    return all;
}

std::uint64_t client_impl::random_locked() noexcept
{
    // splitmix64
    std::uint64_t z = (random_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

std::optional<cache_plan> client_impl::plan_cache(chat_request const& request, bool stream)
{
    return cache->is_on() ? cache->plan(*this, *current(), request, stream) : std::nullopt;
}

std::optional<cache_plan> client_impl::plan_cache(relay_request const& request)
{
    return cache->is_on() ? cache->plan(*this, *current(), request) : std::nullopt;
}

std::unique_ptr<json_reader> client_impl::take_reader()
{
    {
        std::lock_guard const lock(mutex_);
        if (!readers_.empty())
        {
            auto reader = std::move(readers_.back());
            readers_.pop_back();
            return reader;
        }
    }
    return std::make_unique<json_reader>();
}

void client_impl::put_reader(std::unique_ptr<json_reader> reader)
{
    std::lock_guard const lock(mutex_);
    if (readers_.size() < max_spare_readers)
        readers_.push_back(std::move(reader));
}

void client_impl::watch(bool on)
{
    if (on)
        alerts_->start();
    else
        alerts_->stop();
    {
        std::lock_guard const lock(mutex_);
        watches_keys_ = on;
    }
    renew_watches();
}

void client_impl::renew_watches()
{
    std::shared_ptr<routing const> config;
    {
        std::lock_guard const lock(mutex_);
        if (watches_keys_)
            config = routing_;
    }
    std::vector<std::shared_ptr<void>> watches;
    if (config)
        for (auto const& u : config->upstreams)
            if (u->keys)
                if (auto watch = u->keys->watch(
                        [weak = weak_from_this(), upstream = u->params.name](log_level level, std::string_view line) {
                            auto const self = weak.lock();
                            if (!self)
                                return;
                            self->log(level, line);
                            // A warning is about a source that has no others.
                            if (level == log_level::info)
                                self->tell(*self->current(), &observer::on_key_rotated,
                                    key_rotated{upstream, key_change::replaced, {}});
                        }))
                    watches.push_back(std::move(watch));
    std::lock_guard const lock(mutex_);
    watches_.swap(watches);
}

void client_impl::scrub(std::string& text) const
{
    if (text.empty())
        return;
    std::vector<std::shared_ptr<secret const>> keys;
    for (auto const& u : current()->upstreams)
        if (u->keys)
            u->keys->append_live(keys);
    for (auto const& key : keys)
        serin::scrub(text, *key);
}

upstream_use::upstream_use(client_impl& client, route const& through, std::size_t member)
    : client_(client),
      route_(through),
      member_(member)
{
    client_.begin_use(*this);
}

upstream_use::~upstream_use()
{
    ended(make_error_code(asio::error::operation_aborted), verdict(), duration(), {});
}

void upstream_use::ended(error_code ec, verdict const& v, duration took, std::optional<duration> first_token)
{
    if (!std::exchange(over_, true))
        client_.end_use(*this, outcome_of(ec, v), took, first_token, ec);
}

} // namespace serin
