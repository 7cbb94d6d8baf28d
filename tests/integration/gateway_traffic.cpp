// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// A gateway under load: shares of the traffic, an upstream that fails and recovers, keys that change, the end.

#include <serin/gateway/server.hpp>
#include <serin/mock/provider.hpp>
#include <serin/policy/keys.hpp>

#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "gateway.hpp"
#include "run.hpp"

using namespace serin;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

std::string const whole = R"({"model":"any","messages":[{"role":"user","content":"Say hi"}]})";
std::string const streamed = R"({"model":"any","stream":true,"messages":[{"role":"user","content":"Say hi"}]})";

upstream part(mock::provider const& p, std::string name, unsigned weight)
{
    upstream u;
    u.name = std::move(name);
    u.base_url = p.base_url();
    u.weight = weight;
    return u;
}

bool is_good(raw_answer const& a, bool stream)
{
    return a.status == 200 && a.whole && (!stream || a.body.find("data: [DONE]") != std::string::npos);
}

// Callers that ask one request after another.
class callers
{
    std::vector<std::thread> threads_;
    std::atomic<bool> stop_{false};

public:
    std::atomic<std::size_t> answered{0};
    std::atomic<std::size_t> failed{0};

    // Each asks `requests` times, or until it is stopped.
    callers(unsigned short port, int count, std::size_t requests)
    {
        for (int i = 0; i < count; ++i)
            threads_.emplace_back([this, port, i, requests] {
                raw_caller caller(port);
                for (std::size_t n = 0; n < requests && !stop_; ++n)
                {
                    bool const stream = (static_cast<std::size_t>(i) + n) % 2 != 0;
                    raw_answer const a = caller.ask("POST", "/v1/chat/completions", stream ? streamed : whole);
                    ++(is_good(a, stream) ? answered : failed);
                }
            });
    }

    ~callers() { stop(); }

    void join()
    {
        for (std::thread& t : threads_)
            t.join();
        threads_.clear();
    }

    void stop()
    {
        stop_ = true;
        join();
    }

    // Waits until so many more were answered or failed.
    bool wait_for(std::size_t more) const
    {
        std::size_t const from = answered + failed;
        auto const until = steady_clock::now() + std::chrono::seconds(60);
        while (answered + failed < from + more)
        {
            if (steady_clock::now() > until)
                return false;
            std::this_thread::yield();
        }
        return true;
    }
};

} // namespace

TEST_CASE("gateway: weights of 80 and 20 hold within 2 points over 5,000 requests", "[gateway][traffic]")
{
    mock::provider stable;
    mock::provider canary;
    client_params p;
    p.upstreams = {part(stable, "stable", 80), part(canary, "canary", 20)};
    p.seed = 7;
    running_gateway gateway(p);
    callers load(gateway.server.port(), 4, 1250);
    load.join();
    CHECK(load.failed == 0);
    CHECK(load.answered == 5000);
    double const share = static_cast<double>(canary.request_count()) / 5000;
    CHECK(std::abs(share - 0.20) <= 0.02);
}

TEST_CASE(
    "gateway: an upstream that fails is left alone within 2 s, unseen by callers, and comes back", "[gateway][traffic]")
{
    mock::provider stable;
    mock::provider canary;
    client_params p;
    p.upstreams = {part(stable, "stable", 80), part(canary, "canary", 20)};
    p.health.ejection = milliseconds(500);
    p.retry.max_attempts = 3;
    running_gateway gateway(p);
    callers load(gateway.server.port(), 4, std::size_t(-1));
    REQUIRE(load.wait_for(200));
    CHECK(canary.request_count() > 0);

    canary.set_default(mock::behavior().with_status(500));
    auto const circuit = [&] { return gateway.server.client().upstreams().at(1).circuit; };
    auto const began = steady_clock::now();
    while (circuit() == circuit_state::closed && steady_clock::now() < began + std::chrono::seconds(20))
        REQUIRE(load.wait_for(1));
    CHECK(steady_clock::now() - began < std::chrono::seconds(2));
    REQUIRE(load.wait_for(200));
    CHECK(load.failed == 0);

    canary.set_default(mock::behavior());
    while (circuit() != circuit_state::closed && steady_clock::now() < began + std::chrono::seconds(40))
        REQUIRE(load.wait_for(1));
    std::size_t const before = canary.request_count();
    REQUIRE(load.wait_for(500));
    CHECK(canary.request_count() > before + 20);
    load.stop();
    CHECK(load.failed == 0);
}

TEST_CASE("gateway: a key file is replaced under load, unseen by callers", "[gateway][traffic]")
{
    mock::provider provider;
    provider.set_keys({"sk-first-key-0001"});
    auto const path =
        std::filesystem::temp_directory_path() / ("serin-gateway-" + std::to_string(provider.port()) + ".key");
    auto const write = [&](std::string const& key) {
        std::ofstream(path.string() + ".new") << key << '\n';
        std::filesystem::permissions(path.string() + ".new", std::filesystem::perms::owner_read);
        std::filesystem::rename(path.string() + ".new", path);
    };
    write("sk-first-key-0001");
    client_params p;
    p.upstreams = {part(provider, "only", 1)};
    p.upstreams[0].keys = file_key(path.string());
    running_gateway gateway(p);
    callers load(gateway.server.port(), 4, std::size_t(-1));
    for (std::string const key : {"sk-second-key-002", "sk-third-key-0003"})
    {
        REQUIRE(load.wait_for(200));
        write(key);
        provider.set_keys({key});
    }
    REQUIRE(load.wait_for(200));
    load.stop();
    CHECK(load.failed == 0);
    std::string const log = gateway.logged_text();
    for (char const* key : {"sk-first-key-0001", "sk-second-key-002", "sk-third-key-0003"})
        CHECK_THAT(log, !ContainsSubstring(key));
    std::filesystem::remove(path);
}

TEST_CASE("gateway: draining under load ends every open stream properly", "[gateway][traffic]")
{
    mock::provider provider;
    provider.set_default(mock::behavior().with_tokens(40).paced(milliseconds(10)));
    client_params p;
    p.upstreams = {part(provider, "only", 1)};
    running_gateway gateway(p);
    constexpr std::size_t count = 50;
    std::vector<std::unique_ptr<raw_caller>> open;
    for (std::size_t i = 0; i < count; ++i)
    {
        open.push_back(std::make_unique<raw_caller>(gateway.server.port()));
        open.back()->send(raw_caller::request("POST", "/v1/chat/completions", streamed));
    }
    REQUIRE(provider.wait_until([&] { return provider.request_count() == count; }, std::chrono::seconds(20)));
    auto done = gateway.drain(std::chrono::seconds(30));
    std::size_t good = 0;
    for (auto const& caller : open)
        good += is_good(caller->read_answer(), true);
    CHECK(good == count);
    CHECK(done.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
}
