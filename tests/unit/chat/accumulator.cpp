// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/chat/accumulator.hpp"

#include "catch.hpp"

#include <string>
#include <vector>

namespace {

using serin::accumulator;
using serin::chat_delta;
using serin::errc;
using serin::error_code;

// A chunk with one choice of index 0.
std::string chunk(std::string const& delta, std::string const& finish = "null")
{
    return R"({"id":"c","object":"chat.completion.chunk","created":5,"model":"m","choices":[{"index":0,"delta":{)" +
           delta + R"(},"finish_reason":)" + finish + "}]}";
}

std::string text_chunk(std::string const& text)
{
    return chunk("\"content\":\"" + text + "\"");
}

void put(accumulator& sum, std::string const& data)
{
    INFO(data);
    REQUIRE_FALSE(sum.put("message", data));
}

void put_calls(accumulator& sum, std::string const& calls)
{
    put(sum, chunk("\"tool_calls\":[" + calls + "]"));
}

struct call
{
    std::string id;
    std::string name;
    std::string arguments;

    friend bool operator==(call const&, call const&) = default;
};

std::vector<call> calls_of(accumulator& sum)
{
    std::vector<call> calls;
    for (auto const& c : sum.response().tool_calls())
        calls.push_back({c.id, c.name, c.arguments});
    return calls;
}

} // namespace

TEST_CASE("stream: chunks add up to an answer")
{
    accumulator sum;
    put(sum, chunk(R"("role":"assistant","content":"")"));
    put(sum, text_chunk("Hel"));
    put(sum, text_chunk("lo"));
    CHECK_FALSE(sum.finished());
    put(sum, chunk("", "\"stop\""));
    CHECK(sum.finished());
    CHECK_FALSE(sum.done());
    put(sum, "[DONE]");
    CHECK(sum.done());

    serin::chat_response const r = sum.take();
    CHECK(r.id == "c");
    CHECK(r.object == "chat.completion");
    CHECK(r.model == "m");
    CHECK(r.created == 5);
    CHECK(r.text() == "Hello");
    CHECK(r.reply().role == "assistant");
    CHECK(r.finish_reason() == "stop");
}

TEST_CASE("stream: each chunk gives one delta for each of its choices")
{
    accumulator sum;
    put(sum, R"({"choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"},
        "finish_reason":"stop"}]})");
    auto delta = sum.next();
    REQUIRE(delta);
    CHECK(delta->index == 1);
    CHECK(delta->text == "b");
    CHECK(delta->finish_reason.empty());
    delta = sum.next();
    REQUIRE(delta);
    CHECK(delta->index == 0);
    CHECK(delta->text == "a");
    CHECK(delta->finish_reason == "stop");
    CHECK_FALSE(sum.next());
    CHECK_FALSE(sum.finished()); // the other goes on
    CHECK(sum.response().text() == "a");

    put(sum, text_chunk("x"));
    put(sum, text_chunk("y"));
    CHECK(sum.next()->text == "y"); // what was not taken is gone
    CHECK(sum.response().text() == "axy");
}

TEST_CASE("stream: deltas point to bytes that do not change before the next chunk")
{
    accumulator sum;
    std::string data = text_chunk("text");
    REQUIRE_FALSE(sum.put("message", data));
    auto const delta = sum.next();
    data.assign(data.size(), 'x');
    CHECK(delta->text == "text");
}

TEST_CASE("stream: reasoning has two names, of which servers send one or both")
{
    accumulator sum;
    put(sum, chunk(R"("reasoning":"a")"));
    CHECK(sum.next()->reasoning == "a");
    put(sum, chunk(R"("reasoning_content":"b","content":null)"));
    CHECK(sum.next()->reasoning == "b");
    put(sum, chunk(R"("reasoning":"c","reasoning_content":"c")"));
    CHECK(sum.response().reasoning() == "abc");
}

