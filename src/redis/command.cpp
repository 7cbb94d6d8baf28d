// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "command.hpp"

#include <hiredis/hiredis.h>

#include <cstddef>
#include <memory>
#include <new>
#include <vector>

namespace serin {

std::string redis_command(std::initializer_list<std::string_view> words)
{
    std::vector<char const*> texts;
    std::vector<std::size_t> sizes;
    for (std::string_view const word : words)
    {
        texts.push_back(word.data());
        sizes.push_back(word.size());
    }
    char* formatted = nullptr;
    auto const size = redisFormatCommandArgv(&formatted, static_cast<int>(texts.size()), texts.data(), sizes.data());
    if (size < 0)
        throw std::bad_alloc();
    struct freer
    {
        void operator()(char* text) const { redisFreeCommand(text); }
    };
    std::unique_ptr<char, freer> const owner(formatted);
    return std::string(formatted, static_cast<std::size_t>(size));
}

} // namespace serin
