// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/chat/wire_write.hpp"

#include "catch.hpp"

#include <nlohmann/json.hpp>

#include <limits>
#include <string>

namespace {

using nlohmann::json;
using serin::chat_request;

std::string written(chat_request const& request, bool stream = false)
{
    std::string tail;
    std::string why;
    serin::error_code const ec = serin::write_request_tail(tail, request, stream, why);
    INFO(why);
    REQUIRE_FALSE(ec);
    std::string body;
    serin::append_request(body, request.model, tail);
    return body;
}

json sent(chat_request const& request, bool stream = false)
{
    return json::parse(written(request, stream));
}

chat_request hello()
{
    return chat_request("m").user("hi");
}

} // namespace

TEST_CASE("request: a plain request has the model and the messages and nothing else")
{
    CHECK(written(hello()) == R"({"model":"m","messages":[{"role":"user","content":"hi"}]})");
}

TEST_CASE("request: the model is put in front for every attempt")
{
    std::string tail;
    std::string why;
    REQUIRE_FALSE(serin::write_request_tail(tail, hello(), false, why));
    for (char const* model : {"a", "b\"c"})
    {
        std::string body;
        serin::append_request(body, model, tail);
        CHECK(json::parse(body).at("model") == model);
    }
    std::string body;
    serin::append_request(body, "a", {});
    CHECK(json::parse(body + tail).at("model") == "a");
}

TEST_CASE("request: without a model, the server's default is asked")
{
    CHECK(written(chat_request().user("hi")) == R"({"messages":[{"role":"user","content":"hi"}]})");
    CHECK(written([] {
        chat_request request;
        request.extra = R"({"messages":[]})";
        return request;
    }()) == R"({"messages":[]})");
}

TEST_CASE("request: a tail is appended to what is there")
{
    std::string tail = "head";
    std::string why;
    REQUIRE_FALSE(serin::write_request_tail(tail, hello(), false, why));
    CHECK(tail.substr(0, 5) == "head\"");
}

TEST_CASE("request: a stream asks for usage unless told not to")
{
    CHECK_FALSE(sent(hello()).contains("stream"));
    CHECK_FALSE(sent(hello()).contains("stream_options"));
    CHECK(sent(hello(), true).at("stream") == true);
    CHECK(sent(hello(), true).at("stream_options") == json{{"include_usage", true}});

    chat_request request = hello();
    request.include_usage = false;
    CHECK_FALSE(sent(request, true).contains("stream_options"));
    request.include_obfuscation = false;
    CHECK(sent(request, true).at("stream_options") == json{{"include_usage", false}, {"include_obfuscation", false}});
}

TEST_CASE("request: every parameter is sent under its name")
{
    chat_request request = hello();
    request.temperature = 0.5;
    request.top_p = 0.25;
    request.max_tokens = 10;
    request.max_completion_tokens = 20;
    request.stop = {"a", "b"};
    request.seed = -3;
    request.n = 2;
    request.presence_penalty = -2;
    request.frequency_penalty = 2;
    request.logit_bias = {{"50256", -100}};
    request.logprobs = true;
    request.top_logprobs = 5;
    request.parallel_tool_calls = false;
    request.response_format = serin::response_format::json_object();
    request.reasoning_effort = "low";
    request.verbosity = "high";
    request.service_tier = "flex";
    request.prediction = "guess";
    request.modalities = {"text", "audio"};
    request.audio = serin::audio_params("alloy", "mp3");
    request.web_search.emplace().country = "DE";
    request.web_search->search_context_size = "low";
    request.end_user = "u";
    request.safety_identifier = "s";
    request.prompt_cache_key = "k";
    request.prompt_cache_retention = "24h";
    request.metadata = {{"a", "b"}};
    request.store = true;

    json expected = json::parse(R"({
        "model": "m", "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.5, "top_p": 0.25, "max_tokens": 10, "max_completion_tokens": 20, "stop": ["a", "b"],
        "seed": -3, "n": 2, "presence_penalty": -2, "frequency_penalty": 2, "logit_bias": {"50256": -100},
        "logprobs": true, "top_logprobs": 5, "parallel_tool_calls": false, "response_format": {"type": "json_object"},
        "reasoning_effort": "low", "verbosity": "high", "service_tier": "flex",
        "prediction": {"type": "content", "content": "guess"}, "modalities": ["text", "audio"],
        "audio": {"voice": "alloy", "format": "mp3"},
        "web_search_options": {"search_context_size": "low",
            "user_location": {"type": "approximate", "approximate": {"country": "DE"}}},
        "user": "u", "safety_identifier": "s", "prompt_cache_key": "k", "prompt_cache_retention": "24h",
        "metadata": {"a": "b"}, "store": true})");
    CHECK(sent(request) == expected);
}

