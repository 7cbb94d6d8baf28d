// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/http/pool_state.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "catch.hpp"

using namespace std::chrono_literals;
using serin::pool_state;
using serin::steady_time;

namespace {

// Like the real ones, connections cannot be copied.
using connection = std::unique_ptr<int>;
using state = pool_state<connection>;
using id = state::waiter_id;

steady_time const start{1000s};

connection make(int n)
{
    return std::make_unique<int>(n);
}

// The number of the connection that was given, which must have been to `to`.
int given(state::actions const& todo, id to)
{
    REQUIRE(todo.give);
    CHECK(todo.give->waiter == to);
    return *todo.give->connection;
}

// A waiter for whom a connection is begun.
id enqueue_making(state& s)
{
    state::actions todo;
    id const w = s.enqueue(todo);
    REQUIRE(todo.make_for == w);
    return w;
}

id enqueue_waiting(state& s)
{
    state::actions todo;
    id const w = s.enqueue(todo);
    REQUIRE_FALSE(todo.make_for);
    return w;
}

// One more connection in use.
void use_new(state& s, int n)
{
    id const w = enqueue_making(s);
    state::actions todo;
    s.made(w, make(n), start, todo);
    CHECK(given(todo, w) == n);
}

} // namespace

TEST_CASE("pool_state: a connection is made, used, idle and used again")
{
    state s(2);
    CHECK_FALSE(s.pop_idle());
    use_new(s, 7);
    CHECK(s.live() == 1);
    CHECK(s.making() == 0);
    state::actions todo;
    s.freed(make(7), start, todo);
    CHECK_FALSE(todo.give);
    CHECK(s.idle() == 1);
    auto const again = s.pop_idle();
    REQUIRE(again);
    CHECK(**again == 7);
    CHECK(s.live() == 1);
    s.lost(todo);
    CHECK(s.live() == 0);
}

TEST_CASE("pool_state: the most recently used idle connection comes first")
{
    state s(3);
    for (int i = 0; i < 3; ++i)
        use_new(s, i);
    for (int i = 0; i < 3; ++i)
    {
        state::actions todo;
        s.freed(make(i), start + i * 1s, todo);
    }
    CHECK(s.oldest_idle_since() == start);
    CHECK(**s.pop_idle() == 2);
    CHECK(**s.pop_idle() == 1);
    CHECK(**s.pop_idle() == 0);
    CHECK(s.oldest_idle_since() == steady_time::max());
}

TEST_CASE("pool_state: no more connections than allowed, and the queue is first in, first out")
{
    state s(1);
    use_new(s, 1);
    id const a = enqueue_waiting(s);
    id const b = enqueue_waiting(s);
    id const c = enqueue_waiting(s);
    for (id const expected : {a, b, c})
    {
        state::actions todo;
        s.freed(make(1), start, todo);
        CHECK(given(todo, expected) == 1);
        CHECK_FALSE(todo.make_for);
    }
    CHECK(s.live() == 1);
    CHECK(s.waiting() == 0);
}

TEST_CASE("pool_state: a connection that breaks makes room for the first who waits")
{
    state s(1);
    use_new(s, 1);
    id const a = enqueue_waiting(s);
    enqueue_waiting(s);
    state::actions todo;
    s.lost(todo);
    CHECK(todo.make_for == a);
    CHECK(s.live() == 1);
}

TEST_CASE("pool_state: who waits for a new connection takes one that becomes free before")
{
    state s(2);
    use_new(s, 1);
    id const a = enqueue_making(s);
    state::actions todo;
    s.freed(make(1), start, todo);
    CHECK(given(todo, a) == 1);

    CHECK_FALSE(todo.stop_making); // The next call may want the new one
    SECTION("no call is left")
    {
        state::actions last;
        s.freed(make(1), start, last);
        CHECK(last.stop_making);
        SECTION("it is stopped in time")
        {
            state::actions after;
            CHECK_FALSE(s.failed(a, after));
            CHECK_FALSE(after.make_for);
            CHECK(s.live() == 1);
        }
        SECTION("it comes all the same")
        {
            state::actions after;
            s.made(a, make(2), start, after);
            CHECK(s.idle() == 2);
            CHECK(s.live() == 2);
        }
        SECTION("somebody comes while it is being stopped")
        {
            CHECK(s.pop_idle());
            id const b = enqueue_waiting(s);
            state::actions after;
            CHECK_FALSE(s.failed(a, after));
            CHECK(after.make_for == b);
        }
    }
}

