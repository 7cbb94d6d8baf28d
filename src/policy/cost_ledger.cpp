// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "cost_ledger.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <tuple>
#include <utility>

namespace serin {
namespace {

constexpr std::string_view other_accounts = "other";

std::size_t hash_account(
    std::string_view upstream, std::string_view model, std::string_view key, std::string_view tag) noexcept
{
    std::size_t h = 0;
    for (std::string_view const part : {upstream, model, key, tag})
        h = (h ^ std::hash<std::string_view>()(part)) * 0x9e3779b97f4a7c15u;
    return h;
}

} // namespace

std::string describe_budget(budget_params const& b)
{
    return "the budget \"" + b.name + "\" of $" + to_dollars(b.daily) + " a day is used up";
}

std::size_t cost_ledger::key_hash::operator()(key const& k) const noexcept
{
    return hash_account(k.upstream, k.model, k.key, k.tag);
}

std::size_t cost_ledger::key_hash::operator()(cost_account const& a) const noexcept
{
    return hash_account(a.upstream, a.model, a.key, a.tag);
}

bool cost_ledger::key_equal::operator()(key const& a, key const& b) const noexcept
{
    return a.upstream == b.upstream && a.model == b.model && a.key == b.key && a.tag == b.tag;
}

bool cost_ledger::key_equal::operator()(cost_account const& a, key const& b) const noexcept
{
    return a.upstream == b.upstream && a.model == b.model && a.key == b.key && a.tag == b.tag;
}

bool cost_ledger::budget::counts(cost_account const& a) const noexcept
{
    return (params.upstream.empty() || params.upstream == a.upstream) &&
           (params.model.empty() || params.model == a.asked_model) && (params.tag.empty() || params.tag == a.tag);
}

void cost_ledger::set_budgets(std::vector<budget_params> budgets)
{
    std::vector<budget> fresh;
    fresh.reserve(budgets.size());
    for (budget_params& p : budgets)
    {
        budget b;
        for (budget const& known : budgets_)
            if (known.params.name == p.name)
                b = known;
        b.warned = b.warned && b.params.daily == p.daily;
        b.params = std::move(p);
        b.used_up = b.spent >= b.params.daily;
        fresh.push_back(std::move(b));
    }
    budgets_ = std::move(fresh);
}

void cost_ledger::begin_day(date now) noexcept
{
    auto const day = std::chrono::floor<std::chrono::days>(now).time_since_epoch().count();
    // A clock that is set back does not give anybody his money back.
    if (day <= day_)
        return;
    day_ = day;
    for (budget& b : budgets_)
    {
        b.spent = 0;
        b.warned = b.used_up = false;
    }
}

budget_params const* cost_ledger::forbids(cost_account const& to, date now) noexcept
{
    begin_day(now);
    for (budget const& b : budgets_)
        if (b.used_up && b.params.when_over == over_budget::refuse && b.counts(to))
            return &b.params;
    return nullptr;
}

cost_ledger::sums& cost_ledger::line_of(cost_account const& to)
{
    if (auto const known = lines_.find(to); known != lines_.end())
        return known->second;
    cost_account account = to;
    if (lines_.size() >= max_accounts_)
        account.model = account.key = account.tag = other_accounts;
    // Upstreams come and go with the configuration: even these may be too many.
    if (lines_.size() >= 2 * max_accounts_)
        account.upstream = other_accounts;
    return lines_[key{
        std::string(account.upstream), std::string(account.model), std::string(account.key), std::string(account.tag)}];
}

std::vector<budget_notice> cost_ledger::book(
    cost_account const& to, token_usage const& used, nano_dollars cost, date now)
{
    sums& line = line_of(to);
    ++line.attempts;
    line.prompt += used.prompt_tokens;
    line.cached += used.cached_tokens;
    line.completion += used.completion_tokens;
    line.reasoning += used.reasoning_tokens;
    line.cost = add_costs(line.cost, cost);

    std::vector<budget_notice> notices;
    if (budgets_.empty())
        return notices;
    begin_day(now);
    for (budget& b : budgets_)
    {
        if (!b.counts(to))
            continue;
        b.spent = add_costs(b.spent, cost);
        bool const now_used_up = !b.used_up && b.spent >= b.params.daily;
        bool const now_warned =
            !b.warned && static_cast<double>(b.spent) >= b.params.warn_at * static_cast<double>(b.params.daily);
        b.used_up = b.used_up || now_used_up;
        b.warned = b.warned || now_warned;
        if (now_used_up || now_warned)
            notices.push_back(
                {b.params.name, b.spent, b.params.daily, b.used_up && b.params.when_over == over_budget::refuse});
    }
    return notices;
}

cost_report cost_ledger::report(date now)
{
    begin_day(now);
    cost_report r;
    r.lines.reserve(lines_.size());
    for (auto const& [account, line] : lines_)
        r.lines.push_back({account.upstream, account.model, account.key, account.tag, line.attempts, line.prompt,
            line.cached, line.completion, line.reasoning, line.cost});
    std::ranges::sort(r.lines, [](cost_line const& a, cost_line const& b) {
        return std::tie(b.cost, a.upstream, a.model, a.key, a.tag) <
               std::tie(a.cost, b.upstream, b.model, b.key, b.tag);
    });
    for (budget const& b : budgets_)
        r.budgets.push_back(
            {b.params.name, b.params.daily, b.spent, b.used_up && b.params.when_over == over_budget::refuse});
    return r;
}

} // namespace serin
