// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/core/headers.hpp>

#include <cstddef>
#include <string_view>

namespace serin {
namespace {

constexpr char to_lower(char c) noexcept
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

} // namespace

bool header_names_equal(std::string_view a, std::string_view b) noexcept
{
    if (a.size() != b.size())
        return false;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (a[i] != b[i] && to_lower(a[i]) != to_lower(b[i]))
            return false;
    return true;
}

std::string_view headers::find(std::string_view name) const noexcept
{
    for (header const& h : *this)
        if (header_names_equal(h.name, name))
            return h.value;
    return {};
}

} // namespace serin
