// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_POLICY_ROUTER_HPP
#define SERIN_POLICY_ROUTER_HPP

#include <serin/policy/stream.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace serin {

/// By what a request's upstream is chosen among those that can answer: not ejected, within their limits, not asked yet
/// by the same call.
enum class route_policy
{
    /// At random, in proportion to the weights.
    weighted,

    /// Those of the lowest `priority` number; the next ones only when none of these can answer. By weight among equals.
    priority,

    /// The one whose price for the request is lowest, estimated from its length. By weight among equals.
    cheapest,

    /// The quicker of two that are drawn at random, judged by how long its answers took lately and how many requests it
    /// is busy with. Weights do not count, but for zero.
    latency,

    /// The one with the fewest requests under way. By weight among equals.
    least_busy,

    /// Always the same one for the same key, in proportion to the weights. Changing a weight moves only the keys that
    /// this upstream gains or loses. A request without a key is routed like `weighted`.
    sticky,
};

/// The name of a policy, as in `least_busy`.
std::string_view route_policy_name(route_policy p) noexcept;

/// The policy of a name. Nothing if there is none.
std::optional<route_policy> route_policy_of(std::string_view name) noexcept;

/// One upstream that can answer for an alias.
struct route_target
{
    /// The name of the upstream.
    std::string upstream = {};

    /// The model that it is asked for. Empty: the upstream's own, and if it has none, the name that the caller gave.
    std::string model = {};

    /// Its weight for this alias. Not set: the upstream's.
    std::optional<unsigned> weight = {};
};

/// Other models that a call goes on to, by their names in `client_params::models`, one after another. Each is asked
/// once in a call, with the attempts of `retry_params` anew and the time that the call has left. The lists are those of
/// the model that the caller asked for.
struct route_fallbacks
{
    /// When the attempts are used up, or nobody is left to be asked. Each change is paid from the client's retry
    /// budget.
    std::vector<std::string> on_failure = {};

    /// When the conversation is too long for the model: models that can read more.
    std::vector<std::string> on_context_length = {};

    /// When the provider has filtered the content. Empty by default: what one provider refuses is seldom wanted from
    /// another.
    std::vector<std::string> on_content_filter = {};
};

/// A name that callers use for a model, and who answers for it.
struct model_route
{
    /// What the caller asks for as `model`.
    std::string name = {};

    /// Who can answer. At least one.
    std::vector<route_target> upstreams = {};

    /// How one of them is chosen.
    route_policy policy = route_policy::weighted;

    /// Which models are asked when this one cannot answer.
    route_fallbacks fallbacks = {};

    /// What becomes of its streams that break. Not set: `client_params::stream`.
    std::optional<stream_recovery> recovery = {};
};

} // namespace serin

#endif
