"""Dagster assets, one file a stage, thin: read inputs, call a room, write a table, return metadata worth looking at."""
