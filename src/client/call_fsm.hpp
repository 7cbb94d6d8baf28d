// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_CALL_FSM_HPP
#define SERIN_SRC_CLIENT_CALL_FSM_HPP

#include "../core/fiber.hpp"
#include "../policy/retry_budget.hpp"
#include "../policy/router.hpp"
#include "../policy/verdict.hpp"

#include <serin/core/error.hpp>
#include <serin/core/give_up.hpp>
#include <serin/policy/retry.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace serin {

// How an attempt failed.
struct call_failure
{
    error_code ec = {};
    std::optional<std::chrono::milliseconds> retry_after = {};
    std::optional<bool> should_retry = {}; // x-should-retry
    bool model_configured = false;         // The model is the upstream's own, not the caller's.
    bool another_key = false;              // The upstream has another key that can be used now.
};

// Decides what a call does next: which target of its route to ask, and after a failure whether, whom and when to ask
// again.
class call_fsm
{
public:
    enum class action
    {
        attempt, // Ask `target` after `delay`.
        finish,  // Complete with the failure at hand, which is final because of `why`.
    };

    struct step
    {
        action what;
        std::size_t target;
        steady_time::duration delay{};
        give_up why{};
    };

    // All must live as long as this. `key` is that of a sticky request.
    call_fsm(retry_params const& params, route_table const& routes, std::string_view key = {}) noexcept
        : params_(&params),
          routes_(&routes),
          key_(key)
    {}

    // Here and below `facts` are of each target, or empty if all can answer; what this call has tried it knows itself.
    // `random` is uniform over all values.

    // The call begins.
    step start(retry_budgets const& budgets, steady_time now, std::uint64_t random,
        std::span<route_facts const> facts = {}) noexcept;

    // An attempt at `target` has failed. A try that could not begin before `deadline` is not paid for.
    step attempt_failed(std::size_t target, call_failure const& failure, retry_budgets const& budgets, steady_time now,
        steady_time deadline, std::uint64_t random, std::span<route_facts const> facts = {});

    // An attempt has failed while another one of the call is still running, which decides.
    void failed_beside(std::size_t target, call_failure const& failure, steady_time now);

    // An attempt takes long: another target to ask beside it, if there is one that was not asked yet.
    std::optional<std::size_t> hedge(
        retry_budgets const& budgets, steady_time now, std::uint64_t random, std::span<route_facts const> facts = {});

    // Those begun so far, hedges included.
    std::size_t attempts() const noexcept { return attempts_; }

private:
    // What this call knows of a target.
    struct record
    {
        steady_time not_before{}; // It wants to be left alone until then,
        bool too_long = false;    // which is longer than the call may wait.
        bool again = false;       // Its last attempt is over, and another one may help.
        std::size_t attempts = 0;
    };

    verdict note(std::size_t target, call_failure const& failure, steady_time now);
    bool attempts_left() const noexcept;
    void make_records();
    std::optional<std::size_t> pick_untried(std::uint64_t random, std::span<route_facts const> facts) const;
    step attempt(std::size_t target, steady_time::duration delay) noexcept;
    step ask_again(std::size_t failed, bool unpaid, retry_budgets const& budgets, steady_time now, steady_time deadline,
        std::uint64_t random, std::span<route_facts const> facts);

    retry_params const* params_;
    route_table const* routes_;
    std::string_view key_;
    std::vector<record> records_; // Of each target. Empty until one has failed: most calls need none.
    std::size_t first_ = 0;
    std::size_t attempts_ = 0;
    int failovers_ = 0;
    int rounds_ = 0; // Retries with a delay
};

} // namespace serin

#endif
