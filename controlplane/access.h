/* Who may ask what: users, roles, and what a connection may do before it names a user.
 *
 * | comes over        | users written          | no users                     |
 * |-------------------|------------------------|------------------------------|
 * | the unix socket   | the process's own user and root operate, others read  |
 * | TCP, loopback     | nothing before AUTH    | reads                        |
 * | TCP, from outside | nothing before AUTH    | is told why, and closed      |
 *
 * The unix socket's file mode says who may connect at all; who did is the kernel's word
 * (SO_PEERCRED), not the peer's. See docs/operating/security.md. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "config/users.h"
#include "controlplane/verifier.h"
#include "dataplane/base/result.h"

struct access;

/* Loads the users (path "" : none) and starts their verifier. error says what and what to do. */
MUST_USE enum result access_open(const char *path, const struct cpu_layout *layout,
                                 struct access **out_access, char *error, uint32_t error_size);
/* Nobody is taken any more, and nobody called: before the servers close. NULL is fine. */
void access_stop(struct access *access);
void access_close(struct access *access); /* After the servers. NULL is fine. */

/* access NULL stands for one without users, in all of these. */
bool access_has_users(const struct access *access);
/* NULL without users. */
struct verifier *access_verifier(struct access *access);
uint64_t access_logins_refused(const struct access *access); /* Any thread. */
bool access_is_loopback(const struct sockaddr *peer);
enum user_role access_role_of_unix(int fd);
/* USER_ROLE_NONE with users: AUTH changes that. Without: nobody may ask from there. */
enum user_role access_role_of_tcp(const struct access *access, const struct sockaddr *peer);
