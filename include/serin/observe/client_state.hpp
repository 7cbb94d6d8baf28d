// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_OBSERVE_CLIENT_STATE_HPP
#define SERIN_OBSERVE_CLIENT_STATE_HPP

#include <serin/observe/event.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace serin {

/// How a client's upstream is doing at one moment.
struct upstream_state_report
{
    std::string upstream;                          ///< Its name.
    std::size_t connections_open = 0;              ///< All: idle, in use and being made.
    std::size_t connections_idle = 0;              ///< Idle.
    std::size_t waiting_for_connection = 0;        ///< Attempts that wait for one.
    double retry_budget = 0;                       ///< Second attempts that may be made now.
    circuit_state circuit = circuit_state::closed; ///< Whether it is asked.
    std::size_t keys_good = 0;                     ///< Keys that may be used.
    std::size_t keys_resting = 0;                  ///< Keys that are left alone for a while.
    std::size_t keys_quarantined = 0;              ///< Keys that the server has refused for good.
};

/// Tells how a client is doing.
class client_state_source
{
public:
    virtual ~client_state_source() = default;

    /// One entry for each upstream. From any thread, but not from within an observer's function.
    virtual std::vector<upstream_state_report> state() const = 0;
};

} // namespace serin

#endif
