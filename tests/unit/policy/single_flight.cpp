// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/policy/single_flight.hpp"

#include "catch.hpp"

#include <memory>
#include <string>

namespace {

struct work
{
    int number;
};

class fixture
{
public:
    serin::single_flight<std::string, work> flights;
    int made = 0;

    auto join(std::string const& key)
    {
        return flights.join(key, [this] { return std::make_shared<work>(work{++made}); });
    }
};

} // namespace

TEST_CASE("single flight: a hundred who want the same share one work, and one of them begins it")
{
    fixture f;
    int first = 0;
    for (int i = 0; i < 100; ++i)
    {
        auto const j = f.join("a");
        first += j.is_first ? 1 : 0;
        CHECK(j.work->number == 1);
    }
    CHECK(first == 1);
    CHECK(f.made == 1);
}

TEST_CASE("single flight: other keys are other works")
{
    fixture f;
    CHECK(f.join("a").is_first);
    CHECK(f.join("b").is_first);
    CHECK(f.flights.size() == 2);
}

TEST_CASE("single flight: when the one who began it leaves, the others go on")
{
    fixture f;
    auto const first = f.join("a");
    auto const second = f.join("a");
    CHECK_FALSE(f.flights.leave("a", *first.work));
    CHECK(f.join("a").work == second.work);
    CHECK_FALSE(f.flights.leave("a", *first.work));
    CHECK(f.flights.leave("a", *second.work));
}

TEST_CASE("single flight: when the last one leaves the work is in vain, and who comes then begins another")
{
    fixture f;
    auto const old = f.join("a");
    CHECK(f.flights.leave("a", *old.work));
    auto const next = f.join("a");
    CHECK(next.is_first);
    CHECK(next.work != old.work);
    // The old one's end says nothing about the new one.
    f.flights.land("a", *old.work);
    CHECK_FALSE(f.flights.leave("a", *old.work));
    CHECK_FALSE(f.join("a").is_first);
}

TEST_CASE("single flight: nobody joins what has ended, and leaving it stops nothing")
{
    fixture f;
    auto const old = f.join("a");
    f.flights.land("a", *old.work);
    CHECK(f.flights.size() == 0);
    CHECK(f.join("a").is_first);
    CHECK_FALSE(f.flights.leave("a", *old.work));
    CHECK(f.flights.size() == 1);
}
