// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/client.hpp>
#include <serin/config.hpp>

#include "../core/file_watch.hpp"
#include "client_impl.hpp"
#include "config_file.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <utility>

namespace serin {
namespace {

std::filesystem::path absolute_config_path(std::string const& path)
{
    std::error_code ec;
    auto const absolute = std::filesystem::absolute(path, ec);
    return ec ? std::filesystem::path(path) : absolute;
}

// A source that reads what one of the same upstream reads already gives way to that: it knows which keys are refused,
// and is watched.
void keep_config_keys(std::vector<upstream>& upstreams, std::vector<upstream> const& before)
{
    for (upstream& u : upstreams)
    {
        auto const old = std::ranges::find(before, u.name, &upstream::name);
        if (!u.keys || old == before.end() || !old->keys)
            continue;
        auto const origin = u.keys->origin();
        if (origin.empty() || origin != old->keys->origin())
            continue;
        u.keys = old->keys;
        std::string ignored; // The new one has just read the same without a problem.
        u.keys->reload(ignored);
    }
}

} // namespace

// What a watch and its handlers share.
class config_follower : public std::enable_shared_from_this<config_follower>
{
public:
    config_follower(std::weak_ptr<client_impl> client, std::string path, client_params defaults)
        : client_(std::move(client)),
          path_(std::move(path)),
          absolute_(absolute_config_path(path_)),
          defaults_(std::move(defaults))
    {}

    void start();
    void stop();

    // `always`: even if the text is the one that is in use.
    error_code reload(std::string& why, bool always);

    std::string problem() const
    {
        std::lock_guard const lock(mutex_);
        return problem_;
    }

private:
    error_code read(client_impl& client, std::string const& text, std::string& why) const;

    std::weak_ptr<client_impl> const client_;
    std::string const path_; // As given, for messages
    std::filesystem::path const absolute_;
    client_params const defaults_;

    std::mutex reloading_; // One at a time
    bool was_read_ = false;
    std::string text_; // That was read last

    mutable std::mutex mutex_;
    std::string problem_;
    bool started_ = false;
    std::shared_ptr<void> watch_;
};

void config_follower::start()
{
    auto const client = client_.lock();
    {
        std::lock_guard const lock(mutex_);
        if (started_ || !client)
            return;
        started_ = true;
    }
    auto watch = watch_file(absolute_, client->executor, [self = shared_from_this()] {
        std::string ignored; // It is told.
        self->reload(ignored, false);
    });
    std::lock_guard const lock(mutex_);
    if (started_)
        watch_.swap(watch);
}

void config_follower::stop()
{
    std::shared_ptr<void> watch;
    std::lock_guard const lock(mutex_);
    started_ = false;
    watch_.swap(watch);
}

error_code config_follower::reload(std::string& why, bool always)
{
    auto const client = client_.lock();
    if (!client)
        return asio::error::operation_aborted;
    std::lock_guard const one(reloading_);
    std::string text;
    error_code ec = read_config_file(absolute_.string(), text, why);
    if (!ec && !always && was_read_ && text == text_ && problem().empty())
        return ec;
    if (!ec)
        ec = read(*client, text, why);
    if (ec)
        why = path_ + ": " + why;
    was_read_ = was_read_ || !ec;
    text_ = std::move(text);
    bool known = false;
    {
        std::lock_guard const lock(mutex_);
        known = ec && problem_ == why;
        problem_ = ec ? why : std::string();
    }
    if (ec && !known)
        client->log(log_level::warning, why + ": the configuration stays as it was");
    if (!ec)
        client->log(log_level::info, "configuration file " + path_ + " was read and is in use");
    return ec;
}

error_code config_follower::read(client_impl& client, std::string const& text, std::string& why) const
{
    client_params params = defaults_;
    if (error_code const ec = load_config(text, absolute_.parent_path().string(), params, why))
        return ec;
    keep_config_keys(params.upstreams, client.current()->params.upstreams);
    diagnostics diag;
    error_code const ec = client.reconfigure(std::move(params), diag);
    why = std::move(diag.message);
    return ec;
}

config_watch::config_watch(client const& c, std::string path, client_params defaults)
    : impl_(std::make_shared<config_follower>(client_access::impl(c), std::move(path), std::move(defaults)))
{}

config_watch::config_watch(config_watch&&) noexcept = default;

config_watch& config_watch::operator=(config_watch&& other) noexcept
{
    std::swap(impl_, other.impl_);
    return *this;
}

config_watch::~config_watch()
{
    if (impl_)
        impl_->stop();
}

void config_watch::start()
{
    impl_->start();
}

void config_watch::stop()
{
    impl_->stop();
}

error_code config_watch::reload(std::string& why)
{
    return impl_->reload(why, true);
}

std::string config_watch::problem() const
{
    return impl_->problem();
}

} // namespace serin
