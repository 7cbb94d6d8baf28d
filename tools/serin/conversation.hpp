// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TOOLS_SERIN_CONVERSATION_HPP
#define SERIN_TOOLS_SERIN_CONVERSATION_HPP

#include "chat_options.hpp"
#include "output.hpp"
#include "report.hpp"

#include <serin/client.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <map>
#include <string>
#include <string_view>

namespace serin::tools {

// Calls of one client, one after the other. Prints while a call goes on, unless a JSON document is wanted. SIGINT ends
// the call; what has been printed stays, and is in the outcome.
class conversation
{
    asio::io_context context_;
    output& out_;
    output& err_;
    chat_options const& options_;
    std::map<std::string, price> prices_; // Of upstreams, by their names
    client client_;
    chat_request request_;
    bool stream_ = false;
    chat_outcome outcome_;
    bool interrupted_ = false;
    bool printed_ = false;

public:
    conversation(output& out, output& err, chat_options const& options, client_params params);

    // One call from its start to its end.
    chat_outcome hold(chat_request request, bool stream);

private:
    asio::awaitable<void> ask();
    asio::awaitable<void> ask_for_whole();
    asio::awaitable<void> ask_for_stream();
    void take_partial();
    void print_delta(chat_delta const& delta);
    void print(std::string_view text);
    void print_tool_calls();
    void print_reasoning(std::string_view text);
    void print_summary();
};

} // namespace serin::tools

#endif
