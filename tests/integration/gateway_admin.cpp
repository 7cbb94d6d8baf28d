// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The admin listener of a gateway: who may use it, what it tells and what it changes.

#include <serin/config.hpp>
#include <serin/gateway/server.hpp>
#include <serin/mock/provider.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "catch.hpp"
#include "gateway.hpp"
#include "run.hpp"

using namespace serin;
using nlohmann::json;
using std::chrono::milliseconds;

namespace {

constexpr char const* bearer = "Authorization: Bearer admin-token\r\n";

upstream named(mock::provider const& p, std::string name, unsigned weight)
{
    upstream u;
    u.name = std::move(name);
    u.base_url = p.base_url();
    u.weight = weight;
    return u;
}

// A gateway with two upstreams, an alias and a rollout.
class administrated_gateway
{
public:
    mock::provider provider;
    running_gateway gateway;

    administrated_gateway() : gateway(upstreams(), settings()) {}

    client_params upstreams() const
    {
        client_params p;
        p.upstreams.push_back(named(provider, "stable", 80));
        p.upstreams.push_back(named(provider, "canary", 20));
        model_route route;
        route.name = "fast";
        for (char const* name : {"stable", "canary"})
        {
            route_target target;
            target.upstream = name;
            route.upstreams.push_back(target);
        }
        p.models.push_back(route);
        rollout_params rollout;
        rollout.model = "fast";
        rollout.candidate = "canary";
        rollout.stages = {0.25, 1.0};
        p.rollouts.push_back(rollout);
        return p;
    }

    static gateway::params settings()
    {
        gateway::params p;
        p.admin.address = "127.0.0.1";
        p.admin.token = secret("admin-token");
        return p;
    }

    unsigned short port() const { return gateway.server.admin_port(); }
    std::string host() const { return "127.0.0.1:" + std::to_string(port()); }

    raw_answer ask(std::string const& method, std::string const& target, std::string const& body = {},
        std::string const& fields = bearer) const
    {
        raw_caller caller(port());
        std::string const own = fields.find("Host:") == std::string::npos ? "Host: " + host() + "\r\n" : "";
        caller.send(raw_caller::request_to(method, target, body, own + fields));
        return caller.read_answer();
    }

    json state() const { return json::parse(ask("GET", "/api/state").body); }
};

} // namespace

TEST_CASE("gateway admin: nobody gets in without the token", "[gateway][admin]")
{
    administrated_gateway g;
    for (char const* path : {"/api/state", "/api/events", "/metrics"})
    {
        CHECK(g.ask("GET", path, "", "").status == 401);
        CHECK(g.ask("GET", path, "", "Authorization: Bearer wrong\r\n").status == 401);
        CHECK(g.ask("GET", path, "", "Cookie: serin_admin=wrong\r\n").status == 401);
    }
    CHECK(g.ask("PUT", "/api/weights", R"({"weights":{"stable":1}})", "").status == 401);
    CHECK(g.ask("POST", "/api/keys/reload", "", "").status == 401);
    CHECK(g.ask("GET", "/api/state").status == 200);
    raw_answer const page = g.ask("GET", "/", "", "");
    CHECK(page.status == 401);
    CHECK_THAT(page.body, ContainsSubstring("Admin token"));
    CHECK(g.ask("GET", "/?token=wrong", "", "").status == 401);
}

TEST_CASE("gateway admin: the token in an address or a form gives a cookie", "[gateway][admin]")
{
    administrated_gateway g;
    raw_answer const a = GENERATE(true, false) ? g.ask("GET", "/?token=admin%2Dtoken", "", "")
                                               : g.ask("POST", "/login", "token=admin-token", "");
    CHECK(a.status == 303);
    CHECK(a.field("Location") == "/");
    std::string const cookie = a.field("Set-Cookie");
    CHECK_THAT(cookie, ContainsSubstring("; HttpOnly; SameSite=Strict"));
    CHECK_THAT(cookie, !ContainsSubstring("admin-token"));
    std::string const fields = "Cookie: other=1; " + cookie.substr(0, cookie.find(';')) + "\r\n";
    raw_answer const page = g.ask("GET", "/", "", fields);
    CHECK(page.status == 200);
    CHECK_THAT(page.body, ContainsSubstring("page.js"));
    CHECK_THAT(page.field("Content-Security-Policy"), ContainsSubstring("default-src 'none'"));
    CHECK(g.ask("GET", "/api/state", "", fields).status == 200);

    SECTION("which another page cannot use to change something")
    {
        std::string const body = R"({"weights":{"stable":1}})";
        CHECK(g.ask("PUT", "/api/weights", body, fields).status == 403); // A browser would have named the page
        CHECK(g.ask("PUT", "/api/weights", body, fields + "Origin: http://evil.example\r\n").status == 403);
        CHECK(g.ask("PUT", "/api/weights", body, fields + "Origin: null\r\n").status == 403);
        CHECK(g.ask("PUT", "/api/weights", body, fields + "Origin: http://" + g.host() + "\r\n").status == 200);
    }
}

