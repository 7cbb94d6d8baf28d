// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_ROLLOUT_HPP
#define SERIN_SRC_POLICY_ROLLOUT_HPP

#include "../core/fiber.hpp"
#include "gate_check.hpp"
#include "outcome.hpp"
#include "outcome_window.hpp"

#include <serin/policy/rollout.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace serin {

enum class rollout_side
{
    candidate,
    others,
};

// The part of the chance of a false alarm that the n-th look at the figures, from 1 on, may use up: 1 / (n ln^2 n), as
// it were. Looking often finds by chance what looking once does not. The parts of any number of looks add up to no more
// than the whole, and the chance that one of several things happens is at most the sum of their chances, however they
// depend on each other; so the total holds for a rollout that goes on for as long as it likes. Of the series with that
// property this one falls about as slowly as possible: the ten thousandth look still has 5 * 10^-7.
double rollout_look_share(std::uint64_t n) noexcept;

// What came of a rollout is told by the figures that led to it. A mirror gets its copies whatever came of it.
enum class rollout_counting : bool
{
    until_settled,
    for_ever
};

// A rollout. Time is passed in: a `now` before the latest one counts as the latest.
class rollout
{
public:
    // Parameters without a problem.
    rollout(rollout_params params, steady_time now, rollout_counting counting = rollout_counting::until_settled);

    rollout_params const& params() const noexcept { return params_; }
    rollout_status status() const noexcept { return status_; }
    std::size_t stage() const noexcept { return stage_; }

    // Of the candidate.
    double share() const noexcept { return status_ == rollout_status::rolled_back ? 0 : params_.stages[stage_]; }

    // Why it is where it is: what the last look has found, or the last change.
    std::string const& why() const noexcept { return why_; }

    // How long the stage has lasted, without pauses: at the latest look or change, and now.
    steady_time::duration held() const noexcept { return held_; }
    steady_time::duration held(steady_time now) const noexcept;

    // An attempt has ended. `call`: how long it took; `first_token`: until its first token, if it had one.
    void add(rollout_side side, outcome what, steady_time::duration call,
        std::optional<steady_time::duration> first_token, steady_time now);

    // Looks at the figures if it is time to.
    rollout_event advance(steady_time now);

    // When advance() has something to do. steady_time::max(): never, unless something else happens.
    steady_time next() const noexcept;

    // By hand. What makes no sense in the present status changes nothing.

    // To the next stage, whatever the figures. A pause goes on.
    rollout_event promote(steady_time now);
    rollout_event pause(steady_time now);
    rollout_event resume(steady_time now);

    // To 0 %.
    rollout_event abort(steady_time now);

    // From the first stage, whatever the status.
    rollout_event restart(steady_time now);

    // Other parameters for the same candidate. Stage and time stay. Figures stay if what they are does.
    void reconfigure(rollout_params params, steady_time now);

    rollout_state save(steady_time now, std::chrono::system_clock::time_point system_now);

    // Goes on where a saved one was. The time since then counts for the stage, but no more than the window of the
    // gates: while the process was away nobody looked, and the clock may have been set. False: it is the state of
    // another candidate, and nothing has changed.
    bool restore(rollout_state const& saved, steady_time now, std::chrono::system_clock::time_point system_now);

    // Of the window or, if the candidate has too few requests in it, of the stage.
    outcome_figures const& figures(rollout_side side, steady_time now) noexcept;

private:
    struct side_figures
    {
        outcome_window recent;
        outcome_figures stage{};
    };

    bool is_live() const noexcept { return status_ == rollout_status::running || status_ == rollout_status::paused; }
    steady_time move_to(steady_time now) noexcept;
    void set_params(rollout_params params);
    void begin_stage(std::size_t stage, steady_time now);
    void look(steady_time now);
    rollout_event next_stage(std::string why, steady_time now);
    rollout_event changed(rollout_change what, std::string why);

    rollout_counting counting_;
    rollout_params params_;
    steady_time::duration look_interval_{};
    rollout_status status_ = rollout_status::running;
    std::size_t stage_ = 0;
    steady_time last_;
    steady_time::duration held_{};
    steady_time next_look_{};
    std::uint64_t looks_ = 0;
    std::optional<std::uint64_t> seen_; // Requests of the stage at the last look
    gate_result found_{gate_finding::undecided, {}};
    side_figures candidate_;
    side_figures others_;
    std::string why_;
};

} // namespace serin

#endif
