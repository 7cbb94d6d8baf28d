// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/observe/stderr_logger.hpp>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>

namespace serin {
namespace {

std::string_view stderr_level_name(log_level level) noexcept
{
    switch (level)
    {
    case log_level::error: return "error";
    case log_level::warning: return "warning";
    case log_level::info: return "info";
    case log_level::debug: return "debug";
    }
    return "debug";
}

std::string stderr_time()
{
    auto const now = std::chrono::system_clock::now();
    auto const ms = std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
    std::time_t const seconds = std::chrono::system_clock::to_time_t(now);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    char text[32];
    std::size_t const size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.", &utc);
    std::string const digits = std::to_string(1000 + ms);
    return std::string(text, size) + digits.substr(1) + 'Z';
}

} // namespace

logger stderr_logger(log_level most)
{
    return [most](log_level level, std::string_view line) {
        if (level > most)
            return;
        std::string text = stderr_time();
        text += ' ';
        text += stderr_level_name(level);
        text += ' ';
        text += line;
        text += '\n';
        std::fwrite(text.data(), 1, text.size(), stderr);
    };
}

} // namespace serin
