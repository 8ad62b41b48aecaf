"""The wire lab's fixtures. A machine that cannot be built here skips its tests and says why."""

import pytest

from wirelab import kernel
from wirelab.vm import Vm


@pytest.fixture
def boot(request):
    """Boots virtual machines for one test; they are killed when it is over."""
    yield from _starter(request)


@pytest.fixture(scope="module")
def boot_for_all(request):
    """As `boot`, for all tests of a module."""
    yield from _starter(request)


def _starter(request):
    running = []

    def start(nics, **options) -> Vm:
        try:
            vm = Vm(nics, **options)
        except kernel.Unavailable as missing:
            pytest.skip(str(missing))
        running.append(vm)
        models = " ".join(dict.fromkeys(nic.model for nic in nics))
        _print(request, f"\nwire lab: {len(nics)} cards ({models}), booted in {vm.boot_seconds:.1f} s")
        return vm

    yield start
    for vm in running:
        vm.close()


def _print(request, text: str) -> None:
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(text)


@pytest.fixture
def say(request):
    """Prints a line of figures even though pytest keeps the output of tests that pass to itself."""

    return lambda text: _print(request, text)
