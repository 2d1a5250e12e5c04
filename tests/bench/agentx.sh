# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The part of run.sh, which reads this, that walks the flow table by SNMP: through the
# real snmpd, of the agent, and of a bare one that has made up as many rows and is the
# ceiling of what an agent behind snmpd can reach.  Both are walked in turn, by the same
# client, so that a slow moment of the machine hits both.
#
# Client, snmpd and whichever agent answers wait for each other all the time.  They share
# one processor, as how long it takes to wake another one up differs by more than all
# that is to be compared; what makes snapshots may run anywhere.
#
# Of a table of more rows than agentx_limit, a walk takes so many, from a place on that
# is another one in each round.
#
# shellcheck disable=SC2034,SC2154 # run.sh sets $scratch and $markdown, and has $daemon

agentx_small=100000
agentx_limit=200000
agentx_seconds=10 # for which a scalar is asked
agentx_port=1161
agentx_ours=1.3.6.1.4.1.8072.9999.9999.77.1
agentx_bare=1.3.6.1.4.1.8072.9999.9999.77777.1
agentx_walks='10:11 50:11 10:9,11,13,14,15,16,18,21,23,26' # repetitions:columns
agentx=$BUILD/conntap-agentx
WALK=$BUILD/tests/walk BARE_AGENT=$BUILD/tests/bare_agent

find_snmpd()
{
	for snmpd in "$BUILD/daemons/usr/sbin/snmpd" /usr/sbin/snmpd; do
		[ ! -x "$snmpd" ] || return 0
	done
	return 1
}

# general NUMBER: the value of one of the general scalars; fails without.
general()
{
	"$WALK" get "$agentx_port" "$agentx_ours.1.$1.0" 2>/dev/null
}

has_rows()
{
	[ "$(general 22)" = "$1" ]
}

bare_has_rows()
{
	"$WALK" bulk --limit 1 "$agentx_port" "$agentx_bare.3.1.1.11" 2>/dev/null |
		grep -q '^[1-9]'
}

snmpd_answers()
{
	"$WALK" get "$agentx_port" 1.3.6.1.2.1.1.3.0 >/dev/null 2>&1
}

# wait_for PID CONDITION...: for a minute at most.
wait_for()
{
	waited=$1 tries=600
	shift
	until "$@"; do
		kill -0 "$waited" 2>/dev/null || die "no $*: $(tail -n 1 "$snmp/said")"
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || die "no $* in time: $(tail -n 1 "$snmp/said")"
		sleep 0.1
	done
}

# The last of the processors that there are.
choose_processor()
{
	processor=$(taskset -pc $$ | sed 's/.*[^0-9]//')
}

# pin PID: its first thread.
pin()
{
	taskset -pc "$processor" "$1" >/dev/null
}

# What ends with this shell, however it comes.
note_daemons()
{
	daemon="$agent_pid $bare_pid $snmpd_pid"
}

start_snmpd()
{
	cat >"$snmp/snmpd.conf" <<-END
		agentAddress udp:127.0.0.1:$agentx_port
		master agentx
		agentXSocket unix:$snmp/master
		agentXTimeout 5
		agentXRetries 0
		maxGetbulkResponses 100
		dontLogTCPWrappersConnects yes
		rwcommunity bench
	END
	MIBS='' SNMPCONFPATH=$snmp SNMP_PERSISTENT_DIR=$snmp "$snmpd" -f -C \
		-c "$snmp/snmpd.conf" -Lf "$snmp/log" >"$snmp/said" 2>&1 &
	snmpd_pid=$!
	note_daemons
	pin "$snmpd_pid"
	wait_for "$snmpd_pid" snmpd_answers
}

# start_agent ROWS OPTION...: with a first snapshot, which has so many.
start_agent()
{
	expected=$1
	shift
	"$agentx" --foreground --config /dev/null --agentx-socket "unix:$snmp/master" \
		--ping-interval 1 --no-notifications --snapshot-age 86400 "$@" \
		2>"$snmp/said" &
	agent_pid=$!
	note_daemons
	pin "$agent_pid"
	wait_for "$agent_pid" has_rows "$expected"
}

start_bare()
{
	"$BARE_AGENT" "unix:$snmp/master" "$1" 2>"$snmp/said" &
	bare_pid=$!
	note_daemons
	pin "$bare_pid"
	wait_for "$bare_pid" bare_has_rows
}

