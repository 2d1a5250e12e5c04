#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The plugin for collectd finds every function that it calls: in the daemon, or in what
# either is linked with.  The daemon's headers offer more than the daemon has, and it
# refuses to start with a plugin that wants some of that.  And the plugin shows the one
# function that the daemon looks for, and none else that could stand in another's way.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use Test::More;

my $daemon = '/usr/sbin/collectd';
my $build = $ENV{CONNTAP_BUILD} // "$FindBin::Bin/../build";
my $plugin = "$build/collectd/conntap.so";

plan(skip_all => 'no collectd here') unless -x $daemon;
plan(skip_all => 'built without the plugin for collectd') unless -e $plugin;

sub lines_of {
	my @command = @_;

	open my $out, '-|', @command or die "$command[0]: $!\n";
	my @lines = <$out>;
	close $out or die "@command: status $?\n";
	return @lines;
}

# The dynamic symbols of those kinds: T for a function, U for one that is wanted.
sub symbols {
	my ($file, $kinds) = @_;

	return map { /^\S*\s+([A-Za-z]) ([^@\s]+)/ && index($kinds, $1) >= 0 ? $2 : () }
		lines_of('nm', '-D', $file);
}

sub libraries {
	my ($file) = @_;

	return map { m{^\s*(?:\S+ => )?(/\S+) \(0x} ? $1 : () } lines_of('ldd', $file);
}

# What the file wants and nobody has.
sub missing {
	my ($file) = @_;
	my (%there, %files);

	$files{$_} = 1 for $daemon, libraries($daemon), libraries($file);
	for my $name (keys %files) {
		$there{$_} = 1 for symbols($name, 'TWViBDRAu');
	}
	return join ' ', sort grep { !$there{$_} } symbols($file, 'U');
}

sub exported {
	my ($file) = @_;

	return join ' ', sort(symbols($file, 'TWViBDRAu'));
}

# A plugin with that code.
sub build_plugin {
	my ($dir, $name, $code) = @_;
	my @cc = split ' ', $ENV{CC} // 'cc';

	open my $file, '>', "$dir/$name.c" or die "$dir/$name.c: $!\n";
	print $file $code;
	close $file or die "$dir/$name.c: $!\n";
	system(@cc, '-shared', '-fPIC', '-o', "$dir/$name.so", "$dir/$name.c") == 0
		or die "@cc: status $?\n";
	return "$dir/$name.so";
}

is(missing($plugin), '', 'the daemon has everything that is called');
is(exported($plugin), 'module_register', 'the one function that the daemon looks for');
ok(scalar(grep { $_ eq 'plugin_dispatch_values' } symbols($plugin, 'U')),
	'there is something to look for');

# What would be found.
my $dir = File::Temp->newdir;
my $call = 'void plugin_log(int, const char *); void module_register(void) ' .
	'{ plugin_log(6, ""); %s }';
my $good = build_plugin($dir, 'good', sprintf $call, '');
my $bad = build_plugin($dir, 'bad', 'void *ignorelist_create(int); int more = 1; ' .
	sprintf $call, 'ignorelist_create(1);');

is(missing($good), '', 'a good plugin');
is(missing($bad), 'ignorelist_create', 'a function of the headers only');
is(exported($bad), 'module_register more', 'a symbol too many');

done_testing();
