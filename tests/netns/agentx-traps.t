#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The notifications of conntap-agentx, as a real snmptrapd receives them: a table that
# fills and empties, losses, lost events.  nf_conntrack_max is the whole machine's and
# not to be lowered here: thresholds are of a few percent.  Arguments are the parts to
# run.
use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(time);

use lib $FindBin::Bin;
use Lab;
use Snmp;

enter_lab();
need_snmp('snmpd', 'snmptrapd');

# It looks once a second.
my $a_look = 1.7;
my @at_once = ('--notification-interval', 0);
my $last_port = 4000;

# How many flows are so much of the table, and a few more.
sub percent {
	return int(setting('nf_conntrack_max') * $_[0] / 100) + 40;
}

# Until there are so many notifications, or none for a while; all of them.
sub traps_of {
	my ($snmp, $count) = @_;
	my $deadline = time + 8;
	my @traps;

	wait_until("$count notifications", sub {
		@traps = $snmp->traps;
		return @traps >= $count || time > $deadline;
	});
	return @traps;
}

# Test: the last notification is this one, and there are so many.
sub last_trap {
	my ($snmp, $count, $kind, $name, %expected) = @_;
	my @traps = traps_of($snmp, $count);
	my $trap = $traps[-1] // {};
	my %got = map { ($_ => $trap->{"CONNTAP-MIB::conntap$_.0"}) } keys %expected;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(scalar(@traps) . ' ' . ($trap->{of} // 'none'), "$count conntap$kind",
		"$name: conntap$kind");
	is_deeply(\%got, \%expected, "$name: its objects");
	is(scalar(grep { /^CONNTAP-MIB/ } keys %$trap), scalar keys %expected,
		"$name: no others");
}

sub usage {
	my $count = table_size();
	my $max = setting('nf_conntrack_max');

	return (Entries => $count, MaxEntries => $max,
		UsagePercent => int(100 * $count / $max), Netns => '');
}

# Time for a look that shall find nothing to tell.
sub let_it_look {
	select undef, undef, undef, $a_look;
}

sub check_usage {
	my $snmp = start_snmp(trapd => 1, options =>
		[qw(--usage-high 2 --usage-low 0), @at_once]);

	flood('-n', percent(2));
	last_trap($snmp, 1, 'UsageHigh', 'two percent', usage());
	# Each seventh goes: less than the one threshold, more than the other; and back.
	conntap('delete', '--quiet', '--mark', 7);
	let_it_look();
	flood('-f', 500_000, '-n', percent(1));
	let_it_look();
	is(scalar $snmp->traps, 1, 'up and down between the thresholds: nothing more');
	run('conntrack', '-F');
	last_trap($snmp, 2, 'UsageCleared', 'an empty table', usage());
	flood('-n', percent(3));
	last_trap($snmp, 3, 'UsageHigh', 'three percent', usage());
	run('conntrack', '-F');
}

# Off, and set while it runs.
sub check_settings {
	my $snmp = start_snmp(trapd => 1, options => [qw(--usage-high 1 --usage-low 0
		--no-notifications --allow-write), @at_once]);
	my $set = sub {
		my ($name, $type, $value) = @_;
		my $answer = $snmp->set([oid("conntap$name", 0), $type, $value]);
		is($answer->{error}, 'noError', "$name is set to $value");
	};

	is($snmp->value('conntapNotificationsEnabled', 0), 2,
		'--no-notifications: it says so');
	flood('-n', percent(1));
	let_it_look();
	is_deeply([$snmp->traps], [], '--no-notifications: none');
	$set->('UsageHighThreshold', 'integer', -1);
	$set->('NotificationsEnabled', 'integer', 1);
	let_it_look();
	is_deeply([$snmp->traps], [], 'a threshold of -1: none');
	$set->('UsageHighThreshold', 'integer', 1);
	last_trap($snmp, 1, 'UsageHigh', 'a threshold that was set', usage());
	run('conntrack', '-F');
	last_trap($snmp, 2, 'UsageCleared', 'it is cleared', usage());
}

sub check_netns {
	must('ip', 'netns', 'add', 'one');
	my $snmp = start_snmp(trapd => 1, contexts => ['one'], options =>
		[qw(--netns one --usage-high 1 --usage-low 0), @at_once]);
	must('ip', 'netns', 'exec', 'one', program('tests/flood'), '-n', percent(1));

	my $count = 0 + must(qw(ip netns exec one conntrack -C));
	last_trap($snmp, 1, 'UsageHigh', 'another namespace', usage(),
		Entries => $count, UsagePercent => 1, Netns => 'one');
	must(qw(ip netns exec one conntrack -F));
	last_trap($snmp, 2, 'UsageCleared', 'another namespace, empty', usage(),
		Entries => 0, UsagePercent => 0, Netns => 'one');
	$snmp = undef;
	must('ip', 'netns', 'delete', 'one');
}

# Losses.

# One port serves one flow to each remote: the second is lost.
sub no_room {
	must('nft', 'add table inet narrow; add chain inet narrow source ' .
		'{ type nat hook postrouting priority srcnat - 10; }; ' .
		'add rule inet narrow source udp dport 7777 ' .
		'snat ip to 10.0.2.100:20000');
	datagram();
	wait_until('a flow', sub { table_size() == 1 });
}

sub datagram {
	must(qw(ip netns exec client), $^X, '-MIO::Socket::INET', '-e',
		'IO::Socket::INET->new(Proto => "udp", LocalPort => $ARGV[0], ' .
		'PeerAddr => "10.0.2.2", PeerPort => 7777)->send("x") or die',
		++$last_port);
}

sub losses {
	my %sums;

	for my $line (split /\n/, must('conntrack', '-S')) {
		$sums{$1} += $2 while $line =~ /(\w+)=(\d+)/g;
	}
	return (StatsInsertFailed => $sums{insert_failed}, StatsDrop => $sums{drop},
		StatsEarlyDrop => $sums{early_drop});
}

sub check_full {
	no_room();
	my $snmp = start_snmp(trapd => 1, options => [@at_once]);
	my %usage = usage();
	delete $usage{UsagePercent};

	for my $number (1, 2) {
		my %before = losses();
		datagram();
		wait_until('a loss', sub { my %now = losses();
			$now{StatsDrop} + $now{StatsInsertFailed} >
				$before{StatsDrop} + $before{StatsInsertFailed} });
		last_trap($snmp, $number, 'TableFull', "loss $number",
			%usage, losses());
	}
	let_it_look();
	is(scalar $snmp->traps, 2, 'no loss, no notification');
	is_deeply([grep { !/connected to the master/ } split /\n/, $snmp->log], [],
		'nothing to complain about');
	$snmp = undef;
	must('nft', 'delete table inet narrow');
	run('conntrack', '-F');
}

# Again and again, but told of not so often.
sub check_interval {
	no_room();
	my $snmp = start_snmp(trapd => 1, options => [qw(--notification-interval 2)]);
	my $begun = time;
	my @times;

	wait_until('three notifications', sub {
		datagram();
		my $count = $snmp->traps;
		push @times, time while @times < $count;
		return @times > 2 || time - $begun > 15;
	});
	my @apart = map { $times[$_] - $times[$_ - 1] } 1 .. $#times;
	is(scalar @times, 3, 'losses all the time: told of again and again');
	is(scalar(grep { $_ < 1.5 } @apart), 0, 'the interval between them')
		or diag("@apart");
	is(scalar(grep { $_ > 5 } @apart), 0, 'and not much more') or diag("@apart");
	note("@apart s apart");
	$snmp = undef;
	must('nft', 'delete table inet narrow');
	run('conntrack', '-F');
}

# More events than there is room for while it does not read.
sub check_events {
	my $snmp = start_snmp(trapd => 1,
		options => ['--events', @at_once]);

	# It subscribes on its own, and may be a little late.
	eval { wait_until('events', sub {
		defined $snmp->value('conntapEventsLost', 0) }) };
	is($snmp->value('conntapEventsLost', 0), 0, 'events: none is lost');
	kill STOP => $snmp->{agent}{pid};
	for (1 .. 3) {
		flood('-n', 60_000);
		run('conntrack', '-F');
	}
	kill CONT => $snmp->{agent}{pid};
	my @traps = traps_of($snmp, 1);
	my ($trap) = grep { $_->{of} eq 'conntapEventLoss' } @traps;
	ok($trap, 'lost events: conntapEventLoss') or diag(explain(\@traps));
	is(scalar(grep { /^CONNTAP-MIB/ } keys %{$trap // {}}), 2,
		'lost events: two objects');
	cmp_ok($trap->{'CONNTAP-MIB::conntapEventsLost.0'} // 0, '>', 0,
		'lost events: how many');
	is($trap->{'CONNTAP-MIB::conntapNetns.0'}, '', 'lost events: where');
}

SKIP: {
	my $max = setting('nf_conntrack_max');
	skip("three percent of $max flows are none or too many", 1)
		if $max < 10_000 || $max > 10_000_000;
	main->can("check_$_")->() for @ARGV ? @ARGV : qw(usage settings netns full
		interval events);
}
done_testing();
