// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "key_store.hpp"
#include "read_keys.hpp"

#include <serin/policy/keys.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <chrono>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
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

constexpr std::size_t max_key_file = 64 * 1024;

class file_key_source final : public read_keys, public std::enable_shared_from_this<file_key_source>
{
public:
    explicit file_key_source(std::string path);

    std::shared_ptr<void> watch(asio::any_io_executor ex, logger log) override;

    std::filesystem::path const& path() const noexcept { return absolute_; }
    std::string where() const { return "key file " + path_; }

private:
    void read(std::vector<key_pointer>& keys, std::string& problem) override;
    void parse(std::string_view text, std::vector<key_pointer>& keys, std::string& problem) const;

    std::string const path_;         // As given, for messages
    std::filesystem::path absolute_; // The program may change its directory
    bool was_read_ = false;
};

file_key_source::file_key_source(std::string path) : path_(std::move(path))
{
    std::error_code ec;
    absolute_ = std::filesystem::absolute(path_, ec);
    if (ec)
        absolute_ = path_;
}

void file_key_source::read(std::vector<key_pointer>& keys, std::string& problem)
{
    std::error_code ec;
    bool const first = !std::exchange(was_read_, true);
    // A pipe is good for one time: another one may never end.
    if (!first && std::filesystem::exists(absolute_, ec) && !std::filesystem::is_regular_file(absolute_, ec))
    {
        keys = snapshot()->keys;
        if (keys.empty())
            problem = where() + " is not a regular file";
        return;
    }
    // Without a buffer in between, which would keep the key: everything goes into a string that wipes itself.
    std::ifstream file;
    file.rdbuf()->pubsetbuf(nullptr, 0);
    file.open(absolute_, std::ios::binary);
    std::string text(max_key_file + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    secret const all(std::move(text));
    if (!file.is_open() || file.bad())
        problem = where() + " cannot be read";
    else if (all.reveal().size() > max_key_file)
        problem = where() + " is too large to hold keys";
    else
        parse(all.reveal(), keys, problem);
}

void file_key_source::parse(std::string_view text, std::vector<key_pointer>& keys, std::string& problem) const
{
    constexpr std::string_view blanks = " \t\r";
    for (std::size_t number = 1; !text.empty(); ++number)
    {
        auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
        line = line.substr(0, line.find_last_not_of(blanks) + 1);
        if (line.empty() || line.front() == '#')
            continue;
        auto key = std::make_shared<secret const>(line);
        if (auto const wrong = key->problem(); !wrong.empty())
        {
            problem = "line " + std::to_string(number) + " of " + where() + " " + wrong;
            return;
        }
        if (!holds_key(keys, *key))
            keys.push_back(std::move(key));
    }
    if (keys.empty())
        problem = where() + " is empty";
}

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

// Has a file read again when it has changed. Its handlers own it while they are pending.
class key_file_watch : public std::enable_shared_from_this<key_file_watch>
{
public:
    key_file_watch(std::shared_ptr<file_key_source> source, asio::any_io_executor const& ex, logger log)
        : source_(std::move(source)),
          log_(std::move(log)),
          timer_(ex),
          events_(ex)
    {
        told_ = source_->snapshot();
    }

    void start();
    void stop() noexcept;

private:
    using clock = std::chrono::steady_clock;

    void look();
    void wait_until(clock::time_point at);
    void on_timer(error_code ec);
    void tell(std::shared_ptr<key_set const> const& now);
    void open_events();
    void follow();
    void read_events();
    void on_events(error_code ec, std::size_t size);
    bool concerns_us(std::string_view events) const;

    std::shared_ptr<file_key_source> const source_;
    logger const log_;

    std::mutex mutex_;
    bool stopped_ = false;
    bool due_ = false; // The timer is set because of an event
    asio::steady_timer timer_;
    std::shared_ptr<key_set const> told_;

    // Of inotify, if there is that.
    asio::posix::stream_descriptor events_;
    bool notified_ = false;                      // Of everything that matters
    std::map<int, std::set<std::string>> names_; // By watched directory
    alignas(8) std::array<char, 4096> buffer_{};
};

constexpr auto settle_time = std::chrono::milliseconds(50);     // Writers do more than one thing at a time
constexpr auto poll_interval = std::chrono::seconds(1);         // Where nobody notifies us
constexpr auto second_look_interval = std::chrono::seconds(30); // File systems do not notify of what other machines do

void key_file_watch::start()
{
    {
        std::lock_guard const lock(mutex_);
        open_events();
    }
    look();
}

void key_file_watch::stop() noexcept
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

// Reads the file. What changes from here on is noticed, and brings us here again.
void key_file_watch::look()
{
    {
        std::lock_guard const lock(mutex_);
        if (stopped_)
            return;
        due_ = false;
        follow();
    }
    std::string ignored; // The snapshot tells it too
    source_->reload(ignored);
    auto const now = source_->snapshot();
    {
        std::lock_guard const lock(mutex_);
        if (stopped_)
            return;
        if (!due_)
            wait_until(clock::now() + (notified_ ? second_look_interval : poll_interval));
    }
    tell(now);
}

void key_file_watch::wait_until(clock::time_point at)
{
    timer_.expires_at(at);
    timer_.async_wait([self = shared_from_this()](error_code ec) { self->on_timer(ec); });
}

void key_file_watch::on_timer(error_code ec)
{
    if (!ec)
        look();
}

void key_file_watch::tell(std::shared_ptr<key_set const> const& now)
{
    std::shared_ptr<key_set const> before;
    {
        std::lock_guard const lock(mutex_);
        before = std::exchange(told_, now);
    }
    if (!log_ || now == before)
        return;
    auto level = log_level::info;
    std::string line = source_->where();
    if (now->version != before->version)
    {
        line += " was read again: ";
        line += now->keys.size() == 1 ? "the key is " : std::to_string(now->keys.size()) + " keys, the first is ";
        line += now->keys.empty() ? "" : now->keys.front()->fingerprint();
    }
    else if (!now->problem.empty())
    {
        level = log_level::warning;
        line = now->problem + (now->keys.empty() ? "" : ": the keys that were read before stay in use");
    }
    else
    {
        line += " can be read again and has not changed";
    }
    try
    {
        log_(level, line);
    }
    catch (...)
    {
        // As everywhere with loggers
    }
}

#if SERIN_HAS_INOTIFY

void key_file_watch::open_events()
{
    int const fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0)
        return;
    error_code ec;
    events_.assign(fd, ec);
    if (ec)
        ::close(fd);
    else
        read_events();
}

