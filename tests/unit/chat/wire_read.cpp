// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/chat/wire_read.hpp"

#include "catch.hpp"

#include <string>

namespace {

using serin::errc;

struct read_result
{
    serin::error_code ec;
    serin::chat_response response;
    serin::server_error err;
};

read_result read(std::string_view body)
{
    serin::json_reader reader;
    read_result r;
    r.ec = serin::read_response(reader, body, r.response, r.err);
    return r;
}

serin::chat_response answer(std::string_view body)
{
    read_result r = read(body);
    INFO(body);
    REQUIRE_FALSE(r.ec);
    return r.response;
}

// An answer with some members of the message.
serin::chat_response answer_with(std::string const& members)
{
    return answer(R"({"choices":[{"message":{)" + members + "}}]}");
}

} // namespace

TEST_CASE("answer: every member of an answer is read")
{
    serin::chat_response const r = answer(R"({
        "id": "c1", "object": "chat.completion", "created": 1700000000, "model": "m", "service_tier": "default",
        "system_fingerprint": "fp", "choices": [{"index": 0, "finish_reason": "stop", "message": {
            "role": "assistant", "content": "hi", "refusal": "no", "reasoning": "hm",
            "annotations": [{"type": "url_citation", "url_citation":
                {"start_index": 1, "end_index": 2, "url": "u", "title": "t"}}],
            "audio": {"id": "a", "data": "QQ==", "expires_at": 5, "transcript": "hi"},
            "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                           {"id": "t2", "type": "custom", "custom": {"name": "g", "input": "x"}}]},
          "logprobs": {"content": [{"token": "hi", "logprob": -0.5, "bytes": [104, 105],
                "top_logprobs": [{"token": "ho", "logprob": -1, "bytes": null}]}], "refusal": null}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 31,
            "prompt_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 2, "audio_tokens": 3, "image_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 6, "accepted_prediction_tokens": 7,
                "rejected_prediction_tokens": 8}}})");
    CHECK(r.id == "c1");
    CHECK(r.object == "chat.completion");
    CHECK(r.created == 1700000000);
    CHECK(r.model == "m");
    CHECK(r.service_tier == "default");
    CHECK(r.system_fingerprint == "fp");
    CHECK(r.extra.empty());
    CHECK(r.text() == "hi");
    CHECK(r.refusal() == "no");
    CHECK(r.reasoning() == "hm");
    CHECK(r.finish_reason() == "stop");

    serin::message const& m = r.reply();
    CHECK(m.role == "assistant");
    REQUIRE(m.annotations.size() == 1);
    CHECK(m.annotations[0].start_index == 1);
    CHECK(m.annotations[0].end_index == 2);
    CHECK(m.annotations[0].url == "u");
    CHECK(m.annotations[0].title == "t");
    REQUIRE(m.audio);
    CHECK(m.audio->id == "a");
    CHECK(m.audio->data == "QQ==");
    CHECK(m.audio->expires_at == 5);
    CHECK(m.audio->transcript == "hi");
    REQUIRE(r.tool_calls().size() == 2);
    CHECK(r.tool_calls()[0].id == "t1");
    CHECK(r.tool_calls()[0].name == "f");
    CHECK(r.tool_calls()[0].arguments == "{}");
    CHECK(r.tool_calls()[1].type == "custom");
    CHECK(r.tool_calls()[1].name == "g");
    CHECK(r.tool_calls()[1].arguments == "x");

    REQUIRE(r.choices[0].logprobs);
    REQUIRE(r.choices[0].logprobs->content.size() == 1);
    serin::token_logprob const& token = r.choices[0].logprobs->content[0];
    CHECK(token.token == "hi");
    CHECK(token.logprob == -0.5);
    CHECK(token.bytes == "hi");
    REQUIRE(token.top.size() == 1);
    CHECK(token.top[0].token == "ho");

    REQUIRE(r.usage);
    CHECK(r.usage->prompt_tokens == 10);
    CHECK(r.usage->completion_tokens == 20);
    CHECK(r.usage->total_tokens == 31);
    CHECK(r.usage->cached_tokens == 1);
    CHECK(r.usage->cache_write_tokens == 2);
    CHECK(r.usage->prompt_audio_tokens == 3);
    CHECK(r.usage->prompt_image_tokens == 4);
    CHECK(r.usage->reasoning_tokens == 5);
    CHECK(r.usage->completion_audio_tokens == 6);
    CHECK(r.usage->accepted_prediction_tokens == 7);
    CHECK(r.usage->rejected_prediction_tokens == 8);
}

