#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conntap delete: what it says is gone is gone, and nothing else is.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Lab;

enter_lab();

# A flow's own name in a table: its key and its id.
sub names {
	return map { flow_key($_) . " id=$_->{id}" } @_;
}

# "Delete: LINE (id N)" of each.
sub delete_lines {
	my ($verb, @flows) = @_;

	return map { "$verb: " . flow_line($_) . " (id $_->{id})" } @flows;
}

# Tries it dry, then deletes: what is printed and what is gone is what `chosen` takes.
sub check_delete {
	my ($name, $chosen, @arguments) = @_;
	my @flows = conntrack_flows();
	my @wanted = grep { $chosen->() } @flows;
	my @others = grep { !$chosen->() } @flows;
	my $count = @wanted;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($status, $out, $err) = conntap('delete', '--dry-run', @arguments);
	is("$status $err", '0 ', "$name: dry run");
	same_lines([split /\n/, $out], [delete_lines('Would delete', @wanted),
			"Total: $count connection(s) would be deleted"],
			"$name: dry lines");
	same_lines([names(conntrack_flows())], [names(@flows)],
		"$name: a dry run deletes nothing");

	($status, $out, $err) = conntap('delete', @arguments);
	is("$status $err", '0 ', "$name: status");
	same_lines([split /\n/, $out], [delete_lines('Delete', @wanted),
			"Total: $count connection(s) deleted"], "$name: lines");
	like($out, qr/^Total: .*\n\z/m, "$name: the total comes last");
	same_lines([names(conntrack_flows())], [names(@others)],
		"$name: these are gone, the others are not");
	return $count;
}

# The conditions that describe a flow, as far as there are some.
sub conditions_of {
	my ($flow) = @_;
	my ($orig, $reply) = @$flow{qw(orig reply)};
	my @conditions = ('--family', $flow->{family}, '--proto', $flow->{protonum},
		'-s', $orig->{src}, '-d', $orig->{dst}, '-r', $reply->{src},
		'-q', $reply->{dst}, '--orig-zone', zone($flow, 'orig'),
		'--reply-zone', zone($flow, 'reply'));

	push @conditions, '--sport', $orig->{sport}, '--dport', $orig->{dport}
		if defined $orig->{sport};
	push @conditions, '--icmp-id', $orig->{id} if defined $orig->{id};
	return @conditions;
}

sub zone {
	my ($flow, $direction) = @_;

	return $flow->{zone} || $flow->{"zone_$direction"} || 0;
}

# Every flow of the lab by itself; only GRE has flows that no condition tells apart.
sub check_each {
	my $traffic = start_traffic();
	my @flows = conntrack_flows();
	my (%protos, %expected, $alone);

	$expected{"$_->{family} $_->{protonum}"}++ for @flows;
	while (@flows) {
		my $name = flow_line($flows[0]);
		my @conditions = conditions_of($flows[0]);
		my @same = grep { "@{[conditions_of($_)]}" eq "@conditions" } @flows;
		my @others = grep { "@{[conditions_of($_)]}" ne "@conditions" } @flows;
		my ($status, $out, $err) = conntap('delete', @conditions);

		is("$status $err", '0 ', "$name: status");
		same_lines([split /\n/, $out], [delete_lines('Delete', @same),
			'Total: ' . @same . ' connection(s) deleted'], "$name: lines");
		@flows = conntrack_flows();
		same_lines([names(@flows)], [names(@others)],
			"$name: only this is gone");
		$protos{"$_->{family} $_->{protonum}"}++ for @same;
		$alone++ if @same == 1;
		last if @flows != @others;
	}
	is_deeply(\%protos, \%expected, 'all flows of all protocols were deleted');
	cmp_ok(scalar keys %protos, '>=', 14, 'which are many protocols');
	cmp_ok($alone, '>', 50, 'nearly all of them one by one');
	is(table_size(), 0, 'nothing is left');
}

