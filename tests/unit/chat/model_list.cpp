// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/chat/model_list.hpp>

#include "../../../src/chat/model_list_wire.hpp"
#include "../../../src/chat/wire_read.hpp"

#include "catch.hpp"

#include <string>
#include <string_view>

namespace {

using serin::errc;

struct read_result
{
    serin::error_code ec;
    serin::model_list list;
    serin::server_error err;
};

read_result read(std::string_view body)
{
    serin::json_reader reader;
    read_result r;
    r.ec = serin::read_model_list(reader, body, r.list, r.err);
    return r;
}

} // namespace

TEST_CASE("models: every member of a list")
{
    read_result const r = read(R"({"object":"list","has_more":false,"data":[
        {"id":"b","object":"model","created":1700000000,"owned_by":"somebody","context_length":8192},
        {"id":"a","object":"model"}]})");
    REQUIRE_FALSE(r.ec);
    CHECK(r.list.extra == R"({"has_more":false})");
    REQUIRE(r.list.models.size() == 2);
    CHECK(r.list.models[0].id == "b");
    CHECK(r.list.models[0].owned_by == "somebody");
    CHECK(r.list.models[0].created == 1700000000);
    CHECK(r.list.models[0].extra == R"({"context_length":8192})");
    CHECK(r.list.models[1].id == "a");
    CHECK(r.list.models[1].owned_by.empty());
    CHECK(r.list.models[1].created == 0);
    CHECK(r.list.models[1].extra.empty());
}

TEST_CASE("models: lists of other shapes")
{
    // The array alone.
    read_result const r = read(R"([{"id":"a","type":"chat"},{"id":"b"}])");
    REQUIRE_FALSE(r.ec);
    REQUIRE(r.list.models.size() == 2);
    CHECK(r.list.models[0].extra == R"({"type":"chat"})");
    CHECK(r.err.empty());
    // No models.
    for (char const* body : {R"({"object":"list","data":[]})", R"({"object":"list","data":null})", "[]"})
    {
        INFO(body);
        CHECK_FALSE(read(body).ec);
        CHECK(read(body).list.models.empty());
    }
}

TEST_CASE("models: what is no list")
{
    for (char const* body : {"", "{", "null", "3", "\"a\"", "{}", R"({"data":{}})", R"({"data":"a"})",
             R"({"data":["a"]})", R"({"data":[{}]})", R"({"data":[{"id":""}]})", R"({"data":[{"id":3}]})",
             R"({"data":[{"id":"a"},null]})", R"([1])", R"([{"error":{"message":"no"}}])"})
    {
        INFO(body);
        CHECK(read(body).ec == errc::malformed_response);
    }
}

TEST_CASE("models: too many")
{
    std::string many = R"({"id":"a"})";
    for (std::size_t i = 1; i < serin::max_answer_items; ++i)
        many += R"(,{"id":"a"})";
    CHECK_FALSE(read("[" + many + "]").ec);
    CHECK(read("[" + many + R"(,{"id":"a"}])").ec == errc::response_too_large);
}

TEST_CASE("models: an error inside an answer")
{
    read_result const r = read(R"({"error":{"message":"no","code":"invalid_api_key"}})");
    CHECK(r.ec == errc::authentication);
    CHECK(r.err.message == "no");
    CHECK(read(R"({"object":"error","message":"busy","code":503})").ec == errc::overloaded);
}
