// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CORE_BYTE_SCAN_HPP
#define SERIN_SRC_CORE_BYTE_SCAN_HPP

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
/// It is probably among the first `near` bytes.
template <class Class>
std::size_t find_first_byte(std::string_view s, Class c, [[maybe_unused]] std::size_t near = 0) noexcept
{
    std::size_t const size = s.size();
    std::size_t i = 0;
#if defined(__SSE2__) && !defined(SERIN_NO_SIMD)
    constexpr std::size_t block = sizeof(__m128i);
    auto const load = [&s](std::size_t at) { return _mm_loadu_si128(reinterpret_cast<__m128i const*>(s.data() + at)); };
    auto const bits = [](__m128i mask) { return static_cast<std::uint32_t>(_mm_movemask_epi8(mask)); };
    for (; i < near && size - i >= block; i += block)
        if (auto const found = bits(c.test(load(i))); found != 0)
            return i + static_cast<std::size_t>(std::countr_zero(found));
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

} // namespace serin

#endif
