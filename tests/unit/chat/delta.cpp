// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/chat/delta.hpp>

#include "catch.hpp"

TEST_CASE("a token is a piece of text, reasoning, refusal, arguments or sound")
{
    serin::chat_delta const nothing;
    CHECK_FALSE(nothing.has_token());

    serin::chat_delta ended;
    ended.finish_reason = "stop";
    CHECK_FALSE(ended.has_token());

    serin::tool_call_delta call;
    call.id = "id";
    call.name = "name";
    serin::chat_delta named;
    named.tool_calls = std::span<serin::tool_call_delta const>(&call, 1);
    CHECK_FALSE(named.has_token());
    call.arguments = "{";
    CHECK(named.has_token());

    auto const has_token = [](std::string_view serin::chat_delta::*member) {
        serin::chat_delta d;
        d.*member = "x";
        return d.has_token();
    };
    CHECK(has_token(&serin::chat_delta::text));
    CHECK(has_token(&serin::chat_delta::reasoning));
    CHECK(has_token(&serin::chat_delta::refusal));
    CHECK(has_token(&serin::chat_delta::audio_data));
    CHECK(has_token(&serin::chat_delta::audio_transcript));

    serin::chat_delta function;
    function.function_call.name = "f";
    CHECK_FALSE(function.has_token());
    function.function_call.arguments = "{";
    CHECK(function.has_token());
}
