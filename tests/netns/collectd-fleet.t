#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A fleet, by the files of contrib/collectd: two hosts, in the namespaces at both sides of
# the lab, whose collectds send what the plugin reads, encrypted, to a third one in the
# gateway, which a real Prometheus asks.  What comes out there is what the kernels say,
# and in a minute of it nothing is lost.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use JSON::PP ();
use List::Util qw(max);
use Socket qw(SOCK_DGRAM inet_ntoa);
use Test::More;
use Time::HiRes qw(sleep time);

use lib $FindBin::Bin;
use Lab;
use Collectd qw(:DEFAULT start_prometheus);

enter_lab();
need_collectd();

my $contrib = "$FindBin::Bin/../../contrib";
my $rules = "$contrib/prometheus/conntap.rules.yml";
my $port = 25826;
# How long it is that nothing may be lost.
my $minute = 60;
# As long as the plugin lets them be.
my ($long_netns, $long_mark) = ('n' x 88, 'm' x 63);
# How many flows each has to begin with.
my %fleet = (
	north => { netns => 'client', collector => '10.0.1.1', user => 'first',
		password => 'one secret', flows => { tcp => 30, udp => 20, icmp => 5 } },
	south => { netns => 'server', collector => '10.0.2.1', user => 'second',
		password => 'another', flows => { tcp => 7, udp => 50, icmp => 11 },
		# More of everything, and longer names.
		besides => "<Plugin conntap>\n\tNetns \"all\"\n" .
			"\tMark 1 \"$long_mark\"\n</Plugin>\n" },
);
my @names = sort keys %fleet;

sub inside {
	my ($netns, @command) = @_;

	return must(qw(ip netns exec), $netns, @command);
}

