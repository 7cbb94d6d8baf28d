// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "json_writer.hpp"

#include "../core/utf8.hpp"
#include "json_block.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

namespace serin {
namespace {

constexpr std::size_t longest_json_escape = 6; // as \u001f
constexpr std::size_t longest_json_number = 32;

// The second character of the escape of each byte that needs one: u if only the long form exists.
constexpr std::array<char, 256> json_escape_letters = [] {
    std::array<char, 256> letters{};
    for (std::size_t i = 0; i < 0x20; ++i)
        letters[i] = 'u';
    letters['"'] = '"';
    letters['\\'] = '\\';
    letters['\n'] = 'n';
    letters['\r'] = 'r';
    letters['\t'] = 't';
    letters['\b'] = 'b';
    letters['\f'] = 'f';
    return letters;
}();

inline char* write_json_escape(char* to, char c) noexcept
{
    constexpr char hex[] = "0123456789abcdef";
    auto const byte = static_cast<unsigned char>(c);
    to[0] = '\\';
    to[1] = json_escape_letters[byte];
    if (to[1] != 'u')
        return to + 2;
    to[2] = '0';
    to[3] = '0';
    to[4] = hex[byte >> 4];
    to[5] = hex[byte & 15];
    return to + longest_json_escape;
}

// Numbers as people write them, 0.7 or 2: whole when multiplied by this.
constexpr double json_few_decimals = 10'000;
constexpr double json_small_number = 100'000;

} // namespace

json_writer::json_writer(std::string& out, std::size_t expected) : out_(out)
{
    std::size_t const size = out.size();
    out.resize(size + expected);
    at_ = out.data() + size;
    end_ = out.data() + out.size();
}

void json_writer::grow(std::size_t needed)
{
    constexpr std::size_t least = 64;
    auto const size = static_cast<std::size_t>(at_ - out_.data());
    out_.resize(size + std::max({needed, size, least}));
    at_ = out_.data() + size;
    end_ = out_.data() + out_.size();
}

void json_writer::escape(std::string_view text)
{
    // Room for the quotes and for a block beyond the text: what an escape takes more is asked for when there is one.
    auto const begin = room(text.size() + json_block + 2) - out_.data();
    *at_++ = '"';
    bool ascii = true;
    escape_valid(text, ascii);
    if (!ascii && !is_valid_utf8(text))
    {
        std::string const repaired = repaired_utf8(text);
        at_ = out_.data() + begin;
        room(repaired.size() + json_block + 2);
        *at_++ = '"';
        escape_valid(repaired, ascii);
    }
    *at_++ = '"';
}

// There is room for the text without escapes, a block more and a quote.
void json_writer::escape_valid(std::string_view text, bool& ascii)
{
    char const* from = text.data();
    std::size_t left = text.size();
    char* to = at_;
    unsigned seen = 0;
    auto const put_escape = [&](char c) {
        at_ = to;
        to = write_json_escape(room(left + longest_json_escape + json_block + 1), c);
    };
    while (left >= json_block)
    {
        unsigned non_ascii = 0;
        unsigned const special = special_bytes(from, non_ascii);
        std::memcpy(to, from, json_block);
        seen |= non_ascii;
        if (special == 0)
        {
            from += json_block;
            to += json_block;
            left -= json_block;
            continue;
        }
        auto const plain = static_cast<std::size_t>(std::countr_zero(special));
        from += plain;
        to += plain;
        left -= plain + 1;
        put_escape(*from++);
    }
    while (left != 0)
    {
        char const c = *from++;
        --left;
        seen |= static_cast<unsigned char>(c) & 0x80u;
        if (json_escape_letters[static_cast<unsigned char>(c)] == 0)
            *to++ = c;
        else
            put_escape(c);
    }
    at_ = to;
    ascii = seen == 0;
}

void json_writer::number(std::int64_t value)
{
    char* const to = room(longest_json_number);
    put_to(std::to_chars(to, to + longest_json_number, value).ptr);
}

void json_writer::number(double value)
{
    char* to = room(longest_json_number);
    if (value < json_small_number && !std::signbit(value))
    {
        // If the quotient is the same number again, its few digits are the shortest that read back.
        auto const units = static_cast<std::uint32_t>(value * json_few_decimals + 0.5);
        if (static_cast<double>(units) / json_few_decimals == value)
        {
            constexpr auto scale = static_cast<std::uint32_t>(json_few_decimals);
            to = std::to_chars(to, to + longest_json_number, units / scale).ptr;
            std::uint32_t decimals = units % scale;
            if (decimals != 0)
                *to++ = '.';
            for (std::uint32_t place = scale / 10; decimals != 0; place /= 10)
            {
                *to++ = static_cast<char>('0' + decimals / place);
                decimals %= place;
            }
            put_to(to);
            return;
        }
    }
    put_to(std::to_chars(to, to + longest_json_number, value).ptr);
}

} // namespace serin
