// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/chat/schema.hpp>

#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace schema_test {

enum class unit
{
    celsius,
    fahrenheit,
};
BOOST_DESCRIBE_ENUM(unit, celsius, fahrenheit)

struct place
{
    std::string city;
    std::optional<std::string> country;
};
BOOST_DESCRIBE_STRUCT(place, (), (city, country))

inline std::string_view schema_description(place const*, std::string_view member)
{
    if (member.empty())
        return "Where";
    return member == "city" ? "Without the \"country\"" : "";
}

struct item
{
    std::string name;
    double price = 0;
};
BOOST_DESCRIBE_STRUCT(item, (), (name, price))

struct order
{
    std::vector<item> items;
    place to;
    bool gift = false;
    std::uint8_t boxes = 0;
    std::optional<unit> in;
};
BOOST_DESCRIBE_STRUCT(order, (), (items, to, gift, boxes, in))

// Contains itself.
struct folder
{
    std::string name;
    std::vector<folder> folders;
};
BOOST_DESCRIBE_STRUCT(folder, (), (name, folders))

struct disk
{
    folder root;
    std::optional<folder> trash;
};
BOOST_DESCRIBE_STRUCT(disk, (), (root, trash))

inline std::string_view schema_description(disk const*, std::string_view member)
{
    return member == "root" ? "the top" : "";
}

// Contain each other.
struct leaf;
struct branch
{
    std::vector<leaf> leaves;
};
struct leaf
{
    std::vector<branch> branches;
};
BOOST_DESCRIBE_STRUCT(branch, (), (leaves))
BOOST_DESCRIBE_STRUCT(leaf, (), (branches))

struct base
{
    int id = 0;
};
BOOST_DESCRIBE_STRUCT(base, (), (id))

struct derived : base
{
    std::string text;
};
BOOST_DESCRIBE_STRUCT(derived, (base), (text))

struct numbers
{
    std::int64_t i64 = 0;
    std::uint64_t u64 = 0;
    std::int8_t i8 = 0;
    float f = 0;
};
BOOST_DESCRIBE_STRUCT(numbers, (), (i64, u64, i8, f))

struct flags
{
    std::vector<bool> on;
    std::map<std::string, int> counts;
};
BOOST_DESCRIBE_STRUCT(flags, (), (on, counts))

struct nothing
{};
BOOST_DESCRIBE_STRUCT(nothing, (), ())

struct not_described
{};

} // namespace schema_test

using namespace schema_test;
using nlohmann::json;

namespace {

// Why the text is not a T; empty if it is.
template <class T>
std::string why_not(std::string_view text)
{
    std::string why;
    auto const value = serin::read_json<T>(text, why);
    CHECK(value.has_value() == why.empty());
    return why;
}

// Whether everything that strict mode asks for holds in a schema.
void check_strict(json const& schema, json const& root)
{
    if (schema.contains("$ref"))
    {
        CHECK(schema.size() == 1);
        auto const where = schema["$ref"].get<std::string>();
        REQUIRE(where.starts_with('#'));
        CHECK(root.contains(json::json_pointer(where.substr(1))));
        return;
    }
    if (schema.contains("anyOf"))
    {
        for (json const& one : schema["anyOf"])
            check_strict(one, root);
        return;
    }
    auto const type = schema.at("type").get<std::string>();
    if (type == "array")
        check_strict(schema.at("items"), root);
    if (type != "object")
        return;
    CHECK(schema.at("additionalProperties") == false);
    json names = json::array();
    for (auto const& member : schema.at("properties").items())
    {
        names.push_back(member.key());
        check_strict(member.value(), root);
    }
    CHECK(names.size() == schema.at("required").size());
    for (json const& name : schema.at("required"))
        CHECK(std::find(names.begin(), names.end(), name) != names.end());
}

template <class T>
json strict_schema()
{
    json const schema = json::parse(serin::schema_of<T>());
    check_strict(schema, schema);
    if (schema.contains("$defs"))
        for (json const& definition : schema["$defs"])
            check_strict(definition, schema);
    return schema;
}

} // namespace

