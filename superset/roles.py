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


def restrict_to_state(manager: Any, name: str, state: str) -> None:
    """Let a person see one state's rows only, wherever rows have a state.

    Parameters
    ----------
    manager
        Superset's security manager.
    name : str
        The person's user name.
    state : str
        Two letters, for example ``SP``.
    """
    from superset.connectors.sqla.models import RowLevelSecurityFilter

    from superset import db  # type: ignore[attr-defined]  # our folder is not that package

    state = state.upper()
    if len(state) != 2 or not state.isalpha():
        raise ValueError(f"a state is two letters, not {state!r}")
    role = manager.add_role(f"{STATE_ROLE}{state}")
    user = manager.find_user(username=name)
    # One state at a time: with two of these roles a row would have to be in both.
    user.roles = [one for one in user.roles if not one.name.startswith(STATE_ROLE)] + [role]
    if not db.session.query(RowLevelSecurityFilter).filter_by(name=role.name).count():
        rule = RowLevelSecurityFilter(
            name=role.name,
            description="Rows of one state only, for a regional manager.",
            filter_type="Regular",
            clause=f"{STATE_COLUMN} = '{state}'",
            roles=[role],
        )
        db.session.add(rule)
    db.session.commit()
    refresh_states()


def password() -> str:
    """Return a generated password: 20 characters, some of each kind that the complexity rule asks for."""
    kinds = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "-_.+")
    while True:
        word = "".join(secrets.choice("".join(kinds)) for _ in range(20))
        if sum(letter in kinds[1] for letter in word) >= 2 and all(set(kind) & set(word) for kind in kinds):
            return word


def add_user(manager: Any, name: str, role: str) -> str:
    """Add a person with a generated password, or give a known person the role and a new password.

    Returns
    -------
    str
        The password; it is stored nowhere else in readable form.
    """
    word = password()
    wanted = manager.find_role(role)
    if wanted is None or role not in ROLES:
        raise ValueError(f"no role {role!r}; there are {', '.join(ROLES)}")
    if user := manager.find_user(username=name):
        user.roles = [wanted]
        manager.reset_password(user.id, word)
        manager.update_user(user)
    elif not manager.add_user(name, name, role, f"{name}@example.invalid", wanted, password=word):
        raise RuntimeError(f"the user {name!r} could not be added; the log says why")
    return word
