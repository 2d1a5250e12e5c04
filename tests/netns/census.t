#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conntap census: every row counted again from what conntrack(8) lists, and packets and
# bytes by counters of nft.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Lab;

enter_lab();

my %protocols = (1 => 'icmp', 6 => 'tcp', 17 => 'udp', 33 => 'dccp', 47 => 'gre',
	50 => 'esp', 51 => 'ah', 58 => 'icmpv6', 132 => 'sctp', 136 => 'udplite');
my @usual = (1, 6, 17, 33, 47, 58, 132, 136);
# As the kernel numbers them.
my %states = (
	6 => [qw(NONE SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK
		TIME_WAIT CLOSE SYN_SENT2)],
	132 => [qw(NONE CLOSED COOKIE_WAIT COOKIE_ECHOED ESTABLISHED SHUTDOWN_SENT
		SHUTDOWN_RECD SHUTDOWN_ACK_SENT HEARTBEAT_SENT HEARTBEAT_ACKED)],
	33 => [qw(NONE REQUEST RESPOND PARTOPEN OPEN CLOSEREQ CLOSING TIMEWAIT IGNORE
		INVALID)],
);
my @bits = qw(expected seen_reply assured confirmed src_nat dst_nat seq_adjust
	src_nat_done dst_nat_done dying fixed_timeout template nat_clash helper offload
	hw_offload);
my $limit = 20;
my $titles = [qw(by key flows share packets bytes)];

# What a command prints that has to work.
sub output {
	my @command = @_;
	my ($status, $out, $err) = run(@command);

	die "@command: $err\n" if $status;
	return $out;
}

# The attributes of a message: type => value.
sub attributes {
	my ($bytes) = @_;
	my %attributes;

	while (length $bytes >= 4) {
		my ($size, $type) = unpack 'S S', $bytes;
		$attributes{$type & 0x7fff} = substr $bytes, 4, $size - 4;
		substr $bytes, 0, ($size + 3) & ~3, '';
	}
	return %attributes;
}

