// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "rollout.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>
#include <utility>

namespace serin {
namespace {

using std::chrono::milliseconds;

constexpr steady_time::duration rollout_shortest_window = milliseconds(10);

// Looks in a window.
constexpr int rollout_looks = 60;

steady_time::duration rollout_window(rollout_gates const& gates) noexcept
{
    return std::max(gates.window, rollout_shortest_window);
}

// The least number of requests that say anything.
std::size_t rollout_fewest(rollout_gates const& gates) noexcept
{
    return std::min(gates.min_requests, gates.min_requests_to_fail);
}

// `later` is not before `earlier`.
steady_time::duration rollout_elapsed(steady_time earlier, steady_time later) noexcept
{
    auto const a = earlier.time_since_epoch();
    auto const b = later.time_since_epoch();
    return a < a.zero() && b > b.max() + a ? b.max() : b - a;
}

steady_time::duration rollout_sum(steady_time::duration a, steady_time::duration b) noexcept
{
    return a > a.max() - b ? a.max() : a + b;
}

std::string rollout_held(steady_time::duration held, steady_time::duration hold)
{
    double const s = std::chrono::duration<double>(held).count();
    double const of = std::chrono::duration<double>(hold).count();
    double const unit = of >= 3600 ? 3600 : of >= 60 ? 60 : 1;
    return fixed_point(s / unit, 1) + " of " + fixed_point(of / unit, 1) +
           (unit > 60     ? " h"
               : unit > 1 ? " min"
                          : " s");
}

bool rollout_is_share(double v) noexcept
{
    return v >= 0 && v <= 1;
}

struct rollout_status_row
{
    rollout_status status;
    std::string_view name;
};

constexpr std::array<rollout_status_row, 4> rollout_statuses = {{
    {rollout_status::running, "running"},
    {rollout_status::paused, "paused"},
    {rollout_status::completed, "completed"},
    {rollout_status::rolled_back, "rolled_back"},
}};

// ---- Saved text: a line for each member, its name, a space and the value up to the end of the line.

constexpr std::string_view rollout_first_line = "serin-rollout 1";
constexpr std::string_view rollout_digits = "0123456789abcdef";
constexpr std::size_t rollout_longest_text = 64 * 1024;

// Times that the clocks can hold in nanoseconds.
constexpr std::int64_t rollout_last_ms = std::numeric_limits<std::int64_t>::max() / 1'000'000;

std::string rollout_escaped(std::string_view text)
{
    std::string out;
    for (char const c : text)
    {
        auto const byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte != 0x7f && c != '%')
        {
            out += c;
            continue;
        }
        out += '%';
        out += rollout_digits[byte >> 4];
        out += rollout_digits[byte & 15];
    }
    return out;
}

std::optional<std::string> rollout_unescaped(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i)
    {
        if (text[i] != '%')
        {
            out += text[i];
            continue;
        }
        auto const digit = [&](std::size_t at) {
            return at < text.size() ? rollout_digits.find(text[at]) : std::string_view::npos;
        };
        auto const high = digit(i + 1), low = digit(i + 2);
        if (high == std::string_view::npos || low == std::string_view::npos)
            return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

// Takes the lines off a text.
class rollout_reader
{
public:
    explicit rollout_reader(std::string_view text) noexcept : rest_(text) {}

    std::optional<std::string_view> line() noexcept
    {
        auto const end = rest_.find('\n');
        if (end == std::string_view::npos)
            return std::nullopt;
        auto const out = rest_.substr(0, end);
        rest_.remove_prefix(end + 1);
        return out;
    }

    std::optional<std::string_view> value(std::string_view name) noexcept
    {
        auto l = line();
        if (!l || !l->starts_with(name) || l->substr(name.size()).substr(0, 1) != " ")
            return std::nullopt;
        l->remove_prefix(name.size() + 1);
        return l;
    }

    std::optional<std::string> text(std::string_view name)
    {
        auto const v = value(name);
        return v ? rollout_unescaped(*v) : std::nullopt;
    }

    std::optional<std::uint64_t> number(std::string_view name, std::uint64_t most) noexcept
    {
        auto const v = value(name);
        std::uint64_t out = 0;
        if (!v)
            return std::nullopt;
        auto const [end, ec] = std::from_chars(v->data(), v->data() + v->size(), out);
        if (ec != std::errc() || end != v->data() + v->size() || out > most)
            return std::nullopt;
        return out;
    }

    bool at_end() const noexcept { return rest_.empty(); }

private:
    std::string_view rest_;
};

} // namespace

std::string rollout_problem(rollout_params const& p)
{
    if (p.candidate.empty())
        return "no candidate";
    if (p.stages.empty())
        return "no stages";
    for (std::size_t i = 0; i < p.stages.size(); ++i)
    {
        if (!(p.stages[i] > 0 && p.stages[i] <= 1))
            return "a stage is not above 0 and at most 1";
        if (i > 0 && p.stages[i] <= p.stages[i - 1])
            return "the stages do not ascend";
    }
    if (p.hold < p.hold.zero())
        return "hold is negative";
    if (p.gates.error_rate && !rollout_is_share(*p.gates.error_rate))
        return "error_rate is not from 0 to 1";
    if (p.gates.success_rate && !rollout_is_share(*p.gates.success_rate))
        return "success_rate is not from 0 to 1";
    if (p.gates.p99 && *p.gates.p99 <= p.gates.p99->zero())
        return "p99 is not positive";
    if (!(p.gates.times_others >= 1))
        return "times_others is less than 1";
    if (!rollout_is_share(p.gates.false_alarm))
        return "false_alarm is not from 0 to 1";
    if (p.gates.window < rollout_shortest_window)
        return "window is shorter than 10 ms";
    return {};
}

std::string_view rollout_status_name(rollout_status s) noexcept
{
    for (auto const& row : rollout_statuses)
        if (row.status == s)
            return row.name;
    return "unknown";
}

std::string_view rollout_change_name(rollout_change c) noexcept
{
    switch (c)
    {
    case rollout_change::none: return "none";
    case rollout_change::promoted: return "promoted";
    case rollout_change::completed: return "completed";
    case rollout_change::rolled_back: return "rolled_back";
    case rollout_change::aborted: return "aborted";
    case rollout_change::paused: return "paused";
    case rollout_change::resumed: return "resumed";
    case rollout_change::restarted: return "restarted";
    }
    return "none";
}

std::string to_text(rollout_state const& s)
{
    auto const saved = std::chrono::floor<milliseconds>(s.saved.time_since_epoch()).count();
    auto const positive = [](std::int64_t v) {
        return std::to_string(std::clamp<std::int64_t>(v, 0, rollout_last_ms));
    };
    std::string out(rollout_first_line);
    out += "\ncandidate " + rollout_escaped(s.candidate);
    out += "\nstatus " + std::string(rollout_status_name(s.status));
    out += "\nstage " + std::to_string(s.stage);
    out += "\nheld_ms " + positive(s.held.count());
    out += "\nlooks " + std::to_string(s.looks);
    out += "\nsaved_ms " + positive(saved);
    out += "\nwhy " + rollout_escaped(s.why) + "\n";
    return out;
}

std::optional<rollout_state> rollout_state_from_text(std::string_view text)
{
    if (text.size() > rollout_longest_text)
        return std::nullopt;
    rollout_reader in(text);
    if (in.line() != rollout_first_line)
        return std::nullopt;
    auto candidate = in.text("candidate");
    auto const status = in.value("status");
    auto const stage = in.number("stage", std::numeric_limits<std::uint32_t>::max());
    auto const held = in.number("held_ms", rollout_last_ms);
    auto const looks = in.number("looks", std::numeric_limits<std::uint64_t>::max() / 2);
    auto const saved = in.number("saved_ms", rollout_last_ms);
    auto why = in.text("why");
    if (!candidate || !status || !stage || !held || !looks || !saved || !why || !in.at_end())
        return std::nullopt;
    auto const row = std::ranges::find(rollout_statuses, *status, &rollout_status_row::name);
    if (row == rollout_statuses.end())
        return std::nullopt;

    rollout_state s;
    s.candidate = std::move(*candidate);
    s.status = row->status;
    s.stage = *stage;
    s.held = milliseconds(static_cast<std::int64_t>(*held));
    s.looks = *looks;
    s.saved = std::chrono::system_clock::time_point(milliseconds(static_cast<std::int64_t>(*saved)));
    s.why = std::move(*why);
    return s;
}

// ---------------------------------------------------------------------------------------------------------

double rollout_look_share(std::uint64_t n) noexcept
{
    constexpr double sum_of_all = 2.11; // Rounded up, of 1 / (k ln^2 k) for all k from 2 on
    double const k = static_cast<double>(n) + 1;
    double const log = std::log(k);
    return 1 / (sum_of_all * k * log * log);
}

rollout::rollout(rollout_params params, steady_time now, rollout_counting counting)
    : counting_(counting),
      last_(now),
      candidate_{outcome_window(rollout_window(params.gates))},
      others_{outcome_window(rollout_window(params.gates))}
{
    set_params(std::move(params));
    begin_stage(0, now);
}

void rollout::set_params(rollout_params params)
{
    params_ = std::move(params);
    if (params_.stages.empty())
        params_.stages = {1};
    // Stages that are short, as in tests, are looked at as often as long ones.
    auto const span = std::min(rollout_window(params_.gates), params_.hold);
    look_interval_ = std::max<steady_time::duration>(span / rollout_looks, milliseconds(1));
}

void rollout::begin_stage(std::size_t stage, steady_time now)
{
    // What was seen under less load, or at another hour, says nothing about this one.
    for (side_figures* const side : {&candidate_, &others_})
    {
        side->recent.clear();
        side->stage.clear();
    }
    stage_ = stage;
    held_ = {};
    seen_.reset();
    found_ = {gate_finding::undecided, {}};
    next_look_ = add_saturated(now, look_interval_);
}

steady_time::duration rollout::held(steady_time now) const noexcept
{
    bool const goes_on = status_ == rollout_status::running && now > last_;
    return goes_on ? rollout_sum(held_, rollout_elapsed(last_, now)) : held_;
}

// Returns the time as it counts.
steady_time rollout::move_to(steady_time now) noexcept
{
    if (now > last_)
    {
        held_ = held(now);
        last_ = now;
    }
    return last_;
}

void rollout::add(rollout_side side, outcome what, steady_time::duration call,
    std::optional<steady_time::duration> first_token, steady_time now)
{
    if (!is_live() && counting_ == rollout_counting::until_settled)
        return;
    auto const took = params_.gates.p99_of == rollout_latency::call ? std::optional(call) : first_token;
    side_figures& to = side == rollout_side::candidate ? candidate_ : others_;
    to.recent.add(what, took, std::max(now, last_));
    to.stage.add(what, took);
}

outcome_figures const& rollout::figures(rollout_side side, steady_time now) noexcept
{
    now = std::max(now, last_);
    bool const enough = candidate_.recent.figures(now).counted() >= params_.gates.min_requests;
    side_figures& of = side == rollout_side::candidate ? candidate_ : others_;
    return enough ? of.recent.figures(now) : of.stage;
}

steady_time rollout::next() const noexcept
{
    return is_live() ? next_look_ : steady_time::max();
}

rollout_event rollout::advance(steady_time now)
{
    now = move_to(now);
    if (!is_live() || now < next_look_)
        return {rollout_change::none, stage_, share(), {}};
    next_look_ = add_saturated(now, look_interval_);

    rollout_gates const& gates = params_.gates;
    auto const counted = figures(rollout_side::candidate, now).counted();
    if (counted >= rollout_fewest(gates))
        look(now);
    if (found_.finding == gate_finding::breach)
    {
        status_ = rollout_status::rolled_back;
        return changed(rollout_change::rolled_back, std::move(found_.why));
    }
    if (counted < gates.min_requests)
        why_ = "has " + std::to_string(counted) + " of " + std::to_string(gates.min_requests) + " requests";
    else if (found_.finding == gate_finding::undecided)
        why_ = found_.why;
    else if (status_ == rollout_status::paused)
        why_ = "paused; " + found_.why;
    else if (held_ < params_.hold)
        why_ = "held for " + rollout_held(held_, params_.hold) + "; " + found_.why;
    else
        return next_stage(found_.why, now);
    return {rollout_change::none, stage_, share(), {}};
}

void rollout::look(steady_time now)
{
    // Nothing is spent on figures that were looked at already.
    auto const seen = candidate_.stage.counted() + others_.stage.counted();
    if (seen == seen_)
        return;
    seen_ = seen;
    double alpha = params_.gates.false_alarm * rollout_look_share(++looks_);

    // Where the stage stands for a window with too few requests, what was good for hours must not hide what is bad now.
    auto const& recent = candidate_.recent.figures(now);
    if (recent.counted() < params_.gates.min_requests)
    {
        alpha /= 2;
        if (recent.counted() >= rollout_fewest(params_.gates))
            found_ = check_gates(params_.gates, recent, others_.recent.figures(now), alpha);
        if (found_.finding == gate_finding::breach)
            return;
    }
    found_ =
        check_gates(params_.gates, figures(rollout_side::candidate, now), figures(rollout_side::others, now), alpha);
}

rollout_event rollout::next_stage(std::string why, steady_time now)
{
    if (stage_ + 1 == params_.stages.size())
    {
        status_ = rollout_status::completed;
        return changed(rollout_change::completed, std::move(why));
    }
    begin_stage(stage_ + 1, now);
    return changed(rollout_change::promoted, std::move(why));
}

rollout_event rollout::changed(rollout_change what, std::string why)
{
    why_ = std::move(why);
    return {what, stage_, share(), why_};
}

rollout_event rollout::promote(steady_time now)
{
    now = move_to(now);
    return is_live() ? next_stage("by hand", now) : rollout_event{rollout_change::none, stage_, share(), {}};
}

rollout_event rollout::pause(steady_time now)
{
    move_to(now);
    if (status_ != rollout_status::running)
        return {rollout_change::none, stage_, share(), {}};
    status_ = rollout_status::paused;
    return changed(rollout_change::paused, "by hand");
}

rollout_event rollout::resume(steady_time now)
{
    move_to(now);
    if (status_ != rollout_status::paused)
        return {rollout_change::none, stage_, share(), {}};
    status_ = rollout_status::running;
    return changed(rollout_change::resumed, "by hand");
}

rollout_event rollout::abort(steady_time now)
{
    move_to(now);
    if (!is_live())
        return {rollout_change::none, stage_, share(), {}};
    status_ = rollout_status::rolled_back;
    return changed(rollout_change::aborted, "by hand");
}

rollout_event rollout::restart(steady_time now)
{
    now = move_to(now);
    status_ = rollout_status::running;
    looks_ = 0;
    begin_stage(0, now);
    return changed(rollout_change::restarted, "by hand");
}

void rollout::reconfigure(rollout_params params, steady_time now)
{
    now = move_to(now);
    bool const same =
        rollout_window(params.gates) == rollout_window(params_.gates) && params.gates.p99_of == params_.gates.p99_of;
    if (!same)
    {
        candidate_ = {outcome_window(rollout_window(params.gates))};
        others_ = {outcome_window(rollout_window(params.gates))};
    }
    set_params(std::move(params));
    stage_ = std::min(stage_, params_.stages.size() - 1);
    // What was found was found at the old gates.
    found_ = {gate_finding::undecided, {}};
    seen_.reset();
    next_look_ = add_saturated(now, look_interval_);
}

rollout_state rollout::save(steady_time now, std::chrono::system_clock::time_point system_now)
{
    move_to(now);
    rollout_state s;
    s.candidate = params_.candidate;
    s.status = status_;
    s.stage = stage_;
    s.held = std::chrono::floor<milliseconds>(held_);
    s.looks = looks_;
    s.saved = system_now;
    s.why = why_;
    return s;
}

bool rollout::restore(rollout_state const& saved, steady_time now, std::chrono::system_clock::time_point system_now)
{
    if (saved.candidate != params_.candidate)
        return false;
    now = move_to(now);
    status_ = saved.status;
    looks_ = saved.looks;
    begin_stage(std::min(saved.stage, params_.stages.size() - 1), now);

    // In milliseconds, whose differences and sums do not overflow.
    using std::chrono::floor;
    auto held = std::clamp(saved.held, milliseconds(0), milliseconds(rollout_last_ms / 2));
    if (status_ == rollout_status::running)
    {
        auto const away =
            floor<milliseconds>(system_now.time_since_epoch()) - floor<milliseconds>(saved.saved.time_since_epoch());
        held += std::clamp(away, milliseconds(0), floor<milliseconds>(rollout_window(params_.gates)));
    }
    held_ = std::chrono::duration_cast<steady_time::duration>(std::min(held, milliseconds(rollout_last_ms)));
    why_ = saved.why;
    return true;
}

} // namespace serin
