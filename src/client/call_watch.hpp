// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_CALL_WATCH_HPP
#define SERIN_SRC_CLIENT_CALL_WATCH_HPP

#include "../core/fiber.hpp"

#include <serin/chat/response.hpp>
#include <serin/observe/event.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace serin {

class client_impl;
class request_attempt;
class routing;
struct call_request;
struct upstream_state;

token_counts counts_of(token_usage const& used) noexcept;

// Tells the client's observer what happens in one call, and books what it costs. There is one only where somebody
// wants to know either. On the call's executor.
class call_watch
{
public:
    // All outlive it. `copy`: the call is a mirror's, of which attempts are told, but no call.
    call_watch(client_impl& client, routing const& config, call_request const& asked, bool copy);
    call_watch(call_watch const&) = delete;
    call_watch& operator=(call_watch const&) = delete;
    ~call_watch();

    void attempt_begins(request_attempt const& which, bool hedge, steady_time::duration waited);

    // Tokens were used: books them, and returns what they cost.
    std::int64_t book(
        upstream_state const& upstream, std::string_view model, std::string_view key, token_usage const& used);

    // The attempt has ended.
    void attempt_ends(attempt_ended const& event);

    // A token has come at `at`. `last`: when the one before it came; nothing: it is the first of its attempt.
    void token(request_attempt const& from, steady_time at, steady_time attempt_began, std::optional<steady_time> last,
        std::string_view text);

    // The call will go on after a failure of `failed`, at the upstream of that name.
    void goes_on(request_attempt const& failed, error_code ec, std::string_view next, steady_time::duration delay);

    // The call has ended. `last`: its last attempt; null: there was none. The first call counts.
    void end(error_code ec, give_up why, request_attempt* last);

    call_info const& info() const noexcept { return info_; }

    // The client's time: that of `at` in all events.
    steady_time now() const noexcept;

private:
    void time_token(request_attempt const& from, steady_time::duration since);
    void tell_times();

    client_impl& client_;
    routing const& config_;
    bool const copy_;
    bool ended_ = false;
    call_info info_;
    steady_time const began_;
    std::size_t attempts_ = 0;
    std::optional<steady_time::duration> first_token_;
    std::int64_t cost_ = 0;
    std::vector<steady_time::duration> between_; // Tokens, and not told yet
    request_attempt const* timed_ = nullptr;     // Whose
};

} // namespace serin

#endif
