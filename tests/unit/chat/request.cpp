// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/chat/request.hpp>

#include "catch.hpp"

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <type_traits>

namespace {

using serin::chat_request;

// What a valid request is objected to after a change; empty if it is not.
std::string objection(std::function<void(chat_request&)> const& change)
{
    chat_request request("m");
    request.user("hi");
    change(request);
    std::string why;
    serin::error_code const ec = request.validate(why);
    CHECK(ec == (why.empty() ? serin::error_code() : make_error_code(serin::errc::invalid_argument)));
    return why;
}

} // namespace

TEST_CASE("request: a request is built in one expression or in steps")
{
    chat_request const at_once = chat_request("m").system("s").developer("d").user("u").assistant("a");
    chat_request steps("m");
    steps.system("s").developer("d");
    steps.user("u").add(serin::message::assistant("a"));
    REQUIRE(at_once.messages.size() == 4);
    REQUIRE(steps.messages.size() == 4);
    for (std::size_t i = 0; i < 4; ++i)
    {
        CHECK(at_once.messages[i].role == steps.messages[i].role);
        CHECK(at_once.messages[i].content == steps.messages[i].content);
    }
    static_assert(std::is_same_v<decltype(chat_request("m").user("u")), chat_request&&>);
    static_assert(std::is_same_v<decltype(steps.user("u")), chat_request&>);
    static_assert(!std::is_aggregate_v<chat_request> && !std::is_aggregate_v<serin::message>);
    static_assert(!std::is_aggregate_v<serin::tool_call> && !std::is_aggregate_v<serin::tool>);
    static_assert(!std::is_convertible_v<std::string, chat_request>);
}

TEST_CASE("request: a request needs messages, of its own or among the extra members")
{
    CHECK(objection([](chat_request& r) { r.messages.clear(); }) == "messages is empty");
    CHECK(objection([](chat_request& r) {
        r.messages.clear();
        r.extra = R"({"messages":[]})";
    }).empty());
}

TEST_CASE("request: values at the ends of their ranges are taken")
{
    CHECK(objection([](chat_request& r) {
        r.temperature = 2;
        r.top_p = 0;
        r.presence_penalty = -2;
        r.frequency_penalty = 2;
        r.max_tokens = 1;
        r.max_completion_tokens = 1;
        r.n = 128;
        r.top_logprobs = 20;
        r.stop = {"1", "2", "3", "4"};
        r.safety_identifier = std::string(64, 'x');
        for (int i = 0; i < 16; ++i)
            r.metadata[std::to_string(i)] = std::string(512, 'v');
    }).empty());
}

TEST_CASE("request: values out of range are refused by name")
{
    static constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    static constexpr double infinity = std::numeric_limits<double>::infinity();
    auto const names = [](std::string const& field, std::function<void(chat_request&)> const& change) {
        INFO(field);
        CHECK(objection(change).substr(0, field.size() + 1) == field + " ");
    };
    names("temperature", [](chat_request& r) { r.temperature = 2.01; });
    names("temperature", [](chat_request& r) { r.temperature = -0.1; });
    names("temperature", [](chat_request& r) { r.temperature = nan; });
    names("top_p", [](chat_request& r) { r.top_p = 1.1; });
    names("top_p", [](chat_request& r) { r.top_p = infinity; });
    names("presence_penalty", [](chat_request& r) { r.presence_penalty = -2.5; });
    names("frequency_penalty", [](chat_request& r) { r.frequency_penalty = 2.5; });
    names("max_tokens", [](chat_request& r) { r.max_tokens = 0; });
    names("max_completion_tokens", [](chat_request& r) { r.max_completion_tokens = -1; });
    names("n", [](chat_request& r) { r.n = 0; });
    names("n", [](chat_request& r) { r.n = 129; });
    names("top_logprobs", [](chat_request& r) { r.top_logprobs = 21; });
    names("stop", [](chat_request& r) { r.stop.assign(5, "x"); });
    names("logit_bias", [](chat_request& r) { r.logit_bias["1"] = nan; });
    names("metadata", [](chat_request& r) { r.metadata[std::string(65, 'k')] = ""; });
    names("metadata", [](chat_request& r) { r.metadata["k"] = std::string(513, 'v'); });
    names("metadata", [](chat_request& r) {
        for (int i = 0; i < 17; ++i)
            r.metadata[std::to_string(i)] = "";
    });
    names("safety_identifier", [](chat_request& r) { r.safety_identifier = std::string(65, 'x'); });
    names("timeout", [](chat_request& r) { r.timeout = std::chrono::seconds(0); });
    names("response_format", [](chat_request& r) { r.response_format = serin::response_format("xml"); });
    names("response_format.name",
        [](chat_request& r) { r.response_format = serin::response_format::json_schema("", "{}"); });
    names("tool_choice", [](chat_request& r) { r.tool_choice = serin::tool_choice("any"); });
    names("tool_choice", [](chat_request& r) { r.tool_choice = serin::tool_choice::function(""); });
    names("tools[0].name", [](chat_request& r) { r.add(serin::tool("", "", "")); });
    names("tools[1].parameters",
        [](chat_request& r) { r.add(serin::tool("f", "", "")).add(serin::tool("g", "", "[]")); });
    names("messages[1].role", [](chat_request& r) { r.add(serin::message()); });
}

TEST_CASE("request: limits count characters, not bytes")
{
    CHECK(objection([](chat_request& r) {
        std::string text;
        for (int i = 0; i < 64; ++i)
            text += "\xc3\xa9";
        r.safety_identifier = text;
    }).empty());
}

TEST_CASE("request: texts that are to be JSON objects are checked")
{
    for (char const* text : {"{", "[]", "1", "null", "{} {}", "{\"a\":1}}", "\"x\"", "{\"a\":\"\xff\"}"})
    {
        INFO(text);
        CHECK(objection([&](chat_request& r) { r.extra = text; }) == "extra is not a JSON object");
        CHECK(objection([&](chat_request& r) { r.messages[0].extra = text; }) ==
              "messages[0].extra is not a JSON object");
        CHECK(objection([&](chat_request& r) { r.response_format = serin::response_format::json_schema("s", text); }) ==
              "response_format.schema is not a JSON object");
    }
}

TEST_CASE("request: the model and the kind of call cannot be replaced")
{
    CHECK(objection([](chat_request& r) { r.extra = R"({"model":"x"})"; }) == "extra must not hold model or stream");
    CHECK(objection([](chat_request& r) { r.extra = R"({"stream":true})"; }) == "extra must not hold model or stream");
}
