#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What becomes of the plugin's values in RRD files: a real collectd with its plugin
# rrdtool, against conntrack(8), /proc and what the same daemon's csv wrote; and what
# contrib/rrd/conntap-graph draws of them.  Arguments are the parts to run.
use strict;
use warnings;

use Compress::Zlib ();
use File::Find ();
use File::Temp ();
use FindBin;
use POSIX qw(ceil floor);
use Test::More;
use Time::HiRes qw(time);

use lib $FindBin::Bin;
use Lab;
use Collectd;

# As the locale has them, rrdtool prints numbers.
$ENV{LC_ALL} = 'C';
enter_lab();
need_collectd();

my $contrib = "$FindBin::Bin/../../contrib/rrd";
my $manual = "$FindBin::Bin/../../plugins/collectd/collectd-conntap.5";
my ($modules) = grep { -e "$_/rrdtool.so" } '/usr/lib/collectd', '/usr/lib64/collectd';
my ($program) = grep { -x } map { "$_/rrdtool" } split /:/, $ENV{PATH};

plan(skip_all => 'no rrdtool here, or collectd has no plugin for it')
	unless $modules && $program;

sub slurp {
	my ($path) = @_;

	open my $file, '<:raw', $path or die "$path: $!\n";
	local $/;
	return scalar <$file>;
}

# The files.

# Behind the plugin's options: files with a value each second, whatever the interval, for
# ten minutes, and then one in ten seconds, known if one of these is.
sub with_rrd {
	my ($options) = @_;

	return "$options</Plugin>\n" . <<"END";
PluginDir "$modules"
LoadPlugin rrdtool
<Plugin rrdtool>
	DataDir "rrd"
	StepSize 1
	HeartBeat 30
	CacheTimeout 1
	CacheFlush 2
	XFF 0.9
	RRARows 600
	RRATimespan 600
	RRATimespan 6000
</Plugin>
<Plugin conntap>
END
}

sub rrd_dir {
	my ($host) = @_;

	return "$host->{dir}/rrd/gateway";
}

sub rrd_path {
	my ($host, $key) = @_;
	my ($instance, $type, $what) = split ' ', $key;

	return rrd_dir($host) . "/conntap-$instance/$type-$what.rrd";
}

# The names of all values that there are files of; of what has no such name, the path.
sub rrd_keys {
	my ($host) = @_;
	my @paths;

	File::Find::find({ no_chdir => 1, wanted => sub { push @paths, $_ if -f } },
		"$host->{dir}/rrd");
	return map { m{/rrd/gateway/conntap-([^/]+)/([a-z_]+)-([^/]+)\.rrd\z} ?
		"$1 $2 $3" : $_ } sort @paths;
}

# Runs many of its commands in one process, which is a lot faster: what each has printed.
sub rrdtool {
	my @commands = @_;
	my $input = File::Temp->new;

	print $input map { "$_\n" } @commands;
	close $input;
	my $out = must('sh', '-c', "exec '$program' - <$input");
	my @answers = split /^OK u:.*\n/m, $out, -1;
	die "rrdtool: $out\n" if @answers != @commands + 1 || $out =~ /^ERROR/m;
	pop @answers;
	return @answers;
}

# What was stored last for each name: [time, value].
sub last_updates {
	my ($host, @keys) = @_;
	my %last;

	@last{@keys} = map { /^(\d+): (\S+)$/m ? [$1, $2] : die "what is $_?\n" }
		rrdtool(map { sprintf 'lastupdate "%s"', rrd_path($host, $_) } @keys);
	return %last;
}

# For each name, each value that is known: time => value.
sub series {
	my ($host, $cf, @keys) = @_;
	my $end = ceil(time) + 1;
	my %series;

	@series{@keys} = map { my %rows = /^(\d+): (\S+)$/mg;
		+{ map { $rows{$_} =~ /nan/ ? () : ($_ => $rows{$_}) } keys %rows } }
		rrdtool(map { sprintf 'fetch "%s" %s -r 1 -s %d -e %d', rrd_path($host, $_),
			$cf, $end - 300, $end } @keys);
	return %series;
}

# Waits by csv: to look into a file locks it, and the daemon, which does not wait for it,
# would lose what it has to write just then.  So files are read when it has ended.
sub wait_for_rows {
	my ($host, $count, @keys) = @_;

	for my $key (@keys) {
		wait_until("$count rows of $key", sub {
			$count <= (my @rows = $host->csv($key)) });
	}
}

sub wait_for_time {
	my ($host, $time, @keys) = @_;

	for my $key (@keys) {
		wait_until("$key at $time", sub {
			my @rows = $host->csv($key);
			return @rows && $rows[-1][0] >= $time });
	}
}

sub ended_well {
	my ($host) = @_;

	is($host->{status}, 0, 'the daemon ends well');
	is_deeply([grep { /rrdtool plugin/ && !/Shutting down/ } split /\n/, $host->log], [],
		'the plugin rrdtool has nothing to complain about');
	is_deeply([$host->said], [], 'nor has this one');
}

# What grows.
sub counts {
	my ($key) = @_;

	return $key =~ / (?:errors|operations|connections|packets|total_bytes) /;
}

sub equal {
	my ($is, $should) = @_;

	return abs($is - $should) <= 1e-6 + 1e-8 * abs $should;
}

