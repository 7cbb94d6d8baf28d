// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "clock_source.hpp"

#include "timer_wait.hpp"

namespace serin {

task<void> clock_source::wait_until(fiber& f, steady_time at)
{
    asio::steady_timer timer(f.get_executor(), at);
    while (!f.interrupted())
    {
        bool const due = co_await timer_wait(f, timer);
        if (due)
            break;
    }
}

} // namespace serin
