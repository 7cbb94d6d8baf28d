// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "admin_service.hpp"

#include "admin_changes.hpp"
#include "page.hpp"

#include <serin/core/diagnostics.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <utility>

namespace serin::gateway {
namespace {

constexpr std::string_view admin_json = "application/json";
constexpr std::string_view admin_html = "text/html; charset=utf-8";
constexpr auto feed_interval = std::chrono::seconds(1);

// Who guesses tokens waits.
constexpr auto wrong_token_delay = std::chrono::milliseconds(500);

http_server_head admin_head(int status, std::string_view type)
{
    http_server_head head;
    head.status = status;
    head.headers.emplace_back("Content-Type", std::string(type));
    head.headers.emplace_back("Cache-Control", "no-store");
    head.headers.emplace_back("X-Content-Type-Options", "nosniff");
    // Without any referrer browsers say that a form's origin is null.
    head.headers.emplace_back("Referrer-Policy", "same-origin");
    head.headers.emplace_back("Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'");
    return head;
}

std::string admin_error(std::string_view why)
{
    return nlohmann::json{{"error", why}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

int admin_refusal(int status, std::string_view why, std::string& text)
{
    text = admin_error(why);
    return status;
}

int admin_rollout_change(serin::client& c, std::string_view action, std::string_view body, std::string& text)
{
    std::string why;
    auto const model = rollout_meant(body, c.rollouts(), why);
    if (!model)
        return admin_refusal(404, why, text);
    rollout_event event;
    if (action == "promote")
        event = c.promote_rollout(*model);
    else if (action == "pause")
        event = c.pause_rollout(*model);
    else if (action == "resume")
        event = c.resume_rollout(*model);
    else if (action == "abort")
        event = c.abort_rollout(*model);
    else if (action == "restart")
        event = c.restart_rollout(*model);
    else
        return admin_refusal(404, "there is nothing here", text);
    text = rollout_event_json(*model, event);
    return 200;
}

error_code admin_set_weights(serin::client& c, std::string_view body, std::string& why)
{
    client_params params = c.params();
    if (!apply_weights(body, params, why))
        return errc::invalid_argument;
    diagnostics diag;
    error_code const ec = c.reconfigure(std::move(params), diag);
    why = diag.message;
    return ec;
}

// Does what an administrator asks for. Returns the status of the answer, and `text`, its body.
int admin_change(
    administrated& target, std::string_view method, std::string_view path, std::string_view body, std::string& text)
{
    constexpr std::string_view rollout = "/api/rollout/";
    std::string why;
    error_code ec;
    if (method == "PUT" && path == "/api/weights")
        ec = admin_set_weights(target.client(), body, why);
    else if (method == "POST" && path.starts_with(rollout))
        return admin_rollout_change(target.client(), path.substr(rollout.size()), body, text);
    else if (method == "POST" && path == "/api/keys/reload")
    {
        diagnostics diag;
        ec = target.client().reload_keys(diag);
        why = diag.upstream + ": " + diag.message;
    }
    else if (method == "POST" && path == "/api/config/reload")
        ec = target.reload(why);
    else if (method == "POST" && path == "/api/config/check")
        ec = target.check(body, why);
    else
        return admin_refusal(404, "there is nothing here", text);
    if (ec)
        return admin_refusal(422, why.empty() ? ec.message() : why, text);
    text = "{\"ok\":true}";
    return 200;
}

} // namespace

admin_service::admin_service(std::weak_ptr<administrated> target, secret const& token)
    : target_(std::move(target)),
      access_(token, random_token())
{}

asio::awaitable<void> admin_service::on_request(http_exchange& exchange)
{
    http_server_request const& request = exchange.request();
    std::string_view const all = request.target;
    std::size_t const question = all.find('?');
    std::string_view const path = all.substr(0, question);
    std::string_view const query = question == std::string_view::npos ? std::string_view() : all.substr(question + 1);
    auto const target = target_.lock();
    if (!target)
        co_return;
    if (!access_.is_own(request))
    {
        co_await refuse(exchange, 403, "sent for another host, or by another page");
        co_return;
    }
    // What the page consists of is no secret.
    if (request.method == "GET" && path == "/page.css")
    {
        co_await send(exchange, 200, "text/css; charset=utf-8", page_style());
        co_return;
    }
    if (request.method == "GET" && path == "/page.js")
    {
        co_await send(exchange, 200, "text/javascript; charset=utf-8", page_script());
        co_return;
    }
    std::string token = form_value(query, "token");
    if (request.method == "GET" && path == "/" && !token.empty())
    {
        co_await log_in(exchange, std::move(token));
        co_return;
    }
    if (request.method == "POST" && path == "/login")
    {
        std::string form;
        error_code const ec = co_await exchange.read_body(form);
        token = form_value(form, "token");
        if (!ec)
            co_await log_in(exchange, std::move(token));
        co_return;
    }
    auto const verdict = access_.judge(request);
    if (verdict == admin_access::verdict::foreign)
    {
        co_await refuse(exchange, 403, "sent for another host, or by another page");
        co_return;
    }
    if (verdict == admin_access::verdict::unknown)
    {
        if (request.method == "GET" && path == "/")
            co_await send(exchange, 401, admin_html, page_login());
        else
            co_await refuse(exchange, 401, "needs the admin token, as Authorization: Bearer ...");
        co_return;
    }
    co_await serve(exchange, *target, path);
}

// A token in an address would stay in the browser's history: the cookie takes its place.
asio::awaitable<void> admin_service::log_in(http_exchange& exchange, std::string token)
{
    if (!access_.knows(token))
    {
        co_await exchange.sleep_until(std::chrono::steady_clock::now() + wrong_token_delay);
        co_await send(exchange, 401, admin_html, page_login());
        co_return;
    }
    http_server_head head = admin_head(303, "text/plain");
    head.headers.emplace_back("Location", "/");
    head.headers.emplace_back("Set-Cookie", access_.set_cookie());
    co_await exchange.write_whole(std::move(head), std::string_view());
}

asio::awaitable<void> admin_service::serve(http_exchange& exchange, administrated& target, std::string_view path)
{
    if (exchange.request().method != "GET")
    {
        co_await change(exchange, target, path);
        co_return;
    }
    if (path == "/")
    {
        co_await send(exchange, 200, admin_html, page_html());
    }
    else if (path == "/api/state")
    {
        std::string const state = state_json(target.state());
        co_await send(exchange, 200, admin_json, state);
    }
    else if (path == "/api/events")
    {
        co_await feed(exchange);
    }
    else if (path == "/metrics")
    {
        std::string const metrics = target.metrics();
        co_await send(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", metrics);
    }
    else
    {
        co_await refuse(exchange, 404, "there is nothing here");
    }
}

// The state once a second, until the browser or the gateway goes.
asio::awaitable<void> admin_service::feed(http_exchange& exchange)
{
    http_server_head head = admin_head(200, "text/event-stream");
    head.framing = exchange.request().http_1_0 ? http_framing::close_delimited : http_framing::chunked;
    error_code ec = co_await exchange.write_head(head);
    auto next = std::chrono::steady_clock::now();
    while (!ec)
    {
        std::string event;
        if (auto const target = target_.lock())
            event = "data: " + state_json(target->state()) + "\n\n";
        if (event.empty())
            break;
        ec = co_await exchange.write_piece(event);
        next += feed_interval;
        bool const there = co_await exchange.sleep_until(next);
        if (!there)
            break;
    }
}

asio::awaitable<void> admin_service::change(http_exchange& exchange, administrated& target, std::string_view path)
{
    std::string body;
    error_code const ec = co_await exchange.read_body(body);
    if (ec == errc::response_too_large)
    {
        co_await refuse(exchange, 413, "the body is too large");
        co_return;
    }
    if (ec)
        co_return;
    std::string text;
    int const status = admin_change(target, exchange.request().method, path, body, text);
    co_await send(exchange, status, admin_json, text);
}

asio::awaitable<void> admin_service::send(
    http_exchange& exchange, int status, std::string_view type, std::string_view body)
{
    http_server_head head = admin_head(status, type);
    head.close = !exchange.body_done();
    co_await exchange.write_whole(std::move(head), body);
}

asio::awaitable<void> admin_service::refuse(http_exchange& exchange, int status, std::string_view why)
{
    std::string const body = admin_error(why);
    co_await send(exchange, status, admin_json, body);
}

} // namespace serin::gateway
