// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TESTS_SUPPORT_REDIS_SERVER_HPP
#define SERIN_TESTS_SUPPORT_REDIS_SERVER_HPP

#include <serin/redis/params.hpp>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// The text that ctest knows as the reason of a skipped test.
constexpr char no_redis_server[] = "skipped: there is no redis-server or valkey-server here (Debian: redis-tools)";

// A real Redis or Valkey server of its own, on a free loopback port and in a temporary folder. Keeps nothing on disk.
class redis_server
{
public:
    // The program to run; nothing if there is none. Debian's redis-server is another name of what redis-tools brings.
    static std::optional<std::string> program()
    {
        char const* const path = std::getenv("PATH");
        std::string const folders = path ? path : "/usr/bin:/usr/local/bin";
        for (char const* name : {"redis-server", "valkey-server", "redis-check-rdb"})
        {
            for (std::size_t from = 0; from <= folders.size();)
            {
                std::size_t const end = std::min(folders.find(':', from), folders.size());
                std::string const file = folders.substr(from, end - from) + "/" + name;
                if (::access(file.c_str(), X_OK) == 0)
                    return file;
                from = end + 1;
            }
        }
        return std::nullopt;
    }

    explicit redis_server(std::vector<std::string> options = {}) : options_(std::move(options))
    {
        std::string folder = (std::filesystem::temp_directory_path() / "serin-redis-XXXXXX").string();
        if (!::mkdtemp(folder.data()))
            throw std::runtime_error("no temporary folder");
        folder_ = folder;
        start();
    }

    redis_server(redis_server const&) = delete;
    redis_server& operator=(redis_server const&) = delete;

    ~redis_server()
    {
        kill();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    std::uint16_t port() const noexcept { return port_; }
    std::string socket() const { return folder_ + "/socket"; }

    serin::redis_params params() const
    {
        serin::redis_params p;
        p.port = port_;
        p.command_timeout = std::chrono::seconds(5); // A busy machine is no dead server
        p.connect_timeout = std::chrono::seconds(5);
        p.retry_delay = std::chrono::milliseconds(1);
        p.max_retry_delay = std::chrono::milliseconds(1);
        return p;
    }

    // At once, as the system does it to a process that takes too much memory.
    void kill()
    {
        if (child_ <= 0)
            return;
        ::kill(child_, SIGKILL);
        ::waitpid(child_, nullptr, 0);
        child_ = -1;
    }

    // It lives but does not answer any more, until the signal SIGCONT.
    void signal(int number) const { ::kill(child_, number); }

    // Again on the same port, if it was killed; without what it held.
    void start()
    {
        for (int attempt = 0; attempt < 10; ++attempt)
        {
            if (port_ == 0)
                port_ = free_port();
            if (launch())
                return;
            port_ = 0; // Somebody else was faster
        }
        throw std::runtime_error("the Redis server does not start");
    }

private:
    static std::uint16_t free_port()
    {
        using boost::asio::ip::tcp;
        boost::asio::io_context context;
        tcp::acceptor acceptor(context, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
        return acceptor.local_endpoint().port();
    }

    // Whether it has come up.
    bool launch()
    {
        std::string const file = program().value();
        std::vector<std::string> words{"redis-server", "--port", std::to_string(port_), "--bind", "127.0.0.1",
            "--unixsocket", socket(), "--save", "", "--appendonly", "no", "--dir", folder_, "--logfile",
            folder_ + "/log", "--daemonize", "no"};
        words.insert(words.end(), options_.begin(), options_.end());
        std::vector<char*> arguments;
        for (std::string& word : words)
            arguments.push_back(word.data());
        arguments.push_back(nullptr);
        child_ = ::fork();
        if (child_ == 0)
        {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::execv(file.c_str(), arguments.data());
            ::_exit(127);
        }
        auto const give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (child_ > 0 && std::chrono::steady_clock::now() < give_up)
        {
            boost::asio::io_context context;
            boost::asio::ip::tcp::socket probe(context);
            boost::system::error_code ec;
            probe.connect({boost::asio::ip::address_v4::loopback(), port_}, ec);
            if (!ec)
                return true;
            if (::waitpid(child_, nullptr, WNOHANG) == child_)
                child_ = -1;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        kill();
        return false;
    }

    std::vector<std::string> options_;
    std::string folder_;
    std::uint16_t port_ = 0;
    pid_t child_ = -1;
};

// Ends the test where there is no server to test with.
#define SERIN_NEEDS_REDIS_SERVER()                                                                                     \
    do                                                                                                                 \
    {                                                                                                                  \
        if (!redis_server::program())                                                                                  \
        {                                                                                                              \
            WARN(no_redis_server);                                                                                     \
            return;                                                                                                    \
        }                                                                                                              \
    }                                                                                                                  \
    while (false)

#endif
