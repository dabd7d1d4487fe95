"""Alerts on figures of the published warehouse: declared in ``alerts.yml``, judged at each publish, told once."""
