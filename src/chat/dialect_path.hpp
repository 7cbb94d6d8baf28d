// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CHAT_DIALECT_PATH_HPP
#define SERIN_SRC_CHAT_DIALECT_PATH_HPP

#include <string>
#include <string_view>

namespace serin {

// Appends a dialect's path with the model, percent-encoded, in the place of each `{model}`.
void append_path(std::string& out, std::string_view path, std::string_view model);

} // namespace serin

#endif
