"""What every test has: no deadline a property test could miss on a busy machine."""

from hypothesis import settings

settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")
