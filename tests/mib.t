#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# mib.t [FILE]
#
# The MIB is one that tools understand and that holds together: smilint has nothing to
# say, names and numbers are unique and below the root, everything is in a group and
# described, and no module is needed that is not everywhere.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Mib;

my $file = $ARGV[0] // "$FindBin::Bin/../mibs/CONNTAP-MIB.txt";
my $root_line = '    ::= { enterprises 8072 9999 9999 77 }';
my $root = '1.3.6.1.4.1.8072.9999.9999.77';
my %allowed = map { $_ => 1 } qw(SNMPv2-SMI SNMPv2-TC SNMPv2-CONF SNMP-FRAMEWORK-MIB
	INET-ADDRESS-MIB);
my $mib = Mib->read($file);
my @nodes = @{$mib->{nodes}};
my @objects = grep { $_->{macro} eq 'OBJECT-TYPE' } @nodes;
my @notifications = grep { $_->{macro} eq 'NOTIFICATION-TYPE' } @nodes;

sub has_tool {
	my ($name) = @_;

	return grep { -x "$_/$name" } split /:/, $ENV{PATH};
}

# What is wrong with any of them, a line each; the first argument says what is expected.
sub none {
	my ($what, @wrong) = @_;

	is(join("\n", @wrong), '', $what);
}

# The directory with all modules that this one imports from.
sub ietf_dir {
	for my $dir (mib_dirs()) {
		my @missing = grep { my $module = $_;
			!grep { -e "$dir/$module$_" } '', '.mib', '.txt', '.my' } keys %allowed;
		return $dir unless @missing;
	}
	return;
}

# smilint's exit status is 0 whatever it finds.
sub lint {
	my $dir = ietf_dir();
	my $path = $file =~ m{/} ? $file : "./$file";

	plan(skip_all => 'no smilint here (package smitools)') unless has_tool('smilint');
	plan(skip_all => 'none of the IETF\'s modules here (package erlang-snmp)')
		unless defined $dir;
	plan(tests => 2);
	local $ENV{SMIPATH} = $dir;
	# Without the system's settings, which hide some.
	my ($status, $out) = run_tool(60, 'smilint', '-c', '/dev/null', '-m', '-s', '-l', '6',
		$path);
	is($status, 0, 'smilint has run');
	is($out, '', 'and printed nothing');
}

# Net-SNMP sees the same tree as we do.
sub same_tree {
	my $dir = ietf_dir();

	plan(skip_all => 'no snmptranslate here (package snmp)')
		unless has_tool('snmptranslate');
	plan(skip_all => 'none of the IETF\'s modules here (package erlang-snmp)')
		unless defined $dir;
	plan(tests => 2);
	my $scratch = File::Temp->newdir;
	local @ENV{qw(MIBS SNMPCONFPATH SNMP_PERSISTENT_DIR)} = ('', $scratch, $scratch);
	my ($status, $out) = run_tool(60, 'snmptranslate', '-M', $dir, '-m', $file, '-Tz');
	is($status, 0, 'snmptranslate has run') or diag($out);
	my %theirs = map { /^"([^"]+)"\s+"([\d.]+)"$/ ? ($1 => $2) : () } split /\n/, $out;
	none('every name is the same number', map {
		($theirs{$_->{name}} // 'none') eq $_->{oid} ? () :
			"$_->{name}: $_->{oid}, $theirs{$_->{name}}" } @nodes);
}

# Objects of the first, and of the second what needs a group.
sub in_groups {
	my ($macro, @wanted) = @_;
	my %wanted = map { $_->{name} => 1 } @wanted;
	my @groups = grep { $_->{macro} eq $macro } @nodes;
	my %in = map { $_ => 1 } map { @{$_->{members}} } @groups;

	ok(@groups > 0, "$macro: there are some");
	none("$macro: everything is in one", grep { !$in{$_} } sort keys %wanted);
	none("$macro: nothing else is in one", grep { !$wanted{$_} } sort keys %in);
	return @groups;
}

sub below {
	my ($oid, $above) = @_;

	return index("$oid.", "$above.") == 0;
}

# The texts of a description, of which a compliance has several.
sub descriptions {
	my ($node) = @_;

	return $node->{body} =~ /\bDESCRIPTION\s+("[^"]*")?/g;
}

is($mib->{name}, 'CONNTAP-MIB', 'the module\'s name');
is(() = $mib->{text} =~ /^\Q$root_line\E$/mg, 1,
	'the root is one line in the form that the build replaces');
is($mib->node($mib->{root})->{oid}, $root, 'the root');
like($mib->{text}, qr/\A-- SPDX-License-Identifier: GPL-2\.0-or-later\n/, 'the licence');
none('nothing but ASCII, and no tabs', grep { /[^ -~]/ } split /\n/, $mib->{text});

none('no import from another module', grep { !$allowed{$_} } sort keys %{$mib->{imports}});
for my $module (sort keys %{$mib->{imports}}) {
	none("all that comes from $module is used", grep {
		!($_ eq 'enterprises' || $mib->{plain} =~ /\b\Q$_\E\b/) }
		@{$mib->{imports}{$module}});
}

# A definition that our reader passed over would be tested by nothing.
my $count = () = $mib->{plain} =~ s/"[^"]*"/""/gr =~ /\bOBJECT-TYPE\b/g;
is(scalar @objects, $count, 'all objects were read');
cmp_ok(scalar @objects, '>', 100, 'there are objects');
cmp_ok(scalar @notifications, '>', 0, 'there are notifications');

