"""Roles: what each may do, as lists of what is allowed. What is not named here is refused.

Runs inside Superset's application context.
"""

from __future__ import annotations

import secrets
import string
from typing import Any

STAKEHOLDER, MARKETING, ANALYST, ADMIN = "Stakeholder", "Marketing", "Analyst", "Admin"
# A role of this name and a state carries no permission of its own, only the rule that cuts rows.
STATE_ROLE, STATE_COLUMN = "State ", "customer_state"
ROLES = (STAKEHOLDER, MARKETING, ANALYST, ADMIN)
# Whoever may type SQL sees all rows; the rules that cut them are Superset's, for charts.
SEES_ALL, CAN_BE_LIMITED = (ANALYST, ADMIN), (STAKEHOLDER, MARKETING)
ALL_STATES, LONGEST_NAME = "all", 64


class RefusedPersonError(ValueError):
    """What was asked for a person cannot be; nothing has changed."""


# Look at dashboards: draw their charts, move their filters, share their address.
LOOK = {
    ("can_read", "Dashboard"),
    ("can_read", "Chart"),
    ("can_dashboard", "Superset"),
    ("can_explore_json", "Superset"),
    ("can_dashboard_permalink", "Superset"),
    ("can_read", "DashboardPermalinkRestApi"),
    ("can_write", "DashboardPermalinkRestApi"),
    ("can_read", "DashboardFilterStateRestApi"),
    ("can_write", "DashboardFilterStateRestApi"),
    ("can_time_range", "Api"),
    ("can_query_form_data", "Api"),
    ("can_query", "Api"),
    ("can_read", "CssTemplate"),
    ("can_read", "Theme"),
    ("can_read", "CurrentUserRestApi"),
    ("can_write", "CurrentUserRestApi"),
    ("can_read", "SecurityRestApi"),
    ("can_userinfo", "UserDBModelView"),
    ("resetmypassword", "UserDBModelView"),
    ("can_this_form_get", "ResetMyPasswordView"),
    ("can_this_form_post", "ResetMyPasswordView"),
    ("can_get", "MenuApi"),
    ("can_list", "DashboardModelView"),
    ("menu_access", "Dashboards"),
    ("can_view_chart_as_table", "Dashboard"),
    ("can_recent_activity", "Log"),
    ("can_list", "DynamicPlugin"),
    # Every page reports what its visitor looked at, and answers an error of its own when it may not.
    ("can_log", "Superset"),
}

# Marketing takes the lists away as CSV.
TAKE = LOOK | {("can_csv", "Superset")}


def _named(manager: Any, pairs: set[tuple[str, str]]) -> list[Any]:
    """Permissions by name; Superset's versions differ in which of them exist."""
    found = [manager.find_permission_view_menu(*pair) for pair in sorted(pairs)]
    return [permission for permission in found if permission is not None]


def _set(manager: Any, name: str, permissions: list[Any]) -> Any:
    """Give a role exactly these permissions."""
    from superset import db  # type: ignore[attr-defined]  # our folder is not that package

    role = manager.add_role(name)
    wanted = {permission.id: permission for permission in permissions}
    if {permission.id for permission in role.permissions} != set(wanted):
        role.permissions = list(wanted.values())
        db.session.commit()
    return role


def define(manager: Any, databases: list[Any]) -> dict[str, Any]:
    """Create the roles, or put them back to what is written here.

    Parameters
    ----------
    manager
        Superset's security manager.
    databases
        Superset's records of the published files. Only analysts may ask them directly; others see their tables through
        the dashboards that are open to them.
    """
    analyst = [
        permission
        for base in ("Gamma", "sql_lab")
        for permission in manager.find_role(base).permissions
        # A file that is uploaded has no place to go, and the examples of other people's data none here.
        if permission.permission.name not in ("can_upload", "can_import_", "can_set_embedded")
    ]
    analyst += [manager.add_permission_view_menu("database_access", one.perm) for one in databases]
    return {
        STAKEHOLDER: _set(manager, STAKEHOLDER, _named(manager, LOOK)),
        MARKETING: _set(manager, MARKETING, _named(manager, TAKE)),
        ANALYST: _set(manager, ANALYST, analyst),
        ADMIN: manager.find_role(ADMIN),
    }


def refresh_states() -> None:
    """Put every dataset with a state under the rules of those who may see one state only; new datasets come under them.

    Datasets without a state, such as cohorts, cannot be cut by one and show the whole shop.
    """
    from superset.connectors.sqla.models import RowLevelSecurityFilter, SqlaTable

    from superset import db  # type: ignore[attr-defined]  # our folder is not that package

    placed = [
        table
        for table in db.session.query(SqlaTable).filter_by(is_managed_externally=True)
        if STATE_COLUMN in {column.column_name for column in table.columns}
    ]
    for rule in db.session.query(RowLevelSecurityFilter).filter(RowLevelSecurityFilter.name.like(f"{STATE_ROLE}%")):
        rule.tables = placed
    db.session.commit()


