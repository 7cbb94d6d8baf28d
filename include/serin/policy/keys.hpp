// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_POLICY_KEYS_HPP
#define SERIN_POLICY_KEYS_HPP

#include <serin/core/error.hpp>
#include <serin/core/logger.hpp>
#include <serin/core/secret.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace serin {

/// The keys of a source at one moment. It does not change any more: when the keys do, the source makes a new one.
struct key_set
{
    /// The keys that may be used, in the order of the source. Each can stand in a header.
    std::vector<std::shared_ptr<secret const>> keys = {};

    /// Why there is no key, or why the keys could not be read again. Never holds a key. Empty: all is well.
    std::string problem = {};

    /// Grows whenever `keys` changes.
    std::uint64_t version = 0;
};

/// Where an upstream's keys come from. It supplies them; which one a request takes is the client's choice. All
/// functions may be called from any thread, and several clients and upstreams may share one source.
///
/// Derive from it to bring keys from elsewhere; @ref function_key is the shorter way.
class key_source
{
public:
    virtual ~key_source() = default;

    /// The keys as they are now, never null. Called for every attempt, so it must be quick. A source whose keys expire
    /// begins to fetch the next ones here.
    virtual std::shared_ptr<key_set const> snapshot() = 0;

    /// Reads the keys again from where they come from, even if they are not known to have changed. On failure the last
    /// good keys stay, and `why` says what is wrong, without any part of a key.
    virtual error_code reload(std::string& why) = 0;

    /// Appends every key that may be in use now, and those that were replaced a short time ago, so that server text can
    /// be scrubbed of them.
    virtual void append_live(std::vector<std::shared_ptr<secret const>>& out) const = 0;

    /// Has the keys brought up to date, because the server accepts none of those in the snapshot or there are none.
    /// What takes time goes on after the return: pending() says so, and `done` is called from any thread, perhaps
    /// before the return and perhaps more than once, when there may be something new. By default the same as reload().
    virtual void refresh(std::function<void()> done);

    /// How long at most the keys that are being fetched may still take. Zero: none are.
    virtual std::chrono::steady_clock::duration pending() const { return {}; }

    /// What is read, as in "environment variable OPENAI_API_KEY": two sources that say the same, and not nothing, give
    /// the same keys. Never holds a key. Empty by default.
    virtual std::string origin() const { return {}; }

    /// Watches where the keys come from, and reads them again when they change, until the result is destroyed. That
    /// keeps `ex` busy meanwhile and must happen before the context of `ex` is gone. `log` is told of changes and of
    /// problems, one line each. Null where there is nothing to watch, which is the default.
    virtual std::shared_ptr<void> watch(asio::any_io_executor ex, logger log);
};

/// A key given in the program. Throws @ref api_error with errc::invalid_key if it is empty or holds a byte that cannot
/// stand in a header.
std::shared_ptr<key_source> fixed_key(secret key);

/// Several of them.
std::shared_ptr<key_source> fixed_keys(std::vector<secret> keys);

/// The key in an environment variable. Read now, on every reload, and when a call has no key that the server accepts. A
/// variable that is missing, empty or malformed then leaves the last good key in place. Reading it while another thread
/// calls `setenv` or `putenv` is undefined behaviour, as with every reader of the environment.
std::shared_ptr<key_source> env_key(std::string variable);

/// The keys in several environment variables, in this order. One without a key is passed over.
std::shared_ptr<key_source> env_keys(std::vector<std::string> variables);

/// The keys in a file, one a line, in this order. Blanks and line ends around a key are removed; empty lines and lines
/// that begin with `#` are skipped. The file is read now, on every reload, and when a call has no key that the server
/// accepts. While it is missing, empty, malformed (one bad line spoils it) or larger than 64 KiB, the last good keys
/// stay in use.
///
/// Watching sees the file replaced, written, removed or made readable, also through symbolic links that are exchanged,
/// as those of a Kubernetes secret are: within a tenth of a second where the system tells (inotify), within a second
/// elsewhere. Replace the file by renaming another one to its name: a file that is written in place may be read when it
/// is half written. Changes that another machine makes to a network file system are seen within 30 seconds. What is not
/// a regular file, such as a pipe, is read now only.
std::shared_ptr<key_source> file_key(std::string path);

/// What a key function answers with. Copies answer for the same question, and the first answer counts. If all copies
/// are destroyed without one, the fetch has failed. May be used from any thread.
class key_reply
{
public:
    // Internal.
    class channel;

    /// Of the library's own.
    explicit key_reply(std::shared_ptr<channel> to) noexcept : channel_(std::move(to)) {}

    /// Here is the key. `valid_for`: it expires then, counted from now; if absent, it does not expire.
    void operator()(secret key, std::optional<std::chrono::steady_clock::duration> valid_for = {}) const;

    /// There is no key, for this reason.
    void fail(std::string_view why) const;

private:
    std::shared_ptr<channel> channel_;
};

/// How a key function is called.
struct function_key_params
{
    /// A key that expires is replaced so long before, but not before half of its time is over.
    std::chrono::milliseconds refresh_before = std::chrono::seconds(60);

    /// How long the function may take to answer. Positive.
    std::chrono::milliseconds timeout = std::chrono::seconds(10);

    /// The pause after a function that failed; doubles with every further failure up to `max_retry_delay`.
    std::chrono::milliseconds retry_delay = std::chrono::seconds(1);

    std::chrono::milliseconds max_retry_delay = std::chrono::seconds(60); ///< @copydoc retry_delay
};

/// The key that a function fetches: from a vault, or in exchange for another token. The function is called when a key
/// is needed for the first time, early before it expires, after a reload, and when the server does not accept it; once
/// at a time, however many calls wait. It must not block: it begins to fetch and answers through its argument, at once
/// or later. It is called from whichever thread needs the key. If it fails, by an exception too, or does not answer in
/// time, a key that has not expired stays in use; an answer that comes too late is ignored.
std::shared_ptr<key_source> function_key(std::function<void(key_reply)> fetch, function_key_params params = {});

/// The keys of several sources, in this order. A source that has no key is passed over.
std::shared_ptr<key_source> rotating_keys(std::vector<std::shared_ptr<key_source>> sources);

/// Which of an upstream's keys the next attempt takes.
enum class key_choice
{
    round_robin,  ///< They take turns.
    least_loaded, ///< The one with the fewest attempts under way.
};

/// Whether a key is used.
enum class key_state
{
    usable,      ///< It is.
    resting,     ///< The server has had enough of it for now, or its account is empty.
    quarantined, ///< The server does not accept it. It is tried again now and then if there is no other.
};

/// How a key is doing. Its fingerprint stands for it.
struct key_health
{
    std::string fingerprint = {};        ///< Its fingerprint.
    key_state state = key_state::usable; ///< Whether it is used.

    /// When it is used again like the others. Zero: now, or for a quarantined key when there is no other.
    std::chrono::milliseconds usable_in = {};

    /// Attempts that use it now.
    std::size_t in_flight = 0;

    /// How often in a row the server turned it away.
    unsigned failures = 0;
};

/// The keys of one upstream.
struct upstream_keys
{
    std::string upstream = {};         ///< Its name.
    std::vector<key_health> keys = {}; ///< In the order of their source.
};

} // namespace serin

#endif
