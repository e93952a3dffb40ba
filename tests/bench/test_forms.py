"""The form parser submits what a browser would: nothing else lets a benchmark sign in."""

from tests.bench.forms import forms_of

PAGE = b"""<!doctype html><form method="POST" action="/search"><input name="q"></form>
<form id="sign-in" method="post" action="/login?flow=a&amp;b">
 <input type=hidden name='csrf_token' value="x&quot;y"><input name="username"><input type="password" name="password">
 <input type="checkbox" name="stay"><input type="checkbox" name="told" checked>
 <button type="button" name="show" value="1">Show</button>
 <button id="login-submit" name="decision" value="go">Sign in</button></form>
<button form="sign-in" id="login-cancel" name="decision" value="stop">Cancel</button>
"""


def test_a_form_gives_its_fields_with_entities_read():
    form = forms_of(PAGE)[1]
    assert (form.method, form.action) == ("post", "/login?flow=a&b")
    assert form.fields == {"csrf_token": 'x"y', "username": "", "password": "", "told": "on"}


def test_only_the_pressed_button_is_sent_and_only_existing_fields_are_filled():
    form = forms_of(PAGE)[1]
    button = form.button("login-submit")
    assert button
    sent = form.submitted_with(button, {"username": "ada", "password": "secret", "unknown": "no"})
    assert sent == {
        "csrf_token": 'x"y',
        "username": "ada",
        "password": "secret",
        "told": "on",
        "decision": "go",
    }


def test_a_button_outside_joins_the_form_that_it_names():
    search, sign_in = forms_of(PAGE)
    assert sign_in.button("login-cancel")
    assert search.button("login-cancel") is None
    assert sign_in.button("show") is None
