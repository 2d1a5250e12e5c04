#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A table that changes all the time: the flows that stay are in every list, once.
use strict;
use warnings;

use FindBin;
use POSIX qw(_exit);
use Test::More;

use lib $FindBin::Bin;
use Lab;

enter_lab();

my $lists = 10;
my $stable = 20000;
# Bounds what the other process does when nobody stops it.
my $rounds_max = 400;

# Makes flows and deletes them again, all with the mark that no stable flow has, until
# its input ends; prints a line for each round.
sub churn {
	my ($in, $out) = @_;
	my $ready = '';

	vec($ready, fileno $in, 1) = 1;
	for my $round (1 .. $rounds_max) {
		flood('-f', 7000000, '-n', 70000, '--step', 7);
		my ($status, $text, $err) = conntap('delete', '--quiet', '--mark', 7);
		$text =~ /^Total: 10000 connection\(s\) deleted$/m && $status == 0
			or $text = "round $round: $status $text$err";
		syswrite $out, $text;
		last if select my $now = $ready, undef, undef, 0;
	}
	_exit(0);
}

# Every 7th carries mark 7; those go.
flood('-n', int($stable * 7 / 6) + 1);
conntap('delete', '--quiet', '--mark', 7);
my @expected = map { flow_line($_) } proc_flows();
is(scalar @expected, $stable, 'there are so many stable flows');
my %stable;
$stable{$_}++ for @expected;

pipe my $child_in, my $in or die "pipe: $!\n";
pipe my $out, my $child_out or die "pipe: $!\n";
my $pid = fork // die "fork: $!\n";
if ($pid == 0) {
	close $in;
	churn($child_in, $child_out);
}
close $child_out;
sysread $out, my $text, 4096 or die "no first round\n";

my ($repeated, $others) = (0, 0);
for my $run (1 .. $lists) {
	my ($status, $listed, $err) = conntap('list', '-v');
	my @lines = split /\n/, $listed;

	is($status, 0, "list $run: status");
	is(pop @lines, 'Total: ' . @lines . ' connection(s)', "list $run: total");
	my @found = grep { $stable{$_} } @lines;
	same_lines(\@found, \@expected, "list $run: every stable flow, once");
	$others += @lines - @found;
	$repeated += $1 if $err =~ s/^conntap: (\d+) flows were sent twice .*\n//;
	is($err, '', "list $run: nothing else on stderr");
}
close $in;
$text = read_rest($out, $text);
waitpid $pid, 0;
my @rounds = split /\n/, $text;
cmp_ok(scalar @rounds, '>', 2, 'meanwhile the table changed');
cmp_ok($others, '>', 0, 'and the lists show it');
is(scalar(grep { !/^Total: 10000 / } @rounds), 0, 'what was made was deleted')
	or diag("@rounds");
note(scalar @rounds, " rounds, $others other flows seen, $repeated sent twice");

done_testing();
