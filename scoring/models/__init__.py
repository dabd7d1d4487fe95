"""Estimators without I/O: arrays in, learned state out."""
