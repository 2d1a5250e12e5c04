#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conntap list: the lines are those of the flows that conntrack(8) and /proc show.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Lab;

enter_lab();

# What list prints with these arguments, as lines without the last; that one is checked.
sub list_ok {
	my ($name, @arguments) = @_;
	my ($status, $out, $err) = conntap(@arguments);
	my @lines = split /\n/, $out;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($status, 0, "$name: status");
	is($err, '', "$name: nothing on stderr");
	like($out, qr/\n\z/, "$name: whole lines");
	my $last = pop @lines;
	is($last, 'Total: ' . @lines . ' connection(s)', "$name: the total");
	return @lines;
}

sub check_empty {
	my ($status, $out, $err) = conntap('list');

	is($status, 0, 'empty table: status');
	is($out, "Total: 0 connection(s)\n", 'empty table: the total only');
	is($err, '', 'empty table: nothing on stderr');
}

sub check_traffic {
	my $traffic = start_traffic();
	my @lines = list_ok('all traffic', 'list');

	same_lines(\@lines, [map { flow_line($_) } conntrack_flows()],
		'all traffic: what conntrack(8) sees');
	same_lines(\@lines, [map { flow_line($_) } proc_flows()],
		'all traffic: what /proc has');
	check_format($traffic, @lines);
	check_command_lines();
	return $traffic;
}

# To the byte, in case flow_line() is wrong as well.
sub check_format {
	my ($traffic, @lines) = @_;
	my %there = map { $_ => 1 } @lines;
	my %expected = (
		'tcp4' => 'ipv4 10.0.1.2->10.0.2.2 tcp 40001->7001',
		'tcp6' => 'ipv6 fd00:1::2->fd00:2::2 tcp 40002->7001',
		'udp4-unreplied' => 'ipv4 10.0.1.2->198.51.100.7 udp 40012->7001',
		'udplite6' => 'ipv6 fd00:1::2->fd00:2::2 udplite 40015->7001',
		'icmp4' => 'ipv4 10.0.1.2->10.0.2.2 icmp',
		'icmp6-unreplied' => 'ipv6 fd00:1::2->2001:db8:dead::7 icmpv6',
		'sctp4' => 'ipv4 10.0.1.2->10.0.2.2 sctp 40020->7001',
		'gre6' => 'ipv6 fd00:1::2->fd00:2::2 gre',
		'other4' => 'ipv4 10.0.1.2->10.0.2.2 253',
		'tcp4-snat' => 'ipv4 10.0.1.2->10.0.2.2 tcp 40028->7010 => ' .
			'ipv4 10.0.2.2->10.0.2.100 tcp 7010->40028',
		'tcp6-dnat' => 'ipv6 fd00:1::2->2001:db8::2 tcp 40031->7011 => ' .
			'ipv6 fd00:2::2->fd00:1::2 tcp 7511->40031',
		'tcp4-snat-dnat' => 'ipv4 10.0.1.2->192.0.2.2 tcp 40032->7012 => ' .
			'ipv4 10.0.2.2->10.0.2.100 tcp 7012->17012',
		'tcp4-zone5' => 'ipv4 10.0.1.2->10.0.2.2 tcp 40036->7005',
		'udp6-zone-reply8' => 'ipv6 fd00:1::2->fd00:2::2 udp 40040->7008',
	);

	for my $kind (sort keys %expected) {
		SKIP: {
			my $why = $traffic->{without}{$kind};
			skip("$kind: $why", 1) if $why;
			ok($there{$expected{$kind}}, "the line of $kind");
		}
	}
	is(scalar(grep { $_ eq 'ipv4 10.0.1.2->198.51.100.7 udp 40041->7009' } @lines),
		2, 'twins in two zones are two lines');
}

