// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_OBSERVE_EVENT_HPP
#define SERIN_OBSERVE_EVENT_HPP

#include <serin/core/circuit_state.hpp>
#include <serin/core/diagnostics.hpp>
#include <serin/core/error.hpp>
#include <serin/core/give_up.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

// What happens during a call, as an observer is told. Texts, and the call that an event belongs to, are those of the
// library: they are gone when the observer returns. None of them holds a key; a fingerprint stands for it.

namespace serin {

/// What a call asks for.
enum class call_operation
{
    chat,        ///< A chat completion, whole or streamed.
    embeddings,  ///< Vectors of texts.
    moderations, ///< Whether texts are harmful.
    models,      ///< The models that there are.
    raw,         ///< Something that the library has no types for.
};

/// The name of an operation as it stands in the enumeration.
std::string_view operation_name(call_operation o) noexcept;

/// What is the same for all events of a call.
struct call_info
{
    std::uint64_t id = 0;                            ///< Its number, unique within the client.
    call_operation operation = call_operation::chat; ///< What it asks for.
    bool stream = false;                             ///< The answer is streamed.
    std::string_view model;                          ///< The model that the caller asked for; may be empty.
    std::string_view tag;                            ///< What the caller has put it down to; may be empty.
};

/// How many tokens were used. Cached ones are part of the prompt, reasoning is part of the completion.
struct token_counts
{
    std::uint64_t prompt = 0;     ///< Tokens read.
    std::uint64_t cached = 0;     ///< Of them: from the provider's cache.
    std::uint64_t completion = 0; ///< Tokens written.
    std::uint64_t reasoning = 0;  ///< Of them: reasoning.
};

/// Which connection an attempt was given.
enum class connection_kind
{
    none,   ///< It came to none.
    made,   ///< One that was made for it.
    reused, ///< One that others had used before.
};

/// A call begins.
struct call_started
{
    call_info const& call;                    ///< Which.
    std::chrono::steady_clock::time_point at; ///< When.
    std::string_view content; ///< The request without its model, as JSON. Only for observers that want it.
};

/// An attempt begins: one request to one upstream.
struct attempt_started
{
    call_info const& call;                             ///< Which call's.
    std::size_t number = 1;                            ///< Which of the call's, from 1.
    std::string_view upstream;                         ///< Who is asked.
    std::string_view model;                            ///< For which model; may be empty.
    bool hedge = false;                                ///< It runs beside one that was slow.
    std::chrono::steady_clock::time_point at;          ///< When.
    std::chrono::steady_clock::duration waited_before; ///< For how long the call had waited for it, after a failure.
};

/// An attempt has ended.
struct attempt_ended
{
    call_info const& call;                                       ///< Which call's.
    std::size_t number = 1;                                      ///< Which of the call's, from 1.
    std::string_view upstream;                                   ///< Who was asked.
    std::string_view model;                                      ///< For which model; may be empty.
    std::string_view key;                                        ///< Fingerprint of the key that it used; may be empty.
    bool hedge = false;                                          ///< It ran beside one that was slow.
    error_code error;                                            ///< How: no error, if it was answered.
    int status = 0;                                              ///< HTTP status; 0 if no answer came.
    call_phase phase = call_phase::none;                         ///< How far it came.
    std::chrono::steady_clock::time_point at;                    ///< When.
    std::chrono::steady_clock::duration took{};                  ///< From its start to its end.
    std::chrono::steady_clock::duration waited_for_limit{};      ///< Of that: until the limits let it pass.
    std::chrono::steady_clock::duration waited_for_connection{}; ///< Of that: until it had a connection.
    connection_kind connection = connection_kind::none;          ///< Which connection it had.
    std::optional<token_counts> tokens;                          ///< What it used, if the server said so.
    std::int64_t cost = 0;                                       ///< What that costs, in nano-dollars.
};

/// The first token of a streamed answer has come.
struct first_token_received
{
    call_info const& call;                               ///< Which call's.
    std::string_view upstream;                           ///< Who sent it.
    std::string_view model;                              ///< Which model's; may be empty.
    std::chrono::steady_clock::time_point at;            ///< When.
    std::chrono::steady_clock::duration after_attempt{}; ///< Since the attempt began.
    std::chrono::steady_clock::duration after_call{};    ///< Since the call began.
};

/// A further token, or piece of several, of a streamed answer has come. Only for observers that want them.
struct chunk_received
{
    call_info const& call;                            ///< Which call's.
    std::string_view upstream;                        ///< Who sent it.
    std::string_view model;                           ///< Which model's; may be empty.
    std::chrono::steady_clock::duration since_last{}; ///< Since the token before it. Not when the user let it wait.
    std::string_view content;                         ///< Its text. Only for observers that want it.
};

/// How far apart the tokens of a streamed answer came: told from time to time, at the end of the attempt at the latest.
/// Only for observers that want it.
struct tokens_timed
{
    call_info const& call;     ///< Which call's.
    std::string_view upstream; ///< Who sent them.
    std::string_view model;    ///< Which model's; may be empty.

