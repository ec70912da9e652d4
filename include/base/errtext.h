/* errno values in words, without locale, allocation or locks. */
#ifndef BASE_ERRTEXT_H
#define BASE_ERRTEXT_H

/* "ECONNREFUSED"; "E?" for a number that is not in the table. @err may have either sign. */
const char *err_name(int err);

/* "connection refused"; "unknown error". @err may have either sign; 0 is "success". */
const char *err_text(int err);

#endif
