// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Keys that change while requests are in flight, and what becomes of a key that the server turns away.

#include "catch.hpp"
#include "keys.hpp"
#include "tries.hpp"

#include "policy/function_keys.hpp"

#include <serin/mock/provider.hpp>
#include <serin/policy/keys.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using serin::errc;
using serin::key_state;
using serin::mock::behavior;
using serin::mock::provider;

namespace {

std::string const key_a = "sk-test-A-5c9d1e7f3b";
std::string const key_b = "sk-test-B-8a2f6d4c0e";
std::string const key_c = "sk-test-C-1b7e9a3d5f";

std::shared_ptr<serin::key_source> fixed(std::vector<std::string> const& keys)
{
    std::vector<serin::secret> secrets;
    for (std::string const& k : keys)
        secrets.emplace_back(std::string_view(k));
    return serin::fixed_keys(std::move(secrets));
}

serin::client_params with_keys(provider const& server, std::shared_ptr<serin::key_source> keys)
{
    auto p = upstreams_at({server.base_url()});
    p.upstreams[0].keys = std::move(keys);
    return p;
}

char letter_of(std::string const& key)
{
    if (key == key_a)
        return 'A';
    if (key == key_b)
        return 'B';
    return key == key_c ? 'C' : '?';
}

// The keys of all requests so far, in order: "ABA".
std::string keys_used(provider const& server)
{
    std::string letters;
    for (auto const& r : server.requests())
        letters += letter_of(key_in(r.headers));
    return letters;
}

// Answers requests with one key so, all others well.
void answer_key(provider& server, std::string key, behavior b)
{
    server.set_function([key = std::move(key), b = std::move(b)](
                            serin::mock::request_view const& r) { return key_in(r.headers) == key ? b : behavior(); });
}

std::vector<serin::key_health> health(quick_session& s)
{
    auto const all = s.client.keys();
    REQUIRE(all.size() == 1);
    CHECK(all[0].upstream == "a");
    return all[0].keys;
}

std::string fingerprints(quick_session& s)
{
    std::string text;
    for (auto const& k : health(s))
        text += (text.empty() ? "" : " ") + k.fingerprint;
    return text;
}

// A call that goes on while the test does other things.
class open_call
{
public:
    open_call(quick_session& s, bool streamed, serin::chat_request request = ask())
    {
        if (streamed)
            s.client.async_stream(std::move(request), diag,
                asio::bind_cancellation_slot(
                    signal.slot(), [this](serin::error_code e, serin::chat_stream) { ec = e; }));
        else
            s.client.async_chat(std::move(request), diag,
                asio::bind_cancellation_slot(
                    signal.slot(), [this](serin::error_code e, serin::chat_response) { ec = e; }));
    }

    asio::cancellation_signal signal;
    serin::diagnostics diag;
    std::optional<serin::error_code> ec;
};

// Many calls at once, on the thread that runs the context.
class load
{
public:
    load(quick_session& s, std::size_t calls, std::size_t concurrency) : session_(s), left_(calls)
    {
        for (std::size_t i = 0; i < concurrency; ++i)
            next();
    }

    std::atomic<std::size_t> ended{0};
    std::size_t succeeded = 0;
    std::size_t second_tries = 0; // Attempts beyond the first of a call
    std::map<std::string, std::size_t> failures;

private:
    void next()
    {
        if (left_ == 0)
            return;
        --left_;
        auto const diag = std::make_shared<serin::diagnostics>();
        session_.client.async_chat(ask(), *diag, [this, diag](serin::error_code ec, serin::chat_response) {
            if (ec)
                ++failures[std::string(serin::give_up_name(diag->gave_up)) + " after " + trail(*diag)];
            else
                ++succeeded;
            second_tries += diag->attempts.empty() ? 0 : diag->attempts.size() - 1;
            ++ended;
            ended.notify_all();
            next();
        });
    }

    quick_session& session_;
    std::size_t left_;
};

std::string text_of(std::map<std::string, std::size_t> const& counts)
{
    std::string text;
    for (auto const& [what, n] : counts)
        text += std::to_string(n) + " x " + what + "\n";
    return text;
}

} // namespace

// ---- Several keys

TEST_CASE("key rotation: two keys take turns")
{
    bool const streamed = GENERATE(false, true);
    provider server;
    server.set_keys({key_a, key_b});
    quick_session s(with_keys(server, fixed({key_a, key_b})));
    for (int i = 0; i < 6; ++i)
        CHECK_FALSE(s.call(streamed).ec);
    CHECK(keys_used(server) == "ABABAB");
    for (auto const& k : health(s))
    {
        CHECK(k.state == key_state::usable);
        CHECK(k.in_flight == 0);
        CHECK(k.failures == 0);
    }
}

