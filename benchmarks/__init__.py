"""How long everything takes on this machine, beside rivals that do the same work."""
