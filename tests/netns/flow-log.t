#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conntap xml --events --output: every flow that ends is in one document, with what it
# carried, as conntrack(8) beside it sees it end; what cannot be written is told, to the
# last event.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use POSIX qw(_exit);
use Test::More;
use Time::HiRes qw(sleep time);

use lib $FindBin::Bin;
use Files qw(:DEFAULT unpacked start_service told counts holds wait_for_status
	end_service files_held);
use Lab;

enter_lab();
# In memory: a busy disk takes seconds to sync.
$ENV{TMPDIR} = '/run';

# The group of netfilter of flows that end, as start_listening() counts them.
use constant ENDS => 4;

my $seed = $ENV{CONNTAP_SEED} // int rand 2 ** 31;
my $first_flow = 0;

note("CONNTAP_SEED=$seed");
srand $seed;
# What is told shall be kept until we look.
set_sysctl('net/unix/max_dgram_qlen', 1000);

# Starts a log, into files flows-%s of a directory, and waits until it listens.
sub start_log {
	my ($dir, $every, @arguments) = @_;
	my $job = start_service({}, program('conntap'), 'xml', '--events', '--output',
		"$dir/flows-%s", '--every', $every, @arguments);

	holds(sub { grep { $_->[1] eq 'READY=1' } told($job) }) or
		die "$job->{command} is never ready\n";
	return $job;
}

# Ends it, and tests what it has said: nothing, or that.
sub ends_well {
	my ($job, $name, $said, $signal) = @_;
	my ($status, $out, $err) = end_service($job, $signal);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is("$status $out", '0 ', "$name: it ends well");
	$said //= qr//;
	like($err, qr/\A$said\z/, "$name: what it says");
}

# All documents of a directory, in turn.
sub paths_in {
	my ($dir) = @_;
	my @paths = glob "$dir/flows-*";

	@paths = sort { $a cmp $b } @paths;
	return @paths;
}

# So many flows, each another than all before, that end at once.
sub make_ends {
	my ($count) = @_;

	flood('-f', $first_flow, '-n', $count, '--seed', $seed);
	$first_flow += $count;
	is((conntap('flush', '--yes'))[0], 0, 'a flush') or die "no flush\n";
}

# Seconds that begin after now.
sub wait_for_second {
	my $now = int time;

	wait_until('the next second', sub { int time > $now });
}

# What a document tells of itself: a hash, with the events as an array of hashes: key,
# packets, bytes, duration, netns.
sub read_document {
	my ($path) = @_;
	my $text = unpacked(slurp($path) // die "$path: $!\n");

	return read_json($path, $text) if $text !~ /\A</;
	my $xml = $text =~ /\n<conntracks /;
	my %document = (path => $path, text => $text,
		events => [$xml ? map({ event_of_xml($_) } split_at($text, '   <conntrack ')) :
			map({ event_of_flows($_) } split_at($text, '<flow '))],
		lost => sum_of($text =~ /\n *<lost events="(\d+)"/g));
	($document{begun}) = $text =~ / begun="([\d.]+)"/;
	my $totals = $text =~ /\n *<totals ([^>]*) \/>\n<\/conntracks?>\n\z/ ? $1 :
		die "$path has no totals: $text\n";
	$document{totals} = { $totals =~ /(\w+)="([^"]*)"/g };
	return \%document;
}

sub read_json {
	my ($path, $text) = @_;
	my @lines = json_lines($text, $path);

	return { path => $path,
		events => [map { event_of_json($_) } grep { $_->{event} eq 'destroy' } @lines],
		lost => sum_of(map { $_->{event} eq 'lost' ? $_->{lost} : () } @lines),
		gap => scalar grep { $_->{event} eq 'incomplete' && $_->{malformed} == 0 &&
			$_->{time} > 0 } @lines };
}

sub sum_of {
	my $sum = 0;

	$sum += $_ for @_;
	return $sum;
}

# The lines from one beginning to the next.
sub split_at {
	my ($text, $beginning) = @_;
	my (undef, @pieces) = split /\n\Q$beginning\E/, $text;

	return @pieces;
}

