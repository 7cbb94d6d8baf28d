// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Links serin::redis into a program, whose main function stands elsewhere.

#include <serin/redis/cache.hpp>

#include <boost/asio/io_context.hpp>

namespace {

// Connects only when it is first needed.
[[maybe_unused]] bool const made = [] {
    boost::asio::io_context context;
    return serin::redis_cache_store(context.get_executor(), serin::redis_params()) != nullptr;
}();

} // namespace
