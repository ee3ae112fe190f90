"""The description of the API as a page, under the policy that the site promises."""

import pytest

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def docs(live_server, open_page):
    def open_docs(**options):
        page = open_page(**options)  # what the policy blocks is an error in the console, and fails the test
        answer = page.goto(f"{live_server.url}/api/docs")
        assert "default-src 'self'" in answer.header_value("Content-Security-Policy")  # in any order
        return page

    return open_docs


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_an_operation_opens_and_nothing_sticks_out(docs, width, scheme):
    page = docs(viewport={"width": width, "height": 900}, color_scheme=scheme)

    page.locator("#trigger summary").click()

    assert page.locator("#trigger").get_by_text("Idempotency-Key", exact=True).is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_answer_leads_to_its_shape(docs):
    page = docs()
    page.locator("#get_run summary").click()

    page.locator("#get_run").get_by_role("link", name="RunInFull", exact=True).click()

    assert page.url.endswith("#shape-RunInFull")


def test_it_works_without_javascript(docs):
    page = docs(java_script_enabled=False)

    page.locator("#trigger summary").click()

    assert page.locator("#trigger").get_by_text("Answers", exact=True).is_visible()