# What tells a flow from all others.
sub key_of {
	return join ' ', map { $_ // '-' } @_;
}

sub event_of_xml {
	my ($text) = @_;
	my ($id) = $text =~ /\bid="(\d+)"/;
	my ($netns) = $text =~ /\A[^>]* netns="([^"]*)"/;
	my ($tuple) = $text =~ /<tuple ([^>]*)/;
	my ($src, $dst, $proto) = $tuple =~ /src="(\S+)" dst="(\S+)" proto="(\d+)"/;
	my ($duration) = $text =~ / duration="([\d.]+)"/;
	my ($time) = $text =~ /\A[^>]* event="destroy" time="([\d.]+)"/;

	return { key => key_of($id, $src, $dst, $proto), netns => $netns, time => $time,
		tuple => $tuple,
		packets => sum_of($text =~ /<counter packets="(\d+)"/g),
		bytes => sum_of($text =~ /<counter packets="\d+" bytes="(\d+)"/g),
		duration => $duration };
}

sub event_of_flows {
	my ($text) = @_;
	my ($id) = $text =~ /.*<id>(\d+)</;
	my ($src, $dst) = $text =~ /<src>([^<]*)<\/src><dst>([^<]*)</;
	my ($proto) = $text =~ /<layer4 protonum="(\d+)"/;
	my ($duration) = $text =~ /<deltatime>(\d+)</;

	return { key => key_of($id, $src, $dst, $proto), duration => $duration,
		packets => sum_of($text =~ /<packets>(\d+)</g),
		bytes => sum_of($text =~ /<bytes>(\d+)</g) };
}

