# SPDX-License-Identifier: GPL-2.0-or-later
#
# OpenMetrics 1.0 as text, taken at its word, for tests:
#
#	my ($families, @errors) = read_openmetrics($text);
#	my $families = is_openmetrics($text, 'what is tested');
#	my %samples = samples_of($text);	# ('flows{proto="tcp"}' => '7', ...)
#	my $key = series('flows', proto => 'tcp');
#	my $well = is_utf8($bytes);
#
# A family is a hash: name, type, unit, help, samples; and so is a sample: name, series,
# labels (a hash), value.  samples_of() reads Prometheus's older format, too.
#
# What conntap has no use for is refused as if it were wrong: histograms, summaries,
# sets of states, timestamps, exemplars.
package OpenMetrics;

use strict;
use warnings;

use Encode ();
use Exporter qw(import);
use Test::More ();

our @EXPORT = qw(read_openmetrics is_openmetrics is_utf8 samples_of series);

my $metric_name = qr/[a-zA-Z_:][a-zA-Z0-9_:]*/;
my $label_name = qr/[a-zA-Z_][a-zA-Z0-9_]*/;
# Quotes, backslashes and ends of lines never stand by themselves.
my $escaped = qr/(?:[^\\"\n]|\\[\\"n])*/;
my $digits = qr/\d+(?:\.\d*)?|\.\d+/;
my $number = qr/[+-]?(?:(?:$digits)(?:[eE][+-]?\d+)?|(?i:inf|infinity))|(?i:nan)/;

# Behind the family's name, in the names of its samples.
my %endings = (
	gauge => [''],
	unknown => [''],
	counter => ['_total', '_created'],
	info => ['_info'],
);
my $reserved = qr/_(?:total|created|info|bucket|count|sum|gcount|gsum)\z/;

# Whether these bytes are.
sub is_utf8 {
	my ($bytes) = @_;

	return defined eval { Encode::decode('UTF-8', $bytes, Encode::FB_CROAK) };
}

