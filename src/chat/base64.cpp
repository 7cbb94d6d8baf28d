// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "base64.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace serin {
namespace {

constexpr std::uint32_t no_base64_digit = 0x80000000;

constexpr std::array<std::uint32_t, 256> base64_digits = [] {
    std::array<std::uint32_t, 256> digits{};
    digits.fill(no_base64_digit);
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        digits[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint32_t>(i);
    return digits;
}();

std::uint32_t base64_digit(char c) noexcept
{
    return base64_digits[static_cast<unsigned char>(c)];
}

} // namespace

bool decode_base64(std::string_view text, std::string& out)
{
    if (text.size() % 4 != 0)
        return false;
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=')
        ++padding;

    out.resize(text.size() / 4 * 3);
    std::size_t size = 0;
    std::uint32_t wrong = 0;
    for (std::size_t i = 0; i < text.size(); i += 4)
    {
        bool const last = i + 4 == text.size();
        // Padding stands for zeros, which are cut off below.
        std::uint32_t const third = last && padding > 1 ? 0 : base64_digit(text[i + 2]);
        std::uint32_t const fourth = last && padding > 0 ? 0 : base64_digit(text[i + 3]);
        std::uint32_t const digits[] = {base64_digit(text[i]), base64_digit(text[i + 1]), third, fourth};
        wrong |= digits[0] | digits[1] | digits[2] | digits[3];
        std::uint32_t const bits = digits[0] << 18 | digits[1] << 12 | digits[2] << 6 | digits[3];
        out[size++] = static_cast<char>(static_cast<unsigned char>(bits >> 16));
        out[size++] = static_cast<char>(static_cast<unsigned char>(bits >> 8));
        out[size++] = static_cast<char>(static_cast<unsigned char>(bits));
    }
    out.resize(size - padding);
    return (wrong & no_base64_digit) == 0;
}

} // namespace serin
