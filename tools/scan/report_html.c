/* SPDX-License-Identifier: MIT */
/* One page that an administrator can show to a manager: no scripts, nothing from elsewhere. */
#include <inttypes.h>
#include <string.h>

#include "scan/report.h"
#include "text.h"

#define CHART_WIDTH 860
#define CHART_HEIGHT 220
#define CHART_ROOM 18 /* above the highest bar, for the scale */

static const char style[] =
	"body{font:16px/1.5 system-ui,sans-serif;color:#1b1f24;max-width:900px;margin:2em auto;padding:0 1em}"
	"h1{font-size:1.5em;margin-bottom:0}h2{font-size:1.1em;margin-top:2em}"
	".big{font-size:1.25em}.bad{color:#b3261e;font-weight:600}.faint{color:#5c6670}"
	"table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3em .6em;border-bottom:1px solid "
	"#d8dee4;"
	"white-space:nowrap}td.file{white-space:normal;overflow-wrap:anywhere;color:#5c6670}"
	"td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
	".key span{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 1em}.key span:first-child{margin-left:0}"
	"@media(prefers-color-scheme:dark){body{background:#14171a;color:#e3e7eb}th,td{border-color:#333b42}"
	".bad{color:#ff8a80}.faint,td.file{color:#98a2ab}}";

static const char *const colours[MXG_PATHS] = { "#2e7d32", "#c62828", "#f9a825", "#78909c", "#5c6bc0", "#a1887f" };
static const char *const labels[MXG_PATHS] = { "through gateways", "directly, past the filters",
					       "unknown",          "locally",
					       "authenticated",    "exempt" };
/* Direct mail stands at the bottom, on the axis, where its height can be compared. */
static const enum mxg_path stack_order[MXG_PATHS] = { MXG_PATH_DIRECT,        MXG_PATH_UNKNOWN, MXG_PATH_GATEWAY,
						      MXG_PATH_AUTHENTICATED, MXG_PATH_LOCAL,   MXG_PATH_EXEMPT };

static void put_escaped(FILE *to, const char *text)
{
	char clean[1200];
	mxg_text_clean(clean, sizeof(clean), text, strlen(text), NULL);
	for (const char *p = clean; *p != '\0'; p++) {
		switch (*p) {
		case '&':
			fputs("&amp;", to);
			break;
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		default:
			fputc(*p, to);
		}
	}
}

static const char *day(int64_t date, char buf[MXG_TIME_MAX])
{
	if (date == 0)
		return "&ndash;";
	mxg_time_format(date, buf);
	buf[10] = '\0';
	return buf;
}

