// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CHAT_WIRE_READ_HPP
#define SERIN_SRC_CHAT_WIRE_READ_HPP

#include "errors.hpp"
#include "json_reader.hpp"

#include <serin/chat/response.hpp>
#include <serin/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace serin {

/// The most choices of an answer.
inline constexpr std::size_t max_choices = 128;

/// The most tool calls of a choice.
inline constexpr std::size_t max_tool_calls = 128;

/// The most token probabilities of an answer; the rest is dropped, for three bytes of JSON can make one.
inline constexpr std::size_t max_logprobs = std::size_t(1) << 20;

/// The most models, vectors or results of an answer whose size the request does not tell.
inline constexpr std::size_t max_answer_items = std::size_t(1) << 16;

/// Reads a whole answer. Errors: the cause of an error object inside it, with `err` filled; malformed_response if
/// it is not a chat completion; response_too_large if it has too many choices or tool calls.
error_code read_response(json_reader& reader, std::string_view body, chat_response& out, server_error& err);

/// Reads what a call used. False, and `out` as it was, if there is not one count in it.
bool read_usage(json_value from, token_usage& out);

/// Appends what a "logprobs" object holds, as long as `left` lasts. False if it has another shape.
bool read_logprobs(json_value from, choice_logprobs& out, std::size_t& left);

/// Appends the citations among "annotations". False if it holds something else too.
bool read_annotations(json_value from, std::vector<url_citation>& out);

/// Appends a content that is a string or an array of parts. False if it holds something else too.
bool read_content(json_value from, std::string& text, std::string& reasoning, std::string& refusal);

/// The arguments of a tool call: a string, or JSON that some servers send unquoted; then `scratch` holds the text.
std::string_view arguments_in(json_value from, std::string& scratch);

/// Whether a key is this literal.
template <std::size_t N>
bool key_is(std::string_view key, char const (&literal)[N]) noexcept
{
    return key.size() == N - 1 && std::memcmp(key.data(), literal, N - 1) == 0;
}

/// Adds a member to the text of a JSON object, which may be empty. Leaves nulls out: they are not worth keeping.
void add_member(std::string& object, std::string_view key, json_value value);

/// The error that an answer of status 200 holds instead of what was asked for, with `err` filled; malformed_response if
/// it is no object at all.
error_code error_in_answer(json_value root, server_error& err);

} // namespace serin

#endif
