#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conntap-agentx through the days of its life: before snmpd is there, while that
# restarts, dies or hangs; a namespace that goes and returns; without rights, as another
# user; its options and its file; and its end.  Arguments are the parts to run.
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

my $agent = program('conntap-agentx');
# Of all agents here, unless it is said otherwise.
our $ping_interval = 1;
# It is back a second after the next ping at the latest; a machine that is busy with
# other things may take so much longer.
my $slack = 3;
my $net_admin = 1 << 12;
my $sys_admin = 1 << 21;

# Test: it answers in time.
sub comes_back {
	my ($snmp, $name) = @_;
	my $seconds = eval { $snmp->wait_for_agent };

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(defined $seconds && $seconds < $ping_interval + 1 + $slack,
		"$name: it answers again in time") or diag($@);
	note(sprintf '%s: after %.2f s', $name, $seconds // -1);
	my %marks = $snmp->column('conntapFlowMark');
	is(scalar keys %marks, table_size(), "$name: with its flows");
}

sub descriptors {
	my ($pid) = @_;

	return scalar(() = glob "/proc/$pid/fd/*");
}

# Processor time in seconds.
sub busy {
	my ($pid) = @_;
	my @fields = split ' ', slurp("/proc/$pid/stat") =~ s/^.*\) //sr;

	return ($fields[11] + $fields[12]) / 100;
}

sub lines_of {
	my ($snmp, $pattern) = @_;

	return scalar grep { /$pattern/ } split /\n/, $snmp->log;
}

# The master agent.

sub check_before {
	insert_flows('gateway', 1000, 5);
	my $snmp = start_snmp(snmpd => 0);

	eval { wait_until('a message', sub { $snmp->log =~ /master agent/ }) };
	like($snmp->log,
		qr/cannot reach the master agent at unix:\S+: trying again every 1 s/,
		'before snmpd: it says so');
	# Several tries.
	select undef, undef, undef, 2.5;
	is(lines_of($snmp, qr/./), 1, 'before snmpd: it says so once')
		or diag($snmp->log);
	$snmp->start_snmpd;
	comes_back($snmp, 'before snmpd');
	is(lines_of($snmp, qr/connected to the master agent at/), 1,
		'before snmpd: and that it is connected');
}

sub check_restarts {
	my $snmp = start_snmp();
	my $pid = $snmp->{agent}{pid};

	$snmp->stop('snmpd');
	$snmp->start_snmpd;
	comes_back($snmp, 'snmpd restarted');
	my $before = descriptors($pid);
	for my $how ('TERM', 'KILL', 'KILL') {
		$snmp->stop('snmpd', $how);
		eval { wait_until('a message', sub {
			lines_of($snmp, qr/connected to/) <=
				lines_of($snmp, qr/(?:lost|gone)/) }) };
		$snmp->start_snmpd;
		comes_back($snmp, "snmpd ended by $how");
	}
	is(descriptors($pid), $before, 'restarts: no descriptor is left open');
	# sysORDescr; snmpd has some of its own.
	is(scalar grep({ $_->[2] =~ /CONNTAP-MIB/ } $snmp->walk('1.3.6.1.2.1.1.9.1.3')), 1,
		'restarts: the agent is among what snmpd supports');
	is(lines_of($snmp, qr/connected to the master agent at/), 5,
		'restarts: each is told of once');
	cmp_ok(lines_of($snmp, qr/./), '<=', 10, 'restarts: and not much more')
		or diag($snmp->log);
}

# Less than the usual interval, and more than the least.
sub check_interval {
	local $ping_interval = 3;
	my $snmp = start_snmp(options => ['--ping-interval', $ping_interval]);

	for my $how ('TERM', 'KILL') {
		$snmp->stop('snmpd', $how);
		$snmp->start_snmpd;
		comes_back($snmp, "every 3 s, snmpd ended by $how");
	}
}

