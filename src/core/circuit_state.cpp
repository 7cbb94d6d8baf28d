// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/core/circuit_state.hpp>

namespace serin {

std::string_view circuit_state_name(circuit_state s) noexcept
{
    switch (s)
    {
    case circuit_state::closed: return "closed";
    case circuit_state::open: return "open";
    case circuit_state::half_open: return "half_open";
    }
    return "unknown";
}

} // namespace serin
