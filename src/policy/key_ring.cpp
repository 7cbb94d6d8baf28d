// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "key_ring.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace serin {
namespace {

using key_time = steady_time::duration;

// How long a key is left alone: the first time, and at most. It doubles with every failure of the same kind.
struct key_pause
{
    key_time first;
    key_time most;
};

constexpr key_pause rest_pause{std::chrono::seconds(1), std::chrono::seconds(60)};
constexpr key_pause exhausted_pause{std::chrono::hours(1), std::chrono::hours(24)};
constexpr key_pause probe_pause{std::chrono::seconds(1), std::chrono::minutes(10)};

constexpr key_time most_told = std::chrono::hours(24); // Longer Retry-Afters are not believed

key_time length_of(key_pause const& p, unsigned failures) noexcept
{
    unsigned const doublings = std::min(failures - 1, 30u);
    return p.first > p.most / (1 << doublings) ? p.most : p.first * (1 << doublings);
}

std::string seconds_text(key_time t)
{
    return std::to_string(std::max<std::int64_t>(std::chrono::ceil<std::chrono::seconds>(t).count(), 0)) + " s";
}

} // namespace

void key_ring::update(key_span keys)
{
    std::vector<entry> old;
    old.swap(entries_);
    entries_.reserve(keys.size());
    for (auto const& key : keys)
    {
        auto const is_it = [&](entry const& e) { return same_key(*e.key, *key); };
        if (!key || std::any_of(entries_.begin(), entries_.end(), is_it))
            continue;
        auto const known = std::find_if(old.begin(), old.end(), is_it);
        entry e;
        if (known != old.end())
        {
            e = std::move(*known);
            old.erase(known);
        }
        else
        {
            e.id = ++last_id_;
        }
        if (e.gone)
        {
            // It comes back as one that nothing is known of.
            e.gone = false;
            e.state = condition::good;
            e.failures = 0;
            e.probed = false;
            ++e.epoch;
        }
        e.key = key;
        entries_.push_back(std::move(e));
    }
    if (next_ >= entries_.size())
        next_ = 0;
    for (entry& e : old)
    {
        e.gone = true;
        if (e.in_flight != 0)
            entries_.push_back(std::move(e));
    }
}

bool key_ring::is_free(entry const& e, steady_time now) noexcept
{
    return e.state == condition::good || (e.state != condition::quarantined && now >= e.until);
}

bool key_ring::may_be_probed(entry const& e, steady_time now) noexcept
{
    return e.state == condition::rests || (!e.probed && now >= e.probe_at);
}

std::size_t key_ring::find(key_span refused, steady_time now, secret const* wanted) const noexcept
{
    // The smallest wins: those that are free, by load or by turns; then those that rest on our guess; then those to be
    // probed, which wait in line.
    using rank = std::tuple<int, bool, steady_time, std::size_t, std::size_t>;
    std::size_t best = none_;
    rank best_rank{};
    for (std::size_t i = 0; i < entries_.size(); ++i)
    {
        entry const& e = entries_[i];
        bool const free = is_free(e, now);
        if (e.gone || (!free && !may_be_probed(e, now)) || holds_key(refused, *e.key))
            continue;
        bool const is_wanted = wanted && same_key(*wanted, *e.key);
        bool const rests = e.state == condition::rests;
        auto const comes = rests ? e.until : e.probe_at;
        rank const r{free    ? 0
                     : rests ? 1
                             : 2,
            !is_wanted, free ? steady_time::min() : comes, how_ == key_choice::least_loaded ? e.in_flight : 0,
            i < next_ ? i + entries_.size() : i};
        if (best == none_ || r < best_rank)
        {
            best = i;
            best_rank = r;
        }
    }
    return best;
}

std::optional<key_ring::choice> key_ring::checkout(key_span refused, steady_time now, secret const* wanted)
{
    std::size_t const i = find(refused, now, wanted);
    if (i == none_)
        return std::nullopt;
    entry& e = entries_[i];
    choice c;
    c.key = e.key;
    c.t.id = e.id;
    c.t.epoch = e.epoch;
    c.t.probes = !is_free(e, now) && e.state != condition::rests;
    e.probed = e.probed || c.t.probes;
    ++e.in_flight;
    next_ = i + 1;
    return c;
}

std::vector<key_pointer> key_ring::candidates(key_span refused, steady_time now) const
{
    std::vector<key_pointer> out;
    std::size_t const first = find(refused, now, nullptr);
    if (first == none_)
        return out;
    bool const last_resort = !is_free(entries_[first], now);
    for (std::size_t i = 0; i < entries_.size(); ++i)
    {
        entry const& e = entries_[(first + i) % entries_.size()];
        if (!e.gone && (is_free(e, now) || (last_resort && may_be_probed(e, now))) && !holds_key(refused, *e.key))
            out.push_back(e.key);
    }
    return out;
}

key_ring::shortage key_ring::missing(key_span refused) const noexcept
{
    shortage s{errc::invalid_key, steady_time::max()};
    auto worst = condition::good;
    bool first = true;
    for (entry const& e : entries_)
    {
        if (e.gone)
            continue;
        // The mildest reason counts: it is the one that passes.
        if (first || e.state < worst)
            worst = e.state;
        first = false;
        if (!holds_key(refused, *e.key))
            s.until = std::min(s.until, e.probed ? e.until : std::min(e.until, e.probe_at));
    }
    if (first)
        return s;
    switch (worst)
    {
    case condition::rests:
    case condition::told_to: s.ec = errc::rate_limited; break;
    case condition::exhausted: s.ec = errc::quota_exhausted; break;
    case condition::good:
    case condition::quarantined: s.ec = errc::authentication; break;
    }
    return s;
}