// Watches the directories that the path leads through now.
void key_file_watch::follow()
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
        auto now = lookups_of(source_->path());
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

void key_file_watch::read_events()
{
    events_.async_read_some(asio::buffer(buffer_),
        [self = shared_from_this()](error_code ec, std::size_t size) { self->on_events(ec, size); });
}

void key_file_watch::on_events(error_code ec, std::size_t size)
{
    std::lock_guard const lock(mutex_);
    if (stopped_)
        return;
    if (ec)
    {
        notified_ = false;
        events_.close(ec);
        wait_until(clock::now() + settle_time);
        return;
    }
    if (!due_ && concerns_us(std::string_view(buffer_.data(), size)))
    {
        due_ = true;
        wait_until(clock::now() + settle_time);
    }
    read_events();
}

bool key_file_watch::concerns_us(std::string_view events) const
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

void key_file_watch::open_events() {}
void key_file_watch::follow() {}
void key_file_watch::read_events() {}
void key_file_watch::on_events(error_code, std::size_t) {}
bool key_file_watch::concerns_us(std::string_view) const
{
    return false;
}

#endif

std::shared_ptr<void> file_key_source::watch(asio::any_io_executor ex, logger log)
{
    auto const w = std::make_shared<key_file_watch>(shared_from_this(), ex, std::move(log));
    w->start();
    return std::shared_ptr<void>(w.get(), [w](void*) { w->stop(); });
}

} // namespace

std::shared_ptr<key_source> file_key(std::string path)
{
    auto const source = std::make_shared<file_key_source>(std::move(path));
    std::string ignored; // The snapshot tells it
    source->reload(ignored);
    return source;
}

} // namespace serin

#undef SERIN_HAS_INOTIFY
