#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conntap metrics: every number against conntrack(8), /proc and a recount of the flows,
# in both formats, as their readers read them: Prometheus and node_exporter themselves.
use strict;
use warnings;

use Fcntl qw(S_IMODE);
use File::Temp ();
use FindBin;
use IO::Socket::INET;
use JSON::PP ();
use POSIX qw(_exit);
use Socket qw(SOCK_RAW);
use Test::More;

use lib $FindBin::Bin;
use Files;
use Lab;
use OpenMetrics;

enter_lab();

my $sysctls = '/proc/sys/net/netfilter';
my @nobody = qw(setpriv --reuid=65534 --regid=65534 --clear-groups);
my $nobody_works = !(run(@nobody, program('conntap'), '--version'))[0];
my $rights = 'conntap: cannot read the connection tracking table: Operation not ' .
	"permitted: run it as root, or with CAP_NET_ADMIN\n";

# What the numbers should be.

my %proto_names = (1 => 'icmp', 6 => 'tcp', 17 => 'udp', 33 => 'dccp', 47 => 'gre',
	58 => 'icmpv6', 132 => 'sctp', 136 => 'udplite');
my %states = (
	tcp => [qw(NONE SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK
		TIME_WAIT CLOSE SYN_SENT2)],
	sctp => [qw(NONE CLOSED COOKIE_WAIT COOKIE_ECHOED ESTABLISHED SHUTDOWN_SENT
		SHUTDOWN_RECD SHUTDOWN_ACK_SENT HEARTBEAT_SENT HEARTBEAT_ACKED)],
	dccp => [qw(NONE REQUEST RESPOND PARTOPEN OPEN CLOSEREQ CLOSING TIMEWAIT IGNORE
		INVALID)],
);
# linux/netfilter/nf_conntrack_common.h: IPS_*_BIT.
my @status_bits = qw(expected seen_reply assured confirmed src_nat dst_nat seq_adjust
	src_nat_done dst_nat_done dying fixed_timeout template nat_clash helper offload
	hw_offload);
my $src_nat = 1 << 4;
# By the columns of /proc; conntrack -S has other names for some.
my %stat_columns = (found => 'found', invalid => 'invalid', insert => 'insert',
	insert_failed => 'insert_failed', drop => 'drop', early_drop => 'early_drop',
	icmp_error => 'error', search_restart => 'search_restart',
	clashres => 'clash_resolve', chainlength => 'chain_toolong',
	expect_new => 'expect_new', expect_create => 'expect_create',
	expect_delete => 'expect_delete');
my %settings = (nf_conntrack_max => 'entries_limit', nf_conntrack_buckets => 'buckets',
	nf_conntrack_acct => 'accounting', nf_conntrack_timestamp => 'timestamping',
	nf_conntrack_events => 'events_mode',
	nf_conntrack_expect_max => 'expectations_limit');

sub put {
	my ($into, $name, $value, @labels) = @_;

	$into->{series("conntap_$name", @labels)} = $value;
}

sub attributes_of {
	my ($bytes) = @_;
	my %found;

	while (length $bytes >= 4) {
		my ($size, $type) = unpack 'SS', $bytes;
		$found{$type & 0x3fff} = substr $bytes, 4, $size - 4;
		substr $bytes, 0, ($size + 3) & ~3, '';
	}
	return %found;
}

# The status of each flow, by its id: conntrack(8) shows four of its bits.
sub kernel_status {
	my %status;

	# NETLINK_NETFILTER; GET of flows; request, dump; any family.
	socket my $socket, 16, SOCK_RAW, 12 or die "netlink: $!\n";
	send $socket, pack('LSSLL CCn', 20, 0x101, 0x301, 1, 0, 0, 0, 0), 0
		or die "netlink: $!\n";
	while (1) {
		defined recv $socket, my $bytes, 65536, 0 or die "netlink: $!\n";
		while (length $bytes >= 16) {
			my ($size, $type) = unpack 'LS', $bytes;
			return %status if $type == 3;
			die "netlink: refused\n" if $type == 2;
			my %found = attributes_of(substr $bytes, 20, $size - 20);
			$status{unpack 'N', $found{12}} = unpack 'N', $found{3};
			substr $bytes, 0, ($size + 3) & ~3, '';
		}
	}
}

sub sum {
	my ($what, @tuples) = @_;
	my $sum = 0;

	$sum += $_->{$what} // 0 for @tuples;
	return $sum;
}

sub both_ways {
	return map { ($_->{orig}, $_->{reply}) } @_;
}

# Of a kind of flows: how many, and if any flow at all has counters, theirs.
sub put_tally {
	my ($into, $name, $accounted, $flows, @labels) = @_;

	put($into, "${name}_flows", scalar @$flows, @labels);
	return unless $accounted;
	put($into, "${name}_$_", sum($_, both_ways(@$flows)), @labels)
		for 'bytes', 'packets';
}

sub proto_of {
	my ($flow) = @_;

	return $proto_names{$flow->{protonum}} // $flow->{protonum};
}

