// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_CLIENT_IMPL_HPP
#define SERIN_SRC_CLIENT_CLIENT_IMPL_HPP

#include "../chat/wire_read.hpp"
#include "../core/clock_source.hpp"
#include "../core/fiber_group.hpp"
#include "../http/memory_budget.hpp"
#include "../http/pool.hpp"
#include "../observe/alert_monitor.hpp"
#include "../policy/cost_ledger.hpp"
#include "../policy/outcome.hpp"
#include "../policy/retry_budget.hpp"
#include "call_fsm.hpp"
#include "response_cache.hpp"
#include "routing.hpp"
#include "upstream_use.hpp"

#include <serin/client_params.hpp>
#include <serin/core/diagnostics.hpp>
#include <serin/observe/client_state.hpp>

#include <boost/asio/any_completion_executor.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace serin {

// What a request may use, estimated; 0: unknown.
struct token_estimate
{
    std::uint64_t prompt = 0;
    std::uint64_t answer = 0;

    std::uint64_t total() const noexcept { return prompt + answer; }
};

// What the handles of a client and its calls share.
class client_impl : public std::enable_shared_from_this<client_impl>, public client_state_source
{
public:
    // Throws api_error if the parameters cannot be used.
    client_impl(asio::any_io_executor ex, client_params p,
        std::shared_ptr<clock_source> time = std::make_shared<clock_source>());

    void log(log_level level, std::string_view line) const noexcept;
    bool logs() const noexcept { return static_cast<bool>(params.log); }

    // The configuration of now.
    std::shared_ptr<routing const> current() const;

    // To be called when it is owned: observers learn of it.
    void introduce();

    // Tells the observer of a configuration, if there is one. What it throws ends here.
    template <class Event>
    void tell(routing const& config, void (observer::*what)(Event const&), Event const& event) const noexcept
    {
        if (!config.told)
            return;
        try
        {
            ((*config.told).*what)(event);
        }
        catch (...)
        {
            log(log_level::error, "the observer has thrown");
        }
    }

    void tell_cache(cache_lookup found) const noexcept;

    std::uint64_t next_call_id() noexcept { return last_call_id_.fetch_add(1, std::memory_order_relaxed) + 1; }

    // What was spent, and whether more may be: the name of the budget that forbids it, or nothing.
    void book(cost_account const& to, token_usage const& used, nano_dollars cost, routing const& config);
    std::optional<budget_params> forbids(cost_account const& to);
    cost_report costs();

    std::vector<upstream_state_report> state() const override;

    // Puts another one in its place, or says why not.
    error_code reconfigure(client_params p, diagnostics& diag);

    // The steps of a call's decisions, with the client's budgets, clock and random numbers.
    call_fsm::step start_call(call_fsm& fsm, route const& r, token_estimate const& tokens);
    call_fsm::step after_failure(call_fsm& fsm, route const& r, token_estimate const& tokens, std::size_t member,
        call_failure const& failure, steady_time deadline);
    void failed_beside(call_fsm& fsm, std::size_t member, call_failure const& failure);
    std::optional<std::size_t> hedge(call_fsm& fsm, route const& r, token_estimate const& tokens);

    // A call goes on to another model because its own has failed: whether the budget allows it.
    bool pay_for_fallback();

    // How long an attempt may take before a second one begins elsewhere; zero: for ever.
    duration hedge_after(routing const& config, route const& r, std::size_t member) const;

    // An answer came, or the first token of one.
    void answered(routing const& config, route const& r, std::size_t member, duration took);

    // An upstream wants to be left alone.
    void rest(route const& r, std::size_t member, duration for_so_long);

    // A chat begins: whether it is to be copied to the mirror's candidate. If so, copy_ended() follows.
    bool begin_copy(route const& r);
    void copy_ended(route const& r);

    // By hand. Nothing is changed if there is no such rollout.
    rollout_event change_rollout(std::string_view model, rollout_event (rollout::*change)(steady_time));
    std::optional<rollout_state> save_rollout(std::string_view model) const;
    bool restore_rollout(std::string_view model, rollout_state const& saved);

    std::vector<upstream_status> upstream_states() const;
    std::vector<rollout_report> rollout_reports() const;
    std::vector<mirror_report> mirror_reports() const;

    // How a chat uses the cache; nothing: not at all.
    std::optional<cache_plan> plan_cache(chat_request const& request, bool stream);
    std::optional<cache_plan> plan_cache(relay_request const& request);

    // JSON parsers are expensive to make: finished calls leave theirs to the next.
    std::unique_ptr<json_reader> take_reader();
    void put_reader(std::unique_ptr<json_reader> reader);

    // Removes every key in use from a text of the server's.
    void scrub(std::string& text) const;

    // Watches the sources of keys and alerts from now on, or no longer.
    void watch(bool on);

    asio::any_io_executor const executor;
    asio::any_completion_executor const completion_executor; // The same, as users' handlers have it.
    client_params const params;                              // As it was made. What can change is in current().
    std::shared_ptr<clock_source> const clock;
    std::shared_ptr<fiber_group> const group;
    std::shared_ptr<memory_budget> const memory;
    std::shared_ptr<pool> connections;
    std::shared_ptr<response_cache> const cache;

private:
    friend class upstream_use;

    void begin_use(upstream_use& use);
    void end_use(
        upstream_use& use, outcome what, duration took, std::optional<duration> first_token, error_code const& why);

    // Under the mutex.
    std::uint64_t random_locked() noexcept; // Uniform over all values.
    bool all_well(steady_time now);
    std::span<route_facts const> facts_locked(route const& r, token_estimate const& tokens, steady_time now);
    bool end_circuit(
        circuit& c, circuit::ticket const& t, outcome what, steady_time now, std::optional<circuit_changed>& change);
    void rollout_moved();
    void observe(routing& config);
    void install(std::shared_ptr<routing> next, steady_time now);
    void renew_watches(); // Not under it

    void moved(rollout_event const& event, std::string const& model) const;

    mutable std::mutex mutex_;
    std::uint64_t random_;
    retry_budget budget_;
    std::shared_ptr<routing const> routing_;
    routing_context context_;
    std::vector<route_facts> facts_;
    std::vector<group_entry> group_entries_;
    bool trouble_ = false; // Somebody may be ejected or rest: routes look at who can answer.
    std::vector<std::unique_ptr<json_reader>> readers_;
    std::vector<std::shared_ptr<void>> watches_; // Of key sources
    bool watches_keys_ = false;
    std::atomic<std::uint64_t> last_call_id_{0};

    bool const wants_content_; // Of the observer
    bool const wants_chunks_;
    bool const wants_token_times_;
    std::shared_ptr<alert_monitor> const alerts_;
    std::mutex ledger_mutex_;
    cost_ledger ledger_; // Under it
};

} // namespace serin

#endif
