// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_STREAM_ATTEMPT_HPP
#define SERIN_SRC_CLIENT_STREAM_ATTEMPT_HPP

#include "../chat/accumulator.hpp"
#include "request_attempt.hpp"

#include <serin/chat/delta.hpp>
#include <serin/chat/response.hpp>
#include <serin/sse/parser.hpp>

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace serin {

// One try to get a streamed answer, and that answer.
class stream_attempt final : public request_attempt
{
public:
    // What the bytes received so far amount to.
    enum class progress
    {
        delta,     // take_delta() gives one.
        need_more, // read() first.
        over,      // result() says how the stream ended.
    };

    explicit stream_attempt(attempt_start start);

    // To the first token. With stream_recovery::buffer to the end.
    task<error_code> run(fiber& f, steady_time give_up_at) override;

    // Looks for the next delta among what was received. Waits for nothing: try_next() calls it too.
    progress advance(error_code const& interrupted);
    std::optional<chat_delta> take_delta() { return std::exchange(ready_, std::nullopt); }
    void add_empty_delta() { ready_.emplace(); }
    bool has_delta() const noexcept { return ready_.has_value(); }

    // Waits for more bytes.
    task<void> read(fiber& f);

    // The user has wanted no delta for a while: that time was not the server's.
    void restart_clocks() noexcept { last_byte_ = last_token_ = std::chrono::steady_clock::now(); }

    // The stream ends here with `ec`.
    progress end(error_code ec);
    error_code result() const noexcept { return result_; }
    bool is_complete() const noexcept override { return is_over_; }

    // Reads the few bytes that may follow the end of a stream, so that the connection can be used again.
    task<void> drain(fiber& f);

    // What has come so far, added up.
    std::string_view answer_text() override { return response().text(); }
    chat_response const& response() noexcept { return whole_ ? *whole_ : sum_.response(); }
    bool has_anything() noexcept { return response().first() != nullptr; }

    // Appends the events that came since the last time, if they are kept.
    void take_kept_events(std::string& out);

private:
    task<error_code> read_whole(fiber& f);
    void deliver_whole();
    progress take_events();
    void keep_event(std::string_view data);
    progress end_of_input(error_code ec, error_code const& interrupted);
    void set_stream_deadline(fiber& f) const;

    sse_parser events_;
    accumulator sum_;

    // The server answered with a whole completion instead of a stream, or one was asked for: it comes as a stream of
    // one delta a choice.
    std::optional<chat_response> whole_;
    std::deque<chat_delta> whole_deltas_;
    std::vector<tool_call_delta> whole_calls_;

    std::string kept_events_;
    bool kept_more_ = false; // since the last delta.
    std::optional<chat_delta> ready_;
    error_code result_;
    bool is_over_ = false; // result_ is final.
    bool has_token_ = false;
    bool opened_ = false; // The first delta was found: finish reasons count from now on.
    steady_time last_byte_{};
    steady_time last_token_{};
    steady_time finished_at_ = steady_time::max(); // Every choice has its finish reason since then.
};

} // namespace serin

#endif
