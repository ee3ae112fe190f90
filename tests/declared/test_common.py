"""Words that mean no person, from all modules."""

import sys
import threading
from types import ModuleType

import pytest

from housekeeping.declared import common


@pytest.fixture
def imports():
    """Another thread that imports modules, and adds names to one of ours, as fast as it can."""
    name, done = "housekeeping.engine.made_up", threading.Event()
    made = sys.modules[name] = ModuleType(name)

    def work():
        number = 0
        while not done.is_set():
            number += 1
            sys.modules[f"{name}.m{number % 5_000}"] = made
            setattr(made, f"name{number % 5_000}", number)
            if number % 5_000 == 0:
                for each in range(5_000):
                    sys.modules.pop(f"{name}.m{each}", None)
                    vars(made).pop(f"name{each}", None)

    thread, before = threading.Thread(target=work), sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # seconds
    thread.start()
    yield
    done.set()
    thread.join()
    sys.setswitchinterval(before)
    for each in [each for each in sys.modules if each.startswith(name)]:
        del sys.modules[each]


def test_another_thread_may_import_meanwhile(imports, db):
    for _ in range(50):
        assert "housekeeping" in common.words_of_site()
