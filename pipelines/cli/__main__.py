"""`python -m pipelines.cli` is the command `videozoomer`."""

from pipelines.cli import app

app(prog_name="videozoomer")
