// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "file_watch.hpp"

#include <serin/core/error.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <chrono>
#include <cstring>
#include <exception>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#if __has_include(<sys/inotify.h>)
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#define SERIN_HAS_INOTIFY 1
#else
#define SERIN_HAS_INOTIFY 0
#endif

namespace serin {
namespace {

constexpr auto settle_time = std::chrono::milliseconds(50);     // Writers do more than one thing at a time
constexpr auto poll_interval = std::chrono::seconds(1);         // Where nobody notifies us
constexpr auto second_look_interval = std::chrono::seconds(30); // File systems do not notify of what other machines do

// Every name that the system looks up on the way to a file, by the directory it is looked up in. What happens to one of
// them may change the file; what happens to others does not.
using name_lookups = std::map<std::filesystem::path, std::set<std::string>>;

name_lookups lookups_of(std::filesystem::path const& absolute)
{
    constexpr int most_links = 40; // As Linux has it

    name_lookups out;
    std::error_code ec;
    std::filesystem::path at = absolute.root_path();
    auto const relative = absolute.relative_path();
    std::list<std::filesystem::path> left(relative.begin(), relative.end());
    for (int links = 0; !left.empty() && links <= most_links;)
    {
        auto const name = std::move(left.front());
        left.pop_front();
        if (name.empty() || name == ".")
            continue;
        if (name == "..")
        {
            at = at.parent_path();
            continue;
        }
        out[at].insert(name.string());
        auto const here = at / name;
        auto const type = std::filesystem::symlink_status(here, ec).type();
        if (type == std::filesystem::file_type::symlink)
        {
            auto const target = std::filesystem::read_symlink(here, ec);
            left.insert(left.begin(), target.begin(), target.end());
            if (target.is_absolute())
            {
                at = target.root_path();
                left.pop_front();
            }
            ++links;
        }
        else if (type == std::filesystem::file_type::directory)
        {
            at = here;
        }
        else
        {
            break;
        }
    }
    return out;
}

// Its handlers own it while they are pending.
class file_watch : public std::enable_shared_from_this<file_watch>
{
public:
    file_watch(std::filesystem::path path, asio::any_io_executor const& ex, std::function<void()> look)
        : path_(std::move(path)),
          look_(std::move(look)),
          timer_(ex),
          events_(ex)
    {}

    void start();
    void stop() noexcept;

private:
    using clock = std::chrono::steady_clock;

    void wait_again();
    void wait_until(clock::time_point at);
    void on_timer();
    void open_events();
    void follow();
    void read_events();
    void on_events(error_code ec, std::size_t size);
    bool concerns_us(std::string_view events) const;

    std::filesystem::path const path_;
    std::function<void()> const look_;

    std::mutex mutex_;
    bool stopped_ = false;
    bool looking_ = false; // look_ is being called.
    bool due_ = false;     // It is to be called because of an event.
    asio::steady_timer timer_;

