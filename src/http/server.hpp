// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_HTTP_SERVER_HPP
#define SERIN_SRC_HTTP_SERVER_HPP

#include "server_exchange.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ssl/context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace serin {

class http_server_state;

// Limits and choices of a server.
class http_server_params
{
public:
    std::size_t head_limit = 64 * 1024;             // Bytes of a request's head, and of its trailer.
    std::size_t body_limit = 64 * 1024 * 1024;      // Bytes of a request's body that read_body accepts.
    std::chrono::milliseconds handshake_timeout{0}; // For the TLS handshake; 0: none.
    std::chrono::milliseconds head_timeout{0};      // From a head's first byte to its last; 0: none.
    std::chrono::milliseconds body_timeout{0};      // From a head's last byte to the body's; 0: none.
    std::chrono::milliseconds idle_timeout{0};      // Between two requests of a connection; 0: none.
    std::chrono::milliseconds write_timeout{0};     // For the peer to take 64 KiB, or the less that there is; 0: none.
    std::chrono::milliseconds linger_timeout{2000}; // How long a closing connection takes unread bytes.
    std::size_t max_connections = 0;                // What comes above is refused; 0: no limit.
    std::size_t receive_buffer = 0;                 // SO_RCVBUF of connections; 0: the system's.
    bool use_strands = true;                        // False only if one thread runs the executor.
    std::shared_ptr<asio::ssl::context> tls;        // Null: plain.

    http_server_params() {}
};

// What serves the requests. Connections run at the same time, each on its own strand if there are strands.
class http_server_handler
{
public:
    virtual ~http_server_handler() = default;

    // Answers one request. What is left of the body closes the connection, as does an exception.
    virtual asio::awaitable<void> on_request(http_exchange& exchange) = 0;

    // Answers the only request of a connection that is one too many, at once and without its body. By default 503.
    virtual asio::awaitable<void> on_refused(http_exchange& exchange);

    // A connection was accepted; it is gone.
    virtual void on_open(std::uint64_t) {}
    virtual void on_close(std::uint64_t) {}
};

// An HTTP/1.1 server, plain or TLS. Holds work on the executor from `start` until `close`, or until `stop` and the
// end of the last exchange. All functions but `listen` may be called from any thread.
class http_server
{
    std::shared_ptr<http_server_state> state_;

public:
    http_server(asio::any_io_executor ex, http_server_params params, std::shared_ptr<http_server_handler> handler);
    http_server(http_server const&) = delete;
    http_server& operator=(http_server const&) = delete;
    ~http_server(); // Closes.

    // Binds to an IP address; port 0: any.
    error_code listen(std::string const& address, unsigned short port);

    // The port that was bound.
    unsigned short port() const noexcept;

    // Begins to accept.
    void start();

    // Accepts no more; closes idle connections; the others end after the exchange at hand.
    void stop();

    // Accepts no more and closes every connection at once.
    void close();

    // Closes the connections that wait for a request.
    void close_idle();

    // How many connections there are, refused ones included.
    std::size_t connections() const;
};

} // namespace serin

#endif
