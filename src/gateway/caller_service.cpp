// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "caller_service.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

namespace serin::gateway {
namespace {

constexpr std::string_view json_type = "application/json";
constexpr std::string_view metrics_type = "text/plain; version=0.0.4; charset=utf-8";

constexpr std::chrono::milliseconds aliases_kept{250};

// When callers are to try again who found no room.
constexpr std::chrono::seconds refused_retry{1};

std::string hex_digits(std::uint64_t n)
{
    std::string text(16, '0');
    for (std::size_t i = text.size(); i-- != 0; n >>= 4)
        text[i] = "0123456789abcdef"[n & 15];
    return text;
}

std::string cache_word(cache_lookup found)
{
    switch (found)
    {
    case cache_lookup::off: return "off";
    case cache_lookup::hit: return "hit";
    case cache_lookup::miss: return "miss";
    case cache_lookup::joined: return "joined";
    }
    return {};
}

// What a caller says of caches counts for ours too.
cache_use cache_use_of(std::string_view cache_control)
{
    if (cache_control.find("no-store") != std::string_view::npos)
        return cache_use::bypass;
    return cache_control.find("no-cache") != std::string_view::npos ? cache_use::refresh : cache_use::as_configured;
}

std::string random_prefix()
{
    std::random_device source;
    return "req_" + hex_digits((std::uint64_t{source()} << 32) ^ source()).substr(4);
}

} // namespace

// What is known of a request, for the answer's head and the log.
struct caller_service::request_line
{
    std::string id;
    std::string endpoint; // As in the documentation: nothing that the caller has made up.
    std::string alias;    // Empty: not one of the configuration.
    std::string upstream;
    std::string model; // That was asked for at the upstream.
    std::size_t attempts = 0;
    cache_lookup cache = cache_lookup::off;
    int status = 0;
    std::string failure; // The name of the cause.
    bool cut_off = false;

