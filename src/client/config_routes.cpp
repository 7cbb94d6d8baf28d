// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "config_routes.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace serin {
namespace {

upstream const* find_config_upstream(std::vector<upstream> const& upstreams, std::string_view name)
{
    auto const found = std::ranges::find(upstreams, name, &upstream::name);
    return found == upstreams.end() ? nullptr : &*found;
}

model_route const* find_config_model(std::vector<model_route> const& models, std::string_view name)
{
    auto const found = std::ranges::find(models, name, &model_route::name);
    return found == models.end() ? nullptr : &*found;
}

unsigned config_weight(route_target const& t, std::vector<upstream> const& upstreams)
{
    upstream const* const u = find_config_upstream(upstreams, t.upstream);
    return t.weight ? *t.weight : u ? u->weight : 0;
}

// An upstream by its name, or with what is different for this model.
route_target read_config_target(config_check& check, nlohmann::json const& json, std::string const& path)
{
    route_target target;
    if (json.is_string())
    {
        target.upstream = json.get<std::string>();
    }
    else if (json.is_object())
    {
        config_object o(check, json, path);
        if (!o.text("name", target.upstream))
            o.fail("name", "must be the name of an upstream");
        o.text("model", target.model);
        if (o.find("weight"))
            o.whole("weight", target.weight.emplace(), 0);
        o.no_others();
    }
    else
    {
        check.fail(path, "must be the name of an upstream or an object");
    }
    return target;
}

void read_config_targets(config_object& model, std::vector<upstream> const& upstreams, std::vector<route_target>& out)
{
    auto const* const list = model.find("upstreams");
    if (!list || !list->is_array() || list->empty())
        return model.fail("upstreams", "must be an array of at least one upstream");
    bool any_weight = false;
    for (auto const& json : *list)
    {
        auto const path = model.path("upstreams", out.size());
        auto target = read_config_target(model.check(), json, path);
        if (!find_config_upstream(upstreams, target.upstream))
            model.check().fail(path, "there is no upstream \"" + target.upstream + "\"");
        if (std::ranges::find(out, target.upstream, &route_target::upstream) != out.end())
            model.check().fail(path, "\"" + target.upstream + "\" is given twice");
        any_weight = any_weight || config_weight(target, upstreams) != 0;
        out.push_back(std::move(target));
    }
    if (!any_weight)
        model.fail("upstreams", "every weight is 0: no upstream would be asked");
}

// `models` holds the names that there are.
void read_config_fallback(config_object& fallbacks, std::string_view name, std::string_view of,
    nlohmann::json const& models, std::vector<std::string>& out)
{
    auto const* const list = fallbacks.find(name);
    if (!list)
        return;
    if (!list->is_array())
        return fallbacks.fail(name, "must be an array of names of models");
    for (auto const& json : *list)
    {
        auto const path = fallbacks.path(name, out.size());
        std::string model = json.is_string() ? json.get<std::string>() : std::string();
        if (!json.is_string())
            fallbacks.check().fail(path, "must be the name of a model");
        else if (!models.contains(model))
            fallbacks.check().fail(path, "there is no model \"" + model + "\"");
        else if (model == of)
            fallbacks.check().fail(path, "is the model itself");
        else if (std::ranges::find(out, model) != out.end())
            fallbacks.check().fail(path, "\"" + model + "\" is given twice");
        out.push_back(std::move(model));
    }
}

model_route read_config_model(
    config_object o, std::string const& name, nlohmann::json const& models, std::vector<upstream> const& upstreams)
{
    model_route model;
    model.name = name;
    read_config_targets(o, upstreams, model.upstreams);
    o.word<route_policy>("policy", model.policy,
        {{"weighted", route_policy::weighted}, {"priority", route_policy::priority},
            {"cheapest", route_policy::cheapest}, {"latency", route_policy::latency},
            {"least_busy", route_policy::least_busy}, {"sticky", route_policy::sticky}});
    stream_recovery recovery{};
    if (read_config_recovery(o, "stream_recovery", recovery))
        model.recovery = recovery;
    if (auto f = o.object("fallbacks"))
    {
        read_config_fallback(*f, "on_failure", name, models, model.fallbacks.on_failure);
        read_config_fallback(*f, "on_context_length", name, models, model.fallbacks.on_context_length);
        read_config_fallback(*f, "on_content_filter", name, models, model.fallbacks.on_content_filter);
        f->no_others();
    }
    o.no_others();
    return model;
}

void read_config_gates(config_object& of, rollout_gates& g)
{
    auto o = of.object("gates");
    if (!o)
        return;
    constexpr auto shortest_window = std::chrono::milliseconds(10);
    o->optional_share("error_rate", g.error_rate);
    o->optional_share("success_rate", g.success_rate);
    o->optional_time("p99", g.p99, duration(1));
    o->word<rollout_latency>(
        "p99_of", g.p99_of, {{"call", rollout_latency::call}, {"first_token", rollout_latency::first_token}});
    if (auto const* const times = o->find("times_others"); times && times->is_null())
        g.times_others = std::numeric_limits<double>::infinity();
    else
        o->number("times_others", g.times_others, 1);
    o->whole("min_requests", g.min_requests, 0);
    o->whole("min_requests_to_fail", g.min_requests_to_fail, 0);
    o->time("window", g.window, shortest_window);
    o->share("false_alarm", g.false_alarm);
    o->no_others();
}

void read_config_stages(config_object& o, std::vector<double>& out)
{
    auto const* const list = o.find("stages");
    if (!list)
        return;
    if (!list->is_array() || list->empty())
        return o.fail("stages", "must be an array of at least one share");
    out.clear();
    for (auto const& json : *list)
    {
        auto const path = o.path("stages", out.size());
        double const share = json.is_number() ? json.get<double>() : 0;
        if (!(share > 0 && share <= 1))
            o.check().fail(path, "must be a number above 0 and at most 1");
        else if (!out.empty() && share <= out.back())
            o.check().fail(path, "must be more than the stage before");
        out.push_back(share);
    }
}

// The members "model", one of `models`, and "candidate", one of `upstreams`.
model_route const* read_config_alias(config_object& o, std::vector<upstream> const& upstreams,
    std::vector<model_route> const& models, std::string& model, std::string& candidate)
{
    if (!o.text("model", model))
        o.fail("model", "must be the name of a model in \"models\"");
    model_route const* const route = find_config_model(models, model);
    if (!route)
        o.fail("model", "there is no model \"" + model + "\"");
    if (!o.text("candidate", candidate))
        o.fail("candidate", "must be the name of an upstream");
    if (!find_config_upstream(upstreams, candidate))
        o.fail("candidate", "there is no upstream \"" + candidate + "\"");
    return route;
}

rollout_params read_config_rollout(
    config_object o, std::vector<upstream> const& upstreams, std::vector<model_route> const& models)
{
    rollout_params r;
    if (auto const* const model = read_config_alias(o, upstreams, models, r.model, r.candidate))
    {
        bool is_target = false;
        bool any_other = false;
        for (route_target const& t : model->upstreams)
        {
            is_target = is_target || t.upstream == r.candidate;
            any_other = any_other || (t.upstream != r.candidate && config_weight(t, upstreams) != 0);
        }
        if (!is_target)
            o.fail("candidate", "\"" + r.candidate + "\" is not an upstream of the model \"" + r.model + "\"");
        if (!any_other)
            o.fail("candidate", "the model \"" + r.model + "\" has no other upstream with a weight");
    }
    read_config_stages(o, r.stages);
    o.time("hold", r.hold);
    read_config_gates(o, r.gates);
    o.flag("sticky", r.sticky);
    o.no_others();
    return r;
}

mirror_params read_config_mirror(
    config_object o, std::vector<upstream> const& upstreams, std::vector<model_route> const& models)
{
    mirror_params m;
    read_config_alias(o, upstreams, models, m.model, m.candidate);
    if (!o.find("share"))
        o.fail("share", "must be a number from 0 to 1");
    o.share("share", m.share);
    o.whole("max_in_flight", m.max_in_flight, 1);
    read_config_gates(o, m.gates);
    o.no_others();
    return m;
}

// A member that is one object or an array of objects, one for each model at most.
template <class Params>
std::vector<Params> read_config_each(config_object& root, std::string_view name, std::vector<upstream> const& upstreams,
    std::vector<model_route> const& models,
    Params (*read)(config_object, std::vector<upstream> const&, std::vector<model_route> const&))
{
    std::vector<Params> all;
    auto const* const json = root.find(name);
    if (!json)
        return all;
    if (!json->is_array())
    {
        all.push_back(read(config_object(root.check(), *json, root.path(name)), upstreams, models));
        return all;
    }
    for (auto const& element : *json)
    {
        auto const path = root.path(name, all.size());
        auto one = read(config_object(root.check(), element, path), upstreams, models);
        if (std::ranges::find(all, one.model, &Params::model) != all.end())
            root.check().fail(path, "there is another one for the model \"" + one.model + "\"");
        all.push_back(std::move(one));
    }
    return all;
}

} // namespace

