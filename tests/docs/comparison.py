#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0
"""comparison.py PROGRAM PAGE: the page shows the table that the test prints."""

import pathlib
import subprocess
import sys

program, page = sys.argv[1:]
printed = subprocess.run([program, "what clients differ in"], stdout=subprocess.PIPE, text=True, check=True).stdout
rows = [line for line in printed.splitlines() if line.startswith("| ")]
shown = pathlib.Path(page).read_text().splitlines()
missing = [row for row in rows if not any(line.startswith(row) for line in shown)]
for row in missing:
    print(f"{page} has no row that begins with\n{row}", file=sys.stderr)
sys.exit(1 if missing or len(rows) < 10 else 0)
