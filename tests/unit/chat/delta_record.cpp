// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/chat/delta_record.hpp"

#include "../../../src/chat/accumulator.hpp"

#include "catch.hpp"

#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace {

using serin::chat_delta;
using serin::delta_record;

std::string json_of(delta_record const& record)
{
    std::string text;
    serin::json_writer out(text, 0);
    record.write(out);
    out.finish();
    return text;
}

bool read_back(std::string_view text, std::deque<delta_record>& out)
{
    serin::json_reader reader;
    serin::json_value root;
    REQUIRE(reader.parse(text, root));
    return delta_record::read(root, out);
}

// A stream with everything that a delta can hold.
std::vector<std::string> const chunks{
    R"({"choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"Hm"}}]})",
    R"({"choices":[{"index":0,"delta":{"content":"He said \"hi\" to everyone here"}},{"index":2,"delta":{"content":"x"}}]})",
    R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":""}}]}}]})",
    R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}},)"
    R"({"index":1,"id":"c2","function":{"name":"g","arguments":"{"}}]}}]})",
    R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}},)"
    R"({"index":1,"function":{"arguments":"}"}}]},"finish_reason":"tool_calls"}]})",
    R"({"choices":[{"index":2,"delta":{"refusal":"no","audio":{"data":"QUI=","transcript":"ab"}}}]})",
    R"({"choices":[{"index":2,"delta":{"function_call":{"name":"h","arguments":"{}"}},"finish_reason":"stop"}]})"};

} // namespace

TEST_CASE("delta record: the records of a stream add up to its answer, also after a way through JSON")
{
    serin::accumulator sum(1 << 20);
    std::deque<delta_record> records;
    std::deque<delta_record> read;
    for (auto const& chunk : chunks)
    {
        REQUIRE_FALSE(sum.put("message", chunk));
        while (auto const delta = sum.next())
        {
            records.emplace_back(*delta);
            REQUIRE(read_back(json_of(records.back()), read));
        }
    }
    REQUIRE(records.size() == read.size());
    serin::chat_response const whole = sum.take();
    for (auto const* list : {&records, &read})
    {
        serin::chat_response again;
        for (auto const& record : *list)
            record.add_to(again);
        REQUIRE(again.choices.size() == whole.choices.size());
        for (std::size_t i = 0; i < whole.choices.size(); ++i)
        {
            auto const& a = again.choices[i];
            auto const& w = whole.choices[i];
            CHECK(a.index == w.index);
            CHECK(a.finish_reason == w.finish_reason);
            CHECK(a.message.role == w.message.role);
            CHECK(a.message.content == w.message.content);
            CHECK(a.message.reasoning == w.message.reasoning);
            CHECK(a.message.refusal == w.message.refusal);
            REQUIRE(a.message.tool_calls.size() == w.message.tool_calls.size());
            for (std::size_t c = 0; c < w.message.tool_calls.size(); ++c)
            {
                CHECK(a.message.tool_calls[c].id == w.message.tool_calls[c].id);
                CHECK(a.message.tool_calls[c].name == w.message.tool_calls[c].name);
                CHECK(a.message.tool_calls[c].arguments == w.message.tool_calls[c].arguments);
            }
            CHECK(a.message.function_call.has_value() == w.message.function_call.has_value());
            if (w.message.function_call)
            {
                CHECK(a.message.function_call->name == w.message.function_call->name);
                CHECK(a.message.function_call->arguments == w.message.function_call->arguments);
            }
            CHECK(a.message.audio.has_value() == w.message.audio.has_value());
            if (w.message.audio)
            {
                CHECK(a.message.audio->data == w.message.audio->data);
                CHECK(a.message.audio->transcript == w.message.audio->transcript);
            }
        }
    }
}

TEST_CASE("delta record: views stay valid when the record is moved")
{
    chat_delta delta;
    delta.index = 1;
    delta.text = "short";
    delta.finish_reason = "stop";
    serin::tool_call_delta call;
    call.id = "i";
    call.name = "n";
    call.arguments = "a";
    delta.tool_calls = std::span<serin::tool_call_delta const>(&call, 1);
    std::vector<delta_record> records;
    for (int i = 0; i < 100; ++i)
        records.emplace_back(delta);
    for (auto const& record : records)
    {
        chat_delta const view = record.view();
        CHECK(view.index == 1);
        CHECK(view.text == "short");
        CHECK(view.finish_reason == "stop");
        REQUIRE(view.tool_calls.size() == 1);
        CHECK(view.tool_calls[0].id == "i");
        CHECK(view.tool_calls[0].name == "n");
        CHECK(view.tool_calls[0].arguments == "a");
    }
}

TEST_CASE("delta record: keeps the events that it came in")
{
    chat_delta delta;
    delta.text = "a";
    delta_record record(delta);
    CHECK(record.events().empty());
    record.keep_events("data: {}\n\n");
    std::deque<delta_record> read;
    REQUIRE(read_back(json_of(record), read));
    CHECK(read.at(0).events() == "data: {}\n\n");
    CHECK(read.at(0).view().text == "a");
}

TEST_CASE("delta record: what restarts a stream voids what came before")
{
    chat_delta delta;
    delta.text = "old";
    serin::chat_response sum;
    delta_record(delta).add_to(sum);
    delta.text = "new";
    delta.restarted = true;
    delta_record const second(delta);
    CHECK(second.restarts());
    second.add_to(sum);
    CHECK(sum.text() == "new");
}

TEST_CASE("delta record: a choice that came whole is one piece")
{
    serin::chat_choice choice;
    choice.index = 3;
    choice.message.content = "text";
    choice.message.tool_calls.emplace_back("id", "f", "{}");
    choice.finish_reason = "tool_calls";
    delta_record const record(choice);
    chat_delta const view = record.view();
    CHECK(view.index == 3);
    CHECK(view.text == "text");
    CHECK(view.tool_calls.size() == 1);
    CHECK(view.finish_reason == "tool_calls");
}

TEST_CASE("delta record: what is not one is refused")
{
    std::deque<delta_record> out;
    CHECK_FALSE(read_back("[]", out));
    CHECK_FALSE(read_back(R"({"unknown":1})", out));
    CHECK_FALSE(read_back(R"({"calls":[{"index":4000000000}]})", out));
    std::string many = R"({"calls":[)";
    for (int i = 0; i < 200; ++i)
        many += i ? R"(,{"index":0})" : R"({"index":0})";
    CHECK_FALSE(read_back(many + "]}", out));
    CHECK(out.empty());
    CHECK(read_back(R"({"index":-1,"text":5,"calls":7})", out));
    CHECK(out.front().view().index == 0);
}
