// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "server.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>

#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

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

// A handler that never has to wait for its socket must not starve the other connections.
constexpr unsigned server_inline_writes = 64;

// How long to wait for a free file descriptor.
constexpr std::chrono::milliseconds server_accept_backoff{50};

// How long an orderly TLS end waits for the peer's close_notify.
constexpr std::chrono::milliseconds server_shutdown_timeout{250};

std::string server_render_head(http_server_head const& head, bool close)
{
    std::string text = head.http_1_0 ? "HTTP/1.0 " : "HTTP/1.1 ";
    text += std::to_string(head.status);
    text += ' ';
    auto const reason =
        server_beast::http::obsolete_reason(server_beast::http::int_to_status(static_cast<unsigned>(head.status)));
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

bool server_out_of_resources(error_code const& ec)
{
    return ec == asio::error::no_descriptors || ec == boost::system::errc::too_many_files_open_in_system ||
           ec == asio::error::no_buffer_space || ec == asio::error::no_memory;
}

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

} // namespace

// Keeps what a server needs of a request, and nothing of the trailer.
class http_server_parser final : public server_beast::http::basic_parser<true>
{
    http_server_request& request_;
    std::size_t const limit_;
    std::size_t trailer_ = 0;

    void on_request_impl(server_beast::http::verb, server_beast::string_view method, server_beast::string_view target,
        int version, server_beast::error_code&) override
    {
        request_.method.assign(method.data(), method.size());
        request_.target.assign(target.data(), target.size());
        request_.http_1_0 = version < 11;
    }

    void on_response_impl(int, server_beast::string_view, int, server_beast::error_code&) override {}

    void on_field_impl(server_beast::http::field, server_beast::string_view name, server_beast::string_view value,
        server_beast::error_code& ec) override
    {
        if (!is_header_done())
            request_.headers.emplace_back(
                std::string(name.data(), name.size()), std::string(value.data(), value.size()));
        else if ((trailer_ += name.size() + value.size()) > limit_)
            ec = server_beast::http::error::header_limit;
    }

    void on_header_impl(server_beast::error_code&) override {}
    void on_body_init_impl(boost::optional<std::uint64_t> const&, server_beast::error_code&) override {}

    std::size_t on_body_impl(server_beast::string_view bytes, server_beast::error_code&) override
    {
        body.append(bytes.data(), bytes.size());
        return bytes.size();
    }

    void on_chunk_header_impl(std::uint64_t, server_beast::string_view, server_beast::error_code&) override {}

    std::size_t on_chunk_body_impl(std::uint64_t, server_beast::string_view bytes, server_beast::error_code&) override
    {
        body.append(bytes.data(), bytes.size());
        return bytes.size();
    }

    void on_finish_impl(server_beast::error_code&) override {}

public:
    std::string body; // Not yet handed out.

    http_server_parser(http_server_request& request, std::size_t limit) : request_(request), limit_(limit)
    {
        header_limit(static_cast<std::uint32_t>(limit));
        // The handler decides what is too large.
        body_limit(boost::none);
    }
};

class http_server_state : public std::enable_shared_from_this<http_server_state>
{
public:
    asio::any_io_executor const ex;
    http_server_params const params;
    std::shared_ptr<http_server_handler> const handler;
    server_tcp::acceptor acceptor;
    asio::steady_timer backoff;
    std::atomic<bool> stopping{false};
    std::atomic<unsigned short> port{0};

    http_server_state(
        asio::any_io_executor executor, http_server_params limits, std::shared_ptr<http_server_handler> serves)
        : ex(std::move(executor)),
          params(std::move(limits)),
          handler(std::move(serves)),
          acceptor(make_executor()),
          backoff(acceptor.get_executor())
    {}

    asio::any_io_executor make_executor() const
    {
        if (params.use_strands)
            return asio::any_io_executor(asio::make_strand(ex));
        return ex;
    }

    static asio::awaitable<void> accept(std::shared_ptr<http_server_state> self);

    // Calls a member function of every connection, on its own executor.
    void for_each(void (http_connection::*function)());

    void halt();   // Accepts no more.
    void refuse(); // Takes no connection that was accepted meanwhile.
    bool add(std::shared_ptr<http_connection> const& c);
    void remove(std::uint64_t id);

private:
    std::mutex mutex_;
    std::map<std::uint64_t, std::weak_ptr<http_connection>> connections_;
    bool halted_ = false;
};

// One connection. Its coroutine is `run`; besides that there is at most one pending read. That read goes on while a
// request is answered, to notice that the client has gone.
class http_connection : public std::enable_shared_from_this<http_connection>
{
public:
    http_connection(std::shared_ptr<http_server_state> server, server_tcp::socket socket, std::uint64_t number)
        : id(number),
          server_(std::move(server)),
          socket_(std::move(socket)),
          wake_(socket_.get_executor())
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
    asio::awaitable<bool> sleep_until(server_clock::time_point t);
    asio::awaitable<error_code> write(std::string_view bytes);

    std::uint64_t const id;
    http_server_request request;
    bool keep = true;         // Another request may follow.
    bool reset = false;       // End with RST.
    bool close_notify = true; // End TLS in order.
    bool linger = true;       // Take unread bytes before the end.
    std::optional<std::chrono::milliseconds> idle_after;

private:
    std::shared_ptr<http_server_state> const server_;
    server_tcp::socket socket_;
    std::optional<asio::ssl::stream<server_tcp::socket&>> tls_;

    // What the coroutine waits on when it waits for time or for the pending read.
    asio::steady_timer wake_;

    std::optional<http_server_parser> parser_;
    server_beast::flat_buffer in_;
    std::vector<char> read_buffer_;
    error_code read_error_;
    bool reading_ = false;
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

