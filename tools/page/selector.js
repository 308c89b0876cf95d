/* SPDX-License-Identifier: MIT */
/* One domain of however many: typed, and chosen from the first ones that match. */

const MATCHES = 20;

class Selector {
	constructor(chosen) {
		this.chosen = chosen;
		this.lower = domainNames.map(name => name.toLowerCase());
		this.list = make("ul", { id: "domain-list", role: "listbox", "aria-label": "domains", hidden: true });
		this.field = make("input", { id: "domain", type: "text", role: "combobox", autocomplete: "off", spellcheck: "false",
			"aria-expanded": "false", "aria-controls": "domain-list", "aria-autocomplete": "list", placeholder: "all domains" });
		this.all = button("all domains", () => this.take(null), { hidden: true });
		const known = domainNames.length === 1 ? "1 domain" : `${count(domainNames.length)} domains`;
		this.element = make("div", { class: "selector" }, make("label", { for: "domain" }, "Domain"), this.field, this.all,
			make("span", { class: "count" }, known), this.list);
		this.field.addEventListener("input", () => this.open());
		this.field.addEventListener("focus", () => this.open());
		this.field.addEventListener("blur", () => this.close());
		this.field.addEventListener("keydown", event => this.key(event));
	}

	/* The one of that name, those that begin so, and those that hold it. */
	matches() {
		const typed = this.field.value.trim().toLowerCase(), same = this.lower.indexOf(typed), begin = [], hold = [];
		for (let number = 0; number < this.lower.length && begin.length < MATCHES; number++) {
			if (number === same)
				continue;
			if (this.lower[number].startsWith(typed))
				begin.push(number);
			else if (hold.length < MATCHES && this.lower[number].includes(typed))
				hold.push(number);
		}
		return [...same < 0 ? [] : [same], ...begin, ...hold].slice(0, MATCHES);
	}

	open() {
		this.shown = this.matches();
		this.at = -1;
		this.list.replaceChildren(...this.shown.map((number, place) => {
			const entry = make("li", { id: `domain-${place}`, role: "option", "aria-selected": "false" }, domainNames[number]);
			entry.addEventListener("pointerdown", event => {
				event.preventDefault(); /* the field keeps the focus until it is chosen */
				this.take(domainNames[number]);
			});
			return entry;
		}));
		this.list.hidden = this.shown.length === 0;
		this.field.setAttribute("aria-expanded", String(!this.list.hidden));
		this.field.removeAttribute("aria-activedescendant");
	}

	close() {
		this.list.hidden = true;
		this.field.setAttribute("aria-expanded", "false");
		this.field.removeAttribute("aria-activedescendant");
	}

	move(by) {
		if (this.list.hidden)
			this.open();
		const entries = [...this.list.children];
		if (entries.length === 0)
			return;
		this.at = (this.at + by + entries.length + (this.at < 0 && by < 0 ? 1 : 0)) % entries.length;
		entries.forEach((entry, place) => entry.setAttribute("aria-selected", String(place === this.at)));
		entries[this.at].scrollIntoView({ block: "nearest" });
		this.field.setAttribute("aria-activedescendant", entries[this.at].id);
	}

	key(event) {
		if (event.key === "ArrowDown" || event.key === "ArrowUp") {
			event.preventDefault();
			this.move(event.key === "ArrowDown" ? 1 : -1);
		} else if (event.key === "Escape") {
			this.close();
		} else if (event.key === "Enter") {
			const typed = this.lower.indexOf(this.field.value.trim().toLowerCase());
			const number = this.at >= 0 ? this.shown[this.at] : typed;
			if (this.field.value.trim() === "" && this.at < 0)
				this.take(null);
			else if (number !== undefined && number >= 0)
				this.take(domainNames[number]);
			else
				announce("there is no such domain");
		}
	}

	take(domain) {
		this.field.value = domain ?? "";
		this.all.hidden = domain === null;
		this.close();
		this.chosen(domain);
		announce(domain === null ? "all domains are shown" : `only ${domain} is shown`);
	}
}