TEST_CASE("answer: unknown members are kept as JSON, nulls are not")
{
    serin::chat_response const r = answer(R"({"timings":{"prompt_ms":1.50},"provider":"p","nothing":null,
        "choices":[{"native_finish_reason":"x","message":{"content":"","images":[1, 2]}}],
        "usage":{"prompt_tokens":1,"cost":0.10,"prompt_tokens_details":{"video_tokens":3}}})");
    CHECK(r.extra == R"({"timings":{"prompt_ms":1.50},"provider":"p"})");
    CHECK(r.choices[0].extra == R"({"native_finish_reason":"x"})");
    CHECK(r.choices[0].message_extra == R"({"images":[1, 2]})");
    CHECK(r.usage->extra == R"({"cost":0.10,"prompt_tokens_details":{"video_tokens":3}})");
}

TEST_CASE("answer: choices are sorted by index, and by place if they have none")
{
    serin::chat_response r =
        answer(R"({"choices":[{"index":1,"message":{"content":"b"}},{"index":0,"message":{"content":"a"}}]})");
    CHECK(r.text() == "a");
    CHECK(r.choices[1].message.content == "b");
    r = answer(R"({"choices":[{"message":{"content":"a"}},{"message":{"content":"b"}}]})");
    CHECK(r.choices[1].index == 1);
}

TEST_CASE("answer: blank lines and a byte order mark before an answer are skipped")
{
    CHECK(answer("\n\n  \r\n{\"choices\":[{\"message\":{\"content\":\"x\"}}]}\n").text() == "x");
    CHECK(answer("\xef\xbb\xbf{\"choices\":[{\"message\":{\"content\":\"x\"}}]}").text() == "x");
}

TEST_CASE("answer: invalid UTF-8 and lone surrogates in an answer become U+FFFD")
{
    CHECK(answer_with("\"content\":\"a\xff\xc3\"").text() == "a\xef\xbf\xbd\xef\xbf\xbd");
    CHECK(answer_with(R"("content":"a\ud83d")").text() == "a\xef\xbf\xbd");
}

TEST_CASE("answer: reasoning has two names, of which servers send one or both")
{
    CHECK(answer_with(R"("reasoning_content":"r")").reasoning() == "r");
    CHECK(answer_with(R"("reasoning":"r")").reasoning() == "r");
    CHECK(answer_with(R"("reasoning":"r","reasoning_content":"r")").reasoning() == "r");
    CHECK(answer_with(R"("reasoning":null,"reasoning_content":"r")").reasoning() == "r");
}

TEST_CASE("answer: content may be an array of parts")
{
    serin::chat_response const r = answer_with(R"("content":[
        {"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a"},"b",
        {"type":"refusal","refusal":"no"}])");
    CHECK(r.text() == "ab");
    CHECK(r.reasoning() == "hm");
    CHECK(r.refusal() == "no");
    CHECK(r.choices[0].message_extra.empty());
    CHECK(answer_with(R"("content":[{"type":"text","text":"a"},{"type":"odd","x":1}])").choices[0].message_extra ==
          R"({"content":[{"type":"text","text":"a"},{"type":"odd","x":1}]})");
}

TEST_CASE("answer: tool calls may lack an id, a type or arguments, or have them unquoted")
{
    serin::chat_response const r = answer_with(R"("content":null,"tool_calls":[
        {"function":{"name":"a","arguments":null}},{"id":"","type":null,"function":{"name":"b","arguments":{"x": 1}}},
        {"id":"same","function":{"name":"c"},"extra_content":{"s":1}},{"id":"same","function":{"name":"d"}}])");
    REQUIRE(r.tool_calls().size() == 4);
    CHECK(r.tool_calls()[0].type == "function");
    CHECK(r.tool_calls()[0].arguments.empty());
    CHECK(r.tool_calls()[1].arguments == R"({"x": 1})");
    CHECK(r.tool_calls()[2].extra == R"({"extra_content":{"s":1}})");
    CHECK(r.tool_calls()[3].name == "d");
}

TEST_CASE("answer: a deprecated function call is read, an empty one is none")
{
    serin::chat_response r = answer_with(R"("function_call":{"name":"f","arguments":"{}"})");
    REQUIRE(r.reply().function_call);
    CHECK(r.reply().function_call->name == "f");
    CHECK(r.tool_calls().empty());
    r = answer_with(R"("function_call":{"name":"","arguments":""},"audio":{"id":"","data":""})");
    CHECK_FALSE(r.reply().function_call);
    CHECK_FALSE(r.reply().audio);
}

