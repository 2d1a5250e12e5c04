#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is made of the plugin's values: a real collectd, a real Prometheus that scrapes
# it, the rules of contrib/prometheus in that, and every query of the dashboard in
# contrib/grafana.  Each expression must find something.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use HTTP::Tiny;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);

use lib $FindBin::Bin;
use Lab;
use Collectd;

enter_lab();
need_collectd();
for my $name ('prometheus', 'promtool') {
	plan(skip_all => "no $name; to get it: tests/netns/get-daemons.sh " .
		program('')) unless -x program("prometheus/$name");
}

my $contrib = "$FindBin::Bin/../../contrib";
my $rules = "$contrib/prometheus/conntap.rules.yml";
my $server = '127.0.0.1:9090';
my $json = JSON::PP->new->utf8;
# What Grafana would put in for a graph of half a minute.
my %spans = ('__rate_interval' => '10s', '__interval' => '1s', '__range' => '30s');

my $configuration = <<'END';
Table true
Events true
Nat "auto"
Netns "all"
Mark "0x1" "one"
<Match "web">
	Proto "tcp"
	DPort "7000-7999"
</Match>
END

sub slurp {
	my ($path) = @_;

	open my $file, '<', $path or die "$path: $!\n";
	local $/;
	return scalar <$file>;
}

# By promtool, which needs no server.
sub check_files {
	my $tool = program('prometheus/promtool');

	for (['check', 'rules', $rules],
		['check', 'config', "$contrib/prometheus/prometheus.yml"],
		['test', 'rules', "$contrib/prometheus/conntap.rules.test.yml"]) {
		my ($status, $out, $err) = run($tool, @$_);
		is($status, 0, "promtool @$_[0, 1]: $_->[2]") or diag("$out$err");
	}
}

# Prometheus itself.

my $prometheus;

sub start_prometheus {
	my ($dir) = @_;

	open my $file, '>', "$dir/prometheus.yml" or die "$dir/prometheus.yml: $!\n";
	print $file <<"END";
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files:
  - $dir/conntap.rules.yml
scrape_configs:
  - job_name: collectd
    honor_labels: true
    static_configs:
      - targets: ['127.0.0.1:9103']
END
	close $file or die "$dir/prometheus.yml: $!\n";
	must('cp', $rules, $dir);
	$prometheus = start({}, program('prometheus/prometheus'),
		"--config.file=$dir/prometheus.yml", "--storage.tsdb.path=$dir/data",
		"--web.listen-address=$server", '--log.level=warn');
	wait_until('prometheus', sub {
		die 'prometheus ended: ', so_far($prometheus, 'stderr')
			if Lab::process_state($prometheus->{pid}) eq 'Z';
		return HTTP::Tiny->new(timeout => 5)->get("http://$server/-/ready")->{success};
	});
}

sub stop_prometheus {
	my $job = $prometheus or return;

	$prometheus = undef;
	kill TERM => $job->{pid};
	return (finish($job))[0];
}

END {
	local $?;
	eval { stop_prometheus() };
}

# What the server answers: its data, or dies with its error.
sub ask {
	my ($path, %fields) = @_;
	my $answer = HTTP::Tiny->new(timeout => 20)->post_form(
		"http://$server/api/v1/$path", \%fields);
	my $document = eval { $json->decode($answer->{content}) }
		or die "$path: $answer->{status} $answer->{content}\n";

	die "$document->{error}\n" if $document->{status} ne 'success';
	return $document->{data};
}

sub instant {
	my ($query) = @_;

	return ask('query', query => $query)->{result};
}

# The only value of a query.
sub value_of {
	my ($query) = @_;
	my $result = instant($query);

	return @$result == 1 ? $result->[0]{value}[1] : undef;
}

sub range {
	my ($query) = @_;
	my $now = time;

	return ask('query_range', query => $query, start => $now - 5, end => $now,
		step => 1)->{result};
}

