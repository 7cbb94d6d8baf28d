// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_MOCK_SERVICE_HPP
#define SERIN_SRC_MOCK_SERVICE_HPP

#include <serin/mock/provider.hpp>

#include "../http/server.hpp"
#include "answer.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace serin::mock {

// What a request asks for.
class mock_call
{
public:
    std::string model;
    bool stream = false;
    answer_context context;          // Of a chat.
    std::optional<std::string> body; // The answer of another endpoint.

    mock_call() {}
};

// Answers a provider's requests as scripted, and keeps its log.
class service final : public http_server_handler
{
public:
    explicit service(provider_params const& params);

    asio::awaitable<void> on_request(http_exchange& exchange) override;
    void on_open(std::uint64_t) override;
    void on_close(std::uint64_t) override;

    void on_next(behavior b);
    void on_model(std::string model, behavior b);
    void set_default(behavior b);
    void set_function(std::function<behavior(request_view const&)> function);
    void set_faults(std::vector<fault_share> faults, std::uint64_t seed);
    void set_keys(std::vector<std::string> keys);

    std::vector<request_record> requests() const;
    std::size_t request_count() const;
    std::size_t connections_accepted() const;
    std::size_t connections_open() const;
    std::size_t max_connections_open() const;
    bool wait_until(std::function<bool()> const& predicate, std::chrono::milliseconds timeout) const;

private:
    bool const echo_key_;
    std::size_t const log_capacity_;
    std::size_t const body_limit_;

    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::uint64_t version_ = 0; // Counts the changes that wait_until looks at.

    std::deque<behavior> queue_;
    std::function<behavior(request_view const&)> function_;
    std::vector<fault_share> faults_;
    std::mt19937_64 random_;
    std::map<std::string, behavior, std::less<>> models_;
    behavior default_;
    std::vector<std::string> keys_;

    std::deque<request_record> log_;
    std::size_t dropped_ = 0; // Requests that are no longer in the log.
    std::size_t accepted_ = 0;
    std::size_t open_ = 0;
    std::size_t max_open_ = 0;

    template <class Function>
    void update(Function change);
    template <class Function>
    void update_record(std::size_t id, Function change);

    bool key_accepted(http_server_request const& request) const;
    std::optional<behavior> take_queued();
    behavior choose(http_server_request const& request, std::string_view body, mock_call const& call);
    std::vector<std::string> model_names() const;

    // These return false if the client left before the end.
    asio::awaitable<bool> serve(http_exchange& exchange, std::size_t id);
    asio::awaitable<bool> serve_call(http_exchange& exchange, std::size_t id, std::string_view path);

    // Answers by itself when it fails.
    asio::awaitable<error_code> read_body(
        http_exchange& exchange, std::size_t id, std::string& body, behavior const& b);
    asio::awaitable<bool> respond(http_exchange& exchange, std::size_t id, behavior const& b, mock_call const& call);
    asio::awaitable<bool> respond_whole(
        http_exchange& exchange, std::size_t id, behavior const& b, mock_call const& call);
    asio::awaitable<bool> respond_stream(
        http_exchange& exchange, std::size_t id, behavior const& b, mock_call const& call);
    asio::awaitable<bool> fail(http_exchange& exchange, behavior const& b, bool in_stream);
    asio::awaitable<bool> wait(http_exchange& exchange, behavior const& b, std::chrono::steady_clock::time_point t);
    asio::awaitable<bool> send_json(http_exchange& exchange, std::size_t id, int status, std::string const& body);
};

} // namespace serin::mock

#endif
