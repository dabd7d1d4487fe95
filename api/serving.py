"""What a request sees, and the watch that replaces it: a publish is opened beside the old build, then served."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from api.labelled import ServedModel
from api.people import Forecaster
from api.published import Build, open_build
from pipeline.base import paths
from scoring.first_purchase.model import FILE, NAME, FirstPurchaseModel

log = logging.getLogger("api")
POLL_SECONDS = 0.25
RETRY_SECONDS = 5.0


@dataclass(frozen=True)
class Served:
    """What a request sees from beginning to end.

    Parameters
    ----------
    build : Build or None
        None until something is published.
    forecaster : Forecaster or None
        None when the build has no churn model.
    models : mapping of str to ServedModel
        Models of labelled tables, by name.
    first_purchase : FirstPurchaseModel or None
        None until one is learned.
    """

    build: Build | None
    forecaster: Forecaster | None
    models: Mapping[str, ServedModel]
    first_purchase: FirstPurchaseModel | None = None


class Published:
    """Follow ``current`` and the folder of models: open what is new in the background, then serve it.

    Parameters
    ----------
    on_build : callable
        Told of every build that begins to be served.
    """

    def __init__(self, on_build: Callable[[Build], None]) -> None:
        self._on_build = on_build
        self._served = Served(None, None, {})
        self._models_seen: object = None
        self._complaint = ""
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="published", daemon=True)

    def start(self) -> None:
        """Open what is there, and begin to watch."""
        self._look()
        self._watcher.start()

    def stop(self) -> None:
        """Stop watching."""
        self._ended.set()
        self._watcher.join()

    def now(self) -> Served:
        """Return what is served: ask once a request, and use nothing else."""
        return self._served

    def _watch(self) -> None:
        while not self._ended.wait(POLL_SECONDS):
            self._look()

    def _look(self) -> None:
        try:
            self._look_for_build()
            self._look_for_models()
        except Exception as error:
            # what is served stays served; the next look tries again, and says nothing that was said
            if str(error) != self._complaint:
                log.exception("what was published cannot be opened")
            self._complaint = str(error)
            self._ended.wait(RETRY_SECONDS)

    def _look_for_build(self) -> None:
        link = paths.current_link()
        if not link.exists():
            return
        folder = link.resolve()
        if self._served.build is not None and self._served.build.build_id == folder.name:
            return
        build = open_build(folder)
        forecaster = Forecaster(build) if build.segmenter.model is not None else None
        self._served = replace(self._served, build=build, forecaster=forecaster)
        self._on_build(build)
        log.info("serving build %s", build.build_id)

    def _look_for_models(self) -> None:
        files = sorted(paths.models_dir().glob("*/model.json")) if paths.models_dir().is_dir() else []
        first = paths.models_dir() / NAME / FILE
        seen = [(file, file.stat().st_mtime_ns) for file in (*files, first) if file.exists()]
        if seen == self._models_seen:
            return
        self._models_seen = seen
        models = {}
        for file in files:
            try:
                models[file.parent.name] = ServedModel.read(file)
            except (ValueError, KeyError, TypeError):
                log.exception("%s is no model; it is not served", file.name)
        learned = None
        if first.exists():
            try:
                learned = FirstPurchaseModel.from_json(first.read_text())
            except (ValueError, KeyError, TypeError):
                log.exception("%s is no model; it is not served", first.name)
        self._served = replace(self._served, models=models, first_purchase=learned)
