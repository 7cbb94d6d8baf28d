// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/core/abi.hpp>

namespace serin::abi {

template <class Settings>
void serin_was_compiled_with_another_boost_version_or_other_BOOST_ASIO_macros_than() noexcept
{}

// Said here, as it does not follow from the header: see cmake/visibility.cmake.
template __attribute__((visibility("default"))) void
serin_was_compiled_with_another_boost_version_or_other_BOOST_ASIO_macros_than<settings_of_this_file>() noexcept;

} // namespace serin::abi
