/* SPDX-License-Identifier: GPL-3.0-or-later */

/* tofctl: the TOF's REST API for people and scripts.
 *
 *     command line -> HTTP request (libcurl) -> JSON answer (jansson) -> table
 *
 * A program of its own, which shares nothing with tofd but the API of
 * swagger/tof.yaml.  This file reads the command line; what commands do is in
 * commands.c.  With -j the answer is printed as JSON instead of a table. */

#include <config.h>

#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/commands.h"
#include "ctl/http.h"
#include "ctl/human.h"
#include "ctl/services.h"
#include "ctl/sessions.h"
#include "ctl/table.h"
#include "ctl/trace.h"

#define WATCH_SECONDS 2

/* Those that have no letter. */
enum { FIRST_LONG = 256, OPTION_STATE = FIRST_LONG, OPTION_ENB, OPTION_SGW,
       OPTION_PCAP, OPTION_ON_FAILURE, OPTION_HEALTH };

static const struct {
    struct option option;
    const char *value;          /* As the user reads it. */
    const char *help;
} known[] = {
    { { "json", no_argument, NULL, 'j' }, "", "print JSON" },
    { { "url", required_argument, NULL, 'u' }, "URL",
      "where the API is, or unix:PATH ($TOF_URL)" },
    { { "token-file", required_argument, NULL, 't' }, "FILE",
      "show the token in FILE ($TOF_TOKEN_FILE)" },
    { { "ca-file", required_argument, NULL, 'c' }, "FILE",
      "trust the authorities in FILE" },
    { { "watch", no_argument, NULL, 'w' }, "",
      "show it again every two seconds" },
    { { "state", required_argument, NULL, OPTION_STATE }, "STATE",
      "sessions in this state" },
    { { "enb", required_argument, NULL, OPTION_ENB }, "ADDRESS",
      "sessions behind this eNodeB" },
    { { "sgw", required_argument, NULL, OPTION_SGW }, "ADDRESS",
      "sessions of this SGW" },
    { { "pcap", required_argument, NULL, OPTION_PCAP }, "FILE",
      "write traced packets to this file, for Wireshark" },
    { { "on-failure", required_argument, NULL, OPTION_ON_FAILURE }, "WHAT",
      "bypass or keep: while the App of the service added or set is down" },
    { { "health", required_argument, NULL, OPTION_HEALTH }, "CHECK",
      "tcp=PORT, http=PATH,port=PORT or icmp: how its App is checked" },
    { { "help", no_argument, NULL, 'h' }, "", "print this" },
    { { "version", no_argument, NULL, 'V' }, "", "print the version" },
};
#define N_OPTIONS (sizeof known / sizeof *known)

static bool watching;

static const struct command *
find_command(const char *name)
{
    for (size_t i = 0; i < n_commands; i++) {
        if (!strcmp(name, commands[i].name)) {
            return &commands[i];
        }
    }
    die(EXIT_USAGE, "there is no command %s; tofctl help lists them", name);
}

static void __attribute__((noreturn))
wrong_arguments(const struct command *command)
{
    die(EXIT_USAGE, "%s takes %s", command->name,
        command->args[0] ? command->args + 1 : "no arguments");
}

/* Help and completion: what the tables above and in commands.c say. */

static void
print_help(void)
{
    puts("usage: tofctl [OPTION...] COMMAND [ARGUMENT...]\n");
    for (size_t i = 0; i < n_commands; i++) {
        printf("  %s%s\n      %s\n", commands[i].name, commands[i].args,
               commands[i].help);
    }
    puts("  help [COMMAND]\n      This, or about one command.\n"
         "  completion bash|zsh\n      A script that completes command lines "
         "in this shell.\n");
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option *o = &known[i].option;

        if (o->val < FIRST_LONG) {
            printf("  -%c, ", o->val);
        } else {
            printf("      ");
        }
        printf("--%s%s%s\n          %s\n", o->name, o->has_arg ? "=" : "",
               known[i].value, known[i].help);
    }
}

static void
help(int n_words, char *words[])
{
    if (!n_words) {
        print_help();
    } else {
        const struct command *command = find_command(words[0]);

        printf("usage: tofctl [OPTION...] %s%s\n\n%s  See tofctl(8).\n",
               command->name, command->args, command->help);
    }
}

