#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conntap metrics --output: files that are whole or absent, whatever comes in between.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use POSIX qw(_exit);
use Test::More;
use Time::HiRes qw(time);

use lib $FindBin::Bin;
use Files;
use Lab;

enter_lab();

# So many flows, each with another mark.
sub fill_with_marks {
	my ($count) = @_;
	my $file = File::Temp->new;

	run('conntrack', '-F');
	print $file "-A -t 600 -u UNSET -m $_ -s 10.9.0.1 -d 10.9.0.2 -r 10.9.0.2 " .
		"-q 10.9.0.1 -p udp --sport $_ --dport 53 --reply-port-src 53 " .
		"--reply-port-dst $_\n" for 1 .. $count;
	close $file;
	is((conntap('create', '--load', "$file"))[0], 0, 'a table of many marks');
}

my %last_line = (openmetrics => qr/^# EOF\n\z/m,
	prometheus => qr/^conntap_expect_delete_total\{cpu="\d+"\} \d+\n\z/m);

# '' when the document is whole; else what is wrong.
sub not_whole {
	my ($text, $lines) = @_;
	my $format = $text =~ $last_line{openmetrics} ? 'openmetrics' : 'prometheus';
	my $count = $text =~ tr/\n//;

	return 'it ends with ' . substr $text, -40 if $text !~ $last_line{$format};
	return 'it begins with ' . substr $text, 0, 40 if $text !~ /\A# HELP conntap_b/;
	return "$format has $count lines" if $count != $lines->{$format};
	return '';
}

# Reads the file again and again, in a process of its own, until it gets a TERM: (pid,
# file for its findings).  A finding is a line: another file than before, what is wrong
# with it, at the end how many reads there were.
sub start_reader {
	my ($path, $lines) = @_;
	my $findings = File::Temp->new;
	my $pid = fork // die "fork: $!\n";

	return ($pid, $findings) if $pid;
	my ($end, $reads, $wrong, $before) = (0, 0, 0, '');
	local $SIG{TERM} = sub { $end = 1 };
	until ($end || $wrong > 5) {
		my $text = slurp($path);
		my $why = defined $text ? not_whole($text, $lines) : "$!";
		my $file = (stat $path)[1] // 0;
		syswrite $findings, "another\n" if $file ne $before;
		syswrite $findings, "read $reads: $why\n" if $why ne '';
		$wrong++ if $why ne '';
		$before = $file;
		$reads++;
	}
	syswrite $findings, "$reads reads\n";
	_exit(0);
}

my $clean = qr/\Aconntap\.prom\z/;
my $litter = qr/\A(?:\.conntap\.prom\.\w{6} )?conntap\.prom\z/;

# Kills conntap at any moment while it writes.
sub check_kills {
	my ($rounds) = @_;
	my $dir = open_dir();
	my $path = "$dir/conntap.prom";
	my $seed = $ENV{CONNTAP_SEED} // int rand 2 ** 31;
	my (%lines, %seen);
	my ($took, $left) = (0, 0);

	note("CONNTAP_SEED=$seed");
	srand $seed;
	# A few hundred kilobytes: several writes.
	fill_with_marks(3000);
	my @command = ('metrics', '--limit', 0, '--output', $path);
	for my $format ('openmetrics', 'prometheus') {
		my $begun = time;
		is_deeply([conntap(@command, '-o', $format)], [0, '', ''],
			"kills: $format");
		$took = time - $begun if time - $begun > $took;
		$lines{$format} = slurp($path) =~ tr/\n//;
	}
	my ($reader, $findings) = start_reader($path, \%lines);
	for my $round (1 .. $rounds) {
		my $signal = $round % 2 ? 'KILL' : 'TERM';
		my $format = $round % 4 < 2 ? 'openmetrics' : 'prometheus';
		my $job = start({}, program('conntap'), @command, '-o', $format);
		select undef, undef, undef, rand 1.2 * $took;
		kill $signal => $job->{pid};
		my ($status, $out, $err) = finish($job);
		$seen{"$signal: $status"}++;
		fail("round $round, $signal: it says $out$err") if "$out$err" ne '';
		my $there = entries($dir);
		fail("round $round, $signal: it leaves $there")
			unless $there =~ ($signal eq 'KILL' ? $litter : $clean);
		$left += unlink glob "$dir/.conntap.prom.*";
	}
	my $several = eval { wait_until('reads of several files', sub {
		conntap(@command);
		return slurp("$findings") =~ tr/\n// > 5;
	}) };
	ok($several, 'kills: several files are read');
	kill TERM => $reader;
	waitpid $reader, 0;
	my $report = slurp("$findings") =~ s/^another\n//mgr;
	like($report, qr/\A\d+ reads\n\z/, 'kills: every read is whole');
	is(not_whole(slurp($path), \%lines), '', 'kills: the last file');
	my @odd = grep { !/\A(?:KILL: 137|TERM: 143|\w+: 0)\z/ } keys %seen;
	is("@odd", '', 'kills: the statuses');
	note(map({ "$_ ($seen{$_}), " } sort keys %seen), "$left files left; $report");
	check_moments($dir, $path, \%lines, @command);
}

