// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_OBSERVE_STDERR_LOGGER_HPP
#define SERIN_OBSERVE_STDERR_LOGGER_HPP

#include <serin/core/logger.hpp>

namespace serin {

/// A logger that writes to stderr: the time by UTC, the level and the line. Lines less important than `most` are left
/// out. Each line is one write, so that those of several threads do not mix.
logger stderr_logger(log_level most = log_level::info);

} // namespace serin

#endif
