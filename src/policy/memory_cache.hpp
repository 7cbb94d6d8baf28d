// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_MEMORY_CACHE_HPP
#define SERIN_SRC_POLICY_MEMORY_CACHE_HPP

#include "lru_table.hpp"

#include <serin/policy/cache.hpp>

#include <chrono>
#include <functional>
#include <mutex>

namespace serin {

// A store that completes at once.
class memory_cache final : public cache_store
{
public:
    using clock = std::function<steady_time()>;

    memory_cache(std::size_t max_entries, std::size_t max_bytes, clock now = &std::chrono::steady_clock::now);

    void get(std::string_view key, std::function<void(value)> done) override;
    void put(std::string_view key, value text, std::chrono::milliseconds ttl) override;
    cache_size size() const override;

private:
    clock const clock_;
    mutable std::mutex mutex_;
    lru_table table_;
};

} // namespace serin

#endif
