// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_CONFIG_FILE_HPP
#define SERIN_SRC_CLIENT_CONFIG_FILE_HPP

#include <serin/core/error.hpp>

#include <string>

namespace serin {

// The text of a configuration file.
error_code read_config_file(std::string const& path, std::string& text, std::string& why);

} // namespace serin

#endif
