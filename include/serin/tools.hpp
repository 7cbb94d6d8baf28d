// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TOOLS_HPP
#define SERIN_TOOLS_HPP

#include <serin/client.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace serin {

/// Thrown by a tool that cannot use the arguments: the model is told what is wrong with them and may try again.
class bad_tool_arguments : public std::runtime_error
{
public:
    using std::runtime_error::runtime_error;
};

// C++ types as JSON. Files that use tool_set::add<Args> include <serin/chat/schema.hpp>, which defines it.
template <class T>
struct typed_json;

template <class T>
struct tool_awaitable : std::false_type
{};

template <class T, class Executor>
struct tool_awaitable<asio::awaitable<T, Executor>> : std::true_type
{
    using result = T;
};

/// The functions that a model may call, by name. Filled first, then given to @ref async_run_tools, as often as wanted.
///
/// A function gets the arguments as the model wrote them, valid JSON ("{}" if there are none), and returns the text
/// that the model is told. The arguments stay valid until it has returned, an asynchronous one until it has ended.
/// What it throws is told to the model too: the text of a std::exception. So keep secrets out of it.
///
/// A set is a value; copies share nothing. A function lives, with what it captures, until every run that it was given
/// to has completed. Runs that overlap in time may call it from different threads at once.
class tool_set
{
public:
    /// A function that returns when it is done. It blocks the thread that runs it, so it should be quick.
    using function = std::function<std::string(std::string_view arguments)>;

    /// A function that may wait: a coroutine. Those that the model calls together run together, one at a time between
    /// their waits, on the executor of the run. Cancelling the run cancels what it waits for.
    using async_function = std::function<asio::awaitable<std::string>(std::string_view arguments)>;

    tool_set() {}

    /// Adds a function, with the JSON Schema of its arguments as text; empty: it takes none. Replaces one of the same
    /// name, as all these functions do.
    tool_set& add(std::string name, std::string description, std::string schema, function f)
    {
        return add(tool(std::move(name), std::move(description), std::move(schema)), std::move(f));
    }

    /// Adds an asynchronous function.
    tool_set& add(std::string name, std::string description, std::string schema, async_function f)
    {
        return add(tool(std::move(name), std::move(description), std::move(schema)), std::move(f));
    }

    /// Adds a function with everything that can be said of it, or a custom tool, which gets text instead of JSON.
    tool_set& add(tool definition, function f) { return put(entry(std::move(definition), std::move(f), {})); }

    /// Adds an asynchronous function, or a custom tool.
    tool_set& add(tool definition, async_function f) { return put(entry(std::move(definition), {}, std::move(f))); }

    /// Adds a function of a described struct, whose schema is made from it; needs <serin/chat/schema.hpp>. It returns
    /// text, or a value that `write_json` takes, or an `asio::awaitable` of one of these. Arguments that do not fit are
    /// answered to the model, with the place and the reason.
    template <class Args, class F>
    tool_set& add(std::string name, std::string description, F f);

    /// The tools as a request has them.
    std::vector<tool> definitions() const
    {
        std::vector<tool> all;
        all.reserve(entries_.size());
        for (entry const& e : entries_)
            all.push_back(e.definition);
        return all;
    }

    /// Whether there is none.
    bool empty() const noexcept { return entries_.empty(); }

private:
    friend class tool_loop;

    // One of the functions is not empty.
    struct entry
    {
        tool definition;
        function run;
        async_function start;

        entry(tool t, function f, async_function a) : definition(std::move(t)), run(std::move(f)), start(std::move(a))
        {}
    };

    std::vector<entry> entries_;

    tool_set& put(entry e)
    {
        for (entry& old : entries_)
        {
            if (old.definition.name == e.definition.name)
            {
                old = std::move(e);
                return *this;
            }
        }
        entries_.push_back(std::move(e));
        return *this;
    }

    template <class Args>
    static Args read_arguments(std::string_view text)
    {
        std::string why;
        std::optional<Args> args = typed_json<Args>::read(text, why);
        if (!args)
            throw bad_tool_arguments(why);
        return std::move(*args);
    }

    template <class T>
    static std::string to_text(T const& result)
    {
        if constexpr (std::is_convertible_v<T const&, std::string_view>)
            return std::string(std::string_view(result));
        else
            return typed_json<T>::write(result);
    }
};

template <class Args, class F>
tool_set& tool_set::add(std::string name, std::string description, F f)
{
    using result = std::invoke_result_t<F&, Args>;
    tool definition(std::move(name), std::move(description), typed_json<Args>::schema());
    definition.strict = true;
    if constexpr (tool_awaitable<result>::value)
    {
        async_function start = [f = std::move(f)](std::string_view text) mutable -> asio::awaitable<std::string> {
            Args args = read_arguments<Args>(text);
            result work = std::invoke(f, std::move(args));
            typename tool_awaitable<result>::result value = co_await std::move(work);
            co_return to_text(value);
        };
        return add(std::move(definition), std::move(start));
    }
    else
    {
        function run = [f = std::move(f)](std::string_view text) mutable {
            return to_text(std::invoke(f, read_arguments<Args>(text)));
        };
        return add(std::move(definition), std::move(run));
    }
}