# end_daemon PID: what the shell says of it is nothing new.
end_daemon()
{
	kill -TERM "$1"
	wait "$1" 2>/dev/null || true
}

end_agent()
{
	end_daemon "$agent_pid"
	agent_pid=
	note_daemons
}

end_bare()
{
	end_daemon "$bare_pid"
	bare_pid=
	note_daemons
}

# memory_of PID NAME: VmRSS or VmHWM, in bytes.
memory_of()
{
	awk -v name="$2:" '$1 == name { print $2 * 1024 }' "/proc/$1/status"
}

cpu_of()
{
	awk -v hz="$(getconf CLK_TCK)" '{ printf "%.2f", ($14 + $15) / hz }' "/proc/$1/stat"
}

# The rows that there are already stay.
grow_table()
{
	run "$FLOOD" -f "$table_rows" -n "$(($1 - table_rows))" >/dev/null ||
		die "the table could not be filled"
	table_rows=$1
	[ "$(cat "$sysctl/nf_conntrack_count")" -eq "$1" ] ||
		die "the table has not $1 flows"
}

### A snapshot: time and memory

# The least that a pass takes, and a new agent's first snapshot.  Both are of the same
# moment; the agent of the last round stays.
take_snapshots()
{
	: >"$snmp/snapshots"
	for round in $(seq "$ROUNDS"); do
		then=$(now)
		"$FLOOR"
		pass=$(calculate "$(now) - $then")
		[ "$round" -eq 1 ] || end_agent
		start_agent "$table_rows"
		took=$(calculate "$(general 24) / 1000")
		echo "agent $(memory_of "$agent_pid" VmRSS) $took $pass $(calculate \
			"$took / $pass")" >>"$snmp/snapshots"
	done
}

### Walks

# walk_one AGENT OID PID REPETITIONS COLUMNS: a line about it.
walk_one()
{
	columns=
	for number in $(echo "$5" | tr , ' '); do
		columns="$columns $2.3.1.1.$number"
	done
	snmpd_then=$(cpu_of "$snmpd_pid") agent_then=$(cpu_of "$3")
	# shellcheck disable=SC2086 # words
	run taskset -c "$processor" "$WALK" bulk --repetitions "$4" $from "$agentx_port" $columns \
		>"$snmp/walked" || die "the walk of $1 failed"
	echo "$4:$5 $1 $round $(cat "$snmp/walked")" \
		"$(calculate "$(cpu_of "$snmpd_pid") - $snmpd_then")" \
		"$(calculate "$(cpu_of "$3") - $agent_then")" >>"$snmp/walks"
}

# Some TCP flow of IPv4, of the first quarter of those that flood makes.
choose_place()
{
	from=
	if [ "$table_rows" -gt "$agentx_limit" ]; then
		place=$(od -An -N1 -tu1 /dev/urandom | tr -d ' ')
		from="--limit $agentx_limit --start 0.6.1.4.10.0.$((place / 4))"
	fi
}

walk_in_turn()
{
	: >"$snmp/walks"
	for round in $(seq "$ROUNDS"); do
		choose_place
		for shape in $agentx_walks; do
			order='ours bare'
			[ $((round % 2)) -eq 1 ] || order='bare ours'
			for which in $order; do
				if [ "$which" = ours ]; then
					walk_one ours "$agentx_ours" "$agent_pid" \
						"${shape%:*}" "${shape#*:}"
				else
					walk_one bare "$agentx_bare" "$bare_pid" \
						"${shape%:*}" "${shape#*:}"
				fi
			done
		done
	done
}

### One scalar, while something goes on

note_latency()
{
	echo "$1: $(cat "$snmp/asked")" >>"$snmp/latencies"
}

ask_alone()
{
	run "$WALK" ask --seconds "$agentx_seconds" "$agentx_port" "$agentx_ours.1.1.0" \
		>"$snmp/asked" || die "the scalar was not answered"
	note_latency alone
}

# begin_asking: as long as somebody walks.
begin_asking()
{
	taskset -c "$processor" "$WALK" bulk --repetitions 50 \
		--seconds "$agentx_seconds" "$agentx_port" "$agentx_ours.3.1.1.11" \
		>"$snmp/walked" &
	listener=$!
	"$WALK" ask --pid "$listener" "$agentx_port" "$agentx_ours.1.1.0" \
		>"$snmp/asked" &
	child=$!
}

