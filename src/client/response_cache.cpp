// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "response_cache.hpp"

#include "../chat/wire_write.hpp"
#include "../policy/cache_key.hpp"
#include "../policy/memory_cache.hpp"
#include "client_impl.hpp"
#include "relay.hpp"
#include "shared_fetch.hpp"

#include <serin/core/with_diagnostics.hpp>

#include <algorithm>
#include <utility>

namespace serin {
namespace {

[[noreturn]] void refuse_cache(std::string what)
{
    diagnostics diag;
    diag.message = "client_params::cache: " + std::move(what);
    throw api_error(errc::invalid_argument, std::move(diag));
}

// Who may answer: whatever changes that makes other requests of the same texts.
std::string group_of(route const& r)
{
    std::vector<std::string> members;
    for (route_member const& m : r.members)
        members.push_back(m.upstream->params.name + '\n' + m.upstream->params.base_url + '\n' + m.model + '\n');
    std::sort(members.begin(), members.end());
    std::string group = r.name;
    for (std::string const& m : members)
        group += '\n' + m;
    return group;
}

} // namespace

void response_cache::configure(std::optional<cache_params> const& params)
{
    if (params)
    {
        if (params->ttl <= params->ttl.zero())
            refuse_cache("the ttl is not positive");
        if (params->store_timeout <= params->store_timeout.zero())
            refuse_cache("store_timeout is not positive");
        if (!params->store && (params->max_entries == 0 || params->max_bytes == 0))
            refuse_cache("there is no room for anything");
    }
    std::lock_guard const lock(mutex_);
    is_on_ = params.has_value();
    if (!params)
    {
        store_ = nullptr;
        own_entries_ = own_bytes_ = 0;
    }
    else if (params->store)
    {
        store_ = params->store;
        own_entries_ = own_bytes_ = 0;
    }
    else if (params->max_entries != own_entries_ || params->max_bytes != own_bytes_)
    {
        own_entries_ = params->max_entries;
        own_bytes_ = params->max_bytes;
        store_ = std::make_shared<memory_cache>(own_entries_, own_bytes_, [time = clock_] { return time->now(); });
    }
}

std::optional<cache_plan> response_cache::plan(
    client_impl& client, routing const& config, chat_request const& request, bool stream)
{
    if (!config.params.cache)
        return std::nullopt;
    std::string tail;
    std::string ignored;
    if (request.cache == cache_use::bypass || write_request_tail(tail, request, stream, ignored))
    {
        ++bypassed_;
        return std::nullopt;
    }
    return plan(client, config, {"chat", request.model, tail, request.tenant, request.cache, stream, request.timeout});
}

std::optional<cache_plan> response_cache::plan(client_impl& client, routing const& config, relay_request const& request)
{
    if (!config.params.cache || !request.chat)
        return std::nullopt;
    relayed_body const& body = request.body;
    if (request.cache == cache_use::bypass)
    {
        ++bypassed_;
        return std::nullopt;
    }
    // They come back as they were sent, so what is kept of one kind is no good for another.
    std::string_view const endpoint = !body.stream          ? "relay"
                                      : body.asks_for_usage ? "relay stream with usage"
                                                            : "relay stream";
    auto made = plan(
        client, config, {endpoint, body.model, body.tail, request.tenant, request.cache, body.stream, request.timeout});
    if (made)
        made->relayed = true;
    return made;
}

std::optional<cache_plan> response_cache::plan(client_impl& client, routing const& config, question const& q)
{
    cache_params const& params = *config.params.cache;
    std::string body;
    append_request(body, q.model, q.tail);
    route const& r = config.of(q.model);
    std::string const group = group_of(r);
    auto reader = client.take_reader();
    auto key = make_cache_key(*reader, {q.endpoint, group, q.tenant, body});
    client.put_reader(std::move(reader));
    if (!key || (key->temperature > 0 && !params.any_temperature))
    {
        ++bypassed_;
        return std::nullopt;
    }
    cache_plan made;
    made.key.digest = std::move(key->digest);
    made.key.stream = q.stream;
    made.key.refresh = q.use == cache_use::refresh;
    made.key.timeout = q.timeout.value_or(config.params.timeouts.total);
    made.params = params;
    if (!made.params.store)
    {
        std::lock_guard const lock(mutex_);
        made.params.store = store_;
    }
    if (!made.params.store)
        return std::nullopt; // Another configuration has come between
    for (route_member const& m : r.members)
        made.upstreams.push_back(m.upstream->params.name);
    return made;
}

template <class Request>
response_cache::seat response_cache::join_any(
    std::shared_ptr<client_impl> const& client, cache_plan const& plan, Request const& request)
{
    seat s;
    s.cache_ = shared_from_this();
    {
        std::lock_guard const lock(mutex_);
        auto joined = flights_.join(plan.key, [&] { return std::make_shared<shared_fetch>(s.cache_, client, plan); });
        s.fetch_ = std::move(joined.work);
        s.is_first_ = joined.is_first;
    }
    if (s.is_first_)
        s.fetch_->begin(request);
    return s;
}

response_cache::seat response_cache::join(
    std::shared_ptr<client_impl> const& client, cache_plan const& plan, chat_request const& request)
{
    return join_any(client, plan, request);
}

response_cache::seat response_cache::join(
    std::shared_ptr<client_impl> const& client, cache_plan const& plan, relay_request const& request)
{
    return join_any(client, plan, request);
}

void response_cache::landed(fetch_key const& key, shared_fetch const& fetch)
{
    std::lock_guard const lock(mutex_);
    flights_.land(key, fetch);
}

cache_counts response_cache::counts() const
{
    cache_counts n;
    n.hits = hits_;
    n.misses = misses_;
    n.shared = shared_;
    n.bypassed = bypassed_;
    n.stored = stored_;
    std::shared_ptr<cache_store> store;
    {
        std::lock_guard const lock(mutex_);
        store = store_;
    }
    if (store)
        n.size = store->size();
    return n;
}

// ---------------------------------------------------------------------------------------------------------

response_cache::seat& response_cache::seat::operator=(seat&& other) noexcept
{
    if (this != &other)
    {
        leave();
        cache_ = std::move(other.cache_);
        fetch_ = std::move(other.fetch_);
        is_first_ = other.is_first_;
    }
    return *this;
}

cache_lookup response_cache::seat::account() const noexcept
{
    if (fetch_->where_from() == shared_fetch::origin::store)
    {
        ++cache_->hits_;
        return cache_lookup::hit;
    }
    if (is_first_)
        return cache_lookup::miss; // Counted when it was asked
    ++cache_->shared_;
    return cache_lookup::joined;
}

void response_cache::seat::leave() noexcept
{
    auto const fetch = std::move(fetch_);
    auto const cache = std::move(cache_);
    if (!fetch)
        return;
    bool last = false;
    {
        std::lock_guard const lock(cache->mutex_);
        last = cache->flights_.leave(fetch->key(), *fetch);
    }
    if (last)
        fetch->stop();
}

void response_cache::seat::vanish() noexcept
{
    if (!fetch_)
        return;
    std::lock_guard const lock(cache_->mutex_);
    cache_->flights_.leave(fetch_->key(), *fetch_);
    fetch_ = nullptr;
}

} // namespace serin