TEST_CASE("request: messages of every role are sent")
{
    serin::tool_call call("c1", "f", "{\"a\":1}");
    serin::message asks = serin::message::assistant("");
    asks.tool_calls.push_back(call);
    chat_request request("m");
    request.system("s").developer("d").user("u").assistant("a").add(asks).add(serin::message::tool_result(call, "r"));
    request.messages[2].name = "ann";
    CHECK(sent(request).at("messages") == json::parse(R"([
        {"role": "system", "content": "s"}, {"role": "developer", "content": "d"},
        {"role": "user", "content": "u", "name": "ann"}, {"role": "assistant", "content": "a"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]},
        {"role": "tool", "content": "r", "tool_call_id": "c1"}])"));
}

TEST_CASE("request: content parts of every kind are sent, text first")
{
    using serin::content_part;
    content_part marked = content_part::from_text("t");
    marked.extra = R"({"cache_control": {"type": "ephemeral"}})";
    content_part other;
    other.extra = R"({"type":"video_url","video_url":{"url":"v"}})";
    chat_request request("m");
    request.add(serin::message::user("look")
                    .add(marked)
                    .add(content_part::from_image_url("data:x", "low"))
                    .add(content_part::from_audio("QUJD", "wav"))
                    .add(content_part::from_file_id("f1"))
                    .add(content_part::from_file_data("a.pdf", "data:y"))
                    .add(other));
    CHECK(sent(request).at("messages").at(0).at("content") == json::parse(R"([
        {"type": "text", "text": "look"}, {"type": "text", "text": "t", "cache_control": {"type": "ephemeral"}},
        {"type": "image_url", "image_url": {"url": "data:x", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f1"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:y"}},
        {"type": "video_url", "video_url": {"url": "v"}}])"));
}

TEST_CASE("request: an answer can be sent back as it came")
{
    serin::message reply = serin::message::assistant("text");
    reply.reasoning = "thought";
    reply.annotations.emplace_back();
    reply.audio.emplace().id = "a1";
    reply.audio->data = "QUJD";
    reply.function_call = serin::tool_call("", "f", "{}");
    serin::tool_call call("c", "g", "{}");
    call.extra = R"({"extra_content":{"google":{"thought_signature":"x"}}})";
    reply.tool_calls.push_back(call);
    chat_request request("m");
    request.add(reply);
    CHECK(sent(request).at("messages").at(0) == json::parse(R"({"role": "assistant", "content": "text",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "g", "arguments": "{}"},
            "extra_content": {"google": {"thought_signature": "x"}}}],
        "function_call": {"name": "f", "arguments": "{}"}, "audio": {"id": "a1"}})"));
}

