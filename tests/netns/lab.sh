#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# lab.sh [--no-acct] COMMAND [ARGS...]
#
# Runs COMMAND in the gateway of a private network of three namespaces, with real
# conntrack between its two sides:
#
#	client                   gateway                              server
#	10.0.1.2   eth0 -- client 10.0.1.1 | 10.0.2.1   server -- eth0 10.0.2.2
#	fd00:1::2                fd00:1::1 | fd00:2::1                 fd00:2::2
#
# The gateway also owns 10.0.2.100 and fd00:2::100 (the source NAT addresses) and
# translates 192.0.2.2 and 2001:db8::2 (the destination NAT addresses) to the server.
# It routes 198.51.100.0/24 and 2001:db8:dead::/48 to the server, which swallows them.
#
# Works as root, and as an ordinary user where user namespaces are allowed.  Nothing
# is left behind: processes, namespaces, mounts and sysctls are private and end with
# COMMAND.  The exit status is COMMAND's; 77 after one line "SKIP: why" when this
# system cannot make the namespaces; 125 when the lab could not be built.
#
# COMMAND finds in CONNTAP_LAB_HAS what not every kernel gives: the optional rule sets
# (rules-NAME.nft) that were accepted, and "connlabel" for names of labels.

# "Do this && that || fail": fail ends the script, after either.
# shellcheck disable=SC2015

here=$(cd "$(dirname "$0")" && pwd) || exit 125
PATH=$PATH:/usr/sbin:/sbin

skip()
{
	echo "SKIP: $*"
	exit 77
}

fail()
{
	echo "lab.sh: $*" >&2
	exit 125
}

# Private mounts begin with a private root, but in a plain chroot the root is no mount and
# cannot be made private.  So a mount is made of it, in a namespace of our own; that goes
# unnoticed outside if the mount below is not shared.
root_is_unshared()
{
	exec 9</
	id=$(sed -n 's/^mnt_id:[[:space:]]*//p' /proc/self/fdinfo/9) || return
	exec 9<&-
	grep "^$id " /proc/1/mountinfo 2>/dev/null | grep -qv shared:
}

enter_from_chroot()
{
	root_is_unshared || skip "a chroot whose mounts are shared with others"
	CONNTAP_LAB=rooting
	export CONNTAP_LAB
	exec unshare -nmpf --propagation unchanged --kill-child "$here/lab.sh" "$@"
}

make_root()
{
	mount --rbind / /mnt && mount --make-rprivate /mnt &&
		mount -t proc proc /mnt/proc || fail "cannot mount a private root"
	CONNTAP_LAB=entering
	# shellcheck disable=SC2016
	exec chroot /mnt sh -c 'cd "$1" && shift && exec "$@"' sh "$PWD" "$here/lab.sh" "$@"
}

# The process namespace takes whatever COMMAND leaves in the background along.  The user
# namespace comes first: a network namespace made together with it would give its /proc
# files to an owner who is not known yet.
enter()
{
	for tool in unshare nsenter ip nft; do
		command -v $tool >/dev/null || skip "no $tool on this system"
	done
	unshare='unshare -nmpf --mount-proc --kill-child'
	[ "$(id -u)" = 0 ] || unshare="unshare -Ur $unshare"
	if [ "$(id -u)" = 0 ] && ! unshare -m true 2>/dev/null &&
		unshare -m --propagation unchanged true 2>/dev/null; then
		enter_from_chroot "$@"
	fi
	if ! why=$($unshare ip netns list 2>&1); then
		skip "no private namespaces as $(id -un): $(echo "$why" | head -n 1)"
	fi
	CONNTAP_LAB=entering
	export CONNTAP_LAB
	exec $unshare "$here/lab.sh" "$@"
}

# set_sysctl NAMESPACE KEY=VALUE...; these keys are all per network namespace.
set_sysctl()
{
	space=$1
	shift
	for pair in "$@"; do
		path=/proc/sys/net/${pair%%=*}
		nsenter --net="/run/netns/$space" sh -c "echo ${pair#*=} >$path" ||
			fail "cannot set net/$pair in $space"
	done
}

# Names for the labels of rules.nft, where libnetfilter_conntrack looks for them; /etc
# itself stays as it is.
name_labels()
{
	mkdir /run/etc /run/etc.work
	layers=lowerdir=/etc,upperdir=/run/etc,workdir=/run/etc.work
	mount -t overlay -o $layers lab /etc 2>/dev/null || return
	mkdir -p /etc/xtables && cp "$here/connlabel.conf" /etc/xtables ||
		fail "cannot write the private /etc"
	CONNTAP_LAB_HAS="$CONNTAP_LAB_HAS connlabel"
}

