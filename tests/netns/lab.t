#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The lab itself: every kind of its traffic is in the gateway's table, as conntrack(8)
# and /proc see it, and nothing of it is outside.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Lab;

enter_lab();

my ($snat4, $snat6) = ('10.0.2.100', 'fd00:2::100');
my ($virtual4, $virtual6) = ('192.0.2.2', '2001:db8::2');
my ($server4, $server6) = ('10.0.2.2', 'fd00:2::2');

# Kind => what its flow has; "+" what is set in its flags, "-" what is not.
my @expected = (
	'tcp4' => { family => 'ipv4', proto => 'tcp', protonum => 6, zone => 0,
		state => 'ESTABLISHED', '+' => 'ASSURED', '-' => 'UNREPLIED' },
	'tcp6' => { family => 'ipv6', proto => 'tcp', state => 'ESTABLISHED',
		'+' => 'ASSURED' },
	'tcp4-syn-sent' => { state => 'SYN_SENT',
		'+' => 'UNREPLIED', '-' => 'ASSURED' },
	'tcp6-syn-sent' => { state => 'SYN_SENT', '+' => 'UNREPLIED' },
	'tcp4-syn-recv' => { state => 'SYN_RECV', '-' => 'UNREPLIED ASSURED' },
	'tcp4-close-wait' => { state => 'CLOSE_WAIT' },
	'tcp4-time-wait' => { state => 'TIME_WAIT' },
	'tcp6-time-wait' => { state => 'TIME_WAIT' },
	'tcp4-close' => { state => 'CLOSE' },
	'udp4' => { family => 'ipv4', proto => 'udp', '-' => 'UNREPLIED' },
	'udp6' => { family => 'ipv6', proto => 'udp', '-' => 'UNREPLIED' },
	'udp4-unreplied' => { proto => 'udp', '+' => 'UNREPLIED' },
	'udp6-unreplied' => { proto => 'udp', '+' => 'UNREPLIED' },
	'udplite4' => { proto => 'udplite', family => 'ipv4', '-' => 'UNREPLIED' },
	'udplite6' => { proto => 'udplite', family => 'ipv6', '-' => 'UNREPLIED' },
	'icmp4' => { proto => 'icmp', 'orig.type' => 8, 'reply.type' => 0,
		'-' => 'UNREPLIED' },
	'icmp6' => { proto => 'icmpv6', 'orig.type' => 128, 'reply.type' => 129,
		'-' => 'UNREPLIED' },
	'icmp4-unreplied' => { proto => 'icmp', '+' => 'UNREPLIED' },
	'icmp6-unreplied' => { proto => 'icmpv6', '+' => 'UNREPLIED' },
	'sctp4' => { family => 'ipv4', proto => 'sctp', state => 'ESTABLISHED',
		'+' => 'ASSURED' },
	'sctp6' => { family => 'ipv6', proto => 'sctp', state => 'ESTABLISHED',
		'+' => 'ASSURED' },
	'sctp4-init' => { proto => 'sctp', '+' => 'UNREPLIED' },
	'tcp4-snat' => { 'reply.dst' => $snat4, '+' => 'SRC_NAT', '-' => 'DST_NAT' },
	'tcp6-snat' => { 'reply.dst' => $snat6, '+' => 'SRC_NAT', '-' => 'DST_NAT' },
	'tcp4-dnat' => { 'orig.dst' => $virtual4, 'orig.dport' => 7011,
		'reply.src' => $server4, 'reply.sport' => 7511,
		'+' => 'DST_NAT', '-' => 'SRC_NAT' },
	'tcp6-dnat' => { 'orig.dst' => $virtual6, 'orig.dport' => 7011,
		'reply.src' => $server6, 'reply.sport' => 7511,
		'+' => 'DST_NAT', '-' => 'SRC_NAT' },
	'tcp4-snat-dnat' => { 'orig.dst' => $virtual4, 'reply.src' => $server4,
		'reply.dst' => $snat4, 'reply.dport' => 17012,
		'+' => 'SRC_NAT DST_NAT' },
	'tcp6-snat-dnat' => { 'orig.dst' => $virtual6, 'reply.src' => $server6,
		'reply.dst' => $snat6, 'reply.dport' => 17012,
		'+' => 'SRC_NAT DST_NAT' },
	'udp4-snat' => { proto => 'udp', 'reply.dst' => $snat4, '+' => 'SRC_NAT' },
	'udp6-dnat' => { proto => 'udp', 'reply.src' => $server6, '+' => 'DST_NAT' },
	'tcp4-zone5' => { proto => 'tcp', zone => 5 },
	'udp4-zone5' => { proto => 'udp', zone => 5 },
	'udp6-zone5' => { family => 'ipv6', zone => 5 },
	'udp4-zone-orig7' => { zone => 0, zone_orig => 7, zone_reply => undef,
		'-' => 'UNREPLIED' },
	'udp6-zone-reply8' => { zone => 0, zone_orig => undef, zone_reply => 8,
		'-' => 'UNREPLIED' },
	'tcp4-mark' => { mark => 1 },
	'udp6-mark' => { mark => 0x2a0001 },
	'tcp4-label' => { labels => 'web' },
	'udp6-label' => { labels => 'last-one' },
	'ftp4-passive' => { helper => 'ftp', state => 'ESTABLISHED' },
	'ftp6-passive' => { helper => 'ftp', family => 'ipv6' },
	'ftp4-passive-dnat' => { helper => 'ftp', '+' => 'DST_NAT' },
	'ftp4-active-snat' => { helper => 'ftp', '+' => 'SRC_NAT' },
	'ftp6-active-snat' => { helper => 'ftp', '+' => 'SRC_NAT', family => 'ipv6' },
	'tftp4' => { helper => 'tftp', proto => 'udp' },
	'pptp4' => { helper => 'pptp', proto => 'tcp' },
	'tcp4-synproxy' => { state => 'ESTABLISHED', family => 'ipv4' },
	'tcp6-synproxy' => { state => 'ESTABLISHED', family => 'ipv6' },
);

