// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_GATEWAY_ADMIN_SERVICE_HPP
#define SERIN_SRC_GATEWAY_ADMIN_SERVICE_HPP

#include "../http/server.hpp"
#include "admin_access.hpp"
#include "state_report.hpp"

#include <serin/client.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace serin::gateway {

// What is administrated.
class administrated
{
public:
    virtual ~administrated() = default;

    virtual gateway_state state() = 0;
    virtual serin::client& client() = 0;

    // Puts the configuration file in use again. On failure the one at hand stays, and `why` says why.
    virtual error_code reload(std::string& why) = 0;

    // Whether a text could be the configuration.
    virtual error_code check(std::string_view config, std::string& why) = 0;

    // The metrics in the text format of Prometheus; empty: there are none.
    virtual std::string metrics() = 0;
};

// Answers administrators: the page, the state, and what can be changed.
class admin_service final : public http_server_handler
{
public:
    admin_service(std::weak_ptr<administrated> target, secret const& token);

    void set_port(unsigned short port) { access_.set_port(port); }

    asio::awaitable<void> on_request(http_exchange& exchange) override;

private:
    std::weak_ptr<administrated> const target_;
    admin_access access_;

    asio::awaitable<void> serve(http_exchange& exchange, administrated& target, std::string_view path);
    asio::awaitable<void> log_in(http_exchange& exchange, std::string token);
    asio::awaitable<void> feed(http_exchange& exchange);
    asio::awaitable<void> change(http_exchange& exchange, administrated& target, std::string_view path);
    asio::awaitable<void> send(http_exchange& exchange, int status, std::string_view type, std::string_view body);
    asio::awaitable<void> refuse(http_exchange& exchange, int status, std::string_view why);
};

} // namespace serin::gateway

#endif
