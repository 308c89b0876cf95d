/* SPDX-License-Identifier: MIT */
/* The time line of a domain: direct mail day by day, the generations of its gateways above it, and what happened
 * when. */

const DAY = 86400000, MARK_ROWS = 4, ROW = 16;

function day(stamp) {
	return new Date(stamp).toISOString().slice(0, 10);
}

/* All that is marked: [{at, kind, letter, text, generation}] */
function marksOf(items) {
	const marks = [];
	items.forEach((item, number) => {
		const add = (at, kind, letter, text) => marks.push({ at, kind, letter, text, generation: number + 1 });
		const first = item.days.find(each => each.direct > 0), from = item.from && Date.parse(item.from);
		if (from)
			add(from, "change", "G", `generation ${number + 1} begins`);
		if (first)
			add(Date.parse(first.day), "first", "F", "first direct mail");
		if (item.half_life_days !== null && (from || first))
			add((from || Date.parse(first.day)) + item.half_life_days * DAY, "half", "H",
				`half-life: ${item.half_life_days.toFixed(1)} days`);
		if (item.dry)
			add(Date.parse(item.dry), "dry", "D", "dry: no direct mail any more");
		if (item.never_published?.first)
			add(Date.parse(item.never_published.first), "found", "N", "first host that came by a name never published");
		for (const moved of item.moved)
			add(from + moved.after_days * DAY, "host", "M", `${moved.peer} moved after ${moved.after_days.toFixed(1)} days`);
	});
	return marks.sort((a, b) => a.at - b.at);
}

const columns = list => list.map(([title, kind]) => ({ title, kind }));
const GENERATIONS = columns([["generation", "number"], ["from", "time"], ["until", "time"], ["direct a day", "number"],
	["half-life, days", "number"], ["dry from", "time"], ["hosts by names never published", "number"], ["gateways", "list"]]);
const HOSTS = columns([["host", "address"], ["generation", "number"], ["what it does", "state"],
	["after days", "number"], ["direct messages", "number"], ["first", "time"], ["last", "time"]]);
const HAPPENED = columns([["when", "time"], ["generation", "number"], ["what"]]);
const DAYS = columns([["day", "time"], ["generation", "number"], ["direct messages", "number"]]);

const rounded = value => value === null ? null : Math.round(value * 10) / 10;

function generationRows(items) {
	return items.map((item, number) => [number + 1, item.from, item.until, rounded(item.direct_per_day),
		rounded(item.half_life_days), item.dry, item.never_published?.hosts ?? null, item.gateways]);
}

function hostRows(items) {
	return items.flatMap((item, number) => [
		...item.moved.map(moved => [moved.peer, number + 1, ["good", "moved to the gateways"],
			rounded(moved.after_days), null, null, null]),
		...item.stayed.map(stayed => [stayed.peer, number + 1, ["bad", "still comes past them"],
			null, stayed.messages, null, stayed.last]),
		...(item.never_published?.peers ?? []).map(found => [found.peer, number + 1,
			["bad", "came by a name never published"], null, found.messages, found.first, null])]);
}

class Lines {
	constructor(part, heading) {
		this.part = part;
		this.heading = heading;
		this.byDomain = new Map();
		for (const item of part.items)
			this.byDomain.set(item.domain, [...(this.byDomain.get(item.domain) ?? []), item]);
		this.about = make("p", { class: "count" });
		this.plot = new Plot(heading.text, "direct messages", plot => this.render(plot));
		this.tables = make("div");
		this.element = make("div", {}, this.about, this.plot.element, this.signs(), this.tables);
		this.select(null);
	}

	signs() {
		const sign = (kind, path) => draw("svg", { width: 18, height: 14, "aria-hidden": "true" },
			draw("path", { class: kind, d: path }));
		const line = kind => sign(`mark ${kind}`, "M9 0V14");
		return legend([[swatch("bad"), "direct mail"], [line("change"), "G: a generation of gateways begins"],
			[line("first"), "F: first direct mail"], [line("half"), "H: half-life"], [line("dry"), "D: dry"],
			[line("found"), "N: a name that was never published"],
			[sign("moved", "M3 12L9 2L15 12Z"), "M: a host has moved to the gateways"]]);
	}

	select(domain) {
		const shown = domain ?? this.byDomain.keys().next().value;
		this.items = this.byDomain.get(shown) ?? [];
		const others = domain === null ? this.byDomain.size - 1 : 0;
		const more = others === 1 ? "; one more domain has one" : `; ${count(others)} more domains have one`;
		this.about.textContent = this.items.length === 0 ? `no time line of ${shown} is known` :
			`of ${shown}${others > 0 ? `${more}: choose above` : ""}`;
		this.marks = marksOf(this.items);
		this.plot.element.hidden = this.range() === null;
		this.refresh();
	}

