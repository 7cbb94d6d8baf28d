// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "response_parser.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <limits>

namespace serin {
namespace {

namespace http = boost::beast::http;

bool is_token_char(char c) noexcept
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

bool is_hex_digit(char c) noexcept
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Whether bytes without a CRLF can become a line, or are one without its CRLF: no line end of another kind, no control
// character but a tab.
bool can_become_line(std::string_view part, bool is_line) noexcept
{
    if (!is_line && !part.empty() && part.back() == '\r')
        part.remove_suffix(1);
    return std::none_of(part.begin(), part.end(), [](char c) {
        auto const byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\t') || byte == 0x7f;
    });
}

bool can_become_status_line(std::string_view bytes) noexcept
{
    auto const end = bytes.find("\r\n");
    auto const line = bytes.substr(0, end);
    constexpr std::string_view pattern = "HTTP/1.9 999 "; // 9: a digit
    for (std::size_t i = 0; i < std::min(line.size(), pattern.size()); ++i)
        if (pattern[i] == '9' ? line[i] < '0' || line[i] > '9' : line[i] != pattern[i])
            return false;
    bool const is_line = end != std::string_view::npos;
    return can_become_line(line, is_line) && (!is_line || line.size() >= pattern.size());
}

// A line of fields, or the beginning of one.
bool can_become_field(std::string_view part, bool is_line) noexcept
{
    if (part.empty() || (part == "\r" && !is_line))
        return true; // The empty line
    auto const name_end = std::find_if_not(part.begin(), part.end(), is_token_char);
    bool const folded = part.front() == ' ' || part.front() == '\t';
    return can_become_line(part, is_line) &&
           (folded || (name_end == part.end() ? !is_line : *name_end == ':' && name_end != part.begin()));
}

bool can_become_fields(std::string_view bytes) noexcept
{
    for (;;)
    {
        auto const end = bytes.find("\r\n");
        bool const is_line = end != std::string_view::npos;
        if (!can_become_field(bytes.substr(0, end), is_line))
            return false;
        if (!is_line)
            return true;
        bytes.remove_prefix(end + 2);
    }
}

bool closes_quotes(std::string_view line) noexcept
{
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i)
        if (line[i] == '"')
            quoted = !quoted;
        else if (quoted && line[i] == '\\')
            ++i;
    return !quoted;
}

// Whether bytes that Beast waits to complete can become the first line of a chunk, or the last chunk and a trailer.
bool can_become_chunk_header(std::string_view bytes, bool after_chunk) noexcept
{
    if (after_chunk)
    {
        constexpr std::string_view end_of_chunk = "\r\n";
        if (bytes.substr(0, 2) != end_of_chunk.substr(0, bytes.size()))
            return false;
        bytes.remove_prefix(std::min<std::size_t>(bytes.size(), 2));
    }
    auto const after_size = std::find_if_not(bytes.begin(), bytes.end(), is_hex_digit);
    if (after_size == bytes.end())
        return true;
    constexpr std::string_view may_follow = "\r; \t";
    if (after_size == bytes.begin() || may_follow.find(*after_size) == std::string_view::npos)
        return false;
    auto const end = bytes.find("\r\n");
    bool const is_line = end != std::string_view::npos;
    auto const line = bytes.substr(0, end);
    if (!can_become_line(line, is_line))
        return false;
    // Beast would look for a closing quote in the lines that follow
    return !is_line || (closes_quotes(line) && can_become_fields(bytes.substr(end + 2)));
}

// How much of a head to give to Beast. If it saw a part of a line it would look at nothing more until the head is
// complete: so whole lines only, the last with the byte after it, which tells that it is not continued.
std::size_t whole_lines(std::string_view head, bool after_status_line) noexcept
{
    if (head.find("\r\n\r\n") != std::string_view::npos || (after_status_line && head.substr(0, 2) == "\r\n"))
        return head.size();
    auto end = head.size() < 3 ? std::string_view::npos : head.rfind("\r\n", head.size() - 3);
    while (end != std::string_view::npos && (head[end + 2] == ' ' || head[end + 2] == '\t'))
        end = end == 0 ? std::string_view::npos : head.rfind("\r\n", end - 1);
    return end == std::string_view::npos ? 0 : end + 3;
}

} // namespace

void field_block::clear() noexcept
{
    text_.clear();
    entries_.clear();
}

void field_block::shrink(std::size_t bytes)
{
    clear();
    if (text_.capacity() > bytes)
        text_ = std::string();
    if (entries_.capacity() * sizeof(entry) > bytes)
        entries_ = std::vector<entry>();
}

void field_block::add(std::string_view name, std::string_view value)
{
    entries_.push_back({text_.size(), text_.size() + name.size(), text_.size() + name.size() + value.size()});
    text_ += name;
    text_ += value;
}

std::string_view field_block::find(std::string_view name) const noexcept
{
    std::string_view const text = text_;
    for (entry const& e : entries_)
        if (header_names_equal(text.substr(e.name_begin, e.value_begin - e.name_begin), name))
            return text.substr(e.value_begin, e.value_end - e.value_begin);
    return {};
}

