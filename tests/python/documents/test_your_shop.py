"""Every block of the guide to one's own shop is run as it stands."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from builds import ROOT

GUIDE = (ROOT / "docs" / "your-shop.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", GUIDE, flags=re.DOTALL)


def test_every_block_to_paste_works(tmp_path: Path) -> None:
    # the project as it is, and a data folder of our own
    for entry in ROOT.iterdir():
        if entry.name not in ("data", "target", "logs", ".git"):
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / "data").mkdir()
    environment = {**os.environ, "WAREHOUSE_DIR": str(tmp_path / "data/warehouse")}
    for name in ("RAW_DIR", "SHOP_FILE"):
        environment.pop(name, None)
    told = []
    for block in BLOCKS:
        run = subprocess.run(
            ["bash", "-euc", ". .venv/bin/activate\n" + block],
            check=False,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, f"{block}\n{run.stdout}\n{run.stderr}"
        told.append(run.stdout)
    dry_runs = [text for text in told if "Every row is accounted for" in text]
    assert len(dry_runs) == 4
    assert all("\nQuarantine" not in text for text in dry_runs)
    assert "customer: Kunde" in told[1] and "amount: Betrag" in told[1] and "date: Datum" in told[1]
