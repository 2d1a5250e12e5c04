#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What goes wrong: one line that says what, where and what to do, nothing on stdout that
# is not true, and an exit status.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use Test::More;
use Time::HiRes qw(time);

use lib $FindBin::Bin;
use Documents;
use Files;
use Lab;

enter_lab();

my $address = 'is not an address (a host, a network like 10.0.0.0/8 or ' .
	'10.0.0.0/255.0.0.0, or a range like 10.0.0.2-10.0.0.9; IPv6 likewise)';
my $port = "is not a port (0-65535, a range like 80-90, or a service's name)";
my $backwards = 'is a range that ends before it begins';
my $protocol = 'is not a protocol (tcp, udp, udplite, icmp, icmpv6, sctp, dccp, gre, ' .
	'…, or 0-255)';
my $state = 'is not a state (TCP: NONE SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT ' .
	'CLOSE_WAIT LAST_ACK TIME_WAIT CLOSE SYN_SENT2; SCTP: NONE CLOSED ' .
	'COOKIE_WAIT COOKIE_ECHOED ESTABLISHED SHUTDOWN_SENT SHUTDOWN_RECD ' .
	'SHUTDOWN_ACK_SENT HEARTBEAT_SENT HEARTBEAT_ACKED; DCCP: NONE REQUEST ' .
	'RESPOND PARTOPEN OPEN CLOSEREQ CLOSING TIMEWAIT IGNORE INVALID)';
my $status = 'is not a status (expected, seen-reply, assured, confirmed, src-nat, ' .
	'dst-nat, nat, seq-adjust, dying, fixed-timeout, helper, offload, ' .
	'hw-offload, unreplied, …; not-NAME for its absence)';
my $mark = 'is not a mark (like 7, 0x2a, or 0x2a/0xff)';
my $zone = 'is not a zone (0-65535, or a range like 2-5)';
my $label = 'is not a label (0-127, or a name in /etc/xtables/connlabel.conf)';
my $amount = 'is not an amount (a number, or one like 10k, 2M, 1G, 1Gi)';
my $time = 'is not a time (seconds, or like 90s, 5m, 1h30m)';
my $missing = 'a value is missing (see conntap --help)';
my $no_option = 'no such option, or short for several (see conntap --help)';
my $commands = 'list, xml, count, get, create, update, delete, flush, events, '
	. 'expect, stats, census, top, nat, check, metrics (see conntap --help)';
my $no_command = "is not a command; say one of $commands";
my $extra = 'one word too many (conditions begin with --)';

