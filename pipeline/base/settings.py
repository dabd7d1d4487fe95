"""The dbt variables, for the steps that are not SQL."""

from __future__ import annotations

from typing import Any

import yaml

from pipeline.base import paths
from pipeline.base.errors import PipelineError


def project_vars(variables: str | None = None) -> dict[str, Any]:
    """Read the variables of ``dbt_project.yml``, with those of a command line over them.

    Parameters
    ----------
    variables : str, optional
        YAML as ``--vars`` takes it.

    Raises
    ------
    PipelineError
        The text is no YAML mapping.
    """
    project = yaml.safe_load((paths.PROJECT / "dbt_project.yml").read_text())["vars"]
    try:
        given = yaml.safe_load(variables) if variables else {}
    except yaml.YAMLError as error:
        raise PipelineError(f"--vars is no YAML: {str(error).splitlines()[0]}.") from error
    if not isinstance(given, dict):
        raise PipelineError("--vars is no YAML mapping, such as '{as_of_date: 2018-03-01}'.")
    unknown = sorted(set(given) - set(project))
    if unknown:
        raise PipelineError(f"--vars names {', '.join(unknown)}, which dbt_project.yml does not know.")
    return {**project, **given}
