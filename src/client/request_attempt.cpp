// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "request_attempt.hpp"

#include "../chat/dialect_path.hpp"

#include <serin/policy/retry.hpp>

#include <charconv>
#include <exception>
#include <utility>

namespace serin {
namespace {

// What a request line and the header fields that differ come to.
constexpr std::size_t usual_head = 512;

constexpr std::size_t max_error_body = 64 * 1024;
constexpr auto error_body_patience = std::chrono::seconds(5);
constexpr auto stale_connection_window = std::chrono::seconds(1);
constexpr int max_replacements = 100; // Every idle connection to the host may be as dead as the first

constexpr std::string_view request_id_fields[] = {"x-request-id", "request-id", "x-generation-id"};

} // namespace

request_attempt::request_attempt(attempt_start start)
    : client_(start.client),
      config_(start.config),
      asked_(start.asked),
      keep_fields_(start.keep_fields),
      member_(start.member),
      through_(start.through),
      asks_(start.through.members[start.member]),
      use_(start.client, start.through, start.member),
      refused_keys_(std::move(start.refused_keys)),
      began_(std::chrono::steady_clock::now())
{}

request_attempt::~request_attempt()
{
    tell_end(asio::error::operation_aborted);
}

void request_attempt::set_watch(call_watch& watch, bool hedge)
{
    watch_ = &watch;
    hedge_ = hedge;
    watch.attempt_begins(*this, hedge, waited_before_);
}

// The first time counts.
void request_attempt::tell_end(error_code ec)
{
    if (!watch_)
        return;
    auto const took = std::chrono::steady_clock::now() - began_;
    call_watch& watch = *std::exchange(watch_, nullptr);
    watch.attempt_ends({watch.info(), trail_place_ + 1, upstream_name(), model(),
        key_ ? key_->fingerprint() : std::string_view(), hedge_, ec, status_, phase_, watch.now(), took, waited_here_,
        waited_for_connection_, connection_, tokens_, cost_});
}

void request_attempt::set_place(std::size_t trail_place, duration waited_before) noexcept
{
    trail_place_ = trail_place;
    waited_before_ = waited_before;
}

void request_attempt::hand_to(fiber& f) noexcept
{
    if (exchange_)
        exchange_->hand_to(f);
}

void request_attempt::drop() noexcept
{
    exchange_.reset();
    permit_.reset();
    shared_permit_.reset();
}

// Taken when the attempt has its connection and not while it waited for it: the key may have changed meanwhile.
task<error_code> request_attempt::take_key(fiber& f)
{
    auto const& keys = target().keys;
    if (!keys->try_take(refused_keys_, key_use_))
    {
        no_key why;
        error_code const ec = co_await keys->take(f, refused_keys_, key_use_, why);
        if (ec)
        {
            detail_ = std::move(why.why);
            if (why.retry_after != duration::zero())
                own_retry_after_ = std::chrono::ceil<std::chrono::milliseconds>(why.retry_after);
            co_return ec;
        }
    }
    key_ = key_use_.key();
    co_return error_code();
}

key_fate request_attempt::settle(error_code ec)
{
    call_failure const f = ec ? failure(ec) : call_failure();
    verdict const v = ec ? judge(f.ec, f.should_retry, f.model_configured) : verdict();
    auto const took = std::chrono::steady_clock::now() - began_ - waited_here_;
    use_.ended(f.ec, v, took, answered_after_);
    tell_end(ec);

    key_use use = std::move(key_use_);
    if (!use || !ec)
        return key_fate::keep;
    use.turned_away(v.key, f.retry_after);
    if (v.key != key_fate::keep && config_.told)
        client_.tell(config_, &observer::on_key_rotated,
            key_rotated{upstream_name(), v.key == key_fate::quarantine ? key_change::quarantined : key_change::rests,
                key_->fingerprint()});
    return v.key;
}

void request_attempt::write_request(exchange& to_send) const
{
    std::string& out = to_send.request();
    upstream_state const& to = target();
    dialect const& d = to.params.dialect;
    std::string_view begin_of_body;
    if (asked_.model_in_body)
        begin_of_body = asks_.model.empty() ? asked_.model_member : asks_.model_member;
    std::size_t const length = begin_of_body.size() + asked_.body.size();

    out.clear();
    out.reserve(to.common_head.size() + length + usual_head);
    out += asked_.method;
    out += ' ';
    out += to.base_path;
    if (asked_.path)
        append_path(out, d.*asked_.path, model());
    else
        out += asked_.other_path;
    if (!d.query.empty())
    {
        out += out.find('?') == std::string::npos ? '?' : '&';
        out += d.query;
    }
    out += to.common_head;
    out += "\r\nAccept: ";
    out += asked_.accept;
    if (key_)
    {
        out += "\r\n";
        out += d.key_header;
        out += ": ";
        out += d.key_prefix;
        out += key_->reveal();
    }
    if (length != 0)
    {
        out += "\r\nContent-Type: application/json\r\nContent-Length: ";
        char digits[20];
        out.append(digits, std::to_chars(digits, digits + sizeof digits, length).ptr);
    }
    out += "\r\n\r\n";
    to_send.set_head_size(out.size());
    out += begin_of_body;
    out += asked_.body;
}

// Waits until the limits of the upstream and of its keys allow one more request.
task<error_code> request_attempt::enter(fiber& f, steady_time give_up_at)
{
    phase_ = call_phase::limit;
    auto const from = std::chrono::steady_clock::now();
    duration again_in{};
    std::uint64_t const estimate = asked_.estimate().total();
    upstream_state const& to = target();
    error_code ec;
    if (to.gate)
        ec = co_await to.gate->enter(f, estimate, give_up_at, permit_, again_in);
    if (!ec && to.shared)
        ec = co_await to.shared->enter(f, estimate, give_up_at, shared_permit_, again_in);
    bool const by_key = !ec;
    if (by_key && to.keys && to.keys->has_limits())
        ec = co_await to.keys->enter(f, refused_keys_, estimate, give_up_at, key_use_, again_in);
    waited_here_ = std::chrono::steady_clock::now() - from;
    if (ec == errc::rate_limited)
    {
        rate_limit_params const& limits = by_key ? to.params.key_limits : to.params.limits;
        lasting_ = limits.on_limit == when_limited::fail;
        own_retry_after_ = std::chrono::ceil<std::chrono::milliseconds>(again_in);
        detail_ = "the limits set for " + std::string(by_key ? "the keys of " : "") + upstream_name() +
                  " leave no room for another request";
        if (own_retry_after_->count() != 0)
            detail_ += " for " + std::to_string(own_retry_after_->count()) + " ms";
    }
    co_return ec;
}

task<error_code> request_attempt::open(fiber& f, steady_time give_up_at)
{
    timeout_params const& timeouts = config_.params.timeouts;
    if (target().gate || (target().keys && target().keys->has_limits()))
    {
        error_code const ec = co_await enter(f, give_up_at);
        if (ec)
            co_return ec;
    }
    if (!config_.params.budgets.empty())
    {
        error_code const ec = check_budgets();
        if (ec)
            co_return ec;
    }
    phase_ = call_phase::pool;
    lease connection = client_.connections->try_acquire(*target().host);
    for (int replaced = 0;; ++replaced)
    {
        if (!connection) // NOLINT(bugprone-use-after-move): a lease that was moved from is empty
        {
            transport_failure failure;
            auto const from = std::chrono::steady_clock::now();
            connection = co_await client_.connections->acquire(f, *target().host, failure);
            waited_for_connection_ += std::chrono::steady_clock::now() - from;
            if (failure.ec)
            {
                phase_ = failure.phase;
                detail_ = std::move(failure.detail);
                lasting_ = failure.lasting;
                co_return failure.ec;
            }
        }
        phase_ = call_phase::write;
        error_code ec;
        if (target().keys && !key_use_)
            ec = co_await take_key(f);
        if (ec)
        {
            connection.release({});
            co_return ec;
        }
        permit_.sent();
        shared_permit_.sent();
        key_use_.pass().sent();
        exchange_.emplace(f, std::move(connection), timeouts, client_.params.limits, client_.memory);
        connection_ = exchange_->on_used_connection() ? connection_kind::reused : connection_kind::made;
        write_request(*exchange_);
        ec =
            co_await exchange_->begin(through_.members.size() > 1 ? timeouts.first_byte_failover : timeouts.first_byte);
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
            co_return ec;
        client_.log(log_level::debug, "replacing a connection that the server had closed");
    }
    status_ = exchange_->status();
    if (target().gate || (target().keys && target().keys->has_limits()))
        learn_limits();
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

void request_attempt::learn_limits()
{
    field_block const& fields = exchange_->fields();
    server_limits const said = read_server_limits([&fields](std::string_view name) { return fields.find(name); });
    permit_.learn(said);
    key_use_.pass().learn(said);
}

void request_attempt::used(token_usage const* tokens, error_code ec)
{
    if (!tokens || tokens_)
        return;
    if (tokens->total_tokens != 0 && !ec)
    {
        permit_.used(tokens->total_tokens);
        shared_permit_.used(tokens->total_tokens);
        key_use_.pass().used(tokens->total_tokens);
    }
    tokens_ = counts_of(*tokens);
    if (watch_)
        cost_ = watch_->book(target(), model(), key_ ? key_->fingerprint() : std::string_view(), *tokens);
}

error_code request_attempt::check_budgets()
{
    auto const used_up = client_.forbids({upstream_name(), {}, {}, asked_.tag, asked_.model});
    if (!used_up)
        return {};
    detail_ = describe_budget(*used_up);
    return errc::budget_exceeded;
}

void request_attempt::keep_fields()
{
    if (exchange_ && exchange_->answered())
        fields_ = exchange_->fields().to_headers();
}

// Reads what the server says about a status that is not 2xx.
task<error_code> request_attempt::refuse()
{
    phase_ = call_phase::body;
    keep_fields();
    permit_.used(0);
    shared_permit_.used(0);
    key_use_.pass().used(0);
    if (status_ == 429 && target().gate)
        if (auto const rest = retry_after(fields_, client_.clock->date()))
            target().gate->cool(add_saturated(client_.clock->now(), *rest));
    // The status says enough: a body that is cut or stalls takes nothing away from it.
    error_code const ec = co_await exchange_->read_body(max_error_body, true, error_body_patience);
    if (ec == asio::error::operation_aborted)
        co_return ec;
    body_ = exchange_->body().substr(0, max_error_body);
    exchange_->end();
    exchange_.reset();

    server_error err;
    auto reader = client_.take_reader();
    read_error_body(*reader, body_, err);
    client_.put_reader(std::move(reader));
    error_code const why = classify(status_, err);
    if (why == errc::redirected)
        detail_ = "redirected to another address, which is never followed";
    co_return refused(why, std::move(err));
}

error_code request_attempt::refused(error_code ec, server_error err)
{
    server_ = std::move(err);
    return ec;
}

std::string request_attempt::request_id() const
{
    for (std::string_view const name : request_id_fields)
        if (auto const id = exchange_->fields().find(name); !id.empty())
        {
            std::string clean(id);
            if (key_)
                scrub(clean, *key_);
            return clean;
        }
    return {};
}

call_failure request_attempt::failure(error_code ec) const
{
    call_failure f;
    f.ec = ec;
    f.retry_after = own_retry_after_ ? own_retry_after_ : retry_after(fields_, client_.clock->date());
    std::string_view const should_retry = fields_.find("x-should-retry");
    if (should_retry == "true" || should_retry == "false")
        f.should_retry = should_retry == "true";
    if (lasting_)
        f.should_retry = false;
    f.model_configured = !asks_.model.empty();
    // Some servers say with a 403 what others say with a 401.
    if (ec == errc::permission && names_key(server_))
        f.ec = errc::authentication;
    return f;
}

attempt request_attempt::trail_entry(error_code ec) const
{
    attempt entry;
    entry.upstream = upstream_name();
    entry.status = status_;
    entry.error = ec;
    entry.duration = std::chrono::steady_clock::now() - began_ - waited_here_;
    entry.waited = waited_before_ + waited_here_;
    return entry;
}

void request_attempt::describe(diagnostics& d) const
{
    d.status = status_;
    d.code = server_.code;
    d.code_is_number = server_.code_is_number;
    d.type = server_.type;
    d.param = server_.param;
    d.message = server_.message.empty() ? detail_ : server_.message;
    d.body = body_;
    d.headers = fields_;
    for (std::string_view const name : request_id_fields)
        if (d.request_id.empty())
            d.request_id = std::string(d.headers.find(name));
    d.retry_after = own_retry_after_ ? own_retry_after_ : retry_after(d.headers, client_.clock->date());
    d.upstream = upstream_name();
    d.model = model();
    d.phase = phase_;
}

} // namespace serin
