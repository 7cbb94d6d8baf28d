// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The program `serin`, run against the mock provider. The environment variable SERIN_CLI says where the program is.

#include <serin/mock/provider.hpp>

#include "catch.hpp"
#include "cli_process.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

using namespace std::chrono_literals;
using nlohmann::json;
using serin::mock::behavior;
using serin::mock::provider;
using serin::mock::provider_params;

namespace {

// The arguments of a chat with this provider, and further ones.
std::vector<std::string> chat(provider const& mock, std::vector<std::string> more = {})
{
    std::vector<std::string> arguments = {"chat", "Say hi", "--base-url", mock.base_url(), "--model", "mock"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

// The one JSON object that stdout must hold.
json document(cli_result const& r)
{
    CAPTURE(r.out, r.err);
    auto const j = json::parse(r.out, nullptr, false);
    REQUIRE(j.is_object());
    return j;
}

bool is_one_line(std::string const& text)
{
    return !text.empty() && text.find('\n') == text.size() - 1;
}

// Runs with these arguments plain and with --json: the status must be the same, and the kind that of the table.
void expect_failure(std::vector<std::string> arguments, int status, std::string const& kind,
    std::vector<std::string> const& environment = {})
{
    auto const plain = run_cli(arguments, environment);
    CAPTURE(plain.out, plain.err);
    CHECK(plain.status == status);
    CHECK(is_one_line(plain.err));
    CHECK_THAT(plain.err, ContainsSubstring("serin: " + kind + ": "));

    // Not at the end, where an option may wait for its value.
    arguments.insert(arguments.begin() + 1, "--json");
    auto const with_json = run_cli(arguments, environment);
    CHECK(with_json.status == status);
    CHECK(is_one_line(with_json.err));
    auto const j = document(with_json);
    CHECK(j["error"]["kind"] == kind);
    CHECK(j["attempts"].is_array());
    CHECK(j.contains("partial"));
}

json last_request(provider const& mock)
{
    return json::parse(mock.requests().back().body);
}

} // namespace

TEST_CASE("cli: version and help")
{
    auto const version = run_cli({"--version"});
    CHECK(version.status == 0);
    CHECK_THAT(version.out, ContainsSubstring("serin "));
    auto const help = run_cli({"chat", "--help"});
    CHECK(help.status == 0);
    CHECK_THAT(help.out, ContainsSubstring("--api-key-env"));
}

TEST_CASE("cli: a whole answer")
{
    provider mock;
    auto const r = run_cli(chat(mock, {"--system", "Be brief", "--max-tokens", "50", "--temperature", "0.5"}));
    CHECK(r.status == 0);
    CHECK(r.out == "tok1 tok2 tok3 tok4 tok5 tok6 tok7 tok8\n");
    CHECK(r.err.empty());
    auto const sent = last_request(mock);
    CHECK(sent["model"] == "mock");
    CHECK(sent["max_tokens"] == 50);
    CHECK(sent["temperature"] == 0.5);
    CHECK(sent["messages"] ==
          json::parse(R"([{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Say hi"}])"));
    CHECK_FALSE(sent.value("stream", false));
    CHECK(mock.requests().back().headers.find("Authorization").empty());
}

TEST_CASE("cli: a streamed answer")
{
    provider mock;
    auto const r = run_cli(chat(mock, {"--stream"}));
    CHECK(r.status == 0);
    CHECK(r.out == "tok1 tok2 tok3 tok4 tok5 tok6 tok7 tok8\n");
    CHECK(last_request(mock)["stream"] == true);
}

TEST_CASE("cli: --json tells everything, whole and streamed")
{
    provider mock;
    mock.set_default(behavior().with_reasoning(2).with_tool_call("get_weather", R"({"city":"Berlin"})"));
    bool const stream = GENERATE(false, true);
    auto const r = run_cli(chat(mock, {"--json", stream ? "--stream" : "--no-stream"}));
    CAPTURE(r.out, r.err);
    CHECK(r.status == 0);
    CHECK(r.err.empty());
    CHECK(is_one_line(r.out));
    auto const j = document(r);
    CHECK(j["content"] == "");
    CHECK(j["reasoning"] == "think1 think2");
    CHECK(j["tool_calls"][0]["function"]["name"] == "get_weather");
    CHECK(j["tool_calls"][0]["function"]["arguments"] == R"({"city":"Berlin"})");
    CHECK(j["finish_reason"] == "tool_calls");
    CHECK(j["usage"]["total_tokens"].is_number());
    CHECK(j["model"] == "mock");
    CHECK_FALSE(j["id"].get<std::string>().empty());
    CHECK(j["upstream"] == "default");
    REQUIRE(j["attempts"].size() == 1);
    CHECK(j["attempts"][0]["status"] == 200);
    CHECK(j["latency_ms"].is_number());
    CHECK(j["ttft_ms"].is_number() == stream);
}

TEST_CASE("cli: keys come from variables and files")
{
    provider mock;
    cli_folder const files;
    mock.set_keys({"sk-good"});
    auto const file = files.write("key", "sk-good\n");
    CHECK(run_cli(chat(mock, {"--api-key-env", "MY_KEY"}), {"MY_KEY=sk-good"}).status == 0);
    CHECK(run_cli(chat(mock), {"OPENAI_API_KEY=sk-good"}).status == 0);
    CHECK(run_cli(chat(mock, {"--api-key-file", file})).status == 0);
    CHECK(mock.requests().back().headers.find("Authorization") == "Bearer sk-good");
    // What is asked for wins over what is usual.
    CHECK(run_cli(chat(mock, {"--api-key-env", "MY_KEY"}), {"MY_KEY=sk-good", "OPENAI_API_KEY=sk-bad"}).status == 0);
}

TEST_CASE("cli: the server's address comes from the environment")
{
    provider mock;
    std::vector<std::string> const arguments = {"chat", "hi", "--model", "mock"};
    std::string const nowhere = "http://127.0.0.1:1/v1";
    CHECK(run_cli(arguments, {"SERIN_BASE_URL=" + mock.base_url(), "OPENAI_BASE_URL=" + nowhere}).status == 0);
    CHECK(run_cli(arguments, {"OPENAI_BASE_URL=" + mock.base_url()}).status == 0);
    CHECK(run_cli(chat(mock), {"SERIN_BASE_URL=" + nowhere}).status == 0);
    // Nobody asks the usual server without a key.
    expect_failure(arguments, 2, "invalid_key");
}

TEST_CASE("cli: keys that cannot be used name their source, and stay secret")
{
    provider mock;
    cli_folder const files;
    auto const refuse = [&](std::vector<std::string> more, std::vector<std::string> environment,
                            std::string const& part) {
        auto const r = run_cli(chat(mock, std::move(more)), std::move(environment));
        CAPTURE(r.err);
        CHECK(r.status == 2);
        CHECK(is_one_line(r.err));
        CHECK_THAT(r.err, ContainsSubstring(part));
        CHECK(r.err.find("sk-") == std::string::npos);
        CHECK(r.out.empty());
    };
    auto const empty = files.write("empty.key", "\n");
    refuse({"--api-key-env", "MY_KEY"}, {"MY_KEY=sk-one\nsk-two"}, "MY_KEY");
    refuse({"--api-key-env", "MY_KEY"}, {"MY_KEY=sk-one\r\nX-Evil: 1"}, "MY_KEY");
    refuse({"--api-key-env", "MY_KEY"}, {}, "MY_KEY is not set");
    refuse({"--api-key-env", "MY_KEY"}, {"MY_KEY="}, "MY_KEY is empty");
    refuse({"--api-key-env", "sk-oops"}, {}, "--api-key-env");
    refuse({}, {"OPENAI_API_KEY=sk one"}, "OPENAI_API_KEY");
    refuse({"--api-key-file", empty}, {}, empty);
    refuse({"--api-key-file", "/no/such/file"}, {}, "/no/such/file");
    refuse({"--api-key", "sk-oops"}, {}, "unknown option --api-key");
    refuse({"--api-key=sk-oops"}, {}, "unknown option --api-key");
    CHECK(mock.request_count() == 0);
}

TEST_CASE("cli: a key does not go over plain http to another machine")
{
    std::vector<std::string> const arguments = {"chat", "hi", "--model", "m", "--base-url", "http://192.0.2.1/v1"};
    expect_failure(arguments, 2, "insecure_transport", {"OPENAI_API_KEY=sk-x"});
}

TEST_CASE("cli: TLS with a certificate of its own")
{
    provider_params params;
    params.tls = true;
    provider mock(params);
    cli_folder const files;
    auto const ca = files.write("ca.pem", mock.ca_pem());
    auto const r = run_cli(chat(mock, {"--ca", ca, "--json"}), {"OPENAI_API_KEY=sk-x"});
    CHECK(r.status == 0);
    CHECK(document(r)["finish_reason"] == "stop");

    // The system does not trust the mock's authority, and a missing file is noticed.
    expect_failure(chat(mock), 5, "tls_failed");
    expect_failure(chat(mock, {"--ca", "/no/such/ca.pem"}), 2, "invalid_argument");
}

TEST_CASE("cli: statuses of refusals and failures")
{
    provider mock;
    auto const with = [&](int status, std::string const& kind, int expected) {
        mock.set_default(behavior().with_status(status).with_retry_after("0.01"));
        CAPTURE(status);
        expect_failure(chat(mock, {"--max-attempts", "1"}), expected, kind);
    };
    with(400, "invalid_request", 3);
    with(401, "authentication", 3);
    with(402, "quota_exhausted", 3);
    with(403, "permission", 3);
    with(404, "not_found", 3);
    with(422, "invalid_request", 3);
    with(302, "redirected", 3);
    with(408, "request_timeout", 4);
    with(409, "conflict", 4);
    with(429, "rate_limited", 4);
    with(500, "server_error", 4);
    with(503, "overloaded", 4);
}

TEST_CASE("cli: what the server says about an error is passed on")
{
    provider mock;
    behavior b;
    b.with_status(429).with_retry_after("1.5").with_error("Slow down", "requests", "777");
    b.error_code_is_number = true;
    mock.set_default(b);
    auto const r = run_cli(chat(mock, {"--json", "--max-attempts", "1"}));
    CHECK(r.status == 4);
    auto const error = document(r)["error"];
    CHECK(error["status"] == 429);
    CHECK(error["code"].is_number());
    CHECK(error["code"] == 777);
    CHECK(error["type"] == "requests");
    CHECK(error["message"] == "Slow down");
    CHECK(error["retry_after_ms"] == 1500);
    CHECK_THAT(error["request_id"].get<std::string>(), ContainsSubstring("req_mock_"));
    CHECK_THAT(r.err, ContainsSubstring("Slow down (status 429) (request req_mock_"));
    CHECK_THAT(r.err, ContainsSubstring("(attempt 1 of 1)"));
}

TEST_CASE("cli: a key that the server echoes is not shown")
{
    provider_params params;
    params.echo_key = true;
    provider mock(params);
    mock.set_keys({"sk-good"});
    auto const r = run_cli(chat(mock, {"--json", "--verbose"}), {"OPENAI_API_KEY=sk-very-secret-1234"});
    CHECK(r.status == 3);
    CHECK(document(r)["error"]["kind"] == "authentication");
    CHECK(r.out.find("very-secret") == std::string::npos);
    CHECK(r.err.find("very-secret") == std::string::npos);
}

TEST_CASE("cli: a stream that is cut shows what arrived")
{
    provider mock;
    mock.set_default(behavior().cut_after(3));
    auto const plain = run_cli(chat(mock, {"--stream"}));
    CHECK(plain.status == 7);
    CHECK_THAT(plain.out, ContainsSubstring("tok1 tok2 tok3"));
    CHECK(plain.out.back() == '\n');
    CHECK(is_one_line(plain.err));

    auto const r = run_cli(chat(mock, {"--stream", "--json"}));
    CHECK(r.status == 7);
    auto const j = document(r);
    CHECK(j["error"]["kind"] == "stream_truncated");
    CHECK(j["error"]["status"] == 200);
    CHECK(j["error"]["request_id"].is_string());
    CHECK_THAT(j["partial"]["content"].get<std::string>(), ContainsSubstring("tok1 tok2 tok3"));
    CHECK(j["partial"]["finish_reason"].is_null());
    CHECK(j["attempts"].size() == 1);
}

TEST_CASE("cli: answers that are broken")
{
    provider mock;
    mock.set_default(behavior().malformed_after(2));
    expect_failure(chat(mock, {"--stream"}), 7, "stream_error");
    expect_failure(chat(mock, {"--max-attempts", "1"}), 7, "malformed_response");
    mock.set_default(behavior().with_raw("This is not HTTP\r\n\r\n", serin::mock::after_answer::close));
    expect_failure(chat(mock, {"--max-attempts", "1"}), 7, "malformed_response");
}

TEST_CASE("cli: an error within a 200 counts by its code")
{
    provider mock;
    bool const stream = GENERATE(false, true);
    std::vector<std::string> const more = {stream ? "--stream" : "--no-stream", "--max-attempts", "1"};
    mock.set_default(behavior().error_in_200().with_error("Busy", "requests", "rate_limit_exceeded"));
    expect_failure(chat(mock, more), 4, "rate_limited");
    mock.set_default(behavior().error_in_200().with_error("Bad key", "invalid_request_error", "invalid_api_key"));
    expect_failure(chat(mock, more), 3, "authentication");
    mock.set_default(behavior().error_in_200().with_error("Something", "odd", "who_knows"));
    expect_failure(chat(mock, more), 7, "stream_error");
}

TEST_CASE("cli: an error within a stream counts by its code, and what arrived is kept")
{
    provider mock;
    mock.set_default(behavior().error_after(3).with_error("Busy", "requests", "rate_limit_exceeded"));
    auto const r = run_cli(chat(mock, {"--stream", "--json"}));
    CHECK(r.status == 4);
    auto const j = document(r);
    CHECK(j["error"]["kind"] == "rate_limited");
    CHECK(j["error"]["message"] == "Busy");
    CHECK_THAT(j["partial"]["content"].get<std::string>(), ContainsSubstring("tok3"));
}

TEST_CASE("cli: [DONE] is the end, though the server leaves the socket open")
{
    provider mock;
    mock.set_default(behavior().left_open());
    auto const r = run_cli(chat(mock, {"--stream", "--json"}));
    CHECK(r.status == 0);
    CHECK(document(r)["finish_reason"] == "stop");
}

TEST_CASE("cli: no finish reason is null")
{
    provider mock;
    mock.set_default(behavior().without_finish_reason());
    auto const r = run_cli(chat(mock, {"--stream", "--json"}));
    CHECK(r.status == 0);
    CHECK(document(r)["finish_reason"].is_null());
}

TEST_CASE("cli: --idle-timeout is between tokens, and between bytes of a whole answer")
{
    provider mock;
    mock.set_default(behavior().stall_after(3));
    expect_failure(chat(mock, {"--stream", "--idle-timeout", "0.3"}), 6, "token_idle_timeout");
    expect_failure(chat(mock, {"--idle-timeout", "0.3"}), 6, "idle_timeout");

    // Silence before the first token of a stream is none of its business.
    behavior slow;
    slow.first_token_delay = 600ms;
    mock.set_default(slow);
    CHECK(run_cli(chat(mock, {"--stream", "--idle-timeout", "0.3"})).status == 0);
}

TEST_CASE("cli: --first-token-timeout")
{
    provider mock;
    behavior never;
    never.first_token_delay = serin::mock::forever;
    mock.set_default(never);
    expect_failure(
        chat(mock, {"--stream", "--first-token-timeout", "0.2", "--max-attempts", "1"}), 6, "first_token_timeout");
}

TEST_CASE("cli: --timeout is for everything")
{
    provider mock;
    mock.set_default(behavior().delayed(serin::mock::forever));
    expect_failure(chat(mock, {"--timeout", "0.2"}), 6, "deadline_exceeded");
}

TEST_CASE("cli: a server that is not there")
{
    // Bound but not listening: nobody else can listen there meanwhile.
    boost::asio::io_context context;
    boost::asio::ip::tcp::socket taken(context, {boost::asio::ip::make_address("127.0.0.1"), 0});
    auto const port = std::to_string(taken.local_endpoint().port());
    expect_failure(
        {"chat", "hi", "--model", "m", "--max-attempts", "1", "--base-url", "http://127.0.0.1:" + port + "/v1"}, 5,
        "connect_failed");

    // No resolver needs the network to know that a name with such a label has no address.
    expect_failure({"chat", "hi", "--model", "m", "--max-attempts", "1", "--base-url",
                       "http://" + std::string(70, 'a') + ".invalid/v1"},
        5, "resolve_failed");
}

TEST_CASE("cli: the connection breaks before the answer")
{
    provider mock;
    mock.set_default(behavior().close_before_head());
    expect_failure(chat(mock, {"--max-attempts", "1"}), 5, "connection_lost");
}

TEST_CASE("cli: SIGINT ends a stream, and what arrived is reported")
{
    provider mock;
    mock.set_default(behavior().stall_after(3));
    cli_process plain(chat(mock, {"--stream"}));
    plain.read_until("tok3");
    plain.send_signal(SIGINT);
    auto const r = plain.finish();
    CHECK(r.status == 130);
    CHECK(r.out.back() == '\n');
    CHECK(is_one_line(r.err));
    CHECK_THAT(r.err, ContainsSubstring("serin: cancelled: interrupted (status 200)"));
    CHECK_THAT(r.err, ContainsSubstring("(attempt 1 of 5)"));
}

TEST_CASE("cli: SIGINT with --json still gives one document")
{
    provider mock;
    mock.set_default(behavior().stall_after(3));
    bool const stream = GENERATE(false, true);
    cli_process program(chat(mock, {"--json", stream ? "--stream" : "--no-stream"}));
    REQUIRE(mock.wait_until([&] {
        auto const log = mock.requests();
        return !log.empty() && (!stream || log.back().tokens_sent == 3);
    }));
    program.send_signal(SIGINT);
    auto const r = program.finish();
    CHECK(r.status == 130);
    auto const j = document(r);
    CHECK(j["error"]["kind"] == "cancelled");
    CHECK(j["error"]["message"] == "interrupted");
    // Nobody waits for a connection that nobody uses any more.
    CHECK(mock.wait_until([&] { return mock.connections_open() == 0; }));
}

TEST_CASE("cli: a reader that goes away ends the program quietly")
{
    provider mock;
    behavior endless;
    endless.tokens = 1'000'000;
    endless.token_delay = 1ms;
    mock.set_default(endless);
    cli_process program(chat(mock, {"--stream"}));
    program.read_until("tok3");
    program.close_stdout();
    auto const r = program.finish();
    CHECK(r.status == 0);
    CHECK(r.err.empty());
    CHECK(mock.wait_until([&] { return mock.connections_open() == 0; }));
}

TEST_CASE("cli: stdout that cannot be written to is an error")
{
    provider mock;
    int const full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
    REQUIRE(full >= 0);
    cli_process program(chat(mock), {}, full);
    auto const r = program.finish();
    ::close(full);
    CHECK(r.status == 1);
    CHECK_THAT(r.err, ContainsSubstring("cannot write to stdout"));
}

TEST_CASE("cli: a terminal gets a stream, without control characters")
{
    int const terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(terminal >= 0);
    REQUIRE(::grantpt(terminal) == 0);
    REQUIRE(::unlockpt(terminal) == 0);
    int const stdout_of_program = ::open(::ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(stdout_of_program >= 0);

    provider mock;
    mock.set_default(behavior().with_text("red \x1b[31malert\a"));
    cli_process program(chat(mock), {}, stdout_of_program);
    CHECK(program.finish().status == 0);
    CHECK(last_request(mock)["stream"] == true);
    char buffer[256];
    auto const size = ::read(terminal, buffer, sizeof buffer);
    REQUIRE(size > 0);
    // A terminal turns line feeds into CR LF.
    CHECK(std::string(buffer, static_cast<std::size_t>(size)) == "red \uFFFD[31malert\uFFFD\r\n");
    ::close(stdout_of_program);
    ::close(terminal);

    // A file gets the bytes as they are, and no stream.
    CHECK(run_cli(chat(mock)).out == "red \x1b[31malert\a\n");
    CHECK_FALSE(last_request(mock).value("stream", false));
}

TEST_CASE("cli: the prompt from stdin")
{
    provider mock;
    mock.set_default(behavior().echoing());
    cli_process program({"chat", "-", "--base-url", mock.base_url(), "--model", "mock"});
    program.give("two\nlines\n");
    auto const r = program.finish();
    CHECK(r.status == 0);
    CHECK(last_request(mock)["messages"][0]["content"] == "two\nlines");
}

TEST_CASE("cli: prompts that look like something else")
{
    provider mock;
    for (std::string const prompt : {"mock", "chat", "--json", "[DONE]", "{}", "a\nb", "\xc3\xa4"})
    {
        CAPTURE(prompt);
        CHECK(run_cli({"chat", "--base-url", mock.base_url(), "--model", "mock", "--", prompt}).status == 0);
        CHECK(last_request(mock)["messages"][0]["content"] == prompt);
    }
}

TEST_CASE("cli: a request from a file, which the command line overrides")
{
    provider mock;
    cli_folder const files;
    auto const file = files.write("request.json", R"({
        "model": "from-file", "temperature": 0.1, "max_completion_tokens": 5, "top_k": 40, "stream": true,
        "messages": [{"role": "system", "content": "old"}, {"role": "user", "content": "first"}]})");
    std::vector<std::string> const base = {"chat", "--base-url", mock.base_url(), "--request", file};

    CHECK(run_cli(base).status == 0);
    auto sent = last_request(mock);
    CHECK(sent["model"] == "from-file");
    CHECK(sent["top_k"] == 40);
    CHECK(sent["temperature"] == 0.1);
    CHECK(sent["max_completion_tokens"] == 5);
    CHECK(sent["stream"] == true);
    CHECK(sent["messages"].size() == 2);

    auto more = base;
    for (auto const* argument :
        {"second", "--model", "other", "--temperature", "0.9", "--max-tokens", "7", "--system", "new", "--no-stream"})
        more.push_back(argument);
    CHECK(run_cli(more).status == 0);
    sent = last_request(mock);
    CHECK(sent["model"] == "other");
    CHECK(sent["top_k"] == 40);
    CHECK(sent["temperature"] == 0.9);
    CHECK(sent["max_tokens"] == 7);
    CHECK_FALSE(sent.contains("max_completion_tokens"));
    CHECK_FALSE(sent.value("stream", false));
    CHECK(
        sent["messages"] == json::parse(R"([{"role": "system", "content": "new"}, {"role": "user", "content": "first"},
        {"role": "user", "content": "second"}])"));

    for (auto const* bad : {"", "[]", "{", R"({"model": "m", "messages": 5})"})
    {
        auto const path = files.write("bad.json", bad);
        CAPTURE(bad);
        expect_failure({"chat", "x", "--base-url", mock.base_url(), "--request", path}, 2, "invalid_argument");
    }
    expect_failure({"chat", "--base-url", mock.base_url(), "--request", "/no/such/file"}, 2, "invalid_argument");
}

TEST_CASE("cli: upstreams from a configuration file")
{
    provider mock;
    mock.set_keys({"sk-good"});
    cli_folder const files;
    files.write("a.key", "sk-good\n");
    auto const upstream = [&](std::string const& members) {
        return R"({"upstreams": [{"name": "here", "base_url": ")" + mock.base_url() + "\"" + members + "}]}";
    };
    auto const good = files.write("good.json", upstream(R"(, "model": "m1", "keys": {"file": "a.key"})"));
    auto const r = run_cli({"chat", "hi", "--config", good, "--json"});
    CHECK(r.status == 0);
    CHECK(document(r)["upstream"] == "here");
    CHECK(last_request(mock)["model"] == "m1");