static void
complete_bash(void)
{
    puts("_tofctl() {\n    local word=${COMP_WORDS[COMP_CWORD]} words");
    printf("    case ${COMP_WORDS[COMP_CWORD-1]} in\n"
           "    set|delete) words=$(tofctl services 2>/dev/null |\n"
           "        awk 'NR > 1 { print $1 }');;\n"
           "    export|import|--*-file|--pcap|-t|-c)\n"
           "        COMPREPLY=($(compgen -f -- \"$word\")); return;;\n"
           "    --state) words='embryonic established stale';;\n"
           "    --on-failure) words='bypass keep';;\n"
           "    *) words='help completion");
    for (size_t i = 0; i < n_commands; i++) {
        printf(" %s", commands[i].name);
    }
    for (size_t i = 0; i < N_OPTIONS; i++) {
        printf(" --%s", known[i].option.name);
    }
    puts("';;\n    esac\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\n"
         "complete -F _tofctl tofctl");
}

/* What zsh offers for the value of an option. */
static const char *
zsh_values(const char *value)
{
    return (!strcmp(value, "FILE") ? ":_files"
            : !strcmp(value, "STATE") ? ":(embryonic established stale)"
            : !strcmp(value, "WHAT") ? ":(bypass keep)" : "");
}

static void
complete_zsh(void)
{
    puts("#compdef tofctl\nlocal -a commands=(");
    for (size_t i = 0; i < n_commands; i++) {
        printf("    '%s:%s'\n", commands[i].name, commands[i].help);
    }
    puts("    'help:This, or about one command.'\n"
         "    'completion:A script that completes command lines.'\n"
         ")\n_arguments \\");
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option *o = &known[i].option;

        if (o->val < FIRST_LONG) {
            printf("    {-%c,--%s%s}", o->val, o->name, o->has_arg ? "=" : "");
        } else {
            printf("    --%s%s", o->name, o->has_arg ? "=" : "");
        }
        printf("'[%s]%s%s%s' \\\n", known[i].help, o->has_arg ? ":" : "",
               known[i].value, zsh_values(known[i].value));
    }
    puts("    '1:command:{_describe command commands}' '*:argument:_files'");
}

static void
complete(int n_words, char *words[])
{
    if (n_words == 1 && !strcmp(words[0], "bash")) {
        complete_bash();
    } else if (n_words == 1 && !strcmp(words[0], "zsh")) {
        complete_zsh();
    } else {
        die(EXIT_USAGE, "completion takes bash or zsh");
    }
}

/* The command line. */

static void
take_option(int c)
{
    switch (c) {
    case 'j': raw_json = true; break;
    case 'u': http_set_url(optarg); break;
    case 't': http_read_token(optarg); break;
    case 'c': http_set_ca_file(optarg); break;
    case 'w': watching = true; break;
    case OPTION_STATE: filters.state = optarg; break;
    case OPTION_ENB: filters.enb = optarg; break;
    case OPTION_SGW: filters.sgw = optarg; break;
    case OPTION_PCAP: trace_pcap_file = optarg; break;
    case OPTION_ON_FAILURE: service_options.on_failure = optarg; break;
    case OPTION_HEALTH: service_options.health = optarg; break;
    case 'h': print_help(); exit(0);
    case 'V': puts("tofctl " PACKAGE_VERSION); exit(0);
    default: exit(EXIT_USAGE);          /* getopt_long() has said why. */
    }
}

/* Options may stand anywhere. */
static void
parse_options(int argc, char *argv[])
{
    const char *url = getenv("TOF_URL"), *token = getenv("TOF_TOKEN_FILE");
    struct option options[N_OPTIONS + 1] = { { .name = NULL } };
    int c;

    for (size_t i = 0; i < N_OPTIONS; i++) {
        options[i] = known[i].option;
    }
    http_set_url(url && *url ? url : HTTP_DEFAULT_URL);
    if (token && *token) {
        http_read_token(token);
    }
    while ((c = getopt_long(argc, argv, "ju:t:c:whV", options, NULL)) != -1) {
        take_option(c);
    }
}

static void
run(const struct command *command, char *args[])
{
    const struct timespec pause = { .tv_sec = WATCH_SECONDS };

    command->run(args);
    while (watching && !fflush(stdout)) {
        nanosleep(&pause, NULL);
        human_clear();
        command->run(args);
    }
}

int
main(int argc, char *argv[])
{
    const struct command *command;
    char **words;
    int n;

    setlocale(LC_CTYPE, "");
    http_init();
    parse_options(argc, argv);
    words = argv + optind;
    n = argc - optind - 1;
    if (n < 0) {
        die(EXIT_USAGE, "which command?  tofctl help lists them");
    } else if (!strcmp(words[0], "help")) {
        help(n, words + 1);
    } else if (!strcmp(words[0], "completion")) {
        complete(n, words + 1);
    } else {
        command = find_command(words[0]);
        if (n < command->min || n > command->max) {
            wrong_arguments(command);
        }
        run(command, words + 1);
    }
    http_destroy();
    return fflush(stdout) ? EXIT_FAILURE : 0;
}
