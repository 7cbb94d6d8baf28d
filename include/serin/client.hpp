// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CLIENT_HPP
#define SERIN_CLIENT_HPP

#include <serin/chat/embedding.hpp>
#include <serin/chat/model_list.hpp>
#include <serin/chat/moderation.hpp>
#include <serin/chat/request.hpp>
#include <serin/chat/response.hpp>
#include <serin/chat_stream.hpp>
#include <serin/client_params.hpp>
#include <serin/core/abi.hpp>
#include <serin/core/boxed.hpp>
#include <serin/core/initiation.hpp>
#include <serin/policy/cost_report.hpp>
#include <serin/raw.hpp>

#include <boost/asio/async_result.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace serin {

class client_impl;

/// Connections of a client at one moment.
struct connection_counts
{
    std::size_t live = 0;    ///< All: idle, in use and being made.
    std::size_t idle = 0;    ///< Idle.
    std::size_t waiting = 0; ///< Calls that wait for one.
};

/// An asynchronous client for chat completions, of one upstream or many.
///
/// All asynchronous functions take any Asio completion token with the signature `void(error_code, T)`; the default
/// one makes `co_await` return the T or throw @ref api_error. With other tokens pass a @ref diagnostics, which must
/// live until the completion, to learn more than the error code.
///
/// Thread safety: every function may be called from any thread, if `client_params::thread_safe` is true.
/// A client with no call outstanding leaves no work in the context, except that a look-up of a host name cannot be
/// cancelled: one that was given up holds the context until the system answers. Destroying the client cancels what is
/// outstanding and does not wait for it; the context must outlive the client and its streams. A child made by `fork`
/// must not use its parent's client.
class client
{
    friend struct client_access;

    std::shared_ptr<client_impl> impl_;

    // Begins a call: `launch` is one of the functions below.
    template <class Request, class Result>
    struct initiate : initiation
    {
        using launch_function = void (*)(std::shared_ptr<client_impl>, Request&&, diagnostics*, any_handler<Result>);

        launch_function launch;

        template <class Handler>
        void operator()(Handler&& handler, diagnostics* diag, std::shared_ptr<client_impl> impl, boxed<Request> request)
        {
            launch(std::move(impl), std::move(*request), diag, std::forward<Handler>(handler));
        }
    };

    template <class Request, class Result, class CompletionToken>
    auto call(void (*launch)(std::shared_ptr<client_impl>, Request&&, diagnostics*, any_handler<Result>),
        Request&& request, diagnostics* diag, CompletionToken&& token)
    {
        return asio::async_initiate<CompletionToken, void(error_code, Result)>(
            initiate<Request, Result>{{get_executor()}, launch}, token, diag, impl_,
            boxed<Request>(std::move(request)));
    }

    static void launch_chat(std::shared_ptr<client_impl> impl, chat_request&& request, diagnostics* diag,
        any_handler<chat_response> handler);
    static void launch_stream(
        std::shared_ptr<client_impl> impl, chat_request&& request, diagnostics* diag, any_handler<chat_stream> handler);
    static void launch_embed(std::shared_ptr<client_impl> impl, embedding_request&& request, diagnostics* diag,
        any_handler<embedding_response> handler);
    static void launch_moderate(std::shared_ptr<client_impl> impl, moderation_request&& request, diagnostics* diag,
        any_handler<moderation_response> handler);
    static void launch_models(std::shared_ptr<client_impl> impl, model_list_request&& request, diagnostics* diag,
        any_handler<model_list> handler);
    static void launch_raw(
        std::shared_ptr<client_impl> impl, raw_request&& request, diagnostics* diag, any_handler<raw_response> handler);

public:
    /// Any executor of Asio.
    using executor_type = asio::any_io_executor;

    /// Makes a client whose work runs on `ex`. Throws @ref api_error if the parameters cannot be used:
    /// `errc::invalid_argument`, `errc::invalid_url`, or `errc::insecure_transport` for a key over plain http.
    /// Opens no connection.
    client(executor_type ex, client_params&& params);

    /// @copydoc client(executor_type, client_params&&)
    client(executor_type ex, client_params const& params);

