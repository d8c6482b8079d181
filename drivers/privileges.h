/* What the process may do: started by root to open ports, files and hugepages, it goes on as a user
 * that can do none of that any more.
 *
 * The user is changed for every thread (setresuid(2) of glibc does that), and with it the kernel
 * takes all capabilities from every thread. Only the thread that drops, which also closes devices
 * in the end, keeps the few that are asked for. Nobody gains anything by execve(2): no_new_privs is
 * set while there is one thread, and threads inherit it.
 * Source: capabilities(7), "Effect of user ID changes on capabilities"; setxid in nptl(7). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "dataplane/base/result.h"

#define PRIVILEGES_USER_DEFAULT   "freshet"
#define PRIVILEGES_NAME_SIZE_MAX  64
#define PRIVILEGES_ERROR_SIZE_MAX 256

struct privileges {
    bool drops;   /* Root started us, and we shall not stay root. */
    bool is_root; /* We stay root. */
    bool asked;   /* The definitions name the user. */
    bool network; /* Devices are closed by the kernel's word only with CAP_NET_*. */
    uid_t uid;    /* Who we shall be. */
    gid_t gid;
    char user[PRIVILEGES_NAME_SIZE_MAX]; /* Name of uid, or its number. */
};

/* Says who the process shall be: user, or with "" PRIVILEGES_USER_DEFAULT where there is such a
 * user, when root started it; "root" stays root. Others stay who they are, and may name only
 * themselves. network: ports of DPDK will be open. Changes nothing. */
MUST_USE enum result privileges_choose(const char *user, bool network, struct privileges *out,
                                       char error[PRIVILEGES_ERROR_SIZE_MAX]);
/* Before any thread starts. */
MUST_USE enum result privileges_begin(const struct privileges *privileges);

/* Gives a file to the user to be; nothing when we stay who we are. */
MUST_USE enum result privileges_own(const struct privileges *privileges, const char *path);
/* Makes the folder where it is not there (mode 0750; its parents are), and gives it to the user,
 * with its files and the folders in it with theirs. */
MUST_USE enum result privileges_own_directory(const struct privileges *privileges,
                                              const char *path);

/* Becomes the user. After everything is open and every thread sits on its core. */
MUST_USE enum result privileges_drop(const struct privileges *privileges,
                                     char error[PRIVILEGES_ERROR_SIZE_MAX]);

/* "CAP_IPC_LOCK": what the dropping thread keeps. */
const char *privileges_kept(const struct privileges *privileges);