TEST_CASE("answer: usage comes in several forms")
{
    auto const usage = [](std::string const& text) {
        return answer(R"({"choices":[{"message":{}}],"usage":)" + text + "}").usage;
    };
    CHECK_FALSE(usage("null"));
    CHECK_FALSE(usage("{}"));
    CHECK(usage(R"({"prompt_tokens":1,"completion_tokens":2})")->total_tokens == 3);
    CHECK(usage(R"({"prompt_tokens":1.0,"completion_tokens":-2,"total_tokens":null})")->total_tokens == 1);
    CHECK(usage(R"({"prompt_tokens":9,"prompt_cache_hit_tokens":4,"reasoning_tokens":3})")->cached_tokens == 4);
    CHECK(usage(R"({"prompt_tokens":9,"prompt_cache_hit_tokens":4,"reasoning_tokens":3})")->reasoning_tokens == 3);
    CHECK(usage(R"({"prompt_tokens":"x"})")->prompt_tokens == 0);
}

TEST_CASE("answer: what is not a chat completion is malformed")
{
    for (char const* body : {"", "  ", "null", "[]", "1", "\"text\"", "{}", "{\"choices\":[]}", "{\"choices\":null}",
             "{\"choices\":{}}", "{\"choices\":[1]}", "{\"choices\":[{}]}", "{\"choices\":[{\"message\":null}]}",
             "{\"choices\":[{\"message\":{}}]", "{\"choices\":[{\"message\":{}}]} x", "<html></html>",
             "data: {\"choices\":[]}"})
    {
        INFO(body);
        CHECK(read(body).ec == errc::malformed_response);
    }
}

TEST_CASE("answer: an error inside a 200 is told apart by its code")
{
    read_result r = read(R"({"error":{"code":429,"message":"slow down"}})");
    CHECK(r.ec == errc::rate_limited);
    CHECK(r.err.message == "slow down");
    CHECK(r.err.code == "429");
    CHECK(r.err.code_is_number);
    CHECK(read(R"({"error":"boom"})").ec == errc::stream_error);
    CHECK(read(R"({"object":"error","message":"m","type":"BadRequestError","code":400})").ec == errc::invalid_request);
    CHECK(read(R"([{"error":{"code":503,"message":"m"}}])").ec == errc::overloaded);

    r = read(R"({"choices":[{"message":{"content":"half"}}],"error":{"code":502,"message":"m"}})");
    CHECK(r.ec == errc::server_error);
    CHECK(r.response.text() == "half");
    r = read(
        R"({"choices":[{"message":{"content":"half"},"finish_reason":"error","error":{"code":502,"message":"m"}}]})");
    CHECK(r.ec == errc::server_error);
    CHECK(read(R"({"choices":[{"message":{"content":"half"},"finish_reason":"error"}]})").ec == errc::stream_error);
}

TEST_CASE("answer: an error member that says nothing is no error")
{
    for (char const* nothing : {"null", "\"\"", "{}", "[]", "false"})
    {
        INFO(nothing);
        CHECK_FALSE(read(std::string(R"({"choices":[{"message":{}}],"error":)") + nothing + "}").ec);
    }
}

TEST_CASE("answer: choices and tool calls are limited to 128")
{
    auto const many = [](std::string const& item, int count) {
        std::string list = item;
        for (int i = 1; i < count; ++i)
            list += "," + item;
        return list;
    };
    CHECK_FALSE(read("{\"choices\":[" + many("{\"message\":{}}", 128) + "]}").ec);
    CHECK(read("{\"choices\":[" + many("{\"message\":{}}", 129) + "]}").ec == errc::response_too_large);
    CHECK_FALSE(read("{\"choices\":[{\"message\":{\"tool_calls\":[" + many("{}", 128) + "]}}]}").ec);
    CHECK(read("{\"choices\":[{\"message\":{\"tool_calls\":[" + many("{}", 129) + "]}}]}").ec ==
          errc::response_too_large);
}

TEST_CASE("answer: token probabilities of another shape are kept as JSON")
{
    serin::chat_response const r = answer(R"({"choices":[{"message":{},"logprobs":{"tokens":["a"]}}]})");
    CHECK_FALSE(r.choices[0].logprobs);
    CHECK(r.choices[0].extra == R"({"logprobs":{"tokens":["a"]}})");
}

TEST_CASE("answer: members of the wrong type do no harm")
{
    serin::chat_response const r = answer(R"({"id":1,"created":"x","model":[],"usage":[],"system_fingerprint":{},
        "choices":[{"index":"0","finish_reason":{},"logprobs":1,"message":{"role":1,"content":{"a":1},"refusal":[],
        "reasoning":{"a":1},"tool_calls":{"a":1},"function_call":[],"annotations":{},"audio":"x"}}]})");
    CHECK(r.id.empty());
    CHECK(r.text().empty());
    CHECK(r.tool_calls().empty());
    CHECK_FALSE(r.usage);
}
