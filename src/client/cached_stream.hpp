// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_CACHED_STREAM_HPP
#define SERIN_SRC_CLIENT_CACHED_STREAM_HPP

#include "../core/completion.hpp"
#include "client_impl.hpp"
#include "relay.hpp"
#include "response_cache.hpp"
#include "stream_source.hpp"

#include <serin/chat/delta.hpp>
#include <serin/chat/request.hpp>
#include <serin/chat/response.hpp>
#include <serin/chat_stream.hpp>
#include <serin/core/diagnostics.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace serin {

// A chat whose streamed answer may come from the cache. Gives the pieces of a shared_fetch one by one: those of an
// answer that is kept, or those that the server sends for this call and identical ones. Like stream_call one coroutine,
// which rests until the user wants the next piece.
class cached_stream final : public fiber, public stream_source
{
public:
    using request = std::variant<chat_request, relay_request>;

    cached_stream(std::shared_ptr<client_impl> client, cache_plan plan, request&& asked, diagnostics* diag,
        any_handler<chat_stream> handler);
    ~cached_stream() override;

    static void launch(std::shared_ptr<client_impl> client, cache_plan plan, request&& asked, diagnostics* diag,
        any_handler<chat_stream> handler);

    // --- Of the user's handle ---

    asio::any_io_executor const& client_executor() const noexcept override { return client_->executor; }
    void next(diagnostics* diag, any_handler<std::optional<chat_delta>> handler) override;
    std::optional<chat_delta> try_next() override;
    chat_response const& response() noexcept override { return sum_; }
    void take_events(std::string& out) override;
    cache_lookup from_cache() const noexcept override { return from_cache_; }
    void abandon() override;

private:
    class rest;

    bool is_cancelled() const noexcept override { return interrupt_asked(); }
    task<void> run();
    task<void> open();
    void account();
    void end();
    std::optional<chat_delta> take();
    void announce() noexcept;
    void begin_next(diagnostics* diag, completion<std::optional<chat_delta>> handler);
    void report();
    void deliver_end();
    void on_suspended() override;
    void abandoned() noexcept override;
    void on_finished(std::exception_ptr error) override;

    std::shared_ptr<client_impl> const client_;
    cache_plan const plan_;
    request const request_;
    diagnostics* diag_;
    completion<chat_stream> opened_handler_;
    completion<std::optional<chat_delta>> next_handler_;

    response_cache::seat seat_;
    std::size_t taken_ = 0; // Pieces that the user has
    chat_response sum_;     // What they add up to, and at the end all of the answer
    std::string events_;    // Of them, if the answer is passed on
    cache_lookup from_cache_ = cache_lookup::off;
    error_code result_;
    bool is_over_ = false; // result_ is final.
    bool is_open_ = false; // The user has his stream.
    bool resting_ = false;
    std::atomic<bool> next_is_outstanding_{false};
    bool deliver_open_ = false;
    bool deliver_next_ = false;
};

} // namespace serin

#endif
