#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What documents hold besides flows: whose table it is, --stats, --expect, the flows of
# several namespaces, those that end (--events); what the schemas take and what they
# refuse; and a reader that was made for conntrack(8)'s documents.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use lib $FindBin::Bin;
use Documents;
use Files;
use Lab;

enter_lab();

use constant ENDS => 4; # of the groups of netfilter, as start_listening() counts them

my @dialects = qw(conntracks flows);

# What is written for these arguments, without a word on stderr.
sub text_of {
	my @arguments = @_;
	my ($status, $out, $err) = conntap(@arguments);

	is("$status $err", '0 ', named(@arguments) . ': status');
	return $out;
}

# What a test is called; some arguments are very long.
sub named {
	return substr "@_", 0, 80;
}

# A document of a table that stays as it is.  What is known of it, besides the table:
# head and expectations, as is_document() wants them, and the namespaces it is about.
sub document {
	my ($dialect, $arguments, %about) = @_;
	my %there = table_now(@{$about{netns} // []});
	my $since = time;
	my $text = text_of('xml', '--dialect', $dialect, @$arguments);

	is_document($dialect, $text, named($dialect, @$arguments), since => $since,
		head => { %there, %{$about{head} // {}} },
		totals => { count => $there{count} },
		expectations => $about{expectations});
	return $text;
}

# Lines without what passes, so that two of different moments can be compared.
sub timeless {
	return [map { s/\b(?:timeout|deltatime|use)(?:="|":|>)\K\d+/?/gr } @_];
}

# Conditions as they are given, and as the document has them: by their long names.
my @filters = (
	[['-p', 'tcp'], '--protonum tcp'],
	[['--proto=udp', '-j', '-f', 'ipv6'], '--protonum udp --any-nat --family ipv6'],
	[['-f', 'ipv6', '--any-nat', '10.0.2.100', '--proto', 'udp'],
		'--family ipv6 --any-nat 10.0.2.100 --protonum udp'],
	[['--src', '10.0.0.0/8,fd00::/16', '--snat'],
		'--orig-src 10.0.0.0/8,fd00::/16 --src-nat'],
	[['--helper', "\"<&>' --> \xc3\xa9"],
		'--helper &quot;&lt;&amp;&gt;\' --&gt; ??'],
);

sub check_filters {
	for my $dialect (@dialects) {
		for (@filters) {
			my ($arguments, $filter) = @$_;
			document($dialect, $arguments, head => { filter => $filter });
		}
	}
	# More than is kept of them: the beginning, and a sign that there was more.
	my $ports = join ',', 1000 .. 1299;
	my $whole = "--protonum tcp --any-port $ports";
	for my $more ([], ['--any-nat'], ['--any-nat', '-f', 'ipv6']) {
		document('conntracks', ['-p', 'tcp', '--port', $ports, @$more],
			head => { filter => substr($whole, 0, 1019) . ' ...' });
	}
	document('conntracks', ['--port', $ports],
		head => { filter => substr("--any-port $ports", 0, 1019) . ' ...' });
}

# A name that wants to be markup, in a place where nobody else sees it.
sub check_host {
	my $host = 'a<b>&"c';
	my @renamed = ('unshare', '-u', 'sh', '-c', 'hostname "$1"; shift; exec "$@"',
		'sh', $host);
	my ($status, $out) = run(@renamed, 'uname', '-n');

	SKIP: {
		skip('hosts cannot be renamed here', 1) if "$status $out" ne "0 $host\n";
		for my $dialect (@dialects) {
			my $since = time;
			($status, $out) = run(@renamed, program('conntap'), 'xml',
				'--dialect', $dialect);
			is_document($dialect, $out, "$dialect of another host",
				since => $since, totals => { count => table_size() },
				head => { table_now(),
					host => 'a&lt;b&gt;&amp;&quot;c' });
		}
	}
}

# --stats.

# What `conntap metrics` printed, as the element that documents have.
sub metrics_element {
	my ($page) = @_;
	my %endings = (counter => qr/_total\z/, info => qr/_info\z/);
	my ($kind, @lines) = ('');

	for (split /\n/, $page) {
		$kind = $1 if /^# TYPE \S+ (\w+)$/;
		next if /^#/;
		my ($name, $labels, $value) = /^conntap_(\w+)(?:\{(.*)\})? (\S+)$/
			or die "not a sample: $_\n";
		$name =~ s/$endings{$kind}// if $endings{$kind};
		$labels = defined $labels ? ' ' . $labels =~ s/",/" /gr : '';
		push @lines, "      <metric name=\"$name\" kind=\"$kind\"$labels " .
			"value=\"$value\" />";
	}
	return durationless('   <metrics>', @lines, '   </metrics>');
}

# The time that the pass took is another one each time.
sub durationless {
	return map { s/name="pass_seconds".* value=\K"\d+\.\d{9}"/"so long"/r } @_;
}

# What `conntap metrics` prints, as that element, and what these commands print; nothing
# has changed in between.
sub quiet_documents {
	my ($arguments, @commands) = @_;
	my $page = sub {
		return join "\n", metrics_element((conntap('metrics', @$arguments))[1]);
	};

	return @{wait_until('a quiet table', sub {
		my $before = $page->();
		my @documents = map { (conntap(@$_))[1] } @commands;
		return $before eq $page->() ? [$before, @documents] : 0;
	})};
}

# Behind all flows, and what else there is, is what metrics would have told then.
sub check_stats {
	my ($name, $expects, @arguments) = @_;
	my @names = grep { $_ ne '--netns' } @arguments;
	my %about = (since => time, expectations => $expects,
		totals => { count => { table_now(@names) }->{count} },
		head => { table_now(@names), @names == 1 ? (netns => @names) : () });
	my ($expected, @with) = quiet_documents(\@arguments, map { ['xml', '--stats',
		$expects ? '--expect' : (), '--dialect', $_, @arguments] } @dialects);
	my @lines = split /\n/, $expected;

	for my $dialect (@dialects) {
		my $text = shift @with;
		my @body = body_of($text);
		my @metrics = durationless(splice @body, -@lines);
		is_document($dialect, $text, "$name, $dialect", %about);
		is_deeply(\@metrics, \@lines, "$name, $dialect: metrics");
		my $plain = text_of('xml', '--dialect', $dialect, @arguments,
			$expects ? '--expect' : ());
		is_deeply(timeless(@body), timeless(body_of($plain)),
			"$name, $dialect: all else as without");
	}
	cmp_ok(scalar(grep { /<metric / } @lines), '>', 100, "$name: there are many");
	return @lines;
}

sub read_metrics {
	return map { /^ {6}<metric(.*) \/>$/ ? { attributes($1) } : () } @_;
}

sub sum_of {
	my ($what, @tuples) = @_;
	my $sum = 0;

	$sum += $_->{$what} for @tuples;
	return $sum;
}

# What of a metric is counted anew, from the flows that were chosen.
my %recounts = (
	flows => sub {
		my ($is, @flows) = @_;
		return scalar grep { $_->{family} eq $is->{family} &&
			$_->{proto} eq $is->{proto} } @flows;
	},
	flow_bytes => sub {
		my ($is, @flows) = @_;
		return tuples_sum('bytes', $is, @flows);
	},
	flow_packets => sub {
		my ($is, @flows) = @_;
		return tuples_sum('packets', $is, @flows);
	},
	unreplied_flows => sub {
		my ($is, @flows) = @_;
		return scalar grep { $_->{proto} eq $is->{proto} &&
			$_->{flags}{UNREPLIED} } @flows;
	},
	state_flows => sub {
		my ($is, @flows) = @_;
		return scalar grep { $_->{proto} eq $is->{proto} &&
			($_->{state} // '') eq $is->{state} } @flows;
	},
	mark_flows => sub {
		my ($is, @flows) = @_;
		return scalar grep { $_->{mark} == hex $is->{mark} } @flows;
	},
	# These are about the table, whatever was chosen.
	entries => sub { table_size() },
	pass_flows => sub { table_size() },
);

sub tuples_sum {
	my ($what, $is, @flows) = @_;
	my $direction = $is->{direction} eq 'original' ? 'orig' : 'reply';

	return sum_of($what, map { $_->{$direction} } grep {
		$_->{family} eq $is->{family} && $_->{proto} eq $is->{proto} } @flows);
}

# With conditions, the census is of the flows that they choose.
sub check_stats_of_some {
	my @chosen = grep { $_->{family} eq 'ipv4' && $_->{proto} eq 'tcp' }
		conntrack_flows();
	my %filter = (filter => '--family ipv4 --protonum tcp');

	cmp_ok(scalar @chosen, '>', 5, 'some flows: there are some');
	cmp_ok(scalar @chosen, '<', table_size(), 'some flows: and others');
	for my $dialect (@dialects) {
		my $text = document($dialect, ['--stats', '-f', 'ipv4', '-p', 'tcp'],
			head => \%filter);
		my (@wrong, %seen);
		for my $metric (read_metrics(body_of($text))) {
			my $recount = $recounts{$metric->{name}} or next;
			my $expected = $recount->($metric, @chosen);
			$seen{$metric->{name}} += $metric->{value};
			push @wrong, "$metric->{name} is $metric->{value}, not $expected"
				if $metric->{value} != $expected;
		}
		is_deeply(\@wrong, [], "some flows, $dialect: their census");
		is_deeply([sort keys %seen], [sort keys %recounts],
			"some flows, $dialect: all was there");
		is($seen{$_}, scalar @chosen, "some flows, $dialect: $_, in all")
			for qw(flows state_flows mark_flows);
		is({ elements_in($dialect, $text) }->{flows}, scalar @chosen,
			"some flows, $dialect: they are shown");
	}
}

# --expect.

# A master, and a data connection that its helper expects, in each of these namespaces.
sub expect_something {
	my @names = @_;
	my @where = map { ('--netns', $_) } @names;
	my @ends = (['192.0.2.1', '192.0.2.2'], ['2001:db8::1', '2001:db8::2']);

	for (@ends) {
		my ($src, $dst) = @$_;
		my @master = (@where, '-p', 'tcp', '-s', $src, '-d', $dst,
			'--sport', 4001, '--dport', 21);
		is(text_of('create', @master, qw(--state ESTABLISHED --helper ftp
			-t 600)), '', 'a master');
		is(text_of('expect', 'create', @master, '--tuple-src', $dst,
			'--tuple-dst', $src, qw(--tuple-port-dst 5001 -t 300)), '',
			'an expectation');
	}
}

# How many conntrack(8) sees.
sub expectations_seen {
	my $out = join '', map { (run('conntrack', '-L', 'expect', '-f', $_))[1] }
		'ipv4', 'ipv6';

	return scalar(() = $out =~ /\bdport=5001\b/g);
}

sub check_expect {
	is(expectations_seen(), 2, 'expectations: there are two');
	for my $dialect (@dialects) {
		my $format = $dialect eq 'flows' ? 'flows' : 'xml';
		my $since = time;
		my $list = text_of('expect', 'list', '-o', $format);
		is_document($dialect, $list, "$dialect: expect list", since => $since,
			subject => 'expectations');
		for my $conditions ([], ['-p', 'udp']) {
			my %filter = @$conditions ? (filter => '--protonum udp') : ();
			my $plain = document($dialect, $conditions, head => \%filter);
			my $with = document($dialect, ['--expect', @$conditions],
				head => \%filter, expectations => 1);
			is_deeply(timeless(body_of($with)),
				timeless(body_of($plain), body_of($list)),
				"$dialect @$conditions: expectations follow the flows");
			is({ elements_in($dialect, $with) }->{expectations}, 2,
				"$dialect @$conditions: two");
		}
	}
	is_deeply(json_of('xml', '--format', 'json', '--expect'),
		[@{json_of('list', '-o', 'json')},
			@{json_of('expect', 'list', '-o', 'json')}],
		'json: expectations follow the flows');
	check_stats('expectations', 1);
}

sub json_of {
	return timeless(split /\n/, text_of(@_));
}

# Several namespaces.

# What a namespace's kernel keeps of new flows.
sub keep_in {
	my ($netns, %settings) = @_;

	for my $name (sort keys %settings) {
		my ($status, undef, $err) = run(qw(ip netns exec), $netns, 'sh', '-c',
			"echo $settings{$name} > /proc/sys/net/netfilter/nf_conntrack_$name");
		is("$status $err", '0 ', "$name in $netns");
	}
}

sub make_flows {
	my @where = map { ('--netns', $_) } @_;

	is(text_of('create', @where, qw(-p udp -s 192.0.2.5 -d 192.0.2.6 --sport 53
		--dport 53 -t 600)), '', "a flow of UDP in each of @_");
}

sub check_namespaces {
	my @names = ('one', 'two');
	my @both = map { ('--netns', $_) } @names;

	run('ip', 'netns', 'add', $_) for @names;
	# They agree on one of these, and not on the other.
	keep_in('one', acct => 1, timestamp => 0);
	keep_in('two', acct => 1, timestamp => 1);
	make_flows(@names);
	expect_something(@names);
	for my $dialect (@dialects) {
		my %body = map { $_ => [body_of(document($dialect,
			['--expect', '--netns', $_], netns => [$_], expectations => 1,
			head => { netns => $_ }))] } @names;
		my $together = document($dialect, ['--expect', @both], netns => \@names,
			expectations => 1);
		is_deeply(timeless(body_of($together)),
			timeless(map { @$_ } @body{@names}),
			"$dialect: the one namespace, then the other");
		my @whose = $together =~
			/<(?:flow|conntrack|expect|expectation) [^>]*\bnetns="(\w+)"/g;
		is_deeply(\@whose, [('one') x 5, ('two') x 5],
			"$dialect: whose they are");
	}
	my @metrics = read_metrics(check_stats('two namespaces', 1, @both));
	my %whose = map { ($_->{netns} // '?') => 1 } @metrics;
	is_deeply(\%whose, { one => 1, two => 1 }, 'metrics: whose they are');
	check_stats('a namespace', 1, '--netns', 'two');
	check_namespace_events(@both);
}

sub check_namespace_events {
	my @both = @_;
	my $flush = sub { run('ip', 'netns', 'exec', $_, 'conntrack', '-F') for @_ };
	my @order = ('one', 'client', 'two');

	# Only flows that begin while somebody listens tell of their end.
	$flush->(@order);
	my $job = start({}, program('conntap'), 'xml', '--events', '-v', @both,
		qw(-p udp));
	wait_until('both subscriptions', sub {
		2 == (() = so_far($job, 'stderr') =~ /a buffer of/g) });
	make_flows(@order);
	$flush->(@order);
	wait_until('both events', sub { 2 == (() = so_far($job) =~ /<\/conntrack>/g) });
	my ($status, $out) = interrupt($job);
	is($status, 0, 'two namespaces, events: status');
	my (undef, $totals) = is_document('conntracks', $out, 'two namespaces, events',
		since => $job->{begun}, subject => 'events', netns => ['one', 'two'],
		head => { filter => '--protonum udp' });
	is($totals->{events}, 2, 'two namespaces, events: two');
	is_deeply([$out =~ /^ {3}<conntrack [^>]* netns="(\w+)">/mg], ['one', 'two'],
		'two namespaces, events: whose they are');
}

# --format.

sub check_formats {
	is_deeply(json_of('xml', '--format', 'json'), json_of('list', '-o', 'json'),
		'json: as of list');
	is_deeply(json_of('xml', '-o', 'JSON', '-p', 'tcp', '--dialect', 'flows'),
		json_of('list', '-o', 'json', '-p', 'tcp'), 'json: as of list, of some');
	is(text_of('xml', '-o', 'json', '-s', '203.0.113.77'), '', 'json: of none');
	my %formats = (xml => 'conntracks', flows => 'flows');
	for my $format (sort keys %formats) {
		my $dialect = $formats{$format};
		my $text = document($dialect, ['--format', $format]);
		is_deeply(timeless(body_of($text)),
			timeless(body_of(document($dialect, []))), "$format: the dialect");
		$text = text_of('list', '-o', $format);
		is_deeply(timeless(body_of($text)),
			timeless(body_of(document($dialect, []))), "$format: as of list");
	}
}

# --events: the flows that end.

# Nanoseconds as seconds.
sub seconds {
	my ($ns) = @_;
	my $rest = $ns % 1_000_000_000;

	return sprintf '%d.%09d', ($ns - $rest) / 1_000_000_000, $rest;
}

# "id packets bytes packets bytes start stop duration" of each flow that ended, as
# conntrack(8) has it, to the nanosecond; and whether it is TCP over IPv6.
sub ends_seen {
	my ($text) = @_;
	my @ends;

	for (grep { /^<flow type="destroy">/ } split /\n/, $text) {
		my ($id) = /.*<id>(\d+)<\/id>/ or die "no id: $_\n";
		my @counters = /<packets>(\d+)<\/packets><bytes>(\d+)<\/bytes>/g;
		my ($start, $stop) = /<start>(\d+)<\/start><stop>(\d+)<\/stop>/
			or die "no times: $_\n";
		push @ends, { tcp6 => scalar(/protoname="ipv6">.*protoname="tcp">/),
			line => join(' ', $id, @counters, seconds($start),
				seconds($stop), seconds($stop - $start)) };
	}
	return @ends;
}

# The same of ours.  How long it was the dialect "flows" tells in whole seconds only.
my %readers = (
	xml => sub {
		my $flow = qr/<conntrack id="(\d+)"[^>]* event="destroy".*?<\/conntrack>/s;
		my @lines;
		while ($_[0] =~ /($flow)/g) {
			my ($text, @words) = ($1, $2);
			push @words, $text =~ /<counter packets="(\d+)" bytes="(\d+)" \/>/g;
			push @words, $text =~ /<timestamp\ start="([\d.]+)"
				\ stop="([\d.]+)"\ duration="([\d.]+)"/x;
			push @lines, "@words";
		}
		return @lines;
	},
	flows => sub {
		return map { my $end = $_;
			my ($age) = $end->{text} =~ /<deltatime>(\d+)<\/deltatime>/;
			my ($whole) = $end->{line} =~ / (\d+)\.\d{9}$/;
			$end->{line} . ($age == $whole ? '' : ", but $age") }
			map { my ($end) = ends_seen("$_\n"); $end->{text} = $_; $end }
			$_[0] =~ /^(<flow type="destroy">.*)$/mg;
	},
	json => sub {
		my $times = join ',', map { "\"$_\":(\\d+\\.\\d{9})" }
			qw(start stop duration);
		return map { join ' ', /"id":(\d+)/, /"packets":(\d+),"bytes":(\d+)/g,
			/$times/ } grep { /"event":"destroy"/ } split /\n/, $_[0];
	},
);
my %dialect_of = (xml => 'conntracks', flows => 'flows');

# A flow that ends when all others have ended: when this one is seen, all are.
sub wait_for_ends {
	my @jobs = @_;
	my @flow = qw(-p tcp -s 2001:db8::77 -d 2001:db8::78 --sport 9 --dport 9);

	run('conntrack', '-I', @flow, '-t', 600, '--state', 'CLOSE');
	my ($status, undef, $err) = run('conntrack', '-D', @flow);
	die "conntrack -D: $err\n" if $status;
	for my $job (@jobs) {
		wait_until("all that ends, by $job->{command}",
			sub { so_far($job) =~ /2001:db8::77.*\n/ });
	}
}

sub check_events {
	my $judge = start_listening({}, ENDS, 'conntrack', '-E', '-e', 'DESTROY', '-o',
		'xml,id,ktimestamp');
	my %jobs = map { $_ => start_listening({}, ENDS, program('conntap'), 'xml',
		'--events', '--format', $_) } sort keys %readers;
	my $dialect = start_listening({}, ENDS, program('conntap'), 'xml', '--dialect',
		'flows', '--events');
	my $some = start_listening({}, ENDS, program('conntap'), 'xml', '--events',
		qw(-f ipv6 --proto tcp));
	my $traffic = start_traffic();

	$traffic = undef;
	run('conntrack', '-F');
	# None of them waits for its buffer to be full.
	wait_for_ends($judge, values %jobs, $dialect, $some);
	my @ends = ends_seen((interrupt($judge))[1]);
	cmp_ok(scalar @ends, '>', 50, 'ends: there are many');
	check_ends($_, $jobs{$_}, {}, map { $_->{line} } @ends) for sort keys %jobs;
	check_ends('flows', $dialect, {}, map { $_->{line} } @ends);
	my @some = map { $_->{line} } grep { $_->{tcp6} } @ends;
	cmp_ok(scalar @some, '>', 5, 'some ends: there are some');
	check_ends('xml', $some, { filter => '--family ipv6 --protonum tcp' }, @some);
}

# That job wrote these ends, in that format, and nothing else.
sub check_ends {
	my ($format, $job, $head, @lines) = @_;
	my ($status, $out, $err) = interrupt($job);
	my $name = "ends, $format" . join '', values %$head;

	is("$status $err", '0 ', "$name: status");
	same_lines([$readers{$format}->($out)], \@lines, "$name: these");
	if ($format eq 'json') {
		is(scalar json_lines($out, $name), scalar @lines, "$name: no others");
		return;
	}
	my (undef, $totals) = is_document($dialect_of{$format}, $out, $name,
		since => $job->{begun}, subject => 'events', head => $head);
	is($totals->{events}, scalar @lines, "$name: no others");
}

# Flows that live for a while, and how long they did by our own clock.
sub check_durations {
	my $job = start_listening({}, ENDS, program('conntap'), 'xml', '--events',
		'--format', 'json', '-p', 'udp', '--dport', 7001);
	my %lives;

	for my $life (0.05, 0.4, 1.3) {
		my $port = 30000 + int(1000 * $life);
		my $socket = IO::Socket::INET->new(Proto => 'udp', LocalPort => $port,
			PeerAddr => '10.0.2.2', PeerPort => 7001) or die "udp: $@\n";
		my $before = time;
		send $socket, 'hello', 0 or die "udp: $!\n";
		$lives{$port} = { before => $before, after => time, life => $life };
	}
	for my $port (sort keys %lives) {
		my $flow = $lives{$port};
		my $rest = $flow->{after} + $flow->{life} - time;
		sleep $rest if $rest > 0;
		my $began = time;
		is((run('conntrack', '-D', '-p', 'udp', '--orig-port-src', $port))[0], 0,
			"a life of $flow->{life} s");
		$flow->{least} = $began - $flow->{after};
		$flow->{most} = time - $flow->{before};
	}
	wait_until('three ends', sub { 3 == so_far($job) =~ tr/\n// });
	my ($status, $out) = interrupt($job);
	for my $end (json_lines($out, 'lives')) {
		my $flow = delete $lives{$end->{orig}{sport}};
		# Our clock has microseconds only.
		ok($end->{duration} > $flow->{least} - 1e-5 &&
			$end->{duration} < $flow->{most} + 1e-5, 'a life: so long') or
			diag("$end->{duration}, not $flow->{least} to $flow->{most}");
	}
	is_deeply([$status, keys %lives], [0], 'all lives were told');
}

# What the kernel did not keep is not told.
sub check_untimed {
	set_sysctl("net/netfilter/nf_conntrack_$_", 0) for 'acct', 'timestamp';
	my %jobs = map { $_ => start_listening({}, ENDS, program('conntap'), 'xml',
		'--events', '-o', $_) } sort keys %readers;

	wait_for_ends(values %jobs);
	for my $format (sort keys %jobs) {
		my ($status, $out) = interrupt($jobs{$format});
		like($out, qr/destroy/, "untimed, $format: it has ended");
		unlike($out, qr/duration|deltatime|"?start\b|bytes|packets/,
			"untimed, $format: neither times nor counters");
		is_document($dialect_of{$format}, $out, "untimed, $format",
			since => $jobs{$format}{begun}, subject => 'events')
			if $dialect_of{$format};
	}
	set_sysctl("net/netfilter/nf_conntrack_$_", 1) for 'acct', 'timestamp';
}

# What could not be looked at is missing, and the document says so.

# Test: with this fault of system calls, conntap ends so, and the document is a part.
sub is_part {
	my ($dialect, $fault, $said, $arguments, %about) = @_;
	my %there = table_now(@{$about{netns} // []});
	my $since = time;
	my ($status, $out, $err) = run(qw(strace -f -qq -o /dev/null -e), "inject=$fault",
		program('conntap'), 'xml', '--dialect', $dialect, @$arguments);
	my $name = "$dialect @$arguments, $fault";

	is_deeply([$status, $err], $said, "$name: why");
	is_document($dialect, $out, $name, since => $since, head => \%there, early => 1,
		totals => { count => $there{count} },
		expectations => $about{expectations});
}

sub check_incomplete {
	my ($status) = run(qw(strace -f -qq -o /dev/null true));
	my $unread = "conntap: cannot read the expectations: Input/output error\n";
	my @names = ('one', 'two');

	SKIP: {
		skip('strace does not work here: no faults of system calls', 1) if $status;
		expect_something();
		expect_something(@names);
		for my $dialect (@dialects) {
			# Of the requests, the fourth is for the expectations.
			is_part($dialect, 'sendto:error=EIO:when=4', [1, $unread],
				['--expect'], expectations => 1);
			# Before anything is read, and behind the first of the two.
			is_part($dialect, "setns:signal=INT:when=$_", [130, ''],
				['--expect', map { ('--netns', $_) } @names],
				netns => \@names, expectations => 1) for 1, 9;
		}
	}
}

# Options that make sense with others only.

sub check_usage {
	my $dir = open_dir();
	my $no_file = 'it needs --output, a file to write';
	my $no_time = "it needs --output with a time in the file's name, such as " .
		'flows-%Y%m%dT%H%M%S.xml';
	my $no_stats = 'a document of XML has them, no other format';
	my $no_table = 'it is about what is there, --events about what ends';
	my $no_period = 'into files it needs --every: a file is there when its time ' .
		'is over';
	my $formats = 'is not a format of xml (xml, flows, json)';
	my @cases = (
		"--output $dir/%Y/flows.xml" =>
			"--output: $dir/%Y/flows.xml has a % in a directory's name",
		"--output $dir/%x.xml" => "--output: $dir/%x.xml: %x is not one of " .
			'%Y %m %d %H %M %S %s %h %n %%',
		'--every 5' => "--every: $no_file",
		'--every 5 --events' => "--every: $no_file",
		'--mode 0600' => "--mode: $no_file",
		'--owner 0:0' => "--owner: $no_file",
		'--owner 0 --mode 0600' => "--mode: $no_file",
		'--keep 3' => "--keep: $no_time",
		"--keep 3 --output $dir/flows.xml" => "--keep: $no_time",
		"--keep 3 --output $dir/flows-%n-%h-%%.xml" => "--keep: $no_time",
		'--stats --format json' => "--stats: $no_stats",
		"--stats --format json --output $dir/flows.json" => "--stats: $no_stats",
		'--stats --events --format json' => "--stats: $no_stats",
		'--events --stats' => "--stats: $no_table",
		'--events --expect' => "--expect: $no_table",
		'--events --expect --stats' => "--stats: $no_table",
		"--events --output $dir/flows.xml" => "--events: $no_period",
		"--events --every 5 --output $dir/flows-%n.xml" => '--output: %n: with ' .
			'--events there is one file for all namespaces',
		map { ("--format $_" => "--format: $_ $formats") }
			qw(text save conntracks prometheus),
	);

	while (my ($words, $expected) = splice @cases, 0, 2) {
		is_deeply([conntap('xml', split ' ', $words)], [2, '',
			"conntap: $expected\n"], "xml $words");
	}
	is(entries($dir), '', 'and nothing is written');
}

# The schemas.

# What is wrong with a document => how it comes about; each of these changes it.
my @damages = (
	(map { my $name = $_; ["no $name in the head",
		sub { s/^(<conntracks? [^>]*?) ?\b$name="[^"]*"/$1/m }] }
		qw(version generator host begun)),
	(map { my $name = $_; ["no $name in the totals",
		sub { s/(<totals[^>]*) $name="[^"]*"/$1/ }] }
		qw(malformed complete ended)),
	['another version', sub { s/ version="1"/ version="2"/ }],
	['another generator', sub { s/ generator="conntap / generator="conntrack / }],
	['a time in whole seconds', sub { s/ begun="(\d+)\.\d+"/ begun="$1"/ }],
	['no time at all', sub { s/ ended="[^"]*"/ ended="soon"/ }],
	['whether it is complete, in doubt',
		sub { s/ complete="true"/ complete="maybe"/ }],
	['a number below zero', sub { s/(<totals[^>]*) malformed="0"/$1 malformed="-1"/ }],
	['an attribute too much, head', sub { s/ begun=/ uptime="1" begun=/ }],
	['an attribute too much, totals', sub { s/ ended=/ seconds="1" ended=/ }],
	['an element too much', sub { s/( *<totals)/<total \/>\n$1/ }],
	['text in the totals', sub { s/(<totals[^>]*) \/>/$1>all<\/totals>/ }],
	['totals twice', sub { s/( *<totals.*\n)/$1$1/ }],
	['totals first',
		sub { s/^(<conntracks? .*\n)([\s\S]*)^( *<totals.*\n)/$1$3$2/m }],
);
my @table_damages = (
	['no number of flows', sub { s/(<totals)[^>]*? malformed/$1 malformed/ }],
	['losses', sub { s/(<totals[^>]*?) malformed/$1 lost="0" malformed/ }],
	['accounting, in doubt', sub { s/ accounting="true"/ accounting="perhaps"/ }],
	['timestamps, in doubt', sub { s/ timestamps="true"/ timestamps=""/ }],
	['a limit that is no number', sub { s/ max="\d+"/ max="none"/ }],
	['a count that is no number', sub { s/ count="\d+"/ count="1.5"/ }],
	['totals before the metrics',
		sub { s/^( *<metrics>[\s\S]*<\/metrics>\n)( *<totals.*\n)/$2$1/m }],
	['metrics twice', sub { s/^( *<metrics>[\s\S]*<\/metrics>\n)/$1$1/m }],
	(map { my $name = $_; ["a metric without its $name",
		sub { s/(<metric [^>]*?) ?\b$name="[^"]*"/$1/ }] } qw(name kind value)),
	['a metric of another kind', sub { s/ kind="gauge"/ kind="histogram"/ }],
	['a metric that is no number',
		sub { s/(<metric .*) value="\d+"/$1 value="many"/ }],
	['a metric with text', sub { s/(<metric [^>]*) \/>/$1>1<\/metric>/ }],
	['a metric among the flows',
		sub { s/^( *<metrics>\n)( *<metric .*\n)/$2$1/m }],
);
my @event_damages = (
	['no number of events', sub { s/(<totals) events="\d+"/$1/ }],
	['no number of losses', sub { s/(<totals[^>]*) lost="\d+"/$1/ }],
	['flows, too', sub { s/(<totals)/$1 flows="0"/ }],
);

sub check_damages {
	my ($dialect, $name, $document, @cases) = @_;

	for (@cases) {
		my ($why, $damage) = @$_;
		my $damaged = $document;
		$damage->() for $damaged;
		isnt($damaged, $document, "$dialect, $name, $why: damaged");
		misfits_schema($dialect, $damaged, "$dialect, $name, $why");
	}
}

sub check_schemas {
	for my $dialect (@dialects) {
		my $table = document($dialect, ['--stats', '--expect'],
			expectations => 1);
		check_damages($dialect, 'a table', $table, @damages, @table_damages);
		check_damages($dialect, 'a table', $table, ['a duration that is no time',
			sub { s/ start="([\d.]+)"/ start="$1" duration="long"/ }])
			if $dialect eq 'conntracks';
		my $job = start_listening({}, ENDS, program('conntap'), 'xml', '--events',
			'--dialect', $dialect);
		wait_for_ends($job);
		my ($status, $log) = interrupt($job);
		is_document($dialect, $log, "$dialect, a log", since => $job->{begun},
			subject => 'events');
		check_damages($dialect, 'a log', $log, @damages, @event_damages);
		check_golden($dialect);
	}
}

# What formats write of flows as no lab has them.
sub check_golden {
	my ($dialect) = @_;
	my @files = glob "$FindBin::Bin/../unit/golden/*.$dialect.xml";

	cmp_ok(scalar @files, '>', 20, "$dialect: there are examples");
	for my $file (@files) {
		my ($name) = $file =~ m{([^/]+)\z};
		# conntap always knows its host, and what time it is.
		($name =~ /^document-nothing/ ? \&misfits_schema : \&fits_schema)->(
			$dialect, slurp($file), $name);
	}
}

# A reader of conntrack(8)'s documents.

# VyOS reads them with xmltodict: the root is a hash of its attributes and of the flows,
# one or many; of each, it looks for the three directions and for these members.  The
# paths are what it says, in XPath.
my @paths = (
	map({ my $meta = "meta[\@direction=\"$_\"]";
		map { "$meta/$_" } qw(layer3/src layer3/dst layer4/sport layer4/dport
			layer4/@protoname) } 'original', 'reply'),
	map({ "meta[\@direction=\"independent\"]/$_" } qw(id timeout state mark zone)),
);

# Its table: for each flow, what is at the paths; '' is what it takes as absent.
sub read_as_vyos {
	my ($document) = @_;
	my $file = File::Temp->new;
	my @table;

	print $file $document;
	close $file;
	my $find = sub {
		my ($status, $out, $err) = run('xmllint', '--xpath', $_[0], "$file");
		die "xmllint $_[0]: $err\n" if $status;
		return $out =~ s/\n\z//r;
	};
	# Attributes are members, too: these would be taken for something else.
	is($find->('count(/conntrack/@*[name() = "flow" or name() = "error"])'), 0,
		'no attribute looks like flows, or like an error');
	for my $flow (1 .. $find->('count(/conntrack/flow)')) {
		my $members = join ', "|", ', map { "string(/conntrack/flow[$flow]/$_)" }
			@paths;
		push @table, [split /\|/, $find->("concat($members)"), -1];
	}
	# It would fail without these.
	for my $member ('id', 'timeout') {
		is($find->('count(/conntrack/flow/meta[@direction="independent"]/' .
			"$member)"), scalar @table, "each flow has its $member");
	}
	return @table;
}

# The same of a flow of conntrack(8)'s listing.
sub row_of {
	my ($flow) = @_;
	my %names = (33 => 'dccp'); # which this kernel knows by number only
	my $proto = $names{$flow->{protonum}} // $flow->{proto};

	return [map({ my $tuple = $_;
			map({ $tuple->{$_} // '' } qw(src dst sport dport)), $proto }
			@$flow{qw(orig reply)}),
		map({ $_ // '' } @$flow{qw(id timeout state mark)}), $flow->{zone} || ''];
}

# Of the flows that `chosen` is true of.  Timeouts pass.
sub check_reader {
	my ($name, $arguments, $head, $chosen) = @_;
	my @flows = grep { $chosen->($_) } conntrack_flows();
	my $text = document('flows', $arguments, head => $head,
		expectations => scalar grep { $_ eq '--expect' } @$arguments);
	my @table = read_as_vyos($text);
	my ($ours, $theirs) = map { my $rows = $_;
		[map { join '|', @$_[0 .. 10, 12 .. 14] } @$rows] }
		\@table, [map { row_of($_) } @flows];

	same_lines($ours, $theirs, "$name, as VyOS reads it");
	my %timeout = map { $_->{id} => $_->{timeout} } @flows;
	is(scalar(grep { abs($timeout{$_->[10]} - $_->[11]) > 2 } @table), 0,
		"$name, as VyOS reads it: timeouts");
	return scalar @table;
}

sub check_readers {
	my ($one) = kind_flows('tcp4-dnat', conntrack_flows());
	my $port = $one->{orig}{sport};

	cmp_ok(check_reader('all flows', [], {}, sub { 1 }), '>', 50,
		'all flows: there are many');
	check_reader('all there is', ['--stats', '--expect'], {}, sub { 1 });
	is(check_reader('one flow', ['--sport', $port], { filter => "--sport $port" },
		sub { ($_[0]{orig}{sport} // 0) == $port }), 1, 'one flow: it is one');
}

my $traffic = start_traffic();
check_filters();
check_host();
check_formats();
check_stats('all flows', 0);
check_stats_of_some();
expect_something();
check_expect();
check_readers();
check_schemas();
$traffic = undef;
run('conntrack', '-F');
document($_, ['--expect'], expectations => 1) for @dialects; # of none
check_namespaces();
check_incomplete();
check_events();
check_durations();
check_untimed();
check_usage();

done_testing();
