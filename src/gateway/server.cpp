// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/gateway/server.hpp>

#include "../http/server.hpp"
#include "admin_service.hpp"
#include "caller_service.hpp"
#include "tls_identity.hpp"

#include <serin/config.hpp>
#include <serin/observe/metrics.hpp>
#include <serin/observe/observer.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace serin::gateway {
namespace {

constexpr std::size_t max_admin_body = 1024 * 1024;
constexpr std::size_t max_admin_connections = 64;

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
    if (!p.certificate_file.empty() || !p.private_key_file.empty())
        s.tls = load_tls_identity(p.certificate_file, p.private_key_file);
    return s;
}

http_server_params admin_server_params(params const& p)
{
    http_server_params s = caller_server_params(params());
    s.body_limit = max_admin_body;
    s.max_connections = max_admin_connections;
    s.use_strands = p.several_threads;
    return s;
}

bool is_loopback_address(std::string const& address)
{
    error_code ec;
    auto const ip = asio::ip::make_address(address, ec);
    return !ec && ip.is_loopback();
}

// What a configuration file cannot say.
client_params without_configuration(client_params const& p)
{
    client_params base;
    base.thread_safe = p.thread_safe;
    base.log = p.log;
    base.seed = p.seed;
    return base;
}

// Whoever observes already goes on.
client_params observed_by(client_params p, std::shared_ptr<serin::metrics> const& m)
{
    if (p.observer)
        p.observer = std::make_shared<observer_list>(std::vector<std::shared_ptr<observer>>{p.observer, m});
    else
        p.observer = m;
    return p;
}

// A timer that any thread may set and stop.
class drain_clock
{
public:
    explicit drain_clock(asio::any_io_executor const& ex) : timer_(ex) {}

    template <class Handler>
    void start(std::chrono::milliseconds after, Handler handler)
    {
        std::lock_guard const lock(mutex_);
        timer_.expires_after(after);
        timer_.async_wait(std::move(handler));
    }

    void cancel()
    {
        std::lock_guard const lock(mutex_);
        timer_.cancel();
    }

private:
    std::mutex mutex_;
    asio::steady_timer timer_;
};

} // namespace

class server::impl final : public administrated, public std::enable_shared_from_this<impl>
{
public:
    impl(asio::any_io_executor ex, client_params upstreams, params p)
        : settings(std::move(p)),
          executor(ex),
          base(without_configuration(upstreams)),
          began(std::chrono::steady_clock::now()),
          answers(std::make_shared<serin::client>(ex, observed_by(std::move(upstreams), measured))),
          callers(std::make_shared<caller_service>(answers, settings.tokens, settings.log,
              is_loopback_address(settings.address) ? measured : std::shared_ptr<serin::metrics>())),
          listener(ex, caller_server_params(settings), callers),
          drain_timer(std::make_shared<drain_clock>(ex))
    {
        if (!settings.config_path.empty())
            configuration.emplace(*answers, settings.config_path, base);
    }

    gateway_state state() override;
    serin::client& client() override { return *answers; }
    error_code reload(std::string& why) override;
    error_code check(std::string_view config, std::string& why) override;
    std::string metrics() override { return measured->to_prometheus_text(); }

    error_code listen_for_admin(std::string& why);
    void finish(std::chrono::milliseconds deadline, std::function<void()> done);

    params const settings;
    asio::any_io_executor const executor;
    client_params const base;
    std::chrono::steady_clock::time_point const began;
    std::shared_ptr<serin::metrics> const measured = std::make_shared<serin::metrics>();
    std::shared_ptr<serin::client> const answers;
    std::shared_ptr<caller_service> const callers;
    http_server listener;
    std::shared_ptr<admin_service> admins;
    std::optional<http_server> admin_listener;

    // Its handlers may run when this is gone.
    std::shared_ptr<drain_clock> const drain_timer;

    std::optional<config_watch> configuration; // Nothing: there is no file.
};

// --- The administrators' view ---

