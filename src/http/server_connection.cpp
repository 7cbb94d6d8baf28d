// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "server_connection.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>

#include <openssl/x509.h>

#include <algorithm>
#include <utility>

#include <poll.h>

namespace serin {
namespace {

namespace server_beast = boost::beast;
using server_tcp = asio::ip::tcp;
using server_clock = std::chrono::steady_clock;

constexpr std::size_t server_read_size = 8 * 1024;

// Pipelined bytes kept while a request is being answered.
constexpr std::size_t server_pipeline_limit = 64 * 1024;

// A peer whose bytes are not being read must be asked whether it still is there.
constexpr std::chrono::milliseconds server_hangup_interval{50};

// How much of an answer a time-out is for.
constexpr std::size_t server_write_size = 64 * 1024;

// How long a connection that is one too many has for its request.
constexpr std::chrono::milliseconds server_refusal_time{5000};

// A handler that never has to wait for its socket must not starve the other connections.
constexpr unsigned server_inline_writes = 64;

// How long an orderly TLS end waits for the peer's close_notify.
constexpr std::chrono::milliseconds server_shutdown_timeout{250};

std::string server_client_name(SSL* ssl)
{
    std::string name;
    if (X509* const certificate = SSL_get1_peer_certificate(ssl))
    {
        char text[256] = "";
        if (X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text, sizeof text) > 0)
            name = text;
        X509_free(certificate);
    }
    return name;
}

server_clock::time_point server_deadline(std::chrono::milliseconds timeout)
{
    return timeout.count() == 0 ? server_clock::time_point::max() : server_clock::now() + timeout;
}

} // namespace

// --- Reading ---

void http_connection::start_read(std::size_t max)
{
    reading_ = true;
    read_buffer_.resize(server_read_size);
    auto const buffer = asio::buffer(read_buffer_, max);
    auto done = [self = shared_from_this()](error_code ec, std::size_t n) { self->on_read(ec, n); };
    if (tls_)
        tls_->async_read_some(buffer, std::move(done));
    else
        socket_.async_read_some(buffer, std::move(done));
}

void http_connection::on_read(error_code ec, std::size_t n)
{
    reading_ = false;
    asio::buffer_copy(in_.prepare(n), asio::buffer(read_buffer_, n));
    in_.commit(n);
    if (ec)
        read_error_ = ec;
    watch();
    wake_.cancel();
    if (ec)
        gone_signal.emit(asio::cancellation_type::terminal);
}

void http_connection::watch()
{
    if (answering_ && body_done() && !reading_ && !gone() && in_.size() < server_pipeline_limit)
        start_read(server_read_size);
}

// Limits what follows; `wake_.cancel()` lifts the limit.
void http_connection::abort_after(std::chrono::milliseconds t)
{
    wake_.expires_after(t);
    wake_.async_wait([self = shared_from_this()](error_code ec) {
        if (!ec)
            self->abort();
    });
}