TEST_CASE("pool_state: a new connection whose waiter was served goes to the next")
{
    state s(2);
    use_new(s, 1);
    id const a = enqueue_making(s);
    id const b = enqueue_waiting(s);
    state::actions todo;
    s.freed(make(1), start, todo);
    given(todo, a);
    CHECK_FALSE(todo.stop_making); // b needs it
    state::actions after;
    SECTION("made")
    {
        s.made(a, make(2), start, after);
        CHECK(given(after, b) == 2);
    }
    SECTION("failed: not b's failure, b gets a try of his own")
    {
        CHECK_FALSE(s.failed(a, after));
        CHECK(after.make_for == b);
    }
}

TEST_CASE("pool_state: connections that overtake one another serve the queue in order")
{
    state s(3);
    id const a = enqueue_making(s);
    id const b = enqueue_making(s);
    id const c = enqueue_making(s);
    state::actions first;
    s.made(c, make(3), start, first);
    CHECK(given(first, a) == 3);
    CHECK_FALSE(first.stop_making);
    state::actions second;
    s.made(a, make(1), start, second);
    CHECK(given(second, b) == 1);
    state::actions third;
    s.made(b, make(2), start, third);
    CHECK(given(third, c) == 2);
    CHECK(s.making() == 0);
    CHECK(s.live() == 3);
}

TEST_CASE("pool_state: a failed attempt is told to its own waiter and the next gets his try")
{
    state s(1);
    id const a = enqueue_making(s);
    id const b = enqueue_waiting(s);
    state::actions todo;
    CHECK(s.failed(a, todo));
    CHECK(todo.make_for == b);
    CHECK(s.waiting() == 1);
    state::actions after;
    CHECK(s.failed(b, after));
    CHECK_FALSE(after.make_for);
    CHECK(s.live() == 0);
}

TEST_CASE("pool_state: a waiter gives up")
{
    state s(2);
    id const a = enqueue_making(s);
    id const b = enqueue_making(s);
    id const c = enqueue_waiting(s);
    state::actions todo;
    SECTION("one that had nothing under way")
    {
        CHECK(s.abandon(c, todo));
        CHECK_FALSE(todo.stop_making);
        CHECK(s.waiting() == 2);
    }
    SECTION("one whose connection serves another")
    {
        CHECK(s.abandon(a, todo));
        CHECK_FALSE(todo.stop_making); // c waits
        state::actions after;
        s.made(a, make(1), start, after);
        CHECK(given(after, b) == 1);
        state::actions last;
        s.made(b, make(2), start, last);
        CHECK(given(last, c) == 2);
    }
    SECTION("one whose connection nobody needs")
    {
        CHECK(s.abandon(c, todo));
        CHECK(s.abandon(b, todo));
        CHECK_FALSE(todo.stop_making);
        CHECK(s.abandon(a, todo));
        CHECK(todo.stop_making);
    }
    SECTION("one that was served already")
    {
        s.made(a, make(1), start, todo);
        given(todo, a);
        state::actions after;
        CHECK_FALSE(s.abandon(a, after));
    }
}

TEST_CASE("pool_state: who was given a broken connection queues before all others")
{
    state s(1);
    use_new(s, 1);
    id const b = enqueue_waiting(s);
    state::actions todo;
    id const a = s.enqueue_again(todo);
    CHECK(todo.make_for == a);
    CHECK(s.live() == 1);
    state::actions first;
    s.made(a, make(2), start, first);
    CHECK(given(first, a) == 2);
    state::actions second;
    s.freed(make(2), start, second);
    CHECK(given(second, b) == 2);
}

TEST_CASE("pool_state: idle connections are trimmed")
{
    state s(10);
    for (int i = 0; i < 5; ++i)
        use_new(s, i);
    for (int i = 0; i < 5; ++i)
    {
        state::actions todo;
        s.freed(make(i), start + i * 1s, todo);
    }
    std::vector<connection> out;
    s.remove_oldest_idle(out);
    REQUIRE(out.size() == 1);
    CHECK(*out[0] == 0);
    CHECK(s.oldest_idle_since() == start + 1s);
    s.remove_idle([](connection const& c, steady_time) { return *c % 2 == 1; }, out);
    CHECK(out.size() == 3);
    CHECK(s.idle() == 2);
    CHECK(s.live() == 2);
    CHECK(**s.pop_idle() == 4);
    CHECK(**s.pop_idle() == 2);
}

