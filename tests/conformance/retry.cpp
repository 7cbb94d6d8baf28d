// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/policy/retry.hpp>

#include "catch.hpp"
#include "conformance.hpp"

#include <chrono>
#include <string>

TEST_CASE("conformance: Retry-After")
{
    auto const dir = serin::test::conformance_dir();
    if (!dir)
    {
        WARN(serin::test::no_conformance_data);
        return;
    }
    auto const table = serin::test::load_json(*dir / "retry_cases.json");

    // The table stops at two minutes, which is a rule for those who wait, not for those who read the field.
    auto const two_minutes = std::chrono::minutes(2);
    std::chrono::system_clock::time_point const now{std::chrono::seconds(1696004797)};

    int count = 0;
    for (auto const& c : table.at("cases"))
    {
        serin::headers fields;
        for (auto const& field : c.at("headers").items())
            fields.push_back(serin::header(field.key(), field.value().get<std::string>()));
        auto const delay = serin::retry_after(fields, now);
        CAPTURE(c.dump());
        bool const usable = delay && *delay <= two_minutes;
        CHECK(usable == c.at("honour_header").get<bool>());
        if (usable)
            CHECK(std::chrono::duration<double>(*delay).count() == c.at("delay_s").get<double>());
        ++count;
    }
    CHECK(count > 0);
}
