#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conntap xml --output: files that are whole or absent, in time, with all flows that there
# are; and a program that goes on whatever fails, and says so once.
use strict;
use warnings;

use Fcntl qw(:flock);
use File::Temp ();
use FindBin;
use List::Util qw(min);
use POSIX qw(_exit strftime);
use Test::More;
use Time::HiRes qw(sleep time);

use lib $FindBin::Bin;
use Files qw(:DEFAULT unpacked start_service start_exporting told counts holds
	wait_for_status end_service is_amid files_held);
use Lab;

enter_lab();
# In memory: a busy disk takes seconds to sync.
$ENV{TMPDIR} = '/run';

my $seed = $ENV{CONNTAP_SEED} // int rand 2 ** 31;
my $host = (POSIX::uname())[1];
my @kinds = (['--compress', 'none'], ['--compress', 'gzip'], ['--compress', 'zstd'],
	['--dialect', 'flows']);
# The job is strace's tracee, not strace: signals are for conntap.
my @strace = qw(strace -D -f -qq -o /dev/null -e);
my $strace_works = !(run('strace', '-D', '-qq', '-o', '/dev/null', 'true'))[0];
my @nobody = qw(setpriv --reuid=65534 --regid=65534 --clear-groups);
my $nobody_works = !(run(@nobody, program('conntap'), '--version'))[0];

note("CONNTAP_SEED=$seed");
srand $seed;
# What is told shall be kept until we look.
set_sysctl('net/unix/max_dgram_qlen', 1000);

sub inode {
	my ($path) = @_;

	return (stat $path)[1] // 0;
}

sub wait_for_second {
	my $now = int time;

	wait_until('the next second', sub { int time > $now });
}

# So many flows that stay, and nothing else.
sub fill {
	my ($count) = @_;

	run('conntrack', '-F');
	flood('-n', $count, '--seed', $seed);
	is(table_size(), $count, "a table of $count flows");
}

