#include "config/users.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/errors.h"
#include "config/keywords.h"
#include "config/scalar.h"
#include "dataplane/base/units.h"

#define OTHERS_MODE (S_IRWXG | S_IRWXO)

static const char *const role_names[] = {"none", "read", "operate"};

__attribute__((format(printf, 3, 4))) static enum result
fail_with(char error[USERS_ERROR_SIZE_MAX], enum result result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error, USERS_ERROR_SIZE_MAX, format, arguments);
    va_end(arguments);
    return result;
}

const char *user_role_name(enum user_role role)
{
    return role_names[role];
}

bool user_role_read(const char *text, enum user_role *out_role)
{
    for (uint32_t role = USER_ROLE_READ; role <= USER_ROLE_OPERATE; role++) {
        if (strcmp(text, role_names[role]) == 0) {
            *out_role = (enum user_role)role;
            return true;
        }
    }
    return false;
}

bool user_name_is_good(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t size = strlen(name);
    return size > 0 && size < USER_NAME_SIZE_MAX && strspn(name, allowed) == size && name[0] != '-';
}

/* One entry of the map. */
static void user_read(struct config *config, const struct node *map, struct user *user)
{
    struct keyword_values values;
    uint32_t choice;
    const char *name = map->key->text;
    *user = (struct user){.line = map->key->line};
    if (!user_name_is_good(name)) {
        error_at(config, map->key,
                 "`%.64s` is no name of a user; 1 to %d of A-Z a-z 0-9 _ . - are allowed, no - in "
                 "front",
                 name, USER_NAME_SIZE_MAX - 1);
        return;
    }
    memcpy(user->name, name, strlen(name) + 1);
    keyword_read_map(config, map, PLACE_user, &values);
    const struct node *role = values.value[KEYWORD_user_role];
    const struct node *password = values.value[KEYWORD_user_password];
    if (map->kind == NODE_MAP && node_map_find(map, "role") == NULL) {
        error_at(config, map, "a user needs `role`; allowed: read, operate");
    } else if (role != NULL && scalar_read_choice(config, role, "`role`", role_names + 1,
                                                  USER_ROLE_OPERATE, &choice)) {
        user->role = (enum user_role)(choice + USER_ROLE_READ);
    }
    if (map->kind == NODE_MAP && node_map_find(map, "password") == NULL) {
        error_at(config, map, "a user needs `password`, a hash that `freshet user add` makes");
    } else if (password != NULL) {
        (void)scalar_read_text(config, password, "`password`", USER_HASH_SIZE_MAX, user->hash);
    }
}

static void users_read(struct config *config, const struct node *root, struct users *users)
{
    if (root->kind != NODE_MAP) {
        if (root->kind != NODE_BROKEN) {
            error_at(config, root, "users are a map, as name: {role: read, password: \"...\"}");
        }
        return;
    }
    if (root->size > USERS_MAX) {
        error_at(config, root, "%u users; at most %d are allowed", root->size, USERS_MAX);
        return;
    }
    for (const struct node *map = root->first; map != NULL; map = map->next) {
        user_read(config, map, &users->user[users->count++]);
    }
}

enum result users_load_text(const char *name, const char *text, uint64_t size,
                            struct users *out_users, char error[USERS_ERROR_SIZE_MAX])
{
    struct node_tree tree;
    memset(out_users, 0, sizeof(*out_users));
    /* Many MiB, of which only the errors are touched. */
    struct config *config = malloc(sizeof(*config));
    if (config == NULL) {
        return fail_with(error, RESULT_NO_MEMORY, "%s: the machine gave no memory for it", name);
    }
    config->error_count = 0;
    node_tree_init(&tree);
    const struct node *root = node_parse(&tree, config, name, text, size);
    bool empty = root == NULL || (root->kind == NODE_SCALAR && root->size == 0);
    if (!empty) {
        users_read(config, root, out_users);
    }
    node_tree_deinit(&tree);
    enum result result = RESULT_OK;
    if (config->error_count > 0) {
        const struct config_error *first = &config->error[0];
        error_sort(config);
        result = fail_with(error, RESULT_INVALID, "%s:%u:%u: %.240s", name, first->line,
                           first->column, first->text);
    }
    free(config);
    return result;
}

