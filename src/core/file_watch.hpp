// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CORE_FILE_WATCH_HPP
#define SERIN_SRC_CORE_FILE_WATCH_HPP

#include <serin/core/config.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <filesystem>
#include <functional>
#include <memory>

namespace serin {

// Calls `look` at once, and from then on, on `ex`, each time when the file may have changed: written, replaced,
// removed, or reached through a symbolic link or a directory that was. What happens in quick succession is one call;
// never two at the same time. It is also called every 30 s, because file systems do not tell what other machines do,
// and every second where nobody tells us anything: whether the file has changed is for the caller to find out.
//
// The path is absolute; nothing needs to be there yet. What `look` throws is swallowed, but for the call at once. The
// watch ends, and with it the work in the context, when the result is destroyed, in `look` too; a call that has begun
// on another thread may still go on.
std::shared_ptr<void> watch_file(
    std::filesystem::path path, asio::any_io_executor const& ex, std::function<void()> look);

} // namespace serin

#endif
