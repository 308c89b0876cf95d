#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# What SpamAssassin's reader of Received fields takes for bench-trace's header of 12 hops, in the
# same run of the machine: bench-trace print | bench_trace_spamassassin.pl
# (Debian's spamassassin). It must find the same outer host; its best time of 300 is told.
use strict;
use warnings;
use Time::HiRes qw(time);
use Mail::SpamAssassin;
use Mail::SpamAssassin::PerMsgStatus;

my $text = do { local $/; <STDIN> };
$text =~ s/\r//g;
my $reader = Mail::SpamAssassin->new({
	dont_copy_prefs => 1, local_tests_only => 1, require_rules => 0, site_rules_filename => '/dev/null',
	config_text => "internal_networks 10.0.0.0/8\ntrusted_networks 10.0.0.0/8\n" });
$reader->init(1);
my ($best, $outer) = (1e9, '');
for (1 .. 300) {
	my $message = $reader->parse($text, 0);
	my $status = Mail::SpamAssassin::PerMsgStatus->new($reader, $message);
	my $metadata = $message->{metadata};
	my $start = time;
	$metadata->parse_received_headers($status, $message);
	my $took = time - $start;
	$best = $took if $took < $best;
	$outer = $metadata->{relays_external}->[0]->{ip};
	$status->finish;
	$message->finish;
}
die "another outer host: $outer\n" unless $outer eq '198.51.100.12';
printf "12 hops: best %.0f us\n", $best * 1e6;
