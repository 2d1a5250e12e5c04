#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conntap nat: the ports of public addresses, counted again from what conntrack(8)
# lists, where real packets are translated, until there is no port left.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use Socket qw(AF_INET AF_INET6 inet_pton);
use Test::More;

use lib $FindBin::Bin;
use Lab;
use Packets;

enter_lab();

my %protocols = (1 => 'icmp', 6 => 'tcp', 17 => 'udp', 33 => 'dccp', 47 => 'gre',
	58 => 'icmpv6', 132 => 'sctp', 136 => 'udplite');
my $rows_shown = 10;
my $remote4 = '198.51.100.7';
my $remote6 = '2001:db8:dead::7';
my @columns = ('address', 'proto', 'zone', 'flows', 'ports', 'busiest remote',
	'remote port', 'its ports', 'at least', 'of', 'share');

# What a command prints that has to work.
sub output {
	my @command = @_;
	my ($status, $out, $err) = run(@command);

	die "@command: $err\n" if $status;
	return $out;
}

sub nat {
	return output(program('conntap'), 'nat', @_);
}

# From the client unless told otherwise.
sub udp_packet {
	my ($to, $sport, $dport, $from) = @_;

	return packet(17, $from // ($to =~ /:/ ? 'fd00:1::2' : '10.0.1.2'), $to,
		pack 'n4 a2', $sport, $dport, 10, 0, 'hi');
}

sub syn_packet {
	my ($to, $sport, $dport) = @_;

	return packet(6, '10.0.1.2', $to, pack 'n n N N C C n n n', $sport, $dport,
		1, 0, 0x50, 0x02, 1000, 0, 0);
}

sub echo_packet {
	my ($to, $id) = @_;

	return packet(1, '10.0.1.2', $to, pack 'C C n n n', 8, 0, 0, $id, 1);
}

sub nft {
	my ($rules) = @_;
	my $file = File::Temp->new;

	print $file $rules;
	close $file;
	output('nft', '-f', "$file");
}

# The gateway's addresses: .5 and .6 by the client's port, .7 with ten ports only, .8
# for ICMP, and its own.
sub load_rules {
	nft(<<'END');
table ip nat4 {
	chain source {
		type nat hook postrouting priority srcnat - 1; policy accept;
		oifname "server" udp sport 20000-29999 snat to 203.0.113.5
		oifname "server" udp sport 30000-39999 snat to 203.0.113.6
		oifname "server" udp dport 6001 snat to 203.0.113.7:2000-2009
		oifname "server" ip protocol icmp snat to 203.0.113.8
		oifname "server" udp dport 6005 masquerade
		oifname "server" tcp dport 6005 masquerade
	}

	chain passed {
		type filter hook prerouting priority raw; policy accept;
		ip protocol { icmp, tcp, udp } counter
	}
}

table ip6 nat6 {
	chain source {
		type nat hook postrouting priority srcnat - 1; policy accept;
		oifname "server" udp dport 6006 snat to fd00:2::101
	}
}
END
}

sub flush {
	output(qw(conntrack -F));
	is(output(qw(conntrack -C)), "0\n", 'an empty table');
}

# Waits until the gateway has so many flows more than before.
sub wait_for_flows {
	my ($count) = @_;

	wait_until("$count flows", sub { output(qw(conntrack -C)) == $count });
}

# What is a port, an id or a key on our side, and on the other.
sub our_port {
	my ($reply) = @_;

	return $reply->{dport} // $reply->{id} //
		(defined $reply->{dstkey} ? hex $reply->{dstkey} : undef);
}

sub remote_port {
	my ($reply) = @_;

	return "$reply->{type}/$reply->{code}" if exists $reply->{type};
	return $reply->{sport} // hex $reply->{srckey};
}

sub range_of {
	my ($protonum, $ports) = @_;

	return $ports =~ /(\d+)-(\d+)/ ? ($1, $2) : ($ports, $ports) if $ports;
	return (0, 65535) if $protonum == 1 || $protonum == 58;
	return ($protonum == 47 ? 1 : 1024, 65535);
}