sub value_of {
	my ($flow, $path) = @_;

	return join ',', @{$flow->{labels} // []} if $path eq 'labels';
	return $flow->{$1}{$2} if $path =~ /(.*)\.(.*)/;
	return $flow->{$path};
}

sub check_flow {
	my ($flow, $expected) = @_;

	for my $path (sort keys %$expected) {
		if ($path eq 'labels' && !lab_has('connlabel')) {
			note('no names for labels here');
		} elsif ($path =~ /^[+-]$/) {
			is(!!$flow->{flags}{$_}, $path eq '+', "$path $_")
				for split ' ', $expected->{$path};
		} else {
			is(value_of($flow, $path), $expected->{$path}, $path);
		}
	}
}

sub check_kinds {
	my ($traffic, @flows) = @_;

	for (my $i = 0; $i < @expected; $i += 2) {
		my ($kind, $expected) = @expected[$i, $i + 1];
		SKIP: {
			my $why = $traffic->{without}{$kind};
			skip("$kind: $why", 1) if $why;
			subtest $kind => sub {
				my @found = kind_flows($kind, @flows);
				is(scalar @found, 1, 'one flow');
				check_flow($found[0], $expected) if @found;
			};
		}
	}
}

# Flows without ports, and those which a helper expected.
sub check_others {
	my ($traffic, @flows) = @_;
	my @twins = kind_flows('udp4-twins', @flows);
	my @dccp = grep { $_->{protonum} == 33 } @flows;

	is_deeply([sort map { $_->{zone} } @twins], [0, 9],
		'equal tuples in two zones');
	is(scalar @dccp, 1, 'protocol 33');
	for my $family ('ipv4', 'ipv6') {
		my @same = grep { $_->{family} eq $family } @flows;
		my @other = grep { $_->{protonum} == 253 } @same;
		my @plain = grep { $_->{protonum} == 47 && hex $_->{orig}{srckey} == 0 }
			@same;
		is(scalar @other, 1, "protocol 253, $family");
		is(scalar @plain, 1, "GRE without keys, $family");
	}
	SKIP: {
		skip('no PPTP helper', 1) if $traffic->{without}{pptp4};
		my @keyed = grep { $_->{protonum} == 47 &&
				hex $_->{orig}{srckey} == 0x101 &&
				hex $_->{orig}{dstkey} == 0x202 } @flows;
		is(scalar @keyed, 1, 'GRE with the keys of PPTP');
	}
	my %expected;
	for my $flow (grep { $_->{flags}{EXPECTED} } @flows) {
		$expected{"$flow->{family} $flow->{proto}"}++;
	}
	delete $expected{'ipv4 gre'};
	is_deeply(\%expected, { 'ipv4 tcp' => 3, 'ipv6 tcp' => 2, 'ipv4 udp' => 1 },
		'flows that the helpers of FTP and TFTP expected');
}

# All that both listings have.
sub common_part {
	my ($flow) = @_;
	my %part = map { $_ => $flow->{$_} } qw(family proto protonum state orig reply
		mark zone zone_orig zone_reply);

	$part{flags} = join ' ', grep { $_ ne 'EXPECTED' } sort keys %{$flow->{flags}};
	return \%part;
}

sub check_listings {
	my ($listed, $proc) = @_;

	is_deeply([map { common_part($_) } @$listed], [map { common_part($_) } @$proc],
		'conntrack and /proc agree on all flows, with their counters');
	is(scalar(grep { !$_->{orig}{packets} } @$listed), 0,
		'all flows have counters');
	is(scalar(grep { abs(time - $_->{start}) > 60 } @$listed), 0,
		'all flows have started just now');
}

# What only the messages themselves show, by the names that record gives them.
sub check_messages {
	my $directory = File::Temp->newdir;
	my ($status, $out, $err) =
		run(program('tests/record'), $directory, program('tests/traffic'));
	is($status, 0, 'record') or diag($err);
	my @names = qw(ipv4-tcp-snat ipv4-tcp-dnat ipv6-tcp-snat-dnat
		ipv4-tcp-expected ipv4-tcp-expected-dnat ipv6-tcp-expected-dnat
		ipv4-udp-expected ipv4-tcp-helper-ftp-snat-seqadj
		ipv4-tcp-helper-ftp-dnat-seqadj ipv6-tcp-helper-ftp-snat-seqadj
		ipv4-tcp-labels ipv6-udp-labels);
	push @names, 'ipv4-gre-expected' if lab_has('pptp');
	push @names, map { "$_-tcp-seqadj-synproxy" } qw(ipv4 ipv6)
		if lab_has('synproxy');
	for my $name (@names) {
		ok(-s "$directory/$name.nl", "there is a message $name");
	}
}

# A second run of traffic in the same lab works as the first does.
check_messages();
run('conntrack', '-F');

my $traffic = start_traffic();
my @flows = conntrack_flows();
my @proc = proc_flows();
check_listings(\@flows, \@proc);
check_kinds($traffic, @flows);
check_others($traffic, @flows);

$traffic = undef;
is(scalar(grep { ($_->{state} // '') eq 'ESTABLISHED' && $_->{proto} eq 'tcp' }
		conntrack_flows()), 0, 'the traffic has ended');

done_testing();
