// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CHAT_RELAY_WIRE_HPP
#define SERIN_SRC_CHAT_RELAY_WIRE_HPP

#include "errors.hpp"
#include "json_reader.hpp"

#include <serin/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace serin {

/// A request that somebody else has written, as far as it must be known to pass it on.
class relayed_body
{
public:
    std::string model;            ///< What is asked for.
    std::string tail;             ///< Everything but the model; see @ref append_request.
    std::string sticky_key;       ///< Whose request it is, or of which series; empty: unknown.
    std::uint64_t max_answer = 0; ///< How many tokens the answer may have; 0: unknown.
    std::size_t inputs = 0;       ///< How many texts there are to embed; 0: unknown.
    bool stream = false;          ///< A stream is asked for,
    bool asks_for_usage = false;  ///< and its usage.

    relayed_body() {}
};

/// Reads the body of a request for a chat, or for embeddings. Members pass through as they are, unknown ones too, but
/// for the model and, of a chat that is to be streamed, `stream_options.include_usage`, which becomes true. Errors:
/// invalid_argument, with `why` as OpenAI would say it.
error_code read_relayed_body(
    json_reader& reader, std::string_view body, bool chat, relayed_body& out, server_error& why);

/// Appends a whole completion as the events of a stream: one chunk for each choice, and one with the usage if there is
/// one and it is asked for. Without the end mark.
void append_as_stream(json_value completion, bool with_usage, std::string& out);

/// Appends an event, whose data may have several lines.
void append_event(std::string& out, std::string_view data);

} // namespace serin

#endif
