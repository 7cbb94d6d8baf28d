// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "observe/alert_monitor.hpp"

#include "catch.hpp"
#include "manual_clock.hpp"
#include "observed_calls.hpp"
#include "raw_server.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using serin::alert_monitor;
using serin::alert_rule;
using serin::errc;

namespace {

// Things that happen on other threads.
template <class T>
class mailbox
{
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<T> all_;

public:
    void put(T value)
    {
        {
            std::lock_guard const lock(mutex_);
            all_.push_back(std::move(value));
        }
        changed_.notify_all();
    }

    // The first so many.
    std::vector<T> wait_for(std::size_t n)
    {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, 30s, [&] { return all_.size() >= n; });
        REQUIRE(all_.size() >= n);
        return all_;
    }

    std::size_t size()
    {
        std::lock_guard const lock(mutex_);
        return all_.size();
    }
};

// A webhook that answers as it is told, at first always 200, and remembers what it was sent.
class mock_webhook
{
public:
    std::string url() const { return "http://127.0.0.1:" + std::to_string(server_.port()) + "/services/T0/B0/secret"; }

    void answer(std::vector<std::string> heads) { heads_ = std::move(heads); }

    mailbox<std::string> requests;
    mailbox<std::string> bodies;

private:
    void serve(raw_server::peer& p)
    {
        while (p.read_request())
        {
            std::string head = "200 OK";
            {
                std::lock_guard const lock(mutex_);
                if (served_ < heads_.size())
                    head = heads_[served_];
                ++served_;
            }
            requests.put(p.request);
            bodies.put(p.body);
            p.write("HTTP/1.1 " + head + "\r\nContent-Length: 2\r\n\r\nok");
        }
    }

    std::mutex mutex_;
    std::vector<std::string> heads_;
    std::size_t served_ = 0;
    raw_server server_{[this](raw_server::peer& p) { serve(p); }};
};

class monitored
{
public:
    explicit monitored(bool strands = true)
        : monitor(std::make_shared<alert_monitor>(context.get_executor(), strands, serin::tls_params(), clock,
              [this](serin::log_level, std::string_view line) { log.put(std::string(line)); })),
          calls(*monitor)
    {
        calls.now = clock->now();
        thread_ = std::thread([this] {
            auto const guard = asio::make_work_guard(context);
            context.run();
        });
    }

    ~monitored()
    {
        monitor->stop();
        context.stop();
        thread_.join();
    }

    // The rules are looked at once more, after this time.
    void pass(std::chrono::steady_clock::duration d)
    {
        clock->wait_for_sleeper(d);
        clock->advance(d);
        calls.now = clock->now();
        clock->wait_for_sleeper(1ms);
    }

    asio::io_context context;
    std::shared_ptr<manual_clock> clock = std::make_shared<manual_clock>();
    mailbox<std::string> log;
    std::shared_ptr<alert_monitor> monitor;
    serin::test::observed_calls calls;

private:
    std::thread thread_;
};

alert_rule errors_over_1_percent()
{
    alert_rule r;
    r.error_rate = 0.01;
    r.recovery = 0s;
    return r;
}

void fail(monitored& m, int n = 20)
{
    for (int i = 0; i < n; ++i)
        m.calls.whole("a", "m", 0ms, errc::overloaded);
}

} // namespace

TEST_CASE("alert_monitor: an alert is seen by the webhook, in the form that Slack takes, and its recovery too")
{
    mock_webhook hook;
    monitored m;
    auto rule = errors_over_1_percent();
    rule.webhook = serin::secret(hook.url());
    m.monitor->set_rules({rule});
    m.monitor->start();
    fail(m);
    m.pass(5s);

    auto const body = hook.bodies.wait_for(1)[0];
    auto const request = hook.requests.wait_for(1)[0];
    CHECK(request.find("POST /services/T0/B0/secret HTTP/1.1\r\nHost: 127.0.0.1:") == 0);
    CHECK(request.find("Content-Type: application/json\r\n") != std::string::npos);
    CHECK(nlohmann::json::parse(body) ==
          nlohmann::json{{"text", "*error rate &gt; 1 %*: 100 % failed of 20, limit 1 %, in the last 5 min"}});

    for (int i = 0; i < 70; ++i)
        m.pass(5s);
    auto const all = hook.bodies.wait_for(2);
    CHECK(all[1].find("has recovered") != std::string::npos);
    CHECK(all.size() == 2);
    for (auto const& line : m.log.wait_for(2))
        CHECK(line.find("secret") == std::string::npos);
}

TEST_CASE("alert_monitor: a callback is told, and may throw")
{
    monitored m;
    mailbox<serin::alert> told;
    auto rule = errors_over_1_percent();
    rule.on_alert = [&](serin::alert const& a) {
        told.put(a);
        throw std::runtime_error("a callback that fails");
    };
    m.monitor->set_rules({rule});
    m.monitor->start();
    fail(m);
    m.pass(5s);
    CHECK(told.wait_for(1)[0].state == serin::alert_state::firing);
    CHECK(m.log.wait_for(2)[1].find("has thrown") != std::string::npos);
    m.pass(5s);
    CHECK(told.size() == 1);
}