TEST_CASE("schema: the strict form of a struct, members in order")
{
    CHECK(serin::schema_of<order>() ==
          R"({"type":"object","properties":{)"
          R"("items":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},)"
          R"("price":{"type":"number"}},"required":["name","price"],"additionalProperties":false}},)"
          R"("to":{"type":"object","properties":{"city":{"type":"string","description":"Without the \"country\""},)"
          R"("country":{"anyOf":[{"type":"string"},{"type":"null"}]}},"required":["city","country"],)"
          R"("additionalProperties":false,"description":"Where"},)"
          R"("gift":{"type":"boolean"},"boxes":{"type":"integer"},)"
          R"("in":{"anyOf":[{"type":"string","enum":["celsius","fahrenheit"]},{"type":"null"}]}},)"
          R"("required":["items","to","gift","boxes","in"],"additionalProperties":false})");
    strict_schema<order>();
    CHECK(serin::schema_of<nothing>() ==
          R"({"type":"object","properties":{},"required":[],"additionalProperties":false})");
    CHECK(serin::schema_of<std::vector<int>>() == R"({"type":"array","items":{"type":"integer"}})");
}

TEST_CASE("schema: inherited members count")
{
    json const schema = strict_schema<derived>();
    CHECK(schema["properties"].size() == 2);
    CHECK(schema["properties"]["id"]["type"] == "integer");
    std::string why;
    auto const value = serin::read_json<derived>(R"({"id":4,"text":"x"})", why);
    REQUIRE(value);
    CHECK(value->id == 4);
    CHECK(value->text == "x");
}

TEST_CASE("schema: types that contain themselves are referred to")
{
    json const self = strict_schema<folder>();
    CHECK(self["properties"]["folders"]["items"]["$ref"] == "#");
    CHECK_FALSE(self.contains("$defs"));

    json const inner = strict_schema<disk>();
    CHECK(
        inner["properties"]["root"] == json::parse(R"({"anyOf":[{"$ref":"#/$defs/type1"}],"description":"the top"})"));
    CHECK(inner["properties"]["trash"]["anyOf"][0]["$ref"] == "#/$defs/type1");
    CHECK(inner["$defs"]["type1"]["properties"]["folders"]["items"]["$ref"] == "#/$defs/type1");

    json const mutual = strict_schema<branch>();
    CHECK(mutual["properties"]["leaves"]["items"]["properties"]["branches"]["items"]["$ref"] == "#");

    json const list = strict_schema<std::vector<branch>>();
    CHECK(list["items"]["$ref"] == "#/$defs/type1");
    CHECK(list["$defs"].size() == 1);
}

TEST_CASE("schema: values are read")
{
    std::string why;
    auto const o = serin::read_json<order>(R"({"items":[{"name":"a","price":1.5},{"name":"b","price":2}],
        "to":{"city":"K\u00f6ln","country":"DE"},"gift":true,"boxes":255,"in":"fahrenheit","more":[1]})",
        why);
    REQUIRE(o);
    CHECK(why.empty());
    REQUIRE(o->items.size() == 2);
    CHECK(o->items[1].name == "b");
    CHECK(o->items[1].price == 2);
    CHECK(o->to.city == "K\xc3\xb6ln");
    CHECK(o->to.country == "DE");
    CHECK(o->gift);
    CHECK(o->boxes == 255);
    CHECK(o->in == unit::fahrenheit);

    auto const p = serin::read_json<place>(R"( {"city":"x","country":null} )", why);
    REQUIRE(p);
    CHECK_FALSE(p->country);
    CHECK(serin::read_json<place>(R"({"city":"x"})", why));
}

TEST_CASE("schema: what does not fit is named with its place")
{
    CHECK(why_not<order>("") == "not valid JSON");
    CHECK(why_not<order>("{\"items\":[") == "not valid JSON");
    CHECK(why_not<order>("\"\xff\"") == "not valid JSON");
    CHECK(why_not<order>("[]") == "not an object");
    CHECK(why_not<order>("{}") == "items: missing");
    CHECK(why_not<order>(R"({"items":{}})") == "items: not an array");
    CHECK(why_not<order>(R"({"items":[{"name":"a","price":1},{"name":"b","price":"1"}]})") ==
          "items[1].price: not a number");
    CHECK(why_not<order>(R"({"items":[{"name":"a"}]})") == "items[0].price: missing");
    CHECK(why_not<order>(R"({"items":[],"to":{"city":1}})") == "to.city: not a string");
    CHECK(why_not<order>(R"({"items":[],"to":{"city":"x"},"gift":1})") == "gift: not true or false");
    std::string const upto_boxes = R"({"items":[],"to":{"city":"x"},"gift":true,"boxes":)";
    CHECK(why_not<order>(upto_boxes + "256}") == "boxes: out of range");
    CHECK(why_not<order>(upto_boxes + "-1}") == "boxes: out of range");
    CHECK(why_not<order>(upto_boxes + "1.5}") == "boxes: not an integer");
    CHECK(why_not<order>(upto_boxes + "null}") == "boxes: not an integer");
    CHECK(why_not<order>(upto_boxes + "1e300}") == "boxes: out of range");
    CHECK(why_not<order>(upto_boxes + "3.0}").empty());
    CHECK(why_not<order>(upto_boxes + "1,\"in\":\"kelvin\"}") == R"(in: not one of "celsius", "fahrenheit")");
    CHECK(why_not<order>(upto_boxes + "1,\"in\":3}") == R"(in: not one of "celsius", "fahrenheit")");
    CHECK(why_not<std::vector<int>>("[1,2,true]") == "[2]: not an integer");
    CHECK(why_not<std::vector<std::vector<int>>>("[[],[1,\"\"]]") == "[1][1]: not an integer");
    CHECK(why_not<flags>(R"({"on":[true,false],"counts":{"a":1,"b":{}}})") == "counts.b: not an integer");
}

