/* SPDX-License-Identifier: MIT */
/* What stands in a table: how it is shown, by what it is sorted, and what a search finds. A kind each. */

let domainNames = []; /* of the table that has each domain once; cells may hold their numbers */
let chooseDomain = () => {};

function domainsOf(cell) {
	const list = cell === null ? [] : Array.isArray(cell) ? cell : [cell];
	return list.map(each => typeof each === "number" ? domainNames[each] : each);
}

const SHOWN = 5; /* of a list; the others are a button away */

function listItems(texts) {
	const list = make("ul", {}, ...texts.slice(0, SHOWN).map(text => make("li", {}, text)));
	const more = texts.length - SHOWN;
	if (more > 0)
		list.append(make("li", {}, button(`${count(more)} more`, () =>
			list.replaceChildren(...texts.map(text => make("li", {}, text))))));
	return list;
}

function showList(texts) {
	return texts.length === 0 ? "\u2013" : texts.length === 1 ? texts[0] : listItems(texts);
}

function showTerm(text) {
	const copied = button("copy", async () => {
		const done = await copy(text);
		copied.textContent = done ? "copied" : "select it and copy";
		announce(done ? `copied: ${text}` : "the browser did not let it be copied");
		setTimeout(() => copied.replaceChildren("copy"), 4000);
	}, { class: "copy", "aria-label": `copy ${text}` });
	return make("span", {}, make("code", {}, text), copied);
}

function showTime(text) {
	return make("time", { datetime: text, title: text }, time(text));
}

/* IPv4 and IPv6 in the order of their numbers. */
function addressKey(text) {
	if (!text.includes(":"))
		return "4" + text.split(".").map(part => part.padStart(3, "0")).join("");
	const [head, tail] = text.split("::").map(half => half === "" ? [] : half.split(":"));
	const zeros = tail === undefined ? [] : Array(Math.max(0, 8 - head.length - tail.length)).fill("0");
	return "6" + [...head, ...zeros, ...(tail ?? [])].map(part => part.padStart(4, "0")).join("");
}

const plainKind = { show: cell => String(cell), key: cell => String(cell).toLowerCase(), words: cell => String(cell) };

const kinds = {
	text: plainKind,
	number: { show: count, key: cell => cell, words: cell => count(cell), right: true },
	share: { show: cell => `${(cell * 100).toFixed(1)} %`, key: cell => cell, words: () => "", right: true },
	time: { show: showTime, key: cell => cell, words: time },
	address: { show: cell => cell, key: addressKey, words: cell => cell },
	domain: { show: cell => button(domainsOf(cell)[0], () => chooseDomain(domainsOf(cell)[0]), { class: "link" }),
		key: cell => domainsOf(cell)[0].toLowerCase(), words: cell => domainsOf(cell)[0] },
	domains: { show: cell => showList(domainsOf(cell)), key: cell => domainsOf(cell).length,
		words: cell => domainsOf(cell).join("\n") },
	list: { show: showList, key: cell => cell.join("\n").toLowerCase(), words: cell => cell.join("\n") },
	yes: { show: cell => make("span", { class: `state tone-${cell ? "good" : "warn"}` }, cell ? "yes" : "no"),
		key: cell => cell ? 1 : 0, words: cell => cell ? "yes" : "no" },
	term: { show: showTerm, key: plainKind.key, words: plainKind.words },
	state: { show: ([tone, text]) => make("span", { class: `state tone-${tone}` }, text),
		key: cell => cell[1].toLowerCase(), words: cell => cell[1] },
};

function kindOf(column) {
	return kinds[column.kind] ?? plainKind;
}
