// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/gateway/server.hpp>

#include "../http/server.hpp"
#include "caller_service.hpp"
#include "tls_identity.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/steady_timer.hpp>

#include <mutex>
#include <utility>

namespace serin::gateway {
namespace {

http_server_params caller_server_params(params const& p)
{
    http_server_params s;
    s.head_limit = p.limits.head;
    s.body_limit = p.limits.body;
    s.max_connections = p.limits.connections;
    s.handshake_timeout = p.limits.head_timeout;
    s.head_timeout = p.limits.head_timeout;
    s.body_timeout = p.limits.body_timeout;
    s.idle_timeout = p.limits.idle_timeout;
    s.write_timeout = p.limits.write_timeout;
    s.use_strands = p.several_threads;
    if (!p.certificate_file.empty())
        s.tls = load_tls_identity(p.certificate_file, p.private_key_file);
    return s;
}

bool is_loopback_address(std::string const& address)
{
    error_code ec;
    auto const ip = asio::ip::make_address(address, ec);
    return !ec && ip.is_loopback();
}

std::vector<std::string> alias_names(client_params const& p)
{
    std::vector<std::string> names;
    for (model_route const& route : p.models)
        names.push_back(route.name);
    return names;
}

} // namespace

class server::impl
{
public:
    impl(asio::any_io_executor ex, client_params upstreams, params p)
        : settings(std::move(p)),
          aliases(alias_names(upstreams)),
          answers(std::make_shared<serin::client>(ex, std::move(upstreams))),
          callers(std::make_shared<caller_service>(answers, settings.tokens, settings.log)),
          listener(ex, caller_server_params(settings), callers),
          deadline(std::make_shared<asio::steady_timer>(ex))
    {
        callers->set_aliases(aliases);
    }

    params const settings;
    std::vector<std::string> const aliases;
    std::shared_ptr<serin::client> const answers;
    std::shared_ptr<caller_service> const callers;
    http_server listener;

    // Of a drain. Its handler may run when this is gone.
    std::shared_ptr<asio::steady_timer> const deadline;
};

server::server(asio::any_io_executor ex, client_params upstreams, params p)
    : impl_(std::make_shared<impl>(std::move(ex), std::move(upstreams), std::move(p)))
{}

server::~server()
{
    close();
}

error_code server::listen(std::string& why)
{
    params const& p = impl_->settings;
    bool tokens = false;
    for (secret const& token : p.tokens)
        tokens = tokens || !token.empty();
    if (!tokens && !is_loopback_address(p.address))
    {
        why = p.address + ": other machines could reach it, and no token is asked for";
        return errc::insecure_transport;
    }
    error_code const ec = impl_->listener.listen(p.address, p.port);
    if (ec)
        why = p.address + ": " + ec.message();
    return ec;
}

unsigned short server::port() const noexcept
{
    return impl_->listener.port();
}

unsigned short server::admin_port() const noexcept
{
    return 0;
}

void server::start()
{
    impl_->answers->start();
    impl_->listener.start();
}

void server::drain(std::chrono::milliseconds deadline, std::function<void()> done)
{
    impl_->deadline->expires_after(deadline);
    impl_->deadline->async_wait([weak = std::weak_ptr<impl>(impl_)](error_code ec) {
        if (auto const self = weak.lock(); self && !ec)
            self->listener.close();
    });
    impl_->answers->stop();
    impl_->listener.stop();
    impl_->callers->drain([timer = impl_->deadline, done = std::move(done)] {
        timer->cancel();
        done();
    });
}

void server::close()
{
    impl_->answers->stop();
    impl_->deadline->cancel();
    impl_->listener.close();
}

void server::set_tokens(std::vector<secret> const& tokens)
{
    impl_->callers->set_tokens(tokens);
}

serin::client& server::client() noexcept
{
    return *impl_->answers;
}

} // namespace serin::gateway
