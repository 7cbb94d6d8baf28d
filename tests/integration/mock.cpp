// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The mock provider over real sockets, seen by a client that shares no code with it.

#include <serin/mock/provider.hpp>

#include <boost/system/system_error.hpp>
#include <nlohmann/json.hpp>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.hpp"

using namespace serin;
using mock::behavior;
using nlohmann::json;
using std::chrono::milliseconds;
using test_clock = std::chrono::steady_clock;

namespace {

// Long enough for a busy machine under a sanitizer; nothing waits for it unless a test fails.
constexpr milliseconds patience{20000};

// How a read ended.
enum class ending
{
    open,
    closed,
    reset,
    timed_out,
    tls_truncated
};

class response
{
public:
    int status = 0;
    std::string head;
    std::string body;
    bool complete = false; // The body has its end mark.
    ending end = ending::open;

    std::string header(std::string_view name) const
    {
        std::string const mark = "\r\n" + std::string(name) + ": ";
        auto const at = head.find(mark);
        if (at == std::string::npos)
            return {};
        return head.substr(at + mark.size(), head.find("\r\n", at + 2) - at - mark.size());
    }
};

// A blocking client on one connection.
class raw_client
{
    int fd_ = -1;
    std::string in_;
    SSL_CTX* context_ = nullptr;
    SSL* ssl_ = nullptr;
    bool send_failed_ = false;

    bool wait(short events, milliseconds timeout)
    {
        pollfd entry{fd_, events, 0};
        return ::poll(&entry, 1, static_cast<int>(timeout.count())) > 0;
    }

public:
    raw_client() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) { REQUIRE(fd_ >= 0); }
    explicit raw_client(mock::provider const& p) : raw_client() { connect(p); }
    raw_client(raw_client const&) = delete;
    raw_client& operator=(raw_client const&) = delete;

    ~raw_client()
    {
        SSL_free(ssl_);
        SSL_CTX_free(context_);
        close();
    }

    int fd() const { return fd_; }
    bool send_failed() const { return send_failed_; }

    void connect(mock::provider const& p)
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(p.port());
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    }

    // Empty if the handshake succeeds, else why not.
    std::string start_tls(
        mock::provider const& p, std::string const& host, bool with_certificate = false, SSL_SESSION* session = nullptr)
    {
        context_ = SSL_CTX_new(TLS_client_method());
        std::string const ca = p.ca_pem();
        BIO* bio = BIO_new_mem_buf(ca.data(), static_cast<int>(ca.size()));
        X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
        REQUIRE(certificate);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context_), certificate);
        X509_free(certificate);
        BIO_free(bio);
        if (with_certificate)
        {
            std::string const pem = p.client_certificate_pem();
            bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
            certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
            REQUIRE(SSL_CTX_use_certificate(context_, certificate) == 1);
            X509_free(certificate);
            BIO_free(bio);
            std::string const key_pem = p.client_key_pem();
            bio = BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size()));
            EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
            REQUIRE(SSL_CTX_use_PrivateKey(context_, key) == 1);
            EVP_PKEY_free(key);
            BIO_free(bio);
        }
        SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
        ssl_ = SSL_new(context_);
        SSL_set1_host(ssl_, host.c_str());
        SSL_set_tlsext_host_name(ssl_, host.c_str());
        unsigned char const protocols[] = "\x08http/1.1";
        SSL_set_alpn_protos(ssl_, protocols, sizeof protocols - 1);
        if (session)
            SSL_set_session(ssl_, session);
        SSL_set_fd(ssl_, fd_);
        ERR_clear_error();
        if (SSL_connect(ssl_) == 1)
            return {};
        long const verdict = SSL_get_verify_result(ssl_);
        return verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : "handshake failed";
    }

    SSL* ssl() const { return ssl_; }

    void close()
    {
        if (fd_ >= 0)
            ::close(fd_);
        fd_ = -1;
    }

    void reset()
    {
        linger const hard{1, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        close();
    }

    void send(std::string_view bytes)
    {
        if (ssl_)
        {
            CHECK(SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size()));
            return;
        }
        while (!bytes.empty())
        {
            auto const n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n < 0)
            {
                // The peer has gone: what it said before counts.
                send_failed_ = true;
                return;
            }
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
    }

    // Reads more into the buffer.
    ending fill(milliseconds timeout = patience)
    {
        char buffer[16384];
        if (ssl_)
        {
            ERR_clear_error();
            int const n = SSL_read(ssl_, buffer, sizeof buffer);
            if (n > 0)
            {
                in_.append(buffer, static_cast<std::size_t>(n));
                return ending::open;
            }
            int const why = SSL_get_error(ssl_, n);
            if (why == SSL_ERROR_ZERO_RETURN)
                return ending::closed;
            return why == SSL_ERROR_SYSCALL && errno == ECONNRESET ? ending::reset : ending::tls_truncated;
        }
        if (!wait(POLLIN, timeout))
            return ending::timed_out;
        auto const n = ::recv(fd_, buffer, sizeof buffer, 0);
        if (n == 0)
            return ending::closed;
        if (n < 0)
            return ending::reset;
        in_.append(buffer, static_cast<std::size_t>(n));
        return ending::open;
    }

    // Reads until the text has come. False if it does not.
    bool read_until(std::string_view text)
    {
        while (in_.find(text) == std::string::npos)
            if (fill() != ending::open)
                return false;
        return true;
    }

    // Everything up to the end of the connection.
    std::pair<std::string, ending> read_all()
    {
        ending end = ending::open;
        while (end == ending::open)
            end = fill();
        return {std::exchange(in_, {}), end};
    }

    // One answer: as far as it goes.
    response read()
    {
        response r;
        while (in_.find("\r\n\r\n") == std::string::npos)
        {
            r.end = fill();
            if (r.end != ending::open)
                return r;
        }
        auto const head_end = in_.find("\r\n\r\n") + 4;
        r.head = in_.substr(0, head_end);
        in_.erase(0, head_end);
        r.status = std::atoi(r.head.c_str() + 9);
        if (r.status < 200)
            r.complete = true;
        else if (r.header("Transfer-Encoding") == "chunked")
            read_chunks(r);
        else if (!r.header("Content-Length").empty())
        {
            std::size_t const size = std::stoul(r.header("Content-Length"));
            while (in_.size() < size && r.end == ending::open)
                r.end = fill();
            r.complete = in_.size() >= size;
            r.body = in_.substr(0, size);
            in_.erase(0, size);
        }
        else
        {
            auto all = read_all();
            r.body = std::move(all.first);
            r.end = all.second;
            r.complete = r.end == ending::closed;
        }
        return r;
    }

    void read_chunks(response& r)
    {
        for (;;)
        {
            while (in_.find("\r\n") == std::string::npos)
            {
                r.end = fill();
                if (r.end != ending::open)
                    return;
            }
            std::size_t const size = std::stoul(in_, nullptr, 16);
            std::size_t const start = in_.find("\r\n") + 2;
            while (in_.size() < start + size + 2)
            {
                r.end = fill();
                if (r.end != ending::open)
                    return;
            }
            r.body += in_.substr(start, size);
            REQUIRE(in_.substr(start + size, 2) == "\r\n");
            in_.erase(0, start + size + 2);
            if (size == 0)
            {
                r.complete = true;
                return;
            }
        }
    }
};