# Command line => what is on stderr behind "conntap: ".
my @bad = (
	'' => "no command: say one of $commands",
	'-v' => "no command: say one of $commands",
	'frobnicate' => "frobnicate: $no_command",
	'LIST' => "LIST: $no_command",
	'lis' => "lis: $no_command",
	'list extra' => "extra: $extra",
	'list xml' => "xml: $extra",
	'list --proto tcp extra' => "extra: $extra",
	'list -- extra' => "extra: $extra",
	'--frobnicate' => "--frobnicate: $no_option",
	'list --frobnicate' => "--frobnicate: $no_option",
	'list --frobnicate=1' => "--frobnicate=1: $no_option",
	'list --or 1' => "--or: $no_option",
	'list -z' => "-z: $no_option",
	'list -vz' => "-z: $no_option",
	'-5' => "-5: $no_option",
	'list --proto' => "--proto: $missing",
	'list -p' => "-p: $missing",
	'list --sport 1 --sport' => "--sport: $missing",
	'xml --dialect' => "--dialect: $missing",
	'list --verbose=3' => '--verbose=3: takes no value',
	'list --kernel-filter=yes' => '--kernel-filter=yes: takes no value',
	'list --quiet' => '--quiet: list has no such option (see conntap list --help)',
	'list --dry-run' =>
		'--dry-run: list has no such option (see conntap list --help)',
	'xml --quiet' => '--quiet: xml has no such option (see conntap xml --help)',
	'count --dialect flows' =>
		'--dialect: count has no such option (see conntap count --help)',
	'delete --dialect flows -p tcp' =>
		'--dialect: delete has no such option (see conntap delete --help)',
	'xml --dialect json' =>
		'--dialect: json is not a dialect (conntracks or flows)',
	'delete' => 'delete: no condition was given; say which flows ' .
		'(see conntap delete --help)',

	'list --orig-src 10.0.0.1/8' =>
		'--orig-src: 10.0.0.1/8 has host bits set (the network is 10.0.0.0/8)',
	'list --orig-dst 10.0.0.1/255.0.0.0' => '--orig-dst: 10.0.0.1/255.0.0.0 has ' .
		'host bits set (the network is 10.0.0.0/8)',
	'list --reply-src fd00::1/16' =>
		'--reply-src: fd00::1/16 has host bits set (the network is fd00::/16)',
	'list --reply-dst 10.0.0.0/255.0.255.0' =>
		'--reply-dst: 10.0.0.0/255.0.255.0: the mask has zeros between ' .
		'its ones',
	'list --any-addr 10.0.0.0/33' =>
		'--any-addr: 10.0.0.0/33: the prefix is 0-32 bits long',
	'list --any-addr fd00::/129' =>
		'--any-addr: fd00::/129: the prefix is 0-128 bits long',
	'list -s 10.0.0.0/' => "-s: 10.0.0.0/ $address",
	'list -s fd00::/255.0.0.0' => "-s: fd00::/255.0.0.0 $address",
	'list -d 10.0.0.9-10.0.0.2' => "-d: 10.0.0.9-10.0.0.2 $backwards",
	'list -d fd00::9-fd00::2' => "-d: fd00::9-fd00::2 $backwards",
	'list -r 10.0.0.9-fd00::1' => "-r: 10.0.0.9-fd00::1 $address",
	'list -q 10.0.0' => "-q: 10.0.0 $address",
	'list -q 10.0.0.256' => "-q: 10.0.0.256 $address",
	'list -q example.org' => "-q: example.org $address",
	'list --src=10.0.0.1,' => "--src: '10.0.0.1,' has an empty value",
	'list --dst=' => "--dst: '' has an empty value",
	'list --src-nat=x' => "--src-nat: x $address",
	'list --dnat=10.0.0.1/8' =>
		'--dnat: 10.0.0.1/8 has host bits set (the network is 10.0.0.0/8)',
	'list --any-nat x' => "x: $extra",
	'list --src-nat 192.0.2.1/24' =>
		'--src-nat: 192.0.2.1/24 has host bits set (the network is 192.0.2.0/24)',
	'list --dst-nat 192.0.2.300' => "--dst-nat: 192.0.2.300 $address",
	'list --any-nat fd00::1::2' => "--any-nat: fd00::1::2 $address",
	'delete --mark 00000000000000000000000000000007abcdefg' =>
		"--mark: 00000000000000000000000000000007abcdefg $mark",
	'delete --mark 0000000000000000000000000000000007/1' =>
		"--mark: 0000000000000000000000000000000007/1 $mark",
	map({ +"update -p udp --set-status $_" => "--set-status: $_ cannot be set " .
		'(seen-reply, assured and fixed-timeout can, and stay)' }
		qw(not-assured not-fixed-timeout offload src-nat dying unreplied)),
	'list --sport 70000' => "--sport: 70000 $port",
	'list --dport 65536' => "--dport: 65536 $port",
	'list --dport -1' => "--dport: -1 $port",
	'list --dport 80-' => "--dport: 80- $port",
	'list --dport 80x' => "--dport: 80x $port",
	'list --dport 1-2-3' => "--dport: 1-2-3 $port",
	'list --dport 80-70000' => "--dport: 80-70000 $port",
	'list --dport 90-80' => "--dport: 90-80 $backwards",
	'list --dport nosuchservice' => "--dport: nosuchservice $port",
	'list --dport 80,,90' => "--dport: '80,,90' has an empty value",
	'list --dport 80,x' => "--dport: x $port",
	'list --reply-src-port 0x10000' => "--reply-src-port: 0x10000 $port",
	'list --reply-port-dst x' => "--reply-port-dst: x $port",
	'list --any-port 99999' => "--any-port: 99999 $port",

	'list --family ipx' => '--family: ipx is not a family (ipv4 or ipv6)',
	'list -f 4' => '-f: 4 is not a family (ipv4 or ipv6)',
	'list --protonum 256' => "--protonum: 256 $protocol",
	'list --proto nosuch' => "--proto: nosuch $protocol",
	'list -p 17-6' => "-p: 17-6 $protocol",
	'list -p tcp-udp' => "-p: tcp-udp $protocol",
	'list --icmp-type 256' =>
		'--icmp-type: 256 is not an ICMP type (0-255, or a range like 2-5)',
	'list --icmp-type 9-8' => "--icmp-type: 9-8 $backwards",
	'list --icmp-code x' =>
		'--icmp-code: x is not an ICMP code (0-255, or a range like 2-5)',
	'list --icmp-id 65536' =>
		'--icmp-id: 65536 is not an ICMP id (0-65535, or a range like 2-5)',
	'list --state FOO' => "--state: FOO $state",
	'list --state ESTABLISHED,FOO' => "--state: FOO $state",
	'list --status foo' => "--status: foo $status",
	'list -u assured,foo' => "-u: foo $status",
	'list -u not-' => "-u: not- $status",
	'list --status=' => "--status: '' has an empty value",

	'list --mark x' => "--mark: x $mark",
	'list --mark 4294967296' => "--mark: 4294967296 $mark",
	'list --mark -1' => "--mark: -1 $mark",
	'list -m 7/0x' => "-m: 7/0x $mark",
	'list -m 8/7' => '-m: 8/7: no mark has bits outside of its mask',
	'list --zone 65536' => "--zone: 65536 $zone",
	'list -w x' => "-w: x $zone",
	'list --orig-zone 9-8' => "--orig-zone: 9-8 $backwards",
	'list --reply-zone -1' => "--reply-zone: -1 $zone",
	'list --label 128' => "--label: 128 $label",
	'list -l nosuchlabel' => "-l: nosuchlabel $label",
	'list -l not-128' => "-l: not-128 $label",
	'list --label=' => "--label: '' has an empty value",
	'list --helper=' => "--helper: '' has an empty value",
	'list --helper ' . 'x' x 40 =>
		'--helper: ' . 'x' x 40 . " is not a helper's name (like ftp)",

	'list --min-bytes x' => "--min-bytes: x $amount",
	'list --min-bytes 1KB' => "--min-bytes: 1KB $amount",
	'list --min-bytes 18446744073709551616' =>
		"--min-bytes: 18446744073709551616 $amount",
	'list --max-bytes 99999999999P' => "--max-bytes: 99999999999P $amount",
	'list --min-packets -1' => "--min-packets: -1 $amount",
	'list --max-packets 1.5' => "--max-packets: 1.5 $amount",
	'list --min-age 1x' => "--min-age: 1x $time",
	'list --max-age -1' => "--max-age: -1 $time",
	'list --min-timeout m' => "--min-timeout: m $time",
	'list --max-timeout 30000000000000000w' =>
		"--max-timeout: 30000000000000000w $time",
	# Thirty what?
	'list --max-timeout 1h30' => "--max-timeout: 1h30 $time",

	# Whatever comes later.
	'list --dport x --help' => "--dport: x $port",
	'delete --dport 80 --sport 70000' => "--sport: 70000 $port",
	'list --orig-dst 300.1.1.1 --dport 70000' => "--orig-dst: 300.1.1.1 $address",
);

