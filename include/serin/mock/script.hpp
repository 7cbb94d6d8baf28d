// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_MOCK_SCRIPT_HPP
#define SERIN_MOCK_SCRIPT_HPP

#include <serin/core/headers.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// A provider to test against, and the scripts that say how it answers.
namespace serin::mock {

/// As a delay: waits until the client leaves.
inline constexpr std::chrono::milliseconds forever = std::chrono::milliseconds::max();

/// What goes wrong in an answer. Where it happens is `behavior::fault_after`.
enum class fault
{
    none,
    close_before_head, ///< Closes the connection instead of answering.
    reset_before_head, ///< Resets the connection (RST) instead of answering.
    cut,               ///< Closes the connection in the middle of the answer, without its end mark.
    reset,             ///< Resets the connection in the middle of the answer.
    stall,             ///< Sends no more, and leaves the connection open.
    malformed,         ///< A chunk that is not JSON, the rest follows; a whole answer is broken off and is no JSON.
    error,             ///< An error event ends the stream; a whole answer is an error object with status 200.
    error_body,        ///< An error object with status 200 is the whole answer, also if a stream was asked for.
};

/// What happens to the connection after an answer that did not announce it.
enum class after_answer
{
    keep,  ///< Waits for the next request.
    close, ///< Closes.
    reset, ///< Resets (RST).
};

/// How the end of an answer's body is marked.
enum class framing
{
    automatic,      ///< Streams are chunked, whole answers have a Content-Length.
    content_length, ///< A Content-Length, for streams too.
    chunked,        ///< Chunked, for whole answers too.
    close,          ///< The connection closes.
};

/// A tool call in an answer.
class tool_call
{
public:
    std::string id;        ///< Empty: "call_mock_N".
    std::string name;      ///< The function to call.
    std::string arguments; ///< JSON text, sent as it is.

    tool_call() {}

    /// With this name and these arguments.
    tool_call(std::string called_function, std::string with_arguments)
        : name(std::move(called_function)),
          arguments(std::move(with_arguments))
    {}
};

/// How one request is answered. Every member has the same name in a script file, where durations are strings ("20ms",
/// "1.5s", "2m", "forever") or numbers of milliseconds, and enumerators are strings.
///
/// A token is one piece of an answer: of reasoning, then of text, then of the arguments of tool calls. A stream sends
/// one event a token.
class behavior
{
public:
    // --- When ---

    std::chrono::milliseconds first_byte_delay{0};  ///< Before the answer's head.
    std::chrono::milliseconds first_token_delay{0}; ///< After the head, before the first token or the whole body.
    std::chrono::milliseconds token_delay{0};       ///< Between the tokens of a stream.
    std::chrono::milliseconds comment_interval{0};  ///< While a stream waits, a comment that often; 0: none.

    // --- What ---

    std::size_t tokens = 8;                  ///< Tokens of text: "tok1 tok2 ...".
    std::uint64_t seed = 0;                  ///< Other than 0: words drawn with this seed instead.
    std::optional<std::string> reply;        ///< This text instead, a token a word. Bytes are sent as they are.
    bool echo = false;                       ///< The text of the last message instead.
    std::size_t reasoning_tokens = 0;        ///< Tokens of reasoning before the text.
    std::string reasoning_field;             ///< Where reasoning is; empty: "reasoning_content".
    std::vector<mock::tool_call> tool_calls; ///< After the text. If there are any, `tokens` does not count.
    std::size_t tool_fragments = 4;          ///< In how many pieces the arguments of each tool call come.
    std::string finish_reason;               ///< Empty: "stop", "tool_calls", or "length" beyond the max_tokens asked.
    bool send_finish_reason = true;          ///< False: it is null to the end.
    std::optional<bool> usage;               ///< Whether usage is sent; unset: in streams if asked for, else always.
    bool role_chunk = true;                  ///< A stream begins with a chunk that has the role only.

    // --- Another answer ---

    int status = 200;                  ///< Other than 200: an error body, or `body`.
    serin::headers headers;            ///< Added to the answer. May replace Content-Type and x-request-id.
    std::optional<std::string> body;   ///< This body instead, whole.
    std::string retry_after;           ///< Value of the Retry-After header; empty: none.
    std::string error_message;         ///< Of error bodies and events; empty: one that fits the status.
    std::string error_type;            ///< As above.
    std::string error_code;            ///< As above. JSON null if none fits.
    bool error_code_is_number = false; ///< The code is sent as a JSON number.
    std::optional<std::string> raw;    ///< Exactly these bytes instead, head and all.

    // --- Faults ---

    mock::fault fault = mock::fault::none; ///< What goes wrong.
    std::size_t fault_after = 0;           ///< After how many tokens. In whole answers: of the text.
    bool done = true;                      ///< A stream ends with `[DONE]`.
    bool terminate = true;                 ///< False: the end of the body is not sent, and the socket stays open.

    // --- On the wire ---

