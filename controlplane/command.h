/* The commands: one table (commands.def), one handler each.
 *
 * A handler writes exactly one reply into call->reply. It runs on a serving thread, may use that
 * thread's reader and scratch, and never blocks. Reads go through dataplane/reader.h only. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/users.h"
#include "controlplane/buffer.h"
#include "controlplane/name_cache.h"
#include "controlplane/objectives.h"
#include "controlplane/resp.h"
#include "controlplane/resp_writer.h"
#include "dataplane/base/histogram.h"
#include "dataplane/reader.h"

struct appliance;
struct served_take; /* controlplane/served_take.h */
struct service_scratch;
struct login; /* controlplane/verifier.h */
struct server;

#define COMMAND_REDIS_VERSION    "7.0.15" /* Whose protocol and commands clients may expect. */
#define COMMAND_VALUES_MAX       65536u   /* Values of one request: keys times features. */
#define SESSION_NAME_SIZE_MAX    128
#define SESSION_ADDRESS_SIZE_MAX 128

_Static_assert(COMMAND_VALUES_MAX <= READER_ANSWERS_MAX, "one reader_read() takes a request");

#define COMMAND_FLAG_READ         0x01u /* Reads features: its duration is measured. */
#define COMMAND_FLAG_FAST         0x02u
#define COMMAND_FLAG_ADMIN        0x04u /* Takes the role operate; all others take read. */
#define COMMAND_FLAG_KEYS_COUNTED 0x08u /* Its keys follow a count: `movablekeys`. */
#define COMMAND_FLAG_WRITE        0x10u /* Known, and refused by name. */
#define COMMAND_FLAG_NO_AUTH      0x20u /* Takes no role: it comes before AUTH, or is it. */

#define SESSION_FAILURES_MAX 8u /* Logins that fail on one connection before it is closed. */

/* What a client has told and chosen. Owner: its serving thread. Other threads read, for CLIENT
 * LIST, the constants, what is shared_, and under the server's lock the names. */
struct session {
    uint64_t id;                          /* Constant, as the next five. */
    int64_t start_us;                     /* Wall clock. */
    char peer[SESSION_ADDRESS_SIZE_MAX];  /* "127.0.0.1:51234"; on unix the path and ":0". */
    char local[SESSION_ADDRESS_SIZE_MAX]; /* Likewise: what the client connected to. */
    char local_ip[64];                    /* "" on the unix socket. */
    uint16_t local_port;
    char name[SESSION_NAME_SIZE_MAX]; /* Changed through server_client_rename(), as the next two. */
    char library[SESSION_NAME_SIZE_MAX];
    char library_version[SESSION_NAME_SIZE_MAX];
    _Atomic int64_t shared_active_us; /* Of its last command. */
    _Atomic uint32_t shared_command;  /* Its last one, in command_table; command_count: none yet. */
    uint8_t protocol;                 /* 2 or 3 */
    bool close_after_reply;
    bool reply_off;     /* CLIENT REPLY OFF */
    uint8_t reply_skip; /* 2: from the next reply on, 1: this one. */
    /* Who it is: see session_login.c. */
    enum user_role role;
    enum user_role role_first;     /* Constant: what it may do without AUTH. */
    int wake_fd;                   /* Constant: written when a login no longer waits; -1: none. */
    uint32_t login_failures;       /* Of this connection. */
    struct login *login;           /* Owned. Waits for its password to be verified; else NULL. */
    char user[USER_NAME_SIZE_MAX]; /* Changed as name is. */
};

/* One view of the fields that a request asks for. */
struct read_group {
    uint16_t view;
    uint16_t count; /* Features. */
    uint32_t first; /* Into read_scratch.feature. */
};

/* What one request needs to read, kept between requests so that it rarely grows. */
struct read_scratch {
    uint16_t *feature; /* In order of groups. */
    uint32_t *place;   /* Of each asked field: its index in the order of groups. */
    uint32_t feature_capacity;
    struct read_group *group;
    uint32_t group_capacity;
    uint16_t group_of_view[VIEWS_MAX]; /* Of the views that a request asks for. */
    struct reader_query *query;
    uint32_t query_capacity;
    struct answer *answer;
    uint32_t answer_capacity;
    struct buffer key; /* Bytes of all keys, packed. */
};

