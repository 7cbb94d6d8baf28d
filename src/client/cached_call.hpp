// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_CACHED_CALL_HPP
#define SERIN_SRC_CLIENT_CACHED_CALL_HPP

#include "../core/completion.hpp"
#include "client_impl.hpp"
#include "relay.hpp"
#include "response_cache.hpp"

#include <serin/chat/request.hpp>
#include <serin/chat/response.hpp>
#include <serin/core/diagnostics.hpp>

#include <memory>

namespace serin {

// A call whose whole answer may come from the cache. Whoever asks the server is another fiber: this one waits for it,
// together with those of identical calls.
template <class Request, class Response>
class cached_whole_call final : public fiber
{
public:
    cached_whole_call(std::shared_ptr<client_impl> client, cache_plan plan, Request&& request, diagnostics* diag,
        any_handler<Response> handler);
    ~cached_whole_call() override;

    static void launch(std::shared_ptr<client_impl> client, cache_plan plan, Request&& request, diagnostics* diag,
        any_handler<Response> handler);

private:
    task<void> run();
    void abandoned() noexcept override;
    void on_finished(std::exception_ptr error) override;

    std::shared_ptr<client_impl> const client_;
    cache_plan const plan_;
    Request const request_;
    diagnostics* const diag_;
    completion<Response> handler_;
    response_cache::seat seat_;
    error_code ec_;
};

using cached_call = cached_whole_call<chat_request, chat_response>;
using cached_relay = cached_whole_call<relay_request, relay_answer>;

} // namespace serin

#endif
