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

/// Appends JSON to a string, in place: the string is as long as there is room in it until @ref finish gives it its
/// size, and not to be looked at before.
class json_writer
{
    std::string& out_;
    char* at_;
    char* end_;

    void grow(std::size_t needed);
    void escape(std::string_view text);
    void escape_valid(std::string_view text, bool& ascii);

public:
    /// `expected` is a guess at how much will be written.
    json_writer(std::string& out, std::size_t expected);

    json_writer(json_writer const&) = delete;
    json_writer& operator=(json_writer const&) = delete;

    /// Makes room for that many bytes and returns where they begin; @ref put_to says how many were written.
    char* room(std::size_t needed)
    {
        if (static_cast<std::size_t>(end_ - at_) < needed)
            grow(needed);
        return at_;
    }

    /// Ends what was begun with @ref room.
    void put_to(char* end) noexcept { at_ = end; }

    /// Appends text as it is: punctuation, and JSON that was checked before.
    void raw(std::string_view json)
    {
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
    void string(std::string_view text) { escape(text); }

    /// Appends a number.
    void number(std::int64_t value);

    /// Appends a number, which must be finite, in the shortest form that reads back the same.
    void number(double value);

    /// Appends true or false.
    void boolean(bool value) { raw(value ? std::string_view("true") : std::string_view("false")); }

    /// Gives the string its size. Nothing can be appended afterwards.
    void finish() { out_.resize(static_cast<std::size_t>(at_ - out_.data())); }
};

} // namespace serin

#endif
