# SPDX-License-Identifier: GPL-2.0-or-later
#
# A real snmpd with our agent behind it, for tests in the network of lab.sh:
#
#	use Snmp;
#	need_snmp();			# or the test is skipped
#	my $snmp = start_snmp(options => ['--allow-delete']);
#	my @rows = $snmp->walk(oid('conntapFlowMark'));	# [oid, type, value], ...
#	my ($row) = $snmp->get(oid('conntapEntries', 0));
#	my $answer = $snmp->set([oid('conntapFlowMark', @index), 'gauge', 7]);
#	my @named = $snmp->named('snmpwalk', [], 'conntapFlowState');
#
# What start_snmp takes: options, the agent's own; before, a command that is put before
# the agent's; contexts, names of namespaces; snmpd => 0 or agent => 0 for not yet;
# base, the agent's OID; trapd => 1 for a receiver of notifications; config, more lines
# for snmpd; instead, a whole configuration without addresses, to be used as it is.  All
# that is started ends with the object.
#
# Communities: "public" reads all but the flow and the expectation table, "full" reads
# all, "cutter" writes conntapFlowAction only, "secret" writes all; "in-NAME" and
# "cut-NAME" are "full" and "secret" of the context NAME.  Users of version 3:
# "operator" (authPriv) as secret, "auditor" (authNoPriv) as public.
#
# get, next, bulk, walk and set are a client of our own, as there are thousands of
# questions: a process for each would take minutes.
package Snmp;

use strict;
use warnings;
use feature qw(state);

use Exporter qw(import);
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use Socket qw(AF_INET AF_INET6 inet_pton);
use Test::More ();
use Time::HiRes qw(time);
use Time::Local ();

use Ber;
use Lab;

our @EXPORT = qw(need_snmp start_snmp oid names_below flow_index compare_oids
	date_and_time);

my $port = 1161;
my $trap_port = 1162;
# With the root that the agent has.
my $mibs = program('mibs');

# Its place: got for the tests, or the system's.
sub snmp_daemon {
	my ($name) = @_;
	my ($path) = grep { -x } program("daemons/usr/sbin/$name"), "/usr/sbin/$name";

	return $path;
}

# Where the IETF's modules are.
sub mib_dirs {
	my ($of_erlang) = glob program('daemons/usr/lib/erlang/lib/snmp-*/mibs');

	return grep { defined && -d } $mibs, $of_erlang,
		</usr/lib/erlang/lib/snmp-*/mibs>, '/usr/share/snmp/mibs/ietf',
		'/var/lib/mibs/ietf', '/usr/share/snmp/mibs';
}

# Skips the test where there is nothing to test, or nothing to test it with.
sub need_snmp {
	my @daemons = @_ ? @_ : 'snmpd';
	my $skip = sub { Test::More::plan(skip_all => $_[0]) };
	my $get = 'to get it: tests/netns/get-daemons.sh ' . program('');

	$skip->('built without conntap-agentx') unless -x program('conntap-agentx');
	$skip->("no $mibs/CONNTAP-MIB.txt") unless -e "$mibs/CONNTAP-MIB.txt";
	for my $name (@daemons) {
		$skip->("no $name; $get") unless snmp_daemon($name);
	}
	$skip->('no snmpwalk here') if (run('snmpwalk', '-V'))[0];
	$skip->("no modules of the IETF; $get")
		unless grep { glob "$_/INET-ADDRESS-MIB*" } mib_dirs();
}

# Names and numbers, by the MIB.

sub mib_numbers {
	state %numbers;

	return \%numbers if %numbers;
	local %ENV = (%ENV, tool_environment());
	my ($status, $out, $err) = run(qw(snmptranslate -Tl));
	die "snmptranslate: $err\n" if $status;
	for my $line (split /\n/, $out) {
		my ($name) = $line =~ /\.(conntap\w*)\(\d+\)$/ or next;
		$numbers{$name} = join '.', $line =~ /\((\d+)\)/g;
	}
	die "the MIB has no conntap: $err\n" unless $numbers{conntap};
	return \%numbers;
}

