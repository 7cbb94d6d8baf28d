// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_RETRY_BUDGET_HPP
#define SERIN_SRC_POLICY_RETRY_BUDGET_HPP

#include "../core/fiber.hpp"

#include <serin/policy/retry.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace serin {

// How many retries many calls together may add to their requests: a share of the requests of the last 10 s, and some
// per second on top. The model is Finagle's RetryBudget. A `now` before the latest one counts as the latest.
class retry_budget
{
public:
    explicit retry_budget(retry_params const& params) noexcept;

    // A request that is no retry.
    void deposit(steady_time now) noexcept { book(now, per_request_); }

    // Pays for a retry. False: there is nothing left for it.
    bool withdraw(steady_time now) noexcept;

    // How many retries it would pay for. Below zero after requests have expired whose share is spent.
    std::int64_t balance(steady_time now) noexcept;

private:
    // Amounts are thousandths of a retry, so that no fraction gets lost.
    static constexpr std::int64_t retry_ = 1000;
    static constexpr std::int64_t slices_ = 10; // Of one second each

    static std::int64_t second_of(steady_time t) noexcept
    {
        return std::chrono::floor<std::chrono::seconds>(t.time_since_epoch()).count();
    }

    void book(steady_time now, std::int64_t amount) noexcept
    {
        if (second_of(now) > latest_)
            advance(second_of(now));
        booked_[at_] += amount;
        balance_ += amount;
    }

    void advance(std::int64_t second) noexcept;

    std::int64_t per_request_;
    std::int64_t balance_; // What is granted for the whole window, and all that is booked in it
    std::int64_t latest_ = second_of(steady_time::min());
    std::size_t at_ = 0; // The slice of `latest_`
    std::array<std::int64_t, slices_> booked_{};
};

// The budgets that a call draws on: of each target of its route, for asking it again, and of the client, for asking
// another one.
struct retry_budgets
{
    std::vector<retry_budget*> targets;
    retry_budget* client;
};

} // namespace serin

#endif
