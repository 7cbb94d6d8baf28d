// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_LRU_TABLE_HPP
#define SERIN_SRC_POLICY_LRU_TABLE_HPP

#include "../core/fiber.hpp"

#include <serin/policy/cache.hpp>

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace serin {

// Texts under keys, each good until a moment of its own. What was not found for the longest time goes first when there
// are too many or too large ones. No clock, no lock.
class lru_table
{
public:
    using value = cache_store::value;

    // What an entry costs besides its key and its text.
    static constexpr std::size_t overhead = 192;

    lru_table(std::size_t max_entries, std::size_t max_bytes) noexcept
        : max_entries_(max_entries),
          max_bytes_(max_bytes)
    {}

    // Null: there is none that is good still.
    value find(std::string_view key, steady_time now);

    // Replaces an older one. One that is too large for the whole table is not kept.
    void put(std::string_view key, value text, steady_time good_until);

    std::size_t entries() const noexcept { return by_age_.size(); }
    std::size_t bytes() const noexcept { return bytes_; }
    std::uint64_t evictions() const noexcept { return evictions_; }

private:
    struct entry
    {
        std::string key;
        value text;
        steady_time good_until;

        std::size_t size() const noexcept { return overhead + key.size() + text->size(); }
    };
    using place = std::list<entry>::iterator;

    void remove(place at);

    std::size_t const max_entries_;
    std::size_t const max_bytes_;
    std::size_t bytes_ = 0;
    std::uint64_t evictions_ = 0;
    std::list<entry> by_age_; // The one that was asked for last is the first
    std::unordered_map<std::string_view, place> by_key_;
};

} // namespace serin

#endif
