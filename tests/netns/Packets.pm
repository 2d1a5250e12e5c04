# SPDX-License-Identifier: GPL-2.0-or-later
#
# Packets made by hand, for tests in the network of lab.sh:
#
#	packet($protocol, $from, $to, $data)	[destination, bytes with the IP header]
#	send_packets($netns, @packets)		sends them from a namespace
package Packets;

use strict;
use warnings;

use Exporter qw(import);
use File::Temp ();
use Lab;
use Socket qw(AF_INET AF_INET6 inet_pton);

our @EXPORT = qw(packet send_packets);

sub send_packets {
	my ($netns, @packets) = @_;
	my $file = File::Temp->new;

	print $file join ' ', $_->[0], unpack('H*', $_->[1]) . "\n" for @packets;
	close $file;
	my ($status, undef, $err) = run(qw(ip netns exec), $netns, $^X, '-e', <<'END', "$file");
use Socket;
for (<>) {
	my ($to, $hex) = split;
	my $v6 = $to =~ /:/;
	$sockets{$v6} or socket $sockets{$v6}, $v6 ? AF_INET6 : AF_INET, SOCK_RAW, 255
		or die "socket: $!\n";
	send $sockets{$v6}, pack('H*', $hex), 0, $v6 ? pack_sockaddr_in6(0,
		Socket::inet_pton(AF_INET6, $to)) : pack_sockaddr_in(0, inet_aton($to))
		or die "send: $!\n";
}
END
	die "packets from $netns: $err\n" if $status;
}

sub packet {
	my ($protocol, $from, $to, $data) = @_;
	my $family = $to =~ /:/ ? AF_INET6 : AF_INET;
	my $head = $family == AF_INET6 ?
		pack('N n C C', 6 << 28, length $data, $protocol, 64) :
		pack('C C n n n C C n', 0x45, 0, 20 + length $data, 1, 0, 64, $protocol,
			0);
	my $addresses = join '', map { inet_pton($family, $_) } $from, $to;

	return [$to, $head . $addresses . $data];
}

1;
