// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "output.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

#include <poll.h>
#include <unistd.h>

namespace serin::tools {

std::string for_terminal(std::string_view text)
{
    constexpr std::string_view replacement = "\xEF\xBF\xBD";
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i)
    {
        auto const byte = static_cast<unsigned char>(text[i]);
        // U+0080 to U+009F are control characters of two bytes; a terminal may take U+009B for ESC [.
        bool const c1 = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
        if (c1)
            ++i;
        if (c1 || byte == 0x7f || (byte < 0x20 && byte != '\n' && byte != '\t' && byte != '\r'))
            out += replacement;
        else if (byte != '\r')
            out += text[i];
    }
    return out;
}

std::string one_line(std::string_view text)
{
    std::string line = for_terminal(text);
    std::replace(line.begin(), line.end(), '\n', ' ');
    std::replace(line.begin(), line.end(), '\t', ' ');
    return line;
}

output::output(int fd) : fd_(fd), terminal_(::isatty(fd) == 1), colours_(terminal_)
{
    // As https://no-color.org has it
    char const* const no_color = std::getenv("NO_COLOR");
    char const* const terminal = std::getenv("TERM");
    if ((no_color && *no_color) || (terminal && std::string_view(terminal) == "dumb"))
        colours_ = false;
}

std::string output::styled(style how, std::string_view text) const
{
    if (!colours_)
        return std::string(text);
    char const* begin = "";
    switch (how)
    {
    case style::bold: begin = "\x1b[1m"; break;
    case style::faint: begin = "\x1b[2m"; break;
    case style::error: begin = "\x1b[31m"; break;
    }
    return begin + std::string(text) + "\x1b[0m";
}

void output::write(std::string_view bytes)
{
    while (!bytes.empty() && error_ == 0)
    {
        auto const written = ::write(fd_, bytes.data(), bytes.size());
        if (written >= 0)
        {
            bytes.remove_prefix(static_cast<std::size_t>(written));
        }
        else if (errno == EAGAIN)
        {
            // Somebody else who has the same pipe open may have made it non-blocking.
            ::pollfd wait{fd_, POLLOUT, 0};
            ::poll(&wait, 1, -1);
        }
        else if (errno != EINTR)
        {
            error_ = errno;
        }
    }
}

void output::write_foreign(std::string_view text)
{
    if (terminal_)
        write(for_terminal(text));
    else
        write(text);
}

} // namespace serin::tools
