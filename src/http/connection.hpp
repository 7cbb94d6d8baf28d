// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_HTTP_CONNECTION_HPP
#define SERIN_SRC_HTTP_CONNECTION_HPP

#include "../core/fiber.hpp"
#include "response_parser.hpp"
#include "tls.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace serin {

// What a try to move bytes came to: some bytes, an error, or what to wait for first.
struct io_result
{
    enum class wait
    {
        none,
        readable,
        writable,
    };

    std::size_t size = 0;
    wait wanted = wait::none;
    error_code ec; // asio::error::eof at the end of input.
};

// One TCP connection, plain or TLS, with its input buffer. Reads and writes are tried first and waited for only
// when they would block: one receive and one send for a call. TLS runs on the socket itself: an asio::ssl::stream
// costs 53 KB a connection and 9,000 instructions a call more. Used by one fiber at a time.
class connection
{
public:
    explicit connection(asio::ip::tcp::socket socket);
    connection(connection const&) = delete;
    connection& operator=(connection const&) = delete;
    ~connection();

    asio::ip::tcp::socket& socket() noexcept { return socket_; }

    // Makes the connection a TLS one; the handshake is still to be done. Keeps `sessions` alive.
    void use_tls(ssl_ptr ssl, std::shared_ptr<tls_sessions> sessions);

    // What OpenSSL had to say about errc::tls_failed.
    std::string const& tls_failure() const noexcept { return tls_failure_; }

    // Whether that was the server's certificate.
    bool refused_certificate() const noexcept;

    io_result try_handshake();
    io_result try_write(std::string_view bytes);

    // Receives into the input buffer. asio::error::no_buffer_space when `input_limit` bytes lie there unused.
    io_result try_fill();

    // The bytes received and not used yet.
    std::string_view input() const noexcept { return {buffer_.get() + begin_, end_ - begin_}; }
    void consume(std::size_t bytes) noexcept;

    // False from time to time when much has come without a wait: others want to run too.
    bool may_go_on() noexcept;

    // Whether an idle connection can be used again: nothing has arrived on it, not even its end.
    bool is_quiet();

    // Wipes the key from what was sent.
    void wipe_output() noexcept;

    // Gives back memory that an idle connection has no use for.
    void shrink();

    std::string output;                   // The request being sent.
    std::size_t output_head = 0;          // So much of it may hold a key.
    field_block fields;                   // Of the response being read.
    std::size_t input_limit = 128 * 1024; // More than the largest head, chunk line or trailer.
    steady_time idle_since{};             // The last response on it has ended then.
    steady_time idle_until{};             // When it is idle: not to be used from then on.
    steady_time retire_at{};              // Not to be used for a new request from then on.
    std::uint64_t requests = 0;           // Sent so far.
    std::uint64_t requests_when_idle = 0; // Sent until it was last idle.

private:
    friend struct tls_bio;

    io_result tls_result(int returned, std::size_t size);
    void resize_buffer(std::size_t size);

    asio::ip::tcp::socket socket_;
    std::shared_ptr<tls_sessions> sessions_;
    ssl_ptr ssl_;
    error_code tls_socket_error_;
    std::string tls_failure_;
    std::unique_ptr<char[]> buffer_; // Not initialised: pages that no answer fills are not touched.
    std::size_t buffer_size_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    int fills_in_a_row_ = 0;
    bool drained_ = false; // The last receive took all there was: do not ask again before waiting.
};

// Waits until an operation of a connection has made progress. Results in its error.
class io_wait final : public suspension
{
public:
    enum class operation
    {
        handshake,
        fill,
    };

    io_wait(fiber& f, connection& c, operation op) noexcept : fiber_(f), connection_(c), operation_(op) {}

    bool await_ready();
    void await_suspend(std::coroutine_handle<> h);
    error_code await_resume() const noexcept { return fiber_.interrupted() ? fiber_.interrupted() : ec_; }
    void cancel() noexcept override;

private:
    struct ready_handler;

    bool attempt();
    void arm();

    fiber& fiber_;
    connection& connection_;
    operation operation_;
    io_result::wait wanted_ = io_result::wait::none; // none: the next attempt may go on at once.
    error_code ec_;
};

// Waits until bytes of `unsent` are sent, or until the server speaks before it has heard all.
class send_wait final : public suspension
{
public:
    // `heard` is set if it ended because the server spoke: there is input, or an error that says why there will be
    // none.
    send_wait(fiber& f, connection& c, std::string_view& unsent, bool& heard) noexcept
        : fiber_(f),
          connection_(c),
          unsent_(unsent),
          heard_(heard)
    {}

    bool await_ready();
    void await_suspend(std::coroutine_handle<> h);
    error_code await_resume() const noexcept { return fiber_.interrupted() ? fiber_.interrupted() : ec_; }
    void cancel() noexcept override;

private:
    struct ready_handler;

    bool attempt();
    bool hear();
    void arm(io_result::wait what);
    void on_ready(io_result::wait what, error_code ec);

    fiber& fiber_;
    connection& connection_;
    std::string_view& unsent_;
    bool& heard_;
    error_code ec_;
    int pending_ = 0;
    bool over_ = false;
};

} // namespace serin

#endif
