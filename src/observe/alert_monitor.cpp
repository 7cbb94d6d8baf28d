// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "alert_monitor.hpp"

#include "alert_text.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <cstdlib>
#include <tuple>
#include <utility>

namespace serin {
namespace {

// So many times in the shortest window the rules are looked at.
constexpr int alert_checks_in_window = 60;
constexpr auto shortest_alert_interval = std::chrono::milliseconds(100);
constexpr auto longest_alert_interval = std::chrono::seconds(5);

auto condition_of(alert_rule const& r) noexcept
{
    return std::tie(r.name, r.p50, r.p90, r.p99, r.error_rate, r.cost_per_hour, r.no_traffic, r.upstream, r.model,
        r.latency, r.window, r.min_calls, r.hold, r.recovery, r.repeat);
}

} // namespace

// Keeps the monitor alive while it runs.
class alert_monitor::checker final : public fiber
{
public:
    checker(std::shared_ptr<alert_monitor> of, std::shared_ptr<fiber_group> group)
        : fiber(make_fiber_executor(of->executor_, of->use_strands_), std::move(group)),
          monitor_(std::move(of))
    {}

    ~checker() override { destroy_coroutine(); }

    task<void> run(steady_time::duration interval) { return monitor_->check_until_stopped(*this, interval); }

private:
    void on_finished(std::exception_ptr) override {}

    std::shared_ptr<alert_monitor> const monitor_;
};

alert_monitor::alert_monitor(
    asio::any_io_executor ex, bool use_strands, tls_params tls, std::shared_ptr<clock_source> clock, log_function log)
    : executor_(std::move(ex)),
      use_strands_(use_strands),
      tls_(std::move(tls)),
      clock_(std::move(clock)),
      log_(std::move(log))
{}

alert_monitor::~alert_monitor() = default;

// In the environment, if it is to be found there.
void alert_monitor::find_webhook(alert_rule& rule) const
{
    if (!rule.webhook.empty() || rule.webhook_env.empty())
        return;
    char const* const value = std::getenv(rule.webhook_env.c_str());
    secret url(value ? value : "");
    webhook_target target;
    std::string const problem = url.empty() ? "is not set" : read_webhook(url, target);
    if (problem.empty())
        rule.webhook = std::move(url);
    else
        log_(log_level::warning, "alert " + alert_name(rule) + ": the environment variable " + rule.webhook_env + ' ' +
                                     problem + ", alerts are only logged");
}

void alert_monitor::set_rules(std::vector<alert_rule> rules)
{
    for (alert_rule& rule : rules)
        find_webhook(rule);
    std::lock_guard const lock(mutex_);
    std::vector<entry> fresh;
    fresh.reserve(rules.size());
    for (alert_rule& rule : rules)
    {
        auto const known = std::ranges::find_if(
            entries_, [&](entry const& e) { return condition_of(e.watch.rule()) == condition_of(rule); });
        if (known == entries_.end())
        {
            fresh.push_back({alert_watch(std::move(rule), clock_->now()), nullptr});
            continue;
        }
        fresh.push_back({std::move(known->watch), nullptr});
        fresh.back().watch.deliver_to(std::move(rule.webhook), std::move(rule.on_alert));
        entries_.erase(known);
    }
    entries_ = std::move(fresh);
    // The interval follows the windows.
    end_locked();
    if (started_)
        begin_locked();
}

void alert_monitor::start()
{
    std::lock_guard const lock(mutex_);
    if (std::exchange(started_, true))
        return;
    for (entry& e : entries_)
        e.watch.begin(clock_->now());
    begin_locked();
}

void alert_monitor::stop() noexcept
{
    std::lock_guard const lock(mutex_);
    started_ = false;
    end_locked();
    if (transport_)
        transport_->group->interrupt_all(asio::error::operation_aborted, true);
    transport_.reset();
    for (entry& e : entries_)
        e.hook.reset();
}

void alert_monitor::begin_locked()
{
    if (entries_.empty())
        return;
    steady_time::duration shortest = steady_time::duration::max();
    for (entry const& e : entries_)
        shortest = std::min(shortest, e.watch.rule().window);
    if (!transport_)
        transport_ = std::make_shared<webhook_transport>(executor_, use_strands_, tls_, clock_, log_);
    auto const c = std::make_shared<checker>(shared_from_this(), transport_->group);
    checker_ = c;
    running_ = true;
    auto const interval = std::clamp<steady_time::duration>(
        shortest / alert_checks_in_window, shortest_alert_interval, longest_alert_interval);
    // Not inline: the caller holds the mutex.
    asio::post(c->get_executor(), [c, interval] { c->start(c->run(interval)); });
}

void alert_monitor::end_locked() noexcept
{
    running_ = false;
    if (auto const c = checker_.lock())
        c->interrupt(asio::error::operation_aborted);
    checker_.reset();
}

template <class Event>
void alert_monitor::add(Event const& event)
{
    if (!running_.load(std::memory_order_relaxed))
        return;
    std::lock_guard const lock(mutex_);
    for (entry& e : entries_)
        e.watch.add(event);
}

void alert_monitor::on_attempt_ended(attempt_ended const& event)
{
    add(event);
}

void alert_monitor::on_first_token_received(first_token_received const& event)
{
    add(event);
}

void alert_monitor::on_call_ended(call_ended const& event)
{
    add(event);
}

task<void> alert_monitor::check_until_stopped(fiber& f, steady_time::duration interval)
{
    for (;;)
    {
        co_await clock_->wait_until(f, clock_->now() + interval);
        if (f.interrupted())
            co_return;
        check();
    }
}

void alert_monitor::check()
{
    struct delivery
    {
        alert what;
        std::shared_ptr<webhook> hook;
        std::function<void(alert const&)> callback;
    };
    std::vector<delivery> due;
    {
        std::lock_guard const lock(mutex_);
        if (!transport_)
            return; // Stopped
        for (entry& e : entries_)
            if (auto a = e.watch.check(clock_->now()))
                due.push_back({*std::move(a), hook_locked(e), e.watch.rule().on_alert});
    }
    for (delivery const& d : due)
    {
        log_(d.what.state == alert_state::recovered ? log_level::info : log_level::warning,
            "alert " + d.what.name + " (" + std::string(alert_state_name(d.what.state)) + "): " + d.what.text);
        if (d.hook)
            d.hook->send(to_webhook_body(d.what));
        try
        {
            if (d.callback)
                d.callback(d.what);
        }
        catch (...)
        {
            log_(log_level::error, "the function for the alert " + d.what.name + " has thrown");
        }
    }
}

std::shared_ptr<webhook> alert_monitor::hook_locked(entry& e)
{
    webhook_target target;
    if (!e.hook && !e.watch.rule().webhook.empty() && read_webhook(e.watch.rule().webhook, target).empty())
        e.hook = std::make_shared<webhook>(transport_, std::move(target));
    return e.hook;
}

} // namespace serin
