#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# libconntap as its users have it: installed, found by pkg-config, linked both ways; its
# examples against what conntrack(8) sees.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename);
use File::Temp qw(tempdir);
use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Lab;

enter_lab();

my $root = abs_path("$FindBin::Bin/../..");
my $build = $ENV{CONNTAP_BUILD} // 'build';
my $examples = ($build =~ m{^/} ? '' : "$root/") . "$build/examples";
my ($cc) = (map({ /\bCC=(\S+)/ } $ENV{MAKEFLAGS} // ''), 'cc');
my $dir = tempdir(CLEANUP => 1);
my $headers = "$dir/usr/include/conntap";
my $libraries = "$dir/usr/lib";

# An outer make has its variables in here, and its job server, which is not ours.
$ENV{MAKEFLAGS} =~ s/(?:^| )(?:--jobserver-\S+|-j\d*)//g if $ENV{MAKEFLAGS};

sub runs_ok {
	my ($name, @command) = @_;
	my ($status, $out, $err) = run(@command);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($status, 0, $name) or diag(join '', "@command\n", $out, $err);
	return $out;
}

sub make {
	return ('make', '-C', $root, "BUILD=$build", "DESTDIR=$dir",
		'PREFIX=/usr', @_);
}

sub slurp {
	my ($path) = @_;

	open my $file, '<', $path or die "$path: $!\n";
	local $/;
	return scalar <$file>;
}

sub spew {
	my ($path, $text) = @_;

	open my $file, '>', $path or die "$path: $!\n";
	print $file $text;
	close $file or die "$path: $!\n";
	return $path;
}

sub pkg_config {
	my ($status, $out, $err) = run('pkg-config', @_, 'conntap');

	die "pkg-config: $err\n" if $status;
	return split ' ', $out;
}

sub check_installation {
	for my $header (glob "$headers/*.h") {
		runs_ok(basename($header) . ' stands alone', $cc, '-std=c11', '-Wall',
			'-Wextra', '-Wpedantic', '-Werror', '-fsyntax-only',
			spew("$dir/alone.c", '#include "' . basename($header) . "\"\n"),
			"-I$headers");
	}
	my ($version) = slurp("$root/Makefile") =~ /^VERSION := (\S+)/m;
	is(join(' ', pkg_config('--modversion')), $version, 'pkg-config: the version');
	my ($major) = $version =~ /^(\d+)/;
	like(runs_ok('readelf', 'readelf', '-d', "$libraries/libconntap.so"),
		qr/SONAME.*\[libconntap\.so\.$major\]/, 'the name of the library');
}

# What the headers declare, and is not defined in them: (functions, objects).
sub declared {
	my $text = join '', map { slurp($_) } glob "$headers/*.h";

	$text =~ s{/\*.*?\*/}{}gs;
	$text =~ s/^#(?:.*\\\n)*.*//gm;
	$text =~ s/extern "C" \{//;
	1 while $text =~ s/\{[^{}]*\}/;/g;
	my @statements = grep { !/^\s*(?:typedef|static)\b/ } split /;/, $text;
	return (map { /\b(ct_\w+)\s*\(/ ? $1 : /\bextern .*\b(ct_\w+)\s*\[/s ? $1 : () }
		@statements);
}

sub check_exports {
	my @exported = grep { !/^LIBCONNTAP_/ }
		map { /^\S+ \w (\w+)/ ? $1 : () } split /\n/, runs_ok('nm', 'nm', '-D',
			'--defined-only', "$libraries/libconntap.so");

	ok(scalar(declared()), 'the headers declare something');
	same_lines(\@exported, [declared()],
		'exported (+) is what the headers declare (-); see libconntap.map');
}

# The program on the manual's first page, with a main function.
sub front_page {
	my ($example) = slurp("$headers/conntap.h") =~ /^( \*\t#include.*?) \*\tcc /ms;

	$example =~ s/^ \*\t?//gm;
	return $example . "int main(void) { uint64_t bytes; return sent_so_far(&bytes); }\n";
}

sub check_languages {
	my $source = spew("$dir/front.c", front_page());
	my @flags = (qw(-Wall -Wextra -Wpedantic -Werror), pkg_config('--cflags'));
	my @libs = (pkg_config('--libs'), "-Wl,-rpath,$libraries");

	for my $standard ('c11', 'gnu17') {
		runs_ok("the front page as $standard", $cc, "-std=$standard", @flags,
			'-o', "$dir/front", $source, @libs);
		runs_ok("the front page as $standard: runs", "$dir/front");
	}
	SKIP: {
		my ($status) = run('g++', '--version');
		skip('there is no g++ here', 2) if $status;
		runs_ok('the front page as C++', 'g++', '-std=c++11', '-x', 'c++', @flags,
			'-Wno-missing-field-initializers', # { 0 } is C's way
			'-o', "$dir/front", $source, '-x', 'none', @libs);
		runs_ok('the front page as C++: runs', "$dir/front");
	}
}

sub example {
	my ($name, @arguments) = @_;

	return run("$examples/$name", @arguments);
}

# What conntrack(8) sees of those that are in no zone, with ports.
sub plain_flows {
	return grep { !$_->{zone} && !defined $_->{zone_orig} &&
			!defined $_->{zone_reply} && defined $_->{orig}{sport} &&
			$_->{proto} ne 'unknown' } conntrack_flows();
}

sub check_lookup {
	my ($how) = @_;
	my @protos = ('tcp', 'udp', 'sctp');

	for my $flow (grep { my $flow = $_; grep { $flow->{proto} eq $_ } @protos }
		plain_flows()) {
		my $orig = $flow->{orig};
		my ($status, $out, $err) = example('lookup', $flow->{proto},
			@$orig{qw(src sport dst dport)});
		my @expected = ("id $flow->{id}", $flow->{state} // ());
		my $line = join ', ', map { quotemeta } @expected;
		is($status, 0, "$how: lookup of " . flow_line($flow)) or diag($err);
		like($out, qr/^$line, \d+ s left, mark $flow->{mark}\b/, "$how: it is that");
	}
	is_deeply([example('lookup', 'tcp', '10.0.1.2', 1, '10.0.2.2', 2)],
		[1, '', "lookup: no such flow\n"], "$how: lookup of an absent flow");
	is((example('lookup', 'tcp', '10.0.1.2', 65536, '10.0.2.2', 2))[0], 2,
		"$how: lookup of nonsense");
}

# The document is well-formed and has exactly these flows.
sub export_ok {
	my ($name, $arguments, @flows) = @_;
	my ($status, $out, $err) = example('export_xml', @$arguments);
	my $document = spew("$dir/flows.xml", $out);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($status, 0, "$name: status") or diag($err);
	runs_ok("$name: well-formed", 'xmllint', '--noout', $document);
	my @got = map { /<flow (.*) \/>/ ? $1 : () } split /\n/, $out;
	same_lines(\@got, [map { element($_) } @flows], "$name: the flows");
}

sub element {
	my ($flow) = @_;
	my $orig = $flow->{orig};
	my @ports = defined $orig->{srckey}
		? (sport => hex $orig->{srckey}, dport => hex $orig->{dstkey})
		: map { defined $orig->{$_} ? ($_ => $orig->{$_}) : () } qw(sport dport);
	my @attributes = (zone => $flow->{zone_orig} // $flow->{zone},
		family => $flow->{family}, proto => $flow->{protonum},
		src => $orig->{src}, dst => $orig->{dst}, @ports);
	my $text = '';

	while (my ($key, $value) = splice @attributes, 0, 2) {
		$text .= " $key=\"$value\"";
	}
	return substr $text, 1;
}

sub check_export {
	my ($how) = @_;
	my @flows = conntrack_flows();

	export_ok("$how: export of all", [], @flows);
	export_ok("$how: export of TCP", ['proto=tcp'],
		grep { $_->{proto} eq 'tcp' } @flows);
	export_ok("$how: export of translated IPv6", ['src-nat', 'family=ipv6'],
		grep { $_->{flags}{SRC_NAT} && $_->{family} eq 'ipv6' } @flows);
	is_deeply([example('export_xml', 'dport=70000')],
		[1, '', 'export_xml: dport: 70000 is not a port (0-65535, a range like ' .
			"80-90, or a service's name)\n"], "$how: a condition in error");
	is_deeply([example('export_xml', 'colour=red')],
		[1, '', "export_xml: colour: there is no such condition\n"],
		"$how: no such condition");
}

# Runs the event printer while $happen runs and $enough is not yet true of its output;
# returns what it printed, and how many events it says were lost.
sub events_during {
	my ($happen, $enough) = @_;
	my $job = start({}, "$examples/events");

	wait_until('the subscription', sub { slurp($job->{'stderr-file'}) =~ /^Listening/ });
	$happen->($job);
	wait_until('the events', sub { $enough->(slurp($job->{'stdout-file'})) });
	kill INT => $job->{pid};
	my ($status, $out, $err) = finish($job);
	is($status, 0, 'events: Ctrl-C is a good end') or diag($err);
	my ($lost) = $err =~ /^(\d+) events lost\.$/m or diag($err);
	return ($out, $lost);
}

sub check_events {
	my ($how) = @_;
	my $traffic;
	my %line = (tcp4 => 'tcp 10.0.1.2->10.0.2.2 40001->7001',
		udp6 => 'udp fd00:1::2->fd00:2::2 40011->7001');
	my ($out, $lost) = events_during(
		sub {
			$traffic = start_traffic(sort keys %line);
			run('conntrack', '-F');
		},
		sub { 2 == grep { $_[0] =~ /^destroy flow \Q$_\E$/m } values %line });

	for my $kind (sort keys %line) {
		like($out, qr/^new flow \Q$line{$kind}\E\n.*^destroy flow \Q$line{$kind}\E\n/ms,
			"$how: a flow that comes and goes: $kind");
	}
	like($out, qr/^update flow \Q$line{tcp4}\E$/m, "$how: and changes");
	is($lost, 0, "$how: no event is lost");
}

sub check_expectations {
	my $traffic;
	my ($out) = events_during(sub { $traffic = start_traffic('ftp4-passive') },
		sub { $traffic->{without}{'ftp4-passive'} || $_[0] =~ /^destroy exp/m });

	SKIP: {
		my $why = $traffic->{without}{'ftp4-passive'};
		skip("expectations: $why", 1) if $why;
		like($out, qr/^new expectation tcp 10\.0\.1\.2->10\.0\.2\.2 0->\d+$/m,
			'an expectation');
	}
}

# While the reader sleeps, more happens than fits into its buffer.
sub check_losses {
	my $made = 150_000;
	my ($out, $lost) = events_during(
		sub {
			my ($job) = @_;
			kill STOP => $job->{pid};
			flood('-n', $made);
			kill CONT => $job->{pid};
		},
		sub { counted($_[0]) >= $made });

	cmp_ok($lost, '>', 0, 'events were lost');
	is(counted($out), $made, 'what was lost and what was seen is all there was');
	is($lost, total_lost($out), 'each loss was told when it was found');
}

sub total_lost {
	my ($out) = @_;
	my $lost = 0;

	$lost += $1 while $out =~ /^lost (\d+)$/mg;
	return $lost;
}

sub counted {
	my ($out) = @_;

	return total_lost($out) + (() = $out =~ /^new flow/mg);
}

runs_ok('make install', make('install'));
# From here on pkg-config sees no other libconntap than that one.
$ENV{PKG_CONFIG_PATH} = "$libraries/pkgconfig";
$ENV{PKG_CONFIG_SYSROOT_DIR} = $dir;
check_installation();
check_exports();
check_languages();
for my $how ('shared', 'static') {
	my @static = $how eq 'static' ? 'STATIC=1' : ();

	runs_ok("$how: make examples", make('examples', 'CFLAGS=-O2 -Werror', @static));
	local $ENV{LD_LIBRARY_PATH} = $how eq 'shared' ? $libraries : '';
	my $needed = runs_ok("$how: readelf", 'readelf', '-d', "$examples/events");
	is($needed =~ /libconntap/ ? 'shared' : 'static', $how, "$how: that is so");
	run('conntrack', '-F');
	check_events($how);
	my $traffic = start_traffic();
	check_lookup($how);
	check_export($how);
	$traffic = undef;
	run('conntrack', '-F');
}
check_expectations();
run('conntrack', '-F');
check_losses();

runs_ok('make uninstall', make('uninstall'));
is_deeply([split /\n/, runs_ok('find', 'find', "$dir/usr", '!', '-type', 'd')], [],
	'nothing is left');
done_testing();
