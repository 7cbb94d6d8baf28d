// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../src/mock/certificate.hpp"

#include "answers.hpp"
#include "catch.hpp"
#include "locked_key.hpp"
#include "raw_server.hpp"
#include "run.hpp"

#include <serin/mock/provider.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

#include <openssl/ssl.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using serin::errc;

namespace {

constexpr std::size_t mib = 1024 * 1024;

// A file that is gone afterwards.
class temporary_file
{
public:
    explicit temporary_file(std::string const& text)
    {
        static int number = 0;
        path_ = (std::filesystem::temp_directory_path() /
                 ("serin-tls-" + std::to_string(::getpid()) + "-" + std::to_string(++number) + ".pem"))
                    .string();
        std::ofstream(path_, std::ios::binary) << text;
    }
    temporary_file(temporary_file const&) = delete;
    temporary_file& operator=(temporary_file const&) = delete;
    ~temporary_file() { std::filesystem::remove(path_); }

    std::string const& path() const noexcept { return path_; }

private:
    std::string path_;
};

// An environment variable that is as it was afterwards.
class environment
{
public:
    environment(char const* name, std::string const& value) : name_(name)
    {
        if (char const* const old = std::getenv(name))
            old_ = old;
        ::setenv(name, value.c_str(), 1);
    }
    environment(environment const&) = delete;
    environment& operator=(environment const&) = delete;
    ~environment()
    {
        if (old_)
            ::setenv(name_, old_->c_str(), 1);
        else
            ::unsetenv(name_);
    }

private:
    char const* name_;
    std::optional<std::string> old_;
};

serin::mock::provider_params with_tls()
{
    serin::mock::provider_params p;
    p.tls = true;
    return p;
}

serin::client_params trusting(serin::mock::provider const& server)
{
    auto p = params_for(server.base_url());
    p.tls.ca_pem = server.ca_pem();
    return p;
}

// What a connection to the server showed.
struct hello
{
    std::string sni;
    std::string protocol; // Chosen by ALPN
    bool resumed = false;
};

// A server with one version of TLS, which answers one request a connection.
class tls_server
{
public:
    explicit tls_server(int version)
        : certificates(serin::mock::make_certificates("", false)),
          context_(asio::ssl::context::tls_server),
          server_([this](raw_server::peer& p) { serve(p); })
    {
        context_.use_certificate_chain(asio::buffer(certificates.server_certificate));
        context_.use_private_key(asio::buffer(certificates.server_key), asio::ssl::context::pem);
        SSL_CTX* const c = context_.native_handle();
        SSL_CTX_set_min_proto_version(c, version);
        SSL_CTX_set_max_proto_version(c, version);
        SSL_CTX_set_security_level(c, 0); // Old versions need it
        SSL_CTX_set_session_id_context(c, reinterpret_cast<unsigned char const*>("test"), 4);
        SSL_CTX_set_alpn_select_cb(
            c,
            [](SSL*, unsigned char const** out, unsigned char* size, unsigned char const* in, unsigned all, void*) {
                // The client's first choice
                *out = in + 1;
                *size = in[0];
                return all > 0 ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
            },
            nullptr);
    }

    std::string url(std::string const& host) const
    {
        return "https://" + host + ":" + std::to_string(server_.port()) + "/v1";
    }

    std::vector<hello> seen() const
    {
        std::lock_guard const lock(mutex_);
        return seen_;
    }

    serin::mock::certificate_set certificates;

private:
    void serve(raw_server::peer& p)
    {
        asio::ssl::stream<raw_server::tcp::socket&> stream(p.socket, context_);
        boost::system::error_code ec;
        stream.handshake(asio::ssl::stream_base::server, ec);
        if (ec)
            return;
        hello h;
        if (char const* const name = SSL_get_servername(stream.native_handle(), TLSEXT_NAMETYPE_host_name))
            h.sni = name;
        unsigned char const* protocol = nullptr;
        unsigned size = 0;
        SSL_get0_alpn_selected(stream.native_handle(), &protocol, &size);
        if (size != 0)
            h.protocol.assign(reinterpret_cast<char const*>(protocol), size);
        h.resumed = SSL_session_reused(stream.native_handle()) == 1;
        {
            std::lock_guard const lock(mutex_);
            seen_.push_back(h);
        }
        std::string input;
        asio::read_until(stream, asio::dynamic_buffer(input), "\r\n\r\n", ec);
        asio::write(stream, asio::buffer(http_answer("secure", "Connection: close\r\n")), ec);
        stream.shutdown(ec); // Reads what the client still sends
    }