TEST_CASE("key rotation: the key with fewer attempts under way is taken, if that is wanted")
{
    provider server;
    server.on_model("slow", behavior().delayed(serin::mock::forever));
    auto p = with_keys(server, fixed({key_a, key_b}));
    std::string expected = "ABAB";
    if (GENERATE(false, true))
    {
        p.upstreams[0].choose_key = serin::key_choice::least_loaded;
        expected = "ABBB";
    }
    quick_session s(p);
    open_call slow(s, false, ask("slow"));
    REQUIRE(run_until(s.context, [&] { return server.request_count() == 1; }));
    CHECK(health(s)[0].in_flight == 1);
    for (std::size_t i = 0; i < 3; ++i)
    {
        open_call quick(s, false);
        REQUIRE(run_until(s.context, [&] { return quick.ec.has_value(); }));
        CHECK_FALSE(*quick.ec);
    }
    CHECK(keys_used(server) == expected);
    slow.signal.emit(asio::cancellation_type::total);
    s.finish();
    CHECK(slow.ec);
    CHECK(health(s)[0].in_flight == 0);
}

TEST_CASE("key rotation: a key that the server does not accept is left alone, and another one used at once")
{
    bool const streamed = GENERATE(false, true);
    provider server;
    int status = 401;
    SECTION("401")
    {
        server.set_keys({key_b});
    }
    SECTION("403 that names the key by its code")
    {
        status = 403;
        answer_key(server, key_a, behavior().with_status(403).with_error("No.", "", "invalid_api_key"));
    }
    SECTION("403 that names the key in its text")
    {
        status = 403;
        answer_key(server, key_a, behavior().with_status(403).with_error("This API key was revoked.", "", ""));
    }
    quick_session s(with_keys(server, fixed({key_a, key_b})));
    outcome const r = s.call(streamed);
    CAPTURE(trail(r.diag));
    CHECK_FALSE(r.ec);
    REQUIRE(asked(r.diag) == "aa");
    CHECK(r.diag.attempts[0].status == status);
    CHECK(r.diag.attempts[1].waited == 0s);
    CHECK(s.clock->waits().empty());
    CHECK(keys_used(server) == "AB");
    for (int i = 0; i < 3; ++i)
        CHECK_FALSE(s.call(streamed).ec);
    CHECK(keys_used(server) == "ABBBB");

    auto const keys = health(s);
    REQUIRE(keys.size() == 2);
    CHECK(keys[0].fingerprint == fingerprint_of_key(key_a));
    CHECK(keys[0].state == key_state::quarantined);
    CHECK(keys[0].failures == 1);
    CHECK(keys[0].in_flight == 0);
    CHECK(keys[1].fingerprint == fingerprint_of_key(key_b));
    CHECK(keys[1].state == key_state::usable);
    CHECK(keys[1].failures == 0);

    // Somebody has seen to it.
    server.set_keys({key_a, key_b});
    server.set_function({});
    CHECK_FALSE(s.client.reload_keys());
    CHECK(health(s)[0].state == key_state::usable);
    for (int i = 0; i < 2; ++i)
        CHECK_FALSE(s.call(streamed).ec);
    std::string const last = keys_used(server).substr(5);
    CHECK((last == "AB" || last == "BA"));
}

TEST_CASE("key rotation: a refusal that is not the key's fault says nothing about it")
{
    bool const streamed = GENERATE(false, true);
    provider server;
    errc expected = errc::permission;
    SECTION("403")
    {
        server.set_default(
            behavior().with_status(403).with_error("You may not use this model.", "permission_error", ""));
    }
    SECTION("400")
    {
        expected = errc::invalid_request;
        server.set_default(behavior().with_status(400));
    }
    quick_session s(with_keys(server, fixed({key_a, key_b})));
    outcome const r = s.call(streamed);
    CHECK(r.ec == expected);
    CHECK(asked(r.diag) == "a");
    CHECK(keys_used(server) == "A");
    for (auto const& k : health(s))
        CHECK(k.state == key_state::usable);
}

TEST_CASE("key rotation: a key whose account is empty rests for long")
{
    bool const streamed = GENERATE(false, true);
    provider server;
    SECTION("insufficient_quota")
    {
        answer_key(server, key_a,
            behavior().with_status(429).with_error("You are broke.", "insufficient_quota", "insufficient_quota"));
    }
    SECTION("402")
    {
        answer_key(server, key_a, behavior().with_status(402));
    }
    quick_session s(with_keys(server, fixed({key_a, key_b})));
    outcome const r = s.call(streamed);
    CAPTURE(trail(r.diag));
    CHECK_FALSE(r.ec);
    CHECK(asked(r.diag) == "aa");
    CHECK(s.clock->waits().empty());
    auto const keys = health(s);
    CHECK(keys[0].state == key_state::resting);
    CHECK(keys[0].usable_in > 30min);
    CHECK(keys[1].state == key_state::usable);
    s.clock->jump(30min);
    for (int i = 0; i < 3; ++i)
        CHECK_FALSE(s.call(streamed).ec);
    CHECK(keys_used(server) == "ABBBB");
}

