// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../tools/serin/output.hpp"

#include "catch.hpp"

#include <cerrno>
#include <string>
#include <string_view>

#include <signal.h>
#include <unistd.h>

using serin::tools::for_terminal;
using serin::tools::one_line;
using serin::tools::output;

TEST_CASE("output: what controls a terminal is replaced, everything else stays")
{
    CHECK(for_terminal("plain text\n\twith a tab") == "plain text\n\twith a tab");
    CHECK(for_terminal("a\x1b[2Jb") == "a\uFFFD[2Jb");
    CHECK(for_terminal(std::string_view("\0\a\b\v\f\x7f", 6)) == "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD");
    CHECK(for_terminal("line\r\nline") == "line\nline");
    // U+009B is ESC [ in one character; U+00A0 and others that begin with the same byte are text.
    CHECK(for_terminal("a\u009bb\u0080\u009f") == "a\uFFFDb\uFFFD\uFFFD");
    CHECK(for_terminal("\u00a0\u00e4\u20ac\U0001F600") == "\u00a0\u00e4\u20ac\U0001F600");
    CHECK(for_terminal("") == "");
}

TEST_CASE("output: a line has no line end")
{
    CHECK(one_line("a\nb\tc\r\nd") == "a b c d");
}

TEST_CASE("output: what others wrote reaches a file as it is")
{
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    output out(ends[1]);
    CHECK_FALSE(out.is_terminal());
    out.write_foreign("a\x1b[2J\r\n");
    CHECK(out.error() == 0);
    char buffer[32];
    auto const size = ::read(ends[0], buffer, sizeof buffer);
    REQUIRE(size > 0);
    CHECK(std::string(buffer, static_cast<std::size_t>(size)) == "a\x1b[2J\r\n");
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_CASE("output: the first failure is kept, and nothing more is written")
{
    auto* const before = ::signal(SIGPIPE, SIG_IGN);
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    ::close(ends[0]);
    output out(ends[1]);
    out.write("");
    CHECK(out.error() == 0);
    out.write("nobody reads this");
    CHECK(out.error() == EPIPE);
    ::close(ends[1]);
    out.write("nor this");
    CHECK(out.error() == EPIPE);
    ::signal(SIGPIPE, before);
}
