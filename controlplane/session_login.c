/* A session says who it is: AUTH, and AUTH of HELLO. */
#include <string.h>
#include <unistd.h>

#include "controlplane/access.h"
#include "controlplane/appliance.h"
#include "controlplane/command.h"
#include "controlplane/server_clients.h"
#include "dataplane/base/assert.h"

/* From the verifier's thread: the serving thread looks at its connections that wait. */
static void login_wake(void *argument)
{
    int wake_fd = (int)(intptr_t)argument;
    const uint64_t one = 1;
    if (wake_fd >= 0) {
        ssize_t written = write(wake_fd, &one, sizeof(one));
        ASSERT(written == (ssize_t)sizeof(one));
    }
}

static enum session_login_result login_refuse(struct command_call *call, const char *text)
{
    struct session *session = call->session;
    session->login_failures++;
    session->close_after_reply |= session->login_failures >= SESSION_FAILURES_MAX;
    resp_write_error(call->reply, "%s", text);
    return SESSION_LOGIN_FAILED;
}

static enum session_login_result login_wrong(struct command_call *call)
{
    return login_refuse(call, "WRONGPASS invalid username-password pair or user is disabled.");
}

/* Role and name are those of the user whose password was verified, whatever the request says. */
static enum session_login_result login_take(struct command_call *call, const struct user *user)
{
    struct session *session = call->session;
    const struct resp_argument name = {.data = user->name, .size = (uint32_t)strlen(user->name)};
    session->role = user->role;
    session->login_failures = 0;
    server_client_rename(call->host->server, session->user, &name);
    return SESSION_LOGIN_DONE;
}

/* The request that waited runs again. */
static enum session_login_result login_finish(struct command_call *call, struct verifier *verifier)
{
    struct session *session = call->session;
    const struct user *user = NULL;
    enum login_state state = verifier_look(verifier, session->login, &user);
    if (state == LOGIN_WAITS) {
        return SESSION_LOGIN_WAITS;
    }
    verifier_forget(verifier, session->login);
    session->login = NULL;
    return state == LOGIN_TAKEN ? login_take(call, user) : login_wrong(call);
}

enum session_login_result session_login(struct command_call *call, const struct resp_argument *user,
                                        const struct resp_argument *password)
{
    struct session *session = call->session;
    struct verifier *verifier = access_verifier(call->host->appliance->access);
    const struct user *known = NULL;
    if (verifier == NULL) {
        /* As Redis without passwords: its user `default` has none. */
        return resp_is(user, "default") ? SESSION_LOGIN_DONE : login_wrong(call);
    }
    if (session->login != NULL) {
        return login_finish(call, verifier);
    }
    const struct login_claim claim = {user->data, password->data, user->size, password->size};
    /* By value: the session may be gone, and its place another's, when the wake comes. */
    void *wake = (void *)(intptr_t)session->wake_fd;
    switch (verifier_ask(verifier, &claim, login_wake, wake, &session->login, &known)) {
    case LOGIN_TAKEN:
        return login_take(call, known);
    case LOGIN_WAITS:
        return SESSION_LOGIN_WAITS;
    case LOGIN_REFUSED:
        break;
    }
    return login_refuse(call, "ERR too many logins wait to be verified; try again");
}

bool session_login_ready(const struct appliance *appliance, const struct session *session)
{
    const struct user *user;
    return session->login != NULL &&
           verifier_look(access_verifier(appliance->access), session->login, &user) != LOGIN_WAITS;
}

void session_login_forget(const struct appliance *appliance, struct session *session)
{
    if (session->login != NULL) {
        verifier_forget(access_verifier(appliance->access), session->login);
        session->login = NULL;
    }
}
