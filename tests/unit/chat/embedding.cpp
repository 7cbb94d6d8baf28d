// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/chat/embedding.hpp>

#include "../../../src/chat/embedding_wire.hpp"
#include "../../../src/chat/wire_read.hpp"
#include "../../../src/chat/wire_write.hpp"

#include "catch.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace {

using nlohmann::json;
using serin::embedding_encoding;
using serin::embedding_request;
using serin::errc;

using vectors = std::vector<std::vector<float>>;

std::string written(embedding_request const& request)
{
    std::string tail;
    std::string why;
    serin::error_code const ec = serin::write_embedding_tail(tail, request, why);
    INFO(why);
    REQUIRE_FALSE(ec);
    std::string body;
    serin::append_request(body, request.model, tail);
    return body;
}

std::string complaint(embedding_request const& request)
{
    std::string tail = "before";
    std::string why;
    CHECK(serin::write_embedding_tail(tail, request, why) == errc::invalid_argument);
    CHECK(tail == "before");
    return why;
}

embedding_request hello()
{
    return embedding_request("m").add("hi");
}

struct read_result
{
    serin::error_code ec;
    serin::embedding_response response;
    serin::server_error err;
};

read_result read(std::string_view body, std::size_t inputs = 0)
{
    serin::json_reader reader;
    read_result r;
    r.ec = serin::read_embedding_response(reader, body, inputs, r.response, r.err);
    return r;
}

// An answer with these items.
read_result read_items(std::string const& items, std::size_t inputs = 0)
{
    return read(R"({"data":[)" + items + "]}", inputs);
}

} // namespace

TEST_CASE("embedding: a plain request asks for bytes and nothing else")
{
    CHECK(written(hello().add("a\"b")) == R"({"model":"m","input":["hi","a\"b"],"encoding_format":"base64"})");
}

TEST_CASE("embedding: every member of a request")
{
    embedding_request request = hello();
    request.dimensions = 256;
    request.encoding = embedding_encoding::floats;
    request.end_user = "u";
    CHECK(json::parse(written(request)) == json{{"model", "m"}, {"input", {"hi"}}, {"dimensions", 256}, {"user", "u"}});
    request.model.clear();
    CHECK_FALSE(json::parse(written(request)).contains("model"));
    CHECK(json::parse(written(embedding_request("m").add("a\xff"))).at("input").at(0) == "a\xef\xbf\xbd");
}

TEST_CASE("embedding: extra members come last and replace")
{
    embedding_request request = hello();
    request.extra = R"({"input_type":"query","encoding_format":"float"})";
    CHECK(written(request) == R"({"model":"m","input":["hi"],"input_type":"query","encoding_format":"float"})");

    embedding_request tokens("m");
    tokens.extra = R"({"input":[1,2,3]})";
    CHECK(json::parse(written(tokens)).at("input") == json{1, 2, 3});
}

TEST_CASE("embedding: requests that are refused")
{
    CHECK(complaint(embedding_request("m")) == "input is empty");
    CHECK(complaint(hello().add("")) == "input[1] is empty");
    embedding_request request = hello();
    request.input.assign(2049, "x");
    CHECK(complaint(request) == "input may have at most 2048 texts");
    request.input.pop_back();
    CHECK_FALSE(written(request).empty());

    request = hello();
    request.dimensions = 0;
    CHECK(complaint(request) == "dimensions must be at least 1");
    request = hello();
    request.timeout = std::chrono::seconds(0);
    CHECK(complaint(request) == "timeout must be positive");
    for (char const* extra : {"{", "[]", "1", "{}x", "{\"a\":\"\xff\"}"})
    {
        request = hello();
        request.extra = extra;
        CHECK(complaint(request) == "extra is not a JSON object");
    }
    request.extra = R"({"model":"x"})";
    CHECK(complaint(request) == "extra must not hold model");
    request.extra = R"({"input":"x"})";
    CHECK(complaint(request) == "extra must not hold input beside the texts of the request");
}

TEST_CASE("embedding: vectors as numbers")
{
    read_result const r = read(R"({"object":"list","id":"e1","data":[
        {"object":"embedding","index":0,"embedding":[1, -0.5, 2.5e-3]},
        {"object":"embedding","index":1,"embedding":[0, 1e-300, -3]}],
        "model":"m","usage":{"prompt_tokens":5,"total_tokens":5}})",
        2);
    REQUIRE_FALSE(r.ec);
    CHECK(r.response.vectors == vectors{{1, -0.5f, 2.5e-3f}, {0, 0, -3}});
    CHECK(r.response.model == "m");
    REQUIRE(r.response.usage);
    CHECK(r.response.usage->prompt_tokens == 5);
    CHECK(r.response.usage->total_tokens == 5);
    CHECK(r.response.extra == R"({"id":"e1"})");
}

