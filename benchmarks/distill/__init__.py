"""Benchmarks of distillation: `python -m benchmarks.distill --help`."""
