#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# GETNEXT from thousands of names that nobody would ask for, within, between and around
# the rows of conntap-agentx, against a plain model: the names of a whole walk, sorted.
use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(time);

use lib $FindBin::Bin;
use Expectations;
use Lab;
use Snmp;

enter_lab();
need_snmp();

my $questions = 12_000;
my $at_once = 30;
# snmpd's own limit.
my $longest = 128;
my $seed = $ENV{CONNTAP_SEED} // int rand 2 ** 31;
my @odd = (0, 1, 2, 3, 4, 15, 16, 17, 127, 128, 255, 256, 257, 65534, 65535, 65536,
	2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1);
my $root = oid('conntap');
my @tables = map { oid($_) } 'conntapFlowEntry', 'conntapExpectEntry';

# Flows that last, of many protocols, families and zones; expectations.
sub make_table {
	my $last = 0;

	flood('-n', 1200, '--seed', $seed);
	for my $zone (1, 5, 255, 256, 65535) {
		for my $proto (qw(udp tcp)) {
			must(qw(conntrack -I -s 192.0.2.1 -d 192.0.2.2 -t 86400 -p),
				$proto,
				'--sport', 1000 + $last++, '--dport', 53, '-w', $zone,
				$proto eq 'tcp' ? qw(--state ESTABLISHED) : ());
		}
	}
	for my $ports ([0, 0], [0, 65535], [65535, 0], [65535, 65535]) {
		must(qw(conntrack -I -p udp -s 0.0.0.1 -d 255.255.255.254 -t 86400),
			'--sport', $ports->[0], '--dport', $ports->[1]);
	}
	for my $ends (['192.0.2.1', '192.0.2.2'], ['2001:db8::1', '2001:db8::2']) {
		for my $sport (4001 .. 4010) {
			make_master(@$ends, $sport);
			expect_port(@$ends, $sport, $sport + 1000);
		}
	}
}

sub some {
	return $_[rand @_];
}

# One number of a name is another.
sub other_number {
	my @name = @_;
	my $at = int rand @name;
	my $by = some(-1, 1, 0);

	$name[$at] = $by ? $name[$at] + $by : some(@odd);
	$name[$at] = 0 if $name[$at] < 0 || $name[$at] > 2 ** 32 - 1;
	return @name;
}

sub shorter {
	my @name = @_;

	return @name[0 .. int rand @name];
}

sub longer {
	return @_, map { some(@odd) } 0 .. rand 4;
}

# Another length of an address, or another type; the rest as it was, or as if it were
# so. In an index: zone, protocol, type, length, octets, type, length, octets, ports.
sub other_address {
	my ($column, @index) = @_;
	my $source = $index[3];
	my $at = some(2, 3, 4 + $source, 5 + $source);

	return ($column, other_number(@index)) if $at > $#index;
	$index[$at] = some(0 .. 6, 15, 16, 17, 255, 2 ** 32 - 1);
	if ($at == 3 || $at == 5 + $source) {
		my $wanted = $index[$at] < 20 ? $index[$at] : 0;
		splice @index, $at + 1, $source, (some(0, 1, 255, 256)) x $wanted
			if rand() < 0.5;
	}
	return ($column, @index);
}

# A row of a table, by its numbers: (the table, column, index...).
sub row_of {
	my ($name) = @_;
	my ($table) = grep { $name =~ /\A\Q$_\E\./ } @tables or return;

	return ($table, split /\./, substr $name, 1 + length $table);
}