sub check_command_lines {
	my $size = table_size();

	for (my $i = 0; $i < @bad; $i += 2) {
		my ($words, $expected) = @bad[$i, $i + 1];
		is_deeply([conntap(split ' ', $words)], [2, '', "conntap: $expected\n"],
			"conntap $words");
	}
	is(table_size(), $size, 'and nothing was deleted');
}

sub check_help {
	my ($status, $out, $err) = conntap('--version');
	is("$status $err", '0 ', '--version: status');
	like($out, qr/\Aconntap \d+\.\d+\.\d+\n\z/, '--version');
	is((conntap('-V'))[1], $out, '-V');
	is((conntap('list', '-V'))[1], $out, 'list -V');

	($status, $out, $err) = conntap('--help');
	is("$status $err", '0 ', '--help: status');
	like($out, qr/\AUsage: conntap COMMAND /, '--help');
	like($out, qr/^  \Q$_\E /m, "--help has $_")
		for 'list', 'xml', 'delete', 'count';
	is((conntap('-h'))[1], $out, '-h');
	for my $command ('list', 'xml', 'delete', 'count') {
		($status, $out, $err) = conntap($command, '--help');
		is("$status $err", '0 ', "$command --help: status");
		like($out, qr/\AUsage: conntap $command .*^Conditions: /ms,
			"$command --help");
	}
}

