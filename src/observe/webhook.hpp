// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_OBSERVE_WEBHOOK_HPP
#define SERIN_SRC_OBSERVE_WEBHOOK_HPP

#include "../core/clock_source.hpp"
#include "../http/memory_budget.hpp"
#include "../http/pool.hpp"
#include "webhook_target.hpp"

#include <serin/core/logger.hpp>

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace serin {

// What webhooks are sent with: connections of their own, so that calls and alerts do not wait for each other.
struct webhook_transport
{
    webhook_transport(asio::any_io_executor ex, bool strands, tls_params const& with_tls,
        std::shared_ptr<clock_source> time, std::function<void(log_level, std::string_view)> log_to);

    asio::any_io_executor executor;
    bool use_strands;
    std::shared_ptr<clock_source> clock;
    std::function<void(log_level, std::string_view)> log;
    std::shared_ptr<fiber_group> group;
    std::shared_ptr<pool> connections;
    std::shared_ptr<memory_budget> memory;
    std::shared_ptr<tls_context> tls;
    std::shared_ptr<resolve_cache> resolver;
    timeout_params timeouts;
    limit_params limits;
};

// Posts texts to a URL, one after another, each until it is taken or has failed for good. Holds work in the context
// only while there is something to send. Safe from any thread.
class webhook : public std::enable_shared_from_this<webhook>
{
public:
    webhook(std::shared_ptr<webhook_transport> transport, webhook_target target);

    // Does not wait. What is one too many is dropped, and logged.
    void send(std::string body);

private:
    class sender;

    // What one try came to.
    struct result
    {
        bool sent = false;
        bool lasting = false; // Another try will come to the same.
        steady_time::duration retry_after{};
        std::string why;
    };

    task<void> send_all(fiber& f);
    task<void> send_one(fiber& f, std::string const& body);
    task<result> post(fiber& f, std::string const& body);
    void log(log_level level, std::string const& text) const;

    std::shared_ptr<webhook_transport> const transport_;
    webhook_target const target_;
    pool_host& host_;
    std::mutex mutex_;
    std::deque<std::string> queue_;
    bool sending_ = false;
};

} // namespace serin

#endif
