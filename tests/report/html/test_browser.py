"""The report in a real browser: it draws, filters and sorts, complains of nothing and asks the network for nothing."""

import base64
import json

import pytest

from tests.report.html import chromium

pytestmark = pytest.mark.skipif(bool(chromium.absent()), reason=chromium.absent())

SHOWN = "return [...document.querySelectorAll('.claims tr[data-verdict]')].filter(one => one.offsetParent)"


@pytest.fixture(scope="module")
def browser():
    driver = chromium.start()
    driver.set_page_load_timeout(120)
    driver.set_script_timeout(120)
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, small_file):
    """Return the browser with the small report open, light, on a desk."""
    emulate(browser, 1280, "light")
    browser.get("about:blank")
    browser.get(small_file.as_uri())
    return browser


def emulate(browser, width, scheme):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def shown(browser, part="dataset.verdict"):
    return browser.execute_script(f"{SHOWN}.map(one => one.{part})")


def settle(browser):
    browser.execute_async_script("setTimeout(arguments[0], 150)")


def write(browser, field, text):
    browser.execute_script(
        "const one = document.getElementById(arguments[0]); one.value = arguments[1];"
        "one.dispatchEvent(new Event('input', {bubbles: true}))",
        field,
        text,
    )
    settle(browser)


def column(browser, number):
    cells = "[...document.querySelector('.claims').querySelectorAll('tr[data-verdict]')]"
    return browser.execute_script(f"return {cells}.map(one => one.cells[{number}].innerText.split('\\n')[0])")


def head(browser, number):
    return browser.find_elements("css selector", ".claims thead th")[number]


def test_the_page_asks_the_network_for_nothing_and_complains_of_nothing(page):
    requests = [json.loads(one["message"])["message"] for one in page.get_log("performance")]
    asked = [one["params"]["request"]["url"] for one in requests if one["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:", "chrome:"))] == []
    assert page.get_log("browser") == []


def test_all_parts_are_drawn(page):
    counted = "return [...arguments].map(one => document.querySelectorAll(one).length)"
    # of each of two subjects three trade-offs, two curves of a training, three strips of pictures; two histograms and
    # one chart of lines; two pictures
    assert page.execute_script(counted, "svg.chart", ".charts img", ".chapter", ".tiles li") == [13, 8, 2, 6]
    page.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    drawn = "return [...document.querySelectorAll(arguments[0])].every(one => one.getBoundingClientRect().width > 0)"
    for what in ("svg.chart", ".chart .mark", ".chart .bar", ".charts img", ".line .stroke", ".curves .stroke"):
        assert page.execute_script(drawn, what), what
    assert page.execute_script("return [...document.images].map(one => one.naturalWidth)") == [16] * 2 + [32] * 6


@pytest.mark.parametrize("width", [390, 1280])
def test_strips_of_pictures_stand_side_by_side_at_one_height(page, width):
    emulate(page, width, "light")
    boxes = page.execute_script(
        "return [...document.querySelectorAll('.strips')].map(one => [...one.querySelectorAll('img')].map(each => {"
        "const box = each.getBoundingClientRect(); return [box.x, box.y, box.height, each.alt]}))"
    )
    assert len(boxes) == 2
    for places in boxes:
        left, top, height, texts = zip(*places, strict=True)
        assert len(set(top)) == len(set(height)) == 1
        assert list(left) == sorted(set(left))
        assert [text.rpartition(": ")[2] for text in texts] == ["input", "float32", "int8"]


def test_a_training_can_be_opened_by_the_keyboard_and_read_as_numbers(page):
    summary = page.find_element("css selector", "#trainings summary")
    page.execute_script("arguments[0].focus()", summary)
    page.switch_to.active_element.send_keys("\n")
    page.find_element("css selector", "#trainings figure summary").click()
    rows = page.execute_script("return [...document.querySelector('#trainings table').rows].map(one => one.innerText)")
    assert rows[0].split("\t") == ["step", "over", "at", "channels left", "loss"]
    assert rows[1].split("\t") == ["channels(0.5)", "choices of what to remove", "0", "120", ""]
    assert rows[16].split("\t")[:4] == ["channels(0.5)", "epochs", "1", ""]
    assert len(rows) == 1 + 15 + 12


