// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/http/response_parser.hpp"

#include "catch.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

using serin::errc;
using serin::field_block;
using serin::response_parser;

namespace {

constexpr std::size_t head_limit = 64 * 1024;

// What a response came to, however its bytes were cut.
struct verdict
{
    serin::error_code ec;
    bool complete = false;
    bool keeps_alive = false;
    int status = 0;
    std::string body;
    std::size_t used = 0; // Bytes taken, of those given.
    std::size_t seen = 0; // Bytes given until the verdict was there.
};

// Feeds `bytes` in pieces of `piece` and, if `closed`, the end of the connection.
verdict feed(std::string_view bytes, std::size_t piece, bool closed = false, std::size_t limit = head_limit,
    std::size_t body_limit = static_cast<std::size_t>(-1))
{
    field_block fields;
    response_parser parser(limit, fields);
    verdict v;
    for (;;)
    {
        std::size_t used = 0;
        auto const step = parser.advance(bytes.substr(v.used, v.seen - v.used), used, v.ec);
        v.used += used;
        v.status = parser.status();
        if (step == response_parser::step::failed)
            return v;
        if (step == response_parser::step::head && body_limit != static_cast<std::size_t>(-1))
            parser.limit_body(body_limit);
        if (step == response_parser::step::body)
            v.body += parser.piece();
        if (step == response_parser::step::end)
            break;
        if (step != response_parser::step::need_more)
            continue;
        if (v.seen == bytes.size())
        {
            if (closed)
                v.ec = parser.finish();
            break;
        }
        v.seen = std::min(v.seen + piece, bytes.size());
    }
    v.complete = parser.complete();
    v.keeps_alive = parser.keeps_alive();
    return v;
}

// The verdict, which must be the same whole, byte by byte and in pieces of other sizes.
verdict judge(std::string_view bytes, bool closed = false)
{
    verdict const whole = feed(bytes, bytes.size(), closed);
    for (std::size_t const piece : {1, 2, 3, 5, 7, 16})
    {
        verdict const v = feed(bytes, piece, closed);
        CAPTURE(piece, bytes, whole.ec.message(), v.ec.message());
        CHECK(v.ec == whole.ec);
        CHECK(v.complete == whole.complete);
        CHECK(v.status == whole.status);
        if (!whole.ec)
        {
            CHECK(v.body == whole.body);
            CHECK((!whole.complete || v.used == whole.used));
            CHECK(v.keeps_alive == whole.keeps_alive);
        }
    }
    return whole;
}

std::string with_head(std::string_view fields, std::string_view body = {})
{
    return "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

} // namespace

TEST_CASE("parser: bodies in every framing")
{
    struct good
    {
        std::string bytes;
        std::string body;
        bool keeps_alive;
    };
    std::vector<good> const all{
        {with_head("Content-Length: 5\r\n", "hello"), "hello", true},
        {with_head("content-length:5\r\n", "hello"), "hello", true},
        {with_head("Content-Length: 0\r\n"), "", true},
        {with_head("Content-Length: 5, 5\r\n", "hello"), "hello", true},
        {with_head("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), "hello", true},
        {with_head("Content-Length: 5\r\nConnection: close\r\n", "hello"), "hello", false},
        {with_head("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"), "hello", true},
        {with_head("Transfer-Encoding: Chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"), "hello", true},
        {with_head("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), "", true},
        {with_head("Transfer-Encoding: chunked\r\n", "000\r\n\r\n"), "", true},
        {with_head("Transfer-Encoding: chunked\r\n", "0;x=y\r\n\r\n"), "", true},
        {with_head("Transfer-Encoding: chunked\r\n", "0\r\nA: 1\r\n\r\n"), "", true},
        {with_head("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\nA\r\n, world ..\r\n00\r\n\r\n"), "hello, world ..",
            true},
        {with_head("Transfer-Encoding: chunked\r\n", "5;name=value;q=\"a;b\"\r\nhello\r\n0\r\n\r\n"), "hello", true},
        {with_head("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-B: 2\r\n\r\n"), "hello", true},
        {with_head("Transfer-Encoding: chunked\r\n", "5\r\n\r\n\r\n0\r\n0\r\n\r\n"), "\r\n\r\n0", true},
        {with_head("A: b\r\n c\r\n\td\r\nContent-Length: 1\r\n", "x"), "x", true},
        {"HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx", "x", true},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "x", false},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", "x", true},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", false},
        {"HTTP/1.1 204 No Content\r\n\r\n", "", true},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", "", true},
    };
    for (good const& g : all)
    {
        CAPTURE(g.bytes);
        verdict const v = judge(g.bytes);
        CHECK_FALSE(v.ec);
        CHECK(v.complete);
        CHECK(v.body == g.body);
        CHECK(v.keeps_alive == g.keeps_alive);
        CHECK(v.used == g.bytes.size());
    }
}

TEST_CASE("parser: a body that the close delimits")
{
    verdict const open = judge(with_head("", "hello"));
    CHECK_FALSE(open.ec);
    CHECK_FALSE(open.complete);
    verdict const closed = judge(with_head("", "hello"), true);
    CHECK_FALSE(closed.ec);
    CHECK(closed.complete);
    CHECK(closed.body == "hello");
    CHECK_FALSE(closed.keeps_alive);
}

TEST_CASE("parser: bytes after the response are left alone")
{
    for (std::string const& response :
        {with_head("Content-Length: 2\r\n", "ok"), with_head("Transfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\n\r\n"),
            std::string("HTTP/1.1 204 No Content\r\n\r\n")})
    {
        verdict const v = feed(response + "HTTP/1.1 200 OK\r\n", 1000);
        CHECK_FALSE(v.ec);
        CHECK(v.complete);
        CHECK(v.used == response.size());
    }
}

TEST_CASE("parser: the end of the connection in the middle is an error")
{
    std::vector<std::string> const all{
        with_head("Content-Length: 5\r\n", "hello"),
        with_head("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\nA: 1\r\n\r\n"),
    };
    for (std::string const& whole : all)
        for (std::size_t size = 1; size < whole.size(); ++size)
        {
            verdict const v = feed(std::string_view(whole).substr(0, size), 1, true);
            CAPTURE(whole, size);
            CHECK(v.ec == errc::malformed_response);
        }
    CHECK(feed("", 1, true).ec == errc::connection_lost);
}

TEST_CASE("parser: errors of the framing are errors at once")
{
    // Up to the byte, or the line, that cannot be right. Nothing follows: a parser that waits would wait for ever.
    std::vector<std::string> const all{
        // Status line
        "SSH-2.0",
        "h",
        "HTTP/2",
        "HTTP/1.x",
        "HTTP/1.1  ",
        "HTTP/1.1 2x",
        "HTTP/1.1 20 ",
        "HTTP/1.1 2000",
        "HTTP/1.1 099 A\r\nX",
        "HTTP/1.2 200 OK\r\nX",
        "HTTP/1.1 200 O\x01",
        "\r\nHTTP/1.1 200 OK\r\n",
        // Line ends
        "HTTP/1.1 200 OK\n",
        "HTTP/1.1 200 OK\rX",
        "HTTP/1.1 200 OK\r\nA: b\n",
        "HTTP/1.1 200 OK\r\nA: b\rc",
        "HTTP/1.1 200 OK\r\nA: b\r\n\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n\rX",
        // Fields
        "HTTP/1.1 200 OK\r\nno colon",
        "HTTP/1.1 200 OK\r\nspace :",
        "HTTP/1.1 200 OK\r\n: no name",
        "HTTP/1.1 200 OK\r\nA\x01",
        std::string("HTTP/1.1 200 OK\r\nA: b\0", 22),
        "HTTP/1.1 200 OK\r\nA: \x7f",
        // Lengths, known at the first byte of the next line
        with_head("Content-Length: abc\r\n"),
        with_head("Content-Length: -1\r\n"),
        with_head("Content-Length: +1\r\n"),
        with_head("Content-Length: 0x10\r\n"),
        with_head("Content-Length: 1 2\r\n"),
        with_head("Content-Length:\r\n"),
        with_head("Content-Length: 5,\r\n"),
        with_head("Content-Length: 5, 6\r\n"),
        with_head("Content-Length: 5\r\nContent-Length: 6\r\n"),
        with_head("Content-Length: 18446744073709551616\r\n"),
        with_head("Content-Length: 99999999999999999999999\r\n"),
        "HTTP/1.1 200 OK\r\nContent-Length: abc\r\nX",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\nX",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n 6\r\nA: b\r\nX",
        // Both framings, codings nobody offered
        with_head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        with_head("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
        with_head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        with_head("Transfer-Encoding: gzip, chunked\r\n"),
        with_head("Transfer-Encoding: identity\r\n"),
        with_head("Transfer-Encoding: chunked, identity\r\n"),
        // Chunks
        with_head("Transfer-Encoding: chunked\r\n", "x"),
        with_head("Transfer-Encoding: chunked\r\n", " 5"),
        with_head("Transfer-Encoding: chunked\r\n", "\r"),
        with_head("Transfer-Encoding: chunked\r\n", "5\n"),
        with_head("Transfer-Encoding: chunked\r\n", "5\rX"),
        with_head("Transfer-Encoding: chunked\r\n", "5x"),
        with_head("Transfer-Encoding: chunked\r\n", "0x5"),
        with_head("Transfer-Encoding: chunked\r\n", "-5"),
        with_head("Transfer-Encoding: chunked\r\n", "5;a\n"),
        with_head("Transfer-Encoding: chunked\r\n", "5;a=\"b\x01"),
        with_head("Transfer-Encoding: chunked\r\n", "5;a=\"b\x01\"\r\n"),
        with_head("Transfer-Encoding: chunked\r\n", "5;a=\"b\n\"\r\n"),
        with_head("Transfer-Encoding: chunked\r\n", "0;a=\"b\n\"\r\n\r\n"),
        with_head("Transfer-Encoding: chunked\r\n", "5;a=\"b\r\n"),
        with_head("Transfer-Encoding: chunked\r\n", "5;a=\"b\\\"\r\n"),
        with_head("Transfer-Encoding: chunked\r\n", "0;a=\"b\r\n\r\n"),
        with_head("Transfer-Encoding: chunked\r\n", "11111111111111111\r\n"),
        with_head("Transfer-Encoding: chunked\r\n", "5\r\nhelloX"),
        with_head("Transfer-Encoding: chunked\r\n", "5\r\nhelloa"),
        with_head("Transfer-Encoding: chunked\r\n", "5\r\nhello\n"),
        with_head("Transfer-Encoding: chunked\r\n", "5\r\nhello\rX"),
        with_head("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n\r"),
        with_head("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\ng"),
        // Trailers
        with_head("Transfer-Encoding: chunked\r\n", "0\r\n\n"),
        with_head("Transfer-Encoding: chunked\r\n", "0\r\nA: b\n"),
        with_head("Transfer-Encoding: chunked\r\n", "0\r\nno colon"),
        with_head("Transfer-Encoding: chunked\r\n", "0\r\nno-colon\r\n"),
        with_head("Transfer-Encoding: chunked\r\n", "0\r\nA: b\r\r\n"),
        with_head("Transfer-Encoding: chunked\r\n", "0\r\n\r\r\n"),
        with_head("Transfer-Encoding: chunked\r\n", "0\r\nA: 1\r\nHTTP/"),
    };
    for (std::string const& bytes : all)
    {
        CAPTURE(bytes);
        verdict const v = judge(bytes);
        CHECK(v.ec == errc::malformed_response);
        CHECK_FALSE(v.complete);
    }
}

TEST_CASE("parser: what is right so far is not an error")
{
    std::vector<std::string> const all{
        with_head("X-A: 1\r\nx!#$%&'*+.^_`|~-: \t \x80\xff\r\nContent-Length: 3\r\n", "abc"),
        with_head("Empty:\r\nFolded: a\r\n  b\r\nTransfer-Encoding: chunked\r\n",
            "3;a=b ; c=\"\\\"d\"\r\nabc\r\n0;e\r\nT: 1\r\nU:\r\n\r\n"),
        // Data that looks like the last chunk, or is anything but a chunk's header
        with_head("Transfer-Encoding: chunked\r\n", "4\r\n0\r\n\r\r\n0\r\n\r\n"),
        with_head("Transfer-Encoding: chunked\r\n", "5\r\n0\r=\n \r\n5\r\n0\r=\n \r\n0\r\n\r\n"),
        "HTTP/1.1 100 Continue\r\n\r\n",
    };
    for (std::string const& whole : all)
        for (std::size_t size = 0; size < whole.size(); ++size)
        {
            CAPTURE(whole, size);
            CHECK_FALSE(judge(std::string_view(whole).substr(0, size)).ec);
        }
}

TEST_CASE("parser: the head is limited")
{
    std::string const field = "A: " + std::string(1000, 'x') + "\r\n";
    std::string fields;
    while (fields.size() + field.size() + 40 < head_limit)
        fields += field;
    for (std::size_t const piece : {std::size_t{997}, std::size_t{1} << 20})
    {
        CHECK_FALSE(feed(with_head(fields + "Content-Length: 0\r\n"), piece).ec);
        CHECK(feed(with_head(fields + field + "Content-Length: 0\r\n"), piece).ec == errc::response_too_large);
        // Lines that do not end
        CHECK(feed("HTTP/1.1 200 " + std::string(head_limit, 'x'), piece).ec == errc::response_too_large);
        CHECK(feed("HTTP/1.1 200 OK\r\n" + std::string(head_limit, 'x'), piece).ec == errc::response_too_large);
        CHECK(feed("HTTP/1.1 200 OK\r\nA: " + std::string(head_limit, 'x'), piece).ec == errc::response_too_large);
        CHECK(feed("HTTP/1.1 200 OK\r\nA: x\r\n" + std::string(head_limit, ' '), piece).ec == errc::response_too_large);
    }
    CHECK(feed(with_head("A: b\r\n"), 1, false, 20).ec == errc::response_too_large);
    CHECK_FALSE(feed(with_head("A: b\r\n"), 1, false, 100).ec);
}

TEST_CASE("parser: chunk lines and trailers are limited")
{
    std::string const chunked = with_head("Transfer-Encoding: chunked\r\n");
    for (std::size_t const piece : {std::size_t{997}, std::size_t{4} << 20})
    {
        CHECK(feed(chunked + "5;" + std::string(1 << 20, 'x'), piece).ec == errc::response_too_large);
        CHECK(feed(chunked + std::string(1 << 20, '0'), piece).ec == errc::response_too_large);
        CHECK(feed(chunked + "0\r\nA: " + std::string(1 << 20, 'x'), piece).ec == errc::response_too_large);
        std::string trailer = "0\r\n";
        while (trailer.size() < 1 << 20)
            trailer += "X-A: 0123456789\r\n";
        CHECK(feed(chunked + trailer, piece).ec == errc::response_too_large);
        CHECK(feed(chunked + trailer + "\r\n", piece).ec == errc::response_too_large);
    }
    // The same limit whether a line comes in pieces or whole
    for (std::string const start : {"5;", "0;", "0\r\nA:"})
        for (std::string const before : {"", "1\r\nx"})
            for (std::size_t size = 80; size < 120; ++size)
            {
                std::string line = (before.empty() ? "" : "\r\n") + start + std::string(size, 'x') + "\r\n";
                if (start.front() == '0')
                    line += "\r\n";
                CAPTURE(before, line);
                for (std::size_t const piece : {std::size_t{1}, std::size_t{1000}})
                    CHECK(feed(chunked + before + line, piece, false, 100).ec.failed() == (line.size() > 100));
            }
}

TEST_CASE("parser: the body is limited")
{
    auto const limited = [](std::string const& bytes, std::size_t limit) {
        verdict const whole = feed(bytes, bytes.size(), false, head_limit, limit);
        CHECK(feed(bytes, 1, false, head_limit, limit).ec == whole.ec);
        return whole.ec;
    };
    CHECK_FALSE(limited(with_head("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n"), 10));
    CHECK(limited(with_head("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n"), 9) ==
          errc::response_too_large);
    CHECK(
        limited(with_head("Transfer-Encoding: chunked\r\n", "7fffffffffffffff\r\nh"), 10) == errc::response_too_large);
    CHECK(limited(with_head("Transfer-Encoding: chunked\r\n", "1\r\nh\r\nffffffffffffffff\r\nh"), 10) ==
          errc::response_too_large);
    CHECK_FALSE(limited(with_head("", "0123456789"), 10));
    CHECK(limited(with_head("", "0123456789x"), 10) == errc::response_too_large);
}

TEST_CASE("parser: the announced length")
{
    auto const announced = [](std::string const& head) {
        field_block fields;
        response_parser parser(head_limit, fields);
        std::size_t used = 0;
        serin::error_code ec;
        REQUIRE(parser.advance(head, used, ec) == response_parser::step::head);
        return parser.announced_length();
    };
    CHECK(announced(with_head("Content-Length: 1000000000000\r\n")) == 1000000000000u);
    CHECK(announced(with_head("Transfer-Encoding: chunked\r\n")) == std::nullopt);
    CHECK(announced(with_head("")) == std::nullopt);
}

TEST_CASE("parser: fields are kept, trailers are not")
{
    field_block fields;
    response_parser parser(head_limit, fields);
    std::string const bytes =
        with_head("X-A: one\r\nx-a: two\r\nX-Empty:\r\nTransfer-Encoding: chunked\r\n", "0\r\nX-T: 1\r\n\r\n");
    std::size_t at = 0;
    for (auto step = response_parser::step::need_more; step != response_parser::step::end;)
    {
        std::size_t used = 0;
        serin::error_code ec;
        step = parser.advance(std::string_view(bytes).substr(at), used, ec);
        at += used;
        REQUIRE(step != response_parser::step::failed);
    }
    CHECK(fields.find("x-A") == "one");
    CHECK(fields.find("X-Empty").empty());
    CHECK(fields.find("X-T").empty());
    CHECK(fields.to_headers().size() == 4);
    fields.clear();
    CHECK(fields.find("X-A").empty());
}