TEST_CASE("alert_monitor: a webhook that fails is tried again, with growing delays")
{
    mock_webhook hook;
    hook.answer({"500 Oops", "503 Oops", "429 Slow\r\nRetry-After: 30", "200 OK"});
    monitored m;
    auto rule = errors_over_1_percent();
    rule.window = 10h; // Looked at seldom, so that the delays are seen
    rule.webhook = serin::secret(hook.url());
    m.monitor->set_rules({rule});
    m.monitor->start();
    fail(m);
    // Besides the sender, the monitor waits until it looks at the rules again.
    m.clock->wait_for_sleeper(5s);
    m.clock->advance(5s);
    hook.bodies.wait_for(1);
    m.clock->wait_for_sleeper(1s, 2);
    m.clock->advance(1s);
    hook.bodies.wait_for(2);
    m.clock->wait_for_sleeper(2s, 2);
    m.clock->advance(2s);
    hook.bodies.wait_for(3);
    m.clock->wait_for_sleeper(2s, 2);
    m.clock->advance(29s);
    m.clock->wait_for_sleeper(1s, 2);
    CHECK(hook.bodies.size() == 3);
    m.clock->advance(1s);
    auto const all = hook.bodies.wait_for(4);
    CHECK(all[3] == all[0]);
    CHECK(m.log.wait_for(4)[3].find("status 429, will be tried again") != std::string::npos);
}

TEST_CASE("alert_monitor: a webhook that refuses is not tried again")
{
    mock_webhook hook;
    hook.answer({"404 Gone"});
    monitored m;
    auto rule = errors_over_1_percent();
    rule.webhook = serin::secret(hook.url());
    m.monitor->set_rules({rule});
    m.monitor->start();
    fail(m);
    m.pass(5s);
    CHECK(m.log.wait_for(2)[1].find("could not be sent: it answers with status 404") != std::string::npos);
    m.pass(5s);
    CHECK(hook.bodies.size() == 1);
}

TEST_CASE("alert_monitor: nothing is watched before the start and after the stop, and no work is left")
{
    asio::io_context context;
    auto const clock = std::make_shared<manual_clock>();
    auto const monitor = std::make_shared<alert_monitor>(
        context.get_executor(), true, serin::tls_params(), clock, [](serin::log_level, std::string_view) {});
    int told = 0;
    auto rule = errors_over_1_percent();
    rule.on_alert = [&](serin::alert const&) { ++told; };
    monitor->set_rules({rule});
    serin::test::observed_calls calls(*monitor);
    for (int i = 0; i < 20; ++i)
        calls.whole("a", "m", 0ms, errc::overloaded);
    context.run();
    context.restart();

    monitor->start();
    context.run_for(10ms);
    clock->advance(5s);
    context.run_for(10ms);
    CHECK_FALSE(context.stopped());
    CHECK(told == 0);
    monitor->stop();
    context.run_for(30s);
    CHECK(context.stopped());

    std::weak_ptr<alert_monitor> const weak = monitor;
    monitor->start();
    monitor->stop();
    context.restart();
    context.run_for(30s);
    CHECK(context.stopped());
    CHECK(weak.use_count() == 1);
}

TEST_CASE("alert_monitor: a webhook that is down holds nothing up, and is left when the monitor stops")
{
    monitored m;
    mailbox<int> told;
    auto rule = errors_over_1_percent();
    rule.webhook = serin::secret("http://127.0.0.1:1/");
    rule.on_alert = [&](serin::alert const&) { told.put(1); };
    auto other = errors_over_1_percent();
    other.name = "other";
    other.on_alert = rule.on_alert;
    m.monitor->set_rules({rule, other});
    m.monitor->start();
    fail(m);
    m.clock->wait_for_sleeper(5s);
    m.clock->advance(5s);
    told.wait_for(2);
    CHECK(m.log.wait_for(3)[2].find("connect_failed") != std::string::npos);
}

TEST_CASE("alert_monitor: a rule that comes again keeps its state, a new one begins anew")
{
    monitored m;
    mailbox<serin::alert> told;
    auto rule = errors_over_1_percent();
    rule.on_alert = [&](serin::alert const& a) { told.put(a); };
    m.monitor->set_rules({rule});
    m.monitor->start();
    fail(m);
    m.pass(5s);
    told.wait_for(1);

    auto other = rule;
    other.error_rate = 0.02;
    m.monitor->set_rules({rule, other});
    m.pass(5s);
    CHECK(told.size() == 1);
    fail(m);
    m.pass(5s);
    CHECK(told.wait_for(2)[1].name == "error rate > 2 %");
    m.pass(5s);
    CHECK(told.size() == 2);
    m.monitor->set_rules({});
    CHECK(told.size() == 2);
}
