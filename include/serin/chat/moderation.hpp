// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CHAT_MODERATION_HPP
#define SERIN_CHAT_MODERATION_HPP

#include <serin/core/error.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace serin {

/// Texts to be checked for harm. Values are checked by @ref validate before anything is sent. Distinct objects may be
/// used from distinct threads.
class moderation_request
{
public:
    std::string model;              ///< The model; empty: the upstream's, or else the server's default.
    std::vector<std::string> input; ///< The texts. At least one.

    /// Further members of the request, a JSON object as text, or empty. "model" cannot be replaced, and "input", for
    /// pictures, only if there are no texts above.
    std::string extra;

    /// Replaces the client's deadline for everything: all attempts and the waits between them.
    std::optional<std::chrono::steady_clock::duration> timeout;

    moderation_request() {}

    /// For this model.
    explicit moderation_request(std::string model_name) : model(std::move(model_name)) {}

    /// Adds a text.
    moderation_request& add(std::string text) &
    {
        input.push_back(std::move(text));
        return *this;
    }

    /// @copydoc add
    moderation_request&& add(std::string text) && { return std::move(add(std::move(text))); }

    /// Checks what can be checked without a server: that there are texts, and that `extra` is JSON.
    /// Returns `errc::invalid_argument` and puts a sentence that names the field into `why`.
    error_code validate(std::string& why) const;
};

/// What was found in one text.
class moderation_result
{
public:
    bool flagged = false;                   ///< Whether it is harmful. If the server does not say: if a category is.
    std::map<std::string, bool> categories; ///< Whether each kind of harm, as "harassment" or "violence", was found.
    std::map<std::string, double> scores;   ///< How likely each kind of harm is, 0 to 1.
    std::string extra;                      ///< Other members, a JSON object or empty.

    moderation_result() {}
};

/// What was found in texts.
class moderation_response
{
public:
    std::string id;                         ///< The server's name for the answer.
    std::string model;                      ///< The model that answered, as the server calls it.
    std::vector<moderation_result> results; ///< One for each text, in their order.
    std::string upstream;                   ///< The upstream that answered. Filled by the client.
    std::string request_id;                 ///< The server's name for the request. Filled by the client.
    std::string extra;                      ///< Other members, a JSON object or empty.

    moderation_response() {}

    /// Whether any of the texts is flagged.
    bool flagged() const noexcept
    {
        return std::any_of(results.begin(), results.end(), [](moderation_result const& r) { return r.flagged; });
    }
};

} // namespace serin

#endif
