"""Attacks on the control page: hostile texts, and what its policy stops."""

import json

from tests.control.page import SLOWLY_IN_CHROMIUM, click_and_see, fill, open_form, row, shows

pytestmark = SLOWLY_IN_CHROMIUM


EVIL = "/<img src=x onerror='owned=1'>\u202egpj.exe<script>owned=1</script>"


def written(path):
    """A path as it stands in a request line."""
    return "".join(
        each if each.isascii() and each not in " <>'" else "".join(f"%{byte:02X}" for byte in each.encode())
        for each in path
    )


def test_hostile_texts(opened, server):
    """Markup in paths and messages is shown as text, invisible characters too; no script runs."""
    browser = opened(f"http:503,message={json.dumps('<b>x</b><script>owned=1</script>')},name=a")
    server.ask_app(written(EVIL), headers={"User-Agent": "<img src=x onerror=owned=1>"})
    found = row(browser, "/<img src=x onerror='owned=1'>\\u202egpj.exe<script>owned=1</script>")
    shows(browser, "#rules", "<script>owned=1</script>")
    click_and_see(browser, found, "#detail .fields", "<img src=x onerror=owned=1>")
    assert "\u202e" not in browser.evaluate("document.body.innerText")
    browser.press("Escape")
    open_form(browser, "[aria-label='Edit a']")
    shows(browser, "#preview-out", "<b>x</b><script>owned=1</script>")
    fill(browser, "#rule-text", f"http:503,path={EVIL}")
    shows(browser, "#editor-wrong", "<script>owned=1</script>")
    assert browser.evaluate("typeof owned") == "undefined"
    assert (
        browser.evaluate("document.querySelectorAll('main img, main b, main script, dialog script').length")
        == 0
    )


TRIES = {
    "markup": "document.body.insertAdjacentHTML('beforeend', '<p>x</p>')",
    "a script": (
        "const made = document.createElement('script'); made.textContent = 'owned = 1'; "
        "document.body.append(made)"
    ),
    "a script from elsewhere": "await import('data:text/javascript,globalThis.owned = 1')",
    "a picture from elsewhere": "const made = new Image(); made.src = 'http://127.0.0.1:9/x'; await made.decode()",
    "a request elsewhere": "await fetch('http://127.0.0.1:9/y')",
}


def test_its_policy_holds(opened):
    """Even what got into the page could run nothing and load nothing from elsewhere."""
    browser = opened()
    for what, tried in TRIES.items():
        ended = browser.evaluate(
            f"(async () => {{ try {{ {tried}; return 'done' }} catch (error) {{ return error.name }} }})()"
        )
        assert ended in {"TypeError", "EncodingError"}, what
        assert browser.evaluate("typeof owned") == "undefined"
        told = [each for each in browser.complaints if "Content Security Policy" in each or "Trusted" in each]
        assert told, what
        browser.complaints.clear()
