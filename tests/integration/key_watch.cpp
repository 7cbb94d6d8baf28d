// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/policy/keys.hpp>

#include "catch.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using serin::key_source;
using serin::log_level;
using serin::secret;

namespace {

// A folder of files that change, and a context in this thread that watches them.
class watched_folder
{
public:
    watched_folder()
    {
        static int count = 0;
        path =
            fs::temp_directory_path() / ("serin-watch-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
        fs::create_directories(path);
    }

    ~watched_folder()
    {
        watch.reset();
        fs::remove_all(path);
    }

    void write(fs::path const& name, std::string_view text) const
    {
        std::ofstream(path / name, std::ios::binary) << text;
    }

    // As a program does that knows how: nobody sees a half.
    void replace(fs::path const& name, std::string_view text) const
    {
        write("next.tmp", text);
        fs::rename(path / "next.tmp", path / name);
    }

    // As the kubelet does.
    void swap_data(std::string const& version, std::string_view text) const
    {
        fs::create_directory(path / version);
        write(fs::path(version) / "key", text);
        fs::remove(path / "..data_tmp");
        fs::create_symlink(version, path / "..data_tmp");
        auto const old = fs::is_symlink(path / "..data") ? fs::read_symlink(path / "..data") : fs::path();
        fs::rename(path / "..data_tmp", path / "..data");
        if (!old.empty())
            fs::remove_all(path / old);
    }

    void begin(fs::path const& name)
    {
        source = serin::file_key((path / name).string());
        watch = source->watch(context.get_executor(), [this](log_level level, std::string_view line) {
            lines.emplace_back(line);
            levels.push_back(level);
        });
        REQUIRE(watch);
        context.poll();
    }

    // Runs the context until it is true; false if that takes longer than anyone should wait.
    bool until(std::function<bool()> const& condition, std::chrono::milliseconds limit = 1500ms)
    {
        auto const end = std::chrono::steady_clock::now() + limit;
        context.restart();
        while (!condition())
            if (context.run_one_until(end) == 0)
                return condition();
        return true;
    }

    bool sees(std::string const& keys)
    {
        return until([&] { return now() == keys; });
    }

    bool told(std::string const& part)
    {
        return until([&] {
            for (auto const& line : lines)
                if (line.find(part) != std::string::npos)
                    return true;
            return false;
        });
    }

    std::string now() const
    {
        std::string all;
        auto const set = source->snapshot(); // Lives until they have been read
        for (auto const& key : set->keys)
            all += (all.empty() ? "" : " ") + std::string(key->reveal());
        return all;
    }

    fs::path path;
    asio::io_context context;
    std::shared_ptr<key_source> source;
    std::shared_ptr<void> watch;
    std::vector<std::string> lines;
    std::vector<log_level> levels;
};

// As long as it lives no file can be opened.
class no_more_descriptors
{
public:
    no_more_descriptors()
    {
        int const next = ::dup(0);
        REQUIRE(next >= 0);
        ::close(next);
        REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
        rlimit none = before_;
        none.rlim_cur = static_cast<rlim_t>(next);
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    }
    no_more_descriptors(no_more_descriptors const&) = delete;
    no_more_descriptors& operator=(no_more_descriptors const&) = delete;
    ~no_more_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

} // namespace

TEST_CASE("key_watch: a file that is replaced by a rename")
{
    watched_folder f;
    f.write("key", "sk-0\n");
    f.begin("key");
    CHECK(f.now() == "sk-0");
    for (int i = 1; i <= 5; ++i)
    {
        auto const key = "sk-" + std::to_string(i);
        f.replace("key", key + "\n");
        CHECK(f.sees(key));
    }
    CHECK(f.lines.size() == 5);
    CHECK(f.lines.back() ==
          "key file " + (f.path / "key").string() + " was read again: the key is " + secret("sk-5").fingerprint());
    CHECK(f.levels.back() == log_level::info);
    for (auto const& line : f.lines)
        CHECK(line.find("sk-") == std::string::npos);
}

TEST_CASE("key_watch: a file that is written in place")
{
    watched_folder f;
    f.write("key", "sk-1");
    f.begin("key");
    f.write("key", "sk-2\nsk-3\n");
    CHECK(f.sees("sk-2 sk-3"));
    CHECK(f.told("was read again: 2 keys, the first is " + secret("sk-2").fingerprint()));
}

TEST_CASE("key_watch: the links of a Kubernetes secret are exchanged")
{
    watched_folder f;
    f.swap_data("..2026_01", "sk-1");
    fs::create_symlink("..data/key", f.path / "key");
    f.begin("key");
    CHECK(f.now() == "sk-1");
    for (int i = 2; i <= 6; ++i)
    {
        auto const key = "sk-" + std::to_string(i);
        f.swap_data("..2026_0" + std::to_string(i), key);
        CHECK(f.sees(key));
    }
}

TEST_CASE("key_watch: what happens to the file that a link leads to, in another folder")
{
    watched_folder f;
    fs::create_directories(f.path / "store/deep");
    fs::create_directories(f.path / "etc");
    f.write("store/deep/key", "sk-1");
    fs::create_symlink("../store/alias", f.path / "etc/key");
    fs::create_symlink("deep/../deep/key", f.path / "store/alias");
    f.begin("etc/key");
    CHECK(f.now() == "sk-1");
    SECTION("it is replaced")
    {
        f.replace("store/deep/key", "sk-2");
    }
    SECTION("a link in the middle is exchanged")
    {
        f.write("store/other", "sk-2");
        fs::create_symlink("other", f.path / "store/alias.tmp");
        fs::rename(f.path / "store/alias.tmp", f.path / "store/alias");
    }
    SECTION("a whole folder is exchanged")
    {
        fs::create_directories(f.path / "new/deep");
        f.write("new/deep/key", "sk-2");
        fs::create_symlink("deep/key", f.path / "new/alias");
        fs::rename(f.path / "store", f.path / "old");
        fs::rename(f.path / "new", f.path / "store");
    }
    CHECK(f.sees("sk-2"));
    // And what comes after it.
    f.replace("etc/key", "sk-3");
    CHECK(f.sees("sk-3"));
}

TEST_CASE("key_watch: a file goes and comes back")
{
    watched_folder f;
    f.write("key", "sk-1");
    f.begin("key");
    fs::remove(f.path / "key");
    CHECK(f.told("cannot be read: the keys that were read before stay in use"));
    CHECK(f.levels.back() == log_level::warning);
    CHECK(f.now() == "sk-1");
    SECTION("as it was")
    {
        f.write("key", "sk-1");
        CHECK(f.told("can be read again and has not changed"));
        CHECK(f.now() == "sk-1");
    }
    SECTION("with another key")
    {
        f.write("key", "sk-2");
        CHECK(f.sees("sk-2"));
    }
}

TEST_CASE("key_watch: a folder goes and comes back")
{
    watched_folder f;
    fs::create_directory(f.path / "a");
    f.write("a/key", "sk-1");
    f.begin("a/key");
    fs::remove_all(f.path / "a");
    CHECK(f.told("cannot be read"));
    fs::create_directory(f.path / "a");
    f.write("a/key", "sk-2");
    CHECK(f.sees("sk-2"));
    f.replace("a/key", "sk-3");
    CHECK(f.sees("sk-3"));
}

TEST_CASE("key_watch: a file that comes later")
{
    watched_folder f;
    f.begin("not/yet/key");
    CHECK(f.now().empty());
    fs::create_directories(f.path / "not/yet");
    f.write("not/yet/key", "sk-1");
    CHECK(f.sees("sk-1"));
}

TEST_CASE("key_watch: an empty or malformed file keeps the last good key, and is told once")
{
    watched_folder f;
    f.write("key", "sk-1");
    f.begin("key");
    f.replace("key", "");
    CHECK(f.told("is empty: the keys that were read before stay in use"));
    f.replace("key", "sk-good\nsk bad\n");
    CHECK(f.told("line 2 of key file " + (f.path / "key").string() + " has a blank at byte 3 of 6"));
    CHECK(f.now() == "sk-1");
    auto const before = f.lines.size();
    f.replace("key", "sk-good\nsk worse\n"); // The same problem in the same place but one byte
    CHECK(f.told("byte 3 of 8"));
    CHECK(f.lines.size() == before + 1);
    f.replace("key", "sk-2");
    CHECK(f.sees("sk-2"));
    for (auto const& line : f.lines)
        CHECK(line.find("sk-") == std::string::npos);
}

TEST_CASE("key_watch: other files in the folder are of no interest")
{
    watched_folder f;
    f.write("key", "sk-1");
    f.begin("key");
    // Nothing tells that a file was not read; but if it were, this would be seen.
    fs::create_directory(f.path / "elsewhere");
    fs::create_hard_link(f.path / "key", f.path / "elsewhere/key");
    REQUIRE_FALSE(f.until([&] { return !f.lines.empty(); }, 200ms));
    std::ofstream still_open(f.path / "elsewhere/key", std::ios::binary);
    still_open << "sk-2" << std::flush; // Not told before it is closed
    for (int i = 0; i < 20; ++i)
        f.write("other", "x");
    CHECK_FALSE(f.until([&] { return f.now() != "sk-1"; }, 300ms));
}

TEST_CASE("key_watch: a change before the watch began is seen too")
{
    watched_folder f;
    f.write("key", "sk-1");
    f.source = serin::file_key((f.path / "key").string());
    f.replace("key", "sk-2");
    f.watch = f.source->watch(f.context.get_executor(), {});
    CHECK(f.now() == "sk-2");
}

TEST_CASE("key_watch: nothing is left when the watch ends")
{
    watched_folder f;
    f.write("key", "sk-1");
    f.begin("key");
    f.context.restart();
    CHECK(f.context.poll() == 0);
    CHECK_FALSE(f.context.stopped()); // It keeps the context busy
    f.replace("key", "sk-2");
    f.watch.reset();
    f.context.restart();
    f.context.run_for(20s);
    CHECK(f.context.stopped());
    CHECK(f.now() == "sk-1");
}

TEST_CASE("key_watch: a log function that throws, and one that is none")
{
    watched_folder f;
    f.write("key", "sk-1");
    f.source = serin::file_key((f.path / "key").string());
    f.watch = f.source->watch(f.context.get_executor(), [](log_level, std::string_view) { throw 1; });
    auto const second = f.source->watch(f.context.get_executor(), {});
    f.replace("key", "sk-2");
    CHECK(f.sees("sk-2"));
    f.replace("key", "sk-3");
    CHECK(f.sees("sk-3"));
}

TEST_CASE("key_watch: where the system does not notify, the file is looked at each second")
{
    watched_folder f;
    f.write("key", "sk-1");
    // While the watch begins there is no descriptor left for it. The context has its own from an earlier one.
    f.begin("key");
    f.watch.reset();
    {
        no_more_descriptors const during;
        f.watch = f.source->watch(f.context.get_executor(), {});
    }
    CHECK_THAT(f.source->snapshot()->problem, ContainsSubstring("cannot be read"));
    CHECK(f.now() == "sk-1");
    f.replace("key", "sk-2");
    CHECK(f.sees("sk-2"));
    f.replace("key", "sk-3");
    CHECK(f.sees("sk-3"));
}

TEST_CASE("key_watch: several files at once")
{
    watched_folder f;
    f.write("a", "sk-a");
    f.write("b", "sk-b");
    f.source = serin::rotating_keys({serin::file_key((f.path / "a").string()), serin::fixed_key(secret("sk-fixed")),
        serin::file_key((f.path / "b").string())});
    f.watch = f.source->watch(f.context.get_executor(), {});
    REQUIRE(f.watch);
    f.replace("b", "sk-b2");
    CHECK(f.sees("sk-a sk-fixed sk-b2"));
    f.replace("a", "sk-a2");
    CHECK(f.sees("sk-a2 sk-fixed sk-b2"));
    f.watch.reset();
    f.context.restart();
    f.context.run_for(20s);
    CHECK(f.context.stopped());
}

TEST_CASE("key_watch: watched in other threads while the watch begins and ends")
{
    watched_folder f;
    f.write("key", "sk-0");
    f.source = serin::file_key((f.path / "key").string());
    auto work = asio::make_work_guard(f.context);
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i)
        threads.emplace_back([&] { f.context.run(); });
    bool seen = true;
    for (int i = 1; i <= 20; ++i)
    {
        auto const watch = f.source->watch(f.context.get_executor(), {});
        auto const key = "sk-" + std::to_string(i);
        f.replace("key", key);
        auto const end = std::chrono::steady_clock::now() + 1500ms;
        while (i % 4 == 0 && f.now() != key && std::chrono::steady_clock::now() < end)
            std::this_thread::yield();
        seen = seen && (i % 4 != 0 || f.now() == key);
    }
    CHECK(seen);
    work.reset();
    for (auto& t : threads)
        t.join();
}
