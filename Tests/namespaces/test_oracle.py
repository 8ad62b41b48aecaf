"""keepalived's configurations, run by keepalived and as imported by linkwatch-vrrp: the wire and the kernel are the same, or
the report of the import names the difference. `Tests/oracle FILE` shows all of it for one file.

The small files of `lab/oracle/configurations` have one or two of each thing that a file can say. LINKWATCH_CONFIGURATIONS
names a folder of others, as `make soak` does, and LINKWATCH_KEEPALIVED a suite of Debian whose keepalived is run. All of
them wait for adverts side by side.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.namespaces import why_not
from lab.oracle import release
from lab.oracle.trial import trial

FOLDER = Path(os.environ.get("LINKWATCH_CONFIGURATIONS") or Path(__file__).parents[1] / "lab/oracle/configurations")
SUITE = os.environ.get("LINKWATCH_KEEPALIVED")
FILES = sorted(FOLDER.glob("*.conf"))
JOBS = 14
ALTERED = "altered"


@pytest.fixture(scope="module")
def results():
    """By the file's name, what became of its trial, which may be the exception that it raised; `ALTERED` is one whose import
    was changed."""
    try:
        keepalived = release.unpacked(SUITE) if SUITE else release.installed()
    except release.Unavailable as error:
        pytest.skip(str(error))
    if reason := why_not() or (None if keepalived else "keepalived is not installed"):
        pytest.skip(reason)

    def run(path: Path, **options):
        try:
            return trial(path, None, keepalived, **options)
        except Exception as error:
            return error

    with ThreadPoolExecutor(JOBS) as pool:
        running = {path.name: pool.submit(run, path) for path in FILES}
        running[ALTERED] = pool.submit(run, FILES[0], alter=lambda toml: toml.replace("priority =", "priority = 7 #", 1))
        yield {name: future.result() for name, future in running.items()}


def outcome(results, name: str):
    result = results[name]
    if isinstance(result, Exception):
        raise result
    return result


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_is_as_with_keepalived(results, path):
    result = outcome(results, path.name)
    if result.reason:
        pytest.skip(result.reason)
    assert not result.unnamed, "\n".join(map(str, (*result.unnamed, *result.report)))
    assert result.is_seen, "neither of them sent an advert or held an address"


def test_a_difference_is_found(results):
    found = outcome(results, ALTERED).unnamed
    assert found and {difference.kind for difference in found} == {"priority"}