TEST_CASE("gateway admin: requests for another host are refused", "[gateway][admin]")
{
    administrated_gateway g;
    std::string const port = std::to_string(g.port());
    auto const status = [&](std::string const& host) {
        return g.ask("GET", "/api/state", "", bearer + ("Host: " + host + "\r\n")).status;
    };
    CHECK(status("localhost:" + port) == 200);
    CHECK(status("[::1]:" + port) == 200);
    CHECK(status("evil.example:" + port) == 403);
    CHECK(status("127.0.0.1.evil.example:" + port) == 403);
    CHECK(status("127.0.0.1") == 403);
    CHECK(status("") == 403);
}

TEST_CASE("gateway admin: only on an address of this machine, and with a token", "[gateway][admin]")
{
    boost::asio::io_context context;
    gateway::params settings;
    settings.admin.address = "0.0.0.0";
    settings.admin.token = secret("admin-token");
    std::string why;
    {
        gateway::server open(context.get_executor(), params_for("http://127.0.0.1:1/v1"), settings);
        CHECK(open.listen(why) == errc::insecure_transport);
    }
    settings.admin.address = "127.0.0.1";
    settings.admin.token = secret();
    gateway::server unlocked(context.get_executor(), params_for("http://127.0.0.1:1/v1"), settings);
    CHECK(unlocked.listen(why) == errc::invalid_argument);
}

TEST_CASE("gateway admin: the state", "[gateway][admin]")
{
    administrated_gateway g;
    raw_caller caller(g.gateway.server.port());
    std::string const body = R"({"model":"fast","messages":[{"role":"user","content":"secret-prompt"}]})";
    for (int i = 0; i < 8; ++i)
        CHECK(caller.ask("POST", "/v1/chat/completions", body).status == 200);
    g.provider.on_next(mock::behavior().with_status(400).with_error("about secret-prompt", "t", "c"));
    CHECK(caller.ask("POST", "/v1/chat/completions", body).status == 400);

    raw_answer const raw = g.ask("GET", "/api/state");
    CHECK_THAT(raw.body, !ContainsSubstring("secret-prompt"));
    json const state = json::parse(raw.body);
    REQUIRE(state["upstreams"].size() == 2);
    int answered = 0;
    double share = 0;
    for (auto const& u : state["upstreams"])
    {
        CHECK(u["circuit"] == "closed");
        answered += u["last_minute"]["answered"].get<int>();
        share += u["last_minute"]["share"].get<double>();
    }
    CHECK(answered == 8);
    CHECK_THAT(share, Catch::Matchers::WithinRel(1, 1e-6));
    CHECK(state["models"][0]["name"] == "fast");
    CHECK(state["rollouts"][0]["candidate"] == "canary");
    CHECK(state["rollouts"][0]["share"] == 0.25);
    REQUIRE(state["failures"].size() == 1);
    CHECK(state["failures"][0]["kind"] == "invalid_request");
    CHECK(state["failures"][0]["status"] == 400);
    CHECK(state["failures"][0]["model"] == "fast");
    CHECK(state["connections"] == 1);
    CHECK_THAT(g.ask("GET", "/metrics").body, ContainsSubstring("serin_"));
}

