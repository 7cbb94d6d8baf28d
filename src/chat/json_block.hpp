// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CHAT_JSON_BLOCK_HPP
#define SERIN_SRC_CHAT_JSON_BLOCK_HPP

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>

#if defined(__SSE2__) && !defined(SERIN_NO_SIMD)
#include <emmintrin.h>
#endif

namespace serin {

/// How many bytes of a JSON string are looked at together.
inline constexpr std::size_t json_block = 16;

#if defined(__SSE2__) && !defined(SERIN_NO_SIMD)

/// A block of bytes.
class json_bytes
{
    __m128i bytes_;

public:
    json_bytes() noexcept : bytes_(_mm_setzero_si128()) {}
    explicit json_bytes(char const* from) noexcept : bytes_(_mm_loadu_si128(reinterpret_cast<__m128i const*>(from))) {}

    void store(char* to) const noexcept { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes_); }

    /// Bit i of the result says that byte i cannot stand in a JSON string as it is: a quote, a backslash or a control
    /// character.
    unsigned special() const noexcept
    {
        // With this bit turned over a quote is 0x20 and a blank is not, and control characters are below it still.
        __m128i const turned = _mm_xor_si128(bytes_, _mm_set1_epi8('"' ^ 0x20));
        __m128i const low = _mm_cmpeq_epi8(_mm_min_epu8(turned, _mm_set1_epi8(0x20)), turned);
        return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(low, _mm_cmpeq_epi8(bytes_, _mm_set1_epi8('\\')))));
    }

    /// Takes note of the bytes of `other` that are not ASCII.
    void note(json_bytes other) noexcept { bytes_ = _mm_or_si128(bytes_, other.bytes_); }

    /// Whether a byte is not ASCII.
    bool has_non_ascii() const noexcept { return _mm_movemask_epi8(bytes_) != 0; }
};

#else

class json_bytes
{
    unsigned char bytes_[json_block] = {};

public:
    json_bytes() noexcept {}
    explicit json_bytes(char const* from) noexcept { std::memcpy(bytes_, from, json_block); }

    void store(char* to) const noexcept { std::memcpy(to, bytes_, json_block); }

    unsigned special() const noexcept
    {
        unsigned found = 0;
        for (std::size_t i = 0; i < json_block; ++i)
            if (bytes_[i] < 0x20 || bytes_[i] == '"' || bytes_[i] == '\\')
                found |= 1u << i;
        return found;
    }

    void note(json_bytes other) noexcept
    {
        for (std::size_t i = 0; i < json_block; ++i)
            bytes_[i] = static_cast<unsigned char>(bytes_[i] | other.bytes_[i]);
    }

    bool has_non_ascii() const noexcept
    {
        return std::any_of(std::begin(bytes_), std::end(bytes_), [](unsigned char byte) { return byte >= 0x80; });
    }
};

#endif

} // namespace serin

#endif
