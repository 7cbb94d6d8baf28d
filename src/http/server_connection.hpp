// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_HTTP_SERVER_CONNECTION_HPP
#define SERIN_SRC_HTTP_SERVER_CONNECTION_HPP

#include "server_parser.hpp"
#include "server_state.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace serin {

// One connection. Its coroutine is `run`; besides that there is at most one pending read. That read goes on while a
// request is answered, to notice that the client has gone.
class http_connection : public std::enable_shared_from_this<http_connection>
{
public:
    http_connection(std::shared_ptr<http_server_state> server, asio::ip::tcp::socket socket, std::uint64_t number)
        : id(number),
          server_(std::move(server)),
          socket_(std::move(socket)),
          wake_(socket_.get_executor()),
          write_timer_(socket_.get_executor())
    {
        if (server_->params.tls)
            tls_.emplace(socket_, *server_->params.tls);
    }

    static asio::awaitable<void> run(std::shared_ptr<http_connection> self);

    void abort()
    {
        aborted_ = true;
        error_code ignored;
        socket_.close(ignored);
        wake_.cancel();
        gone_signal.emit(asio::cancellation_type::terminal);
    }

    void drain()
    {
        keep = false;
        close_if_idle();
    }

    void close_if_idle()
    {
        if (!idle_)
            return;
        idle_closed_ = true;
        wake_.cancel();
    }

    http_server_params const& limits() const noexcept { return server_->params; }
    asio::any_io_executor executor() { return socket_.get_executor(); }
    bool gone() const noexcept { return aborted_ || read_error_; }
    bool body_done() const noexcept { return parser_->is_done(); }

    asio::awaitable<error_code> read_body_some(std::string& body, std::size_t max);
    asio::awaitable<bool> sleep_until(std::chrono::steady_clock::time_point t);
    asio::awaitable<error_code> write(std::string_view bytes);

    std::uint64_t const id;
    http_server_request request;
    bool keep = true;         // Another request may follow.
    bool reset = false;       // End with RST.
    bool close_notify = true; // End TLS in order.
    bool linger = true;       // Take unread bytes before the end.
    bool refused = false;     // There are too many connections.
    std::optional<std::chrono::milliseconds> idle_after;
    asio::cancellation_signal gone_signal; // Emitted when gone() becomes true.

private:
    std::shared_ptr<http_server_state> const server_;
    asio::ip::tcp::socket socket_;
    std::optional<asio::ssl::stream<asio::ip::tcp::socket&>> tls_;

    // What the coroutine waits on when it waits for time or for the pending read.
    asio::steady_timer wake_;
    asio::steady_timer write_timer_;

    std::optional<http_server_parser> parser_;
    boost::beast::flat_buffer in_;
    std::vector<char> read_buffer_;
    error_code read_error_;
    bool reading_ = false;
    std::chrono::steady_clock::time_point body_deadline_ = std::chrono::steady_clock::time_point::max();
    bool answering_ = false;
    bool continue_sent_ = false;
    bool aborted_ = false;
    bool idle_ = false;
    bool idle_closed_ = false;
    unsigned inline_writes_ = 0;

    void start_read(std::size_t max);
    void on_read(error_code ec, std::size_t n);
    void watch();
    void abort_after(std::chrono::milliseconds t);
    error_code parse();
    bool peer_hung_up();

    asio::awaitable<error_code> write_some(asio::const_buffer& rest);
    asio::awaitable<error_code> handshake();
    asio::awaitable<error_code> fill(std::size_t max, std::chrono::steady_clock::time_point deadline);
    asio::awaitable<error_code> read_head();
    asio::awaitable<void> answer();
    asio::awaitable<void> shut_down();
};

} // namespace serin

#endif