def test_the_filter_leaves_what_it_is_asked_for_and_counts_it(page):
    assert len(shown(page)) == 66
    write(page, "text", "CLAIM-7 smaller")
    assert shown(page, "cells[1].querySelector('code').textContent") == ["paper1/I-A/claim-7"]
    assert page.find_element("id", "shown").text == "1 of 66 claims shown"
    assert len(page.execute_script("return [...document.querySelectorAll('.chapter:not([hidden])')]")) == 1
    write(page, "text", "")
    write(page, "chapter", "Paper 1")
    assert set(shown(page, "dataset.chapter")) == {"Paper 1"}
    write(page, "kind", "trend")
    assert set(shown(page, "dataset.kind")) == {"trend"}
    page.find_element("css selector", "#filter [type=reset]").click()
    settle(page)
    assert len(shown(page)) == 66


def test_verdicts_are_filtered_by_the_keyboard_and_the_address_can_be_shared(page, small_file):
    for box in page.find_elements("css selector", "[name=verdict]"):
        if box.get_attribute("value") != "broken":
            page.execute_script("arguments[0].focus()", box)
            page.switch_to.active_element.send_keys(" ")
    settle(page)
    assert set(shown(page)) == {"broken"}
    address, broken = page.current_url, shown(page)
    assert address == f"{small_file.as_uri()}#?verdict=broken"
    page.get("about:blank")
    page.get(address)
    assert shown(page) == broken


def test_sorting_goes_up_down_and_back_to_the_papers_order(page):
    order, groups = column(page, 1), page.execute_script("return document.querySelectorAll('.claims .group').length")
    button = head(page, 3).find_element("tag name", "button")
    measured = [float(text.split()[0]) for text in column(page, 3) if text[0].isdigit()]
    button.click()
    assert head(page, 3).get_attribute("aria-sort") == "ascending"
    assert [float(text.split()[0]) for text in column(page, 3) if text[0].isdigit()] == sorted(measured)
    page.execute_script("arguments[0].focus()", button)
    page.switch_to.active_element.send_keys("\n")
    assert head(page, 3).get_attribute("aria-sort") == "descending"
    assert [float(text.split()[0]) for text in column(page, 3) if text[0].isdigit()] == sorted(measured, reverse=True)
    button.click()
    assert column(page, 1) == order
    assert page.execute_script("return document.querySelectorAll('.claims .group').length") == groups


def test_sorting_by_verdict_brings_broken_claims_first(page):
    head(page, 0).find_element("tag name", "button").click()
    verdicts = column(page, 0)
    assert verdicts == sorted(
        verdicts, key=["broken", "undecided", "unmeasured", "refuted", "held", "no verdict"].index
    )
    assert verdicts[0] == "broken"


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_axe_finds_nothing(page, width, scheme):
    axe = pytest.importorskip("axe_core_python.base", reason="axe-core-python comes with the extra 'browser'")
    emulate(page, width, scheme)
    page.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    page.execute_script(axe.AXE_SCRIPT)
    found = page.execute_async_script("axe.run({resultTypes: ['violations']}).then(arguments[0])")
    told = [f"{one['impact']}: {one['id']}: {one['nodes'][0]['html'][:120]}" for one in found["violations"]]
    assert told == []
    assert len(found["passes"]) > 20


def test_nothing_but_regions_that_say_so_is_wider_than_a_phone(page):
    emulate(page, 390, "light")
    assert page.execute_script("return document.documentElement.scrollWidth") == 390


def test_the_skip_link_comes_first_and_leads_to_the_content(page):
    page.find_element("tag name", "body").send_keys("\t")
    assert page.switch_to.active_element.text == "Skip to the content"
    page.switch_to.active_element.send_keys("\n")
    assert page.switch_to.active_element.get_attribute("id") == "main"


def test_it_prints_with_all_its_claims_on_white(page):
    emulate(page, 1280, "dark")
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert page.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.find_element("id", "filter").is_displayed() is False
    assert len(shown(page)) == 66
    printed = base64.b64decode(page.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert printed.startswith(b"%PDF")


def test_it_can_be_read_without_its_script(page, small_file):
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.get("about:blank")
        page.get(small_file.as_uri())
        assert page.find_element("id", "filter").is_displayed() is False
        assert len(page.find_elements("css selector", ".claims tr[data-verdict]")) == 66
        assert page.find_elements("css selector", "th button") == []
    finally:
        page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_2000_claims_and_200_runs_open_within_two_seconds_of_the_browsers_own_time(browser, large_file):
    assert large_file.stat().st_size <= 8_000_000
    emulate(browser, 1280, "light")
    browser.get("about:blank")
    # the main thread's time, as the clock's is also of whatever else this machine is at
    browser.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    browser.get(large_file.as_uri())
    browser.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0]))")
    metrics = browser.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    assert len(shown(browser)) == 2000
    assert next(one["value"] for one in metrics if one["name"] == "ThreadTime") < 2
