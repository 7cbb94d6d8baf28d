// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The program `serin` as a process. The environment variable SERIN_CLI says where it is.

#ifndef SERIN_TESTS_SUPPORT_CLI_PROCESS_HPP
#define SERIN_TESTS_SUPPORT_CLI_PROCESS_HPP

#include "catch.hpp"

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

inline constexpr auto patience = std::chrono::seconds(30);

inline std::string cli_path()
{
    char const* const path = std::getenv("SERIN_CLI");
    if (!path)
        FAIL("SERIN_CLI does not name the program");
    return path;
}

struct cli_result
{
    int status = -1; // -1: ended by a signal, which a program of ours never should
    std::string out;
    std::string err;
};

struct cli_pipe
{
    int read = -1;
    int write = -1;

    cli_pipe()
    {
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        read = ends[0];
        write = ends[1];
    }
    cli_pipe(cli_pipe const&) = delete;
    cli_pipe& operator=(cli_pipe const&) = delete;
    ~cli_pipe()
    {
        close_read();
        close_write();
    }
    void close_read() { close(read); }
    void close_write() { close(write); }

private:
    static void close(int& fd)
    {
        if (fd >= 0)
            ::close(fd);
        fd = -1;
    }
};

// The program while it runs. Its environment holds nothing but what the test gives it.
class cli_process
{
    cli_pipe in_;
    cli_pipe out_;
    cli_pipe err_;
    pid_t pid_ = -1;
    std::chrono::steady_clock::time_point const deadline_ = std::chrono::steady_clock::now() + patience;

public:
    cli_result result;

    // `terminal` takes the place of stdout, if it is a file descriptor, and of stdin too if that is said.
    cli_process(std::vector<std::string> arguments, std::vector<std::string> environment = {}, int terminal = -1,
        bool stdin_too = false)
    {
        std::string const path = cli_path();
        arguments.insert(arguments.begin(), path);
        // What a sanitizer and the coverage of a build need.
        for (char const* const name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LD_LIBRARY_PATH"})
            if (char const* const value = std::getenv(name))
                environment.push_back(std::string(name) + "=" + value);

        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, terminal >= 0 && stdin_too ? terminal : in_.read, STDIN_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, terminal >= 0 ? terminal : out_.write, STDOUT_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, err_.write, STDERR_FILENO);
        int const spawned = ::posix_spawn(
            &pid_, path.c_str(), &actions, nullptr, pointers(arguments).data(), pointers(environment).data());
        ::posix_spawn_file_actions_destroy(&actions);
        INFO(path << ": " << std::strerror(spawned));
        REQUIRE(spawned == 0);
        in_.close_read();
        out_.close_write();
        err_.close_write();
    }

    cli_process(cli_process const&) = delete;
    cli_process& operator=(cli_process const&) = delete;

    ~cli_process()
    {
        if (pid_ > 0)
        {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }

    void give(std::string_view text)
    {
        REQUIRE(::write(in_.write, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }

    // Reads stdout until it holds `text`.
    void read_until(std::string_view text)
    {
        while (result.out.find(text) == std::string::npos)
            REQUIRE(read_some());
    }

    // The same of stderr.
    void read_error_until(std::string_view text)
    {
        while (result.err.find(text) == std::string::npos)
            REQUIRE(read_some());
    }

    pid_t id() const noexcept { return pid_; }

    void send_signal(int number) { REQUIRE(::kill(pid_, number) == 0); }

    void close_stdout() { out_.close_read(); }
    void close_stderr() { err_.close_read(); }

    cli_result finish()
    {
        in_.close_write();
        while (read_some())
        {
        }
        int status = 0;
        REQUIRE(::waitpid(pid_, &status, 0) == pid_);
        pid_ = -1;
        result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        return result;
    }

private:
    static std::vector<char*> pointers(std::vector<std::string>& texts)
    {
        std::vector<char*> list;
        for (std::string& text : texts)
            list.push_back(text.data());
        list.push_back(nullptr);
        return list;
    }

    // False at the end of both. Gives up on a program that hangs.
    bool read_some()
    {
        ::pollfd wait[2] = {{out_.read, POLLIN, 0}, {err_.read, POLLIN, 0}};
        if (wait[0].fd < 0 && wait[1].fd < 0)
            return false;
        auto const left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now());
        if (left <= std::chrono::milliseconds(0) || ::poll(wait, 2, static_cast<int>(left.count())) == 0)
            FAIL("the program hangs; so far: " << result.out << result.err);
        take(wait[0], out_, result.out);
        take(wait[1], err_, result.err);
        return true;
    }

    static void take(::pollfd const& ready, cli_pipe& from, std::string& into)
    {
        if (ready.fd < 0 || ready.revents == 0)
            return;
        char buffer[4096];
        auto const size = ::read(from.read, buffer, sizeof buffer);
        if (size > 0)
            into.append(buffer, static_cast<std::size_t>(size));
        else
            from.close_read();
    }
};

inline cli_result run_cli(std::vector<std::string> arguments, std::vector<std::string> environment = {})
{
    cli_process program(std::move(arguments), std::move(environment));
    return program.finish();
}

// Files for one test.
class cli_folder
{
    std::filesystem::path path_;

public:
    cli_folder()
    {
        static int count = 0;
        path_ = std::filesystem::temp_directory_path() /
                ("serin-cli-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
        std::filesystem::create_directories(path_);
    }
    ~cli_folder() { std::filesystem::remove_all(path_); }

    std::string write(std::string const& name, std::string_view text) const
    {
        std::ofstream(path_ / name, std::ios::binary) << text;
        return (path_ / name).string();
    }
};

#endif
