// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "rate_limiter.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

namespace serin {
namespace {

using rate_clock_duration = steady_time::duration;

constexpr double rate_minute = 60e9; // In nanoseconds, as all times below

// How long the server's word and a debt may hold up everything: neither an error of the server nor one absurd count of
// tokens must stop a client for good.
constexpr std::chrono::minutes rate_longest_pause(10);
constexpr double rate_longest_debt = 10; // In minutes of the limit

// Absorbs what sums of fractions are off by.
constexpr double rate_rounding = 1e-6;

double rate_nanoseconds(rate_clock_duration d) noexcept
{
    return static_cast<double>(std::chrono::duration_cast<std::chrono::nanoseconds>(d).count());
}

// Rounded up: what is due then must be there then.
std::optional<rate_clock_duration> rate_duration(double ns) noexcept
{
    constexpr double longest = 366.0 * 24 * 60 * rate_minute;
    // NaN fails the comparison, as it should.
    if (!(ns >= 0 && ns <= longest))
        return std::nullopt;
    return std::chrono::duration_cast<rate_clock_duration>(
        std::chrono::nanoseconds(static_cast<std::int64_t>(std::ceil(ns))));
}

std::string_view rate_trimmed(std::string_view s) noexcept
{
    while (!s.empty() && (s.front() == ' ' || s.front() == '\t'))
        s.remove_prefix(1);
    while (!s.empty() && (s.back() == ' ' || s.back() == '\t'))
        s.remove_suffix(1);
    return s;
}

// Takes a number without sign or exponent off the front.
std::optional<double> rate_take_number(std::string_view& text) noexcept
{
    if (text.empty() || text.front() < '0' || text.front() > '9') // "inf" and "nan" are numbers to from_chars
        return std::nullopt;
    double value = 0;
    auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (ec != std::errc())
        return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

struct rate_unit
{
    std::string_view name;
    double nanoseconds;
};

// Takes a unit of time off the front. "ms" before "m".
std::optional<double> rate_take_unit(std::string_view& text) noexcept
{
    static constexpr rate_unit units[] = {{"ns", 1}, {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"\xce\xbcs", 1e3}, {"ms", 1e6},
        {"s", 1e9}, {"m", rate_minute}, {"h", 60 * rate_minute}, {"d", 24 * 60 * rate_minute}};
    for (auto const& unit : units)
        if (text.starts_with(unit.name))
        {
            text.remove_prefix(unit.name.size());
            return unit.nanoseconds;
        }
    return std::nullopt;
}

double rate_or_none(double per_minute) noexcept
{
    return per_minute > 0 && std::isfinite(per_minute) ? per_minute : 0;
}

} // namespace

std::optional<double> read_limit_number(std::string_view text) noexcept
{
    text = rate_trimmed(text);
    auto const value = rate_take_number(text);
    return text.empty() ? value : std::nullopt;
}

std::optional<steady_time::duration> read_limit_duration(std::string_view text) noexcept
{
    text = rate_trimmed(text);
    double sum = 0;
    do
    {
        auto const value = rate_take_number(text);
        if (!value)
            return std::nullopt;
        if (text.empty() && sum == 0)
            return rate_duration(*value * 1e9);
        auto const unit = rate_take_unit(text);
        if (!unit)
            return std::nullopt;
        sum += *value * *unit;
    }
    while (!text.empty());
    return rate_duration(sum);
}

server_limit read_server_limit(std::string_view limit, std::string_view remaining, std::string_view reset) noexcept
{
    server_limit out;
    out.limit = read_limit_number(limit);
    if (out.limit && *out.limit < 1) // Nobody has such a limit; 0 stands for "none" here and there
        out.limit.reset();
    out.remaining = read_limit_number(remaining);
    out.reset = read_limit_duration(reset);
    return out;
}

// ---------------------------------------------------------------------------------------------------------

rate_bucket::rate_bucket(double per_minute, steady_time now) noexcept
    : configured_(rate_or_none(per_minute)),
      per_minute_(configured_),
      level_(capacity()),
      time_(now)
{}

double rate_bucket::capacity() const noexcept
{
    return is_limited() ? std::max(1.0, per_minute_ / 60) : 0;
}

void rate_bucket::refill(steady_time now) noexcept
{
    if (now <= time_)
        return;
    level_ += rate_nanoseconds(now - time_) / rate_minute * per_minute_;
    time_ = now;
    keep_in_bounds();
}

double rate_bucket::needed_for(double amount) const noexcept
{
    return std::min(amount, capacity());
}

bool rate_bucket::holds(double amount) const noexcept
{
    return !is_limited() || level_ + rate_rounding >= needed_for(amount);
}

steady_time rate_bucket::when(double amount, double extra) const noexcept
{
    double const missing = amount - std::min(level_ + extra, capacity());
    if (!is_limited() || missing <= rate_rounding)
        return steady_time::min();
    auto const wait = rate_duration(missing / per_minute_ * rate_minute);
    return wait ? add_saturated(time_, *wait) : steady_time::max();
}

void rate_bucket::take(double amount) noexcept
{
    if (!is_limited())
        return;
    level_ -= amount;
    taken_ += amount;
    keep_in_bounds();
}

void rate_bucket::learn(server_limit const& said, double taken_then, steady_time::duration elapsed) noexcept
{
    if (!is_limited())
        return;
    if (said.limit)
        per_minute_ = std::min(configured_, *said.limit);
    if (said.remaining)
    {
        // The server may not have seen what was sent after the request that it answers. But as much as has come in
        // since then has come in at the server too.
        double const sent_since = taken_ - taken_then;
        double const came_in = rate_nanoseconds(elapsed) / rate_minute * per_minute_;
        level_ = std::min(level_, *said.remaining - std::max(0.0, sent_since - came_in));
    }
    keep_in_bounds();
}

double rate_bucket::bounded(double amount) const noexcept
{
    return is_limited() ? std::min(amount, rate_longest_debt * configured_) : 0;
}

void rate_bucket::keep_in_bounds() noexcept
{
    level_ = std::clamp(level_, -rate_longest_debt * per_minute_, capacity());
}

// ---------------------------------------------------------------------------------------------------------

rate_limiter::rate_limiter(rate_limit_params const& params, steady_time now) noexcept
    : max_running_(params.max_concurrent == 0 ? std::numeric_limits<std::size_t>::max() : params.max_concurrent),
      requests_(params.requests_per_minute, now),
      tokens_(params.tokens_per_minute, now)
{}

void rate_limiter::refill(steady_time now) noexcept
{
    requests_.refill(now);
    tokens_.refill(now);
}

bool rate_limiter::has_room(double tokens, steady_time now) noexcept
{
    refill(now);
    return running_ < max_running_ && now >= cool_until_ && requests_.holds(1) && tokens_.holds(tokens);
}

rate_limiter::reservation rate_limiter::admit(double tokens, steady_time now) noexcept
{
    reservation r;
    r.tokens = tokens_.bounded(tokens);
    r.at = now;
    requests_.take(1);
    tokens_.take(r.tokens);
    r.requests_taken = requests_.taken();
    r.tokens_taken = tokens_.taken();
    estimated_ += r.tokens;
    ++running_;
    return r;
}

std::optional<rate_limiter::reservation> rate_limiter::reserve(double tokens, steady_time now) noexcept
{
    if (!would_admit(tokens, now))
        return std::nullopt;
    return admit(tokens, now);
}

steady_time rate_limiter::expected(double tokens, steady_time now) noexcept
{
    refill(now);
    auto const requests_at = requests_.when(static_cast<double>(queue_.size()) + 1);
    auto const tokens_at = tokens_.when(queued_tokens_ + tokens_.needed_for(tokens));
    return std::max({now, cool_until_, requests_at, tokens_at});
}

steady_time rate_limiter::earliest_after(std::size_t ahead, double tokens, steady_time now) noexcept
{
    refill(now);
    auto const requests_at = requests_.when(static_cast<double>(ahead) + 1);
    auto const tokens_at = tokens_.when(tokens_.needed_for(tokens), estimated_);
    return std::max({now, cool_until_, requests_at, tokens_at});
}

steady_time rate_limiter::earliest(double tokens, steady_time now) noexcept
{
    return earliest_after(queue_.size(), tokens, now);
}

steady_time rate_limiter::earliest_of(waiter_id id, steady_time now) noexcept
{
    auto const at = queue_.find(id);
    return at == queue_.end() ? now : earliest_after(0, at->second, now);
}

rate_limiter::waiter_id rate_limiter::enqueue(double tokens)
{
    queue_.emplace_hint(queue_.end(), ++last_id_, tokens);
    queued_tokens_ += tokens_.bounded(tokens);
    return last_id_;
}

void rate_limiter::abandon(waiter_id id) noexcept
{
    auto const at = queue_.find(id);
    if (at == queue_.end())
        return;
    queued_tokens_ -= tokens_.bounded(at->second);
    queue_.erase(at);
}

std::optional<rate_limiter::grant> rate_limiter::serve(steady_time now) noexcept
{
    if (queue_.empty())
        return std::nullopt;
    auto const first = queue_.begin();
    auto const [id, tokens] = *first;
    if (!has_room(tokens, now))
        return std::nullopt;
    abandon(id);
    grant g;
    g.waiter = id;
    g.what = admit(tokens, now);
    return g;
}

steady_time rate_limiter::next(steady_time now) noexcept
{
    if (queue_.empty() || running_ >= max_running_)
        return steady_time::max();
    refill(now);
    auto const tokens_at = tokens_.when(tokens_.needed_for(queue_.begin()->second));
    return std::max({now, cool_until_, requests_.when(1), tokens_at});
}

void rate_limiter::reconcile(reservation& r, double actual_tokens, steady_time now) noexcept
{
    refill(now);
    double const actual = tokens_.bounded(actual_tokens);
    if (r.is_estimate)
        estimated_ -= r.tokens;
    r.is_estimate = false;
    tokens_.take(actual - r.tokens);
    r.tokens = actual;
}

void rate_limiter::give_back(reservation& r, steady_time now) noexcept
{
    reconcile(r, 0, now);
    requests_.take(-1);
}

void rate_limiter::release(reservation const& r) noexcept
{
    --running_;
    if (r.is_estimate)
        estimated_ -= r.tokens;
    if (running_ == 0)
        estimated_ = 0; // What sums of fractions are off by
}

void rate_limiter::learn(server_limits const& said, reservation const& answered, steady_time now) noexcept
{
    refill(now);
    auto const elapsed = std::max(now - answered.at, steady_time::duration::zero());
    requests_.learn(said.requests, answered.requests_taken, elapsed);
    tokens_.learn(said.tokens, answered.tokens_taken, elapsed);
    for (server_limit const* one : {&said.requests, &said.tokens})
        if (one->remaining && *one->remaining < 1 && one->reset && *one->reset > one->reset->zero())
            cool(add_saturated(now, *one->reset), now);
}

void rate_limiter::cool(steady_time until, steady_time now) noexcept
{
    cool_until_ = std::max(cool_until_, std::min(until, now + rate_longest_pause));
}

} // namespace serin
