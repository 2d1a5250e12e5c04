#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conntap expect: what helpers expect, as conntrack(8) sees it, in every format.
use strict;
use warnings;

use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Expectations qw(make_master expect_port);
use Lab;

enter_lab();

my @ends = (['192.0.2.1', '192.0.2.2'], ['2001:db8::1', '2001:db8::2']);

# Masters with a helper, and of each a data connection that is expected.
sub make_expectations {
	my @made;

	for (@ends) {
		my ($src, $dst) = @$_;
		for my $sport (4001, 4002) {
			make_master($src, $dst, $sport);
			expect_port($src, $dst, $sport, $sport + 1000);
			push @made, "$src $dst 0 " . ($sport + 1000);
		}
	}
	return sort @made;
}

# "source destination sport dport" of each, by conntrack(8).
sub seen {
	my $out = join '', map { (run('conntrack', '-L', 'expect', '-f', $_))[1] }
		'ipv4', 'ipv6';

	return [sort map { /src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)/ ?
		"$1 $2 $3 $4" : () } split /\n/, $out];
}

sub expect_list {
	my ($format) = @_;
	my ($status, $out, $err) = conntap('expect', 'list', '-o', $format);

	is("$status $err", '0 ', "$format: status");
	fits_schema($format eq 'xml' ? 'conntracks' : 'flows', $out, $format)
		if $format =~ /xml|flows/;
	return $out;
}

sub check_list {
	my @made = @_;

	my @lines = split /\n/, expect_list('text');
	is(pop @lines, 'Total: ' . @made . ' expectation(s)', 'text: total');
	my @shown;
	for (@lines) {
		/^ipv[46]\ (\S+)->(\S+)\ tcp\ \*->(\d+)
			\ \(expected\ by\ ipv[46]\ (\S+)->(\S+)\ tcp\ 400[12]->21,
			\ .*timeout\ (\d+)\)$/x or diag($_), next;
		push @shown, "$1 $2 0 $3";
		is("$4 $5", "$1 $2", 'text: its master');
		cmp_ok(abs($6 - 285), '<=', 15, 'text: timeout');
	}
	is_deeply([sort @shown], \@made, 'text: these');

	my @xml = expect_list('xml') =~ /<expected\ l3protonum="\d+"
		\ src="(\S+)"\ dst="(\S+)"\ proto="6"
		\ sport="(\d+)"\ dport="(\d+)"\ \/>/gx;
	is_deeply([in_fours(@xml)], \@made, 'xml: these');
	my @flows = expect_list('flows') =~ /
		<expected><src>(.*?)<\/src><dst>(.*?)<\/dst><\/expected>.*?
		<expected><sport>(\d+)<\/sport><dport>(\d+)<\/dport><\/expected>/gx;
	is_deeply([in_fours(@flows)], \@made, 'flows: these');
	my @objects = json_lines(expect_list('json'), 'json');
	is(scalar(grep { ref $_->{expect} eq 'HASH' } @objects), scalar @made,
		'json: these');
	(undef, my $out) = conntap('expect', 'list', '-o', 'json');
	for (@made) {
		my ($src, $dst, undef, $port) = split;
		is(scalar(grep { /"\Q$src\E"/ && /"\Q$dst\E"/ && /\b$port\b/ }
			split /\n/, $out), 1, "json: $src, $port");
	}
}

sub in_fours {
	my @fours;

	push @fours, join ' ', splice @_, 0, 4 while @_;
	return sort @fours;
}

sub check_flush {
	refused(2, '--yes', 'expect', 'flush');
	is(scalar @{seen()}, 4, 'flush: not yet');
	my ($status, $out, $err) = conntap('expect', 'flush', '--yes');
	is("$status $out$err", '0 ', 'flush: status');
	is_deeply(seen(), [], 'flush: they are gone');
	is(table_size(), 4, 'flush: their masters are not');
	($status, $out, $err) = conntap('expect', 'list');
	is("$status $out$err", "0 Total: 0 expectation(s)\n", 'flush: list');
	($status, $out, $err) = conntap('expect', 'list', '-o', 'json');
	is("$status $out$err", '0 ', 'none: json');
	fits_schema('conntracks', expect_list('xml'), 'none');
	fits_schema('flows', expect_list('flows'), 'none');
	run('conntrack', '-F');
}