TEST_CASE("key rotation: a key that the server has enough of rests as long as it is told, and another one is used")
{
    bool const streamed = GENERATE(false, true);
    provider server;
    answer_key(server, key_a, behavior().with_status(429).with_retry_after("20"));
    quick_session s(with_keys(server, fixed({key_a, key_b})));
    outcome const r = s.call(streamed);
    CAPTURE(trail(r.diag));
    CHECK_FALSE(r.ec);
    CHECK(asked(r.diag) == "aa");
    CHECK(s.clock->waits().empty());
    auto const keys = health(s);
    CHECK(keys[0].state == key_state::resting);
    CHECK(keys[0].usable_in > 1s);
    CHECK(keys[0].usable_in <= 20s);
    for (int i = 0; i < 3; ++i)
        CHECK_FALSE(s.call(streamed).ec);
    CHECK(keys_used(server) == "ABBBB");

    server.set_function({});
    s.clock->jump(21s);
    CHECK(health(s)[0].state == key_state::usable);
    for (int i = 0; i < 2; ++i)
        CHECK_FALSE(s.call(streamed).ec);
    CHECK(keys_used(server).substr(5).find('A') != std::string::npos);
}

TEST_CASE("key rotation: all keys rest: the call waits as long as the server said")
{
    bool const streamed = GENERATE(false, true);
    provider server;
    server.on_next(behavior().with_status(429).with_retry_after("20"));
    server.on_next(behavior().with_status(429).with_retry_after("30"));
    quick_session s(with_keys(server, fixed({key_a, key_b})));
    outcome const r = s.call(streamed);
    CAPTURE(trail(r.diag));
    CHECK_FALSE(r.ec);
    CHECK(keys_used(server).substr(0, 2) == "AB");
    CHECK(r.diag.attempts.size() == 3);
    CHECK_FALSE(s.clock->waits().empty());
}

TEST_CASE("key rotation: no key is accepted")
{
    bool const streamed = GENERATE(false, true);
    provider server;
    server.set_default(behavior().with_status(401).with_error("Whoever you are, go away.", "", "invalid_api_key"));
    quick_session s(with_keys(server, fixed({key_a, key_b})));
    auto const began = std::chrono::steady_clock::now();
    outcome const r = s.call(streamed);
    CAPTURE(trail(r.diag));
    CHECK(r.ec == errc::authentication);
    CHECK(r.diag.message == "Whoever you are, go away.");
    CHECK(r.diag.status == 401);
    CHECK(asked(r.diag) == "aa");
    CHECK(keys_used(server) == "AB");
    CHECK(s.clock->waits().empty());

    // Nobody is asked again for a while, and the call says why.
    outcome const next = s.call(streamed);
    CAPTURE(trail(next.diag));
    CHECK(next.ec == errc::authentication);
    CHECK(next.diag.status == 0);
    CHECK_THAT(next.diag.message, ContainsSubstring(fingerprint_of_key(key_a)));
    CHECK_THAT(next.diag.message, ContainsSubstring(fingerprint_of_key(key_b)));
    CHECK(server.request_count() == 2);
    CHECK(std::chrono::steady_clock::now() - began < 5s);

    // Now and then one of them is, and if it is accepted all is well.
    server.set_default(behavior());
    s.clock->jump(15min);
    CHECK_FALSE(s.call(streamed).ec);
    CHECK(server.request_count() == 3);
}

TEST_CASE("key rotation: without any key the call fails and says so")
{
    provider server;
    key_file const file("\n");
    quick_session s(with_keys(server, serin::file_key(file.path())));
    outcome const r = s.chat();
    CHECK(r.ec == errc::invalid_key);
    CHECK_THAT(r.diag.message, ContainsSubstring(file.path()));
    CHECK(server.request_count() == 0);
    file.put(key_a);
    s.clock->jump(2s);
    CHECK_FALSE(s.chat().ec);
    CHECK(keys_used(server) == "A");
}

TEST_CASE("key rotation: other upstreams have keys of their own")
{
    provider first;
    provider second;
    first.set_keys({key_c});
    second.set_keys({key_b});
    auto p = upstreams_at({first.base_url(), second.base_url()});
    p.upstreams[0].keys = fixed({key_a});
    p.upstreams[1].keys = fixed({key_b});
    quick_session s(p);
    outcome const r = s.chat();
    CHECK_FALSE(r.ec);
    CHECK(asked(r.diag) == "ab");
    CHECK(keys_used(first) == "A");
    CHECK(keys_used(second) == "B");
    auto const all = s.client.keys();
    REQUIRE(all.size() == 2);
    CHECK(all[0].keys[0].state == key_state::quarantined);
    CHECK(all[1].keys[0].state == key_state::usable);
}

