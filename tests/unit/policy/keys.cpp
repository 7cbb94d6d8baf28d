// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/policy/keys.hpp>

#include "catch.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

using serin::errc;
using serin::key_source;
using serin::secret;

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

// The current key, or "" and the reason.
std::string key_of(std::shared_ptr<key_source> const& source, std::string& why)
{
    why.clear();
    auto const key = source->current(why);
    return key ? std::string(key->reveal()) : std::string();
}

std::string key_of(std::shared_ptr<key_source> const& source)
{
    std::string why;
    return key_of(source, why);
}

std::vector<std::string> live_keys(std::shared_ptr<key_source> const& source)
{
    std::vector<std::shared_ptr<secret const>> live;
    source->append_live(live);
    std::vector<std::string> keys;
    for (auto const& key : live)
        keys.emplace_back(key->reveal());
    return keys;
}

} // namespace

TEST_CASE("keys: a fixed key is given as it is")
{
    auto const source = serin::fixed_key(secret("sk-fixed"));
    std::string why;
    CHECK(key_of(source, why) == "sk-fixed");
    CHECK(why.empty());
    CHECK_FALSE(source->reload(why));
    CHECK(live_keys(source) == std::vector<std::string>{"sk-fixed"});
}

TEST_CASE("keys: a fixed key that cannot be sent is refused")
{
    for (std::string_view bad :
        {std::string_view(""), std::string_view("sk-two\nlines"), std::string_view("sk-\0nul", 7),
            std::string_view("sk blank"), std::string_view("sk-\xc3\xa4"), std::string_view("sk-\x7f")})
    {
        auto const source = serin::fixed_key(secret(bad));
        std::string why;
        CHECK(source->current(why) == nullptr);
        CHECK_THAT(why, ContainsSubstring("key"));
        CHECK(why.find("sk-") == std::string::npos);
        CHECK(source->reload(why) == errc::invalid_key);
    }
}

TEST_CASE("keys: an environment variable")
{
    scoped_variable const variable("SERIN_TEST_KEYS_ENV");
    variable.set("sk-env");
    auto const source = serin::env_key(variable.name());
    CHECK(key_of(source) == "sk-env");

    // The variable is read on a reload only.
    variable.set("sk-env-2");
    CHECK(key_of(source) == "sk-env");
    std::string why;
    CHECK_FALSE(source->reload(why));
    CHECK(key_of(source) == "sk-env-2");
    CHECK(live_keys(source) == std::vector<std::string>{"sk-env-2"});
}

TEST_CASE("keys: a variable that is missing, empty or malformed is named, and its value is not")
{
    scoped_variable const variable("SERIN_TEST_KEYS_BAD");
    std::string why;

    auto const source = serin::env_key(variable.name());
    CHECK(key_of(source, why).empty());
    CHECK_THAT(why, ContainsSubstring("SERIN_TEST_KEYS_BAD is not set"));
    CHECK(live_keys(source).empty());

    variable.set("");
    CHECK(source->reload(why) == errc::invalid_key);
    CHECK(key_of(source, why).empty());
    CHECK_THAT(why, ContainsSubstring("SERIN_TEST_KEYS_BAD is empty"));

    variable.set("sk-one\r\nX-Evil: 1");
    CHECK(source->reload(why) == errc::invalid_key);
    CHECK(key_of(source, why).empty());
    CHECK_THAT(why, ContainsSubstring("SERIN_TEST_KEYS_BAD"));
    CHECK(why.find("sk-one") == std::string::npos);
    CHECK(why.find("Evil") == std::string::npos);
}

TEST_CASE("keys: the last good key stays when a reload fails")
{
    scoped_variable const variable("SERIN_TEST_KEYS_STAY");
    variable.set("sk-good");
    auto const source = serin::env_key(variable.name());

    std::string why;
    variable.set("sk-bad\n");
    CHECK(source->reload(why) == errc::invalid_key);
    CHECK_THAT(why, ContainsSubstring("SERIN_TEST_KEYS_STAY"));
    CHECK(key_of(source) == "sk-good");

    variable.unset();
    CHECK(source->reload(why) == errc::invalid_key);
    CHECK(key_of(source) == "sk-good");
    CHECK(live_keys(source) == std::vector<std::string>{"sk-good"});

    variable.set("sk-better");
    CHECK_FALSE(source->reload(why));
    CHECK(key_of(source) == "sk-better");
}