# Test: no lines; or the first of them.
sub none {
	my ($name, @lines) = @_;
	my $count = @lines;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($count, 0, $name) or diag(join "\n", splice @lines, 0, 12);
}

# What the values should be, as the kernel's own tools say.

my %usual = (1 => 'icmp', 6 => 'tcp', 17 => 'udp', 33 => 'dccp', 47 => 'gre',
	58 => 'icmpv6', 132 => 'sctp', 136 => 'udplite');
my @tcp_states = qw(NONE SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK
	TIME_WAIT CLOSE SYN_SENT2 other);
my $web = sub { $_->{protonum} == 6 && ($_->{state} // '') eq 'ESTABLISHED' };
my $waiting = sub { !$_->{flags}{ASSURED} };
my $marked = sub { $_->{mark} == 1 };

my $options = <<'END';
	Table true
	Events true
	Notify false
	Nat "10.0.2.100"
	Nat "fd00:2::100"
	Mark "0x1" "one"
	<Match "web">
		Proto tcp
		State ESTABLISHED
	</Match>
	<Match "still waiting/5 \"ä">
		Status "not-assured"
	</Match>
END

# Of which name a flow is in each group.
sub proto_of { return $usual{$_[0]{protonum}} // 'other' }

sub flagged {
	my ($with, $without, @flags) = @_;

	return sub { (grep { $_[0]{flags}{$_} } @flags) ? $with : $without };
}

my @parts = (
	['all', \&proto_of, values %usual, 'other'],
	['all-reply', flagged('unreplied', 'replied', 'UNREPLIED'), 'replied', 'unreplied'],
	['all-assurance', flagged('assured', 'unassured', 'ASSURED'), 'assured',
		'unassured'],
	['all-translation', flagged('nat', 'none', 'SRC_NAT', 'DST_NAT'), 'nat', 'none'],
	['all-path', flagged('offloaded', 'kernel', 'OFFLOAD'), 'offloaded', 'kernel'],
	['all-family', sub { $_[0]{family} }, 'ipv4', 'ipv6'],
	['all-zone', sub { $_[0]{zone} || $_[0]{zone_orig} || 0 }, 0, 'other'],
	['all-mark', sub { (grep { $marked->() } @_) ? 'one' : 'other' }, 'one', 'other'],
);

sub flow_values {
	my @flows = @_;
	my %values = ('all-self objects flows' => scalar @flows,
		'all-self errors pass' => 0);

	for my $part (@parts) {
		my ($group, $of, @names) = @$part;
		my $key = "$group current_connections";
		$values{"$key $_"} = 0 for @names;
		$values{"$key " . $of->($_)}++ for @flows;
	}
	my @tcp = grep { $_->{protonum} == 6 } @flows;
	$values{"all tcp_connections $_"} = 0 for @tcp_states;
	$values{"all tcp_connections $_->{state}"}++ for @tcp;
	my %named = ('mark one' => $marked, 'mark other' => sub { !$marked->() },
		'match web' => $web, 'match still_waiting_5____' => $waiting);
	for my $name (keys %named) {
		my ($group, $what) = split ' ', $name;
		my @those = grep { $named{$name}->() } @flows;
		$values{"all-$group current_connections $what"} = @those;
		$values{"all-$group bytes $what"} = 0;
		$values{"all-$group bytes $what"} += $_->{orig}{bytes} + $_->{reply}{bytes}
			for @those;
	}
	return (%values, nat_values(@flows));
}

# Of the addresses above.
sub nat_values {
	my %public = map { $_ => 1 } '10.0.2.100', 'fd00:2::100';
	my @flows = grep { $public{$_->{reply}{dst}} && $_->{reply}{dport} } @_;
	my (%values, %ports, %remotes);

	for my $addr (keys %public) {
		$values{"all-nat objects $addr-$_"} = $values{"all-nat percent $addr-$_"} = 0
			for 'tcp', 'udp';
	}
	for my $flow (@flows) {
		my $reply = $flow->{reply};
		my $name = "$reply->{dst}-" . proto_of($flow);
		$ports{$name}{$reply->{dport}} = 1;
		$remotes{$name}{"$reply->{src} $reply->{sport}"}++;
	}
	for my $name (keys %ports) {
		my ($most) = sort { $b <=> $a } values %{$remotes{$name}};
		$values{"all-nat objects $name"} = keys %{$ports{$name}};
		$values{"all-nat percent $name"} = 100 * $most / (65536 - 1024);
	}
	return %values;
}

# Columns of /proc/net/stat/nf_conntrack; not every kernel has all.
my %columns = (found => 'all operations found', insert => 'all operations insert',
	search_restart => 'all operations search_restart',
	clashres => 'all operations clash_resolve', chainlength => 'all errors chain_toolong',
	icmp_error => 'all errors error',
	map({ $_ => "all errors $_" } qw(invalid insert_failed drop early_drop)),
	map({ ("expect_$_" => "all-expect operations $_") } qw(new create delete)));

sub proc_counters {
	my ($head, @rows) = split /\n/, slurp('/proc/net/stat/nf_conntrack');
	my @names = split ' ', $head;
	my %values;

	for my $row (@rows) {
		my %row;
		@row{@names} = map { hex } split ' ', $row;
		$values{$columns{$_}} += $row{$_} for grep { $columns{$_} } @names;
	}
	return %values;
}

sub kernel_values {
	my $proc = '/proc/sys/net/netfilter/nf_conntrack';
	my ($count, $max, $expect_max) = map { 0 + slurp("${proc}_$_") } qw(count max
		expect_max);
	my $expects = 0 + must('conntrack', '-C', 'expect');
	my %fills = ('all' => [$count, $max], 'all-peak' => [$count, $max],
		'all-expect' => [$expects, $expect_max]);
	my %values = proc_counters();

	for my $group (keys %fills) {
		my ($used, $of) = @{$fills{$group}};
		$values{"$group conntrack used"} = $used;
		$values{"$group conntrack free"} = $of - $used;
		$values{"$group percent used"} = 100 * $used / $of;
	}
	return %values;
}

my @durations = qw(0-1s 1-10s 10-60s 1-10m 10-60m over_1h);
my @sizes = qw(0-1k 1-10k 10-100k 100k-1M 1-10M 10-100M over_100M);

# What is there besides: of events, and of protocols that have states.
sub other_names {
	my @protos = (values %usual, 'other');
	my @stateful = qw(NONE other CLOSED COOKIE_WAIT COOKIE_ECHOED ESTABLISHED
		SHUTDOWN_SENT SHUTDOWN_RECD SHUTDOWN_ACK_SENT HEARTBEAT_SENT
		HEARTBEAT_ACKED);
	my @dccp = qw(NONE other REQUEST RESPOND PARTOPEN OPEN CLOSEREQ CLOSING TIMEWAIT
		IGNORE INVALID);

	return ('all-self duration pass', 'all-events errors lost',
		'all-events operations subscribe', 'all-events objects listening',
		map({ "all-sctp current_connections $_" } @stateful),
		map({ "all-dccp current_connections $_" } @dccp),
		map({ my $key = $_; map { "$key $_" } @protos } 'all-new connections',
			map({ "all-ended $_" } qw(connections total_bytes packets))),
		map({ "all-duration connections $_" } @durations),
		map({ "all-size connections $_" } @sizes));
}

# Part one: values.

# A datagram from the client's port to the server's.
sub datagram {
	my ($from, $to) = @_;

	must(qw(ip netns exec client), $^X, '-MIO::Socket::INET', '-e',
		'IO::Socket::INET->new(Proto => "udp", LocalPort => $ARGV[0], ' .
		'PeerAddr => "10.0.2.2", PeerPort => $ARGV[1])->send("x") or die',
		$from, $to);
}

# One port serves one flow to each remote: all but the first are lost.
sub lose_packets {
	my ($from, $count) = @_;

	must('nft', 'table inet losing { chain source { type nat hook postrouting priority ' .
		'srcnat - 10; udp dport 7777 snat ip to 10.0.2.100:20000; }; }');
	datagram($from + $_, 7777) for 0 .. $count;
	must('nft', 'delete table inet losing');
}

sub heard {
	my ($listener, $kind) = @_;

	return map { parse_flow($_) }
		so_far($listener) =~ /^\s*\[\Q$kind\E\]\s+(.*)\n/mg;
}

# Makes and ends flows, so many times; not more at a time than conntrack(8) has room for.
sub come_and_go {
	my ($listener, $times) = @_;
	my $flows = 100;

	for my $time (1 .. $times) {
		flood('-n', $flows);
		wait_until('events', sub { heard($listener, 'NEW') == $time * $flows });
		run('conntrack', '-F');
		wait_until('events', sub { heard($listener, 'DESTROY') == $time * $flows });
	}
}

# Test: that was stored last, and in each second since the traffic is over.
sub check_static {
	my ($host, $from, $to, %expected) = @_;
	my @keys = sort grep { -e rrd_path($host, $_) } keys %expected;
	my %last = last_updates($host, @keys);
	my $wrong = sub { "$_[0]: $_[1], expected $_[2]" };

	none('each expected value has a file',
		grep { !-e rrd_path($host, $_) } keys %expected);
	none('rrdtool lastupdate: what conntrack(8) and /proc say',
		map { $wrong->($_, $last{$_}[1], $expected{$_}) }
		grep { !equal($last{$_}[1], $expected{$_}) } @keys);
	for my $cf ('AVERAGE', 'MAX') {
		my %series = series($host, $cf, @keys);
		my @wrong;
		for my $key (@keys) {
			my $should = counts($key) ? 0 : $expected{$key};
			for my $time ($from .. $to) {
				my $is = $series{$key}{$time} // '-inf';
				push @wrong, "at $time " . $wrong->($key, $is, $should)
					if !equal($is, $should);
			}
		}
		none("rrdtool fetch $cf: the same, for " . ($to - $from + 1) . ' s', @wrong);
	}
}

sub check_names {
	my ($host, %expected) = @_;
	my %there = map { $_ => 1 } rrd_keys($host);
	my %csv = map { $_ => 1 } $host->csv_keys;
	my %known = map { $_ => 1 } keys %expected, other_names();

	none('names: none that csv has not', grep { !$csv{$_} } sort keys %there);
	none('names: all that csv has', grep { !$there{$_} } sort keys %csv);
	none('names: none that are not expected', grep { !$known{$_} } sort keys %there);
	none('names: all that are expected', grep { !$there{$_} } sort keys %known);
	my ($example) = slurp($manual) =~ /^\.It RRD\n(?:\.\w+ )?(\S+)/m;
	is($example, 'gw/conntap-all/percent-used.rrd', 'the manual has an example');
	ok(-f rrd_dir($host) =~ s{[^/]+\z}{}r . $example =~ s/^gw/gateway/r,
		'and that is the name on disk');
	ok(-f rrd_dir($host) . '/conntap-all-nat/percent-10.0.2.100-tcp.rrd',
		'dots and dashes of a name stay');
	ok(-f rrd_dir($host) .
		'/conntap-all-match/current_connections-still_waiting_5____.rrd',
		'what cannot stand in a name is _');
	my %kinds = map { $_ => (rrdtool('info "' . rrd_path($host, $_) . '"'))[0] =~
		/^ds\[value\]\.type = "(\w+)"/m ? $1 : '?' } 'all percent used',
		'all errors drop', 'all-new connections tcp', 'all-mark bytes one',
		'all-ended total_bytes tcp';
	is(join(' ', map { $kinds{$_} } sort keys %kinds),
		'DERIVE GAUGE DERIVE GAUGE DERIVE', 'gauges and derives');
}

# One [second, value] for each second, as the plugin rrdtool rounds them: of two, it takes
# the first.  Where csv's three digits do not say which way that goes, none.
sub csv_rows {
	my ($host, $key) = @_;
	my (%seen, @rows);

	for my $row ($host->csv($key)) {
		my ($time, $value) = @$row;
		next if $time =~ /\.500$/;
		my $second = floor($time + 0.5);
		push @rows, [$second, $value] unless $seen{$second}++;
	}
	return @rows;
}

# Test: all that this daemon has ever written, a row of csv with a row here.  For what
# counts it is the rate, whose sum over the seconds is what was counted.
sub check_csv {
	my ($host) = @_;
	my @keys = rrd_keys($host);
	my ($compared, $moved, @wrong) = (0, 0);
	my %average = series($host, 'AVERAGE', @keys);
	my %max = series($host, 'MAX', @keys);

	for my $key (@keys) {
		my @rows = csv_rows($host, $key);
		my $before = counts($key) ? shift @rows : undef;
		for my $row (@rows) {
			my ($second, $value) = @$row;
			my $is = $average{$key}{$second};
			if ($before) {
				my @rates = map { $average{$key}{$_} }
					$before->[0] + 1 .. $second;
				$value -= $before->[1];
				$moved++ if $value;
				$is = 0;
				$is += $_ // '-inf' for @rates;
				$before = $row;
			}
			$compared++;
			push @wrong, "$key at $second: " . ($is // 'unknown') .
				", expected $value" if !equal($is // '-inf', $value);
		}
		push @wrong, "$key: the maximum is another" if grep {
			!equal($max{$key}{$_} // '-inf', $average{$key}{$_}) }
			keys %{$average{$key}};
	}
	none('csv and rrdtool: the same, second by second', @wrong);
	cmp_ok($compared, '>', 5 * @keys, "which are many: $compared");
	cmp_ok($moved, '>', 20, "and counters have moved: $moved times");
}

# Test: the rates' integral.
sub integral_is {
	my ($host, $name, %expected) = @_;
	my @keys = sort keys %expected;
	my %rates = series($host, 'AVERAGE', @keys);
	my @wrong;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for my $key (@keys) {
		my $sum = 0;
		$sum += $_ for values %{$rates{$key}};
		push @wrong, "$key: $sum, expected $expected{$key}"
			if !equal($sum, $expected{$key});
	}
	none($name, @wrong);
}

sub by_proto {
	my ($key, @flows) = @_;
	my %counts = map { ("$key $_" => 0) } values %usual, 'other';

	$counts{"$key " . proto_of($_)}++ for @flows;
	return %counts;
}

# A machine with other things to do makes two readings in one second; the daemon's rrdtool
# does not take the second one, nor what it has to write besides.
sub was_late {
	my ($host) = @_;

	return $host->log =~ /minimum one second step|above its read interval/;
}

# A daemon that has ended, and what there was before.
sub watched_traffic {
	my $listener = start_listening({}, 5,
		'conntrack', '-E', '-e', 'NEW,DESTROY', '-o', 'extended');
	my $host = start_collectd(plugin => with_rrd($options), interval => 2);
	my %seen = (host => $host);

	# What is counted before there was a value has no rate.
	wait_for_rows($host, 2, 'all errors drop', 'all-new connections tcp');
	my %before = proc_counters();
	come_and_go($listener, 6);
	my $traffic = start_traffic();
	lose_packets(4000, 6);
	# A peak is told as long as it is from before the last reading.
	$seen{from} = ceil(time) + 5;
	$seen{to} = $seen{from} + 3;
	wait_for_time($host, $seen{to}, 'all errors drop', 'all-self errors pass');
	my @flows = conntrack_flows();
	$seen{values} = { kernel_values(), flow_values(@flows) };
	$seen{conntrack} = [map { flow_key($_) } @flows];
	$seen{proc} = [map { flow_key($_) } proc_flows()];
	my %now = proc_counters();
	$seen{grown} = { map { $_ => $now{$_} - $before{$_} } keys %now };
	$host->stop;
	interrupt($listener);
	($seen{new}, $seen{ended}) = map { [heard($listener, $_)] } 'NEW', 'DESTROY';
	$traffic = undef;
	run('conntrack', '-F');
	return \%seen;
}

sub check_integrals {
	my ($host, $seen) = @_;
	my ($grown, $new, $ended) = @$seen{qw(grown new ended)};
	my $name = "the rates' integral";

	cmp_ok($grown->{'all errors drop'}, '>', 0, 'packets were dropped');
	cmp_ok($grown->{'all-expect operations create'}, '>', 0, 'and flows expected');
	cmp_ok($_, '>', 500, 'and many came and went') for scalar @$new, scalar @$ended;
	integral_is($host, "$name: what /proc has counted", %$grown);
	integral_is($host, "$name: new flows, " . @$new,
		by_proto('all-new connections', @$new));
	integral_is($host, "$name: ended flows, " . @$ended,
		by_proto('all-ended connections', @$ended));
}

sub check_values {
	my $seen;

	for my $try (1 .. 4) {
		$seen = watched_traffic();
		last unless was_late($seen->{host});
	}
	my $host = $seen->{host};
	my $values = $seen->{values};
	ended_well($host);
	same_lines($seen->{proc}, $seen->{conntrack},
		'conntrack(8) and /proc say the same');
	my $some = grep { $values->{$_} && !counts($_) } keys %$values;
	cmp_ok($some, '>', 35, "there is a lot to be told: $some gauges");
	check_static($host, $seen->{from}, $seen->{to}, %$values);
	check_names($host, %$values);
	check_csv($host);
	check_integrals($host, $seen);
	check_pictures($host, $seen);
}

# Pictures.

my $graph = "$contrib/conntap-graph";
my $scratch = File::Temp->newdir;

# Test: a whole picture, undamaged; [width, height].
sub png_size {
	my ($path) = @_;
	my $bytes = slurp($path);
	my ($place, $data, @wrong, @kinds) = (8, '');

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	push @wrong, 'signature' if substr($bytes, 0, 8) ne "\x89PNG\r\n\x1a\n";
	while ($place + 12 <= length $bytes) {
		my ($size, $kind) = unpack 'Na4', substr $bytes, $place, 8;
		my $body = substr $bytes, $place + 8, $size;
		my $sum = unpack 'N', substr($bytes, $place + 8 + $size, 4) . "\0" x 4;
		push @wrong, "sum of $kind" if $sum != Compress::Zlib::crc32("$kind$body");
		push @kinds, $kind;
		$data .= $body if $kind eq 'IDAT';
		$place += $size + 12;
	}
	push @wrong, 'length' if $place != length $bytes;
	push @wrong, "chunks @kinds" if "@kinds" !~ /^IHDR .*IDAT IEND$/;
	my ($width, $height, $bits, $colour) = unpack 'NNCC', substr $bytes, 16, 10;
	my $samples = { 0 => 1, 2 => 3, 3 => 1, 4 => 2, 6 => 4 }->{$colour} // 0;
	my $row = 1 + ceil($width * $bits * $samples / 8);
	push @wrong, 'pixels' if
		length(Compress::Zlib::uncompress($data) // '') != $row * $height;
	is("@wrong", '', $path =~ s{.*/}{}r . ': a picture');
	return [$width, $height];
}

# In place of rrdtool, in a directory of its own.
sub make_rrdtool {
	my ($dir, $script) = @_;
	my $path = "$scratch/$dir/rrdtool";

	mkdir "$scratch/$dir" or die "$scratch/$dir: $!\n";
	open my $file, '>', $path or die "$path: $!\n";
	print $file "#!/bin/sh\n$script";
	close $file or die "$path: $!\n";
	chmod 0755, $path;
}

# One that draws as well, and leaves what it was told and has drawn; and one that finds
# the daemon writing to a file, every other time.
sub make_rrdtools {
	make_rrdtool('bin', <<"END");
[ "\$1 \$2" = 'graph /dev/null' ] && exec '$program' "\$@"
shift
printf '%s\\n' "\$@" >"\$1.told"
exec '$program' graphv "\$@" >"\$1.drawn"
END
	make_rrdtool('locked', <<"END");
rmdir '$scratch/turn' 2>/dev/null && exec '$program' "\$@"
mkdir '$scratch/turn'
echo 'ERROR: could not lock RRD' >&2
exit 1
END
}

# Runs conntap-graph: (status, what it printed, what it complained of).
sub graph {
	my ($host, $to, @options) = @_;

	return run('env', "PATH=$scratch/bin:$ENV{PATH}", $graph, @options, rrd_dir($host),
		"$scratch/$to");
}

# What is below a picture: name => [last, average, maximum]; and its measures.
sub drawn {
	my ($to, $picture) = @_;
	my $text = slurp("$scratch/$to/$picture.png.drawn");
	my %size = $text =~ /^((?:image|graph)_(?:width|height)) = (\d+)$/mg;
	my ($head, @words) = map { s/^\s+|\s+$//gr } $text =~ /^legend\[\d+\] = "(.*)"$/mg;
	my %legend;

	is($head =~ s/ +/ /gr, 'last average maximum', "$picture: a headline");
	while (my ($name, @numbers) = splice @words, 0, 4) {
		$legend{$name} = [map { s/ %$//r } @numbers];
	}
	return (\%legend, \%size);
}

# Test: so much is said below the picture, to the digits that are shown there.
sub says {
	my ($name, $legend, $column, $digits, %expected) = @_;
	my %is = map { $_ => $legend->{$_} ? $legend->{$_}[$column] : 'absent' }
		keys %expected;
	my %should = map { $_ => sprintf "%.${digits}f", $expected{$_} } keys %expected;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply(\%is, \%should, $name);
}

# The values of a type in a group, by their names; without those that are 0.
sub of_type {
	my ($values, $key) = @_;

	return map { /^\Q$key\E (\S+)$/ && $values->{$_} ? ($1 => $values->{$_}) : () }
		keys %$values;
}

sub share_of {
	my ($values, $group, $part) = @_;
	my %flows = of_type($values, "all-$group current_connections");
	my $all = 0;

	$all += $_ for values %flows;
	return 100 * ($flows{$part} // 0) / $all;
}

sub listed_pictures {
	return sort map { /`(\w+)\.png`/g } slurp("$contrib/README.md") =~ /^\|.*$/mg;
}

sub check_pictures {
	my ($host, $seen) = @_;
	# rrdtool takes a second more than it is told.
	my @end = ('--end', $seen->{to} - 1, '--period', '60s');
	my @names = listed_pictures();

	# As everybody runs it, and then with a look inside.
	my ($status, $out, $err) = run($graph, @end, rrd_dir($host), "$scratch/plain");
	is("$status $err", '0 ', 'conntap-graph: status');
	is_deeply([sort $out =~ m{^\Q$scratch\E/plain/(\w+)\.png$}mg], \@names,
		'conntap-graph: all pictures that its README has') or diag($out);
	($status, $out, $err) = graph($host, 'told', @end);
	is("$status $err", '0 ', 'conntap-graph: once more');
	for my $name (@names) {
		my (undef, $size) = drawn('told', $name);
		is_deeply([@$size{qw(graph_width graph_height)}], [800, 220],
			"$name.png: so large in the middle");
		is_deeply(png_size("$scratch/plain/$name.png"),
			[@$size{qw(image_width image_height)}], "$name.png: and as a whole");
	}
	check_legends($seen);
	check_shape($host, @end);
	check_locked($host, @end);
	check_comma($host, @end);
}

# Test: below the pictures are the numbers that there are.
sub check_legends {
	my ($seen) = @_;
	my ($expected, $grown) = @$seen{qw(values grown)};
	my %legend = map { $_ => (drawn('told', $_))[0] } listed_pictures();
	my %max = map { ($_ => $expected->{"all $_"}) } 'conntrack used', 'conntrack free';

	says('fullness: as last', $legend{fullness}, 0, 0,
		'flows' => $max{'conntrack used'},
		'peak between readings' => $max{'conntrack used'},
		'limit' => $max{'conntrack used'} + $max{'conntrack free'});
	my %protos = of_type($expected, 'all current_connections');
	says('protocols: as last', $legend{protocols}, 0, 0, %protos);
	says('tcp: as last', $legend{tcp}, 0, 0, of_type($expected, 'all tcp_connections'));
	says('shares: as last', $legend{shares}, 0, 1,
		'without a reply' => share_of($expected, 'reply', 'unreplied'),
		'evictable (unassured)' => share_of($expected, 'assurance', 'unassured'),
		'translated' => share_of($expected, 'translation', 'nat'),
		'offloaded' => share_of($expected, 'path', 'offloaded'));
	my %pools = of_type($expected, 'all-nat percent');
	# Values with a rounding error in them, and few digits.
	$_ += 1e-9 for values %pools;
	says('nat: as last', $legend{nat}, 0, 1, %pools);
	cmp_ok(scalar keys %pools, '>', 2, 'nat: several addresses');
	my %drops = (drop => 'packets dropped', insert_failed => 'flows not inserted',
		invalid => 'invalid packets');
	for my $name (sort keys %drops) {
		my ($last, $mean, $most) = @{$legend{losses}{$drops{$name}}};
		is($most > 0, $grown->{"all errors $name"} > 0, "losses: $drops{$name}");
	}
	for my $way ('new', 'ended') {
		my $most = $legend{changes}{$way}[2];
		cmp_ok($most, '>', 50, "changes: $way flows");
		cmp_ok($most, '<=', scalar @{$seen->{$way}}, 'and not more than there were');
	}
}

sub told {
	my ($to, $picture) = @_;

	return split /\n/, slurp("$scratch/$to/$picture.png.told");
}

# Options.
sub check_shape {
	my ($host, @end) = @_;
	my ($status, $out, $err) = graph($host, 'wide', @end, '--only', 'tcp', '--only',
		'shares', '--width', 500, '--height', 90);

	is("$status $err", '0 ', '--only, --width, --height: status');
	is_deeply([sort $out =~ m{/(\w+)\.png$}mg], ['shares', 'tcp'], '--only: only these');
	for my $name ('shares', 'tcp') {
		my ($wide, $plain) = map { png_size("$scratch/$_/$name.png") } 'wide', 'told';
		is($plain->[0] - $wide->[0], 300, "$name.png: its width");
		is($plain->[1] - $wide->[1], 130, "$name.png: its height");
	}
	my %periods = (90 => '90', 40 => '40s', 5400 => '90m', 21600 => '6h', 604800 => '7d',
		2419200 => '4w');
	for my $seconds (sort { $a <=> $b } keys %periods) {
		($status, $out, $err) = graph($host, 'period', '--only', 'fullness',
			'--period', $periods{$seconds});
		my ($start) = join(' ', told('period', 'fullness')) =~ /--start (\S+)/;
		is("$status $err $start", "0  end-${seconds}s",
			"--period $periods{$seconds}");
	}
}

# The same pictures, by an rrdtool that does not always get to its files.
sub check_locked {
	my ($host, @end) = @_;
	my ($status, $out, $err) = run('env', "PATH=$scratch/locked:$ENV{PATH}", $graph, @end,
		rrd_dir($host), "$scratch/again");

	is("$status $err", '0 ', 'files that are written to: status');
	is_deeply([grep { slurp("$scratch/again/$_.png") ne slurp("$scratch/plain/$_.png") }
		listed_pictures()], [], 'files that are written to: the same pictures');
}

# Where numbers have a comma, rrdtool prints them with one.
sub check_comma {
	my ($host, @end) = @_;

	SKIP: {
		my ($status) = run('localedef', '-i', 'de_DE', '-f', 'UTF-8',
			"$scratch/de_DE.UTF-8");
		skip('no locale with a comma can be made here', 1)
			if $status > 1 || !-e "$scratch/de_DE.UTF-8/LC_NUMERIC";
		local @ENV{qw(LOCPATH LC_ALL)} = ("$scratch", 'de_DE.UTF-8');
		my ($printed, $out, $err) = graph($host, 'comma', @end);
		is("$printed $err", '0 ', 'with a comma: status');
		for my $name (listed_pictures()) {
			my ($with, $without) = map { (drawn($_, $name))[0] } 'comma', 'told';
			$with = { map { $_ => [map { tr/,/./r } @{$with->{$_}}] }
				keys %$with };
			is_deeply($with, $without, "with a comma: $name.png");
		}
	}
}

# Part two: a peak, namespaces, processors, and what is not drawn.

# The highest value, over so long a time for each.
sub highest {
	my ($host, $cf, $span, $key) = @_;
	my $answer = must($program, 'fetch', rrd_path($host, $key), $cf, '-r', $span, '-s',
		'end-300s', '-e', floor(time / $span) * $span);
	my @values = sort { $a <=> $b } grep { !/nan/ } $answer =~ /^\d+: (\S+)$/mg;

	return 0 + $values[-1];
}

# Floods the table between two readings; how many flows that were.
sub flood_between {
	my ($host) = @_;
	my $key = 'all conntrack used';
	my $flows = 20000;
	my $readings = sub { scalar(my @rows = $host->csv($key)) };

	for my $try (1 .. 5) {
		my $before = $readings->();
		wait_until('a reading', sub { $readings->() > $before });
		my $seen = $readings->();
		flood('-n', $flows);
		# As long as such a flood has to last to be seen for sure.
		select undef, undef, undef, 0.5;
		run('conntrack', '-F');
		return $flows if $seen == $readings->();
	}
	die "no flood was between two readings\n";
}

sub check_spaces {
	must('ip', 'netns', 'add', 'blue');
	insert_flows('blue', 1000, 5);
	my $host = start_collectd(interval => 4, plugin => with_rrd(<<'END'));
	ReportByCpu true
	Notify false
	Netns "all"
	Netns "/run/netns/blue"
END
	my $flows = flood_between($host);
	lose_packets(5000, 9);
	# A whole row of ten seconds, in which the flood was.
	wait_for_time($host, 10 * ceil(time / 10 + 0.1), 'all-peak conntrack used',
		'blue-peak conntrack used');
	$host->stop;
	ended_well($host);
	must('ip', 'netns', 'delete', 'blue');

	my @peaks = map { highest($host, 'MAX', 1, "$_ conntrack used") } 'all-peak', 'all';
	is($peaks[0], $flows, 'a flood between two readings is the MAX of the peak');
	cmp_ok($peaks[1], '<', 10, 'and nothing of what was read');
	is(highest($host, 'MAX', 10, 'all-peak conntrack used'), $flows,
		'the MAX of ten seconds is still that');
	cmp_ok(highest($host, 'AVERAGE', 10, 'all-peak conntrack used'), '<', $flows,
		'where the AVERAGE is not');
	my %there = map { $_ => 1 } rrd_keys($host);
	is_deeply([sort keys %there], [sort $host->csv_keys], 'namespaces: the same names');
	is_deeply([map { (last_updates($host, $_))[1][1] } 'blue conntrack used',
		'_run_netns_blue-peak conntrack used'], [5, 5], 'namespaces: their values');
	my @drops = grep { /^all-cpu\d+ errors drop$/ } keys %there;
	my @cpus = must('conntrack', '-S') =~ /^cpu=/mg;
	is(@drops, @cpus, 'each processor has its counters');
	ok(!$there{'all errors drop'}, 'and there is no sum');
	check_space_pictures($host, $flows, @drops);
	check_errors($host);
}

# The highest sum over all processors.
sub highest_sum {
	my ($host, @keys) = @_;
	my %rates = series($host, 'MAX', @keys);
	my %sums;

	for my $rows (values %rates) {
		$sums{$_} += $rows->{$_} for keys %$rows;
	}
	return (sort { $b <=> $a } values %sums)[0];
}

sub check_space_pictures {
	my ($host, $flows, @drops) = @_;
	my @end = ('--period', '90s');
	my ($status, $out, $err) = graph($host, 'cpus', @end);

	is("$status $err", '0 ', 'processors: status');
	is_deeply([$out =~ m{/(\w+)\.png$}mg], ['fullness', 'losses'],
		'what is not stored is not drawn');
	my ($legend) = drawn('cpus', 'fullness');
	says('fullness: its peak', $legend, 2, 0, 'peak between readings' => $flows);
	cmp_ok($legend->{flows}[2], '<', 10, 'and what was read');
	# A pixel for each ten seconds, as in a picture of a week it would be for minutes.
	graph($host, 'coarse', '--only', 'fullness', '--period', '600s', '--width', 60);
	($legend) = drawn('coarse', 'fullness');
	says('fullness: its peak, from afar', $legend, 2, 0,
		'peak between readings' => $flows);
	($legend) = drawn('cpus', 'losses');
	my $most = highest_sum($host, @drops);
	cmp_ok($most, '>', 0, 'packets were dropped');
	says('processors: their sum', $legend, 2, 2, 'packets dropped' => $most);
	my $files = () = join("\n", told('cpus', 'losses')) =~
		/^DEF:\w+=\S*conntap-all-cpu\d+\/errors-drop\.rrd:value:MAX$/mg;
	is($files, @drops, 'processors: all of them');

	for my $netns ('blue', '/run/netns/blue') {
		($status, $out, $err) = graph($host, 'blue', @end, '--netns', $netns);
		is("$status $err", '0 ', "--netns $netns: status");
		is_deeply([$out =~ m{/(\w+)\.png$}mg], ['fullness', 'losses'],
			"--netns $netns: pictures");
		($legend) = drawn('blue', 'fullness');
		says("--netns $netns: its flows", $legend, 2, 0, flows => 5,
			'peak between readings' => 5);
		my ($title) = join("\n", told('blue', 'fullness')) =~ /^--title\n(.*)$/m;
		is($title, "Flows in the table (gateway, $netns)", "--netns $netns: title");
	}
}

# Test: one line that says why, status 2, and nothing else.
sub refuses_as {
	my ($why, @command) = @_;
	my ($status, $out, $err) = run(@command);
	my $name = join ' ', map { s{.*/}{}r } @command[1 .. $#command];

	local $Test::Builder::Level = $Test::Builder::Level + 2;
	is("$status $out", '2 ', "conntap-graph $name: status 2, no output");
	like($err, qr/\Aconntap-graph: [^\n]*\Q$why\E[^\n]*\n\z/, "$name: why, in a line");
	ok(!-e "$scratch/none", "$name: nothing is made");
}

sub refuses {
	my ($host, $why, @options) = @_;

	refuses_as($why, $graph, @options, rrd_dir($host), "$scratch/none");
}

# Test: without the files of the daemon's own namespace, the others are named.
sub only_elsewhere {
	my ($dir) = @_;

	mkdir "$scratch/elsewhere" or die "$scratch/elsewhere: $!\n";
	for my $path (glob "$dir/conntap-blue*") {
		symlink $path, "$scratch/elsewhere/" . $path =~ s{.*/}{}r or die "$path: $!\n";
	}
	refuses_as('nothing of that is stored there: --netns may be blue', $graph,
		"$scratch/elsewhere", "$scratch/none");
	refuses_as('nothing of that is stored there', $graph, '--netns', 'blue', '--only',
		'tcp', "$scratch/elsewhere", "$scratch/none");
}

sub check_errors {
	my ($host) = @_;
	my $dir = rrd_dir($host);

	refuses($host, 'nothing of that is stored there: --netns may be _run_netns_blue, all, blue',
		'--netns', 'green');
	only_elsewhere($dir);
	refuses($host, 'nothing of that is stored', '--only', 'tcp');
	refuses($host, 'there is no picture cats', '--only', 'cats');
	refuses($host, "--period: $_ is not a time", '--period', $_) for '6y', '0', '-5m', 'h',
		'1.5h', '';
	refuses($host, 'width', '--width', 'wide');
	refuses($host, '--width', '--width', 0);
	refuses($host, '--height', '--height', -3);
	refuses($host, 'colour', '--colour');
	refuses($host, 'rrdtool: end time: ', '--end', 'noonish');
	refuses_as('is no directory', $graph, "$dir/nowhere", "$scratch/none");
	refuses_as('no values of the plugin', $graph, "$host->{dir}/csv", "$scratch/none");
	refuses_as('are expected', $graph, $dir);
	refuses_as('are expected', $graph);
	refuses_as('No such file', $graph, $dir, "$scratch/nowhere/none");
	refuses_as('rrdtool: No such file', 'env', "PATH=$scratch", $graph, $dir,
		"$scratch/none");
	my ($status, $out, $err) = run($graph, '--help');
	is("$status $err", '0 ', '--help: status');
	like($out, qr/\Ausage: conntap-graph .*^  --period .*^  --netns /ms, '--help');
}

make_rrdtools();
main->can("check_$_")->() for @ARGV ? @ARGV : qw(values spaces);
done_testing();
