<?xml version="1.0" encoding="UTF-8"?>
<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
<!--
  One page of HTML out of a document of conntap, of either dialect: flows, events and
  expectations.

	xsltproc conntap.xsl flows.xml

  Parameters, for xsltproc's option "param":

	limit	so many flows are in the table, 0 for all; the charts are always of all
	top	so many lines have the charts of addresses and services

  How it is made:

  - The two dialects are read by the same expressions, unions of which one side is always
    empty: "tuple[1]/@src | meta[@direction = 'original']/layer3/src".  What conntrack(8)
    prints with "-o xml" is the second dialect, with less in it.
  - All text of the document goes through xsl:value-of, as content of an element; none of
    it into a script, a style or an address.  The page also forbids its reader all that is
    not in it (Content-Security-Policy): scripts but the one below, and the network.
  - The page is to be the same whether it is read as XML or as HTML.  So the script and
    the style have no <, > or & in them, and no element is empty that HTML wants closed.
-->
<xsl:stylesheet version="1.0"
	xmlns="http://www.w3.org/1999/xhtml"
	xmlns:xsl="http://www.w3.org/1999/XSL/Transform">

<xsl:output method="xml" omit-xml-declaration="yes" encoding="UTF-8" indent="no"
	doctype-system="about:legacy-compat"/>

<xsl:param name="limit" select="2000"/>
<xsl:param name="top" select="10"/>

<!-- What is in the document. -->

<xsl:variable name="flows" select="/conntracks/conntrack | /conntrack/flow"/>
<xsl:variable name="expectations" select="/conntracks/expectation | /conntrack/expect"/>
<xsl:variable name="metrics" select="/*/metrics/metric"/>
<xsl:variable name="totals" select="/*/totals"/>
<xsl:variable name="all" select="count($flows)"/>

<xsl:variable name="is-known" select="boolean(/conntracks | /conntrack)"/>
<xsl:variable name="is-events" select="boolean($totals/@events | /*/lost |
	$flows/@event | $flows/@type | $expectations/@event | $expectations/@type)"/>
<!-- Where expectations were asked for and no flows, there is no table of none. -->
<xsl:variable name="is-expectations" select="$totals/@expectations and not($totals/@flows)"/>
<xsl:variable name="is-accounted" select="boolean($flows/counter | $flows/meta/counters)"/>

<!-- Flows by what they are told apart by; each key for both dialects, as two of one name are
     one key. -->

<xsl:key name="protocol" match="/conntracks/conntrack" use="tuple[1]/@proto"/>
<xsl:key name="protocol" match="/conntrack/flow" use="meta[@direction = 'original']/layer4/@protonum"/>
<xsl:key name="family" match="/conntracks/conntrack" use="tuple[1]/@l3protonum"/>
<xsl:key name="family" match="/conntrack/flow" use="meta[@direction = 'original']/layer3/@protonum"/>
<xsl:key name="src" match="/conntracks/conntrack" use="tuple[1]/@src"/>
<xsl:key name="src" match="/conntrack/flow" use="meta[@direction = 'original']/layer3/src"/>
<xsl:key name="dst" match="/conntracks/conntrack" use="tuple[1]/@dst"/>
<xsl:key name="dst" match="/conntrack/flow" use="meta[@direction = 'original']/layer3/dst"/>
<xsl:key name="service" match="/conntracks/conntrack[tuple[1]/@dport]"
	use="concat(tuple[1]/@proto, ' ', tuple[1]/@dport)"/>
<xsl:key name="service" match="/conntrack/flow[meta/layer4/dport]"
	use="concat(meta[@direction = 'original']/layer4/@protonum, ' ',
		meta[@direction = 'original']/layer4/dport)"/>
<xsl:key name="event" match="/conntracks/conntrack" use="@event"/>
<xsl:key name="event" match="/conntrack/flow" use="@type"/>
<xsl:key name="tcp" match="/conntracks/conntrack[tuple[1]/@proto = 6]" use="tcp/@state"/>
<xsl:key name="tcp" match="/conntrack/flow[meta/layer4/@protonum = 6]" use="meta/state"/>

<!-- Every flag, and two that are none in one of the dialects, or in both: nat_mask, which is
     src_nat or dst_nat, and unreplied. -->
<xsl:key name="flag" match="/conntracks/conntrack" use="status/flag"/>
<xsl:key name="flag" match="/conntrack/flow" use="meta/status/flag"/>
<xsl:key name="flag" match="/conntracks/conntrack[not(status/flag = 'seen reply')]" use="'unreplied'"/>
<xsl:key name="flag" match="/conntrack/flow[meta/unreplied]" use="'unreplied'"/>
<xsl:key name="flag" match="/conntrack/flow[meta/status[flag = 'src_nat' or flag = 'dst_nat']]" use="'nat_mask'"/>

<!-- conntrack(8) tells no flags, only these; translation shows in the reply direction. -->
<xsl:key name="flag" match="/conntrack/flow[not(meta/status)][meta/assured]" use="'assured'"/>
<xsl:key name="flag" match="/conntrack/flow[not(meta/status)][
	meta[@direction = 'reply']/layer3/dst != meta[@direction = 'original']/layer3/src or
	meta[@direction = 'reply']/layer4/dport != meta[@direction = 'original']/layer4/sport]" use="'src_nat'"/>
<xsl:key name="flag" match="/conntrack/flow[not(meta/status)][
	meta[@direction = 'reply']/layer3/src != meta[@direction = 'original']/layer3/dst or
	meta[@direction = 'reply']/layer4/sport != meta[@direction = 'original']/layer4/dport]" use="'dst_nat'"/>
<xsl:key name="flag" match="/conntrack/flow[not(meta/status)][
	meta[@direction = 'reply']/layer3/dst != meta[@direction = 'original']/layer3/src or
	meta[@direction = 'reply']/layer4/dport != meta[@direction = 'original']/layer4/sport or
	meta[@direction = 'reply']/layer3/src != meta[@direction = 'original']/layer3/dst or
	meta[@direction = 'reply']/layer4/sport != meta[@direction = 'original']/layer4/dport]" use="'nat_mask'"/>

<!-- One flow for each address and service that there is: the first that its key has.  To ask
     each flow whether it is the first is slow where half the table has the same address, as
     each time the key hands out all of them.  So they are first looked for in parts of the
     groups, by the last two digits of the flow's id, which are as good as random: the first of
     all is the first of its part, too. -->

<xsl:key name="src-part" match="/conntracks/conntrack"
	use="concat(tuple[1]/@src, ' ', substring(@id, string-length(@id) - 1))"/>
<xsl:key name="src-part" match="/conntrack/flow"
	use="concat(meta[@direction = 'original']/layer3/src, ' ',
		substring(meta/id, string-length(meta/id) - 1))"/>
<xsl:key name="dst-part" match="/conntracks/conntrack"
	use="concat(tuple[1]/@dst, ' ', substring(@id, string-length(@id) - 1))"/>
<xsl:key name="dst-part" match="/conntrack/flow"
	use="concat(meta[@direction = 'original']/layer3/dst, ' ',
		substring(meta/id, string-length(meta/id) - 1))"/>
<xsl:key name="service-part" match="/conntracks/conntrack[tuple[1]/@dport]"
	use="concat(tuple[1]/@proto, ' ', tuple[1]/@dport, ' ',
		substring(@id, string-length(@id) - 1))"/>
<xsl:key name="service-part" match="/conntrack/flow[meta/layer4/dport]"
	use="concat(meta[@direction = 'original']/layer4/@protonum, ' ',
		meta[@direction = 'original']/layer4/dport, ' ',
		substring(meta/id, string-length(meta/id) - 1))"/>

<xsl:variable name="sources" select="$flows[generate-id() = generate-id(key('src-part',
		concat(tuple[1]/@src | meta[@direction = 'original']/layer3/src, ' ',
			substring(@id | meta/id, string-length(@id | meta/id) - 1)))[1])][
	generate-id() = generate-id(key('src',
		tuple[1]/@src | meta[@direction = 'original']/layer3/src)[1])]"/>
<xsl:variable name="destinations" select="$flows[generate-id() = generate-id(key('dst-part',
		concat(tuple[1]/@dst | meta[@direction = 'original']/layer3/dst, ' ',
			substring(@id | meta/id, string-length(@id | meta/id) - 1)))[1])][
	generate-id() = generate-id(key('dst',
		tuple[1]/@dst | meta[@direction = 'original']/layer3/dst)[1])]"/>
<xsl:variable name="services" select="$flows[generate-id() = generate-id(key('service-part',
		concat(tuple[1]/@proto | meta[@direction = 'original']/layer4/@protonum, ' ',
			tuple[1]/@dport | meta[@direction = 'original']/layer4/dport, ' ',
			substring(@id | meta/id, string-length(@id | meta/id) - 1)))[1])][
	generate-id() = generate-id(key('service',
		concat(tuple[1]/@proto | meta[@direction = 'original']/layer4/@protonum, ' ',
			tuple[1]/@dport | meta[@direction = 'original']/layer4/dport))[1])]"/>

<!-- The names that there are, each with a blank behind it.  For these, a key is asked name by name,
     as groups of half the table are too large to look for their first. -->
<xsl:variable name="protocol-numbers" select="'6 17 1 58 132 33 136 47 50 51 4 41 2 89 103 112 115 '"/>
<xsl:variable name="tcp-states" select="concat('NONE SYN_SENT SYN_SENT2 SYN_RECV ESTABLISHED ',
	'FIN_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT CLOSE ')"/>

<xsl:variable name="noun">
	<xsl:choose>
		<xsl:when test="$is-events">event</xsl:when>
		<xsl:otherwise>flow</xsl:otherwise>
	</xsl:choose>
</xsl:variable>

<!-- The page. -->

<xsl:template match="/">
	<html lang="en">
		<head>
			<meta charset="utf-8"/>
			<meta http-equiv="Content-Security-Policy" content="default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'; script-src 'sha256-0t4S6NgvOuYqb7Euoc2p0+8wW3ynKIGHIdGehkhQ9q4='"/>
			<meta name="viewport" content="width=device-width, initial-scale=1"/>
			<meta name="color-scheme" content="light dark"/>
			<title><xsl:call-template name="title"/></title>
			<style><xsl:call-template name="style"/></style>
		</head>
		<body>
			<header>
				<h1><xsl:call-template name="title"/></h1>
				<xsl:if test="$is-known and /*/@generator">
					<xsl:call-template name="about"/>
				</xsl:if>
			</header>
			<main>
				<xsl:choose>
					<xsl:when test="$is-known">
						<xsl:call-template name="warnings"/>
						<xsl:call-template name="numbers"/>
						<xsl:call-template name="kernel"/>
						<xsl:call-template name="charts"/>
						<xsl:if test="not($is-expectations)"><xsl:call-template name="flow-table"/></xsl:if>
						<xsl:call-template name="expectation-table"/>
					</xsl:when>
					<xsl:otherwise>
						<p class="warning">This is no document of conntap: its root is
						neither conntracks nor conntrack.</p>
					</xsl:otherwise>
				</xsl:choose>
			</main>
			<script><xsl:call-template name="script"/></script>
		</body>
	</html>
