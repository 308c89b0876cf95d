/* SPDX-License-Identifier: MIT */
/* What both charts need: a frame with numbered axes that is drawn anew when its room changes, and a column that is
 * pointed at, by mouse or by the arrow keys, with its numbers beside it. */

const HEIGHT = 240, ABOVE = 24, BELOW = 28;

/* 1, 2 or 5 times a power of ten, so that about four lines are drawn. */
function ticks(most) {
	const rough = Math.max(most, 1) / 4, power = 10 ** Math.floor(Math.log10(rough));
	const step = Math.max(1, [1, 2, 5, 10].map(n => n * power).find(n => n >= rough));
	return Array.from({ length: Math.ceil(Math.max(most, 1) / step) + 1 }, (_, number) => number * step);
}

class Plot {
	constructor(title, unit, render) {
		this.title = title;
		this.unit = unit;
		this.render = render; /* (this): draws into this.svg, sets this.columns */
		this.svg = draw("svg", { role: "group", tabindex: 0, width: "100%",
			"aria-label": `${title}: a chart; the arrow keys go through it, and its numbers stand in a table below` });
		this.tip = make("div", { class: "tip", hidden: true });
		this.element = make("figure", {}, this.svg, this.tip);
		this.svg.addEventListener("keydown", event => this.key(event));
		this.svg.addEventListener("blur", () => this.point(null));
		this.svg.addEventListener("pointerleave", () => this.point(null));
		new ResizeObserver(() => requestAnimationFrame(() => this.redraw(false))).observe(this.element);
	}

	redraw(always) {
		const width = Math.max(240, Math.floor(this.element.clientWidth));
		if (!this.element.isConnected || (!always && width === this.width))
			return;
		this.width = width;
		this.at = null;
		this.tip.hidden = true;
		this.svg.replaceChildren();
		this.render(this);
	}

	/* The vertical axis; returns how high a value stands. */
	scale(most, left, extra = 0) {
		const marks = ticks(most), top = marks[marks.length - 1], base = HEIGHT + extra;
		this.svg.setAttribute("viewBox", `0 0 ${this.width} ${base + BELOW}`);
		const y = value => base - (base - ABOVE - extra) * value / top;
		for (const mark of marks)
			this.svg.append(draw("path", { class: mark === 0 ? "axis" : "grid", d: `M${left} ${y(mark)}H${this.width}` }),
				draw("text", { x: left - 6, y: y(mark) + 4, "text-anchor": "end" }, count(mark)));
		this.svg.append(draw("text", { x: 0, y: 12 }, this.unit));
		return y;
	}

	static left(most) {
		const marks = ticks(most);
		return 12 + 7.2 * count(marks[marks.length - 1]).length;
	}

	/* Names below the axis, as many as there is room for. columns: [{x, width, name}] */
	names(columns, base) {
		const longest = Math.max(...columns.map(column => column.name.length)) * 7 + 10;
		const every = Math.max(1, Math.ceil(longest / Math.max(columns[0].width, .01)));
		columns.forEach((column, number) => {
			const middle = column.x + column.width / 2;
			if (number % every === 0)
				this.svg.append(draw("text", { x: Math.min(Math.max(middle, longest / 2 - 5), this.width - longest / 2 + 5),
					y: base + 18, "text-anchor": "middle" }, column.name));
		});
	}

	/* The places that can be pointed at; says: what there is to say of each. */
	hits(columns, says, base) {
		this.columns = columns.map((column, number) => {
			const hit = draw("rect", { class: "hit", x: column.x, y: ABOVE, width: Math.max(column.width, .5),
				height: base - ABOVE });
			hit.addEventListener("pointerenter", () => this.point(number));
			this.svg.append(hit);
			return { hit, column };
		});
		this.says = says;
	}

	point(number) {
		if (this.at !== null && this.at !== undefined)
			this.columns[this.at].hit.classList.remove("at");
		this.at = number;
		this.tip.hidden = number === null;
		if (number === null)
			return;
		const { hit, column } = this.columns[number];
		hit.classList.add("at");
		this.tip.replaceChildren(...this.says(number).map(text => make("p", {}, text)));
		const room = this.width - this.tip.offsetWidth;
		this.tip.style.left = `${Math.max(0, Math.min(room, column.x + column.width + 4))}px`;
		this.tip.style.top = `${ABOVE}px`;
	}

	key(event) {
		const last = this.columns.length - 1, at = this.at ?? -1;
		const to = { ArrowRight: Math.min(last, at + 1), ArrowLeft: Math.max(0, at - 1), Home: 0, End: last,
			Escape: null }[event.key];
		if (to === undefined || last < 0)
			return;
		event.preventDefault();
		this.point(to);
		if (to !== null)
			announce(this.says(to).join(", "));
	}
}

function legend(entries) {
	return make("ul", { class: "legend" }, ...entries.map(([sign, text]) => make("li", {}, sign, text)));
}

/* A table behind a chart. */
function behind(heading, columns, rows, sort) {
	const table = new Table({ columns, rows, sort }, { ...heading, id: `${heading.id}-table` });
	const details = make("details", {}, make("summary", {}, "The numbers as a table"), table.element);
	table.element.querySelector("table").setAttribute("aria-labelledby", heading.id);
	return details;
}
