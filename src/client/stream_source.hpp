// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_STREAM_SOURCE_HPP
#define SERIN_SRC_CLIENT_STREAM_SOURCE_HPP

#include <serin/chat/delta.hpp>
#include <serin/chat/response.hpp>
#include <serin/core/initiation.hpp>
#include <serin/observe/event.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <optional>
#include <string>

namespace serin {

// Where a chat_stream gets its pieces from: a server or the cache.
class stream_source
{
public:
    virtual asio::any_io_executor const& client_executor() const noexcept = 0;
    virtual void next(diagnostics* diag, any_handler<std::optional<chat_delta>> handler) = 0;
    virtual std::optional<chat_delta> try_next() = 0;

    // What try_next() gives, but nothing once the call has been cancelled, nor so often in a row that others who use
    // the executor would wait for long.
    std::optional<chat_delta> next_at_once()
    {
        constexpr unsigned most_in_a_row = 32;
        std::optional<chat_delta> ready;
        if (in_a_row_ != most_in_a_row && !is_cancelled())
            ready = try_next();
        in_a_row_ = ready ? in_a_row_ + 1 : 0;
        return ready;
    }

    virtual chat_response const& response() noexcept = 0;

    // Appends what was taken since the last time, as the server sent it, if the call keeps that.
    virtual void take_events(std::string& out) = 0;

    // What the cache had for it.
    virtual cache_lookup from_cache() const noexcept { return cache_lookup::off; }

    // The user's handle is gone.
    virtual void abandon() = 0;

protected:
    ~stream_source() = default;

    virtual bool is_cancelled() const noexcept = 0;

private:
    unsigned in_a_row_ = 0;
};

} // namespace serin

#endif
