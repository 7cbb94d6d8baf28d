// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/mock/provider.hpp>

#include "../http/server.hpp"
#include "certificate.hpp"
#include "service.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/system/system_error.hpp>

#include <openssl/ssl.h>

#include <thread>
#include <utility>

namespace serin::mock {
namespace {

// Picks http/1.1 if the client offers it.
int provider_select_protocol(SSL*, unsigned char const** out, unsigned char* out_size, unsigned char const* offered,
    unsigned int offered_size, void*)
{
    static constexpr unsigned char ours[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    unsigned char* chosen = nullptr;
    int const result = SSL_select_next_proto(&chosen, out_size, ours, sizeof ours, offered, offered_size);
    *out = chosen;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

std::shared_ptr<asio::ssl::context> provider_tls(provider_params const& params, certificate_set const& certificates)
{
    auto const context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
    context->set_options(asio::ssl::context::no_sslv2 | asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
                         asio::ssl::context::no_tlsv1_1);
    context->use_certificate_chain(asio::buffer(certificates.server_certificate));
    context->use_private_key(asio::buffer(certificates.server_key), asio::ssl::context::pem);
    if (params.require_client_certificate)
    {
        context->add_certificate_authority(asio::buffer(certificates.ca));
        context->set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
    }
    SSL_CTX* const native = context->native_handle();
    SSL_CTX_set_alpn_select_cb(native, provider_select_protocol, nullptr);
    static constexpr unsigned char id[] = "serin mock";
    SSL_CTX_set_session_id_context(native, id, sizeof id - 1);
    return context;
}

http_server_params provider_server_params(provider_params const& params, certificate_set const& certificates)
{
    http_server_params p;
    p.body_limit = params.body_limit;
    p.receive_buffer = params.receive_buffer;
    p.use_strands = false;
    if (params.tls)
        p.tls = provider_tls(params, certificates);
    return p;
}

} // namespace

class provider::impl
{
    asio::io_context context_{1};

public:
    provider_params const params;
    certificate_set const certificates;
    std::shared_ptr<mock::service> const service;
    http_server server;

private:
    std::thread thread_;

public:
    explicit impl(provider_params p)
        : params(std::move(p)),
          certificates(
              params.tls ? make_certificates(params.certificate_host, params.expired_certificate) : certificate_set()),
          service(std::make_shared<mock::service>(params)),
          server(context_.get_executor(), provider_server_params(params, certificates), service)
    {
        error_code const ec = server.listen(params.host, params.port);
        if (ec)
            throw boost::system::system_error(ec, "cannot listen on " + params.host);
        server.start();
        thread_ = std::thread([this] { context_.run(); });
    }

    ~impl()
    {
        // Everything that the thread waits for is a socket or a timer of a connection: it ends.
        server.close();
        thread_.join();
    }
};

provider::provider(provider_params params) : impl_(std::make_unique<impl>(std::move(params))) {}

provider::~provider() = default;

unsigned short provider::port() const noexcept
{
    return impl_->server.port();
}

std::string provider::base_url() const
{
    std::string const& host = impl_->params.host;
    bool const v6 = host.find(':') != std::string::npos;
    return (impl_->params.tls ? "https://" : "http://") + (v6 ? "[" + host + "]" : host) + ":" +
           std::to_string(port()) + "/v1";
}

std::string provider::ca_pem() const
{
    return impl_->certificates.ca;
}

std::string provider::client_certificate_pem() const
{
    return impl_->certificates.client_certificate;
}

std::string provider::client_key_pem() const
{
    return impl_->certificates.client_key;
}

void provider::on_next(behavior b)
{
    impl_->service->on_next(std::move(b));
}

void provider::on_model(std::string model, behavior b)
{
    impl_->service->on_model(std::move(model), std::move(b));
}

void provider::set_default(behavior b)
{
    impl_->service->set_default(std::move(b));
}

void provider::set_function(std::function<behavior(request_view const&)> function)
{
    impl_->service->set_function(std::move(function));
}

void provider::set_faults(std::vector<fault_share> faults, std::uint64_t seed)
{
    impl_->service->set_faults(std::move(faults), seed);
}

void provider::set_keys(std::vector<std::string> keys)
{
    impl_->service->set_keys(std::move(keys));
}

void provider::apply(script const& s)
{
    if (!s.keys.empty())
        set_keys(s.keys);
    if (s.default_behavior)
        set_default(*s.default_behavior);
    for (auto const& entry : s.models)
        on_model(entry.first, entry.second);
    if (!s.faults.empty())
        set_faults(s.faults, s.seed);
    for (behavior const& b : s.queue)
        on_next(b);
}

void provider::close_idle()
{
    impl_->server.close_idle();
}

std::vector<request_record> provider::requests() const
{
    return impl_->service->requests();
}

std::size_t provider::request_count() const
{
    return impl_->service->request_count();
}

std::size_t provider::connections_accepted() const
{
    return impl_->service->connections_accepted();
}

std::size_t provider::connections_open() const
{
    return impl_->service->connections_open();
}

std::size_t provider::max_connections_open() const
{
    return impl_->service->max_connections_open();
}

bool provider::wait_until(std::function<bool()> predicate, std::chrono::milliseconds timeout) const
{
    return impl_->service->wait_until(predicate, timeout);
}

} // namespace serin::mock
