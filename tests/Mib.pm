# SPDX-License-Identifier: GPL-2.0-or-later
#
# Reads an SMIv2 module, as far as tests ask about it, and without any tool:
#
#	my $mib = Mib->read;			# mibs/CONNTAP-MIB.txt, or a file
#	$mib->{imports}				# { 'SNMPv2-SMI' => ['Gauge32', ...], ... }
#	$mib->{root}				# the name of the MODULE-IDENTITY
#	for my $node (@{$mib->{nodes}}) ...	# in the order of the file
#	my $node = $mib->node('conntapEntries');
#	my ($node, $rest) = $mib->find('1.3.6.1.4.1.8072.9999.9999.77.1.1.1.0');
#	my @dirs = mib_dirs();			# where the IETF's modules may be
#	my ($status, $out) = run_tool(10, 'smilint', ...);
#
# A node is a hash: name, macro ("OBJECT-TYPE" ...), body, oid; of objects also access,
# syntax and kind, one of "scalar", "table", "entry" and "column"; of groups members.
# Dies at what it cannot read.
package Mib;

use strict;
use warnings;

use Exporter qw(import);
use File::Basename qw(dirname);
use File::Spec;

our @EXPORT = qw(mib_dirs run_tool);

my $here = dirname(File::Spec->rel2abs(__FILE__));
my $string = qr/"[^"]*"/;

# As the tests' runner says, or where `make` builds.
sub build_dir {
	return File::Spec->rel2abs($ENV{CONNTAP_BUILD} // "$here/../build");
}

# Got for the tests, or installed.
sub mib_dirs {
	return grep { -d } glob(build_dir() . '/daemons/usr/lib/erlang/lib/snmp-*/mibs'),
		</usr/lib/erlang/lib/snmp-*/mibs>, '/usr/share/snmp/mibs/ietf',
		'/usr/share/mibs/ietf', '/var/lib/mibs/ietf';
}

# The exit status, and what it printed on stdout and stderr together.
sub run_tool {
	my ($seconds, @command) = @_;
	my $pid = open my $out, '-|';

	die "cannot fork: $!\n" unless defined $pid;
	if (!$pid) {
		open STDERR, '>&', \*STDOUT;
		open STDIN, '<', '/dev/null';
		exec 'timeout', $seconds, @command or die "timeout: $!\n";
	}
	local $/;
	my $text = <$out> // '';
	close $out;
	return ($?, $text);
}

# Without comments, which end with the line or at the next "--".
sub without_comments {
	my ($text) = @_;

	$text =~ s/($string)|--(?:(?!--)[^\n])*(?:--)?/$1 \/\/ ''/ge;
	return $text;
}

sub read_imports {
	my ($text) = @_;
	my %imports;

	my ($list) = $text =~ /\bIMPORTS\b([^;]*);/;
	$list //= '';
	while ($list =~ /\G\s*([^;]*?)\s*\bFROM\s+([\w-]+)/g) {
		my ($names, $module) = ($1, $2);
		push @{$imports{$module}}, split /\s*,\s*/, $names;
	}
	return \%imports;
}

# NAME MACRO ... ::= { PARENT NUMBERS }
sub read_nodes {
	my ($text) = @_;
	my @nodes;

	while ($text =~ /^[ \t]*([a-z][\w-]*)\s+
			(OBJECT\s+IDENTIFIER|MODULE-IDENTITY|OBJECT-TYPE|NOTIFICATION-TYPE|
			 OBJECT-IDENTITY|OBJECT-GROUP|NOTIFICATION-GROUP|MODULE-COMPLIANCE)\b
			((?:$string|(?!::=)[^"])*)
			::=\s*\{\s*([\w-]+)((?:\s+\d+)+)\s*\}/gmx) {
		my ($name, $macro, $body, $parent, $numbers) = ($1, $2, $3, $4, $5);
		push @nodes, { name => $name, macro => $macro =~ s/\s+/ /r, body => $body,
			parent => $parent, numbers => [split ' ', $numbers] };
	}
	return @nodes;
}

sub kind_of {
	my ($node, $parent) = @_;
	my $plain = $node->{body} =~ s/$string/""/gr;

	return 'table' if $node->{syntax} =~ /^SEQUENCE OF\b/;
	return 'entry' if $plain =~ /\bINDEX\s*\{/;
	return 'column' if ($parent->{kind} // '') eq 'entry';
	return 'scalar';
}

sub place {
	my ($self, $node) = @_;
	my $parent = $self->{by_name}{$node->{parent}};
	my $above = $node->{parent} eq 'enterprises' ? '1.3.6.1.4.1' : $parent->{oid};

	die "$node->{name}: no $node->{parent} before it\n" unless defined $above;
	$node->{oid} = join '.', $above, @{$node->{numbers}};
	if ($node->{macro} eq 'OBJECT-TYPE') {
		my $plain = $node->{body} =~ s/$string/""/gr;
		($node->{access}) = $plain =~ /\bMAX-ACCESS\s+([\w-]+)/;
		($node->{syntax}) = $plain =~ /\bSYNTAX\s+(.*?)\s+(?:UNITS|MAX-ACCESS)\b/s;
		die "$node->{name}: no syntax or access\n"
			unless defined $node->{access} && defined $node->{syntax};
		$node->{kind} = kind_of($node, $parent // {});
	}
	if ($node->{macro} =~ /-GROUP$/) {
		my ($list) = $node->{body} =~ /\b(?:OBJECTS|NOTIFICATIONS)\s*\{([^}]*)\}/;
		$node->{members} = [split ' ', ($list // '') =~ tr/,/ /r];
	}
}

sub read {
	my ($class, $path) = @_;
	my $self = bless {}, $class;

	$self->{path} = $path //= "$here/../mibs/CONNTAP-MIB.txt";
	open my $file, '<', $path or die "$path: $!\n";
	local $/;
	$self->{text} = <$file>;
	my $text = without_comments($self->{text});
	($self->{name}) = $text =~ /([\w-]+)\s+DEFINITIONS\s*::=\s*BEGIN\b/;
	die "$path: no module\n" unless defined $self->{name};
	$self->{imports} = read_imports($text);
	$text =~ s/\bIMPORTS\b[^;]*;//;
	$self->{plain} = $text;
	$self->{nodes} = [read_nodes($text)];
	for my $node (@{$self->{nodes}}) {
		die "$node->{name}: twice\n" if $self->{by_name}{$node->{name}};
		$self->{by_name}{$node->{name}} = $node;
		$self->place($node);
		$self->{by_oid}{$node->{oid}} //= $node;
		$self->{root} //= $node->{name} if $node->{macro} eq 'MODULE-IDENTITY';
	}
	die "$path: no MODULE-IDENTITY\n" unless defined $self->{root};
	return $self;
}

sub node {
	my ($self, $name) = @_;

	return $self->{by_name}{$name};
}

# The node that the OID is or is below of, and what is behind that; or nothing.
sub find {
	my ($self, $oid) = @_;
	my @numbers = split /\./, $oid =~ s/^\.//r;
	my @rest;

	while (@numbers) {
		my $node = $self->{by_oid}{join '.', @numbers};
		return ($node, join '.', @rest) if $node;
		unshift @rest, pop @numbers;
	}
	return;
}

1;
