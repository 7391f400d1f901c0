"""The Dagster code location and the command line: `Definitions`, resources, jobs, schedules, sensors, the run planner."""
