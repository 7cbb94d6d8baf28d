// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "circuit.hpp"

#include "stable_hash.hpp"

#include <algorithm>
#include <chrono>

namespace serin {
namespace {

// Longer times are of no use, and sums with them could overflow.
constexpr steady_time::duration circuit_longest = std::chrono::hours(24);

steady_time::duration circuit_time(steady_time::duration d, steady_time::duration least) noexcept
{
    return std::clamp(d, least, circuit_longest);
}

double circuit_share(double share) noexcept
{
    return share > 0 ? std::min(share, 1.0) : 0;
}

// That of the n-th ejection in a row, from 1 on, less up to a share of `jitter`.
steady_time::duration circuit_ejection(health_params const& params, int n, std::uint64_t random) noexcept
{
    auto d = std::min(params.ejection, params.max_ejection);
    for (; n > 1 && d < params.max_ejection; --n)
        d = std::min(d * 2, params.max_ejection);
    double const part = 1 - params.jitter * unit_interval(random);
    return steady_time::duration(static_cast<steady_time::rep>(static_cast<double>(d.count()) * part));
}

} // namespace

circuit::circuit(health_params const& params) noexcept : params_(params)
{
    using std::chrono::milliseconds;
    params_.window = circuit_time(params.window, milliseconds(10));
    params_.ejection = circuit_time(params.ejection, milliseconds(1));
    params_.max_ejection = circuit_time(params.max_ejection, params_.ejection);
    params_.jitter = circuit_share(params.jitter);
    slice_length_ = params_.window / slices_;
}

circuit::state circuit::at(steady_time now) const noexcept
{
    if (!is_open_)
        return state::closed;
    return now < until_ ? state::open : state::half_open;
}

bool circuit::allows(steady_time now) const noexcept
{
    switch (at(now))
    {
    case state::closed: return true;
    case state::open: return false;
    case state::half_open: return probing_ == 0 || now >= probe_until_;
    }
    return true;
}

circuit::ticket circuit::begin(steady_time now) noexcept
{
    ticket t{generation_, 0};
    if (at(now) == state::half_open && allows(now))
    {
        t.probe = probing_ = ++probes_;
        // It may get a long answer, or none.
        probe_until_ = add_saturated(now, ejection_);
    }
    return t;
}

bool circuit::end(ticket const& t, outcome what, steady_time now, std::uint64_t random) noexcept
{
    if (t.generation != generation_)
        return false;
    if (t.probe != 0 && t.probe == probing_)
        probing_ = 0;
    if (what == outcome::neutral || what == outcome::limited)
        return false;

    bool const success = what == outcome::success;
    book(success, now);
    in_a_row_ = success ? 0 : std::min(in_a_row_ + 1, std::numeric_limits<int>::max() - 1);
    if (is_open_ && success)
        close(now);
    else if (is_open_ && t.probe != 0)
        open(now, random);
    else if (!is_open_ && is_bad())
    {
        open(now, random);
        return true;
    }
    return false;
}

bool circuit::is_bad() const noexcept
{
    if (params_.consecutive_failures > 0 && in_a_row_ >= params_.consecutive_failures)
        return true;
    // A rate of zero must not eject those that never fail.
    return sum_.failures > 0 && sum_.successes + sum_.failures >= params_.min_requests &&
           failure_rate() >= params_.failure_rate;
}

double circuit::failure_rate() const noexcept
{
    auto const all = sum_.successes + sum_.failures;
    return all == 0 ? 0 : static_cast<double>(sum_.failures) / static_cast<double>(all);
}

// Times add up while the upstream does not stay well for as long as the longest ejection.
void circuit::open(steady_time now, std::uint64_t random) noexcept
{
    bool const again = is_open_ || (ejections_ > 0 && now < add_saturated(closed_at_, params_.max_ejection));
    ejections_ = again ? std::min(ejections_ + 1, 64) : 1;
    ejection_ = circuit_ejection(params_, ejections_, random);
    until_ = add_saturated(now, ejection_);
    is_open_ = true;
    probing_ = 0;
    ++generation_;
}

void circuit::close(steady_time now) noexcept
{
    is_open_ = false;
    probing_ = 0;
    closed_at_ = now;
    forget();
    ++generation_;
}

void circuit::book(bool success, steady_time now) noexcept
{
    std::int64_t const current = now.time_since_epoch() / slice_length_;
    if (current > latest_)
    {
        for (std::int64_t n = std::max(latest_, current - slices_); n < current; ++n)
        {
            slice& oldest = booked_[static_cast<std::size_t>(((n + 1) % slices_ + slices_) % slices_)];
            sum_.successes -= oldest.successes;
            sum_.failures -= oldest.failures;
            oldest = {};
        }
        latest_ = current;
    }
    constexpr double weight_of_last = 0.15; // Old requests are forgotten after about twenty.
    failing_ += weight_of_last * ((success ? 0 : 1) - failing_);
    slice& s = booked_[static_cast<std::size_t>((latest_ % slices_ + slices_) % slices_)];
    ++(success ? s.successes : s.failures);
    ++(success ? sum_.successes : sum_.failures);
}

void circuit::forget() noexcept
{
    booked_.fill({});
    sum_ = {};
}

void group_guard(std::span<group_entry> group) noexcept
{
    auto out = static_cast<std::size_t>(std::ranges::count(group, true, &group_entry::out));
    for (; out > group.size() / 2; --out)
    {
        group_entry* least = nullptr;
        for (group_entry& m : group)
            if (m.out && (!least || m.bad < least->bad))
                least = &m;
        least->out = false;
    }
}

} // namespace serin
