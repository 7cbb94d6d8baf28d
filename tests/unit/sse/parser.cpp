// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/sse/parser.hpp>

#include "catch.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

using namespace std::string_literals;
using namespace std::string_view_literals;
using serin::errc;
using serin::error_code;
using serin::sse_event;
using serin::sse_limits;
using serin::sse_parser;
using std::chrono::milliseconds;

namespace {

constexpr bool incomplete = false;

// What an event said, to keep.
struct copied
{
    std::string type;
    std::string data;
    std::string id;
    std::optional<std::int64_t> retry;
    bool complete = true;

    copied(
        std::string d, std::string t = "message", std::string i = "", std::optional<std::int64_t> r = {}, bool c = true)
        : type(std::move(t)),
          data(std::move(d)),
          id(std::move(i)),
          retry(r),
          complete(c)
    {}

    explicit copied(sse_event const& e) : type(e.type), data(e.data), id(e.id), complete(e.complete)
    {
        if (e.retry)
            retry = e.retry->count();
    }

    bool operator==(copied const&) const = default;

    friend std::ostream& operator<<(std::ostream& os, copied const& e)
    {
        os << "{type " << e.type << ", data " << e.data << ", id " << e.id << ", retry ";
        if (e.retry)
            os << *e.retry;
        return os << (e.complete ? "}" : ", incomplete}");
    }
};

using events = std::vector<copied>;

void take_all(sse_parser& parser, events& out)
{
    while (auto const event = parser.next())
        out.emplace_back(*event);
}

// Feeds pieces out of one buffer, which is overwritten once next() returned nothing: the parser must not look back.
class feeder
{
public:
    sse_parser parser;
    events got;

    explicit feeder(sse_limits limits = {}) : parser(limits) {}

    error_code feed(std::string_view piece)
    {
        std::vector<char> buffer(piece.begin(), piece.end());
        error_code const ec = parser.put(std::string_view(buffer.data(), buffer.size()));
        take_all(parser, got);
        std::fill(buffer.begin(), buffer.end(), '\n');
        return ec;
    }

    void finish()
    {
        parser.finish();
        take_all(parser, got);
    }
};

events in_pieces(std::string_view input, std::size_t size)
{
    feeder f;
    for (; !input.empty(); input.remove_prefix(std::min(size, input.size())))
        REQUIRE_FALSE(f.feed(input.substr(0, size)));
    f.finish();
    return f.got;
}

// Checks the events of an input however it is cut.
void check(std::string_view input, events const& expected)
{
    CAPTURE(input);
    CHECK(in_pieces(input, input.size()) == expected);
    CHECK(in_pieces(input, 1) == expected);
    CHECK(in_pieces(input, 2) == expected);
    CHECK(in_pieces(input, 3) == expected);
    for (std::size_t cut = 0; cut <= input.size(); ++cut)
    {
        CAPTURE(cut);
        feeder drained;
        REQUIRE_FALSE(drained.feed(input.substr(0, cut)));
        REQUIRE_FALSE(drained.feed({}));
        REQUIRE_FALSE(drained.feed(input.substr(cut)));
        drained.finish();
        CHECK(drained.got == expected);

        // Nothing is taken between the two: what was put first must be kept.
        events got;
        sse_parser late;
        REQUIRE_FALSE(late.put(input.substr(0, cut)));
        REQUIRE_FALSE(late.put(input.substr(cut)));
        take_all(late, got);
        late.finish();
        take_all(late, got);
        CHECK(got == expected);

        // One event is taken between the two.
        got.clear();
        sse_parser slow;
        REQUIRE_FALSE(slow.put(std::string(input.substr(0, cut))));
        if (auto const event = slow.next())
            got.emplace_back(*event);
        REQUIRE_FALSE(slow.put(std::string(input.substr(cut))));
        slow.finish();
        take_all(slow, got);
        CHECK(got == expected);
    }
}

} // namespace

// ---- The format ----