# What describes one expectation chooses nothing among all: it is refused, and what asks
# for all of them does nothing.
sub check_options {
	my $before = seen();
	my @tuple = (['tuple-src', '192.0.2.1'], ['tuple-dst', '192.0.2.2'],
		['tuple-port-src', 0], ['tuple-port-dst', 5001]);
	my @create = (['mask-src', '255.0.0.0'], ['mask-dst', '255.0.0.0'],
		['mask-port-src', 1], ['mask-port-dst', 1], ['nat-addr', '192.0.2.9'],
		['nat-port', 7], ['nat-direction', 'reply'], ['class', 0],
		['flags', 'permanent'], ['timeout', 5]);

	for (@tuple, @create) {
		my ($name, $value) = @$_;
		my $why = "--$name is for expect .*create";
		refused(2, $why, 'expect', @$_, "--$name", $value) for
			['list'], ['flush', '--yes'], ['events'];
	}
	for (@create) {
		my ($name, $value) = @$_;
		refused(2, "--$name is for expect create only", 'expect', $_, '-p', 'tcp',
			(map { ("--$_->[0]", $_->[1]) } @tuple), "--$name", $value) for
			'get', 'delete';
	}
	is_deeply(seen(), $before, 'options: all are still there');
}

# A master that is said has to be that of the expectation.
sub check_master {
	my @expected = qw(-p tcp --tuple-src 192.0.2.1 --tuple-dst 192.0.2.2
		--tuple-port-dst 5001);
	my @others = (['-s', '192.0.2.3'], ['-d', '192.0.2.1'], ['--sport', 4002],
		['--dport', 22], ['--helper', 'sip'], ['-w', 5],
		[qw(-s 192.0.2.1 -d 192.0.2.2 --sport 4002 --dport 21)]);
	my @these = ([], ['-s', '192.0.2.1'], ['--helper', 'ftp'], ['-w', 0], ['-f', 'ipv4'],
		[qw(-s 192.0.2.1 -d 192.0.2.2 --sport 4001 --dport 21 --helper ftp)]);
	my $before = seen();

	for my $other (@others) {
		refused(1, 'not found', 'expect', $_, @expected, @$other) for 'get', 'delete';
	}
	for my $unknown (['--mark', 0], ['--state', 'ESTABLISHED'], ['-u', 'assured'],
		['-r', '192.0.2.2'], ['--reply-src-port', 21], ['--orig-zone', 0],
		['--label', 3]) {
		refused(2, 'of the master', 'expect', $_, @expected, @$unknown) for
			'get', 'delete';
	}
	is_deeply(seen(), $before, 'masters: all are still there');
	for (@these) {
		my ($status, $out, $err) = conntap('expect', 'get', @expected, @$_);
		is("$status $err", '0 ', "get, of @$_: status");
		like($out, qr/\A\S+ 192\.0\.2\.1->192\.0\.2\.2 tcp \*->5001 [^\n]*\nTotal: 1 /,
			"get, of @$_");
	}
	is_deeply([conntap('expect', 'delete', @expected, @{$these[-1]})], [0, '', ''],
		'delete, of its master');
	is_deeply(seen(), [grep { !/^192.* 5001$/ } @$before], 'that one is gone');
	expect_port('192.0.2.1', '192.0.2.2', 4001, 5001);
	is_deeply(seen(), $before, 'and there again');
}

