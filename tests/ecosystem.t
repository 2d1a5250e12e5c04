#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ecosystem.t [--list]
#
# What other programs are given to ask for by SNMP (contrib/snmp_exporter, zabbix,
# librenms, snmp) is in the MIB, can be asked for, and in the way that each of them has
# to ask: a scalar with .0, a column with an index or to be walked.  And their files are
# what these programs read.
#
# With --list, no test: the OIDs, one a line, columns without index, for a test that has
# an agent to ask.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use JSON::PP ();
use Test::More;

use lib $FindBin::Bin;
use Mib;

my $contrib = "$FindBin::Bin/../contrib";
my @places = qw(snmp_exporter zabbix librenms snmp);
my $mib = Mib->read;
my $root = $mib->node($mib->{root})->{oid};
my $scratch = File::Temp->newdir;
# For the index: LibreNMS's, Zabbix's.
my $placeholders = qr/\{\{ \$index \}\}|\{#SNMPINDEX\}/;

sub slurp {
	my ($path) = @_;

	open my $file, '<', $path or die "$path: $!\n";
	local $/;
	return scalar <$file>;
}

sub program {
	my ($name) = @_;
	my ($path) = grep { -x } Mib::build_dir() . "/daemons/usr/bin/$name",
		Mib::build_dir() . "/prometheus/$name",
		map { "$_/$name" } split /:/, $ENV{PATH};

	return $path;
}

# Where all that our MIB imports from is.
sub ietf_dir {
	my ($dir) = grep { my $dir = $_; !grep { !-e "$dir/$_" && !-e "$dir/$_.mib" &&
		!-e "$dir/$_.txt" } keys %{$mib->{imports}} } mib_dirs();

	return $dir;
}

# For programs that read MIBs: those, and nothing of this machine's settings.
sub with_mibs {
	my ($code) = @_;

	local @ENV{qw(MIBS MIBDIRS SNMPCONFPATH SNMP_PERSISTENT_DIR)} =
		($mib->{name}, "$FindBin::Bin/../mibs:" . (ietf_dir() // ''), $scratch, $scratch);
	return $code->();
}

# What a reference in a file is: { where, text, node, index }.  `index` is what stands
# behind the object's own OID, a number or a placeholder.
sub refer {
	my ($where, $text) = @_;
	my ($oid, $placeholder) = $text =~ /^\.?([\d.]*\d)(?:\.($placeholders))?$/;
	my ($node, $index);

	if (defined $oid) {
		($node, $index) = $mib->find($oid);
		$index .= ($index eq '' ? '' : '.') . $placeholder if defined $placeholder;
	} elsif ($text =~ /^(?:CONNTAP-MIB::)?(\w+)((?:\.\d+)*)$/) {
		($node, $index) = ($mib->node($1), $2 =~ s/^\.//r);
	}
	return { where => $where, text => $text, node => $node, index => $index // '' };
}

# What in these files is to be asked for: { how, ... of refer() }.
#	instance	as it stands
#	placeholder	with a placeholder, or a number, for the index: of a scalar also
#	column		a column, to be walked
#	object		an object without anything behind it
#	subtree		anything that has objects in it
#	name		only that there is such a thing
sub references {
	my ($path) = @_;
	my ($place, $name) = $path =~ m{([^/]+)/([^/]+)$};
	my @found;
	my $walk = 0;
	my $number = 0;

	for my $line (split /\n/, slurp($path)) {
		my $where = "$place/$name:" . ++$number;
		my $add = sub {
			my ($how, $text) = @_;
			push @found, { %{refer($where, $text)}, how => $how };
		};
		$walk = $line =~ /^\s+walk:/ || ($walk && $line =~ /^\s+(?:-|#)/);
		if ($name eq 'snmp.yml' && $line =~ /^\s+- ([\d.]+)$/) {
			$add->($walk ? 'subtree' : 'object', $1);
		} elsif ($name eq 'snmp.yml' && $line =~ /^\s+oid: ([\d.]+)$/) {
			$add->('object', $1);
		} elsif ($name eq 'generator.yml' && $line =~ /^\s+- (conntap\w+)$/) {
			$add->($walk ? 'subtree' : 'object', $1);
		} elsif ($line =~ /^\s+snmp_oid: '?discovery\[(\{#\w+\}),([^\]]*)\]'?$/) {
			$add->('column', $2);
		} elsif ($line =~ /^\s+(?:- )?snmp_oid: '?([^']*)'?$/) {
			my $oid = $1;
			$add->($oid =~ /\{#SNMPINDEX\}/ ? 'placeholder' : 'instance', $oid);
		} elsif ($line =~ /^\s+num_oid: '([^']*)'$/) {
			$add->('placeholder', $1);
		} elsif ($name =~ /\.md$/ || $name !~ /\./) {
			# The root itself is named as what may be replaced.
			$add->('instance', $_) for grep { $_ ne $root }
				$line =~ /(?<![\d.])\.?(1\.3\.6\.1\.4\.1(?:\.\d+)+)/g;
		} elsif ($line =~ /\Q$root\E/ && $name ne 'snmp.yml') {
			$add->('unexpected', $line);
		}
		$add->('name', $_) for $line =~ /\bCONNTAP-MIB::(\w+)/g;
		# Metrics, walks, prose: the conntap of our own names is followed by a capital.
		$add->('name', $_) for $line =~ /(?<![\w:])(conntap[A-Z]\w*)/g;
	}
	return @found;
}

# What is wrong with a reference; nothing, if it is as it should be.
sub wrong {
	my ($ref) = @_;
	my ($node, $index, $how) = @$ref{qw(node index how)};

	return 'not in the MIB' unless $node;
	return if $how eq 'name';
	if ($how eq 'subtree') {
		return "what is $index behind it?" if $index ne '';
		return grep({ index("$_->{oid}.", "$node->{oid}.") == 0 &&
			($_->{access} // 'not-accessible') ne 'not-accessible' } @{$mib->{nodes}}) ?
			() : 'nothing to walk there';
	}
	return 'not an object' unless $node->{macro} eq 'OBJECT-TYPE';
	return 'not accessible' if $node->{access} eq 'not-accessible';
	return if $how eq 'object' && $index eq '';
	if ($node->{kind} eq 'scalar') {
		return if $how eq 'instance' && $index eq '0';
		return if $how eq 'placeholder' && $index eq '{{ $index }}';
	} else {
		return if $how eq 'column' && $index eq '';
		return if $how eq 'placeholder' && $index =~ /^(?:\d+|$placeholders)$/;
	}
	return "a $node->{kind}, with '$index' behind it, as $how";
}

# In the order of SNMP.
sub by_oid {
	my @a = split /\./, $a;
	my @b = split /\./, $b;

	while (@a && @b) {
		my $order = shift(@a) <=> shift @b;
		return $order if $order;
	}
	return @a <=> @b;
}

my @files = map { my $place = $_; grep { -f } glob "$contrib/$place/*" } @places;
my @references = map { references($_) } @files;
my %objects = map { $_->{node}{oid} => $_->{node} } grep {
	$_->{node} && $_->{how} !~ /^(?:name|subtree|unexpected)$/ } @references;

if (@ARGV) {
	die "usage: ecosystem.t [--list]\n" if "@ARGV" ne '--list';
	my @oids = map { $_->{oid} . ($_->{kind} eq 'scalar' ? '.0' : '') } values %objects;
	print "$_\n" for sort by_oid @oids;
	exit 0;
}

sub none {
	my ($what, @wrong) = @_;

	is(join("\n", @wrong), '', $what);
}

ok(-s "$contrib/$_/README.md", "$_ has a README.md") for @places;
for my $file (@files) {
	my ($name) = $file =~ m{contrib/(.*)};
	my @of_file = grep { $_->{where} =~ /^\Q$name\E:/ } @references;
	none("$name: all " . @of_file . ' references are good', map {
		my $wrong = wrong($_);
		$wrong ? "$_->{where}: $_->{text}: $wrong" : () } @of_file);
}

# A file of which nothing was found would be good whatever is in it.
my %least = ('snmp_exporter/snmp.yml' => 75, 'snmp_exporter/generator.yml' => 8,
	'zabbix/conntap.yaml' => 60, 'librenms/conntap.yaml' => 30, 'snmp/README.md' => 5);
for my $name (sort keys %least) {
	cmp_ok(scalar grep({ $_->{where} =~ /^\Q$name\E:/ && $_->{how} ne 'name' } @references),
		'>=', $least{$name}, "$name asks for something");
}

# As Net-SNMP sees these objects.
sub translated {
	my $tool = program('snmptranslate');
	my @oids = sort by_oid keys %objects;

	plan(skip_all => 'no snmptranslate here (package snmp)') unless $tool;
	plan(skip_all => 'none of the IETF\'s modules here (package erlang-snmp)')
		unless ietf_dir();
	plan(tests => 3);
	my ($status, $out) = with_mibs(sub { run_tool(60, $tool, '-Td', @oids) });
	is($status, 0, 'snmptranslate knows them') or diag($out);
	my %theirs;
	for (split /^(?=CONNTAP-MIB::\w+$)/m, $out) {
		my ($name) = /^(\w+) OBJECT-TYPE$/m;
		my ($access) = /^ *MAX-ACCESS\s+(\S+)$/m;
		my ($parent) = /^::= \{.* (\w+)\(\d+\) \d+ \}$/m;
		$theirs{$name // ''} = { access => $access // '', parent => $parent // '' };
	}
	my @names = map { $_->{name} } @objects{@oids};
	none('they are accessible', grep {
		($theirs{$_}{access} // '') !~ /^read-(?:only|write)$/ } @names);
	none('and columns where we think so', grep {
		($mib->node($_)->{kind} eq 'column') != (($theirs{$_}{parent} // '') =~ /Entry$/) }
		@names);
}

sub generated {
	my $tool = program('prometheus-snmp-generator');

	plan(skip_all => 'no generator here (package prometheus-snmp-exporter)') unless $tool;
	plan(skip_all => 'none of the IETF\'s modules here (package erlang-snmp)')
		unless ietf_dir();
	my (undef, $help) = run_tool(60, $tool, 'generate', '--help');
	plan(skip_all => 'the generator is not the one that the README names')
		if $help =~ /--mibs-dir/;
	plan(tests => 2);
	my ($status, $out) = with_mibs(sub { run_tool(60, 'sh', '-c',
		'cd "$1" && "$2" --fail-on-parse-errors generate -o "$3"', 'sh',
		"$contrib/snmp_exporter", $tool, "$scratch/snmp.yml") });
	is($status, 0, 'generator.yml is understood') or diag($out);
	my $same = -e "$scratch/snmp.yml" &&
		slurp("$scratch/snmp.yml") eq slurp("$contrib/snmp_exporter/snmp.yml");
	ok($same, 'snmp.yml is what the generator makes') or
		diag('make it again, as contrib/snmp_exporter/README.md says');
}

sub rules {
	my $tool = program('promtool');
	my $dir = "$contrib/snmp_exporter";

	plan(skip_all => 'no promtool here; to get it: tests/netns/get-daemons.sh') unless $tool;
	plan(tests => 2);
	for (['check', 'config', "$dir/prometheus.yml"],
		['test', 'rules', "$dir/conntap-snmp.rules.test.yml"]) {
		my ($status, $out) = run_tool(120, $tool, @$_);
		is($status, 0, "promtool @$_[0, 1]") or diag($out);
	}
}

sub zabbix_frontend {
	my ($dir) = grep { -d "$_/include/classes/import" }
		Mib::build_dir() . '/daemons/usr/share/zabbix', '/usr/share/zabbix';

	return $dir;
}

sub php_has {
	my $php = program('php') or return;
	my (undef, $modules) = run_tool(60, $php, '-m');

	return !grep { $modules !~ /^$_$/m } @_;
}

sub zabbix {
	my $frontend = zabbix_frontend();
	my $script = "$contrib/zabbix/validate.php";
	my $template = "$contrib/zabbix/conntap.yaml";

	plan(skip_all => 'no PHP here (packages php-cli, php-mbstring)')
		unless php_has('mbstring', 'ctype');
	plan(skip_all => 'no frontend of Zabbix here (package zabbix-frontend-php)')
		unless $frontend;
	my ($status, $out) = run_tool(120, program('php'), $script, $template, $frontend);
	is($status, 0, 'the template can be imported') or diag($out);
	# And is the script able to find something?
	my %mistakes = (
		'a word that Zabbix does not know' => sub { s/type: SNMP_AGENT/type: SNMP_AGNET/ },
		'a trigger of no item' => sub { s{(min\(/conntap by SNMP/conntap\.usag)e}{$1} },
		'a macro that is not there' => sub { s/(- macro: '\{\$CONNTAP\.NODAT)A/$1/ },
		'a uuid twice' => sub { s/(uuid: '?)\w{32}(.*?uuid: '?)(\w{32})/$1$3$2$3/s },
	);
	for my $mistake (sort keys %mistakes) {
		local $_ = slurp($template);
		$mistakes{$mistake}->();
		open my $file, '>', "$scratch/mistake.yaml" or die "$scratch: $!\n";
		print $file $_;
		close $file or die "$scratch: $!\n";
		($status, $out) = run_tool(120, program('php'), $script, "$scratch/mistake.yaml",
			$frontend);
		is($status >> 8, 1, "$mistake is found") or diag($out);
	}
	done_testing();
}

# A YAML file's contents, by whoever can read it; undef: nobody here.
sub read_yaml {
	my ($path) = @_;
	my $frontend = zabbix_frontend();
	my @readers;

	push @readers, [program('php'), '-r', 'foreach (["Escaper", "Inline", "Parser", "Unescaper",
		"Yaml", "Exception/ExceptionInterface", "Exception/RuntimeException",
		"Exception/ParseException"] as $name) require_once "$argv[1]/$name.php";
		echo json_encode(Symfony\Component\Yaml\Yaml::parseFile($argv[2]));',
		"$frontend/vendor/symfony/yaml", $path] if $frontend && php_has('ctype', 'mbstring');
	my $python = program('python3');
	push @readers, [$python, '-c', 'import json, sys, yaml
json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)', $path]
		if $python && (run_tool(60, $python, '-c', 'import yaml'))[0] == 0;
	return unless @readers;
	my ($status, $out) = run_tool(60, @{$readers[0]});
	die "$path: $out\n" if $status;
	return JSON::PP->new->utf8->decode($out);
}

# By LibreNMS's schema for os_discovery.
my %sensor_keys = map { $_ => 1 } qw(oid value num_oid index descr group low_limit
	low_warn_limit warn_limit high_limit rrd_type);
my %state_keys = (%sensor_keys, state_name => 1, states => 1);

sub wrong_sensor {
	my ($class, $sensor) = @_;
	my $known = $class eq 'state' ? \%state_keys : \%sensor_keys;
	my @wrong = map { "$_ is unknown" } grep { !$known->{$_} } sort keys %$sensor;
	my $asked = refer('', $sensor->{num_oid} // '');
	my $walked = refer('', $sensor->{oid} // '');
	my $value = refer('', $sensor->{value} // $sensor->{oid} // '');

	push @wrong, map { "no $_" } grep { !defined $sensor->{$_} }
		qw(oid num_oid index descr), $class eq 'state' ? qw(state_name states) : ();
	push @wrong, 'num_oid has another form' if ($sensor->{num_oid} // '') !~
		/^(?:\.\d+)+(?:\.\{\{ \$index \}\})?$/;
	push @wrong, 'value is not num_oid' unless $asked->{node} && $value->{node} &&
		$asked->{node} == $value->{node};
	push @wrong, 'value is not walked' unless $walked->{node} && $value->{node} &&
		index("$value->{node}{oid}.", "$walked->{node}{oid}.") == 0;
	push @wrong, "no $1" if ($sensor->{descr} // '') =~ /\{\{ CONNTAP-MIB::(\w+) \}\}/ &&
		!$mib->node($1);
	if ($class eq 'state' && $asked->{node}) {
		my $syntax = $asked->{node}{syntax};
		my @values = $syntax eq 'TruthValue' ? (1, 2) : $syntax =~ /\((\d+)\)/g;
		push @wrong, 'states are not those of the MIB' if "@values" ne
			join ' ', sort { $a <=> $b } map { $_->{value} } @{$sensor->{states} // []};
	}
	return map { "$class: " . ($sensor->{oid} // '?') . ": $_" } @wrong;
}

sub librenms {
	my $definition = eval { read_yaml("$contrib/librenms/conntap.yaml") };

	plan(skip_all => 'nothing that reads YAML here (package python3-yaml, or PHP and ' .
		'zabbix-frontend-php)') unless $definition || $@;
	is($@, '', 'it can be read');
	is(join(' ', sort keys %$definition), 'modules', 'there are modules');
	is(join(' ', sort keys %{$definition->{modules}}), 'sensors', 'there are sensors');
	my $sensors = $definition->{modules}{sensors};
	is(join(' ', sort keys %$sensors), 'count percent state', 'of these classes');
	none('each has a list', grep { join(' ', keys %{$sensors->{$_}}) ne 'data' ||
		ref $sensors->{$_}{data} ne 'ARRAY' } sort keys %$sensors);
	for my $class (sort keys %$sensors) {
		my @of_class = @{$sensors->{$class}{data}};
		my %seen;
		cmp_ok(scalar @of_class, '>', 0, "$class: there are some");
		none("$class: they have the schema's form", map {
			wrong_sensor($class, $_) } @of_class);
		none("$class: no index is there twice", grep { $seen{$_}++ }
			map { $_->{index} // '' } @of_class);
	}
	done_testing();
}

# Into a LibreNMS of two files.
sub merged {
	my $frontend = zabbix_frontend();
	my $definitions = "$scratch/librenms/resources/definitions/os_discovery";

	plan(skip_all => 'no PHP here (packages php-cli, php-mbstring)')
		unless php_has('mbstring', 'ctype');
	plan(skip_all => 'nothing that reads YAML in PHP here (package zabbix-frontend-php)')
		unless $frontend;
	plan(tests => 4);
	run_tool(10, 'mkdir', '-p', $definitions, "$scratch/librenms/vendor");
	open my $loader, '>', "$scratch/librenms/vendor/autoload.php" or die "$scratch: $!\n";
	print $loader <<'END' =~ s/FRONTEND/$frontend/r;
<?php
spl_autoload_register(function (string $class): void {
	$name = str_replace('\\', '/', substr($class, strlen('Symfony/Component/Yaml/')));
	require_once "FRONTEND/vendor/symfony/yaml/$name.php";
});
END
	close $loader or die "$scratch: $!\n";
	open my $there, '>', "$definitions/linux.yaml" or die "$scratch: $!\n";
	print $there <<'END';
modules:
    os:
        version: FOO-MIB::version.0
    sensors:
        count:
            data:
                -
                    oid: FOO-MIB::foo
                    num_oid: '.1.2.3.{{ $index }}'
                    descr: Foo
END
	close $there or die "$scratch: $!\n";
	my $merge = sub { run_tool(60, program('php'), "$contrib/librenms/merge.php",
		"$scratch/librenms", @_) };
	is(($merge->($_))[0], 0, "for $_") for 'linux', 'vyos';
	$merge->('linux');
	my $ours = read_yaml("$contrib/librenms/conntap.yaml");
	is_deeply(read_yaml("$definitions/vyos.yaml"), $ours, 'where there was nothing');
	unshift @{$ours->{modules}{sensors}{count}{data}},
		{ oid => 'FOO-MIB::foo', num_oid => '.1.2.3.{{ $index }}', descr => 'Foo' };
	$ours->{modules}{os} = { version => 'FOO-MIB::version.0' };
	is_deeply(read_yaml("$definitions/linux.yaml"), $ours, 'twice, behind what was there');
}

# The item and the object that its description names are one.
sub items_described {
	my @items = split /^ *- uuid:/m, slurp("$contrib/zabbix/conntap.yaml");
	my (@wrong, $count);

	for (@items) {
		my ($oid) = /^ *snmp_oid: '?([^'\n]*)/m or next;
		next if $oid =~ /^discovery/;
		my ($name) = /CONNTAP-MIB::(\w+)\./;
		my $node = refer('', $oid)->{node};
		$count++;
		push @wrong, "$oid: " . ($name // 'nothing')
			if !$node || ($name // '') ne $node->{name};
	}
	cmp_ok($count, '>', 50, 'items of Zabbix are described');
	none('by the names of what they ask for', @wrong);
}

items_described();
subtest('as Net-SNMP sees the objects', \&translated);
subtest('snmp_exporter: its configuration', \&generated);
subtest('snmp_exporter: its alerts', \&rules);
subtest('Zabbix: the template', \&zabbix);
subtest('LibreNMS: the sensors', \&librenms);
subtest('LibreNMS: merged', \&merged);

done_testing;