TEST_CASE("stream: a refusal adds up")
{
    accumulator sum;
    put(sum, chunk(R"("refusal":"I ")"));
    put(sum, chunk(R"("refusal":"won't","content":null)"));
    CHECK(sum.next()->refusal == "won't");
    CHECK(sum.response().refusal() == "I won't");
}

TEST_CASE("stream: content may be an array of parts")
{
    accumulator sum;
    put(sum, chunk(R"("content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}])"));
    CHECK(sum.next()->reasoning == "hm");
    put(sum, chunk(R"("content":[{"type":"text","text":"a"},{"type":"text","text":"b"}])"));
    CHECK(sum.next()->text == "ab");
    CHECK(sum.response().text() == "ab");
    CHECK(sum.response().reasoning() == "hm");
}

TEST_CASE("stream: tool calls add up by index")
{
    accumulator sum;
    put_calls(sum, R"({"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}})");
    auto delta = sum.next();
    REQUIRE(delta->tool_calls.size() == 1);
    CHECK(delta->tool_calls[0].id == "a");
    CHECK(delta->tool_calls[0].name == "f");
    CHECK_FALSE(delta->has_token());
    put_calls(sum, R"({"index":0,"function":{"arguments":"{\"x\""}})");
    delta = sum.next();
    CHECK(delta->tool_calls[0].id == "a");
    CHECK(delta->tool_calls[0].arguments == "{\"x\"");
    CHECK(delta->has_token());
    put_calls(sum, R"({"index":1,"id":"b","function":{"name":"g","arguments":"{}"}},
                      {"index":0,"function":{"arguments":":1}"}})");
    delta = sum.next();
    REQUIRE(delta->tool_calls.size() == 2);
    CHECK(delta->tool_calls[0].index == 1);
    CHECK(delta->tool_calls[1].index == 0);
    CHECK(calls_of(sum) == std::vector<call>{{"a", "f", "{\"x\":1}"}, {"b", "g", "{}"}});
}

TEST_CASE("stream: tool index: missing or -1")
{
    for (std::string const index : {"", "\"index\":-1,", "\"index\":null,"})
    {
        INFO(index);
        accumulator sum;
        put_calls(sum, "{" + index + R"("id":"a","function":{"name":"f","arguments":"{"}})");
        put_calls(sum, "{" + index + R"("function":{"arguments":"}"}})");
        put_calls(sum, "{" + index + R"("id":"b","function":{"name":"g","arguments":"{}"}})");
        put_calls(sum, "{" + index + R"("id":"a","function":{"arguments":" "}})");
        CHECK(calls_of(sum) == std::vector<call>{{"a", "f", "{} "}, {"b", "g", "{}"}});
    }
}

TEST_CASE("stream: tool index: missing, several calls in one chunk")
{
    accumulator sum;
    put_calls(sum, R"({"id":"a","function":{"name":"f","arguments":"{}"}},
                      {"id":"b","function":{"name":"f","arguments":"{}"}})");
    CHECK(calls_of(sum) == std::vector<call>{{"a", "f", "{}"}, {"b", "f", "{}"}});
}

TEST_CASE("stream: tool index: the same for every call")
{
    accumulator sum;
    put_calls(sum, R"({"index":0,"id":"a","function":{"name":"f","arguments":"{}"}})");
    put_calls(sum, R"({"index":0,"id":"b","function":{"name":"g","arguments":"{"}})");
    put_calls(sum, R"({"index":0,"function":{"arguments":"}"}})");
    CHECK(calls_of(sum) == std::vector<call>{{"a", "f", "{}"}, {"b", "g", "{}"}});
}

TEST_CASE("stream: tool index: not from 0, with gaps")
{
    accumulator sum;
    put_calls(sum, R"({"index":1,"id":"a","function":{"name":"f","arguments":"{"}})");
    put_calls(sum, R"({"index":2000000000,"id":"b","function":{"name":"g","arguments":"{}"}})");
    put_calls(sum, R"({"index":1,"function":{"arguments":"}"}})");
    CHECK(calls_of(sum) == std::vector<call>{{"a", "f", "{}"}, {"b", "g", "{}"}});
}

