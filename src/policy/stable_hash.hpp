// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_STABLE_HASH_HPP
#define SERIN_SRC_POLICY_STABLE_HASH_HPP

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

// FNV-1a, mixed: the same in every process and on every machine, unlike std::hash.
constexpr std::uint64_t stable_hash(std::string_view text) noexcept
{
    std::uint64_t h = 0xcbf29ce484222325u;
    for (char const c : text)
        h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    return mix_bits(h);
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
