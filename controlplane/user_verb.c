/* freshet user: the file of users that may ask over TCP. */
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "controlplane/password.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"
#include "drivers/secret.h"

struct user_options {
    const char *file;
    const char *role;
    bool json;
};

static int fail(const char *text)
{
    (void)fprintf(stderr, "freshet user: %s\n", text);
    return VERB_EXIT_FAILED;
}

/* One line from stdin without its end. False: none, or too long. */
static bool line_read(char line[PASSWORD_SIZE_MAX + 2])
{
    if (fgets(line, PASSWORD_SIZE_MAX + 2, stdin) == NULL) {
        return false;
    }
    size_t size = strcspn(line, "\r\n");
    line[size] = '\0';
    return size < PASSWORD_SIZE_MAX;
}

/* Asks without showing what is typed. */
static bool password_prompt(const char *prompt, char line[PASSWORD_SIZE_MAX + 2])
{
    struct termios shown;
    if (tcgetattr(STDIN_FILENO, &shown) != 0) {
        return false;
    }
    struct termios hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    (void)fprintf(stderr, "%s", prompt);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    bool read = line_read(line);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    (void)fprintf(stderr, "\n");
    return read;
}

/* From a terminal twice, else one line of stdin: an argument would stand in `ps` and in the shell's
 * history. */
static bool password_ask(char password[PASSWORD_SIZE_MAX + 2])
{
    char again[PASSWORD_SIZE_MAX + 2] = "";
    if (isatty(STDIN_FILENO) == 0) {
        return line_read(password);
    }
    bool same = password_prompt("password: ", password) && password_prompt("again: ", again) &&
                strcmp(password, again) == 0;
    secret_wipe(again, sizeof(again));
    return same;
}

static int users_store(const char *path, const struct users *users)
{
    char error[USERS_ERROR_SIZE_MAX];
    return users_save(path, users, error) == RESULT_OK ? VERB_EXIT_OK : fail(error);
}

static int user_add(struct users *users, const char *name, const struct user_options *options)
{
    char password[PASSWORD_SIZE_MAX + 2] = "";
    if (users_find(users, name, strlen(name)) != NULL) {
        return fail("there is a user of that name already; remove it first");
    }
    if (users->count == USERS_MAX) {
        return fail("the file is full: at most 64 users are allowed");
    }
    struct user *user = &users->user[users->count++];
    *user = (struct user){0};
    memcpy(user->name, name, strlen(name));
    (void)user_role_read(options->role, &user->role);
    enum result result =
        password_ask(password) ? password_hash(password, user->hash) : RESULT_INVALID;
    secret_wipe(password, sizeof(password));
    if (result == RESULT_INVALID) {
        return fail("no password: type the same one twice, or pipe one line of 1 to 255 bytes");
    }
    if (result != RESULT_OK) {
        return fail("the password could not be hashed");
    }
    return users_store(options->file, users);
}

static int user_remove(struct users *users, const char *name, const struct user_options *options)
{
    const struct user *found = users_find(users, name, strlen(name));
    if (found == NULL) {
        return fail("there is no user of that name; see freshet user list");
    }
    size_t index = (size_t)(found - users->user);
    memmove(&users->user[index], &users->user[index + 1],
            (users->count - index - 1) * sizeof(users->user[0]));
    users->count--;
    return users_store(options->file, users);
}

static void users_print(const struct users *users, bool json)
{
    for (uint32_t i = 0; i < users->count; i++) {
        const char *role = user_role_name(users->user[i].role);
        if (json) {
            printf("%s{\"name\": \"%s\", \"role\": \"%s\"}", i == 0 ? "[" : ",\n ",
                   users->user[i].name, role);
        } else {
            printf("%-20s %s\n", users->user[i].name, role);
        }
    }
    if (json) {
        printf("%s]\n", users->count == 0 ? "[" : "");
    }
}

/* The words that are no options: what to do, and with whom. VERB_EXIT_OK or a usage error. */
static int words_check(const struct verb_usage *usage, int argc, char **argv,
                       const struct user_options *options)
{
    enum user_role role;
    bool lists = strcmp(argv[1], "list") == 0;
    bool adds = strcmp(argv[1], "add") == 0;
    if (!lists && !adds && strcmp(argv[1], "remove") != 0) {
        return verb_usage_error(usage, "no \"%s\"; there are add, list and remove", argv[1]);
    }
    if (options->file == NULL) {
        return verb_usage_error(usage, "--file is missing");
    }
    if (argc != (lists ? 2 : 3)) {
        return verb_usage_error(usage, lists ? "list takes no NAME" : "NAME is missing");
    }
    if (!lists && !user_name_is_good(argv[2])) {
        return verb_usage_error(usage, "a NAME is 1 to 63 of A-Z a-z 0-9 _ . -");
    }
    if (adds && (options->role == NULL || !user_role_read(options->role, &role))) {
        return verb_usage_error(usage, "--role takes read or operate");
    }
    return VERB_EXIT_OK;
}

static int user_run(char **argv, const struct user_options *options, struct users *users)
{
    char error[USERS_ERROR_SIZE_MAX];
    enum result result = users_load(options->file, users, error);
    bool adds = strcmp(argv[1], "add") == 0;
    if (result != RESULT_OK && !(adds && result == RESULT_NOT_FOUND)) {
        return fail(error);
    }
    if (adds) {
        return user_add(users, argv[2], options);
    }
    if (strcmp(argv[1], "remove") == 0) {
        return user_remove(users, argv[2], options);
    }
    users_print(users, options->json);
    return VERB_EXIT_OK;
}

int user_verb(int argc, char **argv)
{
    struct user_options options = {0};
    const struct verb_option option[] = {
        {"file", "FILE", VERB_OPTION_TEXT, &options.file, "the file that `query.users` names"},
        {"role", "ROLE", VERB_OPTION_TEXT, &options.role, "of add: read or operate"},
        {"json", NULL, VERB_OPTION_FLAG, &options.json, "the list as JSON"},
    };
    const struct verb_usage usage = {
        "user",
        "add|list|remove [NAME]",
        "Keeps the file of users that may ask over TCP; the appliance reads it when it starts.\n"
        "The password comes from the terminal, or as a line of stdin:\n"
        "  freshet user add model --role read --file users.yaml\n",
        option,
        ARRAY_COUNT(option),
        1,
        2};
    int exit_code = VERB_EXIT_OK;
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    exit_code = words_check(&usage, argc, argv, &options);
    if (exit_code != VERB_EXIT_OK) {
        return exit_code;
    }
    struct users *users = heap_alloc(sizeof(*users));
    if (users == NULL) {
        return fail("no memory");
    }
    exit_code = user_run(argv, &options, users);
    heap_free(users);
    return exit_code;
}
