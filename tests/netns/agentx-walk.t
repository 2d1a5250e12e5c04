#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conntap-agentx behind a real snmpd: all that it shows, against conntrack(8), /proc and
# a recount of the flows, by Net-SNMP's tools and by a client of our own; while the
# table changes; and its options.  Arguments are the parts to run.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use JSON::PP ();
use POSIX qw(_exit uname);
use Socket qw(AF_INET AF_INET6 inet_pton);
use Test::More;
use Time::HiRes qw(time);

use lib $FindBin::Bin;
use Expectations;
use Files;
use Lab;
use Packets;
use Snmp;

enter_lab();
need_snmp();

my @status_bits = qw(expected seen_reply assured confirmed src_nat dst_nat seq_adjust
	src_nat_done dst_nat_done dying fixed_timeout template untracked helper offload
	hw_offload);
my @tcp_states = qw(NONE SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK
	TIME_WAIT CLOSE SYN_SENT2);
my @sctp_states = qw(NONE CLOSED COOKIE_WAIT COOKIE_ECHOED ESTABLISHED SHUTDOWN_SENT
	SHUTDOWN_RECD SHUTDOWN_ACK_SENT HEARTBEAT_SENT HEARTBEAT_ACKED);
# As conntrack -S has them, in the order of the MIB.
my @counters = qw(found invalid insert insert_failed drop early_drop error
	search_restart clash_resolve chaintoolong expect_new expect_create
	expect_delete);
# As rules.nft's connlabel.conf has them.
my %labels = ('web' => 3, 'last-one' => 127);

# How the columns come over the wire.
my %flow_types = (
	Status => 'string', State => 'string', Timeout => 'gauge', Mark => 'gauge',
	map({ ("Orig$_" => 'counter64', "Reply$_" => 'counter64') } qw(Packets Bytes)),
	map({ ("Reply${_}AddrType" => 'integer', "Reply${_}Addr" => 'string',
		"Reply${_}Port" => 'gauge') } qw(Src Dst)),
	StartTime => 'string', Labels => 'string', Helper => 'string', Id => 'gauge',
	Use => 'gauge', Action => 'integer',
);
my %expect_types = (
	map({ ("Mask${_}Addr" => 'string', "Mask${_}Port" => 'gauge') } qw(Src Dst)),
	map({ ("Master${_}AddrType" => 'integer', "Master${_}Addr" => 'string',
		"Master${_}Port" => 'gauge') } qw(Src Dst)),
	MasterProtocol => 'gauge', Timeout => 'gauge', Helper => 'string',
	Function => 'string', Class => 'gauge', Flags => 'string', Id => 'gauge',
);
# What moves while one looks: by how much two looks may differ.
my %tolerance = (Timeout => 15, Use => 1);

# What the rows of flows should be.

sub octets {
	my ($address) = @_;

	return inet_pton($address =~ /:/ ? AF_INET6 : AF_INET, $address);
}

# BITS, of the set ones' names.
sub bits {
	my ($names, @set) = @_;
	my %set = map { $_ => 1 } @set;
	my $text = join '', map { $set{$_} ? 1 : 0 } @$names;

	return pack 'B*', $text;
}

sub label_octets {
	my @names = @_;
	my $octets = "\0" x 16;

	vec($octets, $labels{$_}, 1) = 1 for @names;
	return $octets;
}

# By our own list, which other tests compare with the kernel: conntrack(8) does not show
# all bits of the status, and starts to the second only.  What it shows is compared
# with it, too.
sub our_list {
	my ($status, $out, $err) = conntap('list', '-o', 'json');
	my $json = JSON::PP->new;

	die "conntap list: $err\n" if $status;
	return map { ($_->{id} => $_) } map { $json->decode($_) } split /\n/, $out;
}

