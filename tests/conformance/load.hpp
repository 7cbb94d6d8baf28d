// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TESTS_CONFORMANCE_LOAD_HPP
#define SERIN_TESTS_CONFORMANCE_LOAD_HPP

#include "catch.hpp"
#include "conformance.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace serin::test {

/// The cases of a file of the conformance data; none, with a warning, if the data is not there.
inline nlohmann::json conformance_cases(std::string const& file)
{
    auto const dir = conformance_dir();
    if (!dir)
    {
        WARN(no_conformance_data);
        return nlohmann::json::array();
    }
    nlohmann::json cases = load_json(*dir / file);
    REQUIRE_FALSE(cases.empty());
    return cases;
}

/// The string at a key; empty if it is null or not there.
inline std::string text_at(nlohmann::json const& object, char const* key)
{
    auto const found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

} // namespace serin::test

#endif
