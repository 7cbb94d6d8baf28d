// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "config_upstreams.hpp"

#include "config_alerts.hpp"

#include "../http/url.hpp"

#include <serin/policy/cost.hpp>
#include <serin/policy/keys.hpp>

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace serin {
namespace {

// The path of a file that can be opened, relative to the configuration's folder.
void read_config_path(config_object& o, std::filesystem::path const& base_dir, std::string_view name, std::string& out)
{
    std::string path;
    if (!o.text(name, path))
        return;
    if (path.empty())
        return o.fail(name, "must not be empty");
    out = (base_dir / path).string();
    if (!std::ifstream(out))
        o.fail(name, "cannot read " + out);
}

rate_limit_params read_config_limits(config_object o)
{
    rate_limit_params limits;
    o.number("requests_per_minute", limits.requests_per_minute);
    o.number("tokens_per_minute", limits.tokens_per_minute);
    o.whole("max_concurrent", limits.max_concurrent, 0);
    o.word<when_limited>("on_limit", limits.on_limit, {{"wait", when_limited::wait}, {"fail", when_limited::fail}});
    o.no_others();
    return limits;
}

void read_config_headers(config_object o, nlohmann::json const& json, headers& out)
{
    if (!json.is_object())
        return;
    auto const stands_in_name = [](char c) {
        return is_config_letter(c) || is_config_digit(c) ||
               std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    };
    for (auto const& field : json.items())
    {
        std::string const& name = field.key();
        std::string value;
        if (name.empty() || !std::all_of(name.begin(), name.end(), stands_in_name))
            o.fail(name, "is not the name of a header field");
        o.text(name, value);
        out.push_back(header(name, std::move(value)));
    }
}

bool stands_in_api_version(char c) noexcept
{
    return is_config_letter(c) || is_config_digit(c) || c == '.' || c == '-';
}

// The dialect, and the members that only one of them has.
void read_config_dialect(config_object& o, dialect& out)
{
    std::string_view name = "generic";
    o.word<std::string_view>("dialect", name,
        {{"openai", "openai"}, {"azure", "azure"}, {"openrouter", "openrouter"}, {"generic", "generic"}});
    auto const read_own = [&](std::string_view of, std::string_view member) {
        std::string value;
        if (o.text(member, value) && name != of)
            o.fail(member, "belongs to the dialect " + std::string(of));
        return value;
    };
    std::string version = read_own("azure", "api_version");
    std::string application = read_own("openrouter", "application");
    std::string site = read_own("openrouter", "site");

    if (name == "openai")
        out = dialect::openai();
    if (name == "azure")
    {
        if (version.empty())
            o.fail("api_version", "the dialect azure needs it");
        else if (!std::all_of(version.begin(), version.end(), stands_in_api_version))
            o.fail("api_version", "must be of letters, digits, dots and hyphens");
        out = dialect::azure(std::move(version));
    }
    if (name == "openrouter")
        out = dialect::openrouter(std::move(application), std::move(site));
}

std::shared_ptr<key_source> read_config_variable(
    config_check& check, nlohmann::json const& value, std::string const& path)
{
    auto const name = value.is_string() ? value.get<std::string>() : std::string();
    // Who puts the key itself here must not find it in a message.
    bool const plausible = !name.empty() && !is_config_digit(name.front()) &&
                           std::all_of(name.begin(), name.end(),
                               [](char c) { return is_config_letter(c) || is_config_digit(c) || c == '_'; });
    if (!plausible)
        check.fail(path, "must be the name of an environment variable");
    return check.failed() ? nullptr : env_key(name);
}

std::shared_ptr<key_source> read_config_variables(config_object const& o, nlohmann::json const& env)
{
    if (!env.is_array())
        return read_config_variable(o.check(), env, o.path("env"));
    std::vector<std::shared_ptr<key_source>> sources;
    for (std::size_t i = 0; i < env.size(); ++i)
        sources.push_back(read_config_variable(o.check(), env[i], o.path("env", i)));
    if (sources.empty())
        o.fail("env", "must name at least one environment variable");
    return sources.size() == 1 ? sources.front() : rotating_keys(std::move(sources));
}

// `which` names the upstream in messages.
std::shared_ptr<key_source> read_config_keys(
    config_object& of, std::filesystem::path const& base_dir, std::string const& which)
{
    auto o = of.object("keys");
    if (!o)
        return nullptr;
    auto const* const env = o->find("env");
    auto const* const file = o->find("file");
    o->no_others();
    config_check& check = of.check();
    if (!env == !file)
        of.fail("keys", "must have either \"env\" or \"file\"");
    if (check.failed())
        return nullptr;

    std::shared_ptr<key_source> source;
    if (env)
    {
        source = read_config_variables(*o, *env);
    }
    else
    {
        std::string path;
        if (o->text("file", path) && path.empty())
            o->fail("file", "must not be empty");
        source = file_key((base_dir / path).string());
    }
    if (check.failed())
        return nullptr;
    if (auto const set = source->snapshot(); set->keys.empty())
        of.fail("keys", which + set->problem, errc::invalid_key);
    return source;
}

upstream read_config_upstream(
    config_object o, std::filesystem::path const& base_dir, std::vector<upstream> const& before)
{
    upstream u;
    o.text("name", u.name);
    if (u.name.empty())
        o.fail("name", "must not be empty");
    for (upstream const& other : before)
        if (other.name == u.name)
            o.fail("name", "another upstream is called \"" + u.name + "\" too");
    // From here on a message may also name the upstream.
    std::string const which = "upstream \"" + u.name + "\": ";

    o.text("base_url", u.base_url);
    origin to;
    std::string problem;
    error_code const bad_url = parse_base_url(u.base_url, to, problem);
    if (bad_url)
        o.fail("base_url", which + problem, bad_url);
    o.text("model", u.model);
    o.whole("weight", u.weight, 0);
    o.whole("priority", u.priority, 0);
    if (auto price = o.object("price"))
        u.price = read_config_price(*std::move(price));
    read_config_dialect(o, u.dialect);
    o.text("organization", u.organization);
    o.text("project", u.project);
    if (auto fields = o.object("headers"))
        read_config_headers(*std::move(fields), *o.find("headers"), u.headers);
    u.tls = read_config_tls(o, base_dir);
    o.flag("allow_insecure_key", u.allow_insecure_key);
    u.keys = read_config_keys(o, base_dir, which);
    if (u.keys && !bad_url && !to.tls && !to.is_loopback() && !u.allow_insecure_key)
        o.fail("base_url", which + "refused to send a key over plain http to " + to.host, errc::insecure_transport);
    if (auto limits = o.object("limits"))
        u.limits = read_config_limits(*std::move(limits));
    if (auto limits = o.object("key_limits"))
        u.key_limits = read_config_limits(*std::move(limits));
    o.word<key_choice>("choose_key", u.choose_key,
        {{"round_robin", key_choice::round_robin}, {"least_loaded", key_choice::least_loaded}});
    o.no_others();
    return u;
}

} // namespace

std::optional<tls_params> read_config_tls(config_object& of, std::filesystem::path const& base_dir)
{
    auto o = of.object("tls");
    if (!o)
        return std::nullopt;
    tls_params tls;
    read_config_path(*o, base_dir, "ca_file", tls.ca_file);
    read_config_path(*o, base_dir, "certificate_file", tls.certificate_file);
    read_config_path(*o, base_dir, "private_key_file", tls.private_key_file);
    if (tls.certificate_file.empty() != tls.private_key_file.empty())
        o->fail(tls.certificate_file.empty() ? "private_key_file" : "certificate_file",
            "certificate_file and private_key_file need each other");
    o->no_others();
    return tls;
}

std::vector<upstream> read_config_upstreams(config_object& root, std::filesystem::path const& base_dir)
{
    std::vector<upstream> all;
    auto const* const list = root.find("upstreams");
    if (!list || !list->is_array() || list->empty())
    {
        root.fail("upstreams", "must be an array of at least one upstream");
        return all;
    }
    for (auto const& json : *list)
        all.push_back(
            read_config_upstream(config_object(root.check(), json, root.path("upstreams", all.size())), base_dir, all));
    auto const takes_requests = [](upstream const& u) { return u.weight != 0; };
    if (std::none_of(all.begin(), all.end(), takes_requests))
        root.fail("upstreams", "every weight is 0: no upstream would be asked");
    return all;
}

} // namespace serin
