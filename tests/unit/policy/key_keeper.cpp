// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/policy/key_keeper.hpp"

#include "../../../src/core/fiber_group.hpp"
#include "../../../src/core/timer_wait.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "test_fiber.hpp"

namespace asio = boost::asio;
using namespace std::chrono_literals;
using serin::errc;
using serin::error_code;
using serin::fiber_group;
using serin::key_choice;
using serin::key_fate;
using serin::key_keeper;
using serin::key_pointer;
using serin::key_reply;
using serin::key_set;
using serin::key_source;
using serin::key_state;
using serin::key_use;
using serin::no_key;
using serin::rate_limit_params;
using serin::secret;
using serin::steady_time;
using serin::task;

namespace {

// A source that the test has in its hand. Keys that are laid out take effect with the next reload.
class scripted_source final : public key_source
{
public:
    explicit scripted_source(std::vector<std::string> keys) { put(std::move(keys)); }

    void put(std::vector<std::string> keys, std::string problem = {})
    {
        std::lock_guard const lock(mutex_);
        put_locked(keys, std::move(problem));
    }

    void lay_out(std::vector<std::string> keys)
    {
        std::lock_guard const lock(mutex_);
        next_ = std::move(keys);
    }

    std::shared_ptr<key_set const> snapshot() override
    {
        if (throws)
            throw std::runtime_error("on strike");
        std::lock_guard const lock(mutex_);
        return set_;
    }

    error_code reload(std::string& why) override
    {
        if (throws)
            throw std::runtime_error("on strike");
        ++reloads;
        std::lock_guard const lock(mutex_);
        if (next_)
            put_locked(*std::exchange(next_, std::nullopt), {});
        why = set_->problem;
        return why.empty() ? error_code() : make_error_code(errc::invalid_key);
    }

    void append_live(std::vector<key_pointer>&) const override
    {
        if (throws)
            throw std::runtime_error("on strike");
    }

    std::atomic<bool> throws{false};
    std::atomic<int> reloads{0};

private:
    void put_locked(std::vector<std::string> const& keys, std::string problem)
    {
        auto set = std::make_shared<key_set>();
        for (auto const& key : keys)
            set->keys.push_back(std::make_shared<secret const>(key));
        set->problem = std::move(problem);
        set->version = ++version_;
        set_ = std::move(set);
    }

    std::mutex mutex_;
    std::uint64_t version_ = 0;
    std::shared_ptr<key_set const> set_;
    std::optional<std::vector<std::string>> next_;
};

// What one fiber came to.
struct attempt
{
    std::shared_ptr<test_fiber> f;
    std::vector<key_pointer> refused;
    key_use use;
    no_key why;
    std::optional<error_code> result;
    std::optional<bool> reloaded;
    bool waited = false;

    std::string key() const { return use ? std::string(use.key()->reveal()) : std::string(); }
};

struct world
{
    asio::io_context context;
    std::shared_ptr<fiber_group> group = std::make_shared<fiber_group>(context.get_executor());
    steady_time now{1h};

    std::shared_ptr<key_keeper> keep(std::shared_ptr<key_source> source, rate_limit_params const& limits = {})
    {
        return std::make_shared<key_keeper>(
            std::move(source), key_choice::round_robin, limits, context.get_executor(), [this] { return now; });
    }

    // False if something is left to do after a long time.
    bool run()
    {
        context.restart();
        context.run_for(20s);
        return context.stopped();
    }

    void poll()
    {
        context.restart();
        context.poll();
    }

    void take(key_keeper& keeper, attempt& a)
    {
        a.f = make_test_fiber(context, group);
        a.f->start(take_one(keeper, a));
    }

    static task<void> take_one(key_keeper& keeper, attempt& a)
    {
        error_code const ec = co_await keeper.take(*a.f, a.refused, a.use, a.why);
        a.result = ec;
        a.waited = !a.f->never_waited();
    }

    // Has the key in use refused by the server, and asks for another one.
    void force(key_keeper& keeper, attempt& a)
    {
        if (a.use)
        {
            a.refused.push_back(a.use.key());
            a.use.turned_away(key_fate::quarantine, {});
        }
        a.f = make_test_fiber(context, group);
        a.f->start(force_one(keeper, a));
    }

