/*
 * One line to stderr or a file, in one write(2), without allocation or locks, so that it may be
 * called from anywhere, signal handlers included. A guest keeps no descriptor: the file is opened
 * for each line, and stderr is used only while descriptor 2 is still the file that it was at
 * log_init().
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

#define LOG_LINE_MAX 1024 /* octets; what is longer is cut */

/*
 * @prefix  borrowed for good: the program's name in front of each line
 * @path    borrowed for good: file to append to, or NULL for stderr
 */
void log_init(const char *prefix, enum log_level level, const char *path);

bool log_enabled(enum log_level level);

void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
