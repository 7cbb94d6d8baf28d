// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TOOLS_GATEWAY_HPP
#define SERIN_TOOLS_GATEWAY_HPP

namespace CLI {
class App;
}

namespace serin::tools {

// Adds `serin gateway`; it sets the exit code when it has run.
void add_gateway(CLI::App& app, int& exit_code);

} // namespace serin::tools

#endif
