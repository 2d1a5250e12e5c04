#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What can be changed by SNMP: a flow is deleted, exactly that one; marks, timeouts and
# controls are set; all else, and all others, are refused with the error of the MIB.
# Arguments are the parts to run.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use Test::More;
use Time::HiRes qw(time);

use lib $FindBin::Bin;
use Files;
use Lab;
use Snmp;

enter_lab();
need_snmp();

my @delete = ('integer', 2);
my $late = 'inject=recvfrom:delay_exit=50000';
my $seed = $ENV{CONNTAP_SEED} // int rand 2 ** 31;

sub flow_object {
	my ($column, $flow) = @_;

	return oid("conntapFlow$column", flow_index($flow));
}

sub deletion {
	my ($flow) = @_;

	return [flow_object('Action', $flow), @delete];
}

# Test: what becomes of a SET: "noError", or "wrongValue 1" with the place of the fault.
sub set_is {
	my ($snmp, $expected, $name, @vars) = @_;
	my $answer = $snmp->set(@vars);
	my $got = $answer->{error} . ($answer->{index} ? " $answer->{index}" : '');

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return like($got, $expected, $name) if ref $expected;
	return is($got, $expected, $name);
}

sub lines_of {
	return [map { flow_key($_) . " mark=$_->{mark} id=$_->{id}" } @_];
}

# Test: these flows are there and no others, each as it was.
sub flows_are {
	my ($name, @expected) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	same_lines(lines_of(conntrack_flows()), lines_of(@expected), $name);
}

sub insert {
	my ($port, @others) = @_;

	must(qw(conntrack -I -p udp -s 192.0.2.1 -d 192.0.2.2 --dport 53 -t 600
		--sport), $port, @others);
}

# Flows that are alike: ports from 1001 on, each with its own mark.
sub make_flows {
	my ($count) = @_;

	insert(1000 + $_, '--mark', $_) for 1 .. $count;
	return sort { $a->{mark} <=> $b->{mark} } conntrack_flows();
}

