"""Run a part of dbt as the pipeline does, in a process that can be measured; ``--fresh`` removes the build file."""

from __future__ import annotations

import sys

from pipeline.base import paths
from pipeline.build.dbt_runner import Dbt

if __name__ == "__main__":
    command = sys.argv[1:]
    if command[0] == "--fresh":
        command = command[1:]
        paths.build_file().unlink(missing_ok=True)
    Dbt().run(command)
