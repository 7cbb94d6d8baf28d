// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TOOLS_SERIN_CHAT_HPP
#define SERIN_TOOLS_SERIN_CHAT_HPP

#include <string>

namespace CLI {
class App;
}

namespace serin::tools {

// Adds the subcommand `chat`. When it is given, it runs while the command line is parsed, and sets the exit code.
void add_chat(CLI::App& app, int& exit_code);

// Reports that the command line cannot be used, as JSON too if that was asked for. Returns the exit code.
int refuse_usage(std::string const& why, bool json);

} // namespace serin::tools

#endif