bool read_config_recovery(config_object& of, std::string_view name, stream_recovery& out)
{
    of.word<stream_recovery>(name, out,
        {{"fail", stream_recovery::fail}, {"restart", stream_recovery::restart}, {"buffer", stream_recovery::buffer}});
    return of.find(name) != nullptr;
}

std::vector<model_route> read_config_models(config_object& root, std::vector<upstream> const& upstreams)
{
    std::vector<model_route> all;
    auto const models = root.object("models");
    if (!models)
        return all;
    auto const& json = *root.find("models");
    if (!json.is_object())
        return all;
    for (auto const& member : json.items())
    {
        if (member.key().empty())
            root.fail("models", "a model has no name");
        all.push_back(read_config_model(
            config_object(root.check(), member.value(), models->path(member.key())), member.key(), json, upstreams));
    }
    return all;
}

std::vector<rollout_params> read_config_rollouts(
    config_object& root, std::vector<upstream> const& upstreams, std::vector<model_route> const& models)
{
    return read_config_each(root, "rollout", upstreams, models, &read_config_rollout);
}

std::vector<mirror_params> read_config_mirrors(
    config_object& root, std::vector<upstream> const& upstreams, std::vector<model_route> const& models)
{
    return read_config_each(root, "mirror", upstreams, models, &read_config_mirror);
}

} // namespace serin
