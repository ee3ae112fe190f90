"""The tables in the browser: found by keys, filtered by typing, and a policy chosen on a table's page."""

from django.utils import timezone

from housekeeping.reading.tables import measuring
from tests import make
from tests.make import days


def test_from_the_list_to_a_policy(visit):
    make.conversation(age=days(100), messages=2)
    measuring.measure(timezone.now())
    page = visit()

    page.keyboard.press("g")
    page.keyboard.press("b")
    page.wait_for_url("**/tables")  # with its scripts, which hear the next key
    page.keyboard.press("/")
    page.keyboard.type("conversation")
    rows = [row.inner_text().split()[0] for row in page.locator("tr.task").all() if row.is_visible()]
    assert rows == ["chat_conversation"]

    page.get_by_role("link", name="chat_conversation").click()
    page.get_by_label("Age counts from").select_option("created_at")
    page.get_by_label("Keep rows for so many days").fill("90")
    page.get_by_role("button", name="Preview impact").click()
    page.wait_for_url("**days=90**")

    assert "retention=timedelta(days=90)" in page.locator("pre.block").inner_text()
    assert page.locator("#policy .facts").inner_text().split("\n") == [
        "chat.Conversation", "1 row", "chat.ChatMessage", "2 rows",
    ]  # fmt: skip
