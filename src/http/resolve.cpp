// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "resolve.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace serin {
namespace {

class system_resolver final : public resolver
{
    asio::any_io_executor executor_;

public:
    explicit system_resolver(asio::any_io_executor ex) : executor_(std::move(ex)) {}

    void lookup(std::string const& host, handler done) override
    {
        auto const query = std::make_shared<asio::ip::tcp::resolver>(executor_);
        query->async_resolve(host, "", [query, done = std::move(done)](error_code ec, auto const& results) {
            addresses found;
            for (auto const& result : results)
                found.push_back(result.endpoint().address());
            done(ec, std::move(found));
        });
    }
};

} // namespace

std::shared_ptr<resolver> make_system_resolver(asio::any_io_executor ex)
{
    return std::make_shared<system_resolver>(std::move(ex));
}

addresses interleave_families(addresses all)
{
    if (all.empty())
        return all;
    bool const first_is_v6 = all.front().is_v6();
    auto const middle = std::stable_partition(
        all.begin(), all.end(), [first_is_v6](auto const& address) { return address.is_v6() == first_is_v6; });
    addresses mixed;
    mixed.reserve(all.size());
    for (auto a = all.begin(), b = middle; a != middle || b != all.end();)
    {
        if (a != middle)
            mixed.push_back(*a++);
        if (b != all.end())
            mixed.push_back(*b++);
    }
    return mixed;
}

resolve_cache::resolve_cache(std::shared_ptr<resolver> source, std::chrono::steady_clock::duration keep)
    : source_(std::move(source)),
      keep_(keep)
{}

task<error_code> resolve_cache::resolve(fiber& f, std::string const& host, addresses& out, std::string& why)
{
    out.clear();
    error_code not_literal;
    auto const literal = asio::ip::make_address(host, not_literal);
    if (!not_literal)
    {
        out.push_back(literal);
        co_return error_code();
    }
    if (host == "localhost")
    {
        // Never looked up (RFC 6761, 6.3): a name server must not be able to send this machine's traffic elsewhere.
        out.push_back(asio::ip::address_v4::loopback());
        out.push_back(asio::ip::address_v6::loopback());
        co_return error_code();
    }

    auto const self = std::make_shared<answer>();
    std::weak_ptr<pending> waited_for;
    std::shared_ptr<pending> to_start;
    {
        std::lock_guard const lock(mutex_);
        entry& e = entries_[host];
        if (std::chrono::steady_clock::now() < e.until)
        {
            out = e.found;
            co_return error_code();
        }
        auto running = e.running.lock();
        if (!running)
        {
            running = to_start = std::make_shared<pending>();
            e.running = running;
        }
        waited_for = running;
        running->waiters.push_back(waiter{fiber_ref(f), self});
    }
    if (to_start)
    {
        source_->lookup(host, [cache = shared_from_this(), host, lookup = std::move(to_start)](error_code ec,
                                  addresses found) { cache->on_found(host, *lookup, ec, std::move(found)); });
    }

    error_code const interrupted = co_await bare_wait(f);
    self->waiting = false;
    if (interrupted)
    {
        if (auto const lookup = waited_for.lock())
            give_up(*lookup, *self);
        co_return interrupted;
    }
    out = std::move(self->found);
    why = std::move(self->why);
    co_return self->ec;
}

// The lookup goes on without him, and must not keep him and all he holds until it ends.
void resolve_cache::give_up(pending& lookup, answer const& who)
{
    std::list<waiter> mine;
    {
        std::lock_guard const lock(mutex_);
        auto const at = std::find_if(
            lookup.waiters.begin(), lookup.waiters.end(), [&who](waiter const& w) { return w.to.get() == &who; });
        if (at != lookup.waiters.end())
            mine.splice(mine.end(), lookup.waiters, at);
    }
    for (waiter& w : mine)
        w.owner.take();
}

void resolve_cache::on_found(std::string const& host, pending& lookup, error_code ec, addresses found)
{
    found = interleave_families(std::move(found));
    std::string why;
    if (ec == asio::error::operation_not_supported)
        why = "this io_context cannot resolve names: it was made with BOOST_ASIO_CONCURRENCY_HINT_UNSAFE or without "
              "threads";
    else if (ec)
        why = host + ": " + ec.message();
    else if (found.empty())
        why = host + ": no address";

    std::list<waiter> waiters;
    {
        std::lock_guard const lock(mutex_);
        waiters.swap(lookup.waiters);
        entry& e = entries_[host];
        e.running.reset();
        if (why.empty())
        {
            e.found = found;
            e.until = std::chrono::steady_clock::now() + keep_;
        }
        else
        {
            entries_.erase(host);
        }
    }
    for (waiter& w : waiters)
    {
        auto const executor = w.owner.get_executor();
        asio::post(executor, [owner = std::move(w.owner), to = std::move(w.to), why, found]() mutable {
            auto const f = owner.take();
            if (!to->waiting)
                return;
            to->ec = why.empty() ? error_code() : make_error_code(errc::resolve_failed);
            to->why = std::move(why);
            to->found = std::move(found);
            f->resume();
        });
    }
}

} // namespace serin
