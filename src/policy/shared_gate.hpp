// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_SHARED_GATE_HPP
#define SERIN_SRC_POLICY_SHARED_GATE_HPP

#include "../core/clock_source.hpp"
#include "../core/fiber.hpp"
#include "../core/task.hpp"

#include <serin/policy/shared_limits.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace serin {

class shared_gate;

// What one attempt has taken from the limits that processes share. Destroyed, it comes back unless sent() was called.
// May outlive the client. One thread at a time.
class shared_permit
{
public:
    shared_permit() noexcept = default;
    shared_permit(shared_permit&& other) noexcept = default;
    shared_permit& operator=(shared_permit&& other) noexcept;
    ~shared_permit() { reset(); }

    explicit operator bool() const noexcept { return gate_ != nullptr; }

    // The server may have seen something of the request.
    void sent() noexcept { sent_ = true; }

    // It has used so many tokens, prompt and answer together. The last word counts.
    void used(std::uint64_t tokens);

    // The attempt is over.
    void reset() noexcept;

private:
    friend class shared_gate;

    std::shared_ptr<shared_gate> gate_;
    double tokens_ = 0;
    bool sent_ = false;
};

// Lets attempts begin when the limits that processes share allow it. While they cannot be asked, at once.
class shared_gate : public std::enable_shared_from_this<shared_gate>
{
public:
    // `name` is the same in all processes.
    shared_gate(std::shared_ptr<shared_limits> limits, std::string name, rate_limit_params const& params,
        std::shared_ptr<clock_source> clock, asio::any_io_executor ex);

    // Passes when it is the attempt's turn. Fails with errc::rate_limited if that is not before `deadline`, or not now
    // if the limits are not to be waited for; `retry_after` says how long it would have taken then. Fails with
    // f.interrupted() once that is set.
    task<error_code> enter(fiber& f, std::uint64_t estimate_tokens, steady_time deadline, shared_permit& out,
        steady_time::duration& retry_after);

private:
    friend class shared_permit;

    struct question;
    class question_guard;

    task<std::optional<shared_limits::verdict>> ask(fiber& f, double tokens, std::chrono::microseconds max_wait);
    void give_back(double requests, double tokens) noexcept;

    std::shared_ptr<shared_limits> const limits_;
    std::string const name_;
    rate_limit_params const params_;
    std::shared_ptr<clock_source> const clock_;
    asio::any_io_executor const executor_;
};

} // namespace serin

#endif
