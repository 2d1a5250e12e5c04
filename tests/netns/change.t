#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conntap get, create and update: what they do to single flows and to many is what
# conntrack(8) sees, and what cannot be done is told.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Lab;

enter_lab();

# Protocols of which this kernel knows no ports.
my %plain = (253 => 1, dccp => !-e '/proc/sys/net/netfilter/nf_conntrack_dccp_timeout_open');
my %ends = (ipv4 => ['192.0.2.1', '198.51.100.9'], ipv6 => ['2001:db8::1', 'fd00:9::2']);
my $seed = $ENV{CONNTAP_SEED} // int rand 2 ** 31;

note("CONNTAP_SEED=$seed");
srand $seed;

# It works and says nothing but that.
sub done {
	my ($expected, @arguments) = @_;
	my ($status, $out, $err) = conntap(@arguments);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is("$status $out$err", "0 $expected", "@arguments");
}

sub flush {
	run('conntrack', '-F');
}

# The only flow there is.
sub only_flow {
	my ($name) = @_;
	my @flows = conntrack_flows();

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(scalar @flows, 1, "$name: one flow");
	return $flows[0] // { flags => {}, orig => {}, reply => {} };
}

# "tcp 1->2" of 198.51.100.9 and so on, as conditions of its original direction.
sub tuple {
	my ($proto, $family, $from, $to) = @_;
	my ($src, $dst) = @{$ends{$family}};
	my @tuple = ('-p', $proto, '-s', $src, '-d', $dst);

	return (@tuple, '--icmp-type', 8, '--icmp-code', 0, '--icmp-id', $from)
		if $proto eq 'icmp';
	return (@tuple, '--icmp-type', 128, '--icmp-code', 0, '--icmp-id', $from)
		if $proto eq 'icmpv6';
	return @tuple if $plain{$proto};
	return (@tuple, '--srckey', $from, '--dstkey', $to) if $proto eq 'gre';
	return (@tuple, '--sport', $from, '--dport', $to);
}

# The same from the other end.
sub reverse_tuple {
	my ($proto, $family, $from, $to) = @_;

	local $ends{$family} = [reverse @{$ends{$family}}];
	return tuple($proto, $family, $to, $from) if $proto !~ /^icmp/;
	my @tuple = tuple($proto, $family, $from);
	$tuple[7] = $proto eq 'icmp' ? 0 : 129; # of an answer
	return @tuple;
}

# The same flow by its reply.
sub reply_tuple {
	my ($proto, $family, $from, $to) = @_;
	my ($src, $dst) = @{$ends{$family}};
	my @tuple = ('-p', $proto, '-r', $dst, '-q', $src);

	return @tuple if $plain{$proto};
	return (@tuple, '--reply-key-src', $to, '--reply-key-dst', $from)
		if $proto eq 'gre';
	return (@tuple, '--reply-src-port', $to, '--reply-dst-port', $from);
}

# Ports of a protocol that conntrack(8) can ask for, its way.
sub asked_of_conntrack {
	my ($proto, $family, $from, $to) = @_;
	my ($src, $dst) = @{$ends{$family}};
	my @words = ('-p', $proto, '-s', $src, '-d', $dst);

	return if $plain{$proto};
	return (@words, '--srckey', $from, '--dstkey', $to) if $proto eq 'gre';
	return (@words, '--icmp-type', 8, '--icmp-code', 0, '--icmp-id', $from)
		if $proto eq 'icmp';
	return (@words, '--icmpv6-type', 128, '--icmpv6-code', 0, '--icmpv6-id', $from)
		if $proto eq 'icmpv6';
	return (@words, '--sport', $from, '--dport', $to);
}

