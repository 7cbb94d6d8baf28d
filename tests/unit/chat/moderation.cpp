// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/chat/moderation.hpp>

#include "../../../src/chat/moderation_wire.hpp"
#include "../../../src/chat/wire_read.hpp"
#include "../../../src/chat/wire_write.hpp"

#include "catch.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace {

using serin::errc;
using serin::moderation_request;

std::string written(moderation_request const& request)
{
    std::string tail;
    std::string why;
    serin::error_code const ec = serin::write_moderation_tail(tail, request, why);
    INFO(why);
    REQUIRE_FALSE(ec);
    std::string body;
    serin::append_request(body, request.model, tail);
    return body;
}

std::string complaint(moderation_request const& request)
{
    std::string tail = "before";
    std::string why;
    CHECK(serin::write_moderation_tail(tail, request, why) == errc::invalid_argument);
    CHECK(tail == "before");
    return why;
}

struct read_result
{
    serin::error_code ec;
    serin::moderation_response response;
    serin::server_error err;
};

read_result read(std::string_view body, std::size_t inputs = 0)
{
    serin::json_reader reader;
    read_result r;
    r.ec = serin::read_moderation_response(reader, body, inputs, r.response, r.err);
    return r;
}

read_result read_results(std::string const& results, std::size_t inputs = 0)
{
    return read(R"({"results":[)" + results + "]}", inputs);
}

} // namespace

TEST_CASE("moderation: a request, with a model and without")
{
    CHECK(written(moderation_request().add("hi").add("a\nb")) == R"({"input":["hi","a\nb"]})");
    CHECK(written(moderation_request("m").add("")) == R"({"model":"m","input":[""]})");
    moderation_request request;
    request.extra = R"({"input":[{"type":"text","text":"x"}]})";
    CHECK(written(request) == request.extra);
}

TEST_CASE("moderation: requests that are refused")
{
    CHECK(complaint(moderation_request()) == "input is empty");
    moderation_request request = moderation_request().add("hi");
    request.extra = "[]";
    CHECK(complaint(request) == "extra is not a JSON object");
    request.extra = R"({"model":"x"})";
    CHECK(complaint(request) == "extra must not hold model");
    request.extra = R"({"input":"x"})";
    CHECK(complaint(request) == "extra must not hold input beside the texts of the request");
    request.extra.clear();
    request.timeout = std::chrono::seconds(-1);
    CHECK(complaint(request) == "timeout must be positive");
}

TEST_CASE("moderation: every member of an answer")
{
    read_result const r = read(R"({"id":"modr-1","model":"m","more":1,"results":[
        {"flagged":true,"categories":{"hate":false,"violence":true,"illicit":null},
         "category_scores":{"hate":0.25,"violence":0.875,"illicit":null},
         "category_applied_input_types":{"hate":["text"]}},
        {"flagged":false,"categories":{"hate":false},"category_scores":{"hate":1e-6}}]})",
        2);
    REQUIRE_FALSE(r.ec);
    CHECK(r.response.id == "modr-1");
    CHECK(r.response.model == "m");
    CHECK(r.response.extra == R"({"more":1})");
    CHECK(r.response.flagged());
    REQUIRE(r.response.results.size() == 2);
    auto const& first = r.response.results[0];
    CHECK(first.flagged);
    CHECK(first.categories == std::map<std::string, bool>{{"hate", false}, {"illicit", false}, {"violence", true}});
    CHECK(first.scores == std::map<std::string, double>{{"hate", 0.25}, {"violence", 0.875}});
    CHECK(first.extra == R"({"category_applied_input_types":{"hate":["text"]}})");
    CHECK_FALSE(r.response.results[1].flagged);
    CHECK(r.response.results[1].scores.at("hate") == 1e-6);
    CHECK_FALSE(serin::moderation_response().flagged());
}

TEST_CASE("moderation: a server that only names categories")
{
    CHECK(read_results(R"({"categories":{"pii":true}})").response.results.at(0).flagged);
    CHECK_FALSE(read_results(R"({"categories":{"pii":false}})").response.results.at(0).flagged);
    // What it says itself counts more.
    CHECK_FALSE(read_results(R"({"flagged":false,"categories":{"pii":true}})").response.results.at(0).flagged);
    CHECK(read_results(R"({"flagged":true})").response.results.at(0).flagged);
}

TEST_CASE("moderation: as many results as texts")
{
    std::string const two = R"({"flagged":false},{"flagged":true})";
    CHECK_FALSE(read_results(two, 2).ec);
    CHECK(read_results(two, 1).ec == errc::malformed_response);
    CHECK(read_results(two, 3).ec == errc::malformed_response);

    std::string many = R"({"flagged":false})";
    for (std::size_t i = 1; i < serin::max_answer_items; ++i)
        many += R"(,{"flagged":false})";
    CHECK_FALSE(read_results(many).ec);
    CHECK(read_results(many + R"(,{"flagged":false})").ec == errc::response_too_large);
}

TEST_CASE("moderation: too many categories")
{
    for (char const* member : {"categories", "category_scores"})
    {
        std::string text;
        for (std::size_t i = 0; i < serin::max_moderation_categories; ++i)
            text += "\"c" + std::to_string(i) + "\":1,";
        auto const result = [&](std::string const& more) {
            return "{\"flagged\":false,\"" + std::string(member) + "\":{" + text + more + "}}";
        };
        CHECK_FALSE(read_results(result("\"c0\":1")).ec);
        CHECK(read_results(result("\"x\":1")).ec == errc::response_too_large);
    }
}

TEST_CASE("moderation: what is no answer to the question")
{
    for (char const* body : {"", "{", "null", "[]", "3", "{}", R"({"results":null})", R"({"results":[]})",
             R"({"results":[1]})", R"({"results":[{}]})", R"({"results":[{"flagged":null}]})",
             R"({"results":[{"flagged":"no"}]})", R"({"results":[{"flagged":false},null]})",
             R"({"results":[{"categories":null}]})", R"({"results":[{"category_scores":{"a":1}}]})",
             R"({"results":[{"flagged":false,"category_scores":{"a":1e999}}]})", R"({"flagged":false})"})
    {
        INFO(body);
        CHECK(read(body).ec == errc::malformed_response);
    }
}

TEST_CASE("moderation: an error inside an answer")
{
    read_result const r = read(R"({"error":{"message":"no","code":"invalid_api_key"}})");
    CHECK(r.ec == errc::authentication);
    CHECK(r.err.message == "no");
    CHECK(read(R"({"object":"error","message":"busy","code":503})").ec == errc::overloaded);
}
