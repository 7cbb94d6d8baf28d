// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The work of the benchmark with libcurl's multi interface on epoll and simdjson, as a C++ service would put it
// together without Serin. libcurl brings pool and time-outs; escaping, events and retries are written here.

#include "../measure/measure.hpp"

#include <curl/curl.h>
#include <simdjson.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

// --- What is asked and answered ---

struct message
{
    std::string role;
    std::string content;
};

struct chat_request
{
    std::string model;
    std::vector<message> messages;
    std::optional<double> temperature;
    std::optional<long> max_tokens;
    bool stream = false;
};

struct choice
{
    std::int64_t index = 0;
    std::string role;
    std::string content;
    std::string refusal;
    std::string finish_reason;
};

struct usage
{
    std::int64_t prompt_tokens = 0;
    std::int64_t completion_tokens = 0;
    std::int64_t total_tokens = 0;
    std::int64_t cached_tokens = 0;
    std::int64_t reasoning_tokens = 0;
};

// Of a chunk too.
struct chat_response
{
    std::string id;
    std::string model;
    std::string service_tier;
    std::string system_fingerprint;
    std::int64_t created = 0;
    std::vector<choice> choices;
    ::usage usage;
};

chat_request make_request(bench::prompt const& p, bench::options const& opt)
{
    chat_request r;
    r.model = "bench-model";
    r.temperature = 0.5;
    r.max_tokens = 512;
    r.messages.push_back({"system", p.system});
    for (long i = 0; i < opt.history; ++i)
    {
        r.messages.push_back({"user", p.user});
        r.messages.push_back({"assistant", p.system});
    }
    r.messages.push_back({"user", p.user});
    r.stream = opt.scenario == "stream";
    return r;
}

void write_string(std::string& out, std::string_view text)
{
    out += '"';
    std::size_t from = 0; // What stands before it is written.
    for (std::size_t i = 0; i < text.size(); ++i)
    {
        auto const c = static_cast<unsigned char>(text[i]);
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        out.append(text, from, i - from);
        from = i + 1;
        switch (c)
        {
        case '"': out += "\\\""; break;
        case '\\': out += "\\\\"; break;
        case '\n': out += "\\n"; break;
        default:
            char escaped[8];
            std::snprintf(escaped, sizeof(escaped), "\\u%04x", c);
            out += escaped;
        }
    }
    out.append(text, from);
    out += '"';
}

std::string write(chat_request const& r)
{
    std::string out;
    out.reserve(4096);
    out += "{\"model\":";
    write_string(out, r.model);
    out += ",\"messages\":[";
    for (auto const& m : r.messages)
    {
        if (out.back() == '}')
            out += ',';
        out += "{\"role\":";
        write_string(out, m.role);
        out += ",\"content\":";
        write_string(out, m.content);
        out += '}';
    }
    out += ']';
    char number[40];
    if (r.temperature)
    {
        std::snprintf(number, sizeof(number), ",\"temperature\":%g", *r.temperature);
        out += number;
    }
    if (r.max_tokens)
        out += ",\"max_tokens\":" + std::to_string(*r.max_tokens);
    if (r.stream)
        out += ",\"stream\":true";
    out += '}';
    return out;
}

std::string text_of(simdjson::simdjson_result<simdjson::dom::element> value)
{
    std::string_view text;
    if (value.get(text))
        return {};
    return std::string(text);
}

std::int64_t number_of(simdjson::simdjson_result<simdjson::dom::element> value)
{
    std::int64_t number = 0;
    if (value.get(number))
        return 0;
    return number;
}

// json must have room for simdjson's padding. False: not a chat completion.
bool read(simdjson::dom::parser& parser, std::string& json, char const* message_name, chat_response& out)
{
    json.reserve(json.size() + simdjson::SIMDJSON_PADDING);
    simdjson::dom::element root;
    simdjson::dom::array choices;
    if (parser.parse(json.data(), json.size(), false).get(root) || root["choices"].get(choices))
        return false;
    out.id = text_of(root["id"]);
    out.model = text_of(root["model"]);
    out.service_tier = text_of(root["service_tier"]);
    out.system_fingerprint = text_of(root["system_fingerprint"]);
    out.created = number_of(root["created"]);
    for (auto const from : choices)
    {
        choice c;
        c.index = number_of(from["index"]);
        c.finish_reason = text_of(from["finish_reason"]);
        auto const message = from[message_name];
        c.role = text_of(message["role"]);
        c.content = text_of(message["content"]);
        c.refusal = text_of(message["refusal"]);
        out.choices.push_back(std::move(c));
    }
    auto const u = root["usage"];
    if (u.error())
        return true;
    out.usage.prompt_tokens = number_of(u["prompt_tokens"]);
    out.usage.completion_tokens = number_of(u["completion_tokens"]);
    out.usage.total_tokens = number_of(u["total_tokens"]);
    out.usage.cached_tokens = number_of(u["prompt_tokens_details"]["cached_tokens"]);
    out.usage.reasoning_tokens = number_of(u["completion_tokens_details"]["reasoning_tokens"]);
    return true;
}