    static task<void> force_one(key_keeper& keeper, attempt& a)
    {
        bool const done = co_await keeper.force_reload(*a.f, a.refused);
        a.reloaded = done;
        a.waited = !a.f->never_waited();
    }

    // The key that is there without waiting, given back at once; or the reason.
    std::string use(key_keeper& keeper)
    {
        attempt a;
        take(keeper, a);
        poll();
        REQUIRE(a.result);
        CHECK_FALSE(a.waited);
        CHECK(static_cast<bool>(a.use) == !*a.result);
        return *a.result ? a.why.why : a.key();
    }
};

// A function that is answered by hand.
struct questions
{
    std::vector<key_reply> asked;

    std::shared_ptr<key_source> source(std::chrono::milliseconds timeout = 10s)
    {
        serin::function_key_params p;
        p.timeout = timeout;
        return serin::function_key([this](key_reply reply) { asked.push_back(reply); }, p);
    }

    void answer(std::string_view key) const
    {
        auto const reply = asked.back();
        reply(secret(key));
    }
};

// Counts its copies that are alive.
class key_tracked
{
public:
    explicit key_tracked(std::atomic<int>& count) : count_(&count) { ++count; }
    key_tracked(key_tracked const& other) : count_(other.count_) { ++*count_; }
    key_tracked& operator=(key_tracked const&) = delete;
    ~key_tracked() { --*count_; }

private:
    std::atomic<int>* count_;
};

} // namespace

TEST_CASE("key_keeper: keys are there without waiting, in turns")
{
    world w;
    auto const keeper = w.keep(std::make_shared<scripted_source>(std::vector<std::string>{"a", "b"}));
    CHECK(w.use(*keeper) + w.use(*keeper) + w.use(*keeper) == "aba");
    CHECK(w.context.poll() == 0);
    CHECK(keeper->states().size() == 2);
}

TEST_CASE("key_keeper: a key in use is counted until its use ends")
{
    world w;
    auto const keeper = w.keep(std::make_shared<scripted_source>(std::vector<std::string>{"a"}));
    key_use one;
    CHECK_FALSE(one);
    CHECK(keeper->try_take({}, one));
    key_use two;
    CHECK(keeper->try_take({}, two));
    CHECK(keeper->states().at(0).in_flight == 2);
    key_use moved = std::move(one);
    CHECK_FALSE(one); // NOLINT(bugprone-use-after-move)
    CHECK(moved.key()->reveal() == "a");
    CHECK(keeper->states().at(0).in_flight == 2);
    moved = std::move(two);
    CHECK(keeper->states().at(0).in_flight == 1);
    auto& same = moved;
    moved = std::move(same);
    CHECK(moved);
    CHECK(keeper->try_take({}, moved)); // What it held is over first
    CHECK(keeper->states().at(0).in_flight == 1);
    moved.reset();
    moved.reset();
    CHECK(keeper->states().at(0).in_flight == 0);

    // Without a key nothing matters.
    moved.accepted();
    moved.turned_away(key_fate::quarantine, 1s);
    CHECK(keeper->states().at(0).state == key_state::usable);
}

TEST_CASE("key_keeper: a use outlives who made the keeper")
{
    world w;
    auto keeper = w.keep(std::make_shared<scripted_source>(std::vector<std::string>{"a"}));
    std::weak_ptr<key_keeper> const alive = keeper;
    key_use use;
    CHECK(keeper->try_take({}, use));
    keeper.reset();
    CHECK_FALSE(alive.expired());
    use.accepted();
    use.reset();
    CHECK(alive.expired());
}

TEST_CASE("key_keeper: what the source has is used from then on, and what is in use stays")
{
    world w;
    auto const source = std::make_shared<scripted_source>(std::vector<std::string>{"old"});
    auto const keeper = w.keep(source);
    attempt a;
    w.take(*keeper, a);
    w.poll();
    source->put({"new"});
    CHECK(w.use(*keeper) == "new");
    CHECK(a.key() == "old");

    std::vector<key_pointer> live;
    keeper->append_live(live);
    CHECK(live.size() == 2);

    source->put({"new"}, "the last reload failed");
    CHECK(w.use(*keeper) == "new");
    source->put({}, "all are gone");
    CHECK(w.use(*keeper) == "all are gone");
}