TEST_CASE("pool_state: over a long random life nobody starves and no connection is lost")
{
    std::uint64_t const seed = GENERATE(1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u);
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    auto const below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };

    std::size_t const max_live = 1 + below(6);
    state s(max_live);
    std::set<id> queue;    // Waiting, by age: ids grow
    std::set<id> making;   // Connections under way
    std::set<id> stopping; // Of those, asked to stop
    std::vector<connection> in_use;
    int last_connection = 0;

    auto const carry_out = [&](state::actions& todo) {
        if (todo.give)
        {
            // First in, first out
            REQUIRE_FALSE(queue.empty());
            CHECK(todo.give->waiter == *queue.begin());
            queue.erase(queue.begin());
            in_use.push_back(std::move(todo.give->connection));
        }
        if (todo.stop_making)
        {
            CHECK((queue.empty() && in_use.empty() && !making.empty()));
            stopping = making;
        }
        if (todo.make_for)
        {
            CHECK(queue.count(*todo.make_for) == 1);
            CHECK(making.insert(*todo.make_for).second);
        }
    };
    auto const any_of = [&](std::set<id> const& ids) {
        return *std::next(ids.begin(), static_cast<long>(below(ids.size())));
    };

    auto const check = [&] {
        CHECK(s.live() <= max_live);
        CHECK(s.live() == in_use.size() + making.size() + s.idle());
        CHECK(s.making() == making.size());
        CHECK(s.waiting() == queue.size());
        // Nobody waits beside an idle connection
        CHECK((queue.empty() || s.idle() == 0));
        // Nobody waits for nothing: there is a connection under way for everybody, or there may be no more
        CHECK((queue.size() <= making.size() || s.live() == max_live));
    };

    steady_time now = start;
    for (int step = 0; step < 5000; ++step)
    {
        now += 1ms;
        state::actions todo;
        switch (below(8))
        {
        case 0:
        case 1: // A call comes
            if (auto c = s.pop_idle())
                in_use.push_back(std::move(*c));
            else
            {
                id const w = s.enqueue(todo);
                queue.insert(w);
            }
            break;
        case 2: // A call ends
        case 3:
            if (!in_use.empty())
            {
                auto const at = in_use.begin() + static_cast<long>(below(in_use.size()));
                auto c = std::move(*at);
                in_use.erase(at);
                s.freed(std::move(c), now, todo);
            }
            break;
        case 4: // A connection breaks
            if (!in_use.empty())
            {
                in_use.erase(in_use.begin() + static_cast<long>(below(in_use.size())));
                s.lost(todo);
            }
            break;
        case 5: // A connection is there
            if (!making.empty())
            {
                id const w = any_of(making);
                making.erase(w);
                stopping.erase(w);
                s.made(w, make(++last_connection), now, todo);
            }
            break;
        case 6: // An attempt fails, above all one that was stopped
            if (!making.empty())
            {
                id const w = stopping.empty() ? any_of(making) : any_of(stopping);
                making.erase(w);
                stopping.erase(w);
                bool const waited = queue.count(w) == 1;
                CHECK(s.failed(w, todo) == waited);
                queue.erase(w);
            }
            break;
        case 7: // A call gives up, or idle connections are closed
            if (!queue.empty())
            {
                id const w = any_of(queue);
                queue.erase(w);
                CHECK(s.abandon(w, todo));
            }
            else
            {
                std::vector<connection> out;
                s.remove_idle([&](connection const&, steady_time) { return below(2) == 0; }, out);
            }
            break;
        }
        carry_out(todo);
        check();
    }

    // All that is under way comes, all that is in use ends: everybody is served.
    for (int step = 0; step < 10000 && !(queue.empty() && making.empty() && in_use.empty()); ++step)
    {
        state::actions todo;
        if (!making.empty())
        {
            id const w = any_of(making);
            making.erase(w);
            s.made(w, make(++last_connection), now, todo);
        }
        else if (!in_use.empty())
        {
            auto c = std::move(in_use.back());
            in_use.pop_back();
            s.freed(std::move(c), now, todo);
        }
        carry_out(todo);
        check();
    }
    CHECK(queue.empty());
    CHECK(s.waiting() == 0);
    CHECK(s.live() == s.idle());
}