# No duplicate address detection: an address is usable as soon as it is given.
make_spaces()
{
	mount -t tmpfs -o mode=755 lab /run || fail "cannot mount a private /run"
	mkdir /run/lock
	ip netns add client && ip netns add server || fail "cannot add namespaces"
	# The gateway has a name too, so that "ip netns exec" reaches all three.
	ip netns attach gateway $$ || fail "cannot name the gateway"
	for space in client server gateway; do
		ip -n $space link set lo up || fail "no loopback in $space"
		set_sysctl $space ipv6/conf/all/accept_dad=0 \
			ipv6/conf/default/accept_dad=0 ipv4/conf/all/rp_filter=0
	done
	for space in client server; do
		# Nothing of one run of traffic shall be in the way of the next; and the
		# ports that the kernel chooses are none of those that tell the kinds.
		set_sysctl $space ipv4/ip_forward=0 ipv6/conf/all/forwarding=0 \
			ipv4/tcp_max_tw_buckets=0 \
			"ipv4/ip_local_port_range=44000 60999"
	done
	set_sysctl gateway ipv4/ip_forward=1 ipv6/conf/all/forwarding=1 \
		netfilter/nf_conntrack_acct=$acct netfilter/nf_conntrack_timestamp=$acct
	# With it on, conntrack takes the sums of UDP-Lite for those of UDP, which is
	# wrong, and tracks none of it.
	set_sysctl gateway netfilter/nf_conntrack_checksum=0
	# A slow machine shall not lose flows while a test looks at them.
	for key in generic gre icmp icmpv6 tcp_timeout_close tcp_timeout_close_wait \
		tcp_timeout_syn_recv tcp_timeout_syn_sent tcp_timeout_time_wait \
		sctp_timeout_closed sctp_timeout_established udp; do
		case $key in *_timeout_*) ;; *) key=${key}_timeout ;; esac
		set_sysctl gateway netfilter/nf_conntrack_$key=600
	done
}

# make_side NAME NUMBER: the wire between the gateway and one side.
make_side()
{
	ip link add "$1" type veth peer name eth0 netns "$1" &&
		ip addr add "10.0.$2.1/24" dev "$1" &&
		ip addr add "fd00:$2::1/64" dev "$1" nodad &&
		ip link set "$1" up &&
		ip -n "$1" addr add "10.0.$2.2/24" dev eth0 &&
		ip -n "$1" addr add "fd00:$2::2/64" dev eth0 nodad &&
		ip -n "$1" link set eth0 up &&
		ip -n "$1" route add default via "10.0.$2.1" &&
		ip -n "$1" route add default via "fd00:$2::1" ||
		fail "cannot connect $1"
}

make_network()
{
	make_side client 1
	make_side server 2
	ip addr add 10.0.2.100/24 dev server &&
		ip addr add fd00:2::100/64 dev server nodad &&
		ip route add 198.51.100.0/24 via 10.0.2.2 &&
		ip route add 2001:db8:dead::/48 via fd00:2::2 ||
		fail "cannot add the gateway's addresses and routes"
}

# A packet sent before the kernel has noticed the carrier is lost.
wait_for_links()
{
	deadline=$(($(date +%s) + 5))
	for wire in gateway/client gateway/server client/eth0 server/eth0; do
		until ip -n "${wire%/*}" -br link show dev "${wire#*/}" |
			grep -q ' UP '; do
			[ "$(date +%s)" -le $deadline ] || fail "$wire stays down"
		done
	done
}

load_rules()
{
	nft -f "$here/rules.nft" || fail "cannot load rules.nft"
	CONNTAP_LAB_HAS=
	for rules in "$here"/rules-*.nft; do
		name=${rules##*/rules-}
		nft -f "$rules" 2>/dev/null &&
			CONNTAP_LAB_HAS="$CONNTAP_LAB_HAS ${name%.nft}"
	done
	# The proxy makes the connection itself: none may be picked up half-way.
	case $CONNTAP_LAB_HAS in
	*synproxy*) set_sysctl gateway netfilter/nf_conntrack_tcp_loose=0 ;;
	esac
}

case ${CONNTAP_LAB-} in
rooting) make_root "$@" ;;
entering) ;;
*) enter "$@" ;;
esac

acct=1
if [ "$1" = --no-acct ]; then
	acct=0
	shift
fi
[ $# -gt 0 ] || fail "usage: lab.sh [--no-acct] COMMAND [ARGS...]"

make_spaces
make_network
load_rules
name_labels
wait_for_links
CONNTAP_LAB=gateway
export CONNTAP_LAB CONNTAP_LAB_HAS
# Not exec: this shell is process 1 here, COMMAND shall be an ordinary process.
"$@"
exit $?
