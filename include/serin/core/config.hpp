// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CORE_CONFIG_HPP
#define SERIN_CORE_CONFIG_HPP

#include <boost/version.hpp>

#if BOOST_VERSION < 108100
#error "serin requires Boost 1.81 or later"
#endif

/// The version of the library.
#define SERIN_VERSION "0.1.0"

namespace boost::asio {}

/// Everything of the library. `serin::asio` names Boost.Asio.
namespace serin {

namespace asio = boost::asio;

} // namespace serin

#endif