# A file of contrib/collectd, changed by pairs of what is in it and what shall be; that is
# all that is marked there, at least.
sub shipped {
	my ($name, %changes) = @_;

	open my $file, '<', "$contrib/collectd/$name" or die "$name: $!\n";
	my $text = do { local $/; <$file> };
	my @marked = $text =~ /^(.*\S.*# CHANGE)$/mg;
	for my $old (keys %changes) {
		$text =~ s/\Q$old\E/$changes{$old}/ or die "$name has no $old\n";
	}
	my @left = grep { index($text, $_) >= 0 } @marked;
	die "$name: unchanged:\n", map { "$_\n" } @left if @left;
	return $text;
}

sub host_config {
	my ($of, %changes) = @_;

	return shipped('host.conf', 'Interval 10' => 'Interval 1',
		'collector.example.net' => $of->{collector}, '"USER"' => "\"$of->{user}\"",
		'"PASSWORD"' => "\"$of->{password}\"", %changes) . ($of->{besides} // '');
}

# What a busy machine reads late, it reads twice in a row; with one thread, the first of
# them is sent first.
sub start_host {
	my ($name, $of, %changes) = @_;

	return start_collectd(name => $name, before => [qw(ip netns exec), $of->{netns}],
		config => "WriteThreads 1\n" . host_config($of, %changes));
}

my $auth = File::Temp->new;

sub start_collector {
	print $auth map { "$_->{user}: $_->{password}\n" } values %fleet;
	close $auth;
	return start_collectd(name => 'collector', config => shipped('collector.conf',
		'/etc/collectd/fleet.auth' => "$auth"));
}

# Flows of a host.

my $source = 1024;

sub insert {
	my ($netns, $proto, $count) = @_;
	my %what = (tcp => [qw(--dport 80 --state ESTABLISHED)], udp => [qw(--dport 53)],
		icmp => [qw(--icmp-type 8 --icmp-code 0)]);
	my $which = $proto eq 'icmp' ? '--icmp-id' : '--sport';

	for (1 .. $count) {
		inside($netns, qw(conntrack -I -s 192.0.2.1 -d 192.0.2.2 -t 600 -m 1 -p),
			$proto, @{$what{$proto}}, $which, $source++);
	}
}

# Their number by protocol, and altogether, as conntrack(8) sees it.
sub kernel_values {
	my ($netns) = @_;
	my %values = ('all conntrack used' => 0 + inside($netns, qw(conntrack -C)));

	$values{"all current_connections $_"}++
		for inside($netns, qw(conntrack -L)) =~ /^(\w+)/mg;
	return %values;
}

# What became of them.

my ($collector, $prometheus, %hosts);

sub prometheus_values {
	my ($name) = @_;
	my %values;

	for my $found ($prometheus->instant("{job=\"collectd\",instance=\"$name\"}")) {
		my ($of, $value) = @$found{qw(metric value)};
		next unless $of->{__name__} =~ /^collectd_conntap_(\w+)/;
		$values{"$of->{conntap} $1 $of->{type}"} = $value->[1];
	}
	return %values;
}

# Test: those values come to be so.
sub comes_to_be {
	my ($name, $expected, $values) = @_;
	my %got;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	eval { wait_until($name, sub {
		my %all = $values->();
		%got = map { $_ => $all{$_} // 'absent' } keys %$expected;
		return !grep { $got{$_} ne $expected->{$_} } keys %$expected;
	}) };
	is_deeply(\%got, $expected, $name);
}

# The tables are at rest.
sub check_numbers {
	my ($when) = @_;

	for my $name (@names) {
		my %expected = kernel_values($fleet{$name}{netns});
		cmp_ok(scalar keys %expected, '==', 4, "$when: $name has flows");
		comes_to_be("$when: $name as collectd shows it", \%expected,
			sub { $collector->page($name) });
		SKIP: {
			skip('no prometheus', 1) unless $prometheus;
			comes_to_be("$when: $name in Prometheus", \%expected,
				sub { prometheus_values($name) });
		}
	}
}

# By instance; other than those there are none, nor one of the collector.
sub check_instances {
	my ($when) = @_;

	is_deeply([map { s{.*/}{}r } sort glob "$collector->{dir}/csv/*"], \@names,
		"$when: hosts at the collector");
	SKIP: {
		skip('no prometheus', 1) unless $prometheus;
		my @found = $prometheus->instant(
			'count by (instance) ({__name__=~"collectd_.+"})');
		is_deeply([sort map { $_->{metric}{instance} } @found], \@names,
			"$when: hosts in Prometheus");
	}
}

# What is on the wire.

use constant { AF_PACKET => 17, ETH_P_ALL => 3, UDP => 17 };

# The sender and the data of a packet that comes to the collector.
sub dissect {
	my ($packet) = @_;
	my ($version) = unpack 'C', $packet;
	my $head = 4 * ($version & 15);

	return if $version >> 4 != 4 || unpack('x9 C', $packet) != UDP;
	my ($from, $to) = unpack "x$head n n", $packet;
	return if $to != $port;
	return (inet_ntoa(substr $packet, 12, 4) . ":$from", substr $packet, $head + 8);
}

# All that is sent, by sender, until that is true of it.
sub capture {
	my ($what, $true) = @_;
	my %sent;

	socket my $socket, AF_PACKET, SOCK_DGRAM, unpack('S', pack 'n', ETH_P_ALL)
		or die "AF_PACKET: $!\n";
	wait_until($what, sub {
		defined recv $socket, my $packet, 65536, 0 or die "AF_PACKET: $!\n";
		my ($sender, $data) = dissect($packet);
		$sent{$sender} .= $data if defined $sender;
		return $true->(%sent);
	});
	return %sent;
}

# Several intervals of both.
sub check_wire {
	my %sent = capture('packets', sub {
		my %so_far = @_;
		return @names == grep { length > 20000 } values %so_far;
	});

	for my $name (@names) {
		my $of = $fleet{$name};
		my ($mine) = grep { /\Q$of->{user}\E/ } values %sent;
		ok(defined $mine, "$name sends as its user");
		unlike($mine // $name, qr/conntap|\Q$name\E|current_connections/,
			"$name: nothing of it can be read");
	}
}

# One who does not know the password, and one who thinks that it does without.
sub check_refused {
	my %false = (%{$fleet{north}}, password => 'a guess');
	my @intruders = (start_host('liar', \%false),
		start_host('talker', $fleet{south}, '"Encrypt"' => '"None"'));
	my %sent = capture('plain text', sub {
		my %so_far = @_;
		return grep { /talker.*conntap/s } values %so_far;
	});

	ok((grep { /talker.*conntap/s } values %sent), 'what is plain can be read');
	for my $why ('Checksum mismatch. Username: first',
		'Unencrypted packet or part has been ignored') {
		ok(eval { wait_until($why, sub {
			3 <= grep { /\Q$why\E/ } split /\n/, $collector->log }) },
			"refused: $why");
	}
	for my $name ('liar', 'talker') {
		my %page = $collector->page($name);
		is(scalar keys %page, 0, "$name is not shown");
	}
}

# Kafka: librdkafka has a broker for tests inside, which is in the program that reads.

sub check_kafka {
	SKIP: {
		my $module = Collectd::modules() . '/write_kafka.so';
		if (!-e $module || must('ldd', $module) =~ /not found/) {
			diag('kafka.conf is not tested: no librdkafka1 here');
			skip('no librdkafka1', 5);
		}
		my ($reader, $broker) = start_reader();
		my $host = start_collectd(name => 'sender', config => kafka_config($broker));
		ok(eval { wait_until('a topic', sub { $host->log =~
			/write_kafka plugin: handle created for topic : collectd$/m }) },
			'kafka.conf: a topic');
		delivered($host, $reader);
		is_deeply([complaints($host->log)], [], 'kafka.conf: accepted');
		interrupt($reader) if $reader;
		takes_all('kafka.conf', kafka_config('127.0.0.1:9'));
	}
}

sub kafka_config {
	my ($broker) = @_;

	return "LoadPlugin conntap\n" .
		shipped('kafka.conf', 'kafka.example.net:9092' => $broker);
}

# A job that prints what comes to Kafka, and where that is; without it, nowhere.
sub start_reader {
	return (undef, '127.0.0.1:9092') unless grep { -x "$_/kcat" } split /:/, $ENV{PATH};
	my $reader = start({}, qw(kcat -C -u -b 127.0.0.1:1 -X test.mock.num.brokers=1
		-t collectd -o beginning));
	my $broker = wait_until('a broker', sub {
		so_far($reader, 'stderr') =~ /replaced with (127\S+)/ && $1 });

	return ($reader, $broker);
}

# Test: a message has come with a value that is in the host's own files, too.
sub delivered {
	my ($host, $reader) = @_;

	SKIP: {
		skip('no kcat (package kafkacat) to read what comes to Kafka', 1)
			unless $reader;
		ok(eval { wait_until('a message', sub {
			my %sent = map { ($_->[0] + 0 => $_->[1] + 0) }
				$host->csv('all conntrack used');
			return grep { $_->{host} eq 'sender' &&
				($sent{$_->{time}} // -1) == $_->{values}[0] }
				used_in(so_far($reader));
		}) }, 'kafka.conf: what is sent comes') or diag(so_far($reader));
	}
}

# Those of the messages that are about "all conntrack used".
sub used_in {
	my ($messages) = @_;

	return grep { "@$_{qw(plugin plugin_instance type type_instance)}" eq
		'conntap all conntrack used' } map { @{JSON::PP->new->utf8->decode($_)} }
		$messages =~ /^(\[\{.*\}\])\n/mg;
}

# Test: what is commented out in a file would be accepted, too.
sub takes_all {
	my ($name, $config) = @_;
	my $text = $config =~ s/^\s*\K#(?=[A-Z]\w+ )//mgr;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	isnt($text, $config, "$name: something is commented out");
	my ($dir, @command) = collectd_command(options => ['-T'], config => $text);
	run(@command);
	is_deeply([complaints(Collectd::log({ dir => $dir }))], [],
		"$name: all that is commented out");
}

# At other ports than those that run.
sub check_options {
	my @aside = ("\"$port\"" => '"25827"');

	takes_all('host.conf', host_config($fleet{north}, @aside));
	takes_all('collector.conf', shipped('collector.conf', @aside, '"9103"' => '"9104"',
		'/etc/collectd/fleet.auth' => "$auth"));
}

# What collectd says of itself: with write_prometheus, with CollectInternalStats, and when
# it ends early; what it and the plugin say of a machine that is busy, or was held up; and
# librdkafka of a broker that is not there.
my $usual = qr/MHD_OPTION_EXTERNAL_LOGGER|UNKNOWN\ plugin:\ plugin_get_interval|
	left\ after\ shutting\ down|Not\ sleeping\ because|above\ its\ read\ interval|
	conntap\ plugin:\ a\ pass\ takes|\[thrd:/x;

# The other lines of a log.
sub complaints {
	my ($log) = @_;

	return grep { /^\[(?:notice|warning|error)\]/ && !/$usual/ } split /\n/, $log;
}

# Nothing is lost.

# The tables change, so that values do.
sub pass_time {
	my ($until) = @_;

	while (time < $until) {
		insert($fleet{$_}{netns}, 'udp', 1) for @names;
		sleep 0.2;
	}
}

# The collector is held up, and then takes in several intervals at once; so much there is
# room for where packets wait.
sub hold_up {
	kill STOP => $collector->{job}{pid};
	pass_time(time + 2);
	kill CONT => $collector->{job}{pid};
}

sub rows_between {
	my ($from, $to, @rows) = @_;

	return map { "@$_" } grep { $_->[0] >= $from && $_->[0] <= $to } @rows;
}

# What is not the same at a host and at the collector: a line each.
sub differences {
	my ($name, $from, $to, $key) = @_;
	my @sent = rows_between($from, $to, $hosts{$name}->csv($key));
	my @came = rows_between($from, $to, $collector->csv($key, $name));
	my (%sent, %came);

	$sent{$_}++ for @sent;
	$came{$_}++ for @came;
	my @lines = map({ "$key: $_: lost" } grep { !$came{$_} } @sent);
	push @lines, map { "$key: $_: not sent" } grep { !$sent{$_} } @came;
	push @lines, "$key: not in order, or again"
		if !@lines && "@sent" ne "@came";
	return @lines;
}

sub check_nothing_lost {
	my ($from, $to) = @_;

	for my $name (@names) {
		my @keys = sort $hosts{$name}->csv_keys;
		my (@wrong, $samples);
		# The last ones may still be on their way.
		eval { wait_until('the last values', sub {
			@wrong = map { differences($name, $from, $to, $_) } @keys;
			return !@wrong;
		}) };
		ok(!@wrong, "$name: nothing is lost") or
			diag(scalar @wrong, " differ\n", map { "$_\n" } splice @wrong, 0, 12);
		$samples += rows_between($from, $to, $hosts{$name}->csv($_)) for @keys;
		note("$name: $samples values of ", scalar @keys, ' series');
		is_deeply([sort $collector->csv_keys($name)], \@keys,
			"$name: the same series, by their full names");
		my @used = map { (split)[1] } rows_between($from, $to,
			$collector->csv('all conntrack used', $name));
		cmp_ok(scalar @used, '>', 0.8 * $minute, "$name: a minute of them");
		cmp_ok(max(@used), '>', $used[0], "$name: it grew");
	}
	my %keys = map { $_ => 1 } $collector->csv_keys('south');
	ok($keys{"$long_netns-translation current_connections none"} &&
		$keys{"all-mark current_connections $long_mark"}, 'long names are whole');
}

# A host that dies is soon not shown any more; its time stays behind, which is what the
# rule ConntapStale looks at.
sub check_death {
	my ($dead, $alive) = @names;

	kill KILL => $hosts{$dead}{job}{pid};
	finish(delete $hosts{$dead}{job});
	ok(eval { wait_until('silence', sub { !keys %{{$collector->page($dead)}} }) },
		'a host that died is not shown');
	ok(scalar keys %{{$collector->page($alive)}}, 'the other one is');
	SKIP: {
		skip('no prometheus', 1) unless $prometheus;
		open my $file, '<', $rules or die "$rules: $!\n";
		my ($rule) = do { local $/; <$file> } =~
			/alert: ConntapStale\n\s*expr: (.*) > 180\n/;
		eval { wait_until('an alert', sub { $prometheus->instant("$rule > 5") }) };
		is_deeply([map { $_->{metric}{instance} } $prometheus->instant("$rule > 5")],
			[$dead], 'ConntapStale would be about the one that died');
	}
}

# Only what was done to it.
sub check_log {
	my @wrong = grep { !/Checksum mismatch\. Username: first$/ &&
		!/Decrypting AES256 part failed/ } complaints($collector->log);

	is(join("\n", grep { /too old/ } @wrong), '', 'no value was too old');
	is(join("\n", grep { !/too old/ } @wrong), '', 'nothing else to complain about');
	for my $name (@names) {
		is_deeply([complaints($hosts{$name}->log)], [], "$name: nothing either");
	}
}

must(qw(ip netns add), $long_netns);
insert($long_netns, 'udp', 3);
for my $of (values %fleet) {
	insert($of->{netns}, $_, $of->{flows}{$_}) for keys %{$of->{flows}};
}
$collector = start_collector();
%hosts = map { $_ => start_host($_, $fleet{$_}) } @names;
if (-x program('prometheus/prometheus')) {
	$prometheus = start_prometheus($rules);
} else {
	diag('no prometheus; to get it: tests/netns/get-daemons.sh ' .
		program(''));
}
for my $name (@names) {
	wait_until("values of $name", sub {
		my %page = $collector->page($name);
		return defined $page{'all-self objects flows'};
	});
}
my $from = time;
check_numbers('at first');
check_instances('at first');
check_wire();
check_refused();
check_kafka();
check_options();
for my $seconds (35, 40, 45, 50) {
	pass_time(max($from + $seconds, time + 3));
	hold_up();
}
pass_time($from + $minute);
check_nothing_lost($from, $from + $minute);
check_numbers('later');
check_instances('later');
check_death();
check_log();
is($prometheus->stop, 0, 'prometheus ends') if $prometheus;
for my $daemon ($hosts{south}, $collector) {
	$daemon->stop;
	is($daemon->{status}, 0, "$daemon->{name} ends");
}

done_testing();
