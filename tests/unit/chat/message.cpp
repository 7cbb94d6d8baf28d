// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/chat/message.hpp>

#include "catch.hpp"

TEST_CASE("messages are made by role")
{
    CHECK(serin::message::system("x").role == "system");
    CHECK(serin::message::developer("x").role == "developer");
    CHECK(serin::message::user("x").role == "user");
    CHECK(serin::message::assistant("x").role == "assistant");
    CHECK(serin::message::user("x").content == "x");

    serin::message const result = serin::message::tool_result(serin::tool_call("id", "f", "{}"), "out");
    CHECK(result.role == "tool");
    CHECK(result.tool_call_id == "id");
    CHECK(result.content == "out");
}

TEST_CASE("parts are added in order")
{
    serin::message const m =
        serin::message::user("").add(serin::content_part::from_text("a")).add(serin::content_part::from_file_id("f"));
    REQUIRE(m.parts.size() == 2);
    CHECK(m.parts[0].text == "a");
    CHECK(m.parts[1].file_id == "f");
}
