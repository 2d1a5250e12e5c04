#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conntap top: who fills the table, counted again from what conntrack(8) lists; and in
# less memory than that takes, numbers that keep their bounds.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use Socket qw(AF_INET AF_INET6 inet_ntop inet_pton);
use Test::More;

use lib $FindBin::Bin;
use Lab;
use Packets;

enter_lab();

# Those that have ports.
my %protocols = (6 => 'tcp', 17 => 'udp', 33 => 'dccp', 132 => 'sctp',
	136 => 'udplite');
# What each way to tell flows apart shows, and which columns of a flow that is.
my %ways = (source => ['address', 'src'], destination => ['address', 'dst'],
	'reply-source' => ['address', 'reply_src'],
	'reply-destination' => ['address', 'reply_dst'],
	pair => ['source destination', 'src', 'dst'], port => ['proto port']);
my $rows_shown = 10;
my $default_capacity = 65536;
my $memory_limit = 16 << 10; # kB

# What a command prints that has to work.
sub output {
	my @command = @_;
	my ($status, $out, $err) = run(@command);

	die "@command: $err\n" if $status;
	return $out;
}

sub top {
	return output(program('conntap'), 'top', @_);
}

# All flows, each with the few columns that top looks at; of many at once, too.
sub flows {
	my @flows;

	for my $family ('ipv4', 'ipv6') {
		my $list = output(qw(conntrack -L -f), $family);
		while ($list =~ /^\S+\ +(\d+)\ ([^=]*)src=(\S+)\ dst=(\S+)
				(?:\ sport=\d+\ dport=(\d+))?(.*?)\ src=(\S+)\ dst=(\S+)
				(.*)$/xmg) {
			my ($protonum, $state, $counts) = ($1, $2, "$6$9");
			my %flow = (protonum => $protonum, src => $3, dst => $4,
				reply_src => $7, reply_dst => $8);
			# A kernel without DCCP knows its number only.
			$flow{dport} = $5 if $protocols{$protonum} &&
				($protonum != 33 || $state =~ /[A-Z]/);
			my @bytes = $counts =~ /bytes=(\d+)/g;
			$flow{bytes} = $bytes[0] + $bytes[1] if @bytes;
			push @flows, \%flow;
		}
	}
	return @flows;
}

# The first bits of an address, as a network unless that is all of them.
sub cut {
	my ($address, $prefix4, $prefix6) = @_;
	my ($family, $all, $bits) = $address =~ /:/ ? (AF_INET6, 128, $prefix6) :
		(AF_INET, 32, $prefix4);

	return $address if $bits == $all;
	my $digits = unpack 'B*', inet_pton($family, $address);
	substr($digits, $bits) = '0' x ($all - $bits);
	return inet_ntop($family, pack 'B*', $digits) . "/$bits";
}

# What a flow is told by, with blanks between the columns; undef: nothing.  Without
# prefixes it is whole addresses.
sub key_of {
	my ($flow, $by, $prefix4, $prefix6) = @_;
	my (undef, @columns) = @{$ways{$by}};

	return join ' ', @$flow{@columns} if @columns && !defined $prefix4;
	return join ' ', map { cut($flow->{$_}, $prefix4, $prefix6) } @columns
		if @columns;
	return defined $flow->{dport} ? "$protocols{$flow->{protonum}} $flow->{dport}" :
		undef;
}

# key => { flows, bytes }; bytes only if all or some of the flows have counters.
sub count_by {
	my ($flows, $by, $prefix4, $prefix6) = @_;
	my %by;

	for my $flow (@$flows) {
		my $key = key_of($flow, $by, $prefix4, $prefix6) // next;
		$by{$key}{flows}++;
		$by{$key}{bytes} += $flow->{bytes} if defined $flow->{bytes};
	}
	return \%by;
}

sub sum {
	my $sum = 0;

	$sum += $_ // 0 for @_;
	return $sum;
}

sub share {
	my ($part, $all) = @_;

	return $all ? int($part / $all * 100_000 + 0.5) / 1000 : 0;
}

# The rows of JSON, each with its key; also of more rows than json_lines() can take.
sub rows {
	my ($text, $by) = @_;
	my @columns = split ' ', $ways{$by}[0];
	my @rows;

	for my $line (split /\n/, $text) {
		my %row = $line =~ /"(\w+)":"?([^",}]*)/g;
		my $key = join ' ', delete @row{@columns};
		push @rows, { key => $key, %row };
	}
	return @rows;
}

