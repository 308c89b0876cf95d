/* SPDX-License-Identifier: MIT */
/* TEMPORARY reader used until branch policy lands; see policy.h. */
#include <ctype.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include "arena.h"
#include "domains.h"
#include "policy.h"

struct load { struct mxguard_policy *p; struct mxg_arena *arena; const char *name; char *message; size_t size; bool failed; };
static void *take(struct load *l, size_t n) { void *m = mxg_arena_take(l->arena, n ? n : 1); if (m) memset(m, 0, n ? n : 1); return m; }
static const char *dup_(struct load *l, const char *s) { return mxg_arena_text(l->arena, s, strlen(s)); }
static void bad(struct load *l, const config_setting_t *s, const char *name, const char *what)
{
	if (l->failed) return;
	l->failed = true;
	if (l->size) snprintf(l->message, l->size, "%s:%d: %s: %s", l->name, s ? (int)config_setting_source_line(s) : 1, name, what);
}
bool mxg_policy_mode_word(const char *w, enum mxguard_mode *o)
{ if (!strcmp(w,"off")) *o=MXGUARD_MODE_OFF; else if (!strcmp(w,"monitor")) *o=MXGUARD_MODE_MONITOR; else if (!strcmp(w,"enforce")) *o=MXGUARD_MODE_ENFORCE; else return false; return true; }
bool mxg_policy_action_word(const char *w, enum mxguard_action *o)
{ for (int i=0;i<5;i++) if (!strcmp(w,mxguard_action_name((enum mxguard_action)i))) { *o=(enum mxguard_action)i; return true; } return false; }
bool mxg_policy_untraced_word(const char *w, enum mxguard_verdict *o)
{ if (!strcmp(w,"unknown")) *o=MXGUARD_VERDICT_UNKNOWN; else if (!strcmp(w,"accept")) *o=MXGUARD_VERDICT_INTERNAL; else if (!strcmp(w,"direct")) *o=MXGUARD_VERDICT_DIRECT; else return false; return true; }
bool mxg_policy_tag_word(const char *w, enum mxg_tag *o)
{ if (!strcmp(w,"never")) *o=MXG_TAG_NEVER; else if (!strcmp(w,"not-accepted")) *o=MXG_TAG_NOT_ACCEPTED; else if (!strcmp(w,"always")) *o=MXG_TAG_ALWAYS; else return false; return true; }

