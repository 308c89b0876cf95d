/* SPDX-License-Identifier: MIT */
/* A table that is sorted, searched and turned over page by page. Only one page of rows is in the document: a hundred
 * thousand of them stay in memory, where they are fast. */

const PAGE = 50;

class Table {
	constructor(part, heading) {
		this.part = part;
		this.rows = part.rows;
		this.keys = []; /* of a column, made when it is first sorted by */
		this.domain = null;
		this.query = [];
		this.first = 0;
		[this.column, this.direction] = part.sort ?? [null, "none"];
		this.domainColumn = part.columns.findIndex(column => column.kind === "domain" || column.kind === "domains");
		this.element = this.build(heading);
		this.arrange();
	}

	build(heading) {
		this.body = make("tbody");
		this.heads = this.part.columns.map((column, number) => make("th",
			{ scope: "col", class: kindOf(column).right ? "n" : column.kind ?? "text", title: column.note },
			button(column.title, () => this.sortBy(number))));
		this.status = make("span", { class: "count", role: "status" });
		this.back = button("previous", () => this.turn(-PAGE), { "aria-label": `previous rows of ${heading.text}` });
		this.next = button("next", () => this.turn(PAGE), { "aria-label": `next rows of ${heading.text}` });
		return make("div", {},
			make("div", { class: "tools" }, ...this.searchField(heading), this.status, this.back, this.next),
			make("div", { class: "wide", tabindex: 0, role: "region", "aria-label": heading.text },
				make("table", { "aria-labelledby": heading.id }, make("thead", {}, make("tr", {}, ...this.heads)), this.body)));
	}

	searchField(heading) {
		if (this.rows.length < 8)
			return [];
		const field = make("input", { type: "search", id: `${heading.id}-search`, autocomplete: "off", spellcheck: "false" });
		field.addEventListener("input", () => {
			this.query = field.value.toLowerCase().split(/\s+/).filter(word => word !== "");
			this.arrange();
		});
		return [make("label", { for: field.id }, "Search", make("span", { class: "unseen" }, ` ${heading.text}`)), field];
	}

	sortBy(number) {
		const numeric = kindOf(this.part.columns[number]).right;
		if (this.column === number)
			this.direction = this.direction === "ascending" ? "descending" : "ascending";
		else
			this.direction = numeric ? "descending" : "ascending";
		this.column = number;
		this.arrange();
		announce(`sorted by ${this.part.columns[number].title}, ${this.direction}`);
	}

	turn(by) {
		this.first += by;
		this.show();
	}

	select(domain) {
		this.domain = domain;
		this.arrange();
	}

	keysOf(number) {
		const kind = kindOf(this.part.columns[number]);
		this.keys[number] ??= this.rows.map(row => row[number] === null ? null : kind.key(row[number]));
		return this.keys[number];
	}

	/* All that a row says, once for all searches. */
	wordsOf(row) {
		return this.part.columns.map((column, number) =>
			row[number] === null ? "" : kindOf(column).words(row[number])).join("\n").toLowerCase();
	}

	isWanted(number) {
		if (this.domain !== null && this.domainColumn >= 0 &&
		    !domainsOf(this.rows[number][this.domainColumn]).includes(this.domain))
			return false;
		return this.query.every(word => this.words[number].includes(word));
	}

	/* What has no value stands last, whichever way it is sorted. */
	sort(order) {
		const keys = this.keysOf(this.column), sign = this.direction === "descending" ? -1 : 1;
		order.sort((a, b) => {
			const x = keys[a], y = keys[b];
			if (x === y)
				return a - b;
			if (x === null || y === null)
				return x === null ? 1 : -1;
			return x < y ? -sign : sign;
		});
	}

	arrange() {
		if (this.query.length > 0)
			this.words ??= this.rows.map(row => this.wordsOf(row));
		this.order = [...this.rows.keys()].filter(number => this.isWanted(number));
		if (this.column !== null)
			this.sort(this.order);
		this.heads.forEach((head, number) =>
			head.setAttribute("aria-sort", number === this.column ? this.direction : "none"));
		this.first = 0;
		this.show();
	}

	cell(column, value) {
		const kind = kindOf(column), name = column.kind ?? "text";
		return make("td", { class: kind.right ? "n" : name }, value === null ? "\u2013" : kind.show(value));
	}

	show() {
		const all = this.order.length, end = Math.min(this.first + PAGE, all);
		this.body.replaceChildren(...this.order.slice(this.first, end).map(number => make("tr", {},
			...this.part.columns.map((column, at) => this.cell(column, this.rows[number][at])))));
		const whole = all === this.rows.length ? "" : ` (${count(this.rows.length)} in all)`;
		const shown = all === 0 ? "none" : `${count(this.first + 1)}\u2013${count(end)} of ${count(all)}`;
		this.status.textContent = shown + whole;
		this.back.disabled = this.first === 0;
		this.next.disabled = end === all;
		this.back.hidden = this.next.hidden = all <= PAGE;
	}
}