TEST_CASE("gateway: /metrics for callers only on a loopback address, and only with their token", "[gateway][admin]")
{
    mock::provider provider;
    gateway::params settings;
    SECTION("no token is asked for")
    {
        running_gateway gateway(params_for(provider.base_url()), settings);
        raw_caller caller(gateway.server.port());
        CHECK(caller.ask("POST", "/v1/chat/completions", R"({"model":"m","messages":[{"role":"user","content":"a"}]})")
                  .status == 200);
        raw_answer const a = caller.ask("GET", "/metrics");
        CHECK(a.status == 200);
        CHECK(a.field("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
        CHECK_THAT(a.body, ContainsSubstring("serin_call_duration"));
        CHECK(caller.ask("POST", "/metrics", "{}").status == 405);
    }
    SECTION("with a token")
    {
        settings.tokens.emplace_back("caller-token");
        running_gateway gateway(params_for(provider.base_url()), settings);
        raw_caller caller(gateway.server.port());
        CHECK(caller.ask("GET", "/metrics").status == 401);
        CHECK(caller.ask("GET", "/metrics", "", "Authorization: Bearer caller-token\r\n").status == 200);
    }
    SECTION("other machines")
    {
        settings.address = "0.0.0.0";
        settings.tokens.emplace_back("caller-token");
        running_gateway gateway(params_for(provider.base_url()), settings);
        raw_caller caller(gateway.server.port());
        CHECK(caller.ask("GET", "/metrics", "", "Authorization: Bearer caller-token\r\n").status == 404);
    }
}

TEST_CASE("gateway admin: the state tells what was spent and what the cache has come to", "[gateway][admin]")
{
    mock::provider provider;
    gateway::params const settings = administrated_gateway::settings();
    client_params p = params_for(provider.base_url());
    p.upstreams[0].price.output = 2 * one_dollar;
    budget_params budget;
    budget.name = "team";
    budget.daily = one_dollar;
    p.budgets.push_back(budget);
    p.cache.emplace();
    running_gateway gateway(p, settings);
    raw_caller caller(gateway.server.port());
    std::string const body = R"({"model":"m","temperature":0,"messages":[{"role":"user","content":"a"}]})";
    json usage;
    for (int i = 0; i < 4; ++i)
        usage = json::parse(caller.ask("POST", "/v1/chat/completions", body).body)["usage"];

    raw_caller browser(gateway.server.admin_port());
    std::string const host = "Host: 127.0.0.1:" + std::to_string(gateway.server.admin_port()) + "\r\n";
    browser.send(raw_caller::request_to("GET", "/api/state", "", host + bearer));
    json const state = json::parse(browser.read_answer().body);
    double const spent = usage["completion_tokens"].get<double>() * 2 / 1e6;
    CHECK(spent > 0);
    CHECK_THAT(state["cost"]["total_usd"].get<double>(), Catch::Matchers::WithinRel(spent, 1e-6));
    CHECK_THAT(state["cost"]["upstreams_usd"]["default"].get<double>(), Catch::Matchers::WithinRel(spent, 1e-6));
    CHECK(state["cost"]["budgets"][0]["name"] == "team");
    CHECK(state["cost"]["budgets"][0]["daily_usd"] == 1.0);
    CHECK_THAT(state["cost"]["budgets"][0]["spent_usd"].get<double>(), Catch::Matchers::WithinRel(spent, 1e-6));
    CHECK(state["cache"]["hits"] == 3);
    CHECK(state["cache"]["misses"] == 1);
    CHECK(state["cache"]["hit_rate"] == 0.75);
}

TEST_CASE("gateway admin: without prices, budgets and a cache there is nothing to tell of them", "[gateway][admin]")
{
    administrated_gateway g;
    CHECK(g.state()["cost"].is_null());
    CHECK(g.state()["cache"].is_null());
}

TEST_CASE("gateway admin: the feed of the page", "[gateway][admin]")
{
    administrated_gateway g;
    raw_caller browser(g.port());
    browser.send(raw_caller::request_to("GET", "/api/events", "", "Host: " + g.host() + "\r\n" + bearer));
    CHECK_THAT(browser.read_until("\r\n\r\n"), ContainsSubstring("text/event-stream"));
    for (int i = 0; i < 2; ++i)
    {
        std::string const event = browser.read_until("\n\n");
        json const state = json::parse(event.substr(event.find("data: ") + 6));
        CHECK(state["upstreams"].size() == 2);
    }
}

TEST_CASE("gateway admin: weights", "[gateway][admin]")
{
    administrated_gateway g;
    auto const weight = [&](std::size_t i) { return g.state()["upstreams"][i]["weight"]; };
    CHECK(g.ask("PUT", "/api/weights", R"({"weights":{"stable":7,"canary":0}})").status == 200);
    CHECK(weight(0) == 7);
    CHECK(weight(1) == 0);
    CHECK(g.ask("PUT", "/api/weights", R"({"model":"fast","weights":{"stable":3}})").status == 200);
    CHECK(g.state()["models"][0]["upstreams"][0]["weight"] == 3);
    for (char const* wrong : {"", "[]", "{}", R"({"weights":{}})", R"({"weights":{"none":1}})",
             R"({"weights":{"stable":-1}})", R"({"weights":{"stable":1.5}})", R"({"weights":{"stable":5000000000}})",
             R"({"model":"none","weights":{"stable":1}})", R"({"model":1,"weights":{"stable":1}})"})
    {
        raw_answer const a = g.ask("PUT", "/api/weights", wrong);
        CHECK(a.status == 422);
        CHECK(json::parse(a.body)["error"].is_string());
    }
    CHECK(weight(0) == 7);
}

TEST_CASE("gateway admin: rollouts", "[gateway][admin]")
{
    administrated_gateway g;
    auto const status = [&] { return g.state()["rollouts"][0]["status"]; };
    auto const act = [&](std::string const& action, std::string const& body = R"({"model":"fast"})") {
        return json::parse(g.ask("POST", "/api/rollout/" + action, body).body);
    };
    CHECK(status() == "running");
    CHECK(act("pause")["changed"] == true);
    CHECK(status() == "paused");
    CHECK(act("resume")["changed"] == true);
    CHECK(status() == "running");
    json const promoted = act("promote", "");
    CHECK(promoted["model"] == "fast");
    CHECK(promoted["share"] == 1.0);
    CHECK(act("abort")["share"] == 0.0);
    CHECK(status() == "rolled_back");
    CHECK(act("restart")["share"] == 0.25);
    CHECK(g.ask("POST", "/api/rollout/promote", R"({"model":"none"})").status == 404);
    CHECK(g.ask("POST", "/api/rollout/explode", "").status == 404);
    CHECK(g.ask("GET", "/api/rollout/promote").status == 404);
}

TEST_CASE("gateway admin: a configuration is checked without being used", "[gateway][admin]")
{
    administrated_gateway g;
    std::string const good = R"({"upstreams":[{"name":"other","base_url":"http://127.0.0.1:1/v1"}]})";
    CHECK(g.ask("POST", "/api/config/check", good).status == 200);
    raw_answer const bad = g.ask("POST", "/api/config/check", R"({"upstreams":[{"weight":-1}]})");
    CHECK(bad.status == 422);
    CHECK_THAT(bad.body, ContainsSubstring("upstreams[0].weight"));
    CHECK(g.state()["upstreams"].size() == 2);
    CHECK(g.ask("POST", "/api/keys/reload", "").status == 200);
}

TEST_CASE("gateway: the configuration file is read again when it changes", "[gateway][admin]")
{
    mock::provider provider;
    auto const path =
        std::filesystem::temp_directory_path() / ("serin-gateway-" + std::to_string(provider.port()) + ".json");
    auto const write = [&](std::string const& text) {
        auto const fresh = path.string() + ".new";
        std::ofstream(fresh, std::ios::binary) << text;
        std::filesystem::rename(fresh, path);
    };
    auto const config = [&](std::string const& alias) {
        return R"({"upstreams":[{"name":"only","base_url":")" + provider.base_url() + R"("}],"models":{")" + alias +
               R"(":{"upstreams":["only"]}}})";
    };
    write(config("first"));
    client_params p;
    std::string why;
    REQUIRE_FALSE(load_config_file(path.string(), p, why));
    gateway::params settings = administrated_gateway::settings();
    settings.config_path = path.string();
    running_gateway gateway(p, settings);
    raw_caller caller(gateway.server.port());
    auto const alias = [&] { return json::parse(caller.ask("GET", "/v1/models").body)["data"][0]["id"]; };
    CHECK(alias() == "first");

    SECTION("by itself")
    {
        write(config("second"));
        auto const until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (alias() == "first" && std::chrono::steady_clock::now() < until)
        {
        }
        CHECK(alias() == "second");
        write("{");
        CHECK(gateway.wait_for_log("the configuration stays as it was"));
        CHECK(alias() == "second");
    }
    SECTION("on demand")
    {
        CHECK_FALSE(gateway.server.reload(why));
        write(R"({"upstreams":[],"models":{}})");
        CHECK(gateway.server.reload(why));
        CHECK_THAT(why, ContainsSubstring("upstreams"));
        CHECK(alias() == "first");
        CHECK(caller
                  .ask("POST", "/v1/chat/completions",
                      R"({"model":"first","messages":[{"role":"user","content":"Say hi"}]})")
                  .status == 200);
    }
    std::filesystem::remove(path);
}
