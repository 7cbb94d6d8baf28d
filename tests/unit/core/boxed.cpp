// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/core/boxed.hpp>

#include "catch.hpp"

#include <string>
#include <utility>

TEST_CASE("boxed: a copy has a value of its own, a move takes it along")
{
    serin::boxed<std::string> first(std::string("one"));
    serin::boxed<std::string> second = first;
    *second = "two";
    CHECK(*first == "one");

    std::string const* const place = &*first;
    serin::boxed<std::string> third = std::move(first);
    CHECK(&*third == place);
    third = std::move(second);
    CHECK(*third == "two");
}
