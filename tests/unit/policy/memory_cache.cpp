// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/policy/memory_cache.hpp"

#include "catch.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

TEST_CASE("memory cache: completes at once, and forgets after the ttl")
{
    serin::steady_time now{};
    serin::memory_cache cache(10, 10'000, [&now] { return now; });
    auto const look = [&cache] {
        std::string what = "not called";
        cache.get("k", [&](serin::cache_store::value v) { what = v ? *v : "nothing"; });
        return what;
    };
    CHECK(look() == "nothing");
    cache.put("k", std::make_shared<std::string const>("v"), 10s);
    CHECK(look() == "v");
    CHECK(cache.size().entries == 1);
    now += 10s;
    CHECK(look() == "nothing");
    CHECK(cache.size().entries == 0);

    // As long as the clock goes.
    cache.put("k", std::make_shared<std::string const>("v"), std::chrono::milliseconds::max());
    now += 1000h;
    CHECK(look() == "v");
}

TEST_CASE("memory cache: several threads may use it")
{
    auto const cache = serin::memory_cache_store(50, 100'000);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&cache, &wrong, t] {
            for (int i = 0; i < 2000; ++i)
            {
                std::string const key = std::to_string((i * 7 + t) % 100);
                cache->put(key, std::make_shared<std::string const>("of " + key), 1h);
                cache->get(key, [&](serin::cache_store::value v) {
                    if (v && *v != "of " + key)
                        ++wrong;
                });
            }
        });
    for (auto& thread : threads)
        thread.join();
    CHECK(wrong == 0);
    CHECK(cache->size().entries <= 50);
    CHECK(cache->size().evictions > 0);
}
