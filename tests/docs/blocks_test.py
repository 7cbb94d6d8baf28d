#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0
"""Tests of blocks.py: what it makes of a page, and which mistakes it finds."""

import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import blocks


def make(page):
    """The files made of a page and what was printed."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "docs").mkdir()
        (root / "README.md").write_text(page)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            blocks.generate(root, root / "out")
        return {path.name: path.read_text() for path in (root / "out").iterdir()}, printed.getvalue()


class BlocksTest(unittest.TestCase):
    def refused(self, page, why):
        with self.assertRaisesRegex(blocks.Failure, why):
            make(page)

    def test_statements_stand_in_a_function(self):
        files, _ = make("text\n\n```cpp\nf();\n```\n")
        self.assertIn("void block_4(", files["page_readme.cpp"])
        self.assertIn("#line 4 ", files["page_readme.cpp"])

    def test_what_awaits_is_a_coroutine(self):
        files, _ = make("```cpp\nco_await f();\n```\n")
        self.assertIn("awaitable<void> block_2(", files["page_readme.cpp"])

    def test_declarations_are_told_by_their_first_line(self):
        files, _ = make("```cpp\n// A comment\nstruct a {};\n```\n")
        self.assertNotIn("block_", files["page_readme.cpp"])

    def test_a_head_of_a_function_is_a_declaration(self):
        files, _ = make("```cpp\nstd::string_view f(\n    int a, int b) noexcept\n{\n}\n```\n")
        self.assertNotIn("block_", files["page_readme.cpp"])

    def test_a_loop_is_no_declaration(self):
        files, _ = make("```cpp\nfor (int a : f())\n{\n}\nwhile (h())\n{\n}\n```\n")
        self.assertIn("block_", files["page_readme.cpp"])

    def test_a_block_that_continues_is_in_the_same_scope(self):
        files, _ = make("```cpp\nint a = 0;\n```\n\n<!-- doc: continues -->\n```cpp\n++a;\n```\n")
        self.assertEqual(files["page_readme.cpp"].count("void block_"), 1)

    def test_hidden_code(self):
        files, _ = make("<!-- doc: before\nint a = 0;\n-->\n```cpp\n++a;\n```\n<!-- doc: after\ncheck(a);\n-->\n")
        self.assertRegex(files["page_readme.cpp"], r"(?s)int a = 0;.*\+\+a;.*check\(a\)")

    def test_includes_go_to_the_top(self):
        files, _ = make("```cpp\n#include <map>\nf();\n```\n")
        self.assertLess(files["page_readme.cpp"].index("#include <map>"), files["page_readme.cpp"].index("block_"))

    def test_a_whole_program_is_one(self):
        files, _ = make('```cpp\nint main()\n{\n    u.base_url = "https://a/v1";\n}\n```\n')
        self.assertIn('u.base_url = doc::url("https://a/v1")', files["program_readme_2.cpp"])

    def test_reasons_are_printed(self):
        _, printed = make("<!-- doc: skip: no key -->\n```sh\nserin chat\n```\n")
        self.assertEqual(printed, "README.md:3: skipped: no key\n")

    def test_what_is_skipped_needs_a_reason(self):
        self.refused("<!-- doc: skip -->\n```sh\nserin chat\n```\n", "README.md:1: say why")

    def test_unknown_marks(self):
        self.refused("<!-- doc: runs -->\n```sh\nserin chat\n```\n", "unknown mark runs")

    def test_a_mark_without_a_block(self):
        self.refused("<!-- doc: continues -->\n\nSome text.\n", "README.md:3: a mark that no block follows")

    def test_nothing_to_continue(self):
        self.refused("<!-- doc: continues -->\n```cpp\nf();\n```\n", "nothing to continue")

    def test_a_block_that_does_not_end(self):
        self.refused("```cpp\nf();\n", "does not end")

    def test_json_must_be_json(self):
        self.refused("```json\n{a: 1}\n```\n", "README.md:2: not JSON")

    def test_output_belongs_to_the_block_before(self):
        files, _ = make("```cpp\nf();\n```\n\n<!-- doc: output -->\n```\nyes\n```\n")
        self.assertIn('doc::prints{R"DOC(yes)DOC"}', files["page_readme.cpp"])

    def test_other_languages_are_not_forgotten(self):
        self.refused("```cmake\nfind_package(serin)\n```\n", "nothing tests cmake")


if __name__ == "__main__":
    unittest.main()
