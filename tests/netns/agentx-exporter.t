#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Prometheus's snmp_exporter with the configuration of contrib/snmp_exporter: it is
# accepted, and what comes out is what the agent says.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use HTTP::Tiny;
use Test::More;

use lib $FindBin::Bin;
use Lab;
use Snmp;

my $exporter = program('daemons/usr/bin/prometheus-snmp-exporter');
$exporter = '/usr/bin/prometheus-snmp-exporter' unless -x $exporter;
plan(skip_all => 'no prometheus-snmp-exporter; to get it: tests/netns/get-daemons.sh ' .
		program('')) unless -x $exporter;

enter_lab();
need_snmp();

my $listen = '127.0.0.1:9116';
my $contrib = "$FindBin::Bin/../../contrib/snmp_exporter";
my $flows = 500;

# The flows are not for "public", which is what a module without words asks with.
sub configuration {
	my $file = File::Temp->new(SUFFIX => '.yml');

	open my $in, '<', "$contrib/snmp.yml" or die "snmp.yml: $!\n";
	while (<$in>) {
		print $file $_;
		print $file "  auth:\n    community: full\n" if /^conntap_flows:/;
	}
	close $file or die "$file: $!\n";
	return $file;
}

sub start_exporter {
	my ($configuration) = @_;
	my $job = start({}, $exporter, "--config.file=$configuration",
		"--web.listen-address=$listen");

	wait_until('the exporter', sub {
		die 'it ended: ', so_far($job, 'stderr')
			if Lab::process_state($job->{pid}) eq 'Z';
		return HTTP::Tiny->new(timeout => 5)->get("http://$listen/")->{success};
	});
	return $job;
}

# ('conntapEntries' => 500, 'conntapTcpState{...}' => ...)
sub scrape {
	my ($module) = @_;
	my $answer = HTTP::Tiny->new(timeout => 30)
		->get("http://$listen/snmp?target=127.0.0.1:1161&module=$module");

	is($answer->{status}, 200, "$module: an answer") or diag($answer->{content});
	return ($answer->{content}, map { /^(conntap\S*) (\S+)$/ ? ($1, $2) : () }
		split /\n/, $answer->{content});
}

sub check_page {
	my ($page) = @_;
	my $promtool = program('prometheus/promtool');

	SKIP: {
		skip('no promtool (tests/netns/get-daemons.sh gets it)', 1) unless -x $promtool;
		my $file = File::Temp->new;
		print $file $page;
		close $file;
		my ($status, undef, $err) = run('sh', '-c',
			"'$promtool' check metrics <'$file'");
		# 3: it has read all, and does not like names, which the MIB gives.
		ok($status == 0 || $status == 3, 'promtool can read it') or diag($err);
	}
}

flood('-n', $flows);
my $snmp = start_snmp();
my $job = start_exporter(configuration());

my ($page, %values) = scrape('conntap');
check_page($page);
for my $name (qw(conntapMaxEntries conntapEntriesIpv4 conntapEntriesIpv6
	conntapEntriesUnreplied conntapSnapshotRows conntapStatsInsert conntapStatsDrop
	conntapUsageHighThreshold)) {
	my ($row) = $snmp->get(oid($name, 0));
	is($values{$name}, $row->[2], $name);
}
my ($tcp) = $snmp->get(oid('conntapProtoEntries', 6));
is($values{'conntapProtoEntries{conntapProtoName="tcp"}'}, $tcp->[2],
	'a protocol by its name');
my @states = grep { /^conntapTcpStateEntries\{/ } keys %values;
is(scalar @states, 10, 'all states of TCP');
like("@states", qr/"established"/, 'by their names');
cmp_ok(scalar keys %values, '>=', 150, 'as many series as the README says');

my (undef, %rows) = scrape('conntap_flows');
my @packets = grep { /^conntapFlowOrigPackets\{/ } keys %rows;
is(scalar @packets, $flows, 'each flow once');
is(scalar(grep { /conntapFlowSrcAddr="(?:10\.|[0-9A-Fa-f:]*:)/ } @packets), $flows,
	'with its address');

interrupt($job);
done_testing();
