"""A reason, a name or an error of 500 characters without a space never widens a page, nor is it cut off."""

import pytest
from django.conf import settings as django_settings
from django.test import Client

from housekeeping.models import Act, Hold, LogLine, PolicyState, Run
from tests import make
from tests.browser import world

HOME = world.HOME
LONG = "long_without_a_space." * 24  # 504 characters
SIZES = {"desktop": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}

# The texts that reach over an edge of the screen where nobody could scroll to them, nor knows of the rest.
CUT_OFF = """() => {
  const isKept = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { overflowX, textOverflow, clipPath } = getComputedStyle(at);
      if (/auto|scroll/.test(overflowX) || textOverflow === "ellipsis" || clipPath !== "none") return true;
      if (at.matches(".skip, svg, option, .tip[hidden]")) return true;
    }
    return false;
  };
  const found = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { parentElement } = texts.currentNode, range = document.createRange();
    if (!parentElement.checkVisibility() || isKept(parentElement)) continue;
    range.selectNodeContents(texts.currentNode);
    for (const { left, right, width } of range.getClientRects()) {
      if (width && (right > innerWidth + 1 || left < -1)) {
        const text = texts.currentNode.data.trim().slice(0, 60);
        found.push(`${parentElement.tagName}.${parentElement.className}: ${text}`);
        break;
      }
    }
  }
  return found;
}"""


@pytest.fixture
def made(site):
    made = world.a_night()
    who = {"requested_by": LONG[:150], "requested_at": make.ago(hours=2)}
    made["long"] = make.run(
        LONG[:100], status="failed", error=f"ProtectedError: {LONG}", traceback=LONG * 3, schedule=LONG[:100],
        result={LONG: 1, "stats": {LONG: LONG}}, **who,
    )  # fmt: skip
    made["of stats"] = make.run("users", status="held", error=LONG, approved_by=LONG[:150], **who)
    LogLine.objects.create(run=made["long"], logged_at=make.ago(), level="ERROR", text=LONG)
    Run.objects.filter(status="failed", task="users").update(error=LONG)
    Hold.objects.create(model="chat.Conversation", key=LONG[:100], reason=LONG[:200], made_by=LONG[:150])
    details = {"before": {"trigger": LONG, "retention_days": LONG}, "after": {"trigger": LONG}, "note": LONG}
    for target in ("weekly_cleanup", "conversations", str(made["long"].pk)):
        by = {"who": LONG[:150], "what": LONG[:50], "origin": LONG[:200]}
        Act.objects.create(done_at=make.ago(), target=target, details=details, **by)
    PolicyState.objects.create(
        name="conversations", retention_days=29, changed_by=LONG[:150], changed_at=make.ago()
    )
    make.consumer(host=LONG[:100])
    return made


@pytest.fixture
def show(site, open_page, made):
    """Opens pages as somebody with a long name, and tells what is wider than the screen or cut off."""

    def at_size(size, theme="light"):
        client = Client()
        client.force_login(make.administrator(username=LONG[:150]))
        name = django_settings.SESSION_COOKIE_NAME
        page = open_page(viewport=SIZES[size], color_scheme=theme, expect_errors=True)
        page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": site}])
        return page

    return at_size


def too_wide(page):
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return [*page.evaluate(CUT_OFF), *(["the page"] if wide else [])]


@pytest.mark.parametrize("size", SIZES)
def test_no_long_text_widens_a_page(show, site, made, size):
    page, found = show(size), {}
    paths = world.pages(made, make.visitor()) | {
        "policy typed": f"{HOME}/policies/conversations?retention_days={LONG}",
        "schedule typed": f"{HOME}/schedules/weekly_cleanup?trigger={LONG[:190]}",
        "schedule too long": f"{HOME}/schedules/weekly_cleanup?trigger=%7B{LONG}",
        "runs searched": f"{HOME}/runs?text={LONG[:190]}&who={LONG[:140]}",
        "acts searched": f"{HOME}/history?who={LONG[:140]}&target={LONG[:90]}",
        "task": f"{HOME}/tasks/conversations",
    }

    for name, path in paths.items():
        if name in ("docs", "verify"):
            continue
        page.goto(site + path)
        page.evaluate("for (const one of document.querySelectorAll('main details')) one.open = true")
        found[name] = too_wide(page)

    assert {name: places for name, places in found.items() if places} == {}


@pytest.mark.parametrize("size", SIZES)
def test_no_long_text_widens_a_dialog_or_an_answer(show, site, made, size):
    page = show(size)

    def look(text):
        page.get_by_text(text).first.wait_for()
        assert too_wide(page) == []

    page.goto(f"{site}{HOME}/holds")
    row = page.locator("tr[id^=hold-]", has_text=LONG[:100])
    row.get_by_role("button", name="End").click()
    look("End the hold on chat.Conversation")
    page.locator("#question [value=yes]").click()
    look(f"The hold on chat.Conversation {LONG[:60]}")
    page.get_by_role("textbox", name="Key").fill(LONG[:100])
    page.get_by_label("Reason").fill(LONG[:200])
    page.get_by_role("button", name="Put on hold").click()
    look("Not saved: There is no chat.Conversation with the key")

    make.run(LONG[:100])
    page.goto(f"{site}{HOME}")
    page.get_by_role("button", name=f"Cancel {LONG[:60]}").click()
    page.locator("#question [value=yes]").click()
    look(f"{LONG[:100]}: cancelled")
    page.locator("#task-users").get_by_role("button", name="Actions").click()
    look("Open the task's page")

    make.consumer(age=make.days(91))
    page.goto(f"{site}{HOME}/tasks/history/trigger")
    page.get_by_label("Type history to confirm").fill(LONG[:100])
    page.get_by_role("button", name="Delete them").click()
    look("Nothing was done: what was typed is not")
