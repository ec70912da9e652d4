/* Lines for a shell to read, that set up what it starts, and a function that undoes that. */
#ifndef WRAPPER_SHELL_H
#define WRAPPER_SHELL_H

#include "settings.h"

#include <stdio.h>

/*
 * In the language of sh(1), for bash, zsh, dash and others, or in fish's. Each line ends in a
 * semicolon, so that an eval without quotes, which joins them, does as well.
 */
void shell_print(FILE *out, const struct settings *s, bool for_fish);

#endif