TEST_CASE("key_keeper: why there is no key, and when there will be one")
{
    world w;
    auto const source = std::make_shared<scripted_source>(std::vector<std::string>{});
    auto const keeper = w.keep(source);
    attempt a;
    w.take(*keeper, a);
    w.poll();
    CHECK(a.result == errc::invalid_key);
    CHECK(a.why.why == "there is no key");
    CHECK(a.why.retry_after == 0s);

    source->put({"a"});
    attempt b;
    w.take(*keeper, b);
    w.poll();
    b.use.turned_away(key_fate::rest, 5s);
    b.use.reset();
    attempt c;
    w.take(*keeper, c);
    w.poll();
    CHECK(c.result == errc::rate_limited);
    CHECK(c.why.ec == errc::rate_limited);
    CHECK(c.why.retry_after == 5s);
    CHECK(c.why.why ==
          "key " + secret("a").fingerprint() + " has reached the server's rate limit and is tried again in 5 s");
    w.now += 5s;
    CHECK(w.use(*keeper) == "a");
}

TEST_CASE("key_keeper: a refused key is replaced by another one without reading again")
{
    world w;
    auto const source = std::make_shared<scripted_source>(std::vector<std::string>{"a", "b"});
    auto const keeper = w.keep(source);
    attempt a;
    w.take(*keeper, a);
    w.poll();
    w.force(*keeper, a);
    w.poll();
    CHECK(a.reloaded == true);
    CHECK_FALSE(a.waited);
    CHECK(source->reloads == 0);
    a.use.reset();
    w.take(*keeper, a);
    w.poll();
    CHECK(a.key() == "b");
    CHECK(keeper->states().at(0).state == key_state::quarantined);

    // The server refuses that one too.
    w.force(*keeper, a);
    w.poll();
    CHECK(a.reloaded == false);
    CHECK(source->reloads == 1);
}

TEST_CASE("key_keeper: after a refusal the source is read again")
{
    world w;
    auto const source = std::make_shared<scripted_source>(std::vector<std::string>{"old"});
    auto const keeper = w.keep(source);
    attempt a;
    w.take(*keeper, a);
    w.poll();
    SECTION("and has a new key")
    {
        source->lay_out({"new"});
        w.force(*keeper, a);
        w.poll();
        CHECK(a.reloaded == true);
        w.take(*keeper, a);
        w.poll();
        CHECK(a.key() == "new");
    }
    SECTION("and has the old one still")
    {
        source->lay_out({"old"});
        w.force(*keeper, a);
        w.poll();
        CHECK(a.reloaded == false);
        CHECK(keeper->states().at(0).state == key_state::quarantined);
        w.take(*keeper, a);
        w.poll();
        CHECK(a.result == errc::authentication);
    }
    SECTION("and throws")
    {
        source->throws = true;
        w.force(*keeper, a);
        w.poll();
        CHECK(a.reloaded == false);
    }
    CHECK(source->reloads == (source->throws ? 0 : 1));
}

TEST_CASE("key_keeper: while no key is accepted, calls have the source read again, but not all of them")
{
    world w;
    auto const source = std::make_shared<scripted_source>(std::vector<std::string>{"old"});
    auto const keeper = w.keep(source);
    attempt a;
    w.take(*keeper, a);
    w.poll();
    a.use.turned_away(key_fate::quarantine, {});
    a.use.reset();
    for (int i = 0; i < 100; ++i)
        CHECK_THAT(w.use(*keeper), ContainsSubstring("was not accepted by the server and is tried again in 1 s"));
    CHECK(source->reloads == 1);
    source->lay_out({"new"});
    w.now += 1s - 1ns;
    CHECK(w.use(*keeper) != "new");
    attempt probe;
    w.now += 1ns;
    w.take(*keeper, probe);
    w.poll();
    CHECK(probe.key() == "old");
    CHECK(w.use(*keeper) == "new");
    CHECK(source->reloads == 2);
}

TEST_CASE("key_keeper: a rate limit is no reason to read again")
{
    world w;
    auto const source = std::make_shared<scripted_source>(std::vector<std::string>{"a"});
    auto const keeper = w.keep(source);
    attempt a;
    w.take(*keeper, a);
    w.poll();
    a.use.turned_away(key_fate::rest, 10s);
    w.use(*keeper);
    CHECK(source->reloads == 0);
}

