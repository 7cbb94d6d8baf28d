// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// C++ types as JSON: their schema, values from text and values to text. Opt-in like chat/json.hpp, which it includes.
//
// A type is a struct described with Boost.Describe, whose public members count, inherited ones too:
//
//     struct weather_query
//     {
//         std::string city;
//         std::optional<unit> in; // may be null
//     };
//     BOOST_DESCRIBE_STRUCT(weather_query, (), (city, in))
//
// Members may be bool, integers, floating-point numbers, std::string, enumerations described with BOOST_DESCRIBE_ENUM,
// std::optional and std::vector of these, and further described structs. A struct may contain itself in a vector.
//
// To tell the model what members are for, put a function next to the struct. It is found by argument-dependent lookup
// and called with the name of every member, and with "" for the struct; what it leaves empty is not sent:
//
//     inline std::string_view schema_description(weather_query const*, std::string_view member)
//     {
//         return member == "city" ? "City and country, as \"Kiel, Germany\"" : "";
//     }

#ifndef SERIN_CHAT_SCHEMA_HPP
#define SERIN_CHAT_SCHEMA_HPP

#include <serin/chat/json.hpp>

#include <boost/describe.hpp>
#include <boost/mp11/algorithm.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeindex>
#include <typeinfo>
#include <utility>
#include <vector>

namespace serin {

// ---- What kinds of types there are

template <class T>
concept json_integer =
    std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> && !std::same_as<T, wchar_t> &&
    !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

/// A struct that Boost.Describe knows.
template <class T>
concept described_struct = std::is_class_v<T> && boost::describe::has_describe_members<T>::value;

/// An enumeration that Boost.Describe knows.
template <class T>
concept described_enum = std::is_enum_v<T> && boost::describe::has_describe_enumerators<T>::value;

template <class T>
concept has_schema_description =
    requires(T const* type, std::string_view member) { std::string_view(schema_description(type, member)); };

template <class T>
inline constexpr bool is_json_optional = false;
template <class T>
inline constexpr bool is_json_optional<std::optional<T>> = true;

template <class T>
inline constexpr bool is_json_vector = false;
template <class T>
inline constexpr bool is_json_vector<std::vector<T>> = true;

template <class T>
inline constexpr bool is_json_map = false;
template <class T, class Compare>
inline constexpr bool is_json_map<std::map<std::string, T, Compare>> = true;

template <class T>
inline constexpr bool has_no_json_form = false;

template <class T>
using described_json_members =
    boost::describe::describe_members<T, boost::describe::mod_public | boost::describe::mod_inherited>;

// ---- The schema of a type

// Writes schemas. Structs stand where they are used, as not every server follows references; those that contain
// themselves cannot, and go to "$defs". Members keep their order: it is the one in which the model writes them.
class schema_writer
{
    struct open_struct
    {
        std::type_index type;
        std::string reference; // Given when the struct turns out to contain itself.
    };

    std::vector<open_struct> open_;
    std::map<std::type_index, std::string> references_; // of the structs in definitions_
    std::string definitions_;
    std::size_t names_ = 0;
    bool const root_is_struct_;

    // Text in quotes.
    static std::string quoted(std::string_view text) { return json_text(nlohmann::json(text)); }

    template <class T>
    static std::string_view description(std::string_view member)
    {
        if constexpr (has_schema_description<T>)
            return schema_description(static_cast<T const*>(nullptr), member);
        else
            return {};
    }

    static void add_description(std::string& schema, std::string_view text)
    {
        if (text.empty())
            return;
        if (schema.starts_with("{\"$ref\""))
            schema = "{\"anyOf\":[" + schema + "]}"; // Nothing may stand beside a reference
        schema.pop_back();
        schema += ",\"description\":" + quoted(text) + "}";
    }

    template <class T>
    std::string of_enum()
    {
        std::string names;
        boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>(
            [&](auto d) { names += (names.empty() ? "" : ",") + quoted(d.name); });
        return "{\"type\":\"string\",\"enum\":[" + names + "]}";
    }