TEST_CASE("schema: numbers keep their value or are refused")
{
    std::string why;
    auto const n =
        serin::read_json<numbers>(R"({"i64":-9223372036854775808,"u64":18446744073709551615,"i8":-128,"f":0.5})", why);
    REQUIRE(n);
    CHECK(n->i64 == std::numeric_limits<std::int64_t>::min());
    CHECK(n->u64 == std::numeric_limits<std::uint64_t>::max());
    CHECK(n->i8 == -128);
    CHECK(n->f == 0.5F);
    CHECK(why_not<numbers>(R"({"i64":9223372036854775808,"u64":0,"i8":0,"f":0})") == "i64: out of range");
    CHECK(why_not<numbers>(R"({"i64":0,"u64":-1,"i8":0,"f":0})") == "u64: out of range");
    CHECK(why_not<numbers>(R"({"i64":0,"u64":0,"i8":128,"f":0})") == "i8: out of range");
    CHECK(why_not<numbers>(R"({"i64":0,"u64":0,"i8":0,"f":1e39})") == "f: out of range");
    CHECK(why_not<numbers>(R"({"i64":1e19,"u64":0,"i8":0,"f":0})") == "i64: out of range");
}

TEST_CASE("schema: a text that nests without end is refused")
{
    auto const nested = [](std::size_t depth) {
        std::string text;
        for (std::size_t i = 0; i < depth; ++i)
            text += R"({"name":"","folders":[)";
        for (std::size_t i = 0; i < depth; ++i)
            text += "]}";
        return text;
    };
    CHECK(why_not<folder>(nested(100)).empty());
    CHECK_THAT(why_not<folder>(nested(100000)), ContainsSubstring("nested too deep"));
}

TEST_CASE("schema: values are written, and read back the same")
{
    order o;
    o.items.resize(1);
    o.items[0].name = "quote \" and \xff";
    o.items[0].price = 0.1;
    o.to.city = "Kiel";
    o.boxes = 7;
    o.in = unit::celsius;
    std::string const text = serin::write_json(o);
    CHECK(text == "{\"items\":[{\"name\":\"quote \\\" and \xef\xbf\xbd\",\"price\":0.1}],"
                  "\"to\":{\"city\":\"Kiel\",\"country\":null},\"gift\":false,\"boxes\":7,\"in\":\"celsius\"}");
    std::string why;
    auto const again = serin::read_json<order>(text, why);
    REQUIRE(again);
    CHECK(serin::write_json(*again) == text);

    flags f;
    f.on = {true, false};
    f.counts = {{"a", 1}, {"b", 2}};
    CHECK(serin::write_json(f) == R"({"on":[true,false],"counts":{"a":1,"b":2}})");
    CHECK(serin::write_json(std::nan("")) == "null");
    CHECK(serin::write_json(static_cast<unit>(9)) == "null");
    CHECK(serin::write_json(nothing()) == "{}");
    CHECK(serin::write_json(std::vector<std::string>{"x"}) == R"(["x"])");
}

TEST_CASE("schema: tools and formats from a type")
{
    serin::tool const t = serin::make_tool<place>("find", "Finds a place");
    CHECK(t.name == "find");
    CHECK(t.parameters == serin::schema_of<place>());
    CHECK(t.strict == true);
    serin::response_format const f = serin::make_json_schema<place>("place");
    CHECK(f.type == "json_schema");
    CHECK(f.name == "place");
    CHECK(f.schema == serin::schema_of<place>());
    CHECK(f.strict == true);
    STATIC_REQUIRE(serin::described_struct<place>);
    STATIC_REQUIRE_FALSE(serin::described_struct<not_described>);
    STATIC_REQUIRE_FALSE(serin::described_struct<std::string>);
    STATIC_REQUIRE_FALSE(serin::described_enum<place>);
}
