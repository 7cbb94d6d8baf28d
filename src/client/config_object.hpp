// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_CONFIG_OBJECT_HPP
#define SERIN_SRC_CLIENT_CONFIG_OBJECT_HPP

#include <serin/core/error.hpp>
#include <serin/http/params.hpp>
#include <serin/policy/cost.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace serin {

// What is wrong with a configuration: the first objection counts.
class config_check
{
public:
    explicit config_check(std::string& why) : why_(why) {}

    bool failed() const noexcept { return error_.failed(); }
    error_code error() const noexcept { return error_; }

    void fail(std::string_view path, std::string_view text, error_code error = errc::invalid_argument);

private:
    std::string& why_;
    error_code error_;
};

// A word of the configuration and what it stands for.
template <class Value>
struct config_word
{
    std::string_view word;
    Value value;
};

// An object of the configuration: hands out its members, and knows which ones nobody asked for. A member that is not
// there leaves what it would set as it is, and so does one that is wrong.
class config_object
{
public:
    // `value` must live as long.
    config_object(config_check& check, nlohmann::json const& value, std::string path);

    config_check& check() const noexcept { return check_; }

    // Of a member, from the root, as in "upstreams[1].weight".
    std::string path(std::string_view name) const;

    // Of an element of an array.
    std::string path(std::string_view name, std::size_t index) const;

    void fail(std::string_view name, std::string_view text, error_code error = errc::invalid_argument) const;

    // The member, or null if there is none.
    nlohmann::json const* find(std::string_view name);

    // A member that is an object.
    std::optional<config_object> object(std::string_view name);

    // A text without control characters. False: there is none.
    bool text(std::string_view name, std::string& out);

    void flag(std::string_view name, bool& out);

    template <class Integer>
    void whole(std::string_view name, Integer& out, std::uint64_t from)
    {
        if (auto const n = whole_number(name, from, static_cast<std::uint64_t>(std::numeric_limits<Integer>::max())))
            out = static_cast<Integer>(*n);
    }

    void number(std::string_view name, double& out, double from = 0);

    // From 0 to 1.
    void share(std::string_view name, double& out);

    // A duration such as "48h", "1.5s" or "300ms".
    void time(std::string_view name, duration& out, duration from = duration::zero());

    // An amount of dollars, with all its decimals. False: there is none.
    bool dollars(std::string_view name, nano_dollars& out);

    // A share and a duration where null stands for none.
    void optional_share(std::string_view name, std::optional<double>& out);
    void optional_time(std::string_view name, std::optional<duration>& out, duration from);

    // One of some words.
    template <class Value>
    void word(std::string_view name, Value& out, std::initializer_list<config_word<Value>> words)
    {
        std::string given;
        if (!text(name, given))
            return;
        std::vector<std::string_view> known;
        for (auto const& w : words)
        {
            if (w.word == given)
            {
                out = w.value;
                return;
            }
            known.push_back(w.word);
        }
        fail_word(name, known);
    }

    // To be called when all known members were asked for.
    void no_others() const;

private:
    std::optional<std::uint64_t> whole_number(std::string_view name, std::uint64_t from, std::uint64_t to);
    bool is_null(std::string_view name);
    void fail_word(std::string_view name, std::vector<std::string_view> const& known) const;

    config_check& check_;
    nlohmann::json const* object_ = nullptr;
    std::string path_;
    std::set<std::string, std::less<>> asked_;
};

// The path of an element: "upstreams[1]".
std::string config_element(std::string_view path, std::size_t index);

bool is_config_letter(char c) noexcept;
bool is_config_digit(char c) noexcept;

} // namespace serin

#endif
