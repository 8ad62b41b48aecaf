"""Fixtures of the tests in namespaces. Without root they skip, and say so."""

import pytest

from lab.daemon import Daemon
from lab.namespaces import Namespaces, why_not
from lab.pair import Pair


@pytest.fixture
def namespaces():
    """Makes namespaces for one test; whatever happens they are gone afterwards."""
    if reason := why_not():
        pytest.skip(reason)
    with Namespaces() as made:
        yield made


@pytest.fixture
def daemon_in(namespaces):
    """Starts daemons in a namespace and ends them before the namespace goes."""
    running = []

    def start(namespace: str, *arguments: str, **options) -> Daemon:
        running.append(Daemon(namespaces, namespace, *arguments, **options))
        return running[-1]

    yield start
    for daemon in running:
        daemon.close()


@pytest.fixture
def pair(namespaces):
    """Makes two directors that serve; `prepare` is called with the pair before it starts."""
    made = []

    def make(prepare=lambda pair: None, **options) -> Pair:
        made.append(Pair(namespaces, **options))
        prepare(made[-1])
        return made[-1].start()

    yield make
    for one in made:
        one.close()


@pytest.fixture
def say(request):
    """Prints a line of figures even though pytest keeps the output of tests that pass to itself."""

    def print_line(text: str) -> None:
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f"\n  {text}", end="")

    return print_line