# Its life: created, found from both sides, changed, deleted.
sub check_protocol {
	my ($proto, $family) = @_;
	my @this = ($proto, $family, 4000, 5000);
	my $name = "$proto, $family";
	my ($src, $dst) = @{$ends{$family}};

	done('', 'create', tuple(@this), '--timeout', 300);
	my $flow = only_flow($name);
	my $line = "$family $src->$dst $proto" .
		($plain{$proto} || $proto =~ /^(icmp|gre)/ ? '' : ' 4000->5000');
	is(flow_line($flow), $line, "$name: this one");
	is("$flow->{reply}{src} $flow->{reply}{dst}", "$dst $src", "$name: its reply");
	cmp_ok(abs($flow->{timeout} - 295), '<=', 5, "$name: timeout");
	if ($proto =~ /^icmp/) {
		is($flow->{orig}{id}, 4000, "$name: id");
	} elsif ($proto eq 'gre') {
		is(join(' ', map { hex } @{$flow->{orig}}{qw(srckey dstkey)},
				@{$flow->{reply}}{qw(srckey dstkey)}),
			'4000 5000 5000 4000', "$name: keys");
	}
	if (my @words = asked_of_conntrack(@this)) {
		my ($status, $out, $err) = run('conntrack', '-G', @words);
		is($status, 0, "$name: conntrack -G") or diag($err);
	}
	check_found($name, $line, \@this);
	done("Total: 1 connection(s) updated\n", 'update', tuple(@this), '--set-mark', 7,
		'--set-timeout', 500);
	my $changed = only_flow($name);
	is($changed->{mark}, 7, "$name: another mark");
	cmp_ok(abs($changed->{timeout} - 495), '<=', 5, "$name: another timeout");
	is("$changed->{id} " . flow_key($changed), "$flow->{id} " . flow_key($flow),
		"$name: all else stays");
	done("Delete: $line (id $flow->{id})\nTotal: 1 connection(s) deleted\n",
		'delete', tuple(@this));
	is(table_size(), 0, "$name: it is gone");
	refused(1, 'not found', 'get', tuple(@this));
	refused(1, 'not found', 'update', tuple(@this), '--set-mark', 7);
	is(table_size(), 0, "$name: nothing came of that");
}

sub check_found {
	my ($name, $line, $this) = @_;

	done("$line\nTotal: 1 connection(s)\n", 'get', tuple(@$this));
	refused(3, 'exists', 'create', tuple(@$this));
	refused(3, 'exists', 'create', reverse_tuple(@$this));
	return if $this->[0] =~ /^icmp/;
	done("$line\nTotal: 1 connection(s)\n", 'get', reply_tuple(@$this));
	done("Total: 1 connection(s) updated\n", 'update', reply_tuple(@$this),
		'--set-mark', 5);
	is(only_flow($name)->{mark}, 5, "$name: updated by its reply");
	refused(1, 'not found', 'update', reverse_tuple(@$this), '--set-mark', 6);
	is(only_flow($name)->{mark}, 5, "$name: which only means this one");
}

sub check_protocols {
	for my $family ('ipv4', 'ipv6') {
		check_protocol($_, $family) for qw(tcp udp udplite sctp dccp gre 253),
			$family eq 'ipv4' ? 'icmp' : 'icmpv6';
	}
}

# What get shows, in each format.
sub check_formats {
	my @tuple = tuple('tcp', 'ipv6', 10, 20);

	done('', 'create', @tuple, '--state', 'established', '-m', 0x2a);
	my %out;
	for my $format (qw(text xml flows json save)) {
		my ($status, $out, $err) = conntap('get', @tuple, '--format', $format);
		is("$status $err", '0 ', "get, $format");
		$out{$format} = $out;
	}
	fits_schema('conntracks', $out{xml}, 'get');
	fits_schema('flows', $out{flows}, 'get');
	is(scalar(() = $out{xml} =~ /<conntrack /g), 1, 'get, xml: one flow');
	is(scalar(() = $out{flows} =~ /<flow[ >]/g), 1, 'get, flows: one flow');
	my @objects = json_lines($out{json}, 'get');
	is(scalar @objects, 1, 'get, json: one flow');
	is($objects[0]{mark}, 42, 'get, json: its mark');
	like($out{save}, qr/\A-A .*-m 42 .*--sport 10 --dport 20 .*\n\z/, 'get, save');
	for my $format (qw(text xml flows json save)) {
		refused(1, 'not found', 'get', tuple('udp', 'ipv6', 10, 20), '-o',
			$format);
	}
	flush();
}

