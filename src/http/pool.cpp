// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "pool.hpp"

#include "../core/timer_wait.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace serin {
namespace {

constexpr auto just_now = std::chrono::milliseconds(1);

// The timeout of a Keep-Alive field, as in "timeout=5, max=100".
std::optional<std::chrono::seconds> keep_alive_timeout(std::string_view value)
{
    constexpr std::string_view name = "timeout=";
    while (!value.empty())
    {
        auto const comma = value.find(',');
        std::string_view part = value.substr(0, comma);
        value = comma == std::string_view::npos ? std::string_view() : value.substr(comma + 1);
        part.remove_prefix(std::min(part.find_first_not_of(" \t"), part.size()));
        if (!header_names_equal(part.substr(0, name.size()), name))
            continue;
        unsigned seconds = 0;
        char const* const begin = part.data() + name.size();
        auto const [end, ec] = std::from_chars(begin, part.data() + part.size(), seconds);
        if (ec != std::errc() || end == begin || seconds > 24 * 3600)
            return std::nullopt;
        return std::chrono::seconds(seconds);
    }
    return std::nullopt;
}

// Whether connections to both can serve the same requests.
bool is_same_host(endpoint const& a, endpoint const& b)
{
    bool const same_tls = a.tls == b.tls || (a.tls && b.tls && a.tls->is_same(*b.tls));
    return same_tls && a.where.tls == b.where.tls && a.where.host == b.where.host && a.where.port == b.where.port;
}

} // namespace

asio::any_io_executor make_fiber_executor(asio::any_io_executor const& ex, bool use_strands)
{
    if (!use_strands)
        return ex;
    // A strand on the erased executor would erase, and allocate, at every step.
    if (auto const* const context = ex.target<asio::io_context::executor_type>())
        return asio::make_strand(*context);
    return asio::make_strand(ex);
}

struct pool::waiter
{
    waiter(std::weak_ptr<fiber> o, fiber::executor_type const& ex) : owner(std::move(o)), executor(ex), timer(ex) {}

    std::weak_ptr<fiber> owner;
    fiber::executor_type executor;
    asio::steady_timer timer; // Touched on the fiber's executor only

    // Under the pool's mutex.
    bool served = false;
    owned_connection connection;
    transport_failure failure;
};

// Takes a waiter out of the queue, and gives back what he got and does not take, however his fiber ends.
class pool::waiter_guard
{
public:
    waiter_guard(pool& p, pool_host& h, state::waiter_id id, std::shared_ptr<waiter> w) noexcept
        : pool_(p),
          host_(h),
          id_(id),
          waiter_(std::move(w))
    {}

    waiter_guard(waiter_guard const&) = delete;
    waiter_guard& operator=(waiter_guard const&) = delete;

    ~waiter_guard()
    {
        owned_connection unused;
        {
            std::lock_guard const lock(pool_.mutex_);
            host_.waiters_.erase(id_);
            if (!waiter_->served)
            {
                state::actions todo;
                host_.state_.abandon(id_, todo);
                pool_.carry_out(host_, todo);
            }
            unused = std::move(waiter_->connection);
        }
        if (unused)
            pool_.give_back(host_, std::move(unused), {});
    }

private:
    pool& pool_;
    pool_host& host_;
    state::waiter_id id_;
    std::shared_ptr<waiter> waiter_;
};

// Makes one connection and hands it to the pool.
class connector final : public fiber
{
public:
    connector(fiber::executor_type ex, std::shared_ptr<fiber_group> g, std::shared_ptr<pool> p, pool_host& h,
        std::uint64_t id)
        : fiber(std::move(ex), std::move(g)),
          pool_(std::move(p)),
          host_(h),
          id_(id)
    {}

    ~connector() override { destroy_coroutine(); }

    task<void> run() { made_ = co_await connect(*this, host_.where, failure_); }

private:
    void on_finished(std::exception_ptr error) override
    {
        if (error)
            failure_ =
                transport_failure{make_error_code(boost::system::errc::not_enough_memory), {}, call_phase::connect};
        pool_->connector_ended(host_, id_, std::move(made_), std::move(failure_));
    }

    std::shared_ptr<pool> pool_;
    pool_host& host_;
    std::uint64_t id_;
    std::unique_ptr<connection> made_;
    transport_failure failure_;
};

// ---------------------------------------------------------------------------------------------------------

lease::lease(std::shared_ptr<pool> from, pool_host& host, std::unique_ptr<connection> c) noexcept
    : pool_(std::move(from)),
      host_(&host),
      connection_(std::move(c))
{}

lease& lease::operator=(lease&& other) noexcept
{
    if (this != &other)
    {
        close();
        pool_ = std::move(other.pool_);
        host_ = other.host_;
        connection_ = std::move(other.connection_);
    }
    return *this;
}

void lease::release(std::string_view keep_alive)
{
    if (connection_)
        pool_->give_back(*host_, std::move(connection_), keep_alive);
    pool_.reset();
}

