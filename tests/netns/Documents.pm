# SPDX-License-Identifier: GPL-2.0-or-later
#
# XML documents, and what they say of themselves, for tests in the network of lab.sh:
#
#	my ($head, $totals) = is_document($dialect, $text, $name, since => $time,
#		head => { table_now() }, totals => { count => table_size() });
#	my @lines = body_of($text);		# between root and totals
#	my %there = table_now('one', 'two');	# what these namespaces' kernels say
#	my %attributes = attributes(' a="1" b="2"');
#	misfits_schema('flows', $text, 'what is wrong with it');
#
# Attributes are a hash, with the order of their names as ''.
package Documents;

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp ();
use Lab;
use Sys::Hostname qw(hostname);
use Test::More ();
use Time::HiRes qw(time);

our @EXPORT = qw(is_document body_of elements_in table_now attributes misfits_schema);

my $schemas = abs_path(dirname(abs_path(__FILE__)) . '/../../plugins/export');
my $time = qr/^[1-9]\d{9}\.\d{9}\z/;
my $attributes = qr/(?: \w+="[^"<>]*")*/;

my %dialects = (
	conntracks => { encoding => 'ASCII', root => 'conntracks', indent => ' ' x 3,
		flow => qr/^ {3}<conntrack\b/m, expect => qr/^ {3}<expectation\b/m,
		lost => qr/^ {3}<lost events="(\d+)"/m },
	flows => { encoding => 'utf-8', root => 'conntrack', indent => '',
		flow => qr/^<flow\b/m, expect => qr/^<expect\b/m,
		lost => qr/^<lost events="(\d+)"/m },
);
# In this order, those of them that there are.
my @head_names = qw(version generator host netns begun count max accounting timestamps
	filter);
my @totals_names = qw(flows expectations events lost malformed complete count ended);

# ' a="1" b="2"', with the order of the names as ''.
sub attributes {
	my ($text) = @_;
	my %found = ('' => '');

	while ($text =~ s/^ (\w+)="([^"]*)"//) {
		$found{$1} = $2;
		$found{''} .= ($found{''} ? ' ' : '') . $1;
	}
	die "cannot read: $text\n" if $text ne '';
	return %found;
}

# How much there is in a document: flows, expectations, lost events.
sub elements_in {
	my ($dialect, $text) = @_;
	my $is = $dialects{$dialect};
	my %count = (lost => 0);

	$count{flows} = () = $text =~ /$is->{flow}/g;
	$count{expectations} = () = $text =~ /$is->{expect}/g;
	$count{lost} += $1 while $text =~ /$is->{lost}/g;
	return %count;
}