/// How tools are run. The functions are called on the executor of the run, one at a time; what they throw is caught,
/// and `on_error` is told.
class tool_options
{
public:
    int max_rounds = 10; ///< How often the model is asked at most. At least 1.
    bool stream = true;  ///< Whether answers are asked for as streams.

    /// For the whole run, rounds and tools; then it fails with `errc::deadline_exceeded`. Zero, the default: no
    /// limit. `chat_request::timeout` is that of each round.
    std::chrono::steady_clock::duration timeout{};

    /// Told of every piece of a streamed answer. The views are valid until it returns.
    std::function<void(chat_delta const&)> on_delta;

    /// Told of the answer of every round.
    std::function<void(chat_response const&)> on_response;

    /// Told of every call of a tool, when it has ended, and of what the model will be told.
    std::function<void(tool_call const&, std::string_view result)> on_result;

    /// Told what a tool has thrown, other than @ref bad_tool_arguments, or one of the above: `where` is its name.
    std::function<void(std::string_view where, std::exception_ptr error)> on_error;

    tool_options() {}
};

/// What a run of @ref async_run_tools came to.
class tool_run
{
public:
    chat_response response;        ///< The last answer.
    std::vector<message> messages; ///< The whole conversation: those of the request, answers, and results of tools.
    int rounds = 0;                ///< How often the model was asked.

    tool_run() {}
};

struct initiate_run_tools : initiation
{
    template <class Handler>
    void operator()(Handler&& handler, diagnostics* diag, std::shared_ptr<client_impl> impl, chat_request request,
        tool_set tools, tool_options options)
    {
        erased(std::move(impl), std::move(request), std::move(tools), std::move(options), diag,
            std::forward<Handler>(handler));
    }

    static void erased(std::shared_ptr<client_impl> impl, chat_request request, tool_set tools, tool_options options,
        diagnostics* diag, any_handler<tool_run> handler);
};

template <class CompletionToken>
auto run_tools_impl(client& c, chat_request&& request, tool_set&& tools, tool_options&& options, diagnostics* diag,
    CompletionToken&& token)
{
    return asio::async_initiate<CompletionToken, void(error_code, tool_run)>(initiate_run_tools{{c.get_executor()}},
        token, diag, client_access::impl(c), std::move(request), std::move(tools), std::move(options));
}

/// Asks the model, calls the tools that it asks for, tells it their results, and so on until it answers without a
/// call. Completes with that answer and the whole conversation.
///
/// The tools are added to those of the request. Calls of one answer run together, those of asynchronous functions at
/// the same time, unless `parallel_tool_calls` of the request is false; the results keep the order of the calls. A
/// call of an unknown tool, arguments that are not JSON and what a tool throws are answered to the model. A call
/// without an id, or with one that was used before, gets one. A `tool_choice` that demands a call holds for the
/// first round only. Of several choices the first counts.
///
/// Errors: those of `async_chat` and `chat_stream::async_next`; `errc::too_many_rounds` if the model still calls tools
/// in the last round allowed; `errc::length_limited` or `errc::content_filtered` if an answer was cut off among its
/// calls; `errc::deadline_exceeded`. On an error, too, the handler gets the conversation so far, which can be gone on
/// with: every call in it is answered. The diagnostics are those of the last round, with its answer in `partial`.
///
/// Cancelling (any type, or `client::cancel`, or destroying the client) cancels the round or the tools under way and
/// completes with `asio::error::operation_aborted`, once the tools have ended: none runs after the completion.
///
/// Lifetimes: everything is copied or moved in, and the client itself need not live on. What tools and callbacks
/// refer to, and `diag`, must live until the completion.
///
/// Thread safety: as the client's functions.
template <class CompletionToken = default_token>
auto async_run_tools(client& c, chat_request request, tool_set tools, CompletionToken&& token = CompletionToken())
{
    return run_tools_impl(
        c, std::move(request), std::move(tools), tool_options(), nullptr, std::forward<CompletionToken>(token));
}

/// @copydoc async_run_tools
template <class CompletionToken = default_token>
auto async_run_tools(
    client& c, chat_request request, tool_set tools, diagnostics& diag, CompletionToken&& token = CompletionToken())
{
    return run_tools_impl(
        c, std::move(request), std::move(tools), tool_options(), &diag, std::forward<CompletionToken>(token));
}

/// @copydoc async_run_tools
template <class CompletionToken = default_token>
auto async_run_tools(
    client& c, chat_request request, tool_set tools, tool_options options, CompletionToken&& token = CompletionToken())
{
    return run_tools_impl(
        c, std::move(request), std::move(tools), std::move(options), nullptr, std::forward<CompletionToken>(token));
}

/// @copydoc async_run_tools
template <class CompletionToken = default_token>
auto async_run_tools(client& c, chat_request request, tool_set tools, tool_options options, diagnostics& diag,
    CompletionToken&& token = CompletionToken())
{
    return run_tools_impl(
        c, std::move(request), std::move(tools), std::move(options), &diag, std::forward<CompletionToken>(token));
}

} // namespace serin

#endif