    asio::ssl::context context_;
    mutable std::mutex mutex_;
    std::vector<hello> seen_;
    raw_server server_; // Last: it serves from the start
};

} // namespace

// ---- Whom to trust

TEST_CASE("tls: certificates to trust as text, as a file, as both, and from SSL_CERT_FILE")
{
    serin::mock::provider server(with_tls());
    serin::mock::provider stranger(with_tls());
    temporary_file const right(server.ca_pem());
    temporary_file const wrong(stranger.ca_pem());
    auto p = params_for(server.base_url());
    std::optional<environment> variable;
    SECTION("text")
    {
        p.tls.ca_pem = server.ca_pem();
    }
    SECTION("text of several")
    {
        p.tls.ca_pem = stranger.ca_pem() + "\n# and\n" + server.ca_pem();
    }
    SECTION("file")
    {
        p.tls.ca_file = right.path();
    }
    SECTION("both")
    {
        p.tls.ca_file = wrong.path();
        p.tls.ca_pem = server.ca_pem();
    }
    SECTION("SSL_CERT_FILE")
    {
        variable.emplace("SSL_CERT_FILE", right.path());
    }
    SECTION("the upstream's own")
    {
        p.tls.ca_pem = stranger.ca_pem();
        p.upstreams[0].tls.emplace();
        p.upstreams[0].tls->ca_file = right.path();
    }
    CHECK_FALSE(chat_once(p, ask()).ec);
    CHECK_FALSE(stream_once(p, ask()).ec);
    CHECK(server.request_count() == 2);
}

TEST_CASE("tls: a certificate of a stranger is refused and the message says why")
{
    serin::mock::provider server(with_tls());
    serin::mock::provider stranger(with_tls());
    temporary_file const wrong(stranger.ca_pem());
    auto p = params_for(server.base_url());
    std::optional<environment> variable;
    SECTION("given")
    {
        p.tls.ca_pem = stranger.ca_pem();
    }
    SECTION("from the environment")
    {
        variable.emplace("SSL_CERT_FILE", wrong.path());
    }
    SECTION("what is given replaces the system's")
    {
        temporary_file const right(server.ca_pem());
        environment const set("SSL_CERT_FILE", right.path());
        p.tls.ca_pem = stranger.ca_pem();
        CHECK(chat_once(p, ask()).ec == errc::tls_failed);
    }
    outcome const r = chat_once(p, ask());
    CHECK(r.ec == errc::tls_failed);
    CHECK(r.diag.phase == serin::call_phase::tls);
    CHECK_THAT(r.diag.message, ContainsSubstring("127.0.0.1: "));
    CHECK_THAT(r.diag.message, ContainsSubstring("certificate"));
    CHECK(server.request_count() == 0);
}

