// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CHAT_JSON_WRITER_HPP
#define SERIN_SRC_CHAT_JSON_WRITER_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace serin {

/// Appends JSON to a string, through a buffer of its own: a small piece costs a copy and a comparison. The string
/// is complete after @ref finish.
class json_writer
{
    static constexpr std::size_t buffer_size = 1024;

    std::string& out_;
    char* at_;
    char buffer_[buffer_size];

    void flush();
    char* flushed(char* to);
    void escape(std::string_view text, bool& ascii);
    void put_large(std::string_view json);
    void take_back(std::size_t to) noexcept;
    std::size_t written() const noexcept { return out_.size() + static_cast<std::size_t>(at_ - buffer_); }

public:
    /// `expected` is a guess at how much will be written.
    json_writer(std::string& out, std::size_t expected);

    json_writer(json_writer const&) = delete;
    json_writer& operator=(json_writer const&) = delete;

    /// Makes room for that many bytes, half of the buffer at most, and returns where they begin; @ref put_to says how
    /// many were written.
    char* room(std::size_t needed)
    {
        if (static_cast<std::size_t>(buffer_ + buffer_size - at_) < needed)
            flush();
        return at_;
    }

    /// Ends what was begun with @ref room.
    void put_to(char* end) noexcept { at_ = end; }

    /// Appends text as it is: punctuation, and JSON that was checked before.
    void raw(std::string_view json)
    {
        if (json.size() > buffer_size / 2)
        {
            put_large(json);
            return;
        }
        room(json.size());
        if (!json.empty())
            std::memcpy(at_, json.data(), json.size());
        at_ += json.size();
    }

    /// Appends one character as it is.
    void raw(char c)
    {
        room(1);
        *at_++ = c;
    }

    /// Appends a string in quotes. Invalid UTF-8 becomes U+FFFD.
    void string(std::string_view text);

    /// Appends a number.
    void number(std::int64_t value);

    /// Appends a number, which must be finite, in the shortest form that reads back the same.
    void number(double value);

    /// Appends true or false.
    void boolean(bool value) { raw(value ? std::string_view("true") : std::string_view("false")); }

    /// Appends what is still in the buffer.
    void finish() { flush(); }
};

} // namespace serin

#endif