sub check_some {
	my $traffic = start_traffic();

	check_delete('nothing', sub { 0 }, '--orig-src', '203.0.113.5');
	check_delete('nothing, by the kernel', sub { 0 }, '--mark', 77,
		'--kernel-filter');
	check_delete('twins: one of two', sub { $_->{zone} == 9 }, '--sport', 40041,
		'--zone', 9);
	is(scalar kind_flows('udp4-twins', conntrack_flows()), 1,
		'twins: the other stays');
	check_delete('zone of the original direction',
		sub { ($_->{zone_orig} // 0) == 7 }, '--orig-zone', 7);
	check_delete('zone of the reply direction',
		sub { ($_->{zone_reply} // 0) == 8 }, '--reply-zone', 8);
	check_delete('zone of both', sub { $_->{zone} == 5 }, '-w', 5,
		'--kernel-filter');
	check_delete('several conditions', sub { $_->{proto} eq 'tcp' &&
			$_->{state} eq 'TIME_WAIT' && $_->{family} eq 'ipv6' },
		'-p', 'tcp', '--state', 'time-wait', '-f', 'ipv6');
	check_delete('translated', sub { $_->{flags}{SRC_NAT} || $_->{flags}{DST_NAT} },
		'--any-nat');
	check_quiet();
	check_refusal();
	# With PPTP's connection the kernel itself deletes what belongs to it.
	check_delete('GRE', sub { $_->{protonum} == 47 }, '-p', 'gre');
	check_delete('the rest', sub { 1 }, '--max-timeout', '10w');
	is(table_size(), 0, 'the rest is all');
}

sub check_quiet {
	my @flows = conntrack_flows();
	my $udp = grep { $_->{proto} eq 'udp' } @flows;

	cmp_ok($udp, '>', 5, 'quiet: there is something to delete');
	my ($status, $out, $err) = conntap('delete', '--quiet', '--dry-run', '-p',
		'udp');
	is("$status $out $err", "0 Total: $udp connection(s) would be deleted\n ",
		'quiet: a dry run');
	is(table_size(), @flows, 'quiet: which deletes nothing');
	($status, $out, $err) = conntap('delete', '-p', 'udp', '--quiet');
	is("$status $out $err", "0 Total: $udp connection(s) deleted\n ",
		'quiet: the total only');
	same_lines([names(conntrack_flows())],
		[names(grep { $_->{proto} ne 'udp' } @flows)], 'quiet: they are gone');
}

# Without a condition nothing happens.
sub check_refusal {
	my @before = names(conntrack_flows());

	cmp_ok(scalar @before, '>', 5, 'no condition: there are flows');
	for my $words ('', '--quiet', '--kernel-filter', '--dry-run', '-v') {
		my ($status, $out, $err) = conntap('delete', split ' ', $words);
		is($status, 2, "no condition: delete $words: status");
		is($out, '', "no condition: delete $words: stdout");
		is($err, 'conntap: delete: no condition was given; say which flows ' .
			"(see conntap delete --help)\n",
			"no condition: delete $words: why");
	}
	same_lines([names(conntrack_flows())], \@before,
		'no condition: nothing is gone');
}

# 50,000 flows of which each seventh carries the mark 7.
sub check_many {
	my $marked = int((50000 + 6) / 7);

	flood('-n', 50000);
	my ($status, $out, $err) = conntap('delete', '--mark', 7);
	my @lines = split /\n/, $out;
	is("$status $err", '0 ', '50,000 flows: status');
	is(pop @lines, "Total: $marked connection(s) deleted", '50,000 flows: total');
	is(scalar(grep { /^Delete: ipv[46] .* \(id \d+\)$/ } @lines), $marked,
		'50,000 flows: a line each');
	is(scalar @lines, $marked, '50,000 flows: no other lines');
	is(table_size(), 50000 - $marked, '50,000 flows: a seventh is gone');
	(undef, $out) = run('conntrack', '-L', '-m', 7);
	is($out, '', '50,000 flows: none with the mark is left');
	run('conntrack', '-F');
}

# (deleted, already gone) as the last line of this output tells.
sub totals {
	$_[0] =~ /^Total: (\d+) connection\(s\) deleted(, \d+ already gone)?\n\z/m
		or return (-1, -1);
	my ($deleted, $gone) = ($1, $2 // 0);
	return ($deleted, $gone =~ /(\d+)/);
}

# Two at the same time: each flow is deleted once.
sub check_concurrent {
	my ($rounds, $gone) = (0, 0);

	while (!$gone && $rounds++ < 20) {
		flood('-n', 20000);
		my @jobs = map { start({}, program('conntap'), 'delete',
			'--max-timeout', '10w') } 1, 2;
		my (%seen, $sum);
		for my $job (@jobs) {
			my ($status, $out, $err) = finish($job);
			my ($deleted, $late) = totals($out);
			my @lines = $out =~ /^(Delete: .*)$/mg;
			is("$status $err", '0 ', "concurrent: round $rounds: status");
			is(scalar @lines, $deleted,
				"concurrent: round $rounds: its lines");
			$seen{$_}++ for @lines;
			$sum += $deleted;
			$gone += $late;
		}
		is($sum, 20000, "concurrent: round $rounds: all were deleted");
		is(scalar keys %seen, 20000, "concurrent: round $rounds: each once");
		is(table_size(), 0, "concurrent: round $rounds: nothing is left");
	}
	cmp_ok($gone, '>', 0, "concurrent: some were already gone, in round $rounds");
}

# The other way to be late: its output stalls, and meanwhile all is flushed.
sub check_gone {
	flood('-n', 20000);
	my ($job, $out, $text) = start_stalled(program('conntap'), 'delete',
		'--max-timeout', '10w');
	my $left = table_size();
	cmp_ok($left, '<', 20000, 'gone: some were deleted');
	cmp_ok($left, '>', 0, 'gone: some were left');
	run('conntrack', '-F');
	$text = read_rest($out, $text);

	my ($status, undef, $err) = finish($job);
	is("$status $err", '0 ', 'gone: that is no error');
	my ($deleted, $gone) = totals($text);
	my $lines = () = $text =~ /^Delete: /mg;
	is($deleted, $lines, 'gone: a line for each deleted one');
	is($deleted, 20000 - $left, 'gone: it knows which it deleted');
	cmp_ok($gone, '>', 0, 'gone: and which were gone already');
	cmp_ok($gone, '<=', $left, 'gone: but no more');
}

# A signal ends it half-way, and it tells how far it came.
sub check_signal {
	flood('-n', 20000);
	my ($job, $out, $text) = start_stalled(program('conntap'), 'delete',
		'--max-timeout', '10w');
	kill INT => $job->{pid};
	$text = read_rest($out, $text);
	my ($status, undef, $err) = finish($job);
	is("$status $err", '130 ', 'signal: status');
	is($job->{signal}, 0, 'signal: it exits');
	my ($deleted) = totals($text);
	my $lines = () = $text =~ /^Delete: /mg;
	is($deleted, $lines, 'signal: a line for each deleted one');
	is(table_size(), 20000 - $deleted, 'signal: so many are gone');
	cmp_ok($deleted, '<', 20000, 'signal: not all');
	run('conntrack', '-F');
}

# It was asked to delete, so it does, whether it can tell or not.
sub check_output {
	flood('-n', 20000);
	pipe my $out, my $in or die "pipe: $!\n";
	close $out;
	my ($status, undef, $err) = finish(start({ stdout => $in }, program('conntap'),
		'delete', '--max-timeout', '10w'));
	is("$status $err", '0 ', 'closed pipe: status');
	is(table_size(), 0, 'closed pipe: all is deleted');

	flood('-n', 20000);
	open my $full, '>', '/dev/full' or die "/dev/full: $!\n";
	($status, undef, $err) = finish(start({ stdout => $full }, program('conntap'),
		'delete', '--max-timeout', '10w'));
	is($status, 1, 'full disk: status');
	is($err, "conntap: cannot write the output: No space left on device\n",
		'full disk: why');
	is(table_size(), 0, 'full disk: all is deleted');
}

check_each();
run('conntrack', '-F');
check_some();
check_many();
check_concurrent();
check_gone();
check_signal();
check_output();

done_testing();
