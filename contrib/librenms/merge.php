<?php
// SPDX-License-Identifier: GPL-2.0-or-later
//
// php merge.php LIBRENMS OS
//
// Puts the sensors of conntap.yaml into what LibreNMS, in the directory LIBRENMS, knows
// to look for on devices of this OS.  What was put there before is replaced.

use Symfony\Component\Yaml\Yaml;

function give_up(string $why): void {
	fwrite(STDERR, "merge.php: $why\n");
	exit(1);
}

if ($argc != 3 || !preg_match('/^[\w-]+$/', $argv[2])) {
	give_up('usage: php merge.php LIBRENMS OS');
}
[, $root, $os] = $argv;
$target = "$root/resources/definitions/os_discovery/$os.yaml";
if (!is_file("$root/vendor/autoload.php") || !is_dir(dirname($target))) {
	give_up("no LibreNMS in $root");
}
require "$root/vendor/autoload.php";

$definition = is_file($target) ? Yaml::parseFile($target) : [];
foreach ($definition['modules']['sensors'] ?? [] as $class => $sensors) {
	$others = array_values(array_filter($sensors['data'] ?? [], function ($sensor): bool {
		return strpos(((array) $sensor['oid'])[0], 'CONNTAP-MIB::') !== 0;
	}));
	$definition['modules']['sensors'][$class]['data'] = $others;
}
// Lists are put behind each other.
$definition = array_merge_recursive($definition, Yaml::parseFile(__DIR__.'/conntap.yaml'));
if (file_put_contents("$target.new", Yaml::dump($definition, 8)) === false ||
		!rename("$target.new", $target)) {
	give_up("cannot write $target");
}
