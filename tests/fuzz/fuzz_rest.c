/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer target: the REST API, over HTTP, with the services in memory of
 * rest_driver.  A request is either all of the input, or has a head that is
 * right, with the input as path or as body.  What is answered is HTTP. */

#define main rest_driver_main
#include "../net/rest_driver.c"
#undef main

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "explain/explain.h"
#include "filter/l2.h"
#include "fuzz.h"
#include "tests/nothing.h"

int rest_driver_main(int argc, char *argv[]);

static struct sockaddr_un at = { .sun_family = AF_UNIX };

/* What "explain" asks of a data plane. */
static const struct endpoint_class no_endpoint = {
    .name = "none",
    .bearer_look = nothing_to_see,
    .bearer_left = nothing_left,
};

static void
start_api(void)
{
    static struct conf conf;
    char *error;

    fuzz_be_quiet();
    fuzz_make_dir("api");
    ovs_strlcpy(at.sun_path, fuzz_file, sizeof at.sun_path);
    conf.api.unix_path = at.sun_path;
    set_status(NULL);
    session_init(1000, 10000, NULL);
    l2_init(nothing_changed);
    explain_init(&no_endpoint);
    import_init(&conf);
    make_sessions(20);
    if (rest_init(&conf, &error)) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
}

/* What is sent: 'how' says which request. */
static size_t
make_request(uint8_t how, const uint8_t *data, size_t size, char *out)
{
    static const char *const heads[] = {
        "POST /service", "PUT /service/a", "POST /statelet",
        "POST /explain", "DELETE /service/a", "POST /trace",
    };
    static const char *const paths[] = {
        "GET /", "GET /session?", "GET /service/", "GET /explain?",
        "GET /statelet?", "DELETE /session/", "GET /peer?", "GET /trace?",
    };
    const char *type = how % 6 == 2 ? "application/octet-stream"
                       : "application/json";
    size_t n;

    if (how & 0x80) {
        memcpy(out, data, size);
        return size;
    } else if (how & 0x40) {
        n = sprintf(out, "%s", paths[how % 8]);
        for (size_t i = 0; i < size; i++) {
            out[n++] = data[i] > ' ' && data[i] < 0x7f ? data[i] : '%';
        }
        return n + sprintf(out + n, " HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    n = sprintf(out, "%s HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\n"
                "Content-Length: %zu\r\n\r\n", heads[how % 6], type, size);
    memcpy(out + n, data, size);
    return n + size;
}

/* Lets the API work until it has nothing more to say. */
static void
exchange(int fd)
{
    static char answer[1 << 16];
    bool any = false;

    for (int i = 0, idle = 0; i < 200 && idle < 3; i++) {
        rest_run();
        changes_run(true);
        ssize_t n = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
        if (!n || (n < 0 && errno != EAGAIN)) {
            break;
        }
        idle = n < 0 ? idle + 1 : 0;
        if (n > 0 && !any && (n < 8 || memcmp(answer, "HTTP/1.", 7))) {
            abort();
        }
        any = any || n > 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char request[70000];
    int fd;

    if (!at.sun_path[0]) {
        start_api();
    }
    if (!size || size > 66000) {
        return 0;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *) &at, sizeof at)) {
        abort();
    }
    size_t n = make_request(data[0], data + 1, size - 1, request);
    if (send(fd, request, n, MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
        exchange(fd);
    }
    close(fd);
    rest_run();
    rest_run();
    return 0;
}
