# Asks web servers in each way that Perl has; prints what they answer.
# Usage: fetch.pl WAY HOST... with an IPv6 address in brackets
use strict;
use warnings;
use IO::Socket::INET;
use IO::Socket::IP;
use HTTP::Tiny;
use Socket;

sub ask {
	my ($s, $host, $path) = @_;
	print $s "GET $path HTTP/1.0\r\nHost: $host\r\n\r\n";
	my $answer = join '', <$s>;
	$answer =~ s/.*?\r\n\r\n//s;
	print $answer;
}

my %way = (
	inet => sub {
		my $s = IO::Socket::INET->new(PeerAddr => $_[0], PeerPort => 80) or die "$_[0]: $@";
		ask($s, $_[0], '/inet');
	},
	# A time-out makes it connect without blocking and wait by select.
	'inet-timeout' => sub {
		my $s = IO::Socket::INET->new(PeerAddr => $_[0], PeerPort => 80, Timeout => 10)
			or die "$_[0]: $@";
		ask($s, $_[0], '/inet-timeout');
	},
	ip => sub {
		my ($host) = $_[0] =~ /^\[?(.*?)\]?$/;
		my $s = IO::Socket::IP->new(PeerHost => $host, PeerPort => 80) or die "$_[0]: $@";
		ask($s, $_[0], '/ip');
	},
	'ip-timeout' => sub {
		my ($host) = $_[0] =~ /^\[?(.*?)\]?$/;
		my $s = IO::Socket::IP->new(PeerHost => $host, PeerPort => 80, Timeout => 10)
			or die "$_[0]: $@";
		ask($s, $_[0], '/ip-timeout');
	},
	# A handler that dies is how Perl programs end a wait; here it has nothing to end.
	alarm => sub {
		my ($host) = $_[0];
		local $SIG{ALRM} = sub { die "alarm\n" };
		alarm 10;
		my $address = inet_aton($host) or die "no address for $host";
		socket my $s, PF_INET, SOCK_STREAM, 0 or die "socket: $!";
		connect $s, sockaddr_in(80, $address) or die "connect: $!";
		alarm 0;
		$s->autoflush(1);
		ask($s, $host, '/alarm');
	},
	tiny => sub {
		my $r = HTTP::Tiny->new(timeout => 10)->get("http://$_[0]/tiny");
		die "$_[0]: $r->{status} $r->{content}" unless $r->{success};
		print $r->{content};
	},
	lwp => sub {
		require LWP::UserAgent;
		my $r = LWP::UserAgent->new(timeout => 10)->get("http://$_[0]/lwp");
		die "$_[0]: " . $r->status_line unless $r->is_success;
		print $r->content;
	},
	refused => sub {
		my ($host) = @_;
		my $s = IO::Socket::INET->new(PeerAddr => $host, PeerPort => 81, Timeout => 10);
		die "port 81 of $host answers" if $s;
		print "$host: $!\n";
	},
);

$| = 1;
my $tell = $way{ shift @ARGV } or die 'no such way';
$tell->($_) for @ARGV;