my %seen;
none('every OID is unique', map { $seen{$_->{oid}}++ ? "$_->{name} $_->{oid}" : () } @nodes);
# What is above the root is there for its name only.
none('everything is below the root', map { "$_->{name} $_->{oid}" } grep {
	!below($_->{oid}, $root) && !below($root, $_->{oid}) } @nodes);
none('no object is above the root', map { $_->{name} } grep {
	!below($_->{oid}, "$root.1") } @objects);
none('notifications are where SMIv2 wants them', map { $_->{name} } grep {
	$_->{oid} !~ /^\Q$root\E\.0\.\d+$/ } @notifications);
none('every name has the prefix', grep { !/^conntap/ } map { $_->{name} } grep {
	below($_->{oid}, $root) } @nodes);

none('the access is one that agents know', map { "$_->{name} $_->{access}" } grep {
	$_->{access} !~ /^(?:not-accessible|read-only|read-write)$/ } @objects);
none('tables and entries are not accessible', map { $_->{name} } grep {
	$_->{kind} =~ /^(?:table|entry)$/ && $_->{access} ne 'not-accessible' } @objects);
none('scalars are accessible', map { $_->{name} } grep {
	$_->{kind} eq 'scalar' && $_->{access} eq 'not-accessible' } @objects);

# A column that is no index and cannot be read would be of no use; one that is both
# would be shown twice.
for my $entry (grep { $_->{kind} eq 'entry' } @objects) {
	my ($index) = $entry->{body} =~ /\bINDEX\s*\{([^}]*)\}/;
	my %index = map { $_ => 1 } split ' ', $index =~ tr/,/ /r;
	my @columns = grep { $_->{parent} eq $entry->{name} } @objects;
	my ($type) = $entry->{syntax};
	my ($sequence) = $mib->{plain} =~ /^\Q$type\E\s*::=\s*SEQUENCE\s*\{([^}]*)\}/m;
	none("$entry->{name}: its index is what is not accessible", grep {
		($index{$_} // 0) != ($mib->node($_)->{access} eq 'not-accessible') }
		map { $_->{name} } @columns);
	is(join(' ', $sequence =~ /^\s*([a-z]\w*)\s/mg), join(' ', map { $_->{name} }
		@columns), "$entry->{name}: its columns, in their order");
	is(join(' ', map { $_->{oid} =~ /(\d+)$/ } @columns), join(' ', 1 .. @columns),
		"$entry->{name}: numbered from 1");
}

my @groups = (in_groups('OBJECT-GROUP', grep { $_->{access} ne 'not-accessible' } @objects),
	in_groups('NOTIFICATION-GROUP', @notifications));
my $conditions = join ' ', map { $_->{body} } grep { $_->{macro} eq 'MODULE-COMPLIANCE' }
	@nodes;
none('every group is in a compliance', grep { $conditions !~ /\b$_\b/ } map { $_->{name} }
	@groups);
for my $notification (@notifications) {
	my ($list) = $notification->{body} =~ /\bOBJECTS\s*\{([^}]*)\}/;
	none("$notification->{name}: its objects are accessible", grep {
		($mib->node($_)->{access} // 'not-accessible') eq 'not-accessible' }
		split ' ', ($list // '') =~ tr/,/ /r);
}

none('everything is described', map { $_->{name} } grep {
	my @texts = descriptions($_);
	!@texts || grep { !defined || /^"\s*"$/ } @texts }
	grep { $_->{macro} ne 'OBJECT IDENTIFIER' } @nodes);
none('and so are types', grep { $mib->{plain} !~
	/^\Q$_\E\s*::=\s*TEXTUAL-CONVENTION(?:(?!::=)[^"]|"[^"]*")*?DESCRIPTION\s+"[^"]*\w/m }
	$mib->{plain} =~ /^(\w+)\s*::=\s*TEXTUAL-CONVENTION\b/mg);

# What was built: the MIB and the agent have one root.
sub same_root {
	my $build = $ENV{CONNTAP_BUILD} // "$FindBin::Bin/../build";

	plan(skip_all => 'the agent is not built') unless -x "$build/conntap-agentx";
	my ($help) = join('', `$build/conntap-agentx --help`) =~
		/register there instead of at ([\d.]+)/;
	open my $built, '<', "$build/mibs/CONNTAP-MIB.txt" or die "the built MIB: $!\n";
	my ($root) = join('', <$built>) =~ /^    ::= \{ enterprises ([\d ]+) \}$/m;
	is($help, '1.3.6.1.4.1.' . ($root =~ tr/ /./r), 'of the agent and of the MIB');
}

# Another root, in one place: the line of the MIB, and what the agent is compiled with.
sub other_root {
	my $scratch = File::Temp->newdir;
	my @make = ('make', '-s', '-C', "$FindBin::Bin/..", "BUILD=$scratch",
		'MIB_ROOT=32473 5', 'WITH_AGENTX=yes');

	plan(skip_all => 'no make') if system("make --version >$scratch/version 2>&1");
	is(system("@{[map { qq('$_') } @make]} $scratch/mibs/CONNTAP-MIB.txt >$scratch/out"), 0,
		'make');
	open my $built, '<', "$scratch/mibs/CONNTAP-MIB.txt" or die "the built MIB: $!\n";
	is(scalar(grep { /^    ::= \{ enterprises 32473 5 \}$/ } <$built>), 1, 'the MIB');
	my $compile = `@{[map { qq('$_') } @make]} -n $scratch/plugins/agentx/options.o`;
	like($compile, qr/-DCONNTAP_MIB_ROOT='"1\.3\.6\.1\.4\.1\.32473\.5"'/, 'the agent');
}

subtest('smilint', \&lint);
subtest('one root', \&same_root);
subtest('another root', \&other_root);
subtest('Net-SNMP', \&same_tree);

done_testing;
