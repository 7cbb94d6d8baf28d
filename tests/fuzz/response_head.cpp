// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// libFuzzer target: a response, its head and its body in any framing, is read alike however its bytes are cut. The
// first bytes of the input choose the cuts, the limits and whether the connection closes in the end.

#include "fuzz.hpp"

#include "../../src/http/response_parser.hpp"

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace {

using fuzz::require;
using serin::errc;
using serin::response_parser;

struct verdict
{
    serin::error_code ec;
    bool complete = false;
    bool keeps_alive = false;
    int status = 0;
    std::string body;
    std::size_t used = 0;
};

struct conditions
{
    std::size_t head_limit = 0;
    std::optional<std::size_t> body_limit;
    bool closes = false;
};

// Feeds the bytes in pieces of these sizes, as a connection does: what was not used comes again with the next piece.
verdict run(std::string_view bytes, std::vector<std::size_t> const& sizes, conditions const& c)
{
    serin::field_block fields;
    response_parser parser(c.head_limit, fields);
    verdict v;
    std::size_t seen = 0;
    std::size_t piece = 0;
    bool has_head = false;
    for (;;)
    {
        fuzz::exact_copy const input(bytes.substr(v.used, seen - v.used));
        std::size_t used = 0;
        auto const step = parser.advance(input.view(), used, v.ec);
        require(used <= input.view().size());
        v.used += used;
        switch (step)
        {
        case response_parser::step::head:
            require(!has_head && parser.has_head());
            has_head = true;
            for (auto const& field : fields.to_headers())
                require(field.name.size() + field.value.size() <= c.head_limit &&
                        field.value.find_first_of("\r\n") == std::string::npos &&
                        field.name.find_first_of("\r\n: ") == std::string::npos);
            if (c.body_limit && parser.announced_length().value_or(0) > *c.body_limit)
            {
                v.ec = errc::response_too_large;
                break;
            }
            if (c.body_limit)
                parser.limit_body(*c.body_limit);
            continue;
        case response_parser::step::body:
        {
            require(has_head && !parser.piece().empty());
            auto const first = input.view().data();
            require(parser.piece().data() >= first && parser.piece().data() + parser.piece().size() <= first + used);
            v.body += parser.piece();
            require(!c.body_limit || v.body.size() <= *c.body_limit);
            continue;
        }
        case response_parser::step::failed: require(v.ec.failed()); break;
        case response_parser::step::end: require(has_head && parser.complete()); break;
        case response_parser::step::need_more:
            require(!v.ec);
            if (seen < bytes.size())
            {
                seen = std::min(bytes.size(), seen + sizes[piece++ % sizes.size()]);
                continue;
            }
            if (c.closes)
                v.ec = parser.finish();
            break;
        }
        break;
    }
    v.complete = parser.complete();
    v.keeps_alive = parser.keeps_alive();
    v.status = parser.status();
    return v;
}

void require_alike(verdict const& a, verdict const& b)
{
    require(a.ec.failed() == b.ec.failed());
    // What is both too large and wrong is one or the other, by what is seen first.
    if (a.ec != errc::response_too_large && b.ec != errc::response_too_large)
        require(a.ec == b.ec);
    if (a.ec)
        return;
    require(a.complete == b.complete && a.keeps_alive == b.keeps_alive && a.status == b.status && a.body == b.body);
    require(!a.complete || a.used == b.used);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* bytes, std::size_t size)
{
    std::string_view input = fuzz::as_text(bytes, size);
    std::mt19937 random(fuzz::take_option(input));
    unsigned const option = fuzz::take_option(input);
    conditions c;
    c.head_limit = option & 2 ? 32 + option : 64 * 1024;
    if (option & 4)
        c.body_limit = option >> 3;
    c.closes = option & 1;

    verdict const whole = run(input, {std::max<std::size_t>(input.size(), 1)}, c);
    require_alike(run(input, {1}, c), whole);
    std::vector<std::size_t> sizes;
    for (int i = 0; i < 16; ++i)
        sizes.push_back(1 + random() % (i % 4 == 0 ? 100 : 8));
    require_alike(run(input, sizes, c), whole);
    return 0;
}
