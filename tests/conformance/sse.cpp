// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/sse/parser.hpp>

#include "catch.hpp"
#include "conformance.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using nlohmann::json;
using serin::sse_event;
using serin::sse_parser;

namespace {

// An event in the form of the data.
json to_json(sse_event const& event)
{
    json out = {{"event", event.type}, {"data", event.data}, {"id", event.id}, {"retry", nullptr}};
    if (event.retry)
        out["retry"] = event.retry->count();
    return out;
}

struct outcome
{
    json events = json::array();
    std::uint64_t comments = 0;
};

// The events that end with a blank line: the standard knows no others.
outcome parse(std::vector<std::string_view> const& pieces)
{
    outcome out;
    sse_parser parser;
    auto const take = [&] {
        while (auto const event = parser.next())
            if (event->complete)
                out.events.push_back(to_json(*event));
    };
    std::string buffer;
    for (std::string_view const piece : pieces)
    {
        buffer.assign(piece);
        REQUIRE_FALSE(parser.put(std::string_view(buffer)));
        take();
        std::fill(buffer.begin(), buffer.end(), '\n'); // the parser must not look at it again
    }
    parser.finish();
    take();
    out.comments = parser.comments();
    return out;
}

std::vector<std::string_view> cut(std::string_view input, std::size_t size)
{
    std::vector<std::string_view> pieces;
    for (; !input.empty(); input.remove_prefix(pieces.back().size()))
        pieces.push_back(input.substr(0, size));
    return pieces;
}

std::vector<std::string_view> cut_at_random(std::string_view input, std::uint32_t seed)
{
    std::mt19937 random(seed);
    std::size_t const longest = 1 + random() % 40;
    std::vector<std::string_view> pieces;
    for (; !input.empty(); input.remove_prefix(pieces.back().size()))
        pieces.push_back(input.substr(0, random() % (longest + 1)));
    return pieces;
}

} // namespace

TEST_CASE("conformance: sse cases, cut in every way")
{
    auto const dir = serin::test::conformance_dir();
    if (!dir)
    {
        WARN(serin::test::no_conformance_data);
        return;
    }
    json const cases = serin::test::load_json(*dir / "sse_cases.json");
    REQUIRE_FALSE(cases.empty());
    for (json const& c : cases)
    {
        CAPTURE(c.at("name").get<std::string>());
        std::string const input = serin::test::base64_decode(c.at("input_base64").get<std::string>());
        json const& expected = c.at("expected_events");
        auto const check = [&](std::string const& how, std::vector<std::string_view> const& pieces) {
            CAPTURE(how);
            outcome const got = parse(pieces);
            CHECK(got.events == expected);
            CHECK(got.comments == c.at("comments").get<std::uint64_t>());
        };

        check("whole", {input});
        check("byte by byte", cut(input, 1));
        if (c.contains("chunks"))
        {
            std::vector<std::string> chunks;
            for (json const& chunk : c.at("chunks"))
                chunks.push_back(serin::test::base64_decode(chunk.get<std::string>()));
            check("chunks", {chunks.begin(), chunks.end()});
        }
        if (c.contains("split_hints"))
            for (json const& size : c.at("split_hints"))
                check("pieces of " + size.dump(), cut(input, size.get<std::size_t>()));
        for (std::uint32_t seed = 0; seed < 50; ++seed)
            check("seed " + std::to_string(seed), cut_at_random(input, seed));
    }
}

TEST_CASE("conformance: big sse inputs")
{
    auto const dir = serin::test::conformance_dir();
    if (!dir)
    {
        WARN(serin::test::no_conformance_data);
        return;
    }
    json const cases = serin::test::load_json(*dir / "sse_generated.json");
    REQUIRE_FALSE(cases.empty());
    for (json const& c : cases)
    {
        CAPTURE(c.at("name").get<std::string>());
        auto const part = [&c](char const* name) { return serin::test::base64_decode(c.at(name).get<std::string>()); };
        std::string const unit = part("unit_base64");
        std::string input = part("prefix_base64");
        for (auto i = c.at("count").get<std::size_t>(); i != 0; --i)
            input += unit;
        input += part("suffix_base64");

        for (std::size_t const size : {input.size(), std::size_t(16 * 1024), std::size_t(1000), std::size_t(1)})
        {
            CAPTURE(size);
            sse_parser parser;
            std::size_t events = 0;
            for (std::string_view const piece : cut(input, size))
            {
                if (parser.put(piece))
                    FAIL("a limit was exceeded");
                while (auto const event = parser.next())
                {
                    if (events++ == 0)
                    {
                        CHECK(event->complete);
                        CHECK(event->data.size() == c.at("expected_first_data_bytes").get<std::size_t>());
                        CHECK(serin::test::sha256_hex(event->data) ==
                              c.at("expected_first_data_sha256").get<std::string>());
                    }
                }
            }
            parser.finish();
            CHECK_FALSE(parser.next());
            CHECK(events == c.at("expected_event_count").get<std::size_t>());
        }
    }
}
