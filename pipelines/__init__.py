"""The Dagster code location (`Definitions`, jobs, schedules, a sensor), the run planner and the command line."""
