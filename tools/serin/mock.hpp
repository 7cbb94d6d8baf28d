// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TOOLS_SERIN_MOCK_HPP
#define SERIN_TOOLS_SERIN_MOCK_HPP

namespace CLI {
class App;
}

namespace serin::tools {

// Adds the subcommand `mock`. When it is given, it runs while the command line is parsed, and sets the exit code.
void add_mock(CLI::App& app, int& exit_code);

} // namespace serin::tools

#endif
