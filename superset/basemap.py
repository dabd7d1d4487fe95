"""Map tiles from this host: ``/basemap/{z}/{x}/{y}.png``, drawn from the outlines inside Superset's package.

With SUPERSET_TILES_URL set (a template with {z}, {x} and {y}) real tiles are fetched by the server, kept, and served
under the same address; the drawn ones stand in when the other host does not answer. The browser never talks to it.

Tiles are for people with an account, and a bounded number of them is kept: there are 270 million.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import os
import sys
import time
import urllib.request
import zlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import settings
from cachelib.file import FileSystemCache
from flask import Blueprint, Response
from flask_login import current_user

# Superset strips "tile://" and takes the rest as a template of raster tiles. A scheme without a host is, on a page of
# the same scheme, a path on the page's own host; Superset's own check wants the address to begin like this.
STYLE = f"tile://{'https' if settings.behind_https() else 'http'}:/basemap/{{z}}/{{x}}/{{y}}.png"
TILES_URL = os.environ.get("SUPERSET_TILES_URL", "")
OUTLINES = "basemap.json.gz"
DEEPEST_ZOOM = 14
KEPT_TILES, KEPT_SECONDS = 5_000, 30 * 24 * 3600
SEA, LAND, BORDER = (220, 233, 238), (248, 246, 241), (196, 203, 207)
PIXELS = 256

blueprint = Blueprint(
    "brand",
    __name__,
    static_folder=str(settings.ASSETS / "brand"),
    static_url_path="/brand",
)
_upstream_silent_until = 0.0


def _simplify(points: np.ndarray[Any, Any], tolerance: float) -> np.ndarray[Any, Any]:
    """Douglas and Peucker's line simplification.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        Degrees.
    tolerance : float
        Largest distance of a dropped point from the line, in degrees.
    """
    keep = np.zeros(len(points), dtype=bool)
    keep[[0, -1]] = True
    spans = [(0, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        if last <= first + 1:
            continue
        inner = points[first + 1 : last] - points[first]
        along = points[last] - points[first]
        length = float(np.hypot(*along))
        if length:
            distances = np.abs(along[0] * inner[:, 1] - along[1] * inner[:, 0]) / length
        else:
            distances = np.hypot(inner[:, 0], inner[:, 1])
        farthest = int(distances.argmax())
        if distances[farthest] > tolerance:
            middle = first + 1 + farthest
            keep[middle] = True
            spans += [(first, middle), (middle, last)]
    return points[keep]


def _rings(geometry: dict[str, Any] | None) -> list[Any]:
    """Outer rings of a polygon or of several."""
    if not geometry:
        return []
    if geometry["type"] == "Polygon":
        return [geometry["coordinates"][0]]
    if geometry["type"] == "MultiPolygon":
        return [polygon[0] for polygon in geometry["coordinates"]]
    return []


def generate(target: Path, tolerance: float = 0.02) -> None:
    """Simplify the outlines that ship with Superset into one small file.

    Parameters
    ----------
    target : Path
        Gzipped JSON: a list of rings of [longitude, latitude].
    tolerance : float
        Detail, in degrees; 0.02 is a third of a pixel at zoom 4 and three pixels at zoom 7.
    """
    package = find_spec("superset")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("the outlines come from Superset's package, which is not installed here")
    rings = []
    for path in sorted((Path(package.origin).parent / "static/assets").glob("*.geojson")):
        for feature in json.loads(path.read_bytes()).get("features", []):
            for ring in _rings(feature.get("geometry")):
                points = np.array([point[:2] for point in ring])
                width, height = np.ptp(points, axis=0)
                # Specks, and shapes that cross the date line.
                if len(points) < 4 or width * height < 0.004 or width > 180:
                    continue
                # A closed ring has no ends to hold on to: it is simplified in two halves.
                half = len(points) // 2
                line = np.vstack(
                    [_simplify(points[: half + 1], tolerance)[:-1], _simplify(points[half:], tolerance)],
                )
                if len(line) >= 4:
                    rings.append(np.round(line, 3).tolist())
    part = target.with_suffix(".part")
    with gzip.open(part, "wt", compresslevel=6) as handle:
        json.dump(rings, handle, separators=(",", ":"))
    part.replace(target)


def _mercator(latitude: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Web Mercator's ordinate of latitudes in degrees."""
    ordinate: np.ndarray[Any, Any] = np.log(np.tan(np.pi / 4 + np.radians(np.clip(latitude, -85, 85)) / 2))
    return ordinate


def _read_rings(file: Path) -> list[np.ndarray[Any, Any]]:
    """Rings as they were generated."""
    with gzip.open(file, "rt") as handle:
        return [np.array(ring) for ring in json.load(handle)]


