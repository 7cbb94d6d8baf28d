// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_POLICY_CACHE_HPP
#define SERIN_POLICY_CACHE_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace serin {

/// How much a store of answers holds.
struct cache_size
{
    std::size_t entries = 0;     ///< Answers, those too that have expired and were not removed yet.
    std::size_t bytes = 0;       ///< What they take, keys and bookkeeping included.
    std::uint64_t evictions = 0; ///< Answers that made room for newer ones, since the store was made.
};

/// Where answers are kept. The client turns requests into keys and answers into texts; a store only keeps texts.
/// Derive from it to keep them elsewhere. All functions may be called from any thread, must return without blocking,
/// and must not throw. Several clients may share one store.
class cache_store
{
public:
    /// An answer, or null.
    using value = std::shared_ptr<std::string const>;

    virtual ~cache_store() = default;

    /// Looks a text up. `key` is 64 hexadecimal digits. Calls `done` once, at once or later and from any thread, with
    /// what it found. A store that cannot be reached has found nothing: a call must not fail because of it.
    virtual void get(std::string_view key, std::function<void(value)> done) = 0;

    /// Keeps a text for so long, or not: nobody is told. Replaces what is there under the key.
    virtual void put(std::string_view key, value text, std::chrono::milliseconds ttl) = 0;

    /// How much it holds, as far as it knows.
    virtual cache_size size() const { return {}; }
};

/// A store in this process, for several clients to share. The answer that was not asked for the longest time makes room
/// for a new one. See cache_params::max_entries and cache_params::max_bytes.
std::shared_ptr<cache_store> memory_cache_store(
    std::size_t max_entries = 10'000, std::size_t max_bytes = std::size_t(64) << 20);

/// How a client keeps answers, for chats that are asked for again.
///
/// A request and an answer belong together if the whole request is the same as JSON (the order of members and the
/// blanks between them do not count), and the model's name, the upstreams behind it and `chat_request::tenant` are.
/// Identical calls at the same time share one request; if it fails each gets the error. Only complete answers are kept:
/// those of which every choice has a finish reason other than "content_filter". See docs/caching.md.
struct cache_params
{
    /// How long an answer is good. Positive.
    std::chrono::milliseconds ttl = std::chrono::minutes(10);

    /// How many answers are kept in memory. Positive. Not used if there is a @ref store.
    std::size_t max_entries = 10'000;

    /// How many bytes they may take. Positive. Not used if there is a @ref store.
    std::size_t max_bytes = std::size_t(64) << 20;

    /// Larger answers are not kept: bytes as JSON, with the pieces of a stream.
    std::size_t max_entry_bytes = std::size_t(1) << 20;

    /// Whether requests with a temperature above 0 are looked up and kept too: they ask for chance, and would get the
    /// same answer again. Those that say nothing about the temperature always are.
    bool any_temperature = false;

    /// Where the answers are kept. Null: in memory, for this client alone.
    std::shared_ptr<cache_store> store = {};

    /// How long a call waits for the store at most. After that it goes on as if nothing was found. Positive.
    std::chrono::milliseconds store_timeout = std::chrono::milliseconds(100);
};

/// What a client's cache has come to since the client was made.
struct cache_counts
{
    std::uint64_t hits = 0;     ///< Calls that were answered by what was kept.
    std::uint64_t misses = 0;   ///< Calls that asked a server and may have their answers kept.
    std::uint64_t shared = 0;   ///< Calls that waited for the request of an identical one.
    std::uint64_t bypassed = 0; ///< Chats that had nothing to do with the cache: temperature, or on request.
    std::uint64_t stored = 0;   ///< Answers that were given to the store.
    cache_size size = {};       ///< Of the store.

    /// The part of the calls that may be answered from the cache for which no request was made. 0 before the first.
    double hit_rate() const noexcept
    {
        std::uint64_t const all = hits + misses + shared;
        return all == 0 ? 0 : static_cast<double>(hits + shared) / static_cast<double>(all);
    }
};

} // namespace serin

#endif