sub changed_row {
	my ($name) = @_;
	my ($table, @numbers) = row_of($name) or return $name;
	my $how = some(
		sub { @_ },
		sub { some(0 .. 30, 2 ** 32 - 1), @_[1 .. $#_] },
		sub { $_[0], other_number(@_[1 .. $#_]) },
		sub { other_number(other_number(@_)) },
		sub { shorter(@_) },
		sub { shorter(other_number(@_)) },
		sub { longer(@_) },
		sub { longer(shorter(@_)) },
		sub { other_address(@_) });
	return join '.', $table, $how->(@numbers);
}

# Somewhere around the tables, and everything else of ours.
sub anywhere {
	my @numbers = split /\./, $root;

	push @numbers, some(0, 1, 1, 1, 1, 2) if rand() < 0.95;
	push @numbers, some(0 .. 5, 3, 3, 3), map { some(0 .. 3, @odd) } 0 .. rand 5
		if rand() < 0.9;
	return join '.', @numbers;
}

sub a_name {
	my ($names) = @_;
	my $name = rand() < 0.15 ? anywhere() : changed_row(some(@$names));
	my @numbers = split /\./, $name;

	return join '.', @numbers > $longest ? @numbers[0 .. $longest - 1] : @numbers;
}

# The first of the sorted names that is greater: how many are not.
sub place_behind {
	my ($keys, $key) = @_;
	my ($low, $high) = (0, scalar @$keys);

	while ($low < $high) {
		my $middle = int(($low + $high) / 2);
		if ($keys->[$middle] le $key) {
			$low = $middle + 1;
		} else {
			$high = $middle;
		}
	}
	return $low;
}

sub key_of {
	return pack 'N*', split /\./, $_[0];
}

# What is wrong with an answer; values of tables are the same as in the walk.
sub fault {
	my ($model, $asked, $row) = @_;
	my ($oid, $type, $value) = @$row;
	my $expected = $model->{rows}[place_behind($model->{keys}, key_of($asked))];

	return "$oid is not behind it" if $type ne 'endOfMibView' &&
		compare_oids($oid, $asked) <= 0;
	return $oid =~ /\A\Q$root\E\./ ? "$oid, expected nothing of ours" : undef
		unless $expected;
	return "$oid, expected $expected->[0]" if $oid ne $expected->[0];
	return undef unless grep { $oid =~ /\A\Q$_\E\./ } @tables;
	return "$type $value, expected @$expected[1, 2]"
		if "$type $value" ne "@$expected[1, 2]" && $oid !~ /\A\Q$tables[1]\E/;
	return undef;
}

sub report {
	my ($name, $faults) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(scalar @$faults, 0, $name) or diag(join "\n", splice @$faults, 0, 10);
}

sub check_next {
	my ($snmp, $model) = @_;
	my @names = map { $_->[0] } grep { row_of($_->[0]) } @{$model->{rows}};
	my (@faults, %seen);
	my $begun = time;

	for (1 .. $questions / $at_once) {
		my @asked = map { a_name(\@names) } 1 .. $at_once;
		my @rows = $snmp->next(@asked);
		for my $i (0 .. $#asked) {
			my $fault = fault($model, $asked[$i], $rows[$i]);
			push @faults, "behind $asked[$i]: $fault" if $fault;
			$seen{$rows[$i][0]} = 1;
		}
		last if @faults > 100;
	}
	report("GETNEXT of $questions names: the next one", \@faults);
	cmp_ok(scalar keys %seen, '>', $questions / 10,
		'the answers are of many places');
	note(sprintf '%.0f names/s', $questions / (time - $begun));
}

# A GET of the same kind of names: the value, or none.
sub check_get {
	my ($snmp, $model) = @_;
	my @names = map { $_->[0] } grep { row_of($_->[0]) } @{$model->{rows}};
	my %there = map { ($_->[0] => $_->[1]) } @{$model->{rows}};
	my @faults;

	for (1 .. 100) {
		my @asked = map { a_name(\@names) } 1 .. $at_once;
		my @rows = $snmp->get(@asked);
		for my $i (0 .. $#asked) {
			my ($oid, $type) = @{$rows[$i]};
			my $expected = $there{$asked[$i]};
			push @faults, "$asked[$i]: $oid" if $oid ne $asked[$i];
			push @faults, "$asked[$i]: $type, expected " .
				($expected // 'nothing')
				if $expected ? $type ne $expected : $type !~ /^noSuch/;
		}
	}
	report('GET of 3000 names: the value, or none', \@faults);
}

# GETBULK of many names is as many GETNEXTs.
sub check_bulk {
	my ($snmp, $model) = @_;
	my @names = map { $_->[0] } grep { row_of($_->[0]) } @{$model->{rows}};
	my @faults;

	for (1 .. 100) {
		my @asked = map { a_name(\@names) } 1 .. 4;
		my @rows = $snmp->bulk(8, @asked);
		my @at = @asked;
		for my $i (0 .. $#rows) {
			my $fault = fault($model, $at[$i % 4], $rows[$i]);
			push @faults, "behind $at[$i % 4]: $fault"
				if $fault && $rows[$i][1] ne 'endOfMibView';
			$at[$i % 4] = $rows[$i][0];
		}
		push @faults, 'no whole repetition' if @rows < 4;
	}
	report('GETBULK of 100 times four names: the next ones', \@faults);
}

note("CONNTAP_SEED=$seed");
srand $seed;
make_table();
my $snmp = start_snmp(options => [qw(--snapshot-age 86400)]);
my $pid = $snmp->{agent}{pid};
my $count = table_size();
wait_until('all rows', sub {
	my %column = $snmp->column('conntapFlowAction');
	return keys %column == $count;
});
my %expected = map { (join('.', flow_index($_)) => 1) } conntrack_flows();
my @rows = $snmp->walk($root);
my @sorted = sort { $a->[1] cmp $b->[1] } map { [$_, key_of($_->[0])] } @rows;
is_deeply([map { $_->[0][0] } @sorted], [map { $_->[0] } @rows],
	scalar(@rows) . ' names: a walk is in order');
my $action = oid('conntapFlowAction');
is_deeply({ map { $_->[0] =~ /\A\Q$action\E\.(.*)/ ? ($1 => 1) : () } @rows },
	\%expected,
	'and has the flows of conntrack(8)');
my %model = (rows => [map { $_->[0] } @sorted], keys => [map { $_->[1] } @sorted]);
check_next($snmp, \%model);
check_get($snmp, \%model);
check_bulk($snmp, \%model);
is(Lab::process_state($pid) =~ /[SR]/ && $snmp->answers, 1, 'the agent is alive');
is(scalar(() = $snmp->log =~ /\n/g), 1, 'and has nothing to say') or diag($snmp->log);
done_testing();