static double share(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

static void put_summary(const struct mxg_tally *t, FILE *to)
{
	char first[MXG_TIME_MAX], last[MXG_TIME_MAX];
	fprintf(to,
		"<p class=\"big\">Of %" PRIu64 " messages, <span class=\"bad\">%" PRIu64
		" (%.1f&nbsp;%%) were delivered past the filters</span>; %" PRIu64 " came through them.</p>\n",
		t->messages, t->paths[MXG_PATH_DIRECT], share(t->paths[MXG_PATH_DIRECT], t->messages),
		t->paths[MXG_PATH_GATEWAY]);
	if (t->first_direct > 0)
		fprintf(to, "<p>Direct mail: first %s, last %s.</p>\n", day(t->first_direct, first),
			day(t->last_direct, last));
}

static uint64_t month_total(const struct mxg_tally *t, size_t month)
{
	uint64_t all = 0;
	for (size_t i = 0; i < MXG_PATHS; i++)
		all += t->months[month][i];
	return all;
}

static void put_bar(const struct mxg_tally *t, FILE *to, size_t month, double x, double width, uint64_t most)
{
	double y = CHART_HEIGHT;
	char name[16];
	mxg_tally_month_name(month, name);
	for (size_t i = 0; i < MXG_PATHS; i++) {
		enum mxg_path path = stack_order[i];
		uint64_t count = t->months[month][path];
		double height = (double)count / (double)most * (CHART_HEIGHT - CHART_ROOM);
		if (count == 0)
			continue;
		y -= height;
		fprintf(to,
			"<rect x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" height=\"%.2f\" fill=\"%s\"><title>%s: %" PRIu64
			" %s</title></rect>\n",
			x, y, width, height, colours[path], name, count, labels[path]);
	}
}

static void put_chart(const struct mxg_tally *t, FILE *to)
{
	size_t first, last, every;
	uint64_t most = 1;
	char name[16];
	if (!mxg_tally_months(t, &first, &last))
		return;
	for (size_t m = first; m <= last; m++)
		most = month_total(t, m) > most ? month_total(t, m) : most;
	size_t count = last - first + 1;
	double step = (double)CHART_WIDTH / (double)count;
	every = count / 12 + 1;
	fprintf(to,
		"<h2>By month</h2>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"mail by path over time\" "
		"width=\"100%%\">\n",
		CHART_WIDTH, CHART_HEIGHT + 24);
	fprintf(to,
		"<path d=\"M0 %d.5H%d\" stroke=\"currentColor\" opacity=\".25\"/><text x=\"%d\" y=\"%d\" "
		"font-size=\"11\" "
		"text-anchor=\"end\" fill=\"currentColor\">%" PRIu64 " messages</text>\n",
		CHART_ROOM - 1, CHART_WIDTH, CHART_WIDTH, CHART_ROOM - 5, most);
	for (size_t m = first; m <= last; m++) {
		double x = (double)(m - first) * step;
		put_bar(t, to, m, x, step > 60 ? 56 : step * 0.9, most);
		mxg_tally_month_name(m, name);
		if ((m - first) % every == 0)
			fprintf(to, "<text x=\"%.1f\" y=\"%d\" font-size=\"11\" fill=\"currentColor\">%s</text>\n", x,
				CHART_HEIGHT + 16, name);
	}
	fputs("</svg>\n<p class=\"key\">", to);
	for (size_t i = 0; i < MXG_PATHS; i++)
		fprintf(to, "<span style=\"background:%s\"></span>%s", colours[stack_order[i]], labels[stack_order[i]]);
	fputs("</p>\n", to);
}

static void put_paths(const struct mxg_tally *t, FILE *to)
{
	fputs("<h2>How it came</h2>\n<table><tr><th>path<th class=\"n\">messages<th class=\"n\">share</tr>\n", to);
	for (size_t i = 0; i < MXG_PATHS; i++)
		fprintf(to, "<tr><td>%s<td class=\"n\">%" PRIu64 "<td class=\"n\">%.1f&nbsp;%%</tr>\n", labels[i],
			t->paths[i], share(t->paths[i], t->messages));
	fputs("</table>\n", to);
	for (size_t i = 0; i < t->gateway_count; i++) {
		if (i == 0)
			fputs("<h2>Gateway entries</h2>\n<table><tr><th>entry<th class=\"n\">messages</tr>\n", to);
		fputs("<tr><td>", to);
		put_escaped(to, t->gateways[i].name);
		fprintf(to, "<td class=\"n\">%" PRIu64 "</tr>\n", t->gateways[i].count);
	}
	if (t->gateway_count > 0)
		fputs("</table>\n", to);
}

static void put_peers(const struct mxg_scan_report *r, FILE *to)
{
	const struct mxg_tally *t = r->tally;
	char first[MXG_TIME_MAX], last[MXG_TIME_MAX];
	if (t->peer_count == 0)
		return;
	fputs("<h2>Who delivered past the filters</h2>\n<table><tr><th>address<th class=\"n\">messages<th>first<th>last"
	      "<th>sample</tr>\n",
	      to);
	for (size_t i = 0; i < t->peer_count && i < r->top; i++) {
		const struct mxg_tally_peer *p = &t->peers[i];
		fputs("<tr><td>", to);
		put_escaped(to, p->address);
		fprintf(to, "<td class=\"n\">%s%" PRIu64 "<td>%s<td>%s<td class=\"file\">", p->error > 0 ? "&le; " : "",
			p->count, day(p->first, first), day(p->last, last));
		put_escaped(to, p->sample);
		fputs("</tr>\n", to);
	}
	fputs("</table>\n", to);
}

static void put_enforce(const struct mxg_tally *t, FILE *to)
{
	fprintf(to,
		"<h2>What enforce mode would have done</h2>\n<p>accept %" PRIu64 ", tag %" PRIu64
		", quarantine %" PRIu64 ", refuse %" PRIu64 ", defer %" PRIu64 ".</p>\n",
		t->enforce[MXGUARD_ACTION_ACCEPT], t->enforce[MXGUARD_ACTION_TAG],
		t->enforce[MXGUARD_ACTION_QUARANTINE], t->enforce[MXGUARD_ACTION_REJECT],
		t->enforce[MXGUARD_ACTION_DEFER]);
}

void mxg_report_html(const struct mxg_scan_report *r, FILE *to)
{
	char now[MXG_TIME_MAX];
	fprintf(to,
		"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Mail past the "
		"filters</title>\n"
		"<meta name=\"viewport\" content=\"width=device-width\"><style>%s</style></head><body>\n"
		"<h1>Mail past the filters</h1>\n<p class=\"faint\">mxguard scan, %s%s</p>\n",
		style, day(r->now, now), r->interrupted ? "; interrupted, incomplete" : "");
	put_summary(r->tally, to);
	put_chart(r->tally, to);
	put_paths(r->tally, to);
	put_peers(r, to);
	put_enforce(r->tally, to);
	fputs("</body></html>\n", to);
}
