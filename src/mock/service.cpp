// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "service.hpp"
#include "embedding.hpp"
#include "moderation.hpp"

#include <boost/asio/error.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <exception>
#include <utility>

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes a coroutine frame's own operator delete for a mistake.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

namespace serin::mock {
namespace {

using service_clock = std::chrono::steady_clock;

// The time after a delay; `forever` has no end.
service_clock::time_point service_after(service_clock::time_point start, std::chrono::milliseconds delay)
{
    if (delay >= std::chrono::hours(24 * 365))
        return service_clock::time_point::max();
    return start + delay;
}

// The offered key; empty if there is none.
std::string_view service_offered_key(serin::headers const& headers)
{
    std::string_view const authorization = headers.find("Authorization");
    constexpr std::string_view scheme = "Bearer ";
    if (authorization.size() > scheme.size() && header_names_equal(authorization.substr(0, scheme.size()), scheme))
        return authorization.substr(scheme.size());
    return headers.find("api-key");
}

std::size_t service_count_words(std::string_view text)
{
    std::size_t count = 0;
    bool in_word = false;
    for (char const c : text)
    {
        bool const blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';
        count += !blank && !in_word;
        in_word = !blank;
    }
    return count;
}

// The text of a message: its content, or the text parts of it.
std::string service_message_text(nlohmann::json const& message)
{
    std::string text;
    if (!message.is_object() || !message.contains("content"))
        return text;
    nlohmann::json const& content = message["content"];
    if (content.is_string())
        return content.get<std::string>();
    if (content.is_array())
        for (auto const& part : content)
            if (part.is_object() && part.contains("text") && part["text"].is_string())
                text += part["text"].get<std::string>();
    return text;
}

bool service_flag(nlohmann::json const& object, char const* name)
{
    return object.is_object() && object.contains(name) && object[name].is_boolean() && object[name].get<bool>();
}

std::optional<std::size_t> service_number(nlohmann::json const& object, char const* name)
{
    if (!object.contains(name) || !object[name].is_number_unsigned())
        return {};
    return object[name].get<std::size_t>();
}

bool service_takes_calls(std::string_view path)
{
    return path == "/v1/chat/completions" || path == "/v1/embeddings" || path == "/v1/moderations";
}

// Reads a chat; returns what is wrong with it, or an empty string.
std::string service_read_chat(nlohmann::json const& json, mock_call& call)
{
    if (!json.contains("messages") || !json["messages"].is_array() || json["messages"].empty())
        return "Missing required parameter: 'messages'.";
    call.stream = service_flag(json, "stream");
    call.context.model = call.model;
    call.context.last_message = service_message_text(json["messages"].back());
    for (auto const& message : json["messages"])
        call.context.prompt_tokens += service_count_words(service_message_text(message));
    call.context.choices = std::clamp<std::size_t>(service_number(json, "n").value_or(1), 1, 128);
    call.context.max_tokens = service_number(json, "max_completion_tokens");
    if (!call.context.max_tokens)
        call.context.max_tokens = service_number(json, "max_tokens");
    call.context.include_usage =
        json.contains("stream_options") && service_flag(json["stream_options"], "include_usage");
    return {};
}

// Reads a request; returns what is wrong with it, or an empty string.
std::string service_read_call(std::string_view path, std::string const& body, mock_call& call)
{
    auto const json = nlohmann::json::parse(body, nullptr, false);
    if (json.is_discarded() || !json.is_object())
        return "We could not parse the JSON body of your request.";
    bool const moderation = path == "/v1/moderations";
    bool const has_model = json.contains("model") && json["model"].is_string();
    if (!has_model && (!moderation || json.contains("model")))
        return "you must provide a model parameter";
    if (has_model)
        call.model = json["model"].get<std::string>();
    if (path == "/v1/chat/completions")
        return service_read_chat(json, call);
    return moderation ? answer_moderation(json, call.body.emplace()) : answer_embedding(json, call.body.emplace());
}

http_server_head service_head(std::size_t id, behavior const& b, int status, std::string_view content_type)
{
    http_server_head head;
    head.status = status;
    head.http_1_0 = b.http_1_0;
    head.close = b.connection_close;
    if (b.headers.find("Content-Type").empty())
        head.headers.emplace_back("Content-Type", std::string(content_type));
    if (b.headers.find("x-request-id").empty())
        head.headers.emplace_back("x-request-id", "req_mock_" + std::to_string(id));
    if (!b.retry_after.empty())
        head.headers.emplace_back("Retry-After", b.retry_after);
    head.headers.insert(head.headers.end(), b.headers.begin(), b.headers.end());
    return head;
}

http_framing service_framing(framing wanted, bool chunked_by_default)
{
    switch (wanted)
    {
    case framing::automatic: break;
    case framing::content_length: return http_framing::content_length;
    case framing::chunked: return http_framing::chunked;
    case framing::close: return http_framing::close_delimited;
    }
    return chunked_by_default ? http_framing::chunked : http_framing::content_length;
}

// Does to the connection what is to be done after an answer.
void service_after_answer(http_exchange& exchange, behavior const& b)
{
    if (b.close_idle_after)
        exchange.close_idle_after(*b.close_idle_after);
    switch (b.after)
    {
    case after_answer::keep: break;
    case after_answer::close: exchange.close(b.close_notify, b.linger); break;
    case after_answer::reset: exchange.reset(); break;
    }
}

} // namespace

service::service(provider_params const& params)
    : echo_key_(params.echo_key),
      log_capacity_(std::max<std::size_t>(params.log_capacity, 1)),
      body_limit_(params.body_limit)
{}

// --- The script ---

template <class Function>
void service::update(Function change)
{
    {
        std::lock_guard const lock(mutex_);
        change();
        ++version_;
    }
    changed_.notify_all();
}

template <class Function>
void service::update_record(std::size_t id, Function change)
{
    update([&] {
        if (id > dropped_)
            change(log_[id - dropped_ - 1]);
    });
}

void service::on_next(behavior b)
{
    std::lock_guard const lock(mutex_);
    queue_.push_back(std::move(b));
}

void service::on_model(std::string model, behavior b)
{
    std::lock_guard const lock(mutex_);
    models_.insert_or_assign(std::move(model), std::move(b));
}

void service::set_default(behavior b)
{
    std::lock_guard const lock(mutex_);
    default_ = std::move(b);
}

void service::set_function(std::function<behavior(request_view const&)> function)
{
    std::lock_guard const lock(mutex_);
    function_ = std::move(function);
}

void service::set_faults(std::vector<fault_share> faults, std::uint64_t seed)
{
    std::lock_guard const lock(mutex_);
    faults_ = std::move(faults);
    random_.seed(seed);
}

void service::set_keys(std::vector<std::string> keys)
{
    std::lock_guard const lock(mutex_);
    keys_ = std::move(keys);
}

bool service::key_accepted(http_server_request const& request) const
{
    std::string_view const key = service_offered_key(request.headers);
    std::lock_guard const lock(mutex_);
    return keys_.empty() || std::find(keys_.begin(), keys_.end(), key) != keys_.end();
}

std::optional<behavior> service::take_queued()
{
    std::lock_guard const lock(mutex_);
    if (queue_.empty())
        return {};
    behavior b = std::move(queue_.front());
    queue_.pop_front();
    return b;
}

behavior service::choose(http_server_request const& request, std::string_view body, mock_call const& call)
{
    std::function<behavior(request_view const&)> function;
    {
        std::lock_guard const lock(mutex_);
        function = function_;
    }
    if (function)
    {
        request_view view(request.headers);
        view.connection = request.connection;
        view.number = request.number;
        view.method = request.method;
        view.target = request.target;
        view.body = body;
        view.model = call.model;
        view.stream = call.stream;
        try
        {
            return function(view);
        }
        catch (std::exception const& e)
        {
            return behavior().with_status(500).with_error(e.what(), "", "");
        }
    }
    std::lock_guard const lock(mutex_);
    if (!faults_.empty())
    {
        // 53 bits, so that the draw is the same with every standard library.
        double draw = static_cast<double>(random_() >> 11) * 0x1p-53;
        for (fault_share const& share : faults_)
        {
            if (draw < share.probability)
                return share.behavior;
            draw -= share.probability;
        }
    }
    auto const found = models_.find(call.model);
    if (found != models_.end())
        return found->second;
    auto const built_in = built_in_behavior(call.model);
    return built_in ? *built_in : default_;
}

std::vector<std::string> service::model_names() const
{
    std::vector<std::string> names = built_in_models();
    std::lock_guard const lock(mutex_);
    for (auto const& entry : models_)
        if (std::find(names.begin(), names.end(), entry.first) == names.end())
            names.push_back(entry.first);
    return names;
}

// --- The log ---

void service::on_open(std::uint64_t)
{
    update([this] {
        ++accepted_;
        max_open_ = std::max(max_open_, ++open_);
    });
}

void service::on_close(std::uint64_t)
{
    update([this] { --open_; });
}

std::vector<request_record> service::requests() const
{
    std::lock_guard const lock(mutex_);
    return {log_.begin(), log_.end()};
}

std::size_t service::request_count() const
{
    std::lock_guard const lock(mutex_);
    return dropped_ + log_.size();
}

std::size_t service::connections_accepted() const
{
    std::lock_guard const lock(mutex_);
    return accepted_;
}

std::size_t service::connections_open() const
{
    std::lock_guard const lock(mutex_);
    return open_;
}

std::size_t service::max_connections_open() const
{
    std::lock_guard const lock(mutex_);
    return max_open_;
}

bool service::wait_until(std::function<bool()> const& predicate, std::chrono::milliseconds timeout) const
{
    auto const deadline = service_after(service_clock::now(), timeout);
    for (;;)
    {
        std::uint64_t seen = 0;
        {
            std::lock_guard const lock(mutex_);
            seen = version_;
        }
        // Without the lock: the predicate may look at the log.
        if (predicate())
            return true;
        std::unique_lock lock(mutex_);
        auto const change = [this, seen] { return version_ != seen; };
        if (!changed_.wait_until(lock, deadline, change))
            return false;
    }
}

// --- Requests ---

asio::awaitable<void> service::on_request(http_exchange& exchange)
{
    http_server_request const& request = exchange.request();
    request_record record;
    record.connection = request.connection;
    record.number = request.number;
    record.method = request.method;
    record.target = request.target;
    record.headers = request.headers;
    record.received = request.received;
    record.tls_resumed = request.tls_resumed;
    record.client_certificate = request.tls_client_name;
    std::size_t id = 0;
    update([&] {
        log_.push_back(std::move(record));
        if (log_.size() > log_capacity_)
        {
            log_.pop_front();
            ++dropped_;
        }
        id = dropped_ + log_.size();
    });
    bool const complete = co_await serve(exchange, id);
    auto const now = service_clock::now();
    update_record(id, [&](request_record& r) {
        r.answered = now;
        r.client_closed_early = !complete;
    });
}

asio::awaitable<bool> service::serve(http_exchange& exchange, std::size_t id)
{
    http_server_request const& request = exchange.request();
    std::string_view const target = request.target;
    std::string_view const path = target.substr(0, target.find('?'));
    bool const is_call = request.method == "POST" && service_takes_calls(path);
    if (is_call && key_accepted(request))
        co_return co_await serve_call(exchange, id, path);

    std::string body;
    behavior b;
    error_code const ec = co_await read_body(exchange, id, body, b);
    if (ec)
        co_return !exchange.client_gone();
    bool const models = path == "/v1/models" && request.method == "GET";
    if (!is_call && !models)
    {
        b.with_error("Unknown request URL: " + request.method + " " + request.target, "", "unknown_url");
        co_return co_await send_json(exchange, id, 404, error_json(b, 404));
    }
    if (!key_accepted(request))
    {
        if (echo_key_)
            b.error_message = "Incorrect API key provided: " + std::string(service_offered_key(request.headers)) + ".";
        co_return co_await send_json(exchange, id, 401, error_json(b, 401));
    }
    co_return co_await send_json(exchange, id, 200, models_json(model_names()));
}

asio::awaitable<error_code> service::read_body(
    http_exchange& exchange, std::size_t id, std::string& body, behavior const& b)
{
    error_code ec;
    if (b.read_interval.count() == 0)
        ec = co_await exchange.read_body(body);
    while (!ec && !exchange.body_done())
    {
        bool const there = co_await exchange.sleep_until(service_after(service_clock::now(), b.read_interval));
        if (!there)
            ec = asio::error::connection_reset;
        else
            ec = co_await exchange.read_body_some(body, b.read_size);
        if (!ec && body.size() > body_limit_)
            ec = errc::response_too_large;
    }
    update_record(id, [&](request_record& r) { r.body = body; });
    if (ec == errc::response_too_large)
        co_await send_json(exchange, id, 413, error_json(b, 413));
    else if (ec && !exchange.client_gone())
        co_await send_json(exchange, id, 400, error_json(b, 400));
    co_return ec;
}

asio::awaitable<bool> service::serve_call(http_exchange& exchange, std::size_t id, std::string_view path)
{
    std::optional<behavior> queued = take_queued();
    behavior b;
    if (queued)
        b = *queued;
    else
    {
        std::lock_guard const lock(mutex_);
        b = default_;
    }
    mock_call call;
    if (b.early)
    {
        exchange.close(b.close_notify, b.linger);
        co_return co_await respond(exchange, id, b, call);
    }
    std::string body;
    error_code const ec = co_await read_body(exchange, id, body, b);
    if (ec)
        co_return !exchange.client_gone();
    std::string const complaint = service_read_call(path, body, call);
    update_record(id, [&](request_record& r) { r.model = call.model; });
    if (!complaint.empty())
    {
        b = behavior();
        b.error_message = complaint;
        co_return co_await send_json(exchange, id, 400, error_json(b, 400));
    }
    if (!queued)
        b = choose(exchange.request(), body, call);
    call.context.id = "chatcmpl-mock-" + std::to_string(id);
    call.context.created = 1700000000 + static_cast<std::int64_t>(id);
    co_return co_await respond(exchange, id, b, call);
}

asio::awaitable<bool> service::send_json(http_exchange& exchange, std::size_t id, int status, std::string const& body)
{
    behavior const plain;
    http_server_head head = service_head(id, plain, status, "application/json");
    update_record(id, [&](request_record& r) { r.status = status; });
    error_code const ec = co_await exchange.write_whole(std::move(head), body);
    co_return !ec;
}

// --- Answers ---

asio::awaitable<bool> service::respond(
    http_exchange& exchange, std::size_t id, behavior const& b, mock_call const& call)
{
    if (b.first_byte_delay.count() != 0)
    {
        bool const there = co_await exchange.sleep_until(service_after(service_clock::now(), b.first_byte_delay));
        if (!there)
            co_return false;
    }
    if (b.fault == fault::close_before_head || b.fault == fault::reset_before_head)
        co_return co_await fail(exchange, b, call.stream);
    exchange.write_slowly(b.write_size, b.write_interval);
    bool complete = true;
    if (b.raw)
    {
        error_code const ec = co_await exchange.write_bytes(*b.raw);
        complete = !ec;
    }
    else if (call.stream && b.status == 200 && !b.body && b.fault != fault::error_body)
        complete = co_await respond_stream(exchange, id, b, call);
    else
        complete = co_await respond_whole(exchange, id, b, call);
    service_after_answer(exchange, b);
    co_return complete;
}

// Waits for a time. Streams with a comment interval send comments meanwhile.
asio::awaitable<bool> service::wait(http_exchange& exchange, behavior const& b, std::chrono::steady_clock::time_point t)
{
    if (b.comment_interval.count() == 0 || b.framing == framing::content_length)
        co_return co_await exchange.sleep_until(t);
    for (;;)
    {
        auto const next = service_after(service_clock::now(), b.comment_interval);
        bool const there = co_await exchange.sleep_until(std::min(t, next));
        if (!there || t <= next)
            co_return there;
        error_code const ec = co_await exchange.write_piece(": keep-alive\n\n");
        if (ec)
            co_return false;
    }
}

// Lets the fault of a behavior happen to the connection.
asio::awaitable<bool> service::fail(http_exchange& exchange, behavior const& b, bool in_stream)
{
    switch (b.fault)
    {
    case fault::close_before_head:
    case fault::cut: exchange.close(b.close_notify, false); break;
    case fault::reset_before_head:
    case fault::reset: exchange.reset(); break;
    case fault::stall:
        if (in_stream)
            co_return co_await wait(exchange, b, service_clock::time_point::max());
        co_return co_await exchange.sleep_until(service_clock::time_point::max());
    case fault::none:
    case fault::malformed:
    case fault::error:
    case fault::error_body: break;
    }
    co_return true;
}

asio::awaitable<bool> service::respond_whole(
    http_exchange& exchange, std::size_t id, behavior const& b, mock_call const& call)
{
    answer const text(b, call.context);
    bool const is_answer = b.status == 200 && !b.body && b.fault != fault::error && b.fault != fault::error_body;
    std::string body;
    if (b.body)
        body = *b.body;
    else if (is_answer)
        body = call.body ? *call.body : text.whole();
    else
        body = error_json(b, b.status);
    bool const breaks = b.fault == fault::cut || b.fault == fault::reset || b.fault == fault::stall;
    std::size_t sent = body.size();
    if (breaks || b.fault == fault::malformed)
        sent = is_answer && !call.body ? text.whole_offset(b.fault_after) : body.size() / 2;
    if (b.fault == fault::malformed)
        body.resize(sent);

    http_server_head head = service_head(id, b, b.status, "application/json");
    head.framing = service_framing(b.framing, false);
    // What is missing in the end must have been promised.
    head.content_length = body.size() + (b.terminate ? 0 : 1);
    update_record(id, [&](request_record& r) { r.status = b.status; });
    error_code ec;
    if (b.first_token_delay.count() == 0 && b.terminate && !breaks)
    {
        ec = co_await exchange.write_whole(std::move(head), body);
        co_return !ec;
    }
    ec = co_await exchange.write_head(head);
    if (ec)
        co_return false;
    bool there = co_await exchange.sleep_until(service_after(service_clock::now(), b.first_token_delay));
    if (!there)
        co_return false;
    ec = co_await exchange.write_piece(std::string_view(body).substr(0, sent));
    if (ec)
        co_return false;
    if (breaks)
        co_return co_await fail(exchange, b, false);
    if (!b.terminate)
        co_return co_await exchange.sleep_until(service_clock::time_point::max());
    ec = co_await exchange.finish();
    co_return !ec;
}

asio::awaitable<bool> service::respond_stream(
    http_exchange& exchange, std::size_t id, behavior const& b, mock_call const& call)
{
    answer const text(b, call.context);
    std::size_t const tokens = text.tokens();
    std::size_t const fault_at = b.fault == fault::none ? tokens + 1 : std::min(b.fault_after, tokens);
    std::size_t const batch = std::max<std::size_t>(b.batch, 1);
    std::string const role = b.role_chunk ? text.role_events() : std::string();
    std::string end = text.finish_events() + text.usage_event();
    if (b.done)
        end += "data: [DONE]\n\n";
    // An error event is the last one.
    std::string const error = "data: " + error_json(b, b.status) + "\n\n";
    std::string const malformed = text.malformed_event();

    bool const one_oh = b.http_1_0 || exchange.request().http_1_0;
    http_server_head head = service_head(id, b, b.status, "text/event-stream");
    head.framing = service_framing(b.framing, true);
    if (one_oh && head.framing == http_framing::chunked)
        head.framing = http_framing::close_delimited;
    if (head.framing == http_framing::content_length)
    {
        std::size_t const last = b.fault == fault::error ? fault_at : tokens;
        head.content_length = role.size() + (b.terminate ? 0 : 1);
        for (std::size_t token = 0; token < last; ++token)
            head.content_length += text.token_events(token).size();
        head.content_length += b.fault == fault::error ? error.size() : end.size();
        head.content_length += b.fault == fault::malformed ? malformed.size() : 0;
    }
    update_record(id, [&](request_record& r) { r.status = b.status; });
    error_code ec = co_await exchange.write_head(head);
    if (!ec && !role.empty())
        ec = co_await exchange.write_piece(role);

    std::string pending;
    auto due = service_clock::now();
    for (std::size_t token = 0; token <= tokens && !ec; ++token)
    {
        // What is left in a batch goes out before a fault and at the end.
        if (!pending.empty() && (token == tokens || token == fault_at || token % batch == 0))
        {
            ec = co_await exchange.write_piece(pending);
            pending.clear();
            update_record(id, [&](request_record& r) { r.tokens_sent = token; });
            if (ec)
                break;
        }
        if (token == fault_at && b.fault == fault::malformed)
            ec = co_await exchange.write_piece(malformed);
        else if (token == fault_at && b.fault == fault::error)
            end = error;
        else if (token == fault_at)
            co_return co_await fail(exchange, b, true);
        if (token == tokens || (token == fault_at && b.fault == fault::error))
            break;
        auto const delay = token == 0 ? b.first_token_delay : b.token_delay;
        if (delay.count() != 0 && token % batch == 0)
        {
            // The pace is kept on average; a client that was slow to read gets no burst.
            due = std::max(service_after(due, delay), service_clock::now());
            bool const there = co_await wait(exchange, b, due);
            if (!there)
                co_return false;
        }
        pending += text.token_events(token);
    }
    if (!ec)
        ec = co_await exchange.write_piece(end);
    if (ec)
        co_return false;
    if (!b.terminate)
        co_return co_await exchange.sleep_until(service_clock::time_point::max());
    ec = co_await exchange.finish();
    co_return !ec;
}

} // namespace serin::mock

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
