// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../http/url.hpp"

#include <serin/config.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace serin {
namespace {

constexpr std::size_t max_config_file = 16 * 1024 * 1024;

// Keeps sums of durations with the clock's time from overflowing.
constexpr duration max_config_duration = std::chrono::hours(24 * 365 * 10);

bool is_config_control(char c) noexcept
{
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

bool is_config_letter(char c) noexcept
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_config_digit(char c) noexcept
{
    return c >= '0' && c <= '9';
}

// "48h", "1.5s", "300ms". Blanks, signs and a missing unit are refused.
bool parse_config_duration(std::string_view text, duration& out) noexcept
{
    double value = 0;
    char const* const end = text.data() + text.size();
    if (text.empty() || !is_config_digit(text.front()))
        return false;
    auto const number = std::from_chars(text.data(), end, value, std::chars_format::fixed);
    if (number.ec != std::errc())
        return false;
    std::string_view const unit(number.ptr, static_cast<std::size_t>(end - number.ptr));
    duration one;
    if (unit == "ms")
        one = std::chrono::milliseconds(1);
    else if (unit == "s")
        one = std::chrono::seconds(1);
    else if (unit == "m")
        one = std::chrono::minutes(1);
    else if (unit == "h")
        one = std::chrono::hours(1);
    else
        return false;
    double const ticks = std::round(value * static_cast<double>(one.count()));
    if (ticks > static_cast<double>(max_config_duration.count()))
        return false;
    out = duration(static_cast<duration::rep>(ticks));
    return true;
}

// Keeps the first objection.
class config_check
{
    std::string& why_;
    error_code error_;

public:
    explicit config_check(std::string& why) : why_(why) {}

    bool failed() const noexcept { return error_.failed(); }
    error_code error() const noexcept { return error_; }

    void fail(std::string_view path, std::string_view text, error_code error = errc::invalid_argument)
    {
        if (failed())
            return;
        error_ = error;
        why_.assign(path);
        if (!path.empty())
            why_ += ": ";
        why_ += text;
        // Names in the file may hold anything.
        std::replace_if(why_.begin(), why_.end(), is_config_control, ' ');
    }
};

// An object of the configuration: hands out its members, and knows which ones nobody asked for.
class config_object
{
    config_check& check_;
    nlohmann::json const* object_ = nullptr;
    std::string path_;
    std::set<std::string, std::less<>> asked_;

public:
    config_object(config_check& check, nlohmann::json const& value, std::string path)
        : check_(check),
          path_(std::move(path))
    {
        if (value.is_object())
            object_ = &value;
        else
            check_.fail(path_, "must be an object");
    }

    std::string path(std::string_view name) const
    {
        std::string full = path_;
        if (!full.empty())
            full += '.';
        full += name;
        return full;
    }

    void fail(std::string_view name, std::string_view text, error_code error = errc::invalid_argument)
    {
        check_.fail(path(name), text, error);
    }

    // The member, or null if there is none.
    nlohmann::json const* find(std::string_view name)
    {
        asked_.emplace(name);
        if (!object_)
            return nullptr;
        auto const member = object_->find(std::string(name));
        return member == object_->end() ? nullptr : &*member;
    }

    bool text(std::string_view name, std::string& out)
    {
        auto const* const value = find(name);
        if (!value)
            return false;
        if (!value->is_string())
        {
            fail(name, "must be a string");
            return false;
        }
        out = value->get<std::string>();
        if (std::any_of(out.begin(), out.end(), is_config_control))
            fail(name, "must not hold control characters");
        return true;
    }

    void flag(std::string_view name, bool& out)
    {
        auto const* const value = find(name);
        if (value && value->is_boolean())
            out = value->get<bool>();
        else if (value)
            fail(name, "must be true or false");
    }

    template <class Integer>
    void whole(std::string_view name, Integer& out, std::uint64_t from)
    {
        auto const* const value = find(name);
        if (!value)
            return;
        constexpr auto to = static_cast<std::uint64_t>(std::numeric_limits<Integer>::max());
        if (value->is_number_unsigned() && value->get<std::uint64_t>() >= from && value->get<std::uint64_t>() <= to)
            out = static_cast<Integer>(value->get<std::uint64_t>());
        else
            fail(name, "must be a whole number from " + std::to_string(from));
    }

    // Not negative.
    void number(std::string_view name, double& out)
    {
        auto const* const value = find(name);
        if (!value)
            return;
        if (value->is_number() && value->get<double>() >= 0)
            out = value->get<double>();
        else
            fail(name, "must be a number from 0");
    }

    void time(std::string_view name, duration& out, bool zero_allowed = true)
    {
        auto const* const value = find(name);
        if (!value)
            return;
        duration parsed{};
        if (!value->is_string() || !parse_config_duration(value->get_ref<std::string const&>(), parsed))
            fail(name, "must be a duration such as \"1.5s\", in ms, s, m or h");
        else if (!zero_allowed && parsed == duration::zero())
            fail(name, "must not be zero");
        else
            out = parsed;
    }

    // Better than to ignore what it asks for.
    void not_supported(std::string_view name)
    {
        if (find(name))
            fail(name, "is not supported by this version");
    }

    // To be called when all known members were asked for.
    void no_others()
    {
        if (!object_)
            return;
        for (auto const& member : object_->items())
            if (!asked_.contains(member.key()))
                fail(member.key(), "there is no such setting");
    }
};

class config_reader
{
    config_check check_;
    std::filesystem::path base_dir_;
    client_params params_;

public:
    config_reader(std::string& why, std::string const& base_dir, client_params const& defaults)
        : check_(why),
          base_dir_(base_dir),
          params_(defaults)
    {}

    error_code read(std::string_view text, client_params& out)
    {
        nlohmann::json root;
        if (parse(text, root))
            read_root(root);
        if (!check_.failed())
            out = std::move(params_);
        return check_.error();
    }

private:
    bool parse(std::string_view text, nlohmann::json& root)
    {
        // The parser itself would take the last of two members of the same name, silently.
        std::vector<std::set<std::string>> names;
        auto const watch = [this, &names](int, nlohmann::json::parse_event_t event, nlohmann::json& value) {
            if (event == nlohmann::json::parse_event_t::object_start)
                names.emplace_back();
            else if (event == nlohmann::json::parse_event_t::object_end)
                names.pop_back();
            else if (event == nlohmann::json::parse_event_t::key &&
                     !names.back().insert(value.get<std::string>()).second)
                check_.fail(value.get<std::string>(), "is given twice in the same object");
            return true;
        };
        try
        {
            root = nlohmann::json::parse(text, watch);
        }
        catch (nlohmann::json::parse_error const& e)
        {
            // Not the parser's own text, which quotes the file.
            std::string_view const before = text.substr(0, e.byte > 0 ? e.byte - 1 : 0);
            auto const line = 1 + std::count(before.begin(), before.end(), '\n');
            std::size_t const line_start = before.rfind('\n') + 1; // 0 if there is none
            check_.fail("", "not JSON: line " + std::to_string(line) + ", column " +
                                std::to_string(before.size() - line_start + 1));
        }
        catch (nlohmann::json::exception const&)
        {
            check_.fail("", "not JSON: a number is too large");
        }
        return !check_.failed();
    }

    void read_root(nlohmann::json const& json)
    {
        if (!json.is_object())
            return check_.fail("", "the configuration must be a JSON object");
        config_object root(check_, json, "");
        read_upstreams(root);
        if (auto const* const retry = root.find("retry"))
        {
            config_object o(check_, *retry, "retry");
            retry_params& r = params_.retry;
            o.whole("max_attempts", r.max_attempts, 1);
            o.time("base_delay", r.base_delay);
            o.time("max_delay", r.max_delay);
            o.time("max_retry_after", r.max_retry_after);
            o.number("budget_ratio", r.budget_ratio);
            o.whole("budget_per_second", r.budget_per_second, 0);
            o.no_others();
        }
        if (auto const* const hedge = root.find("hedge"))
        {
            config_object o(check_, *hedge, "hedge");
            o.time("delay", params_.hedge.delay);
            o.flag("at_p95", params_.hedge.at_p95);
            o.no_others();
        }
        if (auto const* const stream = root.find("stream"))
            read_stream(*stream);
        if (auto const* const timeouts = root.find("timeouts"))
            read_timeouts(*timeouts);
        if (auto const* const pool = root.find("pool"))
            read_pool(*pool);
        if (auto const* const tls = root.find("tls"))
            params_.tls = read_tls(*tls, "tls");
        for (char const* const name : {"models", "rollout", "cache", "alerts"})
            root.not_supported(name);
        root.no_others();
    }

    void read_stream(nlohmann::json const& json)
    {
        config_object o(check_, json, "stream");
        std::string recovery;
        if (o.text("recovery", recovery))
        {
            if (recovery == "fail")
                params_.stream.recovery = stream_recovery::fail;
            else if (recovery == "restart")
                params_.stream.recovery = stream_recovery::restart;
            else if (recovery == "buffer")
                params_.stream.recovery = stream_recovery::buffer;
            else
                o.fail("recovery", "must be \"fail\", \"restart\" or \"buffer\"");
        }
        o.flag("skip_malformed_chunks", params_.stream.skip_malformed_chunks);
        o.no_others();
    }

    rate_limit_params read_limits(nlohmann::json const& json, std::string path)
    {
        config_object o(check_, json, std::move(path));
        rate_limit_params limits;
        o.number("requests_per_minute", limits.requests_per_minute);
        o.number("tokens_per_minute", limits.tokens_per_minute);
        o.whole("max_concurrent", limits.max_concurrent, 0);
        std::string on_limit;
        if (o.text("on_limit", on_limit))
        {
            if (on_limit == "wait")
                limits.on_limit = when_limited::wait;
            else if (on_limit == "fail")
                limits.on_limit = when_limited::fail;
            else
                o.fail("on_limit", "must be \"wait\" or \"fail\"");
        }
        o.no_others();
        return limits;
    }

    void read_timeouts(nlohmann::json const& json)
    {
        config_object o(check_, json, "timeouts");
        timeout_params& t = params_.timeouts;
        o.time("pool", t.pool);
        o.time("connect", t.connect);
        o.time("tls", t.tls);
        o.time("write", t.write);
        o.time("first_byte", t.first_byte);
        // Who sets it means it, with one upstream and with several.
        if (o.find("first_byte"))
            t.first_byte_failover = t.first_byte;
        o.time("first_token", t.first_token);
        o.time("idle", t.idle);
        o.time("token_idle", t.token_idle);
        o.time("total", t.total, false);
        o.no_others();
    }

    void read_pool(nlohmann::json const& json)
    {
        config_object o(check_, json, "pool");
        pool_params& p = params_.pool;
        o.whole("max_per_host", p.max_per_host, 1);
        o.whole("max_idle_per_host", p.max_idle_per_host, 0);
        o.whole("max_idle", p.max_idle, 0);
        o.time("trim_delay", p.trim_delay);
        o.time("idle_timeout", p.idle_timeout);
        o.time("max_lifetime", p.max_lifetime);
        o.no_others();
    }

    // The path of a file that can be opened, relative to the configuration's folder.
    void read_path(config_object& o, std::string_view name, std::string& out)
    {
        std::string path;
        if (!o.text(name, path))
            return;
        if (path.empty())
            return o.fail(name, "must not be empty");
        out = (base_dir_ / path).string();
        if (!std::ifstream(out))
            o.fail(name, "cannot read " + out);
    }

    tls_params read_tls(nlohmann::json const& json, std::string path)
    {
        config_object o(check_, json, std::move(path));
        tls_params tls;
        read_path(o, "ca_file", tls.ca_file);
        read_path(o, "certificate_file", tls.certificate_file);
        read_path(o, "private_key_file", tls.private_key_file);
        if (tls.certificate_file.empty() != tls.private_key_file.empty())
            o.fail(tls.certificate_file.empty() ? "private_key_file" : "certificate_file",
                "certificate_file and private_key_file need each other");
        o.no_others();
        return tls;
    }

    void read_upstreams(config_object& root)
    {
        auto const* const list = root.find("upstreams");
        if (!list || !list->is_array() || list->empty())
            return root.fail("upstreams", "must be an array of at least one upstream");
        params_.upstreams.clear();
        for (auto const& json : *list)
            read_upstream(json, "upstreams[" + std::to_string(params_.upstreams.size()) + "]");
        auto const takes_requests = [](upstream const& u) { return u.weight != 0; };
        if (std::none_of(params_.upstreams.begin(), params_.upstreams.end(), takes_requests))
            root.fail("upstreams", "every weight is 0: no upstream would be asked");
    }

    void read_upstream(nlohmann::json const& json, std::string path)
    {
        config_object o(check_, json, std::move(path));
        upstream u;
        o.text("name", u.name);
        if (u.name.empty())
            o.fail("name", "must not be empty");
        for (upstream const& other : params_.upstreams)
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
        if (auto const* const price = o.find("price"))
            check_price(*price, o.path("price"));
        read_dialect(o, u.dialect);
        o.text("organization", u.organization);
        o.text("project", u.project);
        if (auto const* const fields = o.find("headers"))
            read_headers(*fields, o.path("headers"), u.headers);
        if (auto const* const tls = o.find("tls"))
            u.tls = read_tls(*tls, o.path("tls"));
        o.flag("allow_insecure_key", u.allow_insecure_key);
        if (auto const* const keys = o.find("keys"))
            u.keys = read_keys(*keys, o.path("keys"), which);
        if (u.keys && !bad_url && !to.tls && !to.is_loopback() && !u.allow_insecure_key)
            o.fail("base_url", which + "refused to send a key over plain http to " + to.host, errc::insecure_transport);
        o.not_supported("priority");
        if (auto const* const limits = o.find("limits"))
            u.limits = read_limits(*limits, o.path("limits"));
        if (auto const* const limits = o.find("key_limits"))
            u.key_limits = read_limits(*limits, o.path("key_limits"));
        std::string choice;
        if (o.text("choose_key", choice))
        {
            if (choice == "round_robin")
                u.choose_key = key_choice::round_robin;
            else if (choice == "least_loaded")
                u.choose_key = key_choice::least_loaded;
            else
                o.fail("choose_key", "must be \"round_robin\" or \"least_loaded\"");
        }
        o.no_others();
        params_.upstreams.push_back(std::move(u));
    }

    // The dialect, and the members that only one of them has.
    void read_dialect(config_object& o, dialect& out)
    {
        std::string name = "generic";
        o.text("dialect", name);
        if (name != "generic" && name != "openai" && name != "azure" && name != "openrouter")
            o.fail("dialect", "must be one of openai, azure, openrouter and generic");
        auto const read_own = [&](std::string const& of, char const* member) {
            std::string value;
            if (o.text(member, value) && name != of)
                o.fail(member, "belongs to the dialect " + of);
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
            else if (!std::all_of(version.begin(), version.end(), stands_in_version))
                o.fail("api_version", "must be of letters, digits, dots and hyphens");
            out = dialect::azure(std::move(version));
        }
        if (name == "openrouter")
            out = dialect::openrouter(std::move(application), std::move(site));
    }

    static bool stands_in_version(char c) noexcept
    {
        return is_config_letter(c) || is_config_digit(c) || c == '.' || c == '-';
    }

    // Prices harm nobody: nothing depends on them yet.
    void check_price(nlohmann::json const& json, std::string path)
    {
        config_object o(check_, json, std::move(path));
        for (char const* const name : {"input", "output"})
        {
            auto const* const value = o.find(name);
            if (value && !(value->is_number() && value->get<double>() >= 0))
                o.fail(name, "must be a number from 0");
        }
        o.no_others();
    }

    void read_headers(nlohmann::json const& json, std::string path, headers& out)
    {
        config_object o(check_, json, std::move(path));
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

    std::shared_ptr<key_source> read_keys(nlohmann::json const& json, std::string const& path, std::string const& which)
    {
        config_object o(check_, json, path);
        auto const* const env = o.find("env");
        auto const* const file = o.find("file");
        o.no_others();
        if (!env == !file)
            check_.fail(path, "must have either \"env\" or \"file\"");
        if (check_.failed())
            return nullptr;

        std::shared_ptr<key_source> source;
        if (env)
        {
            std::vector<std::shared_ptr<key_source>> sources;
            if (env->is_array())
                for (std::size_t i = 0; i < env->size(); ++i)
                    sources.push_back(read_variable((*env)[i], path + ".env[" + std::to_string(i) + "]"));
            else
                sources.push_back(read_variable(*env, path + ".env"));
            if (sources.empty())
                o.fail("env", "must name at least one environment variable");
            source = sources.size() == 1 ? sources.front() : rotating_keys(std::move(sources));
        }
        else
        {
            std::string name;
            read_key_path(o, name);
            source = file_key(std::move(name));
        }
        if (check_.failed())
            return nullptr;
        if (auto const set = source->snapshot(); set->keys.empty())
            check_.fail(path, which + set->problem, errc::invalid_key);
        return source;
    }

    std::shared_ptr<key_source> read_variable(nlohmann::json const& value, std::string const& path)
    {
        auto const name = value.is_string() ? value.get<std::string>() : std::string();
        // Who puts the key itself here must not find it in a message.
        bool const plausible = !name.empty() && !is_config_digit(name.front()) &&
                               std::all_of(name.begin(), name.end(),
                                   [](char c) { return is_config_letter(c) || is_config_digit(c) || c == '_'; });
        if (!plausible)
            check_.fail(path, "must be the name of an environment variable");
        return check_.failed() ? nullptr : env_key(name);
    }

    void read_key_path(config_object& o, std::string& out)
    {
        if (!o.text("file", out))
            return;
        if (out.empty())
            return o.fail("file", "must not be empty");
        out = (base_dir_ / out).string();
    }
};

} // namespace

error_code load_config(std::string_view json, std::string const& base_dir, client_params& out, std::string& why)
{
    return config_reader(why, base_dir, out).read(json, out);
}

error_code load_config_file(std::string const& path, client_params& out, std::string& why)
{
    std::string text;
    std::ifstream file(path, std::ios::binary);
    char buffer[4096];
    while (text.size() <= max_config_file && (file.read(buffer, sizeof buffer) || file.gcount() > 0))
        text.append(buffer, static_cast<std::size_t>(file.gcount()));
    error_code ec = errc::invalid_argument;
    if (!file.eof() && text.size() <= max_config_file)
        why = "cannot read the file";
    else if (text.size() > max_config_file)
        why = "the file is too large";
    else
        ec = load_config(text, std::filesystem::path(path).parent_path().string(), out, why);
    if (ec)
        why = path + ": " + why;
    return ec;
}

} // namespace serin
