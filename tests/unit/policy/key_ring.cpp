// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/policy/key_ring.hpp"

#include "catch.hpp"

#include <chrono>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using serin::errc;
using serin::key_choice;
using serin::key_fate;
using serin::key_health;
using serin::key_pointer;
using serin::key_ring;
using serin::key_state;
using serin::secret;
using serin::steady_time;

namespace {

struct ring_fixture
{
    key_ring ring{key_choice::round_robin};
    steady_time now{1h};
    std::vector<key_pointer> refused;

    static std::vector<key_pointer> keys(std::initializer_list<char const*> names)
    {
        std::vector<key_pointer> out;
        for (char const* const name : names)
            out.push_back(std::make_shared<secret const>(name));
        return out;
    }

    void set(std::initializer_list<char const*> names) { ring.update(keys(names)); }

    // Takes a key; its name is empty if there is none.
    struct taken
    {
        std::string name;
        key_pointer key;
        key_ring::ticket t;
    };

    taken take(secret const* wanted = nullptr)
    {
        taken out;
        CHECK(ring.has_key(refused, now) == !ring.candidates(refused, now).empty());
        bool const has = ring.has_key(refused, now);
        auto const first = ring.candidates(refused, now);
        auto c = ring.checkout(refused, now, wanted);
        CHECK(c.has_value() == has);
        if (c)
        {
            if (!wanted)
                CHECK(first.front() == c->key);
            out.key = c->key;
            out.name = c->key->reveal();
            out.t = c->t;
        }
        return out;
    }

    // Takes one and is done with it.
    std::string use()
    {
        auto const c = take();
        if (c.key)
            ring.checkin(c.t);
        return c.name;
    }

    std::string uses(int n)
    {
        std::string out;
        for (int i = 0; i < n; ++i)
            out += use();
        return out;
    }

    void fail(key_fate fate, std::optional<steady_time::duration> retry_after = {})
    {
        auto const c = take();
        REQUIRE(c.key);
        ring.turned_away(c.t, fate, retry_after, now);
        ring.checkin(c.t);
    }

    void succeed()
    {
        auto const c = take();
        REQUIRE(c.key);
        ring.accepted(c.t);
        ring.checkin(c.t);
    }

    key_health health(std::size_t i = 0) { return ring.states(now).at(i); }
};

} // namespace

TEST_CASE_METHOD(ring_fixture, "key_ring: keys take turns")
{
    set({"a", "b", "c"});
    CHECK(uses(7) == "abcabca");
}

TEST_CASE_METHOD(ring_fixture, "key_ring: the least loaded key, in turns among equals")
{
    ring = key_ring(key_choice::least_loaded);
    set({"a", "b", "c"});
    auto const a = take();
    auto const b = take();
    auto const c = take();
    CHECK(a.name + b.name + c.name == "abc");
    ring.checkin(b.t);
    CHECK(uses(3) == "bbb");
    auto const again = take();
    CHECK(again.name == "b");
    CHECK(health(1).in_flight == 1);
    ring.checkin(a.t);
    ring.checkin(c.t);
    CHECK(uses(4) == "caca");
}

TEST_CASE_METHOD(ring_fixture, "key_ring: no key")
{
    CHECK(use().empty());
    auto const s = ring.missing({});
    CHECK(s.ec == errc::invalid_key);
    CHECK(s.until == steady_time::max());
    CHECK(ring.explain({}, now).empty());
    CHECK(ring.states(now).empty());
}

TEST_CASE_METHOD(ring_fixture, "key_ring: what a call was refused with is not given to it again")
{
    set({"a", "b"});
    refused = keys({"a"});
    CHECK(uses(3) == "bbb");
    refused = keys({"a", "b"});
    CHECK(use().empty());
    CHECK(ring.missing(refused).ec == errc::authentication);
    CHECK(ring.missing(refused).until == steady_time::max());
    refused.clear();
    CHECK(uses(2) == "ab");
}

TEST_CASE_METHOD(ring_fixture, "key_ring: the key that is wanted, if it can be had")
{
    set({"a", "b"});
    auto const b = keys({"b"}).front();
    CHECK(take(b.get()).name == "b");
    CHECK(take(b.get()).name == "b");
    refused = keys({"b"});
    CHECK(take(b.get()).name == "a");
    refused.clear();
    fail(key_fate::rest, 10s); // The turn of b
    CHECK(take(b.get()).name == "a");
}

