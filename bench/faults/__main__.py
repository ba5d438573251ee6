"""`python -m bench.faults --lives 2000 --seed 7`: the campaign; exit code 1 when a promise was broken.

`--replay PLAN`: one round again, as a failed campaign has printed it.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from bench.faults.campaign import Report, campaign, in_own_home
from bench.faults.plan import Plan, rounds


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description="Lifecycles under every kind of fault.")
    parser.add_argument("--lives", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--each", type=int, default=200, help="lifecycles of one round")
    parser.add_argument("--per-second", type=float, default=4.0, help="lifecycles begun")
    parser.add_argument("--patience", type=float, default=420.0, help="seconds until all must be right after a round")
    parser.add_argument("--tries", type=int, default=8, help="to find the fewest faults that still fail")
    parser.add_argument("--replay", type=Path, help="a plan, as a file")
    given = parser.parse_args()
    if given.replay:
        plans = [Plan.loads(given.replay.read_text(encoding="utf-8"))]
    else:
        plans = rounds(given.seed, given.lives, given.each)
    plays = in_own_home(given.per_second, given.patience, _note)
    report = asyncio.run(campaign(given.seed, plans, plays, tries=0 if given.replay else given.tries, say=_note))
    _tell(report)
    if report.minimal is not None:
        file = Path(f"faults-{report.minimal.seed}.json")
        file.write_text(report.minimal.dumps(), encoding="utf-8")
        _note(f"seed {given.seed}, round {report.minimal.seed}: with these faults it still fails:")
        for fault in report.minimal.faults:
            _note(f"  {fault}")
        _note(f"again: python -m bench.faults --replay {file}")
    return 1 if report.wrong else 0


def _tell(report: Report) -> None:
    for each in report.rounds:
        _note(
            f"round {each.plan.seed}: {each.plan.lives} lifecycles, {each.events} events in {each.sent_seconds:.0f} s, "
            f"right after {each.quiet_seconds:.0f} s more; {len(each.fired)} deaths, {len(each.did)} other faults, "
            f"{each.retried} steps retried by people, {each.repaired} differences repaired, "
            f"restored in {each.recovery_seconds:.0f} s, {len(each.findings)} findings"
        )
        for left in each.left:
            _note(f"  left to people: {left}")
    deaths = f"{sum(report.deaths.values())} deaths at {len(report.deaths)} places"
    _note(f"seed {report.seed}: {report.lives} lifecycles, {deaths}, {report.seconds:.0f} s")
    _note(f"never died at: {', '.join(report.untried) or 'no place'}")
    _note("every promise was kept" if not report.wrong else "a promise was broken")


def _note(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


def _told_to_end(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _told_to_end)  # so that the stack goes down with us
    code = main()
    sys.stdout.flush()
    os._exit(code)  # a process that ends right after its Temporal client can abort (sdk-python #300)
