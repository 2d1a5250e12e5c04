#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conntap flush: all flows, those of a family or those of a zone, and no others.
use strict;
use warnings;

use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Lab;

enter_lab();

sub names {
	return map { flow_key($_) . " id=$_->{id}" } @_;
}

# Flushes with these conditions; what is left is what `chosen` does not take.
sub check_flush {
	my ($name, $chosen, @arguments) = @_;
	my $traffic = start_traffic();

	$traffic = undef;
	my @before = conntrack_flows();
	my @left = grep { !$chosen->() } @before;
	cmp_ok(scalar @left, '<', scalar @before, "$name: some are chosen");
	my ($status, $out, $err) = conntap('flush', '--yes', @arguments);
	is("$status $out$err", '0 ', "$name: status");
	same_lines([names(conntrack_flows())], [names(@left)],
		"$name: the others are there, and only they");
	# What is empty already is no error.
	($status, $out, $err) = conntap('flush', '--yes', @arguments);
	is("$status $out$err", '0 ', "$name: again");
	same_lines([names(conntrack_flows())], [names(@left)], "$name: nothing more");
	run('conntrack', '-F');
	return scalar @left;
}

# The kernel's zone of a flow is that of both directions, or 0.
sub zone_is {
	my ($flow, $zone) = @_;

	return $flow->{zone} == $zone &&
		($zone || !defined $flow->{zone_orig} && !defined $flow->{zone_reply});
}

sub check_refusals {
	run('conntrack', '-I', '-p', 'udp', '-s', '192.0.2.1', '-d', '192.0.2.2',
		'--sport', 1, '--dport', 2, '-t', 600);
	refused(2, '--yes', 'flush', @$_) for [], ['-f', 'ipv4'], ['-w', 0];
	refused(2, $_->[0], 'flush', '--yes', @{$_->[1]}) for
		['delete', ['-p', 'udp']], ['delete', ['-s', '192.0.2.1']],
		['delete', ['-f', 'ipv4', '--sport', 1]], ['delete', ['--mark', 0]],
		['', ['--status', 'unreplied']], ['', ['--status', 'not-assured']],
		['', ['--label', 3]], ['', ['--label', 'not-3']],
		['delete', ['--state', 'established', '-p', 'tcp']],
		['', ['--orig-zone', 0]], ['', ['--reply-zone', 0]],
		['', ['--min-timeout', 1]], ['', ['--any-nat']], ['', ['-n']],
		['', ['--helper', 'ftp']], ['', ['--icmp-type', 8]],
		['', ['-w', '0-5']], ['', ['-w', 0, '-w', 5]], ['', ['-w', '0,5']],
		['', ['-f', 'ipv4', '-f', 'ipv6']], ['', ['-f', 'ipx']],
		['', ['--dry-run']], ['', ['--kernel-filter']], ['', ['-w', 65536]];
	is(table_size(), 1, 'refused: nothing is gone');
	run('conntrack', '-F');
}

# At a terminal it asks.
sub check_question {
	for my $case (['y', 0, 0], ['n', 1, 1], ['', 1, 1]) {
		my ($answer, $expected, $left) = @$case;
		run('conntrack', '-I', '-p', 'udp', '-s', '192.0.2.1', '-d', '192.0.2.2',
			'--sport', 1, '--dport', 2, '-t', 600);
		my ($status, $out) = run('sh', '-c', 'echo "$1" | script -qec ' .
			'"$0 flush --family ipv4" /dev/null', program('conntap'), $answer);
		is($status, $expected, "answer '$answer': status");
		like($out, qr/Delete .* flows\? \[y\/N\]/, "answer '$answer': question");
		is(table_size(), $left, "answer '$answer': flows");
		run('conntrack', '-F');
	}
}

is(check_flush('all', sub { 1 }), 0, 'all: the table is empty');
check_flush('IPv4', sub { $_->{family} eq 'ipv4' }, '--family', 'ipv4');
check_flush('IPv6', sub { $_->{family} eq 'ipv6' }, '-f', 'inet6');
check_flush('zone 5', sub { zone_is($_, 5) }, '--zone', 5);
check_flush('zone 9, of twins', sub { zone_is($_, 9) }, '-w', 9);
check_flush('zone 5 of IPv6', sub { zone_is($_, 5) && $_->{family} eq 'ipv6' }, '-w', 5,
	'-f', 'ipv6');
check_flush('no zone', sub { zone_is($_, 0) }, '-w', 0);
check_refusals();
SKIP: {
	skip('no terminals to be had here (script(1), /dev/pts)', 9)
		if (run('script', '-qec', 'true', '/dev/null'))[0];
	check_question();
}

done_testing();