    /// Of the library's own.
    explicit client(std::shared_ptr<client_impl> impl) noexcept;

    /// What is outstanding stays with the client. The other one may only be assigned to or destroyed.
    client(client&&) noexcept;

    /// As destroying the old one and moving the other.
    client& operator=(client&& other) noexcept;
    ~client();

    /// The executor that it was made with.
    executor_type get_executor() const noexcept;

    /// Sends `request` and completes with the whole answer.
    ///
    /// Errors: any @ref errc; what the server said is in the diagnostics.
    /// Cancelling (any type) closes the call's connection; completes with `asio::error::operation_aborted`.
    template <class CompletionToken = default_token>
    auto async_chat(chat_request request, CompletionToken&& token = CompletionToken())
    {
        return call(&client::launch_chat, std::move(request), nullptr, std::forward<CompletionToken>(token));
    }

    /// @copydoc async_chat
    template <class CompletionToken = default_token>
    auto async_chat(chat_request request, diagnostics& diag, CompletionToken&& token = CompletionToken())
    {
        return call(&client::launch_chat, std::move(request), &diag, std::forward<CompletionToken>(token));
    }

    /// Sends `request` and completes when the first token of the answer has arrived, or when the answer has ended
    /// without one. A token is a non-empty piece of text, reasoning, refusal or tool arguments.
    ///
    /// Errors and cancelling: as @ref async_chat. Afterwards the stream reports its own.
    template <class CompletionToken = default_token>
    auto async_stream(chat_request request, CompletionToken&& token = CompletionToken())
    {
        return call(&client::launch_stream, std::move(request), nullptr, std::forward<CompletionToken>(token));
    }

    /// @copydoc async_stream
    template <class CompletionToken = default_token>
    auto async_stream(chat_request request, diagnostics& diag, CompletionToken&& token = CompletionToken())
    {
        return call(&client::launch_stream, std::move(request), &diag, std::forward<CompletionToken>(token));
    }

    /// Turns texts into vectors, one for each text and in its place.
    ///
    /// Errors and cancelling: as @ref async_chat.
    template <class CompletionToken = default_token>
    auto async_embed(embedding_request request, CompletionToken&& token = CompletionToken())
    {
        return call(&client::launch_embed, std::move(request), nullptr, std::forward<CompletionToken>(token));
    }

    /// @copydoc async_embed
    template <class CompletionToken = default_token>
    auto async_embed(embedding_request request, diagnostics& diag, CompletionToken&& token = CompletionToken())
    {
        return call(&client::launch_embed, std::move(request), &diag, std::forward<CompletionToken>(token));
    }

    /// Asks whether texts are harmful.
    ///
    /// Errors and cancelling: as @ref async_chat.
    template <class CompletionToken = default_token>
    auto async_moderate(moderation_request request, CompletionToken&& token = CompletionToken())
    {
        return call(&client::launch_moderate, std::move(request), nullptr, std::forward<CompletionToken>(token));
    }

    /// @copydoc async_moderate
    template <class CompletionToken = default_token>
    auto async_moderate(moderation_request request, diagnostics& diag, CompletionToken&& token = CompletionToken())
    {
        return call(&client::launch_moderate, std::move(request), &diag, std::forward<CompletionToken>(token));
    }

    /// The models of an upstream, chosen by weight as for every call.
    ///
    /// Errors and cancelling: as @ref async_chat.
    template <class CompletionToken = default_token>
    auto async_models(CompletionToken&& token = CompletionToken())
    {
        return call(&client::launch_models, model_list_request(), nullptr, std::forward<CompletionToken>(token));
    }

    /// @copydoc async_models
    template <class CompletionToken = default_token>
    auto async_models(diagnostics& diag, CompletionToken&& token = CompletionToken())
    {
        return call(&client::launch_models, model_list_request(), &diag, std::forward<CompletionToken>(token));
    }

    /// Sends a request to an endpoint that the library has no types for, with the pool, the keys and the deadlines of
    /// all others. Completes with any answer whose status is from 200 to 299.
    ///
    /// Errors and cancelling: as @ref async_chat.
    template <class CompletionToken = default_token>
    auto async_request(raw_request request, CompletionToken&& token = CompletionToken())
    {
        return call(&client::launch_raw, std::move(request), nullptr, std::forward<CompletionToken>(token));
    }

