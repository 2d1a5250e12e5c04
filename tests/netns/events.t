#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conntap events: each flow's beginning and end once, as conntrack(8) beside it sees
# them; a whole document whatever ends it; and what was lost is told exactly.
use strict;
use warnings;

use Fcntl qw(F_SETPIPE_SZ);
use File::Temp ();
use FindBin;
use IO::Select;
use Test::More;
use Time::HiRes qw(time);

use lib $FindBin::Bin;
use Documents;
use Lab;

enter_lab();

# Groups of netfilter, as start_listening() counts them.
use constant {
	BEGINNINGS => 1, UPDATES => 2, ENDS => 4,
	CHANGES => 5, FLOWS => 7, EXPECTS => 0x38,
};

my $seed = $ENV{CONNTAP_SEED} // int rand 2 ** 31;
my $sentinels = 0;

note("CONNTAP_SEED=$seed");

sub listen_to {
	my ($groups, @arguments) = @_;

	return start_listening({}, $groups, program('conntap'), 'events', @arguments);
}

# A flow of its own that tells that everything before it has been seen; its mark.
sub make_sentinel {
	my $port = 60000 - ++$sentinels;
	my ($status, undef, $err) = run('conntrack', '-I', '-p', 'udp', '-s',
		'203.0.113.77', '-d', '203.0.113.78', '--sport', $port, '--dport', 9,
		'-t', 600);

	die "conntrack -I: $err\n" if $status;
	return qr/203\.0\.113\.77.*\b$port\b/;
}

# Test: the text, of the format xml or flows, is a document of so many events.
sub is_log {
	my ($format, $text, $job, $count, $name) = @_;
	my $dialect = $format eq 'xml' ? 'conntracks' : 'flows';
	my (undef, $totals) = is_document($dialect, $text, $name, since => $job->{begun},
		subject => 'events');

	is($totals->{events}, $count, "$name: so many") if defined $count;
	return $totals;
}

# Waits until all of them have come this far.
sub wait_for_sentinel {
	my $mark = make_sentinel();

	for my $job (@_) {
		wait_until("all events of $job->{command}",
			sub { so_far($job) =~ $mark });
	}
}

# conntrack -E's lines as pairs: "NEW" and a flow.
sub events_of_conntrack {
	my ($text) = @_;

	return map { /^ *\[(\w+)\] +(.*)$/ ? [$1, parse_flow($2)] : () }
		split /\n/, $text;
}

# How conntap shows an event as text.
sub event_line {
	my ($kind, $flow) = @_;
	my $line = "[$kind] " . flow_line($flow);

	return $line if $kind ne 'DESTROY' || !defined $flow->{orig}{packets};
	my ($packets, $bytes) = map { $flow->{orig}{$_} + $flow->{reply}{$_} }
		qw(packets bytes);
	return "$line [packets $packets bytes $bytes]";
}

