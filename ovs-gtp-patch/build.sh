#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds the GTP-patched Open vSwitch that the TOF runs and links with.
#
# In comes the source tarball of Debian's openvswitch-source package and the
# patches that "series" names; out comes a cache entry, made once per hash of
# tarball, series, patches and this script:
#
#     src/    the built tree, as a "--with-ovs-source" would have it: internal
#             headers (lib/*.h), static libraries, ovsdb-idlc, python/ovs, and
#             the test suite
#     bin/    daemons and tools, as links into src/
#     share/  vswitch.ovsschema, and for users of internal headers (see
#             --cflags and --libs) ovs-config.h: what configure found out; and
#             libopenvswitch.a and openvswitch/json.h with other names for what
#             libjansson defines, too, so that a program may have both
#
# The entry's name is a link that appears when the build is complete, so an
# entry that exists is good.  The tree is built where it stays, because its
# test suite and its debugging information name absolute paths.
set -euo pipefail

# A caller's choices, which the hash does not cover, are not for this build.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CC LIBS CONFIG_SITE

usage() {
    cat <<'EOF'
usage: build.sh [--print | --check | --cflags | --libs]

With no option, builds unless the cache has it already.  The last line on
standard output is the cache entry's path; the build's own output goes to a
log beside it.

  --print   print the entry's path, build nothing
  --check   build, then run OVS's own tests of the patches; the last line is
            "N passed, N failed, N skipped"
  --cflags  print the compiler flags for a user of OVS's internal headers
  --libs    print the linker flags for the static libopenvswitch

Environment: TOF_OVS_CACHE (/var/cache/tof-ovs), TOF_OVS_TARBALL
(/usr/src/openvswitch/openvswitch.tar.gz), TOF_OVS_JOBS (number of CPUs),
TESTSUITEFLAGS (for --check; default "-k gtpu" in as many jobs).
EOF
}

die() {
    echo "ovs-gtp-patch/build.sh: $*" >&2
    exit 1
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cache=$(realpath -m "${TOF_OVS_CACHE:-/var/cache/tof-ovs}")
tarball=${TOF_OVS_TARBALL:-/usr/src/openvswitch/openvswitch.tar.gz}
jobs=${TOF_OVS_JOBS:-$(nproc)}

cflags=(-g -O2 -fstack-protector-strong -Wformat -Werror=format-security)
programs=(ovsdb/ovsdb-server ovsdb/ovsdb-tool ovsdb/ovsdb-client
          vswitchd/ovs-vswitchd utilities/ovs-vsctl utilities/ovs-ofctl
          utilities/ovs-appctl utilities/ovs-dpctl)

mode=build
case ${1-} in
    '') ;;
    --print | --check | --cflags | --libs) mode=${1#--} ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
esac
[ $# -le 1 ] || { usage >&2; exit 2; }

[ -r "$tarball" ] ||
    die "$tarball is not there; install the openvswitch-source package"

patches=()
while read -r p _; do
    case $p in '' | '#'*) continue ;; esac
    [ -r "$here/$p" ] || die "series names $p, which is not there"
    patches+=("$p")
done <"$here/series"

hash=$( (cd "$here" && sha256sum <"$tarball" &&
         sha256sum series build.sh ${patches[@]+"${patches[@]}"}) |
        sha256sum | cut -c1-16)
entry=$cache/$hash
tree=$entry.tree
log=$entry.log

# Unpacks, patches, configures and builds in $tree.  Its output is the log.
# "set -e" does not hold where the caller tests for success, hence the "&&".
make_tree() {
    local p

    rm -rf "$tree" && mkdir -p "$tree/src" &&
    tar -xzf "$tarball" -C "$tree/src" --strip-components=1 \
        --no-same-owner &&
    cd "$tree/src" || return
    for p in ${patches[@]+"${patches[@]}"}; do
        echo "== $p"
        patch -p1 --batch --forward --fuzz=0 --no-backup-if-mismatch \
            <"$here/$p" || { echo "$p does not apply"; return 1; }
    done
    # Debian's flags and directories, without the DPDK build.
    ./configure --prefix=/usr --localstatedir=/var --sysconfdir=/etc \
        --enable-ssl --enable-afxdp --disable-shared --enable-static \
        --disable-dependency-tracking PYTHON3=/usr/bin/python3 \
        CPPFLAGS=-D_FORTIFY_SOURCE=2 CFLAGS="${cflags[*]}" \
        LDFLAGS='-Wl,-z,relro -Wl,-z,now' &&
    nice make -j"$jobs" &&
    populate
}

# Adds bin/ and share/ to the built $tree.
populate() {
    local p

    mkdir -p "$tree/bin" "$tree/share" || return
    for p in "${programs[@]}"; do
        [ -x "$tree/src/$p" ] && ln -s "../src/$p" "$tree/bin/" || return
    done
    ln -s ../src/vswitchd/vswitch.ovsschema "$tree/share/" &&
    # The same macros as in OVS's config.h, without the names of the package
    # and each only if not yet defined, so that a project's own config.h may
    # come before or after.
    awk '$1 == "#define" && $2 !~ /^(PACKAGE|VERSION|LT_OBJDIR)/ {
             printf "#ifndef %s\n%s\n#endif\n", $2, $0
         }' "$tree/src/config.h" >"$tree/share/ovs-config.h" &&
    rename_json
}

