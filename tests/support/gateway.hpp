// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TESTS_SUPPORT_GATEWAY_HPP
#define SERIN_TESTS_SUPPORT_GATEWAY_HPP

#include "catch.hpp"

#include <serin/gateway/server.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

// A gateway that two threads run.
class running_gateway
{
    boost::asio::io_context context_;
    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable logged_;
    std::string log_;

    serin::gateway::params with_log(serin::gateway::params p)
    {
        p.log = log();
        return p;
    }

public:
    serin::gateway::server server;

    // What is logged is kept.
    serin::logger log()
    {
        return [this](serin::log_level, std::string_view line) {
            {
                std::lock_guard const lock(mutex_);
                log_ += line;
                log_ += '\n';
            }
            logged_.notify_all();
        };
    }

    // False: it was not logged in time.
    bool wait_for_log(std::string const& text)
    {
        std::unique_lock lock(mutex_);
        return logged_.wait_for(lock, std::chrono::seconds(20), [&] { return log_.find(text) != std::string::npos; });
    }

    explicit running_gateway(serin::client_params upstreams, serin::gateway::params p = {})
        : server(context_.get_executor(), logged(std::move(upstreams)), with_log(std::move(p)))
    {
        std::string why;
        serin::error_code const ec = server.listen(why);
        INFO(why);
        REQUIRE_FALSE(ec);
        server.start();
        for (int i = 0; i < 2; ++i)
            threads_.emplace_back([this] { context_.run(); });
    }

    ~running_gateway()
    {
        server.close();
        join();
    }

    void join()
    {
        for (std::thread& t : threads_)
            t.join();
        threads_.clear();
    }

    // Drains; true once nothing is left.
    std::future<void> drain(std::chrono::milliseconds deadline)
    {
        auto const done = std::make_shared<std::promise<void>>();
        server.drain(deadline, [done] { done->set_value(); });
        return done->get_future();
    }

    std::string logged_text()
    {
        std::lock_guard const lock(mutex_);
        return log_;
    }

    std::string url() const { return "http://127.0.0.1:" + std::to_string(server.port()) + "/v1"; }

private:
    serin::client_params logged(serin::client_params p)
    {
        p.log = log();
        return p;
    }
};

// An answer as it came.
class raw_answer
{
public:
    int status = 0;
    std::string head;
    std::string body;   // Without the framing of chunks.
    bool whole = false; // The body came to the end that its head announced.

    std::string field(std::string const& name) const
    {
        auto const at = head.find("\r\n" + name + ": ");
        if (at == std::string::npos)
            return {};
        auto const begin = at + name.size() + 4;
        return head.substr(begin, head.find("\r\n", begin) - begin);
    }
};

// A client that sends bytes as they are.
class raw_caller
{
    boost::asio::io_context context_;
    boost::asio::ip::tcp::socket socket_{context_};
    std::string input_;

public:
    explicit raw_caller(unsigned short port) { socket_.connect({boost::asio::ip::address_v4::loopback(), port}); }

    static std::string request(std::string const& method, std::string const& target, std::string const& body = {},
        std::string const& fields = {})
    {
        return request_to(method, target, body, "Host: gateway\r\n" + fields);
    }

    // With fields that name the host.
    static std::string request_to(
        std::string const& method, std::string const& target, std::string const& body, std::string const& fields)
    {
        std::string text = method + " " + target + " HTTP/1.1\r\n" + fields;
        if (!body.empty())
            text += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
        return text + "\r\n" + body;
    }

    void send(std::string_view bytes)
    {
        serin::error_code ec;
        boost::asio::write(socket_, boost::asio::buffer(bytes), ec);
    }

    void close() { socket_.close(); }

    // Everything up to the first occurrence of a text; empty if the connection ends before.
    std::string read_until(std::string const& text)
    {
        serin::error_code ec;
        std::size_t const n = boost::asio::read_until(socket_, boost::asio::dynamic_buffer(input_), text, ec);
        if (ec)
            return {};
        std::string part = input_.substr(0, n);
        input_.erase(0, n);
        return part;
    }

    // Whether the connection has ended.
    bool at_end()
    {
        serin::error_code ec;
        char byte = 0;
        return input_.empty() && boost::asio::read(socket_, boost::asio::buffer(&byte, 1), ec) == 0;
    }

    raw_answer read_answer()
    {
        raw_answer a;
        a.head = read_until("\r\n\r\n");
        if (a.head.empty())
            return a;
        a.status = std::atoi(a.head.c_str() + 9);
        if (!a.field("Content-Length").empty())
        {
            std::size_t const length = std::strtoul(a.field("Content-Length").c_str(), nullptr, 10);
            a.whole = take(length, a.body);
        }
        else if (a.field("Transfer-Encoding") == "chunked")
        {
            for (;;)
            {
                std::string const line = read_until("\r\n");
                if (line.empty())
                    break;
                std::size_t const size = std::strtoul(line.c_str(), nullptr, 16);
                std::string end;
                if (!take(size, a.body) || !take(2, end))
                    break;
                if (size == 0)
                {
                    a.whole = true;
                    break;
                }
            }
        }
        return a;
    }

    raw_answer ask(std::string const& method, std::string const& target, std::string const& body = {},
        std::string const& fields = {})
    {
        send(request(method, target, body, fields));
        return read_answer();
    }

private:
    bool take(std::size_t n, std::string& out)
    {
        serin::error_code ec;
        if (input_.size() < n)
            boost::asio::read(
                socket_, boost::asio::dynamic_buffer(input_), boost::asio::transfer_exactly(n - input_.size()), ec);
        out += input_.substr(0, n);
        bool const all = input_.size() >= n;
        input_.erase(0, n);
        return all;
    }
};

#endif
