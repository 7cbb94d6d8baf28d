// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_GATEWAY_CALLER_SERVICE_HPP
#define SERIN_SRC_GATEWAY_CALLER_SERVICE_HPP

#include "../client/relay.hpp"
#include "../http/server.hpp"
#include "error_answer.hpp"
#include "token_set.hpp"
#include "traffic.hpp"

#include <serin/client.hpp>
#include <serin/core/logger.hpp>
#include <serin/observe/metrics.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace serin::gateway {

// Answers callers: passes what they ask on to the client.
class caller_service final : public http_server_handler
{
public:
    // `measured`: what /metrics shows; null: there is no such address.
    caller_service(std::shared_ptr<client> c, std::vector<secret> const& tokens, logger log,
        std::shared_ptr<metrics const> measured);

    asio::awaitable<void> on_request(http_exchange& exchange) override;
    asio::awaitable<void> on_refused(http_exchange& exchange) override;
    void on_open(std::uint64_t) override;
    void on_close(std::uint64_t) override;

    void set_tokens(std::vector<secret> const& tokens);

    // What callers were answered lately.
    std::vector<traffic_figures> figures() const;
    std::deque<traffic_failure> failures() const;
    bool is_draining() const;

    // From now on /readyz says no.
    void announce_end();

    // `emptied` is called once, as soon as there is no connection.
    void drain(std::function<void()> emptied);

private:
    struct request_line;

    std::shared_ptr<client> const client_;
    logger const log_;
    std::shared_ptr<metrics const> const measured_;
    std::string const id_prefix_;
    std::atomic<std::uint64_t> next_id_{1};

    mutable std::mutex mutex_;
    std::shared_ptr<token_set const> tokens_;
    mutable std::shared_ptr<std::vector<std::string> const> aliases_; // Sorted
    mutable std::chrono::steady_clock::time_point aliases_until_{};   // When they are looked up again.
    std::size_t open_ = 0;
    bool draining_ = false;
    std::function<void()> emptied_;

    mutable std::mutex traffic_mutex_;
    mutable traffic traffic_;

    bool is_allowed(http_server_request const& request) const;
    std::string tenant_of(http_server_request const& request) const;
    std::shared_ptr<std::vector<std::string> const> aliases() const;

    asio::awaitable<void> serve(http_exchange& exchange, request_line& line);
    asio::awaitable<void> serve_models(http_exchange& exchange, request_line& line, std::string_view only);
    asio::awaitable<void> relay_call(http_exchange& exchange, request_line& line, bool chat);
    asio::awaitable<void> relay_whole(http_exchange& exchange, request_line& line, relay_request request);
    asio::awaitable<void> relay_stream(http_exchange& exchange, request_line& line, relay_request request);
    asio::awaitable<void> refuse(
        http_exchange& exchange, request_line& line, int status, char const* code, char const* message);
    asio::awaitable<void> fail(http_exchange& exchange, request_line& line, error_answer answer);
    asio::awaitable<void> send(
        http_exchange& exchange, request_line& line, int status, std::string_view type, std::string_view body);

    http_server_head head_of(request_line const& line, int status, std::string_view type) const;
    void note(request_line& line, diagnostics const& diag) const;
    void count(http_exchange& exchange, request_line const& line, diagnostics const& diag, error_code ec,
        std::uint64_t tokens, std::chrono::steady_clock::time_point first_token);
    void log_line(http_exchange& exchange, request_line const& line) const;
};

} // namespace serin::gateway

#endif
