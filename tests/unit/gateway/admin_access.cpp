// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "gateway/admin_access.hpp"

#include "catch.hpp"

#include <cstddef>
#include <string>

using serin::http_server_request;
using serin::secret;
using serin::gateway::admin_access;
using serin::gateway::form_value;
using serin::gateway::random_token;
using verdict = serin::gateway::admin_access::verdict;

namespace {

admin_access with_port()
{
    admin_access a(secret("admin-token"), "session-value");
    a.set_port(9000);
    return a;
}

http_server_request request(
    std::string const& host, std::string const& field = {}, std::string const& value = {}, std::string method = "GET")
{
    http_server_request r;
    r.method = std::move(method);
    if (!host.empty())
        r.headers.emplace_back("Host", host);
    if (!field.empty())
        r.headers.emplace_back(field, value);
    return r;
}

constexpr char here[] = "127.0.0.1:9000";

} // namespace

TEST_CASE("admin_access: the token opens, as a bearer token only")
{
    auto const access = with_port();
    CHECK(access.judge(request(here, "Authorization", "Bearer admin-token")) == verdict::allowed);
    CHECK(access.judge(request(here, "Authorization", "Bearer admin-token", "POST")) == verdict::allowed);
    CHECK(access.judge(request(here, "Authorization", "Bearer session-value")) == verdict::unknown);
    CHECK(access.judge(request(here, "Authorization", "Basic admin-token")) == verdict::unknown);
    CHECK(access.judge(request(here, "Cookie", "serin_admin=admin-token")) == verdict::unknown);
    CHECK(access.judge(request(here)) == verdict::unknown);
    CHECK(access.knows("admin-token"));
    CHECK_FALSE(access.knows(""));
    CHECK_FALSE(access.knows("session-value"));
}

TEST_CASE("admin_access: only for names of this machine, and its own port")
{
    auto const access = with_port();
    for (char const* const own : {"127.0.0.1:9000", "127.8.8.8:9000", "localhost:9000", "[::1]:9000"})
    {
        INFO(own);
        CHECK(access.judge(request(own, "Authorization", "Bearer admin-token")) == verdict::allowed);
    }
    for (char const* const other : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:9001", "127.0.0.1:09000",
             "evil.example:9000", "10.0.0.1:9000", "localhost.evil.example:9000", "127.0.0.1.evil.example:9000",
             "0.0.0.0:9000", "[::2]:9000", ":9000", "127.0.0.1:9000:9000", "127.1:9000"})
    {
        INFO(other);
        CHECK(access.judge(request(other, "Authorization", "Bearer admin-token")) == verdict::foreign);
    }
}

TEST_CASE("admin_access: another page is refused, though it has everything else")
{
    auto const access = with_port();
    auto from = request(here, "Authorization", "Bearer admin-token", "POST");
    from.headers.emplace_back("Origin", "http://127.0.0.1:9000");
    CHECK(access.judge(from) == verdict::allowed);
    for (char const* const origin : {"null", "http://127.0.0.1:9001", "https://127.0.0.1:9000", "http://localhost:9000",
             "http://evil.example", "http://127.0.0.1:9000.evil.example"})
    {
        from.headers.back().value = origin;
        CHECK(access.judge(from) == verdict::foreign);
        CHECK_FALSE(access.is_own(from));
    }
}

TEST_CASE("admin_access: the cookie reads; it changes something only from a page that says so")
{
    auto const access = with_port();
    std::string const cookie = "serin_admin=session-value";
    CHECK(access.judge(request(here, "Cookie", cookie)) == verdict::allowed);
    CHECK(access.judge(request(here, "Cookie", cookie, "HEAD")) == verdict::allowed);
    for (char const* const method : {"POST", "PUT", "DELETE", "get"})
        CHECK(access.judge(request(here, "Cookie", cookie, method)) == verdict::foreign);
    auto post = request(here, "Cookie", cookie, "POST");
    post.headers.emplace_back("Origin", "http://127.0.0.1:9000");
    CHECK(access.judge(post) == verdict::allowed);
}

TEST_CASE("admin_access: the cookie among others")
{
    auto const access = with_port();
    for (char const* const fits : {"a=b; serin_admin=session-value", "serin_admin=session-value;a=b",
             "serin_admin=wrong; serin_admin=session-value", ";; ;serin_admin=session-value;"})
        CHECK(access.judge(request(here, "Cookie", fits)) == verdict::allowed);
    for (char const* const other : {"", ";", "=", "serin_admin", "serin_admin=", "xserin_admin=session-value",
             "serin_admin=session-value2", "serin_admin=session-valu", "a=serin_admin=session-value", "session-value"})
        CHECK(access.judge(request(here, "Cookie", other)) == verdict::unknown);
}

TEST_CASE("admin_access: the cookie is for this page and no script")
{
    std::string const field = with_port().set_cookie();
    CHECK(field.starts_with("serin_admin=session-value; "));
    CHECK_THAT(field, ContainsSubstring("HttpOnly"));
    CHECK_THAT(field, ContainsSubstring("SameSite=Strict"));
}

TEST_CASE("form_value: the first member of that name, decoded")
{
    CHECK(form_value("token=abc", "token") == "abc");
    CHECK(form_value("a=1&token=a%2Db+c&token=2", "token") == "a-b c");
    CHECK(form_value("token=a=b", "token") == "a=b");
    CHECK(form_value("token=%4a%4A", "token") == "JJ");
    CHECK(form_value("xtoken=1&&token&token=", "token").empty());
    CHECK(form_value("", "token").empty());
    CHECK(form_value("&", "token").empty());
}

TEST_CASE("form_value: what is no proper escape stays as it is")
{
    CHECK(form_value("token=100%", "token") == "100%");
    CHECK(form_value("token=%2", "token") == "%2");
    CHECK(form_value("token=%2g%g2", "token") == "%2g%g2");
    CHECK(form_value("token=%%41", "token") == "%A");
    CHECK(form_value("token=%00x", "token") == std::string("\0x", 2));
}

TEST_CASE("random_token: 64 hexadecimal digits, never the same")
{
    std::string const a = random_token();
    CHECK(a.size() == 64);
    CHECK(a.find_first_not_of("0123456789abcdef") == std::string::npos);
    CHECK(a != random_token());
}
