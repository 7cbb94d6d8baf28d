// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// A key must not be in anything that the library says, whatever the server does with it. Servers echo keys.

#include "catch.hpp"
#include "keys.hpp"
#include "tries.hpp"

#include <serin/chat/json.hpp>
#include <serin/core/with_diagnostics.hpp>
#include <serin/mock/provider.hpp>
#include <serin/policy/keys.hpp>

#include <boost/asio/use_future.hpp>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/wait.h>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using serin::errc;
using serin::mock::behavior;
using serin::mock::provider;
using serin::mock::provider_params;
using serin::mock::request_view;

namespace {

std::string const the_key = "sk-test-Hq7Zw2Lm9Xc4Vb8Nt3Rf6Yd1Gk5Ps0Ja";
std::string const mark = "[key " + fingerprint_of_key(the_key) + "]";

// Whether a text holds the key or a part of it that is worth something.
bool holds_key_part(std::string_view text, std::string_view key = the_key)
{
    constexpr std::size_t worth = 12;
    for (std::size_t at = 0; at + worth <= key.size(); ++at)
        if (text.find(key.substr(at, worth)) != std::string_view::npos)
            return true;
    return false;
}

// All that was said, each text with the place where it was.
class testimony
{
    mutable std::mutex mutex_;
    std::vector<std::pair<std::string, std::string>> texts_;

public:
    void add(std::string place, std::string_view text)
    {
        std::lock_guard const lock(mutex_);
        texts_.emplace_back(std::move(place), std::string(text));
    }

    serin::logger logger()
    {
        return [this](serin::log_level, std::string_view line) { add("log", line); };
    }

    void add(std::string const& place, serin::chat_response const& r)
    {
        add(place, nlohmann::json(r).dump());
        for (std::string const* text :
            {&r.id, &r.object, &r.model, &r.system_fingerprint, &r.service_tier, &r.upstream, &r.request_id, &r.extra})
            add(place, *text);
        for (serin::chat_choice const& c : r.choices)
            for (std::string const* text : {&c.message.content, &c.message.reasoning, &c.message.refusal,
                     &c.message.extra, &c.message_extra, &c.extra, &c.finish_reason})
                add(place + " choice", *text);
    }

    void add(serin::error_code ec, serin::diagnostics const& d)
    {
        add("error", ec.message());
        add("describe", serin::describe(ec, d));
        add("exception", serin::api_error(ec, d).what());
        add("code", d.code);
        add("type", d.type);
        add("param", d.param);
        add("message", d.message);
        add("request_id", d.request_id);
        add("body", d.body);
        add("upstream", d.upstream);
        add("model", d.model);
        add("phase", serin::phase_name(d.phase));
        add("gave_up", serin::give_up_name(d.gave_up));
        for (serin::header const& h : d.headers)
        {
            add("header name", h.name);
            add("header " + h.name, h.value);
        }
        for (serin::attempt const& a : d.attempts)
        {
            add("attempt", a.upstream);
            add("attempt", a.error.message());
        }
        if (d.partial)
            add("partial", *d.partial);
    }

    void add(serin::client const& client)
    {
        for (auto const& u : client.keys())
            for (auto const& k : u.keys)
                add("keys of " + u.upstream, k.fingerprint);
    }

    // The places that hold a part of the key; empty if all is well.
    std::string leaks(std::string_view key = the_key) const
    {
        std::lock_guard const lock(mutex_);
        std::string places;
        for (auto const& [place, text] : texts_)
            if (holds_key_part(text, key))
                places += place + ": " + text.substr(0, 200) + "\n";
        return places;
    }

