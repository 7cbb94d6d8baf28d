// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CHAT_REQUEST_HPP
#define SERIN_CHAT_REQUEST_HPP

#include <serin/chat/message.hpp>
#include <serin/chat/tool.hpp>
#include <serin/core/error.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace serin {

/// The form that the answer shall have.
class response_format
{
public:
    std::string type = "text";  ///< "text", "json_object" or "json_schema".
    std::string name;           ///< Of the schema: letters, digits, _ and -.
    std::string description;    ///< What the schema is for; empty: not sent.
    std::string schema;         ///< A JSON Schema as text.
    std::optional<bool> strict; ///< Whether the answer must follow the schema exactly. Default: the server's.

    response_format() {}

    /// Of this type.
    explicit response_format(std::string format_type) : type(std::move(format_type)) {}

    /// Plain text: the server's default.
    static response_format text() { return response_format("text"); }

    /// Some JSON object. The prompt must ask for JSON too.
    static response_format json_object() { return response_format("json_object"); }

    /// JSON that follows a schema.
    static response_format json_schema(std::string schema_name, std::string json_schema_text, bool exactly = true)
    {
        response_format f("json_schema");
        f.name = std::move(schema_name);
        f.schema = std::move(json_schema_text);
        f.strict = exactly;
        return f;
    }
};

/// The sound that the answer shall have; see `chat_request::modalities`.
class audio_params
{
public:
    std::string voice;          ///< The voice's name.
    std::string format = "wav"; ///< "wav", "aac", "mp3", "flac", "opus" or "pcm16".

    audio_params() {}

    /// With these values.
    audio_params(std::string voice_name, std::string audio_format)
        : voice(std::move(voice_name)),
          format(std::move(audio_format))
    {}
};

/// How a model with a web search shall search. Empty members are not sent.
class web_search_params
{
public:
    std::string search_context_size; ///< "low", "medium" or "high".
    std::string city;                ///< Roughly where the user is.
    std::string country;             ///< Two letters.
    std::string region;              ///< State or province.
    std::string timezone;            ///< As "Europe/Berlin".

    web_search_params() {}
};

/// What a call has to do with the client's cache of answers, if it has one; see cache_params.
enum class cache_use
{
    as_configured, ///< An answer that is kept will do, and the server's is kept.
    bypass,        ///< The server is asked, and nothing is kept.
    refresh,       ///< The server is asked, and its answer replaces the one that is kept.
};

/// What to ask a model. A parameter that is not set is not sent, and the server's default holds.
/// Values are checked by @ref validate before anything is sent. Distinct objects may be used from distinct threads.
class chat_request
{
public:
    std::string model;             ///< The model, or a name of the client's own; empty: the upstream's.
    std::vector<message> messages; ///< The conversation, oldest first. At least one.

    std::optional<double> temperature;                 ///< 0 to 2: how much chance there is in the answer.
    std::optional<double> top_p;                       ///< 0 to 1: only the most likely tokens of that total weight.
    std::optional<std::int64_t> max_tokens;            ///< At least 1. Deprecated, but the name that most servers know.
    std::optional<std::int64_t> max_completion_tokens; ///< At least 1; counts reasoning too.
    std::vector<std::string> stop;                     ///< Up to 4 texts at which the answer ends.
    std::optional<std::int64_t> seed;                  ///< For answers that repeat, as far as the server can.
    std::optional<std::int64_t> n;                     ///< 1 to 128 answers.
    std::optional<double> presence_penalty;            ///< -2 to 2.
    std::optional<double> frequency_penalty;           ///< -2 to 2.
    std::map<std::string, double> logit_bias;          ///< By token number.
    std::optional<bool> logprobs;                      ///< Whether to send how likely each token was.
    std::optional<std::int64_t> top_logprobs;          ///< 0 to 20 alternatives for each token.

    std::vector<tool> tools;                               ///< What the model may call.
    std::optional<serin::tool_choice> tool_choice;         ///< What it must call.
    std::optional<bool> parallel_tool_calls;               ///< Whether it may call several at once.
    std::optional<serin::response_format> response_format; ///< The form of the answer.

