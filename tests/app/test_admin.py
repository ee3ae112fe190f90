"""The mixins for a project's own ModelAdmin classes, on a page with an inline that may delete rows."""

import json
from datetime import date

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.urls import path

from chat.models import ChatMessage, Conversation
from housekeeping.admin import RecordsActs, RefusesHeld
from housekeeping.models import Act, Hold
from site_config import urls
from tests import make
from tests.zoo.models import Animal, Keeper

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

site = admin.AdminSite("inlines")


class Messages(admin.TabularInline):
    model = ChatMessage
    extra = 0
    fields = ["role", "content"]


@admin.register(Conversation, site=site)
class Conversations(RefusesHeld, RecordsActs, admin.ModelAdmin):
    fields = ["title"]
    inlines = [Messages]


@admin.register(Animal, site=site)
class Animals(RecordsActs, admin.ModelAdmin):
    fields = ["number", "weight", "born", "is_tame", "guide", "keepers"]
    recorded_fields = dict.fromkeys(fields, "change")


urlpatterns = [path("inlines/", site.urls), *urls.urlpatterns]


@pytest.fixture
def browser(client, administrator):
    client.force_login(administrator)
    return client


def delete_messages(browser, conversation, *deleted, **changed):
    """Save the page of the conversation, with the box that deletes these messages ticked.

    ``changed``: values of the other messages.
    """
    messages = list(conversation.messages.order_by("pk"))
    form = {
        "title": "Renamed",
        "messages-TOTAL_FORMS": len(messages),
        "messages-INITIAL_FORMS": len(messages),
    }
    for number, message in enumerate(messages):
        row = {"id": message.pk, "conversation": conversation.pk, "role": message.role}
        row |= {"content": message.content} | ({"DELETE": "on"} if message in deleted else changed)
        form |= {f"messages-{number}-{name}": value for name, value in row.items()}
    return browser.post(f"/inlines/chat/conversation/{conversation.pk}/change/", form, follow=True)


@pytest.mark.parametrize("held", ["message", "conversation"])
def test_a_row_on_hold_is_not_deleted_by_an_inline(browser, held):
    conversation = make.conversation(title="Backups", messages=2)
    message = conversation.messages.first()
    row = message if held == "message" else conversation
    Hold.objects.create(model=row._meta.label, key=str(row.pk), reason="A dispute")

    answer = delete_messages(browser, conversation, message)

    conversation.refresh_from_db()
    assert f"{row.pk} is on hold indefinitely: A dispute" in answer.text
    assert (conversation.title, conversation.messages.count()) == ("Backups", 2)
    assert not LogEntry.objects.exists()
    assert not Act.objects.exists()


def test_an_inline_deletes_a_row_that_is_not_on_hold(browser):
    conversation = make.conversation(messages=2)
    one, other = conversation.messages.order_by("pk")
    Hold.objects.create(model="chat.ChatMessage", key=str(other.pk), reason="A dispute")

    delete_messages(browser, conversation, one)

    assert list(conversation.messages.all()) == [other]


def test_each_row_that_an_inline_deletes_is_on_record_by_its_key(browser):
    conversation = make.conversation(messages=3)
    one, two, three = conversation.messages.order_by("pk")

    delete_messages(browser, conversation, one, two, content="Edited")

    recorded = list(Act.objects.order_by("pk").values_list("who", "what", "target"))
    assert recorded == [("ada", "delete", f"chat.ChatMessage {row.pk}") for row in (one, two)]
    _title, changed, *deleted = json.loads(LogEntry.objects.get().change_message)
    assert changed["changed"]["object"] == f"chat.ChatMessage {three.pk}"
    assert [entry["deleted"]["object"] for entry in deleted] == [target for _who, _what, target in recorded]


def test_a_change_is_on_record_whatever_the_type_of_its_field(browser):
    old, new = Keeper.objects.create(name="Ada"), Keeper.objects.create(name="Grace")
    animal = Animal.objects.create(number=1, born=date(2020, 1, 1), weight=2, is_tame=False, guide=old)
    form = {"number": 7, "weight": "2.5", "born": "2024-02-29", "is_tame": "true"}

    browser.post(
        f"/inlines/zoo/animal/{animal.pk}/change/", form | {"guide": new.pk, "keepers": [new.pk, old.pk]}
    )

    before = {"number": 1, "weight": "2.00000", "born": "2020-01-01", "is_tame": False}
    after = {"number": 7, "weight": "2.5", "born": "2024-02-29", "is_tame": True}
    assert Act.objects.get().details == {
        "before": before | {"guide": old.pk, "keepers": []},
        "after": after | {"guide": new.pk, "keepers": sorted([str(new), str(old)])},
    }
