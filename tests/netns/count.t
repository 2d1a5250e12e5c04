#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conntap count: the number that conntrack(8) has, and the number of list's lines.
use strict;
use warnings;

use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Lab;

enter_lab();

sub check_count {
	my ($name, $expected, @arguments) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply([conntap('count', @arguments)], [0, "$expected\n", ''], $name);
}

# With -v the limit, and how much of it that is.
sub check_verbose {
	my ($count) = @_;
	my $max = setting('nf_conntrack_max');
	my $expected = sprintf '%d of %d (%.1f %%)', $count, $max, 100 * $count / $max;

	for my $words ('count -v', '-v count', 'count --verbose') {
		is_deeply([conntap(split ' ', $words)], [0, "$expected\n", ''], $words);
	}
	my $tcp = grep { $_->{proto} eq 'tcp' } conntrack_flows();
	$expected = sprintf '%d of %d (%.1f %%)', $tcp, $max, 100 * $tcp / $max;
	is_deeply([conntap('count', '-v', '-p', 'tcp')], [0, "$expected\n", ''],
		'count -v with a condition');
}

# Each namespace has the limit for itself, so it says nothing of their sum.
sub check_several {
	my @names = qw(one two);

	for my $name (@names) {
		must('ip', 'netns', 'add', $name);
		insert_flows($name, 1000, 3);
	}
	is_deeply([conntap('count', '-v', map { ('--netns', $_) } @names)], [0, "6\n", ''],
		'count -v of two namespaces');
	is_deeply([conntap('count', '-v', '-p', 'udp', map { ('--netns', $_) } @names)],
		[0, "6\n", ''], 'count -v of two namespaces, with a condition');
	must('ip', 'netns', 'delete', $_) for @names;
}

sub check_conditions {
	my @flows = conntrack_flows();
	my @cases = ('--proto udp' => sub { $_->{proto} eq 'udp' },
		'--family ipv6 --state ESTABLISHED' => sub { $_->{family} eq 'ipv6' &&
			($_->{state} // '') eq 'ESTABLISHED' },
		'--any-nat' => sub { $_->{flags}{SRC_NAT} || $_->{flags}{DST_NAT} },
		'--mark 1' => sub { $_->{mark} == 1 },
		'--orig-src 203.0.113.1' => sub { 0 },
		'--max-timeout 10w' => sub { 1 });

	for (my $i = 0; $i < @cases; $i += 2) {
		my ($words, $chosen) = @cases[$i, $i + 1];
		my $expected = grep { $chosen->() } @flows;
		check_count($words, $expected, split ' ', $words);
		check_count("$words, by the kernel", $expected, split(' ', $words),
			'--kernel-filter');
		my (undef, $out) = conntap('list', split ' ', $words);
		is(scalar(() = $out =~ /^ipv[46] /mg), $expected,
			"$words: lines of list");
	}
}

# The number alone is for all to read; which flows there are is not.
sub check_nobody {
	my ($count) = @_;
	my @nobody = qw(setpriv --reuid=65534 --regid=65534 --clear-groups);

	SKIP: {
		my ($status) = run(@nobody, program('conntap'), '--version');
		skip('no other user here, or none that can read this directory', 5)
			if $status;
		is_deeply([run(@nobody, program('conntap'), 'count')],
			[0, "$count\n", ''], 'nobody counts the table');
		my ($limited, $out, $err) = run(@nobody, program('conntap'), 'count',
			'-v');
		is("$limited $err", '0 ', 'nobody asks for the limit');
		like($out, qr/^$count of \d+ \(\d+\.\d %\)\n\z/, 'and gets it');
		($status, $out, $err) = run(@nobody, program('conntap'), 'count',
			'-p', 'tcp');
		is("$status $out", '1 ', 'nobody counts no chosen flows');
		is($err, 'conntap: cannot read the connection tracking table: ' .
			'Operation not permitted: run it as root, or with ' .
			"CAP_NET_ADMIN\n", 'why');
	}
}

check_count('an empty table', 0);
check_count('an empty table, with a condition', 0, '-p', 'tcp');
my $traffic = start_traffic();
my $size = table_size();
cmp_ok($size, '>', 40, 'there are flows');
check_count('all', $size);
is($size, scalar(conntrack_flows()), 'as many as conntrack(8) lists');
check_count('all, by the kernel', $size, '--kernel-filter');
check_conditions();
check_verbose($size);
check_several();
check_nobody($size);
flood('-n', 30000);
check_count('30,000 more', $size + 30000);
check_verbose($size + 30000);
check_count('those with a mark', int((30000 + 6) / 7), '--mark', 7);

done_testing();
