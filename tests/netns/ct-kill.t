#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# contrib/snmp/ct-kill with a real snmpd and agent: it shows and deletes the flows that
# meet its conditions, no others, asks before that, tells what became of them, and puts
# no secret on a command line.  Arguments are the parts to run.
use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use POSIX qw(mkfifo);
use Test::More;

use lib $FindBin::Bin;
use Files;
use Lab;
use Snmp;

enter_lab();
need_snmp();

my $ct_kill = abs_path("$FindBin::Bin/../../contrib/snmp/ct-kill");
my $host = '127.0.0.1:1161';
my @secret = qw(-v2c -c secret);
my $seed = $ENV{CONNTAP_SEED} // int rand 2 ** 31;

# (status, stdout, stderr); the words of snmpset(1) are those of who may all, but for
# those that begin with -v.
sub ct_kill {
	my ($snmp, @words) = @_;
	my @who = grep({ /^-v/ } @words) ? () : @secret;

	local %ENV = (%ENV, $snmp->tool_environment);
	return run($ct_kill, @words, @who, $host);
}

sub insert {
	must(qw(conntrack -I -p udp -t 600 -s 192.0.2.1 -d 192.0.2.2 --dport 53),
		'--sport', @_);
}

sub keys_of {
	return [sort map { flow_key($_) } @_];
}

# What it says an end of a flow is.
sub end_text {
	my ($flow, $end) = @_;
	my $orig = $flow->{orig};
	my $address = $orig->{$end};
	my ($port) = @$orig{$end eq 'src' ? 'sport' : 'dport'};

	return ($address =~ /:/ ? "[$address]" : $address) . ":$port" if defined $port;
	return "$address key " . hex $orig->{"${end}key"} if defined $orig->{srckey};
	return "$address type $orig->{type} code $orig->{code} id $orig->{id}"
		if defined $orig->{type} && $end eq 'dst';
	return $address;
}

# The columns of a flow that do not change meanwhile.
sub row_text {
	my ($flow) = @_;
	my $name = $flow->{proto} eq 'unknown' ? $flow->{protonum} : $flow->{proto};

	return join ' ', $name, end_text($flow, 'src'), end_text($flow, 'dst'),
		$flow->{state} // '-', sprintf('%#x', $flow->{mark}),
		$flow->{zone} || $flow->{zone_orig} || 0;
}

# Of its table, likewise: without the time that is left.
sub rows_shown {
	my ($out) = @_;
	my @rows = map { [split / {2,}/] } grep { / {2}/ } split /\n/, $out;

	is("@{shift @rows // []}", 'proto from to state left mark zone', 'its head');
	return map { join ' ', @$_[0 .. 3, 5, 6] } @rows;
}

# Test: these flows are shown, and deleted by nobody.
sub shows {
	my ($snmp, $name, $words, @expected) = @_;
	my ($status, $out, $err) = ct_kill($snmp, '--dry-run', @$words);
	my $count = @expected == 1 ? '1 flow' : @expected . ' flows';

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	die "$name: the test has no flows\n" unless @expected;
	is("$status $err", '0 ', "$name: it ends well");
	same_lines([rows_shown($out)], [map { row_text($_) } @expected], $name);
	like($out, qr/^\Q$count\E would be deleted\n\z/m, "$name: how many");
}

# Test: it ends so, says that last on stdout, and that on stderr; those flows are left.
sub ends {
	my ($snmp, $name, $words, $status, $last, $err, @left) = @_;
	my ($got, $out, $said) = ct_kill($snmp, @$words);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($got, $status, "$name: exit status") or diag($out, $said);
	like($out, qr/(?:\A|\n)$last\z/, "$name: what it says");
	ref $err ? like($said, $err, "$name: why") : is($said, $err, "$name: why");
	is_deeply(keys_of(conntrack_flows()), keys_of(@left), "$name: what is left");
}

