// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/chat/json_writer.hpp"

#include "catch.hpp"

#include <nlohmann/json.hpp>

#include <limits>
#include <random>
#include <string>

namespace {

std::string written(std::string_view text)
{
    std::string out;
    serin::json_writer writer(out, 0);
    writer.string(text);
    writer.finish();
    return out;
}

} // namespace

TEST_CASE("json writer: what would end a string is escaped")
{
    CHECK(written("") == "\"\"");
    CHECK(written("a\"b\\c\n\r\t\b\f") == R"("a\"b\\c\n\r\t\b\f")");
    CHECK(written(std::string("\0\x1f\x7f", 3)) == "\"\\u0000\\u001f\x7f\"");
    CHECK(written("</script>") == "\"</script>\"");
}

TEST_CASE("json writer: an escape is right at every place in every length")
{
    for (std::size_t size = 1; size < 70; ++size)
        for (std::size_t at = 0; at < size; ++at)
        {
            std::string text(size, 'a');
            text[at] = at % 3 == 0 ? '"' : at % 3 == 1 ? '\x02' : '\n';
            CHECK(nlohmann::json::parse(written(text)).get<std::string>() == text);
        }
}

TEST_CASE("json writer: random texts read back the same")
{
    std::mt19937 random(11);
    for (int round = 0; round < 3000; ++round)
    {
        std::string text(random() % 2500, ' ');
        for (char& c : text)
            c = static_cast<char>(random() % (round % 2 ? 128 : 40));
        std::string out = "before";
        serin::json_writer writer(out, random() % 100);
        writer.string(text);
        writer.raw(',');
        writer.finish();
        REQUIRE(out.substr(0, 6) == "before");
        REQUIRE(out.back() == ',');
        out.pop_back();
        REQUIRE(nlohmann::json::parse(out.substr(6)).get<std::string>() == text);
    }
}

TEST_CASE("json writer: valid UTF-8 passes, invalid bytes become U+FFFD")
{
    std::string const text = "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80";
    CHECK(written(text) == "\"" + text + "\"");
    CHECK(written("a\xff\"b") == "\"a\xef\xbf\xbd\\\"b\"");
    CHECK(written("\xed\xa0\x80") == "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    // A quote that a broken sequence would swallow in a careless reader.
    CHECK(written("\xe2\"") == "\"\xef\xbf\xbd\\\"\"");
}

TEST_CASE("json writer: long texts of characters of every length read back the same")
{
    std::string const characters[] = {"a", "\"", "\n", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    std::mt19937 random(13);
    for (int round = 0; round < 1000; ++round)
    {
        std::string text(random() % 40, 'x');
        for (std::size_t i = random() % 200; i > 0; --i)
            text += characters[random() % 6];
        REQUIRE(nlohmann::json::parse(written(text)).get<std::string>() == text);
    }
}

TEST_CASE("json writer: numbers are written in their shortest form")
{
    std::string out;
    serin::json_writer writer(out, 0);
    writer.number(0.1);
    writer.raw(' ');
    writer.number(2.0);
    writer.raw(' ');
    writer.number(std::numeric_limits<std::int64_t>::min());
    writer.raw(' ');
    writer.number(1e300);
    writer.raw(' ');
    writer.boolean(true);
    writer.finish();
    CHECK(out == "0.1 2 -9223372036854775808 1e+300 true");
}

TEST_CASE("json writer: numbers with few digits are written with them")
{
    auto const as_text = [](double value) {
        std::string out;
        serin::json_writer writer(out, 0);
        writer.number(value);
        writer.finish();
        return out;
    };
    CHECK(as_text(0) == "0");
    CHECK(as_text(-0.0) == "-0");
    CHECK(as_text(-1.5) == "-1.5");
    CHECK(as_text(0.05) == "0.05");
    CHECK(as_text(0.0001) == "0.0001");
    CHECK(as_text(1.0203) == "1.0203");
    CHECK(as_text(99999.9999) == "99999.9999");
    CHECK(as_text(0.1 + 0.2) == "0.30000000000000004");
    for (int i = 0; i < 30000; ++i)
    {
        std::string digits = std::to_string(i % 10000);
        std::string const expected = std::to_string(i / 10000) + '.' + std::string(4 - digits.size(), '0') + digits;
        double const value = std::stod(expected);
        if (std::stod(as_text(value)) != value || as_text(value).size() > expected.size())
            FAIL(expected << " became " << as_text(value));
    }
    std::mt19937_64 random(17);
    for (int i = 0; i < 30000; ++i)
    {
        double const value = static_cast<double>(random() >> 11) / 9007199254740992.0 * (i % 2 ? 1 : 200000);
        if (std::stod(as_text(value)) != value)
            FAIL(value << " became " << as_text(value));
    }
}

TEST_CASE("json writer: large pieces go through as they are")
{
    std::string const large(5000, 'x');
    std::string out;
    serin::json_writer writer(out, 0);
    writer.raw('[');
    writer.raw(large);
    writer.raw(']');
    writer.finish();
    CHECK(out == "[" + large + "]");
}
