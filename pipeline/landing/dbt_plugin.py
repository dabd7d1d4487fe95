"""dbt plugin: land what has changed in RAW_DIR when dbt connects, so that ``dbt build`` alone sees today's files."""

from __future__ import annotations

from typing import Any

import duckdb
import yaml
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.flags import get_flags
from dbt_common.exceptions import DbtRuntimeError

from pipeline.base import paths
from pipeline.base.errors import PipelineError
from pipeline.base.resources import restrain
from pipeline.landing.load import load


class Plugin(BasePlugin):
    """Runs the loader once per connection to the build file, and keeps the connection within the machine's memory."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Land changed raw files.

        Raises
        ------
        DbtRuntimeError
            With the loader's message, when the raw files cannot be used.
        """
        try:
            load(yaml.safe_dump(get_flags().VARS) if get_flags().VARS else None)
        except PipelineError as error:
            raise DbtRuntimeError(str(error)) from error

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Set memory and spill folder of the engine."""
        restrain(conn, paths.spill_dir())
