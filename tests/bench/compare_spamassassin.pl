#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# For compare_readers.py: reads cases (JSON lines), and prints what SpamAssassin makes of each.
use strict;
use warnings;
use JSON::PP;
use Mail::SpamAssassin;
use Mail::SpamAssassin::PerMsgStatus;

my %readers;
sub reader_of {
	my $networks = join(' ', @_);
	return $readers{$networks} if $readers{$networks};
	my $reader = Mail::SpamAssassin->new({
		dont_copy_prefs => 1, local_tests_only => 1, require_rules => 0, site_rules_filename => '/dev/null',
		config_text => "clear_internal_networks\nclear_trusted_networks\ninternal_networks $networks\n"
			. "trusted_networks $networks\n" });
	$reader->init(1);
	return $readers{$networks} = $reader;
}

sub outcome_of {
	my ($metadata) = @_;
	for my $relay (@{$metadata->{relays_internal}}, @{$metadata->{relays_external}}) {
		return "authenticated $relay->{ip}" if $relay->{auth};
		return "external $relay->{ip}" unless $relay->{internal};
	}
	return $metadata->{num_relays_unparseable} ? 'unparseable' : 'local-origin';
}

$| = 1;
while (my $line = <STDIN>) {
	my $case = JSON::PP->new->utf8->decode($line);
	my $text = $case->{headers};
	utf8::encode($text) unless $case->{x_enc};
	$text =~ s/\r\n/\n/g;
	my $reader = reader_of(@{$case->{internal}});
	my $message = $reader->parse("$text\n", 0);
	my $status = Mail::SpamAssassin::PerMsgStatus->new($reader, $message);
	$message->{metadata}->parse_received_headers($status, $message);
	print outcome_of($message->{metadata}), "\n";
	$status->finish;
	$message->finish;
}
