#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# --netns: each command works in the namespaces that are named, and only there.
use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(time);

use lib $FindBin::Bin;
use Documents;
use Lab;

enter_lab();

my %port = (one => 1001, two => 1002, gateway => 1000);

sub in {
	my ($netns, @command) = @_;

	return run('ip', 'netns', 'exec', $netns, @command);
}

# A flow of IPv4 and one of IPv6 in each of them, with ports of its own.
sub fill {
	for my $netns (sort keys %port) {
		in($netns, 'conntrack', '-F');
		for my $ends (['192.0.2.1', '192.0.2.2'], ['2001:db8::1', '2001:db8::2']) {
			my ($status, undef, $err) = in($netns, 'conntrack', '-I', '-p',
				'udp', '-s', $ends->[0], '-d', $ends->[1], '--sport',
				$port{$netns}, '--dport', 53, '-t', 600, '-m', 1);
			die "conntrack -I: $err\n" if $status;
		}
	}
}

# "one 1001 1" (namespace, port, mark) for every flow, as conntrack(8) sees it.
sub seen {
	my @seen;

	for my $netns (sort keys %port) {
		for my $family ('ipv4', 'ipv6') {
			my (undef, $out) = in($netns, 'conntrack', '-L', '-f', $family,
				'-o', 'extended');
			push @seen, map { my $flow = parse_flow($_);
				"$netns $flow->{orig}{sport} $flow->{mark}" }
				split /\n/, $out;
		}
	}
	return [sort @seen];
}

sub lines_of {
	return map { ("$_: ipv4 192.0.2.1->192.0.2.2 udp $port{$_}->53",
		"$_: ipv6 2001:db8::1->2001:db8::2 udp $port{$_}->53") } @_;
}

my %dialects = (xml => 'conntracks', flows => 'flows');

# Whose the flows of a text are.
sub shown_in {
	my ($format, $text) = @_;
	my $flow = $format eq 'xml' ? qr/^ {3}<conntrack/m : qr/^<flow/m;

	return map { $_->{netns} // '?' } json_lines($text, $format)
		if $format eq 'json';
	return $text =~ /$flow\b[^>]* netns="([^"]*)"/g;
}

# What a document of these namespaces says of them; of a single one, also its name.
sub table_here {
	my @where = grep { $_ ne '--netns' } @_;

	@where = map { m{([^/]+)\z} } glob '/run/netns/*' if "@where" eq 'all';
	return (table_now(@where), @where == 1 ? (netns => $where[0]) : ());
}

