# SPDX-License-Identifier: GPL-2.0-or-later
#
# Files, for tests:
#
#	slurp($path)		what is in it; undef where it cannot be read
#	spew($path, $text)	puts the text into it
#	open_dir()		a temporary directory that everybody can look into
#	entries($dir)		the names in it, sorted, in one string
#	unpacked($bytes)	what gzip or zstd made them of, or themselves
#
# and programs that write them again and again, to be imported by name:
#
#	my $job = start_service(\%environment, @command);
#	wait_for_status($job, sub { $_[0] >= 2 });	# documents, failures
#	my ($status, $out, $err) = end_service($job);
package Files;

use strict;
use warnings;

use Exporter qw(import);
use File::Temp qw(tempdir);
use IO::Socket::UNIX;
use Lab;
use Time::HiRes qw(time);

our @EXPORT = qw(slurp spew open_dir entries);
our @EXPORT_OK = qw(unpacked start_service start_exporting told counts holds
	wait_for_status end_service is_amid files_held);

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

# By their first bytes.  Dies where they are not whole.
sub unpacked {
	my ($bytes) = @_;
	my ($program, $suffix) = $bytes =~ /\A\x1f\x8b/ ? ('gzip', '.gz') :
		$bytes =~ /\A\x28\xb5\x2f\xfd/ ? ('zstd', '.zst') : return $bytes;
	my $file = File::Temp->new(SUFFIX => $suffix);

	print $file $bytes;
	close $file;
	my ($status, $out, $err) = run($program, '-dcq', "$file");
	die "$program: $err\n" if $status;
	return $out;
}

# Starts a command with a socket to tell how it is, as sd_notify(3) has it, and returns
# the job.  Where the environment has a NOTIFY_SOCKET, it is that one.
sub start_service {
	my ($environment, @command) = @_;
	my $name = $environment->{NOTIFY_SOCKET} // open_dir() . '/notify';
	my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $name =~ s/^@/\0/r)
		or die "$name: $!\n";

	# Others than root shall tell, too.
	chmod 0777, $name;
	$socket->blocking(0);
	local @ENV{keys %$environment, 'NOTIFY_SOCKET'} = (values %$environment, $name);
	my $job = start({}, @command);
	@$job{qw(socket told)} = ($socket, []);
	return $job;
}

# The same, of conntap xml.
sub start_exporting {
	return start_service({}, program('conntap'), 'xml', @_);
}

# All messages so far: [when it was read, message].  Of those that wait to be read, the
# sysctl net.unix.max_dgram_qlen is the number that is kept.
sub told {
	my ($job) = @_;
	my $message;

	push @{$job->{told}}, [time, $message]
		while defined $job->{socket}->recv($message, 1024);
	return @{$job->{told}};
}

# As the job tells: how many documents and failures there were, whether the last one
# failed, and how many events were lost.
sub counts {
	my ($job) = @_;
	my ($last) = grep { /^STATUS=/ } map { $_->[1] } reverse told($job);

	return (0, 0, 0, 0) if ($last // '') !~
		/^STATUS=(\d+) document\(s\), (\d+) failure\(s\)(, the last one too)?(?:, (\d+) event)?/;
	return ($1, $2, defined $3 ? 1 : 0, $4 // 0);
}

# Asks until it is true; false where it does not become so in 25 seconds.
sub holds {
	my ($true) = @_;
	my $deadline = time + 25;

	until ($true->()) {
		return 0 if time > $deadline;
		select undef, undef, undef, 0.005;
	}
	return 1;
}

# Waits until what the job tells of its documents and failures is as it should be; dies
# where it never is.
sub wait_for_status {
	my ($job, $true) = @_;

	holds(sub { $true->(counts($job)) }) and return;
	die sprintf "%s: %d document(s), %d failure(s), and no more: %s\n",
		$job->{command}, counts($job), so_far($job, 'stderr');
}

# Ends it as a service manager does: (exit status, stdout, stderr), and in the job how
# many seconds it took.
sub end_service {
	my ($job, $signal) = @_;
	my $begun = time;

	kill $signal // 'TERM', $job->{pid};
	my @result = finish($job);
	$job->{took} = time - $begun;
	return @result;
}

# How many files it has open: what it leaves open would become more and more.
sub files_held {
	my ($job) = @_;
	my @files = glob "/proc/$job->{pid}/fd/*";

	return scalar @files;
}

# Is it in the middle of a file in that directory?  Then it holds one without a name.
sub is_amid {
	my ($job, $dir) = @_;

	return scalar grep { (readlink($_) // '') =~ m{^\Q$dir\E/#\d+ \(deleted\)} }
		glob "/proc/$job->{pid}/fd/*";
}

1;