TEST_CASE("key rotation: each key has limits of its own")
{
    provider server;
    auto p = with_keys(server, fixed({key_a, key_b}));
    p.upstreams[0].key_limits.requests_per_minute = 1;
    p.upstreams[0].key_limits.on_limit = serin::when_limited::fail;
    quick_session s(p);
    CHECK_FALSE(s.chat().ec);
    CHECK_FALSE(s.chat().ec);
    std::string const used = keys_used(server);
    CHECK((used == "AB" || used == "BA"));

    outcome const third = s.chat();
    CHECK(third.ec == errc::rate_limited);
    CHECK_THAT(third.diag.message, ContainsSubstring("the keys of a"));
    REQUIRE(third.diag.retry_after);
    CHECK(*third.diag.retry_after <= 1min);
    CHECK(server.request_count() == 2);

    s.clock->jump(1min);
    CHECK_FALSE(s.chat().ec);
    CHECK_FALSE(s.chat().ec);
    CHECK(keys_used(server).substr(2).find('A') != std::string::npos);
    CHECK(keys_used(server).substr(2).find('B') != std::string::npos);
}

// ---- A file that is replaced

TEST_CASE("key rotation: a key that was replaced is read again when the server refuses the old one")
{
    bool const streamed = GENERATE(false, true);
    provider server;
    server.set_keys({key_a});
    key_file const file(key_a + "\n");
    auto p = with_keys(server, serin::file_key(file.path()));
    p.retry.max_attempts = 1; // The replay is none
    p.retry.budget_ratio = 0;
    p.retry.budget_per_second = 0;
    quick_session s(p);
    CHECK_FALSE(s.call(streamed).ec);

    server.set_keys({key_b});
    file.put(key_b + "\n");
    outcome const r = s.call(streamed);
    CAPTURE(trail(r.diag));
    CHECK_FALSE(r.ec);
    REQUIRE(asked(r.diag) == "aa");
    CHECK(r.diag.attempts[0].status == 401);
    CHECK(r.diag.attempts[0].error == errc::authentication);
    CHECK_FALSE(r.diag.attempts[1].error);
    CHECK(s.clock->waits().empty());
    CHECK(keys_used(server) == "AAB");
    CHECK(fingerprints(s) == fingerprint_of_key(key_b));
    CHECK_FALSE(s.call(streamed).ec);
    CHECK(keys_used(server) == "AABB");
}

TEST_CASE("key rotation: an answer to the old key that comes after the new one was read is no attempt either")
{
    bool const streamed = GENERATE(false, true);
    provider server;
    answer_key(server, key_a, behavior().with_status(401).delayed(100ms));
    key_file const file(key_a);
    auto p = with_keys(server, serin::file_key(file.path()));
    p.retry.max_attempts = 1;
    quick_session s(p);
    open_call c(s, streamed);
    REQUIRE(run_until(s.context, [&] { return server.request_count() == 1; }));
    file.put(key_b);
    CHECK_FALSE(s.client.reload_keys());
    REQUIRE(run_until(s.context, [&] { return c.ec.has_value(); }));
    CAPTURE(trail(c.diag));
    CHECK_FALSE(*c.ec);
    CHECK(keys_used(server) == "AB");
    s.finish();
}

TEST_CASE("key rotation: a reload that brings nothing new is not followed by another request")
{
    bool const streamed = GENERATE(false, true);
    provider server;
    server.set_keys({key_b});
    key_file const file(key_a);
    quick_session s(with_keys(server, serin::file_key(file.path())));
    SECTION("the same key")
    {
        file.put("# Touched\n" + key_a);
    }
    SECTION("the file is gone")
    {
        std::filesystem::remove(file.path());
    }
    SECTION("the file holds what is no key")
    {
        file.put("not a key\n");
    }
    outcome const r = s.call(streamed);
    CAPTURE(trail(r.diag));
    CHECK(r.ec == errc::authentication);
    CHECK(r.diag.status == 401);
    CHECK(asked(r.diag) == "a");
    CHECK(keys_used(server) == "A");
    CHECK(s.clock->waits().empty());
}

namespace {

// Has another key whenever it is asked for one, and never a good one.
class tireless_source final : public serin::key_source
{
public:
    std::shared_ptr<serin::key_set const> snapshot() override { return set_; }

    serin::error_code reload(std::string&) override
    {
        ++reloads;
        auto next = std::make_shared<serin::key_set>();
        next->version = set_->version + 1;
        next->keys.push_back(std::make_shared<serin::secret const>("sk-test-bad-" + std::to_string(next->version)));
        set_ = std::move(next);
        return {};
    }

    void append_live(std::vector<std::shared_ptr<serin::secret const>>& out) const override
    {
        out.insert(out.end(), set_->keys.begin(), set_->keys.end());
    }