# Both of them in every format.
sub check_show {
	my ($name, $expected, @where) = @_;
	my @names = sort map { ($_, $_) } @$expected;
	my %there = table_here(@where);
	my $since = time;
	my ($status, $out, $err) = conntap('list', @where);

	is("$status $err", '0 ', "$name, text: status");
	same_lines([split /\n/, $out], [lines_of(@$expected),
		'Total: ' . @names . ' connection(s)'], "$name, text");
	for my $format ('xml', 'flows', 'json') {
		($status, $out, $err) = conntap('list', @where, '-o', $format);
		is("$status $err", '0 ', "$name, $format: status");
		is_document($dialects{$format}, $out, "$name, $format", since => $since,
			head => \%there, totals => { count => $there{count} })
			if $format ne 'json';
		is_deeply([sort(shown_in($format, $out))], \@names,
			"$name, $format: whose they are");
	}
	($status, $out, $err) = conntap('xml', @where);
	is_document('conntracks', $out, "$name, xml", since => $since, head => \%there,
		totals => { count => $there{count} });
	($status, $out, $err) = conntap('count', @where, '-p', 'udp');
	is($status, 0, "$name: count");
	my $sum = 0;
	$sum += $1 while $out =~ /(\d+)(?: |$)/mg;
	cmp_ok($sum, '>=', scalar @names, "$name: count: the number") or diag($out);
	# A line of save cannot tell whose it is.
	return refused(2, 'save', 'list', @where, '-o', 'save') if @$expected > 1;
	($status, $out, $err) = conntap('list', @where, '-o', 'save');
	is($out =~ tr/\n//, @names, "$name, save: a line each");
}

sub check_changes {
	my @none = ('gateway 1000 1') x 2;
	my @both = ('--netns', 'one', '--netns', 'two');
	my ($status, $out, $err) = conntap('update', '--netns', 'one', '-p', 'udp',
		'--set-mark', 7);
	is("$status $out$err", "0 Total: 2 connection(s) updated\n", 'update in one');
	is_deeply(seen(), [@none, ('one 1001 7') x 2, ('two 1002 1') x 2],
		'update in one: only there');
	($status, $out, $err) = conntap('update', @both, '-f', 'ipv6', '--set-mark', 9);
	is("$status $out$err", "0 Total: 2 connection(s) updated\n", 'update in both');
	is_deeply(seen(), [@none, 'one 1001 7', 'one 1001 9', 'two 1002 1',
		'two 1002 9'], 'update in both: only there');
	($status, $out, $err) = conntap('delete', '--netns', 'two', '-p', 'udp', '-f',
		'ipv4');
	is("$status $err", '0 ', 'delete in two: status');
	is_deeply(seen(), [@none, 'one 1001 7', 'one 1001 9', 'two 1002 9'],
		'delete in two: only there');
	($status, $out, $err) = conntap('delete', @both, '--mark', 9);
	is("$status $err", '0 ', 'delete in both: status');
	is_deeply(seen(), [@none, 'one 1001 7'], 'delete in both: only there');
	($status, $out, $err) = conntap('create', @both, '-p', 'udp', '-s', '192.0.2.5',
		'-d', '192.0.2.6', '--sport', 5, '--dport', 6);
	is("$status $out$err", '0 ', 'create in both');
	is_deeply(seen(), [@none, 'one 1001 7', 'one 5 0', 'two 5 0'], 'create in both');
	($status, $out) = conntap('get', @both, '-p', 'udp', '-s', '192.0.2.5',
		'-d', '192.0.2.6', '--sport', 5, '--dport', 6);
	is("$status $out", "0 one: ipv4 192.0.2.5->192.0.2.6 udp 5->6\n" .
		"two: ipv4 192.0.2.5->192.0.2.6 udp 5->6\nTotal: 2 connection(s)\n",
		'get in both');
	($status, $out, $err) = conntap('flush', '--netns', 'one', '--yes');
	is("$status $out$err", '0 ', 'flush one');
	is_deeply(seen(), [@none, 'two 5 0'], 'flush one: only there');
	($status, $out, $err) = conntap('expect', 'list', @both);
	is("$status $out$err", "0 Total: 0 expectation(s)\n", 'expect list in both');
}

# One that is missing does not keep the others waiting.
sub check_missing {
	my @where = ('--netns', 'one', '--netns', 'nowhere', '--netns', 'two');
	my $why = qr/\Aconntap: [^\n]*nowhere[^\n]*no such namespace[^\n]*\n\z/;

	fill();
	for my $format ('text', 'xml', 'flows', 'json') {
		my $since = time;
		my ($status, $out, $err) = conntap('list', @where, '-o', $format);
		is($status, 1, "missing: list, $format: status");
		like($err, $why, "missing: list, $format: why");
		is(scalar(() = $out =~ /\b(?:one|two)\b/g), 4,
			"missing: list, $format: the others are shown");
		# Nothing is known of all of them together.
		is_document($dialects{$format}, $out, "missing: $format",
			since => $since, early => 1) if $dialects{$format};
	}
	my ($status, $out, $err) = conntap('update', @where, '-p', 'udp', '--set-mark', 3);
	is("$status $out", "1 Total: 4 connection(s) updated\n", 'missing: update');
	like($err, $why, 'missing: update: why');
	($status, $out, $err) = conntap('delete', @where, '-f', 'ipv4', '-p', 'udp');
	is($status, 1, 'missing: delete: status');
	like($out, qr/^Total: 2 connection\(s\) deleted$/m, 'missing: delete: others');
	($status, $out, $err) = conntap('flush', '--yes', @where);
	is($status, 1, 'missing: flush: status');
	like($err, $why, 'missing: flush: why');
	is_deeply(seen(), [('gateway 1000 1') x 2], 'missing: the others were flushed');
	refused(1, 'nowhere', 'list', '--netns', 'nowhere');
	refused(1, 'nowhere', 'events', '--netns', 'nowhere', '--for', '1s');
	refused(1, 'nowhere', 'get', '--netns', 'nowhere', '-p', 'udp', '-s', '192.0.2.1',
		'-d', '192.0.2.2', '--sport', 1, '--dport', 2);
}

# Events of two, and of no other.
sub check_events {
	for my $format ('text', 'json', 'xml', 'flows') {
		in($_, 'conntrack', '-F') for sort keys %port;
		my $job = start({}, program('conntap'), 'events', '--netns', 'one', '--netns',
			'two', '-v', '-o', $format, '-e', 'new,destroy', '--count', 8);
		wait_until('both subscriptions', sub {
			2 == (() = so_far($job, 'stderr') =~ /a buffer of/g) });
		fill();
		# The second of a namespace ends after the first has begun.
		in($_, 'conntrack', '-F') for sort keys %port;
		my ($status, $out) = finish($job);
		is($status, 0, "events, $format: status");
		if ($format eq 'json') {
			my @objects = json_lines($out, 'events');
			is(join(' ', sort map { "$_->{netns}=$_->{event}" } @objects),
				join(' ', map { (("$_=destroy") x 2, ("$_=new") x 2) }
				'one', 'two'), 'events, json: whose they are');
			next;
		}
		if ($dialects{$format}) {
			is_document($dialects{$format}, $out, "events, $format",
				since => $job->{begun}, subject => 'events',
				netns => ['one', 'two']);
			is_deeply([sort(shown_in($format, $out))],
				[('one') x 4, ('two') x 4],
				"events, $format: whose they are");
			next;
		}
		my @lines = map { s/ \[packets.*//r } split /\n/, $out;
		same_lines(\@lines, [map({ my ($line) = $_; map { $line =~ s/: /: [$_] /r }
			'NEW', 'DESTROY' } lines_of('one', 'two')), 'Total: 8 event(s)'],
			'events, text: whose they are');
	}
}

run('ip', 'netns', 'add', $_) for 'one', 'two';
fill();
check_show('two', ['one', 'two'], '--netns', 'one', '--netns', 'two');
check_show('one', ['one'], '--netns', 'one');
check_show('a path', ['/run/netns/two'], '--netns', '/run/netns/two')
	if $port{'/run/netns/two'} = $port{two};
delete $port{'/run/netns/two'};
check_show('all', ['one', 'two', 'gateway'], '--netns', 'all');
is_deeply(seen(), [('gateway 1000 1') x 2, ('one 1001 1') x 2, ('two 1002 1') x 2],
	'looking changes nothing');
check_changes();
check_missing();
check_events();

done_testing();
