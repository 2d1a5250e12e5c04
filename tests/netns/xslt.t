#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# contrib/xslt/conntap.xsl: a page has the numbers of its document, in both dialects, is
# the same to readers of XML and of HTML, loads nothing, and takes text for text.
use strict;
use warnings;

use Digest::SHA qw(sha256_base64);
use File::Temp ();
use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Files;
use Lab;

for my $tool ('xsltproc', 'xmllint') {
	next if grep { -x "$_/$tool" } split /:/, $ENV{PATH};
	plan(skip_all => "no $tool here (Debian: " .
		($tool eq 'xsltproc' ? $tool : 'libxml2-utils') . '): no page is tested');
}
enter_lab();

my $stylesheet = "$FindBin::Bin/../../contrib/xslt/conntap.xsl";
my $dir = open_dir();
my %names = (1 => 'icmp', 6 => 'tcp', 17 => 'udp', 33 => 'dccp', 47 => 'gre',
	58 => 'icmpv6', 132 => 'sctp', 136 => 'udplite', 253 => '253');
# How the dialects say it: the flows, and of a flow what it has.
my %paths = (
	conntracks => { flow => '/conntracks/conntrack', expect => '/conntracks/expectation',
		proto => 'tuple[1]/@proto', family => 'tuple[1]/@l3protonum',
		src => 'tuple[1]/@src', dst => 'tuple[1]/@dst', dport => 'tuple[1]/@dport',
		state => 'tcp/@state', flag => 'status/flag', event => '@event',
		bytes => 'counter/@bytes', packets => 'counter/@packets',
		replied => 'status/flag="seen reply"' },
	flows => { flow => '/conntrack/flow', expect => '/conntrack/expect',
		proto => 'meta[1]/layer4/@protonum', family => 'meta[1]/layer3/@protonum',
		src => 'meta[1]/layer3/src', dst => 'meta[1]/layer3/dst',
		dport => 'meta[1]/layer4/dport', state => 'meta[3]/state',
		flag => 'meta[3]/status/flag', event => '@type',
		bytes => 'meta/counters/bytes', packets => 'meta/counters/packets',
		replied => 'not(meta[3]/unreplied)' },
);

# What xmllint finds in a document; $document is a file's name.
sub xpath {
	my ($document, $expression) = @_;
	my ($status, $out, $err) = run('xmllint', '--xpath', $expression, $document);

	die "xmllint: $expression: $err\n" if $status;
	chomp $out;
	return $out;
}

# Many numbers at once.
sub numbers_in {
	my ($document, @expressions) = @_;

	return split / /, xpath($document,
		'concat(' . join(", ' ', ", @expressions, "''") . ')');
}

sub file_of {
	my ($name, $text) = @_;

	spew("$dir/$name", $text);
	return "$dir/$name";
}

# The page of a document, which is text.  What holds for every page is tested.
sub page_of {
	my ($name, $text, @parameters) = @_;
	my $document = file_of('document.xml', $text);
	my ($status, $out, $err) = run('xsltproc', @parameters, $stylesheet, $document);

	is("$status $err", '0 ', "$name: a page, and nothing on stderr");
	my $page = file_of('page.html', $out);
	is(join(' ', run('xmllint', '--noout', $page)), '0  ', "$name: well-formed");
	check_as_html($name, $page, $out);
	check_alone($name, $out);
	return $out;
}

# An element that is empty in XML goes on in HTML, unless it never has an end, or need not
# have one, or is SVG's.
sub check_as_html {
	my ($name, $page, $text) = @_;
	my %empty = map { $_ => 1 } $text =~ m{<(\w+)[^<>]*/>}g;
	my $cells = '<(?:td|th|tr|table|dd|li)[ >/]';
	my $count = () = $text =~ /$cells/g;

	delete @empty{qw(meta input td tbody rect)};
	is(join(' ', sort keys %empty), '', "$name: nothing is empty that HTML wants closed");
	ok($text =~ /\A<!DOCTYPE html SYSTEM "about:legacy-compat">\s*<html /,
		"$name: the type of HTML");
	my ($status, $html, $err) = run('xmllint', '--html', '--xpath',
		'count(//td | //th | //tr | //table | //dd | //li)', $page);
	is($html, "$count\n", "$name: as many cells for a reader of HTML");
	my $new = qr/ Tag (?:header|main|section|svg|rect|output) invalid/;
	my @wrong = grep { / parser error : / && !/$new/ } split /\n/, $err;
	is_deeply(\@wrong, [], "$name: no errors for a reader of HTML, but new elements");
}

