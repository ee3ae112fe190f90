"""The first requests after a start come together, as a proxy holds them back until the site is up."""

import json
import os
import subprocess
import sys

from tests.processes import ROOT

ADDRESSES = ["/api/docs", "/api/schema", "/sign-in", "/healthz"]
ASK_AT_ONCE = """
import json, sys, threading
from wsgiref.util import setup_testing_defaults

sys.setswitchinterval(1e-5)  # threads change places as often as on a busy machine
from site_config.wsgi import application

together, answers = threading.Barrier(24), []

def ask(path):
    request = {"PATH_INFO": path, "REQUEST_METHOD": "GET", "HTTP_HOST": "localhost"}
    setup_testing_defaults(request)
    together.wait()
    application(request, lambda status, headers: answers.append((path, status)))

threads = [threading.Thread(target=ask, args=(path,)) for path in sys.argv[1:] * 6]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(answers))
"""


def test_six_first_requests_at_once_for_each_open_page_are_all_answered(tmp_path):
    environment = os.environ | {"DATABASE_URL": f"sqlite:////{tmp_path}/db.sqlite3", "PYTHONPATH": str(ROOT)}
    environment |= {"DJANGO_SETTINGS_MODULE": "site_config.settings", "ENV_FILE": os.devnull}
    environment |= {"HUEY_URL": f"sqlite:////{tmp_path}/huey.sqlite3", "SECRET_KEY": "x" * 60}
    command = [sys.executable, "-c", ASK_AT_ONCE, *ADDRESSES]

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    answers = [tuple(one) for one in json.loads(done.stdout.splitlines()[-1])]
    assert sorted(answers) == sorted((path, "200 OK") for path in ADDRESSES * 6), done.stderr[-2000:]
