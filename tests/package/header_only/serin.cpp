// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The one file that holds the bodies of the library.

#include <serin/src.hpp>