end_asking()
{
	wait "$child" || die "the scalar was not answered"
	child=
	wait "$listener" || die "the walk failed"
	listener=
}

ask_in_walk()
{
	begin_asking
	end_asking
	note_latency 'one column is walked'
}

# Once they are shown, another is ordered: an age that is set lets one be made when it
# has passed, however long that takes.
renew_snapshots()
{
	renewed=0
	until_then=$(calculate "$(now) + $agentx_seconds - 1")
	while holds "$(now) < $until_then"; do
		"$WALK" set "$agentx_port" "$agentx_ours.1.25.0" 1 >/dev/null
		seen=$(general 21)
		wait_for "$agent_pid" is_renewed
		renewed=$((renewed + 1))
	done
}

is_renewed()
{
	[ "$(general 21)" != "$seen" ]
}

# Sets $peak: of memory, with two snapshots and what it takes to make one.
ask_in_renewal()
{
	end_agent
	start_agent "$table_rows" --allow-write
	begin_asking
	renew_snapshots
	end_asking
	note_latency "the same, and $renewed snapshots made"
	peak=$(memory_of "$agent_pid" VmHWM)
	end_agent
}

### Results

# print_cells WIDTHS VALUE...: a row of a table; widths as printf's, and in Markdown of
# no matter.
print_cells()
{
	widths=$1 line=
	shift
	for width in $widths; do
		if [ -n "$markdown" ]; then
			line="$line| $1 "
		else
			line="$line$(printf "%${width}s  " "$1")"
		fi
		shift
	done
	echo "$line${markdown:+|}" | sed 's/ *$//'
}

print_head()
{
	print_cells "$@"
	[ -z "$markdown" ] || echo "$1 " | sed 's/-[0-9]* /| :-- /g; s/[0-9][0-9]* /| --: /g
		s/ *$/ |/'
}

# medians FILE: of each number, over the lines with the same first word.
medians()
{
	awk '
		{
			n[$1]++
			if (NF > fields) fields = NF
			for (i = 2; i <= NF; i++) {
				for (at = n[$1]; at > 1 && of[$1, i, at - 1] + 0 > $i + 0; at--)
					of[$1, i, at] = of[$1, i, at - 1]
				of[$1, i, at] = $i
			}
		}
		END {
			for (name in n) {
				low = int((n[name] + 1) / 2)
				high = int(n[name] / 2) + 1
				printf "%s", name
				for (i = 2; i <= fields; i++)
					printf " %.6g", (of[name, i, low] + of[name, i, high]) / 2
				printf "\n"
			}
		}' "$1"
}

# Files of lines as the walks are, in their order: SHAPE-AGENT, objects and rows a second,
# three times, processor time of snmpd and of the agent in microseconds an object; and
# SHAPE, objects a second of ours by those of the bare one in that round.
compare_walks()
{
	awk '{ print $1 "-" $2, $4 / $6, $5 / $6, $8, $9, $10, $11 * 1e6 / $4,
		$12 * 1e6 / $4 }' "$snmp/walks" >"$snmp/figures"
	awk '
		{
			rate[$1, $3, $2] = $4 / $6
			if (($1, $3, "ours") in rate && ($1, $3, "bare") in rate)
				print $1, rate[$1, $3, "ours"] / rate[$1, $3, "bare"]
		}' "$snmp/walks" >"$snmp/ratios"
	medians "$snmp/figures" >"$snmp/figures-medians"
	medians "$snmp/ratios" >"$snmp/ratios-medians"
}

shape_name()
{
	case ${1#*:} in
	*,*) echo "ten columns, R=${1%:*}" ;;
	*) echo "one column, R=${1%:*}" ;;
	esac
}

# Sets $ratio.
read_ratio()
{
	ratio=$(awk -v shape="$1" '$1 == shape { printf "%.3f", $2 }' \
		"$snmp/ratios-medians")
}