gateway_state server::impl::state()
{
    gateway_state s;
    s.at = std::chrono::system_clock::now();
    s.uptime = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - began);
    s.draining = callers->is_draining();
    s.connections = listener.connections();
    s.connection_limit = settings.limits.connections;
    if (configuration)
        s.reload_failure = configuration->problem();
    s.params = answers->params();
    s.upstreams = answers->upstreams();
    s.keys = answers->keys();
    s.rollouts = answers->rollouts();
    s.costs = answers->costs();
    s.cache = answers->cache();
    s.figures = callers->figures();
    s.failures = callers->failures();
    return s;
}

error_code server::impl::reload(std::string& why)
{
    if (configuration)
        return configuration->reload(why);
    diagnostics diag;
    error_code const ec = answers->reload_keys(diag);
    why = diag.upstream + ": " + diag.message;
    return ec;
}

error_code server::impl::check(std::string_view config, std::string& why)
{
    client_params candidate = base;
    std::string const folder = std::filesystem::path(settings.config_path).parent_path().string();
    if (error_code const ec = load_config(config, folder, candidate, why))
        return ec;
    try
    {
        // Opens nothing, and knows the rules that a file alone does not show.
        asio::io_context nowhere;
        candidate.log = {};
        serin::client const trial(nowhere.get_executor(), std::move(candidate));
    }
    catch (api_error const& e)
    {
        why = e.diag().message;
        return e.code();
    }
    return {};
}

// --- Listening ---

error_code server::impl::listen_for_admin(std::string& why)
{
    admin_params const& a = settings.admin;
    if (a.address.empty())
        return {};
    if (!is_loopback_address(a.address))
    {
        why = a.address + ": other machines could reach the admin listener";
        return errc::insecure_transport;
    }
    if (a.token.empty())
    {
        why = "the admin listener needs a token";
        return errc::invalid_argument;
    }
    admins = std::make_shared<admin_service>(weak_from_this(), a.token);
    admin_listener.emplace(executor, admin_server_params(settings), admins);
    error_code const ec = admin_listener->listen(a.address, a.port);
    if (ec)
        why = a.address + ": " + ec.message();
    admins->set_port(admin_listener->port());
    return ec;
}

// --- The end ---

void server::impl::finish(std::chrono::milliseconds deadline, std::function<void()> done)
{
    drain_timer->start(deadline, [weak = weak_from_this()](error_code ec) {
        if (auto const self = weak.lock(); self && !ec)
            self->listener.close();
    });
    listener.stop();
    callers->drain([weak = weak_from_this(), timer = drain_timer, done = std::move(done)] {
        timer->cancel();
        if (auto const self = weak.lock())
        {
            self->answers->stop();
            if (self->admin_listener)
                self->admin_listener->close();
            if (self->configuration)
                self->configuration->stop();
        }
        done();
    });
}

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
    if (error_code const ec = impl_->listener.listen(p.address, p.port))
    {
        why = p.address + ": " + ec.message();
        return ec;
    }
    return impl_->listen_for_admin(why);
}

unsigned short server::port() const noexcept
{
    return impl_->listener.port();
}

unsigned short server::admin_port() const noexcept
{
    return impl_->admin_listener ? impl_->admin_listener->port() : static_cast<unsigned short>(0);
}

void server::start()
{
    impl_->answers->start();
    if (impl_->configuration)
        impl_->configuration->start();
    impl_->listener.start();
    if (impl_->admin_listener)
        impl_->admin_listener->start();
}

void server::drain(std::chrono::milliseconds deadline, std::function<void()> done)
{
    impl_->callers->announce_end();
    if (impl_->settings.drain_notice.count() == 0)
    {
        impl_->finish(deadline, std::move(done));
        return;
    }
    impl_->drain_timer->start(impl_->settings.drain_notice,
        [weak = std::weak_ptr<impl>(impl_), deadline, done = std::move(done)](error_code) mutable {
            if (auto const self = weak.lock())
                self->finish(deadline, std::move(done));
            else
                done();
        });
}

void server::close()
{
    impl_->answers->stop();
    impl_->drain_timer->cancel();
    impl_->listener.close();
    if (impl_->admin_listener)
        impl_->admin_listener->close();
    if (impl_->configuration)
        impl_->configuration->stop();
}

error_code server::reload(std::string& why)
{
    return impl_->reload(why);
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
