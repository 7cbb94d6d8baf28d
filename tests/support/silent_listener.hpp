// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TESTS_SUPPORT_SILENT_LISTENER_HPP
#define SERIN_TESTS_SUPPORT_SILENT_LISTENER_HPP

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <list>
#include <string>

// A loopback address that answers no connection attempt at all, as behind a firewall: its backlog is full.
class silent_listener
{
public:
    using tcp = boost::asio::ip::tcp;

    // Port 0: any free one. Throws boost::system::system_error if the port is taken.
    explicit silent_listener(std::string const& address = "127.0.0.1", unsigned short port = 0) : acceptor_(context_)
    {
        tcp::endpoint const wanted(boost::asio::ip::make_address(address), port);
        acceptor_.open(wanted.protocol());
        acceptor_.set_option(tcp::acceptor::reuse_address(true));
        acceptor_.bind(wanted);
        acceptor_.listen(0);
        // Until an attempt gets no answer.
        for (bool full = false; !full;)
        {
            tcp::socket& s = fill_.emplace_back(context_);
            full = true;
            s.async_connect(acceptor_.local_endpoint(), [&](boost::system::error_code ec) { full = !!ec; });
            context_.restart();
            context_.run_for(std::chrono::milliseconds(100));
        }
    }

    unsigned short port() const { return acceptor_.local_endpoint().port(); }

private:
    boost::asio::io_context context_;
    tcp::acceptor acceptor_;
    std::list<tcp::socket> fill_;
};

#endif
