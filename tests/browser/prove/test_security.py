"""The Content-Security-Policy in a real browser: nothing of ours is blocked, all that is not is."""

import pytest

from chat.models import User
from housekeeping.models import Hold, Run
from tests import make
from tests.browser.conftest import PASSWORD, sign_in
from tests.make import days

EVIL = (
    """"'><img src=x onerror="window.evil=1"><b hx-get="/evil" hx-trigger="load"></b>"""
    "<script>evil=1</script>"
)


@pytest.fixture
def evil(site):
    """Text with markup in it, wherever somebody could have put it."""
    talk = make.conversation(user=User.objects.get(), title=EVIL, age=days(31), messages=1)
    hold = Hold.objects.create(model="chat.User", key="1", reason=EVIL)
    run = make.run("stats", status="failed", error=EVIL, traceback=EVIL, requested_by=EVIL[:150])
    return talk, hold, run


def watch(page):
    """Requests for /evil, and the policy's own word on what it has blocked."""
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/evil" in request.url else None)
    page.add_init_script(
        "addEventListener('securitypolicyviolation', e => console.error('blocked: ' + e.violatedDirective))"
    )
    return asked


@pytest.mark.parametrize("size", [(1280, 900), (390, 844)], ids=["desktop", "phone"])
def test_no_page_of_the_dashboard_needs_what_the_policy_forbids(size, site, evil, open_page):
    _, _, run = evil
    page = open_page(viewport={"width": size[0], "height": size[1]})
    asked = watch(page)
    sign_in(page, site)

    for path in (
        "/scheduler-admin",
        "/scheduler-admin/runs",
        "/scheduler-admin/trends",
        "/scheduler-admin/tables",
        "/scheduler-admin/holds",
        "/scheduler-admin/erasures",
        "/password",
        f"/scheduler-admin/runs/{run.pk}",
        "/scheduler-admin/schedules/weekly_cleanup",
        "/scheduler-admin/policies/conversations",
        "/scheduler-admin/policies/conversations/preview",
    ):
        page.goto(site + path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.evil") is None, path

    assert asked == []


def test_no_page_of_django_s_admin_needs_it_either(site, evil, open_page):
    talk, hold, _ = evil
    ada = User.objects.get()
    page = open_page()
    asked = watch(page)
    sign_in(page, site)

    for path in (
        "/admin/",
        "/admin/chat/user/",
        "/admin/chat/user/add/",
        f"/admin/chat/user/{ada.pk}/change/",
        f"/admin/chat/user/{ada.pk}/password/",
        f"/admin/chat/user/{ada.pk}/history/",
        f"/admin/chat/user/{ada.pk}/delete/",
        "/admin/chat/conversation/?q=img",
        f"/admin/chat/conversation/{talk.pk}/change/",
        "/admin/auth/group/add/",
        "/admin/housekeeping/hold/",
        f"/admin/housekeeping/hold/{hold.pk}/change/",
        "/admin/axes/accessattempt/",
        "/admin/axes/accesslog/",
        "/admin/token_blacklist/outstandingtoken/",
        "/admin/password_change/",
    ):
        assert page.goto(site + path).status == 200, path
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.evil") is None, path

    assert asked == []


def test_django_s_admin_works_under_the_policy(processes, site, evil, open_page):
    # A server of its own: the shared one knows the keys of content types from before the last flush.
    _, site = processes.site("--noreload", HOUSEKEEPING_AUTOSTART="false")
    page = open_page()
    watch(page)
    sign_in(page, site)

    page.goto(f"{site}/admin/housekeeping/hold/add/")
    page.get_by_label("Model").select_option("chat.User")
    page.get_by_role("textbox", name="Key").fill(str(User.objects.get().pk))
    page.get_by_role("link", name="Today").click()  # a script fills the date in
    page.get_by_role("link", name="Now").click()
    page.locator("#id_until_0").fill("2099-12-31")
    page.get_by_label("Reason").fill("evidence")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("was added successfully").wait_for()

    assert Hold.objects.get(reason="evidence").until.year in (2099, 2100)


def test_error_pages_are_shown_without_a_word_on_the_console_but_their_status(site, chromium):
    context = chromium.new_context()
    page = context.new_page()
    words = []
    page.on("console", lambda message: words.append(message.text) if message.type == "error" else None)
    watch(page)

    for path in ("/no/such/page", "/verify/made-up", "/sign-in"):
        page.goto(site + path)
    for _ in range(5):
        page.get_by_label("User name").fill("ada")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Too many attempts").wait_for()
    context.close()

    assert [word for word in words if "blocked" in word or "Content Security" in word] == []


def test_what_is_not_ours_does_not_run(site, chromium):
    context = chromium.new_context()
    page = context.new_page()
    words = []
    page.on("console", lambda message: words.append(message.text))
    page.goto(f"{site}/sign-in")

    page.evaluate(
        """() => {
            const add = (tag, facts) =>
                document.body.append(Object.assign(document.createElement(tag), facts))
            add('script', {textContent: 'window.inline = 1'})
            add('script', {src: 'data:text/javascript,window.data = 1'})
            document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.handler = 1">')
            document.body.insertAdjacentHTML('beforeend', '<p id=styled style="color: red">')
            document.body.insertAdjacentHTML('beforeend', '<iframe src="data:text/html,x"></iframe>')
        }"""
    )
    page.wait_for_timeout(300)
    ran = page.evaluate("[window.inline, window.data, window.handler].filter(Boolean).length")
    colour = page.evaluate("getComputedStyle(document.querySelector('#styled')).color")
    context.close()

    assert ran == 0
    assert colour != "rgb(255, 0, 0)"
    assert len([word for word in words if "Content Security Policy" in word]) >= 4


def test_after_the_sign_out_the_back_button_shows_nothing(site, open_page):
    page = open_page()
    sign_in(page, site)
    page.goto(f"{site}/scheduler-admin/runs")

    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.go_back()

    page.wait_for_url("**/sign-in?next=**")
    assert page.get_by_label("Password").input_value() == ""


def test_the_sign_in_is_throttled_in_the_browser_and_says_so(site, chromium):
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{site}/sign-in")
    for word in ["wrong"] * 5 + [PASSWORD]:
        if page.get_by_label("Password").count() == 0:
            page.goto(f"{site}/sign-in")
        page.get_by_label("User name").fill("ada")
        page.get_by_label("Password").fill(word)
        page.get_by_role("button", name="Sign in").click()

    page.get_by_text("Too many attempts").wait_for()
    context.close()

    assert not Run.objects.exists()
