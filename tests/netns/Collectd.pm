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
# before the daemon's; options, the daemon's own.  The daemon ends with the object.
package Collectd;

use strict;
use warnings;

use Exporter qw(import);
use File::Copy ();
use File::Glob qw(bsd_glob);
use File::Temp ();
use IO::Socket::INET;
use Test::More ();
use Time::HiRes qw(time);

use Lab;

our @EXPORT = qw(need_collectd start_collectd collectd_command);

my $daemon = '/usr/sbin/collectd';
my $port = 9103;
# Counters and times are marked as such.
my $name = qr/collectd_conntap_(\w+?)(?:_total|_seconds)?/;
my $labels = qr/\{conntap="([^"]+)",type="([^"]+)",instance="gateway"\}/;

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
	my ($to) = @_;

	mkdir $to or die "$to: $!\n";
	for my $path (program('collectd/conntap.so'), map({ modules() . "/$_.so" }
		'logfile', 'csv', 'unixsock', 'write_prometheus')) {
		File::Copy::copy($path, $to) or die "$path: $!\n";
	}
}

sub write_config {
	my ($dir, $how) = @_;
	my $interval = $how->{interval} // 1;

	open my $file, '>', "$dir/conf" or die "$dir/conf: $!\n";
	print $file <<"END";
Hostname "gateway"
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
</Plugin>
LoadPlugin write_prometheus
<Plugin write_prometheus>
	Host "127.0.0.1"
	Port "$port"
</Plugin>
LoadPlugin conntap
END
	print $file "<Plugin conntap>\n$how->{plugin}</Plugin>\n"
		if defined $how->{plugin};
	close $file or die "$dir/conf: $!\n";
}

# A directory with all that the daemon needs, and the command to start it.
sub collectd_command {
	my %how = @_;
	my $dir = File::Temp->newdir;

	# Whoever the daemon is run as.
	chmod 0777, "$dir";
	copy_modules("$dir/modules");
	write_config($dir, \%how);
	return ($dir, $daemon, '-C', "$dir/conf", @{$how{options} // ['-f']});
}

sub start_collectd {
	my %how = @_;
	my ($dir, @command) = collectd_command(%how);
	my $self = bless { dir => $dir }, 'Collectd';

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

# The plugin's values on it.
sub page {
	my ($self) = @_;
	my %values;

	for my $line (grep { /^collectd_conntap_/ } split /\n/, page_text()) {
		my ($type, $instance, $what, $value) = $line =~
			/^$name$labels (\S+)(?: \d+)?$/ or die "not a value: $line\n";
		die "again: $line\n" if exists $values{"$instance $type $what"};
		$values{"$instance $type $what"} = $value;
	}
	return %values;
}

# Every value that was dispatched under this name.
sub csv {
	my ($self, $key) = @_;
	my ($instance, $type, $what) = split ' ', $key;
	my @rows;

	for my $path (sort(bsd_glob(
		"$self->{dir}/csv/gateway/conntap-$instance/$type-$what-????-??-??"))) {
		open my $file, '<', $path or die "$path: $!\n";
		push @rows, map { chomp; [split /,/] } grep { /^\d.*\n/ } <$file>;
	}
	return @rows;
}

# The names under which values were dispatched.
sub csv_keys {
	my ($self) = @_;
	my $root = "$self->{dir}/csv/gateway";

	return map { m{/conntap-([^/]+)/([a-z_]+)-(.+)-\d{4}-\d\d-\d\d\z} ?
		("$1 $2 $3") : die "what is $_?\n" } bsd_glob("$root/conntap*/*");
}

# What collectdctl says it is at present; for what counts, how much it grows a second.
sub getval {
	my ($self, $key) = @_;
	my ($instance, $type, $what) = split ' ', $key;
	my ($status, $out, $err) = run('collectdctl', '-s', "$self->{dir}/socket",
		'getval', "gateway/conntap-$instance/$type-$what");

	return $status ? undef : $out =~ /^value=(\S+)$/m ? $1 : $out;
}

1;
