"""One measurement in a process of its own: ``python -m bench.side CASE ours|raw [--quick]`` prints it as JSON."""

from __future__ import annotations

import json
import sys

from bench.case import OURS
from bench.cases import load

if __name__ == "__main__":
    case = load(sys.argv[1])
    measure = case.ours if sys.argv[2] == OURS else case.raw
    assert measure is not None
    print(json.dumps(dict(measure("--quick" in sys.argv))), flush=True)
