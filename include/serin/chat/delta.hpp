// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CHAT_DELTA_HPP
#define SERIN_CHAT_DELTA_HPP

#include <cstddef>
#include <span>
#include <string_view>

namespace serin {

/// What a chunk added to one tool call.
class tool_call_delta
{
public:
    std::size_t index = 0;      ///< Which call: its place in the message's `tool_calls`, whatever the server sent.
    std::string_view id;        ///< The call's id so far.
    std::string_view name;      ///< The tool's name, in the chunk that brings it.
    std::string_view arguments; ///< The piece of the arguments, or of a custom tool's input.

    tool_call_delta() {}
};

/// What one chunk of a stream added to one choice. The views are valid until the next chunk is read.
class chat_delta
{
public:
    int index = 0;                               ///< Which choice.
    std::string_view text;                       ///< The piece of text.
    std::string_view reasoning;                  ///< The piece of reasoning.
    std::string_view refusal;                    ///< The piece of a refusal.
    std::span<tool_call_delta const> tool_calls; ///< The pieces of tool calls.
    tool_call_delta function_call;               ///< The piece of a deprecated function call; its index means nothing.
    std::string_view audio_data;                 ///< The piece of sound, in base64.
    std::string_view audio_transcript;           ///< The piece of what is said.
    std::string_view finish_reason;              ///< Why the choice ended, in the chunk that says so.
    bool restarted = false; ///< The stream had broken and begins anew with this: what came before it is void.

    chat_delta() {}

    /// Whether the chunk brought a piece of the answer. A chunk with only a role, a call's name, a finish reason or
    /// nothing at all is not a token.
    bool has_token() const noexcept
    {
        if (!text.empty() || !reasoning.empty() || !refusal.empty() || !function_call.arguments.empty() ||
            !audio_data.empty() || !audio_transcript.empty())
            return true;
        for (auto const& call : tool_calls)
            if (!call.arguments.empty())
                return true;
        return false;
    }
};

} // namespace serin

#endif
