// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// What is put in front of a whole program of a page. Brings no header that the program might have forgotten.

#ifndef SERIN_TESTS_DOCS_PROGRAM_HPP
#define SERIN_TESTS_DOCS_PROGRAM_HPP

namespace doc {

// Takes the place of a provider's address: a mock provider in this process.
char const* url(char const* of_page);

} // namespace doc

#endif
