// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TESTS_SUPPORT_SOURCE_FILE_HPP
#define SERIN_TESTS_SUPPORT_SOURCE_FILE_HPP

#include <cstdlib>
#include <filesystem>
#include <string_view>

// A file of the project, by its path from the root. CTest says where that is; otherwise the compiler did, unless it was
// given relative paths.
inline std::filesystem::path source_file(std::string_view path)
{
    char const* const root = std::getenv("SERIN_SOURCE_DIR");
    return (root ? std::filesystem::path(root) : std::filesystem::path(__FILE__).parent_path() / "../..") / path;
}

#endif