    request_line() {}
};

caller_service::caller_service(
    std::shared_ptr<client> c, std::vector<secret> const& tokens, logger log, std::shared_ptr<metrics const> measured)
    : client_(std::move(c)),
      log_(std::move(log)),
      measured_(std::move(measured)),
      id_prefix_(random_prefix()),
      tokens_(std::make_shared<token_set const>(tokens))
{}

void caller_service::set_tokens(std::vector<secret> const& tokens)
{
    auto fresh = std::make_shared<token_set const>(tokens);
    std::lock_guard const lock(mutex_);
    tokens_ = std::move(fresh);
}

// The names of models that the configuration has. They are asked for with each request, and change rarely.
std::shared_ptr<std::vector<std::string> const> caller_service::aliases() const
{
    auto const now = std::chrono::steady_clock::now();
    {
        std::lock_guard const lock(mutex_);
        if (aliases_ && now < aliases_until_)
            return aliases_;
    }
    auto const fresh = std::make_shared<std::vector<std::string>>();
    client_params const params = client_->params();
    for (model_route const& route : params.models)
        fresh->push_back(route.name);
    std::sort(fresh->begin(), fresh->end());
    std::lock_guard const lock(mutex_);
    aliases_ = fresh;
    aliases_until_ = now + aliases_kept;
    return aliases_;
}

// --- Connections ---

void caller_service::on_open(std::uint64_t)
{
    std::lock_guard const lock(mutex_);
    ++open_;
}

void caller_service::on_close(std::uint64_t)
{
    std::function<void()> emptied;
    {
        std::lock_guard const lock(mutex_);
        if (--open_ == 0)
            emptied = std::exchange(emptied_, nullptr);
    }
    if (emptied)
        emptied();
}

void caller_service::announce_end()
{
    std::lock_guard const lock(mutex_);
    draining_ = true;
}

void caller_service::drain(std::function<void()> emptied)
{
    {
        std::lock_guard const lock(mutex_);
        if (open_ != 0)
        {
            emptied_ = std::move(emptied);
            return;
        }
    }
    emptied();
}

// --- Requests ---

bool caller_service::is_allowed(http_server_request const& request) const
{
    std::shared_ptr<token_set const> tokens;
    {
        std::lock_guard const lock(mutex_);
        tokens = tokens_;
    }
    return tokens->empty() || tokens->contains(bearer_token(request.headers.find("Authorization")));
}

// Callers with other tokens do not share answers. The whole digest: fingerprints are short enough to coincide.
std::string caller_service::tenant_of(http_server_request const& request) const
{
    auto const digest = token_digest(bearer_token(request.headers.find("Authorization")));
    std::lock_guard const lock(mutex_);
    return tokens_->empty() ? std::string() : std::string(digest.begin(), digest.end());
}

bool caller_service::is_draining() const
{
    std::lock_guard const lock(mutex_);
    return draining_;
}

std::vector<traffic_figures> caller_service::figures() const
{
    std::lock_guard const lock(traffic_mutex_);
    return traffic_.figures(std::chrono::steady_clock::now());
}

std::deque<traffic_failure> caller_service::failures() const
{
    std::lock_guard const lock(traffic_mutex_);
    return traffic_.failures();
}

asio::awaitable<void> caller_service::on_request(http_exchange& exchange)
{
    request_line line;
    line.id = id_prefix_ + hex_digits(next_id_++);
    co_await serve(exchange, line);
    log_line(exchange, line);
}

asio::awaitable<void> caller_service::on_refused(http_exchange& exchange)
{
    request_line line;
    line.id = id_prefix_ + hex_digits(next_id_++);
    line.endpoint = "(refused)";
    error_answer refusal(429, "rate_limit_error", "too_many_connections", "The gateway has too many connections.");
    refusal.retry_after = refused_retry;
    co_await fail(exchange, line, std::move(refusal));
    log_line(exchange, line);
}

asio::awaitable<void> caller_service::serve(http_exchange& exchange, request_line& line)
{
    http_server_request const& request = exchange.request();
    std::string_view const target = request.target;
    std::string_view const path = target.substr(0, target.find('?'));
    bool const reads = request.method == "GET" || request.method == "HEAD";
    if (reads && (path == "/healthz" || path == "/readyz"))
    {
        line.endpoint = path;
        bool const good = path == "/healthz" || !is_draining();
        std::string_view const text = good ? "ok\n" : "not ready\n";
        co_await send(exchange, line, good ? 200 : 503, "text/plain", text);
        co_return;
    }
    bool const chat = path == "/v1/chat/completions";
    bool const embeddings = path == "/v1/embeddings";
    bool const models = path == "/v1/models" || path.starts_with("/v1/models/");
    bool const figures = measured_ && path == "/metrics";
    line.endpoint = chat ? "chat" : embeddings ? "embeddings" : models ? "models" : figures ? "metrics" : "(unknown)";
    if (!is_allowed(request))
    {
        co_await refuse(exchange, line, 401, "invalid_api_key", "Incorrect API key provided.");
        co_return;
    }
    if (!chat && !embeddings && !models && !figures)
    {
        co_await refuse(exchange, line, 404, "unknown_url", "The gateway does not serve this address.");
        co_return;
    }
    if (models || figures ? !reads : request.method != "POST")
    {
        co_await refuse(exchange, line, 405, "method_not_supported", "This address has another method.");
        co_return;
    }
    if (figures)
    {
        std::string const text = measured_->to_prometheus_text();
        co_await send(exchange, line, 200, metrics_type, text);
    }
    else if (models)
        co_await serve_models(exchange, line, path.substr(std::string_view("/v1/models").size()));
    else
        co_await relay_call(exchange, line, chat);
}

// The aliases, or the one that is asked for.
asio::awaitable<void> caller_service::serve_models(http_exchange& exchange, request_line& line, std::string_view only)
{
    auto const names = aliases();
    if (only.starts_with('/'))
        only.remove_prefix(1);
    nlohmann::json list = nlohmann::json::array();
    for (std::string const& name : *names)
        if (only.empty() || name == only)
            list.push_back({{"id", name}, {"object", "model"}, {"created", 0}, {"owned_by", "serin"}});
    if (!only.empty() && list.empty())
    {
        co_await refuse(exchange, line, 404, "model_not_found", "The gateway has no such alias.");
        co_return;
    }
    std::string body;
    if (only.empty())
        body = nlohmann::json{{"object", "list"}, {"data", std::move(list)}}.dump();
    else
        body = list.front().dump();
    co_await send(exchange, line, 200, json_type, body);
}

asio::awaitable<void> caller_service::relay_call(http_exchange& exchange, request_line& line, bool chat)
{
    std::string_view const coding = exchange.request().headers.find("Content-Encoding");
    if (!coding.empty() && !header_names_equal(coding, "identity"))
    {
        co_await refuse(exchange, line, 415, "unsupported_encoding", "The body must not be encoded.");
        co_return;
    }
    std::string body;
    error_code const ec = co_await exchange.read_body(body);
    if (ec == errc::response_too_large)
    {
        co_await refuse(exchange, line, 413, "request_too_large", "The request's body is too large.");
        co_return;
    }
    if (ec == asio::error::timed_out)
    {
        co_await refuse(exchange, line, 408, "request_timeout", "The request's body came too slowly.");
        co_return;
    }
    if (ec)
    {
        line.cut_off = true;
        co_return;
    }
    relay_request request;
    request.chat = chat;
    server_error why;
    error_code const unfit = relay::read(*client_, body, request, why);
    if (unfit)
    {
        error_answer answer(400, why.type, {}, why.message);
        answer.param = why.param;
        co_await fail(exchange, line, std::move(answer));
        co_return;
    }
    body = std::string();
    request.tenant = tenant_of(exchange.request());
    request.cache = cache_use_of(exchange.request().headers.find("Cache-Control"));
    auto const names = aliases();
    if (std::binary_search(names->begin(), names->end(), request.body.model))
        line.alias = request.body.model;
    if (request.body.stream)
        co_await relay_stream(exchange, line, std::move(request));
    else
        co_await relay_whole(exchange, line, std::move(request));
}

asio::awaitable<void> caller_service::relay_whole(http_exchange& exchange, request_line& line, relay_request request)
{
    if (exchange.client_gone())
    {
        line.cut_off = true;
        co_return;
    }
    diagnostics diag;
    error_code ec;
    relay_answer const answer = co_await async_relay(*client_, std::move(request), diag,
        asio::bind_cancellation_slot(exchange.gone_slot(), asio::redirect_error(asio::use_awaitable, ec)));
    note(line, diag);
    count(exchange, line, diag, ec, answer.usage ? answer.usage->total_tokens : 0, {});
    if (exchange.client_gone())
    {
        line.cut_off = true;
        co_return;
    }
    if (ec)
    {
        line.failure = kind_name(ec);
        error_answer told = answer_to_failure(ec, diag);
        co_await fail(exchange, line, std::move(told));
        co_return;
    }
    line.cache = answer.cache;
    co_await send(exchange, line, 200, json_type, answer.body);
}

asio::awaitable<void> caller_service::relay_stream(http_exchange& exchange, request_line& line, relay_request request)
{
    if (exchange.client_gone())
    {
        line.cut_off = true;
        co_return;
    }
    diagnostics diag;
    error_code ec;
    chat_stream stream = co_await async_relay_stream(*client_, std::move(request), diag,
        asio::bind_cancellation_slot(exchange.gone_slot(), asio::redirect_error(asio::use_awaitable, ec)));
    note(line, diag);
    auto const first_token = std::chrono::steady_clock::now();
    if (exchange.client_gone())
    {
        line.cut_off = true;
        co_return;
    }
    if (ec)
    {
        count(exchange, line, diag, ec, 0, {});
        line.failure = kind_name(ec);
        error_answer told = answer_to_failure(ec, diag);
        co_await fail(exchange, line, std::move(told));
        co_return;
    }

    line.cache = relay::from_cache(stream);
    http_server_head head = head_of(line, 200, "text/event-stream");
    head.headers.emplace_back("X-Accel-Buffering", "no");
    head.framing = exchange.request().http_1_0 ? http_framing::close_delimited : http_framing::chunked;
    line.status = 200;
    std::string events;
    bool more = true;
    bool first = true;
    while (more)
    {
        // All that is there goes out in one piece.
        while (stream.try_next())
        {
        }
        relay::take_events(stream, events);
        error_code unsent;
        if (first)
            unsent = co_await exchange.write_head(head, events);
        else if (!events.empty())
            unsent = co_await exchange.write_piece(events);
        first = false;
        events.clear();
        // Whoever left while this was written left before there was a wait to cancel.
        if (unsent || exchange.client_gone())
        {
            line.cut_off = true;
            co_return;
        }
        auto const next = co_await stream.async_next(
            diag, asio::bind_cancellation_slot(exchange.gone_slot(), asio::redirect_error(asio::use_awaitable, ec)));
        more = !ec && next.has_value();
    }
    if (exchange.client_gone())
    {
        line.cut_off = true;
        co_return;
    }
    auto const& usage = stream.response().usage;
    count(exchange, line, diag, ec, usage ? usage->total_tokens : 0, first_token);
    relay::take_events(stream, events);
    if (!ec)
    {
        events += "data: [DONE]\n\n";
        ec = co_await exchange.finish(events);
        line.cut_off = static_cast<bool>(ec);
        co_return;
    }
    // The end mark is missing then, and so is the last chunk of the transfer: nobody can take it for a whole answer.
    line.failure = kind_name(ec);
    error_answer const told = answer_to_failure(ec, diag);
    events += "event: error\ndata: " + told.body() + "\n\n";
    co_await exchange.write_piece(events);
    if (head.framing == http_framing::close_delimited)
        exchange.reset();
    else
        exchange.close();
}

// --- Answers ---

http_server_head caller_service::head_of(request_line const& line, int status, std::string_view type) const
{
    http_server_head head;
    head.status = status;
    head.headers.emplace_back("Content-Type", std::string(type));
    head.headers.emplace_back("Cache-Control", "no-store");
    head.headers.emplace_back("x-request-id", line.id);
    if (!line.upstream.empty())
    {
        head.headers.emplace_back("x-serin-upstream", line.upstream);
        head.headers.emplace_back("x-serin-attempts", std::to_string(line.attempts));
        head.headers.emplace_back("x-serin-cache", cache_word(line.cache));
    }
    return head;
}

asio::awaitable<void> caller_service::send(
    http_exchange& exchange, request_line& line, int status, std::string_view type, std::string_view body)
{
    line.status = status;
    http_server_head head = head_of(line, status, type);
    error_code const ec = co_await exchange.write_whole(std::move(head), body);
    line.cut_off = static_cast<bool>(ec);
}

asio::awaitable<void> caller_service::refuse(
    http_exchange& exchange, request_line& line, int status, char const* code, char const* message)
{
    error_answer answer(status, "invalid_request_error", code, message);
    co_await fail(exchange, line, std::move(answer));
}

asio::awaitable<void> caller_service::fail(http_exchange& exchange, request_line& line, error_answer answer)
{
    line.status = answer.status;
    if (line.failure.empty())
        line.failure = answer.code;
    http_server_head head = head_of(line, answer.status, json_type);
    if (answer.retry_after)
        head.headers.emplace_back(
            "Retry-After", std::to_string(std::chrono::ceil<std::chrono::seconds>(*answer.retry_after).count()));
    if (answer.retry_is_useless)
        head.headers.emplace_back("x-should-retry", "false");
    if (answer.status == 401)
        head.headers.emplace_back("WWW-Authenticate", "Bearer");
    // What was not read of the body would be taken for the next request.
    head.close = !exchange.body_done();
    std::string const body = answer.body();
    error_code const ec = co_await exchange.write_whole(std::move(head), body);
    line.cut_off = static_cast<bool>(ec);
}

void caller_service::note(request_line& line, diagnostics const& diag) const
{
    line.upstream = diag.upstream;
    line.model = diag.model;
    line.attempts = diag.attempts.size();
}

void caller_service::count(http_exchange& exchange, request_line const& line, diagnostics const& diag, error_code ec,
    std::uint64_t tokens, std::chrono::steady_clock::time_point first_token)
{
    auto const now = std::chrono::steady_clock::now();
    traffic_request r;
    r.alias = line.alias;
    r.upstream = line.upstream;
    r.attempts = &diag.attempts;
    r.took = now - exchange.request().received;
    if (first_token.time_since_epoch().count() != 0)
        r.to_first_token = first_token - exchange.request().received;
    r.tokens = tokens;
    r.error = ec;
    std::lock_guard const lock(traffic_mutex_);
    traffic_.add(r, now, std::chrono::system_clock::now());
}

void caller_service::log_line(http_exchange& exchange, request_line const& line) const
{
    if (!log_)
        return;
    auto const took = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - exchange.request().received);
    std::string text = line.id + ' ' + line.endpoint;
    if (!line.alias.empty())
        text += " model " + line.alias;
    if (!line.upstream.empty())
        text += " upstream " + line.upstream + " attempts " + std::to_string(line.attempts);
    text += " status " + std::to_string(line.status);
    if (!line.failure.empty())
        text += ' ' + line.failure;
    if (line.cut_off)
        text += " caller gone";
    text += " in " + std::to_string(took.count()) + " ms";
    try
    {
        log_(log_level::info, text);
    }
    catch (...)
    {
        // A logger that fails must not take the answer with it.
    }
}

} // namespace serin::gateway
