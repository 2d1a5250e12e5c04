# SPDX-License-Identifier: GPL-2.0-or-later
#
# A real collectd with the plugin, for tests:
#
#	use Collectd;
#	need_collectd();	# or the test is skipped
#	my $host = start_collectd(plugin => "Table true\n", interval => 1);
#	my %page = $host->page;		# ('all conntrack used' => 7, ...)
#	my @rows = $host->csv('all conntrack used');	# ([time, value], ...)
#	my $seconds = $host->stop;
#
# A value is called by its plugin instance, type and type instance.  What start_collectd
# takes: plugin, the lines of <Plugin conntap>; interval; before, a command that is put
# before the daemon's; options, the daemon's own; name, the host's; config, what it has
# instead of the plugin and write_prometheus.  The daemon ends with the object.
#
# A collector has values of other hosts:
#
#	my @rows = $collector->csv('all conntrack used', 'host');
#
# And a real Prometheus that asks a collectd of this network namespace each second, and
# ends with its object:
#
#	use Collectd qw(start_prometheus);
#	my $prometheus = start_prometheus($file_with_rules);
#	my $data = $prometheus->ask('query', query => 'up');
#	my ($first, @others) = $prometheus->instant('up');	# {metric, value}, ...
package Collectd;

use strict;
use warnings;

use Exporter qw(import);
use File::Copy ();
use File::Glob qw(bsd_glob);
use File::Temp ();
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP ();
use Test::More ();
use Time::HiRes qw(time);

use Lab;

our @EXPORT = qw(need_collectd start_collectd collectd_command);
our @EXPORT_OK = qw(start_prometheus);

my $daemon = '/usr/sbin/collectd';
my $port = 9103;
my $prometheus = '127.0.0.1:9090';
# Counters and times are marked as such.
my $name = qr/collectd_conntap_(\w+?)(?:_total|_seconds)?/;
my $labels = qr/\{conntap="([^"]+)",type="([^"]+)",instance="([^"]+)"\}/;

# Where the distribution has the daemon's own modules.
sub modules {
	my ($dir) = grep { -e "$_/csv.so" } '/usr/lib/collectd', '/usr/lib64/collectd';

	return $dir;
}

sub need_collectd {
	Test::More::plan(skip_all => 'no collectd here') unless -x $daemon && modules();
	Test::More::plan(skip_all => 'built without the plugin for collectd')
		unless -e program('collectd/conntap.so');
}

# The daemon refuses modules that are symbolic links.
sub copy_modules {
	my ($to, @names) = @_;

	mkdir $to or die "$to: $!\n";
	for my $name (@names) {
		my $path = $name eq 'conntap' ? program('collectd/conntap.so') :
			modules() . "/$name.so";
		File::Copy::copy($path, $to) or die "$path: $!\n";
	}
}

sub usual_config {
	my ($dir, $name, $interval) = @_;

	return <<"END";
Hostname "$name"
FQDNLookup false
BaseDir "$dir"
PIDFile "$dir/pid"
PluginDir "$dir/modules"
TypesDB "/usr/share/collectd/types.db"
Interval $interval
LoadPlugin logfile
<Plugin logfile>
	LogLevel info
	File "$dir/log"
	Timestamp false
	PrintSeverity true
</Plugin>
LoadPlugin csv
<Plugin csv>
	DataDir "$dir/csv"
	StoreRates false
</Plugin>
LoadPlugin unixsock
<Plugin unixsock>
	SocketFile "$dir/socket"
	SocketGroup "root"
</Plugin>
END
}

sub plugin_config {
	my ($lines) = @_;

	return <<"END" . (defined $lines ? "<Plugin conntap>\n$lines</Plugin>\n" : '');
LoadPlugin write_prometheus
<Plugin write_prometheus>
	Host "127.0.0.1"
	Port "$port"
</Plugin>
LoadPlugin conntap
END
}