TEST_CASE("sse parser: one line of data")
{
    check("data: hello\n\n", {{"hello"}});
    check("data:hello\n\n", {{"hello"}});
    check("data:  two spaces: one goes\n\n", {{" two spaces: one goes"}});
    check("data: \n\n", {{""}});
    check("data:\n\n", {{""}});
    check("data\n\n", {{""}});
    check("data:\ttab\n\n", {{"\ttab"}});
    check("data: a:b: c\n\n", {{"a:b: c"}});
    check("data: {\"a\": \"\x01\x1f\x7f\"}\n\n", {{"{\"a\": \"\x01\x1f\x7f\"}"}});
    check("", {});
    check("\n", {});
    check("\n\n\r\n\r\r", {});
}

TEST_CASE("sse parser: several lines of data are joined by LF")
{
    check("data: a\ndata: b\n\n", {{"a\nb"}});
    check("data\ndata\n\n", {{"\n"}});
    check("data:\ndata:\ndata: x\n\n", {{"\n\nx"}});
    check("data: x\ndata:\ndata\n\n", {{"x\n\n"}});
    check("data: 1\nevent: e\ndata: 2\nid: i\ndata: 3\n\n", {{"1\n2\n3", "e", "i"}});
    check("data: a\ndata: b\n\ndata: c\ndata: d\n\ndata: e\ndata: f\n\n", {{"a\nb"}, {"c\nd"}, {"e\nf"}});
}

TEST_CASE("sse parser: CR, LF and CRLF end lines, in any mixture")
{
    for (std::string const a : {"\n", "\r", "\r\n"})
        for (std::string const b : {"\n", "\r", "\r\n"})
            for (std::string const c : {"\n", "\r", "\r\n"})
            {
                // CR and LF behind each other are one line end, not two.
                if (b == "\r" && c == "\n")
                    continue;
                check("data: 1" + a + "data: 2" + b + c + "data: 3" + a + "event: e" + b + c, {{"1\n2"}, {"3", "e"}});
            }
    check("data: 1\r\n\ndata: 2\n\r\ndata: 3\r\r\ndata: 4\n\r", {{"1"}, {"2"}, {"3"}, {"4"}});
    check("data: 1\r\n\r", {{"1"}});
    check("\r\ndata: 1\r\n\r\n\r\n", {{"1"}});
    check("data: a\rdata: b\r\rdata: c\r\r", {{"a\nb"}, {"c"}});
    // Other characters that some readers take for line ends.
    check("data: \v\f\x1c\x1d\x1e\xC2\x85\xE2\x80\xA8\xE2\x80\xA9|\n\n",
        {{"\v\f\x1c\x1d\x1e\xC2\x85\xE2\x80\xA8\xE2\x80\xA9|"}});
}

TEST_CASE("sse parser: a line end by CR counts at once")
{
    feeder f;
    REQUIRE_FALSE(f.feed("data: x\r"));
    CHECK(f.got.empty());
    REQUIRE_FALSE(f.feed("\r"));
    CHECK(f.got == events{{"x"}});

    // The LF that follows belongs to that CR.
    REQUIRE_FALSE(f.feed("\n"));
    REQUIRE_FALSE(f.feed("data: y\r"));
    REQUIRE_FALSE(f.feed("\ndata: z\r"));
    REQUIRE_FALSE(f.feed(""));
    REQUIRE_FALSE(f.feed("\n"));
    CHECK(f.got.size() == 1);
    REQUIRE_FALSE(f.feed("\r"));
    CHECK(f.got == events{{"x"}, {"y\nz"}});
}