# oid('conntapEntries', 0)
sub oid {
	my ($name, @index) = @_;
	my $oid = mib_numbers()->{$name} // die "the MIB has no $name\n";

	return join '.', $oid, @index;
}

# The names of what stands directly below, in order: columns, scalars.
sub names_below {
	my ($name) = @_;
	my $numbers = mib_numbers();
	my $parent = oid($name);

	return sort { compare_oids($numbers->{$a}, $numbers->{$b}) }
		grep { $numbers->{$_} =~ /\A\Q$parent\E\.\d+\z/ } keys %$numbers;
}

sub compare_oids {
	my ($first, $second) = @_;

	return pack('N*', split /\./, $first) cmp pack('N*', split /\./, $second);
}

sub address_index {
	my ($address) = @_;
	my $v6 = $address =~ /:/;
	my @octets = unpack 'C*', inet_pton($v6 ? AF_INET6 : AF_INET, $address);

	return ($v6 ? 2 : 1, scalar @octets, @octets);
}

# What the last two numbers of the index are.
sub index_ports {
	my ($tuple) = @_;

	return ($tuple->{id}, $tuple->{type} << 8 | $tuple->{code})
		if defined $tuple->{type};
	return map { hex } @$tuple{qw(srckey dstkey)} if defined $tuple->{srckey};
	return ($tuple->{sport} // 0, $tuple->{dport} // 0);
}

# The index of one of Lab's flows, as numbers.
sub flow_index {
	my ($flow) = @_;
	my $orig = $flow->{orig};

	return ($flow->{zone} || $flow->{zone_orig} || 0, $flow->{protonum},
		address_index($orig->{src}), address_index($orig->{dst}),
		index_ports($orig));
}

# Seconds since the epoch, of a DateAndTime.
sub date_and_time {
	my ($octets) = @_;
	my ($year, $month, $day, $h, $m, $s, $tenths, $sign, $zh, $zm) =
		unpack 'n C6 a C C', $octets;
	my $seconds = Time::Local::timegm($s, $m, $h, $day, $month - 1, $year);
	my $offset = length $octets > 8 ? 3600 * $zh + 60 * $zm : 0;

	return $seconds + $tenths / 10 - (($sign // '') eq '-' ? -$offset : $offset);
}

# The client.

# Asks once and waits: {error, index, vars}, or undef where nobody answers in time.
sub ask {
	my ($self, $community, $pdu, $first, $second, @vars) = @_;
	my $socket = $self->{socket} //= IO::Socket::INET->new(Proto => 'udp',
		PeerAddr => "127.0.0.1:$port") // die "no socket: $!\n";
	my $id = ++$self->{request};
	my $deadline = time + $self->{patience};

	send $socket, ber_message($community, $pdu, $id, $first, $second, @vars), 0
		or return undef;
	while ((my $left = $deadline - time) > 0) {
		next unless IO::Select->new($socket)->can_read($left);
		# Nobody there: an error of what was sent before.
		defined recv $socket, my $bytes, 65536, 0 or return undef;
		my ($of, $error, $index, @got) = ber_answer($bytes);
		return { error => $error, index => $index, vars => \@got }
			if $of == $id;
	}
	return undef;
}

# What get, next and bulk share: the values, or it is a fault.
sub ask_values {
	my ($self, $pdu, $first, $second, @oids) = @_;
	my %how = ref $oids[0] ? %{shift @oids} : ();
	my $answer = $self->ask($how{community} // 'full', $pdu, $first, $second,
		map { [$_, 'null'] } @oids) or die "snmpd did not answer $pdu @oids\n";

	$self->{error} = $answer->{error};
	die "$pdu @oids: $answer->{error} at $answer->{index}\n"
		if $answer->{error} ne 'noError';
	return @{$answer->{vars}};
}

# get(OIDS...), next(OIDS...), bulk(repetitions, OIDS...); before the OIDs may stand
# { community => NAME }.
sub get {
	my ($self, @oids) = @_;

	return $self->ask_values('get', 0, 0, @oids);
}

sub next {
	my ($self, @oids) = @_;

	return $self->ask_values('next', 0, 0, @oids);
}

sub bulk {
	my ($self, $repetitions, @oids) = @_;

	return $self->ask_values('bulk', 0, $repetitions, @oids);
}

# One value; undef where there is none.
sub value {
	my ($self, @of) = @_;
	my ($row) = $self->get(ref $of[0] ? shift @of : (), oid(@of));

	return $row->[1] =~ /^(?:noSuch|endOf)/ ? undef : $row->[2];
}

# All that is below, by GETBULK.  Dies when the names do not grow.
sub walk {
	my ($self, @of) = @_;
	my @how = ref $of[0] ? shift @of : ();
	my $root = $of[0];
	my ($last, @rows) = ($root);

	while (1) {
		for my $row ($self->bulk(60, @how, $last)) {
			return @rows if $row->[0] !~ /\A\Q$root\E\./ ||
				$row->[1] eq 'endOfMibView';
			die "$row->[0] after $last\n"
				if compare_oids($row->[0], $last) <= 0;
			$last = $row->[0];
			push @rows, $row;
		}
	}
}

# Likewise, index => value.
sub column {
	my ($self, @of) = @_;
	my @how = ref $of[0] ? shift @of : ();
	my $root = oid(@of);

	return map { (substr($_->[0], 1 + length $root) => $_->[2]) }
		$self->walk(@how, $root);
}

# set([oid, type, value], ...): {error, index}.
sub set {
	my ($self, @vars) = @_;
	my %how = ref $vars[0] eq 'HASH' ? %{shift @vars} : ();
	my $answer = $self->ask($how{community} // 'secret', 'set', 0, 0, @vars)
		or die "snmpd did not answer set\n";

	return $answer;
}

# The daemons.

sub tool_environment {
	my ($self) = @_;
	state $nowhere = File::Temp->newdir;
	my $dir = $self ? $self->{dir} : $nowhere;

	# Of /etc/snmp/snmp.conf, nothing.
	return (MIBS => 'CONNTAP-MIB:SNMPv2-MIB', MIBDIRS => join(':', mib_dirs()),
		SNMPCONFPATH => "$dir", SNMP_PERSISTENT_DIR => "$dir/persistent");
}

sub context_lines {
	my ($name) = @_;

	return map { "$_\n" } "com2sec -Cn $name reader default in-$name",
		"com2sec -Cn $name writer default cut-$name";
}

# Views hold whatever the context is.  Ours begins where the agent's OID does.
sub our_config {
	my ($self, %how) = @_;
	my $base = $self->{base};

	return <<"END", map({ context_lines($_) } @{$how{contexts} // []}),
master agentx
agentXPerms 0777 0755
agentXTimeout 5
agentXRetries 0
maxGetbulkResponses 100
dontLogTCPWrappersConnects yes
sysLocation lab
sysContact nobody
view all included .1
view basic included .1
view basic excluded .$base.1.3
view action included .$base.1.3.1.1.28
com2sec guest default public
com2sec reader default full
com2sec cutter default cutter
com2sec writer default secret
group guests v2c guest
group readers v2c reader
group cutters v2c cutter
group writers v2c writer
group guests usm auditor
group writers usm operator
access guests "" any noauth prefix basic none none
access readers "" any noauth prefix all none none
access cutters "" any noauth prefix all action none
access writers "" any noauth prefix all all none
createUser operator SHA "the operator's secret" AES "a secret between us"
createUser auditor SHA "the auditor's secret"
END
		$how{trapd} ? "trap2sink 127.0.0.1:$trap_port public\n" : (),
		$how{config} // '';
}

sub write_config {
	my ($self, %how) = @_;

	open my $file, '>', "$self->{dir}/snmpd.conf" or die "snmpd.conf: $!\n";
	print $file "agentAddress udp:127.0.0.1:$port\n",
		"agentXSocket $self->{address}\n",
		$how{instead} // $self->our_config(%how);
	close $file or die "snmpd.conf: $!\n";
}

# The arguments of tools that make them the user.
sub as_user {
	my ($name) = @_;

	my @auth = (qw(-v3 -a SHA -u), $name, '-A', "the ${name}'s secret");

	return $name eq 'operator' ?
		(@auth, qw(-l authPriv -x AES -X), 'a secret between us') :
		(@auth, qw(-l authNoPriv));
}

# Who asks is no traffic.
sub quiet_loopback {
	state $done;

	return if $done++;
	my ($status, undef, $err) = run('nft', 'add table inet quiet_snmp; ' .
		'add chain inet quiet_snmp output ' .
		'{ type filter hook output priority raw; }; ' .
		'add rule inet quiet_snmp output oif lo notrack');
	die "nft: $err\n" if $status;
}

sub start_snmp {
	my %how = @_;
	my $dir = File::Temp->newdir;
	my $self = bless { dir => $dir, how => \%how, patience => 15, request => 0,
		base => $how{base} // oid('conntap'),
		address => $how{address} // "unix:$dir/master" }, 'Snmp';

	chmod 0755, "$dir";
	mkdir "$dir/persistent";
	quiet_loopback();
	$self->write_config(%how);
	$self->start_trapd if $how{trapd};
	$self->start_snmpd unless defined $how{snmpd} && !$how{snmpd};
	if (!defined $how{agent} || $how{agent}) {
		$self->start_agent(@{$how{options} // []});
		$self->wait_for_agent if $self->{snmpd};
	}
	return $self;
}

# Dies, with what it said, when a job has ended.
sub must_run {
	my ($job, $name) = @_;

	die "$name ended: ", so_far($job, 'stderr'), "\n"
		if Lab::process_state($job->{pid}) eq 'Z';
}

sub start_snmpd {
	my ($self) = @_;

	# After one that was killed.
	unlink "$self->{dir}/master";
	{
		local %ENV = (%ENV, $self->tool_environment, MIBS => '');
		$self->{snmpd} = start({}, snmp_daemon('snmpd'), '-f', '-C', '-c',
			"$self->{dir}/snmpd.conf", '-Lf', "$self->{dir}/snmpd.log");
	}
	local $self->{patience} = 0.2;
	wait_until('snmpd', sub {
		eval { must_run($self->{snmpd}, 'snmpd'); 1 }
			or die $@, $self->snmpd_log;
		$self->ask('full', 'get', 0, 0, ['1.3.6.1.2.1.1.3.0', 'null']);
	});
}

sub start_trapd {
	my ($self) = @_;

	open my $file, '>', "$self->{dir}/snmptrapd.conf" or die "snmptrapd.conf: $!\n";
	print $file "disableAuthorization yes\nformat2 trap\\t%v\\n\n";
	close $file or die "snmptrapd.conf: $!\n";
	local %ENV = (%ENV, $self->tool_environment);
	$self->{trapd} = start({}, snmp_daemon('snmptrapd'), '-f', '-n', '-C', '-c',
		"$self->{dir}/snmptrapd.conf", '-Lo', '-OQeU', "127.0.0.1:$trap_port");
	wait_until('snmptrapd', sub {
		must_run($self->{trapd}, 'snmptrapd');
		return port_is_taken($trap_port);
	});
}

sub port_is_taken {
	my ($number) = @_;
	my $hex = sprintf ':%04X', $number;

	open my $file, '<', '/proc/net/udp' or die "/proc/net/udp: $!\n";
	return scalar grep { (split)[1] =~ /$hex\z/ } <$file>;
}

# The notifications of ours so far: hashes of their name, and of their objects' values.
sub traps {
	my ($self) = @_;
	my @traps;

	for my $line (grep { /^trap\t/ } split /\n/, so_far($self->{trapd})) {
		my (undef, @vars) = split /\t/, $line;
		my %trap = map { /^(\S+) = "?(.*?)"?$/ ? ($1 => $2) : () } @vars;
		my ($kind) = map { $trap{$_} } grep { /snmpTrapOID/ } keys %trap;
		push @traps, { of => $1, %trap }
			if ($kind // '') =~ /CONNTAP-MIB::(\w+)/;
	}
	return @traps;
}

sub agent_command {
	my ($self, @options) = @_;

	return (@{$self->{how}{before} // []}, program('conntap-agentx'),
		'--foreground', '--agentx-socket', $self->{address},
		qw(--config /dev/null --ping-interval 1), @options);
}

sub start_agent {
	my ($self, @options) = @_;

	$self->{options} = \@options;
	$self->{agent} = start({}, $self->agent_command(@options));
}

# Until its objects are there; how many seconds that took.
sub wait_for_agent {
	my ($self, %how) = @_;
	my $begun = time;

	local $self->{patience} = 2;
	wait_until('the agent', sub {
		eval { must_run($self->{agent}, 'conntap-agentx'); 1 }
			or die $@, $self->log, "\n";
		return $self->answers($how{community});
	});
	return time - $begun;
}

# All of them: they are registered one after another, the expectations last.  Of what
# nobody has registered, snmpd says that there is no such object.
sub answers {
	my ($self, $community) = @_;
	my $usual = oid('conntap');
	my @oids = map { s/\A\Q$usual\E/$self->{base}/r } oid('conntapEntries', 0),
		oid('conntapNotificationsEnabled', 0), oid('conntapExpectClass', 0);
	my $answer = $self->ask($community // 'full', 'get', 0, 0,
		map { [$_, 'null'] } @oids);
	my $last = "@{$self->{options}}" =~ /--no-flow-table/ ? 'noSuchObject' :
		'noSuchInstance';

	return $answer && $answer->{error} eq 'noError' &&
		join(' ', map { $_->[1] } @{$answer->{vars}}) eq "gauge integer $last";
}

# What the agent has logged.
sub log {
	my ($self) = @_;

	return so_far($self->{agent}, 'stderr');
}

sub snmpd_log {
	my ($self) = @_;

	open my $file, '<', "$self->{dir}/snmpd.log" or return '';
	local $/;
	return scalar(<$file>) // '';
}

# Ends "agent", "snmpd" or "trapd": (seconds, exit status, stdout, stderr).
sub stop {
	my ($self, $which, $signal) = @_;
	my $job = delete $self->{$which};
	my $begun = time;

	kill $signal // 'TERM', $job->{pid};
	kill CONT => $job->{pid};
	my @end = finish($job);
	return (time - $begun, @end);
}

sub DESTROY {
	my ($self) = @_;

	local ($?, $!, $@);
	for my $which (grep { $self->{$_} } qw(agent snmpd trapd)) {
		my $pid = $self->{$which}{pid};
		eval { $self->stop($which); 1 } or kill KILL => $pid;
	}
}

# The tools of Net-SNMP.

# (status, stdout, stderr) of a tool; without a version among the options, it is "full"
# that asks.
sub tool {
	my ($self, $tool, $options, @names) = @_;
	my @who = grep({ /^-v/ } @$options) ? () :
		grep({ $_ eq '-c' } @$options) ? '-v2c' : qw(-v2c -c full);

	local %ENV = (%ENV, $self->tool_environment);
	return run($tool, @who, qw(-t 15 -r 0 -OU), @$options,
		"127.0.0.1:$port", @names);
}

# Its rows: [name, type, value].  What else it said is in $self->{said}, how it ended in
# $self->{status}.
sub named {
	my ($self, @call) = @_;
	my ($status, $out, $err) = $self->tool(@call);
	my @rows;

	$self->{said} = $err;
	$self->{status} = $status;
	for my $line (split /\n/, $out) {
		if ($line =~ /^(\S.*?) = (?:([A-Z][\w-]*(?: ?[\w-]+)?): ?)?(.*)$/) {
			push @rows, [$1, $2 // '', $3];
		} elsif (@rows && $rows[-1][1] =~ /STRING/) {
			# Strings in hexadecimal have 16 octets a line.
			$rows[-1][2] .= " $line";
		} else {
			$self->{said} .= "$line\n";
		}
	}
	return @rows;
}

1;
