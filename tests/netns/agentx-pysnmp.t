#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conntap-agentx as pysnmp sees it, which has nothing in common with Net-SNMP: walks,
# GETBULK, types, SET, errors, SNMPv3.
use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib $FindBin::Bin;
use Lab;
use Snmp;

enter_lab();
need_snmp();

# The package is the system's own Python's.
my ($python) = grep { !(run($_, '-c', 'import pysnmp.hlapi'))[0] } '/usr/bin/python3',
	'python3';
plan(skip_all => 'no python3-pysnmp4 here') unless $python;

# Its arguments are requests: [what, who, oid, ...]; an answer is a line each: the error
# and the values, [oid, class, value], where octets are in hexadecimal.
my $client = <<'END';
import json, sys
from pysnmp.hlapi import *
from pysnmp.proto.rfc1902 import OctetString

engine = SnmpEngine()
target = UdpTransportTarget(("127.0.0.1", 1161), timeout=10, retries=0)

def who(name):
    if name != "operator":
        return CommunityData(name, mpModel=1)
    return UsmUserData(name, "the operator's secret", "a secret between us",
        authProtocol=usmHMACSHAAuthProtocol, privProtocol=usmAesCfb128Protocol)

def name(oid):
    return ObjectType(ObjectIdentity(oid))

def plain(row):
    value = row[1]
    text = value.asOctets().hex() if isinstance(value, OctetString) else str(value)
    return [str(row[0]), value.__class__.__name__, text]

def ask(what, user, oid, *more):
    common = (engine, who(user), target, ContextData())
    if what == "get":
        return [next(getCmd(*common, name(oid)))]
    if what == "walk":
        return list(nextCmd(*common, name(oid), lexicographicMode=False))
    if what == "bulk":
        return list(bulkCmd(*common, 0, more[0], name(oid), lexicographicMode=False))
    types = {"integer": Integer32, "gauge": Gauge32, "string": OctetString}
    value = ObjectType(ObjectIdentity(oid), types[more[0]](more[1]))
    return [next(setCmd(*common, value))]

for request in sys.argv[1:]:
    error, rows = None, []
    for indication, status, index, values in ask(*json.loads(request)):
        if indication or status:
            error = str(indication) if indication else status.prettyPrint()
        else:
            rows += [plain(value) for value in values]
    print(json.dumps([error, rows]))
END

# Each answer: [error, [oid, class, value], ...].
sub ask {
	my @requests = @_;
	my $json = JSON::PP->new;
	my ($status, $out, $err) = run($python, '-W', 'ignore', '-c', $client,
		map { $json->encode($_) } @requests);

	is("$status $err", '0 ', 'pysnmp ends well') if $status || $err ne '';
	return map { my ($error, $rows) = @{$json->decode($_)}; [$error, @$rows] }
		split /\n/, $out;
}

# index => value of a column's rows; octets as they are.
sub column_of {
	my ($name, @rows) = @_;
	my $root = oid($name);

	return { map { ($_->[0] =~ s/\A\Q$root\E\.//r => $_->[2]) } @rows };
}

sub by_index {
	my ($value, @flows) = @_;

	return { map { my $is = $value->(); defined $is ?
		(join('.', flow_index($_)) => $is) :
		() } @flows };
}

sub check_reading {
	my ($snmp, @flows) = @_;
	my %values = (
		conntapFlowMark => sub { $_->{mark} },
		conntapFlowState => sub { defined $_->{state} ? unpack 'H*',
		$_->{state} : undef },
		conntapFlowOrigBytes => sub { $_->{orig}{bytes} },
		conntapFlowAction => sub { 1 },
	);
	my %classes = (conntapFlowMark => 'Gauge32', conntapFlowState => 'OctetString',
		conntapFlowOrigBytes => 'Counter64', conntapFlowAction => 'Integer');

	for my $name (sort keys %values) {
		my ($walked, $bulk) = ask(['walk', 'full', oid($name)],
			['bulk', 'full', oid($name), 25]);
		my (undef, @rows) = @$walked;
		is($walked->[0], undef, "$name: no error");
		is_deeply(column_of($name, @rows), by_index($values{$name}, @flows),
			"$name: a walk by GETNEXT");
		is_deeply([@$bulk[1 .. $#$bulk]], \@rows, "$name: GETBULK: the same");
		my %seen = map { ($_->[1] => 1) } @rows;
		is(join(' ', sort keys %seen), $classes{$name}, "$name: the type");
	}
	check_everything(@flows);
}

# All of it, in order, without an end that is none.
sub check_everything {
	my @flows = @_;
	my ($walked, $bulk) = ask(['walk', 'operator', oid('conntap')],
		['bulk', 'full', oid('conntap'), 50]);
	my (undef, @rows) = @$walked;
	my @names = map { $_->[0] } @rows;

	is($walked->[0], undef, 'SNMPv3, everything: no error');
	is_deeply(\@names, [sort { compare_oids($a, $b) } @names],
		'everything: in order');
	cmp_ok(scalar @rows, '>', 15 * @flows, 'everything: all of it');
	is_deeply([map { $_->[0] } @$bulk[1 .. $#$bulk]], \@names,
		'everything by GETBULK: the same names');
}

sub check_setting {
	my ($snmp, @flows) = @_;
	my ($first, $second) = grep { $_->{protonum} == 6 &&
		$_->{family} eq 'ipv6' } @flows;
	my $action = oid('conntapFlowAction', flow_index($first));
	my $mark = oid('conntapFlowMark', flow_index($second));
	my @errors = map { $_->[0] } ask(
		['set', 'full', $action, 'integer', 2],
		['set', 'secret', $action, 'integer', 1],
		['set', 'secret', $action, 'string', '2'],
		['set', 'secret', oid('conntapFlowId', flow_index($first)), 'gauge', 2],
		['set', 'secret', "$action.1", 'integer', 2],
		['set', 'secret', $action, 'integer', 2],
		['set', 'secret', $action, 'integer', 2],
		['set', 'operator', $mark, 'gauge', 0xffffffff]);

	is_deeply([map { $_ // 'none' } @errors],
		[qw(noAccess wrongValue wrongType notWritable
		noCreation none noCreation none)], 'SET: errors, and none');
	my ($gone, $set) = ask(['get', 'full', $action], ['get', 'full', $mark]);
	is($gone->[1][1], 'NoSuchInstance', 'deleted: no such instance');
	is("@{$set->[1]}[1, 2]", 'Gauge32 4294967295', 'the mark that was set');
	my @left = conntrack_flows();
	is_deeply([map { flow_key($_) } @left],
		[grep { $_ ne flow_key($first) } map { flow_key($_) } @flows],
		'deleted: that one, no other');
	is((grep { flow_key($_) eq flow_key($second) } @left)[0]{mark}, 0xffffffff,
		'the mark, by conntrack(8)');
}

my $snmp = start_snmp(options => [qw(--allow-delete --allow-write --snapshot-age 1)]);
my $traffic = start_traffic();
my @flows = conntrack_flows();
wait_until('the rows', sub {
	my %column = $snmp->column('conntapFlowMark');
	return keys %column == @flows;
});
check_reading($snmp, @flows);
check_setting($snmp, @flows);
done_testing();