TEST_CASE("tls: the host's name must be in the certificate")
{
    auto mp = with_tls();
    SECTION("another name")
    {
        mp.certificate_host = "other.example.com";
        serin::mock::provider server(mp);
        auto p = trusting(server);
        p.upstreams[0].base_url = "https://localhost:" + std::to_string(server.port()) + "/v1";
        outcome const r = chat_once(p, ask());
        CHECK(r.ec == errc::tls_failed);
        CHECK_THAT(r.diag.message, ContainsSubstring("ostname mismatch"));
        CHECK(server.request_count() == 0);
    }
    SECTION("an address that it does not name")
    {
        mp.certificate_host = "localhost";
        serin::mock::provider server(mp);
        outcome const r = chat_once(trusting(server), ask());
        CHECK(r.ec == errc::tls_failed);
        CHECK_THAT(r.diag.message, ContainsSubstring("IP address mismatch"));
    }
    SECTION("an address as a name is no address")
    {
        mp.certificate_host = "127.0.0.1"; // As DNS:127.0.0.1
        serin::mock::provider server(mp);
        CHECK(chat_once(trusting(server), ask()).ec == errc::tls_failed);
    }
    SECTION("a wildcard for a part of a label does not count, for a label it does")
    {
        mp.certificate_host = "*host.example.com";
        serin::mock::provider server(mp);
        auto p = trusting(server);
        p.upstreams[0].base_url = "https://localhost:" + std::to_string(server.port()) + "/v1";
        CHECK(chat_once(p, ask()).ec == errc::tls_failed);
    }
    SECTION("the right name and the right address")
    {
        serin::mock::provider server(mp);
        auto p = trusting(server);
        CHECK_FALSE(chat_once(p, ask()).ec);
        p.upstreams[0].base_url = "https://localhost:" + std::to_string(server.port()) + "/v1";
        CHECK_FALSE(chat_once(p, ask()).ec);
    }
}

TEST_CASE("tls: a certificate that has expired is refused")
{
    auto mp = with_tls();
    mp.expired_certificate = true;
    serin::mock::provider server(mp);
    outcome const r = chat_once(trusting(server), ask());
    CHECK(r.ec == errc::tls_failed);
    CHECK_THAT(r.diag.message, ContainsSubstring("expired"));
}

TEST_CASE("tls: an empty trust store is an error that names the paths")
{
    serin::mock::provider server(with_tls());
    temporary_file const empty("");
    environment const variable("SSL_CERT_FILE", empty.path());
    outcome const r = chat_once(params_for(server.base_url()), ask());
    CHECK(r.ec == errc::tls_failed);
    CHECK_THAT(r.diag.message, ContainsSubstring(empty.path()));
    CHECK_THAT(r.diag.message, ContainsSubstring("SSL_CERT_FILE"));
}

TEST_CASE("tls: a server that does not speak TLS")
{
    raw_server plain([](raw_server::peer& p) {
        p.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        p.wait_for_close();
    });
    raw_server closing([](raw_server::peer&) {});
    serin::mock::provider any(with_tls());
    auto p = trusting(any);
    p.upstreams[0].base_url = "https://127.0.0.1:" + std::to_string(plain.port()) + "/v1";
    outcome const r = chat_once(p, ask());
    CHECK(r.ec == errc::tls_failed);
    CHECK_THAT(r.diag.message, ContainsSubstring("127.0.0.1: "));
    p.upstreams[0].base_url = "https://127.0.0.1:" + std::to_string(closing.port()) + "/v1";
    CHECK(chat_once(p, ask()).ec == errc::tls_failed);
}

TEST_CASE("tls: versions before 1.2 are refused")
{
    tls_server server(TLS1_1_VERSION);
    auto p = params_for(server.url("127.0.0.1"));
    p.tls.ca_pem = server.certificates.ca;
    CHECK(chat_once(p, ask()).ec == errc::tls_failed);
    CHECK(server.seen().empty());
}

TEST_CASE("tls: names are sent as SNI and addresses are not; ALPN says http/1.1")
{
    tls_server server(GENERATE(TLS1_2_VERSION, TLS1_3_VERSION));
    for (std::string const host : {"localhost", "127.0.0.1"})
    {
        auto p = params_for(server.url(host));
        p.tls.ca_pem = server.certificates.ca;
        CHECK(chat_once(p, ask()).response.text() == "secure");
        hello const h = server.seen().back();
        CHECK(h.sni == (host == "localhost" ? host : ""));
        CHECK(h.protocol == "http/1.1");
    }
}

// ---- The client's certificate