TEST_CASE("key_keeper: a source that throws is a source without keys")
{
    world w;
    auto const source = std::make_shared<scripted_source>(std::vector<std::string>{"a"});
    auto const keeper = w.keep(source);
    source->throws = true;
    CHECK(w.use(*keeper) == "the key source threw: on strike");
    std::string why;
    CHECK(keeper->reload(why) == errc::invalid_key);
    CHECK(why == "the key source threw: on strike");
    std::vector<key_pointer> live;
    keeper->append_live(live);
    CHECK(live.empty());

    // Keys that are known by then stay.
    source->throws = false;
    CHECK(w.use(*keeper) == "a");
    source->throws = true;
    CHECK(w.use(*keeper) == "a");
}

TEST_CASE("key_keeper: the user's reload gives refused keys another chance")
{
    world w;
    auto const source = std::make_shared<scripted_source>(std::vector<std::string>{"a"});
    auto const keeper = w.keep(source);
    attempt a;
    w.take(*keeper, a);
    w.poll();
    a.use.turned_away(key_fate::rest_long, {});
    CHECK(w.use(*keeper) != "a");
    std::string why;
    CHECK_FALSE(keeper->reload(why));
    CHECK(w.use(*keeper) == "a");
}

TEST_CASE("key_keeper: a hundred calls wait for the first key, which is fetched once")
{
    world w;
    questions q;
    auto const keeper = w.keep(q.source());
    std::vector<attempt> all(100);
    for (auto& a : all)
        w.take(*keeper, a);
    w.poll();
    CHECK(q.asked.size() == 1);
    CHECK_FALSE(all[0].result);
    std::thread([&] { q.answer("sk-1"); }).join();
    CHECK(w.run());
    CHECK(q.asked.size() == 1);
    for (auto const& a : all)
    {
        CHECK(a.result == error_code());
        CHECK(a.key() == "sk-1");
        CHECK(a.waited);
    }
}

TEST_CASE("key_keeper: a hundred calls whose key is refused wait for the next one, which is fetched once")
{
    world w;
    questions q;
    auto const keeper = w.keep(q.source());
    attempt first;
    w.take(*keeper, first);
    w.poll();
    q.answer("sk-1");
    CHECK(w.run());
    std::vector<attempt> all(100);
    for (auto& a : all)
        w.take(*keeper, a);
    w.poll();
    for (auto& a : all)
        w.force(*keeper, a);
    w.poll();
    CHECK(q.asked.size() == 2);
    CHECK_FALSE(all[0].reloaded);

    // Who comes now waits too.
    attempt late;
    w.take(*keeper, late);
    w.poll();
    CHECK_FALSE(late.result);
    q.answer("sk-2");
    CHECK(w.run());
    CHECK(q.asked.size() == 2);
    CHECK(late.key() == "sk-2");
    for (auto& a : all)
    {
        CHECK(a.reloaded == true);
        CHECK(keeper->try_take(a.refused, a.use));
        CHECK(a.key() == "sk-2");
    }
}

TEST_CASE("key_keeper: a refused key that is fetched again helps nobody")
{
    world w;
    questions q;
    auto const keeper = w.keep(q.source());
    std::vector<attempt> all(10);
    for (auto& a : all)
        w.take(*keeper, a);
    w.poll();
    q.answer("sk-1");
    CHECK(w.run());
    for (auto& a : all)
        w.force(*keeper, a);
    w.poll();
    q.answer("sk-1");
    w.poll();
    CHECK(q.asked.size() == 3);
    q.answer("sk-1");
    CHECK(w.run());
    CHECK(q.asked.size() == 3);
    for (auto const& a : all)
        CHECK(a.reloaded == false);
}

TEST_CASE("key_keeper: a fetch that fails or never ends is told to all who wait")
{
    world w;
    questions q;
    auto const keeper = w.keep(q.source(30ms));
    std::vector<attempt> all(10);
    for (auto& a : all)
        w.take(*keeper, a);
    w.poll();
    std::string expected;
    SECTION("fails")
    {
        q.asked.back().fail("closed on Sundays");
        expected = "the key function failed: closed on Sundays";
    }
    SECTION("never ends")
    {
        expected = "the key function did not answer within 30 ms";
    }
    CHECK(w.run());
    for (auto const& a : all)
    {
        CHECK(a.result == errc::invalid_key);
        CHECK(a.why.why == expected);
    }
    CHECK(q.asked.size() == 1);
    // The next one need not wait for the next fetch, which is not due yet.
    CHECK(w.use(*keeper) == expected);
}

