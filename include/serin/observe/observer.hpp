// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_OBSERVE_OBSERVER_HPP
#define SERIN_OBSERVE_OBSERVER_HPP

#include <serin/observe/client_state.hpp>
#include <serin/observe/event.hpp>

#include <memory>
#include <vector>

namespace serin {

/// Is told what happens during calls. Override what is of interest; the rest does nothing.
///
/// Thread safety: called from every thread that runs the client's context, several at once if there are several.
/// Functions must return soon: the call waits. They must not use the client that calls them. What they throw is
/// swallowed. One observer may serve several clients.
class observer
{
public:
    observer() = default;
    observer(observer const&) = delete;
    observer& operator=(observer const&) = delete;
    virtual ~observer() = default;

    /// Whether events shall hold what was asked and answered: conversations may be confidential. Asked once for each
    /// client.
    virtual bool wants_content() const noexcept { return false; }

    /// Whether on_chunk_received() shall be called. Asked once for each client.
    virtual bool wants_chunks() const noexcept { return false; }

    /// Whether on_tokens_timed() shall be called, which costs a stream much less. Asked once for each client.
    virtual bool wants_token_times() const noexcept { return false; }

    /// A client will call this observer. `source` tells how it is doing whenever it is asked, for as long as it lives.
    virtual void on_client(std::weak_ptr<client_state_source const> const& source);

    virtual void on_call_started(call_started const& event);                 ///< @copydoc call_started
    virtual void on_attempt_started(attempt_started const& event);           ///< @copydoc attempt_started
    virtual void on_attempt_ended(attempt_ended const& event);               ///< @copydoc attempt_ended
    virtual void on_first_token_received(first_token_received const& event); ///< @copydoc first_token_received
    virtual void on_chunk_received(chunk_received const& event);             ///< @copydoc chunk_received
    virtual void on_tokens_timed(tokens_timed const& event);                 ///< @copydoc tokens_timed
    virtual void on_retry_planned(retry_planned const& event);               ///< @copydoc retry_planned
    virtual void on_failover_planned(failover_planned const& event);         ///< @copydoc failover_planned
    virtual void on_key_rotated(key_rotated const& event);                   ///< @copydoc key_rotated
    virtual void on_circuit_changed(circuit_changed const& event);           ///< @copydoc circuit_changed
    virtual void on_rollout_changed(rollout_changed const& event);           ///< @copydoc rollout_changed
    virtual void on_budget_reached(budget_reached const& event);             ///< @copydoc budget_reached
    virtual void on_cache_looked_up(cache_looked_up const& event);           ///< @copydoc cache_looked_up
    virtual void on_call_ended(call_ended const& event);                     ///< @copydoc call_ended
};

/// Passes everything on to several observers, in their order. What one of them throws does not keep it from the others.
class observer_list final : public observer
{
public:
    /// Null pointers are left out.
    explicit observer_list(std::vector<std::shared_ptr<observer>> observers);

    bool wants_content() const noexcept override;
    bool wants_chunks() const noexcept override;
    bool wants_token_times() const noexcept override;
    void on_client(std::weak_ptr<client_state_source const> const& source) override;
    void on_call_started(call_started const& event) override;
    void on_attempt_started(attempt_started const& event) override;
    void on_attempt_ended(attempt_ended const& event) override;
    void on_first_token_received(first_token_received const& event) override;
    void on_chunk_received(chunk_received const& event) override;
    void on_tokens_timed(tokens_timed const& event) override;
    void on_retry_planned(retry_planned const& event) override;
    void on_failover_planned(failover_planned const& event) override;
    void on_key_rotated(key_rotated const& event) override;
    void on_circuit_changed(circuit_changed const& event) override;
    void on_rollout_changed(rollout_changed const& event) override;
    void on_budget_reached(budget_reached const& event) override;
    void on_cache_looked_up(cache_looked_up const& event) override;
    void on_call_ended(call_ended const& event) override;

private:
    template <class Event>
    void tell(void (observer::*what)(Event const&), Event const& event) const noexcept;

    std::vector<std::shared_ptr<observer>> observers_;
};

} // namespace serin

#endif
