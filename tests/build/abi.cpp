// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Linked against the library with the macros of the library, and with others: see tests/CMakeLists.txt.

#include <serin/core/abi.hpp>

int main() {}
