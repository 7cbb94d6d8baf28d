// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/mock/script.hpp>

#include <nlohmann/json.hpp>

#include <charconv>
#include <cmath>
#include <limits>

namespace serin::mock {

// --- Setters ---

behavior& behavior::with_text(std::string text)
{
    reply = std::move(text);
    return *this;
}

behavior& behavior::with_tokens(std::size_t count)
{
    tokens = count;
    return *this;
}

behavior& behavior::with_reasoning(std::size_t count)
{
    reasoning_tokens = count;
    return *this;
}

behavior& behavior::with_tool_call(std::string name, std::string arguments)
{
    tool_calls.emplace_back(std::move(name), std::move(arguments));
    return *this;
}

behavior& behavior::with_finish_reason(std::string reason)
{
    finish_reason = std::move(reason);
    return *this;
}

behavior& behavior::without_finish_reason()
{
    send_finish_reason = false;
    return *this;
}

behavior& behavior::with_status(int code, std::string text)
{
    status = code;
    if (!text.empty())
        body = std::move(text);
    return *this;
}

behavior& behavior::with_header(std::string name, std::string value)
{
    headers.emplace_back(std::move(name), std::move(value));
    return *this;
}

behavior& behavior::with_retry_after(std::string value)
{
    retry_after = std::move(value);
    return *this;
}

behavior& behavior::with_error(std::string message, std::string type, std::string code)
{
    error_message = std::move(message);
    error_type = std::move(type);
    error_code = std::move(code);
    return *this;
}

behavior& behavior::with_raw(std::string bytes, after_answer then)
{
    raw = std::move(bytes);
    after = then;
    return *this;
}

behavior& behavior::with_framing(mock::framing how)
{
    framing = how;
    return *this;
}

behavior& behavior::echoing()
{
    echo = true;
    return *this;
}

behavior& behavior::delayed(std::chrono::milliseconds first_byte)
{
    first_byte_delay = first_byte;
    return *this;
}

behavior& behavior::paced(std::chrono::milliseconds between, std::chrono::milliseconds first)
{
    token_delay = between;
    first_token_delay = first;
    return *this;
}

behavior& behavior::close_before_head()
{
    fault = mock::fault::close_before_head;
    return *this;
}

behavior& behavior::reset_before_head()
{
    fault = mock::fault::reset_before_head;
    return *this;
}

behavior& behavior::cut_after(std::size_t count)
{
    fault = mock::fault::cut;
    fault_after = count;
    return *this;
}

behavior& behavior::reset_after(std::size_t count)
{
    fault = mock::fault::reset;
    fault_after = count;
    return *this;
}

behavior& behavior::stall_after(std::size_t count)
{
    fault = mock::fault::stall;
    fault_after = count;
    return *this;
}

behavior& behavior::malformed_after(std::size_t count)
{
    fault = mock::fault::malformed;
    fault_after = count;
    return *this;
}

behavior& behavior::error_after(std::size_t count)
{
    fault = mock::fault::error;
    fault_after = count;
    return *this;
}

behavior& behavior::error_in_200()
{
    fault = mock::fault::error_body;
    return *this;
}

behavior& behavior::without_done()
{
    done = false;
    return *this;
}

behavior& behavior::left_open()
{
    terminate = false;
    return *this;
}

behavior& behavior::closing()
{
    connection_close = true;
    return *this;
}

behavior& behavior::closing_silently()
{
    after = after_answer::close;
    return *this;
}

behavior& behavior::written_slowly(std::size_t size, std::chrono::milliseconds interval)
{
    write_size = size;
    write_interval = interval;
    return *this;
}

behavior& behavior::answered_early(int code)
{
    early = true;
    status = code;
    return *this;
}

behavior& behavior::never_reading()
{
    read_interval = forever;
    return *this;
}

// --- Script files ---

namespace {

using script_json = nlohmann::json;

// Thrown within this file only: the path of a member and what is wrong with it.
class script_error
{
public:
    std::string text;
    script_error(std::string const& path, std::string const& what) : text(path.empty() ? what : path + ": " + what) {}
};

std::string script_join(std::string const& path, std::string const& name)
{
    return path.empty() ? name : path + "." + name;
}

std::string script_join(std::string const& path, std::size_t index)
{
    return path + "[" + std::to_string(index) + "]";
}

void script_read(script_json const& json, std::string const& path, std::string& value)
{
    if (!json.is_string())
        throw script_error(path, "not a string");
    value = json.get<std::string>();
}

void script_read(script_json const& json, std::string const& path, bool& value)
{
    if (!json.is_boolean())
        throw script_error(path, "neither true nor false");
    value = json.get<bool>();
}

void script_read(script_json const& json, std::string const& path, std::uint64_t& value)
{
    if (!json.is_number_unsigned())
        throw script_error(path, "not a whole number from 0 on");
    value = json.get<std::uint64_t>();
}

void script_read(script_json const& json, std::string const& path, std::chrono::milliseconds& value)
{
    double amount = -1;
    std::string_view unit = "ms";
    if (json.is_number())
        amount = json.get<double>();
    else if (json.is_string())
    {
        std::string_view const text = json.get_ref<std::string const&>();
        if (text == "forever")
        {
            value = forever;
            return;
        }
        auto const parsed = std::from_chars(text.data(), text.data() + text.size(), amount, std::chars_format::fixed);
        unit = text.substr(static_cast<std::size_t>(parsed.ptr - text.data()));
        if (parsed.ec != std::errc())
            amount = -1;
    }
    double const scale = unit == "ms" ? 1 : unit == "s" ? 1e3 : unit == "m" ? 60e3 : unit == "h" ? 3600e3 : -1;
    // A thousand years, far below what overflows.
    if (!(amount >= 0) || scale < 0 || amount * scale > 3e13)
        throw script_error(path, "not a duration, such as \"20ms\", \"1.5s\", 20 or \"forever\"");
    value = std::chrono::milliseconds(std::llround(amount * scale));
}

void script_read(script_json const& json, std::string const& path, serin::headers& value)
{
    if (!json.is_object())
        throw script_error(path, "not an object");
    for (auto const& item : json.items())
    {
        std::string text;
        script_read(item.value(), script_join(path, item.key()), text);
        if ((item.key() + text).find_first_of("\r\n") != std::string::npos)
            throw script_error(script_join(path, item.key()), "a header cannot hold line ends");
        value.emplace_back(item.key(), text);
    }
}

// The templates below need to know these.
void script_read(script_json const& json, std::string const& path, tool_call& value);
void script_read(script_json const& json, std::string const& path, behavior& b);
void script_read(script_json const& json, std::string const& path, fault_share& value);

template <class T>
void script_read(script_json const& json, std::string const& path, std::optional<T>& value)
{
    T read{};
    script_read(json, path, read);
    value = std::move(read);
}

template <class Enum, std::size_t N>
void script_read_name(
    script_json const& json, std::string const& path, std::pair<char const*, Enum> const (&names)[N], Enum& value)
{
    std::string known;
    for (auto const& entry : names)
    {
        if (json.is_string() && json.get_ref<std::string const&>() == entry.first)
        {
            value = entry.second;
            return;
        }
        known += (known.empty() ? "" : ", ") + std::string(entry.first);
    }
    throw script_error(path, "not one of " + known);
}

void script_read(script_json const& json, std::string const& path, fault& value)
{
    static constexpr std::pair<char const*, fault> names[] = {{"none", fault::none},
        {"close_before_head", fault::close_before_head}, {"reset_before_head", fault::reset_before_head},
        {"cut", fault::cut}, {"reset", fault::reset}, {"stall", fault::stall}, {"malformed", fault::malformed},
        {"error", fault::error}, {"error_body", fault::error_body}};
    script_read_name(json, path, names, value);
}

void script_read(script_json const& json, std::string const& path, after_answer& value)
{
    static constexpr std::pair<char const*, after_answer> names[] = {
        {"keep", after_answer::keep}, {"close", after_answer::close}, {"reset", after_answer::reset}};
    script_read_name(json, path, names, value);
}

void script_read(script_json const& json, std::string const& path, framing& value)
{
    static constexpr std::pair<char const*, framing> names[] = {{"automatic", framing::automatic},
        {"content_length", framing::content_length}, {"chunked", framing::chunked}, {"close", framing::close}};
    script_read_name(json, path, names, value);
}

script_json const& script_object(script_json const& json, std::string const& path)
{
    if (!json.is_object())
        throw script_error(path, "not an object");
    return json;
}

script_json const& script_array(script_json const& json, std::string const& path)
{
    if (!json.is_array())
        throw script_error(path, "not an array");
    return json;
}

void script_read(script_json const& json, std::string const& path, tool_call& value)
{
    for (auto const& item : script_object(json, path).items())
    {
        std::string const at = script_join(path, item.key());
        if (item.key() == "id")
            script_read(item.value(), at, value.id);
        else if (item.key() == "name")
            script_read(item.value(), at, value.name);
        else if (item.key() == "arguments" && item.value().is_object())
            value.arguments = item.value().dump();
        else if (item.key() == "arguments")
            script_read(item.value(), at, value.arguments);
        else
            throw script_error(at, "unknown member");
    }
}

template <class T>
void script_read(script_json const& json, std::string const& path, std::vector<T>& value)
{
    script_array(json, path);
    for (std::size_t i = 0; i < json.size(); ++i)
    {
        T read{};
        script_read(json[i], script_join(path, i), read);
        value.push_back(std::move(read));
    }
}

// Members that take more than one type. False: read it like any other.
bool script_read_special(script_json const& json, std::string const& path, std::string const& name, behavior& b)
{
    if (name == "status")
    {
        std::uint64_t status = 0;
        script_read(json, path, status);
        if (status < 200 || status > 999)
            throw script_error(path, "not from 200 to 999");
        b.status = static_cast<int>(status);
        return true;
    }
    if (name == "finish_reason" && json.is_null())
    {
        b.send_finish_reason = false;
        return true;
    }
    if (name == "body" && json.is_object())
    {
        b.body = json.dump();
        return true;
    }
    if (name == "error_code" && json.is_number_integer())
    {
        b.error_code = json.dump();
        b.error_code_is_number = true;
        return true;
    }
    if (name == "retry_after" && json.is_number())
    {
        b.retry_after = json.dump();
        return true;
    }
    return false;
}

void script_read(script_json const& json, std::string const& path, behavior& b)
{
    for (auto const& item : script_object(json, path).items())
    {
        std::string const& name = item.key();
        script_json const& value = item.value();
        std::string const at = script_join(path, name);
        if (script_read_special(value, at, name, b))
            continue;
            // One line a member, in the order of the class.
#define SERIN_MOCK_MEMBER(member)                                                                                      \
    if (name == #member)                                                                                               \
    {                                                                                                                  \
        script_read(value, at, b.member);                                                                              \
        continue;                                                                                                      \
    }
        SERIN_MOCK_MEMBER(first_byte_delay)
        SERIN_MOCK_MEMBER(first_token_delay)
        SERIN_MOCK_MEMBER(token_delay)
        SERIN_MOCK_MEMBER(comment_interval)
        SERIN_MOCK_MEMBER(tokens)
        SERIN_MOCK_MEMBER(seed)
        SERIN_MOCK_MEMBER(reply)
        SERIN_MOCK_MEMBER(echo)
        SERIN_MOCK_MEMBER(reasoning_tokens)
        SERIN_MOCK_MEMBER(reasoning_field)
        SERIN_MOCK_MEMBER(tool_calls)
        SERIN_MOCK_MEMBER(tool_fragments)
        SERIN_MOCK_MEMBER(finish_reason)
        SERIN_MOCK_MEMBER(send_finish_reason)
        SERIN_MOCK_MEMBER(usage)
        SERIN_MOCK_MEMBER(role_chunk)
        SERIN_MOCK_MEMBER(headers)
        SERIN_MOCK_MEMBER(body)
        SERIN_MOCK_MEMBER(retry_after)
        SERIN_MOCK_MEMBER(error_message)
        SERIN_MOCK_MEMBER(error_type)
        SERIN_MOCK_MEMBER(error_code)
        SERIN_MOCK_MEMBER(error_code_is_number)
        SERIN_MOCK_MEMBER(raw)
        SERIN_MOCK_MEMBER(fault)
        SERIN_MOCK_MEMBER(fault_after)
        SERIN_MOCK_MEMBER(done)
        SERIN_MOCK_MEMBER(terminate)
        SERIN_MOCK_MEMBER(framing)
        SERIN_MOCK_MEMBER(http_1_0)
        SERIN_MOCK_MEMBER(connection_close)
        SERIN_MOCK_MEMBER(after)
        SERIN_MOCK_MEMBER(close_idle_after)
        SERIN_MOCK_MEMBER(close_notify)
        SERIN_MOCK_MEMBER(write_size)
        SERIN_MOCK_MEMBER(write_interval)
        SERIN_MOCK_MEMBER(batch)
        SERIN_MOCK_MEMBER(early)
        SERIN_MOCK_MEMBER(linger)
        SERIN_MOCK_MEMBER(read_interval)
        SERIN_MOCK_MEMBER(read_size)
#undef SERIN_MOCK_MEMBER
        throw script_error(at, "unknown member");
    }
}

void script_read(script_json const& json, std::string const& path, fault_share& value)
{
    for (auto const& item : script_object(json, path).items())
    {
        std::string const at = script_join(path, item.key());
        if (item.key() == "behavior")
            script_read(item.value(), at, value.behavior);
        else if (item.key() == "probability")
        {
            value.probability = item.value().is_number() ? item.value().get<double>() : -1;
            if (!(value.probability >= 0 && value.probability <= 1))
                throw script_error(at, "not a number from 0 to 1");
        }
        else
            throw script_error(at, "unknown member");
    }
}

script script_read_all(script_json const& json)
{
    script s;
    if (!json.is_object())
        throw script_error("", "not a JSON object");
    for (auto const& item : json.items())
    {
        std::string const& name = item.key();
        script_json const& value = item.value();
        if (name == "seed")
            script_read(value, name, s.seed);
        else if (name == "keys")
            script_read(value, name, s.keys);
        else if (name == "default")
            script_read(value, name, s.default_behavior);
        else if (name == "models")
            for (auto const& model : script_object(value, name).items())
                script_read(model.value(), script_join(name, model.key()), s.models[model.key()]);
        else if (name == "queue")
            script_read(value, name, s.queue);
        else if (name == "faults")
            script_read(value, name, s.faults);
        else
            throw script_error(name, "unknown member");
    }
    double sum = 0;
    for (fault_share const& share : s.faults)
        sum += share.probability;
    // Ten times 0.1 is a little more than 1.
    if (sum > 1 + 1e-9)
        throw script_error("faults", "the probabilities add up to more than 1");
    return s;
}

} // namespace

std::optional<script> load_script(std::string_view text, std::string& error)
{
    error.clear();
    try
    {
        return script_read_all(script_json::parse(text));
    }
    catch (script_error const& e)
    {
        error = e.text;
    }
    catch (script_json::exception const& e)
    {
        // What the parser says begins with its own name for the error, in brackets.
        std::string_view what = e.what();
        std::size_t const name_end = what.find("] ");
        if (name_end != std::string_view::npos)
            what.remove_prefix(name_end + 2);
        error = "not JSON: " + std::string(what);
    }
    for (char& c : error)
        if (static_cast<unsigned char>(c) < 0x20)
            c = ' ';
    return {};
}

} // namespace serin::mock
