// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// A gateway that callers reach over TLS.

#include "../../src/mock/certificate.hpp"

#include <serin/core/with_diagnostics.hpp>
#include <serin/gateway/server.hpp>
#include <serin/mock/provider.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <openssl/ssl.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "cli_process.hpp"
#include "gateway.hpp"
#include "locked_key.hpp"
#include "run.hpp"

namespace asio = boost::asio;
namespace mock = serin::mock;
using namespace std::chrono_literals;
using serin::errc;

namespace {

// The certificates of a gateway, as files.
class identity
{
    cli_folder folder_;

public:
    serin::mock::certificate_set const set = serin::mock::make_certificates("", false);
    std::string const certificate = folder_.write("certificate.pem", set.server_certificate);
    std::string const key = folder_.write("key.pem", set.server_key);

    std::string write(std::string const& name, std::string const& text) const { return folder_.write(name, text); }

    serin::gateway::params params() const
    {
        serin::gateway::params p;
        p.certificate_file = certificate;
        p.private_key_file = key;
        return p;
    }
};

std::string chat_body(std::string const& extra = {})
{
    return R"({"model":"mock","messages":[{"role":"user","content":"Say hi"}])" + extra + "}";
}

// A client that trusts a certificate authority, and sends and reads bytes.
class tls_caller
{
    asio::io_context context_;
    asio::ssl::context tls_{asio::ssl::context::tls_client};
    std::optional<asio::ssl::stream<asio::ip::tcp::socket>> stream_;

public:
    explicit tls_caller(std::string const& ca)
    {
        tls_.set_verify_mode(asio::ssl::verify_peer);
        tls_.add_certificate_authority(asio::buffer(ca));
    }

    SSL_CTX* native() { return tls_.native_handle(); }
    SSL* ssl() { return stream_->native_handle(); }

    void connect(unsigned short port)
    {
        stream_.emplace(context_, tls_);
        stream_->lowest_layer().connect({asio::ip::address_v4::loopback(), port});
    }

    serin::error_code handshake()
    {
        serin::error_code ec;
        stream_->handshake(asio::ssl::stream_base::client, ec);
        return ec;
    }

    void send(std::string const& bytes)
    {
        serin::error_code ec;
        asio::write(*stream_, asio::buffer(bytes), ec);
        REQUIRE_FALSE(ec);
    }

    // Everything up to the text, or to the end of the connection.
    std::string read_until(std::string const& text)
    {
        std::string all;
        serin::error_code ec;
        asio::read_until(*stream_, asio::dynamic_buffer(all), text, ec);
        return all;
    }

    // What comes until the connection ends, and how it ends.
    std::string read_all(serin::error_code& ec)
    {
        std::string all;
        asio::read(*stream_, asio::dynamic_buffer(all), ec);
        return all;
    }

    // Hangs up without a word of TLS.
    void drop() { stream_->lowest_layer().close(); }
};

// A connection of TLS that has come about.
std::unique_ptr<tls_caller> connected(identity const& who, running_gateway const& gateway)
{
    auto caller = std::make_unique<tls_caller>(who.set.ca);
    caller->connect(gateway.server.port());
    REQUIRE_FALSE(caller->handshake());
    return caller;
}

std::string why_refused(serin::gateway::params const& p)
{
    asio::io_context context;
    try
    {
        serin::gateway::server const refused(context.get_executor(), params_for("http://127.0.0.1:1/v1"), p);
    }
    catch (serin::api_error const& e)
    {
        CHECK(e.code() == errc::invalid_argument);
        return e.diag().message;
    }
    FAIL("nothing was wrong");
    return {};
}

} // namespace

TEST_CASE("gateway tls: answers whole and streamed to a client that checks the certificate", "[gateway][tls]")
{
    identity const who;
    mock::provider provider;
    running_gateway gateway(params_for(provider.base_url()), who.params());
    serin::client_params p = params_for("https://127.0.0.1:" + std::to_string(gateway.server.port()) + "/v1");
    p.tls.ca_pem = who.set.ca;
    asio::io_context context;
    run(context, [](serin::client_params params, asio::io_context& ctx) -> asio::awaitable<void> {
        serin::client client(ctx.get_executor(), std::move(params));
        serin::chat_request request;
        request.model = "mock";
        request.messages.emplace_back("user", "Say hi");
        serin::diagnostics diag;
        for (int i = 0; i < 2; ++i)
        {
            serin::chat_response const answer = co_await client.async_chat(request, diag, asio::use_awaitable);
            CHECK(answer.text() == "tok1 tok2 tok3 tok4 tok5 tok6 tok7 tok8");
        }
        serin::chat_stream stream = co_await client.async_stream(request, diag, asio::use_awaitable);
        for (;;)
        {
            auto const next = co_await stream.async_next(diag, asio::use_awaitable);
            if (!next)
                break;
        }
        CHECK(stream.response().text() == "tok1 tok2 tok3 tok4 tok5 tok6 tok7 tok8");
    }(p, context));
    CHECK(provider.request_count() == 3);
}

