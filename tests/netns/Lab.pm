# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests in the network of lab.sh:
#
#	use FindBin;
#	use lib "$FindBin::Bin/../netns";
#	use Lab;
#	enter_lab();                    # from here on this script is in the gateway
#	my $traffic = start_traffic();  # ends when $traffic goes away
#	my @flows = conntrack_flows();  # what conntrack(8) sees
#	my ($status, $out, $err) = conntap('list', '--proto', 'tcp');
#
# A flow is a hash:
#
#	family		"ipv4", "ipv6"
#	proto, protonum	"tcp", 6; "unknown", 253
#	timeout, state	absent where the flow has none
#	orig, reply	hashes of src, dst and either sport, dport or type, code, id
#			or srckey, dstkey; packets, bytes unless accounting is off
#	flags		hash of what is set: UNREPLIED, ASSURED, OFFLOAD, HW_OFFLOAD;
#			SRC_NAT and DST_NAT as the tuples show; EXPECTED from
#			conntrack_flows() only
#	mark, use	numbers
#	zone		0 when it has none
#	zone_orig	zone_reply: a zone in one direction only
#	delta		seconds since its start, when timestamps are on
#
# and from conntrack_flows() only:
#
#	id, helper
#	labels		array of names
#	start, stop	seconds since the epoch
package Lab;

use strict;
use warnings;
use feature qw(state);

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Spec ();
use Fcntl qw(F_SETPIPE_SZ);
use File::Basename qw(dirname);
use File::Temp ();
use IO::Handle;
use IO::Select;
use JSON::PP ();
use POSIX qw(_exit);
use Socket qw(AF_INET AF_INET6 inet_ntop inet_pton);
use Test::More ();
use Time::HiRes qw(time);
use Time::Local qw(timelocal);

our @EXPORT = qw(enter_lab lab_has program run must start start_stalled start_listening
	so_far interrupt finish read_rest conntap refused wait_until set_sysctl setting
	start_traffic flood insert_flows conntrack_flows proc_flows parse_flow table_size flow_key
	flow_line kind_flows same_lines fits_schema json_lines);

my $here = dirname(abs_path(__FILE__));
my $patience = 30;
use constant FIONREAD => 0x541b; # sys/ioctl.ph is not everywhere

