// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "metric_series.hpp"

#include <algorithm>
#include <utility>

namespace serin {
namespace {

constexpr std::size_t longest_label = 128;
constexpr std::size_t most_reported_names = 100; // Of rollouts and of budgets

void add_to_buckets(std::optional<bucket_counts>& to, std::uint64_t tokens)
{
    if (!to)
        to.emplace(token_buckets());
    to->add(static_cast<double>(tokens));
}

} // namespace

void model_series::add_tokens(token_counts const& used)
{
    tokens.prompt += used.prompt;
    tokens.cached += std::min(used.cached, used.prompt);
    tokens.completion += used.completion;
    tokens.reasoning += std::min(used.reasoning, used.completion);
    add_to_buckets(input_tokens, used.prompt);
    add_to_buckets(output_tokens, used.completion);
}

metric_series::metric_series(metrics_params const& params)
    : max_upstreams_(params.max_upstreams),
      max_models_(params.max_models),
      window_(params.window)
{}

std::string_view metric_series::bounded(std::string_view text) noexcept
{
    return text.size() <= longest_label ? text : other;
}

upstream_series& metric_series::upstream(std::string_view name)
{
    // Most events are about who was the last one's.
    if (latest_ && latest_->name == name)
        return *latest_;
    name = bounded(name);
    auto at = upstreams_.find(name);
    if (at == upstreams_.end() && upstreams_.size() >= max_upstreams_)
    {
        name = other;
        at = upstreams_.find(name);
    }
    if (at == upstreams_.end())
    {
        at = upstreams_.emplace(std::string(name), std::make_unique<upstream_series>(name)).first;
        order_.push_back(at->second.get());
    }
    latest_ = at->second.get();
    return *latest_;
}

model_series& metric_series::model(upstream_series& of, std::string_view name, call_operation operation)
{
    if (of.latest && of.latest->operation == operation && of.latest->model == name)
        return *of.latest;
    auto const find = [&] {
        return std::ranges::find_if(
            of.models, [&](auto const& m) { return m->operation == operation && m->model == name; });
    };
    name = bounded(name);
    auto at = find();
    if (at == of.models.end() && of.models.size() >= max_models_)
    {
        name = other;
        at = find();
    }
    if (at == of.models.end())
        at = of.models.insert(at, std::make_unique<model_series>(name, operation, window_));
    of.latest = at->get();
    return *of.latest;
}

rollout_series* metric_series::rollout(std::string_view model)
{
    model = bounded(model);
    if (auto const at = rollouts_.find(model); at != rollouts_.end())
        return &at->second;
    return rollouts_.size() < most_reported_names ? &rollouts_[std::string(model)] : nullptr;
}

std::uint64_t* metric_series::budget(std::string_view name)
{
    name = bounded(name);
    if (auto const at = budgets_.find(name); at != budgets_.end())
        return &at->second;
    return budgets_.size() < most_reported_names ? &budgets_[std::string(name)] : nullptr;
}

bucket_counts& find_outcome(std::vector<outcome_counts>& among, std::string_view outcome)
{
    for (outcome_counts& o : among)
        if (o.outcome == outcome)
            return o.took;
    among.push_back({outcome, bucket_counts(duration_buckets())});
    return among.back().took;
}

} // namespace serin