# A second agent waits until the first has ended; what that has not, it answers for.
sub check_second {
	must('ip', 'netns', 'add', $_) for 'one', 'two';
	insert_flows($_, 1000, 3) for 'one', 'two';
	my $snmp = start_snmp(contexts => ['one', 'two'], options => [qw(--netns one)]);
	my $in_one = { community => 'in-one' };

	$snmp->wait_for_agent(community => 'in-one');
	my $first = delete $snmp->{agent};
	$snmp->start_agent(qw(--netns one --netns two));
	my $name = 'a second agent';
	eval { wait_until('a message', sub { $snmp->log =~ /another subagent/ }) };
	like($snmp->log, qr/: another subagent answers for these objects .*twice\?/,
		"$name: it says so");
	ok(eval { $snmp->wait_for_agent(community => 'in-two') },
		"$name: it answers for what the first has not");
	# Several tries.
	select undef, undef, undef, 3.5;
	is(lines_of($snmp, qr/./), 2, "$name: it says nothing else") or diag($snmp->log);
	unlike(so_far($first, 'stderr'), qr/another|lost/,
		"$name: the first has no part in it");
	is($snmp->value($in_one, 'conntapEntries', 0), 3, "$name: the first answers");

	interrupt($first);
	comes_back($snmp, "$name: the first has ended");
	ok(eval { $snmp->wait_for_agent(community => 'in-one') },
		"$name: it answers for all");
	eval { wait_until('a message', sub { $snmp->log =~ /has ended/ }) };
	is(lines_of($snmp, qr/: the other subagent has ended: answering for all objects$/),
		1, "$name: it says that, too");
	is(lines_of($snmp, qr/./), 3, "$name: and nothing else") or diag($snmp->log);
	$snmp->stop('snmpd', 'KILL');
	$snmp->start_snmpd;
	comes_back($snmp, "$name, and snmpd restarted");
	is(lines_of($snmp, qr/another subagent/), 1, "$name: it is the only one by now");
	$snmp = undef;
	must('ip', 'netns', 'delete', $_) for 'one', 'two';
}

# Ten seconds; options are looked at meanwhile.
# More flows come and go than the events' buffer holds, while snmpd keeps the agent
# waiting; how many there were at most is known afterwards, and that nothing was lost.
sub check_stopped {
	my $flows = 100_000;
	my $snmp = start_snmp(options => ['--events', '--snapshot-age', 1]);
	my $pid = $snmp->{agent}{pid};
	my $before = busy($pid);
	my $begun = time;

	kill STOP => $snmp->{snmpd}{pid};
	flood('-n', $flows);
	# It looks five times a second.
	select undef, undef, undef, 0.5;
	run('conntrack', '-F');
	check_bad_options();
	check_help();
	check_file();
	my $left = 10 - (time - $begun);
	select undef, undef, undef, $left if $left > 0;
	cmp_ok(busy($pid) - $before, '<', 2.5,
		'snmpd hung: the agent has little to do meanwhile');
	kill CONT => $snmp->{snmpd}{pid};
	comes_back($snmp, 'snmpd hung for ten seconds');
	is(Lab::process_state($pid) =~ /[SR]/, 1, 'snmpd hung: it is the same agent');
	is($snmp->value('conntapEventsLost', 0), 0, 'snmpd hung: no event was lost');
	# Some of them last for a second or two only.
	cmp_ok($snmp->value('conntapPeakEntries', 0), '>=', 0.9 * $flows,
		'snmpd hung: nor the peak');
	cmp_ok($snmp->value('conntapEntries', 0), '<', 100, 'which is over');

	kill STOP => $pid;
	{
		local $snmp->{patience} = 0.3;
		is($snmp->answers, undef, 'the agent hung: no answer');
	}
	# snmpd itself waits for it, as long as its agentXTimeout is.
	kill CONT => $pid;
	comes_back($snmp, 'the agent hung');
}

# Namespaces.

sub marks_in {
	my ($snmp, $community) = @_;
	my $who = { community => $community };
	my %marks = eval { $snmp->column($who, 'conntapFlowMark') };

	return scalar keys %marks;
}

