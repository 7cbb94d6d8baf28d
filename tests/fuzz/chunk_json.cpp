// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// libFuzzer target: whatever the chunks of a stream hold, the deltas add up to the answer, which is valid UTF-8, and
// the limit holds. The first byte of the input chooses the limit; each line is the data of an event, an error event if
// it begins with an exclamation mark.

#include "fuzz.hpp"

#include "../../src/chat/accumulator.hpp"
#include "../../src/core/utf8.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

using fuzz::require;
using serin::is_valid_utf8;

// What the deltas of one choice add up to.
struct sum
{
    std::string text;
    std::string reasoning;
    std::string refusal;
    std::string audio_data;
    std::string audio_transcript;
    std::string function_arguments;
    std::string finish_reason;
    std::vector<std::string> arguments;
};

void require_object(std::string const& text)
{
    serin::json_reader reader;
    serin::json_value root;
    require(text.empty() || (reader.parse_exact(text, root) && root.is_object()));
}

void require_same(sum const& deltas, serin::chat_choice const& choice)
{
    serin::message const& m = choice.message;
    require(deltas.text == m.content && deltas.reasoning == m.reasoning && deltas.refusal == m.refusal);
    require(is_valid_utf8(m.content) && is_valid_utf8(m.reasoning) && is_valid_utf8(m.refusal));
    require(deltas.audio_data == (m.audio ? m.audio->data : ""));
    require(deltas.audio_transcript == (m.audio ? m.audio->transcript : ""));
    require(deltas.function_arguments == (m.function_call ? m.function_call->arguments : ""));
    require(deltas.finish_reason == choice.finish_reason);
    require(m.tool_calls.size() <= serin::max_tool_calls);
    require(deltas.arguments.size() == m.tool_calls.size());
    for (std::size_t i = 0; i < m.tool_calls.size(); ++i)
    {
        require(deltas.arguments[i] == m.tool_calls[i].arguments && is_valid_utf8(deltas.arguments[i]));
        require_object(m.tool_calls[i].extra);
    }
    require_object(choice.extra);
    require_object(choice.message_extra);
}

class stream
{
    serin::accumulator answer_;
    std::map<int, sum> sums_;

    void add_up(serin::chat_delta const& delta)
    {
        sum& s = sums_[delta.index];
        s.text += delta.text;
        s.reasoning += delta.reasoning;
        s.refusal += delta.refusal;
        s.audio_data += delta.audio_data;
        s.audio_transcript += delta.audio_transcript;
        s.function_arguments += delta.function_call.arguments;
        if (!delta.finish_reason.empty())
            s.finish_reason = delta.finish_reason;
        for (serin::tool_call_delta const& call : delta.tool_calls)
        {
            require(is_valid_utf8(call.id) && is_valid_utf8(call.name));
            require(call.index <= s.arguments.size());
            if (call.index == s.arguments.size())
                s.arguments.emplace_back();
            s.arguments[call.index] += call.arguments;
        }
    }

public:
    explicit stream(std::size_t limit) : answer_(limit) {}

    // False if the stream has failed.
    bool put(std::string_view line, bool last)
    {
        std::string_view type = "message";
        if (!line.empty() && line.front() == '!')
        {
            type = "error";
            line.remove_prefix(1);
        }
        serin::error_code ec;
        {
            fuzz::exact_copy const data(line);
            ec = last ? answer_.put_last(type, data.view()) : answer_.put(type, data.view());
        }
        for (auto delta = answer_.next(); delta; delta = answer_.next())
            add_up(*delta);
        return !ec.failed();
    }

    void require_refusal() { require(answer_.put("", R"({"choices":[]})").failed() && !answer_.next()); }

    void check()
    {
        serin::chat_response const& response = answer_.response();
        require(response.choices.size() == sums_.size() && sums_.size() <= serin::max_choices);
        int last = -1;
        for (serin::chat_choice const& choice : response.choices)
        {
            require(choice.index > last);
            last = choice.index;
            require_same(sums_.at(choice.index), choice);
        }
        require_object(response.extra);
        serin::server_error const& err = answer_.error();
        require(is_valid_utf8(err.message) && is_valid_utf8(err.code) && is_valid_utf8(err.type));
        std::size_t const choices = response.choices.size();
        require(answer_.take().choices.size() == choices);
    }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* bytes, std::size_t size)
{
    std::string_view input = fuzz::as_text(bytes, size);
    unsigned const option = fuzz::take_option(input);
    stream s(option % 4 == 1 ? option : std::size_t(64) << 20);
    bool good = true;
    while (good && !input.empty())
    {
        auto const end = input.find('\n');
        bool const last = end == std::string_view::npos && option >= 128;
        good = s.put(input.substr(0, end), last);
        input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
    }
    if (!good)
        s.require_refusal();
    s.check();
    return 0;
}
