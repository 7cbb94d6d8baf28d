// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// A program and the compiled library share Asio's types: with another Boost, or with other BOOST_ASIO_* macros, these
// differ and the program crashes. So every source file that includes this header refers to a function whose name spells
// out the settings of that file, and the library defines it for its own settings only. A mismatch is an undefined
// reference that says what differs.

#ifndef SERIN_CORE_ABI_HPP
#define SERIN_CORE_ABI_HPP

#include <boost/asio/detail/config.hpp>
#include <boost/version.hpp>

#include <string_view>

namespace serin::abi {

template <int Version>
struct boost_version;

// One for each macro that changes Asio's types or shared state. Those that only hide names are left out on purpose.
template <bool Value>
struct asio_threads;
template <bool Value>
struct asio_epoll;
template <bool Value>
struct asio_eventfd;
template <bool Value>
struct asio_timerfd;
template <bool Value>
struct asio_io_uring;
template <bool Value>
struct asio_handler_tracking;
template <bool Value>
struct asio_ts_executor_as_default;
template <bool Value>
struct asio_small_block_recycling;

template <class... Settings>
struct settings;

// Defined in src/core/abi.cpp.
template <class Settings>
void serin_was_compiled_with_another_boost_version_or_other_BOOST_ASIO_macros_than() noexcept;

// A macro that is not defined expands to its own name.
#define SERIN_ABI_TEXT(...) #__VA_ARGS__
#define SERIN_ABI_DEFINED(macro) (std::string_view(#macro) != SERIN_ABI_TEXT(macro))

using settings_of_this_file = settings<boost_version<BOOST_VERSION>,
    asio_threads<SERIN_ABI_DEFINED(BOOST_ASIO_HAS_THREADS)>, asio_epoll<SERIN_ABI_DEFINED(BOOST_ASIO_HAS_EPOLL)>,
    asio_eventfd<SERIN_ABI_DEFINED(BOOST_ASIO_HAS_EVENTFD)>, asio_timerfd<SERIN_ABI_DEFINED(BOOST_ASIO_HAS_TIMERFD)>,
    asio_io_uring<SERIN_ABI_DEFINED(BOOST_ASIO_HAS_IO_URING)>,
    asio_handler_tracking<SERIN_ABI_DEFINED(BOOST_ASIO_ENABLE_HANDLER_TRACKING)>,
    asio_ts_executor_as_default<SERIN_ABI_DEFINED(BOOST_ASIO_USE_TS_EXECUTOR_AS_DEFAULT)>,
    asio_small_block_recycling<!SERIN_ABI_DEFINED(BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING)>>;

#undef SERIN_ABI_DEFINED
#undef SERIN_ABI_TEXT

// A constant, so nothing runs before main. The attributes keep it in files that use nothing else and under
// --gc-sections; its linkage is internal because one file's reference must not stand in for another's.
#if defined(__ELF__) && __has_cpp_attribute(gnu::retain)
[[gnu::used, gnu::retain]]
#else
[[gnu::used]]
#endif
static constexpr auto link_check =
    &serin_was_compiled_with_another_boost_version_or_other_BOOST_ASIO_macros_than<settings_of_this_file>;

} // namespace serin::abi

#endif
