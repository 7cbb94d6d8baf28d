// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_WHOLE_CALL_HPP
#define SERIN_SRC_CLIENT_WHOLE_CALL_HPP

#include "../chat/json_reader.hpp"
#include "call.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace serin {

// One try to get a whole answer.
template <class Endpoint>
class whole_attempt final : public request_attempt
{
public:
    using request_attempt::request_attempt;

    task<error_code> run(fiber& f, steady_time give_up_at) override
    {
        error_code ec = co_await open(f, give_up_at);
        if (ec)
            co_return ec;
        phase_ = call_phase::body;
        if (keep_fields_)
            keep_fields();
        ec = co_await exchange_->read_body(client_.params.limits.body, false, config_.params.timeouts.idle);
        if (!ec)
        {
            server_error err;
            auto reader = client_.take_reader();
            ec = Endpoint::read(*reader, *exchange_, asked_.inputs, result, err);
            client_.put_reader(std::move(reader));
            if (ec)
                ec = refused(ec, std::move(err));
        }
        if (ec)
        {
            keep_fields();
        }
        else
        {
            result.upstream = upstream_name();
            result.request_id = request_id();
        }
        used(Endpoint::usage(result), ec);
        exchange_->end();
        drop();
        co_return ec;
    }

    std::string_view answer_text() override { return Endpoint::text(result); }

    typename Endpoint::response result;
};

// A call for a whole answer. Endpoint says what is asked and how the answer is read:
//   using request, response
//   static error_code write(routing const&, request&&, call_request& out, std::string& why)
//   static error_code read(json_reader&, exchange const&, std::size_t inputs, response& out, server_error& err)
//   static token_usage const* usage(response const&): what it has cost; null if that is not known
//   static std::string_view text(response const&): what the model says; empty if it does not say anything
template <class Endpoint>
class whole_call final : public call
{
public:
    using request = typename Endpoint::request;
    using response = typename Endpoint::response;

    whole_call(std::shared_ptr<client_impl> client, diagnostics* diag, any_handler<response> handler)
        : call(std::move(client), diag),
          handler_(std::move(handler), client_->completion_executor)
    {}

    ~whole_call() override { destroy_coroutine(); }

    static std::weak_ptr<fiber> launch(
        std::shared_ptr<client_impl> client, request&& asked, diagnostics* diag, any_handler<response> handler)
    {
        auto const self = std::allocate_shared<whole_call>(
            recycling_allocator<whole_call>(), std::move(client), diag, std::move(handler));
        call_request to_send;
        self->ec_ = Endpoint::write(self->config(), std::move(asked), to_send, self->detail_);
        if (!self->ec_)
            self->begin(std::move(to_send));
        self->handler_.connect_slot(self);
        self->start(self->run());
        return self;
    }

private:
    task<void> run()
    {
        if (!ec_)
            ec_ = co_await answer();
    }

    std::unique_ptr<request_attempt> make_attempt(attempt_start start) override
    {
        return std::make_unique<whole_attempt<Endpoint>>(std::move(start));
    }

    void on_finished(std::exception_ptr error) override
    {
        if (error)
            ec_ = make_error_code(boost::system::errc::not_enough_memory); // Nothing else throws below
        tell_end(ec_);
        report(ec_, nullptr);
        if (ec_)
            handler_(*this, ec_, response());
        else
            handler_.complete(*this, ec_, [answered = take_last()]() -> response&& {
                return std::move(static_cast<whole_attempt<Endpoint>&>(*answered).result);
            });
    }

    completion<response> handler_;
    error_code ec_;
};

} // namespace serin

#endif