# '' when the document is whole, and of so many flows; else what is wrong with it.
sub not_whole {
	my ($bytes, $expected) = @_;
	my $text = eval { unpacked($bytes) } // return "it cannot be unpacked: $@";
	my ($root) = $text =~ /\A<\?xml [^\n]*\n<(conntracks?) version="1" [^>\n]*>\n/
		or return 'it begins with ' . substr $text, 0, 60;
	my $last = substr $text, -200;
	my ($told) = $last =~ m{<totals\ flows="(\d+)"\ malformed="0"\ complete="true"
		[^>]*/>\n</$root>\n\z}x or return "it ends with $last";
	my $count = () = $root eq 'conntracks' ? $text =~ /\n {3}<conntrack /g :
		$text =~ /\n<flow[ >]/g;

	return "it has $count flows, and tells of $told" if $count != $told;
	return $count == ($expected // $count) ? '' : "it has $count flows";
}

sub is_whole {
	my ($path, $name, $expected) = @_;
	my $bytes = slurp($path);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(defined $bytes ? not_whole($bytes, $expected) : "$path: $!", '',
		"$name: it is whole");
}

# What is said on stderr, but for what a busy machine gives reason to.
sub said {
	my ($err) = @_;

	return $err =~ s/^conntap: it (?:takes longer than|is within its period)[^\n]*\n//mgr;
}

# Ends it, and tests what it has said; a busy machine is no matter here.
sub ends_well {
	my ($job, $name, $said) = @_;
	my ($status, $out, $err) = end_service($job);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is("$status $out", '0 ', "$name: it ends well");
	$said //= qr//;
	like(said($err), qr/\A$said\z/, "$name: what it says");
	return $err;
}

sub is_valid {
	my ($path, $name) = @_;
	my $text = unpacked(slurp($path));

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	fits_schema($text =~ /^<conntracks /m ? 'conntracks' : 'flows', $text, $name);
}

# Reads the file again and again, in a process of its own, until it gets a TERM: (pid,
# file for its findings).  Now and then it leaves what it has read in a directory.
sub start_reader {
	my ($path, $flows, $samples) = @_;
	my $findings = File::Temp->new;
	my $pid = fork // die "fork: $!\n";

	return ($pid, $findings) if $pid;
	my ($end, $files, $before, %count) = (0, 0, 0);
	local $SIG{TERM} = sub { $end = 1 };
	until ($end) {
		# Of one file, though another may take its place meanwhile.
		my $inode = inode($path);
		my $bytes = slurp($path);
		my $why = defined $bytes ? not_whole($bytes, $flows) :
			$before ? "it is gone: $!" : '';
		$count{$why eq '' ? 'reads' : $why}++;
		next if $inode == $before;
		$before = $inode;
		spew("$samples/$files", $bytes) if defined $bytes && $files++ % 4 == 0;
	}
	syswrite $findings, join '', map { "$count{$_} $_\n" } sort keys %count;
	_exit(0);
}

# Whether it listens to HUP (1) and USR1 (10), which end it before; a process that has
# just begun blocks all for a moment, TERM (15) too.
sub listens {
	my ($job) = @_;
	my ($blocked) = (slurp("/proc/$job->{pid}/status") // '') =~
		/^SigBlk:\s*\w*(\w{4})$/m;

	return (hex($blocked // 0) & 0x4201) == 0x0201;
}

# Asks for files, one after the other, for so many seconds.
sub storm {
	my ($job, $seconds) = @_;
	my $deadline = time + $seconds;
	my $listens;

	while (time < $deadline) {
		$listens ||= listens($job);
		kill USR1 => $job->{pid} if $listens;
		sleep 0.001;
	}
}

# Kills it at any moment.
sub check_kills {
	my ($rounds, $flows) = @_;
	my ($dir, $samples) = (open_dir(), open_dir());
	my $path = "$dir/flows.xml";
	my ($reader, $findings) = start_reader($path, $flows, $samples);
	my ($amid, $litter, @odd) = (0, 0);
	my $begun = time;

	is_deeply([conntap('xml', '--output', $path)], [0, '', ''], 'kills: a first file');
	my $longest = min(2 * (time - $begun), 0.2);
	for my $round (1 .. $rounds) {
		my $job = start({}, program('conntap'), 'xml', '--output', $path,
			'--every', 1, @{$kinds[$round % @kinds]});
		storm($job, rand $longest);
		# Some live until there is a file, however busy this machine is.
		my $old = inode($path);
		wait_until('a file', sub { inode($path) != $old }) if $round % 9 == 0;
		$amid++ if is_amid($job, $dir);
		my ($status, $out, $err) = end_service($job, 'KILL');
		$err = said($err);
		push @odd, "$status $out$err" if "$status $out$err" ne '137 ';
		next if entries($dir) =~ /\A(?:flows\.xml)?\z/;
		# Between its name and its place.  The next one cleans up.
		$litter++;
		conntap('xml', '--output', $path);
		push @odd, entries($dir) if entries($dir) ne 'flows.xml';
	}
	is("@odd", '', 'kills: nothing is said, and nothing is left in the end');
	cmp_ok($amid, '>', $rounds / 10, 'kills: many were in the middle of a file');
	kill TERM => $reader;
	waitpid $reader, 0;
	my $report = slurp("$findings");
	like($report, qr/\A\d+ reads\n\z/, 'kills: every read is whole');
	is_whole($path, 'kills: the last file', $flows);
	my @samples = glob "$samples/*";
	cmp_ok(scalar @samples, '>', 2, 'kills: some are kept');
	is_valid($samples[rand @samples], 'kills: one of them') for 1 .. 6;
	note("$amid of $rounds in the middle, $litter left a file; $report");
}

# A process that is killed between the name and the place leaves a file.
sub check_litter {
	my $dir = open_dir();
	my $stranger = '.conntap-0123abcd.old';

	spew("$dir/$stranger", 'x');
	SKIP: {
		skip('strace does not work here: no kills at a given moment', 10)
			unless $strace_works;
		for my $pattern ('flows.xml', 'flows-%s.xml') {
			my @command = ('xml', '--output', "$dir/$pattern");
			run(qw(strace -f -qq -o /dev/null -e inject=/^rename:signal=KILL),
				program('conntap'), @command);
			my ($litter) = grep { $_ ne $stranger } split ' ', entries($dir);
			like($litter // 'none', qr/\A\./, "$pattern: a hidden file is left");
			# Somebody is writing it.
			open my $file, '<', "$dir/$litter" or die "$dir/$litter: $!\n";
			flock $file, LOCK_EX or die "flock: $!\n";
			is((conntap(@command))[0], 0, "$pattern: status");
			ok(-e "$dir/$litter", "$pattern: what is being written stays");
			close $file;
			# With a time in it, it is another name.
			wait_for_second();
			is((conntap(@command))[0], 0, "$pattern: status");
			ok(!-e "$dir/$litter", "$pattern: what a killed process has left goes");
			unlink glob "$dir/*.xml";
		}
	}
	ok(-e "$dir/$stranger", "a stranger's file stays");
}

# A disk, with a file of some flows on it and little room.
sub small_disk {
	my $dir = open_dir();
	my ($status, undef, $err) = run('mount', '-t', 'tmpfs', '-o', 'size=700k', 'lab',
		$dir);

	is("$status$err", '0', 'a small disk');
	return $dir;
}

sub fill_disk {
	my ($dir) = @_;

	open my $file, '>', "$dir/filler" or die "$dir/filler: $!\n";
	1 while syswrite $file, 'x' x 4096;
}

sub netns {
	my ($status, undef, $err) = run('ip', 'netns', @_);

	die "ip netns @_: $err\n" if $status;
}

# What can fail, as hashes: how to break and to mend it, the file, where it is while it
# is broken, and what is said.  Those with `first` are broken from the beginning.
sub troubles {
	my %dirs = map { $_ => open_dir() } qw(gone times again target link file rights
		lost);
	my $disk = small_disk();
	my ($away, $times) = @dirs{qw(gone times)};
	my @nobody_can = $nobody_works ? { name => 'no right to write',
		before => [@nobody, '--inh-caps=+net_admin', '--ambient-caps=+net_admin'],
		file => "$dirs{rights}/flows.xml",
		break => sub { chmod 0555, $dirs{rights} },
		mend => sub { chmod 0777, $dirs{rights} },
		why => 'Permission denied' } : ();

	chmod 0777, $dirs{rights};
	netns('add', 'lost');
	symlink 'none', "$dirs{link}/flows.xml" or die "$dirs{link}: $!\n";
	mkdir "$dirs{target}/flows.xml" or die "$dirs{target}: $!\n";
	return ({ name => 'a full disk', file => "$disk/flows.xml",
		break => sub { fill_disk($disk) }, mend => sub { unlink "$disk/filler" },
		why => 'No space left on device' },
	{ name => 'no directory', file => "$away/flows.xml", old => "$away.off/flows.xml",
		break => sub { rename $away, "$away.off" },
		mend => sub { rename "$away.off", $away },
		why => 'No such file or directory' },
	{ name => 'no directory, said anew', file => "$dirs{again}/flows.xml",
		old => "$dirs{again}.off/flows.xml", anew => 1,
		break => sub { rename $dirs{again}, "$dirs{again}.off" },
		mend => sub { rename "$dirs{again}.off", $dirs{again} },
		why => 'No such file or directory' },
	{ name => 'no directory, times in names', file => "$times/flows-%s.xml",
		old => "$times.off/flows-%s.xml",
		break => sub { rename $times, "$times.off" },
		mend => sub { rename "$times.off", $times },
		why => 'No such file or directory' },
	{ name => 'a directory', first => 1, file => "$dirs{target}/flows.xml",
		mend => sub { rmdir "$dirs{target}/flows.xml" }, why => 'Is a directory' },
	{ name => 'a link', first => 1, file => "$dirs{link}/flows.xml",
		mend => sub { unlink "$dirs{link}/flows.xml" }, why => 'symbolic link' },
	{ name => 'a namespace', file => "$dirs{lost}/flows.xml",
		arguments => ['--netns', 'lost'], break => sub { netns('delete', 'lost') },
		mend => sub { netns('add', 'lost') },
		why => qr/--netns lost: there is no such namespace/ }, @nobody_can);
}

# The youngest of the files that a name with %s is of; 0 where there is none.
sub youngest {
	my ($pattern) = @_;
	my @files = sort { $b <=> $a } map { /(\d+)\.xml\z/ } glob $pattern =~ s/%s/*/r;

	return $pattern if $pattern !~ /%s/;
	return @files ? $pattern =~ s/%s/$files[0]/r : 0;
}

# All at the same time, as what each waits for is that time passes.
sub check_troubles {
	my @all = troubles();
	my $no_rights = start_without_rights();

	for my $trouble (@all) {
		$trouble->{job} = start_service({}, @{$trouble->{before} // []},
			program('conntap'), 'xml', '--every', 1, '--output',
			$trouble->{file}, @{$trouble->{arguments} // []});
	}
	my @later = grep { !$_->{first} } @all;
	wait_for_status($_->{job}, sub { $_[0] > 0 }) for @later;
	$_->{break}->() for @later;
	# A file that was being made when this broke may have come after it.
	wait_for_status($_->{job}, sub { $_[1] > 0 }) for @all;
	$_->{held} = files_held($_->{job}) for @all;
	for my $trouble (@later) {
		$trouble->{path} = youngest($trouble->{old} // $trouble->{file});
		$trouble->{inode} = inode($trouble->{path});
	}
	wait_for_status($_->{job}, sub { $_[1] > 2 }) for @all;
	check_anew($_) for grep { $_->{anew} } @all;
	for my $trouble (@all) {
		ok(holds(sub { files_held($trouble->{job}) <= $trouble->{held} }),
			"$trouble->{name}: no file is left open");
		is(inode($trouble->{path}), $trouble->{inode},
			"$trouble->{name}: the old file stays") if $trouble->{path};
		$trouble->{mend}->();
	}
	check_mended($_) for @all;
	run('umount', $all[0]{file} =~ s{/[^/]*\z}{}r);
	check_without_rights($no_rights);
}

# After SIGHUP what is still wrong is said again.
sub check_anew {
	my ($trouble) = @_;
	my $job = $trouble->{job};
	my ($documents, $failures) = counts($job);
	my $lines = sub { said(so_far($job, 'stderr')) =~ tr/\n// };

	is($lines->(), 1, "$trouble->{name}: in a line");
	kill HUP => $job->{pid};
	wait_for_status($job, sub { $_[1] > $failures + 1 });
	is($lines->(), 2, "$trouble->{name}: and once more");
}

sub check_mended {
	my ($trouble) = @_;
	my ($name, $job) = @$trouble{qw(name job)};
	my ($before) = counts($job);

	wait_for_status($job, sub { $_[0] > $before });
	my ($documents, $failures) = counts($job);
	my $file = youngest($trouble->{file});
	is_whole($file, "$name: mended");
	cmp_ok(inode($file), '!=', $trouble->{inode} // 0, "$name: a new file");
	my $why = $trouble->{why};
	my $once = ref $why ? qr/conntap: ${why}[^\n]*\n/ :
		qr/conntap: --output [^\n]*: [^\n]*${why}[^\n]*\n/;
	my $twice = $trouble->{anew} ? qr/$once$once/ : $once;
	ends_well($job, $name,
		qr/${twice}conntap: it works again, after $failures failure\(s\)\n/);
	my $there = entries($file =~ s{/[^/]*\z}{}r);
	like($there, qr/\A(?:flows(?:-\d+)?\.xml ?)+\z/, "$name: no litter");
}

sub start_without_rights {
	my $dir = open_dir();
	my $job = start_service({}, qw(setpriv --bounding-set=-net_admin
		--inh-caps=-net_admin), program('conntap'), 'xml', '--every', 1,
		'--output', "$dir/flows.xml");

	$job->{dir} = $dir;
	return $job;
}

# What can never be mended: it tries, and says so once.
sub check_without_rights {
	my ($job) = @_;

	wait_for_status($job, sub { $_[1] > 2 });
	ok((grep { $_->[1] eq 'READY=1' } told($job)), 'no rights: it is ready');
	is(entries($job->{dir}), '', 'no rights: no file');
	ends_well($job, 'no rights',
		qr/conntap: [^\n]*Operation not permitted[^\n]*CAP_NET_ADMIN\n/);
}

# What is worth a word in each pass is said once, also when all goes well.
sub check_warnings {
	my $dir = open_dir();

	set_sysctl('net/netfilter/nf_conntrack_acct', 0);
	my $job = start_exporting('--output', "$dir/flows.xml", '--every', 1, '--min-bytes',
		1);
	wait_for_status($job, sub { $_[0] > 2 });
	set_sysctl('net/netfilter/nf_conntrack_acct', 1);
	ends_well($job, 'a warning, once', qr/conntap: --min-bytes: [^\n]*\n/);
}

# In the middle of a pass, too.  A signal may come when all was done: so often as it
# takes for enough of them to come earlier.
sub check_end {
	my ($flows) = @_;
	my $dir = open_dir();
	my $path = "$dir/flows.xml";
	my (%kept, @took);

	for my $round (1 .. 60) {
		my $signal = $round % 2 ? 'TERM' : 'INT';
		my $first = $round % 4 < 2;
		my $when = $first ? 'in the first pass' : 'in a pass';
		next if ($kept{"$signal $when"} // 0) > 1;
		unlink $path;
		# That takes about a second.
		my $job = start_exporting('--output', $path, '--every', 3600,
			'--compress', $first ? 'zstd:19' : 'zstd:15');
		if (!$first) {
			wait_for_status($job, sub { $_[0] == 1 });
			kill USR1 => $job->{pid};
		}
		my $old = inode($path);
		wait_until('a file being made', sub { is_amid($job, $dir) });
		sleep rand 0.1;
		my ($status, $out, $err) = end_service($job, $signal);
		is("$status $out$err", '0 ', "$signal $when: it ends well");
		push @took, $job->{took};
		is_whole($path, "$signal $when") if inode($path) != $old;
		$kept{"$signal $when"}++ if inode($path) == $old;
		like(entries($dir), $first ? qr/\A(?:flows\.xml)?\z/ : qr/\Aflows\.xml\z/,
			"$signal $when: no litter");
		is((told($job))[-1][1], 'STOPPING=1', "$signal $when: it tells so");
		is((counts($job))[1], 0, "$signal $when: which is no failure");
	}
	is_deeply([map { $kept{"$_ in the first pass"}, $kept{"$_ in a pass"} } qw(TERM INT)],
		[(2) x 4], 'in a pass: the old file stays');
	@took = sort { $a <=> $b } @took;
	# Others may be busy, but not always.
	cmp_ok($took[@took / 2], '<', 1, 'in a pass: it ends within a second');
	cmp_ok($took[-1], '<', 5, 'in a pass: and always soon');
}

# The times in the names of the files in a directory.
sub times_in {
	my ($dir) = @_;
	my @times = map { /-(\d+)\.xml\z/ } glob "$dir/flows-*.xml";

	@times = sort { $a <=> $b } @times;
	return @times;
}

# Test: each is a period later than the one before; those left out have been told, of
# which there are none on a machine that is not busy.
sub one_a_period {
	my ($name, $period, $err, @times) = @_;
	my ($told, $missing, $odd) = (0, 0, 0);

	$told += $1 while $err =~ /again, after (\d+) skipped/g;
	for my $i (1 .. $#times) {
		my $step = $times[$i] - $times[$i - 1];
		$odd++ if $step <= 0 || $step % $period;
		$missing += $step / $period - 1;
	}
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($odd, 0, "$name: at multiples") or diag("@times");
	cmp_ok($missing, '<=', $told, "$name: all of them") or diag("@times\n$err");
}

# Stops it in the middle of a file, or while it waits for the next period.
sub stop {
	my ($job, $dir, $amid) = @_;

	wait_until('a stop at the right moment', sub {
		return 0 if $amid && !is_amid($job, $dir);
		kill STOP => $job->{pid};
		wait_until('a stop', sub { Lab::process_state($job->{pid}) eq 'T' });
		return 1 if $amid == is_amid($job, $dir);
		kill CONT => $job->{pid};
		return 0;
	});
}

# Multiples of the period, whatever comes in between.
sub check_periods {
	my ($meanwhile) = @_;
	my %dirs = map { $_ => open_dir() } qw(two kept waiting amid);
	# In the middle of a period, so that it is no multiple where it counts from there.
	wait_until('the middle of a period', sub { my $part = time / 2 - int(time / 2);
		return $part > 0.3 && $part < 0.6 });
	my $begun = time;
	my $start = sub { my ($dir, $every, @more) = @_;
		start_exporting('--every', $every, '--output', "$dirs{$dir}/flows-%s.xml",
			@more) };
	my $two = $start->('two', 2);
	my $kept = $start->('kept', 1, '--keep', 2);
	my $waiting = $start->('waiting', 2);
	my $amid = $start->('amid', 1, '--compress', 'gzip:9');

	wait_for_status($_, sub { $_[0] > 1 }) for $waiting, $amid;
	stop($waiting, $dirs{waiting}, 0);
	stop($amid, $dirs{amid}, 1);
	my $stopped = int time;
	$meanwhile->();
	# In the middle of a period again.
	wait_until('three periods', sub { time > $stopped + 4.3 && int(time) % 2 });
	kill CONT => $_->{pid} for $waiting, $amid;
	my $continued = int time;
	wait_for_status($amid, sub { $_[0] > 4 });
	wait_for_status($waiting, sub { $_[0] > 3 });
	wait_for_status($two, sub { $_[0] > 4 });
	my $late = time;

	my ($first, @rest) = times_in($dirs{two});
	my $err = ends_well($two, 'every 2 s');
	cmp_ok(abs($first - $begun), '<', 2, 'every 2 s: the first one is at once');
	is($rest[0] % 2, 0, 'every 2 s: the others are at multiples');
	one_a_period('every 2 s', 2, $err, $first - $first % 2, @rest);
	my ($soonest) = sort { $a <=> $b } map {
		(Time::HiRes::stat("$dirs{two}/flows-$_.xml"))[9] - $_ } @rest;
	cmp_ok($soonest, '<', 0.5, 'every 2 s: there and then');
	cmp_ok($late - $rest[-1], '<', 4, 'every 2 s: until now');
	ends_well($kept, '--keep');
	is(scalar(my @kept = times_in($dirs{kept})), 2, '--keep: so many');
	cmp_ok($late - $kept[-1], '<', 4, '--keep: the last ones');
	check_stopped_waiting($waiting, $dirs{waiting}, $stopped, $continued);
	check_stopped_amid($amid, $dirs{amid}, $stopped, $continued);
}

# One file after it, of the period that it is by then; and from then on as before.
sub check_stopped_waiting {
	my ($job, $dir, $stopped, $continued) = @_;
	my $err = ends_well($job, 'stopped, waiting');
	my @after = grep { $_ > $stopped } times_in($dir);

	is($after[0], $continued - $continued % 2, 'stopped, waiting: then one at once');
	one_a_period('stopped, waiting', 2, $err, @after);
}

sub check_stopped_amid {
	my ($job, $dir, $stopped, $continued) = @_;
	my $err = ends_well($job, 'stopped, amid');
	my @times = times_in($dir);
	my @within = grep { $_ > $stopped && $_ < $continued } @times;
	my @after = grep { $_ >= $continued } @times;

	is("@within", '', 'stopped, amid: no files of the time without it');
	cmp_ok($after[0], '<=', $continued + 1, 'stopped, amid: then one at once');
	one_a_period('stopped, amid', 1, $err =~ s/\A.*\n.* after \d+ skipped\n//r, @after);
	like($err, qr/\Aconntap: it takes longer than the 1 s of --every: \d+ period/,
		'stopped, amid: that takes long');
	like($err, qr/^conntap: it is within its period again, after \d+ skipped$/m,
		'stopped, amid: and then it does not');
}

# Conntap, with files that take so many seconds.
sub start_slow {
	my ($seconds, $dir, $every) = @_;

	return start_service({}, @strace, 'inject=linkat:delay_enter=' . $seconds * 1e6,
		program('conntap'), 'xml', '--every', $every, '--output',
		"$dir/flows-%s.xml");
}

# Files that take longer than a period.
sub check_slow {
	my ($job, $dir) = @_;

	wait_for_status($job, sub { $_[0] > 3 });
	my ($status, $out, $err) = end_service($job);
	is("$status $out", '0 ', 'slow: it ends well');
	like($err, qr/\Aconntap: it takes longer than the 1 s of --every[^\n]*\n\z/,
		'slow: this is said once');
	my @times = times_in($dir);
	is(scalar(grep { $times[$_] - $times[$_ - 1] < 2 } 2 .. $#times), 0,
		'slow: no period that a file takes has one of its own');
}

# A file that somebody asks for shortly before a period begins.
sub check_near {
	my $dir = open_dir();
	my $job = start_slow(0.5, $dir, 3);

	wait_for_status($job, sub { $_[0] > 0 });
	my $multiple = 3 * int(time / 3) + 3;
	$multiple += 3 if $multiple - time < 0.7;
	sleep $multiple - 0.25 - time;
	kill USR1 => $job->{pid};
	holds(sub { time > $multiple + 1.2 });
	my ($status, $out, $err) = end_service($job);
	is("$status $out", '0 ', 'near the next period: it ends well');
	is($err, '', 'near the next period: a file of half a second is not slow');
	ok((grep { $_ == $multiple } times_in($dir)),
		'near the next period: there is one of it, too');
}

# Some of it is waiting for others.
sub check_times {
	my $dir = open_dir();
	my $slow = $strace_works && start_slow(1.2, $dir, 1);

	check_periods(sub { check_signals(); check_warnings() });
	SKIP: {
		skip('strace does not work here: no slow files', 6) unless $strace_works;
		check_slow($slow, $dir);
		check_near();
	}
}

sub check_signals {
	my $dir = open_dir();
	my $job = start_exporting('--output', "$dir/flows-%s.xml", '--every', 3600);

	wait_for_status($job, sub { $_[0] == 1 });
	my $documents = 1;
	for my $signal ('USR1', 'HUP', 'USR1') {
		# Of another second, so of another name.
		my $now = int time;
		wait_for_second();
		kill $signal => $job->{pid};
		$documents++;
		wait_for_status($job, sub { $_[0] == $documents });
		cmp_ok(abs((times_in($dir))[-1] - ($now + 1)), '<=', 2, "$signal: at once");
		is(scalar(my @all = times_in($dir)), $documents, "$signal: one");
	}
	my ($status, $out, $err) = end_service($job);
	is("$status $out$err", '0 ', 'signals: it ends well');
	is(scalar(grep { $_->[1] eq 'READY=1' } told($job)), 1, 'signals: it is ready once');
}

# Files of a name, of that many seconds ago.
sub make_old {
	my ($dir, %age) = @_;

	for my $name (keys %age) {
		spew("$dir/$name", $name);
		utime time - $age{$name}, time - $age{$name}, "$dir/$name";
	}
}

# Removes what it has made itself, and that of its own host and namespace only.
sub check_keep {
	my $dir = open_dir();
	my $prefix = "flows-$host-self";
	my %own = ("$prefix-101.xml" => 100, "$prefix-102.xml" => 400,
		"$prefix-103.xml" => 300, "$prefix-99.xml" => 200);
	my @strangers = ("flows-elsewhere-self-100.xml", "flows-$host-one-100.xml",
		"$prefix-0100.xml", "$prefix-100.xml.gz", "$prefix-.xml", "$prefix-1e2.xml",
		"$prefix-100-2.xml", "a$prefix-100.xml", 'flows-self-100.xml', 'README');

	make_old($dir, %own, map { $_ => 1000 } @strangers);
	symlink 'README', "$dir/$prefix-1.xml" or die "$dir: $!\n";
	mkdir "$dir/$prefix-2.xml" or die "$dir: $!\n";
	push @strangers, "$prefix-1.xml", "$prefix-2.xml";
	my ($status, $out, $err) = conntap('xml', '--keep', 3, '--output',
		"$dir/flows-%h-%n-%s.xml");
	is("$status $out$err", '0 ', '--keep: status');
	my ($new) = grep { !$own{$_} } map { s{.*/}{}r } glob "$dir/$prefix-??????????.xml";
	is(entries($dir), join(' ', sort @strangers, $new, "$prefix-101.xml",
		"$prefix-99.xml"), '--keep: its own, the youngest, and all strangers');

	$dir = open_dir();
	make_old($dir, map({ ("20260101T00000$_.xml" => 100 * $_) } 1 .. 5),
		'20260231T000000.xml' => 1000, '20261301T000000.xml' => 1000,
		'20260101T250000.xml' => 1000, '2026010T000000.xml' => 1000);
	($status, $out, $err) = conntap('xml', '--keep', 2, '--output',
		"$dir/%Y%m%dT%H%M%S.xml");
	is("$status $out$err", '0 ', '--keep, dates: status');
	($new) = grep { !/\A2026(?:0101T00|0231|1301|0101T25|010T)/ } split ' ',
		entries($dir);
	is(entries($dir), join(' ', sort '20260101T000001.xml', '20260231T000000.xml',
		'20261301T000000.xml', '20260101T250000.xml', '2026010T000000.xml', $new),
		'--keep, dates: those that there are');
	like($new, qr/\A@{[strftime('%Y%m%dT', gmtime)]}\d{6}\.xml\z/, 'the time in UTC');
	check_future();
	check_stuck() if $nobody_works;
	check_own_disk();
}

# A clock that was set back: others are younger than what has just been written.
sub check_future {
	my $dir = open_dir();

	make_old($dir, map { +"f-400000000$_.xml" => -1000 * $_ } 1 .. 3);
	my ($status, $out, $err) = conntap('xml', '--keep', 2, '--output', "$dir/f-%s.xml");
	is("$status$out$err", 0, '--keep, a clock set back: status');
	like(entries($dir), qr/\Af-1\d{9}\.xml f-4000000003\.xml\z/,
		'--keep, a clock set back: the new one, and the youngest other');
}

# One that somebody else has made in a sticky directory cannot be removed.
sub check_stuck {
	my $dir = open_dir();

	chmod 01777, $dir;
	make_old($dir, map { +"f-$_.xml" => 1000 - $_ } 1 .. 5);
	chown 65534, 65534, "$dir/f-$_.xml" for 1, 2, 3, 5;
	my ($status, $out, $err) = run(@nobody, '--inh-caps=+net_admin',
		'--ambient-caps=+net_admin', program('conntap'), 'xml', '--keep', 2,
		'--output', "$dir/f-%s.xml");
	is("$status $out", '1 ', "--keep, somebody else's: status");
	is($err, "conntap: --keep: cannot remove older files: Operation not permitted\n",
		"--keep, somebody else's: why");
	like(entries($dir), qr/\Af-1\d{9}\.xml f-4\.xml f-5\.xml\z/,
		"--keep, somebody else's: its own are gone");
}

# A disk that is full of files that need not be kept any more.
sub check_own_disk {
	my $dir = small_disk();

	spew("$dir/f-$_.xml", 'x' x 150_000) for 1 .. 4;
	fill_disk($dir);
	unlink "$dir/filler" if !-s "$dir/filler";
	my ($status, $out, $err) = conntap('xml', '--output', "$dir/f-%s.xml");
	is($status, 1, 'a full disk: there is no room');
	($status, $out, $err) = conntap('xml', '--keep', 1, '--output', "$dir/f-%s.xml");
	is("$status$out$err", 0, '--keep on a full disk: status');
	like(entries($dir), qr/\Af-1\d{9}\.xml filler\z/, '--keep on a full disk: room is made');
	run('umount', $dir);
}

# Makes a flow in a namespace, with that source port.
sub make_flow {
	my ($netns, $port) = @_;

	insert_flows($netns, $port - 1, 1);
}

sub ports_in {
	my ($path) = @_;

	return join ' ', slurp($path) =~ /^ {6}<tuple [^>]* sport="(\d+)"/mg;
}

# Waits for as many more files as are sure to have begun after now, where there are so
# many in a period.
sub wait_for_next {
	my ($job, $files) = @_;
	my ($documents, $failures) = counts($job);

	wait_for_status($job, sub { $_[0] + $_[1] >= $documents + $failures + 2 * $files });
}

# A file for each, as they come and go.
sub check_namespaces {
	my ($dir, $each) = (open_dir(), open_dir());

	netns('add', $_) for 'one', 'two';
	make_flow('one', 1001);
	make_flow('two', 1002);
	my $all = start_exporting('--output', "$dir/%n.xml", '--every', 1, '--netns', 'all');
	my $some = start_exporting('--output', "$each/%n-%h.xml", '--every', 1, '--netns',
		'one', '--netns', 'two');
	wait_for_status($_, sub { $_[0] > 0 }) for $all, $some;
	is(entries($each), "one-$host.xml two-$host.xml", '%n: a file for each');
	like(entries($dir), qr/\Aclient\.xml gateway\.xml .*one\.xml server\.xml two\.xml\z/,
		'%n: a file for all');
	for my $path ("$dir/one.xml", "$each/one-$host.xml") {
		is(ports_in($path), '1001', "$path: its flow");
		like(slurp($path), qr/^<conntracks [^>]* netns="one"/m, "$path: its name");
		is_valid($path, $path);
	}
	is(ports_in("$dir/two.xml"), '1002', '%n: the other flow');
	netns('add', 'three');
	make_flow('three', 1003);
	netns('delete', 'one');
	wait_for_next($all, 6), wait_for_next($some, 2);
	my %before = map { $_ => inode($_) } glob "$dir/*.xml $each/*.xml";
	wait_for_next($all, 6), wait_for_next($some, 2);
	is(ports_in("$dir/three.xml"), '1003', '%n: a new one');
	my @still = grep { inode($_) == $before{$_} } sort keys %before;
	is("@still", join(' ', sort "$dir/one.xml", "$each/one-$host.xml"),
		'%n: the others go on');
	# It may have been at it when the namespace went.
	ends_well($all, '--netns all',
		qr/(?:conntap: --netns one: .*\nconntap: it works again.*\n)?/);
	is(said(so_far($some, 'stderr')), 'conntap: --netns one: there is no such ' .
		"namespace (see ip netns)\n", '--netns one: it is missed');
	netns('add', 'one');
	my ($documents, $failures) = counts($some);
	cmp_ok($documents, '>', $failures, '--netns one: those of the other are counted');
	wait_for_status($some, sub { !$_[2] });
	ends_well($some, '--netns one', qr/conntap:\ --netns\ one:\ [^\n]*\n
		conntap:\ it\ works\ again,\ after\ \d+\ failure\(s\)\n/x);
	is(ports_in("$each/one-$host.xml"), '', '--netns one: another one');
	netns('delete', $_) for qw(one two three);
	check_several();
	check_none();
	check_like_names();
}

# Two names that are not the same do not become so.
sub check_like_names {
	my $dir = open_dir();

	netns('add', $_) for 'a b', 'a_b';
	make_flow('a b', 1001);
	make_flow('a_b', 1002);
	is_deeply([conntap('xml', '--output', "$dir/%n.xml", '--netns', 'a b', '--netns',
		'a_b')], [0, '', ''], 'like names');
	is(join(' ', map { ports_in("$dir/$_.xml") } 'a%20b', 'a_b'), '1001 1002',
		'like names: a file each');
	netns('delete', $_) for 'a b', 'a_b';
}

# All in one file; with one of them missing there is none.
sub check_several {
	my $dir = open_dir();
	my $path = "$dir/flows.xml";

	netns('add', $_) for 'one', 'two';
	make_flow('one', 1001);
	make_flow('two', 1002);
	my @where = ('--netns', 'one', '--netns', 'two');
	is_deeply([conntap('xml', '--output', $path, @where)], [0, '', ''], 'several');
	is(ports_in($path), '1001 1002', 'several: all flows');
	is_valid($path, 'several');
	my $old = inode($path);
	netns('delete', 'one');
	my ($status, $out, $err) = conntap('xml', '--output', $path, @where);
	is("$status $out", '1 ', 'several, one is missing: status');
	like($err, qr/\Aconntap: --netns one: [^\n]*\n\z/, 'several, one is missing: why');
	is(inode($path), $old, 'several, one is missing: the old file stays');
	netns('delete', 'two');
}

# Where no namespace has a name, nothing is looked at, and nothing told of the present one.
sub check_none {
	my ($status, $out, $err) = run(qw(unshare -m sh -c),
		'mount -t tmpfs none /run/netns && exec "$@"', 'sh', program('conntap'), 'xml',
		'--netns', 'all');

	is("$status $err", '0 ', '--netns all, without any: status');
	is(not_whole($out, 0), '', '--netns all, without any: an empty document');
	unlike($out, qr/ count="\d/, '--netns all, without any: of no table');
}

# Without what is another time's.
sub timeless {
	my ($text) = @_;

	$text =~ s/ (?:begun|ended)="[^"]*"//g;
	$text =~ s/ timeout="\d+"//g;
	$text =~ s/<(timeout|deltatime)>\d+/<$1>/g;
	return $text;
}

sub check_compression {
	my $dir = open_dir();
	my %suffix = (gzip => '.gz', zstd => '.zst');

	for my $dialect ('conntracks', 'flows') {
		my (undef, $plain) = conntap('xml', '--dialect', $dialect);
		for my $how ('gzip', 'gzip:9', 'zstd', 'zstd:19', 'none') {
			my ($name) = $how =~ /(\w+)/;
			my $path = "$dir/flows.xml" . ($suffix{$name} // '');
			my @arguments = ('xml', '--dialect', $dialect, '--compress', $how);
			is_deeply([conntap(@arguments, '--output', $path)], [0, '', ''],
				"$how, $dialect: a file");
			my ($status, $out, $err) = conntap(@arguments);
			is("$status $err", '0 ', "$how, $dialect: stdout");
			# By the programs' own tests, and not of our doing.
			is((run($name, '-tq', $path))[0], 0, "$how, $dialect: $name -t")
				if $suffix{$name};
			ok(timeless(unpacked($_)) eq timeless($plain),
				"$how, $dialect: the same document") for slurp($path), $out;
			cmp_ok(length $out, '<', length($plain) / 5, "$how: it is small")
				if $suffix{$name};
		}
	}
	# What ends may be told on stdout, too.
	my $job = start_listening({}, 4, program('conntap'), 'xml', '--events',
		'--compress', 'gzip');
	my ($status, $out) = interrupt($job);
	is($status, 0, '--events --compress, stdout: status');
	is(unpack('H4', $out), '1f8b', '--events --compress, stdout: it is compressed');
	like(eval { unpacked($out) } // '', qr{</conntracks>\n\z}, 'and whole');
}

sub check_mode {
	my $dir = open_dir();
	my $path = "$dir/flows.xml";
	my $umask = umask;
	my $look = sub { sprintf '%04o %d %d', (stat $path)[2] & 07777,
		(stat _)[4, 5] };

	for my $case (['0600 0 0', '--mode', '600'], ['0644 0 0', '--mode', '0644'],
		['0666 0 0', '--mode', '0666'], ['0640 0 0'],
		['0640 65534 0', '--owner', 65534], ['0640 0 65534', '--owner', ':65534'],
		['0440 65534 65534', '--owner', '65534:65534', '--mode', '0440']) {
		my ($expected, @options) = @$case;
		my $name = "@options" || 'umask';
		# Not those of the file that was there.
		spew($path, 'old');
		chmod 0604, $path;
		umask 0027;
		my @result = conntap('xml', '--output', $path, @options);
		umask $umask;
		is_deeply(\@result, [0, '', ''], "$name: status");
		is($look->(), $expected, "$name: whose it is, and who may read it");
	}
	refused(2, $_->[0], 'xml', '--output', $path, $_->[0], $_->[1])
		for ['--mode', '0755'], ['--mode', '888'], ['--owner', ':'],
			['--owner', 'nobody-of-that-name'];
	SKIP: {
		skip('nobody cannot run conntap here', 2) unless $nobody_works;
		chmod 0777, $dir;
		my ($status, $out, $err) = run(@nobody, '--inh-caps=+net_admin',
			'--ambient-caps=+net_admin', program('conntap'), 'xml', '--output',
			$path, '--owner', '0');
		is("$status $out$err", "1 conntap: --output $path: Operation not " .
			"permitted\n", '--owner, as nobody: why');
		is($look->(), '0440 65534 65534', '--owner, as nobody: the old file stays');
	}
}

# The messages, without repetitions in a row.
sub gist {
	my @messages = map { $_->[1] =~ s/=.*document.*/=/r } @_;

	return join ' ', @messages[grep { !$_ || $messages[$_] ne $messages[$_ - 1] }
		0 .. $#messages];
}

sub check_notifications {
	my $dir = open_dir();
	my %where = (path => "$dir/socket", abstract => "\@conntap-export-$$");
	my @arguments = (program('conntap'), 'xml', '--every', 3600, '--output');

	for my $kind (sort keys %where) {
		my $environment = { NOTIFY_SOCKET => $where{$kind} };
		my $good = start_service($environment, @arguments, "$dir/flows.xml");
		wait_for_status($good, sub { $_[0] == 1 });
		wait_until('READY', sub { (told($good))[-1][1] eq 'READY=1' });
		ok(-e "$dir/flows.xml", "$kind: ready when the file is there");
		unlink "$dir/flows.xml";
		my ($status, $out, $err) = end_service($good);
		is("$status $out$err", '0 ', "$kind: it ends well");
		is(gist(told($good)), 'STATUS= READY=1 STOPPING=1', "$kind: what it tells");
		is((told($good))[0][1], 'STATUS=1 document(s), 0 failure(s)', "$kind: how it is");
	}
	my $bad = start_service({}, @arguments, "$dir/none/flows.xml");
	wait_until('READY', sub { grep { $_->[1] eq 'READY=1' } told($bad) });
	is((told($bad))[0][1], 'STATUS=0 document(s), 1 failure(s), the last one too',
		'a failure: how it is');
	end_service($bad);
	# Nobody there is no reason to fail.
	for my $name ('', '@', '/', "$dir/none", 'x' x 200) {
		local $ENV{NOTIFY_SOCKET} = $name;
		my $job = start({}, @arguments, "$dir/flows.xml");
		ok(holds(sub { -e "$dir/flows.xml" }), "\"$name\": a file nevertheless");
		unlink "$dir/flows.xml";
		my ($status, $out, $err) = end_service($job);
		is("$status $out$err", '0 ', "\"$name\": it ends well");
	}
}

# The longest that a manager had to wait for a word in those seconds.
sub longest_silence {
	my ($job, $from, $to) = @_;
	my @times = ($from, grep({ $_ > $from && $_ < $to } map { $_->[0] }
		grep { $_->[1] eq 'WATCHDOG=1' } told($job)), $to);
	my ($longest) = sort { $b <=> $a } map { $times[$_] - $times[$_ - 1] } 1 .. $#times;

	return $longest;
}

# How often the manager is told that all is well.
sub check_watchdog {
	my $dir = open_dir();
	my @command = (program('conntap'), 'xml', '--every', 3600, '--output');
	my @mine = ('sh', '-c', 'WATCHDOG_PID=$$ exec "$@"', 'sh');
	my $soon = { WATCHDOG_USEC => 2_000_000 };
	my %jobs = (any => start_service($soon, @command, "$dir/any.xml"),
		mine => start_service($soon, @mine, @command, "$dir/mine.xml"),
		others => start_service({ %$soon, WATCHDOG_PID => $$ }, @command,
			"$dir/others.xml"),
		none => start_service({}, @command, "$dir/none.xml"));
	# Half a minute's patience is a word each 15 s at the latest, but at first at once.
	$jobs{patient} = start_service({ WATCHDOG_USEC => 30_000_000 }, @command,
		"$dir/patient.xml");

	wait_for_status($_, sub { $_[0] == 1 }) for values %jobs;
	my $from = time;
	my @long = start_long_passes($dir);
	holds(sub { told($_) for values %jobs, @long; time > $from + 4.2 });
	my $to = time;
	for my $name (sort keys %jobs) {
		my ($status, $out, $err) = end_service($jobs{$name});
		is("$status $out$err", '0 ', "watchdog, $name: it ends well");
	}
	for my $name ('any', 'mine') {
		cmp_ok(longest_silence($jobs{$name}, $from, $to), '<', 1.5,
			"watchdog, $name: twice in the time");
		cmp_ok(scalar(grep { $_->[1] eq 'WATCHDOG=1' } told($jobs{$name})), '<', 15,
			"watchdog, $name: and not all the time");
	}
	is(scalar(grep { $_->[1] =~ /WATCHDOG/ } told($jobs{$_})), 0,
		"watchdog, $_: silence") for 'others', 'none';
	cmp_ok(scalar(grep { $_->[1] =~ /WATCHDOG/ } told($jobs{patient})), '<=', 2,
		'watchdog, patient: seldom');
	check_long_passes(@long);
}

# Much to do; and also much to do where what was asked for is nothing of it.
sub start_long_passes {
	my ($dir) = @_;
	my %conditions = ('all flows' => [], 'no flows' => ['--sport', 1]);
	my @jobs;

	return unless $strace_works;
	for my $name (sort keys %conditions) {
		my $job = start_service({ WATCHDOG_USEC => 2_000_000 }, @strace,
			'inject=recvfrom:delay_enter=15000', program('conntap'), 'xml',
			'--every', 3600, '--output', "$dir/$name.xml", @{$conditions{$name}});
		$job->{name} = "a long pass, $name";
		push @jobs, $job;
	}
	return @jobs;
}

sub check_long_passes {
	my @jobs = @_;

	SKIP: {
		skip('strace does not work here: no long passes', 6) unless $strace_works;
		for my $job (@jobs) {
			ok(holds(sub { told($_) for @jobs; (counts($job))[0] }),
				"$job->{name}: it comes to an end");
		}
		for my $job (@jobs) {
			my ($ready) = map { $_->[0] } grep { $_->[1] =~ /STATUS/ } told($job);
			cmp_ok($ready - $job->{begun}, '>', 2.2, "$job->{name}: it is long");
			cmp_ok(longest_silence($job, $job->{begun}, $ready), '<', 2,
				"$job->{name}: all is well");
			end_service($job);
		}
	}
}

# Where stderr is the journal's, lines have a level.
sub check_journal {
	my $dir = open_dir();

	for my $case ('the same', 'another') {
		my $file = File::Temp->new;
		my ($device, $inode) = stat $file;
		$inode++ if $case eq 'another';
		local $ENV{JOURNAL_STREAM} = "$device:$inode";
		my $job = start({ stderr => $file }, program('conntap'), 'xml', '-v',
			'--every', 1, '--output', "$dir/none/flows.xml");
		$job->{'stderr-file'} = $file;
		holds(sub { so_far($job, 'stderr') =~ /No such file/ });
		mkdir "$dir/none" or die "$dir/none: $!\n";
		holds(sub { so_far($job, 'stderr') =~ /works again/ });
		my ($status, $out, $err) = end_service($job);
		is("$status $out", '0 ', "journal, $case: it ends well");
		my ($failed, $notice, $info) = map { $case eq 'another' ? 'conntap: ' : $_ }
			'<3>', '<5>', '<6>';
		my @lines = ("$failed--output [^\n]*: No such file or directory",
			"$info\Q$dir\E/none/flows\.xml is written",
			"${notice}it works again, after \\d+ failure\\(s\\)");
		my $lines = join "\n", @lines;
		like($err, qr/\A$lines\n/,
			"journal, $case: the lines");
		unlike($err, $case eq 'another' ? qr/^</m : qr/conntap: /,
			"journal, $case: all of them");
		unlink "$dir/none/flows.xml";
		rmdir "$dir/none";
	}
}

# What tells a flow from all others, of both dialects and of conntrack(8).
sub key_of {
	my ($id, @tuple) = @_;

	return join ' ', $id, map { $_ // '-' } @tuple;
}

sub keys_of_document {
	my ($text) = @_;

	if ($text =~ /^<conntracks /m) {
		return map { my ($flow) = $_;
			my ($id) = $flow =~ /\bid="(\d+)"/;
			my ($tuple) = $flow =~ /<tuple([^>]*)>/;
			key_of($id, map { $tuple =~ / $_="([^"]*)"/ }
				qw(src dst proto)) } split /(?=^ {3}<conntrack )/m,
			$text =~ s{\A.*?(?=^ {3}<conntrack )}{}smr;
	}
	return map { my ($flow) = $_;
		my ($id) = $flow =~ /.*<id>(\d+)</;
		key_of($id, map { $flow =~ $_ } qr/<src>([^<]*)</, qr/<dst>([^<]*)</,
			qr/<layer4 protonum="(\d+)"/) } $text =~ /^(<flow.*)$/mg;
}

sub keys_of_table {
	return map { key_of($_->{id}, $_->{orig}{src}, $_->{orig}{dst}, $_->{protonum}) } @_;
}

sub flows_in {
	my ($netns) = @_;
	my @before = $netns ? ('ip', 'netns', 'exec', $netns) : ();

	return map { parse_flow($_) } map {
		my ($status, $out, $err) = run(@before, 'conntrack', '-L', '-f', $_, '-o',
			'extended,id');
		die "conntrack -L: $err\n" if $status;
		split /\n/, $out } 'ipv4', 'ipv6';
}

# A table that is quiet: as conntrack(8) has it.
sub check_quiet {
	my $dir = open_dir();
	my $path = "$dir/flows.xml";

	netns('add', 'one');
	make_flow('one', $_) for 1 .. 5;
	for my $netns (undef, 'one', 'gateway') {
		my @expected = keys_of_table(flows_in($netns));
		my @where = $netns ? ('--netns', $netns) : ();
		for my $kind (@kinds) {
			my $name = join ' ', 'quiet', @$kind, @where;
			is_deeply([conntap('xml', '--output', $path, @$kind, @where)],
				[0, '', ''], "$name: status");
			same_lines([keys_of_document(unpacked(slurp($path)))], \@expected,
				"$name: all flows");
		}
	}
	netns('delete', 'one');
	is_deeply([conntap('xml', '--stats', '--expect', '--output', $path)], [0, '', ''],
		'--stats --expect: status');
	is_valid($path, '--stats --expect');
	like(slurp($path), qr{^ {3}</metrics>\n {3}<totals flows="\d+" expectations="\d+"}m,
		'--stats --expect: they are there');
	is_deeply([conntap('xml', '--format', 'json', '--output', $path)], [0, '', ''],
		'json: status');
	is(scalar json_lines(slurp($path), 'json'), table_size(), 'json: all flows');
}

# Makes flows and deletes them again, all with the mark that no stable flow has.
sub start_churn {
	my $pid = fork // die "fork: $!\n";

	return $pid if $pid;
	my $end = 0;
	local $SIG{TERM} = sub { $end = 1 };
	until ($end) {
		flood('-f', 7000000, '-n', 21000, '--step', 7);
		conntap('delete', '--quiet', '--mark', 7);
	}
	_exit(0);
}

sub check_churn {
	my $dir = open_dir();
	my $path = "$dir/flows.xml";

	conntap('delete', '--quiet', '--mark', 7);
	my @stable = keys_of_table(flows_in());
	my %stable = map { $_ => 1 } @stable;
	my $others = 0;
	my $churn = start_churn();
	for my $dialect ('conntracks', 'flows') {
		my $job = start_exporting('--output', $path, '--every', 3600, '--dialect',
			$dialect);
		my $held;
		for my $turn (1 .. 10) {
			wait_for_status($job, sub { $_[0] == $turn });
			$held //= files_held($job);
			my $text = slurp($path);
			is(not_whole($text), '', "churn, $dialect $turn: whole");
			my @found = keys_of_document($text);
			my @same = grep { $stable{$_} } @found;
			same_lines(\@same, \@stable, "churn, $dialect $turn: stable flows");
			$others += @found - @same;
			kill USR1 => $job->{pid};
		}
		ok(holds(sub { files_held($job) <= $held }),
			"churn, $dialect: it leaves no file open");
		is((end_service($job))[0], 0, "churn, $dialect: it ends well");
	}
	kill TERM => $churn;
	waitpid $churn, 0;
	cmp_ok($others, '>', 1000, 'churn: meanwhile the table changes');
}

my %checks = (
	kills => sub { fill(3000); check_kills(100, 3000); check_litter() },
	troubles => sub { fill(300); check_troubles() },
	end => sub { fill(4000); check_end() },
	periods => sub { fill(3000); check_times() },
	keep => sub { fill(10); check_keep() },
	netns => sub { fill(10); check_namespaces() },
	files => sub { fill(1000); check_compression(); check_mode() },
	manager => sub { fill(20000); check_watchdog(); fill(300); check_notifications();
		check_journal() },
	flows => sub { fill(3500); check_quiet(); check_churn() },
);
my @all = qw(kills troubles end periods keep netns files manager flows);
for my $name (@ARGV ? @ARGV : @all) {
	my $begun = time;
	$checks{$name}->();
	note(sprintf '%s: %.1f s', $name, time - $begun);
}

done_testing();
