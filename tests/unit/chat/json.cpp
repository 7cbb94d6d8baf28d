// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/chat/embedding.hpp>
#include <serin/chat/json.hpp>

#include "../../../src/chat/wire_read.hpp"
#include "catch.hpp"

#include <string>

namespace {

using nlohmann::json;

} // namespace

TEST_CASE("an answer becomes the JSON that it was read from")
{
    std::string const body = R"({"id":"c","object":"chat.completion","created":5,"model":"m","provider":"p",
        "choices":[{"index":0,"finish_reason":"tool_calls","native":1,"message":{"role":"assistant","content":null,
            "reasoning":"r","images":[1],"tool_calls":[
                {"id":"a","type":"function","function":{"name":"f","arguments":"{}"},"sig":2},
                {"id":"b","type":"custom","custom":{"name":"g","input":"x"}}]},
            "logprobs":{"content":[{"token":"t","logprob":-0.5,"bytes":[116],"top_logprobs":[]}],"refusal":[]}}],
        "usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"cost":0.5,
            "prompt_tokens_details":{"cached_tokens":1,"cache_write_tokens":0,"audio_tokens":0,"image_tokens":0,"odd":4},
            "completion_tokens_details":{"reasoning_tokens":1,"audio_tokens":0,"accepted_prediction_tokens":0,
                "rejected_prediction_tokens":0}},
        "system_fingerprint":"fp","service_tier":"default"})";
    serin::json_reader reader;
    serin::chat_response response;
    serin::server_error err;
    REQUIRE_FALSE(serin::read_response(reader, body, response, err));
    CHECK(json(response) == json::parse(body));
}

TEST_CASE("texts of JSON are parsed without exceptions")
{
    CHECK(serin::parse_json("").is_null());
    CHECK(serin::parse_json("{\"a\":1}").at("a") == 1);
    CHECK(serin::parse_json("{").is_discarded());
    CHECK(serin::json_text(json("a\xff")) == "\"a\xef\xbf\xbd\"");
}

TEST_CASE("tools, schemas and extra members are made from JSON")
{
    CHECK(serin::make_tool("f", "d", json{{"type", "object"}}).parameters == R"({"type":"object"})");
    CHECK(serin::make_json_schema("s", json::object()).schema == "{}");
    serin::chat_request request("m");
    serin::set_extra(request, "top_k", 40);
    serin::set_extra(request, "min_p", 0.5);
    CHECK(json::parse(request.extra) == json{{"top_k", 40}, {"min_p", 0.5}});
    serin::embedding_request embedding("m");
    serin::set_extra(embedding, "input_type", "query");
    CHECK(embedding.extra == R"({"input_type":"query"})");
}

TEST_CASE("a request is made from the JSON of one")
{
    auto const request = serin::request_from_json(json{{"model", "m"}, {"stream", true}, {"messages", json::array()}});
    REQUIRE(request);
    CHECK(request->model == "m");
    CHECK(request->extra == R"({"messages":[]})");
    CHECK_FALSE(serin::request_from_json(json::array()));
    CHECK(serin::request_from_json(json::object())->extra.empty());
}
