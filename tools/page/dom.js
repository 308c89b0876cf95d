/* SPDX-License-Identifier: MIT */
/* Elements. Text becomes text and nothing else: whatever a log or a message held, no element is made of it. */

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
	for (const [name, value] of Object.entries(attributes))
		if (value !== null && value !== undefined && value !== false)
			element.setAttribute(name, value === true ? "" : value);
	element.append(...children.filter(child => child !== null));
	return element;
}

function make(name, attributes = {}, ...children) {
	return fill(document.createElement(name), attributes, children);
}

function draw(name, attributes = {}, ...children) {
	return fill(document.createElementNS(SVG, name), attributes, children);
}

function button(text, action, attributes = {}) {
	const made = make("button", { type: "button", ...attributes }, text);
	made.addEventListener("click", action);
	return made;
}

const counts = new Intl.NumberFormat("en");

function count(value) {
	return typeof value === "number" ? counts.format(value) : String(value ?? "\u2013");
}

function time(text) {
	return text.slice(0, 16).replace("T", " ");
}

let live;

/* For whoever does not see what has changed. */
function announce(text) {
	live.textContent = text;
}

/* Each tone has a pattern beside its colour: on paper, and for eyes that do not tell red from green. */
const HATCHES = {
	bad: null, warn: "M0 8L8 0", good: "M4 0V8", calm: "M0 4H8", plain: "M0 0L8 8M0 8L8 0", other: "M2 2H4V4H2Z",
};

function patterns() {
	const all = Object.entries(HATCHES).map(([tone, path]) =>
		draw("pattern", { id: `fill-${tone}`, class: `tone-${tone}`, width: 8, height: 8, patternUnits: "userSpaceOnUse" },
			draw("rect", { class: "solid", width: 8, height: 8 }), path && draw("path", { class: "hatch", d: path })));
	return draw("svg", { class: "defs", "aria-hidden": "true" }, draw("defs", {}, ...all));
}

function swatch(tone) {
	return draw("svg", { width: 18, height: 14, "aria-hidden": "true" },
		draw("rect", { class: `bar tone-${tone}`, x: 1, y: 1, width: 16, height: 12 }));
}

async function copy(text) {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		const area = make("textarea", { class: "unseen", readonly: true });
		area.value = text;
		document.body.append(area);
		area.select();
		const done = document.execCommand("copy");
		area.remove();
		return done;
	}
}
