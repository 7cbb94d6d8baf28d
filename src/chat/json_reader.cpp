// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "json_reader.hpp"

#include "../core/utf8.hpp"
#include "json_block.hpp"
#include "json_writer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>
#include <new>
#include <optional>
#include <utility>

namespace serin {
namespace {

constexpr std::size_t max_json_depth = 256;
constexpr std::uint32_t max_json_values = std::uint32_t(8) << 20;
constexpr std::uint32_t smallest_json_nodes = 64;
constexpr std::size_t kept_json_text = std::size_t(64) << 10;
constexpr std::uint32_t kept_json_nodes = 4096;
constexpr std::size_t smallest_json_buffer = 512;
constexpr std::size_t json_digits_that_fit = 18;

// Bytes after the text: zeros, which end every loop, and room for a block and the one behind it to be looked at.
constexpr std::size_t json_padding = 3 * json_block;

constexpr std::string_view json_byte_order_mark = "\xef\xbb\xbf";

bool is_json_digit(char c) noexcept
{
    return c >= '0' && c <= '9';
}

inline char const* skip_json_blanks(char const* p) noexcept
{
    // Mostly there are none.
    while (static_cast<unsigned char>(*p) <= ' ' && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        ++p;
    return p;
}

char const* skip_json_digits(char const* p) noexcept
{
    while (is_json_digit(*p))
        ++p;
    return p;
}

// The value of the four digits of an escape; the text goes on for as long.
std::optional<unsigned> json_hex_value(char const* digits) noexcept
{
    unsigned value = 0;
    for (int i = 0; i < 4; ++i)
    {
        char const c = digits[i];
        unsigned digit = 0;
        if (is_json_digit(c))
            digit = static_cast<unsigned>(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = static_cast<unsigned>(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            digit = static_cast<unsigned>(c - 'A' + 10);
        else
            return std::nullopt;
        value = value << 4 | digit;
    }
    return value;
}

char* write_json_utf8(char* to, unsigned code_point) noexcept
{
    auto const put = [&to](unsigned byte) { *to++ = static_cast<char>(static_cast<unsigned char>(byte)); };
    if (code_point < 0x80)
        put(code_point);
    else if (code_point < 0x800)
    {
        put(0xc0 | code_point >> 6);
        put(0x80 | (code_point & 0x3f));
    }
    else if (code_point < 0x10000)
    {
        put(0xe0 | code_point >> 12);
        put(0x80 | (code_point >> 6 & 0x3f));
        put(0x80 | (code_point & 0x3f));
    }
    else
    {
        put(0xf0 | code_point >> 18);
        put(0x80 | (code_point >> 12 & 0x3f));
        put(0x80 | (code_point >> 6 & 0x3f));
        put(0x80 | (code_point & 0x3f));
    }
    return to;
}

// What the letter of a short escape stands for; 0 for other letters.
constexpr std::array<char, 256> json_unescaped = [] {
    std::array<char, 256> meanings{};
    meanings['"'] = '"';
    meanings['\\'] = '\\';
    meanings['/'] = '/';
    meanings['b'] = '\b';
    meanings['f'] = '\f';
    meanings['n'] = '\n';
    meanings['r'] = '\r';
    meanings['t'] = '\t';
    return meanings;
}();

} // namespace

bool json_reader::parse(std::string_view text, json_value& root)
{
    root = json_value();
    if (text.substr(0, json_byte_order_mark.size()) == json_byte_order_mark)
        text.remove_prefix(json_byte_order_mark.size());
    if (!parse_valid(text))
        return false;
    if (seen_.has_non_ascii() && !is_valid_utf8(text) && !parse_valid(repaired_utf8(text)))
        return false;
    root = json_value(this, 0);
    return true;
}

bool json_reader::parse_members_from(std::string_view text, std::size_t at, json_value& root)
{
    root = json_value();
    text.remove_prefix(at - 1);
    if (!load(text))
        return false;
    buffer_[0] = '{'; // instead of a comma or a blank
    char const* const end = walk(buffer_.get());
    if (!end || skip_json_blanks(end) != buffer_.get() + text.size())
        return false;
    if (seen_.has_non_ascii() && !is_valid_utf8(text))
        return false;
    root = json_value(this, 0);
    return root.has_content(); // No member may follow a brace, but not a comma
}

bool json_reader::parse_exact(std::string_view text, json_value& root)
{
    root = json_value();
    if (!parse_valid(text) || (seen_.has_non_ascii() && !is_valid_utf8(text)))
        return false;
    root = json_value(this, 0);
    return true;
}

void json_reader::release() noexcept
{
    buffer_.reset();
    decoded_.reset();
    nodes_.reset();
    capacity_ = 0;
    node_capacity_ = 0;
}

// Parses without a look at the encoding of strings.
bool json_reader::parse_valid(std::string_view text)
{
    if (!load(text))
        return false;
    char const* const end = walk(skip_json_blanks(buffer_.get()));
    return end && skip_json_blanks(end) == buffer_.get() + text.size();
}

bool json_reader::load(std::string_view text)
{
    if (text.size() > std::numeric_limits<std::uint32_t>::max() - json_padding)
        return false;
    // A rare long text must not tie up memory for ever.
    if (text.size() <= kept_json_text / 4 && (capacity_ > kept_json_text || node_capacity_ > kept_json_nodes))
        release();
    if (capacity_ < text.size() || !buffer_)
    {
        release();
        capacity_ = std::bit_ceil(std::max(text.size(), smallest_json_buffer));
        buffer_.reset(new char[capacity_ + json_padding]);
    }
    if (!text.empty())
        std::memcpy(buffer_.get(), text.data(), text.size());
    std::memset(buffer_.get() + text.size(), 0, json_padding);
    decoded_end_ = decoded_.get();
    node_count_ = 0;
    seen_ = json_bytes();
    return true;
}

// Makes room for two more nodes: a value's, and that of its key.
bool json_reader::make_room() noexcept
{
    if (node_capacity_ >= max_json_values)
        return false;
    std::uint32_t const wanted = std::max(smallest_json_nodes, node_capacity_ * 2);
    std::unique_ptr<node[]> larger(new (std::nothrow) node[wanted]);
    if (!larger)
        return false;
    if (node_count_ > 0)
        std::memcpy(larger.get(), nodes_.get(), node_count_ * sizeof(node));
    nodes_ = std::move(larger);
    node_capacity_ = wanted;
    return true;
}

// Where the next node goes, and what strings were seen to hold, out of the reader while it walks: a compiler keeps
// these in registers, and members it must not.
struct json_reader::cursor
{
    explicit cursor(json_reader& r) noexcept : reader(r) { load(); }

    void load() noexcept
    {
        first = reader.nodes_.get();
        next = first + reader.node_count_;
        last = first + reader.node_capacity_;
        seen = reader.seen_;
    }

    void save() noexcept
    {
        reader.node_count_ = index();
        reader.seen_ = seen;
    }

    std::uint32_t index() const noexcept { return static_cast<std::uint32_t>(next - first); }

    node& add(json_kind kind, char const* begin, char const* end) noexcept
    {
        node& n = *next++;
        n.begin = static_cast<std::uint32_t>(begin - text);
        n.size = static_cast<std::uint32_t>(end - begin);
        n.next = index();
        n.kind = kind;
        n.decoded = false;
        return n;
    }

    json_reader& reader;
    char const* const text = reader.buffer_.get();
    node* first;
    node* next;
    node* last;
    json_bytes seen;
};

// All of these take the position of what they read, after an opening quote, and return the position after it, or null
// if it is not JSON.

inline char const* json_reader::read_string(char const* p, cursor& at)
{
    char const* end = p;
    for (;;)
    {
        json_bytes const block(end);
        at.seen.note(block);
        unsigned const special = block.special();
        if (special != 0)
        {
            end += std::countr_zero(special);
            break;
        }
        end += json_block;
    }
    if (*end == '"') [[likely]]
    {
        at.add(json_kind::string, p, end);
        return end + 1;
    }
    if (*end != '\\')
        return nullptr;
    at.save();
    char const* const behind = read_escaped(p, end);
    at.load();
    return behind;
}

// Reads the \u escape at p and writes what it stands for; null if it is none.
char const* json_reader::read_unicode_escape(char const* p, char*& to) noexcept
{
    auto const unit = json_hex_value(p + 2);
    if (!unit)
        return nullptr;
    p += 6;
    unsigned code_point = *unit;
    if (code_point >= 0xd800 && code_point <= 0xdfff)
    {
        auto const low = p[0] == '\\' && p[1] == 'u' ? json_hex_value(p + 2) : std::nullopt;
        bool const pair = code_point < 0xdc00 && low && *low >= 0xdc00 && *low <= 0xdfff;
        code_point = pair ? 0x10000 + ((code_point - 0xd800) << 10) + (*low - 0xdc00) : 0xfffd;
        p += pair ? 6 : 0;
    }
    to = write_json_utf8(to, code_point);
    return p;
}

// `p`: the first escape.
char const* json_reader::read_escaped(char const* begin, char const* p)
{
    // What is written is never longer than what was read, so that it stays within as large a buffer.
    if (!decoded_)
    {
        decoded_.reset(new char[capacity_ + json_padding]);
        decoded_end_ = decoded_.get();
    }
    char* const start = decoded_end_;
    std::memcpy(start, begin, static_cast<std::size_t>(p - begin));
    char* to = start + (p - begin);
    for (;;)
    {
        // Whole blocks are written, and what follows overwrites what is too much of them.
        json_bytes const block(p);
        block.store(to);
        seen_.note(block);
        unsigned special = block.special();
        std::size_t done = 0; // of the block
        while (special != 0)
        {
            auto const at = static_cast<std::size_t>(std::countr_zero(special));
            to += at - done;
            if (p[at] == '"')
            {
                node& n = nodes_[node_count_++];
                n.next = node_count_;
                n.kind = json_kind::string;
                n.begin = static_cast<std::uint32_t>(start - decoded_.get());
                n.size = static_cast<std::uint32_t>(to - start);
                n.decoded = true;
                decoded_end_ = to;
                return p + at + 1;
            }
            if (p[at] != '\\')
                return nullptr;
            if (p[at + 1] == 'u')
            {
                char const* const behind = read_unicode_escape(p + at, to);
                if (!behind)
                    return nullptr;
                done = static_cast<std::size_t>(behind - p);
            }
            else
            {
                *to = json_unescaped[static_cast<unsigned char>(p[at + 1])];
                if (*to++ == 0)
                    return nullptr;
                done = at + 2;
            }
            if (done >= json_block)
                break;
            json_bytes(p + done).store(to);
            special &= ~0u << done;
        }
        to += json_block - std::min(done, json_block);
        p += std::max(done, json_block);
    }
}

inline char const* json_reader::read_number(char const* p, cursor& at) noexcept
{
    char const* const begin = p;
    if (*p == '-')
        ++p;
    if (!is_json_digit(*p))
        return nullptr;
    p = *p == '0' ? p + 1 : skip_json_digits(p);
    if (*p == '.')
    {
        if (!is_json_digit(*++p))
            return nullptr;
        p = skip_json_digits(p);
    }
    if (*p == 'e' || *p == 'E')
    {
        ++p;
        if (*p == '+' || *p == '-')
            ++p;
        if (!is_json_digit(*p))
            return nullptr;
        p = skip_json_digits(p);
    }
    at.add(json_kind::number, begin, p);
    return p;
}

inline char const* json_reader::read_word(char const* p, std::string_view word, json_kind kind, cursor& at) noexcept
{
    if (std::memcmp(p, word.data(), word.size()) != 0) // The padding is longer than any word.
        return nullptr;
    at.add(kind, p, p + word.size());
    return p + word.size();
}

// Reads a value with all that is in it.
char const* json_reader::walk(char const* p)
{
    std::uint32_t open[max_json_depth]; // the containers around
    std::size_t depth = 0;
    bool in_object = false; // the innermost is one
    cursor at(*this);

    for (bool key_first = false;;)
    {
        // Here a value begins, or a key and its value.
        if (at.last - at.next < 2)
        {
            at.save();
            if (!make_room())
                return nullptr;
            at.load();
        }
        if (key_first)
        {
            if (*p != '"')
                return nullptr;
            p = read_string(p + 1, at);
            if (!p)
                return nullptr;
            p = skip_json_blanks(p);
            if (*p != ':')
                return nullptr;
            p = skip_json_blanks(p + 1);
        }
        bool opened = false;
        switch (*p)
        {
        case '"': p = read_string(p + 1, at); break;
        case '{':
        case '[':
            if (depth == max_json_depth)
                return nullptr;
            in_object = *p == '{';
            opened = true;
            open[depth++] = at.index();
            at.add(in_object ? json_kind::object : json_kind::array, p, p);
            ++p;
            break;
        case 't': p = read_word(p, "true", json_kind::boolean, at); break;
        case 'f': p = read_word(p, "false", json_kind::boolean, at); break;
        case 'n': p = read_word(p, "null", json_kind::null, at); break;
        default: p = read_number(p, at); break;
        }
        if (!p)
            return nullptr;

        // Here a value has ended, or a container has begun: look for the next value.
        for (;; opened = false)
        {
            if (depth == 0)
            {
                at.save();
                return p;
            }
            p = skip_json_blanks(p);
            if (!opened && *p == ',')
            {
                p = skip_json_blanks(p + 1);
                break;
            }
            if (*p != (in_object ? '}' : ']'))
            {
                if (opened)
                    break;
                return nullptr;
            }
            node& n = at.first[open[--depth]];
            n.size = static_cast<std::uint32_t>(++p - at.text) - n.begin;
            n.next = at.index();
            in_object = depth > 0 && at.first[open[depth - 1]].kind == json_kind::object;
        }
        key_first = in_object;
    }
}

bool json_value::is_true() const noexcept
{
    return kind() == json_kind::boolean && reader_->nodes_[node_].size == std::string_view("true").size();
}

double json_value::number() const noexcept
{
    if (!is_number())
        return 0;
    std::string_view const text = reader_->text_of(reader_->nodes_[node_]);
    double value = 0;
    auto const result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec == std::errc::result_out_of_range)
    {
        // Too large or too small: the exponent's sign tells.
        bool const small = text.find("e-") != std::string_view::npos || text.find("E-") != std::string_view::npos;
        double const size = small ? 0 : std::numeric_limits<double>::infinity();
        return text.front() == '-' ? -size : size;
    }
    return value;
}

std::int64_t json_value::integer(std::int64_t otherwise) const noexcept
{
    if (!is_number())
        return otherwise;
    std::string_view const text = reader_->text_of(reader_->nodes_[node_]);
    std::int64_t value = 0;
    if (text.size() <= json_digits_that_fit)
    {
        // Nearly all of them: a few plain digits.
        char const* p = text.data();
        char const* const last = p + text.size();
        while (p != last && is_json_digit(*p))
            value = value * 10 + (*p++ - '0');
        if (p == last)
            return value;
    }
    auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec == std::errc() && end == text.data() + text.size())
        return value;
    constexpr double limit = 9223372036854774784.0; // the largest double that fits
    return static_cast<std::int64_t>(std::clamp(number(), -limit, limit));
}

std::uint64_t json_value::count() const noexcept
{
    return static_cast<std::uint64_t>(std::max<std::int64_t>(integer(), 0));
}

void json_value::append_json(std::string& out) const
{
    if (!reader_)
    {
        out += "null";
        return;
    }
    json_reader::node const& n = reader_->nodes_[node_];
    if (n.kind != json_kind::string)
    {
        out += reader_->text_of(n);
        return;
    }
    json_writer writer(out, n.size + n.size / 8 + 8);
    writer.string(reader_->text_of(n));
    writer.finish();
}

} // namespace serin
