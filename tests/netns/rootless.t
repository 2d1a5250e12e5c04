#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The lab works for a user without privileges, where user namespaces are allowed.
use strict;
use warnings;

use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Lab;

plan(skip_all => 'root only: lab.t has shown it as an ordinary user') if $> != 0;

my @nobody = qw(setpriv --reuid=65534 --regid=65534 --clear-groups);
my ($readable) = run(@nobody, 'test', '-r', "$FindBin::Bin/lab.t", '-a', '-x',
	program('tests/traffic'));
plan(skip_all => 'nobody cannot read this directory') if $readable != 0;

my ($status, $out, $err) = run(@nobody, $^X, "$FindBin::Bin/lab.t");
plan(skip_all => $1) if $out =~ /^1\.\.0 # SKIP (.*)/m;

is($status, 0, 'lab.t passes as nobody') or diag($err);
like($out, qr/^1\.\.\d+$/m, 'all of it');
done_testing();
