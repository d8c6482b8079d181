#include "tests/simulation/tally.h"

#include <stdio.h>

void tally_add(struct tally *sum, const struct tally *one)
{
#define TALLY(name) sum->name += one->name;
#include "tests/simulation/tally.def"
#undef TALLY
}

void tally_print(const struct tally *tally)
{
    printf("%lu seeds, %.2f virtual hours, %lu steps, %lu starts (%lu cut short, %lu refused)\n",
           tally->seeds, (double)tally->virtual_us / 3.6e9, tally->steps, tally->starts,
           tally->starts_cut, tally->refused);
    printf("%lu power cuts (%lu in I/O), %lu kills, %lu stops; %lu checkpoints, %lu states "
           "compared, %lu segments used again\n",
           tally->power_cuts, tally->power_cuts_in_io, tally->kills, tally->stops,
           tally->checkpoints, tally->states, tally->segments_used);
    printf("disk: %lu EIO, %lu ENOSPC, %lu short, %lu EAGAIN, %lu bytes rotten, %lu "
           "sectors torn, %lu KiB of torn tails\n",
           tally->disk_broken, tally->disk_full, tally->disk_short, tally->disk_again, tally->rots,
           tally->sectors_torn, tally->torn_bytes / 1024);
    printf("network: %lu lost, %lu twice, %lu corrupt; forwards: %lu void, %lu again\n",
           tally->network_lost, tally->network_twice, tally->network_corrupt, tally->voided,
           tally->again);
    printf("%lu messages, %lu recorded, %lu acked; %lu events; acked lost 0, twice 0, mismatches "
           "0, unknowable (the disk lied) %lu\n",
           tally->messages, tally->recorded, tally->acked, tally->events, tally->unknowable);
}

void tally_print_plain(const struct tally *tally)
{
#define TALLY(name) printf("%s %lu\n", #name, tally->name);
#include "tests/simulation/tally.def"
#undef TALLY
}