    int reloads = 0;

private:
    std::shared_ptr<serin::key_set const> set_ = std::make_shared<serin::key_set const>();
};

// Fewer where a sanitizer makes everything slow, unless SERIN_TEST_ROTATIONS says how many.
std::size_t rotations_wanted()
{
    if (char const* const wanted = std::getenv("SERIN_TEST_ROTATIONS"))
        return std::stoul(wanted);
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    return 100;
#else
    return 1000;
#endif
}

} // namespace

TEST_CASE("key rotation: a source that always has another bad key does not keep a call for ever")
{
    bool const streamed = GENERATE(false, true);
    provider server;
    server.set_keys({key_b});
    auto const source = std::make_shared<tireless_source>();
    quick_session s(with_keys(server, source));
    outcome const r = s.call(streamed);
    CAPTURE(trail(r.diag));
    CHECK(r.ec == errc::authentication);
    CHECK(server.request_count() >= 2);
    CHECK(server.request_count() <= 6);
    CHECK(source->reloads <= 10);
    std::set<std::string> different;
    for (auto const& q : server.requests())
        different.insert(key_in(q.headers));
    CHECK(different.size() == server.request_count());
    CHECK(s.clock->waits().empty());
}

TEST_CASE("key rotation: a key that is removed in flight serves its request to the end, and no other one")
{
    bool const streamed = GENERATE(false, true);
    provider server;
    server.set_function(
        [](serin::mock::request_view const& r) { return r.model == "slow" ? behavior().delayed(100ms) : behavior(); });
    key_file const file(key_a + "\n" + key_b + "\n");
    quick_session s(with_keys(server, serin::file_key(file.path())));
    open_call slow(s, streamed, ask("slow"));
    REQUIRE(run_until(s.context, [&] { return server.request_count() == 1; }));
    REQUIRE(keys_used(server) == "A");

    file.put(key_b);
    CHECK_FALSE(s.client.reload_keys());
    CHECK(fingerprints(s) == fingerprint_of_key(key_b));
    for (int i = 0; i < 3; ++i)
    {
        open_call c(s, false);
        REQUIRE(run_until(s.context, [&] { return c.ec.has_value(); }));
        CHECK_FALSE(*c.ec);
    }
    REQUIRE(run_until(s.context, [&] { return slow.ec.has_value(); }));
    CHECK_FALSE(*slow.ec);
    CHECK(asked(slow.diag) == "a");
    CHECK(keys_used(server) == "ABBB");
    s.finish();

    file.put(key_a + "\n" + key_b + "\n");
    CHECK_FALSE(s.client.reload_keys());
    for (auto const& k : health(s))
        CHECK(k.in_flight == 0);
}

TEST_CASE("key rotation: reloading reports what is wrong and keeps the key")
{
    provider server;
    key_file const file(key_a);
    quick_session s(with_keys(server, serin::file_key(file.path())));
    std::filesystem::remove(file.path());
    serin::diagnostics diag;
    CHECK(s.client.reload_keys(diag));
    CHECK(diag.upstream == "a");
    CHECK_THAT(diag.message, ContainsSubstring(file.path()));
    CHECK_FALSE(s.chat().ec);
    CHECK(keys_used(server) == "A");
}

// ---- Watching

TEST_CASE("key rotation: a file that is watched is used by the next call, and no request is refused")
{
    bool const streamed = GENERATE(false, true);
    provider server;
    key_file const file(key_a);
    std::vector<std::string> lines;
    std::filesystem::path const folder = file.directory();
    std::string path = file.path();
    std::function<void()> replace = [&] { file.put(key_b); };
    SECTION("renamed") {}
    SECTION("behind symbolic links, as a Kubernetes secret is")
    {
        auto const publish = [folder](std::string const& version, std::string const& key) {
            std::filesystem::create_directory(folder / version);
            std::ofstream(folder / version / "api-key", std::ios::binary) << key;
            std::filesystem::create_directory_symlink(version, folder / "..data_tmp");
            std::filesystem::rename(folder / "..data_tmp", folder / "..data");
        };
        publish("..1", key_a);
        std::filesystem::create_symlink(std::filesystem::path("..data") / "api-key", folder / "api-key");
        path = (folder / "api-key").string();
        replace = [folder, publish] {
            publish("..2", key_b);
            std::filesystem::remove_all(folder / "..1");
        };
    }
    auto p = with_keys(server, serin::file_key(path));
    p.log = [&](serin::log_level, std::string_view line) { lines.emplace_back(line); };
    quick_session s(p);
    s.client.start();
    server.set_keys({key_a});
    {
        open_call c(s, streamed);
        REQUIRE(run_until(s.context, [&] { return c.ec.has_value(); }));
        CHECK_FALSE(*c.ec);
    }
    auto const began = std::chrono::steady_clock::now();
    replace();
    server.set_keys({key_b});
    REQUIRE(run_until(s.context, [&] { return fingerprints(s) == fingerprint_of_key(key_b); }));
    CHECK(std::chrono::steady_clock::now() - began < 1500ms);
    {
        open_call c(s, streamed);
        REQUIRE(run_until(s.context, [&] { return c.ec.has_value(); }));
        CHECK_FALSE(*c.ec);
        CHECK(asked(c.diag) == "a");
    }
    CHECK(keys_used(server) == "AB");
    std::string log;
    for (auto const& line : lines)
        log += line + "\n";
    CHECK_THAT(log, ContainsSubstring("was read again: the key is " + fingerprint_of_key(key_b)));

    s.client.stop();
    s.finish(); // Nothing is left in the context
}

