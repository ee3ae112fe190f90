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
HOME = "/scheduler-admin"
PAGES = pytest.StashKey[list]()


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Tell what the pages of a test showed when it failed."""
    report = yield
    if report.failed and call.when == "call":
        for page in item.stash.get(PAGES, []):
            report.sections.append((f"Page {page.url}", page.inner_text("body")))
    return report


@pytest.fixture
def open_page(chromium, request):
    """Open pages that fail the test if the browser's console shows an error."""
    contexts, errors = [], []
    pages = request.node.stash.setdefault(PAGES, [])

    def open_one(*, expect_errors=False, **options):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        contexts.append(context)
        page = context.new_page()
        pages.append(page)
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


def sign_in(page, site, path=HOME):
    """Open a page as ada. Her password is typed in the tests of signing in."""
    client = Client()
    client.force_login(User.objects.get(username="ada"))
    name = settings.SESSION_COOKIE_NAME
    page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": site}])
    page.goto(site + path)
    return page


@pytest.fixture
def visit(site, open_page):
    """Opens a page of the site, signed in as ada already."""

    def open_one(path=HOME, **options):
        return sign_in(open_page(**options), site, path)

    return open_one
