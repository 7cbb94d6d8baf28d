// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CONFIG_HPP
#define SERIN_CONFIG_HPP

#include <serin/client_params.hpp>
#include <serin/core/error.hpp>

#include <string>
#include <string_view>

namespace serin {

/// Reads a configuration from JSON into the parameters of a client. docs/configuration.md says what it may hold.
///
/// The text is checked as a whole: on failure `out` stays as it is, and `why` says on one line which member is wrong,
/// as in "upstreams[1].weight: must be a whole number from 0". Unknown members are errors, and so are those that this
/// version does not support. On success the upstreams are replaced; of everything else, what the text does not mention
/// stays as it is in `out`. Keys are read now, so that a missing one is found here; no message holds a key.
///
/// `base_dir` is the folder that relative paths of files in the configuration start from; empty: the current one.
///
/// Errors: `errc::invalid_argument`, `errc::invalid_url`, `errc::invalid_key` if an upstream has no usable key, and
/// `errc::insecure_transport` if a key would go over plain http to another machine.
error_code load_config(std::string_view json, std::string const& base_dir, client_params& out, std::string& why);

/// The same from a file; relative paths in it start from its own folder. `why` begins with the file's path.
error_code load_config_file(std::string const& path, client_params& out, std::string& why);

} // namespace serin

#endif
