// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_SSE_SCAN_HPP
#define SERIN_SRC_SSE_SCAN_HPP

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__) && !defined(SERIN_NO_SIMD)
#include <emmintrin.h>
#endif

namespace serin {

/// Finds the first byte of a class, many bytes at a time. A class has `test(char)`, and for the bytes of a block at
/// once `test(__m128i)` (exact, a mask) or `test(std::uint64_t)` (whether there may be one: it must not miss any).
template <class Class>
std::size_t find_first_byte(std::string_view s, Class c) noexcept
{
    std::size_t const size = s.size();
    std::size_t i = 0;
#if defined(__SSE2__) && !defined(SERIN_NO_SIMD)
    constexpr std::size_t block = sizeof(__m128i);
    auto const load = [&s](std::size_t at) { return _mm_loadu_si128(reinterpret_cast<__m128i const*>(s.data() + at)); };
    auto const bits = [](__m128i mask) { return static_cast<std::uint32_t>(_mm_movemask_epi8(mask)); };
    for (; size - i >= 4 * block; i += 4 * block)
    {
        __m128i const first = _mm_or_si128(c.test(load(i)), c.test(load(i + block)));
        __m128i const second = _mm_or_si128(c.test(load(i + 2 * block)), c.test(load(i + 3 * block)));
        if (bits(_mm_or_si128(first, second)) != 0)
            break;
    }
    for (; size - i >= block; i += block)
        if (auto const found = bits(c.test(load(i))); found != 0)
            return i + static_cast<std::size_t>(std::countr_zero(found));
    if (size >= block && i != size)
    {
        // The last block overlaps the one before, whose bits are shifted out.
        auto const found = bits(c.test(load(size - block))) >> (block - (size - i));
        return found != 0 ? i + static_cast<std::size_t>(std::countr_zero(found)) : size;
    }
#else
    for (; size - i >= sizeof(std::uint64_t); i += sizeof(std::uint64_t))
    {
        std::uint64_t word;
        std::memcpy(&word, s.data() + i, sizeof word);
        if (c.test(word))
            break;
    }
#endif
    while (i != size && !c.test(s[i]))
        ++i;
    return i;
}

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
