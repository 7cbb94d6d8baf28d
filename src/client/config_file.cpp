// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "config_file.hpp"

#include <cstddef>
#include <fstream>

namespace serin {

error_code read_config_file(std::string const& path, std::string& text, std::string& why)
{
    constexpr std::size_t largest = 16 * 1024 * 1024;

    text.clear();
    std::ifstream file(path, std::ios::binary);
    char buffer[4096];
    while (text.size() <= largest && (file.read(buffer, sizeof buffer) || file.gcount() > 0))
        text.append(buffer, static_cast<std::size_t>(file.gcount()));
    bool const too_large = text.size() > largest;
    if (file.eof() && !too_large)
        return {};
    why = too_large ? "the file is too large" : "cannot read the file";
    return errc::invalid_argument;
}

} // namespace serin
