/* The file of users: who may ask over TCP, as what, with which password.
 *
 * A YAML map by name, one line each, which `freshet user` writes and people may:
 *
 *     model: {role: read, password: "$y$j9T$..."}
 *
 * A name is 1 to 63 of [A-Za-z0-9_.-]; the user that a password alone means is `default`. Passwords
 * are hashes as crypt(3) makes them, never in clear. Only its owner may read or write the file. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"

#define USERS_MAX            64
#define USERS_ERROR_SIZE_MAX 384
#define USER_NAME_SIZE_MAX   64
#define USER_HASH_SIZE_MAX   384 /* CRYPT_OUTPUT_SIZE */

/* What somebody may do, each more than the one before. */
enum user_role { USER_ROLE_NONE, USER_ROLE_READ, USER_ROLE_OPERATE };

struct user {
    char name[USER_NAME_SIZE_MAX];
    char hash[USER_HASH_SIZE_MAX];
    enum user_role role;
    uint32_t line; /* In the file, from 1. */
};

struct users {
    uint32_t count;
    struct user user[USERS_MAX];
};

/* "read", "operate"; "none". */
const char *user_role_name(enum user_role role);
/* False when text is no role that a user can have. */
bool user_role_read(const char *text, enum user_role *out_role);
bool user_name_is_good(const char *name);

/* RESULT_NOT_FOUND when there is no such file, else RESULT_INVALID or RESULT_SYSTEM; error says
 * what is wrong with which line and what is allowed, *out_users is then to be forgotten. */
MUST_USE enum result users_load(const char *path, struct users *out_users,
                                char error[USERS_ERROR_SIZE_MAX]);
/* The same from a text that stands for a file. */
MUST_USE enum result users_load_text(const char *name, const char *text, uint64_t size,
                                     struct users *out_users, char error[USERS_ERROR_SIZE_MAX]);
/* Writes the whole file anew, readable by its owner alone, and replaces the old one at once. */
MUST_USE enum result users_save(const char *path, const struct users *users,
                                char error[USERS_ERROR_SIZE_MAX]);

/* name is not NUL-terminated. NULL when there is no such user. */
const struct user *users_find(const struct users *users, const char *name, uint64_t size);
