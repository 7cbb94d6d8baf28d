// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/core/with_diagnostics.hpp>
#include <serin/policy/keys.hpp>

#include "catch.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

using serin::errc;
using serin::key_set;
using serin::key_source;
using serin::secret;
using strings = std::vector<std::string>;

namespace {

// An environment variable that is gone at the end of the test.
class scoped_variable
{
    std::string name_;

public:
    explicit scoped_variable(std::string name) : name_(std::move(name)) { unset(); }
    ~scoped_variable() { unset(); }
    void set(char const* value) const { ::setenv(name_.c_str(), value, 1); }
    void unset() const { ::unsetenv(name_.c_str()); }
    std::string const& name() const { return name_; }
};

// A file that is gone at the end of the test.
class scoped_file
{
    std::filesystem::path path_;

public:
    scoped_file()
    {
        static int count = 0;
        path_ = std::filesystem::temp_directory_path() /
                ("serin-keys-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
    }
    ~scoped_file() { remove(); }
    void write(std::string_view text) const { std::ofstream(path_, std::ios::binary) << text; }
    void remove() const { std::filesystem::remove(path_); }
    std::string path() const { return path_.string(); }
};

strings texts(std::vector<std::shared_ptr<secret const>> const& keys)
{
    strings out;
    for (auto const& key : keys)
        out.emplace_back(key->reveal());
    return out;
}

strings keys_of(std::shared_ptr<key_source> const& source)
{
    return texts(source->snapshot()->keys);
}

std::string problem_of(std::shared_ptr<key_source> const& source)
{
    return source->snapshot()->problem;
}

strings live_keys(std::shared_ptr<key_source> const& source)
{
    std::vector<std::shared_ptr<secret const>> live;
    source->append_live(live);
    return texts(live);
}

// What is wrong with a key that is given in the program.
std::string refusal(std::string_view key)
{
    try
    {
        serin::fixed_key(secret(key));
    }
    catch (serin::api_error const& e)
    {
        CHECK(e.code() == errc::invalid_key);
        CHECK(std::string(e.what()).find("sk-") == std::string::npos);
        return e.diag().message;
    }
    return {};
}

} // namespace

TEST_CASE("keys: a fixed key is given as it is")
{
    auto const source = serin::fixed_key(secret("sk-fixed"));
    CHECK(keys_of(source) == strings{"sk-fixed"});
    CHECK(problem_of(source).empty());
    std::string why;
    CHECK_FALSE(source->reload(why));
    CHECK(why.empty());
    CHECK(live_keys(source) == strings{"sk-fixed"});
    CHECK(source->pending() == source->pending().zero());
    CHECK(source->watch({}, {}) == nullptr);
    bool called = false;
    source->refresh([&] { called = true; });
    CHECK_FALSE(called);
}

TEST_CASE("keys: a fixed key that cannot be sent is refused at once, and the message tells where")
{
    CHECK(refusal("sk-fine").empty());
    CHECK(refusal("") == "the key is empty");
    CHECK(refusal("sk-two\nlines") == "the key has a line feed at byte 7 of 12");
    CHECK(refusal("sk-two\r\nX-Evil: 1") == "the key has a carriage return at byte 7 of 17");
    CHECK(refusal(std::string_view("sk-\0nul", 7)) == "the key has a NUL at byte 4 of 7");
    CHECK(refusal("sk blank") == "the key has a blank at byte 3 of 8");
    CHECK(refusal("sk-\xc3\xa4") == "the key has a byte that is not ASCII at byte 4 of 5");
    CHECK(refusal("sk-\x7f") == "the key has a control byte at byte 4 of 4");
}

TEST_CASE("keys: several fixed keys, in their order")
{
    std::vector<secret> keys;
    keys.emplace_back("sk-1");
    keys.emplace_back("sk-2");
    CHECK(keys_of(serin::fixed_keys(keys)) == strings{"sk-1", "sk-2"});
    keys.emplace_back("sk\t3");
    CHECK_THROWS_WITH(serin::fixed_keys(keys), ContainsSubstring("key 3 has a tab at byte 3 of 4"));
    CHECK(problem_of(serin::fixed_keys({})) == "no key is configured");
}

TEST_CASE("keys: an environment variable")
{
    scoped_variable const variable("SERIN_TEST_KEYS_ENV");
    variable.set("sk-env");
    auto const source = serin::env_key(variable.name());
    CHECK(keys_of(source) == strings{"sk-env"});

    // The variable is read on a reload only.
    variable.set("sk-env-2");
    CHECK(keys_of(source) == strings{"sk-env"});
    std::string why;
    CHECK_FALSE(source->reload(why));
    CHECK(keys_of(source) == strings{"sk-env-2"});

    variable.set("sk-env-3");
    source->refresh({});
    CHECK(keys_of(source) == strings{"sk-env-3"});
}

TEST_CASE("keys: keys that were replaced a short time ago are scrubbed too")
{
    scoped_variable const variable("SERIN_TEST_KEYS_LIVE");
    variable.set("sk-0");
    auto const source = serin::env_key(variable.name());
    std::string why;
    for (int i = 1; i <= 3; ++i)
    {
        variable.set(("sk-" + std::to_string(i)).c_str());
        CHECK_FALSE(source->reload(why));
    }
    CHECK(live_keys(source) == strings{"sk-3", "sk-0", "sk-1", "sk-2"});
    for (int i = 4; i < 1000; ++i)
    {
        variable.set(("sk-" + std::to_string(i)).c_str());
        CHECK_FALSE(source->reload(why));
    }
    auto const live = live_keys(source);
    CHECK(live.size() == 17);
    CHECK(live.front() == "sk-999");
    CHECK(live.back() == "sk-998");
}

TEST_CASE("keys: a variable that is missing, empty or malformed is named, and its value is not")
{
    scoped_variable const variable("SERIN_TEST_KEYS_BAD");
    std::string why;

    auto const source = serin::env_key(variable.name());
    CHECK(keys_of(source).empty());
    CHECK(problem_of(source) == "environment variable SERIN_TEST_KEYS_BAD is not set");
    CHECK(live_keys(source).empty());

    variable.set("");
    CHECK(source->reload(why) == errc::invalid_key);
    CHECK(why == "environment variable SERIN_TEST_KEYS_BAD is empty");
    CHECK(problem_of(source) == why);

    variable.set("sk-one\r\nX-Evil: 1");
    CHECK(source->reload(why) == errc::invalid_key);
    CHECK(why == "environment variable SERIN_TEST_KEYS_BAD has a carriage return at byte 7 of 17");
    CHECK(keys_of(source).empty());
}

TEST_CASE("keys: the last good key stays when a reload fails")
{
    scoped_variable const variable("SERIN_TEST_KEYS_STAY");
    variable.set("sk-good");
    auto const source = serin::env_key(variable.name());
    auto const good = source->snapshot();

    std::string why;
    variable.set("sk-bad\n");
    CHECK(source->reload(why) == errc::invalid_key);
    CHECK_THAT(why, ContainsSubstring("SERIN_TEST_KEYS_STAY"));
    CHECK(keys_of(source) == strings{"sk-good"});
    CHECK(problem_of(source) == why);
    CHECK(source->snapshot()->version == good->version);

    variable.unset();
    CHECK(source->reload(why) == errc::invalid_key);
    CHECK(keys_of(source) == strings{"sk-good"});

    variable.set("sk-better");
    CHECK_FALSE(source->reload(why));
    CHECK(why.empty());
    CHECK(keys_of(source) == strings{"sk-better"});
    CHECK(problem_of(source).empty());
    CHECK(source->snapshot()->version > good->version);
}

TEST_CASE("keys: a snapshot stays as it is, and is the same until something changes")
{
    scoped_variable const variable("SERIN_TEST_KEYS_USE");
    variable.set("sk-old");
    auto const source = serin::env_key(variable.name());
    auto const in_use = source->snapshot();
    std::string why;
    CHECK_FALSE(source->reload(why));
    CHECK(source->snapshot() == in_use);

    variable.set("sk-new");
    CHECK_FALSE(source->reload(why));
    CHECK(texts(in_use->keys) == strings{"sk-old"});
    CHECK(keys_of(source) == strings{"sk-new"});
}

TEST_CASE("keys: a file, without the blanks around the key")
{
    scoped_file const file;
    file.write("\n  sk-file\t\r\n\n");
    auto const source = serin::file_key(file.path());
    CHECK(keys_of(source) == strings{"sk-file"});

    file.write("sk-file-2");
    std::string why;
    CHECK_FALSE(source->reload(why));
    CHECK(keys_of(source) == strings{"sk-file-2"});
}

TEST_CASE("keys: a file with several keys, one a line")
{
    scoped_file const file;
    file.write("# blue\r\nsk-1\r\n\r\n\t# green\n sk-2 \nsk-1\nsk-3#4");
    auto const source = serin::file_key(file.path());
    CHECK(keys_of(source) == strings{"sk-1", "sk-2", "sk-3#4"});

    // A key that stays is the same object.
    auto const before = source->snapshot()->keys;
    file.write("sk-5\nsk-2\n");
    std::string why;
    CHECK_FALSE(source->reload(why));
    CHECK(keys_of(source) == strings{"sk-5", "sk-2"});
    CHECK(source->snapshot()->keys[1] == before[1]);
}

TEST_CASE("keys: a file that is missing, empty, malformed or huge is named, and its content is not")
{
    scoped_file const file;
    std::string why;
    auto const source = serin::file_key(file.path());
    CHECK(keys_of(source).empty());
    CHECK(problem_of(source) == "key file " + file.path() + " cannot be read");

    auto const complaint = [&](std::string_view text) {
        file.write(text);
        why.clear();
        CHECK(source->reload(why) == errc::invalid_key);
        CHECK(keys_of(source).empty());
        CHECK(problem_of(source) == why);
        return why;
    };
    CHECK(complaint("") == "key file " + file.path() + " is empty");
    CHECK(complaint(" \n#sk-no\n\r\n") == "key file " + file.path() + " is empty");
    CHECK(complaint("sk-one\nsk two\n") == "line 2 of key file " + file.path() + " has a blank at byte 3 of 6");
    CHECK(complaint(std::string_view("sk-\0-nul", 8)) ==
          "line 1 of key file " + file.path() + " has a NUL at byte 4 of 8");
    CHECK(complaint("k\xc3\xa4y") ==
          "line 1 of key file " + file.path() + " has a byte that is not ASCII at byte 2 of 4");
    CHECK(complaint(std::string(100'000, 'k')) == "key file " + file.path() + " is too large to hold keys");

    // As large as it may be.
    file.write(std::string(64 * 1024 - 4, '\n') + "sk-1");
    CHECK_FALSE(source->reload(why));
    CHECK(keys_of(source) == strings{"sk-1"});

    CHECK_THAT(problem_of(serin::file_key(std::filesystem::temp_directory_path().string())),
        ContainsSubstring("cannot be read"));
    CHECK_THAT(problem_of(serin::file_key("")), ContainsSubstring("cannot be read"));
}

TEST_CASE("keys: the last good keys of a file stay when the file goes or becomes bad")
{
    scoped_file const file;
    file.write("sk-1\nsk-2\n");
    auto const source = serin::file_key(file.path());
    std::string why;
    file.remove();
    CHECK(source->reload(why) == errc::invalid_key);
    CHECK(keys_of(source) == strings{"sk-1", "sk-2"});
    file.write("sk-3\nsk 4\n");
    CHECK(source->reload(why) == errc::invalid_key);
    CHECK(keys_of(source) == strings{"sk-1", "sk-2"});
    CHECK(problem_of(source) == why);
}

TEST_CASE("keys: a file is found when the program changes its directory")
{
    scoped_file const file;
    file.write("sk-1");
    auto const here = std::filesystem::current_path();
    std::filesystem::current_path(std::filesystem::path(file.path()).parent_path());
    auto const source = serin::file_key(std::filesystem::path(file.path()).filename().string());
    std::filesystem::current_path("/");
    file.write("sk-2");
    std::string why;
    CHECK_FALSE(source->reload(why));
    CHECK(keys_of(source) == strings{"sk-2"});
    std::filesystem::current_path(here);
}

TEST_CASE("keys: a pipe is read once")
{
    scoped_file const pipe;
    REQUIRE(::mkfifo(pipe.path().c_str(), 0600) == 0);
    std::thread writer([&] { std::ofstream(pipe.path()) << "sk-piped\n"; });
    auto const source = serin::file_key(pipe.path());
    writer.join();
    CHECK(keys_of(source) == strings{"sk-piped"});
    std::string why;
    CHECK_FALSE(source->reload(why)); // And does not hang
    CHECK(keys_of(source) == strings{"sk-piped"});
}

TEST_CASE("keys: reloads from several threads never bring an older key back")
{
    scoped_file const file;
    file.write("sk-0");
    auto const source = serin::file_key(file.path());
    std::atomic<bool> stop{false};
    std::atomic<bool> forward{true};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&] {
            int newest = 0;
            while (!stop)
            {
                std::string why;
                source->reload(why);
                int const seen = std::stoi(keys_of(source).at(0).substr(3));
                forward = forward && seen >= newest;
                newest = std::max(newest, seen);
            }
        });
    bool seen = true;
    for (int i = 1; i <= 200; ++i)
    {
        scoped_file const next;
        next.write("sk-" + std::to_string(i));
        std::filesystem::rename(next.path(), file.path());
        std::string why;
        source->reload(why);
        seen = seen && keys_of(source) == strings{"sk-" + std::to_string(i)};
    }
    stop = true;
    for (auto& t : threads)
        t.join();
    CHECK(seen);
    CHECK(forward);
}

TEST_CASE("keys: the keys of several sources, in their order and each once")
{
    auto const source = serin::rotating_keys({serin::fixed_key(secret("sk-1")), serin::fixed_key(secret("sk-2")),
        serin::fixed_key(secret("sk-1")), serin::fixed_key(secret("sk-3"))});
    CHECK(keys_of(source) == strings{"sk-1", "sk-2", "sk-3"});
    CHECK(problem_of(source).empty());
    CHECK(source->snapshot() == source->snapshot());
    CHECK(live_keys(source) == strings{"sk-1", "sk-2", "sk-1", "sk-3"});
    CHECK(source->watch({}, {}) == nullptr);
}

TEST_CASE("keys: a source without a key is passed over")
{
    scoped_variable const variable("SERIN_TEST_KEYS_TURN");
    scoped_variable const other("SERIN_TEST_KEYS_TURN_2");
    other.set("sk-2");
    auto const source = serin::env_keys({variable.name(), other.name()});
    CHECK(keys_of(source) == strings{"sk-2"});
    CHECK(problem_of(source) == "environment variable SERIN_TEST_KEYS_TURN is not set");
    auto const before = source->snapshot();

    // A reload says what is wrong, and reaches the sources that are fine.
    std::string why;
    other.set("sk-3");
    CHECK(source->reload(why) == errc::invalid_key);
    CHECK(why == problem_of(source));
    CHECK(keys_of(source) == strings{"sk-3"});
    CHECK(source->snapshot()->version > before->version);

    variable.set("sk-1");
    CHECK_FALSE(source->reload(why));
    CHECK(keys_of(source) == strings{"sk-1", "sk-3"});
    CHECK(texts(before->keys) == strings{"sk-2"});
}

TEST_CASE("keys: sources without any key say why")
{
    CHECK(problem_of(serin::rotating_keys({})) == "no key is configured");
    CHECK(problem_of(serin::env_keys({"SERIN_TEST_KEYS_NONE"})) ==
          "environment variable SERIN_TEST_KEYS_NONE is not set");
}

TEST_CASE("keys: where sources read, without a key")
{
    using serin::env_key, serin::file_key, serin::fixed_key, serin::rotating_keys;
    CHECK(env_key("SERIN_A")->origin() == "environment variable SERIN_A");
    CHECK(file_key("a.key")->origin() == file_key((std::filesystem::current_path() / "a.key").string())->origin());
    CHECK(file_key("/a.key")->origin() == "key file /a.key");
    CHECK(fixed_key(secret("sk-1"))->origin().empty());
    CHECK(rotating_keys({env_key("SERIN_A"), file_key("/a.key")})->origin() ==
          "environment variable SERIN_A, key file /a.key");
    CHECK(rotating_keys({env_key("SERIN_A"), fixed_key(secret("sk-1"))})->origin().empty());
}
