"""The site's search, in a real browser, in pages that were opened as files: no server, and no network."""

import json

import pytest

from tests.report.html import chromium

pytestmark = pytest.mark.skipif(bool(chromium.absent()), reason=chromium.absent())

FOUND = "return [...document.querySelectorAll('.md-search-result__link')].map(one => one.getAttribute('href'))"


@pytest.fixture(scope="module")
def browser():
    driver = chromium.start()
    driver.set_page_load_timeout(120)
    yield driver
    driver.quit()


def search(browser, page, text):
    """Return where the search leads to, of a page opened as a file."""
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(page.as_uri())
    field = browser.find_element("css selector", "input.md-search__input")
    browser.execute_script("arguments[0].focus(); arguments[0].value = arguments[1]", field, text)
    browser.execute_script("arguments[0].dispatchEvent(new KeyboardEvent('keyup', {bubbles: true}))", field)
    WebDriverWait(browser, 30).until(lambda driver: driver.execute_script(FOUND))
    return browser.execute_script(FOUND)


@pytest.mark.parametrize("page", ["index.html", "how-to/ci.html"])
def test_a_page_that_was_opened_as_a_file_can_be_searched(browser, site, page):
    found = search(browser, site / page, "bootstrap")
    assert any("gate.html" in link or "ci.html" in link for link in found)
    target = browser.execute_script("return document.querySelector('.md-search-result__link').href")
    assert target.startswith("file://")
    assert (site / target.partition("#")[0].partition("?")[0].removeprefix(site.as_uri() + "/")).is_file()


def test_searching_asks_the_network_for_nothing_and_complains_of_nothing(browser, site):
    browser.get("about:blank")
    for kind in ("performance", "browser"):
        browser.get_log(kind)
    search(browser, site / "index.html", "quantization")
    sent = [json.loads(one["message"])["message"] for one in browser.get_log("performance")]
    asked = [one["params"]["request"]["url"] for one in sent if one["method"] == "Network.requestWillBeSent"]
    assert any(one.endswith("search_index.js") for one in asked)
    assert [one for one in asked if not one.startswith(("file:", "data:", "about:"))] == []
    assert [one for one in browser.get_log("browser") if one["level"] == "SEVERE"] == []
