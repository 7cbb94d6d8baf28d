// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/core/with_diagnostics.hpp>
#include <serin/policy/keys.hpp>

#include "key_store.hpp"
#include "read_keys.hpp"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <utility>

namespace serin {

void key_source::refresh(std::function<void()>)
{
    std::string ignored; // The snapshot tells it too
    reload(ignored);
}

std::shared_ptr<void> key_source::watch(asio::any_io_executor, logger)
{
    return nullptr;
}

namespace {

class fixed_key_source final : public key_source
{
    std::shared_ptr<key_set const> const set_;

public:
    explicit fixed_key_source(std::shared_ptr<key_set const> set) : set_(std::move(set)) {}

    std::shared_ptr<key_set const> snapshot() override { return set_; }
    error_code reload(std::string&) override { return {}; }

    void append_live(std::vector<key_pointer>& out) const override
    {
        out.insert(out.end(), set_->keys.begin(), set_->keys.end());
    }
};

class env_key_source final : public read_keys
{
    std::string const variable_;

public:
    explicit env_key_source(std::string variable) : variable_(std::move(variable)) {}

    std::string origin() const override { return "environment variable " + variable_; }

private:
    void read(std::vector<key_pointer>& keys, std::string& problem) override
    {
        char const* const value = std::getenv(variable_.c_str());
        auto const key = std::make_shared<secret const>(value ? value : "");
        auto const wrong = value ? key->problem() : "is not set";
        if (wrong.empty())
            keys.push_back(key);
        else
            problem = origin() + " " + wrong;
    }
};

class key_union final : public key_source
{
    using part = std::shared_ptr<key_set const>;

    // The union, and what it was made of.
    struct combination
    {
        std::vector<part> parts;
        part whole;
    };

    std::vector<std::shared_ptr<key_source>> const sources_;
    std::mutex mutex_;
    std::shared_ptr<combination const> last_;

public:
    explicit key_union(std::vector<std::shared_ptr<key_source>> sources) : sources_(std::move(sources)) {}

    std::shared_ptr<key_set const> snapshot() override
    {
        std::shared_ptr<combination const> last;
        {
            std::lock_guard const lock(mutex_);
            last = last_;
        }
        if (last && is_current(*last))
            return last->whole;
        return combine();
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

    void append_live(std::vector<key_pointer>& out) const override
    {
        for (auto const& source : sources_)
            source->append_live(out);
    }

    void refresh(std::function<void()> done) override
    {
        for (auto const& source : sources_)
            source->refresh(done);
    }

    std::chrono::steady_clock::duration pending() const override
    {
        std::chrono::steady_clock::duration longest{};
        for (auto const& source : sources_)
            longest = std::max(longest, source->pending());
        return longest;
    }

    std::string origin() const override
    {
        std::string all;
        for (auto const& source : sources_)
        {
            auto const one = source->origin();
            if (one.empty())
                return {};
            all += (all.empty() ? "" : ", ") + one;
        }
        return all;
    }

    std::shared_ptr<void> watch(asio::any_io_executor ex, logger log) override
    {
        auto const all = std::make_shared<std::vector<std::shared_ptr<void>>>();
        for (auto const& source : sources_)
            if (auto one = source->watch(ex, log))
                all->push_back(std::move(one));
        if (all->empty())
            return nullptr;
        return all;
    }

private:
    // The sources are asked without the lock: they may call functions of the user's.
    bool is_current(combination const& c) const
    {
        for (std::size_t i = 0; i < sources_.size(); ++i)
            if (sources_[i]->snapshot() != c.parts[i])
                return false;
        return true;
    }

    part combine()
    {
        auto const c = std::make_shared<combination>();
        auto const whole = std::make_shared<key_set>();
        for (auto const& source : sources_)
        {
            auto const set = source->snapshot();
            c->parts.push_back(set);
            for (auto const& key : set->keys)
                if (!holds_key(whole->keys, *key))
                    whole->keys.push_back(key);
            if (whole->problem.empty())
                whole->problem = set->problem;
        }
        if (sources_.empty())
            whole->problem = "no key is configured";
        c->whole = whole;
        std::lock_guard const lock(mutex_);
        whole->version = last_ ? last_->whole->version + 1 : 1;
        last_ = c;
        return whole;
    }
};

std::shared_ptr<key_source> make_fixed_keys(std::vector<secret> keys)
{
    auto const set = std::make_shared<key_set>();
    for (std::size_t i = 0; i < keys.size(); ++i)
    {
        if (auto const wrong = keys[i].problem(); !wrong.empty())
        {
            diagnostics diag;
            diag.message = (keys.size() == 1 ? "the key " : "key " + std::to_string(i + 1) + " ") + wrong;
            throw api_error(errc::invalid_key, std::move(diag));
        }
        set->keys.push_back(std::make_shared<secret const>(std::move(keys[i])));
    }
    if (set->keys.empty())
        set->problem = "no key is configured";
    return std::make_shared<fixed_key_source>(set);
}

} // namespace

std::shared_ptr<key_source> fixed_key(secret key)
{
    std::vector<secret> one;
    one.push_back(std::move(key));
    return make_fixed_keys(std::move(one));
}

std::shared_ptr<key_source> fixed_keys(std::vector<secret> keys)
{
    return make_fixed_keys(std::move(keys));
}

std::shared_ptr<key_source> env_key(std::string variable)
{
    auto const source = std::make_shared<env_key_source>(std::move(variable));
    std::string ignored; // The snapshot tells it
    source->reload(ignored);
    return source;
}

std::shared_ptr<key_source> env_keys(std::vector<std::string> variables)
{
    std::vector<std::shared_ptr<key_source>> sources;
    for (auto& name : variables)
        sources.push_back(env_key(std::move(name)));
    return rotating_keys(std::move(sources));
}

std::shared_ptr<key_source> rotating_keys(std::vector<std::shared_ptr<key_source>> sources)
{
    return std::make_shared<key_union>(std::move(sources));
}

} // namespace serin
