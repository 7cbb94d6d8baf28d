// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "config_alerts.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace serin {
namespace {

void check_alert_upstream(config_object& of, std::string const& name, std::vector<upstream> const& upstreams)
{
    if (!name.empty() && std::ranges::find(upstreams, name, &upstream::name) == upstreams.end())
        of.fail("upstream", "there is no upstream \"" + name + "\"");
}

// Calls `read` with each object of an array that may be missing.
template <class Read>
void for_each_config_object(config_object& root, std::string_view name, Read read)
{
    auto const* const list = root.find(name);
    if (!list)
        return;
    if (!list->is_array())
        return root.fail(name, "must be an array of objects");
    for (std::size_t i = 0; i < list->size(); ++i)
    {
        config_object o(root.check(), (*list)[i], root.path(name, i));
        read(o);
        o.no_others();
    }
}

void read_alert_percentile(config_object& o, std::string_view name, std::optional<duration>& out)
{
    if (o.find(name))
        o.time(name, out.emplace(), duration(1));
}

alert_rule read_config_alert(config_object& o, std::vector<upstream> const& upstreams)
{
    alert_rule rule;
    o.text("name", rule.name);
    read_alert_percentile(o, "p50", rule.p50);
    read_alert_percentile(o, "p90", rule.p90);
    read_alert_percentile(o, "p99", rule.p99);
    if (o.find("error_rate"))
        o.share("error_rate", rule.error_rate.emplace());
    nano_dollars amount = 0;
    if (o.dollars("cost_per_hour", amount))
        rule.cost_per_hour = amount;
    o.flag("no_traffic", rule.no_traffic);
    o.text("upstream", rule.upstream);
    check_alert_upstream(o, rule.upstream, upstreams);
    o.text("model", rule.model);
    o.word("of", rule.latency, {{"call", alert_latency::call}, {"first_token", alert_latency::first_token}});
    o.time("window", rule.window);
    o.whole("min_calls", rule.min_calls, 0);
    o.time("hold", rule.hold);
    o.time("recovery", rule.recovery);
    o.time("repeat", rule.repeat);
    o.text("webhook_env", rule.webhook_env);
    return rule;
}

} // namespace

price read_config_price(config_object o)
{
    price p;
    nano_dollars amount = 0;
    o.dollars("input", p.input);
    o.dollars("output", p.output);
    if (o.dollars("cached_input", amount))
        p.cached_input = amount;
    if (o.dollars("reasoning", amount))
        p.reasoning = amount;
    o.no_others();
    return p;
}

price_table read_config_prices(config_object& root, price_table before)
{
    auto const* const models = root.find("prices");
    if (!models)
        return before;
    if (!models->is_object())
    {
        root.fail("prices", "must be an object of models");
        return before;
    }
    for (auto const& [model, json] : models->items())
        before.set(model, read_config_price(config_object(root.check(), json, root.path("prices") + "." + model)));
    return before;
}

std::vector<budget_params> read_config_budgets(config_object& root, std::vector<upstream> const& upstreams)
{
    std::vector<budget_params> all;
    std::set<std::string> names;
    for_each_config_object(root, "budgets", [&](config_object& o) {
        budget_params b;
        o.text("name", b.name);
        if (!names.insert(b.name).second)
            o.fail("name", "\"" + b.name + "\" is given twice");
        if (!o.dollars("daily", b.daily) || b.daily == 0)
            o.fail("daily", "must be a number of dollars above 0");
        o.word("when_over", b.when_over, {{"refuse", over_budget::refuse}, {"warn", over_budget::warn}});
        o.share("warn_at", b.warn_at);
        o.text("upstream", b.upstream);
        check_alert_upstream(o, b.upstream, upstreams);
        o.text("model", b.model);
        o.text("tag", b.tag);
        all.push_back(std::move(b));
    });
    return all;
}

std::vector<alert_rule> read_config_alerts(config_object& root, std::vector<upstream> const& upstreams)
{
    std::vector<alert_rule> all;
    std::set<std::string> names;
    for_each_config_object(root, "alerts", [&](config_object& o) {
        alert_rule rule = read_config_alert(o, upstreams);
        std::string const path = root.path("alerts", all.size());
        if (auto const problem = alert_problem(rule); !problem.empty() && !root.check().failed())
            root.check().fail(path, problem);
        if (!names.insert(alert_name(rule)).second)
            root.check().fail(path, "the name \"" + alert_name(rule) + "\" is given twice");
        all.push_back(std::move(rule));
    });
    return all;
}

} // namespace serin
