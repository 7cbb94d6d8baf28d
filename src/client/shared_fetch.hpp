// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_SHARED_FETCH_HPP
#define SERIN_SRC_CLIENT_SHARED_FETCH_HPP

#include "../chat/delta_record.hpp"
#include "../core/fiber.hpp"
#include "../core/task.hpp"
#include "relay.hpp"
#include "response_cache.hpp"

#include <serin/chat/request.hpp>
#include <serin/chat/response.hpp>
#include <serin/chat_stream.hpp>
#include <serin/core/diagnostics.hpp>
#include <serin/policy/cache.hpp>

#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <deque>
#include <limits>
#include <list>
#include <memory>
#include <mutex>
#include <optional>

namespace serin {

// What any number of identical calls wait for: an answer from the store, or else from a server. It belongs to none of
// them, and is stopped when the last one has left.
//
// A stream is read as fast as its fastest reader wants it and no faster; the others read what has come so far.
//
// One mutex, never held while functions of others are called, nor across a wait.
class shared_fetch : public std::enable_shared_from_this<shared_fetch>
{
public:
    // Where the answer comes from.
    enum class origin
    {
        unknown, // Nothing has come yet.
        store,   // It was kept.
        server,  // It was asked for.
    };

    shared_fetch(std::shared_ptr<response_cache> cache, std::shared_ptr<client_impl> client, cache_plan const& plan);

    fetch_key const& key() const noexcept { return plan_.key; }

    // Begins, with the request of the first who wants it. Once.
    void begin(chat_request const& request);
    void begin(relay_request const& request);

    // Nobody wants it any more.
    void stop();

    // Waits until there are more than `have` pieces, or it is over, or the fiber is interrupted.
    task<void> wait(fiber& f, std::size_t have);

    // Waits until it is over, or the fiber is interrupted.
    task<void> wait_for_end(fiber& f) { return wait(f, std::numeric_limits<std::size_t>::max()); }

    // The piece after `have` others; null if there is none yet. Valid as long as this.
    delta_record const* piece(std::size_t have) const;

    bool is_over() const;

    // From the first piece on.
    origin where_from() const;

    // What a stream says of itself from its first piece on: everything but the choices and the usage.
    chat_response heading() const;

    // How a stream came to its first piece.
    diagnostics opened_diag() const;

    // --- When it is over ---

    error_code const& error() const noexcept { return error_; }
    chat_response const& response() const noexcept { return response_; }
    std::string const& as_sent() const noexcept { return as_sent_; } // Of a whole answer that is passed on
    diagnostics const& diag() const noexcept { return diag_; }

private:
    struct reader;
    class reader_guard;
    struct whole_handler;
    struct relay_handler;
    struct stream_handler;
    struct next_handler;

    enum class phase
    {
        begins,  // Nothing is under way.
        looks,   // The store was asked.
        asks,    // The server was.
        streams, // Its answer has begun to come.
        over,    // There is nothing more to come.
        stopped, // Nobody is interested.
    };

    void begin();
    void look_up();
    void found(cache_store::value text);
    void ask();
    void answered(error_code ec, chat_response&& answer);
    void relayed(error_code ec, relay_answer&& answer);
    void append_piece(std::deque<delta_record>& to, chat_stream& stream, chat_delta const& delta) const;
    void opened(error_code ec, chat_stream&& stream);
    void pump_locked();
    void read_next(error_code ec, std::optional<chat_delta> const& delta);
    void finish(error_code ec, chat_response&& answer);
    void keep(chat_response const& answer);
    void wake_all();

    std::shared_ptr<response_cache> const cache_;
    std::shared_ptr<client_impl> const client_;
    cache_plan const plan_;
    chat_request request_; // Until the server is asked
    relay_request relay_request_;

    mutable std::mutex mutex_;
    phase phase_ = phase::begins;
    std::unique_ptr<asio::steady_timer> store_timer_; // If the store takes its time
    origin origin_ = origin::unknown;
    std::weak_ptr<fiber> call_; // That asks the server
    chat_stream stream_;
    bool pumping_ = false; // The stream's next piece was asked for
    std::deque<delta_record> pieces_;
    chat_response heading_;
    diagnostics opened_diag_;
    std::list<std::shared_ptr<reader>> readers_;

    // Do not change any more when it is over.
    error_code error_;
    chat_response response_;
    std::string as_sent_;
    diagnostics diag_;
};

} // namespace serin

#endif
