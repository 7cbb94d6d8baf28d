// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TESTS_CONFORMANCE_EXPECTED_HPP
#define SERIN_TESTS_CONFORMANCE_EXPECTED_HPP

#include <serin/chat/response.hpp>

#include "catch.hpp"
#include "load.hpp"

#include <string>

namespace serin::test {

/// Compares an answer with what a case expects of it. In the data null and empty mean the same.
inline void check_response(chat_response const& response, nlohmann::json const& expected)
{
    CHECK(response.text() == text_at(expected, "content"));
    CHECK(response.reasoning() == text_at(expected, "reasoning"));
    CHECK(response.refusal() == text_at(expected, "refusal"));
    CHECK(response.finish_reason() == text_at(expected, "finish_reason"));
    CHECK(response.model == text_at(expected, "model"));
    CHECK(response.id == text_at(expected, "id"));

    auto const& calls = expected.at("tool_calls");
    REQUIRE(response.tool_calls().size() == calls.size());
    for (std::size_t i = 0; i < calls.size(); ++i)
    {
        CHECK(response.tool_calls()[i].id == text_at(calls[i], "id"));
        CHECK(response.tool_calls()[i].name == text_at(calls[i], "name"));
        CHECK(response.tool_calls()[i].arguments == text_at(calls[i], "arguments"));
    }

    if (expected.contains("usage") && expected["usage"].is_object())
    {
        REQUIRE(response.usage);
        auto const& usage = expected["usage"];
        CHECK(response.usage->prompt_tokens == usage.value("prompt_tokens", std::uint64_t(0)));
        CHECK(response.usage->completion_tokens == usage.value("completion_tokens", std::uint64_t(0)));
        if (usage.contains("total_tokens"))
            CHECK(response.usage->total_tokens == usage["total_tokens"].get<std::uint64_t>());
        if (usage.contains("cached_tokens"))
            CHECK(response.usage->cached_tokens == usage["cached_tokens"].get<std::uint64_t>());
        if (usage.contains("reasoning_tokens"))
            CHECK(response.usage->reasoning_tokens == usage["reasoning_tokens"].get<std::uint64_t>());
    }

    if (expected.contains("choices"))
        for (auto const& item : expected["choices"].items())
        {
            INFO("choice " << item.key());
            chat_choice const* found = nullptr;
            for (chat_choice const& choice : response.choices)
                if (choice.index == std::stoi(item.key()))
                    found = &choice;
            REQUIRE(found);
            CHECK(found->message.content == text_at(item.value(), "content"));
            CHECK(found->finish_reason == text_at(item.value(), "finish_reason"));
        }
}

} // namespace serin::test

#endif
