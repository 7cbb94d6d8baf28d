// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/http/memory_budget.hpp"

#include <atomic>
#include <cstddef>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "catch.hpp"

using serin::memory_budget;
using serin::memory_share;

namespace {

constexpr std::size_t kib = 1024;

} // namespace

TEST_CASE("memory budget: up to the limit and not beyond")
{
    memory_budget b(1000);
    CHECK(b.take(600));
    CHECK_FALSE(b.take(401));
    CHECK(b.used() == 600);
    CHECK(b.take(400));
    CHECK_FALSE(b.take(1));
    b.give_back(1000);
    CHECK(b.used() == 0);
    CHECK_FALSE(b.take(std::numeric_limits<std::size_t>::max()));
    CHECK(b.used() == 0);
}

TEST_CASE("memory budget: a share grows, shrinks and is given back")
{
    auto const b = std::make_shared<memory_budget>(1000 * kib);
    {
        memory_share one(b);
        CHECK(one.set(64 * kib)); // Free of charge
        CHECK(b->used() == 0);
        CHECK(one.set(600 * kib));
        CHECK(b->used() == 600 * kib);
        memory_share two(b);
        CHECK_FALSE(two.set(500 * kib));
        CHECK(b->used() == 600 * kib);
        CHECK(one.set(500 * kib));
        CHECK(two.set(500 * kib));
        CHECK(one.set(10));
        CHECK(b->used() == 500 * kib);
    }
    CHECK(b->used() == 0);
}

TEST_CASE("memory budget: a refused call takes nothing from others")
{
    // Requests for too much run beside requests that fit: none of these may be refused.
    memory_budget b(1000);
    std::atomic<int> refused{0};
    std::atomic<bool> stop{false};
    std::thread greedy([&] {
        while (!stop)
            if (b.take(1001))
                refused = 1000000;
    });
    for (int i = 0; i < 20000; ++i)
    {
        if (!b.take(900))
            ++refused;
        else
            b.give_back(900);
    }
    stop = true;
    greedy.join();
    CHECK(refused == 0);
}
