// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "chat/relay_wire.hpp"

#include "catch.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

using nlohmann::json;
using serin::errc;
using serin::json_reader;
using serin::json_value;
using serin::relayed_body;
using serin::server_error;

namespace {

relayed_body read(std::string const& body, bool chat = true)
{
    json_reader reader;
    relayed_body out;
    server_error why;
    serin::error_code const ec = serin::read_relayed_body(reader, body, chat, out, why);
    INFO(body << ": " << why.message);
    REQUIRE_FALSE(ec);
    return out;
}

// Which parameter is wrong; "-": none is named.
std::string refused(std::string const& body, bool chat = true)
{
    json_reader reader;
    relayed_body out;
    server_error why;
    INFO(body);
    CHECK(serin::read_relayed_body(reader, body, chat, out, why) == errc::invalid_argument);
    CHECK(why.type == "invalid_request_error");
    CHECK(why.message.size() > 4);
    return why.param.empty() ? "-" : why.param;
}

// What is sent on, but for the model.
json sent(relayed_body const& b)
{
    return json::parse("{" + b.tail);
}

std::vector<json> as_stream(std::string const& completion, bool with_usage)
{
    json_reader reader;
    json_value root;
    REQUIRE(reader.parse_exact(completion, root));
    std::string out;
    serin::append_as_stream(root, with_usage, out);
    std::vector<json> events;
    for (std::size_t at = 0; at < out.size();)
    {
        REQUIRE(out.compare(at, 6, "data: ") == 0);
        std::size_t const end = out.find("\n\n", at);
        REQUIRE(end != std::string::npos);
        events.push_back(json::parse(out.substr(at + 6, end - at - 6)));
        at = end + 2;
    }
    return events;
}

std::string event(std::string_view data)
{
    std::string out;
    serin::append_event(out, data);
    return out;
}

} // namespace

TEST_CASE("relay_wire: members pass as they are, unknown ones too, but for the model")
{
    auto const b =
        read(R"({"model":"m","messages":[{"role":"user","content":"h\u00e9\n"}],"x_new":{"a":[1.50,1e400]}})");
    CHECK(b.model == "m");
    CHECK_FALSE(b.stream);
    CHECK_THAT(b.tail, ContainsSubstring("1.50"));
    CHECK_THAT(b.tail, ContainsSubstring("1e400"));
    CHECK_THAT(b.tail, !ContainsSubstring("model"));
    auto const plain = read(R"({"messages":[{"role":"user","content":"h\u00e9"}],"seed":7,"model":"m"})");
    CHECK(sent(plain) == json::parse(R"({"messages":[{"role":"user","content":"h\u00e9"}],"seed":7})"));
}

TEST_CASE("relay_wire: a model cannot be smuggled past")
{
    // The last one counts, as it does for those who read it later.
    auto const twice = read(R"({"model":"a","messages":[],"model":"b"})");
    CHECK(twice.model == "b");
    CHECK(sent(twice) == json::parse(R"({"messages":[]})"));
    auto const escaped = read(R"({"model":"a","messages":[],"mod\u0065l":"b"})");
    CHECK(escaped.model == "b");
    CHECK_FALSE(sent(escaped).contains("model"));
}

TEST_CASE("relay_wire: of a stream the usage is always asked for")
{
    auto const b = read(R"({"model":"m","messages":[],"stream":true})");
    CHECK(b.stream);
    CHECK_FALSE(b.asks_for_usage);
    CHECK(sent(b)["stream_options"] == json({{"include_usage", true}}));
    auto const no = read(
        R"({"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":false,"include_obfuscation":false}})");
    CHECK_FALSE(no.asks_for_usage);
    CHECK(sent(no)["stream_options"] == json({{"include_usage", true}, {"include_obfuscation", false}}));
    CHECK(read(R"({"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}})").asks_for_usage);
    auto const null = read(R"({"model":"m","messages":[],"stream":true,"stream_options":null})");
    CHECK(sent(null)["stream_options"] == json({{"include_usage", true}}));
    // Nothing is added to what is no stream.
    CHECK_FALSE(sent(read(R"({"model":"m","messages":[],"stream":false})")).contains("stream_options"));
    CHECK_FALSE(sent(read(R"({"model":"m","messages":[],"stream":null})")).contains("stream_options"));
}

TEST_CASE("relay_wire: embeddings are never streamed, and their texts are counted")
{
    CHECK_FALSE(read(R"({"model":"m","input":"a","stream":true})", false).stream);
    CHECK(read(R"({"model":"m","input":"a"})", false).inputs == 1);
    CHECK(read(R"({"model":"m","input":["a","b","c"]})", false).inputs == 3);
    CHECK(read(R"({"model":"m","input":[1,2,3]})", false).inputs == 1);
    CHECK(read(R"({"model":"m","input":[[1,2],[3]]})", false).inputs == 2);
    CHECK(read(R"({"model":"m","input":[]})", false).inputs == 0);
}

