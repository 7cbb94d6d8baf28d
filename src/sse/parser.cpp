// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/sse/parser.hpp>

#include "../core/utf8.hpp"
#include "scan.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>
#include <system_error>

namespace serin {
namespace {

// What a parser may keep between two events: more would be a burden on every idle stream.
constexpr std::size_t sse_spare_buffers = 4;
constexpr std::size_t sse_spare_capacity = 16 * 1024;

constexpr std::size_t sse_min_backlog = 64 * 1024;

constexpr std::string_view sse_byte_order_mark = "\xEF\xBB\xBF";

constexpr std::string_view sse_data_field = "data:";

// What stands in the line from `at` on, without one leading space.
std::string_view sse_field_value(std::string_view line, std::size_t at) noexcept
{
    std::string_view value = line.substr(at);
    if (value.starts_with(' '))
        value.remove_prefix(1);
    return value;
}

// Nothing unless the value is made of digits only.
std::optional<std::chrono::milliseconds> parse_sse_retry(std::string_view value) noexcept
{
    if (value.empty() || !std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; }))
        return std::nullopt;
    std::chrono::milliseconds::rep number = 0;
    if (std::from_chars(value.data(), value.data() + value.size(), number).ec != std::errc())
        return std::chrono::milliseconds::max();
    return std::chrono::milliseconds(number);
}

} // namespace

// ---- Input ----

error_code sse_parser::put(std::string_view bytes)
{
    if (failed_)
        return errc::response_too_large;
    if (finished_)
        return errc::invalid_argument;
    if (!lent_.empty())
        recycle();
    if (pos_ == input_.size())
    {
        if (in_backlog_)
        {
            in_backlog_ = false;
            if (backlog_.capacity() > sse_spare_capacity)
                std::string().swap(backlog_);
        }
        set_input(bytes);
    }
    else
    {
        append_input(bytes);
    }
    return check_limits();
}

error_code sse_parser::put_owned(std::string&& bytes)
{
    if (failed_ || finished_ || pos_ != input_.size())
        return put(std::string_view(bytes));
    recycle();
    backlog_ = std::move(bytes);
    in_backlog_ = true;
    set_input(backlog_);
    return check_limits();
}

// Precondition: the input before is read to its end.
void sse_parser::set_input(std::string_view bytes)
{
    input_ = bytes;
    pos_ = 0;
    if (bom_ < sse_byte_order_mark.size()) [[unlikely]]
    {
        while (pos_ < bytes.size() && bom_ < sse_byte_order_mark.size() && bytes[pos_] == sse_byte_order_mark[bom_])
        {
            ++pos_;
            ++bom_;
        }
        if (pos_ < bytes.size() && bom_ < sse_byte_order_mark.size())
        {
            // No mark after all: its bytes were the beginning of the first line.
            hold_line(sse_byte_order_mark.substr(0, bom_));
            bom_ = static_cast<std::uint8_t>(sse_byte_order_mark.size());
        }
    }
    if (at_.after_cr && pos_ < bytes.size())
    {
        at_.after_cr = false;
        if (bytes[pos_] == '\n')
            ++pos_;
    }
    measured_ = at_;
    unmeasured_ = bytes.size() - pos_;
}

// Keeps what was not taken and puts `bytes` behind it. The position is behind an event or where an earlier piece ended:
// of the fields, only the id can point into the input.
void sse_parser::append_input(std::string_view bytes)
{
    keep(id_, id_own_);

    std::size_t const rest = input_.size() - pos_;
    if (unmeasured_ > rest)
    {
        // Some of that was read meanwhile, and may go now: measure from here on.
        unmeasured_ = rest;
        measured_ = at_;
    }
    std::size_t const room = std::numeric_limits<std::size_t>::max() - limits_.max_event;
    std::size_t const cap = std::max(sse_min_backlog, std::min(limits_.max_line, room) + limits_.max_event);
    bool const fits = rest <= cap && bytes.size() <= cap - rest;

    // Moving the rest to the front is put off until it is no more than half: so every byte moves only once or twice.
    std::size_t shift = 0;
    if (!in_backlog_)
    {
        shift = pos_;
        backlog_.assign(input_.substr(pos_));
        in_backlog_ = true;
    }
    else if (pos_ >= rest)
    {
        shift = pos_;
        backlog_.erase(0, pos_);
    }
    if (fits)
    {
        backlog_.append(bytes);
        unmeasured_ += bytes.size();
    }
    else
    {
        failed_ = true;
    }
    input_ = backlog_;
    pos_ -= shift;
}