std::string post(std::string const& body, std::string const& headers = {}, std::string const& version = "1.1",
    std::string const& path = "/v1/chat/completions")
{
    return "POST " + path + " HTTP/" + version + "\r\nHost: mock\r\nContent-Type: application/json\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string chat_body(std::string const& model, bool stream = false, std::string const& more = {})
{
    return "{\"model\":\"" + model + "\",\"messages\":[{\"role\":\"user\",\"content\":\"how are you\"}]" +
           (stream ? ",\"stream\":true" : "") + more + "}";
}

std::string whole(std::string const& model = "mock")
{
    return post(chat_body(model));
}

std::string stream(std::string const& model = "mock", std::string const& more = {})
{
    return post(chat_body(model, true, more));
}

response ask(mock::provider const& p, std::string const& request)
{
    raw_client client(p);
    client.send(request);
    return client.read();
}

// The data of a stream's events.
std::vector<std::string> events(std::string_view body)
{
    std::vector<std::string> all;
    for (;;)
    {
        auto const end = body.find("\n\n");
        if (end == std::string_view::npos)
            return all;
        if (body.substr(0, 6) == "data: ")
            all.emplace_back(body.substr(6, end - 6));
        body.remove_prefix(end + 2);
    }
}

// The text of the first choice of a stream.
std::string stream_text(std::string_view body)
{
    std::string text;
    for (std::string const& data : events(body))
    {
        auto const chunk = json::parse(data, nullptr, false);
        if (chunk.is_object() && chunk.contains("choices") && !chunk["choices"].empty() &&
            chunk["choices"][0]["index"] == 0)
            text += chunk["choices"][0]["delta"].value("content", "");
    }
    return text;
}

bool answered(mock::provider const& p, std::size_t count = 1)
{
    return p.wait_until(
        [&] {
            auto const log = p.requests();
            return log.size() >= count && log[count - 1].answered.has_value();
        },
        patience);
}

mock::provider_params tls_params()
{
    mock::provider_params params;
    params.tls = true;
    return params;
}

} // namespace

TEST_CASE("mock: a whole answer", "[mock]")
{
    mock::provider p;
    raw_client client(p);
    client.send(whole());
    response const r = client.read();
    CHECK(r.status == 200);
    CHECK(r.complete);
    CHECK(r.header("Content-Type") == "application/json");
    CHECK(r.header("x-request-id") == "req_mock_1");
    json const body = json::parse(r.body);
    CHECK(body["object"] == "chat.completion");
    CHECK(body["model"] == "mock");
    CHECK(body["choices"].size() == 1);
    CHECK(body["choices"][0]["message"]["role"] == "assistant");
    CHECK(body["choices"][0]["message"]["content"] == "tok1 tok2 tok3 tok4 tok5 tok6 tok7 tok8");
    CHECK(body["choices"][0]["finish_reason"] == "stop");
    CHECK(body["usage"]["prompt_tokens"] == 3);
    CHECK(body["usage"]["completion_tokens"] == 8);
    CHECK(body["usage"]["total_tokens"] == 11);

    // The connection is kept.
    client.send(whole());
    CHECK(client.read().header("x-request-id") == "req_mock_2");
    CHECK(p.connections_accepted() == 1);
    CHECK(p.connections_open() == 1);
}

TEST_CASE("mock: a streamed answer", "[mock]")
{
    mock::provider p;
    response const r = ask(p, stream("mock", ",\"stream_options\":{\"include_usage\":true}"));
    CHECK(r.status == 200);
    CHECK(r.complete);
    CHECK(r.header("Content-Type") == "text/event-stream");
    auto const all = events(r.body);
    REQUIRE(all.size() == 12); // role, 8 tokens, finish, usage, done
    CHECK(json::parse(all[0])["object"] == "chat.completion.chunk");
    CHECK(json::parse(all[0])["choices"][0]["delta"]["role"] == "assistant");
    CHECK(stream_text(r.body) == "tok1 tok2 tok3 tok4 tok5 tok6 tok7 tok8");
    for (std::size_t i = 0; i < 9; ++i)
        CHECK(json::parse(all[i])["choices"][0]["finish_reason"].is_null());
    CHECK(json::parse(all[9])["choices"][0]["finish_reason"] == "stop");
    CHECK(json::parse(all[9])["usage"].is_null());
    CHECK(json::parse(all[10])["choices"].empty());
    CHECK(json::parse(all[10])["usage"]["completion_tokens"] == 8);
    CHECK(all[11] == "[DONE]");

    CHECK(ask(p, stream()).body.find("usage") == std::string::npos);
}

TEST_CASE("mock: what an answer says", "[mock]")
{
    mock::provider p;
    auto const message = [&](behavior const& b, std::string const& more = {}) {
        p.on_next(b);
        return json::parse(ask(p, post(chat_body("m", false, more))).body)["choices"][0];
    };
    auto const streamed = [&](behavior const& b, std::string const& more = {}) {
        p.on_next(b);
        return ask(p, stream("m", more)).body;
    };

    SECTION("a given text, a token a word")
    {
        std::string const text = "Gr\xc3\xbc\xc3\x9f \"Gott\"\n\n  twice\t ";
        CHECK(message(behavior().with_text(text))["message"]["content"] == text);
        auto const body = streamed(behavior().with_text(text));
        CHECK(stream_text(body) == text);
        CHECK(events(body).size() == 1 + 3 + 1 + 1);
        CHECK(message(behavior().with_text(""))["message"]["content"] == "");
        CHECK(events(streamed(behavior().with_text(""))).size() == 3);
    }
    SECTION("an echo")
    {
        CHECK(message(behavior().echoing())["message"]["content"] == "how are you");
        CHECK(stream_text(streamed(behavior().echoing())) == "how are you");
    }
    SECTION("words of a seed")
    {
        behavior b;
        b.seed = 5;
        std::string const text = message(b)["message"]["content"];
        CHECK(stream_text(streamed(b)) == text);
        b.seed = 6;
        CHECK(message(b)["message"]["content"] != text);
    }
    SECTION("reasoning")
    {
        json const choice = message(behavior().with_reasoning(3));
        CHECK(choice["message"]["reasoning_content"] == "think1 think2 think3");
        auto const all = events(streamed(behavior().with_reasoning(3)));
        CHECK(json::parse(all[1])["choices"][0]["delta"]["reasoning_content"] == "think1");
        CHECK(json::parse(all[4])["choices"][0]["delta"]["content"] == "tok1");
        behavior b = behavior().with_reasoning(1);
        b.reasoning_field = "reasoning";
        CHECK(message(b)["message"]["reasoning"] == "think1");
    }
    SECTION("tool calls")
    {
        behavior const b = behavior().with_tool_call("f", R"({"city":"Bonn"})").with_tool_call("g", "{}");
        json const choice = message(b);
        CHECK(choice["finish_reason"] == "tool_calls");
        CHECK(choice["message"]["content"].is_null());
        REQUIRE(choice["message"]["tool_calls"].size() == 2);
        CHECK(choice["message"]["tool_calls"][0]["function"]["name"] == "f");
        CHECK(choice["message"]["tool_calls"][0]["function"]["arguments"] == R"({"city":"Bonn"})");
        std::string arguments[2];
        std::string names;
        std::size_t fragments = 0;
        for (std::string const& data : events(streamed(b)))
        {
            auto const chunk = json::parse(data, nullptr, false);
            if (!chunk.is_object() || !chunk["choices"][0]["delta"].contains("tool_calls"))
                continue;
            json const& call = chunk["choices"][0]["delta"]["tool_calls"][0];
            names += call["function"].value("name", "");
            arguments[call["index"].get<std::size_t>()] += call["function"].value("arguments", "");
            ++fragments;
        }
        CHECK(names == "fg");
        CHECK(arguments[0] == R"({"city":"Bonn"})");
        CHECK(arguments[1] == "{}");
        CHECK(fragments == 8);
    }
    SECTION("max_tokens")
    {
        json const choice = message(behavior(), ",\"max_tokens\":2");
        CHECK(choice["message"]["content"] == "tok1 tok2");
        CHECK(choice["finish_reason"] == "length");
        CHECK(stream_text(streamed(behavior(), ",\"max_completion_tokens\":1")) == "tok1");
        CHECK(message(behavior().with_reasoning(4), ",\"max_tokens\":2")["message"]["content"] == "");
    }
    SECTION("several choices")
    {
        p.on_next(behavior());
        json const body = json::parse(ask(p, post(chat_body("m", false, ",\"n\":3"))).body);
        REQUIRE(body["choices"].size() == 3);
        CHECK(body["choices"][2]["index"] == 2);
        CHECK(body["usage"]["completion_tokens"] == 24);
        CHECK(events(streamed(behavior(), ",\"n\":3")).size() == 3 * 10 + 1);
    }
    SECTION("finish reasons")
    {
        CHECK(message(behavior().with_finish_reason("content_filter"))["finish_reason"] == "content_filter");
        CHECK(message(behavior().without_finish_reason())["finish_reason"].is_null());
        CHECK(streamed(behavior().without_finish_reason()).find("\"stop\"") == std::string::npos);
    }
    SECTION("usage, asked for or not")
    {
        behavior b;
        b.usage = true;
        CHECK(streamed(b).find("prompt_tokens") != std::string::npos);
        b.usage = false;
        CHECK(ask(p, whole()).body.find("usage") != std::string::npos);
        p.on_next(b);
        CHECK(ask(p, whole()).body.find("usage") == std::string::npos);
    }
}

