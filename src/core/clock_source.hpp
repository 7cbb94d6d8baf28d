// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CORE_CLOCK_SOURCE_HPP
#define SERIN_SRC_CORE_CLOCK_SOURCE_HPP

#include "fiber.hpp"

#include <chrono>

namespace serin {

// The time by which a client decides when to try again, and how it waits until then. Tests have one that they move
// themselves. Deadlines of I/O run on the real clock.
class clock_source
{
public:
    virtual ~clock_source() = default;

    virtual steady_time now() const noexcept { return std::chrono::steady_clock::now(); }

    // For dates that servers send.
    virtual std::chrono::system_clock::time_point date() const noexcept { return std::chrono::system_clock::now(); }

    // Waits until then, or until the fiber is interrupted.
    virtual task<void> wait_until(fiber& f, steady_time at);
};

} // namespace serin

#endif
