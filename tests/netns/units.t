#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# contrib/systemd: systemd finds no fault with the units, nor much that they may do; and
# their command lines do what they promise, as their user with their one right.
use strict;
use warnings;

use Cwd qw(abs_path);
use Fcntl qw(S_IMODE);
use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Files qw(:DEFAULT unpacked start_service told holds end_service);
use Lab;
use Snmp;

plan(skip_all => 'no systemd-analyze here (Debian: systemd): no unit is tested')
	unless grep { -x "$_/systemd-analyze" } split /:/, $ENV{PATH};
enter_lab();

my $units = abs_path("$FindBin::Bin/../../contrib/systemd");
my $dir = open_dir();
# As installed, and as built: the agent only where Net-SNMP's headers are.
my %built = map { my $built = abs_path(program($_));
	$built && -x $built ? ("/usr/local/sbin/$_" => $built) : () }
	'conntap', 'conntap-agentx';
my ($user, $other) = (65534, 65533);

# The settings of a unit, those that are there several times one after another; an empty
# one forgets those before it.
sub settings {
	my ($text) = @_;
	my %settings;

	for (grep { !/^[#;]/ } split /\n/, $text) {
		my ($name, $value) = /^(\w+)=(.*)$/ or next;
		$settings{$name} = $value eq '' ? [] : [@{$settings{$name} // []}, $value];
	}
	return \%settings;
}

# README.md makes the flow log's unit of conntap-xml.service and this.
sub flow_log {
	my $readme = slurp("$units/README.md");
	my ($changes) = $readme =~ /systemctl edit conntap-flow-log.*?```ini\n(.*?)```/s;

	ok($changes, 'README.md says how the flow log differs') or return;
	return slurp("$units/conntap-xml.service") . "\n$changes";
}

my %texts = map { m{([^/]+)\z} ? ($1 => slurp($_)) : () }
	glob "$units/*.service $units/*.timer";
$texts{'conntap-flow-log.service'} = flow_log();
if (!$built{'/usr/local/sbin/conntap-agentx'}) {
	delete $texts{'conntap-agentx.service'};
	diag('built without conntap-agentx: its unit is not tested');
}

# As installed, but for the program.
for my $name (keys %texts) {
	my $text = $texts{$name} =~ s{^ExecStart=\K(/\S+)}{$built{$1} // $1}gemr;
	spew("$dir/$name", $text);
}

sub check_verify {
	for my $name (sort keys %texts) {
		my ($status, $out, $err) = run('systemd-analyze', 'verify', '--man=no',
			"$dir/$name");
		is("$status $out$err", '0 ', "$name: nothing is wrong");
		my $starts = settings($texts{$name})->{Unit} // next;
		ok($texts{$starts->[0]}, "$name: there is $starts->[0]");
	}
	spew("$dir/wrong.service", "[Service]\nExecStart=/bin/true\nRestrt=no\n");
	my (undef, undef, $err) = run('systemd-analyze', 'verify', '--man=no',
		"$dir/wrong.service");
	like($err, qr/Restrt/, 'what is wrong would be found');
}

# Since systemd 250 it can be asked of files.
sub check_security {
	my (undef, $version) = run('systemd-analyze', '--version');
	return diag('security: not tested, systemd is older than 250')
		unless $version =~ /^systemd (\d+)/ && $1 >= 250;
	my $security = sub { run(qw(systemd-analyze security --offline=true --no-pager),
		@_) };

	for my $name (grep { /\.service$/ } sort keys %texts) {
		my ($status, $out, $err) = $security->('--threshold=20', "$dir/$name");
		my ($exposure) = $out =~ /exposure level for \S+ (\d+\.\d)/;
		is("$status $err", '0 ', "$name: it may do little");
		cmp_ok($exposure // 10, '<', 2, "$name: the exposure is below 2");
		note("$name: ", $exposure // '?');
	}
	my ($status) = $security->('--threshold=5', "$dir/conntap-xml.service");
	isnt($status, 0, 'more than the threshold would be found');
}

# Whoever runs a service can be made.
sub check_sysusers {
	SKIP: {
		skip('no systemd-sysusers here', 2) unless grep { -x "$_/systemd-sysusers" }
			split /:/, $ENV{PATH};
		my $root = open_dir();
		mkdir "$root/etc";
		my ($status, $out, $err) = run('systemd-sysusers', "--root=$root",
			"$units/conntap.sysusers");
		is($status, 0, 'the user is made') or diag($err);
		my ($line) = grep { /^conntap:/ } split /\n/, slurp("$root/etc/passwd") // '';
		like($line // '', qr{:/var/lib/conntap:[^:]*/nologin$}, 'and nobody logs in as him');
	}
	for my $name (grep { /^conntap-(?:xml|flow|agentx).*\.service$/ }
		sort keys %texts) {
		is_deeply(settings($texts{$name})->{User}, ['conntap'], "$name: its user");
	}
}

# What is the same in all of them stays the same.
sub check_alike {
	my %different = map { $_ => 1 } qw(Description Documentation After Type
		ExecStart ExecReload
		Restart RestartSec RestartPreventExitStatus WatchdogSec TimeoutStartSec User
		ReadWritePaths StateDirectory StateDirectoryMode UMask SyslogLevel LogLevelMax
		RestrictAddressFamilies WantedBy);
	my %common = map { my $settings = settings($texts{$_});
		delete @$settings{keys %different}; $_ => $settings } grep { /\.service$/ }
		keys %texts;

	is_deeply($common{$_}, $common{'conntap-metrics.service'},
		"$_: as hard as conntap-metrics.service") for sort keys %common;
}

# How a service starts its program here, in a directory that is the StateDirectory: its
# words, and before them those for its mask, its user, and the one right.
sub command_of {
	my ($name, $state) = @_;
	my $settings = settings($texts{$name});
	my ($line) = @{$settings->{ExecStart}};
	my ($program, @words) = map { s/%%/%/gr =~ s{^/var/lib/conntap/}{$state/}r }
		split / /, $line;

	ok($built{$program}, "$name: $program is a program of ours");
	is_deeply($settings->{$_}, ['CAP_NET_ADMIN'], "$name: $_")
		for 'AmbientCapabilities', 'CapabilityBoundingSet';
	return ('sh', '-c', "umask $settings->{UMask}[0]; exec \"\$@\"", 'sh', 'setpriv',
		"--reuid=$user", "--regid=$user", '--clear-groups', '--no-new-privs',
		(map { "--$_=-all,+net_admin" } qw(inh-caps ambient-caps bounding-set)),
		$built{$program}, @words);
}

sub state_dir {
	my ($name) = @_;
	my $settings = settings($texts{$name});
	my $state = open_dir() . "/$settings->{StateDirectory}[0]";

	mkdir $state;
	chmod oct $settings->{StateDirectoryMode}[0], $state;
	chown $user, $user, $state;
	return $state;
}

# Its owner and its group may read a document, nobody else.
sub check_readers {
	my ($name, $file) = @_;
	my ($mode, $uid, $gid) = (stat $file)[2, 4, 5];
	my @reader = ('setpriv', "--reuid=$other", "--regid=$other");

	is(sprintf('%04o %d:%d', S_IMODE($mode), $uid, $gid), "0640 $user:$user",
		"$name: mode and owner");
	is((run(@reader, "--groups=$user", 'test', '-r', $file))[0], 0,
		"$name: a member of the group reads it");
	isnt((run(@reader, "--groups=$user", 'sh', '-c', "> '$file.new'"))[0], 0,
		"$name: and writes nothing beside it");
	isnt((run(@reader, '--clear-groups', 'test', '-r', $file))[0], 0,
		"$name: others do not");
}

# A document that is whole, with as many flows as there are.
sub check_document {
	my ($name, $text) = @_;

	fits_schema('conntracks', $text, $name);
	like($text, qr/<totals flows="@{[table_size()]}" [^\n]*complete="true"/,
		"$name: it is complete");
}

sub begun {
	my ($file) = @_;

	return (slurp($file) // '') =~ / begun="([\d.]+)"/ ? $1 : 0;
}

sub is_told {
	my ($job, $message) = @_;

	return scalar grep { $_->[1] eq $message } told($job);
}

# systemd tells how often it wants to hear; two minutes is long for a test.
sub check_service {
	my $name = 'conntap-xml.service';
	my $settings = settings($texts{$name});
	my $state = state_dir($name);
	my $file = "$state/flows.xml";
	my $job = start_service({ WATCHDOG_USEC => 1_000_000 }, command_of($name, $state));

	is_deeply($settings->{Type}, ['notify'], "$name: it tells when it is ready");
	ok(holds(sub { is_told($job, 'READY=1') }), "$name: READY=1") or
		diag(so_far($job, 'stderr'));
	is(entries($state), 'flows.xml', "$name: the document is there then");
	check_document($name, slurp($file));
	check_readers($name, $file);
	my %status = slurp("/proc/$job->{pid}/status") =~ /^(Cap\w+|NoNewPrivs):\s*(\w+)$/mg;
	my $right = sprintf '%016x', 1 << 12;
	is_deeply(\%status, { NoNewPrivs => 1,
		map { $_ => $right } qw(CapInh CapPrm CapEff CapBnd CapAmb) },
		"$name: it has the one right");
	ok(holds(sub { is_told($job, 'WATCHDOG=1') }), "$name: WATCHDOG=1");

	my $before = begun($file);
	my @reload = split / /, $settings->{ExecReload}[0] =~ s/\$MAINPID/$job->{pid}/r;
	is((run(@reload))[0], 0, "$name: reload");
	ok(holds(sub { begun($file) > $before }), "$name: a new document by reload");
	my ($status, $out, $err) = end_service($job);
	is("$status $out$err", '0 ', "$name: it ends, and said nothing");
	ok(is_told($job, 'STOPPING=1'), "$name: STOPPING=1");
	is(entries($state), 'flows.xml', "$name: nothing is left but the document");

	my ($usage) = run(command_of($name, $state), '--no-such-option');
	is_deeply($settings->{RestartPreventExitStatus}, [$usage],
		"$name: wrong options are not tried again");
}

sub check_once {
	my $name = 'conntap-xml-once.service';
	my $state = state_dir($name);
	my @command = command_of($name, $state);

	is(join(' ', run(@command)), '0  ', "$name: it ends, and says nothing");
	check_document($name, slurp("$state/flows.xml"));
	check_readers($name, "$state/flows.xml");
	chmod 0500, $state;
	my ($status, undef, $err) = run(@command);
	is($status, 1, "$name: what cannot be written is a failure");
	like($err, qr/Permission denied/, "$name: and why");
}

# The period is shorter here than in the unit.
sub check_flow_log {
	my $name = 'conntap-flow-log.service';
	my $state = state_dir($name);
	my @command = map { s/^10m$/1s/r } command_of($name, $state);
	my $job = start_service({}, @command);
	my $flows = 10;

	ok(holds(sub { is_told($job, 'READY=1') }), "$name: READY=1") or
		diag(so_far($job, 'stderr'));
	flood('-n', $flows);
	run('conntrack', '-F');
	my $sum = sub {
		my $sum = 0;
		$sum += unpacked(slurp($_)) =~ /<totals events="(\d+)"/ ? $1 : 0
			for glob "$state/*.xml.zst";
		return $sum;
	};
	ok(holds(sub { $sum->() >= $flows }), "$name: the flows that ended") or
		diag(entries($state), so_far($job, 'stderr'));
	like(entries($state), qr/^ended-\d{8}T\d{6}\.xml\.zst\b/, "$name: its files' names");
	check_readers($name, (glob "$state/*.zst")[0]);
	is((end_service($job))[0], 0, "$name: it ends");
}

# The example for snmpd lets the user in; nobody else but root may use the socket.
sub perms_of_example {
	my $example = slurp("$FindBin::Bin/../../plugins/agentx/snmpd.conf.example");
	my ($line) = $example =~ /^(agentXPerms .*)$/m;

	like($line // '', qr/ conntap conntap$/,
		'snmpd.conf.example: the socket is for conntap');
	return ($line // '') =~ s/ conntap conntap$/ $user $user/r . "\n";
}

# It may start before snmpd, and lives on without.
sub check_agent {
	my $name = 'conntap-agentx.service';
	my $settings = settings($texts{$name} // return);
	my @command = command_of($name, '');

	is_deeply($settings->{Type}, ['exec'], "$name: it does not tell how it is");
	unlike($texts{$name}, qr/^(?:Requires|BindsTo)=/m, "$name: snmpd is not needed");
	my ($usage) = run(@command, '--no-such-option');
	is_deeply($settings->{RestartPreventExitStatus}, [$usage],
		"$name: wrong options are not tried again");
	# Snmp adds these two.
	my ($program, $option) = splice @command, -2;
	is(abs_path($program) . " $option",
		abs_path(program('conntap-agentx')) . ' --foreground',
		"$name: in the foreground");
	SKIP: {
		skip('no snmpd here', 1) unless Snmp::snmp_daemon('snmpd');
		check_agent_runs($name, @command);
	}
}

sub check_agent_runs {
	my ($name, @command) = @_;
	my $snmp = start_snmp(before => \@command, snmpd => 0,
		config => perms_of_example());

	ok(holds(sub { $snmp->log =~ /cannot reach the master agent/ }),
		"$name: without snmpd it says so");
	$snmp->start_snmpd;
	$snmp->wait_for_agent;
	is($snmp->value('conntapEntries', 0), table_size(), "$name: it answers");
	ok(scalar $snmp->walk(oid('conntapFlowMark')), "$name: it has the flows");
	my $status = slurp("/proc/$snmp->{agent}{pid}/status");
	my %status = $status =~ /^(Cap\w+|NoNewPrivs):\s*(\w+)$/mg;
	my $right = sprintf '%016x', 1 << 12;
	is_deeply(\%status, { NoNewPrivs => 1,
		map { $_ => $right } qw(CapInh CapPrm CapEff CapBnd CapAmb) },
		"$name: it has the one right");
	my @reader = ('setpriv', "--reuid=$other", "--regid=$other", "--groups=$user");
	isnt((run(@reader, 'test', '-w', $snmp->{address} =~ s/^unix://r))[0], 0,
		"$name: its group may not use the socket");
	my $known = qr/^.*(?:cannot reach|connected to) the master agent.*\n/m;
	is($snmp->log =~ s/$known//gr, '', "$name: it says nothing else");
	is(($snmp->stop('agent'))[1], 0, "$name: it ends");
}

check_verify();
check_security();
check_sysusers();
check_alike();
my $traffic = start_traffic('tcp4', 'udp4');
SKIP: {
	skip('no other users here', 1)
		if (run('setpriv', "--reuid=$user", "--regid=$user", '--clear-groups', 'true'))[0];
	check_service();
	check_once();
	check_agent();
	$traffic = undef;
	check_flow_log();
}

done_testing();