</xsl:template>

<xsl:template name="title">
	<xsl:choose>
		<xsl:when test="$is-events">Connection events</xsl:when>
		<xsl:when test="$is-expectations">Expected connections</xsl:when>
		<xsl:otherwise>Tracked connections</xsl:otherwise>
	</xsl:choose>
	<xsl:if test="/*/@host">
		<xsl:text> of </xsl:text>
		<xsl:value-of select="/*/@host"/>
	</xsl:if>
	<xsl:if test="/*/@netns">
		<xsl:text>, namespace </xsl:text>
		<xsl:value-of select="/*/@netns"/>
	</xsl:if>
</xsl:template>

<!-- What the document says of itself. -->
<xsl:template name="about">
	<dl class="about">
		<xsl:if test="/*/@begun">
			<div>
				<dt>When</dt>
				<dd>
					<xsl:call-template name="time"><xsl:with-param name="seconds" select="/*/@begun"/></xsl:call-template>
					<xsl:text> UTC</xsl:text>
					<xsl:if test="$totals/@ended">
						<xsl:text>, for </xsl:text>
						<xsl:value-of select="format-number($totals/@ended - /*/@begun, '#,##0.00')"/>
						<xsl:text> s</xsl:text>
					</xsl:if>
				</dd>
			</div>
		</xsl:if>
		<xsl:if test="/*/@filter != ''">
			<div><dt>Only</dt><dd><code id="filter"><xsl:value-of select="/*/@filter"/></code></dd></div>
		</xsl:if>
		<xsl:if test="$totals">
			<div>
				<dt>Complete</dt>
				<dd id="complete">
					<xsl:choose>
						<xsl:when test="$totals/@complete = 'true'">yes</xsl:when>
						<xsl:otherwise>no</xsl:otherwise>
					</xsl:choose>
				</dd>
			</div>
		</xsl:if>
		<xsl:if test="/*/@accounting">
			<div>
				<dt>Bytes of new flows</dt>
				<dd><xsl:call-template name="kept"><xsl:with-param name="is" select="/*/@accounting"/></xsl:call-template></dd>
			</div>
		</xsl:if>
		<xsl:if test="/*/@timestamps">
			<div>
				<dt>Times of new flows</dt>
				<dd><xsl:call-template name="kept"><xsl:with-param name="is" select="/*/@timestamps"/></xsl:call-template></dd>
			</div>
		</xsl:if>
		<xsl:if test="/*/@generator">
			<div><dt>By</dt><dd><xsl:value-of select="/*/@generator"/></dd></div>
		</xsl:if>
	</dl>
</xsl:template>

<xsl:template name="kept">
	<xsl:param name="is"/>
	<xsl:choose>
		<xsl:when test="$is = 'true' or $is = '1'">kept</xsl:when>
		<xsl:otherwise>not kept</xsl:otherwise>
	</xsl:choose>
</xsl:template>

<!-- Whatever makes the numbers less than the whole truth. -->
<xsl:template name="warnings">
	<xsl:variable name="events" select="$all + count($expectations)"/>
	<xsl:variable name="lost" select="sum(/*/lost/@events)"/>

	<xsl:if test="$totals/@complete = 'false'">
		<p class="warning"><b>Not complete.</b> The document ended early; the numbers below are
		of the part that is there.</p>
	</xsl:if>
	<xsl:if test="/*/@version and not($totals)">
		<p class="warning"><b>No totals.</b> The document does not say how much there should be.</p>
	</xsl:if>
	<xsl:call-template name="mismatch">
		<xsl:with-param name="told" select="$totals/@flows"/>
		<xsl:with-param name="found" select="$all"/>
		<xsl:with-param name="of" select="'flow(s)'"/>
	</xsl:call-template>
	<xsl:call-template name="mismatch">
		<xsl:with-param name="told" select="$totals/@expectations"/>
		<xsl:with-param name="found" select="count($expectations)"/>
		<xsl:with-param name="of" select="'expectation(s)'"/>
	</xsl:call-template>
	<xsl:call-template name="mismatch">
		<xsl:with-param name="told" select="$totals/@events"/>
		<xsl:with-param name="found" select="$events"/>
		<xsl:with-param name="of" select="'event(s)'"/>
	</xsl:call-template>
	<xsl:call-template name="mismatch">
		<xsl:with-param name="told" select="$totals/@lost"/>
		<xsl:with-param name="found" select="$lost"/>
		<xsl:with-param name="of" select="'lost event(s)'"/>
	</xsl:call-template>
	<xsl:if test="$lost != 0">
		<p class="warning"><b>Events were lost.</b><xsl:text> </xsl:text>
			<xsl:call-template name="number"><xsl:with-param name="value" select="$lost"/></xsl:call-template>
			<xsl:text> came faster than they were read, and are not here.</xsl:text>
		</p>
	</xsl:if>
	<xsl:if test="$totals/@malformed != 0">
		<p class="warning"><b>Not all could be read.</b><xsl:text> </xsl:text>
			<xsl:call-template name="number"><xsl:with-param name="value" select="$totals/@malformed"/></xsl:call-template>
			<xsl:text> of the kernel's messages made no sense, and are not here.</xsl:text>
		</p>
	</xsl:if>
</xsl:template>

<xsl:template name="mismatch">
	<xsl:param name="told"/>
	<xsl:param name="found"/>
	<xsl:param name="of"/>
	<xsl:if test="$told and $told != $found">
		<p class="warning"><b>The totals do not match.</b>
			<xsl:text> They tell of </xsl:text>
			<xsl:call-template name="number"><xsl:with-param name="value" select="$told"/></xsl:call-template>
			<xsl:value-of select="concat(' ', $of, '; the document has ')"/>
			<xsl:call-template name="number"><xsl:with-param name="value" select="$found"/></xsl:call-template>
			<xsl:text>.</xsl:text>
		</p>
	</xsl:if>
</xsl:template>

<!-- The large numbers. -->
<xsl:template name="numbers">
	<dl class="numbers">
		<xsl:choose>
			<xsl:when test="$is-events">
				<xsl:call-template name="tile">
					<xsl:with-param name="id" select="'events'"/>
					<xsl:with-param name="name" select="'Events'"/>
					<xsl:with-param name="value" select="format-number($all + count($expectations), '#,##0')"/>
				</xsl:call-template>
			</xsl:when>
			<xsl:when test="not($is-expectations)">
				<xsl:call-template name="tile">
					<xsl:with-param name="id" select="'count'"/>
					<xsl:with-param name="name" select="'Flows'"/>
					<xsl:with-param name="value" select="format-number($all, '#,##0')"/>
				</xsl:call-template>
			</xsl:when>
		</xsl:choose>
		<xsl:if test="$expectations or $totals/@expectations">
			<xsl:call-template name="tile">
				<xsl:with-param name="id" select="'expected'"/>
				<xsl:with-param name="name" select="'Expectations'"/>
				<xsl:with-param name="value" select="format-number(count($expectations), '#,##0')"/>
			</xsl:call-template>
		</xsl:if>
		<xsl:if test="$is-accounted">
			<xsl:call-template name="tile">
				<xsl:with-param name="id" select="'bytes'"/>
				<xsl:with-param name="name" select="'Bytes, both ways'"/>
				<xsl:with-param name="value">
					<xsl:call-template name="bytes">
						<xsl:with-param name="value" select="sum($flows/counter/@bytes | $flows/meta/counters/bytes)"/>
					</xsl:call-template>
				</xsl:with-param>
			</xsl:call-template>
			<xsl:call-template name="tile">
				<xsl:with-param name="id" select="'packets'"/>
				<xsl:with-param name="name" select="'Packets'"/>
				<xsl:with-param name="value" select="format-number(sum($flows/counter/@packets |
					$flows/meta/counters/packets), '#,##0')"/>
			</xsl:call-template>
		</xsl:if>
		<xsl:if test="$flows">
			<xsl:call-template name="tile">
				<xsl:with-param name="id" select="'source-count'"/>
				<xsl:with-param name="name" select="'Sources'"/>
				<xsl:with-param name="value" select="format-number(count($sources), '#,##0')"/>
			</xsl:call-template>
			<xsl:call-template name="tile">
				<xsl:with-param name="id" select="'destination-count'"/>
				<xsl:with-param name="name" select="'Destinations'"/>
				<xsl:with-param name="value" select="format-number(count($destinations), '#,##0')"/>
			</xsl:call-template>
		</xsl:if>
	</dl>
</xsl:template>

<xsl:template name="tile">
	<xsl:param name="id"/>
	<xsl:param name="name"/>
	<xsl:param name="value"/>
	<div><dt><xsl:value-of select="$name"/></dt><dd id="{$id}"><xsl:value-of select="$value"/></dd></div>
</xsl:template>

<!-- How full the table is, and what was dropped: of each namespace.  Without metrics, the
     root still says how many flows there were, and how many there may be. -->
<xsl:template name="kernel">
	<xsl:variable name="spaces" select="$metrics[@name = 'entries']"/>

	<xsl:if test="$spaces or /*/@count">
		<section class="cards" aria-label="The kernel's table">
			<div class="card">
				<table id="fullness">
					<caption>How full the table is</caption>
					<thead>
						<tr>
							<th scope="col">What</th>
							<th scope="col" class="number">there are</th>
							<th scope="col" class="number">of</th>
							<th scope="col" class="number">share</th>
						</tr>
					</thead>
					<tbody>
						<xsl:for-each select="$metrics[@name = 'entries' or @name = 'expectations']">
							<xsl:call-template name="fullness">
								<xsl:with-param name="name"><xsl:choose>
									<xsl:when test="@name = 'entries'">Flows</xsl:when>
									<xsl:otherwise>Expectations</xsl:otherwise>
								</xsl:choose><xsl:if test="@netns"> in <xsl:value-of select="@netns"/></xsl:if></xsl:with-param>
								<xsl:with-param name="count" select="@value"/>
								<xsl:with-param name="max" select="$metrics[@name = concat(current()/@name, '_limit')
									][string(@netns) = string(current()/@netns)]/@value"/>
							</xsl:call-template>
						</xsl:for-each>
						<xsl:if test="not($spaces)">
							<xsl:call-template name="fullness">
								<xsl:with-param name="name" select="'Flows'"/>
								<xsl:with-param name="count" select="/*/@count"/>
								<xsl:with-param name="max" select="/*/@max"/>
							</xsl:call-template>
						</xsl:if>
					</tbody>
				</table>
				<xsl:call-template name="nat"/>
			</div>
			<xsl:if test="$metrics[@kind = 'counter']">
				<xsl:call-template name="losses"><xsl:with-param name="spaces" select="$spaces"/></xsl:call-template>
			</xsl:if>
		</section>
	</xsl:if>
