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

# Where the file system can do it, a file has a temporary name for an instant only.
my $clean = qr/\Aconntap\.prom\z/;
my $litter = qr/\A\.conntap-[0-9a-f]{8} conntap\.prom\z/;
my $either = qr/$clean|$litter/;

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
		# What one leaves the next one cleans away, unless it is killed before.
		my $there = entries($dir);
		fail("round $round, $signal: there is $there")
			unless $there =~ $either;
		$left++ if $there =~ $litter;
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
	conntap(@command);
	is(not_whole(slurp($path), \%lines), '', 'kills: the last file');
	is(entries($dir), 'conntap.prom', 'kills: no litter');
	my @odd = grep { !/\A(?:KILL: 137|TERM: 143|\w+: 0)\z/ } keys %seen;
	is("@odd", '', 'kills: the statuses');
	note(map({ "$_ ($seen{$_}), " } sort keys %seen), "litter in $left rounds; $report");
	check_moments($dir, $path, \%lines, @command);
}

# The moments that a random one rarely is, with a file system that can have files without
# names, and with one that cannot.
sub check_moments {
	my ($dir, $path, $lines, @command) = @_;

	SKIP: {
		my ($status) = run(qw(strace -f -qq -o /dev/null true));
		skip('strace does not work here: no faults of system calls', 1)
			if $status;
		my ($call, $works) = nameless_call(@command);
		ok($call, 'a file without a name is tried') or return;
		my $named = "openat:error=EOPNOTSUPP:when=$call";
		check_signals($dir, $path, $lines, 'named', [$named], @command);
		check_faults($dir, $path, 'named', [$named], @command);
		check_fallbacks($dir, $path, $lines, $call, @command);
		check_living($dir, $path, $lines, @command);
		skip('this file system has no files without names', 1) unless $works;
		check_signals($dir, $path, $lines, 'nameless', [], @command);
		check_faults($dir, $path, 'nameless', [], @command);
	}
}

