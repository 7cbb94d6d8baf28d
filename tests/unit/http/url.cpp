// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/http/url.hpp"

#include "catch.hpp"

#include <string>
#include <string_view>

using serin::errc;
using serin::origin;
using serin::parse_base_url;

namespace {

origin parse(std::string_view url)
{
    origin o;
    std::string why;
    INFO(url);
    REQUIRE_FALSE(parse_base_url(url, o, why));
    return o;
}

std::string refusal(std::string_view url)
{
    origin o;
    std::string why;
    CHECK(parse_base_url(url, o, why) == errc::invalid_url);
    return why;
}

} // namespace

TEST_CASE("url: a base URL is taken apart")
{
    origin const o = parse("https://api.example.com/v1");
    CHECK(o.tls);
    CHECK(o.host == "api.example.com");
    CHECK_FALSE(o.is_ip);
    CHECK(o.port == 443);
    CHECK(o.host_header == "api.example.com");
    CHECK(o.path == "/v1");
}

TEST_CASE("url: http and ports")
{
    origin const plain = parse("http://localhost/v1");
    CHECK_FALSE(plain.tls);
    CHECK(plain.port == 80);
    CHECK(plain.host_header == "localhost");

    origin const other = parse("http://localhost:8080/v1");
    CHECK(other.port == 8080);
    CHECK(other.host_header == "localhost:8080");

    // The scheme's own port is not repeated in the Host field.
    CHECK(parse("https://a.example:443").host_header == "a.example");
    CHECK(parse("http://a.example:443").host_header == "a.example:443");
    CHECK(parse("https://a.example:/v1").port == 443);
    CHECK(parse("https://a.example:65535").port == 65535);
}

TEST_CASE("url: the path loses its last slashes")
{
    CHECK(parse("https://a.example").path.empty());
    CHECK(parse("https://a.example/").path.empty());
    CHECK(parse("https://a.example/v1/").path == "/v1");
    CHECK(parse("https://a.example/v1//").path == "/v1");
    CHECK(parse("https://a.example/openai/deployments/x%20y").path == "/openai/deployments/x%20y");
}

TEST_CASE("url: scheme and host have no case")
{
    origin const o = parse("HTTPS://API.Example.COM/V1");
    CHECK(o.tls);
    CHECK(o.host == "api.example.com");
    CHECK(o.path == "/V1");
}

TEST_CASE("url: IP literals")
{
    origin const v4 = parse("https://127.0.0.1:1/v1");
    CHECK(v4.is_ip);
    CHECK(v4.host == "127.0.0.1");
    CHECK(v4.host_header == "127.0.0.1:1");

    origin const v6 = parse("http://[::1]:8080");
    CHECK(v6.is_ip);
    CHECK(v6.host == "::1");
    CHECK(v6.host_header == "[::1]:8080");
    CHECK(parse("http://[2001:db8::1]").host_header == "[2001:db8::1]");
}

TEST_CASE("url: loopback by its name alone")
{
    for (auto const* url :
        {"http://localhost", "http://LOCALHOST:1", "http://127.0.0.1", "http://127.255.0.3", "http://[::1]"})
    {
        CAPTURE(url);
        CHECK(parse(url).is_loopback());
    }
    for (auto const* url : {"http://localhost.example", "http://notlocalhost", "http://128.0.0.1", "http://0.0.0.0",
             "http://10.0.0.1", "http://[::]", "http://[::2]"})
    {
        CAPTURE(url);
        CHECK_FALSE(parse(url).is_loopback());
    }
    // Boost.URL 1.81 sees an address in it; newer ones a name. Never this machine.
    origin o;
    std::string why;
    CHECK((parse_base_url("http://127.0.0.1.example", o, why) || !o.is_loopback()));
}

TEST_CASE("url: what cannot be a base URL is refused")
{
    for (std::string_view url :
        {"", "api.example.com", "api.example.com/v1", "/v1", "//api.example.com", "ftp://a.example",
            "file:///etc/passwd", "ws://a.example", "https://", "https:///v1", "https://:443", "https://a.example:0",
            "https://a.example:65536", "https://a.example:x", "https://a.example:99999999999999999999",
            "https://a.example/v1?x=1", "https://a.example/v1#x", "https://a b.example", "https://a.example/a b",
            "https://a.example\n/v1", " https://a.example", "https://[::1", "https://[v1.x]", "https://a%0d%0a.example",
            "https://a%00.example", "https://a%2f.example", "https://a%3a80/v1", "http://127.0.0.%31",
            "https://%61.example", "https://\xc3\xa4.example"})
    {
        CAPTURE(url);
        CHECK_FALSE(refusal(url).empty());
    }
    CHECK_FALSE(refusal(std::string_view("https://a\0.example", 18)).empty());
}

TEST_CASE("url: user information is refused and not repeated")
{
    for (auto const* url :
        {"https://user:sk-secret@a.example/v1", "https://sk-secret@a.example/v1", "https://@a.example"})
    {
        std::string const why = refusal(url);
        CHECK_THAT(why, ContainsSubstring("user name"));
        CHECK(why.find("secret") == std::string::npos);
    }
}
