#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# list --format save, flush, create --load: the same flows again, also by way of
# conntrack(8).
use strict;
use warnings;

use File::Temp ();
use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Lab;

enter_lab();

my $seed = $ENV{CONNTAP_SEED} // int rand 2 ** 31;
my $line = '-A -t 600 -u SEEN_REPLY -s 192.0.2.1 -d 192.0.2.2 -r 192.0.2.2 -q 192.0.2.1 ' .
	'-p udp --sport %d --dport 53 --reply-port-src 53 --reply-port-dst %1$d';

note("CONNTAP_SEED=$seed");

sub file_of {
	my $file = File::Temp->new;

	print $file @_;
	close $file;
	return $file;
}

sub saved {
	my ($status, $out, $err) = conntap('list', '--format', 'save');

	is("$status $err", '0 ', 'save: status');
	return $out;
}

# The lines as far as they stay the same.
sub lasting {
	return [map { s/ -t \d+//r } split /\n/, $_[0]];
}

# As conntrack(8) sees it: what a line of save has.
sub traits {
	my ($flow) = @_;

	return join ' ', flow_key($flow), (map { "$_=" . ($flow->{reply}{$_} // '-') }
		qw(src dst sport dport srckey dstkey type code id)), $flow->{mark},
		$flow->{state} // '-', map { $flow->{flags}{$_} // 0 }
		qw(UNREPLIED ASSURED SRC_NAT DST_NAT);
}

sub flush {
	my ($status, $out, $err) = conntap('flush', '--yes');

	is("$status $err", '0 ', 'flush: status');
	is(table_size(), 0, 'flush: all are gone');
}

sub check_traffic {
	my $traffic = start_traffic();

	$traffic = undef;
	my $text = saved();
	my @before = conntrack_flows();
	my %timeouts = map { flow_key($_) => $_->{timeout} } @before;
	my $file = file_of($text);
	cmp_ok(scalar @before, '>', 60, 'traffic: many flows');
	for my $by ('conntap', 'stdin', 'conntrack') {
		my ($status, $out, $err) = (0, '', '');
		flush();
		if ($by eq 'conntap') {
			($status, $out, $err) = conntap('create', '--load', "$file");
		} elsif ($by eq 'stdin') {
			($status, $out, $err) = run('sh', '-c', 'exec "$0" create ' .
				'--load - <"$1"', program('conntap'), "$file");
		} else {
			($status) = run('conntrack', '-R', "$file");
		}
		is("$status $err", '0 ', "traffic, $by: status");
		is($out, 'Total: ' . @before . " connection(s) created\n",
			"traffic, $by: total") if $by ne 'conntrack';
		my @after = conntrack_flows();
		same_lines([map { traits($_) } @after], [map { traits($_) } @before],
			"traffic, $by: the same flows");
		same_lines(lasting(saved()), lasting($text), "traffic, $by: same list");
		my @other = grep { $_->{timeout} > $timeouts{flow_key($_)} ||
			$_->{timeout} < $timeouts{flow_key($_)} - 60 } @after;
		same_lines([map { flow_key($_) } @other], [],
			"traffic, $by: timeouts") or diag($other[0]{timeout});
	}
	flush();
}

sub check_many {
	flood('-n', 50000, '--seed', $seed);
	my $text = saved();
	my $file = file_of($text);

	is($text =~ tr/\n//, 50000, '50,000 flows: a line each');
	my ($status, $out) = conntap('create', '--load', "$file");
	is("$status $out",
		"0 Total: 0 connection(s) created, 50000 there already\n",
		'50,000 flows: they are there already');
	flush();
	($status, $out) = conntap('create', '--load', "$file");
	is("$status $out", "0 Total: 50000 connection(s) created\n",
		'50,000 flows: created again');
	same_lines(lasting(saved()), lasting($text), '50,000 flows: the same list');
	flush();
	($status) = run('conntrack', '-R', "$file");
	is($status, 0, '50,000 flows: conntrack -R');
	same_lines(lasting(saved()), lasting($text), '50,000 flows: by conntrack(8)');
	flush();
}

# What is no flow, what is wrong, and what stands before it.
sub check_lines {
	my @good = map { sprintf($line, $_) . "\n" } 1 .. 600;
	my ($status, $out, $err) = conntap('create', '--load', file_of(
		"\n", "# of a test\n", @good[0 .. 4], "   \n", "\t# indented\n", "\r\n",
		@good[5 .. 9], "\n"));
	is("$status $out$err", "0 Total: 10 connection(s) created\n",
		'empty lines and comments');
	is(table_size(), 10, 'empty lines and comments: the flows');
	flush();
	($status, $out, $err) = conntap('create', '--load', file_of(@good[0 .. 1],
		sprintf($line, 3)));
	is("$status $out$err", "0 Total: 3 connection(s) created\n", 'no newline at end');
	flush();
	($status, $out, $err) = conntap('create', '--load', file_of());
	is("$status $out$err", "0 Total: 0 connection(s) created\n", 'an empty file');

	for my $case (
		['no option', "-A -t 600 hello world\n"],
		['no address', sprintf("$line\n", 9) =~ s/192\.0\.2\.1/192.0.2.300/r],
		['no port', sprintf("$line\n", 9) =~ s/--sport 9/--sport 99999/r],
		['no timeout', sprintf("$line\n", 9) =~ s/-t 600 //r],
		['no value', sprintf("$line\n", 9) =~ s/ 9$//r],
		['a range', sprintf("$line\n", 9) =~ s/--sport 9/--sport 9-10/r],
		['two families', sprintf("$line\n", 9) =~ s/-d 192\.0\.2\.2/-d 2001:db8::1/r],
		['very long', '-A ' . '-t 600 ' x 2000 . "\n"]) {
		my ($name, $bad) = @$case;
		for my $before (0, 3, 256, 300) {
			($status, $out, $err) = conntap('create', '--load', file_of(
				map({ sprintf("$line\n", 1000 + $_) } 1 .. $before),
				$bad, $good[0]));
			my $number = $before + 1;
			is("$status $out", "1 Total: $before connection(s) created\n",
				"$name, line $number: what stood before it is created");
			like($err, qr/\Aconntap: \S+: line $number: [^\n]+\n\z/,
				"$name, line $number: told");
			is(table_size(), $before, "$name, line $number: no more");
			run('conntrack', '-F');
		}
	}
	# What only the kernel can refuse does not end it.
	my $none = sprintf("$line\n", 7) =~ s/-p udp.*/-p tcp/r;
	($status, $out, $err) = conntap('create', '--load', file_of($good[0], $none,
		$good[1]));
	is("$status $out", "1 Total: 2 connection(s) created, 1 refused\n", 'refused');
	like($err, qr/\Aconntap: \S+: line 2: [^\n]+\n\z/, 'refused: which');
	run('conntrack', '-F');
	refused(1, 'no-such-file', 'create', '--load', '/no-such-file');
	refused(2, 'load', 'create', '--load', '/dev/null', '-p', 'tcp');
}

check_traffic();
check_many();
check_lines();

done_testing();
