// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_FUNCTION_KEYS_HPP
#define SERIN_SRC_POLICY_FUNCTION_KEYS_HPP

#include "key_store.hpp"

#include <serin/policy/keys.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace serin {

// A source that asks a function of the user's. It has no timer: whoever looks at it finds out that time is over.
class function_keys final : public key_source, public std::enable_shared_from_this<function_keys>
{
public:
    using clock = std::function<steady_time()>;

    function_keys(std::function<void(key_reply)> fetch, function_key_params const& params,
        clock now = &std::chrono::steady_clock::now);

    std::shared_ptr<key_set const> snapshot() override;
    error_code reload(std::string& why) override;
    void append_live(std::vector<key_pointer>& out) const override;
    void refresh(std::function<void()> done) override;
    std::chrono::steady_clock::duration pending() const override;

private:
    friend class key_reply::channel;

    // What a fetch came to.
    struct outcome
    {
        key_pointer key; // Null: it failed,
        std::optional<steady_time::duration> valid_for;
        std::string why; // for this reason.
    };

    // A fetch under way. Zero: none is.
    using fetch_id = std::uint64_t;

    using callbacks = std::vector<std::function<void()>>;

    // What is left to do when the lock is open again.
    struct chores
    {
        callbacks tell;
        fetch_id fetch = 0;
    };

    void begin(steady_time now, chores& left);
    void settle(outcome o, steady_time now, chores& left);
    void look_at_clock(steady_time now, chores& left);
    void finish(fetch_id id, outcome o);
    void carry_out(chores const& left);
    void call(fetch_id id);
    bool is_overdue(steady_time now) const noexcept;

    std::function<void(key_reply)> const fetch_;
    function_key_params const params_;
    clock const clock_;

    mutable std::mutex mutex_; // Not held while a function of others is called
    key_store store_;
    steady_time expires_at_ = steady_time::max();
    steady_time refresh_at_ = steady_time::min();
    steady_time retry_at_ = steady_time::min();
    unsigned failures_ = 0; // In a row
    fetch_id last_id_ = 0;
    fetch_id fetching_ = 0;
    steady_time began_{};
    callbacks waiting_; // For the fetch under way
    callbacks late_;    // Those who came when it had begun: its key may be the one that they know
};

} // namespace serin

#endif