</xsl:template>

<xsl:template name="fullness">
	<xsl:param name="name"/>
	<xsl:param name="count"/>
	<xsl:param name="max"/>
	<tr>
		<th scope="row">
			<xsl:value-of select="$name"/>
			<xsl:call-template name="bar">
				<xsl:with-param name="value" select="$count"/>
				<xsl:with-param name="full" select="$max"/>
				<xsl:with-param name="warn" select="true()"/>
			</xsl:call-template>
		</th>
		<td class="number"><xsl:call-template name="number"><xsl:with-param name="value" select="$count"/></xsl:call-template></td>
		<td class="number"><xsl:choose>
			<xsl:when test="$max = 0">no limit</xsl:when>
			<xsl:when test="$max"><xsl:call-template name="number"><xsl:with-param name="value" select="$max"/></xsl:call-template></xsl:when>
			<xsl:otherwise>unknown</xsl:otherwise>
		</xsl:choose></td>
		<td class="number"><xsl:call-template name="share">
			<xsl:with-param name="value" select="$count"/>
			<xsl:with-param name="of" select="$max"/>
		</xsl:call-template></td>
	</tr>
</xsl:template>

<!-- Public addresses: how much of their ports is in use to the busiest remote. -->
<xsl:template name="nat">
	<xsl:variable name="used" select="$metrics[@name = 'nat_remote_ports']"/>

	<xsl:if test="$used">
		<table id="nat">
			<caption>Public addresses <small>ports in use to the busiest remote, of the range</small></caption>
			<thead>
				<tr>
					<th scope="col">Address</th>
					<th scope="col" class="number">ports</th>
					<th scope="col" class="number">of</th>
					<th scope="col" class="number">share</th>
				</tr>
			</thead>
			<tbody>
				<xsl:for-each select="$used">
					<xsl:sort select="@value" data-type="number" order="descending"/>
					<xsl:if test="position() &lt;= $top">
						<xsl:variable name="of" select="$metrics[@name = 'nat_range_ports'][@address = current()/@address
							][@proto = current()/@proto][string(@zone) = string(current()/@zone)
							][string(@netns) = string(current()/@netns)]/@value"/>
						<tr>
							<th scope="row">
								<xsl:value-of select="concat(@address, ' ', @proto)"/>
								<xsl:if test="@zone != 0"><xsl:value-of select="concat(' zone ', @zone)"/></xsl:if>
								<xsl:if test="@netns"><xsl:value-of select="concat(' ', @netns)"/></xsl:if>
								<xsl:call-template name="bar">
									<xsl:with-param name="value" select="@value"/>
									<xsl:with-param name="full" select="$of"/>
									<xsl:with-param name="warn" select="true()"/>
								</xsl:call-template>
							</th>
							<td class="number"><xsl:call-template name="number"><xsl:with-param name="value" select="@value"/></xsl:call-template></td>
							<td class="number"><xsl:call-template name="number"><xsl:with-param name="value" select="$of"/></xsl:call-template></td>
							<td class="number"><xsl:call-template name="share">
								<xsl:with-param name="value" select="@value"/>
								<xsl:with-param name="of" select="$of"/>
							</xsl:call-template></td>
						</tr>
					</xsl:if>
				</xsl:for-each>
			</tbody>
		</table>
	</xsl:if>
</xsl:template>

<!-- Each counter once, a column for each namespace, all processors together. -->
<xsl:template name="losses">
	<xsl:param name="spaces"/>
	<div class="card">
		<table id="losses">
			<caption>Drops and errors <small>since the namespace was made; the first four are lost traffic</small></caption>
			<thead>
				<tr>
					<th scope="col">Counter</th>
					<xsl:for-each select="$spaces">
						<th scope="col" class="number"><xsl:value-of select="@netns"/><xsl:if test="not(@netns)">total</xsl:if></th>
					</xsl:for-each>
					<th scope="col">Meaning</th>
				</tr>
			</thead>
			<tbody>
				<xsl:call-template name="loss">
					<xsl:with-param name="name" select="'drop'"/>
					<xsl:with-param name="spaces" select="$spaces"/>
					<xsl:with-param name="bad" select="true()"/>
					<xsl:with-param name="meaning">Packets dropped: table full, NAT out of ports, or a lost race</xsl:with-param>
				</xsl:call-template>
				<xsl:call-template name="loss">
					<xsl:with-param name="name" select="'early_drop'"/>
					<xsl:with-param name="spaces" select="$spaces"/>
					<xsl:with-param name="bad" select="true()"/>
					<xsl:with-param name="meaning">Flows evicted to make room for new ones</xsl:with-param>
				</xsl:call-template>
				<xsl:call-template name="loss">
					<xsl:with-param name="name" select="'insert_failed'"/>
					<xsl:with-param name="spaces" select="$spaces"/>
					<xsl:with-param name="bad" select="true()"/>
					<xsl:with-param name="meaning">Flows that were not inserted as their tuple was taken</xsl:with-param>
				</xsl:call-template>
				<xsl:call-template name="loss">
					<xsl:with-param name="name" select="'chain_toolong'"/>
					<xsl:with-param name="spaces" select="$spaces"/>
					<xsl:with-param name="bad" select="true()"/>
					<xsl:with-param name="meaning">Flows refused as their hash bucket was too long</xsl:with-param>
				</xsl:call-template>
				<xsl:call-template name="loss">
					<xsl:with-param name="name" select="'invalid'"/>
					<xsl:with-param name="spaces" select="$spaces"/>
					<xsl:with-param name="meaning">Packets that fit no flow, or not the state of theirs</xsl:with-param>
				</xsl:call-template>
				<xsl:call-template name="loss">
					<xsl:with-param name="name" select="'error'"/>
					<xsl:with-param name="spaces" select="$spaces"/>
					<xsl:with-param name="meaning">ICMP packets refused as malformed</xsl:with-param>
				</xsl:call-template>
				<xsl:call-template name="loss">
					<xsl:with-param name="name" select="'found'"/>
					<xsl:with-param name="spaces" select="$spaces"/>
					<xsl:with-param name="meaning">Ports that NAT found taken, so that it tried another</xsl:with-param>
				</xsl:call-template>
				<xsl:call-template name="loss">
					<xsl:with-param name="name" select="'clash_resolve'"/>
					<xsl:with-param name="spaces" select="$spaces"/>
					<xsl:with-param name="meaning">Races for one tuple that were settled without a loss</xsl:with-param>
				</xsl:call-template>
			</tbody>
		</table>
	</div>
</xsl:template>

<!-- A kernel does not have every counter. -->
<xsl:template name="loss">
	<xsl:param name="name"/>
	<xsl:param name="spaces"/>
	<xsl:param name="bad"/>
	<xsl:param name="meaning"/>
	<xsl:variable name="counters" select="$metrics[@name = $name][@kind = 'counter']"/>

	<xsl:if test="$counters">
		<tr>
			<th scope="row"><xsl:value-of select="$name"/></th>
			<xsl:for-each select="$spaces">
				<xsl:variable name="sum" select="sum($counters[string(@netns) = string(current()/@netns)]/@value)"/>
				<td class="number">
					<xsl:if test="$bad and $sum != 0"><xsl:attribute name="class">number bad</xsl:attribute></xsl:if>
					<xsl:call-template name="number"><xsl:with-param name="value" select="$sum"/></xsl:call-template>
				</td>
			</xsl:for-each>
			<td class="meaning"><xsl:value-of select="$meaning"/></td>
		</tr>
	</xsl:if>
</xsl:template>

<!-- The charts: tables whose first column has a bar. -->

