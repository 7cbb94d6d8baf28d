// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_STREAM_CALL_HPP
#define SERIN_SRC_CLIENT_STREAM_CALL_HPP

#include "../chat/accumulator.hpp"
#include "call.hpp"
#include "endpoints.hpp"

#include <serin/chat/delta.hpp>
#include <serin/chat/request.hpp>
#include <serin/chat_stream.hpp>
#include <serin/sse/parser.hpp>

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace serin {

// A streamed call. One coroutine for all of it: it runs until there is a delta for the user, rests until he wants the
// next one, and reads from the socket only then, so that a slow user slows the server down and nothing piles up here.
class stream_call final : public call
{
public:
    stream_call(
        std::shared_ptr<client_impl> client, chat_request request, diagnostics* diag, any_handler<chat_stream> handler);

    static void launch(
        std::shared_ptr<client_impl> client, chat_request request, diagnostics* diag, any_handler<chat_stream> handler);

    asio::any_io_executor const& client_executor() const noexcept { return client_->executor; }

    // --- Of the user's handle ---

    void next(diagnostics* diag, any_handler<std::optional<chat_delta>> handler);
    std::optional<chat_delta> try_next();
    chat_response const& response() noexcept;

    // The handle is gone.
    void abandon();

private:
    class rest;

    // What the bytes received so far amount to.
    enum class progress
    {
        delta,     // ready_ holds one.
        need_more, // Read first.
        over,      // result_ says how the stream ended.
    };

    task<void> run();
    task<error_code> read_stream();
    task<error_code> read_whole();
    task<void> drain();
    progress advance();
    progress take_events();
    progress end_of_input(error_code ec);
    progress over(error_code ec);
    void announce() noexcept;
    void set_stream_deadline();
    void on_suspended() override;
    void abandoned() noexcept override;
    void on_finished(std::exception_ptr error) override;
    void begin_next(diagnostics* diag, completion<std::optional<chat_delta>> handler);
    void deliver_end();

    chat_request asked_;
    completion<chat_stream> opened_handler_;
    completion<std::optional<chat_delta>> next_handler_;

    sse_parser events_;
    accumulator sum_;
    std::optional<chat_response> whole_; // The server answered with a whole completion instead of a stream.
    std::deque<chat_delta> whole_deltas_;
    std::vector<tool_call_delta> whole_calls_;

    std::optional<chat_delta> ready_;
    error_code result_;
    bool is_over_ = false; // result_ is final.
    bool is_open_ = false; // The first token was there: the user has his stream.
    bool has_token_ = false;
    bool resting_ = false;
    std::atomic<bool> next_is_outstanding_{false};
    steady_time last_byte_{};
    steady_time last_token_{};
    steady_time finished_at_ = steady_time::max(); // Every choice has its finish reason since then.
    bool deliver_open_ = false;
    bool deliver_next_ = false;
};

} // namespace serin

#endif
