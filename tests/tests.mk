# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests (check_PROGRAMS), C programs that need root (TAP_TESTS) and
# fuzz targets (FUZZ_TARGETS).  A test is one line here: it is built from the
# source of its name, and linked with LDADD, which is all of the TOF but
# main().

check_PROGRAMS += \
	tests/unit/test_accept \
	tests/unit/test_addr \
	tests/unit/test_apps \
	tests/unit/test_buckets \
	tests/unit/test_captures \
	tests/unit/test_conf \
	tests/unit/test_flow \
	tests/unit/test_flows \
	tests/unit/test_drops \
	tests/unit/test_fragment \
	tests/unit/test_gtpu \
	tests/unit/test_gtpu_build \
	tests/unit/test_guard \
	tests/unit/test_history \
	tests/unit/test_hold \
	tests/unit/test_human \
	tests/unit/test_idtable \
	tests/unit/test_import \
	tests/unit/test_journal \
	tests/unit/test_json \
	tests/unit/test_metrics \
	tests/unit/test_model \
	tests/unit/test_nflog \
	tests/unit/test_ofctl_flows \
	tests/unit/test_path \
	tests/unit/test_pcapng \
	tests/unit/test_persist \
	tests/unit/test_pinger \
	tests/unit/test_recent \
	tests/unit/test_replicated \
	tests/unit/test_secure \
	tests/unit/test_session \
	tests/unit/test_statelet \
	tests/unit/test_tap \
	tests/unit/test_usage \
	tests/unit/test_visitors \
	tests/unit/test_wire_faults \
	tests/unit/test_xdp_table

# Each is run by tests/tap/with-ovs, beside an Open vSwitch of its own.
TAP_TESTS = \
	tests/tap/test_bucket \
	tests/tap/test_nflog \
	tests/tap/test_nft \
	tests/tap/test_ofctl \
	tests/tap/test_ovsdb \
	tests/tap/test_registry \
	tests/tap/test_rtnl \
	tests/tap/test_xdp \
	tests/tap/test_xdp_bearers \
	tests/tap/test_xdp_chain \
	tests/tap/test_xdp_random

FUZZ_TARGETS = fuzz_conf fuzz_fragment fuzz_gtpu fuzz_journal fuzz_json \
	fuzz_netlink fuzz_openflow fuzz_receive fuzz_rest fuzz_rows \
	fuzz_statelet fuzz_usage

# Those that consist of more than the source of their name, or that have other
# functions in place of the C library's or of Open vSwitch's.
tests_unit_test_apps_LDFLAGS = -Wl,--wrap=time_msec
tests_unit_test_captures_SOURCES = tests/unit/test_captures.c \
	tests/unit/capture.c
tests_unit_test_history_LDFLAGS = -Wl,--wrap=time_msec
tests_unit_test_human_SOURCES = tests/unit/test_human.c src/ctl/human.c
tests_unit_test_journal_LDFLAGS = \
	-Wl,--wrap=time_msec,--wrap=poll_timer_wait_until_at
tests_unit_test_pcapng_SOURCES = tests/unit/test_pcapng.c src/ctl/pcapng.c
tests_unit_test_usage_LDFLAGS = \
	-Wl,--wrap=renameat,--wrap=fdatasync,--wrap=syscall

# A random network, and a judge: around the agent, with a clock of its own and
# a data plane in memory, and on a lab's S1-U (tests/net/test_model.py).
world_sources = tests/model/packets_model.c tests/model/world.c \
	tests/model/world_judge.c tests/model/world_nodes.c \
	tests/model/world_traffic.c
tests_unit_test_model_SOURCES = tests/unit/test_model.c tests/model/plane.c \
	tests/model/plane_rest.c $(world_sources)
tests_unit_test_model_LDFLAGS = -Wl,--wrap=time_msec
tests_model_model_driver_SOURCES = tests/model/model_driver.c $(world_sources)
tests_model_model_driver_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE

# rest_driver: the REST API with services in memory, for
# tests/net/test_rest*.py.
noinst_PROGRAMS = tests/model/model_driver tests/net/rest_driver

# die_at: kills what writes, for tests/faults/test_killed.py.
noinst_PROGRAMS += tests/faults/die_at
tests_faults_die_at_LDADD =

# clock.so: a wrong clock, for tests/faults/test_clock.py.
noinst_DATA = tests/faults/clock.so
CLEANFILES += tests/faults/clock.so
tests/faults/clock.so: tests/faults/clock.c
	$(AM_V_CC)$(MKDIR_P) tests/faults && \
		$(CC) $(CFLAGS) -shared -fPIC -o $@ $< -ldl

EXTRA_PROGRAMS += $(TAP_TESTS)
CLEANFILES += $(TAP_TESTS)

# --- Fuzz targets -----------------------------------------------------------

FUZZ_CC = clang -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=undefined -I$(srcdir) -I$(srcdir)/src \
	$(DEPS_CFLAGS)
conf_sources = src/base/addr.c src/conf/conf.c src/conf/conf_keys.c \
	src/conf/conf_value.c src/conf/conf_yaml.c

fuzz_conf: tests/fuzz/fuzz_conf.c $(conf_sources)
	$(AM_V_CC)$(FUZZ_CC) -o $@ $^ $(DEPS_LIBS)
fuzz_gtpu: tests/fuzz/fuzz_gtpu.c src/gtp/gtpu.c src/gtp/gtpu_build.c \
		src/gtp/too_big.c
	$(AM_V_CC)$(FUZZ_CC) -o $@ $^
fuzz_json: tests/fuzz/fuzz_json.c api/json.c src/base/addr.c \
		src/base/service_spec.c
	$(AM_V_CC)$(FUZZ_CC) -o $@ $^ -ljansson