@lru_cache(maxsize=1)
def _outlines() -> tuple[list[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    """Rings in degrees of longitude and Mercator's ordinate, and their boxes (west, south, east, north)."""
    file = settings.home() / OUTLINES
    try:
        rings = _read_rings(file)
    except (OSError, EOFError, ValueError, zlib.error):
        print(f"{file.name} was lost or damaged and is made again", file=sys.stderr)
        generate(file)
        rings = _read_rings(file)
    for ring in rings:
        ring[:, 1] = _mercator(ring[:, 1])
    return rings, np.array([[*ring.min(axis=0), *ring.max(axis=0)] for ring in rings])


def draw(zoom: int, column: int, row: int) -> bytes:
    """Draw one tile as PNG."""
    from PIL import Image, ImageDraw

    rings, boxes = _outlines()
    count = 2**zoom
    west, east = (edge / count * 360 - 180 for edge in (column, column + 1))
    north, south = (math.pi * (1 - 2 * edge / count) for edge in (row, row + 1))
    size = 2 * PIXELS  # drawn at twice the size: scaling down smooths the lines
    scale_x, scale_y = size / (east - west), size / (north - south)
    image = Image.new("RGB", (size, size), SEA)
    pen = ImageDraw.Draw(image)
    seen = (boxes[:, 0] < east) & (boxes[:, 2] > west) & (boxes[:, 1] < north) & (boxes[:, 3] > south)
    for index in np.flatnonzero(seen):
        ring = rings[index]
        points = np.column_stack([(ring[:, 0] - west) * scale_x, (north - ring[:, 1]) * scale_y])
        pen.polygon([(float(x), float(y)) for x, y in points], fill=LAND, outline=BORDER)
    out = io.BytesIO()
    image.resize((PIXELS, PIXELS), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
    return out.getvalue()


def draw_ahead() -> int:
    """Draw the tiles that the maps open with, so that the first visitor does not wait; return how many there are."""
    west, south, east, north = -82.0, -36.0, -30.0, 10.0
    drawn = 0
    for zoom in range(2, 6):
        count = 2**zoom
        top, bottom = (
            int((1 - float(_mercator(np.array(latitude))) / math.pi) / 2 * count) for latitude in (north, south)
        )
        left, right = (int((longitude + 180) / 360 * count) for longitude in (west, east))
        for column in range(left, right + 1):
            for row in range(top, bottom + 1):
                _drawn(zoom, column, row)
                drawn += 1
    return drawn


@lru_cache(maxsize=2)
def _kept(kind: str) -> FileSystemCache:
    """Tiles that are kept, ``drawn`` or ``fetched``; the oldest go when there are too many."""
    folder = settings.home() / "cache" / f"tiles-{kind}"
    return FileSystemCache(str(folder), threshold=KEPT_TILES, default_timeout=KEPT_SECONDS, mode=0o600)


def _drawn(zoom: int, column: int, row: int) -> bytes:
    """Return a tile of our own, drawn at its first use."""
    key = f"{zoom}/{column}/{row}"
    content: bytes | None = _kept("drawn").get(key)
    if content is None:
        content = draw(zoom, column, row)
        _kept("drawn").set(key, content)
    return content


def _fetch(zoom: int, column: int, row: int) -> bytes | None:
    """Ask the configured tile server; after a failure leave it alone for a minute."""
    global _upstream_silent_until  # noqa: PLW0603  (one number per process)
    if not TILES_URL.startswith(("http://", "https://")) or time.monotonic() < _upstream_silent_until:
        return None
    request = urllib.request.Request(  # noqa: S310  (the scheme is checked above)
        TILES_URL.format(z=zoom, x=column, y=row),
        headers={"User-Agent": "retention-warehouse"},
    )
    try:
        with urllib.request.urlopen(request, timeout=3) as answer:  # noqa: S310
            content: bytes = answer.read()
            return content
    except OSError:
        _upstream_silent_until = time.monotonic() + 60
        return None


@blueprint.route("/basemap/<int:zoom>/<int:column>/<int:row>.png")  # type: ignore[untyped-decorator]
def tile(zoom: int, column: int, row: int) -> Response:
    """Serve one tile: kept, fetched or drawn."""
    if not (settings.is_public() or current_user.is_authenticated):
        return Response(status=401)
    if zoom > DEEPEST_ZOOM or max(column, row) >= 2**zoom:
        return Response(status=404)
    content: bytes | None = None
    if TILES_URL:
        key = f"{zoom}/{column}/{row}"
        content = _kept("fetched").get(key)
        if content is None and (content := _fetch(zoom, column, row)):
            _kept("fetched").set(key, content)
    content = content or _drawn(zoom, column, row)
    return Response(content, mimetype="image/png", headers={"Cache-Control": "private, max-age=3600"})