TEST_CASE("stream: tool id: missing or empty")
{
    for (std::string const id : {"", "\"id\":\"\",", "\"id\":null,"})
    {
        INFO(id);
        accumulator sum;
        put_calls(sum, R"({"index":0,)" + id + R"("function":{"name":"f","arguments":"{}"}})");
        put_calls(sum, R"({"index":1,)" + id + R"("function":{"name":"g","arguments":"{}"}})");
        CHECK(calls_of(sum) == std::vector<call>{{"", "f", "{}"}, {"", "g", "{}"}});

        accumulator without_index;
        put_calls(without_index, "{" + id + R"("function":{"name":"f","arguments":"{}"}})");
        put_calls(without_index, "{" + id + R"("function":{"name":"g","arguments":"{}"}})");
        CHECK(calls_of(without_index) == std::vector<call>{{"", "f", "{}"}, {"", "g", "{}"}});
    }
}

TEST_CASE("stream: tool id: the same for two calls")
{
    accumulator sum;
    put_calls(sum, R"({"index":0,"id":"a","function":{"name":"f","arguments":"1"}})");
    put_calls(sum, R"({"index":1,"id":"a","function":{"name":"f","arguments":"2"}})");
    CHECK(calls_of(sum) == std::vector<call>{{"a", "f", "1"}, {"a", "f", "2"}});

    // Without an index, two in one chunk.
    accumulator without_index;
    put_calls(without_index, R"({"id":"a","function":{"name":"f","arguments":"1"}},
                                {"id":"a","function":{"name":"f","arguments":"2"}})");
    CHECK(calls_of(without_index) == std::vector<call>{{"a", "f", "1"}, {"a", "f", "2"}});
}

TEST_CASE("stream: tool id and name: repeated in every chunk")
{
    accumulator sum;
    put_calls(sum, R"({"index":0,"id":"a","function":{"name":"f","arguments":"1"}})");
    put_calls(sum, R"({"index":0,"id":"a","function":{"name":"f","arguments":"2"}})");
    put_calls(sum, R"({"index":0,"id":"","function":{"name":"","arguments":"3"}})");
    CHECK(calls_of(sum) == std::vector<call>{{"a", "f", "123"}});

    accumulator slow; // to begin with the arguments
    put_calls(slow, R"({"index":0,"id":"a","function":{"name":"f","arguments":""}})");
    put_calls(slow, R"({"index":0,"id":"a","function":{"name":"f","arguments":"1"}})");
    CHECK(calls_of(slow) == std::vector<call>{{"a", "f", "1"}});
}

TEST_CASE("stream: tool id: another in every chunk of a call")
{
    accumulator sum;
    put_calls(sum, R"({"index":0,"id":"a","function":{"name":"f","arguments":"1"}})");
    put_calls(sum, R"({"index":0,"id":"b","function":{"arguments":"2"}})");
    CHECK(calls_of(sum) == std::vector<call>{{"a", "f", "12"}});
}

TEST_CASE("stream: tool name: in a later chunk, or in pieces")
{
    accumulator sum;
    put_calls(sum, R"({"index":0,"id":"a","function":{"arguments":""}})");
    put_calls(sum, R"({"index":0,"function":{"name":"get_"}})");
    put_calls(sum, R"({"index":0,"function":{"name":"it","arguments":"{}"}})");
    CHECK(calls_of(sum) == std::vector<call>{{"a", "get_it", "{}"}});
}

TEST_CASE("stream: tool arguments: null or unquoted")
{
    accumulator sum;
    put_calls(sum, R"({"index":0,"id":"a","function":{"name":"f","arguments":null}})");
    put_calls(sum, R"({"index":1,"id":"b","function":{"name":"g","arguments":{"x": 1}}})");
    CHECK(sum.next()->tool_calls[0].arguments == R"({"x": 1})");
    CHECK(calls_of(sum) == std::vector<call>{{"a", "f", ""}, {"b", "g", R"({"x": 1})"}});
}

TEST_CASE("stream: custom tool calls and other members of a call are kept")
{
    accumulator sum;
    put_calls(sum, R"({"index":0,"id":"a","type":"custom","custom":{"name":"f","input":"x"},"sig":{"a":1}})");
    put_calls(sum, R"({"index":0,"custom":{"input":"y"},"sig":null})");
    CHECK(calls_of(sum) == std::vector<call>{{"a", "f", "xy"}});
    CHECK(sum.response().tool_calls()[0].type == "custom");
    CHECK(sum.response().tool_calls()[0].extra == R"({"sig":{"a":1}})");
}