// Looks at the bytes only if their number alone does not settle the matter.
error_code sse_parser::check_limits()
{
    if (failed_)
        return errc::response_too_large;
    if (measured_.event + measured_.line + unmeasured_ <= std::min(limits_.max_line, limits_.max_event)) [[likely]]
        return {};

    std::size_t const begin = input_.size() - unmeasured_;
    std::size_t const good = first_excess(input_.substr(begin));
    unmeasured_ = 0;
    if (begin + good == input_.size())
        return {};

    // What comes before the excess can still be read.
    input_ = input_.substr(0, begin + good);
    failed_ = true;
    return errc::response_too_large;
}

// Moves measured_ over `bytes` and returns how many of them are within the limits.
std::size_t sse_parser::first_excess(std::string_view bytes) noexcept
{
    for (std::size_t i = 0; i < bytes.size(); ++i)
    {
        char const c = bytes[i];
        if (sse_line_end::test(c))
        {
            if (c == '\n' && measured_.after_cr)
            {
                measured_.after_cr = false;
                continue;
            }
            if (measured_.line == 0)
                measured_.event = 0;
            else if (!measured_.comment)
                measured_.event += measured_.line;
            measured_.line = 0;
            measured_.after_cr = c == '\r';
            continue;
        }
        measured_.after_cr = false;
        if (measured_.line == 0)
            measured_.comment = c == ':';
        if (measured_.line >= limits_.max_line)
            return i;
        if (!measured_.comment && measured_.event + measured_.line >= limits_.max_event)
            return i;
        ++measured_.line;
    }
    return bytes.size();
}

// ---- Lines ----

std::optional<sse_event> sse_parser::parse()
{
    std::optional<sse_event> event;
    while (pos_ < input_.size())
    {
        std::string_view const rest(input_.data() + pos_, input_.size() - pos_);
        sse_line const scan = scan_sse_line(rest);
        std::string_view const part(rest.data(), scan.length);

        // The usual event of a chat: one line of data and the blank line. What follows would do the same, more slowly.
        std::string_view const behind = rest.substr(scan.length);
        std::size_t const blank = behind.starts_with("\n\n") ? 2 : behind.starts_with("\r\n\r\n") ? 4 : 0;
        if (blank != 0 && at_.event == 0 && at_.line == 0 && part.starts_with(sse_data_field))
        {
            event.emplace();
            event->data = sse_field_value(part, sse_data_field.size());
            if (!scan.ascii)
                event->data = valid_text(event->data);
            event->id = id_;
            pos_ += scan.length + blank;
            if (pos_ == input_.size())
                settle();
            return event;
        }

        if (part.size() == rest.size())
        {
            hold_line(part);
            pos_ = input_.size();
            break;
        }
        pos_ += scan.length + 1;
        if (rest[scan.length] == '\r')
        {
            if (pos_ == input_.size())
                at_.after_cr = true;
            else if (input_[pos_] == '\n')
                ++pos_;
        }

        if (at_.line != 0)
        {
            end_held_line(part);
        }
        else if (!part.empty())
        {
            take_line(part);
        }
        else if (end_event(true, event))
        {
            // next() does not come here again before there is more input.
            if (pos_ == input_.size())
                settle();
            return event;
        }
    }
    settle();

    if (finished_ && !failed_)
    {
        if (at_.line != 0)
            end_held_line({});
        end_event(false, event);
    }
    return event;
}

// Takes a part of a line whose end is not here yet.
void sse_parser::hold_line(std::string_view part)
{
    if (part.empty())
        return;
    if (at_.line == 0)
        at_.comment = part[0] == ':';
    if (!at_.comment)
        append(line_, part);
    at_.line += part.size();
}

// Takes the last part of a line that began in an earlier piece.
void sse_parser::end_held_line(std::string_view part)
{
    hold_line(part);
    if (at_.comment)
    {
        ++comments_;
    }
    else
    {
        // The buffer goes to the field that points into it.
        at_.event += at_.line;
        buffer* const owner = take_field({line_.data(), line_.size()});
        if (owner != nullptr)
            *owner = std::exchange(line_, {});
        else
            reuse(line_);
    }
    at_.line = 0;
}

// Takes a whole line, which is not empty.
inline void sse_parser::take_line(std::string_view line)
{
    if (line[0] == ':')
    {
        ++comments_;
        return;
    }
    at_.event += line.size();
    take_field(line);
}

