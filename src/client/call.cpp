// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "call.hpp"

#include "../chat/wire_write.hpp"

#include <serin/policy/retry.hpp>

#include <openssl/crypto.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace serin {
namespace {

constexpr std::size_t max_error_body = 64 * 1024;
constexpr auto error_body_patience = std::chrono::seconds(5);
constexpr auto stale_connection_window = std::chrono::seconds(1);
constexpr int max_replacements = 100; // Every idle connection to the host may be as dead as the first

constexpr std::string_view request_id_fields[] = {"x-request-id", "request-id", "x-generation-id"};

} // namespace

call::call(std::shared_ptr<client_impl> client, diagnostics* diag)
    : fiber(make_fiber_executor(client->executor, client->params.thread_safe), client->group),
      client_(std::move(client)),
      fsm_(client_->weights),
      diag_(diag)
{}

call::~call()
{
    destroy_coroutine();
    wipe_request();
}

void call::begin(call_request request)
{
    request_ = std::move(request);
    auto const total = request_.timeout.value_or(client_->params.timeouts.total);
    auto const now = std::chrono::steady_clock::now();
    // A time-out as long as the clock's range means: never.
    set_total_deadline(total < steady_time::max() - now ? now + total : steady_time::max());
    fsm_.start(client_->random());
}

std::string const& call::model() const noexcept
{
    return target().params.model.empty() ? request_.model : target().params.model;
}

void call::begin_attempt()
{
    attempt_began_ = std::chrono::steady_clock::now();
    attempts_.emplace_back();
    attempts_.back().upstream = target().params.name;
    phase_ = call_phase::none;
    detail_.clear();
    status_ = 0;
    fields_.clear();
    body_.clear();
    server_ = server_error();
}

void call::end_attempt(error_code ec)
{
    attempt& done = attempts_.back();
    done.status = status_;
    done.error = ec;
    done.duration = std::chrono::steady_clock::now() - attempt_began_;
    if (ec && client_->logs())
    {
        std::string line =
            target().params.name + ": " + std::string(kind_name(ec)) + " in phase " + std::string(phase_name(phase_));
        if (status_ != 0)
            line += ", status " + std::to_string(status_);
        if (!detail_.empty())
            line += ", " + detail_;
        client_->log(log_level::debug, line);
    }
}

error_code call::write_request()
{
    upstream_state const& to = target();
    if (to.params.keys)
    {
        // Taken now and not while the call waited for its connection: the key may have changed meanwhile.
        try
        {
            key_ = to.params.keys->current(detail_);
        }
        catch (std::exception const& e)
        {
            key_.reset();
            detail_ = std::string("the key source threw: ") + e.what();
        }
        if (!key_)
            return errc::invalid_key;
    }
    dialect const& d = to.params.dialect;
    std::string& out = request_bytes_;
    out.clear();
    out += request_.method;
    out += ' ';
    out += to.base_path;
    if (request_.path)
        out += fill_path(d.*request_.path, model());
    else
        out += request_.other_path;
    if (!d.query.empty())
    {
        out += out.find('?') == std::string::npos ? '?' : '&';
        out += d.query;
    }
    out += to.common_head;
    out += "\r\nAccept: ";
    out += request_.accept;
    if (key_)
    {
        out += "\r\n";
        out += d.key_header;
        out += ": ";
        out += d.key_prefix;
        out += key_->reveal();
    }

    std::string model_part;
    if (request_.model_in_body)
        append_request(model_part, model(), {});
    std::size_t const length = model_part.size() + request_.body.size();
    if (length != 0)
    {
        out += "\r\nContent-Type: application/json\r\nContent-Length: ";
        out += std::to_string(length);
    }
    out += "\r\n\r\n";
    head_size_ = out.size();
    out += model_part;
    out += request_.body;
    return {};
}

void call::wipe_request() noexcept
{
    OPENSSL_cleanse(request_bytes_.data(), std::min(head_size_, request_bytes_.size()));
    head_size_ = 0;
}