TEST_CASE("stream: a deprecated function call adds up")
{
    accumulator sum;
    put(sum, chunk(R"("function_call":{"name":"f","arguments":""})"));
    CHECK_FALSE(sum.next()->has_token());
    put(sum, chunk(R"("function_call":{"arguments":"{}"})", "\"function_call\""));
    auto const delta = sum.next();
    CHECK(delta->function_call.arguments == "{}");
    CHECK(delta->has_token());
    REQUIRE(sum.response().reply().function_call);
    CHECK(sum.response().reply().function_call->name == "f");
    CHECK(sum.response().reply().function_call->arguments == "{}");
    CHECK(sum.response().tool_calls().empty());
}

TEST_CASE("stream: audio, annotations and token probabilities add up")
{
    accumulator sum;
    put(sum, chunk(R"("audio":{"id":"a","transcript":"he"})"));
    put(sum, chunk(R"("audio":{"data":"QQ==","transcript":"y","expires_at":9})"));
    CHECK(sum.next()->audio_data == "QQ==");
    put(sum, chunk(R"("annotations":[{"type":"url_citation","url_citation":{"url":"u"}}])"));
    put(sum, chunk(R"("annotations":[{"type":"odd","x":1}])"));
    put(sum, R"({"choices":[{"index":0,"delta":{},"logprobs":{"content":[{"token":"a","logprob":-1}]}}]})");
    put(sum, R"({"choices":[{"index":0,"delta":{},"logprobs":{"content":[{"token":"b","logprob":-2}]}}]})");
    serin::chat_response const& r = sum.response();
    REQUIRE(r.reply().audio);
    CHECK(r.reply().audio->id == "a");
    CHECK(r.reply().audio->transcript == "hey");
    CHECK(r.reply().audio->expires_at == 9);
    REQUIRE(r.reply().annotations.size() == 1);
    CHECK(r.reply().annotations[0].url == "u");
    CHECK(r.choices[0].message_extra == R"({"annotations":[{"type":"odd","x":1}]})");
    REQUIRE(r.choices[0].logprobs);
    REQUIRE(r.choices[0].logprobs->content.size() == 2);
    CHECK(r.choices[0].logprobs->content[1].token == "b");
}

TEST_CASE("stream: usage: in any chunk, the last that is not null counts")
{
    accumulator sum;
    put(sum, R"({"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}})");
    put(sum, R"({"choices":[],"usage":null})");
    CHECK(sum.response().usage->total_tokens == 2);
    put(sum, R"({"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":5,"total_tokens":6}})");
    put(sum, R"({"choices":[],"usage":{}})");
    CHECK(sum.response().usage->total_tokens == 6);
}

TEST_CASE("stream: usage: under x_groq or in a choice")
{
    accumulator groq;
    put(groq, R"({"choices":[],"x_groq":{"id":"r","usage":{"prompt_tokens":3,"completion_tokens":4}}})");
    CHECK(groq.response().usage->total_tokens == 7);
    CHECK_THAT(groq.response().extra, ContainsSubstring("x_groq"));
    accumulator both;
    put(both, R"({"usage":{"prompt_tokens":1},"x_groq":{"usage":{"prompt_tokens":3}}})");
    CHECK(both.response().usage->prompt_tokens == 1);
    accumulator choice;
    put(choice, R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":3}}]})");
    CHECK(choice.response().usage->prompt_tokens == 3);
}

TEST_CASE("stream: x_groq with an error is an error")
{
    accumulator sum;
    CHECK(sum.put("message", R"({"choices":[],"x_groq":{"error":"over capacity"}})") == errc::stream_error);
    CHECK(sum.error().message == "over capacity");
}

