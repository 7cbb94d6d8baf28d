// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "client_impl.hpp"

#include "../chat/wire_write.hpp"
#include "../http/url.hpp"

#include <serin/core/with_diagnostics.hpp>

#include <algorithm>
#include <iterator>
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

void check_retries(client_params const& p)
{
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

} // namespace

client_impl::client_impl(asio::any_io_executor ex, client_params p, std::shared_ptr<clock_source> time)
    : executor(std::move(ex)),
      completion_executor(executor),
      params(std::move(p)),
      clock(std::move(time)),
      group(std::make_shared<fiber_group>(executor)),
      memory(std::make_shared<memory_budget>(params.limits.buffered)),
      random_(seed_from(params)),
      budgets_(params.retry, params.upstreams.size())
{
    if (params.upstreams.empty())
        refuse(errc::invalid_argument, "client_params::upstreams is empty");
    if (params.timeouts.total <= duration::zero())
        refuse(errc::invalid_argument, "client_params::timeouts.total must be positive");
    check_retries(params);
    if (params.hedge.at_p95)
        latencies_.resize(params.upstreams.size());
    connections = std::make_shared<pool>(params.pool, executor, params.thread_safe, group, random_locked());
    auto const resolver = std::make_shared<resolve_cache>(make_system_resolver(executor), keep_addresses);
    upstreams.reserve(params.upstreams.size());
    for (upstream const& u : params.upstreams)
        add_upstream(u, resolver);
}

void client_impl::add_upstream(upstream const& u, std::shared_ptr<resolve_cache> const& resolver)
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
    for (upstream_state const& other : upstreams)
        if (other.params.name == u.name)
            refuse(errc::invalid_argument, which + "the name is given twice");

    if (to.where.tls)
        to.tls = std::make_shared<tls_context>(u.tls ? *u.tls : params.tls);
    to.sessions = std::make_shared<tls_sessions>();
    to.resolver = resolver;
    to.executor = executor;
    to.timeouts = params.timeouts;

    upstream_state state;
    state.params = u;
    state.base_path = to.where.path;
    append_request(state.model_member, u.model, {});
    state.common_head = make_common_head(u, fields, to.where);
    obfuscation_off = obfuscation_off && d.obfuscation_off;
    state.host = &connections->add_host(std::move(to));
    if (has_limits(u.limits))
        state.gate = std::make_shared<limit_gate>(u.limits, executor, [time = clock] { return time->now(); });
    if (u.keys)
        state.keys = std::make_shared<key_keeper>(
            u.keys, u.choose_key, u.key_limits, executor, [time = clock] { return time->now(); });
    upstreams.push_back(std::move(state));
    weights.push_back(u.weight);
}

void client_impl::log(log_level level, std::string_view line) const noexcept
{
    if (!params.log)
        return;
    try
    {
        params.log(level, line);
    }
    catch (...)
    {
        // A logger that fails must not take the call with it.
    }
}

call_fsm::step client_impl::start_call(call_fsm& fsm)
{
    steady_time const now = clock->now();
    std::lock_guard const lock(mutex_);
    return fsm.start(budgets_, now, random_locked());
}

call_fsm::step client_impl::after_failure(
    call_fsm& fsm, std::size_t upstream, call_failure const& failure, steady_time deadline)
{
    steady_time const now = clock->now();
    std::lock_guard const lock(mutex_);
    return fsm.attempt_failed(upstream, failure, budgets_, now, deadline, random_locked());
}

void client_impl::failed_beside(call_fsm& fsm, std::size_t upstream, call_failure const& failure)
{
    fsm.failed_beside(upstream, failure, clock->now());
}

std::optional<std::size_t> client_impl::hedge(call_fsm& fsm)
{
    steady_time const now = clock->now();
    std::lock_guard const lock(mutex_);
    return fsm.hedge(budgets_, now, random_locked());
}

duration client_impl::hedge_after(std::size_t upstream) const
{
    if (upstreams.size() < 2)
        return duration::zero();
    if (!latencies_.empty())
    {
        std::lock_guard const lock(mutex_);
        if (auto const p95 = latencies_[upstream].quantile(0.95))
            return *p95;
    }
    return params.hedge.delay;
}

void client_impl::answered(std::size_t upstream, duration took)
{
    if (latencies_.empty())
        return;
    std::lock_guard const lock(mutex_);
    latencies_[upstream].add(took);
}

std::uint64_t client_impl::random_locked() noexcept
{
    // splitmix64
    std::uint64_t z = (random_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
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

void client_impl::watch_keys(bool on)
{
    std::vector<std::shared_ptr<void>> watches;
    if (on)
        for (upstream_state const& u : upstreams)
            if (u.keys)
                if (auto watch = u.keys->watch([weak = weak_from_this()](log_level level, std::string_view line) {
                        if (auto const self = weak.lock())
                            self->log(level, line);
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
    for (upstream_state const& u : upstreams)
        if (u.keys)
            u.keys->append_live(keys);
    for (auto const& key : keys)
        serin::scrub(text, *key);
}

} // namespace serin
