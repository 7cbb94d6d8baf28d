// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_REDIS_LIMITS_HPP
#define SERIN_REDIS_LIMITS_HPP

#include <serin/policy/shared_limits.hpp>
#include <serin/redis/params.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace serin {

/// Rate limits in a Redis or Valkey server, for all processes that use it; see client_params::shared_limits. What there
/// is for whom is decided in one script, which the server runs as a whole and by its own clock; the clocks of the
/// processes do not matter. A call that has to wait is told for how long and does not ask again, so that calls of all
/// processes go in the order in which they came.
///
/// While the server cannot be reached, refuses or is too slow, each process keeps its own limits alone.
///
/// Its work runs on `ex`, as redis_cache_store() has it. Throws @ref api_error with errc::invalid_argument if the
/// parameters cannot be used.
std::shared_ptr<shared_limits> redis_shared_limits(asio::any_io_executor ex, redis_params params);

} // namespace serin

#endif
