# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0

"""The clients: how each is built and started, and in which version."""

import json
import os
import re
import shutil
import subprocess
import sys

from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
PEERS = HERE / "peers"


class Skipped(Exception):
    pass


def run(command, log, **more):
    with open(log, "a") as out:
        out.write(f"\n$ {' '.join(map(str, command))}\n")
        out.flush()
        done = subprocess.run([str(part) for part in command], stdout=out, stderr=subprocess.STDOUT, **more)
    if done.returncode:
        lines = [line for line in log.read_text().splitlines() if line.strip()]
        errors = [line for line in lines[-200:] if re.search(r"\berror(:|\[| )|CMake Error|FAILED|npm ERR|interrupted", line)]
        raise Skipped(f"`{Path(str(command[0])).name} {command[1]}` failed: {(errors or lines)[-1].strip()[:200]}")


def need(program, hint):
    found = shutil.which(program)
    if not found:
        raise Skipped(f"no {program} here ({hint})")
    return found


def text_of(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    return (done.stdout or done.stderr).strip()


class Peer:
    def __init__(self, name, title, native=False, faults=True, slow=1, warm=0):
        self.name = name
        self.title = title
        self.native = native  # callgrind can count it.
        self.faults = faults
        self.slow = slow      # How many times fewer calls are enough.
        self.warm = warm      # Calls before it runs at its speed.
        self.command = None
        self.version = ""
        self.skipped = None


class Cpp(Peer):
    def build(self, work):
        program = work.cpp / f"bench_{self.name}"
        if not program.exists():
            raise Skipped("libcurl or simdjson is missing (Debian: libcurl4-openssl-dev libsimdjson-dev)")
        about = json.loads(text_of(program, "--version"))
        self.version = ", ".join([about["version"]] + [f"{k} {about[k]}" for k in ("compiler", "boost") if k in about])
        self.version = self.version.replace("compiler ", "").replace("boost", "Boost")
        return [program]


class Rust(Peer):
    """crates: those whose versions are told."""

    def __init__(self, name, title, crates, **more):
        super().__init__(name, title, native=True, **more)
        self.crates = crates

    def build(self, work):
        cargo = need("cargo", "Rust's package manager")
        run([cargo, "build", "--release", "--quiet", "--manifest-path", PEERS / "Cargo.toml", "--package",
             f"{self.name}-peer", "--target-dir", work.folder / "rust"], work.log)
        lock = (PEERS / "Cargo.lock").read_text()
        manifest = (PEERS / self.name / "Cargo.toml").read_text()
        versions = []
        for crate in self.crates:
            found = re.findall(rf'^name = "{crate}"\nversion = "([^"]+)"', lock, re.M)
            wanted = re.search(rf'^{crate} = (?:\{{ version = )?"([^"]+)"', manifest, re.M)
            fit = [v for v in found if not wanted or v == wanted.group(1).lstrip("=")]
            versions.append(f"{crate} {(fit or found or ['?'])[-1]}")
        self.version = ", ".join(versions)
        return [work.folder / "rust" / "release" / f"bench_{self.name.replace('-', '_')}"]


class Go(Peer):
    def __init__(self, name, title, module=None, **more):
        super().__init__(name, title, **more)
        self.module = module

    def build(self, work):
        go = need("go", "the Go toolchain")
        program = work.folder / "go" / f"bench_{self.name}"
        run([go, "build", "-trimpath", "-o", program, f"./{self.name}"], work.log, cwd=PEERS)
        self.version = text_of(go, "env", "GOVERSION").replace("go", "Go ")
        mod = (PEERS / "go.mod").read_text()
        for module in self.module or ():
            found = re.search(rf"{re.escape(module)}\S* v(\S+)", mod)
            self.version = f"{module.rsplit('/', 1)[-1]} {found.group(1)}, {self.version}"
        return [program]


class Node(Peer):
    def build(self, work):
        node = need("node", "Debian: nodejs")
        npm = need("npm", "Debian: npm")
        target = work.folder / "node" / self.name
        shutil.rmtree(work.folder / "node" / "measure", ignore_errors=True)
        for part in ("measure", self.name):
            (work.folder / "node" / part).mkdir(parents=True, exist_ok=True)
            for file in (PEERS / part).iterdir():
                if file.suffix in (".mjs", ".json"):
                    shutil.copy(file, work.folder / "node" / part)
        lock = (PEERS / self.name / "package-lock.json").read_text()
        done = target / "installed"
        if not done.exists() or done.read_text() != lock:
            run([npm, "ci", "--no-audit", "--no-fund", "--prefix", target], work.log)
            done.write_text(lock)
        version = json.loads(lock)["packages"]["node_modules/openai"]["version"]
        self.version = f"openai {version}, Node {text_of(node, '--version').lstrip('v')}"
        return [node, target / "main.mjs"]


class Python(Peer):
    def build(self, work):
        target = work.folder / "python"
        python = target / "bin" / "python"
        wanted = (PEERS / self.name / "requirements.txt").read_text()
        done = target / "installed"
        if not done.exists() or done.read_text() != wanted:
            run([sys.executable, "-m", "venv", "--clear", target], work.log)
            run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r",
                 PEERS / self.name / "requirements.txt"], work.log)
            done.write_text(wanted)
        version = re.search(r"^openai==(\S+)", wanted, re.M).group(1)
        self.version = f"openai {version}, {text_of(python, '--version')}"
        return [python, PEERS / self.name / "main.py"]


class Work:
    """Where things are built."""

    def __init__(self, folder, cpp=None):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "build.log"
        self.log.write_text("")
        self.cpp = cpp or folder / "bench"

    def build_cpp(self):
        jobs = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL", str(os.cpu_count()))
        run(["cmake", "-S", HERE.parent, "-B", self.folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
             "-DSERIN_BUILD_BENCH=ON", "-DSERIN_BUILD_TESTS=OFF", "-DSERIN_BUILD_EXAMPLES=OFF",
             "-DSERIN_BUILD_TOOLS=OFF", "-DSERIN_CCACHE=ON"], self.log)
        run(["cmake", "--build", self.folder, "--parallel", jobs], self.log)


def all_peers():
    return [
        Cpp("serin", "Serin", native=True),
        Cpp("floor", "floor: epoll, no JSON, no retry", native=True, faults=False),
        Cpp("libcurl", "libcurl multi + simdjson", native=True),
        Rust("hyper", "hyper + serde + backon", ("hyper", "backon")),
        Rust("reqwest", "reqwest + reqwest-retry", ("reqwest", "reqwest-retry")),
        Rust("isahc", "isahc + serde + backon", ("isahc", "backon")),
        Rust("surf", "surf + serde + backon", ("surf", "backon")),
        Rust("async-openai", "async-openai", ("async-openai", "reqwest")),
        Go("nethttp", "Go net/http + go-retryablehttp", ("hashicorp/go-retryablehttp",), slow=2),
        Go("openai-go", "openai-go", ("openai/openai-go",), slow=4),
        Node("node-openai", "openai for Node", slow=16, warm=1000),
        Python("python-openai", "openai for Python", slow=32),
    ]