TEST_CASE("key_keeper: who waits for a key can be interrupted")
{
    world w;
    questions q;
    auto const keeper = w.keep(q.source());
    attempt first;
    w.take(*keeper, first);
    w.poll();
    attempt a;
    attempt b;
    w.take(*keeper, a);
    w.force(*keeper, b);
    w.poll();
    a.f->interrupt(asio::error::operation_aborted);
    b.f->interrupt(errc::deadline_exceeded);
    w.poll();
    CHECK(a.result == asio::error::operation_aborted);
    CHECK_FALSE(a.use);
    CHECK(b.reloaded == false);
    CHECK_FALSE(first.result);
    q.answer("sk-1");
    CHECK(w.run());
    CHECK(first.key() == "sk-1");

    // Before it began, too.
    attempt late;
    late.f = make_test_fiber(w.context, w.group);
    auto body = [](key_keeper& k, attempt& self) -> task<void> {
        asio::steady_timer timer(self.f->get_executor(), 1h);
        co_await serin::timer_wait(*self.f, timer);
        co_await world::take_one(k, self);
        co_await world::force_one(k, self);
    };
    late.f->start(body(*keeper, late));
    late.f->interrupt(asio::error::operation_aborted);
    CHECK(w.run());
    CHECK(late.result == asio::error::operation_aborted);
    CHECK(late.reloaded == false);
}

TEST_CASE("key_keeper: destroying the context frees those who wait, also with the answer under way")
{
    for (bool const answered : {false, true})
    {
        CAPTURE(answered);
        std::atomic<int> alive{0};
        questions q;
        auto const source = q.source();
        std::weak_ptr<key_keeper> gone;
        {
            world w;
            auto const keeper = w.keep(source);
            gone = keeper;
            // It owns itself through its frame as a call does through its user's handler.
            auto body = [](std::shared_ptr<test_fiber> f, std::shared_ptr<key_keeper> k, key_tracked t) -> task<void> {
                key_use use;
                no_key why;
                error_code const ec = co_await k->take(*f, {}, use, why);
                static_cast<void>(ec);
                bool const reloaded = co_await k->force_reload(*f, {});
                static_cast<void>(reloaded);
                static_cast<void>(t);
            };
            for (int i = 0; i < 20; ++i)
            {
                auto const f = make_test_fiber(w.context, w.group);
                f->start(body(f, keeper, key_tracked(alive)));
            }
            w.poll();
            CHECK(alive == 20);
            if (answered)
                q.answer("sk-1");
        }
        CHECK(alive == 0);
        CHECK(gone.expired());
        if (!answered)
            q.answer("sk-1"); // To nobody
    }
}

