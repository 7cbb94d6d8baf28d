// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/chat/json_reader.hpp"

#include "catch.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace {

using serin::json_kind;
using serin::json_reader;
using serin::json_value;

bool is_json(std::string_view text)
{
    json_reader reader;
    json_value root;
    return reader.parse(text, root);
}

std::string repeated(std::string_view part, int times)
{
    std::string text;
    for (int i = 0; i < times; ++i)
        text += part;
    return text;
}

// The string that a JSON text is.
std::string decoded(std::string_view text)
{
    json_reader reader;
    json_value root;
    REQUIRE(reader.parse(text, root));
    REQUIRE(root.is_string());
    return std::string(root.string());
}

// nlohmann's parser refuses numbers that are too large for a double.
bool has_large_exponent(std::string const& text)
{
    int digits = -1; // none: not within an exponent
    for (char c : text)
    {
        if (c == 'e' || c == 'E')
            digits = 0;
        else if (digits >= 0 && c >= '0' && c <= '9')
            ++digits;
        else if (c != '+' && c != '-')
            digits = -1;
        if (digits >= 3)
            return true;
    }
    return false;
}

} // namespace

TEST_CASE("json reader: values of every kind are found")
{
    json_reader reader;
    json_value root;
    REQUIRE(reader.parse(R"( {"a": [1, -2.5e3, true, false, null], "b": {"c": "text"}, "d": {}} )", root));
    REQUIRE(root.is_object());

    std::vector<std::string> keys;
    std::vector<json_value> values;
    for (auto const member : root.members())
    {
        keys.emplace_back(member.key);
        values.push_back(member.value);
    }
    CHECK(keys == std::vector<std::string>{"a", "b", "d"});

    std::vector<json_value> items;
    for (auto const item : values[0].items())
        items.push_back(item);
    REQUIRE(items.size() == 5);
    CHECK(items[0].integer() == 1);
    CHECK(items[1].number() == -2500);
    CHECK(items[2].is_true());
    CHECK(items[3].kind() == json_kind::boolean);
    CHECK_FALSE(items[3].is_true());
    CHECK(items[4].is_null());

    for (auto const member : values[1].members())
        CHECK(member.value.string() == "text");
    CHECK(values[1].has_content());
    CHECK_FALSE(values[2].has_content());
}

TEST_CASE("json reader: a value that is asked for what it is not gives an empty answer")
{
    json_reader reader;
    json_value root;
    REQUIRE(reader.parse(R"("text")", root));
    CHECK(root.integer(7) == 7);
    CHECK(root.count() == 0);
    CHECK(root.number() == 0);
    for (auto const item : root.items())
        FAIL(item.is_null());
    for (auto const member : root.members())
        FAIL(member.key);
    CHECK(json_value().is_null());
    CHECK(json_value().string().empty());
}

TEST_CASE("json reader: what is not JSON is refused")
{
    for (char const* text : {"", " ", "{", "}", "[", "]", "[1,]", "[,1]", "{,}", "{\"a\":1,}", "{\"a\"}", "{\"a\":}",
             "{a:1}", "{'a':1}", "[1 2]", "{\"a\":1 \"b\":2}", "01", "1.", ".5", "-", "+1", "1e", "1e+", "--1", "0x1",
             "nul", "nulls", "truE", "NaN", "Infinity", "\"", "\"a", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\t\"",
             "\"\n\"", "1 2", "{} {}", "[]]", "[[]", "{\"a\":[}", "// c\n1", "\"a\\", "\"\\u", "\"\\ud83d\\u"})
    {
        INFO(text);
        CHECK_FALSE(is_json(text));
    }
    CHECK_FALSE(is_json(std::string_view("1\0", 2)));
    CHECK_FALSE(is_json(std::string_view("\"a\0b\"", 5)));
    CHECK_FALSE(is_json("[1, \xff]"));
}

TEST_CASE("json reader: what is JSON is taken")
{
    for (char const* text : {"0", "-0", "1e5", "1E-5", "0.5", "123456789012345678901234567890", "\"\"", "[]", "{}",
             " [ ] ", "\t\r\n1 ", "[[[[]]]]", "{\"\":\"\"}", "{\"a\":1,\"a\":2}", "\"\x7f\"", "\"\\u0000\""})
    {
        INFO(text);
        CHECK(is_json(text));
    }
}

