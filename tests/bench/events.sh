# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The part of run.sh, which reads this, that fills the table while someone listens.
#
# There is one listener at a time, and in this namespace nobody else listens: what the
# kernel shows of subscribed sockets is about it.
#
# shellcheck disable=SC2154 # run.sh sets $scratch and $markdown

# Of the subscribed netfilter socket: the bytes that wait to be read; nothing without.
waiting_bytes()
{
	awk '$2 == 12 && $4 != "00000000" { print $5 }' /proc/net/netlink
}

subscribed()
{
	[ -n "$(waiting_bytes)" ]
}

in_state()
{
	[ "$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$listener/status")" = "$1" ]
}

# It has taken all there is and worked it off, and sleeps.
caught_up()
{
	[ "$(waiting_bytes)" = 0 ] && in_state S
}

# wait_until CONDITION...: for a minute at most.
wait_until()
{
	tries=1200
	until "$@"; do
		kill -0 "$listener" 2>/dev/null || die "the listener ended:" \
			"$(tail -n 1 "$scratch/said")"
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || die "the listener is not $*"
		sleep 0.05
	done
}

# listen COMMAND...: it is subscribed when this returns.
listen()
{
	"$@" >/dev/null 2>"$scratch/said" &
	listener=$!
	wait_until subscribed
}

# Sets $ended, its status.
end_listener()
{
	wait_until caught_up
	kill -TERM "$listener"
	ended=0
	wait "$listener" || ended=$?
	listener=
}

# Sets $made and $rate.
flood_table()
{
	run "$FLOOD" -n "$FLOWS" >"$scratch/flood" || die "the table could not be filled"
	made=$(sed -n 's/^flood: made \([0-9]*\) .*/\1/p' "$scratch/flood")
	rate=$(sed -n 's/.* s, \([0-9]*\) a second$/\1/p' "$scratch/flood")
}

# Set $seen and $lost, from what the listener said at its end.
read_conntap_totals()
{
	# shellcheck disable=SC2046 # two words
	set -- $(sed -n 's/.*: \([0-9]*\) events, \([0-9]*\) lost.*/\1 \2/p' "$scratch/said")
	[ $# -eq 2 ] || die "the listener said no totals: $(cat "$scratch/said")"
	seen=$1 lost=$2
	[ "$ended" -eq $((lost > 0)) ] ||
		die "the listener ended with status $ended, $lost events being lost"
}

# It counts the lines that it prints; what it lost it does not know.
read_conntrack_totals()
{
	seen=$(sed -n 's/.*: \([0-9]*\) flow events have been shown.*/\1/p' "$scratch/said")
	seen=${seen:-0} lost=$((made - seen))
}

# print_row LISTENER RATE ALONE SEEN LOST
print_row()
{
	format='%-26s  %9s  %7s  %9s  %9s\n'
	[ -z "$markdown" ] || format='| %s | %s | %s | %s | %s |\n'
	# shellcheck disable=SC2059 # one of these two
	printf "$format" "$@"
}

print_listener()
{
	print_row "$1" "$rate" "$(awk "BEGIN { printf \"%.2f\", $rate / $alone }")" \
		"$seen" "$lost"
}

# keep_events WHAT CONDITION
keep_events()
{
	keep events "$1: $made made, $seen seen, $lost lost" "$2"
}

all_seen()
{
	[ "$seen" -eq "$made" ] && [ "$lost" -eq 0 ]
}

# Something has to be lost for this to say anything.
loss_exact()
{
	[ "$lost" -gt 0 ] && [ $((seen + lost)) -eq "$made" ]
}

flood_alone()
{
	flood_table
	alone=$rate
	print_row none "$rate" 1.00 - -
	empty_table
}

flood_at_conntap()
{
	listen "$CONNTAP" events -v -e new -o text
	flood_table
	end_listener
	read_conntap_totals
	print_listener 'conntap events'
	keep_events 'none lost at full speed' all_seen
	empty_table
}

flood_at_conntrack()
{
	listen conntrack -E -e NEW -b 67108864
	flood_table
	end_listener
	read_conntrack_totals
	print_listener 'conntrack -E -b 67108864'
	empty_table
}

# A listener that hears nothing while the table is filled, with room for a few events.
flood_at_stopped()
{
	listen "$CONNTAP" events -v -e new -o text --buffer 256Ki
	kill -STOP "$listener"
	wait_until in_state T
	flood_table
	kill -CONT "$listener"
	end_listener
	read_conntap_totals
	print_listener 'conntap, 256Ki, stopped'
	keep_events 'loss exact' loss_exact
	empty_table
}

measure_events()
{
	empty_table
	printf '\n%s\n\n' "making $FLOWS flows at full speed while someone listens"
	print_row listener flows/s 'x none' seen lost
	[ -z "$markdown" ] || echo '| :-- | --: | --: | --: | --: |'
	flood_alone
	flood_at_conntap
	flood_at_conntrack
	flood_at_stopped
	print_budget
}
