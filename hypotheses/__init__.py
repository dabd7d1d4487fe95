"""Statistics from counts, and verdicts on the declared hypotheses: no files, no database."""