sub check_events {
	my $job = start_listening({}, 0x38, program('conntap'), 'expect', 'events');
	my $count = start_listening({}, 0x38, program('conntap'), 'expect', 'events',
		'--count', 2, '-o', 'json');
	# Created, found, deleted; twice and absent are told apart.
# Addresses of the other family, and parts that mean nothing without another.
sub check_nonsense {
	my @create = @_;
	my @src = ('--tuple-src', '192.0.2.2');
	my @dst = ('--tuple-dst', '192.0.2.1');
	my $families = 'IPv4 and IPv6';
	my @cases = (
		[$families, '--tuple-src', '2001:db8::1', @dst],
		[$families, @src, '--tuple-dst', '2001:db8::1'],
		[$families, '--tuple-src', '2001:db8::2', '--tuple-dst', '2001:db8::1'],
		[$families, @src, @dst, '--mask-src', 'ffff::'],
		[$families, @src, @dst, '--mask-src', '255.0.0.0', '--mask-dst', 'ffff::'],
		[$families, @src, @dst, '--nat-addr', '2001:db8::9'],
		['contradicts', @src, @dst, '-f', 'ipv6'],
		['of the master', @src, @dst, '--mark', 7],
		['nat-addr', @src, @dst, '--nat-port', 55],
		['nat-addr', @src, @dst, '--nat-direction', 'reply'],
		['nat-addr', @src, @dst, '--nat-port', 55, '--nat-direction', 'reply'],
	);

	for (@cases) {
		my ($why, @words) = @$_;
		refused(2, $why, 'expect', @create, @words, '--tuple-port-dst', 4000);
	}
	is_deeply(seen(), [], 'nonsense: nothing is expected');
}

sub check_change {
	my @master = qw(-p tcp -s 192.0.2.1 -d 192.0.2.2 --sport 10 --dport 21);
	my @expected = qw(-p tcp --tuple-src 192.0.2.2 --tuple-dst 192.0.2.1
		--tuple-port-dst 4000);
	my @create = ('create', @master, @expected[2 .. $#expected], qw(--helper ftp
		--flags permanent --nat-addr 192.0.2.9 --nat-port 77
		--nat-direction reply));

	refused(1, 'not found', 'expect', @create);
	my ($status) = conntap('create', @master, qw(--state ESTABLISHED --helper ftp));
	is($status, 0, 'a master');
	check_nonsense('create', @master, '--helper', 'ftp');
	is_deeply([conntap('expect', @create)], [0, '', ''], 'create');
	refused(3, 'exists', 'expect', @create);
	my (undef, $listed) = run('conntrack', '-L', 'expect');
	like($listed, qr/dst=192\.0\.2\.1 sport=0 dport=4000 .*PERMANENT.*helper=ftp/,
		'as conntrack(8) sees it');
	my ($found, $out) = conntap('expect', 'get', @expected, '-o', 'xml');
	is($found, 0, 'get');
	like($out, qr/<nat direction="reply" .*src="192\.0\.2\.9" .*sport="77"/,
		'with its translation');
	is_deeply([conntap('expect', 'delete', @expected)], [0, '', ''], 'delete');
	refused(1, 'not found', 'expect', $_, @expected) for 'get', 'delete';
	refused(2, 'what is expected', 'expect', 'delete', @master);
	run('conntrack', '-F');
}

my @made = make_expectations();

	conntap('expect', 'flush', '--yes');
	wait_until('the last expectation', sub {
		4 == (() = so_far($job) =~ /^\[DESTROY\]/mg) });
	my ($status, $out, $err) = interrupt($job);
	is("$status $err", '0 ', 'events: status');
	is(scalar(() = $out =~ /^\[NEW\] expectation /mg), 4, 'events: new');
	is(scalar(() = $out =~ /^\[DESTROY\] expectation /mg), 4, 'events: gone');
	like($out, qr/^Total: 8 event\(s\)\n\z/m, 'events: total');
	($status, $out, $err) = finish($count);
	is("$status $err", '0 ', 'events --count 2: status');
	is(scalar json_lines($out, 'events --count 2'), 2, 'events --count 2');
	run('conntrack', '-F');
}

# A data connection of the lab's: it is expected, comes, and is expected no more.
sub check_traffic {
	my $job = start_listening({}, 0x38, program('conntap'), 'expect', 'events');
	my $traffic = start_traffic('ftp4-passive');

	wait_until('the data connection', sub { so_far($job) =~ /^\[DESTROY\]/m });
	my ($status, $out) = interrupt($job);
	my $expected = 'expectation ipv4 10.0.1.2->10.0.2.2 tcp *->';
	like($out, qr/\A\[NEW\]\ \Q$expected\E(\d+)\ [^\n]*helper\ ftp[^\n]*\n
		\[DESTROY\]\ \Q$expected\E\1\ [^\n]*\n
		Total:\ 2\ event\(s\)\n\z/x,
		'a data connection');
	$traffic = undef;
	run('conntrack', '-F');
}

my @made = make_expectations();
is_deeply(seen(), \@made, 'conntrack(8) sees them');
check_list(@made);
check_options();
check_master();
check_flush();
check_events();
check_traffic();
check_change();
refused(2, $_->[0], 'expect', @{$_->[1]}) for ['list', []], ['list', ['lits']],
	['', ['list', 'more']], ['', ['list', '-p', 'tcp']], ['', ['list', '--yes', '--dry-run']],
	['', ['events', '-e', 'new']];

done_testing();
