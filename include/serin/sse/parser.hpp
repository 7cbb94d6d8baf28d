// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SSE_PARSER_HPP
#define SERIN_SSE_PARSER_HPP

#include <serin/core/error.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace serin {

/// How much of an event stream @ref sse_parser is willing to hold.
struct sse_limits
{
    /// The longest line, in bytes without its line end. Comments count. Default 32 MiB.
    std::size_t max_line = std::size_t(32) << 20;

    /// The largest event: all its lines together, in bytes without line ends and comments. Default 32 MiB.
    std::size_t max_event = std::size_t(32) << 20;
};

/// One event of a stream. All text is valid UTF-8 (invalid bytes were replaced by U+FFFD) and may hold NUL.
/// The views are valid until the next @ref sse_parser::put, and as long as the bytes that were put.
struct sse_event
{
    /// The value of the `event` field; "message" if there was none or an empty one.
    std::string_view type = "message";

    /// The values of the `data` fields, joined by LF.
    std::string_view data;

    /// The last event id: the value of the latest `id` field of this event or an earlier one, empty if there was none.
    std::string_view id;

    /// The value of the event's latest valid `retry` field. A number too large for the type is `milliseconds::max()`.
    std::optional<std::chrono::milliseconds> retry;

    /// False for a last event whose blank line is missing: the stream may have been cut in the middle of it.
    bool complete = true;
};

/// Reads an event stream (`text/event-stream`) as the WHATWG HTML standard defines it, from pieces of any size.
///
/// @code
/// error_code ec = parser.put(bytes);
/// while (auto event = parser.next())
///     use(*event);
/// @endcode
///
/// An event that lies whole in one piece is neither copied nor is memory allocated for it: its views point into the
/// bytes that were put. Those bytes must stay in place until @ref next has returned nothing; when they are
/// overwritten after that, the views of events taken from them end. Work is linear in the input, and memory is
/// bounded by the limits, whatever the server sends.
///
/// Distinct objects may be used from distinct threads. Neither copyable nor movable: it holds views of itself.
class sse_parser
{
public:
    /// A parser at the start of a stream.
    explicit sse_parser(sse_limits limits = {}) noexcept : limits_(limits) {}

    sse_parser(sse_parser const&) = delete;
    sse_parser& operator=(sse_parser const&) = delete;

    /// Gives the parser the next piece of the stream and ends the life of all views it handed out. Nothing is parsed
    /// yet: @ref next does that. Call it when `next` has returned nothing. If it is called earlier, no event is
    /// lost: what was not taken is copied and read first. The earlier bytes must still be there for that.
    ///
    /// Errors: `errc::response_too_large` if a line or an event exceeds the limits, or if more than `max_line +
    /// max_event` bytes (64 KiB at least) would have to be kept because nobody took the events. It stays: every later
    /// `put` fails too. The events that are complete before the excess can still be taken.
    /// `errc::invalid_argument` after @ref finish.
    error_code put(std::string_view bytes);

    /// The same for a temporary string, which the parser keeps as long as it needs the bytes.
    template <std::same_as<std::string> String>
    error_code put(String&& bytes)
    {
        return put_owned(std::move(bytes));
    }

    /// The next event, or nothing if more input is needed first or the stream is over.
    std::optional<sse_event> next()
    {
        if (pos_ == input_.size() && !finished_)
            return std::nullopt;
        return parse();
    }

    /// Tells the parser that the stream is over. If it ends within an event that has data, @ref next yields that
    /// event last, with `complete` false; a last line counts even without its line end. After a failed @ref put
    /// there is no such event.
    void finish() noexcept { finished_ = true; }

    /// How many comment lines @ref next has passed so far: a sign of life from a server that has no event to send.
    std::uint64_t comments() const noexcept { return comments_; }

    /// How many bytes are in the parser's own memory and have not come out in an event yet: those of an event that
    /// has begun, and those that were put again before they were taken.
    std::size_t buffered() const noexcept;

private:
    // A vector, since its bytes stay where they are when it is moved.
    using buffer = std::vector<char>;

    // Where some position of the input lies within its line and its event, for the limits.
    struct extent
    {
        std::size_t line = 0;  // bytes of the line so far
        std::size_t event = 0; // bytes of the event's lines before this one
        bool comment = false;  // the line is a comment; meaningful if line > 0
        bool after_cr = false; // a LF here belongs to the line end before it
    };

    error_code put_owned(std::string&& bytes);
    void set_input(std::string_view bytes);
    void append_input(std::string_view bytes);
    error_code check_limits();
    std::size_t first_excess(std::string_view bytes) noexcept;

    std::optional<sse_event> parse();
    void hold_line(std::string_view part);
    void end_held_line(std::string_view part);
    void take_line(std::string_view line);
    buffer* take_field(std::string_view line);
    void add_data(std::string_view value);
    bool end_event(bool complete, std::optional<sse_event>& out);
    void settle();

    void append(buffer& to, std::string_view bytes);
    void keep(std::string_view& view, buffer& own);
    void lend(buffer& b);
    std::string_view valid_text(std::string_view view);
    void reuse(buffer& b);
    void recycle();

    sse_limits limits_;

    // The input, of which next() has read pos_ bytes. It lies with the caller, or in backlog_.
    std::string_view input_;
    std::size_t pos_ = 0;
    std::string backlog_;
    bool in_backlog_ = false;
    std::size_t unmeasured_ = 0; // so many bytes at the end of input_ have not been held against the limits
    extent measured_;            // where they begin

    // The state at pos_.
    std::uint8_t bom_ = 0; // bytes of a byte order mark seen; 3: past the start
    extent at_;
    bool finished_ = false;
    bool failed_ = false;
    std::uint64_t comments_ = 0;

    // The line that began in an earlier piece.
    buffer line_;

    // The fields of the event. A view points into the input if its buffer is empty, and else to the end of it.
    bool has_data_ = false;
    std::string_view data_;
    std::string_view type_;
    std::string_view id_;
    std::optional<std::chrono::milliseconds> retry_;
    buffer data_own_;
    buffer type_own_;
    buffer id_own_;

    // Buffers that events handed out point into, and buffers to be used again.
    std::vector<buffer> lent_;
    std::vector<buffer> spare_;
};

} // namespace serin

#endif