sub check_netns {
	must('ip', 'netns', 'add', 'one');
	insert_flows('one', 1000, 3);
	my $snmp = start_snmp(contexts => ['one'], options => [qw(--netns one
		--snapshot-age 1 --events --allow-delete --allow-write)]);
	$snmp->wait_for_agent(community => 'in-one');
	my $who = { community => 'in-one' };
	is(marks_in($snmp, 'in-one'), 3, 'namespace: its flows');

	must('ip', 'netns', 'delete', 'one');
	my $count = 'unknown';
	eval { wait_until('its end', sub {
		$count = $snmp->value($who, 'conntapEntries', 0);
		return !defined $count && !marks_in($snmp, 'in-one') }) };
	is($count, undef, 'namespace gone: its scalars are not instantiated');
	is(marks_in($snmp, 'in-one'), 0, 'namespace gone: nor are flows');
	is($snmp->value($who, 'conntapNetns', 0), 'one', 'namespace gone: its name is');
	is($snmp->value('conntapEntries', 0), table_size(),
		'namespace gone: the other is there');
	for my $set (['Action', 'integer', 2], ['Mark', 'gauge', 2]) {
		my ($column, @value) = @$set;
		my @index = qw(0 17 1 4 192 0 2 1 1 4 192 0 2 2 1001 53);
		is($snmp->set({ community => 'cut-one' },
			[oid("conntapFlow$column", @index), @value])->{error},
			'resourceUnavailable', "namespace gone: SET of $column");
	}
	my $said = grep { /\bone\b/ } split /\n/, $snmp->log;
	ok($said == 1 || $said == 2, 'namespace gone: each reader says it once')
		or diag($snmp->log);

	must('ip', 'netns', 'add', 'one');
	insert_flows('one', 2000, 4);
	my $begun = time;
	eval { wait_until('its return', sub { marks_in($snmp, 'in-one') == 4 }) };
	is(marks_in($snmp, 'in-one'), 4, 'namespace back: its flows');
	is($snmp->value($who, 'conntapEntries', 0), 4, 'namespace back: its scalars');
	note(sprintf 'namespace back: after %.2f s', time - $begun);
	my ($peak, $rate) = map { my $name = $_; sub { $snmp->value($who, $name, 0) } }
		'conntapPeakEntries', 'conntapCreateRate';
	must(qw(ip netns exec one), program('tests/flood'), '-n', 500);
	eval { wait_until('events', sub { $rate->() }) };
	cmp_ok($rate->() // 0, '>', 0, 'namespace back: its events');
	# A few looks at the count, without a question.
	must(qw(ip netns exec one), program('tests/flood'), '-n', 2000, '-f', 1000);
	select undef, undef, undef, 0.7;
	must(qw(ip netns exec one conntrack -F));
	is($peak->(), 2504, 'namespace back: its peak');
	$snmp = undef;
	must('ip', 'netns', 'delete', 'one');
}

# On one processor, whose counters begin at 0 in a new namespace.
sub insert_there {
	my ($count) = @_;
	my ($cpu) = slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s*(\d+)/m;

	must(qw(ip netns exec one taskset -c), $cpu, qw(conntrack -I -p udp -s 192.0.2.1
		-d 192.0.2.2 --dport 53 -t 600 --sport), $_) for 1 .. $count;
}

# Made anew under its name, quickly or not: totals go on, and it is told.
sub check_netns_anew {
	my $name = 'namespace made anew';

	must('ip', 'netns', 'add', 'one');
	insert_there(5);
	my $snmp = start_snmp(contexts => ['one'], options => [qw(--netns one)]);
	my $who = { community => 'in-one' };
	$snmp->wait_for_agent(community => 'in-one');
	my $value = sub { $snmp->value($who, "conntap$_[0]", 0) };
	my $began = sub { date_and_time($snmp->value(@_, 'conntapStatsDiscontinuityTime',
		0)) };
	my $own = $began->();
	my $said = 0;
	my $total = 5;
	for my $inserts (9, 3) {
		my $time = $began->($who);
		is($value->('StatsInsert'), $total, "$name: what there was before");
		must('ip', 'netns', 'delete', 'one');
		if ($inserts == 3) {
			eval { wait_until('its absence', sub {
				$snmp->log =~ /one: cannot read/ }) };
			is($value->('StatsInsert'), undef, "$name: no counters");
			$said = 1;
		}
		must('ip', 'netns', 'add', 'one');
		insert_there($inserts);
		$total += $inserts;
		eval { wait_until('counters', sub {
			($value->('StatsInsert') // 0) == $total }) };
		is($value->('StatsInsert'), $total, "$name: totals go on");
		cmp_ok($began->($who), '>', $time, "$name: it is told");
		eval { wait_until('a message', sub { !$said || $snmp->log =~ /again/ }) };
		is(lines_of($snmp, qr/one: reading .* again/), $said,
			$said ? 'a short absence: its end is said once' :
			"$name: nobody has missed it") or diag($snmp->log);
	}
	is($began->(), $own,
		"$name: the agent's own is the same all the time");
	$snmp = undef;
	must('ip', 'netns', 'delete', 'one');
}

# A context has 32 letters at most, a namespace more, as OpenStack's.
sub check_long_name {
	my $name = 'qrouter-0b7a1c9e-4c3b-4c1b-9a62-2f7d6f1b8f55';

	must('ip', 'netns', 'add', $name);
	insert_flows($name, 1000, 3);
	my $snmp = start_snmp(contexts => ['router'], trapd => snmptrapd_is_there(),
		options => ['--netns', "router=$name", qw(--usage-high 0
			--notification-interval 0)]);
	my $who = { community => 'in-router' };
	$snmp->wait_for_agent(community => 'in-router');
	is(marks_in($snmp, 'in-router'), 3, 'a context of another name: its flows');
	is($snmp->value($who, 'conntapNetns', 0), $name,
		'a context of another name: conntapNetns');
	my @rows = $snmp->named('snmpget', [Snmp::as_user('operator'), '-n', 'router'],
		'conntapEntries.0');
	is(join(' ', map { $_->[2] =~ /^(\d+)/ } @rows), '3',
		'a context of another name: SNMPv3');
	SKIP: {
		skip('no snmptrapd', 1) unless $snmp->{trapd};
		eval { wait_until('a notification', sub {
			grep { "@{[%$_]}" =~ /\Q$name\E/ } $snmp->traps }) };
		my ($trap) = grep { "@{[%$_]}" =~ /\Q$name\E/ } $snmp->traps;
		is(($trap // {})->{of}, 'conntapUsageHigh',
			'a context of another name: notifications have the namespace');
	}
	$snmp = undef;
	must('ip', 'netns', 'delete', $name);
}

sub snmptrapd_is_there {
	return defined Snmp::snmp_daemon('snmptrapd');
}

# One that is not there at the start may come.
sub check_netns_later {
	my $snmp = start_snmp(contexts => ['later'],
		options => [qw(--netns later --snapshot-age 1)]);

	is($snmp->value('conntapEntries', 0), table_size(),
		'no such namespace: the other works');
	like($snmp->log, qr/later/, 'no such namespace: it is said');
	must('ip', 'netns', 'add', 'later');
	insert_flows('later', 2000, 2);
	eval { wait_until('the namespace', sub { marks_in($snmp, 'in-later') == 2 }) };
	is(marks_in($snmp, 'in-later'), 2, 'it comes: its flows');
	$snmp = undef;
	must('ip', 'netns', 'delete', 'later');
}

# Rights.

# It says so, and then it ends, or shows what all may know and nothing half.
sub check_rights {
	my @without = (
		'root' => [qw(--bounding-set=-net_admin --inh-caps=-net_admin)],
		'nobody' => [qw(--reuid=65534 --regid=65534 --clear-groups)],
	);

	insert_flows('gateway', 3000, 5);
	while (my ($who, $how) = splice @without, 0, 2) {
		my $name = "$who without rights";
		my $before = ['setpriv', @$how];
		my $snmp = start_snmp(agent => 0, before => $before);
		SKIP: {
			skip("$name: it cannot be run so", 1)
				if (run(@$before, $agent, '--version'))[0];
			$snmp->start_agent;
			my $pid = $snmp->{agent}{pid};
			eval { wait_until('a message', sub {
				$snmp->log =~ /CAP_NET_ADMIN/ ||
					Lab::process_state($pid) eq 'Z' }) };
			like($snmp->log, qr/CAP_NET_ADMIN/,
				"$name: it is said what is missing");
			nothing_half($snmp, $name) if Lab::process_state($pid) ne 'Z';
		}
	}
}

# A kernel without conntrack's netlink, for as long as it refuses sockets: strace makes
# it refuse the first ones of each thread.  (The real module cannot be taken away.)
sub check_module {
	my @refuse = qw(strace -D -f -qq -o /dev/null -e trace=socket -e
		inject=socket:error=EPROTONOSUPPORT:when=1..4);

	SKIP: {
		skip('strace does not work here: no kernel without the module', 4)
			if (run(qw(strace -f -qq -o /dev/null true)))[0];
		my $snmp = start_snmp(agent => 0, before => \@refuse);
		$snmp->start_agent;
		eval { wait_until('a message', sub {
			$snmp->log =~ /modprobe nf_conntrack_netlink/ }) };
		like($snmp->log, qr/modprobe nf_conntrack_netlink/,
			'no module: what helps is said');
		eval { wait_until('the flows', sub {
			(marks_in($snmp, 'full') // 0) == table_size() }) };
		cmp_ok(table_size(), '>', 0, 'there are flows');
		is(marks_in($snmp, 'full'), table_size(),
			'when it is there: all flows, by itself');
		cmp_ok(lines_of($snmp, qr/modprobe/), '<=', 2,
			'no module: not said all the time') or diag($snmp->log);
	}
}

sub nothing_half {
	my ($snmp, $name) = @_;

	eval { wait_until('an answer', sub {
		defined $snmp->value('conntapAgentVersion', 0) &&
			defined $snmp->value('conntapNotificationsEnabled', 0) }) };
	my $max = 0 + slurp('/proc/sys/net/netfilter/nf_conntrack_max');
	is_deeply([map { $snmp->value("conntap$_", 0) } 'Entries', 'MaxEntries'],
		[table_size(), $max], "$name: what all may know");
	is_deeply([$snmp->walk(oid('conntapFlows'))], [], "$name: no flows");
	is_deeply([grep { defined } map { $snmp->value("conntap$_", 0) } qw(EntriesIpv4
		EntriesIpv6 EntriesNat SnapshotRows SnapshotTime ExpectEntries)], [],
		"$name: no zeros for what is not known");
	is_deeply([map { $snmp->walk(oid("conntap${_}Table")) }
		qw(Proto TcpState Zone)], [], "$name: no empty tables");
	# Once for each thing that it cannot do.
	cmp_ok(lines_of($snmp, qr/CAP_NET_ADMIN/), '<=', 2,
		"$name: it is not said all the time") or diag($snmp->log);
}

sub status_of {
	my ($path) = @_;

	return map { /^(\w+):\s*(.*)$/ ? ($1 => $2) : () } split /\n/, slurp($path);
}

# Test: each thread is nobody's and can do just that.
sub can_only {
	my ($name, $pid, $mask) = @_;
	my $hex = sprintf '%016x', $mask;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for my $path (glob "/proc/$pid/task/*/status") {
		my %is = status_of($path);
		is(join(' ', map { s/\s+/ /gr } @is{qw(Uid Gid CapEff CapPrm)}),
			"65534 65534 65534 65534 65534 65534 65534 65534 $hex $hex",
			"$name: $path");
		is("$is{CapInh} $is{CapAmb}", '0' x 16 . ' ' . '0' x 16,
			"$name: nothing to hand on");
	}
}

sub check_user {
	SKIP: {
		skip('nobody is not a user of this namespace', 1) if (run('setpriv',
			qw(--reuid=65534 --regid=65534 --clear-groups true)))[0];
		become_nobody();
	}
	my ($status, undef, $err) = run($agent, qw(--foreground --config /dev/null
		--user nobody-of-that-name));
	is($status, 1, '--user: nobody of that name: status 1');
	like($err, qr/\Aconntap-agentx: [^\n]*nobody-of-that-name[^\n]*\n\z/,
		'--user: nobody of that name: it says so');
}

sub become_nobody {
	insert_flows('gateway', 4000, 2);
	my $snmp = start_snmp(options =>
		[qw(--user nobody --allow-delete --snapshot-age 1)]);
	can_only('--user', $snmp->{agent}{pid}, $net_admin);
	my ($flow) = conntrack_flows();
	my $action = oid('conntapFlowAction', flow_index($flow));
	my $set = $snmp->set([$action, 'integer', 2]);
	is($set->{error}, 'noError', '--user: it may delete');
	$snmp->stop('snmpd', 'KILL');
	$snmp->start_snmpd;
	comes_back($snmp, '--user, and snmpd restarted');
	$snmp = undef;

	must('ip', 'netns', 'add', 'one');
	insert_flows('one', 1000, 3);
	$snmp = start_snmp(contexts => ['one'],
		options => [qw(--user nobody --netns one)]);
	can_only('--user with --netns', $snmp->{agent}{pid}, $net_admin | $sys_admin);
	$snmp->wait_for_agent(community => 'in-one');
	is(marks_in($snmp, 'in-one'), 3, '--user with --netns: its flows');
	$snmp = undef;
	must('ip', 'netns', 'delete', 'one');
}

# Options.

# Test: it ends at once, with status 2 and one line that fits.
sub refuses {
	my ($why, @arguments) = @_;
	my ($status, $out, $err) = run($agent, @arguments);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is("$status $out", '2 ', "@arguments: status 2");
	like($err, qr/\Aconntap-agentx: [^\n]*$why[^\n]*\n\z/, "@arguments: why");
}

sub check_bad_options {
	my @bad = (
		[qr/--snapshot-age: 0 .*1 to 86400/, '--snapshot-age', 0],
		[qr/--snapshot-age: 86401 .*1 to 86400/, '--snapshot-age=86401'],
		[qr/--snapshot-age: soon .*1 to 86400/, qw(--snapshot-age soon)],
		[qr/--snapshot-age: -5 .*1 to 86400/, qw(--snapshot-age -5)],
		[qr/--snapshot-idle: 0 .*1 to 86400/, '--snapshot-idle', 0],
		[qr/--ping-interval: 0 .*1 to 3600/, qw(--ping-interval 0)],
		[qr/--ping-interval: 3601 .*1 to 3600/, qw(--ping-interval 3601)],
		[qr/--max-rows: many /, qw(--max-rows many)],
		[qr/--max-rows: 4294967296 /, qw(--max-rows 4294967296)],
		[qr/--delete-limit: 1\.5 /, qw(--delete-limit 1.5)],
		[qr/--usage-high: 101 .*100/, qw(--usage-high 101)],
		[qr/--usage-low: -2 .*-1/, qw(--usage-low -2)],
		[qr/--notification-interval: 86401 .*86400/,
			qw(--notification-interval 86401)],
		[qr/--base-oid: 1\.3\.x .*like/, qw(--base-oid 1.3.x)],
		[qr/--base-oid: 1\.3\.4294967296 /, qw(--base-oid 1.3.4294967296)],
		[qr/--base-oid:/, '--base-oid', ''],
		[qr/--netns: .*ip netns/, '--netns', ''],
		[qr/--netns: .*ip netns/, '--netns', 'blue='],
		[qr/--netns: =blue: .*empty context/, '--netns==blue'],
		[qr/--netns: x{33}: .*32 letters.*CONTEXT=NAME/, '--netns', 'x' x 33],
		[qr/--netns: x{33}=y: .*32 letters/, '--netns', 'x' x 33 . '=y'],
		[qr/--netns: blue=red: there is a context blue already/,
			qw(--netns blue --netns blue=red)],
		[qr/--netns: blue: there is a context blue already/,
			qw(--netns blue --netns blue)],
		[qr/--usage-low: 60 is greater than --usage-high \(50\)/,
			qw(--usage-high 50 --usage-low 60)],
		[qr/--usage-low: 91 is greater than --usage-high \(90\)/,
			qw(--usage-low 91)],
		map({ [qr/--agentx-socket: .*107 letters/, '--foreground',
			'--agentx-socket', $_] } 'x' x 108, '/' . 'x' x 107,
			'unix:/' . 'x' x 107),
		[qr/--agentx-socket: .*107 letters/, '--agentx-socket', 'x' x 107],
		[qr/--snapshot-age.*value/, '--snapshot-age'],
		[qr/--events.*value/, '--events=yes'],
		[qr/--frobnicate.*--help/, '--frobnicate'],
		[qr/walk.*--help/, 'walk'],
		[qr/-x.*--help/, '-x'],
		[qr/no-such-file.*No such file/, qw(--config /tmp/no-such-file)],
	);

	refuses(@$_) for @bad;
}

sub check_help {
	my ($status, $out, $err) = run($agent, '--help');

	is("$status $err", '0 ', '--help: status');
	like($out, qr/--\Q$_\E\b/, "--help: $_") for qw(config agentx-socket
		ping-interval netns base-oid snapshot-age snapshot-idle max-rows
		no-flow-table events allow-delete delete-limit allow-write usage-high usage-low
		notification-interval no-notifications user foreground pid-file);
	($status, $out, $err) = run($agent, '--version');
	like("$status $out$err", qr/\A0 conntap-agentx \d+\.\d+\.\d+\n\z/, '--version');
	# What stands before it is looked at.
	for my $good (['--netns', 'x' x 32], ['--netns', 'x' x 32 . '=' . 'y' x 255],
		['--netns', 'a=b=c', '--netns', 'b=b=c']) {
		is((run($agent, @$good, '--version'))[0], 0, "@$good");
	}
}

# A low threshold that nobody has given goes with the high one.
sub check_thresholds {
	my $snmp = start_snmp(agent => 0);

	for my $case ([50, 50], [80, 80], [85, 80], [-1, 80]) {
		my ($high, $low) = @$case;
		$snmp->start_agent('--usage-high', $high);
		$snmp->wait_for_agent;
		is_deeply([map { $snmp->value("conntapUsage${_}Threshold", 0) }
			'High', 'Low'], [$high, $low], "--usage-high $high alone");
		$snmp->stop('agent');
	}
}

# What is wrong in a file is told with its place.
sub check_file {
	my $dir = open_dir();
	my @bad = (
		["snapshot-age 0\n", qr/conf:1: .*snapshot-age: 0 /],
		["# all is well\n\n  events # or not\nping-interval often\n",
			qr/conf:4: .*ping-interval: often /],
		["allow-delete yes\n", qr/conf:1: .*allow-delete.*no value/],
		["max-rows\n", qr/conf:1: .*max-rows.*value/],
		["config /tmp/other\n", qr/conf:1: .*config/],
		["\n--events\n", qr/conf:2: .*--events/],
		["x" x 5000, qr/conf:1: /],
	);

	for my $case (@bad) {
		spew("$dir/conf", $case->[0]);
		refuses($case->[1], '--config', "$dir/conf", '--foreground');
	}
}

# The file is read, and the command line wins.
sub check_config {
	my $dir = open_dir();
	my $snmp = start_snmp(agent => 0);

	insert_flows('gateway', 5000, 8);
	spew("$dir/conf", <<"END");
# of the tests
agentx-socket $snmp->{address}
ping-interval	1
snapshot-age 77	# seconds
max-rows 5
usage-high 70
usage-low 60
notification-interval 9
no-notifications
allow-write
END
	$snmp->{options} = [];
	$snmp->{agent} = start({}, $agent, '--foreground', '--config', "$dir/conf",
		'--usage-low', 50);
	$snmp->wait_for_agent;
	is_deeply([map { $snmp->value("conntap$_", 0) } qw(SnapshotMaxAge
		UsageHighThreshold UsageLowThreshold NotificationInterval
		NotificationsEnabled SnapshotRows)],
		[77, 70, 50, 9, 2, 5], 'a file, and the command line');
	my $set = $snmp->set([oid('conntapSnapshotMaxAge', 0), 'gauge', 5]);
	is($set->{error}, 'noError', 'a file: allow-write');
}

# The end.

# Test: a signal ends it well, within a second.
sub ends_well {
	my ($snmp, $name, $signal) = @_;
	my ($seconds, $status, $out) = $snmp->stop('agent', $signal // 'TERM');

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is("$status $out", '0 ', "$name: it ends well");
	cmp_ok($seconds, '<', 1, "$name: within a second");
}

sub check_end {
	my $snmp = start_snmp();
	ends_well($snmp, 'SIGTERM');
	is(($snmp->get(oid('conntapEntries', 0)))[0][1], 'noSuchObject',
		'SIGTERM: its objects are gone at once');
	$snmp->start_agent('--events');
	$snmp->wait_for_agent;
	ends_well($snmp, 'SIGINT', 'INT');
	$snmp->start_agent;
	wait_until('a connection', sub { $snmp->log =~ /connected/ });
	ends_well($snmp, 'at once');
	$snmp->stop('snmpd');
	$snmp->start_agent;
	wait_until('a message', sub { $snmp->log =~ /master agent/ });
	ends_well($snmp, 'without snmpd');

	flood('-n', 100_000);
	$snmp->start_snmpd;
	$snmp->start_agent(qw(--snapshot-age 1));
	$snmp->wait_for_agent;
	$snmp->ask('full', 'next', 0, 0, [oid('conntapFlowMark'), 'null']);
	ends_well($snmp, 'with many flows');
	run('conntrack', '-F');
}

# In its first pass, which is waited for; strace makes the kernel slow.
sub check_end_early {
	my @slow = qw(strace -D -f -qq -o /dev/null -e trace=recvfrom,recvmsg -e
		inject=recvfrom,recvmsg:delay_enter=20000);

	SKIP: {
		skip('strace does not work here: no slow kernel', 2)
			if (run(qw(strace -f -qq -o /dev/null true)))[0];
		flood('-n', 200_000);
		my $snmp = start_snmp(agent => 0, snmpd => 0, before => \@slow);
		$snmp->start_agent;
		my $pid = $snmp->{agent}{pid};
		eval { wait_until('a second thread', sub {
			(() = glob "/proc/$pid/task/*") >= 3 }) };
		is($snmp->log, '', 'it has not come to look for snmpd');
		ends_well($snmp, 'in its first pass');
		run('conntrack', '-F');
	}
}

# snmpd does not hear it: Net-SNMP would wait 7 to 17 seconds for an answer.
sub check_end_hung {
	my $dir = open_dir();
	my $snmp = start_snmp(agent => 0);

	for my $pings (0, 2.5) {
		$snmp->start_agent('--pid-file', "$dir/pid");
		$snmp->wait_for_agent;
		ok(-e "$dir/pid", 'snmpd hangs: there is a number');
		kill STOP => $snmp->{snmpd}{pid};
		select undef, undef, undef, $pings;
		my ($seconds, $status, $out) = $snmp->stop('agent');
		is("$status $out", '0 ', "snmpd hangs, $pings s: it ends well");
		cmp_ok($seconds, '<', 5, "snmpd hangs, $pings s: soon");
		ok(!-e "$dir/pid", "snmpd hangs, $pings s: and takes its number along");
		kill CONT => $snmp->{snmpd}{pid};
	}
}

# With stdout and stderr closed, no file of ours gets what is meant for them.
sub check_closed {
	my $snmp = start_snmp(agent => 0);

	$snmp->{options} = [];
	$snmp->{agent} = start({}, 'sh', '-c', 'exec "$@" <&- >&- 2>&-', 'sh',
		$snmp->agent_command);
	$snmp->wait_for_agent;
	my $pid = $snmp->{agent}{pid};
	is_deeply([map { readlink "/proc/$pid/fd/$_" } 0 .. 2], [('/dev/null') x 3],
		'closed streams: nothing else takes their place');
	is(($snmp->stop('agent'))[1], 0, 'closed streams: it ends well');
}

# Paths are of where it was started.
sub check_relative {
	my $snmp = start_snmp(agent => 0);
	my $dir = "$snmp->{dir}";

	$snmp->{options} = [];
	for my $socket ('master', 'unix:master', './master') {
		my ($status, $out, $err) = run('sh', '-c', 'cd "$1" && shift && exec "$@"',
			'sh', $dir, $agent, qw(--config /dev/null --ping-interval 1
			--agentx-socket), $socket, qw(--pid-file pid));
		is("$status $out$err", '0 ', "background, $socket");
		my $pid = 0 + wait_until('a number', sub { slurp("$dir/pid") });
		is(eval { wait_until('an answer', sub { $snmp->answers }) }, 1,
			"background, $socket: it finds it");
		kill TERM => $pid;
		is(eval { wait_until('its end', sub { !-e "$dir/pid" }) }, 1,
			"background, $socket: it ends, and its file");
		wait_until('no answer', sub { !$snmp->answers });
	}
}

# Into the background, with a file that says which process it is.
sub check_background {
	my $dir = open_dir();
	my $snmp = start_snmp(agent => 0);
	my ($status, $out, $err) = run($agent, qw(--config /dev/null --ping-interval 1),
		'--agentx-socket', $snmp->{address}, '--pid-file', "$dir/pid");

	is("$status $out$err", '0 ', 'background: it leaves the terminal');
	my $pid = 0 + wait_until('a number', sub { slurp("$dir/pid") });
	ok(-d "/proc/$pid", 'background: the file has the process');
	eval { wait_until('an answer', sub {
		($snmp->get(oid('conntapEntries', 0)))[0][1] eq 'gauge' }) };
	is($snmp->value('conntapEntries', 0), table_size(), 'background: it answers');
	kill TERM => $pid;
	my $begun = time;
	eval { wait_until('its end', sub { !-d "/proc/$pid" ||
		Lab::process_state($pid) eq 'Z' }) };
	cmp_ok(time - $begun, '<', 1.5, 'background: it ends');
}

main->can("check_$_")->() for @ARGV ? @ARGV : qw(before restarts interval second
	stopped netns netns_anew long_name netns_later rights module user config thresholds
	end end_early end_hung closed relative background);
done_testing();
