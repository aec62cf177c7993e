"""Checks one report page: well-formed XML, no active content, the figures of the samples are shown, labels do not overlap.

Usage: check_html.py PAGE SAMPLES MODE. Figures are formatted here a second time, from the JSON.
Modes say which parts the page was made from: all, no-verify, no-bench, one, nothing, crowd.
"""
import json
import re
import sys
import xml.etree.ElementTree as ElementTree

page, samples, mode = sys.argv[1:4]
XHTML = "{http://www.w3.org/1999/xhtml}"
wrong = []


def expect(condition, message):
    if not condition:
        wrong.append(message)


def part(name):
    try:
        with open(f"{samples}.{name}.json", encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def name(element):
    return element.tag.replace(XHTML, "")


def text_of(element):
    return " ".join("".join(element.itertext()).split())


def three_digits(value):
    size = abs(value)
    return f"{value:.{0 if size >= 99.95 else 1 if size >= 9.995 else 2}f}"


def ratio_text(value):
    return f"{value:.2g}" if 0 < value < 0.0995 else three_digits(value)


def duration(nanoseconds):
    for limit, divisor, unit in ((999.5, 1, "ns"), (999.5e3, 1e3, "µs"), (999.5e6, 1e6, "ms")):
        if nanoseconds < limit:
            return f"{three_digits(nanoseconds / divisor)} {unit}"
    return f"{three_digits(nanoseconds / 1e9)} s"


root = ElementTree.parse(page).getroot()  # raises when it is not well-formed
raw = open(page, encoding="utf-8").read()
everything = text_of(root)
manifest = part("manifest") if mode != "nothing" else None
verify = part("verify") if mode not in ("no-verify", "nothing") else None
bench = part("bench") if mode not in ("no-bench", "nothing") else None
hostile = samples.endswith("hostile")

# No scripts, handlers, or anything loaded from elsewhere.
allowed = set("html head meta title style body main h1 h2 h3 p code pre span small b section dl dt dd div table thead tbody tr "
              "th td ul ol li figure figcaption details summary footer svg g circle rect line path text".split())
for element in root.iter():
    expect(name(element) in allowed, f"unexpected element {element.tag}")
    for attribute in element.attrib:
        expect(not attribute.startswith("on") and attribute not in ("href", "src", "style"), f"attribute {attribute}")
expect("url(" not in raw and "@import" not in raw, "something is loaded")
expect(not re.search(r"<(td|th|div|span|p|li|dd|dt)(\s[^>]*)?/>", raw), "a void element that HTML reads as an open one")
expect(not re.search(r"\b(nan|inf)\b", re.sub(r"<inf>|&lt;inf&gt;", "", raw)), "a NaN or an infinity reached the page")

# Every picture that is not decoration says what it shows.
for svg in root.iter(f"{XHTML}svg"):
    titled = svg.find(f"{XHTML}title") is not None
    expect(titled or svg.get("aria-hidden") == "true", "an svg without title")

# Percentages stay on the drawing.
for element in root.iter():
    for attribute in ("x", "x1", "x2", "cx"):
        value = element.get(attribute, "")
        if value.endswith("%"):
            expect(0 <= float(value[:-1]) <= 100, f"{attribute}={value} is off the drawing")

variants = manifest["variants"] if manifest else []
if mode == "one":
    variants = variants[:1]
for variant in variants:
    if not hostile:
        expect(variant["contract"] in everything, f"contract of {variant['id']} is missing")
        expect(variant["launch"]["compile"] in everything, f"compile command of {variant['id']} is missing")
if mode == "nothing":
    expect("This spec gave no variants." in everything, "nothing is not said")

if verify is None:
    expect("not verified" in everything, "'not verified' is not said")
    expect(not root.findall(f".//{XHTML}svg[@class='mark kept']"), "a promise is shown as kept without verification")
elif mode == "all":
    cells = [promise["status"] for variant in verify["variants"] for promise in variant.get("promises", {}).values()]
    legend = 1
    for status, drawn in (("kept", "kept"), ("broken", "broken"), ("vacuous", "vacuous"), ("not promised", "none")):
        shown = len(root.findall(f".//{XHTML}svg[@class='mark {drawn}']")) - legend
        expect(shown == cells.count(status), f"{status}: {shown} drawn, {cells.count(status)} in verify.json")
    for variant in verify["variants"]:
        if "failure" in variant:
            expect(f"failed: {variant['failure']}" in everything, "a failure is hidden")
        if "output_digest" in variant and not hostile:
            expect(variant["output_digest"] in everything, "an output digest is missing")

if bench and mode == "all" and not hostile:
    for shape in bench["shapes"]:
        sizes = " × ".join(str(size) for size in shape["shape"].values())
        expect(sizes in everything, f"shape {sizes} is missing")
        for entry in shape["entries"]:
            expect(duration(entry["median_ns"]) in everything, f"time of {entry['id']} is missing")
            if "ratio" in entry:
                low, high = entry["ratio"]["low"], entry["ratio"]["high"]
                expect(f"{ratio_text(entry['ratio']['value'])}×, interval {low:.3f} to {high:.3f}" in everything,
                       f"ratio of {entry['id']} is missing")
    for shape in bench["shapes"]:
        timed = [one for one in shape["entries"] if one["kind"] == "variant" and one.get("median_ns")]
        fastest = min(timed, key=lambda one: one["median_ns"], default=None)
        if fastest and "ratio" in fastest:
            claim = ("against fastmath unresolved" if fastest["verdict"] == "UNRESOLVED"
                     else f"{ratio_text(fastest['ratio']['value'])}× fastmath")
            expect(f"{duration(fastest['median_ns'])}, {claim}" in everything, f"headline of {fastest['id']} is not: {claim}")
    expect(bench.get("compare", {}).get("difference", "") in everything, "what the comparison compares is not said")
    strips = root.findall(f".//{XHTML}rect[@class='noise']")
    ratios = sum("ratio" in entry for shape in bench["shapes"] for entry in shape["entries"])
    expect(len(strips) == ratios, f"{len(strips)} noise bands for {ratios} ratios")
    verdict = bench.get("compare", {}).get("recommendation", bench.get("compare", {}).get("finding", ""))
    expect(verdict in everything, "the recommendation is missing")

if hostile:
    expect('<script>alert("1")</script>' in everything, "a hostile name is not shown as text")
    expect("</td><script>x</script>" in everything, "a hostile label is not shown as text")
    expect("\u202e" not in raw, "an override of the writing direction reached the page")
    expect("verification itself failed" in everything, "a control that got through is not called out")

# Labels of a scatter do not overlap each other or a mark, at three widths.
for scatter in root.findall(f".//{XHTML}svg[@class='scatter']"):
    points = [(float(p.get("x")[:-1]), float(p.get("y")), p.find(f"{XHTML}text")) for p in scatter.findall(f"{XHTML}svg")]
    expect(points, "a scatter without points")
    if mode == "crowd" and len(points) > 20:
        expect(sum(label is not None for _, _, label in points) >= 12, "a crowd has hardly any labels")
    for width in (300, 360, 640):
        labels = []
        for x, y, label in points:
            if label is None:
                continue
            centre, base = x / 100 * width + float(label.get("x")), y + float(label.get("y"))
            half = 3.2 * len(label.text)
            labels.append((label.text, centre - half, centre + half, base - 9, base))
        for i, a in enumerate(labels):
            for b in labels[i + 1:]:
                apart = a[2] <= b[1] or b[2] <= a[1] or a[4] <= b[3] or b[4] <= a[3]
                expect(apart, f"labels {a[0]} and {b[0]} overlap at {width} px")
            for x, y, _ in points:
                at = x / 100 * width
                apart = a[2] <= at - 5 or at + 5 <= a[1] or a[4] <= y - 5 or y + 5 <= a[3]
                expect(apart, f"label {a[0]} lies on a mark at {width} px")

# Texts of a strip's scale do not touch, where it is narrowest and where it is wide.
for axis in root.findall(f".//{XHTML}svg[@class='axis']"):
    for width in (200, 300):
        end = -100.0
        for label in sorted(axis.findall(f"{XHTML}text"), key=lambda one: float(one.get("x")[:-1])):
            size = 6.4 * len(label.text)
            start = float(label.get("x")[:-1]) / 100 * width - {"start": 0, "middle": size / 2, "end": size}[label.get("text-anchor")]
            expect(start > end, f"scale text {label.text} touches the one before it at {width} px")
            end = start + size

for message in wrong[:20]:
    print(f"{page}: {message}", file=sys.stderr)
sys.exit(1 if wrong else 0)
