// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/core/diagnostics.hpp>

#include "recycler.hpp"

#include <memory>

namespace serin {

std::string_view phase_name(call_phase phase) noexcept
{
    switch (phase)
    {
    case call_phase::none: return "none";
    case call_phase::limit: return "limit";
    case call_phase::pool: return "pool";
    case call_phase::resolve: return "resolve";
    case call_phase::connect: return "connect";
    case call_phase::tls: return "tls";
    case call_phase::write: return "write";
    case call_phase::head: return "head";
    case call_phase::body: return "body";
    case call_phase::stream: return "stream";
    }
    return "unknown";
}

std::shared_ptr<diagnostics> make_failure_diagnostics()
{
    return std::allocate_shared<failure_diagnostics>(recycling_allocator<failure_diagnostics>());
}

std::string describe(error_code const& ec, diagnostics const& diag)
{
    std::string line(kind_name(ec));
    line += ": ";
    line += diag.message.empty() ? ec.message() : diag.message;
    if (diag.status != 0)
        line += " (status " + std::to_string(diag.status) + ")";
    if (!diag.request_id.empty())
        line += " (request " + diag.request_id + ")";
    switch (diag.gave_up)
    {
    case give_up::budget: line += " (not tried again: the retry budget is empty)"; break;
    case give_up::token_seen: line += " (not tried again: a part of the answer was handed out)"; break;
    case give_up::deadline: line += " (not tried again: the deadline comes first)"; break;
    case give_up::retry_after:
        line += " (not tried again: there is no answer for another " +
                std::to_string(diag.retry_after.value_or(std::chrono::milliseconds(0)).count() / 1000) + " s)";
        break;
    default: break; // The cause and the number of attempts say it
    }
    // The server's text may hold line ends: they would break a log line in two.
    for (char& c : line)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            c = ' ';
    return line;
}

} // namespace serin
