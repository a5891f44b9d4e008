/* SPDX-License-Identifier: GPL-3.0-or-later */

/* tofd, the TOF's daemon: options, start order, the loop.
 *
 *     configuration -> agent (journal, sessions, registry, data plane)
 *                   -> REST API -> loop
 *
 * One process, one thread.  In the foreground; logs to standard error.  When
 * it ends, by whatever signal, the data plane goes on without it. */

#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "agent.h"
#include "api/rest.h"
#include "base/descriptors.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/secure.h"
#include "base/status.h"
#include "conf/conf.h"
#include "explain/explain.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(tofd);

/* How long one that is still ending is waited for. */
#define LOCK_WAIT_MS 5000

#define DEFAULT_CONF SYSCONFDIR "/tof/tof.yaml"

enum action { RUN, TEST, PRINT };
enum asked { GO_ON, END, START_ANEW };

static const struct option options[] = {
    { "config", required_argument, NULL, 'c' },
    { "test", no_argument, NULL, 't' },
    { "print", no_argument, NULL, 'T' },
    { "verbose", required_argument, NULL, 'v' },
    { "version", no_argument, NULL, 'V' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static void
usage(void)
{
    puts("Usage: tofd [OPTION...]\n"
         "Traffic Offloading Function: the control agent.\n"
         "\n"
         "  -c, --config=FILE    configuration (default: " DEFAULT_CONF ")\n"
         "  -t, --test           check the configuration; exit 78 if it is "
         "wrong\n"
         "  -T, --print          likewise, and print it as shell variables\n"
         "  -v, --verbose=LEVEL  log level: emer, err, warn, info (default), "
         "dbg, off;\n"
         "                       or MODULE:LEVEL\n"
         "  -V, --version        print the version\n"
         "  -h, --help           print this help");
}

/* "LEVEL" or "MODULE:LEVEL". */
static void
set_log_level(const char *spec)
{
    char *module = xstrdup(spec);
    char *level = strchr(module, ':');
    const char *problem;

    if (level) {
        *level++ = '\0';
    }
    problem = (level ? log_set_level(module, level)
               : log_set_level("any", module));
    if (problem) {
        fprintf(stderr, "tofd: -v %s: %s\n", spec, problem);
        exit(EX_USAGE);
    }
    free(module);
}

static enum action
parse_options(int argc, char *argv[], const char **file)
{
    enum action action = RUN;
    int c;

    while ((c = getopt_long(argc, argv, "c:tTv:Vh", options, NULL)) != -1) {
        switch (c) {
        case 'c': *file = optarg; break;
        case 't': action = TEST; break;
        case 'T': action = PRINT; break;
        case 'v': set_log_level(optarg); break;
        case 'V': printf("tofd %s\n", PACKAGE_VERSION); exit(0);
        case 'h': usage(); exit(0);
        default: exit(EX_USAGE);        /* getopt_long() has said why. */
        }
    }
    if (optind < argc) {
        fprintf(stderr, "tofd: unexpected argument: %s\n", argv[optind]);
        exit(EX_USAGE);
    }
    return action;
}

/* Whether the files that 'conf' names can be used. */
static int
check_files(const struct conf *conf, char **error)
{
    const struct {
        const char *key, *file;
    } files[] = {
        { "tls.cert", conf->tls.cert },
        { "tls.key", conf->tls.key },
        { "tls.ca", conf->tls.ca },
    };
    int retval = rest_check(conf, error);

    for (size_t i = 0; !retval && i < ARRAY_SIZE(files); i++) {
        if (files[i].file && access(files[i].file, R_OK)) {
            retval = errno;
            *error = xasprintf("%s: cannot read %s: %s", files[i].key,
                               files[i].file, ovs_strerror(retval));
        }
    }
    return retval;
}

/* Warns of secrets that others may read. */
static void
check_modes(const struct conf *conf)
{
    secure_check_file("api.token_file", conf->api.token_file);
    secure_check_file("api.tls_key", conf->api.tls_key);
    secure_check_file("tls.key", conf->tls.key);
}

/* Reads 'file' and, but for PRINT, which is for scripts that need none of that,
 * checks the files that it names. */
static struct conf *
read_conf(const char *file, enum action action)
{
    char *error = NULL;
    struct conf *conf = conf_read(file, &error);

    if (!conf || (action != PRINT && check_files(conf, &error))) {
        fprintf(stderr, "tofd: %s\n", error);
        free(error);
        exit(EX_CONFIG);
    }
    if (action != PRINT) {
        check_modes(conf);
    }
    return conf;
}

/* What has to be there is missed later; tofd is of use without a state_dir. */
static void
make_dir(const char *dir)
{
    char *copy = xstrdup(dir);

    for (char *p = copy + 1; ; p++) {
        if (*p == '/' || !*p) {
            char c = *p;
            *p = '\0';
            if (mkdir(copy, 0755) && errno != EEXIST) {
                VLOG_ERR("cannot make directory %s: %s", copy,
                         ovs_strerror(errno));
                break;
            }
            *p = c;
            if (!c) {
                break;
            }
        }
    }
    free(copy);
}

static void
start(const struct conf *conf)
{
    char *what = NULL;
    int error;

    descriptors_raise_limit();
    umask(027);                 /* Files say who talks to whom. */
    make_dir(conf->run_dir);
    make_dir(conf->state_dir);
    error = lock_take(conf->run_dir, LOCK_WAIT_MS, &what);
    if (error) {
        ovs_fatal(error == EBUSY ? 0 : error, "%s", what);
    }
    log_set_privacy((enum log_privacy) conf->privacy);
    status_fact("version", PACKAGE_VERSION);
    error = agent_init(conf, &what);
    if (error) {
        ovs_fatal(error, "%s", what);
    }
    explain_init(agent_endpoint());
    error = rest_init(conf, &what);
    if (error) {
        ovs_fatal(0, "%s", what);
    }
}

/* SIGHUP, SIGTERM and SIGINT become readable on the descriptor returned.  They
 * stay blocked in a tofd that this one starts anew. */
static int
block_signals(void)
{
    sigset_t set;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) {
        ovs_fatal(errno, "signalfd");
    }
    return fd;
}

/* Tells systemd that the loop turns, if it asks for that: see WatchdogSec= in
 * the unit. */
static void
feed_watchdog(void)
{
    static uint64_t period_us;
    static long long int next;

    if (!next) {
        next = sd_watchdog_enabled(0, &period_us) > 0 ? 1 : LLONG_MAX;
    }
    if (time_msec() >= next) {
        sd_notify(0, "WATCHDOG=1");
        next = time_msec() + period_us / 3000;
    }
    poll_timer_wait_until(next);
}

static bool
is_pending(int signo)
{
    sigset_t set;

    return !sigpending(&set) && sigismember(&set, signo) == 1;
}

/* Whether 'file' is right, and another configuration than 'conf'. */
static bool
is_another(const struct conf *conf, const char *file)
{
    char *error = NULL;
    struct conf *new = conf_read(file, &error);
    bool differs = new && conf_differs(conf, new);

    if (!new || (differs && check_files(new, &error))) {
        VLOG_ERR("%s; the configuration in force stays so", error);
        free(error);
        differs = false;
    }
    conf_free(new);
    return differs;
}

/* What the files that 'conf' names say now. */
static void
reload_files(const struct conf *conf)
{
    char *error = NULL;

    check_modes(conf);
    agent_reload();
    if (rest_reload(conf, &error)) {
        VLOG_ERR("%s; what was read before stays in force", error);
        free(error);
    } else {
        VLOG_INFO("files read anew");
    }
}

/* SIGHUP stays pending until what it asks for is done, by another tofd if need
 * be, so that whoever has sent it sees when that is: tof.init does. */
static enum asked
what_is_asked(int fd, const struct conf *conf, const char *file)
{
    struct signalfd_siginfo info;

    if (is_pending(SIGHUP) && is_another(conf, file)) {
        return START_ANEW;
    }
    while (read(fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo != SIGHUP) {
            return END;
        }
        reload_files(conf);
    }
    return GO_ON;
}

static enum asked
loop(const struct conf *conf, const char *file)
{
    int fd = block_signals();
    enum asked asked;

    sd_notify(0, "READY=1");
    while ((asked = what_is_asked(fd, conf, file)) == GO_ON) {
        agent_run();
        rest_run();

        agent_wait();
        rest_wait();
        feed_watchdog();
        poll_fd_wait(fd, POLLIN);
        poll_block();
    }
    return asked;
}

/* The same process becomes a tofd with the configuration that is there now,
 * and adopts what is in force.  The program is that of today, if it is there
 * by the name by which this one was started. */
static void
start_anew(char *argv[])
{
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    execvp(argv[0], argv);
    execv("/proc/self/exe", argv);
    ovs_fatal(errno, "cannot start anew");
}

int
main(int argc, char *argv[])
{
    const char *file = DEFAULT_CONF;
    enum action action;
    enum asked asked;
    struct conf *conf;

    ovs_set_program_name("tofd", PACKAGE_VERSION);
    log_init();
    action = parse_options(argc, argv, &file);
    conf = read_conf(file, action);
    if (action == PRINT) {
        conf_print(conf, stdout);
    }
    if (action != RUN) {
        conf_free(conf);
        return 0;
    }
    signal(SIGPIPE, SIG_IGN);
    start(conf);
    VLOG_INFO("tofd %s: up", PACKAGE_VERSION);
    asked = loop(conf, file);
    VLOG_INFO("%s; what is diverted stays so",
              asked == END ? "ending" : "starting anew, as configured now");
    sd_notify(0, asked == END ? "STOPPING=1" : "RELOADING=1");
    rest_destroy();
    agent_destroy();
    conf_free(conf);
    if (asked == START_ANEW) {
        start_anew(argv);
    }
    return 0;
}
