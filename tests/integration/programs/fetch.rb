# Asks web servers in each way that Ruby has; prints what they answer.
# Usage: fetch.rb WAY HOST... with an IPv6 address in brackets
require 'net/http'
require 'socket'

def ask(s, host, path)
  s.write("GET #{path} HTTP/1.0\r\nHost: #{host}\r\n\r\n")
  print s.read.split("\r\n\r\n", 2)[1]
  s.close
end

def bare(host)
  host.delete('[]')
end

# Not by URI: Ruby 3.1 takes the brackets of an IPv6 address for a fault, or leaves them out.
def get(host, path)
  Net::HTTP.start(bare(host), 80, nil) { |web| web.get(path, { 'Host' => host }).body }
end

WAYS = {
  'http' => lambda { |host| print get(host, '/http') },
  'tcp' => lambda { |host| ask(TCPSocket.new(bare(host), 80), host, '/tcp') },
  # A time-out makes it connect without blocking and wait by poll.
  'timeout' => lambda { |host|
    ask(Socket.tcp(bare(host), 80, connect_timeout: 10), host, '/timeout')
  },
  'threads' => lambda { |host|
    asked = (0..4).map { |n| Thread.new { get(host, '/threads') } }
    asked.each { |t| print t.value }
  },
  'refused' => lambda { |host|
    begin
      TCPSocket.new(host, 81)
      abort("port 81 of #{host} answers")
    rescue Errno::ECONNREFUSED
      puts "#{host}: refused"
    end
  }
}.freeze

way = WAYS.fetch(ARGV.shift)
ARGV.each { |host| way.call(host) }