fuzz_statelet: tests/fuzz/fuzz_statelet.c src/session/statelet.c
	$(AM_V_CC)$(FUZZ_CC) -o $@ $^
fuzz_fragment: tests/fuzz/fuzz_fragment.c src/filter/fragment.c
	$(AM_V_CC)$(FUZZ_CC) -o $@ $^

# These stand on the rest of the TOF and on Open vSwitch.  What they are about
# is built anew, all else is as it is.  Open vSwitch's macros compute with
# pointers to the members of what is not there.
FUZZ_CC_ALL = $(FUZZ_CC) -fno-sanitize=alignment,pointer-overflow,null \
	-I. -Isrc $(OVS_CFLAGS)
FUZZ_LIBS = libtof.a libtof-idl.a
session_sources = src/base/addr.c src/base/idtable.c src/base/recent.c \
	src/filter/l2.c src/session/describe.c src/session/peers.c \
	src/session/session.c src/session/space.c src/session/statelet.c \
	src/session/table.c

fuzz_journal: tests/fuzz/fuzz_journal.c src/base/fdsync.c \
		src/persist/journal.c src/persist/persist.c \
		$(session_sources) $(FUZZ_LIBS)
	$(AM_V_CC)$(FUZZ_CC_ALL) -Wl,--wrap=syscall -o $@ $^ $(LIBS_OF_ALL)
fuzz_receive: tests/fuzz/fuzz_receive.c src/persist/import.c \
		src/persist/replicate_receive.c $(session_sources) \
		$(FUZZ_LIBS)
	$(AM_V_CC)$(FUZZ_CC_ALL) -Wl,--wrap=stream_open -Wl,--wrap=stream_connect \
		-Wl,--wrap=stream_recv -Wl,--wrap=stream_send \
		-Wl,--wrap=stream_close -Wl,--wrap=stream_run \
		-o $@ $^ $(LIBS_OF_ALL)
fuzz_usage: tests/fuzz/fuzz_usage.c src/base/fdsync.c src/usage/account.c \
		src/usage/log.c src/usage/record.c src/usage/state.c \
		src/usage/usage.c src/base/addr.c $(FUZZ_LIBS)
	$(AM_V_CC)$(FUZZ_CC_ALL) -Wl,--wrap=syscall -o $@ $^ $(LIBS_OF_ALL)
fuzz_rows: tests/fuzz/fuzz_rows.c src/service/registry.c src/base/addr.c \
		src/base/service_spec.c $(FUZZ_LIBS)
	$(AM_V_CC)$(FUZZ_CC_ALL) -Wl,--wrap=tofrec_service_first \
		-Wl,--wrap=tofrec_service_next \
		-Wl,--wrap=tofrec_service_track_get_first \
		-Wl,--wrap=tofrec_service_track_get_next \
		-Wl,--wrap=ovsdb_idl_track_clear -o $@ $^ $(LIBS_OF_ALL)
fuzz_openflow: tests/fuzz/fuzz_openflow.c src/ovs/ofctl.c \
		src/ovs/ofctl_batch.c src/ovs/ofctl_flows.c $(FUZZ_LIBS)
	$(AM_V_CC)$(FUZZ_CC_ALL) -Wl,--wrap=rconn_is_connected \
		-Wl,--wrap=rconn_get_connection_seqno \
		-Wl,--wrap=rconn_get_version -Wl,--wrap=rconn_run \
		-Wl,--wrap=rconn_send -Wl,--wrap=rconn_recv -o $@ $^ $(LIBS_OF_ALL)
fuzz_netlink: tests/fuzz/fuzz_netlink.c src/kernel/netlink.c \
		src/kernel/nft.c src/kernel/nft_query.c src/kernel/rtnl.c \
		src/nat/conntrack.c $(FUZZ_LIBS)
	$(AM_V_CC)$(FUZZ_CC_ALL) -Wl,--wrap=recv -Wl,--wrap=mnl_socket_open2 \
		-Wl,--wrap=mnl_socket_bind \
		-Wl,--wrap=mnl_socket_setsockopt \
		-Wl,--wrap=mnl_socket_close -Wl,--wrap=mnl_socket_get_fd \
		-Wl,--wrap=mnl_socket_sendto -o $@ $^ $(LIBS_OF_ALL)
fuzz_rest: tests/fuzz/fuzz_rest.c api/*.c src/base/jsontext.c \
		src/persist/import.c $(session_sources) $(FUZZ_LIBS)
	$(AM_V_CC)$(FUZZ_CC_ALL) -o $@ $^ $(LIBS_OF_ALL)
LIBS_OF_ALL = $(OVS_LIBS) $(DEPS_LIBS) $(BPF_LIBS)
CLEANFILES += $(FUZZ_TARGETS)

# --- Benches: scripts/bench.sh -----------------------------------------------

BENCH_PARTS = tests/bench/engine tests/bench/front.bpf.o \
	tests/bench/end.bpf.o
EXTRA_PROGRAMS += tests/bench/engine
tests_bench_engine_SOURCES = tests/bench/engine.c tests/bench/end.c \
	tests/bench/flow.c tests/bench/subject.c

BENCH_BPF_CC = $(CLANG) $(BPF_CFLAGS)
tests/bench/front.bpf.o: tests/bench/front.bpf.c tests/bench/engine.h
	$(AM_V_CC)$(MKDIR_P) tests/bench && $(BENCH_BPF_CC) -c -o $@ $<
tests/bench/end.bpf.o: tests/bench/end.bpf.c tests/bench/engine.h
	$(AM_V_CC)$(MKDIR_P) tests/bench && $(BENCH_BPF_CC) -c -o $@ $<
CLEANFILES += $(BENCH_PARTS)

bench-programs: $(BENCH_PARTS)
.PHONY: bench-programs
