"""What an alert says to people, in their language."""

from __future__ import annotations

from pipeline.alerts.declared import Alert

# The non-breaking space between a number and what belongs to it.
_BOUND = "\u00a0"

TEXTS = {
    "en": {
        "above": "{title}: {value}, above the limit of {bound}.",
        "below": "{title}: {value}, below the limit of {bound}.",
        "rises_by": "{title}: {value}, {change} against {before} before.",
        "falls_by": "{title}: {value}, {change} against {before} before.",
        "target": "{title}: {value}; {bound} is due by now for a goal of {target}.",
        "recovered": "{title}: back to normal, {value}.",
        "cannot_be_evaluated": "{title}: cannot be evaluated. {why}",
        "n": "n = {n}",
    },
    "ru": {
        "above": "{title}: {value}, выше порога {bound}.",
        "below": "{title}: {value}, ниже порога {bound}.",
        "rises_by": "{title}: {value}, {change} к прежним {before}.",
        "falls_by": "{title}: {value}, {change} к прежним {before}.",
        "target": "{title}: {value}; к этому дню для цели {target} нужно {bound}.",
        "recovered": "{title}: снова в норме, {value}.",
        "cannot_be_evaluated": "{title}: нельзя вычислить. {why}",
        "n": "n = {n}",
    },
}


def message(
    alert: Alert,
    state: str,
    *,
    value: float | None,
    bound: float | None,
    before: float | None,
    n: int | None,
    why: str | None,
    currency: str,
) -> str:
    """Write the message of an alert that has come into a state.

    Parameters
    ----------
    alert : Alert
    state : str
        ``firing``, ``ok`` or ``cannot_be_evaluated``.
    value, bound, before : float, optional
        The figure, where it fires, and what it was before.
    n : int, optional
        How many it rests on.
    why : str, optional
        Why it cannot be evaluated.
    currency : str
        ISO code of the shop's currency.
    """
    texts = TEXTS[alert.language]
    word = next(iter(alert.limits)) if state == "firing" else {"ok": "recovered"}.get(state, state)

    def figure(number: float | None) -> str:
        return written(number, alert.unit, alert.language, currency)

    change = value / before - 1 if value is not None and before else None
    text = texts[word].format(
        title=alert.title[alert.language],
        value=figure(value) + (f" ({texts['n'].format(n=written(n, 'number', alert.language))})" if n else ""),
        bound=figure(bound),
        before=figure(before),
        target=figure(alert.limits.get("target")),
        change=("+" if (change or 0) > 0 else "") + written(change, "share", alert.language),
        why=why or "",
    )
    return text.strip()


def written(number: float | None, unit: str, language: str, currency: str = "") -> str:
    """Write a number as the language does: 1,234.5 or 1 234,5; money without cents, shares in percent."""
    if number is None:
        return "-"
    if unit == "share":
        text = f"{number * 100:,.1f}"
    elif unit == "money" or abs(number) >= 1000 or number == int(number):
        text = f"{number:,.0f}"
    else:
        text = f"{number:,.3g}"
    if language == "ru":
        text = text.replace(",", _BOUND).replace(".", ",").replace("-", "\u2212")
    suffix = {"share": "%", "money": currency}.get(unit, "")
    return f"{text}{_BOUND}{suffix}" if suffix else text