    /// @copydoc async_request
    template <class CompletionToken = default_token>
    auto async_request(raw_request request, diagnostics& diag, CompletionToken&& token = CompletionToken())
    {
        return call(&client::launch_raw, std::move(request), &diag, std::forward<CompletionToken>(token));
    }

    /// Cancels every outstanding call and every stream. They complete with `asio::error::operation_aborted`. The
    /// client can be used again.
    void cancel();

    /// Reads all keys again from where they come from; calls under way go on with theirs. Returns the first error,
    /// and what is wrong in `diag.message`; the last good keys stay.
    error_code reload_keys(diagnostics& diag);

    /// @copydoc reload_keys
    error_code reload_keys();

    /// Begins to watch the sources of keys, so that a key file that is replaced is read again at once, and to look at
    /// alerts. Holds work in the context until @ref stop or the client's end. Without it keys are read when the client
    /// is made, by @ref reload_keys, and when the server does not accept them; alerts are silent.
    void start();

    /// Ends what @ref start began.
    void stop();

    /// How the keys of each upstream that has any are doing.
    std::vector<upstream_keys> keys() const;

    /// Puts other parameters in the place of those at hand, all at once: upstreams, models, rollouts, mirrors, health,
    /// retries, hedging, streams and deadlines. Calls under way go on with what they began with. An upstream of the
    /// same name keeps what is known of its health and its limits, and its keys if their source is the same object; a
    /// rollout of the same model and candidate keeps its stage and its time. Connections, memory, thread safety, log
    /// and seed stay as the client was made with.
    ///
    /// On failure nothing changes and `diag.message` says why. Errors: as the constructor's.
    error_code reconfigure(client_params params, diagnostics& diag);

    /// The parameters at hand.
    client_params params() const;

    /// What the cache of answers has come to.
    cache_counts cache() const;

    /// How each upstream is doing.
    std::vector<upstream_status> upstreams() const;

    /// What was spent since the client was made, as far as prices are known, and today's budgets.
    cost_report costs() const;

    /// Where each rollout stands.
    std::vector<rollout_report> rollouts() const;

    /// What each mirror has found.
    std::vector<mirror_report> mirrors() const;

    /// Moves the rollout of an alias to its next stage, whatever its figures. Nothing happens, here and below, if there
    /// is no such rollout, or where it makes no sense.
    rollout_event promote_rollout(std::string_view model);

    /// Keeps it from being promoted. It is still rolled back if it fails.
    rollout_event pause_rollout(std::string_view model);

    /// Ends a pause.
    rollout_event resume_rollout(std::string_view model);

    /// Takes the candidate's share away.
    rollout_event abort_rollout(std::string_view model);

    /// Begins again with the first stage.
    rollout_event restart_rollout(std::string_view model);

    /// What to keep of a rollout so that another process can go on with it. Nothing if there is no such rollout.
    std::optional<rollout_state> save_rollout(std::string_view model) const;

    /// Goes on where a saved rollout was. False: there is no rollout of this model and this candidate.
    bool restore_rollout(std::string_view model, rollout_state const& saved);

    /// Closes the connections that no call uses.
    void close_idle_connections();

    /// How many connections there are.
    connection_counts connections() const;
};

// What functions built on a client use: what its calls share, which lives as long as they do, and calls in erased form.
struct client_access
{
    static std::shared_ptr<client_impl> const& impl(client const& c) noexcept { return c.impl_; }

    static void chat(
        std::shared_ptr<client_impl> impl, chat_request request, diagnostics* diag, any_handler<chat_response> handler)
    {
        client::launch_chat(std::move(impl), std::move(request), diag, std::move(handler));
    }

    static void stream(
        std::shared_ptr<client_impl> impl, chat_request request, diagnostics* diag, any_handler<chat_stream> handler)
    {
        client::launch_stream(std::move(impl), std::move(request), diag, std::move(handler));
    }
};

} // namespace serin

#endif
