#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conntap xml: both dialects hold what conntrack(8) sees, fit their schemas, and are
# whole documents whatever ends them.
use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(time);

use lib $FindBin::Bin;
use Documents;
use Lab;

enter_lab();

# The document of a dialect for these conditions, of a table that stays as it is.
sub document {
	my ($dialect, @conditions) = @_;
	my $name = join ' ', $dialect, @conditions;
	my %filter = @conditions ?
		(filter => join(' ', @conditions) =~ s/--proto\b/--protonum/gr) : ();
	my %there = table_now();
	my $since = time;
	my ($status, $out, $err) = conntap('xml', '--dialect', $dialect, @conditions);

	is($status, 0, "$name: status");
	is($err, '', "$name: nothing on stderr");
	is_document($dialect, $out, $name, since => $since, head => { %there, %filter },
		totals => { count => $there{count} });
	return $out;
}

# A document of "conntracks" as a list of <conntrack>: a hash of its attributes, and by
# names of elements, arrays of theirs.  Dies at what is not laid out as it should be.
sub read_conntracks {
	my ($document) = @_;
	my (@flows, $flow, $inside);

	for (body_of($document)) {
		if (/^ {3}<conntrack( .*)?>$/) {
			$flow = { attributes($1) };
		} elsif (/^ {3}<\/conntrack>$/) {
			push @flows, $flow;
		} elsif (/^ {6}<(status|labels)>$/) {
			$inside = $1;
			$flow->{$inside} = [];
		} elsif (/^ {6}<\/(\w+)>$/ && $1 eq $inside) {
			$inside = undef;
		} elsif ($inside && /^ {9}<flag>([^<]+)<\/flag>$/) {
			push @{$flow->{$inside}}, $1;
		} elsif ($inside && /^ {9}<label( .*) \/>$/) {
			push @{$flow->{$inside}}, { attributes($1) };
		} elsif (!$inside && /^ {6}<(\w+)( .*) \/>$/) {
			push @{$flow->{$1}}, { attributes($2) };
		} else {
			die "cannot read: $_\n";
		}
	}
	return @flows;
}

# What <tuple> shall hold.
sub tuple_of {
	my ($flow, $tuple, $zone) = @_;
	my @pairs = (l3protonum => $flow->{family} eq 'ipv4' ? 2 : 10,
		src => $tuple->{src}, dst => $tuple->{dst}, proto => $flow->{protonum});
	my %names = (id => 'icmpid');

	for my $key (qw(sport dport srckey dstkey type code id)) {
		push @pairs, $names{$key} // $key, $tuple->{$key}
			if defined $tuple->{$key};
	}
	push @pairs, zone => $zone if defined $zone;
	my %hash = @pairs;
	$hash{''} = join ' ', map { $pairs[2 * $_] } 0 .. $#pairs / 2;
	return \%hash;
}

sub tuples_of {
	my ($flow) = @_;
	my ($orig, $reply) = @$flow{qw(orig reply)};
	my @tuples = tuple_of($flow, $orig, $flow->{zone_orig});

	push @tuples, tuple_of($flow, $reply, $flow->{zone_reply})
		if $flow->{flags}{SRC_NAT} || $flow->{flags}{DST_NAT} ||
			defined $flow->{zone_reply};
	return \@tuples;
}

# Flags that conntrack(8) tells of, and those that follow.
sub flags_of {
	my ($flow) = @_;
	my $flags = $flow->{flags};
	my $nat = $flags->{SRC_NAT} || $flags->{DST_NAT};

	return [($flags->{EXPECTED} ? 'expected' : ()),
		($flags->{UNREPLIED} ? () : 'seen reply'),
		($flags->{ASSURED} ? 'assured' : ()), 'confirmed',
		($flags->{SRC_NAT} ? 'src_nat' : ()),
		($flags->{DST_NAT} ? 'dst_nat' : ()),
		($nat ? 'nat_mask' : ()), 'src_nat_done', 'dst_nat_done',
		($flow->{helper} ? 'helper' : ())];
}