TEST_CASE_METHOD(ring_fixture, "key_ring: a key that is not accepted is passed over while there is another")
{
    set({"a", "b"});
    fail(key_fate::quarantine);
    CHECK(uses(3) == "bbb");
    CHECK(health().state == key_state::quarantined);
    CHECK(health().failures == 1);
    CHECK(health().fingerprint == secret("a").fingerprint());
    CHECK(health(1).state == key_state::usable);
    now += 10000h;
    CHECK(uses(3) == "bbb");
}

TEST_CASE_METHOD(ring_fixture, "key_ring: if there is no other, a key in quarantine is tried now and then")
{
    set({"a"});
    fail(key_fate::quarantine);
    // After 1, 2, 4 ... 600 seconds.
    for (int const pause : {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600})
    {
        CAPTURE(pause);
        CHECK(use().empty());
        auto const s = ring.missing({});
        CHECK(s.ec == errc::authentication);
        CHECK(s.until == now + std::chrono::seconds(pause));
        CHECK(health().usable_in == std::chrono::seconds(pause));
        now += std::chrono::seconds(pause) - 1ns;
        CHECK(use().empty());
        now += 1ns;
        fail(key_fate::quarantine);
    }
    now += 600s;
    succeed();
    CHECK(health().state == key_state::usable);
    CHECK(health().failures == 0);
    CHECK(uses(2) == "aa");
    fail(key_fate::quarantine);
    CHECK(ring.missing({}).until == now + 1s);
}

TEST_CASE_METHOD(ring_fixture, "key_ring: one attempt at a time tries a key in quarantine")
{
    set({"a"});
    fail(key_fate::quarantine);
    now += 1s;
    auto const probe = take();
    CHECK(probe.name == "a");
    CHECK(use().empty());
    CHECK_THAT(ring.explain({}, now), ContainsSubstring("is being tried again"));
    SECTION("that has learnt nothing leaves it to the next")
    {
        ring.checkin(probe.t);
        CHECK(use() == "a");
    }
    SECTION("that succeeds frees it")
    {
        ring.accepted(probe.t);
        CHECK(use() == "a");
        ring.checkin(probe.t);
        CHECK(use() == "a");
    }
    SECTION("that fails leaves it for longer")
    {
        ring.turned_away(probe.t, key_fate::quarantine, {}, now);
        ring.checkin(probe.t);
        now += 1s;
        CHECK(use().empty());
        now += 1s;
        CHECK(use() == "a");
    }
}

TEST_CASE_METHOD(ring_fixture, "key_ring: an empty account rests its key for an hour, and longer each time up to a day")
{
    set({"a", "b"});
    fail(key_fate::rest_long);
    CHECK(health().state == key_state::resting);
    CHECK(health().usable_in == 1h);
    now += 1h - 1ns;
    CHECK(uses(3) == "bbb");
    now += 1ns;
    CHECK(health().state == key_state::usable);
    CHECK(uses(2) == "ab");
    for (int const hours : {2, 4, 8, 16, 24, 24})
    {
        CAPTURE(hours);
        fail(key_fate::rest_long);
        CHECK(health().usable_in == std::chrono::hours(hours));
        CHECK(use() == "b");
        now += std::chrono::hours(hours);
    }
    succeed();
    CHECK(use() == "b");
    fail(key_fate::rest_long);
    CHECK(health().usable_in == 1h);
}

TEST_CASE_METHOD(ring_fixture, "key_ring: the only key is tried again before its long rest is over")
{
    set({"a"});
    fail(key_fate::rest_long);
    CHECK(use().empty());
    auto const s = ring.missing({});
    CHECK(s.ec == errc::quota_exhausted);
    CHECK(s.until == now + 1s);
    now += 1s;
    succeed();
    CHECK(health().state == key_state::usable);
}

TEST_CASE_METHOD(ring_fixture, "key_ring: a rate limit rests its key for the time that the server names")
{
    set({"a", "b"});
    fail(key_fate::rest, 20s);
    CHECK(health().state == key_state::resting);
    CHECK(health().usable_in == 20s);
    CHECK(uses(2) == "bb");
    fail(key_fate::rest, 30s);
    CHECK(use().empty());
    auto const s = ring.missing({});
    CHECK(s.ec == errc::rate_limited);
    CHECK(s.until == now + 20s);
    now += 20s - 1ns;
    CHECK(use().empty());
    now += 1ns;
    CHECK(uses(2) == "aa");
    now += 10s;
    CHECK(uses(2) == "ba");
}

TEST_CASE_METHOD(ring_fixture, "key_ring: absurd times are not believed")
{
    set({"a"});
    fail(key_fate::rest, 1000000h);
    CHECK(health().usable_in == 24h);
    CHECK(ring.missing({}).until == now + 10min); // Then it is tried
    now += 10min;
    CHECK(use() == "a");
    succeed();
    fail(key_fate::rest, -5s);
    CHECK(health().usable_in == 1s);
}

