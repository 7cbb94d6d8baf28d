// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// libFuzzer target: however a stream is cut, and whenever its events are taken, the same events come out, they are
// valid UTF-8, and the limits are hit at the same place. The first bytes of the input choose the limits and the cuts.

#include <serin/sse/parser.hpp>

#include "../../src/core/utf8.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct record
{
    std::string type;
    std::string data;
    std::string id;
    std::optional<std::chrono::milliseconds> retry;
    bool complete;

    bool operator==(record const&) const = default;
};

struct outcome
{
    std::vector<record> events;
    std::uint64_t comments = 0;
    bool too_large = false;

    bool operator==(outcome const&) const = default;
};

void require(bool condition)
{
    if (!condition)
        std::abort();
}

record to_record(serin::sse_event const& e)
{
    require(serin::is_valid_utf8(e.type) && serin::is_valid_utf8(e.data) && serin::is_valid_utf8(e.id));
    return {std::string(e.type), std::string(e.data), std::string(e.id), e.retry, e.complete};
}

enum class taking
{
    at_once,  // after every put until nothing comes
    one_each, // one event after every put
    in_the_end
};

outcome run(std::string_view input, serin::sse_limits limits, std::vector<std::size_t> const& sizes, taking mode)
{
    outcome out;
    serin::sse_parser parser(limits);

    // The views of all events since the last put, to see that they stay as they were.
    std::vector<serin::sse_event> views;
    std::size_t checked = 0;
    auto const take = [&](std::size_t count) {
        for (; count != 0; --count)
        {
            auto const event = parser.next();
            if (!event)
                break;
            views.push_back(*event);
            out.events.push_back(to_record(*event));
        }
        for (std::size_t i = 0; i < views.size(); ++i)
            require(to_record(views[i]) == out.events[checked + i]);
    };

    // Every piece is in memory of its own, so that a sanitizer sees a look at bytes that are gone.
    std::vector<char> piece;
    for (std::size_t i = 0; !input.empty() && !out.too_large; ++i)
    {
        std::size_t const size = std::min(input.size(), sizes.empty() ? input.size() : sizes[i % sizes.size()]);
        std::vector<char> following(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(size));
        input.remove_prefix(size);
        out.too_large = parser.put(std::string_view(following.data(), following.size())).failed();
        piece = std::move(following);
        checked = out.events.size();
        views.clear();

        if (mode == taking::at_once)
        {
            take(SIZE_MAX);
            require(parser.buffered() <= limits.max_event + 3);
        }
        else if (mode == taking::one_each)
        {
            take(1);
        }
    }
    take(SIZE_MAX);
    parser.finish();
    take(SIZE_MAX);
    require(!parser.next());
    out.comments = parser.comments();
    return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* bytes, std::size_t size)
{
    if (size < 2)
        return 0;
    std::mt19937 random(bytes[0]);
    serin::sse_limits limits;
    if (bytes[1] % 4 == 1)
        limits = {.max_line = bytes[1], .max_event = std::size_t(bytes[1]) * 2};
    else if (bytes[1] % 4 == 2)
        limits = {.max_line = 1000, .max_event = bytes[1]};
    std::string_view const input(reinterpret_cast<char const*>(bytes) + 2, size - 2);

    outcome const whole = run(input, limits, {}, taking::at_once);
    require(run(input, limits, {1}, taking::at_once) == whole);
    std::vector<std::size_t> sizes;
    for (int i = 0; i < 16; ++i)
        sizes.push_back(1 + random() % (i % 4 == 0 ? 100 : 8));
    require(run(input, limits, sizes, taking::at_once) == whole);

    // These could fill the backlog, whose size depends on when events are taken.
    if (input.size() < std::size_t(60) * 1024)
    {
        require(run(input, limits, sizes, taking::one_each) == whole);
        require(run(input, limits, sizes, taking::in_the_end) == whole);
    }
    return 0;
}
