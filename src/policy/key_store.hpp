// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_KEY_STORE_HPP
#define SERIN_SRC_POLICY_KEY_STORE_HPP

#include "../core/fiber.hpp"

#include <serin/policy/keys.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace serin {

using key_pointer = std::shared_ptr<secret const>;
using key_span = std::span<key_pointer const>;

inline bool same_key(secret const& a, secret const& b) noexcept
{
    return &a == &b || a.reveal() == b.reveal();
}

// The place of a key with these bytes; the end if there is none.
inline key_span::iterator find_key(key_span keys, secret const& key) noexcept
{
    return std::find_if(keys.begin(), keys.end(), [&](key_pointer const& k) { return k && same_key(*k, key); });
}

inline bool holds_key(key_span keys, secret const& key) noexcept
{
    return find_key(keys, key) != keys.end();
}

// The keys of a source, and those that they replaced a short time ago: an error text that comes late may hold one. No
// lock.
class key_store
{
public:
    key_store() : set_(std::make_shared<key_set const>()) {}

    std::shared_ptr<key_set const> const& set() const noexcept { return set_; }

    // These are the keys now. One that was there before stays the same object.
    void replace(std::vector<key_pointer> keys, std::string problem, steady_time now)
    {
        bool changed = keys.size() != set_->keys.size();
        for (std::size_t i = 0; i < keys.size(); ++i)
        {
            changed = changed || !same_key(*keys[i], *set_->keys[i]);
            if (auto const known = find_key(set_->keys, *keys[i]); known != key_span(set_->keys).end())
                keys[i] = *known;
        }
        if (!changed && problem == set_->problem)
            return;
        for (auto const& key : set_->keys)
            if (!holds_key(keys, *key))
                replaced_.emplace_back(now, key);
        forget(now);
        auto next = std::make_shared<key_set>();
        next->keys = std::move(keys);
        next->problem = std::move(problem);
        next->version = set_->version + (changed ? 1 : 0);
        set_ = std::move(next);
    }

    // The keys stay, but something is wrong.
    void report(std::string problem, steady_time now) { replace(set_->keys, std::move(problem), now); }

    void append_live(std::vector<key_pointer>& out, steady_time now) const
    {
        out.insert(out.end(), set_->keys.begin(), set_->keys.end());
        for (auto const& [since, key] : replaced_)
            if (now - since < remembered_for_)
                out.push_back(key);
    }

private:
    static constexpr auto remembered_for_ = std::chrono::minutes(10);
    static constexpr std::size_t most_remembered_ = 16; // Attempts remember what they use

    void forget(steady_time now)
    {
        while (!replaced_.empty() &&
               (replaced_.size() > most_remembered_ || now - replaced_.front().first >= remembered_for_))
            replaced_.pop_front();
    }

    std::shared_ptr<key_set const> set_;
    std::deque<std::pair<steady_time, key_pointer>> replaced_;
};

} // namespace serin

#endif
