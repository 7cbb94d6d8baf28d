// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "json_writer.hpp"

#include "../core/utf8.hpp"
#include "json_block.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
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

// How many bytes at the beginning can stand in a string as they are. `ascii` becomes false if one of them, or one soon
// after them, is not ASCII.
inline std::size_t plain_json_prefix(std::string_view text, bool& ascii) noexcept
{
    std::size_t const size = text.size();
    std::size_t at = 0;
    unsigned seen = 0;
    unsigned non_ascii = 0;
    unsigned special = 0;
    for (; special == 0 && size - at >= json_block; at += json_block)
    {
        special = special_bytes(text.data() + at, non_ascii);
        seen |= non_ascii;
    }
    if (special != 0)
    {
        at -= json_block;
    }
    else if (at != size)
    {
        std::size_t const left = size - at;
        if (size >= json_block)
        {
            // The last block overlaps the one before, whose bits are shifted out.
            special = special_bytes(text.data() + size - json_block, non_ascii) >> (json_block - left);
        }
        else
        {
            char copy[json_block];
            std::memset(copy, ' ', sizeof copy);
            std::memcpy(copy, text.data(), left);
            special = special_bytes(copy, non_ascii);
        }
        seen |= non_ascii;
    }
    ascii = seen == 0;
    return special != 0 ? at + static_cast<std::size_t>(std::countr_zero(special)) : size;
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
    std::string repaired;
    bool checked = false; // that what is left is valid UTF-8
    for (;;)
    {
        bool ascii = true;
        std::size_t const plain = plain_json_prefix(text, ascii);
        if (!ascii && !checked)
        {
            checked = true;
            if (!is_valid_utf8(text))
            {
                repaired = repaired_utf8(text);
                text = repaired;
                continue;
            }
        }
        raw(text.substr(0, plain));
        text.remove_prefix(plain);
        if (text.empty())
            return;
        room(longest_json_escape);
        at_ = write_json_escape(at_, text.front());
        text.remove_prefix(1);
    }
}

void json_writer::number(std::int64_t value)
{
    room(longest_json_number);
    at_ = std::to_chars(at_, buffer_ + buffer_size, value).ptr;
}

void json_writer::number(double value)
{
    room(longest_json_number);
    at_ = std::to_chars(at_, buffer_ + buffer_size, value).ptr;
}

} // namespace serin
