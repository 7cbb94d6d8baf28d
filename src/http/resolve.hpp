// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_HTTP_RESOLVE_HPP
#define SERIN_SRC_HTTP_RESOLVE_HPP

#include "../core/fiber.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/address.hpp>

#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace serin {

using addresses = std::vector<asio::ip::address>;

// Looks up host names. The handler is called once, from any thread, never inline; it may be destroyed uncalled when
// the context is.
class resolver
{
public:
    using handler = std::function<void(error_code, addresses)>;

    virtual ~resolver() = default;
    virtual void lookup(std::string const& host, handler done) = 0;
};

// The system's getaddrinfo, on Asio's resolver thread.
std::shared_ptr<resolver> make_system_resolver(asio::any_io_executor ex);

// Reorders addresses so that the families take turns, beginning with the family of the first (RFC 8305, 4).
addresses interleave_families(addresses all);

// Remembers lookups for a short time and asks only once however many wait. getaddrinfo cannot be cancelled: who
// waits gives up at his deadline, the lookup goes on and serves the next. Safe from any thread.
class resolve_cache : public std::enable_shared_from_this<resolve_cache>
{
public:
    resolve_cache(std::shared_ptr<resolver> source, std::chrono::steady_clock::duration keep);

    // The addresses of `host`, which may be an IP literal; "localhost" is never looked up. Fails with
    // errc::resolve_failed; `why` is the system's text.
    task<error_code> resolve(fiber& f, std::string const& host, addresses& out, std::string& why);

private:
    // What someone who waits is told. Touched on his fiber's executor only.
    struct answer
    {
        bool waiting = true;
        error_code ec;
        addresses found;
        std::string why;
    };

    struct waiter
    {
        fiber_ref owner;
        std::shared_ptr<answer> to;
    };

    // A lookup under way; owned by the resolver's handler, which thereby owns the fibers that wait.
    struct pending
    {
        std::list<waiter> waiters; // Under the mutex
    };

    struct entry
    {
        std::weak_ptr<pending> running;
        addresses found;
        steady_time until{};
    };

    void on_found(std::string const& host, pending& lookup, error_code ec, addresses found);
    void give_up(pending& lookup, answer const& who);

    std::shared_ptr<resolver> source_;
    std::chrono::steady_clock::duration keep_;
    std::mutex mutex_;
    std::map<std::string, entry> entries_;
};

} // namespace serin

#endif
