// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/client.hpp>
#include <serin/redis/cache.hpp>
#include <serin/redis/limits.hpp>

#include <boost/asio/io_context.hpp>

#include <cstdlib>

// A store whose server is not there finds nothing, and the client works all the same.
int main()
{
    boost::asio::io_context context;
    serin::redis_params redis;
    redis.port = 1;
    serin::client_params params;
    params.upstreams.emplace_back();
    params.cache.emplace();
    params.cache->store = serin::redis_cache_store(context.get_executor(), redis);
    params.shared_limits = serin::redis_shared_limits(context.get_executor(), redis);
    serin::client client(context.get_executor(), params);
    bool nothing = false;
    params.cache->store->get("key", [&](serin::cache_store::value found) { nothing = !found; });
    context.run();
    return nothing ? EXIT_SUCCESS : EXIT_FAILURE;
}
