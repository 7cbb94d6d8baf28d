// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "server.hpp"
#include "server_connection.hpp"
#include "server_state.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>

namespace serin {
namespace {

// How long to wait for a free file descriptor.
constexpr std::chrono::milliseconds server_accept_backoff{50};

// How many connections may be told at the same time that there are too many. More are closed without a word.
constexpr std::size_t server_max_refused = 64;

} // namespace

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

std::size_t http_server_state::connections() const
{
    std::lock_guard const lock(mutex_);
    return connections_.size();
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
        asio::ip::tcp::socket socket =
            co_await self->acceptor.async_accept(ex, asio::redirect_error(asio::use_awaitable, ec));
        if (ec == asio::error::connection_aborted)
            continue;
        if (ec && self->acceptor.is_open())
        {
            // Mostly a lack of descriptors, which other connections must give back: trying again at once would spin.
            self->backoff.expires_after(server_accept_backoff);
            co_await self->backoff.async_wait(asio::redirect_error(asio::use_awaitable, ec));
            continue;
        }
        if (ec)
            break;
        std::size_t const limit = self->params.max_connections;
        std::size_t const open = limit == 0 ? 0 : self->connections();
        if (limit != 0 && open >= limit + server_max_refused)
            continue;
        auto const connection = std::make_shared<http_connection>(self, std::move(socket), next_id++);
        connection->refused = limit != 0 && open >= limit;
        if (!self->add(connection))
            break;
        self->handler->on_open(connection->id);
        asio::co_spawn(ex, http_connection::run(connection), asio::detached);
    }
}

asio::awaitable<void> http_server_handler::on_refused(http_exchange& exchange)
{
    http_server_head head;
    head.status = 503;
    head.close = true;
    co_await exchange.write_whole(head, std::string_view());
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
    asio::ip::tcp::endpoint const endpoint(ip, port);
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

std::size_t http_server::connections() const
{
    return state_->connections();
}

} // namespace serin