# Test: these rows, all of them, the heaviest first.  Arguments are those of top.
sub check_exact {
	my ($name, $flows, $by, @arguments) = @_;
	my %option = @arguments;
	my $order = $option{'--order'} // 'flows';
	my $truth = count_by($flows, $by, @option{'--prefix4', '--prefix6'});
	my $total = sum(map { $_->{$order} } values %$truth);
	my @rows = rows(top('--by', $by, '--limit', 0, '-o', 'json', @arguments), $by);
	my %rows = map { my %row = %$_; (delete $row{key} => \%row) } @rows;
	my @values = map { $_->{$order} // 0 } @rows;

	$_->{share} = sprintf '%.3f', share($_->{$order} // 0, $total)
		for values %$truth;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply(\%rows, $truth, "$name: as counted here") or
		diag(explain(\%rows, $truth));
	is(scalar @rows, scalar keys %$truth, "$name: each once");
	is("@values", join(' ', sort { $b <=> $a } @values),
		"$name: the heaviest first");
	my %bytes = map { ($_ => bytes_of($_)) } $by eq 'port' ? () : keys %$truth;
	my @keys = sort { ($truth->{$b}{$order} // 0) <=> ($truth->{$a}{$order} // 0) ||
		$bytes{$a} cmp $bytes{$b} } keys %bytes;
	is_deeply([map { $_->{key} } @rows], \@keys,
		"$name: equal ones by their addresses") if %bytes;
	return @rows;
}

# What decides between equal ones: the addresses, and then the family.
sub bytes_of {
	my ($key) = @_;
	my $family = $key =~ /:/ ? AF_INET6 : AF_INET;
	my ($first, $second) = map { inet_pton($family, s{/.*}{}r) } split ' ', $key;

	return pack 'a16 a16 C', $first, $second // '', $family;
}

sub check_traffic {
	my @flows = flows();

	cmp_ok(@flows, '>', 40, 'traffic: flows');
	for my $by (sort keys %ways) {
		check_exact("traffic, $by", \@flows, $by);
		check_exact("traffic, $by, bytes", \@flows, $by, '--order', 'bytes');
	}
	my $without = grep { !defined key_of($_, 'port') } @flows;
	my ($note) = top(qw(--by port)) =~ /^(\d+ flows have no port)$/m;
	is($note, "$without flows have no port", 'traffic: what has no port');
}

sub udp_packet {
	my ($from, $to, $sport, $dport, $size) = @_;

	return packet(17, $from, $to,
		pack('n4', $sport, $dport, 8 + $size, 0) . 'x' x $size);
}

# Packets of all sizes to and from many, some of which send more than others.
sub send_from_many {
	my @packets;

	# The gateway is to take what its client would not send.
	set_sysctl('net/ipv4/conf/client/rp_filter', 0);
	for my $i (1 .. 500) {
		my ($net, $host, $to) = (int(500 / $i) % 50, $i % 11, 1 + $i % 7);
		my @ends = $i % 3 ? ("100.64.$net.$host", "198.51.100.$to") :
			(sprintf('2001:db8:%x::%x:%x', $net, $host, $i % 5),
			"2001:db8:dead::$to");
		push @packets, udp_packet(@ends, 1000 + $i, 5000 + $i % 13,
			$i * 7919 % 1200);
	}
	send_packets('client', @packets);
	wait_until('the packets', sub { output(qw(conntrack -C)) == @packets });
}

sub check_prefixes {
	my @flows = flows();
	my @keys;

	for (['source', 24, 64], ['source', 20, 48], ['destination', 0, 0],
			['pair', 17, 127], ['pair', 32, 0], ['source', 32, 128],
			['reply-source', 31, 1], ['reply-destination', 1, 109]) {
		my ($by, $prefix4, $prefix6) = @$_;
		my @arguments = ('--prefix4', $prefix4, '--prefix6', $prefix6);
		my @rows = check_exact("$by @arguments", \@flows, $by, @arguments);
		push @keys, map { $_->{key} } @rows;
		check_exact("$by @arguments, bytes", \@flows, $by, @arguments,
			'--order', 'bytes');
	}
	for my $key ('0.0.0.0/0', '::/0', '100.64.0.0/24', '2001:db8:1::/64') {
		is(scalar(grep { $_ eq $key } @keys), 1, "prefixes: $key");
	}
}

sub check_limits {
	my @all = rows(top(qw(--limit 0 -o json)), 'source');

	cmp_ok(@all, '>', 20, 'limit: there are more');
	for my $limit (undef, 1, 5, @all - 1, @all + 0, 4294967295) {
		my @limit = defined $limit ? ('--limit', $limit) : ();
		my $shown = $limit // $rows_shown;
		$shown = @all if $shown > @all;
		is_deeply([rows(top(@limit, '-o', 'json'), 'source')],
			[@all[0 .. $shown - 1]], "limit: @limit");
		my ($note) = top(@limit) =~ /^(\d+ of .*)$/m;
		is($note, "$shown of " . @all . '; 500 flows in all',
			"limit: @limit: the note");
	}
}

sub check_conditions {
	my @flows = flows();
	my @cases = (
		'--proto udp --dport 5003' => sub { $_->{dport} == 5003 },
		'--orig-src 100.64.0.0/16' => sub { $_->{src} =~ /^100\.64\./ },
		'--family ipv6' => sub { $_->{src} =~ /:/ },
		'--proto tcp' => sub { 0 });

	while (my ($words, $chosen) = splice @cases, 0, 2) {
		my @chosen = grep { $chosen->() } @flows;
		check_exact($words, \@chosen, 'pair', split ' ', $words);
		my ($all) = top(split ' ', $words) =~ /; (\d+) flows in all$/m;
		is($all, scalar @chosen, "$words: of those");
	}
}

# The same rows in columns, with bytes for people and without what is always missing.
sub check_text {
	for my $by (sort keys %ways) {
		for my $order ('flows', 'bytes') {
			my @arguments = ('--by', $by, '--order', $order);
			my @rows = rows(top(@arguments, '-o', 'json'), $by);
			my ($titles, @lines) = map { [split /  +/] }
				split /\n/, top(@arguments);
			my @titles = split ' ', $ways{$by}[0];
			is_deeply($titles, [@titles, qw(flows bytes share)],
				"text, @arguments: titles");
			my @cells = map { join ' ', map { s/ .*//r } @$_ }
				@lines[0 .. $#rows];
			is_deeply(\@cells, [map { join ' ', $_->{key}, $_->{flows},
				human($_->{bytes}), tenths($_->{share}) } @rows],
				"text, @arguments: cells");
		}
	}
}

sub human {
	my ($bytes) = @_;

	return $bytes < 1024 ? $bytes : tenths($bytes / 1024);
}

sub tenths {
	my $tenths = int((int($_[0] * 1000 + 0.5) + 50) / 100);

	return int($tenths / 10) . '.' . $tenths % 10;
}

# Test: what a sketch promises, whatever the table: for each row the truth lies within
# its bounds, the error is no larger than said, and nobody heavy is missing.  Returns
# how many are heavy.
sub check_bounds {
	my ($truth, $by, $order, $capacity) = @_;
	my $name = "$by, $order, capacity $capacity";
	my $total = sum(map { $_->{$order} } values %$truth);
	my $error = int $total / $capacity;
	my @arguments = ('--by', $by, '--order', $order, '--capacity', $capacity);
	my $beside = $order eq 'flows' ? 'bytes' : 'flows';
	my @rows = rows(top(@arguments, '--limit', 0, '-o', 'json'), $by);
	my @values = map { $_->{$order} } @rows;
	my (%seen, @wrong);

	for my $row (@rows) {
		my ($high, $low) = @$row{$order, "${order}_at_least"};
		my $true = $truth->{$row->{key}} // { flows => 0, bytes => 0 };
		my $about = "$row->{key}: $low <= $true->{$order} <= $high";
		push @wrong, $about
			if $low > $true->{$order} || $true->{$order} > $high;
		push @wrong, "$about: error" if $high - $low > $error;
		push @wrong, "$about: again" if $seen{$row->{key}}++;
		push @wrong, "$about: $beside" if exists $row->{$beside} ||
			$row->{"${beside}_at_least"} > $true->{$beside};
		push @wrong, "$about: share" if $row->{share} != share($high, $total);
	}
	my $most = $total / $capacity;
	my @heavy = grep { $truth->{$_}{$order} > $most } keys %$truth;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(join("\n", splice @wrong, 0, 5), '', "$name: bounds");
	is(scalar @rows, $capacity, "$name: rows");
	is_deeply([grep { !$seen{$_} } @heavy], [], "$name: whoever is heavy is there");
	is("@values", join(' ', sort { $b <=> $a } @values),
		"$name: the heaviest first");
	return scalar @heavy;
}

# Test: below the table is said how wrong it may be.
sub check_note {
	my ($truth, $by, $order, $capacity) = @_;
	my @arguments = ('--by', $by, '--order', $order, '--capacity', $capacity);
	my $error = int sum(map { $_->{$order} } values %$truth) / $capacity;
	my ($note) = top(@arguments) =~ /; (more than .*)$/m;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($note, "more than $capacity different ones, so a number may be too high " .
		"by up to $error (--capacity)", "@arguments: the note");
}

sub check_bytes_bounds {
	my @flows = flows();

	for my $by ('source', 'pair') {
		my $truth = count_by(\@flows, $by);
		for my $capacity (40, 10, 3, 1) {
			for my $order ('bytes', 'flows') {
				check_bounds($truth, $by, $order, $capacity);
				check_note($truth, $by, $order, $capacity);
			}
		}
	}
}

# A few that have much more than the many.
sub add_heavy {
	my $file = File::Temp->new;
	my $line = '-A -t 600 -u SEEN_REPLY -s 192.0.2.%d -d 192.0.2.99 -r ' .
		'192.0.2.99 -q 192.0.2.%d -p udp --sport %d --dport 7 ' .
		"--reply-port-src 7 --reply-port-dst %d\n";

	for my $host (1 .. 12) {
		printf $file $line, $host, $host, $_, $_ for 1 .. int(3000 / $host);
	}
	close $file;
	output(program('conntap'), 'create', '--load', "$file");
}

# The lines of JSON that tell all of it.
sub json_of {
	my ($truth, $by) = @_;
	my @columns = split ' ', $ways{$by}[0];
	my $total = sum(map { $_->{flows} } values %$truth);
	my @lines;

	while (my ($key, $value) = each %$truth) {
		my @cells = split ' ', $key;
		my $line = join ',', map { "\"$_\":\"" . shift(@cells) . '"' } @columns;
		push @lines, sprintf '{%s,"flows":%d,"bytes":%d,"share":%.3f}', $line,
			@$value{'flows', 'bytes'}, share($value->{flows}, $total);
	}
	return @lines;
}

sub check_flood {
	my @exact = qw(--by source --capacity 200000);
	my $heavy = 0;

	output(qw(conntrack -F));
	flood('-n', 91000);
	add_heavy();
	my @flows = flows();
	cmp_ok(@flows, '>', 100000, 'flood: flows');
	my %truth = map { ($_ => count_by(\@flows, $_)) } qw(source pair);
	$heavy += check_bounds($truth{source}, 'source', 'flows', $_)
		for 1000, 100, 1;
	cmp_ok($heavy, '>', 10, 'flood: there are heavy ones');
	my @lines = split /\n/, top(@exact, qw(--limit 0 -o json));
	same_lines(\@lines, [json_of($truth{source}, 'source')], 'flood: all sources');
	is(top(@exact, qw(--limit 300 -o json)), join("\n", @lines[0 .. 299], ''),
		'flood: equal ones are in the same order again');
	cmp_ok(keys %{$truth{pair}}, '>', $default_capacity, 'flood: more than fit');
	check_memory($_, $truth{pair}) for 'json', 'text';
}

# As it waits for its reader, everything is counted: its peak is behind it.
sub check_memory {
	my ($format, $truth) = @_;
	my ($job, $handle, $text) = start_stalled(program('conntap'), qw(top --by pair
		--limit 0 -o), $format);
	my $status = output('cat', "/proc/$job->{pid}/status");
	my ($peak) = $status =~ /^VmHWM:\s+(\d+) kB$/m;
	my ($rows, $wrong) = (0, 0);

	cmp_ok($peak, '<', $memory_limit, "memory, $format: kB");
	$text = read_rest($handle, $text);
	is((finish($job))[0], 0, "memory, $format: status");
	return if $format ne 'json';
	while ($text =~ /^\{"source":"([^"]*)","destination":"([^"]*)","flows":(\d+),
			"flows_at_least":(\d+)/xmg) {
		my $true = ($truth->{"$1 $2"} // {})->{flows} // 0;
		$rows++;
		$wrong++ if $4 > $true || $true > $3;
	}
	is("$rows $wrong", "$default_capacity 0",
		'memory: as many rows as fit, with the truth within their bounds');
}

# What has no counters is not zero bytes.
sub check_accounting {
	my $key = 'net/netfilter/nf_conntrack_acct';
	my $off = 'flows have no counters: sysctl net.netfilter.nf_conntrack_acct=1 ' .
		'counts those of new flows';
	my @bytes = qw(--order bytes);

	output(qw(conntrack -F));
	set_sysctl($key, 0);
	my $traffic = start_traffic(qw(tcp4 udp6 udp4-snat));
	my @flows = flows();
	check_exact('accounting off', \@flows, 'source');
	unlike(top('--by', 'source'), qr/bytes/, 'accounting off: no column');
	like(top(@bytes), qr/^3 $off$/m, 'accounting off, by bytes: it is said');
	unlike(top(@bytes, '-o', 'json'), qr/"bytes":0/,
		'accounting off, by bytes: no zero for what is not known');
	set_sysctl($key, 1);
	send_packets('client', udp_packet('10.0.1.2', '198.51.100.7', 1, 2, 100),
		udp_packet('100.64.0.9', '198.51.100.7', 1, 2, 300));
	wait_until('the packets', sub { output(qw(conntrack -C)) == 5 });
	@flows = flows();
	check_exact('mixed', \@flows, 'source');
	check_exact('mixed, by bytes', \@flows, 'source', @bytes);
	like(top(@bytes), qr/^3 $off$/m, 'mixed, by bytes: it is said');
	my ($first) = rows(top(@bytes, '-o', 'json'), 'source');
	is("$first->{key} $first->{bytes}", '100.64.0.9 328', 'mixed: most bytes');
}

sub check_empty {
	is_deeply([conntap('top')], [0, "0 of 0; 0 flows in all\n", ''], 'empty: text');
	is_deeply([conntap(qw(top -o json --by pair))], [0, '', ''], 'empty: JSON');
	is_deeply([conntap(qw(top --capacity 1))], [0, "0 of 0; 0 flows in all\n", ''],
		'empty: one key');
}

sub check_netns {
	my @flow = qw(conntrack -I -p udp -s 192.0.2.1 --sport 1 --dport 53 -t 600 -d);
	my @spaces = qw(one gateway two);
	my @expected;

	output(qw(conntrack -F));
	for my $index (0 .. $#spaces) {
		my $netns = $spaces[$index];
		output('ip', 'netns', 'add', $netns) if $netns ne 'gateway';
		output('ip', 'netns', 'exec', $netns, @flow, "192.0.2.$_")
			for 10 .. 10 + $index;
		push @expected, { netns => $netns, address => '192.0.2.1',
			flows => $index + 1, share => 100 };
	}
	my @three = map { ('--netns', $_) } @spaces;
	my @rows = json_lines(top(qw(-o json), @three), 'three');
	delete $_->{bytes} for @rows;
	is_deeply(\@rows, \@expected, 'three namespaces: each by itself');
	@rows = json_lines(top(qw(-o json --netns all)), 'all');
	is_deeply({ map { ($_->{netns} => $_->{flows}) } @rows },
		{ one => 1, gateway => 2, two => 3 }, 'all namespaces');
	my @lines = map { s/ +/ /gr } top(@three) =~ /^(Namespace .*|192.0.2.1 +\d)/mg;
	is("@lines", 'Namespace one: 192.0.2.1 1 Namespace gateway: 192.0.2.1 2 ' .
		'Namespace two: 192.0.2.1 3', 'three namespaces: titles');
	my ($status, $out, $err) = conntap(qw(top --netns nowhere --netns two));
	is("$status $err", "1 conntap: --netns nowhere: there is no such namespace " .
		"(see ip netns)\n", 'missing: status and why');
	is($out, top(qw(--netns two)), 'missing: the other is shown');
}

sub check_usage {
	refused(2, "$_ is no way to tell flows apart", qw(top --by), $_)
		for 'sources', 'src', '';
	refused(2, 'packets is no order', qw(top --order packets));
	refused(2, "$_ is not a length of an IPv4 prefix", qw(top --prefix4), $_)
		for 33, -1, 'x';
	refused(2, '129 is not a length of an IPv6 prefix', qw(top --prefix6 129));
	refused(2, '0 is no number of keys', qw(top --capacity 0));
	refused(2, "$_ is not a number of keys", qw(top --capacity), $_)
		for 16777217, 'many';
	refused(2, '-1 is not a number of rows', qw(top --limit -1));
	refused(2, 'xml is not a format of top', qw(top -o xml));
	refused(2, 'top has no such option', 'top', @$_) for [qw(--ports 1-2)],
		[qw(--every 1)], [qw(--count 2)];
	refused(2, 'one word too many', qw(top source));
	refused(1, 'nowhere', qw(top --netns nowhere));
	is(top(qw(--by reply_source)), top(qw(--by Reply-Source)),
		'a name may have - or _');
	open my $full, '>', '/dev/full' or die "/dev/full: $!\n";
	my $job = start({ stdout => $full }, program('conntap'), 'top');
	is_deeply([finish($job)], [1, '',
		"conntap: cannot write the output: No space left on device\n"],
		'a full disk');
}

check_empty();
my $traffic = start_traffic();
check_traffic();
$traffic = undef;
output(qw(conntrack -F));
send_from_many();
check_prefixes();
check_limits();
check_conditions();
check_text();
check_bytes_bounds();
check_accounting();
check_netns();
check_usage();
check_flood();

done_testing();
