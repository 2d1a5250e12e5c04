<?php
// SPDX-License-Identifier: GPL-2.0-or-later
//
// php validate.php TEMPLATE [FRONTEND]
//
// Checks a Zabbix template as Zabbix does when it is imported, and without a database:
// by the classes of its frontend, in the directory FRONTEND (/usr/share/zabbix).  Then
// what an import leaves to the database: unique identifiers and keys, expressions whose
// items there are, macros that are defined.
//
// Exit status: 0 it is good; 1 it is not, and why is on stdout, a line each; 2 the
// frontend's classes cannot be used, and why is on stderr.

const TRIGGER_PARENTS = ['triggers', 'trigger_prototypes'];

function give_up(string $why): void {
	fwrite(STDERR, "validate.php: $why\n");
	exit(2);
}

// What the frontend does at its start, as far as reading a template needs it.
function load_frontend(string $root): void {
	$files = [];
	if (!is_dir("$root/include/classes/import")) {
		give_up("no frontend of Zabbix in $root");
	}
	$tree = new RecursiveIteratorIterator(
		new RecursiveDirectoryIterator("$root/include/classes",
			FilesystemIterator::FOLLOW_SYMLINKS | FilesystemIterator::SKIP_DOTS));
	foreach ($tree as $file) {
		if ($file->getExtension() === 'php') {
			$files[$file->getBasename('.php')] = $file->getPathname();
		}
	}
	spl_autoload_register(function (string $class) use ($files): void {
		if (array_key_exists($class, $files)) {
			require_once $files[$class];
		}
	});
	// Debian's package has no composer's autoloader for all that is in vendor/.
	spl_autoload_register(function (string $class) use ($root): void {
		$prefix = 'Symfony\\Component\\Yaml\\';
		if (strpos($class, $prefix) === 0) {
			$name = str_replace('\\', '/', substr($class, strlen($prefix)));
			require_once "$root/vendor/symfony/yaml/$name.php";
		}
	});
	set_include_path($root);
	require_once "$root/include/defines.inc.php";
	require_once "$root/include/gettextwrapper.inc.php";
	require_once "$root/include/func.inc.php";
	foreach (['CImportReaderFactory', 'CImportValidatorFactory', 'CXmlValidator',
			'CConstantImportConverter', 'CDefaultImportConverter',
			'CImportDataNormalizer', 'CExpressionParser', 'CItemKey',
			'CUpdateIntervalParser'] as $class) {
		if (!class_exists($class)) {
			give_up("the frontend in $root has no class $class");
		}
	}
}

// As CConfiguration::import() does, up to where the database begins.
function import(string $path): array {
	$format = CImportReaderFactory::fileExt2ImportFormat(pathinfo($path,
		PATHINFO_EXTENSION));
	$data = CImportReaderFactory::getReader($format)->read(file_get_contents($path));
	$validators = new CImportValidatorFactory($format);
	$data = (new CXmlValidator($validators, $format))->setStrict(true)->validate($data, '/');
	if ($data['zabbix_export']['version'] !== ZABBIX_EXPORT_VERSION) {
		throw new Exception('version '.$data['zabbix_export']['version'].
			', but the frontend is '.ZABBIX_EXPORT_VERSION);
	}
	$schema = $validators->getObject(ZABBIX_EXPORT_VERSION)->getSchema();
	$data = (new CConstantImportConverter($schema))->convert($data);
	$data = (new CDefaultImportConverter($schema))->convert($data);
	$data = (new CImportDataNormalizer($schema))->normalize($data);

	return $data['zabbix_export'];
}

// Every array in the document, with the name that it has in its parent; elements of
// lists have the name of the list.
function each_node(array $data, string $name, callable $see): void {
	$see($data, $name);
	foreach ($data as $key => $value) {
		if (is_array($value)) {
			each_node($value, is_int($key) ? $name : $key, $see);
		}
	}
}

class Check {
	public array $wrong = [];
	private array $uuids = [];
	private array $items = [];
	private array $graphs = [];
	private array $triggers = [];
	private array $macros = [];
	private array $valuemaps = [];

	public function run(array $export): void {
		foreach ($export['templates'] as $template) {
			$this->collect($template);
		}
		foreach ($export['graphs'] ?? [] as $graph) {
			$this->graphs[$graph['name']] = true;
		}
		each_node($export, '', [$this, 'collectTriggers']);
		each_node($export, '', [$this, 'checkNode']);
	}

	private function say(string $what): void {
		$this->wrong[] = $what;
	}

	private function add(array &$set, string $key, string $what): void {
		if (array_key_exists($key, $set)) {
			$this->say("$what: twice");
		}
		$set[$key] = true;
	}

	private function collect(array $template): void {
		$host = $template['template'];
		foreach ($template['macros'] ?? [] as $macro) {
			$this->add($this->macros, $macro['macro'], $macro['macro']);
		}
		foreach ($template['valuemaps'] ?? [] as $map) {
			$this->add($this->valuemaps, $map['name'], 'value map '.$map['name']);
		}
		foreach ($template['items'] ?? [] as $item) {
			$this->collectItem($host, $item);
		}
		foreach ($template['discovery_rules'] ?? [] as $rule) {
			$this->collectItem($host, $rule);
			foreach ($rule['item_prototypes'] ?? [] as $item) {
				$this->collectItem($host, $item);
			}
			foreach ($rule['graph_prototypes'] ?? [] as $graph) {
				$this->graphs[$graph['name']] = true;
			}
		}
	}

