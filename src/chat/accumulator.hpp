// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CHAT_ACCUMULATOR_HPP
#define SERIN_SRC_CHAT_ACCUMULATOR_HPP

#include "errors.hpp"
#include "wire_read.hpp"

#include <serin/chat/delta.hpp>
#include <serin/chat/response.hpp>
#include <serin/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <forward_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace serin {

/// The members of a JSON object that comes in pieces.
class member_store
{
    struct member
    {
        std::string key;
        std::string value; // JSON
    };
    std::vector<member> members_;

public:
    /// Sets a member, unless the value is null. With `join`, an array is appended to an array that is there already.
    /// Keeps no more than 128 names. Returns by how many bytes the store has grown.
    std::size_t put(std::string_view key, json_value value, bool join = false);

    /// The object; empty if it has no members.
    std::string text() const;
};

/// Adds up the chunks of a stream. Never throws for bad input; after an error it takes no more.
class accumulator
{
    struct call_state
    {
        std::int64_t wire_index = -1; // as sent; -1 if the server sends none
        std::uint64_t event = 0;      // the last event that had a part of it
        member_store extra;
    };

    struct choice_state
    {
        bool finished = false;
        std::vector<call_state> calls; // as in the message's tool_calls
        member_store extra;
        member_store message_extra;
    };

    // A delta whose views of vectors that still grow are set when it is asked for.
    struct pending_delta
    {
        chat_delta delta;
        std::size_t first_call = 0;
        std::size_t call_count = 0;
    };

    std::size_t max_bytes_;
    bool skip_malformed_;
    std::size_t skipped_ = 0;
    std::size_t kept_bytes_ = 0;
    std::size_t logprobs_left_ = max_logprobs;
    std::uint64_t event_ = 0;
    bool done_ = false;
    bool only_usage_ = false;
    bool dirty_ = false; // some extra text is older than its store
    error_code failure_;
    server_error error_;
    json_reader reader_;
    std::string head_; // How the last chunk began, up to its choices, if a chunk that begins so says nothing new.
    std::size_t head_size_ = 0; // Of the chunk being read; 0: it may say something
    chat_response response_;
    std::vector<choice_state> states_; // as in response_.choices
    member_store extra_;
    std::vector<pending_delta> pending_;
    std::vector<tool_call_delta> pending_calls_;
    std::size_t next_ = 0;
    std::forward_list<std::string> pieces_; // texts that are nowhere in the chunk as they are

    error_code fail(error_code ec) noexcept;
    error_code malformed() noexcept;
    error_code read_text(std::string_view text, bool is_error);
    void remember_head(std::string_view text);
    error_code read_chunk(json_value root, bool is_error);
    error_code read_choices(json_value from);
    error_code read_choice(json_value from, int position);
    error_code read_delta(json_value from, std::size_t place, pending_delta& out);
    error_code read_call(json_value from, std::size_t place, pending_delta& out);
    void read_content_parts(json_value from, std::size_t place, pending_delta& out);
    void read_function_call(json_value from, message& to, pending_delta& out);
    void read_audio(json_value from, message& to, pending_delta& out);
    void read_groq(json_value from, bool& has_usage);
    bool take_usage(json_value from);
    void keep(member_store& store, std::string_view key, json_value value, bool join = false);
    std::string_view append(std::string& to, std::string_view piece);
    std::optional<std::size_t> place_of_choice(int index);
    std::optional<std::size_t> place_of_call(
        std::size_t choice, std::int64_t wire_index, std::string_view id, std::string_view name);

public:
    /// `max_bytes` bounds what is kept of the answer. With `skip_malformed`, what is not a chunk is passed over and
    /// counted instead of ending the stream; an error that the server sends still does.
    explicit accumulator(std::size_t max_bytes = std::size_t(64) << 20, bool skip_malformed = false)
        : max_bytes_(max_bytes),
          skip_malformed_(skip_malformed)
    {}

    /// Takes one event of the stream. What it adds to the choices is then given by @ref next; the deltas of the
    /// event before are dropped. Blank data, pings and whatever comes after `[DONE]` are skipped.
    /// Errors: stream_error (not a chunk, or an error of unknown cause), the cause of an error object, with
    /// @ref error filled, or response_too_large. What was added up before, and by a chunk with an error, is kept.
    error_code put(std::string_view event_type, std::string_view data);

    /// Takes a last event whose blank line is missing. Data that is neither `[DONE]` nor JSON was cut off: it is
    /// dropped.
    error_code put_last(std::string_view event_type, std::string_view data);

    /// The next delta of the event, one for each choice in it.
    std::optional<chat_delta> next() noexcept;

    /// Whether `[DONE]` came.
    bool done() const noexcept { return done_; }

    /// Whether the event told what the call has used, and nothing else: it had no choices.
    bool only_usage() const noexcept { return only_usage_; }

    /// Whether every choice that was seen, and at least one, has a finish reason.
    bool finished() const noexcept;

    /// Sets who answers, which the chunks do not say.
    void set_source(std::string upstream, std::string request_id);

    /// What came so far.
    chat_response const& response();

    /// Moves out what came so far.
    chat_response take();

    /// How many events and choices were passed over.
    std::size_t skipped() const noexcept { return skipped_; }

    /// What the server said, after @ref put failed.
    server_error const& error() const noexcept { return error_; }
};

} // namespace serin

#endif
