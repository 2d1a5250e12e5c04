#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# events --resync: whatever was lost, what it prints leads from the table as it was to
# the table as it is.
use strict;
use warnings;

use FindBin;
use JSON::PP;
use Test::More;

use lib $FindBin::Bin;
use Lab;

enter_lab();

# Groups of events: new and destroy.
my $new_and_destroy = 5;

my $json = JSON::PP->new->canonical;

# What a flow is known by.
sub key {
	my ($flow) = @_;
	my %orig = %{$flow->{orig}};

	delete @orig{qw(packets bytes)};
	return $json->encode([@$flow{qw(family protonum zone)}, \%orig]);
}

sub table {
	my ($status, $out, $err) = conntap('list', '--format', 'json');
	die "conntap list: $err\n" if $status;
	return { map { key($json->decode($_)) => 1 } split /\n/, $out };
}

# The events applied to the table as it was; how often they contradicted it.
sub replay {
	my ($before, $text) = @_;
	my %flows = %$before;
	my $wrong = 0;

	# The last line may still be on its way.
	for my $line ($text =~ /^(.*)\n/mg) {
		my $event = $json->decode($line);
		next if $event->{event} eq 'lost';
		my $key = key($event);
		if ($event->{event} eq 'new') {
			$wrong++ if $flows{$key}++;
		} else {
			$wrong++ unless delete $flows{$key};
		}
	}
	return (\%flows, $wrong);
}

sub same {
	my ($one, $other) = @_;
	return keys %$one == keys %$other && !grep { !$other->{$_} } keys %$one;
}

flood('-n', 700);
my $before = table();
my $job = start_listening({}, $new_and_destroy, program('conntap'), 'events', '--resync',
	'--buffer', '64Ki', '--format', 'json');
wait_until('the first look', sub { Lab::process_state($job->{pid}) eq 'S' });
kill STOP => $job->{pid};
wait_until('a stop', sub { Lab::process_state($job->{pid}) eq 'T' });
flood('-n', 20000, '-f', 1000);
my ($status) = conntap('delete', '--mark', '7', '--quiet');
is($status, 0, 'a seventh is deleted unheard');
my $after = table();
kill CONT => $job->{pid};

my $reached = eval {
	wait_until('the table as it is', sub {
		my ($flows) = replay($before, so_far($job));
		return same($flows, $after);
	});
};
ok($reached, 'what is printed leads to the table as it is') or diag($@);
my (undef, $out, $err) = interrupt($job);
my ($flows, $wrong) = replay($before, $out);
is($wrong, 0, 'no flow comes twice, or goes without having come');
like($out, qr/"lost":\d+/, 'the loss is told');
like($out, qr/"unseen":true/, 'what went unseen is marked');

# With conditions: of flows that are gone, it is told of those that met them when they were
# seen last.
sub check_conditions {
	my @conditions = (['--mark', 7], ['--mark', 0], ['--src-nat'], ['--status', 'snat']);
	run('conntrack', '-F');
	flood('-n', 700, '-f', 40000);
	my @jobs = map { start_listening({}, $new_and_destroy, program('conntap'), 'events',
		'--resync', '--buffer', '64Ki', '-o', 'json', @$_) } @conditions;

	wait_until('the first looks', sub {
		@jobs == grep { Lab::process_state($_->{pid}) eq 'S' } @jobs });
	kill STOP => $_->{pid} for @jobs;
	wait_until('stops', sub { @jobs == grep { Lab::process_state($_->{pid}) eq 'T' } @jobs });
	my %there = map { my @arguments = @$_;
		my ($status, $out, $err) = conntap('list', '-o', 'json', @arguments);
		die "conntap list: $err\n" if $status;
		"@arguments" => join "\n", sort map { key($json->decode($_)) } split /\n/, $out
		} @conditions;
	flood('-n', 20000, '-f', 50000);
	run('conntrack', '-F');
	kill CONT => $_->{pid} for @jobs;
	for my $i (0 .. $#jobs) {
		my $name = "@{$conditions[$i]}";
		my $ended = sub {
			my ($text) = @_;
			my %ended = map { my $event = $json->decode($_);
				$event->{event} eq 'destroy' ? (key($event) => 1) : () }
				$text =~ /^(.*)\n/mg;
			return join "\n", grep { $ended{$_} } split /\n/, $there{$name};
		};
		ok($there{$name}, "$name: there were some");
		ok(eval { wait_until('the ends', sub {
			$ended->(so_far($jobs[$i])) eq $there{$name} }); 1 },
			"$name: the ends of all that were there");
		my (undef, $out) = interrupt($jobs[$i]);
		my %strange = map { $json->decode($_)->{mark} // 0 => 1 }
			grep { !/"unseen"|"lost"/ } split /\n/, $out;
		delete $strange{$name eq '--mark 7' ? 7 : 0};
		is(join(' ', sort keys %strange), '', "$name: and of no others") if $i < 2;
		my %told = map { key($json->decode($_)) => 1 }
			grep { /"destroy"/ } split /\n/, $out;
		my $other = $conditions[1 - $i];
		is(scalar(grep { $told{$_} } split /\n/, $there{"@$other"}), 0,
			"$name: none of those of @$other") if $i < 2;
	}
}
check_conditions();

my ($refused, undef, $why) = conntap('events', '--resync', '--event', 'new', '--for', '1');
is($refused, 2, 'without events of the end there is no resync');
like($why, qr/--resync/, 'and it is said');

done_testing;
