#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# record.sh [DIRECTORY]: makes the messages of tests/data again, from the programs in
# $CONNTAP_BUILD/tests.

# The lists below are lists of words.
# shellcheck disable=SC2086

here=$(cd "$(dirname "$0")" && pwd) || exit 1
build=${CONNTAP_BUILD:-$here/../../build}/tests
data=${1:-$here/../data}

# One kind for each thing that a message can hold, not one for each combination.
flows="tcp4 tcp6 tcp4-syn-sent tcp4-syn-recv tcp4-time-wait
	udp4 udp6 udp4-unreplied udplite4 icmp4 icmp6 sctp4 gre4 other4
	tcp4-snat tcp4-dnat tcp6-snat-dnat
	udp4-zone5 udp4-zone-orig7 udp6-zone-reply8
	tcp4-mark udp6-mark udp6-label
	ftp4-passive ftp4-active-snat tftp4 pptp4 tcp4-synproxy"
events="tcp4 udp6-zone-reply8"

set -e
rm -f "$data"/*.nl
"$here/lab.sh" "$build/record" "$data" "$build/traffic" $flows
"$here/lab.sh" "$build/record" -e "$data" "$build/traffic" $events
"$here/lab.sh" --no-acct "$build/record" "$data" "$build/traffic" tcp4
"$build/synthesise" "$data"
