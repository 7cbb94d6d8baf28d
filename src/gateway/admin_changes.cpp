// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "admin_changes.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

namespace serin::gateway {
namespace {

constexpr std::uint64_t max_admin_weight = 1'000'000;

// The member "model", which may be missing. False if there is one that is no text.
bool read_model(nlohmann::json const& json, std::string& model, std::string& why)
{
    auto const found = json.find("model");
    if (found == json.end() || found->is_null())
        return true;
    if (!found->is_string())
    {
        why = "model: must be the name of a model";
        return false;
    }
    model = found->get<std::string>();
    return true;
}

} // namespace

bool apply_weights(std::string_view json, client_params& params, std::string& why)
{
    auto const root = nlohmann::json::parse(json, nullptr, false);
    if (!root.is_object() || !root.contains("weights") || !root["weights"].is_object() || root["weights"].empty())
    {
        why = R"(must be {"weights": {UPSTREAM: WEIGHT, ...}}, with a "model" if it is for one alias)";
        return false;
    }
    std::string model;
    if (!read_model(root, model, why))
        return false;
    auto const route =
        std::find_if(params.models.begin(), params.models.end(), [&](model_route const& r) { return r.name == model; });
    if (!model.empty() && route == params.models.end())
    {
        why = "model: there is no such alias";
        return false;
    }

    std::map<std::string, unsigned> weights;
    for (auto const& entry : root["weights"].items())
    {
        bool known = false;
        if (model.empty())
            for (upstream const& u : params.upstreams)
                known = known || u.name == entry.key();
        else
            for (route_target const& t : route->upstreams)
                known = known || t.upstream == entry.key();
        if (!known)
        {
            why = "weights: no upstream is called so" + std::string(model.empty() ? "" : " in this alias");
            return false;
        }
        if (!entry.value().is_number_unsigned() || entry.value().get<std::uint64_t>() > max_admin_weight)
        {
            why = "weights: must be whole numbers from 0 to 1000000";
            return false;
        }
        weights[entry.key()] = entry.value().get<unsigned>();
    }
    for (auto const& [name, weight] : weights)
    {
        if (model.empty())
        {
            for (upstream& u : params.upstreams)
                if (u.name == name)
                    u.weight = weight;
        }
        else
        {
            for (route_target& t : route->upstreams)
                if (t.upstream == name)
                    t.weight = weight;
        }
    }
    return true;
}

std::optional<std::string> rollout_meant(
    std::string_view json, std::vector<rollout_report> const& rollouts, std::string& why)
{
    std::string model;
    if (!json.empty())
    {
        auto const root = nlohmann::json::parse(json, nullptr, false);
        if (!root.is_object())
        {
            why = R"(must be {"model": ALIAS})";
            return std::nullopt;
        }
        if (!read_model(root, model, why))
            return std::nullopt;
    }
    if (model.empty() && rollouts.size() == 1)
        return rollouts.front().model;
    if (model.empty())
    {
        why = rollouts.empty() ? "there is no rollout" : "model: must say which rollout";
        return std::nullopt;
    }
    for (rollout_report const& r : rollouts)
        if (r.model == model)
            return model;
    why = "model: there is no rollout of it";
    return std::nullopt;
}

} // namespace serin::gateway