# The lines between the root and the totals.
sub body_of {
	my ($text) = @_;
	my @lines = split /\n/, $text;

	return @lines[2 .. $#lines - 2];
}

# What the kernel says of a namespace, a name of ip-netns(8) or a path; undef: here.
sub said_of {
	my ($netns) = @_;
	my @there = defined $netns ?
		('nsenter', '--net=' . ($netns =~ m{/} ? $netns : "/run/netns/$netns")) :
		();
	my $sysctl = sub {
		my ($status, $out, $err) = run(@there, 'cat',
			"/proc/sys/net/netfilter/nf_conntrack_$_[0]");
		die "$_[0]: $err\n" if $status;
		chomp $out;
		return $out;
	};
	my ($status, $out, $err) = run(@there, 'conntrack', '-C');

	die "conntrack -C: $err\n" if $status;
	chomp $out;
	return { count => $out, max => $sysctl->('max'),
		map { $_->[0] => $sysctl->($_->[1]) ? 'true' : 'false' }
			['accounting', 'acct'], ['timestamps', 'timestamp'] };
}

# What a document's head says of those namespaces, or of this one: count is the sum;
# what they do not agree on is left out, and so is the limit of each.
sub table_now {
	my @netns = @_;
	my ($sum, @others) = map { said_of($_) } @netns ? @netns : undef;

	delete $sum->{max} if @others;
	for my $other (@others) {
		$sum->{count} += $other->{count};
		for my $name ('accounting', 'timestamps') {
			delete $sum->{$name} if
				($sum->{$name} // $other->{$name}) ne $other->{$name};
		}
	}
	return %$sum;
}

# And what it says before events, which is of flows that may be in other states.
sub kept_now {
	my %said = table_now(@_);

	delete @said{'count', 'max'};
	return %said;
}

# The attributes as they have to be, with their order.
sub in_order {
	my ($names, %attributes) = @_;

	$attributes{''} = join ' ', grep { exists $attributes{$_} } @$names;
	return \%attributes;
}

# As is_document() wants the attributes of the root; its time is what it says.
sub head_of {
	my ($head, %about) = @_;
	my (undef, $version) = conntap('--version');

	chomp $version;
	my %kept = ($about{subject} // '') eq 'events' ? kept_now(@{$about{netns} // []}) : ();
	return in_order(\@head_names, version => 1, generator => $version,
		host => hostname(), begun => $head->{begun} // 'a time', %kept,
		%{$about{head} // {}});
}

# And those of the totals: what can be counted in the document is.
sub totals_of {
	my ($dialect, $text, $totals, %about) = @_;
	my %count = elements_in($dialect, $text);
	my $subject = $about{subject} // 'flows';
	my %expected = (malformed => 0, complete => $about{early} ? 'false' : 'true',
		ended => $totals->{ended} // 'a time');

	$expected{flows} = $count{flows} if $subject eq 'flows';
	$expected{expectations} = $count{expectations}
		if $subject eq 'expectations' || $about{expectations};
	if ($subject eq 'events') {
		$expected{events} = $count{flows} + $count{expectations};
		$expected{lost} = $count{lost};
	}
	return in_order(\@totals_names, %expected, %{$about{totals} // {}});
}

# The attributes of the root and of the totals.  Dies at what is not laid out so.
sub ends_of {
	my ($dialect, $text) = @_;
	my ($encoding, $root, $indent) = @{$dialects{$dialect}}{qw(encoding root indent)};
	my $declaration = qr/<\?xml version="1\.0" encoding="$encoding"\?>/;

	$text =~ /\A$declaration\n<$root($attributes)>\n/
		or die "it begins with " . substr($text, 0, 200) . "\n";
	my %head = attributes($1);
	$text =~ /\n$indent<totals($attributes) \/>\n<\/$root>\n\z/
		or die "it ends with " . substr($text, -200) . "\n";
	my %totals = attributes($1);
	return (\%head, \%totals);
}

# Test: the document fits its schema, and says the truth of itself.  What is known of it:
#
#	since		the clock when it was not yet begun
#	head		of the root's attributes: netns, count, max, accounting,
#			timestamps, filter; others are not there, but version,
#			generator, host, begun, and before events what is kept
#	subject		flows (where this is left out), events, expectations
#	netns		whose events, unless they are of this namespace
#	expectations	true: they were asked for, besides flows
#	early		true: it ended early
#	totals		what is other than usual: count; malformed
#
# Returns the attributes of both.
sub is_document {
	my ($dialect, $text, $name, %about) = @_;
	my ($head, $totals) = eval { ends_of($dialect, $text) };
	my $early = qr/\n\ *<!--\ ended\ early,\ after\ (\d+)\ (\w+)\ -->
		\n\ *<totals[^\n]*\n<\/\w+>\n\z/x;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	Test::More::ok($totals, "$name: it has a head and totals") or
		Test::More::diag($@), return ({}, {});
	fits_schema($dialect, $text, $name);
	Test::More::is_deeply($head, head_of($head, %about), "$name: its head");
	my $expected = totals_of($dialect, $text, $totals, %about);
	Test::More::is_deeply($totals, $expected, "$name: its totals");
	check_times($head->{begun}, $totals->{ended}, $about{since}, $name);
	my $subject = $about{subject} // 'flows';
	Test::More::is($text =~ $early ? "$1 $2" : 'whole',
		$about{early} ? "$expected->{$subject} $subject" : 'whole',
		"$name: its last comment");
	return ($head, $totals);
}

sub check_times {
	my ($begun, $ended, $since, $name) = @_;
	my $clock = time + 1e-5; # it has microseconds only, and is cut off

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	Test::More::ok($begun =~ $time && $ended =~ $time && $begun le $ended &&
		$begun >= $since - 1e-5 && $ended <= $clock, "$name: its times") or
		Test::More::diag("not $since <= $begun <= $ended <= $clock");
}

# Test: the document is well-formed, and the schema refuses it.
sub misfits_schema {
	my ($schema, $document, $name) = @_;
	my $file = File::Temp->new(SUFFIX => '.xml');

	print $file $document;
	close $file;
	my ($status, undef, $err) = run('xmllint', '--noout', '--relaxng',
		"$schemas/$schema.rng", "$file");
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	# 3 is "invalid"; what cannot be parsed is 1, and a bad schema 5.
	Test::More::is($status, 3, "$name: not valid") or
		Test::More::diag(substr $err, 0, 1000);
}

1;
