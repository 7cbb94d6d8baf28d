// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/observe/stderr_logger.hpp>

#include "catch.hpp"

#include <unistd.h>

#include <cstdio>
#include <regex>
#include <string>

using serin::log_level;

namespace {

// What `write` has written to stderr.
template <class Write>
std::string stderr_of(Write write)
{
    std::FILE* const file = std::tmpfile();
    REQUIRE(file);
    std::fflush(stderr);
    int const saved = ::dup(2);
    ::dup2(::fileno(file), 2);
    write();
    std::fflush(stderr);
    ::dup2(saved, 2);
    ::close(saved);
    std::rewind(file);
    std::string text;
    for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file))
        text += static_cast<char>(c);
    std::fclose(file);
    return text;
}

} // namespace

TEST_CASE("stderr_logger: a line has the time, the level and the text")
{
    auto const text = stderr_of([] { serin::stderr_logger()(log_level::warning, "a key is resting"); });
    CHECK(std::regex_match(text, std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning a key is resting\n)")));
}

TEST_CASE("stderr_logger: less important lines are left out")
{
    auto const text = stderr_of([] {
        auto const log = serin::stderr_logger(log_level::warning);
        log(log_level::info, "x");
        log(log_level::debug, "x");
    });
    CHECK(text.empty());
}
