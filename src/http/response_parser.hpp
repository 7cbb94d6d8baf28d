// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_HTTP_RESPONSE_PARSER_HPP
#define SERIN_SRC_HTTP_RESPONSE_PARSER_HPP

#include <serin/core/error.hpp>
#include <serin/core/headers.hpp>

#include <boost/beast/http/basic_parser.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace serin {

// Header fields in one block of memory that is used again for the next response.
class field_block
{
public:
    void clear() noexcept;
    void add(std::string_view name, std::string_view value);

    // Clears it, and gives back memory if it holds more than `bytes`.
    void shrink(std::size_t bytes);

    // The value of the first field of that name, or an empty view; valid until the next add or clear.
    std::string_view find(std::string_view name) const noexcept;

    headers to_headers() const;

private:
    struct entry
    {
        std::size_t name_begin;
        std::size_t value_begin;
        std::size_t value_end;
    };

    std::string text_;
    std::vector<entry> entries_;
};

// Parses one HTTP/1 response, step by step, out of bytes that the caller holds. What RFC 9112 calls an error is
// one as soon as its bytes are there. On top of Beast's parser, which looks at nothing more until the head is complete
// once it saw a part of a line, takes heads of any length in small pieces, and lets unknown transfer codings pass.
class response_parser : private boost::beast::http::basic_parser<false>
{
public:
    enum class step
    {
        need_more, // Everything there is was used.
        head,      // Status and fields are complete.
        body,      // piece() holds bytes of the body.
        end,       // The response is complete.
        failed,
    };

    response_parser(std::size_t head_limit, field_block& fields);

    // Takes one step. Stores how many of `bytes` were used and, for step::failed, why.
    step advance(std::string_view bytes, std::size_t& used, error_code& ec);

    // The connection was closed. An error unless the response is complete or its body is delimited by the close.
    error_code finish();

    // The part of the body that the last step found. Points into the bytes given to it.
    std::string_view piece() const noexcept { return piece_; }

    // Fails with errc::response_too_large when the rest of the body is longer than that.
    void limit_body(std::size_t bytes) { body_limit(bytes); }

    bool got_anything() const noexcept { return got_anything_; }
    bool has_head() const noexcept { return is_header_done(); }
    bool complete() const noexcept { return is_done(); }
    int status() const noexcept { return status_; }

    // Whether another response may follow. Not after a chunked one in HTTP/1.0, whose framing nobody can trust.
    bool keeps_alive() const { return is_header_done() && keep_alive() && !(is_http_1_0_ && chunked()); }

    // The announced length of the body, if one was announced.
    std::optional<std::uint64_t> announced_length() const;

private:
    using base = boost::beast::http::basic_parser<false>;
    using view = boost::beast::string_view;
    using beast_error = boost::beast::error_code;

    step fail(error_code& ec, errc why) const noexcept;

    // Overrides of basic_parser. Not marked as such: the set differs between versions of Boost.
    void on_request_impl(boost::beast::http::verb, view, view, int, beast_error&);
    void on_response_impl(int code, view reason, int version, beast_error& ec);
    void on_field_impl(boost::beast::http::field, view name, view value, beast_error& ec);
    void on_trailer_field_impl(boost::beast::http::field, view, view, beast_error& ec);
    void on_header_impl(beast_error& ec);
    void on_body_init_impl(boost::optional<std::uint64_t> const&, beast_error& ec);
    std::size_t on_body_impl(view body, beast_error& ec);
    void on_chunk_header_impl(std::uint64_t, view extensions, beast_error& ec);
    std::size_t on_chunk_body_impl(std::uint64_t, view body, beast_error& ec);
    void on_finish_impl(beast_error& ec);

    field_block& fields_;
    std::size_t head_limit_;
    std::size_t head_size_ = 0;
    std::string_view piece_;
    int status_ = 0;
    bool got_anything_ = false;
    bool head_reported_ = false;
    bool is_http_1_0_ = false;
    bool after_chunk_ = false; // Past a chunk's header: the line end after its data belongs to the next header.
};

} // namespace serin

#endif
