// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Conversations with the program `serin`: from files, and on a terminal.

#include <serin/mock/provider.hpp>

#include "catch.hpp"
#include "cli_process.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

using nlohmann::json;
using serin::mock::behavior;
using serin::mock::provider;

namespace {

json conversation_in(std::string const& path)
{
    std::ifstream file(path);
    return json::parse(file, nullptr, false);
}

json messages_of_last_request(provider const& mock)
{
    return json::parse(mock.requests().back().body)["messages"];
}

std::vector<std::string> talk(provider const& mock, std::vector<std::string> more)
{
    std::vector<std::string> arguments = {"chat", "--base-url", mock.base_url(), "--model", "mock"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

// A terminal: the program has one end, the test the other.
class terminal_pair
{
    int ours_ = -1;
    int theirs_ = -1;
    std::string seen_;

public:
    terminal_pair()
    {
        ours_ = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        REQUIRE(ours_ >= 0);
        REQUIRE(::grantpt(ours_) == 0);
        REQUIRE(::unlockpt(ours_) == 0);
        theirs_ = ::open(::ptsname(ours_), O_RDWR | O_NOCTTY | O_CLOEXEC);
        REQUIRE(theirs_ >= 0);
    }
    terminal_pair(terminal_pair const&) = delete;
    terminal_pair& operator=(terminal_pair const&) = delete;
    ~terminal_pair()
    {
        ::close(ours_);
        ::close(theirs_);
    }

    int of_program() const { return theirs_; }

    void type(std::string_view text)
    {
        REQUIRE(::write(ours_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }

    // Waits until the text is on the screen, and takes everything up to its end away.
    void wait_for(std::string_view text)
    {
        for (;;)
        {
            auto const place = seen_.find(text);
            if (place != std::string::npos)
            {
                seen_.erase(0, place + text.size());
                return;
            }
            ::pollfd wait{ours_, POLLIN, 0};
            if (::poll(&wait, 1, 30'000) != 1)
                FAIL("the program hangs; on the screen: " << seen_);
            char buffer[1024];
            auto const size = ::read(ours_, buffer, sizeof buffer);
            REQUIRE(size > 0);
            seen_.append(buffer, static_cast<std::size_t>(size));
        }
    }
};

} // namespace

TEST_CASE("cli: a conversation in a file goes on")
{
    provider mock;
    mock.on_next(behavior().with_text("Once upon a time."));
    mock.on_next(behavior().with_text("The end."));
    cli_folder const folder;
    std::string const file = folder.write("unused", "") + ".json";

    CHECK(run_cli(talk(mock, {"Tell me a story", "--conversation", file, "--system", "Be brief"})).status == 0);
    CHECK(run_cli(talk(mock, {"And then?", "--conversation", file})).out == "The end.\n");
    json const expected = json::parse(R"([
        {"role":"system","content":"Be brief"},
        {"role":"user","content":"Tell me a story"}, {"role":"assistant","content":"Once upon a time."},
        {"role":"user","content":"And then?"}, {"role":"assistant","content":"The end."}])");
    CHECK(conversation_in(file) == expected);
    CHECK(messages_of_last_request(mock).size() == 4);
}

TEST_CASE("cli: a call that fails leaves the file of the conversation alone")
{
    provider mock;
    mock.set_default(behavior().with_status(401));
    cli_folder const folder;
    std::string const before = R"([{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"}])";
    std::string const file = folder.write("talk.json", before);
    CHECK(run_cli(talk(mock, {"Again", "--conversation", file})).status == 3);
    CHECK(conversation_in(file) == json::parse(before));
}

TEST_CASE("cli: files that are no conversation are refused")
{
    provider mock;
    cli_folder const folder;
    for (std::string const text : {"", "{}", "[1]", R"([{"content":"x"}])", "not JSON"})
    {
        CAPTURE(text);
        auto const r = run_cli(talk(mock, {"Hi", "--conversation", folder.write("talk.json", text)}));
        CHECK(r.status == 2);
        CHECK_THAT(r.err, ContainsSubstring("not a JSON array of messages"));
    }
    CHECK(run_cli(talk(mock, {"Hi", "--conversation", "a", "--request", "b"})).status == 2);
    CHECK(mock.request_count() == 0);
}

TEST_CASE("cli: on a terminal a conversation goes on until it is ended")
{
    provider mock;
    mock.on_next(behavior().with_text("First answer"));
    mock.on_next(behavior().with_text("Second answer"));
    terminal_pair terminal;
    cli_process program(talk(mock, {}), {}, terminal.of_program(), true);
    terminal.wait_for("> ");
    terminal.type("Hello\n");
    terminal.wait_for("First answer");
    terminal.wait_for("> ");
    terminal.type("More\n");
    terminal.wait_for("Second answer");
    terminal.wait_for("> ");
    CHECK(messages_of_last_request(mock).size() == 3);
    terminal.type("/new\n");
    terminal.wait_for("> ");
    terminal.type("Fresh\n");
    terminal.wait_for("tok8");
    terminal.wait_for("> ");
    CHECK(messages_of_last_request(mock).size() == 1);
    terminal.type("\x04");
    CHECK(program.finish().status == 0);
}

TEST_CASE("cli: Ctrl-C stops an answer on a terminal, and what had arrived stays in the conversation")
{
    provider mock;
    mock.on_next(behavior().stall_after(3));
    mock.on_next(behavior().with_text("Going on"));
    terminal_pair terminal;
    cli_process program(talk(mock, {}), {}, terminal.of_program(), true);
    terminal.wait_for("> ");
    terminal.type("Hello\n");
    terminal.wait_for("tok3");
    program.send_signal(SIGINT);
    terminal.wait_for("> ");
    terminal.type("Go on\n");
    terminal.wait_for("Going on");
    terminal.wait_for("> ");
    auto const messages = messages_of_last_request(mock);
    REQUIRE(messages.size() == 3);
    CHECK_THAT(messages[1]["content"].get<std::string>(), ContainsSubstring("tok1 tok2 tok3"));
    terminal.type("/quit\n");
    CHECK(program.finish().status == 0);
}

TEST_CASE("cli: colours go to a terminal only, and not if NO_COLOR is set")
{
    provider mock;
    for (bool const colours : {true, false})
    {
        CAPTURE(colours);
        terminal_pair terminal;
        std::vector<std::string> const environment = {colours ? "TERM=xterm" : "NO_COLOR=1"};
        cli_process program(talk(mock, {}), environment, terminal.of_program(), true);
        terminal.wait_for(colours ? "\x1b[1m> \x1b[0m" : "> ");
        terminal.type("\x04");
        auto const r = program.finish();
        CHECK(r.status == 0);
        CHECK(r.err.find('\x1b') == std::string::npos); // Not a terminal
    }
}

TEST_CASE("cli: --verbose says what was used, how long it took and what it cost")
{
    provider mock;
    cli_folder const folder;
    std::string const config = folder.write("c.json", R"({"upstreams":[{"name":"here","base_url":")" + mock.base_url() +
                                                          R"(","price":{"input":1.5,"output":2.5}}]})");
    auto const r = run_cli({"chat", "Say hi", "--config", config, "--model", "mock", "--stream", "--verbose"});
    CHECK(r.status == 0);
    CHECK_THAT(r.err, ContainsSubstring(" from here: "));
    CHECK_THAT(r.err, ContainsSubstring(" tokens in, 8 out, $0.0000"));
    CHECK_THAT(r.err, ContainsSubstring(", the first after "));
    // Without a price there is no cost.
    auto const free = run_cli(talk(mock, {"Say hi", "--verbose"}));
    CHECK_THAT(free.err, ContainsSubstring(" tokens in, 8 out"));
    CHECK(free.err.find('$') == std::string::npos);
}
