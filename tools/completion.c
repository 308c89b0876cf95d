/* SPDX-License-Identifier: MIT */
/* Completion scripts for bash and zsh, made of the tables of options when mxguard is built. */
#include "completion.h"

#include <string.h>

struct script {
	FILE *to;
	const char *program;
	const struct mxg_completed *commands;
	size_t count;
};

static bool has_commands(const struct script *s)
{
	return s->commands[0].name != NULL;
}

static bool is_file(const struct mxg_option *o)
{
	return strcmp(o->argument, "FILE") == 0;
}

static bool is_folder(const struct mxg_option *o)
{
	return strcmp(o->argument, "FOLDER") == 0;
}

/* ---- bash ------------------------------------------------------------------------------------- */

/* In bash's words of one command, "check:-c|check:--config". */
static void put_pattern(const struct script *s, const char *command, const struct mxg_option *o)
{
	if (o->letter != 0)
		fprintf(s->to, "%s:-%c|", command, o->letter);
	fprintf(s->to, "%s:--%s", command, o->name);
}

static void put_value_bash(const struct script *s, const char *command, const struct mxg_option *o)
{
	fputs("    ", s->to);
	put_pattern(s, command, o);
	if (o->words == NULL) {
		fprintf(s->to, ") %sreturn ;;\n",
			is_file(o)     ? "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); "
			: is_folder(o) ? "mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); "
				       : "");
		return;
	}
	fputs(") words='", s->to);
	for (const struct mxg_option_word *w = o->words; w->text != NULL; w++)
		fprintf(s->to, "%s%s", w == o->words ? "" : " ", w->text);
	fputs("' ;;\n", s->to);
}

static void put_options_bash(const struct script *s, const struct mxg_completed *c)
{
	fprintf(s->to, "    %s)\n      options='", c->name == NULL ? "*" : c->name);
	for (size_t i = 0; i < c->usage->count; i++) {
		if (c->usage->options[i].letter != 0)
			fprintf(s->to, "-%c ", c->usage->options[i].letter);
		fprintf(s->to, "--%s ", c->usage->options[i].name);
	}
	fprintf(s->to, "-h --help%s'\n      arguments='", c->name != NULL ? " --color=" : "");
	const char *const *first = c->usage->first == NULL ? NULL : c->usage->first();
	for (size_t i = 0; first != NULL && first[i] != NULL; i++)
		fprintf(s->to, "%s%s", i == 0 ? "" : " ", first[i]);
	fprintf(s->to, "'\n      kind=%s ;;\n",
		c->usage->arguments == MXG_ARGUMENTS_FILES     ? "-f"
		: c->usage->arguments == MXG_ARGUMENTS_COMMAND ? "-c"
							       : "");
}

static void put_first_bash(const struct script *s)
{
	fputs("  if [ \"$COMP_CWORD\" -eq 1 ] || { [ \"$COMP_CWORD\" -eq 2 ] && [ \"$command\" = help ]; }; then\n"
	      "    mapfile -t COMPREPLY < <(compgen -W '",
	      s->to);
	for (size_t i = 0; i < s->count; i++)
		fprintf(s->to, "%s ", s->commands[i].name);
	fputs("help -h --help --version --color=' -- \"$cur\")\n    return\n  fi\n", s->to);
}

static void print_bash(const struct script *s)
{
	fprintf(s->to,
		"# bash completion for %s, made of its tables of options when it was built.\n"
		"_%s() {\n"
		"  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=%s\n"
		"  local words='' options='' arguments='' kind=''\n"
		"  COMPREPLY=()\n"
		"  # bash parts words at \"=\"\n"
		"  if [ \"$cur\" = = ]; then cur=''; elif [ \"$prev\" = = ]; then prev=${COMP_WORDS[COMP_CWORD-2]}; "
		"fi\n",
		s->program, s->program, has_commands(s) ? "${COMP_WORDS[1]}" : "''");
	if (has_commands(s))
		put_first_bash(s);
	fputs("  case $command:$prev in\n", s->to);
	for (size_t i = 0; i < s->count; i++)
		for (size_t k = 0; k < s->commands[i].usage->count; k++)
			if (s->commands[i].usage->options[k].argument != NULL)
				put_value_bash(s, has_commands(s) ? s->commands[i].name : "",
					       &s->commands[i].usage->options[k]);
	if (has_commands(s))
		fputs("    *:--color) words='auto always never' ;;\n", s->to);
	fputs("  esac\n"
	      "  if [ -n \"$words\" ]; then mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\"); return; fi\n"
	      "  case $command in\n",
	      s->to);
	for (size_t i = 0; i < s->count; i++)
		put_options_bash(s, &s->commands[i]);
	fprintf(s->to,
		"  esac\n"
		"  case $cur in\n"
		"    -*) mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
		"      [[ ${COMPREPLY[*]} != *= ]] || compopt -o nospace 2>/dev/null ;;\n"
		"    *) mapfile -t COMPREPLY < <(compgen ${kind:+$kind} -W \"$arguments\" -- \"$cur\") ;;\n"
		"  esac\n"
		"} && complete -o filenames -F _%s %s\n",
		s->program, s->program);
}

