// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "link.hpp"

#include "command.hpp"

#include <serin/core/with_diagnostics.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <hiredis/hiredis.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <random>

namespace serin {
namespace {

// A reply that the server owes for longer than that beyond its time will not come.
constexpr auto overdue = std::chrono::seconds(1);

// No reply that is asked for is larger.
constexpr std::size_t largest_reply = std::size_t(64) << 20;

std::string printable_line(std::string_view text)
{
    std::string line(text.substr(0, 200));
    for (char& c : line)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            c = ' ';
    return line;
}

} // namespace

void redis_link::reply_freer::operator()(redisReply* r) const
{
    freeReplyObject(r);
}

void redis_link::reader_freer::operator()(redisReader* r) const
{
    redisReaderFree(r);
}

// Holds the mutex, then does what is left to do.
class redis_link::section
{
public:
    explicit section(redis_link& l) : link_(l), lock_(l.mutex_) {}
    section(section const&) = delete;
    section& operator=(section const&) = delete;

    ~section()
    {
        link_.arm();
        lock_.unlock();
        for (auto const& [level, line] : left.lines)
        {
            try
            {
                link_.params_.log(level, line);
            }
            catch (...)
            {
                // A logger that fails must not take the call with it.
            }
        }
        for (auto const& [call, reply] : left.calls)
            call(reply.get());
    }

    chores left;

private:
    redis_link& link_;
    std::unique_lock<std::mutex> lock_;
};

redis_link::redis_link(asio::any_io_executor ex, redis_params params)
    : params_(std::move(params)),
      executor_(std::move(ex)),
      resolver_(executor_),
      socket_(executor_),
      timer_(executor_),
      again_(params_.retry_delay, params_.max_retry_delay),
      random_((std::uint64_t{std::random_device()()} << 32) ^ std::random_device()())
{
    auto const refuse = [](std::string message) {
        diagnostics diag;
        diag.message = std::move(message);
        throw api_error(errc::invalid_argument, std::move(diag));
    };
    auto const zero = std::chrono::milliseconds::zero();
    if (params_.command_timeout <= zero || params_.connect_timeout <= zero)
        refuse("redis_params: a timeout is not positive");
    if (params_.retry_delay < zero || params_.max_retry_delay < zero)
        refuse("redis_params: a pause is negative");
    if (params_.max_pending == 0)
        refuse("redis_params::max_pending is 0");
    if (params_.path.size() >= 108)
        refuse("redis_params::path is too long for a Unix socket");
    if (params_.path.empty() && (params_.host.empty() || params_.port == 0))
        refuse("redis_params: there is neither a host with a port nor a path");
}

redis_link::~redis_link() = default;

void redis_link::send(std::string_view command, done d)
{
    section s(*this);
    bool const fits = replies_.size() < params_.max_pending && command.size() <= params_.max_pending_bytes &&
                      unsent_.size() <= params_.max_pending_bytes - command.size();
    if (!stopped_ && fits)
    {
        drop_if_closed(s.left);
        if (state_ == link_state::down && again_.may_connect(std::chrono::steady_clock::now()))
            connect(s.left);
    }
    if (stopped_ || !fits || state_ == link_state::down)
    {
        s.left.calls.emplace_back(std::move(d), nullptr);
        return;
    }
    replies_.push(std::move(d), add_saturated(std::chrono::steady_clock::now(), params_.command_timeout));
    unsent_ += command;
    pump();
}

void redis_link::stop()
{
    section s(*this);
    stopped_ = true;
    lose({}, s.left);
}

// ---------------------------------------------------------------------------------------------------------

void redis_link::connect(chores& left)
{
    state_ = link_state::connecting;
    ++link_number_;
    connect_by_ = add_saturated(std::chrono::steady_clock::now(), params_.connect_timeout);
    reader_.reset(redisReaderCreate());
    fed_ = 0;
    endpoints_.clear();
    if (!reader_)
    {
        lose("there is no memory", left);
        return;
    }
    if (!params_.path.empty())
    {
        endpoints_.emplace_back(asio::local::stream_protocol::endpoint(params_.path));
        try_endpoint(0);
        return;
    }
    resolver_.async_resolve(params_.host, std::to_string(params_.port), resolver::numeric_service,
        [self = shared_from_this(), link = link_number_](
            error_code ec, resolver::results_type const& found) { self->on_resolved(link, ec, found); });
}

void redis_link::on_resolved(std::uint64_t link, error_code ec, resolver::results_type const& found)
{
    section s(*this);
    if (link != link_number_)
        return;
    for (auto const& entry : found)
        endpoints_.emplace_back(entry.endpoint());
    if (ec || endpoints_.empty())
        lose("the name cannot be resolved: " + ec.message(), s.left);
    else
        try_endpoint(0);
}

void redis_link::try_endpoint(std::size_t which)
{
    error_code ignored;
    socket_.close(ignored);
    socket_.async_connect(endpoints_[which], [self = shared_from_this(), link = link_number_, which](
                                                 error_code ec) { self->on_connected(link, which, ec); });
}

void redis_link::on_connected(std::uint64_t link, std::size_t which, error_code ec)
{
    section s(*this);
    if (link != link_number_)
        return;
    if (ec && which + 1 < endpoints_.size())
    {
        try_endpoint(which + 1);
        return;
    }
    if (ec)
    {
        lose(ec.message(), s.left);
        return;
    }
    if (params_.path.empty())
        socket_.set_option(asio::ip::tcp::no_delay(true), ec);
    socket_.non_blocking(true, ec); // To look whether it was closed
    log_in();
    state_ = link_state::up;
    pump();
}

// What is sent before the commands that wait already. The connection is good when it was answered.
void redis_link::log_in()
{
    std::string first;
    auto const add = [this, &first](std::string const& command, std::string what) {
        first = command + first;
        replies_.push_front(
            [weak = weak_from_this(), link = link_number_, what = std::move(what)](redisReply const* reply) {
                auto const self = weak.lock();
                if (reply || !self)
                    return;
                section s(*self);
                if (link == self->link_number_)
                    self->lose(what + " was not accepted", s.left);
            },
            connect_by_);
    };
    if (params_.database != 0)
        add(redis_command({"SELECT", std::to_string(params_.database)}), "the database");
    if (!params_.password.empty())
    {
        std::string_view const password = params_.password.reveal();
        add(params_.username.empty() ? redis_command({"AUTH", password})
                                     : redis_command({"AUTH", params_.username, password}),
            "the password");
    }
    unsent_ = first + unsent_;
}

// The server may have closed a connection on which nothing was pending.
void redis_link::drop_if_closed(chores& left)
{
    if (state_ != link_state::up || !replies_.empty())
        return;
    char byte = 0;
    error_code ec;
    socket_.receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, ec);
    if (ec != asio::error::would_block && ec != asio::error::try_again)
        lose("the server has closed the connection", left);
}

