import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from huey.contrib.djhuey import HUEY
from playwright.sync_api import sync_playwright

from chat.models import User
from tests import make, services
from tests.processes import Processes

PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def chromium():
    program = services.chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(django_db_setup, tmp_path_factory):
    """The address of a real site. The tests of a worker share it: each begins with an empty database."""
    running = Processes(tmp_path_factory.mktemp("server"))
    _, address = running.site("--noreload", HOUSEKEEPING_AUTOSTART="false")
    yield address
    running.end()


@pytest.fixture
def processes(transactional_db, tmp_path):
    running = Processes(tmp_path)
    yield running
    running.end()


@pytest.fixture
def site(server, processes):
    """The address of a real site with an administrator, and no consumer yet."""
    cache.clear()  # its table belongs to no model, so that a test leaves it as it is
    HUEY.flush()
    make.administrator(username="ada", password=PASSWORD)
    return server


@pytest.fixture
def open_page(chromium):
    """Open pages that fail the test if the browser's console shows an error."""
    contexts, errors = [], []

    def open_one(*, expect_errors=False, **options):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        if expect_errors:
            return page
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert errors == []


def sign_in(page, site, path="/scheduler-admin"):
    page.goto(site + path)
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("#overview")
    return page


@pytest.fixture
def visit(site, open_page):
    """Opens a page of the site, signed in as ada already."""
    name = settings.SESSION_COOKIE_NAME

    def open_one(path="/scheduler-admin", **options):
        page = open_page(**options)
        client = Client()
        client.force_login(User.objects.get(username="ada"))
        page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": site}])
        page.goto(site + path)
        return page

    return open_one