# Gives all flows their status, which conntrack(8) does not tell: by a dump of our own.
# It is keyed by id; of two flows with the same it does not matter which is which, as
# long as both are counted.
sub add_status {
	my @flows = @_;
	my $status = statuses();

	for my $flow (@flows) {
		$flow->{status} = shift @{$status->{$flow->{id}} // []} //
			die "a flow is gone\n";
	}
	return @flows;
}

sub statuses {
	my %status;

	socket my $socket, 16, 3, 12 or die "netlink: $!\n";
	send $socket, pack('L S S L L C C n', 20, 0x101, 0x301, 1, 0, 0, 0, 0), 0,
		pack('S S L L', 16, 0, 0, 0) or die "netlink: $!\n";
	while (1) {
		recv $socket, my $bytes, 65536, 0;
		while (length $bytes >= 16) {
			my ($size, $type) = unpack 'L S', $bytes;
			return \%status if $type == 3;
			die "netlink: no dump\n" if $type == 2;
			my %flow = attributes(substr $bytes, 20, $size - 20);
			push @{$status{unpack 'N', $flow{12}}}, unpack 'N', $flow{3};
			substr $bytes, 0, ($size + 3) & ~3, '';
		}
	}
}

sub flows {
	return add_status(conntrack_flows());
}

sub tally {
	my @flows = @_;
	my @counted = grep { defined $_->{orig}{packets} } @flows;
	my %tally = (flows => scalar @flows);

	for my $key (@counted ? ('packets', 'bytes') : ()) {
		$tally{$key} += $_->{orig}{$key} + $_->{reply}{$key} for @counted;
	}
	return \%tally;
}

# By each key that the code gives for a flow: the flows.
sub sort_out {
	my ($key, @flows) = @_;
	my %by;

	push @{$by{$key->($_)}}, $_ for @flows;
	return \%by;
}

# The keys with most flows first; equal ones by their numbers.
sub ranked {
	my ($by) = @_;

	return sort { @{$by->{$b}} <=> @{$by->{$a}} || $a <=> $b } keys %$by;
}

# The rows of zones, or marks.
sub bins {
	my ($name, $format, $most, $by) = @_;
	my @keys = ranked($by);
	my @others = $most ? splice @keys, $most < @keys ? $most : @keys : ();

	return ((map { [$name, sprintf($format, $_), @{$by->{$_}}] } @keys),
		@others ? [$name, 'others', map { @{$by->{$_}} } @others] : ());
}

sub state_rows {
	my @flows = @_;
	my @rows;

	for my $proto (6, 132, 33) {
		my $by = sort_out(sub { $_[0]{state} // '' },
			grep { $_->{protonum} == $proto } @flows);
		delete $by->{''}; # DCCP, of a kernel that knows its number only
		for my $state (@{$states{$proto}}) {
			push @rows, ['state', "$protocols{$proto} $state",
				@{delete $by->{$state} // []}];
		}
		die "unknown states: ", join(' ', keys %$by), "\n" if %$by;
	}
	return @rows;
}

sub status_rows {
	my @flows = @_;
	my @rows;

	for my $bit (0 .. $#bits) {
		push @rows, ['status', $bits[$bit],
			grep { $_->{status} >> $bit & 1 } @flows];
	}
	return (@rows,
		['status', 'unreplied', grep { $_->{flags}{UNREPLIED} } @flows],
		['status', 'unassured', grep { !$_->{flags}{ASSURED} } @flows],
		['status', 'nat', grep { $_->{flags}{SRC_NAT} || $_->{flags}{DST_NAT} }
			@flows]);
}

# The census of those flows: [by, key, flow...] of each row.
sub rows_of {
	my ($most, @flows) = @_;
	my $families = sort_out(sub { $_[0]{family} }, @flows);
	my $protos = sort_out(sub { $_[0]{protonum} }, @flows);
	my $zones = sort_out(sub { $_[0]{zone} || ($_[0]{zone_orig} // 0) }, @flows);
	my $marks = sort_out(sub { $_[0]{mark} }, @flows);

	$protos->{$_} //= [] for @usual;
	return (['all', undef, @flows],
		map({ ['family', $_, @{$families->{$_} // []}] } 'ipv4', 'ipv6'),
		map({ ['proto', $protocols{$_} // $_, @{$protos->{$_}}] }
			ranked($protos)),
		state_rows(@flows), status_rows(@flows),
		bins('zone', '%d', $most, $zones), bins('mark', '0x%x', $most, $marks));
}

sub share {
	my ($part, $all) = @_;

	return $all ? int($part / $all * 100_000 + 0.5) / 1000 : 0;
}

# The rows as JSON has them; those without flows with --verbose only.
sub expected {
	my ($verbose, $most, @flows) = @_;

	return map { my ($by, $key, @of) = @$_; @of || $verbose ? { by => $by,
		defined $key ? (key => $key) : (), share => share(@of + 0, @flows + 0),
		%{tally(@of)} } : () } rows_of($most, @flows);
}

sub rows {
	my ($name, @arguments) = @_;
	my ($status, $out, $err) = conntap('census', '-o', 'json', @arguments);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is("$status $err", '0 ', "$name: status");
	return json_lines($out, $name);
}

# Bytes for people.
sub human {
	my ($bytes) = @_;
	my @units = qw(KiB MiB GiB);
	my $size = $bytes;

	return "$bytes B" if $bytes < 1024;
	while (1) {
		my $unit = shift @units;
		$size /= 1024;
		my $tenths = int($size * 10 + 0.5);
		return sprintf '%d.%d %s', $tenths / 10, $tenths % 10, $unit
			if $tenths < 10240 || !@units;
	}
}

# Of thousandths, so that halves are exact.
sub percent {
	my $tenths = int((int($_[0] * 1000 + 0.5) + 50) / 100);

	return sprintf '%d.%d %%', $tenths / 10, $tenths % 10;
}

# The rows as text has them: the titles first, and no column without a value.
sub lines_of {
	my @rows = @_;
	my @columns = grep { my $column = $_; grep { defined $_->{$column} } @rows }
		@$titles;
	my %show = (share => \&percent, bytes => \&human);

	return @rows ? (\@columns, map { my $row = $_; [map {
		!defined $row->{$_} ? '-' : $show{$_} ? $show{$_}->($row->{$_}) :
		$row->{$_} } @columns] } @rows) : ();
}

# Test: JSON and text are the census of those flows, and below the text is that note.
sub check_census {
	my ($name, $flows, $arguments, $note) = @_;
	my $verbose = grep { $_ eq '-v' } @$arguments;
	my ($most) = "@$arguments" =~ /--limit (\d+)/ ? $1 : $limit;
	my @expected = expected($verbose, $most, @$flows);
	my @rows = rows($name, @$arguments);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply(\@rows, \@expected, "$name: JSON") or diag(explain(\@rows));
	my ($status, $out, $err) = conntap('census', @$arguments);
	my @lines = split /\n/, $out;
	is(defined $note ? pop @lines : undef, $note, "$name: note");
	is_deeply([map { [split /  +/] } @lines], [lines_of(@expected)], "$name: text");
	return @rows;
}

sub check_shares {
	my @rows = @_;
	my %sum;

	for my $row (@rows) {
		$sum{"$row->{by}: $_"} += $row->{$_} for qw(flows share packets bytes);
	}
	for my $by (qw(family proto zone mark)) {
		is($sum{"$by: $_"}, $sum{"all: $_"}, "shares: $_ of all, by $by")
			for qw(flows packets bytes);
		cmp_ok(abs($sum{"$by: share"} - 100), '<=', 0.0006 * @rows,
			"shares: 100 %, by $by");
	}
}

sub check_traffic {
	my @flows = flows();
	my @rows = check_census('traffic', \@flows, []);
	my %count = map { ($_->{by} . ' ' . ($_->{key} // '') => $_->{flows}) } @rows;

	cmp_ok(@flows, '>', 40, 'traffic: many flows');
	cmp_ok($count{$_} // 0, '>', 0, "traffic: there are: $_")
		for 'family ipv6', 'proto 253', 'proto gre', 'state sctp ESTABLISHED',
		'state tcp TIME_WAIT', 'status expected', 'status seq_adjust',
		'status helper', 'status unreplied', 'status nat', 'zone 5', 'zone 7',
		'mark 0x2a0001';
	is($count{'zone 8'}, undef, 'traffic: a zone of the reply does not count');
	check_shares(@rows);
	check_census('traffic, verbose', \@flows, ['-v']);
	check_census('traffic, limit', \@flows, [qw(--limit 1)]);
	check_conditions(@flows);
}

sub check_conditions {
	my @flows = @_;
	my @cases = (
		'--proto tcp' => sub { $_->{proto} eq 'tcp' },
		'--zone 5' => sub { $_->{zone} == 5 },
		'--orig-src 10.0.1.0/24' => sub { $_->{orig}{src} =~ /^10\.0\.1\./ },
		'--family ipv6 --any-nat' => sub { $_->{family} eq 'ipv6' &&
			($_->{flags}{SRC_NAT} || $_->{flags}{DST_NAT}) },
		'--status unreplied' => sub { $_->{flags}{UNREPLIED} },
		'--mark 0x2a0001' => sub { $_->{mark} == 0x2a0001 },
		'--state ESTABLISHED --proto sctp' => sub { $_->{proto} eq 'sctp' &&
			$_->{state} eq 'ESTABLISHED' },
		'--orig-src 203.0.113.9' => sub { 0 });

	while (my ($words, $chosen) = splice @cases, 0, 2) {
		my @chosen = grep { $chosen->() } @flows;
		my $note = @chosen ? undef : 'no flows';
		check_census($words, \@chosen, [split ' ', $words], $note);
		check_census("$words, by the kernel", \@chosen,
			['--kernel-filter', split ' ', $words], $note);
	}
}

sub flush {
	output(qw(conntrack -F));
}

sub nft {
	my ($rules) = @_;
	my $file = File::Temp->new;

	print $file $rules;
	close $file;
	output('nft', '-f', "$file");
}

# A rule of nft for each protocol counts the same packets and bytes as they pass.
sub check_nft {
	my @kinds = qw(tcp4 tcp6 tcp4-close-wait tcp4-snat tcp6-dnat udp4 udp6
		udp4-zone5 udp6-unreplied udplite4 icmp4 icmp6 icmp4-unreplied sctp4
		sctp6 gre4 other4);
	my @families = ('ipv4', 'ipv6');
	my @numbers = (6, 17, 136, 1, 58, 132, 47, 253);
	my %by;

	flush();
	nft(join "\n", 'table inet census {', 'chain passing {',
		'type filter hook forward priority 10',
		(map { "meta l4proto $_ counter comment \"proto $_\"" } @numbers),
		(map { "meta nfproto $_ counter comment \"family $_\"" } @families),
		'}', '}', '');
	my $traffic = start_traffic(@kinds);
	my ($out, @rows);
	wait_until('the last packet', sub {
		$out = output(qw(nft list table inet census));
		@rows = rows('nft');
		return $out eq output(qw(nft list table inet census));
	});
	$by{$3} = [$1, $2] while $out =~ /packets (\d+) bytes (\d+) comment "(.*)"/g;
	for my $row (grep { $_->{by} =~ /^(?:family|proto)$/ } @rows) {
		my ($number) = grep { ($protocols{$_} // $_) eq $row->{key} } @numbers;
		my $expected = delete $by{"$row->{by} " . ($number // $row->{key})};
		is("@$row{qw(packets bytes)}", "@{$expected // ['none']}",
			"nft: $row->{by} $row->{key}");
	}
	for my $kind (sort keys %by) {
		is($by{$kind}[0], 0, "nft: without a row, without packets: $kind");
	}
	output(qw(nft delete table inet census));
}

# Flows that begin while accounting is off have no counters, ever.
sub check_accounting {
	my $key = 'net/netfilter/nf_conntrack_acct';
	my $off = 'no bytes: sysctl net.netfilter.nf_conntrack_acct=1 counts those ' .
		'of new flows';

	flush();
	set_sysctl($key, 0);
	my $traffic = start_traffic(qw(tcp4 udp6 tcp4-snat));
	my @flows = flows();
	is(scalar(grep { defined $_->{orig}{packets} } @flows), 0, 'off: no counters');
	my @rows = check_census('accounting off', \@flows, [], $off);
	is(scalar(grep { exists $_->{bytes} || exists $_->{packets} } @rows), 0,
		'accounting off: nothing is counted, and no zero shown');
	set_sysctl($key, 1);
	my $more = start_traffic(qw(udp4 tcp6));
	@flows = flows();
	my $counted = grep { defined $_->{orig}{packets} } @flows;
	is("$counted of " . @flows, '2 of 5', 'mixed: some have counters');
	@rows = check_census('mixed', \@flows, [], "bytes are those of $counted " .
		'flows; the others began before accounting was on');
	is(scalar(grep { !exists $_->{bytes} } @rows), 2,
		'mixed: only what has no counters at all has no bytes');
}

sub check_empty {
	flush();
	check_census('an empty table', [], [], 'no flows');
	is_deeply([conntap('census')], [0, "no flows\n", ''], 'an empty table, text');
	is_deeply([conntap(qw(census -o json))], [0, '', ''], 'an empty table, JSON');
	check_census('an empty table, verbose', [], ['-v'], 'no flows');
}

# Many zones and marks: the largest, and what the others come to.
sub check_limit {
	my $file = File::Temp->new;
	my $line = '-A -t 600 -u SEEN_REPLY -s 192.0.2.1 -d 192.0.2.2 -r 192.0.2.2 ' .
		'-q 192.0.2.1 -p udp --sport %d --dport 53 --reply-port-src 53 ' .
		"--reply-port-dst %d -w %d -m %d\n";
	my $port = 1000;

	flush();
	for my $zone (0 .. 27) {
		for (0 .. $zone % 6) {
			$port++;
			printf $file $line, $port, $port, $zone, $port % 23 * 0x10001;
		}
	}
	close $file;
	output(program('conntap'), 'create', '--load', "$file");
	my @flows = flows();
	for (['zone', 28], ['mark', 23]) {
		my ($which, $count) = @$_;
		my $by = sort_out(sub { $_[0]{$which} }, @flows);
		is(scalar(keys %$by), $count, "limit: ${which}s");
	}
	check_census('no limit given', \@flows, []);
	for my $most (0, 1, 5, 22, 23, 27, 28, 4000000000) {
		check_census("limit $most", \@flows, ['--limit', $most]);
	}
	check_census('limit 3 of a zone', [grep { $_->{zone} == 5 } @flows],
		[qw(--limit 3 --zone 5)]);
}

# As parse_flow() does, of what a census asks for, and faster.
sub read_flow {
	my ($line) = @_;
	my ($family, $protonum, $state) =
		$line =~ /^(\S+) +\d+ \S+ +(\d+) \d+ ([A-Z_0-9]+ )?/;
	my ($from, $to, $sport, $dport, $source, $back, $source_port, $back_port) =
		$line =~ /src=(\S+) dst=(\S+)(?: sport=(\d+) dport=(\d+))?/g;
	my @counts = $line =~ /(?:packets|bytes)=(\d+)/g;
	my %number = $line =~ / (mark|id|zone)=(\d+)/g;
	my %flags = map { ($_ => 1) } $line =~ /\[([A-Z]+)\]/g;

	$flags{SRC_NAT} = 1 if $from ne $back || ($sport // 0) != ($back_port // 0);
	$flags{DST_NAT} = 1 if $to ne $source || ($dport // 0) != ($source_port // 0);
	return { family => $family, protonum => $protonum, flags => \%flags,
		$state ? (state => $state =~ s/ //r) : (), zone => $number{zone} // 0,
		mark => $number{mark}, id => $number{id},
		orig => { packets => $counts[0], bytes => $counts[1] },
		reply => { packets => $counts[2], bytes => $counts[3] } };
}

sub check_flood {
	flush();
	flood('-n', 30000);
	my @flows = add_status(map { read_flow($_) } map { split /\n/,
		output(qw(conntrack -L -o), 'extended,id', '-f', $_) } 'ipv4', 'ipv6');
	is(scalar @flows, 30000, 'flood: flows');
	my @rows = check_census('flood', \@flows, []);
	check_shares(@rows);
	my ($marked) = grep { $_->{by} eq 'mark' && $_->{key} eq '0x7' } @rows;
	is($marked->{flows}, int((30000 + 6) / 7), 'flood: the mark of every seventh');
}

sub check_netns {
	my @spaces = qw(one two gateway);
	my @flow = qw(conntrack -I -p udp -s 192.0.2.1 -d 192.0.2.2 --dport 53 -t 600);
	my (@expected, @texts);

	flush();
	for my $index (0 .. $#spaces) {
		my $netns = $spaces[$index];
		output('ip', 'netns', 'add', $netns) if $netns ne 'gateway';
		output('ip', 'netns', 'exec', $netns, @flow, '--sport', $_)
			for 1 .. 2 * $index;
		my @rows = rows($netns, '--netns', $netns);
		is(@rows ? $rows[0]{flows} : 0, 2 * $index, "$netns: flows");
		is(scalar(grep { $_->{netns} ne $netns } @rows), 0, "$netns: its rows");
		push @expected, @rows;
		push @texts, output(program('conntap'), 'census', '--netns', $netns);
	}
	my @three = map { ('--netns', $_) } @spaces;
	is_deeply([rows('three', @three)], \@expected, 'three: as one by one');
	is(output(program('conntap'), 'census', @three), join("\n", @texts),
		'three, text: likewise');
	my %by = map { ($_->{netns} => $_->{flows}) } grep { $_->{by} eq 'all' }
		rows('all', qw(--netns all));
	is_deeply(\%by, { two => 2, gateway => 4 }, 'all namespaces');
	my ($status, $out, $err) = conntap(qw(census --netns nowhere --netns two));
	is("$status $err", "1 conntap: --netns nowhere: there is no such namespace " .
		"(see ip netns)\n", 'missing: status and why');
	is($out, output(program('conntap'), qw(census --netns two)),
		'missing: the other is shown');
}

sub check_usage {
	refused(2, "$_ is not a number of rows", qw(census --limit), $_)
		for 'x', '-1', '4294967296', '';
	refused(2, '--dport: 70000 is not a port', qw(census --dport 70000));
	refused(2, 'xml is not a format of census', qw(census -o xml));
	refused(2, 'census has no such option', 'census', @$_) for [qw(--by port)],
		[qw(--count 3)], [qw(--every 1)], ['--quiet'], [qw(--ports 1-2)];
	refused(2, 'one word too many', qw(census zones));
	refused(1, 'nowhere', qw(census --netns nowhere));
	open my $full, '>', '/dev/full' or die "/dev/full: $!\n";
	my $job = start({ stdout => $full }, program('conntap'), qw(census -v));
	is_deeply([finish($job)], [1, '',
		"conntap: cannot write the output: No space left on device\n"],
		'a full disk');
}

check_empty();
my $traffic = start_traffic();
check_traffic();
$traffic = undef;
check_nft();
check_accounting();
check_limit();
check_netns();
check_usage();
check_flood();

done_testing();
