#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs what conntap is built and tested with.  Without root it prints the command.
#
#   ./deps.sh          to build, run the demonstration and the tests
#   ./deps.sh build    to build only
#   ./deps.sh ci       what continuous integration uses besides

set -eu

# The package lists: one line for each distribution and purpose.
apt_build="gcc libc6-dev make pkg-config libmnl-dev libnetfilter-conntrack-dev zlib1g-dev libzstd-dev libsnmp-dev libcap-ng-dev"
apt_check="netbase zstd xsltproc systemd libcmocka-dev perl conntrack nftables iproute2 libxml2-utils mandoc procps iputils-ping kmod strace collectd-core collectd-dev collectd-utils libyajl2 libprotobuf-c1 libmicrohttpd12 rrdtool libgcrypt20 librdkafka1 snmp smitools python3-pysnmp4 php-cli php-xml php-mbstring"
apt_ci="clang clang-format libclang-rt-14-dev valgrind"

dnf_build="gcc make pkgconf-pkg-config libmnl-devel libnetfilter_conntrack-devel zlib-devel libzstd-devel net-snmp-devel libcap-ng-devel"
dnf_check="zstd libcmocka-devel perl-Test-Harness perl-Test-Simple conntrack-tools nftables iproute libxml2 mandoc procps-ng iputils kmod util-linux strace net-snmp net-snmp-utils libsmi python3-pysnmp"
dnf_ci="clang clang-tools-extra compiler-rt valgrind"

apk_build="gcc musl-dev linux-headers make pkgconf libmnl-dev libnetfilter_conntrack-dev zlib-dev zstd-dev net-snmp-dev libcap-ng-dev"
apk_check="zstd cmocka-dev perl perl-utils conntrack-tools nftables iproute2 libxml2-utils mandoc procps iputils kmod util-linux strace net-snmp net-snmp-tools"
apk_ci="clang clang-extra-tools compiler-rt valgrind"

pacman_build="gcc make pkgconf libmnl libnetfilter_conntrack zlib zstd net-snmp libcap-ng"
pacman_check="iana-etc cmocka perl conntrack-tools nftables iproute2 libxml2 mandoc procps-ng iputils kmod util-linux strace libsmi"
pacman_ci="clang compiler-rt valgrind"

case "${1-check}" in
build) purposes="build" ;;
check) purposes="build check" ;;
ci) purposes="build check ci" ;;
*)
	echo "deps.sh: $1 is not a purpose (build, check or ci)" >&2
	exit 2
	;;
esac

# The packages of $1 (apt, dnf, apk, pacman) for the wanted purposes.
packages() {
	for purpose in $purposes; do
		eval "printf '%s ' \"\$${1}_$purpose\""
	done
}

if command -v apt-get >/dev/null; then
	manager=apt
	have() { [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null)" = "ii " ]; }
	install="apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends"
elif command -v dnf >/dev/null; then
	manager=dnf
	have() { rpm -q --quiet "$1"; }
	install="dnf install -y"
elif command -v apk >/dev/null; then
	manager=apk
	have() { apk info -e "$1" >/dev/null; }
	install="apk add"
elif command -v pacman >/dev/null; then
	manager=pacman
	have() { pacman -Q "$1" >/dev/null 2>&1; }
	install="pacman -S --needed --noconfirm"
else
	echo "deps.sh: no apt-get, dnf, apk or pacman here; what Debian calls:" >&2
	packages apt >&2
	echo >&2
	exit 1
fi

missing=
for package in $(packages $manager); do
	have "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "deps.sh: these packages are missing; as root:" >&2
	echo "  $install$missing" >&2
	exit 1
fi
echo "deps.sh: installing$missing" >&2
eval "{ $install$missing; } >deps.log 2>&1" || {
	tail -n 20 deps.log >&2
	echo "deps.sh: the installation failed; deps.log has all of it" >&2
	exit 1
}
rm -f deps.log
