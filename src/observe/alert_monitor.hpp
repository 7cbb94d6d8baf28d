// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_OBSERVE_ALERT_MONITOR_HPP
#define SERIN_SRC_OBSERVE_ALERT_MONITOR_HPP

#include "alert_watch.hpp"
#include "webhook.hpp"

#include <serin/observe/observer.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace serin {

// Looks after alert rules between start() and stop(): gathers what it is told as an observer, checks the rules again
// and again, and delivers alerts. Safe from any thread.
class alert_monitor final : public observer, public std::enable_shared_from_this<alert_monitor>
{
public:
    using log_function = std::function<void(log_level, std::string_view)>;

    alert_monitor(asio::any_io_executor ex, bool use_strands, tls_params tls, std::shared_ptr<clock_source> clock,
        log_function log);
    ~alert_monitor() override;

    // The rules from now on, in which alert_problem() finds nothing. One that was there before, but for where it is
    // delivered to, keeps its figures and its state.
    void set_rules(std::vector<alert_rule> rules);

    // Holds work in the context until stop(), if there is a rule.
    void start();
    void stop() noexcept;

    void on_attempt_ended(attempt_ended const& event) override;
    void on_first_token_received(first_token_received const& event) override;
    void on_call_ended(call_ended const& event) override;

private:
    class checker;

    struct entry
    {
        alert_watch watch;
        std::shared_ptr<webhook> hook; // Made when the first alert is delivered
    };

    template <class Event>
    void add(Event const& event);

    void find_webhook(alert_rule& rule) const;
    void begin_locked();
    void end_locked() noexcept;
    task<void> check_until_stopped(fiber& f, steady_time::duration interval);
    void check();
    std::shared_ptr<webhook> hook_locked(entry& e);

    asio::any_io_executor const executor_;
    bool const use_strands_;
    tls_params const tls_;
    std::shared_ptr<clock_source> const clock_;
    log_function const log_;

    std::atomic<bool> running_{false}; // Read without the mutex by calls, most of which find nothing to do
    std::mutex mutex_;
    bool started_ = false; // By the user: without rules there is nothing to run
    std::vector<entry> entries_;
    std::shared_ptr<webhook_transport> transport_; // While it runs
    std::weak_ptr<fiber> checker_;
};

} // namespace serin

#endif
