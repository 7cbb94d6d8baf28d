// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_STABLE_HASH_HPP
#define SERIN_SRC_POLICY_STABLE_HASH_HPP

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace serin {

// Every bit of the result depends on every bit of `z`: the output function of splitmix64, which is a bijection.
constexpr std::uint64_t mix_bits(std::uint64_t z) noexcept
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// The same in every process and on every machine, unlike std::hash. Eight bytes at a time: keys are names of users and
// conversations, often 36 characters.
constexpr std::uint64_t stable_hash(std::string_view text) noexcept
{
    constexpr std::size_t word = 8;
    auto const load = [text](std::size_t at, std::size_t count) {
        std::uint64_t bytes = 0;
        for (std::size_t i = 0; i < count; ++i)
            bytes |= std::uint64_t{static_cast<unsigned char>(text[at + i])} << (8 * i);
        return bytes;
    };
    std::uint64_t h = 0xcbf29ce484222325u ^ text.size();
    std::size_t at = 0;
    for (; text.size() - at >= word; at += word)
        h = mix_bits(h ^ load(at, word));
    return mix_bits(mix_bits(h ^ load(at, text.size() - at)));
}

// Of two hashes, whose order counts.
constexpr std::uint64_t stable_hash(std::uint64_t a, std::uint64_t b) noexcept
{
    return mix_bits(a + mix_bits(b + 0x9e3779b97f4a7c15u));
}

// Uniform in the open interval from 0 to 1, with 53 bits.
constexpr double unit_interval(std::uint64_t bits) noexcept
{
    return (static_cast<double>(bits >> 12) + 0.5) * 0x1p-52;
}

} // namespace serin

#endif
