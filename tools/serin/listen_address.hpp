// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TOOLS_LISTEN_ADDRESS_HPP
#define SERIN_TOOLS_LISTEN_ADDRESS_HPP

#include <string>

namespace serin::tools {

// Splits "127.0.0.1:80", "localhost:80" or "[::1]:80". False if it is none of these.
bool split_address(std::string const& text, std::string& host, unsigned short& port);

// The opposite.
std::string joined_address(std::string const& host, unsigned short port);

} // namespace serin::tools

#endif
