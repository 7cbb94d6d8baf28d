// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_HTTP_SERVER_EXCHANGE_HPP
#define SERIN_SRC_HTTP_SERVER_EXCHANGE_HPP

#include <serin/core/error.hpp>
#include <serin/core/headers.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace serin {

class http_connection;

// The head of a request and where it came from.
class http_server_request
{
public:
    std::uint64_t connection = 0; // Connections count from 1.
    std::uint64_t number = 0;     // The requests of a connection count from 1.
    std::string method;
    std::string target;
    serin::headers headers;
    bool http_1_0 = false;
    bool keep_alive = false;                        // The client allows another request on this connection.
    bool tls_resumed = false;                       // The TLS session was resumed.
    std::string tls_client_name;                    // Common name of the client's certificate; empty if there is none.
    std::chrono::steady_clock::time_point received; // When the head was complete.

    http_server_request() {}
};

// How the end of a body is marked.
enum class http_framing
{
    content_length,  // A Content-Length header.
    chunked,         // Transfer-Encoding: chunked.
    close_delimited, // The connection closes.
    none,            // There is no body, and no header about it.
};

// The head of an answer.
class http_server_head
{
public:
    int status = 200;
    serin::headers headers; // Without Connection and those that say how the body ends.
    http_framing framing = http_framing::content_length;
    std::size_t content_length = 0;
    bool http_1_0 = false; // Sends an HTTP/1.0 status line, and closes after the answer.
    bool close = false;    // Sends `Connection: close`, and closes after the answer.

    http_server_head() {}
};

// A request and the means to answer it. Lives as long as the handler's coroutine; used only from within it.
// Every function that writes completes with an error once the connection is gone: then simply return.
class http_exchange
{
    http_connection& connection_;
    http_framing framing_ = http_framing::none;
    std::size_t write_size_ = 0;
    std::chrono::milliseconds write_interval_{0};
    bool head_written_ = false;
    std::string piece_;

    std::string begin(http_server_head const& head);

public:
    explicit http_exchange(http_connection& c) : connection_(c) {}
    http_exchange(http_exchange const&) = delete;
    http_exchange& operator=(http_exchange const&) = delete;

    http_server_request const& request() const noexcept;
    asio::any_io_executor get_executor() const;

    // --- The request's body ---

    // Whether all of the body was read; true at once for a request without body.
    bool body_done() const noexcept;

    // Reads what remains of the body and appends it. `errc::response_too_large` beyond the limit.
    asio::awaitable<error_code> read_body(std::string& body);

    // Waits for bytes of the body and appends them: at most `max` are taken from the socket.
    asio::awaitable<error_code> read_body_some(std::string& body, std::size_t max);

    // --- The answer: write_head, pieces, finish; or write_bytes alone ---

    asio::awaitable<error_code> write_head(http_server_head const& head);

    // Writes the head and the first part of the body at once.
    asio::awaitable<error_code> write_head(http_server_head const& head, std::string_view first_piece);

    // Writes head and body at once.
    asio::awaitable<error_code> write_whole(http_server_head head, std::string_view body);

    // Writes a part of the body in the framing of the head: a chunk, or bytes as they are.
    asio::awaitable<error_code> write_piece(std::string_view piece);

    // The end of the body: the last chunk, if there are chunks.
    asio::awaitable<error_code> finish();

    // The last part of the body and its end at once.
    asio::awaitable<error_code> finish(std::string_view last_piece);

    // Writes exactly these bytes.
    asio::awaitable<error_code> write_bytes(std::string_view bytes);

    // Writes at most `size` bytes at once from now on, with a pause between; 0: as many as possible.
    void write_slowly(std::size_t size, std::chrono::milliseconds interval) noexcept;

    bool head_written() const noexcept { return head_written_; }

    // --- The connection ---

    // Waits. False at once when the client has gone or the server closes, true at the given time.
    asio::awaitable<bool> sleep_until(std::chrono::steady_clock::time_point t);

    // Whether the client closed the connection, or the server does. Until all of the body was read, this is known
    // only from a read or a sleep that failed.
    bool client_gone() const noexcept;

    // What is waited for with this slot is cancelled when client_gone() becomes true; if it is true already, nothing
    // is. For one wait at a time.
    asio::cancellation_slot gone_slot() noexcept;

    // Closes the connection when the handler returns: an orderly end. `close_notify`: with TLS, say so there too.
    // `linger`: take what the client still sends, so that it finds the answer instead of a reset.
    void close(bool close_notify = true, bool linger = true) noexcept;

    // Resets the connection when the handler returns (RST).
    void reset() noexcept;

    // Closes the connection after it was idle that long.
    void close_idle_after(std::chrono::milliseconds t) noexcept;
};

} // namespace serin

#endif