# Test: there is data, and numbers among it.
sub finds {
	my ($ask, $query, $name) = @_;
	my $result = eval { $ask->($query) };
	my @numbers = grep { !/NaN/ } map { $_->[1] }
		map { $_->{value} // @{$_->{values}} } @{$result // []};

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(@numbers, $name) or
		diag("$query\n", $@ || (@{$result // []} ? 'not a number' : 'nothing'));
}

# Rules: those that record must have recorded; of those that alert, what is compared.

sub compared {
	my ($query) = @_;

	return map { s/\s+(?:[<>]=?|==)\s+[\d.]+\s*\z//r } split / (?:unless|and) /, $query;
}

sub check_rules {
	my @rules = map { @{$_->{rules}} } @{rules_of_server()->{groups}};
	my ($recording, $alerting) = (0, 0);

	for my $rule (@rules) {
		is($rule->{lastError} // '', '', "$rule->{name}: no error");
		finds(\&instant, $_, "$rule->{name}: data") for compared($rule->{query});
		if ($rule->{type} eq 'recording') {
			$recording++;
			finds(\&instant, $rule->{name}, "$rule->{name}: recorded");
			next;
		}
		$alerting++;
		unlike(join(' ', compared($rule->{query})), qr/[<>]|==/,
			"$rule->{name}: the comparison could be taken off");
	}
	my $text = slurp($rules);
	is($recording, () = $text =~ /^\s*- record:/mg, 'all that is recorded');
	is($alerting, () = $text =~ /^\s*- alert:/mg, 'all alerts');
	is_deeply([map { "$_->{labels}{alertname}" } @{ask_get('alerts')->{alerts}}], [],
		'nothing to alert on');
}

sub ask_get {
	my ($path) = @_;
	my $answer = HTTP::Tiny->new(timeout => 20)->get("http://$server/api/v1/$path");

	return $json->decode($answer->{content})->{data};
}

# They have all been evaluated once.
sub rules_of_server {
	return wait_until('the rules', sub {
		my $data = ask_get('rules');
		my @rules = map { @{$_->{rules}} } @{$data->{groups}};
		return @rules && !grep({ $_->{health} eq 'unknown' } @rules) && $data;
	});
}

# The dashboard, as Grafana would go about it.

sub put_in {
	my ($text, %variables) = @_;

	$text =~ s/\$\{(\w+)(?::\w+)?\}|\$([A-Za-z_]\w*)/
		my $name = $1 \/\/ $2;
		$variables{$name} \/\/ die "there is no variable $name: $text\n"/gex;
	return $text;
}

# What a variable may be.
sub values_of {
	my ($variable, %variables) = @_;
	my $query = put_in($variable->{query}{query}, %variables);
	my @values;

	if ($query =~ /\Alabel_values\((.*), (\w+)\)\z/) {
		my ($series, $label) = ($1, $2);
		my %seen = map { $_->{$label} => 1 } @{ask('series', 'match[]' => $series)};
		@values = sort keys %seen;
	} elsif ($query =~ /\Aquery_result\((.*)\)\z/) {
		for my $found (@{instant($1)}) {
			my %labels = %{$found->{metric}};
			push @values, '{' . join(',', map { qq($_="$labels{$_}") }
				sort keys %labels) . "} @{[reverse @{$found->{value}}]}";
		}
	} else {
		die "what is $query?\n";
	}
	if ((my $regex = $variable->{regex}) =~ s{\A/(.*)/\z}{$1}) {
		@values = map { /$regex/ ? $1 // $_ : () } @values;
	}
	return @values;
}

sub check_panel {
	my ($panel, %variables) = @_;
	my $where = "$variables{namespace}: $panel->{title}";

	for my $target (@{$panel->{targets}}) {
		finds($target->{instant} ? \&instant : \&range,
			put_in($target->{expr}, %variables, %spans),
			"$where ($target->{refId})");
	}
}

# What a reader needs: each panel says what to do, and none lies on another.
sub check_layout {
	my @panels = @_;
	my (%taken, %ids, @wrong);

	for my $panel (@panels) {
		my ($x, $y, $w, $h) = @{$panel->{gridPos}}{qw(x y w h)};
		push @wrong, "$panel->{title}: id" if $ids{$panel->{id}}++;
		push @wrong, "$panel->{title}: too far right" if $x + $w > 24;
		for my $row ($y .. $y + $h - 1) {
			for my $column ($x .. $x + $w - 1) {
				push @wrong, "$panel->{title}: overlaps" if
					$taken{"$row $column"}++;
			}
		}
		next if $panel->{type} eq 'row';
		push @wrong, "$panel->{title}: no description" unless
			length($panel->{description} // '') > 20;
		push @wrong, "$panel->{title}: no unit" unless
			$panel->{fieldConfig}{defaults}{unit};
		push @wrong, "$panel->{title}: no target" unless @{$panel->{targets}};
	}
	is(join("\n", @wrong), '', 'dashboard: laid out');
}

# Test: what a pass tells comes with TableInterval, up to 300 s, and Grafana's ranges are
# for what comes as often as it is scraped.
sub check_ranges {
	my @panels = @_;
	my @ranged = grep { /errors_total\{[^}]*-self|type="pass"/ }
		map { map { $_->{expr} } @{$_->{targets} // []} } @panels;

	cmp_ok(scalar @ranged, '>', 0, 'dashboard: counters of passes');
	is(join("\n", grep { !/\[15m\]/ } @ranged), '',
		'dashboard: their ranges are for two passes');
}

sub check_dashboard {
	my $dashboard = $json->decode(slurp("$contrib/grafana/conntap.json"));
	my %by_name = map { $_->{name} => $_ } @{$dashboard->{templating}{list}};
	my %variables = (datasource => 'prometheus');

	check_layout(@{$dashboard->{panels}});
	check_ranges(@{$dashboard->{panels}});
	is_deeply([values_of($by_name{instance}, %variables)], ['gateway'], 'hosts');
	$variables{instance} = 'gateway';
	my @spaces = values_of($by_name{namespace}, %variables);
	is_deeply(\@spaces, [qw(all client gateway server)], 'namespaces, no groups');
	# The same one by two names; the others have nothing to track.
	for my $namespace ('all', 'gateway') {
		$variables{namespace} = $namespace;
		check_panel($_, %variables) for grep { $_->{targets} } @{$dashboard->{panels}};
	}
}

# Through all of them, the numbers are still those of the kernel.
sub check_numbers {
	my $max = 0 + slurp('/proc/sys/net/netfilter/nf_conntrack_max');
	my $size = table_size();
	my $used = value_of('conntap:used:ratio{netns="gateway"}');

	is(sprintf('%.6f', $used // -1), sprintf('%.6f', $size / $max), 'how full it is');
	is(value_of('sum(collectd_conntap_current_connections{conntap="all"})'), $size,
		'flows by protocol: the sum');
	for my $group (qw(reply assurance translation path family zone mark)) {
		is(value_of("sum(collectd_conntap_current_connections{conntap=\"all-$group\"})"),
			$size, "flows by $group: the sum");
	}
	cmp_ok(value_of('sum(collectd_conntap_connections_total{conntap="all-new"})') // 0,
		'>', 10, 'new flows');
	cmp_ok(value_of('sum(collectd_conntap_total_bytes_total{conntap="all-ended"})') // 0,
		'>', 100, 'bytes of ended flows');
}

check_files();
# Who asks is no traffic.
must('nft', 'add table inet quiet; add chain inet quiet output { type filter hook output ' .
	'priority raw; }; add rule inet quiet output oif lo notrack');
my $dir = File::Temp->newdir;
my $host = start_collectd(plugin => $configuration);
wait_until('events', sub { ($host->page_text // '') =~ /conntap="all-events",type="listening"/ });
my $traffic = start_traffic();
$traffic = undef;
must('conntrack', '-F');
$traffic = start_traffic();
start_prometheus("$dir");
wait_until('some scrapes', sub {
	(value_of('min(count_over_time(collectd_conntap_percent{conntap="gateway-nat"}[30s]))') //
		0) >= 4 });
wait_until('rates', sub {
	value_of('count(conntap:lost:rate5m)') && value_of('count(conntap:seen:timestamp)') });
check_rules();
check_dashboard();
check_numbers();
$traffic = undef;
is(stop_prometheus(), 0, 'prometheus ends');
$host->stop;
is($host->{status}, 0, 'collectd ends');

done_testing();