sub expected_row {
	my ($flow, $ours) = @_;
	my ($orig, $reply) = @$flow{qw(orig reply)};
	my ($source, $target) = Snmp::index_ports($reply);
	my $type = $flow->{family} eq 'ipv6' ? 2 : 1;
	my %row = (
		Status => bits(\@status_bits, @{$ours->{status} // []}),
		State => $flow->{state}, Timeout => $flow->{timeout},
		Mark => $flow->{mark},
		OrigPackets => $orig->{packets}, OrigBytes => $orig->{bytes},
		ReplyPackets => $reply->{packets}, ReplyBytes => $reply->{bytes},
		ReplySrcAddrType => $type, ReplySrcAddr => octets($reply->{src}),
		ReplySrcPort => $source,
		ReplyDstAddrType => $type, ReplyDstAddr => octets($reply->{dst}),
		ReplyDstPort => $target,
		StartTime => defined $flow->{start} ? $ours->{start} : undef,
		Helper => $flow->{helper},
		Labels => $flow->{labels} ? label_octets(@{$flow->{labels}}) : undef,
		Id => $flow->{id}, Use => $flow->{use}, Action => 1);

	die "conntap list: another start\n"
		if $row{StartTime} && int $row{StartTime} != $flow->{start};
	delete @row{grep { !defined $row{$_} } keys %row};
	return \%row;
}

sub expected_rows {
	my @flows = @_ ? @_ : conntrack_flows();
	my %ours = our_list();

	return map { (join('.', flow_index($_)) => expected_row($_, $ours{$_->{id}})) }
		@flows;
}

# What the agent has.

# index => { column => [type, value] }, of "Flow" or "Expect".
sub table_of {
	my ($what, @rows) = @_;
	my %names = map { (oid($_) => s/^conntap$what//r) }
		names_below("conntap${what}Entry");
	my $entry = oid("conntap${what}Entry");
	my %table;

	for my $row (@rows) {
		my ($oid, $type, $value) = @$row;
		my ($column, $index) = $oid =~ /\A(\Q$entry\E\.\d+)\.(.*)\z/
			or die "$oid is not in the table\n";
		die "again: $oid\n" if $table{$index}{$names{$column}};
		$table{$index}{$names{$column}} = [$type, $value]
			unless $type =~ /^noSuch/;
	}
	return %table;
}

# Until all these rows are in the snapshot.
sub wait_for_rows {
	my ($snmp, @indexes) = @_;
	my $wanted = join ' ', sort @indexes;
	my %column;

	eval { wait_until('the rows', sub {
		%column = $snmp->column('conntapFlowAction');
		return join(' ', sort keys %column) eq $wanted;
	}) } or diag(scalar(keys %column), ' rows, expected ', scalar @indexes);
}

sub shown {
	my ($value) = @_;

	return !defined $value ? 'absent' : $value =~ /\A[ -~]*\z/ ? $value :
		unpack 'H*', $value;
}

# What is wrong with one value.
sub value_fault {
	my ($column, $got, $expected) = @_;

	return undef if $got eq $expected;
	return int(10 * $expected) == int(10 * date_and_time($got) + 0.5) ? undef :
		date_and_time($got) . ", expected $expected" if $column eq 'StartTime';
	return undef if $tolerance{$column} &&
		abs($got - $expected) <= $tolerance{$column};
	return shown($got) . ', expected ' . shown($expected);
}

# What is not as it should be, a line each.
sub row_faults {
	my ($types, $got, $expected) = @_;
	my @faults;

	for my $column (sort keys %{{%$got, %$expected}}) {
		my ($type, $value) = @{$got->{$column} // []};
		# Room for labels, but none.
		next if $column eq 'Labels' && !defined $expected->{Labels} &&
			$value eq "\0" x 16;
		my $fault = !defined $value ? 'absent' :
			!defined $expected->{$column} ? 'is ' . shown($value) :
			$type ne $types->{$column} ? "a $type" :
			value_fault($column, $value, $expected->{$column});
		push @faults, "$column: $fault" if $fault;
	}
	return @faults;
}

# Test: these rows, no others.
sub same_rows {
	my ($types, $got, $expected, $name) = @_;
	my @wrong;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for my $index (sort keys %{{%$got, %$expected}}) {
		push @wrong, !$got->{$index} ? "$index is missing" :
			!$expected->{$index} ? "$index should not be" :
			map { "$index $_" } row_faults($types, $got->{$index},
				$expected->{$index});
	}
	ok(!@wrong, $name) or diag(join "\n", splice @wrong, 0, 12);
}

# Flows: all that conntrack(8) knows of each.

sub check_flows {
	my ($snmp, @flows) = @_;
	my %expected = expected_rows(@flows);

	wait_for_rows($snmp, keys %expected);
	my %walked = table_of('Flow', $snmp->walk(oid('conntapFlowEntry')));
	same_rows(\%flow_types, \%walked, \%expected,
		'a walk: the flows of conntrack(8)');
	check_bits(\%walked, @flows);
	check_exact($snmp, @flows);
	check_kinds(@flows);
}

# The bits that conntrack(8) shows.
sub check_bits {
	my ($table, @flows) = @_;
	my @wrong;

	for my $flow (@flows) {
		my $flags = $flow->{flags};
		my $index = join '.', flow_index($flow);
		my %should = (seen_reply => !$flags->{UNREPLIED}, confirmed => 1,
			map { (lc $_ => $flags->{$_}) }
				qw(ASSURED EXPECTED SRC_NAT DST_NAT OFFLOAD));
		my $bits = unpack 'B*', $table->{$index}{Status}[1] // '';
		my %is;
		@is{@status_bits} = split //, $bits;
		push @wrong, map { "$index: $_" }
			grep { !!$is{$_} ne !!$should{$_} } sort keys %should;
	}
	is(join("\n", @wrong), '', 'status: the bits that conntrack(8) shows');
}

# A GET of a row: the kernel's own answer, and no such instance for the rest.
sub check_exact {
	my ($snmp, @flows) = @_;
	my @columns = grep { !/^conntapFlow(?:Zone|Protocol|(?:Src|Dst)\w+)$/ }
		names_below('conntapFlowEntry');
	my (@rows, %others);

	for my $flow (@flows) {
		push @rows, $snmp->get(map { oid($_, flow_index($flow)) } @columns);
	}
	$others{$_->[1]}++ for grep { $_->[1] =~ /^(?:noSuch|endOf)/ } @rows;
	my %got = table_of('Flow', @rows);
	my %expected = expected_rows(@flows);
	same_rows(\%flow_types, \%got, \%expected, 'GET of each: the same');
	is_deeply([keys %others], ['noSuchInstance'],
		'GET: what is not known is not there');
	check_replies($snmp, @flows);
}

# The kernel finds a flow by the tuple of its replies, too; that is no row's name.
sub check_replies {
	my ($snmp, @flows) = @_;
	my %there = map { (join('.', flow_index($_)) => 1) } @flows;
	my @indexes = grep { !$there{$_} }
		map { join '.', flow_index({ %$_, orig => $_->{reply} }) } @flows;
	my @found = grep { $_->[1] !~ /^noSuch/ }
		map { $snmp->get(oid('conntapFlowMark', $_)) } @indexes;

	cmp_ok(scalar @indexes, '>', @flows / 2, 'replies have other tuples');
	is_deeply([map { $_->[0] } @found], [], 'GET of those: nothing');
}

# The table is not empty of what this is about.
sub check_kinds {
	my @flows = @_;
	my %seen;

	$seen{$_->{family}}++ for @flows;
	$seen{$_->{protonum}}++ for @flows;
	$seen{'zone ' . ($_->{zone} || $_->{zone_orig} || 0)}++ for @flows;
	$seen{$_}++ for map { keys %{$_->{flags}} } @flows;
	for my $column (qw(helper labels)) {
		$seen{$column}++ for grep { $_->{$column} } @flows;
	}
	$seen{mark}++ for grep { $_->{mark} } @flows;
	is_deeply([grep { !$seen{$_} } qw(ipv4 ipv6 1 6 17 47 58 132 136 253 ASSURED
		UNREPLIED SRC_NAT DST_NAT EXPECTED helper mark), 'zone 5', 'zone 7',
		'zone 9', lab_has('connlabel') ? 'labels' : ()], [],
		'the flows are of every kind');
}

# Net-SNMP's tools, by names.

# As Net-SNMP shows it in an index.
sub named_address {
	my ($address) = @_;

	return qq(ipv4."$address") unless $address =~ /:/;
	return 'ipv6."' . join(':', unpack '(H2)*', octets($address)) . '"';
}

sub named_index {
	my ($flow) = @_;
	my @index = flow_index($flow);

	return join '.', @index[0, 1], named_address($flow->{orig}{src}),
		named_address($flow->{orig}{dst}), @index[-2, -1];
}

# Test: the tool had nothing to complain about.
sub tool_is_pleased {
	my ($snmp, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is("$snmp->{status} $snmp->{said}", '0 ', "$name: no complaints");
}

# name => value, of one column; dies when one comes twice.
sub named_column {
	my ($snmp, $tool, $column, @options) = @_;
	my %values;

	for my $row ($snmp->named($tool, [@options], $column)) {
		die "again: $row->[0]\n" if exists $values{$row->[0]};
		$values{$row->[0] =~ s/^CONNTAP-MIB::\Q$column\E\.//r} = $row->[2];
	}
	return %values;
}

sub check_tools {
	my ($snmp, @flows) = @_;
	my %states = map { (named_index($_) => $_->{state}) }
		grep { $_->{state} } @flows;
	my %marks = map { (named_index($_) => $_->{mark}) } @flows;

	for my $tool ('snmpwalk', 'snmpbulkwalk') {
		my %got = named_column($snmp, $tool, 'conntapFlowState');
		is_deeply(\%got, \%states, "$tool conntapFlowState");
		tool_is_pleased($snmp, $tool);
		my %marked = named_column($snmp, $tool, 'conntapFlowMark');
		is_deeply(\%marked, \%marks, "$tool conntapFlowMark");
		# All of it, the tables among it: nothing that the MIB has otherwise.
		my ($status, $out, $err) = $snmp->tool($tool, [], 'conntap');
		is("$status $err", '0 ', "$tool of everything: no complaints");
		unlike($out, qr/Wrong Type|No more variables|OID not increasing/,
			"$tool of everything: as the MIB has it");
		cmp_ok($out =~ tr/\n//, '>', 15 * @flows,
			"$tool of everything: all of it");
	}
	check_get_by_name($snmp, @flows);
	check_snmptable($snmp, @flows);
	check_numbers($snmp);
}

sub check_get_by_name {
	my ($snmp, @flows) = @_;
	my ($flow) = grep { $_->{mark} && $_->{state} } @flows;
	my $index = join '.', flow_index($flow);
	my @rows = $snmp->named('snmpget', [],
		map { "CONNTAP-MIB::conntapFlow$_.$index" }
			qw(State Mark ReplySrcAddr Status Action));

	tool_is_pleased($snmp, 'snmpget');
	is_deeply([map { $_->[2] } @rows[0, 1, 4]], [$flow->{state}, $flow->{mark},
		'active(1)'], 'snmpget: state, mark, action');
	is($rows[0][0], 'CONNTAP-MIB::conntapFlowState.' . named_index($flow),
		'snmpget: the name');
	is($rows[2][2] =~ s/ \z//r, join(' ', map { uc } unpack '(H2)*',
		octets($flow->{reply}{src})), 'snmpget: an address');
	like($rows[3][2], qr/assured\(2\) confirmed\(3\)/, 'snmpget: bits by name');
	@rows = $snmp->named('snmpgetnext', ['-Ob'], 'conntapFlowMark');
	@rows = $snmp->named('snmpget', [], $rows[0][0]);
	tool_is_pleased($snmp, 'a name of -Ob');
	is(scalar @rows, 1, 'what -Ob prints can be asked for');
}

sub check_snmptable {
	my ($snmp, @flows) = @_;
	my ($status, $out, $err) = $snmp->tool('snmptable', [qw(-Cf | -Ci)],
		'conntapFlowTable');
	my ($title, $empty, $heads, @lines) = split /\n/, $out;
	my @heads = split /\|/, $heads // '';

	is("$status $err", '0 ', 'snmptable: no complaints');
	is_deeply(\@heads, ['index',
		grep { !/^conntapFlow(?:Zone|Protocol|(?:Src|Dst)\w+)$/ }
		names_below('conntapFlowEntry')], 'snmptable: the columns');
	is(scalar @lines, @flows, 'snmptable: a line each');
	my %rows = map { my @cells = split /\|/; my %row; @row{@heads} = @cells;
		($row{index} => \%row) } @lines;
	is_deeply({ map { ($_ => $rows{$_}{conntapFlowMark}) } keys %rows },
		{ map { (named_index($_) => $_->{mark}) } @flows }, 'snmptable: marks');
	is(scalar(grep { $_->{conntapFlowState} eq '?' } values %rows),
		scalar(grep { !$_->{state} } @flows), 'snmptable: what is not there');
}

# Without the MIB, by numbers.
sub check_numbers {
	my ($snmp) = @_;
	my $column = oid('conntapFlowMark');
	my @rows = $snmp->named('snmpwalk', ['-On', '-m', ''], ".$column");
	my %expected = $snmp->column('conntapFlowMark');

	is_deeply({ map { ($_->[0] =~ s/^\.\Q$column\E\.//r => $_->[2]) } @rows },
		\%expected, 'snmpwalk -On without the MIB: the same');
	is(join(' ', sort keys %{{ map { ($_->[1] => 1) } @rows }}), 'Gauge32',
		'snmpwalk -On: types');
}

# One by one, and many at a time, is one sequence.
sub check_sequences {
	my ($snmp) = @_;
	my $root = oid('conntapFlows');
	my @walked = $snmp->walk($root);
	my @single;

	for (my $at = $root;;) {
		my ($row) = $snmp->next($at);
		last if $row->[0] !~ /\A\Q$root\E\./ || $row->[1] eq 'endOfMibView';
		push @single, $row;
		$at = $row->[0];
	}
	my $names = sub { [map { $_->[0] } @_] };
	is_deeply($names->(@single), $names->(@walked),
		'GETNEXT and GETBULK: one sequence');
	for my $repetitions (1, 7, 100) {
		my $at = oid('conntapFlowStatus');
		my @got;
		while (@got < 300) {
			my @rows = $snmp->bulk($repetitions, $at);
			push @got, @rows;
			$at = $rows[-1][0];
		}
		is_deeply($names->(@got[0 .. 299]), $names->(@walked[0 .. 299]),
			"GETBULK of $repetitions: the same");
	}
	check_columns($snmp, @walked);
}

# As graphing tools do: all columns side by side, from one row to the next.
sub check_columns {
	my ($snmp, @walked) = @_;
	my @columns = map { oid("conntapFlow$_") } qw(Mark ReplySrcPort Use);
	my @rows = $snmp->bulk(20, @columns);
	my @wrong;

	for my $i (0 .. $#columns) {
		my @expected = grep { /\A\Q$columns[$i]\E\./ } map { $_->[0] } @walked;
		my @got = map { $rows[$_ * @columns + $i][0] } 0 .. 19;
		push @wrong, "column $i" if "@got" ne "@expected[0 .. 19]";
	}
	is("@wrong", '', 'GETBULK of three columns: row by row');
}

# Scalars and small tables.

# Sums of conntrack -S, and each processor's.
sub kernel_counters {
	my (%sums, %of_cpu);

	for my $line (map { split /\n/, must('conntrack', '-S', @$_) } [], ['exp']) {
		my ($cpu, %counts) = split /[\s=]+/, $line =~ s/^cpu=//r;
		for my $name (keys %counts) {
			$sums{$name} += $counts{$name};
			$of_cpu{$cpu}{$name} = $counts{$name};
		}
	}
	return (\%sums, \%of_cpu);
}

# Test: scalars of that group have these types and values; undef: not there.
sub scalars_are {
	my ($snmp, $name, %expected) = @_;
	my @wrong;

	for my $scalar (sort keys %expected) {
		my ($row) = $snmp->get(oid("conntap$scalar", 0));
		my $got = $row->[1] =~ /^noSuch/ ? 'absent' :
			"$row->[1] " . shown($row->[2]);
		my $should = $expected{$scalar} // 'absent';
		push @wrong, "$scalar: $got, expected $should"
			unless ref $should ? $should->(@$row[1, 2]) : $got eq $should;
	}
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(join("\n", @wrong), '', $name);
}

sub number_of {
	my ($is, @flows) = @_;

	return 'gauge ' . grep { $is->() } @flows;
}

# A DateAndTime of the last seconds.
sub recent {
	my ($seconds) = @_;

	return sub {
		my ($type, $octets) = @_;
		return $type eq 'string' && length($octets) =~ /^(?:8|11)$/ &&
			abs(date_and_time($octets) - time) < $seconds;
	};
}

sub check_scalars {
	my ($snmp, @flows) = @_;
	my ($count, $max) = (table_size(), setting('nf_conntrack_max'));
	my $flag = sub { my ($name) = @_; $_->{flags}{$name} };

	scalars_are($snmp, 'scalars: general',
		Entries => "gauge $count", MaxEntries => "gauge $max",
		UsagePercent => $max ? 'gauge ' . int(100 * $count / $max) : undef,
		PeakEntries => sub { $_[0] eq 'gauge' && $_[1] >= $count },
		PeakTime => recent(25),
		Buckets => 'gauge ' . setting('nf_conntrack_buckets'),
		ExpectEntries => 'gauge ' . (0 + must('conntrack', '-C', 'expect')),
		ExpectMax => 'gauge ' . setting('nf_conntrack_expect_max'),
		EntriesIpv4 => number_of(sub { $_->{family} eq 'ipv4' }, @flows),
		EntriesIpv6 => number_of(sub { $_->{family} eq 'ipv6' }, @flows),
		EntriesAssured => number_of(sub { $flag->('ASSURED') }, @flows),
		EntriesUnreplied => number_of(sub { $flag->('UNREPLIED') }, @flows),
		EntriesNat => number_of(sub {
			$flag->('SRC_NAT') || $flag->('DST_NAT') }, @flows),
		EntriesOffload => number_of(sub { $flag->('OFFLOAD') }, @flows),
		AcctEnabled => 'integer 1', TimestampEnabled => 'integer 1',
		EventsMode => 'integer ' . (1 + setting('nf_conntrack_events')),
		Netns => 'string ', KernelRelease => 'string ' . (uname())[2],
		AgentVersion => 'string ' . version());
	scalars_are($snmp, 'scalars: the snapshot, and what was done',
		SnapshotTime => recent(10), SnapshotRows => 'gauge ' . @flows,
		SnapshotRowsCut => 'gauge 0',
		SnapshotDuration => sub { $_[0] eq 'gauge' && $_[1] < 5000 },
		SnapshotMaxAge => 'gauge 1', FlowsDeleted => 'counter 0',
		FlowDeleteFailures => 'counter 0', CreateRate => undef,
		DestroyRate => undef, EventsLost => undef);
	scalars_are($snmp, 'scalars: controls, as they are by default',
		UsageHighThreshold => 'integer 90', UsageLowThreshold => 'integer 80',
		NotificationInterval => 'gauge 60',
		NotificationsEnabled => 'integer 1');
}

# A scalar has one instance, .0.
sub check_scalar_names {
	my ($snmp) = @_;
	my @no = map { oid('conntapEntries', @$_) } [], [1], [0, 0], [2 ** 32 - 1];
	my $last = oid('conntapNotificationsEnabled', 0);

	is_deeply([map { $_->[1] =~ s/Instance|Object//r } $snmp->get(@no)],
		[('noSuch') x @no], 'scalars: no other instances');
	is_deeply([map { $_->[0] } $snmp->next($no[0], oid('conntapEntries', 0),
		$no[1])], [oid('conntapEntries', 0), (oid('conntapMaxEntries', 0)) x 2],
		'scalars: what follows them');
	unlike(($snmp->next($last))[0][0], qr/\A\Q@{[oid('conntap')]}\E\./,
		'the last one: something else follows');
}

sub version {
	my ($text) = (conntap('--version'))[1] =~ /(\d+\.\d+\S*)/;

	return $text;
}

sub camel_case {
	return join '', map { ucfirst } split /_/,
		$_[0] =~ s/chaintoolong/chain_too_long/r;
}

# Some of them are not zero: flows by request, ports that NAT finds taken, errors.
sub count_some {
	insert_flows('gateway', 100, 3);
	must('nft', 'add table inet narrow; add chain inet narrow source ' .
		'{ type nat hook postrouting priority srcnat - 10; }; ' .
		'add rule inet narrow source udp dport 7777 ' .
		'snat ip to 10.0.2.100:20000');
	datagram($_) for 4001 .. 4003;
	must('nft', 'delete table inet narrow');
	send_packets('client', packet(1, '10.0.1.2', '10.0.2.2', pack 'C8', 99, 99));
	run('conntrack', '-F');
}

sub datagram {
	must(qw(ip netns exec client), $^X, '-MIO::Socket::INET', '-e',
		'IO::Socket::INET->new(Proto => "udp", LocalPort => $ARGV[0], ' .
		'PeerAddr => "10.0.2.2", PeerPort => 7777)->send("x") or die', @_);
}

sub check_counters {
	my ($snmp) = @_;
	my ($sums, $of_cpu) = kernel_counters();

	cmp_ok(scalar(grep { $_ } values %$sums), '>', 5, 'counters: some count');

	scalars_are($snmp, 'counters: the sums of conntrack -S',
		StatsDiscontinuityTime => recent(25), map { ('Stats' . camel_case($_) =>
			defined $sums->{$_} ? "counter64 $sums->{$_}" : undef) }
			@counters);
	my %rows;
	for my $i (0 .. $#counters) {
		my %column = $snmp->column('conntapCpu' . camel_case($counters[$i]));
		$rows{$_ - 1}{$counters[$i]} = $column{$_} for keys %column;
	}
	is_deeply(\%rows, $of_cpu, 'counters: of each processor');
}

# Test: a column, index => value; what is zero may be there.
sub column_is {
	my ($snmp, $column, %expected) = @_;
	my %got = $snmp->column($column);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply({ map { $got{$_} ? ($_ => $got{$_}) : () } keys %got },
		{ map { $expected{$_} ? ($_ => $expected{$_}) : () } keys %expected },
		$column);
}

sub add_up {
	my ($by, $much, @flows) = @_;
	my %sums;

	$sums{$by->()} += $much->() for @flows;
	return %sums;
}

sub check_small_tables {
	my ($snmp, @flows) = @_;
	my $proto = sub { $_->{protonum} };
	my $count = sub {
		my ($is) = @_;
		return add_up($proto, sub { 1 }, grep { $is->() } @flows);
	};

	column_is($snmp, 'conntapProtoEntries', $count->(sub { 1 }));
	column_is($snmp, 'conntapProtoEntriesIpv4',
		$count->(sub { $_->{family} eq 'ipv4' }));
	column_is($snmp, 'conntapProtoEntriesIpv6',
		$count->(sub { $_->{family} eq 'ipv6' }));
	column_is($snmp, 'conntapProtoEntriesUnreplied',
		$count->(sub { $_->{flags}{UNREPLIED} }));
	for my $way ('Orig', 'Reply') {
		for my $what ('Packets', 'Bytes') {
			my $much = sub { $_->{lc $way}{lc $what} };
			column_is($snmp, "conntapProto$way$what",
				add_up($proto, $much, @flows));
		}
	}
	my %names = $snmp->column('conntapProtoName');
	is_deeply([@names{1, 6, 17, 47, 58, 132, 136, 253}],
		[qw(icmp tcp udp gre icmpv6 sctp udplite 253)], 'protocols: names');
	check_states($snmp, 'Tcp', 6, \@tcp_states, @flows);
	check_states($snmp, 'Sctp', 132, \@sctp_states, @flows);
	my $zone = sub { $_->{zone} || $_->{zone_orig} || 0 };
	column_is($snmp, 'conntapZoneEntries', add_up($zone, sub { 1 }, @flows));
}

# A row for each state, always.
sub check_states {
	my ($snmp, $name, $proto, $states, @flows) = @_;
	my %got = $snmp->column("conntap${name}StateEntries");
	my %expected = map { ($_ + 1 => 0) } 0 .. $#$states;
	my %number = map { ($states->[$_] => $_ + 1) } 0 .. $#$states;

	$expected{$number{$_->{state}}}++ for grep { $_->{protonum} == $proto } @flows;
	is_deeply(\%got, \%expected, "conntap${name}StateTable");
}

# Expectations.

sub expectation_row {
	my ($expected) = @_;
	my ($mask, $master) = @$expected{qw(mask master)};
	my $type = $expected->{family} eq 'ipv6' ? 2 : 1;

	return {
		MaskSrcAddr => octets($mask->{src}),
		MaskDstAddr => octets($mask->{dst}),
		MaskSrcPort => $mask->{sport}, MaskDstPort => $mask->{dport},
		Timeout => $expected->{timeout}, Helper => $expected->{helper},
		Class => $expected->{class}, Flags => "\0",
		MasterProtocol => $expected->{protonum},
		map({ ("Master${_}AddrType" => $type,
			"Master${_}Addr" => octets($master->{lc $_}),
			"Master${_}Port" => $master->{s/^(.).*/\l$1port/r}) }
			qw(Src Dst)),
	};
}

sub make_expectations {
	for my $ends (['192.0.2.1', '192.0.2.2'], ['2001:db8::1', '2001:db8::2']) {
		for my $sport (4001, 4002) {
			make_master(@$ends, $sport);
			expect_port(@$ends, $sport, $sport + 1000);
		}
	}
}

sub check_expectations {
	my ($snmp) = @_;

	make_expectations();
	my %expected = map { (join('.', 0, $_->{protonum},
		Snmp::address_index($_->{src}), Snmp::address_index($_->{dst}),
		@$_{qw(sport dport)}) => expectation_row($_)) }
		conntrack_expectations();
	my %got;
	eval { wait_until('expectations', sub {
		my $before = join ' ', sort keys %got;
		%got = table_of('Expect', $snmp->walk(oid('conntapExpectEntry')));
		# A snapshot may come between two columns, but not in each walk.
		return keys %got == 4 && $before eq join ' ', sort keys %got;
	}) };
	ok(4 == grep({ ($_->{Id}[0] // '') eq 'gauge' } values %got),
		'expectations: ids');
	delete $_->{Id} for values %got;
	same_rows(\%expect_types, \%got, \%expected,
		'expectations: those of conntrack(8)');
	is($snmp->value('conntapExpectEntries', 0), 4, 'expectations: how many');
	my ($index) = keys %expected;
	is(($snmp->get(oid('conntapExpectHelper', split /\./, $index)))[0][2], 'ftp',
		'expectations: GET');
	my @rows = $snmp->named('snmptable', [], 'conntapExpectTable');
	unlike($snmp->{said}, qr/Wrong Type|error/i, 'expectations: snmptable');
}

# Every OID that files for other programs have.
sub check_ecosystem {
	my $list = "$FindBin::Bin/../ecosystem.t";

	SKIP: {
		skip('no tests/ecosystem.t', 1) unless -x $list;
		my $traffic = start_traffic();
		make_expectations();
		my $snmp = start_snmp(options => ['--events']);
		wait_for_events($snmp);
		my ($status, $out, $err) = run($list, '--list');
		is($status, 0, 'ecosystem.t --list') or diag($err);
		my @oids = map { /(\d+(?:\.\d+){6,})/ ? $1 : () } split /\n/, $out;
		my @missing = grep { !is_answered($snmp, $_) } @oids;
		cmp_ok(scalar @oids, '>', 0, 'files for other programs have OIDs');
		is("@missing", '', 'each of them is answered');
	}
	run('conntrack', '-F');
}

# An instance, or something with instances.
sub is_answered {
	my ($snmp, $oid) = @_;
	my ($is) = $snmp->get($oid);
	my ($next) = $snmp->next($oid);

	return $is->[1] !~ /^noSuch/ || $next->[0] =~ /\A\Q$oid\E\./;
}

# Test: the agent has only said that it is connected.
sub nothing_to_say {
	my ($snmp, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply([grep { !/connected to the master agent at/ } split /\n/, $snmp->log],
		[], "$name: nothing to complain about");
}

sub check_everything {
	count_some();
	my $snmp = start_snmp(options => [qw(--snapshot-age 1)]);
	my $traffic = start_traffic();
	my @flows = conntrack_flows();

	check_flows($snmp, @flows);
	check_scalars($snmp, @flows);
	check_scalar_names($snmp);
	check_counters($snmp);
	check_small_tables($snmp, @flows);
	check_tools($snmp, @flows);
	check_sequences($snmp);
	check_expectations($snmp);
	nothing_to_say($snmp, 'traffic');
	$traffic = undef;
	run('conntrack', '-F');
	run('conntrack', '-F', 'expect');
	wait_for_rows($snmp);
	is_deeply([$snmp->walk(oid('conntapFlows'))], [], 'an empty table: nothing');
	my ($row) = $snmp->next(oid('conntapFlows'));
	unlike($row->[0], qr/\A\Q@{[oid('conntapFlows')]}\E\./,
		'GETNEXT goes on behind it');
}

# Accounting and timestamps off: nothing instead of zeros.
sub check_unknown {
	my %none = (AcctEnabled => 'integer 2', TimestampEnabled => 'integer 2');

	set_sysctl("net/netfilter/nf_conntrack_$_", 0) for 'acct', 'timestamp';
	flood('-n', 100);
	my @flows = conntrack_flows();
	my $snmp = start_snmp(options => [qw(--snapshot-age 1)]);
	scalars_are($snmp, 'off: it is said', %none);
	check_flows_plain($snmp, 'off', @flows);
	check_exact($snmp, @flows);
	for my $column (qw(OrigPackets OrigBytes ReplyPackets ReplyBytes StartTime)) {
		is_deeply([$snmp->walk(oid("conntapFlow$column"))], [],
			"off: no $column");
	}
	my ($row) = $snmp->next(oid('conntapFlowOrigPackets'));
	like($row->[0], qr/\A\Q@{[oid('conntapFlowReplySrcAddrType')]}\E\./,
		'off: GETNEXT passes over them');
	set_sysctl("net/netfilter/nf_conntrack_$_", 1) for 'acct', 'timestamp';
	run('conntrack', '-F');
}

sub check_flows_plain {
	my ($snmp, $name, @flows) = @_;
	my %expected = expected_rows(@flows);

	wait_for_rows($snmp, keys %expected);
	my %walked = table_of('Flow', $snmp->walk(oid('conntapFlowEntry')));
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	same_rows(\%flow_types, \%walked, \%expected,
		"$name: the flows of conntrack(8)");
}

# Options.

sub check_max_rows {
	flood('-n', 300);
	my $count = table_size();
	my @flows = conntrack_flows();
	my $snmp = start_snmp(options => [qw(--max-rows 100 --snapshot-age 1)]);
	my %rows = @{wait_until('a snapshot', sub {
		my %column = $snmp->column('conntapFlowMark');
		return %column && [%column];
	})};

	is(scalar keys %rows, 100, '--max-rows: so many');
	scalars_are($snmp, '--max-rows: what was cut', SnapshotRows => 'gauge 100',
		SnapshotRowsCut => 'gauge ' . ($count - 100), Entries => "gauge $count",
		EntriesIpv4 => number_of(sub { $_->{family} eq 'ipv4' }, @flows));
	my @cut = grep { !exists $rows{join '.', flow_index($_)} } @flows;
	my @got = map { $snmp->get(oid('conntapFlowMark', flow_index($_))) } @cut;
	is_deeply([map { $_->[2] } @got], [map { $_->{mark} } @cut],
		'--max-rows: GET knows the others, too');
	run('conntrack', '-F');
}

sub check_no_flow_table {
	flood('-n', 300);
	my @flows = conntrack_flows();
	my $snmp = start_snmp(options => [qw(--no-flow-table --snapshot-age 1)]);
	wait_until('a snapshot', sub {
		($snmp->value('conntapEntriesIpv4', 0) // 0) > 0 });

	is_deeply([$snmp->walk(oid('conntapFlows'))], [], '--no-flow-table: none');
	my ($row) = $snmp->get(oid('conntapFlowMark', flow_index($flows[0])));
	like($row->[1], qr/^noSuch/, '--no-flow-table: no GET either');
	scalars_are($snmp, '--no-flow-table: scalars', SnapshotRows => 'gauge 0',
		Entries => 'gauge ' . @flows,
		EntriesIpv6 => number_of(sub { $_->{family} eq 'ipv6' }, @flows));
	check_small_tables_plain($snmp, @flows);
	run('conntrack', '-F');
}

sub check_small_tables_plain {
	my ($snmp, @flows) = @_;

	column_is($snmp, 'conntapProtoEntries',
		add_up(sub { $_->{protonum} }, sub { 1 }, @flows));
	check_states($snmp, 'Tcp', 6, \@tcp_states, @flows);
}

sub check_base_oid {
	my $base = '1.3.6.1.4.1.99999.7.1';

	flood('-n', 50);
	my $snmp = start_snmp(base => $base, options => ['--base-oid', ".$base"]);
	my $usual = oid('conntap');
	is_deeply([$snmp->walk($usual)], [], '--base-oid: nothing at the usual place');
	my $column = oid('conntapFlowMark') =~ s/\A\Q$usual\E/$base/r;
	my @rows = @{wait_until('rows', sub { my @rows = $snmp->walk($column);
		@rows && \@rows })};
	is_deeply([sort map { $_->[0] } @rows],
		[sort map { join '.', $column, flow_index($_) } conntrack_flows()],
		'--base-oid: the flows there');
	run('conntrack', '-F');
}

# After a silence, the first answer is of now.
sub check_idle {
	insert_flows('gateway', 4000, 2);
	my $snmp = start_snmp(options => [qw(--snapshot-age 1 --snapshot-idle 1)]);

	for my $silence (1 .. 3) {
		is(scalar(my @rows = $snmp->walk(oid('conntapFlowMark'))), 1 + $silence,
			'--snapshot-idle: the flows that there are');
		# A pass that took long is not repeated soon.
		sleep 3 + 20 * $snmp->value('conntapSnapshotDuration', 0) / 1000;
		insert_flows('gateway', 4010 + $silence, 1);
	}
	nothing_to_say($snmp, '--snapshot-idle');
	run('conntrack', '-F');
}

# What is asked of the kernel: how often for all flows.
sub passes {
	my ($trace) = @_;

	return scalar grep { /NLM_F_DUMP/ } grep {
		/sendto\(.*CTNETLINK<<8\|(?:IPCTNL_MSG_CT_GET\b|0x1\b)/ }
		split /\n/, slurp($trace);
}

# Only questions about what a pass finds lead to passes.
sub check_passes {
	insert_flows('gateway', 4000, 2);
	my ($flow) = map { oid('conntapFlowMark', flow_index($_)) } conntrack_flows();
	my @cheap = ((map { oid("conntap$_", 0) } qw(UsagePercent Entries AgentVersion
		StatsDrop SnapshotMaxAge NotificationInterval)),
		oid('conntapCpuInsert', 1), $flow);
	my @needy = ((map { oid("conntap$_", 0) } qw(EntriesIpv4 SnapshotTime
		SnapshotRows)), oid('conntapProtoEntries', 6),
		oid('conntapTcpStateEntries', 1), oid('conntapZoneEntries', 0));

	SKIP: {
		skip('strace does not work here: passes are not counted', 1)
			if (run(qw(strace -f -qq -o /dev/null true)))[0];
		my $trace = File::Temp->new;
		my $snmp = start_snmp(before => [qw(strace -D -f -qq -e trace=sendto -o),
			"$trace"], options => [qw(--snapshot-age 1 --snapshot-idle 1)]);
		my $still = sub { my $before = passes("$trace");
			# The first question may be for a pass that is late.
			sleep 3; return passes("$trace") - $before };
		eval { wait_until('silence', sub { $still->() == 0 }) };
		my $before = passes("$trace");
		cmp_ok($before, '>', 0, 'passes: there was one');
		for (1 .. 12) {
			$snmp->get($_) for @cheap;
			$snmp->set([$flow, 'gauge', 5]);
			select undef, undef, undef, 0.25;
		}
		is(passes("$trace") - $before, 0, 'passes: none for what needs none');
		for my $oid (@needy, [oid('conntapFlowMark')]) {
			$before = passes("$trace");
			ref $oid ? $snmp->next(@$oid) : $snmp->get($oid);
			ok(eval { wait_until('a pass', sub {
				passes("$trace") > $before }) }, 'passes: one for ' .
				(ref $oid ? "the row after @$oid" : $oid));
			eval { wait_until('silence', sub { $still->() == 0 }) };
		}
	}
	run('conntrack', '-F');
}

# A context for each.
sub check_netns {
	my %flows = (one => 3, two => 5);

	must('ip', 'netns', 'add', $_) for keys %flows;
	insert_flows('one', 1000, 3);
	insert_flows('two', 2000, 5);
	insert_flows('gateway', 3000, 2);
	my $snmp = start_snmp(contexts => [sort keys %flows],
		options => [qw(--netns one --netns two --snapshot-age 1)]);
	for my $of (['full', '', 3000, 2], ['in-one', 'one', 1000, 3],
		['in-two', 'two', 2000, 5]) {
		my ($community, $netns, $port, $count) = @$of;
		my $who = { community => $community };
		$snmp->wait_for_agent(community => $community);
		my %marks = $snmp->column($who, 'conntapFlowMark');
		is_deeply([sort keys %marks],
			[map { "0.17.1.4.192.0.2.1.1.4.192.0.2.2.$_.53" }
				$port + 1 .. $port + $count],
			"context \"$netns\": its flows");
		is($snmp->value($who, 'conntapEntries', 0), $count,
			"context \"$netns\": count");
		is($snmp->value($who, 'conntapNetns', 0), $netns,
			"context \"$netns\": name");
		my $statistics = must(qw(ip netns exec), $netns || 'gateway',
			qw(conntrack -S));
		my $insert = 0;
		$insert += $1 while $statistics =~ /\binsert=(\d+)/g;
		is($snmp->value($who, 'conntapStatsInsert', 0), $insert,
			"context \"$netns\": its counters");
	}
	my @rows = $snmp->named('snmpwalk', [Snmp::as_user('operator'), '-n', 'two'],
		'conntapZoneEntries');
	is_deeply([map { $_->[2] =~ /(\d+)/ } @rows], [5],
		'a context of SNMPv3: -n two');
	# Nobody answers for it.
	my (undef, $out) = $snmp->tool('snmpget', [Snmp::as_user('operator'),
		qw(-t 0.3 -n nobody)], 'conntapEntries.0');
	unlike($out, qr/Gauge32/, 'a context that there is not');
	nothing_to_say($snmp, 'contexts');
	$snmp = undef;
	must('ip', 'netns', 'delete', $_) for keys %flows;
	run('conntrack', '-F');
}

# It subscribes to them on its own, and may be a little late.
sub wait_for_events {
	my ($snmp) = @_;

	eval { wait_until('events', sub {
		defined $snmp->value('conntapEventsLost', 0) }) };
}

# Events: rates, over seconds that have passed, ten at most, and what was lost.
sub check_events {
	my $snmp = start_snmp(options => ['--events']);
	my $rates = sub {
		map { $snmp->value("conntap${_}Rate", 0) } 'Create', 'Destroy' };
	my @rates;

	wait_for_events($snmp);
	is_deeply([$rates->(), $snmp->value('conntapEventsLost', 0)], [0, 0, 0],
		'--events: nothing has happened');
	flood('-n', 3000);
	eval { wait_until('new ones', sub { ($rates->())[0] > 0 }) };
	@rates = $rates->();
	ok($rates[0] >= 300 && $rates[0] <= 3000, '--events: flows begin') or
		diag("@rates");
	is($rates[1], 0, '--events: none ends');
	run('conntrack', '-F');
	eval { wait_until('ends', sub { ($rates->())[1] > 0 }) };
	@rates = $rates->();
	ok($rates[1] >= 300 && $rates[1] <= 3000, '--events: flows end') or
		diag("@rates");
	is($snmp->value('conntapEventsLost', 0), 0, '--events: none is lost');
}

# A table that changes all the time.

# Makes flows and deletes them again, all with the mark that no stable flow has, until
# its input ends; prints a line for each round.
sub churn {
	my ($in, $out) = @_;
	my $ready = '';

	vec($ready, fileno $in, 1) = 1;
	for my $round (1 .. 2000) {
		flood('-f', 7000000, '-n', 7000, '--step', 7);
		conntap('delete', '--quiet', '--mark', 7);
		syswrite $out, "round\n";
		last if select my $now = $ready, undef, undef, 0;
	}
	_exit(0);
}

sub start_churn {
	pipe my $child_in, my $in or die "pipe: $!\n";
	pipe my $out, my $child_out or die "pipe: $!\n";
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		close $in;
		churn($child_in, $child_out);
	}
	close $child_out;
	sysread $out, my $text, 6 or die "no first round\n";
	return ($pid, $in, $out);
}

# Test: each stable flow once, and nothing to complain about.
sub walk_ok {
	my ($snmp, $stable, $seen, $name, @indexes) = @_;
	my %times;

	$times{$_}++ for @indexes;
	my @missing = grep { !$times{$_} } keys %$stable;
	my @again = grep { $times{$_} > 1 } keys %times;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(!@missing && !@again, "$name: every stable flow, once") or
		diag(scalar(@missing), ' missing, ', scalar(@again), ' twice: ',
			$missing[0] // $again[0]);
	$$seen += grep { !$stable->{$_} } keys %times;
}

sub check_churn {
	flood('-n', 3500);
	conntap('delete', '--quiet', '--mark', 7);
	my %stable = map { (join('.', flow_index($_)) => 1) } conntrack_flows();
	my $snmp = start_snmp(options => [qw(--snapshot-age 1)]);
	my ($pid, $in, $out) = start_churn();
	my $column = oid('conntapFlowMark');
	my ($others, $begun, $walks, %snapshots) = (0, time, 0);

	# A busy machine makes fewer of them.
	while (time - $begun < (keys %snapshots > 2 ? 6 : 25)) {
		my @rows = eval { $snmp->walk($column) };
		is($@, '', 'churn: names grow') if $@;
		walk_ok($snmp, \%stable, \$others, 'churn, walk ' . ++$walks,
			map { substr $_->[0], 1 + length $column } @rows);
		$snapshots{$snmp->value('conntapSnapshotTime', 0)} = 1;
	}
	for my $tool ('snmpwalk', 'snmpbulkwalk') {
		my @rows = $snmp->named($tool, ['-On', '-m', ''], ".$column");
		tool_is_pleased($snmp, "churn, $tool");
		walk_ok($snmp, \%stable, \$others, "churn, $tool",
			map { substr $_->[0], 2 + length $column } @rows);
	}
	close $in;
	my $rounds = read_rest($out, '') =~ tr/\n//;
	waitpid $pid, 0;
	cmp_ok($others, '>', 0, 'churn: other flows were seen');
	cmp_ok(scalar keys %snapshots, '>', 2, 'churn: snapshots followed each other');
	note("$rounds rounds, $others other flows seen, ", scalar keys %snapshots,
		' snapshots');
	nothing_to_say($snmp, 'churn');
	run('conntrack', '-F');
}

main->can("check_$_")->() for @ARGV ? @ARGV : qw(everything unknown max_rows
	no_flow_table base_oid idle passes netns events ecosystem churn);
done_testing();
