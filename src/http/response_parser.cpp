// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "response_parser.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>

namespace serin {
namespace {

namespace http = boost::beast::http;

bool has_bare_lf(std::string_view bytes) noexcept
{
    for (auto at = bytes.find('\n'); at != std::string_view::npos; at = bytes.find('\n', at + 1))
        if (at == 0 || bytes[at - 1] != '\r')
            return true;
    return false;
}

// Whether bytes that Beast waits to complete can become the first line of a chunk.
bool can_start_chunk(std::string_view line) noexcept
{
    if (line.substr(0, 2) == "\r\n")
        line.remove_prefix(2);  // The end of the chunk before
    if (line.empty() || line == "\r")
        return true;
    char const c = line.front();
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

}  // namespace

void field_block::clear() noexcept
{
    text_.clear();
    entries_.clear();
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
        all.emplace_back(
            text_.substr(e.name_begin, e.value_begin - e.name_begin), text_.substr(e.value_begin, e.value_end - e.value_begin));
    return all;
}

response_parser::response_parser(std::size_t head_limit, field_block& fields) : fields_(fields), head_limit_(head_limit)
{
    fields_.clear();
    eager(false);  // One step a call: the caller takes the body piece by piece
    base::body_limit(boost::none);
    header_limit(static_cast<std::uint32_t>(head_limit));
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
        beast_error bec;
        std::size_t const n = put(asio::buffer(rest.data(), rest.size()), bec);
        used += n;
        if (in_head)
        {
            head_size_ += n;
            if (head_size_ > head_limit_)
                return fail(ec, errc::response_too_large);
        }
        if (bec == http::error::need_more)
        {
            // The unused bytes are part of a head, of a chunk's first line or of a trailer: lines that end in CRLF.
            std::string_view const line = bytes.substr(used);
            if (has_bare_lf(line) || (!in_head && !can_start_chunk(line)))
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
    if (!got_some())
        return errc::connection_lost;
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

void response_parser::on_response_impl(int code, view, int, beast_error& ec)
{
    status_ = code;
    ec = code < 100 ? beast_error(http::error::bad_status) : beast_error();
}

void response_parser::on_field_impl(http::field name_id, view name, view value, beast_error& ec)
{
    ec = {};
    if (head_reported_)
    {
        // A trailer field: of no use here, but it must not cost memory either.
        trailer_size_ += name.size() + value.size();
        if (trailer_size_ > head_limit_)
            ec = http::error::header_limit;
        return;
    }
    if (name_id == http::field::transfer_encoding && !header_names_equal(std::string_view(value.data(), value.size()), "chunked"))
    {
        ec = http::error::bad_transfer_encoding;  // No coding but chunked was offered
        return;
    }
    fields_.add(std::string_view(name.data(), name.size()), std::string_view(value.data(), value.size()));
}

void response_parser::on_trailer_field_impl(http::field, view name, view value, beast_error& ec)
{
    trailer_size_ += name.size() + value.size();
    ec = trailer_size_ > head_limit_ ? beast_error(http::error::header_limit) : beast_error();
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

void response_parser::on_chunk_header_impl(std::uint64_t, view, beast_error& ec)
{
    ec = {};
}

std::size_t response_parser::on_chunk_body_impl(std::uint64_t, view body, beast_error& ec)
{
    return on_body_impl(body, ec);
}

void response_parser::on_finish_impl(beast_error& ec)
{
    ec = {};
}

}  // namespace serin
