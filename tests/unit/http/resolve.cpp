// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/http/resolve.hpp"

#include "../../../src/core/fiber_group.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "test_fiber.hpp"

namespace asio = boost::asio;
using namespace std::chrono_literals;
using serin::addresses;
using serin::errc;
using serin::error_code;
using serin::fiber;
using serin::interleave_families;
using serin::resolve_cache;
using serin::task;

namespace {

addresses list(std::vector<std::string> const& texts)
{
    addresses all;
    for (std::string const& text : texts)
        all.push_back(asio::ip::make_address(text));
    return all;
}

// Answers when the test says so.
class fake_resolver final : public serin::resolver
{
public:
    struct question
    {
        std::string host;
        handler done;
    };

    std::vector<question> asked;

    void lookup(std::string const& host, handler done) override { asked.push_back({host, std::move(done)}); }

    void answer(std::size_t which, error_code ec, addresses found = {})
    {
        std::exchange(asked.at(which).done, nullptr)(ec, std::move(found));
    }
};

struct lookup
{
    std::shared_ptr<test_fiber> f;
    error_code ec = errc::server_error; // Not asked yet
    addresses found;
    std::string why;
};

struct world
{
    asio::io_context context;
    std::shared_ptr<serin::fiber_group> group = std::make_shared<serin::fiber_group>(context.get_executor());
    std::shared_ptr<fake_resolver> source = std::make_shared<fake_resolver>();
    std::shared_ptr<resolve_cache> cache = std::make_shared<resolve_cache>(source, 1h);

    ~world() { source->asked.clear(); } // The questions own the cache, which owns their source

    std::unique_ptr<lookup> ask(std::string const& host)
    {
        auto l = std::make_unique<lookup>();
        l->f = make_test_fiber(context, group);
        auto body = [](resolve_cache& c, std::string name, lookup& out) -> task<void> {
            out.ec = co_await c.resolve(*out.f, name, out.found, out.why);
        };
        l->f->start(body(*cache, host, *l));
        poll();
        return l;
    }

    void poll()
    {
        context.restart();
        context.poll();
    }
};

} // namespace

TEST_CASE("resolve: the families of addresses take turns")
{
    CHECK(interleave_families({}).empty());
    CHECK(interleave_families(list({"1.1.1.1"})) == list({"1.1.1.1"}));
    CHECK(interleave_families(list({"::1", "::2", "::3", "1.1.1.1", "1.1.1.2"})) ==
          list({"::1", "1.1.1.1", "::2", "1.1.1.2", "::3"}));
    CHECK(interleave_families(list({"1.1.1.1", "1.1.1.2", "1.1.1.3", "::1"})) ==
          list({"1.1.1.1", "::1", "1.1.1.2", "1.1.1.3"}));
    CHECK(interleave_families(list({"1.1.1.1", "::1", "1.1.1.2"})) == list({"1.1.1.1", "::1", "1.1.1.2"}));
}

TEST_CASE("resolve: literals are never looked up")
{
    world w;
    for (std::string const literal : {"127.0.0.1", "::1", "2001:db8::7"})
    {
        auto const l = w.ask(literal);
        CHECK_FALSE(l->ec);
        CHECK(l->found == list({literal}));
    }
    CHECK(w.ask("localhost")->found == list({"127.0.0.1", "::1"}));
    CHECK(w.source->asked.empty());
}

TEST_CASE("resolve: many wait for one lookup, and later ones find its result kept")
{
    world w;
    std::vector<std::unique_ptr<lookup>> all;
    for (int i = 0; i < 10; ++i)
        all.push_back(w.ask("api.example.com"));
    auto const other = w.ask("other.example.com");
    REQUIRE(w.source->asked.size() == 2);
    CHECK(w.source->asked[0].host == "api.example.com");
    for (auto const& l : all)
        CHECK_FALSE(l->f->finished);

    w.source->answer(0, {}, list({"::1", "::2", "1.1.1.1"}));
    w.poll();
    for (auto const& l : all)
    {
        CHECK(l->f->finished);
        CHECK_FALSE(l->ec);
        CHECK(l->found == list({"::1", "1.1.1.1", "::2"}));
    }
    CHECK_FALSE(other->f->finished);

    auto const later = w.ask("api.example.com");
    CHECK(later->f->finished);
    CHECK(later->found == list({"::1", "1.1.1.1", "::2"}));
    CHECK(w.source->asked.size() == 2);
}