headers field_block::to_headers() const
{
    headers all;
    all.reserve(entries_.size());
    for (entry const& e : entries_)
        all.emplace_back(text_.substr(e.name_begin, e.value_begin - e.name_begin),
            text_.substr(e.value_begin, e.value_end - e.value_begin));
    return all;
}

response_parser::response_parser(std::size_t head_limit, field_block& fields) : fields_(fields), head_limit_(head_limit)
{
    fields_.clear();
    eager(false); // One step a call: the caller takes the body piece by piece
    base::body_limit(boost::none);
    header_limit(
        static_cast<std::uint32_t>(std::min<std::size_t>(head_limit, std::numeric_limits<std::uint32_t>::max())));
}

response_parser::step response_parser::fail(error_code& ec, errc why) const noexcept
{
    ec = why;
    return step::failed;
}

response_parser::step response_parser::advance(std::string_view bytes, std::size_t& used, error_code& ec)
{
    used = 0;
    got_anything_ = got_anything_ || !bytes.empty();
    for (;;)
    {
        if (is_header_done() && !head_reported_)
        {
            head_reported_ = true;
            return step::head;
        }
        if (is_done())
            return step::end;

        std::string_view const rest = bytes.substr(used);
        if (rest.empty())
            return step::need_more;

        piece_ = {};
        bool const in_head = !is_header_done();
        std::size_t size = rest.size();
        if (in_head)
            size = whole_lines(rest, status_ != 0);
        else if (!in_head && chunked() && !after_chunk_ && size == 4 && rest.front() == '0')
            size = 0; // Beast asserts that it never sees four bytes of an empty body: "0\r\n\r"
        beast_error bec = http::error::need_more;
        if (size != 0)
        {
            std::size_t const n = put(asio::buffer(rest.data(), size), bec);
            used += n;
            if (in_head)
                head_size_ += n;
            else if (piece_.empty() && n > head_limit_) // A chunk's header, or the last with the trailer
                return fail(ec, errc::response_too_large);
        }
        if (head_size_ > head_limit_)
            return fail(ec, errc::response_too_large);
        if (bec == http::error::need_more)
        {
            std::string_view const line = bytes.substr(used);
            bool const good = !in_head       ? can_become_chunk_header(line, after_chunk_)
                              : status_ == 0 ? can_become_status_line(line)
                                             : can_become_fields(line);
            if (!good)
                return fail(ec, errc::malformed_response);
            if (line.size() >= head_limit_ || head_size_ + (in_head ? line.size() : 0) > head_limit_)
                return fail(ec, errc::response_too_large);
            return step::need_more;
        }
        if (bec == http::error::body_limit || bec == http::error::header_limit)
            return fail(ec, errc::response_too_large);
        if (bec)
            return fail(ec, errc::malformed_response);
        if (!piece_.empty())
            return step::body;
    }
}

error_code response_parser::finish()
{
    if (!got_anything_)
        return errc::connection_lost;
    if (!got_some())
        return errc::malformed_response;
    beast_error bec;
    put_eof(bec);
    return bec ? make_error_code(errc::malformed_response) : error_code();
}

std::optional<std::uint64_t> response_parser::announced_length() const
{
    if (auto const length = content_length())
        return *length;
    return std::nullopt;
}

void response_parser::on_request_impl(http::verb, view, view, int, beast_error&) {}

void response_parser::on_response_impl(int code, view, int version, beast_error& ec)
{
    status_ = code;
    is_http_1_0_ = version == 10;
    ec = code < 100 ? beast_error(http::error::bad_status) : beast_error();
}

void response_parser::on_field_impl(http::field name_id, view name, view value, beast_error& ec)
{
    ec = {};
    if (head_reported_)
        return; // A trailer field: of no use here
    if (name_id == http::field::transfer_encoding &&
        !header_names_equal(std::string_view(value.data(), value.size()), "chunked"))
    {
        ec = http::error::bad_transfer_encoding; // No coding but chunked was offered
        return;
    }
    fields_.add(std::string_view(name.data(), name.size()), std::string_view(value.data(), value.size()));
}

void response_parser::on_trailer_field_impl(http::field, view, view, beast_error& ec)
{
    ec = {};
}

void response_parser::on_header_impl(beast_error& ec)
{
    ec = {};
}

void response_parser::on_body_init_impl(boost::optional<std::uint64_t> const&, beast_error& ec)
{
    ec = {};
}

std::size_t response_parser::on_body_impl(view body, beast_error& ec)
{
    ec = {};
    piece_ = std::string_view(body.data(), body.size());
    return body.size();
}

void response_parser::on_chunk_header_impl(std::uint64_t, view extensions, beast_error& ec)
{
    after_chunk_ = true; // Not only once its data begins: that may look like a chunk's header
    // Beast lets anything pass between quotes, a bare line feed too
    bool const good = can_become_line(std::string_view(extensions.data(), extensions.size()), true);
    ec = good ? beast_error() : beast_error(http::error::bad_chunk_extension);
}

std::size_t response_parser::on_chunk_body_impl(std::uint64_t, view body, beast_error& ec)
{
    return on_body_impl(body, ec);
}

void response_parser::on_finish_impl(beast_error& ec)
{
    ec = {};
}

} // namespace serin
