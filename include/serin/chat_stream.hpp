// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CHAT_STREAM_HPP
#define SERIN_CHAT_STREAM_HPP

#include <serin/chat/delta.hpp>
#include <serin/chat/response.hpp>
#include <serin/core/initiation.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace serin {

class stream_source;
struct relay;

/// An answer that is still arriving. Made by @ref client::async_stream; may outlive the client.
///
/// Destroying it closes the connection, and an outstanding @ref async_next completes with
/// `asio::error::operation_aborted`. One @ref async_next at a time. Apart from that a stream is for one
/// thread or strand at a time, whichever that is.
class chat_stream
{
    friend struct relay;

    std::shared_ptr<stream_source> impl_;

    struct initiate_next : initiation
    {
        template <class Handler>
        void operator()(Handler&& handler, diagnostics* diag, std::shared_ptr<stream_source> impl)
        {
            async_next_erased(std::move(impl), diag, std::forward<Handler>(handler));
        }
    };

    static void async_next_erased(
        std::shared_ptr<stream_source> impl, diagnostics* diag, any_handler<std::optional<chat_delta>> handler);

    // For the default token: without a way through the executor if the piece is there. The coroutine that waits goes
    // on in its own event loop, not inside of a call of ours, so that this cannot recurse.
    static asio::awaitable<std::optional<chat_delta>> await_next(
        std::shared_ptr<stream_source> impl, diagnostics* diag);

    template <class CompletionToken>
    auto next_impl(diagnostics* diag, CompletionToken&& token)
    {
        if constexpr (std::is_same_v<std::decay_t<CompletionToken>, default_token>)
            return await_next(impl_, diag);
        else
            return asio::async_initiate<CompletionToken, void(error_code, std::optional<chat_delta>)>(
                initiate_next{{get_executor()}}, token, diag, impl_);
    }

public:
    /// As @ref client::executor_type.
    using executor_type = asio::any_io_executor;

    /// A stream of nothing, to be assigned to. Only `operator bool`, assignment and destruction may be used on it.
    chat_stream() noexcept;

    /// Of the library's own.
    explicit chat_stream(std::shared_ptr<stream_source> impl) noexcept;

    /// Leaves a stream of nothing behind.
    chat_stream(chat_stream&&) noexcept;

    /// Ends the stream that it was, and leaves a stream of nothing behind.
    chat_stream& operator=(chat_stream&& other) noexcept;
    ~chat_stream();

    /// Whether it is a stream of something.
    explicit operator bool() const noexcept { return impl_ != nullptr; }

    /// The executor of the client that made it.
    executor_type get_executor() const noexcept;

    /// Completes with the next piece of the answer, or with an empty optional when the answer is complete.
    /// Its views are valid until the next `async_next` or @ref try_next. Never completes inline; with the default token
    /// the coroutine goes on without a round through the executor, 32 times in a row at most, while pieces are there.
    ///
    /// Errors: `errc::stream_truncated` if the stream ended before the model had finished, `errc::stream_error`,
    /// the cause of an error that the server sent within the stream, `errc::idle_timeout`, `errc::token_idle_timeout`,
    /// `errc::deadline_exceeded`, `errc::response_too_large`, `errc::memory_limit`, `errc::malformed_response`. What
    /// had arrived is in `diagnostics::partial` and in @ref response. After an error or the end, it completes the same
    /// way again.
    ///
    /// Cancelling (any type) ends the stream, closes its connection and completes with
    /// `asio::error::operation_aborted`.
    template <class CompletionToken = default_token>
    auto async_next(CompletionToken&& token = CompletionToken())
    {
        return next_impl(nullptr, std::forward<CompletionToken>(token));
    }

    /// @copydoc async_next
    /// `diag` must live until the completion.
    template <class CompletionToken = default_token>
    auto async_next(diagnostics& diag, CompletionToken&& token = CompletionToken())
    {
        return next_impl(&diag, std::forward<CompletionToken>(token));
    }

    /// The next piece, if it has been received already; never waits. Nothing also at the end and after an error:
    /// @ref async_next tells which. Not to be called while an `async_next` is outstanding.
    std::optional<chat_delta> try_next();

    /// The pieces so far, added up; complete once @ref async_next has completed with an empty optional. Not to be
    /// called while an `async_next` is outstanding. Valid as long as the stream.
    chat_response const& response() const noexcept;
};

} // namespace serin

#endif
