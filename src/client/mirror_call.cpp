// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "mirror_call.hpp"

#include "endpoints.hpp"
#include "stream_attempt.hpp"
#include "whole_call.hpp"

#include <utility>

namespace serin {

void mirror_call::launch(std::shared_ptr<client_impl> client, std::shared_ptr<routing const> config,
    route const& through, call_request const& as)
{
    if (!client->begin_copy(through))
        return;
    auto const self = std::make_shared<mirror_call>(std::move(client), std::move(config), through);
    call_request copy = as;
    copy.recovery = stream_recovery::fail;
    copy.keep_events = false;
    copy.model_member.clear(); // begin() writes it again.
    self->begin(std::move(copy), *through.mirror_to, true);
    self->start(self->run());
}

mirror_call::mirror_call(
    std::shared_ptr<client_impl> client, std::shared_ptr<routing const> config, route const& through)
    : call(std::move(client), std::move(config), nullptr),
      mirrored_(through)
{}

mirror_call::~mirror_call()
{
    destroy_coroutine();
    client_->copy_ended(mirrored_);
}

task<void> mirror_call::run()
{
    error_code ec = co_await answer_once();
    if (ec || last()->is_complete())
        co_return;
    auto& stream = static_cast<stream_attempt&>(*last());
    for (;;)
    {
        stream_attempt::progress const p = stream.advance(interrupted());
        if (p == stream_attempt::progress::over)
            break;
        if (p == stream_attempt::progress::delta)
            stream.take_delta();
        else
            co_await stream.read(*this);
    }
    ec = stream.result();
    answer_ended(ec);
    if (!ec)
        co_await stream.drain(*this);
}

std::unique_ptr<request_attempt> mirror_call::make_attempt(attempt_start start)
{
    if (request_.streams)
        return std::make_unique<stream_attempt>(std::move(start));
    return std::make_unique<whole_attempt<chat_endpoint>>(std::move(start));
}

} // namespace serin
