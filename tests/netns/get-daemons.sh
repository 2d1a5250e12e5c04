#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# get-prometheus.sh DIRECTORY
#
# Puts promtool, prometheus and node_exporter into DIRECTORY, for the tests: links to
# those that are installed, or else the files of Debian's packages.  The packages are
# not installed: they would begin to serve this machine on the ports 9090 and 9100.
#
# Needs no rights.  Says nothing unless it fails: then why, in one line, with exit status
# 1.  Tests that want the programs are skipped without them.

# "Do this && that || fail": fail ends the script, after either.
# shellcheck disable=SC2015

programs="promtool prometheus node_exporter"
packages="prometheus prometheus-node-exporter"

fail()
{
	echo "get-prometheus.sh: $*" >&2
	exit 1
}

have_all()
{
	for program in $programs; do
		[ -x "$to/$program" ] || return
	done
}

# The first of these that is installed.
installed()
{
	for name in "$@"; do
		command -v "$name" && return
	done
	return 1
}

link_installed()
{
	promtool=$(installed promtool) && prometheus=$(installed prometheus) &&
		exporter=$(installed node_exporter prometheus-node-exporter) || return
	ln -sf "$promtool" "$to/promtool" && ln -sf "$prometheus" "$to/prometheus" &&
		ln -sf "$exporter" "$to/node_exporter" || fail "cannot link in $to"
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

# Each is put in its place at once: somebody may be at the same.
unpack()
{
	for package in "$work"/*.deb; do
		dpkg-deb -x "$package" "$work/root" 2>>"$work/log" ||
			fail "cannot unpack ${package##*/}: $(tail -n 1 "$work/log")"
	done
	mv -f "$work/root/usr/bin/promtool" "$work/root/usr/bin/prometheus" "$to" &&
		mv -f "$work/root/usr/bin/prometheus-node-exporter" "$to/node_exporter" ||
		fail "Debian's packages have other files"
}

[ $# -eq 1 ] || fail "usage: get-prometheus.sh DIRECTORY"
mkdir -p "$1" && to=$(cd "$1" && pwd) || fail "cannot make the directory $1"
have_all && exit
link_installed && exit
for tool in apt-get dpkg-deb; do
	command -v $tool >/dev/null || fail "no $tool here to get $programs with"
done
work=$(mktemp -d "$to/get.XXXXXX") || fail "cannot write in $to"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
download
unpack
