// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "cached_call.hpp"

#include "shared_fetch.hpp"

#include <boost/asio/error.hpp>

#include <utility>

namespace serin {
namespace {

template <class Response>
Response answer_of(shared_fetch const& fetch);

template <>
chat_response answer_of(shared_fetch const& fetch)
{
    return fetch.response();
}

template <>
relay_answer answer_of(shared_fetch const& fetch)
{
    relay_answer answer;
    answer.body = fetch.as_sent();
    answer.upstream = fetch.response().upstream;
    answer.request_id = fetch.response().request_id;
    answer.usage = fetch.response().usage;
    return answer;
}

void mark_cached(chat_response& answer, cache_lookup how)
{
    answer.from_cache = how != cache_lookup::miss;
}

void mark_cached(relay_answer& answer, cache_lookup how)
{
    answer.cache = how;
}

} // namespace

template <class Request, class Response>
cached_whole_call<Request, Response>::cached_whole_call(std::shared_ptr<client_impl> client, cache_plan plan,
    Request&& request, diagnostics* diag, any_handler<Response> handler)
    : fiber(make_fiber_executor(client->executor, client->params.thread_safe), client->group),
      client_(std::move(client)),
      plan_(std::move(plan)),
      request_(std::move(request)),
      diag_(diag),
      handler_(std::move(handler), client_->completion_executor)
{}

template <class Request, class Response>
cached_whole_call<Request, Response>::~cached_whole_call()
{
    destroy_coroutine();
}

template <class Request, class Response>
void cached_whole_call<Request, Response>::launch(std::shared_ptr<client_impl> client, cache_plan plan,
    Request&& request, diagnostics* diag, any_handler<Response> handler)
{
    auto const self = std::make_shared<cached_whole_call>(
        std::move(client), std::move(plan), std::move(request), diag, std::move(handler));
    self->handler_.connect_slot(self);
    self->start(self->run());
}

template <class Request, class Response>
task<void> cached_whole_call<Request, Response>::run()
{
    // What is shared may be cancelled without this call: with the client, just before it came.
    constexpr int most_tries = 3;
    for (int n = 1;; ++n)
    {
        seat_ = client_->cache->join(client_, plan_, request_);
        co_await seat_.fetch().wait_for_end(*this);
        if (interrupted())
        {
            ec_ = interrupted();
            co_return;
        }
        ec_ = seat_.fetch().is_over() ? seat_.fetch().error() : error_code(asio::error::operation_aborted);
        if (ec_ != asio::error::operation_aborted || n == most_tries)
            co_return;
        seat_.leave();
    }
}

template <class Request, class Response>
void cached_whole_call<Request, Response>::abandoned() noexcept
{
    destroy_coroutine();
    seat_.vanish();
    auto const handler = std::exchange(handler_, completion<Response>());
}

template <class Request, class Response>
void cached_whole_call<Request, Response>::on_finished(std::exception_ptr error)
{
    if (error)
        ec_ = make_error_code(boost::system::errc::not_enough_memory); // Nothing else throws
    bool const over = seat_ && seat_.fetch().is_over();
    if (diag_ && (ec_ || !diag_->for_failures_only()))
    {
        *diag_ = over ? seat_.fetch().diag() : diagnostics();
        if (diag_->message.empty() && ec_)
            diag_->message = ec_.message();
    }
    if (ec_ || !over)
    {
        seat_.leave();
        handler_(*this, ec_, Response());
        return;
    }
    Response answer = answer_of<Response>(seat_.fetch());
    cache_lookup const found = seat_.account();
    mark_cached(answer, found);
    if (found != cache_lookup::miss)
        client_->tell_cache(found);
    seat_.leave();
    handler_(*this, ec_, std::move(answer));
}

template class cached_whole_call<chat_request, chat_response>;
template class cached_whole_call<relay_request, relay_answer>;

} // namespace serin
