// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/mock/script.hpp>

#include <chrono>
#include <string>
#include <string_view>

#include "catch.hpp"

using namespace serin::mock;
using std::chrono::milliseconds;

namespace {

script load(std::string_view text)
{
    std::string error = "left from before";
    auto loaded = load_script(text, error);
    INFO(text << " gives: " << error);
    REQUIRE(loaded);
    CHECK(error.empty());
    return *loaded;
}

behavior load_default(std::string const& members)
{
    script const s = load("{\"default\":{" + members + "}}");
    REQUIRE(s.default_behavior);
    return *s.default_behavior;
}

std::string error_of(std::string_view text)
{
    std::string error;
    auto const loaded = load_script(text, error);
    INFO(text);
    CHECK_FALSE(loaded);
    CHECK(error.find('\n') == std::string::npos);
    return error;
}

} // namespace

TEST_CASE("an empty script changes nothing", "[mock][script]")
{
    script const s = load("{}");
    CHECK(s.seed == 1);
    CHECK(s.keys.empty());
    CHECK_FALSE(s.default_behavior);
    CHECK(s.models.empty());
    CHECK(s.queue.empty());
    CHECK(s.faults.empty());
}

TEST_CASE("a script has every part of the file", "[mock][script]")
{
    script const s = load(R"({"seed": 7, "keys": ["k1", "k2"], "default": {"tokens": 3},
        "models": {"a": {"tokens": 1}, "b": {"status": 500}},
        "queue": [{"status": 503}, {}], "faults": [{"probability": 0.25, "behavior": {"fault": "cut"}}]})");
    CHECK(s.seed == 7);
    CHECK(s.keys == std::vector<std::string>{"k1", "k2"});
    CHECK(s.default_behavior->tokens == 3);
    CHECK(s.models.at("a").tokens == 1);
    CHECK(s.models.at("b").status == 500);
    REQUIRE(s.queue.size() == 2);
    CHECK(s.queue[0].status == 503);
    CHECK(s.queue[1].status == 200);
    REQUIRE(s.faults.size() == 1);
    CHECK(s.faults[0].probability == 0.25);
    CHECK(s.faults[0].behavior.fault == fault::cut);
}

TEST_CASE("every member of a behavior can be scripted", "[mock][script]")
{
    behavior const b = load_default(R"(
        "first_byte_delay": 1, "first_token_delay": 2, "token_delay": 3, "comment_interval": 4,
        "tokens": 5, "seed": 6, "reply": "seven", "echo": true, "reasoning_tokens": 8, "reasoning_field": "reasoning",
        "tool_calls": [{"id": "c", "name": "f", "arguments": "{}"}], "tool_fragments": 9, "finish_reason": "length",
        "send_finish_reason": false, "usage": false, "role_chunk": false,
        "status": 210, "headers": {"A": "b"}, "body": "text", "retry_after": "11", "error_message": "m",
        "error_type": "t", "error_code": "12", "error_code_is_number": true, "raw": "HTTP",
        "fault": "stall", "fault_after": 13, "done": false, "terminate": false,
        "framing": "close", "http_1_0": true, "connection_close": true, "after": "reset", "close_idle_after": 14,
        "close_notify": false, "write_size": 15, "write_interval": 16, "batch": 17,
        "early": true, "linger": false, "read_interval": 18, "read_size": 19)");
    CHECK(b.first_byte_delay == milliseconds(1));
    CHECK(b.first_token_delay == milliseconds(2));
    CHECK(b.token_delay == milliseconds(3));
    CHECK(b.comment_interval == milliseconds(4));
    CHECK(b.tokens == 5);
    CHECK(b.seed == 6);
    CHECK(b.reply == "seven");
    CHECK(b.echo);
    CHECK(b.reasoning_tokens == 8);
    CHECK(b.reasoning_field == "reasoning");
    REQUIRE(b.tool_calls.size() == 1);
    CHECK(b.tool_calls[0].id == "c");
    CHECK(b.tool_calls[0].name == "f");
    CHECK(b.tool_calls[0].arguments == "{}");
    CHECK(b.tool_fragments == 9);
    CHECK(b.finish_reason == "length");
    CHECK_FALSE(b.send_finish_reason);
    CHECK(b.usage == false);
    CHECK_FALSE(b.role_chunk);
    CHECK(b.status == 210);
    CHECK(b.headers.find("a") == "b");
    CHECK(b.body == "text");
    CHECK(b.retry_after == "11");
    CHECK(b.error_message == "m");
    CHECK(b.error_type == "t");
    CHECK(b.error_code == "12");
    CHECK(b.error_code_is_number);
    CHECK(b.raw == "HTTP");
    CHECK(b.fault == fault::stall);
    CHECK(b.fault_after == 13);
    CHECK_FALSE(b.done);
    CHECK_FALSE(b.terminate);
    CHECK(b.framing == framing::close);
    CHECK(b.http_1_0);
    CHECK(b.connection_close);
    CHECK(b.after == after_answer::reset);
    CHECK(b.close_idle_after == milliseconds(14));
    CHECK_FALSE(b.close_notify);
    CHECK(b.write_size == 15);
    CHECK(b.write_interval == milliseconds(16));
    CHECK(b.batch == 17);
    CHECK(b.early);
    CHECK_FALSE(b.linger);
    CHECK(b.read_interval == milliseconds(18));
    CHECK(b.read_size == 19);
}

