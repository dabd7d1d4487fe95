"""The colours of ``assets/palette.yaml`` in the forms that Superset wants."""

from __future__ import annotations

from typing import Any

import settings
from languages import ENGLISH, Language

COLOURS: dict[str, Any] = settings.read_yaml(settings.ASSETS / "palette.yaml")
CATEGORICAL_ID = "retention"
# For bars that are told apart by their names.
SINGLE_ID = "retention_single"
AFTER = "(now)"


def sequential_id(name: str) -> str:
    """Superset's id of one of our sequential scales."""
    return f"retention_{name}"


def categorical_schemes() -> list[dict[str, Any]]:
    """Colours for things without a colour of their own: a different one each, and the same for all."""
    return [
        {
            "id": name,
            "label": label,
            "description": "",
            "isDefault": name == CATEGORICAL_ID,
            "colors": colours,
        }
        for name, label, colours in (
            (CATEGORICAL_ID, "Retention Warehouse", COLOURS["categorical"]),
            (SINGLE_ID, "Retention Warehouse: one colour", [COLOURS["brand"]["primary"]]),
        )
    ]


def sequential_schemes() -> list[dict[str, Any]]:
    """Scales from light to dark; the first is the default."""
    return [
        {
            "id": sequential_id(name),
            "label": f"Retention Warehouse: {name}",
            "description": "",
            "isDiverging": False,
            "isDefault": position == 0,
            "colors": colours,
        }
        for position, (name, colours) in enumerate(COLOURS["sequential"].items())
    ]


def label_colors(language: Language = ENGLISH) -> dict[str, str]:
    """Colour of each label as a language writes it, for the metadata of a dashboard."""
    labels = {str(label): colour for label, colour in COLOURS["labels"].items()}
    # Names of the warehouse are shown as words.
    labels |= {label.replace("_", " "): colour for label, colour in labels.items()}
    # A flow needs two nodes for one segment: where people were, and where they are now.
    labels |= {f"{label} {AFTER}": colour for label, colour in labels.items()}
    if language.is_written:
        return labels
    words = [language.texts, *language.values.values()]
    return labels | {one[label]: colour for label, colour in labels.items() for one in words if label in one}


def rgba(colour: str, alpha: float = 1) -> dict[str, float]:
    """Colour as the components that Superset's colour pickers hold."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return {"r": red, "g": green, "b": blue, "a": alpha}


def theme() -> dict[str, Any]:
    """Superset's theme with our name, mark and colours; no font is fetched from anywhere."""
    brand = COLOURS["brand"]
    return {
        "token": {
            "brandAppName": "Retention Warehouse",
            "brandLogoAlt": "Retention Warehouse",
            "brandLogoUrl": "/brand/logo.svg",
            "brandLogoHref": "/",
            "brandLogoHeight": "32px",
            "brandLogoMargin": "12px 0",
            "brandIconMaxWidth": 230,
            "brandSpinnerUrl": None,
            "brandSpinnerSvg": None,
            "colorPrimary": brand["primary"],
            "colorLink": brand["primary"],
            "colorError": brand["error"],
            "colorWarning": brand["warning"],
            "colorSuccess": brand["success"],
            "colorInfo": brand["info"],
            "fontUrls": [],
            "fontFamily": "Inter, Helvetica, Arial, sans-serif",
            "fontFamilyCode": "'IBM Plex Mono', 'Courier New', monospace",
            "transitionTiming": 0.3,
            "fontSizeXS": "8",
            "fontSizeXXL": "28",
            "fontWeightNormal": "400",
            "fontWeightLight": "300",
            "fontWeightStrong": "500",
            "fontWeightBold": "700",
            "colorEditorSelection": "#fff5cf",
        },
        "algorithm": "default",
    }
