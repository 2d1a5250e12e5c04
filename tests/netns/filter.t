#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Conditions: what they choose is what a sieve in Perl takes out of conntrack(8)'s
# flows, whether the kernel helps or not.
use strict;
use warnings;

use FindBin;
use Socket qw(AF_INET AF_INET6 inet_pton);
use Test::More;
use Time::HiRes qw(time);

use lib $FindBin::Bin;
use Lab;

enter_lab();

# Whether an address is between two others.
sub within {
	my ($address, $low, $high) = @_;
	my ($value, $from, $to) = map { inet_pton(/:/ ? AF_INET6 : AF_INET, $_) }
		$address, $low, $high // $low;

	return length $value == length $from && $value ge $from && $value le $to;
}

# The number is there and between two others.
sub between {
	my ($number, $low, $high) = @_;

	return defined $number && $number >= $low && $number <= ($high // $low);
}

sub ports {
	return grep { defined } map { @$_{qw(sport dport)} } @{$_[0]}{qw(orig reply)};
}

sub addresses {
	return map { @$_{qw(src dst)} } @{$_[0]}{qw(orig reply)};
}

sub from_server { return $_[0]{orig}{src} =~ /^(10\.0\.2\.2|fd00:2::2)$/ }

sub zone {
	my ($flow, $direction) = @_;

	return $flow->{zone} || $flow->{"zone_$direction"} || 0;
}

sub total {
	my ($flow, $what) = @_;

	return $flow->{orig}{$what} + $flow->{reply}{$what};
}

sub label {
	my ($flow, $name) = @_;

	return scalar grep { $_ eq $name } @{$flow->{labels} // []};
}

sub flag { return $_[0]{flags}{$_[1]} ? 1 : 0 }

sub state_is {
	my ($flow, @states) = @_;

	return scalar grep { ($flow->{state} // '') eq $_ } @states;
}

# What is chosen => by which flows; $_ is the flow.  "none" says that there is none.
my @cases = (
	'--orig-src 10.0.1.2' => sub { $_->{orig}{src} eq '10.0.1.2' },
	'--orig-src 10.0.2.0/24' =>
		sub { within($_->{orig}{src}, '10.0.2.0', '10.0.2.255') },
	'--src 10.0.2.0/255.255.255.0' =>
		sub { within($_->{orig}{src}, '10.0.2.0', '10.0.2.255') },
	'-s 10.0.1.3-10.0.2.2' => sub { $_->{orig}{src} eq '10.0.2.2' },
	'-s 10.0.1.2-10.0.2.1' => sub { $_->{orig}{src} eq '10.0.1.2' },
	'-s fd00:1::2' => sub { $_->{orig}{src} eq 'fd00:1::2' },
	'-s fd00:1::3-fd00:2::2' => sub { $_->{orig}{src} eq 'fd00:2::2' },
	'-s fd00:2::/32' => sub { $_->{orig}{src} eq 'fd00:2::2' },
	'-s fd00:2::/ffff:ffff::' => sub { $_->{orig}{src} eq 'fd00:2::2' },
	'-s 10.0.2.2,fd00:2::2' => sub { from_server($_) },
	'-s 0.0.0.0/0' => sub { $_->{family} eq 'ipv4' },
	'-s ::/0' => sub { $_->{family} eq 'ipv6' },
	'--orig-src 10.0.2.2 --orig-src fd00:2::/64' => sub { from_server($_) },
	'--orig-dst 192.0.2.2' => sub { $_->{orig}{dst} eq '192.0.2.2' },
	'--dst 2001:db8::/32' => sub { $_->{orig}{dst} =~ /^2001:db8:/ },
	'-d 198.51.100.0/24,2001:db8:dead::/48' =>
		sub { $_->{orig}{dst} =~ /^(198\.51\.100|2001:db8:dead)/ },
	'-d 10.0.2.3-192.0.2.2' =>
		sub { within($_->{orig}{dst}, '10.0.2.3', '192.0.2.2') },
	'--reply-src 198.51.100.7' => sub { $_->{reply}{src} eq '198.51.100.7' },
	'-r 10.0.1.0/24' => sub { $_->{reply}{src} =~ /^10\.0\.1\./ },
	'-r fd00:1::2' => sub { $_->{reply}{src} eq 'fd00:1::2' },
	'--reply-dst 10.0.2.100' => sub { $_->{reply}{dst} eq '10.0.2.100' },
	'-q fd00:2::3-fd00:2::1:0' => sub { $_->{reply}{dst} eq 'fd00:2::100' },
	'--any-addr 192.0.2.2' => sub { grep { $_ eq '192.0.2.2' } addresses($_) },
	'--any-addr 10.0.2.100' => sub { grep { $_ eq '10.0.2.100' } addresses($_) },
	'--host fd00:2::64-fd00:2::100' =>
		sub { grep { $_ eq 'fd00:2::100' } addresses($_) },

	'--sport 40001' => sub { between($_->{orig}{sport}, 40001) },
	'--orig-src-port 40002-40010' =>
		sub { between($_->{orig}{sport}, 40002, 40010) },
	'--orig-port-src 40001,40010-40013' => sub {
		between($_->{orig}{sport}, 40001) ||
			between($_->{orig}{sport}, 40010, 40013)
	},
	'--dport 7001' => sub { between($_->{orig}{dport}, 7001) },
	'--orig-dst-port 7010-7012' => sub { between($_->{orig}{dport}, 7010, 7012) },
	'--orig-port-dst 7005,7001' =>
		sub { grep { $_ == 7001 || $_ == 7005 } $_->{orig}{dport} // () },
	'--dport ftp' => sub { between($_->{orig}{dport}, 21) },
	'--dport 0x1b59' => sub { between($_->{orig}{dport}, 7001) },
	'--dport tftp --dport 7001' =>
		sub { grep { $_ == 69 || $_ == 7001 } $_->{orig}{dport} // () },
	'--reply-src-port 7511' => sub { between($_->{reply}{sport}, 7511) },
	'--reply-port-src 7000-7005' => sub { between($_->{reply}{sport}, 7000, 7005) },
	'--reply-dst-port 17012' => sub { between($_->{reply}{dport}, 17012) },
	'--reply-port-dst 40001-40003' =>
		sub { between($_->{reply}{dport}, 40001, 40003) },
	'--any-port 7511' => sub { grep { $_ == 7511 } ports($_) },
	'--port 17000-18000' => sub { grep { between($_, 17000, 18000) } ports($_) },
	# Keys of GRE and ids of ICMP are no ports, and no port is not port 0.
	'--any-port 257-514' => 'none',
	'--any-port 40016' => 'none',
	'--dport 0' => 'none',

	'--src-nat' => sub { flag($_, 'SRC_NAT') },
	'--src-nat 10.0.2.100' =>
		sub { flag($_, 'SRC_NAT') && $_->{reply}{dst} eq '10.0.2.100' },
	'--snat fd00:2::/64' =>
		sub { flag($_, 'SRC_NAT') && $_->{reply}{dst} =~ /^fd00:2:/ },
	'-n' => sub { flag($_, 'SRC_NAT') },
	'-n 10.0.2.100,fd00:2::100' =>
		sub { flag($_, 'SRC_NAT') && $_->{reply}{dst} =~ /100$/ },
	'-n 10.0.1.2' => 'none',
	'--dst-nat' => sub { flag($_, 'DST_NAT') },
	'--dst-nat 10.0.2.2' =>
		sub { flag($_, 'DST_NAT') && $_->{reply}{src} eq '10.0.2.2' },
	'--dnat=fd00:2::2' =>
		sub { flag($_, 'DST_NAT') && $_->{reply}{src} eq 'fd00:2::2' },
	'-g' => sub { flag($_, 'DST_NAT') },
	'-g 192.0.2.2' => 'none',
	'--any-nat' => sub { flag($_, 'SRC_NAT') || flag($_, 'DST_NAT') },
	'--nat fd00::/16' => sub {
		flag($_, 'SRC_NAT') && $_->{reply}{dst} =~ /^fd00:/ ||
			flag($_, 'DST_NAT') && $_->{reply}{src} =~ /^fd00:/
	},
	'-j 10.0.2.2-10.0.2.100' => sub {
		flag($_, 'SRC_NAT') && $_->{reply}{dst} eq '10.0.2.100' ||
			flag($_, 'DST_NAT') && $_->{reply}{src} eq '10.0.2.2'
	},

	'--family ipv4' => sub { $_->{family} eq 'ipv4' },
	'-f ipv6' => sub { $_->{family} eq 'ipv6' },
	'-f inet6' => sub { $_->{family} eq 'ipv6' },
	'--protonum tcp' => sub { $_->{protonum} == 6 },
	'--proto 17' => sub { $_->{protonum} == 17 },
	'--protocol icmp,icmpv6' => sub { $_->{protonum} == 1 || $_->{protonum} == 58 },
	'-p ipv6-icmp' => sub { $_->{protonum} == 58 },
	'-p udplite' => sub { $_->{protonum} == 136 },
	'-p sctp' => sub { $_->{protonum} == 132 },
	'-p dccp' => sub { $_->{protonum} == 33 },
	'-p gre' => sub { $_->{protonum} == 47 },
	'-p 253' => sub { $_->{protonum} == 253 },
	'-p 7-47' => sub { between($_->{protonum}, 7, 47) },
	'-p tcp -p gre' => sub { $_->{protonum} == 6 || $_->{protonum} == 47 },
	'--icmp-type 8' => sub { between($_->{orig}{type}, 8) },
	'--icmp-type 100-200' => sub { between($_->{orig}{type}, 100, 200) },
	'--icmp-code 0' => sub { between($_->{orig}{code}, 0) },
	'--srckey 0x101' => sub { hex($_->{orig}{srckey} // 0) == 0x101 },
	'--dstkey 0x202' => sub { hex($_->{orig}{dstkey} // 0) == 0x202 },
	'--reply-key-src 0x200-0x2ff' =>
		sub { between(hex($_->{reply}{srckey} // 0), 0x200, 0x2ff) },
	'--reply-key-dst 0x101' => sub { hex($_->{reply}{dstkey} // 0) == 0x101 },
	# conntrack(8) does not list the tags.
	'--orig-vtag 0-0xffffffff' => sub { $_->{proto} eq 'sctp' },
	'--reply-vtag 0-0xffffffff' => sub { $_->{proto} eq 'sctp' },
	'--icmp-id 40016' => sub { between($_->{orig}{id}, 40016) },
	'--icmp-id 40017,40019' =>
		sub { grep { $_ == 40017 || $_ == 40019 } $_->{orig}{id} // () },

	'--state ESTABLISHED' => sub { state_is($_, 'ESTABLISHED') },
	'--state time-wait' => sub { state_is($_, 'TIME_WAIT') },
	'--state syn_sent,SYN_RECV' => sub { state_is($_, 'SYN_SENT', 'SYN_RECV') },
	'--state close --state close-wait' =>
		sub { state_is($_, 'CLOSE', 'CLOSE_WAIT') },
	'--state CLOSED' => sub { state_is($_, 'CLOSED') },
	'--state NONE' => 'none',
	'--status assured' => sub { flag($_, 'ASSURED') },
	'-u seen-reply' => sub { !flag($_, 'UNREPLIED') },
	'-u SEEN_REPLY' => sub { !flag($_, 'UNREPLIED') },
	'-u replied' => sub { !flag($_, 'UNREPLIED') },
	'-u unreplied' => sub { flag($_, 'UNREPLIED') },
	'-u not-seen-reply' => sub { flag($_, 'UNREPLIED') },
	'-u not-unreplied' => sub { !flag($_, 'UNREPLIED') },
	'-u unassured' => sub { !flag($_, 'ASSURED') },
	'-u !assured' => sub { !flag($_, 'ASSURED') },
	'-u no-assured' => sub { !flag($_, 'ASSURED') },
	'-u expected' => sub { flag($_, 'EXPECTED') },
	'-u snat' => sub { flag($_, 'SRC_NAT') },
	'-u src-nat' => sub { flag($_, 'SRC_NAT') },
	'-u dnat' => sub { flag($_, 'DST_NAT') },
	'-u nat' => sub { flag($_, 'SRC_NAT') || flag($_, 'DST_NAT') },
	'-u not-nat' => sub { !flag($_, 'SRC_NAT') && !flag($_, 'DST_NAT') },
	'-u snat,dnat' => sub { flag($_, 'SRC_NAT') && flag($_, 'DST_NAT') },
	'-u nat,not-dnat' => sub { flag($_, 'SRC_NAT') && !flag($_, 'DST_NAT') },
	'-u assured,not-nat,seen-reply' => sub {
		flag($_, 'ASSURED') && !flag($_, 'SRC_NAT') && !flag($_, 'DST_NAT')
	},
	'-u expected -u unreplied' =>
		sub { flag($_, 'EXPECTED') || flag($_, 'UNREPLIED') },
	'-u helper' => sub { defined $_->{helper} },
	'-u dying' => 'none',
	'-u offload' => 'none',

	'--mark 1' => sub { $_->{mark} == 1 },
	'-m 0x2a0001' => sub { $_->{mark} == 0x2a0001 },
	'-m 2752513' => sub { $_->{mark} == 0x2a0001 },
	'-m 1/1' => sub { $_->{mark} & 1 },
	'-m 0x2a0000/0xff0000' => sub { ($_->{mark} & 0xff0000) == 0x2a0000 },
	'-m 0' => sub { $_->{mark} == 0 },
	'-m 0/0xff0000' => sub { !($_->{mark} & 0xff0000) },
	'-m 1,0x2a0001' => sub { $_->{mark} },
	'-m 7' => 'none',
	'--zone 5' => sub { $_->{zone} == 5 },
	'-w 5-9' => sub { between($_->{zone}, 5, 9) },
	'-w 5,9' => sub { $_->{zone} == 5 || $_->{zone} == 9 },
	# A zone of one direction is no zone of both.
	'-w 0' => sub {
		!$_->{zone} && !defined $_->{zone_orig} && !defined $_->{zone_reply}
	},
	'-w 7' => 'none',
	'-w 8' => 'none',
	'--orig-zone 7' => sub { zone($_, 'orig') == 7 },
	'--orig-zone 5-7' => sub { between(zone($_, 'orig'), 5, 7) },
	'--orig-zone 0' => sub { zone($_, 'orig') == 0 },
	'--reply-zone 8' => sub { zone($_, 'reply') == 8 },
	'--reply-zone 0' => sub { zone($_, 'reply') == 0 },
	'--reply-zone 5 --reply-zone 9' =>
		sub { zone($_, 'reply') == 5 || zone($_, 'reply') == 9 },
	'--label 3' => sub { label($_, 'web') },
	'-l 127' => sub { label($_, 'last-one') },
	'-l 0x7f' => sub { label($_, 'last-one') },
	'-l 3 -l 127' => sub { label($_, 'web') || label($_, 'last-one') },
	'-l 3,127' => 'none',
	'-l not-3,not-127' => sub { !label($_, 'web') && !label($_, 'last-one') },
	'-l !3' => sub { !label($_, 'web') },
	'-l 127,not-3' => sub { label($_, 'last-one') },
	'-l web' => sub { label($_, 'web') },
	'-l last-one' => sub { label($_, 'last-one') },
	'-l not-last-one' => sub { !label($_, 'last-one') },
	'--helper ftp' => sub { ($_->{helper} // '') eq 'ftp' },
	'--helper ftp,tftp' => sub { ($_->{helper} // '') =~ /^t?ftp$/ },
	'--helper ft' => 'none',

	'--min-bytes 300' => sub { total($_, 'bytes') >= 300 },
	'--max-bytes 60' => sub { total($_, 'bytes') <= 60 },
	'--max-bytes 400 --min-bytes 100' =>
		sub { between(total($_, 'bytes'), 100, 400) },
	'--min-bytes 1k' => sub { total($_, 'bytes') >= 1000 },
	'--max-bytes 1Ki' => sub { total($_, 'bytes') <= 1024 },
	'--min-packets 7' => sub { total($_, 'packets') >= 7 },
	'--max-packets 1' => sub { total($_, 'packets') <= 1 },
	'--min-timeout 5m' => sub { $_->{timeout} >= 300 },
	'--max-timeout 450' => sub { $_->{timeout} <= 450 },
	'--min-timeout 1h30m' => sub { $_->{timeout} >= 5400 },
	'--max-timeout 4d --min-timeout 6m' =>
		sub { between($_->{timeout}, 360, 345600) },
);

# The long names of the conditions, and what else their options are called.
my %canonical;

sub read_conditions {
	my (undef, $help) = conntap('list', '--help');
	my ($text) = $help =~ /^(Conditions: .*)/ms;
	my @names;

	while ($text =~ /^ +(-\w,)? +--([\w-]+)/mg) {
		push @names, $2;
		$canonical{"--$2"} = $2;
		$canonical{substr $1, 0, 2} = $2 if $1;
	}
	my %aliases = (src => 'orig-src', dst => 'orig-dst', host => 'any-addr',
		port => 'any-port', snat => 'src-nat', dnat => 'dst-nat',
		nat => 'any-nat',
		proto => 'protonum', protocol => 'protonum', 'orig-src-port' => 'sport',
		'orig-port-src' => 'sport', 'orig-dst-port' => 'dport',
		'orig-port-dst' => 'dport', 'reply-port-src' => 'reply-src-port',
		'reply-port-dst' => 'reply-dst-port');
	$canonical{"--$_"} = $aliases{$_} for keys %aliases;
	return @names;
}

# The conditions that a case uses.
sub used {
	return map { /^(-\w|--[\w-]+)/ ? $canonical{$1} // die "$1?\n" : () }
		split ' ', $_[0];
}

# Both ways give the expected flows.
sub check {
	my ($words, @expected) = @_;
	my @lines = map { flow_line($_) } @expected;

	for my $how ([], ['--kernel-filter']) {
		my $name = join ' ', 'list', $words, @$how;
		my ($status, $out, $err) = conntap('list', split(' ', $words), @$how);
		my @got = split /\n/, $out;
		my $total = pop @got;
		is($status, 0, "$name: status");
		is($err, '', "$name: nothing on stderr");
		is($total, 'Total: ' . @expected . ' connection(s)', "$name: total");
		same_lines(\@got, \@lines, $name);
	}
}

sub check_cases {
	my @names = read_conditions();
	my @flows = conntrack_flows();
	my %done = map { $_ => 1 } 'min-age', 'max-age'; # check_age()

	for (my $i = 0; $i < @cases; $i += 2) {
		my ($words, $chosen) = @cases[$i, $i + 1];
		next if $words =~ /^(-l|--label) .*[a-z]{3}/ && $words !~ /not-\d/ &&
			!lab_has('connlabel');
		my @expected = ref $chosen ? grep { $chosen->() } @flows : ();
		if (ref $chosen) {
			ok(@expected, "$words: there are such flows");
			cmp_ok(scalar @expected, '<', scalar @flows,
				"$words: and others");
			$done{$_} = 1 for used($words);
		}
		check($words, @expected);
	}
	is_deeply([sort keys %done], [sort @names], 'every condition was tried');
}

# Flows meet all conditions, and of each any value.
sub check_combinations {
	my $seed = $ENV{CONNTAP_SEED} // int rand 2 ** 31;
	my @flows = conntrack_flows();
	my @simple = grep { ref $cases[$_ + 1] && used($cases[$_]) == 1 &&
			$cases[$_] !~ /^-l .*\b(web|last-one)/ }
		map { 2 * $_ } 0 .. $#cases / 2;
	my $found = 0;

	note("CONNTAP_SEED=$seed");
	srand $seed;
	for (1 .. 60) {
		my @picked = map { $simple[rand @simple] } 1 .. 2 + rand 2;
		my %groups;
		push @{$groups{(used($cases[$_]))[0]}}, $cases[$_ + 1] for @picked;
		my @expected = grep { my $flow = $_;
			!grep { !met($flow, @$_) } values %groups } @flows;
		$found++ if @expected;
		check(join(' ', map { $cases[$_] } @picked), @expected);
	}
	cmp_ok($found, '>', 5, 'not all of the combinations were empty');
}

# Whether the flow meets one of them.
sub met {
	my ($flow, @conditions) = @_;

	for my $condition (@conditions) {
		local $_ = $flow;
		return 1 if $condition->();
	}
	return 0;
}

# The flows with their ages now.  conntrack(8) counts changes of the second: its own
# ages are up to one second off.
sub aged_flows {
	my @flows = conntrack_flows();
	my %start;

	for my $family ('ipv4', 'ipv6') {
		my (undef, $out) = run('conntrack', '-L', '-f', $family, '-o',
			'xml,id,ktimestamp');
		$start{$1} = $2 / 1e9 while $out =~ /.*<id>(\d+)<.*<start>(\d+)<.*/g;
	}
	my $now = time;
	$_->{age} = int($now - $start{$_->{id}}) for @flows;
	return @flows;
}

# With two generations of flows.  As they age under way, it counts only if the same ones
# meet the condition before and after.
sub check_age {
	my @cases = (
		'--min-age 2' => sub { $_->{age} >= 2 },
		'--max-age 1' => sub { $_->{age} <= 1 },
		'--max-age 3s --min-age 2s' => sub { between($_->{age}, 2, 3) },
		'--min-age 0' => sub { 1 },
		'--max-age 1h' => sub { 1 },
		'--min-age 1m' => sub { 0 },
	);
	my $elder = start_traffic('tcp4-mark', 'udp6-mark');
	wait_until('two flows of some age',
		sub { 2 == grep { $_->{age} >= 2 } aged_flows() });
	my $younger = start_traffic('tcp4', 'udp6', 'icmp4');

	for (my $i = 0; $i < @cases; $i += 2) {
		my ($words, $chosen) = @cases[$i, $i + 1];
		my ($before, $after, $status, $out, $err);
		wait_until('flows that do not age', sub {
			$before = join "\n", map { flow_line($_) }
				grep { $chosen->() } aged_flows();
			($status, $out, $err) = conntap('list', split ' ', $words);
			$after = join "\n", map { flow_line($_) }
				grep { $chosen->() } aged_flows();
			return $before eq $after;
		});
		is($status, 0, "$words: status");
		is($err, '', "$words: nothing on stderr");
		same_lines([split /\n/, $out =~ s/^Total: .*\n//mr],
			[split /\n/, $after], $words);
	}
}

sub warning {
	my ($condition, $need) = @_;
	my %what = (acct => 'accounting', timestamp => 'time-stamping');

	return "conntap: $condition: the kernel's $what{$need} is off (sysctl " .
		"net.netfilter.nf_conntrack_$need=1 turns it on for new flows); " .
		"flows without it do not match\n";
}

# With accounting or time-stamping off some conditions cannot be met: stderr says so.
sub check_warnings {
	my %needs = ('--min-bytes 1' => 'acct', '--max-bytes 1G' => 'acct',
		'--min-packets 1' => 'acct', '--max-packets 1M' => 'acct',
		'--min-age 0' => 'timestamp', '--max-age 1w' => 'timestamp');

	set_sysctl("net/netfilter/nf_conntrack_$_", 0) for 'acct', 'timestamp';
	my $traffic = start_traffic('tcp4', 'udp6');
	for my $words (sort keys %needs) {
		my ($name) = $words =~ /^(\S+)/;
		my ($status, $out, $err) = conntap('list', split ' ', $words);
		is($status, 0, "off: $words: status");
		is($out, "Total: 0 connection(s)\n", "off: $words: no flow");
		is($err, warning($name, $needs{$words}), "off: $words: stderr");
	}
	my (undef, undef, $err) = conntap('list', '--max-age', 1, '--min-packets', 1);
	is($err, warning('--min-packets', 'acct') . warning('--max-age', 'timestamp'),
		'off: both');
	for my $command ('xml', 'count', 'delete') {
		(undef, undef, $err) = conntap($command, '--min-bytes', 1);
		is($err, warning('--min-bytes', 'acct'), "off: $command says so, too");
	}
	my @lines = map { flow_line($_) } conntrack_flows();
	(my $status, my $out, $err) = conntap('list', '--max-timeout', '6d');
	is($err, '', 'off: other conditions need neither');
	same_lines([split /\n/, $out], [@lines, 'Total: 2 connection(s)'],
		'off: and they work');
}

check_age();
run('conntrack', '-F');
my $traffic = start_traffic();
check_cases();
check_combinations();
$traffic = undef;
run('conntrack', '-F');
check_warnings();

done_testing();
