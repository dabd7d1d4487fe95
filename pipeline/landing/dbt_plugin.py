"""dbt plugin: land what has changed in RAW_DIR when dbt connects, so that ``dbt build`` alone sees today's files."""

from __future__ import annotations

import json
from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt_common.exceptions import DbtRuntimeError

from pipeline.base import paths
from pipeline.base.dbt_internals import given_variables
from pipeline.base.errors import PipelineError
from pipeline.base.resources import restrain
from pipeline.landing.load import load, show_landing
from pipeline.mapping.mapping import refuse_other_settings


class Plugin(BasePlugin):
    """Runs the loader once per connection to the build file, and keeps the connection within the machine's memory."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Check the settings and land changed raw files.

        Raises
        ------
        DbtRuntimeError
            With the message, when a setting cannot be meant or the raw files cannot be used.
        """
        try:
            refuse_other_settings(given_variables())
            load(json.dumps(given_variables(), default=str))
        except PipelineError as error:
            raise DbtRuntimeError(str(error)) from error

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Set memory and spill folder of the engine, and give it the landing.

        Named here and not in the sources' YAML: dbt would read the folder's path as a call, a format and a pattern.
        """
        restrain(conn, paths.spill_dir())
        show_landing(conn)
