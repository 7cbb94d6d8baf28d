// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "request_check.hpp"

#include <serin/chat/embedding.hpp>

#include <cstddef>
#include <limits>

namespace serin {
namespace {

constexpr std::size_t max_embedding_texts = 2048;

} // namespace

error_code embedding_request::validate(std::string& why) const
{
    request_check check(why);
    check.input(input, extra);
    check.require(input.size() <= max_embedding_texts, "input", "may have at most 2048 texts");
    for (std::size_t i = 0; i < input.size() && !check.failed(); ++i)
        if (input[i].empty())
            check.require(false, "input[" + std::to_string(i) + "]", "is empty");
    check.range(dimensions, 1, std::numeric_limits<std::int64_t>::max(), "dimensions", "must be at least 1");
    check.require(!timeout || timeout->count() > 0, "timeout", "must be positive");
    return check.error();
}

} // namespace serin
