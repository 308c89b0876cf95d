# SPDX-License-Identifier: MIT
"""The page of mxguard scan and mxguard report, in a real browser."""
from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import subprocess
import time

import pytest

from mxg import browser as browsers
from mxg import build
from mxg.mxguard import mxguard, write_config
from mxg.pages import (BEGIN, CHANGE, CONTRAST, DAY, FORGOTTEN, GATEWAY, HOSTILE, LATE, MOVED, SPAMMER, log_lines, many,
                       poisoned)
from mxg.process import temporary_folder
from test_trace_scan import CONFIG, hop, message

pytestmark = pytest.mark.skipif(not browsers.available(), reason="chromium, chromium-driver or python3-selenium is not "
                                "installed")
VOLUME = int(os.environ.get("MXGUARD_VOLUME", "1"))  # 10 and more: 100,000 domains as well


@pytest.fixture(scope="module")
def folder():
    with temporary_folder() as path:
        yield path


@pytest.fixture(scope="module")
def chromium(folder):
    opened = browsers.Browser(folder / "profile")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def report(folder):
    """(its page, its JSON)"""
    log, page = folder / "mail.log", folder / "report.html"
    log.write_text("".join(log_lines()))
    stamp = BEGIN + 61 * DAY
    os.utime(log, (stamp, stamp))
    result = subprocess.run([str(build.command()), "report", "--no-dns", "--json", "--html", str(page), "--changed",
                             "moved.example=" + time.strftime("%Y-%m-%d", time.gmtime(CHANGE)), str(log)],
                            capture_output=True, timeout=60, env=os.environ | {"TZ": "UTC"})
    assert result.returncode == 0, result.stderr
    return page, json.loads(result.stdout)


@pytest.fixture(scope="module")
def scan(folder):
    """(its page, its JSON)"""
    store, page = folder / "store", folder / "scan.html"
    config = write_config(folder / "scan.conf", CONFIG)
    for number in range(90):
        box = store / f"u{number % 5}" / "Maildir" / "cur"
        box.mkdir(parents=True, exist_ok=True)
        address = (GATEWAY, GATEWAY, SPAMMER, f"203.0.113.{number}", "rubbish")[number % 5]
        name = f"{BEGIN + number * 5 * DAY}.M{number}.{HOSTILE[number % 10].replace('/', '|')}:2,"
        (box / name).write_text("Delivered-To: u@" + ("one.test", "two.test", "x<b>y.test")[number % 3] + "\n" +
                                message(hop(address)))
    result = mxguard("scan", "-c", config, "--json", "--html", page, store)
    assert result.returncode == 0, result.stderr
    return page, json.loads(result.stdout)


@pytest.fixture(params=["scan", "report"])
def either(request):
    return request.getfixturevalue(request.param)


def grouped(number):
    return f"{number:,}"


# what stands there

def test_numbers_of_the_report(chromium, report):
    page, found = report
    chromium.open(page)
    sums = dict(zip(chromium.run("return [...document.querySelectorAll('.sums li')].map(each => each.lastChild.textContent)"),
                    chromium.texts(".sums strong")))
    ready = sum(domain["ready"] for domain in found["domains"])
    assert sums == {"decisions": grouped(found["decisions"]), "candidates": "1", "domains are ready":
                    f"{ready} of {len(found['domains'])}"} | {name: grouped(found["verdicts"][name])
                                                              for name in ("authorized", "direct", "unknown")}
    shown = {row["domain"]: row for row in chromium.table("domains")}
    assert len(shown) == 50 and len(found["domains"]) > 100
    for domain in found["domains"]:
        if domain["domain"] in shown:
            row = shown[domain["domain"]]
            assert [row[name] for name in ("decisions", "authorized", "direct", "unknown")] == \
                [grouped(domain[name]) for name in ("decisions", "authorized", "direct", "unknown")]
            assert row["ready"] == ("yes" if domain["ready"] else "no")
    assert {row["peer"]: row["messages"] for row in chromium.table("peers")} == \
        {peer["peer"]: grouped(peer["messages"]) for peer in found["direct_peers"]}
    (candidate,) = chromium.table("candidates")
    assert candidate["term"] == found["candidates"][0]["term"] + "copy" and candidate["proven"] == "yes"
    assert all(why in candidate["why"] for why in found["candidates"][0]["why"])
    assert {row["reason"]: row["decisions"] for row in chromium.table("reasons")} == \
        {name: grouped(count) for name, count in found["reasons"].items()}
    assert all(row["what it means"] != "\u2013" for row in chromium.table("reasons"))
    assert chromium.trouble() == []


