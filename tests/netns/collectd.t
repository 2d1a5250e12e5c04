#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The plugin in a real collectd: every value, by all ways that they leave it, against
# conntrack(8), /proc and a recount of the flows; and what may go wrong.  Arguments are
# the parts to run, "peak" for check_peak().
use strict;
use warnings;

use File::Temp ();
use FindBin;
use Test::More;
use Time::HiRes qw(time);

use lib $FindBin::Bin;
use Lab;
use Collectd;

enter_lab();
need_collectd();

# Who asks for the page is no traffic.
must('nft', 'add table inet quiet; add chain inet quiet output ' .
	'{ type filter hook output priority raw; }; ' .
	'add rule inet quiet output oif lo notrack');

my %usual = (1 => 'icmp', 6 => 'tcp', 17 => 'udp', 33 => 'dccp', 47 => 'gre',
	58 => 'icmpv6', 132 => 'sctp', 136 => 'udplite');
my %states = (
	tcp => [qw(NONE SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK
		TIME_WAIT CLOSE SYN_SENT2)],
	sctp => [qw(NONE CLOSED COOKIE_WAIT COOKIE_ECHOED ESTABLISHED SHUTDOWN_SENT
		SHUTDOWN_RECD SHUTDOWN_ACK_SENT HEARTBEAT_SENT HEARTBEAT_ACKED)],
	dccp => [qw(NONE REQUEST RESPOND PARTOPEN OPEN CLOSEREQ CLOSING TIMEWAIT IGNORE
		INVALID)],
);
# By conntrack(8)'s names: what does harm is an error.
my %errors = map { $_ => 1 } qw(invalid insert_failed drop early_drop error
	chaintoolong);
my @durations = ([1, '0-1s'], [10, '1-10s'], [60, '10-60s'], [600, '1-10m'],
	[3600, '10-60m'], [9**9**9, 'over_1h']);
# How long it has taken to end, each time.
my @ends;
my @sizes = ([1e3, '0-1k'], [1e4, '1-10k'], [1e5, '10-100k'], [1e6, '100k-1M'],
	[1e7, '1-10M'], [1e8, '10-100M'], [9**9**9, 'over_100M']);

# What the values should be.

sub put {
	my ($into, $instance, $type, $values) = @_;

	$into->{"$instance $type $_"} = $values->{$_} for keys %$values;
}

sub put_fill {
	my ($into, $instance, $count, $max) = @_;

	put($into, $instance, 'conntrack', { used => $count,
		$max ? (free => $max - $count) : () });
	put($into, $instance, 'percent', { used => 100 * $count / $max }) if $max;
}

# The kernel's own; without rights, not the expectations.
sub kernel_values {
	my %how = @_;
	my ($max, %values) = (setting('nf_conntrack_max'));

	put_fill(\%values, 'all', table_size(), $max);
	put_fill(\%values, 'all-peak', table_size(), $max);
	put_fill(\%values, 'all-expect', 0 + must('conntrack', '-C', 'expect'),
		setting('nf_conntrack_expect_max')) unless $how{no_rights};
	for my $line (map { split /\n/, must('conntrack', '-S', @$_) } [], ['exp']) {
		my ($cpu, %counts) = split /[\s=]+/, $line =~ s/^cpu=//r;
		for my $name (keys %counts) {
			my $shown = $name eq 'chaintoolong' ? 'chain_toolong' : $name;
			my $instance = $shown =~ s/^expect_// ? 'all-expect' :
				$how{by_cpu} ? "all-cpu$cpu" : 'all';
			my $type = $errors{$name} ? 'errors' : 'operations';
			$values{"$instance $type $shown"} += $counts{$name};
		}
	}
	return %values;
}

# How many flows there are of which the code gives that name; 0 for those named.
sub parted {
	my ($by, $names, @flows) = @_;
	my %counts = map { $_ => 0 } @$names;

	$counts{$by->()}++ for @flows;
	return \%counts;
}