my $cannot = 'conntap: cannot read the connection tracking table:';
my $rights = "$cannot Operation not permitted: run it as root, or with " .
	"CAP_NET_ADMIN\n";
my $full_disk = "conntap: cannot write the output: No space left on device\n";

# As another user, and as root without the capability.
sub check_rights {
	my %who = (nobody => [qw(setpriv --reuid=65534 --regid=65534 --clear-groups)],
		'root without rights' => [qw(setpriv --bounding-set=-net_admin
			--inh-caps=-net_admin)]);

	for my $who (sort keys %who) {
		my @as = @{$who{$who}};
		SKIP: {
			my ($status) = run(@as, program('conntap'), '--version');
			skip("no $who here who can read this directory", 1) if $status;
			for my $words ('list', 'xml', 'xml --dialect flows',
				'delete -p tcp', 'delete -p tcp --dry-run',
				'count -p tcp') {
				is_deeply([run(@as, program('conntap'), split ' ',
					$words)], [1, '', $rights], "$who: $words");
			}
		}
	}
}

# The reader goes away after the first line.
sub check_closed_pipe {
	for my $words ('list', 'xml', 'xml --dialect flows') {
		pipe my $out, my $in or die "pipe: $!\n";
		my $job = start({ stdout => $in }, program('conntap'), split ' ',
			$words);
		close $in;
		my $line = <$out>;
		close $out;
		my ($status, undef, $err) = finish($job);
		ok($line, "$words | head -1: a line");
		is("$status $err", '141 ', "$words | head -1: status, and no message");
		is($job->{signal}, 0, "$words | head -1: it exits");
	}
	for my $words ('count', 'count -p tcp') {
		pipe my $out, my $in or die "pipe: $!\n";
		close $out;
		my ($status, undef, $err) = finish(start({ stdout => $in },
			program('conntap'), split ' ', $words));
		is("$status $err", '141 ', "$words, to nobody");
	}
}

# Nobody is told that all went well with what went nowhere.
sub check_closed_streams {
	for my $words ('list', 'count', 'xml', 'stats', '--version') {
		my ($status, $out, $err) = run('sh', '-c', 'exec "$@" >&-', 'sh',
			program('conntap'), split ' ', $words);
		is("$status $out", '1 ', "$words, without stdout: status");
		like($err, qr/\Aconntap: [^\n]*Bad file descriptor\n\z/,
			"$words, without stdout: why");
	}
}

