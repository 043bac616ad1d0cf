"""`python -m benchmarks`: measure every subject, or those named, and print tables or JSON."""

import argparse
import json
import sys
import time

from benchmarks.findings import Findings
from benchmarks.measuring import Options
from benchmarks.report import as_json, print_tables
from benchmarks.subjects import Subject, find_subjects

_QUICK = 20


def main() -> None:
    subjects = find_subjects()
    arguments = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    arguments.add_argument("subjects", nargs="*", metavar="subject", help=f"of: {', '.join(subjects)}; default: all")
    arguments.add_argument("--rows", type=int, help="rows of a feature group; each subject has its own default")
    arguments.add_argument("--repetitions", type=int, help="timed turns of each; each subject has its own default")
    arguments.add_argument("--quick", action="store_true", help=f"one turn with 1/{_QUICK} of the rows")
    arguments.add_argument(
        "--with-feast", action="store_true", help="beside Feast, which is installed apart if need be"
    )
    arguments.add_argument("--json", action="store_true", help="print JSON in place of tables")
    asked = arguments.parse_args()
    if unknown := [name for name in asked.subjects if name not in subjects]:
        arguments.error(f"no such subject: {', '.join(unknown)}")

    started = time.monotonic()
    findings: list[Findings] = []
    for name in asked.subjects or subjects:
        print(f"{name} …", file=sys.stderr)
        findings += subjects[name].measure(_options(subjects[name], asked))
    if asked.json:
        print(json.dumps(as_json(findings)))
    else:
        print_tables(findings, seconds=time.monotonic() - started)


def _options(subject: Subject, asked: argparse.Namespace) -> Options:
    scale, repetitions = (_QUICK, 1) if asked.quick else (1, subject.repetitions)
    return Options(asked.rows or subject.rows // scale, asked.repetitions or repetitions, with_feast=asked.with_feast)


main()
