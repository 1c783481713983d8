"""Fixtures of the film tests: an own cache folder, one film with everything, and every ffmpeg that is installed."""

import shutil

import pytest
from helpers import films

from vsduf.film import probe

PROGRAMS = list(dict.fromkeys(name for name in (shutil.which("ffmpeg"), films.FFMPEG) if name))


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def full(tmp_path_factory):
    return films.full_film(tmp_path_factory.mktemp("full"))


@pytest.fixture(params=PROGRAMS, ids=films.version)
def each_ffmpeg(request, monkeypatch):
    """The test runs once with the ffmpeg of PATH and once with that of imageio-ffmpeg."""
    monkeypatch.setattr(probe, "program", lambda: request.param)
    return request.param
