// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_SSE_SCAN_HPP
#define SERIN_SRC_SSE_SCAN_HPP

#include "../core/byte_scan.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace serin {

/// CR and LF.
struct sse_line_end
{
    static bool test(char c) noexcept { return c == '\n' || c == '\r'; }
#if defined(__SSE2__) && !defined(SERIN_NO_SIMD)
    static __m128i test(__m128i v) noexcept
    {
        return _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\n')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\r')));
    }
#else
    static bool test(std::uint64_t w) noexcept
    {
        constexpr std::uint64_t ones = 0x0101010101010101;
        std::uint64_t const lf = w ^ (ones * '\n'); // a zero byte where the LF is
        std::uint64_t const cr = w ^ (ones * '\r');
        return (((lf - ones) & ~lf) | ((cr - ones) & ~cr)) & (ones << 7);
    }
#endif
};

/// Everything up to CR, and everything that is not ASCII: a cheap test that passes over all of a usual line.
struct sse_unusual_byte
{
    static bool test(char c) noexcept { return static_cast<signed char>(c) <= '\r'; }
#if defined(__SSE2__) && !defined(SERIN_NO_SIMD)
    static __m128i test(__m128i v) noexcept { return _mm_cmplt_epi8(v, _mm_set1_epi8('\r' + 1)); }
#else
    static bool test(std::uint64_t w) noexcept
    {
        constexpr std::uint64_t ones = 0x0101010101010101;
        return ((w - ones * ('\r' + 1)) | w) & (ones << 7);
    }
#endif
};

/// A line, as far as it is here.
struct sse_line
{
    std::size_t length; ///< Up to the first CR or LF, or to the end of the bytes.
    bool ascii;         ///< Whether all of it is known to be ASCII.
};

/// Finds the end of the line at the start of `s` and looks at its bytes in the same pass.
inline sse_line scan_sse_line(std::string_view s) noexcept
{
    std::size_t i = 0;
    for (;;)
    {
        i += find_first_byte(s.substr(i), sse_unusual_byte());
        if (i == s.size() || sse_line_end::test(s[i]))
            return {i, true};
        if (static_cast<unsigned char>(s[i]) >= 0x80)
            return {i + find_first_byte(s.substr(i), sse_line_end()), false};
        ++i;
    }
}

} // namespace serin

#endif
