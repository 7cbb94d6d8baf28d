// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "gate_check.hpp"

#include "binomial.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <utility>

namespace serin {
namespace {

using gate_duration = std::chrono::steady_clock::duration;

// What must be known for one of a hundred to be among them.
constexpr std::uint64_t gate_p99_sample = 100;

// The comparisons that share alpha: three figures with the gate and with the others.
constexpr double gate_comparisons = 6;

std::string gate_percent(double share)
{
    return fixed_point(share * 100, 2) + " %";
}

std::string gate_ms(gate_duration d)
{
    double const ms = std::chrono::duration<double, std::milli>(d).count();
    return fixed_point(ms, ms < 10 ? 2 : 0) + " ms";
}

// Requests of a kind among all.
struct gate_share
{
    std::uint64_t part;
    std::uint64_t all;

    double value() const noexcept { return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all); }

    std::string text() const
    {
        return gate_percent(value()) + " (" + std::to_string(part) + " of " + std::to_string(all) + ")";
    }
};

class gate_checker
{
public:
    gate_checker(rollout_gates const& gates, outcome_figures const& candidate, outcome_figures const& others,
        double alpha) noexcept
        : gates_(gates),
          candidate_(candidate),
          others_(others),
          alpha_(alpha / gate_comparisons),
          compare_(std::isfinite(gates.times_others) && candidate.counted() >= gates.min_requests &&
                   others.counted() >= gates.min_requests),
          times_(std::max(gates.times_others, 1.0))
    {}

    gate_result run() &&
    {
        // In the order of how much they say to a reader.
        if (gates_.error_rate)
            check_error_rate(*gates_.error_rate);
        if (gates_.success_rate)
            check_success_rate(*gates_.success_rate);
        if (gates_.p99)
            check_p99(*gates_.p99);
        return std::move(result_);
    }

private:
    void find(gate_finding f, std::string why)
    {
        if (f > result_.finding)
            result_ = {f, std::move(why)};
        else if (f == result_.finding && f == gate_finding::pass)
            result_.why += (result_.why.empty() ? "" : ", ") + why;
    }

    std::string than_others() const
    {
        return times_ > 1 ? " is more than " + fixed_point(times_, 2) + " times that of the others, "
                          : " is worse than that of the others, ";
    }

    void check_error_rate(double gate)
    {
        // Without those that were refused for being too many, which say nothing about errors.
        gate_share const mine{candidate_.failures, candidate_.failures + candidate_.successes};
        gate_share const theirs{others_.failures, others_.failures + others_.successes};
        std::string const is = "error rate " + mine.text();
        std::string const over = is + " is over the gate of " + gate_percent(gate);
        if (is_over(mine, gate))
            find(gate_finding::breach, over);
        else if (is_worse(mine, theirs))
            find(gate_finding::breach, is + than_others() + theirs.text());
        else if (mine.value() > gate)
            find(gate_finding::undecided, over + ", which may be chance");
        else
            find(gate_finding::pass, is);
    }

    void check_success_rate(double gate)
    {
        gate_share const mine{candidate_.successes, candidate_.counted()};
        gate_share const theirs{others_.successes, others_.counted()};
        std::string is = "success rate " + mine.text();
        if (candidate_.limited > 0)
            is += ", with " + std::to_string(candidate_.limited) + " refused by a rate limit,";
        std::string const under = is + " is under the gate of " + gate_percent(gate);
        gate_share const my_rest{mine.all - mine.part, mine.all};
        gate_share const their_rest{theirs.all - theirs.part, theirs.all};
        if (is_over(my_rest, 1 - gate))
            find(gate_finding::breach, under);
        else if (is_worse(my_rest, their_rest))
            find(gate_finding::breach, is + " is too far under that of the others, " + theirs.text());
        else if (mine.all > 0 && mine.value() < gate)
            find(gate_finding::undecided, under + ", which may be chance");
        else
            find(gate_finding::pass, is);
    }

    // Here and below what is not even over in the sample costs no sum.
    bool is_over(gate_share const& mine, double gate) const noexcept
    {
        return mine.value() > gate && binomial_upper_tail(mine.part, mine.all, gate) <= alpha_;
    }

    bool is_worse(gate_share const& mine, gate_share const& theirs) const noexcept
    {
        return compare_ && mine.value() > theirs.value() &&
               fisher_upper_tail(mine.part, mine.all, theirs.part, theirs.all, times_) <= alpha_;
    }

    void check_p99(gate_duration gate)
    {
        std::string const what =
            gates_.p99_of == rollout_latency::call ? "p99 of the duration of calls" : "p99 of the time to first token";
        auto const count = candidate_.took.count();
        std::string const of = " (of " + std::to_string(count) + ")";
        if (count == 0)
            return find(gate_finding::undecided, what + ": nothing is known");
        auto const p99 = *candidate_.took.quantile(0.99);
        std::string const is = what + " " + gate_ms(p99) + of;
        std::string const over = is + " is over the gate of " + gate_ms(gate);
        if (p99 > gate && candidate_.took.quantile_low(0.99, alpha_) > gate)
            find(gate_finding::breach, over);
        else if (p99_is_worse(p99))
            find(gate_finding::breach, is + than_others() + gate_ms(*others_.took.quantile(0.99)) + " (of " +
                                           std::to_string(others_.took.count()) + ")");
        else if (count < gate_p99_sample)
            find(gate_finding::undecided, is + ": too few to tell");
        else if (p99 > gate)
            find(gate_finding::undecided, over + ", which may be chance");
        else
            find(gate_finding::pass, is);
    }

    bool p99_is_worse(gate_duration p99) const noexcept
    {
        if (!compare_ || p99 <= others_.took.quantile(0.99))
            return false;
        auto const low = candidate_.took.quantile_low(0.99, alpha_ / 2);
        auto const high = others_.took.quantile_high(0.99, alpha_ / 2);
        return low && high && static_cast<double>(low->count()) > times_ * static_cast<double>(high->count());
    }

    rollout_gates const& gates_;
    outcome_figures const& candidate_;
    outcome_figures const& others_;
    double alpha_;
    bool compare_;
    double times_;
    gate_result result_{gate_finding::pass, {}};
};

} // namespace

std::string fixed_point(double value, int digits)
{
    char text[64];
    auto const end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, digits);
    return end.ec == std::errc() ? std::string(text, end.ptr) : "?";
}

gate_result check_gates(
    rollout_gates const& gates, outcome_figures const& candidate, outcome_figures const& others, double alpha)
{
    return gate_checker(gates, candidate, others, alpha).run();
}

} // namespace serin