<xsl:template name="charts">
	<xsl:if test="$flows">
		<section class="cards" aria-label="What they are">
			<div class="card">
				<xsl:if test="$is-events">
					<table id="kinds">
						<caption>By event</caption>
						<xsl:call-template name="chart-head"><xsl:with-param name="of" select="'Event'"/></xsl:call-template>
						<tbody>
							<xsl:call-template name="chart-lines">
								<xsl:with-param name="key" select="'event'"/>
								<xsl:with-param name="words" select="'new update destroy '"/>
							</xsl:call-template>
						</tbody>
					</table>
				</xsl:if>
				<table id="protocols">
					<caption>By protocol</caption>
					<xsl:call-template name="chart-head"><xsl:with-param name="of" select="'Protocol'"/></xsl:call-template>
					<tbody>
						<xsl:call-template name="chart-lines">
							<xsl:with-param name="key" select="'protocol'"/>
							<xsl:with-param name="words" select="$protocol-numbers"/>
						</xsl:call-template>
						<!-- Those without a name are few: here each looks for the first of its kind. -->
						<xsl:for-each select="$flows[not(contains(concat(' ', $protocol-numbers),
								concat(' ', tuple[1]/@proto | meta[@direction = 'original']/layer4/@protonum, ' ')))
								][generate-id() = generate-id(key('protocol', tuple[1]/@proto |
									meta[@direction = 'original']/layer4/@protonum)[1])]">
							<xsl:call-template name="chart-line">
								<xsl:with-param name="label" select="tuple[1]/@proto | meta[@direction = 'original']/layer4/@protonum"/>
								<xsl:with-param name="of" select="key('protocol', tuple[1]/@proto |
									meta[@direction = 'original']/layer4/@protonum)"/>
							</xsl:call-template>
						</xsl:for-each>
					</tbody>
				</table>
			</div>
			<xsl:if test="key('protocol', '6')">
				<div class="card">
					<table id="states">
						<caption>TCP by state</caption>
						<xsl:call-template name="chart-head"><xsl:with-param name="of" select="'State'"/></xsl:call-template>
						<tbody>
							<xsl:call-template name="chart-lines">
								<xsl:with-param name="key" select="'tcp'"/>
								<xsl:with-param name="words" select="$tcp-states"/>
								<xsl:with-param name="full" select="count(key('protocol', '6'))"/>
							</xsl:call-template>
							<!-- Offloaded flows have none, nor has every event; and states may come that
							     have no name here. -->
							<xsl:call-template name="chart-line">
								<xsl:with-param name="label" select="'none told'"/>
								<xsl:with-param name="of" select="key('protocol', '6')[not(tcp/@state | meta/state)]"/>
								<xsl:with-param name="full" select="count(key('protocol', '6'))"/>
							</xsl:call-template>
							<xsl:call-template name="chart-line">
								<xsl:with-param name="label" select="'others'"/>
								<xsl:with-param name="of" select="key('protocol', '6')[number(tcp/@state | meta/state) >= 0]"/>
								<xsl:with-param name="full" select="count(key('protocol', '6'))"/>
							</xsl:call-template>
						</tbody>
					</table>
				</div>
			</xsl:if>
			<div class="card">
				<table id="status">
					<caption>By status <small>a flow may be in several lines</small></caption>
					<xsl:call-template name="chart-head"><xsl:with-param name="of" select="'Status'"/></xsl:call-template>
					<tbody>
						<xsl:call-template name="chart-line">
							<xsl:with-param name="label" select="'assured'"/>
							<xsl:with-param name="of" select="key('flag', 'assured')"/>
							<xsl:with-param name="always" select="true()"/>
						</xsl:call-template>
						<xsl:call-template name="chart-line">
							<xsl:with-param name="label" select="'unreplied'"/>
							<xsl:with-param name="of" select="key('flag', 'unreplied')"/>
							<xsl:with-param name="always" select="true()"/>
						</xsl:call-template>
						<xsl:call-template name="chart-line">
							<xsl:with-param name="label" select="'translated (NAT)'"/>
							<xsl:with-param name="of" select="key('flag', 'nat_mask')"/>
							<xsl:with-param name="always" select="true()"/>
						</xsl:call-template>
						<xsl:call-template name="chart-line">
							<xsl:with-param name="label" select="'source translated'"/>
							<xsl:with-param name="of" select="key('flag', 'src_nat')"/>
						</xsl:call-template>
						<xsl:call-template name="chart-line">
							<xsl:with-param name="label" select="'destination translated'"/>
							<xsl:with-param name="of" select="key('flag', 'dst_nat')"/>
						</xsl:call-template>
						<xsl:call-template name="chart-line">
							<xsl:with-param name="label" select="'expected by a helper'"/>
							<xsl:with-param name="of" select="key('flag', 'expected')"/>
						</xsl:call-template>
						<xsl:call-template name="chart-line">
							<xsl:with-param name="label" select="'offloaded'"/>
							<xsl:with-param name="of" select="key('flag', 'offload')"/>
						</xsl:call-template>
						<xsl:call-template name="chart-line">
							<xsl:with-param name="label" select="'offloaded to hardware'"/>
							<xsl:with-param name="of" select="key('flag', 'hw_offload')"/>
						</xsl:call-template>
					</tbody>
				</table>
				<table id="families">
					<caption>By family</caption>
					<xsl:call-template name="chart-head"><xsl:with-param name="of" select="'Family'"/></xsl:call-template>
					<tbody>
						<xsl:call-template name="chart-line">
							<xsl:with-param name="label" select="'IPv4'"/>
							<xsl:with-param name="of" select="key('family', '2')"/>
						</xsl:call-template>
						<xsl:call-template name="chart-line">
							<xsl:with-param name="label" select="'IPv6'"/>
							<xsl:with-param name="of" select="key('family', '10')"/>
						</xsl:call-template>
					</tbody>
				</table>
			</div>
		</section>
		<section class="cards" aria-label="Who has most of them">
			<xsl:call-template name="address-chart">
				<xsl:with-param name="id" select="'sources'"/>
				<xsl:with-param name="title" select="'Sources'"/>
				<xsl:with-param name="which" select="'src'"/>
				<xsl:with-param name="firsts" select="$sources"/>
			</xsl:call-template>
			<xsl:call-template name="address-chart">
				<xsl:with-param name="id" select="'destinations'"/>
				<xsl:with-param name="title" select="'Destinations'"/>
				<xsl:with-param name="which" select="'dst'"/>
				<xsl:with-param name="firsts" select="$destinations"/>
			</xsl:call-template>
			<xsl:call-template name="service-chart"/>
		</section>
	</xsl:if>
</xsl:template>

