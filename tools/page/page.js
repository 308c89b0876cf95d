/* SPDX-License-Identifier: MIT */
/* The parts in their order. */

const views = [];

function sums(part) {
	const items = part.items.map(item => make("li", { class: `tone-${item.tone ?? "plain"}` },
		make("strong", {}, count(item.value)), item.label, item.note ? make("small", {}, item.note) : null));
	document.getElementById("sums").append(make("ul", { class: "sums" }, ...items));
}

function words(part) {
	const entries = part.items.flatMap(([word, meaning]) => [make("dt", {}, word), make("dd", {}, meaning)]);
	return make("section", { "aria-labelledby": "words" }, make("h2", { id: "words" }, "What the words mean"),
		make("dl", {}, ...entries));
}

const drawn = { bars: Bars, lines: Lines, table: Table };

function section(part) {
	const heading = { id: part.id, text: part.title };
	const view = new drawn[part.part](part, heading);
	views.push(view);
	return make("section", { "aria-labelledby": part.id }, make("h2", { id: part.id }, part.title),
		part.note ? make("p", { class: "note" }, part.note) : null, view.element);
}

function select(domain) {
	for (const view of views)
		view.select(domain);
}

/* On paper nothing can be opened. */
function openForPrint() {
	const closed = [];
	addEventListener("beforeprint", () => {
		closed.push(...document.querySelectorAll("details:not([open])"));
		closed.forEach(details => { details.open = true; });
	});
	addEventListener("afterprint", () => closed.splice(0).forEach(details => { details.open = false; }));
}

function begin() {
	const parts = JSON.parse(document.getElementById("data").textContent), place = document.getElementById("parts");
	const names = parts.find(part => part.names);
	live = make("div", { class: "unseen", role: "status", "aria-live": "polite" });
	document.body.prepend(patterns(), live);
	if (names) {
		domainNames = names.rows.map(row => row[0]);
		const selector = new Selector(select);
		chooseDomain = domain => selector.take(domain);
		place.append(selector.element);
	}
	for (const part of parts) {
		if (part.part === "sums")
			sums(part);
		else
			place.append(part.part === "words" ? words(part) : section(part));
	}
	for (const view of views)
		view.plot?.redraw(true);
	openForPrint();
}

begin();
