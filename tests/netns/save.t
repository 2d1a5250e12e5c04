#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# list --format save, flush, create --load: the same flows again, also by way of
# conntrack(8).
use strict;
use warnings;

use File::Temp ();
use FindBin;
use POSIX ();
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
		['a reply of the other family', sprintf("$line\n", 9) =~
			s/-r \S+ -q \S+/-r 2001:db8::1/r],
		['translation to the other family', sprintf("$line\n", 9) =~
			s/-r \S+ -q \S+/-n 2001:db8::1/r],
		['translation of the other family', sprintf("$line\n", 9) =~
			s/-q \S+/-n 2001:db8::1/r],
		['another family', sprintf("$line\n", 9) =~ s/-p/-f ipv6 -p/r],
		['no port of translation', sprintf("$line\n", 9) =~
			s/-q \S+/-n 192.0.2.9:99999/r],
		['a word for it', sprintf("$line\n", 9) =~ s/-q \S+/-n 192.0.2.9:abc/r],
		['nothing for it', sprintf("$line\n", 9) =~ s/-q \S+/-n 192.0.2.9:/r],
		['two ports of translation', sprintf("$line\n", 9) =~
			s/-q \S+/-n 192.0.2.9:10/r],
		['half a bracket', sprintf("$line\n", 9) =~ s/-q \S+/-n [2001:db8::1:9/r],
		['ports of GRE', sprintf("$line\n", 9) =~ s/-p udp/-p gre/r],
		['a key of UDP', sprintf("$line\n", 9) =~ s/--sport/--srckey/r],
		['two sources', sprintf("$line\n", 9) =~ s/-s/-s 192.0.2.7 -s/r],
		['no role', sprintf("$line\n", 9) =~ s/-p udp/-p dccp --role xyz/r],
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

# Ports of a translation behind its address, and a line for each namespace.
sub check_translation {
	my $one = sprintf("$line\n", 9) =~ s/-q \S+(.*) 9$/-n 192.0.2.9:99$1 99/r;
	my $both = '-A -t 600 -s 2001:db8::1 -d 2001:db8::2 -g [2001:db8::3]:81 ' .
		"-n [2001:db8::4]:99 -p tcp --state ESTABLISHED --sport 1 --dport 2\n";
	# What has been changed without address translation, as by IPVS.
	my $plain = sprintf("$line\n", 10) =~ s/-r \S+/-r 192.0.2.7/r;
	my ($status, $out, $err) = conntap('create', '--load', file_of($one, $both, $plain));

	is("$status $out$err", "0 Total: 3 connection(s) created\n", 'translation: status');
	is_deeply([sort map { join ' ', @{$_->{reply}}{qw(src dst sport dport)} }
		conntrack_flows()], ['192.0.2.2 192.0.2.9 53 99', '192.0.2.7 192.0.2.1 53 10',
		'2001:db8::3 2001:db8::4 81 99'], 'translation: the replies');
	run('conntrack', '-F');
}

# What is at its end after the first of several namespaces is refused; a file is not.
sub check_namespaces {
	my @names = ('one', 'two');
	my @netns = map { ('--netns', $_) } @names;
	my $file = file_of(map { sprintf("$line\n", $_) } 1 .. 5);
	my $sizes = sub { join ' ', map { (run(program('conntap'), 'count', '--netns', $_))[1]
		=~ s/\n//r } @names };
	my $load = 'exec "$0" create --load';
	my $pipe = sub { run('sh', '-c', "cat \"\$1\" | (shift; $_[0])", program('conntap'),
		"$file", @_[1 .. $#_]) };

	must('ip', 'netns', 'add', $_) for @names;
	my $empty = $sizes->();
	for my $name ('-', '/dev/stdin', '/proc/self/fd/0') {
		my ($status, $out, $err) = $pipe->("$load $name \"\$@\"", @netns);
		is("$status $out", '2 ', "$name, two namespaces: refused");
		like($err, qr/\Aconntap: --load \Q$name\E: [^\n]*only once[^\n]*\n\z/,
			"$name, two namespaces: why");
	}
	POSIX::mkfifo("$file.fifo", 0600) or die "mkfifo: $!\n";
	refused(2, 'only once', 'create', '--load', "$file.fifo", @netns);
	unlink "$file.fifo";
	is($sizes->(), $empty, 'nothing was created');
	my ($status, $out, $err) = $pipe->("$load - \"\$@\"", '--netns', 'one');
	is("$status $out$err", "0 Total: 5 connection(s) created\n", 'a pipe, one namespace');
	($status, $out, $err) = conntap('create', '--load', "$file", @netns);
	is("$status $out$err", "0 Total: 0 connection(s) created, 5 there already\n" .
		"Total: 5 connection(s) created\n", 'a file, two namespaces');
	run('ip', 'netns', 'del', $_) for @names;
}

check_traffic();
check_many();
check_lines();
check_translation();
check_namespaces();

done_testing();
