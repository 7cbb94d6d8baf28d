// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CONFIG_HPP
#define SERIN_CONFIG_HPP

#include <serin/client_params.hpp>
#include <serin/core/error.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace serin {

class client;
class config_follower;

/// Reads a configuration from JSON into the parameters of a client. docs/configuration.md says what it may hold.
///
/// The text is checked as a whole: on failure `out` stays as it is, and `why` says on one line which member is wrong,
/// as in "upstreams[1].weight: must be a whole number from 0". Unknown members are errors, and so are names
/// that lead nowhere. On success the upstreams are replaced, and with them the models, rollouts and mirrors; of
/// everything else, what the text does not mention stays as it is in `out`. Keys are read now, so that a missing one is
/// found here; no message holds a key.
///
/// `base_dir` is the folder that relative paths of files in the configuration start from; empty: the current one.
///
/// Errors: `errc::invalid_argument`, `errc::invalid_url`, `errc::invalid_key` if an upstream has no usable key, and
/// `errc::insecure_transport` if a key would go over plain http to another machine.
error_code load_config(std::string_view json, std::string const& base_dir, client_params& out, std::string& why);

/// The same from a file; relative paths in it start from its own folder. `why` begins with the file's path.
error_code load_config_file(std::string const& path, client_params& out, std::string& why);

/// Follows a configuration file: when it changes, the client is given what it says, all at once, by @ref
/// client::reconfigure, whose description says what stays as it is; the stage of a rollout does. A file that cannot be
/// used changes nothing; the client's log is told why, and @ref problem says it as long as it is so.
///
/// What happens to the file in quick succession is one change. It may be replaced, written, removed or reached through
/// links, as a file of keys may (@ref file_key). Sources of keys that read the same as before are kept, with what is
/// known of their keys. Files that the configuration names, other than key files, are read again when it changes.
///
/// Thread safety: every function may be called from any thread.
class config_watch
{
public:
    /// Nothing is read before @ref start. `defaults` is what the file adds to, as `out` of @ref load_config_file. A
    /// watch may outlive its client, which then is not changed any more.
    explicit config_watch(client const& c, std::string path, client_params defaults = {});

    /// The watch goes on; the other one may only be assigned to or destroyed.
    config_watch(config_watch&&) noexcept;
    /// Ends what it watched, as destroying it does.
    config_watch& operator=(config_watch&& other) noexcept;
    ~config_watch();

    /// Reads the file, and again whenever it changes, until @ref stop. Holds work in the client's context meanwhile.
    void start();

    /// Ends what @ref start began. So does destroying the watch, which must happen before the context is gone.
    void stop();

    /// Reads the file now, started or not, even if it has not changed. On failure the client stays as it is, and `why`
    /// says what is wrong, as that of @ref load_config_file.
    ///
    /// Errors: as @ref load_config_file and the constructor of @ref client; `asio::error::operation_aborted` if the
    /// client is gone.
    error_code reload(std::string& why);

    /// What was wrong with the file when it was read last. Empty: nothing.
    std::string problem() const;

private:
    std::shared_ptr<config_follower> impl_;
};

} // namespace serin

#endif