sub check_full_disk {
	for my $words ('list', 'list -p 200', 'xml', 'xml -p 200',
		'xml --dialect flows', 'count', 'count -p tcp',
		'delete -p tcp --dry-run', '--help', 'list --help', '--version') {
		open my $full, '>', '/dev/full' or die "/dev/full: $!\n";
		my ($status, undef, $err) = finish(start({ stdout => $full },
			program('conntap'), split ' ', $words));
		is($status, 1, "$words >/dev/full: status");
		is($err, $full_disk,
			"$words >/dev/full: why");
	}
}

# conntap with faults of system calls.  The count of "when" is each thread's own.
sub faulty {
	my ($faults, $words) = @_;

	return run('strace', '-f', '-qq', '-o', '/dev/null',
		map({ ('-e', "inject=$_") } split ' ', $faults), program('conntap'),
		split ' ', $words);
}

sub check_faults {
	my ($size) = @_;
	my $dropped = "$cannot No buffer space available: the kernel had to drop " .
		"answers; try again\n";
	my @cases = (
		'socket:error=EPROTONOSUPPORT' =>
			"$cannot Protocol not supported: the " .
			'kernel has no conntrack netlink; as root: modprobe ' .
			"nf_conntrack_netlink\n",
		'sendto:error=EPERM' => $rights,
		'sendto:error=EPERM:when=2' => $rights,
		'bind:error=EACCES' =>
			"$cannot Permission denied: run it as root, or " .
			"with CAP_NET_ADMIN\n",
		'recvfrom:error=ENOBUFS' => $dropped,
		'recvfrom:error=EAGAIN' =>
			"$cannot Connection timed out: the kernel did " .
			"not answer in time; try again\n",
	);

	for my $words ('list', 'xml', 'delete -p tcp', 'count -p tcp') {
		for (my $i = 0; $i < @cases; $i += 2) {
			my ($faults, $expected) = @cases[$i, $i + 1];
			is_deeply([faulty($faults, $words)], [1, '', $expected],
				"$words: $faults");
		}
	}
	check_interrupted($size);
	check_half($size, $dropped);
	check_malformed($size);
	check_half_deleted($size);
	is_deeply([faulty('socket:error=EPROTONOSUPPORT', 'count')], [0, "$size\n", ''],
		'count needs no netlink');
	check_bad_disk($_) for 'list', 'list -o json', 'xml', 'xml --dialect flows';
}

# It fails at once, or later: what is there is the beginning, and never looks whole.  Only
# writes to that file fail: what is said of it on stderr is not in question.
sub check_bad_disk {
	my ($words) = @_;
	my $whole = qr/^(?:Total: |<\/conntracks?>)/m;

	for my $when (1, 2) {
		my $disk = File::Temp->new;
		my $name = "$words: a bad disk, write $when";
		my ($status, undef, $err) = finish(start({ stdout => $disk }, 'strace',
			'-f', '-qq', '-o', '/dev/null', '-P', "$disk", '-e',
			"inject=write:error=EIO:when=$when", program('conntap'),
			split ' ', $words));
		is($status, 1, "$name: status");
		is($err, "conntap: cannot write the output: Input/output error\n",
			"$name: why");
		my $text = slurp("$disk");
		is(length $text > 0, $when > 1, "$name: so much came before");
		unlike($text, $whole, "$name: it does not look whole");
	}
}

# An interrupted call is no error.
sub check_interrupted {
	my ($size) = @_;

	for my $faults ('recvfrom:error=EINTR:when=1+2', 'sendto:error=EINTR:when=1+2',
		'write:error=EINTR:when=1+2') {
		my ($status, $out, $err) = faulty($faults, 'list');
		is("$status $err", '0 ', "list: $faults");
		like($out, qr/^Total: $size connection\(s\)\n\z/m, 'and all is there');
	}
}

