/* socksifyd --hash: from a password to a line for the file of --users. */
#ifndef SERVER_HASH_H
#define SERVER_HASH_H

/*
 * Ask for a password on the terminal, twice and unseen, or read the first line of standard input
 * where that is none; print "NAME:HASH", or the hash alone where @name is NULL.
 * Returns the status to exit with, the complaint written.
 */
int hash_command(const char *name);

#endif
