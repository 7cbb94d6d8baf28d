// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_HTTP_POOL_HPP
#define SERIN_SRC_HTTP_POOL_HPP

#include "../core/fiber_group.hpp"
#include "connect.hpp"
#include "pool_state.hpp"

#include <serin/http/params.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace serin {

class pool;
class pool_host;

// A connection on loan. Goes back to its pool with release(); destroyed otherwise, it is closed.
class lease
{
public:
    lease() noexcept = default;
    lease(std::shared_ptr<pool> from, pool_host& host, std::unique_ptr<connection> c) noexcept;
    lease(lease&& other) noexcept = default;
    lease& operator=(lease&& other) noexcept;
    ~lease() { close(); }

    explicit operator bool() const noexcept { return connection_ != nullptr; }
    connection& operator*() const noexcept { return *connection_; }
    connection* operator->() const noexcept { return connection_.get(); }

    // The last response on it was read to its end and `keep_alive` is the value of its Keep-Alive field.
    void release(std::string_view keep_alive);
    void close() noexcept;

private:
    std::shared_ptr<pool> pool_;
    pool_host* host_ = nullptr;
    std::unique_ptr<connection> connection_;
};

// The connections of a client. Safe from any thread: one mutex, never held across a wait.
class pool : public std::enable_shared_from_this<pool>
{
public:
    // Fibers that make connections run on strands of `ex`, or on `ex` itself if the context has one thread.
    pool(pool_params params, asio::any_io_executor ex, bool use_strands, std::shared_ptr<fiber_group> group,
        std::uint64_t seed);
    ~pool();

    // A host to connect to, the same one for the same origin and TLS configuration. Lives as long as the pool.
    pool_host& add_host(endpoint where);

    // An idle connection, if there is a good one.
    lease try_acquire(pool_host& host);

    // Waits for a connection. Fails with errc::pool_timeout or with what connecting came to.
    task<lease> acquire(fiber& f, pool_host& host, transport_failure& failure);

    // Closes all idle connections, or those to one host.
    void close_idle();
    void close_idle(pool_host& host);

    struct numbers
    {
        std::size_t live = 0;
        std::size_t idle = 0;
        std::size_t waiting = 0;
    };
    numbers count() const;
    numbers count(pool_host const& host) const;

private:
    friend class lease;
    friend class connector;
    friend class pool_host;

    using owned_connection = std::unique_ptr<connection>;
    using state = pool_state<owned_connection>;
    struct waiter;
    class waiter_guard;

    owned_connection take_idle(pool_host& host, steady_time now, std::vector<owned_connection>& closed);
    void give_back(pool_host& host, owned_connection c, std::string_view keep_alive);
    void connection_closed(pool_host& host) noexcept;
    void connector_ended(pool_host& host, state::waiter_id id, owned_connection made, transport_failure failure);
    void wake(std::shared_ptr<waiter> const& w);
    void carry_out(pool_host& host, state::actions& todo);
    void trim(steady_time now, std::vector<owned_connection>& closed);
    double random_tenth();

    pool_params params_;
    asio::any_io_executor executor_;
    bool use_strands_;
    std::shared_ptr<fiber_group> group_;
    mutable std::mutex mutex_;
    std::vector<std::unique_ptr<pool_host>> hosts_;
    steady_time next_trim_{};
    std::uint64_t random_;
};

// A host of a pool. Everything but `where` is guarded by the pool's mutex.
class pool_host
{
public:
    pool_host(endpoint e, std::size_t max_live) : where(std::move(e)), state_(max_live) {}

    endpoint const where;

private:
    friend class pool;

    pool::state state_;
    std::map<pool::state::waiter_id, std::shared_ptr<pool::waiter>> waiters_;
    std::map<pool::state::waiter_id, std::weak_ptr<fiber>> connectors_;
};

// The executor of a new call or connection attempt.
asio::any_io_executor make_fiber_executor(asio::any_io_executor const& ex, bool use_strands);

} // namespace serin

#endif
