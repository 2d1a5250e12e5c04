#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conntap stats: the numbers of conntrack(8) and of /proc/net/stat/nf_conntrack, each
# moved by what it counts.
#
# Two are not to be moved at will: search_restart wants a lookup while the kernel reuses
# the very entry that it looks at, chain_toolong 50 flows in one bucket of a hash whose
# key nobody knows.  nf_conntrack_max is the whole machine's and not to be lowered here:
# so the table is really filled.
use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use JSON::PP ();
use Socket qw(AF_INET AF_INET6 inet_pton);
use Test::More;
use Time::HiRes qw(time);

use lib $FindBin::Bin;
use Lab;
use Packets;

enter_lab();

my @counters = qw(found invalid insert insert_failed drop early_drop error
	search_restart clash_resolve chain_toolong expect_new expect_create
	expect_delete);
my @gauges = qw(entries expectations entries_limit expectations_limit);
my %known = map { ($_ => 1) } @counters;
# Their names elsewhere.
my %alias = (chaintoolong => 'chain_toolong', clashres => 'clash_resolve',
	chainlength => 'chain_toolong', icmp_error => 'error');
my @nobody = qw(setpriv --reuid=65534 --regid=65534 --clear-groups);
my $columns_shown = 8;
my $time = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}/;

sub in {
	my ($netns, @command) = @_;

	return (qw(ip netns exec), $netns, @command);
}

# What a command prints that has to work.
sub output {
	my @command = @_;
	my ($status, $out, $err) = run(@command);

	die "@command: $err\n" if $status;
	return $out;
}

# "counter cpu" => number, as conntrack(8) has it, behind those words.
sub seen {
	my @before = @_;
	my %seen;

	for my $line (map { split /\n/, output(@before, 'conntrack', '-S', @$_) } [],
			['expect']) {
		my ($cpu) = $line =~ /^cpu=(\d+)/ or die "no processor: $line\n";
		while ($line =~ /\b(\w+)=(\d+)/g) {
			my $name = $alias{$1} // $1;
			$seen{"$name $cpu"} = $2 if $known{$name};
		}
	}
	return \%seen;
}

# The same of /proc; nothing where the kernel has no such file.
sub in_proc {
	my @before = @_;
	my ($status, $out) = run(@before, 'cat', '/proc/net/stat/nf_conntrack');
	my ($titles, @lines) = map { [split] } split /\n/, $out;
	my %seen;

	for my $cpu (0 .. $#lines) {
		for (0 .. $#$titles) {
			my $name = $alias{$titles->[$_]} // $titles->[$_];
			$seen{"$name $cpu"} = hex $lines[$cpu][$_] if $known{$name};
		}
	}
	return \%seen;
}

# The rows of a report; nothing else is printed.
sub rows {
	my ($name, $command, @arguments) = @_;
	my ($status, $out, $err) = run(@$command, program('conntap'), 'stats', '-o',
		'json', @arguments);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is("$status $err", '0 ', "$name: status");
	return json_lines($out, $name);
}

