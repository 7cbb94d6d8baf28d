// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CHAT_DELTA_RECORD_HPP
#define SERIN_SRC_CHAT_DELTA_RECORD_HPP

#include "json_reader.hpp"
#include "json_writer.hpp"

#include <serin/chat/delta.hpp>
#include <serin/chat/response.hpp>

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace serin {

// A piece of a stream that is kept, to be given again. Unlike a chat_delta it owns what it consists of. Does not change
// any more once it is made, so any number of threads may look at it.
class delta_record
{
public:
    explicit delta_record(chat_delta const& d);

    // What a choice that came whole consists of, as one piece.
    explicit delta_record(chat_choice const& choice);

    // Valid as long as this.
    chat_delta view() const noexcept;

    // What the server has sent for it, as events to be sent on; empty if that is not kept.
    std::string const& events() const noexcept { return events_; }
    void keep_events(std::string text) { events_ = std::move(text); }

    // Adds the piece to what came before it.
    void add_to(chat_response& sum) const;

    bool restarts() const noexcept { return restarted_; }

    // As JSON. It does not tell whether it restarts its stream.
    void write(json_writer& out) const;

    // Appends what write() wrote. False if it is something else.
    static bool read(json_value from, std::deque<delta_record>& out);

private:
    struct call_text
    {
        std::string id;
        std::string name;
        std::string arguments;
    };

    // What few pieces have.
    struct rest
    {
        std::string reasoning;
        std::string refusal;
        std::string audio_data;
        std::string audio_transcript;
        call_text function_call;
        std::vector<call_text> calls;
        std::vector<tool_call_delta> views; // Of calls
    };

    explicit delta_record(int index) noexcept : index_(index) {}
    rest& with_rest();
    void look_at_calls(std::vector<std::size_t> const& indices);

    int index_;
    bool restarted_ = false;
    std::string text_;
    std::string finish_reason_;
    std::string events_;
    std::unique_ptr<rest> rest_;
};

} // namespace serin

#endif
