// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_HTTP_RESPONSE_PARSER_HPP
#define SERIN_SRC_HTTP_RESPONSE_PARSER_HPP

#include "field_block.hpp"

#include <serin/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace serin {

// Parses one HTTP/1 response, step by step, out of bytes that the caller holds. What RFC 9112 calls an error is one as
// soon as its bytes are there, and so is a line end without a CR. Takes whole lines, so that what it was given and did
// not use must be given to it again with more behind it. Work is linear in the bytes, however they are cut.
class response_parser
{
public:
    enum class step
    {
        need_more, // Everything there is was used, but for a line that has not ended.
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
    void limit_body(std::uint64_t bytes) noexcept { body_limit_ = bytes; }

    bool got_anything() const noexcept { return got_anything_; }
    bool has_head() const noexcept { return head_reported_; }
    bool complete() const noexcept { return state_ == state::complete; }
    int status() const noexcept { return status_; }

    // Whether another response may follow. Not after a chunked one in HTTP/1.0, whose framing nobody can trust.
    bool keeps_alive() const noexcept;

    // The announced length of the body, if one was announced.
    std::optional<std::uint64_t> announced_length() const noexcept { return length_; }

private:
    enum class state : std::uint8_t
    {
        status_line,
        fields,
        body_of_length,
        body_to_close,
        chunk_header, // With the line end behind the data of the chunk before.
        chunk_data,
        trailer,
        complete,
    };

    // What was made of a line.
    enum class line
    {
        taken,
        incomplete,
        malformed,
        too_large,
    };

    line take_status_line(std::string_view bytes, std::size_t& used);
    line take_field(std::string_view bytes, std::size_t& used);
    line take_chunk_header(std::string_view bytes, std::size_t& used);
    line find_line_end(std::string_view bytes, std::size_t& end);
    bool add_field(std::string_view text, std::size_t name_size);
    bool set_length(std::string_view value);
    void note_connection(std::string_view value) noexcept;
    void end_head() noexcept;
    step take_body(std::string_view bytes, std::size_t& used, error_code& ec);

    field_block& fields_;
    std::size_t head_limit_;
    std::size_t head_size_ = 0; // Of the head, of a chunk's header, or of the last one with the trailer
    std::size_t scanned_ = 0;   // So many bytes of the line that has begun were looked at.
    std::size_t prefix_ = 0;    // So many of them can be a field's name, or a chunk's size.
    std::string_view piece_;
    std::optional<std::uint64_t> length_;
    std::uint64_t left_ = 0; // Of the body, or of the chunk
    std::uint64_t body_limit_;
    int status_ = 0;
    state state_ = state::status_line;
    bool got_anything_ = false;
    bool head_reported_ = false;
    bool is_http_1_0_ = false;
    bool chunked_ = false;
    bool after_chunk_ = false; // A line end comes before the chunk's header.
    bool folded_ = false;      // The line goes on in the next one.
    bool says_close_ = false;
    bool says_keep_alive_ = false;
    bool ends_with_close_ = false;
};

} // namespace serin

#endif