# The kernel gives up half-way: what was seen is shown, as what it is.
sub check_half {
	my ($size, $dropped) = @_;
	my $fault = 'recvfrom:error=ENOBUFS:when=5';

	my ($status, $out, $err) = faulty($fault, 'list');
	my $lines = () = $out =~ /^ipv[46] /mg;
	is("$status $err", "1 $dropped", 'half a list: status and why');
	cmp_ok($lines, '>', 0, 'half a list: there are flows');
	cmp_ok($lines, '<', $size, 'half a list: not all');
	like($out, qr/^Total: $lines connection\(s\) so far\n\z/m,
		'half a list: it says so');

	for my $dialect ('conntracks', 'flows') {
		my $since = time;
		($status, $out, $err) = faulty($fault, "xml --dialect $dialect");
		is("$status $err", "1 $dropped", "half of $dialect: status and why");
		my (undef, $totals) = is_document($dialect, $out, "half of $dialect",
			since => $since, head => { table_now() }, early => 1,
			totals => { count => $size });
		cmp_ok($totals->{flows}, '>', 0, "half of $dialect: there are flows");
		cmp_ok($totals->{flows}, '<', $size, "half of $dialect: not all");
	}
	is_deeply([faulty($fault, 'count -p tcp')], [1, '', $dropped],
		'half a count is none');
}

# How long the first message is in the third answer to some thread: only the one that
# reads the table gets as many.
sub length_of_third {
	my $dir = open_dir();
	my @long;

	run(qw(strace -ff -qq -o), "$dir/trace", '-e', 'trace=recvfrom', program('conntap'),
		'xml');
	for my $path (glob "$dir/trace.*") {
		my @answers = grep { /^recvfrom/ } split /\n/, slurp($path);
		push @long, $answers[2] =~ /nlmsg_len=(\d+), [^{}]*_CT_NEW/ if @answers > 2;
	}
	die "there is no third answer, or several: @long\n" if @long != 1;
	return $long[0];
}

# An answer that makes no sense: one flow is missing, and the document says that.
sub check_malformed {
	my ($size) = @_;
	my $why = "conntap: 1 flows could not be read: their messages are malformed\n";
	# A header as it was, then an attribute shorter than its own head.
	my $message = pack 'LSSLL CCn SS', length_of_third(), 0x100, 2, 2, 0, 2, 0, 0, 3, 1;
	my $fault = 'recvfrom:poke_exit=@arg2=' . unpack('H*', $message) . ':when=3';

	for my $dialect ('conntracks', 'flows') {
		my $since = time;
		my ($status, $out, $err) = faulty($fault, "xml --dialect $dialect");
		is("$status $err", "1 $why", "a malformed flow, $dialect: status and why");
		my (undef, $totals) = is_document($dialect, $out,
			"a malformed flow, $dialect", since => $since,
			head => { table_now() },
			totals => { malformed => 1, count => $size });
		is($totals->{flows}, $size - 1, "a malformed flow, $dialect: all others");
		like($out, qr/\n *<!-- 1 flows could not be read -->\n *<totals /,
			"a malformed flow, $dialect: a comment");
	}
}

# The fifth request is the second batch of deletes.
sub check_half_deleted {
	my ($size) = @_;
	my ($status, $out, $err) = faulty('sendto:error=EIO:when=5', 'delete -f ipv4');
	my $lines = () = $out =~ /^Delete: /mg;

	is("$status $err", "1 conntap: cannot delete: Input/output error\n",
		'half a deletion: status and why');
	cmp_ok($lines, '>', 0, 'half a deletion: some are gone');
	is(table_size(), $size - $lines, 'half a deletion: those');
	like($out, qr/^Total: $lines connection\(s\) deleted/m,
		'half a deletion: total');
	run('conntrack', '-F');
	flood('-n', $size);
}

my $traffic = start_traffic('tcp4', 'udp6');
check_command_lines();
check_help();
check_rights();
$traffic = undef;
run('conntrack', '-F');
flood('-n', 5000);
check_closed_pipe();
check_closed_streams();
check_full_disk();
SKIP: {
	my ($status) = run(qw(strace -f -qq -o /dev/null true));
	skip('strace does not work here: no faults of system calls', 1) if $status;
	check_faults(5000);
}

done_testing();
