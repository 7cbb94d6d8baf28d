// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_ROUTING_HPP
#define SERIN_SRC_CLIENT_ROUTING_HPP

#include "../core/clock_source.hpp"
#include "../core/fiber.hpp"
#include "../http/pool.hpp"
#include "../policy/circuit.hpp"
#include "../policy/key_keeper.hpp"
#include "../policy/latency_window.hpp"
#include "../policy/limit_gate.hpp"
#include "../policy/mirror.hpp"
#include "../policy/peak_ewma.hpp"
#include "../policy/retry_budget.hpp"
#include "../policy/rollout.hpp"
#include "../policy/router.hpp"
#include "../policy/shared_gate.hpp"

#include <serin/client_params.hpp>
#include <serin/observe/observer.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace serin {

// What is remembered of an upstream from one configuration to the next. Guarded by the client's mutex.
struct upstream_record
{
    upstream_record(client_params const& p, steady_time now) : health(p.health), budget(p.retry), latency(now) {}

    circuit health;
    retry_budget budget;
    peak_ewma latency;      // For route_policy::latency
    latency_window answers; // For hedging
    std::size_t in_flight = 0;
    steady_time rests_until = steady_time::min(); // It has asked for it
};

// An upstream of a configuration, with what is made of it once.
struct upstream_state
{
    upstream params;
    std::shared_ptr<upstream_record> record;
    pool_host* host = nullptr;
    std::shared_ptr<limit_gate> gate;    // Null: no limits.
    std::shared_ptr<shared_gate> shared; // Null: they are not shared with other processes.
    std::shared_ptr<key_keeper> keys;    // Null: it needs none.

    // The path of the base URL, and everything of a request's head between the target and the fields that differ
    // from request to request.
    std::string base_path;
    std::string common_head;
};

// An upstream as one route asks it.
struct route_member
{
    std::shared_ptr<upstream_state const> upstream;
    std::string model;               // Empty: the caller's own.
    std::string model_member;        // How a request's body begins then.
    std::shared_ptr<circuit> health; // Of this model at this upstream. Guarded by the client's mutex.
    unsigned weight = 1;
};

// A copy goes to a candidate beside the answer. Guarded by the client's mutex.
struct mirror_record
{
    mirror_record(mirror_params const& p, steady_time now);

    mirror copies;
    rollout judge; // Of a single stage that does not end.
};

// Who answers for a model, and how one of them is chosen.
struct route
{
    std::string name; // Empty: models without a route of their own.
    route_policy policy = route_policy::weighted;
    std::vector<route_member> members;
    std::optional<route_table> table;
    retry_budgets budgets;
    route_fallbacks fallbacks;
    stream_recovery recovery = stream_recovery::fail;
    bool needs_facts = false; // Even if all upstreams are well.

    std::shared_ptr<serin::rollout> rollout; // Null: none. Guarded by the client's mutex.
    std::size_t candidate = 0;               // Of the rollout.

    std::shared_ptr<mirror_record> mirror; // Null: none.
    std::shared_ptr<route const> mirror_to;
    bool is_mirror = false; // This is where copies go.

    // With the rollout's share of the moment.
    void make_table();
};

// A configuration as calls see it: they keep the one that they began with.
class routing
{
public:
    client_params params;
    std::vector<std::shared_ptr<upstream_state const>> upstreams;
    std::vector<route> routes;   // The first is of models without one.
    bool obfuscation_off = true; // Every upstream knows the member that turns it off.

    std::shared_ptr<observer> told; // Of what calls do. Null: nobody.
    bool wants_content = false;     // It does.
    bool wants_chunks = false;
    bool wants_token_times = false;
    bool books = false; // What tokens cost is known of some, or there are budgets.

    // Whether calls have a watch.
    bool watched() const noexcept { return told || books; }

    // By the name that the caller gave.
    route const& of(std::string_view model) const;

    // Null: there is no such alias.
    route const* find(std::string_view alias) const;

    // Null: there is no such upstream.
    std::shared_ptr<upstream_state const> upstream_named(std::string_view name) const;
};

// What configurations are made with.
struct routing_context
{
    asio::any_io_executor executor;
    std::shared_ptr<clock_source> clock;
    std::shared_ptr<pool> connections;
    std::shared_ptr<resolve_cache> resolver;
    retry_budget* client_budget;
};

// Throws api_error if the parameters cannot be used. What `before` knows of the same upstreams and rollouts is taken
// over, but nothing in it is changed; null: there is none. The routes have no tables yet, and rollouts that are taken
// over have the parameters that they had.
std::shared_ptr<routing> make_routing(client_params params, routing_context const& context, routing const* before);

} // namespace serin

#endif
