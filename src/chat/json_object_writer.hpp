// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CHAT_JSON_OBJECT_WRITER_HPP
#define SERIN_SRC_CHAT_JSON_OBJECT_WRITER_HPP

#include "json_writer.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace serin {

/// Writes an object whose members may be replaced by those of an "extra" text, which was checked before.
class json_object_writer
{
    json_writer& out_;
    std::string_view extra_;
    std::vector<std::string> replaced_;
    bool first_ = true;

    void read_extra();
    void write_extra();

public:
    json_object_writer(json_writer& out, std::string_view extra) : json_object_writer(out, extra, opened())
    {
        out_.raw('{');
    }

    /// Goes on after an opening brace that somebody else writes, with the members that he writes after it.
    struct opened
    {};
    json_object_writer(json_writer& out, std::string_view extra, opened) : out_(out), extra_(extra)
    {
        if (!extra_.empty())
            read_extra();
    }

    /// Whether the member is to be written; if so, its key has been.
    template <std::size_t N>
    bool key(char const (&name)[N])
    {
        if (!replaced_.empty() && std::find(replaced_.begin(), replaced_.end(), name) != replaced_.end())
            return false;
        char* to = out_.room(N + 3);
        if (!first_)
            *to++ = ',';
        first_ = false;
        *to++ = '"';
        std::memcpy(to, name, N - 1);
        to += N - 1;
        *to++ = '"';
        *to++ = ':';
        out_.put_to(to);
        return true;
    }

    template <std::size_t N>
    void string(char const (&name)[N], std::string_view value)
    {
        if (key(name))
            out_.string(value);
    }

    template <std::size_t N>
    void string_unless_empty(char const (&name)[N], std::string_view value)
    {
        if (!value.empty())
            string(name, value);
    }

    template <std::size_t N>
    void strings_unless_empty(char const (&name)[N], std::vector<std::string> const& values)
    {
        if (values.empty() || !key(name))
            return;
        char separator = '[';
        for (std::string const& value : values)
        {
            out_.raw(separator);
            out_.string(value);
            separator = ',';
        }
        out_.raw(']');
    }

    template <std::size_t N>
    void optional(char const (&name)[N], std::optional<std::string> const& value)
    {
        if (value)
            string(name, *value);
    }

    template <std::size_t N>
    void optional(char const (&name)[N], std::optional<bool> value)
    {
        if (value && key(name))
            out_.boolean(*value);
    }

    template <std::size_t N, class Number>
    void optional(char const (&name)[N], std::optional<Number> value)
    {
        if (value && key(name))
            out_.number(*value);
    }

    /// JSON that was checked.
    template <std::size_t N>
    void json_unless_empty(char const (&name)[N], std::string_view json)
    {
        if (!json.empty() && key(name))
            out_.raw(json);
    }

    /// Writes the members of the extra text and the closing brace.
    void close()
    {
        if (!extra_.empty())
            write_extra();
        out_.raw('}');
    }
};

} // namespace serin

#endif