# Runs this script again inside lab.sh, with those options, or skips it.
sub enter_lab {
	my @options = @_;

	return if ($ENV{CONNTAP_LAB} // '') eq 'gateway';
	my ($status, $out, $err) = run("$here/lab.sh", @options, 'true');
	if ($status == 77) {
		my ($why) = $out =~ /^SKIP: (.*)/;
		Test::More::plan(skip_all => $why // 'no lab');
	}
	Test::More::BAIL_OUT("lab.sh: $err") if $status;
	exec { "$here/lab.sh" } 'lab.sh', @options, $^X, $0, @ARGV
		or die "$here/lab.sh: $!\n";
}

# Whether this kernel gave the lab an optional part, such as "synproxy".
sub lab_has {
	my ($part) = @_;

	return scalar grep { $_ eq $part } split ' ', $ENV{CONNTAP_LAB_HAS} // '';
}

# The path of something in the build directory, good wherever one is.
sub program {
	my ($name) = @_;

	return File::Spec->rel2abs($ENV{CONNTAP_BUILD} // "$here/../../build") . "/$name";
}

sub slurp {
	my ($handle) = @_;

	seek $handle, 0, 0;
	local $/;
	return scalar(<$handle>) // '';
}

# Starts a command without a shell and returns a job.  Its output goes to files, or to
# the handles in the hash: stdout, stderr.
sub start {
	my ($where, @command) = @_;
	my %job = (command => "@command", begun => time);

	$job{$_} = $where->{$_} // ($job{"$_-file"} = File::Temp->new)
		for 'stdout', 'stderr';
	$job{pid} = fork // die "fork: $!\n";
	if ($job{pid} == 0) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>&', $job{stdout};
		open STDERR, '>&', $job{stderr};
		exec { $command[0] } @command
			or print STDERR "$command[0]: $!\n";
		_exit(127);
	}
	return \%job;
}

# Waits for a job: (exit status or 128 + signal, stdout, stderr).  The signal itself is
# in $job->{signal}: a program may also exit with 128 + signal.
sub finish {
	my ($job) = @_;
	my $late = 0;

	local $SIG{ALRM} = sub { $late = kill KILL => $job->{pid} };
	alarm $patience;
	waitpid $job->{pid}, 0;
	my $result = $?;
	alarm 0;
	die "$job->{command}: no end after $patience s\n" if $late;
	$job->{signal} = $result & 127;
	return ($job->{signal} ? 128 + $job->{signal} : $result >> 8,
		map { $job->{"$_-file"} ? slurp($job->{"$_-file"}) : '' }
			'stdout', 'stderr');
}

# Runs a command without a shell: (exit status or 128 + signal, stdout, stderr).
sub run {
	return finish(start({}, @_));
}

# The same, where it has to succeed: stdout.
sub must {
	my ($status, $out, $err) = run(@_);

	die "@_: $err\n" if $status;
	return $out;
}

# Runs conntap with those arguments, likewise.
sub conntap {
	return run(program('conntap'), @_);
}

# Test: conntap ends with that status, prints nothing, and says why in one line.
sub refused {
	my ($expected, $why, @arguments) = @_;
	my ($status, $out, $err) = conntap(@arguments);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	Test::More::is("$status $out", "$expected ", "@arguments: status $expected, no output");
	Test::More::like($err, qr/\Aconntap: [^\n]*$why[^\n]*\n\z/, "@arguments: why");
}

# Starts a command that prints a lot, reads the first bytes and no more.  When this
# returns the command waits for its reader: (job, handle, what was read).
sub start_stalled {
	my @command = @_;

	pipe my $out, my $in or die "pipe: $!\n";
	my $size = fcntl $in, F_SETPIPE_SZ, 65536 or die "F_SETPIPE_SZ: $!\n";
	my $job = start({ stdout => $in }, @command);
	close $in;
	sysread $out, my $text, 4096 or die "@command: nothing to read\n";
	wait_until('a full pipe', sub {
		my $ready = pack 'i', 0;
		ioctl $out, FIONREAD, $ready or die "FIONREAD: $!\n";
		return unpack('i', $ready) == $size &&
			process_state($job->{pid}) eq 'S';
	});
	return ($job, $out, $text);
}

# Starts a command that listens to conntrack's events, and waits until it does: to these
# groups, a bit each: new, update and destroy of flows, then of expectations.
sub start_listening {
	my ($where, $groups, @command) = @_;
	my $job = start($where, @command);

	wait_until("subscription of @command", sub {
		die "@command: it ended: ", so_far($job, 'stderr'), "\n"
			if process_state($job->{pid}) eq 'Z';
		return groups_of($job->{pid}) == $groups;
	});
	return $job;
}

# The groups of netfilter that a process of this network namespace listens to.
sub groups_of {
	my ($pid) = @_;
	my $groups = 0;
	my %sockets = map { (readlink($_) // '') =~ /^socket:\[(\d+)\]/ ? ($1 => 1) : () }
		glob "/proc/$pid/fd/*";

	open my $file, '<', '/proc/net/netlink' or die "/proc/net/netlink: $!\n";
	for my $line (<$file>) {
		my (undef, $family, undef, $bits, @rest) = split ' ', $line;
		$groups |= hex $bits if $family eq '12' && $sockets{$rest[-1]};
	}
	return $groups;
}

# What a running job has written, to 'stdout' unless told otherwise.
sub so_far {
	my ($job, $which) = @_;
	my $name = $job->{($which // 'stdout') . '-file'};

	# Not by the handle: with it, the job would go on writing where we have read.
	open my $file, '<', "$name" or die "$name: $!\n";
	local $/;
	return scalar(<$file>) // '';
}

# Ends a job as Ctrl-C does, and finishes it.
sub interrupt {
	my ($job) = @_;

	kill INT => $job->{pid};
	return finish($job);
}

# As in ps: "S" when it waits.
sub process_state {
	my ($pid) = @_;

	open my $file, '<', "/proc/$pid/stat" or die "/proc/$pid/stat: $!\n";
	return <$file> =~ /\) (\w)/ ? $1 : die "/proc/$pid/stat has no state\n";
}

# What can still be read, behind what was.
sub read_rest {
	my ($handle, $text) = @_;

	1 while sysread $handle, $text, 65536, length $text;
	return $text;
}

# Asks until the answer is true and returns it.
sub wait_until {
	my ($what, $true) = @_;
	my $deadline = time + $patience;
	my $answer;

	until ($answer = $true->()) {
		die "waited for $what in vain, for $patience s\n" if time > $deadline;
		select undef, undef, undef, 0.005;
	}
	return $answer;
}

# set_sysctl('net/netfilter/nf_conntrack_acct', 0), of the gateway.
sub set_sysctl {
	my ($key, $value) = @_;

	open my $file, '>', "/proc/sys/$key" or die "/proc/sys/$key: $!\n";
	print $file $value or die "/proc/sys/$key: $!\n";
	close $file or die "/proc/sys/$key: $!\n";
}

# setting('nf_conntrack_max'), of the gateway's conntrack: a number.
sub setting {
	my ($name) = @_;
	my $path = "/proc/sys/net/netfilter/$name";

	open my $file, '<', $path or die "$path: $!\n";
	return 0 + <$file>;
}

# Starts the traffic of all or of those kinds and waits until it is there.  What cannot
# be done on this kernel is in the hash $traffic->{without}, by kind.  A second run
# needs an empty table (conntrack -F): it uses the ports of the first one again.
sub start_traffic {
	my @kinds = @_;

	pipe my $child_in, my $in or die "pipe: $!\n";
	pipe my $out, my $child_out or die "pipe: $!\n";
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		open STDIN, '<&', $child_in;
		open STDOUT, '>&', $child_out;
		exec { program('tests/traffic') } 'traffic', @kinds
			or die program('tests/traffic'), ": $!\n";
	}
	my $self = bless { pid => $pid, in => $in, without => {} }, 'Lab::Traffic';
	close $child_out;
	my $text = read_until($out, qr/^ready$/m);
	$self->{without}{$1} = $2 while $text =~ /^without (\S+): (.*)/mg;
	return $self;
}

# Reads until the text matches.
sub read_until {
	my ($handle, $pattern) = @_;
	my $deadline = time + $patience;
	my $select = IO::Select->new($handle);
	my $text = '';

	until ($text =~ $pattern) {
		my $left = $deadline - time;
		die "no $pattern in $patience s, only: $text\n"
			unless $left > 0 && $select->can_read($left);
		sysread $handle, $text, 4096, length $text
			or die "it ended without $pattern, only: $text\n";
	}
	return $text;
}

sub Lab::Traffic::DESTROY {
	my ($self) = @_;

	local ($?, $!);
	close $self->{in};
	waitpid $self->{pid}, 0;
}

# Where the flows of a kind of traffic come from: its source port, or ICMP id.
sub kind_source {
	my ($kind) = @_;
	state %sources;

	if (!%sources) {
		my ($status, $out, $err) = run(program('tests/traffic'), '--list');
		die "traffic --list: $err\n" if $status;
		my $port = 40001;
		%sources = map { $_ => $port++ } split ' ', $out;
	}
	return $sources{$kind} // die "no such kind of traffic: $kind\n";
}

# Those of the flows that a kind of traffic made, without those expected from them; only
# for kinds with ports or an ICMP id.
sub kind_flows {
	my ($kind, @flows) = @_;
	my $source = kind_source($kind);

	return grep { ($_->{orig}{sport} // $_->{orig}{id} // 0) == $source } @flows;
}

# What makes a flow the same flow in two listings.
sub flow_key {
	my ($flow) = @_;

	return join ' ', $flow->{family}, $flow->{protonum},
		map({ "$_=" . ($flow->{$_} // '-') } qw(zone zone_orig zone_reply)),
		map({ "$_=$flow->{orig}{$_}" }
			grep { !/^(packets|bytes)$/ } sort keys %{$flow->{orig}});
}

# Makes so many flows by hand in a namespace, from the ports behind that one.
sub insert_flows {
	my ($netns, $port, $count) = @_;

	for my $n (1 .. $count) {
		must('ip', 'netns', 'exec', $netns, qw(conntrack -I -p udp -s 192.0.2.1
			-d 192.0.2.2 --dport 53 -t 600 --sport), $port + $n);
	}
}

# Makes many flows without traffic; the arguments are those of flood.
sub flood {
	my ($status, $out, $err) = run(program('tests/flood'), @_);

	die "flood @_: $err\n" if $status;
}

# How many flows there are, as conntrack(8) counts them.
sub table_size {
	my ($status, $out, $err) = run('conntrack', '-C');

	die "conntrack -C: $err\n" if $status;
	return $out + 0;
}

my %proto_names = (1 => 'icmp', 2 => 'igmp', 4 => 'ipip', 6 => 'tcp', 17 => 'udp',
	33 => 'dccp', 41 => 'ipv6', 47 => 'gre', 50 => 'esp', 51 => 'ah',
	58 => 'icmpv6', 89 => 'ospf', 103 => 'pim', 112 => 'vrrp', 115 => 'l2tp',
	132 => 'sctp', 136 => 'udplite');

sub tuple_text {
	my ($flow, $tuple) = @_;
	my @words = ($flow->{family}, join('->', @$tuple{qw(src dst)}),
		$proto_names{$flow->{protonum}} // $flow->{protonum});

	push @words, join '->', @$tuple{qw(sport dport)} if defined $tuple->{sport};
	return "@words";
}

# The line that conntap prints for a flow.
sub flow_line {
	my ($flow) = @_;
	my $flags = $flow->{flags};
	my @tuples = ($flow->{orig});

	push @tuples, $flow->{reply} if $flags->{SRC_NAT} || $flags->{DST_NAT};
	return join ' => ', map { tuple_text($flow, $_) } @tuples;
}

# Test: the same lines, in any order.  Tells of the first few that are in one only.
sub same_lines {
	my ($got, $expected, $name) = @_;
	my %seen;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$seen{$_}++ for @$got;
	$seen{$_}-- for @$expected;
	my @wrong = grep { $seen{$_} } sort keys %seen;
	Test::More::ok(!@wrong, $name) and return 1;
	my @some = splice @wrong, 0, 6;
	Test::More::diag(sprintf '%+d  %s', $seen{$_}, $_) for @some;
	Test::More::diag('and ' . @wrong . ' more') if @wrong;
	return 0;
}

# Test: the document is well-formed and fits a schema, 'conntracks' or 'flows'.
sub fits_schema {
	my ($schema, $document, $name) = @_;
	my $file = File::Temp->new(SUFFIX => '.xml');

	print $file $document;
	close $file;
	my ($status, undef, $err) = run('xmllint', '--noout', '--relaxng',
		"$here/../../plugins/export/$schema.rng", "$file");
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	Test::More::is($status, 0, "$name: valid") or
		Test::More::diag(substr $err, 0, 1000);
}

# Test: every line is an object.  Returns them.
sub json_lines {
	my ($text, $name) = @_;
	my $json = JSON::PP->new->utf8;
	my @objects = map { eval { $json->decode($_) } } split /\n/, $text;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	Test::More::ok($text =~ /\A(?:\{.*\}\n)*\z/ &&
		@objects == grep({ ref eq 'HASH' } @objects) &&
		@objects == ($text =~ tr/\n//), "$name: an object a line");
	return grep { ref eq 'HASH' } @objects;
}

# All flows as conntrack(8) sees them, sorted.
sub conntrack_flows {
	my $columns = 'extended,id,ktimestamp';

	$columns .= ',labels' if lab_has('connlabel');
	my %flows = map { flow_key($_) => $_ } conntrack_list('-o', $columns);

	# The listing has no column for it.
	for my $found (conntrack_list('-o', 'extended', '-u', 'EXPECTED')) {
		my $flow = $flows{flow_key($found)};
		$flow->{flags}{EXPECTED} = 1 if $flow;
	}
	return map { $flows{$_} } sort keys %flows;
}

sub conntrack_list {
	my @options = @_;
	my @lines;

	for my $family ('ipv4', 'ipv6') {
		my ($status, $out, $err) =
			run('conntrack', '-L', '-f', $family, @options);
		die "conntrack -L @options: $err\n" if $status;
		push @lines, split /\n/, $out;
	}
	return map { parse_flow($_) } @lines;
}

# All flows as /proc/net/nf_conntrack has them, sorted.
sub proc_flows {
	open my $file, '<', '/proc/net/nf_conntrack'
		or die "/proc/net/nf_conntrack: $!\n";
	my %flows = map { flow_key($_) => $_ } map { parse_flow($_) } <$file>;
	return map { $flows{$_} } sort keys %flows;
}

my %months = (Jan => 0, Feb => 1, Mar => 2, Apr => 3, May => 4, Jun => 5, Jul => 6,
	Aug => 7, Sep => 8, Oct => 9, Nov => 10, Dec => 11);

# Sun Nov 22 01:18:53 2026
sub parse_time {
	my ($text) = @_;
	my (undef, $month, $day, $h, $m, $s, $year) = split /[ :]+/, $text;

	return timelocal($s, $m, $h, $day, $months{$month}, $year);
}

sub plain_address {
	my ($text) = @_;
	my $family = $text =~ /:/ ? AF_INET6 : AF_INET;

	return inet_ntop($family, inet_pton($family, $text));
}

# One line of either listing; what the columns mean depends on their place.
sub parse_flow {
	my ($line) = @_;
	my %flow = (flags => {}, zone => 0);

	$flow{$1} = parse_time($2) while $line =~ s/\[(start|stop)=([^\]]*)\]//;
	# GRE in /proc has its two timeouts before the tuple.
	$line =~ s/timeout=\d+, stream_timeout=\d+//;
	my ($family, undef, $proto, $protonum, @words) = split ' ', $line;
	@flow{qw(family proto protonum)} = ($family, $proto, $protonum);
	$flow{timeout} = shift @words if $words[0] =~ /^\d+$/;
	$flow{state} = shift @words if $words[0] =~ /^[A-Z_0-9]+$/;
	for my $word (@words) {
		if ($word =~ /^\[(\w+)\]$/) {
			$flow{flags}{$1} = 1;
		} elsif ($word =~ /^([\w-]+)=(.*)$/) {
			parse_column(\%flow, $1, $2);
		} else {
			die "cannot read \"$word\" in: $line\n";
		}
	}
	plain_dccp(\%flow);
	add_nat(\%flow);
	return \%flow;
}

# conntrack(8) shows ports for a protocol of which this kernel knows the number only.
sub plain_dccp {
	my ($flow) = @_;

	return if $flow->{protonum} != 33 || $flow->{state};
	$flow->{proto} = 'unknown';
	delete @{$_}{qw(sport dport)} for @$flow{qw(orig reply)};
}

# The options -n and -g of conntrack(8) are no help: they take ICMPv6 for translated.
sub add_nat {
	my ($flow) = @_;
	my ($orig, $reply) = @$flow{qw(orig reply)};
	my $there = sub { join ' ', $_[0]{src}, $_[0]{sport} // '' };
	my $back = sub { join ' ', $_[0]{dst}, $_[0]{dport} // '' };

	$flow->{flags}{SRC_NAT} = 1 if $there->($orig) ne $back->($reply);
	$flow->{flags}{DST_NAT} = 1 if $back->($orig) ne $there->($reply);
}

sub parse_column {
	my ($flow, $key, $value) = @_;
	my %flow_columns = ('mark' => 'mark', 'use' => 'use', 'zone' => 'zone',
		'zone-orig' => 'zone_orig', 'zone-reply' => 'zone_reply',
		'helper' => 'helper', 'delta-time' => 'delta', 'secctx' => 'secctx');

	$flow->{$flow->{orig} ? 'reply' : 'orig'} = {} if $key eq 'src';
	my $tuple = $flow->{reply} // $flow->{orig};
	if ($key eq 'src' || $key eq 'dst') {
		$tuple->{$key} = plain_address($value);
	} elsif ($key eq 'labels') {
		$flow->{labels} = [split /,/, $value];
	} elsif ($flow_columns{$key}) {
		$flow->{$flow_columns{$key}} = $value;
	} elsif ($key eq 'id' && (!exists $tuple->{code} || exists $tuple->{id})) {
		$flow->{id} = $value;
	} else {
		$tuple->{$key} = $value;
	}
}

1;
