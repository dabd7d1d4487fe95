"""Read ``audiences.yml``: every word is known and every value can be meant, or the message says which is not."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pipeline.base import paths
from pipeline.base.declared import read_mapping, read_text, read_yaml
from pipeline.base.errors import InputError

FILE = paths.PROJECT / "audiences.yml"
CHANNELS = ("email", "sms", "ads")


@dataclass(frozen=True)
class LeaveOut:
    """Who is left out of an audience besides those who did not agree to its channel.

    Attributes
    ----------
    contacted_within_days
        Written to by a campaign that started so many days ago or later; 0 for nobody.
    in_another_campaign
        Drawn into a campaign that is not over, in whichever arm.
    complained_within_days
        Gave one or two stars so many days ago or later; 0 for nobody.
    """

    contacted_within_days: int = 0
    in_another_campaign: bool = True
    complained_within_days: int = 0


@dataclass(frozen=True)
class Audience:
    """One audience as declared.

    Attributes
    ----------
    name
        Letters, digits and underscores.
    about
        One sentence for people.
    who
        SQL condition on ``customer_360``.
    sort
        Column of ``customer_360`` with ``asc`` or ``desc``: who comes first where there are more than ``size``.
    size
        Most people, both arms together.
    channel
        One of ``CHANNELS``.
    control_share
        Share held out.
    stratify_by
        Column of ``customer_360`` within whose values the arms are drawn; None for none.
    days
        How long orders count, from the start.
    contact_cost
        Money per person written to.
    smallest_uplift
        Relative rise of the return rate that would be worth it; planning is done for it.
    leave_out
        Who is left out.
    """

    name: str
    about: str
    who: str
    channel: str
    size: int
    sort: str = "customer_id asc"
    control_share: float = 0.5
    stratify_by: str | None = None
    days: int = 90
    contact_cost: float = 0.0
    smallest_uplift: float = 0.2
    leave_out: LeaveOut = field(default_factory=LeaveOut)


@dataclass(frozen=True)
class Settings:
    """What all audiences share: salts, the global control, the country of phones without one."""

    salt: str
    global_share: float
    global_salt: str
    phone_country: str


@dataclass(frozen=True)
class Declared:
    """The file as read."""

    file: Path
    settings: Settings
    audiences: dict[str, Audience]

    def audience(self, name: str) -> Audience:
        """Return an audience by its name.

        Raises
        ------
        InputError
            There is none; the message lists those there are.
        """
        if name not in self.audiences:
            raise InputError(f"{self.file.name} has no audience {name}. It has {', '.join(self.audiences)}.")
        return self.audiences[name]


def read_audiences(file: Path = FILE) -> Declared:
    """Read the file of audiences.

    Raises
    ------
    InputError
        It is absent, is no YAML, or an entry cannot be meant; the message names file, audience and key.
    """
    try:
        content = read_yaml(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"There is no {file}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file.name} is no YAML: {' '.join(str(error).split())}") from error
    top = read_mapping(content, file.name, ("audiences", "settings"))
    settings = _settings(top.get("settings"), f"{file.name}, settings")
    listed = top.get("audiences")
    if not isinstance(listed, list) or not listed:
        raise InputError(f"{file.name}: `audiences` must list one audience at least.")
    audiences: dict[str, Audience] = {}
    for number, entry in enumerate(listed, start=1):
        audience = _audience(entry, file.name, number)
        if audience.name in audiences:
            raise InputError(f"{file.name}: two audiences are called {audience.name}.")
        audiences[audience.name] = audience
    return Declared(file, settings, audiences)


def _settings(content: Any, where: str) -> Settings:
    said = read_mapping(content, where, ("global_control", "phone_country", "salt"))
    control = read_mapping(said.get("global_control"), f"{where}, global_control", ("salt", "share"))
    country = read_text(said, "phone_country", where)
    if len(country) != 2 or not country.isalpha() or not country.isupper():
        raise InputError(f"{where}: phone_country must be two capitals, such as BR, not {country!r}.")
    return Settings(
        salt=read_text(said, "salt", where),
        global_share=_number(control, "share", f"{where}, global_control", least=0, most=0.5),
        global_salt=read_text(control, "salt", f"{where}, global_control"),
        phone_country=country,
    )


def _audience(entry: Any, file: str, number: int) -> Audience:
    where = f"{file}, audience {number}"
    said = read_mapping(entry, where, sorted(Audience.__dataclass_fields__))
    name = read_text(said, "name", where)
    if not name.replace("_", "").isalnum() or not name.isascii():
        raise InputError(f"{where}: name must be letters, digits and underscores, not {name!r}.")
    where = f"{file}, audience {name}"
    channel = read_text(said, "channel", where)
    if channel not in CHANNELS:
        raise InputError(f"{where}: channel must be one of {', '.join(CHANNELS)}, not {channel!r}.")
    stratify_by = said.get("stratify_by")
    if stratify_by is not None and not isinstance(stratify_by, str):
        raise InputError(f"{where}: stratify_by must be a column of customer_360.")
    left_out = {} if said.get("leave_out") is None else said["leave_out"]
    left_out = read_mapping(left_out, f"{where}, leave_out", sorted(LeaveOut.__dataclass_fields__))
    in_another = left_out.get("in_another_campaign", True)
    if not isinstance(in_another, bool):
        raise InputError(f"{where}, leave_out: in_another_campaign must be true or false, not {in_another!r}.")
    inside = f"{where}, leave_out"
    return Audience(
        name=name,
        about=read_text(said, "about", where),
        who=read_text(said, "who", where),
        channel=channel,
        size=int(_number(said, "size", where, least=1, most=1e9, is_whole=True)),
        sort=read_text(said, "sort", where) if "sort" in said else "customer_id asc",
        control_share=_number(said, "control_share", where, least=0.01, most=0.9, default=0.5),
        stratify_by=stratify_by,
        days=int(_number(said, "days", where, least=1, most=730, default=90, is_whole=True)),
        contact_cost=_number(said, "contact_cost", where, least=0, most=1e9, default=0.0),
        smallest_uplift=_number(said, "smallest_uplift", where, least=0.001, most=100, default=0.2),
        leave_out=LeaveOut(
            int(_number(left_out, "contacted_within_days", inside, least=0, most=3650, default=0, is_whole=True)),
            in_another,
            int(_number(left_out, "complained_within_days", inside, least=0, most=3650, default=0, is_whole=True)),
        ),
    )


def _number(
    said: dict[str, Any],
    key: str,
    where: str,
    *,
    least: float,
    most: float,
    default: float | None = None,
    is_whole: bool = False,
) -> float:
    value: Any = said.get(key, default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
    if not is_number or (is_whole and value != int(value)):
        kind = "a whole number" if is_whole else "a number"
        raise InputError(f"{where}: {key} must be {kind} from {least:g} to {most:g}, not {value!r}.")
    return float(value)