TEST_CASE_METHOD(ring_fixture, "key_ring: without a time the rest is a guess, and the last resort need not wait")
{
    set({"a", "b"});
    for (int const seconds : {1, 2, 4, 8, 16, 32, 60, 60})
    {
        CAPTURE(seconds);
        refused = keys({"b"});
        fail(key_fate::rest);
        CHECK(health().usable_in == std::chrono::seconds(seconds));
        refused.clear();
        CHECK(uses(2) == "bb");
    }
    // Of two that rest, the one whose rest ends first; any number of times.
    refused = keys({"a"});
    fail(key_fate::rest);
    refused.clear();
    auto const one = take();
    auto const two = take();
    CHECK(one.name + two.name == "bb");
    ring.accepted(one.t);
    CHECK(health(1).state == key_state::usable);

    // One that rests on a guess comes before one in quarantine.
    refused = keys({"b"});
    set({"a", "b", "c"});
    now += 60s;
    CHECK(take().name == "c");
    refused = keys({"b", "a"});
    fail(key_fate::quarantine);
    refused = keys({"b"});
    fail(key_fate::rest);
    now += 30s;
    CHECK(use() == "a");
}

TEST_CASE_METHOD(ring_fixture, "key_ring: news of attempts that began before the last change is old")
{
    set({"a"});
    std::vector<taken> many;
    for (int i = 0; i < 5; ++i)
        many.push_back(take());
    ring.turned_away(many[0].t, key_fate::quarantine, {}, now);

    // The others fail for the same reason: no longer pause.
    ring.turned_away(many[1].t, key_fate::quarantine, {}, now + 500ms);
    CHECK(health().failures == 1);
    CHECK(ring.missing({}).until == now + 1s);

    // One that got through before says nothing about it now.
    ring.accepted(many[2].t);
    CHECK(health().state == key_state::quarantined);

    // Nor does something milder.
    ring.turned_away(many[3].t, key_fate::rest, 1h, now);
    CHECK(health().state == key_state::quarantined);
    CHECK(health().in_flight == 5);

    ring.pardon();
    CHECK(health().state == key_state::usable);
    ring.turned_away(many[4].t, key_fate::quarantine, {}, now);
    CHECK(health().state == key_state::usable);
    for (auto const& t : many)
        ring.checkin(t.t);
    CHECK(health().in_flight == 0);
}

TEST_CASE_METHOD(ring_fixture, "key_ring: old news that is worse counts, and the longer time does")
{
    set({"a"});
    std::vector<taken> many;
    for (int i = 0; i < 3; ++i)
        many.push_back(take());
    ring.turned_away(many[0].t, key_fate::rest, 10s, now);
    ring.turned_away(many[1].t, key_fate::rest, 20s, now);
    CHECK(health().usable_in == 20s);
    ring.turned_away(many[1].t, key_fate::rest, 5s, now);
    CHECK(health().usable_in == 20s);
    CHECK(health().failures == 1);
    ring.turned_away(many[2].t, key_fate::rest_long, {}, now);
    CHECK(health().usable_in == 1h);
    CHECK(health().failures == 1);
}

TEST_CASE_METHOD(ring_fixture, "key_ring: nothing happens to a key that the server kept silent about")
{
    set({"a"});
    fail(key_fate::keep);
    CHECK(health().state == key_state::usable);
    CHECK(health().failures == 0);
}

TEST_CASE_METHOD(ring_fixture, "key_ring: a pardon lifts what only the user can mend")
{
    set({"a", "b", "c", "d"});
    fail(key_fate::quarantine);
    fail(key_fate::rest_long);
    fail(key_fate::rest, 10s);
    fail(key_fate::rest);
    ring.pardon();
    CHECK(uses(3) == "aba");
    CHECK(health(0).failures == 0);
    CHECK(health(2).state == key_state::resting);
    CHECK(health(3).state == key_state::resting);
}