sub gone {
	my ($snmp, $flow) = @_;
	my $oid = flow_object('Mark', $flow);
	my ($next) = $snmp->next($oid =~ s/\.\d+\z//r);

	return $next->[0] ne $oid && ($snmp->get($oid))[0][1] eq 'noSuchInstance';
}

# Deletion.

# One flow of each kind of key.
sub victims {
	my %kinds;

	for my $flow (@_) {
		my $flags = $flow->{flags};
		$kinds{join ' ', $flow->{family}, $flow->{protonum},
			$flow->{zone} || $flow->{zone_orig} || 0,
			$flow->{zone_reply} || 0, grep { $flags->{$_} }
				qw(SRC_NAT DST_NAT EXPECTED UNREPLIED)} = $flow;
	}
	return map { $kinds{$_} } sort keys %kinds;
}

# The line for a flow in the log: its two ends, and more than that.
sub logged {
	my ($snmp, $flow) = @_;
	my ($src, $dst) = map { quotemeta } @{$flow->{orig}}{qw(src dst)};

	return grep { /deleted.*$src.*$dst/ } split /\n/, $snmp->log;
}

# The snapshot stays the same all the time: what goes from it does so by the deletion.
# One flow less, and this one gone: no other is.  Listing all each time would take long
# where the machine has many flows in other namespaces.
sub check_delete {
	my $traffic = start_traffic();
	my @flows = conntrack_flows();
	my @victims = victims(@flows);
	my $snmp = start_snmp(options => [qw(--allow-delete --snapshot-age 86400)]);
	my $deleted = 0;

	wait_until('the rows', sub {
		my %column = $snmp->column('conntapFlowMark');
		return keys %column == @flows;
	});
	for my $flow (@victims) {
		my $name = flow_line($flow) . " zone $flow->{zone}";
		set_is($snmp, 'noError', "delete $name", deletion($flow));
		@flows = grep { $_ != $flow } @flows;
		is(table_size(), scalar @flows, "deleted $name: one");
		ok(gone($snmp, $flow), "deleted $name: gone from GETNEXT and GET");
		is($snmp->value('conntapFlowsDeleted', 0), ++$deleted,
			"deleted $name: counted");
		is(scalar(() = logged($snmp, $flow)) > 0, 1, "deleted $name: logged");
	}
	flows_are('deleted: those, and no others', @flows);
	cmp_ok($deleted, '>', 25, 'flows of many kinds');
	is(scalar(() = $snmp->log =~ /\bdeleted /g), $deleted, 'a line for each');
	like($snmp->log, qr/deleted tcp 10\.0\.1\.2:\d+ > 10\.0\.2\.2:\d+/,
		'such a line');
	my %rows = $snmp->column('conntapFlowMark');
	is_deeply([sort keys %rows], [sort map { join '.', flow_index($_) } @flows],
		'a walk: the others');
	is($snmp->value('conntapFlowDeleteFailures', 0), 0, 'no failures');
	$traffic = undef;
	run('conntrack', '-F');
}

# Several in one message are all or none of them.
sub check_together {
	my @flows = make_flows(10);
	my $snmp = start_snmp(options => [qw(--allow-delete --snapshot-age 86400)]);
	my @actions = map { deletion($_) } @flows;
	my $absent = deletion({ %{$flows[0]}, zone => 77 });

	set_is($snmp, 'noCreation 2', 'one of three is not there',
		$actions[0], $absent, $actions[1]);
	flows_are('one of three is not there: none is deleted', @flows);
	set_is($snmp, qr/^(?:notWritable|noAccess) 2$/, 'with what nobody can set',
		$actions[0], ['1.3.6.1.2.1.1.1.0', 'string', 'x']);
	flows_are('with what nobody can set: none is deleted', @flows);
	set_is($snmp, 'wrongValue 3', 'one is to be active',
		@actions[0, 1], [$actions[2][0], 'integer', 1]);
	flows_are('one is to be active: none is deleted', @flows);
	is($snmp->value('conntapFlowsDeleted', 0), 0, 'none is counted');
	set_is($snmp, 'noError', 'three in one message', @actions[0 .. 2]);
	flows_are('three in one message', @flows[3 .. 9]);
	is($snmp->value('conntapFlowsDeleted', 0), 3, 'three: counted');
	set_is($snmp, qr/^(?:noError|inconsistentValue \d)$/, 'one twice',
		@actions[3, 3]);
	flows_are('one twice: that one', @flows[4 .. 9]);
	is($snmp->value('conntapFlowsDeleted', 0), 4, 'one twice: counted once');
	set_is($snmp, 'noCreation 1', 'again', $actions[3]);
	ok(gone($snmp, $flows[$_]), "gone: $_") for 0 .. 3;
	my %rows = $snmp->column('conntapFlowMark');
	is_deeply([sort { $a <=> $b } values %rows], [5 .. 10], 'a walk: the others');
	run('conntrack', '-F');
}

# More flows than one message is for, in a table that has others.
sub check_many {
	flood('-n', 700, '--seed', $seed);
	note("flood --seed $seed");
	my @flows = conntrack_flows();
	my $snmp = start_snmp(options => [qw(--allow-delete --snapshot-age 1)]);
	my @victims = grep { $_->{mark} == 7 } @flows;

	for (my @left = @victims; @left;) {
		my @part = splice @left, 0, 10;
		my $answer = $snmp->set(map { deletion($_) } @part);
		is($answer->{error}, 'noError', scalar(@part) . ' at once')
			if $answer->{error} ne 'noError';
	}
	flows_are('a hundred of many', grep { $_->{mark} != 7 } @flows);
	is($snmp->value('conntapFlowsDeleted', 0), scalar @victims,
		'a hundred: counted');
	run('conntrack', '-F');
}

# What is deleted while a snapshot is being made is not in that either; what is made
# anew is in the next.
sub check_stays_gone {
	flood('-n', 60_000, '--seed', $seed);
	insert(1000 + $_) for 1 .. 200;
	my %flow = (family => 'ipv4', protonum => 17, zone => 0);
	my @victims = map { { %flow, orig => { src => '192.0.2.1', dst => '192.0.2.2',
		sport => 1000 + $_, dport => 53 } } } 1 .. 200;
	my $snmp = start_snmp(options => [qw(--allow-delete --snapshot-age 1)]);
	my (%before, @gone, @errors, @back, %snapshots);

	while (my $flow = shift @victims) {
		my $error = $snmp->set(deletion($flow))->{error};
		push @errors, $error if $error ne 'noError';
		my $oid = flow_object('Mark', $flow);
		$before{$oid} = $oid =~ s/\.\d+\z//r;
		push @gone, $oid;
		# A second of them, over a few snapshots.
		shift @gone if @gone > 50;
		my $until = time + 0.02;
		while (time < $until) {
			my @rows = $snmp->next(@before{@gone});
			push @back, grep { $before{$_} } map { $_->[0] } @rows;
		}
		$snapshots{$snmp->value('conntapSnapshotTime', 0)} = 1;
	}
	is_deeply(\@errors, [], '200 of 60000: deleted');
	cmp_ok(scalar keys %snapshots, '>', 1, 'over more than one snapshot');
	is_deeply(\@back, [], 'deleted rows do not come back with another snapshot');
	my ($oid) = keys %before;
	insert($oid =~ /\.(\d+)\.53\z/);
	eval { wait_until('the row', sub {
		($snmp->next($before{$oid}))[0][0] eq $oid }) };
	is(($snmp->next($before{$oid}))[0][0], $oid, 'made anew, it is there again');
	run('conntrack', '-F');
}

sub check_limit {
	my @flows = make_flows(12);
	my $snmp = start_snmp(options => [qw(--allow-delete --delete-limit 5)]);
	my (@errors, @left);

	for my $flow (@flows) {
		my $error = $snmp->set(deletion($flow))->{error};
		push @errors, $error;
		push @left, $flow if $error ne 'noError';
	}
	my %times;
	$times{$_}++ for @errors;
	# It may have begun at the end of a second.
	ok(($times{noError} // 0) >= 5 && $times{noError} <= 10,
		'five a second are deleted');
	is(join(' ', sort keys %times), 'noError resourceUnavailable',
		'more: resourceUnavailable');
	flows_are('the limit: what was refused is there', @left);
	is($snmp->value('conntapFlowDeleteFailures', 0), scalar @left,
		'the limit: failures');
	my ($last) = @left;
	eval { wait_until('room', sub {
		$snmp->set(deletion($last))->{error} eq 'noError' }) };
	flows_are('a second later there is room', grep { $_ != $last } @left);
	run('conntrack', '-F');
}

# What is refused.

sub check_refused {
	my ($flow, @others) = make_flows(3);
	my $snmp = start_snmp(options => [qw(--allow-delete --allow-write)]);
	my $action = flow_object('Action', $flow);
	my $of = sub { flow_object($_[0], $flow) };
	my @index = flow_index($flow);

	for my $value (-2 ** 31, -1, 0, 1, 3, 2 ** 31 - 1) {
		set_is($snmp, 'wrongValue 1', "action $value",
			[$action, 'integer', $value]);
	}
	set_is($snmp, 'wrongType 1', "action: a $_->[0]", [$action, @$_])
		for ['string', '2'], ['gauge', 2], ['counter64', 2], ['oid', '1.3.2'];
	set_is($snmp, 'wrongType 1', "mark: a $_->[0]", [$of->('Mark'), @$_])
		for ['string', '2'], ['integer', 2], ['counter64', 2];
	set_is($snmp, 'wrongType 1', 'timeout: an integer',
		[$of->('Timeout'), 'integer', 9]);
	# 0 would end it: that is for conntapFlowAction.
	set_is($snmp, 'wrongValue 1', "timeout: $_", [$of->('Timeout'), 'gauge', $_])
		for 0, 2 ** 31, 2 ** 32 - 1;
	for my $column (qw(Status State OrigBytes ReplySrcPort Labels Helper Id Use)) {
		set_is($snmp, qr/^(?:notWritable|noCreation) 1$/,
			"$column is not to be set", [$of->($column), 'gauge', 1]);
	}
	for my $no ([@index, 1], [@index[0 .. 14]], [0], [@index[0 .. 14], 9],
		[@index[0, 1], 2, @index[3 .. 15]], [65536, @index[1 .. 15]],
		[@index[0 .. 14], 66000], [0, 256, @index[2 .. 15]],
		[@index[0 .. 3], 448, @index[5 .. 15]]) {
		set_is($snmp, 'noCreation 1', "no such flow: @$no",
			[oid('conntapFlowAction', @$no), @delete]);
		set_is($snmp, 'noCreation 1', "no such flow, mark: @$no",
			[oid('conntapFlowMark', @$no), 'gauge', 1]);
	}
	my $reply = { %$flow, orig => $flow->{reply} };
	set_is($snmp, 'noCreation 1', 'the tuple of its replies', deletion($reply));
	set_is($snmp, 'noCreation 1', 'the tuple of its replies, mark',
		[flow_object('Mark', $reply), 'gauge', 1]);
	my $nothing = qr/^(?:notWritable|noCreation|noAccess) 1$/;
	set_is($snmp, $nothing, 'no such column',
		[oid('conntapFlowEntry', 29, @index), @delete]);
	set_is($snmp, $nothing, 'a part of the index',
		[oid('conntapFlowSrcPort', @index), 'gauge', 9]);
	flows_are('refused: all flows are there', $flow, @others);
	run('conntrack', '-F');
}

sub check_views {
	my ($flow, @others) = make_flows(3);
	my $snmp = start_snmp(options => [qw(--allow-delete --allow-write)]);
	my ($action, $mark) = map { flow_object($_, $flow) } 'Action', 'Mark';
	my $refused = qr/^(?:noAccess 1|authorizationError \d|noSuchName 1)$/;

	for my $who ('full', 'public') {
		set_is($snmp, $refused, "$who does not delete", { community => $who },
			[$action, @delete]);
	}
	set_is($snmp, $refused, 'cutter sets no mark', { community => 'cutter' },
		[$mark, 'gauge', 9]);
	set_is($snmp, $refused, 'cutter sets no threshold', { community => 'cutter' },
		[oid('conntapUsageHighThreshold', 0), 'integer', 50]);
	set_is($snmp, qr/^(?:noAccess|authorizationError) 2$/,
		'cutter: action and mark', { community => 'cutter' },
		[$action, @delete], [$mark, 'gauge', 9]);
	{
		local $snmp->{patience} = 0.3;
		is($snmp->ask('nobody', 'get', 0, 0, [$mark, 'null']), undef,
			'another community is not answered');
	}
	flows_are('views: all flows are there', $flow, @others);
	is_deeply([$snmp->walk({ community => 'public' }, oid('conntapFlows'))], [],
		'public sees no flows');
	like(($snmp->get({ community => 'public' }, $mark))[0][1], qr/^noSuch/,
		'public sees no flow');
	like(($snmp->next({ community => 'public' }, $mark))[0][0],
		qr/\A\Q@{[oid('conntapControl')]}\E/,
		'public: GETNEXT passes over them');
	is($snmp->value({ community => 'public' }, 'conntapEntries', 0), 3,
		'public sees the rest');
	my @bulk = $snmp->bulk(50, { community => 'public' }, oid('conntapStats'));
	is_deeply([grep { $_->[0] =~ /\A\Q@{[oid('conntapFlows')]}\E\./ } @bulk], [],
		'public: nothing by GETBULK');
	set_is($snmp, 'noError', 'cutter deletes', { community => 'cutter' },
		[$action, @delete]);
	flows_are('cutter deleted it', @others);
	run('conntrack', '-F');
}

sub check_not_allowed {
	my @flows = make_flows(2);
	my @settings = map { [oid("conntap$_->[0]", 0), @$_[1, 2]] }
		['UsageHighThreshold', 'integer', 95],
		['UsageLowThreshold', 'integer', 40],
		['NotificationInterval', 'gauge', 5],
		['NotificationsEnabled', 'integer', 2],
		['SnapshotMaxAge', 'gauge', 3];
	my @writes = (@settings, [flow_object('Mark', $flows[0]), 'gauge', 9],
		[flow_object('Timeout', $flows[0]), 'gauge', 900]);
	my $action = deletion($flows[0]);

	my $snmp = start_snmp();
	set_is($snmp, 'notWritable 1', "nothing allowed: $_->[0]", $_)
		for $action, @writes;
	$snmp = undef;
	$snmp = start_snmp(options => ['--allow-delete']);
	set_is($snmp, 'notWritable 1', "--allow-delete: $_->[0]", $_) for @writes;
	$snmp = undef;
	$snmp = start_snmp(options => ['--allow-write']);
	set_is($snmp, 'notWritable 1', '--allow-write: no deletion', $action);
	flows_are('nothing has changed', @flows);
	run('conntrack', '-F');
}

# Changes.

sub check_mark_and_timeout {
	my @flows = make_flows(5);
	my $snmp = start_snmp(options => [qw(--allow-write --snapshot-age 86400)]);
	my $flow = $flows[2];
	my ($mark, $timeout) = map { flow_object($_, $flow) } 'Mark', 'Timeout';
	my $now = sub { grep { $_->{id} == $flow->{id} } conntrack_flows() };

	for my $value (0, 1, 0x80000000, 0xffffffff) {
		set_is($snmp, 'noError', "mark $value", [$mark, 'gauge', $value]);
		is(($now->())[0]{mark}, $value, "mark $value: by conntrack(8)");
		is(($snmp->get($mark))[0][2], $value, "mark $value: by GET");
		is_deeply(($snmp->next($mark =~ s/\.\d+\z//r))[0],
			[$mark, 'gauge', $value], "mark $value: by GETNEXT");
	}
	for my $value (9, 100_000, 1) {
		set_is($snmp, 'noError', "timeout $value",
			[$timeout, 'gauge', $value + 50]);
		cmp_ok(abs(($now->())[0]{timeout} - $value - 45), '<=', 6,
			"timeout $value: by conntrack(8)");
		cmp_ok(abs(($snmp->get($timeout))[0][2] - $value - 45), '<=', 6,
			"timeout $value: by GET");
	}
	my @both = map { [flow_object('Mark', $_), 'gauge', 70 + $_->{mark}],
		[flow_object('Timeout', $_), 'gauge', 5000] } @flows[0, 1];
	set_is($snmp, 'noError', 'marks and timeouts of two in one message', @both);
	my %after = map { ($_->{id} => $_) } conntrack_flows();
	is_deeply([map { $after{$_->{id}}{mark} } @flows], [71, 72, 0xffffffff, 4, 5],
		'marks: those, and no others');
	is(join(' ', map { $after{$_->{id}}{timeout} > 4900 ? 1 : 0 } @flows),
		'1 1 0 0 0', 'timeouts: those, and no others');
	check_unchanged($flow, $after{$flow->{id}});
	check_log($snmp);
	set_is($snmp, 'noCreation 2', 'a mark of none that is there', $both[0],
		[flow_object('Mark', { %$flow, zone => 7 }), 'gauge', 1]);
	is($after{$flows[0]{id}}{mark}, 71, 'none of it is set');
	run('conntrack', '-F');
}

# The five flows, by their ports: 1003 had four marks and three timeouts.
sub check_log {
	my ($snmp) = @_;
	my $of = sub { my ($port) = @_;
		qr/udp 192\.0\.2\.1:$port > 192\.0\.2\.2:53 (?:mark \S+ )?id \d+/ };

	like($snmp->log, $_, "logged: $_") for
		qr/: set the mark of @{[$of->(1003)]} from 0x3 to 0$/m,
		qr/: set the mark of @{[$of->(1003)]} from 0 to 0x1$/m,
		qr/: set the timeout of @{[$of->(1003)]} from \d+ s to 100050 s$/m,
		qr/: set the mark of @{[$of->(1001)]} from 0x1 to 0x47$/m,
		qr/: set the timeout of @{[$of->(1002)]} from \d+ s to 5000 s$/m;
	is(scalar(() = $snmp->log =~ /: set the /g), 4 + 3 + 4, 'a line for each');
}

sub check_unchanged {
	my ($before, $after) = @_;
	my @kept = qw(family protonum orig reply flags zone id start);

	is_deeply({ map { ($_ => $after->{$_}) } @kept },
		{ map { ($_ => $before->{$_}) } @kept }, 'the rest is as it was');
}

sub check_controls {
	my $snmp = start_snmp(options => [qw(--allow-write --usage-low -1)]);
	my @ranges = (
		UsageHighThreshold => 'integer', [-1, 0, 100, 55], [-2, 101],
		UsageLowThreshold => 'integer', [-1, 0, 44], [-2, 101],
		NotificationInterval => 'gauge', [0, 86400, 7], [86401, 2 ** 32 - 1],
		NotificationsEnabled => 'integer', [2, 1], [0, 3],
		SnapshotMaxAge => 'gauge', [1, 86400, 9], [0, 86401],
	);

	while (my ($name, $type, $good, $bad) = splice @ranges, 0, 4) {
		my $oid = oid("conntap$name", 0);
		for my $value (@$good) {
			set_is($snmp, 'noError', "$name $value", [$oid, $type, $value]);
			is($snmp->value("conntap$name", 0), $value, "$name is $value");
		}
		set_is($snmp, 'wrongValue 1', "$name $_", [$oid, $type, $_]) for @$bad;
		set_is($snmp, 'wrongType 1', "$name: a string", [$oid, 'string', '5']);
		is($snmp->value("conntap$name", 0), $good->[-1], "$name is as it was");
	}
	set_is($snmp, qr/^(?:notWritable|noCreation) 1$/,
		'not to be set', [oid('conntapEntries', 0), 'gauge', 5]);
	check_thresholds($snmp);
}

# How old a snapshot may be is heeded at once.
sub check_age {
	my $snmp = start_snmp(options => [qw(--allow-write --snapshot-age 86400)]);
	my $rows = sub {
		my %rows = $snmp->column('conntapFlowMark');
		return scalar keys %rows;
	};

	insert(77);
	# More than the second that it may be after that.
	select undef, undef, undef, 1.2;
	is($rows->(), 0, 'an age of a day: nothing new');
	set_is($snmp, 'noError', 'an age of a second',
		[oid('conntapSnapshotMaxAge', 0), 'gauge', 1]);
	eval { wait_until('a snapshot', sub { $rows->() == 1 }) };
	is($rows->(), 1, 'an age of a second: another snapshot');
	run('conntrack', '-F');
}

# The low one is lower than the high one, also when both are set at once.
sub check_thresholds {
	my ($snmp) = @_;
	my ($high, $low) = map { my $oid = oid("conntapUsage${_}Threshold", 0);
		sub { [$oid, 'integer', $_[0]] } } 'High', 'Low';
	my $both = sub { join ' ', map { $snmp->value("conntapUsage${_}Threshold", 0) }
		'High', 'Low' };

	set_is($snmp, 'wrongValue 2', 'two, one of them wrong',
		$high->(66), $low->(101));
	is($both->(), '55 44', 'none of them is set');
	set_is($snmp, qr/^inconsistentValue 1$/, 'low over high', $low->(56));
	set_is($snmp, qr/^inconsistentValue 1$/, 'high below low', $high->(40));
	is($both->(), '55 44', 'they are as they were');
	set_is($snmp, 'noError', 'both at once', $low->(60), $high->(70));
	is($both->(), '70 60', 'both are set');
	set_is($snmp, 'noError', 'both at once, downwards', $high->(9), $low->(8));
	is($both->(), '9 8', 'both are set again');
}

# Others, as objects to be set.
sub control {
	my ($name, $type, $value) = @_;

	return [oid("conntap$name", 0), $type, $value];
}

sub settings_are {
	my ($snmp, $expected, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(join(' ', map { $snmp->value("conntap$_", 0) } qw(SnapshotMaxAge
		UsageHighThreshold UsageLowThreshold NotificationInterval
		NotificationsEnabled)), $expected, $name);
}

sub orders {
	my @all = @_;

	return [@all] if @all < 2;
	return map { my $first = $_; map { [$all[$first], @$_] }
		orders(@all[grep { $_ != $first } 0 .. $#all]) } 0 .. $#all;
}

# The kernel refuses to change a fixed timeout, which is known only when all else has
# been done: nothing of it is left.
sub check_undo {
	insert(1003, '-u', 'SEEN_REPLY,FIXED_TIMEOUT', '--mark', 3);
	my ($fixed) = conntrack_flows();
	insert(1004, '--mark', 4);
	my ($other) = grep { $_->{mark} == 4 } conntrack_flows();
	my $snmp = start_snmp(options => ['--allow-write']);
	my $refused = [flow_object('Timeout', $fixed), 'gauge', 900];
	my $age = control(qw(SnapshotMaxAge gauge 5));
	my $high = control(qw(UsageHighThreshold integer 99));
	my $mark = [flow_object('Mark', $other), 'gauge', 44];
	my $before = '15 90 80 60 1';

	set_is($snmp, qr/^commitFailed/, 'a fixed timeout', $refused);
	like($snmp->log, qr/: cannot set the timeout of udp .*:1003 > .* to 900 s: \w/,
		'a fixed timeout: it is logged');
	for my $vars (orders($age, $high, $refused), orders($age, $high, $mark, $refused)) {
		my $name = join ', ', map { $_->[0] =~ /\.(\d+\.\d+)\z/ } @$vars;
		set_is($snmp, qr/^commitFailed/, "undone: $name", @$vars);
		settings_are($snmp, $before, "undone: $name: the settings");
		is(($snmp->get($mark->[0]))[0][2], 4, "undone: $name: the mark");
	}
	like($snmp->log, qr/: set the mark of udp 192\.0\.2\.1:1004 > .* back to 0x4$/m,
		'undone: it is logged');
	set_is($snmp, qr/^commitFailed/, 'undone: all of them, some twice', $high,
		control(qw(NotificationInterval gauge 7)), $age,
		control(qw(UsageHighThreshold integer 97)),
		control(qw(NotificationsEnabled integer 2)),
		control(qw(UsageLowThreshold integer -1)),
		control(qw(SnapshotMaxAge gauge 6)), $refused);
	settings_are($snmp, $before, 'undone: all of them, some twice: the settings');
	set_is($snmp, 'noError', 'without it', $age, $high, $mark);
	settings_are($snmp, '5 99 80 60 1', 'without it: the settings');
	run('conntrack', '-F');
}

# Version 3, and the tool.
sub check_v3 {
	my @flows = make_flows(3);
	my $snmp = start_snmp(options => [qw(--allow-delete --allow-write)]);
	my @operator = Snmp::as_user('operator');
	my $name = 'CONNTAP-MIB::conntapFlowAction.' . join '.', flow_index($flows[0]);

	my (undef, undef, $err) = $snmp->tool('snmpset', [Snmp::as_user('auditor')],
		$name, 'i', 2);
	like($err, qr/noAccess|authorizationError/,
		'SNMPv3: the auditor does not delete');
	my ($status, $out) = $snmp->tool('snmpset', [@operator], $name, 'i', 'delete');
	is($status, 0, 'SNMPv3: the operator deletes, by the name of the value');
	like($out, qr/delete\(2\)/, 'SNMPv3: the answer');
	flows_are('SNMPv3: deleted', @flows[1, 2]);
	($status, undef, $err) = $snmp->tool('snmpset', [@operator], $name, 'i', 2);
	like($err, qr/noCreation/, 'SNMPv3: again, it is not there');
	($status) = $snmp->tool('snmpset', [@operator],
		'.' . flow_object('Mark', $flows[1]), 'u', 4711);
	is($status, 0, 'SNMPv3: a mark');
	is((grep { $_->{id} == $flows[1]{id} } conntrack_flows())[0]{mark}, 4711,
		'SNMPv3: it is set');
	run('conntrack', '-F');
}

# Flows that end, or begin anew, while a SET is under way.

# How often the kernel was asked for one flow, or to delete one, so far.
sub asked {
	my ($trace) = @_;

	return scalar grep { !/NLM_F_DUMP/ } grep {
		/sendto\(.*CTNETLINK<<8\|(?:IPCTNL_MSG_CT_(?:GET|DELETE)|0x[12])\b/ }
		split /\n/, slurp($trace);
}

# Answers of the kernel reach it late.
sub start_tracer {
	my ($pid, $trace) = @_;
	my $tracer = start({}, qw(strace -f -qq -e), 'trace=sendto,recvfrom',
		'-e', $late, '-o', $trace, '-p', $pid);

	wait_until('strace', sub { !grep { slurp($_) !~ /^TracerPid:\s*[1-9]/m }
		glob "/proc/$pid/task/*/status" });
	return $tracer;
}

# The same tuple with another id.  That comes from the place in memory: a third flow
# takes the first one's.  In few processes, as there is not much time.
sub renew {
	my ($flow) = @_;
	my $port = $flow->{orig}{sport};
	my $tuple = '-p udp -s 192.0.2.1 -d 192.0.2.2 --dport 53 --sport';
	my $file = File::Temp->new;

	print $file "-D $tuple $port\n-I $tuple 9999 -t 600\n",
		"-I $tuple $port -t 600\n-D $tuple 9999\n";
	close $file;
	must('conntrack', '-R', "$file");
	my ($id) = must(qw(conntrack -L -p udp -o id --sport), $port) =~ /\bid=(\d+)/;
	return $id == $flow->{id} ? undef : $id;
}

# Sets something of each of some flows in one message, [column, type, value] of
# snmpset(1), or another object by its name; and does something to the last flow, after
# the agent has asked for all of them and before it does so for the last one again, or
# deletes it.  Undef where that was not in time; or what is described at in_time().
sub amid {
	my ($do, @set) = @_;
	my $trace = File::Temp->new;
	my $count = grep { $_->[0] !~ /\./ } @set;
	my @flows = make_flows($count);
	my @left = @flows;
	my $snmp = start_snmp(options => [qw(--allow-delete --allow-write --snapshot-age
		86400)]);
	my $tracer = start_tracer($snmp->{agent}{pid}, "$trace");
	my $before = asked("$trace");
	my $job = start({}, 'snmpset', qw(-v2c -c secret -t 15 -r 0 -m), '',
		'127.0.0.1:1161', map { my ($name, @value) = @$_;
			$name = flow_object($name, shift @left) if $name !~ /\./;
			(".$name", @value) } @set);

	wait_until('questions', sub { asked("$trace") - $before >= $count });
	my $new = $do->($flows[-1]);
	my $in_time = asked("$trace") - $before < 2 * $count;
	my (undef, undef, $err) = finish($job);
	interrupt($tracer);
	my ($error) = $err =~ /^Reason: \(?(\w+)/m;
	return $in_time && defined $new ? { error => $error // $err, new => $new,
		flows => [map { $_->{id} } @flows],
		high => $snmp->value('conntapUsageHighThreshold', 0) } : undef;
}

# A slow machine has a few tries.  What came of it: the error, '' for none; new, what
# was done; flows, the ids of all that were made; left, id => mark of those that are
# left; high, the threshold.
sub in_time {
	my @how = @_;
	my ($status) = run(qw(strace -f -qq -o /dev/null true));

	skip('strace does not work here: no slow answers of the kernel', 1) if $status;
	for my $try (1 .. 4) {
		my $came = amid(@how);
		my %left = map { ($_->{id} => $_->{mark}) } conntrack_flows();
		run('conntrack', '-F');
		return { %$came, left => \%left } if $came;
	}
	skip('no flow changed in time', 1);
}

sub check_stale {
	my @delete_it = ('Action', 'i', 2);
	my @mark_it = ('Mark', 'u', 9);

	SKIP: {
		my $came = in_time(\&renew, \@delete_it);
		is($came->{error}, '', 'anew meanwhile, delete: a success');
		is_deeply($came->{left}, { $came->{new} => 0 },
			'anew meanwhile, delete: it stays');
	}
	SKIP: {
		my $came = in_time(sub { run('conntrack', '-F'); 0 }, \@delete_it);
		is($came->{error}, '', 'ended meanwhile, delete: a success');
	}
	SKIP: {
		my $came = in_time(\&renew, \@mark_it);
		is($came->{error}, 'commitFailed', 'anew meanwhile, mark: an error');
		is_deeply($came->{left}, { $came->{new} => 0 },
			'anew meanwhile, mark: it has none');
	}
	SKIP: {
		my $came = in_time(\&renew, \@mark_it, \@mark_it);
		is($came->{error}, 'commitFailed', 'one of two marks: an error');
		is_deeply($came->{left}, { $came->{flows}[0] => 1, $came->{new} => 0 },
			'one of two marks: the other is as it was');
	}
	SKIP: {
		my @threshold = (oid('conntapUsageHighThreshold', 0), 'i', 99);
		my $came = in_time(\&renew, \@threshold, \@mark_it);
		is($came->{error}, 'commitFailed', 'threshold, but no mark: an error');
		is($came->{high}, 90, 'threshold, but no mark: it is as it was');
	}
	SKIP: {
		my $came = in_time(\&renew, \@delete_it, \@mark_it);
		is($came->{error}, 'undoFailed', 'deleted, but no mark: it is said');
		is_deeply($came->{left}, { $came->{new} => 0 },
			'deleted, but no mark: so it is');
	}
}

main->can("check_$_")->() for @ARGV ? @ARGV : qw(delete together many stays_gone limit
	refused views not_allowed mark_and_timeout controls age undo v3 stale);
done_testing();
