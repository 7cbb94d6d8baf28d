// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CLIENT_PARAMS_HPP
#define SERIN_CLIENT_PARAMS_HPP

#include <serin/core/logger.hpp>
#include <serin/http/params.hpp>
#include <serin/observe/alert.hpp>
#include <serin/observe/observer.hpp>
#include <serin/policy/budget.hpp>
#include <serin/policy/cache.hpp>
#include <serin/policy/health.hpp>
#include <serin/policy/hedge.hpp>
#include <serin/policy/price_table.hpp>
#include <serin/policy/retry.hpp>
#include <serin/policy/rollout.hpp>
#include <serin/policy/router.hpp>
#include <serin/policy/shared_limits.hpp>
#include <serin/policy/stream.hpp>
#include <serin/policy/upstream.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace serin {

/// What a @ref client is made of. Copied into the client; later changes have no effect on it.
struct client_params
{
    /// Who can answer. At least one.
    std::vector<upstream> upstreams = {};

    /// Names for models, each with the upstreams that answer for it and how one of them is chosen. A model that is none
    /// of these goes to all upstreams by weight.
    std::vector<model_route> models = {};

    /// Shifts of traffic to a candidate, one for each alias at most.
    std::vector<rollout_params> rollouts = {};

    /// Copies of requests for upstreams that are tried out, one for each alias at most.
    std::vector<mirror_params> mirrors = {};

    /// When an upstream is left alone because it fails.
    health_params health = {};

    /// Trying again.
    retry_params retry = {};

    /// Asking a second upstream when the first is slow. Off.
    hedge_params hedge = {};

    /// How streams are read, and what becomes of those that break.
    stream_params stream = {};

    /// Keeping answers for requests that come again. Not set: nothing is kept.
    std::optional<cache_params> cache = {};

    /// Shares the requests and tokens a minute of `upstream::limits` with the other processes that have the same store
    /// and an upstream of the same name. Each process keeps the limits for itself as well, and alone while the store
    /// cannot be reached. What is set for each key, and `max_concurrent`, is not shared. Null: nothing is.
    std::shared_ptr<serin::shared_limits> shared_limits = {};

    /// Deadlines.
    timeout_params timeouts = {};

    /// Connections.
    pool_params pool = {};

    /// Transport security of upstreams that have none of their own.
    tls_params tls = {};

    /// Limits on memory.
    limit_params limits = {};

    /// Whether functions of the client and its streams may be called from several threads at once, and several
    /// threads run the context. False saves the locking of a strand in a program where one thread does everything.
    bool thread_safe = true;

    /// Receives log lines. Empty: nothing is logged.
    logger log = {};

    /// Is told what happens in calls: a @ref metrics, an @ref event_log, one of your own, or an @ref observer_list of
    /// several. Null: nobody is. `reconfigure` does not change it.
    std::shared_ptr<serin::observer> observer = {};

    /// What models cost, by the name that the upstream is asked for. The price of an upstream goes before.
    price_table prices = {};

    /// What may be spent in a day.
    std::vector<budget_params> budgets = {};

    /// When to shout. Looked at between `client::start` and `client::stop`.
    std::vector<alert_rule> alerts = {};

    /// Seed of all random choices, for tests. Not set: from the system.
    std::optional<std::uint64_t> seed = {};
};

} // namespace serin

#endif
