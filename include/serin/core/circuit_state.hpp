// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CORE_CIRCUIT_STATE_HPP
#define SERIN_CORE_CIRCUIT_STATE_HPP

#include <string_view>

namespace serin {

/// Whether an upstream is asked.
enum class circuit_state
{
    closed,    ///< It is.
    open,      ///< It has failed too often, and is left alone for a while.
    half_open, ///< It may be asked once, to see whether it has recovered.
};

/// The name of a state as it stands in the enumeration.
std::string_view circuit_state_name(circuit_state s) noexcept;

} // namespace serin

#endif