TEST_CASE("sse parser: one byte order mark at the start is skipped")
{
    check("\xEF\xBB\xBF"
          "data: x\n\n",
        {{"x"}});
    check("\xEF\xBB\xBF\n\n"
          "data: x\n\n",
        {{"x"}});
    check("\xEF\xBB\xBF\xEF\xBB\xBF"
          "data: x\n\ndata: y\n\n",
        {{"y"}});
    check("data: x\n\n\xEF\xBB\xBF"
          "data: y\n\ndata: z\n\n",
        {{"x"}, {"z"}});
    check("\xEF\xBB"
          "data: x\n\ndata: y\n\n",
        {{"y"}});
    check("\xEF"
          "data: x\n\ndata: y\n\n",
        {{"y"}});
    check("\xEF\xBB\n"
          "data: y\n\n",
        {{"y"}});
    check("data: \xEF\xBB\xBF\n\n", {{"\xEF\xBB\xBF"}});
    check("\xEF\xBB\xBF", {});
    check("\xEF\xBB", {});
}

TEST_CASE("sse parser: comments are skipped and counted")
{
    check(":\n\n: ping\n\ndata: x\n: in between\ndata: y\n:\n\n:: last\n\n", {{"x\ny"}});
    check(":data: no\n\n", {});
    for (std::size_t size : {1u, 2u, 5u, 100u})
    {
        std::string_view input = ": OPENROUTER PROCESSING\n\n:\r\n:\r: x\n: unfinished";
        feeder f;
        for (; !input.empty(); input.remove_prefix(std::min(size, input.size())))
            REQUIRE_FALSE(f.feed(input.substr(0, size)));
        CHECK(f.got.empty());
        CHECK(f.parser.comments() == 4);
        CHECK(f.parser.buffered() == 0);
    }
}

TEST_CASE("sse parser: the type is that of the event alone")
{
    check("event: a\ndata: 1\n\ndata: 2\n\n", {{"1", "a"}, {"2"}});
    check("data: 1\nevent: a\nevent: b\n\n", {{"1", "b"}});
    check("event: a\nevent:\ndata: 1\n\n", {{"1"}});
    check("event: \ndata: 1\n\n", {{"1"}});
    check("event\ndata: 1\n\n", {{"1"}});
    check("event:  a \ndata: 1\n\n", {{"1", " a "}});
    check("event: message\ndata: 1\n\n", {{"1", "message"}});
    // An event without data is not dispatched, and its type is forgotten.
    check("event: a\n\ndata: 1\n\n", {{"1"}});
    check("event: a\n\nevent: b\n\n", {});
}

TEST_CASE("sse parser: the last event id persists")
{
    check("id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\ndata: d\n\n",
        {{"a", "message", "1"}, {"b", "message", "1"}, {"c"}, {"d"}});
    check("id: 1\n\ndata: a\n\n", {{"a", "message", "1"}});
    check("data: a\nid: 1\nid: 2\n\n", {{"a", "message", "2"}});
    check("id: 1\nid:\ndata: a\n\n", {{"a"}});
    check("id:  1 \ndata: a\n\n", {{"a", "message", " 1 "}});
    check("id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n",
        {{"a", "message", "1"}, {"b", "message", "2"}, {"c", "message", "3"}});
    std::string const longer(40, 'x');
    check("id: " + longer + "\ndata: a\n\ndata: b\n\nid: short\ndata: c\n\n",
        {{"a", "message", longer}, {"b", "message", longer}, {"c", "message", "short"}});
}

TEST_CASE("sse parser: an id with NUL is ignored")
{
    check("id: 1\nid: 2\0\ndata: a\n\n"sv, {{"a", "message", "1"}});
    check("id: \0\ndata: a\n\n"sv, {{"a"}});
}

TEST_CASE("sse parser: NUL in data and type is kept")
{
    check("data: a\0b\n\n"sv, {{"a\0b"s}});
    check("data: \0\ndata: \0\nevent: \0\n\n"sv, {{"\0\n\0"s, "\0"s}});
    check("da\0ta: a\n\ndata: b\n\n"sv, {{"b"}});
}

