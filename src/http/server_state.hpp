// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_HTTP_SERVER_STATE_HPP
#define SERIN_SRC_HTTP_SERVER_STATE_HPP

#include "server.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace serin {

class http_connection;

// What a server and its connections share.
class http_server_state : public std::enable_shared_from_this<http_server_state>
{
public:
    asio::any_io_executor const ex;
    http_server_params const params;
    std::shared_ptr<http_server_handler> const handler;
    asio::ip::tcp::acceptor acceptor;
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
    std::size_t connections() const;

private:
    mutable std::mutex mutex_;
    std::map<std::uint64_t, std::weak_ptr<http_connection>> connections_;
    bool halted_ = false;
};

} // namespace serin

#endif
