"""What a new customer's first purchase says of their future: see ``python -m scoring.first_purchase --help``."""