static enum result mode_check(FILE *file, const char *path, char error[USERS_ERROR_SIZE_MAX])
{
    struct stat status;
    if (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode)) {
        return fail_with(error, RESULT_INVALID, "%s is no file", path);
    }
    if ((status.st_mode & OTHERS_MODE) != 0) {
        return fail_with(error, RESULT_INVALID,
                         "%s: others than its owner may use it (mode %04o); chmod 600 %s", path,
                         (unsigned)(status.st_mode & 07777), path);
    }
    return RESULT_OK;
}

enum result users_load(const char *path, struct users *out_users, char error[USERS_ERROR_SIZE_MAX])
{
    memset(out_users, 0, sizeof(*out_users));
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return fail_with(error, errno == ENOENT ? RESULT_NOT_FOUND : RESULT_SYSTEM,
                         "%s cannot be opened: %s; freshet user add NAME --role read --file %s "
                         "makes it",
                         path, strerror(errno), path);
    }
    char *text = malloc(NODE_TEXT_SIZE_MAX + 1);
    enum result result = mode_check(file, path, error);
    if (text == NULL) {
        result = fail_with(error, RESULT_NO_MEMORY, "%s: the machine gave no memory for it", path);
    }
    if (result == RESULT_OK) {
        size_t size = fread(text, 1, NODE_TEXT_SIZE_MAX + 1, file);
        result = ferror(file) == 0 ? users_load_text(path, text, size, out_users, error)
                                   : fail_with(error, RESULT_SYSTEM, "%s cannot be read: %s", path,
                                               strerror(errno));
    }
    free(text);
    (void)fclose(file);
    return result;
}

static bool users_write(FILE *file, const struct users *users)
{
    (void)fprintf(file, "# Who may ask Freshet over TCP; `freshet user` writes this file.\n");
    for (uint32_t i = 0; i < users->count; i++) {
        const struct user *user = &users->user[i];
        (void)fprintf(file, "%s: {role: %s, password: \"%s\"}\n", user->name,
                      user_role_name(user->role), user->hash);
    }
    return fflush(file) == 0 && ferror(file) == 0 && fsync(fileno(file)) == 0;
}

enum result users_save(const char *path, const struct users *users,
                       char error[USERS_ERROR_SIZE_MAX])
{
    char draft[CONFIG_PATH_SIZE_MAX + 8];
    struct stat old;
    int size = snprintf(draft, sizeof(draft), "%s.XXXXXX", path);
    if (size < 0 || (size_t)size >= sizeof(draft)) {
        return fail_with(error, RESULT_INVALID, "%.64s...: a path of more than %d bytes", path,
                         CONFIG_PATH_SIZE_MAX - 1);
    }
    /* Its mode is 0600 from the first moment on. */
    int fd = mkstemp(draft);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (file == NULL) {
        enum result result =
            fail_with(error, RESULT_SYSTEM, "%s cannot be written: %s", path, strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
            (void)unlink(draft);
        }
        return result;
    }
    bool owned = stat(path, &old) != 0 || fchown(fd, old.st_uid, old.st_gid) == 0;
    bool written = users_write(file, users) && owned;
    int code = errno;
    written = fclose(file) == 0 && written;
    if (!written || rename(draft, path) != 0) {
        (void)unlink(draft);
        return fail_with(error, RESULT_SYSTEM, "%s cannot be written: %s", path,
                         strerror(written ? errno : code));
    }
    return RESULT_OK;
}

const struct user *users_find(const struct users *users, const char *name, uint64_t size)
{
    for (uint32_t i = 0; i < users->count; i++) {
        const struct user *user = &users->user[i];
        if (strlen(user->name) == size && memcmp(user->name, name, size) == 0) {
            return user;
        }
    }
    return NULL;
}
