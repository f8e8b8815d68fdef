#!/usr/bin/env python3
"""Makes a folder of many dumps of localStorage, as a gym would hand them over: one file per browser.

Each file is what JSON.stringify(localStorage) gives: a Zustand store with one program's sessions, a theme, and a token.
Everything comes from one seeded generator, and files have seeded times, so every run makes the same folder.

    scripts/make_dumps.py dumps/                            10,000 dumps with 24 sessions each
    scripts/make_dumps.py dumps/ --dumps 100 --sessions 8
    time parklite migrate dumps/ --into gymlog.db           what it takes to read them
"""

import argparse
import json
import os
import random
from datetime import datetime, timedelta, timezone
from pathlib import Path

FIRST_DAY = datetime(2025, 1, 6, tzinfo=timezone.utc)
NOTES = ["", "easy", "felt heavy", "left knee", "müde 😴", "new shoes"]


def session(rng, number):
    week, day = number // 4 + 1, number % 4 + 1
    planned = FIRST_DAY + timedelta(days=7 * week + day, seconds=rng.randrange(86400))
    done = rng.random() < 0.8
    made = {
        "sessionId": f"{week}-{day}",
        "weekNumber": week,
        "dayNumber": day,
        "completed": done,
        "scheduledDate": planned.strftime("%Y-%m-%d"),
        "exerciseLogs": [
            {"exercise": name, "sets": [{"reps": rng.randint(3, 12), "kg": rng.randint(20, 140) / 2} for _ in range(3)]}
            for name in ("squat", "bench", "row")
        ],
        "notes": rng.choice(NOTES),
    }
    if done:
        made["completedAt"] = planned.strftime("%Y-%m-%dT%H:%M:%S.") + f"{rng.randrange(1000):03}Z"
        made["intensityRating"] = rng.choice(["easy", "perfect", "hard"])
    return made


def dump(rng, number, sessions):
    program = f"program-{number:05}"
    state = {
        "currentProgram": {"id": program},
        "progressHistory": {"programId": program, "sessions": [session(rng, n) for n in range(sessions)]},
    }
    store = json.dumps({"state": state, "version": 2}, ensure_ascii=False, separators=(",", ":"))
    token = f"{rng.getrandbits(128):032x}"
    return json.dumps({"auth-token": token, "liftbook-store": store, "theme": "dark"}, ensure_ascii=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dumps", type=int, default=10_000)
    parser.add_argument("--sessions", type=int, default=24)
    parser.add_argument("--seed", type=int, default=20261120)
    args = parser.parse_args()
    args.folder.mkdir(parents=True)
    for number in range(args.dumps):
        rng = random.Random(f"{args.seed}/{number}")
        path = args.folder / f"dump-{number:05}.json"
        path.write_text(dump(rng, number, args.sessions), encoding="utf-8")
        at = (FIRST_DAY + timedelta(days=200, seconds=rng.randrange(10**6))).timestamp()
        os.utime(path, (at, at))


if __name__ == "__main__":
    main()
