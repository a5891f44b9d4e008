# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests (check_PROGRAMS), tests that need root (NET_TESTS) and fuzz
# targets (FUZZ_TARGETS).

check_PROGRAMS += \
	test_addr \
	test_flows \
	test_gtpu \
	test_hold \
	test_idtable \
	test_pinger \
	test_secure \
	test_session

TEST_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests/unit

# The parser alone: it depends on nothing else.
test_gtpu_SOURCES = tests/unit/test_gtpu.c tests/unit/tap.h src/gtp/gtpu.c
test_gtpu_CPPFLAGS = -I$(srcdir)/src -I$(srcdir)/tests/unit

test_addr_SOURCES = tests/unit/test_addr.c tests/unit/address.h \
	tests/unit/tap.h src/base/addr.c
test_addr_CPPFLAGS = $(test_gtpu_CPPFLAGS)

test_session_SOURCES = tests/unit/test_session.c tests/unit/address.h \
	tests/unit/tap.h
test_session_CPPFLAGS = $(TEST_CPPFLAGS)
test_session_LDADD = $(TOF_LIBS)

test_hold_SOURCES = tests/unit/test_hold.c tests/unit/tap.h
test_hold_CPPFLAGS = $(TEST_CPPFLAGS)
test_hold_LDADD = $(TOF_LIBS)

test_idtable_SOURCES = tests/unit/test_idtable.c tests/unit/tap.h
test_idtable_CPPFLAGS = $(TEST_CPPFLAGS)
test_idtable_LDADD = $(TOF_LIBS)

test_flows_SOURCES = tests/unit/test_flows.c tests/unit/address.h \
	tests/unit/tap.h
test_flows_CPPFLAGS = $(TEST_CPPFLAGS)
test_flows_LDADD = $(TOF_LIBS)

test_pinger_SOURCES = tests/unit/test_pinger.c tests/unit/address.h \
	tests/unit/tap.h
test_pinger_CPPFLAGS = $(TEST_CPPFLAGS)
test_pinger_LDADD = $(TOF_LIBS)

test_secure_SOURCES = tests/unit/test_secure.c tests/unit/address.h \
	tests/unit/tap.h
test_secure_CPPFLAGS = $(TEST_CPPFLAGS)
test_secure_LDADD = $(TOF_LIBS)

world_sources = tests/model/packets_model.c tests/model/packets_model.h \
	tests/model/world.c tests/model/world.h \
	tests/model/world_judge.c tests/model/world_nodes.c \
	tests/model/world_private.h tests/model/world_traffic.c

# A random network, and a judge; around the agent, with a clock of its own and
# a data plane in memory.
check_PROGRAMS += test_model
test_model_SOURCES = tests/unit/test_model.c tests/unit/tap.h \
	tests/model/plane.c tests/model/plane.h tests/model/plane_rest.c \
	$(world_sources)
test_model_CPPFLAGS = $(TEST_CPPFLAGS) -I$(srcdir)/tests/model
test_model_LDFLAGS = -Wl,--wrap=time_msec
test_model_LDADD = $(TOF_LIBS)

# The same network, on a lab's S1-U: for tests/net/test_model.py.
noinst_PROGRAMS = tests/net/model_driver
tests_net_model_driver_SOURCES = tests/net/model_driver.c $(world_sources)
tests_net_model_driver_CPPFLAGS = $(test_gtpu_CPPFLAGS) \
	-I$(srcdir)/tests/model -D_GNU_SOURCE

check_PROGRAMS += test_captures test_conf test_fragment test_journal \
	test_statelet

test_fragment_SOURCES = tests/unit/test_fragment.c tests/unit/tap.h \
	src/filter/fragment.c
test_fragment_CPPFLAGS = $(test_gtpu_CPPFLAGS)

test_captures_SOURCES = tests/unit/test_captures.c tests/unit/capture.c \
	tests/unit/capture.h tests/unit/tap.h src/gtp/gtpu.c
test_captures_CPPFLAGS = $(test_gtpu_CPPFLAGS)

conf_sources = src/base/addr.c src/conf/conf.c src/conf/conf_keys.c \
	src/conf/conf_value.c src/conf/conf_yaml.c
test_conf_SOURCES = tests/unit/test_conf.c tests/unit/tap.h $(conf_sources)
test_conf_CPPFLAGS = $(test_gtpu_CPPFLAGS) $(DEPS_CFLAGS)
test_conf_LDADD = $(DEPS_LIBS)

# It brings its own clock.
test_journal_SOURCES = tests/unit/test_journal.c tests/unit/tap.h \
	src/base/fdsync.c src/persist/journal.c src/session/statelet.c
test_journal_CPPFLAGS = $(TEST_CPPFLAGS)

