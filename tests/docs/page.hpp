// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// What the fragments of a page stand in: a mock provider, a context, a client and a request, new for each.

#ifndef SERIN_TESTS_DOCS_PAGE_HPP
#define SERIN_TESTS_DOCS_PAGE_HPP

#include "program.hpp"

#include <serin.hpp>
#include <serin/chat/json.hpp>
#include <serin/chat/schema.hpp>
#include <serin/mock/provider.hpp>
#include <serin/structured.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace doc {

// The hidden code before a whole program.
void prepare(serin::mock::provider& mock);

class environment
{
public:
    serin::mock::provider mock;
    serin::asio::io_context context;
    serin::client client;
    serin::chat_request request;

    environment();

    // Until nothing is left to do. Throws if that takes too long.
    void run();

    // The text must be accepted as a configuration file. Without upstreams it gets two, stable and canary.
    void check_config(std::string const& text) const;
};

// Why a fragment is only compiled.
struct not_run
{
    std::string_view why;
};

// What a fragment must print.
struct prints
{
    std::string_view text;
};

class fragment
{
public:
    using function = void (*)(environment&);
    using coroutine = serin::asio::awaitable<void> (*)(environment&);

    fragment(std::string_view page, std::string_view place, function run, prints expected = {});
    fragment(std::string_view page, std::string_view place, coroutine run, prints expected = {});
    fragment(std::string_view page, std::string_view place, function, not_run why);
    fragment(std::string_view page, std::string_view place, coroutine, not_run why);
};

} // namespace doc

#endif
