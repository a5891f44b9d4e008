/* SPDX-License-Identifier: GPL-3.0-or-later */

/* tofctl's requests to a TOF: see http.h.
 *
 * Place in the flow: between the commands and libcurl.  There is one handle,
 * so that requests after the first one use its connection again. */

#include <config.h>

#include "ctl/http.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/table.h"

#define TOKEN_MAX 4096
#define CONNECT_SECONDS 5L
#define ANSWER_SECONDS 5L     /* Without a byte of it. */

static CURL *curl;
static const char *url_option;  /* As the user gave it. */
static char *base_url;          /* Without a slash at its end. */
static char curl_error[CURL_ERROR_SIZE];
static char *authorization;     /* A header, or NULL. */

void
die(int status, const char *format, ...)
{
    va_list args;

    fputs("tofctl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(status);
}

static size_t
take_text(char *data, size_t size, size_t n, void *answer_)
{
    struct answer *answer = answer_;
    size_t len = size * n;
    char *text;

    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    if (answer->to && answer->status == 200) {
        return fwrite(data, 1, len, answer->to);
    }
    text = realloc(answer->text, answer->len + len + 1);
    if (!text) {
        return 0;
    }
    memcpy(text + answer->len, data, len);
    answer->text = text;
    answer->len += len;
    text[answer->len] = '\0';
    return len;
}

static size_t
take_header(char *data, size_t size, size_t n, void *answer_)
{
    static const char name[] = "X-Next-Cursor: ";
    const size_t name_len = sizeof name - 1;
    struct answer *answer = answer_;
    size_t len = size * n;

    if (len > name_len && !strncasecmp(data, name, name_len)) {
        snprintf(answer->cursor, sizeof answer->cursor, "%.*s",
                 (int) (len - name_len), data + name_len);
        answer->cursor[strcspn(answer->cursor, "\r\n")] = '\0';
    }
    return len;
}

void
http_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, curl_error);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_text);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, ANSWER_SECONDS);
}

void
http_destroy(void)
{
    free(authorization);
    free(base_url);
    curl_easy_cleanup(curl);
    curl_global_cleanup();
}

void
http_set_url(const char *url)
{
    static const char scheme[] = "unix:";
    bool is_unix = !strncmp(url, scheme, sizeof scheme - 1);

    size_t len = strlen(url);

    while (!is_unix && len && url[len - 1] == '/') {
        len--;
    }
    url_option = url;
    free(base_url);
    base_url = (is_unix ? format_text("http://localhost")
                : format_text("%.*s", (int) len, url));
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH,
                     is_unix ? url + sizeof scheme - 1 : NULL);
}

void
http_set_ca_file(const char *file)
{
    curl_easy_setopt(curl, CURLOPT_CAINFO, file);
}

void
http_read_token(const char *file)
{
    FILE *stream = fopen(file, "re");
    size_t allocated = 0;
    char *token = NULL;
    ssize_t n = stream ? getline(&token, &allocated, stream) : -1;

    if (n < 0) {
        die(EXIT_USAGE, "%s: cannot read a token", file);
    }
    fclose(stream);
    while (n && strchr(" \t\r\n", token[n - 1])) {
        n--;
    }
    token[n] = '\0';
    if (!n || n > TOKEN_MAX || strlen(token) != (size_t) n) {
        die(EXIT_USAGE, "%s: %s", file,
            !n ? "the first line has no token"
            : n > TOKEN_MAX ? "is too long for a token" : "has a NUL byte");
    }
    free(authorization);
    authorization = format_text("Authorization: Bearer %s", token);
    free(token);
}

/* Makes what a refusal says a sentence. */
static void
explain_refusal(struct answer *answer)
{
    json_t *problem = json_loads(answer->text, 0, NULL);
    const char *detail = json_string_value(json_object_get(problem,
                                                           "detail"));
    char *text = (detail ? format_text("%s", detail)
                  : format_text("HTTP status %ld", answer->status));

    free(answer->text);
    answer->text = text;
    json_decref(problem);
}

static int
explain_failure(CURLcode code, struct answer *answer)
{
    free(answer->text);
    answer->text = (code == CURLE_OPERATION_TIMEDOUT
                    ? format_text("%s: no answer in %ld seconds", url_option,
                                  ANSWER_SECONDS)
                    : format_text("%s: %s", url_option, curl_error[0]
                                  ? curl_error : curl_easy_strerror(code)));
    return (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL
            ? EXIT_USAGE : EXIT_CONNECT);
}

static void
set_body(const struct http_call *call)
{
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long) call->len);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body);
    curl_easy_setopt(curl, CURLOPT_POST, call->body ? 1L : 0L);
    if (!call->body) {
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
}

int
http_try(const struct http_call *call, struct answer *answer)
{
    char *url = format_text("%s%s", base_url, call->path);
    char *type = format_text("Content-Type: %s",
                             call->type ? call->type : "application/json");
    struct curl_slist *headers = curl_slist_append(NULL, type);
    CURLcode code;

    if (authorization) {
        headers = curl_slist_append(headers, authorization);
    }
    *answer = (struct answer) { .text = calloc(1, 1), .to = call->to };
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    set_body(call);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, answer);
    code = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    free(type);
    free(url);
    if (code) {
        return explain_failure(code, answer);
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    if (answer->status != 200) {
        explain_refusal(answer);
        return EXIT_REFUSED;
    }
    return 0;
}

void
http_request(const char *method, const char *path, const char *body,
             struct answer *answer)
{
    const struct http_call call = { .method = method, .path = path,
                                    .body = body,
                                    .len = body ? strlen(body) : 0 };
    int status = http_try(&call, answer);

    if (status) {
        die(status, "%s", answer->text);
    }
}

char *
http_path(const char *prefix, const char *word)
{
    char *escaped = curl_easy_escape(curl, word, 0);
    char *path = format_text("%s%s", prefix, escaped);

    curl_free(escaped);
    return path;
}

void
http_add_parameter(char **path, const char *name, const char *value)
{
    if (value) {
        char *prefix = format_text("%s&%s=", *path, name);

        free(*path);
        *path = http_path(prefix, value);
        free(prefix);
    }
}

json_t *
http_parse(const struct answer *answer)
{
    json_error_t error;
    json_t *json = json_loadb(answer->text, answer->len, 0, &error);

    if (!json) {
        die(EXIT_CONNECT, "%s: not a TOF: %s", url_option, error.text);
    }
    return json;
}

json_t *
http_get(const char *path)
{
    struct answer answer;
    json_t *json;

    http_request("GET", path, NULL, &answer);
    json = http_parse(&answer);
    free(answer.text);
    return json;
}