    template <class T>
    std::string of_struct()
    {
        std::type_index const type = typeid(T);
        if (auto const known = references_.find(type); known != references_.end())
            return known->second;
        for (std::size_t i = 0; i < open_.size(); ++i)
        {
            if (open_[i].type != type)
                continue;
            if (open_[i].reference.empty())
                open_[i].reference = i == 0 && root_is_struct_
                                         ? "{\"$ref\":\"#\"}"
                                         : "{\"$ref\":\"#/$defs/type" + std::to_string(++names_) + "\"}";
            return open_[i].reference;
        }

        open_.push_back(open_struct{type, {}});
        std::string properties;
        std::string required;
        boost::mp11::mp_for_each<described_json_members<T>>([&](auto d) {
            using member = std::remove_cvref_t<decltype(std::declval<T&>().*d.pointer)>;
            std::string const name = quoted(d.name);
            std::string schema = of<member>();
            add_description(schema, description<T>(d.name));
            char const* const comma = required.empty() ? "" : ",";
            properties += comma + name + ":" + schema;
            required += comma + name;
        });
        std::string schema = "{\"type\":\"object\",\"properties\":{" + properties + "},\"required\":[" + required +
                             "],\"additionalProperties\":false}";
        add_description(schema, description<T>(""));
        std::string const reference = std::move(open_.back().reference);
        open_.pop_back();
        if (reference.empty() || reference == "{\"$ref\":\"#\"}")
            return schema;
        std::string_view const prefix = "{\"$ref\":\"#/$defs/";
        std::string const name = reference.substr(prefix.size(), reference.size() - prefix.size() - 2);
        definitions_ += (definitions_.empty() ? "" : ",") + quoted(name) + ":" + schema;
        references_.emplace(type, reference);
        return reference;
    }

    template <class T>
    std::string of()
    {
        if constexpr (std::same_as<T, bool>)
            return "{\"type\":\"boolean\"}";
        else if constexpr (json_integer<T>)
            return "{\"type\":\"integer\"}";
        else if constexpr (std::floating_point<T>)
            return "{\"type\":\"number\"}";
        else if constexpr (std::same_as<T, std::string>)
            return "{\"type\":\"string\"}";
        else if constexpr (is_json_optional<T>)
            return "{\"anyOf\":[" + of<typename T::value_type>() + ",{\"type\":\"null\"}]}";
        else if constexpr (is_json_vector<T>)
            return "{\"type\":\"array\",\"items\":" + of<typename T::value_type>() + "}";
        else if constexpr (described_enum<T>)
            return of_enum<T>();
        else if constexpr (described_struct<T>)
            return of_struct<T>();
        else if constexpr (is_json_map<T> || std::same_as<T, nlohmann::json>)
            static_assert(has_no_json_form<T>,
                "a map, or nlohmann::json, has no strict schema, for its keys are not known: use a vector of structs");
        else if constexpr (std::is_enum_v<T>)
            static_assert(has_no_json_form<T>, "describe the enumeration: BOOST_DESCRIBE_ENUM(type, enumerators...)");
        else
            static_assert(has_no_json_form<T>,
                "this type has no JSON Schema: describe a struct with BOOST_DESCRIBE_STRUCT(type, (bases), "
                "(members...)); see <serin/chat/schema.hpp> for what members may be");
    }

    explicit schema_writer(bool root_is_struct) : root_is_struct_(root_is_struct) {}

public:
    template <class T>
    static std::string write()
    {
        schema_writer writer(described_struct<T>);
        std::string schema = writer.of<T>();
        if (!writer.definitions_.empty())
        {
            schema.pop_back();
            schema += ",\"$defs\":{" + writer.definitions_ + "}}";
        }
        return schema;
    }
};

/// The JSON Schema of a type as text, in the form that strict mode asks for: every member is required, an optional one
/// may be null, no others are allowed. A type that has none does not compile.
template <class T>
std::string schema_of()
{
    return schema_writer::write<T>();
}

// ---- Values from JSON

// Reads one text, and knows where in it it is.
class value_reader
{
    static constexpr int max_depth = 256;

    std::string path_;
    std::string& why_;
    int depth_ = 0;

    bool fail(std::string_view what)
    {
        why_ = path_;
        if (!path_.empty())
            why_ += ": ";
        why_ += what;
        return false;
    }

