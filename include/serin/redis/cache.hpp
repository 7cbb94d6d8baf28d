// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_REDIS_CACHE_HPP
#define SERIN_REDIS_CACHE_HPP

#include <serin/policy/cache.hpp>
#include <serin/redis/params.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace serin {

/// A store of answers in a Redis or Valkey server, for all processes that use it; see cache_params::store. Each answer
/// is one key with an expiry, so the server's `maxmemory` and `allkeys-lru` bound what it takes.
///
/// One connection, made when it is first needed and again after it was lost, with pauses. While the server cannot be
/// reached, refuses or is too slow, nothing is found and nothing is kept: no call fails because of it.
///
/// Its work runs on `ex`, whose context must outlive the store. A store with no command under way leaves no work there.
/// May be used from any thread. Throws @ref api_error with errc::invalid_argument if the parameters cannot be used.
std::shared_ptr<cache_store> redis_cache_store(asio::any_io_executor ex, redis_params params);

} // namespace serin

#endif