void lease::close() noexcept
{
    if (connection_)
    {
        connection_.reset();
        pool_->connection_closed(*host_);
    }
    pool_.reset();
}

// ---------------------------------------------------------------------------------------------------------

pool::pool(pool_params params, asio::any_io_executor ex, bool use_strands, std::shared_ptr<fiber_group> group,
    std::uint64_t seed)
    : params_(params),
      executor_(std::move(ex)),
      use_strands_(use_strands),
      group_(std::move(group)),
      random_(seed | 1)
{}

pool::~pool() = default;

pool_host& pool::add_host(endpoint where)
{
    std::lock_guard const lock(mutex_);
    for (auto const& host : hosts_)
        if (is_same_host(host->where, where))
            return *host;
    hosts_.push_back(std::make_unique<pool_host>(std::move(where), std::max<std::size_t>(params_.max_per_host, 1)));
    return *hosts_.back();
}

double pool::random_tenth()
{
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return static_cast<double>(random_ >> 11) / static_cast<double>(std::uint64_t{1} << 53) / 10;
}

// The most recently used idle connection that is still good.
pool::owned_connection pool::take_idle(pool_host& host, steady_time now, std::vector<owned_connection>& closed)
{
    while (auto idle = host.state_.pop_idle())
    {
        connection& c = **idle;
        // What came with the end of the last response was seen then, and so soon after it there is next to nothing else
        // to be found: looking costs a receive. A connection that the server closes all the same fails before the first
        // byte of an answer, as one does that is closed while the request is on its way, and is replaced like that.
        bool const just_used = now - c.idle_since < just_now;
        if (now < c.idle_until && now < c.retire_at && (just_used || c.is_quiet()))
            return std::move(*idle);
        closed.push_back(std::move(*idle));
        state::actions todo;
        host.state_.lost(todo);
        carry_out(host, todo);
    }
    return nullptr;
}

lease pool::try_acquire(pool_host& host)
{
    auto const now = std::chrono::steady_clock::now();
    std::vector<owned_connection> closed; // Destroyed after the mutex is free
    std::lock_guard const lock(mutex_);
    trim(now, closed);
    auto idle = take_idle(host, now, closed);
    return idle ? lease(shared_from_this(), host, std::move(idle)) : lease();
}

task<lease> pool::acquire(fiber& f, pool_host& host, transport_failure& failure)
{
    f.set_deadline(steady_time::max(), error_code()); // What the call waited for before
    auto const self = std::make_shared<waiter>(f.weak_from_this(), f.get_executor());
    auto const limit = host.where.timeouts.pool;
    auto const give_up_at = deadline_after(limit);
    owned_connection broken;
    for (;;)
    {
        state::waiter_id id{};
        {
            std::vector<owned_connection> closed;
            std::lock_guard const lock(mutex_);
            state::actions todo;
            if (broken)
            {
                closed.push_back(std::move(broken));
                id = host.state_.enqueue_again(todo);
            }
            else
            {
                // One may have become idle since the caller looked: nobody would tell us.
                if (auto idle = take_idle(host, std::chrono::steady_clock::now(), closed))
                    co_return lease(shared_from_this(), host, std::move(idle));
                id = host.state_.enqueue(todo);
            }
            self->served = false;
            host.waiters_.emplace(id, self);
            carry_out(host, todo);
        }
        waiter_guard const guard(*this, host, id, self);

        self->timer.expires_at(give_up_at);
        bool served = false;
        while (!served)
        {
            bool const too_late = co_await timer_wait(f, self->timer);
            std::lock_guard const lock(mutex_);
            served = self->served;
            if (served)
                break;
            bool const connecting = host.connectors_.contains(id);
            failure.phase = connecting ? call_phase::connect : call_phase::pool;
            failure.ec = f.interrupted();
            if (failure.ec)
                co_return lease();
            if (!too_late)
                continue;
            // While a connection is being made for this call, its own deadlines count. It may go to another call in
            // the end: look again later.
            if (connecting)
            {
                self->timer.expires_at(deadline_after(limit));
                continue;
            }
            failure.ec = errc::pool_timeout;
            failure.detail = "all " + std::to_string(host.state_.live()) + " connections to " + host.where.where.host +
                             " are in use";
            co_return lease();
        }
        // Ours alone now
        failure = std::move(self->failure);
        if (failure.ec)
            co_return lease();
        auto mine = std::move(self->connection);
        // What came after the last response on it must not answer the next request.
        if (mine->requests == 0 || mine->is_quiet())
            co_return lease(shared_from_this(), host, std::move(mine));
        broken = std::move(mine);
    }
}

// Through the plain executor: what is posted to a strand while the context is being destroyed would own the strand that
// owns it.
void pool::wake(std::shared_ptr<waiter> const& w)
{
    asio::post(executor_, [w] { asio::dispatch(w->executor, [w] { w->timer.cancel(); }); });
}