    template <class T>
    bool read_at(std::string_view step, nlohmann::json const& j, T& value)
    {
        if (depth_ == max_depth)
            return fail("nested too deep");
        ++depth_;
        std::size_t const length = path_.size();
        if (!path_.empty() && !step.starts_with('['))
            path_ += '.';
        path_ += step;
        bool const ok = read(j, value);
        path_.resize(length);
        --depth_;
        return ok;
    }

    template <class T>
    bool read_integer(nlohmann::json const& j, T& value)
    {
        constexpr double two_to_63 = 9223372036854775808.0;
        if (!j.is_number())
            return fail("not an integer");
        if (j.is_number_unsigned())
        {
            auto const n = j.get<std::uint64_t>();
            if (!std::in_range<T>(n))
                return fail("out of range");
            value = static_cast<T>(n);
            return true;
        }
        std::int64_t n = 0;
        if (j.is_number_integer())
        {
            n = j.get<std::int64_t>();
        }
        else
        {
            // 3.0 and 3e2 are integers too.
            auto const d = j.get<double>();
            if (std::floor(d) != d)
                return fail("not an integer");
            if (d < -two_to_63 || d >= two_to_63)
                return fail("out of range");
            n = static_cast<std::int64_t>(d);
        }
        if (!std::in_range<T>(n))
            return fail("out of range");
        value = static_cast<T>(n);
        return true;
    }

    template <class T>
    bool read_number(nlohmann::json const& j, T& value)
    {
        if (!j.is_number())
            return fail("not a number");
        auto const d = j.get<double>();
        if (std::abs(d) > static_cast<double>(std::numeric_limits<T>::max()))
            return fail("out of range");
        value = static_cast<T>(d);
        return true;
    }

    template <class T>
    bool read_enum(nlohmann::json const& j, T& value)
    {
        bool found = false;
        std::string names;
        boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>([&](auto d) {
            if (!found && j.is_string() && j.get_ref<std::string const&>() == d.name)
            {
                value = d.value;
                found = true;
            }
            if (!found)
                names += std::string(names.empty() ? "" : ", ") + '"' + d.name + '"';
        });
        return found || fail("not one of " + names);
    }

    template <class T>
    bool read_struct(nlohmann::json const& j, T& value)
    {
        if (!j.is_object())
            return fail("not an object");
        bool ok = true;
        boost::mp11::mp_for_each<described_json_members<T>>([&](auto d) {
            if (!ok)
                return;
            auto& member = value.*d.pointer;
            auto const found = j.find(d.name);
            if (found != j.end())
                ok = read_at(d.name, *found, member);
            else if constexpr (is_json_optional<std::remove_cvref_t<decltype(member)>>)
                member.reset();
            else
                ok = fail_at(d.name, "missing");
        });
        return ok;
    }

    bool fail_at(std::string_view step, std::string_view what)
    {
        if (!path_.empty())
            path_ += '.';
        path_ += step;
        return fail(what);
    }

    template <class T>
    bool read_vector(nlohmann::json const& j, T& value)
    {
        if (!j.is_array())
            return fail("not an array");
        value.clear();
        value.reserve(j.size());
        for (auto const& item : j)
        {
            typename T::value_type element{};
            if (!read_at("[" + std::to_string(value.size()) + "]", item, element))
                return false;
            value.push_back(std::move(element));
        }
        return true;
    }

    template <class T>
    bool read_map(nlohmann::json const& j, T& value)
    {
        if (!j.is_object())
            return fail("not an object");
        value.clear();
        for (auto const& member : j.items())
        {
            typename T::mapped_type element{};
            if (!read_at(member.key(), member.value(), element))
                return false;
            value.emplace(member.key(), std::move(element));
        }
        return true;
    }

public:
    explicit value_reader(std::string& why) : why_(why) {}

