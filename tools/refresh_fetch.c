/* SPDX-License-Identifier: MIT */
#include "refresh_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "json.h"
#include "refresh_publish.h"
#include "refresh_recall.h"
#include "snapshot/format.h"
#include "snapshot_write.h"
#include "text.h"

struct fetching {
	const struct mxguard_policy *policy;
	const struct mxg_fetch *ask;
	int folder;
	int fd; /* the copy beside the snapshot, which nobody else writes to; -1: none yet */
	char name[MXG_STATE_NAME_MAX]; /* "": it is the snapshot */
	struct mxg_snapshot_file new, old; /* old.generation 0: none that could be read */
	bool same; /* it is there already */
	char error[1024];
};

static int refuse(struct fetching *f, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int refuse(struct fetching *f, int status, const char *format, ...)
{
	char text[700];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	snprintf(f->error, sizeof(f->error), "%.300s: %s", f->ask->file, text);
	fprintf(stderr, "mxguard refresh: %s; the snapshot stays as it is\n", f->error);
	return status;
}

/* ---- a copy of it -------------------------------------------------------------------------- */

/* Whoever can write to it decides who is a gateway. */
static bool is_trusted(const struct stat *st, const struct mxguard_policy *policy)
{
	struct stat config;
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return false;
	return st->st_uid == 0 || st->st_uid == geteuid() ||
	       (policy->path != NULL && stat(policy->path, &config) == 0 && config.st_uid == st->st_uid);
}

static int open_source(struct fetching *f, int *fd)
{
	struct stat st;
	*fd = open(f->ask->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0 || fstat(*fd, &st) != 0)
		return refuse(f, EX_TEMPFAIL, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse(f, EX_DATAERR, "is not a regular file");
	if (!is_trusted(&st, f->policy))
		return refuse(f, EX_NOPERM,
			      "not trusted: it must belong to root or to the owner of the configuration, and group "
			      "and others must not be able to write (chmod go-w)");
	return 0;
}

static int copy_in(struct fetching *f)
{
	int from, status = open_source(f, &from);
	bool reading;
	if (status == 0) {
		f->fd = mxg_state_temporary(f->folder, f->name);
		if (f->fd < 0) {
			f->name[0] = '\0';
			status = refuse(f, EX_CANTCREAT, "no copy in %s: %s", f->policy->state_dir, strerror(errno));
		}
	}
	if (status == 0 && !mxg_snapshot_file_copy(from, f->fd, &reading)) {
		if (reading && errno == EFBIG)
			status = refuse(f, EX_DATAERR, "is too large for a snapshot");
		else if (reading)
			status = refuse(f, EX_TEMPFAIL, "%s", strerror(errno));
		else
			status = refuse(f, EX_IOERR, "no copy in %s: %s", f->policy->state_dir, strerror(errno));
	}
	if (from >= 0)
		close(from);
	return status;
}

/* ---- whether it may take the old one's place -------------------------------------------------- */

/* What stands may have a newer part beside it. */
static void read_newer(struct fetching *f)
{
	char why[256];
	struct mxg_snapshot_file newer;
	int fd = openat(f->folder, MXG_SNAPSHOT_SINCE_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0 && mxg_snapshot_file_head(fd, &newer, why, sizeof(why)) && newer.generation > f->old.generation) {
		f->old = newer; /* its counts are of both */
		f->same = false;
	}
	if (fd >= 0)
		close(fd);
}

static void read_old(struct fetching *f)
{
	char why[256];
	int fd = openat(f->folder, MXG_SNAPSHOT_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return;
	if (!mxg_snapshot_file_head(fd, &f->old, why, sizeof(why))) {
		fprintf(stderr, "mxguard refresh: warning: %s/%s %s; nothing is compared with it\n",
			f->policy->state_dir, MXG_SNAPSHOT_FILE, why);
		f->old = (struct mxg_snapshot_file){ 0 };
	} else if (f->old.generation == f->new.generation) {
		struct mxg_snapshot_file all;
		f->same = mxg_snapshot_file_read(fd, &all, why, sizeof(why)) &&
			  memcmp(all.sum, f->new.sum, sizeof(all.sum)) == 0;
	}
	close(fd);
	read_newer(f);
}

static int check_configuration(struct fetching *f)
{
	uint8_t gateways[MXG_CHECKSUM_BYTES];
	mxg_policy_gateways_hash(f->policy, gateways);
	if (memcmp(gateways, f->new.gateways, sizeof(gateways)) != 0)
		return refuse(f, EX_CONFIG, "was made for other gateways than those of this host's configuration");
	if (memcmp(f->policy->hash, f->new.hash, sizeof(f->new.hash)) != 0)
		return refuse(f, EX_CONFIG,
			      "was made for another configuration than this host's: the gateways are the same, but "
			      "not domains, default_domain, dns.require_dnssec or insecure_client_macros");
	return 0;
}

static bool has_shrunk(uint32_t old, uint32_t new)
{
	return (uint64_t) new * 5 < (uint64_t)old * 4;
}

static int check_against_old(struct fetching *f)
{
	const struct mxg_snapshot_file *old = &f->old, *new = &f->new;
	if (new->generation < old->generation)
		return refuse(f, EX_DATAERR, "is older than the snapshot: generation %u, and %u stands",
			      new->generation, old->generation);
	if (f->ask->force)
		return 0;
	if (has_shrunk(old->domains, new->domains))
		return refuse(f, EX_DATAERR,
			      "has lost more than a fifth of the domains: %u, before %u; if it is meant: "
			      "--force",
			      new->domains, old->domains);
	if (has_shrunk(old->questions, new->questions))
		return refuse(f, EX_DATAERR,
			      "has lost more than a fifth of the names: %u, before %u; if it is meant: "
			      "--force",
			      new->questions, old->questions);
	return 0;
}

static int check_all(struct fetching *f)
{
	char why[256];
	if (!mxg_snapshot_file_read(f->fd, &f->new, why, sizeof(why))) {
		f->new = (struct mxg_snapshot_file){ 0 };
		return refuse(f, EX_DATAERR, "%s", why);
	}
	int status = check_configuration(f);
	if (status != 0)
		return status;
	read_old(f);
	return f->same ? 0 : check_against_old(f);
}

/* ---- the change -------------------------------------------------------------------------------- */

static int put(struct fetching *f)
{
	if (!mxg_state_put(f->folder, f->fd, f->name, false))
		return refuse(f, EX_IOERR, "%s/%s cannot be written: %s", f->policy->state_dir, MXG_SNAPSHOT_FILE,
			      strerror(errno));
	f->name[0] = '\0';
	if (!mxg_state_sync(f->folder))
		fprintf(stderr, "mxguard refresh: warning: %s: %s\n", f->policy->state_dir, strerror(errno));
	return 0;
}

static void print_json(const struct fetching *f, bool written, struct mxg_recall *recall)
{
	json_t *o = json_pack("{s:b, s:o, s:o}", "written", written, "error", mxg_json_text(f->error), "file",
			      mxg_json_text(f->ask->file));
	bool known = f->new.generation != 0;
	json_object_set_new(o, "generation", known ? json_integer(f->new.generation) : json_null());
	json_object_set_new(o, "generation_before",
			    f->old.generation != 0 ? json_integer(f->old.generation) : json_null());
	json_object_set_new(o, "made", mxg_json_time(f->new.written));
	json_object_set_new(o, "domains", known ? json_integer(f->new.domains) : json_null());
	json_object_set_new(o, "stored", known ? json_integer(f->new.questions) : json_null());
	json_object_set_new(o, "alarms", mxg_recall_json(recall));
	mxg_json_print(o);
}

static void print_people(const struct fetching *f, bool written)
{
	if (written)
		printf("fetched: generation %u, %u %s, %u %s\n", f->new.generation, f->new.domains,
		       mxg_noun(f->new.domains, "domain", "domains"), f->new.questions,
		       mxg_noun(f->new.questions, "name", "names"));
	else
		printf("nothing to do: generation %u is there already\n", f->new.generation);
	if (written && f->policy->on_alarm == NULL)
		puts("no hook is run: on_alarm is not set");
}

static int report(struct fetching *f, int status, struct mxg_recall *recall)
{
	bool written = status == 0 && !f->same;
	if (written)
		status = mxg_recall_tell(recall);
	if (f->ask->json)
		print_json(f, written, recall);
	else if ((written || (status == 0 && f->same)) && !f->ask->quiet)
		print_people(f, written);
	return status;
}

int mxg_refresh_fetch(const struct mxguard_policy *policy, int folder, const struct mxg_fetch *ask)
{
	struct fetching f = { .policy = policy, .ask = ask, .folder = folder, .fd = -1 };
	struct mxg_recall *recall = mxg_recall_new(policy);
	int status = copy_in(&f);
	if (status == 0)
		status = check_all(&f);
	if (status == 0 && !f.same)
		status = put(&f);
	if (f.name[0] != '\0')
		unlinkat(folder, f.name, 0);
	if (f.fd >= 0)
		close(f.fd);
	status = report(&f, status, recall);
	mxg_recall_free(recall);
	return status;
}
