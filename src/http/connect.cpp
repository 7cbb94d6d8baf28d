// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "connect.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#if defined(__linux__)
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#endif

#include <utility>
#include <vector>

namespace serin {
namespace {

using tcp = asio::ip::tcp;

constexpr auto attempt_delay = std::chrono::milliseconds(250);

// Options that a server which fell silent is noticed by. Best effort: a platform may lack one.
void set_socket_options(tcp::socket& socket)
{
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
#if defined(__linux__)
    auto const set = [&socket](int option, int value) {
        ::setsockopt(socket.native_handle(), IPPROTO_TCP, option, &value, sizeof value);
    };
    set(TCP_KEEPIDLE, 60);
    set(TCP_KEEPINTVL, 30);
    set(TCP_KEEPCNT, 5);
    set(TCP_USER_TIMEOUT, 60'000 + 5 * 30'000); // As long as the probes: unsent data must not outlive them
#endif
}

// Connection attempts that run side by side. Owned by their handlers, as a loser's handler may run after
// the fiber has gone on with the winner.
struct connect_race
{
    explicit connect_race(asio::any_io_executor const& ex) : stagger(ex) {}

    std::vector<std::unique_ptr<tcp::socket>> sockets;
    asio::steady_timer stagger;
    std::size_t running = 0;
    std::size_t winner = 0;
    bool won = false;
    bool over = false; // The fiber has gone on.
    bool next_is_due = false;
    error_code last_error;

    void end()
    {
        over = true;
        stagger.cancel();
        for (auto& socket : sockets)
            if (socket)
                socket->close(last_error);
    }
};

struct race_handler
{
    fiber_ref owner;
    std::shared_ptr<connect_race> race;
    std::size_t index;

    static constexpr std::size_t is_stagger = static_cast<std::size_t>(-1);

    using executor_type = fiber::executor_type;
    executor_type const& get_executor() const noexcept { return owner.get_executor(); }

    void operator()(error_code ec)
    {
        auto const f = owner.take();
        if (race->over)
            return;
        if (index == is_stagger)
        {
            if (ec)
                return;
            race->next_is_due = true;
        }
        else
        {
            --race->running;
            if (ec)
            {
                race->last_error = ec;
                race->next_is_due = true;
            }
            else if (!std::exchange(race->won, true))
            {
                race->winner = index;
            }
        }
        f->resume();
    }
};

task<error_code> connect_first(
    fiber& f, endpoint const& to, addresses const& candidates, std::unique_ptr<tcp::socket>& out, std::string& why)
{
    auto const race = std::make_shared<connect_race>(to.executor);
    struct race_end
    {
        connect_race& race;
        ~race_end() { race.end(); }
    };
    std::size_t next = 0;
    error_code result;
    {
        race_end const end_race{*race};
        for (;;)
        {
            if (next < candidates.size() && (race->running == 0 || race->next_is_due))
            {
                tcp::endpoint const address(candidates[next], to.where.port);
                auto socket = std::make_unique<tcp::socket>(to.executor);
                error_code ec;
                socket->open(address.protocol(), ec);
                if (ec)
                {
                    race->last_error = ec;
                    race->sockets.push_back(nullptr);
                    race->next_is_due = true;
                    ++next;
                    continue;
                }
                race->next_is_due = false;
                set_socket_options(*socket);
                socket->async_connect(address, race_handler{fiber_ref(f), race, next});
                race->sockets.push_back(std::move(socket));
                ++race->running;
                ++next;
                if (next < candidates.size())
                {
                    race->stagger.expires_after(attempt_delay);
                    race->stagger.async_wait(race_handler{fiber_ref(f), race, race_handler::is_stagger});
                }
            }
            if (race->running == 0 && next >= candidates.size())
            {
                result = errc::connect_failed;
                break;
            }
            result = co_await bare_wait(f);
            if (result)
                break;
            if (race->won)
            {
                out = std::move(race->sockets[race->winner]);
                break;
            }
        }
        if (result == errc::connect_failed)
            why = to.where.host + " port " + std::to_string(to.where.port) + ": " + race->last_error.message();
    }
    co_return result;
}

task<error_code> shake_hands(fiber& f, endpoint const& to, connection& c, transport_failure& failure)
{
    std::string& why = failure.detail;
    ssl_ptr ssl = to.tls->make_client(to.where, to.sessions, why);
    if (!ssl)
        co_return errc::tls_failed;
    c.use_tls(std::move(ssl), to.sessions);
    error_code const ec = co_await io_wait(f, c, io_wait::operation::handshake);
    if (!ec || f.interrupted())
        co_return ec;
    why = c.tls_failure();
    if (why.empty())
        why = ec == asio::error::eof ? "the server closed the connection" : ec.message();
    why = to.where.host + ": " + why;
    failure.lasting = c.refused_certificate();
    co_return errc::tls_failed;
}

} // namespace

task<std::unique_ptr<connection>> connect(fiber& f, endpoint const& to, transport_failure& failure)
{
    auto const deadline = [&f](duration d, errc why) { f.set_deadline(deadline_after(d), why); };

    deadline(to.timeouts.connect, errc::connect_timeout);
    failure.phase = call_phase::resolve;
    addresses candidates;
    failure.ec = co_await to.resolver->resolve(f, to.where.host, candidates, failure.detail);
    if (failure.ec)
        co_return nullptr;

    failure.phase = call_phase::connect;
    std::unique_ptr<tcp::socket> socket;
    failure.ec = co_await connect_first(f, to, candidates, socket, failure.detail);
    if (failure.ec)
        co_return nullptr;
    error_code ignored;
    socket->non_blocking(true, ignored);
    auto made = std::make_unique<connection>(std::move(*socket));

    if (to.tls)
    {
        failure.phase = call_phase::tls;
        deadline(to.timeouts.tls, errc::tls_timeout);
        failure.ec = co_await shake_hands(f, to, *made, failure);
        if (failure.ec)
            co_return nullptr;
    }
    f.set_deadline(steady_time::max(), error_code());
    co_return made;
}

} // namespace serin
