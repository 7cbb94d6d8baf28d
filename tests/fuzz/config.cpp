// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// libFuzzer target: a configuration is taken as a whole or not at all; if not, there is one line that says why. No
// files are read: the folder that paths start from does not exist, and a text with absolute paths is left out.

#include "fuzz.hpp"

#include "../../src/core/utf8.hpp"

#include <serin/config.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>

namespace {

using fuzz::require;
using serin::errc;

bool has_absolute_path(nlohmann::json const& value)
{
    if (value.is_string())
        return value.get_ref<std::string const&>().starts_with('/');
    return value.is_structured() && std::any_of(value.begin(), value.end(), has_absolute_path);
}

std::size_t depth_of(std::string_view text)
{
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return c == '[' || c == '{'; }));
}

template <class Items, class Member>
bool is_one_of(Items const& items, Member name, std::string const& wanted)
{
    return std::ranges::find(items, wanted, name) != items.end();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* bytes, std::size_t size)
{
    fuzz::exact_copy const copy(fuzz::as_text(bytes, size));
    std::string_view const text = copy.view();
    if (depth_of(text) < 1000 && has_absolute_path(nlohmann::json::parse(text, nullptr, false)))
        return 0;

    serin::client_params params;
    params.upstreams.resize(1);
    params.upstreams.front().name = "before";
    params.retry.max_attempts = 77;
    std::string why;
    serin::error_code const ec = serin::load_config(text, "/nonexistent/serin", params, why);
    if (ec)
    {
        require(ec == errc::invalid_argument || ec == errc::invalid_url || ec == errc::invalid_key ||
                ec == errc::insecure_transport);
        require(!why.empty() && why.find_first_of("\r\n") == std::string::npos && serin::is_valid_utf8(why));
        require(params.upstreams.size() == 1 && params.upstreams.front().name == "before");
        require(params.retry.max_attempts == 77);
        return 0;
    }
    require(!params.upstreams.empty() && params.retry.max_attempts > 0);
    for (serin::upstream const& u : params.upstreams)
    {
        require(!u.name.empty() && !u.base_url.empty());
        for (auto const& field : u.headers)
            require(!field.name.empty() && field.value.find_first_of("\r\n") == std::string::npos);
        require(u.tls ? u.tls->ca_file.empty() : params.tls.ca_file.empty());
        require(u.price.input >= 0 && u.price.output >= 0);
    }
    for (serin::model_route const& m : params.models)
    {
        require(!m.name.empty() && !m.upstreams.empty());
        for (serin::route_target const& t : m.upstreams)
            require(is_one_of(params.upstreams, &serin::upstream::name, t.upstream));
        for (auto const* const list :
            {&m.fallbacks.on_failure, &m.fallbacks.on_context_length, &m.fallbacks.on_content_filter})
            for (std::string const& name : *list)
                require(name != m.name && is_one_of(params.models, &serin::model_route::name, name));
    }
    for (serin::rollout_params const& r : params.rollouts)
        require(rollout_problem(r).empty() && is_one_of(params.models, &serin::model_route::name, r.model) &&
                is_one_of(params.upstreams, &serin::upstream::name, r.candidate));
    for (serin::mirror_params const& m : params.mirrors)
        require(is_one_of(params.models, &serin::model_route::name, m.model) && m.share >= 0 && m.share <= 1 &&
                is_one_of(params.upstreams, &serin::upstream::name, m.candidate));
    return 0;
}
