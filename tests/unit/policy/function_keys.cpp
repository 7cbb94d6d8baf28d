// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/policy/function_keys.hpp"

#include "catch.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using serin::function_key_params;
using serin::function_keys;
using serin::key_reply;
using serin::secret;
using serin::steady_time;

namespace {

// A source whose function answers when the test says so.
struct vault
{
    steady_time now{1h};
    std::vector<key_reply> asked;
    int news = 0;
    std::shared_ptr<function_keys> source;

    explicit vault(function_key_params const& params = {})
        : source(std::make_shared<function_keys>(
              [this](key_reply reply) { asked.push_back(reply); }, params, [this] { return now; }))
    {}

    void answer(std::string_view key, std::optional<steady_time::duration> valid_for = {})
    {
        auto const reply = asked.back();
        reply(secret(key), valid_for);
    }

    void refresh()
    {
        source->refresh([this] { ++news; });
    }

    // The key, or an empty text.
    std::string key()
    {
        auto const set = source->snapshot();
        return set->keys.empty() ? std::string() : std::string(set->keys.at(0)->reveal());
    }

    std::string problem() { return source->snapshot()->problem; }
    bool pending() { return source->pending() != 0s; }
};

} // namespace

TEST_CASE("function_keys: the function is called when the first key is needed, and once")
{
    vault v;
    CHECK(v.asked.empty());
    CHECK_FALSE(v.pending());
    CHECK(v.key().empty());
    CHECK(v.problem() == "no key has been fetched yet");
    CHECK(v.asked.size() == 1);
    CHECK(v.source->pending() == 10s);
    v.now += 4s;
    CHECK(v.source->pending() == 6s);
    v.answer("sk-1");
    CHECK(v.key() == "sk-1");
    CHECK(v.problem().empty());
    CHECK_FALSE(v.pending());
    v.now += 10000h;
    CHECK(v.key() == "sk-1");
    CHECK(v.asked.size() == 1);
}

TEST_CASE("function_keys: an answer at once")
{
    auto const source = serin::function_key([](key_reply reply) { reply(secret("sk-now")); });
    auto const set = source->snapshot();
    REQUIRE(set->keys.size() == 1);
    CHECK(set->keys[0]->reveal() == "sk-now");
    CHECK(source->pending() == 0s);
}

TEST_CASE("function_keys: a key is replaced before it expires")
{
    vault v;
    v.key();
    v.answer("sk-1", 10min);
    v.now += 9min - 1s;
    CHECK(v.key() == "sk-1");
    CHECK(v.asked.size() == 1);
    v.now += 1s;
    CHECK(v.key() == "sk-1"); // Which does not wait for the next one
    CHECK(v.asked.size() == 2);
    CHECK(v.pending());
    CHECK(v.key() == "sk-1");
    CHECK(v.asked.size() == 2);
    v.answer("sk-2", 10min);
    CHECK(v.key() == "sk-2");

    std::vector<std::shared_ptr<secret const>> live;
    v.source->append_live(live);
    REQUIRE(live.size() == 2);
    CHECK(live[1]->reveal() == "sk-1");
}

TEST_CASE("function_keys: a key that does not live long is replaced after half of its life")
{
    vault v;
    v.key();
    v.answer("sk-1", 20s);
    v.now += 9s;
    CHECK(v.key() == "sk-1");
    CHECK(v.asked.size() == 1);
    v.now += 1s;
    CHECK(v.key() == "sk-1");
    CHECK(v.asked.size() == 2);
}

TEST_CASE("function_keys: an expired key is not used")
{
    vault v;
    v.key();
    v.answer("sk-1", 1min);
    v.now += 1min;
    CHECK(v.key().empty());
    CHECK(v.problem() == "the key has expired");
    CHECK(v.asked.size() == 2);
    v.answer("sk-2");
    CHECK(v.key() == "sk-2");
}