TEST_CASE("tls: a server that asks for the client's certificate")
{
    auto mp = with_tls();
    mp.require_client_certificate = true;
    serin::mock::provider server(mp);
    temporary_file const certificate(server.client_certificate_pem());
    temporary_file const key(server.client_key_pem());
    temporary_file const both(server.client_certificate_pem() + server.client_key_pem());
    auto p = trusting(server);
    SECTION("certificate and key")
    {
        p.tls.certificate_file = certificate.path();
        p.tls.private_key_file = key.path();
        CHECK_FALSE(chat_once(p, ask()).ec);
        REQUIRE(server.requests().size() == 1);
        CHECK(server.requests()[0].client_certificate == "mock-client");
    }
    SECTION("one file for both")
    {
        p.tls.certificate_file = both.path();
        CHECK_FALSE(chat_once(p, ask()).ec);
    }
    SECTION("none")
    {
        outcome const r = chat_once(p, ask());
        CHECK(r.ec == errc::tls_failed);
        CHECK(server.request_count() == 0);
    }
    SECTION("a key that does not belong to it")
    {
        serin::mock::provider other(mp);
        temporary_file const wrong(other.client_key_pem());
        p.tls.certificate_file = certificate.path();
        p.tls.private_key_file = wrong.path();
        outcome const r = chat_once(p, ask());
        CHECK(r.ec == errc::tls_failed);
        CHECK_THAT(r.diag.message, ContainsSubstring(wrong.path()));
    }
    SECTION("a key with a password, which nobody is asked for")
    {
        temporary_file const locked(locked_key(server.client_key_pem()));
        p.tls.certificate_file = certificate.path();
        p.tls.private_key_file = locked.path();
        outcome const r = chat_once(p, ask());
        CHECK(r.ec == errc::tls_failed);
        CHECK_THAT(r.diag.message, ContainsSubstring(locked.path()));
    }
    SECTION("a file that is not there")
    {
        p.tls.certificate_file = "/no/such/file.pem";
        outcome const r = chat_once(p, ask());
        CHECK(r.ec == errc::tls_failed);
        CHECK_THAT(r.diag.message, ContainsSubstring("/no/such/file.pem"));
    }
}

// ---- Sessions

TEST_CASE("tls: new connections resume the session of the one before")
{
    bool const close_notify = GENERATE(true, false);
    serin::mock::provider server(with_tls());
    auto b = serin::mock::behavior().closing();
    b.close_notify = close_notify;
    server.set_default(b);
    session s(trusting(server));
    for (int i = 0; i < 6; ++i)
        REQUIRE_FALSE(s.chat().ec);
    CHECK(server.connections_accepted() == 6);
    auto const log = server.requests();
    for (std::size_t i = 0; i < log.size(); ++i)
    {
        CAPTURE(i);
        CHECK(log[i].tls_resumed == (i != 0));
    }
}

TEST_CASE("tls: sessions of TLS 1.2 are resumed too")
{
    tls_server server(TLS1_2_VERSION);
    auto p = params_for(server.url("localhost"));
    p.tls.ca_pem = server.certificates.ca;
    session s(p);
    for (int i = 0; i < 4; ++i)
        REQUIRE_FALSE(s.chat().ec);
    auto const seen = server.seen();
    REQUIRE(seen.size() == 4);
    for (std::size_t i = 0; i < seen.size(); ++i)
        CHECK(seen[i].resumed == (i != 0));
}

TEST_CASE("tls: another trust does not resume a session")
{
    serin::mock::provider server(with_tls());
    server.set_default(serin::mock::behavior().closing());
    serin::mock::provider stranger(with_tls());
    auto p = trusting(server);
    p.upstreams.push_back(p.upstreams[0]);
    p.upstreams[1].name = "distrusting";
    p.upstreams[1].weight = 0;
    p.upstreams[1].tls.emplace();
    p.upstreams[1].tls->ca_pem = stranger.ca_pem();
    session s(p);
    REQUIRE_FALSE(s.chat().ec);
    p.upstreams[0].weight = 0;
    p.upstreams[1].weight = 1;
    session t(p);
    CHECK(t.chat().ec == errc::tls_failed);
}

// ---- The exchange over TLS

TEST_CASE("tls: a connection is used again")
{
    serin::mock::provider server(with_tls());
    session s(trusting(server));
    for (int i = 0; i < 10; ++i)
        REQUIRE_FALSE(s.chat().ec);
    CHECK(server.connections_accepted() == 1);
    close_idle(server);
    CHECK_FALSE(s.chat().ec);
    CHECK(server.connections_accepted() == 2);
}