	refresh() {
		const name = text => ({ id: `${this.heading.id}-${text}`, text: `${this.heading.text}: ${text}` });
		const days = this.items.flatMap((item, number) => item.days.map(each => [each.day, number + 1, each.direct]));
		const tables = [
			["Generations", new Table({ columns: GENERATIONS, rows: generationRows(this.items) }, name("generations")).element],
			["What happened", new Table({ columns: HAPPENED,
				rows: this.marks.map(mark => [day(mark.at), mark.generation, mark.text]) }, name("marks")).element],
			["Hosts", new Table({ columns: HOSTS, rows: hostRows(this.items) }, name("hosts")).element]];
		this.tables.replaceChildren(...tables.flatMap(([title, element], number) =>
			[make("h3", { id: name(["generations", "marks", "hosts"][number]).id }, title), element]),
			behind(this.heading, DAYS, days));
		this.plot.redraw(true);
	}

	/* From the first to the last of all that is drawn; null: nothing is. */
	range() {
		const stamps = this.items.flatMap(item => [...item.days.map(each => Date.parse(each.day)),
			...[item.from, item.until, item.dry].filter(text => text).map(text => Date.parse(text))]);
		const all = [...stamps, ...this.marks.map(mark => mark.at)];
		if (all.length === 0)
			return null;
		const low = all.reduce((least, at) => Math.min(least, at), Infinity);
		const high = all.reduce((most, at) => Math.max(most, at), -Infinity);
		return [Math.floor(low / DAY), Math.floor(high / DAY) + 1];
	}

	/* As many days in one bar as the room asks for. */
	bars(low, high, most) {
		const days = Math.max(1, Math.ceil((high - low) / most));
		const sums = Array(Math.max(1, Math.ceil((high - low) / days))).fill(0);
		for (const item of this.items)
			for (const each of item.days)
				sums[Math.floor((Date.parse(each.day) / DAY - low) / days)] += each.direct;
		return [sums, days];
	}

	render(plot) {
		if (this.range() === null) {
			plot.hits([], () => [], HEIGHT);
			return;
		}
		const [low, high] = this.range(), [sums, days] = this.bars(low, high, plot.width / 5);
		const extra = ROW * (MARK_ROWS + 1), base = HEIGHT + extra;
		plot.unit = days === 1 ? "direct messages a day" : `direct messages in ${days} days`;
		const most = Math.max(1, ...sums), left = Plot.left(most), y = plot.scale(most, left, extra);
		const x = at => left + (at / DAY - low) / (sums.length * days) * (plot.width - left);
		const step = (plot.width - left) / sums.length;
		const columns = sums.map((_, number) =>
			({ x: left + number * step, width: step, name: day((low + number * days) * DAY) }));
		this.bands(plot, x, left, base);
		columns.forEach((column, number) => {
			if (sums[number] > 0)
				plot.svg.append(draw("rect", { class: "bar tone-bad", x: column.x + step * .1, width: step * .8,
					y: y(sums[number]), height: base - y(sums[number]) }));
		});
		plot.names(columns, base);
		this.drawMarks(plot, x, base);
		plot.hits(columns, number => this.says(columns[number].name, days, sums[number], low + number * days), base);
	}

	says(name, days, sum, first) {
		const marks = this.marks.filter(mark => mark.at / DAY >= first && mark.at / DAY < first + days);
		return [days === 1 ? name : `${name} and ${days - 1} days after`, `direct messages: ${count(sum)}`,
			...marks.map(mark => `${mark.letter}: ${mark.text}`)];
	}

	bands(plot, x, left, base) {
		this.items.forEach((item, number) => {
			const from = item.from ? Math.max(left, x(Date.parse(item.from))) : left;
			const until = item.until ? Math.max(from, x(Date.parse(item.until))) : plot.width;
			const known = item.gateways.length;
			const many = !item.logged ? "outside the log" : known === 0 ? "gateways not known" : known === 1 ? "1 gateway" : `${count(known)} gateways`;
			const text = `${number + 1}: ${many}`;
			plot.svg.append(draw("rect", { class: "band", x: from, y: ABOVE - 4, width: until - from, height: ROW + 2 }));
			const short = until - from > text.length * 7 + 8 ? text : until - from > 16 ? String(number + 1) : "";
			plot.svg.append(draw("text", { x: from + 4, y: ABOVE + 9 }, short));
		});
	}

	/* Letters in as many rows as they need not to lie on each other; moved hosts stand on the axis. */
	drawMarks(plot, x, base) {
		const ends = Array(MARK_ROWS).fill(-Infinity);
		for (const mark of this.marks) {
			const at = x(mark.at);
			if (mark.kind === "host") {
				plot.svg.append(draw("path", { class: "moved", d: `M${at - 5} ${base}L${at} ${base - 9}L${at + 5} ${base}Z` }));
				continue;
			}
			const free = ends.findIndex(end => end < at - 2), row = free < 0 ? MARK_ROWS - 1 : free;
			const level = ABOVE + ROW * (row + 2);
			ends[row] = at + 12;
			plot.svg.append(draw("path", { class: `mark ${mark.kind}`, d: `M${at} ${level - 10}V${base}` }),
				draw("text", { x: at + 3, y: level }, mark.letter));
		}
	}
}