task<error_code> call::open()
{
    timeout_params const& timeouts = client_->params.timeouts;
    phase_ = call_phase::pool;
    lease connection = client_->connections->try_acquire(*target().host);
    for (int replaced = 0;; ++replaced)
    {
        if (!connection)
        {
            transport_failure failure;
            connection = co_await client_->connections->acquire(*this, *target().host, failure);
            if (failure.ec)
            {
                phase_ = failure.phase;
                detail_ = std::move(failure.detail);
                co_return failure.ec;
            }
        }
        phase_ = call_phase::write;
        error_code ec = write_request();
        if (ec)
        {
            connection.release({});
            co_return ec;
        }
        exchange_.emplace(*this, std::move(connection), timeouts, client_->params.limits, client_->memory);
        ec = co_await exchange_->begin(
            request_bytes_, client_->upstreams.size() > 1 ? timeouts.first_byte_failover : timeouts.first_byte);
        phase_ = exchange_->phase();
        if (!ec)
            break;
        // The server may have closed an idle connection just as the request went out: nobody saw it.
        bool const stale = ec == errc::connection_lost && exchange_->on_used_connection() &&
                           std::chrono::steady_clock::now() - exchange_->sent_at() < stale_connection_window;
        if (ec == errc::tls_failed)
            detail_ = exchange_->tls_failure();
        exchange_.reset();
        if (!stale || replaced == max_replacements)
        {
            wipe_request();
            co_return ec;
        }
        client_->log(log_level::debug, "replacing a connection that the server had closed");
    }
    wipe_request();

    status_ = attempts_.back().status = exchange_->status();
    if (status_ < 200 || status_ > 299)
    {
        error_code const refusal = co_await refuse();
        co_return refusal;
    }
    std::string_view const coding = exchange_->fields().find("content-encoding");
    if (!coding.empty() && !header_names_equal(coding, "identity"))
    {
        detail_ = "the server used a content encoding that was not asked for";
        keep_fields();
        exchange_.reset();
        co_return errc::malformed_response;
    }
    co_return error_code();
}

void call::keep_fields()
{
    if (exchange_ && exchange_->answered())
        fields_ = exchange_->fields().to_headers();
}

// Reads what the server says about a status that is not 2xx.
task<error_code> call::refuse()
{
    phase_ = call_phase::body;
    keep_fields();
    // The status says enough: a body that is cut or stalls takes nothing away from it.
    error_code const ec = co_await exchange_->read_body(max_error_body, true, error_body_patience);
    if (ec == asio::error::operation_aborted)
        co_return ec;
    body_ = exchange_->body().substr(0, max_error_body);
    exchange_->end();
    exchange_.reset();

    server_error err;
    auto reader = client_->take_reader();
    read_error_body(*reader, body_, err);
    client_->put_reader(std::move(reader));
    error_code const why = classify(status_, err);
    if (why == errc::redirected)
        detail_ = "redirected to another address, which is never followed";
    co_return refused(why, std::move(err));
}

error_code call::refused(error_code ec, server_error err)
{
    server_ = std::move(err);
    return ec;
}

std::string call::request_id() const
{
    for (std::string_view const name : request_id_fields)
        if (auto const id = exchange_->fields().find(name); !id.empty())
            return std::string(id);
    return {};
}

void call::report(error_code ec, chat_response const* partial)
{
    if (!diag_)
        return;
    // Copies, as a stream may have to report twice.
    diagnostics d;
    d.status = status_;
    d.code = server_.code;
    d.code_is_number = server_.code_is_number;
    d.type = server_.type;
    d.param = server_.param;
    d.message = server_.message;
    d.body = body_;
    d.headers = fields_;
    for (std::string_view const name : request_id_fields)
        if (d.request_id.empty())
            d.request_id = std::string(d.headers.find(name));
    d.retry_after = retry_after(d.headers, std::chrono::system_clock::now());
    if (d.message.empty())
        d.message = detail_;
    if (d.message.empty() && ec)
        d.message = ec.message();
    d.upstream = target().params.name;
    d.model = model();
    d.phase = phase_;
    d.attempts = attempts_;
    if (ec && partial)
        d.partial = std::make_shared<chat_response const>(*partial);

    // Servers echo keys, in 401 bodies above all.
    auto const clean = [this](std::string& text) {
        client_->scrub(text);
        if (key_)
            scrub(text, *key_);
    };
    for (std::string* text : {&d.code, &d.type, &d.param, &d.message, &d.request_id, &d.body})
        clean(*text);
    for (header& h : d.headers)
        clean(h.value);
    *diag_ = std::move(d);
}

} // namespace serin