# "counter cpu" => number of the counters' rows, of which nothing else is left.
sub numbers {
	my ($name, @rows) = @_;
	my (%numbers, @wrong);

	for my $row (@rows) {
		my %row = %$row;
		my $sum = 0;
		delete $row{netns};
		my ($counter, $total, $meaning) =
			delete @row{qw(counter total meaning)};
		push @wrong, "$counter: no meaning" if ($meaning // '') !~ /\w \w/;
		next unless $known{$counter};
		for my $cpu (map { /^cpu(\d+)$/ ? $1 : () } keys %row) {
			$numbers{"$counter $cpu"} = 0 + $row{"cpu$cpu"};
			$sum += delete $row{"cpu$cpu"};
		}
		push @wrong, "$counter: $total, but $sum of all processors"
			if $total != $sum;
		push @wrong, "$counter: $_" for keys %row;
	}
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply(\@wrong, [], "$name: each row adds up");
	return \%numbers;
}

# Test: every number is the one of conntrack(8) and /proc.  Returns the rows by counter.
sub check_same {
	my ($name, $netns) = @_;
	my @before = $netns ? in($netns) : ();
	my @rows = rows($name, [], $netns ? ('--netns', $netns) : ());
	my ($seen, $proc) = (seen(@before), in_proc(@before));
	my %all = (%$proc, %$seen);
	my @expected = grep { exists $all{"$_ 0"} } @counters;
	my %rows = map { ($_->{counter} => $_) } @rows;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply([map { $_->{counter} } @rows], [@gauges, @expected],
		"$name: a row for each");
	my $numbers = numbers($name, @rows);
	is_deeply($numbers, \%all, "$name: conntrack -S");
	is_deeply({ map { ($_ => $numbers->{$_}) } keys %$proc }, $proc,
		"$name: /proc");
	is($rows{entries}{total}, 0 + output(@before, qw(conntrack -C)),
		"$name: entries");
	is($rows{expectations}{total}, 0 + output(@before, qw(conntrack -C expect)),
		"$name: expectations");
	is($rows{entries_limit}{total}, setting('nf_conntrack_max'), "$name: limit");
	is($rows{expectations_limit}{total}, setting('nf_conntrack_expect_max'),
		"$name: limit of expectations");
	return \%rows;
}

my %before;

# Test: since the last call, these counters have grown by that much, and no others.
# Without numbers, only tells what was added.
sub check_added {
	my ($name, %expected) = @_;
	my $rows = check_same($name);
	my %now = map { ($_ => $rows->{$_}{total}) } grep { $rows->{$_} } @counters;
	my %added = map { my $added = $now{$_} - ($before{$_} // 0);
		$added && $_ ne 'search_restart' ? ($_ => $added) : () } keys %now;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply(\%added, \%expected, "$name: what was added") if keys %expected;
	%before = %now;
	return \%added;
}

sub udp_packet {
	my ($to, $sport, $dport) = @_;

	return packet(17, '10.0.1.2', $to, pack 'n4 a2', $sport, $dport, 10, 0, 'hi');
}

sub nft {
	my ($rules) = @_;
	my $file = File::Temp->new;

	print $file $rules;
	close $file;
	output('nft', '-f', "$file");
}

# What the counter of a chain's only rule with one says: packets.
sub counted {
	my ($chain) = @_;

	return output('nft', 'list', 'chain', split ' ', $chain) =~
		/counter packets (\d+)/ ? $1 : die "$chain has no counter\n";
}

sub flush {
	output(qw(conntrack -F));
}

# Of all processors, as conntrack(8) has it.
sub sum_of {
	my ($counter, $seen) = @_;
	my $sum = 0;

	$sum += $seen->{$_} for grep { /^\Q$counter\E / } keys %$seen;
	return $sum;
}

# Every kind of flow, and what FTP, TFTP and PPTP expect.
sub check_traffic {
	my $listener = start_listening({}, 0x38, qw(conntrack -E expect));
	my $traffic = start_traffic();
	my %events;

	wait_until('the events of all expectations', sub {
		my ($seen, $text) = (seen(), so_far($listener));
		%events = (NEW => 0, DESTROY => 0);
		$events{$1}++ while $text =~ /\[(NEW|DESTROY)\]/g;
		return sum_of('expect_create', $seen) == $events{NEW} &&
			sum_of('expect_delete', $seen) == $events{DESTROY};
	});
	interrupt($listener);
	my $rows = check_same('traffic');
	is($rows->{expect_create}{total}, $events{NEW}, 'traffic: expectations begin');
	is($rows->{expect_delete}{total}, $events{DESTROY}, 'traffic: and end');
	is($rows->{expect_new}{total}, scalar(grep { $_->{flags}{EXPECTED} }
		conntrack_flows()), 'traffic: flows that were expected');
	cmp_ok($rows->{expect_new}{total}, '>', 4, 'traffic: and there are some');
	is($rows->{insert}{total}, 0, 'traffic: no packet counts as an insertion');
	$traffic = undef;
	flush();
	check_added('a flush');
}

# What is announced and does not come: the server never answers this request.
sub check_expectation {
	my $request = "\0\1file\0octet\0";

	send_packets('client', packet(17, '10.0.1.2', '198.51.100.7', pack 'n4 a*', 4000, 69,
		8 + length $request, 0, $request));
	wait_until('an expectation', sub { output(qw(conntrack -C expect)) == 1 });
	my $rows = check_same('an expectation');
	is($rows->{expectations}{total}, 1, 'an expectation is there');
	check_added('an expectation', expect_create => 1);
	output(qw(conntrack -F expect));
	check_added('no expectation', expect_delete => 1);
	flush();
}

# Those that the gateway's rule "ct state invalid counter" sees.
sub check_invalid {
	my $rule = 'inet lab forward';
	my $tcp = pack 'n n N N C C n n n', 1000, 1001, 1, 0, 0x50, 0x03, 100, 0, 0;
	my @v4 = ('10.0.1.2', '10.0.2.2');
	my @v6 = ('fd00:1::2', 'fd00:2::2');
	my $icmp = sub { my ($type, $number) = @_;
		packet(1, @v4, pack 'C C n n n', $type, 0, 0, 77, $number) };
	my @cases = (
		['SYN with FIN', 'invalid', map { packet(6, @$_, $tcp) } \@v4, \@v6],
		['answers to nothing', 'invalid', map { $icmp->(0, $_) } 1 .. 5],
		['too short for ports', 'invalid', map { packet($_, @v4, 'xx') } 6, 17],
		['no such type of ICMP', 'error', map { $icmp->(40, $_) } 1 .. 3],
	);

	for (@cases) {
		my ($name, $counter, @packets) = @$_;
		my $before = counted($rule);
		send_packets('client', @packets);
		wait_until("$name: the counter of nft", sub {
			counted($rule) - $before == @packets });
		check_added($name, $counter => scalar @packets);
	}
	is(table_size(), 0, 'nothing comes of invalid packets');
}

sub check_insert {
	my @flow = qw(create -p udp -s 192.0.2.1 -d 192.0.2.2 --dport 53 --sport);
	my @statuses = map { (conntap(@flow, $_))[0] } 1, 2, 2;

	is("@statuses", '0 0 3', 'create: status');
	check_added('two that were created, one that was there', insert => 2);
	flood('-n', 1000);
	check_added('a thousand', insert => 1000);
	flush();
}

# Ten source ports for one remote: the eleventh flow finds them taken.
sub check_ports {
	my $sent = 0;
	my @send = ('198.51.100.7') x 13;

	nft(<<'END');
table ip stats {
	chain source {
		type nat hook postrouting priority srcnat - 1; policy accept;
		udp dport 5001 snat to 203.0.113.5:2000-2009
	}

	chain sent {
		type filter hook postrouting priority srcnat + 1; policy accept;
		udp dport 5001 counter
	}
}
END
	send_packets('client', map { udp_packet($send[$_], 3000 + $_, 5001) } 0 .. $#send);
	wait_until('the packets', sub { counted('ip stats sent') == @send });
	is(table_size(), 10, 'ports: as many flows as ports');
	my $added = check_added('ports');
	is($added->{insert_failed}, @send - 10, 'ports: flows without a port');
	is($added->{drop}, @send - 10, 'ports: and their packets');
	cmp_ok($added->{found}, '>=', @send - 10, 'ports: they were looked for');
	output(qw(nft delete table ip stats));
	flush();
}

sub processors {
	my $line = output('grep', 'Cpus_allowed_list', '/proc/self/status');
	my ($list) = $line =~ /(\S+)$/;

	return map { /(\d+)-(\d+)/ ? ($1 .. $2) : $_ } split /,/, $list;
}

# Sends the same packets from two processors, each pair of them at the same time.
# Returns why that was not possible.
sub race {
	my ($cpus, @packets) = @_;
	my $file = File::Temp->new;
	my $start = time + 0.1;
	my $script = <<'END';
use Socket;
use Time::HiRes qw(time);
my $at = shift;
my @packets = map { chomp; pack 'H*', $_ } <>;
my $to = pack_sockaddr_in(0, inet_aton('198.51.100.7'));
socket my $socket, AF_INET, SOCK_RAW, 255 or die "socket: $!\n";
for (@packets) {
	1 while time < $at;
	send $socket, $_, 0, $to or die "send: $!\n";
	$at += 0.0002;
}
END

	print $file map { unpack('H*', $_->[1]) . "\n" } @packets;
	close $file;
	my @jobs = map { start({}, 'taskset', '-c', $_,
		in('client', $^X, '-e', $script, $start, "$file")) } @$cpus;
	return join ' ', map { my ($status, $out, $err) = finish($_);
		$status ? $err : () } @jobs;
}

# Two processors, each with the first packet of the same flow: many rules between its
# lookup and its insertion give the other one time to come in between.
sub check_race {
	my @packets = map { udp_packet('198.51.100.7', 20000 + $_, 5002) } 1 .. 300;
	my @cpus = processors();
	my ($rounds, $added) = (5, {});

	SKIP: {
		skip('one processor: nothing races', 1) if @cpus < 2;
		nft("table ip slow {\nchain forward {\n" .
			"type filter hook forward priority 5\n" .
			"ip saddr 192.0.2.99 drop\n" x 1000 . "}\n}\n");
		until ($added->{clash_resolve} || $rounds-- == 0) {
			flush();
			check_added('before the race');
			my $why = race([@cpus[0, 1]], @packets);
			skip("no race: $why", 1) if $why;
			wait_until('the flows', sub { table_size() == @packets });
			$added = check_added('the race');
		}
		output(qw(nft delete table ip slow));
		skip('no two packets met', 1) unless $added->{clash_resolve};
		my $came = 0;
		$came += $_->{orig}{packets} for conntrack_flows();
		is($came + ($added->{drop} // 0), 2 * @packets,
			'a race that is settled loses no packet');
	}
	flush();
}

# Flows that have to go, and flows that do not come in.
sub check_full {
	my $max = setting('nf_conntrack_max');
	my $sent = 200;

	SKIP: {
		skip("a table for $max flows is too large to fill", 1)
			if $max == 0 || $max > 600_000;
		flood('-n', $max);
		check_added('a full table', insert => $max);
		nft(<<'END');
table ip full {
	chain before {
		type filter hook prerouting priority raw; policy accept;
		udp dport 5003 counter
	}

	chain behind {
		type filter hook prerouting priority mangle; policy accept;
		udp dport 5003 counter
	}
}
END
		send_packets('client', map { udp_packet('198.51.100.7', 20000 + $_, 5003) }
			1 .. $sent);
		wait_until('the packets', sub { counted('ip full before') == $sent });
		my $added = check_added('more than fit');
		my $came = counted('ip full behind');
		my $gone = $max + $came - table_size();
		is($added->{drop} // 0, $sent - $came, 'full: dropped did not come');
		cmp_ok($added->{early_drop} // 0, '>', 0, 'full: flows had to go');
		# After the first failure the kernel clears up elsewhere, too, and
		# does not count that.
		cmp_ok($added->{early_drop} // 0, $added->{drop} ? '<=' : '==', $gone,
			'full: as many as are missing');
		is(join(' ', grep { $_ !~ /drop$/ } sort keys %$added), '',
			'full: no more');
		check_limit($max);
		output(qw(nft delete table ip full));
	}
}

# Beside a full table, another namespace still has all of its own limit.
sub check_limit {
	my ($max) = @_;

	output(in('one', program('tests/flood'), '-n', 2000));
	my $rows = check_same('beside a full table', 'one');
	cmp_ok($rows->{entries}{total}, '>=', 2000, 'beside a full table: flows');
	is("$rows->{early_drop}{total} $rows->{drop}{total}", '0 0',
		'beside a full table: none had to go');
	cmp_ok($rows->{entries}{total} + table_size(), '>', $max,
		'together they have more than the limit');
}

# The titles, and the cells of each line.
sub table_of {
	my ($out) = @_;

	return map { [split /  +/] } split /\n/, $out;
}

sub check_text {
	my @rows = rows('text and JSON', []);
	my $cpus = grep { /^cpu/ } keys %{$rows[-1]};

	for my $verbose ([], ['-v']) {
		my ($status, $out, $err) = conntap('stats', @$verbose);
		my ($titles, @lines) = table_of($out);
		my @cpus = map { "cpu$_" } 0 .. $cpus - 1;
		@cpus = () if $cpus > $columns_shown && !@$verbose;
		is("$status $err", '0 ', "text @$verbose: status");
		is_deeply($titles, ['counter', 'total', @cpus, 'meaning'],
			"text @$verbose: titles");
		is_deeply(\@lines, [map { my $row = $_; [map { $row->{$_} // '-' }
			'counter', 'total', @cpus, 'meaning'] } @rows],
			"text @$verbose: the same as JSON");
	}
}

sub without_nobody {
	my ($status) = run(@nobody, program('conntap'), '--version');

	return $status && 'no other user here, or none that can read this directory';
}

# By /proc, which is for all to read; who expects what is not.
sub check_nobody {
	my @all = rows('root', []);

	cmp_ok(scalar(grep { $_->{total} && $known{$_->{counter}} } @all), '>', 7,
		'most counters are not 0 any more');
	SKIP: {
		skip(without_nobody(), 1) if without_nobody();
		my @rows = rows('nobody', \@nobody);
		is_deeply(\@rows, [grep { $_->{counter} ne 'expectations' } @all],
			'nobody sees the same in /proc');
	}
}

# Words that begin a command with another directory in the place of /proc/net.
sub with_proc {
	my ($text) = @_;
	my $dir = tempdir(CLEANUP => 1);

	mkdir "$dir/stat";
	chmod 0755, $dir, "$dir/stat";
	if (defined $text) {
		open my $file, '>', "$dir/stat/nf_conntrack" or die "$dir: $!\n";
		print $file $text;
	}
	return (qw(unshare -m sh -c), 'mount --bind "$0" /proc/$$/task/$$/net && exec "$@"',
		$dir);
}

# A file with numbers of our own, for a dozen processors and up to 32 bits.
sub check_written {
	my @columns = qw(entries clashres found new invalid ignore delete chainlength
		insert insert_failed drop early_drop icmp_error expect_new expect_create
		expect_delete search_restart);
	my (@lines, %expected);

	for my $cpu (0 .. 11) {
		my @numbers = map { 2654435761 * (17 * $cpu + $_ + 1) % 2 ** 32 }
			0 .. $#columns;
		push @lines, join ' ', map { sprintf '%08x', $_ } @numbers;
		for (0 .. $#columns) {
			my $name = $alias{$columns[$_]} // $columns[$_];
			$expected{"$name $cpu"} = $numbers[$_] if $known{$name};
		}
	}
	SKIP: {
		skip(without_nobody(), 1) if without_nobody();
		my @before = (with_proc(join "\n", "@columns", @lines, ''), @nobody);
		is_deeply(numbers('written', rows('written', \@before)), \%expected,
			'a dozen processors');
		for my $verbose ([], ['-v']) {
			my (undef, $out) = run(@before, program('conntap'), 'stats',
				@$verbose);
			my @cpus = @$verbose ? map { "cpu$_" } 0 .. 11 : ();
			is_deeply((table_of($out))[0], ['counter', 'total', @cpus,
				'meaning'], "a dozen processors: titles @$verbose");
		}
	}
}

# A kernel without the file (CONFIG_NF_CONNTRACK_PROCFS): netlink has all of it.
sub check_without_proc {
	is_deeply(numbers('no file', rows('no file', [with_proc(undef)])), seen(),
		'no file of /proc: each processor by netlink');
}

sub check_netns {
	my @both = qw(--netns gateway --netns one);
	my @missing = qw(--netns nowhere --netns one);
	my (%rows, @expected);

	output(in('one', program('tests/flood'), '-n', 700));
	output(qw(conntrack -I -p udp -s 192.0.2.1 -d 192.0.2.2 --sport 1 --dport 2
		-t 60));
	for my $netns ('gateway', 'one') {
		my $rows = check_same($netns, $netns);
		$rows{$netns} = "$rows->{entries}{total} $rows->{insert}{total}";
		push @expected, rows($netns, [], '--netns', $netns);
	}
	is($rows{one}, '700 700', 'one: its own flows');
	like($rows{gateway}, qr/\A1 \d{4,}\z/, 'gateway: its own');
	my @rows = rows('both', [], @both);
	is_deeply(\@rows, \@expected, 'both: as one by one');
	is(join(' ', map { $_->{netns} } grep { $_->{counter} eq 'drop' } @rows),
		'gateway one', 'both: whose they are');
	my (undef, $out) = conntap('stats', @both);
	is(join(' ', $out =~ /^(Namespace .*|entries +\d+)\b/mg) =~ s/ +/ /gr,
		'Namespace gateway entries 1 Namespace one entries 700', 'both: text');
	my ($status, undef, $err) = conntap('stats', @missing);
	like("$status $err", qr/\A1 conntap: [^\n]*nowhere: there is no such .*\n\z/,
		'missing: status and why');
	($status, $out) = conntap('stats', '-o', 'json', @missing);
	is("$status " . ($out =~ tr/\n//), '1 ' . @rows / 2,
		'missing: the other is shown');
	output(in('one', qw(conntrack -F)));
	flush();
	check_added('namespaces', insert => 1);
}

my $full_disk = [1, '', "conntap: cannot write the output: No space left on " .
	"device\n"];

sub full_disk {
	open my $full, '>', '/dev/full' or die "/dev/full: $!\n";
	return $full;
}

# Those that are to look at namespaces of their own again and again.
sub start_reports {
	my %arguments = (text => '1', verbose => '1 -v', json => '1 -o json',
		others => '1 -o json --netns three --netns gone', idle => '1h',
		missing => '1 -o json --netns nowhere --count 1',
		count => '1 --count 2', for => '1 --for 2s',
		titled => '1', untitled => '1 -o json', closed => '1 -o json');
	pipe my $out, my $in or die "pipe: $!\n";
	my %place = (titled => full_disk(), untitled => full_disk(), closed => $in);

	close $out;
	output(in($_, program('tests/flood'), '-n', 300)) for 'two', 'three';
	return map { ($_ => start({ $place{$_} ? (stdout => $place{$_}) : () },
		program('conntap'), qw(stats --netns two --every),
		split ' ', $arguments{$_})) } sort keys %arguments;
}

# What a job has printed so far, by report: rows by counter.
sub reports {
	my ($name, $text) = @_;
	my (@reports, $last);

	$text =~ s/[^\n]*\z//;
	if ($name eq 'json') {
		for my $row (map { JSON::PP::decode_json($_) } split /\n/, $text) {
			push @reports, {} if $row->{time} ne ($last // '');
			$last = $row->{time};
			$reports[-1]{$row->{counter}} = $row;
		}
		return @reports;
	}
	for my $report (split /^$time\n/m, $text) {
		my ($title, $columns, @lines) = table_of($report);
		next unless $columns;
		push @reports, {};
		for my $line (@lines) {
			my %row;
			@row{@$columns} = map { $_ eq '-' ? undef : $_ } @$line;
			$reports[-1]{$row{counter}} = \%row;
		}
	}
	return @reports;
}

sub added {
	my ($counter, @reports) = @_;
	my $sum = 0;

	$sum += $_->{$counter}{added} // 0 for grep { $_->{$counter} } @reports;
	return $sum;
}

# Ctrl-C ends them at once.
sub check_interrupt {
	my ($name, $job) = @_;

	# A bit for each signal; SIGINT is the second.
	wait_until("$name: its handler", sub {
		output('cat', "/proc/$job->{pid}/status") =~
			/^SigCgt:.*[2367abef]$/m });
	my ($status, $out, $err) = interrupt($job);
	is("$status $err", '130 ', "every, $name: Ctrl-C");
	is($job->{signal}, 0, "every, $name: an orderly end");
	return $out;
}

# What comes between two reports.
sub check_every {
	my %jobs = @_;
	my @endless = qw(text verbose json);
	my @all = map { $_->{counter} } rows('every', [], qw(--netns two));

	for my $name (@endless, 'others') {
		wait_until("$name: a report", sub {
			so_far($jobs{$name}) =~ /(?:.*\n){6}/ });
	}
	output(qw(ip netns delete gone));
	output(in('two', program('tests/flood'), qw(-n 500 -f 1000)));
	for my $name (@endless) {
		wait_until("the flood: $name", sub {
			added('insert', reports($name, so_far($jobs{$name}))) >= 500 });
		my $text = check_interrupt($name, $jobs{$name});
		my @reports = reports($name, $text);
		my $total = 300;
		is_deeply([map { $_->{entries}{total} } @reports[0, -1]], [300, 800],
			"every, $name: entries");
		for (grep { $_->{insert} } @reports) {
			$total += $_->{insert}{added};
			is($_->{insert}{total}, $total, "every, $name: the total");
		}
		is($total, 800, "every, $name: all of it");
		my @shown = map { $name ne 'text' ? \@all :
			[@gauges[0, 1], $_->{insert} ? 'insert' : ()] } @reports;
		is_deeply([map { [sort keys %$_] } @reports],
			[map { [sort @$_] } @shown],
			"every, $name: " . ($name eq 'text' ? 'what moves' : 'all'));
		unlike($text, qr/cpu\d/, "every, $name: no processors");
		next if $name ne 'json';
		my @wrong = grep { $_->{time} !~ /\A$time\z/ }
			json_lines($text, 'every, json');
		is_deeply(\@wrong, [], 'every, json: times');
	}
	for my $name ('count', 'for') {
		my ($status, $out, $err) = finish($jobs{$name});
		is("$status $err " . reports($name, $out), '0  2',
			"every, $name: two reports");
		cmp_ok(time - $jobs{$name}{begun}, '>=', 2, "every, $name: their time");
	}
	is(check_interrupt('idle', $jobs{idle}), '', 'every, idle: nothing to print');
	check_others(@jobs{'others', 'missing'});
	check_unwritten(@jobs{qw(closed titled untitled)});
}

# Several namespaces, of which one goes away and another was never there.
sub check_others {
	my ($others, $missing) = @_;
	my %sum;

	wait_until('the flood: others', sub { so_far($others) =~
		/"netns":"two".*"counter":"insert","total":800/ });
	kill INT => $others->{pid};
	my ($status, $out, $err) = finish($others);
	for my $row (json_lines($out, 'every, others')) {
		$sum{$row->{netns}} += $row->{added} // 0;
	}
	is_deeply(\%sum, { two => 500, three => 0, gone => 0 },
		'every, others: each by itself');
	like("$status $err", qr/\A130 (?:conntap: --netns gone: [^\n]*\n)+\z/,
		'every, others: without the one that went');
	($status, $out, $err) = finish($missing);
	like("$status $err", qr/\A1 (?:conntap: --netns nowhere: [^\n]*\n)+\z/,
		'every, missing: status and why');
	like($out, qr/\A(?:\{"netns":"two",.*\}\n)+\z/, 'every, missing: the other');
}

# Where nobody can read it, it ends.
sub check_unwritten {
	my ($closed, $titled, $untitled) = @_;
	my %full = (text => $titled, json => $untitled);

	is_deeply([finish($closed)], [141, '', ''], 'every, a closed pipe');
	for my $format (sort keys %full) {
		my $job = $full{$format};
		my $end = wait_until('the end on a full disk', sub {
			return 'ended' if Lab::process_state($job->{pid}) eq 'Z';
			return so_far($job, 'stderr') =~ /\n.*\n/ ? 'went on' : '';
		});
		kill KILL => $job->{pid} if $end ne 'ended';
		is_deeply([finish($job)], $full_disk, "a full disk, $format: it $end");
	}
}

sub check_usage {
	refused(2, 'takes no conditions', 'stats', '--proto', 'tcp');
	refused(2, 'takes no conditions', qw(stats --every 1 --zone 5));
	refused(2, 'go with --every', 'stats', @$_) for [qw(--count 2)], [qw(--for 2)];
	refused(2, "$_.*no time to wait", qw(stats --every), $_) for 0, '0s';
	refused(2, 'soon', qw(stats --every soon));
	refused(2, '0 is no number', qw(stats --every 1 --count 0));
	refused(2, "$_ is not a format of stats", 'stats', '-o', $_) for 'xml', 'save';
	refused(2, 'stats has no such option', 'stats', @$_) for [qw(--limit 3)],
		[qw(--by port)], ['--kernel-filter'], ['--timestamp'];
	refused(2, 'one word too many', qw(stats drop));
	refused(1, 'nowhere', qw(stats --netns nowhere), @$_) for [], [qw(--every 1)];
	is_deeply([finish(start({ stdout => full_disk() }, program('conntap'),
		'stats'))], $full_disk, 'a full disk');
}

output(qw(ip netns add), $_) for qw(one two three gone);
my %jobs = start_reports();
check_same('a fresh namespace');
check_added('nothing');
check_traffic();
check_expectation();
check_invalid();
check_insert();
check_ports();
check_race();
check_text();
check_nobody();
check_written();
check_without_proc();
check_netns();
check_usage();
check_every(%jobs);
check_full();

done_testing();
