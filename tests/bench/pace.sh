# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The part of run.sh, which reads this, that has the real collectd look at the table all
# the time, with the plugin and an interval that is too short for a large table: the
# table's values have to come as often as passes can, and everything else of collectd's
# as if there were none.
#
# What came is read from the files of collectd's plugin csv, one for each series and
# day: a line of names, then lines of time and value.
#
# shellcheck disable=SC2154 # run.sh sets $scratch

collectd=/usr/sbin/collectd
pace_seconds=30 # and what the last passes take
pace_interval=1
stop_max=10 # seconds; then it is killed

# Where the distribution has the daemon's own modules.
find_modules()
{
	for modules in /usr/lib/collectd /usr/lib64/collectd; do
		[ ! -e "$modules/csv.so" ] || return 0
	done
	return 1
}

prepare_collectd()
{
	csv=$scratch/collectd/csv/bench
	mkdir -p "$scratch/collectd/modules"
	# The daemon refuses modules that are symbolic links.
	cp -L "$COLLECTD_PLUGIN" "$modules/csv.so" "$modules/logfile.so" \
		"$scratch/collectd/modules"
	cat >"$scratch/collectd/conf" <<-END
		Hostname "bench"
		FQDNLookup false
		BaseDir "$scratch/collectd"
		PIDFile "$scratch/collectd/pid"
		PluginDir "$scratch/collectd/modules"
		TypesDB "/usr/share/collectd/types.db"
		Interval $pace_interval
		LoadPlugin logfile
		<Plugin logfile>
			LogLevel info
			File "$scratch/collectd/log"
			Timestamp true
			PrintSeverity true
		</Plugin>
		LoadPlugin csv
		<Plugin csv>
			DataDir "$scratch/collectd/csv"
			StoreRates false
		</Plugin>
		LoadPlugin conntap
		<Plugin conntap>
			Table true
		</Plugin>
	END
}

now()
{
	date +%s.%N
}

# calculate EXPRESSION: awk's arithmetic, to the millisecond.
calculate()
{
	awk "BEGIN { printf \"%.3f\", $1 }"
}

holds()
{
	awk "BEGIN { exit !($1) }"
}

# sleep_until TIME
sleep_until()
{
	run sleep "$(calculate "m = $1 - $(now); m > 0 ? m : 0")"
}

# rows SERIES: the lines of "all/conntrack-used", without the names.
rows()
{
	cat "$csv/conntap-$1"-????-??-?? 2>/dev/null | grep '^[0-9]'
}

passes()
{
	rows all-self/duration-pass | wc -l
}

initialised()
{
	grep -q 'Initialization complete' "$scratch/collectd/log" 2>/dev/null
}

# There have been so many.
passed()
{
	[ "$(passes)" -ge "$1" ]
}

# await CONDITION...: for five minutes at most.
await()
{
	tries=3000
	until "$@"; do
		kill -0 "$daemon" 2>/dev/null || die "collectd ended:" \
			"$(tail -n 3 "$scratch/collectd/said" "$scratch/collectd/log")"
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || die "collectd is not $*:" \
			"$(tail -n 3 "$scratch/collectd/log")"
		sleep 0.1
	done
}

# Sets $begun, the time.
start_collectd()
{
	begun=$(now)
	"$collectd" -C "$scratch/collectd/conf" -f >"$scratch/collectd/said" 2>&1 &
	daemon=$!
	await initialised
}

rss_mb()
{
	awk '/^VmRSS:/ { printf "%.1f", $2 * 1024 / 1e6 }' "/proc/$daemon/status"
}

cpu_seconds()
{
	awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) / hz }' "/proc/$daemon/stat"
}

# A time when the next pass is at work, and has most of it to do: from when the last one
# began and what it took, as a pass begins at a whole interval.  Fails where it took so
# nearly a whole number of them that the next may begin at this one or one later.
early_in_next()
{
	rows all-self/duration-pass | tail -n 1 |
		awk -F, -v interval="$pace_interval" '{
			whole = int($2 / interval) + 1
			early = $2 / 2 < 0.2 ? $2 / 2 : 0.2
			printf "%.3f", $1 + whole * interval + early
			exit whole - $2 / interval < 0.1
		}'
}

# Both ends of the time that is measured are just after a pass, so that there are as
# many passes in it as pauses.  Sets $rss_early, $rss, $cpu and $early, for the end.
watch_collectd()
{
	await passed 3
	rss_early=$(rss_mb) cpu_then=$(cpu_seconds) then=$(now)
	sleep_until "$begun + $pace_seconds"
	for _ in 1 2 3 4 5; do
		await passed $(($(passes) + 1))
		! early=$(early_in_next) || break
	done
	rss=$(rss_mb)
	cpu=$(calculate "($(cpu_seconds) - $cpu_then) / ($(now) - $then)")
}

# Sets $ended, when it was told to, $stop, how long that took, and $stop_status.
stop_collectd()
{
	stop_status=0
	sleep_until "$early"
	ended=$(now)
	kill -TERM "$daemon"
	while kill -0 "$daemon" 2>/dev/null; do
		sleep 0.01
		holds "$(now) - $ended < $stop_max" ||
			kill -KILL "$daemon" 2>/dev/null || true
	done
	stop=$(calculate "$(now) - $ended")
	wait "$daemon" || stop_status=$?
	daemon=
}

