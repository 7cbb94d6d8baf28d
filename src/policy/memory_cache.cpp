// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "memory_cache.hpp"

#include <algorithm>
#include <utility>

namespace serin {

memory_cache::memory_cache(std::size_t max_entries, std::size_t max_bytes, clock now)
    : clock_(std::move(now)),
      table_(max_entries, max_bytes)
{}

void memory_cache::get(std::string_view key, std::function<void(value)> done)
{
    value found;
    {
        std::lock_guard const lock(mutex_);
        found = table_.find(key, clock_());
    }
    done(std::move(found));
}

void memory_cache::put(std::string_view key, value text, std::chrono::milliseconds ttl)
{
    // What is longer does not fit the clock.
    constexpr auto longest = std::chrono::milliseconds(std::chrono::hours(24) * 365 * 100);
    std::lock_guard const lock(mutex_);
    table_.put(key, std::move(text), add_saturated(clock_(), std::min(ttl, longest)));
}

cache_size memory_cache::size() const
{
    cache_size s;
    std::lock_guard const lock(mutex_);
    s.entries = table_.entries();
    s.bytes = table_.bytes();
    s.evictions = table_.evictions();
    return s;
}

std::shared_ptr<cache_store> memory_cache_store(std::size_t max_entries, std::size_t max_bytes)
{
    return std::make_shared<memory_cache>(max_entries, max_bytes);
}

} // namespace serin
