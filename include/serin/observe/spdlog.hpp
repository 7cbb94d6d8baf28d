// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_OBSERVE_SPDLOG_HPP
#define SERIN_OBSERVE_SPDLOG_HPP

#include <serin/core/logger.hpp>

#include <memory>
#include <string_view>
#include <utility>

namespace serin {

/// A logger that passes lines on to a `spdlog::logger`, which decides by its own level what is written where. This
/// header does not need spdlog itself: the program includes `<spdlog/spdlog.h>` for what it passes here.
template <class SpdlogLogger>
logger spdlog_logger(std::shared_ptr<SpdlogLogger> to)
{
    return [to = std::move(to)](log_level level, std::string_view line) {
        switch (level)
        {
        case log_level::error: to->error(line); break;
        case log_level::warning: to->warn(line); break;
        case log_level::info: to->info(line); break;
        case log_level::debug: to->debug(line); break;
        }
    };
}

} // namespace serin

#endif