# Which one of the calls of openat() that is, and whether it works here.
sub nameless_call {
	my @command = @_;
	my $file = File::Temp->new;

	run(qw(strace -f -qq -e trace=openat -o), "$file", program('conntap'), @command);
	my @calls = grep { /openat\(/ } split /\n/, slurp("$file");
	my ($call) = grep { $calls[$_] =~ /O_TMPFILE/ } 0 .. $#calls;
	return defined $call ? ($call + 1, $calls[$call] =~ /= \d+$/) : ();
}

# Which calls there are until the new file is in its place, with litter about or without.
my %moments = (
	nameless => { before => [qw(write:when=1 write:when=2 fchmod fsync:when=1 linkat)],
		littered => ['/^rename'] },
	named => { before => [],
		littered => [qw(flock write:when=1 write:when=2 fchmod fsync:when=1
			/^rename)] },
);

sub check_signals {
	my ($dir, $path, $lines, $kind, $faults, @command) = @_;
	my %number = (KILL => 137, TERM => 143, INT => 130);
	my @moments = map { my $part = $_; map { [$_, $part eq 'littered'] }
		@{$moments{$kind}{$part}} } qw(before littered);

	for my $moment (@moments, ['fsync:when=2', 0]) {
		my ($call, $littered) = @$moment;
		my @signals = ('KILL', 'TERM', $call eq 'write:when=1' ? 'INT' : ());
		for my $signal (@signals) {
			my $name = "$kind, $call, $signal";
			my $old = (stat $path)[1];
			my $left = $littered && $signal eq 'KILL';
			my ($status, $out, $err) = strace([@$faults,
				$call =~ /:/ ? $call =~ s/:/:signal=$signal:/r :
				"$call:signal=$signal:when=1"], @command);
			is("$status $out$err", "$number{$signal} ", $name);
			is(not_whole(slurp($path), $lines), '', "$name: whole");
			is((stat $path)[1], $old, "$name: the old one")
				if $signal eq 'KILL' && $call ne 'fsync:when=2';
			like(entries($dir), $left ? $litter : $clean,
				"$name: what is there");
			next unless $left;
			conntap(@command);
			is(entries($dir), 'conntap.prom', "$name: what the next leaves");
		}
	}
}

sub strace {
	my ($faults, @command) = @_;

	return run(qw(strace -f -qq -o /dev/null), map({ ('-e', "inject=$_") } @$faults),
		program('conntap'), @command);
}

sub check_faults {
	my ($dir, $path, $kind, $others, @command) = @_;
	my %faults = ('write:error=ENOSPC:when=1' => 'No space left on device',
		'write:error=EIO:when=2' => 'Input/output error',
		'fchmod:error=EPERM' => 'Operation not permitted',
		'fsync:error=EIO:when=1' => 'Input/output error',
		'/^rename:error=EROFS' => 'Read-only file system');

	$faults{'linkat:error=EDQUOT'} = 'Disk quota exceeded' if $kind eq 'nameless';
	for my $fault (sort keys %faults) {
		spew($path, 'old');
		is_deeply([strace([@$others, $fault], @command)], [1, '',
			"conntap: --output $path: $faults{$fault}\n"],
			"$kind, $fault: why");
		is(slurp($path), 'old', "$kind, $fault: the old file stays");
		is(entries($dir), 'conntap.prom', "$kind, $fault: nothing else is there");
	}
}

# What keeps nobody from writing, and the one failure that comes when the file is there.
sub check_fallbacks {
	my ($dir, $path, $lines, $call, @command) = @_;

	for my $fault ((map { "openat:error=$_:when=$call" } qw(EOPNOTSUPP EISDIR EINVAL)),
		'flock:error=ENOLCK', '/getdents:error=EIO', 'fsync:error=EINVAL:when=2') {
		spew($path, 'old');
		is_deeply([strace([$fault], @command)], [0, '', ''], $fault);
		is(not_whole(slurp($path), $lines), '', "$fault: whole");
		is(entries($dir), 'conntap.prom', "$fault: nothing else is there");
	}
	spew($path, 'old');
	is_deeply([strace(['fsync:error=EIO:when=2'], @command)], [1, '',
		"conntap: --output $path: Input/output error\n"], 'the directory: why');
	is(not_whole(slurp($path), $lines), '', 'the directory: the new file is there');
	is(entries($dir), 'conntap.prom', 'the directory: nothing else is there');
}

# A second one comes between while the first is about to rename its file.
sub check_living {
	my ($dir, $path, $lines, @command) = @_;

	spew($path, 'old');
	my $first = start({}, qw(strace -f -qq -o /dev/null -e),
		'inject=/^rename:delay_enter=3000000', program('conntap'), @command);
	wait_until('a temporary name', sub { entries($dir) =~ $litter });
	my $there = entries($dir);
	is_deeply([conntap(@command)], [0, '', ''], 'two at a time: the second');
	is(not_whole(slurp($path), $lines), '', 'two at a time: its file');
	my $old = (stat $path)[1];
	is(entries($dir), $there, 'two at a time: it takes nothing of the first');
	is_deeply([finish($first)], [0, '', ''], 'two at a time: the first');
	is(not_whole(slurp($path), $lines), '', 'two at a time: its file');
	isnt((stat $path)[1], $old, 'two at a time: it is another one');
	is(entries($dir), 'conntap.prom', 'two at a time: nothing else is there');
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
		"$dir/.conntap-20261231" => 'is a name of files that are not complete, which ' .
			'are removed',
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

# The first file that it opens would have the number of a stream that is closed: what is
# said goes into none of them.
sub check_closed_streams {
	my $dir = open_dir();
	my $before = setting('nf_conntrack_acct');

	set_sysctl('net/netfilter/nf_conntrack_acct', 0);
	for my $closed ('>&- 2>&-', '<&- 2>&-', '<&- >&-', '<&- >&- 2>&-', '2>&-') {
		my ($status, $out, $err) = run('sh', '-c', "exec \"\$@\" $closed", 'sh',
			program('conntap'), 'xml', '--min-bytes', 1, '--output',
			"$dir/flows.xml");
		is($status, 0, "without $closed: status");
		fits_schema('conntracks', slurp("$dir/flows.xml"), "without $closed");
		unlink "$dir/flows.xml";
	}
	set_sysctl('net/netfilter/nf_conntrack_acct', $before);
}

check_kills(60);
check_full();
check_link();
check_closed_streams();

done_testing();