TEST_CASE("function_keys: a failure leaves a valid key in place, and is not repeated at once")
{
    vault v;
    v.key();
    v.answer("sk-1", 10min);
    v.now += 9min;
    v.key();
    v.asked.back().fail("vault\nsays: no sk-1 for you");
    CHECK(v.key() == "sk-1");
    CHECK(v.problem() == "the key function failed: vault says: no [key " + secret("sk-1").fingerprint() + "] for you");
    CHECK(v.asked.size() == 2);

    // 1, 2, 4 ... 60 seconds.
    for (int const pause : {1, 2, 4, 8, 16})
    {
        CAPTURE(pause);
        v.now += std::chrono::seconds(pause) - 1ms;
        auto const before = v.asked.size();
        CHECK(v.key() == "sk-1");
        v.refresh();
        CHECK_FALSE(v.pending());
        CHECK(v.asked.size() == before);
        v.now += 1ms;
        v.key();
        CHECK(v.asked.size() == before + 1);
        v.asked.back().fail("again");
    }
    v.now += 40s; // It has expired
    CHECK(v.key().empty());
    CHECK(v.problem() == "the key has expired, and the key function failed: again");
}

TEST_CASE("function_keys: the pause after a failure has a bound, and a key ends it")
{
    function_key_params p;
    p.retry_delay = 1s;
    p.max_retry_delay = 5s;
    vault v(p);
    for (int i = 0; i < 100; ++i)
    {
        v.key();
        CHECK(v.asked.size() == static_cast<std::size_t>(i + 1));
        v.asked.back().fail("x");
        v.now += 5s;
    }
    v.key();
    v.answer("sk-1", 4s);
    v.now += 2s;
    v.key();
    v.asked.back().fail("x");
    v.now += 1s;
    v.key();
    CHECK(v.asked.size() == 103);
}

