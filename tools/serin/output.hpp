// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TOOLS_SERIN_OUTPUT_HPP
#define SERIN_TOOLS_SERIN_OUTPUT_HPP

#include <string>
#include <string_view>

namespace serin::tools {

// `text` without what could control a terminal: of the control characters only line feed and tabulator stay, a
// carriage return vanishes, the others become U+FFFD. The text must be UTF-8.
std::string for_terminal(std::string_view text);

// The same on one line.
std::string one_line(std::string_view text);

// How a text looks on a terminal.
enum class style
{
    bold,
    faint,
    error,
};

// Writes to a file descriptor at once. After a failure it writes no more.
class output
{
    int fd_;
    bool terminal_;
    bool colours_;
    int error_ = 0;

public:
    explicit output(int fd);

    bool is_terminal() const noexcept { return terminal_; }

    // The text so styled; as it is if this is no terminal, if NO_COLOR is set, or if the terminal is a dumb one.
    std::string styled(style how, std::string_view text) const;

    // The errno of the first failure, or 0. EPIPE: the reader has gone.
    int error() const noexcept { return error_; }

    // Writes exactly these bytes.
    void write(std::string_view bytes);

    // Writes a text that others have written: made harmless if it goes to a terminal.
    void write_foreign(std::string_view text);
};

} // namespace serin::tools

#endif
