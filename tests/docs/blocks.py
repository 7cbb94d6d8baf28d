#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0
"""Makes tests of the code blocks in README.md and docs/*.md. CONTRIBUTING.md says how a block is marked.

blocks.py generate ROOT FOLDER      writes the programs and scripts into FOLDER, and blocks.cmake, which lists them
blocks.py program PROGRAM [EXPECTED]         runs a program and compares what it prints with the file
blocks.py shell SERIN SCRIPT [EXPECTED]      runs a shell block, with a mock provider that it reaches by default
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

FENCE = re.compile(r"^( {0,3})(```+|~~~+)\s*([\w+-]*)\s*$")
MARK = re.compile(r"^<!--\s*doc:\s*(.*)$")
WORDS = {"declarations", "continues", "compile", "skip", "config", "output", "before", "after"}
NEEDS_REASON = {"compile", "skip"}

# What is at the level of a namespace is told by its first lines, where no mark says so: a type, or a function's head.
DECLARATION = re.compile(
    r"^(//.*\n|#.*\n|namespace asio =.*\n|\s*\n)*((struct|class|enum|template|BOOST_DESCRIBE)\b|(?!for\b|while\b|if\b|switch\b)\w[^;{}=]*\([^;{}]*\)[ \w]*\n\{)"
)

# Nothing in a test leaves this machine.
BASE_URL = re.compile(r'(base_url\s*=\s*)("https?://[^"]*")')


class Failure(Exception):
    pass


class Block:
    def __init__(self, page, line, language, text, marks, before, reason):
        self.page = page
        self.line = line  # of the first line of the text, from 1
        self.language = language
        self.text = text
        self.marks = marks
        self.before = before  # [(line, code)]
        self.after = []
        self.reason = reason
        self.output = None

    def __str__(self):
        return f"{self.page}:{self.line}"


def read_mark(page, number, text):
    """Splits "continues, compile: it would not end" into its words and the reason."""
    words, _, reason = text.partition(":")
    words = {word.strip() for word in words.split(",")}
    if not words <= WORDS:
        raise Failure(f"{page}:{number}: unknown mark {' '.join(sorted(words - WORDS))}")
    reason = reason.strip()
    if words & NEEDS_REASON and not reason:
        raise Failure(f"{page}:{number}: say why, as in <!-- doc: skip: it needs a key -->")
    return words, reason


def read_blocks(page, text):
    lines = text.splitlines()
    blocks = []
    marks, before, reason = set(), [], ""
    i = 0
    while i < len(lines):
        mark = MARK.match(lines[i])
        fence = FENCE.match(lines[i])
        if mark:
            number = i + 1
            first = mark.group(1)
            if first.strip().endswith("-->"):
                words, reason = read_mark(page, number, first.strip()[:-3])
                marks |= words
                i += 1
                continue
            words, _ = read_mark(page, number, first)
            i += 1
            code = []
            while i < len(lines) and lines[i].strip() != "-->":
                code.append(lines[i])
                i += 1
            if i == len(lines):
                raise Failure(f"{page}:{number}: a mark that does not end")
            hidden = (number + 1, "\n".join(code))
            if words == {"before"}:
                before.append(hidden)
            elif words == {"after"} and blocks:
                blocks[-1].after.append(hidden)
            else:
                raise Failure(f"{page}:{number}: hidden code stands before or after a block")
            i += 1
        elif fence:
            indent, ticks, language = fence.groups()
            start = i + 1
            code = []
            i += 1
            while i < len(lines) and lines[i].strip() != ticks:
                line = lines[i]
                code.append(line[len(indent):] if line.startswith(indent) else line)
                i += 1
            if i == len(lines):
                raise Failure(f"{page}:{start}: a block that does not end")
            i += 1
            block = Block(page, start + 1, language, "\n".join(code), marks, before, reason)
            if "output" in marks:
                if not blocks:
                    raise Failure(f"{block}: the output of what?")
                blocks[-1].output = block.text
            else:
                blocks.append(block)
            marks, before, reason = set(), [], ""
        else:
            if lines[i].strip() and (marks or before):
                raise Failure(f"{page}:{i + 1}: a mark that no block follows")
            i += 1
    return blocks


def literal(text):
    return f'R"DOC({text})DOC"'


class Writer:
    """Writes files only if they change, so that nothing is built again without need."""

    def __init__(self, root, folder):
        self.root = root
        self.folder = folder
        self.written = set()
        self.cmake = []

    def write(self, name, text):
        path = self.folder / name
        self.written.add(name)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
        return path

    def line(self, page, line):
        return f'#line {line} "{self.root / page}"\n'


def at_url_of_mock(text):
    return BASE_URL.sub(r"\1doc::url(\2)", text)


def write_program(writer, name, block):
    text = '#include "program.hpp"\n' + writer.line(block.page, block.line) + at_url_of_mock(block.text) + "\n"
    sources = [writer.write(f"{name}.cpp", text)]
    if block.before:
        text = '#include "page.hpp"\n\nvoid doc::prepare(serin::mock::provider& mock)\n{\n'
        for line, code in block.before:
            text += writer.line(block.page, line) + code + "\n"
        sources.append(writer.write(f"{name}_before.cpp", text + "}\n"))
    expected = '""'
    if block.output is not None:
        expected = f'"{writer.write(f"{name}.txt", block.output)}"'
    run = "OFF" if "compile" in block.marks else "ON"
    if run == "OFF":
        print(f"{block}: compiled, not run: {block.reason}")
    paths = " ".join(f'"{source}"' for source in sources)
    writer.cmake.append(f'serin_doc_program({name} {run} {expected} {paths})')


def write_shell(writer, name, block):
    if "compile" in block.marks:
        raise Failure(f"{block}: a shell block is run or skipped")
    script = writer.write(f"{name}.sh", block.text + "\n")
    expected = '""'
    if block.output is not None:
        expected = f'"{writer.write(f"{name}.txt", block.output)}"'
    writer.cmake.append(f'serin_doc_shell({name} "{script}" {expected})')


class Page:
    """The fragments of a page: one source file, in which they stand in their order."""

    def __init__(self, writer, name):
        self.writer = writer
        self.name = name
        self.includes = []
        self.body = ""
        self.open = []  # The block whose function is not closed, and those that continue it
        self.count = 0

    def code(self, block, line, text):
        kept = []
        for one in text.split("\n"):
            if one.startswith("#include"):
                if one not in self.includes:
                    self.includes.append(one)
                one = ""
            kept.append(one)
        return self.writer.line(block.page, line) + at_url_of_mock("\n".join(kept)) + "\n"

    def whole(self, block):
        text = "".join(self.code(block, line, code) for line, code in block.before)
        text += self.code(block, block.line, block.text)
        return text + "".join(self.code(block, line, code) for line, code in block.after)

    def add(self, block):
        is_config = block.language == "json"
        if "continues" in block.marks:
            if not self.open:
                raise Failure(f"{block}: there is nothing to continue")
            self.open.append(block)
            return
        self.close()
        if is_config:
            self.count += 1
            self.body += (
                f"void config_{block.line}(doc::environment& environment)\n{{\n"
                f"    environment.check_config({literal(block.text)});\n}}\n"
                f'doc::fragment const add_config_{block.line}("{self.name}", "{block}", &config_{block.line});\n\n'
            )
        elif "declarations" in block.marks or DECLARATION.match(block.text):
            self.count += 1
            self.body += self.whole(block) + "\n"
        else:
            self.open = [block]

    def close(self):
        if not self.open:
            return
        blocks, self.open = self.open, []
        self.count += 1
        code = "".join(self.whole(block) for block in blocks)
        head = blocks[0]
        coroutine = re.search(r"\bco_(await|return)\b", code) is not None
        reasons = [block.reason for block in blocks if "compile" in block.marks]
        result = "serin::asio::awaitable<void>" if coroutine else "void"
        self.body += (
            f"{result} block_{head.line}([[maybe_unused]] doc::environment& environment)\n{{\n"
            "    [[maybe_unused]] auto& mock = environment.mock;\n"
            "    [[maybe_unused]] auto& context = environment.context;\n"
            "    [[maybe_unused]] auto& client = environment.client;\n"
            "    [[maybe_unused]] auto& request = environment.request;\n"
            "    {\n" + code + ("" if coroutine else "    environment.run();\n") + "    }\n"
            + ("    co_return;\n" if coroutine else "") + "}\n"
        )
        output = next((block.output for block in blocks if block.output is not None), None)
        arguments = [f'"{self.name}"', f'"{head}"', f"&block_{head.line}"]
        if reasons:
            print(f"{head}: compiled, not run: {reasons[0]}")
            arguments.append(f"doc::not_run{{{json.dumps(reasons[0])}}}")
        elif output is not None:
            arguments.append(f"doc::prints{{{literal(output)}}}")
        self.body += f"doc::fragment const add_block_{head.line}({', '.join(arguments)});\n\n"

    def finish(self):
        self.close()
        if not self.count:
            return
        text = '#include "page.hpp"\n' + "\n".join(self.includes) + "\n\n"
        text += f"namespace doc_{self.name} {{\nnamespace {{\n\nnamespace asio = serin::asio;\n"
        text += "using namespace std::chrono_literals;\n\n" + self.body + "} // namespace\n}\n"
        path = self.writer.write(f"page_{self.name}.cpp", text)
        self.writer.cmake.append(f'serin_doc_page({self.name} "{path}")')


def generate(root, folder):
    folder.mkdir(parents=True, exist_ok=True)
    writer = Writer(root, folder)
    pages = [root / "README.md"] + sorted((root / "docs").glob("*.md"))
    for path in pages:
        relative = path.relative_to(root)
        name = re.sub(r"\W", "_", path.stem).lower()
        page = Page(writer, name)
        for block in read_blocks(relative, path.read_text()):
            number = f"{name}_{block.line}"
            if "skip" in block.marks:
                print(f"{block}: skipped: {block.reason}")
            elif block.language == "cpp":
                if re.search(r"^int main\(", block.text, re.M):
                    write_program(writer, f"program_{number}", block)
                else:
                    page.add(block)
            elif block.language == "json":
                try:
                    value = json.loads(block.text)
                except ValueError as error:
                    raise Failure(f"{block}: not JSON: {error}")
                if "config" in block.marks or (isinstance(value, dict) and "upstreams" in value):
                    page.add(block)
            elif block.language in ("sh", "bash"):
                write_shell(writer, f"shell_{number}", block)
            elif block.language in ("cmake", "python", "c", "c++", "cxx"):
                raise Failure(f"{block}: nothing tests {block.language}: mark it <!-- doc: skip: WHY -->")
        page.finish()
    writer.cmake = [f'set(SERIN_DOC_FILES {" ".join(chr(34) + str(p) + chr(34) for p in pages)})'] + writer.cmake
    writer.write("blocks.cmake", "\n".join(writer.cmake) + "\n")
    for old in folder.iterdir():
        if old.is_file() and old.name not in writer.written:
            old.unlink()


def run_and_compare(command, expected, **how):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=100, **how)
    sys.stdout.write(done.stdout)
    if done.returncode != 0:
        raise Failure(f"ended with status {done.returncode}")
    if expected and done.stdout.strip() != pathlib.Path(expected).read_text().strip():
        raise Failure(f"the page says that it prints:\n{pathlib.Path(expected).read_text()}")


def shell(serin, script, expected):
    scratch = pathlib.Path(tempfile.mkdtemp())
    mock = subprocess.Popen([serin, "mock", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    try:
        url = mock.stdout.readline().strip().rpartition(" ")[2]
        environment = dict(os.environ, SERIN_BASE_URL=url, OPENAI_API_KEY="sk-test", HOME=str(scratch))
        environment["PATH"] = os.path.dirname(serin) + ":" + environment["PATH"]
        run_and_compare(["bash", "-euo", "pipefail", script], expected, cwd=scratch, env=environment)
    finally:
        mock.terminate()
        mock.wait()
        shutil.rmtree(scratch)


def main(arguments):
    what, *rest = arguments
    if what == "generate":
        generate(pathlib.Path(rest[0]), pathlib.Path(rest[1]))
    elif what == "program":
        run_and_compare([rest[0]], rest[1] if len(rest) > 1 else "")
    elif what == "shell":
        shell(rest[0], rest[1], rest[2] if len(rest) > 2 else "")
    else:
        raise Failure(__doc__)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Failure as failure:
        sys.exit(f"blocks.py: {failure}")
