// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_COST_LEDGER_HPP
#define SERIN_SRC_POLICY_COST_LEDGER_HPP

#include <serin/policy/budget.hpp>
#include <serin/policy/cost_report.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace serin {

// What an amount is put down to.
struct cost_account
{
    std::string_view upstream;
    std::string_view model; // That the upstream was asked for.
    std::string_view key;   // Fingerprint.
    std::string_view tag;
    std::string_view asked_model; // That the caller asked for. Of interest to budgets only.
};

// A budget that has come to where it is to be reported.
struct budget_notice
{
    std::string budget;
    nano_dollars spent = 0;
    nano_dollars limit = 0;
    bool refuses = false;
};

// "the budget "daily" of $10.00 a day is used up"
std::string describe_budget(budget_params const& b);

// Books what is spent, and knows what may be. No clock, no lock. Memory is bounded: when there are too many accounts,
// what is spent on further ones is booked under "other".
class cost_ledger
{
public:
    using date = std::chrono::system_clock::time_point;

    explicit cost_ledger(std::size_t max_accounts = 10'000) : max_accounts_(max_accounts) {}

    // Budgets of the same name keep what was spent.
    void set_budgets(std::vector<budget_params> budgets);

    bool has_budgets() const noexcept { return !budgets_.empty(); }

    // The budget that forbids it; null if none does.
    budget_params const* forbids(cost_account const& to, date now) noexcept;

    // Books it, and returns which budgets are to be reported.
    std::vector<budget_notice> book(cost_account const& to, token_usage const& used, nano_dollars cost, date now);

    cost_report report(date now);

private:
    struct key
    {
        std::string upstream, model, key, tag;
    };

    struct key_hash
    {
        using is_transparent = void;
        std::size_t operator()(key const& k) const noexcept;
        std::size_t operator()(cost_account const& a) const noexcept;
    };

    struct key_equal
    {
        using is_transparent = void;
        bool operator()(key const& a, key const& b) const noexcept;
        bool operator()(cost_account const& a, key const& b) const noexcept;
        bool operator()(key const& a, cost_account const& b) const noexcept { return (*this)(b, a); }
    };

    struct sums
    {
        std::uint64_t attempts = 0;
        std::uint64_t prompt = 0, cached = 0, completion = 0, reasoning = 0;
        nano_dollars cost = 0;
    };

    struct budget
    {
        budget_params params;
        nano_dollars spent = 0;
        bool warned = false;
        bool used_up = false;

        bool counts(cost_account const& a) const noexcept;
    };

    sums& line_of(cost_account const& to);
    void begin_day(date now) noexcept;

    std::size_t max_accounts_;
    std::unordered_map<key, sums, key_hash, key_equal> lines_;
    std::vector<budget> budgets_;
    std::int64_t day_ = 0; // Since 1970, which today's sums are of
};

} // namespace serin

#endif
