// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "call_fsm.hpp"

#include "../policy/backoff.hpp"

#include <algorithm>
#include <tuple>

namespace serin {
namespace {

// The conversion to the clock's unit may overflow.
steady_time::duration call_fsm_duration(std::chrono::milliseconds ms) noexcept
{
    using std::chrono::milliseconds;
    return std::clamp(ms, milliseconds(0), std::chrono::floor<milliseconds>(steady_time::duration::max()));
}

call_fsm::step call_fsm_finish(std::size_t upstream, give_up why) noexcept
{
    return {call_fsm::action::finish, upstream, {}, why};
}

} // namespace

call_fsm::step call_fsm::start(retry_budgets& budgets, steady_time now, std::uint64_t random) noexcept
{
    if (weights_.size() > 1)
        first_ = pick_untried(random).value_or(0);
    attempts_ = 1;
    budgets.upstreams[first_].deposit(now);
    budgets.client.deposit(now);
    return {action::attempt, first_};
}

call_fsm::step call_fsm::attempt_failed(std::size_t upstream, call_failure const& failure, retry_budgets& budgets,
    steady_time now, steady_time deadline, std::uint64_t random)
{
    verdict const v = note(upstream, failure, now);
    bool const another_key = failure.another_key && v.key != key_fate::keep;
    if (!v.same && !v.other && !another_key)
        return call_fsm_finish(upstream, give_up::not_retryable);

    auto const untried = v.other ? pick_untried(random) : std::nullopt;
    if (!untried && !another_key && std::ranges::none_of(records_, &record::again))
        return call_fsm_finish(upstream, give_up::not_retryable);
    if (!attempts_left())
        return call_fsm_finish(upstream, give_up::attempts);
    if (now >= deadline)
        return call_fsm_finish(upstream, give_up::deadline);

    // The upstream is well, it is the key that is not.
    if (another_key && budgets.upstreams[upstream].withdraw(now))
        return attempt(upstream, {});

    // The first change of the upstream is free: at worst, with all of them down, each gets twice its share.
    if (untried && (failovers_ == 0 || budgets.client.withdraw(now)))
    {
        ++failovers_;
        return attempt(*untried, {});
    }
    return ask_again(upstream, untried || another_key, budgets, now, deadline, random);
}

void call_fsm::failed_beside(std::size_t upstream, call_failure const& failure, steady_time now)
{
    note(upstream, failure, now);
}

verdict call_fsm::note(std::size_t upstream, call_failure const& failure, steady_time now)
{
    make_records();
    verdict const v = judge(failure.ec, failure.should_retry, failure.model_configured);
    auto const rest = call_fsm_duration(failure.retry_after.value_or(std::chrono::milliseconds(0)));
    record& failed = records_[upstream];
    failed.again = v.same;
    failed.not_before = add_saturated(now, rest);
    failed.too_long = rest > params_->max_retry_after;
    return v;
}

std::optional<std::size_t> call_fsm::hedge(retry_budgets& budgets, steady_time now, std::uint64_t random)
{
    if (!attempts_left())
        return std::nullopt;
    make_records();
    auto const untried = pick_untried(random);
    if (untried && budgets.client.withdraw(now))
        return attempt(*untried, {}).upstream;
    return std::nullopt;
}

bool call_fsm::attempts_left() const noexcept
{
    return attempts_ < static_cast<std::size_t>(std::max(params_->max_attempts, 1));
}

void call_fsm::make_records()
{
    if (!records_.empty())
        return;
    records_.resize(weights_.size());
    records_[first_].attempts = 1;
}

// By weight. Nothing if all were tried that may be.
std::optional<std::size_t> call_fsm::pick_untried(std::uint64_t random) const noexcept
{
    auto const weight = [&](std::size_t i) -> std::uint64_t {
        return records_.empty() || records_[i].attempts == 0 ? weights_[i] : 0;
    };
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < weights_.size(); ++i)
        total += weight(i);
    if (total == 0)
        return std::nullopt;
    std::uint64_t at = random % total;
    std::size_t i = 0;
    for (; at >= weight(i); ++i)
        at -= weight(i);
    return i;
}

call_fsm::step call_fsm::attempt(std::size_t upstream, steady_time::duration delay) noexcept
{
    ++attempts_;
    ++records_[upstream].attempts;
    records_[upstream].again = false;
    return {action::attempt, upstream, delay};
}

// After a delay, the upstream that may be asked first. `unpaid`: there was something to do at once, had there been a
// budget for it.
call_fsm::step call_fsm::ask_again(std::size_t failed, bool unpaid, retry_budgets& budgets, steady_time now,
    steady_time deadline, std::uint64_t random)
{
    bool too_long = false;
    std::optional<std::size_t> best;
    auto const rank = [&](std::size_t i) {
        record const& r = records_[i];
        return std::tuple(std::max(r.not_before, now), r.attempts, ~weights_[i], i);
    };
    for (std::size_t i = 0; i < records_.size(); ++i)
    {
        if (!records_[i].again)
            continue;
        if (records_[i].too_long)
            too_long = true;
        else if (budgets.upstreams[i].balance(now) < 1)
            unpaid = true;
        else if (!best || rank(i) < rank(*best))
            best = i;
    }
    if (!best)
        return call_fsm_finish(failed, unpaid     ? give_up::budget
                                       : too_long ? give_up::retry_after
                                                  : give_up::not_retryable);

    auto const rest = std::max(records_[*best].not_before, now) - now;
    auto const delay = delay_before_retry(*params_, rounds_, rest, random);
    if (add_saturated(now, delay) >= deadline)
        return call_fsm_finish(failed, give_up::deadline);
    budgets.upstreams[*best].withdraw(now);
    ++rounds_;
    return attempt(*best, delay);
}

} // namespace serin
