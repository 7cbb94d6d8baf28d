// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_CONFIG_UPSTREAMS_HPP
#define SERIN_SRC_CLIENT_CONFIG_UPSTREAMS_HPP

#include "config_object.hpp"

#include <serin/core/tls_params.hpp>
#include <serin/policy/upstream.hpp>

#include <filesystem>
#include <vector>

namespace serin {

// The part of a configuration that says who can answer. Paths in it start from `base_dir`.
std::vector<upstream> read_config_upstreams(config_object& root, std::filesystem::path const& base_dir);

// The member "tls". Nothing if there is none.
std::optional<tls_params> read_config_tls(config_object& of, std::filesystem::path const& base_dir);

} // namespace serin

#endif