TEST_CASE("stream: chunks without choices, or with object empty, are taken")
{
    accumulator sum;
    put(sum, R"({"id":"","object":"","model":"","created":0,"choices":[],"prompt_filter_results":[{"a":1}]})");
    put(sum, R"({"id":"","object":"","choices":[{"index":0,"finish_reason":null,"content_filter_offsets":{"x":1}}]})");
    CHECK_FALSE(sum.finished());
    put(sum, R"({"choices":[{"delta":{"content":"x"}}]})");
    put(sum, R"({"id":"c","model":"m","object":"chat.completion.chunk","choices":null})");
    CHECK(sum.response().id == "c");
    CHECK(sum.response().model == "m");
    CHECK(sum.response().text() == "x");
    CHECK(sum.response().extra == R"({"prompt_filter_results":[{"a":1}]})");
    CHECK(sum.response().choices[0].extra == R"({"content_filter_offsets":{"x":1}})");
}

TEST_CASE("stream: id and model are the first that are not empty")
{
    accumulator sum;
    put(sum, R"({"id":"","model":null,"choices":[]})");
    put(sum, R"({"id":"a","model":"m","choices":[]})");
    put(sum, R"({"id":"b","model":"n","choices":[]})");
    CHECK(sum.response().id == "a");
    CHECK(sum.response().model == "m");
}

TEST_CASE("stream: unknown members: the last wins, arrays of a delta are joined, padding is dropped")
{
    accumulator sum;
    put(sum, R"({"obfuscation":"xyz","provider":"p","timings":{"n":1},"choices":[{"index":0,"native_finish_reason":null,
        "delta":{"reasoning_details":[{"a":1}]}}]})");
    put(sum, R"({"timings":{"n":2},"choices":[{"index":0,"native_finish_reason":"x",
        "delta":{"reasoning_details":[{"b":2}]}}]})");
    put(sum, R"({"choices":[{"index":0,"delta":{"reasoning_details":[]}}]})");
    CHECK(sum.response().extra == R"({"provider":"p","timings":{"n":2}})");
    CHECK(sum.response().choices[0].extra == R"({"native_finish_reason":"x"})");
    CHECK(sum.response().choices[0].message_extra == R"({"reasoning_details":[{"a":1},{"b":2}]})");
}

TEST_CASE("stream: an error member that is null is no error")
{
    accumulator sum;
    put(sum, R"({"error":null,"choices":[{"index":0,"delta":{"content":"x"}}]})");
    CHECK(sum.response().text() == "x");
}

TEST_CASE("stream: errors in a stream, in every form")
{
    struct
    {
        char const* type;
        char const* data;
        errc cause;
        char const* message;
    } const table[] = {
        {"message", R"({"error":{"message":"m","type":"server_error","code":null}})", errc::server_error, "m"},
        {"message", R"({"error":{"code":429,"message":"m"}})", errc::rate_limited, "m"},
        {"message", R"({"error":"boom"})", errc::stream_error, "boom"},
        {"message", R"({"object":"error","message":"m","code":400})", errc::invalid_request, "m"},
        {"message", R"([{"error":{"code":503,"message":"m"}}])", errc::overloaded, "m"},
        {"error", R"({"error":{"message":"m","code":"tool_use_failed","status_code":400}})", errc::invalid_request,
            "m"},
        {"error", R"({"message":"m"})", errc::stream_error, "m"},
        {"error", R"({"code":"server_is_overloaded","message":"m"})", errc::overloaded, "m"},
        {"error", "gateway went away", errc::stream_error, "gateway went away"},
    };
    for (auto const& row : table)
    {
        INFO(row.data);
        accumulator sum;
        put(sum, text_chunk("half"));
        CHECK(sum.put(row.type, row.data) == row.cause);
        CHECK(sum.error().message == row.message);
        CHECK(sum.response().text() == "half");
        // Nothing comes after it.
        CHECK(sum.put("message", text_chunk("more")) == row.cause);
        CHECK(sum.put("message", "[DONE]") == row.cause);
        CHECK_FALSE(sum.done());
        CHECK(sum.response().text() == "half");
    }
}

