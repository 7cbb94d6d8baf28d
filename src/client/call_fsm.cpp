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

call_fsm::step call_fsm_finish(std::size_t target, give_up why) noexcept
{
    return {call_fsm::action::finish, target, {}, why};
}

} // namespace

call_fsm::step call_fsm::start(
    retry_budgets const& budgets, steady_time now, std::uint64_t random, std::span<route_facts const> facts) noexcept
{
    if (routes_->size() > 1)
    {
        auto picked = routes_->pick(facts, key_, random);
        // With nobody who can answer, somebody is asked all the same: his refusal says more than ours.
        if (!picked && !facts.empty())
            picked = routes_->pick({}, key_, random);
        first_ = picked.value_or(0);
    }
    attempts_ = 1;
    budgets.targets[first_]->deposit(now);
    budgets.client->deposit(now);
    return {action::attempt, first_};
}

call_fsm::step call_fsm::attempt_failed(std::size_t target, call_failure const& failure, retry_budgets const& budgets,
    steady_time now, steady_time deadline, std::uint64_t random, std::span<route_facts const> facts)
{
    verdict const v = note(target, failure, now);
    bool const another_key = failure.another_key && v.key != key_fate::keep;
    if (!v.same && !v.other && !another_key)
        return call_fsm_finish(target, give_up::not_retryable);

    bool const may_ask_again = std::ranges::any_of(records_, &record::again);
    auto untried = v.other ? pick_untried(random, facts) : std::nullopt;
    // Better one that is believed to be down than nobody.
    if (!untried && v.other && !another_key && !may_ask_again && !facts.empty())
        untried = pick_untried(random, {});
    if (!untried && !another_key && !may_ask_again)
        return call_fsm_finish(target, give_up::not_retryable);
    if (!attempts_left())
        return call_fsm_finish(target, give_up::attempts);
    if (now >= deadline)
        return call_fsm_finish(target, give_up::deadline);

    // The upstream is well, it is the key that is not.
    if (another_key && budgets.targets[target]->withdraw(now))
        return attempt(target, {});

    // The first change of the upstream is free: at worst, with all of them down, each gets twice its share.
    if (untried && (failovers_ == 0 || budgets.client->withdraw(now)))
    {
        ++failovers_;
        return attempt(*untried, {});
    }
    return ask_again(target, untried || another_key, budgets, now, deadline, random, facts);
}

void call_fsm::failed_beside(std::size_t target, call_failure const& failure, steady_time now)
{
    note(target, failure, now);
}

verdict call_fsm::note(std::size_t target, call_failure const& failure, steady_time now)
{
    make_records();
    verdict const v = judge(failure.ec, failure.should_retry, failure.model_configured);
    auto const rest = call_fsm_duration(failure.retry_after.value_or(std::chrono::milliseconds(0)));
    record& failed = records_[target];
    failed.again = v.same;
    failed.not_before = add_saturated(now, rest);
    failed.too_long = rest > params_->max_retry_after;
    return v;
}

std::optional<std::size_t> call_fsm::hedge(
    retry_budgets const& budgets, steady_time now, std::uint64_t random, std::span<route_facts const> facts)
{
    if (!attempts_left())
        return std::nullopt;
    make_records();
    auto const untried = pick_untried(random, facts);
    if (untried && budgets.client->withdraw(now))
        return attempt(*untried, {}).target;
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
    records_.resize(routes_->size());
    records_[first_].attempts = 1;
}

// Nothing if all were tried that may be.
std::optional<std::size_t> call_fsm::pick_untried(std::uint64_t random, std::span<route_facts const> facts) const
{
    std::vector<route_facts> known(facts.begin(), facts.end());
    known.resize(routes_->size());
    for (std::size_t i = 0; i < records_.size(); ++i)
        known[i].tried = records_[i].attempts != 0;
    return routes_->pick(known, key_, random);
}

call_fsm::step call_fsm::attempt(std::size_t target, steady_time::duration delay) noexcept
{
    ++attempts_;
    ++records_[target].attempts;
    records_[target].again = false;
    return {action::attempt, target, delay};
}

// After a delay, the target that may be asked first. `unpaid`: there was something to do at once, had there been a
// budget for it.
call_fsm::step call_fsm::ask_again(std::size_t failed, bool unpaid, retry_budgets const& budgets, steady_time now,
    steady_time deadline, std::uint64_t random, std::span<route_facts const> facts)
{
    bool too_long = false;
    std::optional<std::size_t> best;
    auto const rank = [&](std::size_t i) {
        record const& r = records_[i];
        bool const is_out = !facts.empty() && !facts[i].available;
        return std::tuple(is_out, std::max(r.not_before, now), r.attempts, ~routes_->weight(i), i);
    };
    for (std::size_t i = 0; i < records_.size(); ++i)
    {
        if (!records_[i].again)
            continue;
        if (records_[i].too_long)
            too_long = true;
        else if (budgets.targets[i]->balance(now) < 1)
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
    budgets.targets[*best]->withdraw(now);
    ++rounds_;
    return attempt(*best, delay);
}

} // namespace serin