void redis_link::pump()
{
    if (state_ != link_state::up)
        return;
    if (!writing_ && !unsent_.empty())
    {
        writing_ = true;
        sending_.swap(unsent_);
        unsent_.clear();
        sent_ = 0;
        write();
    }
    if (!reading_ && !replies_.empty())
        read();
}

// Piece by piece: asio::async_write would use the socket without the mutex.
void redis_link::write()
{
    socket_.async_write_some(
        asio::buffer(sending_) + sent_, [self = shared_from_this(), link = link_number_](
                                            error_code ec, std::size_t size) { self->on_written(link, ec, size); });
}

void redis_link::read()
{
    reading_ = true;
    socket_.async_read_some(asio::buffer(buffer_), [self = shared_from_this(), link = link_number_](error_code ec,
                                                       std::size_t size) { self->on_read(link, ec, size); });
}

void redis_link::on_written(std::uint64_t link, error_code ec, std::size_t size)
{
    section s(*this);
    if (link != link_number_)
        return;
    sent_ += size;
    if (ec)
    {
        lose(ec.message(), s.left);
    }
    else if (sent_ < sending_.size())
    {
        write();
    }
    else
    {
        writing_ = false;
        pump();
    }
}

void redis_link::on_read(std::uint64_t link, error_code ec, std::size_t size)
{
    section s(*this);
    if (link != link_number_)
        return;
    reading_ = false;
    fed_ += size;
    if (ec)
        lose(ec == asio::error::eof ? "the server has closed the connection" : ec.message(), s.left);
    else if (fed_ > largest_reply || redisReaderFeed(reader_.get(), buffer_.data(), size) != REDIS_OK)
        lose("a reply is too large", s.left);
    else
        take_replies(s.left);
    pump();
}