// Completes when there are more bytes in the buffer than before.
asio::awaitable<error_code> http_connection::fill(std::size_t max, server_clock::time_point deadline)
{
    std::size_t const before = in_.size();
    for (;;)
    {
        if (in_.size() != before)
            co_return error_code();
        if (aborted_)
            co_return asio::error::operation_aborted;
        if (read_error_)
            co_return read_error_;
        if (idle_closed_)
            co_return asio::error::shut_down;
        if (deadline != server_clock::time_point::max() && server_clock::now() >= deadline)
            co_return asio::error::timed_out;
        if (!reading_)
            start_read(max);
        wake_.expires_at(deadline);
        error_code ignored;
        co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
}

// Gives the parser what there is, up to the end of the head or all that can be parsed of the body.
error_code http_connection::parse()
{
    bool const in_head = !parser_->is_header_done();
    server_beast::error_code ec;
    while (!parser_->is_done() && in_.size() != 0 && (!in_head || !parser_->is_header_done()))
    {
        std::size_t const n = parser_->put(in_.data(), ec);
        in_.consume(n);
        if (ec == server_beast::http::error::need_more)
            return in_.size() > server_->params.head_limit ? server_beast::http::error::header_limit : error_code();
        if (ec)
            return ec;
    }
    return {};
}

asio::awaitable<error_code> http_connection::read_head()
{
    request = http_server_request();
    parser_.emplace(request, server_->params.head_limit);
    continue_sent_ = false;
    auto deadline = server_deadline(idle_after ? *idle_after : server_->params.idle_timeout);
    if (refused)
        deadline = server_deadline(server_refusal_time);
    std::size_t total = 0;
    idle_ = in_.size() == 0;
    for (;;)
    {
        std::size_t const before = in_.size();
        if (before != 0)
        {
            if (!refused && (idle_ || total == 0))
                deadline = server_deadline(server_->params.head_timeout);
            idle_ = false;
            error_code const ec = parse();
            if (ec)
                co_return ec;
            total += before - in_.size();
            if (total > server_->params.head_limit)
                co_return server_beast::http::error::header_limit;
            if (parser_->is_header_done())
                co_return error_code();
        }
        error_code const ec = co_await fill(server_read_size, deadline);
        if (ec)
        {
            // Between two requests everybody may leave.
            co_return idle_ || ec == asio::error::operation_aborted ? asio::error::eof : ec;
        }
    }
}

asio::awaitable<error_code> http_connection::read_body_some(std::string& body, std::size_t max)
{
    for (;;)
    {
        error_code ec = parse();
        if (ec)
        {
            keep = false;
            co_return ec;
        }
        if (!parser_->body.empty())
        {
            body += parser_->body;
            parser_->body.clear();
            watch();
            co_return error_code();
        }
        if (parser_->is_done())
        {
            watch();
            co_return error_code();
        }
        if (!continue_sent_)
        {
            continue_sent_ = true;
            if (!request.http_1_0 && header_names_equal(request.headers.find("Expect"), "100-continue"))
            {
                ec = co_await write("HTTP/1.1 100 Continue\r\n\r\n");
                if (ec)
                    co_return ec;
            }
        }
        ec = co_await fill(std::clamp<std::size_t>(max, 1, server_read_size), body_deadline_);
        if (ec)
            co_return ec;
    }
}

// --- Writing ---

asio::awaitable<error_code> http_connection::write(std::string_view bytes)
{
    if (aborted_)
        co_return asio::error::operation_aborted;
    error_code ec;
    asio::const_buffer rest(bytes.data(), bytes.size());
    if (!tls_)
    {
        if (++inline_writes_ % server_inline_writes == 0)
            co_await asio::post(executor(), asio::use_awaitable);
        // Mostly the socket takes everything at once.
        std::size_t const n = socket_.write_some(rest, ec);
        if (ec && ec != asio::error::would_block)
            co_return ec;
        rest += n;
    }
    ec.clear();
    while (rest.size() != 0 && !ec)
        ec = co_await write_some(rest);
    co_return ec;
}

// Writes as much as one time-out is for.
asio::awaitable<error_code> http_connection::write_some(asio::const_buffer& rest)
{
    error_code ec;
    auto const timeout = server_->params.write_timeout;
    asio::const_buffer part = rest;
    if (timeout.count() != 0)
    {
        part = asio::buffer(rest, server_write_size);
        write_timer_.expires_after(timeout);
        write_timer_.async_wait([self = shared_from_this()](error_code cancelled) {
            if (cancelled)
                return;
            // What the peer does not take must not stay in the system's buffers either.
            error_code ignored;
            self->socket_.set_option(asio::socket_base::linger(true, 0), ignored);
            self->abort();
        });
    }
    if (tls_)
        co_await asio::async_write(*tls_, part, asio::redirect_error(asio::use_awaitable, ec));
    else
        co_await asio::async_write(socket_, part, asio::redirect_error(asio::use_awaitable, ec));
    rest += part.size();
    if (timeout.count() != 0)
        write_timer_.cancel();
    co_return aborted_ ? error_code(asio::error::operation_aborted) : ec;
}

// --- Waiting ---

bool http_connection::peer_hung_up()
{
#ifdef POLLRDHUP
    pollfd entry{};
    entry.fd = socket_.native_handle();
    entry.events = POLLRDHUP;
    return ::poll(&entry, 1, 0) > 0;
#else
    return false;
#endif
}

asio::awaitable<bool> http_connection::sleep_until(server_clock::time_point t)
{
    for (;;)
    {
        if (gone())
            co_return false;
        auto const now = server_clock::now();
        if (now >= t)
            co_return true;
        auto tick = t;
        if (!reading_)
        {
            if (peer_hung_up())
            {
                read_error_ = asio::error::eof;
                co_return false;
            }
            tick = std::min(t, now + server_hangup_interval);
        }
        wake_.expires_at(tick);
        error_code ignored;
        co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
}

// --- From the first byte to the last ---

asio::awaitable<error_code> http_connection::handshake()
{
    auto const timeout = refused ? server_refusal_time : server_->params.handshake_timeout;
    if (timeout.count() != 0)
        abort_after(timeout);
    error_code ec;
    co_await tls_->async_handshake(asio::ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, ec));
    wake_.cancel();
    if (!ec && aborted_)
        ec = asio::error::operation_aborted;
    co_return ec;
}

asio::awaitable<void> http_connection::answer()
{
    http_exchange exchange(*this);
    bool failed = false;
    try
    {
        if (refused)
            co_await server_->handler->on_refused(exchange);
        else
            co_await server_->handler->on_request(exchange);
    }
    catch (...)
    {
        failed = true;
    }
    if (!failed)
        co_return;
    keep = false;
    if (exchange.head_written())
        co_return;
    http_server_head head;
    head.status = 500;
    head.close = true;
    co_await exchange.write_whole(head, std::string_view());
}

// Ends the connection in the way that was asked for.
asio::awaitable<void> http_connection::shut_down()
{
    error_code ec;
    if (reset)
    {
        socket_.set_option(asio::socket_base::linger(true, 0), ec);
        co_return;
    }
    if (gone())
        co_return;
    if (tls_ && close_notify)
    {
        abort_after(server_shutdown_timeout);
        co_await tls_->async_shutdown(asio::redirect_error(asio::use_awaitable, ec));
        wake_.cancel();
    }
    socket_.shutdown(server_tcp::socket::shutdown_send, ec);
    bool const unread = in_.size() != 0 || (parser_->is_header_done() && !body_done());
    if (!linger || !unread || aborted_)
        co_return;
    // Closing now would reset the connection, and the client might never see the answer.
    abort_after(server_->params.linger_timeout);
    read_buffer_.resize(server_read_size);
    ec.clear();
    for (;;)
    {
        asio::mutable_buffer const buffer = asio::buffer(read_buffer_);
        co_await socket_.async_read_some(buffer, asio::redirect_error(asio::use_awaitable, ec));
        if (ec)
            break;
    }
    wake_.cancel();
}

asio::awaitable<void> http_connection::run(std::shared_ptr<http_connection> self)
{
    error_code ec;
    self->socket_.set_option(server_tcp::no_delay(true), ec);
    self->socket_.non_blocking(true, ec);
    ec.clear();
    bool resumed = false;
    std::string client_name;
    if (self->tls_)
    {
        ec = co_await self->handshake();
        if (!ec)
        {
            resumed = SSL_session_reused(self->tls_->native_handle()) == 1;
            client_name = server_client_name(self->tls_->native_handle());
        }
    }
    for (std::uint64_t number = 1; !ec && self->keep && !self->gone() && !self->server_->stopping; ++number)
    {
        ec = co_await self->read_head();
        if (ec)
            break;
        http_server_request& request = self->request;
        request.connection = self->id;
        request.number = number;
        request.keep_alive = self->parser_->keep_alive();
        request.tls_resumed = resumed;
        request.tls_client_name = client_name;
        request.received = server_clock::now();
        self->keep = request.keep_alive && !self->server_->stopping && !self->refused;
        self->body_deadline_ = server_deadline(self->server_->params.body_timeout);
        self->idle_after.reset();
        self->answering_ = true;
        self->watch();
        co_await self->answer();
        self->answering_ = false;
        self->keep = self->keep && self->body_done();
    }
    error_code const sample = server_beast::http::error::bad_method;
    if (ec.category() == sample.category())
    {
        http_exchange exchange(*self);
        http_server_head head;
        head.status = ec == server_beast::http::error::header_limit ? 431 : 400;
        head.close = true;
        co_await exchange.write_whole(head, std::string_view());
    }
    // After a failed handshake there is nothing to end in order.
    if (self->parser_)
        co_await self->shut_down();
    error_code ignored;
    self->socket_.close(ignored);
    self->wake_.cancel();
    self->server_->remove(self->id);
    self->server_->handler->on_close(self->id);
}

} // namespace serin