// --- The transport ---

constexpr int max_attempts = 5;

class client;

struct worker
{
    client* owner = nullptr;
    CURL* easy = nullptr;
    std::string body;
    std::string in; // The answer, or the part of a stream that is not read yet.
    int attempt = 0;
    bool wrong = false; // The stream holds what is no chunk.
    bool done = false;  // [DONE] has come.
    std::string finish_reason;
    long tokens = 0;
    double first = 0;
    bench::clock_type::time_point begin;
};

class client
{
    bench::options const& opt_;
    bench::prompt const prompt_;
    bench::figures out_;
    simdjson::dom::parser parser_;
    CURLM* multi_ = curl_multi_init();
    curl_slist* headers_ = nullptr;
    int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    long timeout_ms_ = -1;
    std::vector<worker> workers_;
    std::multimap<bench::clock_type::time_point, worker*> waiting_; // For their next attempt.
    std::minstd_rand random_{std::random_device{}()};
    long left_ = 0;
    long open_ = 0;

    static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void* known)
    {
        auto& c = *static_cast<client*>(self);
        if (what == CURL_POLL_REMOVE)
        {
            ::epoll_ctl(c.epoll_, EPOLL_CTL_DEL, fd, nullptr);
            return 0;
        }
        epoll_event e{};
        e.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
        e.data.fd = fd;
        ::epoll_ctl(c.epoll_, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e);
        curl_multi_assign(c.multi_, fd, self);
        return 0;
    }

    static int on_timer(CURLM*, long ms, void* self)
    {
        static_cast<client*>(self)->timeout_ms_ = ms;
        return 0;
    }

    static std::size_t on_data(char* data, std::size_t one, std::size_t size, void* user)
    {
        auto& w = *static_cast<worker*>(user);
        w.in.append(data, one * size);
        if (w.owner->opt_.scenario == "stream")
            w.owner->read_events(w);
        return one * size;
    }

    void read_events(worker& w)
    {
        std::size_t from = 0;
        for (std::size_t end = 0; (end = w.in.find('\n', from)) != std::string::npos; from = end + 1)
        {
            std::string_view line(w.in.data() + from, end - from);
            if (line.ends_with('\r'))
                line.remove_suffix(1);
            if (!line.starts_with("data:"))
                continue;
            line.remove_prefix(line.starts_with("data: ") ? 6 : 5);
            if (line == "[DONE]")
            {
                w.done = true;
                continue;
            }
            std::string json(line);
            chat_response chunk;
            if (!read(parser_, json, "delta", chunk))
            {
                w.wrong = true;
                continue;
            }
            for (auto const& c : chunk.choices)
            {
                if (!c.content.empty() && w.tokens++ == 0)
                    w.first = bench::since(w.begin);
                out_.characters += c.content.size();
                if (!c.finish_reason.empty())
                    w.finish_reason = c.finish_reason;
            }
        }
        w.in.erase(0, from);
    }

    void call(worker& w)
    {
        if (left_-- <= 0)
            return;
        ++open_;
        w.begin = bench::clock_type::now();
        w.attempt = 0;
        w.body = write(make_request(prompt_, opt_));
        curl_easy_setopt(w.easy, CURLOPT_POSTFIELDS, w.body.data());
        curl_easy_setopt(w.easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(w.body.size()));
        attempt(w);
    }

    void attempt(worker& w)
    {
        ++w.attempt;
        w.in.clear();
        w.wrong = false;
        w.done = false;
        w.tokens = 0;
        w.finish_reason.clear();
        curl_multi_add_handle(multi_, w.easy);
    }

    void finish(worker& w, bool ok)
    {
        if (!ok && out_.failed == 0)
            std::fprintf(stderr, "libcurl: a call failed\n");
        ++(ok ? out_.ok : out_.failed);
        auto const total = bench::since(w.begin);
        out_.latencies.push_back(total);
        if (opt_.scenario == "stream" && ok)
            out_.add_stream(w.first, total, w.tokens);
        --open_;
        call(w);
    }

    void end_of_attempt(worker& w, CURLcode result)
    {
        long status = 0;
        curl_easy_getinfo(w.easy, CURLINFO_RESPONSE_CODE, &status);
        bool ok = result == CURLE_OK && status == 200;
        if (ok && opt_.scenario == "stream")
            ok = !w.wrong && w.done;
        else if (ok)
        {
            chat_response response;
            ok = read(parser_, w.in, "message", response) && !response.choices.empty();
            if (ok)
            {
                out_.characters += response.choices[0].content.size();
                out_.characters += static_cast<unsigned long>(response.usage.total_tokens);
                w.finish_reason = response.choices[0].finish_reason;
            }
        }
        if (ok)
            return finish(w, w.finish_reason == "stop");
        bool const again =
            result != CURLE_OK || status == 200 || status == 408 || status == 409 || status == 429 || status >= 500;
        if (!again || w.attempt == max_attempts || w.tokens > 0)
            return finish(w, false);
        // 0.5 s, doubled for every attempt up to 8 s, with jitter; as much more as the server asks for.
        auto const top = std::min(8000.0, 500.0 * static_cast<double>(1 << (w.attempt - 1)));
        curl_off_t after = 0;
        curl_easy_getinfo(w.easy, CURLINFO_RETRY_AFTER, &after);
        auto const ms = std::uniform_real_distribution<>(0, top)(random_) + 1000.0 * static_cast<double>(after);
        waiting_.emplace(bench::clock_type::now() + std::chrono::microseconds(static_cast<long>(ms * 1000)), &w);
    }

    void take_results()
    {
        int rest = 0;
        while (auto* const m = curl_multi_info_read(multi_, &rest))
        {
            if (m->msg != CURLMSG_DONE)
                continue;
            auto const result = m->data.result;
            worker* w = nullptr;
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &w);
            curl_multi_remove_handle(multi_, w->easy);
            end_of_attempt(*w, result);
        }
    }

    int wait_ms() const
    {
        long ms = timeout_ms_;
        if (!waiting_.empty())
        {
            auto const until = waiting_.begin()->first - bench::clock_type::now();
            auto const rest = std::max<long>(0, std::chrono::ceil<std::chrono::milliseconds>(until).count());
            ms = ms < 0 ? rest : std::min(ms, rest);
        }
        return static_cast<int>(ms);
    }