<!-- Of these, the longest bar is as long as there is room: shares may all be small. -->
<xsl:template name="address-chart">
	<xsl:param name="id"/>
	<xsl:param name="title"/>
	<xsl:param name="which"/>
	<xsl:param name="firsts"/>
	<xsl:variable name="most">
		<xsl:for-each select="$firsts">
			<xsl:sort select="count(key($which, tuple[1]/@*[name() = $which] |
				meta[@direction = 'original']/layer3/*[name() = $which]))" data-type="number" order="descending"/>
			<xsl:if test="position() = 1">
				<xsl:value-of select="count(key($which, tuple[1]/@*[name() = $which] |
					meta[@direction = 'original']/layer3/*[name() = $which]))"/>
			</xsl:if>
		</xsl:for-each>
	</xsl:variable>

	<div class="card">
		<table id="{$id}">
			<caption><xsl:value-of select="$title"/><xsl:call-template name="top-of"><xsl:with-param name="of" select="$firsts"/></xsl:call-template></caption>
			<xsl:call-template name="chart-head"><xsl:with-param name="of" select="'Address'"/></xsl:call-template>
			<tbody class="code">
				<xsl:for-each select="$firsts">
					<xsl:sort select="count(key($which, tuple[1]/@*[name() = $which] |
						meta[@direction = 'original']/layer3/*[name() = $which]))" data-type="number" order="descending"/>
					<xsl:sort select="tuple[1]/@*[name() = $which] | meta[@direction = 'original']/layer3/*[name() = $which]"/>
					<xsl:if test="position() &lt;= $top">
						<xsl:variable name="address" select="tuple[1]/@*[name() = $which] |
							meta[@direction = 'original']/layer3/*[name() = $which]"/>
						<xsl:call-template name="chart-line">
							<xsl:with-param name="label" select="$address"/>
							<xsl:with-param name="of" select="key($which, $address)"/>
							<xsl:with-param name="longest" select="$most"/>
						</xsl:call-template>
					</xsl:if>
				</xsl:for-each>
			</tbody>
		</table>
	</div>
</xsl:template>

<xsl:template name="service-chart">
	<xsl:variable name="most">
		<xsl:for-each select="$services">
			<xsl:sort select="count(key('service', concat(
				tuple[1]/@proto | meta[@direction = 'original']/layer4/@protonum, ' ',
				tuple[1]/@dport | meta[@direction = 'original']/layer4/dport)))" data-type="number" order="descending"/>
			<xsl:if test="position() = 1">
				<xsl:value-of select="count(key('service', concat(
					tuple[1]/@proto | meta[@direction = 'original']/layer4/@protonum, ' ',
					tuple[1]/@dport | meta[@direction = 'original']/layer4/dport)))"/>
			</xsl:if>
		</xsl:for-each>
	</xsl:variable>

	<xsl:if test="$services">
		<div class="card">
			<table id="services">
				<caption>Destination ports<xsl:call-template name="top-of"><xsl:with-param name="of" select="$services"/></xsl:call-template></caption>
				<xsl:call-template name="chart-head"><xsl:with-param name="of" select="'Port'"/></xsl:call-template>
				<tbody class="code">
					<xsl:for-each select="$services">
						<xsl:sort select="count(key('service', concat(
							tuple[1]/@proto | meta[@direction = 'original']/layer4/@protonum, ' ',
							tuple[1]/@dport | meta[@direction = 'original']/layer4/dport)))" data-type="number" order="descending"/>
						<xsl:sort select="tuple[1]/@dport | meta[@direction = 'original']/layer4/dport" data-type="number"/>
						<xsl:sort select="tuple[1]/@proto | meta[@direction = 'original']/layer4/@protonum" data-type="number"/>
						<xsl:if test="position() &lt;= $top">
							<xsl:variable name="number" select="tuple[1]/@proto | meta[@direction = 'original']/layer4/@protonum"/>
							<xsl:variable name="port" select="tuple[1]/@dport | meta[@direction = 'original']/layer4/dport"/>
							<xsl:call-template name="chart-line">
								<xsl:with-param name="label">
									<xsl:call-template name="protocol"><xsl:with-param name="number" select="$number"/></xsl:call-template>
									<xsl:text> </xsl:text>
									<xsl:value-of select="$port"/>
								</xsl:with-param>
								<xsl:with-param name="of" select="key('service', concat($number, ' ', $port))"/>
								<xsl:with-param name="longest" select="$most"/>
							</xsl:call-template>
						</xsl:if>
					</xsl:for-each>
				</tbody>
			</table>
		</div>
	</xsl:if>
</xsl:template>

<xsl:template name="chart-head">
	<xsl:param name="of"/>
	<thead>
		<tr>
			<th scope="col"><xsl:value-of select="$of"/></th>
			<th scope="col" class="number"><xsl:value-of select="$noun"/>s</th>
			<th scope="col" class="number">share</th>
			<xsl:if test="$is-accounted"><th scope="col" class="number">bytes</th></xsl:if>
		</tr>
	</thead>
</xsl:template>

<!-- How many there are, where not all are shown. -->
<xsl:template name="top-of">
	<xsl:param name="of"/>
	<xsl:if test="count($of) > $top">
		<xsl:text> </xsl:text>
		<small>
			<xsl:value-of select="concat('the ', $top, ' with most, of ')"/>
			<xsl:call-template name="number"><xsl:with-param name="value" select="count($of)"/></xsl:call-template>
		</small>
	</xsl:if>
</xsl:template>

<!-- A line for each of the words that the key knows; each word ends in a blank. -->
<xsl:template name="chart-lines">
	<xsl:param name="key"/>
	<xsl:param name="words"/>
	<xsl:param name="full" select="$all"/>
	<xsl:variable name="word" select="substring-before($words, ' ')"/>

	<xsl:if test="$word != ''">
		<xsl:call-template name="chart-line">
			<xsl:with-param name="label"><xsl:choose>
				<xsl:when test="$key = 'protocol'"><xsl:call-template name="protocol">
					<xsl:with-param name="number" select="$word"/>
				</xsl:call-template></xsl:when>
				<xsl:otherwise><xsl:value-of select="$word"/></xsl:otherwise>
			</xsl:choose></xsl:with-param>
			<xsl:with-param name="of" select="key($key, $word)"/>
			<xsl:with-param name="full" select="$full"/>
		</xsl:call-template>
		<xsl:call-template name="chart-lines">
			<xsl:with-param name="key" select="$key"/>
			<xsl:with-param name="words" select="substring-after($words, ' ')"/>
			<xsl:with-param name="full" select="$full"/>
		</xsl:call-template>
	</xsl:if>
</xsl:template>

<!-- Of no flows there is no line. -->
<xsl:template name="chart-line">
	<xsl:param name="label"/>
	<xsl:param name="of"/>
	<xsl:param name="full" select="$all"/>
	<xsl:param name="longest" select="$full"/>
	<xsl:param name="always"/>
	<xsl:if test="$of or $always">
		<xsl:text>&#10;</xsl:text>
		<tr>
			<th scope="row">
				<xsl:value-of select="$label"/>
				<xsl:call-template name="bar">
					<xsl:with-param name="value" select="count($of)"/>
					<xsl:with-param name="full" select="$longest"/>
					<xsl:with-param name="track" select="$longest = $full"/>
				</xsl:call-template>
			</th>
			<td class="number"><xsl:call-template name="number"><xsl:with-param name="value" select="count($of)"/></xsl:call-template></td>
			<td class="number"><xsl:call-template name="share">
				<xsl:with-param name="value" select="count($of)"/>
				<xsl:with-param name="of" select="$full"/>
			</xsl:call-template></td>
			<xsl:if test="$is-accounted">
				<td class="number"><xsl:call-template name="bytes">
					<xsl:with-param name="value" select="sum($of/counter/@bytes | $of/meta/counters/bytes)"/>
				</xsl:call-template></td>
			</xsl:if>
		</tr>
	</xsl:if>
</xsl:template>

<!-- A bar says nothing that the numbers beside it do not say, so it is hidden from those who
     cannot see it.  With "warn" its colour is that of conntap check: 80 and 95 %. -->
<xsl:template name="bar">
	<xsl:param name="value"/>
	<xsl:param name="full"/>
	<xsl:param name="track" select="true()"/>
	<xsl:param name="warn"/>
	<xsl:variable name="part" select="$value div $full"/>

	<xsl:if test="$full > 0">
		<svg xmlns="http://www.w3.org/2000/svg" class="bar" width="100%" height="6" aria-hidden="true">
			<xsl:if test="$track"><rect class="whole" width="100%" height="6" rx="3"/></xsl:if>
			<xsl:if test="$value > 0">
				<rect height="6" rx="3">
					<xsl:attribute name="width"><xsl:choose>
						<xsl:when test="$part > 1">100</xsl:when>
						<xsl:otherwise><xsl:value-of select="format-number(100 * $part, '0.##')"/></xsl:otherwise>
					</xsl:choose>%</xsl:attribute>
					<xsl:attribute name="class">part<xsl:choose>
						<xsl:when test="$warn and $part >= 0.95"> critical</xsl:when>
						<xsl:when test="$warn and $part >= 0.8"> high</xsl:when>
					</xsl:choose></xsl:attribute>
				</rect>
			</xsl:if>
		</svg>
	</xsl:if>
</xsl:template>

<!-- The flows. -->

<xsl:variable name="has-netns" select="boolean($flows/@netns)"/>
<xsl:variable name="has-times" select="boolean($flows/@time)"/>
<xsl:variable name="has-states" select="boolean($flows/tcp/@state | $flows/sctp/@state |
	$flows/dccp/@state | $flows/meta/state)"/>
<xsl:variable name="has-timeouts" select="boolean($flows/@timeout | $flows/meta/timeout)"/>
<xsl:variable name="has-starts" select="boolean($flows/timestamp/@start | $flows/meta/timestamp/start)"/>
<xsl:variable name="has-nat" select="boolean(key('flag', 'nat_mask'))"/>
<xsl:variable name="has-notes" select="boolean($flows/@mark[. != 0] | $flows/meta/mark[. != 0] |
	$flows/zone | $flows/meta/zone | $flows/tuple/@zone | $flows/helper | $flows/master |
	$flows/labels/label | $flows/meta/labels/label | $flows/security |
	$flows/meta/secctx | $flows/meta/secmark)"/>

<xsl:template name="flow-table">
	<section id="list" aria-label="The {$noun}s">
		<h2><xsl:choose>
			<xsl:when test="$is-events">Events of flows</xsl:when>
			<xsl:otherwise>Flows</xsl:otherwise>
		</xsl:choose></h2>
		<xsl:choose>
			<xsl:when test="not($flows)"><p id="none">There are none.</p></xsl:when>
			<xsl:otherwise>
				<xsl:call-template name="shown"/>
				<!-- Shown by the script, which it needs. -->
				<p id="find" hidden="hidden">
					<label for="words">Only lines with </label>
					<input id="words" type="search" size="30" autocomplete="off" spellcheck="false"/>
					<xsl:text> </xsl:text>
					<output id="matches" for="words" aria-live="polite"><xsl:text> </xsl:text></output>
				</p>
				<section class="scroll" tabindex="0" aria-label="Table of {$noun}s">
					<table id="flows">
						<caption class="unseen">The <xsl:value-of select="$noun"/>s; the headers sort them</caption>
						<xsl:call-template name="flow-head"/>
						<tbody>
							<!-- A table's order means nothing, so those with most bytes come first.  That
							     of events does: there, all are equal to this sort, which keeps them. -->
							<xsl:for-each select="$flows">
								<xsl:sort select="sum(counter/@bytes | meta/counters/bytes) * not($is-events)"
									data-type="number" order="descending"/>
								<xsl:if test="$limit = 0 or position() &lt;= $limit">
									<xsl:call-template name="flow"/>
								</xsl:if>
							</xsl:for-each>
						</tbody>
					</table>
				</section>
			</xsl:otherwise>
		</xsl:choose>
	</section>
</xsl:template>

<xsl:template name="shown">
	<p id="shown">
		<xsl:choose>
			<xsl:when test="$limit != 0 and $all > $limit">
				<xsl:text>Here are </xsl:text>
				<xsl:choose>
					<xsl:when test="$is-events">the first </xsl:when>
					<xsl:when test="$is-accounted">those with most bytes, </xsl:when>
				</xsl:choose>
				<xsl:call-template name="number"><xsl:with-param name="value" select="$limit"/></xsl:call-template>
				<xsl:text> of </xsl:text>
				<xsl:call-template name="number"><xsl:with-param name="value" select="$all"/></xsl:call-template>
				<xsl:text>; </xsl:text>
				<b><xsl:call-template name="number"><xsl:with-param name="value" select="$all - $limit"/></xsl:call-template>
				<xsl:text> are not shown.</xsl:text></b>
				<xsl:text> The charts are of all. </xsl:text>
				<code>--param limit 0</code>
				<xsl:text> shows all.</xsl:text>
			</xsl:when>
			<xsl:otherwise>
				<xsl:text>All </xsl:text>
				<xsl:call-template name="number"><xsl:with-param name="value" select="$all"/></xsl:call-template>
				<xsl:if test="$is-accounted and not($is-events)">, those with most bytes first</xsl:if>
				<xsl:text>.</xsl:text>
			</xsl:otherwise>
		</xsl:choose>
	</p>
</xsl:template>

<xsl:template name="flow-head">
	<thead>
		<tr>
			<xsl:if test="$has-netns"><xsl:call-template name="column"><xsl:with-param name="title" select="'Namespace'"/></xsl:call-template></xsl:if>
			<xsl:if test="$is-events"><xsl:call-template name="column"><xsl:with-param name="title" select="'Event'"/></xsl:call-template></xsl:if>
			<xsl:if test="$has-times"><xsl:call-template name="column"><xsl:with-param name="title" select="'Time, UTC'"/></xsl:call-template></xsl:if>
			<xsl:call-template name="column"><xsl:with-param name="title" select="'Protocol'"/></xsl:call-template>
			<xsl:call-template name="column"><xsl:with-param name="title" select="'Source'"/></xsl:call-template>
			<xsl:call-template name="column"><xsl:with-param name="title" select="'Port'"/></xsl:call-template>
			<xsl:call-template name="column"><xsl:with-param name="title" select="'Destination'"/></xsl:call-template>
			<xsl:call-template name="column"><xsl:with-param name="title" select="'Port'"/></xsl:call-template>
			<xsl:if test="$has-nat"><xsl:call-template name="column"><xsl:with-param name="title" select="'Translated'"/></xsl:call-template></xsl:if>
			<xsl:if test="$has-states"><xsl:call-template name="column"><xsl:with-param name="title" select="'State'"/></xsl:call-template></xsl:if>
			<xsl:call-template name="column"><xsl:with-param name="title" select="'Status'"/></xsl:call-template>
			<xsl:if test="$is-accounted">
				<xsl:call-template name="column">
					<xsl:with-param name="title" select="'Packets'"/>
					<xsl:with-param name="amount" select="true()"/>
				</xsl:call-template>
				<xsl:call-template name="column">
					<xsl:with-param name="title" select="'Bytes there'"/>
					<xsl:with-param name="amount" select="true()"/>
				</xsl:call-template>
				<xsl:call-template name="column">
					<xsl:with-param name="title" select="'Bytes back'"/>
					<xsl:with-param name="amount" select="true()"/>
				</xsl:call-template>
			</xsl:if>
			<xsl:if test="$has-starts">
				<xsl:call-template name="column">
					<xsl:with-param name="title"><xsl:choose>
						<xsl:when test="$is-events">Lasted, s</xsl:when>
						<xsl:otherwise>Age, s</xsl:otherwise>
					</xsl:choose></xsl:with-param>
					<xsl:with-param name="amount" select="true()"/>
				</xsl:call-template>
			</xsl:if>
			<xsl:if test="$has-timeouts">
				<xsl:call-template name="column">
					<xsl:with-param name="title" select="'Timeout, s'"/>
					<xsl:with-param name="amount" select="true()"/>
				</xsl:call-template>
			</xsl:if>
			<xsl:if test="$has-notes"><xsl:call-template name="column"><xsl:with-param name="title" select="'Notes'"/></xsl:call-template></xsl:if>
		</tr>
	</thead>
</xsl:template>

<!-- The script enables the button; without it, it is text. -->
<xsl:template name="column">
	<xsl:param name="title"/>
	<xsl:param name="amount"/>
	<th scope="col">
		<xsl:if test="$amount"><xsl:attribute name="class">number</xsl:attribute></xsl:if>
		<button type="button" disabled="disabled"><xsl:value-of select="$title"/></button>
	</th>
</xsl:template>

<xsl:template name="flow">
	<xsl:variable name="there" select="tuple[1] | meta[@direction = 'original']"/>
	<xsl:variable name="back" select="tuple[2] | meta[@direction = 'reply']"/>

	<xsl:text>&#10;</xsl:text>
	<tr>
		<xsl:if test="$has-netns"><td><xsl:value-of select="@netns"/></td></xsl:if>
		<xsl:if test="$is-events"><xsl:call-template name="event"/></xsl:if>
		<xsl:if test="$has-times"><td class="code"><xsl:call-template name="event-time"/></td></xsl:if>
		<td><xsl:call-template name="protocol">
			<xsl:with-param name="number" select="$there/@proto | $there/layer4/@protonum"/>
		</xsl:call-template></td>
		<td class="code"><xsl:value-of select="$there/@src | $there/layer3/src"/></td>
		<td class="code"><xsl:call-template name="source-port"><xsl:with-param name="of" select="$there | $there/layer4"/></xsl:call-template></td>
		<td class="code"><xsl:value-of select="$there/@dst | $there/layer3/dst"/></td>
		<td class="code"><xsl:call-template name="destination-port"><xsl:with-param name="of" select="$there | $there/layer4"/></xsl:call-template></td>
		<xsl:if test="$has-nat">
			<td class="code"><xsl:call-template name="translated">
				<xsl:with-param name="there" select="$there"/>
				<xsl:with-param name="back" select="$back"/>
			</xsl:call-template></td>
		</xsl:if>
		<xsl:if test="$has-states"><td><xsl:value-of select="tcp/@state | sctp/@state | dccp/@state | meta/state"/></td></xsl:if>
		<td><xsl:call-template name="status"/></td>
		<!-- The sum of no counters is not 0, but nothing: 0 div 0 is no number. -->
		<xsl:if test="$is-accounted">
			<td class="number"><xsl:call-template name="number"><xsl:with-param name="value"
				select="sum(counter/@packets | meta/counters/packets) div boolean(counter | meta/counters)"/></xsl:call-template></td>
			<td class="number"><xsl:call-template name="number"><xsl:with-param name="value"
				select="counter[1]/@bytes | $there/counters/bytes"/></xsl:call-template></td>
			<td class="number"><xsl:call-template name="number"><xsl:with-param name="value"
				select="counter[2]/@bytes | $back/counters/bytes"/></xsl:call-template></td>
		</xsl:if>
		<xsl:if test="$has-starts"><td class="number"><xsl:call-template name="age"/></td></xsl:if>
		<xsl:if test="$has-timeouts">
			<td class="number"><xsl:call-template name="number"><xsl:with-param name="value" select="@timeout | meta/timeout"/></xsl:call-template></td>
		</xsl:if>
		<xsl:if test="$has-notes"><td class="notes"><xsl:call-template name="notes"/></td></xsl:if>
	</tr>
</xsl:template>

<xsl:template name="event">
	<td>
		<xsl:value-of select="@event | @type"/>
		<xsl:if test="@unseen"> (unseen)</xsl:if>
	</td>
</xsl:template>

<xsl:template name="event-time">
	<xsl:if test="@time">
		<xsl:call-template name="time">
			<xsl:with-param name="seconds" select="@time"/>
			<xsl:with-param name="format" select="'00.000'"/>
		</xsl:call-template>
	</xsl:if>
</xsl:template>

<!-- What stands for a port: of ICMP its id, then its type and code; of GRE the keys. -->
<xsl:template name="source-port">
	<xsl:param name="of"/>
	<xsl:value-of select="$of/@sport | $of/sport | $of/@srckey | $of/srckey"/>
	<xsl:if test="$of/@icmpid | $of/id">id <xsl:value-of select="$of/@icmpid | $of/id"/></xsl:if>
</xsl:template>

<xsl:template name="destination-port">
	<xsl:param name="of"/>
	<xsl:value-of select="$of/@dport | $of/dport | $of/@dstkey | $of/dstkey"/>
	<xsl:if test="$of/@type | $of/type">
		<xsl:text>type </xsl:text>
		<xsl:value-of select="$of/@type | $of/type"/>
		<xsl:if test="($of/@code | $of/code) != 0">/<xsl:value-of select="$of/@code | $of/code"/></xsl:if>
	</xsl:if>
</xsl:template>

<!-- Where the reply direction is not the original one turned round. -->
<xsl:template name="translated">
	<xsl:param name="there"/>
	<xsl:param name="back"/>
	<xsl:call-template name="end">
		<xsl:with-param name="word" select="'from '"/>
		<xsl:with-param name="old-address" select="$there/@src | $there/layer3/src"/>
		<xsl:with-param name="old-port" select="$there/@sport | $there/layer4/sport"/>
		<xsl:with-param name="address" select="$back/@dst | $back/layer3/dst"/>
		<xsl:with-param name="port" select="$back/@dport | $back/layer4/dport"/>
	</xsl:call-template>
	<xsl:call-template name="end">
		<xsl:with-param name="word" select="'to '"/>
		<xsl:with-param name="old-address" select="$there/@dst | $there/layer3/dst"/>
		<xsl:with-param name="old-port" select="$there/@dport | $there/layer4/dport"/>
		<xsl:with-param name="address" select="$back/@src | $back/layer3/src"/>
		<xsl:with-param name="port" select="$back/@sport | $back/layer4/sport"/>
	</xsl:call-template>
</xsl:template>

<xsl:template name="end">
	<xsl:param name="word"/>
	<xsl:param name="old-address"/>
	<xsl:param name="old-port"/>
	<xsl:param name="address"/>
	<xsl:param name="port"/>
	<xsl:if test="$address != $old-address or $port != $old-port">
		<span class="end">
			<xsl:value-of select="$word"/>
			<xsl:call-template name="address-port">
				<xsl:with-param name="address" select="$address"/>
				<xsl:with-param name="port" select="$port"/>
			</xsl:call-template>
		</span>
		<xsl:text> </xsl:text>
	</xsl:if>
</xsl:template>

<xsl:template name="address-port">
	<xsl:param name="address"/>
	<xsl:param name="port"/>
	<xsl:choose>
		<xsl:when test="not($port)"><xsl:value-of select="$address"/></xsl:when>
		<xsl:when test="contains($address, ':')"><xsl:value-of select="concat('[', $address, ']:', $port)"/></xsl:when>
		<xsl:otherwise><xsl:value-of select="concat($address, ':', $port)"/></xsl:otherwise>
	</xsl:choose>
</xsl:template>

<!-- Flags that say something, and that no other column says. -->
<xsl:template name="status">
	<xsl:if test="meta/unreplied or (tuple and not(status/flag = 'seen reply'))">
		<span class="tag unreplied">unreplied</span><xsl:text> </xsl:text>
	</xsl:if>
	<xsl:if test="meta/assured or status/flag = 'assured'">
		<span class="tag">assured</span><xsl:text> </xsl:text>
	</xsl:if>
	<xsl:for-each select="status/flag | meta/status/flag">
		<xsl:if test="not(contains(concat(' seen_reply assured confirmed src_nat dst_nat nat_mask ',
				'src_nat_done dst_nat_done helper '), concat(' ', translate(., ' ', '_'), ' ')))">
			<span class="tag"><xsl:value-of select="."/></span><xsl:text> </xsl:text>
		</xsl:if>
	</xsl:for-each>
</xsl:template>

<!-- Seconds since the start; of events, from start to stop.  Without their point, the times of
     both dialects are nanoseconds.  These are more digits than a number has, so the last nine
     are reckoned by themselves. -->
<xsl:template name="age">
	<xsl:variable name="start" select="translate(timestamp/@start | meta/timestamp/start, '.', '')"/>
	<xsl:variable name="stop" select="translate(timestamp/@stop | meta/timestamp/stop, '.', '')"/>
	<xsl:variable name="seconds" select="substring($start, 1, string-length($start) - 9)"/>
	<xsl:variable name="rest" select="substring($start, string-length($start) - 8)"/>
	<xsl:variable name="age" select="substring-before(/*/@begun, '.') - $seconds +
		(substring-after(/*/@begun, '.') - $rest) div 1000000000"/>

	<xsl:choose>
		<xsl:when test="$start = ''"/>
		<xsl:when test="$stop != ''">
			<xsl:value-of select="format-number(substring($stop, 1, string-length($stop) - 9) - $seconds +
				(substring($stop, string-length($stop) - 8) - $rest) div 1000000000, '#,##0.000')"/>
		</xsl:when>
		<xsl:when test="$is-events"/>
		<xsl:when test="not(/*/@begun)">
			<xsl:call-template name="number"><xsl:with-param name="value" select="meta/deltatime"/></xsl:call-template>
		</xsl:when>
		<!-- A flow may be younger than the document. -->
		<xsl:when test="0 > $age">0</xsl:when>
		<xsl:otherwise>
			<xsl:call-template name="number"><xsl:with-param name="value" select="floor($age)"/></xsl:call-template>
		</xsl:otherwise>
	</xsl:choose>
</xsl:template>

<!-- What few flows have. -->
<xsl:template name="notes">
	<xsl:call-template name="note">
		<xsl:with-param name="word" select="'mark '"/>
		<xsl:with-param name="value" select="@mark[. != 0] | meta/mark[. != 0]"/>
	</xsl:call-template>
	<xsl:call-template name="note">
		<xsl:with-param name="word" select="'zone '"/>
		<xsl:with-param name="value" select="zone/@id | meta[@direction = 'independent']/zone"/>
	</xsl:call-template>
	<xsl:call-template name="note">
		<xsl:with-param name="word" select="'zone there '"/>
		<xsl:with-param name="value" select="tuple[1]/@zone | meta[@direction = 'original']/zone"/>
	</xsl:call-template>
	<xsl:call-template name="note">
		<xsl:with-param name="word" select="'zone back '"/>
		<xsl:with-param name="value" select="tuple[2]/@zone | meta[@direction = 'reply']/zone"/>
	</xsl:call-template>
	<xsl:call-template name="note">
		<xsl:with-param name="word" select="'helper '"/>
		<xsl:with-param name="value" select="helper/@name | helper[not(@name)]"/>
	</xsl:call-template>
	<xsl:for-each select="labels/label | meta/labels/label">
		<xsl:call-template name="note">
			<xsl:with-param name="word" select="'label '"/>
			<!-- The name, and the number where it has none. -->
			<xsl:with-param name="value" select="@name | @bit[not(../@name)] | self::label[not(@bit)]"/>
		</xsl:call-template>
	</xsl:for-each>
	<xsl:call-template name="note">
		<xsl:with-param name="word" select="'security mark '"/>
		<xsl:with-param name="value" select="security/@mark | meta/secmark"/>
	</xsl:call-template>
	<xsl:call-template name="note">
		<xsl:with-param name="word" select="'context '"/>
		<xsl:with-param name="value" select="security/@context | meta/secctx"/>
	</xsl:call-template>
	<xsl:for-each select="master">
		<span class="tag">
			<xsl:text>expected by </xsl:text>
			<xsl:call-template name="tuple">
				<xsl:with-param name="number" select="@proto"/>
				<xsl:with-param name="source" select="@src"/>
				<xsl:with-param name="destination" select="@dst"/>
				<xsl:with-param name="from" select="@sport"/>
				<xsl:with-param name="to" select="@dport"/>
			</xsl:call-template>
		</span>
	</xsl:for-each>
</xsl:template>

<xsl:template name="note">
	<xsl:param name="word"/>
	<xsl:param name="value"/>
	<xsl:if test="$value != ''">
		<span class="tag"><xsl:value-of select="concat($word, $value)"/></span>
		<xsl:text> </xsl:text>
	</xsl:if>
</xsl:template>

<xsl:template name="tuple">
	<xsl:param name="number"/>
	<xsl:param name="source"/>
	<xsl:param name="destination"/>
	<xsl:param name="from"/>
	<xsl:param name="to"/>
	<xsl:call-template name="protocol"><xsl:with-param name="number" select="$number"/></xsl:call-template>
	<xsl:text> </xsl:text>
	<xsl:call-template name="address-port">
		<xsl:with-param name="address" select="$source"/>
		<xsl:with-param name="port" select="$from"/>
	</xsl:call-template>
	<xsl:text> → </xsl:text>
	<xsl:call-template name="address-port">
		<xsl:with-param name="address" select="$destination"/>
		<xsl:with-param name="port" select="$to"/>
	</xsl:call-template>
</xsl:template>

<!-- The expectations. -->

<xsl:template name="expectation-table">
	<xsl:if test="$expectations">
		<section aria-label="Expectations">
			<h2>Expectations</h2>
			<p>Flows that a helper has foreseen, and that are let in as relatives of their master.
			* is what may be anything.</p>
			<section class="scroll" tabindex="0" aria-label="Table of expectations">
				<table id="expectations">
					<caption class="unseen">Expectations</caption>
					<thead>
						<tr>
							<xsl:if test="$expectations/@netns"><th scope="col">Namespace</th></xsl:if>
							<xsl:if test="$is-events"><th scope="col">Event</th></xsl:if>
							<xsl:if test="$expectations/@time"><th scope="col">Time, UTC</th></xsl:if>
							<th scope="col">Protocol</th>
							<th scope="col">Source</th>
							<th scope="col">Port</th>
							<th scope="col">Destination</th>
							<th scope="col">Port</th>
							<th scope="col">Expected by</th>
							<th scope="col">Helper</th>
							<th scope="col" class="number">Timeout, s</th>
							<th scope="col">Notes</th>
						</tr>
					</thead>
					<tbody>
						<xsl:for-each select="$expectations">
							<xsl:if test="$limit = 0 or position() &lt;= $limit">
								<xsl:call-template name="expectation"/>
							</xsl:if>
						</xsl:for-each>
					</tbody>
				</table>
			</section>
			<xsl:if test="$limit != 0 and count($expectations) > $limit">
				<p><b><xsl:call-template name="number">
					<xsl:with-param name="value" select="count($expectations) - $limit"/>
				</xsl:call-template> more are not shown.</b></p>
			</xsl:if>
		</section>
	</xsl:if>
</xsl:template>

<xsl:template name="expectation">
	<xsl:text>&#10;</xsl:text>
	<tr>
		<xsl:if test="$expectations/@netns"><td><xsl:value-of select="@netns"/></td></xsl:if>
		<xsl:if test="$is-events"><xsl:call-template name="event"/></xsl:if>
		<xsl:if test="$expectations/@time"><td class="code"><xsl:call-template name="event-time"/></td></xsl:if>
		<td><xsl:call-template name="protocol"><xsl:with-param name="number" select="expected/@proto | layer4/@protonum"/></xsl:call-template></td>
		<td class="code"><xsl:call-template name="masked">
			<xsl:with-param name="value" select="expected/@src | layer3/expected/src"/>
			<xsl:with-param name="mask" select="mask/@src | layer3/mask/src"/>
		</xsl:call-template></td>
		<td class="code"><xsl:call-template name="masked">
			<xsl:with-param name="value" select="expected/@sport | layer4/expected/sport | expected/@srckey | layer4/expected/srckey"/>
			<xsl:with-param name="mask" select="mask/@sport | layer4/mask/sport | mask/@srckey | layer4/mask/srckey"/>
		</xsl:call-template></td>
		<td class="code"><xsl:call-template name="masked">
			<xsl:with-param name="value" select="expected/@dst | layer3/expected/dst"/>
			<xsl:with-param name="mask" select="mask/@dst | layer3/mask/dst"/>
		</xsl:call-template></td>
		<td class="code"><xsl:call-template name="masked">
			<xsl:with-param name="value" select="expected/@dport | layer4/expected/dport | expected/@dstkey | layer4/expected/dstkey"/>
			<xsl:with-param name="mask" select="mask/@dport | layer4/mask/dport | mask/@dstkey | layer4/mask/dstkey"/>
		</xsl:call-template></td>
		<td class="code"><xsl:if test="master | layer4/master">
			<xsl:call-template name="tuple">
				<xsl:with-param name="number" select="master/@proto | layer4/master/@protonum"/>
				<xsl:with-param name="source" select="master/@src | layer3/master/src"/>
				<xsl:with-param name="destination" select="master/@dst | layer3/master/dst"/>
				<xsl:with-param name="from" select="master/@sport | layer4/master/sport"/>
				<xsl:with-param name="to" select="master/@dport | layer4/master/dport"/>
			</xsl:call-template>
		</xsl:if></td>
		<td><xsl:value-of select="helper/@name | meta/helper-name"/></td>
		<td class="number"><xsl:call-template name="number"><xsl:with-param name="value" select="@timeout | meta/timeout"/></xsl:call-template></td>
		<td class="notes">
			<xsl:for-each select="flags/flag"><span class="tag"><xsl:value-of select="."/></span><xsl:text> </xsl:text></xsl:for-each>
			<xsl:for-each select="meta/permanent | meta/inactive | meta/userspace">
				<span class="tag"><xsl:value-of select="name()"/></span><xsl:text> </xsl:text>
			</xsl:for-each>
			<xsl:if test="zone | meta/zone">
				<span class="tag">zone <xsl:value-of select="zone/@id | meta/zone"/></span><xsl:text> </xsl:text>
			</xsl:if>
			<xsl:if test="nat | layer3/nat">
				<span class="tag">
					<xsl:text>translated to </xsl:text>
					<xsl:call-template name="address-port">
						<xsl:with-param name="address" select="nat/@src | layer3/nat/src"/>
						<xsl:with-param name="port" select="nat/@sport | layer4/nat/sport"/>
					</xsl:call-template>
				</span>
			</xsl:if>
		</td>
	</tr>
</xsl:template>

<!-- Where no bit counts, it may be anything. -->
<xsl:template name="masked">
	<xsl:param name="value"/>
	<xsl:param name="mask"/>
	<xsl:choose>
		<xsl:when test="$mask = '0' or $mask = '0x0' or $mask = '0.0.0.0' or $mask = '::'">*</xsl:when>
		<xsl:otherwise>
			<xsl:value-of select="$value"/>
			<xsl:if test="$mask and $mask != '65535' and $mask != '0xffff' and $mask != '255.255.255.255' and
					$mask != 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'">
				<xsl:value-of select="concat('/', $mask)"/>
			</xsl:if>
		</xsl:otherwise>
	</xsl:choose>
</xsl:template>

<!-- Words and numbers. -->

<xsl:template name="protocol">
	<xsl:param name="number"/>
	<xsl:choose>
		<xsl:when test="$number = 6">tcp</xsl:when>
		<xsl:when test="$number = 17">udp</xsl:when>
		<xsl:when test="$number = 1">icmp</xsl:when>
		<xsl:when test="$number = 58">icmpv6</xsl:when>
		<xsl:when test="$number = 132">sctp</xsl:when>
		<xsl:when test="$number = 33">dccp</xsl:when>
		<xsl:when test="$number = 136">udplite</xsl:when>
		<xsl:when test="$number = 47">gre</xsl:when>
		<xsl:when test="$number = 50">esp</xsl:when>
		<xsl:when test="$number = 51">ah</xsl:when>
		<xsl:when test="$number = 4">ipip</xsl:when>
		<xsl:when test="$number = 41">ipv6</xsl:when>
		<xsl:when test="$number = 2">igmp</xsl:when>
		<xsl:when test="$number = 89">ospf</xsl:when>
		<xsl:when test="$number = 103">pim</xsl:when>
		<xsl:when test="$number = 112">vrrp</xsl:when>
		<xsl:when test="$number = 115">l2tp</xsl:when>
		<xsl:otherwise><xsl:value-of select="$number"/></xsl:otherwise>
	</xsl:choose>
</xsl:template>

<!-- Nothing is not a number, and shows as nothing. -->
<xsl:template name="number">
	<xsl:param name="value"/>
	<xsl:if test="number($value) = number($value) and number($value) != 1 div 0">
		<xsl:value-of select="format-number($value, '#,##0')"/>
	</xsl:if>
</xsl:template>

<xsl:template name="share">
	<xsl:param name="value"/>
	<xsl:param name="of"/>
	<xsl:if test="$of > 0"><xsl:value-of select="format-number(100 * $value div $of, '0.0')"/>&#160;%</xsl:if>
</xsl:template>

<!-- 1023.95 KiB and more show as MiB: the unit is that of the rounded number. -->
<xsl:template name="bytes">
	<xsl:param name="value"/>
	<xsl:param name="units" select="'B KiB MiB GiB TiB PiB EiB '"/>
	<xsl:param name="format" select="'0'"/>
	<xsl:choose>
		<xsl:when test="$value >= 1023.95 and substring-after($units, ' ') != ''">
			<xsl:call-template name="bytes">
				<xsl:with-param name="value" select="$value div 1024"/>
				<xsl:with-param name="units" select="substring-after($units, ' ')"/>
				<xsl:with-param name="format" select="'0.0'"/>
			</xsl:call-template>
		</xsl:when>
		<xsl:otherwise>
			<xsl:value-of select="concat(format-number($value, $format), '&#160;', substring-before($units, ' '))"/>
		</xsl:otherwise>
	</xsl:choose>
</xsl:template>

<!-- Seconds since 1970 as the date and the time of day, UTC.  Years begin in March here, so
     that the leap day is their last. -->
<xsl:template name="time">
	<xsl:param name="seconds"/>
	<xsl:param name="format" select="'00'"/>
	<xsl:variable name="days" select="floor($seconds div 86400) + 719468"/>
	<xsl:variable name="era" select="floor($days div 146097)"/>
	<xsl:variable name="day" select="$days - $era * 146097"/>
	<xsl:variable name="year" select="floor(($day - floor($day div 1460) + floor($day div 36524) -
		floor($day div 146096)) div 365)"/>
	<xsl:variable name="rest" select="$day - (365 * $year + floor($year div 4) - floor($year div 100))"/>
	<xsl:variable name="month" select="floor((5 * $rest + 2) div 153)"/>
	<xsl:variable name="second" select="$seconds mod 60"/>

	<xsl:value-of select="concat(
		format-number($year + $era * 400 + ($month > 9), '0000'), '-',
		format-number($month + 3 - 12 * ($month > 9), '00'), '-',
		format-number($rest - floor((153 * $month + 2) div 5) + 1, '00'), ' ',
		format-number(floor($seconds div 3600) mod 24, '00'), ':',
		format-number(floor($seconds div 60) mod 60, '00'), ':')"/>
	<!-- Cut, not rounded: there is no second 60. -->
	<xsl:choose>
		<xsl:when test="$format = '00'"><xsl:value-of select="format-number(floor($second), '00')"/></xsl:when>
		<xsl:otherwise><xsl:value-of select="format-number(floor($second * 1000) div 1000, $format)"/></xsl:otherwise>
	</xsl:choose>
