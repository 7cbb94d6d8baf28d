// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CHAT_EMBEDDING_HPP
#define SERIN_CHAT_EMBEDDING_HPP

#include <serin/chat/response.hpp>
#include <serin/core/error.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace serin {

/// How a server is asked to send vectors. Whatever it sends then is understood.
enum class embedding_encoding
{
    base64, ///< As bytes: a quarter of the size.
    floats, ///< As numbers. Nothing is asked for, since that is what servers do by themselves.
};

/// Texts to be turned into vectors. A parameter that is not set is not sent, and the server's default holds.
/// Values are checked by @ref validate before anything is sent. Distinct objects may be used from distinct threads.
class embedding_request
{
public:
    std::string model;              ///< The model, or a name of the client's own; empty: the upstream's.
    std::vector<std::string> input; ///< The texts: 1 to 2048, none of them empty.

    std::optional<std::int64_t> dimensions;                   ///< At least 1: the length that the vectors shall have.
    embedding_encoding encoding = embedding_encoding::base64; ///< How the vectors are sent.
    std::optional<std::string> end_user;                      ///< Sent as `user`.

    /// Further members of the request, a JSON object as text, or empty. They replace members of the same name
    /// above; "model" cannot be replaced, and "input", for tokens instead of texts, only if there are no texts above.
    std::string extra;

    /// The same upstream answers requests with the same key, as far as the model's policy or its rollout is sticky: the
    /// name of a user or of a conversation, as a rule. Never sent. Empty: none.
    std::string sticky_key;

    /// What its cost is put down to: a customer, a feature. Not sent.
    std::string tag;

    /// Replaces the client's deadline for everything: all attempts and the waits between them.
    std::optional<std::chrono::steady_clock::duration> timeout;

    embedding_request() {}

    /// For this model.
    explicit embedding_request(std::string model_name) : model(std::move(model_name)) {}

    /// Adds a text.
    embedding_request& add(std::string text) &
    {
        input.push_back(std::move(text));
        return *this;
    }

    /// @copydoc add
    embedding_request&& add(std::string text) && { return std::move(add(std::move(text))); }

    /// Checks what can be checked without a server: the ranges above, and that `extra` is JSON.
    /// Returns `errc::invalid_argument` and puts a sentence that names the field into `why`.
    error_code validate(std::string& why) const;
};

/// The vectors of texts.
class embedding_response
{
public:
    std::string model;                       ///< The model that answered, as the server calls it.
    std::vector<std::vector<float>> vectors; ///< One for each text, in their order. None is empty, all are finite.
    std::optional<token_usage> usage;        ///< If the server counted.
    std::string upstream;                    ///< The upstream that answered. Filled by the client.
    std::string request_id;                  ///< The server's name for the request. Filled by the client.
    std::string extra;                       ///< Other members, a JSON object or empty.

    embedding_response() {}
};

} // namespace serin

#endif
