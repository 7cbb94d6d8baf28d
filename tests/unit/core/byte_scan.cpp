// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/core/byte_scan.hpp"

#include "catch.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace {

struct is_x
{
    static bool test(char c) noexcept { return c == 'x'; }
#if defined(__SSE2__) && !defined(SERIN_NO_SIMD)
    static __m128i test(__m128i v) noexcept { return _mm_cmpeq_epi8(v, _mm_set1_epi8('x')); }
#else
    static bool test(std::uint64_t w) noexcept
    {
        constexpr std::uint64_t ones = 0x0101010101010101;
        std::uint64_t const x = w ^ (ones * 'x'); // a zero byte where one is
        return ((x - ones) & ~x & (ones << 7)) != 0;
    }
#endif
};

} // namespace

TEST_CASE("byte scan: the first byte is found at every place in every length, near or far")
{
    for (std::size_t const near : {0, 16, 64, 1000})
        for (std::size_t size = 0; size < 200; ++size)
        {
            std::string text(size, 'a');
            if (serin::find_first_byte(text, is_x(), near) != size)
                FAIL("size " << size << ", near " << near);
            for (std::size_t at = size; at-- > 0;)
            {
                text[at] = 'x'; // With others behind it
                if (serin::find_first_byte(text, is_x(), near) != at)
                    FAIL("size " << size << ", place " << at << ", near " << near);
            }
        }
}