TEST_CASE("relay_wire: how long an answer may become")
{
    CHECK(read(R"({"model":"m","messages":[]})").max_answer == 0);
    CHECK(read(R"({"model":"m","messages":[],"max_tokens":5})").max_answer == 5);
    CHECK(read(R"({"model":"m","messages":[],"max_tokens":5,"max_completion_tokens":7,"n":3})").max_answer == 21);
    for (char const* const odd : {"-5", "\"many\"", "null", "1.5e", "[]"})
        if (json::accept(odd))
            CHECK(read(std::string(R"({"model":"m","messages":[],"max_tokens":)") + odd + "}").max_answer == 0);
    // No product that overflows.
    CHECK(read(R"({"model":"m","messages":[],"max_tokens":9223372036854775807,"n":9223372036854775807})").max_answer ==
          (std::uint64_t{1} << 30) * 128);
    CHECK(read(R"({"model":"m","messages":[],"max_tokens":5,"n":-1})").max_answer == 5);
}

TEST_CASE("relay_wire: whose request it is")
{
    CHECK(read(R"({"model":"m","messages":[]})").sticky_key.empty());
    CHECK(read(R"({"model":"m","messages":[],"user":"u"})").sticky_key == "u");
    CHECK(read(R"({"model":"m","messages":[],"user":"u","safety_identifier":"s"})").sticky_key == "s");
    CHECK(read(R"({"model":"m","messages":[],"safety_identifier":"s","user":"u"})").sticky_key == "s");
    CHECK(read(R"({"model":"m","messages":[],"user":"u","prompt_cache_key":"k"})").sticky_key == "k");
    CHECK(read(R"({"model":"m","messages":[],"user":7})").sticky_key.empty());
}

TEST_CASE("relay_wire: what no upstream would take is refused, and the parameter named")
{
    for (char const* const body :
        {"", "{", "[]", "null", "\"m\"", R"({"model":"m","messages":[]} x)", R"({"model":"m","messages":[})", "\xff"})
        CHECK(refused(body) == "-");
    CHECK(refused(R"({"messages":[]})") == "model");
    CHECK(refused(R"({"model":"","messages":[]})") == "model");
    CHECK(refused(R"({"model":7,"messages":[]})") == "model");
    CHECK(refused(R"({"model":"m"})") == "messages");
    CHECK(refused(R"({"model":"m","input":"a"})") == "messages");
    CHECK(refused(R"({"model":"m","messages":[],"stream":"yes"})") == "stream");
    CHECK(refused(R"({"model":"m","messages":[],"stream":1})") == "stream");
    CHECK(refused(R"({"model":"m","messages":[],"stream_options":[]})") == "stream_options");
    CHECK(refused(R"({"model":"m","messages":[]})", false) == "input");
    CHECK(refused(R"({"model":"m","input":null})", false) == "input");
    CHECK(refused(std::string(100'000, '[')) == "-");
}

TEST_CASE("relay_wire: a whole completion becomes a chunk for each choice, and one with the usage if that is asked for")
{
    std::string const completion =
        R"({"id":"a","object":"chat.completion","created":1,"extra":{"b":2},"choices":[)"
        R"({"index":0,"message":{"role":"assistant","content":"x","new":1},"finish_reason":"stop"},)"
        R"({"index":1,"message":{"role":"assistant","content":null,"tool_calls":[)"
        R"({"id":"c","type":"function","function":{"name":"f","arguments":"{}"}},{"index":9,"id":"d"},{}]},)"
        R"("finish_reason":"tool_calls"}],"usage":{"total_tokens":3}})";
    auto const events = as_stream(completion, true);
    REQUIRE(events.size() == 3);
    for (json const& e : events)
    {
        CHECK(e["object"] == "chat.completion.chunk");
        CHECK(e["id"] == "a");
        CHECK(e["extra"]["b"] == 2);
    }
    CHECK(events[0]["choices"] == json::parse(R"([{"index":0,"delta":{"role":"assistant","content":"x","new":1},)"
                                              R"("finish_reason":"stop"}])"));
    json const calls = events[1]["choices"][0]["delta"]["tool_calls"];
    REQUIRE(calls.size() == 3);
    CHECK(
        calls[0] == json::parse(R"({"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{}"}})"));
    CHECK(calls[1] == json::parse(R"({"index":1,"id":"d"})"));
    CHECK(calls[2] == json::parse(R"({"index":2})"));
    CHECK_FALSE(events[0].contains("usage"));
    CHECK(events[2]["usage"]["total_tokens"] == 3);
    CHECK(events[2]["choices"].empty());
    CHECK(as_stream(completion, false).size() == 2);
}

TEST_CASE("relay_wire: a completion without choices, or that is none, is no event")
{
    CHECK(as_stream("{}", true).empty());
    CHECK(as_stream(R"({"choices":[],"usage":null})", true).empty());
    CHECK(as_stream("[]", true).empty());
    CHECK(as_stream(R"({"choices":7,"usage":7})", true).empty());
}

TEST_CASE("relay_wire: each line of an event's data has its field")
{
    CHECK(event("{}") == "data: {}\n\n");
    CHECK(event("") == "data: \n\n");
    CHECK(event("a\nb") == "data: a\ndata: b\n\n");
    CHECK(event("a\n") == "data: a\ndata: \n\n");
}
