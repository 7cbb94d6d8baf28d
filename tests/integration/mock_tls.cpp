// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The mock provider's TLS, seen by a client that shares no code with it.

#include <serin/mock/provider.hpp>

#include <openssl/ssl.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "mock_client.hpp"

using namespace mock_client;
using namespace serin;
using mock::behavior;

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