TEST_CASE("sse parser: retry is made of digits only and belongs to its event")
{
    check("retry: 1500\ndata: a\n\ndata: b\n\n", {{"a", "message", "", 1500}, {"b"}});
    check("retry:007\ndata: a\n\n", {{"a", "message", "", 7}});
    check("retry: 0\ndata: a\n\n", {{"a", "message", "", 0}});
    check("retry: 1\nretry: 2\nretry: 3x\ndata: a\n\n", {{"a", "message", "", 2}});
    for (char const* bad : {"", "-1", "+1", "1.5", "1 ", " 1", "0x10", "1e3", "\xD9\xA1", "x"})
        check("retry: "s + bad + "\ndata: a\n\n", {{"a"}});
    check("retry\ndata: a\n\n", {{"a"}});
    check("retry: 5\n\ndata: a\n\n", {{"a"}});
    std::int64_t const most = milliseconds::max().count();
    check("retry: 9223372036854775807\ndata: a\n\n", {{"a", "message", "", most}});
    check("retry: 99999999999999999999999999\ndata: a\n\n", {{"a", "message", "", most}});
}

TEST_CASE("sse parser: unknown fields are ignored")
{
    check("foo: bar\ndata: a\nData: b\nDATA: c\n data: d\ndata : e\ndatax: f\ndat: g\njust text\n\n", {{"a"}});
    check("{\"error\": \"not an event stream\"}\n\n", {});
    check("<html>\n<body>data: x</body>\n\n", {});
}