TEST_CASE("key_keeper: each key has its limits")
{
    world w;
    rate_limit_params limits;
    limits.max_concurrent = 1;
    auto const source = std::make_shared<scripted_source>(std::vector<std::string>{"a", "b"});
    auto const keeper = w.keep(source, limits);
    CHECK(keeper->has_limits());
    CHECK_FALSE(w.keep(source)->has_limits());

    struct limited
    {
        attempt a;
        std::optional<error_code> entered;
        steady_time::duration retry_after{};
    };
    auto body = [](key_keeper& k, limited& l, steady_time deadline) -> task<void> {
        error_code const ec = co_await k.enter(*l.a.f, l.a.refused, 0, deadline, l.a.use, l.retry_after);
        l.entered = ec;
        if (ec)
            co_return;
        co_await world::take_one(k, l.a);
    };
    auto const start = [&](limited& l, steady_time deadline = steady_time::max()) {
        l.a.f = make_test_fiber(w.context, w.group);
        l.a.f->start(body(*keeper, l, deadline));
        w.poll();
    };
    limited one;
    limited two;
    limited three;
    start(one);
    start(two);
    CHECK(one.a.key() + two.a.key() == "ab");
    CHECK(one.a.use.pass());
    start(three);
    CHECK_FALSE(three.entered);

    SECTION("who finds no room waits for it")
    {
        one.a.use.reset();
        w.poll();
        w.poll();
        CHECK(three.a.key() == "a");
    }
    SECTION("not past its deadline")
    {
        limited late;
        start(late, w.now - 1s);
        CHECK(late.entered == errc::rate_limited);
        three.a.f->interrupt(asio::error::operation_aborted);
        w.poll();
        CHECK(three.entered == asio::error::operation_aborted);
    }
    SECTION("a key that has come meanwhile is used")
    {
        source->put({"a", "b", "c"});
        limited four;
        start(four);
        CHECK(four.a.key() == "c");
        one.a.use.reset();
        w.poll();
        w.poll();
        CHECK(three.a.key() == "a");
    }
    SECTION("a reservation with a key that has gone meanwhile is given back")
    {
        limited four;
        auto reserve = [](key_keeper& k, limited& l) -> task<void> {
            error_code const ec = co_await k.enter(*l.a.f, {}, 0, steady_time::max(), l.a.use, l.retry_after);
            l.entered = ec;
        };
        source->put({"a", "c"});
        four.a.f = make_test_fiber(w.context, w.group);
        four.a.f->start(reserve(*keeper, four));
        w.poll();
        REQUIRE(four.entered == error_code());
        source->put({"a", "d"});
        CHECK(keeper->try_take({}, four.a.use));
        CHECK(four.a.key() != "c");
        CHECK_FALSE(four.a.use.pass());
        three.a.f->interrupt(asio::error::operation_aborted);
        w.poll();
    }
    SECTION("without a key there is nothing to wait for")
    {
        source->put({});
        limited four;
        start(four);
        CHECK(four.entered == error_code());
        CHECK(four.a.result == errc::invalid_key);
        three.a.f->interrupt(asio::error::operation_aborted);
        w.poll();
    }
}

TEST_CASE("key_keeper: a key is rotated a thousand times under calls on several threads")
{
    asio::io_context context;
    auto const group = std::make_shared<fiber_group>(context.get_executor());
    auto const source = std::make_shared<scripted_source>(std::vector<std::string>{"sk-0"});
    auto const keeper = std::make_shared<key_keeper>(
        source, key_choice::least_loaded, rate_limit_params(), context.get_executor(), &std::chrono::steady_clock::now);

    // The server accepts the newest key only.
    std::mutex mutex;
    std::string newest = "sk-0";
    std::atomic<bool> stop{false};
    std::atomic<int> failed{0};
    std::atomic<int> served{0};
    auto body = [&](test_fiber& f) -> task<void> {
        while (!stop)
        {
            std::vector<key_pointer> refused;
            for (int i = 0;; ++i)
            {
                key_use use;
                no_key why;
                error_code const ec = co_await keeper->take(f, refused, use, why);
                bool accepted = false;
                if (!ec)
                {
                    std::lock_guard const lock(mutex);
                    accepted = newest == use.key()->reveal();
                }
                if (accepted)
                {
                    use.accepted();
                    ++served;
                    break;
                }
                if (ec || i == 1000)
                {
                    ++failed;
                    break;
                }
                refused.push_back(use.key());
                use.turned_away(key_fate::quarantine, {});
                use.reset();
                bool const again = co_await keeper->force_reload(f, refused);
                if (!again)
                {
                    ++failed;
                    break;
                }
            }
            asio::steady_timer timer(f.get_executor(), 10us);
            co_await serin::timer_wait(f, timer);
        }
    };
    std::vector<std::shared_ptr<test_fiber>> fibers;
    for (int i = 0; i < 64; ++i)
    {
        fibers.push_back(make_test_fiber(context, group));
        fibers.back()->start(body(*fibers.back()));
    }
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&] { context.run(); });
    for (int i = 1; i <= 1000; ++i)
    {
        auto const key = "sk-" + std::to_string(i);
        {
            // The new key is readable when the old one is revoked. Nobody has told the client.
            std::lock_guard const lock(mutex);
            source->lay_out({key});
            newest = key;
        }
        // Somebody is served before the next one comes.
        for (int const before = served; served == before;)
            std::this_thread::yield();
    }
    stop = true;
    for (auto& t : threads)
        t.join();
    CHECK(failed == 0);
    CHECK(served >= 1000);
    for (auto const& h : keeper->states())
        CHECK(h.in_flight == 0);
}