TEST_CASE("tls: many at once on two threads")
{
    serin::mock::provider server(with_tls());
    asio::io_context context(2);
    serin::client client(context.get_executor(), trusting(server));
    std::atomic<int> ok{0};
    std::atomic<int> left{300};
    std::function<void()> next = [&] {
        if (left.fetch_sub(1) <= 0)
            return;
        client.async_chat(ask(), [&](serin::error_code ec, serin::chat_response) {
            ok += !ec;
            next();
        });
    };
    for (int i = 0; i < 16; ++i)
        next();
    std::thread other([&] { context.run(); });
    context.run();
    other.join();
    CHECK(ok == 300);
    CHECK(server.max_connections_open() <= 16);
}

TEST_CASE("tls: whole and streamed answers in every framing, with and without a proper end")
{
    auto const framing =
        GENERATE(serin::mock::framing::content_length, serin::mock::framing::chunked, serin::mock::framing::close);
    bool const close_notify = GENERATE(true, false);
    serin::mock::provider server(with_tls());
    auto b = serin::mock::behavior().with_text("over the wire").with_framing(framing).closing();
    b.close_notify = close_notify;
    server.set_default(b);
    auto const p = trusting(server);
    CHECK(chat_once(p, ask()).response.text() == "over the wire");
    CHECK(stream_once(p, ask()).response.text() == "over the wire");
}

TEST_CASE("tls: an answer that is cut is an error, with and without a proper end of TLS")
{
    auto const framing =
        GENERATE(serin::mock::framing::content_length, serin::mock::framing::chunked, serin::mock::framing::close);
    bool const close_notify = GENERATE(true, false);
    serin::mock::provider server(with_tls());
    auto b = serin::mock::behavior().cut_after(3).with_framing(framing);
    b.close_notify = close_notify;
    server.set_default(b);
    auto const p = trusting(server);
    CHECK(chat_once(p, ask()).ec == errc::malformed_response);
    outcome const streamed = stream_once(p, ask());
    CHECK(streamed.ec == errc::stream_truncated);
}

TEST_CASE("tls: bodies of 10 MB both ways")
{
    serin::mock::provider server(with_tls());
    server.set_default(serin::mock::behavior().echoing());
    session s(trusting(server));
    for (int i = 0; i < 2; ++i)
    {
        outcome const r = s.chat(ask_at_length(10 * mib));
        REQUIRE_FALSE(r.ec);
        CHECK(r.response.text().size() == 10 * mib);
    }
    CHECK(server.connections_accepted() == 1);
}

TEST_CASE("tls: what TLS itself sends while a request is being written is not an answer")
{
    // Session tickets arrive while a slow server still takes the request.
    auto mp = with_tls();
    mp.receive_buffer = 4096;
    serin::mock::provider server(mp);
    auto b = serin::mock::behavior();
    b.read_interval = 1ms;
    b.read_size = 64 * 1024;
    server.on_next(b);
    auto p = trusting(server);
    p.timeouts.write = 10s;
    CHECK_FALSE(chat_once(p, ask_at_length(4 * mib)).ec);
}

TEST_CASE("tls: an early refusal wins over the broken pipe")
{
    auto mp = with_tls();
    mp.receive_buffer = 16 * 1024;
    serin::mock::provider server(mp);
    auto b = serin::mock::behavior().answered_early(413);
    b.linger = GENERATE(true, false);
    server.set_default(b);
    session s(trusting(server));
    for (int i = 0; i < 3; ++i)
    {
        outcome const r = s.chat(ask_at_length(10 * mib));
        CHECK(r.ec == errc::invalid_request);
        CHECK(r.diag.status == 413);
    }
}

TEST_CASE("tls: one byte at a time")
{
    serin::mock::provider server(with_tls());
    server.set_default(serin::mock::behavior().with_tokens(20).written_slowly(1));
    auto const p = trusting(server);
    outcome const whole = chat_once(p, ask());
    CHECK_FALSE(whole.ec);
    outcome const streamed = stream_once(p, ask());
    CHECK_FALSE(streamed.ec);
    CHECK(whole.response.text() == streamed.response.text());
}