TEST_CASE("sse parser: text is valid UTF-8")
{
    check("data: \xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\n\n", {{"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"}});
    check("data: a\xFF"
          "b\xC3(\n\ndata: \xE2\x82\n\ndata: plain\n\n",
        {{"a\xEF\xBF\xBD"
          "b\xEF\xBF\xBD("},
            {"\xEF\xBF\xBD"}, {"plain"}});
    check("data: \xE2\x82\ndata: \xAC\n\n", {{"\xEF\xBF\xBD\n\xEF\xBF\xBD"}});
    check("event: \xFF\nid: \xC0\xAF\ndata: 1\n\ndata: 2\n\nid: x\ndata: 3\n\n",
        {{"1", "\xEF\xBF\xBD", "\xEF\xBF\xBD\xEF\xBF\xBD"}, {"2", "message", "\xEF\xBF\xBD\xEF\xBF\xBD"},
            {"3", "message", "x"}});
    check("data: \xED\xA0\x80\r\n\r\n", {{"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}});
    // Line ends and colons end a cut sequence.
    check("data\xE2\x82: x\n\ndata: y\n\n", {{"y"}});
    check("data: \xF0\x9F\rdata: z\r\r", {{"\xEF\xBF\xBD\nz"}});
}

// ---- The end ----

TEST_CASE("sse parser: a last event without its blank line is marked incomplete")
{
    check("data: a\n\ndata: b\n", {{"a"}, {"b", "message", "", {}, incomplete}});
    check("data: a\n\ndata: b", {{"a"}, {"b", "message", "", {}, incomplete}});
    check("data: b\r", {{"b", "message", "", {}, incomplete}});
    check("data: b\r\n", {{"b", "message", "", {}, incomplete}});
    check("data: b\ndata: c", {{"b\nc", "message", "", {}, incomplete}});
    check("data", {{"", "message", "", {}, incomplete}});
    check("data:", {{"", "message", "", {}, incomplete}});
    check("event: e\nid: 7\nretry: 8\ndata: b", {{"b", "e", "7", 8, incomplete}});
    check("data: b\n: comment", {{"b", "message", "", {}, incomplete}});
    check("data: \xE2\x82", {{"\xEF\xBF\xBD", "message", "", {}, incomplete}});
}

TEST_CASE("sse parser: without data there is no last event")
{
    check("dat", {});
    check("event: e", {});
    check("event: e\nid: 1\nretry: 2\n", {});
    check("data: a\n\n:", {{"a"}});
    check("data: a\n\nid: 2", {{"a"}});
    check("{\"error\": \"no event stream at all\"}", {});
}

TEST_CASE("sse parser: after the end nothing more is taken")
{
    sse_parser parser;
    REQUIRE_FALSE(parser.put("data: a\n\ndata: b"sv));
    parser.finish();
    auto event = parser.next();
    REQUIRE(event);
    CHECK(event->data == "a");
    CHECK(event->complete);
    event = parser.next();
    REQUIRE(event);
    CHECK(event->data == "b");
    CHECK_FALSE(event->complete);
    CHECK_FALSE(parser.next());
    CHECK_FALSE(parser.next());
    CHECK(parser.put("data: c\n\n"sv) == errc::invalid_argument);
    CHECK(parser.put("data: c\n\n"s) == errc::invalid_argument);
    CHECK_FALSE(parser.next());
}

// ---- Memory ----

TEST_CASE("sse parser: an event that lies in one piece is not copied")
{
    std::string const input = "data: first\n\nevent: e\nid: 5\ndata: second\n\ndata: third \xC3\xA9\r\n\r\n";
    auto const inside = [&input](std::string_view view) {
        return view.data() >= input.data() && view.data() + view.size() <= input.data() + input.size();
    };
    sse_parser parser;
    REQUIRE_FALSE(parser.put(std::string_view(input)));
    std::vector<sse_event> got;
    while (auto const event = parser.next())
        got.push_back(*event);
    REQUIRE(got.size() == 3);
    CHECK(inside(got[0].data));
    CHECK(inside(got[1].data));
    CHECK(inside(got[1].type));
    CHECK(inside(got[1].id));
    CHECK(inside(got[2].data));
    CHECK(inside(got[2].id));
    CHECK(parser.buffered() == 0);
}

TEST_CASE("sse parser: views are valid until the next put")
{
    // Events of all kinds: finished from an earlier piece, joined, repaired, with ids that change.
    std::string const input = "nt: t1\ndata: begun before\n\n"
                              "data: a\ndata: b\n\n"
                              "data: c\xFF\nid: 2\n\n"
                              "data: d\ndata: e\nid: \xFF\nevent: \xFE\n\n"
                              "id: 4\ndata: f\n\n"
                              "data: g\ndata: h\n\n"
                              "id: 5\nevent: t2\ndata: rest";
    events const expected = {{"zero\nbegun before", "t1", "1"}, {"a\nb", "message", "1"},
        {"c\xEF\xBF\xBD", "message", "2"}, {"d\ne", "\xEF\xBF\xBD", "\xEF\xBF\xBD"}, {"f", "message", "4"},
        {"g\nh", "message", "4"}};

    sse_parser parser;
    for (int round = 0; round < 3; ++round)
    {
        // The first of these two ends the event that was begun in the round before.
        REQUIRE_FALSE(parser.put(round == 0 ? "id: 1\ndata: zero\neve"sv : "\n\nid: 1\ndata: zero\neve"sv));
        auto const last = parser.next();
        CHECK(last.has_value() == (round != 0));
        if (last)
            CHECK(copied(*last) == copied("rest", "t2", "5"));
        CHECK_FALSE(parser.next());

        REQUIRE_FALSE(parser.put(std::string_view(input)));
        std::vector<sse_event> views;
        while (auto const event = parser.next())
            views.push_back(*event);
        CHECK_FALSE(parser.next());

        events got;
        for (sse_event const& event : views)
            got.emplace_back(event);
        CHECK(got == expected);
    }
}

TEST_CASE("sse parser: a temporary string is kept")
{
    events got;
    sse_parser parser;
    REQUIRE_FALSE(parser.put("data: a\n\ndata: "s + std::string(100, 'b') + "\n\n"));
    auto const first = parser.next();
    REQUIRE(first);
    CHECK(first->data == "a");
    auto const second = parser.next();
    REQUIRE(second);
    CHECK(second->data == std::string(100, 'b'));
    CHECK(first->data == "a");
    REQUIRE_FALSE(parser.put("data: c\r"s));
    REQUIRE_FALSE(parser.put("\n\r\n"s));
    take_all(parser, got);
    CHECK(got == events{{"c"}});
}

TEST_CASE("sse parser: events that nobody took are kept, in order")
{
    for (std::size_t taken_each_time : {0u, 1u, 2u})
    {
        sse_parser parser;
        events got;
        std::size_t put = 0;
        for (; put < 500; ++put)
        {
            REQUIRE_FALSE(parser.put("id: " + std::to_string(put) + "\ndata: a\ndata: b\n\n: x\n\ndata: c"));
            REQUIRE_FALSE(parser.put("c\n\n"sv));
            for (std::size_t i = 0; i < taken_each_time; ++i)
                if (auto const event = parser.next())
                    got.emplace_back(*event);
        }
        take_all(parser, got);
        REQUIRE(got.size() == 2 * put);
        for (std::size_t i = 0; i < put; ++i)
        {
            CHECK(got[2 * i] == copied("a\nb", "message", std::to_string(i)));
            CHECK(got[2 * i + 1] == copied("cc", "message", std::to_string(i)));
        }
        CHECK(parser.buffered() == 0);
    }
}

TEST_CASE("sse parser: buffered counts what is held and not out yet")
{
    feeder f;
    CHECK(f.parser.buffered() == 0);
    REQUIRE_FALSE(f.feed("data: 12345"));
    CHECK(f.parser.buffered() >= 5);
    CHECK(f.parser.buffered() <= 11);
    REQUIRE_FALSE(f.feed("67890\n"));
    CHECK(f.parser.buffered() >= 10);
    REQUIRE_FALSE(f.feed("\n"));
    CHECK(f.got == events{{"1234567890"}});
    CHECK(f.parser.buffered() == 0);

    std::string const unread = "data: a\n\n";
    REQUIRE_FALSE(f.parser.put(std::string_view(unread)));
    CHECK(f.parser.buffered() == 0);
    REQUIRE_FALSE(f.parser.put(std::string_view(unread)));
    CHECK(f.parser.buffered() == 2 * unread.size());
    take_all(f.parser, f.got);
    CHECK(f.parser.buffered() == 0);
}

// ---- Limits ----

TEST_CASE("sse parser: a line may be as long as the limit and no longer")
{
    for (std::string const field : {"data: ", ": ", "unknown: ", "id: ", "event: "})
        for (std::size_t const piece : {1u, 3u, 7u, 1000u})
            for (std::size_t const over : {0u, 1u})
            {
                CAPTURE(field, piece, over);
                std::string const line = field + std::string(20 - field.size() + over, 'x');
                std::string const input = "data: good\n\n" + line + "\n\ndata: behind\n\n";
                feeder f({.max_line = 20, .max_event = 1000});
                error_code ec;
                for (std::size_t at = 0; at < input.size() && !ec; at += piece)
                    ec = f.feed(std::string_view(input).substr(at, piece));
                REQUIRE_FALSE(f.got.empty());
                CHECK(f.got.front().data == "good");
                if (over == 0)
                {
                    CHECK_FALSE(ec);
                    CHECK(f.got.back().data == "behind");
                    continue;
                }
                CHECK(ec == errc::response_too_large);
                CHECK(f.got.size() == 1);

                // It stays failed, whatever comes.
                CHECK(f.feed("\n\ndata: later\n\n") == errc::response_too_large);
                CHECK(f.parser.put("x"s) == errc::response_too_large);
                f.finish();
                CHECK(f.got.size() == 1);
            }
}

TEST_CASE("sse parser: an event may be as large as the limit and no larger")
{
    // 40 bytes without line ends; the comment does not count.
    std::string const event = "id: 1\n: a comment, which does not count\ndata: 45678901234567\nunknown: 678901\n";
    for (std::size_t const piece : {1u, 4u, 9u, 1000u})
        for (std::string const line_end : {"\n", "\r", "\r\n"})
            for (std::size_t const over : {0u, 1u})
            {
                CAPTURE(piece, line_end, over);
                std::string input;
                for (char const c : event + "\n" + event + (over ? "x" : "") + "\n\n")
                    input += c == '\n' ? line_end : std::string(1, c);
                feeder f({.max_line = 1000, .max_event = 40});
                error_code ec;
                for (std::size_t at = 0; at < input.size() && !ec; at += piece)
                    ec = f.feed(std::string_view(input).substr(at, piece));
                CHECK(ec == (over ? error_code(errc::response_too_large) : error_code()));
                CHECK(f.got.size() == (over ? 1 : 2));
            }
}

TEST_CASE("sse parser: comments within an event do not pile up")
{
    feeder f({.max_line = 100, .max_event = 100});
    REQUIRE_FALSE(f.feed("data: a\n"));
    for (int i = 0; i < 1000; ++i)
    {
        REQUIRE_FALSE(f.feed(": pi"));
        REQUIRE_FALSE(f.feed("ng\n"));
        REQUIRE(f.parser.buffered() <= 7);
    }
    CHECK(f.parser.comments() == 1000);
    REQUIRE_FALSE(f.feed("data: b\n\n"));
    CHECK(f.got == events{{"a\nb"}});
}

TEST_CASE("sse parser: limits hold for pieces that nobody took, too")
{
    sse_parser parser({.max_line = 10, .max_event = 20});
    for (int i = 0; i < 100; ++i)
    {
        REQUIRE_FALSE(parser.put("data: 1234"s));
        REQUIRE_FALSE(parser.put("\r"s));
        REQUIRE_FALSE(parser.put("\ndata: 5678\r\n"s));
        REQUIRE_FALSE(parser.put("\r\n"s));
    }
    REQUIRE_FALSE(parser.put("data: 1234\r"s));
    REQUIRE_FALSE(parser.put("\ndata: 5678\r"s));
    REQUIRE_FALSE(parser.put("\n"s));
    CHECK(parser.put("x"s) == errc::response_too_large);
    events got;
    take_all(parser, got);
    CHECK(got == events(100, copied("1234\n5678")));
}

TEST_CASE("sse parser: limits hold for pieces that are taken slowly")
{
    // The rest moves to the front now and then, and what was read before it goes.
    for (std::size_t const over : {0u, 1u})
    {
        CAPTURE(over);
        std::string input;
        for (int i = 0; i < 50; ++i)
            input += "data: 1234\r\n: comment\ndata: 5678\n\ndata: 90\n\n";
        std::size_t const good = input.size();
        input += "data: 1234\ndata: 5678" + std::string(over, 'x') + "\n\n";

        sse_parser parser({.max_line = 11, .max_event = 20});
        events got;
        error_code ec;
        std::size_t put = 0;
        for (; put < input.size() && !ec; ++put)
        {
            ec = parser.put(input.substr(put, 1));
            if (put > good / 2 && put % 3 == 0)
                if (auto const event = parser.next())
                    got.emplace_back(*event);
        }
        CHECK(ec == (over ? error_code(errc::response_too_large) : error_code()));
        CHECK(put == (over ? good + 22 : input.size()));
        take_all(parser, got);
        REQUIRE(got.size() == (over ? 100 : 101));
        for (std::size_t i = 0; i < 50; ++i)
        {
            CHECK(got[2 * i] == copied("1234\n5678"));
            CHECK(got[2 * i + 1] == copied("90"));
        }
    }
}

TEST_CASE("sse parser: what nobody takes is bounded")
{
    sse_parser parser({.max_line = 1000, .max_event = 1000});
    std::size_t count = 0;
    error_code ec;
    for (; count < 100'000 && !ec; ++count)
        ec = parser.put("data: some event\n\n"s);
    CHECK(ec == errc::response_too_large);
    CHECK(parser.buffered() <= 64 * 1024);

    // All that was accepted is still there.
    events got;
    take_all(parser, got);
    CHECK(got.size() == count - 1);
}

TEST_CASE("sse parser: limits at their extremes")
{
    std::size_t const most = static_cast<std::size_t>(-1);
    feeder none({.max_line = most, .max_event = most});
    REQUIRE_FALSE(none.feed("data: a\ndata: "));
    REQUIRE_FALSE(none.parser.put("b\n"s));
    REQUIRE_FALSE(none.parser.put("\n"s));
    take_all(none.parser, none.got);
    CHECK(none.got == events{{"a\nb"}});

    feeder zero({.max_line = 0, .max_event = 0});
    CHECK_FALSE(zero.feed("\n\r\n\r"));
    CHECK(zero.feed("d") == errc::response_too_large);

    // The defaults.
    feeder standard;
    std::string const most_of_it = "data: " + std::string((std::size_t(32) << 20) - 6, 'x');
    REQUIRE_FALSE(standard.feed(most_of_it));
    REQUIRE_FALSE(standard.feed("\n\n"));
    REQUIRE(standard.got.size() == 1);
    CHECK(standard.got[0].data.size() == most_of_it.size() - 6);
    REQUIRE_FALSE(standard.feed(most_of_it));
    CHECK(standard.feed("x") == errc::response_too_large);
}

// ---- Size ----

TEST_CASE("sse parser: a long line in small pieces")
{
    // Of quadratic work, this would take hours.
    std::size_t const size = std::size_t(10) << 20;
    std::string const value(size, 'v');
    for (std::string const head : {"data: ", "data: x\ndata: "})
    {
        feeder f;
        REQUIRE_FALSE(f.feed(head));
        for (std::size_t at = 0; at < size; at += 1024)
            REQUIRE_FALSE(f.feed(std::string_view(value).substr(at, 1024)));
        REQUIRE_FALSE(f.feed("\r"));
        REQUIRE_FALSE(f.feed("\r"));
        REQUIRE(f.got.size() == 1);
        CHECK(f.got[0].data.size() == size + (head.size() > 6 ? 2 : 0));
        CHECK(f.got[0].data.ends_with(value));
        CHECK(f.parser.buffered() == 0);
    }
}

TEST_CASE("sse parser: many events put at once, with any line end")
{
    std::size_t const count = 200'000;
    for (std::string const line_end : {"\n", "\r", "\r\n"})
    {
        std::string input;
        for (std::size_t i = 0; i < count; ++i)
            input += "data: x" + line_end + line_end;
        sse_parser parser;
        REQUIRE_FALSE(parser.put(std::string_view(input)));
        std::size_t got = 0;
        while (auto const event = parser.next())
            got += event->data == "x" ? 1 : 0;
        CHECK(got == count);
    }
}

TEST_CASE("sse parser: a backlog taken one by one while more arrives")
{
    std::string const line_ends[] = {"\n", "\r"};
    for (std::string const& line_end : line_ends)
    {
        sse_parser parser;
        std::string burst;
        for (int i = 0; i < 100'000; ++i)
            burst += "data: x" + line_end + line_end;
        REQUIRE_FALSE(parser.put(std::string_view(burst)));
        std::size_t got = 0;
        for (int i = 0; i < 100'000; ++i)
        {
            REQUIRE_FALSE(parser.put(":"s));
            REQUIRE_FALSE(parser.put(line_end.c_str()));
            got += parser.next() ? 1 : 0;
        }
        while (parser.next())
            ++got;
        CHECK(got == 100'000);
    }
}

TEST_CASE("sse parser: a long id does not cost every event")
{
    // Repaired or checked anew for each event, this would take gigabytes and minutes.
    feeder f;
    REQUIRE_FALSE(f.feed("id: " + std::string(std::size_t(8) << 20, '\xFF') + "\n\n"));
    std::string input;
    for (int i = 0; i < 5000; ++i)
        input += "data\n\n";
    REQUIRE_FALSE(f.parser.put(std::string_view(input)));
    std::size_t bytes = 0;
    while (auto const event = f.parser.next())
        bytes += event->id.size();
    CHECK(bytes == std::size_t(5000) * 3 * (std::size_t(8) << 20));
}

static_assert(!std::is_copy_constructible_v<sse_parser>);
static_assert(!std::is_move_constructible_v<sse_parser>);