TEST_CASE("key rotation: watching keeps the context busy until it is stopped")
{
    provider server;
    key_file const file(key_a);
    auto s = std::make_unique<quick_session>(with_keys(server, serin::file_key(file.path())));
    auto& context = s->context;
    s->client.start();
    SECTION("started twice, stopped once")
    {
        s->client.start();
    }
    SECTION("started again")
    {
        s->client.stop();
        s->client.start();
    }
    SECTION("started once") {}
    context.run_for(20ms);
    CHECK_FALSE(context.stopped());
    s->client.stop();
    s->finish();
    file.put(key_b);
    context.restart();
    context.poll();
    CHECK(fingerprints(*s) == fingerprint_of_key(key_a)); // Nobody looks any more
    s->client.stop();
    CHECK_FALSE(s->client.reload_keys());
    CHECK(fingerprints(*s) == fingerprint_of_key(key_b));
}

TEST_CASE("key rotation: the end of the client ends the watching")
{
    provider server;
    key_file const file(key_a);
    asio::io_context context;
    std::optional<serin::client> client;
    client.emplace(context.get_executor(), with_keys(server, serin::file_key(file.path())));
    client->start();
    SECTION("while the context is there")
    {
        context.run_for(20ms);
        CHECK_FALSE(context.stopped());
    }
    SECTION("before anything has run") {}
    client.reset();
    context.restart();
    context.run_for(20s);
    CHECK(context.stopped());
}

// ---- A function that fetches the key

TEST_CASE("key rotation: many calls wait for one fetch")
{
    constexpr std::size_t calls = 50;
    provider server;
    server.set_keys({key_a});
    std::vector<serin::key_reply> fetches;
    auto const source = serin::function_key([&](serin::key_reply reply) { fetches.push_back(std::move(reply)); });
    auto p = with_keys(server, source);
    p.pool.max_per_host = calls;
    quick_session s(p);
    load many(s, calls, calls);
    REQUIRE(run_until(s.context, [&] {
        auto const n = s.client.connections();
        return n.live == calls && n.idle == 0;
    }));
    s.context.poll();
    CHECK(fetches.size() == 1);
    CHECK(server.request_count() == 0);
    REQUIRE(!fetches.empty());
    fetches[0](serin::secret(key_a), 1h);
    s.finish();
    CAPTURE(text_of(many.failures));
    CHECK(many.succeeded == calls);
    CHECK(many.second_tries == 0);
    CHECK(fetches.size() == 1);
    CHECK(keys_used(server) == std::string(calls, 'A'));
}

TEST_CASE("key rotation: many calls whose key was refused cause one fetch")
{
    constexpr std::size_t calls = 20;
    provider server;
    std::vector<serin::key_reply> fetches;
    auto const source = serin::function_key([&](serin::key_reply reply) { fetches.push_back(std::move(reply)); });
    auto p = with_keys(server, source);
    p.pool.max_per_host = calls;
    p.retry.max_attempts = 1;
    quick_session s(p);
    server.set_keys({key_b});
    load many(s, calls, calls);
    REQUIRE(run_until(s.context, [&] { return fetches.size() == 1; }));
    fetches[0](serin::secret(key_a));
    // Whoever has not sent a request by then waits for the second key too.
    REQUIRE(run_until(s.context, [&] {
        auto const asked_so_far = server.requests();
        return fetches.size() == 2 && std::all_of(asked_so_far.begin(), asked_so_far.end(),
                                          [](auto const& r) { return r.answered.has_value(); });
    }));
    s.context.poll();
    fetches[1](serin::secret(key_b));
    s.finish();
    CAPTURE(text_of(many.failures), fetches.size());
    CHECK(many.succeeded == calls);
    CHECK(fetches.size() <= 3); // Who is refused while the second is under way may ask again
}