# What came of a series that is read in each interval.  Sets $seen, $expected and $off:
# values that did not come an interval after the one before them, or that are wrong.
# What comes in the last half of an interval, when it was told to end, is not counted.
read_kernel_series()
{
	# shellcheck disable=SC2046 # three words
	set -- $(rows "$1" | awk -F, -v interval="$pace_interval" -v begun="$begun" \
		-v ended="$ended" -v flows="$FLOWS" '
		{
			gap = (NR > 1 ? $1 - last : $1 - begun) / interval
			off += gap > 1.5 || (NR > 1 && gap < 0.5) || $2 != flows
			if (NR == 1) first = $1
			last = $1
			seen += $1 < ended - interval / 2
		}
		END { print seen + 0, int((ended - first) / interval + 0.5), off + 0 }')
	seen=$1 expected=$2 off=$3
}

# Set $passes, $pass (what one took), $late: those that began later than at the first
# interval after the one before them; and $cut: when it ended, there was one at work.
read_passes()
{
	# The last of what a pass does is not in its own figure.
	# shellcheck disable=SC2046 # four words
	set -- $(rows all-self/duration-pass | awk -F, -v interval="$pace_interval" \
		-v begun="$begun" -v ended="$ended" '
		{
			late += $1 > due + 0.5 * interval && NR > 1
			late += NR == 1 && $1 > begun + 1.5 * interval
			due = $1 + (int(($2 + 0.05) / interval) + 1) * interval
			sum += $2
		}
		END {
			late += ended > due + 0.5 * interval + sum / NR
			printf "%d %.3f %d %d", NR, sum / NR, late, (ended > due)
		}')
	passes=$1 pass=$2 late=$3 cut=$4
}

# Every series of the table has a value from each pass, and from nothing else; in each
# group that parts the table, they add up.  Sets $series, $unlike and $sums, $wrong.
read_table_series()
{
	# shellcheck disable=SC2046 # four words
	set -- $(awk -F, -v flows="$FLOWS" '
		FNR == 1 {
			series = FILENAME
			sub(/-....-..-..$/, "", series)
			sub(/.*\/conntap-/, "", series)
			group = series
			sub(/\/.*/, "", group)
			next
		}
		series == "all-self/duration-pass" { times[$1]; passes++ }
		{ count[series]++; stray[series] += !($1 in times) }
		series ~ /\/current_connections-/ && group !~ /-(sctp|dccp)$/ {
			sum[group, $1] += $2
		}
		END {
			for (i in count) {
				n++
				unlike += count[i] != passes || stray[i] > 0
			}
			for (i in sum) {
				sums++
				wrong += sum[i] != flows
			}
			print n + 0, unlike + 0, sums + 0, wrong + 0
		}' "$csv"/conntap-all-self/duration-pass-* \
		$(find "$csv" -path "$csv/conntap-*" \( -name '*_connections-*' -o \
			-path '*-self/*' \) ! -name 'duration-pass-*'))
	series=$1 unlike=$2 sums=$3 wrong=$4
}

print_pace_row()
{
	format='%10s  %7s  %8s  %6s  %6s  %7s  %6s  %6s\n'
	[ -z "$markdown" ] || format='| %s | %s | %s | %s | %s | %s | %s | %s |\n'
	# shellcheck disable=SC2059 # one of these two
	printf "$format" "$@"
}

steady()
{
	[ "$seen" -ge "$expected" ] && [ "$off" -eq 0 ]
}

keep_kernel()
{
	read_kernel_series "$2"
	keep pace "$1 each interval: $seen of $expected, $off late or wrong" steady
}

as_often_as_can_be()
{
	[ "$passes" -gt 0 ] && [ "$late" -eq 0 ]
}

all_alike()
{
	[ "$series" -gt 0 ] && [ "$unlike" -eq 0 ]
}

all_right()
{
	[ "$sums" -gt 0 ] && [ "$wrong" -eq 0 ]
}

# A pass of less than some hundredths of a second cannot be met.
ended_in_a_pass()
{
	[ "$stop_status" -eq 0 ] && holds "$stop < 1 && ($cut || $pass < 0.05)"
}

keep_pace()
{
	keep_kernel "the kernel's numbers" all/conntrack-used
	keep_kernel 'and peaks' all-peak/conntrack-used
	keep pace "passes as often as can be: $passes of $pass s, $late late" \
		as_often_as_can_be
	keep pace "a value from each pass: $series series, $unlike without" all_alike
	keep pace "the sums of groups are $FLOWS: $sums sums, $wrong wrong" all_right
	said=$(grep -c 'a pass takes' "$scratch/collectd/log") || true
	keep pace "said at most once that a pass takes longer: $said times" \
		[ "$said" -le 1 ]
	keep pace "memory: $rss_early MB after three passes, $rss MB at the end" \
		holds "$rss <= $rss_early + 4"
	keep pace "ended within a second: $stop s, $([ "$cut" -eq 1 ] ||
		echo not )in a pass, status $stop_status" ended_in_a_pass
}

measure_pace()
{
	if [ ! -x "$collectd" ] || ! find_modules || [ ! -e "$COLLECTD_PLUGIN" ]; then
		echo "bench: no collectd here, or built without the plugin for it:" \
			"the part pace is left out" >&2
		return 0
	fi
	prepare_collectd
	start_collectd
	watch_collectd
	stop_collectd
	read_passes
	read_table_series
	read_kernel_series all/conntrack-used
	printf '\n%s\n\n' "collectd looks at $FLOWS flows in each interval"
	print_pace_row 'interval s' seconds kernel passes 'pass s' 'CPU s/s' 'RSS MB' \
		'stop s'
	[ -z "$markdown" ] || echo '| --: | --: | --: | --: | --: | --: | --: | --: |'
	print_pace_row "$pace_interval" "$(calculate "$ended - $begun")" \
		"$seen of $expected" "$passes" "$pass" "$cpu" "$rss" "$stop"
	keep_pace
	print_budget
	rm -r "$scratch/collectd"
}