TEST_CASE("embedding: vectors as bytes")
{
    // 1, -0.5 and the largest float, lowest byte first.
    read_result const r =
        read_items(R"({"index":0,"embedding":"AACAPwAAAL///39/"},{"index":1,"embedding":"AAAAAA=="})");
    REQUIRE_FALSE(r.ec);
    CHECK(r.response.vectors == vectors{{1, -0.5f, 0x1.fffffep127f}, {0}});
    CHECK_FALSE(r.response.usage);
    // Escapes are legal in any string, and some serialisers escape the slash.
    CHECK(read_items(R"({"embedding":"AACAPwAAAL\/\/\/39\u002f"})").response.vectors ==
          vectors{{1, -0.5f, 0x1.fffffep127f}});
    // The forms may be mixed.
    CHECK(read_items(R"({"embedding":"AACAPw=="},{"embedding":[1]})").response.vectors == vectors{{1}, {1}});
}

TEST_CASE("embedding: vectors are in the order of the texts")
{
    CHECK(read_items(R"({"index":2,"embedding":[2]},{"index":0,"embedding":[0]},{"index":1,"embedding":[1]})", 3)
              .response.vectors == vectors{{0}, {1}, {2}});
    // Without numbers, or with the same everywhere, as they come.
    CHECK(read_items(R"({"embedding":[5]},{"embedding":[6]})").response.vectors == vectors{{5}, {6}});
    CHECK(
        read_items(R"({"index":0,"embedding":[5]},{"embedding":[6],"index":0})").response.vectors == vectors{{5}, {6}});
    CHECK(read_items(R"({"index":7,"embedding":[5]})", 1).response.vectors == vectors{{5}});
    // A text without its vector.
    for (char const* indexes : {"0 0 1", "0 2 3", "0 1 -1", "1 2 3", "0 1 9223372036854775807"})
    {
        std::string items;
        std::string_view left = indexes;
        while (!left.empty())
        {
            auto const end = std::min(left.find(' '), left.size());
            items +=
                (items.empty() ? "" : ",") + ("{\"index\":" + std::string(left.substr(0, end))) + ",\"embedding\":[1]}";
            left.remove_prefix(std::min(end + 1, left.size()));
        }
        INFO(items);
        CHECK(read_items(items, 3).ec == errc::malformed_response);
    }
}

TEST_CASE("embedding: as many vectors as texts")
{
    std::string const two = R"({"embedding":[1]},{"embedding":[2]})";
    CHECK_FALSE(read_items(two, 2).ec);
    CHECK(read_items(two, 1).ec == errc::malformed_response);
    CHECK(read_items(two, 3).ec == errc::malformed_response);

    std::string many = R"({"embedding":[1]})";
    for (std::size_t i = 1; i < serin::max_answer_items; ++i)
        many += R"(,{"embedding":[1]})";
    CHECK_FALSE(read_items(many).ec);
    CHECK(read_items(many + R"(,{"embedding":[1]})").ec == errc::response_too_large);
}

TEST_CASE("embedding: values that no vector can have")
{
    for (char const* value :
        {"[]", "null", "{}", "3", "true", "\"\"", "[1,null]", "[1,\"2\"]", "[[1]]", "[1e39]", "[-1e400]",
            "\"AADAfw==\"",        // NaN
            "\"AACAfw==\"",        // infinity
            "\"AACA/w==\"",        // minus infinity
            "\"AACAPw\"",          // no padding
            "\"AACA\"",            // three bytes
            "\"AACAPwA=\"",        // five bytes
            "\"AACAPwAAAL///39\"", // cut off
            "\"AACA Pw==\"", "\"AACAPw==AACAPw==\"", "\"AACA-w==\"", "\"[1]\""})
    {
        INFO(value);
        CHECK(read_items("{\"index\":0,\"embedding\":" + std::string(value) + "}").ec == errc::malformed_response);
    }
}

TEST_CASE("embedding: what is no answer to the question")
{
    for (char const* body : {"", "{", "null", "[]", "3", "{}", R"({"data":null})", R"({"data":[]})", R"({"data":{}})",
             R"({"data":[1]})", R"({"data":[{}]})", R"({"data":[{"index":0}]})", R"({"data":[{"embedding":[1]},null]})",
             R"({"embedding":[1]})", R"({"data":[{"embedding":[NaN]}]})"})
    {
        INFO(body);
        CHECK(read(body).ec == errc::malformed_response);
    }
}

TEST_CASE("embedding: an error inside an answer")
{
    read_result const r = read(R"({"error":{"message":"slow down","code":"rate_limit_exceeded"},"data":[]})");
    CHECK(r.ec == errc::rate_limited);
    CHECK(r.err.message == "slow down");
    CHECK(read(R"({"object":"error","message":"no","code":404})").ec == errc::not_found);
    CHECK(read(R"([{"error":{"message":"no","code":401}}])").ec == errc::authentication);
    CHECK_FALSE(read(R"({"error":null,"data":[{"embedding":[1]}]})").ec);
}