    bool holds(std::string_view what) const
    {
        std::lock_guard const lock(mutex_);
        for (auto const& [place, text] : texts_)
            if (text.find(what) != std::string::npos)
                return true;
        return false;
    }
};

// What a server does with the key of a request. The text is the key.
struct echo
{
    char const* name;
    behavior (*answer)(std::string const& key);
    bool streamed_only = false;
};

behavior refusal(int status, std::string const& message)
{
    return behavior().with_status(status).with_error(message, "", "invalid_api_key");
}

echo const echoes[] = {
    {"in the message of a 401",
        [](std::string const& key) { return refusal(401, "Incorrect API key provided: " + key + "."); }},
    {"twice, and in the other members",
        [](std::string const& key) { return behavior().with_status(401).with_error(key + key, key, key); }},
    {"in header fields",
        [](std::string const& key) {
            return refusal(401, "No.")
                .with_header("x-echo", "you sent Bearer " + key)
                .with_header("www-authenticate", "Bearer token=\"" + key + "\"")
                .with_header("x-request-id", key);
        }},
    {"in the name of a header field",
        [](std::string const& key) { return refusal(401, "No.").with_header("x-" + key, "1"); }},
    {"in a redirect",
        [](std::string const& key) {
            return behavior().with_status(307, "moved").with_header("Location", "http://127.0.0.1:1/?api_key=" + key);
        }},
    {"in plain text",
        [](std::string const& key) {
            return behavior().with_status(500, "panic: bad key " + key).with_header("Content-Type", "text/plain");
        }},
    {"in a page",
        [](std::string const& key) {
            return behavior()
                .with_status(502, "<html>Authorization: Bearer " + key + "</html>")
                .with_header("Content-Type", "text/html");
        }},
    {"in broken JSON",
        [](std::string const& key) { return behavior().with_status(400, R"({"error":{"message":")" + key); }},
    {"in an error inside a 200",
        [](std::string const& key) {
            return behavior().error_in_200().with_error("bad key " + key, "server_error", key);
        }},
    {"in an error inside a stream",
        [](std::string const& key) {
            return behavior().error_after(3).with_error("the key " + key + " has expired", key, key);
        },
        true},
    {"in the header of a stream that breaks",
        [](std::string const& key) {
            return behavior().cut_after(3).with_header("x-echo", key).with_header("x-request-id", "req-" + key);
        },
        true},
    {"in a chunk that is malformed",
        [](std::string const& key) {
            return behavior().with_raw(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nx-request-id: " + key +
                    "\r\n\r\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\ndata: {" + key +
                    "\n\n",
                serin::mock::after_answer::close);
        },
        true},
    {"instead of HTTP",
        [](std::string const& key) {
            return behavior().with_raw(key + " 200 OK\r\n\r\n", serin::mock::after_answer::close);
        }},
    {"as the status",
        [](std::string const& key) {
            return behavior().with_raw(
                "HTTP/1.1 401 " + key + "\r\nContent-Length: 0\r\n\r\n", serin::mock::after_answer::close);
        }},
    // Texts are cut off somewhere: a part of the key may be left.
    {"where a long message is cut off",
        [](std::string const& key) { return refusal(401, std::string((16 << 10) - 20, 'x') + key); }},
    {"where a long plain text is cut off",
        [](std::string const& key) {
            return behavior()
                .with_status(500, std::string((16 << 10) - 20, 'x') + key)
                .with_header("Content-Type", "text/plain");
        }},
    {"where a long code is cut off",
        [](std::string const& key) {
            return behavior().with_status(401).with_error(
                "No.", std::string(1024 - 20, 'x') + key, std::string(1024 - 20, 'y') + key);
        }},
    {"where a long body is cut off",
        [](std::string const& key) { return behavior().with_status(500, std::string((64 << 10) - 20, 'x') + key); }},
};

void echo_from(provider& server, behavior (*answer)(std::string const&))
{
    server.set_function([answer](request_view const& r) { return answer(key_in(r.headers)); });
}

serin::client_params with_key(provider const& server, std::shared_ptr<serin::key_source> keys)
{
    auto p = upstreams_at({server.base_url()});
    p.upstreams[0].keys = std::move(keys);
    p.retry.max_attempts = 2;
    p.retry.base_delay = 0ms;
    return p;
}

serin::client_params with_key(provider const& server)
{
    return with_key(server, serin::fixed_key(serin::secret(the_key)));
}

} // namespace

TEST_CASE("secrecy: the search finds what it is for")
{
    testimony said;
    said.add("a", "nothing");
    said.add("b", "sk-test-...Ps0Ja"); // What servers show of a key is not worth much
    CHECK(said.leaks().empty());
    said.add("c", "left " + the_key.substr(0, the_key.size() / 2));
    CHECK_FALSE(said.leaks().empty());
    testimony whole;
    whole.add("d", "the key " + the_key + " is wrong");
    CHECK_FALSE(whole.leaks().empty());
    testimony second_half;
    second_half.add("e", the_key.substr(the_key.size() / 2));
    CHECK_FALSE(second_half.leaks().empty());
}

TEST_CASE("secrecy: whatever a server does with the key, nobody is told")
{
    bool const streamed = GENERATE(false, true);
    for (echo const& e : echoes)
    {
        if (e.streamed_only && !streamed)
            continue;
        CAPTURE(e.name, streamed);
        testimony said;
        provider server;
        echo_from(server, e.answer);
        auto p = with_key(server);
        p.log = said.logger();
        quick_session s(p);
        stream_outcome r;
        if (streamed)
            r = s.stream();
        else
            static_cast<outcome&>(r) = s.chat();
        CHECK(r.ec);
        said.add(r.ec, r.diag);
        said.add("response", r.response);
        said.add(s.client);
        CHECK(said.leaks() == "");
        CHECK(said.holds(fingerprint_of_key(the_key))); // client.keys() has it at least
        CHECK(key_in(server.requests().at(0).headers) == the_key);
    }
}

TEST_CASE("secrecy: the fingerprint stands where the key was")
{
    provider_params how;
    how.echo_key = true;
    provider server(how);
    server.set_keys({"sk-test-another-one"});
    testimony said;
    auto p = with_key(server);
    p.log = said.logger();
    quick_session s(p);
    outcome const r = s.chat();
    CHECK(r.ec == errc::authentication);
    CHECK(r.diag.message == "Incorrect API key provided: " + mark + ".");
    CHECK_THAT(r.diag.body, ContainsSubstring(mark));
    CHECK_THAT(serin::describe(r.ec, r.diag), ContainsSubstring(mark));

    auto failed = s.client.async_chat(ask(), serin::with_diagnostics(asio::use_future));
    s.finish();
    try
    {
        failed.get();
        FAIL("the call succeeded");
    }
    catch (serin::api_error const& e)
    {
        said.add("what", e.what());
        said.add(e.code(), e.diag());
    }
    said.add(r.ec, r.diag);
    CHECK(said.leaks() == "");
}

TEST_CASE("secrecy: an answer that is a success does not tell the key either")
{
    bool const streamed = GENERATE(false, true);
    provider server;
    echo_from(server,
        [](std::string const& key) { return behavior().with_header("x-echo", key).with_header("x-request-id", key); });
    testimony said;
    auto p = with_key(server);
    p.log = said.logger();
    quick_session s(p);
    outcome const r = s.call(streamed);
    CHECK_FALSE(r.ec);
    said.add(r.ec, r.diag);
    said.add("response", r.response);
    CHECK(said.leaks() == "");
    CHECK(said.holds(mark));
}

TEST_CASE("secrecy: keys of other attempts and keys that were replaced in flight are removed too")
{
    std::string const other_key = "sk-test-Zz9Yy8Xx7Ww6Vv5Uu4Tt3Ss2Rr1Qq0Pp";
    provider server;
    testimony said;
    SECTION("the server names the key of another call")
    {
        server.set_default(refusal(403, the_key + " and " + other_key + " are no API keys"));
        std::vector<serin::secret> keys;
        keys.emplace_back(std::string_view(the_key));
        keys.emplace_back(std::string_view(other_key));
        auto p = with_key(server, serin::fixed_keys(std::move(keys)));
        p.log = said.logger();
        quick_session s(p);
        outcome const r = s.chat();
        CHECK(r.ec == errc::permission);
        said.add(r.ec, r.diag);
    }
    SECTION("the key left its file before the answer came")
    {
        server.set_function(
            [](request_view const& q) { return refusal(400, "Is " + key_in(q.headers) + " a key?").delayed(50ms); });
        key_file const file(the_key);
        auto p = with_key(server, serin::file_key(file.path()));
        p.log = said.logger();
        quick_session s(p);
        serin::error_code ec;
        serin::diagnostics diag;
        s.client.async_chat(ask(), diag, [&](serin::error_code e, serin::chat_response) { ec = e; });
        REQUIRE(run_until(s.context, [&] { return server.request_count() == 1; }));
        for (int i = 0; i < 40; ++i)
        {
            file.put("sk-test-number-" + std::to_string(i));
            CHECK_FALSE(s.client.reload_keys());
        }
        s.finish();
        CHECK(ec == errc::invalid_request);
        said.add(ec, diag);
    }
    CHECK(said.leaks() == "");
    CHECK(said.leaks(other_key) == "");
    CHECK(said.holds(mark));
}

TEST_CASE("secrecy: sources that fail do not tell what they read")
{
    provider server;
    testimony said;
    std::string expected;
    SECTION("a file that holds more than a key")
    {
        key_file const file(the_key + " # of the test account\n");
        auto p = with_key(server, serin::file_key(file.path()));
        p.log = said.logger();
        quick_session s(p);
        s.client.start();
        file.put("OPENAI_API_KEY=" + the_key + "\x01\n");
        serin::diagnostics reload;
        serin::error_code const ec = s.client.reload_keys(reload);
        CHECK(ec);
        said.add(ec, reload);
        outcome r;
        s.client.async_chat(ask(), r.diag, [&](serin::error_code e, serin::chat_response) { r.ec = e; });
        REQUIRE(run_until(s.context, [&] { return r.ec.failed(); }));
        said.add(r.ec, r.diag);
        REQUIRE(run_until(s.context, [&] { return said.holds("key file"); }));
        s.client.stop();
        s.finish();
        expected = "line 1 of key file";
    }
    SECTION("a function that tells the old key")
    {
        int fetches = 0;
        auto const source = serin::function_key([&](serin::key_reply reply) {
            if (++fetches == 1)
                reply(serin::secret(the_key));
            else
                reply.fail("the vault says: " + std::string(170, '.') + the_key + " is sealed");
        });
        server.set_keys({"sk-test-another-one"});
        auto p = with_key(server, source);
        p.log = said.logger();
        quick_session s(p);
        outcome r = s.chat();
        said.add(r.ec, r.diag);
        r = s.chat();
        CHECK(r.ec);
        said.add(r.ec, r.diag);
        CHECK(fetches >= 2);
        expected = "the vault says";
    }
    SECTION("a key that cannot stand in a header")
    {
        try
        {
            serin::fixed_key(serin::secret(the_key + "\r\nX-Evil: 1"));
            FAIL("it was taken");
        }
        catch (serin::api_error const& e)
        {
            said.add(e.code(), e.diag());
            said.add("what", e.what());
        }
        expected = "carriage return";
    }
    CHECK(said.leaks() == "");
    CHECK(said.holds(expected));
}

// ---- The program

namespace {

// Runs a command of the shell; what it prints on stdout and stderr.
std::string output_of(std::string const& command, int& status)
{
    std::FILE* const pipe = ::popen(("exec 2>&1; " + command).c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::string text;
    char buffer[4096];
    while (auto const n = std::fread(buffer, 1, sizeof buffer, pipe))
        text.append(buffer, n);
    int const how = ::pclose(pipe);
    status = WIFEXITED(how) ? WEXITSTATUS(how) : -1;
    return text;
}

} // namespace

TEST_CASE("secrecy: the program does not tell the key")
{
    char const* const program = std::getenv("SERIN_CLI");
    if (!program)
        FAIL("SERIN_CLI does not name the program");
    bool const streamed = GENERATE(false, true);
    key_file const file(the_key);
    for (echo const& e : echoes)
    {
        if (e.streamed_only && !streamed)
            continue;
        provider server;
        echo_from(server, e.answer);
        for (std::string const from : {"--api-key-env SERIN_TEST_KEY", "--api-key-file"})
        {
            std::string command =
                "SERIN_TEST_KEY='" + the_key + "' '" + program + "' chat Hi --verbose --json --model mock ";
            command += streamed ? "--stream " : "--no-stream ";
            command += "--max-attempts 2 --base-url " + server.base_url() + " " + from;
            if (from == "--api-key-file")
                command += " '" + file.path() + "'";
            int status = 0;
            std::string const said = output_of(command, status);
            CAPTURE(e.name, streamed, from);
            CHECK(status > 0);
            CHECK(status < 10);
            CHECK_THAT(said, ContainsSubstring("serin: debug: "));
            CHECK_THAT(said, ContainsSubstring("\"error\""));
            bool const leaks = holds_key_part(said);
            CHECK_FALSE(leaks);
            if (std::string_view(e.name) == "in the message of a 401")
                CHECK_THAT(said, ContainsSubstring(mark));
        }
        CHECK(key_in(server.requests().at(0).headers) == the_key);
    }
}