test_statelet_SOURCES = tests/unit/test_statelet.c tests/unit/tap.h \
	src/session/statelet.c
test_statelet_CPPFLAGS = $(test_gtpu_CPPFLAGS)

FUZZ_TARGETS = fuzz_conf fuzz_gtpu fuzz_statelet
FUZZ_CC = clang -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=undefined -I$(srcdir) -I$(srcdir)/src \
	$(DEPS_CFLAGS)

fuzz_conf: tests/fuzz/fuzz_conf.c $(conf_sources)
	$(AM_V_CC)$(FUZZ_CC) -o $@ $^ $(DEPS_LIBS)
fuzz_gtpu: tests/fuzz/fuzz_gtpu.c src/gtp/gtpu.c
	$(AM_V_CC)$(FUZZ_CC) -o $@ $^
fuzz_statelet: tests/fuzz/fuzz_statelet.c src/session/statelet.c
	$(AM_V_CC)$(FUZZ_CC) -o $@ $^
CLEANFILES += $(FUZZ_TARGETS)

check_PROGRAMS += test_replicated test_usage
test_replicated_SOURCES = tests/unit/test_replicated.c tests/unit/address.h \
	tests/unit/tap.h
test_replicated_CPPFLAGS = $(TEST_CPPFLAGS)
test_replicated_LDADD = $(TOF_LIBS)
test_usage_SOURCES = tests/unit/test_usage.c tests/unit/address.h \
	tests/unit/tap.h
test_usage_CPPFLAGS = $(TEST_CPPFLAGS)
test_usage_LDADD = $(TOF_LIBS)
test_usage_LDFLAGS = -Wl,--wrap=renameat,--wrap=fdatasync,--wrap=syscall

check_PROGRAMS += test_import
test_import_SOURCES = tests/unit/test_import.c tests/unit/address.h \
	tests/unit/tap.h
test_import_CPPFLAGS = $(TEST_CPPFLAGS)
test_import_LDADD = $(TOF_LIBS)

check_PROGRAMS += test_persist
test_persist_SOURCES = tests/unit/test_persist.c tests/unit/address.h \
	tests/unit/tap.h
test_persist_CPPFLAGS = $(TEST_CPPFLAGS)
test_persist_LDADD = $(TOF_LIBS)

check_PROGRAMS += test_ofctl_flows
test_ofctl_flows_SOURCES = tests/unit/test_ofctl_flows.c tests/unit/tap.h
test_ofctl_flows_CPPFLAGS = $(TEST_CPPFLAGS)
test_ofctl_flows_LDADD = $(TOF_LIBS)

# It brings a map of the kernel's and a switch of its own.
check_PROGRAMS += test_path
test_path_SOURCES = tests/unit/test_path.c tests/unit/tap.h src/filter/l2.c \
	src/ovs/path.c src/ovs/flow_text.c
test_path_CPPFLAGS = $(TEST_CPPFLAGS)
test_path_LDADD = $(OVS_LIBS) $(DEPS_LIBS)

# Each is run by tests/net/with-ovs, beside an Open vSwitch of its own.
NET_TESTS = tests/net/test_ofctl tests/net/test_ovsdb tests/net/test_registry
EXTRA_PROGRAMS += $(NET_TESTS)
CLEANFILES += $(NET_TESTS)
tests_net_test_ofctl_SOURCES = tests/net/test_ofctl.c tests/net/ovstest.h
tests_net_test_ofctl_CPPFLAGS = $(TEST_CPPFLAGS)
tests_net_test_ofctl_LDADD = $(TOF_LIBS)
tests_net_test_ovsdb_SOURCES = tests/net/test_ovsdb.c tests/net/ovstest.h
tests_net_test_ovsdb_CPPFLAGS = $(TEST_CPPFLAGS)
tests_net_test_ovsdb_LDADD = $(TOF_LIBS)
tests_net_test_registry_SOURCES = tests/net/test_registry.c \
	tests/net/ovstest.h
tests_net_test_registry_CPPFLAGS = $(TEST_CPPFLAGS)
tests_net_test_registry_LDADD = $(TOF_LIBS)

# --- The REST API ---

check_PROGRAMS += test_json
test_json_SOURCES = tests/unit/test_json.c tests/unit/tap.h \
	api/json.c src/base/addr.c src/base/service_spec.c
test_json_CPPFLAGS = $(test_gtpu_CPPFLAGS) -I$(srcdir)
test_json_LDADD = -ljansson

# The server with services in memory, for tests/net/test_rest*.py.
noinst_PROGRAMS += tests/net/rest_driver
tests_net_rest_driver_SOURCES = tests/net/rest_driver.c
tests_net_rest_driver_LDADD = $(TOF_LIBS)

