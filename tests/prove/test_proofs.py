"""``make prove`` runs every proof: pytest leaves out a folder within another one that it is given."""

import os
import subprocess
import sys

from tests.processes import ROOT


def test_make_prove_runs_every_proof():
    # Within `make prove`, make would also tell which folder it enters and leaves.
    planned = subprocess.check_output(
        ["make", "-n", "--no-print-directory", "prove", "ARGS="], cwd=ROOT, text=True
    )
    last = planned.strip().splitlines()[-1]
    words = [sys.executable, *last.split()[2:], "--collect-only", "-q", "-n", "0"]

    told = subprocess.run(words, cwd=ROOT, env=os.environ | {"TRIES": "8"}, capture_output=True, text=True)

    collected = {line.partition("::")[0] for line in told.stdout.splitlines()}
    proofs = {str(one.relative_to(ROOT)) for one in ROOT.glob("tests/**/prove/test_*.py")}
    assert proofs - collected == {"tests/prove/test_lighthouse.py"}  # it runs alone, before