sub put_protos {
	my ($into, $accounted, @flows) = @_;
	my (%of, %unreplied);

	for my $proto (qw(tcp udp sctp dccp gre udplite)) {
		$of{"$_ $proto"} = [] for 'ipv4', 'ipv6';
	}
	$of{$_} = [] for 'ipv4 icmp', 'ipv6 icmpv6';
	push @{$of{"$_->{family} " . proto_of($_)}}, $_ for @flows;
	for my $kind (keys %of) {
		my ($family, $proto) = split ' ', $kind;
		my @labels = (family => $family, proto => $proto);
		put($into, 'flows', scalar @{$of{$kind}}, @labels);
		$unreplied{$proto} += grep { $_->{flags}{UNREPLIED} } @{$of{$kind}};
		next unless $accounted;
		for my $what ('bytes', 'packets') {
			put($into, "flow_$what", sum($what, map { $_->{orig} }
				@{$of{$kind}}), @labels, direction => 'original');
			put($into, "flow_$what", sum($what, map { $_->{reply} }
				@{$of{$kind}}), @labels, direction => 'reply');
		}
	}
	put($into, 'unreplied_flows', $unreplied{$_}, proto => $_) for keys %unreplied;
}

sub put_states {
	my ($into, $accounted, @flows) = @_;

	for my $proto (keys %states) {
		for my $state (@{$states{$proto}}) {
			put_tally($into, 'state', $accounted, [grep {
				proto_of($_) eq $proto && ($_->{state} // '') eq $state
				} @flows], proto => $proto, state => $state);
		}
	}
}

sub put_status {
	my ($into, $accounted, @flows) = @_;
	my %kinds = (unreplied => sub { $_->{flags}{UNREPLIED} },
		unassured => sub { !$_->{flags}{ASSURED} },
		nat => sub { $_->{flags}{SRC_NAT} || $_->{flags}{DST_NAT} });

	for my $bit (0 .. $#status_bits) {
		$kinds{$status_bits[$bit]} = sub { $_->{status} >> $bit & 1 };
	}
	for my $kind (keys %kinds) {
		put_tally($into, 'status', $accounted,
			[grep { $kinds{$kind}->() } @flows], status => $kind);
	}
}

# So many (0: all) of these, those first of which there is most.
sub most {
	my ($limit, $much, @keys) = @_;

	@keys = sort { $much->($b) <=> $much->($a) } @keys;
	return @keys if !$limit || @keys <= $limit;
	die "which $limit of @keys?\n"
		if $much->($keys[$limit - 1]) == $much->($keys[$limit]);
	return @keys[0 .. $limit - 1];
}

# Those with most flows have a line each, all others one together.
sub put_bins {
	my ($into, $accounted, $name, $limit, $key, @flows) = @_;
	my %bins;

	push @{$bins{$key->()}}, $_ for @flows;
	for my $value (most($limit, sub { scalar @{$bins{$_[0]}} }, keys %bins)) {
		put_tally($into, $name, $accounted, delete $bins{$value},
			$name => $value);
	}
	return unless %bins;
	put_tally($into, $name, $accounted, [map { @$_ } values %bins],
		$name => 'other');
}

# The port, id or key on our side, and what takes its place on the remote's.
sub ends_of {
	my ($reply) = @_;

	return ($reply->{id}, $reply->{type} << 8 | $reply->{code})
		if defined $reply->{type};
	return map { hex } @$reply{qw(dstkey srckey)} if defined $reply->{srckey};
	return @$reply{qw(dport sport)};
}

sub put_nat {
	my ($into, $how, @flows) = @_;
	my %lowest = (icmp => 0, icmpv6 => 0, gre => 1);
	my %pools;

	for my $flow (@flows) {
		my ($reply, $proto) = ($flow->{reply}, proto_of($flow));
		my ($port, $remote_port) = ends_of($reply);
		my ($low, $high) = @{$how->{ports} // [$lowest{$proto} // 1024, 65535]};
		next unless $how->{public} ?
			grep({ $_ eq $reply->{dst} } @{$how->{public}}) :
			$flow->{status} & $src_nat;
		next unless defined $port && $port >= $low && $port <= $high;
		my $zone = $flow->{zone} || $flow->{zone_reply} || 0;
		my $pool = $pools{"$reply->{dst} $proto $zone"} //=
			{ range_ports => $high - $low + 1 };
		$pool->{flows}++;
		$pool->{used}{$port} = 1;
		$pool->{remotes}{"$reply->{src} $remote_port"}++;
	}
	for my $pool (values %pools) {
		($pool->{remote_ports}) = sort { $b <=> $a } values %{$pool->{remotes}};
		$pool->{share} = $pool->{remote_ports} / $pool->{range_ports};
		$pool->{ports} = keys %{$pool->{used}};
	}
	my @keys = most($how->{limit}, sub { $pools{$_[0]}{share} }, keys %pools);
	for my $key (@keys) {
		my %labels;
		@labels{qw(address proto zone)} = split ' ', $key;
		put($into, "nat_$_", $pools{$key}{$_}, %labels)
			for qw(flows ports remote_ports range_ports);
	}
	put($into, 'nat_ignored_flows', 0);
}

sub put_flows {
	my ($into, $how) = @_;
	my %status = kernel_status();
	my @flows = conntrack_flows();
	my $accounted = grep { defined $_->{orig}{bytes} } @flows;

	$_->{status} = $status{$_->{id}} // 0 for @flows;
	put_protos($into, $accounted, @flows);
	put_states($into, $accounted, @flows);
	put_status($into, $accounted, @flows);
	put_bins($into, $accounted, 'zone', $how->{limit},
		sub { $_->{zone} || $_->{zone_orig} || 0 }, @flows);
	put_bins($into, $accounted, 'mark', $how->{limit},
		sub { sprintf '0x%x', $_->{mark} }, @flows);
	put_nat($into, $how, @flows);
	put($into, 'pass_flows', scalar @flows);
	put($into, "pass_${_}_flows", 0) for 'repeated', 'malformed';
}

sub put_stats {
	my ($into) = @_;
	my %renamed = (chaintoolong => 'chain_toolong');

	for my $line (map { split /\n/, must('conntrack', '-S', @$_) } [], ['exp']) {
		my ($cpu, %counts) = split /[\s=]+/, $line =~ s/^cpu=//r;
		put($into, ($renamed{$_} // $_) . '_total', $counts{$_}, cpu => $cpu)
			for keys %counts;
	}
}

sub put_build {
	my ($into) = @_;
	my ($version) = must(program('conntap'), '--version') =~ /^conntap (.*)/;

	put($into, 'build_info', 1, version => $version,
		kernel => must('uname', '-r') =~ s/\n//r);
}

# All that there is to say, but for how long it took.  How: flows, rights: 0 without;
# limit; public, ports.
sub expected {
	my %how = (limit => 100, @_);
	my %expected;

	put_build(\%expected);
	put(\%expected, 'entries', table_size());
	put(\%expected, $settings{$_}, 0 + slurp("$sysctls/$_")) for keys %settings;
	put(\%expected, 'expectations', 0 + must('conntrack', '-C', 'expect'))
		if $how{rights} // 1;
	put_stats(\%expected);
	put_flows(\%expected, \%how) if $how{flows} // 1;
	return \%expected;
}

sub lines_of {
	my ($samples) = @_;

	return [map { "$_ $samples->{$_}" } sort keys %$samples];
}

# Test: all of it, in both formats.  Returns them.
sub check_numbers {
	my ($name, $how, $before, @arguments) = @_;
	my ($expected, @openmetrics, @prometheus);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until('numbers that stay', sub {
		$expected = lines_of(expected(%$how));
		@openmetrics = run(@$before, program('conntap'), 'metrics', @arguments);
		@prometheus = run(@$before, program('conntap'), 'metrics', @arguments,
			'--format', 'prometheus');
		return "@$expected" eq "@{lines_of(expected(%$how))}";
	});
	is("$openmetrics[0] $openmetrics[2]$prometheus[0] $prometheus[2]", '0 0 ',
		"$name: status");
	is_openmetrics($openmetrics[1], $name);
	for ([OpenMetrics => $openmetrics[1]], ['text 0.0.4' => $prometheus[1]]) {
		my ($format, $text) = @$_;
		my %samples = samples_of($text);
		my $seconds = delete $samples{conntap_pass_seconds};
		same_lines(lines_of(\%samples), $expected, "$name, $format: all");
		next if is(defined $seconds, ($how->{flows} // 1) == 1,
			"$name, $format: time") && !defined $seconds;
		like($seconds, qr/\A(?!0\.0{9})[012]?\d\.\d{9}\z/,
			"$name, $format: how long");
	}
	return ($openmetrics[1], $prometheus[1]);
}

# What is said of each family: its type, its unit, that every family is there once.
sub check_families {
	my ($openmetrics, $prometheus) = @_;
	my ($families) = read_openmetrics($openmetrics);
	my %counters = map { $_ => 1 } values %stat_columns;
	my (%wrong, %prometheus, %openmetrics);

	for my $family (@$families) {
		my $name = $family->{name} =~ s/^conntap_//r;
		my $type = $counters{$name} ? 'counter' :
			$name eq 'build' ? 'info' : 'gauge';
		my ($unit) = $name =~ /_(bytes|seconds)\z/;
		$wrong{$name} = "$family->{type} " . ($family->{unit} // '-')
			if "$type " . ($unit // '-') ne
				"$family->{type} " . ($family->{unit} // '-');
		my $ending = { counter => '_total', info => '_info' }->{$type} // '';
		$type = 'gauge' if $type eq 'info';
		$openmetrics{"conntap_$name$ending"} = "$family->{help}, $type";
	}
	is_deeply(\%wrong, {}, 'families: types and units');
	cmp_ok(scalar @$families, '>', 40, 'families: all');
	for my $line (grep { /^#/ } split /\n/, $prometheus) {
		my ($what, $name, $text) = $line =~ /^# (HELP|TYPE) (\S+) (.+)$/ or
			$prometheus{$line} = 'a comment';
		$prometheus{$name} .= $what eq 'HELP' ? $text : ", $text" if $name;
	}
	is_deeply(\%prometheus, \%openmetrics, 'families: the same in text 0.0.4');
	is(() = $prometheus =~ /^# (?:HELP|TYPE)/mg, 2 * @$families, 'families: once');
}

# The manual has each, with its labels.
sub check_manual {
	my ($openmetrics) = @_;
	my $manual = slurp("$FindBin::Bin/../../plugins/cli/conntap.1");
	my %told = map { s/[ ,]+/ /gr => 1 }
		$manual =~ /^\.It Li (conntap_\w+(?: Brq Li [\w, ]+)?)$/mg;
	my ($families) = read_openmetrics($openmetrics);
	my (%shown, %labels);

	for my $sample (map { @{$_->{samples}} } @$families) {
		$labels{$sample->{name}} = $sample->{labels};
	}
	for my $line (keys %told) {
		my ($name, @labels) = split / Brq Li | /, $line;
		my $there = $labels{$name} // {};
		$shown{$line} = 1 if delete $labels{$name} &&
			"@{[sort @labels]}" eq "@{[sort keys %$there]}";
	}
	is_deeply(\%shown, \%told, 'the manual: what is told, is there');
	is(join(' ', sort keys %labels), '', 'the manual: nothing is missing');
}

sub tool {
	my ($name) = @_;

	return program("prometheus/$name");
}

# Skips the rest of a block where they are not there.
sub need_tools {
	my @missing = grep { !-x tool($_) } @_;

	skip("no @missing; to get it: tests/netns/get-daemons.sh " .
		program(''), 1) if @missing;
}

sub check_lint {
	my ($name, $prometheus) = @_;

	SKIP: {
		need_tools('promtool');
		my $file = File::Temp->new;
		print $file $prometheus;
		close $file;
		is_deeply([run(qw(sh -c), 'exec "$0" check metrics <"$1"',
			tool('promtool'), "$file")], [0, '', ''],
			"$name: promtool has nothing to say");
	}
}

# What is in the table.

# Numbers that differ from each other; marks and zones that do in how many flows.
sub vary {
	set_sysctl('net/netfilter/nf_conntrack_timestamp', 0);
	set_sysctl('net/netfilter/nf_conntrack_events', 0);
	must(program('conntap'), qw(update --zone 5 --set-mark 1));
	for my $port (5001 .. 5003) {
		my @master = (qw(-p tcp -s 10.9.0.1 -d 10.9.0.2 --dport 21 -t 600
			--helper ftp --sport), $port);
		must(program('conntap'), qw(create --state ESTABLISHED), @master);
		must(program('conntap'), qw(expect create), @master,
			qw(--tuple-src 10.9.0.2 --tuple-dst 10.9.0.1 --tuple-port-dst),
			$port);
	}
	# A port to two remotes, and three or two to one.
	for (['10.9.0.9', '10.9.1.1', 1], ['10.9.0.9', '10.9.1.2', 1],
		['10.9.0.9', '10.9.1.1', 2], ['10.9.0.9', '10.9.1.1', 3],
		['10.9.0.8', '10.9.1.1', 4], ['10.9.0.8', '10.9.1.1', 5]) {
		my ($public, $remote, $port) = @$_;
		must(program('conntap'), qw(create -p udp -s 10.9.0.1 --dport 53 -t 600
			-d), $remote, '--sport', 6000 + $port, '--src-nat', $public);
	}
}

sub check_table {
	my @public = ('10.0.1.2', 'fd00:1::2', '10.0.2.100');
	my @one = qw(-I -p udp -s 10.9.0.1 -d 10.9.0.2 --sport 1 --dport 2 -t 600);
	my @documents;

	check_lint('an empty table', (check_numbers('an empty table', {}, []))[1]);
	must('conntrack', @one);
	check_lint('one flow', (check_numbers('one flow', {}, []))[1]);
	must(qw(conntrack -F));
	my $traffic = start_traffic();
	@documents = check_numbers('all kinds', {}, []);
	check_lint('all kinds', $documents[1]);
	check_families(@documents);
	check_manual($documents[0]);
	vary();
	@documents = check_numbers('more of them', {}, []);
	for my $limit (0, 1, 2, 100) {
		check_numbers("--limit $limit", { limit => $limit }, [], '--limit',
			$limit);
	}
	check_numbers('--public', { public => \@public }, [],
		map { ('--public', $_) } @public);
	check_numbers('--ports', { ports => [17000, 17012] }, [], '--ports',
		'17000-17012');
	check_numbers('both', { public => ['10.0.1.2'], ports => [0, 40030] }, [],
		'--public', '10.0.1.2', '--ports', '0-40030');
	check_numbers('--no-flows', { flows => 0 }, [], '--no-flows');
	check_nobody();
	return @documents;
}

# So many flows, each with another mark.
sub fill_with_marks {
	my ($count) = @_;
	my $file = File::Temp->new;

	must(qw(conntrack -F));
	print $file "-A -t 600 -u UNSET -m $_ -s 10.9.0.1 -d 10.9.0.2 -r 10.9.0.2 " .
		"-q 10.9.0.1 -p udp --sport $_ --dport 53 --reply-port-src 53 " .
		"--reply-port-dst $_\n" for 1 .. $count;
	close $file;
	must(program('conntap'), 'create', '--load', "$file");
}

# More marks than are told apart: a hundred of them, and all others.
sub check_marks {
	fill_with_marks(150);
	my (undef, $out) = conntap('metrics');
	my %samples = samples_of($out);
	my @marks = grep { /mark_flows/ } keys %samples;
	is(@marks, 101, 'marks: a hundred, and the others');
	is($samples{'conntap_mark_flows{mark="other"}'}, 50, 'marks: how many others');
	is(sum('flows', map { { flows => $samples{$_} } } @marks), 150,
		'marks: all flows');
}

# The kernel's answer takes its time.
sub check_seconds {
	SKIP: {
		my @strace = qw(strace -f -qq -o /dev/null);
		skip('strace does not work here: no delay', 1)
			if (run(@strace, 'true'))[0];
		my ($status, $out) = run(@strace, qw(-e
			inject=recvfrom:delay_enter=1100000:when=2), program('conntap'),
			'metrics');
		my %samples = samples_of($out);
		like($samples{conntap_pass_seconds}, qr/\A[1-9]\.\d{9}\z/,
			'a long pass');
	}
}

# Some flows have counters, or none.
sub check_accounting {
	must(qw(conntrack -F));
	my $counted = start_traffic('tcp4');
	set_sysctl('net/netfilter/nf_conntrack_acct', 0);
	my $uncounted = start_traffic('udp6', 'udp4-unreplied');
	my ($out) = check_numbers('some counters', {}, []);
	like($out, qr/_bytes/, 'some counters: bytes');
	must(qw(conntrack -D -p tcp));
	(undef, $out) = check_numbers('no counters', {}, []);
	unlike($out, qr/_bytes|_packets/, 'no counters: nothing is 0 bytes');
	check_lint('no counters', $out);
	set_sysctl('net/netfilter/nf_conntrack_acct', 1);
}

# Who may see what.

# Without rights: the kernel's files are all there is.
sub check_nobody {
	SKIP: {
		skip('no other user here, or none that can read this directory', 1)
			unless $nobody_works;
		my $dir = open_dir();
		chmod 0777, $dir;
		for my $format ('openmetrics', 'prometheus') {
			my @command = (@nobody, program('conntap'), 'metrics', '-o',
				$format);
			is_deeply([run(@command)], [1, '', $rights], "nobody, $format");
			is_deeply([run(@command, '--output', "$dir/conntap.prom")],
				[1, '', $rights], "nobody, $format, to a file");
			is(entries($dir), '', "nobody, $format: nothing is written");
		}
		check_numbers('nobody', { flows => 0, rights => 0 }, \@nobody,
			'--no-flows');
		my ($status, $out, $err) = run(@nobody, program('conntap'), 'metrics',
			'--no-flows', '--output', "$dir/conntap.prom");
		is("$status $out$err", '0 ', 'nobody writes a file');
		is(S_IMODE((stat "$dir/conntap.prom")[2] // 0), 0644,
			'for all to read');
		chmod 0755, $dir;
		($status, $out, $err) = run(@nobody, program('conntap'), 'metrics',
			'--no-flows', '--output', "$dir/x.prom");
		is("$status $out$err", "1 conntap: --output $dir/x.prom: Permission " .
			"denied\n", 'nobody, and no right to');
		is(entries($dir), 'conntap.prom', 'nobody leaves nothing behind');
		check_each_number();
	}
}

# All of the kernel's own numbers, each another one: from files that are in the place of
# the kernel's.
sub check_each_number {
	my $dir = open_dir();
	my %files = (%settings, nf_conntrack_count => 'entries');
	my @columns = qw(entries clashres found new invalid ignore delete chainlength
		insert insert_failed drop early_drop icmp_error expect_new expect_create
		expect_delete search_restart);
	my ($number, @rows, %expected) = (1);

	put_build(\%expected);
	mkdir "$dir/$_" for 'settings', 'stat';
	for my $name (sort keys %files) {
		spew("$dir/settings/$name", $number);
		put(\%expected, $files{$name}, $number++);
	}
	for my $cpu (0 .. 2) {
		push @rows, join ' ', map { sprintf '%08x', $number++ } @columns;
		for my $i (grep { $stat_columns{$columns[$_]} } 0 .. $#columns) {
			put(\%expected, "$stat_columns{$columns[$i]}_total",
				$number - @columns + $i, cpu => $cpu);
		}
	}
	spew("$dir/stat/nf_conntrack", join "\n", "@columns", @rows, '');
	run('chmod', '-R', 'a+rX', $dir);
	my ($status, $out, $err) = run(qw(unshare -m sh -c),
		'mount --bind "$0/settings" ' . "$sysctls && " .
		'mount --bind "$0" /proc/$$/task/$$/net && exec "$@"', $dir,
		@nobody, program('conntap'), 'metrics', '--no-flows');
	is("$status $err", '0 ', 'numbers of ours: status');
	same_lines(lines_of({ samples_of($out) }), lines_of(\%expected),
		'numbers of ours: each in its place');
}

# Namespaces.

# A name that is no UTF-8 is told as if it were Latin 1.
sub told {
	my ($netns) = @_;

	utf8::encode($netns) unless is_utf8($netns);
	return $netns;
}

# Those of one namespace, as they are inside, with its name.
sub inside {
	my ($netns, @arguments) = @_;
	my ($families) = read_openmetrics(must('ip', 'netns', 'exec', $netns,
		program('conntap'), 'metrics', @arguments));

	return map { (series($_->{name}, %{$_->{labels}}, netns => told($netns)) =>
		$_->{value}) } grep { $_->{name} ne 'conntap_pass_seconds' }
		map { @{$_->{samples}} } @$families;
}

sub check_spaces {
	my ($name, $spaces, @arguments) = @_;
	my %expected = map { inside($_, grep { /no-flows/ } @arguments) } @$spaces;
	my @documents;

	for my $format ('openmetrics', 'prometheus') {
		my @command = ('metrics', @arguments, '-o', $format);
		my ($status, $out, $err) = conntap(@command);
		my %samples = samples_of($out);
		is("$status $err", '0 ', "$name, $format: status");
		delete @samples{grep { /^conntap_pass_seconds\b/ } keys %samples};
		same_lines(lines_of(\%samples), lines_of(\%expected),
			"$name, $format: all");
		my @heads = $out =~ /^# HELP (\S+)/mg;
		my %heads = map { $_ => 1 } @heads;
		is(@heads, keys %heads, "$name, $format: a family once");
		push @documents, $out;
	}
	is_openmetrics($documents[0], $name);
	check_lint($name, $documents[1]);
	return @documents;
}

sub check_netns {
	# UTF-8 of two and four bytes, and what is none: a surrogate, half a character,
	# one that is longer than need be.
	my @odd = ('a"b\\c', "n\nl", '{}, #', "\xc3\xbc", "\xf0\x9f\x90\xa7",
		"\xff\xfe", "\xed\xa0\x80", "\xe2\x82", "\xc0\xaf");
	my @two = map { ('--netns', $_) } 'one', 'two';

	for my $netns ('one', 'two', @odd) {
		must('ip', 'netns', 'add', $netns);
	}
	must(qw(ip netns exec one sh -c), "echo 1 >$sysctls/nf_conntrack_acct");
	for (['one', 'udp', 1], ['one', 'tcp', 2], ['two', 'udp', 3],
		[$odd[0], 'tcp', 4]) {
		my ($netns, $proto, $port) = @$_;
		must('ip', 'netns', 'exec', $netns, 'conntrack', '-I', '-p', $proto,
			qw(-s 192.0.2.1 -d 192.0.2.2 -t 600 --dport 53 --sport), $port,
			'-m', $port, $proto eq 'tcp' ? ('--state', 'ESTABLISHED') : ());
	}
	my ($out) = check_spaces('two', ['one', 'two'], @two);
	like($out, qr/^conntap_entries\{netns="one"\} 2
conntap_entries\{netns="two"\} 1$/m, 'two: one behind the other');
	is(join(' ', $out =~ /^conntap_zone_bytes\{netns="([^"]*)"/mg), 'one',
		'two: bytes of the one that counts them');
	check_spaces('one', ['one'], '--netns', 'one');
	check_spaces('odd names', \@odd, map { ('--netns', $_) } @odd);
	my @all = ('one', 'two', 'gateway', 'client', 'server', @odd);
	my @documents = check_spaces('all', \@all, '--netns', 'all');
	ok(index($documents[0], "\nconntap_entries{netns=\"$_->[0]\"} $_->[1]\n") > 0,
		"odd names: $_->[0]") for ['a\\"b\\\\c', 1], ['n\\nl', 0],
		["\xc3\xbf\xc3\xbe", 0];
	check_spaces('all, without flows', \@all, '--netns', 'all', '--no-flows');
	check_vanished(@two);
	check_netns_twice();
	must('ip', 'netns', 'delete', $_) for 'one', 'two', @odd;
	return @documents;
}

# Nothing is written if not all can be said.
sub check_vanished {
	my @where = @_;
	my $dir = open_dir();

	spew("$dir/old.prom", 'old');
	# What is left of a namespace that could not be removed.
	spew('/run/netns/husk', '');
	for (['nowhere', 'there is no such namespace'], ['husk', 'Invalid argument']) {
		my ($netns, $why) = @$_;
		for my $more ([], ['--no-flows'], ['--output', "$dir/new.prom"],
			['--output', "$dir/old.prom", '-o', 'prometheus']) {
			my ($status, $out, $err) = conntap('metrics', @where, '--netns',
				$netns, @$more);
			is("$status $out", '1 ', "$netns @$more: no output");
			like($err, qr/\Aconntap: --netns $netns: [^\n]*$why[^\n]*\n\z/,
				"$netns: why");
		}
	}
	is(entries($dir), 'old.prom', 'vanished: no new file');
	is(slurp("$dir/old.prom"), 'old', 'vanished: the old file stays');
	unlink '/run/netns/husk';
}

# No reader takes the same series twice.
sub check_netns_twice {
	for (['one', 'one'], ['all', 'one'], ['all', 'all']) {
		my @where = map { ('--netns', $_) } @$_;
		my ($status, $out) = conntap('metrics', '--no-flows', @where);
		is($out, (conntap('metrics', '--no-flows', @where[0, 1]))[1],
			"@where: each once");
	}
}

# Prometheus, and node_exporter.

sub listen_here {
	return IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16) //
		die "cannot listen: $!\n";
}

sub free_port {
	return listen_here()->sockport;
}

# (status, body) of a page; nothing when nobody answers.
sub get {
	my ($port, $path) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port,
		Timeout => 5) or return;

	print $socket "GET $path HTTP/1.0\r\n\r\n";
	my $answer = read_rest($socket, '');
	return $answer =~ /\AHTTP\/1\.\d (\d+) .*?\r\n\r\n(.*)\z/s;
}

# Serves pages, [type, text] by path, in a process of its own: (pid, port).
sub serve {
	my (%pages) = @_;
	my $listener = listen_here();
	my $pid = fork // die "fork: $!\n";

	return ($pid, $listener->sockport) if $pid;
	while (my $client = $listener->accept) {
		my $request = '';
		1 while $request !~ /\r\n\r\n/ &&
			sysread $client, $request, 4096, length $request;
		my ($path) = $request =~ /\AGET (\S+)/;
		my ($type, $text) = @{$pages{$path // ''} // ['text/plain', '']};
		print $client "HTTP/1.1 200 OK\r\nConnection: close\r\n" .
			"Content-Type: $type\r\n" .
			'Content-Length: ' . length($text) . "\r\n\r\n$text";
		close $client;
	}
	_exit(1);
}

sub ask_prometheus {
	my ($port, $path) = @_;
	my ($status, $body) = get($port, "/api/v1/$path");

	return undef if ($status // 0) != 200;
	return JSON::PP->new->utf8->decode($body)->{data};
}

sub bytes_of {
	my ($text) = @_;

	utf8::encode($text);
	return $text;
}

# A job's series, all of them, by those of conntap.
sub scraped {
	my ($port, $job) = @_;
	my $query = "{job=\"$job\",__name__=~\"conntap_.+\"}" =~
		s/([^\w])/sprintf '%%%02x', ord $1/ger;
	my %samples;

	for my $result (@{ask_prometheus($port, "query?query=$query")->{result}}) {
		my %labels = map { $_ => bytes_of($result->{metric}{$_}) }
			keys %{$result->{metric}};
		my $name = delete $labels{__name__};
		delete @labels{qw(job instance)};
		$samples{series($name, %labels)} = 0 + $result->{value}[1];
	}
	return \%samples;
}

sub numbers_of {
	my ($text) = @_;
	my %samples = samples_of($text);

	return lines_of({ map { $_ => 0 + $samples{$_} } keys %samples });
}

# What Prometheus knows of a job's families, as lines.
sub scraped_families {
	my ($port, $job) = @_;
	my $target = "%7bjob=%22$job%22%7d";

	return sort map { join ' ', @$_{qw(metric type help)}, $_->{unit} || '-' }
		grep { $_->{metric} =~ /^conntap/ }
		@{ask_prometheus($port, "targets/metadata?match_target=$target")};
}

sub start_prometheus {
	my ($dir, $port, $target, @jobs) = @_;

	spew("$dir/config.yml", join "\n", 'global:', '  scrape_interval: 1s',
		'scrape_configs:', map { ("  - job_name: $_", "    metrics_path: /$_",
			'    static_configs:',
			"      - targets: ['127.0.0.1:$target']") } @jobs);
	return start({}, tool('prometheus'), "--config.file=$dir/config.yml",
		"--storage.tsdb.path=$dir/data", "--web.listen-address=127.0.0.1:$port",
		'--log.level=warn');
}

# Documents: name => [type, text].
sub check_prometheus {
	my (%documents) = @_;
	my @jobs = sort keys %documents;
	my $dir = open_dir();

	SKIP: {
		need_tools('prometheus');
		my ($server, $target) = serve(map { ("/$_" => $documents{$_}) } @jobs);
		my $port = free_port();
		my $prometheus = start_prometheus($dir, $port, $target, @jobs);
		my %targets;
		my $scraped = eval { wait_until('scrapes of all', sub {
			my $answer = ask_prometheus($port, 'targets') // return 0;
			%targets = map { $_->{labels}{job} => $_ }
				@{$answer->{activeTargets}};
			return @jobs == grep { $_->{health} ne 'unknown' }
				values %targets;
		}) };
		ok($scraped, 'Prometheus scrapes') or
			diag($@, so_far($prometheus, 'stderr'));
		for my $job ($scraped ? @jobs : ()) {
			my ($type, $text) = @{$documents{$job}};
			is("$targets{$job}{health} $targets{$job}{lastError}", 'up ',
				"Prometheus, $job: up, without an error");
			same_lines(lines_of(scraped($port, $job)), numbers_of($text),
				"Prometheus, $job: every series");
			next if $type !~ /openmetrics/;
			my ($families) = read_openmetrics($text);
			is_deeply([scraped_families($port, $job)], [sort map {
				join ' ', @$_{qw(name type help)}, $_->{unit} // '-' }
				@$families], "Prometheus, $job: types, units, help");
		}
		my $up = $scraped ? ask_prometheus($port, 'query?query=up') : undef;
		is(join(' ', map { $_->{value}[1] } @{$up->{result} // []}),
			join(' ', (1) x @jobs), 'Prometheus: up');
		kill TERM => $prometheus->{pid}, $server;
		finish($prometheus);
		waitpid $server, 0;
	}
}

# The file, and one that is left of a conntap which was killed.
sub check_exporter {
	my ($prometheus) = @_;
	my $dir = open_dir();
	my @output = ('--output', "$dir/conntap.prom", '--format', 'prometheus');

	SKIP: {
		need_tools('node_exporter');
		my $port = free_port();
		my $exporter = start({}, tool('node_exporter'),
			'--collector.disable-defaults', '--collector.textfile',
			"--collector.textfile.directory=$dir",
			"--web.listen-address=127.0.0.1:$port");
		is_deeply([conntap('metrics', @output)], [0, '', ''], 'a file');
		my $document = slurp("$dir/conntap.prom");
		spew("$dir/.conntap.prom.Ab3xYz", substr $document, 0, -90);
		my $page;
		my $answers = eval { wait_until('node_exporter', sub {
			(my $status, $page) = get($port, '/metrics');
			return ($status // 0) == 200;
		}) };
		ok($answers, 'node_exporter answers') or
			diag($@, so_far($exporter, 'stderr'));
		my %samples = samples_of($page // '');
		is($samples{node_textfile_scrape_error}, 0, 'node_exporter: no error');
		is(join(' ', grep { /mtime/ } keys %samples),
			"node_textfile_mtime_seconds{file=\"$dir/conntap.prom\"}",
			'node_exporter: one file');
		same_lines([grep { /^conntap_/ } @{numbers_of($page // '')}],
			numbers_of($document), 'node_exporter: every series');
		kill TERM => $exporter->{pid};
		finish($exporter);
	}
}

sub check_stdout {
	open my $full, '>', '/dev/full' or die "/dev/full: $!\n";
	my ($status, undef, $err) = finish(start({ stdout => $full },
		program('conntap'), 'metrics'));
	is("$status $err", '1 conntap: cannot write the output: No space left on ' .
		"device\n", 'a full disk');
	pipe my $out, my $in or die "pipe: $!\n";
	close $out;
	($status, undef, $err) = finish(start({ stdout => $in }, program('conntap'),
		'metrics'));
	is("$status $err", '141 ', 'a closed pipe');
}

sub check_usage {
	my @cases = ('--proto tcp' => 'takes no conditions',
		'-s 10.0.0.1' => 'takes no conditions',
		'--format xml' =>
			'xml is not a format of metrics \(openmetrics, prometheus\)',
		'-o text' => 'text is not a format of metrics',
		'-o json' => 'json is not a format of metrics',
		'--dialect flows' => 'metrics has no such option',
		'--kernel-filter' => 'metrics has no such option',
		'--every 1' => 'metrics has no such option',
		'extra' => 'extra: one word too many',
		'--limit x' => 'x is not a number of rows',
		'--limit -1' => '-1 is not a number of rows',
		'--public 10.0.0.0/8' => '10.0.0.0/8 is not a single address',
		'--public x' => 'x is not an address',
		'--ports 9-8' => '9-8 is a range that ends before it begins',
		'--ports 70000' => '70000 is not a range of ports',
		'--output' => '--output: a value is missing',
		'--no-flows=1' => 'takes no value');
	my $dir = open_dir();

	for (my $i = 0; $i < @cases; $i += 2) {
		refused(2, $cases[$i + 1], 'metrics', '--output', "$dir/conntap.prom",
			split ' ', $cases[$i]);
	}
	is(entries($dir), '', 'usage: nothing is written');
	is((conntap('metrics', '-o', 'OpenMetrics', '--no-flows'))[1],
		(conntap('metrics', '--no-flows'))[1], 'the format is OpenMetrics');
}

my @table = check_table();
check_marks();
check_seconds();
check_accounting();
my @spaces = check_netns();
check_stdout();
check_usage();
must(qw(conntrack -F));
my $traffic = start_traffic('tcp4', 'udp6', 'tcp4-snat');
my $openmetrics = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
my $plain = 'text/plain; version=0.0.4';
check_exporter();
check_prometheus(openmetrics => [$openmetrics, $table[0]], plain => [$plain, $table[1]],
	spaces => [$openmetrics, $spaces[0]], 'spaces-plain' => [$plain, $spaces[1]]);

done_testing();