public:
    explicit client(bench::options const& opt) : opt_(opt)
    {
        curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, on_socket);
        curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
        curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, on_timer);
        curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
        curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, opt.concurrency);
        headers_ = curl_slist_append(headers_, "Content-Type: application/json");
        headers_ = curl_slist_append(headers_, (std::string("Authorization: Bearer ") + bench::key).c_str());
        headers_ = curl_slist_append(headers_, "Expect:");
        auto const url = opt.base_urls.at(0) + "/chat/completions";
        workers_.resize(static_cast<std::size_t>(opt.concurrency));
        for (auto& w : workers_)
        {
            w.owner = this;
            w.easy = curl_easy_init();
            curl_easy_setopt(w.easy, CURLOPT_PRIVATE, &w);
            curl_easy_setopt(w.easy, CURLOPT_URL, url.c_str());
            curl_easy_setopt(w.easy, CURLOPT_HTTPHEADER, headers_);
            curl_easy_setopt(w.easy, CURLOPT_WRITEFUNCTION, on_data);
            curl_easy_setopt(w.easy, CURLOPT_WRITEDATA, &w);
            curl_easy_setopt(w.easy, CURLOPT_CONNECTTIMEOUT, 5L);
            curl_easy_setopt(w.easy, CURLOPT_TIMEOUT, 600L);
            curl_easy_setopt(w.easy, CURLOPT_NOSIGNAL, 1L);
            if (!opt.ca.empty())
                curl_easy_setopt(w.easy, CURLOPT_CAINFO, opt.ca.c_str());
        }
    }

    bench::figures run(long calls)
    {
        out_ = {};
        left_ = calls;
        for (auto& w : workers_)
            call(w);
        int running = 0;
        while (open_ > 0)
        {
            epoll_event events[256];
            int const count = ::epoll_wait(epoll_, events, 256, wait_ms());
            for (int i = 0; i < count; ++i)
            {
                int const what = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                                 (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                                 (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
                curl_multi_socket_action(multi_, events[i].data.fd, what, &running);
            }
            if (count == 0)
                curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
            take_results();
            while (!waiting_.empty() && waiting_.begin()->first <= bench::clock_type::now())
            {
                auto& w = *waiting_.begin()->second;
                waiting_.erase(waiting_.begin());
                attempt(w);
            }
        }
        return std::move(out_);
    }
};

std::string version()
{
    auto const* const curl = curl_version_info(CURLVERSION_NOW);
    return std::string(curl->version) + ", simdjson " + std::to_string(simdjson::SIMDJSON_VERSION_MAJOR) + "." +
           std::to_string(simdjson::SIMDJSON_VERSION_MINOR) + "." + std::to_string(simdjson::SIMDJSON_VERSION_REVISION);
}

} // namespace

int main(int argc, char** argv)
{
    if (argc == 2 && std::string_view(argv[1]) == "--version")
    {
        std::printf("{\"peer\": \"libcurl\", \"version\": \"%s\"}\n", version().c_str());
        return 0;
    }
    auto const opt = bench::parse(argc, argv);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    client c(opt);
    if (opt.warmup > 0)
        c.run(opt.warmup);
    bench::meter const meter;
    auto figures = c.run(opt.calls);
    meter.report("libcurl", version().c_str(), opt, figures);
    return 0;
}
