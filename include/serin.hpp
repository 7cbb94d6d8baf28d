// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_HPP
#define SERIN_HPP

// Everything but what costs seconds to compile or is for tests: <serin/chat/json.hpp>, <serin/chat/schema.hpp>,
// <serin/structured.hpp> and <serin/mock/provider.hpp>.

#include <serin/client.hpp>
#include <serin/config.hpp>
#include <serin/observe/event_log.hpp>
#include <serin/observe/metrics.hpp>
#include <serin/observe/stderr_logger.hpp>
#include <serin/sse/parser.hpp>
#include <serin/tools.hpp>

#endif
