// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_UPSTREAM_USE_HPP
#define SERIN_SRC_CLIENT_UPSTREAM_USE_HPP

#include "../policy/circuit.hpp"
#include "../policy/verdict.hpp"

#include <serin/core/error.hpp>

#include <cstddef>
#include <optional>

namespace serin {

class client_impl;
struct route;

// An attempt at an upstream as those see it who judge upstreams: circuits, rollouts, and policies that look at what is
// under way. Destroyed without a word of how it ended, it says nothing about the upstream.
class upstream_use
{
public:
    // Both outlive it.
    upstream_use(client_impl& client, route const& through, std::size_t member);
    upstream_use(upstream_use const&) = delete;
    upstream_use& operator=(upstream_use const&) = delete;
    ~upstream_use();

    // The attempt has ended after `took`. `first_token`: until the first token of a stream, if it had one. The first
    // call counts.
    void ended(
        error_code ec, verdict const& v, steady_time::duration took, std::optional<steady_time::duration> first_token);

private:
    friend class client_impl;

    client_impl& client_;
    route const& route_;
    std::size_t const member_;
    circuit::ticket upstream_ticket_;
    circuit::ticket model_ticket_;
    bool over_ = false;
};

} // namespace serin

#endif
