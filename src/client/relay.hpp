// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_RELAY_HPP
#define SERIN_SRC_CLIENT_RELAY_HPP

#include "../chat/relay_wire.hpp"

#include <serin/chat/request.hpp>
#include <serin/client.hpp>
#include <serin/core/diagnostics.hpp>
#include <serin/core/initiation.hpp>
#include <serin/observe/event.hpp>

#include <boost/asio/async_result.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

// Calls whose JSON is somebody else's: it passes through the client as it is, and so do the answers. Everything that
// holds for calls holds for these: retries, failover, deadlines, keys, limits.

namespace serin {

class fiber;

// What is asked of a relay.
class relay_request
{
public:
    relayed_body body;
    bool chat = true; // Else embeddings.
    std::optional<std::chrono::steady_clock::duration> timeout;
    std::string tenant; // As chat_request has them.
    cache_use cache = cache_use::as_configured;

    relay_request() {}
};

// A whole answer.
class relay_answer
{
public:
    std::string body; // As the server sent it.
    std::string upstream;
    std::string request_id;           // The server's name for the request.
    std::optional<token_usage> usage; // If the server counted
    cache_lookup cache = cache_lookup::off;

    relay_answer() {}
};

struct relay
{
    // Reads a caller's body into `out`, whose member `chat` says what it must be. Errors: as read_relayed_body.
    static error_code read(client& c, std::string_view body, relay_request& out, server_error& why);

    // Begins a call. Nothing of `request` is checked any more.
    static void start_whole(std::shared_ptr<client_impl> client, relay_request&& request, diagnostics* diag,
        any_handler<relay_answer> handler);
    static void start_stream(std::shared_ptr<client_impl> client, relay_request&& request, diagnostics* diag,
        any_handler<chat_stream> handler);

    // The same past the cache. Returns the call.
    static std::weak_ptr<fiber> ask_whole(std::shared_ptr<client_impl> client, relay_request&& request,
        diagnostics* diag, any_handler<relay_answer> handler);
    static std::weak_ptr<fiber> ask_stream(std::shared_ptr<client_impl> client, relay_request&& request,
        diagnostics* diag, any_handler<chat_stream> handler);

    // Appends what the stream has brought since the last time, as events to be sent on, but for the end mark. To be
    // called like chat_stream::try_next.
    static void take_events(chat_stream& stream, std::string& out);

    // What the cache had for the stream.
    static cache_lookup from_cache(chat_stream const& stream);
};

template <class Result>
struct relay_initiation : initiation
{
    using launch_function = void (*)(std::shared_ptr<client_impl>, relay_request&&, diagnostics*, any_handler<Result>);

    launch_function launch;

    template <class Handler>
    void operator()(Handler&& handler, diagnostics* diag, std::shared_ptr<client_impl> impl, relay_request&& request)
    {
        launch(std::move(impl), std::move(request), diag, std::forward<Handler>(handler));
    }
};

// Sends the request and completes with the whole answer; errors, cancelling and `diag` as of client::async_chat.
template <class CompletionToken>
auto async_relay(client& c, relay_request request, diagnostics& diag, CompletionToken&& token)
{
    return asio::async_initiate<CompletionToken, void(error_code, relay_answer)>(
        relay_initiation<relay_answer>{{c.get_executor()}, &relay::start_whole}, token, &diag, client_access::impl(c),
        std::move(request));
}

// The same, streamed: completes at the first token, as client::async_stream does. A stream that broke is not restarted.
template <class CompletionToken>
auto async_relay_stream(client& c, relay_request request, diagnostics& diag, CompletionToken&& token)
{
    return asio::async_initiate<CompletionToken, void(error_code, chat_stream)>(
        relay_initiation<chat_stream>{{c.get_executor()}, &relay::start_stream}, token, &diag, client_access::impl(c),
        std::move(request));
}

} // namespace serin

#endif