std::string key_ring::explain(key_span refused, steady_time now) const
{
    constexpr std::size_t most_named = 4;

    std::string out;
    std::size_t count = 0;
    for (entry const& e : entries_)
    {
        if (e.gone || ++count > most_named)
            continue;
        out += out.empty() ? "key " : "; key ";
        out += e.key->fingerprint();
        switch (e.state)
        {
        case condition::good: break;
        case condition::rests:
        case condition::told_to: out += " has reached the server's rate limit"; break;
        case condition::exhausted: out += " has used up its account's quota"; break;
        case condition::quarantined: out += " was not accepted by the server"; break;
        }
        if (holds_key(refused, *e.key))
            out += e.state == condition::good ? " was refused to this call" : "";
        else if (e.probed)
            out += " and is being tried again";
        else if (e.state != condition::good)
            out += " and is tried again in " + seconds_text(std::min(e.until, e.probe_at) - now);
    }
    if (count > most_named)
        out += "; and " + std::to_string(count - most_named) + " more";
    return out;
}

key_ring::entry* key_ring::find(ticket const& t) noexcept
{
    auto const at = std::find_if(entries_.begin(), entries_.end(), [&](entry const& e) { return e.id == t.id; });
    return at == entries_.end() ? nullptr : &*at;
}

void key_ring::checkin(ticket const& t) noexcept
{
    entry* const e = find(t);
    if (!e)
        return;
    --e->in_flight;
    if (t.probes && t.epoch == e->epoch)
        e->probed = false;
    if (e->gone && e->in_flight == 0)
        entries_.erase(entries_.begin() + (e - entries_.data()));
}

void key_ring::accepted(ticket const& t) noexcept
{
    entry* const e = find(t);
    if (!e || e->epoch != t.epoch)
        return;
    e->failures = 0;
    if (e->state == condition::good)
        return;
    e->state = condition::good;
    e->probed = false;
    ++e->epoch;
}

void key_ring::turned_away(
    ticket const& t, key_fate fate, std::optional<steady_time::duration> retry_after, steady_time now)
{
    entry* const e = find(t);
    if (!e || fate == key_fate::keep)
        return;
    auto const told = std::clamp(retry_after.value_or(key_time::zero()), key_time::zero(), most_told);
    auto state = condition::quarantined;
    if (fate == key_fate::rest)
        state = told == key_time::zero() ? condition::rests : condition::told_to;
    else if (fate == key_fate::rest_long)
        state = condition::exhausted;

    // An attempt that began before the last change only counts if it makes things worse.
    bool const old = e->epoch != t.epoch;
    if (old && (e->state == condition::good || state < e->state))
        return;
    if (old && state == e->state)
    {
        if (state == condition::told_to)
            e->until = std::max(e->until, now + told);
        return;
    }
    bool const same_kind = state == e->state || (state == condition::rests && e->state == condition::told_to) ||
                           (state == condition::told_to && e->state == condition::rests);
    e->failures = same_kind ? e->failures + (old ? 0 : 1) : 1;
    e->state = state;
    e->probed = false;
    ++e->epoch;
    e->probe_at = now + length_of(probe_pause, e->failures);
    switch (state)
    {
    case condition::good: break;
    case condition::rests:
        e->until = now + length_of(rest_pause, e->failures);
        e->probe_at = now;
        break;
    case condition::told_to:
        e->until = now + told;
        e->probe_at = std::min(e->until, now + probe_pause.most);
        break;
    case condition::exhausted: e->until = now + std::max(length_of(exhausted_pause, e->failures), told); break;
    case condition::quarantined: e->until = steady_time::max(); break;
    }
}

void key_ring::pardon() noexcept
{
    for (entry& e : entries_)
        if (e.state == condition::quarantined || e.state == condition::exhausted)
        {
            e.state = condition::good;
            e.failures = 0;
            e.probed = false;
            ++e.epoch;
        }
}

void key_ring::append_live(std::vector<key_pointer>& out) const
{
    for (entry const& e : entries_)
        out.push_back(e.key);
}

std::vector<key_health> key_ring::states(steady_time now) const
{
    std::vector<key_health> out;
    for (entry const& e : entries_)
    {
        if (e.gone)
            continue;
        key_health h;
        h.fingerprint = e.key->fingerprint();
        h.in_flight = e.in_flight;
        h.failures = e.failures;
        if (e.state == condition::quarantined)
            h.state = key_state::quarantined;
        else if (!is_free(e, now))
            h.state = key_state::resting;
        if (h.state == key_state::resting)
            h.usable_in = std::chrono::ceil<std::chrono::milliseconds>(e.until - now);
        else if (h.state == key_state::quarantined)
            h.usable_in = std::chrono::ceil<std::chrono::milliseconds>(std::max(e.probe_at - now, key_time::zero()));
        out.push_back(std::move(h));
    }
    return out;
}

} // namespace serin