TEST_CASE("key rotation: a key that expires is replaced early, and calls do not wait for it")
{
    bool const streamed = GENERATE(false, true);
    provider server;
    auto const time = std::make_shared<jumping_clock>();
    std::vector<serin::key_reply> fetches;
    auto const source =
        std::make_shared<serin::function_keys>([&](serin::key_reply reply) { fetches.push_back(std::move(reply)); },
            serin::function_key_params(), [time] { return time->now(); });
    quick_session s(with_keys(server, source));
    open_call first(s, streamed);
    REQUIRE(run_until(s.context, [&] { return fetches.size() == 1; }));
    fetches[0](serin::secret(key_a), 1h);
    s.finish();
    CHECK_FALSE(first.ec.value());

    time->jump(58min);
    CHECK_FALSE(s.call(streamed).ec);
    CHECK(fetches.size() == 1);
    time->jump(90s); // Less than a minute is left
    CHECK_FALSE(s.call(streamed).ec);
    CHECK(fetches.size() == 2);
    CHECK_FALSE(s.call(streamed).ec);
    CHECK(fetches.size() == 2);
    CHECK(keys_used(server) == "AAAA");
    SECTION("the next one is used as soon as it is there")
    {
        fetches[1](serin::secret(key_b), 1h);
        CHECK_FALSE(s.call(streamed).ec);
        CHECK(keys_used(server) == "AAAAB");
        time->jump(2min); // The old one would have expired
        CHECK_FALSE(s.call(streamed).ec);
        CHECK(keys_used(server) == "AAAABB");
    }
    SECTION("a fetch that fails leaves the old one in use until it expires")
    {
        fetches[1].fail("the vault is sealed");
        CHECK_FALSE(s.call(streamed).ec);
        CHECK(keys_used(server) == "AAAAA");
        time->jump(5s);
        CHECK_FALSE(s.call(streamed).ec);
        REQUIRE(fetches.size() == 3);
        CHECK(keys_used(server) == "AAAAAA");
        fetches[2].fail("the vault is sealed");

        time->jump(1min);
        open_call late(s, streamed);
        REQUIRE(run_until(s.context, [&] { return fetches.size() == 4; }));
        fetches[3].fail("the vault is sealed");
        s.finish();
        CHECK(late.ec.value() == errc::invalid_key);
        CHECK_THAT(late.diag.message, ContainsSubstring("the vault is sealed"));
        CHECK(server.request_count() == 6);
    }
    for (auto const& reply : fetches)
        reply.fail("the test is over");
}

TEST_CASE("key rotation: a call that waits for its key can be ended")
{
    bool const streamed = GENERATE(false, true);
    provider server;
    std::vector<serin::key_reply> fetches;
    auto const source = serin::function_key([&](serin::key_reply reply) { fetches.push_back(std::move(reply)); });
    auto s = std::make_unique<quick_session>(with_keys(server, source));
    serin::chat_request request = ask();
    SECTION("cancelled")
    {
        open_call c(*s, streamed, std::move(request));
        REQUIRE(run_until(s->context, [&] { return fetches.size() == 1; }));
        c.signal.emit(GENERATE(
            asio::cancellation_type::total, asio::cancellation_type::partial, asio::cancellation_type::terminal));
        s->finish();
        CHECK(c.ec.value() == asio::error::operation_aborted);
    }
    SECTION("by its deadline")
    {
        request.timeout = 50ms;
        auto const began = std::chrono::steady_clock::now();
        open_call c(*s, streamed, std::move(request));
        s->finish();
        CHECK(c.ec.value() == errc::deadline_exceeded);
        CHECK(std::chrono::steady_clock::now() - began < 5s);
    }
    SECTION("by the key function, which gives up")
    {
        open_call c(*s, streamed, std::move(request));
        REQUIRE(run_until(s->context, [&] { return fetches.size() == 1; }));
        fetches[0].fail("no such secret");
        s->finish();
        CHECK(c.ec.value() == errc::invalid_key);
        CHECK_THAT(c.diag.message, ContainsSubstring("no such secret"));
    }
    CHECK(server.request_count() == 0);
    CHECK(fetches.size() == 1);

    // The key that comes now is for those who come later.
    if (!fetches.empty())
        fetches[0](serin::secret(key_a));
    if (s->client.keys()[0].keys.size() == 1)
        CHECK_FALSE(s->call(streamed).ec);
}

TEST_CASE("key rotation: a key function that never answers is given up")
{
    provider server;
    std::vector<serin::key_reply> fetches;
    serin::function_key_params how;
    how.timeout = 50ms;
    auto const source = serin::function_key([&](serin::key_reply reply) { fetches.push_back(std::move(reply)); }, how);
    quick_session s(with_keys(server, source));
    outcome const r = s.chat();
    CHECK(r.ec == errc::invalid_key);
    CHECK_THAT(r.diag.message, ContainsSubstring("50 ms"));
    CHECK(server.request_count() == 0);
}