# The key of a series: its labels in an order of ours.
sub series {
	my ($name, %labels) = @_;
	my %escapes = ("\\" => '\\\\', '"' => '\\"', "\n" => '\\n');

	s/([\\"\n])/$escapes{$1}/g for values %labels;
	my $labels = join ',', map { "$_=\"$labels{$_}\"" } sort keys %labels;
	return $labels eq '' ? $name : "$name\{$labels}";
}

# Reads "{...}"; dies of what is wrong with it.
sub read_labels {
	my ($text) = @_;
	my %escapes = ('\\\\' => "\\", '\\"' => '"', '\\n' => "\n");
	my %labels;

	$text =~ s/\A\{(.*)\}\z/$1/s or die "no labels: $text\n";
	while ($text ne '') {
		$text =~ s/\A($label_name)="($escaped)"(,(?!\z)|\z)//
			or die "not a label: $text\n";
		my ($name, $value) = ($1, $2);
		die "the label $name is reserved\n" if $name =~ /^__/;
		die "the label $name, again\n" if exists $labels{$name};
		$labels{$name} = $value =~ s/(\\[\\"n])/$escapes{$1}/gr;
	}
	return \%labels;
}

# A line that is no comment; dies of what is wrong with it.
sub read_sample {
	my ($line) = @_;
	my ($name, $labels, $value) =
		$line =~ /\A($metric_name)(\{(?:[^"]|"$escaped")*\})? ($number)\z/
		or die "not a sample: $line\n";
	my %sample = (name => $name, value => $value,
		labels => defined $labels ? read_labels($labels) : {});

	$sample{series} = series($name, %{$sample{labels}});
	return \%sample;
}

sub add_metadata {
	my ($self, $word, $name, $text) = @_;
	my $family = $self->{families}[-1];
	my $key = lc $word;

	if (!$family || $family->{name} ne $name) {
		die "the family $name, again\n" if $self->{known}{$name}++;
		push @{$self->{families}}, $family = { name => $name, samples => [] };
	}
	die "$word of $name behind its samples\n" if @{$family->{samples}};
	die "$word of $name, again\n" if exists $family->{$key};
	die "no $word of $name\n" if $text eq '';
	die "HELP of $name has a bad escape\n"
		if $word eq 'HELP' && $text !~ /\A$escaped\z/;
	die "$name is of no type known here: $text\n"
		if $word eq 'TYPE' && !$endings{$text};
	$family->{$key} = $text;
}

sub add_sample {
	my ($self, $sample) = @_;
	my $family = $self->{families}[-1] or die "$sample->{name} has no family\n";
	my $type = $family->{type} // die "$family->{name} has no TYPE\n";
	my $value = $sample->{value};

	die "$sample->{name} is no sample of the $type $family->{name}\n"
		unless grep { $sample->{name} eq $family->{name} . $_ }
			@{$endings{$type}};
	die "$sample->{series}, again\n" if $self->{series}{$sample->{series}}++;
	die "$sample->{series} is an info, but $value\n"
		if $type eq 'info' && $value ne '1';
	die "$sample->{series} is a counter, but $value\n"
		if $type eq 'counter' && $value =~ /^(?:-|nan)/i;
	push @{$family->{samples}}, $sample;
}

sub read_line {
	my ($self, $line) = @_;

	die "an empty line\n" if $line eq '';
	return add_sample($self, read_sample($line)) if $line !~ /\A#/;
	$line =~ /\A# (HELP|TYPE|UNIT) ($metric_name) (.*)\z/ or
		die "neither HELP nor TYPE nor UNIT: $line\n";
	add_metadata($self, $1, $2, $3);
}

# What can only be said of a whole family, or of all of them.
sub family_errors {
	my ($self) = @_;
	my (%whose, @errors);

	for my $family (@{$self->{families}}) {
		my ($name, $unit) = @$family{qw(name unit)};
		push @errors, map { "$name has no " . uc }
			grep { !defined $family->{$_} } qw(help type);
		push @errors, "$name has no samples" unless @{$family->{samples}};
		push @errors, "$name ends in what is added to names"
			if $name =~ $reserved;
		next unless defined $family->{type};
		push @errors, "$name does not end in its unit, $unit"
			if defined $unit && $name !~ /_\Q$unit\E\z/;
		push @errors, "$name is an info with a unit"
			if defined $unit && $family->{type} eq 'info';
		for my $sample (map { $name . $_ } @{$endings{$family->{type}}}) {
			push @errors, "$name and $whose{$sample} both have $sample"
				if $whose{$sample};
			$whose{$sample} = $name;
		}
	}
	return @errors;
}

# Reads a document: its families, and what is wrong with it.
sub read_openmetrics {
	my ($text) = @_;
	my %self = (families => [], known => {}, series => {});
	my ($number, @errors) = (0);

	push @errors, 'not UTF-8' unless is_utf8($text);
	push @errors, 'no "# EOF" at the end' unless $text =~ s/^# EOF\n?\z//m;
	push @errors, 'the last line has no end' if $text =~ /[^\n]\z/;
	while ($text =~ s/\A(.*)\n//) {
		my $line = $1;
		$number++;
		eval { read_line(\%self, $line); 1 } or
			push @errors, "line $number: " . $@ =~ s/\n\z//r;
	}
	push @errors, family_errors(\%self);
	return ($self{families}, @errors);
}

# Test: the document is OpenMetrics.  Returns its families.
sub is_openmetrics {
	my ($text, $name) = @_;
	my ($families, @errors) = read_openmetrics($text);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	Test::More::ok(!@errors, "$name: OpenMetrics") or
		Test::More::diag(join "\n", splice @errors, 0, 6);
	return $families;
}

# The samples of a document of either format: values by series.  What cannot be read, or
# is there again, is a series by itself.
sub samples_of {
	my ($text) = @_;
	my %samples;

	for my $line (grep { !/\A#/ } split /\n/, $text) {
		my $sample = eval { read_sample($line) } //
			{ series => $line, value => 'unreadable' };
		my $series = $sample->{series};
		$series .= ', again' while exists $samples{$series};
		$samples{$series} = $sample->{value};
	}
	return %samples;
}

1;