sub check_flow {
	my ($shown, $flow) = @_;

	is($shown->{''}, 'id mark use timeout', 'attributes');
	is($shown->{$_}, $flow->{$_}, $_) for qw(id mark use);
	cmp_ok(abs($shown->{timeout} - $flow->{timeout}), '<=', 2, 'timeout') or
		diag("$shown->{timeout}, not $flow->{timeout}");
	is_deeply([grep { $_ ne 'seq_adjust' } @{$shown->{status}}], flags_of($flow),
		'status');
	is_deeply($shown->{tuple}, tuples_of($flow), 'tuples');
	is_deeply($shown->{counter}, [map { { '' => 'packets bytes',
			packets => $_->{packets}, bytes => $_->{bytes} } }
		@$flow{qw(orig reply)}], 'counters');
	is_deeply([map { $_->{id} } @{$shown->{zone}}],
		[$flow->{zone} ? $flow->{zone} : ()], 'zone');
	is_deeply([map { $_->{name} } @{$shown->{helper}}],
		[$flow->{helper} // ()], 'helper');
	is(scalar @{$shown->{timestamp}}, 1, 'one timestamp');
	like($shown->{timestamp}[0]{start}, qr/^$flow->{start}\.\d{9}$/, 'start');
	check_state($shown, $flow);
	check_labels($shown, $flow);
}

# TCP and SCTP; others have neither element.
sub check_state {
	my ($shown, $flow) = @_;

	for my $proto ('tcp', 'sctp', 'dccp') {
		is_deeply([map { $_->{state} } @{$shown->{$proto}}],
			[$flow->{proto} eq $proto ? $flow->{state} : ()],
			"$proto state");
	}
	if ($flow->{proto} eq 'tcp' && $flow->{state} eq 'ESTABLISHED') {
		my $tcp = $shown->{tcp}[0];
		is($tcp->{''}, 'state orig_wscale reply_wscale orig_flags reply_flags',
			'tcp attributes');
		like($tcp->{$_}, qr/^0x[0-9a-f]+$/, $_) for 'orig_flags', 'reply_flags';
		like($tcp->{$_}, qr/^(\d|1[0-4])$/, $_)
			for 'orig_wscale', 'reply_wscale';
	} elsif ($flow->{proto} eq 'sctp' && $flow->{state} eq 'ESTABLISHED') {
		my $sctp = $shown->{sctp}[0];
		is($sctp->{''}, 'state orig_vtag reply_vtag', 'sctp attributes');
		like($sctp->{$_}, qr/^0x[0-9a-f]+$/, $_) for 'orig_vtag', 'reply_vtag';
		isnt($sctp->{orig_vtag}, $sctp->{reply_vtag}, 'tags');
	}
}

sub check_labels {
	my ($shown, $flow) = @_;

	SKIP: {
		skip('no names for labels here', 1) if !lab_has('connlabel');
		is_deeply([map { $_->{name} } @{$shown->{labels}}],
			$flow->{labels} // [], 'labels');
	}
}

sub by_key {
	return map { my $tuple = $_->{tuple}[0];
		my $zone = $_->{zone} ? $_->{zone}[0]{id} : 0;
		join(' ', $zone, map { "$_=$tuple->{$_}" } grep { $_ }
			sort keys %$tuple) => $_ } @_;
}

sub check_conntracks {
	my ($traffic) = @_;
	my %shown = by_key(read_conntracks(document('conntracks')));
	my @flows = conntrack_flows();
	my %flows = map { my $tuple = tuple_of($_, $_->{orig}, $_->{zone_orig});
		join(' ', $_->{zone}, map { "$_=$tuple->{$_}" } grep { $_ }
			sort keys %$tuple) => $_ } @flows;

	is(scalar keys %flows, scalar @flows, 'no two flows are the same');
	is_deeply([sort keys %shown], [sort keys %flows], 'all flows are there, once');
	for my $key (sort grep { $flows{$_} } keys %shown) {
		subtest flow_line($flows{$key}) =>
			sub { check_flow($shown{$key}, $flows{$key}) };
	}
	check_masters(\%shown, @flows);
	check_adjusted($traffic, \%shown, @flows);
	return %shown;
}

# Each flow that a helper expected names that helper's flow: FTP's data connection goes
# where its control connection goes, or, in active mode (port 2121), back to where that
# comes from; TFTP answers, too.
sub check_masters {
	my ($shown, @flows) = @_;
	my %helper = (6 => 'ftp', 17 => 'tftp', 47 => 'pptp');
	my %used;

	for (values %$shown) {
		my ($tuple, $master) = ($_->{tuple}[0], $_->{master});
		my $name = join ' ', @$tuple{qw(src dst proto)};
		my $expected = grep { $_ eq 'expected' } @{$_->{status}};

		is(scalar @{$master // []}, $expected ? 1 : 0, "masters of $name");
		next unless $expected && $master;
		my @fitting = grep {
			my $answers = $_->{orig}{dport} =~ /^(2121|69)$/;
			my $from = $_->{$answers ? 'reply' : 'orig'};
			$_->{helper} eq $helper{$tuple->{proto}} &&
				$from->{src} eq $tuple->{src} &&
				$from->{dst} eq $tuple->{dst}
		} grep { $_->{helper} } @flows;
		is_deeply($master, [map { tuple_of($_, $_->{orig}) } @fitting],
			"the master of $name");
		$used{flow_line($_)}++ for @fitting;
	}
	is_deeply(\%used, { map { flow_line($_) => 1 } grep { $_->{helper} } @flows },
		'each flow with a helper is the master of one');
}

# How much longer FTP's messages become under address translation.
sub check_adjusted {
	my ($traffic, $shown, @flows) = @_;
	my %expected = (
		# "10,0,2,2" becomes "192,0,2,2"
		'ftp4-passive-dnat' => { original => 0, reply => 1 },
		# "10,0,1,2" becomes "10,0,2,100"
		'ftp4-active-snat' => { original => 2, reply => 0 },
		# "fd00:1::2" becomes "fd00:2::100", written in full by the kernel
		'ftp6-active-snat' => { original => undef, reply => 0 },
	);
	my %adjusted;

	for my $kind (sort keys %expected) {
		my ($flow) = kind_flows($kind, @flows);
		my ($entry) = grep { $_->{id} == $flow->{id} } values %$shown;
		my %offset = map { $_->{direction} => $_->{offset_after} }
			@{$entry->{seqadj}};
		$adjusted{$flow->{id}} = 1;
		for my $direction ('original', 'reply') {
			my $offset = $expected{$kind}{$direction};
			if (defined $offset) {
				is($offset{$direction}, $offset, "$kind: $direction");
			} else {
				cmp_ok($offset{$direction} // 0, '>', 0,
					"$kind: $direction");
			}
		}
	}
	check_synproxy($shown, \%adjusted, @flows);
	for my $entry (values %$shown) {
		my $flag = grep { $_ eq 'seq_adjust' } @{$entry->{status}};
		is($flag, $adjusted{$entry->{id}} ? 1 : 0,
			"seq_adjust of $entry->{id}");
		is(scalar @{$entry->{seqadj} // []}, $flag ? 2 : 0,
			"seqadj of $entry->{id}");
	}
}

sub check_synproxy {
	my ($shown, $adjusted, @flows) = @_;
	my @proxied;

	SKIP: {
		skip('no SYN proxy on this kernel', 1) unless lab_has('synproxy');
		@proxied = map { kind_flows($_, @flows) }
			'tcp4-synproxy', 'tcp6-synproxy';
		is(scalar @proxied, 2, 'there are flows of the SYN proxy');
	}
	$adjusted->{$_->{id}} = 1 for @proxied;
	my %proxied = map { $_->{id} => 1 } @proxied;
	for my $entry (values %$shown) {
		my $element = $entry->{synproxy};
		is(scalar @{$element // []}, $proxied{$entry->{id}} ? 1 : 0,
			"synproxy of $entry->{id}");
		is($element->[0]{''}, 'isn its tsoff', 'its attributes') if $element;
		cmp_ok($element->[0]{isn}, '>', 0, 'its first number') if $element;
	}
}

# States of SCTP, which conntrack(8) shows by the names of TCP's.
my %sctp_state;
@sctp_state{qw(NONE SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK
	TIME_WAIT)} = qw(NONE CLOSED COOKIE_WAIT COOKIE_ECHOED ESTABLISHED SHUTDOWN_SENT
	SHUTDOWN_RECD SHUTDOWN_ACK_SENT);

# A line of conntrack(8), without its faults, and without what passes.
sub right {
	my ($line) = @_;

	$line =~ s/<state>\K(\w+)/$sctp_state{$1}/ if $line =~ /protoname="sctp"/;
	# Ports of a protocol of which this kernel knows the number only.
	$line =~ s/<sport>0<\/sport><dport>0<\/dport>//g if $line =~ /protoname="dccp"/;
	return timeless($line);
}

# One of ours, without what conntrack(8) does not have.
sub plain {
	my ($line) = @_;

	$line =~ s/<status>.*<\/status>//;
	$line =~ s/"icmp(?:v6)?">\K<type>\d+<\/type><code>\d+<\/code><id>\d+<\/id>//g;
	return timeless($line);
}

sub timeless {
	my ($line) = @_;

	$line =~ s/<(timeout|deltatime)>\K\d+//g;
	return $line;
}

sub conntrack_xml {
	my (@lines, $columns);

	$columns = 'xml,id,ktimestamp' . (lab_has('connlabel') ? ',labels' : '');
	for my $family ('ipv4', 'ipv6') {
		my ($status, $out) = run('conntrack', '-L', '-f', $family, '-o',
			$columns);
		is($status, 0, "conntrack -f $family");
		push @lines, grep { /^<flow>/ } split /\n/, $out;
	}
	return @lines;
}

sub id_of {
	return $_[0] =~ /.*<id>(\d+)</ ? $1 : die "no id: $_[0]\n";
}

sub number_of {
	my ($name, $line) = @_;

	return $line =~ /<$name>(\d+)<\/$name>/ ? $1 : die "no $name: $line";
}

sub check_flows {
	my (%conntracks) = @_;
	my %theirs = map { id_of($_) => $_ } conntrack_xml();
	my %ours = map { id_of($_) => $_ } body_of(document('flows'));

	is_deeply([sort keys %ours], [sort keys %theirs], 'all flows are there');
	for my $id (grep { $theirs{$_} } sort keys %ours) {
		my ($ours, $theirs) = ($ours{$id}, $theirs{$id});
		is(plain($ours), right($theirs), "flow $id: as conntrack(8) has it");
		for my $name ('timeout', 'deltatime') {
			my ($mine, $other) = map { number_of($name, $_) }
				$ours, $theirs;
			cmp_ok(abs($mine - $other), '<=', 2, "flow $id: $name") or
				diag("$mine, not $other");
		}
	}
	check_additions(\%ours, values %conntracks);
}

# What conntrack(8) leaves out is as in the other dialect.
sub check_additions {
	my ($ours, @conntracks) = @_;

	for my $entry (@conntracks) {
		my $line = $ours->{$entry->{id}} // next;
		my @flags = $line =~ /<flag>(\w+)<\/flag>/g;
		my @expected = map { s/ /_/r } grep { $_ ne 'nat_mask' }
			@{$entry->{status}};
		is_deeply(\@flags, \@expected, "flow $entry->{id}: status");
		my ($start) = $line =~ /<start>(\d+)<\/start>/;
		is($start, $entry->{timestamp}[0]{start} =~ s/\.//r,
			"flow $entry->{id}: start");
		next unless $line =~ /protoname="icmp/;
		my @icmp = $line =~ /<type>(\d+)<\/type><code>(\d+)<\/code><id>(\d+)</;
		is_deeply(\@icmp, [@{$entry->{tuple}[0]}{qw(type code icmpid)}],
			"flow $entry->{id}: ICMP");
	}
}

sub check_documents {
	my $udp = grep { $_->{proto} eq 'udp' } conntrack_flows();

	for my $dialect ('conntracks', 'flows') {
		my $some = document($dialect, '--proto', 'udp');
		is({ elements_in($dialect, $some) }->{flows}, $udp, "$dialect: UDP only");
		is_empty($dialect, '--proto', 'udp', '--proto', 17, '--orig-src',
			'203.0.113.77');
	}
	my (undef, $default) = conntap('xml', '-p', 'gre');
	like($default, qr/^<conntracks /m, 'conntracks is the default');
	my (undef, $word) = conntap('xml', '--dialect=FLOWS', '-p', 'gre');
	like($word, qr/^<conntrack /m, 'a dialect in capitals');
}

# No flow is a document, too.
sub is_empty {
	my ($dialect, @conditions) = @_;

	is_deeply([body_of(document($dialect, @conditions))], [],
		"$dialect @conditions: a document of none");
}

# Flows of before and after accounting and time-stamping were switched off.
sub check_no_accounting {
	set_sysctl("net/netfilter/nf_conntrack_$_", 0) for 'acct', 'timestamp';
	my $traffic = start_traffic();
	my $document = document('conntracks');
	my @flows = read_conntracks($document);
	cmp_ok(scalar @flows, '>', 40, 'not accounted: there are flows');
	unlike($document, qr/<counter/, 'not accounted: no counters');
	unlike($document, qr/<timestamp/, 'not time-stamped: no timestamps');
	$document = document('flows');
	unlike($document, qr/<(counters|packets|bytes)>/, 'flows: no counters');
	unlike($document, qr/<(timestamp|start|deltatime)>/, 'flows: no timestamps');
	set_sysctl("net/netfilter/nf_conntrack_$_", 1) for 'acct', 'timestamp';
}

sub check_signals {
	my $flows = 20000;

	flood('-n', $flows);
	for (['INT', 130, 'conntracks'], ['TERM', 143, 'flows']) {
		my ($signal, $expected, $dialect) = @$_;
		my %there = table_now();
		my ($job, $out, $text) = start_stalled(program('conntap'), 'xml',
			'--dialect', $dialect);
		# At its end, the kernel is asked again how many there are.
		is((run('conntrack', '-I', '-p', 'udp', '-s', '203.0.113.77', '-d',
			'203.0.113.78', '--sport', $expected, '--dport', 9, '-t', 600))[0],
			0, "$signal: one more flow");
		kill $signal, $job->{pid};
		my $document = read_rest($out, $text);
		my ($status, undef, $err) = finish($job);

		is($status, $expected, "$signal: status");
		is($job->{signal}, 0, "$signal: it exits");
		is($err, '', "$signal: nothing on stderr");
		my (undef, $totals) = is_document($dialect, $document, $signal,
			since => $job->{begun}, head => \%there, early => 1,
			totals => { count => $there{count} + 1 });
		cmp_ok($totals->{flows}, '<', $flows, "$signal: not all");
		cmp_ok($totals->{flows}, '>', 0, "$signal: but some");
	}
	check_second_signal();
}

# The first signal asks, the second one does not.
sub check_second_signal {
	my ($job, $out) = start_stalled(program('conntap'), 'xml');
	my $catches = sub {
		open my $file, '<', "/proc/$job->{pid}/status" or die "status: $!\n";
		my ($last) = map { /^SigCgt:\s*\w+(\w)$/ ? hex $1 : () } <$file>;
		return $last & 1 << 2 - 1;
	};

	ok($catches->(), 'INT is caught');
	kill INT => $job->{pid};
	wait_until('the first signal', sub { !$catches->() });
	kill INT => $job->{pid};
	finish($job);
	is($job->{signal}, 2, 'a second INT ends it at once');
}

is_empty($_) for 'conntracks', 'flows';
my $traffic = start_traffic();
check_flows(check_conntracks($traffic));
check_documents();
$traffic = undef;
run('conntrack', '-F');
check_no_accounting();
run('conntrack', '-F');
check_signals();

done_testing();
