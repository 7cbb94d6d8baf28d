// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_KEY_KEEPER_HPP
#define SERIN_SRC_POLICY_KEY_KEEPER_HPP

#include "../core/fiber.hpp"
#include "../core/task.hpp"
#include "key_ring.hpp"
#include "limit_gate.hpp"

#include <serin/policy/keys.hpp>
#include <serin/policy/rate_limit.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace serin {

class key_keeper;

// A key that an attempt uses. Destroyed, it is over. May outlive the client. One thread at a time.
class key_use
{
public:
    key_use() noexcept = default;
    key_use(key_use&& other) noexcept = default;
    key_use& operator=(key_use&& other) noexcept;
    ~key_use() { reset(); }

    explicit operator bool() const noexcept { return key_ != nullptr; }

    // Null before take().
    key_pointer const& key() const noexcept { return key_; }

    // The server accepted the key: it gave an answer that it would not have given otherwise.
    void accepted() noexcept;

    // The server turned the key away, or not: `keep` does nothing.
    void turned_away(key_fate fate, std::optional<steady_time::duration> retry_after);

    // What the key's own limits are to know, see there. Nothing without such.
    permit& pass() noexcept { return pass_; }

    // The attempt does not use it any more.
    void reset() noexcept;

private:
    friend class key_keeper;

    std::shared_ptr<key_keeper> keeper_;
    key_pointer key_;
    key_ring::ticket ticket_;
    key_pointer reserved_; // Whose limits `pass_` is from
    permit pass_;
};

// Why there is no key.
struct no_key
{
    error_code ec;
    std::string why;                        // For people. Never holds a key.
    steady_time::duration retry_after = {}; // There may be one again then. Zero: not known.

    no_key() {}
};

// Gives the attempts at one upstream their keys: joins a source and a ring. Safe from any thread: one mutex, never held
// across a wait or while the source is called.
class key_keeper : public std::enable_shared_from_this<key_keeper>
{
public:
    using clock = std::function<steady_time()>;

    // `per_key` limits each key for itself. Fibers that wait run on strands of `ex`, or on `ex` itself if the context
    // has one thread.
    key_keeper(std::shared_ptr<key_source> source, key_choice how, rate_limit_params const& per_key,
        asio::any_io_executor ex, clock now = &std::chrono::steady_clock::now);
    ~key_keeper();

    // Whether keys have limits of their own: enter() is needed before take().
    bool has_limits() const noexcept { return has_limits_; }

    // Waits until a key that is not among `refused` has room for one more request, and reserves it in `out`. As
    // limit_gate::enter(); no error and nothing reserved if there is no key, which take() will tell.
    task<error_code> enter(fiber& f, key_span refused, std::uint64_t estimate_tokens, steady_time deadline,
        key_use& out, steady_time::duration& retry_after);

    // Takes a key that is not among `refused`, the reserved one if possible. What `out` held before is over first.
    // False: take() has to be asked. Does not wait, and does not allocate unless the keys have changed or have limits.
    bool try_take(key_span refused, key_use& out);

    // The same, but if there is none, has the source read again and waits while keys are being fetched. Fails with
    // f.interrupted() once that is set; `why` tells of other failures.
    task<error_code> take(fiber& f, key_span refused, key_use& out, no_key& why);

    // The server has refused those keys: has the source read again unless it has another one by now, and waits for it.
    // Whether take() will succeed. False if f.interrupted().
    task<bool> force_reload(fiber& f, key_span refused);

    // The user's reload: the same without waiting, and keys that were refused get another chance.
    error_code reload(std::string& why);

    // Whether try_take() would succeed.
    bool has_key(key_span refused) const;

    // Whether the source does not have that key any more.
    bool has_dropped(secret const& key);

    // Every key that server text may hold.
    void append_live(std::vector<key_pointer>& out) const;

    std::vector<key_health> states();

    // What the source's watch() gives.
    std::shared_ptr<void> watch(logger log);

private:
    friend class key_use;

    struct waiter;
    class waiter_guard;

    std::shared_ptr<key_set const> sync();
    task<bool> seek(fiber& f, key_span refused, bool ask, key_use* out);
    bool needs_look() const;
    void refresh();
    steady_time::duration pending() const noexcept;
    void wake_all();
    std::shared_ptr<limit_gate> gate_of(key_pointer const& key);
    void describe(key_span refused, no_key& why);

    std::shared_ptr<key_source> const source_;
    rate_limit_params const per_key_;
    bool const has_limits_;
    asio::any_io_executor const executor_;
    clock const clock_;

    mutable std::mutex mutex_;
    key_ring ring_;
    std::shared_ptr<key_set const> seen_;                                    // What the ring was updated with
    std::vector<std::pair<key_pointer, std::shared_ptr<limit_gate>>> gates_; // Of the keys in `seen_`
    std::uint64_t refusals_ = 0;                                             // Keys that were not accepted
    std::uint64_t looked_after_ = 0;                                         // As many of them
    steady_time next_look_ = steady_time::min();
    std::list<std::shared_ptr<waiter>> waiters_;
};

} // namespace serin

#endif
