# SPDX-License-Identifier: GPL-2.0-or-later
#
# Expectations, for tests in the network of lab.sh:
#
#	make_master($src, $dst, $sport);	# a flow of FTP's, with the helper
#	expect_port($src, $dst, $sport, $port);	# its data connection to that port
#	my @expected = conntrack_expectations();
#
# An expectation of conntrack(8) is a hash: family, protonum, timeout, src, dst, sport,
# dport, and with these names hashes mask and master; class, helper.
package Expectations;

use strict;
use warnings;

use Exporter qw(import);
use Socket qw(AF_INET AF_INET6 SOCK_RAW inet_pton);

use Lab;

our @EXPORT = qw(make_master expect_port conntrack_expectations);

sub make_master {
	my ($src, $dst, $sport) = @_;
	my ($status, undef, $err) = conntap('create', '-p', 'tcp', '-s', $src, '-d',
		$dst,
		'--sport', $sport, '--dport', 21, '--state', 'established', '--helper',
		'ftp', '-t', 600);

	die "create: $err\n" if $status;
}

sub attribute {
	my ($type, $value) = @_;
	my $length = 4 + length $value;

	return pack('SS', $length, $type) . $value . "\0" x (-$length & 3);
}

# An address or a mask with ports, as netlink has it (CTA_TUPLE_IP, CTA_TUPLE_PROTO).
sub tuple {
	my ($type, $src, $dst, $sport, $dport) = @_;
	my $v6 = $src =~ /:/;
	my ($from, $to) = map { inet_pton($v6 ? AF_INET6 : AF_INET, $_) } $src, $dst;

	return attribute(0x8000 | $type,
		attribute(0x8001, attribute($v6 ? 3 : 1, $from) .
			attribute($v6 ? 4 : 2, $to)) .
		attribute(0x8002, attribute(1, pack 'C', 6) .
			attribute(2, pack 'n', $sport) .
			attribute(3, pack 'n', $dport)));
}

# conntrack(8) cannot: its expectations are of random protocols.
sub expect_port {
	my ($src, $dst, $sport, $port) = @_;
	my $v6 = $src =~ /:/;
	# Of the source's neighbours too: the kernel keeps this mask only.
	my ($near, $mask) = $v6 ? ('ffff:ffff:ffff:ffff::', join ':', ('ffff') x 8) :
		('255.255.255.0', '255.255.255.255');
	my $message = pack('CCn', $v6 ? AF_INET6 : AF_INET, 0, 0) .
		tuple(1, $src, $dst, $sport, 21) .
		tuple(2, $src, $dst, 0, $port) .
		tuple(3, $near, $mask, 0, 0xffff) .
		attribute(4, pack 'N', 300) . attribute(6, "ftp\0");

	# NETLINK_NETFILTER; NEW of expectations; request, answer, create, but not
	# again.
	socket my $netlink, 16, SOCK_RAW, 12 or die "netlink: $!\n";
	send $netlink, pack('LSSLL', 16 + length $message, 0x200, 0x605, 1, 0) .
		$message,
		0 or die "netlink: $!\n";
	recv $netlink, my $answer, 4096, 0;
	$! = -unpack 'x16 l', $answer;
	die "cannot make an expectation: $!\n" if $! != 0;
}

# 299 proto=6 src=... dst=... sport=0 dport=5001 mask-src=... mask-dst=...
# sport=0 dport=65535 master-src=... master-dst=... sport=4001 dport=21 class=0
# helper=ftp
sub parse_expectation {
	my ($line) = @_;
	my ($timeout) = $line =~ /^(\d+) .*proto/ or die "not an expectation: $line\n";
	my %expected = (timeout => $timeout, mask => {}, master => {});
	my $of = \%expected;

	for my $pair ($line =~ /([\w-]+=\S+)/g) {
		my ($key, $value) = split /=/, $pair;
		$of = $expected{$1} if $key =~ s/^(mask|master)-//;
		$of = \%expected if $key =~ /^(?:class|helper)$/;
		$of->{$key eq 'proto' ? 'protonum' : $key} = $value;
	}
	$expected{family} = $expected{src} =~ /:/ ? 'ipv6' : 'ipv4';
	return \%expected;
}

sub conntrack_expectations {
	my @lines;

	for my $family ('ipv4', 'ipv6') {
		my ($status, $out, $err) = run('conntrack', '-L', 'expect', '-f',
			$family);
		die "conntrack -L expect: $err\n" if $status;
		push @lines, grep { /master-src=/ } split /\n/, $out;
	}
	return map { parse_expectation($_) } @lines;
}

1;
