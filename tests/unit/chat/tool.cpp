// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/chat/tool.hpp>

#include "catch.hpp"

TEST_CASE("tools and choices are made by kind")
{
    serin::tool const f("f", "does", "{}");
    CHECK(f.type == "function");
    CHECK(f.parameters == "{}");
    CHECK_FALSE(f.strict);
    serin::tool const c = serin::tool::custom("c", "text", "{}");
    CHECK(c.type == "custom");
    CHECK(c.format == "{}");
    CHECK(c.parameters.empty());

    CHECK(serin::tool_choice().mode == "auto");
    CHECK(serin::tool_choice::required().mode == "required");
    CHECK(serin::tool_choice::function("f").name == "f");
    CHECK(serin::tool_choice::allowed_tools({"f", "g"}).allowed.size() == 2);
}
