#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# get-daemons.sh DIRECTORY
#
# Puts what tests run against into DIRECTORY: links to what is installed, or else the
# files of Debian's packages.  The packages are not installed: their daemons would begin
# to serve this machine, on the ports 161, 9090 and others.
#
#	prometheus/		promtool, prometheus, node_exporter
#	daemons/usr/		as in the packages: sbin/snmpd, sbin/snmptrapd,
#				bin/prometheus-snmp-exporter, bin/prometheus-snmp-generator,
#				lib/erlang/lib/snmp-VERSION/mibs (the IETF's modules),
#				share/zabbix
#
# Needs no rights.  Says nothing unless it fails: then why, in one line, with exit status
# 1.  Tests that want what is missing then are skipped.

# "Do this && that || fail": fail ends the script, after either.
# shellcheck disable=SC2015

PATH=$PATH:/usr/sbin:/sbin

# A line each: the package, what to take out of it, and where that goes.
wanted="\
prometheus usr/bin/promtool prometheus/promtool
prometheus usr/bin/prometheus prometheus/prometheus
prometheus-node-exporter usr/bin/prometheus-node-exporter prometheus/node_exporter
snmpd usr/sbin/snmpd daemons
snmptrapd usr/sbin/snmptrapd daemons
prometheus-snmp-exporter usr/bin/prometheus-snmp-exporter daemons
prometheus-snmp-exporter usr/bin/prometheus-snmp-generator daemons
erlang-snmp usr/lib/erlang/lib/snmp-*/mibs daemons
zabbix-frontend-php usr/share/zabbix daemons"

fail()
{
	echo "get-daemons.sh: $*" >&2
	exit 1
}

# The first file or directory that the pattern fits.
first()
{
	for name in $1; do
		[ -e "$name" ] && echo "$name" && return
	done
	return 1
}

# A program may be somewhere else on the system than Debian has it.
installed()
{
	first "/$1" || command -v "${1##*/}" || command -v "${2##*/}"
}

# Where what has that path in its package goes.
place_of()
{
	case $2 in
	daemons) echo "$to/daemons/$1" ;;
	*) echo "$to/$2" ;;
	esac
}

# put "ln -s" SOURCE PLACE, or "mv": at once, as somebody may be at the same.  What is
# there and leads nowhere was a link to something installed.
put()
{
	mkdir -p "${3%/*}" 2>/dev/null || fail "cannot write in $to"
	[ -e "$3" ] || rm -f "$3"
	$1 -fT "$2" "$3" 2>/dev/null || [ -e "$3" ] || fail "cannot make $3"
}

# Links what is installed; what is left is missing, and of these packages.
link_installed()
{
	packages=
	missing=
	while read -r package path place; do
		first "$(place_of "$path" "$place")" >/dev/null && continue
		if found=$(installed "$path" "$place"); then
			case $path in
			*\**) path=${found#/} ;;
			esac
			put "ln -s" "$found" "$(place_of "$path" "$place")"
			continue
		fi
		missing="$missing$package $path $place
"
		case " $packages " in
		*" $package "*) ;;
		*) packages="$packages${packages:+ }$package" ;;
		esac
	done <<-END
		$wanted
	END
}

# apt, with a state of its own: an ordinary user may not renew the system's lists, and
# what the system does after a renewal is none of our business.
write_config()
{
	mkdir -p "$work/lists/partial" "$work/cache/archives/partial" &&
		cat >"$work/apt.conf" <<-END || fail "cannot write in $to"
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		Dir::State::lists "$work/lists";
		Dir::Cache "$work/cache";
		Acquire::Languages "none";
		END
}

# apt OPTIONS...; root needs no other user's help to write here, who could not.
apt()
{
	(cd "$work" && timeout 120 apt-get -q -o APT::Sandbox::User=root \
		-o Acquire::http::Timeout=15 -o Acquire::Retries=1 "$@") >>"$work/log" 2>&1
}

# By the system's lists, or where there are none, or old ones, by new ones.
download()
{
	# shellcheck disable=SC2086
	apt download $packages && return
	echo "again, with new lists" >"$work/log"
	write_config
	apt -c "$work/apt.conf" update
	# shellcheck disable=SC2086
	apt -c "$work/apt.conf" download $packages && return
	why=$(sed -n 's/^[EW]: //p' "$work/log" | head -n 1)
	fail "cannot download $packages: ${why:-apt-get took too long}"
}

unpack()
{
	for package in "$work"/*.deb; do
		dpkg-deb -x "$package" "$work/root" 2>>"$work/log" ||
			fail "cannot unpack ${package##*/}: $(tail -n 1 "$work/log")"
	done
	while read -r package path place; do
		[ -n "$package" ] || continue
		found=$(first "$work/root/$path") ||
			fail "Debian's package $package has no $path"
		put mv "$found" "$(place_of "${found#"$work/root/"}" "$place")"
	done <<-END
		$missing
	END
}

[ $# -eq 1 ] || fail "usage: get-daemons.sh DIRECTORY"
mkdir -p "$1" 2>/dev/null && to=$(cd "$1" && pwd) || fail "cannot make the directory $1"
link_installed
[ -n "$missing" ] || exit 0
for tool in apt-get dpkg-deb; do
	command -v $tool >/dev/null || fail "no $tool here to get $packages with"
done
work=$(mktemp -d "$to/get.XXXXXX") || fail "cannot write in $to"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
download
unpack
