// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_POLICY_ROLLOUT_HPP
#define SERIN_POLICY_ROLLOUT_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace serin {

/// Which time a rollout looks at.
enum class rollout_latency
{
    call,        ///< Until the answer was complete.
    first_token, ///< Until the first token of a stream. Whole answers do not count.
};

/// What an upstream must keep to. Attempts count for which the upstream is to blame or to praise: those that fail
/// through a mistake of the caller (400, 422 and the like), filtered content or a cancellation do not.
struct rollout_gates
{
    /// At most this share of its requests fails. From 0 to 1. Not set: no such gate.
    std::optional<double> error_rate = 0.01;

    /// At least this share of its requests succeeds. From 0 to 1. What neither fails nor succeeds was refused with 429:
    /// an upstream that cannot serve the share it is to have does not pass. Not set: no such gate.
    std::optional<double> success_rate = 0.99;

    /// 99 of 100 successes take at most so long, to within 1 %. Not set: no such gate.
    std::optional<std::chrono::steady_clock::duration> p99 = {};

    /// What `p99` is about.
    rollout_latency p99_of = rollout_latency::call;

    /// How much worse than that of the other upstreams each of these figures may be: the odds of an error and the p99,
    /// as a multiple. Compared only where both sides have `min_requests`. At least 1. Infinite: not compared.
    double times_others = 1.5;

    /// Requests of the candidate before it is promoted.
    std::size_t min_requests = 1000;

    /// Requests of the candidate before it is rolled back by itself. Fewer than for a promotion, because the circuit
    /// ejects an upstream that is down, and then it would not come to many requests for hours.
    std::size_t min_requests_to_fail = 20;

    /// The figures are those of the latest time, this long. If the candidate has fewer than `min_requests` in it, those
    /// of the whole stage are looked at as well, and it is these that it is promoted by. At least 10 ms.
    std::chrono::steady_clock::duration window = std::chrono::hours(1);

    /// The chance that a candidate that is as good as the others, and keeps to the gates, is rolled back in the whole
    /// rollout, however long it takes and however often it is looked at. The smaller, the more it takes to roll back
    /// one that is worse. Assumes that requests fail independently of each other. From 0 to 1.
    double false_alarm = 0.01;
};

/// Shifts the traffic of an alias to another upstream, step by step, and back as soon as the figures turn bad.
struct rollout_params
{
    /// The alias: a name in `client_params::models`, whose upstreams the candidate is one of.
    std::string model = {};

    /// The upstream that is to take over. It gets its share whatever its weight is; the others share the rest.
    std::string candidate = {};

    /// Its shares of the requests, one after another, ascending. From 0 to 1.
    std::vector<double> stages = {0.10, 0.30, 0.50, 1.00};

    /// How long each stage lasts, at least.
    std::chrono::steady_clock::duration hold = std::chrono::hours(48);

    /// What it must keep to at every stage.
    rollout_gates gates = {};

    /// The same key of a request is always answered by the same side; a key that fell to the candidate stays with it
    /// when the share grows. False, or a request without a key: at random.
    bool sticky = false;
};

/// What is wrong with the parameters, for the user. Empty: nothing.
std::string rollout_problem(rollout_params const& params);

/// Where a rollout stands.
enum class rollout_status
{
    running,     ///< The candidate has the share of its stage.
    paused,      ///< The same, and is not promoted. Is rolled back if it fails.
    completed,   ///< The candidate has passed all stages and keeps the share of the last.
    rolled_back, ///< The candidate has no share.
};

/// The name of a status, as in `rolled_back`.
std::string_view rollout_status_name(rollout_status s) noexcept;

/// What has become of a rollout.
enum class rollout_change
{
    none,        ///< Nothing.
    promoted,    ///< To the next stage.
    completed,   ///< By passing the last stage.
    rolled_back, ///< By a gate.
    aborted,     ///< By hand; the status is `rolled_back`.
    paused,      ///< By hand.
    resumed,     ///< By hand.
    restarted,   ///< By hand, from the first stage.
};