print_walks()
{
	what="walks of $table_rows rows"
	[ "$table_rows" -le "$agentx_limit" ] ||
		what="walks of $agentx_limit of $table_rows rows, from a place at random"
	printf '\n%s\n\n' "$what; processor time is that of an object; rounds: $ROUNDS"
	widths='-17 -5 9 8 9 6 6 11 11 6'
	print_head "$widths" GETBULK agent objects/s rows/s 'median ms' '95 %' max \
		'snmpd us' 'agent us' 'x bare'
	for shape in $agentx_walks; do
		read_ratio "$shape"
		for which in ours bare; do
			# shellcheck disable=SC2046 # seven words
			set -- $(awk -v of="$shape-$which" '$1 == of {
				printf "%.0f %.0f %.2f %.2f %.1f %.2f %.2f", $2, $3, $4, $5,
					$6, $7, $8
			}' "$snmp/figures-medians")
			[ "$which" = ours ] || ratio=
			print_cells "$widths" "$(shape_name "$shape")" "$which" "$@" "$ratio"
		done
	done
}

# rounded DIGITS EXPRESSION
rounded()
{
	awk "BEGIN { printf \"%.$1f\", $2 }"
}

# Sets $bytes and $peak_bytes, a row.  It is resident memory, above that with an empty
# table.
print_snapshots()
{
	# shellcheck disable=SC2046 # five words
	set -- $(medians "$snmp/snapshots")
	bytes=$(rounded 1 "($2 - $rss_empty) / $table_rows")
	peak_bytes=$(rounded 1 "($peak - $rss_empty) / $table_rows")
	what="a snapshot of $table_rows rows in resident memory; peak: two, one being made"
	printf '\n%s\n\n' "$what; rounds: $ROUNDS"
	widths='8 8 11 8 11 10 7 7'
	print_head "$widths" 'empty MB' 'with MB' 'bytes a row' 'peak MB' 'bytes a row' \
		'duration s' 'floor s' 'x floor'
	print_cells "$widths" "$(rounded 1 "$rss_empty / 1e6")" \
		"$(rounded 1 "$2 / 1e6")" "$bytes" "$(rounded 1 "$peak / 1e6")" \
		"$peak_bytes" "$(rounded 3 "$3")" "$(rounded 3 "$4")" "$(rounded 2 "$5")"
}

print_latencies()
{
	printf '\n%s\n\n' "conntapEntries, of $table_rows rows, asked every 20 ms while"
	widths='-40 8 9 6 6'
	print_head "$widths" '' requests 'median ms' '95 %' max
	while read -r line; do
		# shellcheck disable=SC2086 # words
		print_cells "$widths" "${line%%:*}" ${line##*:}
	done <"$snmp/latencies"
}

keep_agentx()
{
	for shape in $agentx_walks; do
		read_ratio "$shape"
		keep agentx "$table_rows rows, $(shape_name "$shape"): $ratio of the bare \
agent's objects a second (at least 0.900)" holds "$ratio >= 0.9"
	done
	# Of a small table, it is what an agent takes that has anything at all.
	[ "$table_rows" -lt "$agentx_small" ] ||
		keep agentx "$table_rows rows: $bytes bytes a row (at most 160)" \
			holds "$bytes <= 160"
	while read -r line; do
		median=$(echo "${line##*:}" | cut -d' ' -f3)
		keep agentx "$table_rows rows, a scalar while ${line%%:*}: $median ms (less \
than 50)" holds "$median < 50"
	done <"$snmp/latencies"
}

measure_rows()
{
	: >"$snmp/latencies"
	grow_table "$1"
	take_snapshots
	start_bare "$1"
	walk_in_turn
	end_bare
	compare_walks
	ask_alone
	ask_in_walk
	ask_in_renewal
	print_walks
	print_snapshots
	print_latencies
	keep_agentx
}

measure_agentx()
{
	if [ ! -x "$agentx" ] || ! find_snmpd || ! command -v ip >/dev/null; then
		echo "bench: no snmpd or no ip(8) here, or built without the agent: the" \
			"part agentx is left out" >&2
		return 0
	fi
	snmp=$scratch/agentx agent_pid='' bare_pid='' snmpd_pid='' table_rows=0
	mkdir "$snmp"
	ip link set lo up
	choose_processor
	empty_table
	start_snmpd
	start_agent 0
	rss_empty=$(memory_of "$agent_pid" VmRSS)
	end_agent
	[ "$FLOWS" -le "$agentx_small" ] || measure_rows "$agentx_small"
	measure_rows "$FLOWS"
	end_daemon "$snmpd_pid"
	snmpd_pid=
	note_daemons
	print_budget
	rm -r "$snmp"
}