    // Of inotify, if there is that.
    asio::posix::stream_descriptor events_;
    bool notified_ = false;                      // Of everything that matters
    std::map<int, std::set<std::string>> names_; // By watched directory
    alignas(8) std::array<char, 4096> buffer_{};
};

void file_watch::start()
{
    {
        std::lock_guard const lock(mutex_);
        open_events();
        follow(); // What changes from here on is noticed.
    }
    look_();
    std::lock_guard const lock(mutex_);
    if (stopped_)
        return;
    wait_again();
    if (events_.is_open())
        read_events();
}

void file_watch::stop() noexcept
{
    std::lock_guard const lock(mutex_);
    stopped_ = true;
    error_code ignored;
    events_.close(ignored);
    try
    {
        timer_.cancel();
    }
    catch (std::exception const&)
    {
        // It ends by itself.
    }
}

void file_watch::on_timer()
{
    {
        std::lock_guard const lock(mutex_);
        if (stopped_ || looking_)
            return;
        looking_ = true;
        due_ = false;
        follow();
    }
    try
    {
        look_();
    }
    catch (...)
    {
        // As everywhere with callbacks
    }
    std::lock_guard const lock(mutex_);
    looking_ = false;
    if (!stopped_)
        wait_again();
}

void file_watch::wait_again()
{
    auto const interval = due_ ? clock::duration(settle_time) : notified_ ? second_look_interval : poll_interval;
    wait_until(clock::now() + interval);
}

void file_watch::wait_until(clock::time_point at)
{
    timer_.expires_at(at);
    timer_.async_wait([self = shared_from_this()](error_code ec) {
        if (!ec)
            self->on_timer();
    });
}

#if SERIN_HAS_INOTIFY

void file_watch::open_events()
{
    int const fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0)
        return;
    error_code ec;
    events_.assign(fd, ec);
    if (ec)
        ::close(fd);
}

// Watches the directories that the path leads through now.
void file_watch::follow()
{
    constexpr int most_tries = 5;
    constexpr std::uint32_t mask = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ATTRIB |
                                   IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

    if (!events_.is_open())
        return;
    auto names = std::exchange(names_, {});
    // The path may change before its directories are watched.
    name_lookups wanted;
    for (int i = 0; i < most_tries; ++i)
    {
        auto now = lookups_of(path_);
        if (i != 0 && now == wanted)
            break;
        wanted = std::move(now);
        names_.clear();
        notified_ = true;
        for (auto const& [directory, of_interest] : wanted)
        {
            int const wd = ::inotify_add_watch(events_.native_handle(), directory.c_str(), mask);
            if (wd < 0)
                notified_ = false; // Not allowed, or too many
            else
                names_[wd].insert(of_interest.begin(), of_interest.end());
        }
        names.insert(names_.begin(), names_.end());
    }
    for (auto const& [wd, unused] : names)
        if (!names_.contains(wd))
            ::inotify_rm_watch(events_.native_handle(), wd);
}

void file_watch::read_events()
{
    events_.async_read_some(asio::buffer(buffer_),
        [self = shared_from_this()](error_code ec, std::size_t size) { self->on_events(ec, size); });
}

void file_watch::on_events(error_code ec, std::size_t size)
{
    std::lock_guard const lock(mutex_);
    if (stopped_)
        return;
    bool news = false;
    if (ec)
    {
        notified_ = false;
        events_.close(ec);
        news = true;
    }
    else
    {
        news = concerns_us(std::string_view(buffer_.data(), size));
        read_events();
    }
    if (!news || due_)
        return;
    due_ = true;
    if (!looking_)
        wait_again();
}

bool file_watch::concerns_us(std::string_view events) const
{
    while (events.size() >= sizeof(inotify_event))
    {
        inotify_event e{};
        std::memcpy(&e, events.data(), sizeof e);
        events.remove_prefix(sizeof e);
        std::string_view name = events.substr(0, e.len);
        events.remove_prefix(name.size());
        name = name.substr(0, name.find('\0'));
        auto const watched = names_.find(e.wd);
        bool const ours = watched != names_.end() && (name.empty() || watched->second.contains(std::string(name)));
        if (ours || (e.mask & IN_Q_OVERFLOW) != 0)
            return true;
    }
    return false;
}

#else

void file_watch::open_events() {}
void file_watch::follow() {}
void file_watch::read_events() {}
void file_watch::on_events(error_code, std::size_t) {}
bool file_watch::concerns_us(std::string_view) const
{
    return false;
}

#endif

} // namespace

std::shared_ptr<void> watch_file(
    std::filesystem::path path, asio::any_io_executor const& ex, std::function<void()> look)
{
    auto const w = std::make_shared<file_watch>(std::move(path), ex, std::move(look));
    w->start();
    return std::shared_ptr<void>(w.get(), [w](void*) { w->stop(); });
}

} // namespace serin

#undef SERIN_HAS_INOTIFY