sub state_of {
	my ($proto) = @_;
	my %known = map { $_ => 1 } @{$states{$proto}};

	return sub { $known{$_->{state} // ''} ? $_->{state} : 'other' };
}

sub bytes_of {
	my $sum = 0;

	$sum += $_->{orig}{bytes} + $_->{reply}{bytes} for @_;
	return $sum;
}

# Flows that the configuration has a name for.
sub put_named {
	my ($into, $instance, $name, @flows) = @_;

	put($into, $instance, 'current_connections', { $name => scalar @flows });
	put($into, $instance, 'bytes', { $name => bytes_of(@flows) })
		unless grep { !defined $_->{orig}{bytes} } @flows;
}

# The port, id or key on our side, and what takes its place on the remote's.
sub ends_of {
	my ($reply) = @_;

	return ($reply->{id}, $reply->{type} << 8 | $reply->{code})
		if defined $reply->{type};
	return map { hex } @$reply{qw(dstkey srckey)} if defined $reply->{srckey};
	return @$reply{qw(dport sport)};
}

sub put_nat {
	my ($into, $instance, $how, @flows) = @_;
	my %lowest = (icmp => 0, icmpv6 => 0, gre => 1);
	my (%ports, %remotes, %range);

	for my $name (map { $how->{public} ? "$how->{public}-$_" : () } 'tcp', 'udp') {
		put($into, $instance, $_, { $name => 0 }) for 'objects', 'percent';
	}
	for my $flow (@flows) {
		my ($reply, $proto) = ($flow->{reply}, $usual{$flow->{protonum}});
		my ($port, $remote_port) = ends_of($reply);
		next unless $how->{public} ? $how->{public} eq $reply->{dst} :
			$flow->{flags}{SRC_NAT};
		my ($low, $high) = @{$how->{ports} //
			[$lowest{$proto // ''} // 1024, 65535]};
		next unless defined $port && $port >= $low && $port <= $high;
		my $zone = $flow->{zone} || $flow->{zone_reply} || 0;
		my $name = "$reply->{dst}-$proto" . ($zone ? "-zone$zone" : '');
		$ports{$name}{$port} = 1;
		$remotes{$name}{"$reply->{src} $remote_port"}++;
		$range{$name} = $high - $low + 1;
	}
	for my $name (keys %ports) {
		my ($most) = sort { $b <=> $a } values %{$remotes{$name}};
		put($into, $instance, 'objects',
			{ $name => scalar keys %{$ports{$name}} });
		put($into, $instance, 'percent',
			{ $name => 100 * $most / $range{$name} });
	}
}

# How: netns; marks, matches: pairs of a name and a code; nat.
sub table_values {
	my %how = @_;
	my @flows = @{$how{flows} // [conntrack_flows()]};
	my $all = $how{netns} // 'all';
	my $group = sub { "$all-$_[0]" };
	my %values;

	my $count = sub {
		my ($instance, $by, @names) = @_;
		put(\%values, $instance, 'current_connections',
			parted($by, \@names, @flows));
	};
	$count->($all, sub { $usual{$_->{protonum}} // 'other' }, values %usual,
		'other');
	put(\%values, $all, 'tcp_connections', parted(state_of('tcp'),
		[@{$states{tcp}}, 'other'], grep { $_->{protonum} == 6 } @flows));
	for my $pair ([132, 'sctp'], [33, 'dccp']) {
		my ($number, $proto) = @$pair;
		put(\%values, $group->($proto), 'current_connections',
			parted(state_of($proto), [@{$states{$proto}}, 'other'],
				grep { $_->{protonum} == $number } @flows));
	}
	$count->($group->('reply'), sub { $_->{flags}{UNREPLIED} ? 'unreplied' :
		'replied' }, 'unreplied', 'replied');
	$count->($group->('assurance'), sub { $_->{flags}{ASSURED} ? 'assured' :
		'unassured' }, 'assured', 'unassured');
	$count->($group->('translation'), sub { $_->{flags}{SRC_NAT} ||
		$_->{flags}{DST_NAT} ? 'nat' : 'none' }, 'nat', 'none');
	$count->($group->('path'), sub { $_->{flags}{OFFLOAD} ? 'offloaded' :
		'kernel' }, 'offloaded', 'kernel');
	$count->($group->('family'), sub { $_->{family} }, 'ipv4', 'ipv6');
	$count->($group->('zone'), sub { $_->{zone} || $_->{zone_orig} || 0 }, 0,
		'other');
	put_configured(\%values, $group, \%how, @flows);
	put(\%values, $group->('self'), 'objects', { flows => scalar @flows });
	put(\%values, $group->('self'), 'errors', { pass => $how{failures} // 0 });
	return %values;
}

# The first mark that fits is a flow's; matches are each by itself.
sub put_configured {
	my ($into, $group, $how, @flows) = @_;
	my @left = @flows;

	for my $pair (pairs_of($how->{marks})) {
		my ($name, $is) = @$pair;
		put_named($into, $group->('mark'), $name, grep { $is->() } @left);
		@left = grep { !$is->() } @left;
	}
	put_named($into, $group->('mark'), 'other', @left) if $how->{marks};
	for my $pair (pairs_of($how->{matches})) {
		my ($name, $is) = @$pair;
		put_named($into, $group->('match'), $name, grep { $is->() } @flows);
	}
	put_nat($into, $group->('nat'), $how->{nat}, @flows) if $how->{nat};
}

sub pairs_of {
	my @list = @{$_[0] // []};

	return map { [@list[2 * $_, 2 * $_ + 1]] } 0 .. @list / 2 - 1;
}

# What is not as it should be, a line each.
sub differences {
	my ($got, $expected) = @_;
	my @lines;

	for my $key (sort keys %{{%$got, %$expected}}) {
		my ($is, $should) = map { $_->{$key} // 'absent' } $got, $expected;
		next if $is eq $should || "$is $should" !~ /absent/ &&
			abs($is - $should) <= 1e-6 + 1e-5 * $should;
		push @lines, "$key: $is, expected $should";
	}
	return @lines;
}

# Test: the page comes to be that, the groups chosen by the pattern, and nothing else.
sub comes_to_be {
	my ($host, $name, $chosen, $expected) = @_;
	my @wrong;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	eval { wait_until($name, sub {
		my %page = $host->page;
		my %values = $expected->();
		delete $page{$_} for grep { !/$chosen/ || /self duration pass$/ }
			keys %page;
		delete $values{$_} for grep { !/$chosen/ } keys %values;
		@wrong = differences(\%page, \%values);
		return !@wrong;
	}) };
	ok(!@wrong, $name) or diag(join "\n", splice @wrong, 0, 12);
}

# Test: a group's instances add up.
sub adds_up {
	my ($host, $group, $sum, $name) = @_;
	my %page = $host->page;
	my $found = 0;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$found += $page{$_} for grep { /^\Q$group\E \S+$/ } keys %page;
	is($found, $sum, "$name: the sum of $group");
}

# Traffic of all kinds.

my $many = <<'END';
	Table true
	Events true
	Mark "0x1" "one"
	Mark "0x2a0000/0xffff0000" "high"
	Mark 99 "nobody's"
	<Match "web">
		Proto tcp
		State ESTABLISHED
	</Match>
	<Match "ports">
		Dport "7001-7999"
	</Match>
	<Match "client six">
		OrigSrc "fd00:1::/64"
		Family ipv6
	</Match>
	<Match "waiting">
		Status "not-assured"
		Status "unreplied" # or
	</Match>
	<Match "translated">
		AnyNat true
	</Match>
	<Match "zone5">
		zone 5
	</Match>
	<Match "nothing">
		OrigDst 203.0.113.99
	</Match>
	Nat auto
END

sub many_values {
	return (kernel_values(), table_values(
		marks => [one => sub { $_->{mark} == 1 },
			high => sub { ($_->{mark} & 0xffff0000) == 0x2a0000 },
			"nobody's" => sub { $_->{mark} == 99 }],
		matches => [
			web => sub { $_->{protonum} == 6 &&
				$_->{state} eq 'ESTABLISHED' },
			ports => sub { ($_->{orig}{dport} // 0) =~ /^7\d{3}$/ &&
				$_->{orig}{dport} > 7000 },
			client_six => sub { $_->{orig}{src} =~ /^fd00:1::\w*$/ },
			waiting => sub { $_->{flags}{UNREPLIED} ||
				!$_->{flags}{ASSURED} },
			translated => sub { $_->{flags}{SRC_NAT} ||
				$_->{flags}{DST_NAT} },
			zone5 => sub { $_->{zone} == 5 },
			nothing => sub { 0 }],
		nat => {}));
}

my $of_events = qr/^all-(?:new|ended|duration|size|events) /;

# Pings of sizes that give a flow for each bucket.
sub ping {
	my ($count, $size) = @_;

	must(qw(ip netns exec client ping -q -A -c), $count, '-s', $size, '10.0.2.2');
}

# What conntrack(8) has heard of.
sub heard {
	my ($listener, $kind) = @_;

	return map { /^\s*\[\Q$kind\E\]\s+(.*)/ ? parse_flow($1) : () }
		split /\n/, so_far($listener);
}

sub put_by_proto {
	my ($into, $instance, $type, $much, @flows) = @_;

	$into->{"$instance $type $_"} = 0 for values %usual, 'other';
	$into->{"$instance $type " . ($usual{$_->{protonum}} // 'other')} += $much->()
		for @flows;
}

sub bucket_of {
	my ($value, $buckets) = @_;
	my ($bucket) = grep { $value < $_->[0] } @$buckets;

	return $bucket->[1];
}

# All that events tell but the durations.
sub event_values {
	my ($listener) = @_;
	my @ended = heard($listener, 'DESTROY');
	my %values = ('all-events errors lost' => 0, 'all-events operations subscribe' => 1,
		'all-events objects listening' => 1);

	put_by_proto(\%values, 'all-new', 'connections', sub { 1 },
		heard($listener, 'NEW'));
	put_by_proto(\%values, 'all-ended', 'connections', sub { 1 }, @ended);
	put_by_proto(\%values, 'all-ended', 'total_bytes', sub { bytes_of($_) }, @ended);
	put_by_proto(\%values, 'all-ended', 'packets',
		sub { $_->{orig}{packets} + $_->{reply}{packets} }, @ended);
	put(\%values, 'all-size', 'connections', parted(sub {
		bucket_of(bytes_of($_), \@sizes) }, [map { $_->[1] } @sizes], @ended));
	return %values;
}

# Flows' starts are known to the second only: what may be in each bucket.
sub check_durations {
	my ($host, $before, $after, @flows) = @_;
	my %page = $host->page;
	my (%least, %most);

	for my $flow (@flows) {
		my $short = bucket_of($before - $flow->{start} - 1, \@durations);
		my $long = bucket_of($after - $flow->{start}, \@durations);
		my $between = 0;
		for my $name (map { $_->[1] } @durations) {
			$between = 1 if $name eq $short;
			$most{$name}++ if $between;
			$between = 0 if $name eq $long;
		}
		$least{$short}++ if $short eq $long;
	}
	my @wrong = grep { my $got = $page{"all-duration connections $_"} // -1;
		$got < ($least{$_} // 0) || $got > ($most{$_} // 0) }
		map { $_->[1] } @durations;
	is("@wrong", '', 'durations: in their buckets');
}

# Test: the first values of those names are from one moment.
sub same_time {
	my ($host, $name, @keys) = @_;
	my %times;

	$times{($host->csv($_))[0][0]}++ for @keys;
	is(scalar keys %times, 1, "$name: all values have the same time");
}

# The same by all ways.
sub check_ways {
	my ($host, %values) = @_;
	my (%ctl, %csv, %static);

	for my $key (grep { !/ (?:operations|errors) / } keys %values) {
		$static{$key} = $values{$key};
		$ctl{$key} = $host->getval($key);
	}
	is(join("\n", differences(\%ctl, \%static)), '',
		'collectdctl getval: the same');
	for my $key (keys %values) {
		my @rows = $host->csv($key);
		$csv{$key} = $rows[-1][1] if @rows;
	}
	is(join("\n", differences(\%csv, \%values)), '', 'csv: the same');
	same_time($host, 'the kernel', grep { /^all(?:-peak|-expect)? (?!.*_conn)/ }
		keys %values);
	same_time($host, 'the table', grep { /_connections / && !/^all-zone/ }
		keys %values);
}

sub check_promtool {
	my $tool = program('prometheus/promtool');

	SKIP: {
		skip('no promtool (tests/netns/get-daemons.sh gets it)', 1)
			unless -x $tool;
		my $page = File::Temp->new;
		print $page Collectd::page_text();
		close $page;
		my ($status, $out, $err) =
			run('sh', '-c', "exec $tool check metrics <$page");
		is("$status $out$err", '0 ',
			'promtool check metrics has nothing to say');
	}
}

sub check_everything {
	my $listener = start_listening({}, 5,
		'conntrack', '-E', '-e', 'NEW,DESTROY', '-o', 'extended');
	my $host = start_collectd(plugin => $many);
	my $not_events = qr/^(?!all-(?:new|ended|duration|size|events) )/;

	comes_to_be($host, 'an empty table: zeros for all that is known', $not_events,
		\&many_values);
	comes_to_be($host, 'nothing has happened', $of_events,
		sub { event_values($listener),
			map({ ("all-duration connections $_->[1]" => 0) } @durations) });
	my $traffic = start_traffic();
	ping(@$_) for [3, 1400], [30, 1400], [200, 1400], [50, 65000], [200, 65000],
		[900, 65000];
	comes_to_be($host, 'all kinds of traffic', $not_events, \&many_values);
	my @flows = conntrack_flows();
	adds_up($host, "$_ current_connections", scalar @flows, 'traffic') for 'all',
		map { "all-$_" } qw(reply assurance translation path family zone mark);
	adds_up($host, 'all tcp_connections',
		scalar(grep { $_->{protonum} == 6 } @flows), 'traffic');
	adds_up($host, 'all conntrack', setting('nf_conntrack_max'), 'traffic');
	check_ways($host, many_values());
	check_promtool();
	$traffic = undef;
	@flows = conntrack_flows();
	my $already = heard($listener, 'DESTROY');
	my $before = time;
	run('conntrack', '-F');
	my $after = time;
	wait_until('the ends of all flows', sub {
		heard($listener, 'DESTROY') >= $already + @flows });
	comes_to_be($host, 'events', qr/^all-(?:new|ended|size|events) /,
		sub { event_values($listener) });
	my %page = $host->page;
	is_deeply([grep { !$page{"all-size connections $_->[1]"} } @sizes], [],
		'sizes: something in each bucket');
	adds_up($host, 'all-duration connections', scalar heard($listener, 'DESTROY'),
		'events');
	check_durations($host, $before, $after, @flows) if !$already;
	comes_to_be($host, 'all gone again', qr/^(?!all-(?:nat|peak) )$not_events/,
		\&many_values);
	interrupt($listener);
	is_deeply([$host->said], [], 'nothing to complain about');
	ends_soon($host, 'at first');
	is($host->{status}, 0, 'it ends well');
}

# Rows of csv that were written after the first so many.
sub rows_after {
	my ($host, $key, $seen) = @_;
	my @rows = $host->csv($key);

	return map { $_->[1] } @rows[$seen .. $#rows];
}

# What comes and goes between two readings shows as a peak.
sub check_peak {
	my $host = start_collectd(plugin => '', interval => 4);
	my $key = 'all conntrack used';
	my $flows = 20000;
	my $seen;

	for (1 .. 5) {
		my $before = () = $host->csv($key);
		wait_until('a reading', sub { $seen = () = $host->csv($key);
			$seen > $before });
		flood('-n', $flows);
		# As long as such a flood has to last to be seen for sure.
		select undef, undef, undef, 0.5;
		run('conntrack', '-F');
		last if $seen == $host->csv($key);
	}
	wait_until('the next reading',
		sub { rows_after($host, 'all-peak percent used', $seen) });
	is_deeply([map { 0 + (rows_after($host, "$_ conntrack used", $seen))[0] }
		'all', 'all-peak'], [0, $flows],
		'a flood between two readings is in the peak');
	wait_until('the reading after', sub {
		rows_after($host, 'all-peak percent used', $seen) > 1 });
	cmp_ok((rows_after($host, 'all-peak conntrack used', $seen))[1], '==', 0,
		'and not in the next');
	is_deeply([grep { !/^all(?:-peak|-expect)? / } $host->csv_keys], [],
		'nothing else unless it is asked for');
	is_deeply([$host->said], [], 'peak: nothing to complain about');
}

sub check_options {
	my $host = start_collectd(plugin => <<'END');
	ReportByCpu true
	Table true
	TableInterval 2
	Nat "10.0.2.100"
	NatPorts "2000-50000"
</Plugin>
<Plugin conntap>
	Mark 1
	Match "big"
	<Match "both ways">
		any_addr 10.0.2.2
		Proto "tcp,udp"
		DPort 7010
		dPort 7012
	</Match>
END
	my $traffic = start_traffic();
	my $values = sub { (kernel_values(by_cpu => 1), table_values(
		marks => [1 => sub { $_->{mark} == 1 }],
		matches => ['both_ways' => sub {
			my ($orig, $reply) = @$_{qw(orig reply)};
			return $_->{protonum} =~ /^(?:6|17)$/ &&
				$orig->{dport} =~ /^(?:7010|7012)$/ &&
				grep { $_ eq '10.0.2.2' } map { @$_{qw(src dst)} }
					$orig, $reply;
		}],
		nat => { public => '10.0.2.100', ports => [2000, 50000] })) };

	comes_to_be($host, 'processors, an address, ports', qr/./, $values);
	my %page = $host->page;
	ok(exists $page{'all-nat objects 10.0.2.100-tcp'}, 'the address has ports');
	my @cpus = must('conntrack', '-S') =~ /^cpu=/mg;
	is(scalar(grep { /^all-cpu\d+ errors drop$/ } keys %page), @cpus,
		'every processor');
	my $rows = wait_until('two passes', sub {
		my @rows = $host->csv('all current_connections tcp');
		return @rows > 1 && \@rows;
	});
	my $apart = $rows->[1][0] - $rows->[0][0];
	cmp_ok(abs($apart - 2), '<', 0.5, 'TableInterval: so often') or diag($apart);
	is_deeply([map { s/.*conntap plugin: //r } $host->said],
		['<Match "big"> is left out: it has no condition'],
		'what was left out');
	$traffic = undef;
	run('conntrack', '-F');
	comes_to_be($host, 'an address that is idle', qr/^all-nat /, sub {
		table_values(nat => { public => '10.0.2.100', ports => [2000, 50000] }) });
	ends_soon($host, 'options');

	# Started again, it begins at once, and with what the kernel has counted.
	insert_flows('gateway', 1000, 5);
	$host = start_collectd(plugin => "ReportByCpu true\nTable true\n");
	comes_to_be($host, 'started again', qr/./, sub {
		(kernel_values(by_cpu => 1), table_values()) });
	run('conntrack', '-F');
	set_sysctl('net/netfilter/nf_conntrack_acct', 0);
	$host = undef;
	flood('-n', 700);
	$host = start_collectd(plugin => <<'END');
	Table true
	Mark 7 "seven"
	Mark 8 "eight"
END
	comes_to_be($host, 'no accounting: no bytes where there are flows', qr/./, sub {
		my @marks = (seven => sub { $_->{mark} == 7 },
			eight => sub { $_->{mark} == 8 });
		return (kernel_values(), table_values(marks => \@marks));
	});
	set_sysctl('net/netfilter/nf_conntrack_acct', 1);
	run('conntrack', '-F');
}

sub sum_of {
	my ($host, $group) = @_;
	my %page = $host->page;
	my $sum = 0;

	$sum += $page{$_} for grep { /^\Q$group\E / } keys %page;
	return $sum;
}

# Test: so many events there were, heard or lost.
sub check_sum {
	my ($host, $expected, $name) = @_;
	my ($begun, $ended, $lost);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	eval { wait_until($name, sub {
		($begun, $ended, $lost) = map { sum_of($host, $_) } 'all-new connections',
			'all-ended connections', 'all-events errors';
		return $begun + $ended + $lost == $expected;
	}) };
	is($begun + $ended + $lost, $expected, $name) or
		diag("$begun begun, $ended ended, $lost lost");
	return ($begun + $ended, $lost);
}

# More events than there is room for: what was not heard is known to the last one.
sub check_lost {
	my $host = start_collectd(plugin => "Events true\nEventsBuffer 64Ki\n");
	my $flows = 20000;

	wait_until('a subscription',
		sub { sum_of($host, 'all-events operations') == 1 });
	kill STOP => $host->{job}{pid};
	flood('-n', $flows);
	kill CONT => $host->{job}{pid};
	my ($heard, $lost) = check_sum($host, $flows, 'heard and lost: all');
	cmp_ok($lost, '>', 0, 'lost: some');
	cmp_ok($heard, '>', 0, 'heard: some');
	run('conntrack', '-F');
	check_sum($host, 2 * $flows, 'and all ends, while it runs');
	is_deeply([$host->said], [], 'lost: nothing to complain about');
}

# With room, a flood of events is heard completely.
sub check_flood {
	my $host = start_collectd(
		plugin => "Events true\nTable true\nTableInterval 0.1\n");
	my $flows = 30000;

	wait_until('a subscription',
		sub { sum_of($host, 'all-events operations') == 1 });
	for (1 .. 3) {
		flood('-n', $flows);
		run('conntrack', '-F');
	}
	my (undef, $lost) = check_sum($host, 6 * $flows, 'a flood: begins and ends');
	is($lost, 0, 'a flood: nothing is lost');
	is(sum_of($host, 'all-size connections'), 3 * $flows, 'a flood: sizes');
	ends_soon($host, 'a flood');
}

# Which namespaces' flows there are: "one=3 two=5".
sub seen_in {
	my ($host) = @_;
	my %page = $host->page;

	return join ' ', map { /^(\S+) current_connections udp$/ ? "$1=$page{$_}" : () }
		sort keys %page;
}

sub comes_to {
	my ($name, $expected, $is) = @_;
	my $got = '';

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	eval { wait_until($name, sub { $got = $is->(); $got eq $expected }) };
	is($got, $expected, $name);
}

# What is told of events: "blue-events errors lost=0, ...".
sub events_of {
	my ($host, $netns) = @_;
	my %page = $host->page;

	return join ', ', map { "$_=$page{$_}" } grep {
		/^\Q$netns\E-(?:new|ended|duration|size|events) / } sort keys %page;
}

sub check_netns {
	must('ip', 'netns', 'add', $_) for 'one', 'two';
	insert_flows('one', 1000, 3);
	insert_flows('two', 2000, 5);
	my $host = start_collectd(plugin => <<'END');
	Netns "one"
	Netns "two"
	Netns "one"
	Table true
	Events true
	Nat auto
	Mark 0 "none"
END
	comes_to('two namespaces', 'one=3 two=5', sub { seen_in($host) });
	my $max = setting('nf_conntrack_max');
	comes_to('namespaces: used', '3 3 5 5', sub {
		my %page = $host->page;
		return join ' ', map { $_ // '?' } @page{map { "$_ conntrack used" }
			qw(one one-peak two two-peak)};
	});
	wait_until('the last values', sub {
		my %page = $host->page;
		return 2 == grep { defined } @page{'two errors drop',
			'two-self objects flows'};
	});
	my %page = $host->page;
	is_deeply([map { $page{"$_ conntrack free"} } 'one', 'two'],
		[$max - 3, $max - 5], 'namespaces: free');
	is($page{'two errors drop'}, 0, 'namespaces: counters');
	is_deeply([map { $page{"one-$_"} } 'reply current_connections unreplied',
		'mark current_connections none', 'zone current_connections 0',
		'self objects flows'], [3, 3, 3, 3], 'namespaces: groups');
	is_deeply([grep { !/^(?:one|two)(?:-[a-z]+)? / } keys %page], [],
		'namespaces: no other values');
	insert_flows('one', 1100, 4);
	comes_to('events of one', '4 0', sub { join ' ', map {
		sum_of($host, "$_-new connections") } 'one', 'two' });
	insert_flows('two', 2100, 4);
	comes_to('events of two', '4', sub { sum_of($host, 'two-new connections') });
	is_deeply([$host->said], [], 'namespaces: nothing to complain about');

	# It goes, and another comes by its name.
	must('ip', 'netns', 'delete', 'two');
	comes_to('one that vanished', 'one=7', sub { seen_in($host) });
	my @said = $host->said;
	my $gone = qr/no such namespace|Invalid argument/;
	is(scalar(grep { /\(namespace two\).*$gone/ } @said), scalar @said,
		'vanished: it is said') or diag(join "\n", @said);
	cmp_ok(scalar @said, '<=', 3, 'vanished: once by each reader');
	comes_to('vanished: nobody listens', 'two-events objects listening=0',
		sub { events_of($host, 'two') });
	must('ip', 'netns', 'add', 'two');
	insert_flows('two', 3000, 2);
	comes_to('one that returned', 'one=7 two=2', sub { seen_in($host) });
	comes_to('returned: a new subscription', '2', sub {
		sum_of($host, 'two-events operations') });
	%page = $host->page;
	is($page{'two-events objects listening'}, 1, 'returned: somebody listens');
	cmp_ok(sum_of($host, 'two-new connections'), '>=', 4,
		'returned: events go on where they were');
	insert_flows('two', 3100, 6);
	# Of the two flows that there were already, it may have heard.
	comes_to('returned: its events', 'all', sub {
		my $heard = sum_of($host, 'two-new connections') - 4;
		return $heard == 6 || $heard == 8 ? 'all' : $heard });
	comes_to('returned: its peak', '8', sub {
		my %page = $host->page;
		return $page{'two-peak conntrack used'} // '?';
	});
	ok((grep { /\(namespace two\): it works again/ } $host->said),
		'returned: it is said');
	ends_soon($host, 'namespaces');

	$host = start_collectd(plugin => "Netns all\nTable true\nEvents true\n");
	my $all = 'all=0 client=0 gateway=0 one=7 server=0 two=8';
	comes_to('all namespaces', $all, sub { seen_in($host) });
	must('ip', 'netns', 'add', 'three');
	insert_flows('three', 4000, 1);
	comes_to('all: a new one', $all =~ s/ two/ three=1 two/r,
		sub { seen_in($host) });
	must('ip', 'netns', 'delete', 'three');
	comes_to('all: one less', $all, sub { seen_in($host) });
	insert_flows('gateway', 5000, 2);
	comes_to('all: its own has a name, too', $all =~ s/(all|gateway)=0/$1=2/gr,
		sub { seen_in($host) });
	is_deeply([$host->said], [], 'all: nothing to complain about');
	$host = undef;
	must('ip', 'netns', 'delete', $_) for 'one', 'two';
	run('conntrack', '-F');
}

# Another namespace takes a name while somebody stays in the one that had it.
sub check_replaced {
	must('ip', 'netns', 'add', 'one');
	insert_flows('one', 1000, 50);
	my $stays = start({}, qw(ip netns exec one sleep 600));
	my $host = start_collectd(plugin => "Netns one\nEvents true\n");
	my $is = sub {
		my %page = $host->page;
		return join ' ', map { $_ // '?' } @page{map { "one$_" } ' conntrack used',
			'-peak conntrack used', ' operations insert',
			'-events objects listening'};
	};

	comes_to('a namespace', '50 50 50 1', $is);
	must('ip', 'netns', 'delete', 'one');
	must('ip', 'netns', 'add', 'one');
	insert_flows('one', 2000, 1);
	comes_to('another by its name', '1 1 1 1', $is);
	comes_to('another: a new subscription', '2',
		sub { sum_of($host, 'one-events operations') });
	insert_flows('one', 2100, 3);
	comes_to('another: its events', '3', sub { sum_of($host, 'one-new connections') });
	comes_to('another: its peak', '4 4 4 1', $is);
	$host = undef;
	interrupt($stays);
	must('ip', 'netns', 'delete', 'one');
}

# More namespaces than are watched; where none is, none has to be made.
sub check_too_many {
	my $none = join '', map { "Netns \"no/such/place$_\"\n" } 1 .. 252;
	my $host = start_collectd(plugin => "${none}Netns all\nTable true\nEvents true\n");
	my $said = sub { grep { !/no such namespace/ } $host->said };
	my $readings = sub { scalar(my @rows = $host->csv('all conntrack used')) };
	my $pass = sub {
		my $before = $readings->();
		wait_until('readings', sub { $readings->() > $before + 2 });
	};

	comes_to('as many as there may be', 'all=0 client=0 gateway=0 server=0',
		sub { seen_in($host) });
	is_deeply([$said->()], [], 'as many: nothing to complain about');
	for my $names (['one'], ['one', 'two']) {
		must('ip', 'netns', 'add', $_) for @$names;
		wait_until('a line', sub { $said->() });
		$pass->();
		like(join("\n", $said->()), qr/\A\[warning\]\ conntap\ plugin:\ namespaces
			\ that\ are\ not\ watched:\ [12]\ \(at\ most\ 256\ are[^\n]*\z/x,
			"@$names too many: one line");
		must('ip', 'netns', 'delete', $_) for @$names;
		wait_until('the end of it', sub { $said->() > 1 });
		$pass->();
		my @lines = $said->();
		is_deeply([@lines[1 .. $#lines]],
			['[info] conntap plugin: all namespaces are watched again'],
			"@$names too many: and its end");
		open my $log, '>', "$host->{dir}/log" or die "$host->{dir}/log: $!\n";
	}
}

my $warning = '[warning] conntap plugin:';
my $needs = 'Operation not permitted: collectd needs CAP_NET_ADMIN ' .
	'(CapabilityBoundingSet= in its unit; see collectd-conntap(5))';
my $needs_there = $needs =~ s/needs/needs CAP_SYS_ADMIN, to enter it, and/r;

# /proc tells everybody something.
sub check_rights {
	my %who = (nobody => [qw(setpriv --reuid=65534 --regid=65534 --clear-groups)],
		'root without rights' => [qw(setpriv --bounding-set=-net_admin
			--inh-caps=-net_admin)]);

	insert_flows('gateway', 1000, 5);
	for my $who (sort keys %who) {
		my @as = @{$who{$who}};
		SKIP: {
			my ($status) = run(@as, '/usr/sbin/collectd', '-h');
			skip("no $who here", 1) if $status;
			my $host = start_collectd(before => \@as,
				plugin => "Table true\nEvents true\n");
			comes_to_be($host, "$who: what /proc has",
				qr/^(?!.*self)/,
				sub { kernel_values(no_rights => 1),
					'all-events objects listening' => 0 });
			# It is tried again and again, and said once.
			wait_until('some tries', sub {
				sum_of($host, 'all-self errors') >= 3 });
			my @missing = map { "$warning cannot $_: $needs" }
				'listen to events', 'read the table';
			is_deeply([sort $host->said], \@missing,
				"$who: what is missing, once");
			is_deeply([grep { /_connections |^self (?!errors)/ }
				$host->csv_keys], [], "$who: no counts of flows");
			ends_soon($host, $who);
		}
	}
	run('conntrack', '-F');
}

# A datagram from the client's port to the server's.
sub datagram {
	my ($from, $to) = @_;

	must(qw(ip netns exec client), $^X, '-MIO::Socket::INET', '-e',
		'IO::Socket::INET->new(Proto => "udp", LocalPort => $ARGV[0], ' .
		'PeerAddr => "10.0.2.2", PeerPort => $ARGV[1])->send("x") or die',
		$from, $to);
}

# What the kernel has counted of losses, by conntrack(8).
sub losses {
	my %sums;

	for my $pair (must('conntrack', '-S') =~ /\w+=\d+/g) {
		my ($name, $count) = split /=/, $pair;
		$sums{$name} += $count;
	}
	return @sums{qw(drop early_drop insert_failed)};
}

# One port serves one flow to each remote: the second is lost.
sub check_notify {
	my $host = start_collectd(plugin => '');
	my $losses = sub { sum_of($host, 'all errors') };
	my $notified = sub { grep { /Notification: / } split /\n/, $host->log };

	must('nft', 'add chain inet quiet source { type nat hook postrouting ' .
		'priority srcnat - 10; }; add rule inet quiet source udp dport 7777 ' .
		'snat ip to 10.0.2.100:20000');
	wait_until('a reading', sub { $host->csv('all errors drop') });
	my ($before, @counted) = ($losses->(), losses());
	datagram(4001, 7777);
	wait_until('a flow', sub { table_size() == 1 });
	datagram(4002, 7777);
	wait_until('a loss', sub { $losses->() > $before });
	my ($bad, $good) = @{wait_until('notifications', sub {
		my @lines = $notified->(); @lines > 1 && \@lines })};
	my $about = 'host = gateway, plugin = conntap, plugin_instance = all, ' .
		'message = The connection tracking table';
	my ($dropped, $evicted, $failed) = map { $_ - shift @counted } losses();
	is($dropped, 1, 'a loss: one');
	is($bad =~ s/.*(?=severity)//r, "severity = WARNING, $about lost something since the " .
		"last reading: $dropped packets dropped, $evicted flows evicted, " .
		"$failed flows not inserted", 'a loss: a warning, in numbers');
	is($good =~ s/.*(?=severity)//r, "severity = OKAY, $about has lost nothing since the " .
		'last reading', 'no more: okay');
	is(scalar $notified->(), 2, 'and no others');
	$host = undef;

	$host = start_collectd(plugin => "Notify false\n");
	wait_until('a reading', sub { $host->csv('all errors drop') });
	$before = $losses->();
	datagram(4003, 7777);
	wait_until('a loss', sub { $losses->() > $before });
	my $seen = () = $host->csv('all errors drop');
	wait_until('readings', sub { $host->csv('all errors drop') > $seen + 1 });
	is_deeply([$notified->()], [], 'Notify false: none');
	must('nft', 'delete chain inet quiet source');
	run('conntrack', '-F');
}

# In another namespace, too, /proc is to tell of that one.
sub check_rights_elsewhere {
	must('ip', 'netns', 'add', 'one');
	insert_flows('one', 1000, 7);
	my $host = start_collectd(before => [qw(setpriv --bounding-set=-net_admin
		--inh-caps=-net_admin)], plugin => "Netns one\n");
	comes_to('without rights, elsewhere: its counters', '7 7', sub {
		my %page = $host->page;
		return join ' ', map { $_ // '?' } @page{'one conntrack used',
			'one operations insert'} });
	$host = undef;

	# What is missing may be the right to go there.
	$host = start_collectd(before => [qw(setpriv --bounding-set=-sys_admin
		--inh-caps=-sys_admin)], plugin => "Netns one\nTable true\nEvents true\n");
	my @missing = map { "[warning] conntap plugin (namespace one): cannot $_: " .
		$needs_there } 'listen to events', "read the kernel's numbers",
		'read the table';
	comes_to('without the right to enter', join("\n", @missing), sub {
		join "\n", sort $host->said });
	$host = undef;
	must('ip', 'netns', 'delete', 'one');
}

sub faulty {
	my @faults = @_;

	return [qw(strace -D -f -qq -o /dev/null), map { ('-e', "inject=$_") } @faults];
}

# The kernel refuses, or gives up half-way, and then not any more.
sub check_faults {
	my $key = 'all current_connections udp';

	SKIP: {
		my ($status) = run(qw(strace -f -qq -o /dev/null true));
		skip('strace does not work here: no faults of system calls', 1)
			if $status;
		flood('-n', 5000);
		my $expected = grep { $_->{protonum} == 17 } conntrack_flows();
		check_refused($key, $expected);
		check_half($key, $expected);
		run('conntrack', '-F');
	}
}

sub check_refused {
	my ($key, $expected) = @_;
	my $host = start_collectd(before => faulty('sendto:error=EPERM:when=1..3'),
		plugin => "Table true\nEvents true\n");

	wait_until('the table', sub { $host->csv($key) > 1 });
	my @failures = map { 0 + $_->[1] } $host->csv('all-self errors pass');
	is_deeply([@failures[0 .. 3]], [1, 2, 3, 3], 'refused: counted');
	# Under strace, passes may take long.
	is_deeply([grep { !/events|interval/ } $host->said],
		["$warning cannot read the table: $needs",
		'[info] conntap plugin: it works again'],
		'refused: said once, and that it works again');
	is_deeply([grep { $_->[1] != $expected } $host->csv($key)], [],
		'refused: no half counts');
}

sub check_half {
	my ($key, $expected) = @_;
	my $host = start_collectd(before => faulty('recvfrom:error=ENOBUFS:when=4'),
		plugin => "Table true\n");

	wait_until('failures', sub { $host->csv('all-self errors pass') > 2 });
	cmp_ok(($host->csv('all-self errors pass'))[-1][1], '>', 0,
		'half a pass is a failure');
	is_deeply([grep { $_->[1] != $expected } $host->csv($key)], [],
		'half a pass: no half counts');
	like(join("\n", $host->said),
		qr/cannot read the table: No buffer space available/,
		'half a pass: why');
}

# What no configuration should have: one line each, and everything else works.
sub check_bad_options {
	my @bad = (
		'Frobnicate true' => 'there is no option Frobnicate',
		'ReportByCpu "perhaps"' => 'ReportByCpu: true or false is expected',
		'Notify true false' => 'Notify: one value is expected',
		'Table 7' => 'Table: true or false is expected',
		'TableInterval 0' => 'TableInterval: 0.1 to 86400 seconds are expected',
		'TableInterval "often"' => 'TableInterval: a number of seconds',
		'Mark "5g" "x"' => 'Mark: 5g is not a mark',
		'Mark true "x"' => 'Mark: true is not a mark',
		'Mark 1 2 3' => 'Mark: a mark and a name are expected',
		'Mark 1 ""' => 'Mark: its name is empty',
		'Mark 1 "other"' => "Mark: its name is another's",
		'Mark "8/0x" "x"' => 'Mark: 0x is not a mask',
		'Nat "nowhere"' => 'Nat: nowhere is not an address',
		'Nat "10.0.0.0/8"' => 'Nat: a single address is expected, or auto',
		'NatPorts "9-8"' => 'NatPorts: 9-8 is a range that ends',
		'Events "y"' => 'Events: true or false is expected',
		'EventsBuffer 12' => 'EventsBuffer: 4096 to 2147483647 bytes',
		'EventsBuffer "1x"' => 'EventsBuffer: 1x is not an amount',
		'Netns ""' => 'Netns: a name is expected',
	);
	my ($text, @why) = ('');

	for (my $i = 0; $i < @bad; $i += 2) {
		$text .= "$bad[$i]\n";
		push @why, $bad[$i + 1];
	}
	$text .= "<Match \"wrong\">\nProto tcp\nColour blue\n</Match>\n";
	push @why, 'Colour: there is no such condition', '<Match "wrong"> is left out';
	$text .= "<Match \"port\">\nDport 70000\n</Match>\n";
	push @why, 'Dport: 70000 is not a port', '<Match "port"> is left out';
	my $host = start_collectd(plugin => $text);
	comes_to_be($host, 'bad options: the daemon runs all the same', qr/./,
		sub { kernel_values() });
	my @said = $host->said;
	is(scalar @said, @why, 'bad options: a line each') or diag(join "\n", @said);
	my $begin = qr/^\[(?:warning|error)\] conntap plugin: /;
	for my $i (0 .. $#why) {
		like($said[$i] // '', qr/$begin\Q$why[$i]\E/, "bad options: $why[$i]");
	}

	$host = undef;
	$host = start_collectd();
	comes_to_be($host, 'no options at all', qr/./, sub { kernel_values() });
}

# Test: the daemon ends, which a busy machine may make a little later than in a second;
# but not each time, which is tested at the end.
sub ends_soon {
	my ($host, $name) = @_;
	my $took = $host->stop;

	push @ends, $took;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return cmp_ok($took, '<', 5, "$name: it ends soon");
}

# The daemon ends in the middle of a pass.
sub check_stop {
	my $flows = 200_000;
	my $max = setting('nf_conntrack_max');

	SKIP: {
		skip("no room for so many flows: $max", 1) if $max < 1.1 * $flows;
		flood('-n', $flows);
		my $host = start_collectd(plugin =>
			"Table true\nTableInterval 0.1\nNat auto\nEvents true\n");
		wait_until('passes without a pause', sub {
			grep { /a pass takes \S+ s, longer than its/ } $host->said });
		wait_until('values', sub { $host->csv('all-self objects flows') });
		cmp_ok(($host->csv('all-self objects flows'))[-1][1], '==', $flows,
			"$flows flows: counted");
		ends_soon($host, "$flows flows");
		is($host->{status}, 0, "$flows flows: it ends well");
		for my $try (1 .. 3) {
			$host = start_collectd(
				plugin => "Table true\nTableInterval 0.1\nNat auto\n");
			ends_soon($host, "ended in its first pass, try $try");
		}
		run('conntrack', '-F');
	}
}

# A pass that would take many seconds does not have to be waited for.
sub check_stop_slow {
	SKIP: {
		my ($status) = run(qw(strace -f -qq -o /dev/null true));
		skip('strace does not work here: no slow passes', 1) if $status;
		flood('-n', 100_000);
		my $host = start_collectd(plugin => "Table true\n",
			before => faulty('recvfrom:delay_exit=20000'));
		wait_until('readings', sub { $host->csv('all conntrack used') > 1 });
		cmp_ok($host->stop, '<', 3, 'a slow pass: it is not waited for');
		is_deeply([$host->csv('all-self objects flows')], [],
			'a slow pass: it was in the middle');
		run('conntrack', '-F');
	}
}

# How many values of the table the daemon has now.
sub listed {
	my ($host) = @_;
	my $list = must('collectdctl', '-s', "$host->{dir}/socket", 'listval');

	return scalar(() = $list =~ m{/conntap-all[^/]*/(?:current|tcp)_connections-}g);
}

# Where a pass takes several intervals, values are there all the same until the next one
# ends.  How often the table was looked for, how often it was not whole, and how long a
# pass took at least and at most; none if the machine was held up.
sub watch_slow_passes {
	my ($passes) = @_;
	my $host = start_collectd(before => faulty('recvfrom:delay_exit=50000'),
		config => <<'END');
<LoadPlugin conntap>
	Interval 600
</LoadPlugin>
<Plugin conntap>
	Table true
	TableInterval 1
</Plugin>
END
	my $rows = sub { $host->csv('all-self duration pass') };
	my ($looks, $gaps, @rows) = (0, 0);

	wait_until('a pass', $rows);
	my $all = wait_until('its values', sub { $rows->() && listed($host) > 40 &&
		listed($host) });
	my $seen = () = $rows->();
	wait_until('passes', sub {
		$looks++;
		$gaps++ if listed($host) != $all;
		return $rows->() >= $seen + $passes;
	});
	is_deeply([grep { !/a pass takes/ } $host->said], [],
		'slow passes: nothing else to complain about');
	@rows = $rows->();
	my @took = sort { $a <=> $b } map { $_->[1] } @rows;
	my @apart = map { $rows[$_][0] - $rows[$_ - 1][0] } 1 .. $#rows;
	return if grep { $_ > 1.5 * $took[0] + 1 } @apart;
	return ($looks, $gaps, @took[0, -1]);
}

sub check_slow {
	SKIP: {
		my ($status) = run(qw(strace -f -qq -o /dev/null true));
		skip('strace does not work here: no slow passes', 1) if $status;
		flood('-n', 5000);
		my ($looks, $gaps, $least, $most);
		for my $try (1 .. 3) {
			($looks, $gaps, $least, $most) = watch_slow_passes(4);
			last if defined $looks;
		}
		run('conntrack', '-F');
		skip('this machine is held up too much', 1) unless defined $looks;
		cmp_ok($least, '>', 2, "slow passes: $least to $most s, at an interval of 1 s");
		cmp_ok($looks, '>', 10, "slow passes: $looks looks");
		is($gaps, 0, 'slow passes: the table is there at every look');
	}
}

# collectd -T: everything is read once.
sub check_once {
	insert_flows('gateway', 1000, 5);
	my ($dir, @command) = collectd_command(options => ['-T'],
		plugin => "Table true\nEvents true\n");
	my ($status, $out, $err) = run(@command);
	my $host = bless { dir => $dir }, 'Collectd';

	is($status, 0, 'collectd -T: status') or diag($err);
	is_deeply([grep { !/^plugin_load/ } $host->said], [],
		'collectd -T: nothing to complain about');
	run('conntrack', '-F');
}

main->can("check_$_")->() for @ARGV ? @ARGV : qw(once everything peak options lost flood
	netns replaced too_many notify rights rights_elsewhere bad_options faults slow stop
	stop_slow);
cmp_ok((sort { $a <=> $b } @ends)[@ends / 2], '<', 1, 'mostly it ends within a second')
	if @ends;
done_testing();