# The pools of those flows; each with a count for each remote.  `public` is a hash of
# addresses to look at.
sub pools_of {
	my ($ports, $public, @flows) = @_;
	my %pools;

	for my $flow (@flows) {
		my $reply = $flow->{reply};
		my $port = our_port($reply);
		my ($low, $high) = range_of($flow->{protonum}, $ports);
		my $counts = $public ? $public->{$reply->{dst}} :
			$flow->{flags}{SRC_NAT};
		next unless $counts && defined $port && $port >= $low && $port <= $high;
		my $zone = $flow->{zone} || ($flow->{zone_reply} // 0);
		my $pool = $pools{"$reply->{dst} $flow->{protonum} $zone"} //= {
			family => $flow->{family}, address => $reply->{dst},
			protonum => $flow->{protonum}, zone => $zone,
			of => $high - $low + 1 };
		$pool->{flows}++;
		$pool->{used}{$port}++;
		$pool->{remotes}{"$reply->{src} " . remote_port($reply)}++;
	}
	for my $pool (values %pools) {
		($pool->{most}) = sort { $b <=> $a } values %{$pool->{remotes}};
		$pool->{ports} = keys %{$pool->{used}};
	}
	return values %pools;
}

# The one that runs out first before the others.
sub in_order {
	return sort { $b->{most} / $b->{of} <=> $a->{most} / $a->{of} ||
		$b->{ports} <=> $a->{ports} || $a->{family} cmp $b->{family} ||
		packed($a) cmp packed($b) || $a->{protonum} <=> $b->{protonum} ||
		$a->{zone} <=> $b->{zone} } @_;
}

sub packed {
	my ($pool) = @_;

	return inet_pton($pool->{family} eq 'ipv6' ? AF_INET6 : AF_INET,
		$pool->{address});
}

# As a row of JSON, without its remote, of which there may be several as busy.
sub row_of {
	my ($pool) = @_;

	return { address => $pool->{address},
		proto => $protocols{$pool->{protonum}} // $pool->{protonum},
		$pool->{zone} ? (zone => $pool->{zone}) : (),
		flows => $pool->{flows}, ports => $pool->{ports},
		its_ports => $pool->{most}, of => $pool->{of},
		share => int($pool->{most} * 100_000 / $pool->{of} + 0.5) / 1000 };
}

