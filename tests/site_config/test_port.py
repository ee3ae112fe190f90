import socket

import pytest

from tests.services import free_port
from tests.site_config import site


def test_a_taken_port_is_named_with_a_way_out_before_anything_else_happens(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        process = site.python(site.PROJECT, "-m", "site_config.port", str(port))

    assert process.returncode == 1
    assert process.stderr.startswith(f"Port {port} can't be used: Address already in use.")
    assert "make run PORT=" in process.stderr
    assert len(process.stderr.splitlines()) == 1


@pytest.mark.parametrize("reloader", [[], ["--noreload"]], ids=["reloader", "no reloader"])
def test_runserver_names_a_taken_port_and_starts_no_consumer(reloader, tmp_path):
    variables = {
        "SECRET_KEY": "x" * 50,
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
        "HUEY_URL": f"sqlite:///{tmp_path}/huey.sqlite3",
    }
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        process = site.python(
            site.PROJECT, "manage.py", "runserver", f"127.0.0.1:{port}", *reloader, **variables
        )

    assert process.returncode == 1
    assert f"Port {port} can't be used: Address already in use." in process.stderr
    assert "runserver " in process.stderr.splitlines()[-1]
    assert "Huey consumer" not in process.stdout + process.stderr


def test_a_free_port_is_passed_in_silence():
    process = site.python(site.PROJECT, "-m", "site_config.port", str(free_port()))

    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")


@pytest.mark.parametrize("port", ["", "http", "0", "70000"])
def test_what_is_no_port_is_refused_in_one_line(port):
    process = site.python(site.PROJECT, "-m", "site_config.port", port)

    assert (process.returncode, len(process.stderr.splitlines())) == (1, 1)


def test_make_run_looks_at_the_port_before_it_prints_an_address():
    makefile = (site.PROJECT / "Makefile").read_text()

    assert (
        0
        < makefile.index("site_config.port")
        < makefile.index("create_demo_data")
        < makefile.index("http://")
    )
