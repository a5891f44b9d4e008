/* SPDX-License-Identifier: GPL-3.0-or-later */

/* tofctl's commands for the session table as a whole: see export.h.
 *
 * A snapshot is a file of records of one size (src/session/statelet.c), as GET
 * /statelet gives and POST /statelet takes them; the records themselves are
 * the TOF's business.  An export is in its place when it is whole, so that one
 * that fails takes nothing from the one before. */

#include <config.h>

#include "ctl/export.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/http.h"
#include "ctl/table.h"

#define RECORD_LEN 128
#define PIECE_RECORDS 512       /* What a request's body may hold. */

/* NULL if it is standard output or input. */
static const char *
file_name(char *args[])
{
    return args[0] && strcmp(args[0], "-") ? args[0] : NULL;
}

/* Writes an export to 'stream'; ends the program if it fails, and takes
 * 'temporary' (unless it is NULL) away. */
static void
write_export(FILE *stream, const char *name, const char *temporary)
{
    const struct http_call call = { .method = "GET", .path = "/statelet",
                                    .to = stream };
    struct answer answer;
    int status = http_try(&call, &answer);
    int error = ferror(stream) || fflush(stream) ? errno : 0;

    if ((status || error) && temporary) {
        unlink(temporary);
    }
    if (error) {
        die(EXIT_USAGE, "%s: %s", name, strerror(error));
    } else if (status) {
        die(status, "%s", answer.text);
    }
    free(answer.text);
}

void
export_sessions(char *args[])
{
    const char *name = file_name(args);
    char *temporary;
    FILE *stream;
    int fd;

    if (!name) {
        write_export(stdout, "standard output", NULL);
        return;
    }
    /* It says who talks to whom. */
    temporary = format_text("%s.tmp", name);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    stream = fd < 0 ? NULL : fdopen(fd, "w");
    if (!stream) {
        die(EXIT_USAGE, "%s: %s", temporary, strerror(errno));
    }
    write_export(stream, temporary, temporary);
    if (fclose(stream) || rename(temporary, name)) {
        int error = errno;

        unlink(temporary);
        die(EXIT_USAGE, "%s: %s", name, strerror(error));
    }
    free(temporary);
}

/* What the TOF has made of the records so far. */
struct import {
    const char *name;           /* Of the file. */
    size_t n_sent;
    json_int_t imported, refused;
};

/* Ends the program; but what has been taken has been taken. */
static void __attribute__((format(printf, 3, 4), noreturn))
import_failed(const struct import *import, int status, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = format_text_valist(format, args);
    va_end(args);
    if (import->n_sent) {
        die(status, "%s (of %zu bearers before that %" JSON_INTEGER_FORMAT
            " were imported)", text, import->n_sent, import->imported);
    }
    die(status, "%s", text);
}

/* Sends the 'n' records at 'piece', of which the first is the one after
 * import->n_sent. */
static void
send_piece(struct import *import, const char *piece, size_t n)
{
    const struct http_call call = {
        .method = "POST", .path = "/statelet", .body = piece,
        .len = n * RECORD_LEN, .type = "application/octet-stream",
    };
    struct answer answer;
    int status = http_try(&call, &answer);
    json_t *json;

    if (status == EXIT_REFUSED) {
        import_failed(import, status, "%s: from record %zu on: %s",
                      import->name, import->n_sent + 1, answer.text);
    } else if (status) {
        import_failed(import, status, "%s", answer.text);
    }
    json = http_parse(&answer);
    import->n_sent += n;
    import->imported += json_integer_value(json_object_get(json, "imported"));
    import->refused += json_integer_value(json_object_get(json, "refused"));
    json_decref(json);
    free(answer.text);
}

/* The 'len' bytes at 'record', all that is left if they are too few, are one's
 * beginning, or the program ends. */
static void
check_record(const struct import *import, const char *record, size_t len,
             size_t number)
{
    static const char magic[] = "TOFS";
    const size_t magic_len = sizeof magic - 1;

    if (memcmp(record, magic, len < magic_len ? len : magic_len)) {
        import_failed(import, EXIT_USAGE, "%s: record %zu is none of an "
                      "export's", import->name, number);
    } else if (len < RECORD_LEN) {
        import_failed(import, EXIT_USAGE, "%s: is cut off in the middle of "
                      "record %zu", import->name, number);
    }
}

/* Sends the 'len' bytes at 'piece', the next ones of the file. */
static void
import_piece(struct import *import, const char *piece, size_t len)
{
    for (size_t i = 0; i < len; i += RECORD_LEN) {
        check_record(import, piece + i, len - i,
                     import->n_sent + i / RECORD_LEN + 1);
    }
    send_piece(import, piece, len / RECORD_LEN);
}

static void
print_import(const struct import *import)
{
    json_t *json = json_pack("{sI sI}", "imported", import->imported,
                             "refused", import->refused);

    if (!print_raw(json)) {
        printf("%" JSON_INTEGER_FORMAT " bearers imported, %"
               JSON_INTEGER_FORMAT " refused\n", import->imported,
               import->refused);
    }
    json_decref(json);
}

void
import_sessions(char *args[])
{
    static char piece[PIECE_RECORDS * RECORD_LEN];
    struct import import = { .name = file_name(args) };
    FILE *stream = import.name ? fopen(import.name, "re") : stdin;
    size_t len;

    if (!stream) {
        die(EXIT_USAGE, "%s: %s", import.name, strerror(errno));
    }
    if (!import.name) {
        import.name = "standard input";
    }
    while ((len = fread(piece, 1, sizeof piece, stream)) > 0) {
        import_piece(&import, piece, len);
    }
    if (ferror(stream)) {
        import_failed(&import, EXIT_USAGE, "%s: %s", import.name,
                      strerror(errno));
    }
    fclose(stream);
    print_import(&import);
}
