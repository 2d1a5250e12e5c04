#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What conntap does, shown on live flows: run by `make demo` in the gateway of lab.sh, a
# private network of three namespaces.  The table of this machine is not touched.

set -eu

build=${CONNTAP_BUILD:-build}
[ "${build#/}" != "$build" ] || build=$PWD/$build
PATH=$build:$PATH:/usr/sbin:/sbin

# Shows a command, then what it prints, indented.
show() {
	printf '\n$ %s\n' "$*"
	"$@"
}

fifo=$(mktemp -u /run/demo.XXXXXX)
mkfifo "$fifo"
"$build/tests/traffic" tcp4 tcp6 tcp4-syn-sent udp4 icmp4 icmp6 sctp4 tcp4-snat \
	tcp4-dnat udp4-zone5 tcp4-mark gre4 <"$fifo" >/run/traffic &
exec 3>"$fifo" # the traffic lasts until this is closed
deadline=$(($(date +%s) + 30))
until grep -q '^ready' /run/traffic; do
	[ "$(date +%s)" -le $deadline ] || {
		echo "demo: no traffic after 30 seconds" >&2
		exit 1
	}
done

echo 'A client, a gateway and a server, each in a network namespace of its own, talk over'
echo 'TCP, UDP, SCTP, GRE and ICMP.  This is the gateway:'
show conntap count --verbose
show conntap list
show conntap list --any-nat
show conntap list --family ipv4 --proto tcp,sctp --state ESTABLISHED --status not-nat
show conntap xml --zone 5
show conntap xml --proto sctp --dialect flows
show conntap census
show conntap top --by pair
show conntap nat
# Warnings are this machine's affair; 3 would be that nothing could be looked at.
show conntap check || [ $? -lt 3 ]
show conntap delete --state SYN_SENT --dry-run
show conntap delete --state SYN_SENT
show conntap delete --state SYN_SENT
exec 3>&-
wait
