/* SPDX-License-Identifier: MIT */
/* Stacked bars, of everything or of one domain. */

class Bars {
	constructor(part, heading) {
		this.part = part;
		this.heading = heading;
		this.values = part.series.map(series => series.values);
		this.about = make("p", { class: "count" });
		this.plot = new Plot(heading.text, part.unit, plot => this.render(plot));
		this.table = make("div");
		this.element = make("div", {}, this.about, this.plot.element,
			legend(part.series.map(series => [swatch(series.tone), series.name])), this.table);
		this.refresh();
	}

	select(domain) {
		const number = domain === null ? -1 : domainNames.indexOf(domain);
		const known = this.part.of !== undefined && number >= 0;
		this.about.textContent = domain === null ? "" : known ? `of ${domain}` : "of all domains";
		this.values = this.part.series.map(series => series.values);
		if (known)
			this.values = this.ofDomain(this.part.rows[number] ?? []);
		this.refresh();
	}

	ofDomain(sparse) {
		const values = this.part.series.map(() => Array(this.part.x.length).fill(0));
		for (const [place, ...numbers] of sparse)
			numbers.forEach((value, series) => { values[series][place] = value; });
		return values;
	}

	refresh() {
		const columns = [{ title: this.part.axis ?? "when" },
			...this.part.series.map(series => ({ title: series.name, kind: "number" }))];
		const rows = this.part.x.map((name, place) => [name, ...this.values.map(values => values[place])]);
		this.table.replaceChildren(behind(this.heading, columns, rows));
		this.plot.redraw(true);
	}

	render(plot) {
		const { x, series } = this.part;
		const sums = x.map((_, place) => this.values.reduce((sum, values) => sum + values[place], 0));
		const most = Math.max(1, ...sums), left = Plot.left(most), y = plot.scale(most, left);
		const step = (plot.width - left) / Math.max(1, x.length), wide = Math.min(step * .86, 64);
		const columns = x.map((name, place) => ({ x: left + place * step, width: step, name }));
		columns.forEach((column, place) => {
			let below = 0;
			series.forEach(({ tone }, number) => {
				const value = this.values[number][place];
				if (value > 0)
					plot.svg.append(draw("rect", { class: `bar tone-${tone}`, x: column.x + (step - wide) / 2,
						y: y(below + value), width: wide, height: y(below) - y(below + value) }));
				below += value;
			});
		});
		if (columns.length > 0)
			plot.names(columns, HEIGHT);
		plot.hits(columns, place => [x[place], ...series.map(({ name }, number) =>
			`${name}: ${count(this.values[number][place])}`), `all: ${count(sums[place])}`], HEIGHT);
	}
}