    /// From a token to the next one, for tokens that were not told of before. As @ref chunk_received::since_last.
    std::span<std::chrono::steady_clock::duration const> between;
};

/// After a failure, the call will ask the same upstream again.
struct retry_planned
{
    call_info const& call;                     ///< Which call.
    std::string_view upstream;                 ///< Who failed and will be asked again.
    error_code error;                          ///< What the failure was.
    int status = 0;                            ///< HTTP status; 0 if no answer came.
    std::chrono::steady_clock::duration delay; ///< How long it waits before.
};

/// After a failure, the call will ask another upstream.
struct failover_planned
{
    call_info const& call;                     ///< Which call.
    std::string_view from;                     ///< Who failed.
    std::string_view to;                       ///< Who will be asked.
    error_code error;                          ///< What the failure was.
    int status = 0;                            ///< HTTP status; 0 if no answer came.
    std::chrono::steady_clock::duration delay; ///< How long it waits before.
};

/// What has become of a key.
enum class key_change
{
    rests,       ///< It was refused for now, and is left alone for a while.
    quarantined, ///< It was refused for good.
    replaced,    ///< Its source has given others.
};

/// The name of a change as it stands in the enumeration.
std::string_view key_change_name(key_change c) noexcept;

/// The keys of an upstream have changed.
struct key_rotated
{
    std::string_view upstream;           ///< Whose.
    key_change what = key_change::rests; ///< What happened.
    std::string_view key;                ///< Fingerprint of the key; empty if all were replaced.
};

/// An upstream is ejected, tried again or taken back.
struct circuit_changed
{
    std::string_view upstream;                  ///< Which.
    std::string_view model;                     ///< For which model; empty: for all.
    circuit_state from = circuit_state::closed; ///< What it was.
    circuit_state to = circuit_state::closed;   ///< What it is.
};

/// A rollout has moved.
struct rollout_changed
{
    std::string_view model;     ///< The alias whose traffic it shifts.
    std::string_view candidate; ///< The upstream that it is shifted to.
    std::string_view what;      ///< What happened: the name of a @ref rollout_change.
    std::size_t stage = 0;      ///< The stage now, counted from 0.
    double share = 0;           ///< The candidate's share now, from 0 to 1.
    std::string_view why;       ///< For people.
};

/// A budget of the day is used up to a part that was to be reported, or wholly.
struct budget_reached
{
    std::string_view budget; ///< Its name.
    std::int64_t spent = 0;  ///< In nano-dollars, since the day began.
    std::int64_t limit = 0;  ///< In nano-dollars.
    bool refuses = false;    ///< It is used up, and calls are refused until the day is over.
};

/// What the client's own cache of answers had for a request.
enum class cache_lookup
{
    off,    ///< It was not asked.
    hit,    ///< The answer: there is no call.
    miss,   ///< Nothing: a call follows.
    joined, ///< An identical request was under way, whose answer was shared: there is no call.
};

/// The name of a result as it stands in the enumeration.
std::string_view cache_lookup_name(cache_lookup l) noexcept;

/// The cache of answers was asked.
struct cache_looked_up
{
    cache_lookup found = cache_lookup::miss; ///< What it had.
};

/// A call has ended.
struct call_ended
{
    call_info const& call;                                          ///< Which.
    std::string_view upstream;                                      ///< Who was asked last; empty if nobody was.
    std::string_view model;                                         ///< For which model; may be empty.
    error_code error;                                               ///< How: no error, if it was answered.
    int status = 0;                                                 ///< HTTP status of the last answer; 0 if none came.
    give_up gave_up = give_up::none;                                ///< Why it was not tried once more.
    std::size_t attempts = 0;                                       ///< How many there were.
    std::chrono::steady_clock::time_point at;                       ///< When.
    std::chrono::steady_clock::duration took{};                     ///< From its start to its end.
    std::optional<std::chrono::steady_clock::duration> first_token; ///< From its start, if one was streamed.
    std::optional<token_counts> tokens;                             ///< What the answer used, if the server said so.
    std::int64_t cost = 0;                                          ///< Of all its attempts, in nano-dollars.
    std::string_view content; ///< The answer's text. Only for observers that want it.
};

} // namespace serin

#endif
