"""Dagster assets, one file per stage. They read inputs, call another room, write a table and return its metadata."""
