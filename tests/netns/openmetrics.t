#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# OpenMetrics.pm, which tests rely on: what it takes, and what it refuses.
use strict;
use warnings;

use FindBin;
use Test::More;

use lib $FindBin::Bin;
use OpenMetrics;

my $well = <<'END';
# HELP a_flows How \"many\", \\ and \n
# TYPE a_flows gauge
a_flows{zone="5",name="a\"b\\c\nd"} 7
a_flows{zone="6",name=""} +1.5e-3
a_flows{} -Inf
# TYPE b counter
# HELP b Counted
b_total{cpu="0"} 0
b_total{cpu="1"} 18446744073709551615
# TYPE c_bytes gauge
# UNIT c_bytes bytes
# HELP c_bytes Bytes
c_bytes .5
# HELP d What
# TYPE d info
d_info{version="{1} 2"} 1
# EOF
END

# A change that makes it wrong => why it is.
my @broken = (
	['# EOF\n' => ''] => 'no "# EOF" at the end',
	['# EOF\n' => '# EOF\n\n'] => 'no "# EOF" at the end',
	['# EOF\n' => '# EOF\n# EOF\n'] => 'neither HELP nor TYPE nor UNIT',
	['# EOF\n' => '# EOF\nd_info 1\n'] => 'no "# EOF" at the end',
	['1\n# EOF' => '1# EOF'] => 'no "# EOF" at the end',
	['# HELP b' => '\n# HELP b'] => 'line 7: an empty line',
	['\A' => '\n'] => 'line 1: an empty line',
	['# TYPE b' => '# A remark\n# TYPE b'] => 'neither HELP nor TYPE nor UNIT',
	['# TYPE b counter\n' => ''] => 'b has no TYPE',
	['# HELP b Counted\n' => ''] => 'b has no HELP',
	['# HELP b Counted\n' => '# HELP b \n'] => 'no HELP of b',
	['# HELP b Counted' => '# HELP b A \t'] => 'HELP of b has a bad escape',
	['# HELP b Counted\n' => '# HELP b Counted\n# HELP b Counted\n'] =>
		'HELP of b, again',
	['# HELP b Counted\n(b_total.*\n)' => '$1# HELP b Counted\n'] =>
		'HELP of b behind its samples',
	['(# UNIT .*\n)(# HELP .*\nc_bytes .*\n)' => '$2$1'] =>
		'UNIT of c_bytes behind its samples',
	['# TYPE b counter' => '# TYPE b number'] => 'b is of no type known here',
	['c_bytes bytes' => 'c_bytes seconds'] => 'c_bytes does not end in its unit',
	['# HELP d' => '# UNIT d d\n# HELP d'] => 'd does not end in its unit',
	['# HELP d W' => '# HELP a_flows\n# HELP d W'] =>
		'neither HELP nor TYPE nor UNIT',
	['# HELP d W' => '# HELP a_flows A\n# HELP d W'] => 'the family a_flows, again',
	['# HELP d W' => 'a_flows{zone="7"} 1\n# HELP d W'] =>
		'a_flows is no sample of the gauge c_bytes',
	['b_total\{cpu="0"\}' => 'b{cpu="0"}'] => 'b is no sample of the counter b',
	['\bb( |_total)' => 'b_total$1'] => 'b_total ends in what is added to names',
	['d_info' => 'd'] => 'd is no sample of the info d',
	['d_info(.*) 1' => 'd_info$1 2'] => 'is an info, but 2',
	['"0"\} 0' => '"0"} -1'] => 'is a counter, but -1',
	['"0"\} 0' => '"0"} NaN'] => 'is a counter, but NaN',
	['"0"\} 0' => '"0"} 0x10'] => 'not a sample',
	['"0"\} 0' => '"0"} 1,5'] => 'not a sample',
	['"0"\} 0' => '"0"}  0'] => 'not a sample',
	['"0"\} 0' => '"0"} 0 '] => 'not a sample',
	['"0"\} 0' => '"0"} 0\r'] => 'not a sample',
	['"0"\} 0' => '"0"}'] => 'not a sample',
	['cpu="1"' => 'cpu="0"'] => 'b_total{cpu="0"}, again',
	['cpu="1"' => 'cpu="1",cpu="2"'] => 'the label cpu, again',
	['cpu="1"' => 'cpu="1",'] => 'not a label',
	['cpu="1"' => 'cpu=1'] => 'not a label',
	['cpu="1"' => q(cpu='1')] => 'not a label',
	['cpu="1"' => 'cpu = "1"'] => 'not a label',
	['cpu="1"' => '1cpu="1"'] => 'not a label',
	['cpu="1"' => '__cpu="1"'] => 'the label __cpu is reserved',
	['cpu="1"' => 'cpu="1\t"'] => 'not a sample',
	['cpu="1"' => 'cpu="1""'] => 'not a sample',
	['b\\\\\\\\c' => 'b\\c'] => 'not a sample',
	['a_flows' => 'a-flows'] => 'neither HELP nor TYPE nor UNIT',
	['c_bytes .5' => 'c_bytes{} .5\nc_bytes 5'] => 'c_bytes, again',
	['\bc_bytes' => 'b_total_bytes_total'] => 'ends in what is added to names',
	['# HELP d W' => "# HELP d \xffW"] => 'not UTF-8',
	['# HELP d W' => "# HELP d \xed\xa0\x80W"] => 'not UTF-8',
);

# The other way round: what is put in for $1 and \n in the replacement.
sub replaced {
	my ($text, $pattern, $replacement) = @_;

	$replacement =~ s/\\([nr])/$1 eq 'n' ? "\n" : "\r"/ge;
	$text =~ s/$pattern/my @groups = (undef, $1, $2);
		$replacement =~ s{\$(\d)}{$groups[$1]}gr/ge;
	return $text;
}

my ($families, @errors) = read_openmetrics($well);

is("@errors", '', 'the checker takes what is well');
is(join(' ', map { "$_->{name}:$_->{type}:" . @{$_->{samples}} } @$families),
	'a_flows:gauge:3 b:counter:2 c_bytes:gauge:1 d:info:1', 'and reads it');
is($families->[0]{samples}[0]{labels}{name}, qq(a"b\\c\nd), 'labels, too');
is_deeply([read_openmetrics("# EOF")], [[]], 'nothing at all is well');
for (my $i = 0; $i < @broken; $i += 2) {
	my ($pattern, $replacement) = @{$broken[$i]};
	my $text = replaced($well, $pattern, $replacement);
	(undef, @errors) = read_openmetrics($text);
	ok(scalar(grep { /\Q$broken[$i + 1]\E/ } @errors),
		"the checker refuses: $pattern -> $replacement") or
		diag(join "\n", $text eq $well ? 'not changed' : @errors);
}

done_testing();