TEST_CASE("request: tools and the choice among them are sent")
{
    chat_request request = hello();
    serin::tool f("f", "does", R"({"type":"object"})");
    f.strict = true;
    request.add(f).add(serin::tool::custom("c", "text", R"({"type":"text"})"));
    CHECK(sent(request).at("tools") == json::parse(R"([
        {"type": "function", "function": {"name": "f", "description": "does", "parameters": {"type": "object"},
            "strict": true}},
        {"type": "custom", "custom": {"name": "c", "description": "text", "format": {"type": "text"}}}])"));

    using choice = serin::tool_choice;
    auto const sent_choice = [&request](choice c) {
        request.tool_choice = std::move(c);
        return sent(request).at("tool_choice");
    };
    CHECK(sent_choice(choice::none()) == "none");
    CHECK(sent_choice(choice::automatic()) == "auto");
    CHECK(sent_choice(choice::required()) == "required");
    CHECK(sent_choice(choice::function("f")) == json::parse(R"({"type":"function","function":{"name":"f"}})"));
    CHECK(sent_choice(choice::custom("c")) == json::parse(R"({"type":"custom","custom":{"name":"c"}})"));
    CHECK(sent_choice(choice::allowed_tools({"f"}, "required")) == json::parse(R"({"type":"allowed_tools",
        "allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"f"}}]}})"));
}

TEST_CASE("request: a schema is sent as it is")
{
    chat_request request = hello();
    request.response_format = serin::response_format::json_schema("s", R"({"type":"object","x":1.50})");
    CHECK_THAT(
        written(request), ContainsSubstring(R"("response_format":{"type":"json_schema","json_schema":)"
                                            R"({"name":"s","schema":{"type":"object","x":1.50},"strict":true}})"));
}

TEST_CASE("request: extra members are merged last and replace those of the same name")
{
    chat_request request = hello();
    request.temperature = 1;
    request.extra = R"( {"temperature": 0.1, "top_k": 40, "stream_options": {"include_usage": false}} )";
    std::string const body = written(request, true);
    CHECK(json::parse(body).at("temperature") == 0.1);
    CHECK(json::parse(body).at("top_k") == 40);
    CHECK(json::parse(body).at("stream_options") == json{{"include_usage", false}});
    CHECK(body.find("temperature") == body.rfind("temperature"));

    request.messages.clear();
    request.extra = R"({"messages":[]})";
    CHECK(written(request) == R"({"model":"m","temperature":1,"messages":[]})");
    request = hello();
    request.extra = " { } ";
    CHECK(written(request) == written(hello()));
    request.messages[0].extra = R"({"content":null,"cache":true})";
    CHECK(sent(request).at("messages").at(0) == json{{"role", "user"}, {"content", nullptr}, {"cache", true}});
}

TEST_CASE("request: nothing that a user gives breaks out of its string")
{
    std::string const nasty = "\"},\"model\":\"evil\",{\"\\\n\x01";
    chat_request request("m");
    serin::message all = serin::message::user(nasty);
    all.role = nasty;
    all.name = nasty;
    all.tool_call_id = nasty;
    all.refusal = nasty;
    all.tool_calls.emplace_back(nasty, nasty, nasty);
    all.tool_calls.back().type = nasty;
    request.add(all);
    request.add(serin::message::user("").add(serin::content_part::from_image_url(nasty, nasty)));
    request.messages.back().add(serin::content_part::from_audio(nasty, nasty));
    request.messages.back().add(serin::content_part::from_file_data(nasty, nasty));
    request.add(serin::tool(nasty, nasty, "{}"));
    request.tool_choice = serin::tool_choice::function(nasty);
    request.stop = {nasty};
    request.metadata = {{nasty, nasty}};
    request.logit_bias = {{nasty, 1}};
    request.end_user = nasty;
    request.reasoning_effort = nasty;
    request.prediction = nasty;
    json const body = sent(request);
    CHECK(body.at("model") == "m");
    CHECK(body.at("messages").at(0).at("content") == nasty);
    CHECK(body.at("metadata").at(nasty) == nasty);
    CHECK(body.size() == 10);
}

TEST_CASE("request: invalid UTF-8 in a request is repaired")
{
    CHECK(sent(chat_request("m").user("a\xff")).at("messages").at(0).at("content") == "a\xef\xbf\xbd");
}

TEST_CASE("request: a request that is refused leaves the buffer as it was")
{
    std::string tail = "x";
    std::string why;
    chat_request request = hello();
    request.temperature = 3;
    CHECK(serin::write_request_tail(tail, request, false, why) == serin::errc::invalid_argument);
    CHECK(why == "temperature must be between 0 and 2");
    CHECK(tail == "x");
}
