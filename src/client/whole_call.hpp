// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_WHOLE_CALL_HPP
#define SERIN_SRC_CLIENT_WHOLE_CALL_HPP

#include "../chat/json_reader.hpp"
#include "call.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace serin {

// A call for a whole answer. Endpoint says what is asked and how the answer is read:
//   using request, response
//   static error_code write(client_impl const&, request&&, call_request& out, std::string& why)
//   static error_code read(json_reader&, exchange const&, std::size_t inputs, response& out, server_error& err)
template <class Endpoint>
class whole_call final : public call
{
public:
    using request = typename Endpoint::request;
    using response = typename Endpoint::response;

    whole_call(std::shared_ptr<client_impl> client, request asked, diagnostics* diag, any_handler<response> handler)
        : call(std::move(client), diag),
          asked_(std::move(asked)),
          handler_(std::move(handler), client_->executor)
    {}

    ~whole_call() override { destroy_coroutine(); }

    static void launch(
        std::shared_ptr<client_impl> client, request asked, diagnostics* diag, any_handler<response> handler)
    {
        auto const self = std::make_shared<whole_call>(std::move(client), std::move(asked), diag, std::move(handler));
        self->handler_.connect_slot(self);
        self->start(self->run());
    }

private:
    task<void> run()
    {
        call_request to_send;
        ec_ = Endpoint::write(*client_, std::move(asked_), to_send, detail_);
        if (ec_)
            co_return;
        inputs_ = to_send.inputs;
        begin(std::move(to_send));
        for (;;)
        {
            begin_attempt();
            ec_ = co_await attempt_once();
            end_attempt(ec_);
            if (fsm_.attempt_ended(ec_) == call_fsm::action::finish)
                break;
        }
        exchange_.reset();
    }

    task<error_code> attempt_once()
    {
        error_code ec = co_await open();
        if (ec)
            co_return ec;
        phase_ = call_phase::body;
        if (diag_)
            keep_fields();
        ec = co_await exchange_->read_body(client_->params.limits.body, false, client_->params.timeouts.idle);
        if (ec)
            co_return ec;
        server_error err;
        auto reader = client_->take_reader();
        ec = Endpoint::read(*reader, *exchange_, inputs_, result_, err);
        client_->put_reader(std::move(reader));
        result_.upstream = upstream_name();
        result_.request_id = request_id();
        exchange_->end();
        exchange_.reset();
        if (ec)
            co_return refused(ec, std::move(err));
        co_return ec;
    }

    void on_finished(std::exception_ptr error) override
    {
        if (error)
            ec_ = make_error_code(boost::system::errc::not_enough_memory); // Nothing else throws below
        report(ec_, nullptr);
        handler_(*this, ec_, ec_ ? response() : std::move(result_));
    }

    request asked_;
    std::size_t inputs_ = 0;
    completion<response> handler_;
    response result_;
    error_code ec_;
};

} // namespace serin

#endif