    asio::awaitable<error_code> handshake();
    asio::awaitable<error_code> fill(std::size_t max, server_clock::time_point deadline);
    asio::awaitable<error_code> read_head();
    asio::awaitable<void> answer();
    asio::awaitable<void> shut_down();
};

namespace {

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
    std::size_t total = 0;
    idle_ = in_.size() == 0;
    for (;;)
    {
        std::size_t const before = in_.size();
        if (before != 0)
        {
            if (idle_ || total == 0)
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
        ec = co_await fill(std::clamp<std::size_t>(max, 1, server_read_size), server_clock::time_point::max());
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
    if (tls_)
    {
        co_await asio::async_write(*tls_, rest, asio::redirect_error(asio::use_awaitable, ec));
        co_return ec;
    }
    if (++inline_writes_ % server_inline_writes == 0)
        co_await asio::post(executor(), asio::use_awaitable);
    // Mostly the socket takes everything at once.
    std::size_t const n = socket_.write_some(rest, ec);
    if (ec && ec != asio::error::would_block)
        co_return ec;
    rest += n;
    if (rest.size() == 0)
        co_return error_code();
    ec.clear();
    co_await asio::async_write(socket_, rest, asio::redirect_error(asio::use_awaitable, ec));
    co_return ec;
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
    auto const timeout = server_->params.handshake_timeout;
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
        self->keep = request.keep_alive && !self->server_->stopping;
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

// --- The exchange ---

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
        error_code const ec = co_await connection_.read_body_some(body, server_read_size);
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
        bool const there = co_await sleep_until(server_clock::now() + write_interval_);
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

void http_exchange::write_slowly(std::size_t size, std::chrono::milliseconds interval) noexcept
{
    write_size_ = size;
    write_interval_ = interval;
}

asio::awaitable<bool> http_exchange::sleep_until(server_clock::time_point t)
{
    return connection_.sleep_until(t);
}

bool http_exchange::client_gone() const noexcept
{
    return connection_.gone();
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

// --- The server ---

bool http_server_state::add(std::shared_ptr<http_connection> const& c)
{
    std::lock_guard const lock(mutex_);
    if (!halted_)
        connections_.emplace(c->id, c);
    return !halted_;
}

void http_server_state::remove(std::uint64_t id)
{
    std::lock_guard const lock(mutex_);
    connections_.erase(id);
}

void http_server_state::for_each(void (http_connection::*function)())
{
    std::lock_guard const lock(mutex_);
    for (auto const& entry : connections_)
        if (auto const c = entry.second.lock())
            asio::post(c->executor(), [c, function] { ((*c).*function)(); });
}

void http_server_state::halt()
{
    stopping = true;
    asio::post(acceptor.get_executor(), [self = shared_from_this()] {
        error_code ignored;
        self->acceptor.close(ignored);
        self->backoff.cancel();
    });
}

void http_server_state::refuse()
{
    std::lock_guard const lock(mutex_);
    halted_ = true;
}

asio::awaitable<void> http_server_state::accept(std::shared_ptr<http_server_state> self)
{
    std::uint64_t next_id = 1;
    while (self->acceptor.is_open())
    {
        error_code ec;
        asio::any_io_executor const ex = self->make_executor();
        server_tcp::socket socket =
            co_await self->acceptor.async_accept(ex, asio::redirect_error(asio::use_awaitable, ec));
        if (server_out_of_resources(ec))
        {
            // Other connections must end before this one can be taken: trying again at once would only spin.
            self->backoff.expires_after(server_accept_backoff);
            co_await self->backoff.async_wait(asio::redirect_error(asio::use_awaitable, ec));
            continue;
        }
        // Anything else is about the one connection, which is gone.
        if (ec)
            continue;
        auto const connection = std::make_shared<http_connection>(self, std::move(socket), next_id++);
        if (!self->add(connection))
            break;
        self->handler->on_open(connection->id);
        asio::co_spawn(ex, http_connection::run(connection), asio::detached);
    }
}

http_server::http_server(
    asio::any_io_executor ex, http_server_params params, std::shared_ptr<http_server_handler> handler)
    : state_(std::make_shared<http_server_state>(std::move(ex), std::move(params), std::move(handler)))
{}

http_server::~http_server()
{
    close();
}

error_code http_server::listen(std::string const& address, unsigned short port)
{
    error_code ec;
    auto const ip = asio::ip::make_address(address, ec);
    if (ec)
        return ec;
    server_tcp::endpoint const endpoint(ip, port);
    auto& acceptor = state_->acceptor;
    if (acceptor.open(endpoint.protocol(), ec))
        return ec;
    if (acceptor.set_option(asio::socket_base::reuse_address(true), ec))
        return ec;
    // Accepted sockets inherit the buffer; after the handshake it would be too late for a small window.
    std::size_t const buffer = state_->params.receive_buffer;
    if (buffer != 0 && acceptor.set_option(asio::socket_base::receive_buffer_size(static_cast<int>(buffer)), ec))
        return ec;
    if (acceptor.bind(endpoint, ec) || acceptor.listen(asio::socket_base::max_listen_connections, ec))
        return ec;
    state_->port = acceptor.local_endpoint(ec).port();
    return ec;
}

unsigned short http_server::port() const noexcept
{
    return state_->port;
}

void http_server::start()
{
    asio::co_spawn(state_->acceptor.get_executor(), http_server_state::accept(state_), asio::detached);
}

void http_server::stop()
{
    state_->halt();
    state_->for_each(&http_connection::drain);
}

void http_server::close()
{
    state_->halt();
    state_->refuse();
    state_->for_each(&http_connection::abort);
}

void http_server::close_idle()
{
    state_->for_each(&http_connection::close_if_idle);
}

} // namespace serin
