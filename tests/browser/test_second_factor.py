"""A second factor in a real browser: set up, used, confirmed with; an app, recovery codes and a passkey."""

import pytest
from allauth.mfa.models import Authenticator

from tests.browser.conftest import PASSWORD
from tests.browser.test_dashboard import SIZES
from tests.chat.sign_in import apps

HOME = "/scheduler-admin"


@pytest.fixture
def local(site):
    """Passkeys work for names, and not for IP addresses."""
    return site.replace("127.0.0.1", "localhost")


def give_password(page, site):
    page.goto(f"{site}{HOME}")
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def sign_out(page):
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()  # else the next page could come before


def with_a_key(page):
    """Give the browser a device that holds passkeys and whose user always agrees."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    key = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]
    return session, key


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "none"])
def test_an_app_is_set_up_and_asked_for(site, open_page, javascript):
    page = open_page(java_script_enabled=javascript, viewport=SIZES["phone"])
    give_password(page, site)
    page.get_by_role("link", name="ada").click()
    page.get_by_role("link", name="Set up an authenticator app").click()
    secret = page.locator("code.secret").inner_text()
    page.get_by_role("textbox", name="Code").fill(apps.code(secret))
    page.get_by_role("button", name="Set up").click()
    codes = page.locator(".codes code").all_inner_texts()
    page.get_by_role("link", name="I have saved them").click()
    sign_out(page)

    give_password(page, site)
    page.get_by_role("textbox", name="Code").fill("000000")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Incorrect code.").wait_for()
    page.get_by_role("textbox", name="Code").fill(codes[0])
    page.get_by_role("button", name="Sign in").click()

    page.wait_for_selector("#overview")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth") or not javascript


def test_a_passkey_signs_in_with_the_password_and_without_it(local, open_page):
    page = open_page()
    session, key = with_a_key(page)
    give_password(page, local)
    page.get_by_role("link", name="ada").click()
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Add a passkey").click()
    page.locator(".codes").wait_for()
    page.get_by_role("link", name="I have saved them").click()
    page.get_by_text("Passkey Laptop").wait_for()
    sign_out(page)

    give_password(page, local)
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_selector("#overview")
    sign_out(page)

    page.goto(f"{local}{HOME}/runs")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"{local}{HOME}/runs")

    assert Authenticator.objects.filter(type="webauthn").count() == 1
    assert len(session.send("WebAuthn.getCredentials", {"authenticatorId": key})["credentials"]) == 1


def test_a_passkey_that_does_not_answer_is_told(local, open_page):
    page = open_page()
    page.goto(f"{local}/sign-in")
    session, key = with_a_key(page)
    session.send("WebAuthn.setUserVerified", {"authenticatorId": key, "isUserVerified": False})

    page.get_by_role("button", name="Use a passkey").click()

    page.get_by_text("The passkey did not answer").wait_for()
