// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CORE_LOGGER_HPP
#define SERIN_CORE_LOGGER_HPP

#include <functional>
#include <string_view>

namespace serin {

/// How important a log line is.
enum class log_level
{
    error,   ///< Something failed that the library could not absorb.
    warning, ///< Something is wrong but was absorbed.
    info,    ///< Rare events: a key reloaded, an upstream ejected.
    debug,   ///< Every connection and attempt.
};

/// Receives the library's log lines. Called from any thread that runs the context; must not block.
/// A line has no line end and never holds a key. Exceptions thrown by it are swallowed.
using logger = std::function<void(log_level, std::string_view)>;

} // namespace serin

#endif