def test_numbers_of_the_scan(chromium, scan):
    page, found = scan
    chromium.open(page)
    labels = {"direct": "direct", "unknown": "unknown", "gateway": "through gateways"}
    chromium.run("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    months = chromium.table("months")
    assert {row["month"]: [int(row[label]) for label in labels.values()] for row in months
            if any(row[label] != "0" for label in labels.values())} == \
        {name: [month[path] for path in labels] for name, month in found["months"].items()
         if any(month[path] for path in labels)}
    assert sum(int(row["direct"]) for row in chromium.table("domains")) == found["paths"]["direct"] == 36
    assert {row["peer"] for row in chromium.table("peers")} == {peer["address"] for peer in found["direct_peers"]}
    assert {row["reason"]: int(row["messages"]) for row in chromium.table("reasons")} == found["unknown"]
    judged = [number % 5 < 4 and (number % 3 < 2 or number % 5 > 1) for number in range(90)]  # see `scan`
    assert len(chromium.table("unknown")) == found["paths"]["unknown"] == judged.count(False) == 30
    assert "36 (40.0 %) were delivered past the filters" in chromium.element("header").text
    assert chromium.trouble() == []


def test_says_how_it_came_to_be_and_what_the_words_mean(chromium, either, folder):
    page, _ = either
    chromium.open(page)
    facts = chromium.element("#facts").text
    words_of = chromium.texts("section[aria-labelledby=words] dt")
    assert chromium.run("return location.protocol") == "file:" and os.uname().nodename in facts
    assert str(folder) in facts and "configuration" in facts and "2026" in facts and "domains" in facts
    assert {"direct", "unknown", "gateway", "enforce mode"} <= set(words_of)
    if page.name == "scan.html":
        assert "queued" in facts and "--place door" in facts and "refuse" in facts
    else:
        assert {"ready", "candidate", "half-life", "dry", "generation"} <= set(words_of)


# looking through it

def test_sorting(chromium, report):
    chromium.open(report[0])
    heads = {each.text.strip(): each for each in chromium.driver.find_elements("css selector",
                                                                              "table[aria-labelledby=peers] th")}
    def click(name):
        heads[name].find_element("css selector", "button").click()
        return heads[name].get_attribute("aria-sort"), [row[name] for row in chromium.table("peers")]
    assert heads["messages"].get_attribute("aria-sort") == "descending"
    direction, counts = click("messages")
    assert direction == "ascending" and [int(each) for each in counts] == sorted(int(each) for each in counts)
    direction, counts = click("messages")
    assert direction == "descending" and [int(each) for each in counts] == sorted(map(int, counts), reverse=True)
    direction, peers = click("peer")
    assert direction == "ascending" and peers == sorted(peers, key=lambda each: tuple(map(int, each.split("."))))
    assert heads["messages"].get_attribute("aria-sort") == "none"


def test_search_and_pages(chromium, report):
    page, found = report
    chromium.open(page)
    count = len(found["domains"])
    assert chromium.status("domains") == f"1\u201350 of {count}"
    chromium.element("[aria-label='next rows of Domains']").click()
    assert chromium.status("domains") == f"51\u2013100 of {count}"
    field = chromium.element("#domains-search")
    field.send_keys("D11")
    wanted = {each["domain"] for each in found["domains"] if "d11" in each["domain"]}
    assert {row["domain"] for row in chromium.table("domains")} == wanted and len(wanted) == 11
    assert chromium.status("domains") == f"1\u201311 of 11 ({count} in all)"
    field.send_keys(" nowhere")
    assert chromium.table("domains") == [] and chromium.status("domains") == f"none ({count} in all)"


def test_domain_selector(chromium, either):
    page, found = either
    chromium.open(page)
    domain = "two.test" if page.name == "scan.html" else "moved.example"
    peers = chromium.status("peers")
    chromium.element("#domain").send_keys(domain[:3])
    assert chromium.element("#domain").get_attribute("aria-expanded") == "true"
    chromium.press("\ue015")  # down
    assert chromium.element("#domain-list [aria-selected=true]").text == domain
    chromium.press("\ue007")  # enter
    (row,) = chromium.table("domains")
    assert row["domain"] == domain
    chart = "months" if page.name == "scan.html" else "verdicts"
    assert f"of {domain}" in chromium.texts(f"section[aria-labelledby={chart}] .count")
    (of,) = [each for each in found["domains"] if each["domain"] == domain]
    shown = chromium.run(f"return [...document.querySelectorAll('table[aria-labelledby={chart}] tbody td.n')]"
                         ".reduce((sum, cell) => sum + Number(cell.textContent), 0)")
    assert shown == of.get("decisions", of.get("messages"))
    if page.name == "report.html":
        assert {each["peer"] for each in chromium.table("peers")} == {SPAMMER, MOVED, LATE}
    chromium.element(".selector button").click()
    assert chromium.status("peers") == peers and len(chromium.table("domains")) > 1


def test_time_line(chromium, report):
    """Each mark where it belongs, and the same in words."""
    page, found = report
    (before, after) = [each for each in found["generations"] if each["domain"] == "moved.example"]
    assert after["half_life_days"] is not None and after["dry"] is not None and after["moved"]
    chromium.open(page)
    said = {(row["generation"], row["what"].split(":")[0]): row["when"] for row in chromium.table("lines-marks")}
    assert said[("1", "first direct mail")] == before["days"][0]["day"] == "2026-09-01"
    assert said[("2", "generation 2 begins")] == "2026-09-11" and said[("2", "dry")] == after["dry"]
    moved = [what for _, what in said if "moved after" in what]
    assert moved == [f"{MOVED} moved after {after['moved'][0]['after_days']:.1f} days"]
    letters = chromium.run("""return [...document.querySelectorAll('section[aria-labelledby=lines] figure text')]
        .filter(each => /^[GFHDN]$/.test(each.textContent)).map(each => [each.textContent, each.getBBox().x])""")
    place = {letter: x for letter, x in letters}
    assert [letter for letter, _ in sorted(letters, key=lambda each: each[1])][0] == "F"
    assert place["G"] <= place["H"] <= place["D"]
    assert len(chromium.run("return document.querySelectorAll('figure .moved')")) == 1
    bands = chromium.texts("section[aria-labelledby=lines] figure text")
    assert any(each.startswith("1") for each in bands) and any(each.startswith("2") for each in bands)
    hosts = chromium.table("lines-hosts")
    assert (MOVED, "moved to the gateways") in {(row["host"], row["what it does"]) for row in hosts}


def test_hosts_by_names_never_published(chromium, report):
    """When the first one came, which ones they were, and how many."""
    page, found = report
    late = [each for each in found["generations"] if each["domain"] == "moved.example"][1]["never_published"]
    assert [each["peer"] for each in late["peers"]] == [LATE]
    chromium.open(page)
    marks = {row["what"]: row["when"] for row in chromium.table("lines-marks")}
    assert marks["first host that came by a name never published"] == late["first"][:10]
    hosts = {row["host"]: row["what it does"] for row in chromium.table("lines-hosts")}
    assert hosts[LATE] == "came by a name never published"
    assert [row["hosts by names never published"] for row in chromium.table("lines-generations")] == ["0", "1"]


def test_day_by_day(chromium, report):
    """Decisions of all domains: each day has its column, those without mail too, with the sums of the JSON."""
    page, found = report
    chromium.open(page)
    chromium.run("document.querySelector('section[aria-labelledby=days] details').open = true")
    rows, days = chromium.table("days"), {each["day"]: each for each in found["days"]}
    while chromium.run("""const next = document.querySelector('[aria-label^="next rows of Day by day"]');
                          next.click(); return !next.disabled;"""):
        rows += chromium.table("days")
    rows += chromium.table("days")
    first, last = (datetime.date.fromisoformat(each) for each in (min(days), max(days)))
    assert [row["day"] for row in rows] == [str(first + datetime.timedelta(n)) for n in range((last - first).days + 1)]
    for row in rows:
        for verdict in ("authorized", "direct", "unknown"):
            assert row[verdict] == grouped(days.get(row["day"], {}).get(verdict, 0))
    assert sum(int(row["direct"].replace(",", "")) for row in rows) == found["verdicts"]["direct"]


def test_axis_has_numbers_and_bars_their_heights(chromium, scan):
    page, found = scan
    chromium.open(page)
    numbers = [int(each.replace(",", "")) for each in chromium.texts("section[aria-labelledby=months] figure text")
               if re.fullmatch(r"[\d,]+", each)]
    most = max(sum(month.values()) for month in found["months"].values())
    assert numbers == sorted(numbers) and numbers[0] == 0 and numbers[-1] >= most and len(numbers) >= 3
    tall = chromium.run("""return [...document.querySelectorAll('section[aria-labelledby=months] figure .bar.tone-bad')]
        .map(each => each.height.baseVal.value)""")
    counts = [month["direct"] for month in found["months"].values() if month["direct"]]
    assert [round(each / tall[0], 2) for each in tall] == [round(each / counts[0], 2) for each in counts]


# for everybody

@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(chromium, either, scheme):
    """WCAG 2.2, 1.4.3 and 1.4.11: 4.5 for text, 3 for shapes."""
    chromium.scheme(scheme)
    chromium.open(either[0])
    chromium.run("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    dark = chromium.run("return getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")
    found = chromium.run(CONTRAST)
    chromium.scheme("light")
    assert len(found) > 200 and {kind for kind, _, _ in found} == {"text", "shape"}
    assert [each for each in found if each[2] < (4.5 if each[0] == "text" else 3)] == []


@pytest.mark.parametrize("width", [320, 768])
def test_narrow_screen(chromium, either, width):
    chromium.width(width)
    chromium.open(either[0])
    inner, whole = chromium.run("return [innerWidth, document.documentElement.scrollWidth]")
    chromium.width(None)
    assert inner == width and whole <= width


def test_everything_has_a_name(chromium, either):
    """As a screen reader is told it."""
    chromium.open(either[0])
    nodes = chromium.devtools("Accessibility.getFullAXTree")["nodes"]
    roles = {}
    for node in nodes:
        if not node.get("ignored"):
            roles.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    for role in ("button", "searchbox", "combobox", "table", "columnheader", "region", "heading"):
        assert roles.get(role) and all(name.strip() for name in roles[role]), (role, roles.get(role))
    assert all("chart" in name for name in chromium.run(
        "return [...document.querySelectorAll('figure > svg')].map(each => each.getAttribute('aria-label') ?? '')"))
    assert chromium.run("return document.documentElement.lang") == "en"
    order = chromium.run("return [...document.querySelectorAll('h1, h2, h3')].map(each => Number(each.tagName[1]))")
    assert order[0] == 1 and order.count(1) == 1 and all(b - a <= 1 for a, b in zip(order, order[1:]))
    assert chromium.run("return [...document.querySelectorAll('[id]')].map(each => each.id).length === "
                        "new Set([...document.querySelectorAll('[id]')].map(each => each.id)).size")


def test_by_keyboard(chromium, report):
    chromium.open(report[0])
    chromium.press("\ue004")  # tab: the selector
    assert chromium.run("return document.activeElement.id") == "domain"
    chromium.press("\ue00c", "\ue004")  # escape, tab: the first chart
    assert chromium.run("return document.activeElement.tagName") == "svg"
    assert chromium.run("const style = getComputedStyle(document.activeElement);"
                        "return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2")
    chromium.press("\ue014", "\ue014")  # right, right
    tip = chromium.element(".tip:not([hidden])").text
    assert "direct: " + grouped(report[1]["verdicts"]["direct"]) in tip
    assert "direct: " + grouped(report[1]["verdicts"]["direct"]) in chromium.element("[aria-live=polite]").get_attribute("textContent")
    chromium.run("document.querySelector('table[aria-labelledby=domains] th button').focus()")
    chromium.press("\ue007")  # enter
    assert chromium.element("table[aria-labelledby=domains] th").get_attribute("aria-sort") == "ascending"
    names = [row["domain"] for row in chromium.table("domains")]
    assert names == sorted(names)


def test_tooltip_by_mouse(chromium, scan):
    from selenium.webdriver.common.action_chains import ActionChains
    page, found = scan
    chromium.open(page)
    place, (name, month) = next((place, each) for place, each in enumerate(found["months"].items()) if each[1]["direct"])
    hit = chromium.driver.find_elements("css selector", "section[aria-labelledby=months] .hit")[place]
    ActionChains(chromium.driver).move_to_element(hit).perform()
    tip = chromium.element("section[aria-labelledby=months] .tip").text.splitlines()
    assert tip[0] == name and f"direct: {month['direct']}" in tip and f"all: {sum(month.values())}" in tip


def test_copy_button(chromium, report):
    chromium.open(report[0])
    chromium.devtools("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    chromium.element("button.copy").click()
    copied = chromium.driver.execute_async_script(
        "const done = arguments[0]; setTimeout(() => navigator.clipboard.readText().then(done, error => done(String(error))), 200)")
    assert copied == report[1]["candidates"][0]["term"] == f"ip4:{FORGOTTEN}"
    assert chromium.element("button.copy").text == "copied"


# on paper, and without a script

@pytest.mark.skipif(not shutil.which("pdftotext"), reason="poppler-utils is not installed")
def test_print(chromium, either, folder):
    page, found = either
    chromium.open(page)
    paper = folder / "page.pdf"
    paper.write_bytes(chromium.pdf())
    text = subprocess.run(["pdftotext", "-layout", str(paper), "-"], capture_output=True, check=True, timeout=60).stdout.decode()
    legend = ["direct", "unknown", "through gateways"] if page.name == "scan.html" else ["authorized", "direct", "half-life", "dry"]
    assert all(each in text for each in legend + ["The numbers as a table", "What the words mean", "configuration"])
    assert grouped(found.get("decisions", found.get("messages"))) in text
    assert "Search" not in text and "copy\n" not in text  # nothing to type into, nothing to press
    # The signs of the legend are shapes, which are printed where backgrounds are not.
    chromium.devtools("Emulation.setEmulatedMedia", media="print")
    signs = chromium.run("""return [...document.querySelectorAll('.legend svg .bar')].map(each =>
        [getComputedStyle(each).fill.startsWith('url'), getComputedStyle(each).stroke])""")
    ground = chromium.run("return getComputedStyle(document.body).backgroundColor")
    chromium.devtools("Emulation.setEmulatedMedia", media="")
    assert signs and all(fill and stroke != "none" for fill, stroke in signs) and ground == "rgb(255, 255, 255)"


def test_without_scripts(chromium, either):
    """What it is about is said before any script runs."""
    chromium.devtools("Emulation.setScriptExecutionDisabled", value=True)
    chromium.open(either[0])
    said = chromium.element("body").text
    chromium.devtools("Emulation.setScriptExecutionDisabled", value=False)
    assert "past the filters" in said and "configuration" in said and "by a script" in said


# hostile text

@pytest.mark.parametrize("text", HOSTILE[:4] + HOSTILE[7:9])
def test_hostile_text_in_every_field(chromium, either, folder, text):
    page, _ = either
    poisoned(page, folder / "poisoned.html", text)
    chromium.open(folder / "poisoned.html")
    assert chromium.run("return window.hacked ?? null") is None
    assert chromium.run("return document.querySelectorAll('img, iframe, object, embed, link, base, form').length") == 0
    assert chromium.run("return document.scripts.length") == 2
    assert chromium.run("return [...document.querySelectorAll('*')].flatMap(each => [...each.attributes])"
                        ".filter(each => each.name.startsWith('on') || each.name === 'style').map(each => each.name)"
                        ".filter(name => name !== 'style')") == []
    chromium.element("table[aria-labelledby=peers] th button").click()
    assert any(text.strip() in each for each in chromium.texts("td")) and chromium.trouble() == []


def test_hostile_names_on_disk(chromium, scan):
    """Names of files and domains, as the command writes them: what is not to be seen is seen."""
    page, _ = scan
    raw = page.read_bytes()
    assert max(raw) < 0x80 and raw.count(b"<script") == 2
    chromium.open(page)
    samples = " ".join(row["file"] for row in chromium.table("unknown")) + " ".join(row["sample"] for row in chromium.table("peers"))
    assert "\\u202egpj.exe" in samples and "\u202e" not in samples and "<img src=x" in samples
    assert "x<b>y.test" in {row["domain"] for row in chromium.table("domains")}
    assert chromium.run("return window.hacked ?? null") is None and chromium.trouble() == []


def test_policy_holds(chromium, either):
    """The page asks nobody for anything, runs no other script and lets no text become an element."""
    chromium.open(either[0])
    policy = chromium.run("return document.querySelector('meta[http-equiv]').content")
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and policy.count("'sha256-") == 2
    assert chromium.run("return performance.getEntriesByType('resource').length") == 0
    refused = chromium.driver.execute_async_script("""
        const done = arguments[0], refused = [];
        setTimeout(() => { /* outside of what the driver may do */
        for (const attempt of [() => { document.body.innerHTML = '<b>x</b>'; },
                               () => document.body.insertAdjacentHTML('beforeend', '<b>x</b>'), () => (0, eval)('1')])
          try { attempt(); refused.push(false); } catch { refused.push(true); }
        done(refused); });""")
    assert refused == [True, True, True]
    seen = chromium.driver.execute_async_script("""
        const done = arguments[0], image = new Image();
        document.addEventListener('securitypolicyviolation', event => {
          if (event.effectiveDirective === 'img-src') done(event.blockedURI); });
        image.src = 'http://127.0.0.1:9/x';""")
    assert seen == "http://127.0.0.1:9/x"


def test_a_time_line_that_was_not_counted(chromium, folder):
    """Partial results without --changed: nothing is drawn as if there had been no direct mail."""
    log, part, page = folder / "uncounted.log", folder / "uncounted.part", folder / "uncounted.html"
    log.write_text("".join(log_lines()))
    command, changed = str(build.command()), "moved.example=" + time.strftime("%Y-%m-%d", time.gmtime(CHANGE))
    with open(part, "wb") as to:
        assert subprocess.run([command, "report", "--partial", "--no-dns", str(log)], stdout=to, timeout=60).returncode == 0
    assert subprocess.run([command, "report", "--no-dns", "--html", str(page), "--changed", changed, str(part)], timeout=60,
                          stdout=subprocess.DEVNULL).returncode == 0
    chromium.open(page)
    assert "time line of some domain is not known" in chromium.element("header").text
    assert {row["direct a day"] for row in chromium.table("lines-generations")} == {"\u2013"}
    assert chromium.run("return document.querySelectorAll('section[aria-labelledby=lines] figure > svg .bar').length") == 0
    assert chromium.trouble() == []


# a hundred thousand domains

@pytest.mark.parametrize("count", [3000] + ([100000] if VOLUME > 9 else []))
def test_many_domains_stay_usable(chromium, folder, count):
    log, page = folder / "many.log", folder / "many.html"
    log.write_text("".join(many(count)))
    assert subprocess.run([str(build.command()), "report", "--no-dns", "--html", str(page), str(log)], timeout=300,
                          stdout=subprocess.DEVNULL).returncode == 0
    began = time.monotonic()
    chromium.open(page)
    loaded = time.monotonic() - began
    rows = chromium.run("return document.querySelectorAll('table[aria-labelledby=domains] tbody tr').length")
    elements = chromium.run("return document.querySelectorAll('*').length")
    assert rows == 50 and elements < 10000 and chromium.status("domains") == f"1\u201350 of {grouped(count)}"
    script = """const field = document.getElementById('domains-search'), began = performance.now();
        field.value = arguments[0]; field.dispatchEvent(new Event('input')); return performance.now() - began;"""
    first, second = chromium.run(script, f"d{count - 1}.example"), chromium.run(script, "d29")
    chromium.run(script, f"d{count - 1}.example")
    assert [row["domain"] for row in chromium.table("domains")] == [f"d{count - 1}.example"]
    chromium.run(script, "")
    sort = chromium.run("""const button = document.querySelector('table[aria-labelledby=domains] th button'),
        began = performance.now(); button.click(); return performance.now() - began;""")
    select = chromium.run("""const field = document.getElementById('domain'), began = performance.now();
        field.value = 'd17.'; field.dispatchEvent(new Event('input')); return performance.now() - began;""")
    assert chromium.texts("#domain-list li")[0] == "d17.example"
    print(f"{count} domains: {page.stat().st_size >> 10} KiB, loaded in {loaded:.2f} s, first search {first:.0f} ms, "
          f"next {second:.0f} ms, sort {sort:.0f} ms, selector {select:.0f} ms")
    assert loaded < 30 and max(first, second, sort, select) < 5000
