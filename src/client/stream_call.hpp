// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_STREAM_CALL_HPP
#define SERIN_SRC_CLIENT_STREAM_CALL_HPP

#include "call.hpp"
#include "stream_attempt.hpp"
#include "stream_source.hpp"

#include <serin/chat/delta.hpp>
#include <serin/chat/request.hpp>
#include <serin/chat_stream.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

namespace serin {

// A streamed call. One coroutine for all of it: it runs until there is a delta for the user, rests until he wants the
// next one, and reads from the socket only then, so that a slow user slows the server down and nothing piles up here.
class stream_call final : public call, public stream_source
{
public:
    stream_call(std::shared_ptr<client_impl> client, diagnostics* diag, any_handler<chat_stream> handler);

    ~stream_call() override { destroy_coroutine(); }

    static std::weak_ptr<fiber> launch(std::shared_ptr<client_impl> client, chat_request&& request, diagnostics* diag,
        any_handler<chat_stream> handler);
    static std::weak_ptr<fiber> launch(std::shared_ptr<client_impl> client, call_request&& request, diagnostics* diag,
        any_handler<chat_stream> handler);

    asio::any_io_executor const& client_executor() const noexcept override { return client_->executor; }

    // --- Of the user's handle ---

    void next(diagnostics* diag, any_handler<std::optional<chat_delta>> handler) override;
    std::optional<chat_delta> try_next() override;
    chat_response const& response() noexcept override;
    void take_events(std::string& out) override;
    void abandon() override;

private:
    class rest;

    bool is_cancelled() const noexcept override { return interrupt_asked(); }
    task<void> run();
    task<void> read_stream();
    task<void> read_answers();
    std::unique_ptr<request_attempt> make_attempt(attempt_start start) override;
    stream_attempt* current() const noexcept { return static_cast<stream_attempt*>(last()); }
    std::optional<chat_delta> take_delta();
    void announce() noexcept;
    void on_suspended() override;
    void abandoned() noexcept override;
    void on_finished(std::exception_ptr error) override;
    void begin_next(diagnostics* diag, completion<std::optional<chat_delta>> handler);
    void deliver_end();

    completion<chat_stream> opened_handler_;
    completion<std::optional<chat_delta>> next_handler_;

    stream_attempt* shown_ = nullptr;         // Whose deltas the user gets.
    std::unique_ptr<request_attempt> broken_; // Shown still: the attempts that are to take its place have no token yet.
    error_code result_;
    bool is_over_ = false;   // result_ is final.
    bool is_open_ = false;   // The first token was there: the user has his stream.
    bool restarted_ = false; // The next delta begins a new answer.
    bool resting_ = false;
    std::atomic<bool> next_is_outstanding_{false};
    bool deliver_open_ = false;
    bool deliver_next_ = false;
};

} // namespace serin

#endif