TEST_CASE("key rotation: a client is destroyed while calls wait for a key")
{
    provider server;
    std::vector<serin::key_reply> fetches;
    auto const source = serin::function_key([&](serin::key_reply reply) { fetches.push_back(std::move(reply)); });
    auto context = std::make_unique<asio::io_context>();
    std::optional<serin::client> client;
    client.emplace(context->get_executor(), with_keys(server, source));
    std::optional<serin::error_code> ec;
    serin::diagnostics diag;
    client->async_chat(ask(), diag, [&](serin::error_code e, serin::chat_response) { ec = e; });
    REQUIRE(run_until(*context, [&] { return fetches.size() == 1; }));
    client.reset();
    SECTION("the context goes on")
    {
        context->restart();
        context->run_for(20s);
        CHECK(context->stopped());
        CHECK(ec.value() == asio::error::operation_aborted);
    }
    SECTION("the context ends too")
    {
        context.reset();
    }
    fetches[0](serin::secret(key_a)); // Nobody waits any more
}

// ---- Under load

TEST_CASE("key rotation: keys are swapped under load, and every request has one whole key")
{
    constexpr std::size_t calls = 2000;
    provider server;
    server.set_keys({key_a, key_b});
    key_file const file(key_a);
    quick_session s(with_keys(server, serin::file_key(file.path())));
    load many(s, calls, 32);
    std::atomic<int> problems{0};
    std::thread swapper([&] {
        bool b = true;
        for (std::size_t seen = 0; seen < calls; b = !b)
        {
            file.put(b ? key_b : key_a);
            problems += s.client.reload_keys() ? 1 : 0;
            many.ended.wait(seen);
            seen = many.ended;
        }
    });
    s.finish();
    if (many.ended < calls)
    {
        many.ended = calls; // The calls are gone; the thread must not wait for them
        many.ended.notify_all();
    }
    swapper.join();
    CAPTURE(text_of(many.failures));
    CHECK(problems == 0);
    CHECK(many.succeeded == calls);
    CHECK(many.second_tries == 0);
    std::map<std::string, std::size_t> used;
    for (auto const& r : server.requests())
        ++used[key_in(r.headers)];
    CAPTURE(used[key_a], used[key_b]);
    CHECK(used.size() == 2);
    CHECK(used[key_a] != 0);
    CHECK(used[key_b] != 0);
    CHECK(used[key_a] + used[key_b] == calls);
}

TEST_CASE("key rotation: the server accepts the current key and the one before it")
{
    constexpr std::size_t concurrency = 64;
    std::size_t const rotations = rotations_wanted();
    std::size_t const calls = rotations * concurrency;
    auto const key_number = [](std::size_t n) { return "sk-test-number-" + std::to_string(100000 + n); };

    provider server;
    server.set_keys({key_number(0)});
    key_file const file(key_number(0));
    auto p = with_keys(server, serin::file_key(file.path()));
    p.pool.max_per_host = concurrency;
    quick_session s(p);
    load many(s, calls, concurrency);
    std::size_t rotated = 0;
    std::thread rotator([&] {
        for (std::size_t n = 1; n < rotations; ++n)
        {
            for (std::size_t seen = many.ended; seen < n * concurrency; seen = many.ended)
                many.ended.wait(seen);
            server.set_keys({key_number(n), key_number(n - 1)});
            file.put(key_number(n));
            if (s.client.reload_keys())
                break;
            ++rotated;
        }
    });
    s.finish();
    if (many.ended < calls)
    {
        many.ended = calls;
        many.ended.notify_all();
    }
    rotator.join();
    CAPTURE(text_of(many.failures), many.second_tries);
    CHECK(rotated == rotations - 1);
    CHECK(many.succeeded == calls);
    std::set<std::string> known;
    for (std::size_t n = 0; n < rotations; ++n)
        known.insert(key_number(n));
    std::set<std::string> used;
    std::size_t torn = 0;
    for (auto const& r : server.requests())
    {
        std::string const key = key_in(r.headers);
        torn += known.contains(key) ? 0 : 1;
        used.insert(key);
    }
    CHECK(torn == 0);
    CHECK(used.size() > rotations / 2);
}

TEST_CASE("key rotation: a key is revoked without notice while the next one can be read")
{
    constexpr std::size_t calls = 640;
    provider server;
    server.set_keys({key_a});
    key_file const file(key_a);
    auto p = with_keys(server, serin::file_key(file.path()));
    p.pool.max_per_host = 64;
    SECTION("as it comes") {}
    SECTION("with one attempt for each call")
    {
        p.retry.max_attempts = 1;
    }
    SECTION("with no budget for retries")
    {
        p.retry.budget_ratio = 0;
        p.retry.budget_per_second = 0;
    }
    quick_session s(p);
    load many(s, calls, 64);
    REQUIRE(run_until(s.context, [&] { return many.ended >= calls / 4; }));
    file.put(key_b);
    server.set_keys({key_b});
    s.finish();
    CAPTURE(text_of(many.failures));
    CHECK(many.succeeded == calls);
    CHECK(many.second_tries > 0);
    CHECK(many.second_tries <= 64);
}