TEST_CASE("json reader: escapes are decoded")
{
    CHECK(decoded(R"("a\"\\\/\b\f\n\r\tz")") == "a\"\\/\b\f\n\r\tz");
    CHECK(decoded(R"("\u0041\u00e9\u20AC\ud83d\ude00")") == "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    CHECK(decoded(R"("\u0000")") == std::string(1, '\0'));
    std::string const longer = repeated("0123456789", 10);
    CHECK(decoded("\"" + longer + "\\n" + longer + "\\t\"") == longer + "\n" + longer + "\t");
}

TEST_CASE("json reader: halves of surrogate pairs become U+FFFD")
{
    std::string const fffd = "\xef\xbf\xbd";
    CHECK(decoded(R"("\ud83d")") == fffd);
    CHECK(decoded(R"("\ude00")") == fffd);
    CHECK(decoded(R"("\ud83dx")") == fffd + "x");
    CHECK(decoded(R"("\ud83d\n")") == fffd + "\n");
    CHECK(decoded(R"("\ud83d\ud83d\ude00")") == fffd + "\xf0\x9f\x98\x80");
}

TEST_CASE("json reader: invalid UTF-8 in a string becomes U+FFFD, unless the text is to be exact")
{
    CHECK(decoded("\"a\xff\"") == "a\xef\xbf\xbd");
    json_reader reader;
    json_value root;
    CHECK_FALSE(reader.parse_exact("\"a\xff\"", root));
    CHECK(root.is_null());
    CHECK(reader.parse_exact("\"a\xc3\xa9\"", root));
}

TEST_CASE("json reader: a byte order mark is skipped, unless the text is to be exact")
{
    json_reader reader;
    json_value root;
    CHECK(reader.parse("\xef\xbb\xbf{}", root));
    CHECK(root.is_object());
    CHECK_FALSE(reader.parse_exact("\xef\xbb\xbf{}", root));
}

TEST_CASE("json reader: nesting is limited to 256")
{
    CHECK(is_json(repeated("[", 256) + repeated("]", 256)));
    CHECK_FALSE(is_json(repeated("[", 257) + repeated("]", 257)));
    CHECK(is_json(repeated("{\"a\":", 255) + "{}" + repeated("}", 255)));
    CHECK_FALSE(is_json(repeated("{\"a\":", 256) + "{}" + repeated("}", 256)));
    CHECK_FALSE(is_json(repeated("[", 1000000)));
    CHECK_FALSE(is_json(repeated("{\"a\":", 1000000)));
}

TEST_CASE("json reader: the number of values is limited")
{
    std::string const many = "[" + repeated("0,", 9 << 20) + "0]";
    CHECK_FALSE(is_json(many));
}

TEST_CASE("json reader: numbers are cut to the range of the type")
{
    json_reader reader;
    json_value root;
    auto const parsed = [&](char const* text) {
        REQUIRE(reader.parse(text, root));
        return root;
    };
    CHECK(parsed("9223372036854775807").integer() == std::numeric_limits<std::int64_t>::max());
    CHECK(parsed("-9223372036854775808").integer() == std::numeric_limits<std::int64_t>::min());
    CHECK(parsed("1e30").integer() > 9000000000000000000);
    CHECK(parsed("-1e30").integer() < -9000000000000000000);
    CHECK(parsed("99999999999999999999").integer() > 9000000000000000000);
    CHECK(parsed("12.75").integer() == 12);
    CHECK(parsed("-3").count() == 0);
    CHECK(parsed("42").count() == 42);
    CHECK(std::isinf(parsed("1e999").number()));
    CHECK(parsed("1e-999").number() == 0);
    CHECK(parsed("1e999").integer() > 9000000000000000000);
}

TEST_CASE("json reader: a value's text is kept as it was")
{
    json_reader reader;
    json_value root;
    std::string const text = R"({"a":[1.50,123456789012345678901234567890,"\u00e9\n"],"b":null})";
    REQUIRE(reader.parse(text, root));
    std::string out = "x";
    root.append_json(out);
    CHECK(out == "x" + text);
    REQUIRE(reader.parse(R"("a\u0022\n")", root));
    out.clear();
    root.append_json(out);
    CHECK(out == R"("a\"\n")");
}

TEST_CASE("json reader: a reader is used for one text after the other, large and small")
{
    json_reader reader;
    json_value root;
    for (int round = 0; round < 3; ++round)
    {
        std::string const large = "[\"" + repeated("ab\\n", 100000) + "\"," + repeated("[],", 10000) + "1]";
        REQUIRE(reader.parse(large, root));
        CHECK(root.is_array());
        REQUIRE(reader.parse(R"({"k":"\tv"})", root));
        for (auto const member : root.members())
            CHECK(member.value.string() == "\tv");
        CHECK_FALSE(reader.parse("{", root));
        CHECK(root.is_null());
        reader.release();
        REQUIRE(reader.parse("", root) == false);
    }
}

TEST_CASE("json reader: the same texts are taken as by nlohmann's parser")
{
    // Mutations of a text that has everything in it.
    std::string const seed =
        R"({"id":"c-1","n":[0,-1.5e+10,12E-2],"t":true,"f":false,"z":null,"s":"a\"\\\u0041b\n","o":{"p":{},"q":[]}})";
    std::string const bytes = "{}[]\",:\\/ \t\nutrfalsen0123456789.eE+-\x01x";
    std::mt19937 random(7);
    json_reader reader;
    json_value root;
    int taken = 0;
    for (int round = 0; round < 60000; ++round)
    {
        std::string text = seed;
        int const changes = 1 + static_cast<int>(random() % 3);
        for (int i = 0; i < changes && !text.empty(); ++i)
        {
            std::size_t const at = random() % text.size();
            char const byte = bytes[random() % bytes.size()];
            switch (random() % 4)
            {
            case 0: text[at] = byte; break;
            case 1: text.insert(at, 1, byte); break;
            case 2: text.erase(at, 1 + random() % 3); break;
            default: text.resize(std::max<std::size_t>(at, 1)); break;
            }
        }
        if (has_large_exponent(text))
            continue;
        bool const expected = nlohmann::json::accept(text);
        taken += expected ? 1 : 0;
        if (reader.parse(text, root) != expected)
            FAIL(text);
    }
    CHECK(taken > 1000);
}