TEST_CASE_METHOD(ring_fixture, "key_ring: keys come and go, and what is known of the others stays")
{
    set({"a", "b"});
    fail(key_fate::quarantine);
    auto const b = take();
    set({"c", "a", "b"});
    CHECK(health(0).fingerprint == secret("c").fingerprint());
    CHECK(health(1).state == key_state::quarantined);
    CHECK(health(2).in_flight == 1);
    CHECK(uses(4) == "bcbc");

    // One that goes is not given any more. Who uses it keeps it, and is heard out.
    set({"c"});
    CHECK(ring.states(now).size() == 1);
    CHECK(uses(2) == "cc");
    std::vector<key_pointer> live;
    ring.append_live(live);
    CHECK(live.size() == 2);
    ring.turned_away(b.t, key_fate::quarantine, {}, now);
    set({"c"});
    CHECK(uses(2) == "cc");

    // One that comes back is like new.
    set({"a", "b", "c"});
    CHECK(health(0).state == key_state::usable);
    CHECK(health(1).state == key_state::usable);
    CHECK(health(1).in_flight == 1);
    ring.turned_away(b.t, key_fate::quarantine, {}, now);
    CHECK(health(1).state == key_state::usable);
    ring.checkin(b.t);
    CHECK(health(1).in_flight == 0);

    set({});
    CHECK(use().empty());
    CHECK(ring.missing({}).ec == errc::invalid_key);
}

TEST_CASE_METHOD(ring_fixture, "key_ring: a key that is gone is forgotten with its last attempt")
{
    set({"a"});
    auto const one = take();
    auto const two = take();
    set({"b"});
    ring.checkin(one.t);
    std::vector<key_pointer> live;
    ring.append_live(live);
    CHECK(live.size() == 2);
    ring.checkin(two.t);
    live.clear();
    ring.append_live(live);
    CHECK(live.size() == 1);
    // Nobody minds.
    ring.accepted(two.t);
    ring.turned_away(two.t, key_fate::quarantine, {}, now);
    ring.checkin(two.t);
    CHECK(use() == "b");
}

TEST_CASE_METHOD(ring_fixture, "key_ring: the mildest reason is told, and each key's in words")
{
    set({"a", "b", "c"});
    fail(key_fate::quarantine);
    fail(key_fate::rest_long);
    CHECK(ring.missing(keys({"c"})).ec == errc::authentication); // As c was refused to this call
    fail(key_fate::rest, 7s);
    CHECK(ring.missing({}).ec == errc::rate_limited);
    CHECK(ring.missing({}).until == now + 1s);
    auto const fp = [](char const* key) { return secret(key).fingerprint(); };
    CHECK(ring.explain(keys({"b"}), now) == "key " + fp("a") +
                                                " was not accepted by the server and is tried again in 1 s; key " +
                                                fp("b") + " has used up its account's quota; key " + fp("c") +
                                                " has reached the server's rate limit and is tried again in 7 s");
    set({"1", "2", "3", "4", "5", "6"});
    CHECK_THAT(ring.explain(keys({"1", "2", "3", "4", "5", "6"}), now), ContainsSubstring("; and 2 more"));
}

TEST_CASE_METHOD(ring_fixture, "key_ring: nothing is counted wrong in 100,000 random steps")
{
    std::mt19937_64 random(6);
    std::vector<taken> out;
    std::map<std::string, std::size_t> in_flight;
    std::vector<std::string> names{"a", "b", "c", "d", "e"};
    for (int i = 0; i < 100'000; ++i)
    {
        now += std::chrono::milliseconds(random() % 300);
        auto const dice = random() % 100;
        if (dice < 50)
        {
            bool const has = ring.has_key({}, now);
            auto const c = ring.checkout({}, now);
            REQUIRE(c.has_value() == has);
            auto const s = ring.missing({});
            if (!c && s.until != steady_time::max())
            {
                REQUIRE(s.until > now);
                REQUIRE(ring.has_key({}, s.until));
                REQUIRE_FALSE(ring.has_key({}, s.until - 1ns));
            }
            if (c)
            {
                taken t;
                t.key = c->key;
                t.t = c->t;
                t.name = c->key->reveal();
                ++in_flight[t.name];
                out.push_back(t);
            }
        }
        else if (dice < 95 && !out.empty())
        {
            auto const at = random() % out.size();
            auto const t = out[at];
            out.erase(out.begin() + static_cast<std::ptrdiff_t>(at));
            auto const kind = random() % 10;
            if (kind < 5)
                ring.accepted(t.t);
            else if (kind < 9)
                ring.turned_away(t.t, static_cast<key_fate>(random() % 4),
                    random() % 2 ? std::optional<steady_time::duration>(1s) : std::nullopt, now);
            ring.checkin(t.t);
            --in_flight[t.name];
        }
        else if (dice >= 98)
        {
            std::vector<key_pointer> some;
            for (auto const& name : names)
                if (random() % 2)
                    some.push_back(std::make_shared<secret const>(name));
            ring.update(some);
        }
        for (auto const& h : ring.states(now))
            for (auto const& name : names)
                if (secret(name).fingerprint() == h.fingerprint)
                    REQUIRE(h.in_flight == in_flight[name]);
    }
}
