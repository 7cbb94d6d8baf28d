// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_MOCK_ANSWER_HPP
#define SERIN_SRC_MOCK_ANSWER_HPP

#include <serin/mock/script.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace serin::mock {

// What an answer needs to know of its request.
class answer_context
{
public:
    std::string id;
    std::string model;
    std::int64_t created = 0;
    std::string last_message; // For echoing.
    std::size_t prompt_tokens = 0;
    std::size_t choices = 1;
    std::optional<std::size_t> max_tokens;
    bool include_usage = false; // The request wants usage in its stream.

    answer_context() {}
};

// The texts of an answer, whole or event by event. All choices say the same.
class answer
{
    behavior const& behavior_;
    answer_context const context_;
    std::string text_;                     // Replaces the generated text.
    std::vector<std::size_t> text_starts_; // Where each token of text_ begins.
    bool has_text_ = false;
    std::size_t text_tokens_ = 0;
    std::size_t tokens_ = 0;
    bool truncated_ = false;
    std::string chunk_start_;
    std::string chunk_end_;

    std::string text_token(std::size_t i) const;
    std::string text(std::size_t first, std::size_t count) const;
    std::string delta(std::size_t token) const;
    std::string chunk(std::size_t choice, std::string_view delta, std::string_view finish_reason) const;
    std::string usage() const;
    std::string finish_reason() const;

public:
    // The behavior must outlive the answer.
    answer(behavior const& b, answer_context context);

    // The number of tokens of each choice.
    std::size_t tokens() const noexcept { return tokens_; }

    // The events of a stream, in this order; each ends with its blank line.
    std::string role_events() const;
    std::string token_events(std::size_t token) const;
    std::string finish_events() const;
    std::string usage_event() const; // Empty if there is none.

    // An event that is not JSON.
    std::string malformed_event() const;

    // A whole answer.
    std::string whole() const;

    // Where in the whole answer the given number of tokens of text ends.
    std::size_t whole_offset(std::size_t text_tokens) const;
};

// An error in OpenAI's shape: {"error": {...}}. What the behavior leaves open comes from the status.
std::string error_json(behavior const& b, int status);

// The body of `GET /v1/models`.
std::string models_json(std::vector<std::string> const& names);

// The behavior of a built-in model; nothing for other names.
std::optional<behavior> built_in_behavior(std::string_view model);

// The names of the built-in models.
std::vector<std::string> built_in_models();

} // namespace serin::mock

#endif
