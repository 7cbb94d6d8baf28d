// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CORE_HEADERS_HPP
#define SERIN_CORE_HEADERS_HPP

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace serin {

/// Whether two header names are the same: ASCII letters compare without case.
bool header_names_equal(std::string_view a, std::string_view b) noexcept;

/// One header field of a request or a response.
class header
{
public:
    std::string name;  ///< As sent; compares without case.
    std::string value; ///< Without leading and trailing blanks.

    header() {}

    /// With this name and this value.
    header(std::string n, std::string v) : name(std::move(n)), value(std::move(v)) {}
};

/// Header fields in the order in which they were sent.
class headers : public std::vector<header>
{
public:
    using std::vector<header>::vector;

    /// The value of the first field of that name, or an empty view. The view lives as long as the field.
    std::string_view find(std::string_view name) const noexcept;
};

} // namespace serin

#endif