TEST_CASE("mock: other paths, bad requests", "[mock]")
{
    mock::provider p;
    auto const models = json::parse(ask(p, "GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n").body);
    CHECK(models["data"][0]["id"] == "mock");

    response r = ask(p, "GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(r.status == 404);
    CHECK(json::parse(r.body)["error"]["type"] == "invalid_request_error");
    CHECK(ask(p, "GET /v1/chat/completions HTTP/1.1\r\nHost: x\r\n\r\n").status == 404);
    CHECK(ask(p, "POST /v1/chat/completions?a=b HTTP/1.1\r\nHost: x\r\n\r\n").status == 400);

    for (char const* body :
        {"", "{", "[]", "{}", R"({"model":"m"})", R"({"model":"m","messages":[]})", R"({"model":"m","messages":{}})",
            R"({"model":1,"messages":[1]})", "{\"model\":\"\xff\",\"messages\":[1]}"})
    {
        INFO(body);
        r = ask(p, post(body));
        CHECK(r.status == 400);
        CHECK(json::parse(r.body)["error"]["message"].is_string());
    }
    CHECK(
        ask(p, post(R"({"model":"m","messages":[1,null,{"content":[{"text":3}]}],"n":-1,"stream":3})")).status == 200);
}

TEST_CASE("mock: embeddings", "[mock]")
{
    mock::provider p;
    auto const request = [](std::string const& members) {
        return post("{\"model\":\"m\"," + members + "}", {}, "1.1", "/v1/embeddings");
    };
    response const r = ask(p, request(R"("input":["one","two","one"])"));
    CHECK(r.status == 200);
    json const body = json::parse(r.body);
    CHECK(body["object"] == "list");
    CHECK(body["model"] == "m");
    CHECK(body["usage"]["prompt_tokens"] == 3);
    CHECK(body["usage"]["total_tokens"] == 3);
    REQUIRE(body["data"].size() == 3);
    CHECK(body["data"][1]["index"] == 1);
    CHECK(body["data"][0]["embedding"].size() == 8);
    CHECK(body["data"][0]["embedding"] == body["data"][2]["embedding"]);
    CHECK(body["data"][0]["embedding"] != body["data"][1]["embedding"]);
    CHECK(
        json::parse(ask(p, request(R"("input":"two")")).body)["data"][0]["embedding"] == body["data"][1]["embedding"]);
    double squares = 0;
    for (double const x : body["data"][0]["embedding"])
        squares += x * x;
    CHECK(std::abs(squares - 1) < 1e-5);
    CHECK(p.requests().at(0).model == "m");

    SECTION("dimensions and base64")
    {
        json const numbers = json::parse(ask(p, request(R"("input":"x","dimensions":3)")).body);
        json const bytes =
            json::parse(ask(p, request(R"("input":"x","dimensions":3,"encoding_format":"base64")")).body);
        REQUIRE(numbers["data"][0]["embedding"].size() == 3);
        std::string const text = bytes["data"][0]["embedding"];
        REQUIRE(text.size() == 16);
        unsigned char decoded[12];
        REQUIRE(EVP_DecodeBlock(decoded, reinterpret_cast<unsigned char const*>(text.data()), 16) == 12);
        for (std::size_t i = 0; i < 3; ++i)
        {
            float value = 0;
            std::memcpy(&value, decoded + 4 * i, 4);
            CHECK(value == numbers["data"][0]["embedding"][i].get<float>());
        }
    }
    SECTION("tokens")
    {
        CHECK(json::parse(ask(p, request(R"("input":[1,2,3])")).body)["data"].size() == 1);
        CHECK(json::parse(ask(p, request(R"("input":[[1,2],[3]])")).body)["data"].size() == 2);
    }
    SECTION("bad requests")
    {
        for (char const* members :
            {R"("x":1)", R"("input":"")", R"("input":[])", R"("input":[""])", R"("input":[null])", R"("input":3)",
                R"("input":{})", R"("input":"x","dimensions":0)", R"("input":"x","dimensions":4097)",
                R"("input":"x","dimensions":"3")", R"("input":"x","encoding_format":"int8")"})
        {
            INFO(members);
            CHECK(ask(p, request(members)).status == 400);
        }
        CHECK(ask(p, post(R"({"input":"x"})", {}, "1.1", "/v1/embeddings")).status == 400);
        CHECK(ask(p, "GET /v1/embeddings HTTP/1.1\r\nHost: x\r\n\r\n").status == 404);
    }
    SECTION("behaviors and keys")
    {
        p.on_next(behavior().with_status(429).with_retry_after("3"));
        response const refused = ask(p, request(R"("input":"x")"));
        CHECK(refused.status == 429);
        CHECK(refused.header("Retry-After") == "3");
        CHECK(ask(p, request(R"("input":"x","stream":true)")).header("Content-Type") == "application/json");
        p.on_next(behavior().cut_after(3));
        response const cut = ask(p, request(R"("input":"x")"));
        CHECK_FALSE(cut.complete);
        CHECK(cut.end == ending::closed);
        p.on_next(behavior().malformed_after(3));
        CHECK(json::parse(ask(p, request(R"("input":"x")")).body, nullptr, false).is_discarded());
        p.on_model("m", behavior().with_status(500));
        CHECK(ask(p, request(R"("input":"x")")).status == 500);
        p.set_keys({"sk-1"});
        CHECK(ask(p, request(R"("input":"x")")).status == 401);
    }
}

TEST_CASE("mock: moderations", "[mock]")
{
    mock::provider p;
    auto const request = [](std::string const& body) { return post(body, {}, "1.1", "/v1/moderations"); };
    json const body = json::parse(ask(p, request(R"({"input":["kind words","hate and violence"]})")).body);
    CHECK(body["model"] == "mock");
    REQUIRE(body["results"].size() == 2);
    CHECK(body["results"][0]["flagged"] == false);
    CHECK(body["results"][0]["categories"]["hate"] == false);
    CHECK(body["results"][1]["flagged"] == true);
    CHECK(body["results"][1]["categories"]["hate"] == true);
    CHECK(body["results"][1]["categories"]["sexual"] == false);
    CHECK(body["results"][1]["category_scores"]["violence"] > 0.9);
    CHECK(json::parse(ask(p, request(R"({"model":"m","input":"x"})")).body)["model"] == "m");
    for (char const* bad :
        {"{}", R"({"input":[]})", R"({"input":[1]})", R"({"input":null})", R"({"input":"x","model":1})"})
    {
        INFO(bad);
        CHECK(ask(p, request(bad)).status == 400);
    }
    p.on_next(behavior().with_status(503));
    CHECK(ask(p, request(R"({"input":"x"})")).status == 503);
    CHECK(ask(p, request(R"({"model":"mock-500","input":"x"})")).status == 500);
}

TEST_CASE("mock: what is not HTTP is refused", "[mock]")
{
    mock::provider_params params;
    params.body_limit = 1000;
    mock::provider p(params);
    CHECK(ask(p, "nonsense\r\n\r\n").status == 400);
    CHECK(ask(p, "GET / HTTP/1.1\r\nHost: x\r\nA b\r\n\r\n").status == 400);
    CHECK(ask(p, "GET / HTTP/1.1\r\nA: " + std::string(70000, 'a') + "\r\n\r\n").status == 431);
    CHECK(ask(p, "GET /" + std::string(70000, 'a') + " HTTP/1.1\r\n\r\n").status == 431);
    // Fields that each are small enough.
    std::string fields;
    while (fields.size() < 70000)
        fields += "A: " + std::string(1000, 'a') + "\r\n";
    CHECK(ask(p, "GET / HTTP/1.1\r\n" + fields + "\r\n").status == 431);

    response const r = ask(p, post(std::string(2000, ' ')));
    CHECK(r.status == 413);
    CHECK(json::parse(r.body)["error"]["code"] == "request_too_large");

    std::string const chunked_head =
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    std::string const body = chat_body("mock");
    std::string chunks;
    for (char const c : body)
        chunks += std::string("1\r\n") + c + "\r\n";
    CHECK(ask(p, chunked_head + chunks + "0\r\n\r\n").status == 200);
    // Neither a trailer nor a chunk header without end is kept.
    raw_client endless(p);
    endless.send(chunked_head + "1;" + std::string(100000, 'x'));
    CHECK(endless.read().status == 400);
    raw_client trailer(p);
    std::string fields_of_trailer = "0\r\n";
    while (fields_of_trailer.size() < 200000)
        fields_of_trailer += "A: " + std::string(1000, 'a') + "\r\n";
    trailer.send(chunked_head + chunks + fields_of_trailer);
    CHECK(trailer.read().status == 400);
    // A line end without CR is an error at once, not a wait.
    CHECK(ask(p, "GET /v1/models HTTP/1.1\nHost: x\n\n").status == 400);
    CHECK(ask(p, "GET /v1/models HTTP/1.1\r\nHost: x\n\n").status == 400);
}

TEST_CASE("mock: requests in any pieces", "[mock]")
{
    mock::provider p;
    SECTION("byte by byte")
    {
        raw_client client(p);
        int const on = 1;
        ::setsockopt(client.fd(), IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
        for (char const c : whole())
            client.send(std::string_view(&c, 1));
        CHECK(client.read().status == 200);
    }
    SECTION("several at once, answered in order")
    {
        raw_client client(p);
        client.send(whole("a") + stream("b") + whole("c"));
        CHECK(json::parse(client.read().body)["model"] == "a");
        CHECK(client.read().body.find("\"model\":\"b\"") != std::string::npos);
        CHECK(json::parse(client.read().body)["model"] == "c");
        CHECK(p.requests()[2].number == 3);
    }
    SECTION("after 100 Continue")
    {
        raw_client client(p);
        std::string const request = post(chat_body("m"), "Expect: 100-continue\r\n");
        auto const body_at = request.find("\r\n\r\n") + 4;
        client.send(request.substr(0, body_at));
        CHECK(client.read().status == 100);
        client.send(request.substr(body_at));
        CHECK(client.read().status == 200);
    }
    SECTION("a large body")
    {
        std::string const text(3000000, 'x');
        p.on_next(behavior().echoing());
        response const r = ask(p, post(R"({"model":"m","messages":[{"role":"user","content":")" + text + "\"}]}"));
        CHECK(json::parse(r.body)["choices"][0]["message"]["content"] == text);
        CHECK(p.requests()[0].body.size() > text.size());
    }
}

TEST_CASE("mock: statuses and their bodies", "[mock]")
{
    mock::provider p;
    p.on_next(behavior().with_status(503).with_retry_after("7").with_header("X-Extra", "yes"));
    response r = ask(p, stream());
    CHECK(r.status == 503);
    CHECK(r.header("Retry-After") == "7");
    CHECK(r.header("X-Extra") == "yes");
    CHECK(r.header("Content-Type") == "application/json");
    CHECK(json::parse(r.body)["error"]["code"] == "server_is_overloaded");

    p.on_next(behavior().with_status(502, "<html>").with_header("Content-Type", "text/html"));
    r = ask(p, whole());
    CHECK(r.status == 502);
    CHECK(r.body == "<html>");
    CHECK(r.header("Content-Type") == "text/html");

    behavior b = behavior().with_status(429).with_error("slow down", "rate", "17");
    b.error_code_is_number = true;
    p.on_next(b);
    json const error = json::parse(ask(p, whole()).body)["error"];
    CHECK(error["message"] == "slow down");
    CHECK(error["type"] == "rate");
    CHECK(error["code"] == 17);

    p.on_next(behavior().error_in_200());
    r = ask(p, stream());
    CHECK(r.status == 200);
    CHECK(json::parse(r.body)["error"]["code"] == "server_error");
}

TEST_CASE("mock: no answer at all", "[mock]")
{
    mock::provider p;
    p.on_next(behavior().close_before_head());
    response r = ask(p, whole());
    CHECK(r.status == 0);
    CHECK(r.end == ending::closed);
    p.on_next(behavior().reset_before_head());
    r = ask(p, whole());
    CHECK(r.status == 0);
    CHECK(r.end == ending::reset);
    REQUIRE(answered(p, 2));
    CHECK(p.requests()[0].status == 0);
    CHECK_FALSE(p.requests()[0].client_closed_early);
}

TEST_CASE("mock: streams that break", "[mock]")
{
    mock::provider p;
    auto const ask_stream = [&](behavior const& b) {
        p.on_next(b);
        return ask(p, stream());
    };
    SECTION("cut")
    {
        response const r = ask_stream(behavior().cut_after(3));
        CHECK(stream_text(r.body) == "tok1 tok2 tok3");
        CHECK_FALSE(r.complete);
        CHECK(r.end == ending::closed);
        CHECK(ask_stream(behavior().cut_after(0)).body.find("role") != std::string::npos);
        // Beyond the last token: before the finish reason.
        response const late = ask_stream(behavior().cut_after(100));
        CHECK(events(late.body).size() == 9);
        CHECK_FALSE(late.complete);
    }
    SECTION("reset")
    {
        response const r = ask_stream(behavior().reset_after(3));
        CHECK_FALSE(r.complete);
        CHECK(r.end == ending::reset);
    }
    SECTION("stalled, until the client leaves")
    {
        p.on_next(behavior().stall_after(2));
        raw_client client(p);
        client.send(stream());
        REQUIRE(client.read_until("tok2"));
        CHECK(client.fill(milliseconds(20)) == ending::timed_out);
        CHECK_FALSE(p.requests()[0].answered);
        CHECK(p.requests()[0].tokens_sent == 2);
        client.close();
        REQUIRE(answered(p));
        CHECK(p.requests()[0].client_closed_early);
        CHECK(p.wait_until([&] { return p.connections_open() == 0; }, patience));
    }
    SECTION("stalled with comments")
    {
        behavior b = behavior().stall_after(2);
        b.comment_interval = milliseconds(1);
        p.on_next(b);
        raw_client client(p);
        client.send(stream());
        CHECK(client.read_until(": keep-alive\n\n\r\n"));
        client.reset();
        CHECK(answered(p));
    }
    SECTION("malformed, and on")
    {
        response const r = ask_stream(behavior().malformed_after(3));
        auto const all = events(r.body);
        REQUIRE(all.size() == 12);
        CHECK_FALSE(json::accept(all[4]));
        CHECK(stream_text(r.body) == "tok1 tok2 tok3 tok4 tok5 tok6 tok7 tok8");
        CHECK(all.back() == "[DONE]");
        CHECK(r.complete);
    }
    SECTION("an error event")
    {
        response const r = ask_stream(behavior().error_after(3).with_error("broke", "server_error", "oops"));
        auto const all = events(r.body);
        REQUIRE(all.size() == 5);
        CHECK(json::parse(all[4])["error"]["code"] == "oops");
        CHECK(r.complete);
    }
    SECTION("no [DONE]")
    {
        response const r = ask_stream(behavior().without_done());
        CHECK(r.body.find("[DONE]") == std::string::npos);
        CHECK(r.body.find("\"stop\"") != std::string::npos);
        CHECK(r.complete);
    }
    SECTION("[DONE] but no end")
    {
        p.on_next(behavior().left_open());
        raw_client client(p);
        client.send(stream());
        REQUIRE(client.read_until("[DONE]\n\n\r\n"));
        CHECK(client.fill(milliseconds(20)) == ending::timed_out);
        client.close();
        CHECK(answered(p));
    }
}

TEST_CASE("mock: whole answers that break", "[mock]")
{
    mock::provider p;
    auto const ask_whole = [&](behavior const& b) {
        p.on_next(b);
        return ask(p, whole());
    };
    response r = ask_whole(behavior().cut_after(3));
    CHECK(r.body.substr(r.body.size() - 14) == "tok1 tok2 tok3");
    CHECK_FALSE(r.complete);
    CHECK(r.end == ending::closed);

    r = ask_whole(behavior().reset_after(3));
    CHECK_FALSE(r.complete);
    CHECK(r.end == ending::reset);

    r = ask_whole(behavior().malformed_after(3));
    CHECK(r.complete);
    CHECK_FALSE(json::accept(r.body));

    r = ask_whole(behavior().error_after(3));
    CHECK(r.status == 200);
    CHECK(json::parse(r.body).contains("error"));

    // An error body can break, too.
    r = ask_whole(behavior().with_status(500).cut_after(0));
    CHECK(r.status == 500);
    CHECK_FALSE(r.complete);

    p.on_next(behavior().left_open());
    raw_client client(p);
    client.send(whole());
    REQUIRE(client.read_until("total_tokens"));
    CHECK(client.fill(milliseconds(20)) == ending::timed_out);
    client.close();
    CHECK(p.wait_until([&] { return p.requests().back().client_closed_early; }, patience));
}

TEST_CASE("mock: raw bytes", "[mock]")
{
    mock::provider p;
    std::string const bytes("HTTP/1.1 299 Odd\r\n\0Content-Length: 1\r\n\r\nx", 42);
    SECTION("keep")
    {
        p.on_next(behavior().with_raw("HTTP/1.1 299 Odd\r\nContent-Length: 1\r\n\r\nx"));
        raw_client client(p);
        client.send(whole());
        CHECK(client.read().body == "x");
        client.send(whole());
        CHECK(client.read().status == 200);
    }
    SECTION("close")
    {
        p.on_next(behavior().with_raw(bytes, mock::after_answer::close));
        raw_client client(p);
        client.send(whole());
        auto const all = client.read_all();
        CHECK(all.first == bytes);
        CHECK(all.second == ending::closed);
    }
    SECTION("reset")
    {
        p.on_next(behavior().with_raw(bytes, mock::after_answer::reset));
        raw_client client(p);
        client.send(whole());
        CHECK(client.read_all().second == ending::reset);
    }
    SECTION("nothing, kept")
    {
        p.on_next(behavior().with_raw(""));
        raw_client client(p);
        client.send(whole());
        REQUIRE(answered(p));
        client.send(whole());
        CHECK(client.read().status == 200);
    }
}

TEST_CASE("mock: framings", "[mock]")
{
    mock::provider p;
    for (bool const streamed : {false, true})
    {
        INFO("streamed: " << streamed);
        auto const ask_framed = [&](mock::framing f) {
            p.on_next(behavior().with_framing(f));
            return ask(p, streamed ? stream() : whole());
        };
        response const length = ask_framed(mock::framing::content_length);
        CHECK(length.complete);
        CHECK_FALSE(length.header("Content-Length").empty());
        CHECK(length.header("Transfer-Encoding").empty());
        response const chunked = ask_framed(mock::framing::chunked);
        CHECK(chunked.complete);
        CHECK(chunked.header("Content-Length").empty());
        response const closed = ask_framed(mock::framing::close);
        CHECK(closed.complete);
        CHECK(closed.header("Connection") == "close");
        CHECK(closed.header("Content-Length").empty());
        CHECK(closed.header("Transfer-Encoding").empty());
        auto const strip_id = [](std::string text) {
            for (std::size_t at; (at = text.find("\"id\"")) != std::string::npos;)
                text.erase(at, text.find("\"model\"", at) - at);
            return text;
        };
        CHECK(strip_id(length.body) == strip_id(chunked.body));
        CHECK(strip_id(length.body) == strip_id(closed.body));

        p.on_next(behavior().malformed_after(1).with_framing(mock::framing::content_length));
        CHECK(ask(p, streamed ? stream() : whole()).complete);
        p.on_next(behavior().error_after(1).with_framing(mock::framing::content_length));
        CHECK(ask(p, streamed ? stream() : whole()).complete);
    }

    behavior old;
    old.http_1_0 = true;
    for (std::string const& request : {whole(), stream(), post(chat_body("m", true), "", "1.0")})
    {
        if (request.find("HTTP/1.1") != std::string::npos)
            p.on_next(old);
        response const r = ask(p, request);
        CHECK(r.complete);
        CHECK(r.header("Transfer-Encoding").empty());
        CHECK(r.header("Connection") == "close");
    }
    p.on_next(old);
    CHECK(ask(p, whole()).head.substr(0, 12) == "HTTP/1.0 200");
}

TEST_CASE("mock: small writes", "[mock]")
{
    mock::provider p;
    p.on_next(behavior().written_slowly(1));
    response r = ask(p, stream());
    CHECK(r.complete);
    CHECK(stream_text(r.body) == "tok1 tok2 tok3 tok4 tok5 tok6 tok7 tok8");
    p.on_next(behavior().with_text("a").written_slowly(100, milliseconds(1)));
    r = ask(p, whole());
    CHECK(r.complete);
    behavior b = behavior().with_tokens(10);
    b.batch = 4;
    p.on_next(b);
    CHECK(events(ask(p, stream()).body).size() == 13);
}

TEST_CASE("mock: connections that close", "[mock]")
{
    mock::provider p;
    raw_client client(p);
    SECTION("announced")
    {
        p.on_next(behavior().closing());
        client.send(whole());
        CHECK(client.read().header("Connection") == "close");
        CHECK(client.fill() == ending::closed);
    }
    SECTION("asked for by the client")
    {
        client.send(post(chat_body("m"), "Connection: close\r\n"));
        CHECK(client.read().header("Connection") == "close");
        CHECK(client.fill() == ending::closed);
    }
    SECTION("silently")
    {
        p.on_next(behavior().closing_silently());
        client.send(whole());
        CHECK(client.read().header("Connection").empty());
        CHECK(client.fill() == ending::closed);
    }
    SECTION("while idle, after a time")
    {
        behavior b;
        b.close_idle_after = milliseconds(5);
        p.on_next(b);
        client.send(whole());
        CHECK(client.read().complete);
        CHECK(client.fill() == ending::closed);
    }
    SECTION("while idle, now; but not those at work")
    {
        raw_client busy(p);
        p.on_next(behavior().stall_after(1));
        busy.send(stream());
        REQUIRE(busy.read_until("tok1"));
        client.send(whole());
        CHECK(client.read().complete);
        // The answer can arrive before the connection counts as idle.
        ending end = ending::timed_out;
        for (int i = 0; i < 1000 && end == ending::timed_out; ++i)
        {
            p.close_idle();
            end = client.fill(milliseconds(10));
        }
        CHECK(end == ending::closed);
        CHECK(p.wait_until([&] { return p.connections_open() == 1; }, patience));
        CHECK(busy.fill(milliseconds(10)) == ending::timed_out);
    }
}

TEST_CASE("mock: delays", "[mock]")
{
    mock::provider p;
    auto const time = [&](behavior const& b, std::string const& request) {
        p.on_next(b);
        auto const start = test_clock::now();
        CHECK(ask(p, request).complete);
        return test_clock::now() - start;
    };
    CHECK(time(behavior().delayed(milliseconds(30)), whole()) >= milliseconds(30));
    CHECK(time(behavior().with_tokens(4).paced(milliseconds(10), milliseconds(25)), stream()) >= milliseconds(55));
    CHECK(time(behavior().paced(milliseconds(10000), milliseconds(20)), whole()) >= milliseconds(20));

    // The client leaves while it waits.
    p.on_next(behavior().delayed(mock::forever));
    raw_client client(p);
    client.send(whole());
    REQUIRE(p.wait_until([&] { return p.requests().back().model == "mock" && p.request_count() == 4; }, patience));
    client.close();
    REQUIRE(answered(p, 4));
    CHECK(p.requests()[3].client_closed_early);
    CHECK(p.requests()[3].status == 0);
}

TEST_CASE("mock: answers before the body", "[mock]")
{
    mock::provider p;
    std::string const body(8 * 1024 * 1024, 'x');
    SECTION("and takes the rest")
    {
        p.on_next(behavior().answered_early(413));
        raw_client client(p);
        client.send(post(body));
        response const r = client.read();
        CHECK(r.status == 413);
        CHECK(r.complete);
        CHECK_FALSE(client.send_failed());
        CHECK(p.requests()[0].body.empty());
    }
    SECTION("by default, without a byte of the body")
    {
        p.set_default(behavior().answered_early(401));
        raw_client client(p);
        std::string const request = post(body);
        client.send(request.substr(0, request.find("\r\n\r\n") + 4));
        CHECK(client.read().status == 401);
        CHECK(client.fill() == ending::closed);
    }
    SECTION("and resets")
    {
        behavior b = behavior().answered_early(413);
        b.linger = false;
        p.on_next(b);
        raw_client client(p);
        client.send(post(body));
        // The reset is reported once: to the write, if there still is one.
        bool const reset = client.read_all().second == ending::reset;
        CHECK((reset || client.send_failed()));
    }
}

TEST_CASE("mock: request bodies that are read slowly or never", "[mock]")
{
    mock::provider_params params;
    params.receive_buffer = 4096;
    mock::provider p(params);
    SECTION("slowly")
    {
        behavior b;
        b.read_interval = milliseconds(1);
        b.read_size = 100;
        p.on_next(b);
        CHECK(ask(p, post(chat_body("m", false, ",\"pad\":\"" + std::string(2000, 'x') + "\""))).status == 200);
    }
    SECTION("never: a write comes to a standstill")
    {
        p.on_next(behavior().never_reading());
        raw_client client(p);
        int const small = 4096;
        ::setsockopt(client.fd(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        ::fcntl(client.fd(), F_SETFL, ::fcntl(client.fd(), F_GETFL) | O_NONBLOCK);
        client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n");
        std::string const rest(1024 * 1024, 'y');
        std::size_t total = 0;
        for (;;)
        {
            auto const n = ::send(client.fd(), rest.data(), rest.size(), MSG_NOSIGNAL);
            if (n < 0 && errno == EAGAIN)
            {
                pollfd entry{client.fd(), POLLOUT, 0};
                if (::poll(&entry, 1, 200) == 0)
                    break;
                continue;
            }
            REQUIRE(n > 0);
            total += static_cast<std::size_t>(n);
        }
        CHECK(total < 9000000);
        CHECK(p.requests().size() == 1);
        CHECK_FALSE(p.requests()[0].answered);
    }
    SECTION("never, until the client leaves")
    {
        p.on_next(behavior().never_reading());
        raw_client client(p);
        client.send(whole());
        REQUIRE(p.wait_until([&] { return p.request_count() == 1; }, patience));
        client.close();
        REQUIRE(answered(p));
        CHECK(p.requests()[0].client_closed_early);
    }
}

TEST_CASE("mock: keys", "[mock]")
{
    mock::provider_params params;
    params.echo_key = true;
    mock::provider p(params);
    auto const with_key = [&](std::string const& headers) { return ask(p, post(chat_body("m"), headers)); };
    CHECK(with_key("").status == 200);
    p.set_keys({"sk-1", "sk-2"});
    CHECK(with_key("").status == 401);
    CHECK(with_key("Authorization: Bearer sk-1\r\n").status == 200);
    CHECK(with_key("authorization: bearer sk-2\r\n").status == 200);
    CHECK(with_key("api-key: sk-2\r\n").status == 200);
    CHECK(with_key("Authorization: Basic sk-2\r\n").status == 401);
    response const r = with_key("Authorization: Bearer sk-secret\r\n");
    CHECK(r.status == 401);
    CHECK(json::parse(r.body)["error"]["code"] == "invalid_api_key");
    CHECK(r.body.find("sk-secret") != std::string::npos);
    CHECK(ask(p, "GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n").status == 401);

    // A refused request leaves the queue alone.
    p.on_next(behavior().with_status(500));
    p.set_keys({"sk-3"});
    CHECK(with_key("Authorization: Bearer sk-1\r\n").status == 401);
    CHECK(with_key("Authorization: Bearer sk-3\r\n").status == 500);
    p.set_keys({});
    CHECK(with_key("").status == 200);

    mock::provider silent;
    silent.set_keys({"sk-1"});
    CHECK(ask(silent, post(chat_body("m"), "Authorization: Bearer sk-secret\r\n")).body.find("sk-secret") ==
          std::string::npos);
}

TEST_CASE("mock: what answers a request", "[mock]")
{
    mock::provider p;
    p.set_default(behavior().with_text("default"));
    p.on_model("special", behavior().with_text("model"));
    p.on_model("mock-401", behavior().with_text("replaced"));
    auto const text = [&](std::string const& model) {
        response const r = ask(p, whole(model));
        json const body = json::parse(r.body);
        return r.status == 200 ? body["choices"][0]["message"]["content"].get<std::string>() : std::to_string(r.status);
    };
    CHECK(text("anything") == "default");
    CHECK(text("special") == "model");
    CHECK(text("mock-500") == "500");
    CHECK(text("mock-401") == "replaced");

    p.set_faults({mock::fault_share(1.0, behavior().with_text("fault"))});
    CHECK(text("special") == "fault");
    std::vector<std::string> seen;
    p.set_function([&seen](mock::request_view const& r) {
        seen.emplace_back(r.model);
        if (r.model == "bad")
            throw std::runtime_error("thrown");
        return behavior().with_text("function " + std::string(r.target) + std::to_string(r.number));
    });
    CHECK(text("special") == "function /v1/chat/completions1");
    CHECK(text("bad") == "500");
    p.on_next(behavior().with_text("queue"));
    CHECK(text("special") == "queue");
    p.set_function({});
    p.set_faults({});
    CHECK(text("special") == "model");
    CHECK(seen == std::vector<std::string>{"special", "bad"});
}

TEST_CASE("mock: a mix of faults repeats with its seed", "[mock]")
{
    auto const draw = [](std::uint64_t seed) {
        mock::provider p;
        p.set_faults(
            {mock::fault_share(0.3, behavior().with_status(500)), mock::fault_share(0.2, behavior().with_status(429))},
            seed);
        std::vector<int> statuses;
        raw_client client(p);
        for (int i = 0; i < 200; ++i)
        {
            client.send(whole());
            statuses.push_back(client.read().status);
        }
        return statuses;
    };
    auto const first = draw(1);
    CHECK(first == draw(1));
    CHECK(first != draw(2));
    CHECK(std::count(first.begin(), first.end(), 500) > 30);
    CHECK(std::count(first.begin(), first.end(), 500) < 90);
    CHECK(std::count(first.begin(), first.end(), 429) > 15);
    CHECK(std::count(first.begin(), first.end(), 429) < 70);
}

TEST_CASE("mock: a script applies", "[mock]")
{
    std::string error;
    auto const script = mock::load_script(
        R"({"keys": ["k"], "default": {"reply": "d"}, "models": {"m": {"reply": "x"}}, "queue": [{"status": 503}]})",
        error);
    REQUIRE(script);
    mock::provider p;
    p.apply(*script);
    std::string const key = "Authorization: Bearer k\r\n";
    CHECK(ask(p, whole()).status == 401);
    CHECK(ask(p, post(chat_body("m"), key)).status == 503);
    CHECK(json::parse(ask(p, post(chat_body("m"), key)).body)["choices"][0]["message"]["content"] == "x");
    CHECK(json::parse(ask(p, post(chat_body("z"), key)).body)["choices"][0]["message"]["content"] == "d");
}

TEST_CASE("mock: the built-in models", "[mock]")
{
    mock::provider p;
    CHECK(ask(p, stream("mock-401")).status == 401);
    response const limited = ask(p, stream("mock-429"));
    CHECK(limited.status == 429);
    CHECK(limited.header("Retry-After") == "1");
    CHECK(ask(p, stream("mock-500")).status == 500);
    CHECK_FALSE(ask(p, stream("mock-cut")).complete);
    CHECK(ask(p, stream("mock-no-done")).body.find("[DONE]") == std::string::npos);
    CHECK(ask(p, stream("mock-error-in-stream")).body.find("\"error\"") != std::string::npos);
    CHECK(ask(p, stream("mock-tools")).body.find("get_weather") != std::string::npos);
    CHECK(ask(p, stream("mock-reasoning")).body.find("reasoning_content") != std::string::npos);
    auto const malformed = events(ask(p, stream("mock-malformed")).body);
    CHECK_FALSE(json::accept(malformed.at(4)));
}

TEST_CASE("mock: the log", "[mock]")
{
    mock::provider_params params;
    params.log_capacity = 3;
    mock::provider p(params);
    {
        raw_client first(p);
        first.send(post(chat_body("a"), "X-Test: yes\r\n"));
        CHECK(first.read().complete);
        raw_client second(p);
        second.send(whole("b"));
        CHECK(second.read().complete);
        second.send(whole("c"));
        CHECK(second.read().complete);
        REQUIRE(answered(p, 3));
        auto const log = p.requests();
        CHECK(log[0].connection == 1);
        CHECK(log[0].number == 1);
        CHECK(log[0].method == "POST");
        CHECK(log[0].target == "/v1/chat/completions");
        CHECK(log[0].headers.find("x-test") == "yes");
        CHECK(log[0].body == chat_body("a"));
        CHECK(log[0].model == "a");
        CHECK(log[0].status == 200);
        CHECK(*log[0].answered >= log[0].received);
        CHECK_FALSE(log[0].client_closed_early);
        CHECK(log[2].connection == 2);
        CHECK(log[2].number == 2);
        CHECK(p.connections_open() == 2);
    }
    CHECK(p.wait_until([&] { return p.connections_open() == 0; }, patience));
    CHECK(p.max_connections_open() == 2);
    CHECK(p.connections_accepted() == 2);
    CHECK(ask(p, whole("d")).complete);
    CHECK(p.request_count() == 4);
    REQUIRE(p.requests().size() == 3);
    CHECK(p.requests()[0].model == "b");
    CHECK_FALSE(p.wait_until([] { return false; }, milliseconds(1)));
}

TEST_CASE("mock: a half-sent request of a client that leaves", "[mock]")
{
    mock::provider p;
    raw_client client(p);
    client.send(whole().substr(0, 30));
    client.close();
    CHECK(p.wait_until([&] { return p.connections_accepted() == 1 && p.connections_open() == 0; }, patience));
    CHECK(p.request_count() == 0);
}

TEST_CASE("mock: the end does not wait for anybody", "[mock]")
{
    bool const tls = GENERATE(false, true);
    mock::provider_params params;
    params.tls = tls;
    auto p = std::make_unique<mock::provider>(params);
    std::vector<std::unique_ptr<raw_client>> clients;
    auto const add = [&](behavior const* b, std::string const& bytes) {
        auto client = std::make_unique<raw_client>(*p);
        if (tls)
            REQUIRE(client->start_tls(*p, "localhost").empty());
        if (b)
            p->on_next(*b);
        std::size_t const before = p->request_count();
        client->send(bytes);
        if (b)
            REQUIRE(p->wait_until([&] { return p->request_count() == before + 1; }, patience));
        clients.push_back(std::move(client));
    };
    behavior const stall = behavior().stall_after(1);
    behavior const open = behavior().left_open();
    behavior const deaf = behavior().never_reading();
    behavior const late = behavior().delayed(mock::forever);
    behavior const huge = behavior().with_tokens(1000000);
    add(&stall, stream());
    add(&open, stream());
    add(&deaf, whole());
    add(&late, whole());
    add(&huge, stream());
    add(nullptr, "POST /v1/cha");
    clients.push_back(std::make_unique<raw_client>(*p)); // says nothing, not even a TLS hello
    auto const start = test_clock::now();
    p.reset();
    CHECK(test_clock::now() - start < std::chrono::seconds(5));
}

TEST_CASE("mock: an address that cannot be had", "[mock]")
{
    mock::provider first;
    mock::provider_params params;
    params.port = first.port();
    CHECK_THROWS_AS(mock::provider(params), boost::system::system_error);
    params.port = 0;
    params.host = "not an address";
    CHECK_THROWS_AS(mock::provider(params), boost::system::system_error);
    CHECK(first.base_url() == "http://127.0.0.1:" + std::to_string(first.port()) + "/v1");
}

TEST_CASE("mock: many connections at once", "[mock]")
{
    mock::provider p;
    p.set_default(behavior().with_tokens(20).paced(milliseconds(1)));
    std::vector<std::unique_ptr<raw_client>> clients;
    for (int i = 0; i < 100; ++i)
    {
        clients.push_back(std::make_unique<raw_client>(p));
        clients.back()->send(stream());
    }
    for (auto const& client : clients)
        CHECK(client->read().complete);
    CHECK(p.max_connections_open() == 100);
}

TEST_CASE("mock: no descriptors left, for a while", "[mock]")
{
    mock::provider p;
    raw_client client;
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    // The client has its socket; the provider gets none.
    int const next = ::dup(client.fd());
    REQUIRE(next > 0);
    ::close(next);
    rlimit none = before;
    none.rlim_cur = static_cast<rlim_t>(next);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    client.connect(p);
    client.send(whole());
    auto const during = client.fill(milliseconds(100));
    ::setrlimit(RLIMIT_NOFILE, &before);
    CHECK(during == ending::timed_out);
    CHECK(client.read().status == 200);
}

TEST_CASE("mock: TLS", "[mock][tls]")
{
    mock::provider p(tls_params());
    CHECK(p.base_url().substr(0, 8) == "https://");
    {
        raw_client client(p);
        REQUIRE(client.start_tls(p, "localhost").empty());
        unsigned char const* protocol = nullptr;
        unsigned int size = 0;
        SSL_get0_alpn_selected(client.ssl(), &protocol, &size);
        CHECK(std::string(reinterpret_cast<char const*>(protocol), size) == "http/1.1");
        client.send(whole());
        CHECK(client.read().complete);
        client.send(stream());
        response const r = client.read();
        CHECK(stream_text(r.body) == "tok1 tok2 tok3 tok4 tok5 tok6 tok7 tok8");
        CHECK_FALSE(p.requests()[0].tls_resumed);

        SSL_SESSION* const session = SSL_get1_session(client.ssl());
        raw_client again(p);
        REQUIRE(again.start_tls(p, "localhost", false, session).empty());
        SSL_SESSION_free(session);
        again.send(whole());
        CHECK(again.read().complete);
        CHECK(p.requests()[2].tls_resumed);
    }
    raw_client plain(p);
    plain.send(whole());
    CHECK(plain.read_all().second != ending::timed_out);
}

TEST_CASE("mock: TLS certificates that must not be accepted", "[mock][tls]")
{
    mock::provider_params params = tls_params();
    SECTION("another host")
    {
        params.certificate_host = "example.org";
        mock::provider p(params);
        raw_client wrong(p);
        CHECK_THAT(wrong.start_tls(p, "localhost"), ContainsSubstring("ostname mismatch"));
        raw_client right(p);
        CHECK(right.start_tls(p, "example.org").empty());
    }
    SECTION("expired")
    {
        params.expired_certificate = true;
        mock::provider p(params);
        raw_client client(p);
        CHECK_THAT(client.start_tls(p, "localhost"), ContainsSubstring("expired"));
    }
    SECTION("another authority")
    {
        mock::provider p(params);
        mock::provider const other(params);
        raw_client client(p);
        CHECK_FALSE(client.start_tls(other, "localhost").empty());
    }
}

TEST_CASE("mock: TLS client certificates", "[mock][tls]")
{
    mock::provider_params params = tls_params();
    params.require_client_certificate = true;
    mock::provider p(params);
    raw_client with(p);
    REQUIRE(with.start_tls(p, "localhost", true).empty());
    with.send(whole());
    CHECK(with.read().complete);
    CHECK(p.requests()[0].client_certificate == "mock-client");

    // With TLS 1.3 the client learns of the refusal when it reads.
    raw_client without(p);
    if (without.start_tls(p, "localhost").empty())
    {
        SSL_write(without.ssl(), "x", 1);
        CHECK(without.read().status == 0);
    }
    CHECK(p.request_count() == 1);
}

TEST_CASE("mock: TLS faults", "[mock][tls]")
{
    mock::provider p(tls_params());
    auto const ask_tls = [&](behavior const& b) {
        p.on_next(b);
        raw_client client(p);
        REQUIRE(client.start_tls(p, "localhost").empty());
        client.send(stream());
        return client.read();
    };
    response r = ask_tls(behavior().cut_after(2));
    CHECK(stream_text(r.body) == "tok1 tok2");
    CHECK(r.end == ending::closed);
    behavior rude = behavior().cut_after(2);
    rude.close_notify = false;
    r = ask_tls(rude);
    CHECK(stream_text(r.body) == "tok1 tok2");
    CHECK(r.end == ending::tls_truncated);
    r = ask_tls(behavior().reset_after(2));
    CHECK_FALSE(r.complete);
    r = ask_tls(behavior().close_before_head());
    CHECK(r.status == 0);
    r = ask_tls(behavior().written_slowly(1));
    CHECK(r.complete);
    r = ask_tls(behavior().answered_early(413));
    CHECK(r.status == 413);

    p.on_next(behavior().stall_after(1));
    raw_client client(p);
    REQUIRE(client.start_tls(p, "localhost").empty());
    client.send(stream());
    REQUIRE(client.read_until("tok1"));
    client.close();
    CHECK(p.wait_until([&] { return p.requests().back().client_closed_early; }, patience));
}