/// The name of a change, as in `rolled_back`.
std::string_view rollout_change_name(rollout_change c) noexcept;

/// A change of a rollout.
struct rollout_event
{
    /// What happened.
    rollout_change what = rollout_change::none;

    /// The stage that it is at now, counted from 0.
    std::size_t stage = 0;

    /// The share of the candidate now.
    double share = 0;

    /// Why, for people: which figures at which gate. Empty if nothing happened.
    std::string why = {};
};

/// The figures of one side, over the time that the gates look at.
struct rollout_figures
{
    std::uint64_t requests = 0;                                  ///< Those that count.
    std::uint64_t successes = 0;                                 ///< Of them.
    std::uint64_t failures = 0;                                  ///< Of them. The rest was refused with 429.
    std::optional<std::chrono::steady_clock::duration> p99 = {}; ///< Of what `p99_of` says; nothing before a success.
};

/// Where a rollout stands and why.
struct rollout_report
{
    std::string model = {};                          ///< The alias.
    std::string candidate = {};                      ///< Its upstream that is to take over.
    rollout_status status = rollout_status::running; ///< Where it stands.
    std::size_t stage = 0;                           ///< Counted from 0.
    std::size_t stages = 0;                          ///< How many there are.
    double share = 0;                                ///< Of the candidate now.
    std::chrono::steady_clock::duration held{};      ///< How long the stage has lasted.
    std::chrono::steady_clock::duration hold{};      ///< How long it lasts at least.
    std::string why = {};                            ///< What the last look has found, or the last change.
    rollout_figures of_candidate = {};               ///< The candidate's figures.
    rollout_figures of_others = {};                  ///< Those of the other upstreams.
};

/// What a mirror has found.
struct mirror_report
{
    std::string model = {};            ///< The alias.
    std::string candidate = {};        ///< The upstream that gets the copies.
    std::size_t in_flight = 0;         ///< Copies under way.
    std::uint64_t left_out = 0;        ///< Requests that were not copied because too many copies were under way.
    bool failed = false;               ///< The candidate is worse than the gates allow, and that is no chance.
    std::string why = {};              ///< Which figures.
    rollout_figures of_candidate = {}; ///< The candidate's figures.
    rollout_figures of_others = {};    ///< Those of the upstreams that answer the callers.
};

/// What must be saved to go on after a restart. Figures are not in it: they are gathered anew.
struct rollout_state
{
    /// Whose rollout it is.
    std::string candidate = {};

    /// Where it stands.
    rollout_status status = rollout_status::running;

    /// The stage, counted from 0.
    std::size_t stage = 0;

    /// How long the stage has lasted.
    std::chrono::milliseconds held{};

    /// How often it was looked at the figures, which is what `rollout_gates::false_alarm` is spent on.
    std::uint64_t looks = 0;

    /// When this was saved. By the system's clock, the only one that goes on after a restart.
    std::chrono::system_clock::time_point saved{};

    /// The reason of the last change.
    std::string why = {};
};

/// Lines of text, ASCII but for what the candidate's name and the reason consist of.
std::string to_text(rollout_state const& s);

/// Reads what to_text() wrote. Nothing if it is anything else.
std::optional<rollout_state> rollout_state_from_text(std::string_view text);

/// A copy of some requests to an upstream whose answers nobody waits for.
struct mirror_params
{
    /// The alias: a name in `client_params::models`. Chats that ask for it are copied.
    std::string model = {};

    /// The upstream that gets the copies. It need not be one of the alias's.
    std::string candidate = {};

    /// The share of the requests that are copied. From 0 to 1.
    double share = 0;

    /// Copies under way at the same time. A request that comes when there are so many is not copied.
    std::size_t max_in_flight = 16;

    /// What the candidate is compared by, with those who answer the callers. What is found is reported and has no
    /// effect.
    rollout_gates gates = {};
};

} // namespace serin

#endif
