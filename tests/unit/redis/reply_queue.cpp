// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/redis/reply_queue.hpp"

#include "catch.hpp"

#include <chrono>
#include <vector>

namespace {

using namespace std::chrono_literals;
constexpr serin::steady_time start{};

} // namespace

TEST_CASE("reply queue: replies go to the commands in their order")
{
    serin::reply_queue<int> queue;
    queue.push(1, start + 1s);
    queue.push(2, start + 1s);
    CHECK(queue.take() == 1);
    CHECK(queue.take() == 2);
    CHECK(queue.empty());
}

TEST_CASE("reply queue: the reply of a command whose time was over is passed over")
{
    serin::reply_queue<int> queue;
    queue.push(1, start + 1s);
    queue.push(2, start + 2s);
    CHECK(queue.next_deadline() == start + 1s);
    CHECK(queue.expire(start + 1s - 1ns).empty());
    CHECK(queue.expire(start + 1s) == std::vector<int>{1});
    CHECK(queue.expire(start + 1s).empty());
    CHECK(queue.size() == 2);
    CHECK(queue.waiting() == 1);
    CHECK(queue.next_deadline() == start + 2s);
    CHECK(queue.oldest_deadline() == start + 1s);
    CHECK_FALSE(queue.take());
    CHECK(queue.take() == 2);
    CHECK(queue.next_deadline() == serin::steady_time::max());
    CHECK(queue.oldest_deadline() == serin::steady_time::max());
}

TEST_CASE("reply queue: a lost connection fails those who still wait")
{
    serin::reply_queue<int> queue;
    queue.push(1, start + 1s);
    queue.push(2, start + 2s);
    queue.push(3, start + 2s);
    queue.expire(start + 1s);
    CHECK(queue.clear() == std::vector<int>{2, 3});
    CHECK(queue.empty());
    CHECK(queue.waiting() == 0);
}

TEST_CASE("reply queue: what is sent first on a new connection is answered first")
{
    serin::reply_queue<int> queue;
    queue.push(1, start + 1s);
    queue.push_front(0, start + 9s);
    CHECK(queue.take() == 0);
    CHECK(queue.take() == 1);
}
