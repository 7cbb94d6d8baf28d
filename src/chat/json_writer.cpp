// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "json_writer.hpp"

#include "../core/utf8.hpp"
#include "json_block.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>

namespace serin {
namespace {

constexpr std::size_t longest_escape = 6; // as \u001f
constexpr std::size_t longest_number = 32;

// The second character of the escape of each byte that needs one: u if only the long form exists.
constexpr std::array<char, 256> escape_letters = [] {
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

inline char* write_escape(char* to, char c) noexcept
{
    constexpr char hex[] = "0123456789abcdef";
    auto const byte = static_cast<unsigned char>(c);
    to[0] = '\\';
    to[1] = escape_letters[byte];
    if (to[1] != 'u')
        return to + 2;
    to[2] = '0';
    to[3] = '0';
    to[4] = hex[byte >> 4];
    to[5] = hex[byte & 15];
    return to + longest_escape;
}

} // namespace

json_writer::json_writer(std::string& out, std::size_t expected) : out_(out), at_(buffer_)
{
    if (out.capacity() - out.size() < expected)
        out.reserve(std::max(out.size() + expected, out.size() + out.size() / 2));
}

void json_writer::flush()
{
    out_.append(buffer_, static_cast<std::size_t>(at_ - buffer_));
    at_ = buffer_;
}

void json_writer::put_large(std::string_view json)
{
    flush();
    out_.append(json);
}

void json_writer::escape(std::string_view text)
{
    // Short texts and rests go through a copy: whole blocks are read, and one more after an escape.
    constexpr std::size_t rest_size = 2 * json_block;
    std::string repaired;
    if (!is_valid_utf8(text))
    {
        repaired = repaired_utf8(text);
        text = repaired;
    }
    std::size_t const whole = text.size() < rest_size ? 0 : (text.size() - json_block) / json_block * json_block;
    escape_blocks(text.data(), whole);
    text.remove_prefix(whole);

    char rest[rest_size + 2 * json_block];
    std::memset(rest + text.size(), ' ', 2 * json_block);
    if (!text.empty())
        std::memcpy(rest, text.data(), text.size());
    escape_blocks(rest, text.size());
}

// Reads up to 31 bytes beyond the end.
void json_writer::escape_blocks(char const* from, std::size_t size)
{
    char const* const last = from + size;
    while (from < last)
    {
        room(json_block * (longest_escape + 1));
        char* to = at_;
        unsigned non_ascii = 0;
        unsigned special = special_bytes(from, non_ascii);
        auto const left = static_cast<std::size_t>(last - from);
        std::size_t const length = std::min(left, json_block);
        std::memcpy(to, from, json_block);
        std::size_t done = 0;
        while (special != 0)
        {
            auto const position = static_cast<std::size_t>(std::countr_zero(special));
            special &= special - 1;
            to = write_escape(to + (position - done), from[position]);
            done = position + 1;
            std::memcpy(to, from + done, json_block);
        }
        at_ = to + (length - done);
        from += length;
    }
}

void json_writer::number(std::int64_t value)
{
    room(longest_number);
    at_ = std::to_chars(at_, buffer_ + buffer_size, value).ptr;
}

void json_writer::number(double value)
{
    room(longest_number);
    at_ = std::to_chars(at_, buffer_ + buffer_size, value).ptr;
}

} // namespace serin