# The moments that a random one rarely is.
sub check_moments {
	my ($dir, $path, $lines, @command) = @_;
	my %number = (TERM => 143, INT => 130, KILL => 137);
	my $left = 0;

	SKIP: {
		my ($status) = run(qw(strace -f -qq -o /dev/null true));
		skip('strace does not work here: no faults of system calls', 1)
			if $status;
		for my $when (map { my $signal = $_; map { "$_ $signal" }
			qw(write fchmod fsync /^rename) } sort keys %number) {
			my ($moment, $signal) = split ' ', $when;
			my $old = (stat $path)[1];
			my ($status, $out, $err) =
				strace("$moment:signal=$signal:when=1", @command);
			is("$status $out$err", "$number{$signal} ", $when);
			is(not_whole(slurp($path), $lines), '', "$when: whole");
			is((stat $path)[1], $old, "$when: the old one")
				if "$moment $signal" =~ /write|f(?:chmod|sync) KILL/;
			like(entries($dir), $signal eq 'KILL' ? $litter : $clean,
				"$when: what is there");
			$left += () = entries($dir) =~ / /g;
			unlink glob "$dir/.conntap.prom.*";
		}
		cmp_ok($left, '>', 0, 'KILL leaves a file, sometimes');
		check_faults($dir, $path, @command);
	}
}

sub strace {
	my ($fault, @command) = @_;

	return run(qw(strace -f -qq -o /dev/null -e), "inject=$fault",
		program('conntap'), @command);
}

sub check_faults {
	my ($dir, $path, @command) = @_;
	my %faults = ('write:error=ENOSPC:when=1' => 'No space left on device',
		'write:error=EIO:when=2' => 'Input/output error',
		'fchmod:error=EPERM' => 'Operation not permitted',
		'fsync:error=EIO:when=1' => 'Input/output error',
		'/^rename:error=EROFS' => 'Read-only file system');

	for my $fault (sort keys %faults) {
		spew($path, 'old');
		is_deeply([strace($fault, @command)], [1, '',
			"conntap: --output $path: $faults{$fault}\n"], "$fault: why");
		is(slurp($path), 'old', "$fault: the old file stays");
		is(entries($dir), 'conntap.prom', "$fault: nothing else is there");
	}
}

sub check_full {
	my $dir = open_dir();

	for my $options ('size=8k', 'nr_inodes=2') {
		my ($status) = run('mount', '-t', 'tmpfs', '-o', $options, 'lab', $dir);
		is($status, 0, "a small disk, $options");
		spew("$dir/conntap.prom", 'old');
		for my $format ('openmetrics', 'prometheus') {
			is_deeply([conntap('metrics', '-o', $format, '--output',
				"$dir/conntap.prom")], [1, '', "conntap: --output " .
				"$dir/conntap.prom: No space left on device\n"],
				"a full disk, $options, $format");
			is(slurp("$dir/conntap.prom"), 'old',
				"$options: the old file stays");
			is(entries($dir), 'conntap.prom', "$options: no litter");
		}
		run('umount', $dir);
	}
	my %cases = ("$dir/none/conntap.prom" => 'No such file or directory',
		$dir => 'Is a directory', "$dir/" => 'Is a directory',
		'/dev/null' => 'Operation not supported',
		'' => 'No such file or directory');
	for my $path (sort keys %cases) {
		is_deeply([conntap('metrics', '--output', $path)], [1, '',
			"conntap: --output $path: $cases{$path}\n"], "--output $path");
	}
	is(entries($dir), '', 'and nothing is written');
}

# As /dev/stdout is one: it may point to a file.
sub check_link {
	my $dir = open_dir();
	my %links = (stdout => '/proc/self/fd/1', file => 'target', dangling => 'none');

	spew("$dir/target", 'old');
	for my $name (sort keys %links) {
		symlink $links{$name}, "$dir/$name" or die "$dir/$name: $!\n";
		is_deeply([conntap('metrics', '--output', "$dir/$name")], [1, '',
			"conntap: --output $dir/$name: is a symbolic link, name what " .
			"it points to\n"], "a link, $name");
		is(readlink "$dir/$name", $links{$name}, "a link, $name: it stays");
	}
	is(slurp("$dir/target"), 'old', 'links: the file stays');
	is(entries($dir), 'dangling file stdout target', 'links: nothing else');
}

check_kills(60);
check_full();
check_link();

done_testing();