# The kernel knows DCCP and other protocols by their number, or not: without ports here.
sub check_conditions {
	my $traffic = start_traffic();
	my $snmp = start_snmp(options => ['--allow-delete']);
	my @flows = grep { $_->{protonum} != 33 } conntrack_flows();
	my $of = sub { my ($test) = @_; grep { $test->() } @flows };
	my $shows = sub { my ($words, $test) = @_;
		shows($snmp, "@$words", $words, $of->($test)) };

	$shows->([qw(--proto tcp)], sub { $_->{protonum} == 6 });
	$shows->([qw(--proto 17)], sub { $_->{protonum} == 17 });
	$shows->([qw(--proto icmp)], sub { $_->{protonum} == 1 });
	$shows->([qw(--proto icmpv6)], sub { $_->{protonum} == 58 });
	$shows->([qw(--proto gre)], sub { $_->{protonum} == 47 }) if $of->(sub {
		$_->{protonum} == 47 });
	$shows->([qw(--proto TCP --src 10.0.1.2)], sub { $_->{protonum} == 6 &&
		$_->{orig}{src} eq '10.0.1.2' });
	$shows->([qw(--src 10.0.0.0/15 --dst 198.51.100.7 --proto udp)], sub {
		$_->{protonum} == 17 && $_->{orig}{dst} eq '198.51.100.7' });
	$shows->([qw(--src fd00:1::2 --proto=udp)], sub { $_->{protonum} == 17 &&
		$_->{orig}{src} eq 'fd00:1::2' });
	$shows->([qw(--src fd00::/17 --proto tcp)], sub { $_->{protonum} == 6 &&
		$_->{orig}{src} =~ /^fd00:/ });
	$shows->([qw(--dst 2001:db8::/32 --proto tcp)], sub { $_->{protonum} == 6 &&
		$_->{orig}{dst} =~ /^2001:db8:/ });
	$shows->([qw(--dst 0.0.0.0/0 --sport 40001-40020 --proto tcp)], sub {
		$_->{protonum} == 6 && $_->{orig}{sport} >= 40001 &&
		$_->{orig}{sport} <= 40020 && $_->{family} eq 'ipv4' });
	$shows->([qw(--dport 7001)], sub { ($_->{orig}{dport} // 0) == 7001 });
	$shows->([qw(--dport 2048 --proto icmp)], sub { $_->{protonum} == 1 &&
		$_->{orig}{type} == 8 });
	$shows->([qw(--zone 5)], sub { ($_->{zone} || $_->{zone_orig} || 0) == 5 });
	$shows->([qw(--zone 0 --proto tcp --dst 10.0.2.2)], sub { $_->{protonum} == 6 &&
		!$_->{zone} && !$_->{zone_orig} && $_->{orig}{dst} eq '10.0.2.2' });
	$shows->([qw(--state syn_sent)], sub { ($_->{state} // '') eq 'SYN_SENT' });
	$shows->([qw(--state ESTABLISHED --src fd00:1::2 --proto tcp)], sub {
		($_->{state} // '') eq 'ESTABLISHED' && $_->{protonum} == 6 &&
		$_->{orig}{src} eq 'fd00:1::2' });
	$shows->([qw(--mark 1)], sub { $_->{mark} == 1 });
	$shows->([qw(--mark 0x2a0001 --proto udp)], sub { $_->{mark} == 0x2a0001 });
	is_deeply(keys_of(grep { $_->{protonum} != 33 } conntrack_flows()),
		keys_of(@flows), 'none is deleted');
	check_kinds($snmp, @flows);
	$traffic = undef;
	must('conntrack', '-F');
}

# Of each kind, one is deleted by as much as its tuple says.
sub check_kinds {
	my ($snmp, @flows) = @_;
	my %kinds = map { my $flow = $_;
		$flow->{flags}{EXPECTED} || defined $flow->{helper} ? () :
		(join(' ', @$flow{qw(family protonum)}, $flow->{zone} || 0) => $flow) }
		grep { $_->{protonum} =~ /^(?:1|6|17|58|132)$/ && !$_->{zone_orig} }
		@flows;

	for my $kind (sort keys %kinds) {
		my $flow = $kinds{$kind};
		my $orig = $flow->{orig};
		my @ports = defined $orig->{type} ?
			($orig->{id}, $orig->{type} << 8 | $orig->{code}) :
			@$orig{qw(sport dport)};
		ends($snmp, "one, $kind", ['--yes', '--proto', $flow->{protonum},
			'--src', $orig->{src}, '--dst', $orig->{dst},
			'--sport', $ports[0], '--dport', $ports[1],
			'--zone', $flow->{zone} || 0], 0,
			qr/1 flow deleted\n/, '',
			grep { flow_key($_) ne flow_key($flow) } conntrack_flows());
	}
}

sub check_none {
	my $snmp = start_snmp(options => ['--allow-delete']);

	ends($snmp, 'an empty table', [qw(--yes --proto udp)], 3,
		qr/no such flow\n/, '');
	insert(1000);
	my ($flow) = conntrack_flows();
	ends($snmp, 'a new flow, but another', [qw(--yes --proto udp --sport 999)], 3,
		qr/no such flow\n/, '', $flow);
	must('conntrack', '-F');
}

# More than one message has room for, among others.
sub check_many {
	flood('-n', 900, '--seed', $seed);
	note("flood --seed $seed");
	my $snmp = start_snmp(options => ['--allow-delete']);
	my @flows = conntrack_flows();
	my @victims = grep { $_->{mark} == 7 } @flows;
	my $count = @victims;

	cmp_ok($count, '>', 60, 'many');
	ends($snmp, 'many', [qw(--yes --mark 7)], 0, qr/$count flows deleted\n/, '',
		grep { $_->{mark} != 7 } @flows);
	is($snmp->value('conntapFlowsDeleted', 0), $count, 'many: the agent counts');
	must('conntrack', '-F');
}

sub check_limit {
	insert($_) for 1001 .. 1009;
	my $snmp = start_snmp(options => [qw(--allow-delete --delete-limit 4)]);

	ends($snmp, 'more than so many a second', [qw(--yes --proto udp)], 0,
		qr/9 flows deleted\n/, '');
}

# Asking.

# It in a terminal, where somebody types into the handle.
sub at_terminal {
	my ($snmp, @words) = @_;
	my $fifo = "$snmp->{dir}/typed";

	unlink $fifo;
	mkfifo($fifo, 0600) or die "mkfifo: $!\n";
	open my $typed, '+<', $fifo or die "$fifo: $!\n";
	$typed->autoflush(1);
	local %ENV = (%ENV, $snmp->tool_environment);
	my $job = start({}, 'sh', '-c', 'exec script -qec "$1" /dev/null <"$2"', 'sh',
		"$ct_kill @words @secret $host", $fifo);
	wait_until('its question', sub { so_far($job) =~ m{\[y/N\]} });
	return ($job, $typed);
}

sub check_asking {
	insert($_) for 1001 .. 1003;
	my $snmp = start_snmp(options => ['--allow-delete']);
	my @flows = conntrack_flows();

	ends($snmp, 'nobody to ask', [qw(--proto udp)], 2, qr//, qr/--yes/, @flows);
	SKIP: {
		skip('script(1) makes no terminal here', 1)
			if (run(qw(script -qec true /dev/null)))[0];
		for my $answer ('n', '', 'what?') {
			my ($job, $typed) = at_terminal($snmp, qw(--proto udp));
			print $typed "$answer\n";
			my ($status, $out) = finish($job);
			is($status, 1, "\"$answer\": exit status");
			like($out, qr/none is deleted/, "\"$answer\": what it says");
			is_deeply(keys_of(conntrack_flows()), keys_of(@flows),
				"\"$answer\": none is");
		}
		my ($job, $typed) = at_terminal($snmp, qw(--proto udp));
		like(so_far($job), qr/Delete these 3 flows\?/, 'the question');
		# One ends while he thinks: the message that has it is refused.
		must(qw(conntrack -D -p udp --sport 1002));
		print $typed "y\n";
		my ($status, $out) = finish($job);
		is($status, 0, '"y": exit status');
		like($out, qr/2 flows deleted, 1 had ended by then/,
			'"y": what it says');
		is_deeply([conntrack_flows()], [], '"y": they are deleted');
	}
	run('conntrack', '-F');
}

# What is refused.

sub check_refused {
	insert($_) for 1001 .. 1003;
	my @flows = conntrack_flows();
	my $snmp = start_snmp();
	my @all = qw(--yes --proto udp);

	ends($snmp, 'no --allow-delete', \@all, 1, qr/0 flows deleted, 3 not deleted\n/,
		qr/--allow-delete/, @flows);
	$snmp = undef;
	$snmp = start_snmp(options => ['--allow-delete']);
	ends($snmp, 'may not write', [@all, qw(-v2c -c full)], 1,
		qr/0 flows deleted, 3 not deleted\n/, qr/view/, @flows);
	ends($snmp, 'may not see', [@all, qw(-v2c -c public)], 1, qr//,
		qr/no flow table/, @flows);
	ends($snmp, 'is not known', [@all, qw(-v2c -c nobody -t 0.2 -r 0)], 1, qr//,
		qr/Timeout/, @flows);
	ends($snmp, 'version 1', [@all, qw(-v1 -c secret -t 0.2 -r 0)], 1, qr//,
		qr/\S/, @flows);
	ends($snmp, 'elsewhere', [@all, qw(--base-oid 1.3.6.1.4.1.8072.9999.9999.78)],
		1, qr//, qr/no flow table/, @flows);
	$snmp->stop('agent');
	ends($snmp, 'no agent', \@all, 1, qr//, qr/no agent/, @flows);
	$snmp = undef;
	$snmp = start_snmp(before => [qw(setpriv --bounding-set -net_admin --inh-caps
		-net_admin)], options => ['--allow-delete'], agent => 0);
	$snmp->start_agent('--allow-delete');
	wait_until('the agent', sub { defined $snmp->value('conntapEntries', 0) });
	ends($snmp, 'an agent without rights', \@all, 1, qr//,
		qr/cannot read the table/, @flows);
	must('conntrack', '-F');
}

sub check_usage {
	my $snmp = start_snmp(snmpd => 0, agent => 0);
	my %wrong = ('' => 'no condition', '--yes' => 'no condition',
		'--proto nonsense' => 'not a protocol',
		'--proto 256' => 'not a protocol',
		'--src 10.0.0.1/8' => 'host bits',
		'--src example.net' => 'not an address',
		'--src 10.0.0.0/33' => '32 bits', '--dst 10.0.0' => 'not an address',
		'--sport 65536' => 'not a port', '--sport 9-1' => 'no range',
		'--dport -1' => 'not a port', '--zone 65536' => 'not a zone',
		'--mark 4294967296' => 'not a mark', '--mark x' => 'not a mark',
		'--base-oid tree --zone 1' => 'not an object', '--zone' => '\S',
		'--yes=1 --zone 1' => 'no value', '--colour red' => 'no such option',
		'--zone 1 other-host' => 'one host');

	for my $words (sort keys %wrong) {
		my ($status, $out, $err) = ct_kill($snmp, split / /, $words);
		is("$status $out", '2 ', "\"$words\": exit status 2");
		my $why = qr/$wrong{$words}/;
		like($err, qr/\Act-kill: [^\n]*${why}[^\n]*\n\z/, "\"$words\": why");
	}
	my ($status, $out, $err) = run($ct_kill, '--zone', 1);
	is("$status $out", '2 ', 'no host: exit status 2');
	($status, $out, $err) = run($ct_kill, '--help');
	is("$status $err", '0 ', '--help');
	like($out, qr/--$_ .*\n/, "--help: $_")
		for qw(proto src dst sport dport zone state mark);
}

# Who asks.

# Only what a snapshot has seen is found.
sub wait_for_flows {
	my ($snmp, $community, $count) = @_;

	wait_until('a snapshot', sub { $count == $snmp->walk(
		{ community => $community }, oid('conntapFlowMark')) });
}

sub check_contexts {
	my @udp = qw(-p udp -t 600 -s 192.0.2.1 -d 192.0.2.2 --dport 53 --sport);
	my $config = 'access writers "server" any noauth exact all all none' . "\n";
	my $snmp = start_snmp(options => [qw(--allow-delete --netns server
		--snapshot-age 1)], contexts => ['server'], config => $config);

	insert(1000);
	my @here = conntrack_flows();
	must(qw(ip netns exec server conntrack -I), @udp, $_) for 1000, 1001;
	wait_for_flows($snmp, 'in-server', 2);
	ends($snmp, 'another context', [qw(--yes --proto udp -n server),
		Snmp::as_user('operator')], 0, qr/2 flows deleted\n/, '', @here);
	is(must(qw(ip netns exec server conntrack -C)), "0\n", 'another context: gone');
	ends($snmp, 'version 3', ['--yes', '--proto', 'udp', '--',
		Snmp::as_user('operator')], 0, qr/1 flow deleted\n/, '');
}

# Tools that note how they were called, and who called them how.
sub spies {
	my $dir = open_dir();

	for my $tool (qw(snmpget snmpset snmpbulkwalk)) {
		my ($real) = grep { -x } map { "$_/$tool" } split /:/, $ENV{PATH};
		spew("$dir/$tool", <<"END");
#!/bin/sh
{ echo "$tool \$*"; tr '\\0' ' ' </proc/\$PPID/cmdline; echo; } >>$dir/calls
exec $real "\$@"
END
		chmod 0755, "$dir/$tool";
	}
	return $dir;
}

sub check_secrets {
	my $snmp = start_snmp(options => [qw(--allow-delete --snapshot-age 1)]);
	my $spies = spies();
	local $ENV{PATH} = "$spies:$ENV{PATH}";

	for my $who ([qw(-v2c -c secret)], [qw(-v2c -csecret)],
		[Snmp::as_user('operator')]) {
		insert(1000);
		wait_for_flows($snmp, 'full', 1);
		ends($snmp, "@$who", [qw(--yes --proto udp), @$who], 0,
			qr/1 flow deleted\n/, '');
	}
	my $calls = slurp("$spies/calls");
	like($calls, qr/^$_ /m, "$_ was called") for qw(snmpget snmpset snmpbulkwalk);
	unlike($calls, qr/secret/, 'with no secret among its words, nor ours');

	spew("$snmp->{dir}/snmp.conf", "defVersion 2c\ndefCommunity secret\n");
	insert(1000);
	wait_for_flows($snmp, 'full', 1);
	local %ENV = (%ENV, $snmp->tool_environment);
	my ($status, $out, $err) = run($ct_kill, qw(--yes --proto udp), $host);
	is("$status $err", '0 ', 'by snmp.conf alone');
	is_deeply([conntrack_flows()], [], 'by snmp.conf alone: deleted');
}

main->can("check_$_")->() for @ARGV ? @ARGV : qw(conditions none many limit asking
	refused usage contexts secrets);
done_testing();