# "NEW 123456" for each flow, by what each format has of it.
sub ids_in {
	my ($format, $out) = @_;

	return map { uc($_->{event}) . " $_->{id}" } json_lines($out, $format)
		if $format eq 'json';
	if ($format eq 'flows') {
		return map { /type="(\w+)".*<id>(\d+)<\/id>/ ? uc($1) . " $2" : "? $_" }
			$out =~ /^(<flow.*)$/mg;
	}
	return map { my ($tag) = $_;
		join ' ', uc(($tag =~ /\bevent="(\w+)"/)[0] // '?'),
			$tag =~ /\bid="(\d+)"/ } $out =~ /^ {3}<conntrack\b([^>]*)>/mg;
}

# All there is, side by side; then the same with conditions.
sub check_traffic {
	my $judge = start_listening({}, FLOWS, 'conntrack', '-E', '-o', 'extended,id');
	my %jobs = map { $_ => listen_to(CHANGES, '-o', $_) } qw(text xml flows json);
	my $updates = listen_to(UPDATES, '-e', 'update');
	my $ended = listen_to(ENDS, '--event=destroy', '-p', 'tcp', '-f', 'ipv6');
	my $translated = listen_to(BEGINNINGS, '-e', 'new', '--any-nat');
	my $zones = listen_to(FLOWS, '-e', 'new,update,destroy', '--zone', 5, '-v');
	my $timed = listen_to(CHANGES, '-T');
	my $began = time;
	my $traffic = start_traffic();
	my $later;

	$traffic = undef;
	run('conntrack', '-F');
	wait_for_sentinel($judge, values %jobs, $timed);
	$later = time;
	my ($status, $out, $err) = interrupt($judge);
	my @events = events_of_conntrack($out);
	my @changes = grep { $_->[0] ne 'UPDATE' } @events;
	my @ids = map { "$_->[0] $_->[1]{id}" } @changes;
	my %count;
	$count{$_->[0]}++ for @events;
	cmp_ok($count{$_} // 0, '>', 50, "traffic: many $_") for qw(NEW UPDATE DESTROY);

	for my $format (sort keys %jobs) {
		($status, $out, $err) = interrupt($jobs{$format});
		is("$status $err", '0 ', "$format: SIGINT is an end like any other");
		is($jobs{$format}{signal}, 0, "$format: it exits");
		if ($format eq 'text') {
			same_lines([split /\n/, $out], [map({ event_line(@$_) } @changes),
				'Total: ' . @changes . ' event(s)'], 'text: events');
			like($out, qr/^Total: .*\n\z/m, 'text: the total comes last');
			next;
		}
		is_log($format, $out, $jobs{$format}, scalar @ids, $format)
			if $format ne 'json';
		same_lines([ids_in($format, $out)], \@ids, "$format: events, by id");
	}
	check_chosen('updates', $updates, map { event_line(@$_) }
		grep { $_->[0] eq 'UPDATE' } @events);
	check_chosen('some ends', $ended, map { event_line(@$_) }
		grep { $_->[0] eq 'DESTROY' && $_->[1]{family} eq 'ipv6' &&
			$_->[1]{protonum} == 6 } @events);
	check_chosen('translated', $translated, map { event_line(@$_) }
		grep { $_->[0] eq 'NEW' && ($_->[1]{flags}{SRC_NAT} ||
			$_->[1]{flags}{DST_NAT}) } @events);
	my @wanted = map { event_line(@$_) } grep { $_->[1]{zone} == 5 } @events;
	check_chosen('a zone', $zones, @wanted,
		'-- ' . @wanted . ' events, 0 lost');
	check_times($timed, $began, $later, map { event_line(@$_) } @changes);
	run('conntrack', '-F');
}

# That job printed those lines; the last may be what -v adds on stderr.
sub check_chosen {
	my ($name, $job, @lines) = @_;
	my $summary = @lines && $lines[-1] =~ /^-- (.*)/ ? $1 : undef;

	pop @lines if defined $summary;
	my ($status, $out, $err) = interrupt($job);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($status, 0, "$name: status");
	cmp_ok(scalar @lines, '>', 3, "$name: there are some");
	same_lines([split /\n/, $out], [@lines, 'Total: ' . @lines . ' event(s)'],
		"$name: these");
	return is($err, '', "$name: nothing on stderr") unless defined $summary;
	like($err, qr/\Aconntap: a buffer of \d+ bytes.*\nconntap: \Q$summary\E\n\z/,
		"$name: -v");
}

sub check_times {
	my ($job, $began, $later, @lines) = @_;
	my ($status, $out) = interrupt($job);
	my @got = split /\n/, $out;
	my (@times, @rest);

	pop @got;
	for (@got) {
		my ($time, $line) = /^\[(\d+\.\d{6})\] (.*)$/ or next;
		push @times, $time;
		push @rest, $line;
	}
	is($status, 0, 'timestamps: status');
	is(scalar @times, scalar @got, 'timestamps: in each line');
	same_lines(\@rest, \@lines, 'timestamps: before the same lines');
	is(scalar(grep { $_ < $began - 0.01 || $_ > $later } @times), 0,
		'timestamps: when it happened');
}

# Flows by flood, so many that they take a while; each of its own.
sub check_many {
	my $job = listen_to(CHANGES, '-e', 'new,destroy', '-o', 'flows');

	flood('-n', 20000, '--seed', $seed);
	my (undef, $listed) = conntap('xml', '--dialect', 'flows');
	my @ids = $listed =~ /^.*<id>(\d+)<\/id>/mg; # the last: ICMP has one too
	is(scalar @ids, 20000, '20,000 flows: they are there');
	run('conntrack', '-F');
	wait_for_sentinel($job);
	my ($status, $out, $err) = interrupt($job);
	is("$status $err", '0 ', '20,000 flows: status');
	my @seen = grep { !/^\? / } ids_in('flows', $out);
	my @new = map { /^NEW (\d+)/ ? $1 : () } @seen;
	my @ends = map { /^DESTROY (\d+)/ ? $1 : () } @seen;
	pop @new; # our own
	same_lines(\@new, \@ids, '20,000 flows: each came once');
	same_lines(\@ends, \@ids, '20,000 flows: each ended once');
	run('conntrack', '-F');
}

sub check_ends {
	my $job = listen_to(CHANGES, '--count', 5, '-o', 'json');
	flood('-n', 100);
	my ($status, $out, $err) = finish($job);
	is("$status $err", '0 ', '--count 5: status');
	is(scalar json_lines($out, '--count 5'), 5, '--count 5: five events');
	run('conntrack', '-F');

	# Only what is chosen counts.
	$job = listen_to(CHANGES, '--count', 3, '-f', 'ipv6', '-o', 'text');
	flood('-n', 100);
	($status, $out, $err) = finish($job);
	is("$status $err", '0 ', '--count 3 of IPv6: status');
	is(scalar(() = $out =~ /^\[NEW\] ipv6 /mg), 3, '--count 3: of IPv6');
	is(scalar(() = $out =~ /\n/g), 4, '--count 3: and the total');
	run('conntrack', '-F');

	for my $format (qw(text xml flows json)) {
		my $began = time;
		my $quiet = listen_to(CHANGES, '--for', '1s', '-o', $format);
		($status, $out, $err) = finish($quiet);
		my $took = time - $began;
		is("$status $err", '0 ', "--for 1s, $format: status");
		cmp_ok($took, '>=', 1, "--for 1s, $format: it waits");
		cmp_ok($took, '<', 5, "--for 1s, $format: but no longer");
		is($out, "Total: 0 event(s)\n", 'no events: text') if $format eq 'text';
		is($out, '', 'no events: json') if $format eq 'json';
		is_log($format, $out, $quiet, 0, "no events: $format")
			if $format =~ /xml|flows/;
	}

	$job = listen_to(CHANGES);
	kill TERM => $job->{pid};
	($status, $out, $err) = finish($job);
	is("$status $out$err", "0 Total: 0 event(s)\n", 'SIGTERM: the same');

	# Its reader goes away.
	pipe my $reader, my $writer or die "pipe: $!\n";
	$job = start_listening({ stdout => $writer }, CHANGES, program('conntap'),
		'events');
	close $_ for $writer, $reader;
	flood('-n', 10);
	($status, undef, $err) = finish($job);
	is("$status $err", '141 ', 'a closed pipe: as if by SIGPIPE');
	run('conntrack', '-F');
}

# However many wait at once, all of them are shown without waiting for more.
sub check_no_rest {
	for my $count (1, 63, 64, 65, 64 * 63, 64 * 64, 64 * 64 + 1, 64 * 65, 64 * 128) {
		my $job = listen_to(BEGINNINGS, '-e', 'new', '-o', 'json', '--count', $count);

		kill STOP => $job->{pid};
		flood('-n', $count);
		kill CONT => $job->{pid};
		my $deadline = time + 2;
		my $lines = 0;
		while ($lines < $count && time < $deadline) {
			$lines = so_far($job) =~ tr/\n//;
			select undef, undef, undef, 0.002;
		}
		is($lines, $count, "$count events at once: all are shown at once");
		interrupt($job);
		run('conntrack', '-F');
	}
}

sub check_expectations {
	my @kinds = qw(ftp4-passive ftp6-passive ftp4-active-snat tftp4);
	my $judge = start_listening({}, EXPECTS, 'conntrack', '-E', 'expect');
	my %jobs = map { $_ => listen_to(EXPECTS, '-e', 'expect', '-o', $_) }
		qw(text xml flows json);
	my $both = listen_to(FLOWS | EXPECTS, '-e', 'all', '-o', 'json');
	my $traffic = start_traffic(@kinds);

	$traffic = undef;
	wait_for_sentinel($both);
	for my $job ($judge, values %jobs) {
		wait_until("the expectations of $job->{command}", sub {
			my $text = so_far($job);
			return @kinds == grep { /destroy/i } split /\n/, $text
				if $text !~ /<expectation/;
			return @kinds == (() = $text =~ /event="destroy"/g);
		});
	}
	my ($status, $out, $err) = interrupt($judge);
	my (%new, %ended);
	/^ *\[(\w+)\].*? src=(\S+) dst=(\S+) .*?dport=(\d+)/ &&
		($1 eq 'NEW' ? \%new : \%ended)->{"$2->$3 $4"}++ for split /\n/, $out;
	is(scalar keys %new, scalar @kinds, 'expectations: these came');
	is_deeply(\%ended, \%new, 'expectations: these went');

	($status, $out, $err) = interrupt($jobs{text});
	is("$status $err", '0 ', 'expectations, text: status');
	my @lines = split /\n/, $out;
	is(pop @lines, 'Total: ' . 2 * @kinds . ' event(s)', 'expectations: total');
	same_lines([map { s/ \w+ \S+->(\d+) \(expected by .*/ $1/r =~
			s/expectation ipv[46] //r } @lines],
		[map({ "[NEW] $_" } keys %new), map({ "[DESTROY] $_" } keys %ended)],
		'expectations: each comes and goes');
	for my $format ('xml', 'flows') {
		($status, $out, $err) = interrupt($jobs{$format});
		is("$status $err", '0 ', "expectations, $format: status");
		is_log($format, $out, $jobs{$format}, 2 * @kinds,
			"expectations, $format");
	}
	($status, $out, $err) = interrupt($jobs{json});
	is("$status $err", '0 ', 'expectations, json: status');
	my @objects = json_lines($out, 'expectations');
	is(join(' ', sort map { $_->{event} } @objects),
		join(' ', ('destroy') x @kinds, ('new') x @kinds), 'expectations, json');
	($status, $out, $err) = interrupt($both);
	@objects = json_lines($out, '-e all');
	is(scalar(grep { $_->{expect} } @objects), 2 * @kinds,
		'-e all: expectations too');
	cmp_ok(scalar(grep { !$_->{expect} } @objects), '>', @kinds, '-e all: and flows');
	run('conntrack', '-F');
}

# How many events and losses are in the text: (lines of events, sum of losses).
sub sums {
	my ($text) = @_;
	my ($events, $lost) = (0, 0);

	$events++ while $text =~ /^\[(?:NEW|DESTROY|UPDATE)\] /mg;
	$lost += $1 while $text =~ /^\[LOST\] (\d+) event/mg;
	return ($events, $lost);
}

# A million flows at full speed: none is missing without a word.
sub check_flood {
	my ($rounds, $size) = (5, 200_000);
	# In memory: what is to be measured is not the disk.
	my $file = File::Temp->new(DIR => '/run');
	my $job = start_listening({ stdout => $file }, BEGINNINGS, program('conntap'),
		'events', '-e', 'new');
	my $made = 0;

	$job->{'stdout-file'} = $file;
	for my $round (1 .. $rounds) {
		flood('-n', $size, '--seed', $seed + $round);
		conntap('flush', '--yes');
		$made += $size;
	}
	$made += reach_the_end($job);
	my ($status, $out, $err) = interrupt($job);
	my ($events, $lost) = sums($out);
	note("$events events, $lost lost");
	is($events + $lost, $made, 'a million flows: events and losses are all there is');
	is($status, $lost ? 1 : 0, 'a million flows: status');
	my $tail = $lost ? ", $lost lost" : '';
	like($out, qr/^Total: $events event\(s\)$tail\n\z/m, 'a million flows: total');
	run('conntrack', '-F');
}

# Makes flows until one is seen, so that nothing is before it; how many.
sub reach_the_end {
	my ($job) = @_;
	my ($mark, $made, $next) = ('', 0, 0);

	wait_until("the end of $job->{command}", sub {
		return $made if $made && so_far_tail($job) =~ $mark;
		return 0 if time < $next;
		($mark, $next) = (make_sentinel(), time + 0.5);
		$made++;
		return 0;
	});
	return $made;
}

# The last of what a job has written.
sub so_far_tail {
	my ($job) = @_;
	my $name = "$job->{'stdout-file'}";

	open my $file, '<', $name or die "$name: $!\n";
	seek $file, -20000, 2;
	local $/;
	return scalar(<$file>) // '';
}

# A small buffer and a reader that stops: events are lost, and counted.
sub check_loss {
	my ($format) = @_;
	pipe my $out, my $in or die "pipe: $!\n";
	fcntl $in, F_SETPIPE_SZ, 4096 or die "F_SETPIPE_SZ: $!\n";
	my $job = start_listening({ stdout => $in }, CHANGES, program('conntap'), 'events',
		'--buffer', '64Ki', '-o', $format);
	close $in;
	my ($text, $made) = ('', 0);
	my $select = IO::Select->new($out);

	# Reads so much and no more, while the kernel makes more and more.
	for my $round (1 .. 5) {
		flood('-n', 10000, '--seed', $seed + $round);
		run('conntrack', '-F');
		$made += 20000;
		sysread $out, $text, 20000, length $text if $select->can_read(0);
	}
	# Now all of it, up to a flow that comes after the last loss.
	my ($mark, $next) = (undef, 0);
	wait_until('the last event', sub {
		sysread $out, $text, 65536, length $text while $select->can_read(0);
		return 1 if $mark && substr($text, -5000) =~ $mark;
		return 0 if time < $next;
		($mark, $next) = (make_sentinel(), time + 0.5);
		$made++;
		return 0;
	});
	kill INT => $job->{pid};
	$text = read_rest($out, $text);
	my ($status, undef, $err) = finish($job);
	my ($events, $lost) = (0, 0);
	if ($format eq 'text') {
		($events, $lost) = sums($text);
		like($text, qr/^Total: $events event\(s\), $lost lost\n\z/m,
			'loss, text: total');
	} elsif ($format eq 'json') {
		my @objects = json_lines($text, 'loss');
		$lost += $_->{lost} for grep { $_->{event} eq 'lost' } @objects;
		$events = grep { $_->{event} ne 'lost' } @objects;
	} else {
		my $totals = is_log($format, $text, $job, undef, "loss, $format");
		($events, $lost) = @$totals{qw(events lost)};
	}
	note("$format: $events events, $lost lost");
	cmp_ok($lost, '>', 1000, "loss, $format: there is some");
	cmp_ok($events, '>', 10, "loss, $format: but not of all");
	is($events + $lost, $made, "loss, $format: events and losses are all there is");
	is($status, 1, "loss, $format: status");
	like($err, qr/\Aconntap: $events events, $lost lost \(.*--buffer.*\)\n\z/,
		"loss, $format: summary");
	run('conntrack', '-F');
}

sub check_command_lines {
	refused(2, $_->[0], 'events', @{$_->[1]}) for
		['event', ['-e', 'birth']], ['event', ['-e', '']],
		['event', ['-e', 'new,,destroy']],
		['for', ['--for', 0]], ['for', ['--for', 'ever']],
		['count', ['--count', 0]], ['count', ['--count', -1]],
		['buffer', ['--buffer', 1]], ['buffer', ['--buffer', '4G']],
		['format', ['-o', 'yaml']], ['format', ['-o', 'save', '--for', '1s']],
		['dialect', ['--dialect', 'flows']],
		['word', ['new']], ['kernel-filter', ['--kernel-filter']];
}

check_traffic();
check_many();
check_ends();
check_no_rest();
check_expectations();
check_loss($_) for qw(text xml flows json);
check_flood();
check_command_lines();

done_testing();