# Translation: what is said of the reply becomes the translation.
sub check_nat {
	my @cases = (
		['ipv4', ['--src-nat', '203.0.113.5'],
			'198.51.100.9 203.0.113.5 80 1000', 'SRC_NAT'],
		['ipv4', ['-n', '203.0.113.5', '--reply-dst-port', 61000],
			'198.51.100.9 203.0.113.5 80 61000', 'SRC_NAT'],
		['ipv4', ['--dst-nat', '203.0.113.6'],
			'203.0.113.6 192.0.2.1 80 1000', 'DST_NAT'],
		['ipv4', ['-g', '203.0.113.6', '--reply-src-port', 8080],
			'203.0.113.6 192.0.2.1 8080 1000', 'DST_NAT'],
		['ipv4', ['-n', '203.0.113.5', '-g', '203.0.113.6', '--reply-src-port',
				8080, '--reply-dst-port', 61000],
			'203.0.113.6 203.0.113.5 8080 61000', 'SRC_NAT DST_NAT'],
		['ipv6', ['-n', '2001:db8:5::5', '--reply-dst-port', 61000],
			'fd00:9::2 2001:db8:5::5 80 61000', 'SRC_NAT'],
		['ipv6', ['-g', '2001:db8:5::6', '--reply-src-port', 8080],
			'2001:db8:5::6 2001:db8::1 8080 1000', 'DST_NAT'],
		['ipv6', ['-n', '2001:db8:5::5', '-g', '2001:db8:5::6'],
			'2001:db8:5::6 2001:db8:5::5 80 1000', 'SRC_NAT DST_NAT'],
	);

	for my $proto ('tcp', 'udp') {
		for (@cases) {
			my ($family, $nat, $reply, $flags) = @$_;
			my $name = "$proto, $family, @$nat";
			done('', 'create', tuple($proto, $family, 1000, 80), @$nat);
			my $flow = only_flow($name);
			is(join(' ', @{$flow->{reply}}{qw(src dst sport dport)}), $reply,
				"$name: its reply");
			is(nat_flags($proto, $family), $flags, "$name: status");
			refused(3, 'exists', 'create', tuple($proto, $family, 1000, 80));
			flush();
		}
	}
}

# What conntrack(8) finds by status.
sub nat_flags {
	my ($proto, $family) = @_;
	my @found;

	for (['SRC_NAT', '--src-nat'], ['DST_NAT', '--dst-nat']) {
		my ($flag, $option) = @$_;
		my (undef, $out) = run('conntrack', '-L', '-f', $family, '-p', $proto,
			$option);
		push @found, $flag if $out =~ /src=/;
	}
	return "@found";
}

# Where nothing is translated, the reply can be said all the same.
sub check_whole_reply {
	my ($src, $dst) = @{$ends{ipv4}};

	done('', 'create', tuple('udp', 'ipv4', 1000, 53), '-r', $dst, '-q', $src,
		'--reply-src-port', 53, '--reply-dst-port', 1000);
	is(nat_flags('udp', 'ipv4'), '', 'a whole reply: no translation');
	done('', 'create', tuple('udp', 'ipv4', 1001, 53), '-n', $src, '--reply-dst-port',
		61000);
	is(nat_flags('udp', 'ipv4'), 'SRC_NAT', 'only the port is translated');
	flush();
}

