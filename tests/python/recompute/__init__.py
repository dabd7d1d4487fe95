"""The warehouse's important numbers, recomputed with pandas from the raw files.

Written from the definitions, never from the SQL: the two meet only in the tests. Money is whole cents (integers), so
sums are exact; ratios are doubles.
"""
