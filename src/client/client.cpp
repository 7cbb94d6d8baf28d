// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/client.hpp>

#include "cached_call.hpp"
#include "cached_stream.hpp"
#include "client_impl.hpp"
#include "endpoints.hpp"
#include "stream_call.hpp"
#include "whole_call.hpp"

#include <boost/asio/error.hpp>

#include <utility>

namespace serin {

client::client(executor_type ex, client_params&& params)
    : impl_(std::make_shared<client_impl>(std::move(ex), std::move(params)))
{
    impl_->introduce();
}

client::client(executor_type ex, client_params const& params)
    : impl_(std::make_shared<client_impl>(std::move(ex), params))
{
    impl_->introduce();
}

client::client(std::shared_ptr<client_impl> impl) noexcept : impl_(std::move(impl))
{
    impl_->introduce();
}
client::client(client&&) noexcept = default;

client& client::operator=(client&& other) noexcept
{
    std::swap(impl_, other.impl_);
    return *this;
}

client::~client()
{
    if (!impl_)
        return;
    stop();
    impl_->group->interrupt_all(asio::error::operation_aborted, false);
}

client::executor_type client::get_executor() const noexcept
{
    return impl_->executor;
}

void client::launch_chat(
    std::shared_ptr<client_impl> impl, chat_request&& request, diagnostics* diag, any_handler<chat_response> handler)
{
    if (auto plan = impl->plan_cache(request, false))
        cached_call::launch(std::move(impl), std::move(*plan), std::move(request), diag, std::move(handler));
    else
        whole_call<chat_endpoint>::launch(std::move(impl), std::move(request), diag, std::move(handler));
}

void client::launch_stream(
    std::shared_ptr<client_impl> impl, chat_request&& request, diagnostics* diag, any_handler<chat_stream> handler)
{
    if (auto plan = impl->plan_cache(request, true))
        cached_stream::launch(std::move(impl), std::move(*plan), std::move(request), diag, std::move(handler));
    else
        stream_call::launch(std::move(impl), std::move(request), diag, std::move(handler));
}

void client::launch_embed(std::shared_ptr<client_impl> impl, embedding_request&& request, diagnostics* diag,
    any_handler<embedding_response> handler)
{
    whole_call<embedding_endpoint>::launch(std::move(impl), std::move(request), diag, std::move(handler));
}

void client::launch_moderate(std::shared_ptr<client_impl> impl, moderation_request&& request, diagnostics* diag,
    any_handler<moderation_response> handler)
{
    whole_call<moderation_endpoint>::launch(std::move(impl), std::move(request), diag, std::move(handler));
}

void client::launch_models(
    std::shared_ptr<client_impl> impl, model_list_request&& request, diagnostics* diag, any_handler<model_list> handler)
{
    whole_call<models_endpoint>::launch(std::move(impl), std::move(request), diag, std::move(handler));
}

void client::launch_raw(
    std::shared_ptr<client_impl> impl, raw_request&& request, diagnostics* diag, any_handler<raw_response> handler)
{
    whole_call<raw_endpoint>::launch(std::move(impl), std::move(request), diag, std::move(handler));
}

void client::cancel()
{
    impl_->group->interrupt_all(asio::error::operation_aborted, true);
}

error_code client::reload_keys(diagnostics& diag)
{
    error_code first;
    for (auto const& u : impl_->current()->upstreams)
    {
        std::string why;
        error_code const ec = u->keys ? u->keys->reload(why) : error_code();
        if (ec && !first)
        {
            first = ec;
            diag.upstream = u->params.name;
            diag.message = std::move(why);
        }
    }
    return first;
}

error_code client::reload_keys()
{
    diagnostics ignored;
    return reload_keys(ignored);
}

void client::start()
{
    impl_->watch(true);
}

void client::stop()
{
    impl_->watch(false);
}

std::vector<upstream_keys> client::keys() const
{
    std::vector<upstream_keys> all;
    for (auto const& u : impl_->current()->upstreams)
        if (u->keys)
            all.push_back({u->params.name, u->keys->states()});
    return all;
}

error_code client::reconfigure(client_params params, diagnostics& diag)
{
    return impl_->reconfigure(std::move(params), diag);
}

client_params client::params() const
{
    return impl_->current()->params;
}

cost_report client::costs() const
{
    return impl_->costs();
}

std::vector<upstream_status> client::upstreams() const
{
    return impl_->upstream_states();
}

std::vector<rollout_report> client::rollouts() const
{
    return impl_->rollout_reports();
}

std::vector<mirror_report> client::mirrors() const
{
    return impl_->mirror_reports();
}

rollout_event client::promote_rollout(std::string_view model)
{
    return impl_->change_rollout(model, &rollout::promote);
}

rollout_event client::pause_rollout(std::string_view model)
{
    return impl_->change_rollout(model, &rollout::pause);
}

rollout_event client::resume_rollout(std::string_view model)
{
    return impl_->change_rollout(model, &rollout::resume);
}

rollout_event client::abort_rollout(std::string_view model)
{
    return impl_->change_rollout(model, &rollout::abort);
}

rollout_event client::restart_rollout(std::string_view model)
{
    return impl_->change_rollout(model, &rollout::restart);
}

std::optional<rollout_state> client::save_rollout(std::string_view model) const
{
    return impl_->save_rollout(model);
}

bool client::restore_rollout(std::string_view model, rollout_state const& saved)
{
    return impl_->restore_rollout(model, saved);
}

cache_counts client::cache() const
{
    return impl_->cache->counts();
}

void client::close_idle_connections()
{
    impl_->connections->close_idle();
}

connection_counts client::connections() const
{
    auto const n = impl_->connections->count();
    connection_counts counts;
    counts.live = n.live;
    counts.idle = n.idle;
    counts.waiting = n.waiting;
    return counts;
}

// ---------------------------------------------------------------------------------------------------------

chat_stream::chat_stream() noexcept = default;
chat_stream::chat_stream(std::shared_ptr<stream_source> impl) noexcept : impl_(std::move(impl)) {}
chat_stream::chat_stream(chat_stream&&) noexcept = default;

chat_stream& chat_stream::operator=(chat_stream&& other) noexcept
{
    chat_stream ended(std::move(other));
    std::swap(impl_, ended.impl_);
    return *this;
}

chat_stream::~chat_stream()
{
    if (impl_)
        impl_->abandon();
}

chat_stream::executor_type chat_stream::get_executor() const noexcept
{
    return impl_->client_executor();
}

void chat_stream::async_next_erased(
    std::shared_ptr<stream_source> impl, diagnostics* diag, any_handler<std::optional<chat_delta>> handler)
{
    impl->next(diag, std::move(handler));
}

asio::awaitable<std::optional<chat_delta>> chat_stream::await_next(
    std::shared_ptr<stream_source> impl, diagnostics* diag)
{
    if (auto ready = impl->next_at_once())
        co_return ready;
    default_token token;
    initiate_next init{{impl->client_executor()}};
    auto waiting = asio::async_initiate<default_token, void(error_code, std::optional<chat_delta>)>(
        std::move(init), token, diag, std::move(impl));
    auto delta = co_await std::move(waiting);
    co_return delta;
}

std::optional<chat_delta> chat_stream::try_next()
{
    return impl_->try_next();
}

chat_response const& chat_stream::response() const noexcept
{
    return impl_->response();
}

} // namespace serin
