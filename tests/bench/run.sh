#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The benchmark: a table of FLOWS flows in a network namespace of its own, read and
# changed by conntap, by conntrack(8) and by a program that only receives; looked at by
# collectd all the time; restored from a file; watched while it is filled; and walked by
# SNMP.
#
#	run.sh [--markdown]	usually called by "make bench", as root
#
# Environment: FLOWS (1000000), ROUNDS (5), BUILD (the build directory), CONNTAP (the
# program under test), JOBS (the job file), PARTS (what to measure, of "table pace
# restore events agentx").  What needs collectd or snmpd, or the plugin or the agent for
# it, is left out where that is missing.  Exit status: 0 all budgets kept, 1 not, 2 the
# benchmark could not be run.
#
# The size and the limit of the hash table belong to the whole machine: they are
# raised when they are too small for FLOWS, and restored at the end, however it comes.
#
# shellcheck source-path=SCRIPTDIR
set -eu

here=$(cd "$(dirname "$0")" && pwd)
: "${FLOWS:=1000000}" "${ROUNDS:=5}" "${BUILD:=$here/../../build}"
: "${CONNTAP:=$BUILD/conntap}" "${JOBS:=$here/jobs}"
: "${PARTS:=table pace restore events agentx}"
FLOOD=$BUILD/tests/flood FLOOR=$BUILD/tests/floor MEASURE=$BUILD/tests/measure
COLLECTD_HOST=$BUILD/tests/collectd_host COLLECTD_PLUGIN=$BUILD/collectd/conntap.so
RUN=$here/run.sh SCRIPT_CENSUS=$here/script-census SCRIPT_TOP=$here/script-top
SCRIPT_COLLECTD=$here/script-collectd
export FLOWS ROUNDS BUILD CONNTAP JOBS PARTS FLOOD FLOOR COLLECTD_HOST COLLECTD_PLUGIN \
	RUN SCRIPT_CENSUS SCRIPT_TOP SCRIPT_COLLECTD

sysctl=/proc/sys/net/netfilter
child='' listener='' daemon='' # the processes that end when this shell does

die()
{
	echo "bench: $*" >&2
	exit 2
}

# Runs a command so that a signal to this shell is handled at once, not at its end.
run()
{
	"$@" &
	child=$!
	status=0
	wait "$child" || status=$?
	child=
	return "$status"
}

# Calls the command given when this shell ends, after its running children have ended.
at_exit()
{
	cleanup=$1
	trap 'leave' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 141' PIPE
	trap 'exit 143' TERM
}

leave()
{
	status=$?
	trap - EXIT
	trap '' HUP INT PIPE TERM
	set +e
	for pid in $child $listener $daemon; do
		kill -TERM "$pid" 2>/dev/null
		kill -CONT "$pid" 2>/dev/null # it may be stopped
		wait "$pid"
	done
	"$cleanup" || status=2
	exit "$status"
}

### Outside: what belongs to the whole machine

check_machine()
{
	[ "$(id -u)" -eq 0 ] || die "must be run as root: it makes a network" \
		"namespace and may raise nf_conntrack_max"
	case $FLOWS in
	'' | *[!0-9]* | 0*) die "FLOWS=$FLOWS is not a number of flows" ;;
	esac
	for part in $PARTS; do
		case $part in
		table | pace | restore | events | agentx) ;;
		*) die "PARTS: there is no part $part" ;;
		esac
	done
	for program in "$FLOOD" "$FLOOR" "$MEASURE"; do
		[ -x "$program" ] || die "$program is missing: run make bench"
	done
	for program in conntrack unshare flock; do
		command -v "$program" >/dev/null || die "$program is not installed" \
			"(Debian packages: conntrack, util-linux)"
	done
	if [ ! -e $sysctl/nf_conntrack_max ]; then
		modprobe -a nf_conntrack nf_conntrack_netlink nf_nat ||
			die "the kernel has no connection tracking"
	fi
	# Some 1.5 KB each in the kernel, and more in conntrack -R, which reads it all first.
	need=$((FLOWS * 4 / 1024))
	have=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
	[ "$have" -gt "$need" ] || die "$FLOWS flows need about $need MB of" \
		"memory, $have MB are free"
	others=$(cat $sysctl/nf_conntrack_count)
	[ "$others" -lt $((FLOWS / 50)) ] || echo "warning: this host has $others" \
		"flows of its own, each dump passes them too"
}

# raise NAME OLD VALUE: where it is lower.  OLD is known before anything is changed.
raise()
{
	[ "$2" -lt "$3" ] || return 0
	echo "raising $1 from $2 to $3" >&2
	echo "$3" >"$sysctl/$1" || die "cannot raise $1: only the initial network" \
		"namespace can do that"
}

