// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_GATEWAY_SERVER_HPP
#define SERIN_GATEWAY_SERVER_HPP

#include <serin/client.hpp>
#include <serin/client_params.hpp>
#include <serin/core/error.hpp>
#include <serin/gateway/params.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace serin::gateway {

/// An OpenAI-compatible server in front of a @ref client. Serves `/v1/chat/completions`, `/v1/embeddings`,
/// `/v1/models`, `/healthz`, `/readyz` and, on a loopback address, `/metrics`; docs/gateway.md says how.
///
/// Runs on the executor that it was made with, and holds work there from @ref start until @ref close, or until @ref
/// drain has ended. Thread safety: every function may be called from any thread, if `params::several_threads` and
/// `client_params::thread_safe` are true; the constructor and @ref listen before the others.
class server
{
    class impl;
    std::shared_ptr<impl> impl_;

public:
    /// Throws @ref api_error for parameters that a client refuses, and for a certificate that cannot be used.
    server(asio::any_io_executor ex, client_params upstreams, params p);
    server(server const&) = delete;
    server& operator=(server const&) = delete;
    ~server(); ///< Closes.

    /// Binds, to the admin's address too. On failure `why` says which and why: `errc::insecure_transport` for an
    /// address that other machines reach without tokens, or for an admin address that they reach at all.
    error_code listen(std::string& why);

    /// The port that callers reach.
    unsigned short port() const noexcept;

    /// The port of the admin listener; 0 if there is none.
    unsigned short admin_port() const noexcept;

    /// Begins to accept, and to watch the keys and the configuration file.
    void start();

    /// Ends gracefully: `/readyz` says 503; after `params::drain_notice` it accepts no more, lets open answers come to
    /// their end and closes those that have not after `deadline`. Calls `done`, once, when no connection is left.
    void drain(std::chrono::milliseconds deadline, std::function<void()> done);

    /// Closes everything at once.
    void close();

    /// Reads the configuration file and the keys again. A file that cannot be used leaves everything as it is, and
    /// `why` says why. Calls under way go on with what they began with; a rollout keeps its stage.
    error_code reload(std::string& why);

    /// Replaces the tokens of callers.
    void set_tokens(std::vector<secret> const& tokens);

    /// The client that answers.
    serin::client& client() noexcept;
};

} // namespace serin::gateway

#endif