TEST_CASE("function_keys: what a function may do wrong")
{
    std::string expected;
    std::function<void(key_reply)> f;
    SECTION("throw")
    {
        f = [](key_reply) { throw std::runtime_error("no\tway"); };
        expected = "the key function threw an exception: no way";
    }
    SECTION("throw something")
    {
        f = [](key_reply) { throw 1; };
        expected = "the key function threw an exception";
    }
    SECTION("be none")
    {
        expected = "the key function threw an exception: bad_function_call";
    }
    SECTION("forget to answer")
    {
        f = [](key_reply) {};
        expected = "the key function gave no answer";
    }
    SECTION("give a malformed key")
    {
        f = [](key_reply reply) { reply(secret("sk-1\r\nX-Evil: 1")); };
        expected = "the key function gave a key that has a carriage return at byte 5 of 15";
    }
    SECTION("give an empty key")
    {
        f = [](key_reply reply) { reply(secret()); };
        expected = "the key function gave a key that is empty";
    }
    SECTION("give an expired key")
    {
        f = [](key_reply reply) { reply(secret("sk-1"), 0s); };
        expected = "the key function gave a key that has expired";
    }
    SECTION("say much")
    {
        f = [](key_reply reply) { reply.fail(std::string(10'000, 'x')); };
        expected = "the key function failed: " + std::string(200, 'x');
    }
    auto const source = serin::function_key(f);
    auto const set = source->snapshot();
    CHECK(set->keys.empty());
    CHECK(set->problem == expected);
    CHECK(source->pending() == 0s);
}

TEST_CASE("function_keys: no answer in time is a failure, and a late one is ignored")
{
    vault v;
    v.key();
    v.refresh();
    v.now += 10s - 1ms;
    CHECK(v.pending());
    CHECK(v.news == 0);
    v.now += 1ms;
    CHECK_FALSE(v.pending());
    SECTION("somebody looks")
    {
        CHECK(v.problem() == "the key function did not answer within 10000 ms");
    }
    SECTION("it answers")
    {
        v.answer("sk-late");
    }
    CHECK(v.news == 1);
    CHECK(v.key().empty());
    v.now += 1s;
    CHECK(v.key().empty());
    CHECK(v.asked.size() == 2);
    v.asked[0](secret("sk-later"));
    CHECK(v.key().empty());
    v.answer("sk-2");
    CHECK(v.key() == "sk-2");
    v.asked[0](secret("sk-latest"));
    v.asked[1](secret("sk-twice"));
    CHECK(v.key() == "sk-2");
}

TEST_CASE("function_keys: however many want a new key, it is fetched once")
{
    vault v;
    v.key();
    v.answer("sk-1");
    for (int i = 0; i < 100; ++i)
        v.refresh();
    CHECK(v.asked.size() == 2);
    CHECK(v.key() == "sk-1");
    CHECK(v.news == 0);
    v.answer("sk-2");
    CHECK(v.news == 100);
    CHECK(v.key() == "sk-2");
    CHECK(v.asked.size() == 2);
}

TEST_CASE("function_keys: who comes while the known key is fetched again gets a newer one")
{
    vault v;
    v.key();
    v.answer("sk-1");
    v.refresh();
    v.refresh();
    v.refresh();
    CHECK(v.asked.size() == 2);
    v.answer("sk-1"); // It was asked before the other two came
    CHECK(v.news == 0);
    CHECK(v.pending());
    CHECK(v.asked.size() == 3);
    v.answer("sk-1");
    CHECK(v.news == 3);
    CHECK_FALSE(v.pending());
    CHECK(v.asked.size() == 3);
}

TEST_CASE("function_keys: a failure is told to all who wait")
{
    vault v;
    v.key();
    v.refresh();
    v.refresh();
    v.asked.back().fail("x");
    CHECK(v.news == 2);
    CHECK(v.asked.size() == 1);
    CHECK_FALSE(v.pending());
    v.refresh();
    CHECK(v.news == 2);
    CHECK_FALSE(v.pending());
}

TEST_CASE("function_keys: after a reload the key is fetched anew, a pause or not")
{
    vault v;
    v.key();
    v.answer("sk-1");
    std::string why;
    CHECK_FALSE(v.source->reload(why));
    CHECK(v.asked.size() == 1);
    CHECK(v.key() == "sk-1");
    CHECK(v.asked.size() == 2);
    v.asked.back().fail("x");
    v.key();
    CHECK(v.asked.size() == 2);
    CHECK_FALSE(v.source->reload(why));
    v.key();
    CHECK(v.asked.size() == 3);
    v.answer("sk-2");
    CHECK(v.key() == "sk-2");
}

TEST_CASE("function_keys: an answer after the end of the source")
{
    vault v;
    v.key();
    v.refresh();
    v.source.reset();
    v.answer("sk-1");
    v.asked.clear();
    CHECK(v.news == 0);
}

TEST_CASE("function_keys: one of several sources")
{
    vault v;
    auto const both = serin::rotating_keys({v.source, serin::fixed_key(secret("sk-fixed"))});
    CHECK(both->snapshot()->keys.size() == 1);
    CHECK(both->pending() == 10s);
    int news = 0;
    both->refresh([&] { ++news; });
    v.answer("sk-1");
    CHECK(news == 1);
    CHECK(both->pending() == 0s);
    auto const set = both->snapshot();
    REQUIRE(set->keys.size() == 2);
    CHECK(set->keys[0]->reveal() == "sk-1");
    CHECK(set->keys[1]->reveal() == "sk-fixed");
    CHECK(both->snapshot() == set);
}

TEST_CASE("function_keys: used and answered from several threads")
{
    std::atomic<int> at_once{0};
    std::atomic<int> most{0};
    std::atomic<int> fetched{0};
    std::vector<std::thread> answers;
    std::mutex mutex;
    auto const source = serin::function_key([&](key_reply reply) {
        most = std::max(most.load(), ++at_once);
        std::lock_guard const lock(mutex);
        answers.emplace_back([&, reply] {
            auto const text = "sk-" + std::to_string(++fetched);
            --at_once;
            reply(secret(text), 1h);
        });
    });
    std::atomic<bool> ordered{true};
    std::atomic<int> news{0};
    std::vector<std::thread> users;
    for (int i = 0; i < 4; ++i)
        users.emplace_back([&] {
            int newest = 0;
            for (int n = 0; n < 200; ++n)
            {
                source->refresh([&] { ++news; });
                auto const set = source->snapshot();
                if (set->keys.empty())
                    continue;
                int const seen = std::stoi(std::string(set->keys[0]->reveal().substr(3)));
                ordered = ordered && seen >= newest;
                newest = seen;
            }
        });
    for (auto& t : users)
        t.join();
    for (bool done = false; !done;)
    {
        std::vector<std::thread> some;
        {
            std::lock_guard const lock(mutex);
            some.swap(answers);
        }
        for (auto& t : some)
            t.join();
        done = some.empty();
    }
    CHECK(most == 1);
    CHECK(ordered);
    CHECK(fetched > 0);
    CHECK(news == 800);
    CHECK(source->pending() == 0s);
}
