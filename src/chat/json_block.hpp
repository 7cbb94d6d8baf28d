// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CHAT_JSON_BLOCK_HPP
#define SERIN_SRC_CHAT_JSON_BLOCK_HPP

#include <cstddef>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace serin {

/// How many bytes of a JSON string are looked at together.
inline constexpr std::size_t json_block = 16;

/// Looks at a block of bytes. Bit i of the result says that byte i cannot stand in a JSON string as it is: a quote, a
/// backslash or a control character. Bit i of `non_ascii` says that byte i is not ASCII.
inline unsigned special_bytes(char const* block, unsigned& non_ascii) noexcept
{
#if defined(__SSE2__)
    __m128i const bytes = _mm_loadu_si128(reinterpret_cast<__m128i const*>(block));
    __m128i const control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    __m128i const quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i const backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    non_ascii = static_cast<unsigned>(_mm_movemask_epi8(bytes)); // the top bit of each byte
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(control, quote), backslash)));
#else
    unsigned special = 0;
    non_ascii = 0;
    for (std::size_t i = 0; i < json_block; ++i)
    {
        auto const byte = static_cast<unsigned char>(block[i]);
        if (byte < 0x20 || byte == '"' || byte == '\\')
            special |= 1u << i;
        if (byte >= 0x80)
            non_ascii |= 1u << i;
    }
    return special;
#endif
}

} // namespace serin

#endif