# Test: rows and lines are the pools of those flows.  Returns the rows.
sub check_nat {
	my ($name, $flows, @arguments) = @_;
	my ($ports) = "@arguments" =~ /--ports (\S+)/;
	my %public = map { ($_ => 1) } "@arguments" =~ /--public (\S+)/g;
	my @pools = in_order(pools_of($ports, %public && \%public, @$flows));
	my @rows = json_lines(nat('-o', 'json', '--limit', 0, @arguments), $name);
	my @wrong;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply([map { my %row = %$_; delete @row{qw(busiest_remote remote_port)};
		\%row } @rows], [map { row_of($_) } @pools], "$name: as counted here");
	for my $i (0 .. $#rows) {
		my ($row, $pool) = ($rows[$i], $pools[$i]);
		my $remote = "$row->{busiest_remote} " . ($row->{remote_port} // '');
		my @busy = grep { $pool->{remotes}{$_} == $pool->{most} }
			keys %{$pool->{remotes}};
		# Of ICMP there is no port to show.
		s{\d+/\d+$}{} for @busy;
		push @wrong, "$row->{address} $row->{proto}: $remote"
			unless grep { $_ eq $remote } @busy;
	}
	is_deeply(\@wrong, [], "$name: remotes");
	check_text($name, \@rows, nat('--limit', 0, @arguments));
	return @rows;
}

sub tenths {
	my $tenths = int((int($_[0] * 1000 + 0.5) + 50) / 100);

	return int($tenths / 10) . '.' . $tenths % 10 . ' %';
}

# Test: the same in columns; those that no row has a value for are left out.
sub check_text {
	my ($name, $rows, $text) = @_;
	my ($titles, @lines) = map { [split /  +/] } split /\n/, $text;
	my @shown = grep { my $column = s/ /_/gr;
		grep { exists $_->{$column} } @$rows } @columns;
	my @cells = map { my $row = $_; [map { my $column = s/ /_/gr;
		$column eq 'share' ? tenths($row->{share}) : $row->{$column} // '-' }
		@shown] } @$rows;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply([$titles, @lines], @$rows ? [\@shown, @cells] :
		[['no flow has a port of a public address']], "$name: text");
}

sub row_for {
	my ($address, @rows) = @_;

	return (grep { $_->{address} eq $address } @rows)[0] // {};
}

# One address with many flows to many remotes, another with fewer, but most of them to
# one: that one runs out first.
sub check_busiest {
	send_packets('client', map({ udp_packet($remote4, 20000 + $_, 53) } 1 .. 40),
		map({ udp_packet('198.51.100.8', 20000 + $_, 53) } 1 .. 10),
		map({ udp_packet($remote4, 20000 + $_, 5353) } 1 .. 15),
		map({ udp_packet('198.51.100.' . (10 + $_), 30000 + $_, 53) } 1 .. 99));
	wait_for_flows(164);
	my @flows = conntrack_flows();
	my @rows = check_nat('busiest', \@flows);
	is_deeply([map { $_->{address} } @rows], ['203.0.113.5', '203.0.113.6'],
		'busiest: in the order of their worst remotes');
	is_deeply($rows[0], { address => '203.0.113.5', proto => 'udp', flows => 65,
		ports => 40, busiest_remote => $remote4, remote_port => 53,
		its_ports => 40, of => 64512, share => 0.062 }, 'busiest: the first');
	is("@{$rows[1]}{qw(flows ports its_ports)}", '99 99 1', 'busiest: the other');
	check_nat('conditions', [grep { $_->{orig}{dport} == 5353 } @flows],
		qw(--proto udp --dport 5353));
	check_nat('conditions, none', [], qw(--family ipv6));
	@rows = check_nat('a range', \@flows, qw(--ports 20001-20010));
	is("@{$rows[0]}{qw(flows ports its_ports of share)}", '30 10 10 10 100',
		'a range: what is outside does not count');
	check_nat('one port', \@flows, qw(--ports 20005));
	check_nat('all ports', \@flows, qw(--ports 0-65535));
	check_nat('an address', \@flows, qw(--public 203.0.113.6));
	check_nat('addresses', \@flows, qw(--public 203.0.113.6 --public 192.0.2.1
		--public 203.0.113.5));
	check_nat('another address', \@flows, qw(--public 203.0.113.99));
	flush();
}

# insert_failed of all processors.
sub failed {
	my $sum = 0;

	$sum += $_ for output(qw(conntrack -S)) =~ /\binsert_failed=(\d+)/g;
	return $sum;
}

sub passed {
	return output(qw(nft list chain ip nat4 passed)) =~ /packets (\d+)/ ? $1 : die;
}

# Ten ports, and eleven flows to one remote.
sub check_exhausted {
	my ($failed, $passed) = (failed(), passed());

	send_packets('client', map { udp_packet($remote4, 4000 + $_, 6001) } 1 .. 9);
	wait_for_flows(9);
	my @rows = check_nat('nine', [conntrack_flows()], qw(--ports 2000-2009));
	is($rows[0]{share}, 90, 'nine of ten');
	is(failed(), $failed, 'nine: all have a port');
	send_packets('client', map { udp_packet($remote4, 4000 + $_, 6001) } 10, 11);
	wait_until('eleven packets', sub { passed() - $passed == 11 });
	is(failed(), $failed + 1, 'the eleventh finds no port');
	is(output(qw(conntrack -C)), "10\n", 'and is no flow');
	@rows = check_nat('ten', [conntrack_flows()], qw(--ports 2000-2009));
	is_deeply(\@rows, [{ address => '203.0.113.7', proto => 'udp', flows => 10,
		ports => 10, busiest_remote => $remote4, remote_port => 6001,
		its_ports => 10, of => 10, share => 100 }], 'ten of ten');
	like(nat(qw(--ports 2000-2009)), qr/^203\.0\.113\.7 .* 10  10  100\.0 %$/m,
		'ten of ten, for people');
	send_packets('client', map { udp_packet('198.51.100.8', 4000 + $_, 6001) }
		1 .. 4);
	wait_for_flows(14);
	@rows = check_nat('another remote', [conntrack_flows()], qw(--ports 2000-2009));
	is("@{$rows[0]}{qw(flows ports busiest_remote its_ports share)}",
		"14 10 $remote4 10 100", 'another remote still has all of them');
	is(failed(), $failed + 1, 'another remote: all have a port');
	flush();
}

# Ids take the place of ports, and the remote has none.
sub check_icmp {
	send_packets('client', map({ echo_packet($remote4, 100 + $_) } 0 .. 6),
		map({ echo_packet('198.51.100.8', 100 + $_) } 0 .. 2),
		echo_packet($remote4, 0), echo_packet($remote4, 65535));
	wait_for_flows(12);
	my @rows = check_nat('ICMP', [conntrack_flows()]);
	is_deeply(\@rows, [{ address => '203.0.113.8', proto => 'icmp', flows => 12,
		ports => 9, busiest_remote => $remote4, its_ports => 9, of => 65536,
		share => 0.014 }], 'ICMP: ids, 0 and 65535 too');
	check_nat('ICMP, a range', [conntrack_flows()], qw(--ports 101-104));
	flush();
}

# The gateway's own address, and who else uses it.
sub check_own {
	my $own = '10.0.2.1';

	send_packets('client', map({ udp_packet($remote4, 5000 + $_, 6005) } 1 .. 3),
		map({ syn_packet($remote4, 5000 + $_, 6005) } 1 .. 2));
	send_packets('gateway', map({ udp_packet($remote4, 50000 + $_, 6005, $own) }
		1 .. 4), udp_packet($remote4, 777, 53, $own));
	wait_for_flows(10);
	my @flows = conntrack_flows();
	my @rows = check_nat('masquerade', \@flows);
	is(join(', ', map { "@$_{qw(address proto flows)}" } @rows),
		"$own udp 3, $own tcp 2", 'masquerade: translated flows alone');
	@rows = check_nat('masquerade, --public', \@flows, '--public', $own);
	is("@{$rows[0]}{qw(address proto flows its_ports)}", "$own udp 7 7",
		'masquerade, --public: with those of the gateway itself');
	@rows = check_nat('the client', \@flows, qw(--public 10.0.1.2));
	is(scalar @rows, 0, 'the client: all of its flows are translated');
	flush();
}

sub check_ipv6 {
	send_packets('client', map { udp_packet($remote6, 7000 + $_, 6006) } 1 .. 5);
	wait_for_flows(5);
	my @rows = check_nat('IPv6', [conntrack_flows()]);
	is("@{$rows[0]}{qw(address flows busiest_remote its_ports)}",
		"fd00:2::101 5 $remote6 5", 'IPv6');
	check_nat('IPv6, --public', [conntrack_flows()], qw(--public fd00:2::101));
	flush();
}

# All kinds of traffic that the lab has, then zones and protocols made by hand.
sub check_kinds {
	my $traffic = start_traffic();
	my @rows = check_nat('traffic', [conntrack_flows()]);

	cmp_ok(scalar @rows, '>', 2, 'traffic: there are some');
	check_nat('traffic, --public', [conntrack_flows()], qw(--public fd00:2::100
		--public 10.0.2.1 --public 10.0.1.2));
	$traffic = undef;
	flush();
	my @ends = qw(-s 192.0.2.1 -d 192.0.2.2 --src-nat 203.0.113.9 -t 600);
	my @flows = ('udp --sport 2001 --dport 53 --zone 0',
		'udp --sport 2001 --dport 53 --zone 5',
		'udp --sport 2002 --dport 53 --zone 77', 'gre --srckey 7 --dstkey 8',
		'gre --srckey 65535 --dstkey 8', 'sctp --sport 2001 --dport 9', '253',
		'udp --sport 22 --dport 53', 'udplite --sport 3001 --dport 1',
		'udp --sport 1024 --dport 53', 'udp --sport 1023 --dport 53');
	# Not every kernel has every protocol.
	conntap('create', '-p', split(' ', $_), @ends) for @flows;
	cmp_ok(output(qw(conntrack -C)), '>=', @flows - 3, 'by hand: flows');
	@rows = check_nat('by hand', [conntrack_flows()]);
	is(scalar(grep { ($_->{zone} // 0) == 77 } @rows), 1, 'by hand: a zone');
	is(scalar(grep { $_->{proto} eq '253' } @rows), 0, 'by hand: no ports, no row');
	check_nat('by hand, all ports', [conntrack_flows()], qw(--ports 0-65535));
	flush();
}

# Hundreds of addresses, of which the first are shown.
sub check_many {
	flood('-n', 4000);
	my @rows = check_nat('flood', [conntrack_flows()]);
	my $all = @rows;

	cmp_ok($all, '>', 200, 'flood: pools');
	for my $limit (undef, 1, 20, $all - 1, $all, 4294967295) {
		my @limit = defined $limit ? ('--limit', $limit) : ();
		my $shown = $limit // $rows_shown;
		my ($note) = nat(@limit) =~ /^(\d+ of .*)$/m;
		$shown = $all if $shown > $all;
		is_deeply([json_lines(nat(@limit, '-o', 'json'), "limit @limit")],
			[@rows[0 .. $shown - 1]], "flood: limit @limit");
		my $more = "$shown of $all (--limit 0 shows all)";
		is($note, $shown < $all ? $more : undef, "flood: limit @limit: note");
	}
	flush();
}

sub check_netns {
	my @flow = qw(create -p udp -s 192.0.2.1 -d 192.0.2.2 --dport 53 -t 600
		--src-nat 203.0.113.9 --sport);
	my @spaces = qw(one gateway two);
	my @three = map { ('--netns', $_) } @spaces;
	my @expected;

	for my $index (0 .. $#spaces) {
		my $netns = $spaces[$index];
		output('ip', 'netns', 'add', $netns) if $netns ne 'gateway';
		output(program('conntap'), @flow, 2000 + $_, '--netns', $netns)
			for 1 .. $index;
		push @expected, map { +{ %$_, netns => $netns } }
			json_lines(nat('-o', 'json', '--netns', $netns), $netns);
	}
	my @rows = json_lines(nat('-o', 'json', @three), 'three');
	is_deeply(\@rows, \@expected, 'three namespaces: as one by one');
	is(join(' ', map { "$_->{netns} $_->{ports}" } @rows), 'gateway 1 two 2',
		'three namespaces: their ports');
	@rows = json_lines(nat(qw(-o json --netns all)), 'all');
	is_deeply({ map { ($_->{netns} => $_->{flows}) } @rows },
		{ gateway => 1, two => 2 }, 'all namespaces');
	is_deeply([nat(@three) =~ /^(Namespace .*|no flow.*|[\d.]+ +udp +\d)/mg],
		['Namespace one:', 'no flow has a port of a public address',
		'Namespace gateway:', '203.0.113.9  udp        1', 'Namespace two:',
		'203.0.113.9  udp        2'], 'three namespaces: text');
	my ($status, $out, $err) = conntap(qw(nat --netns nowhere --netns two));
	is("$status $err", "1 conntap: --netns nowhere: there is no such namespace " .
		"(see ip netns)\n", 'missing: status and why');
	is($out, nat(qw(--netns two)), 'missing: the other is shown');
	flush();
}

sub check_empty {
	check_nat('empty', []);
	is_deeply([conntap('nat')], [0, "no flow has a port of a public address\n", ''],
		'empty: text');
	is_deeply([conntap(qw(nat -o json))], [0, '', ''], 'empty: JSON');
}

sub check_usage {
	refused(2, "$_ is not a range of ports", qw(nat --ports), $_)
		for '65536', 'http', '-1', '';
	refused(2, '2009-2000 is a range that ends', qw(nat --ports 2009-2000));
	refused(2, '10.0.0.0/8 is not a single address', qw(nat --public 10.0.0.0/8));
	refused(2, '--public', qw(nat --public gateway));
	my @many = map { ('--public', "10.0.$_.1") } 0 .. 255;
	is((conntap('nat', @many))[0], 0, '256 addresses');
	is_deeply([conntap('nat', @many, qw(--public 10.1.0.1))], [2, '',
		"conntap: --public: more than 256 addresses\n"], 'and no more');
	refused(2, 'x is not a number of rows', qw(nat --limit x));
	refused(2, 'xml is not a format of nat', qw(nat -o xml));
	refused(2, 'nat has no such option', 'nat', @$_) for [qw(--by port)],
		[qw(--capacity 3)], [qw(--every 1)], [qw(--order bytes)];
	refused(2, 'one word too many', qw(nat 203.0.113.5));
	refused(1, 'nowhere', qw(nat --netns nowhere));
	open my $full, '>', '/dev/full' or die "/dev/full: $!\n";
	my $job = start({ stdout => $full }, program('conntap'), 'nat');
	is_deeply([finish($job)], [1, '',
		"conntap: cannot write the output: No space left on device\n"],
		'a full disk');
}

check_empty();
load_rules();
check_busiest();
check_exhausted();
check_icmp();
check_own();
check_ipv6();
check_kinds();
check_many();
check_netns();
check_usage();

done_testing();
