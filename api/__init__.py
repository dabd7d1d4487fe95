"""The door for programs: a REST API over what is published and the shipped models. See ``python -m api --help``."""
