// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_REDIS_LINK_HPP
#define SERIN_SRC_REDIS_LINK_HPP

#include "reconnect.hpp"
#include "reply_queue.hpp"

#include <serin/core/error.hpp>
#include <serin/redis/params.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct redisReader;
struct redisReply;

namespace serin {

// One connection to a server, on which the commands of any number of callers follow each other without waiting for the
// replies. Made when a command needs it, and given up on when it is. Nothing is pending on it while no reply is, so
// that an idle one leaves no work in the context; that the server has closed it shows at the next command.
//
// Handlers instead of a coroutine: it reads and writes at the same time. All of it is under one mutex, which is not
// held while functions of others are called.
class redis_link : public std::enable_shared_from_this<redis_link>
{
public:
    // Called with the reply, or with null if there is none: the server was not reached, was too slow, or answered with
    // an error.
    using done = std::function<void(redisReply const*)>;

    // Throws api_error if the parameters cannot be used.
    redis_link(asio::any_io_executor ex, redis_params params);
    ~redis_link();

    // Calls `d` once, perhaps before the return. `command` is redis_command()'s.
    void send(std::string_view command, done d);

    // From now on no command is sent, and those under way have failed.
    void stop();

    redis_params const& params() const noexcept { return params_; }

private:
    using protocol = asio::generic::stream_protocol;
    using resolver = asio::ip::tcp::resolver;

    enum class link_state
    {
        down,       // There is no connection.
        connecting, // One is being made.
        up,         // Commands may be sent.
    };

    struct reply_freer
    {
        void operator()(redisReply* r) const;
    };
    using reply_pointer = std::unique_ptr<redisReply, reply_freer>;
    struct reader_freer
    {
        void operator()(redisReader* r) const;
    };

    // What is to be done when the mutex is free again.
    struct chores
    {
        std::vector<std::pair<done, reply_pointer>> calls;
        std::vector<std::pair<log_level, std::string>> lines;
    };
    class section;

    void connect(chores& left);
    void try_endpoint(std::size_t which);
    void log_in();
    void drop_if_closed(chores& left);
    void pump();
    void write();
    void read();
    void on_resolved(std::uint64_t link, error_code ec, resolver::results_type const& found);
    void on_connected(std::uint64_t link, std::size_t which, error_code ec);
    void on_written(std::uint64_t link, error_code ec, std::size_t size);
    void on_read(std::uint64_t link, error_code ec, std::size_t size);
    void on_time(std::uint64_t wait, error_code ec);
    void take_replies(chores& left);
    void lose(std::string why, chores& left);
    void arm();
    steady_time next_time() const noexcept;
    void note(log_level level, std::string line, chores& left) const;
    std::string where() const;
    std::uint64_t random() noexcept;

    redis_params const params_;
    asio::any_io_executor const executor_;

    std::mutex mutex_;
    resolver resolver_;
    protocol::socket socket_;
    std::vector<protocol::endpoint> endpoints_;
    asio::steady_timer timer_;
    steady_time armed_for_ = steady_time::max();
    std::uint64_t wait_number_ = 0; // Of the timer: handlers of earlier waits do nothing
    std::uint64_t link_number_ = 0; // Of the connection: the same for its handlers
    link_state state_ = link_state::down;
    bool stopped_ = false;
    bool reported_ = false; // The user knows that the server is away
    steady_time connect_by_ = steady_time::max();
    reconnect again_;
    std::uint64_t random_;
    reply_queue<done> replies_;
    std::string unsent_;
    std::string sending_;
    std::size_t sent_ = 0; // Of it
    bool writing_ = false;
    bool reading_ = false;
    std::unique_ptr<redisReader, reader_freer> reader_;
    std::size_t fed_ = 0; // Since the last reply that was complete
    std::array<char, 16 * 1024> buffer_;
};

} // namespace serin

#endif
