// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/http/field_block.hpp"

#include "catch.hpp"

#include <string>
#include <string_view>

namespace {

void add(serin::field_block& to, std::string_view line)
{
    auto const colon = line.find(':');
    auto value = line.substr(colon + 1);
    value.remove_prefix(value.find_first_not_of(' ') == std::string_view::npos ? 0 : value.find_first_not_of(' '));
    to.add(line, colon, value);
}

} // namespace

TEST_CASE("field block: the first field of a name is found in any case")
{
    serin::field_block fields;
    add(fields, "Content-Type: text/plain");
    add(fields, "X-Twice: one");
    add(fields, "x-twice: two");
    add(fields, "X-Empty:");
    CHECK(fields.find("content-TYPE") == "text/plain");
    CHECK(fields.find("X-TWICE") == "one");
    CHECK(fields.find("x-empty").empty());
    CHECK(fields.find("content-typ").empty());
    CHECK(fields.find("content_type").empty());

    auto const all = fields.to_headers();
    REQUIRE(all.size() == 4);
    CHECK(all[2].name == "x-twice");
    CHECK(all[2].value == "two");
    CHECK(all[3].value.empty());
}

TEST_CASE("field block: it is empty after clear, and again in use after shrink")
{
    serin::field_block fields;
    add(fields, "A: " + std::string(100'000, 'x'));
    fields.clear();
    CHECK(fields.find("A").empty());
    CHECK(fields.to_headers().empty());
    add(fields, "A: " + std::string(100'000, 'x'));
    fields.shrink(1000);
    CHECK(fields.to_headers().empty());
    add(fields, "B: 1");
    CHECK(fields.find("b") == "1");
}
