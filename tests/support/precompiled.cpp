// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// A precompiled header needs one source file in the target that owns it.

#include "precompiled.hpp"