# Makes a library and a header in share/ in which json_NAME is ovs_json_NAME.
# Users write json_NAME as ever, but not in a file that uses libjansson.
rename_json() {
    local share=$tree/share library=$tree/src/lib/.libs/libopenvswitch.a

    nm -g --defined-only "$library" |
        awk '$3 ~ /^json_/ { print $3, "ovs_" $3 }' |
        sort -u >"$share/json-names" &&
    [ -s "$share/json-names" ] &&
    objcopy --redefine-syms="$share/json-names" "$library" \
        "$share/libopenvswitch.a" &&
    mkdir -p "$share/include/openvswitch" &&
    { sed 's/^/#define /' "$share/json-names" &&
      cat "$tree/src/include/openvswitch/json.h"
    } >"$share/include/openvswitch/json.h"
}

build() {
    [ -e "$entry" ] && return
    mkdir -p "$cache" || die "cannot make $cache"
    exec 9>"$entry.lock"
    flock 9
    [ -e "$entry" ] && return        # Somebody else built it meanwhile.

    echo "building Open vSwitch $hash (log: $log)" >&2
    # The lock must not be kept by what outlives this build.
    if ! (make_tree) >"$log" 2>&1 9>&- </dev/null; then
        tail -n 25 "$log" >&2
        die "building Open vSwitch failed; the whole log is in $log"
    fi
    ln -sfn "$hash.tree" "$entry.new"
    mv -T "$entry.new" "$entry"
    exec 9>&-
}

# Runs OVS's own tests of the patches.
check() {
    local out=$entry.check.log rc=0 line passed=0 failed=0 skipped=0

    exec 9>"$entry.lock"
    flock 9
    nice make -C "$entry/src" check \
        TESTSUITEFLAGS="${TESTSUITEFLAGS:--j$jobs -k gtpu}" \
        >"$out" 2>&1 9>&- </dev/null || rc=$?
    # One line a test: number, name, result.
    while read -r line; do
        case $line in
            *' ok') passed=$((passed + 1)) ;;
            *' FAILED ('*) failed=$((failed + 1)) ;;
            *' skipped ('*) skipped=$((skipped + 1)) ;;
            *) continue ;;
        esac
        echo "$line"
    done < <(grep -E '^ *[0-9]+: ' "$out")
    if [ $rc -ne 0 ] && [ $failed -eq 0 ] || [ $((passed + failed)) -eq 0 ]
    then
        tail -n 25 "$out" >&2
        failed=$((failed + 1))
    fi
    [ $failed -eq 0 ] || echo "the whole log is in $out" >&2
    echo "$passed passed, $failed failed, $skipped skipped"
    [ $failed -eq 0 ]
}

case $mode in
    print)
        echo "$entry"
        ;;
    build)
        build
        echo "$entry"
        ;;
    check)
        build
        check
        ;;
    cflags)
        build
        # System directories, so that a user's warnings are about its own code.
        echo "-include $entry/share/ovs-config.h" \
             "-isystem $entry/share/include -isystem $entry/src/include" \
             "-isystem $entry/src/lib -isystem $entry/src -fno-strict-aliasing"
        ;;
    libs)
        build
        libs=$entry/share/libopenvswitch.a
        avx512=$entry/src/lib/.libs/libopenvswitchavx512.a
        [ ! -e "$avx512" ] || libs="$libs $avx512"
        echo "$libs" \
             "$(sed -n 's/^\(SSL_LIBS\|CAPNG_LDADD\|LIBS\) = //p' \
                    "$entry/src/Makefile" | tr '\n' ' ')-lpthread -lrt"
        ;;
esac
