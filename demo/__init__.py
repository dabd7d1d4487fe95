"""A fictional shop in the shape of the Olist files, with a known repeat-purchase process behind it."""

from demo.shop import DemoError, generate

__all__ = ["DemoError", "generate"]