// ---- Fields ----

// Takes a line that is neither empty nor a comment. Returns the buffer of the field whose view points into the line.
sse_parser::buffer* sse_parser::take_field(std::string_view line)
{
    std::size_t const colon = std::min(line.find(':'), line.size());
    std::string_view const name = line.substr(0, colon);
    std::string_view const value = sse_field_value(line, std::min(colon + 1, line.size()));

    if (name == "data")
    {
        if (has_data_)
        {
            add_data(value);
            return nullptr;
        }
        has_data_ = true;
        data_ = value;
        return &data_own_;
    }
    if (name == "event")
    {
        reuse(type_own_);
        type_ = value;
        return &type_own_;
    }
    if (name == "id")
    {
        if (value.find('\0') != std::string_view::npos)
            return nullptr;
        lend(id_own_); // an event handed out may show the id before
        id_ = value;
        if (is_valid_utf8(value))
            return &id_own_;
        // Repaired here and not for every event: an id stays, and may be long.
        append(id_own_, repaired_utf8(value));
        id_ = {id_own_.data(), id_own_.size()};
        return nullptr;
    }
    if (name == "retry")
    {
        if (auto const retry = parse_sse_retry(value))
            retry_ = retry;
    }
    return nullptr;
}

// Takes a data line after the first.
void sse_parser::add_data(std::string_view value)
{
    if (data_own_.empty())
        append(data_own_, data_);
    std::size_t const offset = data_own_.size() - data_.size();
    data_own_.push_back('\n');
    append(data_own_, value);
    data_ = {data_own_.data() + offset, data_own_.size() - offset};
}

// Makes an event of the fields, if there is data, and starts a new one.
bool sse_parser::end_event(bool complete, std::optional<sse_event>& out)
{
    bool const dispatched = has_data_;
    if (dispatched)
    {
        sse_event& event = out.emplace();
        event.data = valid_text(data_);
        if (!type_.empty())
            event.type = valid_text(type_);
        event.id = id_;
        event.retry = retry_;
        event.complete = complete;
    }
    if (!data_own_.empty())
        lend(data_own_);
    if (!type_own_.empty())
        lend(type_own_);
    has_data_ = false;
    data_ = {};
    type_ = {};
    retry_.reset();
    at_.event = 0;
    return dispatched;
}

// ---- Memory ----

// All input is read: from here on, nothing of the event may point into it.
inline void sse_parser::settle()
{
    if (has_data_ || !type_.empty() || !id_.empty())
    {
        keep(data_, data_own_);
        keep(type_, type_own_);
        keep(id_, id_own_);
    }
}

void sse_parser::keep(std::string_view& view, buffer& own)
{
    if (!own.empty())
        return;
    append(own, view);
    view = {own.data(), own.size()};
}

void sse_parser::append(buffer& to, std::string_view bytes)
{
    if (bytes.empty())
        return;
    if (to.capacity() == 0 && !spare_.empty())
    {
        to = std::move(spare_.back());
        spare_.pop_back();
    }
    to.insert(to.end(), bytes.begin(), bytes.end());
}

// Events handed out point into b: leaves it alone until the next put.
void sse_parser::lend(buffer& b)
{
    if (b.capacity() == 0)
        return;
    lent_.push_back(std::move(b));
    b = buffer();
}

// The text itself, or a repaired copy.
std::string_view sse_parser::valid_text(std::string_view view)
{
    if (is_valid_utf8(view))
        return view;
    std::string const text = repaired_utf8(view);
    buffer copy;
    append(copy, text);
    std::string_view const repaired(copy.data(), copy.size());
    lend(copy);
    return repaired;
}

// Empties b and puts its memory aside, if it is worth keeping.
void sse_parser::reuse(buffer& b)
{
    if (b.capacity() == 0)
        return;
    b.clear();
    if (b.capacity() <= sse_spare_capacity && spare_.size() < sse_spare_buffers)
        spare_.push_back(std::move(b));
    b = buffer();
}

// The events handed out are history now.
void sse_parser::recycle()
{
    for (buffer& b : lent_)
        reuse(b);
    lent_.clear();
}

std::size_t sse_parser::buffered() const noexcept
{
    return line_.size() + data_own_.size() + type_own_.size() + (in_backlog_ ? input_.size() - pos_ : 0);
}

} // namespace serin
