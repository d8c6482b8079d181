#include "controlplane/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum result address_from_text(const char *text, struct sockaddr_storage *out_address,
                              socklen_t *out_size)
{
    const char *colon = strrchr(text, ':');
    char host[64] = {0};
    char *end = NULL;
    if (colon == NULL || colon[1] < '0' || colon[1] > '9') {
        return RESULT_INVALID;
    }
    unsigned long port = strtoul(colon + 1, &end, 10);
    size_t host_size = (size_t)(colon - text);
    bool bracketed = host_size >= 2 && text[0] == '[' && colon[-1] == ']';
    if (bracketed) {
        text++;
        host_size -= 2;
    }
    if (*end != '\0' || port > 65535 || host_size >= sizeof(host)) {
        return RESULT_INVALID;
    }
    memcpy(host, text, host_size);
    memset(out_address, 0, sizeof(*out_address));
    struct sockaddr_in *v4 = (struct sockaddr_in *)out_address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out_address;
    if (!bracketed && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        *out_size = sizeof(*v4);
        return RESULT_OK;
    }
    if (bracketed && inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        *out_size = sizeof(*v6);
        return RESULT_OK;
    }
    return RESULT_INVALID;
}
