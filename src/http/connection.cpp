// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "connection.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include <algorithm>
#include <cstring>

namespace serin {
namespace {

constexpr std::size_t initial_input = 16 * 1024;
constexpr int max_fills_in_a_row = 32;

bool would_block(error_code const& ec) noexcept
{
    return ec == asio::error::would_block || ec == asio::error::try_again;
}

// OpenSSL judges what a call came to by this queue too. Emptying it costs several times a look at it.
void empty_tls_errors() noexcept
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

} // namespace

// OpenSSL's own socket BIO raises SIGPIPE when the server is gone; this one goes through Asio, which does not.
struct tls_bio
{
    static connection& self(BIO* bio) { return *static_cast<connection*>(BIO_get_data(bio)); }

    template <class Operation>
    static int run(BIO* bio, int retry_flag, Operation operation)
    {
        BIO_clear_retry_flags(bio);
        error_code ec;
        auto const n = operation(self(bio).socket_, ec);
        if (!ec)
            return static_cast<int>(n);
        if (would_block(ec))
        {
            BIO_set_flags(bio, retry_flag | BIO_FLAGS_SHOULD_RETRY);
            return -1;
        }
        self(bio).tls_socket_error_ = ec;
        return ec == asio::error::eof ? 0 : -1;
    }

    static int write(BIO* bio, char const* data, int size)
    {
        return run(bio, BIO_FLAGS_WRITE, [&](auto& socket, error_code& ec) {
            return socket.write_some(asio::buffer(data, static_cast<std::size_t>(size)), ec);
        });
    }

    static int read(BIO* bio, char* data, int size)
    {
        return run(bio, BIO_FLAGS_READ, [&](auto& socket, error_code& ec) {
            return socket.read_some(asio::buffer(data, static_cast<std::size_t>(size)), ec);
        });
    }

    static long control(BIO* bio, int command, long, void*)
    {
        if (command == BIO_CTRL_EOF)
            return self(bio).tls_socket_error_ == asio::error::eof ? 1 : 0;
        return command == BIO_CTRL_FLUSH ? 1 : 0;
    }

    static BIO* make(connection& c)
    {
        static BIO_METHOD* const method = [] {
            BIO_METHOD* const m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "serin");
            BIO_meth_set_write(m, write);
            BIO_meth_set_read(m, read);
            BIO_meth_set_ctrl(m, control);
            return m;
        }();
        BIO* const bio = BIO_new(method);
        if (bio)
        {
            BIO_set_data(bio, &c);
            BIO_set_init(bio, 1);
        }
        return bio;
    }
};

connection::connection(asio::ip::tcp::socket socket) : socket_(std::move(socket)) {}

connection::~connection()
{
    wipe_output();
    if (!ssl_ || !tls_failure_.empty())
        return;
    // Says goodbye if the socket takes it at once. OpenSSL resumes no session whose connection was not shut down.
    ERR_clear_error();
    if (!tls_socket_error_ && SSL_is_init_finished(ssl_.get()))
        SSL_shutdown(ssl_.get());
    SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    ERR_clear_error();
}

void connection::use_tls(ssl_ptr ssl, std::shared_ptr<tls_sessions> sessions)
{
    BIO* const bio = tls_bio::make(*this);
    SSL_set_bio(ssl.get(), bio, bio); // Takes the BIO over, once, as both are the same
    ssl_ = std::move(ssl);
    sessions_ = std::move(sessions);
}

io_result connection::tls_result(int returned, std::size_t size)
{
    io_result result;
    if (returned == 1)
    {
        result.size = size;
        return result;
    }
    switch (SSL_get_error(ssl_.get(), returned))
    {
    case SSL_ERROR_WANT_READ: result.wanted = io_result::wait::readable; return result;
    case SSL_ERROR_WANT_WRITE: result.wanted = io_result::wait::writable; return result;
    case SSL_ERROR_ZERO_RETURN: result.ec = asio::error::eof; return result;
    default: break;
    }
    result.ec = tls_socket_error_;
    if (!result.ec)
    {
        result.ec = errc::tls_failed;
        tls_failure_ = tls_error_text(ssl_.get());
    }
    return result;
}

bool connection::refused_certificate() const noexcept
{
    return ssl_ && SSL_get_verify_result(ssl_.get()) != X509_V_OK;
}

io_result connection::try_handshake()
{
    empty_tls_errors();
    return tls_result(SSL_do_handshake(ssl_.get()), 0);
}

io_result connection::try_write(std::string_view bytes)
{
    io_result result;
    if (ssl_)
    {
        empty_tls_errors();
        std::size_t size = 0;
        int const returned = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &size);
        result = tls_result(returned, size);
    }
    else
    {
        result.size = socket_.write_some(asio::buffer(bytes.data(), bytes.size()), result.ec);
        if (would_block(result.ec))
        {
            result.ec = {};
            result.wanted = io_result::wait::writable;
        }
    }
    return result;
}