    std::optional<std::string> reasoning_effort; ///< "none", "minimal", "low", "medium", "high" or a server's own.
    std::optional<std::string> verbosity;        ///< "low", "medium" or "high".
    std::optional<std::string> service_tier;     ///< "auto", "default", "flex", "priority" or a server's own.
    std::optional<std::string> prediction;       ///< Text that the answer will mostly repeat.

    std::vector<std::string> modalities;         ///< "text" and "audio"; empty: text.
    std::optional<audio_params> audio;           ///< Needed for modality "audio".
    std::optional<web_search_params> web_search; ///< Sent as web_search_options.

    std::optional<std::string> end_user;               ///< Sent as `user`. Deprecated: see safety_identifier.
    std::optional<std::string> safety_identifier;      ///< The end user, hashed; at most 64 characters.
    std::optional<std::string> prompt_cache_key;       ///< Requests with the same key share a prompt cache.
    std::optional<std::string> prompt_cache_retention; ///< "in_memory" or "24h".
    std::map<std::string, std::string> metadata;       ///< Up to 16 pairs; keys to 64, values to 512 characters.
    std::optional<bool> store;                         ///< Whether the server may keep the answer.

    std::optional<bool> include_usage;       ///< Of streams: whether to count tokens. Default true.
    std::optional<bool> include_obfuscation; ///< Of streams: whether chunks are padded. Default: the server's.

    /// Further members of the request, a JSON object as text, or empty. They replace members of the same name
    /// above; "model" and "stream" cannot be replaced.
    std::string extra;

    /// The same upstream answers requests with the same key, as far as the model's policy or its rollout is sticky: the
    /// name of a user or of a conversation, as a rule. Never sent. Empty: none.
    std::string sticky_key;

    /// What its cost is put down to: a customer, a feature. Not sent.
    std::string tag;

    /// Replaces the client's deadline for everything: all attempts and the waits between them.
    std::optional<std::chrono::steady_clock::duration> timeout;

    /// On whose behalf: no answer that is kept for one tenant is given to another. Not sent.
    std::string tenant;

    /// Whether the client's cache of answers may answer, and keep what the server answers. Not sent.
    cache_use cache = cache_use::as_configured;

    chat_request() {}

    // Not in the header: every user's file would compile them.
    chat_request(chat_request const&);                ///< Copies all.
    chat_request(chat_request&&) noexcept;            ///< Leaves an unspecified request behind.
    chat_request& operator=(chat_request const&);     ///< Copies all.
    chat_request& operator=(chat_request&&) noexcept; ///< Leaves an unspecified request behind.
    ~chat_request();

    /// For this model.
    explicit chat_request(std::string model_name) : model(std::move(model_name)) {}

    /// Adds a message.
    chat_request& add(message m) &
    {
        constexpr std::size_t usual = 3; // Moving messages to a larger place costs more than the place
        if (messages.capacity() == 0)
            messages.reserve(usual);
        messages.push_back(std::move(m));
        return *this;
    }

    /// @copydoc add
    chat_request&& add(message m) && { return std::move(add(std::move(m))); }

    /// Adds a tool.
    chat_request& add(tool t) &
    {
        tools.push_back(std::move(t));
        return *this;
    }

    /// Adds a tool.
    chat_request&& add(tool t) && { return std::move(add(std::move(t))); }

    /// Adds a system message.
    chat_request& system(std::string text) & { return add(message::system(std::move(text))); }

    /// @copydoc system
    chat_request&& system(std::string text) && { return std::move(system(std::move(text))); }

    /// Adds a developer message.
    chat_request& developer(std::string text) & { return add(message::developer(std::move(text))); }

    /// @copydoc developer
    chat_request&& developer(std::string text) && { return std::move(developer(std::move(text))); }

    /// Adds a user message.
    chat_request& user(std::string text) & { return add(message::user(std::move(text))); }

    /// @copydoc user
    chat_request&& user(std::string text) && { return std::move(user(std::move(text))); }

    /// Adds an answer of the model.
    chat_request& assistant(std::string text) & { return add(message::assistant(std::move(text))); }

    /// @copydoc assistant
    chat_request&& assistant(std::string text) && { return std::move(assistant(std::move(text))); }

    /// Checks what can be checked without a server: the ranges above, and that texts that are to be JSON are.
    /// Returns `errc::invalid_argument` and puts a sentence that names the field into `why`.
    error_code validate(std::string& why) const;
};

} // namespace serin

#endif