TEST_CASE("stream: a chunk with an error brings its usage, and keeps the finish reason")
{
    accumulator sum;
    put(sum, chunk("", "\"length\""));
    CHECK(sum.put("message", R"({"error":{"code":400,"message":"m"},"usage":{"prompt_tokens":43},
        "choices":[{"index":0,"delta":{"content":""},"finish_reason":null}]})") == errc::invalid_request);
    CHECK(sum.response().usage->prompt_tokens == 43);
    CHECK(sum.response().finish_reason() == "length");
}

TEST_CASE("stream: a choice that ends with an error is an error")
{
    accumulator sum;
    put(sum, text_chunk("half"));
    CHECK(sum.put("message", R"({"choices":[{"index":0,"delta":{},"finish_reason":"error",
        "error":{"code":502,"message":"m"}}]})") == errc::server_error);
    CHECK(sum.error().message == "m");
    CHECK(sum.response().text() == "half");
    accumulator bare;
    CHECK(bare.put("message", chunk("", "\"error\"")) == errc::stream_error);
}

TEST_CASE("stream: what is not a chunk is a stream error, and what came before is kept")
{
    for (char const* data : {"{", "{unparsable}", "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lost", "text",
             "[]", "[1]", "1", "\"x\"", "{} {}", "{\"choices\":[1]}"})
    {
        INFO(data);
        accumulator sum;
        put(sum, text_chunk("kept"));
        CHECK(sum.put("message", data) == errc::stream_error);
        CHECK(sum.response().text() == "kept");
    }
}

TEST_CASE("stream: blank data, pings and null are skipped")
{
    accumulator sum;
    put(sum, "");
    put(sum, " \n");
    put(sum, "null");
    put(sum, "\n\n" + text_chunk("x") + " ");
    REQUIRE_FALSE(sum.put("ping", "not json"));
    CHECK_FALSE(sum.next());
    REQUIRE_FALSE(sum.put("ping", ""));
    REQUIRE_FALSE(sum.put("error", ""));
    CHECK(sum.response().text() == "x");
}

TEST_CASE("stream: [DONE] may have blanks around it, and ends everything")
{
    for (char const* data : {"[DONE]", "[DONE] ", " [DONE]\r", "[DONE]\n"})
    {
        accumulator sum;
        put(sum, data);
        CHECK(sum.done());
        put(sum, text_chunk("late"));
        put(sum, "{garbage");
        CHECK(sum.response().text().empty());
    }
}

TEST_CASE("stream: a last event without its blank line counts if it is whole")
{
    accumulator sum;
    REQUIRE_FALSE(sum.put_last("message", text_chunk("x")));
    CHECK(sum.next()->text == "x");
    std::string const data = text_chunk("y");
    for (std::size_t size = 0; size < data.size(); ++size)
        REQUIRE_FALSE(sum.put_last("message", data.substr(0, size)));
    REQUIRE_FALSE(sum.put_last("message", "[DO"));
    CHECK(sum.response().text() == "x");
    CHECK_FALSE(sum.done());
    REQUIRE_FALSE(sum.put_last("message", "[DONE]"));
    CHECK(sum.done());
}

TEST_CASE("stream: a whole message in a stream counts as far as it is news")
{
    accumulator whole;
    put(whole, R"({"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"all"},
        "finish_reason":"stop"}]})");
    CHECK(whole.next()->text == "all");
    CHECK(whole.finished());
    accumulator sum;
    put(sum, R"({"choices":[{"index":0,"delta":{"content":"a"},"message":{"content":"a"}}]})");
    put(sum, R"({"choices":[{"index":0,"delta":{"content":"b"},"message":{"content":"ab"}}]})");
    put(sum, R"({"choices":[{"index":0,"message":{"content":"ab"},"finish_reason":"stop"}]})");
    CHECK(sum.response().text() == "ab");
}

TEST_CASE("stream: invalid UTF-8 and lone surrogates in a chunk become U+FFFD")
{
    accumulator sum;
    put(sum, text_chunk("a\xff"));
    put(sum, text_chunk("\\ud83d"));
    CHECK(sum.response().text() == "a\xef\xbf\xbd\xef\xbf\xbd");
}

