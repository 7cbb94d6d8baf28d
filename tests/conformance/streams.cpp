// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Streams of many providers, as recorded: whole, byte by byte, and cut at random.

#include <serin/sse/parser.hpp>

#include "../../src/chat/accumulator.hpp"
#include "expected.hpp"

#include <algorithm>
#include <functional>
#include <random>

namespace {

struct played
{
    serin::error_code ec;
    serin::chat_response response;
    std::string text; // of the lowest choice, from the deltas
    std::string reasoning;
    std::string arguments;
};

void take_deltas(serin::accumulator& sum, played& out)
{
    while (auto delta = sum.next())
    {
        if (delta->index != 0)
            continue;
        out.text += delta->text;
        out.reasoning += delta->reasoning;
        for (auto const& call : delta->tool_calls)
            out.arguments += call.arguments;
    }
}

// Plays a stream in pieces, whose sizes a function chooses, and judges its end as a client does.
played play(std::string const& raw, std::function<std::size_t()> const& piece_size)
{
    played out;
    serin::sse_parser parser;
    serin::accumulator sum;
    std::size_t at = 0;
    bool over = false;
    while (!over)
    {
        over = at == raw.size();
        if (over)
            parser.finish();
        else
        {
            std::size_t const size = std::min(piece_size(), raw.size() - at);
            out.ec = parser.put(std::string_view(raw).substr(at, size));
            at += size;
        }
        while (!out.ec)
        {
            auto const event = parser.next();
            if (!event)
                break;
            out.ec = event->complete ? sum.put(event->type, event->data) : sum.put_last(event->type, event->data);
            take_deltas(sum, out);
        }
        over = over || out.ec || sum.done();
    }
    if (!out.ec && !sum.done() && !sum.finished())
        out.ec = serin::errc::stream_truncated;
    out.response = sum.take();
    return out;
}

void check_case(nlohmann::json const& c, std::function<std::size_t()> const& piece_size)
{
    auto const& expected = c.at("expected");
    played const p = play(c.at("raw_sse").get<std::string>(), piece_size);
    INFO(p.ec.message());
    if (expected.contains("error"))
    {
        CHECK(p.ec);
        std::string const whole = serin::test::text_at(expected, "content");
        CHECK(whole.compare(0, p.response.text().size(), p.response.text()) == 0);
        return;
    }
    CHECK_FALSE(p.ec);
    serin::test::check_response(p.response, expected);

    // The deltas add up to the same.
    std::string arguments;
    for (auto const& call : p.response.tool_calls())
        arguments += call.arguments;
    CHECK(p.text == p.response.text());
    CHECK(p.reasoning == p.response.reasoning());
    CHECK(p.arguments.size() == arguments.size());
}

} // namespace

TEST_CASE("recorded streams come out as expected")
{
    for (auto const& c : serin::test::conformance_cases("streams.json"))
    {
        INFO(c.at("name").get<std::string>());
        check_case(c, [] { return std::size_t(1) << 30; });
    }
}

TEST_CASE("recorded streams come out the same byte by byte")
{
    for (auto const& c : serin::test::conformance_cases("streams.json"))
    {
        INFO(c.at("name").get<std::string>());
        check_case(c, [] { return std::size_t(1); });
    }
}

TEST_CASE("recorded streams come out the same in random pieces")
{
    std::mt19937 random(20260101);
    std::uniform_int_distribution<std::size_t> size(1, 300);
    for (auto const& c : serin::test::conformance_cases("streams.json"))
    {
        INFO(c.at("name").get<std::string>());
        for (int round = 0; round < 3; ++round)
            check_case(c, [&] { return size(random); });
    }
}
