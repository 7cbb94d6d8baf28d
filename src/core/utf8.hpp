// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CORE_UTF8_HPP
#define SERIN_SRC_CORE_UTF8_HPP

#include <cstddef>
#include <string>
#include <string_view>

namespace serin {

/// The number of bytes at the start of `s` that are valid UTF-8: `s.size()` if all of them are, and otherwise the
/// position of the first byte that belongs to no valid sequence. Overlong forms, surrogates and values over
/// U+10FFFF are not valid; NUL is.
std::size_t valid_utf8_prefix(std::string_view s) noexcept;

/// Whether all of `s` is valid UTF-8.
inline bool is_valid_utf8(std::string_view s) noexcept
{
    return valid_utf8_prefix(s) == s.size();
}

/// A copy of `s` in which every maximal part of an invalid sequence is replaced by one U+FFFD, as the decoder of the
/// WHATWG Encoding standard does it. At most three times as long as `s`.
std::string repaired_utf8(std::string_view s);

/// Repairs `s` in place as @ref repaired_utf8 does; a valid string is not touched.
void repair_utf8(std::string& s);

} // namespace serin

#endif
