// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/config.hpp>

#include "config_alerts.hpp"
#include "config_file.hpp"
#include "config_object.hpp"
#include "config_routes.hpp"
#include "config_upstreams.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace serin {
namespace {

bool parse_config(std::string_view text, nlohmann::json& root, config_check& check)
{
    // The parser itself would take the last of two members of the same name, silently.
    std::vector<std::set<std::string>> names;
    auto const watch = [&check, &names](int, nlohmann::json::parse_event_t event, nlohmann::json& value) {
        if (event == nlohmann::json::parse_event_t::object_start)
            names.emplace_back();
        else if (event == nlohmann::json::parse_event_t::object_end)
            names.pop_back();
        else if (event == nlohmann::json::parse_event_t::key && !names.back().insert(value.get<std::string>()).second)
            check.fail(value.get<std::string>(), "is given twice in the same object");
        return true;
    };
    try
    {
        root = nlohmann::json::parse(text, watch);
    }
    catch (nlohmann::json::parse_error const& e)
    {
        // Not the parser's own text, which quotes the file.
        std::string_view const before = text.substr(0, e.byte > 0 ? e.byte - 1 : 0);
        auto const line = 1 + std::count(before.begin(), before.end(), '\n');
        std::size_t const line_start = before.rfind('\n') + 1; // 0 if there is none
        check.fail("",
            "not JSON: line " + std::to_string(line) + ", column " + std::to_string(before.size() - line_start + 1));
    }
    catch (nlohmann::json::exception const&)
    {
        check.fail("", "not JSON: a number is too large");
    }
    if (!check.failed() && !root.is_object())
        check.fail("", "the configuration must be a JSON object");
    return !check.failed();
}

void read_config_health(config_object o, health_params& h)
{
    constexpr auto shortest_window = std::chrono::milliseconds(10);
    o.whole("consecutive_failures", h.consecutive_failures, 0);
    o.number("failure_rate", h.failure_rate);
    o.time("window", h.window, shortest_window);
    o.whole("min_requests", h.min_requests, 0);
    o.time("ejection", h.ejection);
    o.time("max_ejection", h.max_ejection);
    o.share("jitter", h.jitter);
    o.no_others();
}

void read_config_retry(config_object o, retry_params& r)
{
    o.whole("max_attempts", r.max_attempts, 1);
    o.time("base_delay", r.base_delay);
    o.time("max_delay", r.max_delay);
    o.time("max_retry_after", r.max_retry_after);
    o.number("budget_ratio", r.budget_ratio);
    o.whole("budget_per_second", r.budget_per_second, 0);
    o.no_others();
}

void read_config_hedge(config_object o, hedge_params& h)
{
    o.time("delay", h.delay);
    o.flag("at_p95", h.at_p95);
    o.no_others();
}

void read_config_stream(config_object o, stream_params& s)
{
    read_config_recovery(o, "recovery", s.recovery);
    o.flag("skip_malformed_chunks", s.skip_malformed_chunks);
    o.no_others();
}

void read_config_timeouts(config_object o, timeout_params& t)
{
    o.time("pool", t.pool);
    o.time("connect", t.connect);
    o.time("tls", t.tls);
    o.time("write", t.write);
    o.time("first_byte", t.first_byte);
    // Who sets it means it, with one upstream and with several.
    if (o.find("first_byte"))
        t.first_byte_failover = t.first_byte;
    o.time("first_token", t.first_token);
    o.time("idle", t.idle);
    o.time("token_idle", t.token_idle);
    o.time("total", t.total, duration(1));
    o.no_others();
}

void read_config_pool(config_object o, pool_params& p)
{
    o.whole("max_per_host", p.max_per_host, 1);
    o.whole("max_idle_per_host", p.max_idle_per_host, 0);
    o.whole("max_idle", p.max_idle, 0);
    o.time("trim_delay", p.trim_delay);
    o.time("idle_timeout", p.idle_timeout);
    o.time("max_lifetime", p.max_lifetime);
    o.no_others();
}

void read_config_cache(config_object o, client_params& p)
{
    // A store that the program has set stays.
    cache_params c = p.cache.value_or(cache_params());
    auto const time = [&o](std::string_view name, std::chrono::milliseconds& out) {
        duration d = out;
        o.time(name, d, std::chrono::milliseconds(1));
        out = std::chrono::duration_cast<std::chrono::milliseconds>(d);
    };
    time("ttl", c.ttl);
    o.whole("max_entries", c.max_entries, 1);
    o.whole("max_bytes", c.max_bytes, 1);
    o.whole("max_entry_bytes", c.max_entry_bytes, 0);
    o.flag("any_temperature", c.any_temperature);
    time("store_timeout", c.store_timeout);
    o.no_others();
    p.cache = std::move(c);
}

void read_config_memory(config_object o, limit_params& l)
{
    o.whole("head", l.head, 1);
    o.whole("body", l.body, 1);
    o.whole("event", l.event, 1);
    o.whole("buffered", l.buffered, 1);
    o.no_others();
}

void read_config_root(config_object root, std::filesystem::path const& base_dir, client_params& p)
{
    p.upstreams = read_config_upstreams(root, base_dir);
    p.models = read_config_models(root, p.upstreams);
    p.rollouts = read_config_rollouts(root, p.upstreams, p.models);
    p.mirrors = read_config_mirrors(root, p.upstreams, p.models);
    if (auto o = root.object("health"))
        read_config_health(*std::move(o), p.health);
    if (auto o = root.object("retry"))
        read_config_retry(*std::move(o), p.retry);
    if (auto o = root.object("hedge"))
        read_config_hedge(*std::move(o), p.hedge);
    if (auto o = root.object("stream"))
        read_config_stream(*std::move(o), p.stream);
    if (auto o = root.object("timeouts"))
        read_config_timeouts(*std::move(o), p.timeouts);
    if (auto o = root.object("pool"))
        read_config_pool(*std::move(o), p.pool);
    if (auto o = root.object("cache"))
        read_config_cache(*std::move(o), p);
    if (auto o = root.object("limits"))
        read_config_memory(*std::move(o), p.limits);
    if (auto tls = read_config_tls(root, base_dir))
        p.tls = *std::move(tls);
    p.prices = read_config_prices(root, p.prices);
    p.budgets = read_config_budgets(root, p.upstreams);
    p.alerts = read_config_alerts(root, p.upstreams);
    root.no_others();
}

} // namespace

error_code load_config(std::string_view json, std::string const& base_dir, client_params& out, std::string& why)
{
    config_check check(why);
    client_params params = out;
    nlohmann::json root;
    if (parse_config(json, root, check))
        read_config_root(config_object(check, root, ""), base_dir, params);
    if (!check.failed())
        out = std::move(params);
    return check.error();
}

error_code load_config_file(std::string const& path, client_params& out, std::string& why)
{
    std::string text;
    error_code ec = read_config_file(path, text, why);
    if (!ec)
        ec = load_config(text, std::filesystem::path(path).parent_path().string(), out, why);
    if (ec)
        why = path + ": " + why;
    return ec;
}

} // namespace serin
