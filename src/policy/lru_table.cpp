// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "lru_table.hpp"

#include <utility>

namespace serin {

lru_table::value lru_table::find(std::string_view key, steady_time now)
{
    auto const found = by_key_.find(key);
    if (found == by_key_.end())
        return nullptr;
    place const at = found->second;
    if (now >= at->good_until)
    {
        remove(at);
        return nullptr;
    }
    by_age_.splice(by_age_.begin(), by_age_, at);
    return at->text;
}

void lru_table::put(std::string_view key, value text, steady_time good_until)
{
    if (auto const old = by_key_.find(key); old != by_key_.end())
        remove(old->second);
    entry added{std::string(key), std::move(text), good_until};
    std::size_t const size = added.size();
    if (size > max_bytes_ || max_entries_ == 0)
        return;
    while (by_age_.size() >= max_entries_ || bytes_ > max_bytes_ - size)
    {
        remove(std::prev(by_age_.end()));
        ++evictions_;
    }
    by_age_.push_front(std::move(added));
    by_key_.emplace(by_age_.front().key, by_age_.begin());
    bytes_ += size;
}

void lru_table::remove(place at)
{
    bytes_ -= at->size();
    by_key_.erase(at->key);
    by_age_.erase(at);
}

} // namespace serin