TEST_CASE("keys: a key that is in use stays as it is over a reload")
{
    scoped_variable const variable("SERIN_TEST_KEYS_USE");
    variable.set("sk-old");
    auto const source = serin::env_key(variable.name());
    std::string why;
    auto const in_use = source->current(why);
    variable.set("sk-new");
    CHECK_FALSE(source->reload(why));
    REQUIRE(in_use);
    CHECK(in_use->reveal() == "sk-old");
}

TEST_CASE("keys: a file, without the blanks around the key")
{
    scoped_file const file;
    file.write("\n  sk-file\t\r\n\n");
    auto const source = serin::file_key(file.path());
    CHECK(key_of(source) == "sk-file");

    file.write("sk-file-2");
    std::string why;
    CHECK_FALSE(source->reload(why));
    CHECK(key_of(source) == "sk-file-2");
}

TEST_CASE("keys: a file that is missing, empty, malformed or huge is named, and its content is not")
{
    scoped_file const file;
    std::string why;
    auto const source = serin::file_key(file.path());
    CHECK(key_of(source, why).empty());
    CHECK_THAT(why, ContainsSubstring(file.path() + " cannot be read"));

    for (std::string const& text :
        {std::string(" \n"), std::string("sk-one\nsk-two\n"), std::string("sk-\0-nul", 8), std::string(100'000, 'k')})
    {
        file.write(text);
        CHECK(source->reload(why) == errc::invalid_key);
        CHECK(key_of(source, why).empty());
        CHECK_THAT(why, ContainsSubstring(file.path()));
        CHECK(why.find("sk-") == std::string::npos);
        CHECK(why.find("kkkk") == std::string::npos);
    }

    auto const folder = serin::file_key(std::filesystem::temp_directory_path().string());
    CHECK(key_of(folder, why).empty());
    CHECK_FALSE(why.empty());
}

TEST_CASE("keys: the last good key of a file stays when the file goes")
{
    scoped_file const file;
    file.write("sk-file");
    auto const source = serin::file_key(file.path());
    file.remove();
    std::string why;
    CHECK(source->reload(why) == errc::invalid_key);
    CHECK(key_of(source) == "sk-file");
}

TEST_CASE("keys: several sources take turns")
{
    auto const source = serin::rotating_keys(
        {serin::fixed_key(secret("sk-1")), serin::fixed_key(secret("sk-2")), serin::fixed_key(secret("sk-3"))});
    std::vector<std::string> seen;
    for (int i = 0; i < 6; ++i)
        seen.push_back(key_of(source));
    CHECK(seen == std::vector<std::string>{"sk-1", "sk-2", "sk-3", "sk-1", "sk-2", "sk-3"});
    CHECK(live_keys(source) == std::vector<std::string>{"sk-1", "sk-2", "sk-3"});
}

TEST_CASE("keys: a source without a key is passed over")
{
    scoped_variable const variable("SERIN_TEST_KEYS_TURN");
    auto const source = serin::rotating_keys({serin::env_key(variable.name()), serin::fixed_key(secret("sk-2"))});
    for (int i = 0; i < 4; ++i)
    {
        std::string why;
        CHECK(key_of(source, why) == "sk-2");
    }

    // A reload says what is wrong, and reaches the sources that are fine.
    std::string why;
    CHECK(source->reload(why) == errc::invalid_key);
    CHECK_THAT(why, ContainsSubstring("SERIN_TEST_KEYS_TURN is not set"));
    variable.set("sk-1");
    CHECK_FALSE(source->reload(why));
    CHECK(key_of(source) != key_of(source));
}

TEST_CASE("keys: sources without any key say why")
{
    std::string why;
    CHECK(key_of(serin::rotating_keys({}), why).empty());
    CHECK_THAT(why, ContainsSubstring("no key is configured"));

    scoped_variable const variable("SERIN_TEST_KEYS_NONE");
    CHECK(key_of(serin::rotating_keys({serin::env_key(variable.name())}), why).empty());
    CHECK_THAT(why, ContainsSubstring("SERIN_TEST_KEYS_NONE is not set"));
}
