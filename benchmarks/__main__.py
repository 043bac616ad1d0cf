"""`python -m benchmarks`: measure every subject, or those named, and print a table or JSON."""

import argparse
import json
import sys
import time
from dataclasses import asdict

from benchmarks.measuring import Options
from benchmarks.report import machine, print_table
from benchmarks.subjects import find_subjects


def main() -> None:
    subjects = find_subjects()
    arguments = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    arguments.add_argument("subjects", nargs="*", metavar="subject", help=f"of: {', '.join(subjects)}; default: all")
    arguments.add_argument("--rows", type=int, default=1_000_000, help="rows of the frame (default: %(default)s)")
    arguments.add_argument("--repetitions", type=int, default=5, help="timed turns of each (default: %(default)s)")
    arguments.add_argument("--json", action="store_true", help="print JSON in place of the table")
    asked = arguments.parse_args()
    if unknown := [name for name in asked.subjects if name not in subjects]:
        arguments.error(f"no such subject: {', '.join(unknown)}")

    started = time.monotonic()
    options = Options(asked.rows, asked.repetitions)
    outcomes = []
    for name in asked.subjects or subjects:
        print(f"{name} …", file=sys.stderr)
        outcomes += subjects[name](options)
    if asked.json:
        print(json.dumps({"machine": machine(), **asdict(options), "outcomes": [asdict(each) for each in outcomes]}))
    else:
        print_table(options, outcomes, seconds=time.monotonic() - started)


main()
