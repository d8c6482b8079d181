#include "dataplane/feature/decay.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/exact.h"

#define ROOT_BITS 62u

/* 2^ROOT_BITS * 2^(-2^-i) for i = 1, 2, ... */
static const uint64_t roots[] = {
    UINT64_C(3260954456333195553), UINT64_C(3877950241171266237), UINT64_C(4228934724888366668),
    UINT64_C(4416165660797809419), UINT64_C(4512867096753504463), UINT64_C(4562008997483360349),
    UINT64_C(4586780255215411731), UINT64_C(4599216278082138665), UINT64_C(4605446927862164404),
    UINT64_C(4608565417332308035), UINT64_C(4610125453837388245), UINT64_C(4610905670110601999),
    UINT64_C(4611295827762151833), UINT64_C(4611490918967884501), UINT64_C(4611588467665893036),
    UINT64_C(4611637242788701951), UINT64_C(4611661630543559956), UINT64_C(4611673824469352645),
    UINT64_C(4611679921444339948), UINT64_C(4611682969934856344), UINT64_C(4611684494180870228),
    UINT64_C(4611685256304066092), UINT64_C(4611685637365711255), UINT64_C(4611685827896545643),
    UINT64_C(4611685923161965790), UINT64_C(4611685970794676601), UINT64_C(4611685994611032191),
    UINT64_C(4611686006519210032), UINT64_C(4611686012473298964), UINT64_C(4611686015450343433),
    UINT64_C(4611686016938865668), UINT64_C(4611686017683126786),
};

/* 2^ROOT_BITS * 2^(-fraction of a half-life): the fraction in 32 bits, each that is set multiplies
 * by its root. */
static uint64_t weight_of_fraction(int64_t part_us, int64_t half_life_us)
{
    uint64_t fraction =
        (uint64_t)(((unsigned __int128)(uint64_t)part_us << 32) / (uint64_t)half_life_us);
    uint64_t weight = UINT64_C(1) << ROOT_BITS;
    for (uint32_t i = 0; i < ARRAY_COUNT(roots); i++) {
        if ((fraction >> (31 - i) & 1) != 0) {
            weight = (uint64_t)(((unsigned __int128)weight * roots[i]) >> ROOT_BITS);
        }
    }
    return weight;
}

struct wide decay_weigh(__int128 sum, int64_t age_us, int64_t half_life_us)
{
    ASSERT(half_life_us > 0);
    const uint32_t room = DECAY_BITS - ROOT_BITS;
    uint64_t halvings = age_us > 0 ? (uint64_t)(age_us / half_life_us) : 0;
    if (halvings >= DECAY_BITS) {
        return (struct wide){{0}};
    }
    uint64_t weight = age_us > 0 ? weight_of_fraction(age_us % half_life_us, half_life_us)
                                 : UINT64_C(1) << ROOT_BITS;
    struct wide wide = wide_from_i128(sum);
    struct wide by = wide_from_u64(halvings > room ? weight >> (halvings - room) : weight);
    wide = wide_multiply(&wide, &by);
    by = wide_from_u64(UINT64_C(1) << (halvings > room ? 0 : room - halvings));
    return wide_multiply(&wide, &by);
}
