/* Passwords are verified on a thread of their own, so that no serving thread ever waits for a hash.
 *
 * Whoever asks gets a struct login, which waits, is taken or refused, and gives it back with
 * verifier_forget(), verified or not. done(argument) is called from the verifier's thread when one
 * that waited no longer does. A refusal is told REFUSAL_DELAY_NS after its turn came, so guessing
 * costs time on a connection, and a user that is not there costs as much as one that is.
 *
 * The password that a user was last taken with is remembered as a keyed hash: whoever has been here
 * is taken at once, however many strangers guess at the same time. */
#pragma once

#include <stdint.h>

#include "config/users.h"
#include "drivers/cpu.h"

#define VERIFIER_LOGINS_MAX       1024u /* That wait; one more is refused. */
#define VERIFIER_REFUSAL_DELAY_NS (INT64_C(500) * 1000000)

enum login_state { LOGIN_WAITS, LOGIN_TAKEN, LOGIN_REFUSED };

struct login;
struct verifier;
typedef void login_done(void *argument);

/* What somebody brings along. Neither is NUL-terminated. */
struct login_claim {
    const char *user;
    const char *password;
    uint64_t user_size;
    uint64_t password_size;
};

/* users has at least one and is borrowed. */
MUST_USE enum result verifier_open(const struct users *users, const struct cpu_layout *layout,
                                   struct verifier **out_verifier);
/* Refuses all that waits and what is asked from now on. No done() is called after it returns. */
void verifier_stop(struct verifier *verifier);
void verifier_close(struct verifier *verifier); /* After all were forgotten. NULL is fine. */

/* Any thread; never waits for a hash. LOGIN_TAKEN with *out_user when the password is remembered;
 * LOGIN_WAITS with *out_login when it has to be verified; LOGIN_REFUSED when too many wait. */
enum login_state verifier_ask(struct verifier *verifier, const struct login_claim *claim,
                              login_done *done, void *argument, struct login **out_login,
                              const struct user **out_user);
/* The user whose password is remembered and is this one; NULL: ask. */
const struct user *verifier_knows(struct verifier *verifier, const struct login_claim *claim);
/* How it stands; *out_user when it is LOGIN_TAKEN. */
enum login_state verifier_look(struct verifier *verifier, const struct login *login,
                               const struct user **out_user);
void verifier_forget(struct verifier *verifier, struct login *login);
/* How many passwords were wrong so far. Any thread. */
uint64_t verifier_refused(const struct verifier *verifier);
