// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_GATEWAY_ADMIN_CHANGES_HPP
#define SERIN_SRC_GATEWAY_ADMIN_CHANGES_HPP

#include <serin/client_params.hpp>
#include <serin/policy/rollout.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace serin::gateway {

// Applies {"weights": {UPSTREAM: WEIGHT, ...}, "model": ALIAS} to the parameters: with a model, to its route alone.
// False, and `why` says why, if it cannot be; `params` is then as before.
bool apply_weights(std::string_view json, client_params& params, std::string& why);

// The alias whose rollout {"model": ALIAS} means; without one, the only rollout that there is. Nothing, and `why` says
// why, if there is none.
std::optional<std::string> rollout_meant(
    std::string_view json, std::vector<rollout_report> const& rollouts, std::string& why);

} // namespace serin::gateway

#endif
