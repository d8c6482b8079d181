/* The verbs' side of the server: one connection (hiredis), clear errors on stderr. */
#pragma once

#include <hiredis.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct verb_usage;

#define CLIENT_ARGUMENTS_MAX 512

/* Where no --server is given: $FRESHET_SERVER, else CLIENT_SERVER_DEFAULT. */
#define CLIENT_SERVER_DEFAULT  "run/freshet.sock"
#define CLIENT_SERVER_SENTENCE "where it is; else $FRESHET_SERVER, else " CLIENT_SERVER_DEFAULT

/* Who asks, where no --user is given: $FRESHET_USER, else nobody; the password is in
 * $FRESHET_PASSWORD. */
#define CLIENT_USER_SENTENCE "who asks, with the password in $FRESHET_PASSWORD; else $FRESHET_USER"

struct client {
    const char *verb;   /* For errors. */
    const char *server; /* Borrowed: what was tried. */
    redisContext *context;
};

#define CLIENT_ERROR_SIZE_MAX 384

/* server: PATH, HOST:PORT, or NULL for the default. False: said why on stderr. */
bool client_open(struct client *client, const char *verb, const char *server);
/* The same as a user, NULL for the default. */
bool client_open_as(struct client *client, const char *verb, const char *server, const char *user);
/* The same, but says why in error. */
bool client_try(struct client *client, const char *verb, const char *server,
                char error[CLIENT_ERROR_SIZE_MAX]);
/* Says who asks: user, else $FRESHET_USER, else nobody, and the server decides what that may do.
 * False: said why on stderr. */
bool client_login(struct client *client, const char *user);
void client_close(struct client *client);
/* What a verb begins with: its options read, then the connection to the server that they name, as
 * the user that they name (both where --server and --user are read to). False: everything is said,
 * and *out_exit is the exit code. */
bool client_verb_open(struct client *client, const struct verb_usage *usage, int *argc, char **argv,
                      const char *const *server, const char *const *user, int *out_exit);

/* One command. NULL: said why on stderr (an error reply too). The caller frees the reply. */
redisReply *client_command(struct client *client, uint32_t count, const char *const *argument);
/* A command that answers with a JSON text: a new reference, or NULL as above. */
json_t *client_json(struct client *client, uint32_t count, const char *const *argument);
