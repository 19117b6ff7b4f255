"""What every test shares: how many examples Hypothesis tries, where published data lie."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine may be slow; that is no fault of the code, so nothing here is timed.
_UNTIMED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("fast", max_examples=10, **_UNTIMED)
settings.register_profile("default", max_examples=30, **_UNTIMED)
settings.register_profile("ci", max_examples=30, derandomize=True, **_UNTIMED)
settings.register_profile("cover", max_examples=10, derandomize=True, **_UNTIMED)
settings.register_profile("slow", max_examples=10_000, **_UNTIMED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

_ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of published data; a test that needs it is skipped where it is absent."""
    named = os.environ.get("SALESPIPELINE_DATA")
    folder = Path(named) if named else _ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no published data at {folder}; name their folder in SALESPIPELINE_DATA")
    return folder
