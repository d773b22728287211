"""Hypothesis always tries the same examples here, so that a failure is nobody's bad luck.

`HYPOTHESIS_PROFILE=fuzz` tries new and many ones, and prints how to repeat the one that fails.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("fixed", max_examples=200, derandomize=True, deadline=None, database=None)
settings.register_profile(
    "fuzz",
    max_examples=3_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))
