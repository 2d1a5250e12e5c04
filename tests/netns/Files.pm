# SPDX-License-Identifier: GPL-2.0-or-later
#
# Files, for tests:
#
#	slurp($path)		what is in it; undef where it cannot be read
#	spew($path, $text)	puts the text into it
#	open_dir()		a temporary directory that everybody can look into
#	entries($dir)		the names in it, sorted, in one string
package Files;

use strict;
use warnings;

use Exporter qw(import);
use File::Temp qw(tempdir);

our @EXPORT = qw(slurp spew open_dir entries);

sub slurp {
	my ($path) = @_;

	open my $file, '<', $path or return undef;
	local $/;
	return scalar <$file>;
}

sub spew {
	my ($path, $text) = @_;

	open my $file, '>', $path or die "$path: $!\n";
	print $file $text;
	close $file or die "$path: $!\n";
}

sub open_dir {
	my $dir = tempdir(CLEANUP => 1);

	chmod 0755, $dir;
	return $dir;
}

sub entries {
	my ($dir) = @_;

	opendir my $handle, $dir or die "$dir: $!\n";
	return join ' ', sort grep { !/^\.\.?\z/ } readdir $handle;
}

1;
