// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "server_exchange.hpp"
#include "server_connection.hpp"

#include <boost/beast/http/status.hpp>

#include <array>

namespace serin {
namespace {

constexpr std::size_t server_body_piece = 8 * 1024;

std::string server_render_head(http_server_head const& head, bool close)
{
    std::string text = head.http_1_0 ? "HTTP/1.0 " : "HTTP/1.1 ";
    text += std::to_string(head.status);
    text += ' ';
    auto const reason =
        boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(static_cast<unsigned>(head.status)));
    text.append(reason.data(), reason.size());
    text += "\r\n";
    for (header const& h : head.headers)
    {
        text += h.name;
        text += ": ";
        text += h.value;
        text += "\r\n";
    }
    switch (head.framing)
    {
    case http_framing::content_length: text += "Content-Length: " + std::to_string(head.content_length) + "\r\n"; break;
    case http_framing::chunked: text += "Transfer-Encoding: chunked\r\n"; break;
    case http_framing::close_delimited:
    case http_framing::none: break;
    }
    if (close)
        text += "Connection: close\r\n";
    text += "\r\n";
    return text;
}

// Appends a piece of a body in its framing.
void server_append_piece(std::string& out, http_framing framing, std::string_view piece)
{
    if (framing != http_framing::chunked)
    {
        out += piece;
        return;
    }
    // An empty chunk would end the body.
    if (piece.empty())
        return;
    std::array<char, 20> size;
    auto at = size.end();
    for (std::size_t n = piece.size(); n != 0; n >>= 4)
        *--at = "0123456789abcdef"[n & 15];
    out.append(at, size.end());
    out += "\r\n";
    out += piece;
    out += "\r\n";
}

} // namespace

http_server_request const& http_exchange::request() const noexcept
{
    return connection_.request;
}

asio::any_io_executor http_exchange::get_executor() const
{
    return connection_.executor();
}

bool http_exchange::body_done() const noexcept
{
    return connection_.body_done();
}

asio::awaitable<error_code> http_exchange::read_body(std::string& body)
{
    std::size_t const limit = connection_.limits().body_limit;
    for (;;)
    {
        error_code const ec = co_await connection_.read_body_some(body, server_body_piece);
        if (ec)
            co_return ec;
        if (body.size() > limit)
            co_return make_error_code(errc::response_too_large);
        if (body_done())
            co_return error_code();
    }
}

asio::awaitable<error_code> http_exchange::read_body_some(std::string& body, std::size_t max)
{
    return connection_.read_body_some(body, max);
}

// Writes the bytes, slowly if that was asked for.
asio::awaitable<error_code> http_exchange::write_bytes(std::string_view bytes)
{
    head_written_ = true;
    if (write_size_ == 0)
        co_return co_await connection_.write(bytes);
    while (!bytes.empty())
    {
        std::string_view const part = bytes.substr(0, write_size_);
        error_code const ec = co_await connection_.write(part);
        if (ec)
            co_return ec;
        bytes.remove_prefix(part.size());
        if (write_interval_.count() == 0)
            continue;
        bool const there = co_await sleep_until(std::chrono::steady_clock::now() + write_interval_);
        if (!there)
            co_return asio::error::connection_reset;
    }
    co_return error_code();
}

std::string http_exchange::begin(http_server_head const& head)
{
    framing_ = head.framing;
    bool const close = head.close || head.http_1_0 || request().http_1_0 || framing_ == http_framing::close_delimited;
    if (close)
        connection_.keep = false;
    return server_render_head(head, close || !connection_.keep);
}

asio::awaitable<error_code> http_exchange::write_head(http_server_head const& head)
{
    std::string const text = begin(head);
    co_return co_await write_bytes(text);
}

asio::awaitable<error_code> http_exchange::write_head(http_server_head const& head, std::string_view first_piece)
{
    std::string text = begin(head);
    server_append_piece(text, framing_, first_piece);
    co_return co_await write_bytes(text);
}

asio::awaitable<error_code> http_exchange::write_whole(http_server_head head, std::string_view body)
{
    head.content_length = body.size();
    std::string text = begin(head);
    if (request().method != "HEAD")
    {
        server_append_piece(text, framing_, body);
        if (framing_ == http_framing::chunked)
            text += "0\r\n\r\n";
    }
    co_return co_await write_bytes(text);
}

asio::awaitable<error_code> http_exchange::write_piece(std::string_view piece)
{
    piece_.clear();
    server_append_piece(piece_, framing_, piece);
    return write_bytes(piece_);
}

asio::awaitable<error_code> http_exchange::finish()
{
    return write_bytes(framing_ == http_framing::chunked ? std::string_view("0\r\n\r\n") : std::string_view());
}

asio::awaitable<error_code> http_exchange::finish(std::string_view last_piece)
{
    piece_.clear();
    server_append_piece(piece_, framing_, last_piece);
    if (framing_ == http_framing::chunked)
        piece_ += "0\r\n\r\n";
    return write_bytes(piece_);
}

void http_exchange::write_slowly(std::size_t size, std::chrono::milliseconds interval) noexcept
{
    write_size_ = size;
    write_interval_ = interval;
}

asio::awaitable<bool> http_exchange::sleep_until(std::chrono::steady_clock::time_point t)
{
    return connection_.sleep_until(t);
}

bool http_exchange::client_gone() const noexcept
{
    return connection_.gone();
}

asio::cancellation_slot http_exchange::gone_slot() noexcept
{
    return connection_.gone_signal.slot();
}

void http_exchange::close(bool close_notify, bool linger) noexcept
{
    connection_.keep = false;
    connection_.close_notify = close_notify;
    connection_.linger = linger;
}

void http_exchange::reset() noexcept
{
    connection_.keep = false;
    connection_.reset = true;
}

void http_exchange::close_idle_after(std::chrono::milliseconds t) noexcept
{
    connection_.idle_after = t;
}

} // namespace serin
