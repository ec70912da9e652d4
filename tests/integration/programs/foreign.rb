# A web client that has libc connect for it: foreign.rb ADDRESS...
require 'fiddle'
require 'socket'

libc = Fiddle.dlopen('libc.so.6')
connect = Fiddle::Function.new(libc['connect'],
                               [Fiddle::TYPE_INT, Fiddle::TYPE_VOIDP, Fiddle::TYPE_INT],
                               Fiddle::TYPE_INT)
ARGV.each do |address|
  s = Socket.new(:INET, :STREAM)
  to = Socket.sockaddr_in(80, address)
  failed = connect.call(s.fileno, to, to.bytesize) == -1
  abort "#{address}: errno #{Fiddle.last_error}" if failed && Fiddle.last_error != Errno::EINPROGRESS::Errno
  s.wait_writable
  s.write("GET /fiddle HTTP/1.0\r\nHost: #{address}\r\n\r\n")
  print s.read.partition("\r\n\r\n").last
end