TEST_CASE("stream: a stream has at most 128 choices and 128 tool calls")
{
    accumulator choices;
    for (int i = 0; i < 128; ++i)
        put(choices, "{\"choices\":[{\"index\":" + std::to_string(i) + ",\"delta\":{}}]}");
    CHECK(choices.put("message", R"({"choices":[{"index":500,"delta":{}}]})") == errc::response_too_large);
    CHECK(choices.response().choices.size() == 128);

    accumulator calls;
    for (int i = 0; i < 128; ++i)
        put_calls(calls, "{\"index\":" + std::to_string(i) + ",\"id\":\"x\",\"function\":{\"name\":\"f\"}}");
    CHECK(calls.put("message", chunk(R"("tool_calls":[{"index":128,"function":{"name":"f"}}])")) ==
          errc::response_too_large);
}

TEST_CASE("stream: what is kept is bounded, whatever member it comes in")
{
    std::string const kilobyte(1024, 'x');
    std::string const pieces[] = {
        "\"content\":\"" + kilobyte + "\"",
        "\"reasoning\":\"" + kilobyte + "\"",
        "\"refusal\":\"" + kilobyte + "\"",
        "\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"" + kilobyte + "\"}}]",
        "\"function_call\":{\"arguments\":\"" + kilobyte + "\"}",
        "\"audio\":{\"data\":\"" + kilobyte + "\"}",
        "\"annotations\":[{\"url_citation\":{\"url\":\"" + kilobyte + "\"}}]",
        "\"unknown\":[\"" + kilobyte + "\"]",
    };
    for (std::string const& piece : pieces)
    {
        INFO(piece.substr(0, 20));
        accumulator sum(10000);
        error_code ec;
        int count = 0;
        while (!ec && count < 20)
        {
            ec = sum.put("message", chunk(piece));
            ++count;
        }
        CHECK(ec == errc::response_too_large);
        CHECK(count < 12);
        CHECK_FALSE(sum.response().choices.empty());
    }
}

TEST_CASE("stream: members of the wrong type do no harm")
{
    accumulator sum;
    put(sum, R"({"id":1,"object":[],"created":"x","model":{},"usage":[],"x_groq":1,"service_tier":5,
        "choices":[{"index":"0","delta":[],"finish_reason":7,"logprobs":3,"error":"x"},
                   {"delta":{"content":{"a":1},"role":1,"reasoning":[],"refusal":{},"tool_calls":{"a":1},
                    "function_call":[],"annotations":7,"audio":"x"}},
                   {"index":-5,"delta":{"tool_calls":[1,null,{"index":"x","id":5,"function":[]}]}}]})");
    CHECK(sum.response().text().empty());
}

TEST_CASE("stream: of members that come twice in a delta the first counts, so that deltas add up to the answer")
{
    accumulator sum;
    put(sum, chunk(R"("content":"a","content":"b","content":[{"type":"text","text":"c"}],"refusal":"d","refusal":"e",
        "reasoning":"f","content":[{"type":"thinking","thinking":[{"text":"g"}]}],
        "audio":{"id":"h","data":"i","data":"j","transcript":"k"},"audio":{"data":"l","transcript":"m"},
        "function_call":{"name":"n","arguments":"o"},"function_call":{"arguments":"p"})"));
    auto const delta = sum.next();
    REQUIRE(delta);
    CHECK(delta->text == "a");
    CHECK(delta->refusal == "d");
    CHECK(delta->reasoning == "f");
    CHECK(delta->audio_data == "i");
    CHECK(delta->audio_transcript == "k");
    CHECK(delta->function_call.arguments == "o");
    serin::message const& m = sum.response().reply();
    CHECK(m.content == "a");
    CHECK(m.refusal == "d");
    CHECK(m.reasoning == "f");
    REQUIRE(m.audio);
    CHECK(m.audio->data == "i");
    CHECK(m.audio->transcript == "k");
    REQUIRE(m.function_call);
    CHECK(m.function_call->name == "n");
    CHECK(m.function_call->arguments == "o");
}

TEST_CASE("stream: chunks that begin alike add up as ones that do not")
{
    std::string const head =
        R"({"id":"c","object":"chat.completion.chunk","created":5,"model":"m","service_tier":"a",)";
    std::string const other = R"({"model":"m","id":"c","created":5, "service_tier":"a",)";
    auto const tail = [](std::string const& text) {
        return R"("choices":[{"index":0,"delta":{"content":")" + text + R"("},"finish_reason":null}],"x":")" + text +
               "\"}";
    };
    accumulator alike, not_alike;
    for (std::string const text : {"a", "b\\n", "\xC3\xBC", "\\u00fc", "d"})
    {
        put(alike, head + tail(text));
        put(not_alike, (text == "b\\n" ? other : head + ' ') + tail(text));
        auto const delta = alike.next();
        REQUIRE(delta);
        CHECK(delta->text == not_alike.next()->text);
        CHECK_FALSE(alike.next());
    }
    for (accumulator* const sum : {&alike, &not_alike})
    {
        CHECK(sum->response().text() == "ab\n\xC3\xBC\xC3\xBC"
                                        "d");
        CHECK(sum->response().id == "c");
        CHECK(sum->response().model == "m");
        CHECK(sum->response().service_tier == "a");
        CHECK(sum->response().extra == R"({"x":"d"})");
    }
}

