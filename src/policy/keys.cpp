// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/policy/keys.hpp>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <mutex>
#include <utility>

namespace serin {
namespace {

constexpr std::size_t max_key_file = 64 * 1024;

// A source with one key, which a derived class knows how to read.
class single_key : public key_source
{
public:
    std::shared_ptr<secret const> current(std::string& why) override
    {
        std::lock_guard const lock(mutex_);
        if (!key_)
            why = missing_;
        return key_;
    }

    error_code reload(std::string& why) override
    {
        std::string text;
        std::string problem;
        bool const read = this->read(text, problem);
        auto fresh = std::make_shared<secret const>(std::move(text));
        if (read && fresh->check())
            problem =
                where() +
                (fresh->empty() ? " is empty" : " holds characters that cannot stand in a header, such as a line end");
        std::lock_guard const lock(mutex_);
        if (problem.empty())
        {
            key_ = std::move(fresh);
            return {};
        }
        why = missing_ = problem;
        return errc::invalid_key;
    }

    void append_live(std::vector<std::shared_ptr<secret const>>& out) const override
    {
        std::lock_guard const lock(mutex_);
        if (key_)
            out.push_back(key_);
    }

protected:
    // Reads the key as it is; false with `why` if there is none.
    virtual bool read(std::string& key, std::string& why) = 0;

    // What the key is read from, for messages.
    virtual std::string where() const = 0;

private:
    mutable std::mutex mutex_;
    std::shared_ptr<secret const> key_;
    std::string missing_;
};

class env_source final : public single_key
{
    std::string const variable_;

public:
    explicit env_source(std::string variable) : variable_(std::move(variable)) {}

private:
    bool read(std::string& key, std::string& why) override
    {
        char const* const value = std::getenv(variable_.c_str());
        if (!value)
            why = where() + " is not set";
        else
            key = value;
        return value;
    }

    std::string where() const override { return "environment variable " + variable_; }
};

class file_source final : public single_key
{
    std::string const path_;

public:
    explicit file_source(std::string path) : path_(std::move(path)) {}

private:
    bool read(std::string& key, std::string& why) override
    {
        std::ifstream file(path_, std::ios::binary);
        if (!file)
        {
            why = where() + " cannot be read";
            return false;
        }
        char c = 0;
        while (file.get(c) && key.size() <= max_key_file)
            key += c;
        if (key.size() > max_key_file)
        {
            why = where() + " is too large to hold a key";
            return false;
        }
        constexpr char const* blanks = " \t\r\n";
        key.erase(key.find_last_not_of(blanks) + 1);
        key.erase(0, key.find_first_not_of(blanks));
        return true;
    }

    std::string where() const override { return "key file " + path_; }
};

class fixed_source final : public key_source
{
    std::shared_ptr<secret const> const key_;

public:
    explicit fixed_source(secret key) : key_(std::make_shared<secret const>(std::move(key))) {}

    std::shared_ptr<secret const> current(std::string& why) override
    {
        if (!key_->check())
            return key_;
        why = key_->empty() ? "the key is empty"
                            : "the key holds characters that cannot stand in a header, such as a line end";
        return nullptr;
    }

    error_code reload(std::string& why) override
    {
        return current(why) ? error_code() : make_error_code(errc::invalid_key);
    }

    void append_live(std::vector<std::shared_ptr<secret const>>& out) const override { out.push_back(key_); }
};

class rotating_source final : public key_source
{
    std::vector<std::shared_ptr<key_source>> const sources_;
    std::atomic<std::size_t> next_{0};

public:
    explicit rotating_source(std::vector<std::shared_ptr<key_source>> sources) : sources_(std::move(sources)) {}

    std::shared_ptr<secret const> current(std::string& why) override
    {
        why = "no key is configured";
        std::size_t const first = next_.fetch_add(1, std::memory_order_relaxed);
        for (std::size_t i = 0; i < sources_.size(); ++i)
            if (auto key = sources_[(first + i) % sources_.size()]->current(why))
                return key;
        return nullptr;
    }

    error_code reload(std::string& why) override
    {
        error_code first;
        for (auto const& source : sources_)
        {
            std::string problem;
            error_code const ec = source->reload(problem);
            if (ec && !first)
            {
                first = ec;
                why = std::move(problem);
            }
        }
        return first;
    }

    void append_live(std::vector<std::shared_ptr<secret const>>& out) const override
    {
        for (auto const& source : sources_)
            source->append_live(out);
    }
};

template <class Source>
std::shared_ptr<key_source> make_loaded(std::string from)
{
    auto source = std::make_shared<Source>(std::move(from));
    std::string ignored; // current() tells it to whoever needs the key
    source->reload(ignored);
    return source;
}

} // namespace

std::shared_ptr<key_source> fixed_key(secret key)
{
    return std::make_shared<fixed_source>(std::move(key));
}

std::shared_ptr<key_source> env_key(std::string variable)
{
    return make_loaded<env_source>(std::move(variable));
}

std::shared_ptr<key_source> file_key(std::string path)
{
    return make_loaded<file_source>(std::move(path));
}

std::shared_ptr<key_source> rotating_keys(std::vector<std::shared_ptr<key_source>> sources)
{
    return std::make_shared<rotating_source>(std::move(sources));
}

} // namespace serin
