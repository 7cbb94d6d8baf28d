// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "webhook.hpp"

#include "../http/exchange.hpp"

#include <serin/core/config.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace serin {
namespace {

constexpr std::size_t longest_webhook_queue = 64;
constexpr int most_webhook_tries = 6;
constexpr auto first_webhook_delay = std::chrono::seconds(1); // Doubles
constexpr auto longest_webhook_rest = std::chrono::seconds(120);
constexpr std::size_t webhook_answer_read = 4096;
constexpr auto keep_webhook_addresses = std::chrono::seconds(10);
constexpr std::size_t webhook_memory = 1024 * 1024;

timeout_params webhook_timeouts()
{
    timeout_params t;
    t.write = t.first_byte = t.idle = std::chrono::seconds(10);
    return t;
}

std::string webhook_request(webhook_target const& to, std::size_t length)
{
    return "POST " + to.path_and_query + " HTTP/1.1\r\nHost: " + to.where.host_header +
           "\r\nUser-Agent: serin/" SERIN_VERSION
           "\r\nAccept-Encoding: identity\r\nContent-Type: application/json\r\nContent-Length: " +
           std::to_string(length) + "\r\n\r\n";
}

// A number of seconds; nothing else is of use here.
steady_time::duration webhook_rest(std::string_view retry_after)
{
    unsigned seconds = 0;
    auto const [end, ec] = std::from_chars(retry_after.data(), retry_after.data() + retry_after.size(), seconds);
    if (ec != std::errc() || end != retry_after.data() + retry_after.size())
        return {};
    return std::min<steady_time::duration>(std::chrono::seconds(seconds), longest_webhook_rest);
}

} // namespace

webhook_transport::webhook_transport(asio::any_io_executor ex, bool strands, tls_params const& with_tls,
    std::shared_ptr<clock_source> time, std::function<void(log_level, std::string_view)> log_to)
    : executor(std::move(ex)),
      use_strands(strands),
      clock(std::move(time)),
      log(std::move(log_to)),
      group(std::make_shared<fiber_group>(executor)),
      connections(std::make_shared<pool>(pool_params(), executor, strands, group, 0)),
      memory(std::make_shared<memory_budget>(webhook_memory)),
      tls(std::make_shared<tls_context>(with_tls)),
      resolver(std::make_shared<resolve_cache>(make_system_resolver(executor), keep_webhook_addresses)),
      timeouts(webhook_timeouts())
{}

// Sends what is in the queue, then ends.
class webhook::sender final : public fiber
{
public:
    explicit sender(std::shared_ptr<webhook> of)
        : fiber(make_fiber_executor(of->transport_->executor, of->transport_->use_strands), of->transport_->group),
          webhook_(std::move(of))
    {}

    ~sender() override { destroy_coroutine(); }

    task<void> run() { return webhook_->send_all(*this); }

private:
    void on_finished(std::exception_ptr) override {}

    std::shared_ptr<webhook> const webhook_;
};

webhook::webhook(std::shared_ptr<webhook_transport> transport, webhook_target target)
    : transport_(std::move(transport)),
      target_(std::move(target)),
      host_(transport_->connections->add_host({target_.where, target_.where.tls ? transport_->tls : nullptr,
          std::make_shared<tls_sessions>(), transport_->resolver, transport_->executor, transport_->timeouts}))
{}

void webhook::log(log_level level, std::string const& text) const
{
    transport_->log(level, "alert webhook at " + target_.where.host + ": " + text);
}

void webhook::send(std::string body)
{
    bool full = false, begin = false;
    {
        std::lock_guard const lock(mutex_);
        full = queue_.size() >= longest_webhook_queue;
        if (!full)
        {
            queue_.push_back(std::move(body));
            begin = !std::exchange(sending_, true);
        }
    }
    if (full)
        log(log_level::warning, "too many alerts wait to be sent, one is dropped");
    if (begin)
    {
        auto const s = std::make_shared<sender>(shared_from_this());
        s->start(s->run());
    }
}

task<void> webhook::send_all(fiber& f)
{
    for (;;)
    {
        std::string body;
        {
            std::lock_guard const lock(mutex_);
            if (queue_.empty() || f.interrupted())
            {
                sending_ = false;
                co_return;
            }
            body = std::move(queue_.front());
            queue_.pop_front();
        }
        co_await send_one(f, body);
    }
}

task<void> webhook::send_one(fiber& f, std::string const& body)
{
    steady_time::duration delay = first_webhook_delay;
    for (int n = 1;; ++n)
    {
        result const r = co_await post(f, body);
        f.clear_deadline();
        if (r.sent || f.interrupted())
            co_return;
        if (r.lasting || n == most_webhook_tries)
        {
            log(log_level::error, "an alert could not be sent: " + r.why);
            co_return;
        }
        log(log_level::warning, r.why + ", will be tried again");
        co_await transport_->clock->wait_until(f, transport_->clock->now() + std::max(delay, r.retry_after));
        delay *= 2;
    }
}

task<webhook::result> webhook::post(fiber& f, std::string const& body)
{
    result r;
    pool& connections = *transport_->connections;
    lease connection = connections.try_acquire(host_);
    if (!connection)
    {
        transport_failure failure;
        connection = co_await connections.acquire(f, host_, failure);
        if (failure.ec)
        {
            r.why = std::string(kind_name(failure.ec)) + (failure.detail.empty() ? "" : ", " + failure.detail);
            r.lasting = failure.lasting;
            co_return r;
        }
    }
    exchange e(f, std::move(connection), transport_->timeouts, transport_->limits, transport_->memory);
    std::string& out = e.request();
    out = webhook_request(target_, body.size());
    e.set_head_size(out.size());
    out += body;
    error_code ec = co_await e.begin(transport_->timeouts.first_byte);
    if (!ec)
        ec = co_await e.read_body(webhook_answer_read, true, transport_->timeouts.idle);
    // The status says enough: a body that is cut takes nothing away from it.
    if (ec && e.status() < 200)
    {
        r.why = std::string(kind_name(ec));
        co_return r;
    }
    int const status = e.status();
    r.sent = status >= 200 && status <= 299;
    r.lasting = status < 500 && status != 408 && status != 429;
    r.retry_after = webhook_rest(e.fields().find("retry-after"));
    r.why = "it answers with status " + std::to_string(status);
    e.end();
    co_return r;
}

} // namespace serin
