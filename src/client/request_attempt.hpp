// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_REQUEST_ATTEMPT_HPP
#define SERIN_SRC_CLIENT_REQUEST_ATTEMPT_HPP

#include "../chat/errors.hpp"
#include "../http/exchange.hpp"
#include "../policy/limit_gate.hpp"
#include "../policy/shared_gate.hpp"
#include "call_fsm.hpp"
#include "call_watch.hpp"
#include "client_impl.hpp"

#include <serin/chat/dialect.hpp>
#include <serin/core/diagnostics.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace serin {

// What a call asks for, whoever it asks.
struct call_request
{
    std::string method = "POST";
    std::string dialect::*path = nullptr; // The endpoint; null: other_path.
    std::string other_path;
    std::string_view accept = "application/json";
    bool streams = false;         // The answer is to come as a stream.
    std::string model;            // What the user asked for; an upstream may have its own.
    bool model_in_body = true;    // The body is an object that begins with the model.
    std::string model_member;     // How the body begins then; filled by the call.
    std::string body;             // The rest of the body; empty and no model in it: none is sent.
    std::size_t inputs = 0;       // How many items the answer must have; 0: unknown.
    std::uint64_t max_answer = 0; // How many tokens the answer may have; 0: unknown.
    std::string sticky_key;       // What sticky routes stick to; empty: nothing.
    std::string tag;              // What costs are put down to.
    std::optional<duration> timeout;
    stream_recovery recovery = stream_recovery::fail; // Of the model's route; filled by the call.
    bool keep_events = false; // Of a stream: as text, to be sent on; never begun anew after its first token
    bool show_usage = false;  // and so is a chunk with the usage alone.

    // Four bytes a token is what English text comes to; the answer's usage corrects it.
    token_estimate estimate() const noexcept { return {body.size() / 4, max_answer}; }
};

// What an attempt begins with. All that it refers to outlives it.
struct attempt_start
{
    client_impl& client;
    routing const& config;
    call_request const& asked;
    route const& through;
    std::size_t member;                    // Of the route
    std::vector<key_pointer> refused_keys; // By servers, during the call so far.
    bool keep_fields;
};

// One try of a call at one upstream, and what is known of it afterwards.
class request_attempt : public recycled
{
public:
    explicit request_attempt(attempt_start start);
    request_attempt(request_attempt const&) = delete;
    request_attempt& operator=(request_attempt const&) = delete;
    virtual ~request_attempt();

    // Where the call keeps its trail entry, and how long the call waited before it.
    void set_place(std::size_t trail_place, duration waited_before) noexcept;

    // Begins to tell of itself. `watch` outlives it.
    void set_watch(call_watch& watch, bool hedge);

    // Asks. No error: the answer is there; of a stream, its first token or its end. What waits longer than `give_up_at`
    // for a limit is not begun. To be awaited to its end, or not at all, and once.
    virtual task<error_code> run(fiber& f, steady_time give_up_at) = 0;

    // Another fiber goes on with what run() has left open.
    void hand_to(fiber& f) noexcept;

    // What the failure `ec` of it means for the next one.
    call_failure failure(error_code ec) const;

    // An answer has come: the key is good.
    void accept_key() noexcept { key_use_.accepted(); }

    // Fills in what the server said and how far it came.
    void describe(diagnostics& d) const;

    // The attempt has ended, or the answer that it has brought. Tells those who judge the upstream, and its keys what
    // that means for the one that was used.
    key_fate settle(error_code ec);

    // What the call's trail holds of it.
    attempt trail_entry(error_code ec) const;

    // Whether its answer has been read to the end.
    virtual bool is_complete() const noexcept { return true; }

    // Closes the connection, if it is still held.
    void drop() noexcept;

    // Which member of its route it asks, and that upstream.
    std::size_t member() const noexcept { return member_; }
    upstream_state const& target() const noexcept { return *asks_.upstream; }

    // There is an answer, or the first token of one, after `took`.
    void answered(duration took) noexcept { answered_after_ = took; }

    std::size_t trail_place() const noexcept { return trail_place_; }
    std::string const& model() const noexcept { return asks_.model.empty() ? asked_.model : asks_.model; }
    std::optional<token_counts> const& tokens() const noexcept { return tokens_; }

    // The text of its answer, where there is one.
    virtual std::string_view answer_text() { return {}; }

    std::string const& upstream_name() const noexcept { return target().params.name; }
    call_phase phase() const noexcept { return phase_; }
    int status() const noexcept { return status_; }
    std::string const& detail() const noexcept { return detail_; }
    key_pointer const& key() const noexcept { return key_; }

protected:
    // Sends the request and reads the head of the answer. No error: exchange_ holds a 2xx answer whose body follows.
    task<error_code> open(fiber& f, steady_time give_up_at);

    // The server's name for the request.
    std::string request_id() const;

    // An error code that came with a server_error: notes what the server said.
    error_code refused(error_code ec, server_error err);

    // Keeps the header fields of the answer, which goes with the connection.
    void keep_fields();

    // The answer is whole, or has failed with `ec`, and this is what the server says about its tokens; null: nothing.
    void used(token_usage const* tokens, error_code ec);

    // A token has come. `last`: when the one before it came; nothing: it is the first.
    void token_came(steady_time at, std::optional<steady_time> last, std::string_view text)
    {
        if (watch_)
            watch_->token(*this, at, began_, last, text);
    }

    client_impl& client_;
    routing const& config_;
    call_request const& asked_;
    std::optional<exchange> exchange_;
    call_phase phase_ = call_phase::none;
    std::string detail_; // What is known of a failure that no server described.
    bool const keep_fields_;

private:
    task<error_code> enter(fiber& f, steady_time give_up_at);
    task<error_code> refuse();
    task<error_code> take_key(fiber& f);
    void write_request(exchange& to_send) const;
    void learn_limits();
    error_code check_budgets();
    void tell_end(error_code ec);

    std::size_t const member_;
    route const& through_;
    route_member const& asks_;
    upstream_use use_;
    std::optional<duration> answered_after_;
    std::size_t trail_place_ = 0;
    duration waited_before_{};
    std::vector<key_pointer> const refused_keys_; // Its own: another attempt may add to the call's while this one waits
    key_use key_use_;
    key_pointer key_; // What key_use_ gave, for as long as texts of the server's may hold it
    permit permit_;
    shared_permit shared_permit_;
    duration waited_here_{}; // For a limit
    steady_time const began_;

    // What is told of it, if somebody watches.
    call_watch* watch_ = nullptr; // Null once it has ended
    bool hedge_ = false;
    duration waited_for_connection_{};
    connection_kind connection_ = connection_kind::none;
    std::optional<token_counts> tokens_;
    nano_dollars cost_ = 0;

    bool lasting_ = false; // The upstream will fail in the same way again.

    // Of the answer.
    int status_ = 0;
    headers fields_;
    std::string body_;
    server_error server_;
    std::optional<std::chrono::milliseconds> own_retry_after_; // A limit of ours will let it pass then.
};

} // namespace serin

#endif
