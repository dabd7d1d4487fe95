"""Churn scoring: who comes back within the horizon, how sure we are, and why. See ``python -m scoring --help``."""
