// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_CALL_HPP
#define SERIN_SRC_CLIENT_CALL_HPP

#include "../chat/errors.hpp"
#include "../core/completion.hpp"
#include "../http/exchange.hpp"
#include "call_fsm.hpp"
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
    std::string model;         // What the user asked for; an upstream may have its own.
    bool model_in_body = true; // The body is an object that begins with the model.
    std::string body;          // The rest of the body; empty and no model in it: none is sent.
    std::size_t inputs = 0;    // How many items the answer must have; 0: unknown.
    std::optional<duration> timeout;
};

// What whole and streamed calls share: the attempt loop's state, and how a request reaches an upstream.
class call : public fiber
{
public:
    call(std::shared_ptr<client_impl> client, diagnostics* diag);
    ~call() override;

protected:
    // The call begins: sets its deadline and chooses the upstream.
    void begin(call_request request);

    // Begins an attempt at the upstream that the decision names, and ends it.
    void begin_attempt();
    void end_attempt(error_code ec);

    // Sends the request and reads the head of the answer. No error: exchange_ holds a 2xx answer whose body follows.
    task<error_code> open();

    // Fills the user's diagnostics, if there are any, with the outcome of the call.
    void report(error_code ec, chat_response const* partial);

    // Keeps the header fields of the answer for report(), which may come after the connection is gone.
    void keep_fields();

    // Who answers, and the server's name for the request.
    std::string const& upstream_name() const noexcept { return target().params.name; }
    std::string request_id() const;

    // An error code that came with a server_error: notes what the server said.
    error_code refused(error_code ec, server_error err);

    std::shared_ptr<client_impl> const client_;
    call_fsm fsm_;
    diagnostics* diag_;
    std::optional<exchange> exchange_;
    call_phase phase_ = call_phase::none;
    std::string detail_; // What is known of a failure that no server described.

private:
    task<error_code> refuse();
    error_code write_request();
    void wipe_request() noexcept;
    std::string const& model() const noexcept;
    upstream_state const& target() const noexcept { return client_->upstreams[fsm_.upstream()]; }

    call_request request_;
    std::string request_bytes_;
    std::size_t head_size_ = 0;
    std::shared_ptr<secret const> key_;
    std::vector<attempt> attempts_;
    steady_time attempt_began_{};

    // Of the last answer.
    int status_ = 0;
    headers fields_;
    std::string body_;
    server_error server_;
};

} // namespace serin

#endif