static const char *str(struct load *l, config_setting_t *g, const char *name)
{
	config_setting_t *s = config_setting_get_member(g, name);
	if (!s) return NULL;
	if (config_setting_type(s) != CONFIG_TYPE_STRING) { bad(l, s, name, "expected a string"); return NULL; }
	return dup_(l, config_setting_get_string(s));
}
static struct mxg_string_list strings(struct load *l, config_setting_t *g, const char *name, bool lower)
{
	struct mxg_string_list out = { 0 };
	config_setting_t *s = config_setting_get_member(g, name);
	if (!s) return out;
	int n = config_setting_length(s);
	out.items = take(l, sizeof(char *) * (size_t)(n ? n : 1));
	for (int i = 0; i < n; i++) {
		const char *e = config_setting_get_string_elem(s, i);
		if (!e) { bad(l, s, name, "expected strings"); break; }
		char *c = (char *)(uintptr_t)dup_(l, e);
		for (char *p = c; lower && *p; p++) if (*p >= 'A' && *p <= 'Z') *p = (char)(*p + 32);
		out.items[out.count++] = c;
	}
	return out;
}
static struct mxg_prefix_list prefixes(struct load *l, config_setting_t *g, const char *name, const char *const *more)
{
	struct mxg_prefix_list out = { 0 };
	struct mxg_string_list s = strings(l, g, name, false);
	out.items = take(l, sizeof(struct mxg_prefix) * (s.count + 4));
	for (; more && *more; more++) mxg_prefix_parse(&out.items[out.count++], *more, strlen(*more));
	for (size_t i = 0; i < s.count; i++)
		if (mxg_prefix_parse(&out.items[out.count++], s.items[i], strlen(s.items[i])) != MXG_PREFIX_OK) bad(l, config_setting_get_member(g, name), name, "not an address range");
	return out;
}
static uint32_t seconds(struct load *l, config_setting_t *g, const char *name, uint32_t def, int scale)
{
	const char *s = g ? str(l, g, name) : NULL; char *end;
	if (!s) return def;
	unsigned long v = strtoul(s, &end, 10);
	uint32_t unit = !strcmp(end,"ms")?1: !strcmp(end,"s")?1000u: !strcmp(end,"m")?60000u: !strcmp(end,"h")?3600000u: 86400000u;
	return scale == 1 ? (uint32_t)(v * unit) : (uint32_t)(v * (unit / 1000));
}
static void gateways(struct load *l, config_setting_t *list, struct mxg_ruleset *r)
{
	int n = config_setting_length(list);
	r->gateway_count = 0; r->gateways = take(l, sizeof(*r->gateways) * (size_t)(n + 1));
	struct mxg_gateway_term *terms = take(l, sizeof(*terms) * 200000);
	r->term_count = 0; r->terms = terms;
	for (int i = 0; i < n; i++) {
		config_setting_t *e = config_setting_get_elem(list, (unsigned)i);
		struct mxg_gateway *g = &r->gateways[r->gateway_count++];
		g->name = str(l, e, "name"); if (!g->name) g->name = "unnamed";
		const char *allow = str(l, e, "allow"); if (!allow) allow = "";
		config_setting_t *h = config_setting_get_member(e, "header");
		if (h) { g->token.field = str(l, h, "name"); g->token.value = str(l, h, "value"); g->token.value_len = g->token.value ? strlen(g->token.value) : 0; }
		g->first_term = r->term_count;
		while (*allow) {
			size_t w = strcspn(allow, " \t\n"); struct mxg_term_error err;
			if (w) { struct mxg_gateway_term *t = &terms[r->term_count++]; t->gateway = (uint32_t)i;
				if (!mxg_term_parse_configured(&t->term, allow, w, l->p->insecure_client_macros, &err)) bad(l, e, "allow", err.what); }
			allow += w; allow += strspn(allow, " \t\n");
		}
		g->term_count = r->term_count - g->first_term;
	}
	struct mxg_prefix_item *items = calloc(r->term_count + 1, sizeof(*items)); size_t c = 0;
	r->dns_terms = take(l, sizeof(uint32_t) * (r->term_count + 1)); r->dns_count = 0;
	for (size_t t = 0; t < r->term_count; t++)
		if (terms[t].term.mechanism == MXG_MECHANISM_IP4 || terms[t].term.mechanism == MXG_MECHANISM_IP6) { items[c].prefix = terms[t].term.prefix; items[c++].number = (uint32_t)t; }
		else r->dns_terms[r->dns_count++] = (uint32_t)t;
	r->prefixes = mxg_prefix_set_new(items, c); free(items);
}
static void act(struct load *l, config_setting_t *g, const char *name, enum mxguard_action *a, enum mxguard_action *b)
{ const char *s = str(l, g, name); if (!s) return; if (!mxg_policy_action_word(s, a)) bad(l, config_setting_get_member(g, name), name, "expected an action"); if (b) *b = *a; }
static void ruleset(struct load *l, config_setting_t *g, struct mxg_ruleset *r)
{
	const char *s;
	if ((s = str(l, g, "mode")) && !mxg_policy_mode_word(s, &r->mode)) bad(l, config_setting_get_member(g, "mode"), "mode", "expected off, monitor or enforce");
	config_setting_t *gw = config_setting_get_member(g, "gateways");
	if (gw) gateways(l, gw, r);
	if (r->mode == MXGUARD_MODE_ENFORCE && r->term_count == 0) bad(l, gw, "gateways", "enforce mode with no gateways would refuse everything");
	if (config_setting_get_member(g, "exempt")) { struct mxg_string_list e = strings(l, g, "exempt", true); r->exempt = e.items; r->exempt_count = e.count; }
	act(l, g, "on_direct", &r->on_direct, NULL); act(l, g, "on_direct_queued", &r->on_direct_queued, NULL); act(l, g, "on_unknown", &r->on_unknown, NULL);
	act(l, g, "on_unreadable", &r->on_unreadable_door, &r->on_unreadable_queued);
	if ((s = str(l, g, "on_untraced"))) mxg_policy_untraced_word(s, &r->on_untraced);
	if ((s = str(l, g, "retrieved"))) r->retrieved = !strcmp(s, "accept") ? MXGUARD_VERDICT_INTERNAL : MXGUARD_VERDICT_UNKNOWN;
	if ((s = str(l, g, "tag"))) mxg_policy_tag_word(s, &r->tag);
	if ((s = str(l, g, "quarantine_mailbox"))) r->quarantine_mailbox = s;
	if ((s = str(l, g, "reply_text"))) r->reply_text = s;
}
struct mxg_domain_map { size_t count; struct { const char *domain; size_t len; size_t ruleset; } e[]; };
static const char *const loop[] = { "127.0.0.0/8", "::1/128", NULL };
static void build(struct load *l, config_setting_t *root)
{
	struct mxguard_policy *p = l->p; const char *s; char host[256] = "localhost";
	gethostname(host, sizeof(host) - 1);
	config_setting_t *dns = config_setting_get_member(root, "dns"), *trace = config_setting_get_member(root, "trace"), *pol = config_setting_get_member(root, "policies");
	int flag = 0; if (dns && config_setting_lookup_bool(dns, "insecure_client_macros", &flag)) p->insecure_client_macros = flag;
	flag = 0; if (dns && config_setting_lookup_bool(dns, "require_dnssec", &flag)) p->require_dnssec = flag;
	p->timeout_ms = (int)seconds(l, dns, "timeout", 5000, 1); p->grace = seconds(l, dns, "grace", 172800, 0); p->keep_stale = seconds(l, dns, "keep_stale", 604800, 0); p->settle = seconds(l, dns, "settle", 172800, 0);
	if (dns) { struct mxg_string_list v = strings(l, dns, "servers", false); char buf[2000] = ""; for (size_t i = 0; i < v.count; i++) { if (i) strcat(buf, ","); strncat(buf, v.items[i], 100); } if (v.count) p->dns_servers = dup_(l, buf); }
	p->hostname = dup_(l, host); p->authserv_id = (s = str(l, root, "authserv_id")) ? s : p->hostname; p->state_dir = (s = str(l, root, "state_dir")) ? s : "/var/lib/mxguard"; p->default_domain = str(l, root, "default_domain"); p->domains_file = str(l, root, "domains_file");
	p->domains = strings(l, root, "domains", true); p->internal = prefixes(l, root, "internal", loop);
	p->origins = prefixes(l, root, "origins", config_setting_get_member(root, "origins") ? NULL : loop);
	p->self = prefixes(l, root, "self", NULL);
	if (!config_setting_get_member(root, "self")) { struct ifaddrs *ifs; if (getifaddrs(&ifs) == 0) { size_t n = 0; p->self.items = take(l, sizeof(struct mxg_prefix) * 64); for (struct ifaddrs *i = ifs; i && n < 64; i = i->ifa_next) if (i->ifa_addr && mxg_address_from_sockaddr(&p->self.items[n].base, i->ifa_addr)) { p->self.items[n].bits = p->self.items[n].base.family == 4 ? 32 : 128; n++; } p->self.count = n; freeifaddrs(ifs); } }
	if (trace) { p->by = strings(l, trace, "by", true); p->by_configured = p->by.count > 0; p->trace_mta_names = strings(l, trace, "mta", true); }
	if (!p->by_configured) { p->by.items = take(l, sizeof(char *)); p->by.items[0] = p->hostname; p->by.count = 1; }
	int n = pol ? config_setting_length(pol) : 0;
	p->ruleset_count = (size_t)n + 1; p->rulesets = take(l, sizeof(*p->rulesets) * p->ruleset_count);
	struct mxg_ruleset *r = &p->rulesets[0];
	*r = (struct mxg_ruleset){ .label = "default", .mode = MXGUARD_MODE_MONITOR, .on_direct = MXGUARD_ACTION_REJECT, .on_direct_queued = MXGUARD_ACTION_QUARANTINE, .on_unknown = MXGUARD_ACTION_DEFER, .on_unreadable_door = MXGUARD_ACTION_DEFER, .on_unreadable_queued = MXGUARD_ACTION_QUARANTINE, .on_untraced = MXGUARD_VERDICT_UNKNOWN, .retrieved = MXGUARD_VERDICT_INTERNAL, .tag = MXG_TAG_NOT_ACCEPTED, .quarantine_mailbox = "Junk" };
	ruleset(l, root, r);
	if (!r->prefixes) r->prefixes = mxg_prefix_set_new(NULL, 0);
	size_t m = 0; for (int i = 0; i < n; i++) m += strings(l, config_setting_get_elem(pol, (unsigned)i), "domains", true).count;
	p->map = take(l, sizeof(*p->map) + m * sizeof(p->map->e[0]));
	for (int i = 0; i < n; i++) {
		config_setting_t *g = config_setting_get_elem(pol, (unsigned)i); struct mxg_ruleset *rr = &p->rulesets[i + 1]; *rr = p->rulesets[0]; ruleset(l, g, rr);
		struct mxg_string_list d = strings(l, g, "domains", true); rr->label = d.count ? d.items[0] : "policy";
		for (size_t k = 0; k < d.count; k++) { p->map->e[p->map->count].domain = d.items[k]; p->map->e[p->map->count].len = strlen(d.items[k]); p->map->e[p->map->count++].ruleset = (size_t)i + 1; }
	}
}
const struct mxg_ruleset *mxg_policy_ruleset(const struct mxguard_policy *p, const char *d, size_t len)
{
	size_t best = 0, bl = 0;
	for (size_t i = 0; i < p->map->count; i++) { const char *e = p->map->e[i].domain; size_t n = p->map->e[i].len;
		if (n == len && !memcmp(e, d, n)) return &p->rulesets[p->map->e[i].ruleset];
		if (e[0] == '.' && len > n && !memcmp(d + len - n, e, n) && n > bl) { best = p->map->e[i].ruleset; bl = n; } }
	return &p->rulesets[best];
}
bool mxg_policy_has_domain(const struct mxguard_policy *p, const char *d, size_t len)
{ for (size_t i = 0; i < p->domains.count; i++) if (strlen(p->domains.items[i]) == len && !memcmp(p->domains.items[i], d, len)) return true; return false; }
bool mxg_ruleset_exempts(const struct mxg_ruleset *r, const char *a, size_t len)
{ for (size_t i = 0; i < r->exempt_count; i++) { const char *e = r->exempt[i]; size_t n = strlen(e); if (e[n-1]=='@' ? (len >= n && !strncasecmp(e,a,n) && !memchr(a+n,'@',len-n)) : (n==len && !strncasecmp(e,a,n))) return true; } return false; }
int mxguard_policy_parse(struct mxguard_policy **out, const char *text, size_t length, const char *name, unsigned flags, char *message, size_t size)
{
	config_t cfg; *out = NULL; (void)flags; (void)length;
	struct mxguard_policy *p = calloc(1, sizeof(*p)); p->refs = 1; p->memory = calloc(1, sizeof(struct mxg_arena));
	struct load l = { .p = p, .arena = p->memory, .name = name, .message = message, .size = size };
	config_init(&cfg);
	if (config_read_string(&cfg, text) != CONFIG_TRUE) { if (size) snprintf(message, size, "%s:%d: %s", name, config_error_line(&cfg), config_error_text(&cfg)); l.failed = true; }
	else { p->path = dup_(&l, name); build(&l, config_root_setting(&cfg)); }
	config_destroy(&cfg);
	if (l.failed) { mxguard_policy_unref(p); return MXGUARD_ERROR_CONFIG; }
	*out = p; return MXGUARD_OK;
}
int mxguard_policy_load(struct mxguard_policy **out, const char *path, unsigned flags, char *message, size_t size)
{
	static char buf[1 << 20]; FILE *f = fopen(path, "r"); *out = NULL;
	if (!f) { if (size) snprintf(message, size, "%s: cannot be opened", path); return MXGUARD_ERROR_CONFIG; }
	size_t n = fread(buf, 1, sizeof(buf) - 1, f); buf[n] = 0; fclose(f);
	return mxguard_policy_parse(out, buf, n, path, flags, message, size);
}
struct mxguard_policy *mxguard_policy_ref(struct mxguard_policy *p) { atomic_fetch_add(&p->refs, 1); return p; }
void mxguard_policy_unref(struct mxguard_policy *p)
{
	if (!p || atomic_fetch_sub(&p->refs, 1) != 1) return;
	for (size_t i = 0; i < p->ruleset_count && p->rulesets; i++) if (i == 0 || p->rulesets[i].prefixes != p->rulesets[0].prefixes) mxg_prefix_set_free(p->rulesets[i].prefixes);
	mxg_arena_free(p->memory); free(p->memory); free(p);
}
const char *mxguard_policy_warning(const struct mxguard_policy *p, size_t i) { return i < p->warnings.count ? p->warnings.items[i] : NULL; }
int mxguard_policy_timeout(const struct mxguard_policy *p) { return p->timeout_ms; }
const char *mxguard_policy_authserv_id(const struct mxguard_policy *p) { return p->authserv_id; }
int mxg_domains_find(const char *path, const char *domain, size_t len) { (void)path; (void)domain; (void)len; return 0; }
int mxguard_policy_removes_field(const struct mxguard_policy *p, const char *f, size_t n) { (void)p; (void)f; (void)n; return 0; }
