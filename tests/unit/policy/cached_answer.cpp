// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/policy/cached_answer.hpp"

#include "../../../src/chat/wire_read.hpp"

#include <serin/chat/json.hpp>

#include "catch.hpp"

#include <deque>
#include <string>

namespace {

using serin::delta_record;

serin::chat_response answer_of(std::string_view json)
{
    serin::json_reader reader;
    serin::chat_response r;
    serin::server_error err;
    REQUIRE_FALSE(serin::read_response(reader, json, r, err));
    r.upstream = "stable";
    r.request_id = "req-1";
    return r;
}

constexpr std::string_view full = R"({"id":"c-1","object":"chat.completion","created":1700000000,"model":"m-1",
  "system_fingerprint":"fp","service_tier":"default","citations":["x"],
  "choices":[{"index":0,"message":{"role":"assistant","content":"Hi \u00e9","reasoning_content":"hm","x":1,
      "annotations":[{"type":"url_citation","url_citation":{"start_index":1,"end_index":2,"title":"t","url":"u"}}],
      "tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"q\":1}"},"sig":"s"}]},
      "logprobs":{"content":[{"token":"Hi","logprob":-0.25,"bytes":[72,105],"top_logprobs":[]}]},
      "finish_reason":"tool_calls","y":{"z":2}},
    {"index":1,"message":{"role":"assistant","content":null,"refusal":"no"},"finish_reason":"stop"}],
  "usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":3,"k":1},
      "queue_time":0.5}})";

} // namespace

TEST_CASE("cached answer: comes back as it was, marked")
{
    serin::chat_response const answer = answer_of(full);
    std::string const text = serin::write_cached_answer(answer, {});
    REQUIRE_FALSE(text.empty());

    serin::json_reader reader;
    serin::chat_response again;
    std::deque<delta_record> pieces;
    std::string as_sent;
    REQUIRE(serin::read_cached_answer(reader, text, again, pieces, as_sent));
    CHECK(again.from_cache);
    CHECK(again.upstream == "stable");
    CHECK(again.request_id == "req-1");
    CHECK(again.object == "chat.completion");
    CHECK(nlohmann::json(again) == nlohmann::json(answer));
    CHECK(again.extra == answer.extra);
    CHECK(serin::parse_json(again.usage->extra) == serin::parse_json(answer.usage->extra));
    CHECK(again.choices[0].message.tool_calls[0].extra == answer.choices[0].message.tool_calls[0].extra);
    CHECK(again.choices[0].message_extra == answer.choices[0].message_extra);
    // Asked for as a stream, one that came whole has a piece for each choice.
    REQUIRE(pieces.size() == 2);
    CHECK(pieces[0].view().text == "Hi \xc3\xa9");
    CHECK(pieces[1].view().refusal == "no");
}

TEST_CASE("cached answer: a stream keeps its pieces, from the last restart on")
{
    serin::chat_response const answer = answer_of(
        R"({"choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}]})");
    std::deque<delta_record> sent;
    serin::chat_delta delta;
    delta.text = "void";
    sent.emplace_back(delta);
    delta.text = "Hel";
    delta.restarted = true;
    sent.emplace_back(delta);
    delta.restarted = false;
    delta.text = "lo";
    sent.emplace_back(delta);

    serin::json_reader reader;
    serin::chat_response again;
    std::deque<delta_record> pieces;
    std::string as_sent;
    REQUIRE(serin::read_cached_answer(reader, serin::write_cached_answer(answer, sent), again, pieces, as_sent));
    REQUIRE(pieces.size() == 2);
    CHECK(pieces[0].view().text == "Hel");
    CHECK_FALSE(pieces[0].restarts());
    CHECK(pieces[1].view().text == "lo");
    CHECK(again.text() == "Hello");
    CHECK_FALSE(again.usage);
}

TEST_CASE("cached answer: one that is passed on comes back as it was sent")
{
    serin::chat_response const answer = answer_of(full);
    serin::json_reader reader;
    serin::chat_response again;
    std::deque<delta_record> pieces;
    std::string as_sent;
    REQUIRE(serin::read_cached_answer(reader, serin::write_cached_text(answer, full), again, pieces, as_sent));
    CHECK(as_sent == full);
    CHECK(again.from_cache);
    CHECK(again.upstream == "stable");
    CHECK(again.text() == answer.text());
    REQUIRE(again.usage);
    CHECK(again.usage->total_tokens == 12);
    CHECK_FALSE(serin::read_cached_answer(reader, serin::write_cached_text(answer, "{}"), again, pieces, as_sent));
}

TEST_CASE("cached answer: only what has ended as the model wanted may be kept")
{
    auto answer = answer_of(full);
    CHECK(serin::may_be_cached(answer));
    answer.choices[1].finish_reason = "length";
    CHECK(serin::may_be_cached(answer));
    answer.choices[1].finish_reason = "content_filter";
    CHECK_FALSE(serin::may_be_cached(answer));
    answer.choices[1].finish_reason = "";
    CHECK_FALSE(serin::may_be_cached(answer));
    answer.choices.clear();
    CHECK_FALSE(serin::may_be_cached(answer));
}

TEST_CASE("cached answer: what would not come back as it was is not kept")
{
    // A picture among the parts of the content: the text is known, the rest is in the extra.
    auto const answer = answer_of(R"({"choices":[{"index":0,"message":{"role":"assistant","content":[
        {"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:x"}}]},"finish_reason":"stop"}]})");
    CHECK(serin::write_cached_answer(answer, {}).empty());
}

TEST_CASE("cached answer: a text of somebody else is none")
{
    serin::json_reader reader;
    serin::chat_response out;
    out.id = "untouched";
    std::deque<delta_record> pieces;
    std::string as_sent;
    for (std::string_view const text : {"", "null", "[]", "{}", "x", R"({"answer":5})", R"({"answer":{"choices":[]}})",
             R"({"other":1})", R"({"answer":{"error":{"message":"m"}}})",
             R"({"answer":{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]},"pieces":[1]})"})
    {
        INFO(text);
        CHECK_FALSE(serin::read_cached_answer(reader, text, out, pieces, as_sent));
    }
    CHECK(out.id == "untouched");
    CHECK(pieces.empty());
}