# No reference to anything else, one script, and that is the one that may run.
sub check_alone {
	my ($name, $page) = @_;
	my $rest = $page =~ s{ xmlns="http://www\.w3\.org/(?:1999/xhtml|2000/svg)"}{}gr;

	is_deeply([$rest =~ m{https?:|<link|<iframe|<object|<embed|<img|\@import|url\(}gi], [],
		"$name: no reference to the network");
	is_deeply([$rest =~ s/>[^<]*//gr =~ / (?:src|href|action|style|on\w+)=/gi], [],
		"$name: no attribute that loads or does");
	my @scripts = $page =~ m{<script>(.*?)</script>}gs;
	is(scalar(() = $page =~ /<script/gi), 1, "$name: one script");
	my ($allowed) = $page =~ /script-src 'sha256-([^']*)'/;
	my $hash = sha256_base64($scripts[0] // '');
	$hash .= '=' while length($hash) % 4;
	is($allowed, $hash, "$name: it is the one that may run") or
		diag("the stylesheet has to say: sha256-$hash");
}

sub unescaped {
	my ($text) = @_;
	my %characters = (lt => '<', gt => '>', quot => '"', amp => '&');

	$text =~ s/<[^>]*>//g;
	$text =~ s/&(\w+);/$characters{$1} \/\/ die "what is &$1;\n"/ge;
	return $text =~ s/\xc2\xa0/ /gr =~ s/^\s+|\s+$//gr;
}

# The table with that id: its heads, and its lines, each an array of texts.
sub table {
	my ($page, $id) = @_;
	my ($table) = $page =~ m{<table id="$id">(.*?)</table>}s or return;
	my $cell = qr{<t[hd](?: [^>]*?)?(?:/>|>(.*?)</t[hd]>)}s;
	my ($heads, @rest) = map { [map { unescaped($_ // '') } /$cell/g] }
		map { s/<svg.*?<\/svg>//gsr } $table =~ m{<tr>(.*?)</tr>}gs;

	return { heads => $heads, lines => \@rest };
}

# A chart as a hash: names and their number of flows; bytes as they are shown.
sub chart {
	my ($page, $id) = @_;
	my $table = table($page, $id) // return ({}, {});
	my %flows = map { $_->[0] => $_->[1] =~ s/,//gr } @{$table->{lines}};
	my %bytes = map { $_->[0] => $_->[3] } grep { defined $_->[3] } @{$table->{lines}};

	return (\%flows, \%bytes);
}

# The text of an element with that id; undef where there is none.
sub text_of {
	my ($page, $id) = @_;

	return $page =~ m{<(\w+) id="$id"[^>]*>(.*?)</\1>}s ? unescaped($2) : undef;
}

sub warnings_of {
	my ($page) = @_;

	return map { unescaped($_) } $page =~ m{<p class="warning">(.*?)</p>}gs;
}

sub with_commas {
	my ($number) = @_;

	1 while $number =~ s/^(\d+)(\d{3})/$1,$2/;
	return $number;
}

# As conntap top has them.
sub bytes_text {
	my ($bytes) = @_;
	my @units = qw(B KiB MiB GiB TiB);

	return "$bytes B" if $bytes < 1024;
	while ($bytes >= 1023.95) {
		$bytes /= 1024;
		shift @units;
	}
	return sprintf '%.1f %s', $bytes, $units[0];
}

# A chart against what is counted in the document: [name, condition] of a flow each.
sub check_chart {
	my ($name, $page, $dialect, $id, @kinds) = @_;
	my $paths = $paths{$dialect};
	my ($flows, $bytes) = chart($page, $id);
	my @counts = numbers_in("$dir/document.xml",
		map { "count($paths->{flow}\[$_->[1]])" } @kinds);
	my @bytes = numbers_in("$dir/document.xml",
		map { "sum($paths->{flow}\[$_->[1]]/$paths->{bytes})" } @kinds);
	my %flows_expected = map { $kinds[$_][0] => $counts[$_] }
		grep { $counts[$_] || $kinds[$_][2] } 0 .. $#kinds;
	my %bytes_expected = map { $kinds[$_][0] => bytes_text($bytes[$_]) }
		grep { $counts[$_] || $kinds[$_][2] } 0 .. $#kinds;
	is_deeply($flows, \%flows_expected, "$name: $id");
	is_deeply($bytes, \%bytes_expected, "$name: $id, bytes") if %$bytes;
}

# Every name in a chart is asked for in the document, and the names are all that there
# are, or the most.
sub check_top {
	my ($name, $page, $dialect, $id, $all, $condition) = @_;
	my ($flows) = chart($page, $id);
	my @names = sort keys %$flows;

	check_chart($name, $page, $dialect, $id, map { [$_, $condition->($_)] } @names);
	is(scalar @names, $all > 10 ? 10 : $all, "$name: $id, how many");
	my @order = map { $_->[1] =~ s/,//gr } @{table($page, $id)->{lines}};
	is_deeply(\@order, [sort { $b <=> $a } @order], "$name: $id, most first");
	like($page =~ m{<table id="$id"><caption>(.*?)</caption>}s ? unescaped($1) : '',
		$all > 10 ? qr/the 10 with most, of $all$/ : qr/^[A-Z][a-z ]+$/,
		"$name: $id, of how many");
}

# All numbers of a page of flows.
sub check_numbers {
	my ($name, $page, $dialect) = @_;
	my $paths = $paths{$dialect};
	my $document = "$dir/document.xml";
	my ($flows, $expects, $bytes, $packets) = numbers_in($document,
		"count($paths->{flow})", "count($paths->{expect})",
		map { "sum($paths->{flow}/$paths->{$_})" } 'bytes', 'packets');
	my $is = sub { my $proto = shift; "$paths->{proto}=$proto" };
	my %nodes = map { my $key = $_; my %seen;
		$seen{$_}++ for split /\n/, xpath($document, "$paths->{flow}/$paths->{$key}/" .
			($dialect eq 'flows' ? 'text()' : '.') ) =~ s/^ *\w+="|"$//gmr;
		$key => \%seen } 'src', 'dst';

	is(text_of($page, 'bytes'), bytes_text($bytes), "$name: bytes");
	is(text_of($page, 'packets'), with_commas($packets), "$name: packets");
	is(text_of($page, 'source-count'), keys %{$nodes{src}}, "$name: how many sources");
	is(text_of($page, 'destination-count'), keys %{$nodes{dst}},
		"$name: how many destinations");
	check_chart($name, $page, $dialect, 'protocols',
		map { [$names{$_}, $is->($_)] } keys %names);
	check_chart($name, $page, $dialect, 'families', ['IPv4', "$paths->{family}=2"],
		['IPv6', "$paths->{family}=10"]);
	check_chart($name, $page, $dialect, 'states', ['none told',
			$is->(6) . " and not($paths->{state})"],
		map { [$_, $is->(6) . " and $paths->{state}='$_'"] } qw(NONE SYN_SENT
			SYN_SENT2 SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT
			CLOSE));
	my $has = sub { my $flag = shift; "$paths->{flag}='$flag'" };
	check_chart($name, $page, $dialect, 'status', ['assured', $has->('assured'), 1],
		['unreplied', "not($paths->{replied})", 1],
		['translated (NAT)', $has->('src_nat') . ' or ' . $has->('dst_nat'), 1],
		['source translated', $has->('src_nat')],
		['destination translated', $has->('dst_nat')],
		['expected by a helper', $has->('expected')]);
	check_top($name, $page, $dialect, 'sources', scalar keys %{$nodes{src}},
		sub { "$paths->{src}='$_[0]'" });
	check_top($name, $page, $dialect, 'destinations', scalar keys %{$nodes{dst}},
		sub { "$paths->{dst}='$_[0]'" });
	my %numbers = reverse %names;
	is(scalar @{table($page, 'services')->{lines}}, 10, "$name: services, the most");
	for my $line (@{table($page, 'services')->{lines}}) {
		my ($proto, $port) = split / /, $line->[0];
		is($line->[1], xpath($document, "count($paths->{flow}\[" .
			$is->($numbers{$proto}) . " and $paths->{dport}=$port])"),
			"$name: service $line->[0]");
	}
}

# The lines of the table, as conntrack(8) has the flows.
sub check_lines {
	my ($name, $page, @flows) = @_;
	my $table = table($page, 'flows');
	my @titles = ('Protocol', 'Source', 'Port', 'Destination', 'Port', 'State',
		'Bytes there', 'Bytes back');
	my @columns;

	my %at;
	push @{$at{$table->{heads}[$_]}}, $_ for 0 .. $#{$table->{heads}};
	@columns = map { shift @{$at{$_}} // die "$name: no column $_\n" } @titles;
	my @shown = map { join ' ', @$_[@columns] } @{$table->{lines}};
	my @expected = map {
		my $orig = $_->{orig};
		join ' ', $names{$_->{protonum}}, $orig->{src},
			$orig->{sport} // $orig->{srckey} // (defined $orig->{id} ?
				"id $orig->{id}" : ''), $orig->{dst},
			$orig->{dport} // $orig->{dstkey} // (defined $orig->{type} ?
				"type $orig->{type}" : ''), $_->{state} // '',
			map { with_commas($_->{bytes}) } $orig, $_->{reply}
	} @flows;

	same_lines(\@shown, \@expected, "$name: its lines are the flows");
	my @sums = map { my $line = $_;
		my ($a, $b) = map { $line->[$_] =~ s/,//gr } @columns[-2, -1]; $a + $b
	} @{$table->{lines}};
	is_deeply(\@sums, [sort { $b <=> $a } @sums], "$name: most bytes first");
}

# The kernel's numbers, as the document has them.
sub check_metrics {
	my ($name, $page) = @_;
	my $value = sub { xpath("$dir/document.xml",
		"sum(/*/metrics/metric[\@name='$_[0]']/\@value)") };
	my $table = table($page, 'fullness');

	is_deeply([map { [@$_[0 .. 2]] } @{$table->{lines}}],
		[['Flows', map { with_commas($value->($_)) } 'entries', 'entries_limit'],
			['Expectations', map { with_commas($value->($_)) } 'expectations',
				'expectations_limit']], "$name: how full the table is");
	my %losses = map { $_->[0] => $_->[1] =~ s/,//gr } @{table($page, 'losses')->{lines}};
	is_deeply([sort keys %losses], [sort qw(drop early_drop insert_failed chain_toolong
		invalid error found clash_resolve)], "$name: drops and errors");
	is_deeply(\%losses, { map { $_ => $value->($_) } keys %losses },
		"$name: drops and errors, how many");
	my @public = map { $_->[0] } @{table($page, 'nat')->{lines}};
	my $public = 'count(/*/metrics/metric[@name="nat_remote_ports"])';
	is(scalar @public, xpath("$dir/document.xml", $public), "$name: public addresses");
}

sub document {
	my ($status, $out, $err) = conntap('xml', @_);

	is("$status $err", '0 ', "xml @_");
	return $out;
}

# The same of both dialects, but for what passes and what one of them does not have.
sub comparable {
	my ($page) = @_;
	my %tables = map { my $table = table($page, $_); $_ => $table && $table->{lines} }
		qw(fullness nat losses kinds protocols families states status sources
		destinations services);
	for my $id ('flows', 'expectations') {
		my $table = table($page, $id) // next;
		my @kept = grep { $table->{heads}[$_] !~ /^(Timeout, s|Age, s|Time, UTC)$/ }
			0 .. $#{$table->{heads}};
		$tables{$id} = [sort map { join('|', @$_[@kept]) =~
			s/ *expected by \w+ \S+ \S+ \S+$//r } @{$table->{lines}}];
	}
	$tables{$_} = text_of($page, $_) for qw(count events expected bytes packets);
	return \%tables;
}

sub check_flows {
	my @flows = conntrack_flows();
	my @pages;

	for my $dialect ('conntracks', 'flows') {
		my $page = page_of($dialect, document('--stats', '--expect', '--dialect',
			$dialect));
		is(text_of($page, 'count'), scalar @flows, "$dialect: how many flows");
		is(text_of($page, 'complete'), 'yes', "$dialect: complete");
		is_deeply([warnings_of($page)], [], "$dialect: no warnings");
		check_numbers($dialect, $page, $dialect);
		check_lines($dialect, $page, @flows);
		check_metrics($dialect, $page);
		push @pages, comparable($page);
	}
	is_deeply($pages[1], $pages[0], 'both dialects: the same page');
	my $page = page_of('a filter', document('--proto', 'udp'));
	is(text_of($page, 'filter'), '--protonum udp', 'a filter is told');
	is_deeply([map { $_->[0] } @{table($page, 'protocols')->{lines}}], ['udp'],
		'and kept');
	is(scalar @{table($page, 'fullness')->{lines}}, 1, 'without metrics, the head tells');
	check_limit(scalar @flows);
	check_conntrack(@flows);
}

sub check_limit {
	my ($count) = @_;
	my $text = document();
	my $all = comparable(page_of('all', $text));
	my $page = page_of('limit', $text, '--param', 'limit', 5, '--param', 'top', 2);
	my $few = comparable($page);

	is(scalar @{$few->{flows}}, 5, 'limit: so many lines');
	like(text_of($page, 'shown'), qr/ 5 of $count; @{[$count - 5]} are not shown\. /,
		'limit: how many are not shown');
	is_deeply($few->{status}, $all->{status}, 'limit: the charts are of all');
	is(scalar @{$few->{sources}}, 2, 'top: so many lines');
	is_deeply($few->{sources}, [@{$all->{sources}}[0, 1]], 'top: the first of them');
	$few = comparable(page_of('limit 0', $text, '--param', 'limit', 0));
	is_deeply($few->{flows}, $all->{flows}, 'limit 0: all');
}

# A document of conntrack(8) says less, and that is right.
sub check_conntrack {
	my @flows = @_;
	my $text = join '', map { (run('conntrack', '-L', '-f', $_, '-o', 'xml'))[1] } 'ipv4',
		'ipv6';

	$text =~ s{</conntrack>\n<\?xml[^\n]*\n<conntrack>\n}{};
	my $page = page_of('conntrack(8)', $text);
	my ($status) = chart($page, 'status');
	my $count = sub { my @flags = @_;
		scalar grep { my $flow = $_; grep { $flow->{flags}{$_} } @flags } @flows };

	is(text_of($page, 'count'), scalar @flows, 'conntrack(8): how many flows');
	is_deeply($status, { assured => $count->('ASSURED'),
		unreplied => $count->('UNREPLIED'),
		'translated (NAT)' => $count->('SRC_NAT', 'DST_NAT'),
		'source translated' => $count->('SRC_NAT'),
		'destination translated' => $count->('DST_NAT') }, 'conntrack(8): status');
	is_deeply([warnings_of($page)], [], 'conntrack(8): no warnings');
}

# Of events as they happen, and of a log of flows that end.
sub check_events {
	my @jobs = map { start_listening({}, 0x3f, program('conntap'), 'events', '-o', $_,
		'--event', 'all') } 'xml', 'flows';
	my @logs = map { start_listening({}, 0x4, program('conntap'), 'xml', '--events',
		'--dialect', $_) } 'conntracks', 'flows';
	my $traffic = start_traffic();

	$traffic = undef;
	run('conntrack', '-F');
	wait_for_quiet(@jobs, @logs);
	for (['events', @jobs], ['log', @logs]) {
		my ($kind, @both) = @$_;
		my @pages;
		for my $dialect ('conntracks', 'flows') {
			my (undef, $text) = interrupt(shift @both);
			my $name = "$kind, $dialect";
			my $page = page_of($name, $text, '--param', 'limit', 0);
			my $paths = $paths{$dialect};
			my ($told) = $text =~ /<totals events="(\d+)" lost="0"/;
			is(text_of($page, 'events'), with_commas($told), "$name: how many");
			is_deeply([warnings_of($page)], [], "$name: no warnings");
			check_numbers($name, $page, $dialect);
			check_chart($name, $page, $dialect, 'kinds',
				map { [$_, "$paths->{event}='$_'"] } qw(new update destroy));
			push @pages, comparable($page);
			check_order($name, $page, $paths) if $dialect eq 'conntracks';
			check_expected($name, $page, $paths) if $kind eq 'events';
		}
		is_deeply($pages[1], $pages[0], "$kind: the same in both dialects");
	}
}

# What is still on its way is in none of the documents, or in all.
sub wait_for_quiet {
	my @jobs = @_;
	my $before = '';

	wait_until('quiet', sub {
		my $now = join ' ', map { length so_far($_) } @jobs;
		my $quiet = $now eq $before;
		$before = $now;
		select undef, undef, undef, 0.3 unless $quiet;
		return $quiet;
	});
}

# Events stay in the order of the document.
sub check_order {
	my ($name, $page, $paths) = @_;
	my @events = map { $_->[0] } @{table($page, 'flows')->{lines}};
	my @expected = map { /"(\w+)"/ } split /\n/, xpath("$dir/document.xml",
		"$paths->{flow}/$paths->{event}");

	is_deeply(\@events, \@expected, "$name: in their order");
}

sub check_expected {
	my ($name, $page, $paths) = @_;
	my $table = table($page, 'expectations');

	is(scalar @{$table->{lines}}, xpath("$dir/document.xml", "count($paths->{expect})"),
		"$name: expectations");
	is(text_of($page, 'expected'), scalar @{$table->{lines}},
		"$name: how many expectations");
	my @ftp = grep { grep { $_ eq 'ftp' } @$_ } @{$table->{lines}};
	cmp_ok(scalar @ftp, '>', 0, "$name: some of FTP");
	like(join(' ', @{$ftp[0]}), qr/ tcp \S+ \* \S+ \d+ tcp \S+ → \S+ ftp /,
		"$name: from any port, and from whom");
}

sub check_expectations {
	my @master = qw(-p tcp -s 192.0.2.1 -d 192.0.2.2 --sport 10 --dport 21);

	my ($status) = conntap('create', @master, qw(--state ESTABLISHED --helper ftp));
	is($status, 0, 'a master');
	($status) = conntap('expect', 'create', @master, qw(--tuple-src 192.0.2.2
		--tuple-dst 192.0.2.1 --tuple-port-dst 4000 --helper ftp --flags permanent
		--nat-addr 192.0.2.9 --nat-port 77 --nat-direction reply));
	is($status, 0, 'an expectation');
	for my $dialect ('conntracks', 'flows') {
		my $page = page_of("expectation, $dialect",
			document('--expect', '--dialect', $dialect));
		my ($line) = @{table($page, 'expectations')->{lines}};
		splice @$line, 7, 1; # the timeout, which passes
		is_deeply($line, ['tcp', '192.0.2.2', '*', '192.0.2.1', '4000',
			'tcp 192.0.2.1:10 → 192.0.2.2:21', 'ftp',
			'permanent translated to 192.0.2.9:77'], "expectation, $dialect");
	}
	my (undef, $text) = conntap('expect', 'list', '-o', 'xml');
	my $page = page_of('expectations only', $text);
	is(text_of($page, 'expected'), 1, 'expectations only: how many');
	is_deeply([text_of($page, 'count'), text_of($page, 'none')], [undef, undef],
		'expectations only: no word of flows');
	run('conntrack', '-F');
}

sub check_empty {
	for my $dialect ('conntracks', 'flows') {
		my $page = page_of("empty, $dialect",
			document('--stats', '--expect', '--dialect', $dialect));
		is(text_of($page, 'count'), 0, "empty, $dialect: no flows");
		is(text_of($page, 'none'), 'There are none.', "empty, $dialect: it says so");
		is_deeply([warnings_of($page)], [], "empty, $dialect: no warnings");
		my $root = $dialect eq 'flows' ? 'conntrack' : 'conntracks';
		$page = page_of("nothing, $dialect", "<$root>\n</$root>\n");
		is(text_of($page, 'none'), 'There are none.', "nothing, $dialect: it says so");
	}
	my $page = page_of('another', "<rss version=\"2.0\"><channel/></rss>\n");
	like(join(' ', warnings_of($page)), qr/no document of conntap/, 'another: it says so');
}

sub check_netns {
	my $page = page_of('namespaces', document('--stats', '--netns', 'client', '--netns',
		'gateway'));

	is_deeply([map { $_->[0] } @{table($page, 'fullness')->{lines}}],
		['Flows in client', 'Flows in gateway', 'Expectations in client',
			'Expectations in gateway'], 'namespaces: how full each is');
	is_deeply(table($page, 'losses')->{heads}, [qw(Counter client gateway Meaning)],
		'namespaces: drops and errors of each');
	is_deeply({ map { $_->[0] => 1 } @{table($page, 'flows')->{lines}} }, { gateway => 1 },
		'namespaces: whose the flows are');
	ok($page =~ m{<h1>Tracked connections of [^<,]+</h1>}, 'namespaces: not in the title');
	$page = page_of('a namespace', document('--netns', 'gateway'));
	ok($page =~ m{<h1>Tracked connections of [^<]+, namespace gateway</h1>},
		'a namespace: in the title');
}

# What is less than the whole truth is told.
sub check_warnings {
	my $flows = 20000;

	flood('-n', $flows);
	for my $dialect ('conntracks', 'flows') {
		my ($job, $out, $text) = start_stalled(program('conntap'), 'xml', '--dialect',
			$dialect);
		kill INT => $job->{pid};
		$text = read_rest($out, $text);
		finish($job);
		my $page = page_of("ended early, $dialect", $text);
		like(join('|', warnings_of($page)), qr/\ANot complete\. [^|]*\z/,
			"ended early, $dialect: told");
		is(text_of($page, 'complete'), 'no', "ended early, $dialect: told twice");
		my $count = () = $text =~ /<(?:conntrack id|flow>)/g;
		is(text_of($page, 'count'), with_commas($count),
			"ended early, $dialect: how many there are");
	}
	run('conntrack', '-F');
	my $head = '<conntracks version="1" generator="conntap 0.1.0" host="gw" ' .
		'begun="1700000000.000000000">';
	my $flow = '<conntrack id="1"><tuple l3protonum="2" src="192.0.2.1" dst="192.0.2.2" ' .
		'proto="253" /></conntrack>';
	my $mismatch = 'The totals do not match. They tell of';
	my $lost = 'Events were lost. 1,200 came faster than they were read, and are not here.';
	my %totals = (
		'totals flows="2" malformed="0" complete="true"' =>
			"$mismatch 2 flow(s); the document has 1.",
		'totals flows="1" malformed="3" complete="true"' => 'Not all could be read. ' .
			"3 of the kernel's messages made no sense, and are not here.",
		'totals flows="1" expectations="1" malformed="0" complete="true"' =>
			"$mismatch 1 expectation(s); the document has 0.",
		'totals events="1" lost="1200" malformed="0" complete="true"' => $lost,
		'totals events="1" lost="7" malformed="0" complete="true"' =>
			"$mismatch 7 lost event(s); the document has 1,200.|$lost",
		'totals flows="1" malformed="0" complete="true"' => '',
	);
	for (sort keys %totals) {
		my $text = $head . $flow . (/events/ ? '<lost events="1000" /><lost ' .
			'events="200" />' : '') . "<$_ ended=\"1700000000.5\" /></conntracks>";
		my $page = page_of($_, $text);
		is(join('|', warnings_of($page)), $totals{$_}, "$_: warnings");
		ok($page =~ /2023-11-14 22:13:20 UTC, for 0\.50 s/, "$_: when");
	}
	like(join(' ', warnings_of(page_of('no totals', "$head$flow</conntracks>"))),
		qr/^No totals\./, 'no totals: told');
}

# The unit is that of the rounded number.
sub check_bytes {
	my %bytes = (0 => '0 B', 1023 => '1023 B', 1024 => '1.0 KiB', 1048524 => '1023.9 KiB',
		1048525 => '1.0 MiB', 5 << 40 => '5.0 TiB');

	for (sort { $a <=> $b } keys %bytes) {
		my $page = page_of($_, '<conntracks><conntrack><tuple src="192.0.2.1" ' .
			'dst="192.0.2.2" proto="6" sport="1" dport="2" />' .
			"<counter packets=\"1\" bytes=\"$_\" /></conntrack></conntracks>");
		is(text_of($page, 'bytes'), $bytes{$_}, "$_: $bytes{$_}");
	}
}

# Whatever can be text in a document, in both dialects.
sub check_hostile {
	my $evil = q{"><script>alert(1)</script><img src=x onerror=alert(2)>&amp; ]]> --> '};
	my $safe = $evil =~ s/&/&amp;/gr =~ s/</&lt;/gr =~ s/>/&gt;/gr =~ s/"/&quot;/gr;
	my %documents = (
		conntracks => qq{<conntracks version="1" generator="$safe" host="$safe"
			netns="$safe" begun="1700000000.0" count="1" max="2" filter="$safe">
			<conntrack id="1" netns="$safe" event="$safe">
			<status><flag>$safe</flag></status>
			<tuple l3protonum="2" src="$safe" dst="$safe" proto="6" sport="$safe"
			dport="$safe" zone="$safe"/>
			<tuple l3protonum="2" src="192.0.2.9" dst="$safe$safe" proto="6"
			sport="1" dport="2"/>
			<counter packets="1" bytes="1"/><counter packets="1" bytes="$safe"/>
			<tcp state="$safe"/><zone id="$safe"/><helper name="$safe"/>
			<labels><label bit="1" name="$safe"/></labels>
			<security context="$safe"/></conntrack>
			<expectation netns="$safe"><flags><flag>$safe</flag></flags>
			<expected src="$safe" proto="6"/><mask src="$safe"/>
			<helper name="$safe"/></expectation>
			<metrics><metric name="entries" kind="gauge" value="1" netns="$safe"/>
			<metric name="drop" kind="counter" value="$safe" netns="$safe"/>
			<metric name="nat_remote_ports" kind="gauge" value="1"
			address="$safe" proto="$safe" zone="$safe"/></metrics>
			<totals flows="$safe" complete="$safe" malformed="$safe"
			ended="$safe"/></conntracks>},
		flows => qq{<conntrack><flow type="$safe" netns="$safe">
			<meta direction="original">
			<layer3 protonum="2"><src>$safe</src><dst>$safe</dst></layer3>
			<layer4 protonum="$safe"><sport>$safe</sport><dport>$safe</dport></layer4>
			</meta><meta direction="independent"><state>$safe</state>
			<labels><label>$safe</label></labels><secctx>$safe</secctx>
			<zone>$safe</zone><status><flag>$safe</flag></status></meta>
			<helper>$safe</helper></flow>
			<expect><layer3><expected><src>$safe</src></expected></layer3>
			<layer4 protonum="$safe"/><meta><helper-name>$safe</helper-name></meta>
			</expect></conntrack>},
	);

	for my $dialect (sort keys %documents) {
		# page_of() itself counts the scripts, and looks for attributes.
		my $page = page_of("hostile, $dialect", $documents{$dialect});
		ok($page !~ /<img|<script>alert/, "hostile, $dialect: it is no markup");
		for my $what ('helper', 'label', 'context') {
			my $text = "$what \"&gt;&lt;script&gt;alert(1)&lt;/script&gt;";
			cmp_ok(index($page, $text), '>', 0,
				"hostile, $dialect: $what stays text");
		}
	}
}

check_empty();
my $traffic = start_traffic();
check_flows();
check_netns();
$traffic = undef;
run('conntrack', '-F');
check_events();
check_expectations();
check_warnings();
check_bytes();
check_hostile();

done_testing();