	private function collectItem(string $host, array $item): void {
		$key = new CItemKey();
		if ($key->parse($item['key']) != CParser::PARSE_SUCCESS) {
			$this->say("key {$item['key']}: ".$key->getError());
		}
		$delay = new CUpdateIntervalParser(['usermacros' => true, 'lldmacros' => true]);
		if (($item['delay'] ?? '') !== '' &&
				$delay->parse($item['delay']) != CParser::PARSE_SUCCESS) {
			$this->say("key {$item['key']}: delay {$item['delay']}");
		}
		if (($item['type'] ?? null) == ITEM_TYPE_SNMP && ($item['snmp_oid'] ?? '') === '') {
			$this->say("key {$item['key']}: no OID");
		}
		$this->add($this->items, "$host/{$item['key']}", "key {$item['key']}");
	}

	public function collectTriggers(array $node, string $name): void {
		if (in_array($name, TRIGGER_PARENTS) && array_key_exists('expression', $node)) {
			$this->add($this->triggers, $node['name'].$node['expression'],
				'trigger '.$node['name']);
		}
	}

	public function checkNode(array $node, string $name): void {
		if (array_key_exists('uuid', $node)) {
			// Version 4, as the database wants them.
			if (!preg_match('/^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/',
					$node['uuid'])) {
				$this->say("uuid {$node['uuid']} is none of version 4");
			}
			$this->add($this->uuids, $node['uuid'], "uuid {$node['uuid']}");
		}
		if (in_array($name, TRIGGER_PARENTS) && array_key_exists('expression', $node)) {
			$this->checkExpression($node['expression'], "trigger {$node['name']}");
			if (($node['recovery_expression'] ?? '') !== '') {
				$this->checkExpression($node['recovery_expression'],
					"trigger {$node['name']}");
			}
		}
		if ($name === 'dependencies' && array_key_exists('expression', $node) &&
				!array_key_exists($node['name'].$node['expression'], $this->triggers)) {
			$this->say("dependency {$node['name']}: no such trigger");
		}
		if ($name === 'item' && array_key_exists('key', $node) &&
				!array_key_exists("{$node['host']}/{$node['key']}", $this->items)) {
			$this->say("graph: no item {$node['key']}");
		}
		if ($name === 'valuemap' && count($node) == 1 &&
				!array_key_exists($node['name'], $this->valuemaps)) {
			$this->say("no value map {$node['name']}");
		}
		if (($node['name'] ?? '') === 'graphid' && is_array($node['value'] ?? null) &&
				!array_key_exists($node['value']['name'], $this->graphs)) {
			$this->say("dashboard: no graph {$node['value']['name']}");
		}
		if (array_key_exists('params', $node) &&
				($node['type'] ?? 0) == ITEM_TYPE_CALCULATED) {
			$this->checkExpression($node['params'], "item {$node['key']}",
				['calculated' => true]);
		}
		foreach ($node as $value) {
			if (is_string($value)) {
				$this->checkMacros($value);
			}
		}
	}

	private function checkMacros(string $text): void {
		preg_match_all('/\{\$[A-Z0-9_.]+\}/', $text, $found);
		foreach ($found[0] as $macro) {
			if (!array_key_exists($macro, $this->macros)) {
				$this->say("no macro $macro");
			}
		}
	}

	private function checkExpression(string $text, string $what, array $options = []): void {
		$parser = new CExpressionParser(['usermacros' => true, 'lldmacros' => true,
			'empty_host' => true] + $options);
		if ($parser->parse($text) != CParser::PARSE_SUCCESS) {
			$this->say("$what: ".$parser->getError());
			return;
		}
		$tokens = $parser->getResult()->getTokensOfTypes([
			CExpressionParserResult::TOKEN_TYPE_HIST_FUNCTION]);
		$values = new CHistFunctionValidator(['parameters' =>
			(new CHistFunctionData(['calculated' => (bool) $options]))->getParameters(),
			'usermacros' => true, 'lldmacros' => true,
			'calculated' => (bool) $options]);
		foreach ($tokens as $token) {
			$query = $token['data']['parameters'][0]['data'];
			$hosts = $query['host'] === '' ? array_unique(array_map(function ($name) {
				return explode('/', $name, 2)[0];
			}, array_keys($this->items))) : [$query['host']];
			if (!array_filter($hosts, function ($host) use ($query) {
				return array_key_exists("$host/{$query['item']}", $this->items);
			})) {
				$this->say("$what: no item {$query['host']}/{$query['item']}");
			}
			if (!$values->validate($token)) {
				$this->say("$what: ".$values->getError());
			}
		}
	}
}

if ($argc < 2 || $argc > 3) {
	give_up('usage: php validate.php TEMPLATE [FRONTEND]');
}
if (!is_readable($argv[1])) {
	give_up("cannot read {$argv[1]}");
}
error_reporting(E_ALL & ~E_DEPRECATED);
load_frontend($argv[2] ?? '/usr/share/zabbix');
try {
	$export = import($argv[1]);
}
catch (Exception $error) {
	echo $error->getMessage(), "\n";
	exit(1);
}
catch (Error $error) {
	give_up("the frontend's classes: {$error->getMessage()}");
}
$check = new Check();
$check->run($export);
echo implode('', array_map(function (string $line): string {
	return "$line\n";
}, $check->wrong));
exit($check->wrong ? 1 : 0);
