// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TOOLS_SERIN_CHAT_OPTIONS_HPP
#define SERIN_TOOLS_SERIN_CHAT_OPTIONS_HPP

#include <cstdint>
#include <optional>
#include <string>

namespace serin::tools {

// What the command line of `serin chat` says.
struct chat_options
{
    std::optional<std::string> prompt;
    std::optional<std::string> base_url;
    std::optional<std::string> model;
    std::optional<std::string> key_variable;
    std::optional<std::string> key_file;
    std::optional<std::string> system;
    std::optional<std::string> request_file;
    std::optional<std::string> conversation_file;
    std::optional<std::string> ca_file;
    std::optional<std::string> config_file;
    std::optional<std::int64_t> max_tokens;
    std::optional<double> temperature;
    std::optional<double> timeout;
    std::optional<double> connect_timeout;
    std::optional<double> first_token_timeout;
    std::optional<double> idle_timeout;
    std::optional<int> max_attempts;
    bool stream = false;
    bool no_stream = false;
    bool json = false;
    bool verbose = false;
};

} // namespace serin::tools

#endif
