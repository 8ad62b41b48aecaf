"""The wire lab's fixtures. A machine that cannot be built here skips its tests and says why."""

import pytest

from wirelab import kernel
from wirelab.vm import Vm


@pytest.fixture(scope="module")
def boot(request):
    """Boots virtual machines, prints how long that took, and kills them when the module's tests are over."""
    running = []

    def start(nics, **options) -> Vm:
        try:
            vm = Vm(nics, **options)
        except kernel.Unavailable as missing:
            pytest.skip(str(missing))
        running.append(vm)
        models = " ".join(dict.fromkeys(nic.model for nic in nics))
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f"\nwire lab: {len(nics)} cards ({models}), booted in {vm.boot_seconds:.1f} s")
        return vm

    yield start
    for vm in running:
        vm.close()


@pytest.fixture
def say(request):
    """Prints a line of figures even though pytest keeps the output of tests that pass to itself."""

    def print_line(text: str) -> None:
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(text)

    return print_line
