// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_CONFIG_ROUTES_HPP
#define SERIN_SRC_CLIENT_CONFIG_ROUTES_HPP

#include "config_object.hpp"

#include <serin/policy/rollout.hpp>
#include <serin/policy/router.hpp>
#include <serin/policy/stream.hpp>
#include <serin/policy/upstream.hpp>

#include <string_view>
#include <vector>

namespace serin {

// A member that says what becomes of broken streams.
bool read_config_recovery(config_object& of, std::string_view name, stream_recovery& out);

// The parts of a configuration that say who of the upstreams answers what. Each is checked against what it names.
std::vector<model_route> read_config_models(config_object& root, std::vector<upstream> const& upstreams);
std::vector<rollout_params> read_config_rollouts(
    config_object& root, std::vector<upstream> const& upstreams, std::vector<model_route> const& models);
std::vector<mirror_params> read_config_mirrors(
    config_object& root, std::vector<upstream> const& upstreams, std::vector<model_route> const& models);

} // namespace serin

#endif
