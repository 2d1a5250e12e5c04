#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Nothing is included from further right than where it stands:
#   common/: each module only what comes before it in the list below;
#   a face: the headers of common/ and its own, and what is allowed to it here.
use strict;
use warnings;
use Test::More;

# One group a line, the lower ones first; modules of one group may use each other.
my @layers = (
	[qw(flow expect)],
	[qw(hash bins census top nat table)],
	[qw(text walk decode decode_expect encode parse label netns known)],
	[qw(netlink)],
	[qw(dump)],
	[qw(condition condition_kinds condition_addr condition_number condition_state
	    condition_tag filter)],
	[qw(change change_expect events kernel stats probe)],
	[qw(metric metric_put)],
	[qw(conntap)],
);
my %faces = (
	export => [],
	cli => ['export'],
	collectd => [],
	agentx => [],
);

my %layer;
for my $i (0 .. $#layers) {
	$layer{$_} = $i for @{ $layers[$i] };
}

sub includes_of {
	my ($file) = @_;
	open my $in, '<', $file or die "$file: $!";
	return map { /^#include "([^"]+)"/ ? $1 : () } <$in>;
}

for my $file (sort glob 'common/*.[ch]') {
	my ($module) = $file =~ m{([^/]+)\.[ch]$};
	ok(exists $layer{$module}, "$file has a place among the layers") or next;
	my @wrong = grep {
		my ($other) = m{^([^/]+)\.h$};
		!defined $other || !exists $layer{$other} || $layer{$other} > $layer{$module};
	} includes_of($file);
	is("@wrong", '', "$file includes nothing from the right");
}

for my $file (sort glob 'plugins/*/*.[ch]') {
	my ($face) = $file =~ m{^plugins/([^/]+)/};
	ok(exists $faces{$face}, "$face is a known face") or next;
	my @wrong = grep {
		my $header = $_;
		$header =~ m{/}
			&& $header !~ m{^common/}
			&& !grep { $header =~ m{^plugins/$_/} } @{ $faces{$face} };
	} includes_of($file);
	is("@wrong", '', "$file includes no other face");
}

for my $file (sort glob 'common/*.c') {
	open my $in, '<', $file or die "$file: $!";
	my @wrong = grep { /\b(?:exit|abort|fprintf|perror|syslog|puts|printf)\s*\(/ } <$in>;
	is("@wrong", '', "$file neither prints nor exits");
}

done_testing;