TEST_CASE("durations have units", "[mock][script]")
{
    auto const read = [](std::string const& text) { return load_default("\"token_delay\":" + text).token_delay; };
    CHECK(read("20") == milliseconds(20));
    CHECK(read("2.5") == milliseconds(3));
    CHECK(read("\"20ms\"") == milliseconds(20));
    CHECK(read("\"1.5s\"") == milliseconds(1500));
    CHECK(read("\"2m\"") == milliseconds(120000));
    CHECK(read("\"1h\"") == milliseconds(3600000));
    CHECK(read("\"forever\"") == forever);
    for (char const* bad : {"\"20\"\"", "\"\"", "\"ms\"", "\"5 s\"", "\"5parsecs\"", "-1", "\"-1ms\"", "true", "null",
             "1e300", "\"nans\"", "\"1e3s\""})
        CHECK_FALSE(error_of("{\"default\":{\"token_delay\":" + std::string(bad) + "}}").empty());
    CHECK(error_of(R"({"default":{"token_delay":"20"}})").empty() == false);
}

TEST_CASE("some members take other types", "[mock][script]")
{
    CHECK(load_default(R"("body": {"a": 1})").body == R"({"a":1})");
    CHECK(load_default(R"("retry_after": 2)").retry_after == "2");
    behavior const b = load_default(R"("error_code": 429)");
    CHECK(b.error_code == "429");
    CHECK(b.error_code_is_number);
    CHECK_FALSE(load_default(R"("finish_reason": null)").send_finish_reason);
    CHECK(load_default(R"("tool_calls": [{"name": "f", "arguments": {"x": 1}}])").tool_calls[0].arguments ==
          R"({"x":1})");
}

TEST_CASE("an error names the member", "[mock][script]")
{
    CHECK_THAT(error_of(R"({"sed": 1})"), ContainsSubstring("sed: unknown member"));
    CHECK_THAT(error_of(R"({"seed": "x"})"), ContainsSubstring("seed: "));
    CHECK_THAT(error_of(R"({"seed": -1})"), ContainsSubstring("seed: "));
    CHECK_THAT(error_of(R"({"keys": ["a", 2]})"), ContainsSubstring("keys[1]: not a string"));
    CHECK_THAT(error_of(R"({"keys": "a"})"), ContainsSubstring("keys: not an array"));
    CHECK_THAT(error_of(R"({"default": 1})"), ContainsSubstring("default: not an object"));
    CHECK_THAT(error_of(R"({"models": []})"), ContainsSubstring("models: not an object"));
    CHECK_THAT(error_of(R"({"models": {"m": {"token_delay": "soon"}}})"),
        ContainsSubstring("models.m.token_delay: not a duration"));
    CHECK_THAT(error_of(R"({"queue": [{}, {"tokns": 1}]})"), ContainsSubstring("queue[1].tokns: unknown member"));
    CHECK_THAT(error_of(R"({"queue": [{"tokens": 1.5}]})"), ContainsSubstring("queue[0].tokens: "));
    CHECK_THAT(error_of(R"({"queue": [{"fault": "explode"}]})"), ContainsSubstring("queue[0].fault: not one of none"));
    CHECK_THAT(error_of(R"({"queue": [{"status": 99}]})"), ContainsSubstring("queue[0].status: "));
    CHECK_THAT(error_of(R"({"queue": [{"echo": 1}]})"), ContainsSubstring("queue[0].echo: "));
    CHECK_THAT(error_of(R"({"queue": [{"headers": {"A": 1}}]})"), ContainsSubstring("queue[0].headers.A: "));
    CHECK_THAT(error_of(R"({"queue": [{"headers": {"A": "b\r\nC: d"}}]})"), ContainsSubstring("queue[0].headers.A: "));
    CHECK_THAT(error_of(R"({"queue": [{"tool_calls": [{"nam": "f"}]}]})"),
        ContainsSubstring("queue[0].tool_calls[0].nam: unknown member"));
    CHECK_THAT(error_of(R"({"faults": [{"probability": 1.5}]})"), ContainsSubstring("faults[0].probability: "));
    CHECK_THAT(error_of(R"({"faults": [{"probability": "0.5"}]})"), ContainsSubstring("faults[0].probability: "));
    CHECK_THAT(error_of(R"({"faults": [{"probability": 0.6}, {"probability": 0.6}]})"),
        ContainsSubstring("faults: the probabilities"));
    CHECK_THAT(error_of("[]"), ContainsSubstring("not a JSON object"));
}

TEST_CASE("text that is not JSON is an error, not an exception", "[mock][script]")
{
    for (std::string_view const text : {"", "{", "{}x", "nonsense", "{\"seed\":1,}", "\xff\xfe", "{\"a\":\"\xff\"}"})
        CHECK_THAT(error_of(text), ContainsSubstring("not JSON"));
}

TEST_CASE("the words set the members", "[mock][script]")
{
    behavior const b = behavior().with_text("hi").with_status(418, "teapot").with_header("A", "b").cut_after(2);
    CHECK(b.reply == "hi");
    CHECK(b.status == 418);
    CHECK(b.body == "teapot");
    CHECK(b.headers.find("A") == "b");
    CHECK(b.fault == fault::cut);
    CHECK(b.fault_after == 2);
    CHECK(behavior().paced(milliseconds(3), milliseconds(4)).first_token_delay == milliseconds(4));
    CHECK(behavior().never_reading().read_interval == forever);
    CHECK(behavior().answered_early(413).early);
    CHECK_FALSE(behavior().left_open().terminate);
}
