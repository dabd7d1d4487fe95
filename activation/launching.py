"""Draw the arms of an audience once, and write them down for good."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Sequence

import pyarrow as pa

from activation.audiences import Audience, Declared, Settings
from activation.people import open_today
from activation.planning import Plan, expected_rate, plan_for
from pipeline.base import campaigns, paths
from pipeline.base.campaigns import CONTROL, GLOBAL_CONTROL, TREATED, draw
from pipeline.base.errors import InputError
from pipeline.base.files import read_record, write_record
from pipeline.base.locking import exclusive


def launch(declared: Declared, name: str, *, redraws_global_control: bool = False) -> tuple[str, Plan]:
    """Assign the people of an audience to its arms, and write the launch.

    Parameters
    ----------
    declared
        The file of audiences.
    name
        The audience.
    redraws_global_control
        Take over a global control whose salt or share was changed in the file.

    Returns
    -------
    launch_id : str
    plan : Plan
        What it is going to show, with the arms as drawn.

    Raises
    ------
    InputError
        A launch of this audience is not over, an arm would be empty, or the global control was changed by hand.
    """
    audience = declared.audience(name)
    paths.make_private(paths.campaigns_dir())
    with exclusive(paths.campaigns_dir()), open_today() as today:
        if running := today.running(audience):
            raise InputError(
                f"{running[0]} is not over: its arms stay as they were drawn. `python -m activation export {name} "
                "--format csv` writes its list again."
            )
        share, salt = _global_control(declared.settings, redraws=redraws_global_control)
        selection = today.select(declared, audience)
        launch_id = f"{audience.name}-{today.as_of:%Y%m%d}"
        people = selection.people["customer_id"].to_pylist()
        strata = selection.people["stratum"].to_pylist()
        arms, draws = assign(people, strata, f"{declared.settings.salt}/{launch_id}", audience, (share, salt))
        sizes = arms.count(TREATED), arms.count(CONTROL)
        if not all(sizes):
            raise InputError(
                f"{declared.file.name}, audience {name}: {sizes[0]} people would be treated and {sizes[1]} held out. "
                "With an empty arm nothing can be compared; nobody was assigned."
            )
        plan = plan_for(selection, today, share, sizes)
        count = len(people)
        common = {
            "launch_id": launch_id,
            "audience": audience.name,
            "channel": audience.channel,
            "launched_at": dt.datetime.now(dt.UTC).replace(tzinfo=None),
            "starts_on": today.as_of,
            "ends_on": today.as_of + dt.timedelta(days=audience.days),
            "condition": audience.who,
            "salt": f"{declared.settings.salt}/{launch_id}",
            "control_share": audience.control_share,
            "stratified_by": audience.stratify_by,
            "contact_cost": audience.contact_cost,
            "expected_return_rate": expected_rate(selection),
            "planned_difference": plan.smallest_difference,
        }
        of_each = {"customer_id": people, "stratum": strata, "draw": draws, "arm": arms}
        columns = {**{key: [value] * count for key, value in common.items()}, **of_each}
        campaigns.write("launches", launch_id, pa.table(columns, schema=campaigns.LAUNCH))
    return launch_id, plan


def assign(
    people: Sequence[str],
    strata: Sequence[str | None],
    salt: str,
    audience: Audience,
    global_control: tuple[float, str],
) -> tuple[list[str], list[float]]:
    """Give everyone an arm: a function of the salts and the people alone.

    Parameters
    ----------
    people, strata
        Ids, and the value within which arms are drawn.
    salt
        Of this launch.
    audience
        Says which share is held out, and whether within strata.
    global_control
        Share and salt of the people who are in no campaign.

    Returns
    -------
    arms, draws
        In the order of the people.
    """
    global_share, global_salt = global_control
    draws = [draw(salt, person) for person in people]
    arms = [GLOBAL_CONTROL if draw(global_salt, person) < global_share else TREATED for person in people]
    rest = [number for number, arm in enumerate(arms) if arm == TREATED]
    if audience.stratify_by is None:
        held_out = [number for number in rest if draws[number] < audience.control_share]
    else:
        held_out = []
        members: dict[str, list[int]] = defaultdict(list)
        for number in rest:
            members[strata[number] or ""].append(number)
        for stratum, of in members.items():
            # the fraction of a person that is left over falls to either arm by a draw of its own
            quota = math.floor(len(of) * audience.control_share + draw(salt, f"stratum {stratum}"))
            held_out += sorted(of, key=lambda number: draws[number])[:quota]
    for number in held_out:
        arms[number] = CONTROL
    return arms, draws


def _global_control(settings: Settings, *, redraws: bool) -> tuple[float, str]:
    """Return share and salt of the global control as the first launch wrote them down.

    Raises
    ------
    InputError
        The file of audiences says something else.
    """
    file = paths.campaigns_dir() / "programme.json"
    wanted = {"share": settings.global_share, "salt": settings.global_salt}
    known = read_record(file)
    if known is None and file.exists():
        raise InputError(f"{file} is damaged or was changed by hand. Put it back from a backup.")
    if known is not None and known != wanted and not redraws:
        raise InputError(
            f"The global control of this programme has share {known['share']:g} and salt {known['salt']}, and the file "
            f"of audiences says {wanted['share']:g} and {wanted['salt']}: that would move people into and out of it. "
            "Put it back, or launch with --redraw-global-control to start a new one."
        )
    if known != wanted:
        write_record(file, wanted)
    return settings.global_share, settings.global_salt
