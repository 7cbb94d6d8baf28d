// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TESTS_CONFORMANCE_LOAD_HPP
#define SERIN_TESTS_CONFORMANCE_LOAD_HPP

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

namespace serin::test {

/// The cases of a file of the conformance data, or an empty array, with the reason printed, if there is none.
inline nlohmann::json conformance_cases(std::string const& file)
{
    char const* const folder = std::getenv("SERIN_CONFORMANCE_DIR");
    if (!folder)
    {
        std::cout << file << ": skipped, SERIN_CONFORMANCE_DIR is not set\n";
        return nlohmann::json::array();
    }
    std::ifstream in(std::string(folder) + "/" + file);
    if (!in)
    {
        std::cout << file << ": skipped, not in " << folder << '\n';
        return nlohmann::json::array();
    }
    return nlohmann::json::parse(in);
}

/// The string at a key; empty if it is null or not there.
inline std::string text_at(nlohmann::json const& object, char const* key)
{
    auto const found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

} // namespace serin::test

#endif
