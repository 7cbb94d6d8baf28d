// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TESTS_SUPPORT_MOCK_CLIENT_HPP
#define SERIN_TESTS_SUPPORT_MOCK_CLIENT_HPP

#include <serin/mock/provider.hpp>

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
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"

namespace mock_client {

// Long enough for a busy machine under a sanitizer; nothing waits for it unless a test fails.
inline constexpr std::chrono::milliseconds patience{20000};

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

    bool wait(short events, std::chrono::milliseconds timeout)
    {
        pollfd entry{fd_, events, 0};
        return ::poll(&entry, 1, static_cast<int>(timeout.count())) > 0;
    }

public:
    raw_client() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) { REQUIRE(fd_ >= 0); }
    explicit raw_client(serin::mock::provider const& p) : raw_client() { connect(p); }
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

    void connect(serin::mock::provider const& p)
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(p.port());
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    }

    // Empty if the handshake succeeds, else why not.
    std::string start_tls(serin::mock::provider const& p, std::string const& host, bool with_certificate = false,
        SSL_SESSION* session = nullptr)
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
    ending fill(std::chrono::milliseconds timeout = patience)
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

inline std::string post(std::string const& body, std::string const& headers = {}, std::string const& version = "1.1",
    std::string const& path = "/v1/chat/completions")
{
    return "POST " + path + " HTTP/" + version + "\r\nHost: mock\r\nContent-Type: application/json\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

inline std::string chat_body(std::string const& model, bool stream = false, std::string const& more = {})
{
    return "{\"model\":\"" + model + "\",\"messages\":[{\"role\":\"user\",\"content\":\"how are you\"}]" +
           (stream ? ",\"stream\":true" : "") + more + "}";
}

inline std::string whole(std::string const& model = "mock")
{
    return post(chat_body(model));
}

inline std::string stream(std::string const& model = "mock", std::string const& more = {})
{
    return post(chat_body(model, true, more));
}

inline response ask(serin::mock::provider const& p, std::string const& request)
{
    raw_client client(p);
    client.send(request);
    return client.read();
}

// The data of a stream's events.
inline std::vector<std::string> events(std::string_view body)
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
inline std::string stream_text(std::string_view body)
{
    std::string text;
    for (std::string const& data : events(body))
    {
        auto const chunk = nlohmann::json::parse(data, nullptr, false);
        if (chunk.is_object() && chunk.contains("choices") && !chunk["choices"].empty() &&
            chunk["choices"][0]["index"] == 0)
            text += chunk["choices"][0]["delta"].value("content", "");
    }
    return text;
}

inline bool answered(serin::mock::provider const& p, std::size_t count = 1)
{
    return p.wait_until(
        [&] {
            auto const log = p.requests();
            return log.size() >= count && log[count - 1].answered.has_value();
        },
        patience);
}

inline serin::mock::provider_params tls_params()
{
    serin::mock::provider_params params;
    params.tls = true;
    return params;
}

} // namespace mock_client

#endif
