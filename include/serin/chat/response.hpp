// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CHAT_RESPONSE_HPP
#define SERIN_CHAT_RESPONSE_HPP

#include <serin/chat/message.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace serin {

/// What a call used. A count that the server did not send is 0.
class token_usage
{
public:
    std::uint64_t prompt_tokens = 0;              ///< Tokens read.
    std::uint64_t completion_tokens = 0;          ///< Tokens written, reasoning included.
    std::uint64_t total_tokens = 0;               ///< As sent; the sum of both if the server leaves it out.
    std::uint64_t cached_tokens = 0;              ///< Of the prompt: read from a cache.
    std::uint64_t cache_write_tokens = 0;         ///< Of the prompt: put into a cache.
    std::uint64_t reasoning_tokens = 0;           ///< Of the completion: reasoning.
    std::uint64_t prompt_audio_tokens = 0;        ///< Of the prompt: sound.
    std::uint64_t prompt_image_tokens = 0;        ///< Of the prompt: pictures.
    std::uint64_t completion_audio_tokens = 0;    ///< Of the completion: sound.
    std::uint64_t accepted_prediction_tokens = 0; ///< Of the prediction: came true.
    std::uint64_t rejected_prediction_tokens = 0; ///< Of the prediction: did not, but is paid for.
    std::string extra;                            ///< Other members, a JSON object or empty.

    token_usage() {}
};

/// How likely a token was.
class token_logprob
{
public:
    std::string token;              ///< Its text.
    double logprob = 0;             ///< Natural logarithm of its probability.
    std::string bytes;              ///< Its bytes, which need not be valid UTF-8; empty if not sent.
    std::vector<token_logprob> top; ///< The likeliest tokens at its place.

    token_logprob() {}
};

/// How likely the tokens of an answer were.
class choice_logprobs
{
public:
    std::vector<token_logprob> content; ///< Of the text.
    std::vector<token_logprob> refusal; ///< Of the refusal.

    choice_logprobs() {}
};

/// One of the answers.
class chat_choice
{
public:
    int index = 0;                           ///< Its number.
    serin::message message;                  ///< The answer.
    std::string finish_reason;               ///< "stop", "length", "tool_calls", "content_filter"...; empty: not given.
    std::optional<choice_logprobs> logprobs; ///< If they were asked for.
    std::string message_extra;               ///< Other members of the message, a JSON object or empty.
    std::string extra;                       ///< Other members of the choice, a JSON object or empty.

    chat_choice() {}
};

/// What the model answered. Unknown members are kept as JSON text in `extra`: read them with `chat/json.hpp`.
class chat_response
{
public:
    std::string id;                   ///< The server's name for the answer.
    std::string object;               ///< "chat.completion".
    std::string model;                ///< The model that answered, as the server calls it.
    std::int64_t created = 0;         ///< When, Unix time in seconds.
    std::vector<chat_choice> choices; ///< The answers. At least one in a whole answer, sorted by index.
    std::optional<token_usage> usage; ///< If the server counted.
    std::string system_fingerprint;   ///< The server's configuration.
    std::string service_tier;         ///< The tier that was billed.
    std::string upstream;             ///< The upstream that answered. Filled by the client.
    std::string request_id;           ///< The server's name for the request. Filled by the client.
    std::string extra;                ///< Other members, a JSON object or empty.

    /// No request was made for this call: the answer was kept from an earlier one, or an identical call that was under
    /// way has brought it. Its usage is that of the request that was made. Filled by the client.
    bool from_cache = false;

    chat_response() {}

    // Not in the header: every user's file would compile them.
    chat_response(chat_response const&);                ///< Copies all.
    chat_response(chat_response&&) noexcept;            ///< Leaves an unspecified answer behind.
    chat_response& operator=(chat_response const&);     ///< Copies all.
    chat_response& operator=(chat_response&&) noexcept; ///< Leaves an unspecified answer behind.
    ~chat_response();

    /// The answer of the lowest index; null if there is none.
    chat_choice const* first() const noexcept { return choices.empty() ? nullptr : &choices.front(); }

    /// The message of the lowest choice; an empty one if there is none. Valid as long as the response.
    serin::message const& reply() const noexcept;

    /// Text of the lowest choice.
    std::string const& text() const noexcept { return reply().content; }

    /// What the model thought.
    std::string const& reasoning() const noexcept { return reply().reasoning; }

    /// Why the model refused; empty if it did not.
    std::string const& refusal() const noexcept { return reply().refusal; }

    /// The tools to call.
    std::vector<tool_call> const& tool_calls() const noexcept { return reply().tool_calls; }

    /// Why the lowest choice ended; empty if the server did not say.
    std::string const& finish_reason() const noexcept;
};

} // namespace serin

#endif