/* What commands of one serving thread work with. */
struct command_host {
    struct appliance *appliance;
    const struct plan *plan;
    struct server *server; /* NULL in tests. */
    struct reader *reader;
    struct read_scratch scratch;
    struct service_scratch *service; /* NULL: the plan has no services. */
    struct served_take *take;        /* NULL: no answers are recorded. */
    struct name_cache names;
    struct buffer text; /* For replies that are rendered before they are sized. */
    struct objective_reads objectives;
    struct objective_marks marks; /* Of what the command in hand has read. */
};

struct command_call {
    struct command_host *host;
    struct session *session;
    struct resp_writer *reply;
    const struct command *command; /* The subcommand, where there is one. */
    uint32_t count;
    const struct resp_argument *argument; /* argument[0] is the command's name. */
};

struct command {
    const char *name;      /* Upper case; of a subcommand only its own word. */
    const char *container; /* NULL: a command of its own. */
    int32_t arity;         /* As Redis counts: with the name(s); negative: at least. */
    uint8_t flags;
    uint8_t key_first; /* 0: no keys at fixed places. */
    int8_t key_last;
    uint8_t key_step;
    const char *group; /* As `COMMAND DOCS` groups them. */
    const char *syntax;
    const char *sentence;
    void (*run)(struct command_call *call);
};

extern const struct command command_table[];
extern const uint32_t command_count;

MUST_USE enum result command_host_init(struct command_host *host, struct appliance *appliance,
                                       struct server *server, struct reader *reader);
void command_host_deinit(struct command_host *host);
/* True when rows may be read: the store, if there is one, is loaded. */
bool command_host_loaded(const struct command_host *host);

/* A session that may do nothing; session_admit() says what it may do without AUTH. */
void session_init(struct session *session, uint64_t id, int64_t now_us);
void session_admit(struct session *session, enum user_role role, int wake_fd);

enum session_login_result { SESSION_LOGIN_DONE, SESSION_LOGIN_WAITS, SESSION_LOGIN_FAILED };
/* AUTH, and AUTH of HELLO. WAITS: no reply was written, session->login waits, and the same request
 * is to be run again once session_login_ready(). FAILED: the error is written. */
enum session_login_result session_login(struct command_call *call, const struct resp_argument *user,
                                        const struct resp_argument *password);
bool session_login_ready(const struct appliance *appliance, const struct session *session);
/* Gives up a login that waits. */
void session_login_forget(const struct appliance *appliance, struct session *session);

/* Runs one request (count > 0): exactly one reply, errors included; none yet while session->login
 * waits. Returns the command that ran, NULL when there is none by that name. */
const struct command *command_run(struct command_host *host, struct session *session,
                                  struct resp_writer *reply, const struct resp_argument *argument,
                                  uint32_t count);

/* container NULL: a command. NULL when there is none. */
const struct command *command_find(const char *container, const char *name, uint32_t size);

/* Positions of the keys in a request; returns their count, or -1 when the request is malformed.
 * Keys are argument[first], argument[first + step], ... */
int32_t command_keys(const struct command *command, const struct resp_argument *argument,
                     uint32_t count, uint32_t *out_first, uint32_t *out_step);

/* Writes up to size - 1 bytes of an argument for an error, unprintable ones as '?'. */
const char *command_show(const struct resp_argument *argument, char *out, uint32_t size);

#define COMMAND(name, arity, flags, first, last, step, group, run, syntax, sentence)               \
    void run(struct command_call *call);
#define SUBCOMMAND(container, name, arity, flags, first, last, step, run, syntax, sentence)        \
    void run(struct command_call *call);
#define WRITE_COMMAND(name)
#include "controlplane/commands.def"
#undef COMMAND
#undef SUBCOMMAND
#undef WRITE_COMMAND
