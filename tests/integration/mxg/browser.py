# SPDX-License-Identifier: MIT
"""A real browser (Debian's chromium, driven by chromedriver) that opens pages from files."""
from __future__ import annotations

import base64
import importlib.util
import pathlib
from typing import Any

CHROMIUM, DRIVER = pathlib.Path("/usr/bin/chromium"), pathlib.Path("/usr/bin/chromedriver")

# Before anything of the page runs: what its Content-Security-Policy forbids, and what goes wrong.
WATCH = """
window.violations = [];
window.failures = [];
document.addEventListener('securitypolicyviolation', event =>
  window.violations.push(event.effectiveDirective + ' ' + event.blockedURI));
window.addEventListener('error', event => window.failures.push(event.message));
"""


def available() -> bool:
    return CHROMIUM.exists() and DRIVER.exists() and importlib.util.find_spec("selenium") is not None


class Browser:
    def __init__(self, folder: pathlib.Path) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for each in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                     "--disable-background-networking", "--disable-component-update", "--window-size=1200,1000",
                     f"--user-data-dir={folder}"):
            options.add_argument(each)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(str(DRIVER)), options=options)
        self.driver.set_page_load_timeout(60)
        self.driver.set_script_timeout(60)
        self.devtools("Page.addScriptToEvaluateOnNewDocument", source=WATCH)

    def close(self) -> None:
        self.driver.quit()

    def devtools(self, command: str, **arguments: Any) -> Any:
        return self.driver.execute_cdp_cmd(command, arguments)

    def open(self, page: pathlib.Path) -> None:
        self.driver.get_log("browser")  # of the page before
        self.driver.get(page.as_uri())

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def element(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def texts(self, selector: str) -> list[str]:
        return self.run("return [...document.querySelectorAll(arguments[0])].map(each => each.textContent)", selector)

    def press(self, *keys: str) -> None:
        """As a person at the keyboard would, wherever the focus is."""
        from selenium.webdriver.common.action_chains import ActionChains
        ActionChains(self.driver).send_keys(*keys).perform()

    def trouble(self) -> list[str]:
        """What the console, the page's own policy and its script have to complain of."""
        return [entry["message"] for entry in self.driver.get_log("browser")] + \
            self.run("return window.violations.concat(window.failures)")

    def table(self, part: str) -> list[dict[str, str]]:
        """The rows that are shown of the table of this id, by their headings."""
        return self.run("""
            const table = document.querySelector(`table[aria-labelledby="${arguments[0]}"]`);
            const heads = [...table.tHead.rows[0].cells].map(cell => cell.textContent);
            return [...table.tBodies[0].rows].map(row =>
              Object.fromEntries([...row.cells].map((cell, at) => [heads[at], cell.textContent])));""", part)

    def status(self, part: str) -> str:
        """"1–50 of 100,000", above that table."""
        return self.run("""return document.querySelector(`table[aria-labelledby="${arguments[0]}"]`).closest('.wide')
            .previousSibling.querySelector('[role=status]').textContent""", part)

    def scheme(self, name: str) -> None:
        self.devtools("Emulation.setEmulatedMedia", media="",
                      features=[{"name": "prefers-color-scheme", "value": name}])

    def width(self, pixels: int | None) -> None:
        if pixels is None:
            self.devtools("Emulation.clearDeviceMetricsOverride")
        else:
            self.devtools("Emulation.setDeviceMetricsOverride", width=pixels, height=800, deviceScaleFactor=1,
                          mobile=pixels < 600)

    def pdf(self) -> bytes:
        """As it is printed by default: without backgrounds."""
        return base64.b64decode(self.devtools("Page.printToPDF", printBackground=False)["data"])
