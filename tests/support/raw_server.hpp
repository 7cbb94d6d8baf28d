// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TESTS_SUPPORT_RAW_SERVER_HPP
#define SERIN_TESTS_SUPPORT_RAW_SERVER_HPP

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

// A loopback server that does exactly what a test says, byte for byte. Every connection has a thread of its own.
class raw_server
{
public:
    using tcp = boost::asio::ip::tcp;

    class peer
    {
    public:
        explicit peer(tcp::socket s) : socket(std::move(s)) {}

        // Reads one request with a Content-Length body. False at the end of the connection.
        bool read_request()
        {
            boost::system::error_code ec;
            std::size_t const head =
                boost::asio::read_until(socket, boost::asio::dynamic_buffer(input), "\r\n\r\n", ec);
            if (ec)
                return false;
            request.assign(input, 0, head);
            auto const at = request.find("Content-Length: ");
            std::size_t const length =
                at == std::string::npos ? 0 : std::strtoul(request.c_str() + at + 16, nullptr, 10);
            while (input.size() < head + length)
            {
                char bytes[4096];
                std::size_t const n = socket.read_some(boost::asio::buffer(bytes), ec);
                if (ec)
                    return false;
                input.append(bytes, n);
            }
            body.assign(input, head, length);
            input.erase(0, head + length);
            return true;
        }

        bool write(std::string_view bytes)
        {
            boost::system::error_code ec;
            boost::asio::write(socket, boost::asio::buffer(bytes.data(), bytes.size()), ec);
            return !ec;
        }

        // Waits until the client has closed its side.
        void wait_for_close()
        {
            boost::system::error_code ec;
            char bytes[4096];
            while (!ec)
                socket.read_some(boost::asio::buffer(bytes), ec);
        }

        void reset()
        {
            boost::system::error_code ec;
            socket.set_option(boost::asio::socket_base::linger(true, 0), ec);
            socket.close(ec);
        }

        tcp::socket socket;
        std::string request; // Head of the last request.
        std::string body;    // Its body.
        int number = 0;      // Which connection, from 0.

    private:
        std::string input;
    };

    explicit raw_server(std::function<void(peer&)> serve)
        : serve_(std::move(serve)),
          acceptor_(context_, tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), 0)),
          port_(acceptor_.local_endpoint().port()),
          thread_([this] { run(); })
    {}

    raw_server(raw_server const&) = delete;
    raw_server& operator=(raw_server const&) = delete;

    ~raw_server()
    {
        stopping_ = true;
        // An accept that blocks is ended by a connection.
        boost::system::error_code ec;
        tcp::socket last(context_);
        last.connect(tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), port_), ec);
        thread_.join();
        {
            std::lock_guard const lock(mutex_);
            for (auto& p : peers_)
                p.socket.shutdown(tcp::socket::shutdown_both, ec);
        }
        for (auto& t : threads_)
            t.join();
    }

    std::string base_url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }
    unsigned short port() const noexcept { return port_; }
    int connections() const noexcept { return connections_; }

private:
    void run()
    {
        for (;;)
        {
            boost::system::error_code ec;
            tcp::socket socket = acceptor_.accept(ec);
            if (stopping_ || ec)
                return;
            std::lock_guard const lock(mutex_);
            peer& p = peers_.emplace_back(std::move(socket));
            p.number = connections_++;
            threads_.emplace_back([this, &p] {
                serve_(p);
                std::lock_guard const guard(mutex_);
                boost::system::error_code ignored;
                if (p.socket.is_open())
                    p.socket.shutdown(tcp::socket::shutdown_both, ignored);
                p.socket.close(ignored);
            });
        }
    }

    std::function<void(peer&)> serve_;
    boost::asio::io_context context_;
    tcp::acceptor acceptor_;
    unsigned short port_;
    std::atomic<bool> stopping_{false};
    std::atomic<int> connections_{0};
    std::mutex mutex_;
    std::list<peer> peers_;
    std::list<std::thread> threads_;
    std::thread thread_;
};

#endif
