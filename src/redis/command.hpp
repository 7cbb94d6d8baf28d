// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_REDIS_COMMAND_HPP
#define SERIN_SRC_REDIS_COMMAND_HPP

#include <initializer_list>
#include <string>
#include <string_view>

namespace serin {

// A command as it is sent. Throws std::bad_alloc.
std::string redis_command(std::initializer_list<std::string_view> words);

} // namespace serin

#endif
