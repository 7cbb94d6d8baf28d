// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_OBSERVE_LOG_LINE_HPP
#define SERIN_SRC_OBSERVE_LOG_LINE_HPP

#include <serin/observe/event_log.hpp>

#include <chrono>
#include <concepts>
#include <string>
#include <string_view>

namespace serin {

// A line of names and values. Texts may hold anything: the line has no line end.
class log_line
{
public:
    log_line(log_format format, std::string_view event);

    // Texts that are empty are left out.
    log_line& text(std::string_view name, std::string_view value);

    log_line& number(std::string_view name, std::integral auto value)
    {
        begin(name);
        out_ += std::to_string(value);
        return *this;
    }

    log_line& flag(std::string_view name, bool value);
    log_line& share(std::string_view name, double value);

    // In milliseconds, with microseconds as decimals.
    log_line& time(std::string_view name, std::chrono::steady_clock::duration value);

    // An amount of nano-dollars, in dollars.
    log_line& dollars(std::string_view name, std::int64_t nano);

    std::string take();

private:
    void begin(std::string_view name);
    void decimals(std::string_view name, double value, int digits);

    log_format format_;
    std::string out_;
};

} // namespace serin

#endif
