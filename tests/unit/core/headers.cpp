// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/core/headers.hpp>

#include "catch.hpp"

using serin::header;
using serin::header_names_equal;
using serin::headers;

TEST_CASE("headers: names compare without the case of ASCII letters")
{
    CHECK(header_names_equal("Retry-After", "rETRY-aFTER"));
    CHECK(header_names_equal("", ""));
    CHECK_FALSE(header_names_equal("Retry-After", "Retry-Afte"));
    CHECK_FALSE(header_names_equal("Retry-After", "Retry_After"));
    // Neighbours of the letters, and bytes that only a locale would call letters.
    CHECK_FALSE(header_names_equal("@", "`"));
    CHECK_FALSE(header_names_equal("[", "{"));
    CHECK_FALSE(header_names_equal("\xC4", "\xE4"));
}

TEST_CASE("headers: find returns the first field of a name")
{
    headers fields;
    CHECK(fields.find("a").empty());
    fields.push_back(header("X-First", "1"));
    fields.push_back(header("X-Second", "2"));
    fields.push_back(header("x-first", "3"));
    CHECK(fields.find("X-FIRST") == "1");
    CHECK(fields.find("x-second") == "2");
    CHECK(fields.find("x-third").empty());
    CHECK(fields.find("").empty());
    // A view of the field itself
    CHECK(fields.find("x-first").data() == fields.front().value.data());
}