    mock::framing framing = mock::framing::automatic;          ///< How the end of the body is marked.
    bool http_1_0 = false;                                     ///< The answer is HTTP/1.0, and closes.
    bool connection_close = false;                             ///< Says `Connection: close`, and closes.
    mock::after_answer after = mock::after_answer::keep;       ///< What happens to the connection, unannounced.
    std::optional<std::chrono::milliseconds> close_idle_after; ///< Closes the connection after it was idle that long.
    bool close_notify = true;                    ///< Wherever a TLS connection is closed, TLS is ended in order.
    std::size_t write_size = 0;                  ///< At most that many bytes a write; 0: as many as possible.
    std::chrono::milliseconds write_interval{0}; ///< Between such writes.
    std::size_t batch = 1;                       ///< Tokens written at once, each still in its own event.

    // --- Reading the request ---

    /// Answers after the request's head and closes, without reading the body: for 413 and the like. Works for
    /// behaviors from `provider::on_next` and `provider::set_default`.
    bool early = false;

    /// After an early answer: takes what the client still sends for a while. False: the client meets a reset.
    bool linger = true;

    /// Waits that long before each read of the body; `forever`: never reads it. Like `early`, not for behaviors
    /// that are chosen by what the body says.
    std::chrono::milliseconds read_interval{0};
    std::size_t read_size = 4096; ///< At most that many bytes are read then.

    behavior() {}

    // --- The same in words. Each changes the behavior and returns it. ---

    behavior& with_text(std::string text);                             ///< Sets `reply`.
    behavior& with_tokens(std::size_t count);                          ///< Sets `tokens`.
    behavior& with_reasoning(std::size_t count);                       ///< Sets `reasoning_tokens`.
    behavior& with_tool_call(std::string name, std::string arguments); ///< Adds a tool call.
    behavior& with_finish_reason(std::string reason);                  ///< Sets `finish_reason`.
    behavior& without_finish_reason();                                 ///< Clears `send_finish_reason`.
    behavior& with_status(int code, std::string text = {});     ///< Sets `status`, and `body` unless it is empty.
    behavior& with_header(std::string name, std::string value); ///< Adds a header.
    behavior& with_retry_after(std::string value);              ///< Sets `retry_after`.
    behavior& with_error(std::string message, std::string type, std::string code); ///< Sets the `error_` members.
    behavior& with_raw(std::string bytes, after_answer then = after_answer::keep); ///< Sets `raw` and `after`.
    behavior& with_framing(mock::framing how);                                     ///< Sets `framing`.
    behavior& echoing();                                                           ///< Sets `echo`.
    behavior& delayed(std::chrono::milliseconds first_byte);                       ///< Sets `first_byte_delay`.
    behavior& paced(std::chrono::milliseconds between, std::chrono::milliseconds first = {}); ///< Token delays.
    behavior& close_before_head();                                                            ///< Sets `fault`.
    behavior& reset_before_head();                                                            ///< Sets `fault`.
    behavior& cut_after(std::size_t count);       ///< Sets `fault` and `fault_after`.
    behavior& reset_after(std::size_t count);     ///< Sets `fault` and `fault_after`.
    behavior& stall_after(std::size_t count);     ///< Sets `fault` and `fault_after`.
    behavior& malformed_after(std::size_t count); ///< Sets `fault` and `fault_after`.
    behavior& error_after(std::size_t count);     ///< Sets `fault` and `fault_after`.
    behavior& error_in_200();                     ///< An error object with status 200, streamed or not.
    behavior& without_done();                     ///< Clears `done`.
    behavior& left_open();                        ///< Clears `terminate`.
    behavior& closing();                          ///< Sets `connection_close`.
    behavior& closing_silently();                 ///< Sets `after` to `close`.
    behavior& written_slowly(std::size_t size, std::chrono::milliseconds interval = {}); ///< Sets the `write_` members.
    behavior& answered_early(int code);                                                  ///< Sets `early` and `status`.
    behavior& never_reading(); ///< Sets `read_interval` to @ref forever.
};

/// A behavior that strikes some of the requests.
class fault_share
{
public:
    double probability = 0;  ///< Of each request, 0 to 1. The probabilities of a mix add up to at most 1.
    mock::behavior behavior; ///< How these are answered.

    fault_share() {}

    /// With this probability, this behavior.
    fault_share(double p, mock::behavior b) : probability(p), behavior(std::move(b)) {}
};

/// All that a script file can say. A file is one JSON object, every member is optional:
///
///     {"seed": 1, "keys": ["..."], "default": {...}, "models": {"NAME": {...}}, "queue": [{...}],
///      "faults": [{"probability": 0.05, "behavior": {...}}]}
///
/// where {...} is a @ref behavior with the names of its members. `headers` is an object of strings, `error_code` may
/// be a number, `body` an object, which is sent as JSON, and `finish_reason` null, which means never to send one.
class script
{
public:
    std::uint64_t seed = 1;                              ///< Of the draw of faults.
    std::vector<std::string> keys;                       ///< See `provider::set_keys`.
    std::optional<behavior> default_behavior;            ///< See `provider::set_default`.
    std::map<std::string, behavior, std::less<>> models; ///< See `provider::on_model`.
    std::vector<behavior> queue;                         ///< See `provider::on_next`.
    std::vector<fault_share> faults;                     ///< See `provider::set_faults`.

    script() {}
};

/// Reads a script file's text. On failure returns nothing and sets `error` to one line that names the member, as in
/// "models.slow.token_delay: not a duration".
std::optional<script> load_script(std::string_view text, std::string& error);

} // namespace serin::mock

#endif
