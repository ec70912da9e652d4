# Children without an environment, in every way that perl has of starting one.
use strict;
use warnings;

$| = 1;
my $host = shift;
my $n = 0;

sub url { return "http://$host/" . $n++ }

%ENV = ();
system('curl', '-sS', url()) == 0 or die;
system('curl -sS ' . url()) == 0 or die;
system('exec curl -sS ' . url() . ' 2>&1') == 0 or die;
system { '/usr/bin/curl' } 'called-otherwise', '-sS', url();
print `curl -sS ${\url()}`;
open(my $list, '-|', 'curl', '-sS', url()) or die;
print <$list>;
close $list or die;
open(my $text, '-|', 'true; curl -sS ' . url()) or die;
print <$text>;
close $text or die;
open(my $to, '|-', 'curl', '-sS', '-K', '-') or die;
print $to 'url = "', url(), '"';
close $to or die;
my $pid = fork;
exec('curl', '-sS', url()) if $pid == 0;
$n++;
waitpid $pid, 0;
print `perl -e 'delete \$ENV{PATH}; exec "/usr/bin/curl", "-sS", "${\url()}"'`;
