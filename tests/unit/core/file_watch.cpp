// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// What the ways to change a file are is in integration/key_watch.cpp.

#include "core/file_watch.hpp"

#include "catch.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include <unistd.h>

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using serin::watch_file;

namespace {

class file_watch_fixture
{
public:
    file_watch_fixture()
    {
        static int count = 0;
        folder = fs::temp_directory_path() /
                 ("serin-file-watch-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
        fs::create_directories(folder);
        file = folder / "file";
    }

    ~file_watch_fixture()
    {
        watch.reset();
        fs::remove_all(folder);
    }

    void write(std::string_view text) const { std::ofstream(file, std::ios::binary) << text; }

    void replace(std::string_view text) const
    {
        std::ofstream(folder / "next", std::ios::binary) << text;
        fs::rename(folder / "next", file);
    }

    std::string text() const
    {
        std::ifstream in(file, std::ios::binary);
        std::string all;
        std::getline(in, all);
        return all;
    }

    template <class Condition>
    bool until(Condition const& condition, std::chrono::milliseconds limit = 1500ms)
    {
        auto const end = std::chrono::steady_clock::now() + limit;
        context.restart();
        while (!condition())
            if (context.run_one_until(end) == 0)
                return condition();
        return true;
    }

    fs::path folder;
    fs::path file;
    asio::io_context context;
    int looks = 0;
    std::string seen;
    std::shared_ptr<void> watch;
};

} // namespace

TEST_CASE_METHOD(file_watch_fixture, "file_watch: looks at once, and after a change")
{
    write("1");
    watch = watch_file(file, context.get_executor(), [&] { ++looks; });
    CHECK(looks == 1);
    replace("2");
    CHECK(until([&] { return looks == 2; }));
    fs::remove(file);
    CHECK(until([&] { return looks == 3; }));
    write("3");
    CHECK(until([&] { return looks == 4; }));
}

TEST_CASE_METHOD(file_watch_fixture, "file_watch: changes in quick succession are one look, at the last of them")
{
    write("0");
    watch = watch_file(file, context.get_executor(), [&] {
        ++looks;
        seen = text();
    });
    for (int i = 1; i <= 50; ++i)
        replace(std::to_string(i));
    CHECK(until([&] { return seen == "50"; }));
    CHECK(looks <= 3);
}

TEST_CASE_METHOD(file_watch_fixture, "file_watch: a change before the first look ends is not lost")
{
    write("1");
    watch = watch_file(file, context.get_executor(), [&] {
        seen = text();
        if (++looks == 1)
            replace("2");
    });
    CHECK(seen == "1");
    CHECK(until([&] { return seen == "2"; }));
}

TEST_CASE_METHOD(file_watch_fixture, "file_watch: a look that throws is followed by others")
{
    watch = watch_file(file, context.get_executor(), [&] {
        if (++looks > 1)
            throw 1;
    });
    write("1");
    CHECK(until([&] { return looks == 2; }));
    replace("2");
    CHECK(until([&] { return looks == 3; }));
}

TEST_CASE_METHOD(file_watch_fixture, "file_watch: can end while it looks, and leaves no work")
{
    watch = watch_file(file, context.get_executor(), [&] {
        if (++looks == 2)
            watch.reset();
    });
    write("1");
    context.run_for(20s);
    CHECK(context.stopped());
    CHECK(looks == 2);
}

TEST_CASE_METHOD(file_watch_fixture, "file_watch: a context that is destroyed takes what is left of a watch with it")
{
    auto const owned = std::make_shared<int>(1);
    {
        asio::io_context other;
        watch = watch_file(file, other.get_executor(), [owned] {});
        watch.reset();
        CHECK(owned.use_count() == 2); // In handlers that nobody runs
    }
    CHECK(owned.use_count() == 1);
}

TEST_CASE_METHOD(file_watch_fixture, "file_watch: never two looks at the same time, with several threads")
{
    write("0");
    std::atomic<int> inside = 0;
    std::atomic<bool> alone = true;
    std::atomic<int> count = 0;
    auto work = asio::make_work_guard(context);
    std::thread first([&] { context.run(); });
    std::thread second([&] { context.run(); });
    watch = watch_file(file, context.get_executor(), [&] {
        alone = alone && ++inside == 1;
        replace(std::to_string(++count)); // It is to look again while it looks.
        auto const end = std::chrono::steady_clock::now() + 60ms;
        while (count > 1 && std::chrono::steady_clock::now() < end)
            std::this_thread::yield();
        --inside;
    });
    auto const end = std::chrono::steady_clock::now() + 5s;
    while (count < 5 && std::chrono::steady_clock::now() < end)
        std::this_thread::yield();
    CHECK(count >= 5);
    CHECK(alone);
    watch.reset();
    work.reset();
    first.join();
    second.join();
}