    template <class T>
    bool read(nlohmann::json const& j, T& value)
    {
        if constexpr (std::same_as<T, bool>)
        {
            if (!j.is_boolean())
                return fail("not true or false");
            value = j.get<bool>();
            return true;
        }
        else if constexpr (json_integer<T>)
            return read_integer(j, value);
        else if constexpr (std::floating_point<T>)
            return read_number(j, value);
        else if constexpr (std::same_as<T, std::string>)
        {
            if (!j.is_string())
                return fail("not a string");
            value = j.get_ref<std::string const&>();
            return true;
        }
        else if constexpr (is_json_optional<T>)
        {
            if (j.is_null())
            {
                value.reset();
                return true;
            }
            return read(j, value.emplace());
        }
        else if constexpr (is_json_vector<T>)
            return read_vector(j, value);
        else if constexpr (is_json_map<T>)
            return read_map(j, value);
        else if constexpr (described_enum<T>)
            return read_enum(j, value);
        else if constexpr (described_struct<T>)
            return read_struct(j, value);
        else if constexpr (std::same_as<T, nlohmann::json>)
        {
            value = j;
            return true;
        }
        else
            static_assert(has_no_json_form<T>, "this type cannot be read from JSON: see <serin/chat/schema.hpp>");
    }
};

/// A value from JSON text. Nothing if the text does not fit the type; `why` then names the place, as in
/// "items[2].price: not a number". Members that the type does not have are ignored, optional ones may be missing.
/// T and its members must be default-constructible. Never throws for what the text holds.
template <class T>
std::optional<T> read_json(std::string_view text, std::string& why)
{
    nlohmann::json const j = nlohmann::json::parse(text, nullptr, false);
    if (j.is_discarded())
    {
        why = "not valid JSON";
        return std::nullopt;
    }
    std::optional<T> value(std::in_place);
    if (!value_reader(why).read(j, *value))
        value.reset();
    return value;
}

// ---- Values to JSON

template <class T>
void append_json(std::string& out, T const& value)
{
    if constexpr (is_json_optional<T>)
    {
        if (value)
            append_json(out, *value);
        else
            out += "null";
    }
    else if constexpr (is_json_vector<T>)
    {
        out += '[';
        for (std::size_t i = 0; i < value.size(); ++i)
        {
            out += i == 0 ? "" : ",";
            append_json<typename T::value_type>(out, value[i]);
        }
        out += ']';
    }
    else if constexpr (is_json_map<T>)
    {
        char const* comma = "";
        out += '{';
        for (auto const& member : value)
        {
            out += comma + json_text(nlohmann::json(member.first)) + ':';
            append_json(out, member.second);
            comma = ",";
        }
        out += '}';
    }
    else if constexpr (described_enum<T>)
    {
        char const* const name = boost::describe::enum_to_string(value, nullptr);
        out += name ? json_text(nlohmann::json(name)) : "null";
    }
    else if constexpr (described_struct<T>)
    {
        char const* comma = "";
        out += '{';
        boost::mp11::mp_for_each<described_json_members<T>>([&](auto d) {
            out += comma + json_text(nlohmann::json(d.name)) + ':';
            append_json(out, value.*d.pointer);
            comma = ",";
        });
        out += '}';
    }
    else if constexpr (std::same_as<T, bool> || json_integer<T> || std::floating_point<T> ||
                       std::same_as<T, std::string>)
    {
        out += json_text(nlohmann::json(value));
    }
    else if constexpr (std::same_as<T, nlohmann::json>)
    {
        out += json_text(value);
    }
    else
    {
        static_assert(has_no_json_form<T>, "this type cannot be written as JSON: see <serin/chat/schema.hpp>");
    }
}

/// A value as JSON text, its members in order. An optional without a value, an enumerator without a name and a number
/// that is not finite become null; invalid UTF-8 becomes U+FFFD. Maps from std::string and nlohmann::json can be
/// written, and read, too, though they have no schema.
template <class T>
std::string write_json(T const& value)
{
    std::string text;
    append_json(text, value);
    return text;
}

// ---- In requests

/// JSON that follows the schema of a described struct, exactly.
template <described_struct T>
response_format make_json_schema(std::string name)
{
    return response_format::json_schema(std::move(name), schema_of<T>(), true);
}

/// A function that the model may call, whose arguments are a described struct and follow its schema exactly.
template <described_struct Args>
tool make_tool(std::string name, std::string description)
{
    tool t(std::move(name), std::move(description), schema_of<Args>());
    t.strict = true;
    return t;
}

// What headers without nlohmann use: they only declare it.
template <class T>
struct typed_json
{
    static std::string schema() { return schema_of<T>(); }
    static std::optional<T> read(std::string_view text, std::string& why) { return read_json<T>(text, why); }
    static std::string write(T const& value) { return write_json(value); }
};

} // namespace serin

#endif