TEST_CASE("stream: what a chunk begins with counts when it differs from the chunk before")
{
    auto const from = [](std::string const& tier) { return R"({"service_tier":")" + tier + R"(","choices":[]})"; };
    accumulator sum;
    put(sum, from("a"));
    put(sum, from("a"));
    put(sum, from("ab"));
    CHECK(sum.response().service_tier == "ab");
    put(sum, from("a"));
    CHECK(sum.response().service_tier == "a");
}

TEST_CASE("stream: members before the choices that may change count in every chunk")
{
    accumulator sum;
    for (int i = 0; i < 3; ++i)
        put(sum, R"({"id":"c","usage":{"total_tokens":3},"x":1,"choices":[]})");
    CHECK(sum.only_usage());
    REQUIRE(sum.response().usage);
    CHECK(sum.response().usage->total_tokens == 3);
    CHECK(sum.response().extra == R"({"x":1})");

    CHECK(accumulator().put("message", R"({"object":"error","choices":[]})"));
    accumulator failing;
    put(failing, R"({"id":"c","error":null,"choices":[]})");
    put(failing, R"({"id":"c","error":null,"choices":[]})");
    CHECK(failing.put("message", R"({"id":"c","error":{"message":"m"},"choices":[]})"));
}

TEST_CASE("stream: a chunk that begins like the one before may be broken, an error or repaired")
{
    std::string const head = R"({"id":"c","model":"m",)";
    std::string const good = head + R"("choices":[]})";
    for (std::string const bad : {"}", " }", "", "\"choices\":[]", "\"choices\":[]}}", "\"choices\":[],}",
             ",\"choices\":[]}", "1}", "\"choices\":[]}{}"})
    {
        INFO(bad);
        accumulator sum;
        put(sum, good);
        CHECK(sum.put("message", head + bad) == errc::stream_error);
    }
    accumulator sum;
    put(sum, good);
    put(sum, head + "\"choices\":[{\"delta\":{\"content\":\"a\xFF"
                    "b\"}}]}");
    CHECK(sum.next()->text == "a\xEF\xBF\xBD"
                              "b");
    CHECK(sum.put("message", head + R"("error":{"message":"over","code":429}})"));
    CHECK(sum.error().message == "over");
}

TEST_CASE("stream: a byte order mark or invalid UTF-8 before the choices is met in every chunk")
{
    for (std::string const first :
        {"\xEF\xBB\xBF{\"id\":\"c\",", "{\"id\":\"\xFF\xFE\",", "{\"id\":\"\xFF\xC3\xBC\",", "{\"\\u0069d\":\"c\","})
    {
        INFO(first);
        accumulator sum;
        for (int i = 0; i < 3; ++i)
            put(sum, first + R"("choices":[{"index":0,"delta":{"content":"a"}}]})");
        CHECK(sum.response().text() == "aaa");
        CHECK_FALSE(sum.response().id.empty());
    }
}
