<?php
// Children without an environment, in every way that PHP has of starting one.
$host = $argv[1];
$url = fn ($n) => "http://$host/$n";
$inherit = [1 => STDOUT, 2 => STDERR];

proc_close(proc_open(['curl', '-sS', $url(0)], $inherit, $pipes, null, []));
proc_close(proc_open(['/usr/bin/curl', '-sS', $url(1)], $inherit, $pipes, '/', ['A' => 'b']));
proc_close(proc_open('curl -sS ' . $url(2), $inherit, $pipes, null, []));
if (pcntl_fork() == 0) {
	pcntl_exec('/usr/bin/curl', ['-sS', $url(3)], []);
}
pcntl_wait($status);
foreach (['LD_PRELOAD', 'SOCKSIFY_PROXY', 'SOCKSIFY_NAMES'] as $name) {
	putenv($name);
}
echo `curl -sS {$url(4)}`;
echo shell_exec('env -i curl -sS ' . $url(5));
system('curl -sS ' . $url(6));
passthru('curl -sS ' . $url(7));
echo exec('curl -sS ' . $url(8)), "\n";
fpassthru(popen('curl -sS ' . $url(9), 'r'));