io_result connection::try_fill()
{
    io_result result;
    if (drained_)
    {
        drained_ = false;
        result.wanted = io_result::wait::readable;
        return result;
    }
    if (begin_ == end_)
        begin_ = end_ = 0;
    if (end_ == buffer_size_ && begin_ != 0)
    {
        std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    if (end_ == buffer_size_)
    {
        if (buffer_size_ >= input_limit)
        {
            result.ec = asio::error::no_buffer_space;
            return result;
        }
        resize_buffer(std::max(initial_input, buffer_size_ * 2));
    }

    std::size_t const room = buffer_size_ - end_;
    if (ssl_)
    {
        empty_tls_errors();
        std::size_t size = 0;
        int const returned = SSL_read_ex(ssl_.get(), buffer_.get() + end_, room, &size);
        result = tls_result(returned, size);
        drained_ = result.size != 0 && !SSL_has_pending(ssl_.get());
    }
    else
    {
        result.size = socket_.read_some(asio::buffer(buffer_.get() + end_, room), result.ec);
        if (would_block(result.ec))
        {
            result.ec = {};
            result.wanted = io_result::wait::readable;
        }
        drained_ = result.size != 0 && result.size < room;
    }
    end_ += result.size;
    return result;
}

// Keeps what was received.
void connection::resize_buffer(std::size_t size)
{
    auto larger = std::make_unique_for_overwrite<char[]>(size);
    if (end_ != 0)
        std::memcpy(larger.get(), buffer_.get(), end_);
    buffer_ = std::move(larger);
    buffer_size_ = size;
}

void connection::consume(std::size_t bytes) noexcept
{
    begin_ += bytes;
}

bool connection::may_go_on() noexcept
{
    fills_in_a_row_ = (fills_in_a_row_ + 1) % max_fills_in_a_row;
    return fills_in_a_row_ != 0;
}

bool connection::is_quiet()
{
    if (!input().empty())
        return false;
    // TLS sends tickets after the handshake: let OpenSSL have them before judging.
    drained_ = false;
    io_result const result = try_fill();
    drained_ = true; // What a fresh request waits for cannot be there yet
    return result.size == 0 && !result.ec;
}

void connection::wipe_output() noexcept
{
    OPENSSL_cleanse(output.data(), std::min(output_head, output.size()));
    output_head = 0;
}

void connection::shrink()
{
    if (output.capacity() > initial_input)
        std::string().swap(output);
    begin_ = end_ = 0;
    if (buffer_size_ > initial_input)
        resize_buffer(initial_input);
    fields.shrink(initial_input);
}

// ---------------------------------------------------------------------------------------------------------

struct io_wait::ready_handler
{
    fiber_ref owner;
    io_wait* wait;

    using executor_type = fiber::executor_type;
    executor_type const& get_executor() const noexcept { return owner.get_executor(); }

    void operator()(error_code ec)
    {
        auto const f = owner.take();
        wait->ec_ = ec;
        if (ec || f->interrupted() || wait->attempt())
            f->resume();
        else
            wait->arm();
    }
};

bool io_wait::attempt()
{
    io_result const result = operation_ == operation::fill ? connection_.try_fill() : connection_.try_handshake();
    ec_ = result.ec;
    wanted_ = result.wanted;
    return wanted_ == io_result::wait::none;
}

bool io_wait::await_ready()
{
    // A server that sends faster than we read would keep the thread for itself, and all deadlines from running.
    return fiber_.interrupted() || (connection_.may_go_on() && attempt());
}

void io_wait::await_suspend(std::coroutine_handle<> h)
{
    fiber_.suspend(h, *this);
    arm();
}

void io_wait::arm()
{
    if (wanted_ == io_result::wait::none)
    {
        asio::post(
            fiber_.get_executor(), [handler = ready_handler{fiber_ref(fiber_), this}]() mutable { handler({}); });
        return;
    }
    auto const what =
        wanted_ == io_result::wait::readable ? asio::socket_base::wait_read : asio::socket_base::wait_write;
    connection_.socket().async_wait(what, ready_handler{fiber_ref(fiber_), this});
}

void io_wait::cancel() noexcept
{
    error_code ignored;
    connection_.socket().cancel(ignored);
}

// ---------------------------------------------------------------------------------------------------------

struct send_wait::ready_handler
{
    fiber_ref owner;
    send_wait* wait;
    io_result::wait what;

    using executor_type = fiber::executor_type;
    executor_type const& get_executor() const noexcept { return owner.get_executor(); }

    void operator()(error_code ec)
    {
        auto const f = owner.take();
        wait->on_ready(what, ec);
    }
};

bool send_wait::attempt()
{
    std::size_t const before = unsent_.size();
    while (!unsent_.empty())
    {
        io_result const result = connection_.try_write(unsent_);
        ec_ = result.ec;
        if (result.ec)
            return true;
        if (result.wanted != io_result::wait::none)
            break;
        unsent_.remove_prefix(result.size);
    }
    return unsent_.size() != before;
}

// Not everything that can be read is input: TLS has messages of its own.
bool send_wait::hear()
{
    io_result const result = connection_.try_fill();
    ec_ = result.ec;
    heard_ = result.size != 0 || result.ec;
    return heard_;
}

bool send_wait::await_ready()
{
    return fiber_.interrupted() || attempt();
}

void send_wait::await_suspend(std::coroutine_handle<> h)
{
    fiber_.suspend(h, *this);
    arm(io_result::wait::writable);
    arm(io_result::wait::readable);
}

void send_wait::arm(io_result::wait what)
{
    ++pending_;
    auto const socket_wait =
        what == io_result::wait::readable ? asio::socket_base::wait_read : asio::socket_base::wait_write;
    connection_.socket().async_wait(socket_wait, ready_handler{fiber_ref(fiber_), this, what});
}

void send_wait::on_ready(io_result::wait what, error_code ec)
{
    --pending_;
    if (!over_)
    {
        ec_ = ec;
        over_ = ec || fiber_.interrupted();
        if (!over_)
            over_ = what == io_result::wait::readable ? hear() : attempt();
        if (over_)
            cancel();
        else
            arm(what);
    }
    if (pending_ == 0)
        fiber_.resume();
}

void send_wait::cancel() noexcept
{
    error_code ignored;
    connection_.socket().cancel(ignored);
}

} // namespace serin
