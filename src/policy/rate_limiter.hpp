// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_RATE_LIMITER_HPP
#define SERIN_SRC_POLICY_RATE_LIMITER_HPP

#include "../core/fiber.hpp"

#include <serin/policy/rate_limit.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

namespace serin {

// What an answer's header fields say about one of the server's limits. What is absent or unreadable is not set.
struct server_limit
{
    std::optional<double> limit;     // Per minute, at least 1
    std::optional<double> remaining; // Not negative
    std::optional<steady_time::duration> reset;
};

struct server_limits
{
    server_limit requests;
    server_limit tokens;
};

// A limit, and what is left of it: "5000", "4999", and a duration as in "1s", "6m0s", "120ms", "1h2m3.5s", or a number
// of seconds.
std::optional<double> read_limit_number(std::string_view text) noexcept;
std::optional<steady_time::duration> read_limit_duration(std::string_view text) noexcept;
server_limit read_server_limit(std::string_view limit, std::string_view remaining, std::string_view reset) noexcept;

// `field` gives the value of the header field of a name, an empty one if there is none.
template <class Lookup>
server_limits read_server_limits(Lookup&& field)
{
    server_limits out;
    out.requests = read_server_limit(field(std::string_view("x-ratelimit-limit-requests")),
        field(std::string_view("x-ratelimit-remaining-requests")),
        field(std::string_view("x-ratelimit-reset-requests")));
    out.tokens = read_server_limit(field(std::string_view("x-ratelimit-limit-tokens")),
        field(std::string_view("x-ratelimit-remaining-tokens")), field(std::string_view("x-ratelimit-reset-tokens")));
    return out;
}

// What comes in steadily and is kept for a second at most. May be in debt, up to what comes in ten minutes.
class rate_bucket
{
public:
    // Full. Unlimited unless `per_minute` is positive.
    rate_bucket(double per_minute, steady_time now) noexcept;

    bool is_limited() const noexcept { return per_minute_ > 0; }
    double per_minute() const noexcept { return per_minute_; }
    double level() const noexcept { return level_; }
    double capacity() const noexcept;

    // What had been taken in all, less what was given back.
    double taken() const noexcept { return taken_; }

    void refill(steady_time now) noexcept;

    // What follows is as of the last refill.

    // What must be there for `amount` to be taken: all of it, or a full bucket.
    double needed_for(double amount) const noexcept;
    bool holds(double amount) const noexcept;

    // When `amount` will be there if nothing is taken, with `extra` on top of what is there now. The capacity does not
    // count. steady_time::min(): now.
    steady_time when(double amount, double extra = 0) const noexcept;

    // A negative amount gives back.
    void take(double amount) noexcept;

    // What an answer says. `taken_then`: taken() when its request was admitted, `elapsed` ago.
    void learn(server_limit const& said, double taken_then, steady_time::duration elapsed) noexcept;

    // The part of an amount that counts.
    double bounded(double amount) const noexcept;

private:
    void keep_in_bounds() noexcept;

    double configured_;
    double per_minute_;
    double level_;
    double taken_ = 0;
    steady_time time_;
};

// Decides when which attempt may begin. Attempts that find no room queue, and nobody overtakes who queues. No clock, no
// lock: `now` is the caller's and does not go back.
class rate_limiter
{
public:
    using waiter_id = std::uint64_t;

    // What an attempt was charged with. Ends with release(), once.
    struct reservation
    {
        double tokens = 0;
        bool is_estimate = true;
        steady_time at{};
        double requests_taken = 0; // By all, when it was admitted
        double tokens_taken = 0;   // The same
    };

    struct grant
    {
        waiter_id waiter;
        reservation what;
    };

    rate_limiter(rate_limit_params const& params, steady_time now) noexcept;

    // Admits an attempt if there is room and nobody queues.
    std::optional<reservation> reserve(double tokens, steady_time now) noexcept;

    // Whether reserve() would admit it.
    bool would_admit(double tokens, steady_time now) noexcept { return queue_.empty() && has_room(tokens, now); }

    // When an attempt that comes now would be admitted if all goes on as it looks now: those who queue go first and use
    // what they estimate. `now` if only the end of another attempt is waited for.
    steady_time expected(double tokens, steady_time now) noexcept;

    // Before that it will certainly not be admitted: as if all tokens that were only estimated came back. Who queues
    // before it may still give up.
    steady_time earliest(double tokens, steady_time now) noexcept;

    // The same for one who queues, as if all before him gave up.
    steady_time earliest_of(waiter_id id, steady_time now) noexcept;

    waiter_id enqueue(double tokens);

    // A waiter gives up. Nothing happens if he is not in the queue any more.
    void abandon(waiter_id id) noexcept;

    // Admits the first who queues, if there is room.
    std::optional<grant> serve(steady_time now) noexcept;

    // When serve() may have a result, if nothing else happens. steady_time::max(): nobody queues, or only the end of
    // another attempt will help.
    steady_time next(steady_time now) noexcept;

    // The attempt has used so many tokens.
    void reconcile(reservation& r, double actual_tokens, steady_time now) noexcept;

    // Nothing was sent: the request and its tokens come back. release() follows.
    void give_back(reservation& r, steady_time now) noexcept;

    // The attempt is over.
    void release(reservation const& r) noexcept;

    // What the answer to an attempt says.
    void learn(server_limits const& said, reservation const& answered, steady_time now) noexcept;

    // Nothing is admitted before `until`, or for ten minutes if that is sooner: then the server is asked again.
    void cool(steady_time until, steady_time now) noexcept;

    steady_time cool_until() const noexcept { return cool_until_; }
    std::size_t running() const noexcept { return running_; }
    std::size_t waiting() const noexcept { return queue_.size(); }
    rate_bucket const& requests() const noexcept { return requests_; }
    rate_bucket const& tokens() const noexcept { return tokens_; }

private:
    bool has_room(double tokens, steady_time now) noexcept;
    reservation admit(double tokens, steady_time now) noexcept;
    steady_time earliest_after(std::size_t ahead, double tokens, steady_time now) noexcept;
    void refill(steady_time now) noexcept;

    std::size_t max_running_;
    rate_bucket requests_;
    rate_bucket tokens_;
    steady_time cool_until_ = steady_time::min();
    std::size_t running_ = 0;
    double estimated_ = 0; // Tokens of running attempts that have not told what they used
    waiter_id last_id_ = 0;
    std::map<waiter_id, double> queue_;
    double queued_tokens_ = 0;
};

} // namespace serin

#endif
