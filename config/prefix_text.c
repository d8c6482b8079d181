#include "config/prefix_text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/errors.h"
#include "config/scalar.h"

static const uint8_t mapped[PREFIX_BITS_MAPPED / 8] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_mapped(const struct prefix *prefix)
{
    return prefix->bits >= PREFIX_BITS_MAPPED && memcmp(prefix->ip, mapped, sizeof(mapped)) == 0;
}

/* The address before the slash; out_first: bits that its family does not write. */
static bool address_read(const char *host, struct prefix *out, uint32_t *out_first)
{
    *out_first = 0;
    if (strchr(host, ':') != NULL) {
        return inet_pton(AF_INET6, host, out->ip) == 1;
    }
    *out_first = PREFIX_BITS_MAPPED;
    memcpy(out->ip, mapped, sizeof(mapped));
    return inet_pton(AF_INET, host, out->ip + sizeof(mapped)) == 1;
}

static bool bits_behind_are_zero(const struct prefix *prefix)
{
    for (uint32_t bit = prefix->bits; bit < PREFIX_BITS_MAX; bit++) {
        if ((prefix->ip[bit / 8] >> (7 - bit % 8) & 1) != 0) {
            return false;
        }
    }
    return true;
}

bool prefix_text_read(const char *text, struct prefix *out_prefix)
{
    char host[PREFIX_TEXT_SIZE_MAX];
    const char *slash = strchr(text, '/');
    size_t size = slash == NULL ? strlen(text) : (size_t)(slash - text);
    struct prefix prefix = {.bits = PREFIX_BITS_MAX};
    uint32_t first;
    if (size >= sizeof(host)) {
        return false;
    }
    memcpy(host, text, size);
    host[size] = '\0';
    if (!address_read(host, &prefix, &first)) {
        return false;
    }
    if (slash != NULL) {
        size_t digits = strspn(slash + 1, "0123456789");
        unsigned long bits = strtoul(slash + 1, NULL, 10);
        if (digits == 0 || digits > 3 || slash[1 + digits] != '\0' ||
            bits > PREFIX_BITS_MAX - first) {
            return false;
        }
        prefix.bits = (uint8_t)(first + bits);
    }
    if (!bits_behind_are_zero(&prefix)) {
        return false;
    }
    *out_prefix = prefix;
    return true;
}

const char *prefix_text(const struct prefix *prefix, char out[PREFIX_TEXT_SIZE_MAX])
{
    char host[INET6_ADDRSTRLEN] = "";
    out[0] = '\0';
    if (prefix->bits == 0) {
        return out;
    }
    bool four = is_mapped(prefix);
    const uint8_t *ip = four ? prefix->ip + sizeof(mapped) : prefix->ip;
    if (inet_ntop(four ? AF_INET : AF_INET6, ip, host, sizeof(host)) != NULL) {
        (void)snprintf(out, PREFIX_TEXT_SIZE_MAX, "%s/%u", host,
                       four ? prefix->bits - PREFIX_BITS_MAPPED : prefix->bits);
    }
    return out;
}

bool prefix_scalar_read(struct config *config, const struct node *node, const char *what,
                        struct prefix *out_prefix)
{
    if (!scalar_is(config, node, what)) {
        return false;
    }
    if (!prefix_text_read(node->text, out_prefix)) {
        error_at(config, node,
                 "%s is `%.64s`; an address with its prefix is allowed, the bits behind it zero, "
                 "as 192.0.2.0/24 or \"2001:db8::/32\"",
                 what, node->text);
        return false;
    }
    return true;
}
