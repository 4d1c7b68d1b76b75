"""A headless Chromium that remembers what it was told to fetch; or the reason why there is none."""

import shutil

BROWSERS, DRIVERS = ("chromium", "chromium-browser", "google-chrome"), ("chromedriver",)


def absent() -> str:
    """Return why no page can be opened here, or nothing."""
    try:
        import selenium  # noqa: F401 - whether it is there
    except ImportError:
        return "selenium is not installed: pip install 'compress-bench[browser]'"
    if not any(map(shutil.which, BROWSERS)) or not any(map(shutil.which, DRIVERS)):
        return "no browser: apt-get install chromium chromium-driver"
    return ""


def start():
    """Return a driver of the first browser there is."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = next(filter(None, map(shutil.which, BROWSERS)))
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    return webdriver.Chrome(options, Service(shutil.which("chromedriver")))