    auto const bad = files.write("bad.json", upstream(R"(, "weight": -1)"));
    auto const refused = run_cli({"chat", "hi", "--config", bad});
    CHECK(refused.status == 2);
    CHECK_THAT(refused.err, ContainsSubstring("upstreams[0].weight: must be a whole number from 0"));
    auto const no_key = files.write("nokey.json", upstream(R"(, "keys": {"env": "MY_KEY"})"));
    expect_failure({"chat", "hi", "--model", "m", "--config", no_key}, 2, "invalid_key");
    auto const no_model = files.write("nomodel.json", upstream(""));
    expect_failure({"chat", "hi", "--config", no_model}, 2, "invalid_argument");
    expect_failure({"chat", "hi", "--config", good, "--base-url", mock.base_url()}, 2, "invalid_argument");
}

TEST_CASE("cli: wrong usage is one line, and one JSON object if asked for")
{
    std::vector<std::vector<std::string>> const wrong = {{"chat"}, {"chat", ""}, {"chat", "hi", "there"},
        {"chat", "hi", "--nonsense"}, {"chat", "hi", "--model"}, {"chat", "hi", "--max-tokens", "many"},
        {"chat", "hi", "--timeout", "0"}, {"chat", "hi", "--timeout", "nan"}, {"chat", "hi", "--idle-timeout", "-1"},
        {"chat", "hi", "--max-attempts", "0"}, {"chat", "hi", "--stream", "--no-stream"},
        {"chat", "hi", "--base-url", "http://127.0.0.1:1/v1"}};
    for (auto const& arguments : wrong)
        expect_failure(arguments, 2, "invalid_argument");
    expect_failure({"chat", "hi", "--model", "m", "--base-url", "ftp://127.0.0.1"}, 2, "invalid_url");
    CHECK(run_cli({}).status == 2);
    CHECK(run_cli({"nonsense"}).status == 2);
}

TEST_CASE("cli: values out of range are refused before anything is sent")
{
    provider mock;
    expect_failure(chat(mock, {"--temperature", "3"}), 2, "invalid_argument");
    expect_failure(chat(mock, {"--max-tokens", "0"}), 2, "invalid_argument");
    CHECK(mock.request_count() == 0);
}

TEST_CASE("cli: --verbose tells of events on stderr, a line each")
{
    provider mock;
    mock.set_default(behavior().with_status(500));
    auto const r = run_cli(chat(mock, {"--verbose", "--max-attempts", "1", "--json"}));
    CHECK(r.status == 4);
    CHECK(document(r)["error"]["kind"] == "server_error");
    CHECK_THAT(r.err, ContainsSubstring("serin: debug: "));

    mock.set_default(behavior().with_reasoning(2));
    auto const thinking = run_cli(chat(mock, {"--verbose"}));
    CHECK_THAT(thinking.err, ContainsSubstring("think1 think2"));
    CHECK(thinking.out.find("think1") == std::string::npos);
}
