#include "drivers/privileges.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FOLDER_MODE      0750
#define FOLDER_DEPTH_MAX 4u

__attribute__((format(printf, 3, 4))) static enum result
fail_with(char error[PRIVILEGES_ERROR_SIZE_MAX], enum result result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error, PRIVILEGES_ERROR_SIZE_MAX, format, arguments);
    va_end(arguments);
    return result;
}

static void name_read(struct privileges *privileges)
{
    const struct passwd *entry = getpwuid(privileges->uid);
    if (entry != NULL) {
        (void)snprintf(privileges->user, sizeof(privileges->user), "%s", entry->pw_name);
    } else {
        (void)snprintf(privileges->user, sizeof(privileges->user), "%u", (unsigned)privileges->uid);
    }
}

/* We stay who we are. */
static enum result stay(const char *user, struct privileges *out,
                        char error[PRIVILEGES_ERROR_SIZE_MAX])
{
    out->uid = geteuid();
    out->gid = getegid();
    out->is_root = out->uid == 0;
    name_read(out);
    if (user[0] != '\0' && strcmp(user, out->user) != 0) {
        return fail_with(error, RESULT_INVALID,
                         "user: only root can become %s, and this process was started by %s; start "
                         "it as root or as %s, or remove `user`",
                         user, out->user, user);
    }
    return RESULT_OK;
}

enum result privileges_choose(const char *user, bool network, struct privileges *out,
                              char error[PRIVILEGES_ERROR_SIZE_MAX])
{
    *out = (struct privileges){.asked = user[0] != '\0', .network = network};
    if (geteuid() != 0 || strcmp(user, "root") == 0) {
        return stay(user, out, error);
    }
    const struct passwd *entry = getpwnam(out->asked ? user : PRIVILEGES_USER_DEFAULT);
    if (entry == NULL && !out->asked) {
        return stay(user, out, error);
    }
    if (entry == NULL) {
        return fail_with(error, RESULT_INVALID,
                         "user: there is no user %s; make it: useradd --system --user-group "
                         "--no-create-home --shell /usr/sbin/nologin %s",
                         user, user);
    }
    if (entry->pw_uid == 0) {
        return fail_with(error, RESULT_INVALID, "user: %s is root by another name; write root",
                         user);
    }
    out->drops = true;
    out->uid = entry->pw_uid;
    out->gid = entry->pw_gid;
    (void)snprintf(out->user, sizeof(out->user), "%s", entry->pw_name);
    return RESULT_OK;
}

enum result privileges_begin(const struct privileges *privileges)
{
    if (privileges->drops && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return RESULT_SYSTEM;
    }
    return RESULT_OK;
}

enum result privileges_own(const struct privileges *privileges, const char *path)
{
    if (privileges->drops && lchown(path, privileges->uid, privileges->gid) != 0) {
        return RESULT_SYSTEM;
    }
    return RESULT_OK;
}

/* By descriptor, and no file with a second name: whoever may write to the folder could have put
 * one of root's there. */
static bool entry_own(const struct privileges *privileges, int folder, const char *name,
                      bool *out_is_folder)
{
    struct stat status;
    *out_is_folder = false;
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return errno == ELOOP || errno == ENOENT || errno == ENXIO;
    }
    bool good = fstat(fd, &status) == 0;
    bool mine =
        good && (S_ISDIR(status.st_mode) || (S_ISREG(status.st_mode) && status.st_nlink == 1));
    if (mine) {
        good = fchown(fd, privileges->uid, privileges->gid) == 0;
    }
    *out_is_folder = mine && S_ISDIR(status.st_mode);
    (void)close(fd);
    return good;
}

static enum result folder_own(const struct privileges *privileges, int parent, const char *name,
                              uint32_t depth)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL) {
        return RESULT_SYSTEM;
    }
    enum result result = RESULT_OK;
    const struct dirent *entry = readdir(folder);
    for (; entry != NULL && result == RESULT_OK; entry = readdir(folder)) {
        bool is_folder;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (!entry_own(privileges, fd, entry->d_name, &is_folder)) {
            result = RESULT_SYSTEM;
        } else if (is_folder && depth < FOLDER_DEPTH_MAX) {
            result = folder_own(privileges, fd, entry->d_name, depth + 1);
        }
    }
    (void)closedir(folder);
    return result;
}

enum result privileges_own_directory(const struct privileges *privileges, const char *path)
{
    if (mkdir(path, FOLDER_MODE) != 0 && errno != EEXIST) {
        return RESULT_SYSTEM;
    }
    enum result result = privileges_own(privileges, path);
    if (result != RESULT_OK || !privileges->drops) {
        return result;
    }
    return folder_own(privileges, AT_FDCWD, path, 1);
}

static uint32_t capabilities_of(const struct privileges *privileges)
{
    uint32_t set = UINT32_C(1) << CAP_IPC_LOCK;
    if (privileges->network) {
        set |= UINT32_C(1) << CAP_NET_RAW | UINT32_C(1) << CAP_NET_ADMIN;
    }
    return set;
}

/* Of the calling thread: what it has of the set stays, everything else goes. */
static bool capabilities_keep(uint32_t set)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (syscall(SYS_capget, &header, data) != 0) {
        return false;
    }
    uint32_t kept = data[0].permitted & set;
    memset(data, 0, sizeof(data));
    data[0].permitted = kept;
    data[0].effective = kept;
    return syscall(SYS_capset, &header, data) == 0;
}

static bool user_become(const struct privileges *privileges)
{
    return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 &&
           initgroups(privileges->user, privileges->gid) == 0 &&
           setresgid(privileges->gid, privileges->gid, privileges->gid) == 0 &&
           setresuid(privileges->uid, privileges->uid, privileges->uid) == 0 &&
           prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0;
}

enum result privileges_drop(const struct privileges *privileges,
                            char error[PRIVILEGES_ERROR_SIZE_MAX])
{
    if (!privileges->drops) {
        return RESULT_OK;
    }
    if (!user_become(privileges) || !capabilities_keep(capabilities_of(privileges))) {
        return fail_with(error, RESULT_SYSTEM, "user: cannot become %s: %s", privileges->user,
                         strerror(errno));
    }
    /* The way back must be closed: this is the whole point. */
    if (setresuid(0, 0, 0) == 0) {
        return fail_with(error, RESULT_SYSTEM, "user: %s can still become root", privileges->user);
    }
    /* No core file and no debugger of the same user may show what is in memory. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return fail_with(error, RESULT_SYSTEM, "user: dumpable: %s", strerror(errno));
    }
    return RESULT_OK;
}

const char *privileges_kept(const struct privileges *privileges)
{
    return privileges->network ? "CAP_IPC_LOCK, CAP_NET_RAW, CAP_NET_ADMIN" : "CAP_IPC_LOCK";
}