# Everything else that a flow may have.
sub check_traits {
	my @tuple = tuple('tcp', 'ipv4', 1000, 21);
	my $flow;

	done('', 'create', @tuple);
	$flow = only_flow('plain');
	cmp_ok(abs($flow->{timeout} - 118), '<=', 2, 'plain: 120 s');
	is($flow->{mark}, 0, 'plain: no mark');
	is($flow->{zone}, 0, 'plain: no zone');
	ok($flow->{flags}{UNREPLIED} && !$flow->{flags}{ASSURED}, 'plain: status');
	flush();

	done('', 'create', @tuple, '-t', '2h', '--mark', '0x2a0001', '--zone', 5, '--state',
		'close-wait', '--status', 'seen-reply,assured', '--helper', 'ftp');
	$flow = only_flow('traits');
	cmp_ok(abs($flow->{timeout} - 7198), '<=', 2, 'traits: timeout');
	is($flow->{mark}, 0x2a0001, 'traits: mark');
	is($flow->{zone}, 5, 'traits: zone');
	is($flow->{state}, 'CLOSE_WAIT', 'traits: state');
	is($flow->{helper}, 'ftp', 'traits: helper');
	ok($flow->{flags}{ASSURED} && !$flow->{flags}{UNREPLIED}, 'traits: status');

	# Another zone is another flow, with the same tuple.
	refused(1, 'not found', 'get', @tuple);
	done('', 'create', @tuple);
	done("ipv4 192.0.2.1->198.51.100.9 tcp 1000->21\nTotal: 1 connection(s)\n", 'get',
		@tuple, '-w', 5);
	refused(3, 'exists', 'create', @tuple, '-w', 5);
	done("Total: 1 connection(s) updated\n", 'update', @tuple, '-w', 5, '--set-mark',
		9);
	is(join(' ', sort map { "$_->{zone}=$_->{mark}" } conntrack_flows()), '0=0 5=9',
		'zones: only one of them is changed');
	flush();

	done('', 'create', @tuple, '--orig-zone', 7);
	done('', 'create', tuple('tcp', 'ipv4', 1001, 21), '--reply-zone', 8);
	is(join(' ', sort map { ($_->{zone_orig} // '-') . ($_->{zone_reply} // '-') }
		conntrack_flows()), '-8 7-', 'a zone in one direction');
	flush();

	for my $state (qw(SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK
		TIME_WAIT CLOSE)) {
		done('', 'create', @tuple, '--state', $state);
		is(only_flow($state)->{state}, $state, "state $state");
		flush();
	}
	done('', 'create', tuple('sctp', 'ipv4', 1, 2), '--state', 'shutdown-sent');
	is(only_flow('sctp')->{state}, 'SHUTDOWN_SENT', "a state of SCTP");
	flush();
	refused(1, '', 'create', @tuple, '--helper', 'nosuch');
	is(table_size(), 0, 'an unknown helper: no flow');
}

sub check_labels {
	my @tuple = tuple('udp', 'ipv4', 1000, 53);

	SKIP: {
		skip('no names of labels here', 7) unless lab_has('connlabel');
		done('', 'create', @tuple, '--label', 'web');
		is("@{only_flow('label')->{labels}}", 'web', 'a label');
		done("Total: 1 connection(s) updated\n", 'update', @tuple, '--set-label',
			'127');
		is("@{only_flow('label')->{labels}}", 'web last-one', 'one more label');
		done("Total: 1 connection(s) updated\n", 'update', @tuple, '--set-label',
			'not-web');
		is("@{only_flow('label')->{labels}}", 'last-one', 'one label less');
		done("Total: 1 connection(s) updated\n", 'update', @tuple, '--set-label',
			'not-last-one,3');
		is("@{only_flow('label')->{labels}}", 'web', 'another label');
		flush();
	}

	# Where no rule uses labels.
	run('ip', 'netns', 'add', 'plain');
	my ($status, $out, $err) = conntap('create', '--netns', 'plain', @tuple, '-l', 3);
	is("$status $out", '1 ', 'no rule for labels: status');
	like($err, qr/\Aconntap: [^\n]*labels[^\n]*rule[^\n]*\n\z/, 'no rule: why');
	($status, $out, $err) = conntap('update', '--netns', 'plain', @tuple,
		'--set-label', 3, '--set-mark', 3);
	is($status, 1, 'no rule for labels: update: status');
	like($err, qr/\Aconntap: [^\n]*labels[^\n]*rule[^\n]*\n\z/, 'update: why');
	run('ip', 'netns', 'del', 'plain');
	is(table_size(), 0, 'which was elsewhere');
}

sub check_updates {
	my @tuple = tuple('tcp', 'ipv6', 1000, 80);
	my @update = ('update', @tuple);
	my $told = "Total: 1 connection(s) updated\n";
	my $other = sub { (grep { $_->{orig}{sport} == 1001 } conntrack_flows())[0] };
	my $this = sub { (grep { $_->{orig}{sport} == 1000 } conntrack_flows())[0] };

	done('', 'create', tuple('tcp', 'ipv6', 1001, 80), '--state', 'syn-recv', '-m',
		0x5555, '-t', '1h');
	my $before = $other->();
	done('', 'create', @tuple, '--state', 'established', '--mark', '0xff00ff');
	done($told, @update, '--set-mark', '0x10/0xf0');
	is($this->()->{mark}, 0xff001f, 'mark: only the bits of the mask');
	done($told, @update, '--set-mark', '0/0xff0000');
	is($this->()->{mark}, 0x1f, 'mark: bits that become 0');
	done($told, @update, '--set-mark', 0);
	is($this->()->{mark}, 0, 'mark: no more');
	done($told, @update, '--set-timeout', '1d');
	cmp_ok(abs($this->()->{timeout} - 86398), '<=', 2, 'timeout: a day');
	done($told, @update, '--set-state', 'fin-wait');
	is($this->()->{state}, 'FIN_WAIT', 'state');
	cmp_ok($this->()->{timeout}, '>', 80000, 'state: the timeout stays');
	ok($this->()->{flags}{UNREPLIED}, 'status: not yet');
	done($told, @update, '--set-status', 'seen-reply');
	ok(!$this->()->{flags}{UNREPLIED}, 'status: seen-reply');
	ok(!$this->()->{flags}{ASSURED}, 'status: not assured');
	done($told, @update, '--set-status', 'assured');
	ok($this->()->{flags}{ASSURED}, 'status: assured');
	ok(!$this->()->{flags}{UNREPLIED}, 'status: seen-reply stays');
	refused(2, 'set-status', @update, '--set-status', 'not-assured');
	ok($this->()->{flags}{ASSURED}, 'status: it stays');
	done($told, @update, '--set-mark', 3, '--set-timeout', 99, '--set-state', 'close');
	my $all = $this->();
	is("$all->{mark} $all->{state}", '3 CLOSE', 'all at once');
	cmp_ok(abs($all->{timeout} - 97), '<=', 2, 'all at once: timeout');

	done($told, @update, '--set-status', 'fixed-timeout');
	like((run('conntrack', '-L', '-f', 'ipv6', '-u', 'FIXED_TIMEOUT'))[1],
		qr/sport=1000/, 'status: fixed-timeout');
	# The kernel means it, even to root.
	my ($status, $out, $err) = conntap(@update, '--set-timeout', 50);
	is("$status $out", "1 Total: 0 connection(s) updated, 1 could not be updated\n",
		'fixed-timeout: refused');
	like($err, qr/\Aconntap: [^\n]*timeout[^\n]*\n\z/, 'fixed-timeout: why');
	cmp_ok($this->()->{timeout}, '>', 60, 'fixed-timeout: it stays');

	# Nobody has touched the other one.
	my $after = $other->();
	cmp_ok($before->{timeout} - delete $after->{timeout}, '<=', 30, 'other: timeout');
	delete @$_{qw(timeout delta)} for $before, $after;
	is_deeply($after, $before, 'the other flow is as it was');
	flush();
}

# A state is TCP's: its number is another state of SCTP, and none of UDP.
sub check_states {
	done('', 'create', tuple('tcp', 'ipv4', 1, 2), '--state', 'established');
	done('', 'create', tuple('sctp', 'ipv4', 1, 2), '--state', 'established');
	done('', 'create', tuple($_, 'ipv4', 1, 2)) for 'udp', 'gre';
	done("Total: 1 connection(s) updated, 3 have no state of TCP\n", 'update', '-f',
		'ipv4', '--set-state', 'close-wait', '--set-mark', 5);
	my %flows = map { $_->{proto} => $_ } conntrack_flows();
	is($flows{tcp}{state}, 'CLOSE_WAIT', 'states: of TCP');
	is($flows{sctp}{state}, 'ESTABLISHED', 'states: SCTP keeps its own');
	is(join(' ', map { $flows{$_}{mark} } qw(tcp udp gre sctp)), '5 0 0 0',
		'states: and all else');
	flush();
}

# What is said again adds to what was said before.
sub check_repeated {
	my @tuple = tuple('udp', 'ipv4', 1, 2);

	done('', 'create', @tuple);
	done("Total: 1 connection(s) updated\n", 'update', @tuple, '--set-status',
		'seen-reply', '--set-status', 'assured');
	my $flow = only_flow('udp');
	ok($flow->{flags}{ASSURED} && !$flow->{flags}{UNREPLIED}, 'repeated: both bits');
	my $job = start_listening({}, 5, program('conntap'), 'events', '-o', 'json', '-e',
		'new', '-e', 'destroy');
	done('', 'create', tuple('udp', 'ipv4', 3, 4));
	flush();
	wait_until('both kinds', sub { so_far($job) =~ /"new".*"destroy"/s });
	is((interrupt($job))[0], 0, 'repeated: events of both kinds');
}

sub check_update_many {
	my $marked = int((20000 + 6) / 7);

	flood('-n', 20000, '--seed', $seed);
	my %before = map { flow_key($_) => $_ } proc_flows();
	done("Total: $marked connection(s) updated\n", 'update', '--mark', 7,
		'--set-mark', '0x100/0x100');
	my %after = map { flow_key($_) => $_ } proc_flows();
	is(scalar keys %after, 20000, 'many: all are there');
	is(scalar(grep { $after{$_}{mark} != ($before{$_}{mark} == 7 ? 0x107 : 0) }
		keys %after), 0, 'many: the chosen ones are marked, the others not');
	my @udp = grep { $_->{protonum} == 17 && $_->{family} eq 'ipv6' } values %after;
	done('Total: ' . @udp . " connection(s) updated\n", 'update', '-p', 'udp', '-f',
		'ipv6', '--set-timeout', 1000, '--kernel-filter');
	my @short = grep { $_->{timeout} <= 1000 } proc_flows();
	same_lines([map { flow_key($_) } @short], [map { flow_key($_) } @udp],
		'many: these have another timeout');
	done("Total: 0 connection(s) updated\n", 'update', '--mark', 99, '--set-mark', 1);
	my @none = tuple('tcp', 'ipv4', 1, 2);
	refused(1, 'not found', 'update', @none, '--set-mark', 1);
	flush();
}

# A random flow: what create is told, its line in the format save, and its name.
sub random_flow {
	my ($number) = @_;
	my $proto = (qw(tcp udp udplite sctp icmp gre))[rand 6];
	my $family = rand() < 0.5 ? 'ipv4' : 'ipv6';
	my ($src, $dst) = map { $family eq 'ipv4' ? join '.', 10, map { int rand 256 } 1 .. 3
		: join ':', '2001', 'db8', map { sprintf '%x', 1 + rand 65535 } 3 .. 8 } 1, 2;
	my ($sport, $dport) = map { 1 + int rand 65535 } 1, 2;
	my ($mark, $timeout) = (1 + int rand 2 ** 32 - 1, 1000 + int rand 100000);
	my ($from, $to) = ($src, $sport);
	my @words = ('-t', $timeout, '-m', $mark, '-s', $src, '-d', $dst);
	my @save = @words;

	$proto = 'icmpv6' if $proto eq 'icmp' && $family eq 'ipv6';
	if ($proto =~ /^(tcp|udp)$/ && rand() < 0.3) {
		$from = $family eq 'ipv4' ? '203.0.113.7' : '2001:db8::7';
		$to = $number + 1;
		push @words, '-n', $from, '--reply-dst-port', $to;
		push @save, '-r', $dst, '-n', $from;
	} else {
		push @save, '-r', $dst, '-q', $src;
	}
	push @words, '-p', $proto;
	push @save, '-p', $proto;
	if ($proto =~ /^icmp/) {
		my $type = $proto eq 'icmp' ? 8 : 128;
		push @words, '--icmp-type', $type, '--icmp-code', 0, '--icmp-id', $sport;
		push @save, "--$proto-type", $type, "--$proto-code", 0, "--$proto-id",
			$sport;
		return (\@words, "-A @save", "$family $proto $src $dst $sport $mark");
	}
	my @names = $proto eq 'gre' ? qw(srckey dstkey reply-key-src reply-key-dst)
		: qw(sport dport reply-port-src reply-port-dst);
	my @values = ($sport, $dport, $dport, $to);
	push @words, "--$names[0]", $sport, "--$names[1]", $dport;
	push @save, map { ("--$names[$_]", $values[$_]) } 0 .. 3;
	push @$_, '--state', 'ESTABLISHED' for $proto eq 'tcp' ? (\@words, \@save) : ();
	push @save, '--state', 'ESTABLISHED', '--orig-vtag', 1, '--reply-vtag', 2
		if $proto eq 'sctp';
	return (\@words, "-A @save",
		"$family $proto $src $dst $sport $dport => $from $to $mark");
}

# The name of a flow that conntrack(8) sees.
sub name_of {
	my ($flow) = @_;
	my ($orig, $reply) = @$flow{qw(orig reply)};
	my $start = "$flow->{family} $flow->{proto} $orig->{src} $orig->{dst}";

	return "$start $orig->{id} $flow->{mark}" if $flow->{proto} =~ /^icmp/;
	my ($sport, $dport, $to) = $flow->{proto} eq 'gre' ?
		map { hex } $orig->{srckey}, $orig->{dstkey}, $reply->{dstkey} :
		($orig->{sport}, $orig->{dport}, $reply->{dport});
	return "$start $sport $dport => $reply->{dst} $to $flow->{mark}";
}

sub check_random {
	my (@lines, @names);
	my $file = File::Temp->new;

	for my $number (1 .. 10000) {
		my (undef, $line, $name) = random_flow($number);
		push @lines, $line;
		push @names, $name;
	}
	print $file "$_\n" for @lines;
	close $file;
	done("Total: 10000 connection(s) created\n", 'create', '--load', "$file");
	same_lines([map { name_of($_) } conntrack_flows()], \@names,
		'10,000 random flows: all are there');
	my ($status, $out) = conntap('create', '--load', "$file");
	is("$status $out", "0 Total: 0 connection(s) created, 10000 there already\n",
		'10,000 random flows: once more');
	flush();

	@names = ();
	my @failed;
	for my $number (1 .. 300) {
		my ($words, undef, $name) = random_flow($number);
		my ($result, $text, $err) = conntap('create', @$words);
		push @failed, "@$words: $err" if "$result$text$err" ne '0';
		push @names, $name;
	}
	is("@failed", '', '300 random flows, one by one');
	same_lines([map { name_of($_) } conntrack_flows()], \@names,
		'300 random flows: all are there');
	flush();
}

sub check_command_lines {
	my @tuple = tuple('tcp', 'ipv4', 1, 2);

	refused(2, $_->[0], @{$_->[1]}) for
		['', ['create']],
		['', ['create', '-p', 'tcp', '-s', '192.0.2.1']],
		['', ['create', '-p', 'tcp', '-s', '192.0.2.1', '-d', '192.0.2.2']],
		['', ['create', '-s', '192.0.2.1', '-d', '192.0.2.2']],
		['', ['create', '-p', 'tcp', '-s', '192.0.2.1', '-d', '2001:db8::1',
			'--sport', 1, '--dport', 2]],
		['', ['get', '-p', 'tcp', '-s', '192.0.2.1', '-d', '2001:db8::1', '--sport',
			1, '--dport', 2]],
		['orig-src', ['create', '-p', 'tcp', '-s', '192.0.2.0/24', '-d',
			'192.0.2.2', '--sport', 1, '--dport', 2]],
		['sport', ['create', '-p', 'tcp', '-s', '192.0.2.1', '-d', '192.0.2.2',
			'--sport', '1-2', '--dport', 2]],
		['mark', ['create', @tuple, '--mark', '1/3']],
		['nat', ['create', @tuple, '--src-nat']],
		['state', ['create', @tuple, '--state', 'no-state']],
		['min-age', ['create', @tuple, '--min-age', 5]],
		['timeout', ['create', @tuple, '--timeout', 'soon']],
		['timeout', ['create', @tuple, '--timeout', 2 ** 31]],
		['srckey', ['create', '-p', 'gre', '-s', '192.0.2.1', '-d', '192.0.2.2',
			'--sport', 1, '--dport', 2]],
		['contradicts', ['create', @tuple, '-f', 'ipv6']],
		['orig-src', ['create', '-f', 'ipv6', @tuple]],
		['IPv4 and IPv6', ['create', @tuple, '-r', 'fd00::1']],
		['IPv4 and IPv6', ['create', @tuple, '-q', 'fd00::1']],
		['IPv4 and IPv6', ['create', @tuple, '-n', 'fd00::1']],
		['src-nat', ['create', @tuple, '-r', '198.51.100.9', '-n', 'fd00::1']],
		['src-nat', ['create', @tuple, '-n', '203.0.113.5', '-q', '203.0.113.6']],
		['srckey', ['create', tuple('udp', 'ipv4', 1, 2), '--srckey', 1]],
		['--src-nat ADDR', ['create', @tuple, '-q', '203.0.113.5']],
		['--src-nat ADDR', ['create', @tuple, '--reply-dst-port', 3]],
		['--src-nat ADDR', ['create', @tuple, '-q', '203.0.113.5', '-g',
			'203.0.113.6']],
		['--dst-nat ADDR', ['create', @tuple, '-r', '203.0.113.5']],
		['--dst-nat ADDR', ['create', @tuple, '--reply-src-port', 3]],
		['--dst-nat ADDR', ['create', @tuple, '-r', '203.0.113.5', '-n',
			'203.0.113.6']],
		['', ['create', tuple('udp', 'ipv4', 1, 2), '--state', 'established']],
		['', ['get']],
		['', ['get', '-p', 'tcp', '-s', '192.0.2.1']],
		['', ['get', '-p', 'tcp', '-s', '192.0.2.1', '-d', '192.0.2.2']],
		['format', ['get', @tuple, '--format', 'yaml']],
		['set-mark', ['get', @tuple, '--set-mark', 1]],
		['timeout', ['get', @tuple, '--timeout', 1]],
		['', ['update']],
		['', ['update', '--set-mark', 1]],
		['', ['update', @tuple]],
		['set-mark', ['update', @tuple, '--set-mark', 'red']],
		['set-mark', ['update', @tuple, '--set-mark', '3/1']],
		['set-timeout', ['update', @tuple, '--set-timeout', -1]],
		['set-state', ['update', @tuple, '--set-state', 'OPEN']],
		['set-status', ['update', @tuple, '--set-status', 'shiny']],
		['set-label', ['update', @tuple, '--set-label', 'no-such-label']],
		['set-label', ['update', @tuple, '--set-label', 128]],
		['load', ['update', @tuple, '--load', 'x']],
		['timeout', ['create', '--load', '/dev/null', '-t', 5]],
		['word', ['create', @tuple, 'more']];
	is(table_size(), 0, 'command lines: no flow was made');
}

check_protocols();
check_formats();
check_nat();
check_whole_reply();
check_traits();
check_labels();
check_updates();
check_states();
check_repeated();
check_update_many();
check_random();
check_command_lines();

done_testing();
