// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../core/file_watch.hpp"
#include "key_store.hpp"
#include "read_keys.hpp"

#include <serin/policy/keys.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace serin {
namespace {

constexpr std::size_t max_key_file = 64 * 1024;

class file_key_source final : public read_keys, public std::enable_shared_from_this<file_key_source>
{
public:
    explicit file_key_source(std::string path);

    std::shared_ptr<void> watch(asio::any_io_executor ex, logger log) override;

    std::string origin() const override { return "key file " + absolute_.string(); }
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

// Reads the keys again when their file may have changed, and tells what came of it.
class key_file_look
{
public:
    key_file_look(std::shared_ptr<file_key_source> source, logger log)
        : source_(std::move(source)),
          log_(std::move(log)),
          told_(source_->snapshot())
    {}

    void operator()();

private:
    void tell(key_set const& before, key_set const& now) const;

    std::shared_ptr<file_key_source> source_;
    logger log_;
    std::shared_ptr<key_set const> told_;
};

void key_file_look::operator()()
{
    std::string ignored; // The snapshot tells it too
    source_->reload(ignored);
    auto const now = source_->snapshot();
    auto const before = std::exchange(told_, now);
    if (log_ && now != before)
        tell(*before, *now);
}

void key_file_look::tell(key_set const& before, key_set const& now) const
{
    auto level = log_level::info;
    std::string line = source_->where();
    if (now.version != before.version)
    {
        line += " was read again: ";
        line += now.keys.size() == 1 ? "the key is " : std::to_string(now.keys.size()) + " keys, the first is ";
        line += now.keys.empty() ? "" : now.keys.front()->fingerprint();
    }
    else if (!now.problem.empty())
    {
        level = log_level::warning;
        line = now.problem + (now.keys.empty() ? "" : ": the keys that were read before stay in use");
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

std::shared_ptr<void> file_key_source::watch(asio::any_io_executor ex, logger log)
{
    return watch_file(absolute_, ex, key_file_look(shared_from_this(), std::move(log)));
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