TEST_CASE("resolve: results are kept for a time only")
{
    world w;
    w.cache = std::make_shared<resolve_cache>(w.source, 0s);
    auto const first = w.ask("a");
    w.source->answer(0, {}, list({"1.1.1.1"}));
    w.poll();
    CHECK(first->found == list({"1.1.1.1"}));
    auto const second = w.ask("a");
    REQUIRE(w.source->asked.size() == 2);
    w.source->answer(1, {}, list({"2.2.2.2"}));
    w.poll();
    CHECK(second->found == list({"2.2.2.2"}));
}

TEST_CASE("resolve: a failure is told to all who wait, says why and is not kept")
{
    world w;
    auto const a = w.ask("gone.example.com");
    auto const b = w.ask("gone.example.com");
    SECTION("an error")
    {
        w.source->answer(0, asio::error::host_not_found);
    }
    SECTION("no address")
    {
        w.source->answer(0, {}, {});
    }
    w.poll();
    for (auto const* l : {a.get(), b.get()})
    {
        CHECK(l->ec == errc::resolve_failed);
        CHECK_THAT(l->why, ContainsSubstring("gone.example.com: "));
    }
    auto const again = w.ask("gone.example.com");
    REQUIRE(w.source->asked.size() == 2);
    w.source->answer(1, {}, list({"1.1.1.1"}));
    w.poll();
    CHECK_FALSE(again->ec);
}

TEST_CASE("resolve: a context without resolver threads is named as the cause")
{
    world w;
    auto const l = w.ask("a.example.com");
    w.source->answer(0, asio::error::operation_not_supported);
    w.poll();
    CHECK(l->ec == errc::resolve_failed);
    CHECK_THAT(l->why, ContainsSubstring("BOOST_ASIO_CONCURRENCY_HINT_UNSAFE"));
}

TEST_CASE("resolve: who gives up goes at once, and the lookup serves the others and the next")
{
    world w;
    auto const quitter = w.ask("slow.example.com");
    auto const patient = w.ask("slow.example.com");
    std::weak_ptr<test_fiber> gone = quitter->f;
    quitter->f->interrupt(errc::connect_timeout);
    w.poll();
    CHECK(quitter->f->finished);
    CHECK(quitter->ec == errc::connect_timeout);
    quitter->f.reset();
    CHECK(gone.expired()); // The lookup does not keep him
    CHECK_FALSE(patient->f->finished);

    auto const next = w.ask("slow.example.com");
    CHECK(w.source->asked.size() == 1);
    w.source->answer(0, {}, list({"1.1.1.1"}));
    w.poll();
    CHECK(patient->found == list({"1.1.1.1"}));
    CHECK(next->found == list({"1.1.1.1"}));
}

TEST_CASE("resolve: giving up while the answer is on its way")
{
    world w;
    auto const l = w.ask("a.example.com");
    w.source->answer(0, {}, list({"1.1.1.1"}));
    l->f->interrupt(asio::error::operation_aborted);
    w.poll();
    CHECK(l->f->finished);
    auto const m = w.ask("b.example.com");
    m->f->interrupt(asio::error::operation_aborted);
    w.source->answer(1, {}, list({"1.1.1.1"}));
    w.poll();
    CHECK(m->f->finished);
    CHECK(m->ec == asio::error::operation_aborted);
}

TEST_CASE("resolve: a lookup that is never answered leaves nothing behind")
{
    std::weak_ptr<test_fiber> gone;
    {
        world w;
        auto const l = w.ask("a.example.com");
        gone = l->f;
        l->f.reset(); // Only the lookup's handler owns it now, as a context would
        CHECK_FALSE(gone.expired());
        w.source->asked.clear();
        CHECK(gone.expired());
    }
}

TEST_CASE("resolve: the system's resolver answers later, whatever it answers")
{
    asio::io_context context;
    addresses found;
    error_code ec = errc::server_error;
    serin::make_system_resolver(context.get_executor())->lookup("localhost", [&](error_code e, addresses all) {
        ec = e;
        found = std::move(all);
    });
    CHECK(ec == errc::server_error); // Never inline
    context.run_for(20s);
    CHECK(ec != errc::server_error);
    if (ec)
        WARN("this machine does not know localhost: " << ec.message());
    else
        CHECK_FALSE(found.empty());
    for (auto const& a : found)
        CHECK(a.is_loopback());
}

TEST_CASE("resolve: a context without threads fails and does not throw")
{
    asio::io_context context(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    error_code ec;
    serin::make_system_resolver(context.get_executor())->lookup("localhost", [&](error_code e, addresses) { ec = e; });
    context.run_for(20s);
    CHECK(ec == asio::error::operation_not_supported);
}
