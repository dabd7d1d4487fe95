"""A model from any table with one row a customer and a label: see ``python -m scoring.table --help``."""