FUZZ_TARGETS += fuzz_json
fuzz_json: tests/fuzz/fuzz_json.c api/json.c src/base/addr.c \
		src/base/service_spec.c
	$(AM_V_CC)$(FUZZ_CC) -o $@ $^ -ljansson

# --- nftables and links ---

nft_sources = src/kernel/nft.c src/kernel/nft_expr.c src/kernel/nft_object.c \
	src/kernel/nft_query.c src/kernel/ethtool.c src/kernel/netdev.c \
	src/kernel/netlink.c src/kernel/netns.c src/kernel/rtnl.c
NET_TESTS += tests/net/test_nft tests/net/test_rtnl
tests_net_test_nft_SOURCES = tests/net/test_nft.c tests/net/nfttest.h \
	tests/net/nettest.h $(nft_sources)
tests_net_test_nft_CPPFLAGS = $(test_gtpu_CPPFLAGS) $(DEPS_CFLAGS)
tests_net_test_nft_LDADD = $(DEPS_LIBS) $(BPF_LIBS)
tests_net_test_rtnl_SOURCES = tests/net/test_rtnl.c tests/net/nettest.h \
	$(nft_sources)
tests_net_test_rtnl_CPPFLAGS = $(test_gtpu_CPPFLAGS) $(DEPS_CFLAGS)
tests_net_test_rtnl_LDADD = $(DEPS_LIBS) $(BPF_LIBS)

# --- eBPF programs ---

xdp_sources = src/gtp/gtpu_build.c src/xdp/load.c \
	src/xdp/table_path.c src/xdp/table_services.c src/xdp/table.c

check_PROGRAMS += test_gtpu_build test_xdp_table
test_gtpu_build_SOURCES = tests/unit/test_gtpu_build.c tests/unit/address.h \
	tests/unit/tap.h src/gtp/gtpu.c src/gtp/gtpu_build.c
test_gtpu_build_CPPFLAGS = $(test_gtpu_CPPFLAGS)
test_xdp_table_SOURCES = tests/unit/test_xdp_table.c tests/unit/address.h \
	tests/unit/tap.h src/xdp/table_path.c src/xdp/table_services.c \
	src/xdp/table.c
test_xdp_table_CPPFLAGS = $(test_gtpu_CPPFLAGS)

# The programs in the kernel, packet by packet, and what they cost the
# verifier.
NET_TESTS += tests/net/test_xdp tests/net/test_xdp_bearers \
	tests/net/test_xdp_chain
xdptest_sources = tests/net/nettest.h tests/net/xdptest.h \
	tests/unit/address.h tests/unit/tap.h $(xdp_sources)
tests_net_test_xdp_SOURCES = tests/net/test_xdp.c $(xdptest_sources)
tests_net_test_xdp_CPPFLAGS = $(test_gtpu_CPPFLAGS) -Isrc
tests_net_test_xdp_LDADD = $(BPF_LIBS)
tests_net_test_xdp_bearers_SOURCES = tests/net/test_xdp_bearers.c \
	$(xdptest_sources)
tests_net_test_xdp_bearers_CPPFLAGS = $(tests_net_test_xdp_CPPFLAGS)
tests_net_test_xdp_bearers_LDADD = $(BPF_LIBS)
tests_net_test_xdp_chain_SOURCES = tests/net/test_xdp_chain.c \
	$(xdptest_sources)
tests_net_test_xdp_chain_CPPFLAGS = $(tests_net_test_xdp_CPPFLAGS)
tests_net_test_xdp_chain_LDADD = $(BPF_LIBS)

# --- Benches: scripts/bench.sh ---

BENCH_PARTS = tests/bench/engine tests/bench/front.bpf.o \
	tests/bench/end.bpf.o
EXTRA_PROGRAMS += tests/bench/engine
tests_bench_engine_SOURCES = tests/bench/engine.c tests/bench/engine.h \
	tests/bench/engine_private.h tests/bench/end.c tests/bench/flow.c \
	tests/bench/subject.c $(xdp_sources)
tests_bench_engine_CPPFLAGS = $(test_gtpu_CPPFLAGS) -Isrc
tests_bench_engine_LDADD = $(BPF_LIBS)

BENCH_BPF_CC = $(CLANG) $(BPF_CFLAGS)
tests/bench/front.bpf.o: tests/bench/front.bpf.c tests/bench/engine.h
	$(AM_V_CC)$(MKDIR_P) tests/bench && $(BENCH_BPF_CC) -c -o $@ $<
tests/bench/end.bpf.o: tests/bench/end.bpf.c tests/bench/engine.h
	$(AM_V_CC)$(MKDIR_P) tests/bench && $(BENCH_BPF_CC) -c -o $@ $<
CLEANFILES += $(BENCH_PARTS)

bench-programs: $(BENCH_PARTS)
.PHONY: bench-programs