</xsl:template>

<!-- The style: nothing is loaded, fonts are those of the reader. -->
<xsl:template name="style">
	:root {
		--page: #f4f5f7; --card: #ffffff; --line: #d9dde3; --text: #1c2128; --quiet: #59636e;
		--bar: #2563c9; --track: #e4e8ee; --high: #b45309; --critical: #c0262d;
		--tag: #e8edf5; --tag-text: #2f3b4c; --alarm: #fff4d6; --alarm-line: #b7791f;
		--code: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace;
		color-scheme: light dark;
	}
	@media (prefers-color-scheme: dark) {
		:root {
			--page: #0e1217; --card: #171c23; --line: #303844; --text: #e4e9ef; --quiet: #9ba7b4;
			--bar: #5a96f5; --track: #2a323d; --high: #e6a23c; --critical: #f2777c;
			--tag: #263140; --tag-text: #c3d0df; --alarm: #33290f; --alarm-line: #d9a441;
		}
	}
	* { box-sizing: border-box; }
	body {
		margin: 0 auto; max-width: 110rem; padding: 1.5rem; background: var(--page); color: var(--text);
		font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif;
	}
	h1 { margin: 0; font-size: 1.6rem; line-height: 1.2; overflow-wrap: anywhere; }
	h2 { margin: 2rem 0 0.5rem; font-size: 1.2rem; }
	p { margin: 0.5rem 0; }
	small { font-size: 0.85rem; font-weight: normal; color: var(--quiet); }
	code, .scroll .code, .card .code th { font-family: var(--code); }
	dl, dd { margin: 0; }
	dt { color: var(--quiet); font-size: 0.85rem; }
	.about { display: flex; flex-wrap: wrap; gap: 0.25rem 2rem; margin: 0.6rem 0 1rem; }
	.about div { display: flex; gap: 0.5rem; align-items: baseline; }
	.about dd { overflow-wrap: anywhere; }
	.numbers { display: flex; flex-wrap: wrap; gap: 0.75rem; margin: 1rem 0; }
	.numbers div { flex: 1 1 9rem; padding: 0.6rem 1rem; }
	.numbers dd { font-size: 1.6rem; font-weight: 600; line-height: 1.2; font-variant-numeric: tabular-nums; }
	.numbers div, .card, .scroll { background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
	.warning {
		margin: 0.5rem 0; padding: 0.6rem 1rem; background: var(--alarm);
		border: 1px solid var(--alarm-line); border-left-width: 6px; border-radius: 8px;
	}
	.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(21rem, 100%), 1fr)); gap: 0.75rem; margin: 0.75rem 0; }
	.card { padding: 0.75rem 1rem 1rem; min-width: 0; overflow-x: auto; }
	.card table + table { margin-top: 1.1rem; }
	.card caption { padding-bottom: 0.35rem; font-size: 1rem; font-weight: 600; text-align: left; }
	.card caption small { margin-left: 0.35rem; }
	table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
	th, td { padding: 0.25rem 0 0.25rem 0.9rem; text-align: left; vertical-align: top; font-weight: normal; }
	th:first-child, td:first-child { padding-left: 0; }
	thead th { color: var(--quiet); font-size: 0.85rem; white-space: nowrap; }
	.card tbody th { width: 100%; overflow-wrap: anywhere; }
	.card .code th { font-size: 0.9em; }
	#losses tbody th { width: auto; white-space: nowrap; }
	#losses .meaning { width: 100%; color: var(--quiet); }
	.number { text-align: right; white-space: nowrap; }
	.bad { color: var(--critical); font-weight: 700; }
	.bar { display: block; margin: 0.2rem 0 0.1rem; }
	.whole { fill: var(--track); }
	.part { fill: var(--bar); }
	.high { fill: var(--high); }
	.critical { fill: var(--critical); }
	.scroll { overflow-x: auto; padding: 0 1rem 0.5rem; }
	.scroll table { font-size: 13px; }
	.scroll th { padding-top: 0.5rem; border-bottom: 2px solid var(--line); }
	.scroll td { padding-top: 0.2rem; padding-bottom: 0.2rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
	.scroll .code { font-size: 12px; }
	.scroll td.notes { white-space: normal; min-width: 12rem; }
	.end { display: block; }
	.tag { display: inline-block; padding: 0 0.4em; border-radius: 4px; background: var(--tag); color: var(--tag-text); font-size: 12px; overflow-wrap: anywhere; }
	.unreplied { background: var(--alarm); color: var(--text); }
	button { padding: 0; border: 0; background: none; color: inherit; font: inherit; text-align: inherit; }
	button:enabled { cursor: pointer; }
	button:enabled:hover { text-decoration: underline; }
	th[aria-sort] { color: var(--text); font-weight: 600; }
	th[aria-sort="ascending"] button::after { content: " \2191"; }
	th[aria-sort="descending"] button::after { content: " \2193"; }
	input { padding: 0.3rem 0.6rem; border: 1px solid var(--quiet); border-radius: 6px; background: var(--card); color: inherit; font: inherit; max-width: 100%; }
	:focus-visible { outline: 2px solid var(--bar); outline-offset: 2px; }
	[hidden] { display: none; }
	.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
	@media print {
		:root {
			font-size: 10px;
			--page: #fff; --card: #fff; --line: #bbb; --text: #000; --quiet: #444; --bar: #2563c9; --track: #e4e8ee;
			--high: #b45309; --critical: #c0262d; --tag: #eee; --tag-text: #000; --alarm: #fff; --alarm-line: #000;
		}
		@page { size: A4 landscape; margin: 10mm; }
		body { padding: 0; max-width: none; font-size: 1rem; }
		svg { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
		.card, .numbers div { break-inside: avoid; }
		.scroll { overflow: visible; border: 0; padding: 0; }
		.scroll table, .scroll .code, .tag { font-size: 8px; }
		tr { break-inside: avoid; }
		thead { display: table-header-group; }
		#find { display: none; }
	}
</xsl:template>

<!-- The script: sorts the table by the header that is clicked, and hides the lines that do not
     have the words of the box.  Whoever changes it has to change its hash in the page's head;
     tests/netns/xslt.t tells the new one. -->
<xsl:template name="script">
(function () {
	'use strict';
	var table = document.getElementById('flows');
	if (!table) {
		return;
	}
	var rows = Array.from(table.tBodies[0].rows);
	var heads = Array.from(table.tHead.rows[0].cells);
	var NUMBER = 0, ADDRESS = 1, TEXT = 2, NOTHING = 3;
	var plain = new Intl.Collator('en'), natural = new Intl.Collator('en', { numeric: true });

	function padded(digits) {
		return ('0000' + digits).slice(-4);
	}

	function ipv4(text) {
		return text.split('.').map(padded);
	}

	/* All eight groups, so that text sorts as the number does. */
	function ipv6(text) {
		var halves = text.split('::').map(function (half) {
			return half === '' ? [] : half.split(':').map(padded);
		});
		var tail = halves[1] || [];
		var missing = Math.max(0, 8 - halves[0].length - tail.length);
		return halves[0].concat(Array(missing).fill('0000'), tail);
	}

	/* What a cell is sorted by, and as what. */
	function keyOf(row, column) {
		var text = row.cells[column].textContent.trim();
		var digits = text.replace(/,/g, '');
		var key = { row: row, kind: TEXT, value: text };
		if (text === '') {
			key.kind = NOTHING;
		} else if (/^[0-9]+([.][0-9]+)?$/.test(digits)) {
			key.kind = NUMBER;
			key.value = Number(digits);
		} else if (/^[0-9]+([.][0-9]+){3}$/.test(text)) {
			key.kind = ADDRESS;
			key.value = '4' + ipv4(text).join('');
		} else if (/^[0-9a-f]*:[0-9a-f:]+$/.test(text)) {
			key.kind = ADDRESS;
			key.value = '6' + ipv6(text).join('');
		}
		return key;
	}

	/* The lines that have nothing there are the last in both orders. */
	function compare(a, b, sign) {
		if (a.kind !== b.kind) {
			return a.kind - b.kind;
		}
		if (a.kind === NUMBER) {
			return sign * (a.value - b.value);
		}
		return sign * (a.kind === TEXT ? natural : plain).compare(a.value, b.value);
	}

	/* Amounts begin with the most. */
	function sortBy(column) {
		var head = heads[column];
		var before = head.getAttribute('aria-sort') ||
			(head.className === 'number' ? 'ascending' : 'descending');
		var order = before === 'ascending' ? 'descending' : 'ascending';
		var sign = order === 'ascending' ? 1 : -1;
		var lines = document.createDocumentFragment();

		rows = rows.map(function (row) {
			return keyOf(row, column);
		}).sort(function (a, b) {
			return compare(a, b, sign);
		}).map(function (key) {
			lines.appendChild(key.row);
			return key.row;
		});
		table.tBodies[0].appendChild(lines);
		heads.forEach(function (other) {
			other.removeAttribute('aria-sort');
		});
		head.setAttribute('aria-sort', order);
	}

	/* A line as one text, blanks between its cells. */
	function textOf(row) {
		return Array.from(row.cells).map(function (cell) {
			return cell.textContent;
		}).join(' ').toLowerCase();
	}

	function find(words) {
		var found = 0;
		rows.forEach(function (row) {
			var text = textOf(row);
			row.hidden = !words.every(function (word) {
				return text.includes(word);
			});
			found += row.hidden ? 0 : 1;
		});
		document.getElementById('matches').textContent =
			words.length ? found + ' of ' + rows.length : '';
	}

	heads.forEach(function (head, column) {
		var button = head.querySelector('button');
		button.disabled = false;
		button.addEventListener('click', function () {
			sortBy(column);
		});
	});
	document.getElementById('find').hidden = false;
	document.getElementById('words').addEventListener('input', function () {
		find(this.value.toLowerCase().split(/\s+/).filter(Boolean));
	});
}());
</xsl:template>

</xsl:stylesheet>
