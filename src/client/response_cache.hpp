// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_RESPONSE_CACHE_HPP
#define SERIN_SRC_CLIENT_RESPONSE_CACHE_HPP

#include "../core/clock_source.hpp"
#include "../policy/single_flight.hpp"

#include <serin/chat/request.hpp>
#include <serin/observe/event.hpp>
#include <serin/policy/cache.hpp>

#include <atomic>
#include <chrono>
#include <compare>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace serin {

class client_impl;
class relay_request;
class routing;
class shared_fetch;

// Which calls share a fetch. Those with other time limits do not: one must not fail because of another's.
struct fetch_key
{
    std::string digest; // Of the request
    bool stream = false;
    bool refresh = false;
    std::chrono::steady_clock::duration timeout{};

    auto operator<=>(fetch_key const&) const = default;
};

// How a call uses the cache.
struct cache_plan
{
    fetch_key key;
    cache_params params;                // With a store
    std::vector<std::string> upstreams; // Whose answers are kept: others answer instead of them when they fail
    bool relayed = false;               // The answer is passed on as it was sent
};

// The cache of a client: which calls may use it, what is under way, and what it has come to. Safe from any thread.
class response_cache : public std::enable_shared_from_this<response_cache>
{
public:
    explicit response_cache(std::shared_ptr<clock_source> clock) : clock_(std::move(clock)) {}

    // From now on these parameters hold, as far as the store is concerned. Throws api_error if they cannot be used.
    void configure(std::optional<cache_params> const& params);

    // Whether there is a cache at all; what calls look at first.
    bool is_on() const noexcept { return is_on_.load(std::memory_order_relaxed); }

    // Nothing: the call has nothing to do with the cache. That is so too if its request cannot be sent, which it will
    // find out itself.
    std::optional<cache_plan> plan(
        client_impl& client, routing const& config, chat_request const& request, bool stream);

    // The same for a request that is passed on.
    std::optional<cache_plan> plan(client_impl& client, routing const& config, relay_request const& request);

    // A call's part in a fetch. Destroyed, the call has left it.
    class seat
    {
    public:
        seat() noexcept = default;
        seat(seat&& other) noexcept = default;
        seat& operator=(seat&& other) noexcept;
        ~seat() { leave(); }

        explicit operator bool() const noexcept { return fetch_ != nullptr; }
        shared_fetch& fetch() const noexcept { return *fetch_; }
        // Counts what the answer, which has come, was for this call, and says it.
        cache_lookup account() const noexcept;

        void leave() noexcept;

        // The same while the context is being destroyed: there is nothing to stop.
        void vanish() noexcept;

    private:
        friend class response_cache;

        std::shared_ptr<response_cache> cache_;
        std::shared_ptr<shared_fetch> fetch_;
        bool is_first_ = false;
    };

    // Takes part in the fetch of this plan, which the first one begins, with `request`.
    seat join(std::shared_ptr<client_impl> const& client, cache_plan const& plan, chat_request const& request);
    seat join(std::shared_ptr<client_impl> const& client, cache_plan const& plan, relay_request const& request);

    // A fetch has come to its end.
    void landed(fetch_key const& key, shared_fetch const& fetch);

    // A call asks a server; an answer was given to the store.
    void count_miss() noexcept { ++misses_; }
    void count_stored() noexcept { ++stored_; }

    cache_counts counts() const;

private:
    // What is looked up.
    struct question
    {
        std::string_view endpoint;
        std::string_view model;
        std::string_view tail;
        std::string_view tenant;
        cache_use use;
        bool stream;
        std::optional<std::chrono::steady_clock::duration> timeout;
    };
    std::optional<cache_plan> plan(client_impl& client, routing const& config, question const& q);

    template <class Request>
    seat join_any(std::shared_ptr<client_impl> const& client, cache_plan const& plan, Request const& request);

    std::shared_ptr<clock_source> const clock_;
    std::atomic<bool> is_on_{false};
    std::atomic<std::uint64_t> hits_{0};
    std::atomic<std::uint64_t> misses_{0};
    std::atomic<std::uint64_t> shared_{0};
    std::atomic<std::uint64_t> bypassed_{0};
    std::atomic<std::uint64_t> stored_{0};

    mutable std::mutex mutex_;
    single_flight<fetch_key, shared_fetch> flights_;
    std::shared_ptr<cache_store> store_;
    std::size_t own_entries_ = 0; // What an own store was made with
    std::size_t own_bytes_ = 0;
};

} // namespace serin

#endif
