// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/chat/response.hpp>

#include "catch.hpp"

TEST_CASE("an answer without choices gives empty texts")
{
    serin::chat_response const r;
    CHECK(r.first() == nullptr);
    CHECK(r.text().empty());
    CHECK(r.reasoning().empty());
    CHECK(r.refusal().empty());
    CHECK(r.tool_calls().empty());
    CHECK(r.finish_reason().empty());
}

TEST_CASE("shortcuts give the lowest choice")
{
    serin::chat_response r;
    r.choices.resize(2);
    r.choices[0].message = serin::message::assistant("first");
    r.choices[0].message.reasoning = "because";
    r.choices[0].message.refusal = "no";
    r.choices[0].message.tool_calls.emplace_back("id", "name", "{}");
    r.choices[0].finish_reason = "stop";
    r.choices[1].message = serin::message::assistant("second");
    CHECK(r.text() == "first");
    CHECK(r.reasoning() == "because");
    CHECK(r.refusal() == "no");
    CHECK(r.tool_calls().at(0).name == "name");
    CHECK(r.finish_reason() == "stop");
    CHECK(&r.reply() == &r.choices[0].message);
}
