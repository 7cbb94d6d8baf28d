// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../tools/serin/exit_status.hpp"

#include "catch.hpp"
#include "source_file.hpp"

#include <boost/asio/error.hpp>

#include <fstream>
#include <map>
#include <set>
#include <string>

using serin::errc;
using serin::error_code;
using serin::tools::exit_status;
using serin::tools::exit_status_of;

namespace {

constexpr int last_errc = static_cast<int>(errc::memory_limit);

// The causes of each status, as the documentation has them.
std::map<int, std::set<std::string>> documented()
{
    std::ifstream file(source_file("docs/exit-statuses.md"));
    REQUIRE(file);
    std::map<int, std::set<std::string>> table;
    for (std::string line; std::getline(file, line);)
    {
        if (line.size() < 3 || line[0] != '|' || line[2] < '0' || line[2] > '9')
            continue;
        auto& causes = table[std::stoi(line.substr(2))];
        for (auto start = line.find('`'); start != std::string::npos; start = line.find('`', start))
        {
            auto const end = line.find('`', start + 1);
            REQUIRE(end != std::string::npos);
            CHECK(causes.insert(line.substr(start + 1, end - start - 1)).second);
            start = end + 1;
        }
    }
    return table;
}

} // namespace

TEST_CASE("exit_status: the documentation says of every cause what the program does")
{
    std::map<int, std::set<std::string>> expected;
    for (auto status :
        {exit_status::answered, exit_status::failed, exit_status::usage, exit_status::refused, exit_status::unavailable,
            exit_status::network, exit_status::deadline, exit_status::broken, exit_status::interrupted})
        expected[static_cast<int>(status)];
    for (int value = 1; value <= last_errc; ++value)
    {
        auto const cause = static_cast<errc>(value);
        auto const status = static_cast<int>(exit_status_of(cause));
        REQUIRE(expected.count(status) == 1);
        CHECK(status >= 2);
        CHECK(status <= 7);
        expected[status].insert(std::string(errc_name(cause)));
    }
    error_code const aborted = boost::asio::error::operation_aborted;
    expected[static_cast<int>(exit_status_of(aborted))].insert(std::string(serin::kind_name(aborted)));
    CHECK(documented() == expected);
}

TEST_CASE("exit_status: a cause and its error code give the same")
{
    for (int value = 1; value <= last_errc; ++value)
        CHECK(exit_status_of(error_code(static_cast<errc>(value))) == exit_status_of(static_cast<errc>(value)));
    CHECK(exit_status_of(error_code()) == exit_status::answered);
    CHECK(exit_status_of(boost::asio::error::operation_aborted) == exit_status::interrupted);
    CHECK(exit_status_of(boost::asio::error::connection_reset) == exit_status::network);
    CHECK(exit_status_of(static_cast<errc>(last_errc + 1)) == exit_status::broken);
}

TEST_CASE("exit_status: those that scripts rely on")
{
    CHECK(static_cast<int>(exit_status_of(errc::insecure_transport)) == 2);
    CHECK(static_cast<int>(exit_status_of(errc::authentication)) == 3);
    CHECK(static_cast<int>(exit_status_of(errc::redirected)) == 3);
    CHECK(static_cast<int>(exit_status_of(errc::refused)) == 3);
    CHECK(static_cast<int>(exit_status_of(errc::rate_limited)) == 4);
    CHECK(static_cast<int>(exit_status_of(errc::conflict)) == 4);
    CHECK(static_cast<int>(exit_status_of(errc::tls_failed)) == 5);
    CHECK(static_cast<int>(exit_status_of(errc::token_idle_timeout)) == 6);
    CHECK(static_cast<int>(exit_status_of(errc::stream_truncated)) == 7);
    CHECK(static_cast<int>(exit_status_of(errc::length_limited)) == 7);
    CHECK(static_cast<int>(exit_status::interrupted) == 130);
}
