# SPDX-License-Identifier: GPL-2.0-or-later
#
# The messages of SNMP version 2c, for a client in tests:
#
#	my $bytes = ber_message($community, 'get', $id, 0, 0, [$oid, 'null'], ...);
#	my ($id, $error, $index, @rows) = ber_answer($bytes);
#
# The two numbers are those of GETBULK: how many names are not repeated, and how often
# the others are.  A row is [oid, type, value].  Types: integer, string, null, oid, ip,
# counter, gauge, ticks, counter64; and in answers noSuchObject, noSuchInstance,
# endOfMibView, whose value is undef.  Dies of an answer that is none.
package Ber;

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT = qw(ber_message ber_answer);

my %tags = (integer => 0x02, string => 0x04, null => 0x05, oid => 0x06, ip => 0x40,
	counter => 0x41, gauge => 0x42, ticks => 0x43, counter64 => 0x46,
	noSuchObject => 0x80, noSuchInstance => 0x81, endOfMibView => 0x82);
my %types = reverse %tags;
my %pdus = (get => 0xa0, next => 0xa1, set => 0xa3, bulk => 0xa5);
my @errors = qw(noError tooBig noSuchName badValue readOnly genErr noAccess wrongType
	wrongLength wrongEncoding wrongValue noCreation inconsistentValue
	resourceUnavailable commitFailed undoFailed authorizationError notWritable
	inconsistentName);

sub element {
	my ($tag, $content) = @_;
	my $length = length $content;

	return pack('C C', $tag, $length) . $content if $length < 128;
	return pack('C C n', $tag, 0x82, $length) . $content;
}

# In as few octets as two's complement takes.
sub integer {
	my ($tag, $value) = @_;
	my $octets = pack 'q>', $value;

	$octets = "\0$octets" if $value > 9223372036854775807;
	$octets = substr $octets, 1
		while $octets =~ /\A(?:\0[\0-\x7f]|\xff[\x80-\xff])/;
	return element($tag, $octets);
}

sub oid {
	my ($first, $second, @rest) = split /\./, $_[0];

	return element(0x06, pack 'w*', 40 * $first + $second, @rest);
}

sub value {
	my ($type, $value) = @_;

	return element(0x05, '') if $type eq 'null';
	return oid($value) if $type eq 'oid';
	return element($tags{$type}, $value) if $type eq 'string' || $type eq 'ip';
	return integer($tags{$type}, $value);
}

sub ber_message {
	my ($community, $pdu, $id, $first, $second, @vars) = @_;
	my $numbers = join '', map { integer(2, $_) } $id, $first, $second;
	my $vars = join '', map { element(0x30, oid($_->[0]) .
		value($_->[1], $_->[2])) } @vars;

	return element(0x30, integer(2, 1) . element(4, $community) .
		element($pdus{$pdu}, $numbers . element(0x30, $vars)));
}

# Takes the first element off the bytes: (tag, its content).
sub take {
	my ($bytes) = @_;
	my ($tag, $length) = unpack 'C C', $$bytes;
	my $head = 2;

	if ($length > 128) {
		$head += $length - 128;
		$length = unsigned(substr $$bytes, 2, $head - 2);
	}
	die "an element that is cut short\n" if length $$bytes < $head + $length;
	my $content = substr $$bytes, $head, $length;
	substr $$bytes, 0, $head + $length, '';
	return ($tag, $content);
}

sub unsigned {
	return unpack 'Q>', substr "\0" x 8 . $_[0], -8;
}

sub signed {
	my ($octets) = @_;
	my $fill = $octets =~ /\A[\x80-\xff]/ ? "\xff" : "\0";

	return unpack 'q>', substr $fill x 8 . $octets, -8;
}

sub oid_of {
	my ($first, @rest) = unpack 'w*', $_[0];
	my @top = $first < 80 ? (int $first / 40, $first % 40) : (2, $first - 80);

	return join '.', @top, @rest;
}

sub value_of {
	my ($tag, $octets) = @_;
	my $type = $types{$tag} // die sprintf "a value with the tag %#x\n", $tag;

	return ($type, oid_of($octets)) if $type eq 'oid';
	return ($type, $octets) if $type =~ /^(?:string|ip)$/;
	return ($type, signed($octets)) if $type eq 'integer';
	return ($type, undef) if $octets eq '';
	return ($type, unsigned($octets));
}

sub ber_answer {
	my ($bytes) = @_;
	my (undef, $message) = take(\$bytes);

	take(\$message) for 1, 2;
	my (undef, $pdu) = take(\$message);
	my ($id, $status, $index) = map { signed((take(\$pdu))[1]) } 1 .. 3;
	my (undef, $list) = take(\$pdu);
	my @vars;
	while ($list ne '') {
		my (undef, $var) = take(\$list);
		my (undef, $oid) = take(\$var);
		push @vars, [oid_of($oid), value_of(take(\$var))];
	}
	return ($id, $errors[$status] // $status, $index, @vars);
}

1;