# Every way to say the same.
sub check_command_lines {
	my @udp = map { flow_line($_) } grep { $_->{protonum} == 17 } conntrack_flows();
	my @translated = grep { $_->{flags}{SRC_NAT} } conntrack_flows();
	my @snat = map { flow_line($_) } @translated;
	my @to = map { flow_line($_) }
		grep { $_->{reply}{dst} eq '10.0.2.100' } @translated;

	ok(@udp && @snat && @to && @to < @snat, 'there is something to choose from');
	for my $words ('list --protonum udp', 'list --protonum=udp',
		'--protonum udp list', '--protonum=udp list', 'list -p udp',
		'list -pudp', '-p udp list', '-pudp list', 'list --proto udp',
		'list --protocol udp', 'list -p 17', 'list --protonu udp',
		'-v list -p udp', 'list -p UDP -v', 'list -vp udp') {
		same_lines([list_ok($words, split ' ', $words)], \@udp, $words);
	}
	for my $words ('list --src-nat', '--src-nat list', 'list -n', '-n list',
		'list --snat', '--src-nat -v list', '-vn list') {
		same_lines([list_ok($words, split ' ', $words)], \@snat, $words);
	}
	for my $words ('list --src-nat 10.0.2.100', '--src-nat 10.0.2.100 list',
		'--src-nat=10.0.2.100 list', 'list -n 10.0.2.100', '-n 10.0.2.100 list',
		'list --snat=10.0.2.100', 'list -n10.0.2.100') {
		same_lines([list_ok($words, split ' ', $words)], \@to, $words);
	}
}

# Protocols of which the kernel knows no more than the number.
sub check_protocols {
	my %names = (2 => 'igmp', 4 => 'ipip', 41 => 'ipv6', 50 => 'esp', 51 => 'ah',
		89 => 'ospf', 103 => 'pim', 112 => 'vrrp', 115 => 'l2tp', 200 => '200');
	my $number = 0;
	my @expected;

	for my $proto (sort { $a <=> $b } keys %names) {
		my $from = '192.0.2.' . ++$number;
		my ($status, undef, $err) = run('conntrack', '-I', '-s', $from,
			'-d', '203.0.113.1', '-p', $proto, '-t', 600);
		is($status, 0, "a flow of protocol $proto") or diag($err);
		push @expected, "ipv4 $from->203.0.113.1 $names{$proto}";
	}
	my @lines = list_ok('protocols', 'list', '-f', 'ipv4', '-s', '192.0.2.0/24',
		'-d', '203.0.113.1');
	same_lines(\@lines, \@expected, 'protocols: names, and numbers without one');
}

# Addresses with all sorts of zeros in them.
sub check_addresses {
	my $seed = $ENV{CONNTAP_SEED} // int rand 2 ** 31;
	my $file = File::Temp->new;

	note("CONNTAP_SEED=$seed");
	srand $seed;
	for my $port (1 .. 200) {
		my ($from, $to) = map { join ':', map { rand() < 0.6 ? '0'
					: sprintf '%x', rand 2 ** 16 } 1 .. 8 } 1, 2;
		print $file "-A -t 600 -p udp -s $from -d $to ",
			"--sport $port --dport 53 -r $to -q $from ",
			"--reply-port-src 53 --reply-port-dst $port\n";
	}
	close $file;
	my ($status, undef, $err) = run('conntrack', '-R', "$file");
	is($status, 0, 'flows of random IPv6 addresses') or diag($err);
	my @lines = list_ok('addresses', 'list', '-f', 'ipv6', '--dport', 53);
	same_lines(\@lines, [map { flow_line($_) } grep { $_->{family} eq 'ipv6' &&
			($_->{orig}{dport} // 0) == 53 } conntrack_flows()],
		'addresses: as inet_ntop(3) writes them');
	is(scalar @lines, 200, 'addresses: all of them');
}

# More than fits into one reply of the kernel, and into one write.
sub check_many {
	my $seed = $ENV{CONNTAP_SEED} // int rand 2 ** 31;

	note("flood --seed $seed");
	flood('-n', 5000, '--seed', $seed);
	my @lines = list_ok('5000 flows', 'list');
	same_lines(\@lines, [map { flow_line($_) } proc_flows()], '5000 flows');
	cmp_ok(scalar @lines, '>=', 5000, 'all of the 5000 are there');
}

check_empty();
my $traffic = check_traffic();
check_protocols();
check_addresses();
$traffic = undef;
run('conntrack', '-F');
check_empty();
check_many();

done_testing();
