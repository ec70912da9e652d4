<?php
// Asks web servers in each way that PHP has; prints what they answer.
// Usage: fetch.php WAY HOST... with an IPv6 address in brackets

error_reporting(E_ALL);
set_error_handler(function (int $level, string $text): bool {
	fwrite(STDERR, "$text\n");
	exit(1);
});

function ask($s, string $host, string $path): void
{
	fwrite($s, "GET $path HTTP/1.0\r\nHost: $host\r\n\r\n");
	echo explode("\r\n\r\n", stream_get_contents($s), 2)[1];
	fclose($s);
}

function curl(string $url)
{
	$c = curl_init($url);
	curl_setopt_array($c, [CURLOPT_RETURNTRANSFER => true, CURLOPT_CONNECTTIMEOUT => 10]);
	return $c;
}

$ways = [
	'file' => function (string $host): void {
		echo file_get_contents("http://$host/file");
	},
	'fsockopen' => function (string $host): void {
		// The time-out makes it connect without blocking and wait by poll.
		ask(fsockopen($host, 80, $code, $text, 10), $host, '/fsockopen');
	},
	'stream' => function (string $host): void {
		ask(stream_socket_client("tcp://$host:80", $code, $text, 10), $host, '/stream');
	},
	'curl' => function (string $host): void {
		$c = curl("http://$host/curl");
		$text = curl_exec($c);
		if ($text === false) {
			trigger_error(curl_error($c));
		}
		echo $text;
	},
	'multi' => function (string $host): void {
		$all = curl_multi_init();
		$each = [];
		for ($n = 0; $n < 4; $n++) {
			curl_multi_add_handle($all, $each[] = curl("http://$host/multi"));
		}
		do {
			curl_multi_exec($all, $left);
			curl_multi_select($all, 1);
		} while ($left > 0);
		foreach ($each as $c) {
			echo curl_multi_getcontent($c);
		}
	},
];

foreach (array_slice($argv, 2) as $host) {
	$ways[$argv[1]]($host);
}
