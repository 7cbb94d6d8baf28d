// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "exchange.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>

namespace serin {
namespace {

constexpr int max_interim_responses = 32;

} // namespace

exchange::exchange(fiber& f, lease on, timeout_params const& timeouts, limit_params const& limits,
    std::shared_ptr<memory_budget> budget)
    : fiber_(&f),
      lease_(std::move(on)),
      timeouts_(timeouts),
      limits_(limits),
      memory_(std::move(budget)),
      used_connection_(lease_->requests != 0)
{
    ++lease_->requests;
    lease_->input_limit = 2 * std::clamp<std::size_t>(limits_.head, 64 * 1024, 1 << 30);
    parser_.emplace(limits_.head, lease_->fields);
}

void exchange::deadline(duration d, errc why)
{
    fiber_->set_deadline(deadline_after(d), why);
}

// Parses what was received. True: the head of the final response is there, or there is an error.
bool exchange::head_is_there(error_code& ec)
{
    for (;;)
    {
        std::size_t used = 0;
        auto const step = parser_->advance(lease_->input(), used, ec);
        lease_->consume(used);
        answered_ = answered_ || parser_->got_anything();
        if (step == response_parser::step::need_more)
            return false;
        if (step == response_parser::step::failed)
            return true;
        if (parser_->status() >= 200)
            return true;
        // An interim response. A switch of protocols was not asked for.
        if (parser_->status() == 101 || ++interim_responses_ > max_interim_responses)
        {
            ec = errc::malformed_response;
            return true;
        }
        parser_.emplace(limits_.head, lease_->fields);
    }
}

task<error_code> exchange::begin(duration first_byte_timeout)
{
    error_code ec;
    error_code broken;
    bool have_head = false;
    std::string_view unsent = lease_->output;
    while (!unsent.empty() && !have_head && !broken)
    {
        deadline(timeouts_.write, errc::write_timeout);
        bool heard = false;
        ec = co_await send_wait(*fiber_, *lease_, unsent, heard);
        if (fiber_->interrupted())
            co_return ec;
        broken = ec;
        if (heard)
        {
            ec = {};
            have_head = head_is_there(ec);
            if (have_head && ec)
                co_return ec;
        }
    }
    early_ = !unsent.empty();
    lease_->wipe_output();
    sent_at_ = std::chrono::steady_clock::now();

    phase_ = call_phase::head;
    deadline(first_byte_timeout, errc::first_byte_timeout);
    ec = {};
    while (!have_head)
    {
        // After a broken write there may still be an answer to read, and then the end.
        ec = co_await fill();
        if (fiber_->interrupted())
            co_return ec;
        if (ec == asio::error::no_buffer_space)
            co_return errc::response_too_large;
        if (ec && answered_)
            co_return errc::malformed_response;
        // Under TLS 1.3 a server that does not like the client's certificate says so only now.
        if (ec == errc::tls_failed || broken == errc::tls_failed)
            co_return errc::tls_failed;
        if (ec)
            co_return errc::connection_lost;
        have_head = head_is_there(ec);
        if (have_head && ec)
            co_return ec;
        if (answered_)
            deadline(timeouts_.idle, errc::idle_timeout);
    }
    phase_ = call_phase::body;
    co_return error_code();
}

response_parser::step exchange::next_piece(std::string_view& piece, error_code& ec)
{
    std::size_t used = 0;
    auto const step = parser_->advance(lease_->input(), used, ec);
    piece = parser_->piece();
    lease_->consume(used);
    return step;
}

task<error_code> exchange::read_body(std::size_t limit, bool cut, duration idle_timeout)
{
    // A body that lies whole in one piece is not copied.
    std::string_view only;
    error_code ec;
    if (!cut)
    {
        if (parser_->announced_length().value_or(0) > limit)
            co_return errc::response_too_large;
        parser_->limit_body(limit);
    }
    for (;;)
    {
        std::string_view piece;
        switch (next_piece(piece, ec))
        {
        case response_parser::step::head: break;
        case response_parser::step::body:
            if (body_.empty() && only.empty())
            {
                only = piece;
                break;
            }
            if (body_.empty())
                body_.assign(only);
            body_.append(piece.substr(0, std::min(piece.size(), limit - std::min(limit, body_.size()))));
            if (!memory_.set(body_.capacity()))
                co_return errc::memory_limit;
            break;
        case response_parser::step::end:
            whole_ = body_.empty() ? only : std::string_view(body_);
            co_return error_code();
        case response_parser::step::failed: co_return ec;
        case response_parser::step::need_more:
            if (body_.empty())
                body_.assign(only);
            if (cut && body_.size() >= limit)
            {
                whole_ = body_;
                co_return error_code();
            }
            deadline(idle_timeout, errc::idle_timeout);
            ec = co_await fill();
            if (fiber_->interrupted())
                co_return ec;
            if (ec == asio::error::no_buffer_space)
                co_return errc::response_too_large;
            if (ec)
            {
                ec = ec == asio::error::eof ? parser_->finish() : make_error_code(errc::malformed_response);
                if (ec)
                    co_return ec;
            }
            break;
        }
    }
}

void exchange::end()
{
    if (!lease_)
        return;
    if (parser_->complete() && parser_->keeps_alive() && !early_ && lease_->input().empty())
        lease_.release(lease_->fields.find("keep-alive"));
    else
        lease_.close();
}

} // namespace serin