# A directory with all that the daemon needs, and the command to start it.
sub collectd_command {
	my %how = @_;
	my $dir = File::Temp->newdir;
	my $config = usual_config($dir, $how{name} // 'gateway', $how{interval} // 1) .
		($how{config} // plugin_config($how{plugin}));

	# Whoever the daemon is run as.
	chmod 0777, "$dir";
	copy_modules("$dir/modules", $config =~ /^\s*<?LoadPlugin (\w+)/mg);
	open my $file, '>', "$dir/conf" or die "$dir/conf: $!\n";
	print $file $config;
	close $file or die "$dir/conf: $!\n";
	return ($dir, $daemon, '-C', "$dir/conf", @{$how{options} // ['-f']});
}

sub start_collectd {
	my %how = @_;
	my ($dir, @command) = collectd_command(%how);
	my $self = bless { dir => $dir, name => $how{name} // 'gateway' }, 'Collectd';

	$self->{job} = start({}, @{$how{before} // []}, @command);
	wait_until('collectd', sub {
		die "collectd ended: ", so_far($self->{job}, 'stderr'), $self->log
			if Lab::process_state($self->{job}{pid}) eq 'Z';
		return $self->log =~ /Initialization complete/;
	});
	return $self;
}

# Asks it to end; how many seconds that took.
sub stop {
	my ($self) = @_;
	my $begun = time;

	kill TERM => $self->{job}{pid};
	$self->{status} = (finish(delete $self->{job}))[0];
	return time - $begun;
}

sub DESTROY {
	my ($self) = @_;

	local ($?, $!, $@);
	return unless $self->{job};
	kill CONT => $self->{job}{pid};
	eval { $self->stop };
}

# What it has logged, or those lines of it that are from the plugin.
sub log {
	my ($self) = @_;

	open my $file, '<', "$self->{dir}/log" or return '';
	local $/;
	return scalar(<$file>) // '';
}

sub said {
	my ($self) = @_;

	return grep { /conntap/ && !/plugin_load: / } split /\n/, $self->log;
}

# write_prometheus's page as it is; '' where nobody answers.
sub page_text {
	my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", Timeout => 5)
		or return '';
	local $/;

	print $socket "GET /metrics HTTP/1.0\r\n\r\n";
	return (<$socket> // '') =~ s/\A.*?\r\n\r\n//sr;
}

# The plugin's values on it, of one host.
sub page {
	my ($self, $of) = @_;
	my $wanted = $of // $self->{name};
	my %values;

	for my $line (grep { /^collectd_conntap_/ } split /\n/, page_text()) {
		my ($type, $instance, $what, $host, $value) = $line =~
			/^$name$labels (\S+)(?: \d+)?$/ or die "not a value: $line\n";
		next if $host ne $wanted;
		die "again: $line\n" if exists $values{"$instance $type $what"};
		$values{"$instance $type $what"} = $value;
	}
	return %values;
}

sub csv_root {
	my ($self, $of) = @_;

	return "$self->{dir}/csv/" . ($of // $self->{name});
}

# Every value of a host that was dispatched under this name.
sub csv {
	my ($self, $key, $of) = @_;
	my ($instance, $type, $what) = split ' ', $key;
	my $root = $self->csv_root($of);
	my @rows;

	for my $path (sort(bsd_glob(
		"$root/conntap-$instance/$type-$what-????-??-??"))) {
		open my $file, '<', $path or die "$path: $!\n";
		push @rows, map { chomp; [split /,/] } grep { /^\d.*\n/ } <$file>;
	}
	return @rows;
}

# The names under which values were dispatched.
sub csv_keys {
	my ($self, $of) = @_;
	my $root = $self->csv_root($of);

	return map { m{/conntap-([^/]+)/([a-z_]+)-(.+)-\d{4}-\d\d-\d\d\z} ?
		("$1 $2 $3") : die "what is $_?\n" } bsd_glob("$root/conntap*/*");
}

# What collectdctl says it is at present; for what counts, how much it grows a second.
sub getval {
	my ($self, $key) = @_;
	my ($instance, $type, $what) = split ' ', $key;
	my ($status, $out, $err) = run('collectdctl', '-s', "$self->{dir}/socket",
		'getval', "$self->{name}/conntap-$instance/$type-$what");

	return $status ? undef : $out =~ /^value=(\S+)$/m ? $1 : $out;
}

sub start_prometheus {
	my @rules = @_;
	my $dir = File::Temp->newdir;
	my $self = bless { dir => $dir }, 'Collectd::Prometheus';

	open my $file, '>', "$dir/prometheus.yml" or die "$dir/prometheus.yml: $!\n";
	print $file <<"END", map { "  - $_\n" } @rules;
global:
  scrape_interval: 1s
  evaluation_interval: 1s
scrape_configs:
  - job_name: collectd
    honor_labels: true
    static_configs:
      - targets: ['127.0.0.1:$port']
rule_files:
END
	close $file or die "$dir/prometheus.yml: $!\n";
	$self->{job} = start({}, program('prometheus/prometheus'),
		"--config.file=$dir/prometheus.yml", "--storage.tsdb.path=$dir/data",
		"--web.listen-address=$prometheus", '--log.level=warn');
	wait_until('prometheus', sub {
		die 'prometheus ended: ', so_far($self->{job}, 'stderr')
			if Lab::process_state($self->{job}{pid}) eq 'Z';
		return HTTP::Tiny->new(timeout => 5)
			->get("http://$prometheus/-/ready")->{success};
	});
	return $self;
}

# What it answers: its data, or dies with its error.
sub Collectd::Prometheus::ask {
	my ($self, $path, %fields) = @_;
	my $answer = HTTP::Tiny->new(timeout => 20)->post_form(
		"http://$prometheus/api/v1/$path", \%fields);
	my $document = eval { JSON::PP->new->utf8->decode($answer->{content}) }
		or die "$path: $answer->{status} $answer->{content}\n";

	die "$document->{error}\n" if $document->{status} ne 'success';
	return $document->{data};
}

sub Collectd::Prometheus::instant {
	my ($self, $query) = @_;

	return @{$self->ask('query', query => $query)->{result}};
}

# Its exit status.
sub Collectd::Prometheus::stop {
	my ($self) = @_;
	my $job = delete $self->{job};

	kill TERM => $job->{pid};
	return (finish($job))[0];
}

sub Collectd::Prometheus::DESTROY {
	my ($self) = @_;

	local ($?, $!, $@);
	eval { $self->stop } if $self->{job};
}

1;