sub event_of_json {
	my ($object) = @_;
	my ($orig, $reply) = @$object{qw(orig reply)};

	return { key => key_of($object->{id}, @$orig{qw(src dst)}, $object->{protonum}),
		packets => sum_of(map { $_->{packets} // 0 } $orig, $reply),
		bytes => sum_of(map { $_->{bytes} // 0 } $orig, $reply),
		time => $object->{time}, netns => $object->{netns}, duration => $object->{duration} };
}

# Test: every document is whole and right about itself, and they follow one another.
# Returns all of them.
sub read_log {
	my ($dir, $name) = @_;
	my @documents = map { read_document($_) } paths_in($dir);
	my @wrong;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for my $document (grep { $_->{totals} } @documents) {
		my $totals = $document->{totals};
		push @wrong, "$document->{path}: $totals->{events}, $totals->{lost} lost"
			if $totals->{events} != @{$document->{events}} ||
				$totals->{lost} != $document->{lost} ||
				$totals->{malformed} != 0;
	}
	is("@wrong", '', "$name: totals");
	my @odd = grep { $documents[$_]{begun} &&
		$documents[$_]{begun} < $documents[$_ - 1]{totals}{ended} } 1 .. $#documents;
	is("@odd", '', "$name: one after the other");
	is(entries($dir), join(' ', map { s{.*/}{}r } paths_in($dir)), "$name: no litter");
	return @documents;
}

sub events_in {
	return map { @{$_->{events}} } @_;
}

sub is_valid {
	my ($document) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	fits_schema($document->{text} =~ /\n<conntracks / ? 'conntracks' : 'flows',
		$document->{text}, $document->{path});
}

# Listens as conntap does.
sub start_judge {
	return start_listening({}, ENDS, 'conntrack', '-E', '-e', 'DESTROY', '-b', 2 ** 26,
		'-o', 'timestamp,extended,id,ktimestamp');
}

# What it has seen, as events of a document; with the time when it saw them.
sub verdict {
	my ($judge) = @_;
	my ($status, $out, $err) = interrupt($judge);

	unlike($err, qr/lost|overrun|ENOBUFS/i, 'conntrack(8) has lost none');
	return map {
		my ($time, $line) = /^\[([\d.]+)\]\s+\[DESTROY\] +(.*)$/ or die "what is $_?\n";
		my $flow = parse_flow($line);
		my ($orig, $reply) = @$flow{qw(orig reply)};
		{ key => key_of($flow->{id}, @$orig{qw(src dst)}, $flow->{protonum}),
			time => $time, packets => $orig->{packets} + $reply->{packets},
			bytes => $orig->{bytes} + $reply->{bytes},
			duration => $flow->{stop} - $flow->{start} } } split /\n/, $out;
}

# Test: these events are those, in any order.
sub same_events {
	my ($name, $got, $expected) = @_;
	my @lines = map { [map { "$_->{key}: $_->{packets} packets, $_->{bytes} bytes" } @$_] }
		$got, $expected;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return same_lines(@lines, "$name: each flow that ended, once");
}

# Real flows, with packets in them, that end over some periods.
sub check_traffic {
	my %options = (xml => [], flows => ['--dialect', 'flows'],
		json => ['--format', 'json'], gzip => ['--compress', 'gzip']);
	my %dirs = map { $_ => open_dir() } sort keys %options;
	my $judge = start_judge();
	my %jobs = map { $_ => start_log($dirs{$_}, 1, @{$options{$_}}) } sort keys %options;
	my $traffic = start_traffic();

	for my $proto ('tcp', 'udp', 'icmp') {
		wait_for_second();
		run('conntrack', '-D', '-p', $proto, '-f', $_) for 'ipv4', 'ipv6';
	}
	$traffic = undef;
	run('conntrack', '-F');
	# And a document without any.
	wait_for_second();
	wait_for_second();
	ends_well($jobs{$_}, $_) for sort keys %jobs;
	my @expected = verdict($judge);
	my %expected = map { $_->{key} => $_ } @expected;
	cmp_ok(scalar @expected, '>', 50, 'traffic: many flows end');
	cmp_ok(scalar(grep { $_->{bytes} > 500 } @expected), '>', 10, 'traffic: of some size');
	for my $name (sort keys %options) {
		my @documents = read_log($dirs{$name}, $name);
		my @events = events_in(@documents);
		cmp_ok(scalar(grep { @{$_->{events}} } @documents), '>', 1,
			"$name: in several documents");
		cmp_ok(scalar(grep { !@{$_->{events}} } @documents), '>', 0,
			"$name: and none in others");
		same_events($name, \@events, \@expected);
		my @wrong = grep { abs($_->{duration} -
			($expected{$_->{key}} // $_)->{duration}) > 1 } @events;
		is("@{[map { $_->{key} } @wrong]}", '', "$name: how long they lasted");
		@wrong = grep { defined $_->{time} &&
			abs($_->{time} - ($expected{$_->{key}} // $_)->{time}) > 1 } @events;
		is("@{[map { $_->{key} } @wrong]}", '', "$name: when they ended");
		next if $name eq 'json';
		is_valid($_) for @documents;
		is(scalar(grep { $_->{totals}{complete} ne 'true' } @documents), 0,
			"$name: they are complete");
	}
}

# Makes flows end all the time, some thousand each second, for so many seconds.
sub start_ending {
	my ($seconds, $size) = @_;
	my $findings = File::Temp->new;
	my $pid = fork // die "fork: $!\n";

	return ($pid, $findings) if $pid;
	my ($deadline, $made) = (time + $seconds, 0);
	while (time < $deadline) {
		flood('-f', $first_flow + $made, '-n', $size, '--seed', $seed);
		run('conntrack', '-F');
		$made += $size;
		sleep 0.1;
	}
	syswrite $findings, $made;
	_exit(0);
}

# Nothing falls between two documents, whatever asks for the next one.  Each flow is
# another than all others; they are too many for conntrack(8) to see all of them.
sub check_streams {
	my %every = (periods => 1, signals => 3600, 'signals at once' => 1);
	my %dirs = map { $_ => open_dir() } keys %every;
	my %jobs = map { $_ => start_log($dirs{$_}, $every{$_}) } sort keys %every;
	my ($ending, $findings) = start_ending(4.5, 1000);

	until (waitpid $ending, POSIX::WNOHANG()) {
		# The one once a second, so with a name of its own; the other at any time.
		wait_for_second();
		signal($jobs{signals});
		for (1 .. 3) {
			sleep rand 0.25;
			signal($jobs{'signals at once'});
		}
	}
	my $made = slurp("$findings");
	$first_flow += $made;
	ends_well($jobs{$_}, $_) for sort keys %jobs;
	check_stream($_, $dirs{$_}, $made) for sort keys %jobs;
}

sub signal {
	my ($job) = @_;

	kill +(qw(HUP USR1))[rand 2], $job->{pid};
}

sub check_stream {
	my ($name, $dir, $made) = @_;
	my @documents = read_log($dir, $name);
	my @events = events_in(@documents);
	my %tuples = map { $_->{tuple} => 1 } @events;

	cmp_ok(scalar(grep { @{$_->{events}} } @documents), '>', 2,
		"$name: several documents of flows");
	is(scalar @events, $made, "$name: all flows that ended");
	is(scalar keys %tuples, @events, "$name: each of them once");
	is(scalar(grep { $_->{totals}{complete} ne 'true' } @documents), 0,
		"$name: they are complete");
	is_valid($documents[1]);
	note("$name: $made flows ended, ", scalar @documents, ' documents');
}

# A disk with some room, and one without.
sub small_disk {
	my $dir = open_dir();
	my ($status, undef, $err) = run('mount', '-t', 'tmpfs', '-o', 'size=8m', 'lab', $dir);

	is("$status$err", '0', 'a small disk');
	return $dir;
}

sub fill_disk {
	my ($dir) = @_;

	open my $file, '>', "$dir/filler" or die "$dir/filler: $!\n";
	1 while syswrite $file, 'x' x 65536;
	1 while syswrite $file, 'x' x 4096;
}

# What can fail, as hashes: the directory, how to break and to mend it, what is said, and
# whether anything is lost by it.
sub troubles {
	my %options = (xml => [], flows => ['--dialect', 'flows'],
		json => ['--format', 'json']);
	my $away = open_dir();

	return ({ name => 'no directory', dir => $away, why => 'No such file or directory',
		break => sub { rename $away, "$away.off" or die "$away: $!\n" },
		mend => sub { rename "$away.off", $away or die "$away: $!\n" } },
		map { my $dir = small_disk();
			{ name => "a full disk, $_", dir => $dir, options => $options{$_},
			why => 'No space left on device', loses => 1,
			break => sub { fill_disk($dir) },
			mend => sub { unlink "$dir/filler" } } } sort keys %options);
}

# All at the same time: what ends is for all of them.
sub check_troubles {
	my @all = troubles();

	$_->{job} = start_log($_->{dir}, 1, @{$_->{options} // []}) for @all;
	make_ends(100);
	wait_until('documents', sub { @all == grep { events_there($_) == 100 } @all });
	for my $log (@all) {
		my ($documents, $failures) = counts($log->{job});
		is($documents, scalar paths_in($log->{dir}),
			"$log->{name}: it tells how many there are") if !$failures;
	}
	$_->{break}->() for @all;
	# More than a buffer holds, so that it fails half-way; and then little.
	make_ends(3000);
	my $since = time;
	wait_until('three periods', sub { time > $since + 3.5 });
	for my $log (@all) {
		cmp_ok((counts($log->{job}))[1], '>', 1, "$log->{name}: it tells that it fails");
	}
	wait_for_status($_->{job}, sub { $_[1] > 1 }) for @all;
	make_ends(10);
	for my $log (@all) {
		my (undef, $failures) = counts($log->{job});
		wait_for_status($log->{job}, sub { $_[1] > $failures + 1 });
	}
	$_->{mend}->() for @all;
	$_->{before} = paths_in($_->{dir}) for @all;
	for my $log (@all) {
		wait_until('a document', sub { paths_in($log->{dir}) > $log->{before} });
	}
	make_ends(50);
	check_told($_, 100 + 3000 + 10 + 50) for @all;
}

sub events_there {
	return scalar events_in(map { read_document($_) } paths_in($_[0]{dir}));
}

# Test: what is there and what is told to be lost are all that ended.
sub check_told {
	my ($log, $ended) = @_;
	my ($name, $job, $dir) = @$log{qw(name job dir)};
	my (undef, $failures) = counts($job);
	my $why = qr/conntap: --output [^\n]*: $log->{why}\n/;

	wait_for_status($job, sub { !$_[2] });
	my $told = (counts($job))[3];
	my $lost = sum_of(map { read_document($_)->{lost} } paths_in($dir));
	my $gone = $lost ? qr/conntap: $lost events are in no document\n/ : qr//;
	ends_well($job, $name,
		qr/$why${gone}conntap: it works again, after $failures failure\(s\)\n/);
	is($told, $lost, "$name: it tells how many are lost");
	my @documents = read_log($dir, $name);
	my $seen = events_in(@documents);
	is($seen + $lost, $ended, "$name: what is seen and what is lost is all");
	note("$name: $seen seen, $lost lost");
	# Where no document could begin, what ended has waited.
	return is($lost, 0, "$name: nothing is lost") unless $log->{loses};
	cmp_ok($lost, '>', 0, "$name: some is lost");
	cmp_ok($seen, '>', 0, "$name: but not all");
	is(scalar(grep { $_->{lost} } @documents), 1, "$name: the loss is told once");
	is_valid($_) for grep { $_->{lost} && $_->{text} } @documents;
	run('umount', $dir);
}

# One document is too much for the disk, while others are not.
sub check_big_document {
	my $dir = small_disk();
	my $job = start_log($dir, 1);

	make_ends(50);
	wait_until('a document', sub { paths_in($dir) });
	make_ends(30000);
	wait_for_status($job, sub { $_[1] > 0 });
	my @paths = paths_in($dir);
	wait_until('two documents', sub { paths_in($dir) > @paths + 1 });
	make_ends(50);
	check_told({ name => 'a big document', job => $job, dir => $dir, loses => 1,
		why => 'No space left on device' }, 30100);
}

sub check_terms {
	my %options = (xml => [], flows => ['--dialect', 'flows'],
		json => ['--format', 'json'], zstd => ['--compress', 'zstd']);
	my %dirs = map { $_ => open_dir() } keys %options;
	my %jobs = map { $_ => start_log($dirs{$_}, 3600, @{$options{$_}}) }
		sort keys %options;

	# More than is taken at once, all of it before the signal.
	stop($_) for values %jobs;
	make_ends(6000);
	kill TERM => $_->{pid} for values %jobs;
	for my $format (sort keys %jobs) {
		ends_well($jobs{$format}, "TERM, $format", undef, 'CONT');
		my ($document, @others) = read_log($dirs{$format}, "TERM, $format");
		is(scalar @{$document->{events}}, 6000, "TERM, $format: all that had ended");
		is(scalar @others, 0, "TERM, $format: in one document");
		is_valid($document) if $format ne 'json';
		is((told($jobs{$format}))[-1][1], 'STOPPING=1', "TERM, $format: it tells so");
	}
}

sub stop {
	my ($job) = @_;

	kill STOP => $job->{pid};
	wait_until('a stop', sub { Lab::process_state($job->{pid}) eq 'T' });
}

# So many bytes of events wait for it to read them.
sub queued {
	my ($job) = @_;
	my %sockets = map { (readlink($_) // '') =~ /^socket:\[(\d+)\]/ ? ($1 => 1) : () }
		glob "/proc/$job->{pid}/fd/*";

	return sum_of(map { my @columns = split ' ', $_;
		$sockets{$columns[-1]} ? $columns[4] : () } split /\n/, slurp('/proc/net/netlink'));
}

# More than the socket's buffer holds, twice in a document.
sub check_overflow {
	my $dir = open_dir();
	my $job = start_log($dir, 3600);
	my $made = 0;

	for my $turn (1, 2) {
		stop($job);
		make_ends(150_000);
		$made += 150_000;
		kill CONT => $job->{pid};
		wait_until('an empty queue', sub { !queued($job) });
		# It hears of the loss when it reads on.
		make_ends(1);
		$made++;
		wait_until('an empty queue', sub { !queued($job) });
	}
	ends_well($job, 'an overflow',
		qr/conntap: \d+ events are in no document: they came too fast \(see --buffer\)\n/);
	my $text = slurp((paths_in($dir))[0]);
	my $seen = () = $text =~ /\n {3}<conntrack /g;
	my @lost = $text =~ /\n {3}<lost events="(\d+)"/g;
	my $lost = sum_of(@lost);
	cmp_ok(scalar @lost, '>', 1, 'an overflow: events are lost twice');
	is($seen + $lost, $made, 'an overflow: what is seen and what is lost is all');
	like(substr($text, -200), qr/<totals events="$seen" lost="$lost" /,
		'an overflow: totals');
	note("an overflow: $seen seen, $lost lost");
}

# What is finished stays, and all of it.
sub check_kills {
	my @logs = map { my $dir = open_dir();
		{ dir => $dir, job => start_log($dir, 1) } } 1 .. 8;

	make_ends(500);
	wait_until('the documents', sub { @logs == grep { events_there($_) == 500 } @logs });
	# Long before the next period.
	wait_for_second();
	make_ends(500);
	for my $log (@logs) {
		sleep rand 0.05;
		end_service($log->{job}, 'KILL');
	}
	for my $log (@logs) {
		read_log($log->{dir}, 'KILL');
		like(events_there($log), qr/\A(?:50|100)0\z/, 'KILL: earlier documents are there');
	}
	cmp_ok(scalar(grep { events_there($_) == 500 } @logs), '>', 0,
		'KILL: the present one is not, mostly');
}

sub check_keep {
	my ($job, $dir, $begun, $held) = @_;

	wait_until('some periods', sub { time > $begun + 5.2 });
	ok(holds(sub { files_held($job) <= $held }), '--keep: it leaves no file open');
	ends_well($job, '--keep');
	my @times = map { /-(\d+)\z/ } paths_in($dir);
	is(scalar @times, 2, '--keep: so many');
	cmp_ok($times[0], '>', $begun + 2, '--keep: the last ones');
	is(slurp("$dir/flows-1x"), 'of somebody else', "--keep: a stranger's file stays");
}

# Those that are kept come meanwhile.
sub check_ends {
	my $dir = open_dir();
	my $begun = time;
	my $job = start_log($dir, 1, '--keep', 2);
	my $held = files_held($job);

	spew("$dir/flows-1x", 'of somebody else');
	check_terms();
	check_kills();
	check_overflow();
	check_names();
	check_silence();
	check_prompt();
	check_keep($job, $dir, $begun, $held);
}

# No document takes the place of another: not of one that was there before, nor of one
# of the same second.
sub check_names {
	my $dir = open_dir();
	my $now = int time;

	spew("$dir/flows-$_", 'of before') for $now .. $now + 60;
	my $job = start_log($dir, 3600);
	make_ends(10);
	signal($job);
	wait_for_status($job, sub { $_[0] == 1 });
	make_ends(20);
	ends_well($job, 'names');
	my @paths = paths_in($dir);
	my @before = splice @paths, 0, 61;
	is(scalar(grep { slurp($_) eq 'of before' } @before), 61, 'names: the old ones stay');
	is(join(' ', map { scalar @{read_document($_)->{events}} } @paths), '10 20',
		'names: a document each');
}

# What the kernel does not tell is said at once; and what it does not keep is in the head.
sub check_silence {
	my $dir = open_dir();

	set_sysctl("net/netfilter/nf_conntrack_$_", 0) for 'events', 'acct';
	my $job = start_log($dir, 3600, '--min-bytes', 1);
	ends_well($job, 'silence', qr/conntap: --min-bytes: the kernel's accounting is off / .
		qr/[^\n]*\nconntap: the kernel tells no events of new flows [^\n]*_events=1[^\n]*\n/);
	like(slurp((paths_in($dir))[0]), qr/ accounting="false" timestamps="true" /,
		'silence: what is not kept is told');
	set_sysctl("net/netfilter/nf_conntrack_$_", 1) for 'events', 'acct';
}

# Who looks on sees each event when it comes, compressed or not.
sub check_prompt {
	for my $how ('gzip', 'zstd') {
		my $job = start_listening({}, ENDS, program('conntap'), 'xml', '--events',
			'--compress', $how, '--buffer', '1Mi');
		make_ends(3);
		my @unpack = $how eq 'gzip' ? ('gzip', '-dc') : ('zstd', '-dcq');
		my $file = File::Temp->new;
		wait_until("$how: three events", sub {
			spew("$file", so_far($job));
			my (undef, $text) = run(@unpack, "$file");
			return 3 == (() = $text =~ /<conntrack /g);
		});
		my ($status, $out, $err) = interrupt($job);
		is("$status $err", '0 ', "$how: it ends well");
		like(unpacked($out), qr/<totals events="3"/, "$how: and is whole");
	}
}

sub start_without_rights {
	my $dir = open_dir();
	my $job = start_service({}, qw(setpriv --bounding-set=-net_admin
		--inh-caps=-net_admin), program('conntap'), 'xml', '--events', '--every', 1,
		'--output', "$dir/flows-%s");

	$job->{dir} = $dir;
	return $job;
}

# What can never be mended: it tries, and says so once.
sub check_without_rights {
	my ($job) = @_;

	wait_for_status($job, sub { $_[1] > 2 });
	ok((grep { $_->[1] eq 'READY=1' } told($job)), 'no rights: it is ready');
	is((told($job))[0][1], 'STATUS=0 document(s), 1 failure(s), the last one too',
		'no rights: it tells how it is');
	ends_well($job, 'no rights',
		qr/conntap: [^\n]*Operation not permitted[^\n]*CAP_NET_ADMIN\n/);
	is(entries($job->{dir}), '', 'no rights: no file');
}

sub netns {
	my ($status, undef, $err) = run('ip', 'netns', @_);

	die "ip netns @_: $err\n" if $status;
}

# Makes flows in a namespace, from these ports, and has them end.
sub end_in {
	my ($netns, @ports) = @_;
	my @there = ('ip', 'netns', 'exec', $netns, 'conntrack');

	for my $port (@ports) {
		my ($status, undef, $err) = run(@there, '-I', '-p', 'udp', '-s', "192.0.2.$port",
			'-d', '192.0.2.200', '--sport', 5000, '--dport', 53, '-t', 600);
		die "conntrack -I: $err\n" if $status;
	}
	run(@there, '-F');
}

# "one 192.0.2.1" for each event.
sub whose {
	return join ', ', map { ($_->{netns} // '-') . ' ' . (split ' ', $_->{key})[1] }
		events_in(@_);
}

# One log of two namespaces.  Returns what is to be done later.
sub begin_several {
	my $dir = open_dir();

	netns('add', $_) for 'three', 'four';
	my $job = start_log($dir, 1, '--netns', 'three', '--netns', 'four');
	end_in('three', 1);
	end_in('four', 2);
	# Elsewhere.
	make_ends(1);
	return sub {
		end_in('three', 3);
		ends_well($job, 'several');
		my @documents = read_log($dir, 'several');
		is(join(', ', sort split /, /, whose(@documents)),
			'four 192.0.2.2, three 192.0.2.1, three 192.0.2.3',
			'several: whose they are');
		is_valid($_) for grep { @{$_->{events}} } @documents;
		netns('delete', $_) for 'three', 'four';
	};
}

# One of two goes, and comes back: the other is listened to all the time.
sub check_survivor {
	my %dirs = map { $_ => open_dir() } 'xml', 'json';

	netns('add', $_) for 'five', 'six';
	my %jobs = map { $_ => start_log($dirs{$_}, 1, '-o', $_, '--netns', 'five', '--netns',
		'six') } sort keys %dirs;
	my $shows = sub {
		my ($address) = @_;
		wait_until("an event of $address", sub {
			return 2 == grep { whose(map { read_document($_) } paths_in($_)) =~
				/ \Q$address\E/ } values %dirs });
	};
	netns('delete', 'six');
	wait_for_status($_, sub { $_[1] > 1 }) for values %jobs;
	end_in('five', 1);
	$shows->('192.0.2.1');
	netns('add', 'six');
	my %failures = map { $_ => (counts($jobs{$_}))[1] } keys %jobs;
	wait_for_status($_, sub { !$_[2] }) for values %jobs;
	end_in('six', 2);
	$shows->('192.0.2.2');
	for my $format (sort keys %jobs) {
		ends_well($jobs{$format}, "a survivor, $format", qr/conntap: --netns six: / .
			qr/there is no such namespace[^\n]*\nconntap: it works again, after \d+ / .
			qr/failure\(s\)\n/);
		my @documents = read_log($dirs{$format}, "a survivor, $format");
		is(whose(@documents), 'five 192.0.2.1, six 192.0.2.2',
			"a survivor, $format: what ended in either");
		my ($there) = grep { @{$_->{events}} } @documents;
		ok($there->{gap} || ($there->{totals}{complete} // '') eq 'false',
			"a survivor, $format: that the other is not listened to");
		ok(!$documents[-1]{gap} && ($documents[-1]{totals}{complete} // 'true') eq 'true',
			"a survivor, $format: and then is again");
	}
	netns('delete', $_) for 'five', 'six';
}

# It goes, and another one of that name comes.
sub check_namespace {
	my $dir = open_dir();

	netns('add', 'one');
	my $job = start_log($dir, 1, '--netns', 'one');
	end_in('one', 1);
	wait_until('a document of it', sub {
		return whose(map { read_document($_) } paths_in($dir)) eq 'one 192.0.2.1' });
	netns('delete', 'one');
	wait_for_status($job, sub { $_[1] > 1 });
	netns('add', 'one');
	# It listens again when there is a document, or another thing to tell.
	my ($before) = counts($job);
	wait_for_status($job, sub { $_[0] > $before });
	end_in('one', 2);
	wait_until('a document of the new one', sub {
		return whose(map { read_document($_) } paths_in($dir)) =~ /192\.0\.2\.2/ });
	my (undef, $failures) = counts($job);
	# Now so soon that it is never missed.
	netns('delete', 'one');
	netns('add', 'one');
	wait_for_second();
	sleep 0.5;
	end_in('one', 3);
	ends_well($job, 'a namespace', qr/conntap: --netns one: there is no such namespace/ .
		qr/[^\n]*\nconntap: it works again, after $failures failure\(s\)\n/);
	my @documents = read_log($dir, 'a namespace');
	is(whose(@documents), 'one 192.0.2.1, one 192.0.2.2, one 192.0.2.3',
		'a namespace: what ended in it');
	is(join(' ', map { $_->{totals}{complete} eq 'true' ? () : 'incomplete' } @documents),
		'incomplete incomplete', 'a namespace: nobody listened for a while, twice');
	netns('delete', 'one');
}

# The document that is to tell of it cannot be written: then the next one tells.
# Returns what is to be done later.
sub begin_gap {
	my $base = open_dir();
	my $dir = "$base/log";

	mkdir $dir or die "$dir: $!\n";
	netns('add', 'other');
	my $job = start_log($dir, 2, '--netns', 'other');
	wait_until('a document', sub { paths_in($dir) });
	netns('delete', 'other');
	netns('add', 'other');
	my @paths = paths_in($dir);
	wait_until('the gap', sub { paths_in($dir) > @paths });
	# What comes next is of the new namespace, and is written to a directory that is
	# not there when it is done.
	unlink paths_in($dir);
	rmdir $dir or die "$dir: $!\n";
	return sub {
		wait_for_status($job, sub { $_[1] > 0 });
		mkdir $dir or die "$dir: $!\n";
		wait_until('a document', sub { paths_in($dir) });
		is(read_document((paths_in($dir))[0])->{totals}{complete}, 'false',
			'a gap: the next document that can be written tells');
		end_service($job);
		netns('delete', 'other');
	};
}

# All of them; some of it is waiting for others.
sub check_namespaces {
	my $without_rights = start_without_rights();
	my ($late_comes, $finish_late) = begin_late();
	my $finish_several = begin_several();
	my $finish_gap = begin_gap();

	$late_comes->();
	check_namespace();
	check_survivor();
	$finish_gap->();
	$finish_several->();
	$finish_late->();
	check_all();
	check_without_rights($without_rights);
}

# One that is not there at first.  Returns what is to be done when it has been missed for
# a while, and what later.
sub begin_late {
	my $dir = open_dir();
	my $job = start_log($dir, 1, '--netns', 'late');
	my $comes = sub {
		wait_for_status($job, sub { $_[1] > 1 });
		is(entries($dir), '', 'a late namespace: no document before');
		netns('add', 'late');
	};

	return $comes, sub {
		wait_until('documents', sub { paths_in($dir) > 1 });
		my (undef, $failures) = counts($job);
		ends_well($job, 'a late namespace', qr/conntap: --netns late: there is no such / .
			qr/namespace[^\n]*\nconntap: it works again, after $failures / .
			qr/failure\(s\)\n/);
		my ($first, @others) = read_log($dir, 'a late namespace');
		is($first->{totals}{complete}, 'false', 'a late namespace: that it was missing');
		is(scalar(grep { $_->{totals}{complete} ne 'true' } @others), 0,
			'a late namespace: and then is not');
		netns('delete', 'late');
	};
}

# Those that come while it runs are listened to from the next period on.
sub check_all {
	my $dir = open_dir();
	my $job = start_log($dir, 1, '--netns', 'all');

	netns('add', 'one');
	my @paths = paths_in($dir);
	wait_until('two documents', sub { paths_in($dir) > @paths + 1 });
	end_in('one', 1);
	ends_well($job, '--netns all');
	my @documents = read_log($dir, '--netns all');
	is(whose(@documents), 'one 192.0.2.1', '--netns all: one that came');
	is(scalar(grep { $_->{totals}{complete} ne 'true' } @documents), 1,
		'--netns all: and from when on');
	netns('delete', 'one');
}

sub check_command_lines {
	my $dir = open_dir();

	refused(2, $_->[0], 'xml', '--events', @{$_->[1]}) for
		['--every', ['--output', "$dir/x"]],
		['--stats', ['--stats']], ['--expect', ['--expect']],
		['%n', ['--output', "$dir/%n", '--every', 1]],
		['--every', ['--every', 1]], ['--keep', ['--keep', 1]],
		['--keep', ['--keep', 1, '--output', "$dir/x", '--every', 1]],
		map { ['%s', ['--output', "$dir/$_", '--every', 1]] } 'x', '%Y%m%d', '%H%M%S';
	refused(2, '--buffer', 'xml', '--buffer', '1Mi');
	refused(2, '--output', 'xml', '--output', '-');
	is(entries($dir), '', 'nothing is written');
}

my %checks = (
	traffic => \&check_traffic,
	streams => \&check_streams,
	troubles => sub { check_troubles(); check_big_document() },
	ends => \&check_ends,
	netns => \&check_namespaces,
	lines => \&check_command_lines,
);
for my $name (@ARGV ? @ARGV : qw(traffic streams troubles ends netns lines)) {
	my $begun = time;
	$checks{$name}->();
	note(sprintf '%s: %.1f s', $name, time - $begun);
}

done_testing();
