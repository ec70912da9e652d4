# Children without an environment, in every way that Ruby has of starting one.
require 'open3'

$stdout.sync = true
host = ARGV[0]
bare = { unsetenv_others: true }
ways = [
  ->(url) { Process.wait(spawn('/usr/bin/curl', '-sS', url, bare)) },
  ->(url) { Process.wait(spawn({ 'A' => 'b' }, "/usr/bin/curl -sS #{url}; true", bare)) },
  ->(url) { system({}, '/usr/bin/curl', '-sS', url, bare) },
  ->(url) { Process.wait(spawn('/usr/bin/curl', '-sS', url, close_others: true, pgroup: true, **bare)) },
  ->(url) { print IO.popen(['/usr/bin/curl', '-sS', url, bare], &:read) },
  ->(url) { print Open3.capture2({}, '/usr/bin/curl', '-sS', url, bare)[0] },
  ->(url) { Process.wait(fork { exec('/usr/bin/curl', '-sS', url, bare) }) },
  ->(url) { ENV.clear; print `curl -sS #{url}` },
  ->(url) { print `exec curl -sS #{url} 2>&1` },
  ->(url) { Process.wait(fork { exec("curl -sS #{url}") }) }
]
ways.each_with_index { |way, n| way.call("http://#{host}/#{n}") }