void pool::carry_out(pool_host& host, state::actions& todo)
{
    if (todo.give)
    {
        auto const at = host.waiters_.find(todo.give->waiter);
        auto const w = at->second;
        w->served = true;
        w->connection = std::move(todo.give->connection);
        wake(w);
    }
    if (todo.stop_making)
        for (auto const& [id, attempt] : host.connectors_)
            if (auto const c = attempt.lock())
                c->interrupt(asio::error::operation_aborted);
    if (todo.make_for)
    {
        auto const c = std::make_shared<connector>(
            make_fiber_executor(executor_, use_strands_), group_, shared_from_this(), host, *todo.make_for);
        host.connectors_[*todo.make_for] = c;
        // Not inline: the caller holds the mutex.
        asio::post(executor_, [c] { c->start(c->run()); });
    }
}

void pool::give_back(pool_host& host, owned_connection c, std::string_view keep_alive)
{
    auto const now = std::chrono::steady_clock::now();
    if (c->requests != c->requests_when_idle)
    {
        c->requests_when_idle = c->requests;
        c->idle_since = now;
        c->idle_until = add_saturated(now, params_.idle_timeout);
        // A second less: a request must not cross the server's close on the way.
        if (auto const timeout = keep_alive_timeout(keep_alive))
            c->idle_until = std::min(c->idle_until, now + *timeout - std::chrono::seconds(1));
    }
    bool const keep = now < c->retire_at && now < c->idle_until;
    if (keep)
        c->shrink();

    std::vector<owned_connection> closed;
    std::lock_guard const lock(mutex_);
    state::actions todo;
    if (keep)
        host.state_.freed(std::move(c), now, todo);
    else
        host.state_.lost(todo);
    carry_out(host, todo);
    trim(now, closed);
}

void pool::connection_closed(pool_host& host) noexcept
{
    std::lock_guard const lock(mutex_);
    state::actions todo;
    host.state_.lost(todo);
    carry_out(host, todo);
}

void pool::connector_ended(pool_host& host, state::waiter_id id, owned_connection made, transport_failure failure)
{
    auto const now = std::chrono::steady_clock::now();
    std::lock_guard const lock(mutex_);
    host.connectors_.erase(id);
    state::actions todo;
    if (made)
    {
        auto const less = std::chrono::duration_cast<duration>(params_.max_lifetime * random_tenth());
        made->retire_at = add_saturated(now, params_.max_lifetime - less);
        made->idle_until = add_saturated(now, params_.idle_timeout);
        host.state_.made(id, std::move(made), now, todo);
    }
    else if (host.state_.failed(id, todo))
    {
        auto const w = host.waiters_.at(id);
        w->served = true;
        w->failure = std::move(failure);
        wake(w);
    }
    carry_out(host, todo);
}

void pool::trim(steady_time now, std::vector<owned_connection>& closed)
{
    if (now < next_trim_)
        return;
    next_trim_ = now + std::chrono::seconds(1);

    // Never at once: after a burst the connections serve the next one.
    steady_time const long_ago = now - params_.trim_delay;
    std::size_t total = 0;
    for (auto& host : hosts_)
    {
        auto& s = host->state_;
        s.remove_idle(
            [now](owned_connection const& c, steady_time) { return c->idle_until <= now || c->retire_at <= now; },
            closed);
        while (s.idle() > params_.max_idle_per_host && s.oldest_idle_since() <= long_ago)
            s.remove_oldest_idle(closed);
        total += s.idle();
    }
    for (; total > params_.max_idle; --total)
    {
        auto const oldest = std::min_element(hosts_.begin(), hosts_.end(),
            [](auto const& a, auto const& b) { return a->state_.oldest_idle_since() < b->state_.oldest_idle_since(); });
        if ((*oldest)->state_.oldest_idle_since() > long_ago)
            break;
        (*oldest)->state_.remove_oldest_idle(closed);
    }
}

void pool::close_idle()
{
    std::vector<owned_connection> closed;
    std::lock_guard const lock(mutex_);
    for (auto& host : hosts_)
        host->state_.remove_idle([](owned_connection const&, steady_time) { return true; }, closed);
}

void pool::close_idle(pool_host& host)
{
    std::vector<owned_connection> closed;
    std::lock_guard const lock(mutex_);
    host.state_.remove_idle([](owned_connection const&, steady_time) { return true; }, closed);
}

pool::numbers pool::count() const
{
    numbers n;
    std::lock_guard const lock(mutex_);
    for (auto const& host : hosts_)
    {
        n.live += host->state_.live();
        n.idle += host->state_.idle();
        n.waiting += host->state_.waiting();
    }
    return n;
}

pool::numbers pool::count(pool_host const& host) const
{
    std::lock_guard const lock(mutex_);
    return {host.state_.live(), host.state_.idle(), host.state_.waiting()};
}

} // namespace serin