void redis_link::take_replies(chores& left)
{
    for (;;)
    {
        void* found = nullptr;
        int const result = redisReaderGetReply(reader_.get(), &found);
        reply_pointer reply(static_cast<redisReply*>(found));
        if (result != REDIS_OK || (reply && replies_.empty()))
        {
            lose("the server does not speak the protocol", left);
            return;
        }
        if (!reply)
            return;
        fed_ = 0;
        bool const refused = reply->type == REDIS_REPLY_ERROR;
        if (refused)
        {
            if (!std::exchange(reported_, true))
                note(log_level::warning,
                    "an error: " + printable_line({reply->str, static_cast<std::size_t>(reply->len)}), left);
            reply.reset();
        }
        else
        {
            again_.works();
            if (std::exchange(reported_, false))
                note(log_level::info, "the server answers again", left);
        }
        if (auto waits = replies_.take())
            left.calls.emplace_back(std::move(*waits), std::move(reply));
    }
}

// There is no connection any more. `why` is empty if that is what was wanted.
void redis_link::lose(std::string why, chores& left)
{
    if (!why.empty() && state_ != link_state::down)
    {
        auto const pause = again_.failed(std::chrono::steady_clock::now(), random());
        if (pause != pause.zero() && !std::exchange(reported_, true))
            note(log_level::warning,
                why + "; going on without, next try in " +
                    std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(pause).count()) + " ms",
                left);
    }
    state_ = link_state::down;
    ++link_number_;
    error_code ignored;
    socket_.close(ignored);
    resolver_.cancel();
    connect_by_ = steady_time::max();
    writing_ = reading_ = false;
    unsent_.clear();
    for (done& d : replies_.clear())
        left.calls.emplace_back(std::move(d), nullptr);
}

// ---------------------------------------------------------------------------------------------------------

steady_time redis_link::next_time() const noexcept
{
    steady_time at = replies_.next_deadline();
    if (state_ == link_state::connecting)
        at = std::min(at, connect_by_);
    if (state_ == link_state::up && !replies_.empty())
        at = std::min(at, add_saturated(replies_.oldest_deadline(), overdue));
    return at;
}

// Sets the timer for what is due next, if that comes before what it is set for.
void redis_link::arm()
{
    steady_time const at = next_time();
    if (at == steady_time::max() && armed_for_ != steady_time::max())
    {
        ++wait_number_;
        armed_for_ = at;
        timer_.cancel();
    }
    if (at >= armed_for_)
        return;
    armed_for_ = at;
    timer_.expires_at(at);
    timer_.async_wait([self = shared_from_this(), wait = ++wait_number_](error_code ec) { self->on_time(wait, ec); });
}

void redis_link::on_time(std::uint64_t wait, error_code ec)
{
    if (ec)
        return;
    section s(*this);
    if (wait != wait_number_)
        return;
    armed_for_ = steady_time::max();
    auto const now = std::chrono::steady_clock::now();
    if (state_ == link_state::connecting && now >= connect_by_)
        lose("no connection within " + std::to_string(params_.connect_timeout.count()) + " ms", s.left);
    else if (state_ == link_state::up && now >= add_saturated(replies_.oldest_deadline(), overdue))
        lose("no answer", s.left);
    for (done& d : replies_.expire(now))
        s.left.calls.emplace_back(std::move(d), nullptr);
}

void redis_link::note(log_level level, std::string line, chores& left) const
{
    if (!params_.log)
        return;
    // Servers that do not know a command say what it was.
    if (!params_.password.empty())
        scrub(line, params_.password);
    left.lines.emplace_back(level, "redis at " + where() + ": " + std::move(line));
}

std::string redis_link::where() const
{
    return params_.path.empty() ? params_.host + ":" + std::to_string(params_.port) : params_.path;
}

std::uint64_t redis_link::random() noexcept
{
    // splitmix64
    std::uint64_t z = (random_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

} // namespace serin