def state_of(user: Any) -> str | None:
    """Return the one state a person may see, or None for all of them."""
    limited = [role.name.removeprefix(STATE_ROLE) for role in user.roles if role.name.startswith(STATE_ROLE)]
    return limited[0] if limited else None


def _role_of_state(manager: Any, state: str) -> Any:
    """Return the role that cuts rows to one state, with its rule."""
    from superset.connectors.sqla.models import RowLevelSecurityFilter

    from superset import db  # type: ignore[attr-defined]  # our folder is not that package

    role = manager.add_role(f"{STATE_ROLE}{state}")
    if not db.session.query(RowLevelSecurityFilter).filter_by(name=role.name).count():
        literal = "'" + state.replace("'", "''") + "'"
        rule = RowLevelSecurityFilter(
            name=role.name,
            description="Rows of one state only, for a regional manager.",
            filter_type="Regular",
            clause=f"{STATE_COLUMN} = {literal}",
            roles=[role],
        )
        db.session.add(rule)
        db.session.commit()
        refresh_states()
    return role


def password() -> str:
    """Return a generated password: 20 characters, some of each kind that the complexity rule asks for."""
    kinds = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "-_.+")
    while True:
        word = "".join(secrets.choice("".join(kinds)) for _ in range(20))
        if sum(letter in kinds[1] for letter in word) >= 2 and all(set(kind) & set(word) for kind in kinds):
            return word


def check_person(name: str, role: str | None, state: str | None, states: list[str]) -> str | None:
    """Look at what is asked for a person before anything changes; return the state as the warehouse writes it.

    Parameters
    ----------
    name : str
        User name.
    role : str or None
        One of ROLES; None keeps a known person's.
    state : str or None
        A state, ``all``, or None, which keeps a known person's rule.
    states : list of str
        The states of the published warehouse.

    Raises
    ------
    RefusedPersonError
        With what to do instead.
    """
    if not name or name != name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise RefusedPersonError(
            f"{name!r} is no user name: 1 to {LONGEST_NAME} letters that can be seen, no blank at an end"
        )
    if role is not None and role not in ROLES:
        raise RefusedPersonError(f"no role {role!r}; there are {', '.join(ROLES)}")
    if state is None or state.lower() == ALL_STATES:
        return state and ALL_STATES
    if role in SEES_ALL:
        raise RefusedPersonError(
            f"a person of the role {role} sees every state in SQL Lab: --state is for {', '.join(CAN_BE_LIMITED)}"
        )
    known = {one.casefold(): one for one in states}
    if state.casefold() not in known:
        raise RefusedPersonError(
            f"the warehouse has nobody in the state {state!r}; it has {', '.join(sorted(states)) or 'none'}"
        )
    return known[state.casefold()]


def add_user(manager: Any, name: str, role: str | None = None, state: str | None = None) -> str:
    """Add a person with a generated password, or give a known person a new one.

    Parameters
    ----------
    manager
        Superset's security manager.
    name : str
        User name.
    role : str or None
        None keeps a known person's role; somebody new becomes a stakeholder.
    state : str or None
        One state, as `check_person` returns it; None keeps a known person's rule.

    Returns
    -------
    str
        The password; it is stored nowhere else in readable form.

    Raises
    ------
    RefusedPersonError
        If the person would see more than the state they are limited to. Nothing has changed then.
    """
    word = password()
    user = manager.find_user(username=name)
    base = [manager.find_role(role or STAKEHOLDER)]
    if user and role is None:
        base = [one for one in user.roles if not one.name.startswith(STATE_ROLE)]
    if state is None and user:
        state = state_of(user)
    if state == ALL_STATES:
        state = None
    if state and (sees_all := sorted({one.name for one in base} & set(SEES_ALL))):
        raise RefusedPersonError(
            f"{name} would see the state {state} only, and {sees_all[0]} sees every state in SQL Lab: "
            f"add --state {ALL_STATES}, or choose a role of {', '.join(CAN_BE_LIMITED)}"
        )
    # One state at a time: with two of these roles a row would have to be in both.
    wanted = base + ([_role_of_state(manager, state)] if state else [])
    if user:
        user.roles = wanted
        manager.reset_password(user.id, word)
    elif not manager.add_user(name, name, base[0].name, f"{name}@example.invalid", wanted, password=word):
        raise RuntimeError(f"the user {name!r} could not be added; the log says why")
    return word
