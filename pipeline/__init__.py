"""The steps of the warehouse that are not SQL: demo shop, load, build, publish, and their one command line."""