TEST_CASE("gateway tls: HTTP/1.1 is what it agrees on", "[gateway][tls]")
{
    identity const who;
    mock::provider provider;
    running_gateway gateway(params_for(provider.base_url()), who.params());
    tls_caller caller(who.set.ca);
    // A browser's list.
    static constexpr unsigned char both[] = {2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    SSL_CTX_set_alpn_protos(caller.native(), both, sizeof both);
    caller.connect(gateway.server.port());
    REQUIRE_FALSE(caller.handshake());
    unsigned char const* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(caller.ssl(), &name, &size);
    CHECK(std::string(reinterpret_cast<char const*>(name), size) == "http/1.1");
    caller.send(raw_caller::request("GET", "/healthz", {}, "Connection: close\r\n"));
    serin::error_code ec;
    CHECK_THAT(caller.read_all(ec), ContainsSubstring("200 OK"));
    CHECK(ec == asio::error::eof); // With a close_notify
}

TEST_CASE("gateway tls: versions before 1.2 are refused", "[gateway][tls]")
{
    identity const who;
    mock::provider provider;
    running_gateway gateway(params_for(provider.base_url()), who.params());
    tls_caller caller(who.set.ca);
    SSL_CTX_set_security_level(caller.native(), 0);
    SSL_CTX_set_min_proto_version(caller.native(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(caller.native(), TLS1_1_VERSION);
    caller.connect(gateway.server.port());
    CHECK(caller.handshake());
    // And 1.2 is not.
    tls_caller old(who.set.ca);
    SSL_CTX_set_max_proto_version(old.native(), TLS1_2_VERSION);
    old.connect(gateway.server.port());
    CHECK_FALSE(old.handshake());
}

TEST_CASE("gateway tls: who speaks no TLS, or nothing, is cut off, and others are served", "[gateway][tls]")
{
    identity const who;
    mock::provider provider;
    auto settings = who.params();
    settings.limits.head_timeout = 200ms;
    running_gateway gateway(params_for(provider.base_url()), settings);
    raw_caller plain(gateway.server.port());
    raw_caller silent(gateway.server.port());
    plain.send(raw_caller::request("POST", "/v1/chat/completions", chat_body()));
    CHECK(plain.read_answer().status == 0);
    // Half a record.
    raw_caller half(gateway.server.port());
    half.send(std::string("\x16\x03\x01\x02", 4));
    CHECK(silent.at_end());
    CHECK(half.at_end());
    CHECK(provider.request_count() == 0);
    auto const caller = connected(who, gateway);
    caller->send(raw_caller::request("GET", "/healthz"));
    CHECK_THAT(caller->read_until("ok\n"), ContainsSubstring("200 OK"));
}

TEST_CASE("gateway tls: a token is sent on when it comes, and the call ends when the caller goes", "[gateway][tls]")
{
    identity const who;
    mock::provider provider;
    mock::behavior stalls;
    stalls.fault = mock::fault::stall;
    stalls.fault_after = 2;
    provider.set_default(stalls);
    running_gateway gateway(params_for(provider.base_url()), who.params());
    auto const caller = connected(who, gateway);
    caller->send(raw_caller::request("POST", "/v1/chat/completions", chat_body(R"(,"stream":true)")));
    CHECK_THAT(caller->read_until("tok2"), ContainsSubstring("tok2"));
    caller->drop();
    CHECK(provider.wait_until([&] { return provider.requests().at(0).client_closed_early; }, 20000ms));
}

TEST_CASE("gateway tls: a stream that breaks has an error event and no last chunk", "[gateway][tls]")
{
    identity const who;
    mock::provider provider;
    mock::behavior breaks;
    breaks.fault = mock::fault::cut;
    breaks.fault_after = 3;
    provider.set_default(breaks);
    running_gateway gateway(params_for(provider.base_url()), who.params());
    auto const caller = connected(who, gateway);
    caller->send(raw_caller::request("POST", "/v1/chat/completions", chat_body(R"(,"stream":true)")));
    serin::error_code ec;
    std::string const all = caller->read_all(ec);
    CHECK_THAT(all, ContainsSubstring("event: error"));
    CHECK_THAT(all, !ContainsSubstring("\r\n0\r\n"));
    CHECK(ec);
}

TEST_CASE("gateway tls: a caller that does not read is cut off", "[gateway][tls]")
{
    identity const who;
    mock::provider provider;
    provider.set_default(mock::behavior().with_text(std::string(16 << 20, 'x')));
    auto settings = who.params();
    settings.limits.write_timeout = 50ms;
    running_gateway gateway(params_for(provider.base_url()), settings);
    auto const caller = connected(who, gateway);
    caller->send(raw_caller::request("POST", "/v1/chat/completions", chat_body()));
    CHECK(gateway.wait_for_log("caller gone"));
}

TEST_CASE("gateway tls: one connection too many is told so", "[gateway][tls]")
{
    identity const who;
    mock::provider provider;
    auto settings = who.params();
    settings.limits.connections = 1;
    running_gateway gateway(params_for(provider.base_url()), settings);
    auto const first = connected(who, gateway);
    auto const second = connected(who, gateway);
    second->send(raw_caller::request("POST", "/v1/chat/completions", chat_body()));
    serin::error_code ec;
    CHECK_THAT(second->read_all(ec), ContainsSubstring("HTTP/1.1 429 "));
    CHECK(provider.request_count() == 0);
}

TEST_CASE("gateway tls: draining ends a stream properly, and idle connections and handshakes at once", "[gateway][tls]")
{
    identity const who;
    mock::provider provider;
    provider.set_default(mock::behavior().with_tokens(20).paced(10ms));
    running_gateway gateway(params_for(provider.base_url()), who.params());
    auto const streaming = connected(who, gateway);
    auto const idle = connected(who, gateway);
    idle->send(raw_caller::request("GET", "/readyz"));
    REQUIRE_THAT(idle->read_until("ok\n"), ContainsSubstring("200 OK"));
    streaming->send(raw_caller::request("POST", "/v1/chat/completions", chat_body(R"(,"stream":true)")));
    REQUIRE_THAT(streaming->read_until("tok2"), ContainsSubstring("tok2"));
    auto done = gateway.drain(30s);
    serin::error_code ec;
    idle->read_all(ec);
    CHECK(ec == asio::error::eof);
    std::string const rest = streaming->read_all(ec);
    CHECK(ec == asio::error::eof);
    CHECK_THAT(rest, ContainsSubstring("[DONE]"));
    CHECK_THAT(rest, ContainsSubstring("\r\n0\r\n\r\n"));
    CHECK(done.wait_for(20s) == std::future_status::ready);
    gateway.join();
}

TEST_CASE("gateway tls: a certificate or key that cannot be used is named", "[gateway][tls]")
{
    identity const who;
    auto p = who.params();
    SECTION("no such file")
    {
        p.certificate_file = "/no/such/certificate.pem";
        CHECK_THAT(why_refused(p), ContainsSubstring("/no/such/certificate.pem: "));
    }
    SECTION("no such key")
    {
        p.private_key_file = "/no/such/key.pem";
        CHECK_THAT(why_refused(p), ContainsSubstring("/no/such/key.pem: "));
    }
    SECTION("no certificate")
    {
        p.certificate_file = who.key;
        CHECK_THAT(why_refused(p), ContainsSubstring(who.key + ": "));
    }
    SECTION("the key of another certificate")
    {
        p.private_key_file = who.write("client.pem", who.set.client_key);
        CHECK_THAT(why_refused(p), ContainsSubstring("client.pem: "));
        CHECK_THAT(why_refused(p), ContainsSubstring("mismatch"));
    }
    SECTION("one without the other")
    {
        p.private_key_file.clear();
        CHECK_FALSE(why_refused(p).empty());
    }
}

TEST_CASE("gateway tls: the program serves https, and refuses what it cannot use", "[gateway][tls]")
{
    identity const who;
    mock::provider provider;
    std::string const config =
        who.write("config.json", R"({"upstreams":[{"name":"only","base_url":")" + provider.base_url() + R"("}]})");
    std::vector<std::string> const start = {"gateway", "--config", config, "--listen", "127.0.0.1:0"};
    auto const with = [&](std::vector<std::string> const& more) {
        auto all = start;
        all.insert(all.end(), more.begin(), more.end());
        return all;
    };
    SECTION("https")
    {
        cli_process program(with({"--tls-certificate", who.certificate, "--tls-key", who.key}));
        program.read_until("/v1\n");
        std::string const url = "listening on https://127.0.0.1:";
        REQUIRE(program.result.out.starts_with(url));
        tls_caller caller(who.set.ca);
        caller.connect(static_cast<unsigned short>(std::stoi(program.result.out.substr(url.size()))));
        REQUIRE_FALSE(caller.handshake());
        caller.send(raw_caller::request("POST", "/v1/chat/completions", chat_body(), "Connection: close\r\n"));
        serin::error_code ec;
        CHECK_THAT(caller.read_all(ec), ContainsSubstring("HTTP/1.1 200 "));
        program.send_signal(SIGTERM);
        CHECK(program.finish().status == 0);
    }
    SECTION("a key with a password, which nobody is asked for")
    {
        std::string const key = who.write("locked.pem", locked_key(who.set.server_key));
        auto const r = run_cli(with({"--tls-certificate", who.certificate, "--tls-key", key}));
        CHECK(r.status == 2);
        CHECK(r.err.starts_with("serin gateway: " + key + ": "));
        CHECK(std::count(r.err.begin(), r.err.end(), '\n') == 1);
    }
    SECTION("one without the other")
    {
        CHECK(run_cli(with({"--tls-certificate", who.certificate})).status == 2);
        CHECK(run_cli(with({"--tls-key", who.key})).status == 2);
    }
}
