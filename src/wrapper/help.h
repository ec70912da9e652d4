/* --help, made from the tables of options and variables. */
#ifndef WRAPPER_HELP_H
#define WRAPPER_HELP_H

#include <stdio.h>

void help_print(FILE *out);

#endif
