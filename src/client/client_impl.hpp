// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_CLIENT_IMPL_HPP
#define SERIN_SRC_CLIENT_CLIENT_IMPL_HPP

#include "../chat/wire_read.hpp"
#include "../core/clock_source.hpp"
#include "../core/fiber_group.hpp"
#include "../http/memory_budget.hpp"
#include "../http/pool.hpp"
#include "../policy/key_keeper.hpp"
#include "../policy/latency_window.hpp"
#include "../policy/limit_gate.hpp"
#include "../policy/retry_budget.hpp"
#include "call_fsm.hpp"

#include <serin/client_params.hpp>

#include <boost/asio/any_completion_executor.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace serin {

// An upstream with what is made of it once.
struct upstream_state
{
    upstream params;
    pool_host* host = nullptr;
    std::shared_ptr<limit_gate> gate; // Null: no limits.
    std::shared_ptr<key_keeper> keys; // Null: it needs none.

    // The path of the base URL, and everything of a request's head between the target and the fields that differ
    // from request to request.
    std::string base_path;
    std::string common_head;
    std::string model_member; // How a request's body begins, if it has a model of its own.
};

// What the handles of a client and its calls share.
class client_impl : public std::enable_shared_from_this<client_impl>
{
public:
    // Throws api_error if the parameters cannot be used.
    client_impl(asio::any_io_executor ex, client_params p,
        std::shared_ptr<clock_source> time = std::make_shared<clock_source>());

    void log(log_level level, std::string_view line) const noexcept;
    bool logs() const noexcept { return static_cast<bool>(params.log); }

    // The steps of a call's decisions, with the client's budgets, clock and random numbers.
    call_fsm::step start_call(call_fsm& fsm);
    call_fsm::step after_failure(
        call_fsm& fsm, std::size_t upstream, call_failure const& failure, steady_time deadline);
    void failed_beside(call_fsm& fsm, std::size_t upstream, call_failure const& failure);
    std::optional<std::size_t> hedge(call_fsm& fsm);

    // How long an attempt at the upstream may take before a second one begins elsewhere; zero: for ever.
    duration hedge_after(std::size_t upstream) const;

    // An answer came, or the first token of one.
    void answered(std::size_t upstream, duration took);

    // JSON parsers are expensive to make: finished calls leave theirs to the next.
    std::unique_ptr<json_reader> take_reader();
    void put_reader(std::unique_ptr<json_reader> reader);

    // Removes every key in use from a text of the server's.
    void scrub(std::string& text) const;

    // Watches the sources of keys from now on, or no longer.
    void watch_keys(bool on);

    asio::any_io_executor const executor;
    asio::any_completion_executor const completion_executor; // The same, as users' handlers have it.
    client_params const params;
    std::shared_ptr<clock_source> const clock;
    std::shared_ptr<fiber_group> const group;
    std::shared_ptr<memory_budget> const memory;
    std::shared_ptr<pool> connections;
    std::vector<upstream_state> upstreams;
    std::vector<unsigned> weights;
    bool obfuscation_off = true; // Every upstream knows the member that turns it off.

private:
    void add_upstream(upstream const& u, std::shared_ptr<resolve_cache> const& resolver);

    std::uint64_t random_locked() noexcept; // Uniform over all values.

    mutable std::mutex mutex_;
    std::uint64_t random_;
    retry_budgets budgets_;
    std::vector<latency_window> latencies_; // Of each upstream, if hedging needs them
    std::vector<std::unique_ptr<json_reader>> readers_;
    std::vector<std::shared_ptr<void>> watches_; // Of key sources
};

} // namespace serin

#endif
