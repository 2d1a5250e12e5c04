#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conntap check: each row against what was set, or against what another program finds;
# the exit status for monitoring; and that it leaves no trace.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Temp qw(tempdir);
use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Files;
use Lab;

enter_lab();

my @names = qw(netlink tracking table buckets drop early_drop insert_failed
	chain_toolong accounting timestamps events buffer helpers expectations filters
	flush);
my %status_of = (ok => 0, note => 0, warning => 1, critical => 2);
my @nobody = qw(setpriv --reuid=65534 --regid=65534 --clear-groups);
my $nobody_works = !(run(@nobody, program('conntap'), '--version'))[0];
my @all_filters = qw(family mark status zone tuple);
my $sysctls = '/proc/sys/net/netfilter';
my $setcap = 'run it as root, or: setcap cap_net_admin+ep ' .
	abs_path(program('conntap'));

sub number {
	my ($path) = @_;
	my $text = slurp($path);

	return defined $text ? 0 + $text : undef;
}

# Runs "conntap check" behind those words (strace, setpriv) and tests what is true of
# every report.  Returns its rows by name, and its status.
sub look {
	my ($name, $before, @arguments) = @_;
	my ($status, $out, $err) = run(@$before, program('conntap'), 'check', '-o',
		'json', @arguments);
	my @rows = json_lines($out, $name);
	my ($worst) = sort { $b <=> $a } map { $status_of{$_->{level}} // 9 } @rows;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($err, '', "$name: nothing to say");
	is_deeply([map { $_->{check} } @rows], \@names, "$name: a row for each");
	is_deeply([map { $_->{check} } grep { $_->{level} ne 'ok' &&
		($_->{advice} // '') !~ /\w/ } @rows], [], "$name: advice where needed");
	is($status, $worst, "$name: the status is the worst level's");
	return (map({ ($_->{check} => $_) } @rows), status => $status);
}

# Test: that row has this level and value, and an advice that matches; undef: none.
sub row_is {
	my ($name, $row, $level, $value, $advice) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is("$row->{level}: $row->{value}", "$level: $value", "$name: $row->{check}");
	return is($row->{advice}, undef, "$name: $row->{check}: no advice")
		unless defined $advice;
	like($row->{advice}, ref $advice ? $advice : qr/\A\Q$advice\E\z/,
		"$name: $row->{check}: advice");
}

# Words that begin a command where these settings of the kernel are others: name =>
# number, or undef for one that is missing.
sub with_settings {
	my (%changes) = @_;
	my $dir = tempdir(CLEANUP => 1);
	my %settings = map { my ($key) = m{([^/]+)\z}; ($key => slurp($_)) }
		glob "$sysctls/nf_conntrack_*";

	chmod 0755, $dir;
	%settings = (%settings, %changes);
	%settings = () if exists $changes{none};
	for my $key (grep { defined $settings{$_} } keys %settings) {
		spew("$dir/$key", $settings{$key});
		chmod 0444, "$dir/$key";
	}
	return with_mount($dir, $sysctls);
}

# Words that begin a command for which a directory is in another's place.
sub with_mount {
	my ($dir, $place) = @_;

	return (qw(unshare -m sh -c),
		'mount --bind "$0" ' . $place . ' && exec "$@"', $dir);
}

sub check_text {
	my %rows = look('text and JSON', []);
	my ($status, $out, $err) = conntap('check');
	my ($summary, $titles, @lines) = split /\n/, $out;
	my %levels;

	is("$status $err", "$rows{status} ", 'text: status');
	is_deeply([split ' ', $titles], [qw(check level value advice)], 'text: titles');
	is_deeply([map { [split /  +/] } @lines], [map { my $row = $rows{$_};
		[@$row{qw(check level value)}, $row->{advice} // '-'] } @names],
		'text: the same as JSON');
	$levels{$rows{$_}{level}}++ for @names;
	my @parts = map { my $n = $levels{$_} // 0;
		$n ? "$n $_" . ($n > 1 && $_ ne 'critical' ? 's' : '') : () }
		qw(critical warning note);
	is($summary, join(', ', @parts) || 'All is well', 'text: summary');
}

sub check_settings {
	my $key = 'net/netfilter/nf_conntrack_';
	my %switches = (accounting => 'acct', timestamps => 'timestamp');

	for my $name (sort keys %switches) {
		set_sysctl($key . $switches{$name}, 0);
		my %rows = look("$name off", []);
		row_is('off', $rows{$name}, 'note', 'off', 'sysctl -w ' .
			"net.netfilter.nf_conntrack_$switches{$name}=1, for new flows");
		set_sysctl($key . $switches{$name}, 1);
		%rows = look("$name on", []);
		row_is('on', $rows{$name}, 'ok', 'on', undef);
	}
	my %events = (0 => ['warning', 'off',
			'sysctl -w net.netfilter.nf_conntrack_events=1, for new flows'],
		1 => ['ok', 'on', undef],
		2 => ['ok', 'while listened to', qr/while nobody listened/]);
	my $before = number("$sysctls/nf_conntrack_events");
	for my $value (sort keys %events) {
		# Before 5.19 there is no 2.
		next unless eval { set_sysctl("${key}events", $value); 1 };
		my %rows = look("events $value", []);
		row_is("events $value", $rows{events}, @{$events{$value}});
	}
	set_sysctl("${key}events", $before);
}

# No warning and no note: the message for that, and status 0.
sub check_well {
	fill();
	my %rows = look('well', []);
	my @wrong = grep { $rows{$_}{level} ne 'ok' } @names;

	SKIP: {
		skip("not all is well here: @wrong", 1) if @wrong;
		like((conntap('check'))[1], qr/\AAll is well\n/, 'all is well');
	}
}

sub check_missing_settings {
	my ($status, $out, $err) = run(with_settings(none => 1), program('conntap'),
		'check');

	is("$status $err", '3 ', 'no conntrack: status');
	like($out, qr/\A1 critical\n.*\ntracking +critical +no +modprobe nf_conntrack\n\z/,
		'no conntrack: one row, one critical');
	my %rows = look('settings that are missing', [with_settings(
		nf_conntrack_acct => undef, nf_conntrack_timestamp => undef,
		nf_conntrack_events => undef, nf_conntrack_buckets => undef,
		nf_conntrack_expect_max => undef)]);
	row_is('missing', $rows{$_}, 'note', 'not in the kernel', qr/\bnf_conntrack_/)
		for 'accounting', 'timestamps';
	row_is('missing', $rows{events}, 'warning', 'not in the kernel',
		qr/CONFIG_NF_CONNTRACK_EVENTS/);
	row_is('missing', $rows{buckets}, 'note', 'unknown', qr/nf_conntrack_buckets/);
	row_is('missing', $rows{expectations}, 'note', 'limit unknown',
		qr/nf_conntrack_expect_max/);
}

# Only where nobody can ask the kernel itself are its numbers read from files.
sub check_limits {
	my @cases = ([79, 100] => 'ok', [80, 100] => 'warning', [94, 100] => 'warning',
		[95, 100] => 'critical', [7_999_999, 10_000_000] => 'ok',
		[3_999_999_999, 4_000_000_000] => 'critical');

	for (my $i = 0; $i < @cases; $i += 2) {
		my ($count, $max) = @{$cases[$i]};
		my %rows = look("$count of $max", [with_settings(
			nf_conntrack_count => $count, nf_conntrack_max => $max,
			nf_conntrack_buckets => $max), @nobody]);
		my $more = $max < 2**31 ? 2 * $max : 2**32 - 1;
		row_is("$count of $max", $rows{table}, $cases[$i + 1],
			sprintf('%d of %d (%.1f %%)', $count, $max, 100 * $count / $max),
			$cases[$i + 1] eq 'ok' ? undef : 'see conntap top; in the ' .
			'initial namespace: sysctl -w net.netfilter.nf_conntrack_max=' .
			$more);
	}
	my %rows = look('no limit', [with_settings(nf_conntrack_count => 900,
		nf_conntrack_max => 0, nf_conntrack_buckets => 100), @nobody]);
	row_is('no limit', $rows{table}, 'ok', '900, no limit', undef);
	row_is('no limit', $rows{buckets}, 'warning', '100 for 900 flows',
		qr/nf_conntrack_buckets=900\z/);
	%rows = look('flows, but not counted', [qw(unshare -n),
		with_settings(nf_conntrack_count => 5), @nobody]);
	is($rows{tracking}{level}, 'ok', 'flows are enough to see that it tracks');
	%rows = look('limit missing', [with_settings(nf_conntrack_count => 9,
		nf_conntrack_max => undef), @nobody]);
	row_is('limit missing', $rows{table}, 'note', '9, limit unknown',
		qr/sysctl net.netfilter.nf_conntrack_max/);
}

sub check_buckets {
	my $max = number("$sysctls/nf_conntrack_max");
	my $few = int(($max + 7) / 8);

	for my $buckets ($few, $few - 1) {
		my %rows = look("$buckets buckets",
			[with_settings(nf_conntrack_buckets => $buckets)]);
		my $enough = $buckets == $few;
		row_is("$buckets buckets", $rows{buckets}, $enough ? 'ok' : 'warning',
			"$buckets for $max flows", $enough ? undef :
			'at a quiet time, in the initial namespace: sysctl -w ' .
			"net.netfilter.nf_conntrack_buckets=$max");
	}
	my @words = with_settings(nf_conntrack_buckets => $few - 1);
	chmod 0644, "$words[-1]/nf_conntrack_buckets";
	my %rows = look('to be set here', [@words]);
	row_is('to be set here', $rows{buckets}, 'warning', $few - 1 . " for $max flows",
		"at a quiet time, sysctl -w net.netfilter.nf_conntrack_buckets=$max");
	%rows = look('buckets', []);
	row_is('as it is', $rows{buckets}, $rows{buckets}{level},
		number("$sysctls/nf_conntrack_buckets") . " for $max flows",
		$rows{buckets}{level} eq 'ok' ? undef : qr/nf_conntrack_buckets=$max/);
}

sub check_thresholds {
	my $max = number("$sysctls/nf_conntrack_max");

	flood('-n', 30000);
	my $count = table_size();
	my $percent = int(100 * $count / $max);
	my $value = sprintf '%d of %d (%.1f %%)', $count, $max, 100 * $count / $max;
	my $advice = qr/\Asee conntap top; .*sysctl -w net.netfilter.nf_conntrack_max=/;
	my @cases = ([$percent + 1, $percent + 2] => 'ok',
		[$percent, $percent + 1] => 'warning', [$percent, $percent] => 'critical',
		[0, 100] => 'warning', [0, 0] => 'critical');

	for (my $i = 0; $i < @cases; $i += 2) {
		my ($warning, $critical) = @{$cases[$i]};
		my %rows = look("$warning and $critical", [], '--warning', $warning,
			'--critical', $critical);
		row_is("$warning and $critical", $rows{table}, $cases[$i + 1], $value,
			$cases[$i + 1] eq 'ok' ? undef : $advice);
		is($rows{tracking}{level}, 'ok', 'flows are tracked');
	}
	run('conntrack', '-F');
}

# What conntrack -S counts, of all processors.
sub counters {
	my ($status, $out, $err) = run('conntrack', '-S');
	my %sum;

	die "conntrack -S: $err\n" if $status;
	$sum{$1} += $2 while $out =~ /(\w+)=(\d+)/g;
	$sum{chain_toolong} = $sum{chaintoolong} // $sum{chain_toolong};
	return %sum;
}

sub check_counters {
	my ($name) = @_;
	my %rows = look($name, []);
	my %sum = counters();

	for my $which (qw(drop early_drop insert_failed chain_toolong)) {
		next unless defined $sum{$which};
		row_is($name, $rows{$which}, $sum{$which} ? 'note' : 'ok',
			$sum{$which} ? "$sum{$which} so far" : '0',
			$sum{$which} ? qr/conntap|nf_conntrack_buckets=/ : undef);
	}
	return %sum;
}

# A table that is really full: flows make room for new ones, or those are refused.  From
# 95 % on, the kernel takes some away in the background, but not that many.
sub check_full {
	my $max = number("$sysctls/nf_conntrack_max");

	SKIP: {
		skip("$max flows are too many for a test", 1)
			if $max == 0 || $max > 300_000;
		run(program('tests/flood'), '-n', 2 * $max);
		my %rows = look('a full table', [], '--warning', 80, '--critical', 90);
		is("$rows{status} $rows{table}{level}", '2 critical', 'full is critical');
		my %sum = check_counters('a full table');
		cmp_ok($sum{early_drop} + $sum{drop}, '>', 0, 'a full table has its price');
		run('conntrack', '-F');
	}
}

# Counters that are hard to bring about.
sub check_written_counters {
	my $dir = tempdir(CLEANUP => 1);
	my %value = (insert_failed => 3, drop => 4, early_drop => 5, chainlength => 6);
	my %advice = (insert_failed => qr/: conntap nat\z/, early_drop => qr/: conntap top\z/,
		drop => qr/: conntap stats --every 1\z/);
	my @columns = qw(entries clashres found new invalid ignore delete chainlength
		insert insert_failed drop early_drop icmp_error expect_new expect_create
		expect_delete search_restart);

	mkdir "$dir/stat";
	for my $without (0, 1) {
		spew("$dir/stat/nf_conntrack", join "\n", "@columns", (join ' ',
			map { sprintf '%08x', $value{$_} // 0 } @columns) x 2, '');
		chmod 0755, $dir, "$dir/stat";
		my %rows = look("written counters $without",
			[with_mount($dir, '/proc/$$/task/$$/net'), @nobody]);
		row_is('written', $rows{$_}, 'note', 2 * $value{$_} . ' so far',
			$advice{$_}) for sort keys %advice;
		my $buckets = 2 * number("$sysctls/nf_conntrack_buckets");
		row_is('written', $rows{chain_toolong}, 'note', $without ? 'not counted' :
			'12 so far', $without ? qr/newer kernel/ :
			qr/nf_conntrack_buckets=$buckets\z/);
		is($rows{tracking}{level}, 'ok', 'what is counted is tracked');
		s/^chainlength$/delete_list/ for @columns;
	}
	unlink "$dir/stat/nf_conntrack";
	my %rows = look('no counters', [with_mount($dir, '/proc/$$/task/$$/net'), @nobody]);
	row_is('no counters', $rows{$_}, 'note', 'unknown', $setcap)
		for 'chain_toolong', keys %advice;
	is($rows{tracking}{level}, 'ok', 'no counters: nothing is said of tracking');
}

sub check_expectations {
	my $limit = number("$sysctls/nf_conntrack_expect_max");

	# A flow with this helper has one at a time.
	for my $port (5001 .. 5008) {
		my @master = (qw(-p tcp -s 10.9.0.1 -d 10.9.0.2 --dport 21 --sport), $port);
		conntap('create', @master, qw(--state ESTABLISHED -t 600 --helper ftp));
		conntap(qw(expect create --helper ftp), @master, qw(--tuple-src 10.9.0.2
			--tuple-dst 10.9.0.1 -t 600 --tuple-port-dst), $port);
	}
	my ($status, $out) = run('conntrack', '-C', 'expect');
	my $count = 0 + $out;
	my %rows = look('expectations', []);
	row_is('expectations', $rows{expectations}, 'ok', sprintf('%d of %d (%.1f %%)',
		$count, $limit, 100 * $count / $limit), undef);
	SKIP: {
		skip('expectations cannot be made here', 1) if $count != 8;
		my %cases = (8 => 'critical', 10 => 'warning', 11 => 'ok', 0 => 'critical');
		for my $max (sort keys %cases) {
			%rows = look("of $max", [with_settings(
				nf_conntrack_expect_max => $max)]);
			row_is("of $max", $rows{expectations}, $cases{$max},
				sprintf('8 of %d (%.1f %%)', $max,
				100 * ($max ? 8 / $max : 1)), $cases{$max} eq 'ok' ? undef :
				'see conntap expect list; in the initial namespace: sysctl ' .
				'-w net.netfilter.nf_conntrack_expect_max=' . 2 * $max);
		}
	}
	run('conntrack', '-F', 'expect');
	run('conntrack', '-F');
}

sub check_buffer {
	my %rows = look('buffer', []);
	my $mine = (slurp('/proc/self/uid_map') // '') =~ /^\s*0\s+0\s+4294967295/;
	my ($most, $default) = map { number("/proc/sys/net/core/rmem_$_") }
		'max', 'default';
	my $granted = sub {
		my ($bytes) = @_;
		my $enough = $bytes >= 8 << 20;
		return ($enough ? 'ok' : 'warning', sprintf('%.1f MiB, %d events',
			$bytes / (1 << 20), int($bytes / 1280)), $enough ? undef :
			'run it as root, or: sysctl -w net.core.rmem_max=33554432');
	};

	SKIP: {
		skip('the limit of buffers is not to be seen here', 3)
			unless $most && $default;
		my $limited = 2 * ($most < 32 << 20 ? $most : 32 << 20);
		row_is('buffer', $rows{buffer}, $granted->($mine ? 64 << 20 : $limited));
		%rows = look('buffer by default',
			[strace('setsockopt:error=EPERM')]) if can_strace();
		row_is('by default', $rows{buffer}, $granted->($default)) if can_strace();
		%rows = look('buffer of nobody', \@nobody) if $nobody_works;
		row_is('nobody', $rows{buffer}, $granted->($limited)) if $nobody_works;
	}
}

sub can_strace {
	return !(run(qw(strace -f -qq -o /dev/null true)))[0];
}

# Words that begin a command with faults of system calls, each process's own.
sub strace {
	return (qw(strace -f -qq -o /dev/null), map { ('-e', "inject=$_") } @_);
}

sub check_helpers {
	my @known = qw(amanda ftp h323 irc netbios_ns pptp sane sip snmp tftp);
	my %cases = ('as it is' => undef, none => [], 'netlink broadcast' => [],
		ftp => ['ftp'], 'tftp pptp netlink h323' => [qw(h323 pptp tftp)]);

	for my $case (sort keys %cases) {
		my $dir = tempdir(CLEANUP => 1);
		mkdir "$dir/nf_conntrack_$_" for split ' ', $case;
		my @found = @{$cases{$case} // [grep { -e "/sys/module/nf_conntrack_$_" }
			@known]};
		my %rows = look("helpers: $case",
			[$cases{$case} ? with_mount($dir, '/sys/module') : ()]);
		row_is($case, $rows{helpers}, 'ok', @found ? @found . ' loaded' :
			'none loaded', @found ? join(', ', @found) .
			'; rules assign them (ct helper set)' : undef);
	}
	my $key = 'nf_conntrack_helper';
	my %rows = look('automatic helpers', [with_settings($key => 1)]);
	row_is('automatic', $rows{helpers}, 'warning', 'assigned by port',
		qr/sysctl -w net\.netfilter\.$key=0,.*\bct helper set/);
	%rows = look('no automatic helpers', [with_settings($key => 0)]);
	is($rows{helpers}{level}, 'ok', 'they can be off');
}

# An attribute, or a nest of them.
sub attribute {
	my ($type, $data) = @_;

	return pack 'S S a* x!4', 4 + length $data, $type, $data;
}

# Asks the kernel by a socket of our own; returns how many flows it sent, or -errno.
sub ask {
	my ($type, $flags, $version, $family, $attributes) = @_;
	my $body = pack('C C n', $family, $version, 0) . $attributes;
	my $count = 0;

	socket my $socket, 16, 3, 12 or die "netlink: $!\n";
	send $socket, pack('L S S L L', 16 + length $body, 0x100 | $type, 1 | $flags, 1, 0) .
		$body, 0, pack('S S L L', 16, 0, 0, 0) or die "netlink: $!\n";
	while (1) {
		recv $socket, my $bytes, 65536, 0;
		while (length $bytes >= 16) {
			my ($size, $kind) = unpack 'L S', $bytes;
			return unpack('x16 l', $bytes) || $count if $kind == 2 || $kind == 3;
			$count++;
			substr $bytes, 0, ($size + 3) & ~3, '';
		}
	}
}

my %filter = (
	family => [10, ''],
	mark => [2, attribute(8, pack 'N', 5) . attribute(21, pack 'N', 0xffffffff)],
	status => [2, attribute(3, pack 'N', 4) . attribute(26, pack 'N', 4)],
	zone => [2, attribute(18, pack 'n', 3)],
	tuple => [2, attribute(0x8001, attribute(0x8002, attribute(1, pack 'C', 17) .
		attribute(3, pack 'n', 99))) . attribute(0x8019,
		attribute(1, pack 'L', 1 << 3 | 1 << 5))],
);

# A flow for each filter, and two that none of them is about.
sub fill {
	my @base = qw(conntrack -I -p udp -t 600 --dport 53);
	my @v4 = (@base, qw(-s 10.9.0.1 -d 10.9.0.2));

	run('conntrack', '-F');
	run(@base, qw(-s fd09::1 -d fd09::2 --sport 1));
	run(@v4, qw(--sport 2 -m 5));
	run(@v4, qw(--sport 3 -u ASSURED));
	run(@v4, qw(--sport 4 -w 3));
	run(qw(conntrack -I -p udp -t 600 -s 10.9.0.1 -d 10.9.0.2 --sport 5 --dport 99));
	run(@v4, qw(--sport), $_) for 6, 7;
	die "not all could be made\n" if table_size() != 7;
}

# What a dump leaves out, and a flush leaves, on this kernel.
sub check_filters {
	my (@dump, @flush);

	for my $name (@all_filters) {
		my ($family, $attributes) = @{$filter{$name}};
		fill();
		push @dump, $name if ask(1, 0x300, 0, $family, $attributes) == 1;
		ask(2, 4, 1, $family, $attributes);
		push @flush, $name if table_size() == 6;
	}
	run('conntrack', '-F');
	my %rows = look('filters', []);
	for (['filters', \@dump], ['flush', \@flush]) {
		my ($row, $has) = @$_;
		my %has = map { $_ => 1 } @$has;
		my @without = grep { !$has{$_} } @all_filters;
		row_is('filters', $rows{$row}, @without ? 'note' : 'ok',
			join(', ', @$has), @without ? qr/\Awithout $without[0]\b/ : undef);
	}
}

# Where it may not try, and what then.
sub check_filter_faults {
	my %cases = ('unshare:error=EPERM' => qr/\Arun it as root: .*namespace/,
		'unshare:error=ENOSPC' => qr/\bsysctl user\.max_net_namespaces\z/,
		'unshare:error=ENOMEM' => qr/\ACannot allocate memory: conntap check, again/,
		'poll:retval=0' => qr/\AConnection timed out: conntap check, again/,
		'clone:error=EAGAIN' => qr/\AResource temp.*: conntap check, again/,
		'pipe2:error=EMFILE' => qr/\AToo many open.*: conntap check, again/);

	for my $fault (sort keys %cases) {
		my %rows = look($fault, [strace($fault)]);
		row_is($fault, $rows{$_}, 'note', 'unknown', $cases{$fault})
			for 'filters', 'flush';
	}
	my %rows = look('no netlink', [strace('socket:error=EPROTONOSUPPORT')]);
	my $modprobe = 'modprobe nf_conntrack_netlink';
	row_is('no netlink', $rows{netlink}, 'warning', 'not in the kernel', $modprobe);
	row_is('no netlink', $rows{$_}, 'note', 'unknown', $modprobe)
		for 'buffer', 'filters', 'flush';
	like($rows{expectations}{value}, qr/\Aunknown of \d+\z/, 'no netlink: expectations');
	%rows = look('deaf netlink', [strace('recvfrom:error=ENOBUFS')]);
	row_is('deaf', $rows{netlink}, 'warning', 'No buffer space available',
		'conntap check, again');
	%rows = look('netlink without rights', [strace('sendto:error=EPERM')]);
	row_is('refused', $rows{netlink}, 'warning', 'not permitted', $setcap);
}

# A program that has only ct_probe() to do: so the faults are of its child.
sub build_probe {
	my $dir = tempdir(CLEANUP => 1);
	my ($cc) = (map({ /\bCC=(\S+)/ } $ENV{MAKEFLAGS} // ''), 'cc');
	my $root = "$FindBin::Bin/../..";

	chmod 0755, $dir;
	spew("$dir/probe.c", <<'END');
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/probe.h"

static void
handler(void)
{
	fputs("exit handler\n", stderr);
}

int
main(int argc, char **argv)
{
	struct ct_probe probe = { 7, 7 };
	sigset_t before, after;
	int error, descriptor;

	(void)argv;
	printf("once ");
	atexit(handler);
	if (argc > 1)
		signal(SIGCHLD, SIG_IGN);
	sigprocmask(SIG_SETMASK, NULL, &before);
	error = ct_probe(&probe);
	sigprocmask(SIG_SETMASK, NULL, &after);
	for (int i = 1; i < SIGRTMAX; i++)
		if (sigismember(&before, i) != sigismember(&after, i))
			printf("signal %d ", i);
	if (wait(NULL) >= 0 || errno != ECHILD)
		printf("a child ");
	descriptor = dup(0);
	printf("%d %d %x %x\n", descriptor, error, probe.known, probe.has);
	return 0;
}
END
	my (undef, $libs) = run(qw(pkg-config --libs libmnl libnetfilter_conntrack));
	my ($status, undef, $err) = run($cc, "-I$root", '-o', "$dir/probe",
		"$dir/probe.c", program('libconntap.a'), split(' ', $libs), '-pthread');
	diag($err) if $status;
	return $status ? undef : "$dir/probe";
}

# In the manner of an old kernel: the child's requests say something that the kernel
# does not know in the place of what it is to be without.
sub without {
	my ($probe, $when, $change) = @_;
	my $log = File::Temp->new;

	run(qw(strace -f -qq -xx -s 4096 -e abbrev=none -e verbose=none -e trace=sendto -e
		write=all -o), "$log", $probe);
	my @requests = map { join '', /^ \| [0-9a-f]+ +((?:[0-9a-f]{2} +)+) /mg }
		split /^\d+ +sendto\b.*\n/m, slurp("$log");
	s/\s+//g for @requests;
	my $request = $requests[$when];
	$change->($request);
	my ($status, $out) = run(strace("sendto:poke_enter=\@arg2=$request:when=$when"),
		$probe);
	return $out;
}

sub check_probe {
	my $probe = build_probe();

	SKIP: {
		skip('no compiler', 1) unless $probe;
		my ($status, $out, $err) = run($probe);
		is("$err$out", "exit handler\nonce 3 0 3f 3f\n",
			'the child closes nothing, leaves nothing, ends without handlers')
			or return;
		is((run($probe, 'ignore'))[1], "once 3 0 3f 3f\n", 'SIGCHLD is ignored');
		is((run(strace('unshare:error=EPERM'), $probe))[1], "once 3 -1 0 0\n",
			'no private namespace');
		my $limit = '/proc/sys/user/max_user_namespaces';
		($status, $out) = run(qw(unshare -Ur sh -c), "echo 0 >$limit && exec setpriv " .
			'--bounding-set=-sys_admin "$0"', $probe);
		is($out, "once 3 -1 0 0\n", 'no user namespace') if $status == 0;
		# In a chroot, nobody may have one.
		is((run(strace('unshare:error=EPERM:when=1'), $probe))[1],
			"once 3 0 3f 3f\n", 'a user namespace helps')
			if (run(qw(unshare -Ur true)))[0] == 0;
		is((run(strace('prctl:signal=KILL'), $probe))[1],
			"once 3 -5 0 0\n", 'the child is killed');
		is((run(strace('poll:retval=0', 'sendto:delay_enter=20000000'), $probe))[1],
			"once 3 -110 0 0\n", 'the child hangs');
		check_old_kernels($probe);
		check_orphan($probe);
	}
}

# The first flush is the child's second request, the other its fourth.
sub check_old_kernels {
	my ($probe) = @_;
	my @cases = (family => 0x2e => sub { $_[0] =~ s/^(.{32})0201/${1}0001/;
			$_[0] =~ s/18000180/18007e80/; $_[0] =~ s/0c001980/0c007e80/ },
		mark => 0x3d => sub { $_[0] =~ s/08000800(00000001)08001500/08007e00${1}08007f00/ },
		status => 0x3b => sub { $_[0] =~ s/08000300(00000002)08001a00/08007e00${1}08007f00/ },
		zone => 0x37 => sub { $_[0] =~ s/06001200/06007e00/ },
		all => 0x20 => sub { $_[0] =~ s/^(.{32})0201/${1}0000/;
			$_[0] =~ s/0800(?:0800|1500|0300|1a00)/08007e00/g;
			$_[0] =~ s/06001200/06007e00/; $_[0] =~ s/18000180/18007e80/;
			$_[0] =~ s/0c001980/0c007e80/ });

	while (my ($name, $has, $change) = splice @cases, 0, 3) {
		is(without($probe, 4, $change), sprintf("once 3 0 3f %x\n", $has),
			"a flush that does not know: $name");
	}
	is(without($probe, 2, sub { $_[0] =~ s/0c001980/0c007e80/ }), "once 3 0 3f f\n",
		'no filter by tuples');
	# A refusal in the place of the kernel's own: not supported.
	my (undef, $out) = run(strace('recvfrom:poke_exit=@arg2=' . unpack('H*',
		pack 'L S S L L l', 36, 2, 0x100, 2, 0, -95) . ':when=3'), $probe);
	is($out, "once 3 0 3f 2f\n", 'by tuples in dumps only');
}

# Without its parent it ends, whatever it is at.
sub check_orphan {
	my ($probe) = @_;
	my $log = File::Temp->new;
	my $job = start({}, qw(strace -f -qq -e trace=prctl -e inject=prctl:signal=STOP -o),
		"$log", $probe);
	my $child = wait_until('the child', sub {
		slurp("$log") =~ /^(\d+) +--- stopped by SIGSTOP/m ? $1 : 0 });
	my ($parent) = (slurp("/proc/$child/stat") // '') =~ /\) \w (\d+)/;

	kill KILL => $parent;
	my $gone = eval { wait_until('its end', sub { !kill 0 => $child }) };
	ok($gone, 'the child does not outlive its parent');
	kill KILL => $child;
	finish($job);
}

sub check_nobody {
	SKIP: {
		skip('no other user here, or none that can read this directory', 1)
			unless $nobody_works;
		my %all = look('root', []);
		my %rows = look('nobody', \@nobody);
		row_is('nobody', $rows{netlink}, 'warning', 'not permitted', $setcap);
		row_is('nobody', $rows{expectations}, 'note', 'unknown of ' .
			number("$sysctls/nf_conntrack_expect_max"), $setcap);
		is($rows{status}, 1, 'nobody: status');
		is_deeply($rows{$_}, $all{$_}, "nobody sees as much: $_")
			for grep { !/netlink|expectations|buffer|filters|flush/ } @names;
		check_limits();
		check_written_counters();
		my ($confined) = run(@nobody, qw(unshare -Ur true));
		skip('nobody may have no user namespace', 1) if $confined;
		is_deeply($rows{$_}, $all{$_}, "nobody has a user namespace: $_")
			for 'filters', 'flush';
	}
}

sub in {
	my ($netns, @command) = @_;

	my ($status, undef, $err) = run('ip', 'netns', 'exec', $netns, @command);
	die "$netns: @command: $err\n" if $status;
}

sub netns_rows {
	my (@where) = @_;
	my ($status, $out, $err) = conntap('check', '-o', 'json', @where);
	my %rows;

	$rows{$_->{netns}}{$_->{check}} = $_ for json_lines($out, "@where");
	return ($status, $err, \%rows);
}

# Two fresh ones, which are set up differently.
sub check_netns {
	my @both = ('--netns', 'one', '--netns', 'two');
	my $key = 'nf_conntrack_acct';

	run('ip', 'netns', 'add', $_) for 'one', 'two';
	in('one', 'sh', '-c', "echo 1 >$sysctls/$key");
	in('two', 'sh', '-c', "echo 0 >$sysctls/$key; echo 0 >$sysctls/nf_conntrack_events");
	in('one', qw(conntrack -I -p udp -s 10.9.0.1 -d 10.9.0.2 --sport 1 --dport 2 -t 60));
	my ($status, $err, $rows) = netns_rows(@both);
	is("$status $err", '1 ', 'two namespaces: the worst counts');
	is(join(' ', sort keys %$rows), 'one two', 'two namespaces: the rows tell');
	is(keys %{$rows->{$_}}, @names, "$_: a row for each") for sort keys %$rows;
	is($rows->{one}{events}{level}, 'ok', 'one: events');
	row_is('one', $rows->{one}{accounting}, 'ok', 'on', undef);
	row_is('one', $rows->{one}{tracking}, 'ok', 'yes', undef);
	row_is('two', $rows->{two}{accounting}, 'note', 'off', 'ip netns exec two sysctl -w ' .
		"net.netfilter.$key=1, for new flows");
	row_is('two', $rows->{two}{tracking}, 'note', 'no flow so far', 'idle, or no rule ' .
		'asks for it (ct state, NAT): ip netns exec two nft list ruleset');
	row_is('two', $rows->{two}{events}, 'warning', 'off',
		qr/\Aip netns exec two sysctl -w net\.netfilter\.nf_conntrack_events=1,/);
	($status, $err, $rows) = netns_rows('--netns', 'two', '--netns', 'one');
	is("$status $err", '1 ', 'the other way round');
	($status) = netns_rows('--netns', 'one');
	is($status, 0, 'one alone');
	($status, $err, $rows) = netns_rows('--netns', '/run/netns/two');
	like($rows->{'/run/netns/two'}{accounting}{advice},
		qr{\Ansenter --net=/run/netns/two sysctl -w }, 'a path');
	my (undef, $out) = conntap('check', @both);
	is(join(' ', $out =~ /^(Namespace .*)$/mg), 'Namespace one: Namespace two:',
		'titles');
	is(() = $out =~ /^\d+ (?:note|warning|critical).*$/mg, 2, 'a summary for each');
	check_missing_netns();
	my $log = File::Temp->new;
	run(qw(strace -f -qq -e trace=unshare -o), "$log", program('conntap'), 'check',
		@both) if can_strace();
	is(() = slurp("$log") =~ /unshare/g, 1, 'the filters are tried once')
		if can_strace();
	run('ip', 'netns', 'delete', $_) for 'one', 'two';
}

# A warning is less than not to know, something critical is more.
sub check_missing_netns {
	my $why = "conntap: --netns nowhere: there is no such namespace (see ip netns)\n";
	my @where = ('--netns', 'nowhere', '--netns', 'two');

	is_deeply([conntap('check', '--netns', 'nowhere')], [3, '', $why], 'nowhere');
	my ($status, $err, $rows) = netns_rows(@where);
	is("$status $err", "3 $why", 'nowhere, and a warning');
	is(keys %{$rows->{two}}, @names, 'the other is shown');
	($status, $err) = netns_rows(@where, '--warning', 0, '--critical', 0);
	is("$status $err", "2 $why", 'nowhere, and something critical');
}

# Everything that a look could change.
sub traces {
	my %ids = map { (flow_key($_) => $_->{id}) } conntrack_flows();
	my %spaces;

	for my $file (glob '/proc/[0-9]*/ns/{net,user,mnt}') {
		$spaces{readlink($file) // 'gone'}++;
	}
	my ($status, $names) = run('ip', 'netns', 'list');
	my @modules = map { (split)[0] } split /\n/, slurp('/proc/modules') // '';
	return { ids => \%ids, spaces => \%spaces, names => $names, modules => "@modules",
		processes => [glob '/proc/[0-9]*'],
		settings => [map { slurp($_) // '' } grep { !/count/ }
			sort glob "$sysctls/*"] };
}

sub check_traces {
	fill();
	my $before = traces();
	my $listener = start_listening({}, 7, qw(conntrack -E));
	look('traces', []);
	look('traces of nobody', \@nobody) if $nobody_works;
	my (undef, $events) = interrupt($listener);
	is($events, '', 'nothing happens in the table');
	is_deeply(traces(), $before, 'everything is as it was');
	is(keys %{$before->{ids}}, 7, 'and there is something');
	run('conntrack', '-F');
}

sub check_usage {
	is_deeply([conntap(qw(check --warning 90 --critical 80))], [2, '',
		"conntap: --warning: 90 is above --critical 80\n"], 'thresholds');
	is_deeply([conntap(qw(check --warning 96))], [2, '',
		"conntap: --warning: 96 is above --critical 95\n"], 'thresholds, by default');
	refused(2, 'takes no conditions', 'check', '--dport', 80);
	refused(2, '101', 'check', '--critical', 101);
	refused(2, 'xml', 'check', '-o', 'xml');
	open my $full, '>', '/dev/full' or die "/dev/full: $!\n";
	my ($status, undef, $err) = finish(start({ stdout => $full }, program('conntap'),
		'check'));
	is("$status $err", "3 conntap: cannot write the output: No space left on device\n",
		'a full disk');
	pipe my $out, my $in or die "pipe: $!\n";
	close $out;
	($status, undef, $err) = finish(start({ stdout => $in }, program('conntap'),
		'check'));
	is("$status $err", '141 ', 'a closed pipe');
}

sub check_fresh {
	my %rows = look('a fresh namespace', [qw(unshare -n)]);

	row_is('fresh', $rows{tracking}, 'note', 'no flow so far',
		'idle, or no rule asks for it (ct state, NAT): nft list ruleset');
	row_is('fresh', $rows{netlink}, 'ok', 'permitted', undef);
	is($rows{$_}{value}, 0, "fresh: $_") for grep { $rows{$_}{value} ne 'not counted' }
		qw(drop early_drop insert_failed chain_toolong);
}

check_fresh();
check_text();
check_settings();
check_text();
check_well();
check_missing_settings();
check_buckets();
check_thresholds();
check_counters('counters');
check_expectations();
check_buffer();
check_helpers();
check_filters();
check_nobody();
SKIP: {
	skip('strace does not work here: no faults of system calls', 1) unless can_strace();
	check_filter_faults();
	check_probe();
}
check_netns();
check_traces();
check_usage();
check_full();

done_testing();
