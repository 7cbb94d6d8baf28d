// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_CACHED_CALL_HPP
#define SERIN_SRC_CLIENT_CACHED_CALL_HPP

#include "../core/completion.hpp"
#include "client_impl.hpp"
#include "response_cache.hpp"

#include <serin/chat/request.hpp>
#include <serin/chat/response.hpp>
#include <serin/core/diagnostics.hpp>

#include <memory>

namespace serin {

// A chat whose whole answer may come from the cache. Whoever asks the server is another fiber: this one waits for it,
// together with those of identical calls.
class cached_call final : public fiber
{
public:
    cached_call(std::shared_ptr<client_impl> client, cache_plan plan, chat_request&& request, diagnostics* diag,
        any_handler<chat_response> handler);
    ~cached_call() override;

    static void launch(std::shared_ptr<client_impl> client, cache_plan plan, chat_request&& request, diagnostics* diag,
        any_handler<chat_response> handler);

private:
    task<void> run();
    void abandoned() noexcept override;
    void on_finished(std::exception_ptr error) override;

    std::shared_ptr<client_impl> const client_;
    cache_plan const plan_;
    chat_request const request_;
    diagnostics* const diag_;
    completion<chat_response> handler_;
    response_cache::seat seat_;
    error_code ec_;
};

} // namespace serin

#endif
