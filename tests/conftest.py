"""What all tests share: how much Hypothesis tries, as `HYPOTHESIS_PROFILE` says, and a browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import strategies

strategies.load_profile()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start Chromium; without one the tests that need it are skipped."""
    api = pytest.importorskip("playwright.sync_api")
    found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    path = next((name for name in found if name), None)
    with api.sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        except api.Error as error:
            pytest.skip(f"no Chromium starts: {str(error).splitlines()[0]}")
        yield chromium
        chromium.close()
