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
    char const* from = text.data();
    auto left = text.size();

    while (left != 0)
    {
        // Two blocks are looked at, and as much is read after an escape: what is near the end is copied first.
        constexpr std::size_t two_blocks = 2 * json_block;
        char copy[2 * two_blocks];
        char const* blocks = from;
        std::size_t const length = std::min(left, two_blocks);
        if (left < 2 * two_blocks)
        {
            std::memset(copy, ' ', sizeof copy);
            std::memcpy(copy, from, length);
            blocks = copy;
        }

        unsigned non_ascii[2];
        unsigned special = special_bytes(blocks, non_ascii[0]);
        special |= special_bytes(blocks + json_block, non_ascii[1]) << json_block;
        if ((non_ascii[0] | non_ascii[1]) != 0 && !checked)
        {
            checked = true;
            if (!is_valid_utf8(std::string_view(from, left)))
            {
                repaired = repaired_utf8(std::string_view(from, left));
                from = repaired.data();
                left = repaired.size();
                continue;
            }
        }

        room(two_blocks * (longest_json_escape + 1));
        char* to = at_;
        std::memcpy(to, blocks, two_blocks);
        std::size_t done = 0;
        for (; special != 0; special &= special - 1)
        {
            auto const position = static_cast<std::size_t>(std::countr_zero(special));
            to = write_json_escape(to + (position - done), blocks[position]);
            done = position + 1;
            std::memcpy(to, blocks + done, two_blocks);
        }
        at_ = to + (length - done);
        from += length;
        left -= length;
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