/* ---- zsh -------------------------------------------------------------------------------------- */

/* Inside '…' and […]. */
static void put_quoted(const struct script *s, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			fputs("'\\''", s->to);
		else if (strchr("[]:\\", *text) != NULL)
			fprintf(s->to, "\\%c", *text);
		else
			fputc(*text == '\n' ? ' ' : *text, s->to);
	}
}

static void put_value_zsh(const struct script *s, const struct mxg_option *o)
{
	if (o->argument == NULL)
		return;
	fprintf(s->to, ":%s:", o->argument);
	for (const struct mxg_option_word *w = o->words; w != NULL && w->text != NULL; w++)
		fprintf(s->to, "%s%s", w == o->words ? "(" : " ", w->text);
	fputs(o->words != NULL ? ")" : is_file(o) ? "_files" : is_folder(o) ? "_files -/" : " ", s->to);
}

static void put_option_zsh(const struct script *s, const struct mxg_option *o)
{
	bool repeated = o->kind == MXG_OPTION_LIST || o->kind == MXG_OPTION_OWN, value = o->argument != NULL;
	fputs(" \\\n        ", s->to);
	if (o->letter != 0 && repeated)
		fprintf(s->to, "'*'{-%c%s,--%s%s}'", o->letter, value ? "+" : "", o->name, value ? "=" : "");
	else if (o->letter != 0)
		fprintf(s->to, "'(-%c --%s)'{-%c%s,--%s%s}'", o->letter, o->name, o->letter, value ? "+" : "", o->name,
			value ? "=" : "");
	else
		fprintf(s->to, "'%s--%s%s", repeated ? "*" : "", o->name, value ? "=" : "");
	fputc('[', s->to);
	put_quoted(s, o->help);
	fputc(']', s->to);
	put_value_zsh(s, o);
	fputc('\'', s->to);
}

static void put_arguments_zsh(const struct script *s, const struct mxg_usage *usage)
{
	const char *const *first = usage->first == NULL ? NULL : usage->first();
	for (size_t i = 0; first != NULL && first[i] != NULL; i++)
		fprintf(s->to, "%s%s", i == 0 ? " \\\n        '1: :(" : " ", first[i]);
	if (first != NULL)
		fputs(")'", s->to);
	if (usage->arguments == MXG_ARGUMENTS_FILES)
		fputs(" \\\n        '*:FILE:_files'", s->to);
	else if (usage->arguments == MXG_ARGUMENTS_COMMAND)
		fputs(" \\\n        '*::COMMAND:_normal'", s->to);
	else if (usage->arguments == MXG_ARGUMENTS_OTHER)
		fputs(" \\\n        '*: : '", s->to);
}

static void put_command_zsh(const struct script *s, const struct mxg_completed *c)
{
	fprintf(s->to, "    %s)\n      _arguments -s -S", c->name == NULL ? "*" : c->name);
	for (size_t i = 0; i < c->usage->count; i++)
		put_option_zsh(s, &c->usage->options[i]);
	fputs(" \\\n        '(- *)'{-h,--help}'[this text]'", s->to);
	if (c->name != NULL)
		fputs(" \\\n        '--color=[colours in tables]:WHEN:(auto always never)'", s->to);
	put_arguments_zsh(s, c->usage);
	fputs(" ;;\n", s->to);
}

static void put_first_zsh(const struct script *s)
{
	fputs("  if (( CURRENT == 2 )); then\n    commands=(", s->to);
	for (size_t i = 0; i < s->count; i++) {
		fprintf(s->to, "\n      '%s:", s->commands[i].name);
		put_quoted(s, s->commands[i].summary);
		fputc('\'', s->to);
	}
	fputs("\n      'help:the same as --help' '--help:what there is' '--version:which mxguard this is'\n    )\n"
	      "    _describe command commands\n    return\n  fi\n"
	      "  command=$words[2]\n  shift words\n  (( CURRENT-- ))\n",
	      s->to);
}

static void print_zsh(const struct script *s)
{
	fprintf(s->to,
		"#compdef %s\n# zsh completion for %s, made of its tables of options when it was built.\n"
		"_%s() {\n  local command=''\n  local -a commands\n",
		s->program, s->program, s->program);
	if (has_commands(s))
		put_first_zsh(s);
	fputs("  case $command in\n", s->to);
	for (size_t i = 0; i < s->count; i++)
		put_command_zsh(s, &s->commands[i]);
	fprintf(s->to, "  esac\n}\n_%s \"$@\"\n", s->program);
}

bool mxg_completion_print(const char *shell, const char *program, const struct mxg_completed *commands, size_t count,
			  FILE *to)
{
	struct script s = { to, program, commands, count };
	if (strcmp(shell, "bash") == 0)
		print_bash(&s);
	else if (strcmp(shell, "zsh") == 0)
		print_zsh(&s);
	else
		return false;
	return true;
}
