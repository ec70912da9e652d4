#include "shell.h"

#include <stdlib.h>
#include <string.h>

struct language {
	const char *set_before, *set_between, *unset;
	const char *escaped; /* what can't stand between single quotes as it is */
	const char *escape;  /* what stands in its place, itself behind it */
	const char *after;   /* what else the escaped one needs */
	const char *undo_begin, *undo_end;
};

/* Where the function is there already it knows what was before the first time. */
static const struct language sh = {
	"export ",
	"=",
	"unset ",
	"'",
	"'\\",
	"'",
	"command -v unsocksify >/dev/null 2>&1 ||\nunsocksify() {\n",
	"unset -f unsocksify;\n};\n",
};

static const struct language fish = {
	"set -gx ",
	" ",
	"set -eg ",
	"'\\",
	"\\",
	"",
	"functions -q unsocksify; or function unsocksify;\n",
	"functions -e unsocksify;\nend;\n",
};

static void put_set(FILE *out, const struct language *l, const char *variable, const char *value)
{
	fprintf(out, "%s%s%s'", l->set_before, variable, l->set_between);
	for (; *value; value++) {
		if (strchr(l->escaped, *value))
			fprintf(out, "%s%c%s", l->escape, *value, l->after);
		else
			putc(*value, out);
	}
	fputs("';\n", out);
}

/* Whatever the options of this time are: the next time, when undo is known, may have others. */
static bool may_be_set(enum config_key key)
{
	return key_rows[key].option[0] != '\0' || key == KEY_LOG || key == KEY_NAMES ||
	       key == KEY_PASSWORD_FILE;
}

/* As it is now. */
static void put_undo(FILE *out, const struct language *l, const char *variable)
{
	const char *value = getenv(variable);

	if (value)
		put_set(out, l, variable, value);
	else
		fprintf(out, "%s%s;\n", l->unset, variable);
}

void shell_print(FILE *out, const struct settings *s, bool for_fish)
{
	const struct language *l = for_fish ? &fish : &sh;

	fputs(l->undo_begin, out);
	for (int i = 0; i < KEY_COUNT; i++)
		if (may_be_set((enum config_key)i))
			put_undo(out, l, key_rows[i].variable);
	put_undo(out, l, "LD_PRELOAD");
	fputs(l->undo_end, out);
	for (int i = 0; i < KEY_COUNT; i++)
		if (s->value[i])
			put_set(out, l, key_rows[i].variable, s->value[i]);
	put_set(out, l, "LD_PRELOAD", s->preload);
}
