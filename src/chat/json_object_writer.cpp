// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "json_object_writer.hpp"

#include "json_reader.hpp"

namespace serin {
namespace {

// What stands between the braces of a checked JSON object; empty if only blanks do.
std::string_view inside_braces(std::string_view object) noexcept
{
    auto const open = object.find('{');
    auto const close = object.rfind('}');
    std::string_view const inside = object.substr(open + 1, close - open - 1);
    return inside.find_first_not_of(" \t\r\n") == std::string_view::npos ? std::string_view() : inside;
}

} // namespace

void json_object_writer::read_extra()
{
    json_reader reader;
    json_value object;
    if (reader.parse_exact(extra_, object)) // It was checked before.
        for (json_member const field : object.members())
            replaced_.emplace_back(field.key);
}

void json_object_writer::write_extra()
{
    std::string_view const members = inside_braces(extra_);
    if (!members.empty() && !first_)
        out_.raw(',');
    out_.raw(members);
}

} // namespace serin