# restore_one NAME VALUE
restore_one()
{
	[ "$(cat "$sysctl/$1")" -ne "$2" ] || return 0
	if ! echo "$2" >"$sysctl/$1"; then
		echo "bench: $1 was $2 and is not restored" >&2
		return 1
	fi
	echo "restored $1 to $2" >&2
}

restore()
{
	restored=0
	restore_one nf_conntrack_buckets "$old_buckets" || restored=1
	restore_one nf_conntrack_max "$old_max" || restored=1
	return "$restored"
}

outside()
{
	check_machine
	# Two at a time would disturb, and restore each other's values.
	exec 9>/run/lock/conntap-bench
	flock -n 9 || die "another benchmark runs"

	buckets=65536
	while [ "$buckets" -lt "$FLOWS" ]; do buckets=$((buckets * 2)); done
	old_max=$(cat $sysctl/nf_conntrack_max)
	old_buckets=$(cat $sysctl/nf_conntrack_buckets)
	at_exit restore
	# Well above: near the limit the kernel starts to evict flows.
	raise nf_conntrack_max "$old_max" $((FLOWS * 2))
	raise nf_conntrack_buckets "$old_buckets" "$buckets"
	run unshare -n "$RUN" --inside "$@"
}

### Inside: what belongs to the private namespace

# Tables die with their namespace, but some time later; this is now.
empty_table()
{
	conntrack -F >/dev/null 2>&1
	left=$(cat $sysctl/nf_conntrack_count)
	[ "$left" -eq 0 ] || echo "bench: $left flows are left" >&2
	[ "$left" -eq 0 ]
}

# After each restoring, not timed: it has to be all of the table.
empty_restored()
{
	restored=$(cat $sysctl/nf_conntrack_count)
	empty_table
	[ "$restored" -eq "$FLOWS" ] && return
	echo "$restored of $FLOWS flows were restored" >&2
	return 1
}

fill_table()
{
	[ "$(cat $sysctl/nf_conntrack_max)" -gt "$FLOWS" ] ||
		die "nf_conntrack_max is too low inside the namespace"
	# As in production: counters and timestamps make the messages longer.
	echo 1 >$sysctl/nf_conntrack_acct
	echo 1 >$sysctl/nf_conntrack_timestamp
	run "$FLOOD" -n "$FLOWS" || die "the table could not be filled"
	check_count table "$(cat $sysctl/nf_conntrack_count)"
}

check_count()
{
	[ "${2:-0}" -eq "$FLOWS" ] && return
	echo "bench: $1 shows ${2:-none} of $FLOWS flows: figures cannot be" \
		"compared" >&2
	unfair=1
}

# Fair is: the same flows for all.  Without -f, conntrack -L shows both families, as a
# plain dump does; the numbers prove it, whatever its version.
check_readers()
{
	check_count floor "$("$FLOOR" -v 2>&1 | cut -d' ' -f1)"
	check_count 'conntrack -L' "$(conntrack -L 2>/dev/null | wc -l)"
	check_count 'conntrack -L -o xml' \
		"$(conntrack -L -o xml 2>/dev/null | grep -c '^<flow>')"
	check_count /proc/net/nf_conntrack "$(wc -l </proc/net/nf_conntrack)"
	[ -x "$CONNTAP" ] || return 0
	check_count 'conntap list' "$("$CONNTAP" list | grep -c -e '->')"
	check_count 'conntap list -o json' "$("$CONNTAP" list -o json | wc -l)"
	check_count 'conntap list -o save' "$("$CONNTAP" list -o save | wc -l)"
	check_count 'conntap xml' "$("$CONNTAP" xml | grep -c '<conntrack ')"
	check_count 'conntap xml --dialect flows' \
		"$("$CONNTAP" xml --dialect flows | grep -c '<flow>')"
}

# The same of those that feed collectd, by what they tell of all protocols.
check_collectd()
{
	check_count script-collectd "$("$SCRIPT_COLLECTD" | awk '
		sub(/.*conntrack-all\/current_connections-.* N:/, "") { sum += $0 }
		END { print sum + 0 }')"
	if [ ! -x "$COLLECTD_HOST" ]; then
		echo "bench: built without the plugin for collectd: left out" >&2
		return
	fi
	for option in -v --all; do
		check_count "collectd_host $option" "$("$COLLECTD_HOST" -v "$option" \
			"$COLLECTD_PLUGIN" 2>&1 | sed -n 's/ flows,.*//p')"
	done
}

