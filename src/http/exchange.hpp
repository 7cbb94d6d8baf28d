// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_HTTP_EXCHANGE_HPP
#define SERIN_SRC_HTTP_EXCHANGE_HPP

#include "connection.hpp"
#include "memory_budget.hpp"
#include "pool.hpp"
#include "response_parser.hpp"

#include <serin/core/diagnostics.hpp>
#include <serin/http/params.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace serin {

// One request and its response on one connection. Reads while it writes, so that an early refusal is heard
// before the broken pipe. Leaves the deadlines of the fiber as its last step set them.
class exchange
{
public:
    exchange(fiber& f, lease on, timeout_params const& timeouts, limit_params const& limits,
        std::shared_ptr<memory_budget> budget);

    // Where the request is to be put, and how much of that is its head, which is wiped once it was sent.
    std::string& request() noexcept { return lease_->output; }
    void set_head_size(std::size_t size) noexcept { lease_->output_head = size; }

    // Sends the request and reads the response's head. Interim responses are skipped. Errors: errc::connection_lost,
    // tls_failed, malformed_response, response_too_large, write_timeout, first_byte_timeout, idle_timeout.
    task<error_code> begin(duration first_byte_timeout);

    // Reads the whole body, which is then in body(); errc::idle_timeout if no byte comes for that long. With `cut` a
    // longer body than `limit` is cut there, otherwise it is errc::response_too_large.
    task<error_code> read_body(std::size_t limit, bool cut, duration idle_timeout);
    std::string_view body() const noexcept { return whole_; }

    // Streaming: the next piece of the body among the bytes received. step::need_more: fill() and ask again. The
    // piece is valid until the next fill().
    response_parser::step next_piece(std::string_view& piece, error_code& ec);

    // Waits for bytes. An error is the fiber's interruption or the end of the connection.
    io_wait fill() { return io_wait(*fiber_, *lease_, io_wait::operation::fill); }

    // From now on `f` waits. It runs on the same executor as the fiber before, which waits for nothing.
    void hand_to(fiber& f) noexcept { fiber_ = &f; }

    // The connection has ended: what that means for the response.
    error_code on_end() { return parser_->finish(); }

    int status() const noexcept { return parser_->status(); }
    bool complete() const noexcept { return parser_->complete(); }
    bool answered() const noexcept { return answered_; } // A byte of a response has come.
    bool on_used_connection() const noexcept { return used_connection_; }
    steady_time sent_at() const noexcept { return sent_at_; }
    call_phase phase() const noexcept { return phase_; }

    // What is known about errc::tls_failed.
    std::string const& tls_failure() const noexcept { return lease_->tls_failure(); }
    field_block const& fields() const noexcept { return lease_->fields; }
    memory_share& memory() noexcept { return memory_; }

    // Gives the connection back if the response was read to its end and may be followed by another.
    void end();

    // Whether end() would give the connection back once the rest of the body has been read.
    bool worth_draining() const { return lease_ && !early_ && !parser_->complete() && parser_->keeps_alive(); }

private:
    void deadline(duration d, errc why);
    bool head_is_there(error_code& ec);

    fiber* fiber_;
    lease lease_;
    timeout_params const& timeouts_;
    limit_params const& limits_;
    memory_share memory_;
    std::optional<response_parser> parser_;
    std::string body_;
    std::string_view whole_;
    steady_time sent_at_{};
    call_phase phase_ = call_phase::write;
    int interim_responses_ = 0;
    bool used_connection_;
    bool answered_ = false;
    bool early_ = false; // Answered before all was sent: the connection cannot be used again.
};

} // namespace serin

#endif
