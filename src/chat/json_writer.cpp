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

constexpr char json_hex_digits[] = "0123456789abcdef";

inline char* write_json_escape(char* to, char c) noexcept
{
    auto const byte = static_cast<unsigned char>(c);
    to[0] = '\\';
    to[1] = json_escape_letters[byte];
    if (to[1] != 'u')
        return to + 2;
    to[2] = '0';
    to[3] = '0';
    to[4] = json_hex_digits[byte >> 4];
    to[5] = json_hex_digits[byte & 15];
    return to + longest_json_escape;
}

// Writes the first `count` bytes of a block, behind which there is another one to be read. Returns the end of what it
// wrote, and may write a block more.
inline char* escape_json_block(char* to, char const* block, unsigned count, json_bytes& seen) noexcept
{
    json_bytes const bytes(block);
    bytes.store(to);
    seen.note(bytes);
    unsigned special = bytes.special() & ((1u << count) - 1);
    if (special == 0)
        return to + count;
    unsigned done = 0;
    do
    {
        auto const plain = static_cast<unsigned>(std::countr_zero(special));
        special &= special - 1;
        to = write_json_escape(to + (plain - done), block[plain]);
        done = plain + 1;
        json_bytes(block + done).store(to);
    }
    while (special != 0);
    return to + (count - done);
}

// Numbers as people write them, 0.7 or 2: whole when multiplied by this.
constexpr double json_few_decimals = 10'000;
constexpr double json_small_number = 100'000;

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

char* json_writer::flushed(char* to)
{
    at_ = to;
    flush();
    return at_;
}

void json_writer::put_large(std::string_view json)
{
    flush();
    out_.append(json);
}

// Drops what was written beyond that many bytes.
void json_writer::take_back(std::size_t to) noexcept
{
    at_ = buffer_ + (std::max(to, out_.size()) - out_.size());
    out_.resize(std::min(to, out_.size()));
}

void json_writer::string(std::string_view text)
{
    std::size_t const before = written();
    raw('"');
    bool ascii = true;
    escape(text, ascii);
    if (!ascii && !is_valid_utf8(text))
    {
        take_back(before + 1);
        escape(repaired_utf8(text), ascii);
    }
    raw('"');
}

// `ascii` becomes false if a byte is not.
void json_writer::escape(std::string_view text, bool& ascii)
{
    // A block of nothing but escapes, and one that is stored behind the last of them.
    constexpr std::size_t most = json_block * longest_json_escape + json_block;

    char const* from = text.data();
    std::size_t left = text.size();
    char const* const last_start = buffer_ + buffer_size - most;
    char* to = at_;
    json_bytes seen;
    for (; left >= 2 * json_block; left -= json_block, from += json_block)
    {
        if (to > last_start)
            to = flushed(to);
        to = escape_json_block(to, from, json_block, seen);
    }
    // What is left, and another block behind it.
    char tail[3 * json_block];
    std::memset(tail, ' ', sizeof tail);
    if (left != 0)
        std::memcpy(tail, from, left);
    for (char const* block = tail; left != 0; block += json_block)
    {
        if (to > last_start)
            to = flushed(to);
        std::size_t const count = std::min(left, json_block);
        to = escape_json_block(to, block, static_cast<unsigned>(count), seen);
        left -= count;
    }
    at_ = to;
    ascii = !seen.has_non_ascii();
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
        auto const units =
            static_cast<std::uint32_t>(value * json_few_decimals + 0.5); // NOLINT(bugprone-incorrect-roundings): from 0
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
