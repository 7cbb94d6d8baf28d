// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_GATE_CHECK_HPP
#define SERIN_SRC_POLICY_GATE_CHECK_HPP

#include "outcome_window.hpp"

#include <serin/policy/rollout.hpp>

#include <string>

namespace serin {

enum class gate_finding
{
    pass,      // All figures keep to their gates.
    undecided, // A figure is over its gate, or there are too few to say, but that may be chance.
    breach,    // A figure is worse than allowed, and that is no chance.
};

struct gate_result
{
    gate_finding finding;
    std::string why; // Of a pass: the figures.
};

// Compares an upstream with its gates and with the others. `alpha`: the chance to find a breach where there is none, of
// all comparisons together.
//
// A gate is breached when the figure is over it by more than chance explains; a figure that is over it by less is in
// the way of a promotion and of nothing else. Rates are judged by exact tests (see binomial.hpp). The p99 is judged by
// order statistics, with which no assumption is made about the distribution: against the gate by a lower bound of the
// candidate's, and against the others by a lower bound of the candidate's and an upper bound of theirs, each with half
// the error.
gate_result check_gates(
    rollout_gates const& gates, outcome_figures const& candidate, outcome_figures const& others, double alpha);

// A number with so many digits after the point, which is one in every locale.
std::string fixed_point(double value, int digits);

} // namespace serin

#endif
