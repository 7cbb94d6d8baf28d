// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "response_parser.hpp"

#include "../core/byte_scan.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string>

namespace serin {
namespace {

constexpr std::size_t usual_line = 64;
constexpr auto no_body_limit = std::numeric_limits<std::uint64_t>::max();

constexpr std::array<bool, 256> http_token_bytes = [] {
    std::array<bool, 256> is_token{};
    for (char const c : std::string_view("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                         "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
        is_token[static_cast<unsigned char>(c)] = true;
    return is_token;
}();

bool is_http_token(char c) noexcept
{
    return http_token_bytes[static_cast<unsigned char>(c)];
}

bool is_http_blank(char c) noexcept
{
    return c == ' ' || c == '\t';
}

bool is_http_digit(char c) noexcept
{
    return c >= '0' && c <= '9';
}

// -1: it is none.
int http_hex_digit(char c) noexcept
{
    if (is_http_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

std::string_view without_field_blanks(std::string_view text) noexcept
{
    while (!text.empty() && is_http_blank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_http_blank(text.back()))
        text.remove_suffix(1);
    return text;
}

// Control characters but a tab: they end a line or have no place in it.
struct http_control
{
    static bool test(char c) noexcept
    {
        auto const byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\t') || byte == 0x7f;
    }
#if defined(__SSE2__) && !defined(SERIN_NO_SIMD)
    static __m128i test(__m128i v) noexcept
    {
        __m128i const low = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
        __m128i const control = _mm_andnot_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\t')), low);
        return _mm_or_si128(control, _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)));
    }
#else
    static bool test(std::uint64_t w) noexcept
    {
        constexpr std::uint64_t ones = 0x0101010101010101;
        std::uint64_t const del = w ^ (ones * 0x7f); // a zero byte where one is
        return (((w - ones * 0x20) & ~w) | ((del - ones) & ~del)) & (ones << 7);
    }
#endif
};

// The value of a field that goes on over several lines, which are joined by blanks.
std::string unfolded(std::string_view text)
{
    std::string joined;
    while (!text.empty())
    {
        std::size_t const end = std::min(text.find("\r\n"), text.size());
        std::string_view const part = without_field_blanks(text.substr(0, end));
        if (!joined.empty() && !part.empty())
            joined += ' ';
        joined += part;
        text.remove_prefix(std::min(end + 2, text.size()));
    }
    return joined;
}

std::size_t token_size(std::string_view text) noexcept
{
    return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_http_token) - text.begin());
}

std::string_view skip_blanks(std::string_view text) noexcept
{
    while (!text.empty() && is_http_blank(text.front()))
        text.remove_prefix(1);
    return text;
}

// The size of a quoted string at the beginning; 0 if it has no end.
std::size_t quoted_size(std::string_view text) noexcept
{
    for (std::size_t i = 1; i < text.size(); ++i)
    {
        if (text[i] == '"')
            return i + 1;
        if (text[i] == '\\')
            ++i;
    }
    return 0;
}

// Whether this is what may follow a chunk's size: *( BWS ";" BWS name [ BWS "=" BWS value ] )
bool are_chunk_extensions(std::string_view text) noexcept
{
    while (!text.empty())
    {
        text = skip_blanks(text);
        if (text.empty() || text.front() != ';')
            return false;
        text = skip_blanks(text.substr(1));
        std::size_t const name = token_size(text);
        if (name == 0)
            return false;
        text.remove_prefix(name);
        std::string_view const behind = skip_blanks(text);
        if (behind.empty() || behind.front() != '=')
            continue;
        text = skip_blanks(behind.substr(1));
        bool const quoted = !text.empty() && text.front() == '"';
        std::size_t const value = quoted ? quoted_size(text) : token_size(text);
        if (value == 0)
            return false;
        text.remove_prefix(value);
    }
    return true;
}

} // namespace

response_parser::response_parser(std::size_t head_limit, field_block& fields)
    : fields_(fields),
      head_limit_(head_limit),
      body_limit_(no_body_limit)
{
    fields_.clear();
}

response_parser::step response_parser::advance(std::string_view bytes, std::size_t& used, error_code& ec)
{
    used = 0;
    piece_ = {};
    got_anything_ = got_anything_ || !bytes.empty();
    for (;;)
    {
        line taken = line::incomplete;
        std::string_view const rest = bytes.substr(used);
        std::size_t const used_before = used;
        switch (state_)
        {
        case state::complete: return step::end;
        case state::body_of_length:
        case state::body_to_close:
        case state::chunk_data: return take_body(rest, used, ec);
        case state::status_line: taken = take_status_line(rest, used); break;
        case state::fields:
        case state::trailer: taken = take_field(rest, used); break;
        case state::chunk_header: taken = take_chunk_header(rest, used); break;
        }
        head_size_ += used - used_before;
        // A line that has not ended has two more bytes to come, or one more.
        if (taken == line::incomplete && head_size_ + rest.size() >= head_limit_)
            taken = line::too_large;
        if (head_size_ > head_limit_)
            taken = line::too_large;
        switch (taken)
        {
        case line::incomplete: return step::need_more;
        case line::malformed: ec = errc::malformed_response; return step::failed;
        case line::too_large: ec = errc::response_too_large; return step::failed;
        case line::taken: break;
        }
        scanned_ = 0;
        prefix_ = 0;
        folded_ = false;
        if (state_ == state::chunk_data)
            head_size_ = 0;
        if (!head_reported_ && state_ != state::fields)
        {
            head_reported_ = true;
            head_size_ = 0;
            return step::head;
        }
    }
}

// Looks for the end of the line from scanned_ on. line::taken: a CRLF is at `end`.
response_parser::line response_parser::find_line_end(std::string_view bytes, std::size_t& end)
{
    end = scanned_ + find_first_byte(bytes.substr(scanned_), http_control(), usual_line);
    scanned_ = end;
    if (end == bytes.size())
        return line::incomplete;
    if (bytes[end] != '\r')
        return line::malformed;
    if (end + 1 == bytes.size())
        return line::incomplete;
    return bytes[end + 1] == '\n' ? line::taken : line::malformed;
}

response_parser::line response_parser::take_status_line(std::string_view bytes, std::size_t& used)
{
    constexpr std::string_view pattern = "HTTP/1.1 999 "; // 9: a digit

    std::size_t end = 0;
    line const found = find_line_end(bytes, end);
    for (std::size_t i = 0; i < std::min(end, pattern.size()); ++i)
    {
        bool const fits = pattern[i] == '9' ? is_http_digit(bytes[i]) : bytes[i] == pattern[i];
        if (!fits && !(i == 7 && bytes[i] == '0'))
            return line::malformed;
    }
    if (end < pattern.size() && end != bytes.size())
        return line::malformed;
    if (found != line::taken)
        return found;
    is_http_1_0_ = bytes[7] == '0';
    status_ = (bytes[9] - '0') * 100 + (bytes[10] - '0') * 10 + (bytes[11] - '0');
    if (status_ < 100)
        return line::malformed;
    used += end + 2;
    state_ = state::fields;
    return line::taken;
}

response_parser::line response_parser::take_field(std::string_view bytes, std::size_t& used)
{
    std::size_t end = 0;
    for (;;)
    {
        line const found = find_line_end(bytes, end);
        if (found == line::malformed)
            return found;
        while (prefix_ < end && is_http_token(bytes[prefix_]))
            ++prefix_;
        // The empty line may begin with its CR.
        bool const has_colon = prefix_ != 0 && prefix_ < end && bytes[prefix_] == ':';
        if (!has_colon && end != 0 && (prefix_ != end || end != bytes.size()))
            return line::malformed;
        if (found == line::incomplete)
            return found;
        if (end == 0)
            break;
        // A line that begins with a blank goes on with this one.
        if (end + 2 == bytes.size())
            return line::incomplete;
        if (!is_http_blank(bytes[end + 2]))
            break;
        folded_ = true;
        scanned_ = end + 2;
    }
    used += end + 2;
    if (end != 0)
        return add_field(bytes.substr(0, end), prefix_) ? line::taken : line::malformed;
    if (state_ == state::trailer)
        state_ = state::complete;
    else
        end_head();
    return line::taken;
}

// False if it contradicts itself or another one.
bool response_parser::add_field(std::string_view text, std::size_t name_size)
{
    std::string joined;
    if (folded_)
    {
        joined = text.substr(0, name_size + 1);
        joined += unfolded(text.substr(name_size + 1));
        text = joined;
    }
    std::string_view const name = text.substr(0, name_size);
    std::string_view const value = without_field_blanks(text.substr(name_size + 1));
    constexpr std::string_view connection = "connection";
    constexpr std::string_view proxy_connection = "proxy-connection";
    constexpr std::string_view content_length = "content-length";
    constexpr std::string_view transfer_encoding = "transfer-encoding";
    switch (name_size)
    {
    case connection.size():
    case proxy_connection.size():
        if (header_names_equal(name, connection) || header_names_equal(name, proxy_connection))
            note_connection(value);
        break;
    case content_length.size():
        if (header_names_equal(name, content_length) && (chunked_ || !set_length(value)))
            return false;
        break;
    case transfer_encoding.size():
        if (header_names_equal(name, transfer_encoding))
        {
            // Only this coding was offered, and with a length beside it nobody could tell which one is true.
            if (chunked_ || length_ || !header_names_equal(value, "chunked"))
                return false;
            chunked_ = true;
        }
        break;
    default: break;
    }
    if (state_ == state::fields) // A trailer is of no use here
        fields_.add(text, name_size, value);
    return true;
}

// A length, or a list of the same one.
bool response_parser::set_length(std::string_view value)
{
    for (;;)
    {
        auto const comma = std::min(value.find(','), value.size());
        std::string_view const digits = without_field_blanks(value.substr(0, comma));
        std::uint64_t length = 0;
        for (char const c : digits)
        {
            constexpr auto max = std::numeric_limits<std::uint64_t>::max();
            auto const digit = static_cast<std::uint64_t>(c - '0');
            if (!is_http_digit(c) || length > max / 10 || length * 10 > max - digit)
                return false;
            length = length * 10 + digit;
        }
        if (digits.empty() || length_.value_or(length) != length)
            return false;
        length_ = length;
        if (comma == value.size())
            return true;
        value.remove_prefix(comma + 1);
    }
}

void response_parser::note_connection(std::string_view value) noexcept
{
    while (!value.empty())
    {
        auto const comma = std::min(value.find(','), value.size());
        std::string_view const option = without_field_blanks(value.substr(0, comma));
        says_close_ = says_close_ || header_names_equal(option, "close");
        says_keep_alive_ = says_keep_alive_ || header_names_equal(option, "keep-alive");
        value.remove_prefix(std::min(comma + 1, value.size()));
    }
}

void response_parser::end_head() noexcept
{
    bool const has_no_body = status_ < 200 || status_ == 204 || status_ == 304 || length_ == std::uint64_t(0);
    if (has_no_body)
        state_ = state::complete;
    else if (length_)
        state_ = state::body_of_length;
    else if (chunked_)
        state_ = state::chunk_header;
    else
        state_ = state::body_to_close;
    left_ = length_.value_or(0);
    ends_with_close_ = state_ == state::body_to_close;
}

response_parser::line response_parser::take_chunk_header(std::string_view bytes, std::size_t& used)
{
    std::size_t const begin = after_chunk_ ? 2 : 0;
    if (after_chunk_)
    {
        constexpr std::string_view end_of_chunk = "\r\n";
        std::size_t const there = std::min(bytes.size(), begin);
        if (bytes.substr(0, there) != end_of_chunk.substr(0, there))
            return line::malformed;
    }
    if (bytes.size() <= begin)
        return line::incomplete;
    scanned_ = std::max(scanned_, begin);
    std::size_t end = 0;
    line const found = find_line_end(bytes, end);

    prefix_ = std::max(prefix_, begin);
    while (prefix_ < end && http_hex_digit(bytes[prefix_]) >= 0)
        ++prefix_;
    bool const has_size =
        prefix_ != begin && (prefix_ == end || bytes[prefix_] == ';' || is_http_blank(bytes[prefix_]));
    if (found == line::malformed || !has_size)
        return line::malformed;
    if (found == line::incomplete)
        return found;
    if (!are_chunk_extensions(bytes.substr(prefix_, end - prefix_)))
        return line::malformed;
    std::uint64_t size = 0;
    for (char const c : bytes.substr(begin, prefix_ - begin))
    {
        if (size > std::numeric_limits<std::uint64_t>::max() / 16)
            return line::malformed;
        size = size * 16 + static_cast<std::uint64_t>(http_hex_digit(c));
    }
    used += end + 2;
    if (size == 0)
    {
        state_ = state::trailer;
        return line::taken;
    }
    if (size > body_limit_)
        return line::too_large;
    if (body_limit_ != no_body_limit)
        body_limit_ -= size;
    left_ = size;
    after_chunk_ = true;
    state_ = state::chunk_data;
    return line::taken;
}

response_parser::step response_parser::take_body(std::string_view bytes, std::size_t& used, error_code& ec)
{
    if (bytes.empty())
        return step::need_more;
    if (state_ != state::body_to_close)
        bytes = bytes.substr(0, std::min<std::uint64_t>(left_, bytes.size()));
    if (state_ != state::chunk_data)
    {
        if (bytes.size() > body_limit_)
        {
            ec = errc::response_too_large;
            return step::failed;
        }
        if (body_limit_ != no_body_limit)
            body_limit_ -= bytes.size();
    }
    piece_ = bytes;
    used += bytes.size();
    if (state_ != state::body_to_close)
        left_ -= bytes.size();
    if (state_ == state::chunk_data && left_ == 0)
        state_ = state::chunk_header;
    else if (state_ == state::body_of_length && left_ == 0)
        state_ = state::complete;
    return step::body;
}

error_code response_parser::finish()
{
    if (!got_anything_)
        return errc::connection_lost;
    if (state_ == state::body_to_close)
        state_ = state::complete;
    return state_ == state::complete ? error_code() : make_error_code(errc::malformed_response);
}

bool response_parser::keeps_alive() const noexcept
{
    if (!head_reported_ || ends_with_close_ || says_close_)
        return false;
    return is_http_1_0_ ? says_keep_alive_ && !chunked_ : true;
}

} // namespace serin
