// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/policy/cache_key.hpp"

#include "catch.hpp"

#include <set>
#include <string>

namespace {

std::string canonical(std::string_view text)
{
    serin::json_reader reader;
    return serin::canonical_json(reader, text);
}

std::string digest(std::string_view body, std::string_view tenant = "", std::string_view group = "g",
    std::string_view endpoint = "chat")
{
    serin::json_reader reader;
    serin::cacheable_request r;
    r.endpoint = endpoint;
    r.group = group;
    r.tenant = tenant;
    r.body = body;
    auto const key = serin::make_cache_key(reader, r);
    REQUIRE(key);
    return key->digest;
}

double temperature(std::string_view body)
{
    serin::json_reader reader;
    serin::cacheable_request r;
    r.body = body;
    auto const key = serin::make_cache_key(reader, r);
    REQUIRE(key);
    return key->temperature;
}

} // namespace

TEST_CASE("cache key: member order and blanks do not make another request")
{
    CHECK(canonical(R"( { "b" : [ 1 , {"y":2,"x":null} ] , "a" : "t" } )") == R"({"a":"t","b":[1,{"x":null,"y":2}]})");
    CHECK(canonical("[]") == "[]");
    CHECK(canonical("{}") == "{}");
    CHECK(digest(R"({"model":"m","messages":[{"role":"user","content":"hi"}]})") ==
          digest(R"({ "messages": [ {"content":"hi","role":"user"} ], "model":"m" })"));
}

TEST_CASE("cache key: strings are the same however they are escaped")
{
    CHECK(canonical(R"({"\u0061":"\u00e9\/"})") == canonical("{\"a\":\"\xc3\xa9/\"}"));
    CHECK(canonical(R"(["a\nb"])") == R"(["a\nb"])");
}

TEST_CASE("cache key: numbers count as they are written, and arrays keep their order")
{
    CHECK(digest(R"({"top_p":1})") != digest(R"({"top_p":1.0})"));
    CHECK(digest(R"({"stop":["a","b"]})") != digest(R"({"stop":["b","a"]})"));
    CHECK(digest(R"({"a":{"b":1},"c":2})") != digest(R"({"a":{"b":1,"c":2}})"));
    CHECK(digest(R"({"a":1,"a":2})") != digest(R"({"a":2,"a":1})"));
}

TEST_CASE("cache key: everything that is asked counts, and tenant, upstream group and endpoint")
{
    std::string const body = R"({"model":"m","messages":[]})";
    std::set<std::string> const all{digest(body), digest(body, "t1"), digest(body, "t2"), digest(body, "", "other"),
        digest(body, "", "g", "embeddings"), digest(R"({"model":"n","messages":[]})"),
        digest(R"({"model":"m","messages":[],"user":"u"})")};
    CHECK(all.size() == 7);
    // Where one text ends and the next begins counts too.
    CHECK(digest(body, "ab", "c") != digest(body, "a", "bc"));
}

TEST_CASE("cache key: whether a stream is asked for does not count, unless it leaves the usage out")
{
    std::string const whole = digest(R"({"model":"m"})");
    CHECK(digest(R"({"model":"m","stream":true})") == whole);
    CHECK(digest(R"({"model":"m","stream":true,"stream_options":{"include_usage":true}})") == whole);
    CHECK(digest(R"({"model":"m","stream":true,"stream_options":{"include_usage":false}})") != whole);
    CHECK(digest(R"({"model":"m","x":{"stream":true}})") != digest(R"({"model":"m","x":{}})"));
}

TEST_CASE("cache key: is SHA-256 in hexadecimal digits, the same in every process")
{
    std::string const key = digest(R"({"model":"m","messages":[{"role":"user","content":"hi"}]})", "tenant", "group");
    CHECK(key == "0e1bea2caed9c038d361ace87409f23b4ffa885fb1d3839e5b3f8d3a02a96087");
}

TEST_CASE("cache key: tells the temperature")
{
    CHECK(temperature(R"({"model":"m"})") == 0);
    CHECK(temperature(R"({"temperature":0})") == 0);
    CHECK(temperature(R"({"temperature":0.7})") == 0.7);
    CHECK(temperature(R"({"temperature":0.7,"temperature":0})") == 0.7);
    CHECK(temperature(R"({"temperature":null})") == 0);
}

TEST_CASE("cache key: what is not a JSON object has none")
{
    serin::json_reader reader;
    for (std::string const body : {"", "[]", "{", "{\"a\":1}x", "{\"a\":\"\xff\"}"})
    {
        INFO(body);
        serin::cacheable_request r;
        r.body = body;
        CHECK_FALSE(serin::make_cache_key(reader, r));
    }
    CHECK_FALSE(serin::make_cache_key(
        reader, serin::cacheable_request{"chat", "g", "", std::string(300, '[') + std::string(300, ']')}));
}