# The sketch has to keep its promise: for every source that it names, the number that
# conntrack(8) tells lies between its two bounds.
check_top()
{
	[ -x "$CONNTAP" ] || return 0
	"$CONNTAP" top --limit 0 --capacity "$1" -o json >"$scratch/top"
	conntrack -L 2>/dev/null | awk '
		{ for (i = 4; i <= NF; i++) if ($i ~ /^src=/) { n[substr($i, 5)]++; break } }
		END { for (i in n) print i, n[i] }' >"$scratch/truth"
	awk -v what="conntap top --capacity $1" '
		NR == FNR { truth[$1] = $2; next }
		{
			name = high = low = $0
			gsub(/.*"address":"|".*/, "", name)
			gsub(/.*"flows":|,.*/, "", high)
			if (low !~ /at_least/) low = high
			gsub(/.*"flows_at_least":|,.*/, "", low)
			n++
			if (truth[name] + 0 < low + 0 || truth[name] + 0 > high + 0) wrong++
		}
		END {
			printf "%s: %d of %d sources, %d outside their bounds\n", what, n,
				length(truth), wrong
			exit wrong > 0 || n == 0
		}' "$scratch/truth" "$scratch/top" >&2 || unfair=1
	rm -f "$scratch/top" "$scratch/truth"
}

print_machine()
{
	echo "date      $(date -u '+%Y-%m-%d %H:%M UTC'), load $(cut -d' ' -f1 /proc/loadavg)"
	echo "kernel    $(uname -sr)"
	echo "CPU       $(nproc) x $(sed -n 's/^model name[^:]*: //p;' /proc/cpuinfo |
		head -n 1)"
	echo "conntrack $(conntrack -V | cut -d' ' -f2)"
	echo "table     $FLOWS flows, $(cat $sysctl/nf_conntrack_buckets) buckets," \
		"$("$FLOOR" -v 2>&1)"
	echo "rounds    $ROUNDS, after one to warm up"
	echo
}

# keep PART TEXT CONDITION...: a line of the part's budget, for its end.
keep()
{
	line=$(printf '%-10s  %s' "$1" "$2") verdict=kept
	shift 2
	if ! "$@"; then
		verdict=MISSED result=1
	fi
	printf '%s%-6s  %s\n' "${markdown:+- }" "$verdict" "$line" >>"$scratch/budget"
}

print_budget()
{
	if [ -n "$markdown" ]; then
		printf '\nBudget:\n\n'
	else
		printf '\nbudget\n'
	fi
	cat "$scratch/budget"
	rm "$scratch/budget"
}

# Each part that follows leaves the table as it needs it, in this order.
# Its result is 0, or 1 for a budget that was missed.

measure_table()
{
	run "$MEASURE" --rounds "$ROUNDS" "$@" "$JOBS" || result=$?
	check_count 'the table at the end' "$(cat $sysctl/nf_conntrack_count)"
}

# The same flows for both, from the file that conntrack(8) makes of the table.
measure_restore()
{
	SAVED=$scratch/saved
	export SAVED
	conntrack -L -o save >"$SAVED" 2>/dev/null
	check_count 'conntrack -L -o save' "$(wc -l <"$SAVED")"
	empty_table
	rounds=$ROUNDS
	[ "$rounds" -le 3 ] || rounds=3 # conntrack -R takes its time
	printf '\n%s\n\n' "restoring $FLOWS flows from a file; rounds: $rounds"
	run "$MEASURE" --rounds "$rounds" "$@" "$here/jobs-restore" || result=$?
	rm "$SAVED"
}

clean_up()
{
	rm -rf "$scratch"
	empty_table
}

inside()
{
	unfair=0 result=0 markdown=
	[ "${1-}" != --markdown ] || markdown=yes
	scratch=$(mktemp -d "${TMPDIR:-/tmp}/conntap-bench.XXXXXX")
	# What is written to a disk.
	XML_FILE=$scratch/flows.xml XML_GZIP=$XML_FILE.gz XML_ZSTD=$XML_FILE.zst
	export XML_FILE XML_GZIP XML_ZSTD
	at_exit clean_up
	fill_table
	check_readers
	check_collectd
	check_top 10000
	check_top 65536
	check_top $((FLOWS * 2))
	print_machine
	for part in table pace restore events agentx; do
		case " $PARTS " in
		*" $part "*) "measure_$part" "$@" ;;
		esac
	done
	[ "$unfair" -eq 0 ] || [ "$result" -ne 0 ] || result=1
	exit "$result"
}

. "$here/pace.sh"
. "$here/events.sh"
. "$here/agentx.sh"

case "${1-}" in
--inside)
	shift
	inside "$@"
	;;
--empty-restored)
	empty_restored
	;;
'' | --markdown)
	outside "$@"
	;;
*)
	die "usage: run.sh [--markdown]"
	;;
esac
