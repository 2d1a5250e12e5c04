#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# plugins/agentx/snmpd.conf.example, as it is, for a real snmpd with the agent behind it:
# who sees what, and who may change or delete what.  Addresses and the agent's user are
# changed, as there are others here; what is a comment is taken for the namespace.
use strict;
use warnings;

use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Files;
use Lab;
use Snmp;

enter_lab();
need_snmp();

my $address = '127.0.0.1:1161';
my $example = slurp("$FindBin::Bin/../../plugins/agentx/snmpd.conf.example");
my $nobody = !(run('setpriv', qw(--reuid=65534 --regid=65534 --clear-groups true)))[0];
my @secrets = ('passphrase one', 'passphrase two');

# Changes the one line that begins so.
sub adapt {
	my ($begin, $line) = @_;

	is($example =~ s/^\Q$begin\E.*\n/$line/mg, 1, "the example has: $begin");
}

# In the end, whom the example does not know: our own client, which sees all.
sub adapted_example {
	adapt('agentXPerms ', $nobody ? "agentXPerms 0600 0711 nobody nogroup\n" : '');
	adapt('trap2sink ', '');
	adapt('#com2sec -Cn blue ',
		"com2sec -Cn blue conntap-public 127.0.0.1 public-blue\n");
	my ($auth, $priv) = @secrets;
	my $users = join '', map { qq(createUser $_ SHA-256 "$auth" AES "$priv"\n) }
		'noc', 'qos';
	return $example . $users . <<'END';
com2sec conntap-test 127.0.0.1 full
group conntap-test v2c conntap-test
access conntap-test "" v2c noauth prefix conntap-all none none
END
}

# What a tool prints, or else the reason that it gives, or "nothing".
sub says {
	my ($snmp, $tool, $who, @names) = @_;
	my ($status, $out, $err) = $snmp->tool($tool, [@$who, '-Oqv', '-t', 2], @names);

	chomp $out;
	return $out if $status == 0;
	return $1 if $err =~ /^Reason: \(?(\w+)/m;
	return $err =~ /Timeout/ ? 'nothing' : $err =~ s/\n.*//sr;
}

sub user {
	my ($name, @context) = @_;

	return ['-v3', qw(-l authPriv -a SHA-256 -x AES -u), $name, '-A', $secrets[0],
		'-X', $secrets[1], map { ('-n', $_) } @context];
}

sub community {
	return ['-v2c', '-c', $_[0]];
}

sub object {
	my ($column, $port) = @_;

	return oid("conntapFlow$column", qw(0 17 1 4 192 0 2 1 1 4 192 0 2 2), $port, 53);
}

sub check_reading {
	my ($snmp) = @_;
	my $public = community('public');
	my $flows = oid('conntapFlowMark');

	is(says($snmp, 'snmpget', $public, 'conntapNotificationInterval.0') =~ s/ .*//r, 60,
		'public: a setting');
	is(says($snmp, 'snmpget', $public, 'conntapEntries.0') =~ s/ .*//r, 3,
		'public: how many flows');
	like(says($snmp, 'snmpwalk', $public, $flows), qr/^No Such/, 'public: not which');
	like(says($snmp, 'snmpget', $public, object('Mark', 1001)), qr/^No Such/,
		'public: not even by name');
	like(says($snmp, 'snmpget', $public, '.1.3.6.1.2.1.25.1.1.0'), qr/^No Such/,
		'public: nothing else of the machine');
	is(says($snmp, 'snmpget', community('public-blue'), 'conntapNetns.0'), 'blue',
		'public-blue: the namespace');
	like(says($snmp, 'snmpwalk', community('public-blue'), $flows), qr/^No Such/,
		'public-blue: not its flows');
	is(says($snmp, 'snmpget', community('guess'), 'conntapEntries.0'), 'nothing',
		'another community');
	for my $name ('noc', 'qos') {
		is(says($snmp, 'snmpwalk', user($name), $flows), "1\n2\n3", "$name: flows");
		is(says($snmp, 'snmpget', user($name, 'blue'), 'conntapNetns.0'), 'blue',
			"$name: the namespace");
		is(says($snmp, 'snmpwalk', user($name, 'blue'), $flows), "0\n0",
			"$name: its flows");
		like(says($snmp, 'snmpget', ['-v3', qw(-l authNoPriv -a SHA-256 -u), $name,
			'-A', $secrets[0]], 'conntapEntries.0'), qr/authorizationError/,
			"$name, in the clear");
		like(says($snmp, 'snmpget', ['-v3', qw(-l noAuthNoPriv -u), $name],
			'conntapEntries.0'), qr/authorizationError/,
			"$name, without a passphrase");
	}
}

# What each may set, and what not: everything but what is named.
sub check_writing {
	my ($snmp) = @_;
	my @all = (
		delete => [object('Action', 1001), 'i', 2],
		mark => [object('Mark', 1001), 'u', 7],
		timeout => [object('Timeout', 1001), 'u', 900],
		age => [oid('conntapSnapshotMaxAge', 0), 'u', 9],
		threshold => [oid('conntapUsageHighThreshold', 0), 'i', 95],
	);
	my @whom = (public => community('public'), '', noc => user('noc'), 'delete',
		qos => user('qos'), 'mark timeout');

	while (my ($name, $who, $may) = splice @whom, 0, 3) {
		for (my @left = @all; my ($what, $set) = splice @left, 0, 2;) {
			next if $may =~ /\b$what\b/;
			like(says($snmp, 'snmpset', $who, @$set),
				qr/^(?:noAccess|authorizationError)/, "$name: $what");
		}
	}
	is(table_size(), 3, 'nobody else has deleted');
	is(says($snmp, 'snmpset', user('qos'), object('Mark', 1001), 'u', 7), 7,
		'qos: a mark');
	is(says($snmp, 'snmpset', user('qos'), object('Timeout', 1001), 'u', 900) =~
		s/ .*//r, 900, 'qos: a timeout');
	is(says($snmp, 'snmpset', user('qos'), object('Timeout', 1001), 'u', 0),
		'wrongValue', 'qos: no deletion by a timeout of 0');
	is(table_size(), 3, 'qos has deleted nothing');
	is(says($snmp, 'snmpset', user('noc'), object('Action', 1001), 'i', 2), 'delete',
		'noc: a deletion');
	is(says($snmp, 'snmpset', user('noc', 'blue'), object('Action', 2001), 'i', 2),
		'delete', 'noc: a deletion in the namespace');
	is(table_size(), 2, 'noc has deleted one');
	my ($mark) = must(qw(conntrack -L -o extended)) =~ /sport=1001 .*mark=(\d+)/;
	is($mark, undef, 'noc has deleted that one');
}

must('ip', 'netns', 'add', 'blue');
insert_flows('blue', 2000, 2);
must(qw(conntrack -I -p udp -s 192.0.2.1 -d 192.0.2.2 --dport 53 -t 600 --sport),
	1000 + $_, '--mark', $_) for 1 .. 3;
my $snmp = start_snmp(instead => adapted_example(), options => [qw(--netns blue
	--allow-delete --allow-write), $nobody ? qw(--user nobody) : ()]);
eval { wait_until('the namespace', sub {
	says($snmp, 'snmpget', community('public-blue'), 'conntapNetns.0') eq 'blue' }) };
unlike($snmp->snmpd_log, qr/error|warning|unknown/i, 'snmpd understands all of it');
check_reading($snmp);
check_writing($snmp);
$snmp = undef;
must('ip', 'netns', 'delete', 'blue');
done_testing();
