// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_POLICY_UPSTREAM_HPP
#define SERIN_POLICY_UPSTREAM_HPP

#include <serin/chat/dialect.hpp>
#include <serin/core/headers.hpp>
#include <serin/core/tls_params.hpp>
#include <serin/policy/cost.hpp>
#include <serin/policy/keys.hpp>
#include <serin/policy/rate_limit.hpp>

#include <memory>
#include <optional>
#include <string>

namespace serin {

/// A provider that can answer requests, or one of several models of the same provider.
struct upstream
{
    /// What it is called in answers, diagnostics and metrics. Unique within a client.
    std::string name = "default";

    /// Where it is; paths such as `/chat/completions` are appended. `https`, or `http` without a key or to this
    /// machine.
    std::string base_url = "https://api.openai.com/v1";

    /// Where its keys come from. Null: requests carry no key.
    std::shared_ptr<key_source> keys = {};

    /// Which of its keys an attempt takes.
    key_choice choose_key = key_choice::round_robin;

    /// How many requests and tokens each of its keys may be used for. No limits.
    rate_limit_params key_limits = {};

    /// Replaces the model of the request. Empty: the request's own.
    std::string model = {};

    /// Its share of the requests, relative to the other upstreams. 0: none.
    unsigned weight = 1;

    /// For `route_policy::priority`: the lower, the sooner it is asked.
    int priority = 0;

    /// What its tokens cost: for `route_policy::cheapest`, and for what is told of calls. Nothing.
    serin::price price = {};

    /// How many requests and tokens it may be sent, whatever the key. No limits.
    rate_limit_params limits = {};

    /// How its requests differ from those of OpenAI.
    serin::dialect dialect = {};

    /// The organization and the project that are billed, where the provider knows such. Empty: not sent.
    std::string organization = {};
    std::string project = {}; ///< @copydoc organization

    /// Further header fields for every request to it. Control characters are refused.
    serin::headers headers = {};

    /// Its own TLS configuration instead of the client's.
    std::optional<tls_params> tls = {};

    /// Allows its key to go over plain http to another machine, where anyone on the way can read it.
    bool allow_insecure_key = false;
};

} // namespace serin

#endif
