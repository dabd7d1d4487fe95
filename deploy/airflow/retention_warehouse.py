"""The nightly refresh as an Airflow DAG: up to three tasks, one after the other.

One task for each model would gain nothing: DuckDB has one writer, and dbt runs the models of a refresh itself. The
pipeline stays in its own environment; Airflow calls it as a timer does, and needs none of its packages.

Copy or link this file into Airflow's folder of DAGs, and set in Airflow's environment:

RETENTION_WAREHOUSE
    Folder of this project, with its environment (``make warehouse`` has made it).
RETENTION_PYTHON
    Python of the pipeline's environment, where it is not the project's ``.venv``.
RAW_DIR, WAREHOUSE_DIR
    As everywhere, where they are not the defaults.
RETENTION_EXTRACT, RETENTION_ALERTS
    The shop's own commands: one that brings the raw files to RAW_DIR, such as ``make -C ... extract``, one that tells
    people of a new build. A task for which there is no command is left out.
"""

import os
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, chain

PROJECT = Path(os.environ.get("RETENTION_WAREHOUSE") or "~/retention-warehouse").expanduser()
PYTHON = os.environ.get("RETENTION_PYTHON") or str(PROJECT / ".venv" / "bin" / "python")
# What the pipeline says when another run is at work: that run does the work, and this one is no failure.
BUSY = 5
COMMANDS = {
    "extract": os.environ.get("RETENTION_EXTRACT"),
    "refresh": f"{shlex.quote(PYTHON)} -m pipeline refresh --no-wait",
    "alerts": os.environ.get("RETENTION_ALERTS"),
}

with DAG(
    dag_id="retention_warehouse",
    description="Take what is new in the raw folder, rebuild what it changes, score, test, publish",
    schedule="30 4 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    # Bad input and failed tests stay so until somebody looks; nothing is repaired by trying again.
    default_args={"retries": 0, "execution_timeout": timedelta(hours=6)},
) as dag:
    chain(
        *(
            # the blank keeps Airflow from taking a command that ends in .sh for a template's file
            BashOperator(
                task_id=task, bash_command=f"{command} ", cwd=str(PROJECT), append_env=True, skip_on_exit_code=BUSY
            )
            for task, command in COMMANDS.items()
            if command
        )
    )
