/* Passwords as crypt(3) keeps them: hashed with a salt, slowly, never in clear. See
 * docs/decisions/0013. */
#pragma once

#include <stdbool.h>

#include "config/users.h"
#include "dataplane/base/result.h"

#define PASSWORD_SIZE_MAX 256

/* Hashes a password (yescrypt with a new salt, some 30 ms). RESULT_INVALID: empty or too long. */
MUST_USE enum result password_hash(const char *password, char out_hash[USER_HASH_SIZE_MAX]);
/* Whether hash is of a method that this system has and that is not broken. */
bool password_hash_is_usable(const char *hash);
/* As slow as the hash's method; compares in constant time. False too when there is no memory. */
bool password_matches(const char *hash, const char *password);
/* The same time for equal and different bytes. */
bool password_bytes_equal(const void *left, const void *right, uint64_t size);
