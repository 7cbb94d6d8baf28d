// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Catch2 v2 (Debian 12) and v3 (Debian 13) under one name.

#ifndef SERIN_TESTS_SUPPORT_CATCH_HPP
#define SERIN_TESTS_SUPPORT_CATCH_HPP

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Matchers::ContainsSubstring;
#else
#include <catch2/catch.hpp>

inline auto ContainsSubstring(std::string const& part)
{
    return Catch::Matchers::Contains(part);
}
#endif

#endif
